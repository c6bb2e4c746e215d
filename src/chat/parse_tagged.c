/* parse_tagged.c - calls whose arguments are keys and values between marks (parse_state.h). */
#include "chat/parse_state.h"

enum { ANY_KIND = 0, NESTED_MAX = 64 };

static unsigned bit(ingle_json_kind kind)
{
    return 1u << kind;
}

/* ---- what a schema says ---------------------------------------------------------------------- */

static unsigned kind_named(const ingle_json *name)
{
    static const struct {
        const char *name;
        ingle_json_kind kind;
    } kinds[] = {{"string", INGLE_JSON_STRING},  {"number", INGLE_JSON_NUMBER},
                 {"integer", INGLE_JSON_NUMBER}, {"boolean", INGLE_JSON_BOOL},
                 {"object", INGLE_JSON_OBJECT},  {"array", INGLE_JSON_ARRAY},
                 {"null", INGLE_JSON_NULL}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (ingle_json_is_text(name, kinds[i].name)) return bit(kinds[i].kind);
    return ANY_KIND;
}

/* The kinds of values that `type`, `const` or `enum` leave; ANY_KIND: not known. */
static unsigned kinds_alone(const ingle_json *schema)
{
    unsigned kinds = ANY_KIND;
    const ingle_json *type = ingle_json_get(schema, "type"), *one = ingle_json_get(schema, "const");
    if (ingle_json_is(type, INGLE_JSON_STRING)) return kind_named(type);
    for (ingle_json_walk w = ingle_json_items(type); ingle_json_step(&w);)
        kinds |= kind_named(w.value);
    if (kinds) return kinds;
    if (one) return bit(one->kind);
    for (ingle_json_walk w = ingle_json_items(ingle_json_get(schema, "enum")); ingle_json_step(&w);)
        kinds |= bit(w.value->kind);
    return kinds;
}

/* The same, or what the alternatives of `anyOf` or `oneOf` leave, if that is known of each. */
unsigned ingle_parse_kinds(const ingle_json *schema)
{
    unsigned kinds = kinds_alone(schema);
    const ingle_json *any = ingle_json_get(schema, "anyOf");
    if (!any) any = ingle_json_get(schema, "oneOf");
    if (kinds || !any) return kinds;
    for (ingle_json_walk w = ingle_json_items(any); ingle_json_step(&w);) {
        unsigned more = kinds_alone(w.value);
        if (!more) return ANY_KIND;
        kinds |= more;
    }
    return kinds;
}

/* ---- values ---------------------------------------------------------------------------------- */

static void begin_value(ingle_parse *p)
{
    p->late.n = 0;
    p->tag_first = true;
    p->tag_line = false;
    p->tag_mode = TAG_OPEN;
    p->state = PARSE_TAG_VALUE;
}

static void put_string(ingle_parse *p, char c)
{
    if (p->tag_line) ingle_value_put_inside('\n', ingle_parse_args(p));
    p->tag_line = c == '\n' && p->syntax->trim; /* the last one is not the value's */
    if (!p->tag_line) ingle_value_put_inside(c, ingle_parse_args(p));
}

/* From now on the value is a string, which has begun with `late`. */
static void become_string(ingle_parse *p)
{
    p->tag_mode = TAG_STRING;
    ingle_bytes_add(ingle_parse_args(p), '"');
    for (size_t i = 0; i < p->late.n; i++) put_string(p, p->late.p[i]);
    p->late.n = 0;
}

/* Whether a value of any kind but a string may begin so, as far as is known. */
static bool may_be_json(const ingle_parse *p, char c)
{
    unsigned string = bit(INGLE_JSON_STRING);
    if (p->tag_kinds == string) return false;
    if (c == '"') return p->tag_kinds && !(p->tag_kinds & string);
    if (p->syntax->values == INGLE_VALUES_NESTED && c == p->syntax->key[0]) return true;
    return strchr("{[-+.0123456789tfnTFN", c) != NULL;
}

static void value_byte(ingle_parse *p, char c)
{
    bool first = p->tag_first;
    p->tag_first = false;
    if (first && p->syntax->trim && c == '\n') return;
    if (p->tag_mode == TAG_STRING) {
        put_string(p, c);
        return;
    }
    ingle_bytes_add(&p->late, c);
    if (p->late.n > p->counts.peak_held) p->counts.peak_held = p->late.n;
    if (p->tag_mode == TAG_OPEN && !ingle_parse_is_space(c)) {
        p->tag_mode = TAG_JSON;
        if (!c || !may_be_json(p, c)) become_string(p);
    } else if (p->late.n >= p->opt.max_held) {
        become_string(p);
    }
}

/* Writes the bytes as JSON if that is what they are. */
static bool put_json(ingle_parse *p, const char *text, size_t n, ingle_bytes *out)
{
    size_t before = out->n;
    ingle_value_result r = INGLE_VALUE_MORE;
    ingle_value_begin(&p->value, NULL, false);
    for (size_t i = 0; i < n && r == INGLE_VALUE_MORE; i++) {
        r = ingle_value_step(&p->value, text[i], out);
        if (r == INGLE_VALUE_DONE && i + 1 < n) r = INGLE_VALUE_BAD;
    }
    if (r == INGLE_VALUE_DONE || (r == INGLE_VALUE_MORE && ingle_value_end(&p->value, out)))
        return true;
    out->n = before;
    return false;
}

static ingle_json_kind kind_of(char c)
{
    if (c == '{') return INGLE_JSON_OBJECT;
    if (c == '[') return INGLE_JSON_ARRAY;
    if (c == '"') return INGLE_JSON_STRING;
    if (c == 't' || c == 'f') return INGLE_JSON_BOOL;
    return c == 'n' ? INGLE_JSON_NULL : INGLE_JSON_NUMBER;
}

/* ---- values of marks in one another ---------------------------------------------------------- */

static void put_quoted(const char *text, size_t n, ingle_bytes *out)
{
    ingle_bytes_add(out, '"');
    for (size_t i = 0; i < n; i++) ingle_value_put_inside(text[i], out);
    ingle_bytes_add(out, '"');
}

/* The next mark at or after text, which holds the key or, after a slash, its end. */
static const char *find_tag(const char *text, const char *end, const char *mark)
{
    size_t len = strlen(mark);
    for (; text + len <= end; text++)
        if (*text == *mark && !memcmp(text, mark, len)) return text;
    return NULL;
}

/* MARK key> ... MARK /key>, in one another, becomes an object; keys `item` make an array. False:
 * it is not that, and nothing was written. */
static bool put_nested(ingle_parse *p, const char *text, size_t n, ingle_bytes *out)
{
    const char *mark = p->syntax->key, *end = text + n, *leaf = text;
    size_t len = strlen(mark), before = out->n, depth = 1;
    char close[NESTED_MAX] = {0}; /* of what is open: 0 until the first key in it */
    bool ok = true, more = false, is_leaf = false;
    while (ok && text < end) {
        const char *tag = find_tag(text, end, mark);
        const char *stop = tag ? memchr(tag + len, '>', (size_t)(end - tag) - len) : NULL;
        if (!stop) break;
        const char *key = tag + len;
        size_t n_key = (size_t)(stop - key);
        if (*key == '/') {
            ok = depth-- > 1;
            if (!ok) break;
            size_t n_leaf = (size_t)(tag - leaf);
            if (close[depth]) ingle_bytes_add(out, close[depth]);
            else if (!is_leaf || !put_json(p, leaf, n_leaf, out)) put_quoted(leaf, n_leaf, out);
            more = true;
            is_leaf = false;
        } else {
            bool item = n_key == 4 && !memcmp(key, "item", 4);
            char *open = &close[depth - 1];
            ok = depth < NESTED_MAX && (!*open || *open == (item ? ']' : '}'));
            if (!ok) break;
            if (!*open) ingle_bytes_add(out, item ? '[' : '{');
            else if (more) ingle_bytes_add(out, ',');
            *open = item ? ']' : '}';
            if (!item) put_quoted(key, n_key, out);
            if (!item) ingle_bytes_add(out, ':');
            close[depth++] = 0;
            more = false;
            is_leaf = true;
            leaf = stop + 1;
        }
        text = stop + 1;
    }
    while (ok && text < end && ingle_parse_is_space(*text)) text++;
    if (ok && text == end && depth == 1 && close[0]) {
        ingle_bytes_add(out, close[0]);
        return true;
    }
    out->n = before;
    return false;
}

/* The value is complete. What is no JSON, or not of a kind that the schema allows while a string
 * is, is a string; null is null where not only a string is allowed. */
static void end_value(ingle_parse *p)
{
    ingle_bytes *out = ingle_parse_args(p);
    const char *text = p->late.p;
    size_t n = p->late.n, before = out->n;
    unsigned string = bit(INGLE_JSON_STRING);
    if (p->tag_mode == TAG_JSON) {
        while (n && ingle_parse_is_space(text[n - 1])) n--;
        while (n && ingle_parse_is_space(*text)) text++, n--;
        bool ok = p->syntax->values == INGLE_VALUES_NESTED && put_nested(p, text, n, out);
        ok = ok || put_json(p, text, n, out);
        if (ok && out->n > before && (p->tag_kinds & string))
            ok = (p->tag_kinds | bit(INGLE_JSON_NULL)) & bit(kind_of(out->p[before]));
        if (ok) {
            p->late.n = 0;
            return;
        }
        out->n = before;
    }
    if (p->tag_mode != TAG_STRING) become_string(p);
    ingle_bytes_add(ingle_parse_args(p), '"');
    p->tag_line = false;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* The key in `field` is complete. */
static bool take_key(ingle_parse *p)
{
    const ingle_call_syntax *s = p->syntax;
    size_t n = p->field.n;
    bool nested = s->values == INGLE_VALUES_NESTED;
    size_t n_end = strlen(s->value_end);
    if (!n || ingle_utf8_valid(p->field.p, n) != n || memchr(p->field.p, 0, n)) return false;
    ingle_bytes *out = ingle_parse_args(p);
    if (p->n_keys++) ingle_bytes_text(out, ", ");
    put_quoted(p->field.p, n, out);
    ingle_bytes_text(out, ": ");
    p->tag_kinds = ingle_parse_kinds(ingle_parse_schema(p, &p->name, p->field.p, n));
    memcpy(p->tag_end, s->value_end, n_end);
    if (nested) {
        memcpy(p->tag_end + n_end, p->field.p, n);
        p->tag_end[n_end + n] = '>';
    }
    p->tag_end[n_end + (nested ? n + 1 : 0)] = 0;
    p->field.n = 0;
    return true;
}

static void eat(ingle_parse *p, char c)
{
    ingle_parse_eat(p, &c, 1);
}

static void fail(ingle_parse *p)
{
    ingle_parse_match_back(p);
    ingle_parse_give_up(p);
}

void ingle_parse_tagged_begin(ingle_parse *p)
{
    ingle_bytes_add(ingle_parse_args(p), '{');
    p->n_keys = 0;
    p->field.n = 0;
    p->state = PARSE_KEYS;
}

void ingle_parse_tagged_close(ingle_parse *p)
{
    ingle_bytes_add(ingle_parse_args(p), '}');
    ingle_parse_end_call(p, false);
    p->state = PARSE_KEYS;
}

/* One of the marks was read that may stand between values. */
static void keys_hit(ingle_parse *p)
{
    if (p->i_hit == 0) {
        ingle_parse_match_eat(p);
        p->field.n = 0;
        p->state = PARSE_KEY;
        return;
    }
    if (p->i_hit == 1) ingle_parse_match_eat(p);
    else ingle_parse_match_back(p); /* the section's end: looked at again after the call */
    ingle_parse_tagged_close(p);
}

static parse_match keys_match(ingle_parse *p, char c)
{
    const char *marks[] = {p->syntax->key, p->syntax->close, p->syntax->section_close};
    return ingle_parse_compare(p, marks, 3, c);
}

static void keys_step(ingle_parse *p, char c)
{
    if (!p->n_match && ingle_parse_is_space(c)) {
        eat(p, c);
        return;
    }
    switch (keys_match(p, c)) {
    case MATCH_MORE: break;
    case MATCH_HIT: keys_hit(p); break;
    case MATCH_NONE: fail(p);
    }
}

/* A part that a mark ends: the key, or what kind the value is of. */
static void part_step(ingle_parse *p, char c)
{
    const ingle_call_syntax *s = p->syntax;
    bool key = p->state == PARSE_KEY;
    const char *mark = key ? s->key_end : s->kind_end;
    parse_match m = ingle_parse_compare(p, &mark, 1, c);
    if (m == MATCH_MORE) return;
    if (m == MATCH_NONE) {
        bool inside = ((unsigned char)p->match[0] & 0xc0) == 0x80; /* of a character */
        if (p->field.n >= PARSE_KEY_MAX && !(inside && p->field.n < PARSE_KEY_MAX + 4)) {
            fail(p);
            return;
        }
        ingle_parse_unread(p, p->match + 1, p->n_match - 1);
        p->n_match = 0;
        ingle_bytes_add(&p->field, p->match[0]);
        eat(p, p->match[0]);
        return;
    }
    ingle_parse_match_eat(p);
    if (key && !take_key(p)) {
        ingle_parse_give_up(p);
        return;
    }
    if (!key && ingle_bytes_are(&p->field, "true")) p->tag_kinds = bit(INGLE_JSON_STRING);
    if (!key && ingle_bytes_are(&p->field, "false")) p->tag_kinds = ANY_KIND;
    p->field.n = 0;
    if (key && s->kind_end) p->state = PARSE_KEY_KIND;
    else if (s->value_open) p->state = PARSE_TAG_OPEN;
    else begin_value(p);
}

static void open_step(ingle_parse *p, char c)
{
    if (!p->n_match && ingle_parse_is_space(c)) {
        eat(p, c);
        return;
    }
    switch (ingle_parse_compare(p, &p->syntax->value_open, 1, c)) {
    case MATCH_MORE: break;
    case MATCH_HIT:
        ingle_parse_match_eat(p);
        begin_value(p);
        break;
    case MATCH_NONE: fail(p);
    }
}

static void value_step(ingle_parse *p, char c)
{
    static const char cdata[] = "<![CDATA[", cdata_end[] = "]]>";
    bool open = p->syntax->cdata && p->tag_first;
    const char *marks[] = {p->tag_end, open ? cdata : NULL};
    switch (ingle_parse_compare(p, marks, 2, c)) {
    case MATCH_MORE: return;
    case MATCH_HIT:
        if (p->i_hit == 0) {
            p->state = PARSE_TAG_AFTER; /* the mark stays known: it may be part of the value */
            ingle_parse_match_eat(p);
            p->n_space = 0;
            return;
        }
        ingle_parse_match_eat(p); /* the value ends with ]]> and its mark, and is a string */
        memmove(p->tag_end + 3, p->tag_end, strlen(p->tag_end) + 1);
        memcpy(p->tag_end, cdata_end, 3);
        p->tag_first = false;
        p->tag_kinds = bit(INGLE_JSON_STRING);
        become_string(p);
        return;
    case MATCH_NONE: break;
    }
    ingle_parse_unread(p, p->match + 1, p->n_match - 1);
    p->n_match = 0;
    eat(p, p->match[0]);
    value_byte(p, p->match[0]);
}

/* Only what may follow a value shows that its end was meant. */
static void after_step(ingle_parse *p, char c)
{
    if (!p->n_match && ingle_parse_is_space(c) && p->n_space < PARSE_SPACE_MAX) {
        p->space[p->n_space++] = c;
        return;
    }
    parse_match m = keys_match(p, c);
    if (m == MATCH_MORE) return;
    if (m == MATCH_HIT) {
        ingle_parse_space_drop(p);
        end_value(p);
        keys_hit(p);
        return;
    }
    ingle_parse_match_back(p);
    for (const char *t = p->tag_end; *t; t++) value_byte(p, *t);
    for (size_t i = 0; i < p->n_space; i++) value_byte(p, p->space[i]);
    ingle_parse_space_drop(p);
    p->state = PARSE_TAG_VALUE;
}

void ingle_parse_tagged_step(ingle_parse *p, char c)
{
    switch (p->state) {
    case PARSE_KEYS: keys_step(p, c); break;
    case PARSE_KEY:
    case PARSE_KEY_KIND: part_step(p, c); break;
    case PARSE_TAG_OPEN: open_step(p, c); break;
    case PARSE_TAG_VALUE: value_step(p, c); break;
    default: after_step(p, c);
    }
}

/* The text broke off: a value whose end was read is complete, another stays as far as it is
 * certain. */
void ingle_parse_tagged_finish(ingle_parse *p)
{
    if (p->state == PARSE_TAG_AFTER) {
        ingle_parse_space_drop(p);
        end_value(p);
    }
    if (p->state == PARSE_TAG_VALUE && p->tag_mode != TAG_STRING) become_string(p);
    if (p->tag_line) ingle_value_put_inside('\n', ingle_parse_args(p));
    p->tag_line = false;
}
