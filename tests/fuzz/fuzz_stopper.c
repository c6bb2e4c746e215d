/* fuzz_stopper.c - any bytes as stop strings and a text that comes in pieces, against a plain
 * search. Input: number of stops (1 byte), of each its length (1 byte) and bytes; then the text. */
#include "fuzz.h"
#include "sample/sample.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_STOPS = 22 }; /* two more than are allowed */

/* The stop whose end comes first, of those that end there the longest; bytes before it. */
static size_t search(const ingle_stop *stops, size_t n_stops, const char *text, size_t n,
                     size_t *before)
{
    size_t hit = SIZE_MAX;
    *before = n;
    for (size_t end = 1; end <= n && hit == SIZE_MAX; end++)
        for (size_t i = 0; i < n_stops; i++) {
            size_t len = stops[i].len;
            if (len > end || memcmp(text + end - len, stops[i].text, len) != 0) continue;
            if (hit != SIZE_MAX && len <= stops[hit].len) continue;
            hit = i;
            *before = end - len;
        }
    return hit;
}

static void feed_all(ingle_stopper *s, const ingle_stop *stops, size_t n_stops, const char *text,
                     size_t n)
{
    size_t before, n_out = 0, hit = SIZE_MAX, want = search(stops, n_stops, text, n, &before);
    for (size_t at = 0, piece; at <= n; at += piece) {
        const char *safe;
        size_t n_safe, left = n - at;
        piece = left ? (size_t)(text[at] & 7) + 1 : 1;
        if (left && piece > left) piece = left;
        size_t given = left ? piece : 0;
        if (ingle_stopper_feed(s, text + at, given, !left, &safe, &n_safe, &hit, NULL)) abort();
        if (n_safe > before - n_out || memcmp(safe, text + n_out, n_safe) != 0) abort();
        n_out += n_safe;
        if (ingle_stopper_held(s) != at + given - n_out) abort();
    }
    if (hit != want || n_out != before) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ingle_stop stops[MAX_STOPS] = {{0}};
    ingle_stopper *s;
    ingle_error err = {""};
    const char *p = (const char *)data, *end = p + size;
    size_t n_stops = size ? (size_t)data[0] % (MAX_STOPS + 1) : 0, n = 0;
    if (size) p++;
    for (; n < n_stops && p < end; n++) {
        size_t len = (uint8_t)*p++, left = (size_t)(end - p);
        stops[n] = (ingle_stop){p, len < left ? len : left};
        p += stops[n].len;
    }
    if (ingle_stopper_open(&s, stops, n, &err)) {
        if (!err.text[0] || s) abort(); /* refused without a word */
        return 0;
    }
    feed_all(s, stops, n, p, (size_t)(end - p));
    ingle_stopper_close(&s);
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const char *const seeds[] = {
        "\x02\x04STOP\x04</s>Hello S and ST and <</s> and more",
        "\x03\x05"
        "aabaa\x03"
        "baa\x01zaabaabaaa",
        "\x01\x06"
        "abcabd"
        "abcabcabcabd",
        "\x02\x02\n\n\x03\n\nU\n \n\nUser",
    };
    if (i >= sizeof seeds / sizeof *seeds) return 0;
    size_t len = strlen(seeds[i]);
    if (len > cap) len = cap;
    memcpy(data, seeds[i], len);
    return len;
}
