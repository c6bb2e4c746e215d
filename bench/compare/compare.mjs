// compare.mjs - ingle and llama.cpp side by side: same files, same threads, alternately; a table, a plot, the raw numbers.
//
// Called by run.sh, which prepares what is needed. run.sh --help lists the options.
//
// One round runs each engine once, in turns of order (A B, B A, ...), so slow drifts of the machine hit both alike. A ratio is
// the median of the rounds' ratios; medians of each side stand beside it. All models have their first round before any has its
// second. Every measurement goes to rounds.jsonl when it is made; table, plot and results.json are written after every round.

import {execFileSync, spawnSync} from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {ENGINES, job} from "./engines.mjs";
import {Journal} from "./journal.mjs";
import {fail, parseArgs, parseTest, root} from "./options.mjs";
import {plot, summarise, tables} from "./report.mjs";

const options = parseArgs(process.argv.slice(2));
const deadline = options["max-minutes"] ? performance.now() + options["max-minutes"] * 60e3 : Infinity;
const FLOOR = {label: "floor-128k Q8_0", file: path.join(root, "build/bench/models/floor-128k.q8_0.gguf")};
const FLOOR_TEST = parseTest("tg64");
const failed = new Set(), late = new Set();

// ---- files ----

function models() {
    if (options.models.length) return options.models.map((file) => ({label: path.basename(file, ".gguf"), file}));
    const folder = path.join(root, "build/bench/models");
    return options.shapes.flatMap((shape) => options.recipes.map((recipe) => {
        const file = path.join(folder, `${shape}.${recipe}.gguf`);
        makeModel(shape, recipe, file);
        return {label: `${shape} ${recipe.toUpperCase()}`, file};
    }));
}

function makeModel(shape, recipe, file) {
    if (fs.existsSync(file)) return;
    console.error(`making ${path.relative(root, file)}`);
    fs.mkdirSync(path.dirname(file), {recursive: true});
    execFileSync(options["make-model"], ["--shape", shape, "--recipe", recipe, "--out", `${file}.new`], {stdio: "inherit"});
    fs.renameSync(`${file}.new`, file); // an interrupted one leaves no file of that name
    spawnSync("sync"); // writing back later would disturb the measurements
}

// ---- jobs: tests that one process can measure ----

// One prompt and one generation of the same depth and K/V go together; long prompts, several sequences and openings go alone.
function groupTests(tests) {
    const groups = [];
    for (const test of tests) {
        const alone = (one) => one.kind === "open" || one.seqs > 1 || (one.kind === "pp" && one.n > 1024);
        const fits = (group) => group.length === 1 && !alone(test) && !alone(group[0]) &&
            group[0].kind !== test.kind && group[0].depth === test.depth && group[0].kv === test.kv;
        const group = groups.find(fits);
        if (group) group.push(test);
        else groups.push([test]);
    }
    return groups;
}

// llama.cpp is measured with F16 keys and values only: its test of the same row.
const testFor = (engine, test) => engine === "llama.cpp" ? parseTest(test.peer) : test;

function take(engine, tests, model, threads, round) {
    const missing = tests.filter((test) => !journal.get({engine, model: model.label, threads, round, test: test.name}));
    const name = [engine, model.label, `${threads} threads`, ...missing.map((test) => test.name)].join(", ");
    if (!missing.length || failed.has(name)) return undefined;
    if (performance.now() + 1e3 * (journal.costs.get(name) ?? 0) > deadline) return void late.add(`${name}, round ${round + 1}`);
    return run(name, engine, missing, model, threads, round);
}

async function run(name, engine, tests, model, threads, round) {
    const left = Math.max(0, deadline - performance.now()) / 1e3;
    const limit = Math.min(60 * options["job-minutes"], left), patience = Math.min(options.patience, left / 60);
    process.stderr.write(`round ${round + 1}: ${name}: `);
    try {
        const done = await job(engine, tests, model, threads, {...options, patience, limit});
        for (const [test, record] of Object.entries(done.records))
            journal.add({kind: "record", engine, model: model.label, threads, round, test, ...record});
        if (done.about) journal.add({kind: "about", engine, about: done.about});
        journal.add({kind: "cost", job: name, seconds: done.seconds});
        console.error(Object.values(done.records).map((r) => r.tps ? `${r.tps.toFixed(2)} t/s` : `${r.seconds.toFixed(2)} s`).join(", ") +
            ` (took ${done.seconds.toFixed(0)} s)`);
    } catch (error) {
        if (performance.now() > deadline) late.add(`${name}, round ${round + 1}`);
        else failed.add(name);
        console.error(`failed\n${error.message}`);
    }
}

async function runRound(model, round) {
    const due = options.tests.filter((test) => round < options.roundsOf(test));
    for (const threads of options.threads)
        for (const group of groupTests(due)) {
            const order = (round + options.threads.indexOf(threads)) % 2 ? [...options.engines].reverse() : options.engines;
            for (const engine of order) await take(engine, group.map((test) => testFor(engine, test)), model, threads, round);
        }
}

// What the binding costs per token by the other way: a model of next to no arithmetic and the same vocabulary.
async function measureFloor() {
    const wanted = options.tests.some((test) => test.kind === "tg" && test.seqs === 1) && !options.models.length;
    if (!wanted || !options.engines.includes("llama.cpp")) return;
    makeModel("floor-128k", "q8_0", FLOOR.file);
    await take("llama.cpp", [FLOOR_TEST], FLOOR, options.threads[0], 0);
}

// ---- words ----

function report(list) {
    const rows = list.flatMap((model) => options.threads.flatMap((threads) => options.tests.map((test) =>
        summarise(options.engines, model, threads, test, (engine, round) =>
            journal.get({engine, model: model.label, threads, round, test: testFor(engine, test).name})))));
    const floor = journal.get({engine: "llama.cpp", model: FLOOR.label, threads: options.threads[0], round: 0, test: FLOOR_TEST.name});
    const measured = rows.filter((row) => row.n > 0);
    const text = tables(measured, {
        engines: options.engines, threads: options.threads, floor, about: journal.about, failed, late: late.size
    });
    const write = (name, body) => {
        fs.writeFileSync(path.join(options.out, `${name}.new`), body);
        fs.renameSync(path.join(options.out, `${name}.new`), path.join(options.out, name));
    };
    write("table.md", text);
    write("plot.svg", plot(measured, options));
    write("results.json", JSON.stringify({options, about: journal.about, floor, rows: measured}, null, 1));
    return text;
}

// ---- all of it ----

for (const engine of options.engines) if (!ENGINES[engine]) fail(`--engines: '${engine}' is not one of ${Object.keys(ENGINES)}`);
if (options.engines.includes("ingle") && !fs.existsSync(options.ingle)) fail(`${options.ingle} is not there: build it first`);
const list = models();
fs.mkdirSync(options.out, {recursive: true});
const journal = new Journal(path.join(options.out, "rounds.jsonl"), options.resume);
if (options.engines.includes("ingle")) {
    const {size, mtimeMs} = fs.statSync(options.ingle), program = `${size} bytes, ${new Date(mtimeMs).toISOString()}`;
    if ((journal.programs.ingle ?? program) !== program)
        console.error(`compare: ${options.ingle} is another program than the one measured before: rounds of both are mixed`);
    journal.add({kind: "program", engine: "ingle", program});
}
for (let round = 0; round < Math.max(...options.tests.map(options.roundsOf)); round++)
    for (const model of list) {
        await runRound(model, round);
        report(list);
    }
await measureFloor();
console.log(report(list));
if (!late.size && !failed.size) fs.rmSync(path.join(options.out, "state"), {recursive: true, force: true});
console.log(`written: ${path.relative(process.cwd(), options.out)}/table.md, plot.svg, results.json, rounds.jsonl`);
process.exitCode = failed.size ? 1 : 0;
