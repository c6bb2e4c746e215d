// openai_tools.mjs - OpenAI's client: calls of tools, and the loop that answers them.
import OpenAI from 'openai';
import { zodFunction } from 'openai/helpers/zod';
import { z } from 'zod';

import { check, equal, throws } from './check.mjs';
import { client } from './openai_chat.mjs';

const WEATHER = { temperature: 21, condition: 'sunny' };
const QUESTION = [{ role: 'user', content: 'What is the weather in Oslo?' }];
const TOOL = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'Get the weather of a city',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', maxLength: 12 } },
      required: ['city'],
    },
  },
};
const LIGHT = {
  type: 'function',
  function: {
    name: 'set_light',
    description: 'Set a lamp',
    parameters: {
      type: 'object',
      properties: {
        room: { enum: ['hall', 'attic'] },
        percent: { type: 'integer', minimum: 0, maximum: 100 },
      },
      required: ['room', 'percent'],
      additionalProperties: false,
    },
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

async function calls(openai) {
  const a = await openai.chat.completions.create(ask());
  const { message, finish_reason: finish } = a.choices[0];
  equal(
    'a call ends the answer',
    [finish, message.content, message.tool_calls.length],
    ['tool_calls', null, 1],
  );
  const [call] = message.tool_calls;
  equal(
    'the call',
    [call.type, call.function.name, JSON.parse(call.function.arguments)],
    ['function', 'get_weather', { city: 'Oslo' }],
  );
  const runner = openai.chat.completions.stream(ask());
  const deltas = [];
  const dones = [];
  runner.on('tool_calls.function.arguments.delta', (e) => deltas.push(e.arguments_delta));
  runner.on('tool_calls.function.arguments.done', (e) =>
    dones.push([e.name, e.index, e.arguments]),
  );
  const streamed = await runner.finalChatCompletion();
  equal(
    'streamed, the same call',
    streamed.choices[0].message.tool_calls.map((c) => c.function.arguments),
    [call.function.arguments],
  );
  equal('in pieces', deltas.join(''), call.function.arguments);
  equal('and done', dones, [['get_weather', 0, call.function.arguments]]);
  check('ids differ', streamed.choices[0].message.tool_calls[0].id !== call.id, call.id);
  const next = await openai.chat.completions.create(
    ask({
      messages: [
        ...QUESTION,
        message,
        { role: 'tool', tool_call_id: call.id, content: JSON.stringify(WEATHER) },
      ],
    }),
  );
  check('the result is used', next.choices[0].message.content.includes('sunny'), next);
}

async function choice(openai) {
  const tools = [TOOL, LIGHT];
  const named = await openai.chat.completions.create(
    ask({ tools, tool_choice: { type: 'function', function: { name: 'set_light' } } }),
  );
  const [call] = named.choices[0].message.tool_calls;
  const args = JSON.parse(call.function.arguments);
  equal('the tool that was named', call.function.name, 'set_light');
  check(
    'arguments are valid',
    ['hall', 'attic'].includes(args.room) && Number.isInteger(args.percent),
    args,
  );
  const hello = [{ role: 'user', content: 'Hello! Who are you?' }];
  const required = await openai.chat.completions.create(
    ask({ tools, tool_choice: 'required', messages: hello }),
  );
  check('a call is required', required.choices[0].message.tool_calls.length > 0, required);
  const none = await openai.chat.completions.create(ask({ tools, tool_choice: 'none' }));
  equal(
    'no call',
    [none.choices[0].message.tool_calls, none.choices[0].finish_reason === 'tool_calls'],
    [undefined, false],
  );
  const allowed = await openai.chat.completions.create(
    ask({
      tools,
      tool_choice: {
        type: 'allowed_tools',
        allowed_tools: {
          mode: 'required',
          tools: [{ type: 'function', function: { name: 'set_light' } }],
        },
      },
    }),
  );
  check(
    'only those that are allowed',
    allowed.choices[0].message.tool_calls.every((c) => c.function.name === 'set_light'),
    allowed,
  );
  const one = await openai.chat.completions.create(
    ask({ tools, tool_choice: 'required', parallel_tool_calls: false, temperature: 1, seed: 1 }),
  );
  equal('one call at most', one.choices[0].message.tool_calls.length, 1);
  const cut = await openai.chat.completions.create(
    ask({ tools, tool_choice: 'required', max_tokens: 8 }),
  );
  equal('cut off in a call', cut.choices[0].finish_reason, 'length');
}

async function custom(openai) {
  const a = await openai.chat.completions.create(
    ask({
      tools: [
        {
          type: 'custom',
          custom: { name: 'note', description: 'Writes a note', format: { type: 'text' } },
        },
      ],
      tool_choice: { type: 'custom', custom: { name: 'note' } },
      max_tokens: 400,
      temperature: 0,
    }),
  );
  const [call] = a.choices[0].message.tool_calls;
  equal(
    'a custom tool',
    [call.type, call.custom.name, typeof call.custom.input],
    ['custom', 'note', 'string'],
  );
}

async function loop(openai) {
  const seen = [];
  const body = {
    ...ask(),
    tools: [
      {
        type: 'function',
        function: {
          ...TOOL.function,
          function: (args) => (seen.push(args), WEATHER),
          parse: JSON.parse,
        },
      },
    ],
  };
  const runner = openai.chat.completions.runTools(body);
  const text = await runner.finalContent();
  equal('the tool ran', seen, [{ city: 'Oslo' }]);
  check('its result is used', text.includes('sunny'), text);
  equal(
    'the conversation',
    runner.messages.map((m) => m.role),
    ['user', 'assistant', 'tool', 'assistant'],
  );
  const streamed = openai.chat.completions.runTools({ ...body, stream: true });
  equal('streamed, the same', await streamed.finalContent(), text);
  equal('the result', await streamed.finalFunctionToolCallResult(), JSON.stringify(WEATHER));
  const checked = openai.chat.completions.runTools({
    ...ask(),
    tools: [
      zodFunction({
        name: 'get_weather',
        description: 'Get the weather of a city',
        parameters: z.object({ city: z.enum(['Rome', 'Bern']) }),
        function: ({ city }) => (seen.push(city), { ...WEATHER, condition: 'rainy' }),
      }),
    ],
  });
  const strict = await checked.finalContent();
  check('a strict tool gets what it asks for', ['Rome', 'Bern'].includes(seen.at(-1)), seen);
  check('and its result is used', strict.includes('rainy'), strict);
  const forced = openai.chat.completions.runTools({
    ...body,
    tool_choice: { type: 'function', function: { name: 'get_weather' } },
  });
  equal('a loop of one forced call', (await forced.finalFunctionToolCall()).name, 'get_weather');
}

async function mistakes(openai) {
  const unknown = await throws('a result of no call', OpenAI.BadRequestError, () =>
    openai.chat.completions.create(
      ask({
        messages: [...QUESTION, { role: 'tool', tool_call_id: 'call_none', content: 'x' }],
      }),
    ),
  );
  equal('where', unknown.param, 'messages[1].tool_call_id');
  const nameless = await throws('a tool without a name', OpenAI.BadRequestError, () =>
    openai.chat.completions.create(ask({ tools: [{ type: 'function', function: {} }] })),
  );
  check('where', nameless.param.startsWith('tools[0].function'), nameless.param);
  await throws('a choice that is no tool', OpenAI.BadRequestError, () =>
    openai.chat.completions.create(
      ask({ tool_choice: { type: 'function', function: { name: 'none' } } }),
    ),
  );
  const broken = await openai.chat.completions.create(
    ask({
      messages: [
        ...QUESTION,
        {
          role: 'assistant',
          content: null,
          tool_calls: [
            {
              id: 'call_1',
              type: 'function',
              function: { name: 'get_weather', arguments: '{"city": "Os' },
            },
          ],
        },
        { role: 'tool', tool_call_id: 'call_1', content: 'cut off' },
      ],
    }),
  );
  check('broken arguments in the history are text', broken.choices.length === 1, broken);
}

async function test(server) {
  const openai = client(server);
  await calls(openai);
  await choice(openai);
  await custom(openai);
  await loop(openai);
  await mistakes(openai);
}

export const servers = [{ args: ['-c', '4096'], test }];
