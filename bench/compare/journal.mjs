// journal.mjs - every measurement, appended to a file as it is made: nothing is lost when a run ends early, and a later one can
// go on. One JSON object per line; lines of other kinds than the known are passed over.

import fs from "node:fs";

const keyOf = ({engine, model, threads, round, test}) => JSON.stringify([engine, model, threads, round, test]);

export class Journal {
    constructor(file, resume) {
        this.file = file;
        this.records = new Map();
        this.about = {}; // engine: what it last said of itself
        this.programs = {}; // engine: which program was measured
        this.costs = new Map(); // seconds a job took
        if (fs.existsSync(file) && resume) this.read();
        else if (fs.existsSync(file)) fs.renameSync(file, `${file}.before`);
    }
    read() {
        for (const line of fs.readFileSync(this.file, "utf8").split("\n").filter(Boolean)) {
            try {
                this.take(JSON.parse(line));
            } catch {
                console.error(`compare: a broken line in ${this.file} is passed over`);
            }
        }
    }
    take(line) {
        if (line.kind === "record") this.records.set(keyOf(line), line);
        else if (line.kind === "about") this.about[line.engine] = line.about;
        else if (line.kind === "program") this.programs[line.engine] = line.program;
        else if (line.kind === "cost") this.costs.set(line.job, line.seconds);
    }
    add(line) {
        this.take(line);
        fs.appendFileSync(this.file, JSON.stringify({...line, at: new Date().toISOString()}) + "\n");
    }
    get(key) {
        return this.records.get(keyOf(key));
    }
}
