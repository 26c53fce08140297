// What a JSON Schema says, in few words, and an example that fits it.

const find = (document_, schema) => (schema?.$ref ? schema.$ref.slice(2).split('/').reduce((part, name) => part?.[name], document_) : schema) || {};

// The one schema that is meant where null is the other choice.
function plain(document_, schema) {
  const found = find(document_, schema);
  const choices = (found.anyOf || found.oneOf || []).map((one) => find(document_, one)).filter((one) => one.type !== 'null');
  return choices.length === 1 ? { ...found, ...choices[0] } : found;
}

export function words(document_, schema) {
  const found = plain(document_, schema);
  const choices = (found.anyOf || found.oneOf || []).map((one) => words(document_, one)).filter((one) => one !== 'null');
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.enum) return found.enum.map((one) => JSON.stringify(one)).join(' | ');
  if (choices.length) return choices.join(' or ');
  if (found.type === 'array') return `list of ${words(document_, found.items)}`;
  const bounds = ['minimum', 'maximum', 'minLength', 'maxLength', 'maxItems'].filter((name) => found[name] !== undefined && Math.abs(found[name]) < 1e15)
    .map((name) => `${name} ${found[name]}`);
  return [found.type || found.title || 'any', ...bounds].join(', ');
}

// The fields of an object: [name, words, description, required].
export function fields(document_, schema) {
  const found = plain(document_, schema);
  return Object.entries(found.properties || {}).map(([name, one]) => [name, words(document_, one), plain(document_, one).description || '', (found.required || []).includes(name)]);
}

const EXAMPLES = {
  VideoRequest: {
    model: 'google/veo-3.1-lite', prompt: 'A slow zoom', duration: 4, resolution: '720p', aspect_ratio: '16:9', generate_audio: false,
  },
  UploadOrder: { content_type: 'image/jpeg' },
  SettleOrder: { abandon: true },
  BatchOrder: { manifest: 's3://bucket/shared/rows.jsonl', budget_usd: 1, defaults: { model: 'google/veo-3.1-lite', duration: 4 } },
};

// A body to begin with: one of ours where we know it, else the required fields with the first value that fits.
export function example(document_, schema, depth = 0) {
  const known = EXAMPLES[schema?.$ref?.split('/').pop()];
  if (known) return known;
  const found = plain(document_, schema);
  if (found.examples?.length) return found.examples[0];
  if (found.default !== undefined && found.default !== null) return found.default;
  if (found.const !== undefined) return found.const;
  if (found.enum) return found.enum[0];
  const [choice] = found.anyOf || found.oneOf || [];
  if (choice && depth < 5) return example(document_, choice, depth + 1);
  if (found.type === 'array') return depth < 5 && found.minItems ? [example(document_, found.items, depth + 1)] : [];
  if (found.type === 'object' || found.properties) {
    return Object.fromEntries((found.required || []).map((name) => [name, depth < 5 ? example(document_, found.properties[name], depth + 1) : null]));
  }
  return { string: '', integer: found.minimum ?? 1, number: found.minimum ?? 1, boolean: false }[found.type] ?? null;
}
