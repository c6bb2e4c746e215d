/* parse_object.c - calls that are objects with a name and arguments (parse_state.h). */
#include "chat/parse_state.h"

static void eat(ingle_parse *p, char c)
{
    ingle_parse_eat(p, &c, 1);
}

void ingle_parse_begin_object(ingle_parse *p)
{
    p->name.n = p->id.n = p->late.n = 0;
    p->has_late = p->late_is_text = p->args_done = false;
    p->n_function = 0;
    p->state = PARSE_MEMBER;
}

void ingle_parse_begin_objects(ingle_parse *p, char c)
{
    p->in_array = c == '[';
    eat(p, c);
    if (p->in_array) p->state = PARSE_ELEMENT;
    else ingle_parse_begin_object(p);
}

void ingle_parse_end_objects(ingle_parse *p)
{
    if (p->syntax->section_close && p->in_section) {
        ingle_parse_drop_held(p);
        p->state = PARSE_SECTION;
    } else {
        ingle_parse_leave(p);
    }
}

/* A list that nothing announced may be one of calls in Python: c begins a name. */
static bool is_python(ingle_parse *p, char c)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (!letter || p->in_section || p->n_in_section || !p->in_array) return false;
    for (size_t i = 0; i < p->n_syntaxes; i++) {
        const ingle_call_syntax *s = p->calls[i];
        if (s->kind != INGLE_CALL_PYTHON || s->section || s->open) continue;
        p->syntax = s;
        p->state = PARSE_LIST;
        ingle_parse_unread(p, &c, 1);
        return true;
    }
    return false;
}

static void element_step(ingle_parse *p, char c)
{
    bool list = c == '[' && !p->in_array; /* after a section's second mark */
    if (ingle_parse_is_space(c) || c == ',' || list) {
        p->in_array |= list;
        eat(p, c);
    } else if (c == '{') {
        eat(p, c);
        ingle_parse_begin_object(p);
    } else if (c == ']' && p->n_in_section) {
        eat(p, c);
        ingle_parse_end_objects(p);
    } else if (!is_python(p, c)) {
        ingle_parse_reject(p, c);
    }
}

/* The object of a call is over. False: it was none. */
static bool end_object(ingle_parse *p)
{
    const ingle_call_syntax *s = p->syntax;
    if (s->keyed) return p->n_in_section > 0;
    if (!p->call_open) {
        if (!p->name.n || (s->strict && !p->has_late)) return false;
        if (ingle_parse_is_no_call(p)) p->n_in_section++;
        if (ingle_parse_is_no_call(p)) return true;
        if (!ingle_parse_begin_call(p)) return false;
    }
    bool ok = !p->has_late || ingle_parse_put_late(p);
    if (ok && !p->args_done) ingle_bytes_text(ingle_parse_args(p), "{}");
    ingle_parse_end_call(p, !ok);
    return true;
}

static void close_object(ingle_parse *p, char c)
{
    if (p->n_function) {
        p->n_function--;
        eat(p, c);
        return;
    }
    eat(p, c);
    if (!end_object(p)) {
        ingle_parse_give_up(p);
        return;
    }
    ingle_parse_drop_held(p);
    if (p->in_array) p->state = PARSE_ELEMENT;
    else ingle_parse_end_objects(p);
}

static void member_step(ingle_parse *p, char c)
{
    if (ingle_parse_is_space(c) || c == ',') {
        eat(p, c);
    } else if (c == '"' || c == '\'') {
        ingle_parse_unread(p, &c, 1);
        p->field.n = 0;
        ingle_parse_begin_value(p, TO_FIELD, PARSE_MEMBER_NAME);
    } else if (c == '}') {
        close_object(p, c);
    } else {
        ingle_parse_reject(p, c);
    }
}

static parse_role role_of(const ingle_parse *p)
{
    const ingle_call_syntax *s = p->syntax;
    const ingle_bytes *key = &p->field;
    if (s->keyed) return ROLE_ARGS;
    if (s->key_id && ingle_bytes_are(key, s->key_id)) return ROLE_ID;
    if (ingle_bytes_are(key, s->key_name) || ingle_bytes_are(key, "name")) return ROLE_NAME;
    if (ingle_bytes_are(key, s->key_args) || ingle_bytes_are(key, "arguments") ||
        ingle_bytes_are(key, "parameters"))
        return ROLE_ARGS;
    return ingle_bytes_are(key, "function") ? ROLE_FUNCTION : ROLE_OTHER;
}

static void member_name_step(ingle_parse *p, char c)
{
    bool done;
    if (!ingle_parse_value_step(p, c, &done)) {
        ingle_parse_reject(p, c);
    } else if (done) {
        if (!ingle_parse_decode(p, &p->field)) {
            ingle_parse_give_up(p);
            return;
        }
        p->role = role_of(p);
        /* an answer in JSON is no call */
        bool other = p->role == ROLE_OTHER && !ingle_bytes_are(&p->field, "type");
        bool ok = !(p->syntax->strict && other);
        if (p->syntax->keyed) ok = ingle_parse_take_name(p, INGLE_HEAD_NAME);
        if (ok) p->state = PARSE_MEMBER_COLON;
        else ingle_parse_give_up(p);
    }
}

static void member_colon_step(ingle_parse *p, char c)
{
    if (ingle_parse_is_space(c) || c == ':') {
        eat(p, c);
        if (c == ':') p->state = PARSE_MEMBER_VALUE;
    } else {
        ingle_parse_reject(p, c);
    }
}

/* Where the value goes that begins with c, by its member. False: it cannot be that member's. */
static bool member_value_begin(ingle_parse *p, char c)
{
    bool text = c == '"' || c == '\'';
    p->field.n = 0;
    p->to = TO_NOWHERE;
    switch (p->role) {
    case ROLE_ID: p->to = TO_FIELD; return c != '{' && c != '[';
    case ROLE_FUNCTION:
    case ROLE_NAME: p->to = TO_FIELD; return text && !p->call_open;
    case ROLE_OTHER: return true;
    case ROLE_ARGS: break;
    }
    if (c != '{' && !text) return c == 'n';                /* null: none */
    if (p->args_done || p->has_late) return !p->call_open; /* twice: the first counts */
    p->to = TO_LATE;
    p->late_is_text = text;
    if (text || !p->name.n || ingle_parse_is_no_call(p)) return true;
    if (!p->call_open && !ingle_parse_begin_call(p)) return false;
    p->to = TO_ARGS;
    return true;
}

static void member_value_step(ingle_parse *p, char c)
{
    if (ingle_parse_is_space(c)) {
        eat(p, c);
    } else if (p->role == ROLE_FUNCTION && c == '{') {
        eat(p, c);
        p->n_function++;
        p->state = PARSE_MEMBER;
    } else if (member_value_begin(p, c)) {
        ingle_parse_unread(p, &c, 1);
        ingle_parse_begin_value(p, p->to, PARSE_MEMBER_REST);
    } else {
        ingle_parse_reject(p, c);
    }
}

/* The value of a member is complete. */
static bool member_end(ingle_parse *p)
{
    p->state = PARSE_MEMBER;
    switch (p->role) {
    case ROLE_ID:
        return ingle_parse_decode(p, &p->field) && ingle_parse_take_name(p, INGLE_HEAD_ID);
    case ROLE_FUNCTION:
    case ROLE_NAME:
        return ingle_parse_decode(p, &p->field) && ingle_parse_take_name(p, INGLE_HEAD_NAME);
    case ROLE_OTHER: return true;
    case ROLE_ARGS: break;
    }
    if (p->to == TO_LATE) p->has_late = true;
    if (p->to == TO_ARGS) p->args_done = true;
    if (!p->syntax->keyed || p->to == TO_NOWHERE) return true;
    if (!p->call_open && !ingle_parse_begin_call(p)) return false;
    ingle_parse_end_call(p, p->has_late && !ingle_parse_put_late(p));
    p->args_done = false; /* the next member is another call */
    return true;
}

static void member_rest_step(ingle_parse *p, char c)
{
    bool done;
    if (!ingle_parse_value_step(p, c, &done)) ingle_parse_reject(p, c);
    else if (done && !member_end(p)) ingle_parse_give_up(p);
}

void ingle_parse_object_step(ingle_parse *p, char c)
{
    switch (p->state) {
    case PARSE_ELEMENT: element_step(p, c); break;
    case PARSE_MEMBER: member_step(p, c); break;
    case PARSE_MEMBER_NAME: member_name_step(p, c); break;
    case PARSE_MEMBER_COLON: member_colon_step(p, c); break;
    case PARSE_MEMBER_VALUE: member_value_step(p, c); break;
    default: member_rest_step(p, c);
    }
}
