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
      const usage = await call('GET', '/usage', { query: { from: day, to: day, by: 'model' } });
      return { rows: sorted(readUsage(usage)), partial: usage.next_token !== null };
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      // The records say it too.
    }
  }
  return fromRecords();
}

// One page of GET /usage by model: what was charged, is reserved, or may have cost.
export function readUsage(usage) {
  return usage.data.map((one) => [
    one.key,
    Number(one.charged_usd) + Number(one.reserved_usd) + Number(one.may_have_cost_usd),
    one.jobs,
  ]);
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
