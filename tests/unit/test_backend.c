/* test_backend.c - steps of a backend made by hand: what is asked of rows beside their logits, page
 * tables that are told by their changes, pages that are cleared and copied. */
#define _GNU_SOURCE
#include "backend_rig.h"

#include <math.h>
#include <unistd.h>

#include "model_build.h"

/* ---- what is asked of a row ---- */

enum { OUT = 1, PICK = 2, MASK = 4, ASK = 8, LSE = 16, ALL = 31 };
enum { MOST_VOCAB = 512, MOST_PICK = MOST_VOCAB + 3, N_ASK = 5 };

/* A row and what its answer goes to: one place more of everything, which has to stay as it is. */
typedef struct wish {
    ingle_batch_row row;
    float *out; /* [n_vocab + 1] */
    uint32_t mask[MOST_VOCAB / 32];
    ingle_pick pick[MOST_PICK + 1];
    int32_t ask[N_ASK];
    float asked[N_ASK + 1], lse;
} wish;

static const float untouched = 123.25f;
static uint32_t seed = 1;

static uint32_t draw(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

/* Some tokens, few, none, those without a text, or all. */
static void make_mask(uint32_t *mask, uint32_t kind, uint32_t n_vocab, uint32_t n_tokens)
{
    memset(mask, 0, MOST_VOCAB / 8);
    if (kind == 0)
        for (int i = 0; i < 3; i++) {
            uint32_t t = draw(n_tokens);
            mask[t / 32] |= 1u << t % 32;
        }
    for (uint32_t t = 0; kind > 1 && t < n_vocab; t++)
        if (kind == 2 ? t >= n_tokens : kind == 3 || draw(2)) mask[t / 32] |= 1u << t % 32;
}

static void make_wish(wish *w, unsigned what, uint32_t token, const ingle_plan *plan)
{
    static const size_t n_pick[] = {1, 2, 7, MOST_PICK};
    w->row = (ingle_batch_row){.token = token};
    make_mask(w->mask, draw(6), plan->n_vocab, plan->n_tokens);
    for (size_t i = 0; i <= MOST_PICK; i++) w->pick[i] = (ingle_pick){-77, untouched};
    for (size_t i = 0; i <= N_ASK; i++) w->asked[i] = untouched;
    for (size_t i = 0; i < N_ASK; i++) w->ask[i] = (int32_t)draw(plan->n_vocab);
    w->ask[N_ASK - 1] = (int32_t)plan->n_vocab - 1;
    w->lse = untouched;
    for (size_t i = 0; i <= plan->n_vocab; i++) w->out[i] = untouched;
    if (what & OUT) w->row.out = w->out;
    if (what & MASK) w->row.mask = w->mask;
    if (what & PICK) {
        w->row.pick = w->pick;
        w->row.n_pick = n_pick[draw(4)];
    }
    if (what & ASK) {
        w->row.ask = w->ask;
        w->row.n_ask = N_ASK;
        w->row.asked = w->asked;
    }
    if (what & LSE) w->row.lse = &w->lse;
}

static bool admitted(const wish *w, uint32_t t)
{
    return !w->row.mask || w->mask[t / 32] >> t % 32 & 1;
}

static bool same_bits(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void check_picks(const wish *w, const float *whole, const ingle_plan *plan)
{
    bool taken[MOST_VOCAB] = {false};
    for (size_t i = 0; i < w->row.n_pick; i++) {
        int32_t best = -1;
        for (uint32_t t = 0; t < plan->n_tokens; t++)
            if (admitted(w, t) && !taken[t] && (best < 0 || whole[t] > whole[best]))
                best = (int32_t)t;
        assert_int_equal(w->pick[i].token, best);
        if (best < 0) continue;
        assert_true(same_bits(w->pick[i].logit, whole[best]));
        taken[best] = true;
    }
    assert_int_equal(w->pick[w->row.n_pick].token, -77);
}

static void check_lse(const wish *w, const float *whole, const ingle_plan *plan)
{
    double max = -INFINITY, sum = 0;
    for (uint32_t t = 0; t < plan->n_tokens; t++)
        if (admitted(w, t) && (double)whole[t] > max) max = (double)whole[t];
    for (uint32_t t = 0; t < plan->n_tokens; t++)
        if (admitted(w, t)) sum += exp((double)whole[t] - max);
    if (max == -INFINITY) {
        assert_true(w->lse == -INFINITY);
        return;
    }
    double want = max + log(sum);
    assert_true(fabs((double)w->lse - want) <= 1e-5 * (fabs(want) + fabs(max)));
}

/* Against the whole row of the same token. */
static void check_wish(const wish *w, const float *whole, const ingle_plan *plan)
{
    for (uint32_t t = 0; t < plan->n_vocab; t++) {
        assert_true(t < plan->n_tokens ? isfinite(whole[t]) : whole[t] == -INFINITY);
        assert_true(same_bits(w->out[t], w->row.out ? whole[t] : untouched));
    }
    assert_true(same_bits(w->out[plan->n_vocab], untouched));
    check_picks(w, whole, plan);
    for (size_t i = 0; i <= N_ASK; i++)
        assert_true(same_bits(w->asked[i], i < w->row.n_ask ? whole[w->ask[i]] : untouched));
    if (w->row.lse) check_lse(w, whole, plan);
    else assert_true(same_bits(w->lse, untouched));
}

enum { MOST_ROWS = 40 };

static wish wishes[MOST_ROWS];

/* Two sequences, of 40 tokens together; every step-th token from `first` on has a row. Row r asks
 * for the combination `what` + r, so that 32 rows ask for all combinations. */
static void ask_rows(rig *r, unsigned what, uint32_t first, uint32_t step)
{
    const ingle_plan *plan = &r->model->program.plan;
    ingle_batch_row rows[MOST_ROWS];
    int32_t tokens[MOST_ROWS];
    seq s[2][2];
    size_t n = 0;
    float *whole = malloc(MOST_ROWS * plan->n_vocab * sizeof *whole);
    assert_non_null(whole);
    fill(tokens, MOST_ROWS, plan->n_tokens, what + 1);
    for (uint32_t i = 0; i < 4; i++) seq_init(&s[i / 2][i % 2], i % 2, i);
    for (uint32_t t = first; t < MOST_ROWS; t += step, n++)
        rows[n] = (ingle_batch_row){.token = t, .out = whole + n * plan->n_vocab};
    rig_step(r, (share[]){{&s[0][0], tokens, 15}, {&s[0][1], tokens + 15, 25}}, 2, rows, n, NULL);
    for (size_t i = 0; i < n; i++) {
        make_wish(&wishes[i], (what + (unsigned)i) & ALL, rows[i].token, plan);
        rows[i] = wishes[i].row;
    }
    rig_step(r, (share[]){{&s[1][0], tokens, 15}, {&s[1][1], tokens + 15, 25}}, 2, rows, n, NULL);
    for (size_t i = 0; i < n; i++) check_wish(&wishes[i], whole + i * plan->n_vocab, plan);
    free(whole);
}

static void ask_all(const char *name, const ingle_model *m)
{
    rig r;
    const ingle_plan *plan = &m->program.plan;
    assert_true(plan->n_vocab <= MOST_VOCAB);
    for (size_t i = 0; i < MOST_ROWS; i++)
        assert_non_null(wishes[i].out = malloc((plan->n_vocab + 1) * sizeof(float)));
    rig_open(&r, m, &m->placement, INGLE_TYPE_F32, RIG_CTX);
    for (unsigned what = 0; what <= ALL; what++) {
        ask_rows(&r, what, MOST_ROWS - 1, 1); /* one row, of the last token */
        if (what % 4 == 0) ask_rows(&r, what, what % 3 * 7, MOST_ROWS); /* or of another */
        if (what % 4 == 1) ask_rows(&r, what, 0, 1);
        if (what % 4 == 2) ask_rows(&r, what, 1, 3);
    }
    rig_close(&r);
    for (size_t i = 0; i < MOST_ROWS; i++) free(wishes[i].out);
    print_message("%-20s %u of %u rows have a token\n", name, plan->n_tokens, plan->n_vocab);
}

/* A vocabulary of 16 tokens padded to 40 rows, of which every fifth is the same: many logits are
 * equal. */
static ingle_model *padded_with_equals(void)
{
    enum { N_ROWS = 40, N_EMBD = 32 };
    mb_model b;
    ingle_model *m;
    ingle_error err;
    char path[32];
    mb_build(&b,
             &(mb_spec){.type = INGLE_TYPE_Q8_0, .n_embd = N_EMBD, .fill = -1, .n_rows = N_ROWS});
    const ingle_type_info *type = ingle_type_get(INGLE_TYPE_Q8_0);
    size_t row = N_EMBD / type->block_elems * type->block_bytes;
    uint8_t *head = b.p + b.n - (N_ROWS * row + 31) / 32 * 32; /* the last tensor */
    for (size_t i = 5; i < N_ROWS; i++) memcpy(head + i * row, head + i % 5 * row, row);
    int fd = gb_file(b.p, b.n, path);
    must(ingle_model_open(&m, path, NULL, &err), &err);
    close(fd);
    free(b.p);
    return m;
}

static void test_rows(void **state)
{
    static const char *const names[] = {"llama-Q4_K", "llama-F16", "gemma4-e", "gemma2",
                                        "command-r",  "granite",   "minicpm"};
    ingle_model *m;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!rig_model(&m, names[i])) continue;
        ask_all(names[i], m);
        ingle_model_close(&m);
    }
    m = padded_with_equals();
    assert_true(m->program.plan.n_tokens == MB_VOCAB && m->program.plan.n_vocab == 40);
    ask_all("padded", m);
    ingle_model_close(&m);
}

/* ---- tables, clears, copies ---- */

enum { N_BEGUN = 45, N_MORE = 30, N_ALL = N_BEGUN + N_MORE };

static const char *const families[] = {"llama-Q4_K", "gpt-oss",      "deepseek2", "gemma4-e",
                                       "qwen35",     "mamba2",       "lfm2moe",   "qwen3next",
                                       "gemma3n",    "granitehybrid"};

/* Pages hold what no page should: numbers that are none. */
static void spoil(rig *r, const uint32_t *pages, size_t n, int group)
{
    ingle_error err;
    size_t bytes = n * r->ops->page_bytes(r->b, (ingle_group)group);
    if (!bytes) return;
    uint8_t *rubbish = malloc(bytes);
    assert_non_null(rubbish);
    memset(rubbish, 0xff, bytes);
    must(r->ops->write_pages(r->b, (ingle_group)group, pages, n, rubbish, &err), &err);
    free(rubbish);
}

/* The rows of the last N_MORE tokens, of a sequence that nothing disturbs. */
static float *undisturbed(rig *r, const int32_t *tokens)
{
    seq s;
    float *rows = malloc(N_ALL * r->width * sizeof *rows);
    assert_non_null(rows);
    seq_init(&s, 0, 0);
    rig_run(r, &s, tokens, N_BEGUN, NULL);
    rig_run(r, &s, tokens + N_BEGUN, N_MORE, rows);
    all_finite(rows, N_MORE * r->width);
    return rows;
}

/* The N_MORE tokens, one of them alone, the rest at once. */
static void go_on(rig *r, seq *s, const int32_t *tokens, const float *want, const char *name)
{
    size_t bytes = N_MORE * r->width * sizeof(float);
    float *rows = malloc(bytes);
    assert_non_null(rows);
    rig_run(r, s, tokens + N_BEGUN, 1, rows);
    rig_run(r, s, tokens + N_BEGUN + 1, N_MORE - 1, rows + r->width);
    if (memcmp(rows, want, bytes)) fail_msg("%s: other bits", name);
    free(rows);
}

/* Another sequence takes the slot; the moved one goes on in another, and then on copies of its
 * pages. */
static void move_and_copy(const char *name, rig *r)
{
    int32_t tokens[N_ALL], others[N_ALL];
    ingle_error err;
    seq s, moved, other;
    fill(tokens, N_ALL, r->model->program.plan.n_tokens, 5);
    fill(others, N_ALL, r->model->program.plan.n_tokens, 6);
    float *want = undisturbed(r, tokens);
    seq_init(&s, 1, 1);
    seq_init(&other, 1, 2);
    rig_run(r, &s, tokens, N_BEGUN, NULL);
    rig_run(r, &other, others, 33, NULL);
    seq_move(&s, 3);
    moved = s; /* a sequence of the same past, on its own pages and state */
    seq_init(&moved, 2, 3);
    moved.n = s.n;
    for (int g = 0; g < INGLE_GROUPS; g++)
        if (r->ops->page_bytes(r->b, (ingle_group)g))
            must(r->ops->copy_pages(r->b, (ingle_group)g, moved.page[g], s.page[g],
                                    (N_BEGUN + INGLE_PAGE - 1) / INGLE_PAGE, &err),
                 &err);
    uint8_t *bytes = rig_state(r, s.state);
    must(r->ops->write_state(r->b, moved.state, bytes, &err), &err);
    free(bytes);
    go_on(r, &s, tokens, want, name);
    rig_run(r, &other, others + 33, 20, NULL);
    for (int g = 0; g < INGLE_GROUPS; g++) spoil(r, s.page[g], RIG_TABLE, g);
    go_on(r, &moved, tokens, want, name); /* its pages are its own */
    free(want);
}

/* Within one slot the last page moves: one entry changes. */
static void replace_page(const char *name, rig *r)
{
    int32_t tokens[N_ALL];
    ingle_error err;
    seq s;
    fill(tokens, N_ALL, r->model->program.plan.n_tokens, 5);
    float *want = undisturbed(r, tokens);
    seq_init(&s, 2, 4);
    rig_run(r, &s, tokens, N_BEGUN, NULL);
    for (int g = 0; g < INGLE_GROUPS; g++) {
        uint32_t old = s.page[g][1], fresh = g ? RIG_TABLE - 1 : 8 * RIG_TABLE - 1;
        if (!r->ops->page_bytes(r->b, (ingle_group)g)) continue;
        must(r->ops->copy_pages(r->b, (ingle_group)g, &fresh, &old, 1, &err), &err);
        spoil(r, &old, 1, g);
        s.page[g][1] = fresh;
    }
    s.n_told = 1;
    go_on(r, &s, tokens, want, name);
    free(want);
}

static void each_family(void (*check)(const char *name, rig *r))
{
    static const ingle_type types[] = {INGLE_TYPE_F16, INGLE_TYPE_Q8_0};
    ingle_model *m;
    rig r;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (!rig_model(&m, families[i])) continue;
        for (size_t k = 0; k < (i < 3 ? 2 : 1); k++) {
            rig_open(&r, m, &m->placement, types[k], RIG_CTX);
            check(families[i], &r);
            rig_close(&r);
        }
        ingle_model_close(&m);
    }
}

static void test_tables(void **state)
{
    (void)state;
    each_family(move_and_copy);
    each_family(replace_page);
}

/* All pages are spoilt; of a step those of its sequence are cleared, and one more of each pool. */
static void clear_pages(const char *name, rig *r)
{
    int32_t tokens[N_ALL];
    uint32_t pages[RIG_PAGES], listed[INGLE_GROUPS][RIG_TABLE + 1];
    ingle_page_list clear[INGLE_GROUPS] = {{0}};
    ingle_error err;
    seq s;
    fill(tokens, N_ALL, r->model->program.plan.n_tokens, 5);
    float *want = undisturbed(r, tokens);
    for (uint32_t p = 0; p < RIG_PAGES; p++) pages[p] = p;
    seq_init(&s, 1, 1);
    for (int g = 0; g < INGLE_GROUPS; g++) {
        if (!r->ops->page_bytes(r->b, (ingle_group)g)) continue;
        spoil(r, pages, RIG_PAGES, g);
        memcpy(listed[g], s.page[g], sizeof s.page[g]);
        listed[g][RIG_TABLE] = g ? 0 : RIG_PAGES - 1;
        clear[g] = (ingle_page_list){listed[g], RIG_TABLE + 1};
    }
    rig_step(r, &(share){&s, tokens, N_BEGUN}, 1, NULL, 0, clear);
    for (int g = 0; g < INGLE_GROUPS; g++) {
        size_t bytes = r->ops->page_bytes(r->b, (ingle_group)g);
        uint8_t *p = malloc(bytes + 1);
        assert_non_null(p);
        for (uint32_t i = 0; bytes && i < RIG_PAGES; i++) {
            bool zero = i == listed[g][RIG_TABLE], used = false;
            for (size_t k = 0; k < RIG_TABLE; k++) {
                used |= k * INGLE_PAGE < N_BEGUN && i == s.page[g][k];
                zero |= k * INGLE_PAGE >= N_BEGUN && i == s.page[g][k];
            }
            must(r->ops->read_pages(r->b, (ingle_group)g, &i, 1, p, &err), &err);
            for (size_t k = 0; !used && k < bytes; k++) assert_int_equal(p[k], zero ? 0 : 0xff);
        }
        free(p);
    }
    go_on(r, &s, tokens, want, name);
    free(want);
}

static void test_clears(void **state)
{
    (void)state;
    each_family(clear_pages);
}

/* ---- logits and hidden states in one step ---- */

enum { N_MIXED = 40 };

typedef struct turns {
    atomic_int n[N_MIXED];
    const float *logits; /* [N_MIXED][n_vocab] */
    size_t n_vocab;
    atomic_int unfinished; /* rows that were not whole when their turn came, or not in order */
} turns;

static void take_turn(void *user, size_t i_row, const float *logits, int i_thread)
{
    turns *t = user;
    assert_true(i_thread >= 0);
    if (logits != t->logits + i_row * t->n_vocab) atomic_fetch_add(&t->unfinished, 1);
    if (i_row && atomic_load(&t->n[i_row - 1]) != 1) atomic_fetch_add(&t->unfinished, 1);
    atomic_fetch_add(&t->n[i_row], 1);
    for (size_t i = 0; i < t->n_vocab; i++)
        if (isnan(t->logits[i_row * t->n_vocab + i])) atomic_fetch_add(&t->unfinished, 1);
}

static float *nans(size_t n)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++) x[i] = NAN;
    return x;
}

/* One sequence whose rows want logits and one whose rows want hidden states have the bits that each has
 * alone; every row of logits has its turn once, when it is there, and those of a sequence in order. */
static void test_two_kinds_of_rows(void **state)
{
    golden g;
    ingle_error err;
    ingle_model *m;
    ingle_model_options mo;
    rig r;
    seq s[2];
    int32_t tokens[2 * N_MIXED];
    ingle_batch_row rows[2 * N_MIXED];
    (void)state;
    assert_true(golden_open(&g, "models", "llama-Q4_K"));
    ingle_model_options_init(&mo);
    must(ingle_model_open(&m, g.model, &mo, &err), &err);
    size_t n_vocab = m->program.plan.n_vocab, n_embd = m->program.plan.n_embd;
    float *logits[2] = {nans(N_MIXED * n_vocab), nans(N_MIXED * n_vocab)};
    float *hidden[2] = {nans(N_MIXED * n_embd), nans(N_MIXED * n_embd)};
    fill(tokens, 2 * N_MIXED, n_vocab, 5);
    for (int together = 0; together < 2; together++) {
        turns t = {.logits = logits[together], .n_vocab = n_vocab};
        size_t n = N_MIXED;
        rig_open(&r, m, &m->placement, INGLE_TYPE_F16, RIG_CTX);
        seq_init(&s[0], 0, 0);
        seq_init(&s[1], 1, 1);
        r.turn = take_turn, r.user = &t;
        for (uint32_t i = 0; i < n; i++) {
            rows[i] = (ingle_batch_row){.token = i, .out = logits[together] + i * n_vocab};
            rows[n + i] = (ingle_batch_row){.token = together ? (uint32_t)n + i : i,
                                            .out = hidden[together] + i * n_embd};
        }
        share both[2] = {{&s[0], tokens, n}, {&s[1], tokens + n, n}};
        if (together) {
            r.n_hidden = n;
            rig_step(&r, both, 2, rows, 2 * n, NULL);
        } else {
            rig_step(&r, &both[0], 1, rows, n, NULL);
            r.n_hidden = n;
            rig_step(&r, &both[1], 1, rows + n, n, NULL);
        }
        for (size_t i = 0; i < n; i++) assert_int_equal(atomic_load(&t.n[i]), 1);
        assert_int_equal(atomic_load(&t.unfinished), 0);
        ingle_step_times times;
        r.ops->times(r.b, &times);
        assert_true(times.body > 0 && times.attend > 0 && times.rows > 0);
        rig_close(&r);
    }
    assert_memory_equal(logits[0], logits[1], N_MIXED * n_vocab * sizeof(float));
    assert_memory_equal(hidden[0], hidden[1], N_MIXED * n_embd * sizeof(float));
    assert_false(isnan(logits[0][0]) || isnan(hidden[0][0]));
    for (int i = 0; i < 2; i++) free(logits[i]), free(hidden[i]);
    ingle_model_close(&m);
    golden_close(&g);
}

/* A text that is read in both directions beside a sequence that is not, first its prompt, then a
 * token of it: each has the bits that it has alone. */
static void test_two_directions(void **state)
{
    enum { PROMPT = 40, TEXT = 50 };
    static const char *const names[] = {"qwen3",    "gemma4-e", "gpt-oss", "deepseek2",
                                        "qwen2moe", "gemma3n",  "gemma3",  "bert-cls"};
    int32_t tokens[PROMPT + 1 + TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ingle_model *m;
        rig r;
        if (!rig_model(&m, names[i])) continue;
        rig_open(&r, m, &m->placement, INGLE_TYPE_F16, RIG_CTX);
        fill(tokens, PROMPT + 1 + TEXT, m->program.plan.n_tokens, 3);
        size_t w = r.width, bytes = (PROMPT + 1 + 2 * TEXT) * w * sizeof(float);
        float *rows[2] = {nans(bytes / sizeof(float)), nans(bytes / sizeof(float))};
        float *straight = nans(TEXT * w);
        seq s;
        seq_init(&s, 0, 6);
        rig_run(&r, &s, tokens + PROMPT + 1, TEXT, straight);
        for (uint32_t k = 0; k < 2; k++) {
            seq a, b[2];
            float *to = rows[k], *texts = rows[k] + (PROMPT + 1) * w;
            seq_init(&a, 0, 3 * k), seq_init(&b[0], 1, 3 * k + 1), seq_init(&b[1], 2, 3 * k + 2);
            b[0].turned = b[1].turned = true;
            for (size_t n, at = 0; at <= PROMPT; at += n) {
                ingle_batch_row want[PROMPT + TEXT];
                seq *text = &b[at == PROMPT];
                n = at ? 1 : PROMPT;
                for (size_t t = 0; t < n + TEXT; t++)
                    want[t] =
                        (ingle_batch_row){.token = (uint32_t)t,
                                          .out = t < n ? to + (at + t) * w : texts + (t - n) * w};
                share shares[2] = {{&a, tokens + at, n}, {text, tokens + PROMPT + 1, TEXT}};
                if (k) rig_step(&r, shares, 2, want, n + TEXT, NULL);
                else {
                    rig_run(&r, &a, tokens + at, n, to + at * w);
                    rig_run(&r, text, tokens + PROMPT + 1, TEXT, texts);
                }
                texts += TEXT * w;
            }
        }
        all_finite(rows[0], bytes / sizeof(float));
        if (memcmp(rows[0], rows[1], bytes)) fail_msg("%s: other bits", names[i]);
        const float *texts = rows[0] + (PROMPT + 1) * w;
        assert_memory_equal(texts, texts + TEXT * w, TEXT * w * sizeof(float));
        for (size_t t = 0; t + 1 < TEXT; t++)
            if (!memcmp(texts + t * w, straight + t * w, w * sizeof(float)))
                fail_msg("%s: token %zu sees no other way", names[i], t);
        free(rows[0]), free(rows[1]), free(straight);
        rig_close(&r);
        ingle_model_close(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),           cmocka_unit_test(test_tables),
        cmocka_unit_test(test_clears),         cmocka_unit_test(test_two_kinds_of_rows),
        cmocka_unit_test(test_two_directions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
