/* BPE whose tokens are text with U+2581 for spaces (Gemma 4): merges by rank over characters, bytes
 * where there is no token, every text comes back; and names of pre-tokenizers nobody knows. */
#define _GNU_SOURCE
#include "vocab_build.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define M "\xe2\x96\x81" /* U+2581 */

enum { BOS = 256, SPACE, A, B, S_A, AB, S_AB, NL, NL2, E_ACUTE, MORE };

static void build(vocab_spec *s, const char *pre)
{
    *s = (vocab_spec){.model = "gpt2", .pre = pre};
    for (int b = 0; b < 256; b++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", (unsigned)b);
        vb_token(s, text, VB_BYTE, 0);
    }
    vb_token(s, "<bos>", VB_CONTROL, 0);
    static const char *const texts[] = {M, "a", "b", M "a", "ab", M "ab", "\n", "\n\n", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) vb_token(s, texts[i], VB_NORMAL, 0);
    vb_merge(s, "a b");
    vb_merge(s, M " a");
    vb_merge(s, M " ab");
    vb_key(s, "tokenizer.ggml.bos_token_id", INGLE_GGUF_U32, BOS);
    vb_key(s, "tokenizer.ggml.eos_token_id", INGLE_GGUF_U32, BOS);
}

static void expect(const ingle_vocab *v, const char *text, size_t n, const int32_t *ids)
{
    int32_t got[64];
    char back[128];
    size_t n_got, len;
    assert_int_equal(ingle_vocab_tokenize(v, text, strlen(text), 0, got, 64, &n_got, NULL),
                     INGLE_OK);
    assert_int_equal(n_got, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(got[i], ids[i]);
    assert_int_equal(ingle_vocab_detokenize(v, got, n, 0, back, sizeof back, &len, NULL), INGLE_OK);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(back, text, len);
}

#define IDS(...)                                                                                   \
    sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t), (const int32_t[])                          \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void merges_by_rank(void **state)
{
    static vocab_spec s;
    static const char *const pres[] = {"gemma4", "granite-embed-multi-311m", "sarvam-moe"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        ingle_vocab *v;
        ingle_error err;
        build(&s, pres[i]);
        if (vb_open(&v, &s, &err)) fail_msg("%s", err.text);
        expect(v, "ab ab", IDS(AB, S_AB)); /* a b goes before the space */
        expect(v, " a", IDS(S_A));
        expect(v, "  b", IDS(SPACE, SPACE, B));
        expect(v, "\xc3\xa9 \xc3\xbc", IDS(E_ACUTE, SPACE, 0xc3, 0xbc));
        expect(v, M "a", IDS(0xe2, 0x96, 0x81, A)); /* a mark that is text */
        expect(v, "x\xff", IDS('x', 0xff));
        if (i < 2) expect(v, "a\n\nb", IDS(A, NL2, B)); /* no merge leads there */
        else expect(v, "a\n\nb", IDS(A, NL, NL, B));
        ingle_vocab_close(&v);
    }
}

/* Files say that no BOS is added; that is known to be wrong. */
static void bos_is_added_anyway(void **state)
{
    static vocab_spec s;
    ingle_vocab *v;
    ingle_vocab_info info;
    (void)state;
    for (int i = 0; i < 2; i++) {
        build(&s, i ? "sarvam-moe" : "gemma4");
        vb_key(&s, "tokenizer.ggml.add_bos_token", INGLE_GGUF_BOOL, 0);
        assert_int_equal(vb_open(&v, &s, NULL), INGLE_OK);
        ingle_vocab_info_get(v, &info);
        assert_true(info.add_bos == (i == 0));
        ingle_vocab_close(&v);
    }
}

static void any_text_comes_back(void **state)
{
    static vocab_spec s;
    ingle_vocab *v;
    uint32_t seed = 5;
    (void)state;
    build(&s, "gemma4");
    assert_int_equal(vb_open(&v, &s, NULL), INGLE_OK);
    for (int round = 0; round < 3000; round++) {
        char text[90], back[90];
        int32_t ids[90];
        size_t n, len, n_text = 0;
        for (seed = seed * 1664525 + 1013904223; n_text < (seed >> 9) % 80; n_text++) {
            static const char letters[] = "aab  \n\xc3\xa9\xe2\x96\x81\xff";
            text[n_text] = letters[(seed >> 3) * (n_text + 7) * 2654435761u % (sizeof letters - 1)];
        }
        assert_int_equal(ingle_vocab_tokenize(v, text, n_text, 0, ids, 90, &n, NULL), INGLE_OK);
        assert_int_equal(ingle_vocab_detokenize(v, ids, n, 0, back, 90, &len, NULL), INGLE_OK);
        assert_int_equal(len, n_text);
        assert_memory_equal(back, text, len);
    }
    ingle_vocab_close(&v);
}

static void unknown_names_get_a_list(void **state)
{
    static vocab_spec s;
    ingle_vocab *v;
    ingle_error err;
    (void)state;
    build(&s, "qwen3");
    assert_int_equal(vb_open(&v, &s, &err), INGLE_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "unknown pre-tokenizer 'qwen3' (known: qwen2, qwen35"));
    assert_non_null(strstr(err.text, " more)"));
    char all[4096];
    ingle_pretok_similar("", 0, all, sizeof all);
    assert_null(strstr(all, " more"));
    for (size_t i = 0; ingle_pretok_at(i); i++)
        assert_non_null(strstr(all, ingle_pretok_at(i)->name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_by_rank),
        cmocka_unit_test(bos_is_added_anyway),
        cmocka_unit_test(any_text_comes_back),
        cmocka_unit_test(unknown_names_get_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
