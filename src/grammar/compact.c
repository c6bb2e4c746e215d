/* compact.c - forgetting states that no text stands at. */
#include "grammar/table.h"

/* A term that stays, with the old numbers of its parts. */
typedef struct ingle_kept {
    ingle_term old, new;
    ingle_node node;
} ingle_kept;

typedef struct ingle_keeper {
    ingle_kept *kept;
    size_t n, cap;
    unsigned char *seen; /* by term, from n_static on */
    ingle_words todo;
    uint32_t *words;
    char *bytes;
} ingle_keeper;

static bool look_at(ingle_terms *t, ingle_keeper *k, ingle_term e)
{
    if (e < t->n_static || k->seen[e - t->n_static]) return true;
    k->seen[e - t->n_static] = 1;
    if (k->todo.n == k->todo.cap &&
        !ingle_grow(&k->todo.at, &k->todo.cap, k->todo.n + 1, sizeof *k->todo.at))
        return false;
    k->todo.at[k->todo.n++] = e;
    return true;
}

static bool look_at_parts(ingle_terms *t, ingle_keeper *k, ingle_term e)
{
    const ingle_node *x = &t->node[e];
    switch ((ingle_term_kind)x->kind) {
    case TERM_SEQ:
    case TERM_AND:
    case TERM_MINUS: return look_at(t, k, x->a) && look_at(t, k, x->b);
    case TERM_REPEAT:
    case TERM_SOME: return look_at(t, k, x->a);
    case TERM_ALT:
        for (uint32_t i = 0; i < x->b; i++)
            if (!look_at(t, k, t->words.at[x->a + i])) return false;
        return true;
    default: return true;
    }
}

static bool collect(ingle_terms *t, ingle_keeper *k, const ingle_term *keep, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!look_at(t, k, keep[i])) return false;
    while (k->todo.n) {
        ingle_term e = k->todo.at[--k->todo.n];
        if (!ingle_grow(&k->kept, &k->cap, k->n + 1, sizeof *k->kept) || !look_at_parts(t, k, e))
            return false;
        k->kept[k->n++] = (ingle_kept){.old = e, .node = t->node[e]};
    }
    return true;
}

static int by_number(const void *a, const void *b)
{
    const ingle_kept *x = a, *y = b;
    return (x->old > y->old) - (x->old < y->old);
}

/* The new number of a term; parts come before what they are parts of. */
static ingle_term new_number(const ingle_terms *t, const ingle_keeper *k, ingle_term old)
{
    if (old < t->n_static) return old;
    size_t from = 0, to = k->n;
    while (from < to) {
        size_t mid = (from + to) / 2;
        if (k->kept[mid].old < old) from = mid + 1;
        else to = mid;
    }
    return k->kept[from].new;
}

static ingle_term put_back(ingle_terms *t, const ingle_keeper *k, const ingle_node *x)
{
    size_t base = t->list.n;
    switch ((ingle_term_kind)x->kind) {
    case TERM_SEQ:
        return ingle_term_intern(t, TERM_SEQ, new_number(t, k, x->a), new_number(t, k, x->b), 0);
    case TERM_AND: return ingle_term_and(t, new_number(t, k, x->a), new_number(t, k, x->b));
    case TERM_MINUS: return ingle_term_minus(t, new_number(t, k, x->a), new_number(t, k, x->b));
    case TERM_SOME: return ingle_term_some(t, new_number(t, k, x->a));
    case TERM_REPEAT: return ingle_term_repeat(t, new_number(t, k, x->a), x->b, x->c);
    case TERM_ALT: {
        for (uint32_t i = 0; i < x->b; i++)
            ingle_words_push(t, &t->list, new_number(t, k, k->words[x->a + i]));
        ingle_term e = ingle_term_alt_of(t, t->list.at + base, t->list.n - base);
        t->list.n = base;
        return e;
    }
    case TERM_LITERAL: return ingle_term_literal(t, k->bytes + x->a, x->b);
    case TERM_PRODUCED:
        return ingle_term_produced(t, x->a, k->words + x->b + 1, x->c, x->flags & TERM_NULLABLE);
    default: return ingle_term_intern(t, x->kind, x->a, x->b, x->c);
    }
}

/* Bodies of producers that went are made again when they are needed. */
static void forget_derivatives(ingle_terms *t)
{
    for (size_t e = 0; e < t->n; e++) {
        ingle_node *x = &t->node[e];
        x->groups = x->row = 0;
        if (x->kind == TERM_PRODUCED && t->words.at[x->b] >= t->n_static)
            t->words.at[x->b] = INGLE_UNKNOWN;
    }
    t->n_groups = t->n_rows = 0;
    ingle_terms_forget_memo(t);
}

static void unlink_terms(ingle_terms *t)
{
    for (size_t i = 0; i < t->n_buckets; i++) {
        uint32_t *link = &t->bucket[i];
        while (*link && *link - 1 >= t->n_static) *link = t->node[*link - 1].next;
        /* Terms of the grammar may come after others in the chain. */
        for (uint32_t e = *link; e; e = *link) {
            link = &t->node[e - 1].next;
            while (*link && *link - 1 >= t->n_static) *link = t->node[*link - 1].next;
        }
    }
}

bool ingle_terms_compact(ingle_terms *t, ingle_term *keep, size_t n)
{
    ingle_keeper k = {.seen = ingle_new(t->n - t->n_static, 1),
                      .words = ingle_new(t->words.n, sizeof *k.words),
                      .bytes = ingle_new(t->n_bytes, 1)};
    bool ok = k.seen && k.words && k.bytes && collect(t, &k, keep, n);
    if (ok) {
        if (t->words.n) memcpy(k.words, t->words.at, t->words.n * sizeof *k.words);
        if (t->n_bytes) memcpy(k.bytes, t->bytes, t->n_bytes);
        if (k.n) qsort(k.kept, k.n, sizeof *k.kept, by_number);
        unlink_terms(t);
        t->n = t->n_static;
        t->words.n = t->static_words;
        t->n_bytes = t->static_bytes;
        forget_derivatives(t);
        for (size_t i = 0; i < k.n; i++) {
            k.kept[i].new = put_back(t, &k, &k.kept[i].node);
            t->node[k.kept[i].new].flags |=
                k.kept[i].node.flags & (TERM_NULLABLE | TERM_LIVE | TERM_DEAD);
        }
        for (size_t i = 0; i < n; i++) keep[i] = new_number(t, &k, keep[i]);
    }
    free(k.kept);
    free(k.seen);
    free(k.todo.at);
    free(k.words);
    free(k.bytes);
    return ok && !t->status;
}

size_t ingle_terms_bytes(const ingle_terms *t)
{
    return t->n * sizeof *t->node + t->n_buckets * sizeof *t->bucket +
           t->n_groups * sizeof *t->group + t->n_rows * (sizeof *t->row + sizeof *t->leads) +
           t->n_sets * sizeof *t->set + t->n_bytes + t->words.n * sizeof *t->words.at;
}
