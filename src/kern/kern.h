/* kern.h - the table of compute kernels: one slot per job, filled in plain C, overwritten upward by ISA level.
 * Owns       nothing. Kernels are pure: they read and write only what their arguments name.
 * Depends on quant/quant.h, base/cpu.h. Knows no model, no sequence, no thread.
 * Invariant  every level gives the same bits in every slot (but AVX512BF16 in the products of BF16 weights, whose gemv and
 *            gemm agree with each other alone): the arithmetic of matmuls is quant.h's; float kernels work in
 *            16 lanes (element i in lane i % 16, lanes summed 8+8, 4+4, 2+2, 1+1) with fused multiply-adds as written here. */
#ifndef INGLE_KERN_KERN_H
#define INGLE_KERN_KERN_H

#include "base/cpu.h"
#include "kern/page.h"

/* Where 16 |y| sum to no more, products of y with weights of up to 6 bits fit 16 bits (32 * 1023 < 2^15). */
#define INGLE_QUIET 1023

/* Activations of m tokens, quantised once per input and class. Row strides in elements; all rows 64-byte aligned. */
typedef struct ingle_acts {
    ingle_act act;
    size_t m, n_cols;
    const float *x;
    size_t ld_x; /* class F: [m][ld_x] f32 */
    int8_t *q;
    size_t ld_q; /* [m][ld_q] int8 */
    float *d;
    size_t ld_d; /* [m][ld_d] scale per block of 32 or 256 */
    float *s;    /* Q32: [m][ld_d] sum per block of 32, quant.h's s */
    int32_t *sum32;
    size_t ld_s32; /* Q32: [m][ld_s32] sum of y per 32 */
    int16_t *sum16;
    size_t
        ld_s16; /* Q256: [m][ld_s16]: K/16 sums per 16, K/32 sums per 32, then K/256 flags "loud": 1 if
                                     * some aligned 16 |y| of the block sum to more than INGLE_QUIET, else 0 */
} ingle_acts;

/* Bytes of the arrays of m rows and n_cols columns behind a class (all but x), 64-byte multiples; and laying them out. */
size_t ingle_acts_bytes(ingle_act act, size_t m, size_t n_cols);
void ingle_acts_place(ingle_acts *a, ingle_act act, size_t m, size_t n_cols, void *mem);
/* Quantised row `from` once more, as row `to`. */
void ingle_acts_copy(const ingle_acts *a, size_t to, size_t from);

/* out[t][r] = w[r] . x[t] (* scale) (+ bias[r]) (+ old out[t][r] if add), in that order, for rows of panels first..first+n-1. */
typedef struct ingle_matmul {
    const ingle_packed *w;
    const ingle_acts *x;
    float *out; /* [m][ld_out] */
    size_t ld_out;
    const float *scale; /* one, or NULL */
    const float *bias;  /* [n_rows] or NULL */
    bool add;           /* residual */
    ingle_fetch fetch;  /* the table's, or what a bench tries */
} ingle_matmul;

/* scratch: ingle_kern.scratch_bytes(m, n_cols) bytes, 64-byte aligned, private to the calling thread. */
typedef void ingle_matmul_fn(const ingle_matmul *job, size_t first_panel, size_t n_panels,
                             void *scratch);

/* Query rows of one sequence against one kv head. Row (t, g): token t, query head g of the group; q at
 * q + t*ld_q + g*head_dim_k, out at out + t*ld_out + g*head_dim_v. Token t sits at position pos0 + t and sees positions
 * max(0, pos-window+1) .. pos (window 0: all); with n_seen, pos - window/2 .. pos + window/2 of the positions below n_seen.
 * Slopes take |distance| * slope off a score. Per group of 256 absolute positions: scores s = scale * (q . k) with one fma
 * chain over d ascending, m = max, p = exp(s-m), l = sum in 16 lanes, o = one fma chain over positions ascending; groups are
 * merged in order: M = max(m,m'), o = fma(o', exp(m'-M), o*exp(m-M)), l likewise; out = o / l. */
typedef struct ingle_attend {
    const ingle_kv_shape *kv;
    const uint8_t *const *pages; /* [pos/32] page bases of this sequence */
    size_t slot;                 /* byte offset of this layer's and kv head's slot in a page */
    size_t n_tokens, n_group;
    size_t pos0, window;
    size_t n_seen; /* 0: a token sees no later one */
    float scale;
    float softcap;       /* 0 = none; else s = softcap * tanh(s / softcap) */
    const float *sinks;  /* [n_group] or NULL: one more score per query head, which has no value:
                         * after the groups M' = max(M, sink), o = o*exp(M-M'), l = fma(l, exp(M-M'), exp(sink-M')) */
    const float *slopes; /* [n_group] of ALiBi, or NULL: s = fma(-slope, |pos - position|, s) */
    const float *q;
    size_t ld_q;
    float *out;
    size_t ld_out;
} ingle_attend;

/* Depthwise causal convolution of one token: dst = sum over taps of w[k] * taps[k], one fma chain from 0, k ascending,
 * + bias, then silu. taps[0] is the oldest input, the last one the token's own. dst is none of them. */
typedef struct ingle_conv {
    const float *const *taps; /* [n_taps] rows of channels */
    const float *w;           /* [n_taps][ld_w] */
    size_t n_taps, ld_w;
    const float *bias; /* NULL: none */
    bool silu;
    float *dst;
} ingle_conv;

/* Selective state space (Gu and Dao 2023, arXiv 2312.00752; 2024, arXiv 2405.21060), one token after the other, for n channels
 * that share B and C: s[k] = fma(B[k], x dt, s[k] exp(dt a)), y = one fma chain of C[k] s[k] from 0, k ascending,
 * out = fma(x, d, y). dt is behind its softplus. */
typedef struct ingle_scan {
    bool
        by_channel; /* a [n_state][ld_a], d and every token's dt are of each channel; else one number for all */
    float *state; /* [n_state][ld_state]: ld_state a multiple of 16, channels past n are 0 */
    size_t n_state, ld_state, n, n_tokens;
    const float *x;     /* [n_tokens][ld_x] */
    const float *dt;    /* [n_tokens][ld_dt] */
    const float *b, *c; /* [n_tokens][ld_bc] each [n_state] */
    const float *a, *d;
    float *out; /* [n_tokens][ld_out] */
    size_t ld_x, ld_dt, ld_bc, ld_a, ld_out;
} ingle_scan;

/* Gated delta rule (Yang et al. 2024, arXiv 2412.06464) of one head, one token after the other, for n columns of values:
 * e = exp(a gate), m = one fma chain of k[r] (s[r] e) from 0, d = (v - m) beta, s[r] = fma(k[r], d, s[r] e),
 * out = scale * (one fma chain of q[r] s[r] from 0), r ascending. gate and beta: one number a token. */
typedef struct ingle_delta {
    float *state; /* [n_key][ld_state]: ld_state a multiple of 16, columns past n are 0 */
    size_t n_key, ld_state, n, n_tokens;
    const float *q, *k; /* [n_tokens][ld_qk] each [n_key] */
    const float *v;     /* [n_tokens][ld_v] */
    const float *gate, *beta;
    float a, scale;
    float *out; /* [n_tokens][ld_out] */
    size_t ld_qk, ld_v, ld_gate, ld_beta, ld_out;
} ingle_delta;

typedef struct ingle_kern {
    ingle_isa isa;
    const char *name;

    /* rows; n is any size, pointers need no alignment, dst may be src. norm_rms: sum = fma(x, x, sum) in lanes,
     * s = 1 / sqrt(sum / n + eps), (x * s) * weight. rope: a' = fma(a, cos, -(b * sin)), b' = fma(a, sin, b * cos). */
    void (*norm_rms)(float *dst, const float *src, const float *weight, size_t n,
                     float eps); /* weight may be NULL */
    /* mean = sum / n, s = 1 / sqrt(sum of (x - mean)^2 / n + eps), ((x - mean) * s) * weight + bias; either may be NULL */
    void (*norm_layer)(float *dst, const float *src, const float *weight, const float *bias,
                       size_t n, float eps);
    void (*add)(float *dst, const float *a, const float *b, size_t n);
    void (*mul)(float *dst, const float *a, const float *b, size_t n);
    void (*scale)(float *dst, const float *a, float s, size_t n);
    void (*add_scaled)(float *dst, const float *a, float s, size_t n); /* fma(a, s, dst) */
    void (*silu)(float *dst, const float *a, size_t n);                /* a / (1 + exp(-a)) */
    /* GPT-OSS: x = min(a, 7): x / (1 + exp(-1.702 x)); and of its other half: min(7, max(-7, a)) + 1 */
    void (*swiglu_gate)(float *dst, const float *a, size_t n);
    void (*swiglu_up)(float *dst, const float *a, size_t n);
    void (*silu_mul)(float *dst, const float *gate, const float *up,
                     size_t n);                         /* silu(gate) * up */
    void (*gelu)(float *dst, const float *a, size_t n); /* the tanh form */
    void (*gelu_mul)(float *dst, const float *gate, const float *up, size_t n);
    void (*gelu_erf)(float *dst, const float *a, size_t n); /* the exact form */
    void (*gelu_erf_mul)(float *dst, const float *gate, const float *up, size_t n);
    void (*relu2)(float *dst, const float *a, size_t n); /* max(a, 0)^2 */
    /* p: alpha_p, alpha_n, beta, eps. Above 0 alpha_p a^2 + beta a, else (e^min(a, eps) - 1 - a) alpha_n + beta a */
    void (*xielu)(float *dst, const float *a, const float p[4], size_t n);
    void (*clamp)(float *dst, const float *a, float most, size_t n);  /* into [-most, most] */
    void (*softcap)(float *dst, const float *a, float cap, size_t n); /* cap * tanh(a / cap) */
    void (*softplus)(float *dst, const float *a, size_t n);           /* ln(1 + exp(a)) */
    void (*sigmoid)(float *dst, const float *a, size_t n);            /* 1 / (1 + exp(-a)) */
    void (*sigmoid_mul)(float *dst, const float *gate, const float *up, size_t n);
    void (*norm_l2)(float *dst, const float *src, size_t n,
                    float eps); /* x / max(sqrt(sum of x^2), eps) */
    /* x: one head. cs: [n_rot/2][2] cosine, sine. pairs: (2i, 2i+1) if !neox, (i, i + n_rot/2) if neox. */
    void (*rope)(float *x, const float *cs, size_t n_rot, bool neox);
    void (*exp)(float *dst, const float *a, size_t n); /* the exp every kernel uses; for tests */

    /* activations: one row of n_cols floats into row t of a (n_cols is a multiple of the class's block) */
    void (*quantise)(const ingle_acts *a, size_t t, const float *x);

    /* matmuls by weight type: gemv for m <= gemv_tokens, gemm for any m */
    ingle_matmul_fn *gemv[INGLE_TYPE_COUNT], *gemm[INGLE_TYPE_COUNT];
    size_t gemv_tokens;
    ingle_fetch fetch; /* this processor's, for the jobs of gemv */
    /* panels one gemm task should take: the micro-kernel's rows / 16; _f: of class F, where fewer work
     * as well, and are slower */
    size_t gemm_panels, gemm_panels_f;
    size_t (*scratch_bytes)(size_t m, size_t n_cols);

    /* KV pages: stores one token's K and V rows of one kv head at position pos % 32 of a page slot */
    void (*kv_store)(const ingle_kv_shape *s, uint8_t *slot, size_t i, const float *k,
                     const float *v);
    /* scratch: attend_scratch_bytes(job's head dims) bytes, private to the thread. Any tile of tokens gives the same bits. */
    void (*attend)(const ingle_attend *job, void *scratch);
    size_t
        attend_rows; /* rows (tokens times query heads of the group) one task should take, at most */
    size_t (*attend_scratch_bytes)(size_t head_dim_k, size_t head_dim_v, size_t n_group);

    /* recurrences: channels first .. first + n - 1; all channels of the job */
    void (*conv)(const ingle_conv *job, size_t first, size_t n);
    void (*scan)(const ingle_scan *job);
    void (*delta)(const ingle_delta *job);

    /* the machine's limits, for bench: n rounds of independent operations; returns multiply-accumulates done. NULL = none */
    double (*peak_int8)(size_t n);
    double (*peak_bf16)(size_t n);
    double (*peak_f32)(size_t n);
    uint64_t (*read_all)(
        const void *mem,
        size_t bytes); /* reads every byte (xor), as wide as the level can; 256-byte multiple */
} ingle_kern;

/* Fills every slot for a level at or below what the processor runs. Pure: a test holds two tables at once. */
void ingle_kern_init(ingle_kern *k, ingle_isa isa);

/* Internal: one per level, each overwriting slots upward. */
void ingle_kern_init_ref(ingle_kern *k);
void ingle_kern_init_avx2(ingle_kern *k);
void ingle_kern_init_avxvnni(ingle_kern *k);
void ingle_kern_init_avx512(ingle_kern *k);
void ingle_kern_init_avx512bf16(ingle_kern *k);
void ingle_kern_init_neon(ingle_kern *k);
void ingle_kern_init_dotprod(ingle_kern *k);
void ingle_kern_init_i8mm(ingle_kern *k);

#endif
