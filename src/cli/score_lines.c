/* score_lines.c - `ingle score --jsonl`: an object per line in, its scores per line out, as lines
 * come. Depends on score.h, lines.h, base/json.h. */
#include "lines.h"
#include "platform.h"
#include "score.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line as it was read: a pair, or a text alone. */
typedef struct score_line {
    ingle_json_doc doc;
    const ingle_json *id, *context, *continuation, *text; /* NULL: not there */
    ids_list tokens;
    size_t n_context; /* tokens that only give context; 0: a text */
    size_t n_cut;     /* tokens that the context lost */
} score_line;

typedef struct line_counts {
    size_t n, n_failed;
    char first_failure[320];
} line_counts;

/* ---- reading --------------------------------------------------------------------------------- */

static ingle_status refuse(ingle_error *err, const char *what)
{
    snprintf(err->text, sizeof err->text, "%s", what);
    return INGLE_EINVAL;
}

static ingle_status read_members(score_line *l, ingle_error *err)
{
    for (ingle_json_walk w = ingle_json_items(l->doc.root); ingle_json_step(&w);) {
        const ingle_json **to = ingle_json_is_text(w.name, "context")        ? &l->context
                                : ingle_json_is_text(w.name, "continuation") ? &l->continuation
                                : ingle_json_is_text(w.name, "text")         ? &l->text
                                                                             : NULL;
        if (ingle_json_is_text(w.name, "id")) continue;
        if (!to) {
            snprintf(err->text, sizeof err->text, "unknown member '%.60s'", w.name->text);
            return INGLE_EINVAL;
        }
        if (!ingle_json_is(w.value, INGLE_JSON_STRING)) {
            snprintf(err->text, sizeof err->text, "member '%s' should be a text", w.name->text);
            return INGLE_EINVAL;
        }
        *to = w.value;
    }
    if (l->text && (l->context || l->continuation))
        return refuse(err, "members 'text' and 'continuation' exclude each other");
    if (!l->text && !l->continuation) return refuse(err, "member 'continuation' is missing");
    if (!l->text && !l->context) return refuse(err, "member 'context' is missing");
    return INGLE_OK;
}

/* Puts a token first. */
static ingle_status begin_with(ids_list *ids, int32_t token, ingle_error *err)
{
    int32_t *larger = realloc(ids->ids, (ids->n + 1) * sizeof *larger);
    if (!larger) {
        refuse(err, "no memory for the tokens");
        return INGLE_ENOMEM;
    }
    memmove(larger + 1, larger, ids->n * sizeof *larger);
    larger[0] = token;
    ids->ids = larger;
    ids->n++;
    return INGLE_OK;
}

/* Bytes of a context without the blanks at its end. */
static size_t without_blanks(const ingle_json *context)
{
    size_t n = context->len;
    while (n && context->text[n - 1] && strchr(" \t\r\n", context->text[n - 1])) n--;
    return n;
}

/* A vocabulary may join the end of a context and the start of its continuation, so both are turned
 * into tokens together; the continuation begins after as many as the context alone has. */
static ingle_status tokenize_pair(score_line *l, const scorer *s, ingle_error *err)
{
    const ingle_model_info *info = &s->h.info;
    size_t n = without_blanks(l->context), len = l->context->len + l->continuation->len;
    ids_list alone = {0};
    char *both = malloc(len + 1);
    if (!both) {
        refuse(err, "no memory for the text");
        return INGLE_ENOMEM;
    }
    memcpy(both, l->context->text, l->context->len);
    memcpy(both + l->context->len, l->continuation->text, l->continuation->len);
    ingle_status status = score_tokenize(s, both, len, &l->tokens, err);
    if (status == INGLE_OK) status = score_tokenize(s, both, n, &alone, err);
    free(both);
    if (info->add_eos && alone.n && alone.ids[alone.n - 1] == info->token_eos) alone.n--;
    l->n_context = alone.n;
    ids_free(&alone);
    if (status != INGLE_OK || l->n_context) return status;
    int32_t first = info->token_bos >= 0 ? info->token_bos : info->token_eos;
    if (first < 0) return refuse(err, "the context is empty, and no token begins texts");
    l->n_context = 1;
    return begin_with(&l->tokens, first, err);
}

/* Takes tokens off the start of a context that is too long, but not the one that begins texts. */
static ingle_status cut_context(score_line *l, const scorer *s, ingle_error *err)
{
    size_t n_ctx = (size_t)s->h.engine_info.n_ctx;
    if (l->n_context >= l->tokens.n) return refuse(err, "the continuation has no tokens");
    if (l->tokens.n <= n_ctx) return INGLE_OK;
    size_t over = l->tokens.n - n_ctx;
    size_t kept = s->h.info.add_bos && l->tokens.ids[0] == s->h.info.token_bos ? 1 : 0;
    size_t least = kept ? kept : 1; /* something has to come before the continuation */
    if (l->n_context < over + least) {
        snprintf(err->text, sizeof err->text,
                 "the continuation of %zu tokens does not fit the context of %zu",
                 l->tokens.n - l->n_context, n_ctx);
        return INGLE_EFULL;
    }
    memmove(l->tokens.ids + kept, l->tokens.ids + kept + over,
            (l->tokens.n - kept - over) * sizeof *l->tokens.ids);
    l->tokens.n -= over;
    l->n_context -= over;
    l->n_cut = over;
    return INGLE_OK;
}

static ingle_status read_line(score_line *l, const scorer *s, const char *line, size_t len,
                              ingle_error *err)
{
    static const ingle_json_limits limits = {.unique_names = true};
    ingle_status status = ingle_json_open(&l->doc, line, len, &limits, err);
    if (status != INGLE_OK) return status;
    if (!ingle_json_is(l->doc.root, INGLE_JSON_OBJECT))
        return refuse(err, "a line is an object with context and continuation, or with text");
    l->id = ingle_json_get(l->doc.root, "id");
    status = read_members(l, err);
    if (status != INGLE_OK) return status;
    if (l->text) return score_tokenize(s, l->text->text, l->text->len, &l->tokens, err);
    status = tokenize_pair(l, s, err);
    return status == INGLE_OK ? cut_context(l, s, err) : status;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void begin_answer(ingle_json_writer *w, const score_line *l, size_t index)
{
    ingle_json_begin_object(w);
    ingle_json_put_u64(ingle_json_name(w, "index"), index);
    if (l->id) ingle_json_put(ingle_json_name(w, "id"), l->id);
}

static void put_answer(ingle_json_writer *w, const score_line *l, const score_totals *t)
{
    if (l->text) score_put_totals(w, t);
    else out_json_number(ingle_json_name(w, "logprob"), t->sum);
    ingle_json_put_u64(ingle_json_name(w, "tokens"), t->n);
    ingle_json_put_bool(ingle_json_name(w, "greedy"), t->n_greedy == t->n);
    if (!l->text) ingle_json_put_u64(ingle_json_name(w, "context_tokens"), l->n_context);
    if (l->n_cut) ingle_json_put_u64(ingle_json_name(w, "cut"), l->n_cut);
}

/* Scores a line; the tokens go into the array `scores`, if they are asked for. */
static ingle_status score_line_of(scorer *s, const score_line *l, score_totals *t, ingle_error *err)
{
    if (!l->text) return score_pair(s, l->tokens.ids, l->n_context, l->tokens.n, t, err);
    ingle_status status = score_text(s, &l->tokens, t, NULL, err);
    if (status == INGLE_OK && !t->n)
        return refuse(err, "the text has no token that another one comes before");
    return status;
}

static void fail_line(scorer *s, const score_line *l, line_counts *c, size_t number,
                      ingle_status status, const ingle_error *err)
{
    ingle_json_writer *w = &s->json;
    char text[sizeof err->text + 32];
    snprintf(text, sizeof text, "line %zu: %s", number,
             err->text[0] ? err->text : ingle_status_name(status));
    begin_answer(w, l, c->n);
    ingle_json_begin_object(ingle_json_name(w, "error"));
    ingle_json_put_text(ingle_json_name(w, "status"), ingle_status_name(status));
    ingle_json_put_text(ingle_json_name(w, "message"), text);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
    if (!c->n_failed++) snprintf(c->first_failure, sizeof c->first_failure, "%s", text);
}

/* One line; INGLE_OK also if it failed alone. */
static ingle_status answer_line(scorer *s, line_counts *c, const char *line, size_t len,
                                size_t number)
{
    ingle_json_writer *w = &s->json;
    score_line l = {0};
    score_totals t = {0};
    ingle_error err = {{0}};
    ingle_status status = read_line(&l, s, line, len, &err);
    if (status == INGLE_OK) {
        begin_answer(w, &l, c->n);
        if (s->opt->tokens) ingle_json_begin_array(ingle_json_name(w, "scores"));
        status = score_line_of(s, &l, &t, &err);
        if (s->opt->tokens) ingle_json_end_array(w);
        if (status == INGLE_OK) put_answer(w, &l, &t);
        if (status == INGLE_OK) ingle_json_end_object(w);
    }
    bool stops = status == INGLE_ECANCELLED;
    if (status != INGLE_OK) {
        ingle_json_writer_free(w); /* half a line */
        *w = out_json();
    }
    if (status != INGLE_OK && !stops) fail_line(s, &l, c, number, status, &err);
    if (!stops) {
        out_progress_clear(&s->progress);
        out_json_line(w);
        out_flush();
        c->n++;
    }
    ids_free(&l.tokens);
    ingle_json_close(&l.doc);
    return stops ? status : INGLE_OK;
}

int score_lines(scorer *s)
{
    lines in = {0};
    line_counts c = {0};
    bool broken = false;
    out_progress_start(&s->progress);
    /* Lines that show on a terminal are progress enough. */
    if (platform_is_terminal(1)) s->progress.enabled = false;
    while (!broken && !platform_interrupted()) {
        const char *line;
        size_t len;
        lines_status got = lines_next(&in, true, &line, &len);
        if (got == LINES_END) break;
        broken = got == LINES_FAILED;
        if (broken && !platform_interrupted())
            out_error("cannot read the lines: %s", strerror(errno));
        if (broken || lines_is_blank(line, len)) continue;
        broken = answer_line(s, &c, line, len, in.number) != INGLE_OK || !out_flush();
        out_progress_count(&s->progress, "lines", c.n);
    }
    out_progress_clear(&s->progress);
    lines_free(&in);
    if (c.n_failed)
        out_error("%zu of %zu lines failed; the first: %s", c.n_failed, c.n, c.first_failure);
    if (platform_interrupted()) return EXIT_INTERRUPTED;
    return broken || c.n_failed ? EXIT_WORK : EXIT_DONE;
}
