#include "model/weights.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

ingle_status ingle_weights_init(ingle_weights *w, const ingle_gguf *g, bool in_place,
                                bool map_experts, ingle_error *err)
{
    bool maps = in_place || map_experts;
    *w = (ingle_weights){.in_place = in_place,
                         .map_experts = map_experts,
                         .n_tensors = g->n_tensors,
                         .n_files = g->n_files};
    w->used = ingle_new(g->n_tensors, sizeof *w->used);
    w->mapping = ingle_new(maps ? g->n_files : 0, sizeof *w->mapping);
    return w->used && w->mapping ? INGLE_OK
                                 : ingle_fail(err, INGLE_ENOMEM, "no memory for the tensor list");
}

void ingle_weights_free(ingle_weights *w)
{
    for (size_t i = 0; w->mapping && (w->in_place || w->map_experts) && i < w->n_files; i++)
        ingle_file_unmap(w->mapping[i].data, w->mapping[i].end - w->mapping[i].from);
    ingle_pages_free(w->mem, w->bytes);
    free(w->mapping);
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

/* Takes n bytes of the arena, 64-byte aligned. */
static bool take(ingle_weights *w, size_t n, size_t *offset)
{
    size_t end;
    if (!ingle_add_ok(w->bytes, n, &end) || end > SIZE_MAX / 2) return false;
    *offset = w->bytes;
    w->bytes = ingle_round_up(end, INGLE_ALIGN);
    return true;
}

/* Plans where the matrix lies: in the arena, or in what is mapped of its file. */
static bool place(ingle_weights *w, ingle_matrix *m)
{
    if (!m->mapped) return take(w, ingle_packed_bytes(&m->packed), &m->offset);
    const ingle_gguf_tensor *t = m->tensor;
    ingle_mapping *map = &w->mapping[t->i_file];
    uint64_t from = t->offset & ~(uint64_t)(INGLE_MAP_ALIGN - 1), end = t->offset + t->n_bytes;
    if (!map->end || from < map->from) map->from = from;
    if (end > map->end) map->end = end;
    return true;
}

static ingle_status add_matrix(ingle_weights *w, const ingle_gguf_tensor *t, size_t first,
                               size_t n_rows, size_t n_cols, bool mapped, ingle_error *err)
{
    if (!ingle_grow(&w->matrix, &w->cap_matrix, w->n_matrix + 1, sizeof *w->matrix))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the tensor list");
    ingle_matrix *m = &w->matrix[w->n_matrix];
    *m = (ingle_matrix){.tensor = t, .first_row = first, .mapped = mapped};
    if (!ingle_packed_init(&m->packed, t->type, n_rows, n_cols) || !place(w, m))
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
    if (!take(w, n * sizeof(float), &v->offset))
        return ingle_fail(err, INGLE_EFORMAT, "tensor '%s' cannot be laid out", name);
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

/* ---- reading and packing ---- */

/* One piece of work: some panels of one matrix, about PIECE_BYTES of the file. */
#define PIECE_BYTES ((size_t)1 << 20)

typedef struct loader {
    ingle_weights *w;
    const ingle_gguf *g;
    size_t *first_piece; /* [n_matrix + 1]: matrix m holds pieces first_piece[m] .. */
    size_t *panels;      /* [n_matrix] panels of a piece */
    uint8_t **buffer;    /* [n_threads], each for one piece */
    size_t buffer_bytes;
    bool forget; /* what is packed leaves the system's cache */
    atomic_size_t next, done;
    atomic_bool stop;
    bool (*progress)(void *user, double share);
    void *user;
    ingle_status status; /* written by whoever set stop first */
    ingle_error error;
    atomic_flag reported;
} loader;

static void give_up(loader *l, ingle_status st, const ingle_error *error)
{
    if (!atomic_flag_test_and_set(&l->reported)) {
        l->status = st;
        l->error = *error;
    }
    atomic_store(&l->stop, true);
}

static void load_piece(loader *l, size_t i_piece, uint8_t *buffer)
{
    size_t m = 0, end_m = l->w->n_matrix; /* the piece lies in one of [m, end_m) */
    while (end_m - m > 1) {
        size_t middle = (m + end_m) / 2;
        if (l->first_piece[middle] <= i_piece) m = middle;
        else end_m = middle;
    }
    const ingle_matrix *mat = &l->w->matrix[m];
    const ingle_packed *p = &mat->packed;
    size_t panel = (i_piece - l->first_piece[m]) * l->panels[m];
    size_t end = panel + l->panels[m] < p->n_panels ? panel + l->panels[m] : p->n_panels;
    size_t row = panel * 16, n_rows = (end * 16 < p->n_rows ? end * 16 : p->n_rows) - row;
    size_t bytes = p->row_bytes;
    row += mat->first_row; /* of the tensor */
    ingle_error error;
    size_t n_read = mat->pair ? 1 : n_rows; /* of a pair the second is elsewhere */
    ingle_status st =
        ingle_gguf_read(l->g, mat->tensor, row * bytes, buffer, n_read * bytes, &error);
    if (!st && mat->pair)
        st = ingle_gguf_read(l->g, mat->tensor, mat->second_row * bytes, buffer + bytes, bytes,
                             &error);
    if (st) {
        give_up(l, st, &error);
        return;
    }
    if (l->forget && !mat->pair)
        ingle_file_forget(&l->g->files[mat->tensor->i_file], mat->tensor->offset + row * bytes,
                          n_rows * bytes);
    for (; panel < end; panel++, buffer += 16 * bytes, n_rows -= n_rows < 16 ? n_rows : 16)
        ingle_pack_panel(p, buffer, n_rows < 16 ? n_rows : 16,
                         l->w->mem + mat->offset + panel * p->panel_bytes);
}

static void load_pieces(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    loader *l = arg;
    (void)pool, (void)n_threads;
    size_t n_pieces = l->first_piece[l->w->n_matrix], i;
    while (!atomic_load(&l->stop) && (i = atomic_fetch_add(&l->next, 1)) < n_pieces) {
        load_piece(l, i, l->buffer[i_thread]);
        size_t done = atomic_fetch_add(&l->done, 1) + 1;
        if (i_thread == 0 && l->progress &&
            !l->progress(l->user, (double)done / (double)n_pieces)) {
            ingle_error error;
            ingle_fail(&error, INGLE_ECANCELLED, "loading was cancelled");
            give_up(l, INGLE_ECANCELLED, &error);
        }
    }
}

static ingle_status load_vector(const ingle_vector *v, uint8_t *mem, const ingle_gguf *g,
                                ingle_error *err)
{
    const ingle_type_info *info = ingle_type_get(v->tensor->type);
    const ingle_gguf_tensor *t = v->tensor;
    float *dst = (float *)(void *)(mem + v->offset), *all = dst;
    uint8_t *raw = malloc(t->n_bytes ? t->n_bytes : 1);
    if (v->n < t->n_elems || v->turn) all = ingle_new(t->n_elems, sizeof *all); /* a part */
    ingle_status st = raw && all
                          ? ingle_gguf_read(g, t, 0, raw, t->n_bytes, err)
                          : ingle_fail(err, INGLE_ENOMEM, "no memory for tensor '%s'", t->name);
    if (!st) info->decode(raw, all, t->n_elems / info->block_elems);
    if (!st && v->turn)
        for (size_t i = 0; i < v->n; i++)
            dst[i % (v->n / v->turn) * v->turn + i / (v->n / v->turn)] = all[i];
    else if (!st && all != dst) memcpy(dst, all + v->first, v->n * sizeof *dst);
    if (all != dst) free(all);
    free(raw);
    return st;
}

/* Splits every matrix into pieces of whole panels. */
static bool plan_pieces(loader *l)
{
    ingle_weights *w = l->w;
    for (size_t m = 0; m < w->n_matrix; m++) {
        size_t panel_bytes = 16 * w->matrix[m].packed.row_bytes;
        size_t n = panel_bytes >= PIECE_BYTES ? 1 : PIECE_BYTES / panel_bytes;
        size_t bytes;
        if (!ingle_mul_ok(n, panel_bytes, &bytes)) return false;
        if (bytes > l->buffer_bytes) l->buffer_bytes = bytes;
        l->panels[m] = n;
        l->first_piece[m + 1] = l->first_piece[m];
        if (w->matrix[m].mapped) continue;
        l->first_piece[m + 1] += (w->matrix[m].packed.n_panels + n - 1) / n;
    }
    return true;
}

/* Whether memory will not hold the file beside the packed weights: a copy that nobody asks for again
 * would push out what others do. */
static bool is_tight(const ingle_weights *w)
{
    uint64_t need = w->bytes;
    for (size_t m = 0; m < w->n_matrix; m++)
        if (!w->matrix[m].mapped)
            need += w->matrix[m].packed.n_rows * w->matrix[m].packed.row_bytes;
    return need > ingle_memory_available("", false);
}

static ingle_status no_memory(const ingle_weights *w, ingle_error *err)
{
    return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu bytes of weights", w->bytes);
}

static ingle_status run_loader(loader *l, int n_threads, ingle_error *err)
{
    ingle_pool *pool;
    ingle_status st = ingle_pool_open(&pool, n_threads, err);
    if (st) return st;
    ingle_pool_run(pool, load_pieces, l);
    ingle_pool_close(&pool);
    if (l->status && err) *err = l->error;
    return l->status;
}

/* All matrices to panels. */
static ingle_status pack_all(ingle_weights *w, const ingle_gguf *g, int n_threads,
                             bool (*progress)(void *user, double share), void *user,
                             ingle_error *err)
{
    loader l = {.w = w, .g = g, .progress = progress, .user = user, .reported = ATOMIC_FLAG_INIT};
    ingle_status st = INGLE_ENOMEM;
    l.forget = is_tight(w);
    l.first_piece = ingle_new(w->n_matrix + 1, sizeof *l.first_piece);
    l.panels = ingle_new(w->n_matrix, sizeof *l.panels);
    l.buffer = ingle_new((size_t)n_threads, sizeof *l.buffer);
    if (!l.first_piece || !l.panels || !l.buffer || !plan_pieces(&l)) goto no_memory;
    for (int i = 0; i < n_threads; i++)
        if (!(l.buffer[i] = malloc(l.buffer_bytes ? l.buffer_bytes : 1))) goto no_memory;
    if ((st = run_loader(&l, n_threads, err))) goto done;
    for (size_t i = 0; l.forget && !w->map_experts && i < g->n_files; i++) /* what pieces shared */
        ingle_file_forget(&g->files[i], 0, g->files[i].size);
    for (size_t m = 0; m < w->n_matrix; m++)
        if (!w->matrix[m].mapped) w->matrix[m].packed.data = w->mem + w->matrix[m].offset;
    goto done;
no_memory:
    st = no_memory(w, err);
done:
    for (int i = 0; l.buffer && i < n_threads; i++) free(l.buffer[i]);
    free(l.buffer);
    free(l.panels);
    free(l.first_piece);
    return st;
}

/* ---- in place ---- */

uint64_t ingle_weights_mapped(const ingle_weights *w)
{
    uint64_t n = 0;
    for (size_t i = 0; (w->in_place || w->map_experts) && i < w->n_files; i++)
        n += ingle_round_up(w->mapping[i].end - w->mapping[i].from, INGLE_PAGE_BYTES);
    return n;
}

static ingle_status map_all(ingle_weights *w, const ingle_gguf *g, ingle_error *err)
{
    for (size_t i = 0; i < w->n_files; i++) {
        ingle_mapping *map = &w->mapping[i];
        if (!map->end) continue;
        ingle_status st =
            ingle_file_map(&g->files[i], map->from, map->end - map->from, &map->data, err);
        if (st) return st;
    }
    for (size_t m = 0; m < w->n_matrix; m++) {
        const ingle_gguf_tensor *t = w->matrix[m].tensor;
        if (!w->matrix[m].mapped) continue;
        const ingle_mapping *map = &w->mapping[t->i_file];
        w->matrix[m].packed.rows = map->data + (t->offset - map->from) +
                                   w->matrix[m].first_row * w->matrix[m].packed.row_bytes;
    }
    return INGLE_OK;
}

/* ---- all of it ---- */

ingle_status ingle_weights_load(ingle_weights *w, const ingle_gguf *g, int n_threads,
                                bool (*progress)(void *user, double share), void *user,
                                ingle_error *err)
{
    uint64_t available = ingle_memory_available("", true);
    if (w->bytes > available)
        return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu bytes of weights: %llu are left%s",
                          w->bytes, (unsigned long long)available, ingle_memory_source(""));
    if (!(w->mem = ingle_pages_new(w->bytes))) return no_memory(w, err);
    for (size_t i = 0; i < w->n_vector; i++) {
        ingle_status st = load_vector(&w->vector[i], w->mem, g, err);
        if (st) return st;
        w->vector[i].data = (const float *)(void *)(w->mem + w->vector[i].offset);
    }
    ingle_status st = w->in_place || w->map_experts ? map_all(w, g, err) : INGLE_OK;
    bool packs = !w->in_place;
    for (size_t m = 0; m < w->n_matrix; m++) packs = packs || !w->matrix[m].mapped;
    if (st || !packs) return st;
    return pack_all(w, g, w->in_place ? 1 : n_threads, w->in_place ? NULL : progress, user, err);
}
