/* write.h - writes GGUF v3 files: keys, tensor directory, then the tensors' bytes as a stream.
 * Owns       the keys and the directory until they are written; the open file. Tensor data is never
 * held. Depends on base/, gguf/gguf.h for the vocabulary of types, quant/quant.h for sizes. Order
 * open, then put_*, then add_tensor for each tensor, then data for each tensor in the same order,
 * then finish. Invariant  the bytes go to `path` + ".part", which becomes `path` only in finish():
 * nobody ever sees half a file. Keys and names are unique, sizes agree with the types; what the
 * writer accepts the reader accepts. */
#ifndef INGLE_GGUF_WRITE_H
#define INGLE_GGUF_WRITE_H

#include "gguf/gguf.h"

typedef struct ingle_gguf_writer ingle_gguf_writer;

/* Creates path.part. EIO names the path and the reason. */
ingle_status ingle_gguf_writer_open(ingle_gguf_writer **out, const char *path, ingle_error *err);
/* Frees the writer; a file that was not finished is removed. Sets *w to NULL; NULL is a no-op. */
void ingle_gguf_writer_close(ingle_gguf_writer **w);

/* Any value the reader can deliver, as the reader delivers it (little-endian bytes, or strings), so
 * a file's keys are copied by handing them over. EINVAL for a key that is there already, empty,
 * longer than 65535 bytes or with control bytes, and once the first tensor data is written.
 * "general.alignment" (a U32 power of two, 8 to 1 MiB) is obeyed; without it 32. */
ingle_status ingle_gguf_put(ingle_gguf_writer *w, const ingle_gguf_kv *kv, ingle_error *err);
/* The common cases. Arrays: n elements of type item, little-endian bytes. */
ingle_status ingle_gguf_put_u32(ingle_gguf_writer *w, const char *key, uint32_t value,
                                ingle_error *err);
ingle_status ingle_gguf_put_f32(ingle_gguf_writer *w, const char *key, float value,
                                ingle_error *err);
ingle_status ingle_gguf_put_bool(ingle_gguf_writer *w, const char *key, bool value,
                                 ingle_error *err);
ingle_status ingle_gguf_put_str(ingle_gguf_writer *w, const char *key, const char *value,
                                ingle_error *err);
ingle_status ingle_gguf_put_array(ingle_gguf_writer *w, const char *key, ingle_gguf_type item,
                                  size_t n, const void *data, ingle_error *err);
ingle_status ingle_gguf_put_strings(ingle_gguf_writer *w, const char *key, size_t n,
                                    const ingle_str *strings, ingle_error *err);

/* Adds a tensor to the directory; its data follows later. dims[0] is the fastest, n_dims 1..4.
 * EINVAL for a name that is there already or longer than 63 bytes (the limit of other readers), a
 * zero dimension, a row that is not whole blocks. */
ingle_status ingle_gguf_add_tensor(ingle_gguf_writer *w, const char *name, ingle_type type,
                                   int n_dims, const uint64_t *dims, ingle_error *err);
/* The next n bytes of tensor data. The first call writes keys and directory and closes both lists.
 * Bytes run through the tensors in directory order without gaps (the writer pads between tensors);
 * pieces may span tensors. EINVAL past the end. */
ingle_status ingle_gguf_write(ingle_gguf_writer *w, const void *data, size_t n, ingle_error *err);
/* Checks that every tensor has all its bytes, and moves the file into place. On failure the file is
 * removed. The writer is closed either way. */
ingle_status ingle_gguf_writer_finish(ingle_gguf_writer **w, ingle_error *err);

#endif
