/* profile_svg.c - a step as a flame strip: its layers, below them their instructions, as wide as
 * they are long. Depends on profile.h. Within an instruction the dark part is the time it would
 * take at the machine's limit, the pale part at its end is waiting. */
#include "profile.h"

#include <string.h>

enum { WIDTH = 1200, MARGIN = 10, STRIP = 124 };

static const char *colour_of(const char *op)
{
    static const char *const colours[][2] = {{"MATMUL", "#4878a8"},
                                             {"HEAD", "#2f5d50"},
                                             {"ATTEND", "#c8643c"},
                                             {"QKV", "#b08d2e"},
                                             {"EMBED", "#7a6a9c"}};
    for (size_t i = 0; i < sizeof colours / sizeof *colours; i++) {
        if (strcmp(op, colours[i][0]) == 0) return colours[i][1];
    }
    return "#8a8a8a";
}

static void print_xml(FILE *f, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '<') fputs("&lt;", f);
        else if (*p == '>') fputs("&gt;", f);
        else if (*p == '&') fputs("&amp;", f);
        else if (*p == '"') fputs("&quot;", f);
        else if (*p < 0x20 || *p >= 0x7f) fputc('?', f);
        else fputc(*p, f);
    }
}

/* A box with its text, as far as that fits, and the same in full when pointed at. */
typedef struct box {
    double x, y, w, h;
    const char *fill, *text, *note;
} box;

static void print_box(FILE *f, const box *b)
{
    const double letter = 6.2;
    size_t room = b->w > 10 ? (size_t)((b->w - 6) / letter) : 0;
    fputs("<g><title>", f);
    print_xml(f, b->text);
    if (b->note) {
        fputs(": ", f);
        print_xml(f, b->note);
    }
    fprintf(f,
            "</title><rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"%s\" "
            "stroke=\"#ffffff\" stroke-width=\"%.1f\"/>",
            b->x, b->y, b->w, b->h, b->fill, b->w > 8 ? 0.8 : 0.1);
    if (room >= strlen(b->text)) {
        fprintf(f, "<text x=\"%.2f\" y=\"%.1f\" fill=\"#ffffff\">", b->x + 3, b->y + b->h / 2 + 4);
        print_xml(f, b->text);
        fputs("</text>", f);
    }
    fputs("</g>\n", f);
}

static void print_part(FILE *f, const box *b, double x, double w, const char *fill, double opacity)
{
    if (w < 0.05) return;
    fprintf(f,
            "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"%s\" "
            "fill-opacity=\"%.2f\" pointer-events=\"none\"/>\n",
            x, b->y + b->h - 8, w, 8.0, fill, opacity);
}

static void print_instruction(FILE *f, const profile *p, const ingle_profile_row *row, box *b,
                              double scale, const ingle_limits *peak)
{
    char text[160], note[200];
    double n = (double)p->total.n_steps, s = profile_row_s(row), limit = profile_limit(row, peak);
    snprintf(text, sizeof text, "%s %s", row->op, row->what);
    snprintf(note, sizeof note,
             "%.4f ms, %.1f %% of the limit, waiting %.4f ms, %.3f MB, %.4f GMAC", 1e3 * s / n,
             s > 0 ? 100 * limit / s : 0, 1e3 * (row->uneven_s + row->barrier_s) / n,
             row->bytes / n * 1e-6, (row->int8_macs + row->bf16_macs + row->f32_macs) / n * 1e-9);
    b->w = s * scale;
    b->fill = colour_of(row->op);
    b->text = text;
    b->note = note;
    print_box(f, b);
    double wait = (row->uneven_s + row->barrier_s) * scale;
    double at_limit = (limit < s ? limit : s) * scale;
    print_part(f, b, b->x, at_limit, "#000000", 0.45);
    print_part(f, b, b->x + b->w - wait, wait, "#ffffff", 0.65);
    b->x += b->w;
}

/* One layer: its name above, its instructions below; *i moves behind them. */
static void print_layer(FILE *f, const profile *p, size_t *i, double *x, double y, double scale,
                        const ingle_limits *peak)
{
    size_t first = *i;
    bool alone = strcmp(p->rows[first].op, "EMBED") == 0 || strcmp(p->rows[first].op, "HEAD") == 0;
    double seconds = 0;
    char text[64], note[64];
    box b = {.x = *x, .y = y + 32, .h = 44};
    for (; *i < p->n_rows && p->rows[*i].layer == p->rows[first].layer; ++*i) {
        if (*i > first && (alone || strcmp(p->rows[*i].op, "HEAD") == 0)) break;
        seconds += profile_row_s(&p->rows[*i]);
        print_instruction(f, p, &p->rows[*i], &b, scale, peak);
    }
    if (alone) snprintf(text, sizeof text, "%s", *p->rows[first].op == 'E' ? "embed" : "head");
    else snprintf(text, sizeof text, "layer %d", p->rows[first].layer);
    snprintf(note, sizeof note, "%.4f ms", 1e3 * seconds / (double)p->total.n_steps);
    print_box(f, &(box){*x, y, seconds * scale, 30, "#555d68", text, note});
    *x += seconds * scale;
}

static void print_rest(FILE *f, const profile *p, const char *text, double seconds, double *x,
                       double y, double scale)
{
    char note[64];
    snprintf(note, sizeof note, "%.4f ms", 1e3 * seconds / (double)p->total.n_steps);
    print_box(f, &(box){*x, y, seconds * scale, 76, "#a05070", text, note});
    *x += seconds * scale;
}

static void print_strip(FILE *f, const profile *p, double y, const ingle_limits *peak)
{
    double scale = p->wall_s > 0 ? (WIDTH - 2 * MARGIN) / p->wall_s : 0, x = MARGIN;
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" font-weight=\"bold\">", MARGIN, y + 14);
    print_xml(f, p->name);
    fprintf(f, ": a step of %.4f ms, mean of %zu; barriers + dispatch + sampling %.1f %%</text>\n",
            1e3 * p->wall_s / (double)p->total.n_steps, p->total.n_steps,
            100 * profile_overhead(p));
    y += 24;
    for (size_t i = 0; i < p->n_rows;) print_layer(f, p, &i, &x, y, scale, peak);
    print_rest(f, p, "dispatch", p->total.dispatch_s, &x, y, scale);
    print_rest(f, p, "sampling", p->sampling_s, &x, y, scale);
    print_rest(f, p, "engine", profile_engine_s(p), &x, y, scale);
}

void profile_print_svg(FILE *f, const char *title, const profile *p, size_t n,
                       const ingle_limits *peak)
{
    double height = 60 + STRIP * (double)n;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
            "viewBox=\"0 0 %d %.0f\" font-family=\"sans-serif\" font-size=\"11\">\n"
            "<rect width=\"%d\" height=\"%.0f\" fill=\"#ffffff\"/>\n<text x=\"%d\" y=\"20\" "
            "font-size=\"15\">",
            WIDTH, height, WIDTH, height, WIDTH, height, MARGIN);
    print_xml(f, title);
    fprintf(f, "</text>\n");
    for (size_t i = 0; i < n; i++) {
        if (p[i].total.n_steps) print_strip(f, &p[i], 34 + STRIP * (double)i, peak);
    }
    fprintf(f,
            "<text x=\"%d\" y=\"%.0f\" fill=\"#444444\">At the foot of an instruction: dark, the "
            "time it takes at the machine's limit (read %.1f GB/s, int8 %.0f GMAC/s, f32 %.0f "
            "GMAC/s); pale, waiting for other threads. Point at a box for its figures.</text>\n"
            "</svg>\n",
            MARGIN, height - 10, peak->read_gbs, peak->int8_gmacs, peak->f32_gmacs);
}
