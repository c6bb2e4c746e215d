/* Whole models that are wrong on purpose, and calls that are: each ends with a status that names
 * the key, the tensor or the option; nothing crashes, hangs or stays behind. */
#define _GNU_SOURCE
#include <ingle_tools.h>

#include "model_build.h"
#include "wrap_alloc.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "must.h"

static ingle_status open_bytes(ingle_model **m, const uint8_t *p, size_t n, ingle_isa isa,
                               ingle_error *err)
{
    char path[32];
    int fd = gb_file(p, n, path);
    ingle_model_options mo;
    ingle_model_options_init(&mo);
    mo.n_threads = 1;
    mo.isa = isa;
    ingle_status st = ingle_model_open(m, path, &mo, err);
    if (!st == !*m) fail_msg("%s, but the handle is %p", ingle_status_name(st), (void *)*m);
    close(fd);
    return st;
}

static ingle_status open_spec(ingle_model **m, const mb_spec *s, ingle_error *err)
{
    mb_model b;
    mb_build(&b, s);
    ingle_status st = open_bytes(m, b.p, b.n, INGLE_ISA_AUTO, err);
    free(b.p);
    return st;
}

typedef struct house {
    ingle_model *model;
    ingle_engine *engine;
    ingle_session *session;
    ingle_sampler *sampler;
} house;

static void close_house(house *h)
{
    ingle_sampler_close(&h->sampler);
    ingle_session_close(&h->session);
    ingle_engine_close(&h->engine);
    ingle_model_close(&h->model);
}

/* Everything behind a model that was let in. */
static void furnish(house *h, ingle_type kv_type, const ingle_sampler_options *so)
{
    ingle_error err;
    ingle_model_info info = {.size = sizeof info};
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_batch = 8;
    eo.n_threads = 1;
    eo.kv_type = kv_type;
    must(ingle_model_info_get(h->model, &info, &err), &err);
    must(ingle_engine_open(&h->engine, h->model, &eo, &err), &err);
    must(ingle_session_open(&h->session, h->engine, &err), &err);
    must(ingle_sampler_open(&h->sampler, so, info.n_vocab, h->model, &err), &err);
}

/* Generates until something ends it; the only way to fail is a row of logits without a meaning. */
static ingle_status generate(house *h, ingle_error *err)
{
    static const int32_t prompt[] = {1, 3, 4, 9, 15, 0, 8, 8, 2, 14, 11};
    ingle_generate_options go;
    ingle_generate_result result = {.size = sizeof result};
    size_t n;
    ingle_generate_options_init(&go);
    go.max_tokens = 12;
    go.logprobs = 4;
    ingle_status st = ingle_generate(h->session, h->sampler, prompt, 11, &go, &result, err);
    must(ingle_session_tokens(h->session, NULL, &n, NULL), err);
    if (st) {
        assert_true(st == INGLE_EFORMAT || st == INGLE_EFULL); /* a context of 1 takes no prompt */
        assert_text(err, st == INGLE_EFORMAT ? "logit of token" : "do not fit");
        assert_int_equal(n, 0);
    } else {
        assert_int_equal(n, 11 + result.n_generated);
        assert_true(result.n_generated <= 12);
    }
    return st;
}

/* ---- bent keys and tensors ---- */

#define KEY_INT(status_, key_, type_, v_, text_)                                                   \
    {                                                                                              \
        {.act = MB_INT, .name = key_, .type = INGLE_GGUF_##type_, .value = (uint64_t)(v_)},        \
            status_, text_                                                                         \
    }
#define KEY_F32(status_, key_, v_, text_)                                                          \
    {                                                                                              \
        {.act = MB_F32, .name = key_, .real = v_}, status_, text_                                  \
    }
#define KEY_STR(status_, key_, v_, text_)                                                          \
    {                                                                                              \
        {.act = MB_STR, .name = key_, .text = v_}, status_, text_                                  \
    }
#define KEY_LIST(status_, key_, a_, b_, text_)                                                     \
    {                                                                                              \
        {.act = MB_LIST, .name = key_, .value = a_, .value2 = b_}, status_, text_                  \
    }
#define DROP(status_, name_, text_)                                                                \
    {                                                                                              \
        {.act = MB_DROP, .name = name_}, status_, text_                                            \
    }
#define TENSOR(act_, status_, name_, a_, b_, text_)                                                \
    {                                                                                              \
        {.act = act_, .name = name_, .value = a_, .value2 = b_}, status_, text_                    \
    }
#define ADD(status_, name_, a_, b_, real_, text_)                                                  \
    {                                                                                              \
        {.act = MB_ADD, .name = name_, .value = a_, .value2 = b_, .real = real_}, status_, text_   \
    }
#define L  "llama."
#define A  "llama.attention."
#define T  "tokenizer.ggml."
#define EF INGLE_EFORMAT
#define EU INGLE_EUNSUPPORTED
#define EN INGLE_ENOTFOUND

static const struct {
    mb_bend bend;
    ingle_status status;
    const char *text; /* must be in the message */
} bends[] = {
    DROP(EN, "general.architecture", "'general.architecture'"),
    KEY_STR(EU, "general.architecture", "abacus", "architecture 'abacus'"),
    KEY_STR(EU, "general.architecture", "", "architecture ''"),
    KEY_INT(EF, "general.architecture", U32, 1, "'general.architecture'"),
    KEY_INT(EF, "general.name", U32, 1, "'general.name'"),
    KEY_INT(EF, "tokenizer.chat_template", F32, 1, "'tokenizer.chat_template'"),

    DROP(EN, L "block_count", "'llama.block_count'"),
    KEY_INT(EF, L "block_count", U32, 0, "'llama.block_count' is 0"),
    KEY_INT(EF, L "block_count", U32, 1u << 31, "'llama.block_count' is 2147483648"),
    KEY_INT(EF, L "block_count", U64, UINT64_MAX, "'llama.block_count'"),
    KEY_INT(EF, L "block_count", I32, -1, "'llama.block_count'"),
    KEY_INT(EF, L "block_count", BOOL, 1, "'llama.block_count'"),
    KEY_F32(EF, L "block_count", 1, "'llama.block_count'"),
    KEY_STR(EF, L "block_count", "1", "'llama.block_count'"),
    KEY_LIST(EF, L "block_count", 1, 1, "'llama.block_count'"),
    KEY_INT(EF, L "block_count", U32, 2, "tensor 'blk.1.attn_norm.weight' is missing"),
    KEY_INT(EF, L "block_count", U32, 4096, "tensor 'blk.1.attn_norm.weight' is missing"),

    DROP(EN, L "embedding_length", "'llama.embedding_length'"),
    KEY_INT(EF, L "embedding_length", U32, 0, "'llama.embedding_length' is 0"),
    KEY_INT(EF, L "embedding_length", U32, 64, "tensor 'token_embd.weight' is [32, 16"),
    KEY_INT(EF, L "embedding_length", U32, UINT32_MAX, "'llama.embedding_length'"),
    DROP(EN, L "context_length", "'llama.context_length'"),
    KEY_INT(EF, L "context_length", U32, 0, "'llama.context_length' is 0"),
    KEY_INT(EF, L "context_length", U32, UINT32_MAX, "'llama.context_length'"),
    DROP(EN, L "feed_forward_length", "'llama.feed_forward_length'"),
    KEY_INT(EF, L "feed_forward_length", U32, 0, "'llama.feed_forward_length' is 0"),
    KEY_INT(EF, L "feed_forward_length", U32, 48, "tensor 'blk.0.ffn_gate.weight'"),
    KEY_LIST(EF, L "feed_forward_length", 0, 32, "'llama.feed_forward_length' has 2 entries"),

    DROP(EN, A "head_count", "'llama.attention.head_count'"),
    KEY_INT(EF, A "head_count", U32, 0, "'llama.attention.head_count' is 0"),
    KEY_INT(EF, A "head_count", U32, 3, "'llama.attention.head_count' is 3, should divide"),
    KEY_INT(EF, A "head_count", U32, 64, "'llama.attention.head_count' is 64, should divide"),
    KEY_INT(EF, A "head_count", U32, 65537, "'llama.attention.head_count' is 65537"),
    KEY_INT(EF, A "head_count", I32, -2, "'llama.attention.head_count'"),
    KEY_LIST(EF, A "head_count", 1u << 31, 2, "'llama.attention.head_count' has 2 entries"),
    KEY_INT(EF, A "head_count_kv", U32, 0, "'llama.attention.head_count_kv' is 0"),
    KEY_INT(EF, A "head_count_kv", U32, 4, "'llama.attention.head_count_kv' is 4, should divide"),
    KEY_INT(EF, A "head_count_kv", U32, 2, "tensor 'blk.0.attn_k.weight'"),
    KEY_LIST(EF, A "head_count_kv", 0, 1, "'llama.attention.head_count_kv' has 2 entries"),
    KEY_INT(EF, A "key_length", U32, 0, "'llama.attention.key_length' is 0"),
    KEY_INT(EF, A "key_length", U32, 4097, "'llama.attention.key_length' is 4097"),
    KEY_INT(EF, A "key_length", U32, 8, "'llama.rope.dimension_count' is 16"),
    KEY_INT(EF, A "key_length", U32, 32, "tensor 'blk.0.attn_q.weight'"),
    KEY_INT(EF, A "value_length", U32, 0, "'llama.attention.value_length' is 0"),
    KEY_INT(EF, A "value_length", U32, 32, "tensor 'blk.0.attn_v.weight'"),
    KEY_INT(EF, L "rope.dimension_count", U32, 0, "'llama.rope.dimension_count' is 0"),
    KEY_INT(EF, L "rope.dimension_count", U32, 15, "'llama.rope.dimension_count' is 15"),
    KEY_INT(EF, L "rope.dimension_count", U32, 18, "'llama.rope.dimension_count' is 18"),
    KEY_F32(EF, L "rope.freq_base", 0, "'llama.rope.freq_base'"),
    KEY_F32(EF, L "rope.freq_base", NAN, "'llama.rope.freq_base'"),
    KEY_F32(EF, L "rope.freq_base", INFINITY, "'llama.rope.freq_base'"),
    KEY_STR(EF, L "rope.freq_base", "10000", "'llama.rope.freq_base'"),
    KEY_STR(EU, L "rope.scaling.type", "dynamic", "'llama.rope.scaling.type'"),
    KEY_INT(EF, L "rope.scaling.type", U32, 1, "'llama.rope.scaling.type'"),
    DROP(EN, A "layer_norm_rms_epsilon", "'llama.attention.layer_norm_rms_epsilon'"),
    KEY_F32(EF, A "layer_norm_rms_epsilon", -1, "'llama.attention.layer_norm_rms_epsilon'"),
    KEY_F32(EF, A "layer_norm_rms_epsilon", NAN, "'llama.attention.layer_norm_rms_epsilon'"),
    KEY_F32(EF, A "scale", NAN, "'llama.attention.scale'"),
    KEY_F32(EF, A "scale", 0, "'llama.attention.scale'"),
    KEY_STR(EF, A "sliding_window", "1", "'llama.attention.sliding_window'"),
    KEY_INT(EN, L "expert_count", U32, 8, "'llama.expert_used_count'"),
    KEY_INT(EF, L "expert_count", U32, 4097, "'llama.expert_count' is 4097"),
    KEY_INT(EF, L "nextn_predict_layers", U32, 1, "'llama.nextn_predict_layers'"),
    KEY_STR(EF, L "expert_count", "none", "'llama.expert_count'"),
    KEY_F32(EU, A "clamp_kqv", 8, "'llama.attention.clamp_kqv'"),
    KEY_F32(EU, L "attn_logit_softcapping", 50, "'llama.attn_logit_softcapping'"),
    KEY_F32(EU, L "final_logit_softcapping", NAN, "'llama.final_logit_softcapping'"),

    KEY_STR(EU, T "model", "plamo2", "'tokenizer.ggml.model'"),
    KEY_INT(EF, T "model", U32, 1, "'tokenizer.ggml.model'"),
    DROP(EN, T "tokens", "'tokenizer.ggml.tokens'"),
    KEY_LIST(EF, T "tokens", 1, 2, "'tokenizer.ggml.tokens'"),
    KEY_LIST(EF, T "token_type", 1, 2, "'tokenizer.ggml.token_type'"),
    KEY_STR(EF, T "scores", "1 2 3", "'tokenizer.ggml.scores'"),
    {{.act = MB_FLOATS, .name = T "scores", .real = NAN}, EF, "tokenizer.ggml.scores[0]"},
    {{.act = MB_FLOATS, .name = T "token_type", .real = 1}, EF, "tokenizer.ggml.token_type[0]"},
    KEY_INT(EF, T "bos_token_id", U32, 16, "'tokenizer.ggml.bos_token_id'"),
    KEY_INT(EF, T "eos_token_id", I32, -2, "'tokenizer.ggml.eos_token_id'"),
    KEY_INT(EF, T "eos_token_id", U64, (uint64_t)1 << 63, "'tokenizer.ggml.eos_token_id'"),
    KEY_STR(EF, T "eos_token_id", "2", "'tokenizer.ggml.eos_token_id'"),
    KEY_LIST(EF, T "bos_token_id", 1, 1, "'tokenizer.ggml.bos_token_id'"),
    KEY_STR(EF, T "add_bos_token", "yes", "'tokenizer.ggml.add_bos_token'"),

    KEY_INT(EF, "general.alignment", U32, 0, "'general.alignment'"),
    KEY_INT(EF, "general.alignment", U32, 3, "'general.alignment'"),
    KEY_INT(EF, "general.alignment", U32, 1u << 31, "'general.alignment'"),
    KEY_INT(EF, "split.count", U16, 2, "'split.count'"),

    TENSOR(MB_TYPE, EU, "blk.0.ffn_up.weight", 9, 0, "tensor 'blk.0.ffn_up.weight'"),
    TENSOR(MB_TYPE, EU, "blk.0.ffn_up.weight", 4000000000, 0, "tensor 'blk.0.ffn_up.weight'"),
    TENSOR(MB_TYPE, EF, "blk.0.attn_q.weight", INGLE_TYPE_Q6_K, 0, "tensor 'blk.0.attn_q.weight'"),
    TENSOR(MB_TYPE, EF, "output.weight", INGLE_TYPE_F32, 0, "tensor 'output.weight'"),
    TENSOR(MB_DIMS, EF, "token_embd.weight", 32, 15, "tensor 'output.weight'"),
    TENSOR(MB_DIMS, EF, "token_embd.weight", 32, 1u << 31, "tensor 'token_embd.weight'"),
    TENSOR(MB_DIMS, EF, "token_embd.weight", (uint64_t)1 << 63, 1, "tensor 'token_embd.weight'"),
    TENSOR(MB_MOVE, EF, "blk.0.attn_k.weight", 0, 0, "tensor 'blk.0.attn_k.weight'"),
    TENSOR(MB_MOVE, EF, "output.weight", 0, 0, "tensor 'output.weight'"),
    TENSOR(MB_MOVE, EF, "output.weight", 1 << 20, 0, "tensor 'output.weight'"),
    TENSOR(MB_MOVE, EF, "output.weight", 1, 0, "tensor 'output.weight'"),
    TENSOR(MB_MOVE, EF, "output.weight", UINT64_MAX - 31, 0, "tensor 'output.weight'"),
    ADD(EU, "blk.0.attn_q.scale", 2, 1, 1, "'blk.0.attn_q.scale'"),
    ADD(EU, "blk.0.attn_norm.scale", 1, 1, 1, "'blk.0.attn_norm.scale'"),
    ADD(EU, "blk.0.ffn_gate_exps.weight", 32, 32, 0, "tensor 'blk.0.ffn_gate_exps.weight'"),
    ADD(EU, "blk.1.attn_q.weight", 32, 32, 0, "tensor 'blk.1.attn_q.weight'"),
    ADD(EU, "blk.0.attn_q_norm.weight", 16, 1, 1, "tensor 'blk.0.attn_q_norm.weight'"),
    ADD(EF, "blk.0.attn_q.bias", 31, 1, 0, "tensor 'blk.0.attn_q.bias'"),
    ADD(EF, "blk.0.attn_q.bias", 32, 2, 0, "tensor 'blk.0.attn_q.bias'"),
    ADD(EF, "blk.0.attn_q.weight", 32, 32, 0, "tensor 'blk.0.attn_q.weight' is there twice"),
    ADD(EF, "rope_freqs.weight", 7, 1, 1, "tensor 'rope_freqs.weight'"),
    ADD(EF, "rope_freqs.weight", 8, 1, 0, "tensor 'rope_freqs.weight' entry 0"),
    ADD(EF, "rope_freqs.weight", 8, 1, NAN, "tensor 'rope_freqs.weight' entry 0"),
    ADD(EF, "rope_freqs.weight", 8, 1, -1, "tensor 'rope_freqs.weight' entry 0"),
};

static void expect_refused(const mb_spec *s, ingle_status status, const char *text)
{
    ingle_model *m = NULL;
    ingle_error err = {""};
    wrap_alloc_begin(0);
    ingle_status st = open_spec(&m, s, &err);
    ingle_model_close(&m);
    wrap_alloc_end();
    if (st != status || !strstr(err.text, text))
        fail_msg("%s %" PRIu64 ": %s: \"%s\", not %s: \"%s\"", s->bend.name, s->bend.value,
                 ingle_status_name(st), err.text, ingle_status_name(status), text);
    assert_int_equal(wrap_alloc_live(), 0);
    assert_int_equal(wrap_alloc_mapped(), 0);
    if (wrap_alloc_bytes() > 1 << 20)
        fail_msg("%s: %zu bytes to refuse a file of 10 KiB", s->bend.name, wrap_alloc_bytes());
}

static void bent_models_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bends / sizeof bends[0]; i++)
        expect_refused(&(mb_spec){INGLE_TYPE_Q8_0, 32, bends[i].bend, -1, 0}, bends[i].status,
                       bends[i].text);
    expect_refused(&(mb_spec){.type = INGLE_TYPE_Q8_0, .n_embd = 32, .fill = -1, .n_rows = 15},
                   INGLE_EFORMAT, "tokenizer.ggml.tokens has 16 entries");
}

/* Every tensor missing, every tensor of another shape; output.weight may be missing. */
static void every_tensor_is_needed(void **state)
{
    (void)state;
    mb_tensor t[MB_TENSORS + 1];
    mb_tensors(t, 32, MB_VOCAB);
    for (size_t i = 0; i < MB_TENSORS; i++) {
        char text[80];
        const char *name = t[i].name;
        snprintf(text, sizeof text, "tensor '%s'", name);
        mb_spec s = {INGLE_TYPE_Q8_0, 32, {.act = MB_DROP, .name = name}, -1, 0};
        if (strcmp(name, "output.weight") != 0) {
            snprintf(text, sizeof text, "tensor '%s' is missing", name);
            expect_refused(&s, INGLE_EFORMAT, text);
        }
        snprintf(text, sizeof text, "tensor '%s'", name);
        s.bend.act = MB_DIMS; /* smaller: within its place, so only the shape is wrong */
        s.bend.value = t[i].vector ? 16 : t[i].dims[1] == 16 ? 64 : t[i].dims[0];
        s.bend.value2 = t[i].vector ? 1 : t[i].dims[1] / 2;
        expect_refused(&s, INGLE_EFORMAT, text);
    }
}

/* What is odd but has a meaning is let in, and then runs. */
static void odd_models_run(void **state)
{
    (void)state;
    static const mb_bend odd[] = {
        {.act = MB_NOTHING},
        {.act = MB_DROP, .name = "output.weight"}, /* tied */
        {.act = MB_DROP, .name = "tokenizer.ggml.model"},
        {.act = MB_DROP, .name = "tokenizer.ggml.scores"},
        {.act = MB_DROP, .name = "tokenizer.ggml.token_type"},
        {.act = MB_DROP, .name = "llama.rope.dimension_count"},
        {.act = MB_DIMS, .name = "token_embd.weight", .value = 32, .value2 = MB_VOCAB},
        {.act = MB_INT, .name = "llama.context_length", .type = INGLE_GGUF_U32, .value = 1 << 30},
        {.act = MB_INT, .name = "llama.expert_count", .type = INGLE_GGUF_U32},
        {.act = MB_INT,
         .name = "llama.attention.sliding_window",
         .type = INGLE_GGUF_U8,
         .value = 1},
        {.act = MB_INT, .name = "tokenizer.ggml.bos_token_id", .type = INGLE_GGUF_U32, .value = 9},
        {.act = MB_F32, .name = "llama.rope.freq_base", .real = 1},
        {.act = MB_F32, .name = "llama.attention.layer_norm_rms_epsilon", .real = 0},
        {.act = MB_ADD, .name = "rope_freqs.weight", .value = 8, .value2 = 1, .real = 1e-38f},
        {.act = MB_ADD, .name = "blk.0.attn_q.bias", .value = 32, .value2 = 1, .real = 1e30f},
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        house h = {0};
        ingle_error err = {""};
        mb_spec s = {INGLE_TYPE_Q8_0, 32, odd[i], -1, 0};
        if (open_spec(&h.model, &s, &err)) fail_msg("%s: %s", odd[i].name, err.text);
        furnish(&h, INGLE_TYPE_F16, NULL);
        generate(&h, &err);
        close_house(&h);
    }
}

#define REFUSED(status, text, call)                                                                \
    do {                                                                                           \
        ingle_error err = {""};                                                                    \
        assert_int_equal(call, status);                                                            \
        assert_text(&err, text);                                                                   \
    } while (0)

static bool lists_no_padding(void *user, const ingle_event *e)
{
    (void)user;
    assert_true(e->n_top <= MB_VOCAB);
    for (size_t i = 0; i < e->n_top; i++) assert_in_range(e->top[i].token, 0, MB_VOCAB - 1);
    return true;
}

/* Rows of a padded vocabulary, which have no token: -inf in logits, so never drawn, whatever their bias,
 * nor listed. */
static void tokens_without_text(void **state)
{
    (void)state;
    house h = {0};
    ingle_error err = {""};
    ingle_sampler_options so;
    ingle_generate_options go;
    ingle_logit_bias bias = {39, 1e6f};
    mb_spec s = {.type = INGLE_TYPE_Q8_0, .n_embd = 32, .fill = -1, .n_rows = 40};
    must(open_spec(&h.model, &s, &err), &err);
    ingle_sampler_options_init(&so);
    so.temperature = 100;
    so.top_k = 0, so.top_p = 1, so.min_p = 0;
    so.logit_bias = &bias;
    so.n_logit_bias = 1;
    ingle_sampler *refused;
    assert_int_equal(ingle_sampler_open(&refused, &so, 40, h.model, &err), INGLE_EINVAL);
    assert_text(&err, "token 39");
    so.n_logit_bias = 0;
    furnish(&h, INGLE_TYPE_F16, &so);
    so.n_logit_bias = 1;
    ingle_sampler_close(&h.sampler);
    must(ingle_sampler_open(&h.sampler, &so, 40, NULL, &err), &err); /* does not know the model */
    ingle_generate_options_init(&go);
    go.ignore_eog = true;
    go.logprobs = 30;
    go.max_tokens = 40;
    go.on_event = lists_no_padding;
    const int32_t prompt[] = {3, 4}, *tokens;
    const float *row;
    size_t n;
    must(ingle_generate(h.session, h.sampler, prompt, 2, &go, NULL, &err), &err);
    must(ingle_session_tokens(h.session, &tokens, &n, &err), &err);
    assert_int_equal(n, 42);
    for (size_t i = 0; i < n; i++) assert_in_range(tokens[i], 0, MB_VOCAB - 1);
    must(ingle_session_truncate(h.session, 0, &err), &err);
    must(ingle_session_eval(h.session, prompt, 2, INGLE_ROWS_ALL, &err), &err);
    for (size_t r = 0; r < 2; r++) {
        must(ingle_session_logits(h.session, r, &row, &err), &err);
        for (int i = 0; i < 40; i++) assert_int_equal(row[i] > -INFINITY, i < MB_VOCAB);
    }
    close_house(&h);
}

/* A text's vectors [n_rows][*width] by a model of 40 rows, of which 16 have a token, or all where the
 * file has no vocabulary; the caller frees them. */
static float *padded_vectors(bool vocabulary, ingle_pooling pooling, size_t n_rows, size_t *width)
{
    static const int32_t text[] = {3, 4, 15, 16, 39};
    house h = {0};
    ingle_error err;
    ingle_embed_options o;
    const float *v;
    float *all = NULL;
    mb_spec s = {.type = INGLE_TYPE_Q8_0, .n_embd = 32, .fill = -1, .n_rows = 40};
    if (!vocabulary) s.bend = (mb_bend){.act = MB_DROP, .name = "tokenizer.ggml.model"};
    must(open_spec(&h.model, &s, &err), &err);
    must(ingle_engine_open(&h.engine, h.model, NULL, &err), &err);
    must(ingle_session_open(&h.session, h.engine, &err), &err);
    ingle_embed_options_init(&o);
    o.pooling = pooling;
    must(ingle_session_embed(h.session, text, 5, &o, &err), &err);
    for (size_t r = 0; r < n_rows; r++) {
        must(ingle_session_embedding(h.session, r, &v, width, &err), &err);
        all = realloc(all, (r + 1) * *width * sizeof *all);
        assert_non_null(all);
        memcpy(all + r * *width, v, *width * sizeof *all);
    }
    assert_int_equal(ingle_session_embedding(h.session, n_rows, &v, width, &err), INGLE_ENOTFOUND);
    must(ingle_session_eval(h.session, text, 5, INGLE_ROWS_LAST, &err), &err); /* one row alone */
    must(ingle_session_logits(h.session, 0, &v, &err), &err);
    for (int i = 0; i < 40; i++) assert_int_equal(v[i] > -INFINITY, !vocabulary || i < MB_VOCAB);
    close_house(&h);
    return all;
}

/* Hidden states know nothing of it: their vectors have the bits of a model without padding. */
static void padding_embeds(void **state)
{
    static const ingle_pooling poolings[] = {INGLE_POOLING_NONE, INGLE_POOLING_MEAN,
                                             INGLE_POOLING_CLS, INGLE_POOLING_LAST,
                                             INGLE_POOLING_AUTO};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        size_t n_rows = poolings[i] == INGLE_POOLING_NONE ? 5 : 1, width, same;
        float *padded = padded_vectors(true, poolings[i], n_rows, &width);
        float *whole = padded_vectors(false, poolings[i], n_rows, &same);
        assert_int_equal(width, 32);
        assert_int_equal(same, width);
        for (size_t k = 0; k < n_rows * width; k++) assert_true(isfinite(padded[k]));
        assert_memory_equal(padded, whole, n_rows * width * sizeof *padded);
        free(padded);
        free(whole);
    }
}

static void a_context_of_one(void **state)
{
    (void)state;
    house h = {0};
    ingle_error err = {""};
    mb_spec s = {
        INGLE_TYPE_F32, 32, {MB_INT, "llama.context_length", INGLE_GGUF_U32, 1, 0, 0, 0}, 0, 0};
    must(open_spec(&h.model, &s, &err), &err);
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_threads = 1;
    must(ingle_engine_open(&h.engine, h.model, &eo, &err), &err);
    must(ingle_engine_warm_up(h.engine, &err), &err);
    must(ingle_session_open(&h.session, h.engine, &err), &err);
    must(ingle_sampler_open(&h.sampler, NULL, MB_VOCAB, h.model, &err), &err);
    int32_t token = 3;
    ingle_generate_result result = {.size = sizeof result};
    assert_int_equal(ingle_generate(h.session, h.sampler, (int32_t[]){3, 4}, 2, NULL, NULL, &err),
                     INGLE_EFULL);
    must(ingle_generate(h.session, h.sampler, &token, 1, NULL, &result, &err), &err);
    assert_int_equal(result.finish, INGLE_FINISH_LENGTH);
    assert_int_equal(result.n_generated, 0);
    close_house(&h);
}

/* ---- cut and changed ---- */

static void cut_at_every_byte(void **state)
{
    (void)state;
    mb_model b;
    mb_build(&b, &(mb_spec){INGLE_TYPE_Q8_0, 32, {0}, -1, 0});
    ingle_model *m;
    ingle_error err;
    for (size_t n = 0; n < b.n; n += n < b.n_head || n > b.n - 64 ? 1 : 13) {
        ingle_status st = open_bytes(&m, b.p, n, INGLE_ISA_AUTO, &err);
        bool named = strstr(err.text, "key ") || strstr(err.text, "tensor ");
        if (st != INGLE_EFORMAT || !(named || n < 32))
            fail_msg("cut at %zu: %s: %s", n, ingle_status_name(st), err.text);
    }
    must(open_bytes(&m, b.p, b.n, INGLE_ISA_AUTO, &err), &err);
    ingle_model_close(&m);
    free(b.p);
}

/* The bundled model, shorter and shorter: many places in its head, many in its data. */
static void bundled_model_cut(void **state)
{
    (void)state;
    static uint8_t part[1 << 16];
    char path[32];
    FILE *f = fopen(INGLE_SOURCE_DIR "/models/tiny-chat.gguf", "rb");
    int fd = gb_file(NULL, 0, path);
    assert_non_null(f);
    for (size_t n; (n = fread(part, 1, sizeof part, f));) assert_int_equal(write(fd, part, n), n);
    off_t size = lseek(fd, 0, SEEK_CUR);
    fclose(f);
    ingle_model *m;
    ingle_model_options mo;
    ingle_error err;
    ingle_model_options_init(&mo);
    mo.n_threads = 1;
    must(ingle_model_open(&m, path, &mo, &err), &err);
    ingle_model_close(&m);
    for (off_t n = size - 1; n >= 0; n -= n > 100000 ? 20011 : 401) {
        assert_int_equal(ftruncate(fd, n), 0);
        ingle_status st = ingle_model_open(&m, path, &mo, &err);
        bool named = strstr(err.text, "key ") || strstr(err.text, "tensor ");
        if (st != INGLE_EFORMAT || !(named || n < 32))
            fail_msg("cut at %lld: %s: %s", (long long)n, ingle_status_name(st), err.text);
        assert_null(m);
    }
    close(fd);
}

/* Every byte of the head becomes some others. Whatever is let in also runs. */
static void every_byte_changed(void **state)
{
    (void)state;
    static const uint8_t others[] = {0, 1, 0x7f, 0x80, 0xff};
    mb_model b;
    mb_build(&b, &(mb_spec){INGLE_TYPE_Q8_0, 32, {0}, -1, 0});
    size_t n_in = 0, n_out = 0;
    for (size_t i = 0; i < b.n_head; i++)
        for (size_t k = 0; k < sizeof others; k++) {
            house h = {0};
            ingle_error err = {""};
            uint8_t old = b.p[i];
            b.p[i] = others[k];
            ingle_status st = open_bytes(&h.model, b.p, b.n, INGLE_ISA_AUTO, &err);
            b.p[i] = old;
            if (st) {
                assert_true(err.text[0] != 0);
                n_out++;
                continue;
            }
            n_in++;
            furnish(&h, INGLE_TYPE_F16, NULL);
            generate(&h, &err);
            close_house(&h);
        }
    assert_true(n_in > 100 && n_out > 1000);
    free(b.p);
}

/* ---- weights that are no numbers ---- */

static const ingle_type types[] = {
    INGLE_TYPE_F32,   INGLE_TYPE_F16,     INGLE_TYPE_BF16,  INGLE_TYPE_Q4_0,    INGLE_TYPE_Q4_1,
    INGLE_TYPE_Q5_0,  INGLE_TYPE_Q5_1,    INGLE_TYPE_Q8_0,  INGLE_TYPE_Q2_K,    INGLE_TYPE_Q3_K,
    INGLE_TYPE_Q4_K,  INGLE_TYPE_Q5_K,    INGLE_TYPE_Q6_K,  INGLE_TYPE_IQ4_NL,  INGLE_TYPE_IQ4_XS,
    INGLE_TYPE_MXFP4, INGLE_TYPE_NVFP4,   INGLE_TYPE_Q1_0,  INGLE_TYPE_Q2_0,    INGLE_TYPE_TQ1_0,
    INGLE_TYPE_TQ2_0, INGLE_TYPE_IQ1_S,   INGLE_TYPE_IQ1_M, INGLE_TYPE_IQ2_XXS, INGLE_TYPE_IQ2_XS,
    INGLE_TYPE_IQ2_S, INGLE_TYPE_IQ3_XXS, INGLE_TYPE_IQ3_S, INGLE_TYPE_IQ2_K,   INGLE_TYPE_IQ3_K,
    INGLE_TYPE_IQ4_K, INGLE_TYPE_IQ5_K,   INGLE_TYPE_IQ6_K, INGLE_TYPE_IQ4_KS,  INGLE_TYPE_IQ5_KS,
};

/* 0xffff is a NaN in f16, bf16 and f32, so every scale (or weight) is one; the scales of MXFP4 and
 * NVFP4 are always numbers. 0x7c00, 0xfc00, 0x7f80: infinities. */
static void check_fill(ingle_type type, int fill, ingle_isa isa, ingle_type kv_type)
{
    house h = {0};
    ingle_error err = {""};
    mb_model b;
    mb_build(&b, &(mb_spec){type, 256, {0}, fill, 0});
    ingle_status st = open_bytes(&h.model, b.p, b.n, isa, &err);
    free(b.p);
    must(st, &err);
    furnish(&h, kv_type, NULL);
    st = generate(&h, &err);
    if (fill == 0xffff && type != INGLE_TYPE_MXFP4 && type != INGLE_TYPE_NVFP4) {
        const float *row;
        assert_int_equal(st, INGLE_EFORMAT);
        must(ingle_session_eval(h.session, (int32_t[]){3, 4, 5}, 3, INGLE_ROWS_LAST, &err), &err);
        must(ingle_session_logits(h.session, 0, &row, &err), &err);
        for (int i = 0; i < MB_VOCAB; i++) assert_true(isnan(row[i]));
    }
    if (fill == -1 || fill == 0) assert_int_equal(st, INGLE_OK);
    close_house(&h);
}

static void weights_of_any_bytes(void **state)
{
    (void)state;
    static const ingle_isa levels[] = {INGLE_ISA_REF, INGLE_ISA_AVX2, INGLE_ISA_AVX512,
                                       INGLE_ISA_AVX512BF16, INGLE_ISA_NEON};
    static const int fills[] = {-1, -2, 0, 0xffff, 0x7c00, 0xfc00, 0x7f80, 0x8080};
    static const ingle_type kv[] = {INGLE_TYPE_F32, INGLE_TYPE_F16, INGLE_TYPE_BF16,
                                    INGLE_TYPE_Q8_0};
    size_t n = 0;
    for (size_t l = 0; l < 5; l++) {
        if (!ingle_isa_runs_here(levels[l])) continue;
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
            for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++)
                check_fill(types[t], fills[f], levels[l], kv[n++ % 4]);
    }
    assert_true(n > 90);
}

/* However a sampler is set, a row with one NaN or +inf is refused with the token's name, and a row
 * of -inf alone too. */
static void rows_of_no_numbers(void **state)
{
    (void)state;
    ingle_sampler_options so[8];
    for (size_t i = 0; i < 8; i++) ingle_sampler_options_init(&so[i]);
    so[0].temperature = 0;
    so[2].mirostat = 1;
    so[3].mirostat = 2;
    so[4].typical_p = 0.5f;
    so[5].top_n_sigma = 1;
    so[6].dynatemp_range = 0.5f;
    so[7].xtc_probability = 1;
    for (size_t i = 0; i < 8; i++) {
        ingle_sampler *s;
        ingle_error err;
        ingle_candidate c;
        const ingle_candidate *all;
        size_t n;
        must(ingle_sampler_open(&s, &so[i], 100, NULL, &err), &err);
        for (size_t at = 0; at < 100; at += 33) {
            float row[100] = {0}, bad[] = {NAN, -NAN, INFINITY};
            for (size_t k = 0; k < 3; k++) {
                char text[32];
                row[at] = bad[k];
                snprintf(text, sizeof text, "logit of token %zu", at);
                assert_int_equal(ingle_sampler_sample(s, row, &c, &err), INGLE_EFORMAT);
                assert_text(&err, text);
                assert_int_equal(ingle_sampler_apply(s, row, &all, &n, &err), INGLE_EFORMAT);
            }
            for (size_t k = 0; k < 100; k++) row[k] = k == at ? 3 : -INFINITY;
            must(ingle_sampler_sample(s, row, &c, &err), &err);
            assert_int_equal(c.token, at);
            row[at] = -INFINITY;
            assert_int_equal(ingle_sampler_sample(s, row, &c, &err), INGLE_EINVAL);
        }
        ingle_sampler_close(&s);
    }
}

/* ---- calls ---- */

static house sound(void)
{
    house h = {0};
    ingle_error err;
    must(open_spec(&h.model, &(mb_spec){INGLE_TYPE_Q8_0, 32, {0}, -1, 0}, &err), &err);
    furnish(&h, INGLE_TYPE_F16, NULL);
    return h;
}

static void wrong_calls_of_models(void **state)
{
    (void)state;
    house h = sound();
    ingle_model *m;
    ingle_model_options mo;
    size_t n;
    int32_t id = 0;
    char c;
    REFUSED(INGLE_EINVAL, "path", ingle_model_open(&m, NULL, NULL, &err));
    ingle_model_options_init(&mo);
    mo.size--;
    REFUSED(INGLE_EINVAL, "'size'", ingle_model_open(&m, "x", &mo, &err));
    ingle_model_options_init(&mo);
    mo.parts = (ingle_parts)-1;
    REFUSED(INGLE_EINVAL, "'parts'", ingle_model_open(&m, "x", &mo, &err));
    ingle_model_options_init(&mo);
    mo.isa = (ingle_isa)99;
    REFUSED(INGLE_EUNSUPPORTED, "'isa'", ingle_model_open(&m, "x", &mo, &err));
    mo.isa = (ingle_isa)-1;
    REFUSED(INGLE_EUNSUPPORTED, "'isa'", ingle_model_open(&m, "x", &mo, &err));
    REFUSED(INGLE_EIO, "directory", ingle_model_open(&m, "/", NULL, &err));
    REFUSED(INGLE_EIO, "regular", ingle_model_open(&m, "/dev/null", NULL, &err));

    REFUSED(INGLE_EINVAL, "info", ingle_model_info_get(h.model, NULL, &err));
    REFUSED(INGLE_EINVAL, "info", ingle_model_tensor(h.model, 0, NULL, &err));
    REFUSED(INGLE_EINVAL, "info", ingle_token_info_get(h.model, 0, NULL, &err));
    REFUSED(INGLE_ENOTFOUND, "keys", ingle_model_meta(h.model, SIZE_MAX, NULL, &c, 1, &n, 1, &err));
    REFUSED(INGLE_EINVAL, "len", ingle_model_meta(h.model, 0, NULL, &c, 1, NULL, 1, &err));
    REFUSED(INGLE_EINVAL, "value", ingle_model_meta(h.model, 0, NULL, NULL, 1, &n, 1, &err));
    REFUSED(INGLE_ERANGE, "bytes", ingle_model_meta(h.model, 0, NULL, NULL, 0, &n, 1, &err));
    REFUSED(INGLE_ERANGE, "bytes", ingle_model_plan(h.model, NULL, 0, NULL, &err));
    REFUSED(INGLE_EINVAL, "text", ingle_model_plan(h.model, NULL, 1 << 20, NULL, &err));
    REFUSED(INGLE_EINVAL, "n is NULL", ingle_tokenize(h.model, "a", 1, 0, &id, 1, NULL, &err));
    REFUSED(INGLE_EINVAL, "NULL", ingle_tokenize(h.model, NULL, 1, 0, &id, 1, &n, &err));
    REFUSED(INGLE_EINVAL, "NULL", ingle_tokenize(h.model, "a", 1, 0, NULL, 1, &n, &err));
    REFUSED(INGLE_EINVAL, "flags", ingle_tokenize(h.model, "a", 1, ~0u, &id, 1, &n, &err));
    REFUSED(INGLE_EINVAL, "len", ingle_detokenize(h.model, &id, 1, 0, &c, 1, NULL, &err));
    REFUSED(INGLE_EINVAL, "NULL", ingle_detokenize(h.model, NULL, 1, 0, &c, 1, &n, &err));
    REFUSED(INGLE_EINVAL, "flags", ingle_detokenize(h.model, &id, 1, ~0u, &c, 1, &n, &err));
    for (int i = 0; i < 4; i++) {
        static const int32_t bad[] = {-1, MB_VOCAB, INT32_MIN, INT32_MAX};
        ingle_token_info info = {.size = sizeof info};
        char text[32];
        snprintf(text, sizeof text, "%d", bad[i]);
        REFUSED(INGLE_ENOTFOUND, text, ingle_token_info_get(h.model, bad[i], &info, &err));
        ingle_error err = {""};
        assert_int_not_equal(ingle_detokenize(h.model, &bad[i], 1, 0, &c, 1, &n, &err), INGLE_OK);
        assert_text(&err, text);
    }
    ingle_memory mem = {.size = sizeof mem};
    REFUSED(INGLE_EINVAL, "mem", ingle_model_memory(h.model, NULL, NULL, &err));
    REFUSED(INGLE_ECLOSED, "closed", ingle_model_memory(NULL, NULL, &mem, &err));
    ingle_home_memory home = {.size = sizeof home};
    REFUSED(INGLE_EINVAL, "home", ingle_model_home_memory(h.model, NULL, 0, NULL, &err));
    REFUSED(INGLE_ECLOSED, "closed", ingle_model_home_memory(NULL, NULL, 0, &home, &err));
    REFUSED(INGLE_ENOTFOUND, "1 home", ingle_model_home_memory(h.model, NULL, 1, &home, &err));
    close_house(&h);
}

static void wrong_calls_of_engines(void **state)
{
    (void)state;
    house h = sound();
    ingle_engine *e;
    ingle_session *s;
    ingle_engine_options eo;
    static const struct {
        const char *name;
        size_t offset;
        int32_t values[4];
    } bad[] = {
        {"n_ctx", offsetof(ingle_engine_options, n_ctx), {-1, INT32_MIN, INT32_MAX, 1 << 25}},
        {"n_sessions", offsetof(ingle_engine_options, n_sessions), {0, -1, INT32_MIN, INT32_MAX}},
        {"n_batch", offsetof(ingle_engine_options, n_batch), {0, -1, INT32_MIN, INT32_MAX}},
        {"n_threads", offsetof(ingle_engine_options, n_threads), {-1, 1025, INT32_MIN, INT32_MAX}},
    };
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++) {
            ingle_engine_options_init(&eo);
            memcpy((char *)&eo + bad[i].offset, &bad[i].values[k], 4);
            REFUSED(INGLE_EINVAL, bad[i].name, ingle_engine_open(&e, h.model, &eo, &err));
            assert_null(e);
        }
    ingle_engine_options_init(&eo);
    eo.kv_type = (ingle_type)12345;
    REFUSED(INGLE_EUNSUPPORTED, "'kv_type'", ingle_engine_open(&e, h.model, &eo, &err));
    ingle_engine_options_init(&eo);
    eo.size = 0;
    REFUSED(INGLE_EINVAL, "'size'", ingle_engine_open(&e, h.model, &eo, &err));
    ingle_engine_options_init(&eo);
    eo.n_ctx = 1 << 24; /* 2^35 pages */
    eo.n_sessions = 1 << 16;
    REFUSED(INGLE_EINVAL, "'n_sessions'", ingle_engine_open(&e, h.model, &eo, &err));

    REFUSED(INGLE_EINVAL, "out", ingle_engine_open(NULL, h.model, NULL, &err));
    REFUSED(INGLE_EINVAL, "out", ingle_session_open(NULL, h.engine, &err));
    REFUSED(INGLE_ECLOSED, "engine", ingle_session_open(&s, NULL, &err));
    REFUSED(INGLE_EINVAL, "info", ingle_engine_info_get(h.engine, NULL, &err));
    REFUSED(INGLE_EINVAL, "cost", ingle_engine_cost(h.engine, NULL, &err));
    REFUSED(INGLE_EINVAL, "limits", ingle_engine_limits(h.engine, NULL, &err));
    assert_int_equal(ingle_engine_step(h.engine, NULL, NULL), INGLE_OK);
    ingle_engine_close(&h.engine);
    REFUSED(INGLE_ECLOSED, "closed", ingle_engine_step(NULL, NULL, &err));
    REFUSED(INGLE_ECLOSED, "closed", ingle_engine_warm_up(NULL, &err));
    ingle_engine_close(NULL);
    ingle_session_close(NULL);
    ingle_model_close(NULL);
    ingle_sampler_close(NULL);
    close_house(&h);
}

static void wrong_calls_of_sessions(void **state)
{
    (void)state;
    house h = sound();
    int32_t one = 3;
    const float *row;
    ingle_error ignored;
    must(ingle_session_eval(h.session, &one, 1, INGLE_ROWS_LAST, &ignored), &ignored);
    /* a count that cannot be right is refused before the tokens are looked at */
    for (int i = 0; i < 3; i++) {
        static const size_t n[] = {MB_CTX, (size_t)1 << 40, SIZE_MAX};
        REFUSED(INGLE_EFULL, "do not fit",
                ingle_session_eval(h.session, &one, n[i], INGLE_ROWS_ALL, &err));
        REFUSED(INGLE_EFULL, "do not fit",
                ingle_generate(h.session, h.sampler, &one, n[i], NULL, NULL, &err));
    }
    for (int i = 0; i < 4; i++) {
        static const int32_t bad[] = {-1, MB_VOCAB, INT32_MIN, INT32_MAX};
        char text[32];
        snprintf(text, sizeof text, "%d", bad[i]);
        REFUSED(INGLE_EINVAL, text,
                ingle_session_eval(h.session, &bad[i], 1, INGLE_ROWS_LAST, &err));
        REFUSED(INGLE_EINVAL, text,
                ingle_generate(h.session, h.sampler, &bad[i], 1, NULL, NULL, &err));
        REFUSED(INGLE_EINVAL, text, ingle_sampler_accept(h.sampler, bad[i], &err));
    }
    REFUSED(INGLE_EINVAL, "rows", ingle_session_eval(h.session, &one, 1, (ingle_rows)-1, &err));
    REFUSED(INGLE_EINVAL, "keep", ingle_session_truncate(h.session, SIZE_MAX, &err));
    REFUSED(INGLE_ENOTFOUND, "row", ingle_session_logits(h.session, SIZE_MAX, &row, &err));
    REFUSED(INGLE_EINVAL, "logits", ingle_session_logits(h.session, 0, NULL, &err));
    REFUSED(INGLE_ECLOSED, "closed", ingle_session_tokens(NULL, NULL, NULL, &err));
    must(ingle_session_tokens(h.session, NULL, NULL, &ignored), &ignored);
    size_t n;
    must(ingle_session_tokens(h.session, NULL, &n, &ignored), &ignored);
    assert_int_equal(n, 1);
    must(ingle_session_logits(h.session, 0, &row, &ignored), &ignored); /* still there */
    close_house(&h);
}

static void wrong_options_of_generate(void **state)
{
    (void)state;
    house h = sound();
    int32_t one = 3;
    ingle_generate_options go;
    ingle_sampler *other;
    ingle_error ignored;
#define TRY(status, text, change)                                                                  \
    do {                                                                                           \
        ingle_generate_options_init(&go);                                                          \
        change;                                                                                    \
        REFUSED(status, text, ingle_generate(h.session, h.sampler, &one, 1, &go, NULL, &err));     \
    } while (0)
    TRY(INGLE_EINVAL, "'size'", go.size = 0);
    TRY(INGLE_EINVAL, "'max_tokens'", go.max_tokens = -2);
    TRY(INGLE_EINVAL, "'logprobs'", go.logprobs = -2);
    TRY(INGLE_EINVAL, "'logprobs'", go.logprobs = INT32_MAX);
    TRY(INGLE_EINVAL, "stops", go.n_stops = 1);
    TRY(INGLE_EINVAL, "stop strings", go.n_stops = SIZE_MAX);
    TRY(INGLE_EINVAL, "'stop_tokens'", go.n_stop_tokens = 1);
    int32_t wrong = MB_VOCAB;
    TRY(INGLE_EINVAL, "'stop_tokens' entry 0", (go.n_stop_tokens = 1, go.stop_tokens = &wrong));
    ingle_stop stop = {NULL, 4};
    TRY(INGLE_EINVAL, "stop string 0", (go.n_stops = 1, go.stops = &stop));
    stop = (ingle_stop){"", 0};
    TRY(INGLE_EINVAL, "stop string 0", (go.n_stops = 1, go.stops = &stop));
    stop = (ingle_stop){"a", SIZE_MAX};
    TRY(INGLE_EINVAL, "stop string 0", (go.n_stops = 1, go.stops = &stop));
    REFUSED(INGLE_ECLOSED, "sampler", ingle_generate(h.session, NULL, &one, 1, NULL, NULL, &err));
    REFUSED(INGLE_EINVAL, "prompt",
            ingle_generate(h.session, h.sampler, NULL, 1, NULL, NULL, &err));
    REFUSED(INGLE_EINVAL, "prompt",
            ingle_generate(h.session, h.sampler, NULL, 0, NULL, NULL, &err));
    for (int32_t n = 1; n <= 1 << 20; n <<= 10) { /* a sampler for another vocabulary */
        must(ingle_sampler_open(&other, NULL, n, NULL, &ignored), &ignored);
        REFUSED(INGLE_EINVAL, "the sampler is for",
                ingle_generate(h.session, other, &one, 1, NULL, NULL, &err));
        ingle_sampler_close(&other);
    }
    size_t n;
    must(ingle_session_tokens(h.session, NULL, &n, &ignored), &ignored);
    assert_int_equal(n, 0);
    close_house(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bent_models_are_refused),
        cmocka_unit_test(every_tensor_is_needed),
        cmocka_unit_test(odd_models_run),
        cmocka_unit_test(tokens_without_text),
        cmocka_unit_test(padding_embeds),
        cmocka_unit_test(a_context_of_one),
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(bundled_model_cut),
        cmocka_unit_test(every_byte_changed),
        cmocka_unit_test(weights_of_any_bytes),
        cmocka_unit_test(rows_of_no_numbers),
        cmocka_unit_test(wrong_calls_of_models),
        cmocka_unit_test(wrong_calls_of_engines),
        cmocka_unit_test(wrong_calls_of_sessions),
        cmocka_unit_test(wrong_options_of_generate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
