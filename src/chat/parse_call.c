/* parse_call.c - calls: sections, heads, Python (parse_state.h). */
#include "chat/parse_state.h"

static void eat(ingle_parse *p, char c)
{
    ingle_parse_eat(p, &c, 1);
}

/* After a call, its mark included. */
static void after_item(ingle_parse *p)
{
    ingle_parse_drop_held(p);
    if (p->in_section) {
        p->state = PARSE_SECTION;
    } else {
        p->stray = true; /* a section's end may come that nothing opened */
        ingle_parse_leave(p);
    }
}

/* After the arguments. */
static void after_args(ingle_parse *p)
{
    p->state = PARSE_TAIL;
    if (!p->syntax->close && !p->syntax->tail) after_item(p);
}

/* ---- heads ----------------------------------------------------------------------------------- */

static void begin_head(ingle_parse *p)
{
    p->i_head = 0;
    p->field.n = p->name.n = p->id.n = 0;
    p->state = PARSE_HEAD;
}

/* The name means that no call comes: what follows is text. */
static void no_call(ingle_parse *p)
{
    ingle_parse_drop_held(p);
    p->reasoning = false;
    p->fresh = true;
    p->skip = SKIP_LINES;
    p->in_section = false;
    p->state = PARSE_TEXT;
}

/* A mark ended a part of the head. */
static void end_head_part(ingle_parse *p)
{
    const ingle_call_syntax *s = p->syntax;
    bool tagged = s->kind == INGLE_CALL_TAGGED;
    const char *hit = p->match;
    bool last = (s->args && !strcmp(hit, s->args)) || p->i_head + 1 == INGLE_SYNTAX_HEADS ||
                !s->head[p->i_head + 1].field;
    /* a mark of what follows ended the name */
    bool next = s->brace || (tagged && strcmp(hit, s->head[p->i_head].end) != 0);
    if (!ingle_parse_take_name(p, s->head[p->i_head].field)) {
        ingle_parse_match_back(p);
        ingle_parse_give_up(p);
        return;
    }
    p->field.n = 0;
    if (next) ingle_parse_match_back(p);
    else ingle_parse_match_eat(p);
    p->i_head++;
    if (ingle_parse_is_no_call(p)) {
        no_call(p);
    } else if (!last) {
        return;
    } else if (!tagged) {
        p->state = PARSE_ARGS;
    } else if (ingle_parse_begin_call(p)) {
        ingle_parse_tagged_begin(p);
    } else {
        ingle_parse_give_up(p);
    }
}

static void head_step(ingle_parse *p, char c)
{
    const ingle_call_syntax *s = p->syntax;
    bool tagged = s->kind == INGLE_CALL_TAGGED;
    const char *marks[] = {s->head[p->i_head].end, s->args, tagged ? s->key : NULL,
                           tagged ? s->close : NULL};
    if (!p->field.n && !p->n_match) {
        if (ingle_parse_is_space(c)) {
            eat(p, c);
            return;
        }
        if (s->objects && !p->i_head && (c == '{' || c == '[')) {
            ingle_parse_begin_objects(p, c);
            return;
        }
    }
    switch (ingle_parse_compare(p, marks, 4, c)) {
    case MATCH_MORE: return;
    case MATCH_HIT: end_head_part(p); return;
    case MATCH_NONE: break;
    }
    if (p->field.n == PARSE_FIELD_MAX) {
        ingle_parse_match_back(p);
        ingle_parse_give_up(p);
        return;
    }
    ingle_parse_unread(p, p->match + 1, p->n_match - 1);
    p->n_match = 0;
    ingle_bytes_add(&p->field, p->match[0]);
    eat(p, p->match[0]);
}

static void args_step(ingle_parse *p, char c)
{
    if (!p->n_match && ingle_parse_is_space(c)) {
        eat(p, c);
        return;
    }
    if (!p->n_match && (c == '{' || c == '"')) {
        bool text = c == '"'; /* JSON in a JSON string */
        ingle_parse_unread(p, &c, 1);
        if (!ingle_parse_begin_call(p)) {
            ingle_parse_give_up(p);
            return;
        }
        p->late.n = 0;
        p->late_is_text = text;
        ingle_parse_begin_value(p, text ? TO_LATE : TO_ARGS, PARSE_VALUE);
        return;
    }
    parse_match m = ingle_parse_compare(p, &p->syntax->close, 1, c);
    if (m == MATCH_MORE) return;
    if (m == MATCH_NONE || !ingle_parse_begin_call(p)) {
        ingle_parse_match_back(p);
        ingle_parse_give_up(p);
        return;
    }
    ingle_parse_match_eat(p);
    ingle_bytes_text(ingle_parse_args(p), "{}");
    ingle_parse_end_call(p, false);
    after_item(p);
}

static void args_value_step(ingle_parse *p, char c)
{
    bool done;
    if (!ingle_parse_value_step(p, c, &done)) {
        ingle_parse_reject(p, c);
    } else if (done) {
        ingle_parse_end_call(p, p->to == TO_LATE && !ingle_parse_put_late(p));
        after_args(p);
    }
}

static void tail_step(ingle_parse *p, char c)
{
    const char *marks[] = {p->syntax->close, p->syntax->tail};
    if (!p->n_match && ingle_parse_is_space(c)) {
        eat(p, c);
        return;
    }
    parse_match m = ingle_parse_compare(p, marks, 2, c);
    if (m == MATCH_MORE) return;
    if (m == MATCH_NONE) {
        ingle_parse_match_back(p);
        after_item(p);
        return;
    }
    bool closed = p->i_hit == 0;
    ingle_parse_match_eat(p);
    if (closed) after_item(p);
}

/* ---- Python ---------------------------------------------------------------------------------- */

static bool is_callee(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return letter || (!first && ((c >= '0' && c <= '9') || c == '.' || c == '-'));
}

static void list_step(ingle_parse *p, char c)
{
    if (ingle_parse_is_space(c) || (c == ',' && p->n_in_section)) {
        eat(p, c);
    } else if (c == ']' && p->n_in_section) {
        eat(p, c);
        ingle_parse_end_objects(p);
    } else if (c == '{' && p->syntax->objects) {
        eat(p, c);
        ingle_parse_begin_object(p);
    } else if (is_callee(c, true)) {
        ingle_parse_unread(p, &c, 1);
        p->name.n = p->id.n = p->field.n = 0;
        p->state = PARSE_CALLEE;
    } else {
        ingle_parse_reject(p, c);
    }
}

static void callee_step(ingle_parse *p, char c)
{
    static const char method[] = ".call"; /* of a tool that is an object */
    size_t len = sizeof method - 1;
    if (is_callee(c, !p->field.n) && p->field.n < PARSE_NAME_MAX) {
        ingle_bytes_add(&p->field, c);
        eat(p, c);
        return;
    }
    if (p->field.n > len && !memcmp(p->field.p + p->field.n - len, method, len)) p->field.n -= len;
    if (c != '(' || !ingle_parse_take_name(p, INGLE_HEAD_NAME) || !ingle_parse_begin_call(p)) {
        ingle_parse_reject(p, c);
        return;
    }
    eat(p, c);
    ingle_value_begin_call(&p->value, ingle_parse_args(p));
    p->to = TO_ARGS;
    p->state = PARSE_CALLEE_ARGS;
}

static void callee_args_step(ingle_parse *p, char c)
{
    bool done;
    if (!ingle_parse_value_step(p, c, &done)) {
        ingle_parse_reject(p, c);
    } else if (done) {
        ingle_parse_end_call(p, false);
        p->state = PARSE_LIST;
        if (!p->in_array) after_item(p);
    }
}

/* ---- sections -------------------------------------------------------------------------------- */

/* A call of this syntax begins with c, in a section without a mark before it. */
static bool begins_here(ingle_parse *p, const ingle_call_syntax *s, char c)
{
    bool objects =
        s->kind == INGLE_CALL_OBJECT ? !s->open : s->kind == INGLE_CALL_PYTHON && s->objects;
    p->syntax = s;
    if (s->kind == INGLE_CALL_PYTHON && c == '[') {
        p->in_array = true;
        p->state = PARSE_LIST;
        eat(p, c);
    } else if (objects && (c == '{' || c == '[')) {
        ingle_parse_begin_objects(p, c);
    } else if (s->kind == INGLE_CALL_PYTHON && s->section && is_callee(c, true)) {
        p->in_array = false;
        p->name.n = p->id.n = p->field.n = 0;
        p->state = PARSE_CALLEE;
        ingle_parse_unread(p, &c, 1);
    } else {
        return false;
    }
    return true;
}

static bool same_section(const ingle_parse *p, const ingle_call_syntax *s)
{
    return s->section && !strcmp(s->section, p->mark);
}

static void section_hit(ingle_parse *p, size_t i, const ingle_call_syntax *s)
{
    ingle_parse_match_eat(p);
    if (i == p->n_syntaxes) {
        ingle_parse_leave(p);
        return;
    }
    p->syntax = s;
    if (s->kind != INGLE_CALL_OBJECT) {
        begin_head(p);
        return;
    }
    p->state = PARSE_ELEMENT; /* a list, or one object */
    p->in_array = false;
}

static void section_step(ingle_parse *p, char c)
{
    const char *marks[INGLE_PROFILE_CALLS + 1] = {0};
    const ingle_call_syntax *now = p->syntax;
    if (!p->n_match) {
        if (ingle_parse_is_space(c) || (p->n_in_section && (c == ',' || c == ';'))) {
            eat(p, c);
            return;
        }
        for (size_t i = 0; i < p->n_syntaxes; i++)
            if (same_section(p, p->calls[i]) && begins_here(p, p->calls[i], c)) return;
        p->syntax = now;
        for (size_t i = 0; i < p->n_syntaxes && !p->n_in_section && is_callee(c, true); i++) {
            const ingle_call_syntax *s = p->calls[i];
            if (s->section || !s->open || strcmp(s->open, p->mark) != 0) continue;
            ingle_parse_unread(p, &c, 1); /* its mark begins a call in another format */
            ingle_parse_call_head(p, p->mark, s);
            return;
        }
    }
    for (size_t i = 0; i < p->n_syntaxes; i++)
        if (same_section(p, p->calls[i])) marks[i] = p->calls[i]->open;
    marks[p->n_syntaxes] = p->n_in_section ? now->section_close : NULL;
    switch (ingle_parse_compare(p, marks, p->n_syntaxes + 1, c)) {
    case MATCH_MORE: break;
    case MATCH_HIT:
        section_hit(p, p->i_hit, p->i_hit < p->n_syntaxes ? p->calls[p->i_hit] : NULL);
        break;
    case MATCH_NONE:
        ingle_parse_match_back(p);
        if (p->n_in_section) {
            p->stray = true;
            ingle_parse_leave(p);
        } else {
            ingle_parse_give_up(p);
        }
    }
}

void ingle_parse_call_section(ingle_parse *p, const char *mark, const ingle_call_syntax *s)
{
    p->mark = mark;
    p->syntax = s;
    p->in_section = true;
    p->n_in_section = 0;
    p->state = PARSE_SECTION;
}

void ingle_parse_call_head(ingle_parse *p, const char *mark, const ingle_call_syntax *s)
{
    p->mark = mark;
    p->syntax = s;
    p->in_section = false;
    p->n_in_section = 0;
    begin_head(p);
}

bool ingle_parse_call_bare(ingle_parse *p, char c)
{
    const ingle_call_syntax *const *s = p->calls, *before = p->syntax;
    if (c != '{' && c != '[') return false;
    p->n_in_section = 0;
    p->in_section = false;
    for (size_t i = 0; i < p->n_syntaxes; i++) {
        if (s[i]->section || s[i]->open) continue;
        bool list = s[i]->kind == INGLE_CALL_PYTHON;
        if (list && c != '[') continue;
        ingle_parse_eat(p, p->space, p->n_space); /* text again if this is no call */
        p->n_space = 0;
        p->mark = NULL;
        return begins_here(p, s[i], c);
    }
    p->syntax = before;
    return false;
}

/* ---- all of them ----------------------------------------------------------------------------- */

void ingle_parse_call_step(ingle_parse *p, char c)
{
    switch (p->state) {
    case PARSE_SECTION: section_step(p, c); break;
    case PARSE_HEAD: head_step(p, c); break;
    case PARSE_ARGS: args_step(p, c); break;
    case PARSE_VALUE: args_value_step(p, c); break;
    case PARSE_TAIL: tail_step(p, c); break;
    case PARSE_ELEMENT:
    case PARSE_MEMBER:
    case PARSE_MEMBER_NAME:
    case PARSE_MEMBER_COLON:
    case PARSE_MEMBER_VALUE:
    case PARSE_MEMBER_REST: ingle_parse_object_step(p, c); break;
    case PARSE_LIST: list_step(p, c); break;
    case PARSE_CALLEE: callee_step(p, c); break;
    case PARSE_CALLEE_ARGS: callee_args_step(p, c); break;
    default: ingle_parse_tagged_step(p, c);
    }
    if (p->state == PARSE_KEYS && !p->call_open) after_item(p); /* the call has just ended */
    if (p->held.n + p->late.n > p->opt.max_held) ingle_parse_give_up(p);
}

/* Nothing follows. Between calls what is left belongs to marks; a call that is open ends well if
 * its arguments are complete; what has not become a call is text. */
void ingle_parse_call_finish(ingle_parse *p)
{
    bool between = p->n_in_section && !p->call_open &&
                   (p->state == PARSE_SECTION || p->state == PARSE_TAIL || p->state == PARSE_LIST ||
                    p->state == PARSE_ELEMENT);
    if (p->state >= PARSE_KEYS && p->state <= PARSE_TAG_AFTER) ingle_parse_tagged_finish(p);
    if (p->call_open && p->args_done) ingle_parse_end_call(p, false);
    ingle_parse_match_eat(p);
    if (between) ingle_parse_leave(p);
    else ingle_parse_give_up(p);
}
