/* fuzz_gguf.c - any bytes as a GGUF file: opened both ways, every value and tensor looked at. */
#define _GNU_SOURCE
#include "fuzz.h"
#include "gguf_build.h"

/* What a user of a file would do with a value. */
static void look_at_value(const ingle_gguf *g, const ingle_gguf_kv *kv)
{
    char text[256];
    size_t len;
    int64_t n;
    double f;
    uint32_t u;
    float f32;
    bool flag;
    ingle_str s;
    ingle_error err;
    for (size_t i = 0; i <= kv->n && i < 1000; i++) {
        ingle_gguf_item_i64(kv, i, &n);
        ingle_gguf_item_f64(kv, i, &f);
    }
    ingle_gguf_value_text(kv, text, sizeof text, &len, 3, &err);
    ingle_gguf_value_text(kv, NULL, 0, &len, SIZE_MAX, &err);
    ingle_gguf_get_u32(g, kv->key, true, &u, &err);
    ingle_gguf_get_f32(g, kv->key, true, &f32, &err);
    ingle_gguf_get_bool(g, kv->key, true, &flag, &err);
    ingle_gguf_get_str(g, kv->key, true, &s, &err);
    if (ingle_gguf_find(g, kv->key) != kv) abort();
}

static void look_at(const char *path, bool with_tensors)
{
    ingle_gguf *g;
    ingle_error err = {""};
    if (ingle_gguf_open(&g, path, with_tensors, &err)) {
        if (!err.text[0]) abort(); /* refused without a word */
        return;
    }
    for (size_t i = 0; i < g->n_kv; i++) look_at_value(g, &g->kv[i]);
    for (size_t i = 0; i < g->n_tensors; i++) {
        const ingle_gguf_tensor *t = &g->tensors[i];
        uint8_t bytes[64];
        size_t n = t->n_bytes < sizeof bytes ? (size_t)t->n_bytes : sizeof bytes;
        ingle_status first = ingle_gguf_read(g, t, 0, bytes, n, &err);
        ingle_status last = ingle_gguf_read(g, t, t->n_bytes - n, bytes, n, &err);
        if (with_tensors && (first || last)) abort(); /* an accepted tensor can be read */
        if (ingle_gguf_find_tensor(g, t->name) != t) abort();
    }
    ingle_gguf_close(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    int fd = gb_file(data, size, path);
    look_at(path, true);
    look_at(path, false);
    close(fd);
    return 0;
}

/* Sound files of both versions and several alignments, one that is part of a split, one without
 * anything. */
size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static gguf_bytes b;
    static const uint32_t alignments[] = {32, 1, 256};
    if (i < 6) {
        gb_small_model(&b, i < 3 ? 3 : 2, alignments[i % 3]);
    } else if (i == 6) {
        b.n = 0;
        gb_header(&b, 3, 0, 2);
        gb_kv_int(&b, "split.no", INGLE_GGUF_U16, 0, 2);
        gb_kv_int(&b, "split.count", INGLE_GGUF_U16, 1, 2);
    } else if (i == 7) {
        b.n = 0;
        gb_header(&b, 3, 0, 0);
    } else {
        return 0;
    }
    if (b.n > cap) return 0;
    memcpy(data, b.p, b.n);
    return b.n;
}
