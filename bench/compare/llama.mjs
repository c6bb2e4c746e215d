// llama.mjs - one measurement of llama.cpp on one file, in a process of its own; prints one line of JSON.
//
//     node llama.mjs --model FILE --threads 2 --prompt 512 --gen 64 [--depth 0] [--reps 1]
//     node llama.mjs --model FILE --threads 2 --open        exec to first token; the token goes to stdout
//
// llama.cpp comes as the prebuilt library inside the npm package node-llama-cpp (version pinned in package.json). Two clocks:
//   wall   around the binding's calls: what a user of the binding sees, sampling included
//   own    llama.cpp's own counters around llama_decode(), printed by llama_perf_context_print(): what llama-bench reports
// Batch 512, flash attention on, F16 keys and values, greedy; rows are named and measured as llama-bench does: ppN fills an
// empty context in one batch, tgN decodes N tokens one by one from an empty context (or, with --depth, behind that many).

import fs from "node:fs";
import path from "node:path";

const started = performance.timeOrigin;
const args = parseArgs(process.argv.slice(2));
const {getLlama, LlamaLogLevel} = await import("node-llama-cpp");

const log = [];
const marks = {import: Date.now() - started};
const llama = await getLlama({
    gpu: false, build: "never", progressLogs: false, maxThreads: args.threads,
    logLevel: LlamaLogLevel.info, logger: (_, text) => log.push(...text.split("\n"))
});
marks.library = Date.now() - started;
const model = await llama.loadModel({modelPath: path.resolve(args.model), gpuLayers: 0, ignoreMemorySafetyChecks: true});
marks.model = Date.now() - started;
const context = await model.createContext({
    contextSize: Math.max(256, args.depth + Math.max(args.prompt, args.gen) + 1), batchSize: 512, sequences: 1,
    threads: {ideal: args.threads, min: args.threads}, flashAttention: true, performanceTracking: true,
    ignoreMemorySafetyChecks: true
});
marks.context = Date.now() - started;
const sequence = context.getSequence();

if (args.open) await open();
else await measure();
await llama.dispose();

function parseArgs(list) {
    const out = {threads: 2, prompt: 512, gen: 64, depth: 0, reps: 1};
    for (let i = 0; i < list.length; i++) {
        const name = list[i].replace(/^--/, "");
        if (name === "open") out.open = true;
        else if (name === "model") out.model = list[++i];
        else if (name in out) out[name] = Number(list[++i]);
        else throw new Error(`unknown option ${list[i]}`);
    }
    return out;
}

// The same tokens every time; ordinary ones only.
function promptTokens(n) {
    const vocabulary = Math.floor(model.fileInfo.metadata.tokenizer.ggml.tokens.length * 0.9);
    return Array.from({length: n}, (_, i) => (i * 7919 + 13) % vocabulary);
}

// Milliseconds and count of `label` since the last call, by llama.cpp's own counters.
async function ownTimings() {
    const from = log.length;
    await context.printTimings();
    for (let wait = 0; wait < 200; wait++) {
        const text = log.slice(from).join("\n");
        const prompt = /prompt eval time =\s+([\d.]+) ms \/\s+(\d+) tokens/.exec(text);
        const gen = /[^t] eval time =\s+([\d.]+) ms \/\s+(\d+) runs/.exec(text);
        if (prompt && gen && /total time/.test(text))
            return {prompt: {ms: Number(prompt[1]), n: Number(prompt[2])}, gen: {ms: Number(gen[1]), n: Number(gen[2])}};
        await new Promise((done) => setTimeout(done, 5));
    }
    throw new Error("llama.cpp printed no timings");
}

async function prefill(n) {
    if (n > 0) await sequence.evaluateWithoutGeneratingNewTokens(promptTokens(n));
}

async function timePrefill() {
    await sequence.clearHistory();
    await prefill(args.depth);
    await ownTimings();
    const begin = performance.now();
    await prefill(args.prompt);
    const wall = performance.now() - begin;
    const own = await ownTimings();
    if (own.prompt.n !== args.prompt) throw new Error(`prompt ran as ${own.prompt.n} tokens`);
    return {name: rowName("pp", args.prompt), wall: args.prompt / wall * 1e3, own: args.prompt / own.prompt.ms * 1e3};
}

async function timeDecode() {
    await sequence.clearHistory();
    await prefill(args.depth);
    await ownTimings();
    const tokens = sequence.evaluate([promptTokens(1)[0]], {temperature: 0, yieldEogToken: true});
    const begin = performance.now();
    for (let i = 0; i < args.gen; i++)
        if ((await tokens.next()).done) throw new Error(`generation ended after ${i} tokens`);
    const wall = performance.now() - begin;
    const own = await ownTimings();
    await tokens.return();
    if (own.gen.n !== args.gen) throw new Error(`decoding ran as ${own.gen.n} steps`);
    return {name: rowName("tg", args.gen), wall: args.gen / wall * 1e3, own: args.gen / own.gen.ms * 1e3};
}

function rowName(kind, n) {
    return `${kind}${n}` + (args.depth ? ` @ d${args.depth}` : "");
}

// Warm-up as llama-bench does it: each test once, shortened for decoding.
async function warmUp() {
    const {gen} = args;
    if (args.prompt > 0) await timePrefill();
    args.gen = Math.min(gen, 4);
    if (gen > 0) await timeDecode();
    args.gen = gen;
}

async function measure() {
    await warmUp();
    const rows = [];
    for (let rep = 0; rep < args.reps; rep++) {
        if (args.prompt > 0) rows.push(await timePrefill());
        if (args.gen > 0) rows.push(await timeDecode());
    }
    const backend = /libggml-cpu-\w+\.so/.exec(fs.readFileSync("/proc/self/maps", "latin1"))?.[0];
    console.log(JSON.stringify({
        engine: "llama.cpp", release: llama.llamaCppRelease.release, backend,
        system: llama.systemInfo.trim(), threads: context.currentThreads || args.threads,
        flash_attention: context.flashAttention, kv_types: [context.kvCacheKeyType, context.kvCacheValueType],
        batch: context.batchSize, rows
    }));
}

async function open() {
    const tokens = sequence.evaluate(model.tokenize("a"), {temperature: 0, yieldEogToken: true});
    await tokens.next();
    process.stdout.write("token\n");
    marks.token = Date.now() - started;
    process.stderr.write(JSON.stringify(marks) + "\n");
    await tokens.return();
}
