/* score.h - `ingle score` from inside: tokens and how well they were foretold (scorer.c), and lines
 * of pairs (score_lines.c).
 * Depends on open.h, ids.h, out.h. */
#ifndef INGLE_CLI_SCORE_H
#define INGLE_CLI_SCORE_H

#include "ids.h"
#include "open.h"
#include "out.h"

typedef struct score_options {
    open_options open;
    const char *text, *file;
    int32_t stride, n_top; /* stride 0: windows share nothing */
    bool jsonl, json, tokens, parse_special;
} score_options;

/* Of tokens that have a score. */
typedef struct score_totals {
    size_t n, n_greedy;  /* n_greedy: no token was likelier */
    double sum, squares; /* of their log-probabilities */
} score_totals;

typedef struct scorer {
    const score_options *opt;
    open_handles h;
    ingle_score *scores; /* [n_batch] of a piece */
    ingle_top *tops;     /* [n_batch][n_top] */
    ingle_json_writer json;
    out_progress progress;
    size_t n_done, n_all; /* tokens of a long text, for the progress line; n_all 0: none is shown */
} scorer;

/* A text as tokens, with those that the vocabulary adds. */
ingle_status score_tokenize(const scorer *s, const char *text, size_t len, ids_list *ids,
                            ingle_error *err);

/* Empties the session and scores all tokens of a text, window by window. *n_windows may be NULL.
 * INGLE_ECANCELLED after Ctrl+C. */
ingle_status score_text(scorer *s, const ids_list *ids, score_totals *totals, size_t *n_windows,
                        ingle_error *err);

/* Scores tokens in place of what the session holds: the first n_context of n give context only, and
 * are not computed again as far as the session holds them. n_context is at least 1, n at most the
 * context. */
ingle_status score_pair(scorer *s, const int32_t *tokens, size_t n_context, size_t n,
                        score_totals *totals, ingle_error *err);

/* The same for people, or as the line that ends the output of a whole text. */
void score_print_totals(scorer *s, const score_totals *t, size_t n_tokens, size_t n_windows);

/* Members logprob, nll and perplexity, the latter two with their standard errors. */
void score_put_totals(ingle_json_writer *w, const score_totals *t);

/* score_lines.c: lines of standard input. The exit code; failures were reported. */
int score_lines(scorer *s);

#endif
