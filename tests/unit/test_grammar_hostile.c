/* test_grammar_hostile.c - grammars that cost other engines exponential time, all memory or the
 * stack (grammar_hostile.h): each is a grammar or refused by name, with bounded work and memory. A
 * call that needs too much work fails, changes nothing and gives no mask; the grammar and its other
 * states go on. Work is counted in terms and derivatives, not in time (bench/hostile.c has that).
 *
 * With INGLE_DATA the vocabulary is that of Llama 3, else the bundled model's. */
#define _GNU_SOURCE
#include "model/grammar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "grammar_hostile.h"
#include "must.h"
#include "wrap_alloc.h"

enum {
    COMPILE_WORK = 30 * 1000 * 1000, /* term.c */
    CALL_WORK = 1000 * 1000,         /* automaton.c */
    OVER = 100 * 1000,               /* what the last step of a call may be too much */
    MAX_BYTES = 64 << 20,
    MAX_TERMS = 1000 * 1000
};

static ingle_model *model;
static size_t n_vocab;

static void open_model(void)
{
    const char *data = getenv("INGLE_DATA");
    char path[4096] = INGLE_SOURCE_DIR "/models/tiny-chat.gguf";
    ingle_model_options opt;
    ingle_model_info info = {.size = sizeof info};
    ingle_error err = {""};
    ingle_model_options_init(&opt);
    opt.parts = INGLE_PARTS_VOCAB;
    if (data) snprintf(path, sizeof path, "%s/golden/tokenizers/ggml-vocab-llama-bpe.gguf", data);
    must(ingle_model_open(&model, path, &opt, &err), &err);
    must(ingle_model_info_get(model, &info, &err), &err);
    n_vocab = (size_t)info.n_vocab;
}

/* Whatever hostile grammar the model keeps is forgotten for as many small ones. */
static void clear_shelf(void)
{
    ingle_error err = {""};
    for (int i = 0; i < 64; i++) {
        char text[8];
        ingle_grammar *g = NULL;
        size_t n = (size_t)snprintf(text, sizeof text, "x%02d", i);
        must(ingle_grammar_open_regex(&g, model, text, n, NULL, &err), &err);
        ingle_grammar_close(&g);
    }
}

/* ---- what may be done at most ---------------------------------------------------------------- */

typedef struct watch {
    const hostile *h;
    const ingle_grammar *g;
    ingle_automaton_stats before;
    uint64_t most_work, most_nodes;
    size_t most_bytes, n_failed;
} watch;

static void begin_call(watch *w)
{
    ingle_automaton_stats_get(w->g->compiled->automaton, &w->before);
}

static void end_call(watch *w, ingle_status st, const ingle_error *err)
{
    ingle_automaton_stats now;
    ingle_automaton_stats_get(w->g->compiled->automaton, &now);
    uint64_t work = now.work - w->before.work, nodes = now.n_nodes - w->before.n_nodes;
    if (work > w->most_work) w->most_work = work;
    if (nodes > w->most_nodes) w->most_nodes = nodes;
    if (now.bytes > w->most_bytes) w->most_bytes = now.bytes;
    assert_true(work <= CALL_WORK + OVER);
    assert_true(now.bytes <= MAX_BYTES);
    if (!st) return;
    w->n_failed++;
    if (st != INGLE_EUNSUPPORTED || !w->h->limit)
        fail_msg("%s: %s: %s", w->h->name, ingle_status_name(st), err->text);
    assert_true(strlen(err->text) > 20);
}

/* ---- states ---------------------------------------------------------------------------------- */

static ingle_status take_mask(watch *w, ingle_grammar_state *s, const uint32_t **mask)
{
    ingle_error err = {""};
    *mask = (const uint32_t[]){1};
    begin_call(w);
    ingle_status st = ingle_grammar_state_mask(s, mask, &err);
    end_call(w, st, &err);
    assert_int_equal(!st, *mask != NULL); /* not all, not none, but no mask */
    return st;
}

static ingle_status take_text(watch *w, ingle_grammar_state *s, const char *text)
{
    ingle_error err = {""};
    size_t n = strlen(text), n_good = 0;
    for (size_t i = 0; i < n; i++) { /* work is allowed for each byte */
        begin_call(w);
        ingle_status st = ingle_grammar_state_text(s, text + i, 1, &n_good, &err);
        end_call(w, st, &err);
        if (st) return st;
    }
    return INGLE_OK;
}

static bool may_end(ingle_grammar_state *s)
{
    bool may = false;
    must(ingle_grammar_state_ends(s, &may, NULL, NULL), &(ingle_error){"ends"});
    return may;
}

/* A token of the mask goes on, one that is not in it does not. */
static void check_tokens(watch *w, const ingle_grammar_state *s, const uint32_t *mask)
{
    bool done[2] = {false, false};
    for (size_t i = 0; i < n_vocab && !(done[0] && done[1]); i++) {
        bool admitted = mask[i / 32] >> i % 32 & 1;
        ingle_token_info info = {.size = sizeof info};
        must(ingle_token_info_get(model, (int32_t)i, &info, NULL), &(ingle_error){"token"});
        if (done[admitted] || info.eog) continue;
        done[admitted] = true;
        ingle_grammar_state *copy = NULL;
        ingle_error err = {""};
        must(ingle_grammar_state_clone(&copy, s, &err), &err);
        begin_call(w);
        ingle_status st = ingle_grammar_state_accept(copy, (int32_t)i, &err);
        end_call(w, st == INGLE_EFORMAT ? INGLE_OK : st, &err);
        if (st != INGLE_EUNSUPPORTED) assert_int_equal(st, admitted ? INGLE_OK : INGLE_EFORMAT);
        ingle_grammar_state_close(&copy);
    }
}

/* After a call that failed: the same again, and nothing has changed; where others stand is as it
 * was. */
static void check_closed(watch *w, ingle_grammar_state *s)
{
    const bool ended = may_end(s);
    const uint32_t *mask;
    ingle_grammar_state *fresh = NULL;
    ingle_error err = {""};
    take_mask(w, s, &mask);
    assert_int_equal(may_end(s), ended);
    must(ingle_grammar_state_open(&fresh, w->g, &err), &err);
    if (w->h->begin) take_text(w, fresh, w->h->begin);
    if (w->h->n_fill) take_text(w, fresh, w->h->fill);
    take_mask(w, fresh, &mask);
    ingle_grammar_state_close(&fresh);
    must(ingle_grammar_state_reset(s, &err), &err);
    take_mask(w, s, &mask);
}

/* A mask now and then: at first always. */
static bool is_mask_due(int i)
{
    return i < 20 || i % 97 == 0;
}

static ingle_status take_fill(watch *w, ingle_grammar_state *s)
{
    const uint32_t *mask;
    ingle_status st = INGLE_OK;
    for (int i = 0; !st && i < w->h->n_fill; i++) {
        st = take_text(w, s, w->h->fill);
        if (!st && is_mask_due(i)) st = take_mask(w, s, &mask);
    }
    return st;
}

static void walk(watch *w)
{
    const uint32_t *mask = NULL;
    ingle_grammar_state *s = NULL;
    ingle_error err = {""};
    must(ingle_grammar_state_open(&s, w->g, &err), &err);
    ingle_status st = take_mask(w, s, &mask);
    if (!st) check_tokens(w, s, mask);
    if (!st && w->h->begin) st = take_text(w, s, w->h->begin);
    if (!st) st = take_fill(w, s);
    if (st) check_closed(w, s);
    else if (!take_mask(w, s, &mask)) check_tokens(w, s, mask);
    ingle_grammar_state_close(&s);
}

/* ---- each of them ---------------------------------------------------------------------------- */

static void check_refused(const hostile *h, ingle_status st, const ingle_error *err,
                          const ingle_grammar *g)
{
    if (!h->refused) fail_msg("%s: %s: %s", h->name, ingle_status_name(st), err->text);
    assert_true(st == INGLE_EFORMAT || st == INGLE_EUNSUPPORTED);
    assert_text(err, h->refused);
    assert_null(g);
}

static void check_one(const hostile *h)
{
    size_t len;
    char *text = hostile_text(h, &len);
    ingle_grammar *g = NULL;
    ingle_error err = {""};
    ingle_automaton_stats made = {0};
    watch w = {.h = h};
    clear_shelf();
    wrap_alloc_begin(0);
    ingle_status st = hostile_open(&g, model, h, text, len, &err);
    if (st) {
        check_refused(h, st, &err, g);
    } else {
        if (h->refused) fail_msg("%s: is not refused", h->name);
        ingle_automaton_stats_get(g->compiled->automaton, &made);
        assert_true(made.work <= COMPILE_WORK + OVER);
        assert_true(made.n_terms <= MAX_TERMS);
        w.g = g;
        walk(&w);
    }
    ingle_grammar_close(&g);
    wrap_alloc_end();
    free(text);
    double mb = (double)wrap_alloc_peak() / 1e6;
    print_message("%-32s %9llu %8llu %8llu %6.1f MB, peak %6.1f MB%s%s\n", h->name,
                  (unsigned long long)made.work, (unsigned long long)w.most_work,
                  (unsigned long long)w.most_nodes, (double)w.most_bytes / 1e6, mb,
                  w.n_failed ? " | stops" : "", err.text[0] ? " | refused" : "");
    if (wrap_alloc_peak() > MAX_BYTES) fail_msg("%s: takes %.1f MB", h->name, mb);
}

static void check_kind(int kind)
{
    print_message("%-32s %9s %8s %8s\n", "work of", "compiling", "a call", "nodes");
    for (size_t i = 0; i < N_HOSTILE; i++)
        if (hostile_list[i].kind == kind) check_one(&hostile_list[i]);
}

static void test_gbnf(void **state)
{
    (void)state;
    check_kind(HOSTILE_GBNF);
}

static void test_schema(void **state)
{
    (void)state;
    check_kind(HOSTILE_SCHEMA);
    check_kind(HOSTILE_ANY_ORDER);
}

static void test_regex(void **state)
{
    (void)state;
    check_kind(HOSTILE_REGEX);
}

/* ---- texts, triggers, choices ---------------------------------------------------------------- */

static void check_bytes(const ingle_grammar *g)
{
    ingle_grammar_info info = {.size = sizeof info};
    must(ingle_grammar_info_get(g, &info, NULL), &(ingle_error){"info"});
    assert_true(info.n_bytes <= MAX_BYTES);
}

/* Each bracket is to be closed again, so a state is as large as its text is deep. */
static void test_deep_text(void **state)
{
    (void)state;
    enum { N = 200000 };
    static const hostile h = {.name = "deep text", .limit = true};
    ingle_grammar *g = NULL;
    ingle_grammar_state *s = NULL, *copy = NULL;
    ingle_error err = {""};
    const uint32_t *mask;
    char *text = malloc(N);
    size_t n_good = 0;
    assert_non_null(text);
    memset(text, '[', N);
    must(ingle_grammar_open_json(&g, model, NULL, &err), &err);
    must(ingle_grammar_state_open(&s, g, &err), &err);
    must(ingle_grammar_state_text(s, "{\"a\":", 5, &n_good, &err), &err);
    must(ingle_grammar_state_text(s, text, N, &n_good, &err), &err);
    watch w = {.h = &h, .g = g};
    must(ingle_grammar_state_clone(&copy, s, &err), &err);
    take_mask(&w, copy, &mask);
    memset(text, ']', N);
    must(ingle_grammar_state_text(s, text, N, &n_good, &err), &err);
    must(ingle_grammar_state_text(s, "}", 1, &n_good, &err), &err);
    assert_true(may_end(s));
    check_bytes(g);
    free(text);
    ingle_grammar_state_close(&copy);
    ingle_grammar_state_close(&s);
    ingle_grammar_close(&g);
}

/* Triggers of two bytes; each of their bytes begins others. */
static void test_triggers(void **state)
{
    (void)state;
    enum { N = 256 };
    static const hostile h = {.name = "triggers", .limit = true};
    static ingle_string triggers[N];
    static char text[N][2];
    ingle_grammar_options opt;
    ingle_grammar *g = NULL;
    ingle_grammar_state *s = NULL;
    ingle_error err = {""};
    const uint32_t *mask;
    for (size_t i = 0; i < N; i++) {
        text[i][0] = (char)(33 + i % 16);
        text[i][1] = (char)(33 + i / 16);
        triggers[i] = (ingle_string){text[i], 2};
    }
    ingle_grammar_options_init(&opt);
    opt.lazy = true;
    opt.triggers = triggers;
    opt.n_triggers = N;
    static const char any[] = "root ::= [!-~]* \"\\n\"";
    must(ingle_grammar_open_gbnf(&g, model, any, sizeof any - 1, &opt, &err), &err);
    must(ingle_grammar_state_open(&s, g, &err), &err);
    watch w = {.h = &h, .g = g};
    assert_int_equal(take_mask(&w, s, &mask), INGLE_OK);
    assert_int_equal(take_text(&w, s, "free   text ~!"), INGLE_OK);
    assert_int_equal(take_mask(&w, s, &mask), INGLE_OK);
    assert_int_equal(take_text(&w, s, "!!"), INGLE_OK); /* a trigger */
    assert_false(may_end(s));
    assert_int_equal(take_mask(&w, s, &mask), INGLE_OK);
    assert_int_equal(take_text(&w, s, "\n"), INGLE_OK);
    assert_true(may_end(s));
    check_bytes(g);
    ingle_grammar_state_close(&s);
    ingle_grammar_close(&g);
}

/* 100,000 choices of which each begins another one, too. */
static void test_choices(void **state)
{
    (void)state;
    enum { N = 100000 };
    static const hostile h = {.name = "choices"};
    ingle_string *choice = calloc(N, sizeof *choice);
    char *text = malloc(N);
    ingle_grammar *g = NULL;
    ingle_grammar_state *s = NULL;
    ingle_error err = {""};
    const uint32_t *mask;
    assert_true(choice && text);
    memset(text, 'a', N);
    for (size_t i = 0; i < N; i++) choice[i] = (ingle_string){text, 1 + i % 2000};
    must(ingle_grammar_open_choice(&g, model, choice, N, NULL, &err), &err);
    must(ingle_grammar_state_open(&s, g, &err), &err);
    watch w = {.h = &h, .g = g};
    assert_int_equal(take_mask(&w, s, &mask), INGLE_OK);
    text[1999] = 0;
    assert_int_equal(take_text(&w, s, text), INGLE_OK);
    assert_int_equal(take_mask(&w, s, &mask), INGLE_OK);
    assert_true(may_end(s));
    check_bytes(g);
    ingle_grammar_state_close(&s);
    ingle_grammar_close(&g);
    free(choice);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deep_text), cmocka_unit_test(test_triggers),
        cmocka_unit_test(test_choices),   cmocka_unit_test(test_gbnf),
        cmocka_unit_test(test_schema),    cmocka_unit_test(test_regex)};
    open_model();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    ingle_model_close(&model);
    return failed;
}
