"""replay.py - conversations of coding agents, in the shapes that the agents send, against `ingle serve`:
what is computed of every turn, and that reuse changes no byte.

Each *.json of this folder is the shape of one agent's requests: members, their order, sizes. Texts are
made here: {"$text": N} is N characters, "$billing" the line of an agent's that changes with every request,
"$messages" the conversation. Usage: replay.py [NAME...]. INGLE_ALL_AGENTS=1 plays the true sizes;
without it texts have an eighth of them. Environment: see tests/e2e/serve.py.
"""
import copy
import hashlib
import json
import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from serve import Server, check, equal, finish, sse  # noqa: E402

WHOLE = os.environ.get("INGLE_ALL_AGENTS") == "1"
TURNS = 8
SLACK = 64  # tokens that a turn may compute beyond its new text
WORDS = """the file list path line test value read write name result part field number small large
open close first last word state table entry build order count check plain short north green table
river stone house light paper water""".split()
# Text of turns that call nothing: what the bundled model would write so far out has no end.
WORDY = 'root ::= [a-z]{3,8} (" " [a-z]{2,9}){4,9} "."'


def text(n, seed):
    """n characters of words, the same for the same seed."""
    state = int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:8], "big") | 1
    out, size = [], 0
    while size <= n:
        state = state * 6364136223846793005 % 2**64
        word = WORDS[(state >> 33) % len(WORDS)]
        out.append(word)
        size += len(word) + 1
    return " ".join(out)[:n].rstrip() or "a"


class Shape:
    def __init__(self, name):
        with open(os.path.join(HERE, name + ".json"), encoding="utf-8") as f:
            self.own = json.load(f)
        self.name = name
        self.anthropic = self.own["dialect"] == "anthropic"
        self.n_sent = 0

    def fill(self, v, messages, at=""):
        if isinstance(v, dict):
            if "$text" in v:
                return text(v["$text"] if WHOLE else max(8, v["$text"] // 8), self.name + at)
            return {k: self.fill(x, messages, f"{at}.{k}") for k, x in v.items()}
        if isinstance(v, list):
            return [self.fill(x, messages, f"{at}[{i}]") for i, x in enumerate(v)]
        if v == "$messages":
            return copy.deepcopy(messages)
        if v == "$billing":
            return f"x-anthropic-billing-header: cc_version=2.1; cch={self.n_sent:05x};"
        return v

    def body(self, messages, **more):
        self.n_sent += 1
        body = self.fill(self.own["body"], messages)
        if self.anthropic:  # the mark of what should be kept moves on with the conversation
            last = body["messages"][-1]
            if isinstance(last["content"], list):
                last["content"][-1]["cache_control"] = {"type": "ephemeral"}
        return {**body, "temperature": 0, **more}

    def choice(self, tool):
        """Members that force a call of the tool, or (None) forbid calls and bound the text."""
        if tool is None:
            none = {"type": "none"} if self.anthropic else "none"
            return {"tool_choice": none, "grammar": WORDY}
        if self.anthropic:
            return {"tool_choice": {"type": "tool", "name": tool, "disable_parallel_tool_use": True}}
        return {"tool_choice": {"type": "function", "function": {"name": tool}},
                "parallel_tool_calls": False}

    def begin(self):
        system = self.own.get("system")
        first = {"role": "user", "content": self.fill(self.own["first"], None, ".first")}
        return ([{"role": "system", "content": self.fill(system, None, ".system")}]
                if system else []) + [first]

    def user(self, words):
        plain = isinstance(self.own["first"], dict)
        return {"role": "user", "content": words if plain else [{"type": "text", "text": words}]}

    def result(self, call, words):
        if self.anthropic:
            return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"],
                                                 "content": words}]}
        return {"role": "tool", "tool_call_id": call["id"], "content": words}


# ---- answers ------------------------------------------------------------------------------------

def parse_openai(events):
    """(message to send back, its visible parts, usage) of a stream."""
    equal("a stream ends with [DONE]", events[-1][1], "[DONE]")
    content, calls, usage, report, finish_reason = "", {}, None, None, None
    for _, data in events[:-1]:
        chunk = json.loads(data)
        usage, report = chunk.get("usage") or usage, chunk.get("ingle") or report
        for choice in chunk["choices"]:
            delta = choice["delta"]
            content += delta.get("content") or ""
            finish_reason = choice["finish_reason"] or finish_reason
            for piece in delta.get("tool_calls", []):
                call = calls.setdefault(piece["index"], {"function": {"name": "", "arguments": ""}})
                call.update({k: piece[k] for k in ("id", "type") if k in piece})
                for k, v in piece["function"].items():
                    call["function"][k] += v
    message = {"role": "assistant", "content": content or None}
    if calls:
        message["tool_calls"] = [calls[i] for i in sorted(calls)]
    seen = (content, [(c["function"]["name"], c["function"]["arguments"]) for c in
                      message.get("tool_calls", [])], finish_reason)
    for c in message.get("tool_calls", []):
        json.loads(c["function"]["arguments"])  # a call that was not cut off is JSON
    return message, seen, {"generated": usage["completion_tokens"], **report}


def parse_anthropic(events):
    blocks, stop, usage, report = [], None, {}, None
    for name, data in events:
        event = json.loads(data)
        if name == "content_block_start":
            blocks.append({**event["content_block"], "pieces": ""})
        elif name == "content_block_delta":
            delta = event["delta"]
            blocks[event["index"]]["pieces"] += (delta.get("text") or delta.get("partial_json") or
                                                 delta.get("thinking") or "")
        elif name == "message_delta":
            stop, usage, report = event["delta"]["stop_reason"], event["usage"], event["ingle"]
    equal("a stream ends with its last event", events[-1][0], "message_stop")
    for b in blocks:
        pieces = b.pop("pieces")
        if b["type"] == "tool_use":
            b["input"] = json.loads(pieces or "{}")
        else:
            b[b["type"]] = pieces
    seen = ([(b["type"], b.get("text"), b.get("name"), b.get("input")) for b in blocks], stop)
    return ({"role": "assistant", "content": blocks}, seen,
            {"generated": usage["output_tokens"], **report})


def call_of(message):
    if "tool_calls" in message:
        return message["tool_calls"][0]
    blocks = message["content"] if isinstance(message["content"], list) else []
    return next((b for b in blocks if b["type"] == "tool_use"), None)


# ---- one conversation ---------------------------------------------------------------------------

class Replay:
    def __init__(self, server, name):
        self.server, self.shape = server, Shape(name)
        self.headers = {**self.shape.own["headers"], "Ingle-Report": "1"}

    def ask(self, messages, **more):
        body = self.shape.body(messages, **more)
        events = self.server.events(self.shape.own["path"], body, self.headers)
        return (parse_anthropic if self.shape.anthropic else parse_openai)(events)

    def turn(self, t, messages, tool):
        """Asks with reuse and without: the same bytes."""
        message, seen, report = self.ask(messages, **self.shape.choice(tool))
        _, alone, off = self.ask(messages, **self.shape.choice(tool), cache_prompt=False)
        what = f"{self.shape.name}, turn {t}"
        equal(f"{what}: without reuse the same bytes", alone, seen)
        equal(f"{what}: of the same prompt", off["prompt"], report["prompt"])
        equal(f"{what}: nothing of it reused", off["reused_ram"], 0)
        check(f"{what}: a call where one was forced", tool is None or call_of(message), message)
        return message, report

    def computed(self, what, report, before, first=None):
        """At most what is new since the prompt and the answer before, and a little."""
        computed = report["prompt"] - report["reused_ram"]
        new = report["prompt"] - before["prompt"] - before["generated"]
        check(f"{self.shape.name}, {what}: computes {computed} tokens for {new} new ones",
              computed <= max(new, 0) + SLACK, report)
        if first:
            check(f"{self.shape.name}, {what}: at most 2 % of the first beyond new text",
                  computed - max(new, 0) <= 0.02 * first["prompt"], (report, first))

    def title(self):
        """The request for a title, at the same time as the first turn."""
        own = self.shape.own["title"]
        if not own:
            return None
        self.shape.n_sent += 1
        body = {**self.shape.fill(own, None, ".title"), "temperature": 0}
        if not self.shape.anthropic:
            body["grammar"] = WORDY
        parse = parse_anthropic if self.shape.anthropic else parse_openai
        thread = threading.Thread(target=lambda: parse(
            self.server.events(self.shape.own["path"], body, self.headers)))
        thread.start()
        return thread

    def abort(self, messages):
        """A client that goes in the middle of an answer."""
        since = len(self.server.log)
        body = self.shape.body(messages, ignore_eos=True, temperature=1)
        c, r = self.server.stream(self.shape.own["path"], body, self.headers)
        r.read(600)
        r.close()
        c.close()
        line = self.server.logged(lambda l: l.get("finish") == "cancelled", since)
        check(f"{self.shape.name}: an answer that was left is cancelled", line, line)

    def run(self):
        own = self.shape.own
        if "hello" in own:
            status, _, _ = self.server.request(*own["hello"])
            equal(f"{self.shape.name}: {' '.join(own['hello'])}", status, 200)
        messages, reports, lengths = self.shape.begin(), [], []
        for t in range(1, TURNS + 1):
            title = self.title() if t == 1 else None
            if t == 4 and "system_message" in own:
                words = self.shape.fill(own["system_message"], None, ".middle")
                messages.append({"role": "system", "content": words})
            if t == 6:
                self.abort(messages)
            lengths.append(len(messages))
            tool = own["calls"][t // 2 % len(own["calls"])] if t % 2 else None
            message, report = self.turn(t, messages, tool)
            if title:
                title.join()
            if reports:
                self.computed(f"turn {t}", report, reports[-1], reports[0] if t == 2 else None)
            reports.append(report)
            messages.append(message)
            call, size = call_of(message), 1000 + 430 * t
            words = text(size if WHOLE else size // 4, (self.shape.name, t))
            messages.append(self.shape.result(call, words) if call else self.shape.user(words[:200]))
        self.edit(messages, reports, lengths)

    def edit(self, messages, reports, lengths):
        """The question of turn 3 is asked in other words: all before it is known."""
        edited = messages[:lengths[2] - 1] + [self.shape.user("Now something else, please.")]
        _, report = self.turn("3 again", edited, self.shape.own["calls"][0])
        self.computed("turn 3 again", report, reports[1])


def main():
    names = sys.argv[1:] or ["claude-code", "opencode", "qwen-code", "pi"]
    for name in names:
        # One that begins anew: the same words in another agent's prompt are nobody's prefix.
        with Server("-c", "65536") as server:
            Replay(server, name).run()
            bad = [l for l in server.log if l["status"] not in (200, 499)]
            equal(f"{name}: every request was answered", bad, [])
    finish()


main()
