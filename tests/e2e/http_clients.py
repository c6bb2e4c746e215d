"""http_clients.py - curl, httpx and aiohttp against `ingle serve`; see e2e_http_clients.sh."""
import asyncio
import json
import os
import ssl
import subprocess
import tempfile

import aiohttp
import httpx

from serve import Server, check, equal, finish

CHAT = "/v1/chat/completions"
BODY = {"model": "tiny-chat", "messages": [{"role": "user", "content": "Hello! Who are you?"}],
        "max_tokens": 24, "temperature": 0}
STREAM = {**BODY, "stream": True}
TEXT = json.dumps(BODY)


def curl(*args, data=None):
    """(output, what -w printed) of curl; it has to succeed."""
    run = subprocess.run(["curl", "-sS", "-w", "\n%{http_code} %{num_connects} %{http_version}",
                          *args], input=data, capture_output=True, text=True)
    check(f"curl {args[-1]} succeeds", run.returncode == 0, run.stderr)
    out, _, written = run.stdout.rpartition("\n")
    return out, written


def answer(value):
    return value["choices"][0]["message"]["content"]


def events(lines):
    """The text of a stream's lines, which has to end as it should."""
    data = [line[6:].rstrip() for line in lines if line.startswith("data: ")]
    equal("a stream ends with [DONE]", data[-1], "[DONE]")
    return "".join(json.loads(d)["choices"][0]["delta"].get("content") or "" for d in data[:-1])


def test_curl(s, text):
    url = f"http://127.0.0.1:{s.port}"
    out, written = curl("-d", TEXT, url + CHAT)
    equal("curl, with its content type for forms", (answer(json.loads(out)), written),
          (text, "200 1 1.1"))
    out, written = curl("-H", "Content-Type: application/json", "-d", TEXT, "--http1.0", url + CHAT)
    equal("HTTP/1.0", (answer(json.loads(out)), written.split()[0]), (text, "200"))
    out, _ = curl("-N", "--http1.0", "-d", json.dumps(STREAM), url + CHAT)
    equal("a stream over HTTP/1.0", events(out.split("\n")), text)
    out, written = curl("-H", "Transfer-Encoding: chunked", "-d", "@-", url + CHAT, data=TEXT)
    equal("a chunked body", (answer(json.loads(out)), written.split()[0]), (text, "200"))
    out, written = curl("-H", "Expect: 100-continue", "-d", TEXT, url + CHAT)
    equal("a client that asks first", (answer(json.loads(out)), written.split()[0]), (text, "200"))
    out, written = curl("-I", url + "/health")
    equal("HEAD", (written.split()[0], out.split("\n")[0]), ("200", "HTTP/1.1 200 OK"))
    out, written = curl("-X", "OPTIONS", "-H", "Origin: http://localhost:3000", "-i", "-H",
                        "Access-Control-Request-Method: POST", url + CHAT)
    check("a page of this machine may ask", "Access-Control-Allow-Origin: http://localhost:3000" in
          out and written[:2] == "20", out)
    run = subprocess.run(["curl", "-sS", "-o", os.devnull, "-w", "%{num_connects} ", url + "/health",
                          "-o", os.devnull, url + "/v1/models", "-o", os.devnull, url + "/none"],
                         capture_output=True, text=True)
    equal("three requests, one connection", run.stdout.split(), ["1", "0", "0"])
    with tempfile.NamedTemporaryFile("w") as f:
        f.write(json.dumps({**BODY, "messages": [{"role": "user", "content": "a " * 400000}]}))
        f.flush()
        out, written = curl("-d", f"@{f.name}", url + CHAT)
    equal("a large body is read, and its prompt refused",
          (json.loads(out)["error"]["code"], written.split()[0]), ("context_length_exceeded", "400"))


def test_httpx(s, text):
    base = f"http://127.0.0.1:{s.port}"
    with httpx.Client(base_url=base, timeout=None) as client:
        for _ in range(3):
            equal("httpx", answer(client.post(CHAT, json=BODY).json()), text)
        with client.stream("POST", CHAT, json=STREAM) as r:
            equal("a stream's type", (r.status_code, r.headers["content-type"].split(";")[0]),
                  (200, "text/event-stream"))
            equal("its text", events(r.iter_lines()), text)
        pieces = (TEXT[i:i + 7].encode() for i in range(0, len(TEXT), 7))
        equal("a body in pieces", answer(client.post(CHAT, content=pieces).json()), text)
        equal("an error keeps the connection", client.get("/none").status_code, 404)
        equal("and the next request", client.get("/health").json(), {"status": "ok"})
    since = len(s.log)
    with httpx.Client(base_url=base, timeout=None) as client:
        with client.stream("POST", CHAT, json={**STREAM, "max_tokens": 4000, "ignore_eos": True}) as r:
            next(r.iter_bytes())
    line = s.logged(lambda l: l.get("finish") == "cancelled", since)
    check("a stream that is left is cancelled", line and line["generated"] < 4000, line)


async def test_aiohttp(s, text):
    async with aiohttp.ClientSession(f"http://127.0.0.1:{s.port}") as session:
        async def ask():
            async with session.post(CHAT, json=BODY) as r:
                return answer(await r.json())
        equal("aiohttp, 20 at once", set(await asyncio.gather(*(ask() for _ in range(20)))), {text})
        async with session.post(CHAT, json=STREAM) as r:
            lines = [line.decode().rstrip("\n") async for line in r.content]
            equal("a stream", events(lines), text)

        async def pieces():
            for i in range(0, len(TEXT), 11):
                yield TEXT[i:i + 11].encode()
                await asyncio.sleep(0)
        async with session.post(CHAT, data=pieces()) as r:
            equal("a body in pieces", answer(await r.json()), text)


def certificate(folder):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days",
                    "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return cert, key


async def tls_aiohttp(base, context, text):
    async with aiohttp.ClientSession() as session:
        async with session.post(base + CHAT, json=STREAM, ssl=context) as r:
            lines = [line.decode().rstrip("\n") async for line in r.content]
            equal("aiohttp, TLS", events(lines), text)


def test_tls(folder, text):
    cert, key = certificate(folder)
    with Server("-c", "4096", "--tls-cert", cert, "--tls-key", key) as s:
        base = f"https://127.0.0.1:{s.port}"
        for version in ("1.2", "1.3"):
            out, written = curl("--cacert", cert, f"--tlsv{version}", "--tls-max", version, "-d",
                                TEXT, base + CHAT)
            equal(f"TLS {version}", (answer(json.loads(out)), written.split()[0]), (text, "200"))
        context = ssl.create_default_context(cafile=cert)
        with httpx.Client(base_url=base, verify=context, timeout=None) as client:
            equal("httpx, TLS", answer(client.post(CHAT, json=BODY).json()), text)
            with client.stream("POST", CHAT, json=STREAM) as r:
                equal("and a stream", events(r.iter_lines()), text)
        asyncio.run(tls_aiohttp(base, context, text))
        run = subprocess.run(["curl", "-sS", base + "/health"], capture_output=True, text=True)
        equal("who does not know the certificate stays away", run.returncode, 60)


async def unix_aiohttp(path, text):
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=path)) as session:
        async with session.post("http://localhost" + CHAT, json=STREAM) as r:
            lines = [line.decode().rstrip("\n") async for line in r.content]
            equal("aiohttp, Unix socket", events(lines), text)


def test_unix(folder, text):
    path = os.path.join(folder, "ingle.sock")
    with Server("-c", "4096", "--listen", f"unix:{path}") as s:
        equal("its permissions", os.stat(path).st_mode & 0o777, 0o600)
        out, written = curl("--unix-socket", path, "-d", TEXT, "http://localhost" + CHAT)
        equal("curl, Unix socket", (answer(json.loads(out)), written.split()[0]), (text, "200"))
        with httpx.Client(transport=httpx.HTTPTransport(uds=path), base_url="http://localhost",
                          timeout=None) as client:
            equal("httpx, Unix socket", answer(client.post(CHAT, json=BODY).json()), text)
        asyncio.run(unix_aiohttp(path, text))
        equal("and over TCP", answer(s.post(CHAT, BODY)[2]), text)
    check("the socket's file is gone", not os.path.exists(path))


def main():
    with Server("-c", "4096") as s:
        text = answer(s.post(CHAT, BODY)[2])
        test_curl(s, text)
        test_httpx(s, text)
        asyncio.run(test_aiohttp(s, text))
    with tempfile.TemporaryDirectory() as folder:
        test_tls(folder, text)
        test_unix(folder, text)
    finish()


main()
