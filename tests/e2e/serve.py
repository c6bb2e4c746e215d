"""serve.py - starts `ingle serve` for tests and talks to it with the standard library alone.

Server(args...) starts the program on a free port of loopback, waits until it serves, and ends it by
SIGTERM; request() sends one request; sse() reads a stream of events. Environment: INGLE is the
program, INGLE_SOURCE the repository, INGLE_EMULATOR what runs the program (or empty).
"""
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

SOURCE = os.environ["INGLE_SOURCE"]
MODEL = os.path.join(SOURCE, "models", "tiny-chat.gguf")

failures = 0
checks = 0


def check(what, good, seen=None):
    global failures, checks
    checks += 1
    if not good:
        failures += 1
        print(f"FAIL: {what}" + ("" if seen is None else f": {str(seen)[:600]}"), flush=True)


def equal(what, seen, wanted):
    check(f"{what}: should be {wanted!r}", seen == wanted, seen)


def finish():
    print(f"{checks} checks, {failures} failures")
    sys.exit(1 if failures else 0)


class Server:
    """A running server. `log` holds its lines of JSON, `err` all other lines of standard error."""

    def __init__(self, *args, model=MODEL, wait=True, env=None, listen="127.0.0.1:0"):
        command = os.environ.get("INGLE_EMULATOR", "").split() + [os.environ["INGLE"], "serve"]
        if model:
            command += ["-m", model]
        if listen:
            command += ["--listen", listen]
        self.process = subprocess.Popen(command + list(args), stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(env or {})})
        self.log, self.err, self.port = [], [], None
        self.listens = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if wait:
            self.wait()

    def _read(self):
        for line in self.process.stderr:
            if line.startswith("{"):
                self.log.append(json.loads(line))
                continue
            self.err.append(line)
            found = re.search(r"https?://(?:127\.0\.0\.1|\[::1\]):(\d+)", line)
            if found and not self.listens.is_set():
                self.port = int(found.group(1))
                self.listens.set()
        self.listens.set()

    def wait(self):
        """Until the model is loaded: the program prints its addresses then."""
        self.listens.wait()
        if not self.port:
            self.process.wait()
            raise RuntimeError("the server did not start: " + "".join(self.err))

    def connection(self, timeout=None):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None):
        """(status, headers, value): the value is parsed where it is JSON."""
        c = self.connection()
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        c.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
        r = c.getresponse()
        data = r.read()
        c.close()
        try:
            data = json.loads(data)
        except ValueError:
            pass
        return r.status, {k.lower(): v for k, v in r.getheaders()}, data

    def post(self, path, body, headers=None):
        return self.request("POST", path, body, headers)

    def stream(self, path, body, headers=None):
        """Opens a stream: (connection, response)."""
        c = self.connection()
        c.request("POST", path, json.dumps(body),
                  {"Content-Type": "application/json", **(headers or {})})
        return c, c.getresponse()

    def events(self, path, body, headers=None):
        """All events of a stream: a list of (event, data)."""
        c, r = self.stream(path, body, headers)
        if r.status != 200:
            data = r.read()
            c.close()
            raise RuntimeError(f"{r.status} {data[:500]}")
        found = list(sse(r))
        c.close()
        return found

    def logged(self, wanted, since=0):
        """The first line of the log, from number `since` on, for which wanted(line) holds; waits."""
        while True:
            for line in self.log[since:]:
                if wanted(line):
                    return line
            if self.process.poll() is not None:
                return None
            time.sleep(0.01)

    def stop(self, number=signal.SIGTERM):
        """The exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait()
        self.reader.join()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        code = self.stop()
        check("the server ends with exit code 0", code == 0, (code, "".join(self.err)[-2000:]))


def sse(response):
    """(event, data) of a stream, data as text."""
    event, data = None, []
    for line in response:
        line = line.decode("utf-8").rstrip("\n")
        if line.startswith("event: "):
            event = line[7:]
        elif line.startswith("data: "):
            data.append(line[6:])
        elif not line and data:
            yield event, "\n".join(data)
            event, data = None, []
