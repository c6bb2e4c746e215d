/* A plan may be cut anywhere between homes: two CPU homes, each with weights, states and
 * activations of its own and the second with other page numbers, give the bits of one, at every
 * legal cut. */
#define _GNU_SOURCE
#include "exact/exact.h"

#include "backend/backend.h"

#include <string.h>

enum { N_TOKENS = 44, N_CTX = 128, N_BATCH = 24, N_MORE = 3 };

/* ---- a CPU with other page numbers ---- */

static size_t n_pages[INGLE_GROUPS]; /* of the engine that runs */

static uint32_t other(ingle_group group, uint32_t page)
{
    return page == INGLE_NO_PAGE ? page : (uint32_t)n_pages[group] - 1 - page;
}

static ingle_status open_other(ingle_backend **out, const ingle_placement *p, size_t home,
                               const ingle_backend_options *opt, ingle_error *err)
{
    memcpy(n_pages, opt->n_pages, sizeof n_pages);
    return ingle_backend_cpu.open(out, p, home, opt, err);
}

static ingle_status begin_other(ingle_backend *b, const ingle_batch *batch, ingle_error *err)
{
    static uint32_t ids[64 * 1024];
    static ingle_table_change changes[64];
    ingle_batch own = *batch;
    size_t n = 0;
    assert_true(batch->n_changes <= 64);
    for (size_t i = 0; i < batch->n_changes; i++) {
        changes[i] = batch->changes[i];
        changes[i].pages = ids + n;
        for (uint32_t k = 0; k < changes[i].n; k++)
            ids[n++] = other(changes[i].group, batch->changes[i].pages[k]);
    }
    for (int g = 0; g < INGLE_GROUPS; g++) {
        own.clear[g].pages = ids + n;
        for (size_t k = 0; k < own.clear[g].n; k++)
            ids[n++] = other((ingle_group)g, batch->clear[g].pages[k]);
    }
    own.changes = changes;
    /* The batch itself has to last until end(): only what begin() reads at once is of here. */
    ingle_status st = ingle_backend_cpu.begin(b, &own, err);
    b->batch = batch;
    return st;
}

static ingle_backend_ops other_cpu(void)
{
    ingle_backend_ops ops = ingle_backend_cpu;
    ops.open = open_other;
    ops.begin = begin_other;
    return ops;
}

/* ---- what a model gives ---- */

typedef struct outcome {
    float *rows;
    size_t n;
} outcome;

static void keep(outcome *o, const float *row, size_t n)
{
    o->rows = realloc(o->rows, (o->n + n) * sizeof *row);
    memcpy(o->rows + o->n, row, n * sizeof *row);
    o->n += n;
}

static void keep_logits(outcome *o, ingle_session *s, size_t n_rows, size_t n_vocab)
{
    ingle_error err;
    const float *row;
    for (size_t i = 0; i < n_rows; i++) {
        must(ingle_session_logits(s, i, &row, &err), &err);
        keep(o, row, n_vocab);
    }
}

/* Prompts of two sessions in pieces, single tokens of both at once, a cut back, embeddings. */
static outcome run_model(ingle_model *m)
{
    ingle_error err;
    ingle_engine *e;
    ingle_session *s[2];
    ingle_engine_options eo;
    ingle_model_info info = {.size = sizeof info};
    int32_t tokens[N_TOKENS + N_MORE];
    outcome o = {0};
    must(ingle_model_info_get(m, &info, &err), &err);
    ingle_engine_options_init(&eo);
    eo.n_ctx = info.n_ctx_train < N_CTX ? info.n_ctx_train : N_CTX;
    eo.n_sessions = 2, eo.n_batch = info.causal ? N_BATCH : N_CTX, eo.n_threads = 2;
    must(ingle_engine_open(&e, m, &eo, &err), &err);
    size_t n_vocab = (size_t)info.n_vocab, n = N_TOKENS;
    if (n + N_MORE + 2 > (size_t)eo.n_ctx) n = (size_t)eo.n_ctx - N_MORE - 2;
    fill(tokens, n + N_MORE, n_vocab, 7);
    for (int i = 0; i < 2; i++) must(ingle_session_open(&s[i], e, &err), &err);
    if (info.logits) {
        ingle_eval evals[2] = {{.session = s[0], .tokens = tokens, .n = n, .rows = INGLE_ROWS_ALL},
                               {.session = s[1], .tokens = tokens + 3, .n = n / 2}};
        must(ingle_sessions_eval(evals, 2, &err), &err);
        keep_logits(&o, s[0], n, n_vocab);
        for (size_t k = 0; k < N_MORE; k++) {
            for (int i = 0; i < 2; i++)
                evals[i] = (ingle_eval){.session = s[i], .tokens = tokens + n + k, .n = 1};
            must(ingle_sessions_eval(evals, 2, &err), &err);
            for (int i = 0; i < 2; i++) keep_logits(&o, s[i], 1, n_vocab);
        }
        must(ingle_session_truncate(s[0], n - 5, &err), &err);
        must(ingle_session_eval(s[0], tokens, 2, INGLE_ROWS_LAST, &err), &err);
        keep_logits(&o, s[0], 1, n_vocab);
        for (int i = 0; i < 2; i++) must(ingle_session_truncate(s[i], 0, &err), &err);
    }
    ingle_text texts[2] = {{.session = s[0], .tokens = tokens, .n = n},
                           {.session = s[1], .tokens = tokens + 1, .n = n / 3}};
    must(ingle_sessions_embed(texts, 2, NULL, &err), &err);
    for (int i = 0; i < 2; i++) {
        const float *v;
        size_t width;
        must(ingle_session_embedding(s[i], 0, &v, &width, &err), &err);
        keep(&o, v, width);
        ingle_session_close(&s[i]);
    }
    ingle_engine_close(&e);
    for (size_t i = 0; i < o.n; i += n_vocab) assert_true(o.rows[i] != 0); /* something was made */
    return o;
}

/* ---- cuts ---- */

/* What homes take adds up to what the engine takes, less what belongs to no home. */
static void check_memory(const ingle_model *m)
{
    ingle_error err;
    ingle_memory mem = {.size = sizeof mem};
    ingle_home_memory home = {.size = sizeof home}, sum = {0};
    must(ingle_model_memory(m, NULL, &mem, &err), &err);
    for (size_t h = 0; h < m->placement.n_homes; h++) {
        must(ingle_model_home_memory(m, NULL, h, &home, &err), &err);
        assert_string_equal(home.name, m->placement.home[h].name);
        assert_int_equal(home.total, home.weights + home.kv + home.state + home.scratch);
        sum.weights += home.weights, sum.kv += home.kv, sum.state += home.state;
        sum.scratch += home.scratch;
    }
    assert_int_equal(sum.weights, mem.weights);
    assert_int_equal(sum.kv, mem.kv);
    assert_int_equal(sum.state, mem.state);
    assert_true(sum.scratch < mem.scratch);
    assert_int_equal(ingle_model_home_memory(m, NULL, m->placement.n_homes, &home, &err),
                     INGLE_ENOTFOUND);
}

static void run_cut(ingle_model *m, const ingle_border *borders, size_t n_borders,
                    const outcome *whole)
{
    const ingle_backend_ops second = other_cpu();
    const ingle_home homes[2] = {{.name = "one", .free = UINT64_MAX},
                                 {.name = "two", .free = UINT64_MAX, .backend = &second}};
    ingle_placement before = m->placement;
    ingle_error err;
    must(ingle_place(&m->placement, &m->program, homes, 2, borders, n_borders, m->gguf->n_files,
                     &err),
         &err);
    must(ingle_placement_load(&m->placement, m->gguf, 2, NULL, NULL, &err), &err);
    check_memory(m);
    outcome cut = run_model(m);
    assert_int_equal(cut.n, whole->n);
    if (memcmp(cut.rows, whole->rows, cut.n * sizeof(float)))
        fail_msg("%s: cut at %zu, other bits", m->family->name, borders[1].at);
    free(cut.rows);
    ingle_placement_free(&m->placement);
    m->placement = before;
}

static void every_cut(const char *name, bool fuse)
{
    golden g;
    ingle_error err;
    ingle_model *m;
    ingle_model_options mo;
    if (!golden_open(&g, "models", name)) return;
    ingle_model_options_init(&mo);
    mo.fuse = fuse;
    must(ingle_model_open(&m, g.model, &mo, &err), &err);
    outcome whole = run_model(m);
    const ingle_plan *plan = &m->program.plan;
    size_t n_cuts = 0, last = 0;
    for (size_t i = 1; i < plan->n_instr; i += GOLDEN_STEP) {
        if (!ingle_place_can_cut(plan, i)) continue;
        run_cut(m, (ingle_border[]){{0, 0}, {i, 1}}, 2, &whole);
        if (last && n_cuts % 8 == 0) /* there and back again */
            run_cut(m, (ingle_border[]){{0, 0}, {last, 1}, {i, 0}}, 3, &whole);
        last = i;
        n_cuts++;
    }
    print_message("%-20s %zu cuts of %zu instructions, %s\n", name, n_cuts, plan->n_instr,
                  fuse ? "fused" : "plain");
    assert_true(n_cuts > plan->n_instr / (4 * GOLDEN_STEP));
    free(whole.rows);
    ingle_model_close(&m);
    golden_close(&g);
}

static void test_every_cut(void **state)
{
    static const char *const names[] = {"llama-Q4_K", "deepseek2", "gpt-oss", "bert-cls",
                                        "qwen3next",  "lfm2moe",   "mamba2",  "granitehybrid"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) every_cut(names[i], true);
    every_cut("llama-Q4_K", false);
}

/* ---- placement alone, with homes that nothing runs on ---- */

static void test_place_refuses(void **state)
{
    static const ingle_home homes[2] = {{.name = "a", .free = UINT64_MAX},
                                        {.name = "b", .free = 9}};
    golden g;
    ingle_error err;
    ingle_model *m;
    ingle_placement p;
    ingle_model_options mo;
    (void)state;
    assert_true(golden_open(&g, "models", "gpt-oss"));
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_PLAN;
    must(ingle_model_open(&m, g.model, &mo, &err), &err);
    const ingle_plan *plan = &m->program.plan;
    size_t store = 0, n = plan->n_instr;
    while (plan->instr[store].op != INGLE_OP_STORE) store++;
    const struct {
        ingle_border at[3];
        size_t n, n_homes;
        ingle_status st;
        const char *text;
    } cases[] = {
        {{{0, 0}, {n, 1}}, 2, 2, INGLE_EINVAL, "border 1 is at"},
        {{{1, 0}, {4, 1}}, 2, 2, INGLE_EINVAL, "border 0 is at instruction 1"},
        {{{0, 0}, {4, 1}, {4, 0}}, 3, 2, INGLE_EINVAL, "border 2 is at instruction 4"},
        {{{0, 0}, {4, 2}}, 2, 2, INGLE_EINVAL, "border 1 names home 2 of 2"},
        {{{0, 0}}, 0, 2, INGLE_EINVAL, "at least one stretch"},
        {{{0, 0}}, 1, 9, INGLE_EINVAL, "9 homes, should be 1 to 8"},
        {{{0, 0}, {store + 1, 1}}, 2, 2, INGLE_EUNSUPPORTED, "cache 0 is on 2 homes"},
        {{{0, 0}, {n - 1, 1}}, 2, 2, INGLE_OK, NULL},
        {{{0, 1}}, 1, 2, INGLE_ENOMEM, "home 'b' has 9 bytes, its weights take "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ingle_status st = ingle_place(&p, &m->program, homes, cases[i].n_homes, cases[i].at,
                                      cases[i].n, m->gguf->n_files, &err);
        ingle_placement_free(&p);
        assert_int_equal(st, cases[i].st);
        if (st) assert_non_null(strstr(err.text, cases[i].text));
    }
    assert_false(ingle_place_can_cut(plan, store + 1));
    assert_true(ingle_place_can_cut(plan, store));
    ingle_model_close(&m);
    golden_close(&g);
}

/* How many values are used both before instruction i and from it on. */
static size_t n_crossing(const ingle_plan *plan, size_t i)
{
    size_t n = 0;
    for (size_t v = 0; v < plan->n_value; v++)
        n += plan->value[v].first < i && plan->value[v].last >= i;
    return n;
}

/* A value crosses exactly where it was written before and is used after. */
static void test_crossings(void **state)
{
    static const ingle_home homes[2] = {{.name = "a", .free = UINT64_MAX},
                                        {.name = "b", .free = UINT64_MAX}};
    golden g;
    ingle_error err;
    ingle_model *m;
    ingle_placement p;
    ingle_model_options mo;
    (void)state;
    assert_true(golden_open(&g, "models", "deepseek2"));
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_PLAN;
    must(ingle_model_open(&m, g.model, &mo, &err), &err);
    const ingle_plan *plan = &m->program.plan;
    for (size_t i = 1; i < plan->n_instr; i++) {
        size_t n = n_crossing(plan, i);
        if (!ingle_place_can_cut(plan, i)) continue;
        must(ingle_place(&p, &m->program, homes, 2, (ingle_border[]){{0, 0}, {i, 1}}, 2,
                         m->gguf->n_files, &err),
             &err);
        assert_int_equal(p.stretch[0].n_in, 0);
        assert_int_equal(p.stretch[0].n_out, n);
        assert_int_equal(p.stretch[1].n_in, n);
        assert_int_equal(p.stretch[1].n_out, 0);
        for (size_t k = 0; k < p.program->weights.n_matrix; k++) /* all are somewhere */
            assert_true(p.has.matrix[k] != 0);
        ingle_placement_free(&p);
    }
    ingle_model_close(&m);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_place_refuses),
        cmocka_unit_test(test_crossings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
