/* jinja_expr.c - goals of expressions, in Jinja's order of precedence; see jinja_code.h. */
#include "chat/jinja_builtin.h"
#include "chat/jinja_number.h"
#include "chat/jinja_parse.h"
#include "chat/jinja_text.h"

#include "base/number.h"

#include <stdio.h>

static void push(jinja_compiler *c, jinja_goal_kind kind)
{
    ingle_jinja_push(c, (jinja_goal){.kind = (uint8_t)kind});
}

static void push_emit(jinja_compiler *c, jinja_op op, unsigned b)
{
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EMIT, .b = (uint8_t)b, .c = (uint16_t)op});
}

/* `left operator` was read: the right side, the instruction, then perhaps more. */
static void push_binary(jinja_compiler *c, jinja_goal_kind rest, jinja_op op, unsigned b,
                        jinja_goal_kind right)
{
    push(c, rest);
    push_emit(c, op, b);
    push(c, right);
}

/* ---- conditions ------------------------------------------------------------------------------ */

static void goal_expr(jinja_compiler *c, jinja_goal g)
{
    if (g.b) ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_COND, .x = ingle_jinja_here(c)});
    push(c, JINJA_G_OR_REST);
    push(c, JINJA_G_AND);
}

static void goal_cond(jinja_compiler *c, jinja_goal g)
{
    if (!ingle_jinja_take_name(c, "if")) return;
    ingle_jinja_push(c,
                     (jinja_goal){.kind = JINJA_G_COND_TEST, .x = g.x, .y = ingle_jinja_here(c)});
    push(c, JINJA_G_OR_REST);
    push(c, JINJA_G_AND);
}

/* Value and test are in the wrong order, and two jumps are missing. */
static void goal_cond_test(jinja_compiler *c, jinja_goal g)
{
    uint32_t z = ingle_jinja_here(c), test = z - g.y;
    ingle_jinja_emit(c, JINJA_OP_JUMP_FALSE, 0, 0, 0);
    ingle_jinja_emit(c, JINJA_OP_JUMP, 0, 0, 0);
    ingle_jinja_rotate(c, g.x, g.y, z + 1);
    ingle_jinja_land(c, g.x + test);
    if (c->unknown > g.x) c->unknown = 0;
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_COND, .x = g.x});
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_COND_ELSE, .x = z + 1, .y = g.x});
    if (ingle_jinja_take_name(c, "else"))
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EXPR, .b = 1});
    else {
        jinja_value text, none = {.kind = JINJA_UNDEFINED, .detail = JINJA_LACK_TEXT};
        static const char why[] = "the inline if has no else and its condition is false";
        if (!ingle_jinja_make_str(c, why, sizeof why - 1, &text)) return;
        none.u.str = text.u.str;
        ingle_jinja_emit_const(c, none);
    }
}

static void goal_cond_else(jinja_compiler *c, jinja_goal g)
{
    if (c->unknown > g.y) c->unknown = 0;
    ingle_jinja_land(c, g.x);
}

/* `or` (b 0) and `and`. */
static void logic_rest(jinja_compiler *c, bool is_and)
{
    if (!ingle_jinja_take_name(c, is_and ? "and" : "or")) return;
    uint32_t jump = ingle_jinja_emit(c, is_and ? JINJA_OP_FALSE_KEEP : JINJA_OP_TRUE_KEEP, 0, 0, 0);
    uint8_t land = is_and ? JINJA_G_AND_LAND : JINJA_G_OR_LAND;
    ingle_jinja_push(c, (jinja_goal){.kind = land, .x = jump});
    push(c, is_and ? JINJA_G_NOT : JINJA_G_AND);
}

static void goal_not(jinja_compiler *c)
{
    if (ingle_jinja_take_name(c, "not")) {
        push_emit(c, JINJA_OP_NOT, 0);
        push(c, JINJA_G_NOT);
        return;
    }
    push(c, JINJA_G_COMPARE_REST);
    push(c, JINJA_G_SUM);
}

static bool take_comparison(jinja_compiler *c, jinja_comparison *out)
{
    const jinja_token *t = ingle_jinja_token(c);
    if (t->kind >= JINJA_T_EQ && t->kind <= JINJA_T_GE) {
        *out = (jinja_comparison)(t->kind - JINJA_T_EQ + JINJA_EQ);
        c->pos++;
        return true;
    }
    if (ingle_jinja_take_name(c, "in")) {
        *out = JINJA_IN;
        return true;
    }
    if (!ingle_jinja_take_name(c, "not")) return false;
    if (ingle_jinja_take_name(c, "in")) {
        *out = JINJA_NOT_IN;
        return true;
    }
    c->pos--;
    return false;
}

static void compare_next(jinja_compiler *c, jinja_comparison comparison, uint32_t chain)
{
    ingle_jinja_push(
        c, (jinja_goal){.kind = JINJA_G_COMPARE_DONE, .b = (uint8_t)comparison, .x = chain});
    push(c, JINJA_G_SUM);
}

static void goal_compare_rest(jinja_compiler *c)
{
    jinja_comparison comparison;
    if (take_comparison(c, &comparison)) compare_next(c, comparison, 0);
}

/* a < b < c: the first false result ends it, with b below, which goes. */
static void goal_compare_done(jinja_compiler *c, jinja_goal g)
{
    jinja_comparison next;
    if (take_comparison(c, &next)) {
        ingle_jinja_emit(c, JINJA_OP_COMPARE_KEEP, g.b, 0, 0);
        uint32_t jump = ingle_jinja_emit(c, JINJA_OP_FALSE_KEEP, 0, 0, g.x);
        compare_next(c, next, jump + 1);
        return;
    }
    ingle_jinja_emit(c, JINJA_OP_COMPARE, g.b, 0, 0);
    if (!g.x || c->status) return;
    uint32_t over = ingle_jinja_emit(c, JINJA_OP_JUMP, 0, 0, 0);
    for (uint32_t jump = g.x, before; jump && !c->status; jump = before) {
        before = c->j->code[jump - 1].a;
        ingle_jinja_land(c, jump - 1);
    }
    ingle_jinja_emit(c, JINJA_OP_NIP, 0, 0, 0);
    ingle_jinja_land(c, over);
}

/* ---- operators ------------------------------------------------------------------------------- */

static void goal_sum_rest(jinja_compiler *c)
{
    bool add = ingle_jinja_take(c, JINJA_T_ADD);
    if (!add && !ingle_jinja_take(c, JINJA_T_SUB)) return;
    push_binary(c, JINJA_G_SUM_REST, JINJA_OP_MATH, add ? JINJA_ADD : JINJA_SUB, JINJA_G_TILDE);
}

static void goal_product_rest(jinja_compiler *c)
{
    static const uint8_t math[][2] = {{JINJA_T_MUL, JINJA_MUL},
                                      {JINJA_T_DIV, JINJA_DIV},
                                      {JINJA_T_FLOORDIV, JINJA_FLOORDIV},
                                      {JINJA_T_MOD, JINJA_MOD}};
    for (size_t i = 0; i < 4; i++)
        if (ingle_jinja_take(c, (jinja_token_kind)math[i][0])) {
            push_binary(c, JINJA_G_PRODUCT_REST, JINJA_OP_MATH, math[i][1], JINJA_G_POWER);
            return;
        }
}

static void goal_unary(jinja_compiler *c, jinja_goal g)
{
    bool neg = ingle_jinja_take(c, JINJA_T_SUB), pos = !neg && ingle_jinja_take(c, JINJA_T_ADD);
    if (g.b) push(c, JINJA_G_FILTERS);
    push(c, JINJA_G_POSTFIX);
    if (neg || pos) {
        push_emit(c, neg ? JINJA_OP_NEG : JINJA_OP_POS, 0);
        push(c, JINJA_G_UNARY);
    } else {
        push(c, JINJA_G_PRIMARY);
    }
}

static void push_unary(jinja_compiler *c)
{
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_UNARY, .b = 1});
}

/* ---- literals -------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* \x41, \u00e9, \U0001f600, \101: the code point; *p is past it. False: no such thing. */
static bool read_code(const char **p, const char *end, uint32_t *code)
{
    char kind = **p;
    int n = kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
    *code = 0;
    if (!n) {
        for (int i = 0; i < 3 && *p < end && **p >= '0' && **p <= '7'; i++, ++*p)
            *code = *code * 8 + (uint32_t)(**p - '0');
        return true;
    }
    ++*p;
    for (int i = 0; i < n; i++, ++*p) {
        int digit = *p < end ? hex_digit(**p) : -1;
        if (digit < 0) return false;
        *code = *code << 4 | (uint32_t)digit;
    }
    return *code < 0x110000 && (*code & 0xfffff800) != 0xd800;
}

/* Bytes that an escape means, which follows the backslash at *p. Unknown ones mean themselves. */
static size_t read_escape(jinja_compiler *c, const char **p, const char *end, char out[4])
{
    static const char written[] = "\\'\"abfnrtv", meant[] = "\\'\"\a\b\f\n\r\t\v";
    const char *e = **p ? strchr(written, **p) : NULL;
    uint32_t code;
    if (e) {
        ++*p;
        out[0] = meant[e - written];
        return 1;
    }
    if (**p == '\n') {
        ++*p;
        return 0;
    }
    if (**p && strchr("xuU01234567", **p)) {
        if (read_code(p, end, &code)) return ingle_jinja_encode(code, out);
        ingle_jinja_syntax(c, "an escape in a string that means no character");
        return 0;
    }
    if (**p == 'N') ingle_jinja_unsupported(c, "characters by name, \\N{...}, in a string");
    out[0] = '\\';
    return 1;
}

/* The bytes of the string token appended at `to`; no escape is shorter than what it means. */
static char *decode(jinja_compiler *c, const jinja_token *t, char *to)
{
    const char *p = c->t.text + t->at + 1, *end = p + t->n - 2;
    while (p < end && !c->status) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash ? slash : end) - p);
        memmove(to, p, plain);
        to += plain;
        p += plain;
        if (!slash) break;
        p++;
        char bytes[4];
        size_t n = read_escape(c, &p, end, bytes);
        memcpy(to, bytes, n);
        to += n;
    }
    return to;
}

/* Strings that follow one another are one. */
static void read_string(jinja_compiler *c)
{
    size_t first = c->pos, n = 0;
    for (; ingle_jinja_is(c, JINJA_T_STRING); c->pos++) n += ingle_jinja_token(c)->n;
    char *text = ingle_jinja_new_bytes(&c->j->arena, n), *to = text;
    jinja_value v;
    if (!text) {
        ingle_jinja_no_memory(c);
        return;
    }
    for (size_t i = first; i < c->pos; i++) to = decode(c, &c->t.token[i], to);
    if (ingle_jinja_make_str(c, text, (size_t)(to - text), &v)) ingle_jinja_emit_const(c, v);
}

/* Without the underscores that may stand between digits. */
static void read_number(jinja_compiler *c)
{
    char text[JINJA_MAX_DIGITS + 64];
    const jinja_token *t = ingle_jinja_token(c);
    const char *p = c->t.text + t->at;
    size_t n = 0;
    jinja_value v;
    c->pos++;
    for (size_t i = 0; i < t->n && n < sizeof text; i++)
        if (p[i] != '_') text[n++] = p[i];
    char base = n > 1 && text[0] == '0' ? (char)(text[1] | 0x20) : 0;
    if (t->kind == JINJA_T_INT && (base == 'x' || base == 'o' || base == 'b')) {
        unsigned bits = base == 'x' ? 4 : base == 'o' ? 3 : 1;
        uint64_t x = 0;
        for (size_t i = 2; i < n; i++) {
            if (x >> (63 - bits)) ingle_jinja_unsupported(c, "a number beyond 2^63 with a base");
            x = x << bits | (uint64_t)hex_digit(text[i]);
        }
        v = ingle_jinja_int((int64_t)x, true);
    } else if (n == sizeof text || !ingle_jinja_number_read(&c->j->arena, text, n, true, &v)) {
        ingle_jinja_unsupported(c, "a number with too many digits");
        return;
    } else if (t->kind == JINJA_T_FLOAT) {
        v = ingle_jinja_float(ingle_number_read(text, n), true);
    }
    ingle_jinja_emit_const(c, v);
}

static void read_name(jinja_compiler *c)
{
    const jinja_token *t = ingle_jinja_token(c);
    if (ingle_jinja_take_name(c, "true") || ingle_jinja_take_name(c, "True"))
        ingle_jinja_emit_const(c, ingle_jinja_bool(true, true));
    else if (ingle_jinja_take_name(c, "false") || ingle_jinja_take_name(c, "False"))
        ingle_jinja_emit_const(c, ingle_jinja_bool(false, true));
    else if (ingle_jinja_take_name(c, "none") || ingle_jinja_take_name(c, "None"))
        ingle_jinja_emit_const(c, ingle_jinja_none());
    else {
        c->pos++;
        ingle_jinja_emit_load(c, ingle_jinja_name(c, c->t.text + t->at, t->n));
    }
}

static void goal_primary(jinja_compiler *c)
{
    char found[64];
    switch (ingle_jinja_token(c)->kind) {
    case JINJA_T_NAME: read_name(c); break;
    case JINJA_T_STRING: read_string(c); break;
    case JINJA_T_INT:
    case JINJA_T_FLOAT: read_number(c); break;
    case JINJA_T_LPAREN:
        c->pos++;
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EXPECT, .c = JINJA_T_RPAREN});
        ingle_jinja_push(
            c, (jinja_goal){.kind = JINJA_G_TUPLE, .b = JINJA_TUPLE_PARENS | JINJA_TUPLE_COND});
        break;
    case JINJA_T_LBRACKET:
        c->pos++;
        ingle_jinja_emit(c, JINJA_OP_LIST, 0, 0, 0);
        push(c, JINJA_G_LIST_REST);
        break;
    case JINJA_T_LBRACE:
        c->pos++;
        ingle_jinja_emit(c, JINJA_OP_DICT, 0, 0, 0);
        push(c, JINJA_G_DICT_REST);
        break;
    default:
        ingle_jinja_syntax(c, "an expression should be here, not %s",
                           ingle_jinja_token_text(&c->t, ingle_jinja_token(c), found));
    }
}

/* ---- lists, dicts, tuples -------------------------------------------------------------------- */

static void push_expr(jinja_compiler *c)
{
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EXPR, .b = 1});
}

static void goal_list_rest(jinja_compiler *c)
{
    if (ingle_jinja_take(c, JINJA_T_RBRACKET)) return;
    push(c, JINJA_G_LIST_NEXT);
    push_emit(c, JINJA_OP_ADD, 0);
    push_expr(c);
}

static void goal_list_next(jinja_compiler *c)
{
    if (ingle_jinja_take(c, JINJA_T_RBRACKET)) return;
    ingle_jinja_expect(c, JINJA_T_COMMA);
    push(c, JINJA_G_LIST_REST);
}

static void goal_dict_rest(jinja_compiler *c)
{
    if (ingle_jinja_take(c, JINJA_T_RBRACE)) return;
    push(c, JINJA_G_DICT_VALUE);
    push_expr(c);
}

static void goal_dict_value(jinja_compiler *c)
{
    ingle_jinja_expect(c, JINJA_T_COLON);
    push(c, JINJA_G_DICT_NEXT);
    push_emit(c, JINJA_OP_ADD_PAIR, 0);
    push_expr(c);
}

static void goal_dict_next(jinja_compiler *c)
{
    if (ingle_jinja_take(c, JINJA_T_RBRACE)) return;
    ingle_jinja_expect(c, JINJA_T_COMMA);
    push(c, JINJA_G_DICT_REST);
}

static bool tuple_ends(const jinja_compiler *c, unsigned flags)
{
    uint32_t kind = ingle_jinja_token(c)->kind;
    return kind == JINJA_T_PRINT_END || kind == JINJA_T_TAG_END || kind == JINJA_T_RPAREN ||
           (flags & JINJA_TUPLE_RECURSIVE && ingle_jinja_is_name(c, "recursive"));
}

static void goal_tuple(jinja_compiler *c, jinja_goal g)
{
    char found[64];
    if (!tuple_ends(c, g.b)) {
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_TUPLE_REST, .b = g.b});
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EXPR, .b = (g.b & JINJA_TUPLE_COND) != 0});
    } else if (g.b & JINJA_TUPLE_PARENS) {
        ingle_jinja_emit(c, JINJA_OP_TUPLE, 0, 0, 0);
    } else {
        ingle_jinja_syntax(c, "an expression should be here, not %s",
                           ingle_jinja_token_text(&c->t, ingle_jinja_token(c), found));
    }
}

static void goal_tuple_rest(jinja_compiler *c, jinja_goal g)
{
    if (g.c) ingle_jinja_emit(c, JINJA_OP_ADD, 0, 0, 0);
    if (!ingle_jinja_take(c, JINJA_T_COMMA)) return;
    if (!g.c) ingle_jinja_emit(c, JINJA_OP_TUPLE_OF, 0, 0, 0);
    if (tuple_ends(c, g.b)) return;
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_TUPLE_REST, .b = g.b, .c = 1});
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EXPR, .b = (g.b & JINJA_TUPLE_COND) != 0});
}

/* ---- what follows a value -------------------------------------------------------------------- */

static void push_args(jinja_compiler *c, jinja_op op, uint32_t name)
{
    ingle_jinja_push(
        c, (jinja_goal){.kind = JINJA_G_ARGS, .b = (uint8_t)op, .x = name, .y = (uint32_t)c->n_kw});
}

static void read_attribute(jinja_compiler *c)
{
    const jinja_token *t = ingle_jinja_token(c);
    push(c, JINJA_G_POSTFIX);
    if (t->kind == JINJA_T_INT) {
        read_number(c);
        ingle_jinja_emit(c, JINJA_OP_ITEM, 0, 0, 0);
        return;
    }
    uint32_t name = ingle_jinja_name_here(c);
    if (ingle_jinja_take(c, JINJA_T_LPAREN)) push_args(c, JINJA_OP_METHOD, name);
    else ingle_jinja_emit(c, JINJA_OP_ATTR, 0, 0, name);
}

static void goal_postfix(jinja_compiler *c)
{
    if (ingle_jinja_take(c, JINJA_T_DOT)) {
        read_attribute(c);
    } else if (ingle_jinja_take(c, JINJA_T_LBRACKET)) {
        push(c, JINJA_G_POSTFIX);
        if (ingle_jinja_is(c, JINJA_T_COLON)) {
            ingle_jinja_emit_const(c, ingle_jinja_none());
            push(c, JINJA_G_SLICE);
        } else {
            push(c, JINJA_G_SUBSCRIPT);
            push_expr(c);
        }
    } else if (ingle_jinja_take(c, JINJA_T_LPAREN)) {
        push(c, JINJA_G_POSTFIX);
        push_args(c, JINJA_OP_CALL, 0);
    }
}

static void goal_subscript(jinja_compiler *c)
{
    if (ingle_jinja_is(c, JINJA_T_COLON)) {
        push(c, JINJA_G_SLICE);
        return;
    }
    if (ingle_jinja_is(c, JINJA_T_COMMA)) ingle_jinja_unsupported(c, "a tuple as a subscript");
    ingle_jinja_expect(c, JINJA_T_RBRACKET);
    ingle_jinja_emit(c, JINJA_OP_ITEM, 0, 0, 0);
}

static void goal_slice(jinja_compiler *c)
{
    ingle_jinja_expect(c, JINJA_T_COLON);
    push(c, JINJA_G_SLICE_STEP);
    if (ingle_jinja_is(c, JINJA_T_COLON) || ingle_jinja_is(c, JINJA_T_RBRACKET))
        ingle_jinja_emit_const(c, ingle_jinja_none());
    else push_expr(c);
}

static void goal_slice_step(jinja_compiler *c)
{
    push(c, JINJA_G_SLICE_DONE);
    if (ingle_jinja_take(c, JINJA_T_COLON) && !ingle_jinja_is(c, JINJA_T_RBRACKET)) push_expr(c);
    else ingle_jinja_emit_const(c, ingle_jinja_none());
}

static void goal_slice_done(jinja_compiler *c)
{
    ingle_jinja_expect(c, JINJA_T_RBRACKET);
    ingle_jinja_emit(c, JINJA_OP_SLICE, 0, 0, 0);
}

/* ---- calls, filters, tests ------------------------------------------------------------------- */

/* A name that nothing has: an error of the template if it is sure to get there. */
static void emit_unknown(jinja_compiler *c, uint32_t name, bool test)
{
    uint32_t at = ingle_jinja_emit(c, JINJA_OP_UNKNOWN, test, 0, name);
    if (c->n_ifs || c->unknown || c->status) return;
    c->unknown = at + 1;
    c->unknown_line = c->j->line[at];
}

static void emit_call(jinja_compiler *c, jinja_op op, uint32_t name, size_t n_args, size_t kw_base,
                      bool negated)
{
    const jinja_builtin *f = NULL;
    if (c->status) return;
    const jinja_str *s = c->j->n_names ? c->j->names[name] : NULL;
    if (op == JINJA_OP_FILTER) f = ingle_jinja_filter(s->p, s->n);
    if (op == JINJA_OP_TEST) f = ingle_jinja_test(s->p, s->n);
    if (!f && (op == JINJA_OP_FILTER || op == JINJA_OP_TEST)) {
        c->n_kw = kw_base;
        emit_unknown(c, name, op == JINJA_OP_TEST);
        return;
    }
    uint32_t shape = ingle_jinja_shape(c, f, name, n_args, kw_base);
    ingle_jinja_emit(c, op, negated, 0, shape);
}

/* b holds the opcode; of a test, in the highest bit, whether it is negated. */
static void goal_args(jinja_compiler *c, jinja_goal g)
{
    const jinja_token *t = ingle_jinja_token(c);
    bool any = g.c || c->n_kw > g.y;
    if (ingle_jinja_take(c, JINJA_T_RPAREN) ||
        (any && (ingle_jinja_expect(c, JINJA_T_COMMA), ingle_jinja_take(c, JINJA_T_RPAREN)))) {
        emit_call(c, (jinja_op)(g.b & 0x7f), g.x, g.c, g.y, g.b >> 7);
        return;
    }
    t = ingle_jinja_token(c);
    if (t->kind == JINJA_T_MUL || t->kind == JINJA_T_POW) {
        ingle_jinja_unsupported(c, "'*' and '**' before an argument");
    } else if (t->kind == JINJA_T_NAME && t[1].kind == JINJA_T_ASSIGN) {
        uint32_t name = ingle_jinja_name(c, c->t.text + t->at, t->n);
        if (!ingle_grow(&c->kw, &c->cap_kw, c->n_kw + 1, sizeof *c->kw)) ingle_jinja_no_memory(c);
        else c->kw[c->n_kw++] = name;
        c->pos += 2;
    } else if (c->n_kw > g.y) {
        ingle_jinja_syntax(c, "an argument without a name follows one with a name");
    } else if (g.c++ == 255) {
        ingle_jinja_unsupported(c, "too many arguments");
    }
    ingle_jinja_push(c, g);
    push_expr(c);
}

/* Names of filters and tests may have dots. */
static uint32_t read_dotted(jinja_compiler *c)
{
    uint32_t name = ingle_jinja_name_here(c);
    while (!c->status && ingle_jinja_take(c, JINJA_T_DOT)) {
        ingle_jinja_name_here(c);
        name = ingle_jinja_name(c, ".", 1); /* there is none with a dot */
    }
    return name;
}

static void goal_filter(jinja_compiler *c)
{
    uint32_t name = read_dotted(c);
    if (ingle_jinja_take(c, JINJA_T_LPAREN)) push_args(c, JINJA_OP_FILTER, name);
    else emit_call(c, JINJA_OP_FILTER, name, 0, c->n_kw, false);
}

static void read_test(jinja_compiler *c)
{
    bool negated = ingle_jinja_take_name(c, "not");
    uint32_t name = read_dotted(c);
    if (ingle_jinja_take(c, JINJA_T_LPAREN)) {
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_ARGS,
                                         .b = (uint8_t)(JINJA_OP_TEST | negated << 7),
                                         .x = name,
                                         .y = (uint32_t)c->n_kw});
        return;
    }
    uint32_t kind = ingle_jinja_token(c)->kind;
    bool arg = kind == JINJA_T_NAME || kind == JINJA_T_STRING || kind == JINJA_T_INT ||
               kind == JINJA_T_FLOAT || kind == JINJA_T_LPAREN || kind == JINJA_T_LBRACKET ||
               kind == JINJA_T_LBRACE;
    if (!arg || ingle_jinja_is_name(c, "else") || ingle_jinja_is_name(c, "or") ||
        ingle_jinja_is_name(c, "and")) {
        emit_call(c, JINJA_OP_TEST, name, 0, c->n_kw, negated);
        return;
    }
    if (ingle_jinja_is_name(c, "is")) ingle_jinja_syntax(c, "tests with 'is' do not chain");
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_TEST_DONE, .b = negated, .x = name});
    push(c, JINJA_G_POSTFIX);
    push(c, JINJA_G_PRIMARY);
}

static void goal_filters(jinja_compiler *c, jinja_goal g)
{
    if (ingle_jinja_take(c, JINJA_T_PIPE)) {
        ingle_jinja_push(c, g);
        push(c, JINJA_G_FILTER);
    } else if (!g.b && ingle_jinja_take_name(c, "is")) {
        ingle_jinja_push(c, g);
        read_test(c);
    } else if (!g.b && ingle_jinja_take(c, JINJA_T_LPAREN)) {
        ingle_jinja_push(c, g);
        push_args(c, JINJA_OP_CALL, 0);
    }
}

/* ---- which goal ------------------------------------------------------------------------------ */

void ingle_jinja_expr_goal(jinja_compiler *c, jinja_goal g)
{
    switch ((jinja_goal_kind)g.kind) {
    case JINJA_G_EXPR: goal_expr(c, g); break;
    case JINJA_G_COND: goal_cond(c, g); break;
    case JINJA_G_COND_TEST: goal_cond_test(c, g); break;
    case JINJA_G_COND_ELSE: goal_cond_else(c, g); break;
    case JINJA_G_OR_REST: logic_rest(c, false); break;
    case JINJA_G_OR_LAND: push(c, JINJA_G_OR_REST), ingle_jinja_land(c, g.x); break;
    case JINJA_G_AND: push(c, JINJA_G_AND_REST), push(c, JINJA_G_NOT); break;
    case JINJA_G_AND_REST: logic_rest(c, true); break;
    case JINJA_G_AND_LAND: push(c, JINJA_G_AND_REST), ingle_jinja_land(c, g.x); break;
    case JINJA_G_NOT: goal_not(c); break;
    case JINJA_G_COMPARE_REST: goal_compare_rest(c); break;
    case JINJA_G_COMPARE_DONE: goal_compare_done(c, g); break;
    case JINJA_G_SUM: push(c, JINJA_G_SUM_REST), push(c, JINJA_G_TILDE); break;
    case JINJA_G_SUM_REST: goal_sum_rest(c); break;
    case JINJA_G_TILDE: push(c, JINJA_G_TILDE_REST), push(c, JINJA_G_PRODUCT); break;
    case JINJA_G_TILDE_REST:
        if (ingle_jinja_take(c, JINJA_T_TILDE))
            push_binary(c, JINJA_G_TILDE_REST, JINJA_OP_CONCAT, 0, JINJA_G_PRODUCT);
        break;
    case JINJA_G_PRODUCT: push(c, JINJA_G_PRODUCT_REST), push(c, JINJA_G_POWER); break;
    case JINJA_G_PRODUCT_REST: goal_product_rest(c); break;
    case JINJA_G_POWER: push(c, JINJA_G_POWER_REST), push_unary(c); break;
    case JINJA_G_POWER_REST:
        if (!ingle_jinja_take(c, JINJA_T_POW)) break;
        push(c, JINJA_G_POWER_REST);
        push_emit(c, JINJA_OP_MATH, JINJA_POW);
        push_unary(c);
        break;
    case JINJA_G_UNARY: goal_unary(c, g); break;
    case JINJA_G_EMIT: ingle_jinja_emit(c, (jinja_op)g.c, g.b, 0, 0); break;
    case JINJA_G_PRIMARY: goal_primary(c); break;
    case JINJA_G_POSTFIX: goal_postfix(c); break;
    case JINJA_G_FILTERS: goal_filters(c, g); break;
    case JINJA_G_FILTER: goal_filter(c); break;
    case JINJA_G_ARGS: goal_args(c, g); break;
    case JINJA_G_TEST_DONE: emit_call(c, JINJA_OP_TEST, g.x, 1, c->n_kw, g.b); break;
    case JINJA_G_EXPECT: ingle_jinja_expect(c, (jinja_token_kind)g.c); break;
    case JINJA_G_SUBSCRIPT: goal_subscript(c); break;
    case JINJA_G_SLICE: goal_slice(c); break;
    case JINJA_G_SLICE_STEP: goal_slice_step(c); break;
    case JINJA_G_SLICE_DONE: goal_slice_done(c); break;
    case JINJA_G_TUPLE: goal_tuple(c, g); break;
    case JINJA_G_TUPLE_REST: goal_tuple_rest(c, g); break;
    case JINJA_G_LIST_REST: goal_list_rest(c); break;
    case JINJA_G_LIST_NEXT: goal_list_next(c); break;
    case JINJA_G_DICT_REST: goal_dict_rest(c); break;
    case JINJA_G_DICT_VALUE: goal_dict_value(c); break;
    case JINJA_G_DICT_NEXT: goal_dict_next(c); break;
    default: break;
    }
}
