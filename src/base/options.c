/* options.c - see options.h. */
#include "base/options.h"

#include <string.h>

static size_t size_of(const void *p)
{
    size_t size;
    memcpy(&size, p, sizeof size);
    return size;
}

void ingle_options_fill(void *opt, size_t size, const void *defaults, size_t n_defaults)
{
    if (!opt || size < sizeof size) return;
    memset(opt, 0, size);
    memcpy(opt, defaults, size < n_defaults ? size : n_defaults);
    memcpy(opt, &size, sizeof size);
}

static ingle_status check_size(size_t size, size_t n_own, const char *what, ingle_error *err)
{
    bool whole = size % sizeof size == 0; /* as every struct that holds a size_t */
    if (whole && size >= sizeof size && size <= n_own) return INGLE_OK;
    if (whole && size > n_own && size < 65536)
        return ingle_fail(
            err, INGLE_EINVAL,
            "option 'size' of %s is %zu, this library knows %zu bytes: the caller was "
            "built with a newer ingle.h",
            what, size, n_own);
    return ingle_fail(err, INGLE_EINVAL, "option 'size' of %s is %zu, should be sizeof the struct",
                      what, size);
}

ingle_status ingle_options_take(void *own, size_t n_own, const void *opt, const char *what,
                                ingle_error *err)
{
    if (!opt) return INGLE_OK;
    size_t size = size_of(opt);
    ingle_status st = check_size(size, n_own, what, err);
    if (st) return st;
    memcpy(own, opt, size);
    memcpy(own, &n_own, sizeof n_own);
    return INGLE_OK;
}

ingle_status ingle_result_check(const void *out, size_t n_own, const char *name, ingle_error *err)
{
    if (!out) return ingle_fail(err, INGLE_EINVAL, "%s: the struct is NULL", name);
    return check_size(size_of(out), n_own, name, err);
}

void ingle_result_give(void *out, const void *own, size_t n_own)
{
    size_t size = size_of(out);
    memcpy(out, own, size < n_own ? size : n_own);
    memcpy(out, &size, sizeof size);
}

ingle_status ingle_option_range(const char *name, int32_t value, int32_t min, int32_t max,
                                ingle_error *err)
{
    if (value >= min && value <= max) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL, "option '%s' is %d, should be %d to %d", name, value, min,
                      max);
}
