/* Logits of whole models against an independent engine (tests/golden/data/README.md).
 * F32 files: largest difference at any position below 1e-3 of the logit range. Quantised files: KL
 * divergence to the exact-arithmetic logits, compared with the other engine's own. */
#include "golden/run.h"

#include <math.h>

/* ---- F32 ---- */

static void check_rows(const char *name, const float *got, const float *want, size_t n)
{
    double min = INFINITY, max = -INFINITY, worst = 0;
    for (size_t i = 0; i < n; i++) {
        double diff = fabs((double)got[i] - (double)want[i]);
        min = fmin(min, (double)want[i]);
        max = fmax(max, (double)want[i]);
        if (!(diff <= worst)) worst = diff; /* NaN too */
    }
    print_message("%-24s max difference %.2e of range %.1f = %.1e\n", name, worst, max - min,
                  worst / (max - min));
    assert_true(worst < 1e-3 * (max - min));
}

static const char *const f32_models[] = {"llama2",
                                         "llama3",
                                         "mistral",
                                         "mistral3",
                                         "qwen2",
                                         "qwen3",
                                         "qwen3-yarn",
                                         "llama-linear-bias",
                                         "gemma",
                                         "gemma2",
                                         "gemma3",
                                         "phi2",
                                         "phi3",
                                         "phi3.longctx",
                                         "glm4",
                                         "minicpm",
                                         "granite",
                                         "olmo2",
                                         "olmo3",
                                         "smollm3",
                                         "stablelm",
                                         "stablelm2-12b",
                                         "starcoder2",
                                         "command-r",
                                         "cohere2",
                                         "llama-moe",
                                         "qwen2moe",
                                         "qwen3moe",
                                         "granitemoe",
                                         "gpt-oss",
                                         "glm4moe",
                                         "deepseek2",
                                         "deepseek2-softmax",
                                         "gemma4-e",
                                         "gemma3n",
                                         "gemma4-moe",
                                         "lfm2",
                                         "mamba2",
                                         "qwen35",
                                         "lfm2moe",
                                         "granitehybrid",
                                         "qwen3next"};

/* At the best level, at the portable one, and with nothing fused: the same bits as the first. */
static void f32_logits(void **state)
{
    static const ingle_isa levels[] = {INGLE_ISA_AUTO, INGLE_ISA_REF, INGLE_ISA_AUTO};
    (void)state;
    for (size_t i = 0; i < sizeof f32_models / sizeof f32_models[0]; i++) {
        golden g;
        if (!golden_open(&g, "models", f32_models[i])) continue;
        float *got[3];
        for (size_t l = 0; l < 3; l++) {
            runner r = runner_open(&g, levels[l], l < 2);
            got[l] = runner_eval(&r, g.tokens, g.n_tokens);
            if (l < 2) check_rows(f32_models[i], got[l], g.logits, g.n_tokens * g.n_vocab);
            runner_close(&r);
        }
        assert_memory_equal(got[0], got[2], g.n_tokens * g.n_vocab * sizeof *got[0]);
        for (size_t l = 0; l < 3; l++) free(got[l]);
        golden_close(&g);
    }
}

/* ---- cases ---- */

/* Two sequences, tokens in turns: their logits are those of separate runs. */
static void run_interleave(golden *g)
{
    const json *seqs = json_get(g->json, "seq_tokens"), *order = json_get(g->json, "rows_seq_pos");
    runner r = runner_open(g, INGLE_ISA_AUTO, true);
    ingle_session *s[2] = {r.session, NULL};
    float *got = malloc(order->len * g->n_vocab * sizeof *got);
    assert_int_equal(ingle_session_open(&s[1], r.engine, NULL), INGLE_OK);
    for (size_t i = 0; i < order->len; i++) {
        size_t seq = (size_t)json_num(json_at(json_at(order, i), 0));
        size_t pos = (size_t)json_num(json_at(json_at(order, i), 1));
        int32_t token = (int32_t)json_num(json_at(json_at(seqs, seq), pos));
        const float *row;
        assert_int_equal(ingle_session_eval(s[seq], &token, 1, INGLE_ROWS_LAST, NULL), INGLE_OK);
        assert_int_equal(ingle_session_logits(s[seq], 0, &row, NULL), INGLE_OK);
        memcpy(got + i * g->n_vocab, row, g->n_vocab * sizeof *got);
    }
    check_rows(g->name, got, g->logits, order->len * g->n_vocab);
    ingle_session_close(&s[1]);
    free(got);
    runner_close(&r);
}

/* All tokens, then the tail from p0 is replaced by tokens2. */
static void run_seqrm(golden *g)
{
    size_t n2, p0 = (size_t)json_num(json_get(g->json, "p0"));
    int32_t *tokens2 = json_tokens(json_get(g->json, "tokens2"), &n2);
    runner r = runner_open(g, INGLE_ISA_AUTO, true);
    float *first = runner_eval(&r, g->tokens, g->n_tokens);
    check_rows(g->name, first, g->logits, g->n_tokens * g->n_vocab);
    assert_int_equal(ingle_session_truncate(r.session, p0, NULL), INGLE_OK);
    float *second = runner_eval(&r, tokens2, n2);
    check_rows(g->name, second, g->logits + g->n_tokens * g->n_vocab, n2 * g->n_vocab);
    free(first);
    free(second);
    free(tokens2);
    runner_close(&r);
}

/* Many tokens, some rows. */
static void run_long(golden *g)
{
    const json *rows = json_get(g->json, "rows_pos");
    runner r = runner_open(g, INGLE_ISA_AUTO, true);
    float *all = runner_eval(&r, g->tokens, g->n_tokens);
    float *got = malloc(rows->len * g->n_vocab * sizeof *got);
    for (size_t i = 0; i < rows->len; i++)
        memcpy(got + i * g->n_vocab, all + (size_t)json_num(json_at(rows, i)) * g->n_vocab,
               g->n_vocab * sizeof *got);
    check_rows(g->name, got, g->logits, rows->len * g->n_vocab);
    free(got);
    free(all);
    runner_close(&r);
}

static void cases(void **state)
{
    static const struct {
        const char *name;
        void (*run)(golden *g);
    } list[] = {
        {"llama2-interleave0", run_interleave},
        {"llama2-interleave1", run_interleave},
        {"llama2-interleave2", run_interleave},
        {"llama3-interleave0", run_interleave},
        {"llama3-interleave1", run_interleave},
        {"llama3-interleave2", run_interleave},
        {"qwen3-interleave0", run_interleave},
        {"qwen3-interleave1", run_interleave},
        {"qwen3-interleave2", run_interleave},
        {"llama2-seqrm0", run_seqrm},
        {"llama2-seqrm1", run_seqrm},
        {"llama2-seqrm2", run_seqrm},
        {"llama3-seqrm0", run_seqrm},
        {"llama3-seqrm1", run_seqrm},
        {"llama3-seqrm2", run_seqrm},
        {"qwen3-seqrm0", run_seqrm},
        {"qwen3-seqrm1", run_seqrm},
        {"qwen3-seqrm2", run_seqrm},
        {"llama3-long", run_long},
        {"qwen3-long", run_long},
        {"mistral3-long", run_long},
        {"gemma2-long", run_long},
        {"gemma3-long", run_long},
        {"cohere2-long", run_long},
        {"deepseek2-long", run_long},
        {"gemma4-e-long", run_long},
        {"lfm2-long", run_long},
        {"mamba2-long", run_long},
        {"qwen35-long", run_long},
        {"granitehybrid-long", run_long},
        {"qwen3next-long", run_long},
    };
    int n_run = 0;
    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        golden g;
        if (!golden_open(&g, "cases", list[i].name)) continue;
        list[i].run(&g);
        golden_close(&g);
        n_run++;
    }
    assert_true(n_run >= 4);
}

/* ---- quantised ---- */

/* Mean over positions of KL(exact || got), in nats. */
static double divergence(const float *exact, const float *got, size_t n_rows, size_t n_vocab)
{
    double sum = 0;
    for (size_t r = 0; r < n_rows; r++, exact += n_vocab, got += n_vocab) {
        double me = -INFINITY, mg = -INFINITY, ze = 0, zg = 0, kl = 0;
        for (size_t i = 0; i < n_vocab; i++) {
            me = fmax(me, (double)exact[i]);
            mg = fmax(mg, (double)got[i]);
        }
        for (size_t i = 0; i < n_vocab; i++) {
            ze += exp((double)exact[i] - me);
            zg += exp((double)got[i] - mg);
        }
        for (size_t i = 0; i < n_vocab; i++) {
            double le = (double)exact[i] - me - log(ze), lg = (double)got[i] - mg - log(zg);
            kl += exp(le) * (le - lg);
        }
        sum += kl;
    }
    return sum / (double)n_rows;
}

static void quantised(void **state)
{
    static const char *const names[] = {
        "llama-F16",  "llama-BF16", "llama-Q4_0",   "llama-Q4_1",   "llama-Q5_0",
        "llama-Q5_1", "llama-Q8_0", "llama-Q2_K",   "llama-Q3_K",   "llama-Q4_K",
        "llama-Q5_K", "llama-Q6_K", "llama-IQ4_NL", "llama-IQ4_XS", "llama-MXFP4",
        "qwen3-Q2_K", "qwen3-Q4_1", "qwen3-Q5_K",   "qwen3-Q8_0",   "qwen3-IQ4_NL",
    };
    double log_sum = 0;
    int n = 0;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        golden g;
        assert_true(golden_open(&g, "models", names[i]));
        runner r = runner_open(&g, INGLE_ISA_AUTO, true);
        float *got = runner_eval(&r, g.tokens, g.n_tokens);
        double ours = divergence(g.exact, got, g.n_tokens, g.n_vocab);
        double theirs = divergence(g.exact, g.logits, g.n_tokens, g.n_vocab);
        bool half = i < 2; /* F16, BF16: reported apart, so that they cannot hide the others */
        print_message("%-14s KL to exact: %.3e, reference engine %.3e, ratio %.3f%s\n", names[i],
                      ours, theirs, ours / theirs, half ? " (apart)" : "");
        assert_true(ours <= 1.5 * theirs);
        if (!half) log_sum += log(ours / theirs), n++;
        free(got);
        runner_close(&r);
        golden_close(&g);
    }
    print_message("geometric mean of the ratios over %d cases: %.3f\n", n, exp(log_sum / n));
    assert_true(exp(log_sum / n) <= 1.0);
}

/* The same for models whose distributions are all but one-hot, where divergences vanish in rounding:
 * the squared distance of the logits, over their spread. */
static double distance(const float *exact, const float *got, size_t n)
{
    double sum = 0, squares = 0, mean = 0;
    for (size_t i = 0; i < n; i++) mean += (double)exact[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        double diff = (double)got[i] - (double)exact[i], spread = (double)exact[i] - mean;
        sum += diff * diff;
        squares += spread * spread;
    }
    return sum / squares;
}

static void quantised_peaked(void **state)
{
    static const char *const names[] = {"gemma3-Q4_0", "gemma3-Q3_K",   "gemma3-Q4_K",
                                        "gemma3-Q6_K", "gemma3-IQ4_XS", "gemma3-MXFP4"};
    double log_sum = 0;
    int n = 0;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        golden g;
        if (!golden_open(&g, "models", names[i])) continue;
        runner r = runner_open(&g, INGLE_ISA_AUTO, true);
        float *got = runner_eval(&r, g.tokens, g.n_tokens);
        double ours = distance(g.exact, got, g.n_tokens * g.n_vocab),
               theirs = distance(g.exact, g.logits, g.n_tokens * g.n_vocab);
        print_message("%-14s distance to exact: %.3e, reference engine %.3e, ratio %.3f\n",
                      names[i], ours, theirs, ours / theirs);
        assert_true(ours <= 1.5 * theirs);
        log_sum += log(ours / theirs), n++;
        free(got);
        runner_close(&r);
        golden_close(&g);
    }
    if (!n) skip();
    print_message("geometric mean of the ratios over %d cases: %.3f\n", n, exp(log_sum / n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f32_logits),
        cmocka_unit_test(cases),
        cmocka_unit_test(quantised),
        cmocka_unit_test(quantised_peaked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
