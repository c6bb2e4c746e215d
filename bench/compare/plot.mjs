// plot.mjs - a grouped bar chart as SVG text, by hand: no library draws fewer lines than this.

const COLOURS = ["#1f6f8b", "#c9a24b", "#9aa5ab", "#7a5c86"];
const FONT = "font-family=\"Helvetica, Arial, sans-serif\"";

// panels: [{title, unit, groups: [{label, note, bars: [{series, value, low, high}]}]}]; series: names in order.
export function barChart({title, subtitle, series, panels}) {
    const width = 860, left = 190, right = 120, barH = 17, gap = 16, panelGap = 34;
    const out = [];
    let y = 74;
    for (const panel of panels) {
        out.push(text(24, y, panel.title, {size: 14, weight: 600}));
        y += 16;
        const max = Math.max(...panel.groups.flatMap((g) => g.bars.map((b) => b.high ?? b.value)));
        const step = niceStep(max / 5);
        const scale = (width - left - right) / (Math.ceil(max / step) * step);
        const top = y;
        const height = panel.groups.reduce((h, g) => h + g.bars.length * barH + gap, 0);
        for (let v = 0; v <= max + step * 0.999; v += step) {
            const x = left + v * scale;
            out.push(`<line x1="${f(x)}" y1="${top}" x2="${f(x)}" y2="${f(top + height)}" stroke="#e3e6e8"/>`);
            out.push(text(x, top + height + 14, tick(v, step), {size: 11, fill: "#667", anchor: "middle"}));
        }
        out.push(text(width - right + 24, top + height + 14, panel.unit, {size: 11, fill: "#667"}));
        y += gap / 2;
        for (const group of panel.groups) {
            const middle = y + group.bars.length * barH / 2;
            out.push(text(left - 12, middle + (group.note ? -2 : 4), group.label, {size: 12, anchor: "end"}));
            if (group.note)
                out.push(text(left - 12, middle + 13, group.note, {size: 11, anchor: "end", fill: "#667"}));
            for (const bar of group.bars) {
                const w = bar.value * scale, colour = COLOURS[series.indexOf(bar.series) % COLOURS.length];
                out.push(`<rect x="${left}" y="${f(y + 1)}" width="${f(w)}" height="${barH - 2}" rx="2" fill="${colour}"/>`);
                let end = left + w;
                if (bar.low !== undefined && bar.high > bar.low) {
                    const a = left + bar.low * scale, b = left + bar.high * scale, m = y + barH / 2;
                    out.push(`<path d="M${f(a)} ${f(m)}H${f(b)}M${f(a)} ${f(m - 3)}v6M${f(b)} ${f(m - 3)}v6" stroke="#333" fill="none"/>`);
                    end = Math.max(end, b);
                }
                out.push(text(end + 6, y + barH / 2 + 4, number(bar.value), {size: 11}));
                y += barH;
            }
            y += gap;
        }
        y += panelGap;
    }
    let x = left;
    const legend = series.map((name, i) => {
        const item = `<rect x="${x}" y="${y - 10}" width="12" height="12" rx="2" fill="${COLOURS[i % COLOURS.length]}"/>` +
            text(x + 18, y, name, {size: 12});
        x += 40 + name.length * 7;
        return item;
    });
    y += 24;
    return [
        `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${f(y)}" viewBox="0 0 ${width} ${f(y)}" ${FONT}>`,
        `<rect width="100%" height="100%" fill="#fff"/>`,
        text(24, 30, title, {size: 17, weight: 600}),
        text(24, 49, subtitle, {size: 12, fill: "#667"}),
        ...out, ...legend, "</svg>", ""
    ].join("\n");
}

function text(x, y, body, {size, weight, anchor, fill = "#222"}) {
    const extra = (weight ? ` font-weight="${weight}"` : "") + (anchor ? ` text-anchor="${anchor}"` : "");
    return `<text x="${f(x)}" y="${f(y)}" font-size="${size}" fill="${fill}"${extra}>${escape(body)}</text>`;
}

function niceStep(rough) {
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].find((m) => m * power >= rough) * power;
}

const f = (v) => String(Math.round(v * 10) / 10);
const tick = (v, step) => step < 1 ? v.toFixed(1) : String(Math.round(v));
const number = (v) => v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2);
const escape = (s) => s.replace(/[&<>]/g, (c) => ({"&": "&amp;", "<": "&lt;", ">": "&gt;"})[c]);
