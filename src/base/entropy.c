#define _GNU_SOURCE
#include "base/entropy.h"

#include <sys/random.h>
#include <time.h>

uint64_t ingle_entropy(void)
{
    uint64_t bits;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) == (ssize_t)sizeof bits) return bits;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    bits = (uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)&bits << 20;
    bits = (bits ^ bits >> 29) * 0xd1342543de82ef95u;
    return bits ^ bits >> 32;
}
