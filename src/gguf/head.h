/* head.h - the head of one GGUF file: header, keys, tensor directory. Private to src/gguf.
 * Owns       one block with the bytes of the head, the arrays that point into it.
 * Depends on gguf/gguf.h, base/map.h.
 * Invariant  everything gguf.h promises, except what needs the other parts of a split file: unique
 *            tensor names. */
#ifndef INGLE_GGUF_HEAD_H
#define INGLE_GGUF_HEAD_H

#include "base/map.h"
#include "gguf/gguf.h"

typedef struct ingle_gguf_head {
    uint32_t version, alignment;
    uint8_t
        *bytes; /* as in the file; keys and names are moved one byte down to make room for a NUL */
    size_t n_bytes;
    size_t n_strings;
    ingle_str *strings; /* of all keys, one after the other */
    size_t n_kv;
    ingle_gguf_kv *kv;
    ingle_map keys; /* to the index in kv */
    size_t n_tensors;
    ingle_gguf_tensor *tensors; /* i_file is 0 */
} ingle_gguf_head;

/* On failure nothing is held. The file is not retained. */
ingle_status ingle_gguf_head_read(ingle_gguf_head *out, const ingle_file *file, bool with_tensors,
                                  ingle_error *err);
void ingle_gguf_head_free(ingle_gguf_head *head);
size_t ingle_gguf_head_heap(const ingle_gguf_head *head); /* bytes held */

/* override.c: sets a key. *block, which holds it, is the caller's to free, after the head. */
ingle_status ingle_gguf_head_override(ingle_gguf_head *head, const char *given, char **block,
                                      ingle_error *err);
/* NULL if there is no key of these bytes. */
ingle_gguf_kv *ingle_gguf_head_find(const ingle_gguf_head *head, const char *key, size_t len);

/* Bytes of a scalar; 0 for strings, arrays and numbers that are no type. */
size_t ingle_gguf_type_size(uint32_t type);
const char *ingle_gguf_type_name(uint32_t type);

/* EFORMAT: the key is of another type than `want` says. */
ingle_status ingle_gguf_wrong_type(const ingle_gguf_kv *kv, const char *want, ingle_error *err);
/* The value as an unsigned number, else EFORMAT naming the key, what it is and what it should be.
 */
ingle_status ingle_gguf_kv_u32(const ingle_gguf_kv *kv, uint32_t *out, ingle_error *err);

#endif
