// compare.mjs - ingle and llama.cpp side by side: same files, same threads, alternately; a table, a plot, the raw numbers.
//
// Called by run.sh, which prepares what is needed. Options (defaults in brackets):
//   --shapes a,b   [llama-3.2-1b]        --recipes a,b  [q4_k_m,q6_k,q8_0]     --models FILE,...  instead of both
//   --threads N    [physical cores]      --rounds N     [5]                    --prompt N [512]   --gen N [64]   --depth N [0]
//   --engines a,b  [ingle,llama.cpp]     --out FOLDER   [build/bench/compare]  --no-open  skips opening times
//   --ingle FILE   [build/ingle]         --make-model FILE [build/bench/make-model]
//   --busy N [3] and --patience M [20]: a measurement during which other programs took more than N % of the processors is
//   repeated, for M minutes at most; then it counts as it is, and the table says so
//
// One round runs each engine once, in turns of order (A B, B A, ...), so slow drifts of the machine hit both alike. A ratio is
// the median of the rounds' ratios; medians of each side stand beside it. llama.cpp's figures are its own clock's (what
// llama-bench reports: without binding and sampling); the table's last column tells what the binding adds to a token.

import {execFileSync, spawnSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {fileURLToPath} from "node:url";
import {runAlone} from "./alone.mjs";
import {barChart} from "./plot.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, "../..");
const options = parseArgs(process.argv.slice(2));

function parseArgs(list) {
    const out = {
        shapes: "llama-3.2-1b", recipes: "q4_k_m,q6_k,q8_0", models: "", threads: physicalCores(), rounds: 5, prompt: 512, gen: 64,
        depth: 0, busy: 3, patience: 20, engines: "ingle,llama.cpp", out: path.join(root, "build/bench/compare"), ingle: path.join(root, "build/ingle"),
        "make-model": path.join(root, "build/bench/make-model"), open: true
    };
    for (let i = 0; i < list.length; i++) {
        const name = list[i].replace(/^--/, "");
        if (name === "no-open") out.open = false;
        else if (name in out && name !== "open" && i + 1 < list.length)
            out[name] = typeof out[name] === "number" ? Number(list[++i]) : list[++i];
        else fail(`unknown option or missing value: ${list[i]}`);
    }
    for (const name of ["threads", "rounds", "prompt", "gen", "depth", "busy", "patience"])
        if (!Number.isInteger(out[name]) || out[name] < 0) fail(`--${name}: not a number`);
    for (const name of ["shapes", "recipes", "models", "engines"]) out[name] = out[name].split(",").filter(Boolean);
    return out;
}

function fail(message) {
    console.error(`compare: ${message}`);
    process.exit(1);
}

function physicalCores() {
    const lines = spawnSync("lscpu", ["-p=CORE,SOCKET"], {encoding: "utf8"}).stdout ?? "";
    const cores = new Set(lines.split("\n").filter((line) => line && !line.startsWith("#"))).size;
    return Math.min(cores || Infinity, os.availableParallelism());
}

// ---- files ----

function models() {
    if (options.models.length) return options.models.map((file) => ({label: path.basename(file, ".gguf"), file}));
    const folder = path.join(root, "build/bench/models");
    fs.mkdirSync(folder, {recursive: true});
    return options.shapes.flatMap((shape) => options.recipes.map((recipe) => {
        const file = path.join(folder, `${shape}.${recipe}.gguf`);
        return {label: `${shape} ${recipe.toUpperCase()}`, file: makeModel(shape, recipe, file)};
    }));
}

function makeModel(shape, recipe, file) {
    if (!fs.existsSync(file)) {
        console.error(`making ${path.relative(root, file)}`);
        execFileSync(options["make-model"], ["--shape", shape, "--recipe", recipe, "--out", file], {stdio: "inherit"});
        spawnSync("sync"); // writing back later would disturb the measurements
    }
    return file;
}

// Reads the file so that an engine finds it in memory.
function warm(file) {
    const fd = fs.openSync(file), buffer = Buffer.alloc(8 << 20);
    while (fs.readSync(fd, buffer) > 0);
    fs.closeSync(fd);
}

// ---- engines: each answers {rows: {name: tokens per second}, ...} ----

let disturbed = 0;

async function alone([command, args]) {
    const result = await runAlone(command, args, options).catch((error) => fail(error.message));
    if (result.spoiled) disturbed++;
    return result;
}

async function measure(engine, file) {
    const {stdout} = await alone(ENGINES[engine].command(file));
    try {
        return ENGINES[engine].read(JSON.parse(stdout.slice(stdout.indexOf("{"))));
    } catch {
        return fail(`${engine}: no JSON in its output:\n${stdout}`);
    }
}

const number = (name) => String(options[name]);
const LLAMA = path.join(here, "llama.mjs");

const ENGINES = {
    "ingle": {
        command: (file) => [options.ingle, [
            "bench", "-m", file, "-p", number("prompt"), "-n", number("gen"), "-d", number("depth"), "-t", number("threads"),
            "-r", "1", "-o", "json"
        ]],
        read(answer) {
            const rows = {}, limits = {};
            for (const row of answer.rows) [rows[row.name], limits[row.name]] = [row.median, row.limit];
            return {rows, limits, machine: answer.limits};
        },
        open: (file) => [options.ingle, [
            "run", "-m", file, "-n", "1", "--temp", "0", "-c", "256", "-t", number("threads"), "a"
        ]]
    },
    "llama.cpp": {
        command: (file) => [process.execPath, [
            LLAMA, "--model", file, "--prompt", number("prompt"), "--gen", number("gen"), "--depth", number("depth"),
            "--threads", number("threads")
        ]],
        read(answer) {
            const rows = {}, wall = {};
            for (const row of answer.rows) [rows[row.name], wall[row.name]] = [row.own, row.wall];
            return {rows, wall, about: answer};
        },
        open: (file) => [process.execPath, [
            LLAMA, "--model", file, "--threads", number("threads"), "--prompt", "8", "--gen", "8", "--open"
        ]]
    }
};

// ---- figures ----

function quantile(list, q) {
    const sorted = [...list].sort((a, b) => a - b), at = (sorted.length - 1) * q, low = Math.floor(at);
    return sorted[low] + (sorted[Math.ceil(at)] - sorted[low]) * (at - low);
}
const median = (list) => quantile(list, 0.5);

async function measureModel(model) {
    warm(model.file);
    const rounds = [], opening = {};
    for (let round = 0; round < options.rounds; round++) {
        const order = round % 2 ? [...options.engines].reverse() : options.engines, result = {};
        for (const engine of order) {
            result[engine] = await measure(engine, model.file);
            console.error(`${model.label}, round ${round + 1}, ${engine}: ` + Object.entries(result[engine].rows)
                .map(([name, tps]) => `${name} ${tps.toFixed(2)}`).join(", "));
        }
        rounds.push(result);
    }
    for (let round = 0; options.open && round < options.rounds; round++)
        for (const engine of options.engines) {
            warm(model.file);
            (opening[engine] ??= []).push((await alone(ENGINES[engine].open(model.file))).seconds);
        }
    return {...model, rounds, opening};
}

function summarise(result) {
    const first = result.rounds[0][options.engines[0]];
    return Object.keys(first.rows).map((name) => {
        const values = {}, shares = {};
        for (const engine of options.engines) {
            values[engine] = result.rounds.map((round) => round[engine].rows[name]);
            const limit = (round) => round.ingle?.limits[name];
            if (limit(result.rounds[0])) shares[engine] = median(result.rounds.map((r) => r[engine].rows[name] / limit(r)));
        }
        const ratios = options.engines.length < 2 ? [] : result.rounds.map((round) =>
            round[options.engines[0]].rows[name] / round[options.engines[1]].rows[name]);
        const peer = result.rounds.map((round) => round["llama.cpp"]).filter(Boolean);
        const binding = name.startsWith("tg") && peer.length ?
            median(peer.map((p) => 1e3 / p.wall[name] - 1e3 / p.rows[name])) : undefined;
        return {name, values, shares, ratios, binding};
    });
}

// What the binding costs per token by the other way: a model of next to no arithmetic and the same vocabulary.
async function bindingFloor() {
    if (!options.engines.includes("llama.cpp") || !options.gen) return undefined;
    const file = path.join(root, "build/bench/models/floor-128k.q8_0.gguf");
    makeModel("floor-128k", "q8_0", file);
    const row = await measure("llama.cpp", file);
    const name = Object.keys(row.rows).find((key) => key.startsWith("tg"));
    return {wall: 1e3 / row.wall[name], own: 1e3 / row.rows[name]};
}

// ---- words ----

function table(results, about, floor) {
    const [a, b] = options.engines, lines = [];
    const head = ["model", "test", ...options.engines.flatMap((e) => [`${e} t/s`, "of limit"]),
        ...(b ? ["ratio", "lowest .. highest"] : []), "binding, ms/token"];
    lines.push(`| ${head.join(" | ")} |`, `|${head.map((_, i) => i < 2 ? "---" : "---:").join("|")}|`);
    for (const result of results)
        for (const row of summarise(result)) {
            const cells = [result.label, row.name];
            for (const engine of options.engines)
                cells.push(median(row.values[engine]).toFixed(2),
                    row.shares[engine] ? `${(100 * row.shares[engine]).toFixed(0)} %` : "");
            if (b) cells.push(`**${median(row.ratios).toFixed(2)}**`,
                `${Math.min(...row.ratios).toFixed(2)} .. ${Math.max(...row.ratios).toFixed(2)}`);
            cells.push(row.binding === undefined ? "" : row.binding.toFixed(2));
            lines.push(`| ${cells.join(" | ")} |`);
        }
    lines.push("", `Medians of ${options.rounds} rounds, ${options.threads} threads, engines in turns of order; ` +
        (b ? `the ratio is ${a} to ${b}, the median of the rounds' ratios. ` : "") +
        "llama.cpp by its own clock (as llama-bench), without binding and sampling.");
    if (floor) lines.push(`Binding and sampling by a model of next to no arithmetic (vocabulary 128,256): ` +
        `${floor.wall.toFixed(2)} ms a token, of which llama.cpp counts ${floor.own.toFixed(2)} ms as its own.`);
    if (disturbed) lines.push(`${disturbed} measurements were taken although other programs were working.`);
    if (about) lines.push(`llama.cpp ${about.release}, ${about.backend}, batch ${about.batch}, flash attention ` +
        `${about.flash_attention ? "on" : "off"}, K/V ${about.kv_types.map((t) => t === 1 ? "F16" : t).join("/")}; ${about.system}`);
    lines.push(`Processor: ${os.cpus()[0].model}`, "");
    return lines.join("\n");
}

function openingTable(results) {
    if (!options.open) return "";
    const lines = [`| model | size, GB | ${options.engines.map((e) => `${e}, s`).join(" | ")} |`,
        `|---|---:|${options.engines.map(() => "---:").join("|")}|`];
    for (const result of results)
        lines.push(`| ${result.label} | ${(fs.statSync(result.file).size / 1e9).toFixed(2)} | ` +
            options.engines.map((e) => median(result.opening[e]).toFixed(2)).join(" | ") + " |");
    lines.push("", "From exec to the first token, whole process, file in the page cache. llama.cpp's figure includes the start of " +
        "node and of the binding.", "");
    return lines.join("\n");
}

function plot(results) {
    const rows = results.flatMap((result) => summarise(result).map((row) => ({...row, label: result.label})));
    const panel = (kind, title) => ({
        title, unit: "tokens/s",
        groups: rows.filter((row) => row.name.startsWith(kind)).map((row) => ({
            label: row.label, note: row.ratios.length ? `${row.name}: ${median(row.ratios).toFixed(2)}x` : row.name,
            bars: options.engines.map((series) => ({
                series, value: median(row.values[series]), low: Math.min(...row.values[series]), high: Math.max(...row.values[series])
            }))
        }))
    });
    return barChart({
        title: options.engines.join(" and "), series: options.engines,
        subtitle: `${options.threads} threads, medians of ${options.rounds} alternating rounds, whiskers: all rounds; ${os.cpus()[0].model}`,
        panels: [panel("pp", "Reading the prompt"), panel("tg", "Writing")].filter((p) => p.groups.length)
    });
}

// ---- all of it ----

for (const engine of options.engines) if (!ENGINES[engine]) fail(`--engines: '${engine}' is not one of ${Object.keys(ENGINES)}`);
if (options.engines.includes("ingle") && !fs.existsSync(options.ingle)) fail(`${options.ingle} is not there: build it first`);
const results = [];
for (const model of models()) results.push(await measureModel(model));
const floor = options.models.length ? undefined : await bindingFloor();
const about = results[0]?.rounds[0]["llama.cpp"]?.about;
const text = table(results, about, floor) + "\n" + openingTable(results);
fs.mkdirSync(options.out, {recursive: true});
fs.writeFileSync(path.join(options.out, "table.md"), text);
fs.writeFileSync(path.join(options.out, "plot.svg"), plot(results));
fs.writeFileSync(path.join(options.out, "results.json"), JSON.stringify({options, floor, results}, null, 1));
console.log(text);
console.log(`written: ${path.relative(process.cwd(), options.out)}/table.md, plot.svg, results.json`);
