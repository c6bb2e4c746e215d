/* Texts that are read in another direction than the model was made for: the bits are those of a file
 * that says so itself; generations beside them and what others share keep theirs; what is refused
 * changes nothing. Against a reference: tests/golden/test_encoders.c. */
#define _GNU_SOURCE
#include "encoder_build.h"
#include "exact/exact.h"
#include "requests.h"

enum { LONGEST = 150, N_TEXTS = 5 };

static const size_t lengths[N_TEXTS] = {1, 5, 40, 33, LONGEST};

typedef struct opened {
    ingle_model *model;
    ingle_engine *engine;
    ingle_session *session[3];
    ingle_model_info info;
} opened;

/* causal: what the key attention.causal says in place of the file; -1: as the file says. */
static opened open_file(const char *path, const char *arch, int causal, int32_t n_batch)
{
    opened o = {.info = {.size = sizeof o.info}};
    ingle_error err;
    ingle_model_options mo;
    ingle_engine_options eo;
    char key[96];
    const char *override = key;
    snprintf(key, sizeof key, "%s.attention.causal=bool:%s", arch, causal ? "true" : "false");
    ingle_model_options_init(&mo);
    ingle_engine_options_init(&eo);
    if (causal >= 0) mo.overrides = &override, mo.n_overrides = 1;
    eo.n_ctx = 320, eo.n_batch = n_batch, eo.n_sessions = 3, eo.n_threads = 2;
    must(ingle_model_open(&o.model, path, &mo, &err), &err);
    must(ingle_engine_open(&o.engine, o.model, &eo, &err), &err);
    must(ingle_model_info_get(o.model, &o.info, &err), &err);
    for (size_t i = 0; i < 3; i++) must(ingle_session_open(&o.session[i], o.engine, &err), &err);
    return o;
}

static void close_file(opened *o)
{
    for (size_t i = 0; i < 3; i++) ingle_session_close(&o->session[i]);
    ingle_engine_close(&o->engine);
    ingle_model_close(&o->model);
}

/* The vectors of a text, one after the other; the caller frees them. */
static float *embed(ingle_session *s, const int32_t *tokens, size_t n, ingle_pooling pooling,
                    ingle_attention attention, size_t *n_floats)
{
    ingle_error err;
    ingle_embed_options how;
    const float *v;
    float *all = NULL;
    size_t each;
    ingle_embed_options_init(&how);
    how.pooling = pooling, how.attention = attention;
    must(ingle_session_embed(s, tokens, n, &how, &err), &err);
    *n_floats = 0;
    for (size_t r = 0; !ingle_session_embedding(s, r, &v, &each, NULL); r++, *n_floats += each) {
        all = realloc(all, (*n_floats + each) * sizeof *all);
        assert_non_null(all);
        memcpy(all + *n_floats, v, each * sizeof *v);
    }
    return all;
}

/* Whether two models give a text the same bits, for every token and pooled. */
static bool agree(opened *a, ingle_attention how_a, opened *b, ingle_attention how_b,
                  const int32_t *tokens, size_t n)
{
    static const ingle_pooling poolings[] = {INGLE_POOLING_NONE, INGLE_POOLING_MEAN,
                                             INGLE_POOLING_LAST};
    bool same = true;
    for (size_t p = 0; p < 3; p++) {
        size_t n_a, n_b;
        float *x = embed(a->session[0], tokens, n, poolings[p], how_a, &n_a);
        float *y = embed(b->session[0], tokens, n, poolings[p], how_b, &n_b);
        all_finite(x, n_a);
        assert_int_equal(n_a, n_b);
        same = same && !memcmp(x, y, n_a * sizeof *x);
        free(x), free(y);
    }
    return same;
}

static void check_file(const char *name, const char *path)
{
    static int32_t tokens[LONGEST];
    opened file = open_file(path, "", -1, 512);
    bool causal = file.info.causal;
    opened same = open_file(path, file.info.architecture, causal, 512);
    opened other = open_file(path, file.info.architecture, !causal, 512);
    ingle_attention own = causal ? INGLE_ATTENTION_CAUSAL : INGLE_ATTENTION_BOTH;
    ingle_attention turned = causal ? INGLE_ATTENTION_BOTH : INGLE_ATTENTION_CAUSAL;
    assert_true(same.info.causal == causal && other.info.causal != causal);
    for (size_t i = 0; i < N_TEXTS; i++) {
        size_t n = lengths[i];
        fill(tokens, n, (size_t)file.info.n_vocab, (uint32_t)i + 1);
        if (!agree(&file, INGLE_ATTENTION_AUTO, &file, own, tokens, n))
            fail_msg("%s, %zu tokens: asked for, its own direction differs", name, n);
        if (!agree(&file, INGLE_ATTENTION_AUTO, &same, INGLE_ATTENTION_AUTO, tokens, n))
            fail_msg("%s, %zu tokens: the key changes something", name, n);
        if (!agree(&file, turned, &other, INGLE_ATTENTION_AUTO, tokens, n))
            fail_msg("%s, %zu tokens: not what a file that says so gives", name, n);
        if (!agree(&file, INGLE_ATTENTION_AUTO, &other, own, tokens, n))
            fail_msg("%s, %zu tokens: not back again", name, n);
        if (n > 1 && agree(&file, own, &file, turned, tokens, n))
            fail_msg("%s, %zu tokens: the direction changes nothing", name, n);
    }
    print_message("%-16s %s\n", name, causal ? "causal" : "both directions");
    close_file(&file), close_file(&same), close_file(&other);
}

static void decoders(void **state)
{
    static const char *const names[] = {
        "qwen3",  "llama3",  "gemma4-e",   "gpt-oss", "deepseek2", "qwen2moe",    "gemma2",
        "gemma3", "gemma3n", "starcoder2", "olmo3",   "cohere2",   "qwen3-embed", "phi2"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        golden g;
        if (!golden_open(&g, "models", names[i])) continue;
        check_file(names[i], g.model);
        golden_close(&g);
    }
}

static void encoders(void **state)
{
    static const eb_spec specs[] = {
        {.arch = "bert", .n_layer = 2, .n_head = 4},
        {.arch = "jina-bert-v2", .n_layer = 2, .n_head = 4, .separate_gate = true},
        {.arch = "modern-bert", .n_layer = 4, .n_head = 4, .window = 32}};
    static const char *const names[] = {"bert-cls", "nomic-bert", "embeddinggemma"};
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        char path[32];
        int fd = eb_file(&specs[i], path);
        check_file(specs[i].arch, path);
        close(fd);
    }
    for (size_t i = 1; i < sizeof names / sizeof *names; i++) {
        golden g;
        if (!golden_open(&g, "models", names[i])) continue;
        check_file(names[i], g.model);
        golden_close(&g);
    }
}

/* An encoder's text that is read in one direction may be longer than the batch; a decoder's in both
 * may not. */
static void pieces(void **state)
{
    static const eb_spec modern = {.arch = "modern-bert", .n_layer = 3, .n_head = 4, .window = 32};
    static int32_t tokens[LONGEST];
    char path[32];
    int fd = eb_file(&modern, path);
    opened wide = open_file(path, "", -1, 512), narrow = open_file(path, "", -1, 32);
    (void)state;
    fill(tokens, LONGEST, EB_VOCAB, 1);
    assert_true(
        agree(&wide, INGLE_ATTENTION_CAUSAL, &narrow, INGLE_ATTENTION_CAUSAL, tokens, LONGEST));
    close_file(&wide), close_file(&narrow);
    close(fd);
}

/* Whoever has the same tokens, read in its own direction, shares nothing with a text that is read in
 * both; nor the other way round. */
static void nothing_is_shared(void **state)
{
    static const char *const names[] = {"qwen3", "gemma4-e"};
    static int32_t tokens[LONGEST];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        golden g;
        ingle_error err;
        const float *row;
        size_t n[2];
        assert_true(golden_open(&g, "models", names[i]));
        opened alone = open_file(g.model, "", -1, 256), o = open_file(g.model, "", -1, 256);
        size_t n_vocab = (size_t)o.info.n_vocab;
        float *logits = malloc(n_vocab * sizeof *logits);
        fill(tokens, LONGEST, n_vocab, 9);
        must(ingle_session_eval(alone.session[0], tokens, LONGEST, INGLE_ROWS_LAST, &err), &err);
        must(ingle_session_logits(alone.session[0], 0, &row, &err), &err);
        memcpy(logits, row, n_vocab * sizeof *logits);
        float *first =
            embed(o.session[0], tokens, LONGEST, INGLE_POOLING_NONE, INGLE_ATTENTION_BOTH, &n[0]);
        for (size_t k = 1; k < 3; k++) {
            must(ingle_session_eval(o.session[k], tokens, LONGEST, INGLE_ROWS_LAST, &err), &err);
            must(ingle_session_logits(o.session[k], 0, &row, &err), &err);
            assert_memory_equal(row, logits, n_vocab * sizeof *logits);
        }
        float *again =
            embed(o.session[0], tokens, LONGEST, INGLE_POOLING_NONE, INGLE_ATTENTION_BOTH, &n[1]);
        assert_int_equal(n[0], n[1]);
        assert_memory_equal(first, again, n[0] * sizeof *first);
        free(first), free(again), free(logits);
        close_file(&alone), close_file(&o);
        golden_close(&g);
    }
}

/* A generation goes on while texts are read in both directions, and says what it says alone. */
static void beside_a_generation(void **state)
{
    enum { PROMPT = 90, ANSWER = 40, TEXT = 60, N = 5 };
    (void)state;
    ingle_engine_options eo = small_engine(512, 3);
    eo.n_batch = 256;
    house h = house_open(&eo);
    ingle_session *beside = another_session(&h);
    ingle_generate_options go = options_of(ANSWER);
    ingle_sampler_options so = sampling_of(0, 1);
    prompt p = noise(PROMPT, 4), texts = noise(TEXT, 5);
    trail want = trail_open(), got = trail_open();
    size_t n[2];
    go.logprobs = 3;
    go.sampling = &so;
    go.no_reuse = true;
    run_request(h.session, &p, &go, &want);
    float *vectors =
        embed(beside, texts.tokens, TEXT, INGLE_POOLING_NONE, INGLE_ATTENTION_BOTH, &n[0]);
    ingle_error err;
    must(ingle_session_truncate(h.session, 0, &err), &err);
    uint64_t n_generated = stats_of(&h).n_generated;
    ingle_request *r = start(h.session, &p, &go);
    for (int i = 0; i < N; i++) {
        float *now =
            embed(beside, texts.tokens, TEXT, INGLE_POOLING_NONE, INGLE_ATTENTION_BOTH, &n[1]);
        assert_int_equal(n[0], n[1]);
        assert_memory_equal(now, vectors, n[0] * sizeof *now);
        free(now);
    }
    assert_true(stats_of(&h).n_generated > n_generated); /* in the same steps */
    read_all(r, &got);
    ingle_request_close(&r);
    same_trail("beside texts", &want, &got);
    trail_close(&want), trail_close(&got);
    free(vectors);
    ingle_session_close(&beside);
    house_close(&h);
}

static void refused(opened *o, const int32_t *tokens, size_t n, ingle_attention attention,
                    ingle_status want, const char *part)
{
    ingle_error err = {""};
    ingle_embed_options how;
    const float *v;
    size_t n_held, n_v, n_before;
    float *before =
        embed(o->session[0], tokens, 7, INGLE_POOLING_MEAN, INGLE_ATTENTION_AUTO, &n_before);
    ingle_embed_options_init(&how);
    how.attention = attention;
    ingle_status st = ingle_session_embed(o->session[0], tokens, n, &how, &err);
    if (st != want || !strstr(err.text, part))
        fail_msg("%s: '%s' lacks '%s'", ingle_status_name(st), err.text, part);
    must(ingle_session_embedding(o->session[0], 0, &v, &n_v, &err), &err);
    assert_true(n_v == n_before);
    assert_memory_equal(v, before, n_v * sizeof *v);
    must(ingle_session_tokens(o->session[0], NULL, &n_held, &err), &err);
    assert_int_equal(n_held, 0);
    free(before);
}

static void refusals(void **state)
{
    static const struct {
        const char *name, *part;
    } recurrent[] = {{"mamba2", "attention 'both': layers of family 'mamba2' are recurrent"},
                     {"qwen35", "attention 'both': layers of family 'qwen35' are recurrent"},
                     {"lfm2", "family 'lfm2' are recurrent"},
                     {"granitehybrid", "family 'granitehybrid' are recurrent"}};
    static int32_t tokens[LONGEST];
    golden g;
    (void)state;
    fill(tokens, LONGEST, 90, 1);
    for (size_t i = 0; i < sizeof recurrent / sizeof *recurrent; i++) {
        if (!golden_open(&g, "models", recurrent[i].name)) continue;
        opened o = open_file(g.model, "", -1, 64);
        refused(&o, tokens, 7, INGLE_ATTENTION_BOTH, INGLE_EUNSUPPORTED, recurrent[i].part);
        assert_true(agree(&o, INGLE_ATTENTION_AUTO, &o, INGLE_ATTENTION_CAUSAL, tokens, LONGEST));
        close_file(&o);
        golden_close(&g);
    }
    assert_true(golden_open(&g, "models", "qwen3"));
    opened o = open_file(g.model, "", -1, 64);
    refused(&o, tokens, 65, INGLE_ATTENTION_BOTH, INGLE_EFULL, "'both' reads it as a whole");
    refused(&o, tokens, 65, INGLE_ATTENTION_BOTH, INGLE_EFULL, "'n_batch' is 64");
    refused(&o, tokens, 7, (ingle_attention)3, INGLE_EINVAL, "option 'attention' is 3");
    refused(&o, tokens, 7, (ingle_attention)-1, INGLE_EINVAL, "option 'attention' is -1");
    assert_true(agree(&o, INGLE_ATTENTION_BOTH, &o, INGLE_ATTENTION_BOTH, tokens, 64));
    close_file(&o);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoders),
        cmocka_unit_test(encoders),
        cmocka_unit_test(pieces),
        cmocka_unit_test(nothing_is_shared),
        cmocka_unit_test(beside_a_generation),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
