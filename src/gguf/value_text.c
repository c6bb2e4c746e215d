#include "base/json.h"
#include "gguf/head.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* JSON has no name for numbers that are not finite. */
static void put_float(ingle_json_writer *w, double v, bool is_f32)
{
    if (!isfinite(v)) ingle_json_put_text(w, isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity");
    else if (is_f32) ingle_json_put_f32(w, (float)v);
    else ingle_json_put_f64(w, v);
}

static void put_integer(ingle_json_writer *w, const ingle_gguf_kv *kv, size_t i)
{
    int64_t n = 0;
    uint64_t u = 0; /* above 2^63 */
    if (ingle_gguf_item_i64(kv, i, &n)) {
        ingle_json_put_i64(w, n);
        return;
    }
    for (int k = 7; k >= 0; k--) u = u << 8 | kv->data[8 * i + (size_t)k];
    ingle_json_put_u64(w, u);
}

static void put_item(ingle_json_writer *w, const ingle_gguf_kv *kv, size_t i)
{
    double f = 0;
    switch (kv->item) {
    case INGLE_GGUF_STRING: ingle_json_put_bytes(w, kv->strings[i].ptr, kv->strings[i].len); break;
    case INGLE_GGUF_BOOL: ingle_json_put_bool(w, kv->data[i]); break;
    case INGLE_GGUF_F32:
    case INGLE_GGUF_F64:
        ingle_gguf_item_f64(kv, i, &f);
        put_float(w, f, kv->item == INGLE_GGUF_F32);
        break;
    case INGLE_GGUF_U8:
    case INGLE_GGUF_I8:
    case INGLE_GGUF_U16:
    case INGLE_GGUF_I16:
    case INGLE_GGUF_U32:
    case INGLE_GGUF_I32:
    case INGLE_GGUF_U64:
    case INGLE_GGUF_I64:
    case INGLE_GGUF_ARRAY: put_integer(w, kv, i); break;
    }
}

static void put_array(ingle_json_writer *w, const ingle_gguf_kv *kv, size_t max_items)
{
    ingle_json_begin_array(w);
    for (size_t i = 0; i < kv->n && i < max_items; i++) put_item(w, kv, i);
    if (kv->n > max_items) {
        char rest[40];
        ingle_json_put_raw(w, rest, (size_t)snprintf(rest, sizeof rest, "... (%zu)", kv->n));
    }
    ingle_json_end_array(w);
}

ingle_status ingle_gguf_value_text(const ingle_gguf_kv *kv, char *out, size_t cap, size_t *len,
                                   size_t max_items, ingle_error *err)
{
    ingle_json_writer w = {.text = out, .cap = cap, .fixed = true, .spaces = true, .shown = true};
    if (kv->type == INGLE_GGUF_ARRAY) put_array(&w, kv, max_items);
    else put_item(&w, kv, 0);
    ingle_status st = ingle_json_finish(&w);
    *len = w.n;
    if (st)
        return ingle_fail(err, st, "key '%.100s': its value needs %zu bytes, not %zu", kv->key,
                          w.n + 1, cap);
    return INGLE_OK;
}
