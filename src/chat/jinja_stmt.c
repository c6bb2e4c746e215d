/* jinja_stmt.c - goals of statements: text, prints, and the tags; see jinja_code.h. */
#include "chat/jinja_parse.h"

#include <stdio.h>

static void push(jinja_compiler *c, jinja_goal_kind kind)
{
    ingle_jinja_push(c, (jinja_goal){.kind = (uint8_t)kind});
}

static void push_tuple(jinja_compiler *c, unsigned flags)
{
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_TUPLE, .b = (uint8_t)flags});
}

static void seek(jinja_compiler *c, uint32_t token)
{
    if (!c->status) c->pos = token;
}

static void close_tag(jinja_compiler *c)
{
    ingle_jinja_expect(c, JINJA_T_TAG_END);
}

/* For later, on the stack that the names of keywords are on. */
static void keep(jinja_compiler *c, uint32_t x)
{
    if (!ingle_grow(&c->kw, &c->cap_kw, c->n_kw + 1, sizeof *c->kw)) ingle_jinja_no_memory(c);
    else c->kw[c->n_kw++] = x;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static const char *const ENDS[] = {"elif",     "else",    "endif",        "endfor",
                                   "endset",   "endwith", "endblock",     "endfilter",
                                   "endmacro", "endcall", "endgeneration"};
enum { N_ENDS = sizeof ENDS / sizeof *ENDS };
enum {
    END_ELIF = 1,
    END_ELSE = 2,
    END_IF = 4,
    END_FOR = 8,
    END_SET = 16,
    END_WITH = 32,
    END_BLOCK = 64,
    END_FILTER = 128,
    END_MACRO = 256,
    END_CALL = 512,
    END_GENERATION = 1024
};

static void push_body(jinja_compiler *c, uint32_t ends)
{
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_BODY, .x = ends});
}

static const char *end_name(uint32_t ends)
{
    int i = N_ENDS - 1;
    while (!(ends >> i & 1)) i--;
    return ENDS[i];
}

static void print_data(jinja_compiler *c)
{
    const jinja_token *t = ingle_jinja_token(c);
    jinja_value v;
    c->pos++;
    if (!ingle_jinja_make_str(c, c->t.text + t->at, t->n, &v)) return;
    ingle_jinja_emit_const(c, v);
    if (!c->status) c->j->code[c->j->n_code - 1].op = JINJA_OP_TEXT;
}

/* {{ 'text' }} is text. */
static void goal_printed(jinja_compiler *c, jinja_goal g)
{
    ingle_jinja_expect(c, JINJA_T_PRINT_END);
    if (c->status) return;
    jinja_ins *last = &c->j->code[c->j->n_code - 1];
    if (c->j->n_code == g.x + 1 && last->op == JINJA_OP_CONST &&
        c->j->consts[last->a].kind == JINJA_STR)
        last->op = JINJA_OP_TEXT;
    else ingle_jinja_emit(c, JINJA_OP_PRINT, 0, 0, 0);
}

/* ---- if -------------------------------------------------------------------------------------- */

static void tag_if(jinja_compiler *c)
{
    c->n_ifs++;
    push(c, JINJA_G_IF_TEST);
    push_tuple(c, 0);
}

static void goal_if_test(jinja_compiler *c, jinja_goal g)
{
    close_tag(c);
    uint32_t jump = ingle_jinja_emit(c, JINJA_OP_JUMP_FALSE, 0, 0, 0);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_IF_NEXT, .x = jump, .y = g.y});
    push_body(c, END_ELIF | END_ELSE | END_IF);
}

/* Jumps that wait for their end are a list through their operands. */
static void land_all(jinja_compiler *c, uint32_t last)
{
    for (uint32_t jump = last, before; jump && !c->status; jump = before) {
        before = c->j->code[jump - 1].a;
        ingle_jinja_land(c, jump - 1);
    }
}

static void goal_if_next(jinja_compiler *c, jinja_goal g)
{
    if (ingle_jinja_take_name(c, "endif")) {
        close_tag(c);
        ingle_jinja_land(c, g.x);
        land_all(c, g.y);
        c->n_ifs--;
        return;
    }
    uint32_t out = ingle_jinja_emit(c, JINJA_OP_JUMP, 0, 0, g.y);
    ingle_jinja_land(c, g.x);
    if (ingle_jinja_take_name(c, "elif")) {
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_IF_TEST, .y = out + 1});
        push_tuple(c, 0);
        return;
    }
    c->pos++; /* else */
    close_tag(c);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_IF_END, .y = out + 1});
    push_body(c, END_IF);
}

static void goal_if_end(jinja_compiler *c, jinja_goal g)
{
    c->pos++;
    close_tag(c);
    land_all(c, g.y);
    c->n_ifs--;
}

/* ---- targets --------------------------------------------------------------------------------- */

/* From the current token to the one where targets end: `in`, `=`, a pipe, a bracket or the end of
 * the tag. *is_tuple: there is a comma between. */
static size_t scan_targets(const jinja_compiler *c, bool *is_tuple)
{
    size_t pos = c->pos, depth = 0;
    *is_tuple = false;
    for (;; pos++) {
        const jinja_token *t = &c->t.token[pos];
        if (t->kind == JINJA_T_LPAREN) depth++;
        else if (t->kind == JINJA_T_RPAREN && depth) depth--;
        else if (t->kind == JINJA_T_COMMA && !depth) *is_tuple = true;
        else if (t->kind == JINJA_T_ASSIGN || t->kind == JINJA_T_TAG_END ||
                 t->kind == JINJA_T_END || t->kind == JINJA_T_PIPE || t->kind == JINJA_T_RPAREN)
            return pos;
        else if (t->kind == JINJA_T_NAME && t->n == 2 && !memcmp(c->t.text + t->at, "in", 2))
            return pos;
    }
}

/* Stores the top of the stack. */
static void push_target(jinja_compiler *c, bool spaces, uint32_t token)
{
    seek(c, token);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_TARGET, .b = spaces});
}

static void goal_target(jinja_compiler *c, jinja_goal g)
{
    bool is_tuple;
    uint32_t unpack = 0;
    scan_targets(c, &is_tuple);
    if (is_tuple) unpack = ingle_jinja_emit(c, JINJA_OP_UNPACK, 0, 0, 0) + 1;
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_TARGET_REST, .b = g.b, .x = unpack});
}

static void store_name(jinja_compiler *c, bool spaces)
{
    static const char *const constants[] = {"true", "True", "false", "False", "none", "None"};
    for (int i = 0; i < 6; i++)
        if (ingle_jinja_is_name(c, constants[i]))
            ingle_jinja_syntax(c, "a constant is no variable");
    uint32_t name = ingle_jinja_name_here(c);
    if (spaces && ingle_jinja_take(c, JINJA_T_DOT)) {
        uint32_t attribute = ingle_jinja_name_here(c);
        ingle_jinja_emit_load(c, name);
        ingle_jinja_emit(c, JINJA_OP_STORE_ATTR, 0, 0, attribute);
    } else {
        ingle_jinja_emit_store(c, name);
    }
}

/* One target, and what follows it. */
static void goal_target_rest(jinja_compiler *c, jinja_goal g)
{
    bool nested = ingle_jinja_take(c, JINJA_T_LPAREN);
    if (!nested) store_name(c, g.b);
    if (g.c == UINT16_MAX) ingle_jinja_unsupported(c, "too many targets");
    g.c++;
    if (g.x && !c->status) c->j->code[g.x - 1].a = g.c;
    if (nested) { /* come back as a target that was read */
        g.kind = JINJA_G_TARGET_NEXT;
        ingle_jinja_push(c, g);
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EXPECT, .c = JINJA_T_RPAREN});
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_TARGET, .b = g.b});
        return;
    }
    g.kind = JINJA_G_TARGET_NEXT;
    ingle_jinja_push(c, g);
}

static void goal_target_next(jinja_compiler *c, jinja_goal g)
{
    if (!g.x || !ingle_jinja_take(c, JINJA_T_COMMA)) return;
    if (!ingle_jinja_is(c, JINJA_T_NAME) && !ingle_jinja_is(c, JINJA_T_LPAREN)) return;
    if (ingle_jinja_is_name(c, "in")) return;
    g.kind = JINJA_G_TARGET_REST;
    ingle_jinja_push(c, g);
}

/* ---- for ------------------------------------------------------------------------------------- */

static void tag_for(jinja_compiler *c)
{
    bool is_tuple;
    uint32_t targets = (uint32_t)c->pos;
    seek(c, (uint32_t)scan_targets(c, &is_tuple));
    if (!ingle_jinja_take_name(c, "in")) ingle_jinja_syntax(c, "'in' is missing in a 'for'");
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_FOR_ITER, .x = targets});
    push_tuple(c, JINJA_TUPLE_RECURSIVE);
}

static void goal_for_iter(jinja_compiler *c, jinja_goal g)
{
    uint32_t loop = ingle_jinja_emit(c, JINJA_OP_FOR, 0, 0, 0);
    uint32_t scope = ingle_jinja_scope_open(c);
    ingle_jinja_slot(c, scope, ingle_jinja_name(c, "loop", 4), true);
    ingle_jinja_emit(c, JINJA_OP_NEXT, 0, 0, 0);
    if (!c->status) c->j->code[loop].a = scope;
    ingle_jinja_push(c,
                     (jinja_goal){.kind = JINJA_G_FOR_TARGETS, .x = loop, .y = (uint32_t)c->pos});
    push_target(c, false, g.x);
}

static void goal_for_targets(jinja_compiler *c, jinja_goal g)
{
    if (!ingle_jinja_is_name(c, "in")) ingle_jinja_syntax(c, "'in' should follow the targets");
    if (c->status) return;
    for (size_t i = c->n_slots; i-- > 0 && c->slots[i].scope == c->scope;)
        c->slots[i].always = true;
    seek(c, g.y);
    bool filtered = ingle_jinja_take_name(c, "if");
    if (filtered) c->j->code[g.x].b |= JINJA_FOR_FILTERED;
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_FOR_HEAD, .x = g.x});
    if (!filtered) return;
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_FOR_PASS, .x = g.x});
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EXPR, .b = 1});
}

static void goal_for_pass(jinja_compiler *c, jinja_goal g)
{
    uint32_t pass = ingle_jinja_emit(c, JINJA_OP_PASS, 0, 0, 0);
    ingle_jinja_aim(c, pass, g.x + 1);
}

static void goal_for_head(jinja_compiler *c, jinja_goal g)
{
    if (ingle_jinja_take_name(c, "recursive") && !c->status)
        c->j->code[g.x].b |= JINJA_FOR_RECURSIVE;
    close_tag(c);
    keep(c, c->reads[JINJA_READ_LOOP]);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_FOR_END, .x = g.x});
    push_body(c, END_ELSE | END_FOR);
}

/* The program after the loop; true if there is an `else`. */
static void goal_for_end(jinja_compiler *c, jinja_goal g)
{
    bool has_else = ingle_jinja_is_name(c, "else"), recursive;
    if (c->status) return;
    c->pos++;
    jinja_ins *loop = &c->j->code[g.x];
    bool read = c->kw[--c->n_kw] != c->reads[JINJA_READ_LOOP];
    if (loop->b & JINJA_FOR_FILTERED && read) loop->b |= JINJA_FOR_PREFILTER;
    recursive = loop->b & JINJA_FOR_RECURSIVE;
    ingle_jinja_aim(c, ingle_jinja_emit(c, JINJA_OP_JUMP, 0, 0, 0), g.x + 1);
    land_all(c, g.y);
    ingle_jinja_land(c, g.x + 1);
    ingle_jinja_scope_close(c);
    uint32_t leave = ingle_jinja_emit(c, JINJA_OP_LEAVE, has_else, 0, 0);
    close_tag(c);
    if (!has_else) {
        if (recursive) ingle_jinja_emit(c, JINJA_OP_LOOPED, 0, 0, 0);
        return;
    }
    uint32_t scope = ingle_jinja_scope_open(c);
    ingle_jinja_emit(c, JINJA_OP_SCOPE, 0, 0, scope);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_FOR_ELSE, .b = recursive, .x = leave});
    push_body(c, END_FOR);
}

static void goal_for_else(jinja_compiler *c, jinja_goal g)
{
    c->pos++;
    close_tag(c);
    ingle_jinja_scope_close(c);
    ingle_jinja_emit(c, JINJA_OP_UNSCOPE, 0, 0, 0);
    ingle_jinja_land(c, g.x);
    if (g.b) ingle_jinja_emit(c, JINJA_OP_LOOPED, 0, 0, 0);
}

/* Out of scopes, but not out of what captures text. */
static void tag_jump(jinja_compiler *c, bool is_break)
{
    size_t i = c->n_goals;
    close_tag(c);
    while (i > 0 && c->goals[i - 1].kind != JINJA_G_FOR_END) {
        unsigned kind = c->goals[--i].kind;
        if (kind == JINJA_G_SCOPE_END || kind == JINJA_G_FOR_ELSE)
            ingle_jinja_emit(c, JINJA_OP_UNSCOPE, 0, 0, 0);
        if (kind == JINJA_G_BLOCK_END || kind == JINJA_G_FILTER_END || kind == JINJA_G_MACRO_END) {
            i = 0;
            break;
        }
    }
    if (!i) ingle_jinja_syntax(c, "'break' and 'continue' belong in a loop");
    if (c->status) return;
    jinja_goal *loop = &c->goals[i - 1];
    uint32_t jump = ingle_jinja_emit(c, JINJA_OP_JUMP, 0, 0, loop->y);
    if (is_break) loop->y = jump + 1;
    else ingle_jinja_aim(c, jump, loop->x + 1);
}

/* ---- set, filter, with, block, generation ---------------------------------------------------- */

static void capture(jinja_compiler *c)
{
    ingle_jinja_emit(c, JINJA_OP_CAPTURE, 0, 0, 0);
    ingle_jinja_emit(c, JINJA_OP_SCOPE, 0, 0, ingle_jinja_scope_open(c));
}

static void captured(jinja_compiler *c)
{
    ingle_jinja_scope_close(c);
    ingle_jinja_emit(c, JINJA_OP_UNSCOPE, 0, 0, 0);
    ingle_jinja_emit(c, JINJA_OP_CAPTURED, 0, 0, 0);
}

static void skip_tag(jinja_compiler *c)
{
    while (!ingle_jinja_is(c, JINJA_T_TAG_END) && !ingle_jinja_is(c, JINJA_T_END)) c->pos++;
    close_tag(c);
}

static void tag_set(jinja_compiler *c)
{
    bool is_tuple;
    uint32_t targets = (uint32_t)c->pos, filters;
    seek(c, (uint32_t)scan_targets(c, &is_tuple));
    if (ingle_jinja_take(c, JINJA_T_ASSIGN)) {
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_SET_STORE, .x = targets});
        push_tuple(c, JINJA_TUPLE_COND);
        return;
    }
    filters = (uint32_t)c->pos;
    if (is_tuple) ingle_jinja_syntax(c, "'=' should follow the targets");
    skip_tag(c);
    capture(c);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_BLOCK_END, .x = targets, .y = filters});
    push_body(c, END_SET);
}

static void goal_set_store(jinja_compiler *c, jinja_goal g)
{
    push(c, JINJA_G_CLOSE);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_SEEK, .x = (uint32_t)c->pos});
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EXPECT, .c = JINJA_T_ASSIGN});
    push_target(c, true, g.x);
}

static void goal_block_end(jinja_compiler *c, jinja_goal g)
{
    c->pos++;
    captured(c);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_BLOCK_STORE, .x = g.x, .y = (uint32_t)c->pos});
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_FILTERS, .b = 1});
    seek(c, g.y);
}

static void goal_block_store(jinja_compiler *c, jinja_goal g)
{
    close_tag(c); /* of the opening tag: nothing but filters was in it */
    push(c, JINJA_G_CLOSE);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_SEEK, .x = g.y});
    push_target(c, true, g.x);
}

static void tag_filter(jinja_compiler *c)
{
    uint32_t filters = (uint32_t)c->pos;
    skip_tag(c);
    capture(c);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_FILTER_END, .x = filters});
    push_body(c, END_FILTER);
}

static void goal_filter_end(jinja_compiler *c, jinja_goal g)
{
    c->pos++;
    captured(c);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_FILTER_DONE, .x = (uint32_t)c->pos});
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_FILTERS, .b = 1});
    push(c, JINJA_G_FILTER);
    seek(c, g.x);
}

static void goal_filter_done(jinja_compiler *c, jinja_goal g)
{
    close_tag(c);
    ingle_jinja_emit(c, JINJA_OP_PRINT, 0, 0, 0);
    seek(c, g.x);
    close_tag(c);
}

/* Values are computed outside, all of them before the first is stored inside. */
static void goal_with_value(jinja_compiler *c, jinja_goal g)
{
    bool is_tuple;
    if (g.c && !ingle_jinja_take(c, JINJA_T_COMMA)) {
        uint32_t end = (uint32_t)c->pos;
        close_tag(c);
        ingle_jinja_emit(c, JINJA_OP_SCOPE, 0, 0, ingle_jinja_scope_open(c));
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_SCOPE_END});
        push_body(c, END_WITH);
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_SEEK, .x = end + 1});
        while (c->n_kw > g.y) { /* the last value is on top */
            uint32_t name = c->kw[--c->n_kw];
            ingle_jinja_emit_store(c, name);
        }
        return;
    }
    if (!g.c && ingle_jinja_is(c, JINJA_T_TAG_END)) {
        close_tag(c);
        ingle_jinja_emit(c, JINJA_OP_SCOPE, 0, 0, ingle_jinja_scope_open(c));
        push(c, JINJA_G_SCOPE_END);
        push_body(c, END_WITH);
        return;
    }
    scan_targets(c, &is_tuple);
    uint32_t name = ingle_jinja_name_here(c);
    keep(c, name);
    ingle_jinja_expect(c, JINJA_T_ASSIGN);
    if (g.c == 200) ingle_jinja_unsupported(c, "too many variables in a 'with'");
    g.c++;
    ingle_jinja_push(c, g);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EXPR, .b = 1});
}

static void tag_scope(jinja_compiler *c, uint32_t end)
{
    close_tag(c);
    ingle_jinja_emit(c, JINJA_OP_SCOPE, 0, 0, ingle_jinja_scope_open(c));
    push(c, JINJA_G_SCOPE_END);
    push_body(c, end);
}

static void goal_scope_end(jinja_compiler *c)
{
    bool block = ingle_jinja_is_name(c, "endblock");
    c->pos++;
    if (block) ingle_jinja_take(c, JINJA_T_NAME);
    close_tag(c);
    ingle_jinja_scope_close(c);
    ingle_jinja_emit(c, JINJA_OP_UNSCOPE, 0, 0, 0);
}

static void tag_block(jinja_compiler *c)
{
    ingle_jinja_name_here(c);
    while (ingle_jinja_take_name(c, "scoped") || ingle_jinja_take_name(c, "required")) continue;
    tag_scope(c, END_BLOCK);
}

/* ---- macros ---------------------------------------------------------------------------------- */

/* Opens macro m, whose parameters are next, at its instruction `jump` over the body. */
static void push_params(jinja_compiler *c, uint32_t m, uint32_t jump)
{
    uint32_t scope = ingle_jinja_scope_open(c);
    if (c->status) return;
    c->j->macros[m].scope = scope;
    c->j->macros[m].entry = ingle_jinja_here(c);
    keep(c, (uint32_t)c->n_slots);
    for (int i = 0; i < 3; i++) keep(c, c->reads[i]);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_PARAMS, .x = m, .y = jump});
}

static void tag_macro(jinja_compiler *c)
{
    uint32_t name = ingle_jinja_name_here(c), m = ingle_jinja_macro(c, name);
    ingle_jinja_emit(c, JINJA_OP_MACRO, 0, 0, m);
    ingle_jinja_emit_store(c, name);
    uint32_t jump = ingle_jinja_emit(c, JINJA_OP_JUMP, 0, 0, 0);
    ingle_jinja_expect(c, JINJA_T_LPAREN);
    push_params(c, m, jump);
}

/* {% call(a, b) f(x) %}: the parameters belong to the body, which comes later. */
static void tag_call(jinja_compiler *c)
{
    uint32_t params = 0, m = ingle_jinja_macro(c, ingle_jinja_name(c, "caller", 6));
    uint32_t at = ingle_jinja_emit(c, JINJA_OP_MACRO, 0, 0, m);
    if (ingle_jinja_is(c, JINJA_T_LPAREN)) {
        size_t depth = 0;
        params = (uint32_t)c->pos + 1;
        do {
            depth += ingle_jinja_is(c, JINJA_T_LPAREN);
            depth -= ingle_jinja_is(c, JINJA_T_RPAREN);
            c->pos++;
        } while (depth && !ingle_jinja_is(c, JINJA_T_END));
    }
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_CALL_EXPR, .x = params, .y = at});
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EXPR, .b = 1});
}

static void goal_call_expr(jinja_compiler *c, jinja_goal g)
{
    uint32_t end = (uint32_t)c->pos;
    if (c->status) return;
    const jinja_ins *last = &c->j->code[c->j->n_code - 1];
    if ((last->op != JINJA_OP_CALL && last->op != JINJA_OP_METHOD) || c->landed == c->j->n_code ||
        !ingle_jinja_is(c, JINJA_T_TAG_END)) {
        ingle_jinja_syntax(c, "a call should follow 'call'");
        return;
    }
    c->j->shapes[last->a].caller = true;
    ingle_jinja_emit(c, JINJA_OP_PRINT, 0, 0, 0);
    uint32_t jump = ingle_jinja_emit(c, JINJA_OP_JUMP, 0, 0, 0), m = c->j->code[g.y].a;
    push_params(c, m, jump);
    if (c->status) return;
    c->goals[c->n_goals - 1].b = 2 | (g.x == 0);
    if (g.x) seek(c, g.x);
    c->j->macros[m].n_params = end; /* until the parameters are read: where the tag ends */
}

/* The next parameter. b: 1: there are none; 2: of a call; 4: one had a default. */
static void goal_params(jinja_compiler *c, jinja_goal g)
{
    if (c->status) return;
    bool done = g.b & 1 || ingle_jinja_take(c, JINJA_T_RPAREN);
    if (!done && g.c) {
        ingle_jinja_expect(c, JINJA_T_COMMA);
        done = ingle_jinja_take(c, JINJA_T_RPAREN);
    }
    if (done) {
        jinja_macro *macro = &c->j->macros[g.x];
        if (g.b & 2) seek(c, macro->n_params);
        close_tag(c);
        macro->n_params = g.c;
        ingle_jinja_push(c,
                         (jinja_goal){.kind = JINJA_G_MACRO_END, .b = g.b & 2, .x = g.x, .y = g.y});
        push_body(c, g.b & 2 ? END_CALL : END_MACRO);
        return;
    }
    uint32_t name = ingle_jinja_name_here(c), scope = c->scope;
    uint16_t slot = ingle_jinja_slot(c, scope, name, true);
    if (slot != g.c++) ingle_jinja_syntax(c, "a parameter is there twice");
    if (!ingle_jinja_take(c, JINJA_T_ASSIGN)) {
        if (g.b & 4) ingle_jinja_syntax(c, "a parameter without a default follows one with it");
        ingle_jinja_push(c, g);
        return;
    }
    g.b |= 4;
    uint32_t given = ingle_jinja_emit(c, JINJA_OP_DEFAULT, 0, slot, 0);
    ingle_jinja_push(c, g);
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_PARAM_STORE, .c = slot, .x = given});
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_EXPR, .b = 1});
}

static void goal_param_store(jinja_compiler *c, jinja_goal g)
{
    ingle_jinja_emit(c, JINJA_OP_STORE, 0, g.c, 0);
    ingle_jinja_land(c, g.x);
}

/* Names of the parameters, and the slots of those that are there only if they are read. */
static void finish_macro(jinja_compiler *c, jinja_macro *macro)
{
    static const char *const names[] = {"caller", "varargs", "kwargs"};
    uint16_t *const slots[] = {&macro->caller, &macro->varargs, &macro->kwargs};
    jinja_str **param = ingle_jinja_new(&c->j->arena, (macro->n_params + 1) * sizeof *param);
    if (!param) {
        ingle_jinja_no_memory(c);
        return;
    }
    uint32_t first = c->kw[c->n_kw - 4]; /* none came between them */
    for (size_t i = 0; i < macro->n_params; i++) param[i] = c->j->names[c->slots[first + i].name];
    macro->param = param;
    for (int i = 2; i >= 0; i--) {
        bool read = c->reads[i] != c->kw[--c->n_kw];
        if (read)
            *slots[i] = ingle_jinja_slot(c, macro->scope,
                                         ingle_jinja_name(c, names[i], strlen(names[i])), true);
    }
    c->n_kw--;
}

static void goal_macro_end(jinja_compiler *c, jinja_goal g)
{
    c->pos++;
    if (!g.b) ingle_jinja_take(c, JINJA_T_NAME);
    close_tag(c);
    ingle_jinja_emit(c, JINJA_OP_RETURN, 0, 0, 0);
    ingle_jinja_land(c, g.y);
    ingle_jinja_scope_close(c);
    if (!c->status) finish_macro(c, &c->j->macros[g.x]);
}

/* ---- tags ------------------------------------------------------------------------------------ */

static void tag_with(jinja_compiler *c)
{
    ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_WITH_VALUE, .y = (uint32_t)c->n_kw});
}

static void tag_generation(jinja_compiler *c)
{
    tag_scope(c, END_GENERATION);
}

static void tag_break(jinja_compiler *c)
{
    tag_jump(c, true);
}

static void tag_continue(jinja_compiler *c)
{
    tag_jump(c, false);
}

static const struct {
    const char *name;
    void (*begin)(jinja_compiler *c);
} TAGS[] = {
    {"if", tag_if},
    {"for", tag_for},
    {"set", tag_set},
    {"macro", tag_macro},
    {"call", tag_call},
    {"filter", tag_filter},
    {"with", tag_with},
    {"block", tag_block},
    {"generation", tag_generation},
    {"break", tag_break},
    {"continue", tag_continue},
    {"include", NULL},
    {"import", NULL},
    {"from", NULL},
    {"extends", NULL},
    {"autoescape", NULL},
};

static void unknown_tag(jinja_compiler *c, uint32_t ends)
{
    char found[64];
    const char *tag = ingle_jinja_token_text(&c->t, ingle_jinja_token(c), found);
    if (!ingle_jinja_is(c, JINJA_T_NAME)) ingle_jinja_syntax(c, "the name of a tag is missing");
    else if (ends) ingle_jinja_syntax(c, "unknown tag %s where '%s' is due", tag, end_name(ends));
    else ingle_jinja_syntax(c, "unknown tag %s", tag);
}

static void begin_tag(jinja_compiler *c, uint32_t ends)
{
    for (size_t i = 0; i < sizeof TAGS / sizeof *TAGS; i++) {
        if (!ingle_jinja_take_name(c, TAGS[i].name)) continue;
        if (TAGS[i].begin) TAGS[i].begin(c);
        else {
            char text[80];
            c->pos--;
            snprintf(text, sizeof text, "the tag '%s' is not supported", TAGS[i].name);
            ingle_jinja_unsupported(c, text);
        }
        return;
    }
    unknown_tag(c, ends);
}

/* True if a tag that ends this body is next: its name is the current token. */
static bool is_end(const jinja_compiler *c, uint32_t ends)
{
    for (int i = 0; i < N_ENDS; i++)
        if (ends >> i & 1 && ingle_jinja_is_name(c, ENDS[i])) return true;
    return false;
}

static void goal_body(jinja_compiler *c, jinja_goal g)
{
    if (c->unknown) {
        const jinja_str *s = c->j->names[c->j->code[c->unknown - 1].a];
        c->status = ingle_fail(c->err, INGLE_EFORMAT, "line %u: there is no %s named '%.*s'",
                               (unsigned)c->unknown_line,
                               c->j->code[c->unknown - 1].b ? "test" : "filter", (int)s->n, s->p);
        return;
    }
    while (ingle_jinja_is(c, JINJA_T_DATA) && !c->status) print_data(c);
    if (ingle_jinja_is(c, JINJA_T_END)) {
        if (g.x) ingle_jinja_syntax(c, "the template ends where '%s' is due", end_name(g.x));
        else ingle_jinja_emit(c, JINJA_OP_END, 0, 0, 0);
        return;
    }
    if (ingle_jinja_take(c, JINJA_T_PRINT)) {
        ingle_jinja_push(c, g);
        ingle_jinja_push(c, (jinja_goal){.kind = JINJA_G_PRINTED, .x = ingle_jinja_here(c)});
        push_tuple(c, JINJA_TUPLE_COND);
        return;
    }
    ingle_jinja_expect(c, JINJA_T_TAG);
    if (is_end(c, g.x)) return;
    ingle_jinja_push(c, g);
    begin_tag(c, g.x);
}

/* ---- which goal ------------------------------------------------------------------------------ */

void ingle_jinja_stmt_goal(jinja_compiler *c, jinja_goal g)
{
    switch ((jinja_goal_kind)g.kind) {
    case JINJA_G_BODY: goal_body(c, g); break;
    case JINJA_G_PRINTED: goal_printed(c, g); break;
    case JINJA_G_CLOSE: close_tag(c); break;
    case JINJA_G_SEEK: seek(c, g.x); break;
    case JINJA_G_IF_TEST: goal_if_test(c, g); break;
    case JINJA_G_IF_NEXT: goal_if_next(c, g); break;
    case JINJA_G_IF_END: goal_if_end(c, g); break;
    case JINJA_G_FOR_ITER: goal_for_iter(c, g); break;
    case JINJA_G_FOR_TARGETS: goal_for_targets(c, g); break;
    case JINJA_G_FOR_PASS: goal_for_pass(c, g); break;
    case JINJA_G_FOR_HEAD: goal_for_head(c, g); break;
    case JINJA_G_FOR_END: goal_for_end(c, g); break;
    case JINJA_G_FOR_ELSE: goal_for_else(c, g); break;
    case JINJA_G_TARGET: goal_target(c, g); break;
    case JINJA_G_TARGET_REST: goal_target_rest(c, g); break;
    case JINJA_G_TARGET_NEXT: goal_target_next(c, g); break;
    case JINJA_G_SET_STORE: goal_set_store(c, g); break;
    case JINJA_G_BLOCK_END: goal_block_end(c, g); break;
    case JINJA_G_BLOCK_STORE: goal_block_store(c, g); break;
    case JINJA_G_WITH_VALUE: goal_with_value(c, g); break;
    case JINJA_G_SCOPE_END: goal_scope_end(c); break;
    case JINJA_G_FILTER_END: goal_filter_end(c, g); break;
    case JINJA_G_FILTER_DONE: goal_filter_done(c, g); break;
    case JINJA_G_PARAMS: goal_params(c, g); break;
    case JINJA_G_PARAM_STORE: goal_param_store(c, g); break;
    case JINJA_G_MACRO_END: goal_macro_end(c, g); break;
    case JINJA_G_CALL_EXPR: goal_call_expr(c, g); break;
    default: break;
    }
}
