/* rendering.c - chat templates for programs: see ingle_tools.h. */
#include "chat/jinja.h"

#include <ingle_tools.h>

#include "base/mem.h"

struct ingle_rendering {
    ingle_jinja_output output;
    ingle_span *spans;
    ingle_rendering_mark *marks;
};

enum { MAX_TRUSTED = 16 };

/* Of the names those that are strings of the context. */
static size_t find_trusted(const ingle_json *context, const char *const *names,
                           ingle_jinja_trusted *found)
{
    size_t n = 0;
    for (; names && *names && n < MAX_TRUSTED; names++) {
        const ingle_json *v = ingle_json_get(context, *names);
        if (ingle_json_is(v, INGLE_JSON_STRING))
            found[n++] = (ingle_jinja_trusted){*names, v->text, v->len};
    }
    return n;
}

static ingle_status render(const char *text, size_t n, const ingle_json *context,
                           const char *const *trusted, const ingle_rendering_time *now,
                           ingle_jinja_output *out, ingle_error *err)
{
    ingle_jinja_trusted found[MAX_TRUSTED];
    ingle_jinja_input in = {.context = context, .trusted = found};
    ingle_jinja *j;
    in.n_trusted = find_trusted(context, trusted, found);
    if (now)
        in.now = (ingle_jinja_time){now->year, now->month,  now->day,
                                    now->hour, now->minute, now->second};
    ingle_status st = ingle_jinja_open(&j, text, n, NULL, err);
    if (!st) st = ingle_jinja_render(j, &in, out, err);
    ingle_jinja_close(j);
    return st;
}

static bool copy_lists(ingle_rendering *r)
{
    const ingle_jinja_output *o = &r->output;
    r->spans = ingle_new(o->n_spans, sizeof *r->spans);
    r->marks = ingle_new(o->n_marks, sizeof *r->marks);
    if (!r->spans || !r->marks) return false;
    for (size_t i = 0; i < o->n_spans; i++)
        r->spans[i] = (ingle_span){o->spans[i].offset, o->spans[i].length, o->spans[i].trusted};
    for (size_t i = 0; i < o->n_marks; i++)
        r->marks[i] = (ingle_rendering_mark){o->marks[i].offset, o->marks[i].i_message};
    return true;
}

ingle_status ingle_template_render(ingle_rendering **out, const char *text, size_t n,
                                   const char *context, size_t n_context,
                                   const char *const *trusted, const ingle_rendering_time *now,
                                   ingle_error *err)
{
    ingle_json_doc doc;
    *out = NULL;
    ingle_status st = ingle_json_open(&doc, context, n_context, NULL, err);
    if (st) return st;
    ingle_rendering *r = ingle_new(1, sizeof *r);
    if (!r) st = ingle_fail(err, INGLE_ENOMEM, "no memory for a rendering");
    else st = render(text, n, doc.root, trusted, now, &r->output, err);
    if (!st && !copy_lists(r)) st = ingle_fail(err, INGLE_ENOMEM, "no memory for a rendering");
    ingle_json_close(&doc);
    if (st) ingle_rendering_close(&r);
    *out = r;
    return st;
}

void ingle_rendering_close(ingle_rendering **rendering)
{
    if (!rendering || !*rendering) return;
    ingle_jinja_output_free(&(*rendering)->output);
    free((*rendering)->spans);
    free((*rendering)->marks);
    free(*rendering);
    *rendering = NULL;
}

const char *ingle_rendering_text(const ingle_rendering *rendering, size_t *n)
{
    *n = rendering ? rendering->output.n : 0;
    return rendering ? rendering->output.text : NULL;
}

const ingle_span *ingle_rendering_spans(const ingle_rendering *rendering, size_t *n)
{
    *n = rendering ? rendering->output.n_spans : 0;
    return rendering ? rendering->spans : NULL;
}

const ingle_rendering_mark *ingle_rendering_marks(const ingle_rendering *rendering, size_t *n)
{
    *n = rendering ? rendering->output.n_marks : 0;
    return rendering ? rendering->marks : NULL;
}
