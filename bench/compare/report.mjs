// report.mjs - the figures of all rounds as tables in Markdown, and as a plot. Depends on engines.mjs (median), plot.mjs.

import fs from "node:fs";
import os from "node:os";
import {median} from "./engines.mjs";
import {barChart} from "./plot.mjs";

const MOST_ROUNDS = 1000;

// ingle's limit for arithmetic is that of int8 products; of a file of floats it says nothing.
const noLimit = (model, test) => /(^|[-._ ])(bf16|f16|f32)$/i.test(model.label) && (test.kind === "pp" || test.seqs > 1);

// All rounds of one test of one model: {values: {engine: [...]}, shares, steps, ratios (of rounds that both have), ...}.
export function summarise(engines, model, threads, test, find) {
    const all = [];
    for (let round = 0; round < MOST_ROUNDS; round++) {
        const records = Object.fromEntries(engines.map((engine) => [engine, find(engine, round)]));
        if (engines.some((engine) => records[engine])) all.push(records);
        else if (round >= all.length + 10) break; // a failed round leaves a gap
    }
    const field = test.kind === "open" ? "seconds" : "tps", [a, b] = engines;
    const row = {
        label: model.label, file: model.file, threads, test: test.name, kind: test.kind, seqs: test.seqs ?? 1, depth: test.depth ?? 0,
        n: all.length, values: {}, shares: {}, steps: {}, ratios: [],
        spoiled: all.flatMap((records) => Object.values(records)).filter((record) => record?.spoiled).length
    };
    for (const engine of engines) {
        const own = all.filter((records) => records[engine]);
        row.values[engine] = own.map((records) => records[engine][field]);
        row.shares[engine] = median(own.filter((r) => r.ingle?.limit && !noLimit(model, test)).map((r) => r[engine].tps / r.ingle.limit));
        row.steps[engine] = median(own.filter((r) => r[engine].single).map((r) => test.seqs * r[engine].single / r[engine].tps));
    }
    const both = b ? all.filter((records) => records[a] && records[b]) : [];
    row.ratios = both.map((records) => records[a][field] / records[b][field]);
    const peers = all.map((records) => records["llama.cpp"]).filter((record) => record?.wall);
    if (test.kind === "tg" && row.seqs === 1) row.binding = median(peers.map((p) => 1e3 / p.wall - 1e3 / p.tps));
    return row;
}

// ---- tables ----

function markdown(head, rows, n_words) {
    const line = (cells) => `| ${cells.map((cell) => cell ?? "").join(" | ")} |`;
    return [line(head), `|${head.map((_, i) => i < n_words ? "---" : "---:").join("|")}|`, ...rows.map(line), ""];
}

const fixed = (value, digits = 2) => value === undefined ? "" : value.toFixed(digits);
const speed = (value) => fixed(value, value >= 1000 ? 0 : 2);
const percent = (value) => value === undefined ? "" : `${(100 * value).toFixed(0)} %`;

function ratio(row) {
    if (!row.ratios.length) return ["", ""];
    return [`**${fixed(median(row.ratios))}**`, `${fixed(Math.min(...row.ratios))} .. ${fixed(Math.max(...row.ratios))}`];
}

function speedTable(rows, {engines, threads}) {
    const several = threads.length > 1, rounds = new Set(rows.map((row) => row.n)).size > 1;
    const head = ["model", ...(several ? ["threads"] : []), "test", ...(rounds ? ["rounds"] : []),
        ...engines.flatMap((engine) => [`${engine} t/s`, "of limit"]), ...(engines.length > 1 ? ["ratio", "lowest .. highest"] : []),
        ...(engines.includes("llama.cpp") ? ["binding, ms/token"] : [])];
    return markdown(head, rows.map((row) => [
        row.label, ...(several ? [row.threads] : []), row.test, ...(rounds ? [row.n] : []),
        ...engines.flatMap((engine) => [speed(median(row.values[engine])), percent(row.shares[engine])]),
        ...(engines.length > 1 ? ratio(row) : []), ...(engines.includes("llama.cpp") ? [fixed(row.binding)] : [])
    ]), several ? 3 : 2);
}

// Speed by the number of threads, and its share of the best number's.
function threadTable(rows, {engines, threads}) {
    if (threads.length < 2) return [];
    const lines = [];
    for (const engine of engines)
        for (const first of rows.filter((row) => row.threads === threads[0] && row.values[engine].length)) {
            const all = threads.map((n) => median(rows.find((row) =>
                row.label === first.label && row.test === first.test && row.threads === n)?.values[engine] ?? []));
            const best = Math.max(...all.filter((one) => one !== undefined));
            lines.push([first.label, first.test, engine, ...all.map((one) =>
                one === undefined ? "" : `${speed(one)} (${percent(one / best)})`)]);
        }
    const head = ["model", "test", "engine", ...threads.map((n) => n === 1 ? "1 thread" : `${n} threads`)];
    return [...markdown(head, lines, 3), "Tokens/s by the number of threads, and the share of the best number's.", ""];
}

function sequenceTable(rows, {engines}) {
    const some = rows.filter((row) => row.seqs > 1);
    if (!some.length) return [];
    const lines = some.map((row) => [row.label, row.threads, row.test, ...engines.map((engine) => fixed(row.steps[engine]))]);
    return [...markdown(["model", "threads", "test", ...engines], lines, 3),
        "What a step of that many sequences takes, in steps of a single one (same process).", ""];
}

function openingTable(rows, {engines, threads}) {
    if (!rows.length) return [];
    const several = threads.length > 1;
    const lines = rows.map((row) => [row.label, ...(several ? [row.threads] : []), (fs.statSync(row.file).size / 1e9).toFixed(2),
        ...engines.map((engine) => fixed(median(row.values[engine]))), ...(engines.length > 1 ? ratio(row) : [])]);
    const head = ["model", ...(several ? ["threads"] : []), "size, GB", ...engines.map((engine) => `${engine}, s`),
        ...(engines.length > 1 ? ["ratio", "lowest .. highest"] : [])];
    return [...markdown(head, lines, 1), "From exec to the first token, whole process, file in the page cache; a ratio below 1 is " +
        `${engines[0]}'s.` + (engines.includes("llama.cpp") ? " llama.cpp's figure includes the start of node and of the binding." : ""), ""];
}

function footer(rows, {engines, threads, floor, about, failed, late}) {
    const [a, b] = engines, lines = [], llama = about["llama.cpp"], counts = rows.map((row) => row.n);
    const least = Math.min(...counts), most = Math.max(...counts);
    lines.push(`Medians of ${least === most ? least : `${least} to ${most}`} rounds` +
        (threads.length > 1 ? "" : `, ${threads[0]} threads`) + (b ? ", engines in turns of order" +
        `; the ratio is ${a} to ${b}, the median of the rounds' ratios` : "") + "." +
        (engines.includes("llama.cpp") ? " llama.cpp by its own clock (as llama-bench), without binding and sampling." : ""));
    if (rows.some((row) => row.depth)) lines.push("@ dN: behind N tokens that are in the context already.");
    if (rows.some((row) => row.seqs > 1)) lines.push("xN: N sequences decode at once, the tokens of all of them per second.");
    if (rows.some((row) => noLimit(row, row))) lines.push("No share of a limit where floats are multiplied: the limit is of int8 products " +
        "(ingle bench --profile has the shares of the float peak).");
    if (rows.some((row) => row.test.includes("K/V"))) lines.push("\"K/V\" is ingle's type of keys and values; llama.cpp's is F16 in all rows.");
    if (floor) lines.push(`Binding and sampling by a model of next to no arithmetic (vocabulary 128,256): ` +
        `${(1e3 / floor.wall).toFixed(2)} ms a token, of which llama.cpp counts ${(1e3 / floor.tps).toFixed(2)} ms as its own.`);
    const disturbed = rows.reduce((sum, row) => sum + row.spoiled, 0);
    if (disturbed) lines.push(`${disturbed} figures were taken although other programs were working.`);
    if (llama && engines.includes("llama.cpp"))
        lines.push(`llama.cpp ${llama.release}, ${llama.backend}, batch ${llama.batch}, flash attention ` +
            `${llama.flash_attention ? "on" : "off"}, K/V ${llama.kv_types.map((t) => t === 1 ? "F16" : t).join("/")}; ${llama.system}`);
    lines.push(`Processor: ${os.cpus()[0].model}`);
    if (late) lines.push(`${late} measurements did not fit into the time given.`);
    for (const name of failed) lines.push(`Failed: ${name}`);
    return [...lines, ""];
}

export function tables(rows, setting) {
    if (!rows.length) return "Nothing was measured.\n" + [...setting.failed].map((name) => `Failed: ${name}\n`).join("");
    const speeds = rows.filter((row) => row.kind !== "open");
    return [
        ...(speeds.length ? speedTable(speeds, setting) : []), ...footer(rows, setting), ...threadTable(speeds, setting),
        ...sequenceTable(speeds, setting), ...openingTable(rows.filter((row) => row.kind === "open"), setting)
    ].join("\n");
}

// ---- plot: a panel per test, so that each has a scale of its own ----

function panelTitle(row) {
    const at = row.depth ? ` behind ${row.depth}` : "";
    if (row.kind === "open") return "open: from exec to the first token (shorter is better)";
    if (row.kind === "pp") return `${row.test}: reading the prompt${at}`;
    return row.seqs > 1 ? `${row.test}: ${row.seqs} sequences writing at once${at}` : `${row.test}: writing${at}`;
}

export function plot(rows, {engines, threads}) {
    const panel = (test) => {
        const some = rows.filter((row) => row.test === test);
        return {
            title: panelTitle(some[0]), unit: some[0].kind === "open" ? "seconds" : "tokens/s",
            groups: some.map((row) => ({
                label: row.label + (threads.length > 1 ? `, ${row.threads} thr.` : ""),
                note: row.ratios.length ? `${median(row.ratios).toFixed(2)}x` : "",
                bars: engines.filter((engine) => row.values[engine].length).map((series) => ({
                    series, value: median(row.values[series]), low: Math.min(...row.values[series]), high: Math.max(...row.values[series])
                }))
            }))
        };
    };
    const n = rows.map((row) => row.n), rounds = n.length ? [...new Set([Math.min(...n), Math.max(...n)])].join(" to ") : 0;
    return barChart({
        title: engines.join(" and "), series: engines,
        subtitle: `${threads.join(", ")} threads, medians of ${rounds} alternating rounds, whiskers: all rounds; ${os.cpus()[0].model}`,
        panels: [...new Set(rows.map((row) => row.test))].map(panel)
    });
}
