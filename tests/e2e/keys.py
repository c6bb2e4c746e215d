"""Keys of a file that change results: each is honoured, refused or noted by name. Works on changed copies
of the bundled model. Usage: keys.py PROGRAM MODEL FOLDER"""
import json, math, os, struct, subprocess, sys
from gguf import ARR, BOOL, F32, I32, STR, U32, Gguf

PROGRAM, MODEL, WORK = sys.argv[1].split(), sys.argv[2], sys.argv[3]
TOKENS = list(range(300, 340))
failures = checks = 0


def check(what, right, note=""):
    global failures, checks
    checks += 1
    if not right:
        failures += 1
        print("FAIL: %s %s" % (what, note))


def ingle(args, data=b""):
    p = subprocess.run(PROGRAM + args, input=data, capture_output=True)
    return p.returncode, p.stdout, p.stderr.decode()


def write(g, name="m.gguf"):
    return g.write(os.path.join(WORK, name))


def logits(g, tokens=TOKENS):
    """The last row, or the error text."""
    code, out, err = ingle(["logits", write(g), "--tokens", ",".join(map(str, tokens)), "--out", "-", "--last", "-t", "1"])
    return out if code == 0 else err


def run(g, *flags):
    code, out, err = ingle(["run", "-m", write(g), "--json", "-t", "1", *flags])
    return code, [json.loads(line) for line in out.splitlines()], err


def drawn(events):
    return [e["id"] for e in events if e["event"] == "token"]


def model():
    return Gguf(MODEL)


def refused(what, g, text):
    r = logits(g)
    check(what, isinstance(r, str) and text in r, r)


plain = logits(model())
A = "llama.attention."

# Windows: everywhere; in listed layers; in all but the last of a period.
window = model().set(A + "sliding_window", U32, 4)
everywhere = logits(window)
check("a window changes the logits", everywhere != plain)
pattern = A + "sliding_window_pattern"
for kind, item in ((BOOL, "bool"), (I32, "i32")):
    check("no layer listed, " + item, logits(window.set(pattern, ARR, (kind, [0] * 5))) == plain)
    check("every layer listed, " + item, logits(window.set(pattern, ARR, (kind, [1] * 5))) == everywhere)
listed = logits(window.set(pattern, ARR, (BOOL, [1, 1, 0, 1, 1])))
check("a list is another thing than a window everywhere", listed not in (plain, everywhere))
check("a period", logits(window.set(pattern, U32, 3)) == listed)
check("a period of one: no window", logits(window.set(pattern, U32, 1)) == plain)
check("a period of none: windows everywhere", logits(window.set(pattern, U32, 0)) == everywhere)
refused("a list that is too short", window.set(pattern, ARR, (BOOL, [1] * 4)), "has 4 entries, should have 5")
refused("a list that is too long", window.set(pattern, ARR, (BOOL, [1] * 6)), "has 6 entries, should have 5")
refused("a list of numbers that are no flags", window.set(pattern, ARR, (I32, [2] * 5)), "entry 0 should be 0 or 1")
refused("a list of texts", window.set(pattern, ARR, (STR, ["1"] * 5)), "entry 0 should be 0 or 1")
refused("a list of windows", model().set(A + "sliding_window", ARR, (I32, [4] * 5)), "sliding_window'")

# RoPE scaling, by its present keys and the older ones.
S = "llama.rope.scaling."
linear = logits(model().set(S + "type", STR, "linear").set(S + "factor", F32, 4.0))
check("linear scaling changes the logits", linear != plain)
check("a factor without a type", logits(model().set(S + "factor", F32, 4.0)) == linear)
check("scale_linear", logits(model().set("llama.rope.scale_linear", F32, 4.0)) == linear)
check("the newer key decides", logits(model().set("llama.rope.scale_linear", F32, 2.0).set(S + "factor", F32, 4.0)) == linear)
check("type none", logits(model().set(S + "type", STR, "none").set(S + "factor", F32, 4.0)) == plain)
check("a factor of 0", logits(model().set(S + "type", STR, "linear").set(S + "factor", F32, 0.0)) == plain)
check("a factor of 0, yarn", logits(model().set(S + "type", STR, "yarn").set(S + "factor", F32, 0.0)) == plain)
check("attn_factor without scaling", logits(model().set(S + "attn_factor", F32, 1.25)) not in (plain, linear))
yarn = lambda: model().set(S + "type", STR, "yarn").set(S + "factor", F32, 4.0)
check("yarn's betas", logits(yarn().set(S + "yarn_beta_fast", F32, 8.0)) != logits(yarn()))
check("yarn's own magnitude, spelt out", logits(yarn().set(S + "yarn_attn_factor", F32, 1 + 0.1 * math.log(4))) == logits(yarn()))
refused("another magnitude", yarn().set(S + "yarn_attn_factor", F32, 2.0), "yarn_attn_factor' is 2")
refused("a factor below 1", model().set(S + "factor", F32, 0.5), "rope.scaling.factor' is 0.5")

# Keys that other families read, and keys that nobody knows.
refused("a soft cap", model().set("llama.final_logit_softcapping", F32, 30.0), "llama.final_logit_softcapping")
check("no soft cap", logits(model().set("llama.final_logit_softcapping", F32, 0.0)) == plain)
refused("clamped experts", model().set("llama.swiglu_clamp_exp", ARR, (F32, [0.0, 7.0])), "llama.swiglu_clamp_exp")
code, _, err = run(model().set("llama.brand_new", F32, 2.0).set("llama.hidden_activation", STR, "gelu"), "-n", "1", "hi")
check("unknown keys are noted by name", code == 0 and "llama.brand_new, llama.hidden_activation" in err, err)
code, _, err = run(model(), "-n", "1", "hi")
check("nothing to note on the bundled model", "key" not in err, err)

# The vocabulary.
greedy = ["-n", "12", "--temp", "0", "Once upon a time"]
ids = drawn(run(model(), *greedy)[1])
suppressed = drawn(run(model().set("tokenizer.ggml.suppress_tokens", ARR, (I32, [ids[3]])), *greedy)[1])
check("a suppressed token", suppressed[:3] == ids[:3] and ids[3] not in suppressed, suppressed)
check("not even with a bias", ids[3] not in drawn(run(model().set("tokenizer.ggml.suppress_tokens", ARR, (I32, [ids[3]])), *greedy, "-l", "%d+100" % ids[3])[1]))
refused("a suppressed token that is none", model().set("tokenizer.ggml.suppress_tokens", ARR, (I32, [9999])), "suppress_tokens[0]")
ends = model().set("tokenizer.ggml.eos_token_ids", ARR, (I32, [2047, ids[3]]))
code, events, _ = run(ends, *greedy)
check("a second end token", drawn(events) == ids[:3] and events[-1]["finish"] == "stop", events[-1])
refused("an end token that is none", model().set("tokenizer.ggml.eos_token_ids", ARR, (I32, [-5])), "eos_token_ids[0]")
code, out, err = ingle(["tokenize", write(model().drop("tokenizer.ggml.pre"))], b"a b")
check("a guessed rule is noted", code == 0 and "tokenizer.ggml.pre" in err, err)
code, out, err = ingle(["tokenize", write(model().set("tokenizer.ggml.normalizer.lowercase", BOOL, 1))], b"a b")
check("a normaliser that is not read is noted", code == 0 and "normalizer.lowercase" in err, err)
cut = model()
for name in ("tokens", "token_type"):
    kind, (item, values) = cut.keys["tokenizer.ggml." + name]
    cut.set("tokenizer.ggml." + name, kind, (item, values[:2000]))
for name in ("bos", "eos", "eot", "padding"):
    cut.set("tokenizer.ggml.%s_token_id" % name, U32, 1)
row = struct.unpack("<2048f", logits(cut))
check("padded ids are -inf", all(math.isinf(x) and x < 0 for x in row[2000:]) and all(map(math.isfinite, row[:2000])))
check("other ids are as before", row[:2000] == struct.unpack("<2048f", plain)[:2000])
code, events, _ = run(cut, "-n", "60", "--temp", "5", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--ignore-eos", "--logprobs", "100", "-s", "1", "Once")
check("nor drawn or listed", len(drawn(events)) == 60 and all(t["id"] < 2000 for e in events for t in e.get("top", []) + [e] if "id" in t))
check("nor biased", run(cut, "-n", "1", "-l", "2001+1", "x")[0] == 2)

# WordPiece: accents go with the case, unless the file says otherwise.
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + ["\u2581" + w for w in ("\u00c9ire", "Eire", "\u00e9ire", "eire")]
for lower, strip, want in ((None, None, "eire"), (0, None, "\u00c9ire"), (0, 1, "Eire"), (1, 0, "\u00e9ire"), (1, None, "eire")):
    g = Gguf().set("general.architecture", STR, "bert").set("tokenizer.ggml.model", STR, "bert")
    g.set("tokenizer.ggml.tokens", ARR, (STR, words)).set("tokenizer.ggml.token_type", ARR, (I32, [3, 2, 3, 3] + [1] * 4))
    for name, i in (("bos", 2), ("cls", 2), ("seperator", 3), ("unknown", 1), ("padding", 0)):
        g.set("tokenizer.ggml.%s_token_id" % name, U32, i)
    if lower is not None:
        g.set("tokenizer.ggml.normalizer.lowercase", BOOL, lower)
    if strip is not None:
        g.set("tokenizer.ggml.normalizer.strip_accents", BOOL, strip)
    code, out, err = ingle(["tokenize", write(g), "--no-special"], "\u00c9ire".encode())
    check("lowercase %s, strip_accents %s" % (lower, strip), code == 0 and [words[i] for i in json.loads(out)] == ["\u2581" + want], out or err)

# What the file recommends for sampling ranks below options.
G = "general.sampling."
texts = lambda g, *flags: {"".join(e.get("text", "") for e in run(g, "-n", "8", "-s", str(s), *flags, "Once upon a time")[1]) for s in range(4)}
check("temperature 0 of the file", len(texts(model().set(G + "temp", F32, 0.0))) == 1)
check("an option ranks above it", len(texts(model().set(G + "temp", F32, 0.0), "--temp", "1.5")) > 1)
check("also the built-in default, when it is given", len(texts(model().set(G + "temp", F32, 0.0), "--temp", "0.8")) > 1)
check("top_k 1 of the file", len(texts(model().set(G + "top_k", I32, 1))) == 1)
check("an order with other programs' names", len(texts(model().set(G + "sequence", STR, "top-k;temp").set(G + "top_k", I32, 1))) == 1)
for name, kind, value, text in (("top_p", F32, 7.0, "top_p is 7"), ("sequence", STR, "infill", "unknown stage 'infill'"), ("temp", STR, "hot", "a number")):
    code, _, err = run(model().set(G + name, kind, value), "-n", "1", "x")
    check("%s %s is refused" % (name, value), code == 3 and "key '" + G + name in err and text in err, err)
code, _, err = run(model().set(G + "brand_new", F32, 1.0), "-n", "1", "x")
check("an unknown setting is noted", code == 0 and G + "brand_new" in err, err)

# Metadata given on the command line.
path = write(model(), "plain.gguf")
row = lambda *flags: ingle(["logits", path, "--tokens", ",".join(map(str, TOKENS)), "--out", "-", "--last", "-t", "1", *flags])
over = lambda text: row("--override-kv", text)
check("an override is as if the file said so", over("llama.rope.scale_linear=float:4")[1] == linear)
check("of a key that is there", over("llama.rope.freq_base=float:50000")[1] == logits(model().set("llama.rope.freq_base", F32, 50000.0)))
check("the last one counts", row("--override-kv", "llama.rope.scale_linear=float:2", "--override-kv", "llama.rope.scale_linear=int:4")[1] == linear)
out = json.loads(ingle(["inspect", path, "--json", "--override-kv", "general.name=str:a:b=c", "--override-kv", "x.y=bool:true"])[1])
check("strings and flags", out["name"] == "a:b=c" and out["metadata"]["x.y"] is True, out["name"])
for text in ("x", "x=1", "x=int:", "x=int:1.5", "x=int: 1", "x=float:nan", "x=bool:1", "x=u32:1", "=int:1", "general.alignment=int:64", "split.count=int:2"):
    code, _, err = over(text)
    check("override " + text, code == 2 and "'--override-kv': override '" in err, err)
code, _, err = over("tokenizer.ggml.tokens=int:1")
check("a list is not overridden", code == 3 and "holds a list" in err, err)
code, _, err = over("llama.context_length=str:long")
check("a value of the wrong type", code == 3 and "llama.context_length" in err, err)

# Encoders of pictures and sound beside the text model.
g = model()
g.tensors["v.blk.0.attn_q.weight"] = ([64, 64], 0, bytes(16384))
g.tensors["mm.input_projection.weight"] = ([64, 64], 0, bytes(16384))
g.set("llama.vision.block_count", U32, 1)
check("pictures are left out", logits(g) == plain)
code, _, err = run(g, "-n", "1", "hi")
check("and noted", "2 tensors for pictures or sound are not used: v.blk.0.attn_q.weight, mm.input_projection.weight" in err, err)
g.tensors["attn_nonsense.weight"] = ([64, 64], 0, bytes(16384))
refused("another tensor", g, "attn_nonsense.weight")

# Files of other kinds.
for kind, word in (("adapter", "LoRA adapter"), ("mmproj", "mmproj"), ("imatrix", "imatrix"), ("novel", "'novel'")):
    refused("general.type " + kind, model().set("general.type", STR, kind), word)

# A reranker of Qwen 3's kind without a classifier: its ranks are the probabilities of two words.
g = model()
for name in [n for n in g.keys if n.startswith("llama.")]:
    g.keys["qwen3." + name[6:]] = g.keys.pop(name)
g.set("general.architecture", STR, "qwen3").set("general.name", STR, "A Reranker")
for layer in range(5):
    for part in "qk":
        g.tensors["blk.%d.attn_%s_norm.weight" % (layer, part)] = ([64], 0, struct.pack("<64f", *[1.0] * 64))
tokens, merges = g.get("tokenizer.ggml.tokens"), g.get("tokenizer.ggml.merges")
for i, (left, right) in ((-2, (b"y", b"es")), (-1, (b"n", b"o"))):  # in place of the last two merges
    tokens[tokens.index(merges[i].replace(b" ", b""))] = left + right
    merges[i] = left + b" " + right
path = write(g, "rank.gguf")
word = {w: json.loads(ingle(["tokenize", path], w.encode())[1]) for w in ("yes", "no")}
check("the words are tokens", len(word["yes"]) == len(word["no"]) == 1, word)
prompt = ("<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
          "provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n<Instruct>: Given a web "
          "search query, retrieve relevant passages that answer the query\n<Query>: a fox\n<Document>: The fox ran."
          "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")
tokens = json.loads(ingle(["tokenize", path, "--parse-special"], prompt.encode())[1])
code, out, err = ingle(["logits", path, "--tokens", ",".join(map(str, tokens)), "--out", "-", "--last"])
row = struct.unpack("<2048f", out)
yes, no = row[word["yes"][0]], row[word["no"][0]]
want = 1 / (1 + math.exp(no - yes))
code, out, err = ingle(["embed", path, "--pooling", "rank"], b"a fox\tThe fox ran.\n")
rank = json.loads(out) if code == 0 else [0, 0]
check("yes and no", abs(rank[0] - want) < 1e-5 and abs(sum(rank) - 1) < 1e-5, (rank, want, err))
check("their kind is noted", 'no classifier' in err, err)
check("in place", ingle(["embed", path, "--in-place"], b"a fox\tThe fox ran.\n")[1] == out)
pair = b"a fox\t" + b"The fox ran. " * 400 + b"\n"
code, out, err = ingle(["embed", path, "-c", "512"], pair)
check("a document that is too long", code == 1 and out == b"" and "line 1: " in err, (out, err))
code, out, err = ingle(["embed", path, "-c", "512", "--truncate"], pair)
check("is cut, the query and the template stay", code == 0 and abs(sum(json.loads(out)) - 1) < 1e-5 and "1 texts were cut to 512" in err, (out, err))
check("it still writes", ingle(["run", "-m", path, "-n", "2", "x"])[0] == 0)
g.set("general.name", STR, "qwen3")
check("no ranks of a model that does not say so", ingle(["embed", write(g), "--pooling", "rank"], b"a\tb\n")[0] == 1)

print("%d checks, %d failures" % (checks, failures))
sys.exit(failures > 0)
