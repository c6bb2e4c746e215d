/* wordpiece.c - BERT's tokenizer: text is cut at white space, around punctuation and CJK signs,
 * lower-cased and stripped of accents; each word is then covered by the longest tokens from the
 * left, or is the unknown token as a whole. Devlin et al. 2018 (arXiv 1810.04805), tokenization.py
 * of the published code; characters are decomposed to their first part only and every mark is
 * dropped, as the files' makers tested them. */
#include "base/mem.h"
#include "base/utf8.h"
#include "text/words.h"

#include <stdlib.h>
#include <utf8proc.h>

typedef struct word {
    char *p; /* begins with INGLE_SPACE_MARK */
    size_t n, cap;
} word;

/* The longest token at a time; one place that none covers makes all of it unknown. */
static void emit_word(const ingle_vocab *v, const word *w, ingle_token_sink *sink)
{
    size_t before = sink->n;
    for (size_t i = 0; i < w->n;) {
        const ingle_special *e = ingle_special_longest(&v->words, w->p + i, w->n - i);
        if (!e) {
            sink->n = before;
            ingle_sink_push(sink, v->info.unk);
            return;
        }
        ingle_sink_push(sink, (int32_t)e->id);
        i += e->len;
    }
}

static void end_word(const ingle_vocab *v, word *w, ingle_token_sink *sink)
{
    if (w->n > INGLE_MARK_BYTES) emit_word(v, w, sink);
    w->n = INGLE_MARK_BYTES;
}

static bool is_space(utf8proc_int32_t c, utf8proc_category_t cat)
{
    return (c >= '\t' && c <= '\r') || c == 0x85 || cat == UTF8PROC_CATEGORY_ZS ||
           cat == UTF8PROC_CATEGORY_ZL || cat == UTF8PROC_CATEGORY_ZP;
}

static bool is_left_out(utf8proc_int32_t c, utf8proc_category_t cat)
{
    return c == 0 || c == 0xfffd || cat == UTF8PROC_CATEGORY_CC || cat == UTF8PROC_CATEGORY_CF ||
           cat == UTF8PROC_CATEGORY_CO || cat == UTF8PROC_CATEGORY_CS;
}

static bool is_mark(utf8proc_category_t cat)
{
    return cat == UTF8PROC_CATEGORY_MN || cat == UTF8PROC_CATEGORY_MC ||
           cat == UTF8PROC_CATEGORY_ME;
}

static bool is_punctuation(utf8proc_int32_t c, utf8proc_category_t cat)
{
    if (cat >= UTF8PROC_CATEGORY_PC && cat <= UTF8PROC_CATEGORY_PO) return true;
    return c < 0x7f && cat >= UTF8PROC_CATEGORY_SM && cat <= UTF8PROC_CATEGORY_SO;
}

/* Every ideograph is a word. The gap at U+2B820 is that of the tokenizers models were trained
 * with. */
static bool is_cjk(utf8proc_int32_t c)
{
    static const utf8proc_int32_t ranges[][2] = {
        {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},   {0x20000, 0x2a6df},
        {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1]) return true;
    return false;
}

static utf8proc_int32_t first_part(utf8proc_int32_t c)
{
    utf8proc_int32_t parts[32];
    int last = 0;
    if (c < 0x80) return c;
    utf8proc_ssize_t n = utf8proc_decompose_char(c, parts, 32, UTF8PROC_DECOMPOSE, &last);
    return n >= 1 && n <= 32 ? parts[0] : c;
}

static bool append(word *w, utf8proc_int32_t c)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(c, bytes);
    if (n <= 0 || !ingle_grow(&w->p, &w->cap, w->n + (size_t)n, 1)) return n <= 0;
    memcpy(w->p + w->n, bytes, (size_t)n);
    w->n += (size_t)n;
    return true;
}

/* False without memory. */
static bool take(const ingle_vocab *v, word *w, utf8proc_int32_t c, ingle_token_sink *sink)
{
    if (v->strip_marks) c = first_part(c);
    utf8proc_category_t cat = utf8proc_category(c);
    if (is_space(c, cat)) {
        end_word(v, w, sink);
        return true;
    }
    if (is_left_out(c, cat) || (v->strip_marks && is_mark(cat))) return true;
    bool alone = is_punctuation(c, cat) || is_cjk(c);
    if (alone) end_word(v, w, sink);
    if (!append(w, v->lower ? utf8proc_tolower(c) : c)) return false;
    if (alone) end_word(v, w, sink);
    return true;
}

ingle_status ingle_wordpiece_run(const ingle_vocab *v, const char *p, size_t n,
                                 ingle_token_sink *sink, ingle_error *err)
{
    word w = {0};
    bool ok = ingle_grow(&w.p, &w.cap, 64, 1);
    if (ok) memcpy(w.p, INGLE_SPACE_MARK, w.n = INGLE_MARK_BYTES);
    for (size_t i = 0, len; ok && i < n; i += len) {
        len = ingle_utf8_len(p + i, n - i);
        if (!len) {
            len = 1; /* no character: left out */
            continue;
        }
        ok = take(v, &w, (utf8proc_int32_t)ingle_utf8_code(p + i, len), sink);
    }
    if (ok) end_word(v, &w, sink);
    free(w.p);
    return ok ? INGLE_OK : ingle_fail(err, INGLE_ENOMEM, "tokenize: no memory for %zu bytes", n);
}
