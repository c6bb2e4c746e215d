/* test_grammar.c - grammars by their public calls: lifetimes, options, states, the shelf, threads, what
 * waits for a trigger, parts of free text, and requests that keep to a grammar. */
#include "requests.h"

static const char schema[] =
    "{\"type\":\"object\",\"required\":[\"name\",\"age\"],\"additionalProperties\":false,"
    "\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":8},"
    "\"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":120}}}";

static ingle_model *model_of(ingle_parts parts)
{
    ingle_model *m;
    ingle_error err;
    ingle_model_options mo;
    ingle_model_options_init(&mo);
    mo.parts = parts;
    must(ingle_model_open(&m, TINY, &mo, &err), &err);
    return m;
}

static ingle_grammar *gbnf_of(ingle_model *m, const char *text)
{
    ingle_grammar *g;
    ingle_error err;
    must(ingle_grammar_open_gbnf(&g, m, text, strlen(text), NULL, &err), &err);
    return g;
}

static ingle_grammar *regex_of(ingle_model *m, const char *text, const ingle_grammar_options *opt)
{
    ingle_grammar *g;
    ingle_error err;
    must(ingle_grammar_open_regex(&g, m, text, strlen(text), opt, &err), &err);
    return g;
}

static ingle_grammar *schema_of(ingle_model *m, const ingle_grammar_options *opt)
{
    ingle_grammar *g;
    ingle_error err;
    must(ingle_grammar_open_schema(&g, m, schema, strlen(schema), opt, &err), &err);
    return g;
}

static ingle_grammar_state *state_of(const ingle_grammar *g)
{
    ingle_grammar_state *s;
    ingle_error err;
    must(ingle_grammar_state_open(&s, g, &err), &err);
    return s;
}

static ingle_grammar_info info_of(const ingle_grammar *g)
{
    ingle_grammar_info info = {.size = sizeof info};
    ingle_error err;
    must(ingle_grammar_info_get(g, &info, &err), &err);
    return info;
}

static const uint32_t *mask_of(ingle_grammar_state *s)
{
    const uint32_t *mask;
    ingle_error err;
    must(ingle_grammar_state_mask(s, &mask, &err), &err);
    return mask;
}

static bool has(const uint32_t *mask, int32_t token)
{
    return mask[token / 32] >> token % 32 & 1;
}

/* Goes on by a text, all of which is admitted. */
static void feed(ingle_grammar_state *s, const char *text)
{
    size_t n_good;
    ingle_error err;
    must(ingle_grammar_state_text(s, text, strlen(text), &n_good, &err), &err);
    assert_int_equal(n_good, strlen(text));
}

/* As far as it is admitted; what is said to the rest has `part` in it. */
static void feed_until(ingle_grammar_state *s, const char *text, size_t n_want, const char *part)
{
    size_t n_good;
    ingle_error err = {{0}};
    assert_int_equal(ingle_grammar_state_text(s, text, strlen(text), &n_good, &err), INGLE_EFORMAT);
    assert_int_equal(n_good, n_want);
    assert_text(&err, part);
}

static void assert_ends(ingle_grammar_state *s, bool may, bool must_end)
{
    bool a, b;
    ingle_error err;
    must(ingle_grammar_state_ends(s, &a, &b, &err), &err);
    assert_int_equal(a, may);
    assert_int_equal(b, must_end);
}

/* Whether a text belongs to the grammar. */
static bool accepts(const ingle_grammar *g, const char *text, size_t len)
{
    ingle_grammar_state *s = state_of(g);
    size_t n_good;
    bool may_end = false;
    ingle_grammar_state_text(s, text, len, &n_good, NULL);
    ingle_grammar_state_ends(s, &may_end, NULL, NULL);
    ingle_grammar_state_close(&s);
    return may_end && n_good == len;
}

/* ---- lifetimes ---- */

static void lives_on(void **state)
{
    (void)state;
    for (int order = 0; order < 6; order++) {
        static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
        ingle_model *m = model_of(INGLE_PARTS_VOCAB);
        ingle_grammar *g = gbnf_of(m, "root ::= \"a\" [b-d]+");
        ingle_grammar_state *s = state_of(g), *t = state_of(g);
        feed(s, "a");
        for (int i = 0; i < 3; i++) {
            if (orders[order][i] == 0) ingle_model_close(&m);
            if (orders[order][i] == 1) ingle_grammar_close(&g);
            if (orders[order][i] == 2) ingle_grammar_state_close(&t);
            mask_of(s);
            feed(s, "bcd");
        }
        assert_ends(s, true, false);
        assert_null(g);
        assert_null(t);
        ingle_grammar_state_close(&s);
        ingle_grammar_state_close(&s);
        ingle_grammar_close(&g);
    }
    ingle_grammar_close(NULL);
    ingle_grammar_state_close(NULL);
}

/* Without a model there are texts and no tokens. */
static void no_model(void **state)
{
    ingle_grammar *g = gbnf_of(NULL, "root ::= \"one\" | \"two\"");
    ingle_grammar_state *s = state_of(g);
    const uint32_t *mask;
    ingle_error err;
    (void)state;
    assert_int_equal(ingle_grammar_state_mask(s, &mask, &err), INGLE_EINVAL);
    assert_text(&err, "without a model");
    assert_null(mask);
    assert_int_equal(ingle_grammar_state_accept(s, 1, &err), INGLE_EINVAL);
    feed(s, "tw");
    feed_until(s, "ox", 1, "the end");
    assert_ends(s, true, true);
    ingle_grammar_state_close(&s);
    ingle_grammar_close(&g);
    ingle_model *m = model_of(INGLE_PARTS_META);
    assert_int_equal(ingle_grammar_open_json(&g, m, NULL, &err), INGLE_EINVAL);
    assert_text(&err, "without its vocabulary");
    assert_null(g);
    ingle_model_close(&m);
}

/* ---- what is refused ---- */

static void refuses_options(void **state)
{
    static char long_text[4097];
    const ingle_string empty = {"", 0}, one = {"a", 1}, too_long = {long_text, sizeof long_text};
    const ingle_document no_uri = {NULL, "{}", 2}, no_text = {"x:y", NULL, 2};
    const struct {
        bool lazy;
        const ingle_string *triggers;
        size_t n_triggers;
        const ingle_document *documents;
        size_t n_documents;
        const char *named;
    } rows[] = {{true, NULL, 0, NULL, 0, "'lazy'"},
                {false, &one, 1, NULL, 0, "'triggers'"},
                {true, NULL, 1, NULL, 0, "'triggers'"},
                {true, &empty, 1, NULL, 0, "number 0 is empty"},
                {true, &too_long, 1, NULL, 0, "4096"},
                {false, NULL, 0, NULL, 1, "'documents'"},
                {false, NULL, 0, &no_uri, 1, "'documents'"},
                {false, NULL, 0, &no_text, 1, "'documents'"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ingle_grammar *g = (ingle_grammar *)1;
        ingle_error err = {{0}};
        ingle_grammar_options opt;
        ingle_grammar_options_init(&opt);
        opt.lazy = rows[i].lazy;
        opt.triggers = rows[i].triggers;
        opt.n_triggers = rows[i].n_triggers;
        opt.documents = rows[i].documents;
        opt.n_documents = rows[i].n_documents;
        assert_int_equal(ingle_grammar_options_check(&opt, &err), INGLE_EINVAL);
        assert_text(&err, rows[i].named);
        assert_int_equal(ingle_grammar_open_json(&g, NULL, &opt, &err), INGLE_EINVAL);
        assert_text(&err, rows[i].named);
        assert_null(g);
    }
    ingle_grammar_options opt;
    ingle_grammar_options_init(&opt);
    opt.size += 8;
    ingle_error err;
    assert_int_equal(ingle_grammar_options_check(&opt, &err), INGLE_EINVAL);
    assert_text(&err, "newer");
}

static void refuses_grammars(void **state)
{
    ingle_grammar *g;
    ingle_error err;
    const ingle_string none = {NULL, 1};
    const ingle_tag bad[] = {{{"", 0}, {"{}", 2}, {"", 0}}, {{"<a>", 3}, {"{]", 2}, {"", 0}}};
    const ingle_grammar_options *no = NULL;
    (void)state;
    assert_int_equal(ingle_grammar_open_gbnf(&g, NULL, "root ::= a\na ::= a", 18, no, &err),
                     INGLE_EFORMAT);
    assert_text(&err, "'root'");
    assert_int_equal(ingle_grammar_open_gbnf(&g, NULL, "root ::= <[1]>", 14, no, &err),
                     INGLE_EUNSUPPORTED);
    assert_int_equal(ingle_grammar_open_gbnf(&g, NULL, "root := 1", 9, no, &err), INGLE_EFORMAT);
    assert_text(&err, "line 1, column 6");
    assert_int_equal(ingle_grammar_open_regex(&g, NULL, "(a", 2, no, &err), INGLE_EFORMAT);
    assert_text(&err, "column 1");
    assert_int_equal(ingle_grammar_open_regex(&g, NULL, "(a)\\1", 5, no, &err), INGLE_EUNSUPPORTED);
    assert_int_equal(ingle_grammar_open_gbnf(&g, NULL, NULL, 0, no, &err), INGLE_EFORMAT);
    assert_int_equal(ingle_grammar_open_schema(&g, NULL, NULL, 0, no, &err), INGLE_EFORMAT);
    must(ingle_grammar_open_regex(&g, NULL, NULL, 0, no, &err), &err);
    assert_true(accepts(g, "", 0) && !accepts(g, "a", 1));
    ingle_grammar_close(&g);
    assert_int_equal(ingle_grammar_open_choice(&g, NULL, NULL, 0, no, &err), INGLE_EINVAL);
    assert_int_equal(ingle_grammar_open_choice(&g, NULL, &none, 1, no, &err), INGLE_EINVAL);
    assert_text(&err, "choice 0");
    assert_int_equal(ingle_grammar_open_schema(&g, NULL, "[", 1, no, &err), INGLE_EFORMAT);
    assert_int_equal(ingle_grammar_open_schema(&g, NULL, "false", 5, no, &err), INGLE_EFORMAT);
    assert_int_equal(ingle_grammar_open_schema(&g, NULL, "{\"a\":1}", 7, no, &err),
                     INGLE_EUNSUPPORTED);
    assert_text(&err, "'a'");
    assert_int_equal(ingle_grammar_open_tags(&g, NULL, NULL, 0, no, &err), INGLE_EINVAL);
    assert_int_equal(ingle_grammar_open_tags(&g, NULL, bad, 1, no, &err), INGLE_EINVAL);
    assert_text(&err, "tag 0");
    assert_int_equal(ingle_grammar_open_tags(&g, NULL, bad + 1, 1, no, &err), INGLE_EFORMAT);
    assert_null(g);
}

static void lists_what_it_drops(void **state)
{
    static const char odd[] = "{\"properties\":{\"a\":{\"frobnicate\":1,\"type\":\"null\"}}}";
    ingle_grammar *g;
    ingle_error err;
    ingle_grammar_options opt;
    (void)state;
    ingle_grammar_options_init(&opt);
    opt.lenient = true;
    must(ingle_grammar_open_schema(&g, NULL, odd, strlen(odd), &opt, &err), &err);
    assert_int_equal(info_of(g).n_dropped, 1);
    assert_non_null(strstr(info_of(g).dropped[0], "#/properties/a: frobnicate: "));
    assert_true(accepts(g, "{\"a\": null}", 11));
    assert_false(accepts(g, "{\"a\": 1}", 8));
    ingle_grammar_close(&g);
}

/* ---- states ---- */

static void states_are_apart(void **state)
{
    ingle_model *m = model_of(INGLE_PARTS_VOCAB);
    ingle_grammar *g = gbnf_of(m, "root ::= \"ab\" [0-9]+ \"!\"");
    ingle_grammar_state *a = state_of(g), *b = state_of(g), *c;
    ingle_error err;
    (void)state;
    feed(a, "ab1");
    mask_of(b);
    feed_until(b, "b", 0, "'a'");
    must(ingle_grammar_state_clone(&c, a, &err), &err);
    feed(c, "2!");
    assert_ends(c, true, true);
    assert_ends(a, false, false);
    feed_until(a, "3?", 1, "'!'");
    feed(a, "4");
    must(ingle_grammar_state_reset(c, &err), &err);
    assert_ends(c, false, false);
    feed(c, "ab");
    feed_until(c, "!", 0, "'0' to '9'");
    assert_memory_equal(mask_of(b), mask_of(b), N_VOCAB / 8);
    ingle_grammar_close(&g);
    ingle_grammar_state_close(&a);
    must(ingle_grammar_state_clone(&a, c, &err), &err);
    feed(a, "7");
    ingle_grammar_state_close(&a);
    ingle_grammar_state_close(&b);
    ingle_grammar_state_close(&c);
    ingle_model_close(&m);
}

/* A token that ends no text, and one beyond the vocabulary. */
static void refuses_tokens(void **state)
{
    ingle_model *m = model_of(INGLE_PARTS_VOCAB);
    ingle_grammar *g = gbnf_of(m, "root ::= [0-9]");
    ingle_grammar_state *s = state_of(g);
    ingle_model_info info = {.size = sizeof info};
    ingle_error err;
    (void)state;
    must(ingle_model_info_get(m, &info, &err), &err);
    assert_int_equal(ingle_grammar_state_accept(s, -1, &err), INGLE_EINVAL);
    assert_int_equal(ingle_grammar_state_accept(s, 1 << 30, &err), INGLE_EINVAL);
    assert_int_equal(ingle_grammar_state_accept(s, info.token_eos, &err), INGLE_EFORMAT);
    assert_text(&err, "'0' to '9'");
    assert_false(has(mask_of(s), info.token_eos));
    feed(s, "7");
    assert_true(has(mask_of(s), info.token_eos));
    assert_int_equal(ingle_grammar_state_accept(s, info.token_eos, &err), INGLE_EFORMAT);
    ingle_grammar_state_close(&s);
    ingle_grammar_close(&g);
    ingle_model_close(&m);
}

/* The mask admits a token exactly where its bytes are admitted as text. */
static void assert_mask_is_right(ingle_model *m, ingle_grammar_state *s)
{
    static uint32_t mask[(N_VOCAB + 31) / 32];
    bool may_end;
    ingle_error err;
    memcpy(mask, mask_of(s), sizeof mask);
    must(ingle_grammar_state_ends(s, &may_end, NULL, &err), &err);
    for (int32_t i = 0; i < N_VOCAB; i++) {
        ingle_token_info token = {.size = sizeof token};
        ingle_grammar_state *next;
        must(ingle_token_info_get(m, i, &token, &err), &err);
        if (token.eog || token.control) {
            assert_int_equal(has(mask, i), token.eog && may_end);
            continue;
        }
        must(ingle_grammar_state_clone(&next, s, &err), &err);
        char text[256];
        size_t n = 0, n_good = 0;
        must(ingle_detokenize(m, &i, 1, INGLE_CONTINUE, text, sizeof text, &n, &err), &err);
        ingle_status st =
            n ? ingle_grammar_state_text(next, text, n, &n_good, &err) : INGLE_EFORMAT;
        ingle_grammar_state_close(&next);
        if (has(mask, i) != (st == INGLE_OK))
            fail_msg("token %d '%.*s': the mask says %d", i, (int)n, text, has(mask, i));
    }
}

static void masks_are_right(void **state)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "{\"na",
                                        "{\"name\": \"",
                                        "{\"name\": \"M",
                                        "{\"name\": \"Ab\xc3",
                                        "{\"name\": \"Mia\", \"age\": 1",
                                        "{\"name\": \"Mia\", \"age\": 12}"};
    ingle_model *m = model_of(INGLE_PARTS_VOCAB);
    ingle_grammar *g = schema_of(m, NULL);
    ingle_error err;
    (void)state;
    ingle_grammar_state *s = state_of(g);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        must(ingle_grammar_state_reset(s, &err), &err);
        feed(s, texts[i]);
        assert_mask_is_right(m, s);
    }
    assert_ends(s, true, true);
    ingle_grammar_state_close(&s);
    ingle_grammar_close(&g);
    ingle_model_close(&m);
}

/* ---- the shelf ---- */

static void opens_again_for_nothing(void **state)
{
    ingle_model *m = model_of(INGLE_PARTS_VOCAB);
    ingle_grammar *a = schema_of(m, NULL), *b = schema_of(m, NULL), *c;
    ingle_grammar_options opt;
    ingle_grammar_state *s = state_of(a);
    (void)state;
    mask_of(s);
    ingle_grammar_state_close(&s);
    assert_int_equal(info_of(a).n_masks, 1);
    assert_int_equal(info_of(b).n_masks, 1);
    const uint64_t n_hits = info_of(b).n_hits;
    s = state_of(b);
    mask_of(s);
    ingle_grammar_state_close(&s);
    assert_int_equal(info_of(a).n_masks, 1);
    assert_int_equal(info_of(a).n_hits, n_hits + 1);
    assert_int_equal(info_of(a).n_bytes, info_of(b).n_bytes);
    ingle_grammar_options_init(&opt);
    opt.compact = true;
    c = schema_of(m, &opt);
    assert_int_equal(info_of(c).n_masks, 0); /* that is another one */
    ingle_grammar_close(&c);
    ingle_grammar_close(&a);
    ingle_grammar_close(&b);
    a = schema_of(m, NULL);
    assert_int_equal(info_of(a).n_masks, 1); /* the model kept it */
    for (int i = 0; i < 40; i++) {           /* until others have come */
        char text[32];
        snprintf(text, sizeof text, "root ::= \"%d\"", i);
        c = gbnf_of(m, text);
        ingle_grammar_close(&c);
    }
    b = schema_of(m, NULL);
    assert_int_equal(info_of(b).n_masks, 0);
    assert_int_equal(info_of(a).n_masks, 1);
    ingle_grammar_close(&a);
    ingle_grammar_close(&b);
    ingle_model_close(&m);
}

/* Kinds whose texts are alike, texts that are divided otherwise, triggers and documents. */
static void keys_differ(void **state)
{
    const ingle_string ab[] = {{"a", 1}, {"b", 1}}, joined[] = {{"ab", 2}};
    const ingle_string trigger = {"a", 1};
    const ingle_string words[] = {{"a", 1}, {"documents", 9}, {"x", 1}};
    const ingle_document document = {"x", "documents", 9};
    ingle_model *m = model_of(INGLE_PARTS_VOCAB);
    ingle_grammar *g[6];
    ingle_grammar_options opt;
    ingle_error err;
    (void)state;
    ingle_grammar_options_init(&opt);
    opt.documents = &document;
    opt.n_documents = 1;
    must(ingle_grammar_open_choice(&g[4], m, words, 3, NULL, &err), &err);
    must(ingle_grammar_open_choice(&g[5], m, words, 1, &opt, &err), &err);
    assert_true(accepts(g[4], "x", 1));
    assert_false(accepts(g[5], "x", 1));
    ingle_grammar_options_init(&opt);
    opt.lazy = true;
    opt.triggers = &trigger;
    opt.n_triggers = 1;
    must(ingle_grammar_open_choice(&g[0], m, ab, 2, NULL, &err), &err);
    must(ingle_grammar_open_choice(&g[1], m, joined, 1, NULL, &err), &err);
    must(ingle_grammar_open_regex(&g[2], m, "ab", 2, NULL, &err), &err);
    must(ingle_grammar_open_regex(&g[3], m, "ab", 2, &opt, &err), &err);
    assert_true(accepts(g[0], "a", 1) && !accepts(g[0], "ab", 2));
    assert_true(accepts(g[1], "ab", 2) && !accepts(g[1], "a", 1));
    assert_true(accepts(g[2], "ab", 2) && !accepts(g[2], "xab", 3));
    assert_true(accepts(g[3], "xab", 3) && !accepts(g[3], "xac", 3));
    for (size_t i = 0; i < 6; i++) ingle_grammar_close(&g[i]);
    ingle_model_close(&m);
}

/* ---- threads ---- */

typedef struct walker {
    ingle_model *model;
    uint32_t seed;
    pthread_t thread;
} walker;

static uint32_t next_random(uint32_t *seed)
{
    return *seed = *seed * 1664525u + 1013904223u, *seed >> 8;
}

/* From admitted token to admitted token. */
static void walk(ingle_grammar *g, uint32_t *seed)
{
    ingle_grammar_state *s = state_of(g), *copy;
    bool must_end = false;
    ingle_error err;
    for (int step = 0; step < 40 && !must_end; step++) {
        const uint32_t *mask = mask_of(s);
        int32_t token = (int32_t)(next_random(seed) % N_VOCAB);
        for (int32_t i = 0; i < N_VOCAB && !has(mask, token); i++) token = (token + 1) % N_VOCAB;
        assert_true(has(mask, token));
        must(ingle_grammar_state_clone(&copy, s, &err), &err);
        if (ingle_grammar_state_accept(s, token, &err)) { /* an end */
            must_end = true;
            assert_ends(s, true, false);
        } else {
            must(ingle_grammar_state_accept(copy, token, &err), &err);
            must(ingle_grammar_state_ends(s, NULL, &must_end, &err), &err);
        }
        ingle_grammar_state_close(&copy);
    }
    ingle_grammar_state_close(&s);
}

static void *walk_along(void *user)
{
    walker *w = user;
    for (int i = 0; i < 6; i++) {
        ingle_grammar *g = i % 3 == 0   ? schema_of(w->model, NULL)
                           : i % 3 == 1 ? gbnf_of(w->model, "root ::= ([a-z]+ \" \"){2,5} [.!?]")
                                        : regex_of(w->model, "[a-z ]*x", NULL);
        walk(g, &w->seed);
        info_of(g);
        ingle_grammar_close(&g);
    }
    return NULL;
}

static void threads_share(void **state)
{
    enum { N = 4 };
    walker w[N];
    ingle_model *m = model_of(INGLE_PARTS_VOCAB);
    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        w[i] = (walker){.model = m, .seed = i};
        assert_int_equal(pthread_create(&w[i].thread, NULL, walk_along, &w[i]), 0);
    }
    for (size_t i = 0; i < N; i++) assert_int_equal(pthread_join(w[i].thread, NULL), 0);
    ingle_model_close(&m);
}

/* ---- what waits for a trigger ---- */

static void waits_for_a_trigger(void **state)
{
    const ingle_string triggers[] = {{"<call>", 6}, {"<calls>", 7}};
    ingle_model *m = model_of(INGLE_PARTS_VOCAB);
    ingle_grammar_options opt;
    ingle_error err;
    ingle_grammar_state *copy;
    (void)state;
    ingle_grammar_options_init(&opt);
    opt.lazy = true;
    opt.triggers = triggers;
    opt.n_triggers = 2;
    ingle_grammar *g = regex_of(m, "<calls?>[0-9]+</calls?>", &opt), *none;
    ingle_grammar_state *s = state_of(g);
    feed(s, "Free \xff text, <cal");
    assert_ends(s, true, false);
    must(ingle_grammar_state_clone(&copy, s, &err), &err);
    feed(copy, "amity <call");
    assert_ends(copy, true, false);
    feed(copy, "s>12");
    assert_ends(copy, false, false);
    feed_until(copy, "x", 0, "'0' to '9', '<'");
    feed(copy, "</call>");
    assert_ends(copy, true, true);
    feed(s, "l>");
    assert_mask_is_right(m, s);
    feed_until(s, "a", 0, "'0' to '9'");
    must(ingle_grammar_state_reset(s, &err), &err);
    assert_ends(s, true, false);
    ingle_grammar_state_close(&s);
    ingle_grammar_state_close(&copy);
    ingle_grammar_close(&g);
    assert_int_equal(ingle_grammar_open_regex(&none, m, "[a-z]*", 6, &opt, &err), INGLE_EINVAL);
    assert_text(&err, "trigger 0");
    ingle_model_close(&m);
}

/* ---- parts of free text ---- */

static void parts_have_a_form(void **state)
{
    const ingle_tag tags[] = {{{"<a>", 3}, {"{\"type\":\"integer\"}", 18}, {"</a>", 4}},
                              {{"<ab>", 4}, {"{\"enum\":[\"x\"]}", 14}, {"", 0}},
                              {{"<a>!", 4}, {"{\"type\":\"null\"}", 15}, {"</a>", 4}}};
    ingle_model *m = model_of(INGLE_PARTS_VOCAB);
    ingle_grammar *g;
    ingle_error err;
    (void)state;
    must(ingle_grammar_open_tags(&g, m, tags, 3, NULL, &err), &err);
    assert_true(accepts(g, "", 0));
    assert_true(accepts(g, "free < text <a", 14));
    assert_true(accepts(g, "so <a>12</a> and <ab>\"x\" and <a>3</a>.", 39));
    assert_true(accepts(g, "<a>!null</a>", 12));
    assert_false(accepts(g, "<a>", 3));
    assert_false(accepts(g, "<a>null</a>", 11));
    assert_false(accepts(g, "<ab>\"y\"", 7));
    ingle_grammar_state *s = state_of(g);
    feed(s, "so <a>1");
    assert_mask_is_right(m, s);
    feed_until(s, "2x", 1, "'<'");
    ingle_grammar_state_close(&s);
    ingle_grammar_close(&g);
    ingle_model_close(&m);
}

/* ---- requests ---- */

static void other_models_are_refused(void **state)
{
    house h = house_of(64, 1);
    ingle_model *other = model_of(INGLE_PARTS_VOCAB);
    ingle_grammar *of_other = gbnf_of(other, "root ::= \"a\""),
                  *of_none = gbnf_of(NULL, "root ::= \"a\"");
    const prompt p = prompt_of(&h, STORY);
    ingle_generate_options go = options_of(4);
    ingle_request *r;
    ingle_error err;
    (void)state;
    go.grammar = of_other;
    assert_int_equal(ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err), INGLE_EINVAL);
    assert_text(&err, "'grammar' was opened for another model");
    go.grammar = of_none;
    assert_int_equal(ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err), INGLE_EINVAL);
    assert_text(&err, "'grammar' was opened without a model");
    assert_int_equal(n_held(h.session), 0);
    ingle_grammar_close(&of_other);
    ingle_grammar_close(&of_none);
    ingle_model_close(&other);
    house_close(&h);
}

/* Whatever the sampler, the text belongs to the grammar, which may be closed once the request is. */
static void keeps_to_it(void **state)
{
    house h = house_of(512, 1);
    const prompt p = prompt_of(&h, STORY);
    (void)state;
    for (size_t i = 0; i < N_SAMPLINGS; i += SAMPLING_STEP) {
        ingle_sampler_options so = sampling_of(i, 40 + i);
        ingle_generate_options go = options_of(300);
        ingle_grammar *own = schema_of(h.model, NULL), *g = schema_of(h.model, NULL);
        trail t = {.len = 0};
        ingle_error err;
        if (so.temperature > 0) so.temperature = 2;
        go.sampling = &so;
        go.grammar = own;
        must(ingle_session_truncate(h.session, 0, &err), &err);
        ingle_request *r = start(h.session, &p, &go);
        ingle_grammar_close(&own);
        read_all(r, &t);
        ingle_request_close(&r);
        assert_int_equal(t.status, INGLE_OK);
        if (t.finish == INGLE_FINISH_STOP && !accepts(g, t.text, t.len))
            fail_msg("settings %zu: \"%s\"", i, t.text);
        assert_int_equal(t.finish, INGLE_FINISH_STOP);
        ingle_grammar_close(&g);
    }
    house_close(&h);
}

/* Tokens that alone can come take no draw, so the sampler is as it was. A text that alone can come may
 * be divided into tokens in several ways; it is the same with every seed. */
static void forced_tokens_take_no_draws(void **state)
{
    const ingle_string only = {"The capital of France is Paris.", 31};
    house h = house_of(128, 1);
    const prompt p = prompt_of(&h, STORY);
    ingle_sampler_options so = sampling_of(2, 7);
    so.penalty_last_n = 0;
    ingle_sampler *sampler = sampler_of(&h, &so), *fresh = sampler_of(&h, &so);
    ingle_generate_options go = options_of(64);
    ingle_grammar *g = gbnf_of(h.model, "root ::= <[302]> <[410]>{8} <[700]>");
    static float logits[N_VOCAB];
    static trail t;
    ingle_error err;
    (void)state;
    go.grammar = g;
    run_generate(h.session, sampler, &p, &go, &t);
    assert_int_equal(t.n_tokens, 10);
    assert_int_equal(t.finish, INGLE_FINISH_STOP);
    for (size_t i = 0; i < 10; i++) assert_int_equal(t.tokens[i], i == 0 ? 302 : i < 9 ? 410 : 700);
    for (int i = 0; i < N_VOCAB; i++) logits[i] = (float)(i * 37 % 101) / 50;
    for (int i = 0; i < 20; i++) {
        ingle_candidate a, b;
        must(ingle_sampler_sample(sampler, logits, &a, &err), &err);
        must(ingle_sampler_sample(fresh, logits, &b, &err), &err);
        assert_int_equal(a.token, b.token);
    }
    ingle_grammar_close(&g);
    must(ingle_grammar_open_choice(&g, h.model, &only, 1, NULL, &err), &err);
    go.grammar = g;
    for (uint64_t i = 0; i < 8; i++) {
        static trail of_seed;
        memset(&of_seed, 0, sizeof of_seed);
        so.seed = 1000 + i;
        go.sampling = &so;
        run_request(h.session, &p, &go, &of_seed);
        assert_string_equal(of_seed.text, only.text);
        assert_int_equal(of_seed.finish, INGLE_FINISH_STOP);
    }
    ingle_grammar_close(&g);
    ingle_sampler_close(&sampler);
    ingle_sampler_close(&fresh);
    house_close(&h);
}

static size_t only_one(const uint32_t *mask, int32_t *token)
{
    size_t n = 0;
    for (int32_t i = 0; i < N_VOCAB; i++)
        if (has(mask, i)) n++, *token = i;
    return n;
}

/* Eval, mask, sample: what a caller can write, and what a request does. */
static void equals_own_loop(void **state)
{
    static const char text[] = "root ::= \"It was \" [a-z]{3,9} \" in \" (\"May\" | \"June\") [.!]";
    house h = house_of(256, 1);
    const prompt p = prompt_of(&h, STORY);
    ingle_grammar *g = gbnf_of(h.model, text);
    static float logits[N_VOCAB];
    ingle_error err;
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        ingle_sampler_options so = sampling_of(2, seed);
        ingle_generate_options go = options_of(60);
        static trail t;
        bool must_end = false;
        const float *row;
        memset(&t, 0, sizeof t);
        go.sampling = &so;
        go.grammar = g;
        run_request(h.session, &p, &go, &t);
        ingle_sampler *sampler = sampler_of(&h, &so);
        ingle_grammar_state *s = state_of(g);
        must(ingle_session_truncate(h.session, 0, &err), &err);
        for (size_t i = 0; i < p.n; i++)
            must(ingle_sampler_accept(sampler, p.tokens[i], &err), &err);
        must(ingle_session_eval(h.session, p.tokens, p.n, INGLE_ROWS_LAST, &err), &err);
        for (size_t n = 0; n < t.n_tokens; n++) {
            const uint32_t *mask = mask_of(s);
            ingle_candidate c;
            assert_false(must_end);
            must(ingle_session_logits(h.session, 0, &row, &err), &err);
            for (int32_t i = 0; i < N_VOCAB; i++) logits[i] = has(mask, i) ? row[i] : -INFINITY;
            if (only_one(mask, &c.token) != 1)
                must(ingle_sampler_sample(sampler, logits, &c, &err), &err);
            assert_int_equal(c.token, t.tokens[n]);
            must(ingle_sampler_accept(sampler, c.token, &err), &err);
            must(ingle_grammar_state_accept(s, c.token, &err), &err);
            must(ingle_grammar_state_ends(s, NULL, &must_end, &err), &err);
            must(ingle_session_eval(h.session, &c.token, 1, INGLE_ROWS_LAST, &err), &err);
        }
        assert_true(must_end);
        assert_int_equal(t.finish, INGLE_FINISH_STOP);
        ingle_sampler_close(&sampler);
        ingle_grammar_state_close(&s);
    }
    ingle_grammar_close(&g);
    house_close(&h);
}

typedef struct answers {
    trail of[4];
    size_t n_ends;
} answers;

/* Each of several answers has a state of its own, and says what a request of its seed says. */
static void several_answers(void **state)
{
    static answers all;
    house h = house_of(256, 4);
    const prompt p = prompt_of(&h, STORY);
    ingle_sampler_options so = sampling_of(2, 30);
    ingle_generate_options go = options_of(60);
    ingle_grammar *g = regex_of(h.model, "[A-Z][a-z]{2,8} (is|was) [0-9]{1,3}\\.", NULL);
    ingle_error err;
    (void)state;
    go.n = 4;
    go.sampling = &so;
    go.grammar = g;
    ingle_request *r = start(h.session, &p, &go);
    while (all.n_ends < 4) {
        ingle_event e = {.size = sizeof e};
        must(ingle_request_next(r, -1, &e, &err), &err);
        if (e.kind == INGLE_EVENT_PROMPT) {
            for (size_t i = 0; i < 4; i++) all.of[i].n_done = e.n_done;
            continue;
        }
        note_event(&all.of[e.i_choice], &e);
        all.n_ends += e.kind == INGLE_EVENT_END;
    }
    ingle_request_close(&r);
    go.n = 1;
    for (size_t i = 0; i < 4; i++) {
        static trail alone;
        memset(&alone, 0, sizeof alone);
        so.seed = 30 + i;
        run_request(h.session, &p, &go, &alone);
        assert_true(accepts(g, all.of[i].text, all.of[i].len));
        assert_string_equal(all.of[i].text, alone.text);
    }
    ingle_grammar_close(&g);
    house_close(&h);
}

typedef struct caller {
    house *h;
    ingle_session *session;
    ingle_grammar *grammar;
    uint64_t seed;
    trail t;
    pthread_t thread;
} caller;

static void *generate_along(void *user)
{
    caller *c = user;
    const prompt p = prompt_of(c->h, STORY);
    const ingle_sampler_options so = sampling_of(2, c->seed);
    ingle_generate_options go = options_of(80);
    ingle_sampler *sampler = sampler_of(c->h, &so);
    go.grammar = c->grammar;
    run_generate(c->session, sampler, &p, &go, &c->t);
    ingle_sampler_close(&sampler);
    return NULL;
}

/* Callers that generate at once share a grammar, and say what they say alone. */
static void callers_share(void **state)
{
    enum { N = 4 };
    static caller c[N];
    house h = house_of(128, N + 1);
    const prompt p = prompt_of(&h, STORY);
    ingle_grammar *g = schema_of(h.model, NULL);
    (void)state;
    for (size_t i = 0; i < N; i++) {
        c[i] = (caller){.h = &h, .session = another_session(&h), .grammar = g, .seed = i};
        assert_int_equal(pthread_create(&c[i].thread, NULL, generate_along, &c[i]), 0);
    }
    for (size_t i = 0; i < N; i++) assert_int_equal(pthread_join(c[i].thread, NULL), 0);
    for (size_t i = 0; i < N; i++) {
        static trail alone;
        const ingle_sampler_options so = sampling_of(2, i);
        ingle_generate_options go = options_of(80);
        memset(&alone, 0, sizeof alone);
        go.sampling = &so;
        go.grammar = g;
        run_request(h.session, &p, &go, &alone);
        assert_string_equal(c[i].t.text, alone.text);
        assert_true(alone.finish == INGLE_FINISH_LENGTH || accepts(g, alone.text, alone.len));
        ingle_session_close(&c[i].session);
    }
    ingle_grammar_close(&g);
    house_close(&h);
}

/* Ends where nothing can follow, at an end token where the text may end, and where it is cut. */
static void ends(void **state)
{
    house h = house_of(128, 1);
    const prompt p = prompt_of(&h, STORY);
    ingle_sampler_options so = sampling_of(0, 1);
    ingle_generate_options go = options_of(5);
    ingle_logit_bias bias = {0, 1000};
    ingle_model_info info = {.size = sizeof info};
    ingle_error err;
    static trail cut, ended, whole;
    (void)state;
    must(ingle_model_info_get(h.model, &info, &err), &err);
    go.sampling = &so;
    ingle_grammar *g = regex_of(h.model, "[a-z ]{90}", NULL),
                  *star = regex_of(h.model, "[a-z]{3}[a-z ]*", NULL);
    go.grammar = g;
    run_request(h.session, &p, &go, &cut);
    assert_int_equal(cut.finish, INGLE_FINISH_LENGTH);
    assert_int_equal(cut.n_tokens, 5);
    ingle_grammar_state *s = state_of(g);
    feed(s, cut.text);
    assert_ends(s, false, false);
    ingle_grammar_state_close(&s);
    go.max_tokens = 60;
    run_request(h.session, &p, &go, &whole);
    assert_int_equal(whole.finish, INGLE_FINISH_STOP);
    assert_int_equal(whole.len, 90);
    bias.token = info.token_eos; /* the likeliest of all, as soon as it is admitted */
    so.logit_bias = &bias;
    so.n_logit_bias = 1;
    go.grammar = star;
    run_request(h.session, &p, &go, &ended);
    assert_int_equal(ended.finish, INGLE_FINISH_STOP);
    assert_true(ended.len >= 3 && ended.n_tokens <= 3);
    ingle_grammar_close(&g);
    ingle_grammar_close(&star);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives_on),
        cmocka_unit_test(no_model),
        cmocka_unit_test(refuses_options),
        cmocka_unit_test(refuses_grammars),
        cmocka_unit_test(lists_what_it_drops),
        cmocka_unit_test(states_are_apart),
        cmocka_unit_test(refuses_tokens),
        cmocka_unit_test(masks_are_right),
        cmocka_unit_test(opens_again_for_nothing),
        cmocka_unit_test(keys_differ),
        cmocka_unit_test(threads_share),
        cmocka_unit_test(waits_for_a_trigger),
        cmocka_unit_test(parts_have_a_form),
        cmocka_unit_test(other_models_are_refused),
        cmocka_unit_test(keeps_to_it),
        cmocka_unit_test(forced_tokens_take_no_draws),
        cmocka_unit_test(equals_own_loop),
        cmocka_unit_test(several_answers),
        cmocka_unit_test(callers_share),
        cmocka_unit_test(ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
