/* Files whose layers differ or share, and files with latents, bent one key at a time: each is refused
 * with the key or tensor that is wrong. The whole files come from tests/golden/data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <ingle.h>

#include "gguf/write.h"

#define DATA INGLE_SOURCE_DIR "/tests/golden/data/"

typedef struct bend {
    const char *key;
    size_t n; /* 0: one number; else a list of so many */
    uint32_t value[8];
    const char *text; /* what the error says */
} bend;

static void put(ingle_gguf_writer *w, const bend *b)
{
    ingle_error err;
    ingle_status st = b->n ? ingle_gguf_put_array(w, b->key, INGLE_GGUF_U32, b->n, b->value, &err)
                           : ingle_gguf_put_u32(w, b->key, b->value[0], &err);
    if (st) fail_msg("%s", err.text);
}

/* The file at `from` with one key bent, and zeros for weights. */
static void copy(const char *from, const char *to, const bend *b)
{
    ingle_gguf *g;
    ingle_gguf_writer *w;
    ingle_error err;
    bool done = false;
    if (ingle_gguf_open(&g, from, true, &err)) fail_msg("%s", err.text);
    if (ingle_gguf_writer_open(&w, to, &err)) fail_msg("%s", err.text);
    for (size_t i = 0; i < g->n_kv; i++) {
        bool bent = !strcmp(g->kv[i].key, b->key);
        done = done || bent;
        if (bent) put(w, b);
        else if (ingle_gguf_put(w, &g->kv[i], &err)) fail_msg("%s", err.text);
    }
    if (!done) put(w, b);
    for (size_t i = 0; i < g->n_tensors; i++)
        if (ingle_gguf_add_tensor(w, g->tensors[i].name, g->tensors[i].type, g->tensors[i].n_dims,
                                  g->tensors[i].dims, &err))
            fail_msg("%s", err.text);
    for (size_t i = 0; i < g->n_tensors; i++) {
        void *zeros = calloc(1, g->tensors[i].n_bytes);
        assert_int_equal(ingle_gguf_write(w, zeros, g->tensors[i].n_bytes, NULL), INGLE_OK);
        free(zeros);
    }
    if (ingle_gguf_writer_finish(&w, &err)) fail_msg("%s", err.text);
    ingle_gguf_close(&g);
}

static void refuse(const char *from, const bend *list, size_t n)
{
    char path[512];
    const char *dir = getenv("TMPDIR");
    ingle_model_options mo;
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_PLAN;
    snprintf(path, sizeof path, "%s/ingle-layers-%ld.gguf", dir ? dir : "/tmp", (long)getpid());
    for (size_t i = 0; i < n; i++) {
        ingle_model *m = NULL;
        ingle_error err = {""};
        copy(from, path, &list[i]);
        ingle_status st = ingle_model_open(&m, path, &mo, &err);
        if (st != INGLE_EFORMAT || !strstr(err.text, list[i].text))
            fail_msg("%s = %u: %s: \"%s\", should say \"%s\"", list[i].key, list[i].value[0],
                     ingle_status_name(st), err.text, list[i].text);
        assert_null(m);
    }
    unlink(path);
}

#define G "gemma4."
#define A G "attention."

static void differing_layers(void **state)
{
    static const bend bends[] = {
        {A "shared_kv_layers", 0, {6}, "'gemma4.attention.shared_kv_layers' is 6"},
        {A "shared_kv_layers", 0, {5}, "layer 3 should read the keys and values"},
        {A "head_count_kv", 6, {2, 2, 2, 3, 2, 1}, "'gemma4.attention.head_count_kv' is 3"},
        {A "head_count_kv", 6, {2, 0, 2, 1, 2, 1}, "'gemma4.attention.head_count_kv' entry 1"},
        {A "head_count_kv", 3, {2, 2, 2}, "has 3 entries, should have 6"},
        {A "head_count_kv", 6, {2, 1, 2, 1, 2, 1}, "tensor 'blk.1.attn_k.weight'"},
        {A "head_count", 6, {4, 4, 2, 4, 4, 4}, "tensor 'blk.2.attn_q.weight'"},
        {A "head_count", 6, {4, 4, 4, 4, 3, 4}, "'gemma4.attention.head_count_kv' is 2"},
        {G "feed_forward_length", 6, {48, 48, 0, 48, 96, 96}, "feed_forward_length' entry 2"},
        {G "feed_forward_length", 6, {48, 48, 96, 48, 96, 96}, "tensor 'blk.2.ffn_"},
        {A "sliding_window_pattern", 2, {1, 1}, "has 2 entries, should have 6"},
        {A "sliding_window_pattern", 6, {1, 1, 7, 0, 1, 0}, "entry 2 should be 0 or 1"},
        {A "sliding_window_pattern", 6, {1, 0, 1, 0, 1, 0}, "tensor 'blk.1.attn_q.weight'"},
        {A "key_length_swa", 0, {5000}, "'gemma4.attention.key_length_swa' is 5000"},
        {A "key_length_swa", 0, {8}, "'gemma4.rope.dimension_count_swa' is 16"},
        {G "rope.dimension_count_swa", 0, {15}, "should be even"},
        {G "embedding_length_per_layer_input", 0, {1u << 30}, "_per_layer_input' is 1073741824"},
        {G "embedding_length_per_layer_input", 0, {17}, "tensor 'per_layer_token_embd.weight'"},
    };
    (void)state;
    refuse(DATA "gemma4-e.gguf", bends, sizeof bends / sizeof bends[0]);
}

#define D "deepseek2."

static void latents(void **state)
{
    static const bend bends[] = {
        {D "attention.kv_lora_rank", 0, {0}, "'deepseek2.attention.kv_lora_rank' is 0"},
        {D "attention.kv_lora_rank", 0, {4097}, "'deepseek2.attention.kv_lora_rank' is 4097"},
        {D "attention.kv_lora_rank", 0, {33}, "tensor 'blk.0.attn_kv_a_mqa.weight'"},
        {D "attention.q_lora_rank", 0, {1u << 21}, "'deepseek2.attention.q_lora_rank' is 2097152"},
        {D "attention.q_lora_rank", 0, {0}, "tensor 'blk.0.attn_q.weight' is missing"},
        {D "attention.q_lora_rank", 0, {47}, "tensor 'blk.0.attn_q_a.weight'"},
        {D "attention.key_length_mla", 0, {16}, "rope.dimension_count' is 16, should be below 16"},
        {D "attention.key_length_mla", 0, {4097}, "'deepseek2.attention.key_length_mla' is 4097"},
        {D "attention.key_length_mla", 0, {50}, "tensor 'blk.0.attn_q_b.weight'"},
        {D "attention.value_length_mla", 0, {31}, "tensor 'blk.0.attn_v_b.weight'"},
        {D "attention.value_length_mla", 0, {0}, "'deepseek2.attention.value_length_mla' is 0"},
    };
    (void)state;
    refuse(DATA "deepseek2.gguf", bends, sizeof bends / sizeof bends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(differing_layers),
                                       cmocka_unit_test(latents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
