/* write.c - GGUF v3 writer: see write.h.
 * Depends on the byte order of the machine being little-endian, as GGUF's. */
#include "gguf/write.h"
#include "gguf/head.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN_KEY     "general.alignment"
#define DEFAULT_ALIGN 32u
#define MAX_ALIGN     (1u << 20)
#define MAX_KEY       65535u
#define MAX_NAME      63u

typedef struct bytes {
    uint8_t *data;
    size_t n, cap;
} bytes;

typedef struct tensor_entry {
    size_t name_at; /* of the length-prefixed name in the directory buffer */
    uint64_t n_bytes;
    uint64_t offset;
} tensor_entry;

struct ingle_gguf_writer {
    FILE *file;
    char *path, *part;
    bytes keys;      /* the key section as it will be in the file */
    size_t *key_at;  /* start of each key in `keys` */
    bytes directory; /* the tensor section; offsets are patched when it is written */
    tensor_entry *tensors;
    size_t n_keys, cap_keys, n_tensors, cap_tensors;
    uint32_t alignment;
    bool in_data;
    size_t i_tensor;   /* being written */
    uint64_t n_filled; /* bytes of it written */
};

/* ---- growing byte buffers ---- */

static bool append(bytes *b, const void *data, size_t n)
{
    size_t want;
    if (!ingle_add_ok(b->n, n, &want) || !ingle_grow(&b->data, &b->cap, want, 1)) return false;
    if (n) memcpy(b->data + b->n, data, n);
    b->n = want;
    return true;
}

static bool append_u32(bytes *b, uint32_t v)
{
    return append(b, &v, sizeof v);
}
static bool append_u64(bytes *b, uint64_t v)
{
    return append(b, &v, sizeof v);
}
static bool append_str(bytes *b, const char *s, size_t len)
{
    return append_u64(b, len) && append(b, s, len);
}

/* Is the length-prefixed string at `at` this one? */
static bool same_str(const bytes *b, size_t at, const char *s, size_t len)
{
    uint64_t have;
    memcpy(&have, b->data + at, sizeof have);
    return have == len && memcmp(b->data + at + sizeof have, s, len) == 0;
}

/* ---- life ---- */

static char *join(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    char *s = malloc(na + nb + 1);
    if (!s) return NULL;
    memcpy(s, a, na);
    memcpy(s + na, b, nb + 1);
    return s;
}

ingle_status ingle_gguf_writer_open(ingle_gguf_writer **out, const char *path, ingle_error *err)
{
    *out = NULL;
    ingle_gguf_writer *w = ingle_new(1, sizeof *w);
    if (!w) goto no_memory;
    w->alignment = DEFAULT_ALIGN;
    w->path = join(path, "");
    w->part = join(path, ".part");
    if (!w->path || !w->part) goto no_memory;
    w->file = fopen(w->part, "wb");
    if (!w->file) {
        ingle_status status =
            ingle_fail(err, INGLE_EIO, "'%s': cannot create: %s", w->part, strerror(errno));
        ingle_gguf_writer_close(&w);
        return status;
    }
    *out = w;
    return INGLE_OK;
no_memory:
    ingle_gguf_writer_close(&w);
    return ingle_fail(err, INGLE_ENOMEM, "no memory to write '%s'", path);
}

void ingle_gguf_writer_close(ingle_gguf_writer **w)
{
    if (!w || !*w) return;
    ingle_gguf_writer *g = *w;
    if (g->file) {
        fclose(g->file);
        remove(g->part);
    }
    free(g->path);
    free(g->part);
    free(g->keys.data);
    free(g->key_at);
    free(g->directory.data);
    free(g->tensors);
    free(g);
    *w = NULL;
}

/* ---- keys ---- */

/* Names end up in terminals and in C strings: printable, not empty, short enough. */
static ingle_status check_name(const char *what, const char *name, size_t max, ingle_error *err)
{
    size_t len = strlen(name);
    if (len == 0 || len > max)
        return ingle_fail(err, INGLE_EINVAL, "%s '%.80s': %zu bytes long, should be 1 to %zu", what,
                          name, len, max);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return ingle_fail(err, INGLE_EINVAL, "%s '%.80s': control byte at %zu", what, name, i);
    return INGLE_OK;
}

static ingle_status check_key(const ingle_gguf_writer *w, const char *key, ingle_error *err)
{
    ingle_status status = check_name("key", key, MAX_KEY, err);
    if (status) return status;
    if (w->in_data) return ingle_fail(err, INGLE_EINVAL, "key '%s': tensor data has begun", key);
    for (size_t i = 0; i < w->n_keys; i++)
        if (same_str(&w->keys, w->key_at[i], key, strlen(key)))
            return ingle_fail(err, INGLE_EINVAL, "key '%s': is there already", key);
    return INGLE_OK;
}

static ingle_status take_alignment(ingle_gguf_writer *w, const ingle_gguf_kv *kv, ingle_error *err)
{
    uint32_t a = 0;
    if (kv->type == INGLE_GGUF_U32) memcpy(&a, kv->data, sizeof a);
    if (a < 8 || a > MAX_ALIGN || (a & (a - 1)))
        return ingle_fail(err, INGLE_EINVAL,
                          "key '" ALIGN_KEY "': should be a U32 power of two, 8 to %u", MAX_ALIGN);
    w->alignment = a;
    return INGLE_OK;
}

static bool append_value(bytes *b, const ingle_gguf_kv *kv, ingle_gguf_type type, size_t n)
{
    if (type == INGLE_GGUF_STRING) {
        for (size_t i = 0; i < n; i++)
            if (!append_str(b, kv->strings[i].ptr, kv->strings[i].len)) return false;
        return true;
    }
    size_t size;
    return ingle_mul_ok(n, ingle_gguf_type_size(type), &size) && append(b, kv->data, size);
}

static bool append_kv(bytes *b, const ingle_gguf_kv *kv)
{
    if (!append_str(b, kv->key, strlen(kv->key)) || !append_u32(b, kv->type)) return false;
    if (kv->type != INGLE_GGUF_ARRAY) return append_value(b, kv, kv->type, 1);
    return append_u32(b, kv->item) && append_u64(b, kv->n) && append_value(b, kv, kv->item, kv->n);
}

ingle_status ingle_gguf_put(ingle_gguf_writer *w, const ingle_gguf_kv *kv, ingle_error *err)
{
    if (!w) return ingle_fail(err, INGLE_ECLOSED, "the writer is closed");
    ingle_status status = check_key(w, kv->key, err);
    if (status) return status;
    ingle_gguf_type item = kv->type == INGLE_GGUF_ARRAY ? kv->item : kv->type;
    if (item != INGLE_GGUF_STRING && !ingle_gguf_type_size(item))
        return ingle_fail(err, INGLE_EINVAL, "key '%s': value type %d cannot be written", kv->key,
                          (int)item);
    if (strcmp(kv->key, ALIGN_KEY) == 0) {
        status = take_alignment(w, kv, err);
        if (status) return status;
    }
    size_t start = w->keys.n;
    if (!ingle_grow(&w->key_at, &w->cap_keys, w->n_keys + 1, sizeof *w->key_at) ||
        !append_kv(&w->keys, kv)) {
        w->keys.n = start;
        return ingle_fail(err, INGLE_ENOMEM, "key '%s': no memory for its value", kv->key);
    }
    w->key_at[w->n_keys++] = start;
    return INGLE_OK;
}

static ingle_status put_scalar(ingle_gguf_writer *w, const char *key, ingle_gguf_type type,
                               const void *value, ingle_error *err)
{
    ingle_gguf_kv kv = {.key = key, .type = type, .n = 1, .data = value};
    return ingle_gguf_put(w, &kv, err);
}

ingle_status ingle_gguf_put_u32(ingle_gguf_writer *w, const char *key, uint32_t value,
                                ingle_error *err)
{
    return put_scalar(w, key, INGLE_GGUF_U32, &value, err);
}

ingle_status ingle_gguf_put_f32(ingle_gguf_writer *w, const char *key, float value,
                                ingle_error *err)
{
    return put_scalar(w, key, INGLE_GGUF_F32, &value, err);
}

ingle_status ingle_gguf_put_bool(ingle_gguf_writer *w, const char *key, bool value,
                                 ingle_error *err)
{
    uint8_t byte = value;
    return put_scalar(w, key, INGLE_GGUF_BOOL, &byte, err);
}

ingle_status ingle_gguf_put_str(ingle_gguf_writer *w, const char *key, const char *value,
                                ingle_error *err)
{
    ingle_str s = {value, strlen(value)};
    ingle_gguf_kv kv = {.key = key, .type = INGLE_GGUF_STRING, .n = 1, .strings = &s};
    return ingle_gguf_put(w, &kv, err);
}

ingle_status ingle_gguf_put_array(ingle_gguf_writer *w, const char *key, ingle_gguf_type item,
                                  size_t n, const void *data, ingle_error *err)
{
    ingle_gguf_kv kv = {.key = key, .type = INGLE_GGUF_ARRAY, .item = item, .n = n, .data = data};
    if (item == INGLE_GGUF_STRING)
        return ingle_fail(err, INGLE_EINVAL, "key '%s': strings have a call of their own", key);
    return ingle_gguf_put(w, &kv, err);
}

ingle_status ingle_gguf_put_strings(ingle_gguf_writer *w, const char *key, size_t n,
                                    const ingle_str *strings, ingle_error *err)
{
    ingle_gguf_kv kv = {.key = key,
                        .type = INGLE_GGUF_ARRAY,
                        .item = INGLE_GGUF_STRING,
                        .n = n,
                        .strings = strings};
    return ingle_gguf_put(w, &kv, err);
}

/* ---- tensors ---- */

static ingle_status tensor_bytes(const char *name, ingle_type type, int n_dims,
                                 const uint64_t *dims, uint64_t *n_bytes, ingle_error *err)
{
    const ingle_type_info *info = ingle_type_get(type);
    if (!info)
        return ingle_fail(err, INGLE_EINVAL, "tensor '%s': type %d is not supported", name,
                          (int)type);
    if (n_dims < 1 || n_dims > 4)
        return ingle_fail(err, INGLE_EINVAL, "tensor '%s': %d dimensions, should be 1 to 4", name,
                          n_dims);
    uint64_t n_rows = 1;
    for (int i = 0; i < n_dims; i++) {
        if (!dims[i] || (!i && dims[i] % info->block_elems))
            return ingle_fail(
                err, INGLE_EINVAL,
                "tensor '%s': dimension %d is %llu, should be a positive multiple of %u", name, i,
                (unsigned long long)dims[i], i ? 1u : info->block_elems);
        if (i && __builtin_mul_overflow(n_rows, dims[i], &n_rows))
            return ingle_fail(err, INGLE_EINVAL, "tensor '%s': too large", name);
    }
    if (!ingle_type_bytes(info, n_rows, dims[0], n_bytes) || *n_bytes > INT64_MAX - MAX_ALIGN)
        return ingle_fail(err, INGLE_EINVAL, "tensor '%s': too large", name);
    return INGLE_OK;
}

static bool append_entry(bytes *b, const char *name, ingle_type type, int n_dims,
                         const uint64_t *dims)
{
    return append_str(b, name, strlen(name)) && append_u32(b, (uint32_t)n_dims) &&
           append(b, dims, (size_t)n_dims * sizeof *dims) && append_u32(b, type) &&
           append_u64(b, 0);
}

ingle_status ingle_gguf_add_tensor(ingle_gguf_writer *w, const char *name, ingle_type type,
                                   int n_dims, const uint64_t *dims, ingle_error *err)
{
    if (!w) return ingle_fail(err, INGLE_ECLOSED, "the writer is closed");
    tensor_entry entry = {.name_at = w->directory.n};
    ingle_status status = check_name("tensor", name, MAX_NAME, err);
    if (!status) status = tensor_bytes(name, type, n_dims, dims, &entry.n_bytes, err);
    if (status) return status;
    if (w->in_data)
        return ingle_fail(err, INGLE_EINVAL, "tensor '%s': tensor data has begun", name);
    for (size_t i = 0; i < w->n_tensors; i++)
        if (same_str(&w->directory, w->tensors[i].name_at, name, strlen(name)))
            return ingle_fail(err, INGLE_EINVAL, "tensor '%s': is there already", name);
    if (!ingle_grow(&w->tensors, &w->cap_tensors, w->n_tensors + 1, sizeof *w->tensors) ||
        !append_entry(&w->directory, name, type, n_dims, dims)) {
        w->directory.n = entry.name_at;
        return ingle_fail(err, INGLE_ENOMEM, "tensor '%s': no memory for its entry", name);
    }
    w->tensors[w->n_tensors++] = entry;
    return INGLE_OK;
}

/* ---- the file ---- */

static ingle_status emit(ingle_gguf_writer *w, const void *data, size_t n, ingle_error *err)
{
    if (n && fwrite(data, 1, n, w->file) != n)
        return ingle_fail(err, INGLE_EIO, "'%s': cannot write: %s", w->part, strerror(errno));
    return INGLE_OK;
}

static ingle_status pad(ingle_gguf_writer *w, uint64_t at, ingle_error *err)
{
    static const uint8_t zeros[256];
    size_t n = (size_t)(-at & (w->alignment - 1));
    ingle_status status = INGLE_OK;
    while (n && !status) {
        size_t piece = n < sizeof zeros ? n : sizeof zeros;
        status = emit(w, zeros, piece, err);
        n -= piece;
    }
    return status;
}

/* Offsets are known only now, because a late general.alignment may move them. */
static ingle_status place_tensors(ingle_gguf_writer *w, ingle_error *err)
{
    uint64_t at = 0;
    for (size_t i = 0; i < w->n_tensors; i++) {
        tensor_entry *t = &w->tensors[i];
        t->offset = at;
        if (__builtin_add_overflow(at, t->n_bytes + (-t->n_bytes & (w->alignment - 1)), &at) ||
            at > INT64_MAX)
            return ingle_fail(err, INGLE_EINVAL, "the tensors together are too large for a file");
        size_t end = i + 1 < w->n_tensors ? w->tensors[i + 1].name_at : w->directory.n;
        memcpy(w->directory.data + end - sizeof t->offset, &t->offset, sizeof t->offset);
    }
    return INGLE_OK;
}

static ingle_status begin_data(ingle_gguf_writer *w, ingle_error *err)
{
    ingle_status status = place_tensors(w, err);
    if (status) return status;
    w->in_data = true;
    uint32_t start[2] = {0x46554747u, 3}; /* "GGUF", version */
    uint64_t counts[2] = {w->n_tensors, w->n_keys};
    status = emit(w, start, sizeof start, err);
    if (!status) status = emit(w, counts, sizeof counts, err);
    if (!status) status = emit(w, w->keys.data, w->keys.n, err);
    if (!status) status = emit(w, w->directory.data, w->directory.n, err);
    if (!status) status = pad(w, sizeof start + sizeof counts + w->keys.n + w->directory.n, err);
    return status;
}

ingle_status ingle_gguf_write(ingle_gguf_writer *w, const void *data, size_t n, ingle_error *err)
{
    if (!w) return ingle_fail(err, INGLE_ECLOSED, "the writer is closed");
    ingle_status status = w->in_data ? INGLE_OK : begin_data(w, err);
    const uint8_t *from = data;
    while (n && !status) {
        if (w->i_tensor == w->n_tensors)
            return ingle_fail(err, INGLE_EINVAL, "%zu bytes of data after the last tensor", n);
        const tensor_entry *t = &w->tensors[w->i_tensor];
        uint64_t room = t->n_bytes - w->n_filled;
        size_t piece = n < room ? n : (size_t)room;
        status = emit(w, from, piece, err);
        from += piece;
        n -= piece;
        w->n_filled += piece;
        if (!status && w->n_filled == t->n_bytes) {
            status = pad(w, t->n_bytes, err);
            w->i_tensor++;
            w->n_filled = 0;
        }
    }
    return status;
}

static ingle_status check_complete(ingle_gguf_writer *w, ingle_error *err)
{
    if (!w->in_data) {
        ingle_status status = begin_data(w, err);
        if (status) return status;
    }
    if (w->i_tensor == w->n_tensors) return INGLE_OK;
    const tensor_entry *t = &w->tensors[w->i_tensor];
    uint64_t len;
    memcpy(&len, w->directory.data + t->name_at, sizeof len);
    return ingle_fail(err, INGLE_EINVAL, "tensor '%.*s': %llu of %llu bytes of data given",
                      (int)len, (const char *)w->directory.data + t->name_at + sizeof len,
                      (unsigned long long)w->n_filled, (unsigned long long)t->n_bytes);
}

ingle_status ingle_gguf_writer_finish(ingle_gguf_writer **writer, ingle_error *err)
{
    if (!writer || !*writer) return ingle_fail(err, INGLE_ECLOSED, "the writer is closed");
    ingle_gguf_writer *w = *writer;
    ingle_status status = check_complete(w, err);
    if (!status) {
        int failed = fclose(w->file);
        w->file = NULL;
        if (failed || rename(w->part, w->path)) {
            status =
                ingle_fail(err, INGLE_EIO, "'%s': cannot finish: %s", w->path, strerror(errno));
            remove(w->part);
        }
    }
    ingle_gguf_writer_close(writer);
    return status;
}
