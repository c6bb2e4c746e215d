/* fuzz_args.c - any bytes as a command line and as a list of token ids.
 * Lines are arguments; the first names the verb. What is accepted lies within its row's range. */
#include "fuzz.h"
#include "cli/args.h"
#include "cli/ids.h"
#include "cli/verbs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 64 };

static const cli_verb *const VERBS[] = {&cli_verb_run,      &cli_verb_chat,     &cli_verb_inspect,
                                        &cli_verb_tokenize, &cli_verb_logits,   &cli_verb_embed,
                                        &cli_verb_score,    &cli_verb_template, &cli_verb_grammar,
                                        &cli_verb_bench,    &cli_verb_serve};
enum { N_VERBS = sizeof VERBS / sizeof *VERBS };

/* The verb's struct ends after the last target, or after the last word that says what was given. */
static size_t size_of_struct(const cli_verb *verb)
{
    size_t size = 0;
    for (size_t g = 0; g < verb->n_groups; g++) {
        size_t given = verb->groups[g].given;
        if (given) given += verb->groups[g].offset + sizeof(uint64_t);
        if (given > size) size = given;
        for (size_t r = 0; r < verb->groups[g].n_rows; r++) {
            const arg_option *row = &verb->groups[g].rows[r];
            size_t end = verb->groups[g].offset + row->offset + args_size(row->kind);
            if (end > size) size = end;
        }
    }
    return size;
}

static void check_row(const arg_option *row, void *value)
{
    int32_t i = 0;
    float f = 0;
    if (row->kind == ARG_INT) {
        memcpy(&i, value, sizeof i);
        if (i != 0 && (i < row->min || i > row->max)) abort();
    } else if (row->kind == ARG_FLOAT) {
        memcpy(&f, value, sizeof f);
        if (!isfinite(f) || (f != 0 && (f < (float)row->min || f > (float)row->max))) abort();
    } else if (row->kind == ARG_CHOICE) {
        const arg_choice *c = row->choices;
        memcpy(&i, value, sizeof i);
        while (c->name && c->value != i) c++;
        if (i != 0 && !c->name) abort();
    } else if (row->kind == ARG_LIST) {
        args_list_free(value);
    }
}

static void check_rows(const cli_verb *verb, char *target)
{
    for (size_t g = 0; g < verb->n_groups; g++)
        for (size_t r = 0; r < verb->groups[g].n_rows; r++) {
            const arg_option *row = &verb->groups[g].rows[r];
            check_row(row, target + verb->groups[g].offset + row->offset);
        }
}

static void parse(char *text, size_t len)
{
    char *argv[MAX_ARGS];
    int argc = 0;
    for (char *p = text; p && p < text + len && argc < MAX_ARGS;) {
        argv[argc++] = p;
        p = strchr(p, '\n');
        if (p) *p++ = 0;
    }
    const cli_verb *verb = VERBS[len % N_VERBS];
    for (size_t i = 0; argc > 0 && i < N_VERBS; i++) {
        if (strcmp(VERBS[i]->name, argv[0]) == 0) verb = VERBS[i];
    }
    const char *positional[4];
    if (verb->max_positional > 4) abort();
    char *target = calloc(1, size_of_struct(verb));
    if (!target) return;
    args_parse(verb, target, argc > 0 ? argc - 1 : 0, argv + 1, positional);
    check_rows(verb, target);
    free(target);
}

/* Ids that were accepted and written again are accepted as the same ids. */
static void parse_ids(const char *text, size_t len)
{
    ingle_error err = {{0}};
    ids_list list, again;
    ingle_status status = ids_parse(&list, text, len, &err);
    if (status != INGLE_OK) {
        if (!err.text[0]) abort(); /* refused without a word */
        return;
    }
    size_t cap = list.n * 12 + 3, n = 0;
    char *copy = malloc(cap);
    if (!copy) abort();
    n += (size_t)sprintf(copy, "[");
    for (size_t i = 0; i < list.n; i++) {
        if (list.ids[i] < 0) abort();
        n += (size_t)sprintf(copy + n, "%s%d", i ? "," : "", list.ids[i]);
    }
    n += (size_t)sprintf(copy + n, "]");
    if (ids_parse(&again, copy, n, &err) != INGLE_OK || again.n != list.n) abort();
    if (list.n && memcmp(again.ids, list.ids, list.n * sizeof *list.ids) != 0) abort();
    free(copy);
    ids_free(&list);
    ids_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *null;
    FILE *out = stdout, *err = stderr; /* glibc lets a program put others in their place */
    char *text = malloc(size + 1);
    if (!null) null = fopen("/dev/null", "w");
    if (!text || !null) abort();
    memcpy(text, data, size);
    text[size] = 0;
    stdout = stderr = null;
    parse_ids(text, size);
    parse(text, size);
    stdout = out, stderr = err;
    free(text);
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const char *const seeds[] = {
        "run\n-m\nmodel.gguf\n-n\n100\n--temp\n0.7\n--top-k=40\n--stop\nEND\nOnce upon",
        "run\n-s\n-1\n-l\n13+1.5\n-l\n14-inf\n--samplers\ntop_k;top_p",
        "run\n--json\n--logprobs\n3\n--\n-x",
        "run\n-ctk\nq8_0\n-ctv\nq8_0\n--mirostat\n2\n--dry-sequence-breaker\nnone\n-c\n0\n-t\n2",
        "inspect\nmodel.gguf\n--plan\n--memory\n-c\n4096\n--kv\nbf16\n--isa\navx2",
        "tokenize\n--decode\n--parse-special\n--tmep\n1",
        "logits\n--tokens\n1,2,3\n--out\nfile\n-b\n65536",
        "embed\n--pooling\nrank\n--tokens\n1,2\n-o\nfile\n--no-normalize",
        "embed\n--attention\nboth\n--skip-bad",
        "bench\n-p\n512\n-n\n64\n-d\n99999999999\n-o\njson\n-r\n1e3",
        "bench\n--help",
        "serve\n-m\nF\n-fa\n-cb\n-np\n4\n-ngl\n32\n-c\n4096\n--api-key=a,b\n--max-body\n32M",
        "serve\n--unix-mode\n0660\n--listen\nunix:x\n--lora\nF\n--grace\n-1\n--queue\n0",
        "[1, 2,\n 3]",
        "[]",
        "2147483647,0 , 7",
    };
    if (i >= sizeof seeds / sizeof *seeds) return 0;
    size_t len = strlen(seeds[i]);
    if (len > cap) len = cap;
    memcpy(data, seeds[i], len);
    return len;
}
