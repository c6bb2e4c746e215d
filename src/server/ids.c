#include "ids.h"

#include "base/entropy.h"

#include <stdint.h>
#include <string.h>

enum { LETTERS = 24, PER_NUMBER = 8 }; /* letters that 64 bits give without a visible bias */

void id_new(char *out, size_t cap, const char *prefix)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t n = strlen(prefix);
    uint64_t x = 0;
    if (n + LETTERS + 1 > cap) n = cap > LETTERS ? cap - LETTERS - 1 : 0;
    memcpy(out, prefix, n);
    for (size_t i = 0; i < LETTERS && n + 1 < cap; i++) {
        if (i % PER_NUMBER == 0) x = ingle_entropy();
        out[n++] = digits[x % 62];
        x /= 62;
    }
    out[n] = 0;
}
