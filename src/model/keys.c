/* keys.c - see keys.h. The names are those of llama.cpp's loader and of the converters beside
 * it. */
#include "model/keys.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

typedef enum unread {
    REFUSED, /* the family's arithmetic would be another one */
    NOTED,   /* it may matter */
    FINE     /* it says nothing that the tensors or other keys do not say */
} unread;

static const struct {
    const char *name; /* with a dot at its end: everything that begins with it */
    unread unread;
    double
        neutral; /* a value, or a list of nothing else, that changes nothing; NAN: there is none */
} keys[] = {
    /* sizes, and what every family reads */
    {"context_length", NOTED, NAN},
    {"embedding_length", NOTED, NAN},
    {"block_count", NOTED, NAN},
    {"feed_forward_length", NOTED, NAN},
    {"nextn_predict_layers", NOTED, NAN},
    {"vocab_size", FINE, NAN},
    {"features_length", FINE, NAN},
    {"tensor_data_layout", FINE, NAN},
    {"embedding_length_out", NOTED, NAN},
    {"embedding_length_per_layer_input", REFUSED, 0},
    {"dense_2_feat_in", FINE, NAN},
    {"dense_2_feat_out", FINE, NAN},
    {"dense_3_feat_in", FINE, NAN},
    {"dense_3_feat_out", FINE, NAN},
    {"pooling_type", NOTED, 0},
    {"classifier.output_labels", FINE, NAN},
    {"decoder_start_token_id", FINE, NAN},
    {"decoder_block_count", REFUSED, 0},

    /* experts */
    {"expert_count", REFUSED, 0},
    {"expert_used_count", NOTED, 0},
    {"expert_feed_forward_length", NOTED, 0},
    {"expert_shared_feed_forward_length", NOTED, 0},
    {"expert_chunk_feed_forward_length", REFUSED, 0},
    {"expert_shared_count", NOTED, 0},
    {"expert_group_count", NOTED, 0},
    {"expert_group_used_count", NOTED, 0},
    {"expert_group_scale", REFUSED, 0},
    {"experts_per_group", REFUSED, 0},
    {"expert_weights_scale", NOTED, 0},
    {"expert_weights_norm", NOTED, NAN},
    {"expert_gating_func", NOTED, 0},
    {"leading_dense_block_count", NOTED, 0},
    {"interleave_moe_layer_step", REFUSED, 1}, /* experts in every layer after the dense ones */
    {"moe_every_n_layers", REFUSED, 0},
    {"moe_latent_size", REFUSED, 0},
    {"router_logit_softcapping", REFUSED, 0},
    {"swiglu_clamp_exp", REFUSED, 0},
    {"swiglu_clamp_shexp", REFUSED, 0},
    {"hash_layer_count", REFUSED, 0},

    /* activations, scales, caps, residual streams */
    {"hidden_activation", NOTED, NAN},
    {"activation_sparsity_scale", REFUSED, 0},
    {"altup.", REFUSED, 0},
    {"attn_logit_softcapping", REFUSED, 0},
    {"final_logit_softcapping", REFUSED, 0},
    {"logit_scale", REFUSED, 0},
    {"embedding_scale", REFUSED, 0},
    {"residual_scale", REFUSED, 0},
    {"use_parallel_residual", REFUSED, 0},
    {"swin_norm", REFUSED, 0},
    {"norm_before_residual", NOTED, NAN},
    {"hyper_connection.", REFUSED, 0},

    /* attention */
    {"attention.head_count", NOTED, NAN},
    {"attention.head_count_kv", NOTED, NAN},
    {"attention.key_length", NOTED, NAN},
    {"attention.value_length", NOTED, NAN},
    {"attention.key_length_swa", NOTED, NAN},
    {"attention.value_length_swa", NOTED, NAN},
    {"attention.key_length_mla", NOTED, 0},
    {"attention.value_length_mla", NOTED, 0},
    {"attention.q_lora_rank", NOTED, 0},
    {"attention.kv_lora_rank", NOTED, 0},
    {"attention.layer_norm_epsilon", FINE, NAN}, /* one of the two is read */
    {"attention.layer_norm_rms_epsilon", FINE, NAN},
    {"attention.group_norm_epsilon", REFUSED, 0},
    {"attention.group_norm_groups", REFUSED, 0},
    {"attention.causal", NOTED, NAN},
    {"attention.sliding_window", NOTED, 0},
    {"attention.chunk_size", REFUSED, 0},
    {"use_qk_norm", NOTED, NAN},
    {"attention.sliding_window_pattern", NOTED, NAN},
    {"attention.scale", NOTED, NAN},
    {"attention.value_scale", REFUSED, 1},
    {"attention.output_scale", REFUSED, 1},
    {"attention.clamp_kqv", REFUSED, 0},
    {"attention.max_alibi_bias", REFUSED, 0},
    {"attention.temperature_scale", REFUSED, 0},
    {"attention.temperature_length", NOTED, 0},
    {"attention.relative_buckets_count", REFUSED, 0},
    {"attention.shared_kv_layers", REFUSED, 0},
    {"attention.recurrent_layers", NOTED, 0},
    {"attention.indexer.", REFUSED, 0},
    {"attention.output_group_count", REFUSED, 0},
    {"attention.output_lora_rank", REFUSED, 0},
    {"attention.compress_rope_freq_base", REFUSED, 0},
    {"attention.compress_ratios", REFUSED, 0},
    {"full_attention_interval", NOTED, NAN},

    /* RoPE */
    {"rope.dimension_count", FINE, NAN}, /* unread where nothing turns */
    {"rope.dimension_count_swa", NOTED, NAN},
    {"rope.dimension_sections", FINE, NAN}, /* all sections of a text's token turn alike */
    {"rope.freq_base", NOTED, NAN},
    {"rope.freq_base_swa", NOTED, NAN},
    {"rope.scale_linear", FINE, NAN}, /* unread where rope.scaling.factor says it */
    {"rope.scaling.type", NOTED, NAN},
    {"rope.scaling.factor", FINE, NAN}, /* the next ones: unread where nothing is scaled */
    {"rope.scaling.attn_factor", NOTED, 1},
    {"rope.scaling.original_context_length", FINE, NAN},
    {"rope.scaling.yarn_beta_fast", FINE, NAN},
    {"rope.scaling.yarn_beta_slow", FINE, NAN},
    {"rope.scaling.yarn_log_multiplier", REFUSED, 0},
    {"rope.scaling.yarn_ext_factor", REFUSED, 1},
    {"rope.scaling.yarn_attn_factor", REFUSED, 1},
    {"rope.scaling.alpha", NOTED, 0},
    {"rope.scaling.finetuned", FINE, NAN},

    /* recurrent layers */
    {"ssm.", NOTED, 0},
    {"shortconv.l_cache", NOTED, 0},
    {"kda.", REFUSED, 0},
    {"wkv.", REFUSED, 0},
    {"rescale_every_n_layers", REFUSED, 0},
    {"time_mix_extra_dim", REFUSED, 0},
    {"time_decay_extra_dim", REFUSED, 0},
    {"token_shift_count", REFUSED, 0},
    {"attention.decay_lora_rank", REFUSED, 0},
    {"attention.iclr_lora_rank", REFUSED, 0},
    {"attention.value_residual_mix_lora_rank", REFUSED, 0},
    {"attention.gate_lora_rank", REFUSED, 0},

    /* pictures and sound: not for text */
    {"vision.", FINE, NAN},
    {"audio.", FINE, NAN},
    {"n_deepstack_layers", FINE, NAN},
    {"deepstack_mapping", FINE, NAN},
};

static size_t find_row(const char *name)
{
    size_t i = 0;
    for (; i < sizeof keys / sizeof *keys; i++) {
        size_t n = strlen(keys[i].name);
        bool prefix = keys[i].name[n - 1] == '.';
        if (prefix ? strncmp(name, keys[i].name, n) == 0 : strcmp(name, keys[i].name) == 0) break;
    }
    return i;
}

/* Whether the value, booleans too, or all of a list is the one that changes nothing. */
static bool is_neutral(const ingle_gguf_kv *kv, double neutral)
{
    for (size_t i = 0; i < kv->n; i++) {
        double value = NAN;
        int64_t whole;
        if (ingle_gguf_item_i64(kv, i, &whole)) value = (double)whole;
        else ingle_gguf_item_f64(kv, i, &value);
        if (value != neutral) return false;
    }
    return true;
}

/* Appends ", name" or, to nothing, "name". */
static bool append(char **list, size_t *cap, const char *name)
{
    size_t used = *list ? strlen(*list) : 0, n = strlen(name);
    if (!ingle_grow(list, cap, used + n + 3, 1)) return false;
    if (used) memcpy(*list + used, ", ", 2), used += 2;
    memcpy(*list + used, name, n + 1);
    return true;
}

ingle_status ingle_keys_check(const ingle_gguf *g, const char *prefix, const uint8_t *asked,
                              char **out, ingle_error *err)
{
    size_t n_prefix = strlen(prefix), cap = 0;
    char *list = NULL;
    ingle_status st = INGLE_OK;
    *out = NULL;
    for (size_t i = 0; i < g->n_kv && !st; i++) {
        const ingle_gguf_kv *kv = &g->kv[i];
        if (asked[i] || strncmp(kv->key, prefix, n_prefix) || kv->key[n_prefix] != '.') continue;
        size_t row = find_row(kv->key + n_prefix + 1);
        bool known = row < sizeof keys / sizeof *keys;
        if (known && (keys[row].unread == FINE || is_neutral(kv, keys[row].neutral))) continue;
        if (known && keys[row].unread == REFUSED)
            st = ingle_fail(err, INGLE_EUNSUPPORTED,
                            "key '%.100s': family '%.60s' is not supported with it yet", kv->key,
                            prefix);
        else if (!append(&list, &cap, kv->key))
            st = ingle_fail(err, INGLE_ENOMEM, "no memory for the names of keys");
    }
    if (st) free(list);
    else *out = list;
    return st;
}
