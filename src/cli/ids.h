/* ids.h - lists of token ids: from text, from JSON, back to bytes.
 * Depends on out.h, <ingle.h>. */
#ifndef INGLE_CLI_IDS_H
#define INGLE_CLI_IDS_H

#include <ingle.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ids_list {
    int32_t *ids;
    size_t n;
    size_t n_first; /* of a pair's first segment; 0: there is one segment */
} ids_list;

ingle_status ids_tokenize(ids_list *out, const ingle_model *model, const char *text, size_t len,
                          unsigned flags, ingle_error *err);
/* A query and a document for ranking. */
ingle_status ids_tokenize_pair(ids_list *out, const ingle_model *model, const char *query,
                               size_t query_len, const char *document, size_t document_len,
                               ingle_error *err);
/* *text is the caller's to free. */
ingle_status ids_detokenize(const ingle_model *model, const int32_t *ids, size_t n, unsigned flags,
                            char **text, size_t *len, ingle_error *err);
/* "1,2,3" or the JSON array "[1, 2, 3]"; blanks and newlines between. INGLE_EINVAL names the byte.
 */
ingle_status ids_parse(ids_list *out, const char *text, size_t len, ingle_error *err);
void ids_free(ids_list *list);

#endif
