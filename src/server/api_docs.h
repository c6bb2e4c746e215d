/* api_docs.h - what the two forms of the documentation have in common. Depends on route.h. */
#ifndef INGLE_SERVER_API_DOCS_H
#define INGLE_SERVER_API_DOCS_H

#include "route.h"

/* Tables within tables: those around one, to end where a table holds itself. */
typedef struct table_path {
    const struct table_path *up;
    const field_table *table;
} table_path;

static inline bool table_path_has(const table_path *path, const field_table *table)
{
    for (; path; path = path->up)
        if (path->table == table) return true;
    return false;
}

#endif
