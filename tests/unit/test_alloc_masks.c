/* test_alloc_masks.c - every allocation of opening a grammar, its states and its masks fails once, and
 * every one of a request that keeps to a grammar: it is reported, and nothing is left. */
#include "requests.h"

#include "wrap_alloc.h"

static const char schema[] =
    "{\"type\":\"object\",\"required\":[\"a\"],\"properties\":{\"a\":{\"$ref\":\"x:y\"},"
    "\"b\":{\"type\":\"array\",\"items\":{\"enum\":[1,\"two\"]},\"maxItems\":3}},\"odd\":1}";
/* With more of what a schema can have, for compiling alone. */
static const char large_schema[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"b\":{\"type\":\"array\",\"items\":{\"enum\":[1,\"two\"]},\"uniqueItems\":true},"
    "\"c\":{\"type\":\"array\",\"contains\":{\"type\":\"null\"},\"minContains\":2},"
    "\"d\":{\"oneOf\":[{\"type\":\"integer\",\"multipleOf\":7,\"maximum\":99},"
    "{\"format\":\"ipv4\"}]}},\"patternProperties\":{\"^e\":{\"not\":{\"type\":\"null\"}}}}";
static const char gbnf[] = "root ::= (\"a\" | b){1,3} <[300]> \"<x>\"\nb ::= b [x-z] | \"b\"";
static const ingle_document documents[] = {{"x:y", "{\"pattern\":\"^[a-c]+$\"}", 22}};
static const ingle_string choices[] = {{"<x>one", 6}, {"<x>two", 6}}, triggers[] = {{"<x>", 3}};
static const ingle_tag tags[] = {{{"<x>", 3}, {"{\"type\":\"null\"}", 15}, {"</x>", 4}}};

enum { KINDS = 6, LARGE = 6 };

static ingle_status open_kind(ingle_grammar **out, int kind, ingle_model *m, ingle_error *err)
{
    ingle_grammar_options opt;
    ingle_grammar_options_init(&opt);
    opt.lenient = true;
    opt.documents = documents;
    opt.n_documents = 1;
    if (kind == 4) {
        opt.lazy = true;
        opt.triggers = triggers;
        opt.n_triggers = 1;
    }
    switch (kind) {
    case 0: return ingle_grammar_open_gbnf(out, m, gbnf, strlen(gbnf), &opt, err);
    case 1: return ingle_grammar_open_schema(out, m, schema, strlen(schema), &opt, err);
    case 2: return ingle_grammar_open_json(out, m, &opt, err);
    case 3: return ingle_grammar_open_regex(out, m, "<x>(a|b)+\\d{2}$", 14, &opt, err);
    case 4: return ingle_grammar_open_choice(out, m, choices, 2, &opt, err);
    case LARGE:
        return ingle_grammar_open_schema(out, m, large_schema, strlen(large_schema), &opt, err);
    default: return ingle_grammar_open_tags(out, m, tags, 1, &opt, err);
    }
}

static const char *text_of(int kind)
{
    static const char *const texts[] = {"abx",       "{\"a\":", "{",       "<x>a",
                                        "free <x>o", "<x>nul",  "{\"b\":["};
    return texts[kind];
}

/* Opens, masks, goes on, masks. */
static ingle_status use(int kind, ingle_model *m, ingle_error *err)
{
    ingle_grammar *g = NULL;
    ingle_grammar_state *s = NULL, *copy = NULL;
    const uint32_t *mask;
    size_t n_good;
    ingle_status st = open_kind(&g, kind, m, err);
    if (!st) st = ingle_grammar_state_open(&s, g, err);
    ingle_grammar_close(&g);
    if (!st) st = ingle_grammar_state_mask(s, &mask, err);
    if (!st) st = ingle_grammar_state_text(s, text_of(kind), strlen(text_of(kind)), &n_good, err);
    if (!st) st = ingle_grammar_state_clone(&copy, s, err);
    if (!st) st = ingle_grammar_state_mask(copy, &mask, err);
    ingle_grammar_state_close(&s);
    ingle_grammar_state_close(&copy);
    return st;
}

/* Some only make something slower: a mask that cannot be kept. Nothing else goes on without memory. */
static void assert_reported(ingle_status st, const ingle_error *err)
{
    if (!st) return;
    if (st != INGLE_ENOMEM) fail_msg("%s: %s", ingle_status_name(st), err->text);
    assert_text(err, "memory");
}

/* A model of its own each time, so that all it keeps is counted too; its own calls come first. */
static void all_fail(void **state)
{
    ingle_error err = {{0}};
    ingle_model_options mo;
    ingle_model *m = NULL;
    (void)state;
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_VOCAB;
    wrap_alloc_begin(0);
    must(ingle_model_open(&m, TINY, &mo, &err), &err);
    const long n_model = wrap_alloc_calls();
    ingle_model_close(&m);
    wrap_alloc_end();
    for (int kind = 0; kind < KINDS; kind++) {
        long n = n_model + 1, n_failed = 0;
        for (bool reached = true; reached; n += SAMPLING_STEP) {
            ingle_status st;
            wrap_alloc_begin(n);
            must(ingle_model_open(&m, TINY, &mo, &err), &err);
            st = use(kind, m, &err);
            reached = wrap_alloc_calls() >= n;
            assert_reported(st, &err);
            n_failed += st != INGLE_OK;
            if (reached && st) must(use(kind, m, &err), &err); /* and it works afterwards */
            ingle_model_close(&m);
            wrap_alloc_end();
            assert_int_equal(wrap_alloc_live(), 0);
            assert_int_equal(wrap_alloc_mapped(), 0);
            if (!reached) assert_int_equal(st, INGLE_OK);
        }
        assert_true(n_failed > 20);
    }
}

/* Without a model. */
static void compiling_fails(void **state)
{
    (void)state;
    for (int kind = 1; kind <= LARGE; kind++) {
        long n = 1;
        for (bool reached = true; reached; n += SAMPLING_STEP) {
            ingle_grammar *g = NULL;
            ingle_grammar_state *s = NULL;
            ingle_error err = {{0}};
            size_t n_good;
            wrap_alloc_begin(n);
            ingle_status st = open_kind(&g, kind, NULL, &err);
            if (!st) st = ingle_grammar_state_open(&s, g, &err);
            if (!st)
                st = ingle_grammar_state_text(s, text_of(kind), strlen(text_of(kind)), &n_good,
                                              &err);
            ingle_grammar_state_close(&s);
            ingle_grammar_close(&g);
            reached = wrap_alloc_end();
            assert_int_equal(wrap_alloc_live(), 0);
            assert_reported(st, &err);
        }
        assert_true(n > 10);
    }
}

/* A request that cannot start, or fails at some token, leaves the session as it was. */
static void requests_fail(void **state)
{
    house h = house_of(128, 2);
    const prompt p = prompt_of(&h, STORY);
    ingle_sampler_options so = sampling_of(0, 1);
    ingle_generate_options go = options_of(24);
    static trail first;
    ingle_grammar *g;
    ingle_error err;
    (void)state;
    must(open_kind(&g, 1, h.model, &err), &err);
    go.sampling = &so;
    go.grammar = g;
    go.n = 2;
    for (long n = 1, reached = 1; reached; n++) {
        static trail t;
        ingle_request *r = NULL;
        memset(&t, 0, sizeof t);
        wrap_alloc_begin(n);
        ingle_status st = ingle_request_start(&r, h.session, p.tokens, p.n, &go, &err);
        for (size_t n_ends = 0; !st && n_ends < 2;) {
            ingle_event e = {.size = sizeof e};
            st = ingle_request_next(r, -1, &e, &err);
            if (st) break;
            if (e.kind == INGLE_EVENT_TOKEN && !e.i_choice) t.tokens[t.n_tokens++] = e.token;
            n_ends += e.kind == INGLE_EVENT_END;
        }
        reached = wrap_alloc_calls() >= n;
        ingle_request_close(&r);
        wrap_alloc_end();
        assert_reported(st, &err);
        if (st) assert_int_equal(n_held(h.session), 0);
        must(ingle_session_truncate(h.session, 0, &err), &err);
        if (!reached) first = t;
    }
    assert_int_equal(first.n_tokens, 24);
    ingle_grammar_close(&g);
    house_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fail),
        cmocka_unit_test(compiling_fails),
        cmocka_unit_test(requests_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
