/* test_ledger_turns.c - conversations of the bundled model as a server's client has them: every turn
 * begins a session of its own with all messages, written as clients write them (texts trimmed,
 * arguments without spaces, thinking left out). With the ledger every prompt goes on from the last one
 * and its answer, and no turn computes more than what is new in it, and 64 tokens. */
#include "requests.h"

#include "base/json.h"
#include "server/ledger.h"

enum { TURNS = 8 };

static const char tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":\"The weather "
    "of a "
    "city\",\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\","
    "\"maxLength\":12},\"days\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9}},\"required\":"
    "[\"city\",\"days\"]}}},{\"type\":\"function\",\"function\":{\"name\":\"add\",\"parameters\":"
    "{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":99}"
    "},"
    "\"required\":[\"a\"]}}}]";

/* What a client has of an answer. */
typedef struct seen {
    bytes text, names[4], args[4];
    size_t n_calls;
} seen;

static void on_event(void *user, const ingle_chat_event *e)
{
    seen *s = user;
    if (e->kind == INGLE_CHAT_CONTENT) bytes_put(&s->text, e->text, e->text_len);
    if (e->kind == INGLE_CHAT_CALL_BEGIN) {
        assert_true(s->n_calls < 4);
        bytes_put(&s->names[s->n_calls++], e->text, e->text_len);
    }
    if (e->kind == INGLE_CHAT_CALL_ARGS) bytes_put(&s->args[s->n_calls - 1], e->text, e->text_len);
}

static seen take_apart(ingle_chat *chat, const char *text, size_t n, bool thinks)
{
    seen s = {.n_calls = 0};
    ingle_chat_parser_options po;
    ingle_chat_parser *p;
    ingle_error err;
    ingle_chat_parser_options_init(&po);
    po.tools = tools, po.n_tools = sizeof tools - 1;
    po.thinks = thinks;
    po.on_event = on_event;
    po.user = &s;
    must(ingle_chat_parser_open(&p, chat, &po, &err), &err);
    must(ingle_chat_parser_feed(p, text, n, &err), &err);
    must(ingle_chat_parser_finish(p, &err), &err);
    ingle_chat_parser_close(&p);
    return s;
}

static void seen_free(seen *s)
{
    bytes_free(&s->text);
    for (size_t i = 0; i < 4; i++) bytes_free(&s->names[i]), bytes_free(&s->args[i]);
}

/* Arguments as another program writes the same object. */
static void put_args(ingle_json_writer *w, const bytes *args)
{
    ingle_json_doc doc;
    ingle_json_writer own = {.text = NULL};
    ingle_error err;
    must(ingle_json_open(&doc, args->p, args->n, NULL, &err), &err);
    ingle_json_put(&own, doc.root);
    assert_false(ingle_json_finish(&own));
    ingle_json_put_bytes(w, own.text, own.n);
    ingle_json_writer_free(&own);
    ingle_json_close(&doc);
}

static void put_message(bytes *messages, const char *role, const char *text, size_t n,
                        const seen *calls)
{
    ingle_json_writer w = {.text = NULL};
    while (n && strchr(" \n", text[n - 1])) n--;
    ingle_json_begin_object(&w);
    ingle_json_put_text(ingle_json_name(&w, "role"), role);
    ingle_json_put_bytes(ingle_json_name(&w, "content"), text, n);
    if (calls && calls->n_calls) ingle_json_begin_array(ingle_json_name(&w, "tool_calls"));
    for (size_t i = 0; calls && i < calls->n_calls; i++) {
        ingle_json_begin_object(&w);
        ingle_json_put_text(ingle_json_name(&w, "id"), "call_1");
        ingle_json_begin_object(ingle_json_name(&w, "function"));
        ingle_json_put_bytes(ingle_json_name(&w, "name"), calls->names[i].p, calls->names[i].n);
        put_args(ingle_json_name(&w, "arguments"), &calls->args[i]);
        ingle_json_end_object(&w);
        ingle_json_end_object(&w);
    }
    if (calls && calls->n_calls) ingle_json_end_array(&w);
    ingle_json_end_object(&w);
    if (messages->n) messages->p[messages->n - 1] = ',';
    else bytes_text(messages, "[");
    bytes_take_json(messages, &w);
    bytes_text(messages, "]");
    ingle_json_writer_free(&w);
}

/* One request of a client. */
static void ask(house *h, ingle_chat *chat, const bytes *messages, const ledger_found *f,
                bool calls, trail *t, ingle_prompt **p)
{
    ingle_chat_input in;
    ingle_prompt_info info = {.size = sizeof info};
    ingle_tools_options to;
    ingle_sampler_options so = sampling_of(2, 7);
    ingle_generate_options go = options_of(60);
    ingle_grammar *g;
    ingle_error err;
    ingle_chat_input_init(&in);
    in.messages = messages->p, in.n_messages = messages->n;
    in.tools = tools, in.n_tools = sizeof tools - 1;
    in.answers = f->answers, in.n_answers = f->n_answers;
    must(ingle_chat_render(p, chat, &in, &err), &err);
    must(ingle_prompt_info_get(*p, &info, &err), &err);
    ingle_tools_options_init(&to);
    to.required = calls;
    to.thinks = info.thinks;
    must(ingle_grammar_open_tools(&g, chat, tools, sizeof tools - 1, &to, &err), &err);
    go.grammar = g;
    go.sampling = &so;
    go.marks = info.marks, go.n_marks = info.n_marks;
    ingle_session *s = another_session(h);
    ingle_request *r;
    must(ingle_request_start(&r, s, info.tokens, info.n_tokens, &go, &err), &err);
    read_all(r, t);
    ingle_request_close(&r);
    ingle_session_close(&s);
    ingle_grammar_close(&g);
    if (t->status) fail_msg("%s", t->error.text);
}

/* Turns that call and turns that need not. */
static void talk(house *h, ingle_chat *chat, ledger *l, size_t *n_taken)
{
    static trail t;
    static int32_t last[8192];
    size_t n_last = 0;
    bytes messages = {0};
    const ledger_scope scope = {
        .salt = 1, .effort = "", .tools = tools, .n_tools = sizeof tools - 1};
    put_message(&messages, "system", "You help.", 9, NULL);
    put_message(&messages, "user", "What is the weather in Paris?", 29, NULL);
    for (size_t i = 0; i < TURNS; i++) {
        bool calls = i % 2 == 0;
        char text[MOST_TEXT];
        size_t n;
        ledger_found f;
        ledger_miss miss;
        ingle_prompt *p;
        ingle_prompt_info info = {.size = sizeof info};
        ingle_error err;
        must(ledger_find(l, &scope, messages.p, messages.n, true, &f, &err), &err);
        assert_int_equal(f.n_answers, i);
        t = (trail){.len = 0};
        ask(h, chat, &messages, &f, calls, &t, &p);
        must(ingle_prompt_info_get(p, &info, &err), &err);
        for (size_t k = 0; k < info.n_answers; k++) assert_true(info.answers_taken[k]);
        assert_true(info.n_tokens > n_last);
        assert_memory_equal(info.tokens, last, n_last * sizeof *last);
        size_t n_new = info.n_tokens - n_last;
        assert_true(info.n_tokens - t.usage.n_reused <= n_new + 64);
        ledger_compare(l, &scope, &info, "x", NULL, &miss);
        assert_false(miss.missed);
        *n_taken += info.n_answers;

        n_last = info.n_tokens + t.n_tokens;
        assert_true(n_last < 8192);
        memcpy(last, info.tokens, info.n_tokens * sizeof *last);
        memcpy(last + info.n_tokens, t.tokens, t.n_tokens * sizeof *last);
        must(ingle_detokenize(h->model, t.tokens, t.n_tokens, INGLE_UNPARSE_SPECIAL, text,
                              sizeof text, &n, &err),
             &err);
        seen s = take_apart(chat, text, n, info.thinks);
        assert_true(!calls || s.n_calls);
        ingle_string names[4], args[4];
        for (size_t k = 0; k < s.n_calls; k++) {
            names[k] = (ingle_string){s.names[k].p, s.names[k].n};
            args[k] = (ingle_string){s.args[k].p, s.args[k].n};
        }
        ledger_keep(l, f.key,
                    &(ledger_turn){.text = s.text.p,
                                   .n_text = s.text.n,
                                   .names = names,
                                   .args = args,
                                   .n_calls = s.n_calls,
                                   .tokens = t.tokens,
                                   .n_tokens = t.n_tokens,
                                   .thinks = info.thinks});
        put_message(&messages, "assistant", s.text.n ? s.text.p : "", s.text.n, &s);
        for (size_t k = 0; k < s.n_calls; k++)
            put_message(&messages, "tool", "{\"temperature\": 21}", 19, NULL);
        if (!s.n_calls) put_message(&messages, "user", "And in Rome?", 12, NULL);
        seen_free(&s);
        ingle_prompt_close(&p);
        ledger_found_free(&f);
    }
    bytes_free(&messages);
}

static void turns(void **state)
{
    house h = house_of(8192, 1);
    ingle_chat *chat;
    ledger *l;
    ingle_error err;
    size_t n_taken = 0;
    (void)state;
    must(ingle_chat_open(&chat, h.model, NULL, &err), &err);
    must(ledger_open(&l, 0, 0, &err), &err);
    talk(&h, chat, l, &n_taken);
    assert_int_equal(n_taken, TURNS * (TURNS - 1) / 2);
    assert_int_equal(ledger_counts_get(l).n_taken, n_taken);
    ledger_close(&l);
    ingle_chat_close(&chat);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(turns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
