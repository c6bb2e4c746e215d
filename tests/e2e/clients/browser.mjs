// browser.mjs - web pages of other origins in a real browser (Debian's chromium): they reach no model,
// neither by requests that need no permission, nor under a name of their own that leads to this machine.
// A page of this machine may ask.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { check, equal } from './check.mjs';

// What the page does; S is the server's port. It reports what it could read.
const SCRIPT = `
const seen = {};
async function attempt(name, url, options) {
  try {
    const r = await fetch(url, options);
    seen[name] = r.type === 'opaque' ? 'opaque' : r.status + ' ' + (await r.text()).slice(0, 40);
  } catch (e) {
    seen[name] = 'blocked';
  }
}
function embed(tag, attributes) {
  return new Promise((done) => {
    const e = document.createElement(tag);
    e.onload = e.onerror = done;
    Object.assign(e, attributes);
    document.body.append(e);
    setTimeout(done, 2000);
  });
}
function submit(url) {
  document.body.insertAdjacentHTML('beforeend', '<iframe name="f"></iframe>' +
    '<form target="f" method="post" enctype="text/plain" action="' + url + '">' +
    '<input name=\\'{"messages":[{"role":"user","content":"hi"}],"user":"\\' value=\\'"}\\'></form>');
  document.forms[0].submit();
  return new Promise((done) => setTimeout(done, 1000));
}
(async () => {
  const server = 'http://127.0.0.1:' + S, chat = server + '/v1/chat/completions';
  const body = '{"messages":[{"role":"user","content":"hi"}],"max_tokens":4}';
  await attempt('models', server + '/v1/models');
  await attempt('plain', chat, { method: 'POST', mode: 'no-cors', body,
    headers: { 'Content-Type': 'text/plain' } });
  await attempt('json', chat, { method: 'POST', body,
    headers: { 'Content-Type': 'application/json' } });
  await attempt('key', server + '/v1/models', { headers: { Authorization: 'Bearer x' } });
  await submit(chat);
  await embed('script', { src: server + '/v1/models' });
  await embed('img', { src: server + '/v1/models' });
  await embed('iframe', { src: 'http://rebound.example:' + S + '/v1/models' });
  await attempt('rebound', 'http://rebound.example:' + S + '/v1/chat/completions', { method: 'POST',
    mode: 'no-cors', body });
  await fetch('/seen', { method: 'POST', body: JSON.stringify(seen) });
})();
`;

// What a page of this host sees.
async function visit(host, server) {
  const port = new URL(server.url).port;
  let report;
  const reported = new Promise((resolve) => {
    report = resolve;
  });
  const pages = http.createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    if (request.url === '/seen') report(JSON.parse(text));
    response.setHeader('Content-Type', 'text/html');
    response.end(`<body><script>const S = ${port};${SCRIPT}</script></body>`);
  });
  await new Promise((resolve) => pages.listen(0, '127.0.0.1', resolve));
  const profile = await mkdtemp(join(tmpdir(), 'ingle-browser-'));
  const browser = spawn(
    'chromium',
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      `--user-data-dir=${profile}`,
      '--host-resolver-rules=MAP *.example 127.0.0.1',
      `http://${host}:${pages.address().port}/`,
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  const ended = new Promise((resolve) => browser.on('exit', () => resolve(null)));
  const stuck = setTimeout(() => browser.kill('SIGKILL'), 300000); // a browser that does not start
  const seen = await Promise.race([reported, ended]);
  clearTimeout(stuck);
  browser.kill('SIGKILL');
  await ended;
  pages.closeAllConnections();
  pages.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  return seen;
}

async function strangers(server) {
  const since = server.log.length;
  const seen = await visit('evil.example', server);
  equal('what a page of another origin can read', seen, {
    models: 'blocked',
    plain: 'opaque',
    json: 'blocked',
    key: 'blocked',
    rebound: 'opaque',
  });
  const lines = server.log.slice(since);
  check('its requests came', lines.length >= 8, lines);
  equal(
    'all were refused',
    lines.filter((l) => l.status !== 403 && l.status !== 204),
    [],
  );
  equal('none reached a model', lines.filter((l) => 'finish' in l), []);
}

async function neighbours(server) {
  const since = server.log.length;
  const seen = await visit('localhost', server);
  check('a page of this machine lists models', seen?.models?.startsWith('200'), seen);
  check('and asks', seen?.json?.startsWith('200'), seen);
  check('its answers were made', server.log.slice(since).some((l) => 'finish' in l));
}

export const servers = [
  {
    args: ['-c', '1024'],
    test: async (server) => {
      await strangers(server);
      await neighbours(server);
    },
  },
];
