/* run_chat.c - `ingle run --chat`: messages go in, an answer comes out. Depends on run.h. */
#include "platform.h"
#include "run.h"

#include <string.h>

/* "tool_calls" where an answer ended with calls, as programs that read OpenAI's answers expect. */
static const char *finish_name(const chat_answer *a)
{
    if (a->n_calls && a->finish == INGLE_FINISH_STOP) return "tool_calls";
    return run_finish_name(a->finish);
}

static void put_usage(ingle_json_writer *w, const chat_answer *a)
{
    const ingle_usage *u = &a->usage;
    size_t reused = u->n_reused < a->n_prompt ? u->n_reused : a->n_prompt;
    ingle_json_begin_object(ingle_json_name(w, "usage"));
    ingle_json_put_u64(ingle_json_name(w, "prompt_tokens"), a->n_prompt);
    ingle_json_put_u64(ingle_json_name(w, "reused_tokens"), reused);
    ingle_json_put_u64(ingle_json_name(w, "generated_tokens"), u->n_generated);
    out_json_fixed(ingle_json_name(w, "prompt_s"), u->prompt_s, 6);
    out_json_fixed(ingle_json_name(w, "decode_s"), u->decode_s, 6);
    ingle_json_end_object(w);
}

static void print_answer(const run_options *opt, const chat_answer *a)
{
    ingle_json_writer w = out_json();
    ingle_json_begin_object(&w);
    ingle_json_put_bytes(ingle_json_name(&w, "content"), chat_text_get(&a->content), a->content.n);
    ingle_json_put_bytes(ingle_json_name(&w, "reasoning"), chat_text_get(&a->reasoning),
                         a->reasoning.n);
    chat_put_calls(&w, a);
    ingle_json_put_text(ingle_json_name(&w, "finish"), finish_name(a));
    if (a->constrained) ingle_json_put_bool(ingle_json_name(&w, "complete"), !a->unfinished);
    run_put_seed(ingle_json_name(&w, "seed"), opt->sampling.lib.seed);
    put_usage(&w, a);
    ingle_json_end_object(&w);
    out_json_line(&w);
    ingle_json_writer_free(&w);
}

static bool get_result(void *user, const chat_call *call, chat_text *result)
{
    return chat_run_tool(user, call, result);
}

static int answer(const run_options *opt, chat_state *c, chat_messages *m)
{
    chat_show show;
    chat_answer a = {0};
    chat_show_init(&show, opt->set.show_thinking);
    show.mute = opt->format;
    int code = chat_rounds(c, m, &show, &a);
    if (code == EXIT_DONE && opt->format) print_answer(opt, &a);
    chat_answer_free(&a);
    return platform_interrupted() ? EXIT_INTERRUPTED : code;
}

int run_chat(run_options *opt, const grammar_source *form, open_handles *h, const char *json,
             size_t len)
{
    const char *what = opt->file && strcmp(opt->file, "-") != 0 ? opt->file : "standard input";
    chat_state c = {.h = h, .set = &opt->set, .sampling = &opt->sampling.lib, .stops = &opt->stops};
    chat_messages messages = {0};
    chat_text tools = {0};
    c.overflow = CHAT_OVERFLOW_NONE;
    c.max_tokens = opt->n_predict;
    c.grammar = opt->constraint;
    c.form = form;
    c.waits = opt->grammar.triggers.n > 0;
    c.verbose = opt->verbose;
    if (opt->set.tool_command) c.result = get_result;
    c.user = &c;
    int code = chat_messages_read(what, json, len, &messages, &tools) ? EXIT_DONE : EXIT_USAGE;
    if (code == EXIT_DONE) code = chat_state_open(&c);
    if (code != EXIT_DONE) goto end;
    if (!opt->set.tools_file) chat_text_add(&c.tools, chat_text_get(&tools), tools.n);
    const char *refused = chat_refuses(&c);
    if (refused) {
        out_error("%s", refused);
        code = EXIT_USAGE;
        goto end;
    }
    code = sampling_from_chat(&opt->sampling, h->model, c.chat, chat_thinks(&c), h->path);
    if (code == EXIT_DONE) code = open_engine(h, &opt->open, 0);
    if (code == EXIT_DONE) code = answer(opt, &c, &messages);
end:
    chat_messages_free(&messages);
    chat_text_free(&tools);
    chat_state_close(&c);
    return code;
}
