/* outfile.h - every file the program writes. The result is written beside its target under a name of
 * its own and takes the target's place when it is whole, so a failure or a signal leaves the old file.
 * Owns       the unfinished files, which a signal that ends the program removes.
 * Depends on out.h, platform.h, POSIX. */
#ifndef INGLE_CLI_OUTFILE_H
#define INGLE_CLI_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct outfile {
    FILE *f;          /* where to write; standard output for the path "-" */
    const char *path; /* as given */
    char *target; /* the same with links followed; NULL where nothing is replaced: "-", a pipe, a
                         device */
    char *temp;   /* the unfinished file */
} outfile;

/* False, and the reason on standard error, if the file cannot be made. Links are followed: what a link
 * points at is replaced, the link stays. The new file has the mode of the old one. */
bool outfile_open(outfile *o, const char *path);
/* Sends what is buffered; false, and the reason on standard error, if it cannot be written. */
bool outfile_written(outfile *o);
/* Floats as little-endian bytes, whatever the machine's order. */
bool outfile_floats(outfile *o, const float *v, size_t n);
/* Puts the file in its target's place if code is EXIT_DONE, else discards it. Returns the exit code. */
int outfile_close(outfile *o, int code);

#endif
