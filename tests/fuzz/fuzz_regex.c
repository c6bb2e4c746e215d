/* fuzz_regex.c - any bytes as a pattern: it compiles, or a message names a column. What it matches
 * as a whole it matches anywhere; a group around it changes nothing; anchors around it make of one
 * way to match the other.
 * Input: the pattern; after a NUL, if there is one, the text. */
#include "fuzz.h"
#include "grammar/regex.h"
#include "grammar/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TEXT = 12, MAX_PATTERN = 400 };

typedef enum answer { NO, YES, REFUSED } answer;

/* before + pattern + after against the text. */
static answer ask(const char *before, const char *pattern, size_t n, const char *after, bool search,
                  const char *text, size_t n_text)
{
    ingle_term_limits limits = {.max_bytes = 4 << 20, .max_terms = 20000};
    ingle_terms *t = ingle_terms_open(&limits);
    size_t n_before = strlen(before), n_after = strlen(after), len = n_before + n + n_after;
    char *whole = malloc(len ? len : 1);
    if (!t || !whole) abort();
    memcpy(whole, before, n_before);
    if (n) memcpy(whole + n_before, pattern, n);
    memcpy(whole + n_before + n, after, n_after);
    ingle_regex_options opt = {.search = search};
    ingle_term e;
    ingle_error err = {""};
    bool yes = false;
    ingle_status st = ingle_regex_compile(t, whole, len, &opt, &e, &err);
    if (st && (!err.text[0] || e != INGLE_TERM_NONE)) abort();
    if (!st && n <= MAX_PATTERN) st = ingle_term_matches(t, e, text, n_text, &yes);
    ingle_terms_close(t);
    free(whole);
    return st ? REFUSED : yes ? YES : NO;
}

static bool differ(answer a, answer b)
{
    return a != REFUSED && b != REFUSED && a != b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    const char *nul = size ? memchr(p, 0, size) : NULL;
    size_t n = nul ? (size_t)(nul - p) : size, n_text = nul ? size - n - 1 : 0;
    const char *text = nul ? nul + 1 : "";
    if (n_text > MAX_TEXT) n_text = MAX_TEXT;
    answer all = ask("", p, n, "", false, text, n_text);
    answer anywhere = ask("", p, n, "", true, text, n_text);
    if (all == REFUSED && anywhere == REFUSED) return 0; /* a ')' of its own may end the group */
    if (all == YES && anywhere == NO) abort();
    if (differ(all, ask("(?:", p, n, ")", false, text, n_text))) abort();
    if (differ(anywhere, ask("(?:", p, n, ")", true, text, n_text))) abort();
    if (differ(all, ask("^(?:", p, n, ")$", true, text, n_text))) abort();
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const struct {
        const char *pattern, *text;
    } seeds[] = {
        {"^[\\w.-]+@[\\w-]+\\.[a-z]{2,}$", "a.b@c.de"},
        {"(^a|b)c|^b$|(?:x$|y)*", "bc"},
        {"^(?=.*[A-Z])(?=.*\\d).{2,4}$", "aB3x"},
        {"^((?!foo).)*$", "fofo"},
        {"a(?!b)(?=c[^d])|(?<=x)y", "acex"},
        {"\\bfoo\\b|\\Bx", "a foo"},
        {"^[a-z-]+(?<!-)$", "a-b"},
        {"(?<n>a{2}|b{1,}?|c{0,3})*", "aabcc"},
        {"[^\\W_\\p{Lu}\\x41-\\u{5A}\\-]|\\P{L}|\\cA\\0", "b"},
        {"\\uD83D\\uDE00|[\xc3\xa4-\xc3\xbc]", "\xc3\xb6"},
        {"a{,2}{]}", "a{,2}{]}"},
        {"(a)\\1\\k<n>", ""},
        {"[z-a]", ""},
        {"(a|(b", ""},
    };
    if (i >= sizeof seeds / sizeof *seeds) return 0;
    size_t n = strlen(seeds[i].pattern), n_text = strlen(seeds[i].text);
    if (n + 1 + n_text > cap) return 0;
    memcpy(data, seeds[i].pattern, n + 1);
    memcpy(data + n + 1, seeds[i].text, n_text);
    return n + 1 + n_text;
}
