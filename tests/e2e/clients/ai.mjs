// ai.mjs - the AI SDK over both dialects: streams, loops of tools, objects, reasoning, cached tokens.
import { fileURLToPath } from 'node:url';

import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, isStepCount, Output, streamText, tool } from 'ai';
import { z } from 'zod';

import { check, equal, throws } from './check.mjs';
import { wire } from './wire.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;

const openai = (server, fetch = wire) =>
  createOpenAICompatible({
    name: 'ingle',
    baseURL: `${server.url}/v1`,
    apiKey: 'none',
    fetch,
    includeUsage: true,
    supportsStructuredOutputs: true,
  })('tiny-chat');
const anthropic = (server, fetch = wire) =>
  createAnthropic({ baseURL: `${server.url}/v1`, apiKey: 'none', fetch })('tiny-chat');
const PROVIDERS = { openai, anthropic };

// fetch() that adds members which the SDK has no name for.
const adding = (more) => (url, init) =>
  wire(url, { ...init, body: JSON.stringify({ ...JSON.parse(init.body), ...more }) });
const fixed = adding({ grammar: 'root ::= "It is " [0-9]+ "."' });

const ask = (model, more = {}) => ({
  model,
  prompt: 'Hello! Who are you?',
  temperature: 0,
  maxOutputTokens: 24,
  maxRetries: 0,
  ...more,
});

async function streamed(model) {
  const parts = [];
  const result = streamText(ask(model));
  for await (const part of result.stream) parts.push(part);
  equal(
    'no error',
    parts.filter((p) => p.type === 'error').map((p) => String(p.error)),
    [],
  );
  const text = parts
    .filter((p) => p.type === 'text-delta')
    .map((p) => p.text)
    .join('');
  check('text in pieces', parts.filter((p) => p.type === 'text-delta').length > 5, parts.length);
  equal('the whole of it', await result.text, text);
  check(
    'why it ended',
    ['stop', 'length'].includes(await result.finishReason),
    await result.finishReason,
  );
  const usage = await result.usage;
  check(
    'usage',
    usage.inputTokens > 10 &&
      usage.outputTokens > 5 &&
      usage.totalTokens === usage.inputTokens + usage.outputTokens,
    usage,
  );
  const whole = await generateText(ask(model));
  equal('in one piece, the same', whole.text, text);
  check(
    'what was known is counted',
    whole.usage.inputTokenDetails.cacheReadTokens > 0 &&
      whole.usage.inputTokens === usage.inputTokens,
    whole.usage,
  );
  const stopped = await generateText(ask(model, { stopSequences: [text.slice(4, 8)] }));
  equal('a stop sequence', stopped.text, text.slice(0, text.indexOf(text.slice(4, 8))));
}

const tools = (seen) => ({
  read: tool({
    description: 'Reads a file',
    inputSchema: z.object({ path: z.enum(['a.txt', 'b.txt']) }),
    execute: async ({ path }) => (seen.push(`read ${path}`), { text: `contents of ${path}` }),
  }),
  write: tool({
    description: 'Writes a file',
    inputSchema: z.object({
      path: z.enum(['a.txt', 'b.txt']),
      lines: z.number().int().min(0).max(9),
    }),
    execute: async ({ path, lines }) => (seen.push(`write ${path}`), { done: lines }),
  }),
});

// Four steps that are made to call, one that is not.
async function loop(model) {
  const seen = [];
  const names = ['read', 'write', 'read', 'write'];
  const result = streamText(
    ask(model, {
      tools: tools(seen),
      maxOutputTokens: 200,
      stopWhen: isStepCount(5),
      prepareStep: ({ stepNumber: i }) => ({
        toolChoice: i < 4 ? { type: 'tool', toolName: names[i] } : 'none',
      }),
    }),
  );
  const errors = [];
  for await (const part of result.stream)
    if (part.type.includes('error')) errors.push(String(part.error));
  equal('no error', errors, []);
  const steps = await result.steps;
  equal('five steps', steps.length, 5);
  equal(
    'their calls',
    steps.map((s) => s.toolCalls.map((c) => c.toolName)[0]),
    [...names, undefined],
  );
  equal('the tools ran', seen.map((s) => s.split(' ')[0]).slice(0, 4), names);
  equal(
    'the end',
    steps.map((s) => s.finishReason === 'tool-calls'),
    [true, true, true, true, false],
  );
  for (const [i, step] of steps.entries()) {
    if (!i) continue;
    const known = step.usage.inputTokenDetails.cacheReadTokens;
    check(
      `step ${i} knows the steps before it`,
      known >= steps[i - 1].usage.inputTokens - 1,
      step.usage,
    );
  }
}

// Without bounds: for one of its modes the SDK writes them into descriptions.
const Recipe = z.object({
  name: z.enum(['omelette', 'soup']),
  minutes: z.number().int(),
  parts: z.array(z.enum(['egg', 'milk', 'salt'])),
});

async function objects(model, more = {}) {
  const body = ask(model, {
    output: Output.object({ schema: Recipe }),
    maxOutputTokens: 400,
    ...more,
  });
  const whole = await generateText(body);
  check('an object', Recipe.safeParse(whole.output).success, whole.output);
  const result = streamText(body);
  const partial = [];
  for await (const part of result.partialOutputStream) partial.push(part);
  equal('streamed, the same', await result.output, whole.output);
  equal('the last part is all of it', partial.at(-1), whole.output);
}

async function aborted(model, server) {
  const since = server.log.length;
  const gone = new AbortController();
  const result = streamText(
    ask(model, { maxOutputTokens: 3000, temperature: 1, abortSignal: gone.signal }),
  );
  const types = [];
  for await (const part of result.stream) {
    types.push(part.type);
    if (types.filter((t) => t === 'text-delta').length === 3) gone.abort();
  }
  equal('an aborted stream', types.at(-1), 'abort');
  const line = await server.logged((l) => l.finish === 'cancelled', since);
  check('the request ended', line.generated < 3000, line);
}

async function plain(server) {
  for (const [name, provider] of Object.entries(PROVIDERS)) {
    const model = provider(server);
    await streamed(model);
    await loop(model);
    await objects(model);
    if (name === 'anthropic')
      await objects(model, {
        providerOptions: { anthropic: { structuredOutputMode: 'outputFormat' } },
      });
    await aborted(provider(server, adding({ ignore_eos: true })), server);
    const error = await throws('what is refused', APICallError, () =>
      generateText(ask(model, { stopSequences: [''] })),
    );
    equal('its status', error.statusCode, 400);
    check('its words', error.message.includes('stop'), error.message);
  }
}

async function reasons(result) {
  const parts = [];
  for await (const part of result.stream) parts.push(part);
  const types = parts.map((p) => p.type).filter((t) => /^(reasoning|text)-(start|end)$/.test(t));
  equal('reasoning, then text', types, [
    'reasoning-start',
    'reasoning-end',
    'text-start',
    'text-end',
  ]);
  const text = parts
    .filter((p) => p.type === 'reasoning-delta')
    .map((p) => p.text)
    .join('');
  check('reasoning has text', text.length > 0);
  check(
    'and is counted',
    (await result.usage).outputTokenDetails.reasoningTokens > 0,
    await result.usage,
  );
}

// Reasoning ends after some tokens: asked for by the dialect's own field.
async function thinking(server) {
  await reasons(
    streamText(
      ask(openai(server, fixed), {
        maxOutputTokens: 60,
        providerOptions: { ingle: { reasoning_budget: 12 } },
      }),
    ),
  );
  const body = ask(anthropic(server, fixed), {
    maxOutputTokens: 60,
    providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: 12 } } },
  });
  await reasons(streamText(body));
  const first = await generateText(body);
  const messages = [
    { role: 'user', content: body.prompt },
    ...first.responseMessages,
    { role: 'user', content: 'And now?' },
  ];
  const next = await generateText({ ...body, prompt: undefined, messages });
  equal('sent back with its signature', next.reasoning.length, 1);
}

const THINK = fileURLToPath(new URL('think.jinja', import.meta.url));
export const servers = [
  { args: ['-c', '4096'], test: plain },
  { args: ['-c', '4096', '--chat-template-file', THINK], test: thinking },
];
