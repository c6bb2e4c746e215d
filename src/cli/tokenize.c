/* tokenize.c - `ingle tokenize`: text to token ids and back.
 * Depends on open.h, ids.h, out.h. */
#include "ids.h"
#include "open.h"
#include "out.h"
#include "platform.h"
#include "verbs.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tokenize_options {
    open_options open;
    const char *file;
    bool no_special, parse_special, pieces, decode;
} tokenize_options;

#define AT(field) offsetof(tokenize_options, field)

static const arg_option ROWS[] = {
    {"-f --file", "FILE", ARG_STRING, AT(file), 0, 0, NULL,
     "read from FILE instead of standard input"},
    {"--no-special", NULL, ARG_FLAG, AT(no_special), 0, 0, NULL,
     "do not add the begin and end tokens the vocabulary asks for; with --decode: keep them"},
    {"--parse-special", NULL, ARG_FLAG, AT(parse_special), 0, 0, NULL,
     "text such as <|im_end|> becomes its token; with --decode: such tokens become their text"},
    {"--pieces", NULL, ARG_FLAG, AT(pieces), 0, 0, NULL,
     "an array of {\"id\", \"piece\"}; a piece that is not UTF-8 is an array of its bytes"},
    {"--decode", NULL, ARG_FLAG, AT(decode), 0, 0, NULL,
     "the other way: a JSON array of ids becomes the bytes it stands for"},
};

static const arg_group GROUPS[] = {
    {"Model", open_rows_model, OPEN_N_MODEL, AT(open), open_check_model, 0},
    {"Text", ROWS, sizeof ROWS / sizeof *ROWS, 0, NULL, 0},
};

static int decode(const open_handles *h, const tokenize_options *opt, const char *text, size_t len)
{
    unsigned flags = (opt->no_special ? 0 : INGLE_ADD_SPECIAL) |
                     (opt->parse_special ? INGLE_PARSE_SPECIAL : 0); /* as they were made */
    ids_list list = {0};
    ingle_error err = {{0}};
    char *bytes = NULL;
    size_t n = 0;
    ingle_status status = ids_parse(&list, text, len, &err);
    if (status == INGLE_OK) {
        status = ids_detokenize(h->model, list.ids, list.n, flags, &bytes, &n, &err);
    }
    if (status == INGLE_OK) fwrite(bytes, 1, n, stdout);
    free(bytes);
    ids_free(&list);
    return status == INGLE_OK ? EXIT_DONE : open_failed("the ids", status, &err);
}

static ingle_json_writer spaced_json(void)
{
    ingle_json_writer w = out_json();
    w.spaces = true;
    return w;
}

static void print_ids(const ids_list *list)
{
    ingle_json_writer w = spaced_json();
    ingle_json_begin_array(&w);
    for (size_t i = 0; i < list->n; i++) ingle_json_put_i64(&w, list->ids[i]);
    ingle_json_end_array(&w);
    out_json_line(&w);
    ingle_json_writer_free(&w);
}

static void put_piece(ingle_json_writer *w, int32_t id, const char *text, size_t len)
{
    ingle_json_begin_object(w);
    ingle_json_put_i64(ingle_json_name(w, "id"), id);
    ingle_json_name(w, "piece");
    if (ingle_utf8_valid(text, len) == len) ingle_json_put_bytes(w, text, len);
    else out_json_bytes(w, text, len);
    ingle_json_end_object(w);
}

/* A token's piece is what it adds to the one before it: a vocabulary may drop a blank at the very
 * beginning, so tokens by themselves would not join to the text. */
static ingle_status put_pieces(ingle_json_writer *w, const ingle_model *model, const ids_list *list,
                               ingle_error *err)
{
    ingle_json_begin_array(w);
    for (size_t i = 0; i < list->n; i++) {
        size_t n_before = i > 0 ? 1 : 0, skip = 0, len = 0;
        char *before = NULL, *text = NULL;
        const int32_t *ids = &list->ids[i - n_before];
        ingle_status status = INGLE_OK;
        if (n_before) {
            status = ids_detokenize(model, ids, 1, INGLE_UNPARSE_SPECIAL, &before, &skip, err);
            free(before);
        }
        if (status == INGLE_OK) {
            status =
                ids_detokenize(model, ids, n_before + 1, INGLE_UNPARSE_SPECIAL, &text, &len, err);
        }
        if (status != INGLE_OK) return status;
        if (skip > len) skip = len;
        put_piece(w, list->ids[i], text + skip, len - skip);
        free(text);
    }
    ingle_json_end_array(w);
    return INGLE_OK;
}

static ingle_status print_pieces(const ingle_model *model, const ids_list *list, ingle_error *err)
{
    ingle_json_writer w = spaced_json();
    ingle_status status = put_pieces(&w, model, list, err);
    if (status == INGLE_OK) out_json_line(&w);
    ingle_json_writer_free(&w);
    return status;
}

static int encode(const open_handles *h, const tokenize_options *opt, const char *text, size_t len)
{
    unsigned flags =
        (opt->no_special ? 0 : INGLE_ADD_SPECIAL) | (opt->parse_special ? INGLE_PARSE_SPECIAL : 0);
    ids_list list = {0};
    ingle_error err = {{0}};
    ingle_status status = ids_tokenize(&list, h->model, text, len, flags, &err);
    if (status == INGLE_OK && opt->pieces) {
        status = print_pieces(h->model, &list, &err);
    } else if (status == INGLE_OK) {
        print_ids(&list);
    }
    ids_free(&list);
    return status == INGLE_OK ? EXIT_DONE : open_failed("the text", status, &err);
}

static int tokenize_main(const cli_verb *verb, int argc, char **argv)
{
    tokenize_options opt = {.open = OPEN_OPTIONS_DEFAULT};
    open_handles h = {0};
    const char *positional = NULL;
    char *text = NULL;
    size_t len = 0;
    args_status parsed = args_parse(verb, &opt, argc, argv, &positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed != ARGS_OK) goto end;
    if (opt.pieces && opt.decode) {
        out_error("%s: options '--pieces' and '--decode' exclude each other", verb->name);
        goto end;
    }
    if ((code = open_check(verb, &opt.open, positional)) != EXIT_DONE) goto end;
    if ((code = open_model(&h, &opt.open, INGLE_PARTS_VOCAB)) != EXIT_DONE) goto end;
    if (!platform_read_all(opt.file, &text, &len)) {
        out_error("cannot read %s: %s", opt.file ? opt.file : "standard input", strerror(errno));
        code = EXIT_WORK;
        goto end;
    }
    code = opt.decode ? decode(&h, &opt, text, len) : encode(&h, &opt, text, len);
end:
    code = out_finish(code);
    open_close(&h);
    open_options_free(&opt.open);
    free(text);
    return code;
}

const cli_verb cli_verb_tokenize = {
    .name = "tokenize",
    .synopsis = "[OPTIONS] [MODEL]",
    .summary = "turn text into token ids, and back",
    .about = "Reads text from standard input and prints a JSON array of token ids; --decode turns "
             "such an array back into bytes. With the same options, decoding what was encoded "
             "gives the same bytes. Without MODEL the bundled model's vocabulary is used.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 1,
    .main = tokenize_main,
};
