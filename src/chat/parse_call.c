/* parse_call.c - calls: sections, heads, objects, Python (parse_state.h). */
#include "chat/parse_state.h"

static void to_text_and_again(ingle_parse *p, char c)
{
    parse_unread(p, &c, 1);
    parse_give_up(p);
}

static void eat(ingle_parse *p, char c)
{
    parse_eat(p, &c, 1);
}

/* Behind a call, its mark included. */
static void after_item(ingle_parse *p)
{
    parse_drop_held(p);
    if (p->in_section) {
        p->state = PARSE_SECTION;
    } else {
        p->stray = true; /* a section's end may come that nothing opened */
        parse_leave(p);
    }
}

/* Behind the arguments. */
static void after_args(ingle_parse *p)
{
    p->state = PARSE_TAIL;
    if (!p->syntax->close && !p->syntax->tail) after_item(p);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Begins a value of JSON, whose bytes go to `to`, with its first byte. */
static void begin_value(ingle_parse *p, parse_to to, parse_state state)
{
    p->to = to;
    p->state = state;
    ingle_value_begin(&p->value, p->syntax->quote, p->syntax->values == INGLE_VALUES_BARE);
}

/* Takes a byte of a value; a byte behind it is given back. False: the byte cannot follow, nothing
 * was consumed. *done: the value is over. */
static bool value_step(ingle_parse *p, char c, bool *done)
{
    if (p->to == TO_FIELD && p->field.n > PARSE_FIELD_MAX) return false;
    ingle_bytes *out = p->to == TO_ARGS ? parse_args(p) : p->to == TO_LATE ? &p->late : &p->field;
    ingle_value_result r = ingle_value_step(&p->value, c, out);
    *done = r == INGLE_VALUE_DONE || r == INGLE_VALUE_ENDED;
    if (r == INGLE_VALUE_BAD) return false;
    if (r == INGLE_VALUE_ENDED) parse_unread(p, &c, 1);
    else eat(p, c);
    if (p->to == TO_NOWHERE) p->field.n = 0;
    return true;
}

/* The text of a JSON string (or the bytes of another value) in *from replaces it. */
static bool decode(ingle_parse *p, ingle_bytes *from)
{
    ingle_json_doc doc;
    if (!from->n || from->p[0] != '"') return from->n;
    ingle_status st = ingle_json_open(&doc, from->p, from->n, NULL, NULL);
    p->failed |= st == INGLE_ENOMEM;
    if (st) return false;
    from->n = 0;
    ingle_bytes_put(from, doc.root->text, doc.root->len);
    ingle_json_close(&doc);
    return true;
}

/* ---- heads ----------------------------------------------------------------------------------- */

static void begin_head(ingle_parse *p)
{
    p->i_head = 0;
    p->field.n = p->name.n = p->id.n = 0;
    p->state = PARSE_HEAD;
}

static void begin_objects(ingle_parse *p, char c);
static bool put_late(ingle_parse *p);

/* The name means that no call comes: what follows is text. */
static void no_call(ingle_parse *p)
{
    parse_drop_held(p);
    p->reasoning = false;
    p->fresh = true;
    p->skip = SKIP_LINES;
    p->in_section = false;
    p->state = PARSE_TEXT;
}

static bool is_no_call(const ingle_parse *p)
{
    return p->syntax->no_call && ingle_bytes_are(&p->name, p->syntax->no_call);
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
    if (!parse_take_name(p, s->head[p->i_head].field)) {
        parse_match_back(p);
        parse_give_up(p);
        return;
    }
    p->field.n = 0;
    if (next) parse_match_back(p);
    else parse_match_eat(p);
    p->i_head++;
    if (is_no_call(p)) {
        no_call(p);
    } else if (!last) {
        return;
    } else if (!tagged) {
        p->state = PARSE_ARGS;
    } else if (parse_begin_call(p)) {
        parse_tagged_begin(p);
    } else {
        parse_give_up(p);
    }
}

static void head_step(ingle_parse *p, char c)
{
    const ingle_call_syntax *s = p->syntax;
    bool tagged = s->kind == INGLE_CALL_TAGGED;
    const char *marks[] = {s->head[p->i_head].end, s->args, tagged ? s->key : NULL,
                           tagged ? s->close : NULL};
    if (!p->field.n && !p->n_match) {
        if (parse_is_space(c)) {
            eat(p, c);
            return;
        }
        if (s->objects && !p->i_head && (c == '{' || c == '[')) {
            begin_objects(p, c);
            return;
        }
    }
    switch (parse_compare(p, marks, 4, c)) {
    case MATCH_MORE: return;
    case MATCH_HIT: end_head_part(p); return;
    case MATCH_NONE: break;
    }
    if (p->field.n == PARSE_FIELD_MAX) {
        parse_match_back(p);
        parse_give_up(p);
        return;
    }
    parse_unread(p, p->match + 1, p->n_match - 1);
    p->n_match = 0;
    ingle_bytes_add(&p->field, p->match[0]);
    eat(p, p->match[0]);
}

static void args_step(ingle_parse *p, char c)
{
    if (!p->n_match && parse_is_space(c)) {
        eat(p, c);
        return;
    }
    if (!p->n_match && (c == '{' || c == '"')) {
        bool text = c == '"'; /* JSON in a JSON string */
        parse_unread(p, &c, 1);
        if (!parse_begin_call(p)) {
            parse_give_up(p);
            return;
        }
        p->late.n = 0;
        p->late_is_text = text;
        begin_value(p, text ? TO_LATE : TO_ARGS, PARSE_VALUE);
        return;
    }
    parse_match m = parse_compare(p, &p->syntax->close, 1, c);
    if (m == MATCH_MORE) return;
    if (m == MATCH_NONE || !parse_begin_call(p)) {
        parse_match_back(p);
        parse_give_up(p);
        return;
    }
    parse_match_eat(p);
    ingle_bytes_text(parse_args(p), "{}");
    parse_end_call(p, false);
    after_item(p);
}

static void args_value_step(ingle_parse *p, char c)
{
    bool done;
    if (!value_step(p, c, &done)) {
        to_text_and_again(p, c);
    } else if (done) {
        parse_end_call(p, p->to == TO_LATE && !put_late(p));
        after_args(p);
    }
}

static void tail_step(ingle_parse *p, char c)
{
    const char *marks[] = {p->syntax->close, p->syntax->tail};
    if (!p->n_match && parse_is_space(c)) {
        eat(p, c);
        return;
    }
    parse_match m = parse_compare(p, marks, 2, c);
    if (m == MATCH_MORE) return;
    if (m == MATCH_NONE) {
        parse_match_back(p);
        after_item(p);
        return;
    }
    bool closed = p->i_hit == 0;
    parse_match_eat(p);
    if (closed) after_item(p);
}

/* ---- objects --------------------------------------------------------------------------------- */

static void begin_object(ingle_parse *p)
{
    p->name.n = p->id.n = p->late.n = 0;
    p->has_late = p->late_is_text = p->args_done = false;
    p->n_function = 0;
    p->state = PARSE_MEMBER;
}

static void begin_objects(ingle_parse *p, char c)
{
    p->in_array = c == '[';
    eat(p, c);
    if (p->in_array) p->state = PARSE_ELEMENT;
    else begin_object(p);
}

static void end_objects(ingle_parse *p)
{
    if (p->syntax->section_close && p->in_section) {
        parse_drop_held(p);
        p->state = PARSE_SECTION;
    } else {
        parse_leave(p);
    }
}

static void element_step(ingle_parse *p, char c)
{
    bool list = c == '[' && !p->in_array; /* behind a section's second mark */
    if (parse_is_space(c) || c == ',' || list) {
        p->in_array |= list;
        eat(p, c);
    } else if (c == '{') {
        eat(p, c);
        begin_object(p);
    } else if (c == ']' && p->n_in_section) {
        eat(p, c);
        end_objects(p);
    } else {
        to_text_and_again(p, c);
    }
}

/* Arguments that came before the name. */
static bool put_late(ingle_parse *p)
{
    bool ok = !p->late_is_text || decode(p, &p->late);
    ingle_json_doc doc = {0};
    if (ok && p->late_is_text) { /* JSON in a JSON string */
        ingle_status st = ingle_json_open(&doc, p->late.p, p->late.n, NULL, NULL);
        p->failed |= st == INGLE_ENOMEM;
        ok = !st && ingle_json_is(doc.root, INGLE_JSON_OBJECT);
        ingle_json_close(&doc);
        if (!ok && !p->late.n) { /* an empty one */
            ingle_bytes_text(&p->late, "{}");
            ok = true;
        }
    }
    if (ok) ingle_bytes_put(parse_args(p), p->late.p, p->late.n);
    p->late.n = 0;
    p->args_done = true;
    return ok;
}

/* The object of a call is over. False: it was none. */
static bool end_object(ingle_parse *p)
{
    const ingle_call_syntax *s = p->syntax;
    if (s->keyed) return p->n_in_section > 0;
    if (!p->call_open) {
        if (!p->name.n || (s->strict && !p->has_late)) return false;
        if (is_no_call(p)) p->n_in_section++;
        if (is_no_call(p)) return true;
        if (!parse_begin_call(p)) return false;
    }
    bool ok = !p->has_late || put_late(p);
    if (ok && !p->args_done) ingle_bytes_text(parse_args(p), "{}");
    parse_end_call(p, !ok);
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
        parse_give_up(p);
        return;
    }
    parse_drop_held(p);
    if (p->in_array) p->state = PARSE_ELEMENT;
    else end_objects(p);
}

static void member_step(ingle_parse *p, char c)
{
    if (parse_is_space(c) || c == ',') {
        eat(p, c);
    } else if (c == '"' || c == '\'') {
        parse_unread(p, &c, 1);
        p->field.n = 0;
        begin_value(p, TO_FIELD, PARSE_MEMBER_NAME);
    } else if (c == '}') {
        close_object(p, c);
    } else {
        to_text_and_again(p, c);
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
    if (!value_step(p, c, &done)) {
        to_text_and_again(p, c);
    } else if (done) {
        if (!decode(p, &p->field)) {
            parse_give_up(p);
            return;
        }
        p->role = role_of(p);
        /* an answer in JSON is no call */
        bool other = p->role == ROLE_OTHER && !ingle_bytes_are(&p->field, "type");
        bool ok = !(p->syntax->strict && other);
        if (p->syntax->keyed) ok = parse_take_name(p, INGLE_HEAD_NAME);
        if (ok) p->state = PARSE_MEMBER_COLON;
        else parse_give_up(p);
    }
}

static void member_colon_step(ingle_parse *p, char c)
{
    if (parse_is_space(c) || c == ':') {
        eat(p, c);
        if (c == ':') p->state = PARSE_MEMBER_VALUE;
    } else {
        to_text_and_again(p, c);
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
    if (text || !p->name.n || is_no_call(p)) return true;
    if (!p->call_open && !parse_begin_call(p)) return false;
    p->to = TO_ARGS;
    return true;
}

static void member_value_step(ingle_parse *p, char c)
{
    if (parse_is_space(c)) {
        eat(p, c);
    } else if (p->role == ROLE_FUNCTION && c == '{') {
        eat(p, c);
        p->n_function++;
        p->state = PARSE_MEMBER;
    } else if (member_value_begin(p, c)) {
        parse_unread(p, &c, 1);
        begin_value(p, p->to, PARSE_MEMBER_REST);
    } else {
        to_text_and_again(p, c);
    }
}

/* The value of a member is complete. */
static bool member_end(ingle_parse *p)
{
    p->state = PARSE_MEMBER;
    switch (p->role) {
    case ROLE_ID: return decode(p, &p->field) && parse_take_name(p, INGLE_HEAD_ID);
    case ROLE_FUNCTION:
    case ROLE_NAME: return decode(p, &p->field) && parse_take_name(p, INGLE_HEAD_NAME);
    case ROLE_OTHER: return true;
    case ROLE_ARGS: break;
    }
    if (p->to == TO_LATE) p->has_late = true;
    if (p->to == TO_ARGS) p->args_done = true;
    if (!p->syntax->keyed || p->to == TO_NOWHERE) return true;
    if (!p->call_open && !parse_begin_call(p)) return false;
    parse_end_call(p, p->has_late && !put_late(p));
    p->args_done = false; /* the next member is another call */
    return true;
}

static void member_rest_step(ingle_parse *p, char c)
{
    bool done;
    if (!value_step(p, c, &done)) to_text_and_again(p, c);
    else if (done && !member_end(p)) parse_give_up(p);
}

/* ---- Python ---------------------------------------------------------------------------------- */

static bool is_callee(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return letter || (!first && ((c >= '0' && c <= '9') || c == '.' || c == '-'));
}

static void list_step(ingle_parse *p, char c)
{
    if (parse_is_space(c) || (c == ',' && p->n_in_section)) {
        eat(p, c);
    } else if (c == ']' && p->n_in_section) {
        eat(p, c);
        end_objects(p);
    } else if (c == '{' && p->syntax->objects) {
        eat(p, c);
        begin_object(p);
    } else if (is_callee(c, true)) {
        parse_unread(p, &c, 1);
        p->name.n = p->id.n = p->field.n = 0;
        p->state = PARSE_CALLEE;
    } else {
        to_text_and_again(p, c);
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
    if (c != '(' || !parse_take_name(p, INGLE_HEAD_NAME) || !parse_begin_call(p)) {
        to_text_and_again(p, c);
        return;
    }
    eat(p, c);
    ingle_value_begin_call(&p->value, parse_args(p));
    p->to = TO_ARGS;
    p->state = PARSE_CALLEE_ARGS;
}

static void callee_args_step(ingle_parse *p, char c)
{
    bool done;
    if (!value_step(p, c, &done)) {
        to_text_and_again(p, c);
    } else if (done) {
        parse_end_call(p, false);
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
        begin_objects(p, c);
    } else if (s->kind == INGLE_CALL_PYTHON && s->section && is_callee(c, true)) {
        p->in_array = false;
        p->name.n = p->id.n = p->field.n = 0;
        p->state = PARSE_CALLEE;
        parse_unread(p, &c, 1);
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
    parse_match_eat(p);
    if (i == p->n_syntaxes) {
        parse_leave(p);
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
        if (parse_is_space(c) || (p->n_in_section && (c == ',' || c == ';'))) {
            eat(p, c);
            return;
        }
        for (size_t i = 0; i < p->n_syntaxes; i++)
            if (same_section(p, p->calls[i]) && begins_here(p, p->calls[i], c)) return;
        p->syntax = now;
        for (size_t i = 0; i < p->n_syntaxes && !p->n_in_section; i++) {
            const ingle_call_syntax *s = p->calls[i];
            if (s->section || !s->open || strcmp(s->open, p->mark) != 0) continue;
            parse_unread(p, &c, 1); /* its mark begins a call in another format */
            parse_call_head(p, p->mark, s);
            return;
        }
    }
    for (size_t i = 0; i < p->n_syntaxes; i++)
        if (same_section(p, p->calls[i])) marks[i] = p->calls[i]->open;
    marks[p->n_syntaxes] = p->n_in_section ? now->section_close : NULL;
    switch (parse_compare(p, marks, p->n_syntaxes + 1, c)) {
    case MATCH_MORE: break;
    case MATCH_HIT:
        section_hit(p, p->i_hit, p->i_hit < p->n_syntaxes ? p->calls[p->i_hit] : NULL);
        break;
    case MATCH_NONE:
        parse_match_back(p);
        if (p->n_in_section) {
            p->stray = true;
            parse_leave(p);
        } else {
            parse_give_up(p);
        }
    }
}

void parse_call_section(ingle_parse *p, const char *mark, const ingle_call_syntax *s)
{
    p->mark = mark;
    p->syntax = s;
    p->in_section = true;
    p->n_in_section = 0;
    p->state = PARSE_SECTION;
}

void parse_call_head(ingle_parse *p, const char *mark, const ingle_call_syntax *s)
{
    p->mark = mark;
    p->syntax = s;
    p->in_section = false;
    p->n_in_section = 0;
    begin_head(p);
}

bool parse_call_bare(ingle_parse *p, char c)
{
    const ingle_call_syntax *const *s = p->calls, *before = p->syntax;
    if (c != '{' && c != '[') return false;
    p->n_in_section = 0;
    p->in_section = false;
    for (size_t i = 0; i < p->n_syntaxes; i++) {
        if (s[i]->section || s[i]->open) continue;
        bool list = s[i]->kind == INGLE_CALL_PYTHON;
        if (list && c != '[') continue;
        parse_eat(p, p->space, p->n_space); /* text again if this is no call */
        p->n_space = 0;
        p->mark = NULL;
        return begins_here(p, s[i], c);
    }
    p->syntax = before;
    return false;
}

/* ---- all of them ----------------------------------------------------------------------------- */

void parse_call_step(ingle_parse *p, char c)
{
    switch (p->state) {
    case PARSE_SECTION: section_step(p, c); break;
    case PARSE_HEAD: head_step(p, c); break;
    case PARSE_ARGS: args_step(p, c); break;
    case PARSE_VALUE: args_value_step(p, c); break;
    case PARSE_TAIL: tail_step(p, c); break;
    case PARSE_ELEMENT: element_step(p, c); break;
    case PARSE_MEMBER: member_step(p, c); break;
    case PARSE_MEMBER_NAME: member_name_step(p, c); break;
    case PARSE_MEMBER_COLON: member_colon_step(p, c); break;
    case PARSE_MEMBER_VALUE: member_value_step(p, c); break;
    case PARSE_MEMBER_REST: member_rest_step(p, c); break;
    case PARSE_LIST: list_step(p, c); break;
    case PARSE_CALLEE: callee_step(p, c); break;
    case PARSE_CALLEE_ARGS: callee_args_step(p, c); break;
    default: parse_tagged_step(p, c);
    }
    if (p->state == PARSE_KEYS && !p->call_open) after_item(p); /* the call has just ended */
    if (p->held.n + p->late.n > p->opt.max_held) parse_give_up(p);
}

/* Nothing follows. Between calls what is left belongs to marks; a call that is open ends well if
 * its arguments are complete; what has not become a call is text. */
void parse_call_finish(ingle_parse *p)
{
    bool between = p->n_in_section && !p->call_open &&
                   (p->state == PARSE_SECTION || p->state == PARSE_TAIL || p->state == PARSE_LIST ||
                    p->state == PARSE_ELEMENT);
    if (p->state >= PARSE_KEYS && p->state <= PARSE_TAG_AFTER) parse_tagged_finish(p);
    if (p->call_open && p->args_done) parse_end_call(p, false);
    parse_match_eat(p);
    if (between || p->state == PARSE_TAIL || p->state == PARSE_SECTION) {
        if (p->n_in_section) {
            parse_leave(p);
            return;
        }
    }
    parse_give_up(p);
}
