"""serve_defaults.py - requests that leave open what the server was started with; see
e2e_serve_defaults.sh. Texts are compared with those of the same request that says it itself."""
import json
import os
import tempfile

from serve import Server, check, equal, finish

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
HELLO = [{"role": "user", "content": "Hello! Tell me a story."}]
TOOL = {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}
SAMPLING = {"temperature": 0.9, "top_k": 20, "top_p": 0.9, "min_p": 0.01, "repeat_penalty": 1.1,
            "presence_penalty": 0.5, "samplers": "penalties;top_k;top_p;min_p;temperature",
            "seed": 42, "max_tokens": 30}
FLAGS = ["--temp", "0.9", "--top-k", "20", "--top-p", "0.9", "--min-p", "0.01", "--repeat-penalty",
         "1.1", "--presence-penalty", "0.5", "--samplers",
         "penalties;top_k;top_p;min_p;temperature", "-s", "42", "-n", "30"]


def chat(s, messages=HELLO, **more):
    status, headers, a = s.post(CHAT, {"messages": messages, **more})
    check("an answer", status == 200, a)
    check("defaults are not named as ignored", "ingle-ignored" not in headers, headers)
    return a["choices"][0] if status == 200 else {"message": {}}


def anthropic(s, **more):
    status, _, a = s.post(MESSAGES, {"messages": HELLO, **more})
    check("an answer to Messages", status == 200, a)
    return a


def test_sampling():
    with Server("-c", "1024") as s:
        said = chat(s, **SAMPLING)
        other = chat(s, **{**SAMPLING, "seed": 7})
        greedy = chat(s, temperature=0, max_tokens=30)
        talk = anthropic(s, **SAMPLING)["content"]
    check("seeds matter", said["message"] != other["message"], said)
    with Server("-c", "1024", *FLAGS) as s:
        equal("options are what requests leave open", chat(s), said)
        equal("a body's own seed", chat(s, seed=7), other)
        equal("a limit by its newer name", chat(s, max_completion_tokens=3)["finish_reason"],
              "length")
        equal("Messages too, without max_tokens", anthropic(s)["content"], talk)
        equal("a body's own temperature", chat(s, temperature=0, top_k=0, top_p=1, min_p=0,
              repeat_penalty=1, presence_penalty=0)["message"], greedy["message"])
        streamed = [json.loads(d) for _, d in s.events(CHAT, {"messages": HELLO, "stream": True})[:-1]]
        equal("streams", "".join(c["choices"][0]["delta"].get("content") or "" for c in streamed
                                 if c["choices"]), said["message"]["content"])
    with Server("-c", "1024", "--default", json.dumps(SAMPLING)) as s:
        equal("--default with an object", chat(s), said)
    with Server("-c", "1024", env={"INGLE_TEMP": "0.9", "INGLE_TOP_K": "20", "INGLE_TOP_P": "0.9",
                                   "INGLE_MIN_P": "0.01", "INGLE_REPEAT_PENALTY": "1.1",
                                   "INGLE_PRESENCE_PENALTY": "0.5", "INGLE_SEED": "42",
                                   "INGLE_SAMPLERS": SAMPLING["samplers"],
                                   "LLAMA_ARG_N_PREDICT": "30"}) as s:
        equal("from the environment", chat(s), said)
    with Server("-c", "1024", "-s", "-1", "--temp", "1", "-n", "40") as s:
        check("-s -1 is a fresh one each time", chat(s) != chat(s))


def test_forms(folder):
    schema = os.path.join(folder, "schema.json")
    with open(schema, "w", encoding="utf-8") as f:
        json.dump({"type": "object", "properties": {"n": {"type": "integer", "maximum": 9, "minimum": 0}},
                   "required": ["n"], "additionalProperties": False}, f)
    compact = 'structured_outputs={"disable_any_whitespace":true}'
    plain = ["--family", "qwen2.5"]  # no thinking, and so no blanks before the form
    with Server("-c", "1024", "-j", schema, "-n", "40", "--default", compact, *plain) as s:
        value = json.loads(chat(s)["message"]["content"])
        check("answers are of the schema", set(value) == {"n"} and 0 <= value["n"] <= 9, value)
        text = anthropic(s)["content"][-1]["text"]
        check("of Messages too", set(json.loads(text)) == {"n"}, text)
        equal("not where a request has a form", chat(s, guided_choice=["yes"])["message"]["content"],
              "yes")
        text = chat(s, response_format={"type": "text"}, temperature=0)["message"]["content"]
        check("nor where it wants text", not text.lstrip().startswith("{"), text)
    tools = [{"type": "function", "function": TOOL}]
    with Server("-c", "1024", "-j", schema, "-n", "40", "--temp", "0") as s:
        text = chat(s, tools=tools)["message"]["content"] or ""
        check("nor where it offers tools", not text.lstrip().startswith("{"), text)
    with Server("-c", "1024", "--grammar", 'root ::= "so " ("it" | "be")', *plain) as s:
        text = chat(s)["message"]["content"]
        check("a grammar", text in ("so it", "so be"), text)


def test_answer_grammars(folder):
    files = []
    for i, word in enumerate(("first", "second")):
        files += ["--answer-grammar", os.path.join(folder, f"{i}.gbnf")]
        with open(files[-1], "w", encoding="utf-8") as f:
            f.write(f'root ::= "the {word} answer"\n')
    tools = [{"type": "function", "function": TOOL}]
    with Server("-c", "1024", "--temp", "0", "--reasoning", "off", *files) as s:
        turns = list(HELLO)
        for want in ("the first answer", "the second answer", "the second answer"):
            text = chat(s, turns, tools=tools)["message"]["content"]
            equal("the answer of a turn", text, want)
            turns += [{"role": "assistant", "content": text}, {"role": "user", "content": "Go on."}]
        a = anthropic(s, max_tokens=20, tools=[{"name": "look", "input_schema": {"type": "object"}}])
        equal("of Messages too", a["content"][-1]["text"], "the first answer")
        text = chat(s, max_tokens=8)["message"]["content"]
        check("not without tools", not text.startswith("the first"), text)


def main():
    with tempfile.TemporaryDirectory() as folder:
        test_sampling()
        test_forms(folder)
        test_answer_grammars(folder)
    finish()


main()
