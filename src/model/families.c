#include "model/families.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const ingle_family families[] = {
    {.name = "llama", .rope = INGLE_ROPE_PAIRS},
    {.name = "qwen2", .rope = INGLE_ROPE_HALVES},
    {.name = "qwen3", .rope = INGLE_ROPE_HALVES, .qk_norm = INGLE_QK_HEAD},
};

const ingle_family *ingle_family_find(ingle_str architecture)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const char *name = families[i].name;
        if (strlen(name) == architecture.len && !memcmp(name, architecture.ptr, architecture.len))
            return &families[i];
    }
    return NULL;
}

const char *ingle_family_list(void)
{
    return "llama, qwen2, qwen3";
}

/* Keys that change the arithmetic in ways no family above has: refused rather than ignored.
 * `neutral` is the value at which the key says nothing. */
static const struct {
    const char *key;
    double neutral;
} foreign_keys[] = {
    {"expert_count", 0},
    {"attention.clamp_kqv", 0},
    {"attention.max_alibi_bias", 0},
    {"attn_logit_softcapping", 0},
    {"final_logit_softcapping", 0},
    {"logit_scale", 0},
    {"embedding_scale", 0},
    {"residual_scale", 0},
    {"use_parallel_residual", 0},
    {"attention.temperature_scale", 0},
    {"attention.relative_buckets_count", 0},
};

/* A reader with the family's prefix: "llama" + "." + key. */
typedef struct reader {
    const ingle_gguf *g;
    const char *prefix;
    ingle_error *err;
    char key[128];
} reader;

static const char *full_key(reader *r, const char *key)
{
    snprintf(r->key, sizeof r->key, "%s.%s", r->prefix, key);
    return r->key;
}

static ingle_status read_u32(reader *r, const char *key, bool required, uint32_t min, uint32_t max,
                             uint32_t *out)
{
    ingle_status st = ingle_gguf_get_u32(r->g, full_key(r, key), required, out, r->err);
    if (st) return st;
    if (*out < min || *out > max)
        return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' is %u, should be %u to %u", r->key, *out,
                          min, max);
    return INGLE_OK;
}

static ingle_status read_f64(reader *r, const char *key, bool required, double min, double max,
                             double *out)
{
    float value = (float)*out;
    ingle_status st = ingle_gguf_get_f32(r->g, full_key(r, key), required, &value, r->err);
    if (st) return st;
    if (!(value >= min && value <= max))
        return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' is %g, should be %g to %g", r->key,
                          (double)value, min, max);
    *out = (double)value;
    return INGLE_OK;
}

/* head_count may be an array with one entry per layer; here all must agree. */
static ingle_status read_uniform(reader *r, const char *key, bool required, uint32_t n_layer,
                                 uint32_t max, uint32_t *out)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(r->g, full_key(r, key));
    if (!kv || kv->type != INGLE_GGUF_ARRAY) return read_u32(r, key, required, 1, max, out);
    int64_t first = 0, value;
    if (kv->n < n_layer)
        return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' has %zu entries, should have %u", r->key,
                          kv->n, n_layer);
    for (size_t i = 0; i < n_layer; i++) {
        if (!ingle_gguf_item_i64(kv, i, &value) || value < 1 || value > max)
            return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' entry %zu should be 1 to %u", r->key,
                              i, max);
        if (i == 0) first = value;
        if (value != first)
            return ingle_fail(r->err, INGLE_EUNSUPPORTED,
                              "key '%s' differs between layers, which this family cannot do yet",
                              r->key);
    }
    *out = (uint32_t)first;
    return INGLE_OK;
}

/* Without a key of its own a head has its share of the embedding. */
static ingle_status read_head_dim(reader *r, const char *key, const ingle_hparams *hp,
                                  uint32_t *out)
{
    if (!ingle_gguf_find(r->g, full_key(r, key)) && hp->n_embd % hp->n_head)
        return ingle_fail(r->err, INGLE_EFORMAT,
                          "key '%s.attention.head_count' is %u, should divide embedding_length %u",
                          r->prefix, hp->n_head, hp->n_embd);
    *out = hp->n_embd / hp->n_head;
    return read_u32(r, key, false, 1, 4096, out);
}

static ingle_status refuse_foreign(reader *r)
{
    for (size_t i = 0; i < sizeof foreign_keys / sizeof foreign_keys[0]; i++) {
        const ingle_gguf_kv *kv = ingle_gguf_find(r->g, full_key(r, foreign_keys[i].key));
        double value;
        if (kv && (!ingle_gguf_item_f64(kv, 0, &value) || value != foreign_keys[i].neutral))
            return ingle_fail(r->err, INGLE_EUNSUPPORTED,
                              "key '%s': family '%s' is not supported with it yet", r->key,
                              r->prefix);
    }
    return INGLE_OK;
}

static bool str_is(ingle_str s, const char *text)
{
    return s.len == strlen(text) && !memcmp(s.ptr, text, s.len);
}

static ingle_status read_scaling(reader *r, ingle_hparams *hp)
{
    ingle_rope *rope = &hp->rope;
    ingle_str type = {"none", 4};
    ingle_status st =
        ingle_gguf_get_str(r->g, full_key(r, "rope.scaling.type"), false, &type, r->err);
    if (st) return st;
    if (str_is(type, "linear")) rope->scaling = INGLE_SCALING_LINEAR;
    else if (str_is(type, "yarn")) rope->scaling = INGLE_SCALING_YARN;
    else if (!str_is(type, "none") && type.len)
        return ingle_fail(r->err, INGLE_EUNSUPPORTED,
                          "key '%s': rope scaling '%.*s' is not supported (none, linear, yarn are)",
                          r->key, (int)(type.len < 40 ? type.len : 40), type.ptr);
    rope->factor = 1;
    rope->n_ctx_orig = hp->n_ctx;
    rope->attn_factor = 1;
    rope->beta_fast = 32;
    rope->beta_slow = 1;
    if (rope->scaling == INGLE_SCALING_NONE) return INGLE_OK;
    uint32_t n_ctx_orig = hp->n_ctx;
    if ((st = read_f64(r, "rope.scaling.factor", false, 1, 1e6, &rope->factor))) return st;
    if ((st = read_f64(r, "rope.scaling.attn_factor", false, 1e-3, 1e3, &rope->attn_factor)))
        return st;
    if ((st = read_u32(r, "rope.scaling.original_context_length", false, 1, 1u << 30, &n_ctx_orig)))
        return st;
    rope->n_ctx_orig = n_ctx_orig;
    return INGLE_OK;
}

ingle_status ingle_hparams_read(ingle_hparams *hp, const ingle_family *family, const ingle_gguf *g,
                                ingle_error *err)
{
    reader r = {.g = g, .prefix = family->name, .err = err};
    memset(hp, 0, sizeof *hp);
    ingle_status st;
    double eps = 0, base = 10000;
    if ((st = refuse_foreign(&r))) return st;
    if ((st = read_u32(&r, "block_count", true, 1, 4096, &hp->n_layer))) return st;
    if ((st = read_u32(&r, "embedding_length", true, 1, 1u << 20, &hp->n_embd))) return st;
    if ((st = read_u32(&r, "context_length", true, 1, 1u << 30, &hp->n_ctx))) return st;
    if ((st = read_uniform(&r, "feed_forward_length", true, hp->n_layer, 1u << 22, &hp->n_ff)))
        return st;
    if ((st = read_uniform(&r, "attention.head_count", true, hp->n_layer, 65536, &hp->n_head)))
        return st;
    hp->n_head_kv = hp->n_head;
    if ((st = read_uniform(&r, "attention.head_count_kv", false, hp->n_layer, 65536,
                           &hp->n_head_kv)))
        return st;
    if (hp->n_head % hp->n_head_kv)
        return ingle_fail(err, INGLE_EFORMAT,
                          "key '%s.attention.head_count_kv' is %u, should divide head_count %u",
                          r.prefix, hp->n_head_kv, hp->n_head);
    if ((st = read_head_dim(&r, "attention.key_length", hp, &hp->head_dim_k))) return st;
    if ((st = read_head_dim(&r, "attention.value_length", hp, &hp->head_dim_v))) return st;
    if ((st = read_f64(&r, "attention.layer_norm_rms_epsilon", true, 0, 1, &eps))) return st;
    hp->eps = (float)eps;
    if ((st = read_u32(&r, "attention.sliding_window", false, 0, 1u << 30, &hp->window))) return st;
    hp->rope.n_rot = hp->head_dim_k;
    if ((st = read_u32(&r, "rope.dimension_count", false, 2, hp->head_dim_k, &hp->rope.n_rot)))
        return st;
    if (hp->rope.n_rot % 2)
        return ingle_fail(err, INGLE_EFORMAT, "key '%s.rope.dimension_count' is %u, should be even",
                          r.prefix, hp->rope.n_rot);
    if ((st = read_f64(&r, "rope.freq_base", false, 1, 1e12, &base))) return st;
    hp->rope.base = base;
    double scale = 1.0 / sqrt((double)hp->head_dim_k);
    if ((st = read_f64(&r, "attention.scale", false, 1e-9, 1e9, &scale))) return st;
    hp->attn_scale = (float)scale;
    return read_scaling(&r, hp);
}

static double yarn_dimension(const ingle_rope *rope, double n_turns)
{
    const double two_pi = 6.283185307179586;
    return rope->n_rot * log(rope->n_ctx_orig / (n_turns * two_pi)) / (2 * log(rope->base));
}

double ingle_rope_frequency(const ingle_rope *rope, uint32_t i, double freq_factor)
{
    double own = pow(rope->base, -2.0 * i / rope->n_rot) / freq_factor;
    if (rope->scaling == INGLE_SCALING_NONE) return own;
    double stretched = own / rope->factor;
    if (rope->scaling == INGLE_SCALING_LINEAR) return stretched;
    double low = floor(yarn_dimension(rope, rope->beta_fast));
    double high = ceil(yarn_dimension(rope, rope->beta_slow));
    if (low < 0) low = 0;
    if (high > rope->n_rot - 1) high = rope->n_rot - 1;
    double ramp = (i - low) / fmax(0.001, high - low);
    ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
    return own * (1 - ramp) + stretched * ramp;
}

double ingle_rope_magnitude(const ingle_rope *rope)
{
    if (rope->scaling != INGLE_SCALING_YARN) return rope->attn_factor;
    return rope->attn_factor * (1 + 0.1 * log(rope->factor));
}
