/* stopper.c - finds stop strings in a stream of bytes.
 * One Knuth-Morris-Pratt automaton per stop, so a byte costs a constant per stop however the stops
 * repeat themselves. Owns       copies of the stops, and the bytes held back. Invariant  `held` is
 * the longest end of the stream that begins some stop; nothing of it was handed out. Where the
 *            stream is cut into calls makes no difference. */
#include "sample/sample.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define STOPS_MAX 20
#define STOP_MAX  500

typedef struct automaton {
    char *text;
    uint16_t
        *border; /* [n] of each prefix of text: its longest proper prefix that is also its end */
    size_t n, state; /* state: bytes of text that the stream ends with */
} automaton;

struct ingle_stopper {
    automaton stop[STOPS_MAX];
    size_t n;
    size_t hit; /* SIZE_MAX until a stop was found */
    char *buf;  /* [cap] held bytes, then those of the current call */
    size_t cap;
    size_t given,
        held; /* of buf: handed out by the last call (about to go), and held back after them */
    size_t dropped; /* bytes from the found stop on */
};

static ingle_status add_stop(automaton *a, const ingle_stop *stop, ingle_error *err)
{
    a->n = stop->len;
    a->text = ingle_new(a->n, 1);
    a->border = ingle_new(a->n, sizeof *a->border);
    if (!a->text || !a->border)
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the stop strings");
    memcpy(a->text, stop->text, a->n);
    for (size_t i = 1, k = 0; i < a->n; i++) {
        while (k && a->text[i] != a->text[k]) k = a->border[k - 1];
        k += a->text[i] == a->text[k];
        a->border[i] = (uint16_t)k;
    }
    return INGLE_OK;
}

ingle_status ingle_stopper_check(const ingle_stop *stops, size_t n, ingle_error *err)
{
    if (n > STOPS_MAX)
        return ingle_fail(err, INGLE_EINVAL, "%zu stop strings: at most %d are allowed", n,
                          STOPS_MAX);
    if (n && !stops) return ingle_fail(err, INGLE_EINVAL, "stops is NULL but n is not 0");
    for (size_t i = 0; i < n; i++)
        if (!stops[i].text || stops[i].len < 1 || stops[i].len > STOP_MAX)
            return ingle_fail(err, INGLE_EINVAL,
                              "stop string %zu has %zu bytes: it must have 1 to %d", i,
                              stops[i].text ? stops[i].len : 0, STOP_MAX);
    return INGLE_OK;
}

ingle_status ingle_stopper_open(ingle_stopper **out, const ingle_stop *stops, size_t n,
                                ingle_error *err)
{
    if (!out) return ingle_fail(err, INGLE_EINVAL, "out is NULL");
    *out = NULL;
    ingle_status status = ingle_stopper_check(stops, n, err);
    if (status != INGLE_OK) return status;
    ingle_stopper *s = ingle_new(1, sizeof *s);
    if (!s) return ingle_fail(err, INGLE_ENOMEM, "no memory for the stop strings");
    s->n = n;
    s->hit = SIZE_MAX;
    s->cap = STOP_MAX + 256;
    s->buf = ingle_new(s->cap, 1);
    status = s->buf ? INGLE_OK : ingle_fail(err, INGLE_ENOMEM, "no memory for the stop strings");
    for (size_t i = 0; i < n && status == INGLE_OK; i++)
        status = add_stop(&s->stop[i], &stops[i], err);
    if (status != INGLE_OK) {
        ingle_stopper_close(&s);
        return status;
    }
    *out = s;
    return INGLE_OK;
}

ingle_status ingle_stopper_reserve(ingle_stopper *s, size_t n, ingle_error *err)
{
    /* what was handed out last, what is held back, and what comes */
    size_t need;
    if (ingle_mul_ok(n, 2, &need) && ingle_add_ok(need, 2 * STOP_MAX, &need) &&
        ingle_grow(&s->buf, &s->cap, need, 1))
        return INGLE_OK;
    return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu bytes of text", n);
}

void ingle_stopper_close(ingle_stopper **stopper)
{
    if (!stopper || !*stopper) return;
    ingle_stopper *s = *stopper;
    for (size_t i = 0; i < s->n; i++) {
        free(s->stop[i].text);
        free(s->stop[i].border);
    }
    free(s->buf);
    free(s);
    *stopper = NULL;
}

/* Moves every automaton by one byte. The longest stop that ends here, the first of equal ones;
 * SIZE_MAX if none does. */
static size_t step(ingle_stopper *s, char byte)
{
    size_t hit = SIZE_MAX;
    for (size_t i = 0; i < s->n; i++) {
        automaton *a = &s->stop[i]; /* state < n here: a complete stop ends the stream */
        while (a->state && byte != a->text[a->state]) a->state = a->border[a->state - 1];
        a->state += byte == a->text[a->state];
        if (a->state == a->n && (hit == SIZE_MAX || a->n > s->stop[hit].n)) hit = i;
    }
    return hit;
}

static size_t longest_state(const ingle_stopper *s)
{
    size_t longest = 0;
    for (size_t i = 0; i < s->n; i++)
        longest = s->stop[i].state > longest ? s->stop[i].state : longest;
    return longest;
}

/* Drops what the last call handed out and appends the new bytes. */
static ingle_status take(ingle_stopper *s, const char *bytes, size_t n, ingle_error *err)
{
    size_t need;
    if (!ingle_add_ok(s->held, n, &need) || !ingle_add_ok(need, s->given, &need) ||
        !ingle_grow(&s->buf, &s->cap, need, 1))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu bytes of text", n);
    memmove(s->buf, s->buf + s->given, s->held);
    if (n) memcpy(s->buf + s->held, bytes, n);
    s->given = 0;
    return INGLE_OK;
}

ingle_status ingle_stopper_feed(ingle_stopper *s, const char *bytes, size_t n, bool flush,
                                const char **safe, size_t *n_safe, size_t *hit, ingle_error *err)
{
    if (!s) return ingle_fail(err, INGLE_ECLOSED, "the stopper is NULL or was closed");
    if ((n && !bytes) || !safe || !n_safe || !hit)
        return ingle_fail(err, INGLE_EINVAL, "bytes, safe, n_safe or hit is NULL");
    bool over = s->hit != SIZE_MAX;
    ingle_status status = over ? INGLE_OK : take(s, bytes, n, err);
    if (status != INGLE_OK) return status;
    size_t end = s->held;
    for (size_t i = 0; i < n && s->hit == SIZE_MAX; i++, end++) s->hit = step(s, bytes[i]);
    if (over) {
        s->given = 0;
        s->dropped += n;
    } else if (s->hit != SIZE_MAX) {
        s->given = end - s->stop[s->hit].n;
        s->dropped = s->held + n - s->given;
        s->held = 0;
    } else {
        size_t keep = flush ? 0 : longest_state(s);
        s->given = end - keep;
        s->held = keep;
        for (size_t i = 0; flush && i < s->n; i++) s->stop[i].state = 0;
    }
    *safe = s->buf;
    *n_safe = s->given;
    *hit = s->hit;
    return INGLE_OK;
}

size_t ingle_stopper_held(const ingle_stopper *s)
{
    return !s ? 0 : s->hit == SIZE_MAX ? s->held : s->dropped;
}
