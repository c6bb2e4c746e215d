/* test_ledger.c - kept answers: what makes two conversations the same, what is put back, what is
 * forgotten, where prompts differ; against a naive model; without memory; from several threads; and
 * with a real chat, where the next prompt begins with the last one and the answer. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ingle.h>

#include "must.h"
#include "wrap_alloc.h"

#include "server/ledger.h"

#define TINY INGLE_SOURCE_DIR "/models/tiny-chat.gguf"
#define S(text)                                                                                    \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }

static const ledger_scope plain = {.salt = 1, .model = 2, .effort = ""};

static ledger *open_ledger(size_t max_turns, size_t max_bytes)
{
    ledger *l;
    ingle_error err;
    must(ledger_open(&l, max_turns, max_bytes, &err), &err);
    return l;
}

static ledger_found find(ledger *l, const ledger_scope *scope, const char *messages, bool restore)
{
    ledger_found f;
    ingle_error err;
    must(ledger_find(l, scope, messages, strlen(messages), restore, &f, &err), &err);
    return f;
}

/* Keeps an answer to these messages. */
static void keep(ledger *l, const ledger_scope *scope, const char *messages,
                 const ledger_turn *turn)
{
    ledger_found f = find(l, scope, messages, false);
    ledger_keep(l, f.key, turn);
    ledger_found_free(&f);
}

static const int32_t some[] = {7, 8, 9};
static const ingle_string names[] = {S("f"), S("g")},
                          args[] = {S("{\"a\": 1, \"b\": [true]}"), S("")};
static const ledger_turn called = {.text = "Yes, I\ncall.",
                                   .n_text = 12,
                                   .thinking = "why \"not\"?",
                                   .n_thinking = 10,
                                   .names = names,
                                   .args = args,
                                   .n_calls = 2,
                                   .tokens = some,
                                   .n_tokens = 3,
                                   .thinks = true};

#define ASKED "{\"role\":\"system\",\"content\":\"be\"},{\"role\":\"user\",\"content\":\"q\"}"
#define CALLS                                                                                      \
    "\"tool_calls\":[{\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","            \
    "\"arguments\":\"{\\\"a\\\": 1, \\\"b\\\": [true]}\"}},{\"id\":\"2\",\"function\":{\"name\":"  \
    "\"g\",\"arguments\":\"{}\"}}]"
#define ANSWER "{\"role\":\"assistant\",\"content\":\"Yes, I\\ncall.\"," CALLS "}"

/* ---- what is the same ------------------------------------------------------------------------ */

static const char *const same[] = {
    "[" ASKED "," ANSWER "]",
    "[" ASKED "," ANSWER ",{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"r\"}]",
    /* ids, order, spaces, numbers, objects */
    "[" ASKED
    ",{\"role\":\"assistant\",\"content\":\"Yes, I\\ncall.\",\"tool_calls\":[{\"id\":\"9\","
    "\"function\":{\"arguments\":{\"b\":[ true ],\"a\":1.0},\"name\":\"f\"}},{\"name\":\"g\"}]}]",
    /* white space, parts, thinking, members that are no part of it */
    "[" ASKED ",{\"content\":[{\"type\":\"text\",\"text\":\" Yes, \"},{\"type\":\"text\",\"text\":"
    "\"I call.\\n\",\"cache_control\":{\"type\":\"ephemeral\"}}],\"reasoning_content\":\"x\","
    "\"role\":\"assistant\",\"refusal\":null," CALLS "}]",
    "[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"be\",\"cache_control\":1}]},"
    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"q\"}]}," ANSWER "]",
    /* whom to bill */
    "[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: "
    "1;\"},"
    "{\"type\":\"text\",\"text\":\"be\"}]},{\"role\":\"user\",\"content\":\"q\"}," ANSWER "]",
    "[{\"role\":\"system\",\"content\":\"x-anthropic-billing-header: cc=2; y\"}," ASKED "," ANSWER
    "]",
};

static const char *const different[] = {
    "[" ASKED ",{\"role\":\"assistant\",\"content\":\"Yes, I call\"," CALLS "}]",
    "[" ASKED ",{\"role\":\"assistant\",\"content\":\"Yes, I\\ncall.\"}]",
    "[" ASKED ",{\"role\":\"user\",\"content\":\"q\"}," ANSWER "]",
    "[{\"role\":\"user\",\"content\":\"q\"}," ANSWER "]",
    "[{\"role\":\"system\",\"content\":\"be \"},{\"role\":\"user\",\"content\":\"q\"}," ANSWER "]",
    "[{\"role\":\"user\",\"content\":\"be\"},{\"role\":\"user\",\"content\":\"q\"}," ANSWER "]",
    "[{\"role\":\"system\",\"content\":\"be\\nx-anthropic-billing-header: 1\"},{\"role\":\"user\","
    "\"content\":\"q\"}," ANSWER "]",
    "[" ASKED
    ",{\"role\":\"assistant\",\"content\":\"Yes, I\\ncall.\",\"tool_calls\":[{\"function\":"
    "{\"name\":\"f\",\"arguments\":{\"a\":1,\"b\":[false]}}},{\"name\":\"g\"}]}]",
    "[" ASKED
    ",{\"role\":\"assistant\",\"content\":\"Yes, I\\ncall.\",\"tool_calls\":[{\"function\":"
    "{\"name\":\"g\",\"arguments\":{\"a\":1,\"b\":[true]}}},{\"name\":\"f\"}]}]",
    "[" ASKED
    ",{\"role\":\"assistant\",\"content\":\"Yes, I\\ncall.\",\"tool_calls\":[{\"function\":"
    "{\"name\":\"f\",\"arguments\":\"{\\\"a\\\": 1, \\\"b\\\": [true]\"}},{\"name\":\"g\"}]}]",
    "[" ASKED ",{\"role\":\"user\",\"content\":\"Yes, I\\ncall.\"," CALLS "}]",
};

static void conversations(void **state)
{
    ledger *l = open_ledger(0, 0);
    (void)state;
    keep(l, &plain, "[" ASKED "]", &called);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        ledger_found f = find(l, &plain, same[i], true);
        if (f.n_answers != 1) fail_msg("not found: %s", same[i]);
        assert_int_equal(f.answers[0].n_tokens, 3);
        assert_memory_equal(f.answers[0].tokens, some, sizeof some);
        assert_true(f.answers[0].thinks);
        ledger_found_free(&f);
    }
    for (size_t i = 0; i < sizeof different / sizeof *different; i++) {
        ledger_found f = find(l, &plain, different[i], true);
        if (f.n_answers) fail_msg("found: %s", different[i]);
        assert_null(f.messages);
        ledger_found_free(&f);
    }
    ledger_counts c = ledger_counts_get(l);
    assert_int_equal(c.n_turns, 1);
    assert_int_equal(c.n_kept, 1);
    assert_int_equal(c.n_found, sizeof same / sizeof *same);
    ledger_close(&l);
    assert_null(l);
    ledger_close(&l);
}

static void scopes(void **state)
{
    const ledger_scope others[] = {
        {.salt = 2, .model = 2, .effort = ""},
        {.salt = 1, .model = 1, .effort = ""},
        {.salt = 1, .model = 2, .effort = "high"},
        {.salt = 1, .model = 2, .effort = "", .thinking = INGLE_THINKING_ON},
        {.salt = 1, .model = 2, .effort = "", .tools = "[]", .n_tools = 2},
        {.salt = 1, .model = 2, .effort = "", .kwargs = "[]", .n_kwargs = 2},
    };
    ledger *l = open_ledger(0, 0);
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        keep(l, &others[i], "[" ASKED "]", &called);
        for (size_t k = 0; k < 6; k++) {
            ledger_found f = find(l, &others[k], "[" ASKED "," ANSWER "]", false);
            assert_int_equal(f.n_answers, k <= i);
            ledger_found_free(&f);
        }
    }
    ledger_close(&l);
}

static void refused(void **state)
{
    static const char *const odd[] = {
        "[]", "[1,null,[],{}]",
        ("[{\"role\":1,\"content\":{}},{\"role\":\"assistant\",\"content\":[1,{}],"
         "\"tool_calls\":[1,{\"function\":2}]}]"),
        "[{\"role\":\"assistant\",\"tool_calls\":{}}]"};
    ledger *l = open_ledger(0, 0);
    ledger_found f;
    ingle_error err;
    (void)state;
    assert_int_equal(ledger_find(l, &plain, "[", 1, true, &f, &err), INGLE_EFORMAT);
    assert_text(&err, "messages: ");
    assert_int_equal(ledger_find(l, &plain, "{}", 2, true, &f, &err), INGLE_EFORMAT);
    assert_text(&err, "messages should be an array");
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        f = find(l, &plain, odd[i], true);
        assert_int_equal(f.n_answers, 0);
        ledger_found_free(&f);
    }
    ledger_close(&l);
}

/* ---- thinking -------------------------------------------------------------------------------- */

static void thinking_comes_back(void **state)
{
    static const ledger_turn second = {
        .text = "b", .n_text = 1, .thinking = "t2", .n_thinking = 2, .tokens = some, .n_tokens = 1};
    static const char loop[] = "[" ASKED "," ANSWER ",{\"role\":\"tool\",\"content\":\"r\"}";
    static const char put_back[] =
        "[{\"role\":\"system\",\"content\":\"be\"},{\"role\":\"user\",\"content\":\"q\"},"
        "{\"role\":\"assistant\",\"content\":\"Yes, I\\ncall.\"," CALLS
        ",\"reasoning_content\":\"why \\\"not\\\"?\"},{\"role\":\"tool\",\"content\":\"r\"},"
        "{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_content\":\"t2\"}]";
    char messages[2048];
    ledger *l = open_ledger(0, 0);
    (void)state;
    keep(l, &plain, "[" ASKED "]", &called);
    snprintf(messages, sizeof messages, "%s]", loop);
    keep(l, &plain, messages, &second);
    snprintf(messages, sizeof messages,
             "%s,{\"role\":\"assistant\",\"content\":\"b\",\"reasoning_content\":null}]", loop);
    ledger_found f = find(l, &plain, messages, true);
    assert_int_equal(f.n_answers, 2);
    assert_int_equal(f.answers[1].i_message, 4);
    assert_int_equal(f.n_system, 1);
    assert_int_equal(strlen(f.messages), f.n_messages);
    assert_string_equal(f.messages, put_back);
    ledger_found_free(&f);
    f = find(l, &plain, messages, false);
    assert_int_equal(f.n_answers, 2);
    assert_null(f.messages);
    ledger_found_free(&f);
    /* the client's own thinking stays, and what comes before a user's message is left as it is */
    snprintf(
        messages, sizeof messages,
        "%s,{\"role\":\"assistant\",\"content\":\"b\",\"reasoning\":\"own\"},{\"role\":\"user\","
        "\"content\":\"x\"}]",
        loop);
    f = find(l, &plain, messages, true);
    assert_int_equal(f.n_answers, 2);
    assert_null(f.messages);
    ledger_found_free(&f);
    ledger_close(&l);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static void number(char *out, size_t cap, size_t i, bool answered)
{
    snprintf(out, cap, "[{\"role\":\"user\",\"content\":\"%zu\"}%s]", i,
             answered ? ",{\"role\":\"assistant\",\"content\":\"a\"}" : "");
}

static bool is_kept(ledger *l, size_t i)
{
    char messages[128];
    number(messages, sizeof messages, i, true);
    ledger_found f = find(l, &plain, messages, false);
    bool is = f.n_answers;
    ledger_found_free(&f);
    return is;
}

static void keep_number(ledger *l, size_t i, size_t n_tokens)
{
    static int32_t tokens[4096];
    char messages[128];
    const ledger_turn t = {.text = "a", .n_text = 1, .tokens = tokens, .n_tokens = n_tokens};
    number(messages, sizeof messages, i, false);
    keep(l, &plain, messages, &t);
}

static void bounds(void **state)
{
    ledger *l = open_ledger(3, 0);
    (void)state;
    for (size_t i = 0; i < 3; i++) keep_number(l, i, 1);
    assert_true(is_kept(l, 0)); /* used last */
    keep_number(l, 3, 1);
    assert_true(is_kept(l, 0) && !is_kept(l, 1) && is_kept(l, 2) && is_kept(l, 3));
    keep_number(l, 3, 2); /* again, in place of itself */
    assert_int_equal(ledger_counts_get(l).n_turns, 3);
    keep_number(l, 4, 0); /* nothing to keep */
    assert_false(is_kept(l, 4));
    ledger_close(&l);
    l = open_ledger(0, 10000);
    for (size_t i = 0; i < 100; i++) {
        keep_number(l, i, 300);
        assert_true(ledger_counts_get(l).n_bytes <= 10000);
        assert_true(is_kept(l, i));
    }
    assert_int_equal(ledger_counts_get(l).n_turns, 7);
    keep_number(l, 200, 4096); /* larger than all there may be */
    assert_false(is_kept(l, 200));
    assert_int_equal(ledger_counts_get(l).n_turns, 7);
    ledger_close(&l);
}

/* ---- prompts --------------------------------------------------------------------------------- */

static ingle_prompt_info prompt_of(const int32_t *tokens, size_t n, const size_t *marks,
                                   size_t n_marks)
{
    static const int32_t numbers[] = {0, 1, 2, 3};
    return (ingle_prompt_info){.size = sizeof(ingle_prompt_info),
                               .tokens = tokens,
                               .n_tokens = n,
                               .marks = marks,
                               .n_marks = n_marks,
                               .mark_messages = numbers};
}

static ledger_miss compare(ledger *l, const ledger_scope *s, const ingle_prompt_info *p,
                           const char *id, const char *previous)
{
    ledger_miss m;
    ledger_compare(l, s, p, id, previous, &m);
    return m;
}

static void prompts(void **state)
{
    static const size_t marks[] = {4, 8, 12, 16};
    int32_t a[40], b[40];
    ledger *l = open_ledger(0, 0);
    ledger_scope s = plain, tools = plain, model = plain, other = plain;
    (void)state;
    for (int i = 0; i < 40; i++) a[i] = b[i] = 100 + i;
    s.n_system = tools.n_system = 1;
    tools.tools = "[]", tools.n_tools = 2, model.model = 7, other.salt = 9;
    ingle_prompt_info p = prompt_of(a, 20, marks, 3), q = prompt_of(b, 40, marks, 4);
    assert_false(compare(l, &s, &p, "1", NULL).missed);
    assert_false(compare(l, &s, &p, "1", NULL).missed); /* the same again */
    assert_false(compare(l, &s, &q, "2", "1").missed);  /* goes on */
    b[9] = 5;
    ledger_miss m = compare(l, &s, &q, "3", NULL);
    assert_true(m.missed);
    assert_int_equal(m.offset, 9);
    assert_int_equal(m.message, 2);
    assert_string_equal(m.reason, "messages_changed");
    assert_int_equal(m.n_had, 16);
    assert_int_equal(m.had[0], 109);
    assert_int_equal(m.got[0], 5);
    assert_int_equal(m.got[15], 124);
    b[39] = 6; /* the nearest is that of "3" */
    m = compare(l, &s, &q, "4", NULL);
    assert_int_equal(m.offset, 39);
    assert_int_equal(m.message, -1);
    assert_int_equal(m.n_had, 1);
    assert_int_equal(m.had[0], 139);
    m = compare(l, &s, &q, "4", "2");
    assert_int_equal(m.offset, 9);
    b[1] = 5;
    m = compare(l, &s, &q, "5", "2");
    assert_string_equal(m.reason, "system_changed");
    assert_int_equal(m.message, 0);
    m = compare(l, &tools, &q, "6", "2");
    assert_string_equal(m.reason, "tools_changed");
    m = compare(l, &model, &q, "7", "2");
    assert_string_equal(m.reason, "model_changed");
    assert_int_equal(m.n_had, 0);
    m = compare(l, &other, &q, "8", "2"); /* another's */
    assert_string_equal(m.reason, "not_found");
    assert_int_equal(m.n_had + m.n_got, 0);
    b[0] = 1;
    assert_false(compare(l, &(ledger_scope){.salt = 10, .effort = ""}, &q, "9", NULL).missed);
    ledger_close(&l);
}

/* More prompts than are remembered: the oldest go first. */
static void many_prompts(void **state)
{
    ledger *l = open_ledger(0, 0);
    int32_t tokens[2] = {0, 1};
    char id[16];
    (void)state;
    for (int i = 0; i < 100; i++) {
        tokens[0] = i;
        ingle_prompt_info p = prompt_of(tokens, 2, NULL, 0);
        snprintf(id, sizeof id, "%d", i);
        compare(l, &plain, &p, id, NULL);
    }
    tokens[1] = 2;
    for (int i = 0; i < 2; i++) {
        tokens[0] = 35 + 2 * i; /* the first has pushed 36 out */
        ingle_prompt_info p = prompt_of(tokens, 2, NULL, 0);
        snprintf(id, sizeof id, "%d", 35 + 2 * i);
        assert_string_equal(compare(l, &(ledger_scope){.salt = 1, .model = 3}, &p, "x", id).reason,
                            i ? "model_changed" : "not_found");
    }
    ledger_close(&l);
    /* larger than all there may be: not remembered */
    size_t n = (size_t)9 << 20;
    int32_t *large = calloc(n, sizeof *large);
    assert_non_null(large);
    l = open_ledger(0, 0);
    ingle_prompt_info p = prompt_of(large, n, NULL, 0);
    assert_false(compare(l, &plain, &p, "1", NULL).missed);
    assert_string_equal(compare(l, &plain, &p, "2", "1").reason, "");
    for (int i = 0; i < 5; i++) { /* 12 MiB each */
        large[0] = i + 1;
        p.n_tokens = (size_t)3 << 20;
        snprintf(id, sizeof id, "l%d", i);
        compare(l, &plain, &p, id, NULL);
    }
    p.n_tokens = 2;
    assert_string_equal(compare(l, &plain, &p, "x", "l2").reason, "not_found");
    assert_string_equal(compare(l, &plain, &p, "y", "l3").reason, "messages_changed");
    ledger_close(&l);
    free(large);
}

/* ---- against a naive model ------------------------------------------------------------------- */

enum { DEPTH = 4, TURNS = 6 };

/* A conversation of users' and assistants' words in turn. */
typedef struct talk {
    int salt, n; /* pairs */
    int asked[DEPTH], said[DEPTH];
} talk;

typedef struct naive {
    talk turns[TURNS + 1]; /* the one used last first */
    int32_t token[TURNS + 1];
    int n;
} naive;

static uint32_t draw(uint32_t n)
{
    static uint64_t x = 1;
    x = x * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((x >> 33) % n);
}

static bool same_talk(const talk *a, const talk *b)
{
    return a->salt == b->salt && a->n == b->n &&
           !memcmp(a->asked, b->asked, (size_t)a->n * sizeof *a->asked) &&
           !memcmp(a->said, b->said, (size_t)a->n * sizeof *a->said);
}

/* To the front; -1: not there. */
static int32_t naive_use(naive *m, const talk *t)
{
    for (int i = 0; i < m->n; i++) {
        if (!same_talk(&m->turns[i], t)) continue;
        int32_t token = m->token[i];
        memmove(m->turns + 1, m->turns, (size_t)i * sizeof *m->turns);
        memmove(m->token + 1, m->token, (size_t)i * sizeof *m->token);
        m->turns[0] = *t;
        m->token[0] = token;
        return token;
    }
    return -1;
}

static void naive_keep(naive *m, const talk *t, int32_t token)
{
    if (naive_use(m, t) < 0) {
        memmove(m->turns + 1, m->turns, (size_t)m->n * sizeof *m->turns);
        memmove(m->token + 1, m->token, (size_t)m->n * sizeof *m->token);
        m->turns[0] = *t;
        if (++m->n > TURNS) m->n = TURNS;
    }
    m->token[0] = token;
}

static void write_talk(const talk *t, bool last, char *out)
{
    size_t n = (size_t)sprintf(out, "[");
    for (int i = 0; i < t->n; i++) {
        n += (size_t)sprintf(out + n, "{\"role\":\"user\",\"content\":\"%d\"},", t->asked[i]);
        if (i + 1 < t->n || last)
            n += (size_t)sprintf(out + n, "{\"role\":\"assistant\",\"content\":\"%d\"},",
                                 t->said[i]);
    }
    out[n - 1] = ']';
}

static void as_the_naive(void **state)
{
    static const ledger_scope scope[] = {{.salt = 0, .effort = ""}, {.salt = 1, .effort = ""}};
    ledger *l = open_ledger(TURNS, 0);
    naive m = {.n = 0};
    (void)state;
    for (int round = 0; round < 20000; round++) {
        talk t = {.salt = (int)draw(2), .n = 1 + (int)draw(DEPTH)};
        char messages[1024], said[16];
        for (int i = 0; i < t.n; i++) t.asked[i] = (int)draw(2), t.said[i] = (int)draw(2);
        bool keeps = draw(2);
        write_talk(&t, !keeps, messages);
        ledger_found f = find(l, &scope[t.salt], messages, false);
        size_t n = 0;
        talk part = t;
        for (part.n = 1; part.n <= t.n - keeps; part.n++) {
            int32_t token = naive_use(&m, &part);
            if (token < 0) continue;
            assert_true(n < f.n_answers);
            assert_int_equal(f.answers[n].i_message, 2 * part.n - 1);
            assert_int_equal(f.answers[n].n_tokens, 1);
            assert_int_equal(f.answers[n++].tokens[0], token);
        }
        assert_int_equal(n, f.n_answers);
        if (keeps) {
            int32_t token = (int32_t)draw(1000);
            ledger_turn turn = {.text = said, .tokens = &token, .n_tokens = 1};
            turn.n_text = (size_t)snprintf(said, sizeof said, "%d", t.said[t.n - 1]);
            ledger_keep(l, f.key, &turn);
            naive_keep(&m, &t, token);
        }
        ledger_found_free(&f);
        assert_int_equal(ledger_counts_get(l).n_turns, m.n);
    }
    ledger_close(&l);
}

/* ---- without memory -------------------------------------------------------------------------- */

static ingle_status use(ledger *l, ingle_error *err)
{
    static const char messages[] = "[" ASKED "," ANSWER ",{\"role\":\"tool\",\"content\":\"r\"}]";
    static const int32_t tokens[] = {1, 2};
    const ingle_prompt_info p = prompt_of(tokens, 2, NULL, 0);
    ledger_found f;
    ledger_miss m;
    ingle_status st = ledger_find(l, &plain, "[" ASKED "]", strlen("[" ASKED "]"), true, &f, err);
    if (st) return st;
    ledger_keep(l, f.key, &called);
    ledger_found_free(&f);
    st = ledger_find(l, &plain, messages, sizeof messages - 1, true, &f, err);
    if (!st) ledger_compare(l, &plain, &p, "1", NULL, &m);
    ledger_found_free(&f);
    return st;
}

static void all_fail(void **state)
{
    long n = 1, n_failed = 0;
    (void)state;
    for (bool reached = true; reached; n++) {
        ledger *l;
        ingle_error err;
        wrap_alloc_begin(n);
        ingle_status st = ledger_open(&l, 0, 0, &err);
        if (!st) st = use(l, &err);
        ledger_close(&l);
        reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        assert_true(st == INGLE_OK || (reached && st == INGLE_ENOMEM));
        n_failed += st != INGLE_OK; /* what cannot be kept is no failure */
    }
    assert_true(n > 20 && n_failed > 10);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *work(void *arg)
{
    ledger *l = arg;
    for (size_t i = 0; i < 300; i++) {
        const int32_t tokens[] = {1, (int32_t)(i % 7), 2};
        const ingle_prompt_info p = prompt_of(tokens, 3, NULL, 0);
        ledger_miss m;
        keep_number(l, i % 20, 5);
        if (is_kept(l, (i * 7) % 20)) ledger_counts_get(l);
        ledger_compare(l, &plain, &p, "id", NULL, &m);
    }
    return NULL;
}

static void threads(void **state)
{
    pthread_t t[4];
    ledger *l = open_ledger(10, 0);
    (void)state;
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&t[i], NULL, work, l), 0);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    ledger_counts c = ledger_counts_get(l);
    assert_int_equal(c.n_kept, 1200);
    assert_int_equal(c.n_turns, 10);
    ledger_close(&l);
}

/* ---- with a chat ----------------------------------------------------------------------------- */

/* The next prompt begins with the last one and the answer, though the client wrote the arguments in
 * another way and left the thinking out. */
static void next_prompt(void **state)
{
    static const char written[] =
        "<tool_call>{\"arguments\": {\"b\": [true],  \"a\": 1}, \"name\": \"f\"}</tool_call>\n"
        "<tool_call>\n{\"name\":\"g\",\"arguments\":{}}\n</tool_call>";
    static const char asked[] = "[" ASKED "]";
    static const char after[] = "[" ASKED ",{\"role\":\"assistant\",\"content\":null," CALLS
                                "},{\"role\":\"tool\",\"content\":\"r\"}]";
    int32_t tokens[512], *first;
    size_t n, n_first;
    ingle_model *model;
    ingle_model_options mo;
    ingle_chat *chat;
    ingle_chat_input in;
    ingle_prompt *p;
    ingle_prompt_info info = {.size = sizeof info};
    ingle_error err;
    ledger *l = open_ledger(0, 0);
    ledger_miss m;
    (void)state;
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_VOCAB;
    must(ingle_model_open(&model, TINY, &mo, &err), &err);
    must(ingle_chat_open(&chat, model, NULL, &err), &err);
    ingle_chat_input_init(&in);
    in.messages = asked, in.n_messages = sizeof asked - 1;
    must(ingle_chat_render(&p, chat, &in, &err), &err);
    must(ingle_prompt_info_get(p, &info, &err), &err);
    ledger_compare(l, &plain, &info, "1", NULL, &m);
    n_first = info.n_tokens;
    first = malloc(n_first * sizeof *first);
    assert_non_null(first);
    memcpy(first, info.tokens, n_first * sizeof *first);
    ingle_prompt_close(&p);

    must(ingle_tokenize(model, written, sizeof written - 1, INGLE_PARSE_SPECIAL | INGLE_CONTINUE,
                        tokens, 512, &n, &err),
         &err);
    ledger_turn turn = {
        .names = names, .args = args, .n_calls = 2, .tokens = tokens, .n_tokens = n};
    turn.text = "";
    keep(l, &plain, asked, &turn);

    ledger_found f = find(l, &plain, after, true);
    assert_int_equal(f.n_answers, 1);
    in.messages = after, in.n_messages = sizeof after - 1;
    in.answers = f.answers, in.n_answers = f.n_answers;
    must(ingle_chat_render(&p, chat, &in, &err), &err);
    must(ingle_prompt_info_get(p, &info, &err), &err);
    assert_true(info.answers_taken[0]);
    assert_true(info.n_tokens > n_first + n);
    assert_memory_equal(info.tokens, first, n_first * sizeof *first);
    assert_memory_equal(info.tokens + n_first, tokens, n * sizeof *tokens);
    ledger_compare(l, &plain, &info, "2", NULL, &m);
    assert_false(m.missed);
    assert_int_equal(ledger_counts_get(l).n_taken, 1);
    ingle_prompt_close(&p);
    ledger_found_free(&f);
    free(first);
    ledger_close(&l);
    ingle_chat_close(&chat);
    ingle_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations), cmocka_unit_test(scopes),
        cmocka_unit_test(refused),       cmocka_unit_test(thinking_comes_back),
        cmocka_unit_test(bounds),        cmocka_unit_test(prompts),
        cmocka_unit_test(many_prompts),  cmocka_unit_test(as_the_naive),
        cmocka_unit_test(all_fail),      cmocka_unit_test(threads),
        cmocka_unit_test(next_prompt)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
