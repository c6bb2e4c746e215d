/* A model in place: its matrices are rows of the mapped file, and every bit of its logits is that of
 * the model packed into memory. */
#define _GNU_SOURCE
#include "model_build.h"
#include "wrap_alloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "blocks.h"
#include "must.h"

enum { N_TOKENS = 37, N_ROWS = 35 }; /* three parts: 1, 3, 33 tokens; a last panel of 3 rows */

typedef struct setup {
    ingle_isa isa;
    bool in_place;
    int32_t n_batch, n_threads;
} setup;

static ingle_status open_model(ingle_model **m, const char *path, const setup *s, ingle_error *err)
{
    ingle_model_options mo;
    ingle_model_options_init(&mo);
    assert_false(mo.in_place);
    mo.isa = s->isa;
    mo.in_place = s->in_place;
    mo.n_threads = s->n_threads;
    return ingle_model_open(m, path, &mo, err);
}

/* Logits of all tokens, [N_TOKENS][n_rows], evaluated 1, 3 and 33 at a time. */
static void run(ingle_model *m, const setup *s, uint32_t n_rows, float *out)
{
    static const size_t parts[] = {1, 3, 33};
    ingle_engine_options eo;
    ingle_engine *engine;
    ingle_session *session;
    ingle_error err;
    int32_t tokens[N_TOKENS];
    for (uint32_t i = 0; i < N_TOKENS; i++) tokens[i] = (int32_t)(i * 11 % n_rows);
    ingle_engine_options_init(&eo);
    eo.n_batch = s->n_batch;
    eo.n_threads = s->n_threads;
    must(ingle_engine_open(&engine, m, &eo, &err), &err);
    must(ingle_session_open(&session, engine, &err), &err);
    for (size_t p = 0, at = 0; p < 3; at += parts[p++]) {
        must(ingle_session_eval(session, tokens + at, parts[p], INGLE_ROWS_ALL, &err), &err);
        for (size_t i = 0; i < parts[p]; i++) {
            const float *row;
            must(ingle_session_logits(session, i, &row, &err), &err);
            memcpy(out + (at + i) * n_rows, row, n_rows * sizeof *out);
        }
    }
    ingle_session_close(&session);
    ingle_engine_close(&engine);
}

static void open_and_run(const char *path, const setup *s, uint32_t n_rows, float *out)
{
    ingle_model *m;
    ingle_error err;
    must(open_model(&m, path, s, &err), &err);
    run(m, s, n_rows, out);
    ingle_model_close(&m);
}

static void check_bits(const char *path, const char *what, uint32_t n_rows)
{
    static const int32_t batches[] = {64, 8};
    size_t n = (size_t)N_TOKENS * n_rows;
    float *want = malloc(n * sizeof *want), *got = malloc(n * sizeof *got);
    assert_true(want && got);
    for (ingle_isa isa = INGLE_ISA_REF; isa <= INGLE_ISA_I8MM; isa++) {
        if (!ingle_isa_runs_here(isa)) continue;
        open_and_run(path, &(setup){isa, false, 64, 1}, n_rows, want);
        for (size_t i = 0; i < n; i++) /* rows without a token are -inf */
            assert_int_equal(isfinite(want[i]) != 0, i % n_rows < MB_VOCAB);
        for (int32_t i = 0; i < 4; i++) {
            setup s = {isa, true, batches[i / 2], 1 + i % 2};
            memset(got, 0, n * sizeof *got);
            open_and_run(path, &s, n_rows, got);
            if (memcmp(want, got, n * sizeof *got) != 0)
                fail_msg("%s, %s, batch %d, %d threads: other bits in place", what,
                         ingle_isa_name(isa), s.n_batch, s.n_threads);
        }
    }
    free(want);
    free(got);
}

static void check_spec(const mb_spec *s)
{
    char path[32];
    mb_model b;
    mb_build(&b, s);
    int fd = gb_file(b.p, b.n, path);
    check_bits(path, ingle_type_name(s->type), s->n_rows);
    close(fd);
    free(b.p);
}

static void every_type(void **state)
{
    (void)state;
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type)) {
        const ingle_type_info *t = ingle_type_get(type);
        uint32_t n = t->act == INGLE_ACT_Q256  ? 512u
                     : t->act == INGLE_ACT_Q32 ? 3u * t->block_elems
                                               : 80u;
        mb_spec s = {.type = (ingle_type)type, .n_embd = n, .fill = -1, .n_rows = N_ROWS};
        check_spec(&s);
        s.bend = (mb_bend){.act = MB_DROP, .name = "output.weight"}; /* the head is the embedding */
        s.n_embd = t->block_elems < 32 ? 16 : t->block_elems;
        check_spec(&s);
    }
}

/* ---- the file ---- */

static const mb_spec plain = {.type = INGLE_TYPE_Q4_K, .n_embd = 256, .fill = -1, .n_rows = N_ROWS};

/* The model lives on when its file has lost its name and descriptor and another one took the name;
 * every owner keeps the mapping. */
static void the_file_stays(void **state)
{
    (void)state;
    char folder[] = "/tmp/ingle-in-place-XXXXXX", path[64];
    float *want = malloc(N_TOKENS * N_ROWS * sizeof *want),
          *got = malloc(N_TOKENS * N_ROWS * sizeof *got);
    setup s = {INGLE_ISA_AUTO, true, 64, 2};
    ingle_model *m, *other;
    ingle_error err;
    mb_model b;
    mb_build(&b, &plain);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/model.gguf", folder);
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
        assert_int_equal(fclose(f), 0);
        if (i) break;
        open_and_run(path, &(setup){INGLE_ISA_AUTO, false, 64, 1}, N_ROWS, want);
        must(open_model(&m, path, &s, &err), &err);
        assert_int_equal(unlink(path), 0);
        memset(b.p + b.n_head, 0, b.n - b.n_head);
    }
    other = ingle_model_retain(m);
    ingle_model_close(&m);
    run(other, &s, N_ROWS, got);
    assert_memory_equal(want, got, N_TOKENS * N_ROWS * sizeof *want);
    ingle_model_close(&other);
    unlink(path);
    rmdir(folder);
    free(b.p), free(want), free(got);
}

/* Tensors [from, to) of the model as part `no` of two; the keys are in the first. */
static void write_part(const char *folder, uint32_t no, size_t from, size_t to, const mb_model *m,
                       const mb_tensor *t)
{
    static mb_writer w;
    char path[96];
    w = (mb_writer){.spec = &plain};
    gb_header(&w.b, 3, to - from, 0);
    if (no == 0) mb_keys(&w);
    gb_kv_int(&w.b, "split.no", INGLE_GGUF_U16, no, 2);
    gb_kv_int(&w.b, "split.count", INGLE_GGUF_U16, 2, 2);
    gb_kv_int(&w.b, "split.tensors.count", INGLE_GGUF_I32, MB_TENSORS, 4);
    w.n_kv += 3;
    memcpy(w.b.p + 16, &w.n_kv, 8);
    for (size_t i = from; i < to; i++)
        gb_tensor(&w.b, t[i].name, t[i].n_dims, t[i].dims,
                  t[i].vector ? INGLE_TYPE_F32 : (uint32_t)plain.type,
                  t[i].offset - t[from].offset);
    gb_pad(&w.b, 32);
    size_t data = m->n_head + t[from].offset,
           n = (to < MB_TENSORS ? m->n_head + t[to].offset : m->n) - data;
    snprintf(path, sizeof path, "%s/m-%05u-of-00002.gguf", folder, no + 1);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(w.b.p, 1, w.b.n, f), w.b.n);
    assert_int_equal(fwrite(m->p + data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void several_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/ingle-in-place-XXXXXX", path[96], whole[32];
    size_t n = N_TOKENS * N_ROWS * sizeof(float);
    float *want = malloc(n), *got = malloc(n);
    mb_tensor t[MB_TENSORS + 1];
    mb_model b;
    mb_build(&b, &plain);
    mb_tensors(t, plain.n_embd, plain.n_rows);
    uint64_t at = 0;
    for (size_t i = 0; i < MB_TENSORS; i++) { /* as mb_build() laid them out */
        uint64_t elems = t[i].dims[0] * t[i].dims[1];
        t[i].offset = at;
        at += ((t[i].vector ? elems * 4 : elems / 256 * 144) + 31) / 32 * 32;
    }
    assert_int_equal(b.n_head + at, b.n);
    assert_non_null(mkdtemp(folder));
    write_part(folder, 0, 0, 5, &b, t);
    write_part(folder, 1, 5, MB_TENSORS, &b, t);
    int fd = gb_file(b.p, b.n, whole);
    snprintf(path, sizeof path, "%s/m-00001-of-00002.gguf", folder);
    open_and_run(whole, &(setup){INGLE_ISA_AUTO, false, 64, 1}, N_ROWS, want);
    open_and_run(path, &(setup){INGLE_ISA_AUTO, true, 64, 2}, N_ROWS, got);
    assert_memory_equal(want, got, n);
    unlink(path);
    snprintf(path, sizeof path, "%s/m-00002-of-00002.gguf", folder);
    unlink(path);
    rmdir(folder);
    close(fd);
    free(b.p), free(want), free(got);
}

/* ---- memory ---- */

static void told(const char *path, bool in_place, ingle_parts parts, ingle_memory *mem)
{
    ingle_model_options mo;
    ingle_model *m;
    ingle_error err;
    ingle_model_options_init(&mo);
    mo.in_place = in_place;
    mo.parts = parts;
    must(ingle_model_open(&m, path, &mo, &err), &err);
    must(ingle_model_memory(m, NULL, mem, &err), &err);
    ingle_model_close(&m);
}

/* What is told is what is mapped, and the weights are not held besides. */
static void memory_is_told(void **state)
{
    (void)state;
    char path[32];
    ingle_memory packed = {.size = sizeof packed}, mem = {.size = sizeof mem},
                 again = {.size = sizeof again};
    ingle_model *m;
    ingle_error err;
    mb_model b;
    mb_build(&b, &plain);
    int fd = gb_file(b.p, b.n, path);
    told(path, false, INGLE_PARTS_PLAN, &packed);
    told(path, true, INGLE_PARTS_PLAN, &mem);
    told(path, true, INGLE_PARTS_ALL, &again);
    assert_memory_equal(&mem, &again, sizeof mem);
    assert_int_equal(packed.mapped, 0);
    assert_true(packed.weights > b.n - b.n_head - 4 * 256 * 4);
    assert_int_equal(mem.weights, 4096); /* three norms of 256 */
    assert_true(mem.mapped >= b.n - b.n_head - 4 * 256 * 4 && mem.mapped < b.n + 65536 + 4096);
    assert_true(mem.scratch > packed.scratch); /* the panels in work */
    assert_int_equal(mem.kv, packed.kv);
    assert_int_equal(mem.vocab, packed.vocab);
    assert_int_equal(mem.total, mem.weights + mem.vocab + mem.kv + mem.scratch);

    wrap_alloc_begin(0);
    must(open_model(&m, path, &(setup){INGLE_ISA_AUTO, true, 64, 2}, &err), &err);
    size_t mapped = (wrap_alloc_mapped() + 4095) / 4096 * 4096;
    assert_int_equal(mapped, mem.weights + mem.mapped);
    ingle_model_close(&m);
    assert_int_equal(wrap_alloc_mapped(), 0);
    wrap_alloc_end();
    close(fd);
    free(b.p);
}

/* A file that ends before its tensors do is refused when it is opened, not found out by a fault. */
static void short_files_are_refused(void **state)
{
    (void)state;
    mb_model b;
    mb_build(&b, &plain);
    for (size_t cut = 32; /* what pads the last one may be missing */
         cut < b.n - b.n_head; cut += 4099) {
        char path[32];
        ingle_model *m;
        ingle_error err;
        int fd = gb_file(b.p, b.n - cut, path);
        assert_int_equal(open_model(&m, path, &(setup){INGLE_ISA_AUTO, true, 64, 1}, &err),
                         INGLE_EFORMAT);
        assert_null(m);
        close(fd);
    }
    free(b.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(the_file_stays),
        cmocka_unit_test(several_files),
        cmocka_unit_test(memory_is_told),
        cmocka_unit_test(short_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
