/* grammar.c - `ingle grammar`: how far texts belong to a grammar.
 * Depends on grammars.h, lines.h, open.h, out.h. */
#include "grammars.h"
#include "lines.h"
#include "open.h"
#include "out.h"
#include "platform.h"
#include "verbs.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct verb_options {
    open_options open;
    grammar_settings grammar;
    const char *file;
    bool lines, tokens;
} verb_options;

#define AT(field) offsetof(verb_options, field)

static const arg_option ROWS[] = {
    {"-f --file", "FILE", ARG_STRING, AT(file), 0, 0, NULL,
     "read the text from FILE instead of standard input"},
    {"--lines", NULL, ARG_FLAG, AT(lines), 0, 0, NULL,
     "every line is a text of its own, without its end; an object for each"},
    {"--tokens", NULL, ARG_FLAG, AT(tokens), 0, 0, NULL,
     "with -m: also how many tokens of the model could come next"},
};

#define ROWS_OF(rows) rows, sizeof rows / sizeof *rows

static const arg_group GROUPS[] = {
    {"Grammar", ROWS_OF(grammar_rows), AT(grammar), NULL, 0},
    {"Text", ROWS_OF(ROWS), 0, NULL, 0},
    {"Model", ROWS_OF(open_rows_model), AT(open), open_check_model, 0},
};

/* ---- a text ---------------------------------------------------------------------------------- */

typedef struct judge {
    const verb_options *opt;
    int32_t n_vocab;
    ingle_grammar_state *state;
    ingle_json_writer line, ends; /* ends: byte counts at which the text is complete */
    size_t number;                /* of the line; 0: one text */
    bool all;                     /* every text so far was accepted */
} judge;

/* What could come here: the words after "but" in what is said to a byte that is in no character. */
static const char *expected(ingle_grammar_state *state, ingle_error *err)
{
    static const char but[] = " here, but ";
    size_t n_good;
    err->text[0] = 0;
    ingle_grammar_state_text(state, "\xff", 1, &n_good, err);
    const char *words = strstr(err->text, but);
    return words ? words + sizeof but - 1 : "other text";
}

/* Why the text of len bytes is not accepted; n of them are good. */
static void explain(judge *j, const char *text, size_t len, size_t n)
{
    ingle_error err = {{0}};
    char line[32] = "", found[INGLE_ESCAPE_MAX + 2] = "the end";
    size_t n_good;
    if (j->number) snprintf(line, sizeof line, "line %zu, ", j->number);
    if (n < len) {
        ingle_utf8_to_plain(text + n, len - n, found + 1);
        found[0] = '\'';
        strcat(found, "'");
    }
    if (ingle_grammar_state_reset(j->state, &err) == INGLE_OK &&
        ingle_grammar_state_text(j->state, text, n, &n_good, &err) == INGLE_OK)
        out_note("%sbyte %zu: the grammar does not admit %s here, but %s", line, n, found,
                 expected(j->state, &err));
    if (n + 1 == len && text[n] == '\n' && !j->number)
        out_note("the line feed at the end belongs to the text; --lines takes it off");
}

/* Goes through the text, a character at a time, and writes down where it is complete; *n: how many bytes
 * are good. */
static ingle_status follow(judge *j, const char *text, size_t len, size_t *n, bool *complete,
                           ingle_error *err)
{
    ingle_status status = ingle_grammar_state_reset(j->state, err);
    ingle_json_begin_array(&j->ends);
    for (*n = 0; status == INGLE_OK;) {
        size_t n_good, n_char;
        status = ingle_grammar_state_ends(j->state, complete, NULL, err);
        if (status == INGLE_OK && *complete) ingle_json_put_u64(&j->ends, *n);
        if (status != INGLE_OK || *n == len) break;
        n_char = ingle_utf8_len(text + *n, len - *n);
        if (!n_char) n_char = 1; /* not UTF-8 */
        status = ingle_grammar_state_text(j->state, text + *n, n_char, &n_good, err);
        if (status == INGLE_OK) *n += n_char;
    }
    ingle_json_end_array(&j->ends);
    return status == INGLE_EFORMAT ? INGLE_OK : status;
}

static ingle_status count_tokens(judge *j, size_t *n, ingle_error *err)
{
    const uint32_t *mask;
    ingle_status status = ingle_grammar_state_mask(j->state, &mask, err);
    *n = 0;
    for (int32_t i = 0; status == INGLE_OK && i < j->n_vocab; i++) *n += mask[i / 32] >> i % 32 & 1;
    return status;
}

static void print_line(judge *j, bool accept, size_t n, bool dead, size_t n_tokens)
{
    ingle_json_writer *w = &j->line;
    ingle_json_begin_object(w);
    ingle_json_put_bool(ingle_json_name(w, "accept"), accept);
    ingle_json_name(w, "dead_at_byte");
    if (dead) ingle_json_put_u64(w, n);
    else ingle_json_put_null(w);
    if (ingle_json_finish(&j->ends) == INGLE_OK)
        ingle_json_put_raw(ingle_json_name(w, "complete_at"), j->ends.text, j->ends.n);
    else w->status = j->ends.status; /* reported where the line is written */
    if (j->opt->tokens) ingle_json_put_u64(ingle_json_name(w, "tokens"), n_tokens);
    ingle_json_end_object(w);
    out_json_line(w);
}

static int judge_text(judge *j, const char *text, size_t len)
{
    ingle_error err = {{0}};
    size_t n, n_tokens = 0;
    bool complete = false;
    ingle_json_writer_free(&j->ends);
    j->ends = out_json();
    ingle_status status = follow(j, text, len, &n, &complete, &err);
    bool dead = n < len;
    if (status == INGLE_OK && j->opt->tokens && !dead) status = count_tokens(j, &n_tokens, &err);
    if (status != INGLE_OK) return open_failed("the text", status, &err);
    print_line(j, complete && !dead, n, dead, n_tokens);
    if (!complete || dead) {
        out_flush();
        explain(j, text, len, n);
        j->all = false;
    }
    return EXIT_DONE;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int cannot_read(const char *file)
{
    out_error("cannot read %s: %s", file ? file : "standard input", strerror(errno));
    return EXIT_USAGE;
}

static int judge_lines(judge *j)
{
    lines in = {0};
    const char *line;
    size_t len;
    int code = EXIT_DONE;
    if (!platform_input_from(j->opt->file)) return cannot_read(j->opt->file);
    while (code == EXIT_DONE) {
        lines_status got = lines_next(&in, true, &line, &len);
        if (got == LINES_END) break;
        if (got == LINES_FAILED) {
            code = cannot_read(j->opt->file);
            break;
        }
        j->number = in.number;
        code = judge_text(j, line, len);
        if (!out_flush()) break; /* out_finish() reports it */
    }
    lines_free(&in);
    return code;
}

static int judge_file(judge *j)
{
    char *text = NULL;
    size_t len;
    if (!platform_read_all(j->opt->file, &text, &len)) return cannot_read(j->opt->file);
    int code = judge_text(j, text, len);
    free(text);
    return code;
}

static int judge_all(const verb_options *opt, const grammar_source *source, open_handles *h)
{
    judge j = {.opt = opt, .n_vocab = h->info.n_vocab, .all = true};
    ingle_grammar *grammar = NULL;
    ingle_error err = {{0}};
    j.line = j.ends = out_json();
    ingle_status status = grammar_open(&grammar, source, h->model, &err);
    if (status == INGLE_OK) status = ingle_grammar_state_open(&j.state, grammar, &err);
    int code = EXIT_DONE;
    if (status != INGLE_OK) code = open_failed(source->what, status, &err);
    else code = opt->lines ? judge_lines(&j) : judge_file(&j);
    ingle_grammar_state_close(&j.state);
    ingle_grammar_close(&grammar);
    ingle_json_writer_free(&j.line);
    ingle_json_writer_free(&j.ends);
    return code == EXIT_DONE && !j.all ? EXIT_WORK : code;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int check(const cli_verb *verb, verb_options *opt, const char *positional)
{
    if (positional && opt->grammar.gbnf) {
        out_error("%s: two grammars: '%s' and '%s'", verb->name, positional, opt->grammar.gbnf);
        return EXIT_USAGE;
    }
    if (positional) opt->grammar.gbnf = positional;
    if (opt->tokens && !opt->open.model) {
        out_error("%s: option '--tokens' needs a model: -m", verb->name);
        return EXIT_USAGE;
    }
    return open_check(verb, &opt->open, NULL);
}

static int grammar_main(const cli_verb *verb, int argc, char **argv)
{
    verb_options opt = {.open = OPEN_OPTIONS_DEFAULT};
    open_handles h = {0};
    grammar_source source = {.kind = GRAMMAR_NONE};
    const char *positional = NULL;
    args_status parsed = args_parse(verb, &opt, argc, argv, &positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed != ARGS_OK) goto end;
    if ((code = check(verb, &opt, positional)) != EXIT_DONE) goto end;
    const char *input = opt.file && strcmp(opt.file, "-") != 0 ? NULL : "the text";
    if ((code = grammar_source_read(&source, verb, &opt.grammar, input)) != EXIT_DONE) goto end;
    if (source.kind == GRAMMAR_NONE) {
        out_error("%s: no grammar: give FILE.gbnf, --schema, --json-object, --regex or --choice",
                  verb->name);
        code = EXIT_USAGE;
        goto end;
    }
    if (opt.open.model) code = open_model(&h, &opt.open, INGLE_PARTS_VOCAB);
    if (code == EXIT_DONE) code = judge_all(&opt, &source, &h);
end:
    code = out_finish(code);
    grammar_source_free(&source);
    grammar_settings_free(&opt.grammar);
    open_close(&h);
    open_options_free(&opt.open);
    return code;
}

const cli_verb cli_verb_grammar = {
    .name = "grammar",
    .synopsis = "[OPTIONS] FILE.gbnf | --schema FILE | --regex RE | --choice A,B,C",
    .summary = "say how far a text belongs to a grammar",
    .about =
        "Reads a text from standard input, all of it to its last byte, and prints a JSON object: "
        "accept, whether it is a text of the grammar; dead_at_byte, where the first character that "
        "cannot be there begins, in bytes from 0, or null; complete_at, after how many bytes the "
        "text so far is one of the grammar. What was expected where a text fails stands on "
        "standard error.\n\n"
        "The exit code is 0 if the text, or every line with --lines, is accepted, else 1.\n\n"
        "No model is needed; with -m the tokens that a grammar in GBNF names are those of its "
        "vocabulary. Without, <text> in GBNF means these bytes, and <[1000]> is refused.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 1,
    .main = grammar_main,
};
