/* The bits of a text's vector depend on the text and on nothing else: compared with memcmp over
 * batch sizes, neighbours and their order, threads, fused and plain plans, instruction-set levels and
 * weights in place; for encoders and for decoders, whose long texts are cut into batches; read in the
 * direction of the model and in the other. */
#define _GNU_SOURCE
#include "encoder_build.h"
#include "exact/exact.h"

enum { N_TEXTS = 9, LONGEST = 300, MOST = 256 };

static const size_t lengths[N_TEXTS] = {5, 1, 40, 300, 33, 2, 64, 7, 100};

typedef struct way {
    ingle_isa isa;
    bool plain, in_place, turned; /* the plan unfused; texts in reverse order */
    int32_t n_batch, n_threads;
    size_t together; /* texts in a call */
    ingle_pooling pooling;
    bool pairs; /* each text is of two segments */
    ingle_attention attention;
} way;

/* out: [N_TEXTS][MOST] */
static void run(const char *model, const way *s, float *out)
{
    static int32_t tokens[N_TEXTS][LONGEST];
    ingle_error err;
    ingle_model *m;
    ingle_engine *e;
    ingle_session *sessions[N_TEXTS];
    ingle_model_info info = {.size = sizeof info};
    ingle_model_options mo;
    ingle_engine_options eo;
    ingle_embed_options how;
    ingle_model_options_init(&mo);
    ingle_engine_options_init(&eo);
    ingle_embed_options_init(&how);
    mo.isa = s->isa, mo.fuse = !s->plain, mo.in_place = s->in_place;
    eo.n_ctx = 320, eo.n_sessions = (int32_t)s->together, eo.n_batch = s->n_batch;
    eo.n_threads = s->n_threads;
    how.pooling = s->pooling, how.attention = s->attention;
    must(ingle_model_open(&m, model, &mo, &err), &err);
    must(ingle_model_info_get(m, &info, &err), &err);
    must(ingle_engine_open(&e, m, &eo, &err), &err);
    for (size_t i = 0; i < s->together; i++) must(ingle_session_open(&sessions[i], e, &err), &err);
    for (size_t i = 0; i < N_TEXTS; i++)
        fill(tokens[i], lengths[i], (size_t)info.n_vocab, (uint32_t)i + 1);
    for (size_t at = 0, n; at < N_TEXTS; at += n) {
        ingle_text texts[N_TEXTS];
        n = N_TEXTS - at < s->together ? N_TEXTS - at : s->together;
        for (size_t k = 0; k < n; k++) {
            size_t i = s->turned ? N_TEXTS - 1 - at - k : at + k;
            texts[k] = (ingle_text){.session = sessions[k],
                                    .tokens = tokens[i],
                                    .n = lengths[i],
                                    .n_first = s->pairs ? (lengths[i] + 1) / 2 : 0};
        }
        must(ingle_sessions_embed(texts, n, &how, &err), &err);
        for (size_t k = 0; k < n; k++) {
            const float *v;
            size_t n_v, i = s->turned ? N_TEXTS - 1 - at - k : at + k;
            must(ingle_session_embedding(sessions[k], 0, &v, &n_v, &err), &err);
            assert_true(n_v <= MOST);
            memcpy(out + i * MOST, v, n_v * sizeof *v);
        }
    }
    for (size_t i = 0; i < s->together; i++) ingle_session_close(&sessions[i]);
    ingle_engine_close(&e);
    ingle_model_close(&m);
}

static void check_reading(const char *model, const char *name, ingle_pooling pooling, bool cut,
                          bool pairs, ingle_attention attention)
{
    static float want[N_TEXTS * MOST], got[N_TEXTS * MOST];
    const way base = {INGLE_ISA_AUTO, false, false, false, 512, 1, 1, pooling, pairs, attention};
    memset(want, 0, sizeof want);
    run(model, &base, want);
    for (size_t i = 0; i < N_TEXTS; i++) { /* zeros or NaN would prove nothing */
        double sum = 0;
        for (size_t k = 0; k < MOST; k++) sum += fabs((double)want[i * MOST + k]);
        assert_true(sum > 0.1 && isfinite(sum));
    }
    way others[12];
    size_t n = 0;
    for (int32_t threads = 1; threads <= 8; threads += threads < 3 ? 1 : 5) {
        others[n] = base, others[n].n_threads = threads;
        others[n].together = 9, others[n++].turned = threads & 1;
    }
    others[n] = base, others[n].plain = true, others[n++].together = 4;
    others[n] = base, others[n].isa = INGLE_ISA_REF, others[n].n_batch = 300,
    others[n++].together = 9;
    others[n] = base, others[n].in_place = true, others[n++].together = 3;
    others[n] = base, others[n].n_batch = 301, others[n].n_threads = 2, others[n++].together = 9;
    if (ingle_isa_runs_here(INGLE_ISA_AVX2))
        others[n] = base, others[n].isa = INGLE_ISA_AVX2, others[n++].together = 9;
    if (cut) {
        others[n] = base, others[n].n_batch = 7, others[n++].together = 9;
        others[n] = base, others[n].n_batch = 1, others[n].n_threads = 2, others[n++].together = 2;
    }
    for (size_t i = 0; i < n; i++) {
        memset(got, 0, sizeof got);
        run(model, &others[i], got);
        for (size_t t = 0; t < N_TEXTS; t++)
            if (memcmp(want + t * MOST, got + t * MOST, MOST * sizeof *got))
                fail_msg("%s: setup %zu: text %zu differs", name, i, t);
    }
}

static void check(const char *model, const char *name, ingle_pooling pooling, bool cut, bool pairs)
{
    check_reading(model, name, pooling, cut, pairs, INGLE_ATTENTION_AUTO);
}

static void encoders(void **state)
{
    static const eb_spec specs[] = {
        {.arch = "bert", .n_layer = 2, .n_head = 4, .cls = true, .cls_out = true, .n_labels = 2},
        {.arch = "jina-bert-v2", .n_layer = 2, .n_head = 4, .separate_gate = true},
        {.arch = "modern-bert", .n_layer = 3, .n_head = 4, .window = 32}};
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        char path[32];
        int fd = eb_file(&specs[i], path);
        check(path, specs[i].arch, INGLE_POOLING_MEAN, false, false);
        check(path, specs[i].arch, INGLE_POOLING_CLS, false, false);
        check_reading(path, specs[i].arch, INGLE_POOLING_MEAN, true, false, INGLE_ATTENTION_CAUSAL);
        if (specs[i].n_labels) check(path, "bert, rank", INGLE_POOLING_RANK, false, false);
        if (specs[i].n_labels) check(path, "bert, pairs", INGLE_POOLING_RANK, false, true);
        close(fd);
    }
}

static void a_decoder(void **state)
{
    golden g;
    (void)state;
    assert_true(golden_open(&g, "models", "qwen3"));
    check(g.model, "qwen3", INGLE_POOLING_MEAN, true, false);
    check(g.model, "qwen3", INGLE_POOLING_LAST, true, false);
    check(g.model, "qwen3", INGLE_POOLING_CLS, true, false);
    check_reading(g.model, "qwen3", INGLE_POOLING_MEAN, false, false, INGLE_ATTENTION_BOTH);
    golden_close(&g);
    assert_true(golden_open(&g, "models", "gemma4-e")); /* with windows */
    check_reading(g.model, "gemma4-e", INGLE_POOLING_MEAN, false, false, INGLE_ATTENTION_BOTH);
    golden_close(&g);
    static const eb_spec ranks = {
        .arch = "qwen3", .n_layer = 2, .n_head = 4, .pooling = 4, .cls_out = true, .n_labels = 2};
    char path[32];
    int fd = eb_file(&ranks, path);
    check(path, "qwen3, rank", INGLE_POOLING_RANK, true, false);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(encoders), cmocka_unit_test(a_decoder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
