/* load.c - reads the tensors of files, packs them, and gives them to the homes that have them. */
#include "model/store.h"

#include "base/pool.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* One piece of work: some panels of one matrix, about PIECE_BYTES of the file. */
#define PIECE_BYTES ((size_t)1 << 20)

typedef struct loader {
    const ingle_weights *w;
    const ingle_gguf *g;
    const ingle_homes_of *homes;
    const ingle_sink *sinks;
    size_t n_sinks;
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

/* Panels [panel, end) of matrix m, whose first n_rows rows lie in the buffer, to home h. */
static ingle_status give_panels(loader *l, int thread, size_t h, size_t m, size_t panel, size_t end,
                                const uint8_t *buffer, size_t n_rows, ingle_error *err)
{
    const ingle_packed *p = &l->w->matrix[m].packed;
    const ingle_sink *sink = &l->sinks[h];
    size_t at = panel * p->panel_bytes, bytes = (end - panel) * p->panel_bytes;
    uint8_t *to = sink->room(sink->self, thread, (uint32_t)m, at, bytes);
    for (; panel < end; panel++, buffer += 16 * p->row_bytes, to += p->panel_bytes) {
        ingle_pack_panel(p, buffer, n_rows < 16 ? n_rows : 16, to);
        n_rows -= n_rows < 16 ? n_rows : 16;
    }
    return sink->keep ? sink->keep(sink->self, thread, (uint32_t)m, at, bytes, err) : INGLE_OK;
}

static void load_piece(loader *l, int thread, size_t i_piece, uint8_t *buffer)
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
    for (size_t h = 0; !st && h < l->n_sinks; h++)
        if (l->homes->matrix[m] >> h & 1)
            st = give_panels(l, thread, h, m, panel, end, buffer, n_rows, &error);
    if (st) give_up(l, st, &error);
}

static void load_pieces(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    loader *l = arg;
    (void)pool, (void)n_threads;
    size_t n_pieces = l->first_piece[l->w->n_matrix], i;
    while (!atomic_load(&l->stop) && (i = atomic_fetch_add(&l->next, 1)) < n_pieces) {
        load_piece(l, i_thread, i, l->buffer[i_thread]);
        size_t done = atomic_fetch_add(&l->done, 1) + 1;
        if (i_thread == 0 && l->progress &&
            !l->progress(l->user, (double)done / (double)n_pieces)) {
            ingle_error error;
            ingle_fail(&error, INGLE_ECANCELLED, "loading was cancelled");
            give_up(l, INGLE_ECANCELLED, &error);
        }
    }
}

/* Vector i as floats, to all homes that have it. */
static ingle_status load_vector(const loader *l, uint32_t i, ingle_error *err)
{
    const ingle_vector *v = &l->w->vector[i];
    const ingle_gguf_tensor *t = v->tensor;
    const ingle_type_info *info = ingle_type_get(t->type);
    float *all = ingle_new(t->n_elems, sizeof *all), *part = ingle_new(v->n, sizeof *part);
    uint8_t *raw = malloc(t->n_bytes ? t->n_bytes : 1);
    ingle_status st = raw && all && part
                          ? ingle_gguf_read(l->g, t, 0, raw, t->n_bytes, err)
                          : ingle_fail(err, INGLE_ENOMEM, "no memory for tensor '%s'", t->name);
    if (!st) info->decode(raw, all, t->n_elems / info->block_elems);
    if (!st && v->turn) {
        size_t n = v->n / v->turn;
        for (size_t k = 0; k < v->n; k++) part[k % n * v->turn + k / n] = all[k];
    } else if (!st) memcpy(part, all + v->first, v->n * sizeof *part);
    for (size_t h = 0; !st && h < l->n_sinks; h++)
        if (l->homes->vector[i] >> h & 1)
            st = l->sinks[h].vector(l->sinks[h].self, i, part, v->n, err);
    free(part);
    free(all);
    free(raw);
    return st;
}

/* Splits every matrix into pieces of whole panels. */
static bool plan_pieces(loader *l)
{
    const ingle_weights *w = l->w;
    for (size_t m = 0; m < w->n_matrix; m++) {
        size_t panel_bytes = 16 * w->matrix[m].packed.row_bytes;
        size_t n = panel_bytes >= PIECE_BYTES ? 1 : PIECE_BYTES / panel_bytes;
        size_t bytes;
        if (!ingle_mul_ok(n, panel_bytes, &bytes)) return false;
        if (bytes > l->buffer_bytes) l->buffer_bytes = bytes;
        l->panels[m] = n;
        l->first_piece[m + 1] = l->first_piece[m];
        if (w->matrix[m].mapped || !l->homes->matrix[m]) continue;
        l->first_piece[m + 1] += (w->matrix[m].packed.n_panels + n - 1) / n;
    }
    return true;
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

static ingle_status no_memory(ingle_error *err)
{
    return ingle_fail(err, INGLE_ENOMEM, "no memory for reading tensors");
}

/* All matrices to panels. */
static ingle_status pack_all(loader *l, int n_threads, ingle_error *err)
{
    const ingle_weights *w = l->w;
    ingle_status st = INGLE_ENOMEM;
    l->first_piece = ingle_new(w->n_matrix + 1, sizeof *l->first_piece);
    l->panels = ingle_new(w->n_matrix, sizeof *l->panels);
    l->buffer = ingle_new((size_t)n_threads, sizeof *l->buffer);
    if (!l->first_piece || !l->panels || !l->buffer || !plan_pieces(l)) goto no_memory;
    if (!l->first_piece[w->n_matrix]) {
        st = INGLE_OK;
        goto done;
    }
    for (int i = 0; i < n_threads; i++)
        if (!(l->buffer[i] = malloc(l->buffer_bytes ? l->buffer_bytes : 1))) goto no_memory;
    if ((st = run_loader(l, n_threads, err))) goto done;
    for (size_t i = 0; l->forget && !w->map_experts && i < l->g->n_files;
         i++) /* what pieces shared */
        ingle_file_forget(&l->g->files[i], 0, l->g->files[i].size);
    goto done;
no_memory:
    no_memory(err);
done:
    for (int i = 0; l->buffer && i < n_threads; i++) free(l->buffer[i]);
    free(l->buffer);
    free(l->panels);
    free(l->first_piece);
    return st;
}

ingle_status ingle_weights_load(const ingle_weights *w, const ingle_gguf *g,
                                const ingle_homes_of *homes, const ingle_sink *sinks,
                                size_t n_sinks, bool forget, int n_threads,
                                bool (*progress)(void *user, double share), void *user,
                                ingle_error *err)
{
    loader l = {.w = w,
                .g = g,
                .homes = homes,
                .sinks = sinks,
                .n_sinks = n_sinks,
                .forget = forget,
                .progress = w->in_place ? NULL : progress,
                .user = user,
                .reported = ATOMIC_FLAG_INIT};
    ingle_status st = INGLE_OK;
    for (uint32_t i = 0; !st && i < w->n_vector; i++) st = load_vector(&l, i, err);
    return st ? st : pack_all(&l, w->in_place ? 1 : n_threads, err);
}
