/* score.c - `ingle score`: how well a model foretells a text: log-probabilities and perplexity.
 * Depends on score.h.
 *
 * A text that is longer than the context is cut into windows. Each begins with the token that
 * begins texts, if the vocabulary has one; the tokens that it shares with the window before it give
 * context and are not scored again. */
#include "platform.h"
#include "score.h"
#include "verbs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(score_options, field)

static const arg_option INPUT_ROWS[] = {
    {"-p --text", "TEXT", ARG_STRING, AT(text), 0, 0, NULL, "the text, as TEXT"},
    {"-f --file", "FILE", ARG_STRING, AT(file), 0, 0, NULL,
     "read the text from FILE ('-': standard input), to its last byte"},
    {"--jsonl", NULL, ARG_FLAG, AT(jsonl), 0, 0, NULL,
     "the input is JSON Lines: objects with context and continuation, or with text"},
    {"--parse-special", NULL, ARG_FLAG, AT(parse_special), 0, 0, NULL,
     "text such as <|im_end|> becomes the control token"},
    {"--stride", "N", ARG_INT, AT(stride), 1, ARG_MAX, NULL,
     "every window of a text longer than the context begins N tokens after the one before; what "
     "both hold only gives context (default: they share nothing)"},
};

static const arg_option OUTPUT_ROWS[] = {
    {"--tokens", NULL, ARG_FLAG, AT(tokens), 0, 0, NULL,
     "a line for every token: its log-probability, its rank (0: the likeliest) and its text"},
    {"--top", "N", ARG_INT, AT(n_top), 0, 100, NULL,
     "with --tokens: the N likeliest tokens in its place too"},
    {"--json", NULL, ARG_FLAG, AT(json), 0, 0, NULL, "one JSON object a line, the totals last"},
};

#define ROWS(rows) rows, sizeof rows / sizeof *rows

static const arg_group GROUPS[] = {
    {"Model", ROWS(open_rows_model), AT(open), open_check_model, 0},
    {"Text", ROWS(INPUT_ROWS), 0, NULL, 0},
    {"Output", ROWS(OUTPUT_ROWS), 0, NULL, 0},
    {"Computing", ROWS(open_rows_compute), AT(open), open_check_compute, 0},
};

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

static void print_totals(scorer *s, const score_totals *t, size_t n_tokens, size_t n_windows)
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

/* ---- the verb -------------------------------------------------------------------------------- */

static int score_whole(scorer *s, const char *text, size_t len)
{
    ids_list ids = {0};
    score_totals totals = {0};
    size_t n_windows = 0;
    ingle_error err = {{0}};
    ingle_status status = score_tokenize(s, text, len, &ids, &err);
    s->n_all = ids.n;
    out_progress_start(&s->progress);
    if (status == INGLE_OK) status = score_text(s, &ids, &totals, &n_windows, &err);
    out_progress_clear(&s->progress);
    int code = EXIT_WORK;
    if (status != INGLE_OK && out_flush()) code = open_failed("the text", status, &err);
    if (status == INGLE_OK && totals.n) {
        print_totals(s, &totals, ids.n, n_windows);
        code = EXIT_DONE;
    } else if (status == INGLE_OK) {
        out_error("the text has no token that another one comes before: nothing to score");
    }
    ids_free(&ids);
    return code;
}

static int open_scorer(scorer *s)
{
    size_t n_top = (size_t)s->opt->n_top;
    int code = open_generator(&s->h, &s->opt->open);
    if (code == EXIT_DONE) code = open_engine(&s->h, &s->opt->open, 0);
    if (code != EXIT_DONE) return code;
    if (s->opt->stride > s->h.engine_info.n_ctx) {
        out_error("score: option '--stride': %d is more than the context of %d tokens",
                  s->opt->stride, s->h.engine_info.n_ctx);
        return EXIT_USAGE;
    }
    size_t n_batch = (size_t)s->h.engine_info.n_batch;
    s->scores = calloc(n_batch, sizeof *s->scores);
    if (n_top) s->tops = calloc(n_batch * n_top, sizeof *s->tops);
    if (s->scores && (s->tops || !n_top)) return EXIT_DONE;
    out_error("no memory for the scores of %zu tokens", n_batch);
    return EXIT_WORK;
}

/* Options that do not go together. The text of lines is never an argument. */
static int check(const cli_verb *verb, score_options *opt, const char **positional)
{
    const char *text = opt->open.model ? positional[0] : positional[1];
    const char *why = NULL;
    if (opt->open.model && positional[1])
        return open_check(verb, &opt->open, positional[0]); /* the model is given twice */
    if ((text != NULL) + (opt->text != NULL) + (opt->file != NULL) > 1)
        why = "more than one text: give one of TEXT, -p and -f";
    else if (opt->jsonl && (text || opt->text))
        why = "option '--jsonl' takes its lines from -f FILE or standard input, not from TEXT";
    else if (opt->jsonl && opt->json) why = "options '--jsonl' and '--json' exclude each other";
    else if (opt->n_top && !opt->tokens) why = "option '--top' needs --tokens";
    else if (!text && !opt->text && !opt->file && !opt->jsonl && platform_is_terminal(0))
        why = "no text: give TEXT, -f FILE or text on standard input";
    if (why) {
        out_error("%s: %s", verb->name, why);
        return EXIT_USAGE;
    }
    if (text) opt->text = text;
    return open_check(verb, &opt->open, opt->open.model ? NULL : positional[0]);
}

/* *text is the caller's to free; NULL for lines, which are read as they come. */
static int read_text(const score_options *opt, char **text, size_t *len)
{
    bool ok;
    if (opt->jsonl) {
        ok = platform_input_from(opt->file);
    } else if (opt->text) {
        *len = strlen(opt->text);
        *text = malloc(*len + 1);
        ok = *text != NULL;
        if (ok) memcpy(*text, opt->text, *len + 1);
    } else {
        ok = platform_read_all(opt->file, text, len);
    }
    if (ok) return EXIT_DONE;
    bool named = opt->file && strcmp(opt->file, "-") != 0;
    out_error("cannot read %s: %s", named ? opt->file : "the text", strerror(errno));
    return EXIT_USAGE;
}

static int score_main(const cli_verb *verb, int argc, char **argv)
{
    score_options opt = {.open = OPEN_OPTIONS_DEFAULT};
    scorer s = {.opt = &opt, .json = out_json()};
    const char *positional[2];
    char *text = NULL;
    size_t len = 0;
    args_status parsed = args_parse(verb, &opt, argc, argv, positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed != ARGS_OK) goto end;
    if ((code = check(verb, &opt, positional)) != EXIT_DONE) goto end;
    if ((code = read_text(&opt, &text, &len)) != EXIT_DONE) goto end;
    platform_catch_interrupt();
    if ((code = open_scorer(&s)) != EXIT_DONE) goto end;
    code = opt.jsonl ? score_lines(&s) : score_whole(&s, text, len);
end:
    code = out_finish(code);
    open_close(&s.h);
    open_options_free(&opt.open);
    ingle_json_writer_free(&s.json);
    free(s.scores);
    free(s.tops);
    free(text);
    return code;
}

const cli_verb cli_verb_score = {
    .name = "score",
    .synopsis = "[OPTIONS] [MODEL] [TEXT]",
    .summary = "log-probabilities and perplexity of a text",
    .about =
        "Says how well a model foretells a text: for every token the natural log of the "
        "probability that the model gave it, and over all of them the mean of the negative ones "
        "(nll) and the perplexity, with standard errors. The text is TEXT, -f FILE or standard "
        "input; one argument alone is the model, with -m MODEL it is the text.\n\nA text longer "
        "than the context is cut into windows. Each begins with the token that begins texts, if "
        "the vocabulary has one. The first token of a text has no score if nothing comes before "
        "it.\n\nWith --jsonl every line of input is an object with the members context and "
        "continuation, or text, and perhaps id, which comes back as it is; blank lines are passed "
        "over. A line of output has index (from 0), id, logprob (the sum over the tokens of the "
        "continuation, or of the text), tokens (their number) and greedy (whether each was the "
        "likeliest); or index, id and error: the others go on, and the exit code is 1. Blanks at "
        "the end of a context count as the start of the continuation. A context that is too long "
        "loses tokens at its start, whose number is in the member cut; an empty one is the "
        "token that begins texts, or else the one that ends them.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 2,
    .main = score_main,
};
