/* test_backend_pages.c - pages and states of a backend from outside: their bytes are the same on
 * every home and go from one to another, keys are rotated on, a state is left where it was. */
#define _GNU_SOURCE
#include "backend_rig.h"

#include <math.h>
#include <unistd.h>

#include "encoder_build.h"

enum { N_BEGUN = 45, N_MORE = 6, N_ALL = N_BEGUN + N_MORE };

static const char *const families[] = {"llama-Q4_K", "gpt-oss",      "deepseek2", "gemma4-e",
                                       "qwen35",     "mamba2",       "lfm2moe",   "qwen3next",
                                       "gemma3n",    "granitehybrid"};
enum { N_FAMILIES = sizeof families / sizeof *families };

/* What a backend holds of a sequence. */
typedef struct held {
    uint8_t *pages[INGLE_GROUPS], *state;
    size_t bytes[INGLE_GROUPS], state_bytes;
} held;

static held hold(rig *r, const seq *s)
{
    held h = {.state = rig_state(r, s->state), .state_bytes = r->ops->state_bytes(r->b)};
    for (int g = 0; g < INGLE_GROUPS; g++) h.pages[g] = rig_pages(r, s, g, &h.bytes[g]);
    return h;
}

static void release(held *h)
{
    for (int g = 0; g < INGLE_GROUPS; g++) free(h->pages[g]);
    free(h->state);
}

static void give(rig *r, const seq *s, const held *h)
{
    ingle_error err;
    for (int g = 0; g < INGLE_GROUPS; g++) rig_put_pages(r, s, g, h->pages[g]);
    must(r->ops->write_state(r->b, s->state, h->state, &err), &err);
}

static void same_held(const char *name, const char *what, const held *a, const held *b)
{
    assert_int_equal(a->state_bytes, b->state_bytes);
    if (memcmp(a->state, b->state, a->state_bytes)) fail_msg("%s: %s: other states", name, what);
    for (int g = 0; g < INGLE_GROUPS; g++) {
        assert_int_equal(a->bytes[g], b->bytes[g]);
        if (memcmp(a->pages[g], b->pages[g], a->bytes[g]))
            fail_msg("%s: %s: other pages of group %d", name, what, g);
    }
}

static float *rows_of(rig *r, seq *s, const int32_t *tokens)
{
    float *rows = malloc(N_MORE * r->width * sizeof *rows);
    assert_non_null(rows);
    rig_run(r, s, tokens, N_MORE, rows);
    all_finite(rows, N_MORE * r->width);
    return rows;
}

/* ---- bytes that travel ---- */

/* `from` has computed the sequence; `to` gets its bytes, on other pages, and both go on. */
static void hand_over(const char *name, const char *what, rig *from, rig *to)
{
    int32_t tokens[N_ALL];
    seq a, b;
    size_t width = from->width;
    fill(tokens, N_ALL, from->model->program.plan.n_tokens, 9);
    seq_init(&a, 0, 2);
    seq_init(&b, 3, 5);
    rig_run(from, &a, tokens, N_BEGUN, NULL);
    held h = hold(from, &a);
    b.n = a.n;
    give(to, &b, &h);
    held again = hold(to, &b);
    same_held(name, what, &h, &again);
    float *want = rows_of(from, &a, tokens + N_BEGUN), *got = rows_of(to, &b, tokens + N_BEGUN);
    if (memcmp(want, got, N_MORE * width * sizeof *want))
        fail_msg("%s: %s: other bits", name, what);
    release(&h);
    release(&again);
    free(want);
    free(got);
}

static void test_travel(void **state)
{
    static const ingle_type types[] = {INGLE_TYPE_F32, INGLE_TYPE_F16, INGLE_TYPE_BF16,
                                       INGLE_TYPE_Q8_0};
    ingle_model *m;
    rig a, b;
    (void)state;
    for (size_t i = 0; i < N_FAMILIES; i++) {
        if (!rig_model(&m, families[i])) continue;
        for (size_t k = 0; k < 4; k++) {
            rig_open(&a, m, &m->placement, types[k], RIG_CTX);
            rig_open(&b, m, &m->placement, types[k], RIG_CTX);
            hand_over(families[i], "another backend", &a, &b);
            rig_close(&a);
            rig_close(&b);
        }
        ingle_model_close(&m);
    }
}

/* ---- two homes ---- */

/* The same sequence on both, to their last byte; then shifted, and copied. */
static void compare_homes(const char *name, rig *one, rig *two)
{
    int32_t tokens[N_ALL];
    seq a, b, c;
    ingle_error err;
    fill(tokens, N_ALL, one->model->program.plan.n_tokens, 9);
    seq_init(&a, 1, 1);
    seq_init(&b, 2, 3);
    rig_run(one, &a, tokens, N_BEGUN, NULL);
    rig_run(two, &b, tokens, N_BEGUN, NULL);
    held ha = hold(one, &a), hb = hold(two, &b);
    same_held(name, "two homes", &ha, &hb);
    release(&ha);
    release(&hb);
    seq_init(&c, 3, 6);
    c.n = b.n;
    c.state = b.state;
    for (int g = 0; g < INGLE_GROUPS; g++) {
        size_t n = (N_BEGUN + INGLE_PAGE - 1) / INGLE_PAGE;
        if (!one->ops->page_bytes(one->b, (ingle_group)g)) continue;
        must(one->ops->shift_pages(one->b, (ingle_group)g, a.page[g], n, 7, &err), &err);
        must(two->ops->shift_pages(two->b, (ingle_group)g, b.page[g], n, 7, &err), &err);
        must(two->ops->copy_pages(two->b, (ingle_group)g, c.page[g], b.page[g], n, &err), &err);
    }
    ha = hold(one, &a), hb = hold(two, &c);
    same_held(name, "shifted", &ha, &hb);
    release(&ha);
    release(&hb);
}

static void with_homes(const char *name, ingle_model *m, const ingle_border *borders, size_t n)
{
    static const ingle_home homes[2] = {{.name = "one", .free = UINT64_MAX},
                                        {.name = "two", .free = UINT64_MAX}};
    ingle_error err;
    ingle_placement p;
    rig one, two;
    must(ingle_place(&p, &m->program, homes, 2, borders, n, m->gguf->n_files, &err), &err);
    must(ingle_placement_load(&p, m->gguf, 2, NULL, NULL, &err), &err);
    rig_open(&one, m, &m->placement, INGLE_TYPE_F16, RIG_CTX);
    rig_open(&two, m, &p, INGLE_TYPE_F16, RIG_CTX);
    assert_ptr_equal(two.ops, &ingle_backend_mixed);
    compare_homes(name, &one, &two);
    hand_over(name, "from one home", &one, &two);
    hand_over(name, "to one home", &two, &one);
    rig_close(&one);
    rig_close(&two);
    ingle_placement_free(&p);
}

/* A third and two thirds through the places where it may be cut; the middle alone on the second
 * home. */
static void test_homes(void **state)
{
    ingle_model *m;
    (void)state;
    for (size_t i = 0; i < N_FAMILIES; i++) {
        size_t cuts[4096], n = 0;
        if (!rig_model(&m, families[i])) continue;
        const ingle_plan *plan = &m->program.plan;
        for (size_t k = 1; k < plan->n_instr && n < 4096; k++)
            if (ingle_place_can_cut(plan, k)) cuts[n++] = k;
        assert_true(n >= 3);
        size_t a = cuts[n / 3], b = cuts[2 * n / 3];
        with_homes(families[i], m, (ingle_border[]){{0, 0}, {a, 1}}, 2);
        with_homes(families[i], m, (ingle_border[]){{0, 0}, {b, 1}}, 2);
        with_homes(families[i], m, (ingle_border[]){{0, 0}, {a, 1}, {b, 0}}, 3);
        ingle_model_close(&m);
    }
}

/* ---- keys rotated on ---- */

static float number_at(ingle_type type, const uint8_t *p, size_t i)
{
    if (type == INGLE_TYPE_F32) return ((const float *)(const void *)p)[i];
    if (type == INGLE_TYPE_F16) return ingle_f16_to_f32(((const uint16_t *)(const void *)p)[i]);
    return ingle_bf16_to_f32(((const uint16_t *)(const void *)p)[i]);
}

/* Element d of the key of position i in a slot: kern/page.h. */
static double key_at(const ingle_kv_shape *kv, const uint8_t *slot, size_t d, size_t i)
{
    size_t at = d * INGLE_PAGE + i;
    if (kv->type != INGLE_TYPE_Q8_0) return (double)number_at(kv->type, slot, at);
    float scale = number_at(INGLE_TYPE_F32, slot + kv->k_scale, d / 32 * INGLE_PAGE + i);
    return (double)((const int8_t *)slot)[at] * (double)scale;
}

/* A cache as tests see it: where its slots lie in a page of its group, what stores into it, and
 * which elements of its keys are rotated, none if from is to. */
typedef struct kept {
    ingle_kv_shape kv;
    int group;
    size_t at, n_heads, from, to;
    uint32_t layer;
} kept;

static kept cache_of(const ingle_plan *plan, uint32_t cache, ingle_type type)
{
    kept k = {.group = (int)ingle_cache_group(&plan->cache[cache])};
    for (uint32_t c = 0; c <= cache; c++) {
        const ingle_cache *one = &plan->cache[c];
        if ((int)ingle_cache_group(one) != k.group) continue;
        k.at += k.kv.bytes * k.n_heads;
        ingle_kv_shape_init(&k.kv, type, one->head_dim_k, one->head_dim_v);
        k.n_heads = one->n_head_kv;
    }
    const ingle_instr *store = plan->instr;
    while (store->op != INGLE_OP_STORE || store->store.cache != cache) store++;
    k.layer = store->layer;
    for (const ingle_instr *in = plan->instr; in < store; in++)
        if (in->op == INGLE_OP_ROPE && in->dst[0] == store->src[0]) {
            k.from = in->rope.at;
            k.to = k.from + plan->rope[in->rope.table].n_rot;
        }
    return k;
}

typedef struct keys {
    const rig *r;
    const uint8_t *pages; /* of a sequence, in the order of its table */
    size_t page_bytes;
} keys;

static const uint8_t *slot_at(const keys *k, const kept *c, size_t pos, size_t head)
{
    return k->pages + pos / INGLE_PAGE * k->page_bytes + c->at + head * c->kv.bytes;
}

/* Keys of positions pos_a + i and pos_b + i for n of them: rotated elements within `limit` of the
 * range of all, the others with the same bits. */
static void near_keys(const char *what, const kept *c, const keys *a, size_t pos_a, const keys *b,
                      size_t pos_b, size_t n, double limit)
{
    double range = 0, worst = 0;
    for (size_t h = 0; h < c->n_heads; h++)
        for (size_t i = 0; i < n; i++)
            for (size_t d = 0; d < c->kv.head_dim_k; d++) {
                size_t ia = (pos_a + i) % INGLE_PAGE, ib = (pos_b + i) % INGLE_PAGE;
                double x = key_at(&c->kv, slot_at(a, c, pos_a + i, h), d, ia);
                double y = key_at(&c->kv, slot_at(b, c, pos_b + i, h), d, ib);
                bool rotated = d >= c->from && d < c->to;
                if (!rotated && c->kv.type != INGLE_TYPE_Q8_0 && x != y)
                    fail_msg("%s: element %zu of a key is not rotated, and changed", what, d);
                if (fabs(x) > range) range = fabs(x);
                if (fabs(x - y) > worst) worst = fabs(x - y);
            }
    assert_true(range > 0);
    if (worst > limit * range) fail_msg("%s: keys are off by %g of %g", what, worst, range);
}

/* All but the keys of rotated caches has the same bytes. */
static void same_rest(const char *what, const rig *r, int group, const keys *a, const keys *b,
                      size_t n_pages, ingle_type type)
{
    const ingle_plan *plan = &r->model->program.plan;
    for (uint32_t i = 0; i < plan->n_cache; i++) {
        kept c = cache_of(plan, i, type);
        if (c.group != group) continue;
        for (size_t p = 0; p < n_pages; p++)
            for (size_t h = 0; h < c.n_heads; h++) {
                size_t first = c.from < c.to ? c.kv.v : 0;
                if (memcmp(slot_at(a, &c, p * INGLE_PAGE, h) + first,
                           slot_at(b, &c, p * INGLE_PAGE, h) + first, c.kv.bytes - first))
                    fail_msg("%s: %s of cache %u changed", what, first ? "values" : "keys", i);
            }
    }
}

/* Within what of the range keys agree that were rounded once and twice. */
static double limit_of(ingle_type type)
{
    return type == INGLE_TYPE_F32    ? 1e-5
           : type == INGLE_TYPE_F16  ? 1.0 / 1024
           : type == INGLE_TYPE_BF16 ? 1.0 / 128
                                     : 1.6 / 127;
}

/* A text at positions 0 .. and the same behind `by` others: either's keys, rotated, are the
 * other's, of the first layer. Pages of a third sequence stay as they are. */
static void shift(const char *name, rig *r, ingle_type type, size_t by)
{
    enum { N = 50 };
    const ingle_plan *plan = &r->model->program.plan;
    int32_t tokens[RIG_CTX];
    ingle_error err;
    seq s[3];
    kept c = cache_of(plan, 0, type);
    int g = c.group;
    char what[64];
    held before[3], after[3];
    fill(tokens, RIG_CTX, plan->n_tokens, 11);
    seq_init(&s[0], 0, 0);
    seq_init(&s[1], 1, 2);
    seq_init(&s[2], 2,
             7); /* its pages have the numbers that the first one's have in the other pool */
    rig_run(r, &s[0], tokens + 40, N, NULL);
    for (size_t at = 0; at < by; at += 32)
        rig_run(r, &s[1], tokens, by - at < 32 ? by - at : 32, NULL);
    rig_run(r, &s[1], tokens + 40, N, NULL);
    for (size_t at = 0; at < 120; at += 40) rig_run(r, &s[2], tokens + at, 40, NULL);
    for (int i = 0; i < 3; i++) before[i] = hold(r, &s[i]);
    for (int i = 0; i < 2; i++)
        must(r->ops->shift_pages(r->b, (ingle_group)g, s[i].page[g],
                                 (s[i].n + INGLE_PAGE - 1) / INGLE_PAGE,
                                 i ? -(int32_t)by : (int32_t)by, &err),
             &err);
    for (int i = 0; i < 3; i++) after[i] = hold(r, &s[i]);
    same_held(name, "pages that are not shifted", &before[2], &after[2]);
    for (int i = 0; i < 2; i++) {
        size_t bytes = r->ops->page_bytes(r->b, (ingle_group)g);
        keys was = {r, before[i].pages[g], bytes}, is = {r, after[i].pages[g], bytes};
        keys other = {r, before[1 - i].pages[g], bytes};
        snprintf(what, sizeof what, "%s, by %s%zu", name, i ? "-" : "", by);
        same_rest(what, r, g, &was, &is, before[i].bytes[g] / bytes, type);
        near_keys(what, &c, &is, i ? by : 0, &other, i ? 0 : by, N, limit_of(type));
        /* another group is another call */
        assert_memory_equal(before[i].pages[1 - g], after[i].pages[1 - g], before[i].bytes[1 - g]);
        bool moved = memcmp(before[i].pages[g], after[i].pages[g], before[i].bytes[g]) != 0;
        assert_int_equal(moved, c.from < c.to);
    }
    for (int i = 0; i < 3; i++) release(&before[i]), release(&after[i]);
}

static void shift_model(const char *name, const ingle_model *m, size_t n_ctx)
{
    static const ingle_type types[] = {INGLE_TYPE_F32, INGLE_TYPE_F16, INGLE_TYPE_BF16,
                                       INGLE_TYPE_Q8_0};
    rig r;
    for (size_t k = 0; k < 4; k++) {
        rig_open(&r, m, &m->placement, types[k], n_ctx);
        shift(name, &r, types[k], 7);
        if (k == 0) shift(name, &r, types[k], 32);
        if (k == 0) shift(name, &r, types[k], 61);
        rig_close(&r);
    }
}

static void test_shift(void **state)
{
    static const char *const names[] = {"llama-Q4_K", "llama3",  "qwen3",     "qwen3-yarn",
                                        "gpt-oss",    "mistral", "deepseek2", "gemma4-e",
                                        "phi2",       "phi3",    "glm4",      "stablelm",
                                        "gemma3n",    "smollm3", "command-r", "cohere2"};
    ingle_model *m;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!rig_model(&m, names[i])) continue;
        kept c = cache_of(&m->program.plan, 0, INGLE_TYPE_F32);
        assert_true(c.layer == 0 && c.from < c.to);
        shift_model(names[i], m, RIG_CTX);
        if (m->program.plan.rope[0].freq_long) shift_model(names[i], m, 1024);
        ingle_model_close(&m);
    }
}

/* Every cache of a model, whether its layers know positions or not: there and back is where it was,
 * and what is not rotated stays. */
static void shift_all(const char *name, const ingle_model *m, bool rotates)
{
    enum { N = 50, N_PAGES = (N + INGLE_PAGE - 1) / INGLE_PAGE };
    const ingle_plan *plan = &m->program.plan;
    int32_t tokens[N];
    ingle_error err;
    size_t n_rotated = 0;
    seq s, beside; /* whose pages have the same numbers in the other pool */
    rig r;
    rig_open(&r, m, &m->placement, INGLE_TYPE_F32, RIG_CTX);
    fill(tokens, N, plan->n_tokens, 12);
    seq_init(&s, 0, 3);
    seq_init(&beside, 1, 4);
    for (int i = 0; plan->window && i < 3; i++) rig_run(&r, &beside, tokens + i, 40, NULL);
    held others = hold(&r, &beside);
    rig_run(&r, &s, tokens, N, NULL);
    for (int g = 0; g < INGLE_GROUPS; g++) {
        size_t bytes = r.ops->page_bytes(r.b, (ingle_group)g);
        if (!bytes) continue;
        held was = hold(&r, &s);
        must(r.ops->shift_pages(r.b, (ingle_group)g, s.page[g], N_PAGES, 19, &err), &err);
        held is = hold(&r, &s);
        must(r.ops->shift_pages(r.b, (ingle_group)g, s.page[g], N_PAGES, -19, &err), &err);
        held back = hold(&r, &s);
        keys a = {&r, was.pages[g], bytes}, b = {&r, is.pages[g], bytes},
             c = {&r, back.pages[g], bytes};
        same_rest(name, &r, g, &a, &b, N_PAGES, INGLE_TYPE_F32);
        same_rest(name, &r, g, &a, &c, N_PAGES, INGLE_TYPE_F32);
        for (uint32_t i = 0; i < plan->n_cache; i++) {
            kept k = cache_of(plan, i, INGLE_TYPE_F32);
            if (k.group != g) continue;
            near_keys(name, &k, &a, 0, &c, 0, N, 1e-5);
            n_rotated += k.from < k.to;
        }
        if (!rotates) assert_memory_equal(was.pages[g], is.pages[g], was.bytes[g]);
        held same = hold(&r, &beside);
        same_held(name, "pages that are not shifted", &others, &same);
        release(&same);
        release(&was);
        release(&is);
        release(&back);
    }
    assert_int_equal(n_rotated > 0, rotates);
    release(&others);
    rig_close(&r);
}

static void test_shift_all(void **state)
{
    static const char *const names[] = {"llama-Q4_K", "qwen35",  "deepseek2", "gemma4-e",
                                        "cohere2",    "smollm3", "qwen3next"};
    static const eb_spec without[] = {
        {.arch = "bert", .n_layer = 2, .n_head = 4, .pooling = 1},
        {.arch = "jina-bert-v2", .n_layer = 2, .n_head = 4, .pooling = 1, .separate_gate = true}};
    ingle_model *m;
    ingle_error err;
    char path[32];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!rig_model(&m, names[i])) continue;
        shift_all(names[i], m, true);
        ingle_model_close(&m);
    }
    if (rig_model(&m, "granitehybrid")) { /* no positions at all */
        shift_all("granitehybrid", m, false);
        ingle_model_close(&m);
    }
    for (size_t i = 0; i < 2; i++) { /* positions that were learned, ALiBi */
        int fd = eb_file(&without[i], path);
        must(ingle_model_open(&m, path, NULL, &err), &err);
        shift_all(without[i].arch, m, false);
        ingle_model_close(&m);
        close(fd);
    }
}

/* ---- states ---- */

/* Steps of these sizes, in place and each into another slot than the one before. */
static void leave_states(const char *name, rig *r)
{
    static const size_t steps[] = {1, 2, 1, 17, 3, 33, 1, 1, 20};
    int32_t tokens[RIG_CTX];
    ingle_error err;
    seq in_place, on;
    size_t bytes = r->ops->state_bytes(r->b), at = 0;
    float *want = malloc(RIG_BATCH * r->width * sizeof *want);
    float *got = malloc(RIG_BATCH * r->width * sizeof *got);
    assert_true(bytes && want && got);
    uint8_t *rubbish = malloc(bytes), *last = NULL;
    assert_non_null(rubbish);
    memset(rubbish, 0xff, bytes);
    for (uint32_t i = 0; i < RIG_STATES; i++)
        must(r->ops->write_state(r->b, i, rubbish, &err), &err);
    free(rubbish);
    fill(tokens, RIG_CTX, r->model->program.plan.n_tokens, 13);
    seq_init(&in_place, 0, 0);
    seq_init(&on, 1, 1);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++, at += steps[i - 1]) {
        on.state = on.state_from % (RIG_STATES - 1) + 1;
        if (i % 3 == 2) on.state = on.state_from; /* now and then in place */
        uint32_t from = on.state_from;
        rig_run(r, &in_place, tokens + at, steps[i], want);
        rig_run(r, &on, tokens + at, steps[i], got);
        all_finite(want, steps[i] * r->width);
        if (memcmp(want, got, steps[i] * r->width * sizeof *want))
            fail_msg("%s: step %zu: other bits", name, i);
        uint8_t *a = rig_state(r, in_place.state), *b = rig_state(r, on.state);
        assert_memory_equal(a, b, bytes);
        if (last && from != on.state) {
            uint8_t *stays = rig_state(r, from);
            if (memcmp(stays, last, bytes))
                fail_msg("%s: step %zu: the old state changed", name, i);
            free(stays);
        }
        free(a);
        free(last);
        last = b;
    }
    free(last);
    free(want);
    free(got);
}

/* Both of a step go on from one state, as one. */
static void fork_states(const char *name, rig *r)
{
    int32_t tokens[N_ALL];
    seq a, b;
    ingle_error err;
    fill(tokens, N_ALL, r->model->program.plan.n_tokens, 14);
    seq_init(&a, 2, 2);
    seq_init(&b, 3, 3);
    rig_run(r, &a, tokens, N_BEGUN, NULL);
    for (int g = 0; g < INGLE_GROUPS; g++)
        if (r->ops->page_bytes(r->b, (ingle_group)g))
            must(r->ops->copy_pages(r->b, (ingle_group)g, b.page[g], a.page[g], RIG_TABLE, &err),
                 &err);
    b.n = a.n;
    b.state_from = a.state;
    a.state = 7;
    ingle_batch_row rows[2 * N_MORE] = {{0}};
    float *out = malloc(2 * N_MORE * r->width * sizeof *out);
    assert_non_null(out);
    for (uint32_t t = 0; t < 2 * N_MORE; t++)
        rows[t] = (ingle_batch_row){.token = t, .out = out + t * r->width};
    rig_step(r, (share[]){{&a, tokens + N_BEGUN, N_MORE}, {&b, tokens + N_BEGUN, N_MORE}}, 2, rows,
             2 * N_MORE, NULL);
    all_finite(out, 2 * N_MORE * r->width);
    if (memcmp(out, out + N_MORE * r->width, N_MORE * r->width * sizeof *out))
        fail_msg("%s: two of one past have other bits", name);
    held ha = hold(r, &a), hb = hold(r, &b);
    same_held(name, "two of one past", &ha, &hb);
    release(&ha);
    release(&hb);
    free(out);
}

static void test_states(void **state)
{
    static const char *const names[] = {"mamba2",  "qwen35",    "lfm2",
                                        "lfm2moe", "qwen3next", "granitehybrid"};
    ingle_model *m;
    rig r;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!rig_model(&m, names[i])) continue;
        rig_open(&r, m, &m->placement, INGLE_TYPE_F16, RIG_CTX);
        leave_states(names[i], &r);
        fork_states(names[i], &r);
        rig_close(&r);
        ingle_model_close(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_travel), cmocka_unit_test(test_homes),
        cmocka_unit_test(test_shift),  cmocka_unit_test(test_shift_all),
        cmocka_unit_test(test_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
