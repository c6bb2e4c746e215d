/* structured.c - texts of a model that keep to JSON Schemas: what comes out, and what it costs.
 *
 *   build/bench/structured MODEL.gguf FOLDER [TEMPERATURE [FIRST N [free]]] > TEXTS.jsonl
 *
 * FOLDER holds N.json files {"schema": ...} (tests/e2e/schemas.py --out), of which N from FIRST on
 * are taken, 16 at a time. Each line of the output is {"name", "schema", "text", "finished"}, for
 * tests/e2e/validate.py; texts that MAX_TOKENS cut off are not finished. On stderr: tokens per
 * second, and how many were proposed and taken. With `free` no grammar narrows the texts. */
#define _GNU_SOURCE
#include <dirent.h>
#include <ingle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"

enum { AT_ONCE = 16, MAX_TOKENS = 1200, TEXT_BYTES = 1 << 16 };

typedef struct job {
    ingle_session *session;
    ingle_request *request; /* NULL: idle */
    ingle_grammar *grammar;
    ingle_json_doc doc;
    char name[256];
    char text[TEXT_BYTES];
    size_t n;
} job;

static ingle_error err;
static ingle_model *model;
static float temperature = 1;
static bool is_free;
static int32_t prompt[64];
static size_t n_prompt, n_tokens, n_drafted, n_accepted, n_unfinished, n_texts;

static void must(ingle_status st, const char *what)
{
    if (!st) return;
    fprintf(stderr, "structured: %s: %s\n", what, err.text);
    exit(1);
}

static char *read_all(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *text = f ? malloc(1 << 20) : NULL;
    *n = text ? fread(text, 1, 1 << 20, f) : 0;
    if (f) fclose(f);
    return text;
}

static void start(job *j, const char *folder, const char *file, uint64_t seed)
{
    char path[4096];
    size_t len;
    ingle_json_writer w = {0};
    snprintf(path, sizeof path, "%s/%s", folder, file);
    snprintf(j->name, sizeof j->name, "%s", file);
    char *text = read_all(path, &len);
    must(ingle_json_open(&j->doc, text, len, NULL, &err), path);
    free(text);
    ingle_json_put(&w, ingle_json_get(j->doc.root, "schema"));
    ingle_sampler_options sampling;
    ingle_generate_options opt;
    ingle_sampler_options_init(&sampling);
    ingle_generate_options_init(&opt);
    sampling.temperature = temperature;
    sampling.seed = seed;
    opt.sampling = &sampling;
    opt.max_tokens = MAX_TOKENS;
    if (!is_free) {
        must(ingle_grammar_open_schema(&j->grammar, model, w.text, w.n, NULL, &err), path);
        opt.grammar = j->grammar;
    }
    must(ingle_session_truncate(j->session, 0, &err), "a session");
    must(ingle_request_start(&j->request, j->session, prompt, n_prompt, &opt, &err), path);
    ingle_json_writer_free(&w);
    j->n = 0;
}

static void finish(job *j, const ingle_event *event)
{
    ingle_json_writer w = {0};
    bool whole = event->finish == INGLE_FINISH_STOP;
    n_drafted += event->usage.n_drafted;
    n_accepted += event->usage.n_accepted;
    n_unfinished += !whole;
    n_texts++;
    ingle_json_begin_object(&w);
    ingle_json_put_text(ingle_json_name(&w, "name"), j->name);
    ingle_json_put(ingle_json_name(&w, "schema"), ingle_json_get(j->doc.root, "schema"));
    ingle_json_put_bytes(ingle_json_name(&w, "text"), j->text, j->n);
    ingle_json_put_bool(ingle_json_name(&w, "finished"), whole);
    ingle_json_end_object(&w);
    printf("%.*s\n", (int)w.n, w.text);
    ingle_json_writer_free(&w);
    ingle_request_close(&j->request);
    ingle_grammar_close(&j->grammar);
    ingle_json_close(&j->doc);
}

/* The events that are there. */
static void read_events(job *j)
{
    ingle_event event = {.size = sizeof event};
    ingle_status st;
    while (j->request && (st = ingle_request_next(j->request, 0, &event, &err)) != INGLE_ETIMEOUT) {
        must(st, j->name);
        if (event.kind == INGLE_EVENT_PROMPT) continue;
        if (j->n + event.text_len < TEXT_BYTES) {
            memcpy(j->text + j->n, event.text, event.text_len);
            j->n += event.text_len;
        }
        if (event.kind == INGLE_EVENT_TOKEN) n_tokens++;
        else if (event.kind == INGLE_EVENT_END) finish(j, &event);
    }
}

static int is_json(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && !strcmp(e->d_name + n - 5, ".json");
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    static job jobs[AT_ONCE];
    static const char text[] = "Here is one in JSON:\n";
    struct dirent **list;
    ingle_engine *engine;
    ingle_engine_options opt;
    if (argc < 3) {
        fprintf(stderr, "usage: structured MODEL FOLDER [TEMPERATURE [FIRST N [free]]]\n");
        return 2;
    }
    int n = scandir(argv[2], &list, is_json, alphasort), next = argc > 5 ? atoi(argv[4]) : 0;
    if (argc > 3) temperature = strtof(argv[3], NULL);
    int end = argc > 5 ? next + atoi(argv[5]) : n;
    is_free = argc > 6;
    if (end > n) end = n;
    must(ingle_model_open(&model, argv[1], NULL, &err), argv[1]);
    ingle_engine_options_init(&opt);
    opt.n_sessions = AT_ONCE;
    opt.n_ctx = MAX_TOKENS + 64;
    must(ingle_engine_open(&engine, model, &opt, &err), "the engine");
    must(ingle_tokenize(model, text, sizeof text - 1, INGLE_ADD_SPECIAL, prompt, 64, &n_prompt,
                        &err),
         "the prompt");
    for (int i = 0; i < AT_ONCE; i++)
        must(ingle_session_open(&jobs[i].session, engine, &err), "a session");
    double begin = seconds();
    for (size_t n_run = 1; n_run;) {
        for (int i = 0; i < AT_ONCE; i++) {
            read_events(&jobs[i]);
            if (!jobs[i].request && next < end) {
                start(&jobs[i], argv[2], list[next]->d_name, (uint64_t)next);
                next++;
            }
        }
        must(ingle_engine_step(engine, &n_run, &err), "a step");
        for (int i = 0; i < AT_ONCE && !n_run; i++) n_run = jobs[i].request != NULL;
    }
    double took = seconds() - begin;
    fprintf(
        stderr,
        "%zu texts, %zu cut off, %zu tokens in %.2f s, %.0f/s; of %zu proposed %zu were taken\n",
        n_texts, n_unfinished, n_tokens, took, (double)n_tokens / took, n_drafted, n_accepted);
    for (int i = 0; i < AT_ONCE; i++) ingle_session_close(&jobs[i].session);
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    return 0;
}
