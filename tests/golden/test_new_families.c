/* BitNet b1.58, Llama 4 and Falcon-H1: each is written down once more below, from the published
 * model code, and computed in double arithmetic (reference.h) on small models of random weights.
 * The models are built here, with the keys and tensors that llama.cpp's converters write.
 * test_families.c says what is compared; ternary weights alone are held to less, as activations are
 * rounded to 8 bits before they meet them.
 *
 * Granite's layers of scans go through the same reference, so that its scan is itself proven. */
#define _GNU_SOURCE
#include "golden/family_build.h"

#include "golden/reference.h"

/* ---- the families, from their published code ---- */

#define ONE_NORM_EACH .norm1 = "attn_norm", .norm2 = "ffn_norm"
#define BITNET        .rope = REF_HALVES, .gated = true, .sub_norms = true, ONE_NORM_EACH

static const ref_family
    /* 1bitLLM/bitnet_b1_58-3B, modeling_bitnet.py (inner_attn_ln, ffn_layernorm, silu); llama.cpp,
     * src/models/bitnet.cpp. */
    bitnet = {.arch = "bitnet", .act = REF_SILU, BITNET},
    /* The same architecture with the key hidden_activation, as a proposed change of llama.cpp's
     * src/models/bitnet.cpp and of microsoft/BitNet's converters has it. */
    bitnet_relu2 = {.arch = "bitnet", .act = REF_RELU_SQUARED, BITNET},
    /* transformers, models/bitnet/modeling_bitnet.py: BitNetMLP (relu2 of the gate, times up,
     * ffn_sub_norm, down), BitNetAttention (attn_sub_norm before o_proj); build_bitnet_158() of
     * ikawrakow/ik_llama.cpp, which serves two names. */
    bitnet_158 = {.arch = "bitnet-b1.58", .act = REF_RELU_SQUARED, BITNET},
    bitnet_25 = {.arch = "bitnet-25", .act = REF_RELU_SQUARED, BITNET},
    /* transformers, models/llama4/modeling_llama4.py: Llama4TextAttention (apply_rotary_emb of
     * pairs, then Llama4TextL2Norm, which is a root mean square; attn_scales where nothing turns),
     * Llama4TextMoe (routed_in times router_scores), Llama4Router (sigmoid of the best);
     * masking_utils.py: create_chunked_causal_mask. A layer that does not turn sees everything:
     * llama.cpp, src/models/llama4.cpp, set_swa_pattern(4). */
    llama4 = {.arch = "llama4",
              .rope = REF_PAIRS,
              .act = REF_SILU,
              .qk = REF_QK_BARE_AFTER_ROPE,
              .gated = true,
              .window_period = 4,
              .rope_windowed_only = true,
              .chunks = true,
              .tempered = true,
              .sigmoid_gate = true,
              .weighted_inputs = true,
              ONE_NORM_EACH},
    /* transformers, models/falcon_h1/modeling_falcon_h1.py: FalconH1DecoderLayer adds attention and
     * scan of one norm; its multipliers are in the weights (llama.cpp, conversion/falcon_h1.py). */
    falcon_h1 = {.arch = "falcon-h1",
                 .rope = REF_HALVES,
                 .act = REF_SILU,
                 .gated = true,
                 ONE_NORM_EACH},
    /* transformers, models/granitemoehybrid/modeling_granitemoehybrid.py, without attention. */
    granitehybrid = {
        .arch = "granitehybrid", .rope = REF_PAIRS, .act = REF_SILU, .gated = true, ONE_NORM_EACH};

/* ---- small models of them ---- */

enum {
    TIED = 1,
    BIASES = 2, /* of attention's matrices and the feed-forward's */
    FREQS = 4,  /* rope_freqs, as Llama 3 has them */
    SCALES = 8, /* of whole tensors, as older converters of BitNet wrote them */
    TERNARY = 16,
    NO_QK_NORM = 32, /* key use_qk_norm, which Ollama's converter writes */
    SSM_NORM = 64,
    CONV_BIAS = 128,
    SUFFIX = 256, /* Falcon-H1's ffn_norm.weight, which its converter calls ffn_norm */
    ATTENTION = 512,
    SUB_NORMS = 1024
};

typedef struct spec {
    const char *name;
    const ref_family *f;
    unsigned tensors;
    uint32_t heads, heads_kv, layers, n_embd, n_ff;
    const char *act;        /* key hidden_activation; NULL: no key */
    uint32_t chunk, length; /* of attention, of temperature; 0: no key */
    float temperature;      /* 0: no key */
    uint32_t step;          /* every so many layers the last has experts; 0: none has */
    uint32_t n_expert, n_used;
    uint32_t n_inner, n_state, ssm_heads, groups, taps; /* n_inner 0: no scan */
    size_t n_tokens;                                    /* 0: 70 */
    double limit;                                       /* 0: 1e-5 */
} spec;

enum { HEAD_DIM = 16, EXPERT_FF = 40, N_VOCAB = 61, N_CTX = 512, MAX_TOKENS = 300 };

static void put_norm(fb_model *b, uint32_t l, const char *part, const char *end, size_t n)
{
    fb_put_layer(b, l, part, end, n, 1, 1, 0.4f);
}

static void put_attention(fb_model *b, const spec *s, uint32_t l)
{
    size_t q = s->heads * HEAD_DIM, kv = s->heads_kv * HEAD_DIM;
    bool bias = s->tensors & BIASES;
    fb_matrix(b, l, "attn_q", s->n_embd, q, bias);
    fb_matrix(b, l, "attn_k", s->n_embd, kv, bias);
    fb_matrix(b, l, "attn_v", s->n_embd, kv, bias);
    if (s->tensors & SUB_NORMS) put_norm(b, l, "attn_sub_norm", "weight", q);
    fb_matrix(b, l, "attn_output", q, s->n_embd, bias);
}

/* One shared expert, as wide as the others. */
static void put_experts(fb_model *b, const spec *s, uint32_t l)
{
    static const char *const parts[] = {"gate", "up", "down"};
    fb_matrix(b, l, "ffn_gate_inp", s->n_embd, s->n_expert, false);
    for (int i = 0; i < 3; i++) {
        size_t n_cols = i == 2 ? EXPERT_FF : s->n_embd, n_rows = i == 2 ? s->n_embd : EXPERT_FF;
        char name[96];
        snprintf(name, sizeof name, "blk.%u.ffn_%s_exps.weight", l, parts[i]);
        fb_put_all(b, name, n_cols, n_rows, s->n_expert, 0, 1.7f / sqrtf((float)n_cols));
        snprintf(name, sizeof name, "ffn_%s_shexp", parts[i]);
        fb_matrix(b, l, name, n_cols, n_rows, false);
    }
}

static void put_feed_forward(fb_model *b, const spec *s, uint32_t l)
{
    bool bias = s->tensors & BIASES, bare = s->n_inner && s->tensors & ATTENTION;
    put_norm(b, l, "ffn_norm", bare && !(s->tensors & SUFFIX) ? "" : "weight", s->n_embd);
    if (s->step && (l + 1) % s->step == 0) {
        put_experts(b, s, l);
        return;
    }
    fb_matrix(b, l, "ffn_gate", s->n_embd, s->n_ff, bias);
    fb_matrix(b, l, "ffn_up", s->n_embd, s->n_ff, bias);
    if (s->tensors & SUB_NORMS) put_norm(b, l, "ffn_sub_norm", "weight", s->n_ff);
    fb_matrix(b, l, "ffn_down", s->n_ff, s->n_embd, bias);
}

static void put_scan(fb_model *b, const spec *s, uint32_t l)
{
    size_t n = s->n_inner, conv = n + 2 * s->groups * s->n_state;
    fb_matrix(b, l, "ssm_in", s->n_embd, n + conv + s->ssm_heads, false);
    fb_put_layer(b, l, "ssm_conv1d", "weight", s->taps, conv, 0.1f, 0.5f);
    if (s->tensors & CONV_BIAS) fb_put_layer(b, l, "ssm_conv1d", "bias", conv, 1, 0, 0.2f);
    fb_put_layer(b, l, "ssm_dt", "bias", s->ssm_heads, 1, -1, 1);
    fb_put_layer(b, l, "ssm_a", "", 1, s->ssm_heads, -1, 0.8f);
    fb_put_layer(b, l, "ssm_d", "", 1, s->ssm_heads, 1, 0.5f);
    if (s->tensors & SSM_NORM)
        fb_put_layer(b, l, "ssm_norm", "weight", n / s->groups, s->groups, 1, 0.4f);
    fb_matrix(b, l, "ssm_out", n, s->n_embd, false);
}

static void put_tensors(fb_model *b, const spec *s)
{
    fb_put(b, "token_embd.weight", s->n_embd, N_VOCAB, 0, 1);
    for (uint32_t l = 0; l < s->layers; l++) {
        put_norm(b, l, "attn_norm", "weight", s->n_embd);
        if (s->tensors & ATTENTION) put_attention(b, s, l);
        if (s->n_inner) put_scan(b, s, l);
        put_feed_forward(b, s, l);
    }
    put_norm(b, UINT32_MAX, "output_norm", "weight", s->n_embd);
    if (s->tensors & FREQS) fb_put(b, "rope_freqs.weight", HEAD_DIM / 2, 1, 4, 3);
    if (!(s->tensors & TIED)) fb_matrix(b, UINT32_MAX, "output", s->n_embd, N_VOCAB, false);
}

static void put_family_keys(fb_model *b, const spec *s)
{
    if (s->f->sub_norms) { /* BitNet */
        fb_str(b, "rope.scaling.type", "linear");
        fb_f32(b, "rope.scaling.factor", 1);
    }
    if (s->f->chunks) { /* Llama 4 */
        fb_u32(b, "interleave_moe_layer_step", s->step);
        fb_u32(b, "expert_feed_forward_length", EXPERT_FF);
        fb_u32(b, "expert_count", s->n_expert);
        fb_u32(b, "expert_used_count", s->n_used);
    }
    if (s->tensors & NO_QK_NORM) fb_bool(b, "use_qk_norm", false);
    if (s->act) fb_str(b, "hidden_activation", s->act);
    if (s->chunk) fb_u32(b, "attention.chunk_size", s->chunk);
    if (s->length) fb_u32(b, "attention.temperature_length", s->length);
    if (s->temperature > 0) fb_f32(b, "attention.temperature_scale", s->temperature);
    if (!s->n_inner) return;
    fb_u32(b, "ssm.conv_kernel", s->taps);
    fb_u32(b, "ssm.inner_size", s->n_inner);
    fb_u32(b, "ssm.state_size", s->n_state);
    fb_u32(b, "ssm.time_step_rank", s->ssm_heads);
    fb_u32(b, "ssm.group_count", s->groups);
}

static void put_keys(fb_model *b, const spec *s)
{
    fb_u32(b, "vocab_size", N_VOCAB);
    fb_u32(b, "block_count", s->layers);
    fb_u32(b, "context_length", N_CTX);
    fb_u32(b, "embedding_length", s->n_embd);
    fb_u32(b, "feed_forward_length", s->n_ff);
    fb_u32(b, "attention.head_count", s->heads);
    fb_u32(b, "attention.head_count_kv", s->heads_kv);
    fb_f32(b, "attention.layer_norm_rms_epsilon", 1e-5f);
    fb_f32(b, "rope.freq_base", 5000);
    if (!s->f->sub_norms) {
        fb_u32(b, "attention.key_length", HEAD_DIM);
        fb_u32(b, "attention.value_length", HEAD_DIM);
    }
    put_family_keys(b, s);
}

static int build(const spec *s, char path[32])
{
    static fb_model b;
    fb_begin(&b, s->f->arch);
    b.scales = s->tensors & SCALES;
    b.ternary = s->tensors & TERNARY;
    put_keys(&b, s);
    put_tensors(&b, s);
    return fb_end(&b, path);
}

/* ---- the check ---- */

static void check(const spec *s)
{
    char path[32];
    int fd = build(s, path);
    size_t n = s->n_tokens ? s->n_tokens : 70;
    int32_t tokens[MAX_TOKENS];
    golden g = {.n_vocab = N_VOCAB, .n_ctx = N_CTX};
    snprintf(g.model, sizeof g.model, "%s", path);
    fb_tokens(tokens, n, N_VOCAB);
    ref_model m = ref_open(s->f, path);
    double *want = ref_logits(&m, tokens, n);
    fb_check(s->name, s->f->arch, &g, tokens, n, want, s->limit > 0 ? s->limit : 1e-5);
    free(want);
    ref_close(&m);
    close(fd);
}

#define SHAPE(h, kv, l)     .heads = h, .heads_kv = kv, .layers = l, .n_embd = 64, .n_ff = 112
#define MOE(every, n, used) .step = every, .n_expert = n, .n_used = used
#define SCAN(inner, state, h, g)                                                                   \
    .n_inner = inner, .n_state = state, .ssm_heads = h, .groups = g, .taps = 4

static const spec bitnets[] = {
    {"bitnet", &bitnet, ATTENTION | SUB_NORMS | TIED, SHAPE(4, 4, 3)},
    {"bitnet, own head", &bitnet, ATTENTION | SUB_NORMS, SHAPE(4, 2, 3)},
    {"bitnet, scales", &bitnet, ATTENTION | SUB_NORMS | TIED | SCALES, SHAPE(4, 4, 3)},
    {"bitnet, key silu", &bitnet, ATTENTION | SUB_NORMS | TIED, SHAPE(4, 2, 3), .act = "silu"},
    {"bitnet, key relu2", &bitnet_relu2, ATTENTION | SUB_NORMS | TIED, SHAPE(4, 2, 3),
     .act = "relu2"},
    {"bitnet-b1.58", &bitnet_158, ATTENTION | SUB_NORMS | TIED, SHAPE(4, 1, 3)},
    {"bitnet-25", &bitnet_25, ATTENTION | SUB_NORMS | TIED, SHAPE(4, 2, 3)},
    {"bitnet-b1.58, ternary", &bitnet_158, ATTENTION | SUB_NORMS | TIED | TERNARY, .heads = 16,
     .heads_kv = 4, .layers = 3, .n_embd = 256, .n_ff = 512, .limit = 5e-2},
};

static const spec llama4s[] = {
    {"llama4", &llama4, ATTENTION, SHAPE(4, 2, 5), MOE(1, 7, 1), .chunk = 24, .length = 16,
     .temperature = 0.3f},
    {"llama4, every second", &llama4, ATTENTION, SHAPE(4, 2, 8), MOE(2, 7, 1), .chunk = 24,
     .length = 16, .temperature = 0.3f},
    {"llama4, no keys", &llama4, ATTENTION | TIED, SHAPE(4, 1, 5), MOE(2, 7, 1)},
    {"llama4, small chunks", &llama4, ATTENTION | FREQS, SHAPE(4, 4, 4), MOE(1, 4, 1), .chunk = 7,
     .length = 50, .temperature = 0.2f, .n_tokens = MAX_TOKENS},
    {"llama4, long chunks", &llama4, ATTENTION, SHAPE(4, 2, 4), MOE(2, 4, 1), .chunk = 128,
     .length = 1, .temperature = 0.1f, .n_tokens = MAX_TOKENS},
    {"llama4, whole chunks", &llama4, ATTENTION, SHAPE(4, 2, 4), MOE(2, 4, 1), .chunk = 256,
     .length = 9, .temperature = 0.1f, .n_tokens = MAX_TOKENS},
    {"llama4, two experts", &llama4, ATTENTION, SHAPE(4, 2, 4), MOE(1, 7, 2), .chunk = 24},
    {"llama4, no qk norm", &llama4, ATTENTION | NO_QK_NORM, SHAPE(4, 2, 4), MOE(2, 7, 1),
     .chunk = 24, .length = 16},
    {"llama4, 128 experts", &llama4, ATTENTION, SHAPE(4, 2, 4), MOE(2, 128, 1), .chunk = 24},
};

static const spec falcons[] = {
    {"falcon-h1", &falcon_h1, ATTENTION | CONV_BIAS, SHAPE(4, 2, 3), SCAN(96, 8, 6, 1)},
    {"falcon-h1, normed", &falcon_h1, ATTENTION | CONV_BIAS | SSM_NORM, SHAPE(4, 2, 3),
     SCAN(96, 8, 6, 1)},
    {"falcon-h1, groups", &falcon_h1, ATTENTION | CONV_BIAS, SHAPE(4, 1, 3), SCAN(96, 16, 6, 2)},
    {"falcon-h1, groups, normed", &falcon_h1, ATTENTION | CONV_BIAS | SSM_NORM, SHAPE(4, 4, 3),
     SCAN(96, 16, 12, 3), .n_tokens = MAX_TOKENS},
    {"falcon-h1, biases", &falcon_h1, ATTENTION | BIASES | TIED, SHAPE(4, 2, 3), SCAN(32, 8, 2, 1)},
    {"falcon-h1, few heads", &falcon_h1, ATTENTION | CONV_BIAS | FREQS | SUFFIX, SHAPE(3, 1, 3),
     SCAN(96, 8, 6, 1)},
};

static const spec granites[] = {
    {"granitehybrid, scans", &granitehybrid, CONV_BIAS | SSM_NORM, SHAPE(4, 0, 3),
     SCAN(96, 8, 6, 1)},
    {"granitehybrid, groups", &granitehybrid, CONV_BIAS | SSM_NORM | TIED, SHAPE(4, 0, 3),
     SCAN(96, 16, 12, 3)},
};

static void reference_is_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof granites / sizeof granites[0]; i++) check(&granites[i]);
}

static void bitnet_agrees(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bitnets / sizeof bitnets[0]; i++) check(&bitnets[i]);
}

static void llama4_agrees(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof llama4s / sizeof llama4s[0]; i++) check(&llama4s[i]);
}

/* Chunks are read in one direction, whatever a caller says. */
static void llama4_embeds_one_way(void **state)
{
    const int32_t tokens[] = {1, 2, 3};
    char path[32];
    ingle_error err = {""};
    ingle_embed_options how;
    golden g = {.n_vocab = N_VOCAB, .n_ctx = N_CTX};
    int fd = build(&llama4s[5], path);
    (void)state;
    snprintf(g.model, sizeof g.model, "%s", path);
    runner r = runner_open(&g, INGLE_ISA_AUTO, true);
    ingle_embed_options_init(&how);
    how.attention = INGLE_ATTENTION_BOTH;
    assert_int_equal(ingle_session_embed(r.session, tokens, 3, &how, &err), INGLE_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "attention 'both': layers of family 'llama4' see chunks"));
    how.attention = INGLE_ATTENTION_CAUSAL;
    must(ingle_session_embed(r.session, tokens, 3, &how, &err), &err);
    runner_close(&r);
    close(fd);
}

/* Nor whatever the file says. */
static void llama4_files_say_one_way(void **state)
{
    const char *both = "llama4.attention.causal=bool:false";
    char path[32];
    ingle_error err = {""};
    ingle_model *m;
    ingle_model_options mo;
    int fd = build(&llama4s[5], path);
    (void)state;
    ingle_model_options_init(&mo);
    mo.overrides = &both, mo.n_overrides = 1;
    assert_int_equal(ingle_model_open(&m, path, &mo, &err), INGLE_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "'llama4.attention.causal' is false"));
    close(fd);
}

static void falcon_h1_agrees(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof falcons / sizeof falcons[0]; i++) check(&falcons[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_is_right),
        cmocka_unit_test(bitnet_agrees),
        cmocka_unit_test(llama4_agrees),
        cmocka_unit_test(llama4_embeds_one_way),
        cmocka_unit_test(llama4_files_say_one_way),
        cmocka_unit_test(falcon_h1_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
