// Gallery: what there is, newest first. Clips play while the pointer or the focus is on them.

import { apiDocument, call, mediaUrl } from './api.js';
import { shapeOf } from './clip.js';
import { failure, field, fill, h, select, setOptions, unload } from './dom.js';
import { dayTime, money, RUNNING, statusWord } from './format.js';
import { midnight, spendToday } from './spend.js';

const PAGE = 12;
const BATCHES = 6;
const AT_ONCE = 3;
const LONG = 3600;
const STATUSES = ['queued', 'submitting', 'in_progress', 'delivering', 'completed', 'failed', 'cancelled', 'expired', 'timed_out', 'submit_unknown'];
const STILL = matchMedia('(prefers-reduced-motion: reduce)');
const OPEN = new Set(['preparing', 'running']);

// Runs a few of many jobs at a time, in order.
class Queue {
  #waiting = [];
  #running = 0;

  add(task) { this.#waiting.push(task); this.#next(); }

  async #next() {
    if (this.#running >= AT_ONCE || !this.#waiting.length) return;
    this.#running += 1;
    try { await this.#waiting.shift()(); } finally { this.#running -= 1; this.#next(); }
  }
}

class Gallery {
  constructor() {
    this.queue = new Queue();
    this.batches = new Set();
    this.observer = new IntersectionObserver((entries) => {
      for (const entry of entries.filter((one) => one.isIntersecting)) {
        this.observer.unobserve(entry.target);
        this.queue.add(() => this.load(entry.target));
      }
    }, { rootMargin: '200px' });
    this.status = field('Status', select([['', 'All'], ...STATUSES.map((one) => [one, statusWord(one)])], ''));
    this.model = field('Model', select([['', 'All']], ''));
    this.since = field('Since', select([['', 'Ever'], ['day', 'Today (UTC)'], ['week', 'Seven days ago']], ''));
    this.batch = field('Batch', select([['', 'All']], ''));
    this.grid = h('ul', { class: 'grid' });
    this.more = h('button', { class: 'quiet', type: 'button', hidden: true, onclick: () => this.next() }, 'Show more');
    this.note = h('p', { class: 'muted', role: 'status' }, 'looking…');
    this.spend = h('section', { class: 'panel', 'aria-label': 'Spent today' }, h('h2', {}, 'Today'), h('p', { class: 'muted' }, 'adding up…'));
    this.attention = h('section', { class: 'panel', 'aria-label': 'Needs a person' }, h('h2', {}, 'Needs a person'), h('p', { class: 'muted' }, 'looking…'));
    this.progress = h('section', { class: 'panel', hidden: true, 'aria-label': 'Batches' });
    this.element = this.layout();
  }

  layout() {
    const filters = h('form', { class: 'filters', 'aria-label': 'Filters', onsubmit: (event) => event.preventDefault(), onchange: () => this.restart() },
      this.status, this.model, this.since, this.batch);
    return h('div', { class: 'page gallery' }, h('h1', { class: 'unseen' }, 'Gallery'),
      h('section', { class: 'stage', 'aria-label': 'Clips' }, filters, this.grid, h('div', { class: 'row' }, this.more, this.note)),
      h('div', { class: 'choice' }, this.spend, this.progress, this.attention));
  }

  // What is looked at first is asked for first.
  async start() {
    await this.restart();
    if (this.stopped) return;
    this.showSpend().then(() => this.stopped || this.showAttention());
    try {
      const [{ data }, document_] = await Promise.all([call('GET', '/models'), apiDocument()]);
      setOptions(this.model.control, [['', 'All'], ...data.map((one) => [one.id, one.name || one.id])]);
      const known = document_.components?.schemas?.Status?.enum || STATUSES;
      setOptions(this.status.control, [['', 'All'], ...known.map((one) => [one, statusWord(one)])]);
    } catch { /* the filters stay as they are */ }
  }

  stop() {
    this.stopped = true;
    this.observer.disconnect();
    clearTimeout(this.timer);
    unload(this.grid);
  }

  restart() {
    this.token = null;
    this.round = (this.round || 0) + 1;
    unload(this.grid);
    fill(this.grid);
    return this.next();
  }

  get query() {
    const weekAgo = new Date(Date.parse(midnight()) - 7 * 86400e3).toISOString();
    const after = { day: midnight(), week: weekAgo }[this.since.control.value];
    return { status: this.status.control.value, model: this.model.control.value, created_after: after, limit: this.batch.control.value ? 100 : PAGE, next_token: this.token };
  }

  async next() {
    const { round } = this;
    this.more.hidden = true;
    this.note.textContent = 'looking…';
    try {
      const page = await call('GET', '/videos', { query: this.query });
      if (this.stopped || round !== this.round) return;
      this.token = page.next_token;
      this.remember(page.data);
      const wanted = this.batch.control.value;
      this.grid.append(...page.data.filter((job) => !wanted || job.source?.batch_id === wanted).map((job) => this.card(job)));
      this.more.hidden = !this.token;
      const count = this.grid.children.length;
      this.note.textContent = count ? `${count} shown` : this.token ? 'None on this page; there are older ones.' : 'No jobs like this.';
    } catch (error) {
      if (round === this.round) fill(this.note, failure(error));
    }
  }

  card(job) {
    const cost = job.usage?.cost_usd;
    const name = h('span', { class: 'name' }, job.error?.message || job.model);
    const still = h('div', { class: 'still' }, h('span', { class: `state ${job.status}` }, statusWord(job.status)));
    const link = h('a', { class: 'card', href: `#watch/${job.id}` }, still,
      h('span', { class: 'caption' }, name, h('span', { class: 'muted meta' }, `${dayTime(job.created_at)} · ${typeof cost === 'number' ? money(cost) : job.model}`)));
    const item = h('li', {}, link);
    Object.assign(item, { job, still, name, link });
    this.observer.observe(item);
    return item;
  }

  // The prompt and the preview are in the record only; it is read once the card comes into view.
  async load(item) {
    if (this.stopped) return;
    let job;
    try { job = await call('GET', `/videos/${encodeURIComponent(item.job.id)}`); } catch { return; }
    if (this.stopped) return;
    if (!job.error) item.name.textContent = job.request?.prompt || job.request?.model || job.id;
    else if (job.error.provider_message) item.name.title = `ModelGates said: ${job.error.provider_message}`;
    if (job.status === 'completed' && job.video?.length) this.preview(item, job);
  }

  preview(item, job) {
    const [video] = job.video;
    const [poster, moving] = ['poster', 'preview'].map((part) => mediaUrl(job.id, 0, part));
    let start; let stop;
    if (video.poster_url && video.preview_url) {
      const image = h('img', { src: poster, alt: '', loading: 'lazy', vars: { '--shape': shapeOf(job) } });
      [start, stop] = [() => { image.src = moving; }, () => { image.src = poster; }];
      item.still.prepend(image);
    } else {
      const clip = h('video', { muted: true, loop: true, playsInline: true, preload: 'metadata', tabIndex: -1, src: mediaUrl(job.id, 0, 'video'), 'aria-hidden': 'true' });
      [start, stop] = [() => clip.play().catch(() => {}), () => { clip.pause(); clip.currentTime = 0; }];
      item.still.prepend(clip);
    }
    const begin = () => { if (!STILL.matches) start(); };
    for (const name of ['mouseenter', 'focus']) item.link.addEventListener(name, begin);
    for (const name of ['mouseleave', 'blur']) item.link.addEventListener(name, stop);
  }

  // Batches have no list of their own: those that the jobs name.
  remember(jobs) {
    const before = this.batches.size;
    for (const job of jobs) if (job.source?.batch_id) this.batches.add(job.source.batch_id);
    if (this.batches.size === before) return;
    setOptions(this.batch.control, [['', 'All'], ...[...this.batches].map((one) => [one, one])]);
    this.showBatches();
  }

  async showBatches() {
    clearTimeout(this.timer);
    const found = await Promise.all([...this.batches].slice(0, BATCHES).map((id) => call('GET', `/batches/${encodeURIComponent(id)}`).catch(() => null)));
    if (this.stopped) return;
    const shown = found.filter(Boolean);
    this.progress.hidden = !shown.length;
    fill(this.progress, h('h2', {}, 'Batches'), shown.map((batch) => {
      const { done = 0, failed = 0, skipped = 0 } = batch.counts || {};
      const text = `${done + skipped} of ${batch.items ?? '?'}${failed ? `, ${failed} failed` : ''}`;
      return h('div', { class: 'batch' }, h('div', { class: 'row spread' }, h('strong', {}, batch.id), h('span', { class: 'muted' }, `${batch.status} · ${text}`)),
        h('progress', { max: batch.items || 1, value: done + failed + skipped, 'aria-label': `Batch ${batch.id}` }),
        batch.error ? h('p', { class: 'muted' }, batch.error.message) : null);
    }));
    if (shown.some((batch) => OPEN.has(batch.status))) this.timer = setTimeout(() => this.showBatches(), 5000);
  }

  async showSpend() {
    try {
      const { rows, partial } = await spendToday();
      const total = rows.reduce((sum, [, usd]) => sum + usd, 0);
      fill(this.spend, h('h2', {}, 'Today'), h('p', { class: 'price' }, money(total)),
        rows.length ? h('dl', { class: 'facts' }, rows.map(([model, usd]) => h('div', {}, h('dt', {}, model), h('dd', {}, money(usd)))))
          : h('p', { class: 'muted' }, 'Nothing is charged yet since midnight UTC.'),
        partial ? h('p', { class: 'muted' }, 'Of the newest 500 jobs.') : null);
    } catch (error) { fill(this.spend, h('h2', {}, 'Today'), failure(error)); }
  }

  // Submits whose outcome is unknown, and jobs that have been open for long. Operators see those of everybody.
  async showAttention() {
    try {
      const known = new Set((await apiDocument()).components?.schemas?.Status?.enum || STATUSES);
      const asked = ['submit_unknown', 'confirming', ...STATUSES.filter((one) => RUNNING.has(one))].filter((one) => known.has(one));
      const pages = [];
      for (const status of asked) pages.push(await call('GET', '/videos', { query: { status, limit: 20 } }));
      const old = (job) => (Date.now() - Date.parse(job.created_at)) / 1000 > LONG;
      const jobs = pages.flatMap((page) => page.data).filter((job) => !RUNNING.has(job.status) || job.status === 'confirming' || old(job));
      fill(this.attention, h('h2', {}, 'Needs a person'),
        jobs.length ? jobs.map((job) => h('a', { class: 'line', href: `#watch/${job.id}` }, h('span', { class: `state ${job.status}` }, statusWord(job.status)),
          h('span', { class: 'name' }, job.error?.message || (old(job) ? 'open for more than an hour, perhaps orphaned' : job.model)), h('time', { class: 'muted' }, dayTime(job.created_at))))
          : h('p', { class: 'muted' }, 'No submit is unknown and no job is stuck.'));
    } catch (error) { fill(this.attention, h('h2', {}, 'Needs a person'), failure(error)); }
  }
}

export default function gallery(main) {
  const view = new Gallery();
  fill(main, view.element);
  view.start();
  return () => view.stop();
}
