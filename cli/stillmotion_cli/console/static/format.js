// Numbers and times as people read them, the same as the terminal shows them.

export function money(usd) {
  const number = Number(usd);
  if (usd === null || usd === undefined || usd === '' || !Number.isFinite(number)) return '–';
  const cents = Math.round(number * 100) / 100;
  return number >= 0.995 || Math.abs(cents - number) < 1e-9 ? `$${number.toFixed(2)}` : `$${number.toFixed(4).replace(/0+$/, '')}`;
}

export function bytes(count) {
  if (!Number.isFinite(count)) return '–';
  if (count < 1000) return `${count} B`;
  let number = count;
  for (const unit of ['kB', 'MB', 'GB']) {
    number /= 1000;
    if (number < 999.95 || unit === 'GB') return `${number.toFixed(1)} ${unit}`;
  }
  return '–';
}

export function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const pad = (number) => String(number).padStart(2, '0');
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

export const secondsBetween = (from, to) => (new Date(to) - new Date(from)) / 1000;

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY_TIME = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
export const time = (iso) => TIME.format(new Date(iso));
export const dayTime = (iso) => DAY_TIME.format(new Date(iso));

export const RUNNING = new Set(['queued', 'submitting', 'confirming', 'in_progress', 'delivering']);

const WORDS = {
  queued: 'waiting', submitting: 'submitting', confirming: 'confirming', in_progress: 'generating',
  delivering: 'delivering', completed: 'completed', failed: 'failed', cancelled: 'cancelled', expired: 'expired',
  timed_out: 'timed out', submit_unknown: 'outcome unknown',
};
export const statusWord = (status) => WORDS[status] || String(status).replaceAll('_', ' ');

// The value below which a share of sorted numbers lies.
export function quantile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}
