// alone.mjs - runs a program while nobody else works: waits for a quiet machine, watches it during the run, repeats what was spoiled.
//
// Depends on /proc. Processor time that is neither the program's nor ours counts as others', stolen time of a virtual machine too.

import {spawn} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const TICKS = 100; // per second, in /proc on every Linux in use
const GRACE = 0.3; // seconds of others' processor time that spoil nothing

// Fields 3 and up of a process's stat file; none once it is gone.
function stat(pid) {
    try {
        return fs.readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /s, "").split(" ");
    } catch {
        return [];
    }
}

// Seconds of processor time so far of one process, all its threads and the children it has waited for.
function processSeconds(pid) {
    const ticks = stat(pid).slice(11, 15).map(Number);
    return ticks.reduce((sum, one) => sum + one, 0) / TICKS;
}

// The same for all processes of a process group.
function groupSeconds(group) {
    const members = fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name) && stat(name)[2] === String(group));
    return members.reduce((sum, pid) => sum + processSeconds(pid), 0);
}

function machineSeconds() {
    const line = fs.readFileSync("/proc/stat", "utf8").split("\n")[0];
    const [user, nice, system, , , irq, softirq, steal] = line.trim().split(/\s+/).slice(1).map(Number);
    return (user + nice + system + irq + softirq + steal) / TICKS;
}

// Others' processor time since a start.
class Watch {
    constructor(group) {
        this.group = group;
        this.wall = performance.now() / 1e3;
        this.machine = machineSeconds();
        this.own = processSeconds("self");
        this.child = 0;
    }
    others() {
        if (this.group) this.child = Math.max(this.child, groupSeconds(this.group));
        return Math.max(0, machineSeconds() - this.machine - (processSeconds("self") - this.own) - this.child);
    }
    // Did they take more than `percent` of all processors?
    spoiled(percent) {
        const wall = performance.now() / 1e3 - this.wall;
        return this.others() > GRACE + percent / 100 * wall * os.cpus().length;
    }
}

const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1e3));

async function quiet(percent) {
    const watch = new Watch();
    await sleep(1);
    return watch.others() <= percent / 100 * os.cpus().length + 0.02;
}

function kill(group) {
    try {
        process.kill(-group);
    } catch {
        // it has just ended
    }
}

// Runs once: {stdout, seconds (to the first byte of stdout, or to the end without any), spoiled}. A spoiled run is cut short if
// mayCut. Throws if the program fails or is not done in `limit` seconds.
function run(command, args, percent, mayCut, limit) {
    return new Promise((resolve, reject) => {
        const begin = performance.now(), child = spawn(command, args, {stdio: ["ignore", "pipe", "pipe"], detached: true});
        const interrupted = () => {
            kill(child.pid); // a group of its own does not hear the terminal
            process.exit(130);
        };
        process.once("SIGINT", interrupted);
        const watch = new Watch(child.pid), name = `${path.basename(command)} ${args.join(" ")}`;
        let stdout = "", stderr = "", seconds, spoiled = false, endless = false;
        const timer = setInterval(() => {
            spoiled ||= watch.spoiled(percent);
            endless ||= performance.now() - begin > limit * 1e3;
            if ((spoiled && mayCut) || endless) kill(child.pid);
        }, 250);
        child.stdout.setEncoding("latin1").on("data", (text) => {
            seconds ??= (performance.now() - begin) / 1e3;
            stdout += text;
        });
        child.stderr.setEncoding("utf8").on("data", (text) => stderr += text);
        child.on("error", (error) => reject(new Error(`${name}: ${error.message}`)));
        child.on("close", (code) => {
            clearInterval(timer);
            process.off("SIGINT", interrupted);
            seconds ??= (performance.now() - begin) / 1e3;
            if (endless) reject(new Error(`${name}: not done in ${limit.toFixed(0)} s`));
            else if (spoiled && mayCut) resolve({spoiled});
            else if (code !== 0) reject(new Error(`${name}\n${stderr}`));
            else resolve({stdout, seconds, spoiled});
        });
    });
}

// Runs a program until one run was undisturbed, or until `patience` minutes have passed; then the run counts as it is, and
// `spoiled` says whether others were working. No run may take more than `limit` seconds.
export async function runAlone(command, args, {busy, patience, limit}) {
    const deadline = performance.now() + patience * 60e3;
    let told = false;
    for (;;) {
        const late = performance.now() > deadline;
        if (late || await quiet(busy)) {
            const result = await run(command, args, busy, !late, limit);
            if (late || !result.spoiled) return result;
        }
        if (!told) console.error("other programs are working: waiting, trying again");
        told = true;
    }
}
