/* chat.c - `ingle chat`: a conversation. Depends on chat_session.h. */
#include "chat_session.h"
#include "lines.h"
#include "platform.h"
#include "verbs.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(chat_options, field)

static const arg_option INPUT_ROWS[] = {
    {"--system", "TEXT", ARG_STRING, AT(system), 0, 0, NULL,
     "what the model is told before all else"},
    {"--history", "FILE", ARG_STRING, AT(history), 0, 0, NULL,
     "keep the lines typed on a terminal in FILE"},
    {"-v --verbose", NULL, ARG_FLAG, AT(verbose), 0, 0, NULL,
     "where nobody sits at a terminal: what every answer took, on standard error"},
};

#define ROWS(rows) rows, sizeof rows / sizeof *rows

static const arg_group GROUPS[] = {
    {"Model", ROWS(open_rows_model), AT(open), open_check_model, 0},
    {"Conversation", ROWS(INPUT_ROWS), 0, NULL, 0},
    {"Tools and thinking", ROWS(chat_rows), AT(set), NULL, 0},
    {"Length", ROWS(chat_rows_length), 0, NULL, 0},
    {"Sampling", ROWS(sampling_rows), AT(sampling), sampling_check,
     offsetof(sampling_options, given)},
    {"Computing", ROWS(open_rows_compute), AT(open), open_check_compute, 0},
};

static void send(chat_session *s, const char *text, size_t len)
{
    chat_text whole = {0};
    chat_text_add(&whole, chat_text_get(&s->pending), s->pending.n);
    if (whole.n) chat_text_add(&whole, "\n", 1);
    chat_text_add(&whole, text, len);
    if (ingle_utf8_valid(whole.p, whole.n) != whole.n) {
        out_error("the message is not UTF-8");
        s->failed = true;
    } else if (whole.failed || !chat_messages_add(&s->messages, CHAT_USER, whole.p, whole.n)) {
        s->failed = true;
    } else if (chat_take_turn(s)) {
        chat_text_clear(&s->pending);
    }
    chat_text_free(&whole);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void greet(const chat_session *s)
{
    if (!chat_edit_terminal(s->edit)) return;
    fprintf(stderr, "%s%s: ", platform_has_colour(2) ? "\033[2m" : "", s->state.info.title);
    out_plain_error(s->h->info.name[0] ? s->h->info.name : s->h->path);
    fprintf(stderr, ", context %d; /help lists the commands%s\n", s->h->engine_info.n_ctx,
            platform_has_colour(2) ? "\033[0m" : "");
}

static int talk(chat_session *s)
{
    chat_text message = {0};
    bool terminal = chat_edit_terminal(s->edit);
    chat_typed typed = CHAT_TYPED;
    greet(s);
    while (!s->ended && typed != CHAT_TYPED_END && typed != CHAT_TYPED_FAILED) {
        if (!terminal && platform_interrupted()) break;
        typed = chat_edit_message(s->edit, &message);
        if (typed != CHAT_TYPED || lines_is_blank(message.p, message.n)) continue;
        bool slash = message.p[0] == '/';
        if (slash && message.p[1] != '/') chat_command(s, message.p);
        else send(s, message.p + slash, message.n - slash);
    }
    chat_text_free(&message);
    if (!terminal && platform_interrupted()) return EXIT_INTERRUPTED;
    if (typed == CHAT_TYPED_FAILED) return EXIT_WORK;
    return s->failed && !terminal ? EXIT_WORK : EXIT_DONE;
}

static int open_chat(chat_session *s)
{
    chat_options *opt = s->opt;
    int code = open_generator(s->h, &opt->open);
    if (code == EXIT_DONE) code = chat_state_open(&s->state);
    if (code == EXIT_DONE) code = open_engine(s->h, &opt->open, 0);
    if (code != EXIT_DONE) return code;
    s->edit = chat_edit_open(opt->history);
    if (!s->edit) return EXIT_WORK;
    bool terminal = chat_edit_terminal(s->edit);
    chat_show_init(&s->show, opt->set.show_thinking);
    s->state.verbose = terminal || opt->verbose;
    s->state.ask_drop = chat_ask_drop;
    s->state.result = terminal || opt->set.tool_command ? chat_get_result : NULL;
    if (opt->system && !chat_messages_set_system(&s->messages, opt->system, strlen(opt->system)))
        return EXIT_WORK;
    return chat_settle(s);
}

static void close_chat(chat_session *s)
{
    chat_edit_close(s->edit);
    chat_forks_free(s);
    chat_messages_free(&s->messages);
    chat_text_free(&s->pending);
    chat_state_close(&s->state);
    ingle_grammar_close(&s->schema);
    grammar_source_free(&s->form);
    free(s->schema_name);
    open_close(s->h);
    for (size_t i = 0; i < s->n_kept; i++) free(s->kept[i]);
    free(s->kept);
}

static int chat_main(const cli_verb *verb, int argc, char **argv)
{
    chat_options opt = {
        .open = OPEN_OPTIONS_DEFAULT, .n_predict = -1, .overflow = -1, .set.n_thinking = -1};
    open_handles h = {0};
    chat_session s = {.verb = verb, .opt = &opt, .h = &h};
    const char *model = NULL;
    s.state.h = &h;
    s.state.set = &opt.set;
    s.state.sampling = &opt.sampling.lib;
    s.state.stops = &opt.stops;
    s.state.user = &s;
    sampling_init(&opt.sampling);
    args_status parsed = args_parse(verb, &opt, argc, argv, &model);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed == ARGS_OK) code = open_check(verb, &opt.open, model);
    if (parsed == ARGS_OK && code == EXIT_DONE) {
        platform_catch_interrupt();
        code = open_chat(&s);
        if (code == EXIT_DONE) {
            if (chat_edit_terminal(s.edit)) platform_keep_interrupts();
            code = talk(&s);
        }
    }
    code = out_finish(code);
    close_chat(&s);
    open_options_free(&opt.open);
    args_list_free(&opt.stops);
    sampling_free(&opt.sampling);
    return code;
}

const cli_verb cli_verb_chat = {
    .name = "chat",
    .synopsis = "[OPTIONS] [-m MODEL]",
    .summary = "talk to a model",
    .about =
        "A conversation by the model's chat template. On a terminal lines can be edited and come "
        "back with the arrow keys; elsewhere every line of standard input is a message, and "
        "standard output carries the answers alone. A line that ends in a backslash goes on with "
        "the next one; three double quotes begin and end a message of several lines. Lines that "
        "begin with a slash are commands, which /help lists; two slashes begin a message with "
        "one.\n\nCtrl+C stops an answer, and what was answered stays in the conversation; at the "
        "prompt it throws away what was typed. Ctrl+D and /exit end. Every turn computes only what "
        "is new in it; what was reused and computed stands below the answer.\n\nThe settings that "
        "the model's makers recommend hold where no option says otherwise. With --tools the model "
        "may call tools: --tool-cmd names a program that answers, else whoever sits at the "
        "terminal is asked; without either a call is printed and ends the turn.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 1,
    .main = chat_main,
};
