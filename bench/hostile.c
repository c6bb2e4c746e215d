/* hostile.c - how long hostile grammars (tests/grammar_hostile.h) take, on one core, and how much
 * memory: compiling, the longest mask, the longest step by a piece of text, the peak of the
 * process. Each runs in a process of its own.
 *
 *   build/bench/hostile VOCABULARY.gguf [PART OF A NAME] */
#define _GNU_SOURCE
#include "../tests/grammar_hostile.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static double peak_mb(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

typedef struct times {
    double compile, mask, step;
    size_t n_steps;
    ingle_error err; /* what ended it */
} times;

static bool take_mask(ingle_grammar_state *s, times *t)
{
    const uint32_t *mask;
    double begin = now();
    ingle_status st = ingle_grammar_state_mask(s, &mask, &t->err);
    double ms = now() - begin;
    if (ms > t->mask) t->mask = ms;
    return !st;
}

static bool take_text(ingle_grammar_state *s, const char *text, times *t)
{
    size_t n_good;
    double begin = now();
    ingle_status st = ingle_grammar_state_text(s, text, strlen(text), &n_good, &t->err);
    double ms = now() - begin;
    if (ms > t->step) t->step = ms;
    return !st;
}

static void walk(const hostile *h, ingle_grammar *g, times *t)
{
    ingle_grammar_state *s;
    if (ingle_grammar_state_open(&s, g, &t->err)) return;
    bool ok = take_mask(s, t);
    if (ok && h->begin) ok = take_text(s, h->begin, t) && take_mask(s, t);
    for (int i = 0; ok && i < h->n_fill; i++, t->n_steps++)
        ok = take_text(s, h->fill, t) && take_mask(s, t);
    ingle_grammar_state_close(&s);
}

static void measure(ingle_model *model, const hostile *h)
{
    size_t len;
    char *text = hostile_text(h, &len);
    ingle_grammar *g = NULL;
    ingle_grammar_info info = {.size = sizeof info};
    times t = {.err = {""}};
    double before = peak_mb(), begin = now();
    ingle_status st = hostile_open(&g, model, h, text, len, &t.err);
    t.compile = now() - begin;
    if (!st) {
        walk(h, g, &t);
        ingle_grammar_info_get(g, &info, NULL);
    }
    double slowest = t.compile > t.mask ? t.compile : t.mask;
    printf("%-32s %9.2f %9.2f %9.2f ms %5zu %6.1f MB, peak +%6.1f %s%s%.100s\n", h->name, t.compile,
           t.mask, t.step, t.n_steps, (double)info.n_bytes / 1e6, peak_mb() - before,
           slowest > 100 || t.step > 100 ? "SLOW " : "", t.err.text[0] ? "| " : "", t.err.text);
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    ingle_model *model;
    ingle_model_options opt;
    ingle_grammar *g;
    ingle_error err;
    ingle_model_options_init(&opt);
    opt.parts = INGLE_PARTS_VOCAB;
    if (argc < 2 || ingle_model_open(&model, argv[1], &opt, &err) ||
        ingle_grammar_open_json(&g, model, NULL, &err)) { /* makes the vocabulary's tree */
        fprintf(stderr, "%s\n",
                argc < 2 ? "usage: hostile VOCABULARY.gguf [PART OF A NAME]" : err.text);
        return 1;
    }
    printf("%-32s %9s %9s %9s\n", "", "compile", "mask", "step");
    fflush(stdout);
    for (size_t i = 0; i < N_HOSTILE; i++) {
        int status = 0;
        if (argc > 2 && !strstr(hostile_list[i].name, argv[2])) continue;
        pid_t child = fork();
        if (!child) {
            alarm(60);
            measure(model, &hostile_list[i]);
        }
        if (child < 0 || waitpid(child, &status, 0) < 0 || status)
            printf("%-32s ended by signal %d\n", hostile_list[i].name, WTERMSIG(status));
    }
    ingle_grammar_close(&g);
    ingle_model_close(&model);
    return 0;
}
