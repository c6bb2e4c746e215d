/* test_sinks.c - weights stream into what a home gives for them: every byte once, packed as a store has
 * them; a home that fails, or that has no room, ends loading. */
#define _GNU_SOURCE
#include "golden/run.h"

#include "model/model.h"

#include <stdatomic.h>
#include <string.h>

/* A home that keeps its pieces in staging memory of each thread until keep() copies them, as a device
 * does. */
typedef struct device {
    const ingle_weights *w;
    uint8_t **matrix;       /* [n_matrix] */
    atomic_size_t *written; /* [n_matrix] bytes */
    float **vector;         /* [n_vector] */
    uint8_t *staging[16];   /* by thread */
    size_t cap[16];
    atomic_size_t n_keeps;
    size_t fails_at; /* keep() of this number fails; 0: none does */
    bool no_vectors; /* vector() fails */
} device;

static uint8_t *room(void *self, int thread, uint32_t matrix, size_t at, size_t bytes)
{
    device *d = self;
    assert_true(thread >= 0 && thread < 16);
    assert_true(at + bytes <= ingle_packed_bytes(&d->w->matrix[matrix].packed));
    if (bytes > d->cap[thread]) {
        free(d->staging[thread]);
        d->staging[thread] = malloc(bytes);
        d->cap[thread] = bytes;
    }
    memset(d->staging[thread], 0xee, bytes);
    return d->staging[thread];
}

static ingle_status keep(void *self, int thread, uint32_t matrix, size_t at, size_t bytes,
                         ingle_error *err)
{
    device *d = self;
    if (atomic_fetch_add(&d->n_keeps, 1) + 1 == d->fails_at)
        return ingle_fail(err, INGLE_EDEVICE, "the device is gone");
    memcpy(d->matrix[matrix] + at, d->staging[thread], bytes);
    atomic_fetch_add(&d->written[matrix], bytes);
    return INGLE_OK;
}

static ingle_status vector(void *self, uint32_t vector, const float *data, size_t n,
                           ingle_error *err)
{
    device *d = self;
    if (d->no_vectors) return ingle_fail(err, INGLE_EDEVICE, "no vectors there");
    assert_int_equal(n, d->w->vector[vector].n);
    assert_null(d->vector[vector]); /* each comes once */
    d->vector[vector] = malloc(n * sizeof *data);
    memcpy(d->vector[vector], data, n * sizeof *data);
    return INGLE_OK;
}

static void device_open(device *d, const ingle_weights *w)
{
    memset(d, 0, sizeof *d);
    d->w = w;
    d->matrix = calloc(w->n_matrix, sizeof(uint8_t *));
    d->written = calloc(w->n_matrix, sizeof *d->written);
    d->vector = calloc(w->n_vector, sizeof(float *));
    for (size_t i = 0; i < w->n_matrix; i++)
        d->matrix[i] = calloc(1, ingle_packed_bytes(&w->matrix[i].packed));
}

static void device_close(device *d)
{
    for (size_t i = 0; i < d->w->n_matrix; i++) free(d->matrix[i]);
    for (size_t i = 0; i < d->w->n_vector; i++) free(d->vector[i]);
    for (size_t i = 0; i < 16; i++) free(d->staging[i]);
    free(d->matrix);
    free((void *)d->written);
    free(d->vector);
}

static ingle_model *open_plan(golden *g, const char *name)
{
    ingle_model *m;
    ingle_error err;
    ingle_model_options mo;
    assert_true(golden_open(g, "models", name));
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_PLAN;
    must(ingle_model_open(&m, g->model, &mo, &err), &err);
    return m;
}

/* Home 0 is this host, home 1 the device, which has what comes from instruction `at` on. */
static ingle_status load(ingle_placement *p, const ingle_model *m, size_t at, device *d,
                         ingle_error *err)
{
    const ingle_sink sink = {.self = d, .room = room, .keep = keep, .vector = vector};
    const ingle_home homes[2] = {{.name = "host", .free = UINT64_MAX},
                                 {.name = "device", .free = UINT64_MAX, .sink = &sink}};
    must(ingle_place(p, &m->program, homes, 2, (ingle_border[]){{0, 0}, {at, 1}}, 2,
                     m->gguf->n_files, err),
         err);
    return ingle_placement_load(p, m->gguf, 3, NULL, NULL, err);
}

static void test_every_byte_once(void **state)
{
    static const char *const names[] = {"llama-Q4_K", "gpt-oss", "deepseek2"};
    (void)state;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        static const ingle_home host = {.name = "host", .free = UINT64_MAX};
        golden g;
        ingle_error err;
        device d;
        ingle_placement all, cut;
        ingle_model *m = open_plan(&g, names[k]);
        const ingle_weights *w = &m->program.weights;
        size_t at = m->program.plan.n_instr / 2, n_shared = 0, n_moved = 0;
        while (!ingle_place_can_cut(&m->program.plan, at)) at++;
        must(ingle_place(&all, &m->program, &host, 1, &(ingle_border){0, 0}, 1, m->gguf->n_files,
                         &err),
             &err);
        must(ingle_placement_load(&all, m->gguf, 2, NULL, NULL, &err), &err);
        device_open(&d, w);
        must(load(&cut, m, at, &d, &err), &err);
        for (size_t i = 0; i < w->n_matrix; i++) {
            size_t bytes = ingle_packed_bytes(&w->matrix[i].packed);
            bool here = cut.has.matrix[i] & 1, there = cut.has.matrix[i] & 2;
            assert_true(here || there);
            assert_int_equal(atomic_load(&d.written[i]), there ? bytes : 0);
            if (there) assert_memory_equal(d.matrix[i], all.store[0].matrix[i].data, bytes);
            if (here)
                assert_memory_equal(cut.store[0].matrix[i].data, all.store[0].matrix[i].data,
                                    bytes);
            else assert_null(cut.store[0].matrix[i].data);
            n_shared += here && there, n_moved += there;
        }
        for (size_t i = 0; i < w->n_vector; i++) {
            bool there = cut.has.vector[i] & 2;
            assert_int_equal(d.vector[i] != NULL, there);
            if (there)
                assert_memory_equal(d.vector[i], all.store[0].vector[i],
                                    w->vector[i].n * sizeof(float));
        }
        assert_true(n_moved > 2);
        assert_int_equal(n_shared > 0, m->program.plan.tied_head);
        ingle_placement_free(&all);
        ingle_placement_free(&cut);
        device_close(&d);
        ingle_model_close(&m);
        golden_close(&g);
    }
}

static void test_failures(void **state)
{
    golden g;
    ingle_error err;
    device d;
    ingle_placement p;
    ingle_model *m = open_plan(&g, "llama-Q4_K");
    (void)state;
    for (int vectors = 0; vectors < 2; vectors++) {
        device_open(&d, &m->program.weights);
        d.fails_at = 2, d.no_vectors = vectors;
        assert_int_equal(load(&p, m, 4, &d, &err), INGLE_EDEVICE);
        assert_string_equal(err.text, vectors ? "no vectors there" : "the device is gone");
        ingle_placement_free(&p);
        device_close(&d);
    }
    ingle_model_close(&m);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_once),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
