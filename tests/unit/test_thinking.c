/* test_thinking.c - answers whose thinking is limited, or is ended by the caller, and answers that
 * have a least length: the counts are exact, whatever else runs, for every family that thinks. */
#include "requests.h"

#include "chat/profile.h"
#include "engine/thinking.h"
#include "model/model.h"

#define N_OF(array) (sizeof(array) / sizeof *(array))

enum { MOST_CHOICES = 3, TOOL_CALL = 2043, TOOL_CALL_END = 2044 };

static ingle_chat *chat_of(const house *h, const char *family)
{
    ingle_chat_options co;
    ingle_chat *chat;
    ingle_error err;
    ingle_chat_options_init(&co);
    co.family = family;
    co.template_text = "{{ messages[0].content }}";
    co.n_template = strlen(co.template_text);
    must(ingle_chat_open(&chat, h->model, &co, &err), &err);
    return chat;
}

static ingle_generate_options limited(ingle_chat *chat, int32_t n_thinking, int32_t max_tokens,
                                      const ingle_sampler_options *so)
{
    ingle_generate_options go = options_of(max_tokens);
    go.chat = chat;
    go.thinks = true;
    go.n_thinking = n_thinking;
    go.ignore_eog = true;
    go.sampling = so;
    return go;
}

/* What ends thinking of a family. */
static const char *closing_of(const ingle_thinking *k)
{
    return k->harmony ? "<|end|><|start|>assistant<|channel|>final<|message|>" : k->close[0];
}

static size_t tokens_of(const house *h, const char *text, int32_t *tokens)
{
    size_t n;
    ingle_error err;
    must(ingle_tokenize(h->model, text, strlen(text), INGLE_PARSE_SPECIAL | INGLE_CONTINUE, tokens,
                        MOST_TOKENS, &n, &err),
         &err);
    return n;
}

/* The answer has `n` tokens, those of an answer without a limit, then the mark. */
static void assert_closed_after(const house *h, const trail *free_run, const trail *t, size_t n,
                                const char *mark)
{
    int32_t want[MOST_TOKENS];
    size_t n_mark = tokens_of(h, mark, want);
    assert_true(t->n_tokens > n + n_mark);
    assert_memory_equal(t->tokens, free_run->tokens, n * sizeof *want);
    assert_memory_equal(t->tokens + n, want, n_mark * sizeof *want);
}

/* ---- limits ---------------------------------------------------------------------------------- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLOW = 6 }; /* one family of so many */
#else
enum { SLOW = 1 };
#endif

static void limits_are_exact(void **state)
{
    static const int32_t limits[] = {0, 1, 2, 7, 30};
    house h = house_of(256, 1);
    const prompt p = noise(12, 5);
    const ingle_chat_family *f;
    size_t n_families = 0;
    (void)state;
    for (size_t i = 0; (f = ingle_profile_family(i)) != NULL; i++) {
        const ingle_thinking *k = ingle_thinking_named(f->thinking);
        if (!k || n_families++ % SLOW) continue;
        static trail free_run;
        const ingle_sampler_options so = sampling_of(1, i);
        ingle_chat *chat = chat_of(&h, f->name);
        ingle_generate_options go = limited(chat, -1, 90, &so);
        free_run = (trail){.len = 0};
        run_request(h.session, &p, &go, &free_run);
        for (size_t j = 0; j < N_OF(limits); j++) {
            static trail t;
            t = (trail){.len = 0};
            go.n_thinking = limits[j];
            run_request(h.session, &p, &go, &t);
            assert_closed_after(&h, &free_run, &t, (size_t)limits[j], closing_of(k));
            assert_int_equal(t.n_tokens, 90);
        }
        ingle_chat_close(&chat);
    }
    assert_true(n_families > 25);
    house_close(&h);
}

/* Without draws for the mark: what follows it is what follows a prompt that has it. */
static void all_is_free_afterwards(void **state)
{
    house h = house_of(256, 1);
    static trail t, rest;
    prompt p = noise(12, 6);
    const ingle_sampler_options so = sampling_of(0, 1);
    ingle_chat *chat = chat_of(&h, "qwen3");
    ingle_generate_options go = limited(chat, 9, 60, &so);
    int32_t mark[MOST_TOKENS];
    (void)state;
    run_request(h.session, &p, &go, &t);
    size_t n = 9 + tokens_of(&h, "</think>", mark);
    memcpy(p.tokens + p.n, t.tokens, n * sizeof *mark);
    p.n += n;
    go = options_of((int32_t)(60 - n));
    go.sampling = &so;
    go.ignore_eog = true;
    run_request(h.session, &p, &go, &rest);
    assert_int_equal(rest.n_tokens, t.n_tokens - n);
    assert_memory_equal(rest.tokens, t.tokens + n, rest.n_tokens * sizeof *mark);
    ingle_chat_close(&chat);
    house_close(&h);
}

static ingle_grammar *gbnf_of(const house *h, const char *text)
{
    ingle_grammar *g;
    ingle_error err;
    must(ingle_grammar_open_gbnf(&g, h->model, text, strlen(text), NULL, &err), &err);
    return g;
}

/* The text of an answer of a grammar. */
static const char *text_of(const house *h, ingle_chat *chat, const char *gbnf, bool thinks,
                           int32_t n_thinking)
{
    static trail t;
    const prompt p = noise(8, 3);
    const ingle_sampler_options so = sampling_of(1, 4);
    ingle_generate_options go = limited(chat, n_thinking, 120, &so);
    ingle_grammar *g = gbnf_of(h, gbnf);
    t = (trail){.len = 0};
    go.thinks = thinks;
    go.ignore_eog = false;
    go.grammar = g;
    run_request(h->session, &p, &go, &t);
    if (t.finish != INGLE_FINISH_STOP) fail_msg("no end: %s", t.text);
    ingle_grammar_close(&g);
    return t.text;
}

/* Thinking that the model opens itself; marks that come in pieces; and a grammar that has other
 * plans. */
static void marks_are_followed(void **state)
{
    static const struct {
        const char *family, *gbnf;
        bool thinks;
        int32_t n;
        const char *want;
    } rows[] = {
        /* opened at the beginning */
        {"qwen3", "root ::= \"<think>\" [#]{0,40} \"</think>!\"", false, 0, "<think></think>!"},
        {"qwen3", "root ::= \" \\n<think>\" [^<\\n]{0,40} \"</think>!\"", false, 0,
         " \n<think></think>!"},
        /* later it is text, where its mark is */
        {"qwen3", "root ::= \"a<think>bc\"", false, 0, "a<think>bc"},
        {"magistral", "root ::= \"a[THINK]\" [^[]* \"[/THINK]!\"", false, 0, "a[THINK][/THINK]!"},
        /* and after thinking it begins again */
        {"qwen3", "root ::= \"</think>\\n<think>\" [^<]* \"</think>!\"", false, 0,
         "</think>\n<think></think>!"},
        {"granite-3", "root ::= \"<response><think>\" [^<]* \"</think>!\"", false, 0,
         "<response><think></think>!"},
        {"gpt-oss",
         "root ::= \"<|channel|>commentary<|message|>x<|end|><|start|>assistant<|channel|>\" "
         "\"analysis<|message|>\" [^<]* \"<|end|><|start|>assistant<|channel|>\" [a-z]* "
         "\"<|message|>!\"",
         false, 0,
         "<|channel|>commentary<|message|>x<|end|><|start|>assistant<|channel|>analysis<|message|>"
         "<|end|><|start|>assistant<|channel|>final<|message|>!"},
        /* the grammar has the mark only later */
        {"qwen3", "root ::= \"abcdefgh</think>ij\"", true, 0, "abcdefgh</think>ij"},
        /* what looks like the mark's beginning */
        {"qwen3", "root ::= \"</thin</think>ij\"", true, 0, "</thin</think>ij"},
        {"qwen3", "root ::= \"</\" (\"x\" | \"think>\") \"!\"", true, 1, "</think>!"},
    };
    house h = house_of(256, 1);
    (void)state;
    for (size_t i = 0; i < N_OF(rows); i++) {
        ingle_chat *chat = chat_of(&h, rows[i].family);
        const char *got = text_of(&h, chat, rows[i].gbnf, rows[i].thinks, rows[i].n);
        if (strcmp(got, rows[i].want))
            fail_msg("%s: %s, should be %s", rows[i].family, got, rows[i].want);
        ingle_chat_close(&chat);
    }
    house_close(&h);
}

/* ---- a form after thinking ------------------------------------------------------------------- */

typedef struct parts {
    char reasoning[MOST_TEXT], content[MOST_TEXT];
} parts;

static void note_part(void *user, const ingle_chat_event *e)
{
    parts *x = user;
    char *to = e->kind == INGLE_CHAT_REASONING ? x->reasoning : x->content;
    assert_true(e->kind <= INGLE_CHAT_CONTENT);
    strncat(to, e->text, e->text_len);
}

static void a_form_follows(void **state)
{
    static const char *const families[] = {"qwen3", "gpt-oss", "magistral", "gemma4", "chatml"};
    static const char schema[] = "{\"type\":\"array\",\"items\":{\"enum\":[1,2]},\"maxItems\":2}";
    house h = house_of(256, 1);
    const prompt p = noise(8, 3);
    (void)state;
    for (size_t i = 0; i < N_OF(families); i++) {
        static trail t;
        static parts x;
        ingle_tools_options to;
        ingle_grammar *g;
        ingle_chat_parser_options po;
        ingle_chat_parser *parser;
        ingle_error err;
        const ingle_sampler_options so = sampling_of(1, i);
        ingle_chat *chat = chat_of(&h, families[i]);
        ingle_generate_options go = limited(chat, 11, 200, &so);
        ingle_tools_options_init(&to);
        to.schema = schema;
        to.n_schema = sizeof schema - 1;
        to.thinks = true;
        must(ingle_grammar_open_tools(&g, chat, NULL, 0, &to, &err), &err);
        go.grammar = g;
        go.ignore_eog = false;
        t = (trail){.len = 0};
        x = (parts){{0}, {0}};
        run_request(h.session, &p, &go, &t);
        assert_int_equal(t.finish, INGLE_FINISH_STOP);
        ingle_chat_parser_options_init(&po);
        po.thinks = true;
        po.on_event = note_part;
        po.user = &x;
        must(ingle_chat_parser_open(&parser, chat, &po, &err), &err);
        must(ingle_chat_parser_feed(parser, t.text, t.len, &err), &err);
        must(ingle_chat_parser_finish(parser, &err), &err);
        ingle_chat_parser_close(&parser);
        assert_true(strlen(x.reasoning) >= 11 / 2);
        assert_true(x.content[0] == '[' && x.content[strlen(x.content) - 1] == ']');
        ingle_grammar_close(&g);
        ingle_chat_close(&chat);
    }
    house_close(&h);
}

/* ---- choices, batches, chains ---------------------------------------------------------------- */

static void choices_are_limited(void **state)
{
    house h = house_of(256, 3);
    const prompt p = noise(12, 7);
    static trail got[MOST_CHOICES], want;
    const ingle_sampler_options so = sampling_of(2, 30);
    ingle_chat *chat = chat_of(&h, "qwen3");
    ingle_grammar *g = gbnf_of(&h, "root ::= [^<]* \"</think>\" [^<]*");
    ingle_error err;
    (void)state;
    for (int grammar = 0; grammar < 2; grammar++) {
        ingle_generate_options go = limited(chat, 6, 40, &so);
        go.n = MOST_CHOICES;
        go.grammar = grammar ? g : NULL;
        memset(got, 0, sizeof got);
        must(ingle_session_truncate(h.session, 0, &err), &err);
        ingle_request *r = start(h.session, &p, &go);
        for (size_t n_ends = 0; n_ends < MOST_CHOICES;) {
            ingle_event e = {.size = sizeof e};
            must(ingle_request_next(r, -1, &e, &err), &err);
            for (size_t i = 1; e.kind == INGLE_EVENT_PROMPT && i < MOST_CHOICES; i++)
                got[i].n_done = e.n_done;
            note_event(&got[e.i_choice], &e);
            n_ends += e.kind == INGLE_EVENT_END;
        }
        ingle_request_close(&r);
        for (size_t i = 0; i < MOST_CHOICES; i++) {
            const ingle_sampler_options own = sampling_of(2, 30 + i);
            ingle_generate_options one = limited(chat, 6, 40, &own);
            one.grammar = go.grammar;
            want = (trail){.len = 0};
            run_request(h.session, &p, &one, &want);
            assert_int_equal(want.n_tokens, got[i].n_tokens);
            assert_memory_equal(want.tokens, got[i].tokens, want.n_tokens * sizeof *want.tokens);
            assert_non_null(strstr(want.text, "</think>"));
        }
    }
    ingle_grammar_close(&g);
    ingle_chat_close(&chat);
    house_close(&h);
}

static size_t propose_noise(void *user, const int32_t *tokens, size_t n, int32_t *draft, size_t cap)
{
    const trail *t = user; /* the answer, as it will be, with a wrong token now and then */
    size_t at = 0, k = 0;
    while (at < t->n_tokens && t->tokens[at] != tokens[n - 1]) at++;
    for (; k < cap && k < 4; k++)
        draft[k] = at + 1 + k < t->n_tokens && k < 3 ? t->tokens[at + 1 + k] : 400;
    return k;
}

/* Alone, beside others, and with chains that are proposed: the same bytes. */
static void company_changes_nothing(void **state)
{
    house h = house_of(256, 4);
    const prompt p = noise(12, 8), other = noise(40, 9);
    const ingle_sampler_options so = sampling_of(2, 77);
    ingle_chat *chat = chat_of(&h, "seed-oss");
    ingle_generate_options go = limited(chat, 13, 60, &so);
    trail want = trail_open(), got = trail_open();
    ingle_error err;
    (void)state;
    run_request(h.session, &p, &go, &want);
    assert_non_null(strstr(want.text, "</seed:think>"));
    for (int i = 0; i < 2; i++) {
        ingle_session *s = another_session(&h);
        const ingle_generate_options beside = options_of(50);
        ingle_request *r, *q = start(s, &other, &beside);
        ingle_request_inside inside = {.sampler = NULL};
        if (i) inside.drafter = (ingle_drafter){propose_noise, &want};
        got.n_bytes = got.len = got.n_tokens = got.n_ends = got.n_done = 0;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        must(ingle_request_begin(&r, h.session, p.tokens, p.n, &go, &inside, &err), &err);
        read_all(r, &got);
        same_trail(i ? "with chains" : "beside another", &want, &got);
        if (i) assert_true(got.usage.n_accepted > 0);
        ingle_request_close(&r);
        ingle_request_close(&q);
        ingle_session_close(&s);
    }
    trail_close(&want);
    trail_close(&got);
    ingle_chat_close(&chat);
    house_close(&h);
}

/* ---- marks that are tokens ------------------------------------------------------------------- */

static int32_t only_one(ingle_constraint *c)
{
    const uint32_t *bits;
    int32_t token = -1;
    ingle_error err;
    must(c->ops->mask(c, &bits, &err), &err);
    for (int32_t i = 0; bits && i < N_VOCAB; i++) {
        if (!(bits[i / 32] >> (i % 32) & 1)) continue;
        assert_int_equal(token, -1);
        token = i;
    }
    return token;
}

/* A mark that is one token, and its spelling by others. */
static void tokens_are_marks(void **state)
{
    static const ingle_thinking k = {
        .name = "own", .open = {"<tool_call>"}, .close = {"</tool_call>"}, .anywhere = true};
    house h = house_of(64, 1);
    atomic_bool ended = false;
    const ingle_thinking_limit limit = {
        .syntax = &k, .vocab = h.model->vocab, .n_vocab = N_VOCAB, .n_tokens = 2, .ended = &ended};
    ingle_constraint *c, *d;
    ingle_error err;
    int32_t spelled[MOST_TOKENS];
    (void)state;
    must(ingle_thinking_constrain(&c, NULL, &limit, &err), &err);
    assert_int_equal(only_one(c), -1);
    must(c->ops->accept(c, 400, &err), &err);
    must(c->ops->accept(c, TOOL_CALL, &err), &err);
    assert_int_equal(only_one(c), -1);
    must(c->ops->accept(c, 401, &err), &err);
    assert_int_equal(only_one(c), -1);
    assert_non_null(d = c->ops->clone(c));
    must(c->ops->accept(c, 402, &err), &err);
    assert_int_equal(only_one(c), TOOL_CALL_END);
    assert_int_equal(only_one(c), TOOL_CALL_END);
    must(c->ops->accept(c, TOOL_CALL_END, &err), &err);
    assert_int_equal(only_one(c), -1);
    must(c->ops->accept(c, TOOL_CALL, &err), &err); /* again: there were as many as are allowed */
    assert_int_equal(only_one(c), TOOL_CALL_END);
    c->ops->free(c);
    /* its beginning, in other tokens: the rest of it has to come */
    size_t n = tokens_of(&h, "</to", spelled), n_rest = tokens_of(&h, "ol_call>", spelled + n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(only_one(d), -1);
        must(d->ops->accept(d, spelled[i], &err), &err);
        if (i + 1 < n) break; /* one token of thinking is left */
    }
    if (n == 1)
        for (size_t i = 0; i < n_rest; i++) {
            int32_t draft[8];
            assert_int_equal(only_one(d), spelled[n + i]);
            assert_true(d->ops->propose(d, draft, 8) >= 1);
            assert_int_equal(draft[0], spelled[n + i]);
            must(d->ops->accept(d, spelled[n + i], &err), &err);
        }
    ended = true;
    must(d->ops->accept(d, TOOL_CALL, &err), &err);
    assert_true(only_one(d) >= 0);
    d->ops->free(d);
    house_close(&h);
}

/* ---- by the caller --------------------------------------------------------------------------- */

static void read_tokens(ingle_request *r, trail *t, size_t n)
{
    ingle_status st;
    while (t->n_tokens < n && read_one(r, -1, t, &st)) {}
    assert_int_equal(t->n_tokens, n);
}

static void callers_end_it(void **state)
{
    house h = house_of(256, 1);
    const prompt p = noise(12, 9);
    static trail free_run, t;
    const ingle_sampler_options so = sampling_of(1, 3);
    ingle_chat *chat = chat_of(&h, "qwen3"), *silent = chat_of(&h, "gemma2");
    ingle_generate_options go = limited(chat, -1, 60, &so);
    ingle_error err;
    (void)state;
    free_run = t = (trail){.len = 0};
    run_request(h.session, &p, &go, &free_run);
    assert_null(strstr(free_run.text, "</think>"));
    must(ingle_session_truncate(h.session, 0, &err), &err);
    ingle_request *r = start(h.session, &p, &go);
    read_tokens(r, &t, 10);
    size_t n = t.n_tokens + (r->ring.n_made - r->ring.n_read - 1); /* drawn already */
    must(ingle_request_end_thinking(r, &err), &err);
    read_all(r, &t);
    assert_closed_after(&h, &free_run, &t, n, "</think>");
    must(ingle_request_end_thinking(r, &err), &err); /* it has ended */
    ingle_request_close(&r);

    assert_int_equal(ingle_request_end_thinking(NULL, &err), INGLE_ECLOSED);
    go.chat = NULL;
    must(ingle_session_truncate(h.session, 0, &err), &err);
    r = start(h.session, &p, &go);
    assert_int_equal(ingle_request_end_thinking(r, &err), INGLE_EINVAL);
    assert_text(&err, "without option 'chat'");
    ingle_request_close(&r);
    go.chat = silent;
    must(ingle_session_truncate(h.session, 0, &err), &err);
    r = start(h.session, &p, &go);
    must(ingle_request_end_thinking(r, &err), &err); /* it does not think */
    t = (trail){.len = 0};
    read_all(r, &t);
    assert_int_equal(t.n_tokens, 60);
    assert_null(strstr(t.text, "</think>"));
    ingle_request_close(&r);
    ingle_chat_close(&chat);
    ingle_chat_close(&silent);
    house_close(&h);
}

static void *end_it(void *arg)
{
    ingle_error err;
    must(ingle_request_end_thinking(arg, &err), &err);
    return NULL;
}

/* From another thread, while it runs; and a request that is cancelled in the middle of the mark. */
static void other_threads_end_it(void **state)
{
    house h = house_of(512, 1);
    const prompt p = noise(12, 10);
    static trail t;
    const ingle_sampler_options so = sampling_of(1, 3);
    ingle_chat *chat = chat_of(&h, "gpt-oss");
    ingle_generate_options go = limited(chat, -1, 400, &so);
    pthread_t thread;
    ingle_error err;
    (void)state;
    t = (trail){.len = 0};
    ingle_request *r = start(h.session, &p, &go);
    read_tokens(r, &t, 5);
    assert_int_equal(pthread_create(&thread, NULL, end_it, r), 0);
    pthread_join(thread, NULL);
    read_all(r, &t);
    ingle_request_close(&r);
    assert_non_null(strstr(t.text, "<|end|><|start|>assistant<|channel|>final<|message|>"));

    t = (trail){.len = 0};
    go.n_thinking = 0;
    must(ingle_session_truncate(h.session, 0, &err), &err);
    r = start(h.session, &p, &go);
    ingle_chat_close(&chat); /* the request has what it needs */
    read_tokens(r, &t, 3);
    must(ingle_request_cancel(r, &err), &err);
    read_all(r, &t);
    assert_int_equal(t.finish, INGLE_FINISH_CANCELLED);
    assert_int_equal(n_held(h.session), p.n + t.n_tokens);
    ingle_request_close(&r);
    house_close(&h);
}

/* ---- a least length -------------------------------------------------------------------------- */

static void least_lengths(void **state)
{
    static const ingle_logit_bias ends[] = {{2047, 100.0f}}, stops[] = {{400, 100.0f}};
    static const int32_t stop_token[] = {400};
    house h = house_of(128, 2);
    const prompt p = noise(12, 11);
    static trail t;
    ingle_sampler_options so = sampling_of(1, 3);
    ingle_grammar *g = gbnf_of(&h, "root ::= \"ab\""), *may = gbnf_of(&h, "root ::= \"ab\"*");
    (void)state;
    so.logit_bias = ends;
    so.n_logit_bias = 1;
    for (int32_t n = 0; n < 20; n += 6) {
        ingle_generate_options go = options_of(50);
        go.sampling = &so;
        go.min_tokens = n;
        t = (trail){.len = 0};
        run_request(h.session, &p, &go, &t);
        assert_int_equal(t.n_tokens, n);
        assert_int_equal(t.finish, INGLE_FINISH_STOP);
        go.grammar = may; /* it may end after each "ab" */
        t = (trail){.len = 0};
        run_request(h.session, &p, &go, &t);
        assert_true(t.n_tokens >= (size_t)n && t.n_tokens <= (size_t)n + 1);
        assert_int_equal(t.len % 2, 0);
    }
    ingle_generate_options go = options_of(50);
    go.min_tokens = 20;
    go.sampling = &so;
    go.grammar = g; /* it has to end */
    t = (trail){.len = 0};
    run_request(h.session, &p, &go, &t);
    assert_string_equal(t.text, "ab");
    assert_int_equal(t.finish, INGLE_FINISH_STOP);
    go.grammar = NULL; /* tokens that the caller gave are ends too; texts are not */
    so.logit_bias = stops;
    go.stop_tokens = stop_token;
    go.n_stop_tokens = 1;
    t = (trail){.len = 0};
    run_request(h.session, &p, &go, &t);
    assert_int_equal(t.n_tokens, 20);
    ingle_stop stop = {t.text, 3};
    char first[4] = {t.text[0], t.text[1], t.text[2], 0};
    stop.text = first;
    go.stops = &stop;
    go.n_stops = 1;
    t = (trail){.len = 0};
    run_request(h.session, &p, &go, &t);
    assert_true(t.n_tokens < 20);
    assert_int_equal(t.finish, INGLE_FINISH_STOP);
    ingle_grammar_close(&g);
    ingle_grammar_close(&may);
    house_close(&h);
}

/* ---- options --------------------------------------------------------------------------------- */

static void options_are_checked(void **state)
{
    house h = house_of(64, 1), other = house_of(64, 1);
    const prompt p = noise(5, 1);
    ingle_chat *chat = chat_of(&h, "gemma2"), *foreign = chat_of(&other, "qwen3");
    ingle_generate_options go = options_of(10);
    ingle_request *r;
    ingle_error err;
    (void)state;
    go.min_tokens = -1;
    assert_int_equal(ingle_generate_options_check(&go, &err), INGLE_EINVAL);
    assert_text(&err, "'min_tokens' is -1");
    go.min_tokens = 11;
    assert_int_equal(ingle_generate_options_check(&go, &err), INGLE_EINVAL);
    assert_text(&err, "should be at most 'max_tokens', which is 10");
    go.min_tokens = 10;
    must(ingle_generate_options_check(&go, &err), &err);
    go.n_thinking = -2;
    assert_int_equal(ingle_generate_options_check(&go, &err), INGLE_EINVAL);
    assert_text(&err, "'n_thinking' is -2");
    go.n_thinking = 3;
    assert_int_equal(ingle_generate_options_check(&go, &err), INGLE_EINVAL);
    assert_text(&err, "needs option 'chat'");
    go.chat = chat;
    must(ingle_generate_options_check(&go, &err), &err);
    assert_int_equal(ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err),
                     INGLE_EUNSUPPORTED);
    assert_text(&err, "models of the family gemma2 do not think");
    go.chat = foreign;
    assert_int_equal(ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err), INGLE_EINVAL);
    assert_text(&err, "another model");
    assert_int_equal(n_held(h.session), 0);
    ingle_chat_close(&chat);
    ingle_chat_close(&foreign);
    house_close(&h);
    house_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_are_exact),     cmocka_unit_test(all_is_free_afterwards),
        cmocka_unit_test(marks_are_followed),   cmocka_unit_test(a_form_follows),
        cmocka_unit_test(choices_are_limited),  cmocka_unit_test(company_changes_nothing),
        cmocka_unit_test(tokens_are_marks),     cmocka_unit_test(callers_end_it),
        cmocka_unit_test(other_threads_end_it), cmocka_unit_test(least_lengths),
        cmocka_unit_test(options_are_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
