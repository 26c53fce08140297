// The areas, by the part of the address after #. Each is a function that fills <main> and may return how to leave it.

import { leaveArea, open } from './api.js';
import { failure, fill, h } from './dom.js';
import gallery from './gallery.js';
import make from './make.js';
import read from './read.js';
import watch from './watch.js';

const AREAS = { make, watch, gallery, read };
const TITLES = { make: 'Make', watch: 'Watch', gallery: 'Gallery', read: 'Read' };
const main = document.getElementById('main');
let stack = null;
let leave = null;

function decoded(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function show() {
  // The link past the navigation; on a page that is opened with it, there is nothing yet.
  if (location.hash === '#main' && main.hasChildNodes()) {
    main.focus();
    return;
  }
  const [area, ...rest] = location.hash.slice(1).split('/').map(decoded);
  const name = Object.hasOwn(AREAS, area) ? area : 'make';
  leave?.();
  for (const dialog of document.querySelectorAll('dialog')) dialog.close('no');
  leaveArea();
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${TITLES[name]} · Stillmotion`;
  scrollTo(0, 0);
  fill(main);
  leave = AREAS[name](main, rest, stack) || null;
}

try {
  stack = await open();
  document.getElementById('stack').textContent = `${stack.name} · ${stack.region}`;
  addEventListener('hashchange', show);
  show();
} catch (error) {
  fill(main, h('div', { class: 'page narrow' }, failure(error)));
}
