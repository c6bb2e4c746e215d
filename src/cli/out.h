/* out.h - what the program prints: results, messages, JSON text, a progress line.
 * Depends on platform.h, base/json.h, <ingle.h>. Results go to standard output, everything else to
 * standard error. */
#ifndef INGLE_CLI_OUT_H
#define INGLE_CLI_OUT_H

#include <ingle.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/json.h"

/* "ingle: ..." on standard error, a line each; what does not show is escaped as by out_plain(). */
void out_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void out_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *
out_last_error(void); /* text of the last out_error(), perhaps cut; "" if there was none */

/* Sends what is buffered; false when standard output cannot take it. */
bool out_flush(void);
/* Last act of a verb: flushes; a failure is reported and turns code 0 into EXIT_WORK. */
int out_finish(int code);

/* Text of a file or its name, for people: control and format characters and bytes that are not
 * UTF-8 are escaped (\x1b, \u202e), so that no file can write to the terminal what it likes.
 * Standard output, padded with blanks to width characters; standard error. */
void out_plain(const char *text, int width);
void out_plain_error(const char *text);

/* A quoted field of CSV on standard output. */
void out_csv_field(const char *text);

/* JSON for standard output, which may be a terminal: what does not show is escaped. Freed by
 * ingle_json_writer_free(). */
ingle_json_writer out_json(void);
/* Sends what was written since, and with the second, when all has been ended, the end of the line.
 * Where memory failed out_finish() reports it. */
void out_json_send(ingle_json_writer *w);
void out_json_line(ingle_json_writer *w);

/* Pieces beside those of base/json.h. Infinities and NaN become -9999: JSON has none. */
void out_json_number(ingle_json_writer *w, double value);
void out_json_fixed(ingle_json_writer *w, double value, int decimals);
void out_json_bytes(ingle_json_writer *w, const char *text, size_t len); /* [1,2,3] */
/* {"text": "..."} members: `"key":"..."`, and `,"bytes":[...]` when text is not UTF-8. */
void out_json_text(ingle_json_writer *w, const char *key, const char *text, size_t len);

/* "1.50 GiB" */
void out_format_bytes(double bytes, char *text, size_t cap);

/* A line on standard error that rewrites itself: only on a terminal, and only once a second has
 * passed since start. */
typedef struct out_progress {
    double start, last;
    bool enabled, shown;
} out_progress;

void out_progress_start(out_progress *p);
void out_progress_show(out_progress *p, const char *what, double share);
void out_progress_count(out_progress *p, const char *what, size_t n); /* "WHAT: N" */
/* "WHAT: N, RATE UNIT" */
void out_progress_rate(out_progress *p, const char *what, size_t n, double rate, const char *unit);
void out_progress_clear(out_progress *p);

#endif
