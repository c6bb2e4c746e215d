/* gguf.h - reads GGUF files (v2, v3, split): keys, values, tensor directory; every field checked
 *            against the file's size.
 * Owns       the metadata bytes, the directory, the open files. Tensor data is read on demand.
 * Depends on base/, quant/quant.h. Knows no model.
 * Invariant  after ingle_gguf_open() every string, array and tensor lies inside its file, tensors
 *            do not overlap, names and keys are unique, types are known to quant.h (or refused by
 *            name). */
#ifndef INGLE_GGUF_GGUF_H
#define INGLE_GGUF_GGUF_H

#include "base/file.h"
#include "base/status.h"
#include "quant/quant.h"

#include <string.h>

typedef enum ingle_gguf_type {
    INGLE_GGUF_U8,
    INGLE_GGUF_I8,
    INGLE_GGUF_U16,
    INGLE_GGUF_I16,
    INGLE_GGUF_U32,
    INGLE_GGUF_I32,
    INGLE_GGUF_F32,
    INGLE_GGUF_BOOL,
    INGLE_GGUF_STRING,
    INGLE_GGUF_ARRAY,
    INGLE_GGUF_U64,
    INGLE_GGUF_I64,
    INGLE_GGUF_F64
} ingle_gguf_type;

typedef struct ingle_str {
    const char *ptr;
    size_t len;
} ingle_str; /* not NUL-terminated, any bytes */

static inline bool ingle_str_is(ingle_str s, const char *text)
{
    return s.len == strlen(text) && !memcmp(s.ptr, text, s.len);
}

typedef struct ingle_gguf_kv {
    const char *key;          /* NUL-terminated; keys with NUL or control bytes are refused */
    ingle_gguf_type type;     /* of the value; ARRAY: see item */
    ingle_gguf_type item;     /* array: element type (never ARRAY: nested arrays are refused) */
    size_t n;                 /* array: elements; else 1 */
    const uint8_t *data;      /* scalars: little-endian bytes, unaligned */
    const ingle_str *strings; /* string or array of strings: n entries */
} ingle_gguf_kv;

typedef struct ingle_gguf_tensor {
    const char *name;
    ingle_type type;
    int n_dims;       /* 1..4 */
    uint64_t dims[4]; /* dims[0] fastest; 1 beyond n_dims */
    uint64_t n_elems, n_bytes;
    uint32_t i_file; /* which part of a split file */
    uint64_t offset; /* absolute, in that file */
} ingle_gguf_tensor;

typedef struct ingle_gguf {
    uint32_t version;
    uint32_t alignment;
    size_t n_kv;
    ingle_gguf_kv *kv;
    size_t n_tensors;
    ingle_gguf_tensor *tensors;
    size_t n_files;
    ingle_file *files;
    size_t heap_bytes; /* memory held, for memory reports */
    /* private below */
    struct ingle_gguf_priv *priv;
} ingle_gguf;

/* For a split file path may name any of its parts; the keys are those of the first. with_tensors
 * false: the directory may be of any types and is not checked against the file (vocabulary-only
 * files, inspection); tensors of a type quant.h does not know then have n_bytes 0. ENOTFOUND names
 * a missing file or part, EFORMAT and EUNSUPPORTED the key or tensor. */
ingle_status ingle_gguf_open(ingle_gguf **out, const char *path, bool with_tensors,
                             ingle_error *err);
void ingle_gguf_close(ingle_gguf **g);
/* Puts a value, given as "key=type:value", in place of the file's, or adds it (override.h). EINVAL names an
 * override that is wrong. Before anything else holds entries of kv. */
ingle_status ingle_gguf_override(ingle_gguf *g, const char *given, ingle_error *err);

const ingle_gguf_kv *ingle_gguf_find(const ingle_gguf *g, const char *key); /* NULL if absent */
const ingle_gguf_tensor *ingle_gguf_find_tensor(const ingle_gguf *g,
                                                const char *name); /* NULL if absent */

/* Typed access. Absent: *out is left alone and INGLE_OK, unless required (ENOTFOUND). Wrong type or
 * range: EFORMAT naming the key, what it is and what it should be. Integers of any width are
 * accepted if the value fits. */
ingle_status ingle_gguf_get_u32(const ingle_gguf *g, const char *key, bool required, uint32_t *out,
                                ingle_error *err);
ingle_status ingle_gguf_get_f32(const ingle_gguf *g, const char *key, bool required, float *out,
                                ingle_error *err);
ingle_status ingle_gguf_get_bool(const ingle_gguf *g, const char *key, bool required, bool *out,
                                 ingle_error *err);
ingle_status ingle_gguf_get_str(const ingle_gguf *g, const char *key, bool required, ingle_str *out,
                                ingle_error *err);
/* Element i of a scalar or array as an integer or a float; false if the type does not fit. A scalar
 * answers for any i. */
bool ingle_gguf_item_i64(const ingle_gguf_kv *kv, size_t i, int64_t *out);
bool ingle_gguf_item_f64(const ingle_gguf_kv *kv, size_t i, double *out);

/* Value as JSON text for people; same contract as ingle_model_meta(). */
ingle_status ingle_gguf_value_text(const ingle_gguf_kv *kv, char *out, size_t cap, size_t *len,
                                   size_t max_items, ingle_error *err);

/* Reads n bytes of a tensor's data from `from`. Safe from several threads. */
ingle_status ingle_gguf_read(const ingle_gguf *g, const ingle_gguf_tensor *t, uint64_t from,
                             void *dst, size_t n, ingle_error *err);

#endif
