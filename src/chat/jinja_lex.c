/* jinja_lex.c - see jinja_lex.h. */
#include "chat/jinja_lex.h"

#include "chat/jinja_text.h"

#include <stdio.h>

typedef struct lexer {
    jinja_tokens *t;
    const char *p; /* the text; a NUL follows it */
    size_t n, at;
    uint32_t line;
    bool line_starts; /* what was read last ended a line */
    size_t n_open, cap_open;
    char *open; /* brackets that are open in this tag */
    ingle_error *err;
} lexer;

static ingle_status fail(const lexer *l, const char *what)
{
    return ingle_fail(l->err, INGLE_EFORMAT, "line %u: %s", (unsigned)l->line, what);
}

static ingle_status fail_memory(const lexer *l)
{
    return ingle_fail(l->err, INGLE_ENOMEM, "no memory for a template of %zu bytes", l->n);
}

static ingle_status add(lexer *l, jinja_token_kind kind, size_t at, size_t n)
{
    jinja_tokens *t = l->t;
    if (t->n == t->cap && !ingle_grow(&t->token, &t->cap, t->n + 1, sizeof *t->token))
        return fail_memory(l);
    t->token[t->n++] = (jinja_token){(uint32_t)kind, (uint32_t)at, (uint32_t)n, l->line};
    return INGLE_OK;
}

static void go_to(lexer *l, size_t at)
{
    for (; l->at < at; l->at++) l->line += l->p[l->at] == '\n';
}

static bool is_at(const lexer *l, size_t at, const char *text)
{
    size_t n = strlen(text);
    return l->n - at >= n && !memcmp(l->p + at, text, n);
}

static size_t skip_space(const lexer *l, size_t at)
{
    return at + ingle_jinja_leading_space(l->p + at, l->n - at);
}

/* ---- text between tags ----------------------------------------------------------------------- */

/* Text before a tag with this sign: '-' takes all white space away; without '+', a tag that is no
 * print takes the blanks that begin its line. */
static size_t strip_before(const lexer *l, size_t from, size_t to, char sign, bool blanks)
{
    if (sign == '-') return from + ingle_jinja_without_trailing_space(l->p + from, to - from);
    if (sign == '+' || !blanks) return to;
    size_t line = to;
    while (line > from && l->p[line - 1] != '\n') line--;
    if (line == from && !l->line_starts) return to;
    return ingle_jinja_without_trailing_space(l->p + line, to - line) ? to : line;
}

static char sign_at(const lexer *l, size_t at)
{
    return at < l->n && (l->p[at] == '-' || l->p[at] == '+') ? l->p[at] : 0;
}

/* After the end of a tag or a comment, at `at`: its white space, with '-', or one end of line. */
static void end_tag(lexer *l, size_t at, bool all)
{
    size_t to = all ? skip_space(l, at) : at + (at < l->n && l->p[at] == '\n');
    go_to(l, to);
    l->line_starts = to > 0 && l->p[to - 1] == '\n';
}

static ingle_status read_comment(lexer *l, size_t begin)
{
    for (size_t at = begin; at + 1 < l->n; at++) {
        if (l->p[at] != '#' || l->p[at + 1] != '}') continue;
        end_tag(l, at + 2, at > begin && l->p[at - 1] == '-');
        return INGLE_OK;
    }
    return fail(l, "a comment that does not end: '#}' is missing");
}

/* {% NAME %} at `at`: where it ends; 0 if it is not there. */
static size_t match_tag(const lexer *l, size_t at, const char *name, char *sign, bool *all)
{
    if (!is_at(l, at, "{%")) return 0;
    *sign = sign_at(l, at + 2);
    at = skip_space(l, at + 2 + (*sign != 0));
    if (!is_at(l, at, name)) return 0;
    at = skip_space(l, at + strlen(name));
    *all = is_at(l, at, "-%}");
    if (!*all && !is_at(l, at, "%}") && !is_at(l, at, "+%}")) return 0;
    return at + (is_at(l, at, "%}") ? 2 : 3);
}

/* What follows {% raw %}. */
static ingle_status read_raw(lexer *l, size_t begin, bool all)
{
    char sign;
    bool all_after;
    go_to(l, all ? skip_space(l, begin) : begin);
    l->line_starts = l->p[l->at - 1] == '\n';
    for (size_t at = l->at; at < l->n; at++) {
        if (l->p[at] != '{') continue;
        size_t end = match_tag(l, at, "endraw", &sign, &all_after);
        if (!end) continue;
        size_t to = strip_before(l, l->at, at, sign, true);
        ingle_status st = to > l->at ? add(l, JINJA_T_DATA, l->at, to - l->at) : INGLE_OK;
        bool newline = !all_after && l->p[end - 3] != '+';
        if (newline || all_after) end_tag(l, end, all_after);
        else go_to(l, end);
        return st;
    }
    return fail(l, "'{% raw %}' without '{% endraw %}'");
}

/* ---- inside a tag ---------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Digits with single underscores between. */
static size_t skip_digits(const lexer *l, size_t at)
{
    while (at < l->n && (is_digit(l->p[at]) || (l->p[at] == '_' && is_digit(l->p[at - 1]) &&
                                                at + 1 < l->n && is_digit(l->p[at + 1]))))
        at++;
    return at;
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t skip_based(const lexer *l, size_t at, char base)
{
    for (;; at++) {
        size_t digit = at + (l->p[at] == '_');
        char c = digit < l->n ? l->p[digit] : 0;
        bool ok = base == 'x'   ? is_hex(c)
                  : base == 'o' ? c >= '0' && c <= '7'
                                : c == '0' || c == '1';
        if (!ok) return at;
        at = digit;
    }
}

static ingle_status read_number(lexer *l)
{
    size_t begin = l->at, at = skip_digits(l, begin);
    bool after_dot = begin > 0 && l->p[begin - 1] == '.', is_float = false;
    char base = (char)(l->p[begin + 1] | 0x20);
    if (!after_dot && at + 1 < l->n && l->p[at] == '.' && is_digit(l->p[at + 1])) {
        at = skip_digits(l, at + 1);
        is_float = true;
    }
    if (!after_dot && at < l->n && (l->p[at] | 0x20) == 'e') {
        size_t digits = at + 1 + (l->p[at + 1] == '-' || l->p[at + 1] == '+');
        if (digits < l->n && is_digit(l->p[digits])) {
            at = skip_digits(l, digits);
            is_float = true;
        }
    }
    if (!is_float && l->p[begin] == '0') { /* 007 is three numbers, as it is for Jinja */
        at = begin + 1;
        while (at < l->n && (l->p[at] == '0' || (l->p[at] == '_' && l->p[at + 1] == '0'))) at++;
        if (base == 'x' || base == 'o' || base == 'b') {
            size_t end = skip_based(l, begin + 2, base);
            if (end > begin + 2) at = end;
        }
    }
    ingle_status st = add(l, is_float ? JINJA_T_FLOAT : JINJA_T_INT, begin, at - begin);
    go_to(l, at);
    return st;
}

static ingle_status read_string(lexer *l)
{
    char quote = l->p[l->at];
    for (size_t at = l->at + 1; at < l->n; at++) {
        if (l->p[at] == '\\') {
            at++;
        } else if (l->p[at] == quote) {
            ingle_status st = add(l, JINJA_T_STRING, l->at, at + 1 - l->at);
            go_to(l, at + 1);
            return st;
        }
    }
    return fail(l, "a string that does not end");
}

static const struct {
    char text[3];
    uint8_t kind;
} OPERATORS[] = {
    {"//", JINJA_T_FLOORDIV}, {"**", JINJA_T_POW},      {"==", JINJA_T_EQ},
    {"!=", JINJA_T_NE},       {">=", JINJA_T_GE},       {"<=", JINJA_T_LE},
    {"+", JINJA_T_ADD},       {"-", JINJA_T_SUB},       {"/", JINJA_T_DIV},
    {"*", JINJA_T_MUL},       {"%", JINJA_T_MOD},       {"~", JINJA_T_TILDE},
    {"[", JINJA_T_LBRACKET},  {"]", JINJA_T_RBRACKET},  {"(", JINJA_T_LPAREN},
    {")", JINJA_T_RPAREN},    {"{", JINJA_T_LBRACE},    {"}", JINJA_T_RBRACE},
    {">", JINJA_T_GT},        {"<", JINJA_T_LT},        {"=", JINJA_T_ASSIGN},
    {".", JINJA_T_DOT},       {":", JINJA_T_COLON},     {"|", JINJA_T_PIPE},
    {",", JINJA_T_COMMA},     {";", JINJA_T_SEMICOLON},
};
enum { N_OPERATORS = sizeof OPERATORS / sizeof *OPERATORS };

/* Brackets have to match: inside of them }} and %} end nothing. */
static ingle_status balance(lexer *l, jinja_token_kind kind)
{
    bool opens = kind == JINJA_T_LPAREN || kind == JINJA_T_LBRACKET || kind == JINJA_T_LBRACE;
    bool closes = kind == JINJA_T_RPAREN || kind == JINJA_T_RBRACKET || kind == JINJA_T_RBRACE;
    if (opens) {
        if (l->n_open == l->cap_open && !ingle_grow(&l->open, &l->cap_open, l->n_open + 1, 1))
            return fail_memory(l);
        l->open[l->n_open++] = (char)(kind + 1); /* what closes follows what opens */
    } else if (closes) {
        char text[64];
        if (l->n_open && l->open[l->n_open - 1] == (char)kind) {
            l->n_open--;
            return INGLE_OK;
        }
        jinja_token token = {.kind = l->n_open ? (uint32_t)l->open[l->n_open - 1] : JINJA_T_END};
        return l->n_open ? ingle_fail(l->err, INGLE_EFORMAT, "line %u: '%c' where %s is due",
                                      (unsigned)l->line, l->p[l->at],
                                      ingle_jinja_token_text(l->t, &token, text))
                         : ingle_fail(l->err, INGLE_EFORMAT, "line %u: '%c' closes nothing",
                                      (unsigned)l->line, l->p[l->at]);
    }
    return INGLE_OK;
}

static ingle_status read_operator(lexer *l)
{
    for (size_t i = 0; i < N_OPERATORS; i++) {
        if (!is_at(l, l->at, OPERATORS[i].text)) continue;
        ingle_status st = balance(l, OPERATORS[i].kind);
        size_t len = strlen(OPERATORS[i].text);
        if (!st) st = add(l, OPERATORS[i].kind, l->at, len);
        l->at += len;
        return st;
    }
    return ingle_fail(l->err, INGLE_EFORMAT, "line %u: the character '%.*s' has no meaning here",
                      (unsigned)l->line, (int)ingle_jinja_char_len(l->p + l->at, l->n - l->at),
                      l->p + l->at);
}

/* The end of the tag is here; *all: white space after it goes. */
static size_t match_end(const lexer *l, bool print, bool *all)
{
    const char *end = print ? "}}" : "%}";
    *all = false;
    if (l->n_open) return 0;
    if (is_at(l, l->at, end)) return l->at + 2;
    if (l->p[l->at] == '-' && is_at(l, l->at + 1, end)) {
        *all = true;
        return l->at + 3;
    }
    return !print && is_at(l, l->at, "+%}") ? l->at + 3 : 0;
}

static ingle_status read_tag(lexer *l, size_t begin, bool print)
{
    ingle_status st = add(l, print ? JINJA_T_PRINT : JINJA_T_TAG, l->at, 2);
    bool all;
    l->n_open = 0;
    for (go_to(l, begin); !st;) {
        go_to(l, skip_space(l, l->at));
        if (l->at >= l->n) break;
        char c = l->p[l->at];
        size_t end = match_end(l, print, &all);
        if (end) {
            st = add(l, print ? JINJA_T_PRINT_END : JINJA_T_TAG_END, l->at, end - l->at);
            if (!print && l->p[l->at] != '+') end_tag(l, end, all);
            else go_to(l, all ? skip_space(l, end) : end), l->line_starts = l->p[l->at - 1] == '\n';
            return st;
        }
        if (is_digit(c)) {
            st = read_number(l);
        } else if (is_name_char(c)) {
            size_t to = l->at;
            while (to < l->n && is_name_char(l->p[to])) to++;
            st = add(l, JINJA_T_NAME, l->at, to - l->at);
            l->at = to;
        } else if (c == '"' || c == '\'') {
            st = read_string(l);
        } else {
            st = read_operator(l);
        }
    }
    return st ? st : fail(l, print ? "'{{' without '}}'" : "'{%' without '%}'");
}

/* ---- all of it ------------------------------------------------------------------------------- */

static ingle_status read_next(lexer *l)
{
    size_t from = l->at, tag = from;
    char raw_sign = 0;
    bool raw_all = false;
    while (tag < l->n &&
           !(l->p[tag] == '{' && tag + 1 < l->n && strchr("{%#", l->p[tag + 1]) && l->p[tag + 1]))
        tag++;
    if (tag == l->n) {
        l->at = l->n;
        return tag > from ? add(l, JINJA_T_DATA, from, tag - from) : INGLE_OK;
    }
    char kind = l->p[tag + 1], sign = sign_at(l, tag + 2);
    size_t raw = match_tag(l, tag, "raw", &raw_sign, &raw_all);
    size_t to = strip_before(l, from, tag, sign, kind != '{');
    ingle_status st = to > from ? add(l, JINJA_T_DATA, from, to - from) : INGLE_OK;
    go_to(l, tag);
    if (st) return st;
    if (raw) return read_raw(l, raw, raw_all);
    if (kind == '#') return read_comment(l, tag + 2 + (sign != 0));
    return read_tag(l, tag + 2 + (sign != 0), kind == '{');
}

/* Ends of lines become \n; one at the end of the text goes. */
static size_t unify_lines(char *to, const char *text, size_t n)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\r') {
            to[m++] = '\n';
            if (i + 1 < n && text[i + 1] == '\n') i++;
        } else {
            to[m++] = text[i];
        }
    }
    if (m && to[m - 1] == '\n') m--;
    memset(to + m, 0, 4);
    return m;
}

ingle_status ingle_jinja_lex(jinja_tokens *t, jinja_arena *arena, const char *text, size_t n,
                             ingle_error *err)
{
    lexer l = {.t = t, .n = n, .line = 1, .line_starts = true, .err = err};
    *t = (jinja_tokens){0};
    size_t valid = ingle_utf8_valid(text, n);
    if (valid < n)
        return ingle_fail(err, INGLE_EFORMAT, "byte %zu of the template is not UTF-8", valid);
    t->text = ingle_jinja_new_bytes(arena, n + 4);
    if (!t->text) return fail_memory(&l);
    l.p = t->text;
    l.n = t->n_text = unify_lines(t->text, text, n);
    ingle_status st = INGLE_OK;
    while (!st && l.at < l.n) st = read_next(&l);
    if (!st) st = add(&l, JINJA_T_END, l.n, 0);
    free(l.open);
    return st;
}

const char *ingle_jinja_token_text(const jinja_tokens *t, const jinja_token *token, char out[64])
{
    switch (token->kind) {
    case JINJA_T_END: return strcpy(out, "the end of the template");
    case JINJA_T_DATA: return strcpy(out, "text");
    case JINJA_T_PRINT: return strcpy(out, "'{{'");
    case JINJA_T_PRINT_END: return strcpy(out, "the end of the print statement");
    case JINJA_T_TAG: return strcpy(out, "'{%'");
    case JINJA_T_TAG_END: return strcpy(out, "the end of the tag");
    case JINJA_T_STRING: return strcpy(out, "a string");
    case JINJA_T_INT:
    case JINJA_T_FLOAT:
    case JINJA_T_NAME:
        snprintf(out, 64, "'%.*s'", token->n < 40 ? (int)token->n : 40, t->text + token->at);
        return out;
    }
    for (size_t i = 0; i < N_OPERATORS; i++)
        if (OPERATORS[i].kind == token->kind) snprintf(out, 64, "'%.2s'", OPERATORS[i].text);
    return out;
}
