// anthropic_chat.mjs - Anthropic's client: messages, streams, thinking, counts, forms, models.
import { fileURLToPath } from 'node:url';

import Anthropic from '@anthropic-ai/sdk';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
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
  new Anthropic({ baseURL: server.url, apiKey: 'none', maxRetries: 0, fetch: wire });

// Everything the prompt has, as the usage of an answer says.
const promptOf = (usage) =>
  usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;

async function whole(anthropic) {
  const a = await anthropic.messages.create(ask());
  equal(
    'one block of text',
    a.content.map((b) => b.type),
    ['text'],
  );
  check('it has text', a.content[0].text.length > 0, a);
  check('why it ended', ['end_turn', 'max_tokens'].includes(a.stop_reason), a.stop_reason);
  equal('no stop sequence', a.stop_sequence, null);
  const again = await anthropic.messages.create(ask());
  equal('the same request, the same text', again.content, a.content);
  check(
    'the prompt was known',
    again.usage.cache_read_input_tokens > 0 && again.usage.input_tokens < a.usage.input_tokens,
    again.usage,
  );
  equal('its length is the same', promptOf(again.usage), promptOf(a.usage));
  const cut = await anthropic.messages.create(ask({ max_tokens: 1 }));
  equal('cut off', [cut.stop_reason, cut.usage.output_tokens], ['max_tokens', 1]);
  const full = await anthropic.messages.create(ask({ max_tokens: 8000, ignore_eos: true }));
  equal('the context is full', full.stop_reason, 'model_context_window_exceeded');
  const word = a.content[0].text.slice(4, 8);
  const stopped = await anthropic.messages.create(ask({ stop_sequences: ['never there', word] }));
  equal('a stop sequence', [stopped.stop_reason, stopped.stop_sequence], ['stop_sequence', word]);
  equal(
    'the text before it',
    stopped.content.map((b) => b.text).join(''),
    a.content[0].text.slice(0, a.content[0].text.indexOf(word)),
  );
  const { response } = await anthropic.messages.create(ask()).withResponse();
  check("the request's id", /^req_/.test(response.headers.get('request-id')), [
    ...response.headers,
  ]);
  return a;
}

async function streamed(anthropic, expected) {
  const stream = anthropic.messages.stream(ask());
  const texts = [];
  const events = [];
  stream.on('text', (text) => texts.push(text));
  stream.on('streamEvent', (event) => events.push(event.type));
  const final = await stream.finalMessage();
  equal('finalMessage', final.content, expected.content);
  equal('finalText', await stream.finalText(), expected.content[0].text);
  equal('pieces of text', texts.join(''), expected.content[0].text);
  equal(
    'its end',
    [final.stop_reason, final.stop_sequence],
    [expected.stop_reason, expected.stop_sequence],
  );
  equal(
    'its usage',
    [promptOf(final.usage), final.usage.output_tokens],
    [promptOf(expected.usage), expected.usage.output_tokens],
  );
  equal(
    'one start, one end',
    ['message_start', 'message_stop'].map((t) => events.filter((e) => e === t).length),
    [1, 1],
  );
  const word = expected.content[0].text.slice(4, 8);
  const stopped = await anthropic.messages.stream(ask({ stop_sequences: [word] })).finalMessage();
  equal('a stop sequence', [stopped.stop_reason, stopped.stop_sequence], ['stop_sequence', word]);
  let text = '';
  for await (const event of await anthropic.messages.create(ask({ stream: true })))
    if (event.type === 'content_block_delta') text += event.delta.text;
  equal('event by event', text, expected.content[0].text);
}

async function counted(anthropic) {
  const bodies = [
    { messages: HELLO },
    { system: 'You are a helpful assistant.', messages: HELLO },
    {
      system: [
        { type: 'text', text: 'You are short.', cache_control: { type: 'ephemeral' } },
        { type: 'text', text: 'And polite.' },
      ],
      messages: [
        ...HELLO,
        { role: 'assistant', content: [{ type: 'text', text: 'Hello!' }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'One.' },
            { type: 'text', text: 'Two.' },
          ],
        },
      ],
    },
    {
      messages: [
        { role: 'user', content: 'What is the weather in Oslo?' },
        {
          role: 'assistant',
          content: [
            { type: 'tool_use', id: 'toolu_1', name: 'get_weather', input: { city: 'Oslo' } },
          ],
        },
        {
          role: 'user',
          content: [
            {
              type: 'tool_result',
              tool_use_id: 'toolu_1',
              content: [{ type: 'text', text: 'sunny' }],
            },
          ],
        },
      ],
      tools: [
        {
          name: 'get_weather',
          input_schema: { type: 'object', properties: { city: { type: 'string' } } },
        },
      ],
    },
  ];
  for (const [i, body] of bodies.entries()) {
    const { input_tokens: count } = await anthropic.messages.countTokens({
      model: 'tiny-chat',
      ...body,
    });
    const a = await anthropic.messages.create(ask(body));
    equal(`count_tokens of body ${i}`, promptOf(a.usage), count);
  }
}

const Animal = z.object({
  name: z.enum(['fox', 'owl']),
  legs: z.number().int(),
  wild: z.boolean(),
});

async function forms(anthropic) {
  const body = ask({ max_tokens: 200, output_config: { format: zodOutputFormat(Animal) } });
  const a = await anthropic.messages.parse(body);
  check('a parsed answer', Animal.safeParse(a.parsed_output).success, a);
  const final = await anthropic.messages.stream(body).finalMessage();
  equal('streamed, the same', final.parsed_output, a.parsed_output);
  const old = await anthropic.beta.messages.create(
    ask({
      max_tokens: 200,
      output_format: zodOutputFormat(Animal),
      betas: ['structured-outputs-2025-11-13'],
    }),
  );
  equal('by its older name', JSON.parse(old.content[0].text), a.parsed_output);
  const fixed = await anthropic.messages.create(ask({ grammar: 'root ::= "yes" | "no"' }));
  check('a grammar', ['yes', 'no'].includes(fixed.content[0].text), fixed);
}

async function beta(anthropic, expected) {
  const a = await anthropic.beta.messages.create(
    ask({
      betas: ['context-management-2025-06-27'],
      context_management: { edits: [{ type: 'clear_tool_uses_20250919' }] },
      metadata: { user_id: 'me' },
      service_tier: 'auto',
    }),
  );
  equal('the beta namespace', a.content, expected.content);
  equal('nothing was edited', a.context_management, { applied_edits: [] });
  const final = await anthropic.beta.messages
    .stream(ask({ betas: ['fine-grained-tool-streaming-2025-05-14'] }))
    .finalMessage();
  equal('streamed', final.content, expected.content);
  const count = await anthropic.beta.messages.countTokens({ model: 'tiny-chat', messages: HELLO });
  equal('counted', count.input_tokens, promptOf(expected.usage));
}

async function models(anthropic) {
  const list = await anthropic.models.list();
  equal(
    'one model',
    list.data.map((m) => m.id),
    ['tiny-chat'],
  );
  equal(
    'no more pages',
    [list.has_more, list.first_id, list.last_id],
    [false, 'tiny-chat', 'tiny-chat'],
  );
  const ids = [];
  for await (const model of anthropic.models.list({ limit: 5 })) ids.push(model.id);
  equal('as pages', ids, ['tiny-chat']);
  const one = await anthropic.models.retrieve('tiny-chat');
  equal('one of them', one, list.data[0]);
  equal('its context', one.max_input_tokens, 2048);
}

async function diagnostics(anthropic) {
  const system = 'You are a helpful assistant that answers in a few words. '.repeat(6);
  const first = await anthropic.messages.create(
    ask({ system, diagnostics: { previous_message_id: null } }),
  );
  equal('nothing to compare with', first.diagnostics, null);
  const again = await anthropic.messages.create(
    ask({ system: `${system} Really.`, diagnostics: { previous_message_id: first.id } }),
  );
  equal('what changed', again.diagnostics?.cache_miss_reason.type, 'system_changed');
  const lost = await anthropic.messages.create(
    ask({ diagnostics: { previous_message_id: 'msg_none' } }),
  );
  equal(
    'an answer that is not known',
    lost.diagnostics?.cache_miss_reason.type,
    'previous_message_not_found',
  );
}

async function leaving(anthropic, server) {
  const long = ask({ max_tokens: 200, temperature: 1, seed: 5, ignore_eos: true });
  const alone = await anthropic.messages.create(long);
  const since = server.log.length;
  const stream = anthropic.messages.stream(
    ask({ max_tokens: 1800, temperature: 1, ignore_eos: true }),
  );
  const other = anthropic.messages.create(long);
  let pieces = 0;
  stream.on('text', () => ++pieces === 5 && stream.abort());
  await throws('an aborted stream', Anthropic.APIUserAbortError, () => stream.finalMessage());
  equal("the other one's answer", (await other).content, alone.content);
  const line = await server.logged((l) => l.finish === 'cancelled', since);
  check('the request ended', line.generated < 1800, line);
}

async function plain(server) {
  const anthropic = client(server);
  const expected = await whole(anthropic);
  await streamed(anthropic, expected);
  await counted(anthropic);
  await forms(anthropic);
  await beta(anthropic, expected);
  await models(anthropic);
  await diagnostics(anthropic);
  await leaving(anthropic, server);
}

// Thinking, its signature, and both sent back while tools are called.
async function thinking(server) {
  const anthropic = client(server);
  const body = ask({
    max_tokens: 120,
    thinking: { type: 'enabled', budget_tokens: 16 },
    grammar: 'root ::= "It is " [0-9]+ "."',
  });
  const a = await anthropic.messages.create(body);
  equal(
    'thinking, then text',
    a.content.map((b) => b.type),
    ['thinking', 'text'],
  );
  check(
    'signed',
    a.content[0].signature.length > 0 && a.content[0].thinking.length > 0,
    a.content[0],
  );
  check('the text', /^It is \d+\.$/.test(a.content[1].text), a.content[1]);
  const { thinking_tokens: thought } = a.usage.output_tokens_details;
  check('counted apart', thought > 0 && thought < a.usage.output_tokens, a.usage);
  const stream = anthropic.messages.stream(body);
  const seen = { thinking: '', signature: '' };
  stream.on('thinking', (piece) => (seen.thinking += piece));
  stream.on('signature', (signature) => (seen.signature += signature));
  equal('streamed, the same', (await stream.finalMessage()).content, a.content);
  equal('in pieces', seen, { thinking: a.content[0].thinking, signature: a.content[0].signature });
  const next = await anthropic.messages.create({
    ...body,
    messages: [
      ...HELLO,
      { role: 'assistant', content: a.content },
      { role: 'user', content: 'And now?' },
    ],
  });
  equal(
    'sent back',
    next.content.map((b) => b.type),
    ['thinking', 'text'],
  );
  const hidden = await anthropic.messages.create({
    ...body,
    thinking: { ...body.thinking, display: 'omitted' },
  });
  equal(
    'without its text',
    [hidden.content[0].thinking, hidden.content[0].signature],
    ['', a.content[0].signature],
  );
  for (const off of [{ thinking: { type: 'disabled' } }, { thinking: undefined }])
    equal(
      'no thinking',
      (await anthropic.messages.create({ ...body, ...off })).content.map((b) => b.type),
      ['text'],
    );
  const effort = await anthropic.messages.create({
    ...body,
    thinking: { type: 'adaptive' },
    output_config: { effort: 'low' },
    reasoning_budget: 12,
  });
  equal(
    'adaptive',
    effort.content.map((b) => b.type),
    ['thinking', 'text'],
  );
  await toolLoop(anthropic);
}

async function toolLoop(anthropic) {
  const tools = [
    {
      name: 'get_weather',
      input_schema: {
        type: 'object',
        properties: { city: { enum: ['Oslo', 'Rome'] } },
        required: ['city'],
      },
    },
  ];
  const body = ask({
    max_tokens: 200,
    thinking: { type: 'enabled', budget_tokens: 16 },
    tools,
    messages: [{ role: 'user', content: 'What is the weather in Oslo?' }],
  });
  const call = await anthropic.messages.create({ ...body, tool_choice: { type: 'any' } });
  equal(
    'thinking before a call',
    [call.content[0].type, call.content.at(-1).type, call.stop_reason],
    ['thinking', 'tool_use', 'tool_use'],
  );
  const result = { type: 'tool_result', tool_use_id: call.content.at(-1).id, content: 'sunny' };
  const turn = (content) =>
    anthropic.messages.create({
      ...body,
      tool_choice: { type: 'none' },
      messages: [
        ...body.messages,
        { role: 'assistant', content },
        { role: 'user', content: [result] },
      ],
    });
  const kept = await turn(call.content);
  const restored = await turn(call.content.slice(1));
  equal('thinking that was left out is put back', promptOf(restored.usage), promptOf(kept.usage));
  equal('so that the answer is the same', restored.content, kept.content);
}

const THINK = fileURLToPath(new URL('think.jinja', import.meta.url));
export const servers = [
  { args: ['-c', '2048'], test: plain },
  { args: ['-c', '4096', '--chat-template-file', THINK], test: thinking },
];
