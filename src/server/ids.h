/* ids.h - names that nobody can guess, for answers, calls, requests. Depends on base/entropy.h. */
#ifndef INGLE_SERVER_IDS_H
#define INGLE_SERVER_IDS_H

#include <stddef.h>

/* The prefix and 24 letters and digits, in cap >= 25 + its length bytes. */
void id_new(char *out, size_t cap, const char *prefix);

#endif
