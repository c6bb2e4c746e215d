/* overflow.c - the plan for a prompt that does not fit: the oldest messages go, whole ones, after
 * those that are to stay. As what comes after them is computed again, more go than have to: half of
 * the context is free then, where there are messages enough. */
#include "engine/request.h"

#include <string.h>

/* The ends of messages in a timeline: those of the session, then those of the prompt. */
static size_t mark_at(const ingle_session *s, const ingle_generate_options *opt, size_t i)
{
    return i < s->n_marks ? s->marks[i] : s->n + opt->marks[i - s->n_marks];
}

static size_t count_marks(const ingle_session *s, const ingle_generate_options *opt)
{
    return s->n_marks + opt->n_marks;
}

/* Room that an answer is to have. */
static size_t room_for_answer(const ingle_generate_options *opt, size_t n_ctx)
{
    size_t most = n_ctx / 4;
    return opt->max_tokens >= 0 && (size_t)opt->max_tokens < most ? (size_t)opt->max_tokens : most;
}

/* Where what may go begins: after a BOS, or after the message in which the n_keep-th token is;
 * SIZE_MAX: after all. */
static size_t first_to_go(const ingle_session *s, const int32_t *prompt,
                          const ingle_generate_options *opt)
{
    ingle_vocab_info v;
    if (!opt->n_keep) {
        int32_t first = s->n ? s->tokens[0] : prompt[0];
        if (!s->engine->model->vocab) return 0;
        ingle_vocab_info_get(s->engine->model->vocab, &v);
        return first == v.bos;
    }
    for (size_t i = 0; i < count_marks(s, opt); i++)
        if (mark_at(s, opt, i) >= opt->n_keep) return mark_at(s, opt, i);
    return SIZE_MAX;
}

ingle_status ingle_overflow_plan(const ingle_session *s, const int32_t *prompt, size_t n,
                                 const ingle_generate_options *opt, ingle_drop *drop,
                                 ingle_error *err)
{
    size_t n_ctx = (size_t)s->engine->opt.n_ctx, all;
    size_t room = room_for_answer(opt, n_ctx), least_room = room < 1 ? room : 1;
    *drop = (ingle_drop){0, 0};
    if (!ingle_add_ok(s->n, n, &all))
        return ingle_fail(err, INGLE_EFULL, "%zu tokens do not fit a context of %zu", n, n_ctx);
    if (n <= n_ctx && all + room <= n_ctx) return INGLE_OK;
    size_t from = first_to_go(s, prompt, opt), to = from;
    for (size_t i = 0; i < count_marks(s, opt); i++) {
        size_t mark = mark_at(s, opt, i);
        if (mark <= from || mark >= all) continue;
        to = mark;
        if (all - (to - from) <= n_ctx / 2) break;
    }
    if (all - (to - from) > n_ctx - least_room)
        return ingle_fail(err, INGLE_EFULL,
                          "%zu tokens do not fit a context of %zu: option 'overflow' may drop %zu, "
                          "up to the last of option 'marks' before the end",
                          all, n_ctx, to - from);
    if (to != from) *drop = (ingle_drop){from, to};
    return INGLE_OK;
}

size_t ingle_drop_marks(size_t *marks, size_t n, ingle_drop d)
{
    size_t n_left = 0;
    for (size_t i = 0; i < n; i++) {
        if (marks[i] > d.from && marks[i] <= d.to) continue;
        marks[n_left++] = marks[i] > d.to ? marks[i] - (d.to - d.from) : marks[i];
    }
    return n_left;
}

/* ---- the session ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

void ingle_drop_do(ingle_request *r)
{
    ingle_session *s = r->session;
    ingle_drop d = ingle_drop_before(r->drop, s->n);
    if (d.from == d.to) return;
    size_t n = s->n, n_marks = s->n_marks;
    ingle_sequence_cut(s, d.from, least(s->n_live, d.from)); /* which forgets what lies after */
    memmove(s->tokens + d.from, s->tokens + d.to, (n - d.to) * sizeof *s->tokens);
    s->n_marks = ingle_drop_marks(s->marks, n_marks, d);
    s->n = n - (d.to - d.from);
    s->n_rows = 0;
}

void ingle_drop_undo(ingle_request *r)
{
    ingle_session *s = r->session;
    if (!r->old_tokens) return;
    ingle_sequence_cut(s, r->drop.from, least(s->n_live, r->drop.from));
    memcpy(s->tokens, r->old_tokens, r->n_old * sizeof *s->tokens);
    memcpy(s->marks, r->old_marks, r->n_old_marks * sizeof *s->marks);
    s->n = r->n_old;
    s->n_marks = r->n_old_marks;
}

void ingle_marks_keep(ingle_request *r)
{
    ingle_session *s = r->session;
    for (size_t i = 0; i < r->opt.n_marks; i++) {
        size_t mark = r->first + r->opt.marks[i], last = s->n_marks ? s->marks[s->n_marks - 1] : 0;
        if (mark > last && mark <= s->n) s->marks[s->n_marks++] = mark;
    }
}
