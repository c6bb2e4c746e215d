/* tile_avx512.inc.h - the inner loops of gemm on AVX-512 with VNNI: a step of 64 rows, 1 to 3
 * tokens.
 * Parameters: the words of matmul.inc.h (step, tile_table), which is included first, with NR 3.
 *
 * In assembly, because gcc and clang copy and spill accumulators in the form with intrinsics: at
 * best 61 % of the vpdpbusd peak where this takes 80. Per 4 k four loads of weights and n
 * broadcasts feed 4 n dots; nothing is shuffled. Two ports take all 512-bit arithmetic of an Ice
 * Lake and a 512-bit load costs 0.7 of a dot, so 64 x 3 (7 loads for 12 dots) beats 32 x 6 (8
 * loads), and whatever is done once per sub-block counts.
 *
 * Registers:
 *     zmm0-11   sums of a sub-block, 4 per token
 *     zmm12-15  a line of weights of 64 rows, or their scales
 *     zmm16-27  what the sums go to, 4 per token
 *     zmm28     one activation dword, or a token's scale, in all lanes
 *     zmm29     scratch */
#if !defined(KC) || NR != 3
#error "include matmul.inc.h first, with NR 3"
#endif

/* What a token brings to a step of class K: what each sub-block's sums start from, -zero * sum of y
 * (the rest is read where it lies). And of class B: 128 bytes, the offsets below. */
typedef struct token_k {
    int32_t start[16];
} token_k;
typedef struct token_b {
    union {
        struct {
            int32_t start[8]; /* per block: -zero * sum of y */
            float s[8];       /* per block, with mins */
        };
        int32_t start16[16]; /* per run of 16 */
    };
    float d[16]; /* per block, or run of 16 */
} token_b;

/* The tiles of a codebook type: unpacked steps look alike however they were unpacked. */
const tile_table *avx512_tiles(ingle_type type);

#define ZMM_USED                                                                                   \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19", "xmm20",  \
        "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29"

/* X(token, quarter of the rows, the weights', the sum's, the target's register) for n tokens. */
#define QUARTERS(X, t, a, b, c, d, u, v, w, x)                                                     \
    X(t, 0, 12, a, u) X(t, 1, 13, b, v) X(t, 2, 14, c, w) X(t, 3, 15, d, x)
#define TOKEN_0(X) QUARTERS(X, 0, 0, 1, 2, 3, 16, 17, 18, 19)
#define TOKEN_1(X) QUARTERS(X, 1, 4, 5, 6, 7, 20, 21, 22, 23)
#define TOKEN_2(X) QUARTERS(X, 2, 8, 9, 10, 11, 24, 25, 26, 27)
/* FIRST(token) before each token's four X. */
#define TOKENS_1(FIRST, X) FIRST(0) TOKEN_0(X)
#define TOKENS_2(FIRST, X) TOKENS_1(FIRST, X) FIRST(1) TOKEN_1(X)
#define TOKENS_3(FIRST, X) TOKENS_2(FIRST, X) FIRST(2) TOKEN_2(X)
#define NOTHING(t)

/* ---- one sub-block ---- */

/* Sums start from 0, which renaming gives for nothing, or from the token's next start. */
#define ZERO(t, q, w, s, o) "vpxor %%xmm" #s ", %%xmm" #s ", %%xmm" #s "\n\t"
#define FROM_ZERO(TOKENS)   TOKENS(NOTHING, ZERO)
#define FIRST_SUM_0         "%%zmm0"
#define FIRST_SUM_1         "%%zmm4"
#define FIRST_SUM_2         "%%zmm8"
#define START(t)            "vpbroadcastd %c[token_bytes]*" #t "(%[token]), " FIRST_SUM_##t "\n\t"
#define COPY_0(t, s)        ""
#define COPY_1(t, s)        "vmovdqa64 " FIRST_SUM_##t ", %%zmm" #s "\n\t"
#define COPY_2(t, s)        COPY_1(t, s)
#define COPY_3(t, s)        COPY_1(t, s)
#define COPY(t, q, w, s, o) COPY_##q(t, s)
#define FROM_START(TOKENS)  TOKENS(START, COPY)
#define NEXT_ZERO           ""
#define NEXT_START          "add $4, %[token]\n\t"

#define DOT(t, q, w, s, o) "vpdpbusd %%zmm28, %%zmm" #w ", %%zmm" #s "\n\t"
#define Y(i, t)            "vpbroadcastd 4*" #i "(%[y" #t "],%[k]), %%zmm28\n\t"
#define Y_0(t)             Y(0, t)
#define Y_1(t)             Y(1, t)
#define Y_2(t)             Y(2, t)
#define Y_3(t)             Y(3, t)
#define Y_4(t)             Y(4, t)
#define Y_5(t)             Y(5, t)
#define Y_6(t)             Y(6, t)
#define Y_7(t)             Y(7, t)
/* 256 bytes at `at` to zmm12-15. */
#define LOAD_4(at)                                                                                 \
    "vmovdqu64 " at ", %%zmm12\n\tvmovdqu64 64+" at ", %%zmm13\n\t"                                \
    "vmovdqu64 128+" at ", %%zmm14\n\tvmovdqu64 192+" at ", %%zmm15\n\t"
#define LINE(i, TOKENS) LOAD_4("256*" #i "(%[w])") TOKENS(Y_##i, DOT)
#define LINES_4(TOKENS) LINE(0, TOKENS) LINE(1, TOKENS) LINE(2, TOKENS) LINE(3, TOKENS)
#define LINES_8(TOKENS)                                                                            \
    LINES_4(TOKENS) LINE(4, TOKENS) LINE(5, TOKENS) LINE(6, TOKENS) LINE(7, TOKENS)
/* k counts up to 0 from minus the bytes of y, which are addressed from their end. */
#define LOOP(n) "add $256*" #n ", %[w]\n\tadd $4*" #n ", %[k]\n\tjnz 1b\n\t"

/* ---- class K ---- */

#define CLEAR(t, q, w, s, o) "vpxord %%xmm" #o ", %%xmm" #o ", %%xmm" #o "\n\t"
/* target += sum * scale. Narrow: the sum fits 16 bits and the scale stands below a zero. */
#define ADD_NARROW(t, q, w, s, o) "vpdpwssd %%zmm" #w ", %%zmm" #s ", %%zmm" #o "\n\t"
#define NARROW(TOKENS)            TOKENS(NOTHING, ADD_NARROW)
#define EXTEND(t, q, w, s, o)                                                                      \
    "vpslld $16, %%zmm" #w ", %%zmm" #w "\n\tvpsrad $16, %%zmm" #w ", %%zmm" #w "\n\t"
#define ADD_WIDE(t, q, w, s, o)                                                                    \
    "vpmulld %%zmm" #w ", %%zmm" #s ", %%zmm" #s "\n\tvpaddd %%zmm" #s ", %%zmm" #o ", %%zmm" #o   \
    "\n\t"
#define WIDE(TOKENS) TOKEN_0(EXTEND) TOKENS(NOTHING, ADD_WIDE)

#define SUBS(TOKENS, n_lines, FROM, WIDTH)                                                         \
    TOKENS(NOTHING, CLEAR)                                                                         \
    "1:\n\t" FROM_##FROM(TOKENS) LINES_##n_lines(TOKENS) LOAD_4("0(%[scale])") WIDTH(TOKENS)       \
        NEXT_##FROM "add $256, %[scale]\n\t" LOOP(n_lines)
/* Scales multiplied into the weights: one sum, one start. */
#define MOVE(t, q, w, s, o) "vmovdqa64 %%zmm" #s ", %%zmm" #o "\n\t"
#define FOLDED(TOKENS, FROM)                                                                       \
    FROM_##FROM(TOKENS) "1:\n\t" LINES_8(TOKENS) LOOP(8) TOKENS(NOTHING, MOVE)

/* Sums of y and scales of a token's row, n elements after the first one's. */
#define SUMS_0 "(%[sum])"
#define SUMS_1 "(%[sum],%[ld_sum],2)"
#define SUMS_2 "(%[sum],%[ld_sum],4)"
#define D_0    "(%[dy])"
#define D_1    "(%[dy],%[ld_dy],4)"
#define D_2    "(%[dy],%[ld_dy],8)"

/* sum (or target) += pairs of mins (or scales) . pairs of sums of y */
#define SUM_PAIR(i, t)               "vpbroadcastd 4*" #i SUMS_##t ", %%zmm28\n\t"
#define SUM_PAIR_0(t)                SUM_PAIR(0, t)
#define SUM_PAIR_1(t)                SUM_PAIR(1, t)
#define SUM_PAIR_2(t)                SUM_PAIR(2, t)
#define SUM_PAIR_3(t)                SUM_PAIR(3, t)
#define SUM_PAIR_4(t)                SUM_PAIR(4, t)
#define SUM_PAIR_5(t)                SUM_PAIR(5, t)
#define SUM_PAIR_6(t)                SUM_PAIR(6, t)
#define SUM_PAIR_7(t)                SUM_PAIR(7, t)
#define ADD_TO_SUM(t, q, w, s, o)    "vpdpwssd %%zmm28, %%zmm" #w ", %%zmm" #s "\n\t"
#define ADD_TO_TARGET(t, q, w, s, o) "vpdpwssd %%zmm28, %%zmm" #w ", %%zmm" #o "\n\t"
#define PAIR(i, TOKENS, field, ADD)                                                                \
    LOAD_4("%c[" field "]+256*" #i "(%[p])") TOKENS(SUM_PAIR_##i, ADD)
#define PAIRS_4(TOKENS, field, ADD)                                                                \
    PAIR(0, TOKENS, field, ADD)                                                                    \
    PAIR(1, TOKENS, field, ADD) PAIR(2, TOKENS, field, ADD) PAIR(3, TOKENS, field, ADD)
#define PAIRS_8(TOKENS, field, ADD)                                                                \
    PAIRS_4(TOKENS, field, ADD)                                                                    \
    PAIR(4, TOKENS, field, ADD)                                                                    \
    PAIR(5, TOKENS, field, ADD) PAIR(6, TOKENS, field, ADD) PAIR(7, TOKENS, field, ADD)

/* c = target * (d * dy) + c, and - sum * (min * dy) */
#define DY(t) "vbroadcastss " D_##t ", %%zmm28\n\t"
#define ADD_C(t, q, w, s, o)                                                                       \
    "vcvtdq2ps %%zmm" #o ", %%zmm" #o "\n\tvmulps %c[d]+64*" #q "(%[p]), %%zmm28, %%zmm29\n\t"     \
    "vfmadd213ps 256*" #t "+64*" #q "(%[c]), %%zmm29, %%zmm" #o "\n\t"
#define SUB_MIN(t, q, w, s, o)                                                                     \
    "vcvtdq2ps %%zmm" #s ", %%zmm" #s "\n\tvmulps %c[min]+64*" #q "(%[p]), %%zmm28, %%zmm29\n\t"   \
    "vfnmadd231ps %%zmm29, %%zmm" #s ", %%zmm" #o "\n\t"
#define STORE_C(t, q, w, s, o)    "vmovups %%zmm" #o ", 256*" #t "+64*" #q "(%[c])\n\t"
#define FINISH(t, q, w, s, o)     ADD_C(t, q, w, s, o) STORE_C(t, q, w, s, o)
#define FINISH_MIN(t, q, w, s, o) ADD_C(t, q, w, s, o) SUB_MIN(t, q, w, s, o) STORE_C(t, q, w, s, o)

#define MINS(TOKENS, n_pairs)                                                                      \
    FROM_ZERO(TOKENS) PAIRS_##n_pairs(TOKENS, "min_pair", ADD_TO_SUM) TOKENS(DY, FINISH_MIN)
#define NO_MINS(TOKENS) TOKENS(DY, FINISH)

#define Q2_K(TOKENS)      FOLDED(TOKENS, ZERO) MINS(TOKENS, 8)
#define Q3_K(TOKENS)      FOLDED(TOKENS, START) NO_MINS(TOKENS)
#define Q4_K_CALM(TOKENS) SUBS(TOKENS, 8, ZERO, NARROW) MINS(TOKENS, 4)
#define Q5_K_CALM(TOKENS)                                                                          \
    SUBS(TOKENS, 8, START, NARROW) PAIRS_4(TOKENS, "scale_pair", ADD_TO_TARGET) MINS(TOKENS, 4)
#define Q45_K_LOUD(TOKENS) SUBS(TOKENS, 8, ZERO, WIDE) MINS(TOKENS, 4)
#define Q6_K_CALM(TOKENS)  SUBS(TOKENS, 4, START, NARROW) NO_MINS(TOKENS)
#define Q6_K_LOUD(TOKENS)  SUBS(TOKENS, 4, START, WIDE) NO_MINS(TOKENS)
#define K32_CALM(TOKENS)   SUBS(TOKENS, 8, START, NARROW) NO_MINS(TOKENS)
#define K32_LOUD(TOKENS)   SUBS(TOKENS, 8, START, WIDE) NO_MINS(TOKENS)

/* c[t][row] += a block's product. Upper lanes stay dirty until gemm_task() ends. */
#define BLOCK_K(KIND, TOKENS)                                                                      \
    do {                                                                                           \
        const void *w_ = p->w, *scale_ = p->scale, *token_ = token;                                \
        ptrdiff_t k_ = -KC;                                                                        \
        __asm__ volatile(                                                                          \
            KIND(TOKENS)                                                                           \
            : [w] "+&r"(w_), [scale] "+&r"(scale_), [token] "+&r"(token_), [k] "+&r"(k_)           \
            : [p] "r"(p), [c] "r"(c), [y0] "r"(y0 + KC), [y1] "r"(y1 + KC), [y2] "r"(y2 + KC),     \
              [sum] "r"(sum), [ld_sum] "r"(x->ld_s16), [dy] "r"(d), [ld_dy] "r"(x->ld_d),          \
              [d] "i"(offsetof(step, d)), [min] "i"(offsetof(step, min)),                          \
              [min_pair] "i"(offsetof(step, min_pair)),                                            \
              [scale_pair] "i"(offsetof(step, scale_pair)), [token_bytes] "i"(sizeof(token_k))     \
            : "memory", "cc", ZMM_USED);                                                           \
    } while (0)

/* ---- class B ---- */

#define LOAD_C(t, q, w, s, o) "vmovups 256*" #t "+64*" #q "(%[c]), %%zmm" #o "\n\t"
#define DY_B(t)               "vbroadcastss 128*" #t "+64(%[token]), %%zmm28\n\t"
#define ADD_BLOCK(t, q, w, s, o)                                                                   \
    "vcvtdq2ps %%zmm" #s ", %%zmm" #s "\n\tvmulps %%zmm28, %%zmm" #w ", %%zmm29\n\t"               \
    "vfmadd231ps %%zmm29, %%zmm" #s ", %%zmm" #o "\n\t"
#define ADD_MIN_B(t, q, w, s, o)                                                                   \
    "vfmadd231ps 128*" #t "+32(%[token])%{1to16%}, %%zmm" #w ", %%zmm" #o "\n\t"
#define BLOCKS(TOKENS, n_lines, FROM, AND)                                                         \
    TOKENS(NOTHING, LOAD_C)                                                                        \
    "1:\n\t" FROM_##FROM(TOKENS) LINES_##n_lines(TOKENS) LOAD_4("%c[d](%[p])")                     \
        TOKENS(DY_B, ADD_BLOCK) AND "add $256, %[p]\n\tadd $4, %[token]\n\t" LOOP(n_lines)         \
            TOKENS(NOTHING, STORE_C)

#define PLAIN_B(TOKENS) BLOCKS(TOKENS, 8, START, )
#define RUNS_16(TOKENS) BLOCKS(TOKENS, 4, START, )
#define MIN_B(TOKENS)   BLOCKS(TOKENS, 8, ZERO, LOAD_4("%c[min](%[p])") TOKENS(NOTHING, ADD_MIN_B))

/* n_bytes: of y. */
#define STEP_B(KIND, TOKENS, n_bytes)                                                              \
    do {                                                                                           \
        const void *p_ = p, *w_ = p->w, *token_ = token;                                           \
        ptrdiff_t k_ = -(ptrdiff_t)(n_bytes);                                                      \
        __asm__ volatile(KIND(TOKENS)                                                              \
                         : [p] "+&r"(p_), [w] "+&r"(w_), [token] "+&r"(token_), [k] "+&r"(k_)      \
                         : [c] "r"(c), [y0] "r"(y0 - k_), [y1] "r"(y1 - k_), [y2] "r"(y2 - k_),    \
                           [d] "i"(offsetof(step, d)), [min] "i"(offsetof(step, min)),             \
                           [token_bytes] "i"(sizeof(token_b))                                      \
                         : "memory", "cc", ZMM_USED);                                              \
    } while (0)
