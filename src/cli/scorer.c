/* scorer.c - what `ingle score` does with tokens: scores those of a session, and shows them and their
 * totals.
 * Depends on score.h. */
#include "platform.h"
#include "score.h"
#include "verbs.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a token --------------------------------------------------------------------------------- */

enum { PIECE = 256 }; /* bytes of a token's text */

static size_t piece_of(const scorer *s, int32_t token, char text[PIECE])
{
    size_t len = 0;
    bool ok = ingle_detokenize(s->h.model, &token, 1, INGLE_UNPARSE_SPECIAL, text, PIECE - 1, &len,
                               NULL) == INGLE_OK;
    text[ok ? len : 0] = 0;
    return ok ? len : 0;
}

static void put_piece(ingle_json_writer *w, const scorer *s, int32_t token)
{
    char text[PIECE];
    size_t len = piece_of(s, token, text);
    ingle_json_put_i64(ingle_json_name(w, "id"), token);
    out_json_text(w, "text", text, len);
}

static void put_token(ingle_json_writer *w, const scorer *s, int32_t token, const ingle_score *x,
                      const ingle_top *tops)
{
    ingle_json_begin_object(w);
    put_piece(w, s, token);
    if (x->rank < 0) {
        ingle_json_put_null(ingle_json_name(w, "logprob"));
        ingle_json_put_null(ingle_json_name(w, "rank"));
    } else {
        out_json_number(ingle_json_name(w, "logprob"), (double)x->logprob);
        ingle_json_put_i64(ingle_json_name(w, "rank"), x->rank);
    }
    if (s->opt->n_top) ingle_json_begin_array(ingle_json_name(w, "top"));
    for (int32_t i = 0; i < x->n_top; i++) {
        ingle_json_begin_object(w);
        put_piece(w, s, tops[i].token);
        out_json_number(ingle_json_name(w, "logprob"), (double)tops[i].logprob);
        ingle_json_end_object(w);
    }
    if (s->opt->n_top) ingle_json_end_array(w);
    ingle_json_end_object(w);
}

static void print_token(const scorer *s, int32_t token, const ingle_score *x, const ingle_top *tops)
{
    char text[PIECE];
    piece_of(s, token, text);
    if (x->rank < 0) printf("%12s %7s  ", "-", "-");
    else printf("%12.6f %7d  ", (double)x->logprob, x->rank);
    out_plain(text, s->opt->n_top ? 16 : 0);
    for (int32_t i = 0; i < x->n_top; i++) {
        piece_of(s, tops[i].token, text);
        fputs(i ? ", '" : "  '", stdout);
        out_plain(text, 0);
        printf("' %.4f", (double)tops[i].logprob);
    }
    putchar('\n');
}

static void show_token(scorer *s, int32_t token, const ingle_score *x, const ingle_top *tops)
{
    if (!s->opt->tokens) return;
    out_progress_clear(&s->progress);
    if (s->opt->jsonl || s->opt->json) put_token(&s->json, s, token, x, tops);
    else print_token(s, token, x, tops);
    if (s->opt->json) out_json_line(&s->json);
}

/* ---- tokens of a session --------------------------------------------------------------------- */

static void add(score_totals *t, const ingle_score *x)
{
    if (x->rank < 0) return;
    t->n++;
    t->n_greedy += x->rank == 0;
    t->sum += (double)x->logprob;
    t->squares += (double)x->logprob * (double)x->logprob;
}

static ingle_status interrupted(ingle_error *err)
{
    snprintf(err->text, sizeof err->text, "stopped by Ctrl+C");
    return INGLE_ECANCELLED;
}

/* Appends tokens to the session, batch by batch; with totals they are scored. */
static ingle_status append(scorer *s, const int32_t *tokens, size_t n, score_totals *totals,
                           ingle_error *err)
{
    size_t n_batch = (size_t)s->h.engine_info.n_batch, n_top = (size_t)s->opt->n_top;
    ingle_session *session = s->h.session;
    for (size_t i = 0; i < n;) {
        size_t m = n - i < n_batch ? n - i : n_batch;
        ingle_status status =
            totals ? ingle_session_score(session, tokens + i, m, s->opt->n_top, s->scores, s->tops,
                                         err)
                   : ingle_session_eval(session, tokens + i, m, INGLE_ROWS_NONE, err);
        if (status != INGLE_OK) return status;
        if (platform_interrupted() || !out_flush()) return interrupted(err);
        for (size_t k = 0; totals && k < m; k++) {
            add(totals, &s->scores[k]);
            show_token(s, tokens[i + k], &s->scores[k], s->tops ? s->tops + k * n_top : NULL);
        }
        if (totals) s->n_done += m;
        if (s->n_all)
            out_progress_show(&s->progress, "scoring", (double)s->n_done / (double)s->n_all);
        i += m;
    }
    return INGLE_OK;
}

ingle_status score_tokenize(const scorer *s, const char *text, size_t len, ids_list *ids,
                            ingle_error *err)
{
    unsigned flags = INGLE_ADD_SPECIAL | (s->opt->parse_special ? INGLE_PARSE_SPECIAL : 0);
    return ids_tokenize(ids, s->h.model, text, len, flags, err);
}

/* The window of tokens [from, end) of a text, of which those from `scored` on are scored. */
static ingle_status score_window(scorer *s, const ids_list *ids, size_t from, size_t scored,
                                 size_t end, bool with_bos, score_totals *totals, ingle_error *err)
{
    ingle_status status = ingle_session_truncate(s->h.session, 0, err);
    if (status == INGLE_OK && with_bos) status = append(s, ids->ids, 1, NULL, err);
    if (status == INGLE_OK) status = append(s, ids->ids + from, scored - from, NULL, err);
    if (status == INGLE_OK) status = append(s, ids->ids + scored, end - scored, totals, err);
    return status;
}

ingle_status score_text(scorer *s, const ids_list *ids, score_totals *totals, size_t *n_windows,
                        ingle_error *err)
{
    size_t n_ctx = (size_t)s->h.engine_info.n_ctx, n = 0;
    size_t stride = s->opt->stride ? (size_t)s->opt->stride : n_ctx;
    bool bos = s->h.info.add_bos && ids->n && ids->ids[0] == s->h.info.token_bos && n_ctx > 1;
    ingle_status status = INGLE_OK;
    for (size_t from = 0, end = 0; end < ids->n && status == INGLE_OK; n++) {
        size_t scored = end;
        if (n) from = from + stride < end ? from + stride : end; /* no token is left out */
        end = from + n_ctx - (n && bos ? 1 : 0);
        if (end > ids->n) end = ids->n;
        status = score_window(s, ids, from, scored, end, n && bos, totals, err);
    }
    if (n_windows) *n_windows = n;
    return status;
}

/* How many of the tokens the session holds already. */
static size_t held(const scorer *s, const int32_t *tokens, size_t n)
{
    const int32_t *has;
    size_t n_has = 0, i = 0;
    if (ingle_session_tokens(s->h.session, &has, &n_has, NULL) != INGLE_OK) return 0;
    while (i < n && i < n_has && has[i] == tokens[i]) i++;
    return i;
}

ingle_status score_pair(scorer *s, const int32_t *tokens, size_t n_context, size_t n,
                        score_totals *totals, ingle_error *err)
{
    size_t from = held(s, tokens, n_context);
    ingle_status status = ingle_session_truncate(s->h.session, from, err);
    if (status == INGLE_OK) status = append(s, tokens + from, n_context - from, NULL, err);
    if (status == INGLE_OK) status = append(s, tokens + n_context, n - n_context, totals, err);
    return status;
}

/* ---- totals ---------------------------------------------------------------------------------- */

/* Of the negative log-probabilities, with its standard error. */
static double mean_of(const score_totals *t, double *error)
{
    double n = (double)t->n, mean = t->sum / n, variance = t->squares / n - mean * mean;
    *error = t->n > 1 && variance > 0 ? sqrt(variance / (n - 1)) : 0;
    return -mean;
}

void score_put_totals(ingle_json_writer *w, const score_totals *t)
{
    double error, nll = mean_of(t, &error);
    out_json_number(ingle_json_name(w, "logprob"), t->sum);
    out_json_number(ingle_json_name(w, "nll"), nll);
    out_json_number(ingle_json_name(w, "nll_error"), error);
    out_json_number(ingle_json_name(w, "perplexity"), exp(nll));
    out_json_number(ingle_json_name(w, "perplexity_error"), exp(nll) * error);
}

void score_print_totals(scorer *s, const score_totals *t, size_t n_tokens, size_t n_windows)
{
    ingle_json_writer *w = &s->json;
    double error, nll = mean_of(t, &error);
    if (!s->opt->json) {
        if (s->opt->tokens) putchar('\n');
        printf("tokens      %zu scored of %zu", t->n, n_tokens);
        if (n_windows > 1) printf(", in %zu windows", n_windows);
        printf("\nnll         %.6f +/- %.6f\n", nll, error);
        printf("perplexity  %.6f +/- %.6f\n", exp(nll), exp(nll) * error);
        return;
    }
    ingle_json_begin_object(w);
    ingle_json_put_u64(ingle_json_name(w, "tokens"), n_tokens);
    ingle_json_put_u64(ingle_json_name(w, "scored"), t->n);
    ingle_json_put_u64(ingle_json_name(w, "windows"), n_windows);
    ingle_json_put_i64(ingle_json_name(w, "n_ctx"), s->h.engine_info.n_ctx);
    score_put_totals(w, t);
    ingle_json_put_bool(ingle_json_name(w, "greedy"), t->n_greedy == t->n);
    ingle_json_end_object(w);
    out_json_line(w);
}
