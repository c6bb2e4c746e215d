#include "base/status.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text from files ends up in messages and then in terminals: what does not show (ingle_utf8_shows())
 * and bytes that are not UTF-8 become '?', and so does a character that vsnprintf cut in half. */
static void make_harmless(char *s)
{
    for (size_t left = strlen(s), n; left; s += n, left -= n) {
        n = ingle_utf8_len(s, left);
        if (n && ingle_utf8_shows(s, n)) continue;
        if (!n) n = 1;
        memset(s, '?', n);
    }
}

ingle_status ingle_fail(ingle_error *err, ingle_status status, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        make_harmless(err->text);
    }
    return status;
}

const char *ingle_version(void)
{
    return INGLE_VERSION;
}

const char *ingle_status_name(ingle_status status)
{
    static const char *const names[] = {
        "INGLE_OK",      "INGLE_EINVAL",       "INGLE_ENOMEM",  "INGLE_EIO",      "INGLE_ENOTFOUND",
        "INGLE_EFORMAT", "INGLE_EUNSUPPORTED", "INGLE_ERANGE",  "INGLE_EFULL",    "INGLE_EBUSY",
        "INGLE_ECLOSED", "INGLE_ECANCELLED",   "INGLE_EDEVICE", "INGLE_ETIMEOUT", "INGLE_EQUEUE",
    };
    size_t i = (size_t)status;
    return i < sizeof names / sizeof names[0] ? names[i] : "unknown status";
}
