/* gguf_build.h - writes GGUF bytes in memory, right or wrong, for tests and fuzz seeds.
 * Every field is written as told: nothing is checked or corrected. Needs _GNU_SOURCE for
 * memfd_create. */
#ifndef INGLE_TESTS_GGUF_BUILD_H
#define INGLE_TESTS_GGUF_BUILD_H

#include "gguf/gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct gguf_bytes {
    uint8_t p[32768];
    size_t n;
} gguf_bytes;

static inline void gb_raw(gguf_bytes *b, const void *src, size_t n)
{
    if (n > sizeof b->p - b->n) abort();
    memcpy(b->p + b->n, src, n);
    b->n += n;
}

/* The low `size` bytes of v. */
static inline void gb_int(gguf_bytes *b, uint64_t v, size_t size)
{
    for (size_t i = 0; i < size; i++) gb_raw(b, &(uint8_t){(uint8_t)(v >> 8 * i)}, 1);
}

static inline void gb_u32(gguf_bytes *b, uint32_t v)
{
    gb_int(b, v, 4);
}
static inline void gb_u64(gguf_bytes *b, uint64_t v)
{
    gb_int(b, v, 8);
}

static inline void gb_str(gguf_bytes *b, const char *text)
{
    gb_u64(b, strlen(text));
    gb_raw(b, text, strlen(text));
}

static inline void gb_header(gguf_bytes *b, uint32_t version, uint64_t n_tensors, uint64_t n_kv)
{
    gb_raw(b, "GGUF", 4);
    gb_u32(b, version);
    gb_u64(b, n_tensors);
    gb_u64(b, n_kv);
}

static inline void gb_key(gguf_bytes *b, const char *key, uint32_t type)
{
    gb_str(b, key);
    gb_u32(b, type);
}

static inline void gb_kv_int(gguf_bytes *b, const char *key, uint32_t type, uint64_t v, size_t size)
{
    gb_key(b, key, type);
    gb_int(b, v, size);
}

static inline void gb_kv_u32(gguf_bytes *b, const char *key, uint32_t v)
{
    gb_kv_int(b, key, INGLE_GGUF_U32, v, 4);
}

static inline void gb_kv_f32(gguf_bytes *b, const char *key, float v)
{
    gb_key(b, key, INGLE_GGUF_F32);
    gb_raw(b, &v, 4);
}

static inline void gb_kv_str(gguf_bytes *b, const char *key, const char *text)
{
    gb_key(b, key, INGLE_GGUF_STRING);
    gb_str(b, text);
}

/* The elements follow. */
static inline void gb_array(gguf_bytes *b, const char *key, uint32_t item, uint64_t n)
{
    gb_key(b, key, INGLE_GGUF_ARRAY);
    gb_u32(b, item);
    gb_u64(b, n);
}

static inline void gb_tensor(gguf_bytes *b, const char *name, uint32_t n_dims, const uint64_t *dims,
                             uint32_t type, uint64_t offset)
{
    gb_str(b, name);
    gb_u32(b, n_dims);
    for (uint32_t i = 0; i < n_dims; i++) gb_u64(b, dims[i]);
    gb_u32(b, type);
    gb_u64(b, offset);
}

static inline void gb_pad(gguf_bytes *b, size_t to)
{
    while (b->n % to) gb_raw(b, "", 1);
}

static inline void gb_data(gguf_bytes *b, size_t n)
{
    for (size_t i = 0; i < n; i++) gb_raw(b, &(uint8_t){(uint8_t)(i * 7 + 1)}, 1);
}

/* A file of these bytes without a name of its own; `path` opens it as long as the descriptor lives.
 */
static inline int gb_file(const uint8_t *p, size_t n, char path[32])
{
    int fd = memfd_create("gguf", MFD_CLOEXEC);
    if (fd < 0) abort();
    if (write(fd, p, n) != (ssize_t)n) abort();
    snprintf(path, 32, "/proc/self/fd/%d", fd);
    return fd;
}

/* A small model with a value of every type and three tensors. */
static inline void gb_small_model(gguf_bytes *b, uint32_t version, uint32_t alignment)
{
    b->n = 0;
    gb_header(b, version, 3, 16);
    gb_kv_str(b, "general.architecture", "llama");
    gb_kv_u32(b, "general.alignment", alignment);
    gb_kv_int(b, "t.u8", INGLE_GGUF_U8, 200, 1);
    gb_kv_int(b, "t.i8", INGLE_GGUF_I8, (uint64_t)-100, 1);
    gb_kv_int(b, "t.u16", INGLE_GGUF_U16, 60000, 2);
    gb_kv_int(b, "t.i16", INGLE_GGUF_I16, (uint64_t)-30000, 2);
    gb_kv_int(b, "t.i32", INGLE_GGUF_I32, (uint64_t)-2000000000, 4);
    gb_kv_f32(b, "t.f32", 1e-5f);
    gb_kv_int(b, "t.bool", INGLE_GGUF_BOOL, 1, 1);
    gb_kv_int(b, "t.u64", INGLE_GGUF_U64, UINT64_MAX, 8);
    gb_kv_int(b, "t.i64", INGLE_GGUF_I64, (uint64_t)INT64_MIN, 8);
    double tenth = 0.1;
    gb_key(b, "t.f64", INGLE_GGUF_F64);
    gb_raw(b, &tenth, 8);
    gb_array(b, "t.strings", INGLE_GGUF_STRING, 4);
    gb_str(b, "<s>");
    gb_str(b, "");
    gb_str(b, "\"\\\n\t\x01 caf\xc3\xa9");
    gb_str(b, "\xff\xe2\x96");
    gb_array(b, "t.ints", INGLE_GGUF_I32, 5);
    for (int i = -2; i < 3; i++) gb_u32(b, (uint32_t)i);
    gb_array(b, "t.bools", INGLE_GGUF_BOOL, 3);
    gb_raw(b, "\1\0\1", 3);
    gb_array(b, "t.empty", INGLE_GGUF_F32, 0);

    size_t a = alignment ? alignment : 1, at_b = (32 + a - 1) / a * a,
           at_c = at_b + (36 + a - 1) / a * a;
    gb_tensor(b, "a.f32", 1, (uint64_t[]){8}, INGLE_TYPE_F32, 0);
    gb_tensor(b, "b.q4_0", 2, (uint64_t[]){32, 2}, INGLE_TYPE_Q4_0, at_b);
    gb_tensor(b, "c.f16", 3, (uint64_t[]){4, 2, 3}, INGLE_TYPE_F16, at_c);
    gb_pad(b, a);
    size_t start = b->n;
    gb_data(b, 32);
    while (b->n - start < at_b) gb_raw(b, "", 1);
    gb_data(b, 36);
    while (b->n - start < at_c) gb_raw(b, "", 1);
    gb_data(b, 48);
}

#endif
