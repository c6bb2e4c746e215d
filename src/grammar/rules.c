/* rules.c - the end of making rules: which parts have a text, which rules a finite one, which the
 * empty one; and left recursion taken out, so that every derivative ends. */
#include "grammar/table.h"

#include <stdio.h>

enum {
    CIRCLE_MAX = 64, /* rules that begin with one another */
    NEST_MAX = 200,  /* alternatives in sequences in alternatives at the beginning of such a rule */
    SEARCH_WORK = 50000, /* on intersections */
    NAME_SHOWN = 60
};

static bool no_memory(ingle_terms *t)
{
    ingle_terms_fail(t, INGLE_ENOMEM, "no memory for the rules of a grammar");
    return false;
}

static const char *name_of(const ingle_terms *t, uint32_t rule, char out[NAME_SHOWN + 4])
{
    const ingle_rule *r = &t->rule[rule];
    uint32_t n = r->name_len < NAME_SHOWN ? r->name_len : NAME_SHOWN;
    if (n) memcpy(out, t->bytes + r->name, n);
    strcpy(out + n, n < r->name_len ? "..." : "");
    return out;
}

/* ---- least fixed points ---------------------------------------------------------------------- */

/* What is true of a term once it is true of enough of its parts (Dowling and Gallier, 1984). */
typedef struct ingle_spread {
    uint32_t *need;   /* parts that are still to become true; 0: it is true */
    uint32_t *parent; /* of term e: from start[e] on */
    uint32_t *start;
    uint32_t *todo;
    size_t n_todo;
    ingle_term *of_rule; /* the term that stands for a rule; 0: none does */
} ingle_spread;

/* Of an intersection with a part that may recur: that part, and the other one. INGLE_UNKNOWN: it is
 * none. */
static ingle_term guarded(const ingle_terms *t, const ingle_node *x, ingle_term *guard)
{
    if (x->kind != TERM_AND || !(x->flags & TERM_IRREGULAR)) return INGLE_UNKNOWN;
    bool first = ingle_term_has(t, x->a, TERM_IRREGULAR);
    *guard = first ? x->b : x->a;
    return first ? x->a : x->b;
}

/* How many parts must be true; 0: it is true by itself; INGLE_UNKNOWN: it never is. */
static uint32_t need_of(const ingle_terms *t, ingle_term e, bool nullable)
{
    const ingle_node *x = &t->node[e];
    ingle_term guard;
    if (guarded(t, x, &guard) != INGLE_UNKNOWN)
        return nullable && !ingle_term_nullable(t, guard) ? INGLE_UNKNOWN : 1;
    switch ((ingle_term_kind)x->kind) {
    case TERM_NONE: return INGLE_UNKNOWN;
    case TERM_SEQ: return 2;
    case TERM_ALT:
    case TERM_RULE: return 1;
    case TERM_REPEAT: return x->b ? 1 : 0;
    case TERM_AND:
    case TERM_MINUS:
        if (x->flags & TERM_DEAD) return INGLE_UNKNOWN;
        return !nullable || x->flags & TERM_NULLABLE ? 0 : INGLE_UNKNOWN;
    default: return !nullable || x->flags & TERM_NULLABLE ? 0 : INGLE_UNKNOWN;
    }
}

/* Calls for every part of e: once to count, once to write. */
static void link_part(ingle_spread *s, ingle_term part, ingle_term e, bool write)
{
    if (write) s->parent[--s->start[part + 1]] = e;
    else s->start[part + 1]++;
}

static void link_parts(const ingle_terms *t, ingle_spread *s, bool write)
{
    for (ingle_term e = 0; e < t->n; e++) {
        const ingle_node *x = &t->node[e];
        ingle_term guard, part = guarded(t, x, &guard);
        if (part != INGLE_UNKNOWN) link_part(s, part, e, write);
        if (x->kind == TERM_SEQ || x->kind == TERM_REPEAT) link_part(s, x->a, e, write);
        if (x->kind == TERM_SEQ) link_part(s, x->b, e, write);
        if (x->kind == TERM_RULE) link_part(s, t->rule[x->a].body, e, write);
        for (uint32_t i = 0; x->kind == TERM_ALT && i < x->b; i++)
            link_part(s, t->words.at[x->a + i], e, write);
    }
}

static void spread_close(ingle_spread *s)
{
    free(s->need);
    free(s->parent);
    free(s->start);
    free(s->todo);
}

/* Afterwards need[e] == 0 says that it is true of e. */
static bool spread(ingle_terms *t, ingle_spread *s, bool nullable)
{
    size_t n_links = 0;
    *s = (ingle_spread){.need = ingle_new(t->n, sizeof *s->need),
                        .start = ingle_new(t->n + 2, sizeof *s->start),
                        .todo = ingle_new(t->n, sizeof *s->todo)};
    if (!s->need || !s->start || !s->todo) return no_memory(t);
    link_parts(t, s, false);
    for (size_t e = 0; e < t->n; e++) s->start[e + 1] += s->start[e];
    n_links = s->start[t->n];
    if (!(s->parent = ingle_new(n_links, sizeof *s->parent))) return no_memory(t);
    link_parts(t, s, true); /* start[e + 1] moves down to where the parents of e begin */
    for (ingle_term e = 0; e < t->n; e++)
        if (!(s->need[e] = need_of(t, e, nullable))) s->todo[s->n_todo++] = e;
    while (s->n_todo) {
        ingle_term e = s->todo[--s->n_todo];
        size_t end = e + 1 < t->n ? s->start[e + 2] : n_links;
        for (size_t i = s->start[e + 1]; i < end; i++) {
            uint32_t *need = &s->need[s->parent[i]];
            if (*need && *need != INGLE_UNKNOWN && !--*need) s->todo[s->n_todo++] = s->parent[i];
        }
    }
    return true;
}

/* ---- intersections that no text belongs to --------------------------------------------------- */

static bool reach(ingle_terms *t, ingle_words *todo, unsigned char *seen, ingle_term e)
{
    if (seen[e]) return true;
    seen[e] = 1;
    return ingle_words_push(t, todo, e);
}

/* The parts of e, and what a rule stands for. */
static bool reach_parts(ingle_terms *t, ingle_words *todo, unsigned char *seen, ingle_term e)
{
    const ingle_node x = t->node[e];
    switch ((ingle_term_kind)x.kind) {
    case TERM_SEQ:
    case TERM_AND:
    case TERM_MINUS: return reach(t, todo, seen, x.a) && reach(t, todo, seen, x.b);
    case TERM_REPEAT:
    case TERM_SOME: return reach(t, todo, seen, x.a);
    case TERM_RULE: return reach(t, todo, seen, t->rule[x.a].body);
    case TERM_ALT:
        for (uint32_t i = 0; i < x.b; i++)
            if (!reach(t, todo, seen, t->words.at[x.a + i])) return false;
        return true;
    default: return true;
    }
}

/* Whether there is work left for others. It does not count as the compiler's. */
static bool search_narrow(ingle_terms *t, ingle_term e, uint64_t *left)
{
    bool empty;
    uint64_t before = t->work, limit = t->work_limit;
    t->work_limit = before + *left;
    if (ingle_term_is_empty(t, e, &empty) == INGLE_EUNSUPPORTED) t->status = INGLE_OK;
    uint64_t done = t->work - before;
    t->work_limit = limit > UINT64_MAX - done ? UINT64_MAX : limit + done;
    *left -= done < *left ? done : *left;
    return *left;
}

/* Marks those in the grammar that are empty; where a search does not decide, they count as not. */
static bool find_empty(ingle_terms *t, ingle_term root)
{
    uint64_t left = SEARCH_WORK;
    ingle_words todo = {0};
    unsigned char *seen = ingle_new(t->n, 1);
    bool ok = seen ? reach(t, &todo, seen, root) : no_memory(t);
    for (size_t i = 0; ok && i < t->n_rules; i++) ok = reach(t, &todo, seen, t->rule[i].body);
    for (size_t i = 0; ok && i < todo.n; i++) ok = reach_parts(t, &todo, seen, todo.at[i]);
    for (size_t i = 0; ok && i < todo.n; i++) {
        unsigned kind = t->node[todo.at[i]].kind;
        if (ingle_term_has(t, todo.at[i], TERM_IRREGULAR)) continue; /* rules are not ready */
        if ((kind == TERM_AND || kind == TERM_MINUS) && !search_narrow(t, todo.at[i], &left)) break;
        ok = !t->status;
    }
    free(todo.at);
    free(seen);
    return ok;
}

/* ---- rules that no finite text belongs to ---------------------------------------------------- */

static ingle_term rebuilt(ingle_terms *t, ingle_term e, const ingle_term *new)
{
    const ingle_node x = t->node[e];
    ingle_term guard, part = guarded(t, &x, &guard);
    if (part != INGLE_UNKNOWN) return ingle_term_within(t, new[part], guard);
    switch ((ingle_term_kind)x.kind) {
    case TERM_SEQ: return ingle_term_seq(t, new[x.a], new[x.b]);
    case TERM_REPEAT: return ingle_term_repeat(t, new[x.a], x.b, x.c);
    case TERM_ALT: {
        size_t base = t->list.n;
        for (uint32_t i = 0; i < x.b; i++) ingle_words_push(t, &t->list, new[t->words.at[x.a + i]]);
        ingle_term all = ingle_term_alt_of(t, t->list.at + base, t->list.n - base);
        t->list.n = base;
        return all;
    }
    default: return e;
    }
}

/* They become INGLE_TERM_NONE wherever they stand. */
static bool drop_unproductive(ingle_terms *t, ingle_term *root)
{
    ingle_spread s;
    size_t n = t->n, n_dead = 0;
    ingle_term *new = ingle_new(n, sizeof *new);
    bool ok = spread(t, &s, false);
    if (!new) ok = no_memory(t);
    for (ingle_term e = 0; ok && e < n; e++) n_dead += s.need[e] != 0;
    if (ok && n_dead > 1) { /* INGLE_TERM_NONE itself is one */
        for (ingle_term e = 0; e < n; e++) new[e] = s.need[e] ? 0 : rebuilt(t, e, new);
        for (size_t r = 0; r < t->n_rules; r++) t->rule[r].body = new[t->rule[r].body];
        *root = new[*root];
    }
    spread_close(&s);
    free(new);
    return ok && !t->status;
}

static bool find_nullable(ingle_terms *t)
{
    ingle_spread s;
    bool ok = spread(t, &s, true);
    for (ingle_term e = 0; ok && e < t->n; e++)
        if (!s.need[e]) t->node[e].flags |= TERM_NULLABLE;
    spread_close(&s);
    return ok;
}

/* ---- which rules begin with which ------------------------------------------------------------ */

typedef struct ingle_left {
    uint32_t *edge; /* of rule r: from start[r] to start[r + 1] */
    size_t *start;
    size_t n, cap;
    uint32_t *seen; /* by term: the rule that last came by, plus 1 */
} ingle_left;

/* The parts of e with which a text of e may begin. */
static void push_left(const ingle_terms *t, ingle_term e, ingle_words *todo)
{
    const ingle_node *x = &t->node[e];
    if (x->kind == TERM_SEQ || x->kind == TERM_REPEAT || x->kind == TERM_SOME)
        todo->at[todo->n++] = x->a;
    if (x->kind == TERM_SEQ && ingle_term_nullable(t, x->a)) todo->at[todo->n++] = x->b;
    for (uint32_t i = 0; x->kind == TERM_ALT && i < x->b; i++)
        todo->at[todo->n++] = t->words.at[x->a + i];
}

static bool left_edges(ingle_terms *t, uint32_t rule, ingle_left *l, ingle_words *todo)
{
    todo->n = 0;
    if (!ingle_words_push(t, todo, t->rule[rule].body)) return false;
    while (todo->n) {
        ingle_term e = todo->at[--todo->n];
        const ingle_node *x = &t->node[e];
        if (l->seen[e] == rule + 1) continue;
        l->seen[e] = rule + 1;
        if (++t->work > ((uint64_t)1 << 27))
            return ingle_terms_fail(t, INGLE_EUNSUPPORTED, "the rules are too many to sort"), false;
        if (x->kind == TERM_RULE) {
            if (!ingle_grow(&l->edge, &l->cap, l->n + 1, sizeof *l->edge)) return no_memory(t);
            l->edge[l->n++] = x->a;
        }
        size_t more = x->kind == TERM_ALT ? x->b : 2;
        if (!ingle_grow(&todo->at, &todo->cap, todo->n + more, sizeof *todo->at))
            return no_memory(t);
        push_left(t, e, todo);
    }
    return true;
}

static bool all_left_edges(ingle_terms *t, ingle_left *l)
{
    ingle_words todo = {0};
    l->start = ingle_new(t->n_rules + 1, sizeof *l->start);
    l->seen = ingle_new(t->n, sizeof *l->seen);
    bool ok = l->start && l->seen ? true : no_memory(t);
    for (uint32_t r = 0; ok && r < t->n_rules; r++) {
        ok = left_edges(t, r, l, &todo);
        l->start[r + 1] = l->n;
    }
    free(todo.at);
    return ok;
}

/* ---- circles, by Tarjan's algorithm ---------------------------------------------------------- */

typedef struct ingle_circles {
    uint32_t *order; /* by rule: when it was met, from 1 on */
    uint32_t *low;
    uint32_t *open; /* rules whose circle is not closed yet */
    uint32_t *path; /* the way from the first to this one */
    size_t *next;   /* by rule: its next edge */
    bool *is_open;
    uint32_t n_met;
    size_t n_open, n_path;
} ingle_circles;

static void straighten(ingle_terms *t, const uint32_t *rule, size_t n);

static bool goes_to_itself(const ingle_left *l, uint32_t rule)
{
    for (size_t i = l->start[rule]; i < l->start[rule + 1]; i++)
        if (l->edge[i] == rule) return true;
    return false;
}

static void enter(ingle_circles *c, const ingle_left *l, uint32_t rule)
{
    c->order[rule] = c->low[rule] = ++c->n_met;
    c->next[rule] = l->start[rule];
    c->path[c->n_path++] = c->open[c->n_open++] = rule;
    c->is_open[rule] = true;
}

/* All edges of the last rule on the path were followed. */
static void leave(ingle_terms *t, ingle_circles *c, const ingle_left *l)
{
    uint32_t rule = c->path[--c->n_path];
    if (c->n_path) {
        uint32_t *low = &c->low[c->path[c->n_path - 1]];
        if (c->low[rule] < *low) *low = c->low[rule];
    }
    if (c->low[rule] != c->order[rule]) return;
    size_t from = c->n_open;
    do c->is_open[c->open[--from]] = false;
    while (c->open[from] != rule);
    if (c->n_open - from > 1 || goes_to_itself(l, rule))
        straighten(t, c->open + from, c->n_open - from);
    c->n_open = from;
}

static void follow(ingle_terms *t, ingle_circles *c, const ingle_left *l, uint32_t first)
{
    enter(c, l, first);
    while (c->n_path && !t->status) {
        uint32_t rule = c->path[c->n_path - 1];
        if (c->next[rule] == l->start[rule + 1]) {
            leave(t, c, l);
            continue;
        }
        uint32_t to = l->edge[c->next[rule]++];
        if (!c->order[to]) enter(c, l, to);
        else if (c->is_open[to] && c->order[to] < c->low[rule]) c->low[rule] = c->order[to];
    }
}

void ingle_rules_straighten(ingle_terms *t)
{
    ingle_left l = {0};
    size_t n = t->n_rules;
    ingle_circles c = {.order = ingle_new(n, sizeof *c.order),
                       .low = ingle_new(n, sizeof *c.low),
                       .open = ingle_new(n, sizeof *c.open),
                       .path = ingle_new(n, sizeof *c.path),
                       .next = ingle_new(n, sizeof *c.next),
                       .is_open = ingle_new(n, sizeof *c.is_open)};
    bool ok = c.order && c.low && c.open && c.path && c.next && c.is_open;
    if (!ok) no_memory(t);
    else if (all_left_edges(t, &l))
        for (uint32_t r = 0; r < n && !t->status; r++)
            if (!c.order[r]) follow(t, &c, &l, r);
    free(l.edge);
    free(l.start);
    free(l.seen);
    free(c.order);
    free(c.low);
    free(c.open);
    free(c.path);
    free(c.next);
    free(c.is_open);
}

/* ---- left recursion -------------------------------------------------------------------------- */

/* The rules of a circle, without the empty text, solve
 *     X_i = X_0 a_i0 | X_1 a_i1 | ... | b_i
 * where no b_i begins with a rule of the circle. The solution of X = X a | b is b a* (Arden), and
 * the circle is solved as linear equations are, one unknown after the other. */
typedef struct ingle_circle {
    const uint32_t *rule;
    size_t n;
} ingle_circle;

typedef struct ingle_equation {
    ingle_term after[CIRCLE_MAX]; /* a_i: what follows each rule */
    ingle_term other;             /* b */
} ingle_equation;

static void add_scaled(ingle_terms *t, ingle_equation *to, const ingle_equation *e, size_t n,
                       ingle_term tail)
{
    for (size_t j = 0; j < n; j++)
        to->after[j] = ingle_term_alt(t, to->after[j], ingle_term_seq(t, e->after[j], tail));
    to->other = ingle_term_alt(t, to->other, ingle_term_seq(t, e->other, tail));
}

static bool take_apart(ingle_terms *t, const ingle_circle *c, ingle_term e, ingle_equation *out,
                       unsigned depth);

/* The equation of `e tail`, added. */
static bool take_sequence(ingle_terms *t, const ingle_circle *c, ingle_term e, ingle_term tail,
                          ingle_equation *out, unsigned depth)
{
    ingle_equation part;
    if (!take_apart(t, c, e, &part, depth + 1)) return false;
    add_scaled(t, out, &part, c->n, tail);
    return true;
}

/* The equation of e. The depth is bounded, so this may be recursive. */
static bool take_apart(ingle_terms *t, const ingle_circle *c, ingle_term e, ingle_equation *out,
                       unsigned depth)
{
    *out = (ingle_equation){.other = INGLE_TERM_NONE};
    const ingle_node x = t->node[e];
    if (depth > NEST_MAX) {
        ingle_terms_fail(t, INGLE_EUNSUPPORTED,
                         "a rule that begins with itself is nested too deeply");
        return false;
    }
    bool ok = true;
    switch ((ingle_term_kind)x.kind) {
    case TERM_RULE:
        for (size_t j = 0; j < c->n; j++)
            if (c->rule[j] == x.a) return out->after[j] = INGLE_TERM_EMPTY, true;
        break;
    case TERM_SEQ:
        ok = take_sequence(t, c, x.a, x.b, out, depth);
        if (ok && ingle_term_nullable(t, x.a))
            ok = take_sequence(t, c, x.b, INGLE_TERM_EMPTY, out, depth);
        return ok;
    case TERM_ALT:
        for (uint32_t i = 0; ok && i < x.b; i++)
            ok = take_sequence(t, c, t->words.at[x.a + i], INGLE_TERM_EMPTY, out, depth);
        return ok;
    case TERM_REPEAT:
        return take_sequence(t, c, x.a,
                             ingle_term_repeat(t, x.a,
                                               x.b && !ingle_term_nullable(t, x.a) ? x.b - 1 : 0,
                                               x.c == INGLE_TERM_MANY ? x.c : x.c - 1),
                             out, depth);
    case TERM_SOME: return take_apart(t, c, x.a, out, depth + 1);
    default: break;
    }
    out->other = ingle_term_some(t, e);
    return true;
}

/* X_k in terms of the others, put into the equations of all others. */
static void eliminate(ingle_terms *t, ingle_equation *e, size_t n, size_t k)
{
    ingle_term again = ingle_term_repeat(t, e[k].after[k], 0, INGLE_TERM_MANY);
    ingle_equation solved = {.other = INGLE_TERM_NONE};
    e[k].after[k] = INGLE_TERM_NONE;
    add_scaled(t, &solved, &e[k], n, again);
    e[k] = solved;
    for (size_t i = 0; i < n && !t->status; i++) {
        ingle_term tail = e[i].after[k];
        if (i == k || tail == INGLE_TERM_NONE) continue;
        e[i].after[k] = INGLE_TERM_NONE;
        add_scaled(t, &e[i], &solved, n, tail);
    }
}

static void straighten(ingle_terms *t, const uint32_t *rule, size_t n)
{
    char name[NAME_SHOWN + 4];
    ingle_circle c = {rule, n};
    if (n > CIRCLE_MAX) {
        ingle_terms_fail(t, INGLE_EUNSUPPORTED,
                         "%zu rules begin with one another, '%s' among them; at most %d may", n,
                         name_of(t, rule[0], name), CIRCLE_MAX);
        return;
    }
    ingle_equation *e = ingle_new(n, sizeof *e);
    if (!e) no_memory(t);
    for (size_t i = 0; i < n && !t->status; i++) take_apart(t, &c, t->rule[rule[i]].body, &e[i], 0);
    for (size_t k = 0; k < n && !t->status; k++) eliminate(t, e, n, k);
    for (size_t i = 0; i < n && !t->status; i++) {
        bool nullable = ingle_term_nullable(t, t->rule[rule[i]].body);
        t->rule[rule[i]].body =
            ingle_term_alt(t, e[i].other, nullable ? INGLE_TERM_EMPTY : INGLE_TERM_NONE);
    }
    free(e);
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool have_bodies(ingle_terms *t)
{
    char name[NAME_SHOWN + 4];
    for (uint32_t r = 0; r < t->n_rules; r++)
        if (t->rule[r].body == INGLE_UNKNOWN)
            return ingle_terms_fail(t, INGLE_EFORMAT, "rule '%s' is not defined",
                                    name_of(t, r, name)),
                   false;
    return true;
}

ingle_status ingle_terms_finish(ingle_terms *t, ingle_term *root, ingle_error *err)
{
    char name[NAME_SHOWN + 4] = "";
    if (!t->status && t->node[*root].kind == TERM_RULE) name_of(t, t->node[*root].a, name);
    ingle_terms_forget_memo(t); /* of rules that did not know yet whether they are nullable */
    if (!t->status && have_bodies(t) && find_empty(t, *root) && drop_unproductive(t, root)) {
        if (*root == INGLE_TERM_NONE)
            ingle_terms_fail(t, INGLE_EFORMAT, "no finite text belongs to %s%s%s",
                             *name ? "rule '" : "the grammar", name, *name ? "'" : "");
        else if (find_nullable(t)) ingle_rules_straighten(t);
    }
    if (t->status) return ingle_terms_report(t, err);
    for (size_t e = 0; e < t->n; e++) { /* asked too early, while rules were not known */
        t->node[e].first = t->node[e].groups = t->node[e].row = 0;
        t->node[e].flags &= (unsigned char)~TERM_TAKES;
    }
    t->n_groups = t->n_rows = 0;
    ingle_terms_forget_memo(t);
    t->n_static = t->n;
    t->static_bytes = t->n_bytes;
    t->static_words = t->words.n;
    return INGLE_OK;
}
