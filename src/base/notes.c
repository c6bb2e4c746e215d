/* notes.c - see notes.h. */
#include "base/notes.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 1024 };

ingle_status ingle_notes_add(ingle_notes *notes, ingle_error *err, const char *format, ...)
{
    char text[LONGEST + 4], *copy = NULL;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, LONGEST, format, args);
    va_end(args);
    if (len >= LONGEST) strcpy(text + LONGEST - 1, " ...");
    if (ingle_grow(&notes->text, &notes->cap, notes->n + 1, sizeof *notes->text))
        copy = malloc(strlen(text) + 1);
    if (!copy) return ingle_fail(err, INGLE_ENOMEM, "no memory for a note");
    notes->text[notes->n++] = strcpy(copy, text);
    return INGLE_OK;
}

void ingle_notes_free(ingle_notes *notes)
{
    for (size_t i = 0; i < notes->n; i++) free(notes->text[i]);
    free(notes->text);
    *notes = (ingle_notes){0};
}
