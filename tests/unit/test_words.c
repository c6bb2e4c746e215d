/* Vocabularies whose tokens are looked up whole, against plain definitions: WordPiece by cases of its
 * publication, Unigram against the best of all ways to cut a text, its table of replacements against
 * a search through a list, RWKV against a search through all tokens. */
#define _GNU_SOURCE
#include "text/words.h"
#include "vocab_test.h"

#include <math.h>

/* The tokens of a text as their texts. */
static const char *tokens_of(const ingle_vocab *v, const char *text, size_t len, unsigned flags)
{
    int32_t ids[512];
    size_t n;
    assert_int_equal(ingle_vocab_tokenize(v, text, len, flags, ids, 512, &n, NULL), INGLE_OK);
    return texts_of(v, ids, n);
}

static void expect(const ingle_vocab *v, const char *text, unsigned flags, const char *want)
{
    assert_string_equal(tokens_of(v, text, strlen(text), flags), want);
}

#define M "\xe2\x96\x81"

/* ---- WordPiece ---- */

static void wordpiece(void **arg)
{
    static vocab_spec s;
    (void)arg;
    vb_words(&s, "bert");
    vb_token(&s, M "unwanted", VB_NORMAL, 0);
    vb_token(&s, M "un", VB_NORMAL, 0);
    vb_token(&s, "want", VB_NORMAL, 0);
    vb_token(&s, "ed", VB_NORMAL, 0);
    vb_token(&s, M "runn", VB_NORMAL, 0);
    vb_token(&s, "ing", VB_NORMAL, 0);
    vb_token(&s, M ",", VB_NORMAL, 0);
    vb_token(&s, M "\xe4\xba\xba", VB_NORMAL, 0);
    ingle_vocab *v = open_ok(&s);
    expect(v,
           "UNwant\xc3\xa9"
           "d,running",
           0, M "unwanted " M ", " M "runn ing");
    expect(v, "unwantab", 0, M "un want ab");
    expect(v,
           "  \t\n ab\xc2\xa0"
           "c \xe2\x80\xa8",
           0, M "a b " M "c");
    expect(v,
           "ab\xe4\xb8\xad\xe4\xba\xba\xe4\xba\xba"
           "c",
           0, M "a b " M "\xe4\xb8\xad " M "\xe4\xba\xba " M "\xe4\xba\xba " M "c");
    expect(v, "a! unwanted", 0, M "a [UNK] " M "unwanted");
    expect(v, "unwanted9", 0, "[UNK]"); /* all of the word */
    expect(v,
           "a\xcc\x81\xe2\x80\x8d\x01"
           "b\xff",
           0, M "a b"); /* marks, joiners, controls, no characters */
    expect(v, "x [SEP] y", INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL,
           "[CLS] " M "x [SEP] " M "y [SEP]");
    expect(v, "", INGLE_ADD_SPECIAL, "[CLS] [SEP]");
    int32_t ids[8];
    size_t n, len;
    char text[64];
    assert_int_equal(ingle_vocab_tokenize(v, "ab, ab", 6, INGLE_ADD_SPECIAL, ids, 8, &n, NULL), 0);
    assert_int_equal(ingle_vocab_detokenize(v, ids, n, INGLE_ADD_SPECIAL | INGLE_CLEAN_SPACES, text,
                                            sizeof text, &len, NULL),
                     INGLE_OK);
    assert_int_equal(len, 7);
    assert_memory_equal(text, " ab, ab", 7);
    ingle_vocab_close(&v);

    vb_token(&s, M "Abc\xc3\xa9", VB_NORMAL, 0); /* a cased vocabulary */
    vb_key(&s, "tokenizer.ggml.normalizer.lowercase", INGLE_GGUF_BOOL, 0);
    vb_key(&s, "tokenizer.ggml.normalizer.strip_accents", INGLE_GGUF_BOOL, 0);
    v = open_ok(&s);
    expect(v, "Abc\xc3\xa9", 0, M "Abc\xc3\xa9");
    ingle_vocab_close(&v);
}

/* A word that is all of a long text takes no longer than many short ones do together. */
static void long_word(void **arg)
{
    enum { N = 1 << 20 };
    static vocab_spec s;
    (void)arg;
    char *text = malloc(N);
    int32_t *ids = malloc(N * sizeof *ids);
    size_t n;
    memset(text, 'a', N);
    for (int i = 0; i < 3; i++) {
        vb_words(&s, i == 0 ? "bert" : i == 1 ? "t5" : "rwkv");
        ingle_vocab *v = open_ok(&s);
        assert_int_equal(ingle_vocab_tokenize(v, text, N, 0, ids, N, &n, NULL), INGLE_OK);
        assert_int_equal(n, N);
        ingle_vocab_close(&v);
    }
    free(text);
    free(ids);
}

/* ---- Unigram ---- */

/* The highest score of all ways to cover text[0..n) with tokens, or unknown characters (ASCII). */
static double best_score(const ingle_vocab *v, const char *text, size_t n)
{
    double best = n ? -INFINITY : 0;
    bool single = false;
    for (uint32_t id = 0; n && id < v->n_tokens; id++) {
        size_t len = v->text.at[id + 1] - v->text.at[id];
        if (id < 3 || len > n || memcmp(v->text.data + v->text.at[id], text, len) != 0) continue;
        single |= len == 1;
        best = fmax(best, (double)v->scores[id] + best_score(v, text + len, n - len));
    }
    if (n && !single) best = fmax(best, v->unknown_score + best_score(v, text + 1, n - 1));
    return best;
}

static void unigram_is_the_best(void **arg)
{
    static vocab_spec s;
    (void)arg;
    for (int round = 0; round < 30; round++) {
        s = (vocab_spec){.model = "t5"};
        vb_token(&s, "[UNK]", VB_UNKNOWN, 0);
        vb_token(&s, "[CLS]", VB_CONTROL, 0);
        vb_token(&s, "[SEP]", VB_CONTROL, 0);
        vb_key(&s, "tokenizer.ggml.unknown_token_id", INGLE_GGUF_U32, 0);
        for (int i = 0; i < 12; i++) {
            char t[8] = {0};
            size_t len = 1 + draw(4);
            for (size_t k = 0; k < len; k++) t[k] = (char)('a' + draw(3));
            bool twice = false;
            for (size_t k = 0; k < s.n_tokens; k++) twice |= !strcmp(s.tokens[k].text, t);
            if (!twice) vb_token(&s, t, VB_NORMAL, -(float)draw(1 << 20) / (1 << 16) - 1);
        }
        ingle_vocab *v = open_ok(&s);
        for (int i = 0; i < 20; i++) {
            char text[16];
            int32_t ids[16];
            size_t n, at = 0, len = 1 + draw(11);
            for (size_t k = 0; k < len; k++) text[k] = (char)('a' + draw(3));
            assert_int_equal(ingle_vocab_tokenize(v, text, len, 0, ids, 16, &n, NULL), INGLE_OK);
            double sum = 0;
            for (size_t k = 0; k < n; k++) {
                size_t w = v->text.at[ids[k] + 1] - v->text.at[ids[k]];
                if (ids[k]) {
                    assert_memory_equal(text + at, v->text.data + v->text.at[ids[k]], w);
                    sum += (double)v->scores[ids[k]];
                    at += w;
                    continue;
                }
                /* a run of unknown characters: up to where the rest is as the tokens say */
                size_t rest = 0;
                for (size_t j = k + 1; j < n; j++)
                    rest += v->text.at[ids[j] + 1] - v->text.at[ids[j]];
                bool last = true;
                for (size_t j = k + 1; j < n; j++) last &= ids[j] != 0;
                if (!last) goto next; /* several runs: their lengths cannot be told apart */
                sum += (double)(len - at - rest) * v->unknown_score;
                at = len - rest;
            }
            assert_int_equal(at, len);
            assert_true(fabs(sum - best_score(v, text, len)) < 1e-9);
        next:;
        }
        ingle_vocab_close(&v);
    }
}

static void unigram_spaces(void **arg)
{
    static vocab_spec s;
    (void)arg;
    vb_words(&s, "t5");
    ingle_vocab *v = open_ok(&s);
    expect(v, "ab  c ", 0, "ab " M " " M "c " M);
    expect(v,
           "a9\xe4\xb8\xad"
           "9b",
           INGLE_ADD_SPECIAL, "a [UNK] b [SEP]"); /* unknown characters side by side are one */
    ingle_vocab_close(&v);
    vb_key(&s, "tokenizer.ggml.add_space_prefix", INGLE_GGUF_BOOL, 1);
    v = open_ok(&s);
    expect(v, "ab  c ", 0, M " ab " M " " M "c " M);
    expect(v, "ab", INGLE_CONTINUE, "ab");
    expect(v, " a", 0, M " " M "a");
    ingle_vocab_close(&v);
    vb_key(&s, "tokenizer.ggml.remove_extra_whitespaces", INGLE_GGUF_BOOL, 1);
    v = open_ok(&s);
    expect(v, "  ab  c ", 0, M " ab " M "c");
    ingle_vocab_close(&v);
}

/* ---- the table of replacements ---- */

typedef struct rule {
    const char *from, *to;
} rule;
static const rule rules[] = {{"\xef\xac\x81", "fi"}, {"A", "a"},    {"AB", "c"},
                             {"\xc2\xa0", " "},      {"Bxy", "yx"}, {"\xe2\x80\x8d", ""}};
enum { N_RULES = sizeof rules / sizeof rules[0], N_UNITS = 4096 };

/* Places the children of the node at `at`, reached by `prefix`. */
static void place(uint32_t *units, bool *used, uint32_t at, const char *prefix,
                  const uint32_t *values)
{
    unsigned char next[16];
    size_t n = 0, len = strlen(prefix);
    int leaf = -1;
    for (int i = 0; i < N_RULES; i++) {
        if (strncmp(rules[i].from, prefix, len) != 0) continue;
        unsigned char c = (unsigned char)rules[i].from[len];
        if (!c) leaf = i;
        if (c && !memchr(next, c, n)) next[n++] = c;
    }
    uint32_t base = 256;
    for (;; base++) {
        bool fits = !used[base];
        for (size_t i = 0; i < n; i++) fits &= !used[base ^ next[i]];
        if (fits) break;
    }
    used[base] = true;
    units[at] |= (at ^ base) << 10;
    if (leaf >= 0) {
        units[at] |= 1u << 8;
        units[base] = values[leaf] | 1u << 31;
    }
    for (size_t i = 0; i < n; i++) {
        char longer[16];
        snprintf(longer, sizeof longer, "%s%c", prefix, next[i]);
        used[base ^ next[i]] = true;
        units[base ^ next[i]] = next[i];
    }
    for (size_t i = 0; i < n; i++) {
        char longer[16];
        snprintf(longer, sizeof longer, "%s%c", prefix, next[i]);
        place(units, used, base ^ next[i], longer, values);
    }
}

static size_t make_charsmap(uint8_t *out)
{
    static uint32_t units[N_UNITS];
    static bool used[N_UNITS];
    uint32_t values[N_RULES], bytes = sizeof units;
    size_t n = 4 + sizeof units;
    memset(units, 0, sizeof units);
    memset(used, 0, sizeof used);
    used[0] = true;
    for (int i = 0; i < N_RULES; i++) {
        values[i] = (uint32_t)(n - 4 - sizeof units);
        n += (size_t)sprintf((char *)out + n, "%s", rules[i].to) + 1;
    }
    place(units, used, 0, "", values);
    memcpy(out, &bytes, 4);
    memcpy(out + 4, units, sizeof units);
    return n;
}

static ingle_status open_with(ingle_vocab **v, const uint8_t *map, size_t n, ingle_error *err)
{
    static vocab_spec s;
    static gguf_bytes b;
    vb_words(&s, "t5");
    vb_write(&b, &s);
    uint64_t n_kv;
    memcpy(&n_kv, b.p + 16, 8);
    n_kv++;
    memcpy(b.p + 16, &n_kv, 8);
    gb_array(&b, "tokenizer.ggml.precompiled_charsmap", INGLE_GGUF_U8, n);
    gb_raw(&b, map, n);
    return vb_open_bytes(v, b.p, b.n, err);
}

static void replacements(void **arg)
{
    static uint8_t map[4 + 4 * N_UNITS + 256];
    static const char *const parts[] = {
        "A", "B", "x", "y", "\xef\xac\x81", "\xc2\xa0", "\xe2\x80\x8d", "ab", "z"};
    ingle_vocab *v;
    ingle_error err = {""};
    (void)arg;
    size_t n = make_charsmap(map);
    assert_int_equal(open_with(&v, map, n, &err), INGLE_OK);
    for (int round = 0; round < 300; round++) {
        char text[64] = "", want[128] = "", got[1024];
        for (int i = 0; i < 6; i++) strcat(text, parts[draw(9)]);
        for (size_t i = 0; text[i];) { /* the longest rule at each place */
            int best = -1;
            for (int r = 0; r < N_RULES; r++) {
                size_t len = strlen(rules[r].from);
                if (strncmp(text + i, rules[r].from, len) == 0 &&
                    (best < 0 || len > strlen(rules[best].from)))
                    best = r;
            }
            size_t len = best < 0 ? 1 : strlen(rules[best].from);
            if (best < 0) strncat(want, text + i, 1);
            else strcat(want, rules[best].to);
            i += len;
        }
        ingle_vocab *plain;
        static vocab_spec s;
        vb_words(&s, "t5");
        plain = open_ok(&s);
        snprintf(got, sizeof got, "%s", tokens_of(v, text, strlen(text), 0));
        assert_string_equal(got, tokens_of(plain, want, strlen(want), 0));
        ingle_vocab_close(&plain);
    }
    ingle_vocab_close(&v);

    uint32_t bytes = 3; /* sizes that do not fit */
    memcpy(map, &bytes, 4);
    assert_int_equal(open_with(&v, map, n, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "precompiled_charsmap"));
    bytes = (uint32_t)n;
    memcpy(map, &bytes, 4);
    assert_int_equal(open_with(&v, map, n, &err), INGLE_EFORMAT);
    bytes = 4 * N_UNITS;
    memcpy(map, &bytes, 4);
    assert_int_equal(open_with(&v, map, n - 2, &err), INGLE_EFORMAT); /* the text does not end */
    assert_int_equal(open_with(&v, map, 3, &err), INGLE_EFORMAT);
    for (int i = 0; i < 200; i++) { /* a table of anything: no more than other tokens */
        for (size_t k = 4; k < 4 + 4 * N_UNITS; k++) map[k] = (uint8_t)draw(256);
        if (i % 2) memset(map + 4, i, 64);
        assert_int_equal(open_with(&v, map, n, &err), INGLE_OK);
        tokens_of(v, "ABxyab z", 8, 0);
        ingle_vocab_close(&v);
    }
}

/* ---- RWKV ---- */

static void rwkv_is_the_longest(void **arg)
{
    static vocab_spec s;
    (void)arg;
    vb_words(&s, "rwkv");
    ingle_vocab *v = open_ok(&s);
    for (int round = 0; round < 300; round++) {
        static const char bytes[] = "abcz\n\x21\xe4\xb8\xad!";
        char text[24];
        int32_t ids[24];
        size_t n, k = 0, len = 1 + draw(23);
        for (size_t i = 0; i < len; i++) text[i] = bytes[draw(sizeof bytes - 1)];
        assert_int_equal(ingle_vocab_tokenize(v, text, len, 0, ids, 24, &n, NULL), INGLE_OK);
        for (size_t i = 0; i < len; k++) {
            uint32_t best = 0, best_len = 1;
            for (uint32_t id = 3; id < v->n_tokens; id++) {
                uint32_t w = v->pieces.at[id + 1] - v->pieces.at[id];
                if (w > len - i || memcmp(v->pieces.data + v->pieces.at[id], text + i, w) != 0)
                    continue;
                if (!best || w > best_len) best = id, best_len = w;
            }
            assert_int_equal(ids[k], best);
            i += best_len;
        }
        assert_int_equal(n, k);
    }
    int32_t ids[4];
    size_t n, len;
    char text[8];
    assert_int_equal(ingle_vocab_tokenize(v, "a\n\xe4\xb8\xad", 5, 0, ids, 4, &n, NULL), INGLE_OK);
    assert_int_equal(n, 3);
    assert_int_equal(ingle_vocab_detokenize(v, ids, n, 0, text, 8, &len, NULL), INGLE_OK);
    assert_memory_equal(text, "a\n\xe4\xb8\xad", len);
    ingle_vocab_close(&v);
    char out[8];
    assert_true(ingle_rwkv_unescape("\\x41\\t\\'", 8, out, &n));
    assert_memory_equal(out, "A\t'", n);
    assert_false(ingle_rwkv_unescape("\\", 1, out, &n));
    assert_false(ingle_rwkv_unescape("\\x4", 3, out, &n));
    assert_false(ingle_rwkv_unescape("\\xg1", 4, out, &n));
    vb_token(&s, "\\x4", VB_NORMAL, 0);
    ingle_error err;
    assert_int_equal(vb_open(&v, &s, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "tokenizer.ggml.tokens["));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wordpiece),      cmocka_unit_test(long_word),
        cmocka_unit_test(unigram_spaces), cmocka_unit_test(unigram_is_the_best),
        cmocka_unit_test(replacements),   cmocka_unit_test(rwkv_is_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
