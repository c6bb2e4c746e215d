/* get.c - values by key, of one type each. */
#include "gguf/head.h"

#include <math.h>

/* NULL and INGLE_OK when the key may be absent. */
static ingle_status find(const ingle_gguf *g, const char *key, bool required,
                         const ingle_gguf_kv **kv, ingle_error *err)
{
    *kv = ingle_gguf_find(g, key);
    return *kv || !required ? INGLE_OK
                            : ingle_fail(err, INGLE_ENOTFOUND, "key '%.100s' is missing", key);
}

ingle_status ingle_gguf_get_u32(const ingle_gguf *g, const char *key, bool required, uint32_t *out,
                                ingle_error *err)
{
    const ingle_gguf_kv *kv;
    ingle_status status = find(g, key, required, &kv, err);
    return kv ? ingle_gguf_kv_u32(kv, out, err) : status;
}

ingle_status ingle_gguf_get_f32(const ingle_gguf *g, const char *key, bool required, float *out,
                                ingle_error *err)
{
    const ingle_gguf_kv *kv;
    ingle_status status = find(g, key, required, &kv, err);
    if (!kv) return status;
    double v;
    if (kv->type == INGLE_GGUF_ARRAY || !ingle_gguf_item_f64(kv, 0, &v))
        return ingle_gguf_wrong_type(kv, "a number", err);
    if (isfinite(v) && !isfinite((float)v))
        return ingle_fail(err, INGLE_EFORMAT, "key '%.100s': %g does not fit a 32-bit float",
                          kv->key, v);
    *out = (float)v;
    return INGLE_OK;
}

ingle_status ingle_gguf_get_bool(const ingle_gguf *g, const char *key, bool required, bool *out,
                                 ingle_error *err)
{
    const ingle_gguf_kv *kv;
    ingle_status status = find(g, key, required, &kv, err);
    if (!kv) return status;
    if (kv->type != INGLE_GGUF_BOOL) return ingle_gguf_wrong_type(kv, "a bool", err);
    *out = kv->data[0] != 0;
    return INGLE_OK;
}

ingle_status ingle_gguf_get_str(const ingle_gguf *g, const char *key, bool required, ingle_str *out,
                                ingle_error *err)
{
    const ingle_gguf_kv *kv;
    ingle_status status = find(g, key, required, &kv, err);
    if (!kv) return status;
    if (kv->type != INGLE_GGUF_STRING) return ingle_gguf_wrong_type(kv, "a string", err);
    *out = kv->strings[0];
    return INGLE_OK;
}
