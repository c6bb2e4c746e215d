/* The tokenizer against plain definitions of what it does, on small vocabularies made here: merging
 * against merging by hand, special tokens against a search that looks at all of them, and every
 * refusal by name. */
#define _GNU_SOURCE
#include "base/heap.h"
#include "base/utf8.h"
#include "text/pairq.h"
#include "vocab_test.h"

#include <math.h>
#include <pthread.h>

static void expect_ids(const ingle_vocab *v, const char *text, unsigned flags, size_t n_want,
                       const int32_t *want)
{
    int32_t ids[64];
    size_t n;
    assert_int_equal(ingle_vocab_tokenize(v, text, strlen(text), flags, ids, 64, &n, NULL),
                     INGLE_OK);
    if (n != n_want || memcmp(ids, want, n * sizeof *ids) != 0) {
        print_error("'%s':", text);
        for (size_t i = 0; i < n; i++) print_error(" %d", ids[i]);
        print_error("\n");
        fail();
    }
}
#define EXPECT_IDS(v, text, flags, ...)                                                            \
    expect_ids(v, text, flags, sizeof((int32_t[]){__VA_ARGS__}) / 4, (int32_t[]){__VA_ARGS__})

static void expect_text(const ingle_vocab *v, size_t n, const int32_t *ids, unsigned flags,
                        const char *want)
{
    char text[256];
    size_t len;
    assert_int_equal(ingle_vocab_detokenize(v, ids, n, flags, text, sizeof text - 1, &len, NULL),
                     INGLE_OK);
    text[len] = 0;
    assert_string_equal(text, want);
}
#define EXPECT_TEXT(v, flags, want, ...)                                                           \
    expect_text(v, sizeof((int32_t[]){__VA_ARGS__}) / 4, (int32_t[]){__VA_ARGS__}, flags, want)

/* ---- bytes and characters ---- */

static void test_byte_alphabet(void **arg)
{
    (void)arg;
    bool seen[0x144] = {false};
    for (int b = 0; b < 256; b++) {
        uint32_t c = ingle_byte_char((uint8_t)b);
        assert_true(c < 0x144 && !seen[c]);
        seen[c] = true;
        assert_int_equal(ingle_char_byte(c), b);
    }
    for (uint32_t c = 0; c < 0x400; c++)
        assert_int_equal(ingle_char_byte(c) >= 0, c < 0x144 && seen[c]);
    assert_int_equal(ingle_byte_char(' '), 0x120); /* the one everybody knows */
    assert_int_equal(ingle_byte_char('\n'), 0x10a);
}

/* Bytes with many broken characters. */
static size_t rough_bytes(char *p, size_t cap)
{
    static const char *const parts[] = {"a",
                                        " ",
                                        "\n",
                                        "é",
                                        "中",
                                        "😀",
                                        "\xff",
                                        "\xe4\xb8",
                                        "\xf0\x9f",
                                        "\x80",
                                        "\xed\xa0\x80",
                                        "\xc0\xaf",
                                        "\xe0\x80",
                                        "\xf4\x90\x80\x80",
                                        "\xf0\x8f",
                                        "\xc3",
                                        "12",
                                        "'s",
                                        "\xcc\x81"};
    size_t n = 0;
    for (uint32_t k = draw(40); k; k--) {
        const char *s = parts[draw(sizeof parts / sizeof *parts)];
        size_t len = strlen(s);
        if (n + len > cap) break;
        memcpy(p + n, s, len);
        n += len;
    }
    return n;
}

/* However the bytes are cut into pieces: they all come out, in order; and until the flush every
 * piece that comes out is made of whole characters and of bytes that belong to none. */
static void test_utf8_stream(void **arg)
{
    (void)arg;
    for (int round = 0; round < 3000; round++) {
        char in[256], out[512], piece[300];
        size_t n = rough_bytes(in, sizeof in), n_out = 0;
        ingle_utf8_stream s = {.n_held = 0};
        for (size_t i = 0; i < n;) {
            size_t len = 1 + draw(3);
            if (len > n - i) len = n - i;
            size_t got = ingle_utf8_stream_feed(&s, in + i, len, false, piece);
            i += len;
            assert_true(s.n_held <= 3);
            for (size_t k = 0, c; k < got; k += c) {
                c = ingle_utf8_len(piece + k, got - k);
                if (c) continue;
                c = 1; /* then this byte begins no character of the input */
                assert_int_equal(ingle_utf8_len(in + n_out + k, n - n_out - k), 0);
            }
            memcpy(out + n_out, piece, got);
            n_out += got;
            assert_int_equal(n_out + s.n_held, i);
        }
        n_out += ingle_utf8_stream_feed(&s, NULL, 0, true, out + n_out);
        assert_int_equal(n_out, n);
        assert_memory_equal(out, in, n);
    }
}

static void test_utf8_valid(void **arg)
{
    (void)arg;
    for (int round = 0; round < 3000; round++) {
        char in[256];
        size_t n = rough_bytes(in, sizeof in), want = 0, len;
        while (want < n && (len = ingle_utf8_len(in + want, n - want))) want += len;
        assert_int_equal(ingle_utf8_valid(in, n), want);
    }
}

/* ---- pre-tokenizers ---- */

typedef struct words {
    char text[4096];
    size_t n, n_bytes;
} words;

static bool take_word(void *arg, const char *word, size_t len)
{
    words *w = arg;
    assert_true(len > 0);
    if (w->n) w->text[w->n++] = '|';
    memcpy(w->text + w->n, word, len);
    w->n += len;
    w->n_bytes += len;
    return true;
}

typedef struct cutter {
    ingle_splitter s;
    pcre2_match_data *match;
} cutter;

static void cutter_open(cutter *c, const char *name)
{
    ingle_error err = {""};
    const ingle_pretok *p = ingle_pretok_find(name, strlen(name));
    assert_non_null(p);
    assert_int_equal(ingle_splitter_open(&c->s, p->rule, &err), INGLE_OK);
    c->match = ingle_splitter_match(&c->s);
    assert_non_null(c->match);
}

static void cutter_close(cutter *c)
{
    pcre2_match_data_free(c->match);
    ingle_splitter_close(&c->s);
}

static void cut(const cutter *c, const char *text, size_t len, words *w)
{
    w->n = w->n_bytes = 0;
    assert_int_equal(ingle_splitter_run(&c->s, c->match, text, len, take_word, w, NULL), INGLE_OK);
    w->text[w->n] = 0;
}

static void expect_words(const char *name, const char *text, const char *want)
{
    cutter c;
    words w;
    cutter_open(&c, name);
    cut(&c, text, strlen(text), &w);
    if (strcmp(w.text, want)) print_error("%s: %s\n", name, w.text);
    assert_string_equal(w.text, want);
    cutter_close(&c);
}

static void test_words(void **arg)
{
    (void)arg;
    static const struct {
        const char *name, *text, *words;
    } cases[] = {
        {"llama-bpe", "I'll say  12345 words!\n\n  OK?\n",
         "I|'ll| say| | |123|45| words|!\n\n| | OK|?\n"},
        {"llama-bpe", "x'S \t\r\n y", "x|'S| \t\r\n| y"},
        {"qwen2", "I'll say  12345", "I|'ll| say| | |1|2|3|4|5"},
        {"ufakzeka", "Ali'de 12", "Ali|'de| |1|2"},
        {"gpt-2", "I'll SAY'S  12345 a.b\n\n  c", "I|'ll| SAY|'|S| | 12345| a|.|b|\n\n | c"},
        {"starcoder", "x 12 y", "x| |1|2| y"},
        {"falcon", "a-b 12345", "a|-|b| |123|45"},
        {"default", "a-b 12345", "a|-|b| |123|45"},
        {"gpt-4o", "HELLOWorld isn't camelCase 1234//\n",
         "HELLOWorld| isn't| camel|Case| |123|4|//\n"},
        {"gpt-4o", "कि CAFE\xcc\x81s", "कि| CAFE\xcc\x81s"},
        {"tekken", "HELLOWorld isn't 1234", "HELLOWorld| isn|'t| |1|2|3|4"},
        {"qwen35", "कि a1", "कि| a|1"},
        {"qwen2", "कि", "क|ि"},
        {"deepseek-v3", "abc 1234 日本 x.foo\n", "abc| |123|4| |日本| x|.foo|\n"},
        {"deepseek-llm", "a b  \nc 12 日 !", "a| b|  |\n|c| |12| |日| !"},
        {"deepseek-coder", "ab(c) 12\n", "ab|(|c|)| |1|2|\n"},
        {"kimi-k2", "你好World's 12", "你好|World's| |12"},
        {"bloom", "Hello, world (x)", "Hello|,| world| (|x|)"},
        {"viking", "a 12", "a| |1|2"},
        {"chameleon", "a  IMGIMGABZ 12.", "a|  |IMGIMGABZ| |1|2|."},
        {"superbpe", "ab cd 1234567x12", "ab cd |1|234|567|x|12"},
        {"tiny_aya", "1234567 12345x", "1|234|567| |123|45|x"},
        {"afmoe", "1234 abc", "1|234| abc"},
        {"bailingmoe", "I'D\n\n", "I|'D|\n\n"},
        {"seed-coder", "a!!\n", "a|!!|\n"},
        {"exaone-moe", "ab cd 1", "ab cd| |1"},
        {"laguna", "a b\n\nc", "a| b|\n\n|c"},
        {"minicpm5", "1234 a", "123|4| a"},
        {"youtu", "안녕abc 12", "안녕|abc| |1|2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_words(cases[i].name, cases[i].text, cases[i].words);
    /* 13 spaces before a word: the last goes with it, the others in powers of two */
    expect_words("jais-2", "             x", "        |    | x");
    expect_words("jais-2", "       1", "    |  | |1");
    assert_null(ingle_pretok_find("llama", 5));
    assert_null(ingle_pretok_find("", 0));
}

/* Every rule, any valid text: the words are the text. */
static void test_words_lose_nothing(void **arg)
{
    (void)arg;
    static const char *const parts[] = {"a",        "B",
                                        " ",        "  ",
                                        "\n",       "\r\n",
                                        "1",        "123",
                                        "'s",       "'LL",
                                        "!",        "_",
                                        "中",       "한",
                                        "é",        "\xcc\x81",
                                        "😀",        "\xe3\x80\x80",
                                        "\xc2\x85", "\xe1\xa0\x8e",
                                        "ʰ",        "Ⅷ",
                                        "٣",        "<sentinel:1>",
                                        "IMGIMGAZ", "\t",
                                        "ſ",        "\x01",
                                        "।",        "\xf4\x8f\xbf\xbf"};
    const ingle_pretok *p;
    for (size_t i = 0; (p = ingle_pretok_at(i)); i++) {
        assert_ptr_equal(ingle_pretok_find(p->name, strlen(p->name)), p); /* no name twice */
        cutter c;
        cutter_open(&c, p->name);
        for (int round = 0; round < 30; round++) {
            char text[512];
            size_t n = 0;
            for (uint32_t k = draw(60); k; k--)
                n += (size_t)sprintf(text + n, "%s", parts[draw(sizeof parts / sizeof *parts)]);
            words w;
            cut(&c, text, n, &w);
            assert_int_equal(w.n_bytes, n);
            for (size_t a = 0, b = 0; a < n; b++) /* marks between words aside, the same bytes */
                if (w.text[b] == text[a]) a++;
                else assert_int_equal(w.text[b], '|');
        }
        cutter_close(&c);
    }
}

/* ---- merging ---- */

/* Adds random words over a, b, c; for BPE each as one or two merges. */
static void random_vocab(vocab_spec *s, bool bpe)
{
    char known[80][32] = {"a", "b", "c"};
    size_t n = 3;
    if (bpe) {
        vb_bpe(s, "superbpe"); /* letters are one word there */
    } else {
        vb_spm(s);
        vb_key(s, "tokenizer.ggml.add_space_prefix", INGLE_GGUF_BOOL, 0);
        for (int i = 0; i < 3; i++)
            if (draw(4)) vb_token(s, known[i], VB_NORMAL, -(float)draw(5)); /* else: in bytes */
    }
    for (int tries = 0; tries < 150 && n < 60; tries++) {
        const char *l = known[draw((uint32_t)n)], *r = known[draw((uint32_t)n)];
        char both[64], merge[64];
        snprintf(both, sizeof both, "%s%s", l, r);
        snprintf(merge, sizeof merge, "%s %s", l, r);
        if (strlen(both) > 20) continue;
        bool is_new = true;
        for (size_t i = 0; i < n; i++) is_new &= strcmp(known[i], both) != 0;
        if (bpe && s->n_merges < 190) vb_merge(s, merge);
        if (!is_new) continue;
        memcpy(known[n++], both, strlen(both) + 1);
        if (bpe && draw(8) == 0) continue; /* a merge that leads to no token */
        vb_token(s, both, VB_NORMAL, -(float)draw(6));
    }
}

static size_t find_token(const vocab_spec *s, const char *p, size_t n)
{
    for (size_t i = s->model[0] == 'g' ? 0 : 259; i < s->n_tokens; i++)
        if (strlen(s->tokens[i].text) == n && memcmp(s->tokens[i].text, p, n) == 0) return i;
    return SIZE_MAX;
}

/* How much the pair p[a..b), p[b..c) wants to merge: less is more; INFINITY: not at all. */
static double pair_cost(const vocab_spec *s, const char *p, size_t a, size_t b, size_t c)
{
    if (s->model[0] != 'g') {
        size_t id = find_token(s, p + a, c - a);
        return id == SIZE_MAX ? INFINITY : -(double)s->tokens[id].score;
    }
    for (size_t i = 0; i < s->n_merges; i++) {
        const char *m = s->merges[i], *space = strchr(m, ' ');
        if ((size_t)(space - m) == b - a && strlen(space + 1) == c - b &&
            memcmp(m, p + a, b - a) == 0 && memcmp(space + 1, p + b, c - b) == 0)
            return (double)i;
    }
    return INFINITY;
}

/* By definition: merge the best pair, leftmost first, until none is left. */
static size_t merge_by_hand(const vocab_spec *s, const char *p, size_t len, int32_t *ids)
{
    size_t start[512], n = len, n_ids = 0;
    for (size_t i = 0; i <= len; i++) start[i] = i;
    for (;;) {
        double best = INFINITY;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            double cost = pair_cost(s, p, start[i], start[i + 1], start[i + 2]);
            if (cost < best) best = cost, at = i;
        }
        if (isinf(best)) break;
        memmove(start + at + 1, start + at + 2, (n - at - 1) * sizeof *start);
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        size_t id = find_token(s, p + start[i], start[i + 1] - start[i]);
        if (id != SIZE_MAX) ids[n_ids++] = (int32_t)id;
        for (size_t k = start[i]; id == SIZE_MAX && k < start[i + 1]; k++)
            ids[n_ids++] = (unsigned char)p[k] + (s->model[0] == 'g' ? 0 : 3);
    }
    return n_ids;
}

static void test_merging(void **arg)
{
    (void)arg;
    for (int round = 0; round < 24; round++) {
        static vocab_spec s;
        random_vocab(&s, round & 1);
        ingle_vocab *v = open_ok(&s);
        for (int t = 0; t < 44;
             t++) { /* long ones go over the heap, and parts of them over the cache */
            char text[400];
            int32_t ids[400], want[400];
            size_t len = t < 40 ? draw(40) : 200 + draw(200), n;
            for (size_t i = 0; i < len; i++) text[i] = (char)('a' + draw(3));
            size_t n_want = merge_by_hand(&s, text, len, want);
            assert_int_equal(ingle_vocab_tokenize(v, text, len, 0, ids, 400, &n, NULL), INGLE_OK);
            assert_int_equal(n, n_want);
            assert_memory_equal(ids, want, n * sizeof *ids);
        }
        ingle_vocab_close(&v);
    }
}

/* Words of 64 KiB and more, over many blocks of symbols, where the result is known. */
static void test_long_words(void **arg)
{
    (void)arg;
    static vocab_spec s;
    vb_bpe(&s, "superbpe");
    uint32_t aa = vb_token(&s, "aa", VB_NORMAL, 0), a4 = vb_token(&s, "aaaa", VB_NORMAL, 0);
    uint32_t ab = vb_token(&s, "ab", VB_NORMAL, 0);
    vb_merge(&s, "a a");
    vb_merge(&s, "aa aa");
    vb_merge(&s, "a b");
    ingle_vocab *v = open_ok(&s);
    enum { N = 300001 };
    char *text = malloc(N);
    int32_t *ids = malloc(N * sizeof *ids);
    size_t n;
    memset(text, 'a', N);
    assert_int_equal(ingle_vocab_tokenize(v, text, N, 0, ids, N, &n, NULL), INGLE_OK);
    assert_int_equal(n, N / 4 + 1);
    for (size_t i = 0; i < n; i++) assert_int_equal(ids[i], i + 1 < n ? a4 : 'a');
    for (size_t i = 0; i < N; i++) text[i] = "aab"[i % 3]; /* aa b aa b ...: a+a goes before a+b */
    assert_int_equal(ingle_vocab_tokenize(v, text, N, 0, ids, N, &n, NULL), INGLE_OK);
    assert_int_equal(n, N / 3 * 2 + N % 3);
    for (size_t i = 0; i + 1 < n; i++) assert_int_equal(ids[i], i % 2 ? 'b' : (int32_t)aa);
    for (size_t i = 0; i < N; i++) text[i] = "ab"[i % 2];
    assert_int_equal(ingle_vocab_tokenize(v, text, N, 0, ids, N, &n, NULL), INGLE_OK);
    assert_int_equal(n, N / 2 + 1);
    for (size_t i = 0; i + 1 < n; i++) assert_int_equal(ids[i], ab);
    free(text);
    free(ids);
    ingle_vocab_close(&v);
}

static void test_heap(void **arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++) {
        uint64_t heap[200], last = 0;
        size_t n = 0, n_all = draw(200);
        for (size_t i = 0; i < n_all; i++) ingle_heap_push(heap, &n, draw(50));
        assert_int_equal(n, n_all);
        while (n) {
            uint64_t x = ingle_heap_pop(heap, &n);
            assert_true(x >= last);
            last = x;
        }
    }
}

/* Keys change, come back and vanish; what comes out is the smallest current one, the leftmost of
 * equals. */
static void test_pair_queue(void **arg)
{
    (void)arg;
    for (int round = 0; round < 4; round++) {
        ingle_pairq q = {0};
        size_t n = round & 1 ? 40 : 9000;  /* in one block or in three */
        uint32_t hot = round & 2 ? 4 : 40; /* symbols that change most */
        ingle_merge_symbol *s = calloc(n, sizeof *s);
        for (size_t i = 0; i < n; i++) s[i].key = INGLE_NO_KEY;
        assert_true(ingle_pairq_open(&q, n));
        for (int step = 0; step < 40000; step++) {
            uint32_t i =
                draw(8) ? (uint32_t)(n / 2) + draw(hot) % (uint32_t)(n / 2) : draw((uint32_t)n);
            uint32_t key = draw(6);
            if (s[i].key == key) continue;
            s[i].key = key ? key : INGLE_NO_KEY;
            if (key) ingle_pairq_push(&q, s, i);
            if (step % 50 > 1) continue;
            uint32_t want = INGLE_NO_ID;
            for (uint32_t k = 0; k < n; k++)
                if (s[k].key != INGLE_NO_KEY && (want == INGLE_NO_ID || s[k].key < s[want].key))
                    want = k;
            assert_int_equal(ingle_pairq_pop(&q, s), want);
            if (want != INGLE_NO_ID) s[want].key = INGLE_NO_KEY;
        }
        ingle_pairq_close(&q);
        free(s);
    }
}

/* ---- special tokens ---- */

/* By definition: of all that occur in what is left, the longest, and of these the leftmost; again
 * until none is left. */
static void special_by_hand(const vocab_spec *s, bool parse, const char *text, size_t len,
                            int32_t *owner)
{
    for (size_t i = 0; i < len; i++) owner[i] = -1;
    for (;;) {
        size_t best = 0, at = 0, id = 0;
        for (size_t t = 256; t < s->n_tokens; t++) {
            size_t n = strlen(s->tokens[t].text);
            if (s->tokens[t].type != VB_USER && !(parse && s->tokens[t].type == VB_CONTROL))
                continue;
            for (size_t i = 0; i + n <= len; i++) {
                bool fits = n > best || (n == best && i < at);
                for (size_t k = 0; k < n && fits; k++)
                    fits = text[i + k] == s->tokens[t].text[k] && owner[i + k] < 0;
                if (fits) best = n, at = i, id = t;
            }
        }
        if (!best) return;
        for (size_t k = 0; k < best; k++) owner[at + k] = (int32_t)id;
        owner[at] = (int32_t)id | 0x10000; /* where it begins */
    }
}

static void test_special_tokens(void **arg)
{
    (void)arg;
    for (int round = 0; round < 300; round++) {
        static vocab_spec s;
        vb_bpe(&s, "gpt-2");
        for (uint32_t k = 1 + draw(8); k;
             k--) { /* short ones over <, >, x: they overlap and nest */
            char t[8] = {0};
            uint32_t n = 2 + draw(5);
            for (uint32_t i = 0; i < n; i++) t[i] = "<>x"[draw(3)];
            bool twice = false;
            for (size_t i = 256; i < s.n_tokens; i++) twice |= !strcmp(s.tokens[i].text, t);
            if (!twice) vb_token(&s, t, draw(2) ? VB_USER : VB_CONTROL, 0);
        }
        ingle_vocab *v = open_ok(&s);
        for (int t = 0; t < 20; t++) {
            char text[64];
            int32_t owner[64], ids[64], want[64];
            size_t len = draw(60), n, n_want = 0;
            for (size_t i = 0; i < len; i++) text[i] = "<>x<>xa"[draw(7)];
            special_by_hand(&s, t & 1, text, len, owner);
            for (size_t i = 0; i < len; i++)
                if (owner[i] < 0) want[n_want++] = text[i];
                else if (owner[i] & 0x10000) want[n_want++] = owner[i] & 0xffff;
            unsigned flags = t & 1 ? INGLE_PARSE_SPECIAL : 0;
            assert_int_equal(ingle_vocab_tokenize(v, text, len, flags, ids, 64, &n, NULL),
                             INGLE_OK);
            assert_int_equal(n, n_want);
            assert_memory_equal(ids, want, n * sizeof *ids);
        }
        ingle_vocab_close(&v);
    }
}

static void test_strip(void **arg)
{
    (void)arg;
    static vocab_spec s;
    vb_spm(&s);
    s.name = "My-PHI-3-tune";
    int32_t user = (int32_t)vb_token(&s, "<|user|>", VB_CONTROL, 0),
            end = (int32_t)vb_token(&s, "<|endoftext|>", VB_CONTROL, 0);
    int32_t a = (int32_t)vb_token(&s, "a", VB_NORMAL, 0),
            space = (int32_t)vb_token(&s, "\xe2\x96\x81", VB_NORMAL, 0);
    ingle_vocab *v = open_ok(&s);
    EXPECT_IDS(v, "a <|user|> \n a", INGLE_PARSE_SPECIAL, space, a, space, user, space, a);
    EXPECT_IDS(v, "<|endoftext|> a", INGLE_PARSE_SPECIAL, end, space, space, a);
    EXPECT_IDS(v, "<|user|> <|user|>", INGLE_PARSE_SPECIAL, user, user);
    ingle_vocab_close(&v);
}

/* ---- flags, text back ---- */

static void test_spm_flags(void **arg)
{
    (void)arg;
    enum {
        ADD = INGLE_ADD_SPECIAL,
        PARSE = INGLE_PARSE_SPECIAL,
        REMOVE = INGLE_REMOVE_SPECIAL,
        UNPARSE = INGLE_UNPARSE_SPECIAL,
        CONTINUE = INGLE_CONTINUE
    };
    static vocab_spec s;
    vb_spm(&s);
    int32_t sp = (int32_t)vb_token(&s, "\xe2\x96\x81", VB_NORMAL, -5),
            a = (int32_t)vb_token(&s, "a", VB_NORMAL, -1);
    int32_t spa = (int32_t)vb_token(&s,
                                    "\xe2\x96\x81"
                                    "a",
                                    VB_NORMAL, -2),
            u = (int32_t)vb_token(&s, "[U]", VB_USER, 0);
    vb_key(&s, "tokenizer.ggml.add_eos_token", INGLE_GGUF_BOOL, 1);
    ingle_vocab *v = open_ok(&s);
    EXPECT_IDS(v, "a", 0, spa);
    EXPECT_IDS(v, "a", ADD, 1, spa, 2);
    EXPECT_IDS(v, "", ADD, 1, 2);
    EXPECT_IDS(v, "<s>", PARSE, 1);
    EXPECT_IDS(v, "<s>", 0, sp, 3 + '<', 3 + 's', 3 + '>');
    EXPECT_IDS(v, "a[U]a</s>a", PARSE, spa, u, spa, 2, spa);
    EXPECT_IDS(v, "aa[U]a", CONTINUE, a, a, u, spa);
    EXPECT_IDS(v, " a", ADD | CONTINUE, 1, spa, 2);
    EXPECT_IDS(v, "é\xff", 0, sp, 3 + 0xc3, 3 + 0xa9, 3 + 0xff);
    EXPECT_IDS(v,
               "\xe2\x96\x81"
               "a",
               0, sp, 3 + 0xe2, 3 + 0x96, 3 + 0x81, a); /* not a space */

    EXPECT_TEXT(v, 0, "a", spa);
    EXPECT_TEXT(v, ADD, "a", 1, spa, 2);
    EXPECT_TEXT(v, ADD | PARSE, "a[U]a</s>a", 1, spa, u, spa, 2, spa, 2);
    EXPECT_TEXT(v, CONTINUE, "aa[U]a", a, a, u, spa);
    EXPECT_TEXT(v, ADD | CONTINUE, " a", 1, spa, 2);
    EXPECT_TEXT(v, UNPARSE, "<s> a[U] a</s>", 1, spa, u, spa, 2);
    EXPECT_TEXT(v, REMOVE, " a[U] a", 1, spa, u, spa, 2);
    EXPECT_TEXT(v, REMOVE, "a a", spa, spa);
    EXPECT_TEXT(v, 0, "a[U]a", 1, spa, u, spa, 2);

    char piece[8];
    size_t len;
    assert_int_equal(ingle_vocab_piece(v, spa, 0, piece, 8, &len, NULL), INGLE_OK);
    assert_int_equal(len, 2);
    assert_memory_equal(piece, " a", 2);
    assert_int_equal(ingle_vocab_piece(v, 1, 0, piece, 8, &len, NULL), INGLE_OK);
    assert_int_equal(len, 0);
    assert_int_equal(ingle_vocab_piece(v, 1, UNPARSE, piece, 2, &len, NULL), INGLE_ERANGE);
    assert_int_equal(len, 3);

    ingle_token_info t = {.size = sizeof t};
    assert_int_equal(ingle_vocab_token(v, 3 + 0x41, &t, NULL), INGLE_OK);
    assert_true(t.byte && !t.control && !t.eog && t.len == 6);
    assert_int_equal(ingle_vocab_token(v, 2, &t, NULL), INGLE_OK);
    assert_true(t.control && t.eog && !t.byte);
    assert_int_equal(v->info.nl, 3 + '\n');
    ingle_vocab_close(&v);
}

static void test_clean_spaces(void **arg)
{
    (void)arg;
    static vocab_spec s;
    static const char *const cases[][2] = {
        {"a . b , c ! d ?", "a. b, c! d?"},
        {" .", "."},
        {"a ' b", "a'b"},
        {"I 'm it 's", "I'm it's"},
        {"we 're they 've I 'll he 'd n 't", "we're they've I 'll he 'd n 't"},
        {"  .", " ."},
        {" ' ", "'"},
        {"' ", "' "},
    };
    for (int clean = 0; clean < 2; clean++) {
        vb_bpe(&s, clean ? "gpt-2" : "qwen2");
        ingle_vocab *v = open_ok(&s);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            int32_t ids[64];
            size_t n;
            assert_int_equal(
                ingle_vocab_tokenize(v, cases[i][0], strlen(cases[i][0]), 0, ids, 64, &n, NULL),
                INGLE_OK);
            expect_text(v, n, ids, INGLE_CLEAN_SPACES, cases[i][!!clean]);
            expect_text(v, n, ids, 0, cases[i][0]);
        }
        ingle_vocab_close(&v);
    }
}

/* Any bytes come back, in both kinds of vocabulary, with every pair of flags. */
static void test_lossless(void **arg)
{
    (void)arg;
    for (int kind = 0; kind < 2; kind++) {
        static vocab_spec s;
        random_vocab(&s, kind);
        vb_token(&s, "<|x|>", VB_CONTROL, 0);
        vb_token(&s, "  ", VB_USER, 0);
        vb_token(&s, "\xe2\x96\x81", VB_NORMAL, -9);
        s.n_keys = 0; /* with the space prefix */
        ingle_vocab *v = open_ok(&s);
        for (int round = 0; round < 2000; round++) {
            char text[400], back[800];
            int32_t ids[1200];
            size_t len = rough_bytes(text, 200), n, n_back;
            if (draw(3) == 0) len += (size_t)sprintf(text + len, "<|x|>a <|x|>  </s>\xe2\x96\x81 ");
            len += rough_bytes(text + len, 100);
            unsigned flags = draw(4);
            assert_int_equal(ingle_vocab_tokenize(v, text, len, flags, ids, 1200, &n, NULL),
                             INGLE_OK);
            assert_int_equal(
                ingle_vocab_detokenize(v, ids, n, flags, back, sizeof back, &n_back, NULL),
                INGLE_OK);
            assert_int_equal(n_back, len);
            assert_memory_equal(back, text, len);
        }
        ingle_vocab_close(&v);
    }
}

static void test_calls(void **arg)
{
    (void)arg;
    static vocab_spec s;
    vb_bpe(&s, "qwen2");
    ingle_vocab *v = open_ok(&s);
    int32_t ids[4] = {7, 7, 7, 7};
    char text[4] = "zzz";
    size_t n;
    ingle_error err;
    assert_int_equal(ingle_vocab_tokenize(v, "abc", 3, 0, ids, 2, &n, &err), INGLE_ERANGE);
    assert_true(n == 3 && ids[0] == 'a' && ids[1] == 'b' && ids[2] == 7);
    assert_int_equal(ingle_vocab_tokenize(v, "abc", 3, 0, NULL, 0, &n, &err), INGLE_ERANGE);
    assert_int_equal(n, 3);
    assert_int_equal(ingle_vocab_tokenize(v, NULL, 0, 0, NULL, 0, &n, &err), INGLE_OK);
    assert_int_equal(ingle_vocab_tokenize(v, NULL, 1, 0, ids, 4, &n, &err), INGLE_EINVAL);
    assert_int_equal(ingle_vocab_tokenize(v, "a", 1, INGLE_REMOVE_SPECIAL, ids, 4, &n, &err),
                     INGLE_EINVAL);
    assert_int_equal(ingle_vocab_tokenize(NULL, "a", 1, 0, ids, 4, &n, &err), INGLE_ECLOSED);
    int32_t abc[] = {'a', 'b', 'c'}, bad[] = {'a', 256}, neg[] = {-1};
    assert_int_equal(ingle_vocab_detokenize(v, abc, 3, 0, text, 2, &n, &err), INGLE_ERANGE);
    assert_true(n == 3 && text[0] == 'a' && text[1] == 'b' && text[2] == 'z');
    assert_int_equal(ingle_vocab_detokenize(v, bad, 2, 0, text, 4, &n, &err), INGLE_EINVAL);
    assert_string_equal(err.text, "tokens[1]: 256 of a vocabulary of 256");
    assert_int_equal(ingle_vocab_detokenize(v, neg, 1, 0, text, 4, &n, &err), INGLE_EINVAL);
    assert_int_equal(ingle_vocab_detokenize(v, abc, 3, 1024, text, 4, &n, &err), INGLE_EINVAL);
    assert_int_equal(ingle_vocab_detokenize(NULL, abc, 3, 0, text, 4, &n, &err), INGLE_ECLOSED);
    ingle_token_info t = {.size = sizeof t};
    assert_int_equal(ingle_vocab_token(v, 256, &t, &err), INGLE_ENOTFOUND);
    assert_int_equal(ingle_vocab_token(v, -1, &t, &err), INGLE_ENOTFOUND);
    ingle_vocab_close(&v);
    assert_null(v);
    ingle_vocab_close(&v);
}

typedef struct reader {
    const ingle_vocab *v;
    const char *text;
    size_t n;
    int32_t ids[4096];
} reader;

static void *read_along(void *arg)
{
    reader *r = arg;
    for (int k = 0; k < 20; k++)
        if (ingle_vocab_tokenize(r->v, r->text, strlen(r->text), 0, r->ids, 4096, &r->n, NULL))
            r->n = 0;
    return NULL;
}

/* One vocabulary, many threads (the thread sanitizer looks on). */
static void test_threads(void **arg)
{
    (void)arg;
    static vocab_spec s;
    static reader r[4];
    char text[2048];
    size_t len = 0;
    while (len < 1500) len += (size_t)sprintf(text + len, "%cab, 'll 12 é ", 'a' + (char)draw(20));
    vb_bpe(&s, "llama-bpe");
    vb_merge(&s, "a b");
    vb_token(&s, "ab", VB_NORMAL, 0);
    vb_token(&s, "12", VB_USER, 0);
    ingle_vocab *v = open_ok(&s);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        r[i] = (reader){.v = v, .text = text};
        assert_int_equal(pthread_create(&threads[i], NULL, read_along, &r[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++) {
        assert_true(r[i].n > 500 && r[i].n == r[0].n);
        assert_memory_equal(r[i].ids, r[0].ids, r[0].n * sizeof *r[0].ids);
    }
    ingle_vocab_close(&v);
}

/* ---- files ---- */

static void expect_refused(const vocab_spec *s, ingle_status want, const char *part)
{
    ingle_vocab *v;
    ingle_error err = {""};
    assert_int_equal(vb_open(&v, s, &err), want);
    assert_null(v);
    if (!strstr(err.text, part)) print_error("%s\n", err.text);
    assert_non_null(strstr(err.text, part));
}

static void test_refusals(void **arg)
{
    (void)arg;
    static vocab_spec s;
    vb_spm(&s), s.model = NULL;
    expect_refused(&s, INGLE_ENOTFOUND, "tokenizer.ggml.model");
    vb_spm(&s), s.model = "plamo2";
    expect_refused(&s, INGLE_EUNSUPPORTED, "'plamo2'");
    vb_bpe(&s, "no-such-pre");
    expect_refused(&s, INGLE_EUNSUPPORTED, "'no-such-pre'");
    vb_bpe(&s, "gpt-2"), s.no_merges = true;
    expect_refused(&s, INGLE_ENOTFOUND, "tokenizer.ggml.merges");
    vb_bpe(&s, "gpt-2"), vb_merge(&s, "a b"), vb_merge(&s, "ab");
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.merges[1]");
    vb_bpe(&s, "gpt-2"), vb_merge(&s, "a ");
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.merges[0]");
    vb_bpe(&s, "gpt-2"), vb_merge(&s, "a \xe4\xb8\xad");
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.merges[0]");
    vb_spm(&s), s.no_tokens = true;
    expect_refused(&s, INGLE_ENOTFOUND, "tokenizer.ggml.tokens");
    vb_spm(&s), s.n_tokens = 0, s.n_types = s.n_scores = 0;
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.tokens");
    vb_spm(&s), s.n_types--;
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.token_type");
    vb_spm(&s), s.n_scores--;
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.scores");
    vb_spm(&s), s.tokens[17].score = NAN;
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.scores[17]");
    vb_spm(&s), s.tokens[17].type = 9;
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.token_type[17]");
    vb_spm(&s), s.tokens[17].type = -1;
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.token_type[17]");
    vb_spm(&s), vb_token(&s, "<0x-1>", VB_BYTE, 0);
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.tokens[259]");
    vb_spm(&s), vb_key(&s, "tokenizer.ggml.bos_token_id", INGLE_GGUF_U32, 259);
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.bos_token_id");
    vb_spm(&s), vb_key(&s, "tokenizer.ggml.eos_token_id", INGLE_GGUF_I32, -2);
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.eos_token_id");
    vb_spm(&s), vb_key(&s, "tokenizer.ggml.bos_token_id", INGLE_GGUF_U32, UINT32_MAX); /* none */
    expect_refused(&s, INGLE_EFORMAT, "tokenizer.ggml.add_bos_token");
}

/* Duplicates: the first counts. Empty tokens: nothing is made of them. Special tokens of more than
 * a kilobyte are refused. */
static void test_odd_tokens(void **arg)
{
    (void)arg;
    static vocab_spec s;
    vb_spm(&s);
    int32_t a = (int32_t)vb_token(&s, "a", VB_NORMAL, 0);
    vb_token(&s, "a", VB_NORMAL, 5);
    int32_t empty = (int32_t)vb_token(&s, "", VB_NORMAL, 9);
    vb_token(&s, "", VB_USER, 9);
    int32_t u = (int32_t)vb_token(&s, "[U]", VB_USER, 0),
            u2 = (int32_t)vb_token(&s, "[U]", VB_USER, 0);
    vb_key(&s, "tokenizer.ggml.add_space_prefix", INGLE_GGUF_BOOL, 0);
    vb_key(&s, "tokenizer.ggml.padding_token_id", INGLE_GGUF_I32, -1);
    ingle_vocab *v = open_ok(&s);
    EXPECT_IDS(v, "a[U]a", 0, a, u, a);
    EXPECT_TEXT(v, 0, "aa[U]", a, empty, a + 1, u2);
    assert_int_equal(v->info.pad, -1);
    ingle_vocab_close(&v);

    vb_bpe(&s, "llama-bpe"); /* a word that is a token, though no merge makes it; but never a
                                control token */
    vb_token(&s, "ab", VB_NORMAL, 0);
    vb_token(&s, "ba", VB_CONTROL, 0);
    vb_token(&s, "ab", VB_NORMAL, 0);
    ingle_vocab *w = open_ok(&s);
    EXPECT_IDS(w, "ab", 0, 256);
    EXPECT_IDS(w, "ba", 0, 'b', 'a');
    EXPECT_IDS(w, "ba", INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL, 11, 257);
    ingle_vocab_close(&w);
}

static void test_known_tokens(void **arg)
{
    (void)arg;
    static vocab_spec s;
    vb_bpe(&s, "gpt-4o");
    int32_t end = (int32_t)vb_token(&s, "<|end|>", VB_CONTROL, 0),
            eot = (int32_t)vb_token(&s, "<|endoftext|>", VB_NORMAL, 0);
    ingle_vocab *v = open_ok(&s);
    ingle_token_info t = {.size = sizeof t};
    assert_int_equal(v->info.eot, end);
    assert_int_equal(ingle_vocab_token(v, eot, &t, NULL), INGLE_OK);
    assert_true(t.eog && t.control);
    ingle_vocab_close(&v);
    vb_token(&s, "<|return|>", VB_CONTROL,
             0); /* now <|end|> only ends a message, and is always written */
    vb_token(&s, "<|call|>", VB_CONTROL, 0);
    v = open_ok(&s);
    assert_int_equal(v->info.eot, eot);
    assert_int_equal(ingle_vocab_token(v, end, &t, NULL), INGLE_OK);
    assert_true(!t.eog && !t.control);
    EXPECT_IDS(v, "<|end|>", 0, end);
    ingle_vocab_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_byte_alphabet),
        cmocka_unit_test(test_utf8_stream),
        cmocka_unit_test(test_utf8_valid),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_words_lose_nothing),
        cmocka_unit_test(test_heap),
        cmocka_unit_test(test_pair_queue),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_long_words),
        cmocka_unit_test(test_special_tokens),
        cmocka_unit_test(test_strip),
        cmocka_unit_test(test_spm_flags),
        cmocka_unit_test(test_clean_spaces),
        cmocka_unit_test(test_lossless),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_odd_tokens),
        cmocka_unit_test(test_known_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
