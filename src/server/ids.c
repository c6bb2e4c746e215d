#include "ids.h"

#include "base/entropy.h"
#include "base/map.h"

#include <stdatomic.h>

enum { LETTERS = 24, PER_NUMBER = 8 }; /* letters that 64 bits give without a visible bias */

/* Numbers of a counter, under a secret of the process: a call of the system for each would cost more
 * than all the rest of a short answer. */
static uint64_t next_number(void)
{
    static atomic_uint_fast64_t secret, counter;
    uint64_t key = atomic_load(&secret), none = 0;
    if (!key) {
        key = ingle_entropy() | 1;
        if (!atomic_compare_exchange_strong(&secret, &none, key)) key = none;
    }
    uint64_t x = atomic_fetch_add(&counter, 1) * 0x9e3779b97f4a7c15u + key;
    x = ingle_fold(x ^ key >> 32, key | 1u << 31);
    return ingle_fold(x ^ key, 0xd6e8feb86659fd93u);
}

void id_new(char *out, size_t cap, const char *prefix)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    size_t n = strlen(prefix);
    uint64_t x = 0;
    if (n + LETTERS + 1 > cap) n = cap > LETTERS ? cap - LETTERS - 1 : 0;
    memcpy(out, prefix, n);
    for (size_t i = 0; i < LETTERS && n + 1 < cap; i++) {
        if (i % PER_NUMBER == 0) x = next_number();
        out[n++] = digits[x % 62];
        x /= 62;
    }
    out[n] = 0;
}
