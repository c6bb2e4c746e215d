/* hparams.c - reads the hyper-parameters of a file as its family understands them (families.h). */
#include "model/families.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/keys.h"

/* A reader with the family's prefix: "llama" + "." + key. */
typedef struct reader {
    const ingle_gguf *g;
    const char *prefix;
    ingle_error *err;
    char key[128];
    uint8_t *asked; /* [n_kv] keys that were looked for */
} reader;

static const char *full_key(reader *r, const char *key)
{
    snprintf(r->key, sizeof r->key, "%s.%s", r->prefix, key);
    const ingle_gguf_kv *kv = ingle_gguf_find(r->g, r->key);
    if (kv) r->asked[kv - r->g->kv] = 1;
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

/* A list with an entry for every layer; those that draft further tokens may be counted too. */
static ingle_status check_list(reader *r, const ingle_gguf_kv *kv, const ingle_hparams *hp)
{
    if (kv->n == hp->n_layer || kv->n == hp->n_layer + hp->n_next) return INGLE_OK;
    return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' has %zu entries, should have %u", r->key,
                      kv->n, hp->n_layer);
}

typedef uint32_t *layer_field(ingle_layer *layer);

static uint32_t *field_n_head(ingle_layer *layer)
{
    return &layer->n_head;
}

static uint32_t *field_n_head_kv(ingle_layer *layer)
{
    return &layer->n_head_kv;
}

static uint32_t *field_n_ff(ingle_layer *layer)
{
    return &layer->n_ff;
}

/* One number for all layers, or an array with one per layer. *out: the most of any; the default
 * where nothing is required. */
static ingle_status read_layers(reader *r, const char *key, bool required, uint32_t min,
                                uint32_t max, const ingle_hparams *hp, layer_field *field,
                                uint32_t *out)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(r->g, full_key(r, key));
    int64_t value;
    if (!kv || kv->type != INGLE_GGUF_ARRAY) {
        ingle_status st = read_u32(r, key, required, min, max, out);
        for (uint32_t l = 0; !st && l < hp->n_layer; l++) *field(&hp->layer[l]) = *out;
        return st;
    }
    ingle_status st = check_list(r, kv, hp);
    if (st) return st;
    *out = 0;
    for (uint32_t l = 0; l < hp->n_layer; l++) {
        if (!ingle_gguf_item_i64(kv, l, &value) || value < min || value > max)
            return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' entry %u should be %u to %u", r->key,
                              l, min, max);
        *field(&hp->layer[l]) = (uint32_t)value;
        if (value > *out) *out = (uint32_t)value;
    }
    return INGLE_OK;
}

/* Layers that draft further tokens stand behind the others and are counted with them. */
static ingle_status read_layer_count(reader *r, ingle_hparams *hp)
{
    bool here = false, drafts = false;
    char layer[32];
    ingle_status st = read_u32(r, "block_count", true, 1, 4096, &hp->n_layer);
    if (st) return st;
    st = read_u32(r, "nextn_predict_layers", false, 0, hp->n_layer - 1, &hp->n_next);
    if (st || !hp->n_next) return st;
    hp->n_layer -= hp->n_next;
    size_t n = (size_t)snprintf(layer, sizeof layer, "blk.%u.", hp->n_layer);
    for (size_t i = 0; i < r->g->n_tensors; i++) {
        const char *name = r->g->tensors[i].name;
        if (strncmp(name, layer, n) != 0) continue;
        here = true;
        if (!strncmp(name + n, "nextn.", 6)) drafts = true;
    }
    if (here && !drafts) /* never leave out a layer that the model is made of */
        return ingle_fail(r->err, INGLE_EFORMAT,
                          "key '%s' is %u, but layer %u has no tensor blk.%u.nextn.*", r->key,
                          hp->n_next, hp->n_layer, hp->n_layer);
    return INGLE_OK;
}

/* Heads and widths of every layer, and the most of each. */
static ingle_status read_counts(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    uint32_t min = f->bare_layers ? 0 : 1;
    bool experts = f->keys & INGLE_KEY_EXPERTS &&
                   ingle_gguf_find(r->g, full_key(r, "expert_feed_forward_length"));
    bool own_kv = ingle_gguf_find(r->g, full_key(r, "attention.head_count_kv")) != NULL;
    ingle_status st;
    if (!(hp->layer = ingle_new(hp->n_layer, sizeof *hp->layer)))
        return ingle_fail(r->err, INGLE_ENOMEM, "no memory for %u layers", hp->n_layer);
    if ((st = read_layers(r, "feed_forward_length", !experts, min, 1u << 22, hp, field_n_ff,
                          &hp->n_ff)))
        return st;
    if ((st = read_layers(r, "attention.head_count", true, min, 65536, hp, field_n_head,
                          &hp->n_head)))
        return st;
    hp->n_head_kv = hp->n_head;
    if (own_kv && (st = read_layers(r, "attention.head_count_kv", false, min, 65536, hp,
                                    field_n_head_kv, &hp->n_head_kv)))
        return st;
    for (uint32_t l = 0; l < hp->n_layer; l++) {
        ingle_layer *layer = &hp->layer[l];
        if (!own_kv) layer->n_head_kv = layer->n_head;
        if (!layer->n_head || !layer->n_head_kv) layer->n_head = layer->n_head_kv = 0;
        else if (layer->n_head % layer->n_head_kv)
            return ingle_fail(r->err, INGLE_EFORMAT,
                              "key '%s.attention.head_count_kv' is %u, should divide head_count %u",
                              r->prefix, layer->n_head_kv, layer->n_head);
    }
    return INGLE_OK;
}

/* Without a key of its own a head has its share of the embedding. */
static ingle_status read_head_dim(reader *r, const char *key, const ingle_hparams *hp,
                                  uint32_t *out)
{
    if (!hp->n_head) return INGLE_OK; /* no attention anywhere */
    if (!ingle_gguf_find(r->g, full_key(r, key)) && hp->n_embd % hp->n_head)
        return ingle_fail(r->err, INGLE_EFORMAT,
                          "key '%s.attention.head_count' is %u, should divide embedding_length %u",
                          r->prefix, hp->n_head, hp->n_embd);
    *out = hp->n_embd / hp->n_head;
    return read_u32(r, key, false, 1, 4096, out);
}

static ingle_status read_bool(reader *r, const char *key, bool *out)
{
    return ingle_gguf_get_bool(r->g, full_key(r, key), false, out, r->err);
}

/* The activation of the feed-forward, where a file may name it. */
static ingle_status read_act(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    static const struct {
        const char *name;
        ingle_act_fn act;
    } acts[] = {{"silu", INGLE_ACT_SILU}, {"relu2", INGLE_ACT_RELU2}};
    ingle_str name = {"", 0};
    hp->act = f->act;
    if (!(f->keys & INGLE_KEY_ACT)) return INGLE_OK;
    const char *key = full_key(r, "hidden_activation");
    if (!ingle_gguf_find(r->g, key)) return INGLE_OK;
    ingle_status st = ingle_gguf_get_str(r->g, key, true, &name, r->err);
    for (size_t i = 0; !st && i < sizeof acts / sizeof *acts; i++)
        if (ingle_str_is(name, acts[i].name)) {
            hp->act = acts[i].act;
            return INGLE_OK;
        }
    return st ? st
              : ingle_fail(r->err, INGLE_EUNSUPPORTED,
                           "key '%s': activation '%.*s' is not supported (silu, relu2 are)", key,
                           (int)(name.len < 40 ? name.len : 40), name.ptr);
}

/* Llama 4's windows are chunks, and layers without them scale scores by position and are not
 * rotated. Converters leave out what the published models share: the defaults are theirs
 * (Llama4TextConfig). */
static ingle_status read_chunks(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    uint32_t chunk = 8192, span = 8192;
    double temperature = 0.1;
    ingle_status st;
    if (!(f->keys & INGLE_KEY_CHUNKS)) return INGLE_OK;
    if (ingle_gguf_find(r->g, full_key(r, "attention.sliding_window")))
        return ingle_fail(r->err, INGLE_EUNSUPPORTED,
                          "key '%s': how layers see without chunks is not known", r->key);
    if ((st = read_u32(r, "attention.chunk_size", false, 1, 1u << 30, &chunk))) return st;
    if ((st = read_u32(r, "attention.temperature_length", false, 1, 1u << 30, &span))) return st;
    if ((st = read_f64(r, "attention.temperature_scale", false, 0, 1e3, &temperature))) return st;
    hp->bare_qk_norm = hp->moe.n_expert != 128; /* the model with 128 experts has no such norm */
    if ((st = read_bool(r, "use_qk_norm", &hp->bare_qk_norm))) return st;
    hp->chunked = true;
    hp->window = chunk;
    hp->temper_span = span;
    hp->temperature = (float)temperature;
    return INGLE_OK;
}

/* Which way a token looks, and what becomes of the last layer's rows. */
static ingle_status read_embedding(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    static const ingle_pooling kinds[] = {INGLE_POOLING_NONE, INGLE_POOLING_MEAN, INGLE_POOLING_CLS,
                                          INGLE_POOLING_LAST, INGLE_POOLING_RANK};
    uint32_t kind = 0;
    hp->causal = !f->encoder;
    ingle_status st = read_bool(r, "attention.causal", &hp->causal);
    if (!st && !hp->causal && f->keys & INGLE_KEY_CHUNKS)
        return ingle_fail(r->err, INGLE_EUNSUPPORTED,
                          "key '%s' is false: layers of family '%s' see chunks of positions, each "
                          "up to the token and no further",
                          r->key, f->name);
    if (st || !ingle_gguf_find(r->g, full_key(r, "pooling_type"))) return st;
    if ((st = read_u32(r, "pooling_type", false, 0, 4, &kind))) return st;
    hp->pooling = kinds[kind];
    return INGLE_OK;
}

/* Scales, caps and what else a family reads that others do not have. */
static ingle_status read_special(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    double embed = f->embed_root ? sqrt((double)hp->n_embd) : 1, residual = 1, logit = 1,
           scores = f->softcap_scores, logits = f->softcap_logits, temperature = 0;
    ingle_status st = INGLE_OK;
    if (f->minicpm_scales) {
        embed = 12;
        residual = 1.4 / sqrt((double)hp->n_layer);
        logit = hp->n_embd / 256.0;
    }
    if (f->keys & INGLE_KEY_SCALES) {
        if ((st = read_f64(r, "embedding_scale", false, 0, 1e9, &embed))) return st;
        if ((st = read_f64(r, "residual_scale", false, 0, 1e9, &residual))) return st;
        if (embed == 0) embed = 1; /* as if the key were not there */
        if (residual == 0) residual = 1;
    }
    if (f->keys & (INGLE_KEY_SCALES | INGLE_KEY_LOGIT_SCALE)) {
        if ((st = read_f64(r, "logit_scale", false, 0, 1e9, &logit))) return st;
        if (logit == 0) logit = 1;
    }
    if (f->keys & INGLE_KEY_SOFTCAPS) {
        if ((st = read_f64(r, "attn_logit_softcapping", false, 0, 1e6, &scores))) return st;
        if ((st = read_f64(r, "final_logit_softcapping", false, 0, 1e6, &logits))) return st;
    }
    if (f->keys & INGLE_KEY_TEMPERATURE)
        if ((st = read_f64(r, "attention.temperature_scale", false, 0, 1e3, &temperature)))
            return st;
    hp->embed_scale = (float)embed;
    hp->residual_scale = (float)residual;
    hp->logit_scale = (float)(f->keys & INGLE_KEY_SCALES ? 1 / logit : logit);
    hp->softcap_scores = (float)scores;
    hp->softcap_logits = (float)logits;
    hp->temperature = (float)temperature;
    hp->parallel = f->residual == INGLE_RESIDUAL_PARALLEL;
    if (f->residual == INGLE_RESIDUAL_KEY)
        if ((st = read_bool(r, "use_parallel_residual", &hp->parallel))) return st;
    hp->turns = f->rope_where != INGLE_ROPE_NOWHERE;
    double alibi = f->alibi_bias;
    if (f->keys & INGLE_KEY_ALIBI)
        if ((st = read_f64(r, "attention.max_alibi_bias", false, 0, 1e3, &alibi))) return st;
    hp->alibi_bias = (float)alibi;
    if ((st = read_embedding(r, f, hp))) return st;
    if (f->rope_where == INGLE_ROPE_IF_FINETUNED)
        st = read_bool(r, "rope.scaling.finetuned", &hp->turns);
    return st;
}

/* What else may happen to q, k and scores. */
static ingle_status read_attention(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    bool alibi = !f->alibi_layers || f->alibi_layers == hp->n_layer;
    double clamp = 0, bias = alibi ? f->alibi_bias : 0;
    ingle_status st = INGLE_OK;
    if (f->keys & INGLE_KEY_CLAMP)
        if ((st = read_f64(r, "attention.clamp_kqv", false, 0, 1e9, &clamp))) return st;
    if (f->keys & INGLE_KEY_ALIBI)
        if ((st = read_f64(r, "attention.max_alibi_bias", false, 0, 1e3, &bias))) return st;
    if (f->rope_where == INGLE_ROPE_NOWHERE || (f->alibi_layers && alibi)) hp->turns = false;
    hp->clamp_qkv = (float)clamp;
    hp->alibi_bias = (float)bias;
    const ingle_gguf_kv *kv = ingle_gguf_find(r->g, full_key(r, "rope.dimension_sections"));
    int64_t n_other = 0;
    /* time, height and width are all the position of a text's token; a fourth would be 0 */
    if (kv && kv->type == INGLE_GGUF_ARRAY && kv->n > 3) ingle_gguf_item_i64(kv, 3, &n_other);
    if (n_other)
        return ingle_fail(r->err, INGLE_EUNSUPPORTED,
                          "key '%s': a fourth section is not supported yet", r->key);
    return INGLE_OK;
}

/* Ranks of the latents and heads as they are outside of them. What key_length says then is how wide
 * the rows are that are stored. */
static ingle_status read_latent(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    ingle_latent *m = &hp->latent;
    ingle_status st;
    if (!f->latent) return INGLE_OK;
    m->head_dim_k = hp->head_dim_k;
    m->head_dim_v = hp->head_dim_v;
    if ((st = read_u32(r, "attention.q_lora_rank", false, 0, 1u << 20, &m->n_rank_q))) return st;
    if ((st = read_u32(r, "attention.kv_lora_rank", true, 1, 4096, &m->n_rank_kv))) return st;
    if ((st = read_u32(r, "attention.key_length_mla", false, 1, 4096, &m->head_dim_k))) return st;
    if ((st = read_u32(r, "attention.value_length_mla", false, 1, 4096, &m->head_dim_v))) return st;
    if (hp->rope.n_rot >= m->head_dim_k)
        return ingle_fail(
            r->err, INGLE_EFORMAT,
            "key '%s.rope.dimension_count' is %u, should be below %u, the length of a "
            "head",
            r->prefix, hp->rope.n_rot, m->head_dim_k);
    hp->head_dim_k = m->head_dim_k;
    hp->head_dim_v = m->head_dim_v;
    return INGLE_OK;
}

/* DeepSeek: what yarn adds to the magnitude goes into the scores, squared, and out of cosine and
 * sine (get_mscale of the published code, with mscale and mscale_all_dim the same). */
static void move_magnitude(ingle_hparams *hp)
{
    ingle_rope *rope = &hp->rope;
    if (rope->scaling != INGLE_SCALING_YARN) return;
    rope->log_multiplier *= 10;
    if (rope->log_multiplier == 0) return;
    double grown = 0.1 * log(rope->factor), scores = 1 + rope->log_multiplier * grown;
    rope->attn_factor *= scores / (1 + grown);
    hp->attn_scale = (float)(scores * scores / sqrt((double)hp->head_dim_k));
}

/* Numbers of a list, one for each layer; what is not above 0 lets everything pass. */
static ingle_status read_sparsity(reader *r, ingle_hparams *hp)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(r->g, full_key(r, "activation_sparsity_scale"));
    double value;
    ingle_status st = kv ? check_list(r, kv, hp) : INGLE_OK;
    if (st || !kv) return st;
    for (uint32_t l = 0; l < hp->n_layer; l++) {
        if (!ingle_gguf_item_f64(kv, l, &value) || !(value <= 100))
            return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' entry %u should be at most 100",
                              r->key, l);
        hp->layer[l].sparsity = value > 0 ? (float)value : 0;
    }
    return INGLE_OK;
}

static ingle_status read_altup(reader *r, ingle_hparams *hp)
{
    uint32_t active = 0;
    ingle_status st = read_u32(r, "altup.num_inputs", true, 2, INGLE_MAX_STREAMS, &hp->n_altup);
    if (st) return st;
    if ((st = read_u32(r, "altup.active_idx", false, 0, 0, &active))) return st;
    const ingle_gguf_tensor *t = ingle_gguf_find_tensor(r->g, "blk.0.laurel_l.weight");
    if (t && t->dims[1] > 65536)
        return ingle_fail(r->err, INGLE_EFORMAT,
                          "tensor '%s' has %llu rows, should have at most 65536", t->name,
                          (unsigned long long)t->dims[1]);
    hp->n_laurel = t ? (uint32_t)t->dims[1] : 0;
    return read_sparsity(r, hp);
}

/* What layers share, and what goes in beside the residual stream. */
static ingle_status read_streams(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    uint32_t n_shared = 0;
    ingle_status st = INGLE_OK;
    hp->n_own_kv = hp->n_layer;
    if (f->shared_kv)
        st = read_u32(r, "attention.shared_kv_layers", false, 0, hp->n_layer - 1, &n_shared);
    hp->n_own_kv -= n_shared;
    if (!st && f->layer_inputs)
        st = read_u32(r, "embedding_length_per_layer_input", false, 0, (1u << 22) / hp->n_layer,
                      &hp->n_embd_layer);
    return st || !f->altup ? st : read_altup(r, hp);
}

/* The factor, by its own key or the older one; 0 stands for none. */
static ingle_status read_factor(reader *r, double *factor)
{
    const char *key = "rope.scaling.factor";
    if (!ingle_gguf_find(r->g, full_key(r, key))) key = "rope.scale_linear";
    ingle_status st = read_f64(r, key, false, 0, 1e6, factor);
    if (!st && *factor == 0) *factor = 1;
    if (st || *factor >= 1) return st;
    return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' is %g, should be 0 or 1 to 1e+06", r->key,
                      *factor);
}

static ingle_status read_scaling_type(reader *r, ingle_rope *rope)
{
    static const struct {
        const char *name;
        ingle_rope_scaling scaling;
    } types[] = {{"none", INGLE_SCALING_NONE},
                 {"", INGLE_SCALING_NONE},
                 {"linear", INGLE_SCALING_LINEAR},
                 {"yarn", INGLE_SCALING_YARN},
                 {"longrope", INGLE_SCALING_LONG}};
    ingle_str type = {"linear", 6}; /* a factor without a type, as older files have it */
    ingle_status st =
        ingle_gguf_get_str(r->g, full_key(r, "rope.scaling.type"), false, &type, r->err);
    if (st) return st;
    size_t i = 0;
    while (i < sizeof types / sizeof *types && !ingle_str_is(type, types[i].name)) i++;
    if (i == sizeof types / sizeof *types)
        return ingle_fail(
            r->err, INGLE_EUNSUPPORTED,
            "key '%s': rope scaling '%.*s' is not supported (none, linear, yarn, longrope are)",
            r->key, (int)(type.len < 40 ? type.len : 40), type.ptr);
    rope->scaling = types[i].scaling;
    return INGLE_OK;
}

/* What YaRN multiplies cosine and sine by follows from the factor; the key may say no other
 * number. */
static ingle_status check_yarn_factor(reader *r, double factor)
{
    double given = 1, own = 1 + 0.1 * log(factor);
    ingle_status st = read_f64(r, "rope.scaling.yarn_attn_factor", false, 0, 1e3, &given);
    if (st || given == 1 || fabs(given - own) < 1e-4 * own) return st;
    return ingle_fail(r->err, INGLE_EUNSUPPORTED, "key '%s' is %g, supported are 1 and %g", r->key,
                      given, own);
}

static ingle_status read_scaling(reader *r, unsigned keys, ingle_hparams *hp)
{
    ingle_rope *rope = &hp->rope;
    uint32_t n_ctx_orig = hp->n_ctx;
    rope->factor = 1;
    rope->n_ctx_orig = hp->n_ctx;
    rope->attn_factor = 1;
    rope->beta_fast = 32;
    rope->beta_slow = 1;
    ingle_status st = read_scaling_type(r, rope);
    if (!st && rope->scaling != INGLE_SCALING_NONE) st = read_factor(r, &rope->factor);
    if (st) return st;
    if (rope->scaling == INGLE_SCALING_LINEAR && rope->factor == 1)
        rope->scaling = INGLE_SCALING_NONE;
    /* Converters of MiniCPM3 write the lists and no type. */
    if (!rope->scaling && ingle_gguf_find_tensor(r->g, "rope_factors_long.weight"))
        rope->scaling = INGLE_SCALING_LONG;
    if ((st = read_f64(r, "rope.scaling.attn_factor", false, 1e-3, 1e3, &rope->attn_factor)))
        return st;
    if (rope->scaling == INGLE_SCALING_NONE) return INGLE_OK;
    if ((st = read_u32(r, "rope.scaling.original_context_length", false, 1, 1u << 30, &n_ctx_orig)))
        return st;
    rope->n_ctx_orig = n_ctx_orig;
    if (rope->scaling != INGLE_SCALING_YARN) return INGLE_OK;
    if ((st = read_f64(r, "rope.scaling.yarn_beta_fast", false, 1e-3, 1e6, &rope->beta_fast)))
        return st;
    if ((st = read_f64(r, "rope.scaling.yarn_beta_slow", false, 1e-3, 1e6, &rope->beta_slow)))
        return st;
    if ((st = check_yarn_factor(r, rope->factor))) return st;
    if (!(keys & INGLE_KEY_YARN)) return INGLE_OK;
    return read_f64(r, "rope.scaling.yarn_log_multiplier", false, 0, 1e3, &rope->log_multiplier);
}

/* Which layers are windowed: as the key lists them, or all but one of each period. */
static ingle_status read_local(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    static const char pattern[] = "attention.sliding_window_pattern";
    const ingle_gguf_kv *kv = ingle_gguf_find(r->g, full_key(r, pattern));
    bool list = kv && kv->type == INGLE_GGUF_ARRAY;
    ingle_status st = INGLE_OK;
    uint32_t n_local = 0, period = hp->window_period = f->window_period;
    if (list) st = check_list(r, kv, hp);
    else st = read_u32(r, pattern, false, 0, 4096, &period);
    if (st) return st;
    bool everywhere = !list && !period;
    if (!list) hp->window_period = period;
    for (uint32_t l = 0; l < hp->n_layer; l++) {
        ingle_layer *layer = &hp->layer[l];
        int64_t value = period && l % period != (f->window_first ? 0 : period - 1);
        if (list && (!ingle_gguf_item_i64(kv, l, &value) || value < 0 || value > 1))
            return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' entry %u should be 0 or 1", r->key,
                              l);
        layer->local = value == 1;
        layer->window = layer->local || everywhere ? hp->window : 0;
        n_local += layer->local;
    }
    bool by_window = f->rope_swa || f->rope_where == INGLE_ROPE_WINDOWED ||
                     f->rope_where == INGLE_ROPE_WINDOWED_IF;
    if (list && !n_local && hp->window && by_window) /* what would its layers turn by? */
        return ingle_fail(r->err, INGLE_EUNSUPPORTED,
                          "key '%s' marks no layer although there is a window: family '%s' turns "
                          "windowed layers by a RoPE of their own",
                          r->key, f->name);
    return INGLE_OK;
}

/* The window and its pattern, and what windowed layers turn by. */
static ingle_status read_window(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    ingle_status st = read_chunks(r, f, hp);
    if (!st && !hp->chunked)
        st = read_u32(r, "attention.sliding_window", false, 0, 1u << 30, &hp->window);
    if (st) return st;
    const ingle_gguf_kv *kv =
        ingle_gguf_find(r->g, full_key(r, "attention.sliding_window_pattern"));
    if (f->ignore_window && !kv) hp->window = 0;
    if ((st = read_local(r, f, hp))) return st;
    hp->rope_swa = hp->rope;
    if (!f->rope_swa) return INGLE_OK;
    double base = f->base_swa > 0 ? f->base_swa : hp->rope.base;
    hp->rope_swa.scaling = INGLE_SCALING_NONE;
    hp->rope_swa.attn_factor = 1;
    if ((st = read_f64(r, "rope.freq_base_swa", false, 1, 1e12, &base))) return st;
    hp->rope_swa.base = base;
    return INGLE_OK;
}

static ingle_status read_gating(reader *r, ingle_moe *moe)
{
    static const char *const names[] = {"softmax", "sigmoid", "softmax over the chosen"};
    uint32_t func = (uint32_t)moe->gating + 1, n_group = 1, n_used = 1;
    ingle_status st;
    _Static_assert(INGLE_GATING_CHOSEN == 2, "the key counts them from 1");
    const ingle_gguf_kv *kv = ingle_gguf_find(r->g, full_key(r, "expert_gating_func"));
    int64_t given;
    if (kv && ingle_gguf_item_i64(kv, 0, &given) && given != 0) /* 0: the family's own */
        if ((st = read_u32(r, "expert_gating_func", false, 1, sizeof names / sizeof *names, &func)))
            return st;
    moe->gating = (ingle_gating)(func - 1);
    if ((st = read_bool(r, "expert_weights_norm", &moe->norm))) return st;
    if ((st = read_u32(r, "expert_group_count", false, 0, moe->n_expert, &n_group))) return st;
    if (n_group < 2) return INGLE_OK;
    if ((st = read_u32(r, "expert_group_used_count", true, 1, n_group, &n_used))) return st;
    if (moe->n_expert % n_group || moe->n_expert / n_group * n_used < moe->n_used ||
        moe->n_expert / n_group < 2)
        return ingle_fail(r->err, INGLE_EFORMAT,
                          "key '%s.expert_group_count' is %u: %u experts in such groups, %u of "
                          "them used, do not give %u per token",
                          r->prefix, n_group, moe->n_expert, n_used, moe->n_used);
    moe->n_group = n_group;
    moe->n_group_used = n_used;
    return INGLE_OK;
}

/* Of the experts; the feed-forward length has been read. */
static ingle_status read_experts(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    ingle_moe *moe = &hp->moe;
    uint32_t n_shared = 0;
    double by = 1;
    ingle_status st;
    if (!(f->keys & INGLE_KEY_EXPERTS)) return INGLE_OK;
    if ((st = read_u32(r, "expert_count", false, 0, 4096, &moe->n_expert)) || !moe->n_expert)
        return st;
    moe->n_ff = hp->n_ff;
    moe->n_group = moe->n_group_used = 1;
    moe->gating = f->gating;
    moe->norm = f->norm_experts;
    moe->beside = f->dense_beside;
    moe->before = f->weigh_inputs;
    moe->step = 1;
    if (f->keys & INGLE_KEY_STEP)
        if ((st = read_u32(r, "interleave_moe_layer_step", true, 0, 4096, &moe->step))) return st;
    if ((st = read_u32(r, "expert_used_count", true, 1, moe->n_expert, &moe->n_used))) return st;
    if ((st = read_u32(r, "expert_feed_forward_length", false, 1, 1u << 22, &moe->n_ff))) return st;
    uint64_t widest = moe->n_ff > hp->n_embd ? moe->n_ff : hp->n_embd;
    if (widest * moe->n_used > 1u << 28)
        return ingle_fail(r->err, INGLE_EFORMAT,
                          "key '%s.expert_used_count' is %u: too many for rows of %llu", r->prefix,
                          moe->n_used, (unsigned long long)widest);
    if ((st = read_u32(r, "leading_dense_block_count", false, 0, hp->n_layer, &moe->n_dense)))
        return st;
    if ((st = read_u32(r, "expert_shared_count", false, 0, 256, &n_shared))) return st;
    if (f->shared_expert) n_shared = 1;
    moe->n_ff_shared = n_shared * moe->n_ff; /* at most 2^30 */
    if ((st = read_u32(r, "expert_shared_feed_forward_length", false, 0, 1u << 22,
                       &moe->n_ff_shared)))
        return st;
    if ((st = read_f64(r, "expert_weights_scale", false, 0, 1e6, &by))) return st;
    moe->scale = by == 0 ? 1 : (float)by; /* 0: as if the key were not there */
    bool all = !moe->n_dense && moe->step == 1;
    if (!hp->n_ff && !f->bare_layers && (!all || moe->beside))
        return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' is missing: not all layers have experts",
                          full_key(r, "feed_forward_length"));
    return f->keys & INGLE_KEY_GATING ? read_gating(r, moe) : INGLE_OK;
}

/* Heads of windowed layers may have dimensions of their own (_swa), and turn as many of them. */
static ingle_status read_swa_dims(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    uint32_t k = hp->head_dim_k, v = hp->head_dim_v, *n_rot = &hp->rope_swa.n_rot;
    ingle_status st;
    if (f->window_list) {
        if ((st = read_u32(r, "attention.key_length_swa", false, 1, 4096, &k))) return st;
        if ((st = read_u32(r, "attention.value_length_swa", false, 1, 4096, &v))) return st;
        if (*n_rot > k) *n_rot = k;
        if ((st = read_u32(r, "rope.dimension_count_swa", false, 2, k, n_rot))) return st;
        if (*n_rot % 2)
            return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' is %u, should be even", r->key,
                              *n_rot);
    }
    for (uint32_t l = 0; l < hp->n_layer; l++) {
        ingle_layer *layer = &hp->layer[l];
        layer->head_dim_k = layer->local ? k : hp->head_dim_k;
        layer->head_dim_v = layer->local ? v : hp->head_dim_v;
    }
    if (k > hp->head_dim_k) hp->head_dim_k = k;
    if (v > hp->head_dim_v) hp->head_dim_v = v;
    return INGLE_OK;
}

static ingle_status not_divided(reader *r, const char *key, uint32_t by, const char *what)
{
    return ingle_fail(r->err, INGLE_EFORMAT, "key '%s': %u should divide %s", full_key(r, key), by,
                      what);
}

/* Heads and groups of the state; the width and the taps have been read. */
static ingle_status read_state_heads(reader *r, ingle_recur *c)
{
    ingle_status st;
    if ((st = read_u32(r, "ssm.state_size", true, 1, 4096, &c->n_state))) return st;
    if (c->kind == INGLE_RECUR_MAMBA) {
        c->n_heads = c->n_groups = 1;
        if ((st = read_u32(r, "ssm.time_step_rank", true, 1, 65536, &c->dt_rank))) return st;
        return read_bool(r, "ssm.dt_b_c_rms", &c->norm_dt_bc);
    }
    if ((st = read_u32(r, "ssm.time_step_rank", true, 1, 65536, &c->n_heads))) return st;
    if ((st = read_u32(r, "ssm.group_count", true, 1, 65536, &c->n_groups))) return st;
    if (c->n_inner % c->n_heads)
        return not_divided(r, "ssm.time_step_rank", c->n_heads, "ssm.inner_size");
    if (c->n_heads % c->n_groups)
        return not_divided(r, "ssm.group_count", c->n_groups, "ssm.time_step_rank");
    return INGLE_OK;
}

/* Positions of text turn all sections alike, as long as every pair belongs to one of the first
 * three, which take turns. */
static ingle_status check_sections(reader *r, const ingle_hparams *hp)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(r->g, full_key(r, "rope.dimension_sections"));
    int64_t n[3];
    if (!kv) return INGLE_OK;
    for (size_t i = 0; i < 3; i++)
        if (kv->type != INGLE_GGUF_ARRAY || kv->n < 3 || !ingle_gguf_item_i64(kv, i, &n[i]))
            return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' should list four numbers", r->key);
    for (uint32_t i = 0; i < hp->rope.n_rot / 2; i++)
        if (i >= 3 * n[i % 3])
            return ingle_fail(r->err, INGLE_EUNSUPPORTED,
                              "key '%s': pair %u turns by no position of text", r->key, i);
    return INGLE_OK;
}

/* Which layers attend where counts do not say so: all but those a list marks, or every so many. */
static ingle_status read_attending(reader *r, uint32_t every, ingle_hparams *hp)
{
    ingle_status st = read_u32(r, "full_attention_interval", false, 1, 4096, &every);
    if (st) return st;
    const ingle_gguf_kv *kv = ingle_gguf_find(r->g, full_key(r, "attention.recurrent_layers"));
    if (kv && (st = check_list(r, kv, hp))) return st;
    for (uint32_t l = 0; l < hp->n_layer; l++) {
        int64_t recurs = (l + 1) % every != 0;
        if (kv && (!ingle_gguf_item_i64(kv, l, &recurs) || recurs < 0 || recurs > 1))
            return ingle_fail(r->err, INGLE_EFORMAT, "key '%s' entry %u should be 0 or 1", r->key,
                              l);
        if (recurs) hp->layer[l].n_head = hp->layer[l].n_head_kv = 0;
    }
    return INGLE_OK;
}

/* What layers without attention are, and which those are. */
static ingle_status read_recurrence(reader *r, const ingle_family *f, ingle_hparams *hp)
{
    ingle_recur *c = &hp->recur;
    ingle_status st;
    c->kind = f->recurrence;
    hp->gated_attn = f->gated_attn;
    if (c->kind == INGLE_RECUR_NONE) return INGLE_OK;
    const char *taps = c->kind == INGLE_RECUR_CONV ? "shortconv.l_cache" : "ssm.conv_kernel";
    if ((st = read_u32(r, taps, true, 2, INGLE_MAX_TAPS, &c->n_taps))) return st;
    c->n_inner = hp->n_embd;
    c->n_heads = c->n_groups = 1;
    if (c->kind != INGLE_RECUR_CONV) {
        if ((st = read_u32(r, "ssm.inner_size", true, 1, 1u << 20, &c->n_inner))) return st;
        if ((st = read_state_heads(r, c))) return st;
    }
    if (f->gated_attn && hp->head_dim_k != hp->head_dim_v)
        return ingle_fail(r->err, INGLE_EFORMAT,
                          "key '%s.attention.value_length' is %u, should be the key_length %u",
                          r->prefix, hp->head_dim_v, hp->head_dim_k);
    if (!f->attn_every) return INGLE_OK;
    if ((st = read_attending(r, f->attn_every, hp))) return st;
    for (uint32_t l = 0; !f->tiled_heads && l < hp->n_layer && !c->fused_in; l++) {
        char name[32];
        snprintf(name, sizeof name, "blk.%u.ssm_in.weight", l);
        c->fused_in = ingle_gguf_find_tensor(r->g, name) != NULL;
    }
    return check_sections(r, hp);
}

static ingle_status read_all(reader *r, const ingle_family *family, ingle_hparams *hp)
{
    const ingle_gguf *g = r->g;
    ingle_status st;
    double eps = 0, base = 10000;
    if ((st = read_layer_count(r, hp))) return st;
    if ((st = read_u32(r, "embedding_length", true, 1, 1u << 20, &hp->n_embd))) return st;
    if ((st = read_u32(r, "context_length", true, 1, 1u << 30, &hp->n_ctx))) return st;
    if ((st = read_counts(r, family, hp))) return st;
    if ((st = read_head_dim(r, "attention.key_length", hp, &hp->head_dim_k))) return st;
    if ((st = read_head_dim(r, "attention.value_length", hp, &hp->head_dim_v))) return st;
    const char *eps_key = "attention.layer_norm_rms_epsilon";
    if (family->norm == INGLE_NORM_LAYER && !ingle_gguf_find(g, full_key(r, eps_key)))
        eps_key = "attention.layer_norm_epsilon";
    if ((st = read_f64(r, eps_key, true, 0, 1, &eps))) return st;
    hp->eps = (float)eps;
    hp->rope.n_rot = hp->head_dim_k;
    if (hp->n_head) /* else nothing turns */
        if ((st = read_u32(r, "rope.dimension_count", false, 2, hp->head_dim_k, &hp->rope.n_rot)))
            return st;
    if (hp->rope.n_rot % 2)
        return ingle_fail(r->err, INGLE_EFORMAT,
                          "key '%s.rope.dimension_count' is %u, should be even", r->prefix,
                          hp->rope.n_rot);
    if ((st = read_latent(r, family, hp))) return st;
    if ((st = read_f64(r, "rope.freq_base", false, 1, 1e12, &base))) return st;
    hp->rope.base = base;
    bool wide = family->wide_scale_layers && hp->n_layer == family->wide_scale_layers;
    double scale = wide ? 1.0 / sqrt((double)hp->n_embd / hp->n_head) : family->unit_scores;
    if (ingle_gguf_find(g, full_key(r, "attention.scale")))
        if ((st = read_f64(r, "attention.scale", true, 1e-9, 1e9, &scale))) return st;
    hp->attn_scale = (float)scale;
    if ((st = read_experts(r, family, hp))) return st;
    if ((st = read_streams(r, family, hp))) return st;
    if ((st = read_special(r, family, hp))) return st;
    if ((st = read_attention(r, family, hp))) return st;
    if ((st = read_scaling(r, family->keys, hp))) return st;
    if (family->yarn_tenth) move_magnitude(hp);
    hp->temper_span = hp->rope.n_ctx_orig;
    if ((st = read_act(r, family, hp))) return st;
    if ((st = read_window(r, family, hp))) return st;
    if ((st = read_swa_dims(r, family, hp))) return st;
    return read_recurrence(r, family, hp);
}

ingle_status ingle_hparams_read(ingle_hparams *hp, const ingle_family *family, const ingle_gguf *g,
                                ingle_error *err)
{
    reader r = {.g = g, .prefix = family->name, .err = err};
    memset(hp, 0, sizeof *hp);
    if (!(r.asked = ingle_new(g->n_kv, sizeof *r.asked)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu keys", g->n_kv);
    ingle_status st = read_all(&r, family, hp);
    if (!st) st = ingle_keys_check(g, r.prefix, r.asked, &hp->unread, err);
    free(r.asked);
    return st;
}

void ingle_hparams_free(ingle_hparams *hp)
{
    free(hp->layer);
    free(hp->unread);
    hp->layer = NULL;
    hp->unread = NULL;
}

float ingle_layer_attn_scale(const ingle_hparams *hp, uint32_t layer)
{
    if (hp->attn_scale > 0) return hp->attn_scale;
    return (float)(1.0 / sqrt((double)hp->layer[layer].head_dim_k));
}

uint32_t ingle_recur_conv_width(const ingle_recur *r)
{
    bool wide = r->kind == INGLE_RECUR_MAMBA2 || r->kind == INGLE_RECUR_DELTA;
    return r->n_inner + (wide ? 2 * r->n_groups * r->n_state : 0);
}
