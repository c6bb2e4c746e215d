/* texts.c - terms of many texts at once: one of a list, or free text until one of them occurs. */
#include "grammar/table.h"

enum { SEARCH_BYTES = 4096 }; /* of all texts of one search */

static bool no_memory(ingle_terms *t)
{
    ingle_terms_fail(t, INGLE_ENOMEM, "no memory for a grammar");
    return false;
}

/* ---- one of them ----------------------------------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
    const ingle_term_text *x = a, *y = b;
    int c = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

/* How many bytes two texts share. */
static size_t shared(const ingle_term_text *x, const ingle_term_text *y)
{
    size_t n = x->n < y->n ? x->n : y->n, i = 0;
    while (i < n && x->p[i] == y->p[i]) i++;
    return i;
}

/* A branch of the tree of texts that is not finished: it begins with byte `from` of its texts and
 * its parts lie on the list from `parts` on. */
typedef struct ingle_branch {
    size_t from, parts;
} ingle_branch;

/* The parts of the top branch become one term. */
static ingle_term close_branch(ingle_terms *t, const ingle_branch *top)
{
    size_t n = t->list.n - top->parts;
    ingle_term e =
        n == 1 ? t->list.at[top->parts] : ingle_term_alt_of(t, t->list.at + top->parts, n);
    t->list.n = top->parts;
    return e;
}

/* Goes through the sorted texts as a walk through their tree goes: a branch opens where a text
 * leaves the one before it, and is closed by the first text that shares less. */
ingle_term ingle_term_literals(ingle_terms *t, ingle_term_text *texts, size_t n)
{
    if (t->status || !n) return INGLE_TERM_NONE;
    qsort(texts, n, sizeof *texts, by_bytes);
    size_t depth = 0, cap = 0, base = t->list.n;
    ingle_branch *branch = NULL;
    if (!ingle_grow(&branch, &cap, 1, sizeof *branch)) return no_memory(t), INGLE_TERM_NONE;
    branch[depth++] = (ingle_branch){0, base};
    for (size_t i = 0, next; i < n && !t->status; i = next) {
        for (next = i + 1; next < n && by_bytes(&texts[i], &texts[next]) == 0;) next++;
        size_t here = next < n ? shared(&texts[i], &texts[next]) : 0;
        size_t top = branch[depth - 1].from;
        if (!ingle_grow(&branch, &cap, depth + 2, sizeof *branch)) no_memory(t);
        else if (here > top) branch[depth++] = (ingle_branch){top = here, t->list.n};
        ingle_words_push(t, &t->list, ingle_term_literal(t, texts[i].p + top, texts[i].n - top));
        while (here < branch[depth - 1].from && !t->status) {
            size_t from = branch[depth - 1].from;
            ingle_term e = close_branch(t, &branch[--depth]);
            if (here > branch[depth - 1].from) branch[depth++] = (ingle_branch){here, t->list.n};
            size_t up = branch[depth - 1].from;
            e = ingle_term_seq(t, ingle_term_literal(t, texts[i].p + up, from - up), e);
            ingle_words_push(t, &t->list, e);
        }
    }
    ingle_term all = t->status ? INGLE_TERM_NONE : close_branch(t, &branch[0]);
    t->list.n = base;
    free(branch);
    return all;
}

/* ---- free text ------------------------------------------------------------------------------- */

/* Aho and Corasick, Efficient string matching, 1975: goto and failure in one table. */
static bool build_searcher(ingle_terms *t, ingle_searcher *s, const ingle_term_text *texts,
                           size_t n, size_t n_bytes)
{
    s->row = ingle_new(n_bytes + 1, sizeof *s->row);
    uint16_t *fail = ingle_new(n_bytes + 1, sizeof *fail);
    uint16_t *queue = ingle_new(n_bytes + 1, sizeof *queue);
    bool ok = s->row && fail && queue;
    size_t head = 0, end = 0;
    s->n = 1;
    for (size_t i = 0; ok && i < n; i++) {
        uint16_t at = 0;
        for (size_t j = 0; j < texts[i].n && at < INGLE_FOUND; j++) {
            uint16_t *to = &s->row[at][(unsigned char)texts[i].p[j]];
            if (j + 1 == texts[i].n) *to = (uint16_t)(INGLE_FOUND + i);
            else if (!*to) *to = (uint16_t)s->n++;
            at = *to;
        }
    }
    for (size_t b = 0; ok && b < 256; b++)
        if (s->row[0][b] && s->row[0][b] < INGLE_FOUND) queue[end++] = s->row[0][b];
    while (head < end) {
        uint16_t at = queue[head++];
        for (size_t b = 0; b < 256; b++) {
            uint16_t *to = &s->row[at][b], other = s->row[fail[at]][b];
            if (!*to || (other >= INGLE_FOUND && *to < INGLE_FOUND)) *to = other;
            else if (*to < INGLE_FOUND) {
                fail[*to] = other;
                queue[end++] = *to;
            }
        }
    }
    free(fail);
    free(queue);
    return ok || no_memory(t);
}

void ingle_term_search(ingle_terms *t, const ingle_term_text *texts, size_t n, ingle_term *without,
                       ingle_term *until)
{
    size_t n_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        until[i] = INGLE_TERM_NONE;
        if (!texts[i].n) ingle_terms_fail(t, INGLE_EINVAL, "an empty text to search for");
        if (n_bytes + texts[i].n > SEARCH_BYTES)
            ingle_terms_fail(t, INGLE_EUNSUPPORTED, "more than %d bytes to search for",
                             SEARCH_BYTES);
        else n_bytes += texts[i].n;
    }
    *without = INGLE_TERM_NONE;
    if (t->status) return;
    if (!ingle_grow(&t->searcher, &t->cap_searchers, t->n_searchers + 1, sizeof *t->searcher)) {
        no_memory(t);
        return;
    }
    uint32_t number = (uint32_t)t->n_searchers++;
    t->searcher[number] = (ingle_searcher){0};
    if (!build_searcher(t, &t->searcher[number], texts, n, n_bytes)) return;
    *without = ingle_term_intern(t, TERM_UNTIL, number, 0, 0);
    for (size_t i = 0; i < n; i++)
        until[i] = ingle_term_intern(t, TERM_UNTIL, number, 0, (uint32_t)i + 1);
}
