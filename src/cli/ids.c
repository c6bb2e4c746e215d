/* ids.c - see ids.h. */
#include "ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ingle_status no_memory(ingle_error *err)
{
    snprintf(err->text, sizeof err->text, "no memory for the tokens");
    return INGLE_ENOMEM;
}

/* What tokens are made of: a text, or a query and a document. */
typedef struct id_source {
    const ingle_model *model;
    const char *text, *document; /* document: NULL if there is none */
    size_t len, document_len;
    unsigned flags; /* of a text */
} id_source;

static ingle_status tokens_of(const id_source *s, ids_list *out, size_t cap, ingle_error *err)
{
    return s->document
               ? ingle_tokenize_pair(s->model, s->text, s->len, s->document, s->document_len,
                                     out->ids, cap, &out->n, &out->n_first, err)
               : ingle_tokenize(s->model, s->text, s->len, s->flags, out->ids, cap, &out->n, err);
}

/* Begins with room for a guess of `cap` tokens. */
static ingle_status fill(ids_list *out, const id_source *source, size_t cap, ingle_error *err)
{
    ingle_status status = INGLE_ERANGE;
    *out = (ids_list){0};
    while (status == INGLE_ERANGE) {
        int32_t *ids = realloc(out->ids, cap * sizeof *ids);
        if (!ids) {
            status = no_memory(err);
            break;
        }
        out->ids = ids;
        status = tokens_of(source, out, cap, err);
        cap = out->n + 1;
    }
    if (status != INGLE_OK) ids_free(out);
    return status;
}

ingle_status ids_tokenize(ids_list *out, const ingle_model *model, const char *text, size_t len,
                          unsigned flags, ingle_error *err)
{
    const id_source source = {.model = model, .text = text, .len = len, .flags = flags};
    return fill(out, &source, len / 3 + 64, err); /* English has about four bytes a token */
}

ingle_status ids_tokenize_pair(ids_list *out, const ingle_model *model, const char *query,
                               size_t query_len, const char *document, size_t document_len,
                               ingle_error *err)
{
    const id_source source = {.model = model,
                              .text = query,
                              .len = query_len,
                              .document = document,
                              .document_len = document_len};
    return fill(out, &source, query_len / 3 + document_len / 3 + 256, err); /* the template's too */
}

ingle_status ids_detokenize(const ingle_model *model, const int32_t *ids, size_t n, unsigned flags,
                            char **text, size_t *len, ingle_error *err)
{
    ingle_status status = INGLE_ERANGE;
    size_t cap = n * 8 + 64;
    *text = NULL;
    while (status == INGLE_ERANGE) {
        char *larger = realloc(*text, cap);
        if (!larger) {
            status = no_memory(err);
            break;
        }
        *text = larger;
        status = ingle_detokenize(model, ids, n, flags, larger, cap, len, err);
        cap = *len + 1;
    }
    if (status == INGLE_OK) return status;
    free(*text);
    *text = NULL;
    return status;
}

/* ---- reading ids ----------------------------------------------------------------------------- */

typedef struct id_reader {
    const char *text;
    size_t len, i;
} id_reader;

static int peek(id_reader *r)
{
    while (r->i < r->len && r->text[r->i] && strchr(" \t\r\n", r->text[r->i])) r->i++;
    return r->i < r->len ? (unsigned char)r->text[r->i] : -1;
}

static bool take(id_reader *r, int c)
{
    if (peek(r) != c) return false;
    r->i++;
    return true;
}

static bool take_id(id_reader *r, int32_t *id)
{
    int64_t value = 0;
    if (peek(r) < '0' || peek(r) > '9') return false;
    for (; r->i < r->len && r->text[r->i] >= '0' && r->text[r->i] <= '9'; r->i++) {
        value = value * 10 + (r->text[r->i] - '0');
        if (value > INT32_MAX) return false;
    }
    *id = (int32_t)value;
    return true;
}

static ingle_status append(ids_list *list, size_t *cap, int32_t id, ingle_error *err)
{
    if (list->n == *cap) {
        *cap = *cap ? *cap * 2 : 256;
        int32_t *larger = realloc(list->ids, *cap * sizeof *larger);
        if (!larger) return no_memory(err);
        list->ids = larger;
    }
    list->ids[list->n++] = id;
    return INGLE_OK;
}

ingle_status ids_parse(ids_list *out, const char *text, size_t len, ingle_error *err)
{
    id_reader r = {.text = text, .len = len};
    bool brackets = take(&r, '[');
    size_t cap = 0;
    ingle_status status = INGLE_OK;
    *out = (ids_list){0};
    if (!(brackets && take(&r, ']'))) {
        int32_t id;
        do {
            status = take_id(&r, &id) ? append(out, &cap, id, err) : INGLE_EINVAL;
        } while (status == INGLE_OK && take(&r, ','));
        if (status == INGLE_OK && brackets && !take(&r, ']')) status = INGLE_EINVAL;
    }
    if (status == INGLE_OK && peek(&r) >= 0) status = INGLE_EINVAL;
    if (status == INGLE_OK) return status;
    if (status == INGLE_EINVAL) {
        snprintf(err->text, sizeof err->text,
                 "byte %zu: token ids are whole numbers from 0 with commas between, as in [1, 2]",
                 r.i);
    }
    ids_free(out);
    return status;
}

void ids_free(ids_list *list)
{
    free(list->ids);
    *list = (ids_list){0};
}
