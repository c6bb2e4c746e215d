/* embed.c - `ingle embed`: a text per line in, its vector per line out, as lines come.
 * Depends on open.h, ids.h, lines.h, outfile.h. */
#include "ids.h"
#include "lines.h"
#include "open.h"
#include "out.h"
#include "outfile.h"
#include "platform.h"
#include "verbs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_TEXTS = 64, /* of a call */
    LEAST_BATCH = 512,
    MOST_BATCH = 1 << 14,
    LEAST_CTX = 64,
    SHORT_CTX = 4096,
    POSITIONS = 2048 /* of all sessions together, but of one at least */
};

typedef struct embed_options {
    open_options open;
    const char *tokens, *out;
    int pooling, attention;
    bool no_normalize, truncate, skip_bad;
} embed_options;

#define AT(field) offsetof(embed_options, field)

static const arg_choice POOLINGS[] = {{"mean", INGLE_POOLING_MEAN}, {"cls", INGLE_POOLING_CLS},
                                      {"last", INGLE_POOLING_LAST}, {"rank", INGLE_POOLING_RANK},
                                      {"none", INGLE_POOLING_NONE}, {NULL, 0}};

static const arg_choice ATTENTIONS[] = {
    {"causal", INGLE_ATTENTION_CAUSAL}, {"both", INGLE_ATTENTION_BOTH}, {NULL, 0}};

static const arg_option ROWS[] = {
    {"--tokens", "LIST", ARG_STRING, AT(tokens), 0, 0, NULL,
     "embed these token ids, with commas between, instead of standard input; none is added"},
    {"--pooling", "KIND", ARG_CHOICE, AT(pooling), 0, 0, POOLINGS,
     "mean, cls (first token), last, rank (the model's classifier) or none (a vector per token); "
     "default: as the file says, else mean"},
    {"--attention", "KIND", ARG_CHOICE, AT(attention), 0, 0, ATTENTIONS,
     "what a token sees: causal (those before it) or both (all of its text, which has to fit a "
     "batch); default: as the file says"},
    {"--no-normalize", NULL, ARG_FLAG, AT(no_normalize), 0, 0, NULL,
     "leave vectors as long as they are (default: length 1; ranks are never changed)"},
    {"--truncate", NULL, ARG_FLAG, AT(truncate), 0, 0, NULL,
     "cut texts that are longer than the context (of a pair the document); the end token stays "
     "(default: such a line is refused)"},
    {"--skip-bad", NULL, ARG_FLAG, AT(skip_bad), 0, 0, NULL,
     "a line that cannot be embedded becomes null, with --out a row of NaN, and is no failure"},
    {"-o --out", "FILE", ARG_STRING, AT(out), 0, 0, NULL,
     "write raw little-endian 32-bit floats to FILE instead of JSON to standard output; a failure "
     "leaves no file"},
};

static const arg_group GROUPS[] = {
    {"Model", open_rows_model, OPEN_N_MODEL, AT(open), open_check_model, 0},
    {"Embedding", ROWS, sizeof ROWS / sizeof *ROWS, 0, NULL, 0},
    {"Computing", open_rows_compute, sizeof open_rows_compute / sizeof *open_rows_compute, AT(open),
     open_check_compute, 0},
};

/* Texts that are computed and printed together. One without tokens is an empty or a bad line. */
typedef struct batch {
    ids_list items[MOST_TEXTS];
    bool bad[MOST_TEXTS]; /* reported; what is printed for it is up to --skip-bad */
    size_t n, n_tokens;
    size_t first; /* line of the first one; 0: --tokens */
} batch;

typedef struct embedder {
    const cli_verb *verb;
    embed_options opt;
    open_handles h;
    bool grows; /* no context was asked for */
    ingle_session *sessions[MOST_TEXTS];
    size_t n_sessions;
    lines in;
    batch batch;
    outfile out;
    ingle_json_writer json;
    out_progress progress;
    size_t n_done, n_bad, n_cut;
} embedder;

static void clear(batch *b)
{
    while (b->n) ids_free(&b->items[--b->n]);
    b->n_tokens = 0;
}

static void add(batch *b, ids_list ids, bool bad)
{
    b->bad[b->n] = bad;
    b->items[b->n++] = ids;
    b->n_tokens += ids.n;
}

static ingle_pooling pooling_of(const embedder *e)
{
    return e->opt.pooling == INGLE_POOLING_AUTO ? e->h.info.pooling : (ingle_pooling)e->opt.pooling;
}

/* Whether a text is read as a whole, in both directions. */
static bool reads_both(const embedder *e)
{
    return e->opt.attention == INGLE_ATTENTION_AUTO ? !e->h.info.causal
                                                    : e->opt.attention == INGLE_ATTENTION_BOTH;
}

/* ---- what to embed ---- */

/* Most tokens of a text. */
static size_t text_limit(const embedder *e)
{
    int32_t n = e->opt.open.n_ctx > 0 ? e->opt.open.n_ctx : e->h.info.n_ctx_train;
    int32_t n_batch = e->opt.open.n_batch ? e->opt.open.n_batch : MOST_BATCH;
    return (size_t)(reads_both(e) && n_batch < n ? n_batch : n);
}

/* Cuts a text to n tokens; an end token that the vocabulary adds stays at the end. */
static void cut_text(const embedder *e, ids_list *ids, size_t n)
{
    ingle_token_info info = {.size = sizeof info};
    int32_t last = ids->ids[ids->n - 1];
    if (ingle_token_info_get(e->h.model, last, &info, NULL) == INGLE_OK && info.control)
        ids->ids[n - 1] = last;
    ids->n = n;
}

/* Takes `over` tokens off the end of a document; *len is its new length, at least one byte less. */
static ingle_status cut_document(const embedder *e, const char *document, size_t *len, size_t over,
                                 ingle_error *err)
{
    ids_list ids;
    char *text = NULL;
    size_t cut = 0;
    ingle_status st = ids_tokenize(&ids, e->h.model, document, *len, 0, err);
    size_t n = st == INGLE_OK && ids.n > over ? ids.n - over : 0;
    if (st == INGLE_OK) st = ids_detokenize(e->h.model, ids.ids, n, 0, &text, &cut, err);
    if (st == INGLE_OK) *len = cut < *len ? cut : *len - 1;
    free(text);
    ids_free(&ids);
    return st;
}

/* A pair, its document cut until there is room for it. */
static ingle_status tokenize_pair(ids_list *out, embedder *e, const char *query, size_t query_len,
                                  const char *document, size_t len, ingle_error *err)
{
    size_t limit = text_limit(e);
    bool cut = false;
    for (;;) {
        ingle_status st = ids_tokenize_pair(out, e->h.model, query, query_len, document, len, err);
        if (st != INGLE_OK || !e->opt.truncate || out->n <= limit || !len) {
            if (cut && st == INGLE_OK) e->n_cut++;
            return st;
        }
        size_t over = out->n - limit;
        ids_free(out);
        st = cut_document(e, document, &len, over, err);
        if (st != INGLE_OK) return st;
        cut = true;
    }
}

/* For ranking a line is two texts with a tab between, or, if the model was not taught on pairs by a
 * template, one. */
static ingle_status tokenize_line(ids_list *out, embedder *e, const char *line, size_t len,
                                  ingle_error *err)
{
    bool ranks = pooling_of(e) == INGLE_POOLING_RANK;
    const char *tab = ranks && len ? memchr(line, '\t', len) : NULL;
    *out = (ids_list){0};
    if (ranks && !tab && e->h.info.rank_template) {
        snprintf(err->text, sizeof err->text,
                 "the model ranks pairs: a query and a document with a tab between");
        return INGLE_EINVAL;
    }
    if (tab) {
        size_t at = (size_t)(tab - line) + 1;
        return tokenize_pair(out, e, line, at - 1, line + at, len - at, err);
    }
    ingle_status st = ids_tokenize(out, e->h.model, line, len, INGLE_ADD_SPECIAL, err);
    if (st == INGLE_OK && e->opt.truncate && out->n > text_limit(e)) {
        cut_text(e, out, text_limit(e));
        e->n_cut++;
    }
    return st;
}

/* Reports a line that has no vector. False: the work ends, as a file of vectors would lack a row. */
static bool report_bad(embedder *e, size_t line, const char *why)
{
    out_progress_clear(&e->progress);
    e->n_bad++;
    if (e->opt.skip_bad) out_note("line %zu is skipped: %s", line, why);
    else out_error("line %zu: %s", line, why);
    return e->opt.skip_bad || !e->opt.out;
}

/* Fills the batch with the lines that are there, waiting for one if none is. */
static lines_status gather(embedder *e, ingle_error *err)
{
    batch *b = &e->batch;
    size_t n_batch = e->opt.open.n_batch > 0 ? (size_t)e->opt.open.n_batch : LEAST_BATCH;
    b->first = e->in.number + 1;
    while (b->n < MOST_TEXTS && b->n_tokens < n_batch) {
        const char *line;
        size_t len;
        ids_list ids;
        lines_status got = lines_next(&e->in, b->n == 0, &line, &len);
        if (got == LINES_FAILED)
            snprintf(err->text, sizeof err->text, "cannot read standard input: %s",
                     strerror(errno));
        if (got != LINES_GOT) return got;
        ingle_error why = {{0}};
        ingle_status st = tokenize_line(&ids, e, line, len, &why);
        bool empty = st == INGLE_OK && !ids.n;
        if (empty && e->opt.out) /* a row of what? */
            st = INGLE_EINVAL, strcpy(why.text, "it has no tokens");
        if (st != INGLE_OK) {
            ids_free(&ids);
            if (st == INGLE_ENOMEM || !report_bad(e, e->in.number, why.text)) {
                if (st == INGLE_ENOMEM) *err = why;
                return LINES_FAILED;
            }
        }
        add(b, ids, st != INGLE_OK);
    }
    return LINES_GOT;
}

static int read_tokens(embedder *e)
{
    ingle_error err = {{0}};
    ids_list ids;
    ingle_status st = ids_parse(&ids, e->opt.tokens, strlen(e->opt.tokens), &err);
    if (st == INGLE_OK && ids.n) {
        add(&e->batch, ids, false);
        return EXIT_DONE;
    }
    ids_free(&ids);
    out_error("%s: option '--tokens': %s", e->verb->name,
              st == INGLE_OK ? "at least one token" : err.text);
    return st == INGLE_ENOMEM ? EXIT_WORK : EXIT_USAGE;
}

/* ---- vectors out ---- */

static void put_vector(ingle_json_writer *w, const float *v, size_t n)
{
    ingle_json_begin_array(w);
    for (size_t i = 0; i < n; i++) ingle_json_put_f32(w, v[i]);
    ingle_json_end_array(w);
    out_json_send(w);
}

/* All vectors of a session: one, or an array of one per token. */
static bool put_text(embedder *e, const ingle_session *s)
{
    bool each = pooling_of(e) == INGLE_POOLING_NONE, raw = e->opt.out != NULL;
    const float *v;
    size_t n;
    if (each && !raw) ingle_json_begin_array(&e->json);
    for (size_t r = 0; ingle_session_embedding(s, r, &v, &n, NULL) == INGLE_OK; r++) {
        if (raw && !outfile_floats(&e->out, v, n)) return false;
        if (!raw) put_vector(&e->json, v, n);
    }
    if (each && !raw) ingle_json_end_array(&e->json);
    if (!raw) out_json_line(&e->json);
    return true;
}

/* A line without a vector: empty, or bad. */
static void put_nothing(embedder *e, bool bad)
{
    if (bad && !e->opt.skip_bad) return;
    if (e->opt.out) {
        float nan = NAN;
        bool ranks = pooling_of(e) == INGLE_POOLING_RANK;
        int32_t n = ranks ? e->h.info.n_rank : e->h.info.n_vector;
        if (pooling_of(e) == INGLE_POOLING_NONE) n = 0;
        while (n-- > 0) outfile_floats(&e->out, &nan, 1);
    } else {
        puts(pooling_of(e) == INGLE_POOLING_NONE && !bad ? "[]" : "null");
    }
}

/* ---- the work ---- */

static void close_engine(embedder *e)
{
    while (e->n_sessions) ingle_session_close(&e->sessions[--e->n_sessions]);
    ingle_session_close(&e->h.session);
    ingle_engine_close(&e->h.engine);
}

/* A context for a text of n tokens: a power of two or the model's own. */
static int32_t context_for(const embedder *e, size_t n)
{
    int32_t most = e->h.info.n_ctx_train, n_ctx = LEAST_CTX;
    while (n_ctx < most && (size_t)n_ctx < n) n_ctx = n_ctx > most / 2 ? most : 2 * n_ctx;
    return n_ctx < most ? n_ctx : most;
}

/* Whether the engine will do for a text of n tokens. A model may turn otherwise in long contexts
 * (longrope): there a text always gets its own, so that its bits are the same whatever came before. */
static bool fits(const embedder *e, size_t n)
{
    int32_t has = e->h.engine_info.n_ctx, wants = context_for(e, n);
    return e->h.engine && (!e->grows || wants == has || (wants < has && has <= SHORT_CTX));
}

/* An engine for texts of n tokens: with a context that holds one, if none was asked for, and a batch that
 * does where a text is read as a whole. */
static int open_for(embedder *e, size_t n)
{
    open_options o = e->opt.open;
    ingle_error err = {{0}};
    if (e->grows) o.n_ctx = context_for(e, n);
    int32_t n_ctx = o.n_ctx > 0 ? o.n_ctx : e->h.info.n_ctx_train, n_texts = 1;
    if (!o.n_batch) {
        o.n_batch = reads_both(e) && n_ctx > LEAST_BATCH ? n_ctx : LEAST_BATCH;
        if (o.n_batch > MOST_BATCH) o.n_batch = MOST_BATCH;
    }
    if (n_ctx > 0 && n_ctx < POSITIONS) n_texts = POSITIONS / n_ctx;
    if (n_texts > MOST_TEXTS) n_texts = MOST_TEXTS;
    bool more = e->batch.first && lines_more(&e->in);
    o.n_sessions = more || (size_t)n_texts < e->batch.n ? n_texts : (int32_t)e->batch.n;
    out_progress_clear(&e->progress);
    close_engine(e);
    int code = open_engine(&e->h, &o, 0);
    if (code != EXIT_DONE) return code;
    e->sessions[e->n_sessions++] = e->h.session;
    e->h.session = NULL;
    for (; e->n_sessions < (size_t)o.n_sessions; e->n_sessions++) {
        ingle_status st = ingle_session_open(&e->sessions[e->n_sessions], e->h.engine, &err);
        if (st != INGLE_OK) return open_failed("embedding", st, &err);
    }
    return code;
}

/* Texts first .. first + n - 1 of the batch. */
static ingle_status embed(embedder *e, size_t first, size_t n, ingle_error *err)
{
    ingle_embed_options how;
    ingle_text texts[MOST_TEXTS];
    ingle_embed_options_init(&how);
    how.pooling = (ingle_pooling)e->opt.pooling;
    how.normalize = !e->opt.no_normalize;
    how.attention = (ingle_attention)e->opt.attention;
    for (size_t k = 0; k < n; k++) {
        const ids_list *ids = &e->batch.items[first + k];
        texts[k] = (ingle_text){
            .session = e->sessions[k], .tokens = ids->ids, .n = ids->n, .n_first = ids->n_first};
    }
    return ingle_sessions_embed(texts, n, &how, err);
}

static int failed(embedder *e, size_t i, ingle_status st, const ingle_error *err)
{
    char what[64] = "embedding";
    out_progress_clear(&e->progress);
    if (e->batch.first) snprintf(what, sizeof what, "line %zu", e->batch.first + i);
    return open_failed(what, st, err);
}

/* Computes and prints texts of the batch from i on, *n of them. If one fails none, and from then on they
 * go one by one, so that the others come out. */
static int embed_some(embedder *e, size_t i, size_t *most, size_t *n)
{
    batch *b = &e->batch;
    ingle_error err = {{0}};
    int code = fits(e, b->items[i].n) ? EXIT_DONE : open_for(e, b->items[i].n);
    if (code != EXIT_DONE) return code;
    size_t n_texts = 1;
    while (i + n_texts < b->n && n_texts < e->n_sessions && n_texts < *most &&
           b->items[i + n_texts].n && fits(e, b->items[i + n_texts].n))
        n_texts++;
    ingle_status st = embed(e, i, n_texts, &err);
    if (st != INGLE_OK && n_texts == 1) {
        bool of_line = b->first && (st == INGLE_EFULL || st == INGLE_EINVAL || st == INGLE_EFORMAT);
        if (!of_line) return failed(e, i, st, &err);
        if (!report_bad(e, b->first + i, err.text)) return EXIT_WORK;
        put_nothing(e, true);
    } else if (st != INGLE_OK) {
        *n = 0, *most = 1;
        return EXIT_DONE;
    }
    *n = n_texts;
    out_progress_clear(&e->progress);
    for (size_t k = 0; st == INGLE_OK && k < n_texts; k++)
        if (!put_text(e, e->sessions[k])) break;
    if (!outfile_written(&e->out)) return EXIT_WORK;
    e->n_done += n_texts;
    out_progress_count(&e->progress, "texts", e->n_done);
    return EXIT_DONE;
}

static int embed_batch(embedder *e)
{
    size_t most = MOST_TEXTS, n;
    int code = EXIT_DONE;
    for (size_t i = 0; i < e->batch.n && code == EXIT_DONE; i += n) {
        if (platform_interrupted()) return EXIT_INTERRUPTED;
        n = 0;
        if (e->batch.items[i].n) {
            code = embed_some(e, i, &most, &n);
            continue;
        }
        put_nothing(e, e->batch.bad[i]);
        n = 1;
        if (!outfile_written(&e->out)) code = EXIT_WORK;
    }
    clear(&e->batch);
    return code;
}

static int embed_lines(embedder *e)
{
    ingle_error err = {{0}};
    for (;;) {
        lines_status got = gather(e, &err);
        int code = e->batch.n ? embed_batch(e) : EXIT_DONE;
        if (code != EXIT_DONE) return code;
        if (platform_interrupted()) return EXIT_INTERRUPTED;
        if (got == LINES_END) return EXIT_DONE;
        if (got != LINES_FAILED) continue;
        out_progress_clear(&e->progress);
        if (err.text[0]) out_error("%s", err.text); /* a bad line was reported already */
        return EXIT_WORK;
    }
}

static int embed_all(embedder *e)
{
    out_progress_start(&e->progress);
    /* Lines that show on a terminal are progress enough. */
    if (e->out.f == stdout && platform_is_terminal(1)) e->progress.enabled = false;
    int code = e->opt.tokens ? embed_batch(e) : embed_lines(e);
    out_progress_clear(&e->progress);
    if (e->n_cut) out_note("%zu texts were cut to %zu tokens", e->n_cut, text_limit(e));
    return code == EXIT_DONE && e->n_bad && !e->opt.skip_bad ? EXIT_WORK : code;
}

static bool check_model(const embedder *e)
{
    if (pooling_of(e) != INGLE_POOLING_RANK || e->h.info.n_rank) return true;
    out_error("%s: this model (%s) has no classifier to rank texts with", e->h.path,
              e->h.info.architecture);
    return false;
}

static int embed_main(const cli_verb *verb, int argc, char **argv)
{
    embedder e = {.verb = verb, .opt = {.open = OPEN_OPTIONS_DEFAULT}, .json = {.spaces = true}};
    const char *positional = NULL;
    args_status parsed = args_parse(verb, &e.opt, argc, argv, &positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed != ARGS_OK) goto end;
    e.grows = e.opt.open.n_ctx < 0;
    e.opt.open.output = e.opt.out;
    e.opt.open.output_option = "--out";
    if ((code = open_check(verb, &e.opt.open, positional)) != EXIT_DONE) goto end;
    if (e.opt.tokens && (code = read_tokens(&e)) != EXIT_DONE) goto end;
    platform_catch_interrupt();
    if ((code = open_path(&e.h, &e.opt.open)) != EXIT_DONE) goto end;
    code = EXIT_WORK;
    if (!outfile_open(&e.out, e.opt.out ? e.opt.out : "-")) goto end;
    if ((code = open_model(&e.h, &e.opt.open, INGLE_PARTS_ALL)) != EXIT_DONE) goto end;
    code = check_model(&e) ? embed_all(&e) : EXIT_WORK;
end:
    code = out_finish(outfile_close(&e.out, code));
    close_engine(&e);
    open_close(&e.h);
    open_options_free(&e.opt.open);
    clear(&e.batch);
    lines_free(&e.in);
    ingle_json_writer_free(&e.json);
    return code;
}

const cli_verb cli_verb_embed = {
    .name = "embed",
    .synopsis = "[OPTIONS] [MODEL]",
    .summary = "turn texts into vectors, or rank pairs of them",
    .about =
        "Reads a text per line from standard input and prints a JSON array of numbers per line, "
        "in the same order and as lines come. Texts share steps; the bits of a vector do not "
        "depend on its neighbours. Any model can embed: its last hidden states are pooled. A line "
        "without tokens gives null. A line that cannot be embedded is reported and gives nothing, "
        "the others come out, and the exit code is 1; with --out it ends the work.\n\nWith pooling "
        "'rank' a line is a query and a document with a tab between, or, where the model was "
        "taught "
        "on single texts, a text; what comes out is what its classifier says, mostly one number, "
        "the higher the better the document answers the query. Pairs are put into the file's "
        "template (key tokenizer.chat_template.rerank), or joined as the vocabulary does it: [CLS] "
        "query [SEP] document [SEP], <s> query </s></s> document </s>.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 1,
    .main = embed_main,
};
