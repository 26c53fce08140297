// Make: pictures, a wish, the models that can do it, the price, one button.

import { call, offers } from './api.js';
import { failure, field, fill, h, newId, say, select } from './dom.js';
import { money } from './format.js';
import { Frame } from './frames.js';
import { asQuery, asRequest, askedRatio, cheaperWishes, reasons, suggested } from './wish.js';

const NOT_ACCEPTED = new Set(['ProviderRejected', 'ProviderUnauthorized', 'ProviderOutOfCredits']);
const PAUSE = 350;
const RESOLUTIONS = ['360p', '480p', '720p', '768p', '1080p', '1K', '2K', '4K'];
const RATIOS = ['16:9', '9:16', '1:1', '4:3', '3:4', '3:2', '2:3', '21:9', '9:21'];

class Make {
  constructor() {
    this.all = null;
    this.picked = null;
    this.ready = null;
    this.attempt = null;
    this.first = new Frame('First frame', 'Drop, paste or choose a picture', () => this.changed());
    this.last = new Frame('Last frame', 'Optional', () => this.changed());
    this.controls();
    this.models = h('div', { class: 'models' });
    this.unable = h('details', { class: 'unable' }, h('summary', {}, 'None is ruled out'));
    this.price = h('output', { class: 'price', id: newId('price') }, '–');
    this.beside = h('p', { class: 'muted beside' }, '\u00a0');
    this.cheaper = h('div', { class: 'cheaper row' });
    this.problems = h('div', { class: 'problems' });
    this.button = h('button', { class: 'main', type: 'submit', 'aria-describedby': this.price.id }, 'Make the clip');
    this.element = this.layout();
    this.element.addEventListener('input', () => this.changed());
    this.element.addEventListener('submit', (event) => { event.preventDefault(); this.submit(); });
  }

  controls() {
    this.prompt = field('Prompt', h('textarea', { rows: '3', maxlength: '10000', placeholder: 'What happens in the clip' }));
    this.duration = field('Duration', h('input', { type: 'number', min: '1', max: '600', step: '1', value: '4', inputmode: 'numeric' }), 'seconds');
    this.resolution = field('Resolution', select([['', 'The model’s own'], ...RESOLUTIONS.map((one) => [one, one])], '720p'));
    this.ratio = field('Shape', select([['', 'As the picture'], ...RATIOS.map((one) => [one, one])], ''));
    this.seed = field('Seed', h('input', { type: 'number', min: '0', step: '1', inputmode: 'numeric', placeholder: 'any' }));
    this.sound = field('Sound', select([['false', 'None'], ['true', 'With sound']], 'false'));
    this.fields = { prompt: this.prompt, duration: this.duration, resolution: this.resolution, aspect_ratio: this.ratio, seed: this.seed, generate_audio: this.sound };
  }

  layout() {
    const settings = h('div', { class: 'settings' }, this.duration, this.resolution, this.ratio, this.sound, this.seed);
    const left = h('section', { class: 'stage', 'aria-label': 'Pictures and prompt' },
      h('div', { class: 'frames' }, this.first.element, this.last.element), this.prompt, settings);
    const right = h('section', { class: 'choice', 'aria-label': 'Models' },
      h('fieldset', {}, h('legend', {}, 'Model'), this.models), this.unable);
    const bar = h('div', { class: 'bar' },
      h('div', { class: 'figures' }, h('div', { class: 'row' }, this.price, this.cheaper), this.beside), this.button);
    return h('form', { class: 'page make', novalidate: true, 'aria-label': 'Make a clip' },
      h('h1', { class: 'unseen' }, 'Make a clip'), left, right, this.problems, bar);
  }

  get wish() {
    const number = (box) => (box.control.value === '' ? null : Number(box.control.value));
    const frames = [this.first.given && 'first_frame', this.last.given && 'last_frame'].filter(Boolean);
    return {
      frames: frames.length ? frames : ['first_frame'],
      duration: number(this.duration),
      resolution: this.resolution.control.value || null,
      ratio: this.ratio.control.value || null,
      audio: this.sound.control.value === 'true',
      seed: number(this.seed),
      picture: this.first.pixels || this.last.pixels,
    };
  }

  leave() {
    clearTimeout(this.timer);
    this.running?.abort();
  }

  changed() {
    this.leave();
    this.ready = null;
    this.button.setAttribute('aria-disabled', 'true');
    this.timer = setTimeout(() => this.refresh(), PAUSE);
  }

  async refresh() {
    const { signal } = this.running = new AbortController();
    const wish = this.wish;
    try {
      this.all ||= (await call('GET', '/models', { signal })).data;
      const offered = await call('GET', '/models', { query: asQuery(wish), signal });
      const able = offered.data.filter((model) => !reasons(model, { ...wish, duration: null, resolution: null, ratio: null }).length);
      const chosen = able.find((model) => model.id === this.picked) || able.find((model) => model.id === suggested(able, offered.choice?.model, wish));
      this.showModels(able, chosen, wish);
      const ratio = chosen ? askedRatio(wish, chosen, this.first.shape || this.last.shape) : wish.ratio;
      this.first.frame(ratio);
      this.last.frame(ratio);
      await this.check(wish, chosen, ratio, signal);
    } catch (error) {
      if (signal.aborted) return;
      this.showPrice(null, '\u00a0');
      fill(this.problems, failure(error));
    }
  }

  showModels(able, chosen, wish) {
    const focused = document.activeElement?.name === 'model' ? document.activeElement.value : null;
    fill(this.models, able.length ? able.map((model) => this.model(model, chosen)) : h('p', { class: 'muted' }, 'No model can do all of this. Below is why.'));
    const others = this.all.filter((model) => !able.some((one) => one.id === model.id));
    fill(this.unable, h('summary', {}, others.length ? `${others.length} cannot do this` : 'None is ruled out'),
      h('ul', {}, others.map((model) => h('li', {}, h('strong', {}, model.name || model.id), ' ',
        h('span', { class: 'muted' }, reasons(model, wish).join('; ') || 'does not offer this')))));
    this.models.querySelector(`input[value="${CSS.escape(focused || '')}"]`)?.focus();
  }

  model(model, chosen) {
    const radio = h('input', { type: 'radio', name: 'model', value: model.id });
    radio.checked = model.id === chosen?.id;
    radio.addEventListener('change', () => { this.picked = model.id; });
    const cost = model.estimated_cost_usd === null ? h('span', { class: 'muted' }, 'not stated') : money(model.estimated_cost_usd);
    const id = model.name && model.name !== model.id ? h('span', { class: 'muted id' }, model.id) : null;
    return h('label', { class: 'model' }, radio, h('span', { class: 'name' }, model.name || model.id, id), h('span', { class: 'cost' }, cost));
  }

  // A dry run of exactly what the button would submit.
  async check(wish, model, ratio, signal) {
    this.clearFaults();
    if (!model) { this.showPrice(null, 'No model can do all of this.'); return; }
    const frames = [['first_frame', this.first.uri], ['last_frame', this.last.uri]].filter(([, uri]) => uri);
    const missing = this.missing(frames);
    if (missing) { this.showPrice(model, missing); return; }
    const request = asRequest(wish, model, ratio, frames, this.prompt.control.value.trim());
    try {
      const checked = await call('POST', '/videos', { query: { dry_run: 'true' }, body: request, repeat: true, signal });
      const limit = await dayLimit(signal);
      // What has been changed meanwhile is checked by itself: the button must never submit what is no longer shown.
      if (signal.aborted) return;
      this.showPrice({ ...model, ...checked }, limit || 'Checked; nothing is paid yet.');
      fill(this.problems, checked.warnings.map((text) => h('p', { class: 'warning' }, named(text, frames))));
      this.ready = request;
      this.button.setAttribute('aria-disabled', 'false');
      await this.suggest(model, wish, checked.estimated_cost_usd, signal).catch(() => {}); // only what is cheaper is missing
    } catch (error) {
      if (signal.aborted) throw error;
      this.showPrice(model, 'It cannot be submitted like this.');
      this.showFaults(error);
    }
  }

  missing(frames) {
    if (this.first.busy || this.last.busy) return 'The picture is being uploaded…';
    if (this.first.error || this.last.error) return 'A picture cannot be used. Choose another one.';
    return frames.length ? null : 'Choose a picture first.';
  }

  showPrice(model, words) {
    const price = model?.price;
    this.price.textContent = model ? money(model.estimated_cost_usd) : '–';
    this.beside.textContent = words;
    this.beside.title = price?.reason || '';
    const notes = (price?.open || []).map((text) => h('span', { class: 'muted' }, text));
    fill(this.cheaper, notes);
  }

  // What would make it cheaper, each as a button that asks for it.
  async suggest(model, wish, cost, signal) {
    const found = [];
    for (const other of cheaperWishes(model, wish)) {
      const offered = (await call('GET', '/models', { query: asQuery(other.wish), signal })).data;
      const price = offered.find((one) => one.id === model.id)?.estimated_cost_usd;
      if (price !== null && price !== undefined && cost !== null && price < cost) {
        found.push(h('button', { class: 'quiet small', type: 'button', onclick: () => this.take(other.change) }, `${other.words}: ${money(price)}`));
      }
    }
    if (found.length) this.cheaper.append(h('span', { class: 'muted' }, 'Cheaper:'), ...found);
  }

  take(change) {
    if ('duration' in change) this.duration.control.value = change.duration;
    if ('resolution' in change) this.resolution.control.value = change.resolution;
    if ('audio' in change) this.sound.control.value = String(change.audio);
    this.changed();
  }

  clearFaults() {
    for (const box of Object.values(this.fields)) box.fault('');
    fill(this.problems);
  }

  // Each fault beside what it is about; all of them in words below.
  showFaults(error) {
    for (const { pointer = '', detail } of error.errors || []) {
      const [, name, index] = pointer.split('/');
      if (name === 'frame_images') {
        const given = [this.first, this.last].filter((frame) => frame.uri);
        given[Number(index) || 0]?.fault(detail);
      } else this.fields[name]?.fault(detail);
    }
    fill(this.problems, failure(error));
  }

  async submit() {
    if (!this.ready || this.busy) {
      say(this.beside.textContent);
      return;
    }
    const text = JSON.stringify(this.ready);
    // The same wish keeps its key until it has been accepted, so that a lost answer is never paid for twice.
    if (this.attempt?.text !== text) this.attempt = { text, key: `console-${crypto.randomUUID()}` };
    this.busy = true;
    this.button.textContent = 'Submitting…';
    try {
      const job = await call('POST', '/videos', { body: text, headers: { 'Idempotency-Key': this.attempt.key }, repeat: true });
      this.attempt = null;
      location.hash = `#watch/${job.id}`;
    } catch (error) {
      if (error.job) {
        // Nothing was submitted: the same wish is a new job the next time. What may have been paid keeps its key.
        if (NOT_ACCEPTED.has(error.code)) this.attempt = null;
        location.hash = `#watch/${error.job}`;
      }
      this.showFaults(error);
    } finally {
      this.busy = false;
      this.button.textContent = 'Make the clip';
    }
  }

  paste(event) {
    const file = [...event.clipboardData.files].find((one) => one.type.startsWith('image/'));
    if (!file) return;
    event.preventDefault();
    (this.first.given ? this.last : this.first).take(file);
  }
}

// A sentence of the API with the names of the page in place of pointers into the request.
function named(text, frames) {
  const words = { first_frame: 'The first frame', last_frame: 'The last frame' };
  return text.replace(/#?\/frame_images\/(\d)(\/image_url(\/url)?)?/g, (pointer, index) => words[frames[index]?.[0]] || pointer);
}

// The caller's limit of the day in words, else the stack's, where this stack's API has it.
async function dayLimit(signal) {
  if (!(await offers('/limits'))) return null;
  try {
    const limits = await call('GET', '/limits', { signal });
    if (limits.stopped) return 'An operator has stopped all spending.';
    const own = limits.caller.daily_usd === null ? limits.stack : limits.caller;
    if (!own || own.daily_usd === null) return null;
    return `Today ${money(Number(own.spent_usd))} of ${money(Number(own.daily_usd))} are spent.`;
  } catch { return null; }
}

let kept = null;

export default function make(main) {
  kept ||= new Make();
  const paste = (event) => kept.paste(event);
  const ignore = (event) => event.preventDefault();
  document.addEventListener('paste', paste);
  // A picture that misses its place must not replace the page.
  addEventListener('dragover', ignore);
  addEventListener('drop', ignore);
  fill(main, kept.element);
  kept.changed();
  return () => {
    kept.leave();
    document.removeEventListener('paste', paste);
    removeEventListener('dragover', ignore);
    removeEventListener('drop', ignore);
  };
}
