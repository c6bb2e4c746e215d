/* tile_avx512.h - the inner loops of gemm on AVX-512 with VNNI: 32 rows x n tokens (1..6) over some
 * blocks. Depends on nothing. For matmul_avx512.c only.
 *
 * In assembly, because gcc and clang both copy and spill accumulators in the intrinsics' form of
 * it: at best 61 % of the processor's vpdpbusd peak where this reaches 80. Two loads of weights and
 * n broadcasts feed 2 n dots; nothing is shuffled. Two ports take all 512-bit arithmetic of an Ice
 * Lake, so whatever else is done per sub-block counts.
 *
 * zmm0-11    sums of the sub-block, 2 per token        zmm12-13   two lines of weights, or their
 * scales zmm14      one activation dword in all lanes         zmm16-27   what the sums go to, 2 per
 * token */
#ifndef INGLE_KERN_X86_TILE_AVX512_H
#define INGLE_KERN_X86_TILE_AVX512_H

#include <stddef.h>
#include <stdint.h>

#define TILE_ZMM                                                                                   \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20",  \
        "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27"

/* X(token, its first sum, second, first target, second) for tokens 0..n-1. */
#define TOKENS_1(X) X(0, 0, 1, 16, 17)
#define TOKENS_2(X) TOKENS_1(X) X(1, 2, 3, 18, 19)
#define TOKENS_3(X) TOKENS_2(X) X(2, 4, 5, 20, 21)
#define TOKENS_4(X) TOKENS_3(X) X(3, 6, 7, 22, 23)
#define TOKENS_5(X) TOKENS_4(X) X(4, 8, 9, 24, 25)
#define TOKENS_6(X) TOKENS_5(X) X(5, 10, 11, 26, 27)

/* Sums start from 0, which renaming gives for nothing, or from the token's next entry of `table`.
 */
#define FROM_ZERO(t, a, b, u, v)                                                                   \
    "vpxor %%xmm" #a ", %%xmm" #a ", %%xmm" #a "\n\tvpxor %%xmm" #b ", %%xmm" #b ", %%xmm" #b "\n" \
                                                                                              "\t"
#define FROM_TABLE(t, a, b, u, v)                                                                  \
    "vpbroadcastd 128*" #t "(%[table]), %%zmm" #a "\n\tvmovdqa64 %%zmm" #a ", %%zmm" #b "\n\t"

#define DOT(i, t, a, b)                                                                            \
    "vpbroadcastd 4*" #i "(%[y" #t "],%[k]), %%zmm14\n\t"                                          \
    "vpdpbusd %%zmm14, %%zmm12, %%zmm" #a "\n\tvpdpbusd %%zmm14, %%zmm13, %%zmm" #b "\n\t"
#define DOT_0(t, a, b, u, v) DOT(0, t, a, b)
#define DOT_1(t, a, b, u, v) DOT(1, t, a, b)
#define DOT_2(t, a, b, u, v) DOT(2, t, a, b)
#define DOT_3(t, a, b, u, v) DOT(3, t, a, b)
#define DOT_4(t, a, b, u, v) DOT(4, t, a, b)
#define DOT_5(t, a, b, u, v) DOT(5, t, a, b)
#define DOT_6(t, a, b, u, v) DOT(6, t, a, b)
#define DOT_7(t, a, b, u, v) DOT(7, t, a, b)
#define LINE(i, TOKENS)                                                                            \
    "vmovdqu64 128*" #i "(%[w]), %%zmm12\n\tvmovdqu64 128*" #i                                     \
    "+64(%[w]), %%zmm13\n\t" TOKENS(DOT_##i)
#define LINES_4(TOKENS) LINE(0, TOKENS) LINE(1, TOKENS) LINE(2, TOKENS) LINE(3, TOKENS)
#define LINES_8(TOKENS)                                                                            \
    LINES_4(TOKENS) LINE(4, TOKENS) LINE(5, TOKENS) LINE(6, TOKENS) LINE(7, TOKENS)

/* ---- class K: target[t][row] = sum over sub-blocks of scale * (start + dots) ---- */

#define CLEAR(t, a, b, u, v)                                                                       \
    "vpxord %%xmm" #u ", %%xmm" #u ", %%xmm" #u "\n\tvpxord %%xmm" #v ", %%xmm" #v ", %%xmm" #v    \
    "\n\t"
/* Sums that fit 16 bits, scales s16 below a zero: one operation. */
#define SCALE_NARROW
#define ADD_NARROW(t, a, b, u, v)                                                                  \
    "vpdpwssd %%zmm12, %%zmm" #a ", %%zmm" #u "\n\tvpdpwssd %%zmm13, %%zmm" #b ", %%zmm" #v "\n\t"
#define SCALE_WIDE                                                                                 \
    "vpslld $16, %%zmm12, %%zmm12\n\tvpslld $16, %%zmm13, %%zmm13\n\t"                             \
    "vpsrad $16, %%zmm12, %%zmm12\n\tvpsrad $16, %%zmm13, %%zmm13\n\t"
#define ADD_WIDE(t, a, b, u, v)                                                                    \
    "vpmulld %%zmm12, %%zmm" #a ", %%zmm" #a "\n\tvpmulld %%zmm13, %%zmm" #b ", %%zmm" #b "\n\t"   \
    "vpaddd %%zmm" #a ", %%zmm" #u ", %%zmm" #u "\n\tvpaddd %%zmm" #b ", %%zmm" #v ", %%zmm" #v    \
    "\n\t"
#define STORE(t, a, b, u, v)                                                                       \
    "vmovdqu64 %%zmm" #u ", 128*" #t "(%[out])\n\tvmovdqu64 %%zmm" #v ", 128*" #t "+64(%[out])"    \
                                                                                  "\n\t"

#define BLOCK_K(TOKENS, n_lines, FROM, WIDTH)                                                      \
    __asm__ volatile(                                                                              \
        TOKENS(CLEAR) "1:\n\t" TOKENS(FROM)                                                        \
            LINES_##n_lines(TOKENS) "vmovdqu64 (%[scale]), %%zmm12\n\tvmovdqu64 64(%[scale]), "    \
                                    "%%zmm13\n\t" SCALE_##WIDTH TOKENS(                            \
                                        ADD_##WIDTH) "add $128*" #n_lines                          \
                                                     ", %[w]\n\tadd $4*" #n_lines ", %[k]\n\t"     \
                                                     "add $4, %[table]\n\tadd $128, "              \
                                                     "%[scale]\n\tdec %[n]\n\tjnz 1b\n\t" TOKENS(  \
                                                         STORE)                                    \
        :                                                                                          \
        [w] "+&r"(w), [k] "+&r"(k), [table] "+&r"(start), [scale] "+&r"(scale), [n] "+&r"(n_subs)  \
        : [out] "r"(out), [y0] "r"(y[0]), [y1] "r"(y[1]), [y2] "r"(y[2]), [y3] "r"(y[3]),          \
          [y4] "r"(y[4]), [y5] "r"(y[5])                                                           \
        : "memory", "cc", TILE_ZMM)

#define BLOCK_K_OF(n)                                                                              \
    case n:                                                                                        \
        if (n_lines == 8 && start && narrow) BLOCK_K(TOKENS_##n, 8, FROM_TABLE, NARROW);           \
        else if (n_lines == 8 && start) BLOCK_K(TOKENS_##n, 8, FROM_TABLE, WIDE);                  \
        else if (n_lines == 8 && narrow) BLOCK_K(TOKENS_##n, 8, FROM_ZERO, NARROW);                \
        else if (n_lines == 8) BLOCK_K(TOKENS_##n, 8, FROM_ZERO, WIDE);                            \
        else if (start && narrow) BLOCK_K(TOKENS_##n, 4, FROM_TABLE, NARROW);                      \
        else if (start) BLOCK_K(TOKENS_##n, 4, FROM_TABLE, WIDE);                                  \
        else BLOCK_K(TOKENS_##n, 4, FROM_ZERO, NARROW);                                            \
        break;

/* The sums of a block: n_subs sub-blocks of n_lines (4 or 8) lines w, [n_subs * n_lines][32][4]
 * bytes, with the bytes from k on of activations y[n]; scale [n_subs][32]; start NULL or [n][32],
 * at its first sub-block. n, n_lines, narrow and whether start is NULL must be constants. */
static inline __attribute__((always_inline)) void block_k(int n, int n_lines, bool narrow,
                                                          int32_t (*out)[32], const void *w,
                                                          const int8_t *const y[6], size_t k,
                                                          const int32_t *start,
                                                          const int32_t *scale, size_t n_subs)
{
    switch (n) {
        BLOCK_K_OF(1)
        BLOCK_K_OF(2)
        BLOCK_K_OF(3)
        BLOCK_K_OF(4)
        BLOCK_K_OF(5)
        BLOCK_K_OF(6)
    }
}

/* ---- class B: c[t][row] += scale * dy * (start + dots), block after block ---- */

/* What a token brings to a step: 128 bytes, walked 4 a block. */
typedef struct token_b {
    int32_t start[16]; /* -zero * sum of y; with mins the sum itself as float */
    float d[16];
} token_b;

#define LOAD(t, a, b, u, v)                                                                        \
    "vmovups 128*" #t "(%[c]), %%zmm" #u "\n\tvmovups 128*" #t "+64(%[c]), %%zmm" #v "\n\t"
#define STORE_C(t, a, b, u, v)                                                                     \
    "vmovups %%zmm" #u ", 128*" #t "(%[c])\n\tvmovups %%zmm" #v ", 128*" #t "+64(%[c])\n\t"
#define ADD_FLOAT(t, a, b, u, v)                                                                   \
    "vcvtdq2ps %%zmm" #a ", %%zmm" #a "\n\tvcvtdq2ps %%zmm" #b ", %%zmm" #b "\n\t"                 \
    "vbroadcastss 128*" #t "+64(%[table]), %%zmm14\n\t"                                            \
    "vmulps %%zmm14, %%zmm12, %%zmm15\n\tvmulps %%zmm14, %%zmm13, %%zmm14\n\t"                     \
    "vfmadd231ps %%zmm15, %%zmm" #a ", %%zmm" #u "\n\t"                                            \
    "vfmadd231ps %%zmm14, %%zmm" #b ", %%zmm" #v "\n\t"
#define ADD_MIN(t, a, b, u, v)                                                                     \
    "vbroadcastss 128*" #t "+64(%[table]), %%zmm14\n\t"                                            \
    "vmulps %%zmm14, %%zmm12, %%zmm15\n\tvmulps %%zmm14, %%zmm13, %%zmm14\n\t"                     \
    "vbroadcastss 128*" #t "(%[table]), %%zmm" #a "\n\t"                                           \
    "vfmadd231ps %%zmm15, %%zmm" #a ", %%zmm" #u "\n\t"                                            \
    "vfmadd231ps %%zmm14, %%zmm" #a ", %%zmm" #v "\n\t"
#define NO_MINS(TOKENS)
#define MINS(TOKENS)                                                                               \
    "vmovups (%[min]), %%zmm12\n\tvmovups 64(%[min]), %%zmm13\n\t" TOKENS(                         \
        ADD_MIN) "add $128, %[min]\n\t"

#define STEP_B(TOKENS, FROM, WITH)                                                                 \
    __asm__ volatile(                                                                              \
        TOKENS(LOAD) "1:\n\t" TOKENS(FROM) LINES_8(                                                \
            TOKENS) "vmovups (%[d]), %%zmm12\n\tvmovups 64(%[d]), %%zmm13\n\t" TOKENS(ADD_FLOAT)   \
            WITH(TOKENS) "add $1024, %[w]\n\tadd $32, %[k]\n\tadd $4, %[table]\n\tadd $128, "      \
                         "%[d]\n\t"                                                                \
                         "dec %[n]\n\tjnz 1b\n\t" TOKENS(STORE_C)                                  \
        : [w] "+&r"(w), [k] "+&r"(k), [table] "+&r"(table), [d] "+&r"(d), [min] "+&r"(min),        \
          [n] "+&r"(n_blocks)                                                                      \
        : [c] "r"(c), [y0] "r"(y[0]), [y1] "r"(y[1]), [y2] "r"(y[2]), [y3] "r"(y[3]),              \
          [y4] "r"(y[4]), [y5] "r"(y[5])                                                           \
        : "memory", "cc", TILE_ZMM)

#define STEP_B_OF(n)                                                                               \
    case n:                                                                                        \
        if (has_min) STEP_B(TOKENS_##n, FROM_ZERO, MINS);                                          \
        else STEP_B(TOKENS_##n, FROM_TABLE, NO_MINS);                                              \
        break;

/* c[n][32] over n_blocks blocks of 8 lines; d, min: [n_blocks][32]. n and has_min must be
 * constants. */
static inline __attribute__((always_inline)) void step_b(int n, bool has_min, float *c,
                                                         const void *w, const int8_t *const y[6],
                                                         const token_b *table, const float *d,
                                                         const float *min, size_t n_blocks)
{
    size_t k = 0;
    switch (n) {
        STEP_B_OF(1)
        STEP_B_OF(2)
        STEP_B_OF(3)
        STEP_B_OF(4)
        STEP_B_OF(5)
        STEP_B_OF(6)
    }
}

#endif
