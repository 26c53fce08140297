// The stack's API through the console's server, which signs. The token lives in this tab only.

const KEPT = 'stillmotion-token';
const RETRIED = new Set([429, 502, 503, 504]);
let token = null;
let mediaKey = null;
let document_ = null;
let area = new AbortController();

export class ApiError extends Error {
  constructor(status, problem, retryAfter) {
    super(problem.detail || problem.message || problem.title || `The answer was ${status}.`);
    this.status = status;
    this.code = problem.code;
    this.title = problem.title;
    this.errors = problem.errors || [];
    this.provider = problem.provider_message;
    this.job = problem.instance?.split('/').pop();
    this.retryAfter = retryAfter;
  }
}

// Exchanges what the address brought, or what this tab had, for the token. Returns what is known of the stack.
export async function open() {
  const given = new URLSearchParams(location.hash.slice(1));
  // Kept before it is exchanged, so that a page that is reloaded meanwhile still has it.
  if (given.has('token')) sessionStorage.setItem(KEPT, given.get('token'));
  const key = given.get('token') || given.get('code') || sessionStorage.getItem(KEPT);
  if (given.has('token') || given.has('code')) history.replaceState(null, '', `${location.pathname}#make`);
  if (!key) throw new ApiError(401, { title: 'The page has no token', detail: 'Open the address that the terminal printed.', code: 'NoToken' });
  const answer = await fetch('/session', { method: 'POST', headers: { 'X-Stillmotion-Token': key } });
  const known = await answer.json();
  if (!answer.ok) {
    sessionStorage.removeItem(KEPT);
    throw new ApiError(answer.status, known);
  }
  [token, mediaKey] = [known.token, known.media_key];
  sessionStorage.setItem(KEPT, token);
  return known.stack;
}

// Ends what the area that is left still reads: a browser has six connections to this server, and the next area needs them.
export function leaveArea() {
  area.abort();
  area = new AbortController();
}

// Only what reads may end early; who has asked for something to be done hears what became of it.
const untilLeft = (method) => (method === 'GET' ? area.signal : null);

// One call. Returns {status, body, text, headers} whatever the status is.
export async function send(method, path, { query, body, headers, signal = untilLeft(method) } = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query || {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== '') search.append(name, one);
    }
  }
  const sent = { 'X-Stillmotion-Token': token, ...headers };
  if (body !== undefined) sent['Content-Type'] = 'application/json';
  const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(`/api${path}${search.size ? `?${search}` : ''}`, { method, body: content, headers: sent, signal });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, { title: 'The console has ended', detail: 'Its server does not answer. Start it again in the terminal: stillmotion console', code: 'NoAnswer' });
  }
  const text = await answer.text();
  let parsed = null;
  try { parsed = JSON.parse(text); } catch { /* not JSON: the caller shows the text */ }
  return { status: answer.status, body: parsed, text, headers: answer.headers };
}

// One call's document. Reads are repeated a few times where the API asks for patience.
export async function call(method, path, given = {}) {
  const options = { signal: untilLeft(method), ...given };
  for (let attempt = 1; ; attempt += 1) {
    const answer = await send(method, path, options);
    if (answer.status >= 200 && answer.status < 300 && answer.body) return options.whole ? answer : answer.body;
    const wait = Number(answer.headers.get('Retry-After') || attempt);
    const repeat = (method === 'GET' || options.repeat) && RETRIED.has(answer.status) && answer.body?.code !== 'NoCredentials';
    if (!repeat || attempt === 3 || wait > 10) {
      throw new ApiError(answer.status, answer.body || { detail: answer.text.slice(0, 300) || `HTTP ${answer.status}` }, wait);
    }
    await new Promise((resolve) => { setTimeout(resolve, wait * 1000); });
  }
}

// A picture into the input bucket. Returns its s3:// address.
export async function upload(file, signal) {
  let answer;
  try {
    answer = await fetch('/upload', { method: 'POST', body: file, headers: { 'X-Stillmotion-Token': token, 'Content-Type': 'application/octet-stream' }, signal });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, { title: 'The picture could not be sent', detail: 'The file may have been changed or the console may have ended. Choose it again.', code: 'NoAnswer' });
  }
  const body = await answer.json();
  if (!answer.ok) throw new ApiError(answer.status, body);
  return body.s3_uri;
}

export const mediaUrl = (id, output, part) => `/media/${mediaKey}/${encodeURIComponent(id)}/${output}/${part}`;

// The API's own document: what it has, older and newer stacks differ.
export async function apiDocument() {
  document_ ||= call('GET', '/openapi.json', { signal: null }).catch((error) => { document_ = null; throw error; });
  return document_;
}

export async function offers(path, method = 'get') {
  try { return Boolean((await apiDocument()).paths[path]?.[method]); } catch { return false; }
}
