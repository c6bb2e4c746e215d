#define _GNU_SOURCE
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

ingle_status ingle_file_open(ingle_file *out, const char *path, ingle_error *err)
{
    *out = (ingle_file){.fd = -1};
    /* O_NONBLOCK: opening a FIFO must not hang before we can see that it is one. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        return ingle_fail(err, absent ? INGLE_ENOTFOUND : INGLE_EIO, "%s: %m", path);
    }
    struct stat st;
    ingle_status status = INGLE_OK;
    if (fstat(fd, &st) < 0) status = ingle_fail(err, INGLE_EIO, "%s: %m", path);
    else if (S_ISDIR(st.st_mode))
        status = ingle_fail(err, INGLE_EIO, "%s: is a directory, not a file", path);
    else if (!S_ISREG(st.st_mode))
        status = ingle_fail(err, INGLE_EIO, "%s: is not a regular file", path);
    if (status) {
        close(fd);
        return status;
    }
    *out = (ingle_file){.fd = fd, .size = (uint64_t)st.st_size};
    return INGLE_OK;
}

void ingle_file_close(ingle_file *file)
{
    if (!file || file->fd < 0) return;
    close(file->fd);
    *file = (ingle_file){.fd = -1};
}

ingle_status ingle_file_read(const ingle_file *file, uint64_t offset, void *dst, size_t n,
                             ingle_error *err)
{
    if (offset > file->size || n > file->size - offset)
        return ingle_fail(err, INGLE_EFORMAT,
                          "%zu bytes at offset %llu lie past the end of the file", n,
                          (unsigned long long)offset);
    char *at = dst;
    while (n) {
        ssize_t got = pread(file->fd, at, n, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return ingle_fail(err, INGLE_EIO, "reading %zu bytes at offset %llu: %m", n,
                              (unsigned long long)offset);
        if (got == 0) /* someone shortened it since it was opened */
            return ingle_fail(err, INGLE_EFORMAT, "the file now ends at offset %llu",
                              (unsigned long long)offset);
        at += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return INGLE_OK;
}

ingle_status ingle_file_map(const ingle_file *file, uint64_t from, uint64_t n, const uint8_t **out,
                            ingle_error *err)
{
    *out = NULL;
    if (from > file->size || n > file->size - from)
        return ingle_fail(err, INGLE_EFORMAT,
                          "%llu bytes at offset %llu lie past the end of the file",
                          (unsigned long long)n, (unsigned long long)from);
    if (n > SIZE_MAX)
        return ingle_fail(err, INGLE_ENOMEM, "no memory to map %llu bytes of the file",
                          (unsigned long long)n);
    void *p = mmap(NULL, (size_t)n, PROT_READ, MAP_SHARED, file->fd, (off_t)from);
    if (p == MAP_FAILED) {
        bool memory = errno == ENOMEM;
        return ingle_fail(err, memory ? INGLE_ENOMEM : INGLE_EIO,
                          "%s map %llu bytes of the file: %m",
                          memory ? "no memory to" : "the system cannot", (unsigned long long)n);
    }
    *out = p;
    return INGLE_OK;
}

void ingle_file_unmap(const uint8_t *data, uint64_t n)
{
    if (data) munmap((void *)(uintptr_t)data, (size_t)n);
}

void ingle_file_forget(const ingle_file *file, uint64_t offset, uint64_t n)
{
    if (offset > file->size || n > file->size - offset) return;
    (void)posix_fadvise(file->fd, (off_t)offset, (off_t)n, POSIX_FADV_DONTNEED);
}

bool ingle_file_read_text(const char *path, char *text, size_t cap)
{
    text[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    size_t len = 0;
    bool ok = true;
    while (len + 1 < cap) {
        ssize_t got = read(fd, text + len, cap - 1 - len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) ok = false;
        if (got <= 0) break;
        len += (size_t)got;
    }
    close(fd);
    text[ok ? len : 0] = 0;
    return ok;
}
