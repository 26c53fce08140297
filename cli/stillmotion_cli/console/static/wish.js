// What is wished for, which models can do it, why others cannot, and what would be cheaper. No elements here.

import { nearestRatio } from './frames.js';

const FRAME_WORDS = { first_frame: 'first frame', last_frame: 'last frame' };

// Why a model cannot do it, from what it states; an empty list where it can.
export function reasons(model, wish) {
  const found = [];
  const against = (offered, wanted, text) => {
    if (wanted !== null && wanted !== '' && offered && !offered.includes(wanted)) found.push(text);
  };
  for (const frame of wish.frames) against(model.supported_frame_images, frame, `takes no ${FRAME_WORDS[frame]}`);
  const list = (values) => (values || []).join(', ');
  against(model.supported_durations, wish.duration, `makes ${list(model.supported_durations)} s, not ${wish.duration} s`);
  against(model.supported_resolutions, wish.resolution, `offers ${list(model.supported_resolutions)}`);
  against(model.supported_aspect_ratios, wish.ratio, `offers ${list(model.supported_aspect_ratios)}`);
  if (wish.audio && model.generate_audio === false) found.push('makes no sound');
  if (wish.seed !== null && model.seed === false) found.push('takes no seed');
  return found;
}

// The query of GET /models for a wish.
export const asQuery = (wish) => ({
  frame: wish.frames, duration: wish.duration, resolution: wish.resolution, aspect_ratio: wish.ratio, audio: wish.audio, sort: 'price',
  ...wish.picture,
});

// The model to begin with: the API's own choice, else the cheapest that states that it takes these frames.
export function suggested(able, choice, wish) {
  if (choice && able.some((model) => model.id === choice)) return choice;
  const priced = able.filter((model) => model.estimated_cost_usd !== null);
  const states = (model) => wish.frames.every((frame) => model.supported_frame_images?.includes(frame)) && model.supported_durations;
  return (priced.find(states) || priced[0] || able[0])?.id ?? null;
}

// The ratio that is asked for: the one that was chosen, else the model's nearest to the picture, else none.
export const askedRatio = (wish, model, shape) => wish.ratio || nearestRatio(model?.supported_aspect_ratios, shape);

// Wishes that change one thing for the better price: the next shorter clip, the next lower resolution.
export function cheaperWishes(model, wish) {
  const found = [];
  const shorter = (model.supported_durations || []).filter((one) => one < wish.duration).sort((a, b) => b - a)[0];
  if (shorter) found.push({ change: { duration: shorter }, words: `${shorter} s` });
  const lines = (text) => (text.endsWith('K') ? Number(text.slice(0, -1)) * 540 : Number.parseInt(text, 10));
  const lower = (model.supported_resolutions || [])
    .filter((one) => wish.resolution && lines(one) < lines(wish.resolution)).sort((a, b) => lines(b) - lines(a))[0];
  if (lower) found.push({ change: { resolution: lower }, words: lower });
  if (wish.audio && model.generate_audio !== false) found.push({ change: { audio: false }, words: 'no sound' });
  return found.map((one) => ({ ...one, wish: { ...wish, ...one.change } }));
}

// The body of POST /videos.
export function asRequest(wish, model, ratio, frames, prompt) {
  const request = { model: model.id };
  if (prompt) request.prompt = prompt;
  if (wish.duration) request.duration = wish.duration;
  if (wish.resolution) request.resolution = wish.resolution;
  if (ratio) request.aspect_ratio = ratio;
  request.generate_audio = wish.audio;
  if (wish.seed !== null) request.seed = wish.seed;
  request.frame_images = frames.map(([type, url]) => ({ type: 'image_url', image_url: { url }, frame_type: type }));
  return request;
}
