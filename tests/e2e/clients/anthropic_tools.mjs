// anthropic_tools.mjs - Anthropic's client: calls of tools, and the runner that answers them.
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { z } from 'zod';

import { check, equal } from './check.mjs';
import { client } from './anthropic_chat.mjs';

const QUESTION = [{ role: 'user', content: 'What is the weather in Oslo?' }];
const WEATHER = '{"temperature": 21, "condition": "sunny"}';
const TOOL = {
  name: 'get_weather',
  description: 'Get the weather of a city',
  input_schema: {
    type: 'object',
    properties: { city: { type: 'string', maxLength: 12 } },
    required: ['city'],
  },
};
const LIGHT = {
  name: 'set_light',
  description: 'Set a lamp',
  strict: true,
  input_schema: {
    type: 'object',
    properties: {
      room: { enum: ['hall', 'attic'] },
      percent: { type: 'integer', minimum: 0, maximum: 100 },
    },
    required: ['room', 'percent'],
    additionalProperties: false,
  },
};
const ask = (more = {}) => ({
  model: 'tiny-chat',
  messages: QUESTION,
  max_tokens: 200,
  temperature: 0,
  tools: [TOOL],
  ...more,
});

async function calls(anthropic) {
  const a = await anthropic.messages.create(ask());
  const call = a.content.at(-1);
  equal(
    'a call ends the answer',
    [a.stop_reason, call.type, call.name, call.input],
    ['tool_use', 'tool_use', 'get_weather', { city: 'Oslo' }],
  );
  const stream = anthropic.messages.stream(ask());
  const pieces = [];
  stream.on('inputJson', (piece) => pieces.push(piece));
  const final = await stream.finalMessage();
  equal(
    'streamed, the same',
    [final.stop_reason, final.content.at(-1).input],
    ['tool_use', { city: 'Oslo' }],
  );
  equal('in pieces', JSON.parse(pieces.join('')), { city: 'Oslo' });
  const next = await anthropic.messages.create(
    ask({
      messages: [
        ...QUESTION,
        { role: 'assistant', content: a.content },
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: call.id, content: WEATHER }],
        },
      ],
    }),
  );
  check('the result is used', next.content[0].text.includes('sunny'), next);
}

async function choice(anthropic) {
  const tools = [TOOL, LIGHT];
  const named = await anthropic.messages.create(
    ask({ tools, tool_choice: { type: 'tool', name: 'set_light' } }),
  );
  const { input } = named.content.find((b) => b.type === 'tool_use');
  check(
    'the tool that was named',
    ['hall', 'attic'].includes(input.room) && Number.isInteger(input.percent),
    named,
  );
  const any = await anthropic.messages.create(
    ask({
      tools,
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
      messages: [{ role: 'user', content: 'Hello! Who are you?' }],
    }),
  );
  equal('one call', any.content.filter((b) => b.type === 'tool_use').length, 1);
  const none = await anthropic.messages.create(ask({ tools, tool_choice: { type: 'none' } }));
  check(
    'no call',
    none.content.every((b) => b.type === 'text') && none.stop_reason !== 'tool_use',
    none,
  );
  const cut = await anthropic.messages.create(
    ask({ tools, tool_choice: { type: 'any' }, max_tokens: 8 }),
  );
  equal('cut off in a call', cut.stop_reason, 'max_tokens');
}

async function runner(anthropic) {
  const seen = [];
  const tools = [
    betaZodTool({
      name: 'get_weather',
      description: 'Get the weather of a city',
      inputSchema: z.object({ city: z.string().max(12) }),
      run: ({ city }) => (seen.push(city), WEATHER),
    }),
  ];
  const final = await anthropic.beta.messages.toolRunner(ask({ tools }));
  equal('the tool ran', seen, ['Oslo']);
  check('its result is used', final.content[0].text.includes('sunny'), final);
  equal('the end', final.stop_reason, 'end_turn');
  const turns = [];
  for await (const stream of anthropic.beta.messages.toolRunner(ask({ tools, stream: true }))) {
    let events = 0;
    for await (const event of stream) events += event.type === 'message_stop' ? 1 : 0;
    turns.push([(await stream.finalMessage()).stop_reason, events]);
  }
  equal('streamed, two turns', turns, [
    ['tool_use', 1],
    ['end_turn', 1],
  ]);
  const fails = [
    betaZodTool({
      name: 'get_weather',
      description: 'Get the weather of a city',
      inputSchema: z.object({ city: z.string().max(12) }),
      run: () => {
        throw new Error('no such city');
      },
    }),
  ];
  const told = anthropic.beta.messages.toolRunner(ask({ tools: fails, max_iterations: 2 }));
  const answers = [];
  for await (const message of told) answers.push(message);
  equal('a tool that fails is reported, and the loop goes on', answers.length, 2);
}

async function test(server) {
  const anthropic = client(server);
  await calls(anthropic);
  await choice(anthropic);
  await runner(anthropic);
}

export const servers = [{ args: ['-c', '4096'], test }];
