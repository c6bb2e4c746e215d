/* jinja.c - see jinja.h. */
#include "chat/jinja.h"

#include "chat/jinja_builtin.h"
#include "chat/jinja_compile.h"
#include "chat/jinja_vm.h"

#include <inttypes.h>

static size_t limit(size_t asked, size_t usual, size_t most)
{
    size_t n = asked ? asked : usual;
    return n < most ? n : most;
}

/* ---- templates ------------------------------------------------------------------------------- */

void ingle_jinja_close(ingle_jinja *j)
{
    if (!j) return;
    ingle_jinja_arena_close(&j->arena);
    free(j->code);
    free(j->line);
    free(j->consts);
    free(j->names);
    free(j->shapes);
    free(j->scopes);
    free(j->macros);
    free(j->refs);
    free(j->globals);
    free(j);
}

ingle_status ingle_jinja_open(ingle_jinja **out, const char *text, size_t n,
                              const ingle_jinja_limits *limits, ingle_error *err)
{
    static const ingle_jinja_limits none;
    const ingle_jinja_limits *l = limits ? limits : &none;
    size_t max_bytes = limit(l->max_bytes, 1 << 20, 256 << 20);
    *out = NULL;
    if (n > max_bytes)
        return ingle_fail(err, INGLE_EUNSUPPORTED, "a template of %zu bytes; at most %zu", n,
                          max_bytes);
    ingle_jinja *j = ingle_new(1, sizeof *j);
    if (!j) return ingle_fail(err, INGLE_ENOMEM, "no memory for a template of %zu bytes", n);
    j->arena.max = limit(l->max_program, 64 << 20, SIZE_MAX);
    ingle_status st = ingle_jinja_compile(j, text, n, limit(l->max_depth, 256, 4096), err);
    if (st) ingle_jinja_close(j);
    else *out = j;
    return st;
}

bool ingle_jinja_mentions(const ingle_jinja *j, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < j->n_globals; i++) {
        const jinja_str *s = j->names[j->globals[i]];
        if (s->n == n && !memcmp(s->p, name, n)) return true;
    }
    return false;
}

bool ingle_jinja_says(const ingle_jinja *j, const char *p, size_t n)
{
    for (size_t i = 0; i < j->n_consts; i++) {
        const jinja_value *v = &j->consts[i];
        if (v->kind != JINJA_STR || v->u.str->n < n) continue;
        for (size_t at = 0; at + n <= v->u.str->n; at++)
            if (!memcmp(v->u.str->p + at, p, n)) return true;
    }
    return false;
}

size_t ingle_jinja_bytes(const ingle_jinja *j)
{
    return sizeof *j + j->arena.used + j->n_code * (sizeof *j->code + sizeof *j->line) +
           j->n_consts * sizeof *j->consts + j->n_names * sizeof *j->names +
           j->n_shapes * sizeof *j->shapes + j->n_scopes * sizeof *j->scopes +
           j->n_macros * sizeof *j->macros + j->n_refs * sizeof *j->refs +
           j->n_globals * sizeof *j->globals;
}

/* ---- rendering ------------------------------------------------------------------------------- */

static bool give_spans(const jinja_out *o, ingle_jinja_output *out)
{
    out->spans = ingle_new(o->n_runs, sizeof *out->spans);
    if (!out->spans) return false;
    for (size_t i = 0; i < o->n_runs; i++) {
        size_t end = i + 1 < o->n_runs ? o->runs[i + 1].at : o->n;
        out->spans[i] = (ingle_span){o->runs[i].at, end - o->runs[i].at, o->runs[i].trusted};
    }
    out->n_spans = o->n_runs;
    return true;
}

/* Text, spans and marks go over to the caller. */
static ingle_status give(jinja_render *r, ingle_jinja_output *out, ingle_error *err)
{
    jinja_out *o = &r->out;
    if (!ingle_grow(&o->p, &o->cap, o->n + 1, 1) || !give_spans(o, out))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu bytes of output", o->n);
    o->p[o->n] = 0;
    out->text = o->p;
    out->n = o->n;
    out->marks = r->marks;
    out->n_marks = r->n_marks;
    o->p = NULL;
    r->marks = NULL;
    return INGLE_OK;
}

static ingle_status fail(jinja_render *r, ingle_jinja_output *out, ingle_error *err)
{
    out->raised = r->raised;
    out->n_raised = r->n_raised;
    return ingle_fail(err, r->status, "line %zu: %s", out->line, r->error.text);
}

ingle_status ingle_jinja_render(const ingle_jinja *j, const ingle_jinja_input *in,
                                ingle_jinja_output *out, ingle_error *err)
{
    size_t line = 0, max_memory = limit(in->max_memory, 256 << 20, SIZE_MAX / 2);
    jinja_render r = {.program = j,
                      .builtins = &ingle_jinja_registry,
                      .in = in,
                      .heap = {.max = max_memory - max_memory / 4},
                      .bytes = {.max = max_memory / 4},
                      .max_steps = in->max_steps ? in->max_steps : 50000000,
                      .max_output = limit(in->max_output, 64 << 20, 1 << 30)};
    *out = (ingle_jinja_output){0};
    if (!ingle_json_is(in->context, INGLE_JSON_OBJECT))
        return ingle_fail(err, INGLE_EINVAL, "the context should be a JSON object");
    for (size_t i = 0; i < in->n_trusted; i++)
        if (in->trusted[i].n > r.max_output)
            return ingle_fail(err, INGLE_EUNSUPPORTED, "variable '%s' has %zu bytes; at most %zu",
                              in->trusted[i].name, in->trusted[i].n, r.max_output);
    r.fuel = r.max_steps;
    r.globals = ingle_new(j->n_globals, sizeof *r.globals);
    ingle_status st;
    if (!r.globals) {
        st = ingle_fail(err, INGLE_ENOMEM, "no memory for the template's variables");
    } else if (ingle_jinja_run(&r, limit(in->max_calls, 200, 4096), &line)) {
        st = give(&r, out, err);
    } else {
        out->line = line;
        st = fail(&r, out, err);
    }
    out->n_steps = r.max_steps - r.fuel;
    ingle_jinja_arena_close(&r.heap);
    ingle_jinja_arena_close(&r.bytes);
    free(r.globals);
    free(r.marks);
    free(r.out.p);
    free(r.out.runs);
    return st;
}

void ingle_jinja_output_free(ingle_jinja_output *out)
{
    if (!out) return;
    free(out->text);
    free(out->spans);
    free(out->marks);
    free(out->raised);
    *out = (ingle_jinja_output){0};
}
