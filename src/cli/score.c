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
        score_print_totals(s, &totals, ids.n, n_windows);
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
