"""http_faults.py - what clients do wrong, to http_probe: by hand, byte by byte.
usage: http_faults.py EMULATOR PROBE FOLDER [NAME...]    FOLDER has certificates one, two (.pem, .key)"""
import contextlib
import json
import os
import random
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

EMULATOR, PROBE, FOLDER = sys.argv[1:4]
failures = []


def check(what, ok, seen=""):
    if not ok:
        failures.append(what)
        print(f"FAIL: {what}: {seen!r}"[:400], flush=True)


class Probe:
    """A running http_probe; on leaving it has to end with exit code 0 and a done() for each headers()."""

    def __init__(self, *options, listen=("127.0.0.1:0",), limit=None, before=None, env=None):
        command = ([EMULATOR] if EMULATOR else []) + [PROBE]
        for address in listen:
            command += ["--listen", address]
        command += [str(o) for o in options]
        if before:
            command = before + command
        self.log = open(os.path.join(FOLDER, "probe.log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=env, close_fds=False,
            preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))) if limit else None)
        words = self.process.stdout.readline().split()
        if not words or words[0] != "ready":
            self.process.wait()
            raise SystemExit(f"the probe did not start: {self.said()}")
        self.addresses = words[1:]
        self.port = int(self.addresses[0].rsplit(":", 1)[1]) if self.addresses[0][:5] != "unix:" else 0

    def said(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        return self

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.finish()

    def finish(self):
        out = self.process.stdout.read()
        code = self.process.wait()
        words = out.split()
        check("the probe ends well", code == 0, (code, self.said()[-2000:]))
        if code == 0:
            told, done = int(words[words.index("told") + 1]), int(words[words.index("done") + 1])
            check("each exchange is done", told == done, out)
        return out

    def __exit__(self, kind, *_):
        if kind or self.process.poll() is not None:
            self.process.kill()
            self.process.wait()
        else:
            self.stop()
        self.log.close()

    def connect(self, small=False):
        s = socket.socket()
        if small:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.connect(("127.0.0.1", self.port))
        return s

    def ask(self, text):
        """Sends bytes on a connection of its own; all that comes until the other side closes."""
        with self.connect() as s:
            with contextlib.suppress(OSError):
                s.sendall(text)
            return everything(s)

    def counts(self):
        with self.connect() as s:
            s.sendall(get("/counts"))
            return json.loads(Answer(s).body)

    def until(self, what, test):
        """Waits until the counts are so."""
        while True:
            counts = self.counts()
            if "connections" in counts and test(counts):
                return counts
            if self.process.poll() is not None:
                raise SystemExit(f"{what}: the probe has ended: {self.said()[-2000:]}")
            time.sleep(0.02)

    def empty(self, what):
        """Waits until only the connection that asks is left."""
        return self.until(what, lambda c: c["connections"] == 1 and c["exchanges"] == 1 and c["told"] == c["done"] + 1)

    def healthy(self, what):
        with self.connect() as s:
            s.sendall(get("/health"))
            a = Answer(s)
            check(f"{what}: the server still answers", a.status == 200 and a.body == b'{"status":"ok"}', a.raw)


def get(path, *headers, version="1.1", host="localhost"):
    lines = [f"GET {path} HTTP/{version}"] + ([f"Host: {host}"] if host is not None else []) + list(headers)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def post(path, body, *headers):
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
            + "".join(h + "\r\n" for h in headers) + "\r\n").encode() + body


def everything(s):
    out = b""
    with contextlib.suppress(ConnectionError):
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            out += piece
    return out


class Answer:
    """One answer of a connection: status, headers, body. status 0: the connection ended before."""

    def __init__(self, s, rest=b"", head=False):
        self.s, self.raw, self.status, self.headers, self.body, self.whole = s, rest, 0, {}, b"", False
        while b"\r\n\r\n" not in self.raw:
            if not self.more():
                return
        top, self.rest = self.raw.split(b"\r\n\r\n", 1)
        lines = top.decode("latin-1").split("\r\n")
        if not lines[0].startswith("HTTP/1."):
            return
        self.status = int(lines[0].split()[1])
        for line in lines[1:]:
            name, value = line.split(":", 1)
            self.headers[name.lower()] = value.strip()
        if head or self.status in (100, 204, 304):
            self.whole = True
        elif "chunked" in self.headers.get("transfer-encoding", ""):
            self.chunks()
        elif "content-length" in self.headers:
            self.fixed(int(self.headers["content-length"]))
        else:
            self.body = self.rest + everything(s)
            self.whole, self.rest = True, b""

    def more(self):
        try:
            piece = self.s.recv(65536)
        except ConnectionError:
            return False
        self.raw += piece
        return bool(piece)

    def need(self, test):
        while not test():
            before = len(self.raw)
            if not self.more():
                return False
            self.rest += self.raw[before:]
        return True

    def fixed(self, n):
        self.whole = self.need(lambda: len(self.rest) >= n)
        self.body, self.rest = self.rest[:n], self.rest[n:]

    def chunks(self):
        while True:
            if not self.need(lambda: b"\r\n" in self.rest):
                return
            size, self.rest = self.rest.split(b"\r\n", 1)
            n = int(size, 16)
            if not self.need(lambda: len(self.rest) >= n + 2):
                return
            self.body, self.rest = self.body + self.rest[:n], self.rest[n + 2:]
            if not n:
                self.whole = True
                return


def statuses(raw):
    """The status of each answer in a stream of bytes, as a client reads them."""
    out = []
    reader, writer = socket.socketpair()
    threading.Thread(target=lambda: (writer.sendall(raw), writer.close()), daemon=True).start()
    with reader:
        rest = b""
        while True:
            a = Answer(reader, rest)
            if not a.status:
                return out
            out.append(a.status)
            rest = a.rest


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


# ---- parsing -------------------------------------------------------------------------------------

CHUNKED = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
CLOSE = "Connection: close"
PARSING = [
    # what, bytes, the statuses that the whole stream may have
    ("plain", get("/health", CLOSE), [[200]]),
    ("two Hosts", get("/echo", "Host: localhost"), [[400]]),
    ("two Hosts, one other", get("/echo", "Host: evil.example"), [[400]]),
    ("no Host", get("/health", host=None), [[400]]),
    ("no Host in HTTP/1.0", get("/health", version="1.0", host=None), [[200]]),
    ("empty Host", get("/health", host=""), [[400], [403]]),
    ("foreign Host", get("/health", host="evil.example"), [[403]]),
    ("Host that looks like ours", get("/health", host="127.0.0.1.evil.example"), [[403]]),
    ("Host with a port", get("/health", CLOSE, host="LOCALHOST.:8080"), [[200]]),
    ("Host of IPv6", get("/health", CLOSE, host="[::1]:8080"), [[200]]),
    ("Host of mapped IPv4", get("/health", CLOSE, host="[::ffff:127.0.0.1]"), [[200]]),
    ("Host with a path", get("/health", host="localhost/x"), [[400]]),
    ("CL and TE", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", [[400]]),
    ("TE and CL", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
     b"Content-Length: 5\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", [[400]]),
    ("two CLs", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhelloG", [[400]]),
    ("two equal CLs", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", [[400]]),
    ("CL that is no number", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5x\r\n\r\nhello", [[400]]),
    ("CL below zero", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\nhello", [[400]]),
    ("CL with a plus", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: +5\r\n\r\nhello", [[400]]),
    ("CL of 2^64 + 5", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551621\r\n\r\nhello", [[400], [413]]),
    ("CL list", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 5\r\n\r\nhello", [[400]]),
    ("TE gzip, chunked", CHUNKED.replace(b"chunked", b"gzip, chunked"), [[400]]),
    ("TE identity", CHUNKED.replace(b"chunked", b"identity"), [[400]]),
    ("TE chunked, chunked", CHUNKED.replace(b"chunked", b"chunked, chunked"), [[400]]),
    ("two TEs", CHUNKED.replace(b"Connection: close", b"Transfer-Encoding: chunked"), [[400]]),
    ("TE of HTTP/1.0", CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"0\r\n\r\n", [[400]]),
    ("chunks", CHUNKED + b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n", [[200]]),
    ("chunks and a trailer", CHUNKED + b"5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", [[200]]),
    ("chunk size -1", CHUNKED + b"-1\r\nhello\r\n0\r\n\r\n", [[400]]),
    ("chunk size 2^64", CHUNKED + b"10000000000000000\r\nhello\r\n0\r\n\r\n", [[400], [413]]),
    ("chunk size 2^64 - 1", CHUNKED + b"ffffffffffffffff\r\n" + b"x" * 100, None),
    ("chunk size 5;x", CHUNKED + b"5;x\r\nhello\r\n0\r\n\r\n", [[200], [400]]),
    ("chunk size 5x", CHUNKED + b"5x\r\nhello\r\n0\r\n\r\n", [[400]]),
    ("chunk size 0x5", CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", [[400]]),
    ("chunk without its end", CHUNKED + b"5\r\nhello0\r\n\r\n", [[400]]),
    ("HTTP/0.9", b"GET /health\r\n\r\n", [[400], [505], []]),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [[400], [505], []]),
    ("HTTP/1.2", b"GET /health HTTP/1.2\r\nHost: localhost\r\nConnection: close\r\n\r\n", [[200], [400], [505]]),
    ("no version", b"GET /health FTP/1.1\r\nHost: localhost\r\n\r\n", [[400], [505], []]),
    ("bare LF", b"GET /health HTTP/1.1\nHost: localhost\nConnection: close\n\n", [[200], [400]]),
    ("folded line", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Fold: a\r\n b\r\nConnection: close\r\n\r\n", [[200], [400]]),
    ("folded Host", b"GET /health HTTP/1.1\r\nHost:\r\n evil.example\r\nConnection: close\r\n\r\n", [[403], [400]]),
    ("header without a colon", b"GET /health HTTP/1.1\r\nHost: localhost\r\nnonsense\r\n\r\n", [[400]]),
    ("space before the colon", b"GET /health HTTP/1.1\r\nHost : evil.example\r\nConnection: close\r\n\r\n", [[400], [403]]),
    ("NUL in the path", b"GET /health%00x HTTP/1.1\r\nHost: localhost\r\n\r\n", [[400]]),
    ("raw NUL in the path", b"GET /health\0x HTTP/1.1\r\nHost: localhost\r\n\r\n", [[400], []]),
    ("NUL in a header", b"GET /health HTTP/1.1\r\nHost: localhost\0evil\r\nConnection: close\r\n\r\n", [[400], [403], []]),
    ("NUL in a header's name", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX\0Y: 1\r\nConnection: close\r\n\r\n", [[400], []]),
    ("bad escape", get("/health%4"), [[400]]),
    ("bad escape", get("/health%zz"), [[400]]),
    ("good escape", get("/%68ealth", CLOSE), [[200]]),
    ("absolute form", get("http://evil.example/health"), [[400]]),
    ("two spaces", b"GET  /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", [[400], [200]]),
    ("more in the request line", b"GET /health x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", [[400], [404]]),
    ("gzip", post("/echo", b"\x1f\x8b0", "Content-Encoding: gzip"), [[415]]),
    ("a long header", get("/health", "X: " + "a" * 20000), [[431]]),
    ("a long path", get("/" + "a" * 20000), [[414], [431]]),
    ("many headers", get("/health", *[f"X-{i}: {i}" for i in range(3000)]), [[431]]),
    ("Origin of others", post("/echo", b"{}", "Origin: https://evil.example", "Content-Type: text/plain"), [[403]]),
    ("Origin null", post("/echo", b"{}", "Origin: null"), [[403]]),
    ("Origin of ours", post("/echo", b"{}", "Origin: http://localhost:3000", CLOSE), [[200]]),
    ("a page without Origin", get("/echo", "Sec-Fetch-Site: cross-site"), [[403]]),
    ("Node's fetch", get("/health", "Sec-Fetch-Mode: cors", CLOSE), [[200]]),
    ("nothing", b"", [[]]),
    ("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200 + b"\r\n\r\n", [[], [400], [505]]),
]


def test_parsing():
    with Probe() as p:
        for what, text, want in PARSING:
            s = p.connect()
            s.sendall(text)
            if want is None or [] in want or what == "nothing":  # nothing has to come: we end it
                s.shutdown(socket.SHUT_WR)
            got = statuses(everything(s))
            s.close()
            check(f"parsing: {what}", want is None or got in want, got)
            p.healthy(what)
        p.empty("parsing")


def test_floods():
    with Probe() as p:
        for what, piece in (("headers", b"X-Flood: " + b"a" * 1000 + b"\r\n"), ("one header", b"a" * 1009)):
            s = p.connect()
            sent = 0
            with contextlib.suppress(ConnectionError):
                s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ")
                while sent < 100_000_000:
                    s.sendall(piece)
                    sent += len(piece)
            s.close()
            check(f"100 MB of {what} are refused early", sent < 50_000_000, sent)
            p.healthy(what)
        s = p.connect()
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n")
        a = Answer(s)
        check("a body too long", a.status == 413 and b"--max-body" in a.body, a.raw)
        check("and closed", a.headers.get("connection") == "close", a.headers)
        s.close()
        p.empty("floods")


def test_bodies():
    with Probe("--max-body", 100000) as p:
        with p.connect() as s:
            for n in (0, 1, 4096, 100000):
                body = os.urandom(n)
                s.sendall(post("/echo", body))
                a = Answer(s)
                check(f"a body of {n} bytes comes back", a.status == 200 and a.body == body, a.status)
            body = os.urandom(100000)
            s.sendall(CHUNKED.replace(b"Connection: close\r\n", b""))
            for at in range(0, len(body), 999):
                piece = body[at:at + 999]
                s.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")
            s.sendall(b"0\r\n\r\n")
            a = Answer(s)
            check("a chunked body comes back", a.status == 200 and a.body == body, a.status)
            for byte in post("/echo", b"slow"):
                s.sendall(bytes([byte]))
            a = Answer(s)
            check("byte by byte", a.status == 200 and a.body == b"slow", a.raw)
        for what, text in (("with its length", post("/echo", b"x" * 100001)),
                           ("in chunks", CHUNKED + b"%x\r\n" % 300000 + b"x" * 300000 + b"\r\n0\r\n\r\n"),
                           ("in small chunks", CHUNKED + b"400\r\n" + (b"x" * 1024 + b"\r\n400\r\n") * 300)):
            a = p.ask(text)
            check(f"too long {what}", statuses(a) == [413] and b"--max-body" in a, a)
        with p.connect() as s:
            s.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            a = Answer(s)
            check("100 Continue", a.status == 100, a.raw)
            s.sendall(b"hello")
            a = Answer(s, a.rest)
            check("and the answer", a.status == 200 and a.body == b"hello", a.raw)
        with p.connect() as s:
            s.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\nExpect: 100-continue\r\n\r\n")
            check("no 100 Continue for what is refused", Answer(s).status == 413)
        with p.connect() as s:  # decided before the body
            s.sendall(b"POST /echo HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 50000\r\n\r\n")
            check("403 before the body", Answer(s).status == 403)
        p.empty("bodies")


def test_methods():
    with Probe() as p:
        with p.connect() as s:
            s.sendall(b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            a = Answer(s, head=True)
            check("HEAD", a.status == 200 and a.headers["content-length"] == "15" and not a.rest, a.raw)
        a = p.ask(b"HEAD /stream?2,10 HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/health"))
        check("HEAD of a stream ends the connection", a.count(b"HTTP/1.1 200") == 1 and b"event" not in a, a)
        with p.connect() as s:
            s.sendall(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
            a = Answer(s)
            check("OPTIONS", a.status == 404, a.raw)
            for method in ("PUT", "DELETE", "PATCH", "BREW", "A" * 100):
                s.sendall(f"{method} /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                check(f"method {method}", Answer(s).status == 404)
            check("Date and no Server", True)
            s.sendall(get("/health"))
            a = Answer(s)
            check("Date and no Server", "date" in a.headers and "server" not in a.headers, a.headers)
        a = p.ask(get("/stream?3,5", version="1.0"))
        check("a stream of HTTP/1.0", a.count(b"data: ") == 3 and b"chunked" not in a, a)
        p.empty("methods")


def test_pipelining():
    with Probe() as p:
        with p.connect() as s:
            threading.Thread(target=lambda: s.sendall(get("/health") * 1000), daemon=True).start()
            rest = b""
            for i in range(1000):
                a = Answer(s, rest)
                rest = a.rest
                if a.status != 200 or a.body != b'{"status":"ok"}':
                    check(f"pipelined request {i}", False, a.raw)
                    break
            s.sendall(b"".join(post("/echo", b"%d" % i) for i in range(200)))
            for i in range(200):
                a = Answer(s, rest)
                rest = a.rest
                if a.body != b"%d" % i:
                    check(f"pipelined body {i}", False, a.raw)
                    break
            s.sendall(get("/stream?3,5") + post("/echo", b"x") + get("/slow?20") + get("/health"))
            for want in (b"data", b"x", b'{"slow', b'{"status'):
                a = Answer(s, rest)
                rest = a.rest
                check("mixed, one after another", a.body.startswith(want), a.raw)
        p.empty("pipelining")


# ---- time ----------------------------------------------------------------------------------------


def closed_after(s):
    began = time.monotonic()
    raw = everything(s)
    return time.monotonic() - began, raw


def test_slow():
    with Probe("--headers-s", 1, "--body-s", 1, "--body-rate", 10000, "--idle-s", 1.5, "--stalled-s", 2) as p:
        other = p.connect()  # whose gaps stay as they are
        other.sendall(get("/stream?300,20"))
        s = p.connect()
        after, raw = closed_after(s)
        check("nothing is sent", after > 0.9 and not raw, (after, raw))
        s = p.connect()
        s.sendall(b"GET /health HTTP/1.1\r\nHost: loc")
        after, raw = closed_after(s)
        check("headers stop", after > 0.9 and not raw, (after, raw))
        s = p.connect()
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            s.sendall(b"GET /health HTTP/1.1\r\n")
            for i in range(100000):
                s.sendall(b"X-%d: 1\r\n" % i)
                time.sleep(0.05)
        check("headers drip", time.monotonic() - began > 0.9)
        s = p.connect()
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100)
        after, raw = closed_after(s)
        check("the body stops: 408", after > 0.9 and statuses(raw) == [408], (after, raw))
        s = p.connect()
        raw = b""
        with contextlib.suppress(ConnectionError):
            s.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
            while True:
                s.sendall(b"x")
                time.sleep(0.01)
        with contextlib.suppress(ConnectionError):
            raw = everything(s)
        check("the body drips", statuses(raw) in ([408], []), raw)
        s = p.connect()
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n")
        for _ in range(60):
            s.sendall(b"x" * 1000)
            time.sleep(0.04)
        check("a body that is fast enough may take longer than that", Answer(s).status == 200)
        after, raw = closed_after(s)
        check("an idle connection is closed", after > 1.3 and not raw, (after, raw))
        gone = p.counts()["gone"]
        s = p.connect(small=True)
        s.sendall(get("/flood"))
        p.until("a reader that stops", lambda c: c["gone"] > gone)
        s.close()
        s = p.connect(small=True)
        s.sendall(get("/big?50000000"))
        p.until("a reader that stops in a whole answer", lambda c: c["exchanges"] <= 2)
        s.close()
        s = p.connect(small=True)  # slow is not stopped
        s.sendall(get("/big?300000"))
        n = 0
        while n < 300000:
            piece = s.recv(4096)
            if not piece:
                break
            n += len(piece)
            time.sleep(0.03)
        check("a slow reader gets all", n >= 300000, n)
        s.close()
        s = p.connect()
        s.sendall(get("/slow?4000"))
        check("an answer may take long", Answer(s).status == 200)
        s.close()
        a = Answer(other)
        check("the other stream", a.body.count(b"data: ") == 300 and a.whole, a.body.count(b"data: "))
        other.close()
        p.empty("slow clients")


STATES = [
    ("nothing", b""),
    ("request line", b"GET /he"),
    ("headers", b"GET /health HTTP/1.1\r\nHost: loc"),
    ("body", b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc"),
    ("chunk", CHUNKED + b"1000\r\nabc"),
    ("wait", get("/slow?1000000")),
    ("stream", get("/stream?1000000,1000000")),
    ("busy stream", get("/stream?1000000,1")),
    ("flood", get("/flood")),
    ("big", get("/big?30000000")),
    ("refused", b"POST /echo HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100000\r\n\r\nabc"),
    ("idle", None),
]


def leave(p, text, how):
    s = p.connect()
    if text is None:
        s.sendall(get("/health"))
        Answer(s)
    else:
        s.sendall(text)
    if text and b"/stream" in text or text and b"/flood" in text:
        s.recv(100)
    how(s)
    return s


def test_leaving():
    ways = (("close", lambda s: s.close()), ("RST", reset), ("half-close", lambda s: s.shutdown(socket.SHUT_WR)))
    with Probe("--headers-s", 1000, "--body-s", 1000, "--idle-s", 1000, "--stalled-s", 1000) as p:
        for name, how in ways:
            for state, text in STATES:
                s = leave(p, text, how)
                if name == "half-close" and state in ("flood", "big", "busy stream", "refused"):
                    everything(s)
                s.close()
                p.empty(f"{name} in state {state}")
        gone = p.counts()["gone"]
        s = p.connect()
        s.sendall(get("/slow?100000000"))
        p.until("it waits", lambda c: c["exchanges"] == 2)
        s.close()
        p.until("a client that has gone is seen while it waits", lambda c: c["gone"] == gone + 1)
        held = len(os.listdir(f"/proc/{p.process.pid}/fd"))
        for i in range(1000):
            s = p.connect()
            s.sendall(get("/stream?1000000,1"))
            if i % 2:
                s.recv(100)
            if i % 3:
                s.close()
            else:
                reset(s)
        p.empty("1,000 streams that were left")
        now = len(os.listdir(f"/proc/{p.process.pid}/fd"))
        check("no descriptor is lost", now <= held + 5, (held, now))  # those of counts() close late


def chaos(p, seed, wrong):
    """One client after another, each sending pieces of requests and leaving at any point."""
    draw = random.Random(seed)
    pieces = [text for _, text in STATES if text] + [text for _, text, _ in PARSING if len(text) < 2000] + [
        post("/echo", os.urandom(3000)), get("/stream?5,1"), get("/slow?3"), get("/health") * 20, get("/big?200000")]
    for _ in range(150):
        s = p.connect(small=draw.random() < 0.3)
        s.setblocking(draw.random() < 0.5)
        with contextlib.suppress(OSError):
            for _ in range(draw.randint(1, 3)):
                text = draw.choice(pieces)
                if draw.random() < 0.3:
                    text = text[:draw.randint(0, len(text))]
                s.send(text)
                if draw.random() < 0.3:
                    time.sleep(draw.random() / 100)
                if draw.random() < 0.5:
                    s.settimeout(0.02)
                    s.recv(draw.choice((1, 1000, 100000)))
            if draw.random() < 0.3:
                s.shutdown(draw.choice((socket.SHUT_WR, socket.SHUT_RD, socket.SHUT_RDWR)))
        (reset if draw.random() < 0.3 else lambda x: x.close())(s)
        if draw.random() < 0.1:
            with p.connect() as good:
                good.sendall(post("/echo", b"%d" % seed))
                if Answer(good).body != b"%d" % seed:
                    wrong.append(seed)


def test_chaos():
    with Probe("--headers-s", 1000, "--body-s", 1000, "--idle-s", 1000, "--stalled-s", 1000, "--quiet", 1) as p:
        wrong = []
        clients = [threading.Thread(target=chaos, args=(p, seed, wrong)) for seed in range(8)]
        for c in clients:
            c.start()
        for c in clients:
            c.join()
        check("others have their answers", not wrong, wrong)
        p.empty("chaos")


def chaos_until(p, seed):
    with contextlib.suppress(OSError):
        chaos(p, seed, [])


def test_stop_in_chaos():
    for number in (signal.SIGINT, signal.SIGTERM):
        p = Probe("--headers-s", 1, "--body-s", 1, "--quiet", 1)
        clients = [threading.Thread(target=chaos_until, args=(p, seed)) for seed in range(8)]
        for c in clients:
            c.start()
        time.sleep(0.3)
        p.stop(number)
        for c in clients:
            c.join()


# ---- limits --------------------------------------------------------------------------------------


def test_limits():
    path = os.path.join(FOLDER, "limits.sock")
    with Probe("--max-per-peer", 5, "--max-connections", 12, listen=("127.0.0.1:0", "unix:" + path)) as p:
        held = [p.connect() for _ in range(5)]
        for s in held:
            s.sendall(get("/health"))
            check("within the limit", Answer(s).status == 200)
        a = p.ask(get("/health"))
        check("more of one address: 503", statuses(a) == [503] and b"this address" in a, a)
        for _ in range(7):  # not counted by address, but as connections
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            s.sendall(get("/health"))
            check("Unix sockets", Answer(s).status == 200)
            held.append(s)
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        raw = everything(s)
        check("too many: 503", statuses(raw) == [503] and b"too many connections" in raw, raw)
        for s in held:
            s.close()
        p.empty("limits")
        p.healthy("limits")


def test_descriptors():
    with Probe("--waste", 1000, limit=120) as p:  # all are taken but six
        held = []
        refused = 0
        while not refused:
            s = p.connect()
            with contextlib.suppress(ConnectionError):
                s.sendall(get("/health"))
            a = Answer(s)
            if a.status == 503:
                check("it says why", b"descriptor" in a.body, a.raw)
                refused += 1
            elif a.status != 200:
                check("200 or 503", False, a.raw)
                break
            held.append(s)
            check("descriptors end", len(held) < 100, len(held))
        for s in held[:-1]:  # those that are there go on
            s.sendall(get("/health"))
            check("others go on", Answer(s).status == 200)
        for _ in range(20):
            a = p.ask(get("/health", CLOSE))
            check("503, again and again", statuses(a) == [503], a)
        for s in held:
            s.close()
        while True:  # a pause of 100 ms, and it accepts again
            if statuses(p.ask(get("/health", CLOSE))) == [200]:
                break
        p.empty("descriptors")


# ---- sockets -------------------------------------------------------------------------------------


def test_unix():
    path = os.path.join(FOLDER, "p.sock")
    with Probe(listen=("unix:" + path,)) as p:
        check("its mode", os.stat(path).st_mode & 0o777 == 0o600)
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        s.sendall(get("/stream?3,1") + post("/echo", b"abc"))
        a = Answer(s)
        check("a stream", a.body.count(b"data: ") == 3, a.raw)
        check("and more", Answer(s, a.rest).body == b"abc")
        s.sendall(get("/admin"))
        check("admin", Answer(s).status == 200)
        s.sendall(get("/slow?100000"))
        s.close()
        p.process.kill()  # leaves the file
        p.process.wait()
    with Probe(listen=("unix:" + path,)) as p:
        check("a stale socket is replaced", True)
        other = subprocess.run([PROBE, "--listen", "unix:" + path], capture_output=True, text=True)
        check("a living one is not", other.returncode == 1 and "another program" in other.stderr, other.stderr)
        p.stop()
        check("its path is removed", not os.path.exists(path))
    with open(path, "w", encoding="utf-8") as f:
        f.write("precious")
    other = subprocess.run([PROBE, "--listen", "unix:" + path], capture_output=True, text=True)
    check("a file is left alone", other.returncode == 1 and "no socket" in other.stderr and os.path.getsize(path) == 8,
          other.stderr)
    os.remove(path)


def test_activation():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        os.set_inheritable(s.fileno(), True)
        shell = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&{s.fileno()}'
        with Probe(listen=("systemd",), before=["sh", "-c", shell, "sh"]) as p:
            check("the socket that was passed", p.port == port, p.addresses)
            p.healthy("activation")
    other = subprocess.run([PROBE, "--listen", "systemd"], capture_output=True, text=True)
    check("none was passed", other.returncode == 1 and "LISTEN_FDS" in other.stderr, other.stderr)


def test_drain():
    p = Probe()
    idle, busy, late = p.connect(), p.connect(), p.connect()
    idle.sendall(get("/health"))
    Answer(idle)
    busy.sendall(get("/stream?50,10"))
    late.sendall(get("/slow?300"))
    p.until("all are there", lambda c: c["exchanges"] == 3)
    p.process.send_signal(signal.SIGTERM)
    check("an idle connection is closed", everything(idle) == b"")
    a = Answer(late)
    check("a request that was under way is answered", a.status == 200 and a.headers.get("connection") == "close", a.raw)
    check("and its connection closed", everything(late) == b"")
    a = Answer(busy)
    check("a stream ends", a.body.count(b"data: ") == 50 and a.whole, a.raw)
    out = p.finish()
    check("it ends", "over" in out)
    p = Probe()
    s = [p.connect() for _ in range(20)]
    for i, one in enumerate(s):
        one.sendall((get("/slow?1000000"), get("/stream?100,100000"), get("/flood"), b"POST /echo HTTP/1.1\r\n")[i % 4])
    p.until("all are there", lambda c: c["exchanges"] >= 15)
    p.stop(signal.SIGINT)  # in the middle of everything


# ---- TLS -----------------------------------------------------------------------------------------


def tls_name(p):
    """The name in the certificate, by a connection of its own."""
    with p.connect() as s:
        with context().wrap_socket(s) as t:
            return b"one" if b"\x0c\x03one" in t.getpeercert(True) else b"two"


def context(version=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if version:
        c.minimum_version = c.maximum_version = version
    return c


def copy(name, to):
    for end in ("pem", "key"):
        with open(os.path.join(FOLDER, f"{name}.{end}"), "rb") as f:
            with open(os.path.join(FOLDER, f"{to}.{end}"), "wb") as out:
                out.write(f.read())


def reload(p, want):
    said = p.said().count("reload: ")
    p.process.send_signal(signal.SIGHUP)
    while p.said().count("reload: ") == said:
        time.sleep(0.01)
    last = p.said().rsplit("reload: ", 1)[1].split("\n")[0]
    check(f"reload: {want}", want in last, last)


def test_tls():
    if not os.path.exists(os.path.join(FOLDER, "one.pem")):
        print("skipped: no openssl for certificates")
        return
    copy("one", "now")
    now, unix = os.path.join(FOLDER, "now"), os.path.join(FOLDER, "tls.sock")
    options = ("--cert", now + ".pem", "--tls-key", now + ".key", "--headers-s", 2, "--max-body", 100000)
    with Probe(*options, listen=("127.0.0.1:0", "unix:" + unix)) as p:
        p.counts = lambda: unix_counts(unix)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with p.connect() as s, context(version).wrap_socket(s) as t:
                t.sendall(get("/stream?5,2") + post("/echo", b"x" * 50000))
                a = Answer(t)
                check("a stream", a.body.count(b"data: ") == 5, a.raw)
                a = Answer(t, a.rest)
                check("a body", a.body == b"x" * 50000, a.status)
                t.sendall(get("/big?3000000"))
                check("a long answer", len(Answer(t).body) == 3000000)
        old = context()
        with contextlib.suppress(ValueError):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        try:
            with p.connect() as s, old.wrap_socket(s):
                check("TLS 1.1 is refused", False)
        except (ssl.SSLError, OSError):
            pass
        with p.connect() as s, context().wrap_socket(s) as t:
            with contextlib.suppress(OSError):
                t.sendall(CHUNKED + b"%x\r\n" % 200000 + b"x" * 200000)
            a = Answer(t)
            check("413 in the middle of a body", a.status == 413, a.raw)
        gone = p.counts()["gone"]
        with p.connect() as s:
            t = context().wrap_socket(s)
            t.sendall(get("/slow?1000000"))
            p.until("it waits", lambda c: c["exchanges"] == 2)
            t.close()
        p.until("a client that leaves under TLS", lambda c: c["gone"] == gone + 1)
        hello = client_hello()
        for n in (0, 1, 5, len(hello) // 2, len(hello)):  # aborts in the handshake
            for how in (reset, lambda s: s.close()):
                s = p.connect()
                s.sendall(hello[:n])
                how(s)
        s = p.connect()
        s.sendall(hello[:20])
        after, _ = closed_after(s)
        check("a handshake that stops is ended", after > 1.5, after)
        s = p.connect()
        s.sendall(get("/health"))
        check("HTTP to a TLS port", not statuses(everything(s)))
        p.until("all have gone", lambda c: c["connections"] == 1)
        check("the certificate", tls_name(p) == b"one")
        copy("two", "now")
        check("not yet another", tls_name(p) == b"one")
        over = []
        load = threading.Thread(target=lambda: ask_until(p, over))
        load.start()
        reload(p, "ok")
        check("another", tls_name(p) == b"two")
        with open(now + ".pem", "w", encoding="utf-8") as f:
            f.write("-----BEGIN CERTIFICATE-----\nnonsense\n")
        reload(p, "now.pem")
        check("a bad one leaves the old one", tls_name(p) == b"two")
        copy("two", "now")
        with open(os.path.join(FOLDER, "one.key"), "rb") as f, open(now + ".key", "wb") as out:
            out.write(f.read())
        reload(p, "is not the key of")
        os.remove(now + ".key")
        reload(p, "cannot be read")
        check("a bad key leaves the old one", tls_name(p) == b"two")
        for i in range(10):
            copy(("one", "two")[i % 2], "now")
            reload(p, "ok")
        over.append(True)
        load.join()
        check("under load", over[0] is True, over[:3])
        check("the last", tls_name(p) == b"two")
    for cert, key, want in (("two.pem", "one.key", "is not the key"), ("none.pem", "one.key", "none.pem"),
                            ("one.key", "one.key", "no certificate")):
        other = subprocess.run([PROBE, "--cert", os.path.join(FOLDER, cert), "--tls-key", os.path.join(FOLDER, key),
                                "--listen", "127.0.0.1:0"], capture_output=True, text=True)
        check(f"{cert} and {key}", other.returncode == 1 and want in other.stderr, other.stderr)


def unix_counts(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(get("/counts"))
        return json.loads(Answer(s).body)


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    t = context().wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        t.do_handshake()
    return outgoing.read()


def ask_until(p, over):
    while not over:
        with p.connect() as s, context().wrap_socket(s) as t:
            t.sendall(post("/echo", b"load"))
            a = Answer(t)
            if a.body != b"load":
                over.append(a.raw)


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    names = sys.argv[4:] or [n[5:] for n in globals() if n.startswith("test_")]
    for name in names:
        began = time.monotonic()
        globals()["test_" + name]()
        print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
    return bool(failures)


sys.exit(main())
