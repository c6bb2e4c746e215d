/* test_mamba.c - Mamba 1 and 2 against plain double arithmetic, written from the published model code
 * (state-spaces/mamba: mamba_simple.py, mamba2.py, selective_scan_interface.py's selective_scan_ref;
 * for the normed variant of FalconMamba, modeling_falcon_mamba.py of transformers). Small models of
 * random weights, as there are no reference logits of another engine. */
#define _GNU_SOURCE
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ingle.h>

#include "gguf_build.h"

enum {
    EMBD = 24,
    INNER = 40,
    STATE = 8,
    TAPS = 4,
    RANK = 4,
    HEADS = 10, /* of Mamba 2 */
    GROUPS = 2,
    LAYERS = 2,
    VOCAB = 19,
    TOKENS = 70,
    MAX_TENSORS = 32,
    MAX_FLOATS = 32768
};

static const float eps = 1e-5f;

typedef struct tensor {
    char name[48];
    uint64_t dims[2]; /* the first runs fastest */
    size_t first;     /* in the data */
} tensor;

typedef struct model {
    bool two, normed;
    tensor tensor[MAX_TENSORS];
    size_t n_tensors, n_floats;
    float data[MAX_FLOATS];
    uint64_t seed;
} model;

/* ---- the model's file ---- */

static float uniform(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(uint32_t)(*seed >> 40) / 0x1p23f - 1.0f;
}

/* Values in [mid - by, mid + by). */
static void add(model *m, const char *name, uint64_t n0, uint64_t n1, float mid, float by)
{
    tensor *t = &m->tensor[m->n_tensors++];
    assert_true(m->n_tensors <= MAX_TENSORS && m->n_floats + n0 * n1 <= MAX_FLOATS);
    snprintf(t->name, sizeof t->name, "%s", name);
    t->dims[0] = n0, t->dims[1] = n1, t->first = m->n_floats;
    for (uint64_t i = 0; i < n0 * n1; i++) m->data[m->n_floats++] = mid + by * uniform(&m->seed);
    while (m->n_floats % 8) m->data[m->n_floats++] = 0;
}

static void add_layer(model *m, int l, const char *part, uint64_t n0, uint64_t n1, float mid,
                      float by)
{
    char name[48];
    snprintf(name, sizeof name, "blk.%d.%s", l, part);
    add(m, name, n0, n1, mid, by);
}

static void fill(model *m)
{
    const uint64_t conv = m->two ? INNER + 2 * GROUPS * STATE : INNER;
    m->seed = 11;
    add(m, "token_embd.weight", EMBD, VOCAB, 0, 1);
    add(m, "output_norm.weight", EMBD, 1, 1, 0.2f);
    add(m, "output.weight", EMBD, VOCAB, 0, 0.5f);
    for (int l = 0; l < LAYERS; l++) {
        add_layer(m, l, "attn_norm.weight", EMBD, 1, 1, 0.2f);
        add_layer(m, l, "ssm_in.weight", EMBD, m->two ? INNER + conv + HEADS : 2 * INNER, 0, 0.4f);
        add_layer(m, l, "ssm_conv1d.weight", TAPS, conv, 0.1f, 0.5f);
        add_layer(m, l, "ssm_conv1d.bias", conv, 1, 0, 0.2f);
        add_layer(m, l, "ssm_out.weight", INNER, EMBD, 0, 0.4f);
        if (m->two) {
            add_layer(m, l, "ssm_dt.bias", HEADS, 1, -1, 1);
            add_layer(m, l, "ssm_a", 1, HEADS, -1, 0.8f);
            add_layer(m, l, "ssm_d", 1, HEADS, 1, 0.5f);
            add_layer(m, l, "ssm_norm.weight", INNER / GROUPS, GROUPS, 1, 0.2f);
        } else {
            add_layer(m, l, "ssm_x.weight", INNER, RANK + 2 * STATE, 0, 0.4f);
            add_layer(m, l, "ssm_dt.weight", RANK, INNER, 0, 0.5f);
            add_layer(m, l, "ssm_dt.bias", INNER, 1, -1, 1);
            add_layer(m, l, "ssm_a", STATE, INNER, -1, 0.8f);
            add_layer(m, l, "ssm_d", INNER, 1, 1, 0.5f);
        }
    }
}

static int write_model(const model *m, char path[32])
{
    static gguf_bytes b;
    const char *arch = m->two ? "mamba2" : "mamba";
    const struct {
        const char *key;
        uint32_t value;
    } keys[] = {{"block_count", LAYERS},
                {"context_length", 4096},
                {"embedding_length", EMBD},
                {"feed_forward_length", 0},
                {"attention.head_count", 0},
                {"ssm.conv_kernel", TAPS},
                {"ssm.inner_size", INNER},
                {"ssm.state_size", STATE},
                {"ssm.time_step_rank", m->two ? HEADS : RANK},
                {"ssm.group_count", m->two ? GROUPS : 0}};
    char key[64];
    size_t n_keys = sizeof keys / sizeof *keys;
    b.n = 0;
    gb_header(&b, 3, m->n_tensors, n_keys + 2 + m->normed);
    gb_kv_str(&b, "general.architecture", arch);
    for (size_t i = 0; i < n_keys; i++) {
        snprintf(key, sizeof key, "%s.%s", arch, keys[i].key);
        gb_kv_u32(&b, key, keys[i].value);
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", arch);
    gb_kv_f32(&b, key, eps);
    if (m->normed) gb_kv_int(&b, "mamba.ssm.dt_b_c_rms", INGLE_GGUF_BOOL, 1, 1);
    for (size_t i = 0; i < m->n_tensors; i++)
        gb_tensor(&b, m->tensor[i].name, m->tensor[i].dims[1] > 1 ? 2 : 1, m->tensor[i].dims,
                  INGLE_TYPE_F32, m->tensor[i].first * sizeof(float));
    gb_pad(&b, 32);
    size_t n = b.n + m->n_floats * sizeof(float);
    uint8_t *all = malloc(n);
    memcpy(all, b.p, b.n);
    memcpy(all + b.n, m->data, m->n_floats * sizeof(float));
    int fd = gb_file(all, n, path);
    free(all);
    return fd;
}

/* ---- the reference ---- */

static const float *find(const model *m, int l, const char *part)
{
    char name[48];
    if (l < 0) snprintf(name, sizeof name, "%s", part);
    else snprintf(name, sizeof name, "blk.%d.%s", l, part);
    for (size_t i = 0; i < m->n_tensors; i++)
        if (!strcmp(m->tensor[i].name, name)) return m->data + m->tensor[i].first;
    fail_msg("no tensor %s", name);
    return NULL;
}

static void linear(double *y, const float *w, const double *x, size_t n_in, size_t n_out)
{
    for (size_t o = 0; o < n_out; o++) {
        y[o] = 0;
        for (size_t i = 0; i < n_in; i++) y[o] += (double)w[o * n_in + i] * x[i];
    }
}

static void rms(double *y, const double *x, const float *w, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] / sqrt(sum / (double)n + (double)eps) * (w ? (double)w[i] : 1);
}

static double silu(double x)
{
    return x / (1 + exp(-x));
}

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

enum { MAX_CONV = INNER + 2 * GROUPS * STATE };

typedef struct past {
    double input[TAPS][MAX_CONV]; /* of the convolution, the token's own last */
    double h[INNER][STATE];
} past;

static void convolve(const model *m, int l, past *p, const double *x, size_t n, double *y)
{
    const float *w = find(m, l, "ssm_conv1d.weight"), *bias = find(m, l, "ssm_conv1d.bias");
    memmove(p->input, p->input + 1, sizeof p->input - sizeof *p->input);
    memcpy(p->input[TAPS - 1], x, n * sizeof *x);
    for (size_t c = 0; c < n; c++) {
        y[c] = (double)bias[c];
        for (size_t k = 0; k < TAPS; k++) y[c] += (double)w[c * TAPS + k] * p->input[k][c];
        y[c] = silu(y[c]);
    }
}

/* One channel: h = exp(dt A) h + dt B x, y = C h + D x. */
static double scan(double *h, double x, double dt, const float *a, bool same_a, const double *b,
                   const double *c, double d)
{
    double y = d * x;
    for (size_t k = 0; k < STATE; k++) {
        h[k] = exp(dt * (double)a[same_a ? 0 : k]) * h[k] + dt * b[k] * x;
        y += c[k] * h[k];
    }
    return y;
}

static void mixer1(const model *m, int l, past *p, const double *in, double *y)
{
    double xz[2 * INNER], x[INNER], dbc[RANK + 2 * STATE], dt[INNER];
    const float *a = find(m, l, "ssm_a"), *d = find(m, l, "ssm_d"),
                *bias = find(m, l, "ssm_dt.bias");
    linear(xz, find(m, l, "ssm_in.weight"), in, EMBD, 2 * INNER);
    convolve(m, l, p, xz, INNER, x);
    linear(dbc, find(m, l, "ssm_x.weight"), x, INNER, RANK + 2 * STATE);
    if (m->normed) {
        rms(dbc, dbc, NULL, RANK);
        rms(dbc + RANK, dbc + RANK, NULL, STATE);
        rms(dbc + RANK + STATE, dbc + RANK + STATE, NULL, STATE);
    }
    linear(dt, find(m, l, "ssm_dt.weight"), dbc, RANK, INNER);
    for (size_t i = 0; i < INNER; i++)
        y[i] = scan(p->h[i], x[i], softplus(dt[i] + (double)bias[i]), a + i * STATE, false,
                    dbc + RANK, dbc + RANK + STATE, (double)d[i]) *
               silu(xz[INNER + i]);
}

static void mixer2(const model *m, int l, past *p, const double *in, double *y)
{
    double all[INNER + MAX_CONV + HEADS], xbc[MAX_CONV];
    const double *dt = all + INNER + MAX_CONV, *z = all;
    const float *a = find(m, l, "ssm_a"), *d = find(m, l, "ssm_d"),
                *bias = find(m, l, "ssm_dt.bias"), *norm = find(m, l, "ssm_norm.weight");
    linear(all, find(m, l, "ssm_in.weight"), in, EMBD, INNER + MAX_CONV + HEADS);
    convolve(m, l, p, all + INNER, MAX_CONV, xbc);
    for (size_t i = 0; i < INNER; i++) {
        size_t head = i / (INNER / HEADS), group = head / (HEADS / GROUPS);
        y[i] = scan(p->h[i], xbc[i], softplus(dt[head] + (double)bias[head]), a + head, true,
                    xbc + INNER + group * STATE, xbc + INNER + (GROUPS + group) * STATE,
                    (double)d[head]) *
               silu(z[i]);
    }
    const size_t width = INNER / GROUPS;
    for (size_t g = 0; g < GROUPS; g++) rms(y + g * width, y + g * width, norm + g * width, width);
}

static void reference(const model *m, const int32_t *tokens, size_t n, double *logits)
{
    past *p = calloc(LAYERS, sizeof *p);
    for (size_t t = 0; t < n; t++) {
        double x[EMBD], h[EMBD], y[INNER], out[EMBD];
        for (size_t i = 0; i < EMBD; i++)
            x[i] = (double)find(m, -1, "token_embd.weight")[(size_t)tokens[t] * EMBD + i];
        for (int l = 0; l < LAYERS; l++) {
            rms(h, x, find(m, l, "attn_norm.weight"), EMBD);
            (m->two ? mixer2 : mixer1)(m, l, &p[l], h, y);
            linear(out, find(m, l, "ssm_out.weight"), y, INNER, EMBD);
            for (size_t i = 0; i < EMBD; i++) x[i] += out[i];
        }
        rms(h, x, find(m, -1, "output_norm.weight"), EMBD);
        linear(logits + t * VOCAB, find(m, -1, "output.weight"), h, EMBD, VOCAB);
    }
    free(p);
}

/* ---- the comparison ---- */

static void compare(bool two, bool normed)
{
    static model m;
    static double want[TOKENS * VOCAB];
    int32_t tokens[TOKENS];
    uint64_t seed = 5;
    char path[32];
    ingle_error err;
    ingle_model *opened;
    ingle_engine *engine;
    ingle_session *session;
    m = (model){.two = two, .normed = normed};
    fill(&m);
    for (size_t i = 0; i < TOKENS; i++)
        tokens[i] = (int32_t)((uniform(&seed) + 1) / 2 * VOCAB) % VOCAB;
    reference(&m, tokens, TOKENS, want);
    int fd = write_model(&m, path);
    if (ingle_model_open(&opened, path, NULL, &err)) fail_msg("%s", err.text);
    ingle_model_info info = {.size = sizeof info};
    if (ingle_model_info_get(opened, &info, &err)) fail_msg("%s", err.text);
    assert_true(info.recurrent && !info.hybrid && !info.encoder);
    if (ingle_engine_open(&engine, opened, NULL, &err)) fail_msg("%s", err.text);
    if (ingle_session_open(&session, engine, &err)) fail_msg("%s", err.text);
    if (ingle_session_eval(session, tokens, TOKENS, INGLE_ROWS_ALL, &err)) fail_msg("%s", err.text);
    double worst = 0, min = INFINITY, max = -INFINITY;
    for (size_t t = 0; t < TOKENS; t++) {
        const float *got;
        assert_int_equal(ingle_session_logits(session, t, &got, NULL), INGLE_OK);
        for (size_t i = 0; i < VOCAB; i++) {
            double diff = fabs((double)got[i] - want[t * VOCAB + i]);
            if (!(diff <= worst)) worst = diff;
            min = fmin(min, want[t * VOCAB + i]), max = fmax(max, want[t * VOCAB + i]);
        }
    }
    print_message("%s%s: max difference %.2e of range %.1f = %.1e\n", two ? "mamba2" : "mamba",
                  normed ? " with norms" : "", worst, max - min, worst / (max - min));
    assert_true(worst < 1e-5 * (max - min)); /* F32 throughout; others are held to 1e-3 */
    ingle_session_close(&session);
    ingle_engine_close(&engine);
    ingle_model_close(&opened);
    close(fd);
}

static void mamba(void **state)
{
    (void)state;
    compare(false, false);
}

static void falcon_mamba(void **state)
{
    (void)state;
    compare(false, true);
}

static void mamba2_groups(void **state)
{
    (void)state;
    compare(true, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mamba),
        cmocka_unit_test(falcon_mamba),
        cmocka_unit_test(mamba2_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
