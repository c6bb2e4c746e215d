#include "model/weights.h"

#include <stdlib.h>
#include <string.h>

ingle_status ingle_weights_init(ingle_weights *w, const ingle_gguf *g, bool in_place,
                                bool map_experts, ingle_error *err)
{
    *w = (ingle_weights){
        .in_place = in_place, .map_experts = map_experts, .n_tensors = g->n_tensors};
    w->used = ingle_new(g->n_tensors, sizeof *w->used);
    return w->used ? INGLE_OK : ingle_fail(err, INGLE_ENOMEM, "no memory for the tensor list");
}

void ingle_weights_free(ingle_weights *w)
{
    free(w->matrix);
    free(w->vector);
    free(w->used);
    memset(w, 0, sizeof *w);
}

static ingle_status claim(ingle_weights *w, const ingle_gguf *g, const char *name,
                          const uint64_t want[3], const ingle_gguf_tensor **out, ingle_error *err)
{
    const ingle_gguf_tensor *t = ingle_gguf_find_tensor(g, name);
    if (!t) return ingle_fail(err, INGLE_EFORMAT, "tensor '%s' is missing", name);
    if (t->dims[0] != want[0] || t->dims[1] != want[1] || t->dims[2] != want[2] || t->dims[3] != 1)
        return ingle_fail(err, INGLE_EFORMAT,
                          "tensor '%s' is [%llu, %llu, %llu, %llu], should be [%llu, %llu, %llu]",
                          name, (unsigned long long)t->dims[0], (unsigned long long)t->dims[1],
                          (unsigned long long)t->dims[2], (unsigned long long)t->dims[3],
                          (unsigned long long)want[0], (unsigned long long)want[1],
                          (unsigned long long)want[2]);
    w->used[t - g->tensors] = true;
    *out = t;
    return INGLE_OK;
}

/* See ingle_weights.probe. */
static ingle_status only_count(ingle_weights *w, const ingle_gguf *g, const char *name,
                               uint32_t *index)
{
    const ingle_gguf_tensor *t = ingle_gguf_find_tensor(g, name);
    if (t) w->used[t - g->tensors] = true;
    else if (strncmp(name, "blk.", 4) != 0 || !strncmp(name, "blk.0.", 6)) w->n_missing++;
    *index = 0;
    return INGLE_OK;
}

static ingle_status add_matrix(ingle_weights *w, const ingle_gguf_tensor *t, size_t first,
                               size_t n_rows, size_t n_cols, bool mapped, ingle_error *err)
{
    if (!ingle_grow(&w->matrix, &w->cap_matrix, w->n_matrix + 1, sizeof *w->matrix))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the tensor list");
    ingle_matrix *m = &w->matrix[w->n_matrix];
    *m = (ingle_matrix){.tensor = t, .first_row = first, .mapped = mapped};
    if (!ingle_packed_init(&m->packed, t->type, n_rows, n_cols))
        return ingle_fail(err, INGLE_EFORMAT, "tensor '%s' cannot be laid out", t->name);
    w->n_matrix++;
    return INGLE_OK;
}

ingle_status ingle_weights_matrix(ingle_weights *w, const ingle_gguf *g, const char *name,
                                  size_t first, size_t n_rows, size_t n_all, size_t n_cols,
                                  uint32_t *index, ingle_error *err)
{
    const ingle_gguf_tensor *t = NULL;
    if (w->probe) return only_count(w, g, name, index);
    ingle_status st = claim(w, g, name, (uint64_t[3]){n_cols, n_all, 1}, &t, err);
    *index = (uint32_t)w->n_matrix;
    return st ? st : add_matrix(w, t, first, n_rows, n_cols, w->in_place, err);
}

ingle_status ingle_weights_pair(ingle_weights *w, const ingle_gguf *g, const char *name,
                                const uint32_t rows[2], size_t n_all, size_t n_cols,
                                uint32_t *index, ingle_error *err)
{
    const ingle_gguf_tensor *t = NULL;
    if (w->probe) return only_count(w, g, name, index);
    ingle_status st = claim(w, g, name, (uint64_t[3]){n_cols, n_all, 1}, &t, err);
    *index = (uint32_t)w->n_matrix;
    if (!st) st = add_matrix(w, t, rows[0], 2, n_cols, false, err);
    if (st) return st;
    w->matrix[*index].pair = true;
    w->matrix[*index].second_row = rows[1];
    return INGLE_OK;
}

/* Rows first .. first + n_rows - 1 of the n_all of each of n. */
static ingle_status add_matrices(ingle_weights *w, const ingle_gguf *g, const char *name, size_t n,
                                 size_t first, size_t n_rows, size_t n_all, size_t n_cols,
                                 bool mapped, uint32_t *index, ingle_error *err)
{
    const ingle_gguf_tensor *t = NULL;
    if (w->probe) return only_count(w, g, name, index);
    ingle_status st = claim(w, g, name, (uint64_t[3]){n_cols, n_all, n}, &t, err);
    *index = (uint32_t)w->n_matrix;
    for (size_t i = 0; i < n && !st; i++)
        st = add_matrix(w, t, i * n_all + first, n_rows, n_cols, mapped, err);
    return st;
}

ingle_status ingle_weights_experts(ingle_weights *w, const ingle_gguf *g, const char *name,
                                   size_t n, size_t first, size_t n_rows, size_t n_all,
                                   size_t n_cols, uint32_t *index, ingle_error *err)
{
    return add_matrices(w, g, name, n, first, n_rows, n_all, n_cols, w->in_place || w->map_experts,
                        index, err);
}

ingle_status ingle_weights_matrices(ingle_weights *w, const ingle_gguf *g, const char *name,
                                    size_t n, size_t n_rows, size_t n_cols, uint32_t *index,
                                    ingle_error *err)
{
    return add_matrices(w, g, name, n, 0, n_rows, n_rows, n_cols, w->in_place, index, err);
}

static ingle_status add_vector(ingle_weights *w, const ingle_gguf *g, const char *name,
                               const uint64_t want[3], size_t first, size_t n, uint32_t *index,
                               ingle_error *err)
{
    const ingle_gguf_tensor *t = NULL;
    if (w->probe) return only_count(w, g, name, index);
    ingle_status st = claim(w, g, name, want, &t, err);
    if (st) return st;
    if (ingle_type_get(t->type) && ingle_type_get(t->type)->row_head)
        return ingle_fail(err, INGLE_EUNSUPPORTED, "tensor '%s': type %s is for matrices", name,
                          ingle_type_name(t->type));
    if (!ingle_grow(&w->vector, &w->cap_vector, w->n_vector + 1, sizeof *w->vector))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the tensor list");
    ingle_vector *v = &w->vector[w->n_vector];
    *v = (ingle_vector){.tensor = t, .first = first, .n = n};
    *index = (uint32_t)w->n_vector++;
    return INGLE_OK;
}

ingle_status ingle_weights_vector(ingle_weights *w, const ingle_gguf *g, const char *name,
                                  size_t first, size_t n, size_t n_all, uint32_t *index,
                                  ingle_error *err)
{
    return add_vector(w, g, name, (uint64_t[3]){n_all, 1, 1}, first, n, index, err);
}

ingle_status ingle_weights_vectors(ingle_weights *w, const ingle_gguf *g, const char *name,
                                   size_t n, size_t n_vectors, uint32_t *index, ingle_error *err)
{
    return add_vector(w, g, name, (uint64_t[3]){n, n_vectors, 1}, 0, n * n_vectors, index, err);
}

ingle_status ingle_weights_row(ingle_weights *w, const ingle_gguf *g, const char *name, size_t n,
                               size_t row, uint32_t *index, ingle_error *err)
{
    const ingle_gguf_tensor *t = ingle_gguf_find_tensor(g, name);
    uint64_t n_rows = t && t->dims[1] > row ? t->dims[1] : row + 1;
    return add_vector(w, g, name, (uint64_t[3]){n, n_rows, 1}, row * n, n, index, err);
}

ingle_status ingle_weights_turned(ingle_weights *w, const ingle_gguf *g, const char *name, size_t n,
                                  size_t n_vectors, uint32_t *index, ingle_error *err)
{
    ingle_status st = ingle_weights_vectors(w, g, name, n, n_vectors, index, err);
    if (!st && !w->probe) w->vector[*index].turn = n_vectors;
    return st;
}
