/* kern.c - which kernels a level has, and the layouts that all levels share.
 * Owns       nothing.
 * Depends on the levels' own files. A level starts as the one below it and overwrites what it does
 * better. */
#include "kern/kern.h"

#include <assert.h>
#include <string.h>

#include "kern/kern_float.h"
#include "kern/ref/ref.h"
#if defined(__x86_64__)
#include "kern/x86/x86.h"
#elif defined(__aarch64__)
#include "kern/arm64/arm64.h"
#endif

/* ---- quantised activations ---- */

/* Rows of a power of two bytes fall into few cache sets; one more line spreads them. */
static size_t row_of_bytes(size_t n)
{
    n = ingle_round_up(n, INGLE_ALIGN);
    return n % 1024 == 0 && n ? n + INGLE_ALIGN : n;
}

/* Bytes per row of each array. */
typedef struct acts_layout {
    size_t q, d, s, sum32, sum16;
} acts_layout;

static acts_layout acts_layout_of(ingle_act act, size_t n_cols)
{
    acts_layout l = {0};
    if (act == INGLE_ACT_F32) return l;
    l.q = row_of_bytes(n_cols);
    if (act == INGLE_ACT_Q32) {
        l.d = ingle_round_up(n_cols / 32 * sizeof(float), INGLE_ALIGN);
        l.s = l.d;
        l.sum32 = ingle_round_up(n_cols / 32 * sizeof(int32_t), INGLE_ALIGN);
    } else {
        l.d = ingle_round_up(n_cols / 256 * sizeof(float), INGLE_ALIGN);
        l.sum16 = ingle_round_up((n_cols / 16 + n_cols / 32 + n_cols / 256) * sizeof(int16_t),
                                 INGLE_ALIGN);
    }
    return l;
}

size_t ingle_acts_bytes(ingle_act act, size_t m, size_t n_cols)
{
    acts_layout l = acts_layout_of(act, n_cols);
    return m * (l.q + l.d + l.s + l.sum32 + l.sum16);
}

void ingle_acts_place(ingle_acts *a, ingle_act act, size_t m, size_t n_cols, void *mem)
{
    acts_layout l = acts_layout_of(act, n_cols);
    uint8_t *p = mem;
    *a = (ingle_acts){.act = act, .m = m, .n_cols = n_cols};
    if (act == INGLE_ACT_F32) return;
    a->q = (int8_t *)p;
    a->ld_q = l.q;
    p += m * l.q;
    a->d = (float *)p;
    a->ld_d = l.d / sizeof(float);
    p += m * l.d;
    if (act == INGLE_ACT_Q32) {
        a->s = (float *)p;
        p += m * l.s;
        a->sum32 = (int32_t *)p;
        a->ld_s32 = l.sum32 / sizeof(int32_t);
    } else {
        a->sum16 = (int16_t *)p;
        a->ld_s16 = l.sum16 / sizeof(int16_t);
    }
}

void ingle_acts_copy(const ingle_acts *a, size_t to, size_t from)
{
    if (a->q) memcpy(a->q + to * a->ld_q, a->q + from * a->ld_q, a->n_cols);
    if (a->d) memcpy(a->d + to * a->ld_d, a->d + from * a->ld_d, a->ld_d * sizeof *a->d);
    if (a->s) memcpy(a->s + to * a->ld_d, a->s + from * a->ld_d, a->ld_d * sizeof *a->s);
    if (a->sum32)
        memcpy(a->sum32 + to * a->ld_s32, a->sum32 + from * a->ld_s32,
               a->ld_s32 * sizeof *a->sum32);
    if (a->sum16)
        memcpy(a->sum16 + to * a->ld_s16, a->sum16 + from * a->ld_s16,
               a->ld_s16 * sizeof *a->sum16);
}

/* ---- KV pages ---- */

bool ingle_kv_shape_init(ingle_kv_shape *s, ingle_type type, size_t head_dim_k, size_t head_dim_v)
{
    size_t unit = type == INGLE_TYPE_F32 ? 4 : type == INGLE_TYPE_Q8_0 ? 1 : 2;
    bool scaled = type == INGLE_TYPE_Q8_0;
    if (type != INGLE_TYPE_F32 && type != INGLE_TYPE_F16 && type != INGLE_TYPE_BF16 && !scaled)
        return false;
    *s = (ingle_kv_shape){.type = type, .head_dim_k = head_dim_k, .head_dim_v = head_dim_v};
    size_t k_scales = scaled ? (head_dim_k + 31) / 32 * INGLE_PAGE * sizeof(float) : 0;
    size_t v_scales = scaled ? (head_dim_v + 31) / 32 * INGLE_PAGE * sizeof(float) : 0;
    s->k_scale = ingle_round_up(head_dim_k * INGLE_PAGE * unit, INGLE_ALIGN);
    s->v = s->k_scale + ingle_round_up(k_scales, INGLE_ALIGN);
    s->v_scale =
        s->v + ingle_round_up(ingle_round_up(head_dim_v, 16) * INGLE_PAGE * unit, INGLE_ALIGN);
    s->bytes = s->v_scale + ingle_round_up(v_scales, INGLE_ALIGN);
    return true;
}

/* ---- levels ---- */

void ingle_kern_init_ref(ingle_kern *k)
{
    *k = (ingle_kern){0};
    ingle_kern_ref_matmul(k);
    ingle_kern_float_ref(k);
    k->isa = INGLE_ISA_REF;
    k->name = "ref";
}

#if defined(__x86_64__) || defined(__aarch64__)

/* A thread's scratch serves products with float and with quantised weights. */
static size_t larger_scratch(const ingle_kern *a, const ingle_kern *b, size_t m, size_t n_cols)
{
    size_t x = a->scratch_bytes(m, n_cols), y = b->scratch_bytes(m, n_cols);
    return x > y ? x : y;
}

#endif

#if defined(__x86_64__)

static size_t scratch_bytes_avx2(size_t m, size_t n_cols)
{
    ingle_kern floats = {0}, ints = {0};
    ingle_kern_float_avx2(&floats);
    ingle_kern_avx2_matmul(&ints);
    return larger_scratch(&floats, &ints, m, n_cols);
}

static size_t scratch_bytes_avx512(size_t m, size_t n_cols)
{
    ingle_kern floats = {0}, ints = {0};
    ingle_kern_float_avx512(&floats);
    ingle_kern_avx512_matmul(&ints);
    return larger_scratch(&floats, &ints, m, n_cols);
}

void ingle_kern_init_avx2(ingle_kern *k)
{
    ingle_kern_init_ref(k);
    ingle_kern_float_avx2(k);
    ingle_kern_avx2_matmul(k);
    k->scratch_bytes = scratch_bytes_avx2;
    k->isa = INGLE_ISA_AVX2;
    k->name = "avx2";
}

/* Its scratch is as large as that of AVX2. */
void ingle_kern_init_avxvnni(ingle_kern *k)
{
    ingle_kern_init_avx2(k);
    ingle_kern_avxvnni_matmul(k);
    k->scratch_bytes = scratch_bytes_avx2;
    k->isa = INGLE_ISA_AVXVNNI;
    k->name = "avxvnni";
}

void ingle_kern_init_avx512(ingle_kern *k)
{
    ingle_kern_init_avx2(k);
    ingle_kern_float_avx512(k);
    ingle_kern_avx512_matmul(k);
    if (ingle_cpu_detect().features & INGLE_CPU_VBMI_BITALG) ingle_kern_avx512vbmi_books(k);
    k->scratch_bytes = scratch_bytes_avx512;
    k->isa = INGLE_ISA_AVX512;
    k->name = "avx512";
}

static size_t scratch_bytes_avx512bf16(size_t m, size_t n_cols)
{
    ingle_kern below = {.scratch_bytes = scratch_bytes_avx512}, own = {0};
    ingle_kern_avx512bf16_matmul(&own);
    return larger_scratch(&below, &own, m, n_cols);
}

void ingle_kern_init_avx512bf16(ingle_kern *k)
{
    ingle_kern_init_avx512(k);
    ingle_kern_avx512bf16_matmul(k);
    k->scratch_bytes = scratch_bytes_avx512bf16;
    k->isa = INGLE_ISA_AVX512BF16;
    k->name = "avx512bf16";
}

#elif defined(__aarch64__)

/* The levels' gemm take the same; no gemv takes any. */
static size_t scratch_bytes_neon(size_t m, size_t n_cols)
{
    ingle_kern floats = {0}, ints = {0};
    ingle_kern_float_neon(&floats);
    ingle_kern_neon_matmul(&ints);
    return larger_scratch(&floats, &ints, m, n_cols);
}

void ingle_kern_init_neon(ingle_kern *k)
{
    ingle_kern_init_ref(k);
    ingle_kern_float_neon(k);
    ingle_kern_neon_matmul(k);
    k->scratch_bytes = scratch_bytes_neon;
    k->isa = INGLE_ISA_NEON;
    k->name = "neon";
}

void ingle_kern_init_dotprod(ingle_kern *k)
{
    ingle_kern_init_neon(k);
    ingle_kern_dotprod_matmul(k);
    k->scratch_bytes = scratch_bytes_neon;
    k->isa = INGLE_ISA_DOTPROD;
    k->name = "dotprod";
}

void ingle_kern_init_i8mm(ingle_kern *k)
{
    ingle_kern_init_dotprod(k);
    ingle_kern_i8mm_matmul(k);
    k->scratch_bytes = scratch_bytes_neon;
    k->isa = INGLE_ISA_I8MM;
    k->name = "i8mm";
}

#endif

void ingle_kern_init(ingle_kern *k, ingle_isa isa)
{
    const ingle_cpu cpu = ingle_cpu_detect();
    if (isa == INGLE_ISA_AUTO) isa = cpu.isa;
    assert((unsigned)isa <= INGLE_ISA_I8MM);
    switch (isa) { /* levels of other processors never run here */
#if defined(__x86_64__)
    case INGLE_ISA_AVX512BF16: ingle_kern_init_avx512bf16(k); break;
    case INGLE_ISA_AVX512: ingle_kern_init_avx512(k); break;
    case INGLE_ISA_AVXVNNI: ingle_kern_init_avxvnni(k); break;
    case INGLE_ISA_AVX2: ingle_kern_init_avx2(k); break;
#elif defined(__aarch64__)
    case INGLE_ISA_I8MM: ingle_kern_init_i8mm(k); break;
    case INGLE_ISA_DOTPROD: ingle_kern_init_dotprod(k); break;
    case INGLE_ISA_NEON: ingle_kern_init_neon(k); break;
#endif
#if !defined(__x86_64__)
    case INGLE_ISA_AVX2:
    case INGLE_ISA_AVXVNNI:
    case INGLE_ISA_AVX512:
    case INGLE_ISA_AVX512BF16:
#endif
#if !defined(__aarch64__)
    case INGLE_ISA_NEON:
    case INGLE_ISA_DOTPROD:
    case INGLE_ISA_I8MM:
#endif
    case INGLE_ISA_AUTO:
    case INGLE_ISA_REF: ingle_kern_init_ref(k); break;
    }
    k->isa = isa;
    k->name = ingle_isa_name(isa);
    k->fetch = cpu.fetch;
}
