// Watch: one job from its submit to the clip that plays.

import { call, mediaUrl } from './api.js';
import { copies, facts, inspectionOf, likeness, shapeOf } from './clip.js';
import { confirm, failure, field, fill, h, say, unload } from './dom.js';
import { clock, dayTime, money, quantile, RUNNING, secondsBetween, statusWord, time } from './format.js';
import { given } from './frames.js';

const STEPS = [
  ['queued', 'Submitted'], ['submitting', 'Waiting for ModelGates'], ['in_progress', 'Generating'],
  ['delivering', 'Delivering'], ['completed', 'Stored'],
];
const ORDER = { queued: 1, submitting: 1, confirming: 1, in_progress: 2, delivering: 3, completed: 5 };
const INSPECTED_WITHIN = 60;

class Watch {
  constructor(id, stack) {
    this.id = id;
    this.stack = stack;
    this.seen = {};
    this.status = h('p', { class: 'status' }, 'looking…');
    this.title = h('h1', { class: 'prompt' }, '\u00a0');
    this.stage = h('div', { class: 'clip' });
    this.below = h('div', { class: 'below' });
    this.timeline = h('ol', { class: 'timeline' });
    this.times = h('p', { class: 'muted' }, '\u00a0');
    this.trouble = h('p', { class: 'warning', role: 'status' });
    this.actions = h('div', { class: 'row actions' });
    this.facts = h('div', { class: 'aside' });
    this.element = h('div', { class: 'page watch' },
      h('section', { class: 'stage', 'aria-label': 'Clip' }, this.stage, this.below),
      h('section', { class: 'choice', 'aria-label': 'Job' }, this.status, this.title, this.timeline, this.times, this.trouble, this.actions, this.facts));
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.ticking);
    unload(this.stage);
  }

  async refresh() {
    clearTimeout(this.timer);
    try {
      const answer = await call('GET', `/videos/${encodeURIComponent(this.id)}`, { whole: true });
      if (this.stopped) return;
      this.trouble.textContent = '';
      this.show(answer.body);
      const usual = this.inspecting ? 2 : 5;
      const pause = Math.min(Math.max(Number(answer.headers.get('Retry-After') || usual), 1), 60);
      if (this.unfinished) this.timer = setTimeout(() => this.refresh(), pause * 1000);
    } catch (error) {
      if (this.stopped) return;
      if (this.job && (error.status === 0 || error.status >= 500 || error.status === 429)) {
        this.trouble.textContent = `${error.message} Trying again.`;
        this.timer = setTimeout(() => this.refresh(), 5000);
      } else fill(this.below, failure(error));
    }
  }

  get unfinished() { return RUNNING.has(this.job.status) || this.inspecting; }

  // An inspection follows the clip within moments. A stack may also make none, which its records do not say.
  get inspecting() {
    const { job } = this;
    return job.status === 'completed' && !inspectionOf(job, 0)
      && secondsBetween(job.completed_at, new Date()) < INSPECTED_WITHIN;
  }

  show(job) {
    const before = this.job?.status;
    this.job = job;
    this.seen[job.status] ||= job.updated_at;
    if (before !== job.status) {
      fill(this.status, h('span', { class: `state ${job.status}` }, statusWord(job.status)), h('code', {}, job.id));
      if (before) say(`The job is ${statusWord(job.status)}.`);
      this.showActions();
    }
    this.title.textContent = job.request?.prompt || job.request?.model || job.id;
    document.title = `${statusWord(job.status)} · Stillmotion`;
    this.showTimeline();
    this.showStage();
    if (!this.history) this.showHistory();
    else this.showTimes();
    fill(this.facts, this.summary());
  }

  showTimeline() {
    const { job } = this;
    const ended = !RUNNING.has(job.status);
    const reached = ORDER[job.status] ?? this.reachedBefore();
    const items = STEPS.map(([status, label], index) => {
      const state = index < reached ? 'done' : index === reached && !ended ? 'now' : 'open';
      const at = index === 0 ? job.created_at : status === 'completed' ? job.completed_at : this.seen[status];
      return this.step(state, label, state === 'open' ? null : at);
    });
    if (ended && job.status !== 'completed') items.push(this.step('bad', statusWord(job.status), job.completed_at || job.updated_at));
    if (inspectionOf(job, 0)) items.push(this.step('done', 'Inspected', job.inspection.inspected_at));
    else if (this.inspecting) items.push(this.step('now', 'Inspecting', null));
    fill(this.timeline, items);
  }

  step(state, label, at) {
    const words = { done: 'done', now: 'now', open: 'not yet', bad: 'ended' };
    return h('li', { class: state, 'aria-current': state === 'now' ? 'step' : null }, h('span', {}, label),
      h('span', { class: 'unseen' }, `, ${words[state]}`), h('time', { class: 'muted' }, at ? time(at) : ''));
  }

  // How far a job got that has ended without a clip.
  reachedBefore() { return this.job.provider?.job_id ? 3 : 1; }

  showStage() {
    const { job } = this;
    if (this.staged === job.status && !(job.status === 'completed' && this.inspected !== Boolean(inspectionOf(job, 0)))) return;
    this.inspected = Boolean(inspectionOf(job, 0));
    if (job.status === 'completed' && job.video?.length) {
      if (this.staged !== 'completed') {
        fill(this.stage, job.video.map((video, output) => this.player(video, output)));
      }
      fill(this.below, job.video.map((video, output) => this.about(output)));
    } else {
      fill(this.stage, h('div', { class: 'waiting', vars: { '--shape': shapeOf(job) } },
        this.picture(), RUNNING.has(job.status) ? h('span', { class: 'pulse', 'aria-hidden': 'true' }) : null,
        h('p', {}, RUNNING.has(job.status) ? 'The clip appears here.' : 'There is no clip.')));
      fill(this.below, job.error ? this.why(job.error) : null);
    }
    this.staged = job.status;
  }

  // The picture it was made of, where it was chosen in this tab.
  picture() {
    const frames = this.job.request?.frame_images || [];
    const source = given.get((frames.find((one) => one.frame_type === 'first_frame') || frames[0])?.image_url?.url);
    return source ? h('img', { src: source, alt: 'The first frame' }) : null;
  }

  player(video, output) {
    if (video.url === null) return h('div', { class: 'waiting', vars: { '--shape': shapeOf(this.job, output) } }, h('p', {}, 'There is no link to the clip.'));
    const player = h('video', { controls: true, playsInline: true, loop: true, preload: 'metadata', vars: { '--shape': shapeOf(this.job, output) },
      src: mediaUrl(this.id, output, 'video'), 'aria-label': `The clip: ${this.job.request?.prompt || this.id}` });
    if (video.poster_url) player.poster = mediaUrl(this.id, output, 'poster');
    return player;
  }

  about(output) {
    const { job } = this;
    const inspection = inspectionOf(job, output);
    const warnings = [...(inspection?.warnings || []), inspection?.problem, job.video[output].url_reason].filter(Boolean);
    return h('div', { class: 'about' },
      warnings.map((text) => h('p', { class: 'warning' }, text)),
      likeness(inspection), facts(job, output), copies(job, output, this.stack),
      h('div', { class: 'row' }, h('a', { class: 'button', href: `${mediaUrl(job.id, output, 'video')}?download` }, 'Save the clip')));
  }

  // The record's own words: what happened and what to do.
  why(error) {
    return h('div', { class: 'failure' }, h('strong', {}, `${statusWord(this.job.status)}: ${error.code}`), h('p', {}, error.message),
      error.provider_message ? h('p', { class: 'muted' }, `ModelGates said: ${error.provider_message}`) : null,
      (error.faults || []).length ? h('ul', {}, error.faults.map((fault) => h('li', {}, `${fault.pointer} ${fault.detail}`))) : null);
  }

  summary() {
    const { job } = this;
    const { request = {} } = job;
    const rows = [['Model', request.model], ['Cost', this.cost()],
      ['Asked for', [request.duration && `${request.duration} s`, request.resolution, request.aspect_ratio || request.size,
        request.generate_audio ? 'sound' : null, request.seed !== undefined ? `seed ${request.seed}` : null].filter(Boolean).join(', ')],
      ['Submitted', dayTime(job.created_at)], ['Source', [job.source?.type, job.source?.batch_id].filter(Boolean).join(' ')],
      ...Object.entries(job.metadata || {})];
    return [
      h('dl', { class: 'facts' }, rows.filter(([, value]) => value).map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))),
      (job.warnings || []).map((text) => h('p', { class: 'warning' }, text)),
    ].flat();
  }

  // What was charged; what may be charged as long as that is open; a dash where ModelGates never took the job.
  cost() {
    const { usage = {}, provider = {}, status, estimated_cost_usd: most } = this.job;
    if (usage.cost_usd !== undefined && usage.cost_usd !== null) return money(usage.cost_usd);
    const open = RUNNING.has(status) || status === 'submit_unknown' || provider.job_id;
    return open && most !== undefined && most !== null ? `at most ${money(most)}` : '–';
  }

  // How long this model's own jobs took, and how long this one has been at it.
  async showHistory() {
    this.history = [];
    this.showTimes();
    try {
      const page = await call('GET', '/videos', { query: { status: 'completed', model: this.job.request.model, limit: 100 } });
      this.history = page.data.filter((one) => one.completed_at && one.id !== this.id)
        .map((one) => secondsBetween(one.created_at, one.completed_at)).sort((a, b) => a - b);
    } catch { /* only an estimate is missing */ }
    this.showTimes();
  }

  showTimes() {
    const { job, history } = this;
    const ended = !RUNNING.has(job.status);
    const took = secondsBetween(job.created_at, ended ? job.completed_at || job.updated_at : new Date());
    const before = history.length
      ? ` This model’s last ${history.length === 1 ? 'one took' : `${history.length} took ${clock(quantile(history, 0.5))} (median), nine in ten within`} ${clock(quantile(history, 0.9))}.` : '';
    this.times.textContent = `${clock(took)} ${ended ? 'in all' : 'so far'}.${before}`;
    clearTimeout(this.ticking);
    if (!ended && !this.stopped) this.ticking = setTimeout(() => this.showTimes(), 1000);
  }

  showActions() {
    const { job } = this;
    const button = (label, action) => h('button', { class: 'quiet', type: 'button', onclick: action }, label);
    fill(this.actions,
      RUNNING.has(job.status) && button('Cancel', () => this.cancel()),
      job.resumable && button('Resume', () => this.act('POST', '/resume')),
      job.status === 'submit_unknown' && this.settle());
  }

  async cancel() {
    if (await confirm('Cancel this job?', 'ModelGates has no cancel call: it may finish the clip and charge for it all the same.', 'Cancel the job')) {
      await this.act('DELETE', '');
    }
  }

  // For operators: what became of a submit that got no answer.
  settle() {
    const id = field('ModelGates’ id of the job', h('input', { type: 'text', maxlength: '256', autocomplete: 'off' }));
    return h('form', { class: 'settle', onsubmit: (event) => { event.preventDefault(); if (id.control.value.trim()) this.act('POST', '/settle', { provider_job_id: id.control.value.trim() }); } },
      h('p', {}, 'ModelGates gave no answer to the paid call. Look for the job in your ModelGates account.'), id,
      h('div', { class: 'row' }, h('button', { class: 'main', type: 'submit' }, 'It is there: adopt it'),
        h('button', { class: 'quiet', type: 'button', onclick: () => this.giveUp() }, 'It is not: give it up')));
  }

  async giveUp() {
    if (await confirm('Give this job up?', 'It ends as failed, and its estimate stays counted in the day’s spending: ModelGates may have charged it.', 'Give it up')) {
      await this.act('POST', '/settle', { abandon: true });
    }
  }

  async act(method, path, body) {
    try {
      await call(method, `/videos/${encodeURIComponent(this.id)}${path}`, { body });
      this.staged = null;
      await this.refresh();
    } catch (error) {
      fill(this.below, failure(error));
    }
  }
}

// Without an id: what there is to watch.
async function choose(main) {
  const list = h('div', { class: 'list' }, h('p', { class: 'muted' }, 'looking…'));
  fill(main, h('div', { class: 'page narrow' }, h('h1', {}, 'Watch'), list));
  try {
    const { data } = await call('GET', '/videos', { query: { limit: 12 } });
    fill(list, data.length ? data.map((job) => h('a', { class: 'line', href: `#watch/${job.id}` },
      h('span', { class: `state ${job.status}` }, statusWord(job.status)), h('span', { class: 'name' }, job.model),
      h('time', { class: 'muted' }, dayTime(job.created_at))))
      : h('p', {}, 'There are no jobs yet. ', h('a', { href: '#make' }, 'Make the first clip.')));
  } catch (error) { fill(list, failure(error)); }
}

export default function watch(main, [id], stack) {
  if (!id) { choose(main); return null; }
  const view = new Watch(id, stack);
  fill(main, view.element);
  view.refresh();
  return () => view.stop();
}
