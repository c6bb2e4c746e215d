/* test_matmul_ref.c - the portable products against the definition in quant.h, read a second time
 * here, and against float64; quantised activations likewise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <cmocka.h>

#include "matmul_case.h"

static ingle_kern kern;

static int setup(void **state)
{
    (void)state;
    ingle_kern_ref_matmul(&kern);
    return 0;
}

/* ---- activations ---- */

/* To the nearest integer, ties to even, without the floating-point environment. */
static int nearest(double v)
{
    double low = floor(v), rest = v - low;
    int i = (int)low;
    return rest > 0.5 || (rest == 0.5 && i % 2) ? i + 1 : i;
}

/* To 11 significant bits, ties to even; infinite above FLT_MAX. */
static float nearest11(double v)
{
    int exponent;
    if (isinf(v)) return (float)v;
    double part = frexp(v, &exponent), sign = part < 0 ? -1 : 1;
    return (float)(sign * ldexp(nearest(ldexp(sign * part, 11)), exponent - 11));
}

/* Bit for bit: quotients, products and sums of two floats in double, rounded to float, are the
 * float operations' results. */
static void check_block(const float *x, size_t n, const int8_t *q, float d, const float *s)
{
    double amax = 0;
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) finite = false;
        if (fabs((double)x[i]) > amax) amax = fabs((double)x[i]);
    }
    if (!finite || amax < 0x1p-119) {
        assert_true(finite ? d == 0 && !signbit(d) : isnan(d));
        if (s) assert_true(finite ? *s == 0 && !signbit(*s) : isnan(*s));
        for (size_t i = 0; i < n; i++) assert_int_equal(q[i], 0);
        return;
    }
    float scale = (float)(127 / amax), step = (float)(amax / 127);
    bool has_extreme = false;
    int sum = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(q[i], nearest((double)(float)((double)x[i] * (double)scale)));
        assert_in_range(q[i] + 127, 0, 254);
        has_extreme |= q[i] == 127 || q[i] == -127;
        sum += q[i];
    }
    assert_true(has_extreme);
    assert_true(d == (s ? nearest11((double)step) : step));
    if (!s) return;
    assert_true(*s == nearest11((double)(float)((double)step * sum)));
    assert_true(sum || !signbit(*s));
    assert_true(d >= FLT_MIN && (*s == 0 || fabsf(*s) >= d));
}

static void check_row(const ingle_acts *a, size_t t, const float *x)
{
    size_t n = a->act == INGLE_ACT_Q32 ? 32 : 256;
    const int8_t *q = a->q + t * a->ld_q;
    for (size_t b = 0; b < a->n_cols / n; b++)
        check_block(x + b * n, n, q + b * n, a->d[t * a->ld_d + b],
                    a->s ? a->s + t * a->ld_d + b : NULL);
    for (size_t i = 0; i < a->n_cols / 16; i++) {
        int of16 = 0, of32 = 0;
        for (size_t k = 0; k < 16; k++) of16 += q[16 * i + k];
        for (size_t k = 0; k < 32; k++) of32 += q[16 * (i & ~(size_t)1) + k];
        if (a->act == INGLE_ACT_Q32) {
            assert_int_equal(a->sum32[t * a->ld_s32 + i / 2], of32);
        } else {
            assert_int_equal(a->sum16[t * a->ld_s16 + i], of16);
            assert_int_equal(a->sum16[t * a->ld_s16 + a->n_cols / 16 + i / 2], of32);
        }
    }
}

static void check_loud(const ingle_acts *a, size_t t)
{
    const int16_t *loud = a->sum16 + t * a->ld_s16 + a->n_cols / 16 + a->n_cols / 32;
    for (size_t b = 0; b < a->n_cols / 256; b++) {
        int most = 0;
        for (size_t i = 256 * b; i < 256 * (b + 1); i += 16) {
            int sum = 0;
            for (size_t k = 0; k < 16; k++) sum += abs(a->q[t * a->ld_q + i + k]);
            if (sum > most) most = sum;
        }
        assert_int_equal(loud[b], most > 1023);
    }
}

static void fill_row(float *x, size_t n, int kind, uint64_t *seed)
{
    static const float lone[] = {NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, 1e30f};
    float scale = 1;
    switch (kind) {
    case 0: memset(x, 0, n * 4); return;
    case 1:
        for (size_t i = 0; i < n; i++) x[i] = -0.0f;
        return;
    case 2:
        for (size_t i = 0; i < n; i++) x[i] = -1.7f;
        return;
    case 3: /* ties: amax 254 gives scale 0.5 */
        for (size_t i = 0; i < n; i++) x[i] = (float)(int)(random_u32(seed) % 509) - 254;
        for (size_t i = 0; i < n; i += 32) x[i] = 254;
        return;
    case 4: scale = 1e-44f; break;
    case 5: scale = 0x1p-119f; break; /* around the least that counts */
    case 6: scale = 0x1p-118f; break;
    case 7: scale = 3e38f; break;
    }
    for (size_t i = 0; i < n; i++) x[i] = scale * random_float(seed);
    if (kind == 8) x[n / 2 + 3] = 0x1p-119f;
    if (kind >= 10) x[random_u32(seed) % n] = lone[kind - 10];
}

static void test_quantise(void **state)
{
    (void)state;
    static const size_t cols[] = {32, 64, 224, 256, 512, 1280};
    uint64_t seed = 5;
    for (int act = INGLE_ACT_Q32; act <= INGLE_ACT_Q256; act++)
        for (size_t i = 0; i < sizeof cols / sizeof *cols; i++) {
            if (act == INGLE_ACT_Q256 && cols[i] % 256) continue;
            ingle_acts a = acts_new((ingle_act)act, 16, cols[i]);
            float *x = garbage(16 * a.ld_x * 4);
            for (int kind = 0; kind < 16; kind++) {
                float *row = x + (size_t)kind * a.ld_x;
                fill_row(row, cols[i], kind, &seed);
                kern.quantise(&a, (size_t)kind, row);
            }
            for (size_t t = 0; t < 16; t++) {
                check_row(&a, t, x + t * a.ld_x);
                if (a.act == INGLE_ACT_Q256) check_loud(&a, t);
            }
            free(x);
            acts_free(&a);
        }
}

/* The least amax that counts, and the greatest that does not. */
static void test_quantise_tiny(void **state)
{
    (void)state;
    ingle_acts a = acts_new(INGLE_ACT_Q32, 1, 32);
    float x[32] = {0};
    x[7] = -INGLE_ACT_TINY;
    kern.quantise(&a, 0, x);
    assert_true(a.d[0] >= FLT_MIN && a.s[0] < -FLT_MIN);
    assert_int_equal(a.q[7], -127);
    assert_int_equal(a.sum32[0], -127);
    x[7] = -nextafterf(INGLE_ACT_TINY, 0);
    kern.quantise(&a, 0, x);
    assert_true(a.d[0] == 0 && a.s[0] == 0 && a.q[7] == 0 && a.sum32[0] == 0);
    acts_free(&a);
}

/* Ties go to the even neighbour, a carry reaches the exponent, the ends of the range hold. */
static void test_round11(void **state)
{
    static const float pairs[][2] = {
        {0x1.ffcp0f, 0x1.ffcp0f},
        {0x1.002p0f, 0x1p0f},
        {0x1.006p0f, 0x1.008p0f},
        {0x1.00201p0f, 0x1.004p0f},
        {0x1.001ffep0f, 0x1p0f},
        {0x1.ffep0f, 0x1p1f},
        {0x1.ffdffep0f, 0x1.ffcp0f},
        {0x1p-126f, 0x1p-126f},
        {0x1.ffdffep127f, 0x1.ffcp127f},
        {0x1.ffep127f, INFINITY},
        {FLT_MAX, INFINITY},
        {INFINITY, INFINITY},
        {0, 0},
        {0x1p-149f, 0},
        {0x1.ffep-127f, 0x1p-126f},
    };
    uint64_t seed = 4;
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            float got = ingle_round11(copysignf(pairs[i][0], (float)sign));
            float want = copysignf(pairs[i][1], (float)sign);
            assert_memory_equal(&got, &want, sizeof got);
        }
    for (int i = 0; i < 100000; i++) {
        uint32_t bits = random_u32(&seed);
        float f;
        memcpy(&f, &bits, sizeof f);
        if (isnormal(f)) assert_true(ingle_round11(f) == nearest11((double)f));
    }
}

/* A block whose sum no float holds: s is infinite, dy and y are not, and only mins notice. */
static void test_quantise_huge(void **state)
{
    (void)state;
    ingle_acts a = acts_new(INGLE_ACT_Q32, 1, 64);
    float x[64];
    for (int i = 0; i < 64; i++) x[i] = i < 32 ? -FLT_MAX : i % 2 ? FLT_MAX : -FLT_MAX;
    kern.quantise(&a, 0, x);
    assert_true(isfinite(a.d[0]) && a.s[0] == -INFINITY && a.sum32[0] == -32 * 127);
    assert_true(a.d[1] == a.d[0] && a.s[1] == 0 && a.sum32[1] == 0);
    acts_free(&a);
}

/* ---- the definition, bit for bit ---- */

/* One run of a class B block, or a whole one of class K. The block with all scales one has values
 * that are integers, or integers of some part of one. */
static float defined_run(const matmul_case *c, const uint8_t *block, double head, const int8_t *y,
                         size_t run, size_t n, float dy, float s, float f)
{
    uint8_t unit[256];
    int at_d, at_dmin;
    const unsigned parts = parts_of_one(c->type);
    scale_offsets(c->type, &at_d, &at_dmin);
    float d = (float)(head * scale_at(c->type, block, (unsigned)run) / parts);
    float dmin = at_dmin >= 0 ? (float)half_at(block + at_dmin) : 0;
    memcpy(unit, block, c->t->block_bytes);
    set_scales(c->type, unit, 0x3c00);
    int64_t sum = 0, mins = 0;
    for (size_t k = run * n; k < (run + 1) * n; k++) {
        value v = value_at(c->type, unit, (unsigned)k);
        sum += (int64_t)(v.scaled * parts) * y[k];
        mins += (int64_t)v.offset * y[k];
    }
    f = fmaf((float)sum, d * dy, f);
    if (!c->t->has_min) return f;
    return c->t->act == INGLE_ACT_Q32 ? fmaf(dmin, s, f) : fmaf((float)-mins, -(dmin * dy), f);
}

/* Elements of activations that share a scale. */
static size_t act_block(const matmul_case *c)
{
    return c->t->act == INGLE_ACT_Q32 ? 32 : 256;
}

static float defined_block(const matmul_case *c, size_t row, size_t t, size_t b, float f)
{
    const size_t elems = c->t->block_elems, n = c->t->act == INGLE_ACT_Q32 ? c->t->sub : elems;
    const uint8_t *block = case_block(c, row, b);
    double head = head_at(c->t, c->rows + row * c->row_bytes);
    for (size_t run = 0; run < elems / n; run++) {
        size_t i = t * c->a.ld_d + (b * elems + run * n) / act_block(c);
        f = defined_run(c, block, head, c->a.q + t * c->a.ld_q + b * elems, run, n, c->a.d[i],
                        c->a.s ? c->a.s[i] : 0, f);
    }
    return f;
}

static float defined(const matmul_case *c, size_t row, size_t t)
{
    float f = 0;
    for (size_t b = 0; b < c->n_blocks; b++) {
        if (c->t->act == INGLE_ACT_F32) {
            value v = value_at(c->type, case_block(c, row, b), 0);
            f = fmaf((float)v.scaled, c->x[t * c->a.ld_x + b], f);
        } else {
            f = defined_block(c, row, t, b, f);
        }
    }
    return f;
}

static void check_defined(const matmul_case *c, bool bias, bool add)
{
    float *out = case_run(c, &kern, kern.gemm[c->type], c->m, 1, bias, add);
    for (size_t t = 0; t < c->m; t++)
        for (size_t r = 0; r < c->n_rows; r++) {
            float want = defined(c, r, t), got = out[t * c->ld_out + r];
            if (bias) want = want * c->scale + c->bias[r];
            if (add) want += c->old[t * c->ld_out + r];
            if (!same_float(got, want))
                fail_msg("%s row %zu token %zu of %zu x %zu x %zu: %.9g, want %.9g", c->t->name, r,
                         t, c->n_rows, c->n_cols, c->m, (double)got, (double)want);
        }
    free(out);
}

static void test_definition(void **state)
{
    (void)state;
    static const size_t rows[] = {1, 16, 33}, blocks[] = {1, 2, 3, 7};
    uint64_t seed = 21;
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type))
        for (size_t r = 0; r < 3; r++)
            for (size_t b = 0; b < 4; b++)
                for (size_t m = 1; m <= 17; m += m == 9 ? 7 : 1) { /* 1 .. 9, 16, 17 */
                    if (m > 1 && m < 9 && (m + r + b) % 3) continue;
                    size_t n = blocks[b] * (ingle_type_get(type)->act == INGLE_ACT_F32 ? 13 : 1);
                    matmul_case c = case_open(type, rows[r], n, m, &seed);
                    case_quantise(&c, &kern);
                    check_defined(&c, m & 1, m & 2);
                    case_close(&c);
                }
}

/* All bits of the weights alike, activations at the ends of their range: the largest sums there
 * are. */
static void test_extremes(void **state)
{
    (void)state;
    static const uint8_t fills[] = {0x00, 0xff, 0x80, 0x7f, 0x0f, 0xf0, 0x88};
    static const uint16_t scales[] = {0x3c00, 0xfbff, 0x0001, 0x0000};
    uint64_t seed = 2;
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type)) {
        matmul_case c = case_open(type, 17, 2, 4, &seed);
        for (size_t t = 0; t < 4; t++) /* all one sign, the other, alternating, per 16 */
            for (size_t k = 0; k < c.n_cols; k++)
                c.x[t * c.a.ld_x + k] =
                    t == 0 || (t == 2 && k % 2) || (t == 3 && k / 16 % 2) ? 2.5f : -2.5f;
        case_quantise(&c, &kern);
        for (size_t i = 0; i < sizeof fills; i++)
            for (size_t s = 0; s < 4; s++) {
                memset(c.rows, fills[i], c.n_rows * c.row_bytes);
                for (size_t b = 0; b < c.n_rows * c.n_blocks; b++)
                    case_set_scales(&c, b / c.n_blocks, b % c.n_blocks, scales[s]);
                case_pack(&c);
                check_defined(&c, s & 1, s & 2);
            }
        case_close(&c);
    }
}

/* ---- numerics: against float64, within the roundings that the definition allows ---- */

static void check_float64(const matmul_case *c)
{
    float *out = case_run(c, &kern, kern.gemm[c->type], c->m, c->w.n_panels, true, true);
    for (size_t t = 0; t < c->m; t++)
        for (size_t r = 0; r < c->n_rows; r++) {
            const size_t elems = c->t->block_elems;
            const size_t run = c->t->act == INGLE_ACT_Q32 ? c->t->sub : elems;
            double f = 0, bound = 0;
            for (size_t i0 = 0; i0 < c->n_cols; i0 += run) {
                const uint8_t *block = case_block(c, r, i0 / elems);
                double sum = 0, mins = 0;
                for (size_t i = i0; i < i0 + run; i++) {
                    double y = c->t->act == INGLE_ACT_F32
                                   ? (double)c->x[t * c->a.ld_x + i]
                                   : c->a.q[t * c->a.ld_q + i] *
                                         (double)c->a.d[t * c->a.ld_d + i / act_block(c)];
                    value v = value_at(c->type, block, (unsigned)(i % elems));
                    sum += v.scaled * head_at(c->t, c->rows + r * c->row_bytes) * y;
                    mins += v.offset * y;
                }
                if (c->t->has_min && c->t->act == INGLE_ACT_Q32)
                    mins = value_at(c->type, block, 0).offset *
                           (double)c->a.s[t * c->a.ld_d + i0 / 32];
                bound += 2 * fabs(sum) + 2 * fabs(mins) + fabs(f + sum) + fabs(f + sum + mins);
                f += sum + mins;
            }
            f *= (double)c->scale, bound = bound * (double)c->scale + fabs(f);
            double want = f + (double)c->bias[r] + (double)c->old[t * c->ld_out + r];
            bound += fabs(f + (double)c->bias[r]) + fabs(want);
            if (!(fabs((double)out[t * c->ld_out + r] - want) <= 0x1.01p-24 * bound))
                fail_msg("%s row %zu token %zu: %.9g, want %.9g +- %.2g", c->t->name, r, t,
                         (double)out[t * c->ld_out + r], want, 0x1.01p-24 * bound);
        }
    free(out);
}

static void test_float64(void **state)
{
    (void)state;
    uint64_t seed = 77;
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type))
        for (size_t n = 1; n <= 27; n *= 3) {
            matmul_case c = case_open(type, 17, n, 3, &seed);
            case_quantise(&c, &kern);
            check_float64(&c);
            case_close(&c);
        }
}

/* ---- NaN stays where it belongs ---- */

static void test_nan(void **state)
{
    (void)state;
    static const uint16_t scales[] = {0x7e00, 0x7c01, 0xfc00};
    uint64_t seed = 9;
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type)) {
        if (type == INGLE_TYPE_MXFP4 || type == INGLE_TYPE_NVFP4)
            continue; /* no NaN, no infinity */
        for (size_t s = 0; s < 3; s++) {
            matmul_case c = case_open(type, 19, 3, 5, &seed);
            case_quantise(&c, &kern);
            float *clean = case_run(&c, &kern, kern.gemm[type], 5, 1, false, false);
            case_set_scales(&c, 4, 1, scales[s]);
            case_pack(&c);
            c.x[2 * c.a.ld_x + 1] = s == 2 ? INFINITY : NAN;
            case_quantise(&c, &kern);
            float *out = case_run(&c, &kern, kern.gemm[type], 5, 1, false, false);
            for (size_t t = 0; t < 5; t++)
                for (size_t r = 0; r < 19; r++) {
                    float got = out[t * c.ld_out + r];
                    if (r != 4 && t != 2) assert_true(same_float(got, clean[t * c.ld_out + r]));
                    else assert_false(isfinite(got));
                }
            free(clean);
            free(out);
            case_close(&c);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round11),       cmocka_unit_test(test_quantise),
        cmocka_unit_test(test_quantise_tiny), cmocka_unit_test(test_quantise_huge),
        cmocka_unit_test(test_definition),    cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_float64),       cmocka_unit_test(test_nan),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
