// openai_errors.mjs - OpenAI's client: every class of error, with status and code.
import OpenAI from 'openai';

import { check, equal, throws } from './check.mjs';
import { client } from './openai_chat.mjs';
import { wire } from './wire.mjs';

const HELLO = [{ role: 'user', content: 'Hello!' }];
const ask = (more = {}) => ({
  model: 'tiny-chat',
  messages: HELLO,
  max_tokens: 8,
  temperature: 0,
  ...more,
});

async function bad(openai) {
  const refused = async (what, body, param, code) => {
    const e = await throws(what, OpenAI.BadRequestError, () =>
      openai.chat.completions.create(body),
    );
    if (!e) return;
    equal(`${what}: where`, [e.status, e.type, e.param], [400, 'invalid_request_error', param]);
    if (code) equal(`${what}: code`, e.code, code);
    check(`${what}: the request's id`, /^req_/.test(e.requestID), e.requestID);
  };
  await refused('a wrong type', ask({ temperature: 'hot' }), 'temperature');
  await refused('out of range', ask({ top_p: 2 }), 'top_p');
  await refused('no messages', { model: 'tiny-chat', messages: [] }, 'messages');
  await refused(
    'a wrong role',
    ask({ messages: [{ role: 'robot', content: '' }] }),
    'messages[0].role',
  );
  await refused(
    'an image',
    ask({
      messages: [
        {
          role: 'user',
          content: [{ type: 'image_url', image_url: { url: 'http://localhost/a.png' } }],
        },
      ],
    }),
    'messages[0].content[0].type',
  );
  await refused('old functions', ask({ functions: [{ name: 'f' }] }), 'functions');
  await refused('a slip of the pen', ask({ temperatur: 1 }), 'temperatur');
  await refused('two limits', ask({ max_completion_tokens: 9 }), 'max_completion_tokens');
  await refused(
    'a schema that cannot be enforced',
    ask({
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'a',
          strict: true,
          schema: { type: 'string', format: 'no-such-format' },
        },
      },
    }),
    'response_format.json_schema.schema.format',
  );
  await refused('a grammar that is none', ask({ grammar: 'root ::= (' }), 'grammar');
  await refused(
    'a prompt that is too long',
    ask({ messages: [{ role: 'user', content: 'word '.repeat(3000) }] }),
    'messages',
    'context_length_exceeded',
  );
  const streamed = await throws('a stream that is refused', OpenAI.BadRequestError, () =>
    openai.chat.completions.create(ask({ stream: true, temperature: -1 })),
  );
  equal('where', streamed.param, 'temperature');
}

async function unknown(openai) {
  const path = await throws('an unknown path', OpenAI.NotFoundError, () =>
    openai.completions.create({ model: 'tiny-chat', prompt: 'a', max_tokens: 1 }),
  );
  if (path) equal('its code', [path.status, path.code], [404, 'not_found']);
  const method = await throws('a wrong method', OpenAI.APIError, () =>
    openai.delete('/models/tiny-chat'),
  );
  equal('its code', [method.status, method.code], [405, 'method_not_allowed']);
  const ignored = await openai.chat.completions
    .create(ask({ user: 'me', some_new_field: 1 }))
    .withResponse();
  check(
    'what is not known is named',
    ignored.response.headers.get('ingle-ignored')?.includes('some_new_field'),
    [...ignored.response.headers],
  );
  const strict = await throws('or refused', OpenAI.BadRequestError, () =>
    openai.chat.completions.create(ask({ some_new_field: 1 }), {
      headers: { 'Ingle-Strict': '1' },
    }),
  );
  equal('where', strict.param, 'some_new_field');
  const large = await throws('a body that is too large', OpenAI.APIError, () =>
    openai.chat.completions.create(
      ask({ messages: [{ role: 'user', content: 'a'.repeat(70000) }] }),
    ),
  );
  equal('its status', large.status, 413);
}

// One request at a time and one that waits: the next is refused, and may come again later.
async function queue(server) {
  const openai = client(server);
  const running = await openai.chat.completions.create(
    ask({ max_tokens: 4000, ignore_eos: true, stream: true }),
  );
  const chunks = running[Symbol.asyncIterator]();
  check('one is under way', !(await chunks.next()).done);
  const others = [1, 2, 3].map(() => openai.chat.completions.create(ask()));
  const refusals = [];
  await new Promise((enough) => {
    for (const other of others) other.catch((error) => refusals.push(error) === 2 && enough());
  });
  const [full] = refusals;
  check('no room in the queue', full instanceof OpenAI.RateLimitError, String(full));
  equal('its code', [full.status, full.code], [429, 'rate_limit_exceeded']);
  check('it says when to come again', Number(full.headers?.get('retry-after')) > 0, [
    ...full.headers,
  ]);
  running.controller.abort();
  const ends = (await Promise.allSettled(others)).map((end) => end.status);
  equal('one waited', ends.filter((end) => end === 'fulfilled').length, 1);
  const patient = await openai.chat.completions.create(ask(), { maxRetries: 3 });
  equal('later there is room', patient.choices.length, 1);
}

async function plain(server) {
  const openai = client(server);
  await bad(openai);
  await unknown(openai);
  const browser = new OpenAI({
    baseURL: `${server.url}/v1`,
    apiKey: 'none',
    maxRetries: 0,
    fetch: wire,
    defaultHeaders: { Origin: 'https://elsewhere.example' },
  });
  const denied = await throws('a page of elsewhere', OpenAI.PermissionDeniedError, () =>
    browser.models.list(),
  );
  if (denied) equal('its status', denied.status, 403);
}

async function named(server) {
  const openai = client(server);
  const e = await throws('an unknown model', OpenAI.NotFoundError, () =>
    openai.chat.completions.create(ask({ model: 'nothing' })),
  );
  equal('its code', [e.status, e.code], [404, 'model_not_found']);
  const one = await throws('also in the list', OpenAI.NotFoundError, () =>
    openai.models.retrieve('nothing'),
  );
  equal('its code', [one.status, one.code], [404, 'model_not_found']);
  check('by its other name', (await openai.models.retrieve('second')).id === 'first');
}

async function keys(server) {
  const openai = client(server);
  const e = await throws('a wrong key', OpenAI.AuthenticationError, () => openai.models.list());
  equal('its code', [e.status, e.code], [401, 'invalid_api_key']);
  const good = openai.withOptions({ apiKey: 'sesame' });
  equal('the right one', (await good.models.list()).data.length, 1);
  const answer = await good.chat.completions.create(ask());
  equal('answers', answer.choices.length, 1);
  const line = await server.logged((l) => l.status === 200);
  check('the log has no key', !JSON.stringify(server.log).includes('sesame'), line);
}

export const servers = [
  { args: ['-c', '1024', '--max-body', '64K'], test: plain },
  { args: ['-c', '1024', '--alias', 'first,second', '--strict-model'], test: named },
  { args: ['-c', '1024', '--api-key', 'sesame'], test: keys },
  { args: ['-c', '2048', '-np', '1', '--queue', '1'], test: queue },
];
