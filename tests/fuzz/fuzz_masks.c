/* fuzz_masks.c - masks of any grammar over any vocabulary: a token is in the mask if, and only if, it
 * can be taken; bytes that must come can; states are what they were after all others are forgotten.
 * Input: the grammar (GBNF; one that begins with '/' is a pattern); NUL; the tokens, each ended by a
 * byte 1, the last of them being the walk: which of the admitted tokens is taken, byte by byte. */
#include "fuzz.h"
#include "grammar/automaton.h"
#include "grammar/gbnf.h"
#include "grammar/regex.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_GRAMMAR = 400, MAX_TOKENS = 64, MAX_STEPS = 12, WORK = 20000 };

/* Tokens 0 and 1 have no text; 1 ends a text. */
static ingle_trie *open_trie(const uint8_t *data, size_t size, size_t *rest)
{
    static uint32_t start[MAX_TOKENS + 1];
    static char bytes[1 << 16];
    const int32_t ends[] = {1};
    ingle_trie *trie;
    size_t n = 2, at = 0, from = 0;
    start[0] = start[1] = start[2] = 0;
    for (size_t i = 0; i < size && n < MAX_TOKENS && at < sizeof bytes; i++) {
        if (data[i] != 1) {
            bytes[at++] = (char)data[i];
            continue;
        }
        start[++n] = (uint32_t)at;
        from = i + 1;
    }
    *rest = from;
    if (ingle_trie_open(&trie, bytes, start, n, ends, 1, NULL)) abort();
    return trie;
}

/* Whether a token can be taken; INGLE_EUNSUPPORTED: that needs more work than is allowed. */
static ingle_status take(const ingle_matcher *m, int32_t token)
{
    ingle_matcher *copy = ingle_matcher_clone(m);
    ingle_error err;
    if (!copy) abort();
    ingle_status st = ingle_matcher_accept(copy, token, &err);
    ingle_matcher_close(copy);
    if (st && st != INGLE_EFORMAT && st != INGLE_EUNSUPPORTED) abort();
    return st;
}

/* The token to take: one of those admitted, as `choice` has it; -1: none, or too much work. */
static int32_t check_mask(ingle_matcher *m, const ingle_trie *trie, uint8_t choice)
{
    const uint32_t *mask;
    int32_t taken = -1;
    ingle_error err = {""};
    if (ingle_matcher_mask(m, &mask, &err)) {
        if (!err.text[0]) abort();
        return -1;
    }
    for (int32_t t = 0; t < (int32_t)trie->n_vocab; t++) {
        bool admitted = mask[t / 32] >> t % 32 & 1;
        if (t == 1 && admitted != ingle_matcher_may_end(m)) abort();
        if (t == 1) continue;
        ingle_status st = take(m, t);
        if (st == INGLE_EUNSUPPORTED) return -1;
        if (admitted != !st) abort();
        if (admitted && (taken < 0 || choice-- > 0)) taken = t;
    }
    return taken;
}

static void check_forced(ingle_matcher *m)
{
    char bytes[32];
    bool whole;
    size_t n_good, n = ingle_matcher_forced(m, bytes, sizeof bytes, &whole);
    ingle_matcher *copy = ingle_matcher_clone(m);
    if (!copy) abort();
    if (ingle_matcher_text(copy, bytes, n, &n_good, NULL) == INGLE_OK && n_good != n) abort();
    ingle_matcher_close(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t n = nul ? (size_t)(nul - data) : size, n_tokens = nul ? size - n - 1 : 0, rest;
    const ingle_term_limits limits = {.max_bytes = 1 << 20, .max_terms = 5000};
    const ingle_automaton_limits at_work = {.max_work = WORK, .max_bytes = 1};
    const char *text = (const char *)data;
    ingle_term root = INGLE_TERM_NONE;
    ingle_automaton *a;
    if (!n || n > MAX_GRAMMAR) return 0;
    ingle_terms *t = ingle_terms_open(&limits);
    if (!t) abort();
    ingle_status st = *text == '/' ? ingle_regex_compile(t, text + 1, n - 1, NULL, &root, NULL)
                                   : ingle_gbnf_compile(t, text, n, NULL, &root, NULL);
    if (!st) st = ingle_terms_finish(t, &root, NULL);
    if (st) {
        ingle_terms_close(t);
        return 0;
    }
    ingle_trie *trie = open_trie(nul ? nul + 1 : data, n_tokens, &rest);
    if (ingle_automaton_open(&a, t, root, trie, &at_work, NULL)) abort();
    ingle_matcher *m = ingle_matcher_open(a);
    if (!m) abort();
    for (size_t i = 0; i < MAX_STEPS; i++) {
        uint8_t choice = rest + i < n_tokens ? nul[1 + rest + i] : 0;
        int32_t token = check_mask(m, trie, choice);
        check_forced(m);
        if (token < 0 || ingle_matcher_accept(m, token, NULL)) break;
    }
    ingle_matcher_close(m);
    ingle_automaton_close(a);
    ingle_trie_close(trie);
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const struct {
        const char *grammar, *tokens;
    } seeds[] = {
        {"root ::= \"\\\"\" ([^\"\\\\\\x00-\\x1f] | \"\\\\\" [\"n])* \"\\\"\" \",\"",
         "\"\1a\1hello\1\\\1\\n\1\",\1,\1\xc3\1\xa9\1x\xc3\1\xe2\x82\1hh\"\1\3\2\7\1"},
        {"root ::= e\ne ::= e \"+\" t | t\nt ::= [0-9]{1,3} | \"(\" e \")\"", "1"
                                                                              "\1"
                                                                              "12"
                                                                              "\1"
                                                                              "+"
                                                                              "\1"
                                                                              "("
                                                                              "\1"
                                                                              ")"
                                                                              "\1"
                                                                              "(("
                                                                              "\1"
                                                                              "))"
                                                                              "\1"
                                                                              "1+"
                                                                              "\1"
                                                                              "+("
                                                                              "\1"
                                                                              "\5\4\3\2"},
        {"root ::= [a-z]{2,9} \"end\" | \"a\"* \"b\"", "a\1ab\1abc\1end\1n\1ndend\1b\1\3\3\3"},
        {"/[A-Za-z][a-z-]{0,20}(@[a-z]+)?", "Aa\1a-\1-\1@\1a@b\1zzzzzzzz\1A\1\1\2\3\4"},
        {"/(?!foo)[a-z]+", "f\1fo\1foo\1oo\1o\1bar\1\1\1"},
        {"root ::= !<[3]> | <a> root", "a\1<a>\1<\1a>\1\1"},
    };
    if (i >= sizeof seeds / sizeof *seeds) return 0;
    size_t n = strlen(seeds[i].grammar), k = strlen(seeds[i].tokens);
    if (n + 1 + k > cap) return 0;
    memcpy(data, seeds[i].grammar, n + 1);
    memcpy(data + n + 1, seeds[i].tokens, k);
    return n + 1 + k;
}
