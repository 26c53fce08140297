// Today's spend by model: as the API counts it where it does, else added up from the records.

import { call, offers } from './api.js';

const MOST_PAGES = 5;

export function midnight(now = new Date()) {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate())).toISOString();
}

// {rows: [[model, usd, jobs]], partial}, dearest first; jobs is null where it is not known.
export async function spendToday() {
  if (await offers('/usage')) {
    try {
      const day = midnight().slice(0, 10);
      const rows = readUsage(await call('GET', '/usage', { query: { from: day, to: day, by: 'model' } }));
      if (rows) return { rows: sorted(rows), partial: false };
    } catch { /* the records say it too */ }
  }
  return fromRecords();
}

export function readUsage(usage) {
  const list = usage?.data || usage?.usage;
  if (!Array.isArray(list)) return null;
  const rows = list.map((one) => [one.model ?? one.key, Number(one.cost_usd ?? one.usd ?? one.total_usd), one.jobs ?? one.count ?? null]);
  return rows.every(([name, usd]) => typeof name === 'string' && Number.isFinite(usd)) ? rows : null;
}

async function fromRecords() {
  const found = new Map();
  let token = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await call('GET', '/videos', { query: { created_after: midnight(), limit: 100, next_token: token } });
    for (const job of answer.data) {
      const cost = job.usage?.cost_usd;
      if (typeof cost !== 'number') continue;
      const [usd, jobs] = found.get(job.model) || [0, 0];
      found.set(job.model, [usd + cost, jobs + 1]);
    }
    token = answer.next_token;
    if (!token) break;
  }
  return { rows: sorted([...found].map(([model, [usd, jobs]]) => [model, usd, jobs])), partial: Boolean(token) };
}

const sorted = (rows) => rows.sort((a, b) => b[1] - a[1]);
