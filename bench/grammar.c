/* grammar.c - how long grammars take to compile, and a token's mask and step, on one core.
 *
 *   build/bench/grammar VOCABULARY.gguf FOLDER [--shared]
 *
 * FOLDER holds N.json files {"schema": ..., "documents": [text, ...]} (tests/e2e/schemas.py --out).
 * Each schema is compiled afresh, the documents are tokenized, and for each token the mask is made
 * and the token taken; then texts at random, one admitted token after the other; then the documents
 * once more, warm. Unless --shared is given, each schema also has a vocabulary's tree of its own,
 * so that nothing of one helps another; how long that takes to make is told too. */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "model/grammar.h"

enum { MAX_TIMES = 4000000, MAX_TOKENS = 20000, RANDOM_TOKENS = 150 };

typedef struct times {
    const char *what;
    float *us;
    size_t n;
    double worst;
    char name[300];
} times;

static times compiling = {.what = "compile"}, cold = {.what = "cold"},
             random_walk = {.what = "random"}, warm = {.what = "warm"}, opening = {.what = "tree"};
static size_t most_bytes, n_refused, n_documents_refused;
static uint64_t n_masks, n_hits, rng = 1;

/* Of a thread that others interrupt, the time it ran counts; asking for that takes longer, so of
 * short times the clock's count. */
typedef struct moment {
    double wall, cpu;
} moment;

static double us_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static moment now(void)
{
    double cpu = us_of(CLOCK_THREAD_CPUTIME_ID);
    return (moment){us_of(CLOCK_MONOTONIC), cpu};
}

static double us_since(moment m)
{
    double wall = us_of(CLOCK_MONOTONIC) - m.wall;
    if (wall < 5) return wall;
    double cpu = us_of(CLOCK_THREAD_CPUTIME_ID) - m.cpu;
    return cpu < wall ? cpu : wall;
}

static void add(times *t, double us, const char *name)
{
    if (!t->us && !(t->us = malloc(MAX_TIMES * sizeof *t->us))) exit(1);
    if (t->n < MAX_TIMES) t->us[t->n++] = (float)us;
    if (us <= t->worst) return;
    t->worst = us;
    snprintf(t->name, sizeof t->name, "%s", name);
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void tell(times *t)
{
    if (!t->n) return;
    double sum = 0;
    qsort(t->us, t->n, sizeof *t->us, by_value);
    for (size_t i = 0; i < t->n; i++) sum += (double)t->us[i];
    printf(
        "%-8s %8zu  mean %8.2f  p50 %8.2f  p90 %8.2f  p99 %8.2f  p99.9 %8.2f  max %9.1f us (%s)\n",
        t->what, t->n, sum / (double)t->n, (double)t->us[t->n / 2], (double)t->us[t->n * 9 / 10],
        (double)t->us[t->n * 99 / 100], (double)t->us[t->n * 999 / 1000], t->worst, t->name);
}

static char *read_all(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    long len = ftell(f);
    rewind(f);
    char *text = malloc((size_t)len + 1);
    *n = text ? fread(text, 1, (size_t)len, f) : 0;
    fclose(f);
    return text;
}

static ingle_model *open_model(const char *path)
{
    ingle_model *model;
    ingle_model_options opt;
    ingle_error err;
    ingle_model_options_init(&opt);
    opt.parts = INGLE_PARTS_VOCAB;
    if (ingle_model_open(&model, path, &opt, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return model;
}

/* One token: what may come, and going on. */
static bool take(ingle_grammar_state *s, int32_t token, times *t, const char *name)
{
    ingle_error err;
    const uint32_t *mask;
    moment begin = now();
    ingle_status st = ingle_grammar_state_mask(s, &mask, &err);
    bool admitted = !st && mask[token / 32] >> token % 32 & 1;
    if (admitted) st = ingle_grammar_state_accept(s, token, &err);
    add(t, us_since(begin), name);
    if (st) fprintf(stderr, "%s: %s\n", name, err.text);
    return !st && admitted;
}

static void walk_document(ingle_grammar *g, const ingle_model *model, const char *text, size_t len,
                          times *t, const char *name)
{
    static int32_t token[MAX_TOKENS];
    size_t n;
    ingle_grammar_state *s;
    if (ingle_tokenize(model, text, len, INGLE_CONTINUE, token, MAX_TOKENS, &n, NULL)) return;
    if (ingle_grammar_state_open(&s, g, NULL)) return;
    for (size_t i = 0; i < n; i++)
        if (!take(s, token[i], t, name)) {
            if (t == &cold) {
                n_documents_refused++;
                fprintf(stderr, "%s: token %zu of %.*s\n", name, i, (int)len, text);
            }
            break;
        }
    ingle_grammar_state_close(&s);
}

static uint32_t chance(uint32_t n)
{
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rng >> 33) % n;
}

static void walk_at_random(ingle_grammar *g, size_t n_vocab, const char *name)
{
    ingle_grammar_state *s;
    if (ingle_grammar_state_open(&s, g, NULL)) return;
    for (size_t i = 0; i < RANDOM_TOKENS; i++) {
        const uint32_t *mask;
        bool must_end;
        ingle_error err;
        moment begin = now();
        ingle_status st = ingle_grammar_state_mask(s, &mask, &err);
        double us = us_since(begin);
        if (st) {
            fprintf(stderr, "%s: %s\n", name, err.text);
            break;
        }
        uint32_t token = chance((uint32_t)n_vocab), tried = 0;
        while (tried++ < n_vocab && !(mask[token / 32] >> token % 32 & 1))
            token = (token + 1) % (uint32_t)n_vocab;
        begin = now();
        bool good = ingle_grammar_state_accept(s, (int32_t)token, NULL) == INGLE_OK;
        add(&random_walk, us + us_since(begin), name);
        if (!good || ingle_grammar_state_ends(s, NULL, &must_end, NULL) || must_end) break;
    }
    ingle_grammar_state_close(&s);
}

static void measure(ingle_model *model, const ingle_json *doc, const char *name)
{
    ingle_grammar *g;
    ingle_error err;
    const ingle_json *schema = ingle_json_get(doc, "schema");
    ingle_json_writer w = {0};
    ingle_json_put(&w, schema);
    ingle_model_info info = {.size = sizeof info};
    ingle_model_info_get(model, &info, NULL);
    moment begin = now();
    ingle_grammar_open_choice(&g, model, &(ingle_string){"x", 1}, 1, NULL, NULL);
    add(&opening, us_since(begin), name);
    ingle_grammar_close(&g);
    begin = now();
    ingle_status st = ingle_grammar_open_schema(&g, model, w.text, w.n, NULL, &err);
    add(&compiling, us_since(begin), name);
    free(w.text);
    if (st) {
        n_refused++;
        fprintf(stderr, "%s: %s\n", name, err.text);
        return;
    }
    const ingle_json *texts = ingle_json_get(doc, "documents");
    for (ingle_json_walk i = ingle_json_items(texts); ingle_json_step(&i);)
        walk_document(g, model, i.value->text, i.value->len, &cold, name);
    for (int i = 0; i < 2; i++) walk_at_random(g, (size_t)info.n_vocab, name);
    for (ingle_json_walk i = ingle_json_items(texts); ingle_json_step(&i);)
        walk_document(g, model, i.value->text, i.value->len, &warm, name);
    ingle_grammar_info gi = {.size = sizeof gi};
    ingle_grammar_info_get(g, &gi, NULL);
    if (gi.n_bytes > most_bytes) most_bytes = gi.n_bytes;
    n_masks += gi.n_masks;
    n_hits += gi.n_hits;
    ingle_grammar_close(&g);
}

static int is_json(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && !strcmp(e->d_name + n - 5, ".json");
}

int main(int argc, char **argv)
{
    struct dirent **list;
    if (argc < 3) {
        fprintf(stderr, "usage: grammar VOCABULARY.gguf FOLDER [--shared]\n");
        return 2;
    }
    int n = scandir(argv[2], &list, is_json, alphasort);
    ingle_model *model = NULL;
    for (int i = 0; i < n; i++) {
        char path[4096];
        size_t len;
        ingle_json_doc doc;
        snprintf(path, sizeof path, "%s/%s", argv[2], list[i]->d_name);
        char *text = read_all(path, &len);
        if (text && !ingle_json_open(&doc, text, len, NULL, NULL)) {
            if (!model) model = open_model(argv[1]);
            measure(model, doc.root, list[i]->d_name);
            if (argc < 4) ingle_model_close(&model);
            ingle_json_close(&doc);
        }
        free(text);
    }
    tell(&opening);
    tell(&compiling);
    tell(&cold);
    tell(&random_walk);
    tell(&warm);
    printf(
        "%zu schemas refused, %zu documents refused; masks made %llu, found again %llu; a grammar "
        "takes at most %.1f MB\n",
        n_refused, n_documents_refused, (unsigned long long)n_masks, (unsigned long long)n_hits,
        (double)most_bytes / 1e6);
    ingle_model_close(&model);
    return 0;
}
