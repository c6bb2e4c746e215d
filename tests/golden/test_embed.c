/* Embeddings of whole models. Against an independent engine: every token's hidden state and the pooled
 * vectors of five files. Families without such files: tests/golden/test_encoders.c. */
#include "golden/encoder_ref.h"
#include "golden/run.h"

#include <math.h>

enum { MOST = 4096 };

static double spread(const float *x, size_t n)
{
    double min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < n; i++) min = fmin(min, (double)x[i]), max = fmax(max, (double)x[i]);
    return max - min;
}

static double worst_of(const float *got, const float *want, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double diff = fabs((double)got[i] - (double)want[i]);
        if (!(diff <= worst)) worst = diff; /* NaN too */
    }
    return worst;
}

/* All vectors of a text; the number of floats. */
static size_t embed(runner *r, const golden *g, ingle_pooling pooling, bool normalize, float *out)
{
    ingle_error err;
    ingle_embed_options opt;
    const float *v;
    size_t n, at = 0;
    ingle_embed_options_init(&opt);
    opt.pooling = pooling;
    opt.normalize = normalize;
    must(ingle_session_embed(r->session, g->tokens, g->n_tokens, &opt, &err), &err);
    for (size_t i = 0; !ingle_session_embedding(r->session, i, &v, &n, NULL); i++, at += n) {
        assert_true(at + n <= MOST);
        memcpy(out + at, v, n * sizeof *v);
    }
    return at;
}

static void check(const golden *g, const char *what, const float *got, size_t n, const char *file)
{
    char folder[512];
    golden_folder(folder, sizeof folder, "models", g->name);
    float *want = golden_floats(folder, json_get(g->json, file));
    double worst = worst_of(got, want, n), range = spread(want, n);
    print_message("%-16s %-10s max difference %.2e of range %.2f = %.1e\n", g->name, what, worst,
                  range, worst / range);
    assert_true(worst < 1e-3 * range);
    free(want);
}

/* The other engine's hidden states have passed through the dense layers, ours go through them when
 * they are pooled. */
static void through_dense(const golden *g, float *rows, size_t n_rows)
{
    ingle_gguf *file;
    assert_int_equal(ingle_gguf_open(&file, g->model, true, NULL), INGLE_OK);
    const ingle_gguf_tensor *t = ingle_gguf_find_tensor(file, "dense_2.weight");
    if (t) {
        size_t d = t->dims[0], mid = t->dims[1];
        double *w2 = er_tensor(file, "dense_2.weight"), *w3 = er_tensor(file, "dense_3.weight"),
               *x = malloc(d * sizeof *x), *y = malloc(mid * sizeof *y);
        for (size_t r = 0; r < n_rows; r++) {
            for (size_t i = 0; i < d; i++) x[i] = (double)rows[r * d + i];
            er_linear(y, x, 1, mid, d, w2, NULL);
            er_linear(x, y, 1, d, mid, w3, NULL);
            for (size_t i = 0; i < d; i++) rows[r * d + i] = (float)x[i];
        }
        free(w2), free(w3), free(x), free(y);
    }
    ingle_gguf_close(&file);
}

static const char *const names[] = {"bert", "bert-cls", "nomic-bert", "qwen3-embed",
                                    "embeddinggemma"};

static void against_the_other_engine(void **state)
{
    static const ingle_isa levels[] = {INGLE_ISA_AUTO, INGLE_ISA_REF, INGLE_ISA_AUTO};
    static float out[3][3 * MOST];
    int n_run = 0;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        golden g;
        if (!golden_open(&g, "models", names[i])) continue;
        size_t n[3];
        g.n_ctx = 0; /* as the model has it */
        for (size_t l = 0; l < 3; l++) {
            runner r = runner_open(&g, levels[l], l < 2);
            memset(out[l], 0, sizeof out[l]);
            n[0] = embed(&r, &g, INGLE_POOLING_NONE, false, out[l]);
            n[1] = embed(&r, &g, INGLE_POOLING_AUTO, false, out[l] + MOST);
            n[2] = embed(&r, &g, INGLE_POOLING_AUTO, true, out[l] + 2 * MOST);
            runner_close(&r);
        }
        assert_memory_equal(out[0], out[1], sizeof out[0]);
        assert_memory_equal(out[0], out[2], sizeof out[0]);
        through_dense(&g, out[0], g.n_tokens);
        check(&g, "tokens", out[0], n[0], "token_embeddings_file");
        check(&g, "pooled", out[0] + MOST, n[1], "embedding_raw_file");
        check(&g, "length 1", out[0] + 2 * MOST, n[2], "embedding_file");
        golden_close(&g);
        n_run++;
    }
    if (!n_run) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_the_other_engine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
