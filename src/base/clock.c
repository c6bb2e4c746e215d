#define _GNU_SOURCE
#include "base/clock.h"

#include <time.h>

int64_t ingle_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double ingle_now(void)
{
    return 1e-9 * (double)ingle_now_ns();
}
