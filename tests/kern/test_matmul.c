/* test_matmul.c - every level this processor runs against the portable kernels, bit for bit:
 * quantised activations and the gemv and gemm of every type, whatever the shape, the number of
 * tokens and the split into tasks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <float.h>
#include <cmocka.h>

#if defined(__x86_64__)
#include "kern/x86/x86.h"
#endif
#include "matmul_case.h"

static ingle_kern ref, level;

void test_avxvnni_evex(ingle_kern *k);

static const size_t n_tokens[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 18, 25, 37};
#define M_MAX 37

/* plain: the portable products without epilogue, [m][ld_out]. */
static void compare(const matmul_case *c, const float *got, const float *plain, size_t m, bool bias,
                    bool add, const char *slot)
{
    for (size_t t = 0; t < m; t++)
        for (size_t r = 0; r < c->n_rows; r++) {
            size_t i = t * c->ld_out + r;
            float want = plain[i];
            if (bias) want = want * c->scale + c->bias[r];
            if (add) want += c->old[i];
            if (!same_float(got[i], want))
                fail_msg("%s %s %s: row %zu of %zu, token %zu of %zu, %zu columns: %.9g, want %.9g",
                         level.name, c->t->name, slot, r, c->n_rows, t, m, c->n_cols,
                         (double)got[i], (double)want);
        }
}

/* A token's result is the portable one's, and does not depend on how many are computed together or
 * on the tasks. */
static void check_tokens(const matmul_case *c, const float *plain, size_t m, size_t step, bool bias,
                         bool add)
{
    float *got = case_run(c, &level, level.gemm[c->type], m, step, bias, add);
    compare(c, got, plain, m, bias, add, "gemm");
    free(got);
    if (m > level.gemv_tokens) return;
    got = case_run(c, &level, level.gemv[c->type], m, step, bias, add);
    compare(c, got, plain, m, bias, add, "gemv");
    free(got);
}

static void check_case(const matmul_case *c)
{
    float *plain = case_run(c, &ref, ref.gemm[c->type], c->m, c->w.n_panels, false, false);
    for (size_t i = 0; i < sizeof n_tokens / sizeof *n_tokens && n_tokens[i] <= c->m; i++)
        check_tokens(c, plain, n_tokens[i], i % 3 ? level.gemm_panels : c->w.n_panels, i & 1,
                     i & 2);
    check_tokens(c, plain, 1, 1, true, true);
    check_tokens(c, plain, c->m, 1, false, false);
    free(plain);
}

/* The next type whose products have the same bits at this level as at all others: BF16 at AVX512BF16
 * has bits of its own, its activations are rounded (quant.h); test_bf16_dots has them. */
static unsigned next_equal(int type)
{
    unsigned next = next_type(type);
    bool own = next == INGLE_TYPE_BF16 && level.isa == INGLE_ISA_AVX512BF16;
    return own ? next_type((int)next) : next;
}

static void test_shapes(void **state)
{
    (void)state;
    static const size_t rows[] = {1, 16, 31, 32, 33, 50, 100}, blocks[] = {1, 2, 3, 5, 9};
    static const size_t floats[] = {1, 2, 15, 33, 515};
    uint64_t seed = 31;
    for (unsigned type = next_equal(-1); type < INGLE_TYPE_COUNT; type = next_equal((int)type))
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            size_t b =
                r % 5; /* every number of blocks, and every one of rows, but not every pair */
            for (size_t i = 0; i < 2; i++, b = (b + 2) % 5) {
                size_t n = ingle_type_get(type)->act == INGLE_ACT_F32 ? floats[b] : blocks[b];
                if (ingle_type_get(type)->act == INGLE_ACT_Q32 && b == 4) n = 33;
                matmul_case c = case_open(type, rows[r], n, M_MAX, &seed);
                case_quantise(&c, &ref);
                check_case(&c);
                case_close(&c);
            }
        }
}

/* Weights of all bits alike with activations at the ends of their range: sums that 16-bit steps
 * would not hold. */
static void test_extremes(void **state)
{
    (void)state;
    static const uint8_t fills[] = {0x00, 0xff, 0x80, 0x7f, 0x0f, 0xf0, 0x88};
    static const uint16_t scales[] = {0x3c00, 0xfbff, 0x0001, 0x0000, 0x8000, 0x7e00, 0xfc00};
    uint64_t seed = 2;
    for (unsigned type = next_equal(-1); type < INGLE_TYPE_COUNT; type = next_equal((int)type)) {
        size_t n = ingle_type_get(type)->act == INGLE_ACT_F32 ? 64 : 3;
        matmul_case c = case_open(type, 33, n, 9, &seed);
        for (size_t t = 0; t < 9;
             t++) /* all one sign, the other, alternating, per 16, zeros, not finite, huge, tiny */
            for (size_t k = 0; k < c.n_cols; k++) {
                float *x = &c.x[t * c.a.ld_x + k];
                *x = t == 0 || (t == 2 && k % 2) || (t == 3 && k / 16 % 2) ? 2.5f : -2.5f;
                if (t == 4) *x = 0;
                if (t == 5 && k == c.n_cols / 2) *x = NAN;
                if (t == 6 && k == 0) *x = INFINITY;
                if (t == 7) *x = k % 5 ? FLT_MAX : -FLT_MAX; /* sums of blocks overflow */
                if (t == 8) *x = k % 64 < 32 ? INGLE_ACT_TINY : -INGLE_ACT_TINY / 2;
            }
        case_quantise(&c, &ref);
        for (size_t i = 0; i < sizeof fills; i++)
            for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
                memset(c.rows, fills[i], c.n_rows * c.row_bytes);
                for (size_t b = 0; b < c.n_rows * c.n_blocks; b++)
                    case_set_scales(&c, b / c.n_blocks, b % c.n_blocks, scales[b % 5 == 4 ? 0 : s]);
                case_pack(&c);
                float *plain = case_run(&c, &ref, ref.gemm[type], c.m, c.w.n_panels, false, false);
                check_tokens(&c, plain, c.m, c.w.n_panels, false, false);
                check_tokens(&c, plain, 1, c.w.n_panels, false, false);
                free(plain);
            }
        case_close(&c);
    }
}

/* ---- activations ---- */

static void fill_row(float *x, size_t n, int kind, uint64_t *seed)
{
    static const float lone[] = {NAN,      INFINITY, -INFINITY,     FLT_MAX,
                                 -FLT_MAX, 1e30f,    INGLE_ACT_TINY};
    static const float scales[] = {1, 0, 1e-44f, INGLE_ACT_TINY, 4 * INGLE_ACT_TINY, 3e38f, 1e-3f};
    for (size_t i = 0; i < n; i++) x[i] = scales[kind % 7] * random_float(seed);
    if (kind / 7 == 1) /* ties: an amax of 254 gives scale 0.5 */
        for (size_t i = 0; i < n; i++)
            x[i] = i % 32 ? (float)(int)(random_u32(seed) % 509) - 254 : -254;
    if (kind / 7 == 2) x[random_u32(seed) % n] = lone[kind % 7];
    if (kind / 7 == 3)
        for (size_t i = 0; i < n; i++) x[i] = -lone[kind % 7];
}

static void test_quantise(void **state)
{
    (void)state;
    static const size_t cols[] = {32, 64, 96, 224, 256, 512, 1280};
    uint64_t seed = 5;
    for (int act = INGLE_ACT_Q32; act <= INGLE_ACT_Q256; act++)
        for (size_t i = 0; i < sizeof cols / sizeof *cols; i++) {
            size_t n = cols[i], block = act == INGLE_ACT_Q32 ? 32 : 256;
            if (n % block) continue;
            ingle_acts want = acts_new((ingle_act)act, 28, n),
                       got = acts_new((ingle_act)act, 28, n);
            float *x = garbage((28 * n + 1) * 4);
            for (size_t t = 0; t < 28; t++) {
                float *row = x + 1 + t * n; /* aligned to nothing */
                fill_row(row, n, (int)t, &seed);
                ref.quantise(&want, t, row);
                level.quantise(&got, t, row);
            }
            /* whole arrays: what lies between the rows' ends and their strides is left alone */
            assert_memory_equal(got.q, want.q, 28 * want.ld_q);
            for (size_t j = 0; j < 28 * want.ld_d; j++)
                assert_true(same_float(got.d[j], want.d[j]));
            for (size_t j = 0; want.s && j < 28 * want.ld_d; j++)
                assert_true(same_float(got.s[j], want.s[j]));
            if (want.sum32) assert_memory_equal(got.sum32, want.sum32, 28 * want.ld_s32 * 4);
            if (want.sum16) assert_memory_equal(got.sum16, want.sum16, 28 * want.ld_s16 * 2);
            free(x);
            acts_free(&want);
            acts_free(&got);
        }
}

/* Every type has its slots, also at levels that this processor does not run. */
static void test_slots(void **state)
{
    (void)state;
    for (unsigned type = 0; type < INGLE_TYPE_COUNT; type++) {
        assert_int_equal(level.gemv[type] != NULL, ingle_type_get(type) != NULL);
        assert_int_equal(level.gemm[type] != NULL, ingle_type_get(type) != NULL);
    }
    assert_true(level.gemm_panels >= 1);
    assert_true(level.gemm_panels_f >= 1);
}

static int test_level(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_quantise),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_extremes),
    };
    printf("level %s\n", level.name);
    fflush(stdout);
    return cmocka_run_group_tests_name(level.name, tests, NULL, NULL);
}

int main(void)
{
    int failed = 0;
    ingle_kern_init(&ref, INGLE_ISA_REF);
    for (int isa = INGLE_ISA_REF; isa <= INGLE_ISA_I8MM; isa++) {
        if (!ingle_isa_runs_here((ingle_isa)isa)) continue;
        ingle_kern_init(&level, (ingle_isa)isa);
        failed += test_level();
    }
#if defined(__x86_64__)
    if (ingle_isa_runs_here(INGLE_ISA_AVX512)) { /* avxvnni_evex.c */
        ingle_kern_init(&level, INGLE_ISA_AVXVNNI);
        size_t (*scratch)(size_t, size_t) = level.scratch_bytes; /* of float kernels too */
        test_avxvnni_evex(&level);
        level.scratch_bytes = scratch;
        level.name = "avxvnni in the encoding of avx512";
        failed += test_level();
        ingle_kern_init(&level, INGLE_ISA_AVX512); /* where its codebooks took VBMI */
        scratch = level.scratch_bytes;
        ingle_kern_avx512_matmul(&level);
        level.scratch_bytes = scratch;
        level.name = "avx512 without vbmi";
        if (ingle_cpu_detect().features & INGLE_CPU_VBMI_BITALG) failed += test_level();
    }
#endif
    return failed;
}
