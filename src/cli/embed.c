/* embed.c - `ingle embed`: a text per line in, its vector per line out.
 * Depends on open.h, ids.h, out.h. */
#include "ids.h"
#include "open.h"
#include "out.h"
#include "platform.h"
#include "verbs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SESSIONS = 64, LEAST_BATCH = 512 };

typedef struct embed_options {
    open_options open;
    const char *tokens, *out;
    int pooling;
    bool no_normalize;
} embed_options;

#define AT(field) offsetof(embed_options, field)

static const arg_choice POOLINGS[] = {{"mean", INGLE_POOLING_MEAN}, {"cls", INGLE_POOLING_CLS},
                                      {"last", INGLE_POOLING_LAST}, {"rank", INGLE_POOLING_RANK},
                                      {"none", INGLE_POOLING_NONE}, {NULL, 0}};

static const arg_option ROWS[] = {
    {"--tokens", "LIST", ARG_STRING, AT(tokens), 0, 0, NULL,
     "embed these token ids, with commas between, instead of standard input; none is added"},
    {"--pooling", "KIND", ARG_CHOICE, AT(pooling), 0, 0, POOLINGS,
     "mean, cls (first token), last, rank (the model's classifier) or none (a vector per token); "
     "default: as the file says, else mean"},
    {"--no-normalize", NULL, ARG_FLAG, AT(no_normalize), 0, 0, NULL,
     "leave vectors as long as they are (default: length 1; ranks are never changed)"},
    {"-o --out", "FILE", ARG_STRING, AT(out), 0, 0, NULL,
     "write raw little-endian 32-bit floats to FILE instead of JSON to standard output"},
};

static const arg_group GROUPS[] = {
    {"Model", open_rows_model, 1, AT(open)},
    {"Embedding", ROWS, sizeof ROWS / sizeof *ROWS, 0},
    {"Computing", open_rows_compute, sizeof open_rows_compute / sizeof *open_rows_compute,
     AT(open)},
};

typedef struct text_list {
    ids_list *items;
    size_t n, longest;
} text_list;

static void free_texts(text_list *list)
{
    for (size_t i = 0; i < list->n; i++) ids_free(&list->items[i]);
    free(list->items);
}

/* ---- what to embed ---- */

static ingle_status append(ids_list *list, const ids_list *more, const int32_t *first,
                           ingle_error *err)
{
    size_t extra = first ? 1 : 0;
    int32_t *ids = realloc(list->ids, (list->n + extra + more->n + 1) * sizeof *ids);
    if (!ids) {
        snprintf(err->text, sizeof err->text, "no memory for the tokens");
        return INGLE_ENOMEM;
    }
    list->ids = ids;
    if (first) ids[list->n++] = *first;
    if (more->n) memcpy(ids + list->n, more->ids, more->n * sizeof *ids);
    list->n += more->n;
    return INGLE_OK;
}

/* For ranking a line may be two texts with a tab between: the second one follows the first one's end,
 * behind another end token where the vocabulary has a mark of its own for the beginning that is not
 * the separator (XLM-R), and ends as the first. */
static ingle_status tokenize_pair(ids_list *out, const open_handles *h, const char *line,
                                  size_t len, const char *tab, ingle_error *err)
{
    ids_list second = {0};
    size_t at = (size_t)(tab - line) + 1;
    ingle_status st = ids_tokenize(out, h->model, line, at - 1, INGLE_ADD_SPECIAL, err);
    if (!st) st = ids_tokenize(&second, h->model, line + at, len - at, INGLE_ADD_SPECIAL, err);
    if (!st) {
        bool begins = h->info.add_bos && second.n && second.ids[0] == h->info.token_bos;
        ids_list rest = {second.ids + begins, second.n - begins};
        bool twice = h->info.add_eos && h->info.token_sep >= 0;
        st = append(out, &rest, twice ? &h->info.token_sep : NULL, err);
    }
    ids_free(&second);
    return st;
}

static ingle_status tokenize_line(ids_list *out, const open_handles *h, const embed_options *opt,
                                  const char *line, size_t len, ingle_error *err)
{
    bool ranks = opt->pooling == INGLE_POOLING_RANK ||
                 (opt->pooling == INGLE_POOLING_AUTO && h->info.pooling == INGLE_POOLING_RANK);
    const char *tab = ranks && len ? memchr(line, '\t', len) : NULL;
    if (tab) return tokenize_pair(out, h, line, len, tab, err);
    return ids_tokenize(out, h->model, line, len, INGLE_ADD_SPECIAL, err);
}

/* A line each; the last may lack its newline. */
static int read_lines(text_list *list, const open_handles *h, const embed_options *opt)
{
    char *text = NULL;
    size_t len = 0, n = 0;
    ingle_error err = {{0}};
    if (!platform_read_all(NULL, &text, &len)) {
        out_error("cannot read standard input: %s", strerror(errno));
        return EXIT_WORK;
    }
    for (size_t i = 0; i < len; i++) n += text[i] == '\n' || i + 1 == len;
    list->items = calloc(n ? n : 1, sizeof *list->items);
    if (!list->items) {
        free(text);
        out_error("no memory for %zu texts", n);
        return EXIT_WORK;
    }
    int code = EXIT_DONE;
    for (size_t i = 0; i < len && code == EXIT_DONE && !platform_interrupted();) {
        const char *end = memchr(text + i, '\n', len - i);
        size_t line = end ? (size_t)(end - text) - i : len - i;
        ids_list *ids = &list->items[list->n++];
        ingle_status st = tokenize_line(ids, h, opt, text + i, line, &err);
        if (st != INGLE_OK || !ids->n) {
            out_error("line %zu: %s", list->n, st != INGLE_OK ? err.text : "it has no tokens");
            code = EXIT_WORK;
        }
        if (ids->n > list->longest) list->longest = ids->n;
        i += line + 1;
    }
    free(text);
    return platform_interrupted() ? EXIT_INTERRUPTED : code;
}

static int read_tokens(text_list *list, const cli_verb *verb, const char *given)
{
    ingle_error err = {{0}};
    list->items = calloc(1, sizeof *list->items);
    ingle_status st =
        list->items ? ids_parse(list->items, given, strlen(given), &err) : INGLE_ENOMEM;
    if (st != INGLE_OK) {
        out_error("%s: option '--tokens': %s", verb->name,
                  st == INGLE_ENOMEM ? "no memory" : err.text);
        return st == INGLE_ENOMEM ? EXIT_WORK : EXIT_USAGE;
    }
    list->n = 1;
    list->longest = list->items->n;
    if (list->longest) return EXIT_DONE;
    out_error("%s: option '--tokens': at least one token", verb->name);
    return EXIT_USAGE;
}

/* ---- vectors out ---- */

static bool write_raw(FILE *f, const float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        unsigned char bytes[4];
        memcpy(&bits, &v[i], sizeof bits);
        for (int k = 0; k < 4; k++) bytes[k] = (unsigned char)(bits >> 8 * k);
        if (fwrite(bytes, 1, 4, f) != 4) return false;
    }
    return true;
}

/* The shortest text that reads back as the same float. */
static void print_float(float x)
{
    char text[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)x);
        if (strtof(text, NULL) == x) break;
    }
    fputs(text, stdout);
}

static void print_vector(const float *v, size_t n)
{
    putchar('[');
    for (size_t i = 0; i < n; i++) {
        if (i) fputs(", ", stdout);
        print_float(v[i]);
    }
    putchar(']');
}

/* All vectors of a session: one, or an array of one per token. */
static int put_text(const ingle_session *s, bool each, FILE *raw, const char *path)
{
    const float *v;
    size_t n;
    if (each && !raw) putchar('[');
    for (size_t r = 0; ingle_session_embedding(s, r, &v, &n, NULL) == INGLE_OK; r++) {
        if (raw && !write_raw(raw, v, n)) {
            out_error("cannot write %s: %s", path, strerror(errno));
            return EXIT_WORK;
        }
        if (!raw && each && r) fputs(", ", stdout);
        if (!raw) print_vector(v, n);
    }
    if (!raw) fputs(each ? "]\n" : "\n", stdout);
    return EXIT_DONE;
}

/* ---- the work ---- */

/* As many sessions as texts may share a step. */
static size_t sessions_for(const text_list *list, int32_t n_batch)
{
    size_t n = list->longest ? (size_t)n_batch / list->longest : 1;
    if (n > list->n) n = list->n;
    return n < 1 ? 1 : n > MOST_SESSIONS ? MOST_SESSIONS : n;
}

/* A context that holds the longest text, if none was asked for; a batch that holds it where a text is
 * read as a whole. */
static void fit(embed_options *opt, const open_handles *h, const text_list *list)
{
    int32_t longest = list->longest > INT32_MAX ? INT32_MAX : (int32_t)list->longest;
    if (opt->open.n_ctx < 0) {
        int32_t most = h->info.n_ctx_train;
        opt->open.n_ctx = longest < 1 ? 1 : longest < most ? longest : most;
    }
    if (!opt->open.n_batch)
        opt->open.n_batch = !h->info.causal && longest > LEAST_BATCH ? longest : LEAST_BATCH;
    opt->open.n_sessions = (int32_t)sessions_for(list, opt->open.n_batch);
}

static int embed_all(open_handles *h, const embed_options *opt, const text_list *list,
                     ingle_session **sessions, FILE *raw)
{
    ingle_embed_options how;
    ingle_error err = {{0}};
    ingle_text texts[MOST_SESSIONS];
    size_t n_sessions = (size_t)opt->open.n_sessions;
    ingle_embed_options_init(&how);
    how.pooling = (ingle_pooling)opt->pooling;
    how.normalize = !opt->no_normalize;
    bool each = opt->pooling == INGLE_POOLING_NONE ||
                (opt->pooling == INGLE_POOLING_AUTO && h->info.pooling == INGLE_POOLING_NONE);
    for (size_t i = 0, n; i < list->n; i += n) {
        if (platform_interrupted()) return EXIT_INTERRUPTED;
        n = list->n - i < n_sessions ? list->n - i : n_sessions;
        for (size_t k = 0; k < n; k++)
            texts[k] = (ingle_text){sessions[k], list->items[i + k].ids, list->items[i + k].n};
        ingle_status st = ingle_sessions_embed(texts, n, &how, &err);
        if (st != INGLE_OK) return open_failed("embedding", st, &err);
        for (size_t k = 0; k < n; k++) {
            int code = put_text(sessions[k], each, raw, opt->out);
            if (code != EXIT_DONE) return code;
        }
        if (!raw && !out_flush()) return EXIT_DONE; /* out_finish() tells */
    }
    return EXIT_DONE;
}

static int embed_to_file(open_handles *h, const embed_options *opt, const text_list *list)
{
    ingle_session *sessions[MOST_SESSIONS] = {h->session};
    ingle_error err = {{0}};
    int code = EXIT_DONE;
    FILE *raw = NULL;
    for (int32_t i = 1; i < opt->open.n_sessions && code == EXIT_DONE; i++) {
        ingle_status st = ingle_session_open(&sessions[i], h->engine, &err);
        if (st != INGLE_OK) code = open_failed("embedding", st, &err);
    }
    if (code == EXIT_DONE && opt->out) {
        raw = strcmp(opt->out, "-") == 0 ? stdout : fopen(opt->out, "wb");
        if (!raw) {
            out_error("cannot write %s: %s", opt->out, strerror(errno));
            code = EXIT_WORK;
        }
    }
    if (code == EXIT_DONE) code = embed_all(h, opt, list, sessions, raw);
    if (raw && raw != stdout && fclose(raw) != 0 && code == EXIT_DONE) {
        out_error("cannot write %s: %s", opt->out, strerror(errno));
        code = EXIT_WORK;
    }
    for (int32_t i = 1; i < opt->open.n_sessions; i++) ingle_session_close(&sessions[i]);
    return code;
}

static int embed_main(const cli_verb *verb, int argc, char **argv)
{
    embed_options opt = {.open = OPEN_OPTIONS_DEFAULT};
    open_handles h = {0};
    text_list list = {0};
    const char *positional = NULL;
    args_status parsed = args_parse(verb, &opt, argc, argv, &positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed != ARGS_OK) goto end;
    if ((code = open_check(verb, &opt.open, positional)) != EXIT_DONE) goto end;
    if (opt.tokens && (code = read_tokens(&list, verb, opt.tokens)) != EXIT_DONE) goto end;
    platform_catch_interrupt();
    if ((code = open_model(&h, &opt.open, INGLE_PARTS_ALL)) != EXIT_DONE) goto end;
    if (!opt.tokens && (code = read_lines(&list, &h, &opt)) != EXIT_DONE) goto end;
    fit(&opt, &h, &list);
    if ((code = open_engine(&h, &opt.open, 0)) != EXIT_DONE) goto end;
    code = embed_to_file(&h, &opt, &list);
end:
    code = out_finish(code);
    open_close(&h);
    free_texts(&list);
    return code;
}

const cli_verb cli_verb_embed = {
    .name = "embed",
    .synopsis = "[OPTIONS] [MODEL]",
    .summary = "turn texts into vectors, or rank pairs of them",
    .about =
        "Reads a text per line from standard input and prints a JSON array of numbers per line, "
        "in the same order. Texts share steps; the bits of a vector do not depend on its "
        "neighbours. Any model can embed: its last hidden states are pooled.\n\nWith pooling "
        "'rank' a line is a text, or a query and a document with a tab between.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 1,
    .main = embed_main,
};
