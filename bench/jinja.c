/* jinja.c - how long chat templates take to compile and to render, on one core.
 *
 *   build/bench/jinja FOLDER
 *
 * FOLDER holds templates/NAME.jinja and, for some, NAME.json with cases {context, expected or error}.
 * Of each template the fastest of several runs counts; of all of them the median is told, and the
 * slowest. Contexts are read beforehand. */
#define _GNU_SOURCE
#include "chat/jinja.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_TIMES = 100000, N_RUNS = 5 };

typedef struct times {
    double us[MAX_TIMES];
    size_t n;
    double worst;
    char name[300];
} times;

static times compile_times, render_times;

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void add(times *t, double us, const char *name)
{
    if (t->n < MAX_TIMES) t->us[t->n++] = us;
    if (us <= t->worst) return;
    t->worst = us;
    snprintf(t->name, sizeof t->name, "%s", name);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void tell(times *t, const char *what)
{
    if (!t->n) return;
    qsort(t->us, t->n, sizeof *t->us, by_value);
    printf("%-8s %6zu times, median %7.1f us, 90 %% below %7.1f us, slowest %7.1f us (%s)\n", what,
           t->n, t->us[t->n / 2], t->us[t->n * 9 / 10], t->worst, t->name);
}

static char *read_all(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    char *text = malloc(*n + 1);
    if (text) *n = fread(text, 1, *n, f);
    fclose(f);
    return text;
}

static ingle_jinja *time_compile(const char *text, size_t n, const char *name)
{
    double best = 1e30;
    ingle_jinja *j = NULL;
    ingle_error err;
    for (int i = 0; i < N_RUNS; i++) {
        double begin = now_us();
        ingle_jinja_close(j);
        if (ingle_jinja_open(&j, text, n, NULL, &err)) {
            fprintf(stderr, "%s: %s\n", name, err.text);
            exit(1);
        }
        double us = now_us() - begin;
        if (us < best) best = us;
    }
    add(&compile_times, best, name);
    return j;
}

static void time_render(const ingle_jinja *j, const ingle_json *context, const char *name)
{
    double best = 1e30;
    for (int i = 0; i < N_RUNS; i++) {
        ingle_jinja_input in = {.context = context, .now = {2026, 1, 15, 9, 30, 0}};
        ingle_jinja_output out;
        double begin = now_us();
        ingle_status st = ingle_jinja_render(j, &in, &out, NULL);
        double us = now_us() - begin;
        ingle_jinja_output_free(&out);
        if (st) return;
        if (us < best) best = us;
    }
    add(&render_times, best, name);
}

static void run(const char *folder, const char *file)
{
    char path[2000], name[300];
    size_t n, n_json;
    snprintf(path, sizeof path, "%s/templates/%s", folder, file);
    char *text = read_all(path, &n);
    if (!text) return;
    ingle_jinja *j = time_compile(text, n, file);
    snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - strlen(".jinja")), file);
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    char *json = read_all(path, &n_json);
    ingle_json_doc doc = {0};
    if (json && !ingle_json_open(&doc, json, n_json, NULL, NULL))
        for (ingle_json_walk w = ingle_json_items(ingle_json_get(doc.root, "cases"));
             ingle_json_step(&w);)
            if (ingle_json_get(w.value, "expected"))
                time_render(j, ingle_json_get(w.value, "context"), name);
    ingle_json_close(&doc);
    ingle_jinja_close(j);
    free(json);
    free(text);
}

int main(int argc, char **argv)
{
    char path[2000];
    if (argc != 2) {
        fprintf(stderr, "usage: jinja FOLDER\n");
        return 2;
    }
    snprintf(path, sizeof path, "%s/templates", argv[1]);
    DIR *d = opendir(path);
    if (!d) {
        perror(path);
        return 1;
    }
    for (struct dirent *e; (e = readdir(d));)
        if (strlen(e->d_name) > 6 && !strcmp(e->d_name + strlen(e->d_name) - 6, ".jinja"))
            run(argv[1], e->d_name);
    closedir(d);
    tell(&compile_times, "compile");
    tell(&render_times, "render");
    return 0;
}
