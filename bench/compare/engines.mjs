// engines.mjs - one job of one engine: some tests of one file in a fresh process. Depends on alone.mjs, llama.mjs.
//
// job() answers {records: {test name: record}, about, seconds}. A record is what is kept of a test in one round:
//   {tps, wall (llama.cpp: by the caller's clock), limit (ingle: what the machine could do), single (one sequence's tokens/s, in
//   the same process), spoiled}; of an opening {seconds, spoiled}.

import fs from "node:fs";
import path from "node:path";
import {fileURLToPath} from "node:url";
import {runAlone} from "./alone.mjs";

const LLAMA = path.join(path.dirname(fileURLToPath(import.meta.url)), "llama.mjs");

// ---- figures ----

export function quantile(list, q) {
    const sorted = [...list].sort((a, b) => a - b), at = (sorted.length - 1) * q, low = Math.floor(at);
    return sorted[low] + (sorted[Math.ceil(at)] - sorted[low]) * (at - low);
}
export const median = (list) => list.length ? quantile(list, 0.5) : undefined;

// ---- command lines; a job's tests have depth, sequences and type of K/V in common ----

function shape(tests) {
    const n = (kind) => String(tests.find((test) => test.kind === kind)?.n ?? 0);
    return {prompt: n("pp"), gen: n("tg"), depth: String(tests[0].depth), seqs: String(tests[0].seqs), kv: tests[0].kv};
}

// Behind a filled context, and with several sequences, the work to get there is worth more than one repetition.
const repetitions = (tests, options) => String(tests[0].depth || tests[0].seqs > 1 ? options.reps : 1);

// A context of many tokens is kept in a file: filling it takes llama.cpp minutes. Not of several sequences at once.
function stateFile(test, model, options) {
    if (!(test.depth >= 1024) || test.seqs > 1) return undefined;
    const folder = path.join(options.out, "state");
    fs.mkdirSync(folder, {recursive: true});
    const {size, mtimeMs} = fs.statSync(model.file);
    return path.join(folder, `${path.basename(model.file)}.${size}.${Math.round(mtimeMs)}.d${test.depth}`);
}

export const ENGINES = {
    "ingle": {
        command(tests, model, threads, options) {
            const s = shape(tests);
            return [options.ingle, [
                "bench", "-m", model.file, "-p", s.prompt, "-n", s.gen, "-d", s.depth, "--sequences", s.seqs, "--kv", s.kv,
                "-t", String(threads), "-r", repetitions(tests, options), "-o", "json"
            ]];
        },
        rows: (answer) => answer.rows.map((row) => ({name: row.name, tps: row.median, limit: row.limit})),
        about: (answer) => ({isa: answer.isa, limits: answer.limits}),
        open: (model, threads, options) => [options.ingle, [
            "run", "-m", model.file, "-n", "1", "--temp", "0", "-c", "256", "-t", String(threads), "a"
        ]]
    },
    "llama.cpp": {
        command(tests, model, threads, options) {
            const s = shape(tests), state = stateFile(tests[0], model, options);
            return [process.execPath, [
                LLAMA, "--model", model.file, "--prompt", s.prompt, "--gen", s.gen, "--depth", s.depth, "--sequences", s.seqs,
                "--threads", String(threads), "--reps", repetitions(tests, options), ...(state ? ["--state", state] : [])
            ]];
        },
        // What need not be alone: filling a context.
        prepare(tests, model, threads, options) {
            const state = stateFile(tests[0], model, options);
            if (!state || fs.existsSync(state)) return undefined;
            return [process.execPath, [
                LLAMA, "--model", model.file, "--prompt", "0", "--gen", "0", "--depth", shape(tests).depth, "--threads", String(threads),
                "--state", state
            ]];
        },
        rows: (answer) => [...new Set(answer.rows.map((row) => row.name))].map((name) => {
            const some = answer.rows.filter((row) => row.name === name);
            return {name, tps: median(some.map((row) => row.own)), wall: median(some.map((row) => row.wall))};
        }),
        about: ({rows, ...rest}) => rest,
        open: (model, threads) => [process.execPath, [
            LLAMA, "--model", model.file, "--threads", String(threads), "--prompt", "8", "--gen", "8", "--open"
        ]]
    }
};

// Reads the file so that an engine finds it in memory.
function warm(file) {
    const fd = fs.openSync(file), buffer = Buffer.alloc(8 << 20);
    while (fs.readSync(fd, buffer) > 0);
    fs.closeSync(fd);
}

export async function job(engine, tests, model, threads, options) {
    const {command, prepare, rows, about, open} = ENGINES[engine], begin = performance.now(), records = {};
    const before = prepare?.(tests, model, threads, options);
    if (before) await runAlone(...before, {...options, busy: Infinity});
    warm(model.file);
    const opening = tests[0].kind === "open";
    const [program, args] = opening ? open(model, threads, options) : command(tests, model, threads, options);
    const left = {...options, limit: options.limit - (performance.now() - begin) / 1e3};
    const {stdout, seconds, spoiled} = await runAlone(program, args, left);
    const took = () => (performance.now() - begin) / 1e3;
    if (opening) return {records: {open: {seconds, spoiled}}, seconds: took()};
    let answer;
    try {
        answer = JSON.parse(stdout.slice(stdout.indexOf("{")));
    } catch {
        throw new Error(`${engine}: no JSON in its output:\n${stdout}`);
    }
    const found = new Map(rows(answer).map(({name, ...row}) => [name, row]));
    for (const test of tests) {
        const row = found.get(test.row);
        if (!row) throw new Error(`${engine}: no row '${test.row}' in its output`);
        records[test.name] = {...row, spoiled, single: test.seqs > 1 ? found.get(test.single)?.tps : undefined};
    }
    return {records, about: about(answer), seconds: took()};
}
