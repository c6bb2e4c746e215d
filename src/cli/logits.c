/* logits.c - `ingle logits`: the bare logits of given tokens, for comparing engines.
 * Depends on open.h, ids.h, outfile.h. */
#include "ids.h"
#include "open.h"
#include "out.h"
#include "outfile.h"
#include "platform.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct logits_options {
    open_options open;
    const char *tokens, *out;
    bool last;
} logits_options;

#define AT(field) offsetof(logits_options, field)

static const arg_option ROWS[] = {
    {"--tokens", "LIST", ARG_STRING, AT(tokens), 0, 0, NULL,
     "token ids with commas between; '-' reads them, or a JSON array, from standard input"},
    {"-o --out", "FILE", ARG_STRING, AT(out), 0, 0, NULL, "file to write ('-': standard output)"},
    {"--last", NULL, ARG_FLAG, AT(last), 0, 0, NULL, "only the row of the last token"},
};

static const arg_group GROUPS[] = {
    {"Model", open_rows_model, OPEN_N_MODEL, AT(open), open_check_model, 0},
    {"Logits", ROWS, sizeof ROWS / sizeof *ROWS, 0, NULL, 0},
    {"Computing", open_rows_compute, sizeof open_rows_compute / sizeof *open_rows_compute, AT(open),
     open_check_compute, 0},
};

static int read_tokens(ids_list *list, const cli_verb *verb, const char *given)
{
    char *text = NULL;
    size_t len = strlen(given);
    bool from_stdin = strcmp(given, "-") == 0;
    ingle_error err = {{0}};
    if (from_stdin && !platform_read_all(NULL, &text, &len)) {
        out_error("cannot read the tokens from standard input: %s", strerror(errno));
        return EXIT_USAGE;
    }
    ingle_status status = ids_parse(list, from_stdin ? text : given, len, &err);
    free(text);
    if (status != INGLE_OK) {
        out_error("%s: option '--tokens': %s", verb->name, err.text);
        return status == INGLE_ENOMEM ? EXIT_WORK : EXIT_USAGE;
    }
    if (list->n > 0) return EXIT_DONE;
    out_error("%s: option '--tokens': at least one token", verb->name);
    return EXIT_USAGE;
}

/* Batch by batch, so that no more than one batch of rows is held. */
static int compute(open_handles *h, const logits_options *opt, const ids_list *list, outfile *o)
{
    ingle_error err = {{0}};
    size_t n_batch = (size_t)h->engine_info.n_batch;
    if (list->n > (size_t)h->engine_info.n_ctx) {
        out_error("%zu tokens do not fit a context of %d; -c sets it", list->n,
                  h->engine_info.n_ctx);
        return EXIT_WORK;
    }
    for (size_t i = 0; i < list->n;) {
        size_t n = list->n - i < n_batch ? list->n - i : n_batch;
        ingle_rows rows = opt->last ? INGLE_ROWS_LAST : INGLE_ROWS_ALL;
        ingle_status status = ingle_session_eval(h->session, list->ids + i, n, rows, &err);
        if (status != INGLE_OK) return open_failed("the tokens", status, &err);
        i += n;
        if (platform_interrupted()) return EXIT_INTERRUPTED;
        if (opt->last && i < list->n) continue;
        for (size_t r = 0; r < (opt->last ? 1 : n); r++) {
            const float *row = NULL;
            status = ingle_session_logits(h->session, r, &row, &err);
            if (status != INGLE_OK) return open_failed("the logits", status, &err);
            if (outfile_floats(o, row, (size_t)h->info.n_vocab)) continue;
            outfile_written(o);
            return EXIT_WORK;
        }
    }
    return EXIT_DONE;
}

static int logits_main(const cli_verb *verb, int argc, char **argv)
{
    logits_options opt = {.open = OPEN_OPTIONS_DEFAULT};
    open_handles h = {0};
    ids_list list = {0};
    outfile o = {0};
    const char *positional = NULL;
    args_status parsed = args_parse(verb, &opt, argc, argv, &positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed != ARGS_OK) goto end;
    if (!opt.tokens || !opt.out) {
        out_error("%s: option '%s' is missing", verb->name, opt.tokens ? "--out" : "--tokens");
        goto end;
    }
    opt.open.output = opt.out;
    opt.open.output_option = "--out";
    if ((code = open_check(verb, &opt.open, positional)) != EXIT_DONE) goto end;
    if ((code = read_tokens(&list, verb, opt.tokens)) != EXIT_DONE) goto end;
    platform_catch_interrupt();
    if ((code = open_path(&h, &opt.open)) != EXIT_DONE) goto end;
    code = EXIT_WORK;
    if (!outfile_open(&o, opt.out)) goto end;
    if ((code = open_generator(&h, &opt.open)) != EXIT_DONE) goto end;
    if ((code = open_engine(&h, &opt.open, 0)) != EXIT_DONE) goto end;
    code = compute(&h, &opt, &list, &o);
end:
    code = out_finish(outfile_close(&o, code));
    open_close(&h);
    open_options_free(&opt.open);
    ids_free(&list);
    return code;
}

const cli_verb cli_verb_logits = {
    .name = "logits",
    .synopsis = "[OPTIONS] [MODEL] --tokens LIST --out FILE",
    .summary = "write the logits of given tokens",
    .about = "Computes the logits of the given tokens and writes them as raw little-endian 32-bit "
             "floats, one row of the vocabulary's size per token. No token is added. For comparing "
             "engines.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 1,
    .main = logits_main,
};
