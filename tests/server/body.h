/* body.h - for tests: a body as text, read by a table, and what came of it.
 * Include after cmocka.h. */
#ifndef INGLE_TESTS_BODY_H
#define INGLE_TESTS_BODY_H

#include "server/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct body {
    ingle_json_doc doc;
    field_reader r;
    api_error *error; /* of its own, as bodies are passed by value */
    bool read;
} body;

static inline void body_open(body *b, const char *text)
{
    ingle_json_limits limits = {.unique_names = true};
    ingle_error err;
    *b = (body){.read = false};
    b->error = calloc(1, sizeof *b->error);
    assert_non_null(b->error);
    b->r.error = b->error;
    if (ingle_json_open(&b->doc, text, strlen(text), &limits, &err))
        fail_msg("%s in %s", err.text, text);
}

static inline void body_close(body *b)
{
    fields_end(&b->r);
    ingle_json_close(&b->doc);
    free(b->error);
}

/* What was ignored, as text. */
static inline const char *body_ignored(const body *b)
{
    static char text[4096];
    snprintf(text, sizeof text, "%.*s", (int)b->r.ignored.n, b->r.ignored.p ? b->r.ignored.p : "");
    return text;
}

static inline void assert_refused(const body *b, const char *param, const char *part)
{
    if (b->read) fail_msg("was not refused: %s should be", param);
    if (b->error->status != 400) fail_msg("status %d: %s", b->error->status, b->error->message);
    if (strcmp(b->error->param, param) != 0)
        fail_msg("'%s' is blamed, not '%s': %s", b->error->param, param, b->error->message);
    if (!strstr(b->error->message, part)) fail_msg("'%s' lacks '%s'", b->error->message, part);
}

static inline void assert_read(const body *b)
{
    if (!b->read) fail_msg("refused: %s: %s", b->error->param, b->error->message);
    assert_int_equal(b->error->status, 0);
}

#endif
