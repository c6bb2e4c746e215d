// options.mjs - what compare.mjs is asked to do: its options, and the little language of tests.

import {spawnSync} from "node:child_process";
import os from "node:os";
import path from "node:path";
import {fileURLToPath} from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

const SLOW = "pp4096=3,tg32@d4096=3,tg32@d16384=2"; // and pp4096:bf16 like pp4096
const DEFAULTS = {
    shapes: "llama-3.2-1b", recipes: "q4_k_m,q6_k,q8_0", models: "", tests: "pp512,tg64,open", threads: "", rounds: `5,${SLOW}`,
    reps: 3, "max-minutes": 0, "job-minutes": 30, busy: 3, patience: 20, engines: "ingle,llama.cpp", out: path.join(root, "build/bench/compare"),
    ingle: path.join(root, "build/ingle"), "make-model": path.join(root, "build/bench/make-model")
};

const HELP = {
    shapes: "shapes of models that are made (build/bench/make-model lists them)", recipes: "their types of weights",
    models: "files to measure instead", tests: "ppN, tgN, tgNxS or xS for S sequences, behind them @dD (tokens in the context already) and :TYPE (ingle's keys and values); open",
    threads: "one number or several (default: physical cores)", rounds: "of each engine in turn; TEST=N behind for some tests",
    reps: "measurements of a round", "max-minutes": "begin nothing that would last longer; 0 is no limit", "job-minutes": "end one process after so long",
    busy: "per cent of the processors that other programs may take, or a measurement is repeated",
    patience: "minutes after which it counts as it is, and the table says so", engines: "which",
    out: "folder for table, plot and figures", ingle: "the program", "make-model": "the program that makes models"
};

function help() {
    console.log("Usage: bench/compare/run.sh [OPTIONS]\n\nMeasures ingle and llama.cpp in turns, on the same files; see docs/performance.md.\n");
    const line = (name, text) => console.log(`  --${name.padEnd(14)} ${text}`);
    for (const [name, text] of Object.entries(HELP))
        line(name, text + (DEFAULTS[name] === "" || text.includes("default") ? "" : ` (default: ${path.relative(".", `${DEFAULTS[name]}`) || DEFAULTS[name]})`));
    line("resume", "go on with what --out holds");
    line("no-open", "leave out the test `open`");
    process.exit(0);
}

export function fail(message) {
    console.error(`compare: ${message}`);
    process.exit(1);
}

function physicalCores() {
    const lines = spawnSync("lscpu", ["-p=CORE,SOCKET"], {encoding: "utf8"}).stdout ?? "";
    const cores = new Set(lines.split("\n").filter((line) => line && !line.startsWith("#"))).size;
    return Math.min(cores || Infinity, os.availableParallelism());
}

function count(text, what, least = 1) {
    const n = Number(text);
    if (text === "" || !Number.isInteger(n) || n < least) fail(`${what}: '${text}' is not a number of at least ${least}`);
    return n;
}

// A test: ppN, tgN, tgNxS (S sequences at once; xS alone is tg32xS), each with @dD behind it for a context that is filled
// already, and with :TYPE for keys and values of ingle (llama.cpp's are always F16); or open. `name` is ingle's and
// llama-bench's name of the row, `peer` the test of llama.cpp that it is compared with.
export function parseTest(text) {
    const [, kind, n, seqs, depth, kv] = /^(?:(pp|tg)(\d+)|(?=x))(?:x(\d+))?(?:@d(\d+))?(?::(\w+))?$/.exec(text) ?? [];
    if (text === "open") return {text, name: text, kind: "open", kv: "f16", peer: text};
    const test = {
        text, kind: kind ?? "tg", n: count(n ?? 32, text), seqs: count(seqs ?? 1, text), depth: count(depth ?? 0, text, 0), kv: kv ?? "f16"
    };
    if (!(kind || seqs) || (test.kind === "pp" && test.seqs > 1) || !["f32", "f16", "bf16", "q8_0"].includes(test.kv))
        fail(`--tests: '${text}' is none of ppN, tgN, tgNxS, xS, with @dDEPTH and :KVTYPE behind it if wanted, or open`);
    const name = `${test.kind}${test.n}`;
    test.row = name + (test.seqs > 1 ? ` x${test.seqs}` : "") + (test.depth ? ` @ d${test.depth}` : "");
    test.single = name + (test.depth ? ` @ d${test.depth}` : "");
    test.name = test.row + (kv && kv !== "f16" ? `, K/V ${kv}` : "");
    test.peer = text.replace(/:.*/, "");
    return test;
}

// "5,pp4096=2,tg32@d16384=1": how many for a test.
function parseRounds(text) {
    const special = new Map();
    let usual = 5;
    for (const part of text.split(",").filter(Boolean)) {
        const [name, n] = part.split("=");
        if (n === undefined) usual = count(name, "--rounds");
        else special.set(parseTest(name).name, count(n, "--rounds"));
    }
    return (test) => special.get(test.name) ?? special.get(parseTest(test.peer).name) ?? usual;
}

export function parseArgs(list) {
    const out = {...DEFAULTS, open: true, resume: false};
    for (let i = 0; i < list.length; i++) {
        const name = list[i].replace(/^--/, "");
        if (name === "no-open") out.open = false;
        else if (name === "resume") out.resume = true;
        else if (name === "help") help();
        else if (name in DEFAULTS && list[i].startsWith("--") && i + 1 < list.length)
            out[name] = typeof DEFAULTS[name] === "number" ? count(list[++i], `--${name}`, 0) : list[++i];
        else fail(`unknown option or missing value: ${list[i]}`);
    }
    if (out.reps < 1) fail("--reps: at least 1");
    for (const name of ["shapes", "recipes", "models", "tests", "engines", "threads"]) out[name] = [...new Set(out[name].split(",").filter(Boolean))];
    if (!out.engines.length || !out.tests.length) fail("--engines and --tests must name something");
    out.threads = out.threads.length ? out.threads.map((n) => count(n, "--threads")) : [physicalCores()];
    out.tests = out.tests.map(parseTest).filter((test) => out.open || test.kind !== "open");
    out.roundsOf = parseRounds(out.rounds);
    return out;
}
