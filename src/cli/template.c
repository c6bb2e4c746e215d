/* template.c - `ingle template`: what a chat template makes of messages.
 * Depends on open.h, out.h. */
#include "open.h"
#include "out.h"
#include "platform.h"
#include "verbs.h"

#include <errno.h>
#include <ingle_tools.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct template_options {
    open_options open;
    const char *file, *name, *now;
    bool spans;
} template_options;

#define AT(field) offsetof(template_options, field)

static const arg_option ROWS[] = {
    {"-f --file", "FILE", ARG_STRING, AT(file), 0, 0, NULL,
     "read the context from FILE instead of standard input"},
    {"--name", "NAME", ARG_STRING, AT(name), 0, 0, NULL,
     "of a model, the template 'tokenizer.chat_template.NAME' instead of the unnamed one"},
    {"--now", "TIME", ARG_STRING, AT(now), 0, 0, NULL,
     "what the template takes for the time: 2026-01-15T09:30:00; without this the clock's"},
    {"--spans", NULL, ARG_FLAG, AT(spans), 0, 0, NULL,
     "print JSON lines instead of text: {\"text\", \"trusted\"} for each span, then {\"offset\", "
     "\"message\"} for each mark"},
};

static const arg_group GROUPS[] = {
    {"Model", open_rows_model, OPEN_N_MODEL, AT(open), open_check_model, 0},
    {"Template", ROWS, sizeof ROWS / sizeof *ROWS, 0, NULL, 0},
};

/* Variables of the context that count as the template's own words. */
static const char *const TRUSTED[] = {"bos_token", "eos_token", "pad_token", "unk_token", NULL};

static bool read_time(const char *text, ingle_rendering_time *t)
{
    int n = 0;
    if (!text) {
        time_t now = time(NULL);
        const struct tm *local = localtime(&now);
        if (!local) return false;
        *t = (ingle_rendering_time){local->tm_year + 1900, local->tm_mon + 1, local->tm_mday,
                                    local->tm_hour,        local->tm_min,     local->tm_sec};
        return true;
    }
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &t->year, &t->month, &t->day, &t->hour,
               &t->minute, &t->second, &n) != 6 ||
        text[n])
        return false;
    return t->year > 0 && t->month >= 1 && t->month <= 12 && t->day >= 1 && t->day <= 31 &&
           t->hour >= 0 && t->hour < 24 && t->minute >= 0 && t->minute < 60 && t->second >= 0 &&
           t->second < 61;
}

/* Metadata value i, which is JSON text, as the string it is. */
static bool read_string(const open_handles *h, size_t i, ingle_json_doc *doc)
{
    size_t len = 0;
    ingle_model_meta(h->model, i, NULL, NULL, 0, &len, 0, NULL);
    char *value = malloc(len + 1);
    bool ok = value && !ingle_model_meta(h->model, i, NULL, value, len + 1, &len, 0, NULL) &&
              !ingle_json_open(doc, value, len, NULL, NULL);
    free(value);
    return ok && ingle_json_is(doc->root, INGLE_JSON_STRING);
}

/* The template in the model's metadata; false: told on standard error. */
static bool find_template(const open_handles *h, const char *name, ingle_json_doc *doc)
{
    char want[300];
    snprintf(want, sizeof want, "tokenizer.chat_template%s%s", name ? "." : "", name ? name : "");
    for (size_t i = 0;; i++) {
        const char *key = NULL;
        size_t len;
        if (ingle_model_meta(h->model, i, &key, NULL, 0, &len, 0, NULL) == INGLE_ENOTFOUND) break;
        if (key && strcmp(key, want) == 0 && read_string(h, i, doc)) return true;
    }
    out_error("%s: the model has no text '%s'", h->path, want);
    return false;
}

static void print_spans(const ingle_rendering *r)
{
    size_t n, n_spans, n_marks;
    const char *text = ingle_rendering_text(r, &n);
    const ingle_span *span = ingle_rendering_spans(r, &n_spans);
    const ingle_rendering_mark *mark = ingle_rendering_marks(r, &n_marks);
    ingle_json_writer w = out_json();
    w.spaces = true;
    for (size_t i = 0; i < n_spans; i++) {
        ingle_json_begin_object(&w);
        ingle_json_put_bytes(ingle_json_name(&w, "text"), text + span[i].offset, span[i].length);
        ingle_json_put_bool(ingle_json_name(&w, "trusted"), span[i].trusted);
        ingle_json_end_object(&w);
        out_json_line(&w);
    }
    for (size_t i = 0; i < n_marks; i++) {
        ingle_json_begin_object(&w);
        ingle_json_put_u64(ingle_json_name(&w, "offset"), mark[i].offset);
        ingle_json_put_u64(ingle_json_name(&w, "message"), mark[i].i_message);
        ingle_json_end_object(&w);
        out_json_line(&w);
    }
    ingle_json_writer_free(&w);
}

static void put_token(ingle_json_writer *w, const ingle_model *model, const char *name, int32_t id)
{
    ingle_token_info info = {.size = sizeof info};
    if (id < 0 || ingle_token_info_get(model, id, &info, NULL) != INGLE_OK) return;
    ingle_json_put_bytes(ingle_json_name(w, name), info.text, info.len);
}

/* Puts the model's own bos_token and eos_token before the members of the context, whose own count.
 * What is no object stays as it is, to be reported when it is rendered. False: no memory. */
static bool add_tokens(const ingle_model *model, char **context, size_t *n)
{
    ingle_json_doc doc = {0};
    ingle_json_writer w = {0};
    ingle_model_info info = {.size = sizeof info, .token_bos = -1, .token_eos = -1};
    if (ingle_json_open(&doc, *context, *n, NULL, NULL) != INGLE_OK) return true;
    bool ok = true;
    if (ingle_json_is(doc.root, INGLE_JSON_OBJECT)) {
        ingle_model_info_get(model, &info, NULL);
        ingle_json_begin_object(&w);
        put_token(&w, model, "bos_token", info.token_bos);
        put_token(&w, model, "eos_token", info.token_eos);
        for (ingle_json_walk m = ingle_json_items(doc.root); ingle_json_step(&m);)
            ingle_json_put(ingle_json_name_bytes(&w, m.name->text, m.name->len), m.value);
        ingle_json_end_object(&w);
        ok = ingle_json_finish(&w) == INGLE_OK;
    }
    if (ok && w.text) {
        free(*context);
        *context = w.text;
        *n = w.n;
        w = (ingle_json_writer){0};
    }
    ingle_json_writer_free(&w);
    ingle_json_close(&doc);
    return ok;
}

/* model: NULL if the template is of a file. */
static int render(const template_options *opt, const ingle_model *model, const char *template,
                  size_t n_template, const ingle_rendering_time *now)
{
    char *context = NULL;
    size_t n_context = 0, n;
    ingle_rendering *r = NULL;
    ingle_error err = {{0}};
    if (!platform_read_all(opt->file, &context, &n_context)) {
        out_error("cannot read %s: %s", opt->file ? opt->file : "standard input", strerror(errno));
        return EXIT_WORK;
    }
    if (model && !add_tokens(model, &context, &n_context)) {
        out_error("no memory for the context");
        free(context);
        return EXIT_WORK;
    }
    ingle_status st =
        ingle_template_render(&r, template, n_template, context, n_context, TRUSTED, now, &err);
    free(context);
    if (st) return open_failed("the template", st, &err), EXIT_WORK;
    const char *text = ingle_rendering_text(r, &n);
    if (opt->spans) print_spans(r);
    else fwrite(text, 1, n, stdout);
    ingle_rendering_close(&r);
    return EXIT_DONE;
}

static int template_main(const cli_verb *verb, int argc, char **argv)
{
    template_options opt = {.open = OPEN_OPTIONS_DEFAULT};
    open_handles h = {0};
    const char *positional = NULL, *template = NULL;
    char *text = NULL;
    size_t n = 0;
    ingle_rendering_time now;
    ingle_json_doc doc = {0};
    args_status parsed = args_parse(verb, &opt, argc, argv, &positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed != ARGS_OK) goto end;
    if (!read_time(opt.now, &now)) {
        out_error("%s: option '--now': '%s' should look like 2026-01-15T09:30:00", verb->name,
                  opt.now ? opt.now : "");
        goto end;
    }
    if (!positional == !opt.open.model || (positional && opt.name)) {
        out_error("%s: either a file with a template, or -m with a model%s", verb->name,
                  opt.name ? " and --name" : "");
        goto end;
    }
    if (positional) {
        if (!platform_read_all(positional, &text, &n)) {
            out_error("cannot read %s: %s", positional, strerror(errno));
            code = EXIT_WORK;
            goto end;
        }
        template = text;
    } else {
        if ((code = open_check(verb, &opt.open, NULL)) != EXIT_DONE) goto end;
        if ((code = open_model(&h, &opt.open, INGLE_PARTS_VOCAB)) != EXIT_DONE) goto end;
        code = EXIT_WORK;
        if (!find_template(&h, opt.name, &doc)) goto end;
        template = doc.root->text;
        n = doc.root->len;
    }
    code = render(&opt, h.model, template, n, &now);
end:
    code = out_finish(code);
    open_close(&h);
    open_options_free(&opt.open);
    ingle_json_close(&doc);
    free(text);
    return code;
}

const cli_verb cli_verb_template = {
    .name = "template",
    .synopsis = "[OPTIONS] FILE.jinja | -m MODEL",
    .summary = "print what a chat template makes of messages",
    .about =
        "Reads the variables of a chat template from standard input, a JSON object with "
        "messages, tools, add_generation_prompt and the like, and prints the text that the "
        "template makes of them. The template is that of FILE.jinja or the model's own.\n\n"
        "With -m, bos_token and eos_token are the model's own unless the context has them.\n\n"
        "With --spans the text comes in pieces that set the template's own words (trusted) apart "
        "from those that the messages brought; bos_token, eos_token, pad_token and unk_token "
        "count as the template's. Marks tell where each message's text ends.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 1,
    .main = template_main,
};
