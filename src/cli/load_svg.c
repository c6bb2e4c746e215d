/* load_svg.c - a load test as a picture: two panels over the requests in flight, generated tokens
 * per second and the time to the first token. Depends on load.h. */
#include "load.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 900, HEIGHT = 360, TOP = 64, BOTTOM = 310, PANEL = 360, LEFT = 70, N_LINES = 4 };

typedef struct panel {
    double x; /* of its left border */
    const char *title, *fill;
    double (*value)(const load_run *run);
} panel;

static double generated(const load_run *run)
{
    return run->seconds > 0 ? (double)run->n_generated / run->seconds : 0;
}

static double first_ms(const load_run *run)
{
    return 1e3 * load_quantile(&run->first, 0.9);
}

static void print_xml(FILE *f, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '<' || *p == '>' || *p == '&' || *p == '"') fprintf(f, "&#%d;", *p);
        else fputc(*p < 0x20 || *p >= 0x7f ? '?' : *p, f);
    }
}

/* A round number of which N_LINES reach the largest value. */
static double scale_step(double most)
{
    static const double round[] = {1, 2, 2.5, 5};
    double unit = pow(10, floor(log10(most > 0 ? most / N_LINES : 1)));
    for (size_t i = 0; i < sizeof round / sizeof *round; i++)
        if (unit * round[i] * N_LINES >= most) return unit * round[i];
    return 10 * unit;
}

static double x_of(const panel *p, const load_bench *b, size_t i)
{
    double width = PANEL - 40;
    return p->x + 20 + (b->n_runs > 1 ? width * (double)i / (double)(b->n_runs - 1) : width / 2);
}

static void print_scale(FILE *f, const panel *p, double step)
{
    for (int i = 0; i <= N_LINES; i++) {
        double y = BOTTOM - (double)(BOTTOM - TOP) * i / N_LINES;
        fprintf(f,
                "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#dddddd\"/>\n"
                "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                p->x, y, p->x + PANEL, y, p->x - 6, y + 4, step * i);
    }
}

static void print_panel(FILE *f, const load_bench *b, const panel *p)
{
    double most = 0;
    for (size_t i = 0; i < b->n_runs; i++) most = fmax(most, p->value(&b->runs[i]));
    double step = scale_step(most), scale = (BOTTOM - TOP) / (step * N_LINES);
    fprintf(f, "<text x=\"%.1f\" y=\"%d\" font-weight=\"bold\">%s</text>\n", p->x, TOP - 12,
            p->title);
    print_scale(f, p, step);
    fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", p->fill);
    for (size_t i = 0; i < b->n_runs; i++)
        fprintf(f, "%.1f,%.1f ", x_of(p, b, i), BOTTOM - scale * p->value(&b->runs[i]));
    fputs("\"/>\n", f);
    for (size_t i = 0; i < b->n_runs; i++) {
        double x = x_of(p, b, i), value = p->value(&b->runs[i]);
        fprintf(f,
                "<g><title>%d in flight: %.2f</title><circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" "
                "fill=\"%s\"/></g>\n<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>\n",
                b->runs[i].n_requests, value, x, BOTTOM - scale * value, p->fill, x, BOTTOM + 18,
                b->runs[i].n_requests);
    }
}

void load_print_svg(FILE *f, const load_bench *b)
{
    static const panel panels[] = {
        {LEFT, "generated tokens per second", "#4878a8", generated},
        {LEFT + PANEL + 90, "time to the first token, p90, ms", "#c8643c", first_ms},
    };
    const char *slash = strrchr(b->h.path, '/');
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"11\">\n"
            "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n<text x=\"%d\" y=\"24\" "
            "font-size=\"15\">",
            WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT);
    print_xml(f, slash ? slash + 1 : b->h.path);
    fprintf(f, ", %d threads, ", b->h.engine_info.n_threads);
    print_xml(f, b->h.info.isa);
    fputs("</text>\n", f);
    for (size_t i = 0; i < sizeof panels / sizeof *panels; i++) print_panel(f, b, &panels[i]);
    fprintf(f,
            "<text x=\"%d\" y=\"%d\" fill=\"#444444\">over the requests in flight; prompts of %d "
            "to %d tokens, answers of %d to %d</text>\n</svg>\n",
            LEFT, HEIGHT - 12, b->prompt.least, b->prompt.most, b->gen.least, b->gen.most);
}
