/* schedule.c - seats, budget, pieces.
 *
 * Decoding sequences come first, one token each, those served least recently before others. The
 * step may then take as long as `step_s`, or twice as long as their tokens alone. Half of what that
 * leaves belongs to the oldest longer task, the other half to the shortest ones; what is left over
 * goes back to the oldest, then to proposed tokens. */
#include "engine/schedule.h"

#include <assert.h>
#include <math.h>

enum { LEAST_PIECE = 8, ALIGNED_FROM = 64, ALIGN = 32 };

static const double margin = 1.15, long_step = 5, lift_s = 10;

int ingle_class_at(int class, double arrived, double now)
{
    double lifts = fmax(floor((now - arrived) / lift_s), 0);
    return lifts >= INGLE_CLASS_HIGH - class ? INGLE_CLASS_HIGH : class + (int)lifts;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- orders ---- */

typedef bool before_fn(const ingle_want *a, const ingle_want *b);

static bool is_older(const ingle_want *a, const ingle_want *b)
{
    return a->class != b->class ? a->class > b->class : a->arrived < b->arrived;
}

static bool is_shorter(const ingle_want *a, const ingle_want *b)
{
    if (a->class != b->class) return a->class > b->class;
    return a->n != b->n ? a->n < b->n : a->arrived < b->arrived;
}

static bool is_due(const ingle_want *a, const ingle_want *b)
{
    return a->served != b->served ? a->served < b->served : is_older(a, b);
}

/* Numbers of wants, ordered as far as somebody asks: a heap, whose head is the first of all. */
typedef struct line {
    const ingle_want *wants;
    before_fn *before;
    size_t *order; /* [n] */
    size_t n;
} line;

/* Of equals the one that comes first in the list. */
static bool goes_before(const line *l, size_t a, size_t b)
{
    if (l->before(&l->wants[a], &l->wants[b])) return true;
    return a < b && !l->before(&l->wants[b], &l->wants[a]);
}

static void sink(line *l, size_t i)
{
    size_t moved = l->order[i];
    for (size_t child; (child = 2 * i + 1) < l->n; i = child) {
        if (child + 1 < l->n && goes_before(l, l->order[child + 1], l->order[child])) child++;
        if (!goes_before(l, l->order[child], moved)) break;
        l->order[i] = l->order[child];
    }
    l->order[i] = moved;
}

static void line_up(line *l)
{
    for (size_t i = l->n / 2; i > 0; i--) sink(l, i - 1);
}

/* The first leaves the heap; its number stays in `order`, right after what is left. */
static size_t next_of(line *l)
{
    size_t first = l->order[0];
    l->order[0] = l->order[--l->n];
    l->order[l->n] = first;
    if (l->n) sink(l, 0);
    return first;
}

/* ---- the step that is put together ---- */

typedef struct plan {
    const ingle_cost_model *model;
    const ingle_schedule_limits *limits;
    ingle_want *wants;
    size_t n;
    ingle_shape shape;
    size_t n_seqs;
    ingle_want *oldest;    /* of the longer tasks; NULL: there are none */
    const ingle_want *due; /* of the decoding sequences */
    int pooling;           /* of hidden states: as the oldest wants them */
    double budget;         /* seconds */
} plan;

static size_t n_rows(const ingle_want *w, size_t take)
{
    if (w->hidden || w->rows == INGLE_ROWS_NONE) return 0;
    if (w->rows == INGLE_ROWS_ALL) return take;
    return w->decoding ? take : take == w->n; /* of a chain each token has a row */
}

static double cost(const plan *p, const ingle_shape *shape)
{
    return margin * ingle_cost_predict(p->model, shape);
}

/* Seconds of the step if the want also got `take` tokens. */
static double cost_with(const plan *p, const ingle_want *w, size_t take)
{
    ingle_shape shape = p->shape;
    ingle_shape_add(&shape, w->pos, take, n_rows(w, take));
    return cost(p, &shape);
}

static size_t room(const plan *p)
{
    return p->limits->n_batch - p->shape.n_tokens;
}

static void seat(plan *p, ingle_want *w, size_t take)
{
    assert(take && take <= room(p) && !w->take);
    ingle_shape_add(&p->shape, w->pos, take, n_rows(w, take));
    p->n_seqs++;
    w->take = take;
    assert(p->n_seqs <= p->limits->n_seqs);
}

/* Takes back what seat() did. */
static void unseat(plan *p, ingle_want *w)
{
    ingle_shape its = {0};
    ingle_shape_add(&its, w->pos, w->take, n_rows(w, w->take));
    p->shape.n_tokens -= its.n_tokens;
    p->shape.n_rows -= its.n_rows;
    p->shape.few -= its.few;
    p->shape.many -= its.many;
    p->n_seqs--;
    w->take = 0;
}

/* ---- pieces ---- */

/* The most tokens from `low` to `high` with which the step takes no longer than `limit`; or 0. */
static size_t most_within(const plan *p, const ingle_want *w, size_t low, size_t high, double limit)
{
    if (cost_with(p, w, high) <= limit) return high;
    if (cost_with(p, w, low) > limit) return 0;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        if (cost_with(p, w, mid) <= limit) low = mid;
        else high = mid;
    }
    return low;
}

/* The largest piece of a longer task that fits, of at least `low` tokens or as many as it wants;
 * else 0. One that ends where it need not ends on a multiple of 32 if it is long enough: whole
 * pages, full tiles of products. */
static size_t piece(const plan *p, const ingle_want *w, size_t low, double limit)
{
    size_t end = w->whole ? w->n : least(w->n, w->cut), high = least(end, room(p));
    low = w->whole ? end : least(end, low);
    if (high < low) return 0;
    size_t take = most_within(p, w, low, high, limit);
    if (take < ALIGNED_FROM || take == end) return take;
    return take - (w->pos + take) % ALIGN;
}

/* What the oldest longer task gets in any case; a narrow batch is not all for it. */
static size_t granted(const plan *p, const ingle_want *w)
{
    size_t half = (p->limits->n_batch + 1) / 2;
    return w->whole ? w->n : least(least(w->n, w->cut), least(LEAST_PIECE, half));
}

/* ---- who is there ---- */

static bool fits_pooling(const plan *p, const ingle_want *w)
{
    return !w->hidden || w->pooling == p->pooling;
}

static void look_around(plan *p)
{
    const ingle_want *hidden = NULL;
    for (size_t i = 0; i < p->n; i++) {
        ingle_want *w = &p->wants[i];
        assert(w->n && w->cut && !(w->whole && w->n > p->limits->n_batch));
        w->take = 0;
        if (w->decoding && (!p->due || is_due(w, p->due))) p->due = w;
        if (w->decoding) continue;
        if (!p->oldest || is_older(w, p->oldest)) p->oldest = w;
        if (w->hidden && (!hidden || is_older(w, hidden))) hidden = w;
    }
    if (hidden) p->pooling = hidden->pooling;
}

/* The wants that are decoding or not, the oldest longer one apart. */
static line line_of(const plan *p, bool decoding, before_fn *before, size_t *order)
{
    line l = {p->wants, before, order, 0};
    for (size_t i = 0; i < p->n; i++) {
        const ingle_want *w = &p->wants[i];
        if (w->decoding == decoding && w != p->oldest && fits_pooling(p, w)) order[l.n++] = i;
    }
    line_up(&l);
    return l;
}

/* ---- the step ---- */

/* Whether the oldest longer task has a seat in this step. Where that would leave no seat or no
 * token to decoding sequences, it takes turns with them. */
static bool has_seat(const plan *p)
{
    if (!p->oldest || !p->due) return p->oldest;
    if (p->limits->n_seqs > 1 && granted(p, p->oldest) < p->limits->n_batch) return true;
    return p->oldest->served <= p->due->served;
}

/* One token for each decoding sequence, from the one that was served least recently. */
static void seat_decoding(plan *p, line *decoding, bool kept)
{
    size_t n_seats = p->limits->n_seqs - kept;
    size_t n_tokens = p->limits->n_batch - (kept ? granted(p, p->oldest) : 0);
    while (decoding->n && p->n_seqs < n_seats && p->shape.n_tokens < n_tokens)
        seat(p, &p->wants[next_of(decoding)], 1);
}

/* Proposed tokens for those of the n decoding sequences that have a seat, in the same order, as
 * long as `reserve` tokens of the batch and the time `limit` are kept. */
static void lengthen(plan *p, const line *decoding, size_t n, size_t reserve, double limit)
{
    for (size_t i = n; i > decoding->n; i--) {
        ingle_want *w = &p->wants[decoding->order[i - 1]];
        if (w->take == w->n || room(p) < reserve + w->n - 1) continue;
        unseat(p, w);
        seat(p, w, cost_with(p, w, w->n) <= limit ? w->n : 1);
    }
}

/* The oldest longer task gets half of the time that is left. */
static void seat_oldest(plan *p)
{
    size_t take = piece(p, p->oldest, LEAST_PIECE, (cost(p, &p->shape) + p->budget) / 2);
    seat(p, p->oldest, take ? take : granted(p, p->oldest));
}

/* The shortest gets a piece of any size: where a step has time for few tokens, it would else wait
 * until it is the oldest. Two tokens at least: a single one attends as those of decoding sequences
 * do, which can take longer than two. For the others a short piece is not worth the seat. */
static void seat_others(plan *p, line *others)
{
    size_t low = 2;
    while (others->n && room(p) && p->n_seqs < p->limits->n_seqs) {
        ingle_want *w = &p->wants[next_of(others)];
        size_t take = piece(p, w, low, p->budget);
        if (!take) continue;
        seat(p, w, take);
        low = LEAST_PIECE;
    }
}

/* The oldest gets what others left. */
static void widen_oldest(plan *p)
{
    size_t had = p->oldest->take;
    unseat(p, p->oldest);
    size_t take = piece(p, p->oldest, LEAST_PIECE, p->budget);
    seat(p, p->oldest, take > had ? take : had);
}

static void set_budget(plan *p)
{
    const ingle_schedule_limits *l = p->limits;
    double most = p->due ? fmax(l->step_s, 2 * cost(p, &p->shape)) : long_step * l->step_s;
    p->budget = fmin(most, l->most_s);
}

ingle_shape ingle_schedule(const ingle_cost_model *model, ingle_want *wants, size_t n,
                           const ingle_schedule_limits *limits, size_t *order)
{
    plan p = {.model = model, .limits = limits, .wants = wants, .n = n};
    assert(limits->n_batch && limits->n_seqs);
    look_around(&p);
    bool kept = has_seat(&p);
    line decoding = line_of(&p, true, is_due, order);
    size_t n_decoding = decoding.n;
    seat_decoding(&p, &decoding, kept);
    set_budget(&p);
    if (kept) {
        lengthen(&p, &decoding, n_decoding, granted(&p, p.oldest), p.budget / 2);
        seat_oldest(&p);
    }
    line others = line_of(&p, false, is_shorter, order + n_decoding);
    seat_others(&p, &others);
    if (kept) widen_oldest(&p);
    lengthen(&p, &decoding, n_decoding, 0, p.budget);
    return p.shape;
}
