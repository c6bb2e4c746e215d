"""serve_anthropic.py - Anthropic's Messages: answers, streams, tools, thinking, counting, errors; see
e2e_anthropic.sh."""
import json
import os
import re
import tempfile

from serve import Server, check, equal, finish, sse

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
VERSION = {"anthropic-version": "2023-06-01"}
HELLO = [{"role": "user", "content": "Hello! Who are you?"}]


def tool(name, *members, **more):
    return {"name": name, "description": f"Looks up {name}.", "input_schema": {
        "type": "object", "properties": {m: {"type": "string", "maxLength": 12} for m in members},
        "required": list(members), "additionalProperties": False}, **more}


WEATHER, CLOCK = tool("weather", "city"), tool("clock", "zone")


def ask(**more):
    return {"model": "tiny-chat", "messages": HELLO, "max_tokens": 24, "temperature": 0, **more}


def inputs(usage):
    return (usage["input_tokens"] + usage["cache_creation_input_tokens"] +
            usage["cache_read_input_tokens"])


def post(s, body, wanted=200, path=MESSAGES):
    status, headers, a = s.post(path, body, VERSION)
    equal(f"status of {str(body)[:200]}", status, wanted)
    check("every answer has an id", headers.get("request-id", "").startswith("req_"), headers)
    if status != 200:
        equal("an error's shape", (a.get("type"), a.get("request_id")),
              ("error", headers["request-id"]))
    return a, headers


class Stream:
    """The message that the events of a stream make, each checked against those before."""

    DELTAS = {"text_delta": ("text", "text"), "thinking_delta": ("thinking", "thinking"),
              "signature_delta": ("thinking", "signature"),
              "input_json_delta": ("tool_use", "partial_json")}

    def __init__(self, events):
        self.message, self.open, self.ended, self.stop, self.pings = None, None, False, None, 0
        for name, data in events:
            event = json.loads(data)
            equal("an event's name is its type", event["type"], name)
            check("nothing follows the end", not self.ended, event)
            getattr(self, name)(event)
        check("the stream ends", self.ended, self.message)

    def message_start(self, event):
        check("the message begins once", self.message is None)
        self.message = event["message"]
        self.start = dict(self.message["usage"])
        equal("it begins empty", (self.message["content"], self.message["stop_reason"]),
              ([], None))

    def ping(self, _):
        self.pings += 1
        check("the message has begun", self.message is not None)

    def content_block_start(self, event):
        equal("no block is open", self.open, None)
        equal("blocks are counted", event["index"], len(self.message["content"]))
        self.open = event["content_block"]
        self.message["content"].append(self.open)
        if self.open["type"] == "tool_use":
            equal("a call begins with an empty input", self.open["input"], {})
            self.json = ""

    def content_block_delta(self, event):
        equal("a delta is of the open block", event["index"], len(self.message["content"]) - 1)
        delta = event["delta"]
        kind, member = self.DELTAS[delta["type"]]
        equal("a delta is of its block's kind", self.open["type"], kind)
        if kind == "tool_use":
            self.json += delta[member]
        else:
            self.open[member] += delta[member]

    def content_block_stop(self, event):
        equal("the open block ends", event["index"], len(self.message["content"]) - 1)
        if self.open["type"] == "tool_use":
            self.open["input"] = json.loads(self.json or "{}")
        self.open = None

    def message_delta(self, event):
        equal("all blocks have ended", self.open, None)
        self.message.update(event["delta"])
        self.message["usage"] = event["usage"]
        self.delta = event

    def message_stop(self, _):
        check("there is a reason", self.message["stop_reason"])
        self.ended = True


def stream(s, body):
    return Stream(s.events(MESSAGES, {**body, "stream": True}, VERSION))


def same(what, streamed, whole):
    """What a stream made is what a whole answer says, but for ids and what was cached."""
    def plain(m):
        return ([{k: v for k, v in b.items() if k != "id"} for b in m["content"]],
                m["stop_reason"], m["stop_sequence"], inputs(m["usage"]),
                m["usage"]["output_tokens"])
    equal(what, plain(streamed), plain(whole))


def test_text(s):
    a, _ = post(s, ask())
    equal("a message", (a["type"], a["role"], a["model"]), ("message", "assistant", "tiny-chat"))
    check("its id", a["id"].startswith("msg_"), a)
    equal("one block", [b["type"] for b in a["content"]], ["text"])
    check("its text", a["content"][0]["text"], a)
    check("why it ended", a["stop_reason"] in ("end_turn", "max_tokens"), a)
    equal("no stop sequence", a["stop_sequence"], None)
    check("ids differ", post(s, ask())[0]["id"] != a["id"])
    streamed = stream(s, ask())
    same("a stream", streamed.message, a)
    check("it begins with all of the prompt", inputs(streamed.start) == inputs(a["usage"]) and
          streamed.start["output_tokens"] == 0, streamed.start)
    check("a ping says that it was accepted", streamed.pings >= 1)
    a, _ = post(s, ask(), path=MESSAGES + "?beta=true")
    equal("with a query", a["type"], "message")
    a, _ = post(s, ask(system="You are a helpful assistant.", messages=[
        {"role": "user", "content": [{"type": "text", "text": "Hi"},
                                     {"type": "text", "text": "there"}]}]))
    check("system and blocks", a["content"], a)
    a, _ = post(s, ask(model="another-name"))
    equal("any name is served", a["model"], "tiny-chat")


def test_reasons(s):
    a, _ = post(s, ask(max_tokens=1))
    equal("cut off", (a["stop_reason"], a["usage"]["output_tokens"]), ("max_tokens", 1))
    a, _ = post(s, ask(max_tokens=32000, ignore_eos=True))
    equal("the context is full", a["stop_reason"], "model_context_window_exceeded")
    text = post(s, ask())[0]["content"][0]["text"]
    word = text.split()[1]
    body = ask(stop_sequences=["never said", word])
    a, _ = post(s, body)
    equal("a stop sequence", (a["stop_reason"], a["stop_sequence"]), ("stop_sequence", word))
    check("the text before it", text.startswith(a["content"][0]["text"]) and
          word not in a["content"][0]["text"], a)
    same("the same as a stream", stream(s, body).message, a)
    a, _ = post(s, ask(messages=HELLO + [{"role": "assistant", "content": "I am"}]))
    check("an answer is continued", a["usage"]["output_tokens"] > 0, a)


def test_cache(s):
    first, _ = post(s, ask(system="Be a friendly assistant. " * 8))
    body = ask(system="Be a friendly assistant. " * 8, messages=HELLO + [
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": "And now?"}])
    second, _ = post(s, body)
    usage = second["usage"]
    check("what is known is not computed", usage["cache_read_input_tokens"] >=
          inputs(first["usage"]) and usage["input_tokens"] < 64, usage)
    streamed = stream(s, body)
    equal("a stream corrects what it began with",
          (inputs(streamed.message["usage"]), streamed.start["cache_read_input_tokens"]),
          (inputs(usage), 0))
    check("and then has what was cached",
          streamed.message["usage"]["cache_read_input_tokens"] > 0, streamed.message)
    a, _ = post(s, {**body, "diagnostics": {"previous_message_id": None}})
    equal("nothing to compare with", a["diagnostics"], None)
    a, _ = post(s, {**body, "system": "Be somebody else.",
                    "diagnostics": {"previous_message_id": a["id"]}})
    reason = a["diagnostics"]["cache_miss_reason"]
    equal("why a prompt is not known", reason["type"], "system_changed")
    check("how much of it", 0 < reason["cache_missed_input_tokens"] <= inputs(a["usage"]), a)
    a, _ = post(s, {**body, "diagnostics": {"previous_message_id": "msg_nobody"}})
    equal("nobody's id", a["diagnostics"]["cache_miss_reason"],
          {"type": "previous_message_not_found"})


def test_tools(s):
    body = ask(tools=[WEATHER, CLOCK], tool_choice={"type": "any"}, max_tokens=200)
    a, _ = post(s, body)
    calls = [b for b in a["content"] if b["type"] == "tool_use"]
    equal("it calls", (a["stop_reason"], bool(calls)), ("tool_use", True))
    for c in calls:
        check("an id", c["id"].startswith("toolu_"), c)
        wanted = {"weather": ["city"], "clock": ["zone"]}[c["name"]]
        equal("the arguments", sorted(c["input"]), wanted)
    same("a stream of calls", stream(s, body).message, a)
    one, _ = post(s, {**body, "tool_choice": {"type": "tool", "name": "clock",
                                              "disable_parallel_tool_use": True}})
    equal("that one", [b["name"] for b in one["content"]], ["clock"])
    none, _ = post(s, {**body, "tool_choice": {"type": "none"}})
    check("no call", all(b["type"] == "text" for b in none["content"]), none)
    results = [{"type": "tool_result", "tool_use_id": c["id"], "is_error": i == 0,
                "content": [{"type": "text", "text": "sunny"}]} for i, c in enumerate(calls)]
    history = HELLO + [{"role": "assistant", "content": a["content"]},
                       {"role": "user", "content": results[::-1] +
                        [{"type": "text", "text": "So?"}]}]
    back, _ = post(s, {**body, "messages": history, "tool_choice": {"type": "auto"}})
    check("results are read", back["content"], back)
    check("what was called is known", back["usage"]["cache_read_input_tokens"] >
          inputs(a["usage"]), (a["usage"], back["usage"]))
    cut, _ = post(s, {**body, "max_tokens": 12})
    equal("a call that was cut off", cut["stop_reason"], "max_tokens")


def test_format(s):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}, "n": {"enum": [1, 2]}},
              "required": ["ok", "n"], "additionalProperties": False}
    form = {"type": "json_schema", "schema": schema}
    for body in (ask(output_config={"format": form}), ask(output_format=form)):
        a, _ = post(s, {**body, "max_tokens": 200})
        value = json.loads(a["content"][0]["text"])
        check("the answer is of the schema", set(value) == {"ok", "n"} and
              value["n"] in (1, 2) and isinstance(value["ok"], bool), value)


def test_count(s):
    use = {"type": "tool_use", "id": "toolu_1", "name": "clock", "input": {"zone": "UTC"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "noon"}
    for more in ({}, {"system": [{"type": "text", "text": "Be kind."}]},
                 {"tools": [WEATHER, CLOCK]},
                 {"tools": [CLOCK], "messages": HELLO + [
                     {"role": "assistant", "content": [use]},
                     {"role": "user", "content": [result]}]},
                 {"messages": HELLO + [{"role": "assistant", "content": "I am"}]}):
        count = {k: v for k, v in ask(**more).items() if k != "max_tokens"}
        a, _ = post(s, count, path=COUNT)
        check("only a number", set(a) == {"input_tokens"}, a)
        equal("it is what the message has", a["input_tokens"],
              inputs(post(s, ask(**more))[0]["usage"]))
    a, _ = post(s, {"messages": []}, 400, COUNT)
    check("it names the member", a["error"]["message"].startswith("messages: "), a)


def test_errors(s):
    def refused(what, body, starts, kind="invalid_request_error", status=400):
        a, _ = post(s, body, status)
        check(f"{what}: {starts}", a["error"]["type"] == kind and
              a["error"]["message"].startswith(starts), a)

    image = {"type": "image", "source": {"type": "url", "url": "http://127.0.0.1:1/x.png"}}
    refused("no JSON", b"{", "")
    refused("no limit", {"messages": HELLO}, "max_tokens: ")
    refused("no messages", {"max_tokens": 5}, "messages: ")
    refused("a wrong type", ask(temperature="hot"), "temperature: ")
    refused("an image", ask(messages=[{"role": "user", "content": [image]}]),
            "messages[0].content[0]: ")
    refused("a tool of Anthropic's", ask(tools=[{"type": "web_search_20250305",
                                                 "name": "web_search"}]), "tools[0].type: ")
    refused("a result of nothing", ask(messages=[{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_9"}]}]),
        "messages[0].content[0].tool_use_id: ")
    refused("a schema that cannot be enforced", ask(tools=[
        {"name": "f", "strict": True, "input_schema": {
            "type": "object", "properties": {"a": {"type": "string", "format": "tea"}}}}]),
        "tools[0].input_schema.properties.a.format: ")
    a, _ = post(s, ask(thread={"type": "create"}), 400)
    equal("no threads, in the words that clients look for", a["error"]["details"],
          {"error_code": "thread_unsupported_request", "unsupported": ["thread"]})
    a, _ = post(s, ask(messages=[{"role": "user", "content": "word " * 40000}]), 400)
    check("a prompt too long, in the words that clients look for", re.fullmatch(
        r"prompt is too long: \d+ tokens > \d+ maximum", a["error"]["message"]), a)
    status, headers, a = s.request("GET", MESSAGES, headers=VERSION)
    equal("a wrong method", (status, a["type"]), (405, "error"))
    status, _, a = s.request("GET", "/v1/messages/nothing", headers=VERSION)
    equal("an unknown path", (status, a["error"]["type"]), (404, "not_found_error"))
    _, headers = post(s, ask(metadata={"user_id": "u"}, something_new=1))
    equal("what has no effect is named", headers.get("ingle-ignored"), "metadata, something_new")
    status, _, _ = s.request("HEAD", "/")
    equal("HEAD /", status, 200)


def test_models(s):
    status, _, models = s.request("GET", "/v1/models", headers=VERSION)
    model = models["data"][0]
    equal("a list", (status, model["type"], model["id"]), (200, "model", "tiny-chat"))
    check("how much fits", model["max_input_tokens"] >= 1024, model)
    check("what it can do", model["capabilities"]["structured_outputs"] == {"supported": True} and
          not model["capabilities"]["image_input"]["supported"], model)
    status, _, one = s.request("GET", "/v1/models/tiny-chat", headers=VERSION)
    equal("one", (status, one), (200, model))


def test_agent(s):
    """The first request of an agent in its shape: many tools, blocks, inert members, a stream."""
    names = ["read", "write", "edit", "list", "find", "search", "run", "plan"]
    tools = [tool(f"{name}_{i}", "path", "reason") for i in range(3) for name in names]
    body = ask(
        max_tokens=32000, stream=True, tools=tools, thinking={"type": "adaptive"},
        output_config={"effort": "high"}, metadata={"user_id": "somebody"},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        system=[{"type": "text", "text": "x-anthropic-billing-header: a=1; b=2;"},
                {"type": "text", "text": "You help with programs.",
                 "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "Read a file before you change it. " * 20,
                 "cache_control": {"type": "ephemeral"}}],
        messages=[{"role": "user", "content": [{"type": "text", "text": "Remember the date."},
                                               {"type": "text", "text": "Say hello."}]},
                  {"role": "system", "content": "The folder is empty."},
                  {"role": "user", "content": "Go on."}],
        tool_choice={"type": "any"})
    c, r = s.stream(MESSAGES + "?beta=true", body, {**VERSION, "anthropic-beta": "a,b"})
    equal("it is accepted", (r.status, r.getheader("Content-Type")), (200, "text/event-stream"))
    ignored = r.getheader("Ingle-Ignored", "")
    for name in ("x-anthropic-billing-header", "metadata", "context_management", "output_config.effort",
                 "system[].cache_control"):
        check(f"{name} is named", name in ignored.split(", "), ignored)
    first = Stream(sse(r))
    c.close()
    equal("the edits that were made", first.delta["context_management"], {"applied_edits": []})
    equal("it calls", first.message["stop_reason"], "tool_use")
    content = first.message["content"]
    results = [{"type": "tool_result", "tool_use_id": b["id"], "content": "done"}
               for b in content if b["type"] == "tool_use"]
    body["system"][0]["text"] = "x-anthropic-billing-header: a=2; b=3;"
    body["messages"] += [{"role": "assistant", "content": content},
                         {"role": "user", "content": results}]
    second = stream(s, {**body, "max_tokens": 16})
    usage = second.message["usage"]
    check("the next turn computes what is new", usage["input_tokens"] <= 64 + 16 * len(results),
          usage)


TEMPLATE = """\
{%- for m in messages %}<|im_start|>{{ m.role }}
{% if m.reasoning_content %}<think>
{{ m.reasoning_content }}
</think>

{% endif %}{{ m.content }}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and not enable_thinking %}<think>

</think>

{% else %}<think>
{% endif %}{% endif %}"""


def test_thinking():
    """With a template that begins answers with thinking."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "template.jinja")
        with open(path, "w", encoding="utf-8") as f:
            f.write(TEMPLATE)
        with Server("-c", "1024", "--chat-template-file", path, "--family", "qwen3") as s:
            check_thinking(s)


def check_thinking(s):
    on = {"type": "enabled", "budget_tokens": 5}
    a, _ = post(s, ask(thinking=on))
    kinds = [b["type"] for b in a["content"]]
    equal("it thinks", kinds[:1], ["thinking"])
    thought = a["content"][0]
    check("signed", thought["thinking"] and thought["signature"], thought)
    thinking = a["usage"]["output_tokens_details"]["thinking_tokens"]
    check("no more than it may", 0 < thinking <= 5 + 4, a["usage"])
    same("a stream of it", stream(s, ask(thinking=on)).message, a)
    hidden, _ = post(s, ask(thinking={**on, "display": "omitted"}))
    equal("hidden", hidden["content"][0], {"type": "thinking", "thinking": "",
                                           "signature": thought["signature"]})
    same("a stream of that", stream(s, ask(thinking={**on, "display": "omitted"})).message, hidden)
    for off in ({"type": "disabled"}, None, {"type": "between_tools"}):
        a, _ = post(s, ask(thinking=off))
        check("it does not think", all(b["type"] != "thinking" for b in a["content"]), a)
    history = HELLO + [{"role": "assistant", "content": hidden["content"] +
                        ([] if len(hidden["content"]) > 1 else [{"type": "text", "text": "I"}])},
                       {"role": "user", "content": "Why?"}]
    a, _ = post(s, ask(thinking=on, messages=history))
    equal("thinking comes back", a["content"][0]["type"], "thinking")
    a, _ = post(s, ask(thinking={"type": "enabled", "budget_tokens": 24}), 400)
    check("a budget above the limit", a["error"]["message"].startswith("thinking.budget_tokens: "),
          a)


def main():
    with Server("-c", "1024") as s:
        test_text(s)
        test_reasons(s)
        test_cache(s)
        test_tools(s)
        test_format(s)
        test_count(s)
        test_errors(s)
        test_models(s)
    with Server("-c", "16384") as s:
        test_agent(s)
    test_thinking()
    finish()


main()
