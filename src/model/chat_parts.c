/* chat_parts.c - see chat_parts.h. */
#include "model/chat_parts.h"

#include "base/digest.h"
#include "base/entropy.h"

static void add_call(ingle_chat_parts *p, const ingle_parse_event *e)
{
    if (!ingle_grow(&p->calls, &p->cap_calls, p->n_calls + 1, sizeof *p->calls)) {
        p->failed = true;
        return;
    }
    ingle_chat_part *c = &p->calls[p->n_calls++];
    c->name = p->calls_text.n;
    ingle_bytes_put(&p->calls_text, e->text, e->n);
    c->args = c->id = c->end = p->calls_text.n;
}

static void on_event(void *user, const ingle_parse_event *e)
{
    ingle_chat_parts *p = user;
    if (p->failed) return;
    ingle_chat_part *c = p->n_calls ? &p->calls[p->n_calls - 1] : NULL;
    switch (e->kind) {
    case INGLE_PARSE_REASONING: ingle_bytes_put(&p->thinking, e->text, e->n); break;
    case INGLE_PARSE_CONTENT: ingle_bytes_put(&p->text, e->text, e->n); break;
    case INGLE_PARSE_CALL_BEGIN: add_call(p, e); break;
    case INGLE_PARSE_CALL_ARGS:
        ingle_bytes_put(&p->calls_text, e->text, e->n);
        if (c) c->id = c->end = p->calls_text.n;
        break;
    case INGLE_PARSE_CALL_END:
        ingle_bytes_put(&p->calls_text, e->id, e->id ? e->n_id : 0);
        if (c) c->end = p->calls_text.n;
        p->bad = p->bad || e->bad;
    }
}

ingle_status ingle_chat_parts_read(ingle_chat_parts *parts, const ingle_parse_options *opt,
                                   const char *answer, size_t n, ingle_error *err)
{
    ingle_parse_options o = *opt;
    ingle_parse *p;
    o.on_event = on_event;
    o.user = parts;
    ingle_status st = ingle_parse_open(&p, &o, err);
    if (st) return st;
    st = ingle_parse_feed(p, answer, n, err);
    if (!st) st = ingle_parse_finish(p, err);
    ingle_parse_close(&p);
    bool failed =
        parts->failed || parts->thinking.failed || parts->text.failed || parts->calls_text.failed;
    return !st && failed ? ingle_fail(err, INGLE_ENOMEM, "no memory for the parts of an answer")
                         : st;
}

void ingle_chat_parts_free(ingle_chat_parts *parts)
{
    ingle_bytes_free(&parts->thinking);
    ingle_bytes_free(&parts->text);
    ingle_bytes_free(&parts->calls_text);
    free(parts->calls);
    *parts = (ingle_chat_parts){.n_calls = 0};
}

/* ---- comparing ------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool same_bytes(const char *a, size_t n_a, const char *b, size_t n_b)
{
    return n_a == n_b && (!n_a || !memcmp(a, b, n_a));
}

static bool same_text(const ingle_bytes *a, const ingle_bytes *b)
{
    const ingle_bytes *of[] = {a, b};
    size_t from[2] = {0, 0}, to[2];
    for (int i = 0; i < 2; i++) {
        to[i] = of[i]->n;
        while (to[i] && is_space(of[i]->p[to[i] - 1])) to[i]--;
        while (from[i] < to[i] && is_space(of[i]->p[from[i]])) from[i]++;
    }
    return same_bytes(to[0] ? a->p + from[0] : "", to[0] - from[0], to[1] ? b->p + from[1] : "",
                      to[1] - from[1]);
}

static ingle_status digest_of(const uint64_t key[2], const char *args, size_t n, uint64_t out[2],
                              bool *ok)
{
    ingle_json_doc doc;
    ingle_status st = ingle_json_open(&doc, args, n, NULL, NULL);
    *ok = !st;
    if (!st) ingle_digest_json(key, doc.root, out);
    ingle_json_close(&doc);
    return st == INGLE_ENOMEM ? st : INGLE_OK;
}

static ingle_status same_args(const char *a, size_t n_a, const char *b, size_t n_b, bool *same)
{
    const uint64_t key[2] = {ingle_entropy(), ingle_entropy()};
    uint64_t x[2] = {0, 0}, y[2] = {0, 0};
    bool ok = false, other_ok = false;
    if ((*same = same_bytes(a, n_a, b, n_b))) return INGLE_OK;
    ingle_status st = digest_of(key, a, n_a, x, &ok);
    if (!st && ok) st = digest_of(key, b, n_b, y, &other_ok);
    *same = !st && ok && other_ok && x[0] == y[0] && x[1] == y[1];
    return st;
}

static ingle_status same_call(const ingle_chat_parts *a, size_t i, const ingle_chat_parts *b,
                              bool *same)
{
    const ingle_chat_part *x = &a->calls[i], *y = &b->calls[i];
    const char *p = a->calls_text.p, *q = b->calls_text.p;
    *same = same_bytes(p + x->name, x->args - x->name, q + y->name, y->args - y->name) &&
            (x->end == x->id || same_bytes(p + x->id, x->end - x->id, q + y->id, y->end - y->id));
    return *same ? same_args(p + x->args, x->id - x->args, q + y->args, y->id - y->args, same)
                 : INGLE_OK;
}

ingle_status ingle_chat_parts_same(const ingle_chat_parts *printed, const ingle_chat_parts *written,
                                   bool *same, ingle_error *err)
{
    *same = !printed->bad && !written->bad && printed->n_calls == written->n_calls &&
            same_text(&printed->thinking, &written->thinking) &&
            same_text(&printed->text, &written->text);
    for (size_t i = 0; *same && i < printed->n_calls; i++)
        if (same_call(printed, i, written, same))
            return ingle_fail(err, INGLE_ENOMEM, "no memory to compare the calls of two answers");
    return INGLE_OK;
}
