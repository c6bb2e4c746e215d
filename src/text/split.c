/* split.c - runs a pre-tokenizer rule over text. */
#include "base/utf8.h"
#include "text/vocab.h"

#include <stdlib.h>
#include <utf8proc.h>

const char INGLE_CUT_NUMBERS[] = "numbers in threes from the right";
const char INGLE_CUT_DIGITS[] = "ASCII digits in threes from the right";
const char INGLE_CUT_DIGITS_B[] = "decimal digits before a word boundary in threes from the right";
const char INGLE_CUT_SPACES[] = "white space in powers of two";

/* PCRE2 counts a step per backtrack; our patterns need less than a few per byte of a word. */
#define MATCH_LIMIT (1u << 30)
#define HEAP_LIMIT  (256u << 10) /* KiB, for the interpreter where there is no JIT */

/* PCRE2's memory goes through our own calls, so that it is seen to fail in tests like the rest. */
static void *pcre_alloc(size_t n, void *data)
{
    (void)data;
    return malloc(n);
}

static void pcre_free(void *p, void *data)
{
    (void)data;
    free(p);
}

static bool is_builtin(const char *stage)
{
    return stage == INGLE_CUT_NUMBERS || stage == INGLE_CUT_DIGITS || stage == INGLE_CUT_DIGITS_B ||
           stage == INGLE_CUT_SPACES;
}

static ingle_status compile(ingle_splitter *s, int i, const char *pattern, ingle_error *err)
{
    int code;
    PCRE2_SIZE at, bytes;
    pcre2_compile_context *ctx = pcre2_compile_context_create(s->memory);
    if (!ctx) return ingle_fail(err, INGLE_ENOMEM, "pre-tokenizer: no memory");
    s->code[i] =
        pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, ctx);
    pcre2_compile_context_free(ctx);
    if (!s->code[i] && code == PCRE2_ERROR_HEAP_FAILED)
        return ingle_fail(err, INGLE_ENOMEM, "pre-tokenizer: no memory for pattern %d", i + 1);
    if (!s->code[i])
        return ingle_fail(err, INGLE_EUNSUPPORTED,
                          "pre-tokenizer: pattern %d, byte %zu: PCRE2 error %d", i + 1, (size_t)at,
                          code);
    s->jit[i] = pcre2_jit_compile(s->code[i], PCRE2_JIT_COMPLETE) == 0;
    if (pcre2_pattern_info(s->code[i], PCRE2_INFO_SIZE, &bytes) == 0) s->heap_bytes += bytes;
    if (pcre2_pattern_info(s->code[i], PCRE2_INFO_JITSIZE, &bytes) == 0) s->heap_bytes += bytes;
    return INGLE_OK;
}

ingle_status ingle_splitter_open(ingle_splitter *s, const ingle_pretok_rule *rule, ingle_error *err)
{
    *s = (ingle_splitter){0};
    ingle_status st = INGLE_ENOMEM;
    s->memory = pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
    if (!s->memory) goto no_memory;
    s->limits = pcre2_match_context_create(s->memory);
    if (!s->limits) goto no_memory;
    pcre2_set_match_limit(s->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(s->limits, HEAP_LIMIT);
    for (int i = 0; i < INGLE_PRETOK_STAGES && rule->stages[i]; i++, s->n_stages++) {
        if (is_builtin(rule->stages[i])) {
            s->builtin[i] = rule->stages[i];
        } else {
            st = compile(s, i, rule->stages[i], err);
            if (st) goto fail;
        }
    }
    return INGLE_OK;
no_memory:
    st = ingle_fail(err, INGLE_ENOMEM, "pre-tokenizer: no memory");
fail:
    ingle_splitter_close(s);
    return st;
}

void ingle_splitter_close(ingle_splitter *s)
{
    for (int i = 0; i < INGLE_PRETOK_STAGES; i++)
        if (s->code[i]) pcre2_code_free(s->code[i]);
    if (s->limits) pcre2_match_context_free(s->limits);
    if (s->memory) pcre2_general_context_free(s->memory);
    *s = (ingle_splitter){0};
}

pcre2_match_data *ingle_splitter_match(const ingle_splitter *s)
{
    return pcre2_match_data_create(1, s->memory);
}

/* ---- the cuts written in C ---------------------------------------------------------------------
 */

typedef struct run {
    const ingle_splitter *s;
    pcre2_match_data *match;
    ingle_word_fn *fn;
    void *arg;
    ingle_error *err;
} run;

static ingle_status cut(const run *r, int i_stage, const char *p, size_t n);

static uint32_t char_at(const char *p, size_t n, size_t *len)
{
    *len = ingle_utf8_len(p, n);
    if (*len) return ingle_utf8_code(p, *len);
    *len = 1;
    return 0xfffd;
}

static bool is_number(uint32_t c, const char *how)
{
    if (c < 0x80) return c >= '0' && c <= '9';
    if (how == INGLE_CUT_DIGITS) return false;
    utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)c);
    return cat == UTF8PROC_CATEGORY_ND ||
           (how == INGLE_CUT_NUMBERS &&
            (cat == UTF8PROC_CATEGORY_NL || cat == UTF8PROC_CATEGORY_NO));
}

/* \w: letters, marks, numbers, connectors. */
static bool is_word(uint32_t c)
{
    utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)c);
    return (cat >= UTF8PROC_CATEGORY_LU && cat <= UTF8PROC_CATEGORY_NO) ||
           cat == UTF8PROC_CATEGORY_PC;
}

/* The numbers p[0..n), n_chars characters: 1 to 3 first, then threes. */
static ingle_status cut_run(const run *r, int i_stage, const char *p, size_t n, size_t n_chars)
{
    size_t from = 0, at = 0;
    for (size_t left = n_chars; left;) {
        size_t take = left % 3 ? left % 3 : 3, len;
        left -= take;
        for (; take; take--, at += len) (void)char_at(p + at, n - at, &len);
        ingle_status st = cut(r, i_stage + 1, p + from, at - from);
        if (st) return st;
        from = at;
    }
    return INGLE_OK;
}

static ingle_status cut_numbers(const run *r, int i_stage, const char *p, size_t n, const char *how)
{
    ingle_status st = INGLE_OK;
    size_t from = 0, len;
    for (size_t i = 0; i < n && !st;) {
        if (!is_number(char_at(p + i, n - i, &len), how)) {
            i += len;
            continue;
        }
        size_t end = i + len, n_chars = 1;
        for (; end < n && is_number(char_at(p + end, n - end, &len), how); end += len) n_chars++;
        bool boundary =
            how != INGLE_CUT_DIGITS_B || end == n || !is_word(char_at(p + end, n - end, &len));
        if (boundary) {
            if (i > from) st = cut(r, i_stage + 1, p + from, i - from);
            if (!st) st = cut_run(r, i_stage, p + i, end - i, n_chars);
            from = end;
        }
        i = end;
    }
    return !st && from < n ? cut(r, i_stage + 1, p + from, n - from) : st;
}

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

static ingle_status cut_spaces(const run *r, int i_stage, const char *p, size_t n)
{
    size_t n_chars = 0, len;
    for (size_t i = 0; i < n; i += len, n_chars++) {
        uint32_t c = char_at(p + i, n - i, &len);
        if (!is_space(c) || c == '\r' || c == '\n') return cut(r, i_stage + 1, p, n);
    }
    for (size_t i = 0, step = 512; n_chars;) {
        while (step > n_chars) step /= 2;
        size_t from = i;
        for (size_t k = 0; k < step; k++, i += len) (void)char_at(p + i, n - i, &len);
        ingle_status st = cut(r, i_stage + 1, p + from, i - from);
        if (st) return st;
        n_chars -= step;
    }
    return INGLE_OK;
}

/* ---- patterns ----------------------------------------------------------------------------------
 */

static ingle_status give_up(const run *r, int i_stage, int code)
{
    if (code == PCRE2_ERROR_NOMEMORY)
        return ingle_fail(r->err, INGLE_ENOMEM, "tokenize: no memory for matching");
    return ingle_fail(
        r->err, INGLE_EUNSUPPORTED,
        "tokenize: pattern %d of the pre-tokenizer gives up on the text (PCRE2 error %d)",
        i_stage + 1, code);
}

/* The JIT has a small stack; what does not fit runs in the interpreter. */
static int next_match(const run *r, int i_stage, const char *p, size_t n, size_t from)
{
    const ingle_splitter *s = r->s;
    if (s->jit[i_stage]) {
        int rc = pcre2_jit_match(s->code[i_stage], (PCRE2_SPTR)p, n, from, 0, r->match, s->limits);
        if (rc != PCRE2_ERROR_JIT_STACKLIMIT) return rc;
    }
    return pcre2_match(s->code[i_stage], (PCRE2_SPTR)p, n, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                       r->match, s->limits);
}

static ingle_status cut_pattern(const run *r, int i_stage, const char *p, size_t n)
{
    const size_t *found = pcre2_get_ovector_pointer(r->match);
    for (size_t from = 0; from < n;) {
        int rc = next_match(r, i_stage, p, n, from);
        size_t start = n, end = n;
        if (rc >= 0) {
            start = found[0];
            end = found[1];
        } else if (rc != PCRE2_ERROR_NOMATCH) {
            return give_up(r, i_stage, rc);
        }
        ingle_status st = start > from ? cut(r, i_stage + 1, p + from, start - from) : INGLE_OK;
        if (!st && end > start) st = cut(r, i_stage + 1, p + start, end - start);
        if (st) return st;
        from = end;
    }
    return INGLE_OK;
}

/* Depth is the number of stages, not of anything in the text. */
static ingle_status cut(const run *r, int i_stage, const char *p, size_t n)
{
    if (i_stage == r->s->n_stages) return r->fn(r->arg, p, n) ? INGLE_OK : INGLE_ECANCELLED;
    const char *how = r->s->builtin[i_stage];
    if (!how) return cut_pattern(r, i_stage, p, n);
    if (how == INGLE_CUT_SPACES) return cut_spaces(r, i_stage, p, n);
    return cut_numbers(r, i_stage, p, n, how);
}

ingle_status ingle_splitter_run(const ingle_splitter *s, pcre2_match_data *match, const char *text,
                                size_t len, ingle_word_fn *fn, void *arg, ingle_error *err)
{
    run r = {s, match, fn, arg, err};
    return cut(&r, 0, text, len);
}
