"""serve_chat.py - OpenAI's chat completions and models, errors, leaving clients; see e2e_serve.sh."""
import json
import signal
import threading
import time

from serve import Server, check, equal, finish

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Hello! Who are you?"}]


def ask(**more):
    return {"model": "tiny-chat", "messages": HELLO, "max_tokens": 24, "temperature": 0, **more}


def chunks(server, body):
    events = server.events(CHAT, body)
    equal("a stream ends with [DONE]", events[-1][1], "[DONE]")
    return [json.loads(data) for _, data in events[:-1]]


def test_models(s):
    status, _, health = s.request("GET", "/health")
    equal("health", (status, health), (200, {"status": "ok"}))
    status, _, models = s.request("GET", "/v1/models")
    equal("models", (status, models["object"], len(models["data"])), (200, "list", 1))
    model = models["data"][0]
    equal("its name", model["id"], "tiny-chat")
    check("its context", model["context_length"] == model["max_model_len"] >= 1024, model)
    status, _, one = s.request("GET", "/v1/models/tiny-chat")
    equal("one model", (status, one), (200, model))
    status, headers, error = s.request("GET", "/v1/nothing")
    equal("an unknown path", (status, error["error"]["code"]), (404, "not_found"))
    check("every answer has an id", headers["x-request-id"].startswith("req_"), headers)
    status, _, error = s.request("GET", CHAT)
    equal("a wrong method", (status, error["error"]["code"]), (405, "method_not_allowed"))


def test_whole(s):
    status, headers, a = s.post(CHAT, ask())
    equal("an answer", (status, a.get("object")), (200, "chat.completion"))
    choice = a["choices"][0]
    equal("its role", choice["message"]["role"], "assistant")
    check("its text", len(choice["message"]["content"]) > 0, a)
    check("why it ended", choice["finish_reason"] in ("stop", "length"), a)
    usage = a["usage"]
    equal("tokens add up", usage["total_tokens"],
          usage["prompt_tokens"] + usage["completion_tokens"])
    check("ids differ", s.post(CHAT, ask())[2]["id"] != a["id"])
    equal("the same request, the same text", s.post(CHAT, ask())[2]["choices"], a["choices"])
    status, _, capped = s.post(CHAT, ask(max_tokens=1))
    equal("cut off", (status, capped["choices"][0]["finish_reason"],
                      capped["usage"]["completion_tokens"]), (200, "length", 1))
    status, _, large = s.post(CHAT, ask(max_tokens=32000))
    equal("a large max_tokens is a bound", status, 200)


def test_stream(s):
    whole = s.post(CHAT, ask())[2]
    parts = chunks(s, ask(stream=True, stream_options={"include_usage": True}))
    equal("one id", len({(c["id"], c["created"], c["system_fingerprint"]) for c in parts}), 1)
    first = parts[0]["choices"][0]
    equal("the first chunk has the role", first["delta"], {"role": "assistant", "content": ""})
    equal("and no other", [c for c in parts[1:] if c["choices"] and
                           "role" in c["choices"][0]["delta"]], [])
    text = "".join(c["choices"][0]["delta"].get("content") or "" for c in parts if c["choices"])
    equal("streamed text", text, whole["choices"][0]["message"]["content"])
    last, usage = parts[-2], parts[-1]
    equal("the finish chunk", (last["choices"][0]["delta"], last["choices"][0]["finish_reason"]),
          ({}, whole["choices"][0]["finish_reason"]))
    equal("the usage chunk", (usage["choices"], usage["usage"]["completion_tokens"]),
          ([], whole["usage"]["completion_tokens"]))
    check("earlier ones say null", all(c["usage"] is None for c in parts[:-1]), parts[0])


def test_choices(s):
    body = ask(n=3, temperature=1, seed=7, logprobs=True, top_logprobs=2)
    status, _, a = s.post(CHAT, body)
    equal("three choices", (status, [c["index"] for c in a["choices"]]), (200, [0, 1, 2]))
    for i, c in enumerate(a["choices"]):
        alone = s.post(CHAT, {**body, "n": 1, "seed": 7 + i})[2]["choices"][0]
        equal("a choice is the answer to its seed", c["message"], alone["message"])
        tokens = c["logprobs"]["content"]
        text = b"".join(bytes(t["bytes"]) for t in tokens).decode("utf-8")
        check("tokens spell the text", text.startswith(c["message"]["content"]), (text, c))
        check("two alternatives", all(len(t["top_logprobs"]) == 2 for t in tokens), tokens)
    streamed = {}
    for c in chunks(s, {**body, "stream": True}):
        for choice in c["choices"]:
            streamed.setdefault(choice["index"], []).append(choice)
    for i, c in enumerate(a["choices"]):
        text = "".join(x["delta"].get("content") or "" for x in streamed[i])
        equal("a streamed choice", text, c["message"]["content"])
        told = [t for x in streamed[i] if x["logprobs"] for t in x["logprobs"]["content"]]
        equal("its log-probabilities", told, c["logprobs"]["content"])


def test_stops(s):
    whole = s.post(CHAT, ask(max_tokens=60))[2]
    text = whole["choices"][0]["message"]["content"]
    for stop in (text[8:12], [text[20:23], text[9:30]], text[-3:]):
        first = min(text.find(x) for x in ([stop] if isinstance(stop, str) else stop))
        a = s.post(CHAT, ask(max_tokens=60, stop=stop, logprobs=True))[2]["choices"][0]
        equal("text before the stop", (a["message"]["content"], a["finish_reason"]),
              (text[:first], "stop"))
        shown = b"".join(bytes(t["bytes"]) for t in a["logprobs"]["content"]).decode()
        check("tokens of that text alone", text[:first].startswith(shown), (shown, text[:first]))
        streamed = chunks(s, ask(max_tokens=60, stop=stop, stream=True))
        equal("streamed", "".join(c["choices"][0]["delta"].get("content") or "" for c in streamed),
              text[:first])
    body = ask(max_tokens=60, n=2, temperature=1, seed=3)
    both = s.post(CHAT, body)[2]["choices"]
    stop = both[0]["message"]["content"][3:7]
    for c, was in zip(s.post(CHAT, {**body, "stop": stop})[2]["choices"], both):
        equal("a choice alone is stopped", c["message"]["content"],
              was["message"]["content"].split(stop)[0])
    tools = [{"type": "function", "function": {"name": "f", "parameters": {
        "type": "object", "properties": {"a": {"const": "x y z"}}, "required": ["a"]}}}]
    call = s.post(CHAT, ask(max_tokens=60, stop=["y", "<tool_call>", "{"], tools=tools,
                            tool_choice="required"))[2]["choices"][0]
    equal("a stop does not stop a call", (call["finish_reason"], json.loads(
        call["message"]["tool_calls"][0]["function"]["arguments"])), ("tool_calls", {"a": "x y z"}))


def test_errors(s):
    def refused(what, body, status, **wanted):
        got, _, a = s.post(CHAT, body)
        error = a["error"] if isinstance(a, dict) else {}
        equal(what, (got, {k: error.get(k) for k in wanted}), (status, wanted))

    refused("no JSON", "{", 400, code="invalid_json")
    refused("no object", "[]", 400, code="invalid_json")
    refused("an empty body", "", 400, code="invalid_json")
    refused("a name twice", '{"messages":[],"messages":[]}', 400, code="invalid_json")
    refused("no messages", {"model": "m"}, 400, param="messages")
    refused("a wrong type", ask(temperature="hot"), 400, param="temperature")
    refused("out of range", ask(temperature=-1), 400, param="temperature")
    refused("a wrong role", {"messages": [{"role": "robot", "content": ""}]}, 400,
            param="messages[0].role")
    refused("an image", {"messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "http://x/"}}]}]}, 400,
        param="messages[0].content[0].type")
    refused("a slip of the pen", ask(temperatur=1), 400, param="temperatur")
    long = ask(messages=[{"role": "user", "content": "word " * 40000}])
    refused("a prompt too long", long, 400, code="context_length_exceeded")
    check("it says by how much", s.post(CHAT, long)[2]["error"]["n_prompt_tokens"] > 40000)
    status, headers, _ = s.post(CHAT, ask(user="me", some_new_field=1))
    equal("unknown members are accepted", status, 200)
    check("and named", "some_new_field" in headers.get("ingle-ignored", ""), headers)
    status, _, a = s.post(CHAT, ask(some_new_field=1), {"Ingle-Strict": "1"})
    equal("or refused on request", (status, a["error"]["param"]), (400, "some_new_field"))


def test_leaving(s):
    """A client that goes frees its request, and disturbs nobody."""
    alone = s.post(CHAT, ask(max_tokens=200))[2]["choices"]
    since = len(s.log)
    c, r = s.stream(CHAT, ask(max_tokens=900, stream=True, ignore_eos=True, temperature=1))
    other = []
    thread = threading.Thread(target=lambda: other.append(s.post(CHAT, ask(max_tokens=200))[2]))
    thread.start()
    r.read(200)
    c.sock.close() if c.sock else r.close()
    r.close()
    thread.join()
    equal("the other one's answer", other[0]["choices"], alone)
    line = s.logged(lambda l: l.get("finish") == "cancelled", since)
    check("it was cancelled", line and line["generated"] < 900, line)
    for _ in range(20):  # and not only once
        c, r = s.stream(CHAT, ask(max_tokens=900, stream=True, ignore_eos=True))
        r.read(1)
        r.close()
        c.close()
    equal("the server goes on", s.post(CHAT, ask(max_tokens=200))[2]["choices"], alone)


def test_cache(s):
    """What was computed of a conversation serves again."""
    messages = [{"role": "system", "content": "You are a helpful assistant. " * 8}] + HELLO
    first = s.post(CHAT, ask(messages=messages))[2]
    messages += [first["choices"][0]["message"], {"role": "user", "content": "And now?"}]
    _, _, second = s.post(CHAT, ask(messages=messages), {"Ingle-Report": "1"})
    report = second["ingle"]
    check("the second turn computes what is new", report["computed"] <= 64, report)
    equal("what is not reused is computed", report["computed"],
          report["prompt"] - report["reused_ram"])
    equal("the kept answer was taken", report["answers"], 1)
    off = s.post(CHAT, ask(messages=messages, cache_prompt=False))[2]
    equal("without reuse the same text", off["choices"], second["choices"])
    equal("and nothing reused", off["usage"]["prompt_tokens_details"]["cached_tokens"], 0)


def test_control():
    """Thinking is closed while the answer is under way; what the client reads stays a whole stream."""
    with Server("-c", "1024", "--family", "qwen3") as s:
        body = ask(stream=True, max_tokens=900, grammar='root ::= "@" "done"')
        long = s.post(CHAT, {**body, "stream": False})[2]
        check("alone it thinks for long", long["usage"]["completion_tokens_details"]
              ["reasoning_tokens"] > 200, long)
        c, r = s.stream(CHAT, body)
        ident = json.loads(r.readline()[6:])["id"]
        status, _, a = s.post(CHAT + "/control", {"id": ident, "action": "reasoning_end"})
        equal("thinking is ended", (status, a), (200, {"success": True}))
        rest = r.read().decode()
        check("the stream goes on to its end", rest.endswith("data: [DONE]\n\n"), rest[-300:])
        deltas = [json.loads(x[6:])["choices"][0]["delta"] for x in rest.splitlines()
                  if x.startswith("data: {")]
        equal("with the answer", "".join(d.get("content") or "" for d in deltas), "@done")
        check("after less thinking", sum("reasoning_content" in d for d in deltas) < 800)
        c.close()
        for body, param in (({"id": ident}, "action"), ({"action": "reasoning_end"}, "id"),
                            ({"id": ident, "action": "stop"}, "action")):
            status, _, a = s.post(CHAT + "/control", body)
            equal("a faulty call", (status, a["error"]["param"]), (400, param))
        status, _, a = s.post(CHAT + "/control", {"id": ident, "action": "reasoning_end"})
        equal("an answer that has ended", (status, a["error"]["code"]), (404, "not_found"))


def test_drain():
    """A signal ends the server when what runs has ended."""
    with Server("-c", "1024", "--grace", "3600") as s:
        c, r = s.stream(CHAT, ask(max_tokens=400, stream=True, ignore_eos=True))
        r.read(100)
        s.process.send_signal(signal.SIGTERM)
        rest = r.read()
        check("the stream is whole", rest.endswith(b"data: [DONE]\n\n"), rest[-200:])
        c.close()
        equal("exit code", s.stop(), 0)
    s = Server("-c", "1024", "--grace", "0")
    c, r = s.stream(CHAT, ask(max_tokens=900, stream=True, ignore_eos=True))
    r.read(100)
    s.process.send_signal(signal.SIGTERM)
    rest = r.read()
    check("without grace it ends by an error", b'"error"' in rest and b"[DONE]" not in rest,
          rest[-300:])
    equal("exit code", s.stop(), 0)


def main():
    with Server("-c", "1024") as s:
        test_models(s)
        test_whole(s)
        test_stream(s)
        test_choices(s)
        test_stops(s)
        test_errors(s)
        test_leaving(s)
        test_cache(s)
        check("every line of the log is whole", all("id" in line for line in s.log))
    test_control()
    test_drain()
    finish()


main()
