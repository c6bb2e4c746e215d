/* process.h - programs that are measured: started, watched, ended.
 * Owns       the process, the thread that reads its standard error, the last lines of it.
 * Depends on stats.h.
 * Invariant  what is started ends with this program, however that ends. */
#ifndef INGLE_BENCH_PROCESS_H
#define INGLE_BENCH_PROCESS_H

#include "stats.h"

#include <pthread.h>
#include <sys/types.h>

enum { PROCESS_LINES = 1024, PROCESS_LINE_BYTES = 1024 };

typedef struct process_line {
    double t; /* when it was read */
    char text[PROCESS_LINE_BYTES];
} process_line;

typedef struct process {
    pid_t pid;
    int port; /* of the address that the program printed, or was given */
    int err;  /* its standard error */
    pthread_t reader;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    process_line *lines; /* the last [PROCESS_LINES] of its log, line i at i % PROCESS_LINES */
    size_t n_lines;      /* so far */
    char said[2048];     /* the last of standard error that is no line of the log */
    bool over;
} process;

/* `ingle serve` with these arguments, ended by NULL, on a free port of loopback; returns when the
 * model is loaded. The request log goes to standard error, unless the arguments say otherwise. */
void process_serve(process *p, const char *program, const char *const *args);
/* A program that is given a free port as its argument; returns when it takes connections. */
void process_bare(process *p, const char *program);
void process_stop(process *p);

/* Lines of the log so far; and the first of them from number `from` on that has this text: waits
 * for it. */
size_t process_n_lines(process *p);
process_line process_wait_line(process *p, size_t from, const char *text);
/* The number of a member in a line of the log; NAN if it is not there. */
double process_number(const process_line *line, const char *name);

size_t process_resident(pid_t pid); /* bytes */
/* Nanoseconds of processor time of the process's first thread. */
uint64_t process_main_ns(const process *p);
/* Raises the limit of descriptors, for this program and those that it starts; what it is then. */
size_t process_raise_descriptors(void);

#endif
