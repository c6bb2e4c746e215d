/* Every allocation of opening, tokenizing and detokenizing fails once: a status, nothing left
 * behind, nothing changed. */
#define _GNU_SOURCE
#include "vocab_build.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "wrap_alloc.h"

enum { SPM, BPE, WORDPIECE, UNIGRAM, RWKV, N_KINDS };

static void build(vocab_spec *s, int kind)
{
    static const char *const models[] = {NULL, NULL, "bert", "t5", "rwkv"};
    if (models[kind]) {
        vb_words(s, models[kind]);
    } else if (kind == BPE) {
        vb_bpe(s, "deepseek-llm");
        for (int i = 0; i < 40; i++) { /* merges through strings that are no tokens */
            char merge[16];
            snprintf(merge, sizeof merge, "%c %c%c", 'a' + i % 7, 'b' + i % 5, 'c' + i % 3);
            vb_merge(s, merge);
        }
        vb_merge(s, "a a");
    } else {
        vb_spm(s);
        vb_token(s, "\xe2\x96\x81", VB_NORMAL, -1);
        vb_token(s, "aa", VB_NORMAL, -1);
    }
    vb_token(s, "<x>", VB_USER, 0);
    vb_token(s, "x><", VB_USER, 0);
}

static void test_open(void **arg)
{
    (void)arg;
    for (int kind = 0; kind < N_KINDS; kind++) {
        static vocab_spec s;
        static gguf_bytes b;
        char path[32];
        build(&s, kind);
        vb_write(&b, &s);
        int fd = gb_file(b.p, b.n, path);
        ingle_gguf *g;
        assert_int_equal(ingle_gguf_open(&g, path, false, NULL), INGLE_OK);
        long n = 1;
        for (;; n++) {
            ingle_vocab *v;
            ingle_error err = {""};
            wrap_alloc_begin(n);
            ingle_status st = ingle_vocab_open(&v, g, &err);
            bool opened = v != NULL;
            ingle_vocab_close(&v);
            if (!wrap_alloc_end()) break;
            assert_int_equal(wrap_alloc_live(), 0);
            if (st == INGLE_OK) { /* the JIT does without its memory */
                assert_true(opened);
                continue;
            }
            assert_int_equal(st, INGLE_ENOMEM);
            assert_true(err.text[0]);
        }
        assert_true(n > 8);
        assert_int_equal(wrap_alloc_live(), 0);
        ingle_gguf_close(&g);
        close(fd);
    }
}

static void test_use(void **arg)
{
    (void)arg;
    static vocab_spec s;
    static char text[3000];
    static int32_t ids[4000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = "aa<x><x> b"[i % 10];
    memset(text + 1000, 'a', 500); /* a long word: the heap */
    for (int kind = 0; kind < N_KINDS; kind++) {
        build(&s, kind);
        ingle_vocab *v;
        assert_int_equal(vb_open(&v, &s, NULL), INGLE_OK);
        for (long n = 1;; n++) {
            size_t n_ids;
            wrap_alloc_begin(n);
            ingle_status st =
                ingle_vocab_tokenize(v, text, sizeof text, 0, ids, 4000, &n_ids, NULL);
            bool reached = wrap_alloc_end();
            assert_int_equal(wrap_alloc_live(), 0);
            if (!reached) {
                assert_int_equal(st, INGLE_OK);
                assert_true(n > (kind < WORDPIECE ? 5 : kind == UNIGRAM ? 3 : 1));
                break;
            }
            assert_int_equal(st, INGLE_ENOMEM);
            assert_int_equal(n_ids, 0);
        }
        ingle_vocab_close(&v);
    }
    vb_bpe(&s, "gpt-2");
    ingle_vocab *v;
    assert_int_equal(vb_open(&v, &s, NULL), INGLE_OK);
    char out[8];
    size_t len;
    int32_t id = 'a';
    wrap_alloc_begin(1);
    ingle_status st = ingle_vocab_detokenize(v, &id, 1, INGLE_CLEAN_SPACES, out, 8, &len, NULL);
    assert_true(wrap_alloc_end());
    assert_int_equal(st, INGLE_ENOMEM);
    ingle_vocab_close(&v);
}

/* What is reported is what was asked for: between all requests ever made and the half of them
 * (tables grow). */
static void test_heap_bytes(void **arg)
{
    (void)arg;
    static vocab_spec s;
    static gguf_bytes b;
    char path[32];
    build(&s, SPM);
    vb_write(&b, &s);
    int fd = gb_file(b.p, b.n, path);
    ingle_gguf *g;
    ingle_vocab *v;
    assert_int_equal(ingle_gguf_open(&g, path, false, NULL), INGLE_OK);
    wrap_alloc_begin(0);
    assert_int_equal(ingle_vocab_open(&v, g, NULL), INGLE_OK);
    wrap_alloc_end();
    ingle_vocab_info info;
    ingle_vocab_info_get(v, &info);
    assert_true(info.heap_bytes <= wrap_alloc_bytes());
    assert_true(info.heap_bytes >= wrap_alloc_bytes() / 2);
    ingle_vocab_close(&v);
    ingle_gguf_close(&g);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_use),
        cmocka_unit_test(test_heap_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
