/* clock.h - monotonic seconds. Depends on nothing. */
#ifndef INGLE_BASE_CLOCK_H
#define INGLE_BASE_CLOCK_H

double ingle_now(void);

#endif
