/* make-model.c - writes a synthetic GGUF with the exact tensor shapes of a real model and random
 * weights.
 *
 * For measuring speed and memory where the real files are not at hand: same hyper-parameters, same
 * types tensor by tensor as llama-quantize mixes them, a byte-level BPE vocabulary of the real
 * size. The weights are valid blocks of random quants whose scales give every tensor a spread near
 * 1/sqrt(K), so activations stay finite and logits sane; the text is noise.
 *
 *     make-model --shape llama-3.2-1b --recipe q4_k_m --out FILE [--seed N]
 *
 * Depends on gguf/write.h, quant/quant.h. The same arguments give the same bytes. */
#define _GNU_SOURCE
#include "gguf/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is made ---- */

typedef enum vocab_kind { VOCAB_LLAMA3, VOCAB_QWEN2 } vocab_kind;

/* What layers without attention are. */
typedef enum recurrence { RECUR_NONE, RECUR_CONV, RECUR_MAMBA2, RECUR_DELTA } recurrence;

typedef struct shape {
    const char *name, *title, *arch;
    uint32_t n_layer, n_embd, n_head, n_head_kv, head_dim, n_ff, n_vocab, n_ctx;
    float rope_base, eps;
    bool tied;         /* the head is the token embedding */
    bool rope_factors; /* Llama 3.1+: factor 32 (or 8), low 1, high 4, trained on 8192 */
    float rope_factor;
    bool qkv_bias, qk_norm;
    vocab_kind vocab;
    uint32_t n_expert, n_expert_used, n_ff_expert; /* 0: dense */
    recurrence recur;
    uint32_t n_inner, n_state, n_ssm_heads, n_groups, n_taps;
    uint64_t attends; /* a bit for every layer with attention */
    uint32_t n_rot;   /* 0: all of head_dim */
} shape;

static const shape SHAPES[] = {
    {"llama-3.2-1b", "Llama 3.2 1B shape", "llama", 16, 2048, 32, 8, 64, 8192, 128256, 131072,
     500000, 1e-5f, .tied = true, .rope_factors = true, .rope_factor = 32, .vocab = VOCAB_LLAMA3},
    {"llama-3.2-3b", "Llama 3.2 3B shape", "llama", 28, 3072, 24, 8, 128, 8192, 128256, 131072,
     500000, 1e-5f, .tied = true, .rope_factors = true, .rope_factor = 32, .vocab = VOCAB_LLAMA3},
    {"llama-3.1-8b", "Llama 3.1 8B shape", "llama", 32, 4096, 32, 8, 128, 14336, 128256, 131072,
     500000, 1e-5f, .rope_factors = true, .rope_factor = 8, .vocab = VOCAB_LLAMA3},
    {"qwen2.5-0.5b", "Qwen2.5 0.5B shape", "qwen2", 24, 896, 14, 2, 64, 4864, 151936, 32768,
     1000000, 1e-6f, .tied = true, .qkv_bias = true, .vocab = VOCAB_QWEN2},
    {"qwen2.5-1.5b", "Qwen2.5 1.5B shape", "qwen2", 28, 1536, 12, 2, 128, 8960, 151936, 32768,
     1000000, 1e-6f, .tied = true, .qkv_bias = true, .vocab = VOCAB_QWEN2},
    {"qwen3-0.6b", "Qwen3 0.6B shape", "qwen3", 28, 1024, 16, 8, 128, 3072, 151936, 40960, 1000000,
     1e-6f, .tied = true, .qk_norm = true, .vocab = VOCAB_QWEN2},
    {"qwen3-8b", "Qwen3 8B shape", "qwen3", 36, 4096, 32, 8, 128, 12288, 151936, 40960, 1000000,
     1e-6f, .qk_norm = true, .vocab = VOCAB_QWEN2},
    /* A mixture of experts, cut to as many layers as 24 GiB hold twice. */
    {"qwen3-30b-a3b-12", "Qwen3 30B-A3B shape, 12 of 48 layers", "qwen3moe", 12, 2048, 32, 4, 128,
     6144, 151936, 40960, 1000000, 1e-6f, .qk_norm = true, .vocab = VOCAB_QWEN2, .n_expert = 128,
     .n_expert_used = 8, .n_ff_expert = 768},
    {"tiny-qwen3moe", "Tiny Qwen3 MoE shape", "qwen3moe", 2, 256, 4, 2, 64, 512, 1024, 2048, 10000,
     1e-6f, .qk_norm = true, .vocab = VOCAB_QWEN2, .n_expert = 8, .n_expert_used = 2,
     .n_ff_expert = 256},
    /* Hybrids and a recurrent one: attention in few layers or none. */
    {"lfm2-1.2b", "LFM2 1.2B shape", "lfm2", 16, 2048, 32, 8, 64, 8192, 65536, 128000, 1000000,
     1e-5f, .tied = true, .qk_norm = true, .vocab = VOCAB_LLAMA3, .recur = RECUR_CONV, .n_taps = 3,
     .attends = 0x5524},
    {"granite-4.0-h-1b",
     "Granite 4.0 H 1B shape",
     "granitehybrid",
     40,
     1536,
     12,
     4,
     128,
     4096,
     100352,
     131072,
     10000,
     1e-5f,
     .tied = true,
     .vocab = VOCAB_LLAMA3,
     .recur = RECUR_MAMBA2,
     .n_inner = 3072,
     .n_state = 128,
     .n_ssm_heads = 48,
     .n_groups = 1,
     .n_taps = 4,
     .attends = 0x802008020},
    {"mamba2-1.3b",
     "Mamba 2 1.3B shape",
     "mamba2",
     48,
     2048,
     0,
     0,
     0,
     0,
     50288,
     32768,
     10000,
     1e-5f,
     .tied = true,
     .vocab = VOCAB_LLAMA3,
     .recur = RECUR_MAMBA2,
     .n_inner = 4096,
     .n_state = 128,
     .n_ssm_heads = 64,
     .n_groups = 1,
     .n_taps = 4},
    {"qwen3.5-0.8b",
     "Qwen3.5 0.8B shape",
     "qwen35",
     24,
     1024,
     8,
     2,
     256,
     3584,
     248320,
     262144,
     10000000,
     1e-6f,
     .tied = true,
     .qk_norm = true,
     .vocab = VOCAB_QWEN2,
     .recur = RECUR_DELTA,
     .n_inner = 2048,
     .n_state = 128,
     .n_ssm_heads = 16,
     .n_groups = 16,
     .n_taps = 4,
     .attends = 0x888888,
     .n_rot = 64},
    /* For tests and for what a token costs apart from its weights: next to no arithmetic, all else
       as above. */
    {"tiny-llama", "Tiny Llama shape", "llama", 2, 256, 4, 2, 64, 512, 1024, 2048, 10000, 1e-5f,
     .tied = true, .vocab = VOCAB_LLAMA3},
    {"tiny-qwen2", "Tiny Qwen2 shape", "qwen2", 2, 256, 4, 2, 64, 512, 1024, 2048, 10000, 1e-6f,
     .qkv_bias = true, .vocab = VOCAB_QWEN2},
    {"tiny-qwen3", "Tiny Qwen3 shape", "qwen3", 2, 256, 4, 2, 64, 512, 1024, 2048, 10000, 1e-6f,
     .qk_norm = true, .vocab = VOCAB_QWEN2},
    {"floor-128k", "One thin layer, 128k vocabulary", "llama", 1, 32, 1, 1, 32, 32, 128256, 8192,
     500000, 1e-5f, .tied = true, .vocab = VOCAB_LLAMA3},
    {"floor-152k", "One thin layer, 152k vocabulary", "qwen2", 1, 32, 1, 1, 32, 32, 151936, 8192,
     1000000, 1e-6f, .tied = true, .qkv_bias = true, .vocab = VOCAB_QWEN2},
};

typedef struct recipe {
    const char *name;
    ingle_type base;
    uint32_t file_type; /* general.file_type */
} recipe;

static const recipe RECIPES[] = {
    {"f32", INGLE_TYPE_F32, 0},
    {"f16", INGLE_TYPE_F16, 1},
    {"bf16", INGLE_TYPE_BF16, 32},
    {"q4_0", INGLE_TYPE_Q4_0, 2},
    {"q4_1", INGLE_TYPE_Q4_1, 3},
    {"q5_0", INGLE_TYPE_Q5_0, 8},
    {"q5_1", INGLE_TYPE_Q5_1, 9},
    {"q8_0", INGLE_TYPE_Q8_0, 7},
    {"q2_k", INGLE_TYPE_Q2_K, 10},
    {"q3_k_m", INGLE_TYPE_Q3_K, 12},
    {"q4_k_m", INGLE_TYPE_Q4_K, 15},
    {"q5_k_m", INGLE_TYPE_Q5_K, 17},
    {"q6_k", INGLE_TYPE_Q6_K, 18},
    {"iq4_nl", INGLE_TYPE_IQ4_NL, 25},
    {"iq4_xs", INGLE_TYPE_IQ4_XS, 30},
    {"mxfp4", INGLE_TYPE_MXFP4,
     38}, /* every matrix MXFP4, as no dense recipe does: for measuring that type */
    /* Of these too every matrix is that type, but for the head: */
    {"nvfp4", INGLE_TYPE_NVFP4, 39},
    {"q1_0", INGLE_TYPE_Q1_0, 40},
    {"q2_0", INGLE_TYPE_Q2_0, 41},
    {"tq1_0", INGLE_TYPE_TQ1_0, 36},
    {"tq2_0", INGLE_TYPE_TQ2_0, 37},
    {"iq1_s", INGLE_TYPE_IQ1_S, 24},
    {"iq1_m", INGLE_TYPE_IQ1_M, 31},
    {"iq2_xxs", INGLE_TYPE_IQ2_XXS, 19},
    {"iq2_xs", INGLE_TYPE_IQ2_XS, 20},
    {"iq2_s", INGLE_TYPE_IQ2_S, 28},
    {"iq3_xxs", INGLE_TYPE_IQ3_XXS, 23},
    {"iq3_s", INGLE_TYPE_IQ3_S, 26},
    {"iq2_k", INGLE_TYPE_IQ2_K, 138}, /* these and the next: of ik_llama.cpp */
    {"iq3_k", INGLE_TYPE_IQ3_K, 139},
    {"iq4_k", INGLE_TYPE_IQ4_K, 140},
    {"iq5_k", INGLE_TYPE_IQ5_K, 141},
    {"iq6_k", INGLE_TYPE_IQ6_K, 142},
    {"iq4_ks", INGLE_TYPE_IQ4_KS, 145},
    {"iq5_ks", INGLE_TYPE_IQ5_KS, 150},
};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- which type a tensor gets: llama-quantize's mixes, without importance matrix ---- */

typedef enum tensor_role {
    ROLE_EMBD,
    ROLE_HEAD,
    ROLE_Q,
    ROLE_K,
    ROLE_V,
    ROLE_O,
    ROLE_GATE,
    ROLE_UP,
    ROLE_DOWN
} tensor_role;

static bool more_bits(uint32_t i, uint32_t n)
{
    return i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2;
}

static ingle_type mixed_v(ingle_type base, uint32_t i, const shape *s)
{
    bool gqa4 = s->n_head / s->n_head_kv >= 4;
    switch (base) {
    case INGLE_TYPE_Q2_K: return gqa4 ? INGLE_TYPE_Q4_K : INGLE_TYPE_Q3_K;
    case INGLE_TYPE_Q3_K: return i < 2 ? INGLE_TYPE_Q5_K : INGLE_TYPE_Q4_K;
    case INGLE_TYPE_Q4_K:
    case INGLE_TYPE_Q5_K: return more_bits(i, s->n_layer) ? INGLE_TYPE_Q6_K : base;
    case INGLE_TYPE_IQ4_NL:
    case INGLE_TYPE_IQ4_XS: return gqa4 ? INGLE_TYPE_Q5_K : base;
    default: return base;
    }
}

static ingle_type mixed_down(ingle_type base, uint32_t i, const shape *s)
{
    switch (base) {
    case INGLE_TYPE_Q2_K: return INGLE_TYPE_Q3_K;
    case INGLE_TYPE_Q3_K: return i < s->n_layer / 16 ? INGLE_TYPE_Q5_K : INGLE_TYPE_Q4_K;
    case INGLE_TYPE_Q4_K:
    case INGLE_TYPE_Q5_K: return more_bits(i, s->n_layer) ? INGLE_TYPE_Q6_K : base;
    case INGLE_TYPE_IQ4_NL:
    case INGLE_TYPE_IQ4_XS: return i < s->n_layer / 8 ? INGLE_TYPE_Q5_K : base;
    default: return base;
    }
}

static ingle_type mixed_o(ingle_type base)
{
    if (base == INGLE_TYPE_Q2_K) return INGLE_TYPE_Q3_K;
    return base == INGLE_TYPE_Q3_K ? INGLE_TYPE_Q4_K : base;
}

/* What is used when rows are not whole blocks of 256 (Qwen2.5 0.5B). */
static ingle_type fallback(ingle_type type)
{
    switch (type) {
    case INGLE_TYPE_Q2_K:
    case INGLE_TYPE_Q3_K: return INGLE_TYPE_Q4_0;
    case INGLE_TYPE_Q4_K: return INGLE_TYPE_Q5_0;
    case INGLE_TYPE_Q5_K: return INGLE_TYPE_Q5_1;
    case INGLE_TYPE_IQ4_XS: return INGLE_TYPE_IQ4_NL;
    default: return INGLE_TYPE_Q8_0;
    }
}

static ingle_type choose_type(const shape *s, const recipe *r, tensor_role role, uint32_t i_layer,
                              uint64_t n_cols)
{
    ingle_type type = r->base;
    const ingle_type_info *info = ingle_type_get(type);
    if (info->block_elems == 1 || type == INGLE_TYPE_MXFP4) return type;
    if (role == ROLE_HEAD || (role == ROLE_EMBD && s->tied)) {
        if (n_cols % info->block_elems) return INGLE_TYPE_Q8_0;
        if (type != INGLE_TYPE_Q8_0) type = INGLE_TYPE_Q6_K;
    } else if (role == ROLE_V) {
        type = mixed_v(type, i_layer, s);
    } else if (role == ROLE_DOWN) {
        type = mixed_down(type, i_layer, s);
    } else if (role == ROLE_O) {
        type = mixed_o(type);
    }
    return n_cols % ingle_type_get(type)->block_elems ? fallback(type) : type;
}

/* ---- random bits: eight xorshift64* streams side by side, so the compiler can use wide registers
 * ---- */

typedef struct rng {
    uint64_t s[8];
} rng;

static uint64_t mix64(uint64_t x) /* splitmix64's finaliser */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void rng_seed(rng *r, uint64_t seed)
{
    for (int i = 0; i < 8; i++) r->s[i] = mix64(seed * 8 + (uint64_t)i) | 1;
}

static void rng_fill(rng *r, void *dst, size_t n)
{
    uint8_t *to = dst;
    for (; n; n -= n < 64 ? n : 64, to += 64) {
        for (int i = 0; i < 8; i++) {
            uint64_t x = r->s[i];
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            r->s[i] = x;
        }
        memcpy(to, r->s, n < 64 ? n : 64);
    }
}

static uint32_t rng_below(rng *r, uint32_t n)
{
    uint32_t x;
    rng_fill(r, &x, sizeof x);
    return (uint32_t)(((uint64_t)x * n) >> 32);
}

static float rng_unit(rng *r)
{
    return (float)rng_below(r, 1u << 24) / (float)(1u << 24);
}

/* ---- blocks: random bits everywhere, then the scales put right ----
 * `jitter` is a random byte of the block: scales differ by up to a quarter from block to block. */

static float jittered(float x, uint8_t jitter)
{
    return x * (0.75f + (float)jitter / 512.0f);
}

static void put_f16(uint8_t *at, float x)
{
    uint16_t h = ingle_f32_to_f16(x);
    memcpy(at, &h, sizeof h);
}

/* 32-weight types: d so that d * (q - zero) has the spread. Without a minimum the quants lean to
 * one side and d takes either sign, as quantisers make it; with one, m = -d * (mean q) centres
 * them. */
static void scale_b(uint8_t *b, float spread_of_q, float mean_q, bool has_min, float spread)
{
    float d = jittered(spread / spread_of_q, b[0]);
    put_f16(b, !has_min && (b[1] & 1) ? -d : d);
    if (has_min) put_f16(b + 2, -d * mean_q);
}

static void fix_q8_0(uint8_t *b, float spread)
{
    scale_b(b, 73.6f, 0, false, spread);
    for (int i = 2; i < 34; i++)
        b[i] = (uint8_t)(b[i] == 0x80 ? 0x81 : b[i]); /* no quantiser makes -128 */
}

/* Q4_K, Q5_K: scale and minimum of a sub-block are the same random number of 32..63, and dmin = d *
 * (mean q), so the mean is 0. In the file the 8 pairs of 6 bits are: bytes 0-3 scales 0-3, 4-7 mins
 * 0-3 (their top 2 bits are bits 4-5 of pairs 4-7), 8-11 the low nibbles of pairs 4-7. */
static void fix_q45_k(uint8_t *b, float mean_q, float spread_of_q, float spread)
{
    float d = jittered(spread / (spread_of_q * 47.5f), b[0]);
    put_f16(b, d);
    put_f16(b + 2, d * mean_q);
    uint8_t *sc = b + 4;
    for (int i = 0; i < 4; i++) {
        uint8_t low = (sc[i] & 31) | 32, high = (sc[i + 8] & 31) | 32;
        sc[i] = sc[i + 4] = (uint8_t)(low | (high >> 4) << 6);
        sc[i + 8] = (uint8_t)((high & 15) | (high & 15) << 4);
    }
}

static void fix_q6_k(uint8_t *b, float spread)
{
    int8_t *sc = (int8_t *)b + 192;
    put_f16(b + 208, jittered(spread / (18.5f * 95.5f), b[208]));
    for (int i = 0; i < 16; i++) {
        int v = 64 + (sc[i] & 63);
        sc[i] = (int8_t)(sc[i] < 0 ? -v : v);
    }
}

static void fix_q2_k(uint8_t *b,
                     float spread) /* nibbles: scale low, minimum high, both 8..15; mean q 1.5 */
{
    float d = jittered(spread / (1.12f * 11.5f), b[80]);
    put_f16(b + 80, d);
    put_f16(b + 82, d * 1.5f);
    for (int i = 0; i < 16; i++) b[i] = (uint8_t)((8 | (b[i] & 7)) * 0x11);
}

static void fix_q3_k(uint8_t *b,
                     float spread) /* random 6-bit scales, -32..31: spread 18.5; q -4..3: 2.3 */
{
    put_f16(b + 108, jittered(spread / (2.35f * 18.5f), b[108]));
}

static void fix_iq4_xs(uint8_t *b,
                       float spread) /* random 6-bit scales as in Q3_K; the table's spread is 72 */
{
    put_f16(b, jittered(spread / (72.0f * 18.5f), b[0]));
}

static void fix_mxfp4(uint8_t *b,
                      float spread) /* scale 2^(e-127) or twice that, times 0 .5 1 1.5 2 3 4 6 */
{
    b[0] = (uint8_t)(127 + (int)lrintf(log2f(spread / 4.6f)) + (b[0] & 1));
}

/* E4M3 scales, small ones: eighths of 2^-6. What real files do with a scale for the whole tensor. */
static void fix_nvfp4(uint8_t *b, float spread)
{
    int e = (int)lrintf(spread / 2.9f * 512);
    for (int i = 0; i < 4; i++) b[i] = (uint8_t)(e < 1 ? 1 : e > 7 ? 7 : e);
}

/* Two bits a weight: 3, which ternary files do not hold, becomes 1, so the mean is 0. */
static void fix_2bit(uint8_t *d, uint8_t *qs, int n, float spread)
{
    put_f16(d, jittered(spread / 0.71f, d[0]));
    for (int i = 0; i < n; i++) qs[i] &= (uint8_t) ~(qs[i] & (qs[i] & 0x55) << 1);
}

static void fix_iq1_m(uint8_t *b, float spread)
{
    uint8_t d[2];
    put_f16(d, jittered(spread / 6.9f, b[0]));
    for (int i = 0; i < 4; i++)
        b[49 + 2 * i] = (uint8_t)((b[49 + 2 * i] & 15) | (d[i / 2] >> 4 * (i % 2) & 15) << 4);
}

static void fix_block(ingle_type type, uint8_t *b, float spread)
{
    switch (type) {
    case INGLE_TYPE_NVFP4: fix_nvfp4(b, spread); break;
    case INGLE_TYPE_Q1_0: put_f16(b, jittered(spread, b[0])); break;
    case INGLE_TYPE_Q2_0: fix_2bit(b, b + 2, 16, spread); break;
    case INGLE_TYPE_TQ1_0: put_f16(b + 52, jittered(spread / 0.82f, b[52])); break;
    case INGLE_TYPE_TQ2_0: fix_2bit(b + 64, b, 64, spread); break;
    case INGLE_TYPE_IQ1_S: put_f16(b, jittered(spread / 6.9f, b[0])); break;
    case INGLE_TYPE_IQ1_M: fix_iq1_m(b, spread); break;
    case INGLE_TYPE_IQ2_XXS:
    case INGLE_TYPE_IQ2_XS:
    case INGLE_TYPE_IQ2_S: put_f16(b, jittered(spread / 50, b[0])); break;
    case INGLE_TYPE_IQ3_XXS: put_f16(b, jittered(spread / 120, b[0])); break;
    case INGLE_TYPE_IQ3_S: put_f16(b, jittered(spread / 140, b[0])); break;
    case INGLE_TYPE_IQ2_K: put_f16(b, jittered(spread / (19 * 4.6f), b[0])); break;
    case INGLE_TYPE_IQ3_K: put_f16(b, jittered(spread / (34 * 18.5f), b[0])); break;
    case INGLE_TYPE_IQ4_K: put_f16(b, jittered(spread / (72 * 18.5f), b[0])); break;
    case INGLE_TYPE_IQ5_K: put_f16(b, jittered(spread / (70 * 18.5f), b[0])); break;
    case INGLE_TYPE_IQ6_K: put_f16(b, jittered(spread / (69 * 73.9f), b[0])); break;
    case INGLE_TYPE_Q4_0: scale_b(b, 4.6f, 0, false, spread); break;
    case INGLE_TYPE_Q4_1: scale_b(b, 4.6f, 7.5f, true, spread); break;
    case INGLE_TYPE_Q5_0: scale_b(b, 9.2f, 0, false, spread); break;
    case INGLE_TYPE_Q5_1: scale_b(b, 9.2f, 15.5f, true, spread); break;
    case INGLE_TYPE_IQ4_NL: scale_b(b, 72.0f, 0, false, spread); break;
    case INGLE_TYPE_Q8_0: fix_q8_0(b, spread); break;
    case INGLE_TYPE_Q2_K: fix_q2_k(b, spread); break;
    case INGLE_TYPE_Q3_K: fix_q3_k(b, spread); break;
    case INGLE_TYPE_Q4_K: fix_q45_k(b, 7.5f, 4.6f, spread); break;
    case INGLE_TYPE_Q5_K: fix_q45_k(b, 15.5f, 9.2f, spread); break;
    case INGLE_TYPE_Q6_K: fix_q6_k(b, spread); break;
    case INGLE_TYPE_IQ4_XS: fix_iq4_xs(b, spread); break;
    case INGLE_TYPE_MXFP4: fix_mxfp4(b, spread); break;
    default: break; /* floats are made by fix_floats; IQ4_KS and IQ5_KS have their scale in front */
    }
}

/* Floats: random sign and mantissa, four neighbouring exponents; their root mean square is 3.5
 * times the smallest binade. */
static void fix_floats(ingle_type type, uint8_t *data, size_t n_bytes, float spread)
{
    int e = (int)lrintf(log2f(spread / 7));
    if (type == INGLE_TYPE_F32) {
        for (size_t i = 0; i < n_bytes; i += 4) {
            uint32_t v;
            memcpy(&v, data + i, 4);
            v = (v & 0x81ffffffu) + ((uint32_t)(127 + e) << 23);
            memcpy(data + i, &v, 4);
        }
        return;
    }
    bool bf16 = type == INGLE_TYPE_BF16;
    uint16_t mask = bf16 ? 0x81ff : 0x8fff,
             add = (uint16_t)(bf16 ? (127 + e) << 7 : (15 + e) << 10);
    for (size_t i = 0; i < n_bytes; i += 2) {
        uint16_t v;
        memcpy(&v, data + i, 2);
        v = (uint16_t)((v & mask) + add);
        memcpy(data + i, &v, 2);
    }
}

/* n runs of n_blocks blocks each, with what stands in front of a run if it is a row of its own. */
static void make_runs(rng *r, ingle_type type, uint8_t *data, size_t n, size_t n_blocks,
                      float spread)
{
    const ingle_type_info *info = ingle_type_get(type);
    size_t run = info->row_head + n_blocks * info->block_bytes;
    rng_fill(r, data, n * run);
    if (info->block_elems == 1) {
        fix_floats(type, data, n * run, spread);
        return;
    }
    for (size_t i = 0; i < n; i++, data += run) {
        float d = jittered(spread / (72 * 73.3f), data[0]); /* random scales, odd -127..127 */
        if (info->row_head) memcpy(data, &d, sizeof d);
        for (size_t k = 0; k < n_blocks; k++)
            fix_block(type, data + info->row_head + k * info->block_bytes, spread);
    }
}

/* ---- the tensor list ---- */

typedef enum tensor_content { MATRIX, NORM, BIAS, DECAY, ROPE_FACTORS } tensor_content;

typedef struct tensor {
    char name[64];
    ingle_type type;
    uint64_t n_cols, n_rows; /* n_rows 0: a vector; of all experts */
    tensor_content content;
} tensor;

typedef struct maker {
    const shape *shape;
    const recipe *recipe;
    ingle_gguf_writer *w;
    tensor *tensors;
    size_t n_tensors, cap_tensors;
    rng rng;
    uint64_t n_bytes, n_done;
    ingle_error err;
} maker;

static bool add(maker *m, const char *name, tensor_content content, ingle_type type,
                uint64_t n_cols, uint64_t n_rows, uint64_t n_experts)
{
    const uint64_t dims[] = {n_cols, n_rows, n_experts};
    n_rows *= n_experts;
    if (!ingle_grow(&m->tensors, &m->cap_tensors, m->n_tensors + 1, sizeof *m->tensors))
        return false;
    tensor *t = &m->tensors[m->n_tensors++];
    *t = (tensor){.type = type, .n_cols = n_cols, .n_rows = n_rows, .content = content};
    snprintf(t->name, sizeof t->name, "%s", name);
    uint64_t n_bytes = 0;
    ingle_type_bytes(ingle_type_get(type), n_rows ? n_rows : 1, n_cols, &n_bytes);
    m->n_bytes += n_bytes;
    return ingle_gguf_add_tensor(m->w, name, type,
                                 n_experts > 1 ? 3
                                 : n_rows      ? 2
                                               : 1,
                                 dims, &m->err) == INGLE_OK;
}

static bool add_matrix(maker *m, tensor_role role, uint32_t i, const char *name, uint64_t n_cols,
                       uint64_t n_rows)
{
    char full[64];
    if (role > ROLE_HEAD) snprintf(full, sizeof full, "blk.%u.%s.weight", i, name);
    else snprintf(full, sizeof full, "%s.weight", name);
    return add(m, full, MATRIX, choose_type(m->shape, m->recipe, role, i, n_cols), n_cols, n_rows,
               1);
}

static bool add_vector(maker *m, uint32_t i, const char *name, tensor_content content, uint64_t n)
{
    char full[64];
    snprintf(full, sizeof full, "blk.%u.%s", i, name);
    return add(m, full, content, INGLE_TYPE_F32, n, 0, 1);
}

static bool add_expert(maker *m, tensor_role role, uint32_t i, const char *name, uint64_t n_cols,
                       uint64_t n_rows)
{
    char full[64];
    snprintf(full, sizeof full, "blk.%u.%s.weight", i, name);
    return add(m, full, MATRIX, choose_type(m->shape, m->recipe, role, i, n_cols), n_cols, n_rows,
               m->shape->n_expert);
}

static bool add_experts(maker *m, uint32_t i)
{
    const shape *s = m->shape;
    char router[64];
    snprintf(router, sizeof router, "blk.%u.ffn_gate_inp.weight", i);
    return add(m, router, MATRIX, INGLE_TYPE_F32, s->n_embd, s->n_expert, 1) &&
           add_expert(m, ROLE_GATE, i, "ffn_gate_exps", s->n_embd, s->n_ff_expert) &&
           add_expert(m, ROLE_UP, i, "ffn_up_exps", s->n_embd, s->n_ff_expert) &&
           add_expert(m, ROLE_DOWN, i, "ffn_down_exps", s->n_ff_expert, s->n_embd);
}

/* F32 whatever the recipe. */
static bool add_floats(maker *m, uint32_t i, const char *name, tensor_content content,
                       uint64_t n_cols, uint64_t n_rows)
{
    char full[64];
    snprintf(full, sizeof full, "blk.%u.%s", i, name);
    return add(m, full, content, INGLE_TYPE_F32, n_cols, n_rows, 1);
}

static bool attends(const shape *s, uint32_t i)
{
    return s->recur == RECUR_NONE || s->attends >> i & 1;
}

static bool add_short_conv(maker *m, uint32_t i)
{
    uint64_t d = m->shape->n_embd;
    return add_matrix(m, ROLE_Q, i, "shortconv.in_proj", d, 3 * d) &&
           add_floats(m, i, "shortconv.conv.weight", BIAS, m->shape->n_taps, d) &&
           add_matrix(m, ROLE_Q, i, "shortconv.out_proj", d, d);
}

static bool add_mamba2(maker *m, uint32_t i)
{
    const shape *s = m->shape;
    uint64_t d = s->n_embd, conv = s->n_inner + 2 * (uint64_t)s->n_groups * s->n_state;
    return add_matrix(m, ROLE_Q, i, "ssm_in", d, s->n_inner + conv + s->n_ssm_heads) &&
           add_floats(m, i, "ssm_conv1d.weight", BIAS, s->n_taps, conv) &&
           add_vector(m, i, "ssm_conv1d.bias", BIAS, conv) &&
           add_vector(m, i, "ssm_dt.bias", BIAS, s->n_ssm_heads) &&
           add_floats(m, i, "ssm_a", DECAY, 1, s->n_ssm_heads) &&
           add_floats(m, i, "ssm_d", NORM, 1, s->n_ssm_heads) &&
           add_floats(m, i, "ssm_norm.weight", NORM, s->n_inner / s->n_groups, s->n_groups) &&
           add_matrix(m, ROLE_Q, i, "ssm_out", s->n_inner, d);
}

/* What was one tensor with the queries in the compared engine's eyes gets a finer type there. */
static bool add_delta(maker *m, uint32_t i)
{
    const shape *s = m->shape;
    uint64_t d = s->n_embd, conv = s->n_inner + 2 * (uint64_t)s->n_groups * s->n_state;
    char qkv[64];
    ingle_type base = choose_type(s, m->recipe, ROLE_Q, i, d);
    snprintf(qkv, sizeof qkv, "blk.%u.attn_qkv.weight", i);
    return add(m, qkv, MATRIX, base == INGLE_TYPE_Q4_K ? INGLE_TYPE_Q5_K : base, d, conv, 1) &&
           add_matrix(m, ROLE_Q, i, "attn_gate", d, s->n_inner) &&
           add_floats(m, i, "ssm_conv1d.weight", BIAS, s->n_taps, conv) &&
           add_vector(m, i, "ssm_dt.bias", BIAS, s->n_ssm_heads) &&
           add_vector(m, i, "ssm_a", DECAY, s->n_ssm_heads) &&
           add_floats(m, i, "ssm_beta.weight", MATRIX, d, s->n_ssm_heads) &&
           add_floats(m, i, "ssm_alpha.weight", MATRIX, d, s->n_ssm_heads) &&
           add_vector(m, i, "ssm_norm.weight", NORM, s->n_inner / s->n_ssm_heads) &&
           add_matrix(m, ROLE_Q, i, "ssm_out", s->n_inner, d);
}

static bool add_feed_forward(maker *m, uint32_t i)
{
    const shape *s = m->shape;
    uint64_t d = s->n_embd;
    const char *norm = s->recur == RECUR_DELTA ? "post_attention_norm.weight" : "ffn_norm.weight";
    if (!s->n_ff) return true;
    if (!add_vector(m, i, norm, NORM, d)) return false;
    if (s->n_expert) return add_experts(m, i);
    return add_matrix(m, ROLE_GATE, i, "ffn_gate", d, s->n_ff) &&
           add_matrix(m, ROLE_UP, i, "ffn_up", d, s->n_ff) &&
           add_matrix(m, ROLE_DOWN, i, "ffn_down", s->n_ff, d);
}

static bool add_layer(maker *m, uint32_t i)
{
    const shape *s = m->shape;
    uint64_t d = s->n_embd, q = (uint64_t)s->n_head * s->head_dim,
             kv = (uint64_t)s->n_head_kv * s->head_dim;
    bool ok = add_vector(m, i, "attn_norm.weight", NORM, d);
    if (!attends(s, i))
        return ok &&
               (s->recur == RECUR_CONV     ? add_short_conv
                : s->recur == RECUR_MAMBA2 ? add_mamba2
                                           : add_delta)(m, i) &&
               add_feed_forward(m, i);
    ok = ok && add_matrix(m, ROLE_Q, i, "attn_q", d, s->recur == RECUR_DELTA ? 2 * q : q) &&
         add_matrix(m, ROLE_K, i, "attn_k", d, kv) && add_matrix(m, ROLE_V, i, "attn_v", d, kv);
    if (ok && s->qkv_bias)
        ok = add_vector(m, i, "attn_q.bias", BIAS, q) &&
             add_vector(m, i, "attn_k.bias", BIAS, kv) && add_vector(m, i, "attn_v.bias", BIAS, kv);
    if (ok && s->qk_norm)
        ok = add_vector(m, i, "attn_q_norm.weight", NORM, s->head_dim) &&
             add_vector(m, i, "attn_k_norm.weight", NORM, s->head_dim);
    return ok && add_matrix(m, ROLE_O, i, "attn_output", q, d) && add_feed_forward(m, i);
}

static bool add_tensors(maker *m)
{
    const shape *s = m->shape;
    bool ok = add_matrix(m, ROLE_EMBD, 0, "token_embd", s->n_embd, s->n_vocab);
    if (ok && s->rope_factors)
        ok = add(m, "rope_freqs.weight", ROPE_FACTORS, INGLE_TYPE_F32, s->head_dim / 2, 0, 1);
    for (uint32_t i = 0; i < s->n_layer && ok; i++) ok = add_layer(m, i);
    const char *norm = s->recur == RECUR_CONV ? "token_embd_norm.weight" : "output_norm.weight";
    ok = ok && add(m, norm, NORM, INGLE_TYPE_F32, s->n_embd, 0, 1);
    if (ok && !s->tied) ok = add_matrix(m, ROLE_HEAD, 0, "output", s->n_embd, s->n_vocab);
    return ok;
}

/* ---- vocabulary: 256 byte tokens, then merges of earlier tokens, then specials ---- */

typedef struct vocab {
    char *text; /* all tokens and merges, one after the other */
    size_t n_text, cap_text;
    size_t *at, *merge_at; /* n + 1 starts */
    ingle_str *tokens, *merges;
    int32_t *types;
    uint32_t *slots; /* open hash of the tokens, 2^18 slots */
    uint32_t n, n_merges;
} vocab;

#define N_SLOTS (1u << 19)

static bool text_add(vocab *v, const char *s, size_t n)
{
    if (!ingle_grow(&v->text, &v->cap_text, v->n_text + n, 1)) return false;
    memcpy(v->text + v->n_text, s, n);
    v->n_text += n;
    return true;
}

/* Takes the text since the start of token n as the token, unless there is one like it. */
static bool token_commit(vocab *v)
{
    size_t start = v->at[v->n], len = v->n_text - start;
    uint64_t h = len;
    for (size_t i = 0; i < len; i++) h = mix64(h ^ (uint8_t)v->text[start + i]);
    for (uint32_t i = (uint32_t)h & (N_SLOTS - 1);; i = (i + 1) & (N_SLOTS - 1)) {
        uint32_t t = v->slots[i];
        if (!t) {
            v->slots[i] = ++v->n;
            v->at[v->n] = v->n_text;
            return true;
        }
        t--;
        if (v->at[t + 1] - v->at[t] == len &&
            memcmp(v->text + v->at[t], v->text + start, len) == 0) {
            v->n_text = start;
            return false;
        }
    }
}

/* GPT-2's printable alphabet of bytes, in its order. */
static bool add_bytes(vocab *v)
{
    static const uint8_t ranges[][2] = {{33, 126}, {161, 172}, {174, 255},
                                        {0, 32},   {127, 160}, {173, 173}};
    uint32_t extra = 256;
    for (size_t r = 0; r < COUNT(ranges); r++)
        for (uint32_t b = ranges[r][0]; b <= ranges[r][1]; b++) {
            uint32_t c = r < 3 ? b : extra++;
            char utf8[2] = {(char)(c < 128 ? c : 0xc0 | c >> 6), (char)(0x80 | (c & 63))};
            if (!text_add(v, utf8, c < 128 ? 1 : 2) || !token_commit(v)) return false;
        }
    return true;
}

/* Any two short tokens make the next one, so every token is reachable by its merge; ids fall off as
 * in a real vocabulary: the early ones are parts of many. */
static bool add_merge(vocab *v, rng *r, char *merges, size_t *n_merges)
{
    for (;;) {
        uint32_t reach = v->n < 4096 ? v->n : 4096 + (v->n - 4096) / 8;
        uint32_t a = rng_below(r, reach), b = rng_below(r, reach);
        size_t na = v->at[a + 1] - v->at[a], nb = v->at[b + 1] - v->at[b];
        if (na + nb > 12) continue;
        char pair[25];
        memcpy(pair, v->text + v->at[a], na);
        memcpy(pair + na, v->text + v->at[b], nb);
        if (!text_add(v, pair, na + nb)) return false;
        if (!token_commit(v)) continue;
        memmove(pair + na + 1, pair + na, nb);
        pair[na] = ' ';
        memcpy(merges + *n_merges, pair, na + nb + 1);
        *n_merges += na + nb + 1;
        v->merge_at[++v->n_merges] = *n_merges;
        return true;
    }
}

enum { TOKEN_NORMAL = 1, TOKEN_CONTROL = 3, TOKEN_UNUSED = 5 };

static bool add_special(vocab *v, const char *name, int32_t type)
{
    if (!text_add(v, name, strlen(name)) || !token_commit(v)) return false;
    v->types[v->n - 1] = type;
    return true;
}

/* The specials sit where the real vocabularies have them, counted from the end. */
static bool add_specials(vocab *v, const shape *s)
{
    static const char *const llama3[] = {"<|begin_of_text|>",
                                         "<|end_of_text|>",
                                         "<|reserved_special_token_0|>",
                                         "<|reserved_special_token_1|>",
                                         "<|finetune_right_pad_id|>",
                                         "<|reserved_special_token_2|>",
                                         "<|start_header_id|>",
                                         "<|end_header_id|>",
                                         "<|eom_id|>",
                                         "<|eot_id|>",
                                         "<|python_tag|>"};
    static const char *const qwen2[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
    bool llama = s->vocab == VOCAB_LLAMA3;
    size_t n = llama ? COUNT(llama3) : COUNT(qwen2);
    for (size_t i = 0; i < n; i++)
        if (!add_special(v, llama ? llama3[i] : qwen2[i], TOKEN_CONTROL)) return false;
    for (uint32_t i = 3; v->n < s->n_vocab; i++) {
        char name[64];
        snprintf(name, sizeof name, llama ? "<|reserved_special_token_%u|>" : "[PAD%u]",
                 llama ? i : v->n);
        if (!add_special(v, name, llama ? TOKEN_CONTROL : TOKEN_UNUSED)) return false;
    }
    return true;
}

static uint32_t n_specials(const shape *s)
{
    return s->vocab == VOCAB_LLAMA3 ? 256 : 293;
}

static bool build_vocab(vocab *v, const shape *s, rng *r, char **merges)
{
    size_t n = s->n_vocab, n_merge_bytes = 0;
    v->at = ingle_new(n + 1, sizeof *v->at);
    v->merge_at = ingle_new(n + 1, sizeof *v->merge_at);
    v->tokens = ingle_new(n, sizeof *v->tokens);
    v->merges = ingle_new(n, sizeof *v->merges);
    v->types = ingle_new(n, sizeof *v->types);
    v->slots = ingle_new(N_SLOTS, sizeof *v->slots);
    *merges = ingle_new(n, 16);
    if (!v->at || !v->merge_at || !v->tokens || !v->merges || !v->types || !v->slots || !*merges)
        return false;
    if (!add_bytes(v)) return false;
    while (v->n < n - n_specials(s))
        if (!add_merge(v, r, *merges, &n_merge_bytes)) return false;
    for (uint32_t i = 0; i < v->n; i++) v->types[i] = TOKEN_NORMAL;
    if (!add_specials(v, s)) return false;
    for (uint32_t i = 0; i < v->n; i++)
        v->tokens[i] = (ingle_str){v->text + v->at[i], v->at[i + 1] - v->at[i]};
    for (uint32_t i = 0; i < v->n_merges; i++)
        v->merges[i] = (ingle_str){*merges + v->merge_at[i], v->merge_at[i + 1] - v->merge_at[i]};
    return true;
}

static bool put_vocab(maker *m)
{
    const shape *s = m->shape;
    ingle_gguf_writer *w = m->w;
    bool llama = s->vocab == VOCAB_LLAMA3;
    uint32_t first = s->n_vocab - n_specials(s);
    vocab v = {0};
    char *merges = NULL;
    bool ok = build_vocab(&v, s, &m->rng, &merges);
    if (!ok) ingle_fail(&m->err, INGLE_ENOMEM, "no memory for the vocabulary");
    ok = ok && !ingle_gguf_put_str(w, "tokenizer.ggml.model", "gpt2", &m->err) &&
         !ingle_gguf_put_str(w, "tokenizer.ggml.pre", llama ? "llama-bpe" : "qwen2", &m->err) &&
         !ingle_gguf_put_strings(w, "tokenizer.ggml.tokens", v.n, v.tokens, &m->err) &&
         !ingle_gguf_put_array(w, "tokenizer.ggml.token_type", INGLE_GGUF_I32, v.n, v.types,
                               &m->err) &&
         !ingle_gguf_put_strings(w, "tokenizer.ggml.merges", v.n_merges, v.merges, &m->err) &&
         !ingle_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", first, &m->err) &&
         !ingle_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", llama ? first + 9 : first + 2,
                             &m->err) &&
         !ingle_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", llama, &m->err);
    free(v.text);
    free(v.at);
    free(v.merge_at);
    free(v.tokens);
    free(v.merges);
    free(v.types);
    free(v.slots);
    free(merges);
    return ok;
}

/* ---- keys ---- */

static bool put_arch_u32(maker *m, const char *name, uint32_t value)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", m->shape->arch, name);
    return ingle_gguf_put_u32(m->w, key, value, &m->err) == INGLE_OK;
}

static bool put_arch_f32(maker *m, const char *name, float value)
{
    char key[96];
    snprintf(key, sizeof key, "%s.%s", m->shape->arch, name);
    return ingle_gguf_put_f32(m->w, key, value, &m->err) == INGLE_OK;
}

/* Layers without attention have no kv heads. */
static bool put_heads(maker *m)
{
    const shape *s = m->shape;
    int32_t n_kv[64];
    char key[96];
    if (s->recur != RECUR_CONV && s->recur != RECUR_MAMBA2)
        return put_arch_u32(m, "attention.head_count_kv", s->n_head_kv);
    for (uint32_t i = 0; i < s->n_layer; i++) n_kv[i] = attends(s, i) ? (int32_t)s->n_head_kv : 0;
    snprintf(key, sizeof key, "%s.attention.head_count_kv", s->arch);
    return !ingle_gguf_put_array(m->w, key, INGLE_GGUF_I32, s->n_layer, n_kv, &m->err);
}

static bool put_recurrence(maker *m)
{
    static const int32_t sections[4] = {11, 11, 10, 0};
    const shape *s = m->shape;
    char key[96];
    if (s->recur == RECUR_CONV) return put_arch_u32(m, "shortconv.l_cache", s->n_taps);
    bool ok = put_arch_u32(m, "ssm.conv_kernel", s->n_taps) &&
              put_arch_u32(m, "ssm.inner_size", s->n_inner) &&
              put_arch_u32(m, "ssm.state_size", s->n_state) &&
              put_arch_u32(m, "ssm.time_step_rank", s->n_ssm_heads) &&
              put_arch_u32(m, "ssm.group_count", s->n_groups);
    snprintf(key, sizeof key, "%s.rope.dimension_sections", s->arch);
    if (ok && s->recur == RECUR_DELTA)
        ok = put_arch_u32(m, "full_attention_interval", 4) &&
             !ingle_gguf_put_array(m->w, key, INGLE_GGUF_I32, 4, sections, &m->err);
    snprintf(key, sizeof key, "%s.rope.scaling.finetuned", s->arch);
    if (ok && s->recur == RECUR_MAMBA2 && s->attends) /* Granite 4: no RoPE, and its scales */
        ok = put_arch_f32(m, "embedding_scale", 12) && put_arch_f32(m, "residual_scale", 0.22f) &&
             put_arch_f32(m, "logit_scale", 6) && put_arch_f32(m, "attention.scale", 0.0078125f) &&
             !ingle_gguf_put_bool(m->w, key, false, &m->err);
    return ok;
}

static bool put_keys(maker *m)
{
    const shape *s = m->shape;
    bool ok = !ingle_gguf_put_str(m->w, "general.architecture", s->arch, &m->err) &&
              !ingle_gguf_put_str(m->w, "general.type", "model", &m->err) &&
              !ingle_gguf_put_str(m->w, "general.name", s->title, &m->err) &&
              !ingle_gguf_put_str(m->w, "general.description", "random weights, for measuring only",
                                  &m->err) &&
              put_arch_u32(m, "block_count", s->n_layer) &&
              put_arch_u32(m, "context_length", s->n_ctx) &&
              put_arch_u32(m, "embedding_length", s->n_embd) &&
              put_arch_u32(m, "feed_forward_length", s->n_ff) &&
              put_arch_u32(m, "attention.head_count", s->n_head) && put_heads(m) &&
              put_arch_f32(m, "rope.freq_base", s->rope_base) &&
              put_arch_f32(m, "attention.layer_norm_rms_epsilon", s->eps) &&
              put_arch_u32(m, "vocab_size", s->n_vocab);
    if (ok && s->n_head)
        ok = put_arch_u32(m, "attention.key_length", s->head_dim) &&
             put_arch_u32(m, "attention.value_length", s->head_dim) &&
             put_arch_u32(m, "rope.dimension_count", s->n_rot ? s->n_rot : s->head_dim);
    if (ok && s->recur != RECUR_NONE) ok = put_recurrence(m);
    if (ok && s->n_expert)
        ok = put_arch_u32(m, "expert_count", s->n_expert) &&
             put_arch_u32(m, "expert_used_count", s->n_expert_used) &&
             put_arch_u32(m, "expert_feed_forward_length", s->n_ff_expert);
    return ok && !ingle_gguf_put_u32(m->w, "general.file_type", m->recipe->file_type, &m->err) &&
           !ingle_gguf_put_u32(m->w, "general.quantization_version", 2, &m->err) && put_vocab(m);
}

/* ---- data ---- */

/* Llama 3.1's stretch: long waves by the whole factor, short ones not at all, a ramp between. */
static float rope_stretch(const shape *s, uint32_t i)
{
    double wave = 2 * M_PI * pow(s->rope_base, 2.0 * i / s->head_dim), trained = 8192, low = 1,
           high = 4;
    if (wave < trained / high) return 1;
    if (wave > trained / low) return s->rope_factor;
    double t = (trained / wave - low) / (high - low);
    return (float)(1 / ((1 - t) / s->rope_factor + t));
}

static void make_vector(maker *m, const tensor *t, float *dst)
{
    for (uint32_t i = 0; i < t->n_cols * (t->n_rows ? t->n_rows : 1); i++) {
        float u = 2 * rng_unit(&m->rng) - 1;
        dst[i] = t->content == NORM    ? 1 + 0.2f * u
                 : t->content == BIAS  ? 0.2f * u
                 : t->content == DECAY ? -1 + 0.9f * u
                                       : rope_stretch(m->shape, i);
    }
}

static void show_progress(const maker *m)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%5.1f %% of %.2f GB", 100.0 * (double)m->n_done / (double)m->n_bytes,
                (double)m->n_bytes * 1e-9);
}

#define CHUNK ((size_t)4 << 20)

static bool write_tensor(maker *m, const tensor *t, uint8_t *buffer)
{
    const ingle_type_info *info = ingle_type_get(t->type);
    size_t row = (size_t)(t->n_cols / info->block_elems), n_rows = t->n_rows ? t->n_rows : 1;
    size_t n_blocks = info->row_head ? row : 1, left = row * n_rows / n_blocks;
    size_t run = info->row_head + n_blocks * info->block_bytes;
    float spread = fmaxf(1 / sqrtf((float)t->n_cols), 0.02f);
    while (left) {
        size_t n = CHUNK / run < left ? CHUNK / run : left;
        if (t->content == MATRIX) make_runs(&m->rng, t->type, buffer, n, n_blocks, spread);
        else make_vector(m, t, (float *)(void *)buffer);
        if (ingle_gguf_write(m->w, buffer, n * run, &m->err)) return false;
        m->n_done += n * run;
        left -= n;
        show_progress(m);
    }
    return true;
}

static bool write_data(maker *m)
{
    uint8_t *buffer = malloc(CHUNK + 64);
    bool ok = buffer != NULL;
    if (!ok) ingle_fail(&m->err, INGLE_ENOMEM, "no memory for a buffer");
    for (size_t i = 0; i < m->n_tensors && ok; i++) ok = write_tensor(m, &m->tensors[i], buffer);
    if (isatty(STDERR_FILENO)) fputc('\n', stderr);
    free(buffer);
    return ok;
}

/* ---- command line ---- */

static int usage(void)
{
    fputs("usage: make-model --shape SHAPE --recipe RECIPE --out FILE [--seed N]\nshapes: ",
          stderr);
    for (size_t i = 0; i < COUNT(SHAPES); i++) fprintf(stderr, " %s", SHAPES[i].name);
    fputs("\nrecipes:", stderr);
    for (size_t i = 0; i < COUNT(RECIPES); i++) fprintf(stderr, " %s", RECIPES[i].name);
    fputs("\n", stderr);
    return 2;
}

static const shape *find_shape(const char *name)
{
    for (size_t i = 0; i < COUNT(SHAPES); i++)
        if (!strcmp(SHAPES[i].name, name)) return &SHAPES[i];
    return NULL;
}

static const recipe *find_recipe(const char *name)
{
    for (size_t i = 0; i < COUNT(RECIPES); i++)
        if (!strcmp(RECIPES[i].name, name)) return &RECIPES[i];
    return NULL;
}

int main(int argc, char **argv)
{
    maker m = {0};
    const char *out = NULL;
    uint64_t seed = 1;
    for (int i = 1; i < argc; i += 2) {
        const char *flag = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!value) return usage();
        if (!strcmp(flag, "--shape")) m.shape = find_shape(value);
        else if (!strcmp(flag, "--recipe")) m.recipe = find_recipe(value);
        else if (!strcmp(flag, "--out")) out = value;
        else if (!strcmp(flag, "--seed")) seed = strtoull(value, NULL, 10);
        else return usage();
    }
    if (!m.shape || !m.recipe || !out) return usage();
    rng_seed(&m.rng, seed);
    bool ok = !ingle_gguf_writer_open(&m.w, out, &m.err) && put_keys(&m) && add_tensors(&m) &&
              write_data(&m) && !ingle_gguf_writer_finish(&m.w, &m.err);
    if (!ok) fprintf(stderr, "make-model: %s\n", m.err.text);
    ingle_gguf_writer_close(&m.w);
    free(m.tensors);
    return ok ? 0 : 1;
}
