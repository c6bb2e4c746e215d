/* Multi-head latent attention against plain double arithmetic written from the published model code
 * (DeepSeek-V2: modeling_deepseek.py, DeepseekV2Attention; MiniCPM3: modeling_minicpm.py,
 * MiniCPMAttention): keys and values of every head are spread out of the latent for all positions,
 * nothing is absorbed, nothing is cached. Small random models, dense feed-forward. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <ingle.h>

#include "gguf/write.h"
#include "quant/quant.h"

enum {
    D = 64,
    LAYERS = 2,
    HEADS = 64, /* enough to be cut into pieces where one row is shared by all */
    OWN = 32,   /* dimensions of a head's key that do not turn */
    ROT = 16,
    DK = OWN + ROT,
    DV = 32,
    RANK = 64,
    RANK_Q = 32,
    FF = 96,
    VOCAB = 64,
    N = 40 /* tokens: two pages */
};

typedef struct variant {
    const char *name, *arch;
    bool lite;    /* queries without a latent */
    bool by_head; /* attn_k_b, attn_v_b in place of attn_kv_b */
    bool yarn, halves, minicpm;
} variant;

static const variant variants[] = {
    {.name = "deepseek2, one matrix", .arch = "deepseek2", .yarn = true},
    {.name = "deepseek2, by head", .arch = "deepseek2", .by_head = true, .yarn = true},
    {.name = "deepseek2, by head, plain queries",
     .arch = "deepseek2",
     .lite = true,
     .by_head = true},
    {.name = "minicpm3", .arch = "minicpm3", .halves = true, .minicpm = true},
};

/* Weights as the published code has them: rows of outputs. */
typedef struct layer {
    float attn_norm[D], q_a[RANK_Q * D], q_a_norm[RANK_Q], q_b[HEADS * DK * RANK_Q],
        q[HEADS * DK * D], kv_a[(RANK + ROT) * D], kv_a_norm[RANK], kv_b[HEADS * (OWN + DV) * RANK],
        out[D * HEADS * DV], ffn_norm[D], gate[FF * D], up[FF * D], down[D * FF];
} layer;

typedef struct net {
    float embd[VOCAB * D], output_norm[D], output[VOCAB * D];
    layer layer[LAYERS];
    float factors[2][ROT / 2]; /* minicpm3: short, long */
} net;

static net model;

static uint32_t seed;

static float random_one(void)
{
    seed = seed * 1664525 + 1013904223;
    return (float)((double)(seed >> 8) / (1 << 23) - 1);
}

static void fill(float *x, size_t n, double center, double spread)
{
    for (size_t i = 0; i < n; i++) x[i] = (float)(center + spread * (double)random_one());
}

#define FILL(x, center, spread) fill(x, sizeof(x) / sizeof(float), center, spread)

static void make_weights(void)
{
    seed = 7;
    FILL(model.embd, 0, 1);
    FILL(model.output_norm, 1, 0.3);
    FILL(model.output, 0, 0.4);
    for (int l = 0; l < LAYERS; l++) {
        layer *y = &model.layer[l];
        FILL(y->attn_norm, 1, 0.3), FILL(y->q_a, 0, 0.3), FILL(y->q_a_norm, 1, 0.3);
        FILL(y->q_b, 0, 0.4), FILL(y->q, 0, 0.3), FILL(y->kv_a, 0, 0.3);
        FILL(y->kv_a_norm, 1, 0.3), FILL(y->kv_b, 0, 0.3), FILL(y->out, 0, 0.2);
        FILL(y->ffn_norm, 1, 0.3), FILL(y->gate, 0, 0.2), FILL(y->up, 0, 0.2);
        FILL(y->down, 0, 0.2);
    }
    for (int i = 0; i < ROT / 2; i++)
        model.factors[0][i] = 1 + 0.1f * (float)i, model.factors[1][i] = 2 + 0.3f * (float)i;
}

/* ---- the file ---- */

typedef struct file {
    ingle_gguf_writer *w;
    ingle_type type;
    struct {
        const float *data;
        size_t n;
        bool packed;
    } part[64];
    size_t n;
    uint8_t *bytes; /* of a quantised tensor */
} file;

static void tensor(file *f, const char *name, const float *data, int n_dims, uint64_t d0,
                   uint64_t d1, uint64_t d2)
{
    ingle_error err;
    uint64_t dims[3] = {d0, d1, d2};
    bool packed = n_dims > 1 && f->type != INGLE_TYPE_F32;
    if (ingle_gguf_add_tensor(f->w, name, packed ? f->type : INGLE_TYPE_F32, n_dims, dims, &err))
        fail_msg("%s", err.text);
    f->part[f->n].data = data, f->part[f->n].packed = packed;
    f->part[f->n++].n = d0 * (n_dims > 1 ? d1 : 1) * (n_dims > 2 ? d2 : 1);
}

static void layer_tensor(file *f, int l, const char *part, const float *data, int n_dims,
                         uint64_t d0, uint64_t d1, uint64_t d2)
{
    char name[64];
    snprintf(name, sizeof name, "blk.%d.%s.weight", l, part);
    tensor(f, name, data, n_dims, d0, d1, d2);
}

/* Block of Q8_0: f16 scale, 32 int8. A power of two as scale is exact in both. */
static void quantise(uint8_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 32, out += 34) {
        uint16_t half = (uint16_t)((15 - 7) << 10); /* 2^-7 */
        memcpy(out, &half, 2);
        for (size_t k = 0; k < 32; k++) {
            float v = roundf(x[i + k] * 128);
            out[2 + k] = (uint8_t)(int8_t)(v < -127 ? -127 : v > 127 ? 127 : v);
        }
    }
}

static void write_data(file *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const float *x = f->part[i].data;
        size_t n = f->part[i].n;
        if (!f->part[i].packed) {
            assert_int_equal(ingle_gguf_write(f->w, x, n * 4, NULL), INGLE_OK);
            continue;
        }
        uint8_t *bytes = malloc(n / 32 * 34);
        quantise(bytes, x, n);
        assert_int_equal(ingle_gguf_write(f->w, bytes, n / 32 * 34, NULL), INGLE_OK);
        free(bytes);
    }
}

static void key_u32(file *f, const variant *v, const char *key, uint32_t value)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", v->arch, key);
    assert_int_equal(ingle_gguf_put_u32(f->w, name, value, NULL), INGLE_OK);
}

static void key_f32(file *f, const variant *v, const char *key, float value)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", v->arch, key);
    assert_int_equal(ingle_gguf_put_f32(f->w, name, value, NULL), INGLE_OK);
}

static void keys(file *f, const variant *v)
{
    char name[96];
    ingle_gguf_put_str(f->w, "general.architecture", v->arch, NULL);
    key_u32(f, v, "block_count", LAYERS);
    key_u32(f, v, "embedding_length", D);
    key_u32(f, v, "context_length", 1024);
    key_u32(f, v, "feed_forward_length", FF);
    key_u32(f, v, "attention.head_count", HEADS);
    key_u32(f, v, "attention.head_count_kv", v->by_head ? 1 : HEADS);
    key_u32(f, v, "attention.key_length", v->by_head ? RANK + ROT : DK);
    key_u32(f, v, "attention.value_length", v->by_head ? RANK : DV);
    if (v->by_head) {
        key_u32(f, v, "attention.key_length_mla", DK);
        key_u32(f, v, "attention.value_length_mla", DV);
    }
    if (!v->lite) key_u32(f, v, "attention.q_lora_rank", RANK_Q);
    key_u32(f, v, "attention.kv_lora_rank", RANK);
    key_u32(f, v, "rope.dimension_count", ROT);
    key_f32(f, v, "attention.layer_norm_rms_epsilon", 1e-6f);
    if (!v->yarn) return;
    snprintf(name, sizeof name, "%s.rope.scaling.type", v->arch);
    ingle_gguf_put_str(f->w, name, "yarn", NULL);
    key_f32(f, v, "rope.scaling.factor", 40);
    key_u32(f, v, "rope.scaling.original_context_length", 64);
    key_f32(f, v, "rope.scaling.yarn_log_multiplier", 0.0707f);
}

/* The latent's way out cut by head: keys transposed, so that queries go in. */
static void cut(const layer *y, float *k_b, float *v_b)
{
    for (int h = 0; h < HEADS; h++)
        for (int r = 0; r < OWN + DV; r++)
            for (int c = 0; c < RANK; c++) {
                float x = y->kv_b[(h * (OWN + DV) + r) * RANK + c];
                if (r < OWN) k_b[(h * RANK + c) * OWN + r] = x;
                else v_b[(h * DV + r - OWN) * RANK + c] = x;
            }
}

static void layer_tensors(file *f, const variant *v, int l, float *k_b, float *v_b)
{
    layer *y = &model.layer[l];
    layer_tensor(f, l, "attn_norm", y->attn_norm, 1, D, 1, 1);
    if (v->lite) layer_tensor(f, l, "attn_q", y->q, 2, D, HEADS * DK, 1);
    else {
        layer_tensor(f, l, "attn_q_a", y->q_a, 2, D, RANK_Q, 1);
        layer_tensor(f, l, "attn_q_a_norm", y->q_a_norm, 1, RANK_Q, 1, 1);
        layer_tensor(f, l, "attn_q_b", y->q_b, 2, RANK_Q, HEADS * DK, 1);
    }
    layer_tensor(f, l, "attn_kv_a_mqa", y->kv_a, 2, D, RANK + ROT, 1);
    layer_tensor(f, l, "attn_kv_a_norm", y->kv_a_norm, 1, RANK, 1, 1);
    if (v->by_head) {
        cut(y, k_b, v_b);
        layer_tensor(f, l, "attn_k_b", k_b, 3, OWN, RANK, HEADS);
        layer_tensor(f, l, "attn_v_b", v_b, 3, RANK, DV, HEADS);
    } else layer_tensor(f, l, "attn_kv_b", y->kv_b, 2, RANK, HEADS * (OWN + DV), 1);
    layer_tensor(f, l, "attn_output", y->out, 2, HEADS * DV, D, 1);
    layer_tensor(f, l, "ffn_norm", y->ffn_norm, 1, D, 1, 1);
    layer_tensor(f, l, "ffn_gate", y->gate, 2, D, FF, 1);
    layer_tensor(f, l, "ffn_up", y->up, 2, D, FF, 1);
    layer_tensor(f, l, "ffn_down", y->down, 2, FF, D, 1);
}

static void write_model(const char *path, const variant *v, ingle_type type)
{
    static float k_b[LAYERS][HEADS * RANK * OWN], v_b[LAYERS][HEADS * DV * RANK];
    file f = {.type = type};
    ingle_error err;
    if (ingle_gguf_writer_open(&f.w, path, &err)) fail_msg("%s", err.text);
    keys(&f, v);
    tensor(&f, "token_embd.weight", model.embd, 2, D, VOCAB, 1);
    tensor(&f, "output_norm.weight", model.output_norm, 1, D, 1, 1);
    tensor(&f, "output.weight", model.output, 2, D, VOCAB, 1);
    if (v->minicpm) {
        tensor(&f, "rope_factors_short.weight", model.factors[0], 1, ROT / 2, 1, 1);
        tensor(&f, "rope_factors_long.weight", model.factors[1], 1, ROT / 2, 1, 1);
    }
    for (int l = 0; l < LAYERS; l++) layer_tensors(&f, v, l, k_b[l], v_b[l]);
    write_data(&f);
    assert_int_equal(ingle_gguf_writer_finish(&f.w, &err), INGLE_OK);
}

/* ---- the reference ---- */

static void product(double *out, const float *w, const double *x, int n_rows, int n_cols)
{
    for (int r = 0; r < n_rows; r++) {
        out[r] = 0;
        for (int c = 0; c < n_cols; c++) out[r] += (double)w[r * n_cols + c] * x[c];
    }
}

static void rms(double *out, const double *x, const float *w, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    double s = 1 / sqrt(sum / n + (double)1e-6f);
    for (int i = 0; i < n; i++) out[i] = x[i] * s * (double)w[i];
}

/* YaRN as in DeepseekV2YarnRotaryEmbedding: interpolated below the correction range, as it was above. */
static double frequency(const variant *v, int i)
{
    double own = pow(10000, -2.0 * i / ROT), pi = acos(-1);
    if (v->minicpm) return own / (double)model.factors[0][i];
    if (!v->yarn) return own;
    double low = floor(ROT * log(64 / (32 * 2 * pi)) / (2 * log(10000))),
           high = ceil(ROT * log(64 / (1 * 2 * pi)) / (2 * log(10000)));
    low = fmax(low, 0), high = fmin(high, ROT - 1);
    double ramp = fmin(fmax((i - low) / fmax(high - low, 0.001), 0), 1);
    return own / 40 * ramp + own * (1 - ramp);
}

static void turn(const variant *v, double *x, int pos)
{
    for (int i = 0; i < ROT / 2; i++) {
        double angle = pos * frequency(v, i);
        int a = v->halves ? i : 2 * i, b = v->halves ? i + ROT / 2 : 2 * i + 1;
        double p = x[a], q = x[b];
        x[a] = p * cos(angle) - q * sin(angle);
        x[b] = p * sin(angle) + q * cos(angle);
    }
}

typedef struct seen {
    double k[HEADS][DK], v[HEADS][DV];
} seen;

static void one_attention(const variant *v, const layer *y, const double *x, int pos, seen *past,
                          double *out)
{
    double n[D], qa[RANK_Q], q[HEADS * DK], kv[RANK + ROT], c[RANK], all[HEADS * (OWN + DV)],
        a[HEADS * DV] = {0}, p[N];
    double mscale = v->yarn ? 0.1 * 10 * (double)0.0707f * log(40) + 1 : 1;
    rms(n, x, y->attn_norm, D);
    if (v->lite) product(q, y->q, n, HEADS * DK, D);
    else {
        product(qa, y->q_a, n, RANK_Q, D);
        rms(qa, qa, y->q_a_norm, RANK_Q);
        product(q, y->q_b, qa, HEADS * DK, RANK_Q);
    }
    product(kv, y->kv_a, n, RANK + ROT, D);
    rms(c, kv, y->kv_a_norm, RANK);
    product(all, y->kv_b, c, HEADS * (OWN + DV), RANK);
    turn(v, kv + RANK, pos);
    for (int h = 0; h < HEADS; h++) {
        turn(v, q + h * DK + OWN, pos);
        memcpy(past[pos].k[h], all + h * (OWN + DV), OWN * sizeof(double));
        memcpy(past[pos].k[h] + OWN, kv + RANK, ROT * sizeof(double));
        memcpy(past[pos].v[h], all + h * (OWN + DV) + OWN, DV * sizeof(double));
        double max = -INFINITY, sum = 0;
        for (int t = 0; t <= pos; t++) {
            p[t] = 0;
            for (int d = 0; d < DK; d++) p[t] += q[h * DK + d] * past[t].k[h][d];
            p[t] *= mscale * mscale / sqrt(DK);
            max = fmax(max, p[t]);
        }
        for (int t = 0; t <= pos; t++) sum += p[t] = exp(p[t] - max);
        for (int t = 0; t <= pos; t++)
            for (int d = 0; d < DV; d++) a[h * DV + d] += p[t] / sum * past[t].v[h][d];
    }
    product(out, y->out, a, D, HEADS * DV);
}

static void reference(const variant *v, const int32_t *tokens, double *logits)
{
    static seen past[LAYERS][N];
    double embed = v->minicpm ? 12 : 1, residual = v->minicpm ? 1.4 / sqrt(LAYERS) : 1,
           head = v->minicpm ? 256.0 / D : 1;
    for (int pos = 0; pos < N; pos++) {
        double x[D], n[D], g[FF], u[FF];
        for (int i = 0; i < D; i++) x[i] = embed * (double)model.embd[tokens[pos] * D + i];
        for (int l = 0; l < LAYERS; l++) {
            const layer *y = &model.layer[l];
            one_attention(v, y, x, pos, past[l], n);
            for (int i = 0; i < D; i++) x[i] += residual * n[i];
            rms(n, x, y->ffn_norm, D);
            product(g, y->gate, n, FF, D);
            product(u, y->up, n, FF, D);
            for (int i = 0; i < FF; i++) g[i] = g[i] / (1 + exp(-g[i])) * u[i];
            product(n, y->down, g, D, FF);
            for (int i = 0; i < D; i++) x[i] += residual * n[i];
        }
        rms(n, x, model.output_norm, D);
        product(logits + pos * VOCAB, model.output, n, VOCAB, D);
        for (int i = 0; i < VOCAB; i++) logits[pos * VOCAB + i] *= head;
    }
}

/* ---- the tests ---- */

static void path_of(char *path, size_t cap)
{
    const char *dir = getenv("TMPDIR");
    snprintf(path, cap, "%s/ingle-latent-%ld.gguf", dir ? dir : "/tmp", (long)getpid());
}

static void make_tokens(int32_t *tokens)
{
    for (int i = 0; i < N; i++) tokens[i] = (i * 29 + 5) % VOCAB;
}

typedef struct how {
    ingle_isa isa;
    bool fuse;
    int n_threads;
    size_t chunk;
} how;

static float *run(const char *path, const how *h, const int32_t *tokens)
{
    ingle_model_options mo;
    ingle_engine_options eo;
    ingle_model *m;
    ingle_engine *e;
    ingle_session *s;
    ingle_error err;
    float *out = malloc(sizeof(float) * N * VOCAB);
    ingle_model_options_init(&mo);
    mo.isa = h->isa, mo.fuse = h->fuse;
    if (ingle_model_open(&m, path, &mo, &err)) fail_msg("%s", err.text);
    ingle_engine_options_init(&eo);
    eo.n_ctx = 64, eo.n_threads = h->n_threads, eo.kv_type = INGLE_TYPE_F32;
    if (ingle_engine_open(&e, m, &eo, &err)) fail_msg("%s", err.text);
    assert_int_equal(ingle_session_open(&s, e, &err), INGLE_OK);
    for (size_t at = 0; at < N; at += h->chunk) {
        size_t n = N - at < h->chunk ? N - at : h->chunk;
        assert_int_equal(ingle_session_eval(s, tokens + at, n, INGLE_ROWS_ALL, &err), INGLE_OK);
        for (size_t r = 0; r < n; r++) {
            const float *row;
            assert_int_equal(ingle_session_logits(s, r, &row, &err), INGLE_OK);
            memcpy(out + (at + r) * VOCAB, row, sizeof(float) * VOCAB);
        }
    }
    ingle_session_close(&s);
    ingle_engine_close(&e);
    ingle_model_close(&m);
    return out;
}

/* Chains of float products of at most 128 terms, two layers deep: the golden models agree to 1e-5 of
 * the range, and ten times that is refused here. */
static void agrees(void **state)
{
    int32_t tokens[N];
    char path[512];
    static double want[N * VOCAB];
    (void)state;
    make_tokens(tokens);
    path_of(path, sizeof path);
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        double worst = 0, range = 0;
        write_model(path, &variants[i], INGLE_TYPE_F32);
        reference(&variants[i], tokens, want);
        float *got = run(path, &(how){INGLE_ISA_AUTO, true, 2, N}, tokens);
        for (size_t k = 0; k < N * VOCAB; k++) {
            double diff = fabs((double)got[k] - want[k]);
            if (!(diff <= worst)) worst = diff;
            range = fmax(range, fabs(want[k]));
        }
        print_message("%-36s max difference %.1e of %.1f\n", variants[i].name, worst, range);
        assert_true(worst < 1e-4 * range);
        free(got);
    }
    unlink(path);
}

/* The bits depend on the tokens only: not on batches, threads, levels (quantised) or fusing. */
static void same_bits(void **state)
{
    static const how ways[] = {
        {INGLE_ISA_AUTO, true, 1, N}, {INGLE_ISA_AUTO, false, 2, N}, {INGLE_ISA_AUTO, true, 3, 1},
        {INGLE_ISA_AUTO, true, 2, 7}, {INGLE_ISA_REF, false, 1, 13},
    };
    int32_t tokens[N];
    char path[512];
    (void)state;
    make_tokens(tokens);
    path_of(path, sizeof path);
    for (size_t i = 0; i < 2 * sizeof variants / sizeof variants[0]; i++) {
        write_model(path, &variants[i / 2], i % 2 ? INGLE_TYPE_Q8_0 : INGLE_TYPE_F32);
        float *first = run(path, &ways[0], tokens);
        for (size_t w = 1; w < sizeof ways / sizeof ways[0]; w++) {
            float *got = run(path, &ways[w], tokens);
            assert_memory_equal(got, first, sizeof(float) * N * VOCAB);
            free(got);
        }
        free(first);
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees), cmocka_unit_test(same_bits)};
    make_weights();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
