/* serve_config.h - files of options: sections, keys and values.
 *     # a comment; so is a line that begins with ;
 *     [section]
 *     key = value            ; a comment after blanks
 *     key = "a value that # is part of, with \" and \\"
 * Owns       nothing. Depends on base/status.h. */
#ifndef INGLE_CLI_SERVE_CONFIG_H
#define INGLE_CLI_SERVE_CONFIG_H

#include "base/status.h"

typedef struct serve_config_item {
    const char *section; /* "" before the first one */
    const char *key;     /* NULL: the section begins */
    const char *value;
    size_t line; /* from 1 */
} serve_config_item;

/* Calls each() for every section and key, until it returns false (INGLE_ECANCELLED). Items point into
 * text [n], which is written to; text[n] is a NUL. INGLE_EFORMAT: *line is the one that is wrong, and
 * the error says why. */
ingle_status serve_config_read(char *text, size_t n,
                               bool (*each)(void *user, const serve_config_item *item), void *user,
                               size_t *line, ingle_error *err);

#endif
