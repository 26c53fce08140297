// Elements from plain calls. Text always goes in as text, so nothing that the API says becomes markup.

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else if (name === 'vars') for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else if (name in element && typeof value !== 'string') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

// Ends what pictures and clips are still loading: a browser goes on with those that are no longer shown.
export function unload(element) {
  for (const one of element.querySelectorAll('img, video')) {
    one.removeAttribute('src');
    one.load?.();
  }
}

// Says something to a screen reader without moving the page.
export function say(text) {
  document.getElementById('live').textContent = text;
}

let counter = 0;
export const newId = (name) => `${name}-${(counter += 1)}`;

// A label above a control, a place for its fault below, both tied to it.
export function field(label, control, hint) {
  const id = control.id || newId('field');
  const fault = h('p', { class: 'fault', id: `${id}-fault` });
  control.id = id;
  control.setAttribute('aria-describedby', `${id}-fault`);
  const box = h('div', { class: 'field' },
    h('label', { for: id }, label, hint ? h('span', { class: 'muted' }, ` ${hint}`) : null), control, fault);
  box.fault = (text) => {
    fault.textContent = text || '';
    control.setAttribute('aria-invalid', text ? 'true' : 'false');
  };
  box.control = control;
  return box;
}

export function select(options, value) {
  const element = h('select');
  setOptions(element, options, value);
  return element;
}

// Puts [value, label] pairs in, and keeps what was chosen where it is still there.
export function setOptions(element, options, value = element.value) {
  fill(element, options.map(([one, label]) => h('option', { value: one }, label)));
  element.value = options.some(([one]) => one === value) ? value : options[0]?.[0] ?? '';
}

export function copyable(label, text) {
  const button = h('button', { class: 'quiet small', type: 'button', 'aria-label': `Copy ${label}` }, 'Copy');
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = 'Copied';
    say(`${label} is copied.`);
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
  return h('div', { class: 'copyable' }, h('span', { class: 'muted' }, label), h('code', { title: text }, text), button);
}

// Asks before something that cannot be taken back. Resolves to whether it was wanted.
export function confirm(title, text, action) {
  return new Promise((resolve) => {
    const dialog = h('dialog', { 'aria-label': title },
      h('h2', {}, title), h('p', {}, text),
      h('div', { class: 'row end' },
        h('button', { class: 'quiet', type: 'button', onclick: () => dialog.close('no') }, 'Go back'),
        h('button', { class: 'main', type: 'button', onclick: () => dialog.close('yes') }, action)));
    dialog.addEventListener('close', () => { dialog.remove(); resolve(dialog.returnValue === 'yes'); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

// What went wrong, in the words it came with.
export function failure(error) {
  const faults = (error.errors || []).map((fault) => h('li', {}, `${fault.pointer} ${fault.detail}`));
  return h('div', { class: 'failure', role: 'alert' },
    h('strong', {}, error.title || 'That did not work'),
    h('p', {}, error.message),
    faults.length ? h('ul', {}, faults) : null,
    error.provider ? h('p', { class: 'muted' }, `ModelGates said: ${error.provider}`) : null,
    error.code ? h('p', { class: 'muted' }, h('code', {}, error.code)) : null);
}
