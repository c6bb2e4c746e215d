// run.mjs - all groups of tests with real clients, or those that are named: one server for each.
import { begin, check, counts } from './check.mjs';
import { Server } from './server.mjs';

const GROUPS = [
  'openai_chat',
  'openai_tools',
  'openai_errors',
  'anthropic_chat',
  'anthropic_tools',
  'anthropic_errors',
  'ai',
  'streams',
  'browser',
];

const named = process.argv.slice(2);
for (const name of named)
  if (!GROUPS.includes(name)) throw new Error(`no group ${name}: there are ${GROUPS.join(', ')}`);

for (const name of named.length ? named : GROUPS) {
  const group = await import(`./${name}.mjs`);
  const before = counts();
  begin(name);
  for (const { args, test } of group.servers) {
    const server = await Server.start(...args);
    try {
      await test(server);
    } catch (error) {
      check(`the group runs to its end: ${error.stack}`, false);
    }
    const code = await server.stop();
    check('the server ends with exit code 0', code === 0, { code, err: server.err.slice(-600) });
  }
  const after = counts();
  console.log(
    `${name}: ${after.checks - before.checks} checks, ${after.failures - before.failures} failures`,
  );
}
const { checks, failures } = counts();
console.log(`${checks - failures} passed, ${failures} failed`);
process.exitCode = failures ? 1 : 0;
