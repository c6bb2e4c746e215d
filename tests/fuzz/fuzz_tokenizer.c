/* fuzz_tokenizer.c - any bytes as a vocabulary and a text.
 *
 * Input: flags (1 byte), length of the text (2 bytes), the text, a GGUF file. The text also goes
 * through two sound vocabularies, which must give it back byte for byte. */
#define _GNU_SOURCE
#include "fuzz.h"
#include "engine/breakers.h"
#include "vocab_build.h"

/* Text of the tokens; `same`: these bytes. */
static void go_back(const ingle_vocab *v, const int32_t *ids, size_t n, unsigned flags,
                    const char *same, size_t len)
{
    ingle_error err = {""};
    size_t n_back;
    ingle_status st = ingle_vocab_detokenize(v, ids, n, flags, NULL, 0, &n_back, &err);
    if (st != (n_back ? INGLE_ERANGE : INGLE_OK)) abort();
    char *back = malloc(n_back + 1);
    if (ingle_vocab_detokenize(v, ids, n, flags, back, n_back, &n_back, &err)) abort();
    if (same && (n_back != len || memcmp(back, same, len) != 0)) abort();
    free(back);
}

/* Tokens in range, the same count without room, and text back; `exact`: the same bytes. Flags: bits
 * 0 and 1 are those of tokenizing, 3 to 7 those of going back. */
static void use(const ingle_vocab *v, const char *text, size_t len, unsigned flags, bool exact)
{
    ingle_error err = {""};
    size_t n_again, n;
    unsigned there = flags & 3, back = flags >> 3;
    ingle_status st = ingle_vocab_tokenize(v, text, len, there, NULL, 0, &n, &err);
    if (st != (n ? INGLE_ERANGE : INGLE_OK)) abort();
    if (v->kind != INGLE_VOCAB_UNIGRAM && n > 4 * len + 8) abort();
    int32_t *ids = malloc((n + 1) * sizeof *ids);
    st = ingle_vocab_tokenize(v, text, len, there, ids, n, &n_again, &err);
    if (st || n_again != n) abort();
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= v->info.n_tokens) abort();
    go_back(v, ids, n, there, exact ? text : NULL, len);
    if (back != there) go_back(v, ids, n, back, NULL, 0);
    free(ids);
}

/* The two halves as a query and a document. */
static void use_pair(const ingle_vocab *v, const char *text, size_t len)
{
    ingle_error err = {""};
    size_t n, n_first, cap, half = len / 2;
    ingle_status st = ingle_vocab_tokenize_pair(v, text, half, text + half, len - half, NULL, 0,
                                                &cap, &n_first, &err);
    if (st && st != INGLE_ERANGE) {
        if (!err.text[0]) abort();
        return;
    }
    int32_t *ids = malloc((cap + 1) * sizeof *ids);
    st = ingle_vocab_tokenize_pair(v, text, half, text + half, len - half, ids, cap, &n, &n_first,
                                   &err);
    if (st || n != cap || n_first > n) abort();
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= v->info.n_tokens) abort();
    free(ids);
}

/* The text up to its first zero byte as a DRY breaker. */
static void use_as_breaker(const ingle_vocab *v, const char *text, size_t len)
{
    ingle_error err = {""};
    char breaker[INGLE_BREAKER_TEXT + 2] = {0};
    const char *texts[] = {breaker};
    ingle_breaker_list list = {0};
    memcpy(breaker, text, len < sizeof breaker - 1 ? len : sizeof breaker - 1);
    if (ingle_breakers_find(&list, v, texts, 1, &err)) {
        if (!err.text[0] || list.n) abort();
        return;
    }
    for (size_t i = 0; i < list.n; i++)
        for (size_t t = 0; t < list.seq[i].n; t++)
            if (list.seq[i].tokens[t] < 0 || list.seq[i].tokens[t] >= v->info.n_tokens) abort();
    ingle_breakers_free(&list);
}

static void use_all_tokens(const ingle_vocab *v)
{
    char piece[16];
    size_t len;
    ingle_token_info info = {.size = sizeof info};
    for (int32_t id = 0; id < v->info.n_tokens; id++) {
        if (ingle_vocab_token(v, id, &info, NULL)) abort();
        ingle_vocab_piece(v, id, INGLE_UNPARSE_SPECIAL, piece, sizeof piece, &len, NULL);
    }
}

static void spec(vocab_spec *s, bool bpe)
{
    if (bpe) {
        vb_bpe(s, "gpt-4o");
        vb_merge(s, "a b");
        vb_merge(s, "b b");
        vb_merge(s, "ab b");
        vb_token(s, "ab", VB_NORMAL, 0);
        vb_token(s, "bb", VB_NORMAL, 0);
    } else {
        vb_spm(s);
        vb_token(s, "\xe2\x96\x81", VB_NORMAL, -1);
        vb_token(s, "\xe2\x96\x81\xe2\x96\x81", VB_NORMAL, -2);
        vb_token(s, "ab", VB_NORMAL, -3);
        vb_token(s, "b\xe2\x96\x81", VB_NORMAL, -1.5f);
    }
    vb_token(s, "<|x|>", VB_CONTROL, 0);
    vb_token(s, "|x", VB_USER, 0);
    vb_token(s, "  ", VB_USER, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ingle_vocab *sound[2]; /* as long as the process */
    if (size < 3) return 0;
    unsigned flags = data[0];
    size_t len = data[1] | (size_t)data[2] << 8;
    if (len > size - 3) len = size - 3;
    const char *text = (const char *)data + 3;
    for (int i = 0; i < 2; i++) {
        static vocab_spec s;
        if (!sound[i]) {
            spec(&s, i);
            if (vb_open(&sound[i], &s, NULL)) abort();
        }
        use(sound[i], text, len, flags, true);
    }
    ingle_vocab *v;
    ingle_error err = {""};
    if (vb_open_bytes(&v, data + 3 + len, size - 3 - len, &err)) {
        if (!err.text[0] || v) abort(); /* refused without a word */
        return 0;
    }
    use(v, text, len, flags, false);
    use_pair(v, text, len);
    use_as_breaker(v, text, len);
    use_all_tokens(v);
    ingle_vocab_close(&v);
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const char text[] =
        "ab abb  <|x|>|x|x|> \xe4\xb8\xad\xff\xe4\xb8 'Ll 12345\r\n  </s>\xe2\x96\x81  x\xcc\x81!";
    static vocab_spec s;
    static gguf_bytes b;
    if (i >= 8) return 0;
    if (i < 4 || i == 7) spec(&s, i & 1);
    else vb_words(&s, i == 4 ? "bert" : i == 5 ? "t5" : "rwkv");
    if (i == 2) s.name = "phi-3", vb_token(&s, "<|end|>", VB_NORMAL, 0);
    if (i == 3)
        s.pre = "deepseek-llm", vb_key(&s, "tokenizer.ggml.eos_token_id", INGLE_GGUF_U32, 3);
    if (i == 7) s.rank_template = "<|x|>a {query} {document}<|x|>|{document}";
    vb_write(&b, &s);
    size_t n = sizeof text - 1;
    if (3 + n + b.n > cap) return 0;
    data[0] = (uint8_t)(i | i << 3);
    data[1] = (uint8_t)n;
    data[2] = 0;
    memcpy(data + 3, text, n);
    memcpy(data + 3 + n, b.p, b.n);
    return 3 + n + b.n;
}
