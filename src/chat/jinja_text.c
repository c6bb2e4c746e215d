/* jinja_text.c - see jinja_text.h. */
#define _GNU_SOURCE /* memmem(): linear, whatever it looks for */
#include "chat/jinja_text.h"

/* ---- text under construction ----------------------------------------------------------------- */

jinja_cut ingle_jinja_text_begin(jinja_render *r)
{
    jinja_cut cut = {r->out.n, r->out.n_runs, r->out.floor};
    r->out.floor = r->out.n_runs;
    return cut;
}

void ingle_jinja_text_drop(jinja_render *r, jinja_cut cut)
{
    r->out.n = cut.n;
    r->out.n_runs = cut.n_runs;
    r->out.floor = cut.floor;
}

/* A new run, if the last one is of another origin. */
static bool put_run(jinja_render *r, bool trusted)
{
    jinja_out *o = &r->out;
    if (o->n_runs > o->floor && o->runs[o->n_runs - 1].trusted == trusted) return true;
    if (o->n_runs == o->cap_runs &&
        !ingle_grow(&o->runs, &o->cap_runs, o->n_runs + 1, sizeof *o->runs))
        return ingle_jinja_fail_memory(r);
    o->runs[o->n_runs++] = (jinja_run){(uint32_t)o->n, trusted};
    return true;
}

static bool put_bytes(jinja_render *r, const char *p, size_t n)
{
    jinja_out *o = &r->out;
    if (n > r->max_output - o->n)
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "more than %zu bytes of output",
                                r->max_output);
    if (!ingle_jinja_burn(r, n / 16)) return false;
    if (o->cap - o->n < n && !ingle_grow(&o->p, &o->cap, o->n + n, 1))
        return ingle_jinja_fail_memory(r);
    memcpy(o->p + o->n, p, n);
    o->n += n;
    return true;
}

bool ingle_jinja_put(jinja_render *r, const char *p, size_t n, bool trusted)
{
    return !n || (put_run(r, trusted) && put_bytes(r, p, n));
}

bool ingle_jinja_put_text(jinja_render *r, const char *text, bool trusted)
{
    return ingle_jinja_put(r, text, strlen(text), trusted);
}

bool ingle_jinja_put_part(jinja_render *r, const jinja_str *s, size_t from, size_t to)
{
    while (from < to) {
        bool trusted;
        size_t end = ingle_jinja_str_run(s, from, &trusted);
        if (end > to) end = to;
        if (!ingle_jinja_put(r, s->p + from, end - from, trusted)) return false;
        from = end;
    }
    return true;
}

bool ingle_jinja_put_str(jinja_render *r, const jinja_str *s)
{
    if (s->n_runs == 1) return ingle_jinja_put(r, s->p, s->n, s->trusted);
    return ingle_jinja_put_part(r, s, 0, s->n);
}

/* ---- strings --------------------------------------------------------------------------------- */

static bool new_str(jinja_render *r, jinja_str s, jinja_value *out)
{
    jinja_str *made = ingle_jinja_new(&r->heap, sizeof *made);
    if (!made) return ingle_jinja_fail_memory(r);
    *made = s;
    *out = ingle_jinja_of_str(made);
    return true;
}

bool ingle_jinja_text_end(jinja_render *r, jinja_cut cut, jinja_value *out)
{
    jinja_out *o = &r->out;
    size_t n_runs = o->n_runs - cut.n_runs;
    const jinja_run *run = n_runs ? o->runs + cut.n_runs : NULL;
    jinja_str s = {.n = (uint32_t)(o->n - cut.n), .n_chars = UINT32_MAX, .n_runs = 1};
    char *p = ingle_jinja_new_bytes(&r->bytes, s.n);
    if (!p) return ingle_jinja_fail_memory(r);
    if (s.n) memcpy(p, o->p + cut.n, s.n);
    s.p = p;
    s.trusted = !n_runs || run[0].trusted;
    if (n_runs > 1) {
        uint32_t *ends = ingle_jinja_new(&r->heap, (n_runs - 1) * sizeof *ends);
        if (!ends) return ingle_jinja_fail_memory(r);
        for (size_t i = 1; i < n_runs; i++) ends[i - 1] = run[i].at - (uint32_t)cut.n;
        s.n_runs = (uint32_t)n_runs;
        s.ends = ends;
    }
    ingle_jinja_text_drop(r, cut);
    return ingle_jinja_burn(r, 1 + s.n / 16 + n_runs / 4) && new_str(r, s, out);
}

bool ingle_jinja_str_view(jinja_render *r, const char *p, size_t n, bool trusted, jinja_value *out)
{
    jinja_str s = {p, (uint32_t)n, UINT32_MAX, 1, trusted, NULL};
    return new_str(r, s, out);
}

bool ingle_jinja_str_copy(jinja_render *r, const char *p, size_t n, bool trusted, jinja_value *out)
{
    char *to = ingle_jinja_new_bytes(&r->bytes, n);
    if (!to) return ingle_jinja_fail_memory(r);
    if (n) memcpy(to, p, n);
    return ingle_jinja_burn(r, n / 16) && ingle_jinja_str_view(r, to, n, trusted, out);
}

/* The run that byte `at` is in, of several. */
static size_t find_run(const jinja_str *s, size_t at)
{
    size_t low = 0, high = s->n_runs - 1;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (s->ends[mid] > at) high = mid;
        else low = mid + 1;
    }
    return low;
}

size_t ingle_jinja_str_run(const jinja_str *s, size_t at, bool *trusted)
{
    if (s->n_runs == 1) {
        *trusted = s->trusted;
        return s->n;
    }
    size_t i = find_run(s, at);
    *trusted = s->trusted == !(i & 1);
    return i + 1 < s->n_runs ? s->ends[i] : s->n;
}

bool ingle_jinja_str_part(jinja_render *r, const jinja_str *s, size_t from, size_t to,
                          jinja_value *out)
{
    jinja_str part = {s->p + from, (uint32_t)(to - from), UINT32_MAX, 1, s->trusted, NULL};
    if (s->n_chars == s->n) part.n_chars = part.n;
    if (s->n_runs == 1 || from == to) return new_str(r, part, out);
    size_t first = find_run(s, from), last = find_run(s, to - 1);
    part.trusted = s->trusted == !(first & 1);
    if (first < last) {
        uint32_t *ends = ingle_jinja_new(&r->heap, (last - first) * sizeof *ends);
        if (!ends) return ingle_jinja_fail_memory(r);
        for (size_t i = first; i < last; i++) ends[i - first] = s->ends[i] - (uint32_t)from;
        part.ends = ends;
        part.n_runs = (uint32_t)(last - first + 1);
    }
    return ingle_jinja_burn(r, 1 + (last - first) / 4) && new_str(r, part, out);
}

/* The runs of a and then those of b. */
static bool join_runs(jinja_render *r, const jinja_str *a, const jinja_str *b, jinja_str *s)
{
    bool a_ends = a->trusted == (a->n_runs & 1), merge = a_ends == b->trusted;
    size_t n = (size_t)a->n_runs + b->n_runs - merge;
    s->n_runs = (uint32_t)n;
    if (n == 1) return true;
    uint32_t *ends = ingle_jinja_new(&r->heap, (n - 1) * sizeof *ends), *to = ends;
    if (!ends) return ingle_jinja_fail_memory(r);
    for (uint32_t i = 0; i + 1 < a->n_runs; i++) *to++ = a->ends[i];
    if (!merge) *to++ = a->n;
    for (uint32_t i = 0; i + 1 < b->n_runs; i++) *to++ = a->n + b->ends[i];
    s->ends = ends;
    return ingle_jinja_burn(r, n / 4);
}

/* Where a's bytes are the last ones that were taken, b's follow in place: text that grows piece by
 * piece is not copied each time. */
static char *join_bytes(jinja_render *r, const jinja_str *a, const jinja_str *b)
{
    if (r->bytes.at && a->p + a->n == r->bytes.at && (size_t)(r->bytes.end - r->bytes.at) >= b->n) {
        r->bytes.at += b->n;
        memcpy((char *)a->p + a->n, b->p, b->n);
        return ingle_jinja_burn(r, b->n / 16) ? (char *)a->p : NULL;
    }
    char *p = ingle_jinja_new_bytes(&r->bytes, (size_t)a->n + b->n);
    if (!p) {
        ingle_jinja_fail_memory(r);
        return NULL;
    }
    memcpy(p, a->p, a->n);
    memcpy(p + a->n, b->p, b->n);
    return ingle_jinja_burn(r, ((size_t)a->n + b->n) / 16) ? p : NULL;
}

bool ingle_jinja_str_join(jinja_render *r, const jinja_str *a, const jinja_str *b, jinja_value *out)
{
    if (!b->n) return new_str(r, *a, out);
    if (!a->n) return new_str(r, *b, out);
    if ((size_t)a->n + b->n > r->max_output)
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "a string of more than %zu bytes",
                                r->max_output);
    jinja_str s = {NULL, a->n + b->n, UINT32_MAX, 1, a->trusted, NULL};
    if (a->n_chars == a->n && b->n_chars == b->n) s.n_chars = s.n;
    return join_runs(r, a, b, &s) && (s.p = join_bytes(r, a, b)) && new_str(r, s, out);
}

/* ---- characters ------------------------------------------------------------------------------ */

uint32_t ingle_jinja_str_chars(jinja_str *s)
{
    if (s->n_chars == UINT32_MAX) {
        uint32_t n = 0;
        for (size_t i = 0; i < s->n; i++) n += ((unsigned char)s->p[i] & 0xc0) != 0x80;
        s->n_chars = n;
    }
    return s->n_chars;
}

size_t ingle_jinja_str_offset(jinja_str *s, size_t i)
{
    size_t at = 0;
    if (ingle_jinja_str_chars(s) == s->n) return i;
    for (; i; i--) at += ingle_jinja_char_len(s->p + at, s->n - at);
    return at;
}

size_t ingle_jinja_str_find(const jinja_str *s, size_t from, const char *p, size_t n)
{
    if (from > s->n) return SIZE_MAX;
    if (!n) return from;
    const char *at = memmem(s->p + from, s->n - from, p, n);
    return at ? (size_t)(at - s->p) : SIZE_MAX;
}

bool ingle_jinja_is_space(uint32_t c)
{
    if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

size_t ingle_jinja_leading_space(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        size_t len = ingle_jinja_char_len(p + i, n - i);
        if (!ingle_jinja_is_space(ingle_utf8_code(p + i, len))) break;
        i += len;
    }
    return i;
}

size_t ingle_jinja_without_trailing_space(const char *p, size_t n)
{
    while (n) {
        size_t len = 1;
        while (len < n && len < 4 && ((unsigned char)p[n - len] & 0xc0) == 0x80) len++;
        if (!ingle_jinja_is_space(ingle_utf8_code(p + n - len, len))) break;
        n -= len;
    }
    return n;
}

size_t ingle_jinja_encode(uint32_t c, char out[4])
{
    static const unsigned char mark[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(mark[n] | c);
    return n;
}
