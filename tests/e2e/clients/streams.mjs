// streams.mjs - a stream cut at every byte is the same stream: how the network cuts it is no matter.
import { check, equal } from './check.mjs';
import { parseEvents, streams, wire } from './wire.mjs';

const CHAT = {
  model: 'tiny-chat',
  temperature: 0,
  max_tokens: 24,
  stream: true,
  messages: [{ role: 'user', content: 'Hello! Who are you?' }],
};
const TOOLS = {
  tools: [
    {
      type: 'function',
      function: {
        name: 'note',
        parameters: {
          type: 'object',
          properties: { text: { enum: ['größer', '🔥🔥', '日本'] } },
          required: ['text'],
        },
      },
    },
  ],
  tool_choice: 'required',
};

async function record(server) {
  const post = async (path, body, headers = {}) => {
    const response = await wire(`${server.url}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });
    equal(`${path} is answered`, response.status, 200);
    await response.text();
  };
  const wide = { max_tokens: 100, grammar: 'root ::= "größer 🔥" [a-c] " 日本\\n\\nend"' };
  await post('/v1/chat/completions', { ...CHAT, stream_options: { include_usage: true } });
  await post('/v1/chat/completions', {
    ...CHAT,
    ...wide,
    n: 2,
    seed: 1,
    logprobs: true,
    top_logprobs: 1,
  });
  await post('/v1/chat/completions', { ...CHAT, ...TOOLS, max_tokens: 100 });
  const version = { 'anthropic-version': '2023-06-01' };
  await post('/v1/messages', CHAT, version);
  await post('/v1/messages', { ...CHAT, ...wide }, version);
  await post(
    '/v1/messages',
    {
      ...CHAT,
      max_tokens: 100,
      tool_choice: { type: 'any' },
      tools: [{ name: 'note', input_schema: TOOLS.tools[0].function.parameters }],
    },
    version,
  );
}

// At most so many cuts of a long stream: near its ends, and evenly between.
function* cuts(n) {
  const step = Math.max(1, Math.floor(n / 4000));
  for (let i = 1; i < n; i += i < 400 || i > n - 400 ? 1 : step) yield i;
}

function cut({ dialect, bytes }) {
  const whole = parseEvents([bytes]);
  const text = JSON.stringify(whole);
  check(
    'the stream has events and no mistakes',
    whole.length > 2 && !whole.some((e) => e.error),
    whole[0],
  );
  let differs = -1;
  for (const i of cuts(bytes.length))
    if (JSON.stringify(parseEvents([bytes.subarray(0, i), bytes.subarray(i)])) !== text)
      differs = i;
  equal(`a stream of ${dialect} cut in two`, differs, -1);
  const single = Array.from({ length: bytes.length }, (_, i) => bytes.subarray(i, i + 1));
  check(`a stream of ${dialect} byte by byte`, JSON.stringify(parseEvents(single)) === text);
}

async function test(server) {
  streams.length = 0;
  await record(server);
  equal(
    'streams',
    streams.map((s) => s.dialect),
    ['openai', 'openai', 'openai', 'anthropic', 'anthropic', 'anthropic'],
  );
  streams.forEach(cut);
  const texts = streams.map((s) => s.bytes.toString('utf8'));
  check('what is not ASCII comes whole', texts[1].includes('🔥') && texts[4].includes('本'));
}

export const servers = [{ args: ['-c', '2048'], test }];
