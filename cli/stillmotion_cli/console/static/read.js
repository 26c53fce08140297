// Read: the API's own document, each route with a form that calls it through the same signing.

import { apiDocument, send } from './api.js';
import { confirm, failure, field, fill, h } from './dom.js';
import { example, fields, words } from './schema.js';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

export default function read(main) {
  const body = h('div', {}, h('p', { class: 'muted' }, 'reading…'));
  fill(main, h('div', { class: 'page read' }, h('h1', {}, 'The API'), body));
  apiDocument().then((document_) => fill(body, ...show(document_)), (error) => fill(body, failure(error)));
  return null;
}

function show(document_) {
  const routes = Object.entries(document_.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method])
    .map((method) => ({ method, path, operation: item[method] })));
  const groups = Map.groupBy ? Map.groupBy(routes, tag) : group(routes);
  return [
    ...document_.info.description.split('\n\n').map((text) => h('p', { class: 'lead' }, text.replaceAll('`', ''))),
    ...[...groups].map(([name, list]) => h('section', { 'aria-label': name }, h('h2', {}, name), list.map((one) => route(document_, one)))),
  ];
}

const tag = ({ operation }) => operation.tags?.[0] || 'other';

function group(routes) {
  const groups = new Map();
  for (const one of routes) groups.set(tag(one), [...(groups.get(tag(one)) || []), one]);
  return groups;
}

function route(document_, { method, path, operation }) {
  const details = h('details', { class: 'route' }, h('summary', {}, h('span', { class: `method ${method}` }, method.toUpperCase()), h('code', {}, path),
    h('span', { class: 'muted' }, (operation.summary || '').replaceAll('`', ''))));
  // The parts are made when they are looked at: the document is long.
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(...parts(document_, method, path, operation));
  });
  return details;
}

function parts(document_, method, path, operation) {
  const schema = operation.requestBody?.content?.['application/json']?.schema;
  const described = schema ? fields(document_, schema) : [];
  return [
    operation.description && operation.description !== operation.summary ? h('p', {}, operation.description.replaceAll('`', '')) : null,
    described.length ? h('details', { class: 'schema' }, h('summary', {}, 'Fields of the body'), table(['Field', 'Takes', ''], described.map(([name, takes, text, required]) => [
      h('code', {}, name), takes, `${required ? 'required. ' : ''}${text}`.replaceAll('`', '')]))) : null,
    h('details', { class: 'schema' }, h('summary', {}, 'Answers'), table(['Status', 'Means', 'Is'], Object.entries(operation.responses).map(([status, answer]) => {
      const content = Object.values(answer.content || {})[0]?.schema;
      return [h('code', {}, status), answer.description || '', content ? words(document_, content) : ''];
    }))),
    tryIt(document_, method, path, operation, schema),
  ].filter(Boolean);
}

function table(heads, rows) {
  return h('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': heads[0] }, h('table', {}, h('thead', {}, h('tr', {}, heads.map((text) => h('th', { scope: 'col' }, text)))),
    h('tbody', {}, rows.map((cells) => h('tr', {}, cells.map((cell) => h('td', {}, cell)))))));
}

function tryIt(document_, method, path, operation, schema) {
  const inputs = (operation.parameters || []).map((parameter) => {
    const box = field(parameter.name, h('input', { type: 'text', autocomplete: 'off', required: parameter.required || false }), `${parameter.in}, ${words(document_, parameter.schema)}`);
    return { ...parameter, box };
  });
  const body = schema ? field('Body', h('textarea', { rows: '8', spellcheck: 'false', class: 'code' })) : null;
  if (body) body.control.value = JSON.stringify(example(document_, schema), null, 2);
  const answer = h('div', { class: 'answer', role: 'status' });
  const form = h('form', { class: 'try', 'aria-label': `Try ${method.toUpperCase()} ${path}`, novalidate: true }, h('div', { class: 'settings' }, inputs.map(({ box }) => box)), body,
    h('div', { class: 'row' }, h('button', { class: 'main', type: 'submit' }, 'Send, signed'),
      paid(method, path) ? h('span', { class: 'muted' }, 'This may cost money; dry_run = true checks only.') : null), answer);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    run(method, path, inputs, body, answer);
  });
  return form;
}

const paid = (method, path) => method === 'post' && (path === '/videos' || path === '/batches');

async function run(method, path, inputs, body, answer) {
  const given = (place) => inputs.filter((one) => one.in === place && one.box.control.value !== '').map((one) => [one.name, one.box.control.value]);
  for (const one of inputs) one.box.fault(one.required && one.box.control.value === '' ? 'Give a value.' : '');
  if (inputs.some((one) => one.required && one.box.control.value === '')) return;
  if (body) {
    try { JSON.parse(body.control.value); body.fault(''); } catch (error) { body.fault(`This is not JSON: ${error.message}`); return; }
  }
  const query = Object.fromEntries(given('query').map(([name, value]) => [name, inputs.find((one) => one.name === name && one.schema?.type === 'array') ? value.split(',').map((one) => one.trim()) : value]));
  if (paid(method, path) && query.dry_run !== 'true' && !(await confirm('Send this call?', 'It may start paid work at ModelGates.', 'Send it'))) return;
  const target = given('path').reduce((text, [name, value]) => text.replace(`{${name}}`, encodeURIComponent(value)), path);
  fill(answer, h('p', { class: 'muted' }, 'sent…'));
  const started = performance.now();
  try {
    const got = await send(method.toUpperCase(), target, { query, headers: Object.fromEntries(given('header')), body: body?.control.value });
    const kept = ['retry-after', 'location', 'idempotent-replayed'].filter((name) => got.headers.has(name)).map((name) => `${name}: ${got.headers.get(name)}`);
    fill(answer, h('p', {}, h('strong', {}, String(got.status)), h('span', { class: 'muted' }, ` ${[`${Math.round(performance.now() - started)} ms`, ...kept].join(' · ')}`)),
      h('pre', { tabIndex: 0, role: 'region', 'aria-label': 'Answer' }, got.body ? JSON.stringify(got.body, null, 2) : got.text));
  } catch (error) { fill(answer, failure(error)); }
}
