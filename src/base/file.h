/* file.h - reading files: sizes, ranges, maps. The only place that opens them.
 * Owns       one descriptor and at most one read-only map per ingle_file.
 * Depends on base/status.h, base/mem.h. */
#ifndef INGLE_BASE_FILE_H
#define INGLE_BASE_FILE_H

#include "base/status.h"

typedef struct ingle_file {
    int fd;
    uint64_t size;
} ingle_file;

/* Regular files only. ENOTFOUND, EIO; the text names the path and the reason. */
ingle_status ingle_file_open(ingle_file *out, const char *path, ingle_error *err);
void ingle_file_close(ingle_file *file);
/* Exactly n bytes from offset, or an error (EFORMAT past the end). Safe from several threads. */
ingle_status ingle_file_read(const ingle_file *file, uint64_t offset, void *dst, size_t n, ingle_error *err);

#endif
