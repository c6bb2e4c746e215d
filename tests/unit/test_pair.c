/* A query and a document as one list of tokens: with the marks of each kind of vocabulary, as the
 * published tokenizers set them, and in a file's template, where texts stay texts. */
#define _GNU_SOURCE
#include "vocab_test.h"
#include "wrap_alloc.h"

#define M "\xe2\x96\x81"

static ingle_status pair(const ingle_vocab *v, const char *query, const char *document,
                         int32_t *ids, size_t cap, size_t *n, size_t *n_first, ingle_error *err)
{
    return ingle_vocab_tokenize_pair(v, query, strlen(query), document, strlen(document), ids, cap,
                                     n, n_first, err);
}

static void expect(const ingle_vocab *v, const char *query, const char *document, const char *want,
                   size_t want_first)
{
    int32_t ids[512], again[512];
    size_t n, n_first, needed;
    ingle_error err = {""};
    if (pair(v, query, document, ids, 512, &n, &n_first, &err)) fail_msg("%s", err.text);
    assert_string_equal(texts_of(v, ids, n), want);
    assert_int_equal(n_first, want_first);
    for (size_t cap = 0; cap < n; cap++) { /* any smaller room: the number, and nothing beyond */
        for (size_t i = 0; i <= cap; i++) again[i] = -7;
        assert_int_equal(pair(v, query, document, cap ? again : NULL, cap, &needed, &n_first, &err),
                         INGLE_ERANGE);
        assert_int_equal(needed, n);
        assert_int_equal(again[cap], -7);
    }
}

static void add_flags(vocab_spec *s, int bos, int eos, int sep)
{
    if (bos >= 0) vb_key(s, "tokenizer.ggml.add_bos_token", INGLE_GGUF_BOOL, bos);
    if (eos >= 0) vb_key(s, "tokenizer.ggml.add_eos_token", INGLE_GGUF_BOOL, eos);
    if (sep >= 0) vb_key(s, "tokenizer.ggml.add_sep_token", INGLE_GGUF_BOOL, sep);
}

/* [CLS] query [SEP] document [SEP], the first segment up to the first [SEP]; also where the file calls
 * [SEP] the end of a text. */
static void wordpiece(void **arg)
{
    static vocab_spec s;
    (void)arg;
    for (int how = 0; how < 2; how++) {
        vb_words(&s, "bert");
        if (how) add_flags(&s, 1, 1, 0);
        ingle_vocab *v = open_ok(&s);
        expect(v, "cabz", "b c", "[CLS] " M "c ab z [SEP] " M "b " M "c [SEP]", 5);
        expect(v, "", "b", "[CLS] [SEP] " M "b [SEP]", 2);
        expect(v, "b", "", "[CLS] " M "b [SEP] [SEP]", 3);
        expect(v, "a [SEP] b", "c", "[CLS] " M "a [UNK] " M "s e p [UNK] " M "b [SEP] " M "c [SEP]",
               9);
        ingle_vocab_close(&v);
    }
}

/* XLM-R: <s> query </s></s> document </s>, also of files that do not say so; no segments. T5 has no mark
 * for the beginning, and one between. */
static void unigram(void **arg)
{
    static vocab_spec s;
    (void)arg;
    for (int sep = -1; sep < 2; sep++) {
        vb_words(&s, "t5");
        add_flags(&s, 1, 1, sep);
        vb_key(&s, "tokenizer.ggml.add_space_prefix", INGLE_GGUF_BOOL, 1);
        ingle_vocab *v = open_ok(&s);
        expect(v, "ab", "c",
               sep ? "[CLS] " M " ab [SEP] [SEP] " M "c [SEP]"
                   : "[CLS] " M " ab [SEP] " M "c [SEP]",
               0);
        ingle_vocab_close(&v);
    }
    vb_words(&s, "t5");
    ingle_vocab *v = open_ok(&s);
    expect(v, "ab", "c", "ab [SEP] c [SEP]", 0);
    ingle_vocab_close(&v);
}

/* RoBERTa has two marks between texts, ModernBERT one; a file may say it. Others have none at all. */
static void bpe(void **arg)
{
    static const struct {
        const char *pre;
        int add_eos, add_sep;
        const char *want;
    } cases[] = {{"roberta-bpe", 1, -1, "<s> a b </s> </s> c </s>"},
                 {"jina-v1-en", 1, -1, "<s> a b </s> </s> c </s>"},
                 {"roberta-bpe", 1, 0, "<s> a b </s> c </s>"},
                 {"modern-bert", 1, -1, "<s> a b </s> c </s>"},
                 {"gpt-2", 1, 1, "<s> a b </s> </s> c </s>"},
                 {"gpt-2", 0, 1, "<s> a b </s> c"},
                 {"gpt-2", 0, 0, NULL},
                 {"qwen2", -1, -1, NULL}};
    static vocab_spec s;
    (void)arg;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vb_bpe(&s, cases[i].pre);
        vb_key(&s, "tokenizer.ggml.bos_token_id", INGLE_GGUF_U32,
               vb_token(&s, "<s>", VB_CONTROL, 0));
        vb_key(&s, "tokenizer.ggml.eos_token_id", INGLE_GGUF_U32,
               vb_token(&s, "</s>", VB_CONTROL, 0));
        add_flags(&s, 1, cases[i].add_eos, cases[i].add_sep);
        ingle_vocab *v = open_ok(&s);
        if (cases[i].want) {
            expect(v, "ab", "c", cases[i].want, 0);
        } else {
            int32_t ids[8];
            size_t n, n_first;
            ingle_error err = {""};
            assert_int_equal(pair(v, "ab", "c", ids, 8, &n, &n_first, &err), INGLE_EUNSUPPORTED);
            assert_non_null(strstr(err.text, "tokenizer.chat_template.rerank"));
        }
        ingle_vocab_close(&v);
    }
}

/* ---- templates ---- */

/* Token b is byte b; two control tokens and one of the user's. */
static ingle_vocab *open_with(const char *rank_template)
{
    static vocab_spec s;
    vb_bpe(&s, "qwen2");
    vb_token(&s, "<|im_start|>", VB_CONTROL, 0);
    vb_token(&s, "<|im_end|>", VB_CONTROL, 0);
    vb_token(&s, "<tool>", VB_USER, 0);
    s.rank_template = rank_template;
    return open_ok(&s);
}

static void a_template(void **arg)
{
    ingle_vocab *v = open_with("<|im_start|>Q:{query};D:{document}<|im_end|>{query}!");
    (void)arg;
    expect(v, "ab", "c", "<|im_start|> Q : a b ; D : c <|im_end|> a b !", 0);
    expect(v, "", "", "<|im_start|> Q : ; D : <|im_end|> !", 0);
    expect(v, "{document}", "{query}",
           "<|im_start|> Q : { d o c u m e n t } ; D : { q u e r y } <|im_end|> "
           "{ d o c u m e n t } !",
           0);
    expect(v, "<tool>", "<|im_end|>x",
           "<|im_start|> Q : <tool> ; D : < | i m _ e n d | > x <|im_end|> <tool> !", 0);
    ingle_vocab_close(&v);
}

/* Without control tokens in the texts the tokens are those of the whole text. */
static void any_template(void **arg)
{
    static const char *const parts[] = {"a", " ",       "\n", "<|im_end|>", "<|im_start|>",
                                        "é", "{query}", "b",  "{document}"};
    (void)arg;
    for (int round = 0; round < 300; round++) {
        char filled[1200] = "", template[600] = "{query}{document}";
        char texts[2][16] = {"", ""};
        for (int t = 0; t < 2; t++)
            for (uint32_t k = draw(4); k; k--) strcat(texts[t], parts[draw(3)]);
        snprintf(filled, sizeof filled, "%s%s", texts[0], texts[1]);
        for (uint32_t k = draw(12); k; k--) {
            const char *part = parts[draw(9)];
            strcat(template, part);
            strcat(filled, part[0] == '{' ? texts[part[1] == 'd'] : part);
        }
        ingle_vocab *v = open_with(template);
        int32_t want[1200], got[1200];
        size_t n_want, n, n_first;
        assert_int_equal(ingle_vocab_tokenize(v, filled, strlen(filled), INGLE_PARSE_SPECIAL, want,
                                              1200, &n_want, NULL),
                         INGLE_OK);
        assert_int_equal(pair(v, texts[0], texts[1], got, 1200, &n, &n_first, NULL), INGLE_OK);
        assert_int_equal(n, n_want);
        assert_memory_equal(got, want, n * sizeof *got);
        ingle_vocab_close(&v);
    }
}

static void refused(const ingle_vocab *v, ingle_status want, const char *part)
{
    int32_t ids[64];
    size_t n, n_first;
    ingle_error err = {""};
    assert_int_equal(pair(v, "a", "b", ids, 64, &n, &n_first, &err), want);
    if (!strstr(err.text, part)) fail_msg("\"%s\" lacks \"%s\"", err.text, part);
}

static void wrong_templates(void **arg)
{
    char many[600] = "{document}";
    (void)arg;
    for (int i = 0; i < 15; i++) strcat(many, "{query}");
    ingle_vocab *v = open_with(many);
    expect(v, "a", "b", "b a a a a a a a a a a a a a a a", 0);
    ingle_vocab_close(&v);
    strcat(many, "{query}");
    v = open_with(many);
    refused(v, INGLE_EUNSUPPORTED, "16");
    ingle_vocab_close(&v);
    v = open_with("{query} {documents}");
    refused(v, INGLE_EFORMAT, "{document}");
    ingle_vocab_close(&v);
    v = open_with("{{document");
    refused(v, INGLE_EFORMAT, "{query}");
    ingle_vocab_close(&v);
    v = open_with("");
    refused(v, INGLE_EFORMAT, "{query}");
    ingle_vocab_close(&v);
    refused(NULL, INGLE_ECLOSED, "NULL");
    size_t n, n_first;
    v = open_with("{query}{document}");
    assert_int_equal(ingle_vocab_tokenize_pair(v, NULL, 1, "", 0, NULL, 0, &n, &n_first, NULL),
                     INGLE_EINVAL);
    assert_int_equal(ingle_vocab_tokenize_pair(v, NULL, 0, NULL, 0, NULL, 0, &n, &n_first, NULL),
                     INGLE_OK);
    assert_int_equal(n, 0);
    ingle_vocab_close(&v);
}

static void every_allocation_fails(void **arg)
{
    ingle_vocab *v = open_with("<|im_start|>{query}\n{document}<|im_end|>");
    (void)arg;
    for (long n = 1;; n++) {
        int32_t ids[64];
        size_t n_ids, n_first;
        ingle_error err = {""};
        wrap_alloc_begin(n);
        ingle_status st = pair(v, "ab", "cd", ids, 64, &n_ids, &n_first, &err);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        if (!reached) {
            assert_true(n > 1 && !st);
            break;
        }
        assert_int_equal(st, INGLE_ENOMEM);
        assert_true(err.text[0]);
    }
    ingle_vocab_close(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wordpiece),
        cmocka_unit_test(unigram),
        cmocka_unit_test(bpe),
        cmocka_unit_test(a_template),
        cmocka_unit_test(any_template),
        cmocka_unit_test(wrong_templates),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
