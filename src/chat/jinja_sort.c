/* jinja_sort.c - see jinja_show.h: sorting, from the bottom up, without recursion. */
#include "chat/jinja_show.h"

#include "chat/jinja_data.h"

typedef struct sorter {
    jinja_render *r;
    jinja_value *item, *by, *item_to, *by_to;
    bool reverse;
} sorter;

/* Whether b comes before a, which was first. */
static bool is_before(const sorter *s, size_t a, size_t b, bool *out)
{
    const jinja_value *key = s->by ? s->by : s->item;
    int order;
    if (!ingle_jinja_burn(s->r, 1)) return false;
    if (!ingle_jinja_order(s->r, &key[b], &key[a], "<", &order)) return false;
    *out = s->reverse ? order == 1 : order == -1;
    return true;
}

static bool merge(const sorter *s, size_t from, size_t mid, size_t end)
{
    size_t a = from, b = mid;
    for (size_t to = from; to < end; to++) {
        bool second = a == mid;
        if (a < mid && b < end && !is_before(s, a, b, &second)) return false;
        size_t i = second ? b++ : a++;
        s->item_to[to] = s->item[i];
        if (s->by) s->by_to[to] = s->by[i];
    }
    return true;
}

bool ingle_jinja_sort(jinja_render *r, jinja_value *item, jinja_value *by, size_t n, bool reverse)
{
    sorter s = {.r = r, .item = item, .by = by, .reverse = reverse};
    if (n < 2) return true;
    s.item_to = ingle_jinja_new(&r->heap, n * sizeof *item);
    s.by_to = by ? ingle_jinja_new(&r->heap, n * sizeof *by) : NULL;
    if (!s.item_to || (by && !s.by_to)) return ingle_jinja_fail_memory(r);
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t from = 0; from < n; from += 2 * width) {
            size_t mid = from + width < n ? from + width : n;
            size_t end = from + 2 * width < n ? from + 2 * width : n;
            if (!merge(&s, from, mid, end)) return false;
        }
        jinja_value *swap = s.item;
        s.item = s.item_to;
        s.item_to = swap;
        swap = s.by;
        s.by = s.by_to;
        s.by_to = swap;
    }
    if (s.item != item) memcpy(item, s.item, n * sizeof *item);
    if (by && s.by != by) memcpy(by, s.by, n * sizeof *by);
    return true;
}
