"""serve_soak.py - many clients of all kinds at once, for a while: see e2e_serve_soak.sh, `make soak`.

Every request has a fixed seed, so its answer is known from having been asked alone before. While the
clients run, some leave in the middle, some read slowly, and keys are read again. In the end every
request that the server began to answer is a line of its log, memory has not grown, and the server
ends with exit code 0. Environment: INGLE_SOAK is the time in seconds (8), INGLE_SOAK_CLIENTS their
number (64; 16 under ThreadSanitizer), INGLE_SANITIZER not empty: the program's memory is not what it would be.
"""
import http.client
import json
import os
import random
import signal
import tempfile
import threading
import time

from serve import Server, check, equal, finish, sse

SECONDS = float(os.environ.get("INGLE_SOAK") or 8)
CLIENTS = int(os.environ.get("INGLE_SOAK_CLIENTS") or
              (16 if os.environ.get("INGLE_SANITIZER") == "thread" else 64))
KEY = "soak-key-of-all"
GROWTH = 24 << 20  # bytes that kept prompts and answers, and the heap's holes, may take
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"


def user(text):
    return [{"role": "user", "content": text}]


def function(name, *members):
    return {"type": "function", "function": {
        "name": name, "description": f"Looks up {name}.", "parameters": {
            "type": "object", "properties": {m: {"type": "string", "maxLength": 8} for m in members},
            "required": list(members), "additionalProperties": False}}}


TOOLS = [function("weather", "city"), function("clock", "zone")]
OTHERS = [{"name": t["function"]["name"], "description": t["function"]["description"],
           "input_schema": t["function"]["parameters"]} for t in TOOLS]
SYSTEM = {"role": "system", "content": "You are an assistant that answers in few words. " * 6}
TURNS = [SYSTEM] + user("What is a tree?") + [
    {"role": "assistant", "content": "A large plant."}] + user("And a forest?")
SCHEMA = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}, "n": {"type": "boolean"}},
          "required": ["a", "n"], "additionalProperties": False}


def chat(**more):
    return "POST", CHAT, {"messages": user("Hello! Who are you?"), "max_tokens": 24, "seed": 5,
                          "temperature": 0.9, **more}


def anthropic(**more):
    return "POST", MESSAGES, {"messages": user("Hello! Who are you?"), "max_tokens": 24, "seed": 6,
                              "temperature": 0.9, **more}


REQUESTS = {
    "chat": chat(),
    "chat of turns": chat(messages=TURNS, seed=11),
    "chat, greedy": chat(temperature=0, max_tokens=60),
    "chat, long": chat(max_tokens=300, ignore_eos=True, seed=13),
    "chat, filtered": chat(top_k=20, top_p=0.8, min_p=0.02, repeat_penalty=1.2, seed=14),
    "chat, stop": chat(stop=["e", "."], seed=15),
    "chat, alone": chat(cache_prompt=False, seed=16),
    "three answers": chat(n=3, seed=17),
    "log-probabilities": chat(logprobs=True, top_logprobs=3, seed=18),
    "a schema": chat(json_schema=SCHEMA, max_tokens=60, seed=19),
    "a format": chat(response_format={"type": "json_object"}, seed=20),
    "a grammar": chat(grammar='root ::= ("a" | "bc" root)+', seed=21),
    "a choice": chat(guided_choice=["yes", "no", "perhaps"], seed=22),
    "tools": chat(tools=TOOLS, seed=23),
    "a call": chat(tools=TOOLS, tool_choice="required", max_tokens=80, seed=24),
    "thinking": chat(reasoning_budget=8, seed=25),
    "stream": chat(stream=True, seed=26),
    "stream, long": chat(stream=True, max_tokens=300, ignore_eos=True, seed=27),
    "stream of three": chat(stream=True, n=3, logprobs=True, seed=28),
    "stream of a call": chat(stream=True, tools=TOOLS, tool_choice="required", max_tokens=80, seed=29),
    "stream of turns": chat(stream=True, messages=TURNS, seed=30, stream_options={
        "include_usage": True}),
    "message": anthropic(),
    "message of turns": anthropic(system=SYSTEM["content"], messages=TURNS[1:], seed=31),
    "message, thinking": anthropic(thinking={"type": "adaptive"}, seed=32),
    "message, a call": anthropic(tools=OTHERS, tool_choice={"type": "any"}, max_tokens=80, seed=33),
    "message stream": anthropic(stream=True, seed=34),
    "message stream, long": anthropic(stream=True, max_tokens=300, ignore_eos=True, seed=35),
    "message stream of a call": anthropic(stream=True, tools=OTHERS, tool_choice={"type": "any"},
                                          max_tokens=80, seed=36),
    "counting": ("POST", MESSAGES + "/count_tokens", {"messages": user("How many?"), "tools": OTHERS}),
    "counting of chat": ("POST", CHAT + "/input_tokens", {"messages": TURNS}),
    "models": ("GET", "/v1/models", None),
    "a model": ("GET", "/v1/models/tiny-chat", None),
    "health": ("GET", "/health", None),
    "openapi": ("GET", "/openapi.json", None),
    "no JSON": ("POST", CHAT, "{"),
    "no messages": ("POST", CHAT, {"model": "m"}),
    "a wrong value": chat(temperature="hot"),
    "a wrong grammar": chat(grammar="root ::= ("),
    "too long": chat(messages=user("word " * 3000)),
    "a wrong message": anthropic(messages=[{"role": "robot", "content": "x"}]),
    "no path": ("GET", "/v1/nothing", None),
    "no method": ("GET", CHAT, None),
}
SLOW = os.environ.get("INGLE_SANITIZER") == "thread"
NAMES = sorted(REQUESTS)[::3 if SLOW else 1]
STREAMS = {name for name, (_, _, body) in REQUESTS.items()
           if isinstance(body, dict) and body.get("stream")}

# ---- what of an answer does not depend on when it was asked for


def without(value, *names):
    if isinstance(value, dict):
        return {k: without(v, *names) for k, v in value.items() if k not in names}
    return [without(v, *names) for v in value] if isinstance(value, list) else value


def essence(value):
    """Without ids, times and what the cache had."""
    if not isinstance(value, dict):
        return value
    value = without(value, "id", "created", "request_id", "x_request_id", "prompt_tokens_details",
                    "cache_creation_input_tokens", "cache_read_input_tokens", "input_tokens"
                    if "usage" in value else "", "signature", "timings", "cache_creation")
    return json.dumps(value, sort_keys=True)


def chat_stream(events):
    """Texts, calls and ends by choice."""
    check("a stream ends with [DONE]", events and events[-1][1] == "[DONE]", events[-1:])
    choices = {}
    for _, data in events[:-1]:
        part = json.loads(data)
        check("no error in a stream", "error" not in part, part)
        for c in part.get("choices", []):
            own = choices.setdefault(c["index"], {"text": "", "thinking": "", "args": "", "names": [],
                                                  "end": None, "logprobs": []})
            delta = c["delta"]
            own["text"] += delta.get("content") or ""
            own["thinking"] += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls") or []:
                own["args"] += call["function"].get("arguments") or ""
                own["names"] += [call["function"]["name"]] if call["function"].get("name") else []
            if c.get("logprobs"):
                own["logprobs"] += [t["logprob"] for t in c["logprobs"]["content"]]
            own["end"] = c["finish_reason"] or own["end"]
    return json.dumps(choices, sort_keys=True)


def message_stream(events):
    found, end = [], None
    check("a stream ends with message_stop", events and events[-1][0] == "message_stop", events[-1:])
    for name, data in events:
        part = json.loads(data)
        check("no error in a stream", name != "error", part)
        if name == "content_block_start":
            found.append([part["content_block"]["type"], part["content_block"].get("name"), ""])
        elif name == "content_block_delta":
            delta = part["delta"]
            found[-1][2] += delta.get("text") or delta.get("thinking") or delta.get("partial_json") or ""
        elif name == "message_delta":
            end = [part["delta"]["stop_reason"], part["usage"]["output_tokens"]]
    return json.dumps([found, end])


def read_answer(name, response):
    """(status, essence)"""
    if name in STREAMS and response.status == 200:
        events = list(sse(response))
        fold = message_stream if REQUESTS[name][1] == MESSAGES else chat_stream
        return 200, fold(events)
    data = response.read()
    try:
        return response.status, essence(json.loads(data))
    except ValueError:
        return response.status, data.decode("utf-8")


# ---- clients


class Slow:
    """A response that is read in small pieces, with pauses."""

    def __init__(self, response, rng):
        self.response, self.rng, self.status, self.rest = response, rng, response.status, b""

    def read(self):
        data = b""
        while True:
            piece = self.response.read1(self.rng.randrange(1, 400))
            if not piece:
                return data
            data += piece
            time.sleep(self.rng.random() * 0.05)

    def __iter__(self):
        return iter(self.read().splitlines(keepends=True))


class Client(threading.Thread):
    def __init__(self, soak, number):
        super().__init__()
        self.soak, self.rng = soak, random.Random(number)
        self.connection = None

    def send(self, name, key=KEY):
        method, path, body = REQUESTS[name]
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        if not self.connection:
            self.connection = self.soak.server.connection()
        self.soak.sent(1)
        self.connection.request(method, path, body, {"Content-Type": "application/json",
                                                     "Authorization": "Bearer " + key})

    def leave(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def response(self):
        r = self.connection.getresponse()
        self.soak.begun(r.getheader("x-request-id") or r.getheader("request-id"))
        return r

    def whole(self, name, slow):
        self.send(name)
        r = self.response()
        seen = read_answer(name, Slow(r, self.rng) if slow else r)
        if seen != self.soak.wanted[name]:
            check(f"'{name}' is answered as it was alone: {self.soak.wanted[name]}", False, seen)
        self.soak.count("slow" if slow else "whole")
        if slow or r.will_close or self.rng.random() < 0.3:
            self.leave()

    def abort(self, name):
        """Leaves at once, or in the middle of the answer."""
        self.send(name)
        if self.rng.random() < 0.5:
            r = self.response()
            r.read(self.rng.randrange(1, 2000))
            r.close()
        else:
            time.sleep(self.rng.random() * 0.05)
        self.soak.count("left")
        self.leave()

    def half(self):
        """A body that never ends."""
        self.connection = self.soak.server.connection()
        self.connection.connect()
        self.connection.sock.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nx-api-key: "
                                     + KEY.encode() + b"\r\nContent-Length: 100000\r\n\r\n{\"mess")
        self.soak.sent(1)
        time.sleep(self.rng.random() * 0.02)
        self.soak.count("half")
        self.leave()

    def stranger(self):
        self.send(self.rng.choice(["chat", "models", "message"]), "another-key")
        r = self.response()
        equal("a key that is none", (r.status, bool(r.read())), (401, True))
        self.soak.count("refused")
        self.leave()

    def run(self):
        while time.monotonic() < self.soak.end:
            name, how = self.rng.choice(NAMES), self.rng.random()
            try:
                if how < 0.7:
                    self.whole(name, False)
                elif how < 0.78:
                    self.whole(name, True)
                elif how < 0.94:
                    self.abort(name)
                elif how < 0.97:
                    self.half()
                else:
                    self.stranger()
            except (OSError, http.client.HTTPException) as e:
                check(f"'{name}' has an answer", False, repr(e))
                self.leave()
            if self.soak.server.process.poll() is not None:
                return
        self.leave()


# ---- the soak


class Soak:
    def __init__(self, folder):
        self.lock = threading.Lock()
        self.keys = os.path.join(folder, "keys")
        self.write_keys(0)
        self.server = Server("-c", "1024", "-np", "8", "--queue", "0", "--api-key-file", self.keys,
                             "--verbose", "--max-per-peer", str(4 * CLIENTS + 64))
        self.ids, self.n_sent, self.counts, self.rss = [], 0, {}, []
        self.wanted = {}

    def write_keys(self, n):
        fresh = self.keys + ".new"
        with open(fresh, "w", encoding="utf-8") as f:
            f.write(f"{KEY} user soak\nkey-{n} user other\n")
        os.replace(fresh, self.keys)

    def sent(self, n):
        with self.lock:
            self.n_sent += n

    def begun(self, name):
        with self.lock:
            self.ids.append(name)

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def learn(self):
        """What every request is answered when it is alone; twice, as the first fills the cache."""
        self.end = 0
        c = Client(self, 0)
        for name in NAMES:
            seen = []
            for _ in range(2):
                c.send(name)
                seen.append(read_answer(name, c.response()))
                c.leave()
            equal(f"'{name}' asked for again", seen[1], seen[0])
            self.wanted[name] = seen[0]

    def memory(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmRSS"))

    def watch(self):
        """Reads memory and has keys read again, until the time is over."""
        n = 0
        while time.monotonic() < self.end and self.server.process.poll() is None:
            time.sleep(0.25)
            self.rss.append(self.memory())
            n += 1
            if n % 3 == 0:
                self.write_keys(n)
                self.server.process.send_signal(signal.SIGHUP)

    def run(self):
        self.learn()
        self.end = time.monotonic() + SECONDS
        clients = [Client(self, i + 1) for i in range(CLIENTS)]
        for c in clients:
            c.start()
        self.watch()
        for c in clients:
            c.join()

    def alone_again(self):
        c = Client(self, 0)
        for name in NAMES:
            c.send(name)
            equal(f"'{name}' after all", read_answer(name, c.response()), self.wanted[name])
            c.leave()

    def check_log(self):
        """Every answer that was begun is a line, and no line is of another request."""
        lines = [line["id"] for line in self.server.log]
        equal("lines of the log are of different requests", len(set(lines)), len(lines))
        lost = set(self.ids) - set(lines)
        check("no request is lost", not lost, (len(lost), list(lost)[:3]))
        check("there are no more lines than requests", len(lines) <= self.n_sent,
              (len(lines), self.n_sent))
        check("answers have ids", None not in self.ids and len(set(self.ids)) == len(self.ids))

    def check_memory(self):
        if os.environ.get("INGLE_SANITIZER") or len(self.rss) < 12:
            return
        half = len(self.rss) // 2
        warm, late = max(self.rss[half // 2:half]), min(self.rss[-4:])
        check("memory does not grow", late <= warm + GROWTH, (warm >> 10, late >> 10))


def main():
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(folder)
        soak.run()
        if soak.server.process.poll() is None:
            soak.alone_again()
        code = soak.server.stop()
        check("the server ends with exit code 0", code == 0, (code, "".join(soak.server.err)[-4000:]))
        soak.check_log()
        soak.check_memory()
        reloads = sum("were read again" in line for line in soak.server.err)
        check("keys were read again", reloads > 0, soak.server.err[-3:])
        kinds = ", ".join(f"{n} {what}" for what, n in sorted(soak.counts.items()))
        print(f"{soak.n_sent} requests: {kinds}; {reloads} reloads; memory "
              f"{min(soak.rss) >> 20} to {max(soak.rss) >> 20} MiB")
    finish()


main()
