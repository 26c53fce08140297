// What a record says of its clip: shape, likeness, facts. Older stacks inspect nothing, so all of it may be missing.

import { copyable, h } from './dom.js';
import { bytes } from './format.js';

const NAMES = {
  container: 'Container', codec: 'Codec', pixel_format: 'Pixels', frames: 'Frames', fps: 'Frames a second',
  sound: 'Sound', faststart: 'Plays while loading', decodes_to_end: 'Decodes to the end', framing: 'Framing',
};

// The inspection of one output, wherever the record has it; null where there is none.
export function inspectionOf(job, output) {
  const video = job.video?.[output] || {};
  const whole = job.inspection;
  const one = video.inspection || whole?.videos?.[output] || (Array.isArray(whole) ? whole[output] : output === 0 ? whole : null);
  return one && typeof one === 'object' ? one : null;
}

// Width by height of the clip, for the space that is kept for it before it is there.
export function shapeOf(job, output = 0) {
  const facts = inspectionOf(job, output)?.facts;
  const asked = job.request || {};
  const [wide, high] = facts?.width ? [facts.width, facts.height] : String(asked.size || asked.aspect_ratio || '16:9').split(/[x:]/).map(Number);
  return wide > 0 && high > 0 ? `${wide} / ${high}` : '16 / 9';
}

export function likeness(inspection) {
  const found = inspection?.likeness;
  const list = Array.isArray(found) ? found : Object.entries(found || {}).map(([frame, one]) => ({ frame, ...one }));
  if (!list.length) return null;
  return h('ul', { class: 'likeness' }, list.map((one) => {
    const name = one.frame === 'last_frame' ? 'Last frame' : 'First frame';
    if (one.problem) return h('li', {}, h('strong', {}, name), h('span', { class: 'muted' }, one.problem));
    const figures = [one.psnr_db !== undefined && `${one.psnr_db.toFixed(1)} dB`, one.ssim !== undefined && `SSIM ${one.ssim.toFixed(3)}`,
      one.lost_share > 0.02 && `${Math.round(one.lost_share * 100)} % of the picture cropped`];
    return h('li', {}, h('strong', {}, name), h('span', {}, figures.filter(Boolean).join(' · ')));
  }));
}

export function facts(job, output) {
  const video = job.video[output];
  const found = inspectionOf(job, output)?.facts || {};
  const rows = [['Size', bytes(video.bytes)], ['Type', video.content_type]];
  if (found.width) rows.push(['Shape', `${found.width} × ${found.height}`]);
  if (found.duration_seconds) rows.push(['Length', `${found.duration_seconds.toFixed(2)} s`]);
  if (found.bit_rate) rows.push(['Bit rate', `${(found.bit_rate / 1e6).toFixed(1)} Mbit/s`]);
  for (const [name, label] of Object.entries(NAMES)) {
    const value = found[name];
    if (value === undefined || (value === null && name !== 'sound')) continue;
    rows.push([label, value === null ? 'none' : value === true ? 'yes' : value === false ? 'no' : String(value)]);
  }
  return h('dl', { class: 'facts' }, rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
}

// What there is to copy: addresses and commands.
export function copies(job, output, stack) {
  const video = job.video[output];
  const name = `${job.id}${output ? `-${output}` : ''}.mp4`;
  const options = stack.options ? ` ${stack.options}` : '';
  return h('div', { class: 'copies' },
    video.s3_uri && copyable('S3 address', video.s3_uri),
    video.url && copyable('Presigned link', video.url),
    video.url && copyable('curl', `curl -fL -o ${name} '${video.url}'`),
    copyable('Terminal', `stillmotion download ${job.id} -o ${name}${options}`));
}
