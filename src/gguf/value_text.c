#include "base/number.h"
#include "base/sink.h"
#include "base/utf8.h"
#include "gguf/head.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void put_text(ingle_sink *w, const char *text)
{
    ingle_sink_put(w, text, strlen(text));
}

static void put_string(ingle_sink *w, ingle_str s)
{
    put_text(w, "\"");
    for (size_t i = 0; i < s.len;) {
        char text[INGLE_ESCAPE_MAX];
        i += ingle_utf8_to_json(s.ptr + i, s.len - i, text);
        put_text(w, text);
    }
    put_text(w, "\"");
}

/* JSON has no name for numbers that are not finite. */
static void put_float(ingle_sink *w, double v, bool is_f32)
{
    char text[INGLE_NUMBER_MAX];
    if (isfinite(v)) ingle_number_text(v, is_f32, text);
    else strcpy(text, isnan(v) ? "\"NaN\"" : v < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    put_text(w, text);
}

static void put_item(ingle_sink *w, const ingle_gguf_kv *kv, size_t i)
{
    char text[24];
    int64_t n = 0;
    double f = 0;
    switch (kv->item) {
    case INGLE_GGUF_STRING: put_string(w, kv->strings[i]); return;
    case INGLE_GGUF_BOOL: put_text(w, kv->data[i] ? "true" : "false"); return;
    case INGLE_GGUF_F32:
    case INGLE_GGUF_F64:
        ingle_gguf_item_f64(kv, i, &f);
        put_float(w, f, kv->item == INGLE_GGUF_F32);
        return;
    case INGLE_GGUF_U8:
    case INGLE_GGUF_I8:
    case INGLE_GGUF_U16:
    case INGLE_GGUF_I16:
    case INGLE_GGUF_U32:
    case INGLE_GGUF_I32:
    case INGLE_GGUF_U64:
    case INGLE_GGUF_I64:
    case INGLE_GGUF_ARRAY: break;
    }
    if (ingle_gguf_item_i64(kv, i, &n)) {
        snprintf(text, sizeof text, "%" PRId64, n);
    } else { /* a u64 above 2^63 */
        uint64_t u = 0;
        for (int k = 7; k >= 0; k--) u = u << 8 | kv->data[8 * i + (size_t)k];
        snprintf(text, sizeof text, "%" PRIu64, u);
    }
    put_text(w, text);
}

ingle_status ingle_gguf_value_text(const ingle_gguf_kv *kv, char *out, size_t cap, size_t *len,
                                   size_t max_items, ingle_error *err)
{
    ingle_sink w = {.out = out, .cap = cap};
    if (kv->type != INGLE_GGUF_ARRAY) {
        put_item(&w, kv, 0);
    } else {
        put_text(&w, "[");
        for (size_t i = 0; i < kv->n && i < max_items; i++) {
            if (i) put_text(&w, ", ");
            put_item(&w, kv, i);
        }
        if (kv->n > max_items) {
            char rest[40];
            snprintf(rest, sizeof rest, "%s... (%zu)", max_items ? ", " : "", kv->n);
            put_text(&w, rest);
        }
        put_text(&w, "]");
    }
    *len = w.n;
    if (cap) out[w.n < cap ? w.n : cap - 1] = 0;
    if (cap <= w.n)
        return ingle_fail(err, INGLE_ERANGE, "key '%.100s': its value needs %zu bytes, not %zu",
                          kv->key, w.n + 1, cap);
    return INGLE_OK;
}
