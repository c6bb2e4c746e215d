// requests.mjs - requests at once: ingle and llama.cpp by turns, on one file.
//
//     node requests.mjs MODEL [--requests 4,16] [--prompt 128] [--gen 64] [--rounds 3] [--threads 2] [--ingle ../../build/ingle]
//                       [--server ../../build/bench/server]
//
// Every request has a prompt of its own and asks for the same number of tokens, drawn greedily. ingle runs `ingle bench --requests S
// --count S`, or, with --server, `ingle serve` answers S clients, which that program plays; llama.cpp (the library inside
// node-llama-cpp) S sequences of one context, whose tokens the binding puts into common batches of 512. Counted is the wall clock
// from the first request to the last token, models open and warm; rates are of all tokens, prompts included. The server's prompts
// are texts of about as many tokens.

import {execFileSync} from "node:child_process";
import path from "node:path";

const options = {requests: "4,16", prompt: 128, gen: 64, rounds: 3, threads: 2, ingle: "../../build/ingle", server: ""};
let file, alone;
for (let list = process.argv.slice(2), i = 0; i < list.length; i++) {
    const name = list[i].replace(/^--/, "");
    if (name === "llama") alone = Number(list[++i]);
    else if (name in options) options[name] = typeof options[name] === "number" ? Number(list[++i]) : list[++i];
    else if (!file && !list[i].startsWith("--")) file = path.resolve(list[i]);
    else throw new Error(`unknown option ${list[i]}`);
}
if (!file) throw new Error("usage: node requests.mjs MODEL [--requests 4,16] [--prompt 128] [--gen 64] [--rounds 3]");

if (alone) await llama(alone);
else compare();

// One measurement of llama.cpp, in this process.
async function llama(n) {
    const {getLlama, LlamaLogLevel} = await import("node-llama-cpp");
    const {prompt, gen, threads} = options;
    const library = await getLlama({gpu: false, build: "never", progressLogs: false, maxThreads: threads, logLevel: LlamaLogLevel.error});
    const model = await library.loadModel({modelPath: file, gpuLayers: 0, ignoreMemorySafetyChecks: true});
    const context = await model.createContext({
        contextSize: prompt + gen + 64, batchSize: 512, sequences: n, threads: {ideal: threads, min: threads}, flashAttention: true,
        ignoreMemorySafetyChecks: true
    });
    const vocabulary = Math.floor(model.fileInfo.metadata.tokenizer.ggml.tokens.length * 0.9);
    const tokens = (seed) => Array.from({length: prompt}, (_, i) => (seed * 104729 + i * 7919 + 13) % vocabulary);
    const sequences = Array.from({length: n}, () => context.getSequence());
    await sequences[0].evaluateWithoutGeneratingNewTokens(tokens(999).slice(0, 32));
    await sequences[0].eraseContextTokenRanges([{start: 0, end: sequences[0].nextTokenIndex}]);
    const from = performance.now();
    await Promise.all(sequences.map(async (sequence, i) => {
        let left = gen;
        for await (const _ of sequence.evaluate(tokens(i), {temperature: 0, yieldEogToken: true})) if (--left === 0) break;
        if (left) throw new Error(`${gen - left} tokens instead of ${gen}`);
    }));
    console.log(JSON.stringify({seconds: (performance.now() - from) / 1000}));
    await library.dispose();
}

// Seconds for the tokens that llama.cpp has, at the rate of those that were there.
function ofServer(n) {
    const out = execFileSync(options.server, [
        "load", "-m", file, "--ingle", options.ingle, "--clients", n, "--prompt", options.prompt, "--tokens", options.gen
    ], {encoding: "utf8"});
    const {seconds, prompt, generated} = JSON.parse(out);
    return seconds * n * (options.prompt + options.gen) / (prompt + generated);
}

function ofIngle(n) {
    if (options.server) return ofServer(n);
    const out = execFileSync(options.ingle, [
        "bench", "-m", file, "--requests", n, "--count", n, "-p", options.prompt, "-n", options.gen, "-t", options.threads, "-o", "json"
    ], {encoding: "utf8"});
    return JSON.parse(out).runs[0].seconds;
}

function ofLlama(n) {
    const own = Object.entries(options).filter(([name]) => !["requests", "rounds"].includes(name)).flatMap(([name, x]) => [`--${name}`, x]);
    const out = execFileSync(process.execPath, [process.argv[1], file, "--llama", n, ...own], {encoding: "utf8"});
    return JSON.parse(out.trim().split("\n").at(-1)).seconds;
}

function median(list) {
    return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
}

function compare() {
    for (const n of options.requests.split(",").map(Number)) {
        const times = {ingle: [], llama: []};
        for (let round = 0; round < options.rounds; round++) {
            times.ingle.push(ofIngle(n));
            times.llama.push(ofLlama(n));
        }
        const all = n * (options.prompt + options.gen), rate = (list) => (all / median(list)).toFixed(1);
        const ratios = times.ingle.map((x, i) => times.llama[i] / x);
        console.log(`${n} requests: ingle ${rate(times.ingle)} t/s, llama.cpp ${rate(times.llama)} t/s, ${median(ratios).toFixed(2)} times ` +
            `(${ratios.map((x) => x.toFixed(2)).join(", ")})`);
    }
}
