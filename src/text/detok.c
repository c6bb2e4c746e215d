/* detok.c - tokens back to bytes. */
#include "base/sink.h"
#include "text/vocab.h"

#include <stdlib.h>

/* What the flags ask for. ADD_SPECIAL and PARSE_SPECIAL (and no flag at all) undo tokenizing with
 * the same flags; REMOVE_SPECIAL and UNPARSE_SPECIAL alone keep the spaces that were put after
 * special tokens, as other engines do. */
typedef struct plan {
    bool show_hidden; /* control and unknown tokens as their text */
    bool undo_spaces; /* the space put after each special token and at the start is taken away */
    bool first_space; /* only a space at the very start is taken away */
    bool goes_on;     /* there is no space put at the very start */
} plan;

static plan make_plan(const ingle_vocab *v, unsigned flags, bool bos_dropped)
{
    bool other = flags & (INGLE_REMOVE_SPECIAL | INGLE_UNPARSE_SPECIAL) &&
                 !(flags & (INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL));
    return (plan){
        .show_hidden = flags & (INGLE_PARSE_SPECIAL | INGLE_UNPARSE_SPECIAL),
        .undo_spaces = v->add_space && !other,
        .first_space = v->add_space && other && !bos_dropped,
        .goes_on = flags & INGLE_CONTINUE,
    };
}

static void write_tokens(const ingle_vocab *v, const int32_t *tokens, size_t n, plan how,
                         ingle_sink *o)
{
    bool strip = (how.first_space || how.undo_spaces) && !how.goes_on;
    for (size_t i = 0; i < n; i++) {
        unsigned attr = v->attrs[tokens[i]];
        const char *p = v->pieces.data + v->pieces.at[tokens[i]];
        size_t len = v->pieces.at[tokens[i] + 1] - v->pieces.at[tokens[i]];
        bool is_special = attr & INGLE_TOK_SPECIAL;
        if (attr & INGLE_TOK_HIDDEN && !how.show_hidden) len = 0;
        if (strip && len && *p == ' ' && (how.first_space || !is_special)) {
            p++;
            len--;
        }
        ingle_sink_put(o, p, len);
        strip = how.undo_spaces && is_special;
    }
}

/* ---- the space clean-up ------------------------------------------------------------------------
 */

/* " ?" " !" " ." " ," lose their space. */
static size_t clean_marks(char *s, size_t n)
{
    size_t m = 0;
    char before = 0;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (before == ' ' && (c == '?' || c == '!' || c == '.' || c == ',')) m--;
        s[m++] = before = c;
    }
    return m;
}

/* " ' " becomes "'". */
static size_t clean_quotes(char *s, size_t n)
{
    size_t m = 0;
    char before = 0;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (c == '\'' && before == ' ' && i + 1 < n && s[i + 1] == ' ') {
            s[m - 1] = c;
            i++;
            before = 0;
            continue;
        }
        s[m++] = before = c;
    }
    return m;
}

/* " 's" " 'm" " 're" " 've" lose their space. */
static size_t clean_contractions(char *s, size_t n)
{
    size_t m = 0;
    char before = 0;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (before == ' ' && c == '\'' && i + 1 < n) {
            char c1 = s[i + 1], c2 = i + 2 < n ? s[i + 2] : 0;
            if (c1 == 's' || c1 == 'm' || ((c1 == 'r' || c1 == 'v') && c2 == 'e')) m--;
        }
        s[m++] = before = c;
    }
    return m;
}

static ingle_status write_clean(const ingle_vocab *v, const int32_t *tokens, size_t n, plan how,
                                ingle_sink *o, ingle_error *err)
{
    ingle_sink all = {0};
    write_tokens(v, tokens, n, how, &all);
    all = (ingle_sink){malloc(all.n + 1), all.n, 0};
    if (!all.out)
        return ingle_fail(err, INGLE_ENOMEM, "detokenize: no memory for %zu bytes", all.cap);
    write_tokens(v, tokens, n, how, &all);
    ingle_sink_put(o, all.out,
                   clean_contractions(all.out, clean_quotes(all.out, clean_marks(all.out, all.n))));
    free(all.out);
    return INGLE_OK;
}

static ingle_status check(const ingle_vocab *v, const int32_t *tokens, size_t n, unsigned flags,
                          ingle_error *err)
{
    const unsigned known = INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL | INGLE_REMOVE_SPECIAL |
                           INGLE_UNPARSE_SPECIAL | INGLE_CLEAN_SPACES | INGLE_CONTINUE;
    if (flags & ~known)
        return ingle_fail(err, INGLE_EINVAL, "detokenize: unknown flags 0x%x", flags & ~known);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= v->n_tokens)
            return ingle_fail(err, INGLE_EINVAL, "tokens[%zu]: %d of a vocabulary of %u", i,
                              tokens[i], v->n_tokens);
    return INGLE_OK;
}

ingle_status ingle_vocab_detokenize(const ingle_vocab *v, const int32_t *tokens, size_t n,
                                    unsigned flags, char *text, size_t cap, size_t *len,
                                    ingle_error *err)
{
    *len = 0;
    if (!v) return ingle_fail(err, INGLE_ECLOSED, "vocabulary is NULL");
    if ((!tokens && n) || (!text && cap))
        return ingle_fail(err, INGLE_EINVAL, "detokenize: tokens or text is NULL");
    ingle_status st = check(v, tokens, n, flags, err);
    if (st) return st;
    bool ends = flags & (INGLE_ADD_SPECIAL | INGLE_REMOVE_SPECIAL);
    bool bos = ends && v->info.add_bos && n && tokens[0] == v->info.bos;
    tokens += bos;
    n -= bos;
    if (ends && v->info.add_eos && n && tokens[n - 1] == v->info.eos) n--;
    if (ends && v->info.add_sep && n && tokens[n - 1] == v->info.sep) n--;
    plan how = make_plan(v, flags, bos);
    ingle_sink o = {text, cap, 0};
    if (flags & INGLE_CLEAN_SPACES && v->clean) st = write_clean(v, tokens, n, how, &o, err);
    else write_tokens(v, tokens, n, how, &o);
    if (st) return st;
    *len = o.n;
    if (o.n > cap)
        return ingle_fail(err, INGLE_ERANGE, "detokenize: %zu bytes, room for %zu", o.n, cap);
    return INGLE_OK;
}

/* A text loses bytes on its way, but for a space before a word, or what stands for the unknown. */
size_t ingle_vocab_longest(const ingle_vocab *v)
{
    return v->max_text + 8u;
}

ingle_status ingle_vocab_piece(const ingle_vocab *v, int32_t id, unsigned flags, char *text,
                               size_t cap, size_t *len, ingle_error *err)
{
    *len = 0;
    if (!v) return ingle_fail(err, INGLE_ECLOSED, "vocabulary is NULL");
    if (!text && cap) return ingle_fail(err, INGLE_EINVAL, "piece: text is NULL");
    ingle_status st = check(v, &id, 1, flags, err);
    if (st) return st;
    ingle_sink o = {text, cap, 0};
    write_tokens(v, &id, 1, (plan){.show_hidden = flags & INGLE_UNPARSE_SPECIAL}, &o);
    *len = o.n;
    if (o.n > cap) return ingle_fail(err, INGLE_ERANGE, "piece: %zu bytes, room for %zu", o.n, cap);
    return INGLE_OK;
}
