/* Encoders for which no other engine's values are at hand, and the heads that rank, against double
 * arithmetic written from the published model code (encoder_ref.h); and BERT with the exact GELU, which
 * the other engine's files have in the tanh form. */
#define _GNU_SOURCE
#include "encoder_build.h"
#include "golden/encoder_ref.h"
#include "golden/run.h"

/* Weights of size 1 give values of size 1: float arithmetic over a few layers is good to this. */
#define BOUND 2e-5

static void fill(int32_t *tokens, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        tokens[i] = (int32_t)((seed >> 8) % EB_VOCAB);
    }
}

static er_spec reference(const ingle_gguf *g, const eb_spec *s)
{
    bool modern = !strcmp(s->arch, "modern-bert"), qwen = !strcmp(s->arch, "qwen3");
    return (er_spec){.g = g,
                     .n_embd = EB_EMBD,
                     .n_layer = s->n_layer,
                     .n_head = s->n_head,
                     .n_head_kv = s->n_head,
                     .head_dim = EB_EMBD / s->n_head,
                     .n_ff = EB_FF,
                     .eps = (double)1e-5f,
                     .layer_norm = !qwen,
                     .post_norm = !modern && !qwen,
                     .act = qwen ? ER_SILU : ER_GELU_ERF,
                     .causal = qwen,
                     .window = s->window,
                     .period = 3,
                     .global_first = true,
                     .base = modern ? 160000
                             : qwen ? 1000000
                                    : 0,
                     .base_local = modern ? 10000 : 0,
                     .alibi = strcmp(s->arch, "jina-bert-v2") ? 0 : 8};
}

static void near(const char *what, const float *got, const double *want, size_t n)
{
    double worst = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        double diff = fabs((double)got[i] - want[i]);
        if (!(diff <= worst)) worst = diff; /* NaN too */
        most = fmax(most, fabs(want[i]));
    }
    print_message("%-32s max difference %.1e of %.2f\n", what, worst, most);
    assert_true(worst <= BOUND * most);
}

/* Qwen 3's two rows of the head, for "yes" and "no", on the last token; the score is the softmax. */
static void rank_last(const er_spec *s, const double *x, size_t n, size_t n_labels, double *out)
{
    size_t d = s->n_embd;
    double *labels = er_tensor(s->g, "cls.output.weight"), sum = 0;
    er_linear(out, x + (n - 1) * d, 1, n_labels, d, labels, NULL);
    for (size_t i = 0; n_labels > 1 && i < n_labels; i++) sum += exp(out[i]);
    for (size_t i = 0; n_labels > 1 && i < n_labels; i++) out[i] = exp(out[i]) / sum;
    free(labels);
}

/* cls, cls.norm, cls.output on the first row or the mean, as transformers' classifiers do it. */
static void rank(const er_spec *s, const double *x, size_t n, bool last, bool modern,
                 size_t n_labels, double *out)
{
    if (last) {
        rank_last(s, x, n, n_labels, out);
        return;
    }
    size_t d = s->n_embd;
    double *pooled = calloc(d, sizeof *pooled), *y = malloc(d * sizeof *y),
           *w = er_tensor(s->g, "cls.weight"), *bias = er_tensor(s->g, "cls.bias"),
           *norm = er_tensor(s->g, "cls.norm.weight"),
           *labels = er_tensor(s->g, "cls.output.weight"),
           *labels_bias = er_tensor(s->g, "cls.output.bias");
    for (size_t t = 0; t < (modern ? n : 1); t++)
        for (size_t i = 0; i < d; i++) pooled[i] += x[t * d + i] / (double)(modern ? n : 1);
    memcpy(y, pooled, d * sizeof *y);
    if (w) er_linear(y, pooled, 1, d, d, w, bias);
    for (size_t i = 0; w && i < d; i++) y[i] = modern ? er_activate(ER_GELU_ERF, y[i]) : tanh(y[i]);
    if (norm) er_norm(s, y, 1, d, norm, NULL, true);
    if (labels) er_linear(out, y, 1, n_labels, d, labels, labels_bias);
    else memcpy(out, y, n_labels * sizeof *out);
    free(pooled), free(y), free(w), free(bias), free(norm), free(labels), free(labels_bias);
}

/* What is checked: a model, how its texts are read, how many of all tokens are of the first segment
 * (0: all are). */
typedef struct job {
    const char *what;
    eb_spec model;
    size_t n_first;
    ingle_attention attention;
} job;

static float *embed(runner *r, const int32_t *tokens, size_t n, const job *j, ingle_pooling pooling,
                    size_t *len)
{
    const ingle_text text = {
        .session = r->session, .tokens = tokens, .n = n, .n_first = j->n_first};
    ingle_error err;
    ingle_embed_options opt;
    const float *v;
    size_t each;
    ingle_embed_options_init(&opt);
    opt.pooling = pooling;
    opt.normalize = false;
    opt.attention = j->attention;
    must(ingle_sessions_embed(&text, 1, &opt, &err), &err);
    float *out = NULL;
    *len = 0;
    for (size_t i = 0; !ingle_session_embedding(r->session, i, &v, &each, NULL);
         i++, *len += each) {
        out = realloc(out, (*len + each) * sizeof *out);
        memcpy(out + *len, v, each * sizeof *v);
    }
    return out;
}

static void check_job(const job *j)
{
    enum { N = 70 };
    const eb_spec *s = &j->model;
    int32_t tokens[N];
    char path[32], label[64];
    golden g = {.n_ctx = EB_CTX, .n_vocab = EB_VOCAB};
    ingle_gguf *file;
    int fd = eb_file(s, path);
    snprintf(g.model, sizeof g.model, "%s", path);
    assert_int_equal(ingle_gguf_open(&file, path, true, NULL), INGLE_OK);
    fill(tokens, N, s->n_layer + s->n_head);
    er_spec ref = reference(file, s);
    ref.n_first = j->n_first;
    bool ranks_last = ref.causal; /* whichever way it reads */
    if (j->attention) ref.causal = j->attention == INGLE_ATTENTION_CAUSAL;
    double *want = er_run(&ref, tokens, N), mean[EB_EMBD] = {0}, ranks[EB_EMBD];
    for (size_t i = 0; i < N * EB_EMBD; i++) mean[i % EB_EMBD] += want[i] / N;
    for (int plain = 0; plain < 2; plain++) {
        runner r = runner_open(&g, plain ? INGLE_ISA_REF : INGLE_ISA_AUTO, !plain);
        size_t n;
        float *got = embed(&r, tokens, N, j, INGLE_POOLING_NONE, &n);
        assert_int_equal(n, N * EB_EMBD);
        near(j->what, got, want, n);
        free(got);
        got = embed(&r, tokens, N, j, INGLE_POOLING_MEAN, &n);
        near("  mean", got, mean, EB_EMBD);
        free(got);
        got = embed(&r, tokens, N, j, INGLE_POOLING_LAST, &n);
        near("  last", got, want + (N - 1) * EB_EMBD, EB_EMBD);
        free(got);
        if (s->n_labels) {
            rank(&ref, want, N, ranks_last, !strcmp(s->arch, "modern-bert"), s->n_labels, ranks);
            got = embed(&r, tokens, N, j, INGLE_POOLING_RANK, &n);
            assert_int_equal(n, s->n_labels);
            snprintf(label, sizeof label, "  rank, %u labels", s->n_labels);
            near(label, got, ranks, n);
            free(got);
        }
        runner_close(&r);
    }
    free(want);
    ingle_gguf_close(&file);
    close(fd);
}

static void check_pair(const eb_spec *s, const char *what, size_t n_first)
{
    check_job(&(job){.what = what, .model = *s, .n_first = n_first});
}

static void check(const eb_spec *s, const char *what)
{
    check_pair(s, what, 0);
}

static void jina_bert_v2(void **state)
{
    (void)state;
    check(&(eb_spec){.arch = "jina-bert-v2", .n_layer = 3, .n_head = 4, .separate_gate = true},
          "jina-bert-v2, gate apart");
    check(&(eb_spec){.arch = "jina-bert-v2", .n_layer = 2, .n_head = 4, .two_norms = true},
          "jina-bert-v2, two norms");
    check(&(eb_spec){.arch = "jina-bert-v2", .n_layer = 2, .n_head = 8, .qk_norms = true},
          "jina-bert-v2, q and k norms");
}

static void modern_bert(void **state)
{
    (void)state;
    check(&(eb_spec){.arch = "modern-bert", .n_layer = 5, .n_head = 4, .window = 16},
          "modern-bert");
    check(&(eb_spec){.arch = "modern-bert",
                     .n_layer = 4,
                     .n_head = 4,
                     .window = 16,
                     .cls = true,
                     .cls_norm = true,
                     .cls_out = true,
                     .n_labels = 1},
          "modern-bert, classifier");
}

static void bert_ranks(void **state)
{
    (void)state;
    check(&(eb_spec){.arch = "bert", .n_layer = 3, .n_head = 4}, "bert");
    check(&(eb_spec){.arch = "bert",
                     .n_layer = 2,
                     .n_head = 4,
                     .pooling = 4,
                     .cls = true,
                     .cls_out = true,
                     .n_labels = 1},
          "bert, dense and one label");
    check(&(eb_spec){.arch = "bert", .n_layer = 2, .n_head = 4, .cls_out = true, .n_labels = 3},
          "bert, three labels");
    check(&(eb_spec){.arch = "bert", .n_layer = 1, .n_head = 4, .cls = true, .n_labels = EB_EMBD},
          "bert, dense only");
}

/* Queries of one token, of some, of all. */
static void bert_pairs(void **state)
{
    static const eb_spec minilm = {.arch = "bert",
                                   .n_layer = 2,
                                   .n_head = 4,
                                   .pooling = 4,
                                   .cls = true,
                                   .cls_out = true,
                                   .n_labels = 1};
    (void)state;
    check_pair(&minilm, "bert, 1 token and the rest", 1);
    check_pair(&minilm, "bert, 31 and the rest", 31);
    check_pair(&minilm, "bert, 70 and none", 70);
    check_pair(&(eb_spec){.arch = "jina-bert-v2", .n_layer = 2, .n_head = 4, .separate_gate = true},
               "jina-bert-v2, 12 and the rest", 12);
}

/* It makes ranks of the labels' probabilities, vectors of the last token, and logits. */
static void qwen3_reranker(void **state)
{
    (void)state;
    check(&(eb_spec){.arch = "qwen3",
                     .n_layer = 3,
                     .n_head = 4,
                     .pooling = 4,
                     .cls_out = true,
                     .n_labels = 2},
          "qwen3, yes and no");
    check(&(eb_spec){.arch = "qwen3",
                     .n_layer = 2,
                     .n_head = 2,
                     .pooling = 4,
                     .cls_out = true,
                     .n_labels = 1},
          "qwen3, one label");
}

/* Texts that are read the other way than the model was made for. */
static void the_other_way(void **state)
{
    static const job jobs[] = {
        {"qwen3, both",
         {.arch = "qwen3", .n_layer = 3, .n_head = 4, .pooling = 4, .cls_out = true, .n_labels = 2},
         .attention = INGLE_ATTENTION_BOTH},
        {"bert, causal", {.arch = "bert", .n_layer = 3, .n_head = 4}, 31, INGLE_ATTENTION_CAUSAL},
        {"jina-bert-v2, causal",
         {.arch = "jina-bert-v2", .n_layer = 2, .n_head = 4, .separate_gate = true},
         .attention = INGLE_ATTENTION_CAUSAL},
        {"modern-bert, causal",
         {.arch = "modern-bert", .n_layer = 5, .n_head = 4, .window = 16},
         .attention = INGLE_ATTENTION_CAUSAL},
        {"modern-bert, both",
         {.arch = "modern-bert", .n_layer = 5, .n_head = 4, .window = 16},
         .attention = INGLE_ATTENTION_BOTH}};
    (void)state;
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) check_job(&jobs[i]);
}

/* The reference itself is right: with the tanh form it gives the other engine's values. */
static void reference_is_right(void **state)
{
    golden g;
    (void)state;
    if (!golden_open(&g, "models", "bert-cls")) return skip();
    char folder[512];
    ingle_gguf *file;
    golden_folder(folder, sizeof folder, "models", "bert-cls");
    float *want = golden_floats(folder, json_get(g.json, "token_embeddings_file"));
    assert_int_equal(ingle_gguf_open(&file, g.model, true, NULL), INGLE_OK);
    er_spec s = {.g = file,
                 .n_embd = 64,
                 .n_layer = 2,
                 .n_head = 4,
                 .n_head_kv = 4,
                 .head_dim = 16,
                 .n_ff = 64,
                 .eps = 1e-12,
                 .layer_norm = true,
                 .post_norm = true,
                 .act = ER_GELU_TANH};
    double *tanh_form = er_run(&s, g.tokens, g.n_tokens), worst = 0;
    double most = 0;
    for (size_t i = 0; i < g.n_tokens * 64; i++) {
        worst = fmax(worst, fabs((double)want[i] - tanh_form[i]));
        most = fmax(most, fabs(tanh_form[i]));
    }
    print_message("the other engine, tanh form     max difference %.1e\n", worst);
    assert_true(worst < 1e-3 * most); /* its table of GELU has 16 bits */
    s.act = ER_GELU_ERF;
    double *erf_form = er_run(&s, g.tokens, g.n_tokens);
    g.n_ctx = 0;
    runner r = runner_open(&g, INGLE_ISA_AUTO, true);
    size_t n;
    float *got = embed(&r, g.tokens, g.n_tokens, &(job){0}, INGLE_POOLING_NONE, &n);
    near("bert-cls, exact form", got, erf_form, n);
    runner_close(&r);
    free(got), free(want), free(tanh_form), free(erf_form);
    ingle_gguf_close(&file);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_is_right), cmocka_unit_test(jina_bert_v2),
        cmocka_unit_test(modern_bert),        cmocka_unit_test(bert_ranks),
        cmocka_unit_test(bert_pairs),         cmocka_unit_test(qwen3_reranker),
        cmocka_unit_test(the_other_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
