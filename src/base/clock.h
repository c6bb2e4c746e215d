/* clock.h - monotonic time, in seconds and in nanoseconds. Depends on nothing. */
#ifndef INGLE_BASE_CLOCK_H
#define INGLE_BASE_CLOCK_H

#include <stdint.h>

double ingle_now(void);
int64_t ingle_now_ns(void);

#endif
