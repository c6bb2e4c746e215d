/* distance.h - how far one name is from another, for suggestions. Depends on nothing. */
#ifndef INGLE_BASE_DISTANCE_H
#define INGLE_BASE_DISTANCE_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap of neighbours) that make a of b. What is longer than 128
 * bytes counts there by its length only. */
size_t ingle_distance(const char *a, size_t na, const char *b, size_t nb);

#endif
