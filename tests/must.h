/* must.h - for tests: calls that have to succeed, and what an error has to say. Include after cmocka.h
 * and ingle.h. */
#ifndef INGLE_TESTS_MUST_H
#define INGLE_TESTS_MUST_H

#include <string.h>

static inline void must(ingle_status st, const ingle_error *err)
{
    if (st) fail_msg("%s: %s", ingle_status_name(st), err->text);
}

static inline void assert_text(const ingle_error *err, const char *part)
{
    if (!strstr(err->text, part)) fail_msg("\"%s\" does not name \"%s\"", err->text, part);
}

#endif
