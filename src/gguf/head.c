/* Reading goes over the head twice. The first pass (measure_*) walks the file with bounded reads,
 * checks every length before it is used, and learns how long the head is and how many strings it
 * has. Then all of it lies in one block, proven sound, and the second pass (build_*) only takes
 * pointers. So nothing is allocated on the word of a number in the file: arrays are as large as
 * what was really there. */
#include "gguf/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES     24
#define MIN_KV_BYTES     14 /* length, one character, type, one byte of value */
#define MIN_TENSOR_BYTES 33 /* length, one character, n_dims, one dim, type, offset */
#define MAX_NAME_BYTES   65535
#define MAX_ALIGNMENT    (1u << 20)
#define MAX_HEAD_BYTES   ((uint64_t)1 << 30)
#define FIRST_READ       ((uint64_t)1 << 16)

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
    return get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* ---- first pass: how far does the head go? ---- */

typedef struct scanner {
    const ingle_file *file;
    ingle_error *err;
    uint8_t *bytes;   /* [0, have) are read */
    size_t have, cap; /* have <= cap */
    size_t at;        /* next byte to look at */
    uint64_t n_kv, n_tensors;
    size_t n_strings;
    char where[128]; /* "key 'general.name'": begins every message */
} scanner;

static uint64_t bytes_left(const scanner *s)
{
    return s->file->size - s->at;
}

/* Reads on until [0, end) is in memory; more than asked for, so that there are few reads. */
static ingle_status load(scanner *s, uint64_t end)
{
    if (end > MAX_HEAD_BYTES)
        return ingle_fail(s->err, INGLE_EUNSUPPORTED, "%s: metadata of more than %llu bytes",
                          s->where, (unsigned long long)MAX_HEAD_BYTES);
    uint64_t want = s->have < FIRST_READ / 2 ? FIRST_READ : 2 * (uint64_t)s->have;
    if (want < end) want = end;
    if (want > s->file->size) want = s->file->size;
    if (want > s->cap) {
        uint8_t *bytes = realloc(s->bytes, (size_t)want);
        if (!bytes)
            return ingle_fail(s->err, INGLE_ENOMEM, "%s: no memory for %llu bytes of metadata",
                              s->where, (unsigned long long)want);
        s->bytes = bytes;
        s->cap = (size_t)want;
    }
    ingle_status status =
        ingle_file_read(s->file, s->have, s->bytes + s->have, (size_t)want - s->have, s->err);
    if (!status) s->have = (size_t)want;
    return status;
}

/* Makes sure that the next n bytes exist and are in memory. */
static ingle_status need(scanner *s, uint64_t n, const char *what)
{
    if (n > bytes_left(s))
        return ingle_fail(s->err, INGLE_EFORMAT,
                          "%s: %s needs %llu bytes at offset %zu, but the file ends at %llu",
                          s->where, what, (unsigned long long)n, s->at,
                          (unsigned long long)s->file->size);
    return s->at + n > s->have ? load(s, s->at + n) : INGLE_OK;
}

/* What people take for a model by mistake, by its first bytes. */
static const struct {
    const char *bytes;
    size_t n, at; /* at: where the bytes are */
    const char *what;
} others[] = {
    {"version https://git-lfs", 23, 0,
     "a pointer of Git LFS: 'git lfs pull' fetches the file itself"},
    {"<!DOCTYPE", 9, 0, "an HTML page: the download led to a web page"},
    {"<!doctype", 9, 0, "an HTML page: the download led to a web page"},
    {"<html", 5, 0, "an HTML page: the download led to a web page"},
    {"<HTML", 5, 0, "an HTML page: the download led to a web page"},
    {"<?xml", 5, 0, "an XML text, as some servers write their errors"},
    {"PK\3\4", 4, 0, "a zip archive, as PyTorch writes weights: convert it to GGUF first"},
    {"\x80\2", 2, 0, "a pickle, as PyTorch writes weights: convert it to GGUF first"},
    {"\x89HDF", 4, 0, "an HDF5 file: convert it to GGUF first"},
    {"lmgg", 4, 0, "a GGML file from before GGUF: convert it to GGUF first"},
    {"fmgg", 4, 0, "a GGML file from before GGUF: convert it to GGUF first"},
    {"tjgg", 4, 0, "a GGML file from before GGUF: convert it to GGUF first"},
    {"algg", 4, 0, "a GGML adapter from before GGUF"},
    {"\x1f\x8b", 2, 0, "compressed by gzip: unpack it first"},
    {"\x28\xb5\x2f\xfd", 4, 0, "compressed by zstd: unpack it first"},
    {"\xfd"
     "7zXZ",
     5, 0, "compressed by xz: unpack it first"},
    {"BZh", 3, 0, "compressed by bzip2: unpack it first"},
    {"{\"", 2, 8, "a safetensors file: convert it to GGUF first"},
    {"{", 1, 0, "a JSON text"},
};

static ingle_status refuse_other(const scanner *s)
{
    size_t n = s->file->size < HEADER_BYTES ? (size_t)s->file->size : HEADER_BYTES;
    const char *p = (const char *)s->bytes;
    if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) p += 3, n -= 3; /* of a text: a byte order mark, */
    while (n && strchr(" \t\r\n", *p) && *p) p++, n--;           /* blanks */
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (n >= others[i].at + others[i].n &&
            !memcmp(p + others[i].at, others[i].bytes, others[i].n))
            return ingle_fail(s->err, INGLE_EFORMAT, "header: this is no GGUF file but %s",
                              others[i].what);
    return ingle_fail(s->err, INGLE_EFORMAT,
                      "header: this is not a GGUF file (no \"GGUF\" at its beginning)");
}

static ingle_status measure_header(scanner *s)
{
    snprintf(s->where, sizeof s->where, "header");
    if (!s->file->size) return ingle_fail(s->err, INGLE_EFORMAT, "header: the file is empty");
    ingle_status status =
        need(s, s->file->size < HEADER_BYTES ? s->file->size : HEADER_BYTES, "it");
    if (status) return status;
    if (s->file->size < 4 || memcmp(s->bytes, "GGUF", 4)) return refuse_other(s);
    if ((status = need(s, HEADER_BYTES, "it"))) return status;

    uint32_t version = get32(s->bytes + 4);
    if (version == 1)
        return ingle_fail(s->err, INGLE_EUNSUPPORTED,
                          "header: GGUF version 1 is not supported (2 and 3 are)");
    if (version == 2u << 24 || version == 3u << 24)
        return ingle_fail(s->err, INGLE_EUNSUPPORTED,
                          "header: big-endian GGUF is not supported (little-endian is)");
    if (version != 2 && version != 3)
        return ingle_fail(s->err, INGLE_EUNSUPPORTED,
                          "header: GGUF version %u is not supported (2 and 3 are)", version);

    s->n_tensors = get64(s->bytes + 8);
    s->n_kv = get64(s->bytes + 16);
    s->at = HEADER_BYTES;
    if (s->n_kv > bytes_left(s) / MIN_KV_BYTES || s->n_kv > UINT32_MAX)
        return ingle_fail(s->err, INGLE_EFORMAT,
                          "header: key count %llu does not fit a file of %llu bytes",
                          (unsigned long long)s->n_kv, (unsigned long long)s->file->size);
    if (s->n_tensors > bytes_left(s) / MIN_TENSOR_BYTES || s->n_tensors > UINT32_MAX)
        return ingle_fail(s->err, INGLE_EFORMAT,
                          "header: tensor count %llu does not fit a file of %llu bytes",
                          (unsigned long long)s->n_tensors, (unsigned long long)s->file->size);
    return INGLE_OK;
}

/* A key or a tensor name: its length, then the text. Leaves its text in s->where. */
static ingle_status measure_name(scanner *s, const char *kind, uint64_t i)
{
    snprintf(s->where, sizeof s->where, "%s #%llu", kind, (unsigned long long)i);
    ingle_status status = need(s, 8, "the length of its name");
    if (status) return status;
    uint64_t len = get64(s->bytes + s->at);
    s->at += 8;
    if (len < 1 || len > MAX_NAME_BYTES)
        return ingle_fail(s->err, INGLE_EFORMAT, "%s: its name of %llu bytes is not in 1..%d",
                          s->where, (unsigned long long)len, MAX_NAME_BYTES);
    if ((status = need(s, len, "its name"))) return status;
    const uint8_t *name = s->bytes + s->at;
    for (size_t k = 0; k < len; k++)
        if (name[k] < 0x20 || name[k] == 0x7f)
            return ingle_fail(s->err, INGLE_EFORMAT,
                              "%s: byte %zu of its name '%.*s' is %u, a control character",
                              s->where, k, (int)(k < 64 ? k : 64), (const char *)name, name[k]);
    snprintf(s->where, sizeof s->where, "%s '%.*s'%s", kind, (int)(len < 96 ? len : 96),
             (const char *)name, len < 96 ? "" : "..");
    s->at += (size_t)len;
    return INGLE_OK;
}

static ingle_status measure_string(scanner *s)
{
    ingle_status status = need(s, 8, "the length of a string");
    if (status) return status;
    uint64_t len = get64(s->bytes + s->at);
    s->at += 8;
    if ((status = need(s, len, "a string"))) return status;
    s->at += (size_t)len;
    s->n_strings++;
    return INGLE_OK;
}

/* n scalars of one type. */
static ingle_status measure_scalars(scanner *s, uint32_t type, uint64_t n)
{
    size_t size = ingle_gguf_type_size(type);
    if (n > bytes_left(s) / size)
        return ingle_fail(s->err, INGLE_EFORMAT,
                          "%s: %llu values of %zu bytes do not fit the %llu left in the file",
                          s->where, (unsigned long long)n, size, (unsigned long long)bytes_left(s));
    ingle_status status = need(s, n * size, "its value");
    if (status) return status;
    for (size_t i = 0; type == INGLE_GGUF_BOOL && i < n; i++)
        if (s->bytes[s->at + i] > 1)
            return ingle_fail(s->err, INGLE_EFORMAT, "%s: a bool is %u, not 0 or 1", s->where,
                              s->bytes[s->at + i]);
    s->at += (size_t)n * size;
    return INGLE_OK;
}

static ingle_status measure_array(scanner *s)
{
    ingle_status status = need(s, 12, "the size of an array");
    if (status) return status;
    uint32_t item = get32(s->bytes + s->at);
    uint64_t n = get64(s->bytes + s->at + 4);
    s->at += 12;
    if (item == INGLE_GGUF_ARRAY)
        return ingle_fail(s->err, INGLE_EUNSUPPORTED, "%s: arrays of arrays are not supported",
                          s->where);
    if (item == INGLE_GGUF_STRING) {
        if (n > bytes_left(s) / 8)
            return ingle_fail(s->err, INGLE_EFORMAT,
                              "%s: %llu strings do not fit the %llu bytes left in the file",
                              s->where, (unsigned long long)n, (unsigned long long)bytes_left(s));
        for (uint64_t i = 0; !status && i < n; i++) status = measure_string(s);
        return status;
    }
    if (!ingle_gguf_type_size(item))
        return ingle_fail(s->err, INGLE_EFORMAT, "%s: element type %u does not exist", s->where,
                          item);
    return measure_scalars(s, item, n);
}

static ingle_status measure_kv(scanner *s, uint64_t i)
{
    ingle_status status = measure_name(s, "key", i);
    if (status || (status = need(s, 4, "its type"))) return status;
    uint32_t type = get32(s->bytes + s->at);
    s->at += 4;
    if (type == INGLE_GGUF_STRING) return measure_string(s);
    if (type == INGLE_GGUF_ARRAY) return measure_array(s);
    if (!ingle_gguf_type_size(type))
        return ingle_fail(s->err, INGLE_EFORMAT, "%s: value type %u does not exist", s->where,
                          type);
    return measure_scalars(s, type, 1);
}

static ingle_status measure_tensor(scanner *s, uint64_t i)
{
    ingle_status status = measure_name(s, "tensor", i);
    if (status || (status = need(s, 4, "its number of dimensions"))) return status;
    uint32_t n_dims = get32(s->bytes + s->at);
    s->at += 4;
    if (n_dims < 1 || n_dims > 4)
        return ingle_fail(s->err, INGLE_EFORMAT, "%s: %u dimensions, not 1..4", s->where, n_dims);
    if ((status = need(s, 8 * (uint64_t)n_dims + 12, "its description"))) return status;
    s->at += 8 * (size_t)n_dims + 12;
    return INGLE_OK;
}

static ingle_status measure(scanner *s)
{
    ingle_status status = measure_header(s);
    for (uint64_t i = 0; !status && i < s->n_kv; i++) status = measure_kv(s, i);
    for (uint64_t i = 0; !status && i < s->n_tensors; i++) status = measure_tensor(s, i);
    return status;
}

/* ---- second pass: pointers into the block ---- */

typedef struct cursor {
    uint8_t *at;
    ingle_str *strings; /* next free one */
} cursor;

static uint32_t take32(cursor *c)
{
    c->at += 4;
    return get32(c->at - 4);
}

static uint64_t take64(cursor *c)
{
    c->at += 8;
    return get64(c->at - 8);
}

/* The length in front of the text is read, so the text may move one byte down and be terminated. */
static const char *take_name(cursor *c, size_t *len)
{
    *len = (size_t)take64(c);
    char *name = (char *)c->at - 1;
    memmove(name, c->at, *len);
    name[*len] = 0;
    c->at += *len;
    return name;
}

static void build_kv(cursor *c, ingle_gguf_kv *kv, size_t *key_len)
{
    kv->key = take_name(c, key_len);
    kv->type = (ingle_gguf_type)take32(c);
    kv->item = kv->type;
    kv->n = 1;
    if (kv->type == INGLE_GGUF_ARRAY) {
        kv->item = (ingle_gguf_type)take32(c);
        kv->n = (size_t)take64(c);
    }
    if (kv->item != INGLE_GGUF_STRING) {
        kv->data = c->at;
        c->at += kv->n * ingle_gguf_type_size(kv->item);
        return;
    }
    kv->strings = c->strings;
    for (size_t i = 0; i < kv->n; i++) {
        size_t len = (size_t)take64(c);
        *c->strings++ = (ingle_str){.ptr = (const char *)c->at, .len = len};
        c->at += len;
    }
}

static ingle_status no_memory(const ingle_gguf_head *head, ingle_error *err)
{
    return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu keys and %zu tensors", head->n_kv,
                      head->n_tensors);
}

static ingle_status build_keys(ingle_gguf_head *head, cursor *c, ingle_error *err)
{
    for (size_t i = 0; i < head->n_kv; i++) {
        size_t len;
        build_kv(c, &head->kv[i], &len);
        const char *key = head->kv[i].key;
        if (ingle_gguf_head_find(head, key, len))
            return ingle_fail(err, INGLE_EFORMAT, "key '%.100s' is there twice", key);
        if (!ingle_map_add(&head->keys, ingle_map_hash(&head->keys, key, len), (uint32_t)i))
            return no_memory(head, err);
    }
    return INGLE_OK;
}

static ingle_status read_alignment(ingle_gguf_head *head, ingle_error *err)
{
    const char *key = "general.alignment";
    const ingle_gguf_kv *kv = ingle_gguf_head_find(head, key, strlen(key));
    head->alignment = 32;
    ingle_status status = kv ? ingle_gguf_kv_u32(kv, &head->alignment, err) : INGLE_OK;
    uint32_t a = head->alignment;
    if (!status && (!a || a & (a - 1) || a > MAX_ALIGNMENT))
        return ingle_fail(err, INGLE_EFORMAT, "key '%s': %u is not a power of two in 1..%u", key, a,
                          MAX_ALIGNMENT);
    return status;
}

/* Elements and bytes; of a type that only inspection lets pass, bytes stay 0. */
static ingle_status size_tensor(ingle_gguf_tensor *t, bool with_tensors, ingle_error *err)
{
    t->n_elems = 1;
    for (int d = 0; d < t->n_dims; d++)
        if (!t->dims[d] || __builtin_mul_overflow(t->n_elems, t->dims[d], &t->n_elems) ||
            t->n_elems > INT64_MAX)
            return ingle_fail(err, INGLE_EFORMAT, "tensor '%.100s': dimension %d of %llu %s",
                              t->name, d, (unsigned long long)t->dims[d],
                              t->dims[d] ? "makes it larger than 2^63 elements" : "is not allowed");
    unsigned type = (unsigned)t->type;
    const ingle_type_info *info = ingle_type_get(type);
    if (!info) {
        if (!with_tensors) return INGLE_OK;
        const char *known = ingle_type_known_name(type);
        return ingle_fail(
            err, INGLE_EUNSUPPORTED, "tensor '%.36s': type %u%s%s is not supported (these are: %s)",
            t->name, type, known ? " = " : "", known ? known : "", ingle_type_supported_list());
    }
    if (t->dims[0] % info->block_elems)
        return ingle_fail(
            err, INGLE_EFORMAT,
            "tensor '%.64s': rows of %llu are no multiple of the %u weights in a block of %s",
            t->name, (unsigned long long)t->dims[0], info->block_elems, info->name);
    if (!ingle_type_bytes(info, t->n_elems / t->dims[0], t->dims[0], &t->n_bytes))
        return ingle_fail(err, INGLE_EFORMAT, "tensor '%.100s': larger than 2^64 bytes", t->name);
    return INGLE_OK;
}

static void build_tensor(cursor *c, ingle_gguf_tensor *t)
{
    size_t len;
    t->name = take_name(c, &len);
    t->n_dims = (int)take32(c);
    for (int d = 0; d < 4; d++) t->dims[d] = d < t->n_dims ? take64(c) : 1;
    t->type = (ingle_type)take32(c);
    t->offset = take64(c);
}

/* From relative to the data section to absolute, which must lie in the file. */
static ingle_status place_tensor(ingle_gguf_tensor *t, uint64_t data_at, uint32_t alignment,
                                 uint64_t file_size, ingle_error *err)
{
    uint64_t end;
    if (t->offset % alignment)
        return ingle_fail(err, INGLE_EFORMAT,
                          "tensor '%.100s': offset %llu is no multiple of the alignment %u",
                          t->name, (unsigned long long)t->offset, alignment);
    if (__builtin_add_overflow(t->offset, data_at, &t->offset) ||
        __builtin_add_overflow(t->offset, t->n_bytes, &end) || end > file_size)
        return ingle_fail(err, INGLE_EFORMAT,
                          "tensor '%.100s': its %llu bytes at offset %llu run past the end of the "
                          "file (%llu bytes)",
                          t->name, (unsigned long long)t->n_bytes, (unsigned long long)t->offset,
                          (unsigned long long)file_size);
    return INGLE_OK;
}

static int by_offset(const void *a, const void *b)
{
    const ingle_gguf_tensor *const *x = a, *const *y = b;
    return (*x)->offset < (*y)->offset ? -1 : (*x)->offset > (*y)->offset;
}

/* Every tensor has at least one byte, so neighbours in order of offset are all there is to compare.
 */
static ingle_status check_overlap(const ingle_gguf_head *head, ingle_error *err)
{
    size_t n = head->n_tensors;
    const ingle_gguf_tensor **sorted = ingle_new(n, sizeof *sorted);
    if (!sorted) return ingle_fail(err, INGLE_ENOMEM, "no memory to compare %zu tensors", n);
    for (size_t i = 0; i < n; i++) sorted[i] = &head->tensors[i];
    qsort(sorted, n, sizeof *sorted, by_offset);
    ingle_status status = INGLE_OK;
    for (size_t i = 1; !status && i < n; i++)
        if (sorted[i]->offset - sorted[i - 1]->offset < sorted[i - 1]->n_bytes)
            status = ingle_fail(
                err, INGLE_EFORMAT, "tensor '%.64s' at offset %llu overlaps tensor '%.64s'",
                sorted[i]->name, (unsigned long long)sorted[i]->offset, sorted[i - 1]->name);
    free(sorted);
    return status;
}

static ingle_status build_tensors(ingle_gguf_head *head, cursor *c, uint64_t file_size,
                                  bool with_tensors, ingle_error *err)
{
    uint64_t data_at = ingle_round_up(head->n_bytes, head->alignment);
    for (size_t i = 0; i < head->n_tensors; i++) {
        ingle_gguf_tensor *t = &head->tensors[i];
        build_tensor(c, t);
        ingle_status status = size_tensor(t, with_tensors, err);
        if (!status && with_tensors)
            status = place_tensor(t, data_at, head->alignment, file_size, err);
        if (!status && !with_tensors && __builtin_add_overflow(t->offset, data_at, &t->offset))
            status = ingle_fail(err, INGLE_EFORMAT, "tensor '%.100s': offset past 2^64", t->name);
        if (status) return status;
    }
    return with_tensors ? check_overlap(head, err) : INGLE_OK;
}

static ingle_status build(ingle_gguf_head *head, uint64_t file_size, bool with_tensors,
                          ingle_error *err)
{
    head->strings = ingle_new(head->n_strings, sizeof *head->strings);
    head->kv = ingle_new(head->n_kv, sizeof *head->kv);
    head->tensors = ingle_new(head->n_tensors, sizeof *head->tensors);
    if (!head->strings || !head->kv || !head->tensors || !ingle_map_open(&head->keys, head->n_kv))
        return no_memory(head, err);
    cursor c = {.at = head->bytes + HEADER_BYTES, .strings = head->strings};
    ingle_status status = build_keys(head, &c, err);
    if (!status) status = read_alignment(head, err);
    if (!status) status = build_tensors(head, &c, file_size, with_tensors, err);
    return status;
}

ingle_status ingle_gguf_head_read(ingle_gguf_head *out, const ingle_file *file, bool with_tensors,
                                  ingle_error *err)
{
    *out = (ingle_gguf_head){0};
    scanner s = {.file = file, .err = err};
    ingle_status status = measure(&s);
    out->bytes = s.bytes;
    if (status) goto fail;
    uint8_t *trimmed = realloc(s.bytes, s.at); /* what comes after the head was read ahead */
    if (trimmed) out->bytes = trimmed;
    out->version = get32(out->bytes + 4);
    out->n_bytes = s.at;
    out->n_strings = s.n_strings;
    out->n_kv = (size_t)s.n_kv;
    out->n_tensors = (size_t)s.n_tensors;
    status = build(out, file->size, with_tensors, err);
    if (!status) return INGLE_OK;
fail:
    ingle_gguf_head_free(out);
    return status;
}

void ingle_gguf_head_free(ingle_gguf_head *head)
{
    free(head->bytes);
    free(head->strings);
    free(head->kv);
    free(head->tensors);
    ingle_map_close(&head->keys);
    *head = (ingle_gguf_head){0};
}

size_t ingle_gguf_head_heap(const ingle_gguf_head *head)
{
    return head->n_bytes + head->n_strings * sizeof *head->strings + head->n_kv * sizeof *head->kv +
           (head->tensors ? head->n_tensors * sizeof *head->tensors : 0) +
           ingle_map_bytes(&head->keys);
}

ingle_gguf_kv *ingle_gguf_head_find(const ingle_gguf_head *head, const char *key, size_t len)
{
    uint64_t hash = ingle_map_hash(&head->keys, key, len);
    for (uint32_t i, at = 0; (i = ingle_map_next(&head->keys, hash, &at)) != INGLE_NO_ID;)
        if (!strncmp(head->kv[i].key, key, len) && !head->kv[i].key[len]) return &head->kv[i];
    return NULL;
}
