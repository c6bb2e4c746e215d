/* test_prefix.c - the prefix tree as an engine uses it: sequences that take over what is known,
 * compute the rest into pages of their own, publish these and let go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/prefix.h"
#include "wrap_alloc.h"

enum { N_CTX = 512, N_TABLE = N_CTX / INGLE_PAGE, N_PAGES = 24, N_WINDOW = 2 };

typedef struct rig {
    ingle_pages pool[INGLE_POOLS];
    ingle_prefix t;
} rig;

typedef struct seq {
    ingle_prefix_key key;
    int32_t tokens[N_CTX];
    uint32_t pages[N_TABLE], node;
    size_t n, n_reused;
} seq;

static const ingle_prefix_key KEY = {1, 2};

/* full: a model with windows and recurrent layers. */
static void open_rig(rig *r, size_t n_nodes, bool full)
{
    ingle_prefix_options opt = {
        .n_nodes = n_nodes, .n_checkpoints = 3, .n_window = N_WINDOW, .n_leaders = 16, .seed = 7};
    for (size_t i = 0; i < INGLE_POOLS; i++) {
        assert_true(ingle_pages_open(&r->pool[i], N_PAGES));
        if (i == INGLE_GROUP_ALL || full) opt.pool[i] = &r->pool[i];
    }
    assert_true(ingle_prefix_open(&r->t, &opt));
}

static void close_rig(rig *r)
{
    assert_true(ingle_prefix_is_sound(&r->t));
    ingle_prefix_close(&r->t);
    for (size_t i = 0; i < INGLE_POOLS; i++) {
        assert_int_equal(r->pool[i].n_free, N_PAGES); /* every count was dropped */
        assert_int_equal(r->pool[i].n_idle, 0);
        ingle_pages_close(&r->pool[i]);
    }
}

/* n tokens, of which the first n_same are those of every text. */
static const int32_t *text(size_t n_same, int32_t other)
{
    static int32_t tokens[4][N_CTX];
    static size_t turn;
    int32_t *to = tokens[turn++ % 4];
    for (size_t i = 0; i < N_CTX; i++) to[i] = i < n_same ? 100 + (int32_t)i : other;
    return to;
}

static uint32_t take(rig *r, size_t pool)
{
    uint32_t id;
    size_t n_used;
    assert_true(ingle_prefix_evict(&r->t, pool, 1));
    assert_true(ingle_pages_take(&r->pool[pool], 1, &id, &n_used));
    return id;
}

static void publish(rig *r, seq *s)
{
    for (size_t i = ingle_prefix_depth(&r->t, s->node); i < s->n / INGLE_PAGE; i++) {
        uint32_t node = ingle_prefix_publish(&r->t, s->key, s->node, s->tokens + i * INGLE_PAGE,
                                             INGLE_PAGE, &s->pages[i]);
        if (node == INGLE_NO_NODE) return;
        s->node = node;
    }
}

/* Reuses, computes the rest. */
static void start(rig *r, seq *s, const int32_t *tokens, size_t n)
{
    ingle_prefix_path path;
    uint32_t window[N_TABLE], state;
    for (size_t i = 0; i < N_TABLE; i++) window[i] = INGLE_NO_PAGE;
    ingle_prefix_match(&r->t, s->key, tokens, n, &path);
    ingle_prefix_hold(&r->t, &path, s->pages, window, &state);
    if (path.checkpoint != INGLE_NO_NODE) { /* has gone on with copies at once */
        for (size_t i = 0; i < N_TABLE; i++)
            if (window[i] != INGLE_NO_PAGE)
                ingle_pages_drop(&r->pool[INGLE_GROUP_WINDOW], &window[i], 1);
        ingle_pages_drop(&r->pool[INGLE_POOL_STATES], &state, 1);
    }
    for (size_t i = path.n_reused / INGLE_PAGE; i * INGLE_PAGE < n; i++) {
        bool shared = i * INGLE_PAGE < path.n_reused;
        uint32_t mine = take(r, INGLE_GROUP_ALL);
        if (shared) ingle_pages_drop(&r->pool[INGLE_GROUP_ALL], &s->pages[i], 1);
        s->pages[i] = mine;
    }
    memcpy(s->tokens, tokens, n * sizeof *tokens);
    s->n = n;
    s->node = path.node;
    s->n_reused = path.n_reused;
}

static uint32_t publish_tail(rig *r, seq *s)
{
    size_t at = s->n / INGLE_PAGE;
    return ingle_prefix_publish(&r->t, s->key, s->node, s->tokens + at * INGLE_PAGE,
                                s->n % INGLE_PAGE, &s->pages[at]);
}

static void end(rig *r, seq *s)
{
    ingle_pages_drop(&r->pool[INGLE_GROUP_ALL], s->pages, (s->n + INGLE_PAGE - 1) / INGLE_PAGE);
    s->n = 0;
}

/* A whole request; returns tokens reused. */
static size_t request(rig *r, ingle_prefix_key key, const int32_t *tokens, size_t n)
{
    seq s = {.key = key};
    start(r, &s, tokens, n);
    publish(r, &s);
    if (n % INGLE_PAGE) publish_tail(r, &s);
    end(r, &s);
    return s.n_reused;
}

static ingle_prefix_path match(rig *r, const int32_t *tokens, size_t n)
{
    ingle_prefix_path path;
    ingle_prefix_match(&r->t, KEY, tokens, n, &path);
    return path;
}

static void token_by_token(void **state)
{
    rig r;
    (void)state;
    open_rig(&r, 64, false);
    assert_int_equal(request(&r, KEY, text(64, 0), 64), 0);
    for (size_t n = 0; n < 64; n++) {
        ingle_prefix_path path = match(&r, text(n, 5), 64);
        assert_int_equal(path.n_known, n);
        assert_int_equal(path.n_reused, n);
        assert_int_equal(ingle_prefix_depth(&r.t, path.node), n / INGLE_PAGE);
        assert_int_equal(path.part != INGLE_NO_NODE, n % INGLE_PAGE != 0);
        assert_int_equal(path.n_idle[INGLE_GROUP_ALL], (n + INGLE_PAGE - 1) / INGLE_PAGE);
    }
    assert_int_equal(request(&r, KEY, text(37, 5), 64), 37);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_idle, 3); /* the first page is shared */
    close_rig(&r);
}

static void one_is_left_to_compute(void **state)
{
    rig r;
    (void)state;
    open_rig(&r, 64, false);
    request(&r, KEY, text(64, 0), 64);
    for (size_t n = 0; n <= 64; n++) {
        ingle_prefix_path path = match(&r, text(64, 0), n);
        assert_int_equal(path.n_known, n);
        assert_int_equal(path.n_reused, n ? n - 1 : 0);
    }
    assert_int_equal(match(&r, text(64, 0), 65).n_reused, 64);
    assert_int_equal(request(&r, KEY, text(64, 0), 64), 63);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_idle, 2); /* the copied page was merged */
    close_rig(&r);
}

static void keys_are_apart(void **state)
{
    const ingle_prefix_key keys[] = {KEY, {2, 2}, {1, 1}, {2, 1}, {0, 0}};
    rig r;
    (void)state;
    open_rig(&r, 64, false);
    for (size_t i = 0; i < 5; i++) assert_int_equal(request(&r, keys[i], text(64, 0), 70), 0);
    for (size_t i = 0; i < 5; i++) assert_int_equal(request(&r, keys[i], text(64, 0), 70), 69);
    assert_int_equal(r.t.n_used, 5 * 4); /* a root each */
    assert_true(ingle_prefix_evict(&r.t, INGLE_GROUP_ALL, N_PAGES));
    assert_int_equal(r.t.n_used, 0);
    close_rig(&r);
}

static void duplicates_merge(void **state)
{
    rig r;
    seq a = {.key = KEY}, b = {.key = KEY};
    (void)state;
    open_rig(&r, 64, false);
    start(&r, &a, text(70, 0), 70);
    start(&r, &b, text(70, 0), 70); /* at the same time: nothing is known yet */
    assert_int_equal(b.n_reused, 0);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_free, N_PAGES - 6);
    publish(&r, &a);
    publish(&r, &b);
    assert_int_equal(a.node, b.node);
    assert_int_equal(publish_tail(&r, &a), publish_tail(&r, &b));
    assert_memory_equal(a.pages, b.pages, 3 * sizeof *a.pages);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_free, N_PAGES - 3);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].refs[a.pages[1]], 3);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_idle, 0);
    end(&r, &a);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_idle, 0);
    end(&r, &b);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_idle, 3);
    close_rig(&r);
}

/* The page of a run that is shorter than its node's: there is nothing to publish. */
static void a_part_is_no_node(void **state)
{
    rig r;
    seq a = {.key = KEY}, b = {.key = KEY};
    (void)state;
    open_rig(&r, 64, false);
    start(&r, &a, text(64, 0), 64);
    publish(&r, &a);
    b = a; /* forked at 50 */
    ingle_pages_hold(&r.pool[INGLE_GROUP_ALL], b.pages, 2);
    b.n = 50;
    b.node = ingle_prefix_up(&r.t, a.node, 1);
    assert_int_equal(ingle_prefix_depth(&r.t, b.node), 1);
    assert_int_equal(publish_tail(&r, &b), INGLE_NO_NODE);
    assert_int_equal(b.pages[1], a.pages[1]);
    assert_int_equal(ingle_prefix_up(&r.t, a.node, 0), INGLE_NO_NODE);
    assert_int_equal(ingle_prefix_up(&r.t, a.node, 9), a.node);
    end(&r, &a);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_idle, 0);
    end(&r, &b);
    close_rig(&r);
}

/* Of two forks one gets another page in exchange for its first; the second page, which both have,
 * cannot be published then: the other one does not hold the page above it. */
static void forks_publish_what_is_their_own(void **state)
{
    rig r;
    seq a = {.key = KEY}, b;
    (void)state;
    open_rig(&r, 64, false);
    start(&r, &a, text(64, 0), 64);
    b = a;
    ingle_pages_hold(&r.pool[INGLE_GROUP_ALL], b.pages, 2);
    request(&r, KEY, text(64, 0), 32);
    publish(&r, &b);
    assert_int_not_equal(a.pages[0], b.pages[0]);
    assert_int_equal(ingle_prefix_depth(&r.t, b.node), 1);
    publish(&r, &a);
    assert_int_equal(a.pages[0], b.pages[0]);
    end(&r, &b);
    publish(&r, &a); /* nobody else has it now */
    assert_int_equal(ingle_prefix_depth(&r.t, a.node), 2);
    end(&r, &a);
    close_rig(&r);
}

/* An adapter that begins after the first page: the page before it is shared with who has none. */
static void sets_change_on_the_way(void **state)
{
    rig r;
    seq a = {.key = KEY};
    (void)state;
    open_rig(&r, 64, false);
    start(&r, &a, text(64, 0), 64);
    a.n = 32;
    publish(&r, &a);
    a.n = 64;
    a.key.set++;
    publish(&r, &a);
    assert_int_equal(ingle_prefix_depth(&r.t, a.node), 2);
    assert_int_equal(match(&r, text(64, 0), 64).n_known, 32);
    end(&r, &a);
    assert_int_equal(request(&r, KEY, text(64, 0), 64), 32);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_idle, 3);
    close_rig(&r);
}

static void parents_outlive_children(void **state)
{
    rig r;
    (void)state;
    open_rig(&r, 64, false);
    request(&r, KEY, text(160, 0), 170);
    request(&r, KEY, text(96, 3), 160); /* leaves after three pages; computes two */
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_idle, 8);
    match(&r, text(160, 0), 170); /* the second text is the older one, as after each look below */
    size_t n_free = r.pool[INGLE_GROUP_ALL].n_free;
    static const size_t first[] = {170, 170, 160, 128, 96, 64, 32, 0},
                        second[] = {128, 96, 96, 96, 96, 64, 32, 0};
    for (size_t i = 0; i < 8; i++) {
        assert_true(ingle_prefix_evict(&r.t, INGLE_GROUP_ALL, ++n_free));
        ingle_prefix_path path = {0};
        assert_int_equal(r.pool[INGLE_GROUP_ALL].n_free, n_free); /* not one more than asked for */
        ingle_prefix_match(&r.t, KEY, text(96, 3), 170, &path);
        assert_int_equal(path.n_known, second[i]);
        ingle_prefix_match(&r.t, KEY, text(160, 0), 170, &path);
        assert_int_equal(path.n_known, first[i]);
    }
    assert_false(ingle_prefix_evict(&r.t, INGLE_GROUP_ALL, N_PAGES + 1));
    assert_int_equal(r.t.n_used, 0);
    close_rig(&r);
}

static void held_pages_stay(void **state)
{
    rig r;
    seq s = {.key = KEY};
    (void)state;
    open_rig(&r, 64, false);
    request(&r, KEY, text(128, 0), 128);
    start(&r, &s, text(70, 1), 80); /* holds two pages, has copied the third */
    assert_int_equal(s.n_reused, 70);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_idle, 2);
    assert_false(ingle_prefix_evict(&r.t, INGLE_GROUP_ALL, N_PAGES));
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_free, N_PAGES - 3);
    assert_int_equal(match(&r, text(128, 0), 128).n_known, 64);
    end(&r, &s);
    close_rig(&r);
}

static void tails(void **state)
{
    rig r;
    seq s = {.key = KEY};
    (void)state;
    open_rig(&r, 64, false);
    assert_int_equal(request(&r, KEY, text(20, 0), 20), 0);
    assert_int_equal(request(&r, KEY, text(20, 1), 30), 20); /* goes on from the tail */
    assert_int_equal(r.t.n_used, 1 + 1);                     /* which has been replaced */
    start(&r, &s, text(20, 1), 31);
    publish_tail(&r, &s);
    assert_int_equal(s.n_reused, 30);
    assert_int_equal(request(&r, KEY, text(20, 1), 40), 31);
    assert_int_equal(r.t.n_used, 1 + 3); /* 31, which is held, 32 and its tail */
    end(&r, &s);
    /* of many siblings the youngest are looked at, and a hit makes one young */
    for (int32_t i = 10; i < 18; i++) request(&r, KEY, text(i < 17 ? 0 : 10, i), 20);
    assert_int_equal(match(&r, text(20, 17), 40).n_known, 20);
    close_rig(&r);
}

static void siblings_are_few(void **state)
{
    rig r;
    (void)state;
    open_rig(&r, 64, false);
    for (int32_t i = 0; i < 9; i++) request(&r, KEY, text(0, i), 20);
    assert_int_equal(match(&r, text(0, 0), 40).n_known, 0);
    assert_int_equal(match(&r, text(0, 1), 40).n_known, 20); /* the youngest from now on */
    for (int32_t i = 9; i < 16; i++) request(&r, KEY, text(0, i), 20);
    assert_int_equal(match(&r, text(0, 1), 40).n_known, 20);
    close_rig(&r);
}

/* ---- checkpoints ---- */

/* A prompt of n tokens is computed, leaves a checkpoint after `at` of them, and ends. */
static void checkpointed(rig *r, const int32_t *tokens, size_t n, size_t at)
{
    seq s = {.key = KEY};
    uint32_t window[N_WINDOW], state = take(r, INGLE_POOL_STATES), node;
    for (size_t i = 0; i < N_WINDOW; i++) window[i] = take(r, INGLE_GROUP_WINDOW);
    start(r, &s, tokens, n);
    s.n = at;
    publish(r, &s);
    node = at % INGLE_PAGE ? publish_tail(r, &s) : s.node;
    assert_int_not_equal(node, INGLE_NO_NODE);
    ingle_prefix_checkpoint_put(&r->t, node, window, (at - 1) / INGLE_PAGE, N_WINDOW, state);
    ingle_prefix_checkpoint_put(&r->t, node, window, (at - 1) / INGLE_PAGE, N_WINDOW, state);
    s.n = n;
    if (at % INGLE_PAGE) { /* it goes on in a copy */
        uint32_t mine = take(r, INGLE_GROUP_ALL);
        ingle_pages_drop(&r->pool[INGLE_GROUP_ALL], &s.pages[at / INGLE_PAGE], 1);
        s.pages[at / INGLE_PAGE] = mine;
    }
    publish(r, &s);
    end(r, &s);
    ingle_pages_drop(&r->pool[INGLE_GROUP_WINDOW], window, N_WINDOW);
    ingle_pages_drop(&r->pool[INGLE_POOL_STATES], &state, 1);
}

static void checkpoints_bound_reuse(void **state)
{
    rig r;
    (void)state;
    open_rig(&r, 64, true);
    checkpointed(&r, text(100, 0), 100, 64);
    checkpointed(&r, text(100, 0), 100, 99);
    static const size_t reused[][2] = {{65, 64},  {64, 0},   {40, 0},  {99, 64},
                                       {100, 99}, {101, 99}, {130, 99}};
    for (size_t i = 0; i < sizeof reused / sizeof *reused; i++) {
        ingle_prefix_path path = match(&r, text(100, 1), reused[i][0]);
        assert_int_equal(path.n_reused, reused[i][1]);
        assert_int_equal(path.checkpoint != INGLE_NO_NODE, reused[i][1] != 0);
        assert_int_equal(path.n_idle[INGLE_GROUP_WINDOW], reused[i][1] ? N_WINDOW : 0);
        assert_int_equal(path.n_idle[INGLE_POOL_STATES], reused[i][1] != 0);
    }
    ingle_prefix_path path = match(&r, text(80, 1), 130);
    assert_int_equal(path.n_known, 80);
    assert_int_equal(path.n_reused, 64);
    close_rig(&r);
}

static void a_checkpoint_is_taken_over(void **state)
{
    rig r;
    uint32_t pages[N_TABLE], window[N_TABLE], slot;
    (void)state;
    open_rig(&r, 64, true);
    checkpointed(&r, text(100, 0), 100, 99);
    for (size_t i = 0; i < N_TABLE; i++) window[i] = INGLE_NO_PAGE;
    ingle_prefix_path path = match(&r, text(100, 0), 120);
    ingle_prefix_hold(&r.t, &path, pages, window, &slot);
    assert_int_equal(path.n_reused, 99);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_idle, 0); /* three pages and the tail's */
    assert_int_equal(window[2], INGLE_NO_PAGE);
    assert_int_equal(window[3 + N_WINDOW], INGLE_NO_PAGE);
    for (size_t i = 3; i < 3 + N_WINDOW; i++)
        assert_int_equal(r.pool[INGLE_GROUP_WINDOW].refs[window[i]], 2);
    assert_int_equal(r.pool[INGLE_POOL_STATES].refs[slot], 2);
    /* nothing of it can go now; the checkpoint itself is left alone, for it would free nothing */
    assert_false(ingle_prefix_evict(&r.t, INGLE_POOL_STATES, N_PAGES));
    assert_false(ingle_prefix_evict(&r.t, INGLE_GROUP_WINDOW, N_PAGES));
    assert_int_equal(r.t.n_checkpoints, 1);
    ingle_pages_drop(&r.pool[INGLE_POOL_STATES], &slot, 1);
    assert_true(ingle_prefix_evict(&r.t, INGLE_POOL_STATES, N_PAGES));
    assert_int_equal(r.t.n_checkpoints, 0);
    assert_int_equal(r.pool[INGLE_GROUP_WINDOW].n_free, N_PAGES - N_WINDOW);
    ingle_pages_drop(&r.pool[INGLE_GROUP_WINDOW], window + 3, N_WINDOW);
    ingle_pages_drop(&r.pool[INGLE_GROUP_ALL], pages, 4);
    assert_int_equal(match(&r, text(100, 0), 120).n_reused, 0);
    close_rig(&r);
}

static void checkpoints_are_few(void **state)
{
    rig r;
    (void)state;
    open_rig(&r, 64, true);
    for (int32_t i = 0; i < 3; i++) checkpointed(&r, text(0, i), 70, 64);
    assert_int_equal(match(&r, text(0, 0), 70).n_reused, 64); /* and so it is the youngest */
    checkpointed(&r, text(0, 3), 70, 64);
    assert_int_equal(r.t.n_checkpoints, 3);
    for (int32_t i = 0; i < 4; i++)
        assert_int_equal(match(&r, text(0, i), 70).n_reused, i == 1 ? 0 : 64);
    /* the oldest goes first, and with its node */
    assert_true(ingle_prefix_evict(&r.t, INGLE_POOL_STATES, N_PAGES - 2));
    assert_int_equal(match(&r, text(0, 0), 70).n_reused, 0);
    assert_int_equal(match(&r, text(0, 2), 70).n_reused, 64);
    assert_true(ingle_prefix_evict(&r.t, INGLE_GROUP_ALL, N_PAGES));
    assert_int_equal(r.t.n_checkpoints, 0);
    assert_int_equal(r.pool[INGLE_GROUP_WINDOW].n_free, N_PAGES);
    close_rig(&r);
}

/* A tail that owns a checkpoint stays when a longer sibling comes, and is found beside it. */
static void tails_keep_checkpoints(void **state)
{
    rig r;
    (void)state;
    open_rig(&r, 64, true);
    checkpointed(&r, text(128, 0), 128, 50);
    ingle_prefix_path path = match(&r, text(128, 0), 128);
    assert_int_equal(path.n_known, 128);
    assert_int_equal(path.n_reused, 50);
    assert_int_equal(ingle_prefix_depth(&r.t, path.node), 1);
    assert_int_equal(match(&r, text(128, 0), 50).n_reused, 0);
    assert_int_equal(match(&r, text(128, 0), 51).n_reused, 50);
    assert_int_equal(match(&r, text(49, 9), 51).n_reused, 0);
    close_rig(&r);
}

/* ---- leaders ---- */

static const void *blocked(const rig *r, const int32_t *tokens, size_t n, size_t *n_common)
{
    return ingle_prefix_blocked(&r->t, KEY, tokens, n, INGLE_PREFIX_WAIT, n_common);
}

static void sixteen_equal_prompts(void **state)
{
    rig r;
    seq s[16] = {{.key = KEY}};
    const int32_t *prompt = text(200, 0);
    size_t n_common, n_computed = 0, n_waiting = 0;
    (void)state;
    open_rig(&r, 64, false);
    for (size_t i = 0; i < 16; i++) {
        if (blocked(&r, prompt, 200, &n_common)) n_waiting++;
        else ingle_prefix_expect(&r.t, KEY, prompt, 200, &s[i]);
    }
    assert_int_equal(n_waiting, 15);
    assert_ptr_equal(blocked(&r, prompt, 200, &n_common), &s[0]);
    assert_int_equal(n_common, 199);
    start(&r, &s[0], prompt, 200);
    for (s[0].n = 32; s[0].n <= 192; s[0].n += 32) { /* page by page, while it is running */
        publish(&r, &s[0]);
        bool waits = blocked(&r, prompt, 200, &n_common) != NULL;
        assert_int_equal(waits, 199 - s[0].n >= INGLE_PREFIX_WAIT);
    }
    s[0].n = 200;
    publish_tail(&r, &s[0]);
    ingle_prefix_done(&r.t, &s[0]);
    for (size_t i = 1; i < 16; i++) {
        s[i].key = KEY;
        assert_null(blocked(&r, prompt, 200, &n_common));
        start(&r, &s[i], prompt, 200);
        n_computed += 200 - s[i].n_reused;
    }
    assert_int_equal(n_computed, 15);
    for (size_t i = 0; i < 16; i++) end(&r, &s[i]);
    close_rig(&r);
}

static void who_gives_up_frees_the_waiters(void **state)
{
    rig r;
    int a, b;
    size_t n_common;
    const ingle_prefix_key other = {KEY.salt + 1, KEY.set};
    const int32_t *first = text(100, 0), *second = text(100, 1);
    (void)state;
    open_rig(&r, 64, false);
    ingle_prefix_expect(&r.t, KEY, first, 200, &a);
    assert_ptr_equal(blocked(&r, second, 300, &n_common), &a);
    assert_int_equal(n_common, 100);
    assert_null(blocked(&r, text(63, 1), 200, &n_common)); /* too little to wait for */
    assert_ptr_equal(blocked(&r, text(64, 1), 200, &n_common), &a);
    assert_null(blocked(&r, first, 64, &n_common)); /* its last token is computed anyway */
    assert_null(blocked(&r, first, 0, &n_common));
    assert_null(ingle_prefix_blocked(&r.t, other, first, 200, INGLE_PREFIX_WAIT, &n_common));
    ingle_prefix_expect(&r.t, KEY, second, 300, &b);
    assert_ptr_equal(blocked(&r, text(100, 1), 400, &n_common), &b); /* who has more of it */
    assert_int_equal(n_common, 300);
    ingle_prefix_done(&r.t, &b);
    assert_ptr_equal(blocked(&r, text(100, 1), 400, &n_common), &a);
    ingle_prefix_done(&r.t, &a);
    ingle_prefix_done(&r.t, &a); /* no leader: nothing happens */
    assert_null(blocked(&r, first, 200, &n_common));
    for (size_t i = 0; i < 20; i++) ingle_prefix_expect(&r.t, KEY, first, 200, &r.pool[i % 3]);
    assert_int_equal(r.t.n_leaders, 16);
    close_rig(&r);
}

/* Pages alone are no help where checkpoints are needed: whoever waits does so for one. */
static void waiting_for_a_checkpoint(void **state)
{
    rig r;
    size_t n_common;
    int owner;
    const int32_t *prompt = text(200, 0);
    (void)state;
    open_rig(&r, 64, true);
    ingle_prefix_expect(&r.t, KEY, prompt, 200, &owner);
    request(&r, KEY, prompt, 200);
    assert_int_equal(match(&r, prompt, 200).n_known, 200);
    assert_ptr_equal(blocked(&r, prompt, 200, &n_common), &owner);
    checkpointed(&r, prompt, 200, 160);
    assert_null(blocked(&r, prompt, 200, &n_common));
    ingle_prefix_done(&r.t, &owner);
    close_rig(&r);
}

/* ---- limits ---- */

static void nodes_run_out(void **state)
{
    rig r;
    seq s = {.key = KEY};
    (void)state;
    open_rig(&r, 4, false);
    request(&r, KEY, text(96, 0), 96); /* root and three: all there are */
    assert_int_equal(r.t.n_used, 4);
    request(&r, (ingle_prefix_key){9, 9}, text(32, 0), 32); /* a root and one: the two oldest go */
    assert_int_equal(r.t.n_used, 4);
    assert_int_equal(match(&r, text(96, 0), 96).n_known, 32);
    start(&r, &s, text(0, 5), 192);
    publish(&r, &s); /* the first three of six, and all others gone */
    assert_int_equal(ingle_prefix_depth(&r.t, s.node), 3);
    assert_int_equal(r.pool[INGLE_GROUP_ALL].n_idle, 0);
    publish(&r, &s);
    assert_int_equal(ingle_prefix_depth(&r.t, s.node), 3);
    assert_int_equal(request(&r, (ingle_prefix_key){9, 9}, text(32, 0), 32), 0); /* no room */
    assert_int_equal(request(&r, KEY, text(0, 5), 192), 96);
    end(&r, &s);
    close_rig(&r);
    open_rig(&r, 1, false); /* not even one and its root */
    assert_int_equal(request(&r, KEY, text(96, 0), 96), 0);
    assert_int_equal(r.t.n_used, 0);
    close_rig(&r);
    open_rig(&r, 2, false);
    request(&r, KEY, text(96, 0), 96);
    assert_int_equal(request(&r, (ingle_prefix_key){3, 3}, text(96, 0), 96), 0);
    assert_int_equal(r.t.n_used, 2); /* the other one's made room for both */
    assert_int_equal(match(&r, text(96, 0), 96).n_known, 0);
    close_rig(&r);
}

static void no_memory(void **state)
{
    ingle_pages pool;
    ingle_prefix t;
    (void)state;
    assert_true(ingle_pages_open(&pool, N_PAGES));
    ingle_prefix_options opt = {
        .n_nodes = 40, .n_checkpoints = 3, .n_window = N_WINDOW, .n_leaders = 5, .pool = {&pool}};
    for (long n = 1;; n++) {
        wrap_alloc_begin(n);
        bool ok = ingle_prefix_open(&t, &opt);
        size_t n_bytes = wrap_alloc.n_bytes;
        ingle_prefix_close(&t);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        assert_int_equal(ok, !reached);
        if (ok) {
            assert_int_equal(n_bytes, ingle_prefix_bytes(&opt, N_PAGES));
            break;
        }
    }
    ingle_pages_close(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_by_token),
        cmocka_unit_test(one_is_left_to_compute),
        cmocka_unit_test(keys_are_apart),
        cmocka_unit_test(duplicates_merge),
        cmocka_unit_test(a_part_is_no_node),
        cmocka_unit_test(forks_publish_what_is_their_own),
        cmocka_unit_test(sets_change_on_the_way),
        cmocka_unit_test(parents_outlive_children),
        cmocka_unit_test(held_pages_stay),
        cmocka_unit_test(tails),
        cmocka_unit_test(siblings_are_few),
        cmocka_unit_test(checkpoints_bound_reuse),
        cmocka_unit_test(a_checkpoint_is_taken_over),
        cmocka_unit_test(checkpoints_are_few),
        cmocka_unit_test(tails_keep_checkpoints),
        cmocka_unit_test(sixteen_equal_prompts),
        cmocka_unit_test(who_gives_up_frees_the_waiters),
        cmocka_unit_test(waiting_for_a_checkpoint),
        cmocka_unit_test(nodes_run_out),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
