/* family_build.h - for tests: small models of random weights as GGUF files, and the comparison of
 * an engine's logits with wanted ones at every level, plan and cut of the tokens.
 * Owns       the keys, the tensor list and the data of a file in the making.
 * Depends on golden/run.h (cmocka, the engine), gguf_build.h; needs _GNU_SOURCE for memfd_create.
 */
#ifndef INGLE_TESTS_GOLDEN_FAMILY_BUILD_H
#define INGLE_TESTS_GOLDEN_FAMILY_BUILD_H

#include "golden/run.h"

#include "gguf_build.h"

#include <math.h>

typedef struct fb_model {
    const char *arch;
    gguf_bytes keys, list;
    uint64_t n_keys, n_tensors;
    uint8_t *data;
    size_t n, cap; /* bytes */
    uint64_t seed;
    bool scales;  /* fb_matrix() adds scales of whole tensors */
    bool ternary; /* fb_matrix() writes TQ2_0, for layers' matrices */
} fb_model;

/* ---- tensors ---- */

static inline float fb_noise(fb_model *b)
{
    b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
    return (float)((double)(b->seed >> 33) / 0x1p30 - 1); /* -1 .. 1 */
}

/* Lists a tensor and gives the place of its n_bytes, which the caller fills. */
static inline uint8_t *fb_tensor(fb_model *b, const char *name, const uint64_t dims[3],
                                 ingle_type type, size_t n_bytes)
{
    size_t at = b->n, end = (at + n_bytes + 31) / 32 * 32;
    if (end > b->cap) {
        b->cap = 2 * end;
        b->data = realloc(b->data, b->cap);
        assert_non_null(b->data);
    }
    memset(b->data + at, 0, end - at);
    gb_tensor(&b->list, name, dims[2] > 1 ? 3 : dims[1] > 1 ? 2 : 1, dims, type, at);
    b->n_tensors++;
    b->n = end;
    return b->data + at;
}

/* mean + random of that size. */
static inline void fb_put_all(fb_model *b, const char *name, size_t n_cols, size_t n_rows,
                              size_t n_experts, float mean, float size)
{
    size_t n = n_cols * n_rows * n_experts;
    uint8_t *p = fb_tensor(b, name, (uint64_t[]){n_cols, n_rows, n_experts}, INGLE_TYPE_F32,
                           n * sizeof(float));
    for (size_t i = 0; i < n; i++)
        memcpy(p + i * sizeof(float), &(float){mean + size * fb_noise(b)}, sizeof(float));
}

static inline void fb_put(fb_model *b, const char *name, size_t n_cols, size_t n_rows, float mean,
                          float size)
{
    fb_put_all(b, name, n_cols, n_rows, 1, mean, size);
}

/* "blk.3.attn_q.weight"; of no layer (UINT32_MAX) "output.weight"; without an end "blk.3.ssm_a". */
static inline const char *fb_name(char name[128], uint32_t layer, const char *part, const char *end)
{
    const char *dot = *end ? "." : "";
    if (layer == UINT32_MAX) snprintf(name, 128, "%s%s%s", part, dot, end);
    else snprintf(name, 128, "blk.%u.%s%s%s", layer, part, dot, end);
    return name;
}

static inline void fb_put_layer(fb_model *b, uint32_t layer, const char *part, const char *end,
                                size_t n_cols, size_t n_rows, float mean, float size)
{
    char name[128];
    fb_put(b, fb_name(name, layer, part, end), n_cols, n_rows, mean, size);
}

/* Values -1, 0 and 1 times one factor between 1/16 and 1/8, in blocks of TQ2_0: 64 bytes of four
 * values each, then the factor in 16 bits (block_tq2_0 of ggml-common.h). */
static inline void fb_put_ternary(fb_model *b, const char *name, size_t n_cols, size_t n_rows)
{
    size_t n_blocks = n_cols * n_rows / 256;
    uint8_t *p =
        fb_tensor(b, name, (uint64_t[]){n_cols, n_rows, 1}, INGLE_TYPE_TQ2_0, n_blocks * 66);
    unsigned factor = 11u << 10 | (unsigned)(512 * (fb_noise(b) + 1)) % 1024;
    assert_int_equal(n_cols % 256, 0);
    for (size_t i = 0; i < n_blocks; i++, p += 66) {
        for (size_t k = 0; k < 256; k++) {
            int value = (int)(1.5f * (fb_noise(b) + 1)); /* 0, 1, 2 */
            p[k % 64] |= (uint8_t)((value > 2 ? 2 : value) << k / 64 * 2);
        }
        p[64] = factor & 255, p[65] = (uint8_t)(factor >> 8);
    }
}

static inline void fb_matrix(fb_model *b, uint32_t layer, const char *part, size_t n_cols,
                             size_t n_rows, bool bias)
{
    char name[128];
    fb_name(name, layer, part, "weight");
    if (b->ternary && layer != UINT32_MAX) fb_put_ternary(b, name, n_cols, n_rows);
    else fb_put(b, name, n_cols, n_rows, 0, 1.7f / sqrtf((float)n_cols));
    if (bias) fb_put_layer(b, layer, part, "bias", n_rows, 1, 0, 0.4f);
    if (!b->scales) return;
    fb_put_layer(b, layer, part, "scale", 1, 1, 1, 0.5f);
    fb_put_layer(b, layer, part, "input_scale", 1, 1, 1, 0.5f); /* not for us */
}

/* ---- keys ---- */

static inline const char *fb_key(const fb_model *b, const char *key)
{
    static char name[96];
    snprintf(name, sizeof name, "%s.%s", b->arch, key);
    return name;
}

static inline void fb_u32(fb_model *b, const char *key, uint32_t v)
{
    gb_kv_u32(&b->keys, fb_key(b, key), v);
    b->n_keys++;
}

static inline void fb_f32(fb_model *b, const char *key, float v)
{
    gb_kv_f32(&b->keys, fb_key(b, key), v);
    b->n_keys++;
}

static inline void fb_bool(fb_model *b, const char *key, bool v)
{
    gb_kv_int(&b->keys, fb_key(b, key), INGLE_GGUF_BOOL, v, 1);
    b->n_keys++;
}

static inline void fb_str(fb_model *b, const char *key, const char *text)
{
    gb_kv_str(&b->keys, fb_key(b, key), text);
    b->n_keys++;
}

/* ---- the file ---- */

static inline void fb_begin(fb_model *b, const char *arch)
{
    *b = (fb_model){.arch = arch, .seed = 20240607, .n_keys = 1};
    gb_kv_str(&b->keys, "general.architecture", arch);
}

/* A file of it; `path` opens it as long as the descriptor lives. */
static inline int fb_end(fb_model *b, char path[32])
{
    static gguf_bytes head;
    head.n = 0;
    gb_header(&head, 3, b->n_tensors, b->n_keys);
    gb_raw(&head, b->keys.p, b->keys.n);
    gb_raw(&head, b->list.p, b->list.n);
    gb_pad(&head, 32);
    uint8_t *all = malloc(head.n + b->n);
    assert_non_null(all);
    memcpy(all, head.p, head.n);
    memcpy(all + head.n, b->data, b->n);
    int fd = gb_file(all, head.n + b->n, path);
    free(all);
    free(b->data);
    b->data = NULL;
    return fd;
}

/* ---- the comparison ---- */

/* The greatest difference as a share of the range. */
static inline double fb_difference(const char *name, const char *arch, const float *got,
                                   const double *want, size_t n)
{
    double min = INFINITY, max = -INFINITY, worst = 0;
    for (size_t i = 0; i < n; i++) {
        double diff = fabs((double)got[i] - want[i]);
        min = fmin(min, want[i]), max = fmax(max, want[i]);
        if (!(diff <= worst)) worst = diff; /* NaN too */
    }
    print_message("%-24s max difference %.2e of range %.1f = %.1e (%s)\n", name, worst, max - min,
                  worst / (max - min), arch);
    return worst / (max - min);
}

static inline void fb_tokens(int32_t *tokens, size_t n, size_t n_vocab)
{
    uint32_t seed = 7;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        tokens[i] = (int32_t)((seed >> 8) % n_vocab);
    }
}

/* One token at a time, the last third at once. */
static inline float *fb_eval_pieces(runner *r, const int32_t *tokens, size_t n)
{
    float *out = malloc(n * r->n_vocab * sizeof *out);
    for (size_t at = 0, k; at < n; at += k) {
        k = at < n - n / 3 ? 1 : n - at;
        float *part = runner_eval(r, tokens + at, k);
        memcpy(out + at * r->n_vocab, part, k * r->n_vocab * sizeof *out);
        free(part);
    }
    return out;
}

/* The logits of every position differ from the wanted ones by less than `limit` of their range; and
 * they have the same bits at the portable level, without fusing, and token by token. */
static inline void fb_check(const char *name, const char *arch, const golden *g,
                            const int32_t *tokens, size_t n, const double *want, double limit)
{
    size_t bytes = n * g->n_vocab * sizeof(float);
    float *first = NULL;
    for (int way = 0; way < 4; way++) {
        runner r = runner_open(g, way == 1 ? INGLE_ISA_REF : INGLE_ISA_AUTO, way != 2);
        float *got = way == 3 ? fb_eval_pieces(&r, tokens, n) : runner_eval(&r, tokens, n);
        if (way == 0) {
            first = got;
            assert_true(fb_difference(name, arch, got, want, n * g->n_vocab) < limit);
        } else if (memcmp(first, got, bytes)) {
            static const char *const ways[] = {"", "the portable level", "the plain plan",
                                               "token by token"};
            fail_msg("%s: other bits with %s", name, ways[way]);
        }
        if (way) free(got);
        runner_close(&r);
    }
    free(first);
}

#endif
