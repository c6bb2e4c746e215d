/* template_case.h - for tests: renders one case {context, expected or error} of reference data. */
#ifndef INGLE_TESTS_TEMPLATE_CASE_H
#define INGLE_TESTS_TEMPLATE_CASE_H

#include "chat/jinja.h"
#include "json_test.h"

/* The clock that the reference was rendered with. */
static const ingle_jinja_time case_now = {2026, 1, 15, 9, 30, 0};

/* Spans cover the text in order, and take turns. */
static inline bool case_spans_ok(const ingle_jinja_output *o)
{
    size_t at = 0;
    for (size_t i = 0; i < o->n_spans; i++) {
        if (o->spans[i].offset != at || !o->spans[i].length) return false;
        if (i && o->spans[i].trusted == o->spans[i - 1].trusted) return false;
        at += o->spans[i].length;
    }
    for (size_t i = 0; i < o->n_marks; i++) {
        if (o->marks[i].offset > o->n) return false;
        if (i && (o->marks[i].offset < o->marks[i - 1].offset ||
                  o->marks[i].i_message <= o->marks[i - 1].i_message))
            return false;
    }
    return at == o->n;
}

/* What is wrong with what came of it, in `text`; "" if it is as it should be. */
static inline void case_check(const json *c, ingle_status st, const ingle_jinja_output *o,
                              const ingle_error *err, char text[1000])
{
    const json *expected = json_get(c, "expected"), *error = json_get(c, "error");
    const json *changed = json_get(c, "expected_if_mutation_allowed");
    text[0] = 0;
    if (!st && !case_spans_ok(o)) {
        strcpy(text, "spans or marks are out of order");
    } else if (!st) {
        if (changed) expected = changed;
        if (!expected || !ingle_json_is_bytes(expected, o->text, o->n))
            snprintf(text, 1000, "got '%.400s', should be '%.400s'", o->text,
                     expected ? json_str(expected) : "an error");
    } else if (!error) {
        snprintf(text, 1000, "failed: %s", err->text);
    } else if (!err->text[0]) {
        strcpy(text, "failed without a word");
    } else if (!strcmp(json_str(json_get(error, "kind")), "raise_exception") &&
               !ingle_json_is_bytes(json_get(error, "message"), o->raised ? o->raised : "",
                                    o->n_raised)) {
        snprintf(text, 1000, "raised '%.400s', should be '%.400s'",
                 o->raised ? o->raised : "nothing", json_str(json_get(error, "message")));
    } else if (strcmp(json_str(json_get(error, "kind")), "raise_exception") != 0 && o->raised) {
        strcpy(text, "raised by the template, should be an error of another kind");
    }
}

#endif
