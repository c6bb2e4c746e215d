/* notes.h - sentences that a caller may want to show: what was guessed or passed over, and is no failure.
 * Owns       its texts. Depends on base/. */
#ifndef INGLE_BASE_NOTES_H
#define INGLE_BASE_NOTES_H

#include "base/status.h"

typedef struct ingle_notes {
    char **text;
    size_t n, cap;
} ingle_notes;

/* One line, cut after 1 KiB. ENOMEM without memory. */
ingle_status ingle_notes_add(ingle_notes *notes, ingle_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void ingle_notes_free(ingle_notes *notes);

#endif
