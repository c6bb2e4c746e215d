/* Terms against an oracle that knows nothing of derivatives: the set of all texts of at most five
 * letters out of two, which fits 64 bits. Masks against the tokens tried one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "grammar/automaton.h"
#include "grammar/table.h"

enum { LONGEST = 5, RULES = 3 };

static uint64_t seed;

static uint32_t chance(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* ---- the oracle ------------------------------------------------------------------------------ */

/* Text number i: of length n where 2^n - 1 <= i, its letters the bits of the rest. */
static unsigned length_of(unsigned i)
{
    unsigned n = 0;
    while ((2u << n) - 1 <= i) n++;
    return n;
}

static uint64_t joined(uint64_t x, uint64_t y)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < 63; i++)
        for (unsigned j = 0; x >> i & 1 && j < 63; j++) {
            unsigned n = length_of(i), k = length_of(j);
            if (!(y >> j & 1) || n + k > LONGEST) continue;
            unsigned letters = (i - ((1u << n) - 1)) << k | (j - ((1u << k) - 1));
            all |= (uint64_t)1 << ((1u << (n + k)) - 1 + letters);
        }
    return all;
}

static uint64_t repeated(uint64_t x, uint32_t min, uint32_t max)
{
    uint64_t all = 0, now = 1;
    for (uint32_t i = 0; i <= LONGEST + min && i <= max; i++) {
        if (i >= min) all |= now;
        now = joined(now, x);
    }
    return all;
}

/* ---- grammars at random, built twice --------------------------------------------------------- */

typedef struct plan {
    int kind;
    uint32_t min, max;
    char letters[4];
    int a, b; /* places of parts */
} plan;

enum { LETTERS, SEQ, ALT, REPEAT, AND, MINUS, RULE, SET };

static plan made[1024];
static int n_made;

static int make(int depth, bool rules)
{
    plan p = {.kind = LETTERS};
    uint32_t what = depth ? chance(rules ? 13 : 9) : chance(2);
    if (what >= 2) p.kind = what < 4 ? SEQ : what < 6 ? ALT : what < 8 ? REPEAT : RULE;
    if (!rules && what == 8) p.kind = chance(2) ? AND : MINUS;
    if (what == 1) {
        p.kind = SET;
        p.min = 1 + chance(3);
    }
    if (p.kind == LETTERS) {
        uint32_t n = 1 + chance(2);
        for (uint32_t i = 0; i < n; i++) p.letters[i] = chance(2) ? 'g' : 'G';
    }
    if (p.kind == REPEAT) {
        p.min = chance(3);
        p.max = chance(2) ? INGLE_TERM_MANY : p.min + chance(3);
    }
    if (p.kind == RULE) p.a = (int)chance(RULES);
    else if (p.kind >= SEQ && p.kind <= MINUS) {
        p.a = make(depth - 1, rules && p.kind < AND);
        if (p.kind != REPEAT) p.b = make(depth - 1, rules && p.kind < AND);
    }
    made[n_made] = p;
    return n_made++;
}

static uint64_t language(int i, const uint64_t *rule)
{
    const plan *p = &made[i];
    switch (p->kind) {
    case LETTERS: {
        uint64_t x = 1;
        for (const char *c = p->letters; *c; c++) x = joined(x, *c == 'g' ? 2 : 4);
        return x;
    }
    case SET: return p->min << 1;
    case SEQ: return joined(language(p->a, rule), language(p->b, rule));
    case ALT: return language(p->a, rule) | language(p->b, rule);
    case REPEAT: return repeated(language(p->a, rule), p->min, p->max);
    case AND: return language(p->a, rule) & language(p->b, rule);
    case MINUS: return language(p->a, rule) & ~language(p->b, rule);
    default: return rule[p->a];
    }
}

static ingle_term term(ingle_terms *t, int i)
{
    const plan *p = &made[i];
    const ingle_range both[] = {{'g', 'm'}, {'G', 'Z'}}; /* of which the oracle knows two */
    switch (p->kind) {
    case LETTERS: return ingle_term_literal(t, p->letters, strlen(p->letters));
    case SET: return ingle_term_chars(t, both + (p->min == 2), 1 + (p->min == 3), false);
    case SEQ: return ingle_term_seq(t, term(t, p->a), term(t, p->b));
    case ALT: return ingle_term_alt(t, term(t, p->a), term(t, p->b));
    case REPEAT: return ingle_term_repeat(t, term(t, p->a), p->min, p->max);
    case AND: return ingle_term_and(t, term(t, p->a), term(t, p->b));
    case MINUS: return ingle_term_minus(t, term(t, p->a), term(t, p->b));
    default: return ingle_term_rule(t, (uint32_t)p->a);
    }
}

/* ---- comparing ------------------------------------------------------------------------------- */

static ingle_trie *small_vocabulary(void)
{
    static const char *const text[] = {"g",    "G",   "gG",    "Gg",    "gg",  "GG",  "ggG",
                                       "gGG",  "GgG", "Ggg",   "GGG",   "ggg", "gGg", "c",
                                       "gggg", "G",   "ggGGg", "GGggc", "",    ""};
    enum { N = sizeof text / sizeof *text };
    uint32_t start[N + 1] = {0};
    char bytes[128];
    for (size_t i = 0; i < N; i++) {
        memcpy(bytes + start[i], text[i], strlen(text[i]));
        start[i + 1] = start[i] + (uint32_t)strlen(text[i]);
    }
    ingle_trie *trie;
    const int32_t ends[] = {N - 1};
    assert_int_equal(ingle_trie_open(&trie, bytes, start, N, ends, 1, NULL), INGLE_OK);
    return trie;
}

/* Every token, tried by itself. */
static void check_mask(ingle_matcher *m, const ingle_trie *trie)
{
    const uint32_t *mask;
    assert_int_equal(ingle_matcher_mask(m, &mask, NULL), INGLE_OK);
    for (int32_t i = 0; i < (int32_t)trie->n_vocab; i++) {
        ingle_matcher *copy = ingle_matcher_clone(m);
        bool admitted = mask[i / 32] >> i % 32 & 1;
        bool good = trie->ends[i / 32] >> i % 32 & 1
                        ? ingle_matcher_may_end(m)
                        : ingle_matcher_accept(copy, i, NULL) == INGLE_OK;
        if (admitted != good)
            print_error("token %d '%.*s': admitted %d, good %d\n", i,
                        (int)(trie->start[i + 1] - trie->start[i]), trie->bytes + trie->start[i],
                        admitted, good);
        assert_int_equal(admitted, good);
        ingle_matcher_close(copy);
    }
}

static void compare(ingle_automaton *a, const ingle_trie *trie, uint64_t texts)
{
    for (unsigned i = 0; i < 63; i++) {
        unsigned n = length_of(i), letters = i - ((1u << n) - 1);
        char text[LONGEST];
        size_t n_good;
        for (unsigned j = 0; j < n; j++) text[j] = letters >> (n - 1 - j) & 1 ? 'G' : 'g';
        ingle_matcher *m = ingle_matcher_open(a);
        assert_int_equal(ingle_matcher_text(m, text, n, &n_good, NULL), INGLE_OK);
        bool is_in = n_good == n && ingle_matcher_may_end(m);
        if (is_in != (bool)(texts >> i & 1)) print_error("text %.*s: %d\n", (int)n, text, is_in);
        assert_int_equal(is_in, texts >> i & 1);
        if (n_good == n && n < 3) check_mask(m, trie);
        ingle_matcher_close(m);
    }
}

static void against_oracle(bool rules, uint64_t from, int rounds)
{
    ingle_trie *trie = small_vocabulary();
    for (int round = 0; round < rounds; round++) {
        seed = from + (uint64_t)round;
        n_made = 0;
        int body[RULES];
        uint64_t texts[RULES] = {0}, last;
        for (int r = 0; r < RULES; r++) body[r] = make(3 + (int)chance(2), rules);
        do {
            last = texts[0] ^ texts[1] << 1 ^ texts[2] << 2;
            for (int pass = 0; pass < 4; pass++)
                for (int r = 0; r < RULES; r++) texts[r] = language(body[r], texts);
        } while (last != (texts[0] ^ texts[1] << 1 ^ texts[2] << 2));
        ingle_terms *t = ingle_terms_open(NULL);
        for (int r = 0; r < RULES; r++) ingle_rule_new(t, "rule", 4);
        for (uint32_t r = 0; r < RULES; r++) ingle_rule_set(t, r, term(t, body[r]));
        ingle_term root = ingle_term_rule(t, 0);
        ingle_error err;
        ingle_status st = ingle_terms_finish(t, &root, &err);
        if (st == INGLE_EFORMAT) { /* no finite text */
            assert_int_equal(texts[0], 0);
            ingle_terms_close(t);
            continue;
        }
        if (st) print_error("round %d: %s\n", round, err.text);
        assert_int_equal(st, INGLE_OK);
        const ingle_automaton_limits limits = {.max_bytes = chance(2) ? 1 : 0};
        ingle_automaton *a;
        assert_int_equal(ingle_automaton_open(&a, t, root, trie, &limits, NULL), INGLE_OK);
        compare(a, trie, texts[0]);
        ingle_automaton_close(a);
    }
    ingle_trie_close(trie);
}

static void regular(void **state)
{
    (void)state;
    against_oracle(false, 1, 600);
}

static void recursive(void **state)
{
    (void)state;
    against_oracle(true, 1000, 600);
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Tokens made of pieces that matter to strings: whole characters, halves of them, escapes, ends. */
static ingle_trie *string_vocabulary(void)
{
    enum { N = 1500, BYTES = 40 };
    static const char *const piece[] = {
        "a",          "b",     "Z",        "g",    "hello",    " ",        "\"",   "\\",
        "\\n",        "\\u00", "4",        "\xc3", "\xc3\xa9", "\xe2\x82", "\xac", "\xf0\x9f",
        "\x98",       "\x80",  "\xed\xa0", "\n",   ":",        ",",        "}",    "0123456789",
        "xxxxxxxxxx", "\xe0",  "\xa0",     "\x9f", "\xff",     "\x7f"};
    static uint32_t start[N + 1];
    static char bytes[N * 64];
    ingle_trie *trie;
    for (size_t i = 0; i < N; i++) {
        size_t n = 0;
        for (uint32_t k = i < 3 ? 0 : 1 + chance(4); k; k--) {
            const char *p = piece[chance(sizeof piece / sizeof *piece)];
            if (n + strlen(p) > BYTES) break;
            memcpy(bytes + start[i] + n, p, strlen(p));
            n += strlen(p);
        }
        start[i + 1] = start[i] + (uint32_t)n;
    }
    const int32_t ends[] = {1};
    assert_int_equal(ingle_trie_open(&trie, bytes, start, N, ends, 1, NULL), INGLE_OK);
    return trie;
}

/* The inside of a JSON string: one character, or an escape. */
static ingle_term string_char(ingle_terms *t, uint32_t low, uint32_t high)
{
    const ingle_range out[] = {{0, 0x1f}, {'"', '"'}, {'\\', '\\'}}, in = {low, high};
    const ingle_range hex[] = {{'0', '9'}, {'a', 'f'}}, simple[] = {{'n', 'n'}, {'"', '"'}};
    ingle_term u = ingle_term_seq(t, ingle_term_literal(t, "\\u", 2),
                                  ingle_term_repeat(t, ingle_term_chars(t, hex, 2, false), 4, 4));
    ingle_term escape =
        ingle_term_seq(t, ingle_term_literal(t, "\\", 1), ingle_term_chars(t, simple, 2, false));
    ingle_term plain =
        high ? ingle_term_chars(t, &in, 1, false) : ingle_term_chars(t, out, 3, true);
    return ingle_term_alt(t, plain, ingle_term_alt(t, escape, u));
}

static ingle_term string_of(ingle_terms *t, int kind)
{
    const ingle_term quote = ingle_term_literal(t, "\"", 1);
    ingle_term c = string_char(t, 'a', kind % 3 == 1 ? 'z' : kind % 3 == 2 ? 0x20ff : 0);
    if (kind % 3 == 0) c = string_char(t, 0, 0);
    uint32_t min = chance(4), max = chance(3) ? min + chance(30) : INGLE_TERM_MANY;
    ingle_term e = ingle_term_seq(t, ingle_term_repeat(t, c, min, max), quote);
    ingle_term_text names[] = {{"hello\"", 6}, {"a\"", 2}, {"helloa\"", 7}, {"ab\"", 3}};
    if (kind % 5 == 4) e = ingle_term_minus(t, e, ingle_term_literals(t, names, 4));
    if (kind % 7 == 6) e = ingle_term_and(t, e, ingle_term_seq(t, c, INGLE_TERM_ANY));
    const ingle_term parts[] = {quote,
                                e,
                                ingle_term_literal(t, kind & 1 ? "," : ":", 1),
                                quote,
                                ingle_term_repeat(t, c, 0, 9),
                                quote};
    return ingle_term_seq_of(t, parts, 6);
}

/* From state to state by tokens that are admitted, at random. */
static void walk(ingle_automaton *a, const ingle_trie *trie)
{
    ingle_matcher *m = ingle_matcher_open(a);
    for (int step = 0; step < 12; step++) {
        check_mask(m, trie);
        const uint32_t *mask;
        assert_int_equal(ingle_matcher_mask(m, &mask, NULL), INGLE_OK);
        int32_t token = (int32_t)chance((uint32_t)trie->n_vocab);
        size_t tried = 0;
        while (tried < trie->n_vocab && !(mask[token / 32] >> token % 32 & 1)) {
            token = (token + 1) % (int32_t)trie->n_vocab;
            tried++;
        }
        if (tried == trie->n_vocab || token == 1) break;
        assert_int_equal(ingle_matcher_accept(m, token, NULL), INGLE_OK);
    }
    ingle_matcher_close(m);
}

static void strings(void **state)
{
    (void)state;
    seed = 77;
    ingle_trie *trie = string_vocabulary();
    for (int round = 0; round < 35; round++) {
        if (getenv("DBG")) print_message("round %d\n", round);
        ingle_terms *t = ingle_terms_open(NULL);
        ingle_term root = ingle_term_alt(t, string_of(t, round), string_of(t, round + 1));
        ingle_automaton *a;
        assert_int_equal(ingle_terms_finish(t, &root, NULL), INGLE_OK);
        assert_int_equal(ingle_automaton_open(&a, t, root, trie, NULL, NULL), INGLE_OK);
        for (int i = 0; i < 4; i++) walk(a, trie);
        ingle_automaton_close(a);
    }
    ingle_trie_close(trie);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(regular), cmocka_unit_test(recursive),
                                       cmocka_unit_test(strings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
