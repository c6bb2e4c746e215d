/* json_write.c - see json.h: writing. */
#include "base/json.h"

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

/* What a level is and how far it is. The outermost one is no container: no commas come there. */
enum { IN_ARRAY = 1, IN_OBJECT = 2, FILLED = 4, NAMED = 8 };

static void put(ingle_json_writer *w, const char *p, size_t n)
{
    if (w->status) return;
    size_t room = w->n < w->cap ? w->cap - w->n : 0;
    if (room < n && !w->fixed) {
        size_t want;
        if (!ingle_add_ok(w->n, n, &want) || !ingle_grow(&w->text, &w->cap, want, 1)) {
            w->status = INGLE_ENOMEM;
            return;
        }
        room = n;
    }
    if (room) memcpy(w->text + w->n, p, n < room ? n : room);
    w->n += n;
}

/* The comma before a value or a name, if one is due. */
static void begin_item(ingle_json_writer *w)
{
    unsigned char *level = &w->level[w->depth];
    if (w->status) return; /* the levels are no longer the caller's */
    assert(!(*level & IN_OBJECT) || *level & NAMED);
    if (*level & FILLED && !(*level & NAMED)) put(w, ", ", w->spaces ? 2 : 1);
    if (w->depth) *level |= FILLED;
    *level &= (unsigned char)~NAMED;
}

static void put_item(ingle_json_writer *w, const char *p, size_t n)
{
    begin_item(w);
    put(w, p, n);
}

/* ---- arrays and objects ---------------------------------------------------------------------- */

static void begin(ingle_json_writer *w, unsigned char kind)
{
    if (!w->status && w->depth == INGLE_JSON_MAX_DEPTH) w->status = INGLE_EUNSUPPORTED;
    if (w->status) return;
    put_item(w, kind == IN_OBJECT ? "{" : "[", 1);
    w->level[++w->depth] = kind;
}

static void end(ingle_json_writer *w, unsigned char kind)
{
    if (w->status) return;
    assert(w->depth && w->level[w->depth] & kind && !(w->level[w->depth] & NAMED));
    w->depth--;
    put(w, kind == IN_OBJECT ? "}" : "]", 1);
}

void ingle_json_begin_object(ingle_json_writer *w)
{
    begin(w, IN_OBJECT);
}

void ingle_json_end_object(ingle_json_writer *w)
{
    end(w, IN_OBJECT);
}

void ingle_json_begin_array(ingle_json_writer *w)
{
    begin(w, IN_ARRAY);
}

void ingle_json_end_array(ingle_json_writer *w)
{
    end(w, IN_ARRAY);
}

/* ---- strings --------------------------------------------------------------------------------- */

/* One character that is not plain ASCII; returns its bytes. */
static size_t put_special(ingle_json_writer *w, const char *p, size_t n)
{
    static const char meant[] = "\"\\\b\f\n\r\t", written[] = "\"\\bfnrt";
    char text[INGLE_ESCAPE_MAX];
    size_t len = ingle_utf8_len(p, n);
    const char *e = *p ? strchr(meant, *p) : NULL;
    if (w->shown || !len || ((unsigned char)*p < 0x20 && !e)) {
        len = ingle_utf8_to_json(p, n, text);
        put(w, text, strlen(text));
    } else if (e) {
        put(w, (char[]){'\\', written[e - meant]}, 2);
    } else {
        put(w, p, len);
    }
    return len;
}

static void put_string(ingle_json_writer *w, const char *p, size_t n)
{
    put(w, "\"", 1);
    for (size_t i = 0; i < n;) {
        size_t plain = ingle_json_plain(p + i, n - i);
        if (plain) put(w, p + i, plain);
        i += plain;
        if (i < n) i += put_special(w, p + i, n - i);
    }
    put(w, "\"", 1);
}

ingle_json_writer *ingle_json_name_bytes(ingle_json_writer *w, const char *p, size_t n)
{
    unsigned char *level = &w->level[w->depth];
    if (w->status) return w;
    assert(*level & IN_OBJECT && !(*level & NAMED));
    *level |= NAMED;
    if (*level & FILLED) put(w, ", ", w->spaces ? 2 : 1);
    put_string(w, p, n);
    put(w, ": ", w->spaces ? 2 : 1);
    return w;
}

ingle_json_writer *ingle_json_name(ingle_json_writer *w, const char *name)
{
    return ingle_json_name_bytes(w, name, strlen(name));
}

void ingle_json_put_bytes(ingle_json_writer *w, const char *p, size_t n)
{
    begin_item(w);
    put_string(w, p, n);
}

void ingle_json_put_text(ingle_json_writer *w, const char *text)
{
    ingle_json_put_bytes(w, text, strlen(text));
}

/* ---- other values ---------------------------------------------------------------------------- */

void ingle_json_put_null(ingle_json_writer *w)
{
    put_item(w, "null", 4);
}

void ingle_json_put_bool(ingle_json_writer *w, bool x)
{
    put_item(w, x ? "true" : "false", x ? 4 : 5);
}

void ingle_json_put_i64(ingle_json_writer *w, int64_t x)
{
    char text[24];
    put_item(w, text, (size_t)snprintf(text, sizeof text, "%" PRId64, x));
}

void ingle_json_put_u64(ingle_json_writer *w, uint64_t x)
{
    char text[24];
    put_item(w, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, x));
}

static void put_float(ingle_json_writer *w, double x, bool is_float)
{
    char text[INGLE_NUMBER_MAX] = "null";
    if (isfinite(x)) ingle_number_text(x, is_float, text);
    put_item(w, text, strlen(text));
}

void ingle_json_put_f64(ingle_json_writer *w, double x)
{
    put_float(w, x, false);
}

void ingle_json_put_f32(ingle_json_writer *w, float x)
{
    put_float(w, (double)x, true);
}

void ingle_json_put_raw(ingle_json_writer *w, const char *p, size_t n)
{
    put_item(w, p, n);
}

static void put_node(ingle_json_writer *w, const ingle_json *v)
{
    switch ((ingle_json_kind)v->kind) {
    case INGLE_JSON_NULL:
    case INGLE_JSON_BOOL:
    case INGLE_JSON_NUMBER: put_item(w, v->text, v->len); break;
    case INGLE_JSON_STRING: ingle_json_put_bytes(w, v->text, v->len); break;
    case INGLE_JSON_ARRAY: ingle_json_begin_array(w); break;
    case INGLE_JSON_OBJECT: ingle_json_begin_object(w); break;
    }
}

/* Nodes lie in the order of the text, so one pass writes them; the walks say which are names and
 * where what was begun ends. */
void ingle_json_put(ingle_json_writer *w, const ingle_json *v)
{
    ingle_json_walk open[INGLE_JSON_MAX_DEPTH];
    size_t n = 0;
    if (!v) {
        ingle_json_put_null(w);
        return;
    }
    put_node(w, v);
    if (v->kind >= INGLE_JSON_ARRAY) open[n++] = ingle_json_items(v);
    while (n && !w->status) {
        ingle_json_walk *top = &open[n - 1];
        if (!ingle_json_step(top)) {
            end(w, top->named ? IN_OBJECT : IN_ARRAY);
            n--;
            continue;
        }
        if (top->name) ingle_json_name_bytes(w, top->name->text, top->name->len);
        put_node(w, top->value);
        if (top->value->kind >= INGLE_JSON_ARRAY && !w->status)
            open[n++] = ingle_json_items(top->value);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

ingle_status ingle_json_finish(ingle_json_writer *w)
{
    assert(w->status || !w->depth);
    if (!w->fixed) {
        put(w, "", 1);
        if (!w->status) w->n--;
        return w->status;
    }
    if (w->cap) w->text[w->n < w->cap ? w->n : w->cap - 1] = 0;
    return w->status ? w->status : w->n < w->cap ? INGLE_OK : INGLE_ERANGE;
}

void ingle_json_writer_free(ingle_json_writer *w)
{
    if (!w) return;
    if (!w->fixed) free(w->text);
    *w = (ingle_json_writer){0};
}
