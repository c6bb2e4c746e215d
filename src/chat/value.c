/* value.c - values as models write them, turned into JSON (value.h). */
#include "chat/value.h"

#include <stdio.h>

enum {
    AT_VALUE,      /* a value begins */
    AT_FIRST,      /* the same, or the end of the array */
    AT_KEY,        /* a member's name, or the end of the object */
    AT_COLON,      /* between name and value */
    AT_AFTER,      /* a comma, or the end of what surrounds */
    IN_STRING,     /* between quotes */
    IN_ESCAPE,     /* after a backslash */
    IN_CODE,       /* digits of \u or \x */
    IN_WORD,       /* a number or a literal */
    IN_BARE_KEY,   /* a name without quotes */
    IN_OPEN_QUOTE, /* some bytes of `quote` matched, before a string */
    IN_QUOTED,     /* between two `quote` */
    AT_END
};

void ingle_value_begin(ingle_value *v, const char *quote, bool bare)
{
    v->quote = quote;
    v->bare = bare;
    v->comma = false;
    v->state = AT_VALUE;
    v->high = 0;
    v->depth = 0;
}

void ingle_value_begin_call(ingle_value *v, ingle_bytes *out)
{
    ingle_value_begin(v, NULL, true);
    v->level[v->depth++] = '(';
    v->n_space = 0;
    v->state = AT_KEY;
    ingle_bytes_add(out, '{');
}

void ingle_value_put_inside(char c, ingle_bytes *out)
{
    static const char letters[] = "btn.fr"; /* of 8 to 13 */
    unsigned char u = (unsigned char)c;
    if (c == '"' || c == '\\') ingle_bytes_add(out, '\\');
    if (u >= 0x20) {
        ingle_bytes_add(out, c);
    } else if (u >= 8 && u <= 13 && u != 11) {
        char text[2] = {'\\', letters[u - 8]};
        ingle_bytes_put(out, text, 2);
    } else {
        char text[8];
        snprintf(text, sizeof text, "\\u%04x", u);
        ingle_bytes_put(out, text, 6);
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* What was held back before a value or a name: it goes on. */
static void put_comma(ingle_value *v, ingle_bytes *out)
{
    if (!v->comma) return;
    v->comma = false;
    ingle_bytes_add(out, ',');
    ingle_bytes_put(out, v->space, v->n_space);
}

static ingle_value_result after_value(ingle_value *v)
{
    v->state = v->depth ? AT_AFTER : AT_END;
    return v->depth ? INGLE_VALUE_MORE : INGLE_VALUE_DONE;
}

static ingle_value_result open_level(ingle_value *v, char c, ingle_bytes *out)
{
    if (v->depth == INGLE_VALUE_MAX_DEPTH) return INGLE_VALUE_BAD;
    put_comma(v, out);
    v->level[v->depth++] = c;
    v->state = c == '{' ? AT_KEY : AT_FIRST;
    v->n_space = 0;
    ingle_bytes_add(out, c);
    return INGLE_VALUE_MORE;
}

static ingle_value_result close_level(ingle_value *v, char c, ingle_bytes *out)
{
    char level = v->level[v->depth - 1];
    char want = level == '{' ? '}' : level == '[' ? ']' : ')';
    if (c != want) return INGLE_VALUE_BAD;
    if (v->comma) ingle_bytes_put(out, v->space, v->n_space);
    v->comma = false;
    v->depth--;
    ingle_bytes_add(out, level == '[' ? ']' : '}');
    return after_value(v);
}

static void begin_string(ingle_value *v, char quote, unsigned char after, ingle_bytes *out)
{
    put_comma(v, out);
    v->end = quote;
    v->after_mark = after; /* where it stands: at a value or at a name */
    v->state = IN_STRING;
    ingle_bytes_add(out, '"');
}

static ingle_value_result end_string(ingle_value *v, ingle_bytes *out)
{
    if (v->high) ingle_bytes_text(out, "\\ufffd");
    v->high = 0;
    ingle_bytes_add(out, '"');
    if (v->after_mark != AT_KEY) return after_value(v);
    v->state = AT_COLON;
    return INGLE_VALUE_MORE;
}

static void begin_word(ingle_value *v, char c)
{
    v->state = IN_WORD;
    v->word[0] = c;
    v->n_word = 1;
}

static ingle_value_result at_value(ingle_value *v, char c, ingle_bytes *out)
{
    if (is_space(c)) {
        if (!v->comma) ingle_bytes_add(out, c);
        else if (v->n_space < sizeof v->space) v->space[v->n_space++] = c;
        return INGLE_VALUE_MORE;
    }
    bool first = v->state == AT_FIRST || v->comma; /* [1,] too */
    if (c == '{' || c == '[') return open_level(v, c, out);
    if (c == ']' && first && v->depth) return close_level(v, c, out);
    if (c == '"' || c == '\'') {
        begin_string(v, c, AT_VALUE, out);
    } else if (v->quote && c == v->quote[0]) {
        v->after_mark = AT_VALUE;
        v->i_quote = 1;
        v->state = IN_OPEN_QUOTE;
    } else if (is_alnum(c) || c == '-' || c == '+' || c == '.' ||
               (v->bare && (c == '_' || (unsigned char)c >= 0x80))) {
        begin_word(v, c);
    } else {
        return INGLE_VALUE_BAD;
    }
    return INGLE_VALUE_MORE;
}

static ingle_value_result at_key(ingle_value *v, char c, ingle_bytes *out)
{
    if (is_space(c)) return at_value(v, c, out);
    if (c == '}' || c == ')') return close_level(v, c, out);
    if (c == '"' || c == '\'') {
        begin_string(v, c, AT_KEY, out);
    } else if (v->quote && c == v->quote[0]) {
        v->after_mark = AT_KEY;
        v->i_quote = 1;
        v->state = IN_OPEN_QUOTE;
    } else if (v->bare && (is_alnum(c) || strchr("_$.-", c) || (unsigned char)c >= 0x80) && c) {
        put_comma(v, out);
        ingle_bytes_add(out, '"');
        ingle_bytes_add(out, c);
        v->state = IN_BARE_KEY;
    } else {
        return INGLE_VALUE_BAD;
    }
    return INGLE_VALUE_MORE;
}

static ingle_value_result at_colon(ingle_value *v, char c, ingle_bytes *out)
{
    bool call = v->level[v->depth - 1] == '(';
    if (is_space(c)) {
        ingle_bytes_add(out, c);
        return INGLE_VALUE_MORE;
    }
    if (c != ':' && !(call && c == '=')) return INGLE_VALUE_BAD;
    ingle_bytes_add(out, ':');
    v->state = AT_VALUE;
    return INGLE_VALUE_MORE;
}

static ingle_value_result at_after(ingle_value *v, char c, ingle_bytes *out)
{
    if (is_space(c)) {
        ingle_bytes_add(out, c);
        return INGLE_VALUE_MORE;
    }
    if (c != ',') return close_level(v, c, out);
    v->comma = true;
    v->n_space = 0;
    v->state = v->level[v->depth - 1] == '[' ? AT_VALUE : AT_KEY;
    return INGLE_VALUE_MORE;
}

static ingle_value_result in_bare_key(ingle_value *v, char c, ingle_bytes *out)
{
    if (is_alnum(c) || (c && strchr("_$.-", c)) || (unsigned char)c >= 0x80) {
        ingle_bytes_add(out, c);
        return INGLE_VALUE_MORE;
    }
    ingle_bytes_add(out, '"');
    v->state = AT_COLON;
    return at_colon(v, c, out);
}

/* ---- strings --------------------------------------------------------------------------------- */

static void flush_high(ingle_value *v, ingle_bytes *out)
{
    if (v->high) ingle_bytes_text(out, "\\ufffd");
    v->high = 0;
}

static ingle_value_result in_string(ingle_value *v, char c, ingle_bytes *out)
{
    if (c == '\\') {
        v->state = IN_ESCAPE;
        return INGLE_VALUE_MORE;
    }
    flush_high(v, out);
    if (c == v->end) return end_string(v, out);
    ingle_value_put_inside(c, out);
    return INGLE_VALUE_MORE;
}

static ingle_value_result in_escape(ingle_value *v, char c, ingle_bytes *out)
{
    v->state = IN_STRING;
    if (c == 'u' || c == 'x') {
        v->state = IN_CODE;
        v->code = 0;
        v->n_code = 0;
        v->n_code_max = c == 'u' ? 4 : 2;
        return INGLE_VALUE_MORE;
    }
    flush_high(v, out);
    if (c && strchr("\"\\/bfnrt", c)) {
        char text[2] = {'\\', c};
        ingle_bytes_put(out, text, 2);
    } else if (c == '\'') {
        ingle_bytes_add(out, c);
    } else {
        ingle_bytes_text(out, "\\\\");
        ingle_value_put_inside(c, out);
    }
    return INGLE_VALUE_MORE;
}

/* A half of a pair waits for the other one; without it, it is U+FFFD. */
static void put_code(ingle_value *v, ingle_bytes *out)
{
    char text[16];
    uint16_t code = v->code;
    if (v->high && code >= 0xdc00 && code <= 0xdfff) {
        snprintf(text, sizeof text, "\\u%04x\\u%04x", v->high, code);
        ingle_bytes_text(out, text);
        v->high = 0;
        return;
    }
    flush_high(v, out);
    if (code >= 0xd800 && code <= 0xdbff) {
        v->high = code;
        return;
    }
    snprintf(text, sizeof text, "\\u%04x", code >= 0xdc00 && code <= 0xdfff ? 0xfffd : code);
    ingle_bytes_text(out, text);
}

static ingle_value_result in_code(ingle_value *v, char c, ingle_bytes *out)
{
    v->state = IN_STRING;
    if (!is_hex(c)) { /* no code at all: the characters themselves */
        static const char digits[] = "0123456789abcdef";
        flush_high(v, out);
        ingle_bytes_text(out, "\\\\");
        ingle_bytes_add(out, v->n_code_max == 4 ? 'u' : 'x');
        for (unsigned i = v->n_code; i--;) ingle_bytes_add(out, digits[v->code >> (4 * i) & 15]);
        return in_string(v, c, out);
    }
    int digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
    v->code = (uint16_t)(v->code << 4 | digit);
    if (++v->n_code < v->n_code_max) v->state = IN_CODE;
    else put_code(v, out);
    return INGLE_VALUE_MORE;
}

static ingle_value_result in_open_quote(ingle_value *v, char c, ingle_bytes *out)
{
    if (c != v->quote[v->i_quote]) return INGLE_VALUE_BAD;
    if (v->quote[++v->i_quote]) return INGLE_VALUE_MORE;
    begin_string(v, 0, v->after_mark, out);
    v->i_quote = 0;
    v->state = IN_QUOTED;
    return INGLE_VALUE_MORE;
}

static ingle_value_result in_quoted(ingle_value *v, char c, ingle_bytes *out)
{
    if (c == v->quote[v->i_quote]) {
        if (v->quote[++v->i_quote]) return INGLE_VALUE_MORE;
        return end_string(v, out);
    }
    for (unsigned i = 0; i < v->i_quote; i++) ingle_value_put_inside(v->quote[i], out);
    v->i_quote = c == v->quote[0];
    if (!v->i_quote) ingle_value_put_inside(c, out);
    return INGLE_VALUE_MORE;
}

/* ---- numbers and literals -------------------------------------------------------------------- */

/* Digits from *p on; false: there are none. */
static bool digits(const char **p, const char *end)
{
    const char *from = *p;
    while (*p < end && is_digit(**p)) ++*p;
    return *p > from;
}

/* A number as JSON has it, after what is put right: a plus sign, no digit before or after the
 * point, zeros in front. False: it is no number. */
static bool put_number(const char *p, size_t n, ingle_bytes *out)
{
    char text[INGLE_VALUE_WORD_MAX + 8];
    size_t len = 0;
    const char *end = p + n, *from;
    if (*p == '-') text[len++] = '-';
    if (*p == '-' || *p == '+') p++;
    from = p;
    bool whole = digits(&p, end), part = false;
    while (p - from > 1 && *from == '0') from++;
    if (!whole) text[len++] = '0';
    memcpy(text + len, from, (size_t)(p - from));
    len += (size_t)(p - from);
    if (p < end && *p == '.') {
        from = p++;
        part = digits(&p, end);
        memcpy(text + len, from, (size_t)(p - from));
        len += (size_t)(p - from);
        if (!part) text[len++] = '0';
    }
    if (!whole && !part) return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        from = p++;
        if (p < end && (*p == '-' || *p == '+')) p++;
        if (!digits(&p, end)) return false;
        memcpy(text + len, from, (size_t)(p - from));
        len += (size_t)(p - from);
    }
    if (p < end) return false;
    ingle_bytes_put(out, text, len);
    return true;
}

static bool put_literal(const char *p, size_t n, ingle_bytes *out)
{
    static const char *const words[][2] = {{"true", "true"}, {"false", "false"}, {"null", "null"},
                                           {"True", "true"}, {"False", "false"}, {"None", "null"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i][0]) == n && !memcmp(p, words[i][0], n)) {
            ingle_bytes_text(out, words[i][1]);
            return true;
        }
    return false;
}

static bool end_word(ingle_value *v, ingle_bytes *out)
{
    size_t n = out->n;
    put_comma(v, out);
    if (put_literal(v->word, v->n_word, out) || put_number(v->word, v->n_word, out)) return true;
    if (v->bare && v->quote) { /* text whose quotes are missing */
        ingle_bytes_add(out, '"');
        for (unsigned i = 0; i < v->n_word; i++) ingle_value_put_inside(v->word[i], out);
        ingle_bytes_add(out, '"');
        return true;
    }
    out->n = n;
    return false;
}

static ingle_value_result in_word(ingle_value *v, char c, ingle_bytes *out)
{
    if (is_alnum(c) || (c && strchr("+-._", c)) || (v->bare && (unsigned char)c >= 0x80)) {
        bool inside = ((unsigned char)c & 0xc0) == 0x80; /* of a character */
        if (v->n_word >= INGLE_VALUE_WORD_MAX - (inside ? 0 : 4)) return INGLE_VALUE_BAD;
        v->word[v->n_word++] = c;
        return INGLE_VALUE_MORE;
    }
    if (!end_word(v, out)) return INGLE_VALUE_BAD;
    if (after_value(v) == INGLE_VALUE_DONE) return INGLE_VALUE_ENDED;
    return at_after(v, c, out);
}

ingle_value_result ingle_value_step(ingle_value *v, char c, ingle_bytes *out)
{
    switch (v->state) {
    case AT_VALUE:
    case AT_FIRST: return at_value(v, c, out);
    case AT_KEY: return at_key(v, c, out);
    case AT_COLON: return at_colon(v, c, out);
    case AT_AFTER: return at_after(v, c, out);
    case IN_STRING: return in_string(v, c, out);
    case IN_ESCAPE: return in_escape(v, c, out);
    case IN_CODE: return in_code(v, c, out);
    case IN_WORD: return in_word(v, c, out);
    case IN_BARE_KEY: return in_bare_key(v, c, out);
    case IN_OPEN_QUOTE: return in_open_quote(v, c, out);
    case IN_QUOTED: return in_quoted(v, c, out);
    default: return INGLE_VALUE_ENDED;
    }
}

bool ingle_value_end(ingle_value *v, ingle_bytes *out)
{
    if (v->state == IN_WORD && !v->depth && end_word(v, out)) v->state = AT_END;
    return v->state == AT_END;
}
