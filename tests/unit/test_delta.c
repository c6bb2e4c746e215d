/* test_delta.c - files that say the same in two ways come to the same: of Qwen 3-Next with q, k, v and
 * their gates in one tensor or in two, of experts behind a gated delta rule, of layers that draft
 * further tokens and are not run. Made out of the golden models. */
#define _GNU_SOURCE
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ingle.h>

#include "gguf_copy.h"

#define DATA INGLE_SOURCE_DIR "/tests/golden/data/"

/* Of DATA "qwen35.gguf": layers 0 to 2 are recurrent, F32 throughout. */
enum { EMBD = 64, GROUPS = 2, HEADS = 4, STATE = 16, TAPS = 4, LAYERS = 4, FF = 64, VOCAB = 288 };
enum { EACH = HEADS / GROUPS, VALUES = STATE * HEADS, TOKENS = 150 };

static float *logits_with(const gc_file *f, const ingle_model_options *opt, size_t split)
{
    ingle_error err;
    ingle_model *m;
    ingle_engine *e;
    ingle_session *s;
    ingle_engine_options eo;
    int32_t tokens[TOKENS];
    ingle_engine_options_init(&eo);
    eo.n_ctx = TOKENS, eo.n_threads = 1 + (int32_t)split % 2;
    for (size_t i = 0; i < TOKENS; i++) tokens[i] = (int32_t)(i * i * 7 + i) % VOCAB;
    if (gc_model(f, opt, &m, &err)) fail_msg("%s", err.text);
    if (ingle_engine_open(&e, m, &eo, &err)) fail_msg("%s", err.text);
    if (ingle_session_open(&s, e, &err)) fail_msg("%s", err.text);
    const size_t n_vocab = VOCAB;
    float *out = malloc(TOKENS * n_vocab * sizeof *out);
    for (size_t at = 0; at < TOKENS; at += split) {
        size_t n = TOKENS - at < split ? TOKENS - at : split;
        assert_int_equal(ingle_session_eval(s, tokens + at, n, INGLE_ROWS_ALL, NULL), INGLE_OK);
        for (size_t i = 0; i < n; i++) {
            const float *row;
            assert_int_equal(ingle_session_logits(s, i, &row, NULL), INGLE_OK);
            memcpy(out + (at + i) * n_vocab, row, n_vocab * sizeof *out);
        }
    }
    for (size_t i = 0; i < TOKENS * n_vocab; i++) assert_true(out[i] - out[i] == 0);
    ingle_session_close(&s);
    ingle_engine_close(&e);
    ingle_model_close(&m);
    return out;
}

static float *logits_of(const gc_file *f)
{
    return logits_with(f, NULL, TOKENS);
}

static gc_tensor *of_layer(gc_file *f, int l, const char *part)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%d.%s", l, part);
    return gc_find(f, name);
}

static void drop(gc_file *f, int l, const char *part)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%d.%s", l, part);
    gc_drop(f, name);
}

static float *add(gc_file *f, int l, const char *part, uint64_t n0, uint64_t n1, uint64_t n2)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%d.%s", l, part);
    return gc_floats(gc_add(f, name, n0, n1, n2));
}

/* Rows of EMBD floats go to where `to` points, which moves on. */
static void rows(float **to, gc_tensor *from, size_t first, size_t n)
{
    memcpy(*to, gc_floats(from) + first * EMBD, n * EMBD * sizeof **to);
    *to += n * EMBD;
}

/* As in the published model's in_proj_qkvz and in_proj_ba: everything of a group together. */
static void fuse_layer(gc_file *f, int l)
{
    gc_tensor *qkv = of_layer(f, l, "attn_qkv.weight"), *z = of_layer(f, l, "attn_gate.weight");
    gc_tensor *beta = of_layer(f, l, "ssm_beta.weight"),
              *alpha = of_layer(f, l, "ssm_alpha.weight");
    const size_t v = VALUES / GROUPS, k = STATE;
    float *to = add(f, l, "ssm_in.weight", EMBD, 2 * GROUPS * k + 2 * VALUES, 1);
    float *ba = add(f, l, "ssm_ba.weight", EMBD, 2 * HEADS, 1);
    for (size_t g = 0; g < GROUPS; g++) {
        rows(&to, qkv, g * k, k);
        rows(&to, qkv, (GROUPS + g) * k, k);
        rows(&to, qkv, 2 * GROUPS * k + g * v, v);
        rows(&to, z, g * v, v);
        rows(&ba, beta, g * EACH, EACH);
        rows(&ba, alpha, g * EACH, EACH);
    }
    drop(f, l, "attn_qkv.weight");
    drop(f, l, "attn_gate.weight");
    drop(f, l, "ssm_beta.weight");
    drop(f, l, "ssm_alpha.weight");
}

/* The attention layer's q, k and v in one tensor. */
static void fuse_attention(gc_file *f, int l)
{
    gc_tensor *q = of_layer(f, l, "attn_q.weight"), *k = of_layer(f, l, "attn_k.weight"),
              *v = of_layer(f, l, "attn_v.weight");
    float *to = add(f, l, "attn_qkv.weight", EMBD, q->dims[1] + k->dims[1] + v->dims[1], 1);
    rows(&to, q, 0, q->dims[1]);
    rows(&to, k, 0, k->dims[1]);
    rows(&to, v, 0, v->dims[1]);
    drop(f, l, "attn_q.weight");
    drop(f, l, "attn_k.weight");
    drop(f, l, "attn_v.weight");
}

static void same(const char *what, const float *a, const float *b, size_t n_vocab)
{
    for (size_t i = 0; i < TOKENS; i++)
        if (memcmp(a + i * n_vocab, b + i * n_vocab, n_vocab * sizeof *a))
            fail_msg("%s: logits of token %zu differ", what, i);
}

static void one_tensor(void **state)
{
    static gc_file f;
    ingle_model_options opt;
    (void)state;
    gc_open(&f, DATA "qwen35.gguf");
    strcpy(f.arch, "qwen3next");
    float *want = logits_of(&f);
    for (int l = 0; l < LAYERS - 1; l++) fuse_layer(&f, l);
    fuse_attention(&f, LAYERS - 1);
    float *got = logits_of(&f);
    same("fused", want, got, VOCAB);
    free(got);
    ingle_model_options_init(&opt);
    opt.fuse = false;
    got = logits_with(&f, &opt, 7);
    same("fused, plain plan", want, got, VOCAB);
    free(got);
    ingle_model_options_init(&opt);
    opt.isa = INGLE_ISA_REF;
    got = logits_with(&f, &opt, 64);
    same("fused, portable", want, got, VOCAB);
    free(got);
    free(want);
    gc_close(&f);
}

/* Of one layer only, or of another shape. */
static void one_tensor_wrong(void **state)
{
    static gc_file f;
    ingle_error err;
    ingle_model *m;
    (void)state;
    gc_open(&f, DATA "qwen35.gguf");
    strcpy(f.arch, "qwen3next");
    fuse_layer(&f, 1);
    assert_int_equal(gc_model(&f, NULL, &m, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "blk.0.ssm_in.weight"));
    fuse_layer(&f, 0);
    fuse_layer(&f, 2);
    gc_tensor *t = of_layer(&f, 2, "ssm_in.weight");
    t->dims[1]--, t->n_bytes -= EMBD * sizeof(float);
    assert_int_equal(gc_model(&f, NULL, &m, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "blk.2.ssm_in.weight"));
    gc_close(&f);
    gc_open(&f, DATA "qwen35.gguf"); /* heads are in another order there: not its file */
    for (int l = 0; l < LAYERS - 1; l++) fuse_layer(&f, l);
    assert_int_equal(gc_model(&f, NULL, &m, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "attn_qkv.weight"));
    gc_close(&f);
}

/* ---- experts ---- */

static void noise(float *to, size_t n, uint64_t seed, float by)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        to[i] = by * ((float)(uint32_t)(seed >> 40) / 0x1p23f - 1.0f);
    }
}

static void add_experts(gc_file *f)
{
    enum { N = 6, N_FF = 24, N_SHARED = 16 };
    static const struct {
        const char *name;
        uint64_t dims[3];
    } parts[] = {{"ffn_gate_inp.weight", {EMBD, N, 1}},
                 {"ffn_gate_exps.weight", {EMBD, N_FF, N}},
                 {"ffn_up_exps.weight", {EMBD, N_FF, N}},
                 {"ffn_down_exps.weight", {N_FF, EMBD, N}},
                 {"ffn_gate_inp_shexp.weight", {EMBD, 1, 1}},
                 {"ffn_gate_shexp.weight", {EMBD, N_SHARED, 1}},
                 {"ffn_up_shexp.weight", {EMBD, N_SHARED, 1}},
                 {"ffn_down_shexp.weight", {N_SHARED, EMBD, 1}}};
    for (int l = 0; l < LAYERS; l++) {
        drop(f, l, "ffn_gate.weight");
        drop(f, l, "ffn_up.weight");
        drop(f, l, "ffn_down.weight");
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
            const uint64_t *d = parts[i].dims;
            noise(add(f, l, parts[i].name, d[0], d[1], d[2]), d[0] * d[1] * d[2],
                  (uint64_t)l * 100 + i, 0.4f);
        }
    }
    gc_key(f, "expert_count", N);
    gc_key(f, "expert_used_count", 2);
    gc_key(f, "expert_feed_forward_length", N_FF);
    gc_key(f, "expert_shared_feed_forward_length", N_SHARED);
}

/* Runs of n floats by head: the head that was j * GROUPS + g becomes g * EACH + j. */
static void regroup(float *x, size_t n)
{
    float *was = malloc(HEADS * n * sizeof *was);
    memcpy(was, x, HEADS * n * sizeof *was);
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t j = 0; j < EACH; j++)
            memcpy(x + (g * EACH + j) * n, was + (j * GROUPS + g) * n, n * sizeof *x);
    free(was);
}

/* What a family with heads in turns stores, for one that has those of a group together. */
static void regroup_layer(gc_file *f, int l)
{
    regroup(gc_floats(of_layer(f, l, "attn_qkv.weight")) + 2 * GROUPS * STATE * EMBD, STATE * EMBD);
    regroup(gc_floats(of_layer(f, l, "ssm_conv1d.weight")) + 2 * GROUPS * STATE * TAPS,
            STATE * TAPS);
    regroup(gc_floats(of_layer(f, l, "attn_gate.weight")), STATE * EMBD);
    regroup(gc_floats(of_layer(f, l, "ssm_beta.weight")), EMBD);
    regroup(gc_floats(of_layer(f, l, "ssm_alpha.weight")), EMBD);
    regroup(gc_floats(of_layer(f, l, "ssm_dt.bias")), 1);
    regroup(gc_floats(of_layer(f, l, "ssm_a")), 1);
    for (size_t i = 0; i < EMBD; i++)
        regroup(gc_floats(of_layer(f, l, "ssm_out.weight")) + i * VALUES, STATE);
}

/* Qwen 3.5's experts are Qwen 3-Next's, its heads are in another order: only sums over heads are
 * added up in another order. */
static void experts(void **state)
{
    static gc_file f;
    double worst = 0, most = 0;
    (void)state;
    gc_open(&f, DATA "qwen35.gguf");
    strcpy(f.arch, "qwen35moe");
    add_experts(&f);
    float *got = logits_of(&f);
    gc_close(&f);
    gc_open(&f, DATA "qwen35.gguf");
    strcpy(f.arch, "qwen3next");
    add_experts(&f);
    for (int l = 0; l < LAYERS - 1; l++) regroup_layer(&f, l);
    float *want = logits_of(&f);
    for (size_t i = 0; i < (size_t)TOKENS * VOCAB; i++) {
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
        most = fmax(most, fabs((double)want[i]));
    }
    print_message("qwen35moe, qwen3next: max difference %.2e of %.1f\n", worst, most);
    assert_true(worst < 1e-5 * most);
    free(got), free(want);
    gc_close(&f);
}

/* A list may say which layers recur. */
static void listed(void **state)
{
    static gc_file f;
    ingle_error err;
    ingle_model *m;
    (void)state;
    gc_open(&f, DATA "qwen35.gguf");
    float *want = logits_of(&f);
    gc_key(&f, "full_attention_interval", 2);
    assert_int_equal(gc_model(&f, NULL, &m, &err), INGLE_EFORMAT);
    gc_key(&f, "attention.recurrent_layers", 1);
    assert_int_equal(gc_model(&f, NULL, &m, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "attention.recurrent_layers"));
    f.n_keys--;
    f.n_list = LAYERS;
    float *got = logits_of(&f);
    same("listed", want, got, VOCAB);
    free(got), free(want);
    gc_close(&f);
}

/* ---- layers that draft ---- */

/* Another layer like the last one, and what joins a drafting layer to the model. */
static void add_drafting(gc_file *f, int n_layer, size_t d)
{
    char last[16], name[64];
    size_t n = f->n_tensors;
    int len = snprintf(last, sizeof last, "blk.%d.", n_layer - 1);
    for (size_t i = 0; i < n; i++) {
        gc_tensor *t = &f->tensor[i];
        if (strncmp(t->name, last, (size_t)len) != 0) continue;
        snprintf(name, sizeof name, "blk.%d.%.40s", n_layer, t->name + len);
        gc_tensor *copy = gc_add(f, name, 1, 1, 1);
        free(copy->data);
        *copy = *t;
        memcpy(copy->name, name, sizeof name);
        copy->data = malloc(t->n_bytes);
        memcpy(copy->data, t->data, t->n_bytes);
    }
    add(f, n_layer, "nextn.eh_proj.weight", 2 * d, d, 1);
    add(f, n_layer, "nextn.enorm.weight", d, 1, 1);
    add(f, n_layer, "nextn.hnorm.weight", d, 1, 1);
    gc_key(f, "block_count", (uint32_t)n_layer + 1);
}

static void drafting(void **state)
{
    static const struct {
        const char *file, *arch;
    } models[] = {{"qwen35", "qwen35"},       {"qwen35", "qwen35moe"},  {"qwen35", "qwen3next"},
                  {"deepseek2", "deepseek2"}, {"qwen2moe", "qwen2moe"}, {"llama3", "llama"},
                  {"mamba2", "mamba2"}};
    static gc_file f;
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char path[256], key[64];
        uint32_t n_layer = 0, d = 0, n_vocab;
        ingle_error err;
        ingle_model *m;
        snprintf(path, sizeof path, DATA "%s.gguf", models[i].file);
        gc_open(&f, path);
        snprintf(key, sizeof key, "%s.block_count", f.arch);
        assert_int_equal(ingle_gguf_get_u32(f.source, key, true, &n_layer, NULL), INGLE_OK);
        snprintf(key, sizeof key, "%s.embedding_length", f.arch);
        assert_int_equal(ingle_gguf_get_u32(f.source, key, true, &d, NULL), INGLE_OK);
        n_vocab = (uint32_t)gc_find(&f, "token_embd.weight")->dims[1];
        assert_int_equal(n_vocab, VOCAB);
        snprintf(f.arch, sizeof f.arch, "%s", models[i].arch);
        float *want = logits_of(&f);
        add_drafting(&f, (int)n_layer, d);
        assert_true(gc_model(&f, NULL, &m, &err) != INGLE_OK); /* no layer like the others */
        gc_key(&f, "nextn_predict_layers", 1);
        float *got = logits_of(&f);
        same(models[i].arch, want, got, n_vocab);
        free(got), free(want);
        gc_close(&f);
    }
}

/* A layer that is no drafting one is not left out. */
static void drafting_wrong(void **state)
{
    static gc_file f;
    ingle_error err;
    ingle_model *m;
    (void)state;
    gc_open(&f, DATA "qwen35.gguf");
    gc_key(&f, "nextn_predict_layers", 1);
    assert_int_equal(gc_model(&f, NULL, &m, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "'qwen35.nextn_predict_layers' is 1, but layer 3"));
    f.key[0].value = LAYERS;
    assert_int_equal(gc_model(&f, NULL, &m, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "nextn_predict_layers"));
    gc_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_tensor), cmocka_unit_test(one_tensor_wrong),
        cmocka_unit_test(experts),    cmocka_unit_test(listed),
        cmocka_unit_test(drafting),   cmocka_unit_test(drafting_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
