// wire.mjs - a fetch() for the clients that holds all that the server sends against the schemas in
// schemas/, and keeps the streams.
import { readFileSync } from 'node:fs';

import Ajv from 'ajv/dist/2020.js';
import { createParser } from 'eventsource-parser';

import { check, fail } from './check.mjs';

const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
for (const name of ['openai', 'anthropic'])
  ajv.addSchema(JSON.parse(readFileSync(new URL(`schemas/${name}.json`, import.meta.url), 'utf8')));

// Streams as they came: {dialect, bytes}.
export const streams = [];

function valid(name, value, what) {
  const judge = ajv.getSchema(name);
  if (!judge) throw new Error(`no schema ${name}`);
  const good = judge(value);
  check(
    `${what} is as ${name} says`,
    good,
    good ? undefined : `${ajv.errorsText(judge.errors)} in ${JSON.stringify(value)}`,
  );
}

export function parseEvents(pieces) {
  const events = [];
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onComment: (comment) => events.push({ comment }),
    onError: (error) => events.push({ error: error.message }),
  });
  const decoder = new TextDecoder();
  for (const piece of pieces) parser.feed(decoder.decode(piece, { stream: true }));
  return events;
}

function judgeOpenaiStream(events) {
  const last = events.pop();
  let error = false;
  for (const event of events) {
    if (event.comment !== undefined) continue;
    const value = JSON.parse(event.data);
    error ||= 'error' in value;
    valid(`openai#/$defs/${error ? 'error' : 'chunk'}`, value, 'a chunk');
  }
  check(
    'the last event is [DONE], and is not after an error',
    (last.data === '[DONE]') !== error,
    last,
  );
}

function judgeAnthropicStream(events) {
  const blocks = [];
  let open = -1;
  for (const event of events) {
    const value = JSON.parse(event.data);
    if (event.event !== value.type) fail('an event is called as its type', event);
    valid(`anthropic#/$defs/${value.type}`, value, `an event ${value.type}`);
    if (value.type === 'content_block_start') {
      check('blocks come one after the other', open < 0 && value.index === blocks.length, value);
      open = value.index;
      blocks.push(value.content_block.type);
    } else if (value.type === 'content_block_delta') {
      check('pieces belong to the block that is open', value.index === open, value);
    } else if (value.type === 'content_block_stop') {
      check('the block that is open ends', value.index === open, value);
      open = -1;
    }
  }
  const types = events.map((e) => e.event);
  const end = types.at(-1);
  check(
    'first message_start, then ping',
    types[0] === 'message_start' && types[1] === 'ping',
    types,
  );
  check(
    'the end',
    end === 'error' || (end === 'message_stop' && types.at(-2) === 'message_delta' && open < 0),
    types.slice(-3),
  );
}

const OBJECTS = [
  ['POST', /^(\/v1)?\/chat\/completions$/, 'openai#/$defs/completion'],
  ['POST', /^\/v1\/chat\/completions\/input_tokens$/, 'openai#/$defs/input_tokens'],
  ['POST', /^\/v1\/messages$/, 'anthropic#/$defs/message'],
  ['POST', /^\/v1\/messages\/count_tokens$/, 'anthropic#/$defs/count_tokens'],
  ['GET', /^\/v1\/models$/, '#/$defs/models'],
  ['GET', /^\/v1\/models\/.+$/, '#/$defs/model'],
];

function schemaOf(request, dialect) {
  const found = OBJECTS.find(
    ([method, path]) => method === request.method && path.test(request.path),
  );
  if (!found) return undefined;
  return found[2].startsWith('#') ? dialect + found[2] : found[2];
}

function judge(request, response, bytes) {
  const type = response.headers.get('content-type') ?? '';
  const dialect = request.anthropic ? 'anthropic' : 'openai';
  const id = response.headers.get(request.anthropic ? 'request-id' : 'x-request-id');
  check('every answer has an id', /^req_\w+$/.test(id), id);
  if (type.startsWith('text/event-stream')) {
    streams.push({ dialect, bytes });
    const events = parseEvents([bytes]);
    if (request.anthropic) judgeAnthropicStream(events);
    else judgeOpenaiStream(events);
    return;
  }
  check('the content is JSON', type.startsWith('application/json'), type);
  const value = JSON.parse(bytes.toString('utf8'));
  const schema = response.status >= 400 ? `${dialect}#/$defs/error` : schemaOf(request, dialect);
  if (schema) valid(schema, value, `${request.method} ${request.path}`);
  else fail(`${request.method} ${request.path} has no schema`, value);
}

// fetch() of the clients: an answer that is read to its end is judged.
export async function wire(input, init = {}) {
  const url = new URL(input instanceof Request ? input.url : input);
  const headers = new Headers(
    init.headers ?? (input instanceof Request ? input.headers : undefined),
  );
  const request = {
    method: (init.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase(),
    path: url.pathname,
    anthropic: headers.has('anthropic-version'),
  };
  const response = await fetch(input, init);
  if (!response.body) return response;
  const pieces = [];
  const tap = new TransformStream({
    transform(piece, controller) {
      pieces.push(piece);
      controller.enqueue(piece);
    },
    flush() {
      judge(request, response, Buffer.concat(pieces));
    },
  });
  return new Response(response.body.pipeThrough(tap), {
    status: response.status,
    statusText: response.statusText,
    headers: response.headers,
  });
}
