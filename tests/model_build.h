/* model_build.h - whole small models as GGUF bytes, right but for one bend, for tests and fuzz
 * seeds: one layer of the family llama, a SentencePiece vocabulary of 16 tokens. Needs
 * _GNU_SOURCE. */
#ifndef INGLE_TESTS_MODEL_BUILD_H
#define INGLE_TESTS_MODEL_BUILD_H

#include "gguf_build.h"

enum { MB_VOCAB = 16, MB_CTX = 64 };

/* What a bend does with the key or tensor it names. A key that is not there is added. */
typedef enum mb_act {
    MB_NOTHING,
    MB_DROP,
    MB_INT,    /* key := value of type `type`, `size` bytes */
    MB_F32,    /* key := real */
    MB_STR,    /* key := text */
    MB_LIST,   /* key := array of u32: value, then value2 */
    MB_FLOATS, /* key := array of f32: real, 1, 1, ... MB_VOCAB of them */
    MB_TYPE,   /* tensor's type number := value */
    MB_DIMS,   /* tensor's dims := value, value2 */
    MB_MOVE,   /* tensor's offset := value */
    MB_ADD     /* a tensor of F32 [value, value2] more, all `real` */
} mb_act;

typedef struct mb_bend {
    mb_act act;
    const char *name;
    uint32_t type;
    uint64_t value, value2;
    float real;
    const char *text;
} mb_bend;

typedef struct mb_spec {
    ingle_type type; /* of the matrices */
    uint32_t n_embd; /* a multiple of the type's block and of 16; n_ff is the same */
    mb_bend bend;
    int fill; /* the matrices' data: -1 sound values, -2 noise, else these 16 bits everywhere */
    uint32_t n_rows; /* of embedding and head; 0: MB_VOCAB */
} mb_spec;

typedef struct mb_tensor {
    const char *name;
    uint32_t n_dims;
    uint64_t dims[2];
    bool vector;
    uint64_t offset, bytes;
} mb_tensor;

typedef struct mb_model {
    uint8_t *p;
    size_t n, n_head; /* bytes in all, bytes before the data */
} mb_model;

static inline bool mb_bends(const mb_spec *s, const char *name)
{
    return s->bend.name && strcmp(s->bend.name, name) == 0;
}

/* ---- keys ---- */

typedef struct mb_writer {
    gguf_bytes b;
    const mb_spec *spec;
    uint64_t n_kv;
    bool bent; /* the bend found its key */
} mb_writer;

static inline void mb_bent_key(mb_writer *w)
{
    static const uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    const mb_bend *bend = &w->spec->bend;
    gguf_bytes *b = &w->b;
    w->bent = true;
    w->n_kv += bend->act != MB_DROP;
    switch (bend->act) {
    case MB_INT: gb_kv_int(b, bend->name, bend->type, bend->value, sizes[bend->type]); break;
    case MB_F32: gb_kv_f32(b, bend->name, bend->real); break;
    case MB_STR: gb_kv_str(b, bend->name, bend->text); break;
    case MB_LIST:
        gb_array(b, bend->name, INGLE_GGUF_U32, 2);
        gb_u32(b, (uint32_t)bend->value);
        gb_u32(b, (uint32_t)bend->value2);
        break;
    case MB_FLOATS:
        gb_array(b, bend->name, INGLE_GGUF_F32, MB_VOCAB);
        for (int i = 0; i < MB_VOCAB; i++) gb_raw(b, i ? &(float){1} : &bend->real, 4);
        break;
    default: break;
    }
}

static inline bool mb_is_key_act(mb_act act)
{
    return act >= MB_DROP && act <= MB_FLOATS;
}

/* True if the bend took the key's place. */
static inline bool mb_key(mb_writer *w, const char *name)
{
    if (mb_is_key_act(w->spec->bend.act) && mb_bends(w->spec, name)) {
        mb_bent_key(w);
        return true;
    }
    w->n_kv++;
    return false;
}

static inline void mb_u32(mb_writer *w, const char *name, uint32_t v)
{
    if (!mb_key(w, name)) gb_kv_u32(&w->b, name, v);
}

static inline void mb_vocabulary(mb_writer *w)
{
    static const char *const texts[MB_VOCAB] = {
        "<unk>", "<s>", "</s>",   "a",  "b", "\xe2\x96\x81", "ab",  "\xe2\x96\x81.", "a",
        "",      "c",   "<0x0A>", "ba", ".", "\xc3",         "\xa9"};
    static const uint32_t types[MB_VOCAB] = {2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 6, 1, 1, 1, 1};
    if (!mb_key(w, "tokenizer.ggml.model")) gb_kv_str(&w->b, "tokenizer.ggml.model", "llama");
    if (!mb_key(w, "tokenizer.ggml.tokens")) {
        gb_array(&w->b, "tokenizer.ggml.tokens", INGLE_GGUF_STRING, MB_VOCAB);
        for (int i = 0; i < MB_VOCAB; i++) gb_str(&w->b, texts[i]);
    }
    if (!mb_key(w, "tokenizer.ggml.scores")) {
        gb_array(&w->b, "tokenizer.ggml.scores", INGLE_GGUF_F32, MB_VOCAB);
        for (int i = 0; i < MB_VOCAB; i++) gb_raw(&w->b, &(float){(float)-i}, 4);
    }
    if (!mb_key(w, "tokenizer.ggml.token_type")) {
        gb_array(&w->b, "tokenizer.ggml.token_type", INGLE_GGUF_U32, MB_VOCAB);
        for (int i = 0; i < MB_VOCAB; i++) gb_u32(&w->b, types[i]);
    }
    mb_u32(w, "tokenizer.ggml.bos_token_id", 1);
    mb_u32(w, "tokenizer.ggml.eos_token_id", 2);
}

static inline void mb_keys(mb_writer *w)
{
    uint32_t n = w->spec->n_embd;
    if (!mb_key(w, "general.architecture")) gb_kv_str(&w->b, "general.architecture", "llama");
    mb_u32(w, "llama.block_count", 1);
    mb_u32(w, "llama.embedding_length", n);
    mb_u32(w, "llama.context_length", MB_CTX);
    mb_u32(w, "llama.feed_forward_length", n);
    mb_u32(w, "llama.attention.head_count", 2);
    mb_u32(w, "llama.attention.head_count_kv", 1);
    if (!mb_key(w, "llama.attention.layer_norm_rms_epsilon"))
        gb_kv_f32(&w->b, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    mb_u32(w, "llama.rope.dimension_count", n / 2);
    mb_vocabulary(w);
    if (mb_is_key_act(w->spec->bend.act) && w->spec->bend.act != MB_DROP && !w->bent)
        mb_bent_key(w);
}

/* ---- tensors ---- */

enum { MB_TENSORS = 12 };

static inline void mb_tensors(mb_tensor t[MB_TENSORS + 1], uint64_t n, uint64_t n_rows)
{
    const mb_tensor all[MB_TENSORS] = {
        {.name = "token_embd.weight", .n_dims = 2, .dims = {n, n_rows}},
        {.name = "blk.0.attn_norm.weight", .n_dims = 1, .dims = {n, 1}, .vector = true},
        {.name = "blk.0.attn_q.weight", .n_dims = 2, .dims = {n, n}},
        {.name = "blk.0.attn_k.weight", .n_dims = 2, .dims = {n, n / 2}},
        {.name = "blk.0.attn_v.weight", .n_dims = 2, .dims = {n, n / 2}},
        {.name = "blk.0.attn_output.weight", .n_dims = 2, .dims = {n, n}},
        {.name = "blk.0.ffn_norm.weight", .n_dims = 1, .dims = {n, 1}, .vector = true},
        {.name = "blk.0.ffn_gate.weight", .n_dims = 2, .dims = {n, n}},
        {.name = "blk.0.ffn_up.weight", .n_dims = 2, .dims = {n, n}},
        {.name = "blk.0.ffn_down.weight", .n_dims = 2, .dims = {n, n}},
        {.name = "output_norm.weight", .n_dims = 1, .dims = {n, 1}, .vector = true},
        {.name = "output.weight", .n_dims = 2, .dims = {n, n_rows}},
    };
    memcpy(t, all, sizeof all);
}

/* Some bytes that are sound numbers in every type: half scales 0x2Dxx (about 0.08), small bytes. */
static inline void mb_fill(uint8_t *p, size_t n, const mb_spec *s, uint32_t *seed)
{
    for (size_t i = 0; i < n; i++) {
        *seed = *seed * 1664525 + 1013904223;
        p[i] = s->fill == -1 ? (uint8_t)(0x2c + (*seed >> 24) % 3)
               : s->fill < 0 ? (uint8_t)(*seed >> 24)
                             : (uint8_t)(s->fill >> (i % 2 ? 8 : 0));
    }
}

static inline void mb_fill_vector(uint8_t *p, size_t n)
{
    for (size_t i = 0; i + 4 <= n; i += 4) memcpy(p + i, &(float){1}, 4);
}

/* The caller frees m->p. */
static inline void mb_build(mb_model *m, const mb_spec *s)
{
    static mb_writer w;
    mb_tensor t[MB_TENSORS + 1];
    const ingle_type_info *info = ingle_type_get(s->type);
    const mb_bend *bend = &s->bend;
    w = (mb_writer){.spec = s};
    mb_tensors(t, s->n_embd, s->n_rows ? s->n_rows : MB_VOCAB);
    size_t n = MB_TENSORS;
    if (bend->act == MB_ADD)
        t[n++] = (mb_tensor){.name = bend->name,
                             .n_dims = bend->value2 > 1 ? 2 : 1,
                             .dims = {bend->value, bend->value2},
                             .vector = true};
    uint64_t at = 0, n_tensors = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t elems = t[i].dims[0] * t[i].dims[1];
        t[i].offset = at;
        t[i].bytes = t[i].vector ? elems * 4
                                 : elems / info->block_elems * info->block_bytes +
                                       t[i].dims[1] * info->row_head;
        at += (t[i].bytes + 31) / 32 * 32;
        n_tensors += !(bend->act == MB_DROP && mb_bends(s, t[i].name));
    }
    gb_header(&w.b, 3, n_tensors, 0);
    mb_keys(&w);
    memcpy(w.b.p + 16, &w.n_kv, 8); /* little-endian, as all we build on */
    for (size_t i = 0; i < n; i++) {
        bool bent = mb_bends(s, t[i].name);
        const uint64_t dims[2] = {bend->value, bend->value2};
        uint32_t type = t[i].vector ? INGLE_TYPE_F32 : (uint32_t)s->type;
        if (bent && bend->act == MB_DROP) continue;
        gb_tensor(&w.b, t[i].name, t[i].n_dims, bent && bend->act == MB_DIMS ? dims : t[i].dims,
                  bent && bend->act == MB_TYPE ? (uint32_t)bend->value : type,
                  bent && bend->act == MB_MOVE ? bend->value : t[i].offset);
    }
    gb_pad(&w.b, 32);
    m->n_head = w.b.n;
    m->n = w.b.n + at;
    m->p = calloc(1, m->n);
    if (!m->p) abort();
    memcpy(m->p, w.b.p, w.b.n);
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++) {
        uint8_t *data = m->p + m->n_head + t[i].offset;
        if (!t[i].vector) mb_fill(data, t[i].bytes, s, &seed);
        else if (bend->act == MB_ADD && mb_bends(s, t[i].name))
            for (size_t k = 0; k + 4 <= t[i].bytes; k += 4) memcpy(data + k, &bend->real, 4);
        else mb_fill_vector(data, t[i].bytes);
    }
}

#endif
