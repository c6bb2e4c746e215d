/* entropy.h - numbers that nobody can guess. Depends on nothing. */
#ifndef INGLE_BASE_ENTROPY_H
#define INGLE_BASE_ENTROPY_H

#include <stdint.h>

/* 64 bits of the system's generator; where it does not answer (a very early boot), of the time and
 * of addresses. */
uint64_t ingle_entropy(void);

#endif
