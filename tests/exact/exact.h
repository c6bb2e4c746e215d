/* exact.h - for tests of determinism: a small model of any weight type in memory, and what runs it.
 * Include after golden/run.h; needs _GNU_SOURCE. */
#ifndef INGLE_TESTS_EXACT_EXACT_H
#define INGLE_TESTS_EXACT_EXACT_H

#include "blocks.h"
#include "gguf_build.h"

/* Families that differ in nothing but their sizes. 301 logits: the last panel of 16 rows holds 13,
 * the last task of 64 rows 3 panels. */
enum { EX_VOCAB = 301, EX_LAYERS = 2, EX_TENSORS = 3 + 9 * EX_LAYERS };

typedef struct ex_model {
    ingle_type type; /* of the matrices */
    uint32_t n_embd, n_ff, n_head, n_head_kv, head_dim;
} ex_model;

typedef struct ex_tensor {
    char name[32];
    ingle_type type;
    uint64_t n_cols, n_rows, bytes, offset;
} ex_tensor;

static inline void ex_add(ex_tensor *all, size_t *n, const char *name, ingle_type type,
                          uint64_t n_cols, uint64_t n_rows)
{
    const ingle_type_info *info = ingle_type_get(type);
    ex_tensor *t = &all[*n];
    snprintf(t->name, sizeof t->name, "%s", name);
    t->type = type, t->n_cols = n_cols, t->n_rows = n_rows;
    t->bytes = n_cols / info->block_elems * info->block_bytes * n_rows;
    t->offset = *n ? (t[-1].offset + t[-1].bytes + 31) / 32 * 32 : 0;
    ++*n;
}

static inline void ex_tensors(const ex_model *m, ex_tensor *all)
{
    size_t n = 0;
    uint64_t q = (uint64_t)m->n_head * m->head_dim, kv = (uint64_t)m->n_head_kv * m->head_dim;
    ex_add(all, &n, "token_embd.weight", m->type, m->n_embd, EX_VOCAB);
    ex_add(all, &n, "output_norm.weight", INGLE_TYPE_F32, m->n_embd, 1);
    ex_add(all, &n, "output.weight", m->type, m->n_embd, EX_VOCAB);
    for (int i = 0; i < EX_LAYERS; i++) {
        const struct {
            const char *name;
            uint64_t n_cols, n_rows;
        } list[] = {{"attn_norm", m->n_embd, 1},      {"attn_q", m->n_embd, q},
                    {"attn_k", m->n_embd, kv},        {"attn_v", m->n_embd, kv},
                    {"attn_output", q, m->n_embd},    {"ffn_norm", m->n_embd, 1},
                    {"ffn_gate", m->n_embd, m->n_ff}, {"ffn_up", m->n_embd, m->n_ff},
                    {"ffn_down", m->n_ff, m->n_embd}};
        for (size_t j = 0; j < sizeof list / sizeof *list; j++) {
            char name[32];
            snprintf(name, sizeof name, "blk.%d.%s.weight", i, list[j].name);
            ex_add(all, &n, name, list[j].n_rows > 1 ? m->type : INGLE_TYPE_F32, list[j].n_cols,
                   list[j].n_rows);
        }
    }
    assert_int_equal(n, EX_TENSORS);
}

static inline void ex_keys(const ex_model *m, gguf_bytes *b)
{
    gb_kv_str(b, "general.architecture", "llama");
    gb_kv_u32(b, "llama.block_count", EX_LAYERS);
    gb_kv_u32(b, "llama.embedding_length", m->n_embd);
    gb_kv_u32(b, "llama.context_length", 1024);
    gb_kv_u32(b, "llama.feed_forward_length", m->n_ff);
    gb_kv_u32(b, "llama.attention.head_count", m->n_head);
    gb_kv_u32(b, "llama.attention.head_count_kv", m->n_head_kv);
    gb_kv_u32(b, "llama.attention.key_length", m->head_dim);
    gb_kv_u32(b, "llama.attention.value_length", m->head_dim);
    gb_kv_u32(b, "llama.rope.dimension_count", m->head_dim);
    gb_kv_f32(b, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    gb_kv_str(b, "tokenizer.ggml.model", "llama");
    gb_array(b, "tokenizer.ggml.tokens", INGLE_GGUF_STRING, EX_VOCAB);
    for (int i = 0; i < EX_VOCAB; i++) {
        char text[16];
        snprintf(text, sizeof text, i ? "t%d" : "<unk>", i);
        gb_str(b, text);
    }
    gb_array(b, "tokenizer.ggml.scores", INGLE_GGUF_F32, EX_VOCAB);
    for (int i = 0; i < EX_VOCAB; i++) gb_raw(b, &(float){(float)-i}, 4);
    gb_array(b, "tokenizer.ggml.token_type", INGLE_GGUF_U32, EX_VOCAB);
    for (int i = 0; i < EX_VOCAB; i++) gb_u32(b, i ? 1 : 2);
}
enum { EX_KEYS = 15 };

/* Scales of either sign around those that make a weight 1 / sqrt(n_cols) in the mean: values stay
 * of one size from layer to layer, scores of attention around 1, so that no part of a sum drowns. */
static inline void ex_fill_matrix(const ex_tensor *t, uint8_t *dst, uint64_t *seed)
{
    enum { TRIES = 8 };
    const ingle_type_info *info = ingle_type_get(t->type);
    double power = 0, want = 1 / sqrt((double)t->n_cols);
    float w[256];
    for (int i = 0; i < TRIES && info->block_elems > 1; i++) {
        random_blocks(t->type, dst, 1, seed);
        set_scales(t->type, dst, 0x3c00);
        info->decode(dst, w, 1);
        for (int k = 0; k < info->block_elems; k++)
            power += (double)w[k] * (double)w[k] / (TRIES * info->block_elems);
    }
    double unit = info->block_elems > 1 ? want / sqrt(power) : 2.4 * want;
    random_blocks(t->type, dst, t->bytes / info->block_bytes, seed);
    for (uint8_t *p = dst; p < dst + t->bytes; p += info->block_bytes) {
        double d = info->block_elems > 1 ? 1 + 0.5 * (double)random_float(seed)
                                         : (double)random_float(seed);
        float f = (float)(random_u32(seed) & 1 ? d * unit : -d * unit);
        if (t->type == INGLE_TYPE_F32) memcpy(p, &f, 4);
        else set_scales(t->type, p, ingle_f32_to_f16(f));
    }
}

/* A file without a name; `path` opens it as long as the descriptor lives. */
static inline int ex_file(const ex_model *m, char path[32])
{
    static gguf_bytes b;
    ex_tensor all[EX_TENSORS];
    uint64_t seed = 1;
    ex_tensors(m, all);
    b.n = 0;
    gb_header(&b, 3, EX_TENSORS, EX_KEYS);
    ex_keys(m, &b);
    for (size_t i = 0; i < EX_TENSORS; i++)
        gb_tensor(&b, all[i].name, all[i].n_rows > 1 ? 2 : 1,
                  (uint64_t[]){all[i].n_cols, all[i].n_rows}, (uint32_t)all[i].type, all[i].offset);
    gb_pad(&b, 32);
    const ex_tensor *last = &all[EX_TENSORS - 1];
    size_t n = b.n + last->offset + last->bytes;
    uint8_t *p = calloc(1, n);
    assert_non_null(p);
    memcpy(p, b.p, b.n);
    for (size_t i = 0; i < EX_TENSORS; i++) {
        uint8_t *dst = p + b.n + all[i].offset;
        if (all[i].n_rows > 1) ex_fill_matrix(&all[i], dst, &seed);
        else
            for (size_t k = 0; k < all[i].n_cols; k++)
                memcpy(dst + 4 * k, &(float){1 + 0.25f * random_float(&seed)}, 4);
    }
    int fd = gb_file(p, n, path);
    free(p);
    return fd;
}

/* ---- running it ---- */

/* What may not make a difference, and the type of keys and values, which may. */
typedef struct ex_setup {
    ingle_isa isa;
    bool plain; /* the list unfused */
    bool in_place;
    ingle_type kv;
    int32_t n_ctx, n_batch, n_threads, n_sessions;
} ex_setup;

static inline ingle_model *ex_open(const char *path, const ex_setup *s)
{
    ingle_error err;
    ingle_model *model;
    ingle_model_options mo;
    ingle_model_options_init(&mo);
    mo.isa = s->isa;
    mo.fuse = !s->plain;
    mo.in_place = s->in_place;
    must(ingle_model_open(&model, path, &mo, &err), &err);
    return model;
}

static inline ingle_engine *ex_engine(ingle_model *model, const ex_setup *s)
{
    ingle_error err;
    ingle_engine *engine;
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.n_ctx = s->n_ctx;
    eo.n_sessions = s->n_sessions ? s->n_sessions : 1;
    eo.n_batch = s->n_batch;
    eo.n_threads = s->n_threads;
    eo.kv_type = s->kv;
    must(ingle_engine_open(&engine, model, &eo, &err), &err);
    return engine;
}

static inline ingle_session *ex_session(ingle_engine *engine)
{
    ingle_error err;
    ingle_session *session;
    must(ingle_session_open(&session, engine, &err), &err);
    return session;
}

/* Rows of the session's last eval to out [n][n_vocab]. */
static inline void ex_rows(ingle_session *session, size_t n, size_t n_vocab, float *out)
{
    ingle_error err;
    for (size_t i = 0; i < n; i++) {
        const float *row;
        must(ingle_session_logits(session, i, &row, &err), &err);
        memcpy(out + i * n_vocab, row, n_vocab * sizeof *out);
    }
}

/* Logits of n tokens, evaluated `split` at a time. */
static inline void ex_eval(ingle_session *session, const int32_t *tokens, size_t n, size_t split,
                           size_t n_vocab, float *out)
{
    ingle_error err;
    for (size_t at = 0; at < n; at += split) {
        size_t part = n - at < split ? n - at : split;
        must(ingle_session_eval(session, tokens + at, part, INGLE_ROWS_ALL, &err), &err);
        ex_rows(session, part, n_vocab, out + at * n_vocab);
    }
}

static inline void ex_tokens(int32_t *tokens, size_t n, size_t n_vocab, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) tokens[i] = (int32_t)(random_u32(&seed) % n_vocab);
}

#endif
