// A picture for one end of the clip: dropped, pasted or chosen, and shown as the clip will frame it.

import { upload } from './api.js';
import { h, newId, say } from './dom.js';
import { bytes } from './format.js';

// Pictures of this tab by the address they were stored at, so that a job can show what it was given.
export const given = new Map();

const KINDS = 'image/jpeg,image/png,image/webp,image/gif,image/bmp,image/avif,image/heic,.heic,.avif';

// "16:9" as a number; NaN for what is no ratio.
export function ratioOf(text) {
  const [wide, high] = String(text).split(/[:x]/).map(Number);
  return wide / high;
}

// The ratio of a model that is nearest to a picture's shape, null where the model states none.
export function nearestRatio(ratios, shape) {
  if (!ratios?.length || !shape) return null;
  const distance = (text) => Math.abs(Math.log(ratioOf(text) / shape));
  return ratios.reduce((best, one) => (distance(one) < distance(best) ? one : best));
}

// What a centred crop to `ratio` loses of a picture: the share of each side edge, of top and bottom, and of the whole.
export function lost(shape, ratio) {
  if (!shape || !Number.isFinite(ratio)) return { side: 0, top: 0, share: 0 };
  const share = shape > ratio ? 1 - ratio / shape : 1 - shape / ratio;
  return shape > ratio ? { side: share / 2, top: 0, share } : { side: 0, top: share / 2, share };
}

export class Frame {
  // `changed` hears of every change of the picture or of its address.
  constructor(name, hint, changed) {
    this.uri = null;
    this.shape = null;
    this.pixels = null;
    this.error = null;
    this.busy = false;
    this.changed = changed;
    this.name = name;
    this.input = h('input', { type: 'file', accept: KINDS, class: 'unseen', id: newId('picture') });
    this.input.addEventListener('change', () => this.take(this.input.files[0]));
    this.image = h('img', { alt: '', hidden: true });
    this.edges = h('div', { class: 'edges', hidden: true, 'aria-hidden': 'true' });
    this.empty = h('span', { class: 'empty' }, h('strong', {}, name), h('span', { class: 'muted' }, hint));
    this.picture = h('label', { class: 'drop', for: this.input.id }, this.empty, h('span', { class: 'fit' }, this.image, this.edges));
    this.note = h('p', { class: 'note muted' }, '\u00a0');
    this.remove = h('button', { class: 'quiet small', type: 'button', hidden: true, 'aria-label': `Remove the ${name.toLowerCase()}`, onclick: () => this.clear() }, 'Remove');
    this.element = h('div', { class: 'frame' }, this.input, this.picture, h('div', { class: 'under' }, this.note, this.remove));
    this.input.setAttribute('aria-label', `${name}: choose a picture`);
    this.#listen();
  }

  #listen() {
    let depth = 0;
    const over = (on) => this.picture.classList.toggle('over', on);
    this.picture.addEventListener('dragenter', () => { depth += 1; over(true); });
    this.picture.addEventListener('dragleave', () => { depth -= 1; over(depth > 0); });
    this.picture.addEventListener('dragover', (event) => event.preventDefault());
    this.picture.addEventListener('drop', (event) => {
      event.preventDefault();
      depth = 0;
      over(false);
      this.take(event.dataTransfer.files[0]);
    });
    this.input.addEventListener('focus', () => this.picture.classList.add('focus'));
    this.input.addEventListener('blur', () => this.picture.classList.remove('focus'));
  }

  get given() { return this.busy || this.uri !== null || this.error !== null; }

  clear() {
    this.#reset();
    this.input.value = '';
    this.input.focus();
    this.changed();
  }

  #reset() {
    this.stop?.abort();
    this.image.removeAttribute('src');
    Object.assign(this, { uri: null, shape: null, pixels: null, error: null, busy: false, file: null });
    this.image.hidden = this.edges.hidden = this.remove.hidden = true;
    this.empty.hidden = false;
    this.#say('\u00a0');
  }

  #say(text, bad = false) {
    this.note.textContent = text;
    this.note.classList.toggle('bad', bad);
  }

  async take(file) {
    if (!file) return;
    this.#reset();
    this.file = file;
    this.busy = true;
    this.remove.hidden = false;
    const stop = this.stop = new AbortController();
    this.#say(`uploading ${file.name || 'the picture'} (${bytes(file.size)})…`);
    this.changed();
    try {
      const [uri] = await Promise.all([upload(file, stop.signal), this.#show(file)]);
      this.uri = uri;
      if (this.image.src) given.set(uri, this.image.src);
      this.#say(this.#facts());
      say(`${this.name}: ${this.#facts()}`);
    } catch (error) {
      if (stop.signal.aborted) return;
      this.error = error.message;
      this.#say(error.message, true);
      say(`${this.name}: ${error.message}`);
    }
    if (stop.signal.aborted) return;
    this.busy = false;
    this.changed();
  }

  // Shows the picture; one that this browser cannot decode (HEIC in most) is named instead.
  async #show(file) {
    this.image.src = URL.createObjectURL(file);
    try {
      await this.image.decode();
    } catch {
      if (this.file === file) this.image.removeAttribute('src');
      return;
    }
    if (this.file !== file) return;
    this.pixels = { width: this.image.naturalWidth, height: this.image.naturalHeight };
    this.shape = this.pixels.width / this.pixels.height;
    this.image.alt = `${this.name}: ${file.name || 'pasted picture'}`;
    this.image.hidden = false;
    this.empty.hidden = true;
  }

  #facts() {
    const name = this.file.name || 'pasted picture';
    const shown = this.shape ? `${this.image.naturalWidth} × ${this.image.naturalHeight}` : 'this browser cannot show it, the stack can use it';
    return `${name}, ${shown}, ${bytes(this.file.size)}`;
  }

  // Shades what a clip of this ratio ("16:9") loses of the picture. Without a ratio nothing is known.
  frame(ratio) {
    const loss = lost(this.shape, ratio ? ratioOf(ratio) : NaN);
    this.edges.hidden = !this.shape || !ratio;
    this.edges.style.setProperty('--side', `${loss.side * 100}%`);
    this.edges.style.setProperty('--top', `${loss.top * 100}%`);
    if (!this.uri) return;
    const part = loss.share > 0.02 ? ` · ${Math.round(loss.share * 100)} % is lost at ${ratio}` : ratio ? ` · whole at ${ratio}` : '';
    this.#say(this.#facts() + part);
  }

  fault(text) {
    if (text) this.#say(text, true);
  }
}
