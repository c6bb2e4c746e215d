// llama.mjs - one measurement of llama.cpp on one file, in a process of its own; prints one line of JSON.
//
//     node llama.mjs --model FILE --threads 2 --prompt 512 --gen 64 [--depth 0] [--sequences 1] [--reps 1] [--state FILE]
//     node llama.mjs --model FILE --threads 2 --open        exec to first token; the token goes to stdout
//
// llama.cpp comes as the prebuilt library inside the npm package node-llama-cpp (version pinned in package.json). Two clocks:
//   wall   around the binding's calls: what a user of the binding sees, sampling included
//   own    llama.cpp's own counters around llama_decode(), printed by llama_perf_context_print(): what llama-bench reports
// Batch 512, flash attention on, F16 keys and values, greedy; rows are named and measured as llama-bench does: ppN fills an
// empty context in one batch, tgN decodes N tokens one by one from an empty context (or, with --depth, behind that many).
// --sequences S adds a row tgN xS: S sequences of one context, their tokens decoded in batches of S. --state keeps a filled
// context in a file, made if it is not there (with --prompt 0 --gen 0 nothing else is done): filling behind many tokens takes
// minutes, and every round needs it.

import fs from "node:fs";
import path from "node:path";

const started = performance.timeOrigin;
const args = parseArgs(process.argv.slice(2));
const {getLlama, LlamaLogLevel} = await import("node-llama-cpp");

const log = [];
const batches = []; // tokens of each
const marks = {import: Date.now() - started};
const llama = await getLlama({
    gpu: false, build: "never", progressLogs: false, maxThreads: args.threads,
    logLevel: LlamaLogLevel.info, logger: (_, text) => log.push(...text.split("\n"))
});
marks.library = Date.now() - started;
const model = await llama.loadModel({modelPath: path.resolve(args.model), gpuLayers: 0, ignoreMemorySafetyChecks: true});
marks.model = Date.now() - started;
const context = await model.createContext({
    contextSize: Math.max(256, args.depth + Math.max(args.prompt, args.gen) + 1), batchSize: 512, sequences: args.sequences,
    threads: {ideal: args.threads, min: args.threads}, flashAttention: true, performanceTracking: true,
    batching: {itemPrioritizationStrategy: fillBatch}, ignoreMemorySafetyChecks: true
});
marks.context = Date.now() - started;
const sequences = Array.from({length: args.sequences}, () => context.getSequence());

if (args.open) await open();
else await measure();
await llama.dispose();

function parseArgs(list) {
    const out = {threads: 2, prompt: 512, gen: 64, depth: 0, sequences: 1, reps: 1};
    for (let i = 0; i < list.length; i++) {
        const name = list[i].replace(/^--/, "");
        if (name === "open") out.open = true;
        else if (name === "model" || name === "state") out[name] = list[++i];
        else if (name in out) out[name] = Number(list[++i]);
        else throw new Error(`unknown option ${list[i]}`);
    }
    return out;
}

// Fills a batch in the order of asking, and notes how many tokens it got.
function fillBatch({items, size}) {
    let left = size;
    const filled = items.map((item) => {
        const processAmount = Math.min(left, item.tokens.length);
        left -= processAmount;
        return {item, processAmount};
    }).filter((one) => one.processAmount > 0);
    batches.push(size - left);
    return filled;
}

// The same tokens every time; ordinary ones only.
function promptTokens(n, from = 0) {
    const vocabulary = Math.floor(model.fileInfo.metadata.tokenizer.ggml.tokens.length * 0.9);
    return Array.from({length: n}, (_, i) => ((from + i) * 7919 + 13) % vocabulary);
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

// Brings a sequence to the depth; what is there already is the same tokens.
async function goToDepth(sequence) {
    const {depth} = args, n = sequence.nextTokenIndex;
    if (n > depth) await sequence.eraseContextTokenRanges([{start: depth, end: n}]);
    else if (n < depth) await fill(sequence, n, depth);
    if (sequence.nextTokenIndex !== depth) throw new Error(`at ${sequence.nextTokenIndex} instead of ${depth}`);
}

async function fill(sequence, from, to) {
    const stored = from === 0 && args.state;
    if (stored && fs.existsSync(args.state)) {
        await sequence.loadStateFromFile(args.state, {acceptRisk: true});
        return;
    }
    await sequence.evaluateWithoutGeneratingNewTokens(promptTokens(to - from, from));
    if (!stored) return;
    await sequence.saveStateToFile(`${args.state}.new`);
    fs.renameSync(`${args.state}.new`, args.state); // an interrupted write leaves no file of that name
}

async function timePrefill(n) {
    await goToDepth(sequences[0]);
    await ownTimings();
    const begin = performance.now();
    await sequences[0].evaluateWithoutGeneratingNewTokens(promptTokens(n, args.depth));
    const wall = performance.now() - begin;
    const own = await ownTimings();
    if (own.prompt.n !== n) throw new Error(`prompt ran as ${own.prompt.n} tokens`);
    return {name: rowName(`pp${n}`), wall: n / wall * 1e3, own: n / own.prompt.ms * 1e3};
}

// n tokens of each of the first `count` sequences, in lock-step: a batch is complete before any sequence goes on.
async function timeDecode(n, count) {
    const some = sequences.slice(0, count);
    for (const sequence of some) await goToDepth(sequence);
    await ownTimings();
    const tokens = some.map((sequence, i) => sequence.evaluate([promptTokens(1, i)[0]], {temperature: 0, yieldEogToken: true}));
    batches.length = 0;
    const begin = performance.now();
    for (let i = 0; i < n; i++)
        if ((await Promise.all(tokens.map((one) => one.next()))).some((one) => one.done))
            throw new Error(`generation ended after ${i} tokens`);
    const wall = performance.now() - begin;
    const own = await ownTimings();
    if (batches.length !== n || batches.some((size) => size !== count))
        throw new Error(`decoding ran in batches of ${[...new Set(batches)]} tokens, ${batches.length} of them`);
    for (const one of tokens) await one.return();
    // llama.cpp counts a batch of more than one token as a prompt, and prints no count below 1
    const counted = count > 1 ? own.prompt : own.gen;
    if (counted.n !== n * count) throw new Error(`decoding ran as ${counted.n} tokens`);
    return {
        name: rowName(`tg${n}` + (count > 1 ? ` x${count}` : "")), wall: n * count / wall * 1e3, own: n * count / counted.ms * 1e3
    };
}

function rowName(test) {
    return test + (args.depth ? ` @ d${args.depth}` : "");
}

// Each test once, shortened: one batch of a prompt, four tokens.
async function warmUp() {
    const {prompt, gen, sequences: count} = args;
    if (prompt > 0) await timePrefill(Math.min(prompt, 512));
    if (gen > 0) await timeDecode(Math.min(gen, 4), 1);
    if (gen > 0 && count > 1) await timeDecode(Math.min(gen, 4), count);
}

async function measure() {
    if (args.state) await goToDepth(sequences[0]);
    await warmUp();
    const rows = [];
    for (let rep = 0; rep < args.reps; rep++) {
        if (args.prompt > 0) rows.push(await timePrefill(args.prompt));
        if (args.gen > 0) rows.push(await timeDecode(args.gen, 1));
        if (args.gen > 0 && args.sequences > 1) rows.push(await timeDecode(args.gen, args.sequences));
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
    const tokens = sequences[0].evaluate(model.tokenize("a"), {temperature: 0, yieldEogToken: true});
    await tokens.next();
    process.stdout.write("token\n");
    marks.token = Date.now() - started;
    process.stderr.write(JSON.stringify(marks) + "\n");
    await tokens.return();
}
