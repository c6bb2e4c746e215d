/* loop.h - waiting for the operating system: descriptors, signals, other threads, time. Another system
 * is another loop.c.
 * Owns       a loop; descriptors that are watched are the caller's.
 * Depends on base/status.h.
 * Invariant  all calls are from the thread that waits, but for ingle_loop_wake(). A watch may be
 *            removed from inside any watch's call; it is not called after that. */
#ifndef INGLE_BASE_LOOP_H
#define INGLE_BASE_LOOP_H

#include "base/status.h"

typedef struct ingle_loop ingle_loop;

enum {
    INGLE_LOOP_READ = 1, /* can be read */
    INGLE_LOOP_GONE = 2  /* the other side has closed, or it failed; comes once */
};

typedef struct ingle_watch {
    int fd;
    unsigned what; /* INGLE_LOOP_READ | INGLE_LOOP_GONE */
    void (*call)(struct ingle_watch *watch, unsigned what);
    void *user;
    unsigned generation; /* the loop's own */
    size_t slot;         /* the loop's own */
} ingle_watch;

ingle_status ingle_loop_open(ingle_loop **out, ingle_error *err);
void ingle_loop_close(ingle_loop **loop);
/* The watch is the caller's and stays where it is until it is removed. INGLE_EIO, INGLE_ENOMEM. */
ingle_status ingle_loop_add(ingle_loop *loop, ingle_watch *watch, ingle_error *err);
void ingle_loop_remove(ingle_loop *loop, ingle_watch *watch); /* one that is not there: a no-op */

/* Blocks these signals in this thread and those that it starts from now on; number(s) that come are
 * given to call(user, number) by ingle_loop_wait(). */
ingle_status ingle_loop_signals(ingle_loop *loop, const int *numbers, size_t n,
                                void (*call)(void *user, int number), void *user, ingle_error *err);

/* Waits until something happens, at most so many seconds (below 0: no limit), and calls the watches
 * that it happened to. */
ingle_status ingle_loop_wait(ingle_loop *loop, double seconds, ingle_error *err);
/* ingle_loop_wait() returns soon; from any thread, and from signal handlers. */
void ingle_loop_wake(ingle_loop *loop);

#endif
