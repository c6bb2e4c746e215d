#include "model/store.h"

#include <stdlib.h>
#include <string.h>

/* Takes n bytes of the arena. */
static bool take(ingle_store *s, size_t n, size_t *at)
{
    size_t end;
    if (!ingle_add_ok(s->bytes, n, &end) || end > SIZE_MAX / 2) return false;
    *at = s->bytes;
    s->bytes = ingle_round_up(end, INGLE_ALIGN);
    return true;
}

/* The pages of its file that the matrix lies in are to be mapped. */
static void map(ingle_store *s, const ingle_matrix *m)
{
    const ingle_gguf_tensor *t = m->tensor;
    ingle_mapping *mapping = &s->mapping[t->i_file];
    uint64_t from = t->offset & ~(uint64_t)(INGLE_MAP_ALIGN - 1), end = t->offset + t->n_bytes;
    if (!mapping->end || from < mapping->from) mapping->from = from;
    if (end > mapping->end) mapping->end = end;
}

ingle_status ingle_store_plan(ingle_store *s, const ingle_weights *w, size_t n_files,
                              const ingle_homes_of *homes, size_t home, ingle_error *err)
{
    *s = (ingle_store){.n_files = n_files};
    s->matrix = ingle_new(w->n_matrix, sizeof *s->matrix);
    s->vector = ingle_new(w->n_vector, sizeof(float *));
    s->matrix_at = ingle_new(w->n_matrix, sizeof *s->matrix_at);
    s->vector_at = ingle_new(w->n_vector, sizeof *s->vector_at);
    s->mapping = ingle_new(n_files, sizeof *s->mapping);
    bool ok = s->matrix && s->vector && s->matrix_at && s->vector_at && s->mapping;
    for (size_t i = 0; ok && i < w->n_matrix; i++) {
        const ingle_matrix *m = &w->matrix[i];
        s->matrix[i] = m->packed;
        s->matrix_at[i] = SIZE_MAX;
        if (!(homes->matrix[i] >> home & 1)) continue;
        if (m->mapped) {
            map(s, m);
            continue;
        }
        ok = take(s, ingle_packed_bytes(&m->packed), &s->matrix_at[i]);
        s->packed_bytes += m->packed.n_rows * m->packed.row_bytes;
    }
    for (size_t i = 0; ok && i < w->n_vector; i++) {
        s->vector_at[i] = SIZE_MAX;
        if (homes->vector[i] >> home & 1)
            ok = take(s, w->vector[i].n * sizeof(float), &s->vector_at[i]);
    }
    return ok ? INGLE_OK : ingle_fail(err, INGLE_ENOMEM, "no memory for the places of weights");
}

void ingle_store_free(ingle_store *s)
{
    for (size_t i = 0; s->mapping && i < s->n_files; i++)
        ingle_file_unmap(s->mapping[i].data, s->mapping[i].end - s->mapping[i].from);
    ingle_pages_free(s->mem, s->bytes);
    free(s->matrix);
    free(s->vector);
    free(s->matrix_at);
    free(s->vector_at);
    free(s->mapping);
    memset(s, 0, sizeof *s);
}

uint64_t ingle_store_mapped(const ingle_store *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_files; i++)
        n += ingle_round_up(s->mapping[i].end - s->mapping[i].from, INGLE_PAGE_BYTES);
    return n;
}

static ingle_status map_all(ingle_store *s, const ingle_weights *w, const ingle_gguf *g,
                            ingle_error *err)
{
    for (size_t i = 0; i < s->n_files; i++) {
        ingle_mapping *m = &s->mapping[i];
        if (!m->end) continue;
        ingle_status st = ingle_file_map(&g->files[i], m->from, m->end - m->from, &m->data, err);
        if (st) return st;
    }
    for (size_t i = 0; i < w->n_matrix; i++) {
        const ingle_matrix *m = &w->matrix[i];
        const ingle_gguf_tensor *t = m->tensor;
        const ingle_mapping *mapping = &s->mapping[t->i_file];
        if (m->mapped && mapping->data)
            s->matrix[i].rows =
                mapping->data + (t->offset - mapping->from) + m->first_row * m->packed.row_bytes;
    }
    return INGLE_OK;
}

ingle_status ingle_store_take(ingle_store *s, const ingle_weights *w, const ingle_gguf *g,
                              ingle_error *err)
{
    uint64_t available = ingle_memory_available("", true);
    if (s->bytes > available)
        return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu bytes of weights: %llu are left%s",
                          s->bytes, (unsigned long long)available, ingle_memory_source(""));
    if (!(s->mem = ingle_pages_new(s->bytes)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu bytes of weights", s->bytes);
    for (size_t i = 0; i < w->n_matrix; i++)
        if (s->matrix_at[i] != SIZE_MAX) s->matrix[i].data = s->mem + s->matrix_at[i];
    for (size_t i = 0; i < w->n_vector; i++)
        if (s->vector_at[i] != SIZE_MAX)
            s->vector[i] = (const float *)(void *)(s->mem + s->vector_at[i]);
    return map_all(s, w, g, err);
}

static uint8_t *room(void *self, int thread, uint32_t matrix, size_t at, size_t bytes)
{
    const ingle_store *s = self;
    (void)thread, (void)bytes;
    return s->mem + s->matrix_at[matrix] + at;
}

static ingle_status keep_vector(void *self, uint32_t vector, const float *data, size_t n,
                                ingle_error *err)
{
    const ingle_store *s = self;
    (void)err;
    memcpy(s->mem + s->vector_at[vector], data, n * sizeof *data);
    return INGLE_OK;
}

ingle_sink ingle_store_sink(ingle_store *s)
{
    return (ingle_sink){.self = s, .room = room, .vector = keep_vector};
}
