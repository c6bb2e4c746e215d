/* parse_out.c - what the parser writes, holds back and compares (parse_state.h). */
#include "chat/parse_state.h"

/* ---- events ---------------------------------------------------------------------------------- */

bool ingle_parse_failed(ingle_parse *p)
{
    p->failed |= p->back.failed || p->held.failed || p->field.failed || p->late.failed ||
                 p->name.failed || p->id.failed || p->out.failed || p->raw.failed;
    return p->failed;
}

static void report(ingle_parse *p, ingle_parse_event e)
{
    if (p->opt.on_event && !ingle_parse_failed(p)) p->opt.on_event(p->opt.user, &e);
}

static void tell_text(ingle_parse *p, const char *text, size_t n)
{
    bool args = p->out_kind == INGLE_PARSE_CALL_ARGS;
    if (!n) return;
    report(p, (ingle_parse_event){.kind = p->out_kind,
                                  .i_call = args ? p->counts.n_calls - 1 : 0,
                                  .text = text,
                                  .n = n});
}

void ingle_parse_flush(ingle_parse *p, bool whole)
{
    size_t i = 0, n = p->out.n;
    while (i < n) {
        bool complete;
        size_t len = ingle_utf8_valid(p->out.p + i, n - i);
        tell_text(p, p->out.p + i, len);
        i += len;
        if (i == n) break;
        len = ingle_utf8_prefix(p->out.p + i, n - i, &complete);
        if (len == n - i && !whole) break; /* more bytes may complete it */
        tell_text(p, "\xef\xbf\xbd", 3);
        i += len ? len : 1;
    }
    if (i) memmove(p->out.p, p->out.p + i, n - i);
    p->out.n = n - i;
}

static ingle_bytes *out_of(ingle_parse *p, ingle_parse_kind kind)
{
    if (p->out_kind != kind) {
        ingle_parse_flush(p, true);
        p->out_kind = kind;
    } else if (p->out.n >= PARSE_OUT_MAX) {
        ingle_parse_flush(p, false);
    }
    return &p->out;
}

ingle_bytes *ingle_parse_args(ingle_parse *p)
{
    return out_of(p, INGLE_PARSE_CALL_ARGS);
}

static void put_text(ingle_parse *p, const char *text, size_t n)
{
    if (!n) return;
    ingle_bytes_put(out_of(p, p->reasoning ? INGLE_PARSE_REASONING : INGLE_PARSE_CONTENT), text, n);
    p->counts.n_text += n;
}

void ingle_parse_space_text(ingle_parse *p)
{
    put_text(p, p->space, p->n_space);
    p->n_space = 0;
}

void ingle_parse_space_drop(ingle_parse *p)
{
    p->counts.n_call += p->n_space;
    p->n_space = 0;
}

void ingle_parse_text(ingle_parse *p, const char *text, size_t n)
{
    if (!n) return;
    ingle_parse_space_text(p);
    put_text(p, text, n);
    p->skip = SKIP_NONE;
    if (!p->reasoning) p->fresh = false;
}

/* ---- bytes held and given back --------------------------------------------------------------- */

void ingle_parse_unread(ingle_parse *p, const char *bytes, size_t n)
{
    while (n) ingle_bytes_add(&p->back, bytes[--n]);
}

static void note_held(ingle_parse *p)
{
    size_t n = p->held.n + p->late.n;
    if (n > p->counts.peak_held) p->counts.peak_held = n;
}

void ingle_parse_eat(ingle_parse *p, const char *bytes, size_t n)
{
    if (p->call_open) {
        p->counts.n_call += n;
        return;
    }
    ingle_bytes_put(&p->held, bytes, n);
    note_held(p);
}

void ingle_parse_drop_held(ingle_parse *p)
{
    p->counts.n_call += p->held.n;
    p->held.n = 0;
}

/* ---- marks ----------------------------------------------------------------------------------- */

/* How the bytes of match compare with a mark: nothing in common, a beginning, all of it. */
static parse_match compare_one(const ingle_parse *p, const char *mark)
{
    if (strncmp(mark, p->match, p->n_match) != 0) return MATCH_NONE;
    return mark[p->n_match] ? MATCH_MORE : MATCH_HIT;
}

parse_match ingle_parse_compare(ingle_parse *p, const char *const *marks, size_t n, char c)
{
    bool more = false;
    if (!p->n_match) p->n_hit = 0;
    p->match[p->n_match++] = c;
    p->match[p->n_match] = 0; /* the longest mark is shorter than the room */
    for (size_t i = 0; c && i < n; i++) {
        parse_match m = marks[i] ? compare_one(p, marks[i]) : MATCH_NONE;
        more |= m == MATCH_MORE;
        if (m != MATCH_HIT || p->n_hit == p->n_match) continue;
        p->n_hit = p->n_match; /* of equal marks the first */
        p->i_hit = i;
    }
    if (more) return MATCH_MORE;
    if (!p->n_hit) return MATCH_NONE;
    ingle_parse_unread(p, p->match + p->n_hit, p->n_match - p->n_hit);
    p->n_match = p->n_hit;
    return MATCH_HIT;
}

void ingle_parse_match_back(ingle_parse *p)
{
    ingle_parse_unread(p, p->match, p->n_match);
    p->n_match = 0;
}

void ingle_parse_match_eat(ingle_parse *p)
{
    ingle_parse_eat(p, p->match, p->n_match);
    p->n_match = 0;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* The object that holds a tool's name and schema. */
static const ingle_json *tool_of(const ingle_parse *p, const ingle_bytes *name)
{
    for (ingle_json_walk w = ingle_json_items(p->tools.root); ingle_json_step(&w);) {
        const ingle_json *tool = ingle_json_get(w.value, "function");
        if (!tool) tool = w.value;
        if (ingle_json_is_bytes(ingle_json_get(tool, "name"), name->p, name->n)) return tool;
    }
    return NULL;
}

bool ingle_parse_is_offered(const ingle_parse *p, const ingle_bytes *name)
{
    return name->n && tool_of(p, name);
}

const ingle_json *ingle_parse_schema(const ingle_parse *p, const ingle_bytes *name, const char *key,
                                     size_t n)
{
    const ingle_json *tool = name->n ? tool_of(p, name) : NULL;
    const ingle_json *schema = ingle_json_get(tool, "parameters");
    if (!schema) schema = ingle_json_get(tool, "input_schema");
    return ingle_json_find(ingle_json_get(schema, "properties"), key, n);
}

/* Names of functions, and ids: without spaces and marks. */
static bool is_name(const char *p, size_t n)
{
    if (!n || n > PARSE_NAME_MAX || ingle_utf8_valid(p, n) != n) return false;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && (unsigned char)c < 0x80 && (!c || !strchr("_-.:/$@#+=", c))) return false;
    }
    return true;
}

/* functions.NAME:NUMBER; both ends may be missing. */
static void cut_name(const char **text, size_t *n)
{
    static const char prefix[] = "functions.";
    size_t len = sizeof prefix - 1, end = *n;
    if (*n > len && !memcmp(*text, prefix, len)) {
        *text += len;
        *n -= len;
        end = *n;
    }
    while (end && (*text)[end - 1] >= '0' && (*text)[end - 1] <= '9') end--;
    if (end > 1 && end < *n && (*text)[end - 1] == ':') *n = end - 1;
}

bool ingle_parse_take_name(ingle_parse *p, ingle_head_field kind)
{
    const char *text = p->field.p;
    size_t n = p->field.n;
    while (n && ingle_parse_is_space(text[n - 1])) n--;
    while (n && ingle_parse_is_space(*text)) text++, n--;
    if (kind == INGLE_HEAD_SKIP) return true;
    if (!is_name(text, n)) return false;
    if (kind != INGLE_HEAD_NAME) {
        p->id.n = 0;
        ingle_bytes_put(&p->id, text, n);
    }
    if (kind == INGLE_HEAD_NAME_ID) cut_name(&text, &n);
    if (kind != INGLE_HEAD_ID) {
        p->name.n = 0;
        ingle_bytes_put(&p->name, text, n);
    }
    return true;
}

bool ingle_parse_begin_call(ingle_parse *p)
{
    if (!p->opt.parse_tools || ingle_parse_failed(p)) return false;
    if (p->syntax->strict && !ingle_parse_is_offered(p, &p->name)) return false;
    ingle_parse_flush(p, true);
    ingle_parse_drop_held(p);
    p->reasoning = false;
    p->call_open = true;
    p->args_done = false;
    p->n_in_section++;
    p->out_kind = INGLE_PARSE_CALL_ARGS;
    report(p, (ingle_parse_event){.kind = INGLE_PARSE_CALL_BEGIN,
                                  .i_call = p->counts.n_calls++,
                                  .text = p->name.p,
                                  .n = p->name.n,
                                  .id = p->id.n ? p->id.p : NULL,
                                  .n_id = p->id.n});
    return true;
}

void ingle_parse_end_call(ingle_parse *p, bool bad)
{
    ingle_parse_flush(p, true);
    p->out_kind = INGLE_PARSE_CONTENT;
    p->call_open = false;
    report(p, (ingle_parse_event){.kind = INGLE_PARSE_CALL_END,
                                  .i_call = p->counts.n_calls - 1,
                                  .id = p->id.n ? p->id.p : NULL,
                                  .n_id = p->id.n,
                                  .bad = bad});
    p->name.n = p->id.n = p->late.n = 0;
    p->has_late = false;
}

void ingle_parse_give_up(ingle_parse *p)
{
    bool bad = p->call_open;
    if (bad) ingle_parse_end_call(p, true);
    ingle_parse_text(p, p->held.p, p->held.n);
    p->held.n = 0;
    p->late.n = 0;
    p->stray |= bad || p->n_in_section;
    if (!p->reasoning) p->fresh = false;
    p->skip = SKIP_NONE;
    p->in_section = false;
    p->state = PARSE_TEXT;
}

void ingle_parse_leave(ingle_parse *p)
{
    ingle_parse_drop_held(p);
    p->in_section = false;
    p->fresh = true;
    p->skip = SKIP_SPACE;
    p->state = PARSE_TEXT;
}
