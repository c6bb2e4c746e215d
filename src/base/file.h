/* file.h - reading files: sizes and ranges. The only place that opens them.
 * Owns       one descriptor per ingle_file.
 * Depends on base/status.h. */
#ifndef INGLE_BASE_FILE_H
#define INGLE_BASE_FILE_H

#include "base/status.h"

typedef struct ingle_file {
    int fd; /* -1 when closed */
    uint64_t size;
} ingle_file;

/* Regular files only. ENOTFOUND, EIO; the text names the path and the reason. */
ingle_status ingle_file_open(ingle_file *out, const char *path, ingle_error *err);
void ingle_file_close(ingle_file *file);

/* Exactly n bytes from offset, or an error (EFORMAT past the end). Safe from several threads. */
ingle_status ingle_file_read(const ingle_file *file, uint64_t offset, void *dst, size_t n,
                             ingle_error *err);

#define INGLE_MAP_ALIGN 65536 /* a multiple of every system's page */

/* The same bytes as memory that stays the file's: read when they are first looked at, changed when
 * the file is, and whoever looks past an end that has moved since is ended by SIGBUS. from is a
 * multiple of INGLE_MAP_ALIGN; EFORMAT past the end, ENOMEM, EIO. */
ingle_status ingle_file_map(const ingle_file *file, uint64_t from, uint64_t n, const uint8_t **out,
                            ingle_error *err);
void ingle_file_unmap(const uint8_t *data, uint64_t n); /* NULL is a no-op */

/* Lets the system drop this part of the file from its cache. Advice: it may not listen. */
void ingle_file_forget(const ingle_file *file, uint64_t offset, uint64_t n);

/* The beginning of a small text file of the system (/proc, /sys: their sizes say nothing), at most
 * cap-1 bytes, NUL-terminated. False, and an empty string, if it cannot be read. */
bool ingle_file_read_text(const char *path, char *text, size_t cap);

#endif
