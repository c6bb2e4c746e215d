/* test_attend.c - KV pages and attention: the portable level against softmax attention in double
 * with a bound from the data, every other level against the portable one bit for bit, any tiling of
 * tokens, and nothing beyond what a row sees. */
#define _GNU_SOURCE
#include "guard.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define EPS 0x1p-24 /* half an ulp of 1 */

static const ingle_type kv_types[] = {INGLE_TYPE_F32, INGLE_TYPE_F16, INGLE_TYPE_BF16,
                                      INGLE_TYPE_Q8_0};
#define N_TYPES 4
#define SLOT                                                                                       \
    192 /* of the layer and head at hand in a page; before it lies what must not be touched */

typedef struct scene {
    ingle_kv_shape kv;
    size_t n_pos, n_pages;
    guard *pages;
    const uint8_t **bases;
    float *k, *v; /* what was stored, [n_pos][head_dim] */
    size_t n_tokens, n_group, pos0, window;
    bool both; /* tokens see later ones too */
    float scale, softcap;
    const float *sinks; /* NULL: none */
    float slopes[16];   /* of the heads; the first 0: none */
    guard q, out, scratch;
    size_t ld_q, ld_out;
} scene;

typedef struct shape {
    ingle_type type;
    size_t head_dim_k, head_dim_v, n_group, pos0, n_tokens, window;
    float softcap, slope;
    bool sinks;
    bool both;
} shape;

static const float some_sinks[14] = {0.5f, -2, 3, 0, 9, -30, 1.5f, 0.1f, 2, -1, 4, 6, -5, 0.7f};

static void store_all(const ingle_kern *k, scene *s)
{
    for (size_t p = 0; p < s->n_pos; p++)
        k->kv_store(&s->kv, s->pages[p / 32].at, p % 32, s->k + p * s->kv.head_dim_k,
                    s->v + p * s->kv.head_dim_v);
}

static scene *scene_new(const ingle_kern *k, const shape *in, uint64_t seed, bool low)
{
    scene *s = calloc(1, sizeof *s);
    assert_true(ingle_kv_shape_init(&s->kv, in->type, in->head_dim_k, in->head_dim_v));
    s->n_tokens = in->n_tokens, s->n_group = in->n_group, s->pos0 = in->pos0,
    s->window = in->window;
    s->softcap = in->softcap;
    s->sinks = in->sinks ? some_sinks : NULL;
    s->both = in->both;
    for (size_t g = 0; g < in->n_group; g++) s->slopes[g] = in->slope / (float)(g + 1);
    s->scale = 1.0f / sqrtf((float)in->head_dim_k);
    s->n_pos = in->pos0 + in->n_tokens;
    s->n_pages = (s->n_pos + 31) / 32;
    s->pages = calloc(s->n_pages, sizeof *s->pages);
    s->bases = calloc(s->n_pages, sizeof *s->bases);
    for (size_t i = 0; i < s->n_pages; i++)
        s->bases[i] = (s->pages[i] = guard_new(s->kv.bytes, low)).at - SLOT;
    s->k = malloc(s->n_pos * in->head_dim_k * 4);
    s->v = malloc(s->n_pos * in->head_dim_v * 4);
    for (size_t i = 0; i < s->n_pos * in->head_dim_k; i++) s->k[i] = 2 * test_uniform(&seed);
    for (size_t i = 0; i < s->n_pos * in->head_dim_v; i++) s->v[i] = 2 * test_uniform(&seed);
    store_all(k, s);
    s->ld_q = in->n_group * in->head_dim_k + 3, s->ld_out = in->n_group * in->head_dim_v + 5;
    size_t n_q = (in->n_tokens - 1) * s->ld_q + in->n_group * in->head_dim_k;
    s->q = guard_new(n_q * 4, low);
    for (size_t i = 0; i < n_q; i++) ((float *)s->q.at)[i] = 3 * test_uniform(&seed);
    s->out = guard_new(((in->n_tokens - 1) * s->ld_out + in->n_group * in->head_dim_v) * 4, low);
    return s;
}

static void scene_free(scene *s)
{
    for (size_t i = 0; i < s->n_pages; i++) guard_free(&s->pages[i]);
    guard_free(&s->q), guard_free(&s->out);
    free(s->pages), free(s->bases), free(s->k), free(s->v), free(s);
}

/* Tokens in steps of `step`, each call with fresh scratch between guards. */
static void run(const ingle_kern *k, scene *s, size_t step, bool low)
{
    size_t bytes = k->attend_scratch_bytes(s->kv.head_dim_k, s->kv.head_dim_v, s->n_group);
    assert_true(bytes % 64 == 0);
    guard scratch = guard_new(bytes, low);
    memset(scratch.at, 0xff, bytes); /* NaN: nothing may be read before it is written */
    memset(s->out.at, 0xee, ((s->n_tokens - 1) * s->ld_out + s->n_group * s->kv.head_dim_v) * 4);
    for (size_t t = 0; t < s->n_tokens; t += step) {
        ingle_attend job = {.kv = &s->kv,
                            .pages = s->bases,
                            .slot = SLOT,
                            .n_group = s->n_group,
                            .pos0 = s->pos0 + t,
                            .n_tokens = s->n_tokens - t < step ? s->n_tokens - t : step,
                            .window = s->window,
                            .scale = s->scale,
                            .softcap = s->softcap,
                            .sinks = s->sinks,
                            .n_seen = s->both ? s->n_pos : 0,
                            .slopes = s->slopes[0] != 0.0f ? s->slopes : NULL,
                            .ld_q = s->ld_q,
                            .ld_out = s->ld_out,
                            .q = (float *)s->q.at + t * s->ld_q,
                            .out = (float *)s->out.at + t * s->ld_out};
        k->attend(&job, scratch.at);
    }
    guard_free(&scratch);
}

static size_t out_bytes(const scene *s)
{
    return ((s->n_tokens - 1) * s->ld_out + s->n_group * s->kv.head_dim_v) * 4;
}

/* ---- reading a page by the layout in kern.h ---- */

static double element(const ingle_kv_shape *kv, const uint8_t *slot, bool value, size_t i, size_t d)
{
    size_t dims = ingle_round_up(kv->head_dim_v, 16), at = value ? i * dims + d : d * 32 + i;
    const uint8_t *part = slot + (value ? kv->v : 0);
    uint16_t h;
    float f;
    switch (kv->type) {
    case INGLE_TYPE_F32: memcpy(&f, part + 4 * at, 4); return (double)f;
    case INGLE_TYPE_F16: memcpy(&h, part + 2 * at, 2); return (double)ingle_f16_to_f32(h);
    case INGLE_TYPE_BF16: memcpy(&h, part + 2 * at, 2); return (double)ingle_bf16_to_f32(h);
    default: break;
    }
    size_t scale = value ? i * ((kv->head_dim_v + 31) / 32) + d / 32 : d / 32 * 32 + i;
    memcpy(&f, slot + (value ? kv->v_scale : kv->k_scale) + 4 * scale, 4);
    return (double)(float)((float)((const int8_t *)part)[at] * f);
}

/* One row in double, and how far float arithmetic may be from it: a score is a chain of head_dim
 * rounded steps, then scaled and perhaps capped (tanh: 8 half ulps of the cap, slope <= 1); exp is
 * 2 ulp of its argument's error; out is a ratio of chains of up to 256 steps, merged once per
 * group. */
static void check_row(const scene *s, size_t t, size_t g)
{
    size_t pos = s->pos0 + t, side = s->window / 2;
    const float *q = (float *)s->q.at + t * s->ld_q + g * s->kv.head_dim_k;
    const float *out = (float *)s->out.at + t * s->ld_out + g * s->kv.head_dim_v;
    size_t end = pos + 1, first = s->window && end > s->window ? end - s->window : 0;
    if (s->both) {
        end = s->window && pos + side + 1 < s->n_pos ? pos + side + 1 : s->n_pos;
        first = s->window && pos > side ? pos - side : 0;
    }
    double *p = malloc(end * sizeof *p), max = -INFINITY, sum = 0, delta = 0;
    for (size_t i = first; i < end; i++) {
        double dot = 0, mag = 0;
        for (size_t d = 0; d < s->kv.head_dim_k; d++) {
            double e = (double)q[d] * element(&s->kv, s->pages[i / 32].at, false, i % 32, d);
            dot += e, mag += fabs(e);
        }
        p[i] = dot * (double)s->scale;
        double err = (mag * (double)(s->kv.head_dim_k + 1) + fabs(dot)) * (double)s->scale * EPS;
        if (s->softcap != 0) {
            p[i] = (double)s->softcap * tanh(p[i] / (double)s->softcap);
            err += 12 * EPS * (double)s->softcap;
        }
        p[i] -= (double)s->slopes[g] * fabs((double)i - (double)pos);
        if (s->slopes[g] != 0.0f) err += fabs(p[i]) * EPS;
        delta = fmax(delta, err);
        max = fmax(max, p[i]);
    }
    if (s->sinks) sum = exp((double)s->sinks[g] - max);
    for (size_t i = first; i < end; i++) sum += p[i] = exp(p[i] - max);
    double groups = (double)((end - 1) / 256 - first / 256 + 1), rel = 2 * delta;
    rel +=
        (2 * fabs(max) + 60 + 2 * 4 + 2 * (256 + 16 + 4) + groups * (2 * 8 + 2 * fabs(max) + 60)) *
        EPS;
    if (s->sinks) rel += (2 * 8 + 2 * fabs(max) + 60) * EPS; /* merged like one more group */
    for (size_t d = 0; d < s->kv.head_dim_v; d++) {
        double want = 0, mag = 0;
        for (size_t i = first; i < end; i++) {
            double e = p[i] * element(&s->kv, s->pages[i / 32].at, true, i % 32, d) / sum;
            want += e, mag += fabs(e);
        }
        if (!(fabs(out[d] - want) <= mag * rel * 1.01 + 0x1p-140))
            fail_msg("type %d dims %zu/%zu group %zu pos0 %zu token %zu head %zu dim %zu: %.9g, "
                     "not %.9g (bound %g)",
                     (int)s->kv.type, s->kv.head_dim_k, s->kv.head_dim_v, s->n_group, s->pos0, t, g,
                     d, (double)out[d], want, mag * rel);
    }
    free(p);
}

/* ---- tests ---- */

static const size_t head_dims[] = {16, 40, 64, 80, 128};
static const size_t groups[] = {1, 3, 4, 8};

static void ref_is_right(void **state)
{
    (void)state;
    ingle_kern ref;
    ingle_kern_init(&ref, INGLE_ISA_REF);
    int n = 0;
    for (int type = 0; type < N_TYPES; type++) {
        for (int d = 0; d < 5; d++) {
            for (int g = 0; g < 4; g++, n++) {
                static const size_t pos0s[] = {0, 1, 30, 31, 32, 100, 250, 255, 256, 500},
                                    windows[] = {0, 0, 1, 33, 100, 300};
                shape in = {kv_types[type],
                            head_dims[d],
                            head_dims[(d + (n % 7 == 0)) % 5],
                            groups[g],
                            pos0s[n % 10],
                            1 + (size_t)n % 19,
                            windows[n % 6],
                            n % 5 == 4 ? 20.0f : 0.0f,
                            n % 3 == 2 ? 0.25f : 0.0f,
                            n % 3 == 1,
                            n % 4 == 1};
                scene *s = scene_new(&ref, &in, (uint64_t)n, n & 1);
                run(&ref, s, s->n_tokens, n & 1);
                for (size_t t = 0; t < s->n_tokens; t++)
                    for (size_t h = 0; h < s->n_group; h++) check_row(s, t, h);
                scene_free(s);
            }
        }
    }
}

static void levels_agree(void **state)
{
    (void)state;
    ingle_kern ref, levels[TEST_MAX_LEVELS];
    ingle_kern_init(&ref, INGLE_ISA_REF);
    int n_levels = test_levels(levels), n = 0;
    for (int type = 0; type < N_TYPES; type++) {
        for (int d = 0; d < 6; d++) {
            for (size_t g = 1; g <= 14; g++, n++) {
                static const size_t pos0s[] = {0, 1, 30, 31, 32, 100, 255, 256, 257, 511, 600};
                static const size_t windows[] = {0, 0, 0, 1, 33, 64, 100, 300};
                static const size_t tokens[] = {1, 2, 3, 5, 7, 33};
                size_t dims = d < 5 ? head_dims[d] : 10;
                shape in = {kv_types[type],
                            dims,
                            n % 9 == 8 ? head_dims[n % 5] : dims,
                            g,
                            pos0s[n % 11],
                            tokens[n % 6],
                            windows[n % 8],
                            n % 5 == 4 ? 20.0f : 0.0f,
                            n % 3 == 2 ? 0.25f : 0.0f,
                            n % 3 == 1,
                            n % 4 == 1};
                scene *s = scene_new(&ref, &in, (uint64_t)n, n & 1);
                run(&ref, s, s->n_tokens, n & 1);
                float *want = malloc(out_bytes(s));
                memcpy(want, s->out.at, out_bytes(s));
                for (int l = 0; l < n_levels; l++) {
                    for (size_t i = 0; i < s->n_pages; i++) {
                        uint8_t *page = malloc(s->kv.bytes);
                        memcpy(page, s->pages[i].at, s->kv.bytes);
                        memset(s->pages[i].at, 0, s->kv.bytes);
                        for (size_t p = 32 * i; p < 32 * i + 32 && p < s->n_pos; p++)
                            levels[l].kv_store(&s->kv, s->pages[i].at, p % 32,
                                               s->k + p * s->kv.head_dim_k,
                                               s->v + p * s->kv.head_dim_v);
                        if (memcmp(page, s->pages[i].at, s->kv.bytes))
                            fail_msg("kv_store at %s", levels[l].name);
                        free(page);
                    }
                    static const size_t steps[] = {1, 4, 33};
                    for (int i = 0; i < 3; i++) {
                        run(&levels[l], s, steps[i], n & 1);
                        if (memcmp(want, s->out.at, out_bytes(s)))
                            fail_msg("attend at %s: type %d dims %zu/%zu group %zu pos0 %zu tokens "
                                     "%zu by %zu window %zu",
                                     levels[l].name, (int)s->kv.type, s->kv.head_dim_k,
                                     s->kv.head_dim_v, s->n_group, s->pos0, s->n_tokens, steps[i],
                                     s->window);
                    }
                }
                free(want);
                scene_free(s);
            }
        }
    }
}

static void any_tiling_gives_the_same_bits(void **state)
{
    (void)state;
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    ingle_kern_init(&levels[0], INGLE_ISA_REF);
    int n_levels = 1 + test_levels(levels + 1);
    for (int l = 0; l < n_levels; l++) {
        for (int type = 0; type < N_TYPES; type++) {
            for (size_t window = 0; window < 80; window += 40) {
                shape in = {kv_types[type], 40, 40, 3, 231, 60, window, 0, 0.125f, true, type & 1};
                scene *s = scene_new(&levels[l], &in, 77, false);
                run(&levels[l], s, 60, false);
                float *want = malloc(out_bytes(s));
                memcpy(want, s->out.at, out_bytes(s));
                for (size_t step = 1; step < 40; step += 1 + step / 3) {
                    run(&levels[l], s, step, step & 1);
                    assert_memory_equal(want, s->out.at, out_bytes(s));
                }
                free(want);
                scene_free(s);
            }
        }
    }
}

/* Not through 0 * infinity, not through a maximum: what a row does not see has no influence on it.
 */
static void the_unseen_has_no_influence(void **state)
{
    (void)state;
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    ingle_kern_init(&levels[0], INGLE_ISA_REF);
    int n_levels = 1 + test_levels(levels + 1);
    static const float poison[] = {INFINITY, -INFINITY, NAN, 3e38f};
    for (int l = 0; l < n_levels; l++) {
        for (int type = 0; type < N_TYPES; type++) {
            for (int i = 0; i < 4; i++) {
                shape in = {kv_types[type],      64,    64,   4, 245, 30, 12, 0,
                            i % 2 ? 0.5f : 0.0f, false, false};
                scene *s = scene_new(&levels[l], &in, 5, false);
                run(&levels[l], s, 30, false);
                float *want = malloc(out_bytes(s));
                memcpy(want, s->out.at, out_bytes(s));
                for (size_t p = 258; p < 262; p++) {
                    for (size_t d = 0; d < 64; d++) s->k[p * 64 + d] = s->v[p * 64 + d] = poison[i];
                }
                store_all(&levels[l], s);
                run(&levels[l], s, 30, false);
                for (size_t t = 0; t < 30; t++) {
                    size_t pos = 245 + t, at = t * s->ld_out;
                    bool sees = pos >= 258 && pos - 11 <= 261;
                    bool same = memcmp(want + at, s->out.at + 4 * at, 4 * 4 * 64) == 0;
                    if (same == sees)
                        fail_msg("%s: token at %zu is %s", levels[l].name, pos,
                                 same ? "blind" : "poisoned");
                }
                free(want);
                scene_free(s);
            }
        }
    }
}

/* The same on both sides of a symmetric window. */
static void a_window_has_two_sides(void **state)
{
    (void)state;
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    ingle_kern_init(&levels[0], INGLE_ISA_REF);
    int n_levels = 1 + test_levels(levels + 1);
    for (int l = 0; l < n_levels; l++) {
        shape in = {INGLE_TYPE_F32, 64, 64, 4, 200, 90, 13, 0, 0, false, true};
        scene *s = scene_new(&levels[l], &in, 5, false);
        run(&levels[l], s, 90, false);
        float *want = malloc(out_bytes(s));
        memcpy(want, s->out.at, out_bytes(s));
        for (size_t d = 0; d < 64; d++) s->k[258 * 64 + d] = s->v[258 * 64 + d] = NAN;
        store_all(&levels[l], s);
        run(&levels[l], s, 90, false);
        for (size_t t = 0; t < 90; t++) {
            size_t pos = 200 + t, at = t * s->ld_out;
            bool sees = pos >= 252 && pos <= 264;
            bool same = memcmp(want + at, s->out.at + 4 * at, 4 * 4 * 64) == 0;
            if (same == sees) fail_msg("%s: token at %zu", levels[l].name, pos);
        }
        free(want);
        scene_free(s);
    }
}

static void pages_hold_what_was_stored(void **state)
{
    (void)state;
    ingle_kern ref;
    ingle_kern_init(&ref, INGLE_ISA_REF);
    for (int type = 0; type < N_TYPES; type++) {
        for (size_t dims = 2; dims < 140; dims += 6) {
            shape in = {kv_types[type], dims, dims, 1, 40, 1, 0, 0, 0, false, false};
            scene *s = scene_new(&ref, &in, dims, false);
            assert_true(s->kv.bytes % 64 == 0 && s->kv.k_scale % 64 == 0 && s->kv.v % 64 == 0 &&
                        s->kv.v_scale % 64 == 0);
            for (size_t p = 0; p < s->n_pages * 32; p++) {
                for (int value = 0; value < 2; value++) {
                    const float *x = (value ? s->v : s->k) + p * dims;
                    for (size_t d = 0; d < dims; d++) {
                        double got = element(&s->kv, s->pages[p / 32].at, value, p % 32, d), want,
                               bound = 0;
                        if (p >= s->n_pos) {
                            assert_true(got == 0);
                            continue;
                        }
                        want = (double)x[d];
                        if (kv_types[type] == INGLE_TYPE_F16)
                            want = (double)ingle_f16_to_f32(ingle_f32_to_f16(x[d]));
                        if (kv_types[type] == INGLE_TYPE_BF16)
                            want = (double)ingle_bf16_to_f32(ingle_f32_to_bf16(x[d]));
                        if (kv_types[type] == INGLE_TYPE_Q8_0) {
                            double amax = 0;
                            for (size_t j = d / 32 * 32; j < d / 32 * 32 + 32 && j < dims; j++)
                                amax = fmax(amax, fabs((double)x[j]));
                            bound = amax / 127 * (0.5 + 1e-4);
                        }
                        assert_true(fabs(got - want) <= bound);
                    }
                }
            }
            scene_free(s);
        }
    }
    ingle_kv_shape kv;
    assert_false(ingle_kv_shape_init(&kv, INGLE_TYPE_Q4_0, 64, 64));
}

/* Large finite values stay finite in f16; what is not finite stays visible. */
static void storing_at_the_edges(void **state)
{
    (void)state;
    static const float x[16] = {65504,    65519,     65520, 1e30f,    -65520,   -3e38f,
                                INFINITY, -INFINITY, NAN,   0x1p-24f, 0x1p-25f, 0x1.8p-25f,
                                -0.0f,    0x1p-149f, 2049,  2051};
    ingle_kern levels[TEST_MAX_LEVELS + 1];
    ingle_kern_init(&levels[0], INGLE_ISA_REF);
    int n_levels = 1 + test_levels(levels + 1);
    for (int l = 0; l < n_levels; l++) {
        for (int type = 0; type < N_TYPES; type++) {
            ingle_kv_shape kv;
            ingle_kv_shape_init(&kv, kv_types[type], 16, 16);
            uint8_t *slot = aligned_alloc(64, kv.bytes);
            memset(slot, 0, kv.bytes);
            levels[l].kv_store(&kv, slot, 7, x, x);
            for (int value = 0; value < 2; value++) {
                for (size_t d = 0; d < 16; d++) {
                    double got = element(&kv, slot, value, 7, d);
                    if (kv_types[type] == INGLE_TYPE_Q8_0) {
                        assert_true(isnan(got));
                        continue;
                    }
                    if (isnan(x[d])) assert_true(isnan(got));
                    else if (isinf(x[d])) assert_true(got == (double)x[d]);
                    else if (kv_types[type] == INGLE_TYPE_F16 && fabsf(x[d]) >= 65504)
                        assert_true(got == (x[d] > 0 ? 65504 : -65504));
                    else assert_true(isfinite(got) && !signbit(got) == !signbit(x[d]));
                }
            }
            /* tiny and zero blocks have finite scales */
            static const float tiny[16] = {1e-38f, -1e-45f, 0, 3e-41f};
            levels[l].kv_store(&kv, slot, 8, tiny, tiny);
            for (size_t d = 0; d < 16; d++)
                assert_true(fabs(element(&kv, slot, true, 8, d)) <= 1.01e-38);
            free(slot);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_hold_what_was_stored),
        cmocka_unit_test(storing_at_the_edges),
        cmocka_unit_test(ref_is_right),
        cmocka_unit_test(levels_agree),
        cmocka_unit_test(any_tiling_gives_the_same_bits),
        cmocka_unit_test(the_unseen_has_no_influence),
        cmocka_unit_test(a_window_has_two_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
