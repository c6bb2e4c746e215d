#include "gguf/head.h"

#include <inttypes.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [INGLE_GGUF_U8] = {"u8", 1},         [INGLE_GGUF_I8] = {"i8", 1},
    [INGLE_GGUF_U16] = {"u16", 2},       [INGLE_GGUF_I16] = {"i16", 2},
    [INGLE_GGUF_U32] = {"u32", 4},       [INGLE_GGUF_I32] = {"i32", 4},
    [INGLE_GGUF_F32] = {"f32", 4},       [INGLE_GGUF_BOOL] = {"bool", 1},
    [INGLE_GGUF_STRING] = {"string", 0}, [INGLE_GGUF_ARRAY] = {"array", 0},
    [INGLE_GGUF_U64] = {"u64", 8},       [INGLE_GGUF_I64] = {"i64", 8},
    [INGLE_GGUF_F64] = {"f64", 8},
};

size_t ingle_gguf_type_size(uint32_t type)
{
    return type < sizeof types / sizeof *types ? types[type].size : 0;
}

const char *ingle_gguf_type_name(uint32_t type)
{
    return type < sizeof types / sizeof *types ? types[type].name : "unknown";
}

/* ---- elements ---- */

/* Little-endian bytes of element i. */
static uint64_t raw(const ingle_gguf_kv *kv, size_t i)
{
    size_t size = ingle_gguf_type_size(kv->item);
    const uint8_t *p = kv->data + i * size;
    uint64_t v = 0;
    for (size_t k = 0; k < size; k++) v |= (uint64_t)p[k] << 8 * k;
    return v;
}

/* A scalar answers for any i. False: no such element, or a string. */
static bool locate(const ingle_gguf_kv *kv, size_t *i)
{
    if (kv->type != INGLE_GGUF_ARRAY) *i = 0;
    return *i < kv->n && kv->item != INGLE_GGUF_STRING;
}

/* Two's complement of `size` bytes. */
static int64_t sign_extend(uint64_t v, size_t size)
{
    uint64_t sign = (uint64_t)1 << (8 * size - 1);
    return (int64_t)((v ^ sign) - sign);
}

bool ingle_gguf_item_i64(const ingle_gguf_kv *kv, size_t i, int64_t *out)
{
    if (!locate(kv, &i)) return false;
    uint64_t v = raw(kv, i);
    switch (kv->item) {
    case INGLE_GGUF_U8:
    case INGLE_GGUF_U16:
    case INGLE_GGUF_U32:
    case INGLE_GGUF_BOOL: *out = (int64_t)v; return true;
    case INGLE_GGUF_I8:
    case INGLE_GGUF_I16:
    case INGLE_GGUF_I32:
    case INGLE_GGUF_I64: *out = sign_extend(v, ingle_gguf_type_size(kv->item)); return true;
    case INGLE_GGUF_U64:
        if (v > INT64_MAX) return false;
        *out = (int64_t)v;
        return true;
    case INGLE_GGUF_F32:
    case INGLE_GGUF_F64:
    case INGLE_GGUF_STRING:
    case INGLE_GGUF_ARRAY: break;
    }
    return false;
}

static double f32_of(uint64_t v)
{
    uint32_t bits = (uint32_t)v;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static double f64_of(uint64_t v)
{
    double f;
    memcpy(&f, &v, sizeof f);
    return f;
}

bool ingle_gguf_item_f64(const ingle_gguf_kv *kv, size_t i, double *out)
{
    if (!locate(kv, &i) || kv->item == INGLE_GGUF_BOOL) return false;
    uint64_t v = raw(kv, i);
    int64_t n;
    if (kv->item == INGLE_GGUF_F32) *out = f32_of(v);
    else if (kv->item == INGLE_GGUF_F64) *out = f64_of(v);
    else if (ingle_gguf_item_i64(kv, i, &n)) *out = (double)n;
    else *out = (double)v; /* a u64 above 2^63 */
    return true;
}

/* ---- one value ---- */

ingle_status ingle_gguf_wrong_type(const ingle_gguf_kv *kv, const char *want, ingle_error *err)
{
    bool array = kv->type == INGLE_GGUF_ARRAY;
    return ingle_fail(err, INGLE_EFORMAT, "key '%.100s': is %s%s, should be %s", kv->key,
                      array ? "an array of " : "", ingle_gguf_type_name(kv->item), want);
}

ingle_status ingle_gguf_kv_u32(const ingle_gguf_kv *kv, uint32_t *out, ingle_error *err)
{
    int64_t v;
    if (kv->type == INGLE_GGUF_U64 && raw(kv, 0) > INT64_MAX)
        return ingle_fail(err, INGLE_EFORMAT, "key '%.100s': %" PRIu64 " is not in 0..%u", kv->key,
                          raw(kv, 0), UINT32_MAX);
    if (kv->type == INGLE_GGUF_ARRAY || kv->type == INGLE_GGUF_BOOL ||
        !ingle_gguf_item_i64(kv, 0, &v))
        return ingle_gguf_wrong_type(kv, "an integer", err);
    if (v < 0 || v > UINT32_MAX)
        return ingle_fail(err, INGLE_EFORMAT, "key '%.100s': %" PRId64 " is not in 0..%u", kv->key,
                          v, UINT32_MAX);
    *out = (uint32_t)v;
    return INGLE_OK;
}
