/* parse_test.h - for tests: what a parser (chat/parse.h) makes of a text, as one line of text:
 *     <R>thinking<C>answer<name#id>arguments<.>
 * A call ends with <.>, a bad one with <!>; an id that is known only then follows it: <.#id>.
 * Exits the test where events contradict one another. Include after the C library's headers. */
#ifndef INGLE_TESTS_PARSE_TEST_H
#define INGLE_TESTS_PARSE_TEST_H

#include "base/utf8.h"
#include "chat/bytes.h"
#include "chat/parse.h"

#include <stdio.h>

#define PARSE_MUST(x)                                                                              \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "parse_test: %s:%d: not so: %s\n", __FILE__, __LINE__, #x);            \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

typedef struct parse_record {
    ingle_bytes line;
    int kind; /* of what was written last; -1: nothing */
    bool open, has_id;
    size_t n_calls;
} parse_record;

static inline void parse_record_event(void *user, const ingle_parse_event *e)
{
    parse_record *r = user;
    bool text = e->kind == INGLE_PARSE_REASONING || e->kind == INGLE_PARSE_CONTENT;
    PARSE_MUST(r->open == (e->kind == INGLE_PARSE_CALL_ARGS || e->kind == INGLE_PARSE_CALL_END));
    PARSE_MUST(!e->n || ingle_utf8_valid(e->text, e->n) == e->n);
    if (text || e->kind == INGLE_PARSE_CALL_ARGS) {
        PARSE_MUST(e->n);
        if (text && r->kind != (int)e->kind)
            ingle_bytes_text(&r->line, e->kind == INGLE_PARSE_CONTENT ? "<C>" : "<R>");
        ingle_bytes_put(&r->line, e->text, e->n);
    } else if (e->kind == INGLE_PARSE_CALL_BEGIN) {
        PARSE_MUST(e->i_call == r->n_calls++);
        PARSE_MUST(e->n);
        ingle_bytes_text(&r->line, "<");
        ingle_bytes_put(&r->line, e->text, e->n);
        r->has_id = e->id;
        if (e->id) ingle_bytes_text(&r->line, "#");
        ingle_bytes_put(&r->line, e->id, e->n_id);
        ingle_bytes_text(&r->line, ">");
        r->open = true;
    } else {
        PARSE_MUST(e->i_call + 1 == r->n_calls);
        ingle_bytes_text(&r->line, e->bad ? "<!" : "<.");
        if (e->id && !r->has_id) {
            ingle_bytes_text(&r->line, "#");
            ingle_bytes_put(&r->line, e->id, e->n_id);
        }
        ingle_bytes_text(&r->line, ">");
        r->open = false;
    }
    r->kind = (int)e->kind;
}

/* A small generator of numbers, the same everywhere. */
static inline uint32_t parse_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

enum { PARSE_WHOLE, PARSE_BYTES, PARSE_SPLIT }; /* from there on: the seed of random pieces */

/* Parses a text in pieces; the record's line has a NUL behind it. All bytes are accounted for. */
static inline ingle_status parse_run(parse_record *r, ingle_parse_options opt, const char *text,
                                     size_t n, unsigned pieces, ingle_parse_counts *counts)
{
    ingle_parse *p = NULL;
    ingle_parse_counts c;
    uint64_t state = pieces;
    *r = (parse_record){.kind = -1};
    opt.on_event = parse_record_event;
    opt.user = r;
    ingle_status st = ingle_parse_open(&p, &opt, NULL);
    for (size_t i = 0; !st && i < n;) {
        size_t len = pieces == PARSE_WHOLE   ? n
                     : pieces == PARSE_BYTES ? 1
                                             : 1 + parse_random(&state) % 9;
        if (len > n - i) len = n - i;
        char *copy = malloc(len); /* of just its size: the address sanitizer sees reads past it */
        if (!copy) {
            st = INGLE_ENOMEM;
            break;
        }
        memcpy(copy, text + i, len);
        st = ingle_parse_feed(p, copy, len, NULL);
        free(copy);
        i += len;
    }
    if (!st) st = ingle_parse_finish(p, NULL);
    if (!st) {
        ingle_parse_count(p, &c);
        PARSE_MUST(!r->open);
        PARSE_MUST(c.n_bytes == n);
        PARSE_MUST(c.n_text + c.n_call == n);
        if (counts) *counts = c;
        if (opt.keep_raw) {
            size_t n_raw;
            const char *raw = ingle_parse_raw(p, &n_raw);
            PARSE_MUST(n_raw == n && !memcmp(raw, text, n));
        }
    }
    ingle_parse_close(&p);
    ingle_bytes_add(&r->line, 0);
    if (r->line.failed) st = INGLE_ENOMEM;
    return st;
}

#endif
