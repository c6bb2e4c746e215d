/* jinja_string.c - see jinja_string.h. */
#include "chat/jinja_string.h"

#include "chat/jinja_show.h"
#include "chat/jinja_text.h"

#include <utf8proc.h>

/* ---- case ------------------------------------------------------------------------------------ */

static bool is_cased(uint32_t c)
{
    utf8proc_int32_t x = (utf8proc_int32_t)c;
    return utf8proc_toupper(x) != x || utf8proc_tolower(x) != x;
}

/* Python has 'SS' for the upper case of U+00DF; other characters that become several are rare. */
static bool put_case(jinja_render *r, uint32_t c, bool upper, bool title, bool trusted)
{
    char bytes[4];
    if (c == 0xdf && upper) return ingle_jinja_put_text(r, title ? "Ss" : "SS", trusted);
    utf8proc_int32_t x = (utf8proc_int32_t)c;
    x = title ? utf8proc_totitle(x) : upper ? utf8proc_toupper(x) : utf8proc_tolower(x);
    return ingle_jinja_put(r, bytes, ingle_jinja_encode((uint32_t)x, bytes), trusted);
}

bool ingle_jinja_change_case(jinja_render *r, const jinja_str *s, jinja_case what, jinja_value *out)
{
    jinja_cut cut = ingle_jinja_text_begin(r);
    bool in_word = false;
    for (size_t i = 0, len; i < s->n; i += len) {
        bool trusted;
        len = ingle_jinja_char_len(s->p + i, s->n - i);
        uint32_t c = ingle_utf8_code(s->p + i, len);
        ingle_jinja_str_run(s, i, &trusted);
        bool first = what == JINJA_CAPITALIZE ? i == 0 : what == JINJA_TITLE && !in_word;
        bool upper = what == JINJA_UPPER || first;
        if (what == JINJA_SWAP)
            upper = utf8proc_toupper((utf8proc_int32_t)c) != (utf8proc_int32_t)c;
        in_word = is_cased(c);
        if (!put_case(r, c, upper, first, trusted)) return false;
    }
    return ingle_jinja_burn(r, s->n / 2) && ingle_jinja_text_end(r, cut, out);
}

bool ingle_jinja_has_case(const jinja_str *s, bool upper)
{
    bool any = false;
    for (size_t i = 0, len; i < s->n; i += len) {
        len = ingle_jinja_char_len(s->p + i, s->n - i);
        utf8proc_int32_t x = (utf8proc_int32_t)ingle_utf8_code(s->p + i, len);
        if ((upper ? utf8proc_tolower(x) : utf8proc_toupper(x)) != x) any = true;
        else if ((upper ? utf8proc_toupper(x) : utf8proc_tolower(x)) != x) return false;
    }
    return any;
}

/* ---- strip and replace ----------------------------------------------------------------------- */

static bool is_in(const jinja_str *chars, const char *p, size_t len)
{
    return ingle_jinja_str_find(chars, 0, p, len) != SIZE_MAX;
}

bool ingle_jinja_strip(jinja_render *r, const jinja_str *s, const jinja_str *chars, unsigned sides,
                       jinja_value *out)
{
    size_t from = 0, to = s->n, len;
    if (sides & 1 && !chars) from = ingle_jinja_leading_space(s->p, s->n);
    if (sides & 2 && !chars) to = from + ingle_jinja_without_trailing_space(s->p + from, to - from);
    for (; chars && sides & 1 && from < to; from += len) {
        len = ingle_jinja_char_len(s->p + from, to - from);
        if (!ingle_jinja_burn(r, 1 + chars->n / 64)) return false;
        if (!is_in(chars, s->p + from, len)) break;
    }
    for (; chars && sides & 2 && from < to; to -= len) {
        for (len = 1; len < 4 && len < to - from && (s->p[to - len] & 0xc0) == 0x80;) len++;
        if (!ingle_jinja_burn(r, 1 + chars->n / 64)) return false;
        if (!is_in(chars, s->p + to - len, len)) break;
    }
    return ingle_jinja_burn(r, (s->n - (to - from)) / 16) &&
           ingle_jinja_str_part(r, s, from, to, out);
}

/* `with` between all characters. */
static bool spread(jinja_render *r, const jinja_str *s, const jinja_str *with, int64_t n)
{
    size_t i = 0;
    for (; n != 0; n--) {
        size_t len = i < s->n ? ingle_jinja_char_len(s->p + i, s->n - i) : 0;
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_put_str(r, with) ||
            !ingle_jinja_put_part(r, s, i, i + len))
            return false;
        i += len;
        if (!len) return true;
    }
    return ingle_jinja_put_part(r, s, i, s->n);
}

bool ingle_jinja_replace(jinja_render *r, const jinja_str *s, const jinja_str *old,
                         const jinja_str *with, int64_t n, jinja_value *out)
{
    jinja_cut cut = ingle_jinja_text_begin(r);
    size_t from = 0;
    if (!ingle_jinja_burn(r, s->n / 16)) return false;
    if (!old->n) return spread(r, s, with, n) && ingle_jinja_text_end(r, cut, out);
    for (; n != 0; n--) {
        size_t at = ingle_jinja_str_find(s, from, old->p, old->n);
        if (at == SIZE_MAX) break;
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_put_part(r, s, from, at) ||
            !ingle_jinja_put_str(r, with))
            return false;
        from = at + old->n;
    }
    return ingle_jinja_put_part(r, s, from, s->n) && ingle_jinja_text_end(r, cut, out);
}

/* ---- lines and lists ------------------------------------------------------------------------- */

bool ingle_jinja_indent(jinja_render *r, const jinja_str *s, const jinja_str *with, bool first,
                        bool blank, jinja_value *out)
{
    jinja_cut cut = ingle_jinja_text_begin(r);
    for (size_t from = 0, line = 0; from <= s->n; line++) {
        const char *end = memchr(s->p + from, '\n', s->n - from);
        size_t to = end ? (size_t)(end - s->p) : s->n;
        bool wanted = line ? blank || to > from : first;
        if (!ingle_jinja_burn(r, 1) || (wanted && !ingle_jinja_put_str(r, with)) ||
            !ingle_jinja_put_part(r, s, from, to + (end != NULL)))
            return false;
        from = to + 1;
    }
    return ingle_jinja_text_end(r, cut, out);
}

bool ingle_jinja_join(jinja_render *r, const jinja_list *l, const jinja_str *with, bool strict,
                      jinja_value *out)
{
    jinja_cut cut = ingle_jinja_text_begin(r);
    for (uint32_t i = 0; i < l->n; i++) {
        if (strict && l->item[i].kind != JINJA_STR)
            return JINJA_REFUSE(r, "sequence item %u: expected str instance, %s found", (unsigned)i,
                                ingle_jinja_type_name(&l->item[i]));
        if (!ingle_jinja_burn(r, 1) || (i && !ingle_jinja_put_str(r, with)) ||
            !ingle_jinja_put_value(r, &l->item[i]))
            return false;
    }
    return ingle_jinja_text_end(r, cut, out);
}
