// server.mjs - a running `ingle serve` on a free port of loopback. Environment: INGLE is the program,
// INGLE_SOURCE the repository.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export const MODEL = `${process.env.INGLE_SOURCE}/models/tiny-chat.gguf`;

export class Server {
  log = []; // its lines of JSON: one of each request
  err = ''; // all else of standard error
  #child;
  #ended;

  static async start(...args) {
    const server = new Server();
    await server.#run(args);
    return server;
  }

  #run(args) {
    this.#child = spawn(
      process.env.INGLE,
      ['serve', '-m', MODEL, '--listen', '127.0.0.1:0', ...args],
      { stdio: ['ignore', 'inherit', 'pipe'] },
    );
    this.#ended = new Promise((resolve) => this.#child.on('exit', (code) => resolve(code)));
    let rest = '';
    this.#child.stderr.setEncoding('utf8');
    return new Promise((resolve, reject) => {
      this.#child.stderr.on('data', (text) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop();
        for (const line of lines) this.#take(line, resolve);
      });
      this.#ended.then(() => reject(new Error(`the server did not start: ${this.err}`)));
    });
  }

  #take(line, started) {
    if (line.startsWith('{')) {
      this.log.push(JSON.parse(line));
      return;
    }
    this.err += `${line}\n`;
    const found = /https?:\/\/127\.0\.0\.1:\d+/.exec(line);
    if (found && !this.url) {
      this.url = found[0];
      started();
    }
  }

  // The first line of the log, from number `since` on, for which wanted(line) holds.
  async logged(wanted, since = 0) {
    for (;;) {
      const line = this.log.slice(since).find(wanted);
      if (line || this.#child.exitCode !== null) return line;
      await sleep(5);
    }
  }

  // The exit code.
  async stop() {
    this.#child.kill('SIGTERM');
    return this.#ended;
  }
}
