/* loop.c - base/loop.h on Linux: epoll, an eventfd, a signalfd.
 * Owns       a table of slots, one for each watch: an event carries its slot's number and generation, so
 *            that one which was fetched before its watch was removed is recognised and left out.
 * Invariant  the eventfd is edge-triggered and never read: a write wakes, and its counter does not
 *            come near its limit. A watch for GONE alone is one-shot. */
#define _GNU_SOURCE
#include "base/loop.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { N_EVENTS = 128 };
#define SLOT_WAKE   UINT32_MAX
#define SLOT_SIGNAL (UINT32_MAX - 1)
#define NO_SLOT     (UINT32_MAX - 2)

typedef struct slot {
    ingle_watch *watch; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
    bool in_set; /* epoll has its descriptor */
} slot;

struct ingle_loop {
    int epoll, wake, signals; /* -1: none */
    slot *slots;
    size_t n_slots, cap_slots;
    uint32_t first_free;
    void (*on_signal)(void *user, int number);
    void *signal_user;
    sigset_t old_mask;
    struct epoll_event events[N_EVENTS];
};

static ingle_status system_fails(ingle_error *err, const char *what)
{
    int code = errno;
    return ingle_fail(err, code == ENOMEM ? INGLE_ENOMEM : INGLE_EIO, "%s: %s", what,
                      strerrordesc_np(code));
}

static ingle_status add_own(ingle_loop *loop, int fd, unsigned flags, uint32_t mark,
                            ingle_error *err)
{
    struct epoll_event event = {.events = flags, .data.u64 = mark};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event)) return system_fails(err, "epoll_ctl");
    return INGLE_OK;
}

ingle_status ingle_loop_open(ingle_loop **out, ingle_error *err)
{
    *out = NULL;
    ingle_loop *loop = calloc(1, sizeof *loop);
    if (!loop) return ingle_fail(err, INGLE_ENOMEM, "no memory for a loop");
    loop->signals = -1;
    loop->first_free = NO_SLOT;
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    ingle_status status;
    if (loop->wake < 0 || loop->epoll < 0) status = system_fails(err, "a loop");
    else status = add_own(loop, loop->wake, EPOLLIN | EPOLLET, SLOT_WAKE, err);
    if (status) {
        ingle_loop_close(&loop);
        return status;
    }
    *out = loop;
    return INGLE_OK;
}

void ingle_loop_close(ingle_loop **loop)
{
    ingle_loop *l = *loop;
    *loop = NULL;
    if (!l) return;
    if (l->signals >= 0) {
        close(l->signals);
        pthread_sigmask(SIG_SETMASK, &l->old_mask, NULL);
    }
    if (l->wake >= 0) close(l->wake);
    if (l->epoll >= 0) close(l->epoll);
    free(l->slots);
    free(l);
}

/* ---- watches --------------------------------------------------------------------------------- */

static uint32_t take_slot(ingle_loop *loop)
{
    if (loop->first_free != NO_SLOT) {
        uint32_t i = loop->first_free;
        loop->first_free = loop->slots[i].next_free;
        return i;
    }
    if (loop->n_slots >= NO_SLOT ||
        !ingle_grow(&loop->slots, &loop->cap_slots, loop->n_slots + 1, sizeof *loop->slots))
        return NO_SLOT;
    loop->slots[loop->n_slots] = (slot){.generation = 1};
    return (uint32_t)loop->n_slots++;
}

static void free_slot(ingle_loop *loop, uint32_t i)
{
    slot *s = &loop->slots[i];
    *s = (slot){.generation = s->generation + 1, .next_free = loop->first_free};
    loop->first_free = i;
}

ingle_status ingle_loop_add(ingle_loop *loop, ingle_watch *watch, ingle_error *err)
{
    uint32_t i = take_slot(loop);
    if (i == NO_SLOT) return ingle_fail(err, INGLE_ENOMEM, "no memory to watch a descriptor");
    slot *s = &loop->slots[i];
    struct epoll_event event = {.data.u64 = (uint64_t)s->generation << 32 | i};
    if (watch->what & INGLE_LOOP_READ) event.events |= EPOLLIN;
    if (watch->what & INGLE_LOOP_GONE) event.events |= EPOLLRDHUP;
    if (watch->what == INGLE_LOOP_GONE) event.events |= EPOLLONESHOT;
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event)) {
        free_slot(loop, i);
        return system_fails(err, "epoll_ctl");
    }
    s->watch = watch;
    s->in_set = true;
    watch->slot = i;
    watch->generation = s->generation;
    return INGLE_OK;
}

static void leave_set(ingle_loop *loop, slot *s)
{
    if (s->in_set) epoll_ctl(loop->epoll, EPOLL_CTL_DEL, s->watch->fd, NULL);
    s->in_set = false;
}

void ingle_loop_remove(ingle_loop *loop, ingle_watch *watch)
{
    if (watch->slot >= loop->n_slots) return;
    slot *s = &loop->slots[watch->slot];
    if (s->watch != watch || s->generation != watch->generation) return;
    leave_set(loop, s);
    free_slot(loop, (uint32_t)watch->slot);
}

/* ---- signals --------------------------------------------------------------------------------- */

ingle_status ingle_loop_signals(ingle_loop *loop, const int *numbers, size_t n,
                                void (*call)(void *user, int number), void *user, ingle_error *err)
{
    sigset_t set, old;
    sigemptyset(&set);
    for (size_t i = 0; i < n; i++)
        if (sigaddset(&set, numbers[i]))
            return ingle_fail(err, INGLE_EINVAL, "%d is no signal", numbers[i]);
    if (loop->signals >= 0)
        return ingle_fail(err, INGLE_EINVAL, "the loop has its signals already");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) return system_fails(err, "signalfd");
    ingle_status status = add_own(loop, fd, EPOLLIN, SLOT_SIGNAL, err);
    if (status) {
        close(fd);
        return status;
    }
    pthread_sigmask(SIG_BLOCK, &set, &old);
    loop->signals = fd;
    loop->old_mask = old;
    loop->on_signal = call;
    loop->signal_user = user;
    return INGLE_OK;
}

static void read_signals(ingle_loop *loop)
{
    struct signalfd_siginfo info;
    while (read(loop->signals, &info, sizeof info) == (ssize_t)sizeof info)
        loop->on_signal(loop->signal_user, (int)info.ssi_signo);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void dispatch(ingle_loop *loop, const struct epoll_event *event)
{
    uint32_t i = (uint32_t)event->data.u64, generation = (uint32_t)(event->data.u64 >> 32);
    if (i >= loop->n_slots) return;
    slot *s = &loop->slots[i];
    if (!s->watch || s->generation != generation) return;
    ingle_watch *watch = s->watch;
    const unsigned over = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
    unsigned what = 0;
    if (event->events & over) what |= INGLE_LOOP_GONE;
    if (event->events & (EPOLLIN | over)) what |= INGLE_LOOP_READ; /* read() will say what it is */
    what &= watch->what;
    if (what & INGLE_LOOP_GONE)
        leave_set(loop, s); /* which cannot be masked, and would come again */
    if (what) watch->call(watch, what);
}

static int milliseconds(double seconds)
{
    if (seconds < 0) return -1;
    return seconds >= INT_MAX / 1000 ? INT_MAX : (int)ceil(seconds * 1000);
}

ingle_status ingle_loop_wait(ingle_loop *loop, double seconds, ingle_error *err)
{
    int n = epoll_wait(loop->epoll, loop->events, N_EVENTS, milliseconds(seconds));
    if (n < 0) return errno == EINTR ? INGLE_OK : system_fails(err, "epoll_wait");
    for (int i = 0; i < n; i++) {
        uint64_t mark = loop->events[i].data.u64;
        if (mark == SLOT_SIGNAL) read_signals(loop);
        else if (mark != SLOT_WAKE) dispatch(loop, &loop->events[i]);
    }
    return INGLE_OK;
}

void ingle_loop_wake(ingle_loop *loop)
{
    int code = errno;
    const uint64_t one = 1;
    ssize_t n = write(loop->wake, &one, sizeof one);
    (void)n; /* a full counter has woken it too */
    errno = code;
}
