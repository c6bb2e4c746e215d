/* grammar_walk.h - for tests: random texts that a grammar admits, from the bytes that may come next,
 * with a preference for what ends something. Include after the C library's headers and ingle.h. */
#ifndef INGLE_TESTS_GRAMMAR_WALK_H
#define INGLE_TESTS_GRAMMAR_WALK_H

#include "chat/profile.h"
#include "model/grammar.h"

enum { WALK_BYTES = 6000, WALK_LONG = 250 }; /* at most; from there on it hurries to the end */

#define WALK_MUST(x)                                                                               \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "grammar_walk: %s:%d: not so: %s\n", __FILE__, __LINE__, #x);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A small generator of numbers, the same everywhere. */
static inline uint32_t walk_draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static inline size_t walk_pick(const bool expected[256], uint64_t *seed, bool hurry)
{
    static const char ends[] = "}])\"<>|,";
    size_t n = 0, at = 0;
    for (size_t i = 0; hurry && ends[i] && walk_draw(seed) % 8; i++)
        if (expected[(unsigned char)ends[i]]) return (unsigned char)ends[i];
    for (size_t b = 0; b < 256; b++) n += expected[b];
    if (!n) return 256;
    if (expected['"'] && walk_draw(seed) % 8 == 0) return '"';
    if (expected['<'] && walk_draw(seed) % 8 == 0) return '<';
    for (size_t skip = walk_draw(seed) % n;; at++)
        if (expected[at] && !skip--) return at;
}

/* Texts that end something: of the rows of a family. */
typedef struct walk_hints {
    const char *text[64];
    size_t n;
} walk_hints;

static inline void walk_hint(walk_hints *h, const char *text)
{
    if (text && h->n < sizeof h->text / sizeof *h->text) h->text[h->n++] = text;
}

static inline void walk_hint_row(walk_hints *h, const ingle_call_syntax *s)
{
    const char *const all[] = {s->value_end, s->quote, s->close, s->section_close, s->key};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) walk_hint(h, all[k]);
}

/* Of a family, and of one more row if that is not NULL. */
static inline void walk_hints_of(walk_hints *h, const char *family, const ingle_call_syntax *row)
{
    ingle_chat_profile p;
    ingle_profile_query q = {.family = family};
    *h = (walk_hints){.n = 0};
    WALK_MUST(!ingle_profile_find(&p, &q, NULL));
    for (size_t i = 0; p.thinking && i < 2; i++) walk_hint(h, p.thinking->close[i]);
    for (size_t i = 0; i < INGLE_PROFILE_CALLS && p.calls[i]; i++) walk_hint_row(h, p.calls[i]);
    if (row) walk_hint_row(h, row);
}

/* Goes on by a text if all of it is admitted. */
static inline bool walk_try(ingle_grammar_state **s, char *text, size_t *n, const char *more)
{
    ingle_grammar_state *next;
    ingle_error err;
    size_t n_good, len = strlen(more);
    WALK_MUST(!ingle_grammar_state_clone(&next, *s, &err));
    bool ok = *n + len < WALK_BYTES && !ingle_grammar_state_text(next, more, len, &n_good, &err) &&
              n_good == len;
    if (ok) {
        memcpy(text + *n, more, len);
        *n += len;
        ingle_grammar_state_close(s);
        *s = next;
    } else {
        ingle_grammar_state_close(&next);
    }
    return ok;
}

/* Goes on at random until the text may end; false: it became too long. */
static inline bool walk_on(ingle_grammar_state **state, char *text, size_t *n, const walk_hints *h,
                           uint64_t *seed)
{
    size_t from = *n;
    while (*n < WALK_BYTES) {
        ingle_grammar_state *s = *state;
        bool expected[256], hurry = *n > from + WALK_LONG;
        if (ingle_matcher_may_end(s->matcher) && (hurry || walk_draw(seed) % 3 == 0)) return true;
        if (h->n && walk_draw(seed) % (hurry ? 2 : 8) == 0 &&
            walk_try(state, text, n, h->text[walk_draw(seed) % h->n]))
            continue;
        s = *state;
        ingle_matcher_expected(s->matcher, expected);
        size_t b = walk_pick(expected, seed, hurry), n_good;
        ingle_error err;
        if (b == 256) return ingle_matcher_may_end(s->matcher);
        text[*n] = (char)b;
        WALK_MUST(!ingle_grammar_state_text(s, text + *n, 1, &n_good, &err));
        ++*n;
    }
    return false;
}

#endif
