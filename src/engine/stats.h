/* stats.h - counting what an engine does. Depends on the public header. */
#ifndef INGLE_ENGINE_STATS_H
#define INGLE_ENGINE_STATS_H

#include "ingle.h"

static inline void ingle_stats_note(ingle_histogram *h, double seconds)
{
    double us = seconds > 0 ? seconds * 1e6 : 0;
    size_t i = 0;
    for (; i + 1 < INGLE_HISTOGRAM && us >= 1; i++) us /= 2;
    h->count[i]++;
    h->sum += seconds > 0 ? seconds : 0;
}

#endif
