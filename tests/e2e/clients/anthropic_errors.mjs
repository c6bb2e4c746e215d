// anthropic_errors.mjs - Anthropic's client: classes of errors, with status and type.
import Anthropic from '@anthropic-ai/sdk';

import { client } from './anthropic_chat.mjs';
import { check, equal, throws } from './check.mjs';
import { wire } from './wire.mjs';

const HELLO = [{ role: 'user', content: 'Hello!' }];
const ask = (more = {}) => ({
  model: 'tiny-chat',
  messages: HELLO,
  max_tokens: 8,
  temperature: 0,
  ...more,
});

async function bad(anthropic) {
  const refused = async (what, body, words) => {
    const e = await throws(what, Anthropic.BadRequestError, () => anthropic.messages.create(body));
    if (!e) return;
    equal(
      `${what}: its type`,
      [e.status, e.type, e.error.error.type],
      [400, 'invalid_request_error', 'invalid_request_error'],
    );
    check(`${what}: says ${words}`, e.error.error.message.includes(words), e.error);
    equal(`${what}: the request's id`, e.requestID, e.error.request_id);
  };
  await refused('no limit', { model: 'tiny-chat', messages: HELLO }, 'max_tokens');
  await refused('no messages', ask({ messages: [] }), 'messages');
  await refused('a wrong type', ask({ temperature: 'hot' }), 'temperature');
  await refused(
    'a wrong role',
    ask({ messages: [{ role: 'robot', content: 'a' }] }),
    'messages[0].role',
  );
  await refused(
    'an image',
    ask({
      messages: [
        {
          role: 'user',
          content: [{ type: 'image', source: { type: 'url', url: 'http://localhost/a.png' } }],
        },
      ],
    }),
    'messages[0].content[0]',
  );
  await refused(
    'a result of no call',
    ask({
      messages: [
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: 'toolu_none', content: 'a' }],
        },
      ],
    }),
    'tool_use_id',
  );
  await refused(
    'a tool of the provider',
    ask({ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }),
    'tools[0]',
  );
  await refused('a server of tools', ask({ mcp_servers: [] }), 'mcp_servers');
  await refused(
    'a prompt that is too long',
    ask({ messages: [{ role: 'user', content: 'word '.repeat(3000) }] }),
    'prompt is too long: ',
  );
  const long = await throws('in words that clients look for', Anthropic.BadRequestError, () =>
    anthropic.messages.create(ask({ messages: [{ role: 'user', content: 'word '.repeat(3000) }] })),
  );
  check(
    'with both numbers',
    /prompt is too long: \d{4} tokens > 1024 maximum/.test(long.message),
    long.message,
  );
  const streamed = await throws('a stream that is refused', Anthropic.BadRequestError, () =>
    anthropic.messages.stream(ask({ top_p: 7 })).finalMessage(),
  );
  check('where', streamed.message.includes('top_p'), streamed.message);
}

async function plain(server) {
  const anthropic = client(server);
  await bad(anthropic);
  const path = await throws('an unknown path', Anthropic.NotFoundError, () =>
    anthropic.messages.batches.retrieve('a'),
  );
  equal('its type', path?.type, 'not_found_error');
  const large = await throws('a body that is too large', Anthropic.APIError, () =>
    anthropic.messages.create(ask({ messages: [{ role: 'user', content: 'a'.repeat(70000) }] })),
  );
  equal('its type', [large.status, large.type], [413, 'request_too_large']);
  const page = new Anthropic({
    baseURL: server.url,
    apiKey: 'none',
    maxRetries: 0,
    fetch: wire,
    defaultHeaders: { Origin: 'https://elsewhere.example' },
  });
  const denied = await throws('a page of elsewhere', Anthropic.PermissionDeniedError, () =>
    page.models.list(),
  );
  equal('its type', denied?.type, 'permission_error');
}

async function named(server) {
  const anthropic = client(server);
  const e = await throws('an unknown model', Anthropic.NotFoundError, () =>
    anthropic.messages.create(ask({ model: 'nothing' })),
  );
  equal('its type', [e.status, e.type], [404, 'not_found_error']);
  equal('the right one', (await anthropic.messages.create(ask())).model, 'tiny-chat');
}

async function keys(server) {
  const anthropic = client(server);
  const e = await throws('a wrong key', Anthropic.AuthenticationError, () =>
    anthropic.messages.create(ask()),
  );
  equal('its type', [e.status, e.type], [401, 'authentication_error']);
  for (const key of [{ apiKey: 'sesame' }, { apiKey: null, authToken: 'sesame' }]) {
    const good = new Anthropic({ baseURL: server.url, maxRetries: 0, fetch: wire, ...key });
    equal('the right one', (await good.messages.create(ask())).role, 'assistant');
  }
}

export const servers = [
  { args: ['-c', '1024', '--max-body', '64K'], test: plain },
  { args: ['-c', '1024', '--strict-model'], test: named },
  { args: ['-c', '1024', '--api-key', 'sesame'], test: keys },
];
