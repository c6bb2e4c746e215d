/* prep.h - a few threads for what may take a while and waits for nobody: parsing, rendering,
 * tokenizing, compiling grammars.
 * Owns       threads and the queue. Depends on base/status.h. */
#ifndef INGLE_SERVER_PREP_H
#define INGLE_SERVER_PREP_H

#include "base/status.h"

typedef struct prep prep;

/* What is queued: the first member of the caller's struct. */
typedef struct prep_task {
    struct prep_task *next;
    void (*work)(struct prep_task *task);
} prep_task;

ingle_status prep_open(prep **out, int n_threads, ingle_error *err);
/* In the order of their coming. */
void prep_add(prep *p, prep_task *task);
/* Ends the threads after what is queued. */
void prep_close(prep **p);

#endif
