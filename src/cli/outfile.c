/* outfile.c - see outfile.h. */
#define _GNU_SOURCE
#include "outfile.h"
#include "out.h"
#include "platform.h"

#include "base/entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_OPEN = 8, NAMES_TRIED = 16, PLAIN_MODE = 0666 };

/* Unfinished files. A signal handler reads the list, so an entry is set last and cleared first. */
static const char *volatile unfinished[MOST_OPEN];

static void remove_unfinished(void)
{
    for (size_t i = 0; i < MOST_OPEN; i++)
        if (unfinished[i]) unlink(unfinished[i]);
}

static bool remember(const char *temp)
{
    for (size_t i = 0; i < MOST_OPEN; i++) {
        if (unfinished[i]) continue;
        platform_before_death(remove_unfinished);
        unfinished[i] = temp;
        return true;
    }
    errno = EMFILE;
    return false;
}

static void forget(const char *temp)
{
    for (size_t i = 0; i < MOST_OPEN; i++)
        if (unfinished[i] == temp) unfinished[i] = NULL;
}

static bool cannot_write(const char *path)
{
    out_error("cannot write %s: %s", path, strerror(errno));
    return false;
}

/* Where path leads, through links whose last one may point at a file that is not there yet. NULL with
 * errno set. */
static char *follow(const char *path)
{
    char *at = realpath(path, NULL), link[PATH_MAX];
    if (at || errno != ENOENT) return at;
    ssize_t len = readlink(path, link, sizeof link - 1);
    if (len < 0) return errno == EINVAL || errno == ENOENT ? strdup(path) : NULL;
    link[len] = 0;
    const char *slash = link[0] == '/' ? NULL : strrchr(path, '/');
    char *next = NULL;
    if (asprintf(&next, "%.*s%s", slash ? (int)(slash - path + 1) : 0, path, link) < 0) return NULL;
    at = follow(next); /* a circle of links would have been ELOOP above */
    free(next);
    return at;
}

/* Makes a new file in the target's folder and names it in o->temp; a descriptor, or -1 with errno set. */
static int make_temp(outfile *o)
{
    const char *slash = strrchr(o->target, '/');
    int folder = slash ? (int)(slash - o->target + 1) : 0, fd = -1;
    for (int i = 0; fd == -1 && i < NAMES_TRIED; i++) {
        char *name = NULL;
        if (asprintf(&name, "%.*s.ingle-%08x.part", folder, o->target, (unsigned)ingle_entropy()) <
            0)
            return -1;
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, PLAIN_MODE);
        if (fd != -1) o->temp = name;
        else free(name);
        if (fd == -1 && errno != EEXIST) return -1;
    }
    return fd;
}

/* The mode of the file that is replaced, and its owner where the system lets us. */
static bool copy_mode(int fd, const struct stat *old)
{
    if (fchown(fd, old->st_uid, old->st_gid) != 0 && errno != EPERM) return false;
    return fchmod(fd, old->st_mode & 0777) == 0;
}

/* Opens a new file beside the target; -1 with errno set. */
static int open_temp(outfile *o, const struct stat *old)
{
    int fd = make_temp(o);
    if (fd == -1 || (remember(o->temp) && (!old || copy_mode(fd, old)))) return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static bool open_file(outfile *o)
{
    struct stat st;
    bool there = stat(o->path, &st) == 0;
    int fd;
    if (there && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return false;
    }
    if (there && !S_ISREG(st.st_mode)) { /* a pipe or a device has no content to keep */
        fd = open(o->path, O_WRONLY | O_CLOEXEC);
    } else {
        if (there && access(o->path, W_OK) != 0) return false;
        if (!(o->target = follow(o->path))) return false;
        fd = open_temp(o, there ? &st : NULL);
    }
    if (fd == -1) return false;
    if ((o->f = fdopen(fd, "wb"))) return true;
    close(fd);
    return false;
}

static void drop_names(outfile *o)
{
    if (o->temp) forget(o->temp);
    free(o->temp);
    free(o->target);
    *o = (outfile){0};
}

bool outfile_open(outfile *o, const char *path)
{
    *o = (outfile){.path = path};
    if (strcmp(path, "-") == 0) {
        o->f = stdout;
        return true;
    }
    if (open_file(o)) return true;
    cannot_write(path);
    if (o->temp) unlink(o->temp);
    drop_names(o);
    return false;
}

bool outfile_written(outfile *o)
{
    if (o->f == stdout) return out_flush(); /* out_finish() reports it */
    if (fflush(o->f) == 0 && !ferror(o->f)) return true;
    return cannot_write(o->path);
}

bool outfile_floats(outfile *o, const float *v, size_t n)
{
    unsigned char bytes[4096] = {0};
    for (size_t i = 0; i < n;) {
        size_t len = 0;
        for (; i < n && len < sizeof bytes; i++, len += 4) {
            uint32_t bits;
            memcpy(&bits, &v[i], sizeof bits);
            for (int k = 0; k < 4; k++) bytes[len + (size_t)k] = (unsigned char)(bits >> 8 * k);
        }
        if (fwrite(bytes, 1, len, o->f) != len) return false;
    }
    return true;
}

int outfile_close(outfile *o, int code)
{
    if (!o->f || o->f == stdout) return code;
    bool whole = code == EXIT_DONE, ok = !whole || (fflush(o->f) == 0 && !ferror(o->f));
    if (whole && ok && o->temp) ok = fsync(fileno(o->f)) == 0;
    if (fclose(o->f) != 0) ok = !whole;
    if (whole && ok && o->temp) ok = rename(o->temp, o->target) == 0;
    if (!ok) {
        cannot_write(o->path);
        code = EXIT_WORK;
    }
    if (o->temp && code != EXIT_DONE) unlink(o->temp);
    drop_names(o);
    return code;
}
