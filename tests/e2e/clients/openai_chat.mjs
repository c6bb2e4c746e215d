// openai_chat.mjs - OpenAI's client: answers, streams, forms, choices, models, thinking, leaving.
import { fileURLToPath } from 'node:url';

import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { ChatCompletionStream } from 'openai/lib/ChatCompletionStream';
import { z } from 'zod';

import { check, equal, throws } from './check.mjs';
import { wire } from './wire.mjs';

const HELLO = [{ role: 'user', content: 'Hello! Who are you?' }];
const ask = (more = {}) => ({
  model: 'tiny-chat',
  messages: HELLO,
  max_tokens: 24,
  temperature: 0,
  ...more,
});

export const client = (server) =>
  new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none', maxRetries: 0, fetch: wire });

async function whole(openai) {
  const a = await openai.chat.completions.create(ask());
  const [choice] = a.choices;
  equal('one choice', a.choices.length, 1);
  check('it has text', choice.message.content.length > 0, a);
  equal('its role', choice.message.role, 'assistant');
  equal('no log-probabilities', choice.logprobs, null);
  equal('tokens add up', a.usage.prompt_tokens + a.usage.completion_tokens, a.usage.total_tokens);
  check('the request has an id', /^req_/.test(a._request_id), a._request_id);
  const again = await openai.chat.completions.create(ask());
  equal('the same request, the same text', again.choices, a.choices);
  check('another id', again.id !== a.id, again.id);
  const cut = await openai.chat.completions.create(
    ask({ max_completion_tokens: 1, max_tokens: undefined }),
  );
  equal('cut off', [cut.choices[0].finish_reason, cut.usage.completion_tokens], ['length', 1]);
  const stopped = await openai.chat.completions.create(
    ask({ stop: [choice.message.content.slice(3, 6)] }),
  );
  equal(
    'ended by a stop string',
    [stopped.choices[0].finish_reason, stopped.choices[0].message.content],
    [
      'stop',
      choice.message.content.slice(
        0,
        choice.message.content.indexOf(choice.message.content.slice(3, 6)),
      ),
    ],
  );
  const raw = await openai.chat.completions.create(ask({ metadata: { a: 'b' } })).withResponse();
  equal('metadata comes back', raw.data.metadata, { a: 'b' });
  equal('the raw answer', raw.response.status, 200);
  return choice;
}

async function streamed(openai, expected) {
  const stream = await openai.chat.completions.create(
    ask({ stream: true, stream_options: { include_usage: true } }),
  );
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const ids = new Set(chunks.map((c) => [c.id, c.created, c.model, c.system_fingerprint].join()));
  equal('the same head on all chunks', ids.size, 1);
  equal('the role comes first', chunks[0].choices[0].delta, { role: 'assistant', content: '' });
  equal('and once', chunks.slice(1).filter((c) => c.choices[0]?.delta.role).length, 0);
  equal(
    'no empty text',
    chunks.slice(1).filter((c) => c.choices[0]?.delta.content === '').length,
    0,
  );
  equal(
    'the same text',
    chunks.map((c) => c.choices[0]?.delta.content ?? '').join(''),
    expected.message.content,
  );
  const finish = chunks.at(-2).choices[0];
  equal(
    'the end has a chunk of its own',
    [finish.delta, finish.finish_reason],
    [{}, expected.finish_reason],
  );
  equal('then usage', chunks.at(-1).choices, []);
  check('tokens add up', chunks.at(-1).usage.total_tokens > 0, chunks.at(-1));
  check(
    'before it usage is null',
    chunks.slice(0, -1).every((c) => c.usage === null),
  );
  check('several chunks', chunks.length > 5, chunks.length);
  const plain = [];
  for await (const chunk of await openai.chat.completions.create(ask({ stream: true })))
    plain.push(chunk);
  check(
    'no usage where it is not asked for',
    plain.every((c) => c.usage === undefined),
    plain.at(-1),
  );
}

async function helpers(openai, expected) {
  const runner = openai.chat.completions.stream(ask({ stream_options: { include_usage: true } }));
  const deltas = [];
  const dones = [];
  runner.on('content.delta', (e) => deltas.push(e.delta));
  runner.on('content.done', (e) => dones.push(e.content));
  equal('finalContent', await runner.finalContent(), expected.message.content);
  equal('deltas', deltas.join(''), expected.message.content);
  equal('done', dones, [expected.message.content]);
  const final = await runner.finalChatCompletion();
  equal('its end', final.choices[0].finish_reason, expected.finish_reason);
  const usage = await runner.totalUsage();
  equal('totalUsage', usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  const readable = openai.chat.completions.stream(ask()).toReadableStream();
  const copy = ChatCompletionStream.fromReadableStream(readable);
  equal('by way of a readable stream', await copy.finalContent(), expected.message.content);
}

const City = z.object({
  name: z.enum(['Oslo', 'Rome', 'Paris']),
  capital: z.boolean(),
  streets: z
    .array(z.object({ name: z.string().max(8), length: z.number().int() }))
    .min(1)
    .max(2),
});

async function forms(openai) {
  const format = zodResponseFormat(City, 'city');
  const body = ask({ response_format: format, max_tokens: 400, temperature: 1, seed: 3 });
  const a = await openai.chat.completions.parse(body);
  const parsed = a.choices[0].message.parsed;
  check('a parsed answer', City.safeParse(parsed).success, a);
  equal('the whole of it', JSON.parse(a.choices[0].message.content), parsed);
  equal('it ends by itself', a.choices[0].finish_reason, 'stop');
  const runner = openai.chat.completions.stream(body);
  const partial = [];
  runner.on('content.delta', (e) => partial.push(e.parsed));
  const final = await runner.finalChatCompletion();
  equal('streamed, the same', final.choices[0].message.parsed, parsed);
  check(
    'parts of it on the way',
    partial.some((p) => p && p.name && !p.streets),
    partial.length,
  );
  await throws('cut off it cannot be parsed', OpenAI.LengthFinishReasonError ?? Error, () =>
    openai.chat.completions.parse({ ...body, max_tokens: 5 }),
  );
  const object = await openai.chat.completions.create(
    ask({
      response_format: { type: 'json_object' },
      max_tokens: 600,
      logit_bias: {},
      temperature: 0,
    }),
  );
  if (object.choices[0].finish_reason === 'stop')
    equal('json_object', typeof JSON.parse(object.choices[0].message.content), 'object');
  const fixed = await openai.chat.completions.create(
    ask({ grammar: 'root ::= "yes, " ("a" | "b") "."' }),
  );
  check('a grammar', /^yes, [ab]\.$/.test(fixed.choices[0].message.content), fixed);
  const choice = await openai.chat.completions.create(
    ask({ structured_outputs: { choice: ['red', 'blue'] } }),
  );
  check('a choice', ['red', 'blue'].includes(choice.choices[0].message.content), choice);
}

async function choices(openai) {
  const body = ask({ n: 3, temperature: 1, seed: 7, logprobs: true, top_logprobs: 2 });
  const a = await openai.chat.completions.create(body);
  equal(
    'three choices',
    a.choices.map((c) => c.index),
    [0, 1, 2],
  );
  for (const c of a.choices) {
    const alone = await openai.chat.completions.create({ ...body, n: 1, seed: 7 + c.index });
    equal('a choice is the answer to its seed', alone.choices[0].message, c.message);
    const text = Buffer.from(c.logprobs.content.flatMap((t) => t.bytes)).toString('utf8');
    check('its tokens spell the text', text.startsWith(c.message.content), [
      text,
      c.message.content,
    ]);
    check(
      'two alternatives each',
      c.logprobs.content.every((t) => t.top_logprobs.length === 2),
    );
    check(
      'the best is no worse than the token',
      c.logprobs.content.every(
        (t) =>
          t.top_logprobs[0].logprob >= t.logprob &&
          t.top_logprobs[0].logprob >= t.top_logprobs[1].logprob,
      ),
    );
  }
  const runner = openai.chat.completions.stream(body);
  const final = await runner.finalChatCompletion();
  equal(
    'streamed, the same choices',
    final.choices.map((c) => c.message.content),
    a.choices.map((c) => c.message.content),
  );
  equal(
    'and log-probabilities',
    final.choices.map((c) => c.logprobs.content),
    a.choices.map((c) => c.logprobs.content),
  );
  const other = await openai.chat.completions.create({ ...body, seed: 8, n: 1 });
  equal('seed 8 is the second choice of seed 7', other.choices[0].message, a.choices[1].message);
}

async function models(openai) {
  const list = await openai.models.list();
  equal(
    'one model',
    list.data.map((m) => m.id),
    ['tiny-chat'],
  );
  const ids = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  equal('as pages', ids, ['tiny-chat']);
  const one = await openai.models.retrieve('tiny-chat');
  equal('one of them', one, list.data[0]);
  equal('its context', one.context_length, 4096);
}

async function cached(openai) {
  const system = {
    role: 'system',
    content: 'You are a helpful assistant that answers in a few words. '.repeat(6),
  };
  const messages = [system, ...HELLO];
  const first = await openai.chat.completions.create(ask({ messages }));
  messages.push(first.choices[0].message, { role: 'user', content: 'And now?' });
  const second = await openai.chat.completions.create(ask({ messages }));
  const {
    prompt_tokens: prompt,
    prompt_tokens_details: { cached_tokens: known },
  } = second.usage;
  check(
    'the second turn finds the first',
    prompt - known <= 32 && known >= first.usage.prompt_tokens - 1,
    second.usage,
  );
}

// A client that goes ends its request, and changes nobody's bytes.
async function leaving(openai, server) {
  const long = ask({ max_tokens: 200, temperature: 1, seed: 5, ignore_eos: true });
  const alone = await openai.chat.completions.create(long);
  for (const stream of [true, false]) {
    const since = server.log.length;
    const gone = new AbortController();
    const left = openai.chat.completions.create(
      ask({ stream, max_tokens: 3500, temperature: 1, ignore_eos: true }),
      { signal: gone.signal },
    );
    const other = openai.chat.completions.create(long);
    if (stream) {
      let seen = 0;
      await throws('an aborted stream', OpenAI.APIUserAbortError, async () => {
        for await (const chunk of await left) if (++seen === 5) gone.abort();
        // The client ends an aborted iteration quietly.
        throw new OpenAI.APIUserAbortError();
      });
      equal('chunks until then', seen, 5);
    } else {
      const thrown = throws('an aborted answer', OpenAI.APIUserAbortError, () => left);
      await other;
      gone.abort();
      await thrown;
    }
    equal("the other one's answer", (await other).choices, alone.choices);
    const line = await server.logged((l) => l.finish === 'cancelled' || l.status === 499, since);
    check('the request ended', line.generated < 3500, line);
  }
  const health = await (await fetch(`${server.url}/health`)).json();
  equal('the server is well', health, { status: 'ok' });
}

async function plain(server) {
  const openai = client(server);
  const expected = await whole(openai);
  await streamed(openai, expected);
  await helpers(openai, expected);
  await forms(openai);
  await choices(openai);
  await models(openai);
  await cached(openai);
  await leaving(openai, server);
}

async function thinking(server) {
  const openai = client(server);
  const body = ask({
    max_tokens: 80,
    reasoning_budget: 16,
    grammar: 'root ::= "It is " [0-9]+ "."',
  });
  const a = await openai.chat.completions.create(body);
  const { message } = a.choices[0];
  check(
    'thinking is apart',
    message.reasoning_content.length > 0 && /^It is \d+\.$/.test(message.content),
    a,
  );
  const thought = a.usage.completion_tokens_details.reasoning_tokens;
  check('and counted', thought > 0 && thought < a.usage.completion_tokens, a.usage);
  let text = '';
  let thoughts = '';
  for await (const {
    choices: [choice],
  } of await openai.chat.completions.create({ ...body, stream: true })) {
    check('thinking comes before text', !(choice.delta.reasoning_content && text), choice);
    thoughts += choice.delta.reasoning_content ?? '';
    text += choice.delta.content ?? '';
  }
  equal('streamed, the same', [thoughts, text], [message.reasoning_content, message.content]);
  const none = await openai.chat.completions.create({ ...body, reasoning_effort: 'none' });
  equal(
    'without thinking',
    [
      none.choices[0].message.reasoning_content,
      none.usage.completion_tokens_details.reasoning_tokens,
    ],
    [undefined, 0],
  );
}

const THINK = fileURLToPath(new URL('think.jinja', import.meta.url));
export const servers = [
  { args: ['-c', '4096'], test: plain },
  { args: ['-c', '4096', '--chat-template-file', THINK], test: thinking },
];
