/* micro.c - cycles and shares of the machine's limits of every matmul kernel, one thread unless
 * told, and of attention. --help names the options.
 * gemm: TOKENS tokens, K = 2048, 128 rows, all in cache; cycles per 256 weights and token, share of
 * the int8 (class F: f32) multiply-accumulate peak measured between the repetitions. gemv: one
 * token, the weights in the second-level cache, and in memory with all threads (and a gemm of up to
 * 16 tokens) beside the plain read bandwidth. attend: one thread, a kv head shared by four query
 * heads, at the end of CONTEXT positions; a prompt's block of rows (share of the f32 peak), and one
 * token (keys and values read per second). Medians would hide what a busy machine adds; these are
 * bests. */
#include "base/clock.h"
#include "base/pool.h"
#include "kern/kern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_CACHE 128
#define FEW        16 /* tokens whose gemm is measured from memory too */
#define STREAM     ((size_t)192 << 20)
#define BEYOND     ((size_t)768 << 20) /* more than any third-level cache keeps */
#define PIECE      ((size_t)16 << 20)

typedef struct setup {
    ingle_kern kern;
    ingle_pool *pool;
    int n_threads;
    size_t m, n_cols;
    double hz; /* core clock */
} setup;

static void *must(void *p)
{
    if (!p) {
        fprintf(stderr, "micro: out of memory\n");
        exit(1);
    }
    return p;
}

static uint32_t random_u32(void)
{
    static uint64_t s = 88172645463325252u;
    s ^= s << 13, s ^= s >> 7, s ^= s << 17;
    return (uint32_t)(s >> 16);
}

/* Near enough to normal, as activations are. */
static float random_normal(void)
{
    float sum = -6;
    for (int i = 0; i < 12; i++) sum += (float)(random_u32() & 0xffff) / 65536.0f;
    return sum;
}

/* Clock from a chain of dependent additions and exclusive ors, one cycle each. */
static double core_hz(void)
{
    double best = 0;
    for (int r = 0; r < 20; r++) {
        uint64_t x = random_u32();
        const uint64_t n = 100000, k = random_u32();
        double t0 = ingle_now();
        for (uint64_t i = 0; i < n; i++) x = (x ^ i) + k;
        double hz = 2.0 * (double)n / (ingle_now() - t0);
        volatile uint64_t keep = x;
        (void)keep;
        if (hz > best) best = hz;
    }
    return best;
}

/* ---- one type's data ---- */

/* Any bytes do for the weights' bits, not for scales: those are made small and normal. */
static ingle_packed random_weights(ingle_type type, size_t n_rows, size_t n_cols)
{
    ingle_packed w;
    const ingle_type_info *t = ingle_type_get(type);
    if (!ingle_packed_init(&w, type, n_rows, n_cols)) exit(1);
    size_t bytes = ingle_packed_bytes(&w);
    uint32_t *mem = must(ingle_pages_new(bytes));
    for (size_t i = 0; i < bytes / 4; i++) mem[i] = random_u32();
    if (t->act == INGLE_ACT_F32) /* no exponents of either end */
        for (size_t i = 0; i < bytes / 4; i++) mem[i] = (mem[i] & 0x80ff80ff) | 0x3c003c00;
    for (size_t p = 0; p < w.n_panels; p++)
        for (int f = 0; f < INGLE_MAX_FIELDS && t->fields[f].n; f++) {
            uint8_t *at = (uint8_t *)mem + p * w.panel_bytes + w.section[f];
            if (t->act == INGLE_ACT_F32) continue;
            for (size_t i = 0; i < w.n_blocks * 16; i++) {
                uint16_t scale = ingle_f32_to_f16(1e-3f * (float)(1 + random_u32() % 100));
                if (t->fields[f].unit == 2) memcpy(at + 2 * i, &scale, 2);
                if (type == INGLE_TYPE_MXFP4 && f == 0) at[i] = (uint8_t)(110 + random_u32() % 16);
            }
        }
    for (size_t i = 0; i < w.n_panels * 16 && t->row_head; i++) {
        float d = 1e-4f * (float)(1 + random_u32() % 100);
        memcpy((uint8_t *)mem + i / 16 * w.panel_bytes + i % 16 * sizeof d, &d, sizeof d);
    }
    w.data = (uint8_t *)mem;
    return w;
}

static ingle_acts random_acts(const setup *s, ingle_act act, size_t m)
{
    ingle_acts a;
    const size_t n = s->n_cols;
    void *mem = must(ingle_pages_new(ingle_acts_bytes(act, m, n) + 64));
    float *x = must(ingle_new(m * n, sizeof *x));
    for (size_t i = 0; i < m * n; i++) x[i] = random_normal();
    ingle_acts_place(&a, act, m, n, mem);
    a.x = x;
    a.ld_x = n;
    for (size_t t = 0; t < m && act != INGLE_ACT_F32; t++) s->kern.quantise(&a, t, x + t * n);
    return a;
}

/* ---- measuring ---- */

typedef struct job {
    const setup *s;
    ingle_matmul mm;
    ingle_matmul_fn *fn;
    void *scratch[64];
    const uint8_t *mem; /* to be read, not multiplied */
    size_t bytes;
} job;

static void stream(void *arg, ingle_pool *pool, int i, int n)
{
    job *j = arg;
    (void)pool;
    if (j->mem) {
        size_t share = j->bytes / (size_t)n & ~(size_t)4095;
        volatile uint64_t keep = j->s->kern.read_all(j->mem + share * (size_t)i, share);
        (void)keep;
        return;
    }
    size_t first = j->mm.w->n_panels * (size_t)i / (size_t)n,
           end = j->mm.w->n_panels * (size_t)(i + 1) / (size_t)n;
    for (size_t p = first; p < end; p += 32)
        j->fn(&j->mm, p, end - p < 32 ? end - p : 32, j->scratch[i]);
}

static double best_stream(job *j, size_t bytes)
{
    double best = 0;
    for (int r = 0; r < 7; r++) {
        double t0 = ingle_now();
        ingle_pool_run(j->s->pool, stream, j);
        double gbs = (double)bytes / (ingle_now() - t0) * 1e-9;
        if (gbs > best) best = gbs;
    }
    return best;
}

/* Seconds per multiply-accumulate at best, and of the peak measured in between. */
static double best_run(job *j, size_t n, double (*peak)(size_t), double *at_peak)
{
    double best = 1e9, macs = (double)(j->mm.w->n_rows * j->mm.w->n_cols) * (double)j->mm.x->m;
    *at_peak = 1e9;
    for (size_t r = 0; r < n; r++) {
        double t0 = ingle_now();
        j->fn(&j->mm, 0, j->mm.w->n_panels, j->scratch[0]);
        double t1 = ingle_now(), done = peak ? peak(2000) : 0, t2 = ingle_now();
        if ((t1 - t0) / macs < best) best = (t1 - t0) / macs;
        if (peak && (t2 - t1) / done < *at_peak) *at_peak = (t2 - t1) / done;
    }
    return best;
}

static void measure(const setup *s, ingle_type type)
{
    const ingle_type_info *t = ingle_type_get(type);
    ingle_packed w = random_weights(type, ROWS_CACHE, s->n_cols);
    ingle_acts many = random_acts(s, t->act, s->m), one = random_acts(s, t->act, 1);
    job j = {.s = s};
    size_t scratch = s->kern.scratch_bytes(s->m, s->n_cols);
    size_t n_rows = STREAM / (ingle_packed_bytes(&w) / ROWS_CACHE) & ~(size_t)15;
    size_t n_out = s->m * ROWS_CACHE + n_rows * (s->m <= FEW ? s->m : 1);
    for (int i = 0; i < s->n_threads; i++) j.scratch[i] = must(ingle_pages_new(scratch));
    float *out = must(ingle_pages_new(n_out * sizeof *out));
    double (*peak)(size_t) = t->act == INGLE_ACT_F32 ? s->kern.peak_f32 : s->kern.peak_int8,
           at_peak;

    j.mm = (ingle_matmul){
        .w = &w, .x = &many, .out = out, .ld_out = ROWS_CACHE, .fetch = s->kern.fetch};
    j.fn = s->kern.gemm[type];
    double gemm = best_run(&j, s->kern.isa == INGLE_ISA_REF ? 3 : 40, peak, &at_peak);
    printf("%-7s  gemm %6.2f cycles %5.1f %%", t->name, gemm * 256 * s->hz,
           peak ? 100 * at_peak / gemm : 0);

    j.mm.x = &one;
    j.fn = s->kern.gemv[type];
    double gemv = best_run(&j, 100, NULL, &at_peak),
           bytes = (double)ingle_packed_bytes(&w) / (double)(ROWS_CACHE * s->n_cols);
    printf("  gemv %6.2f cycles %6.1f GB/s in cache", gemv * 256 * s->hz, bytes / gemv * 1e-9);

    ingle_packed big = random_weights(type, n_rows, s->n_cols);
    j.mm.w = &big;
    double mem = best_stream(&j, ingle_packed_bytes(&big));
    j.mem = big.data;
    j.bytes = ingle_packed_bytes(&big);
    double limit = s->kern.read_all ? best_stream(&j, j.bytes) : 0;
    printf("  %5.1f of %5.1f GB/s in memory", mem, limit);
    if (s->m <= FEW) {
        j.mem = NULL;
        j.mm.x = &many;
        j.mm.ld_out = n_rows;
        j.fn = s->kern.gemm[type];
        double gemm_mem = best_stream(&j, ingle_packed_bytes(&big));
        j.fn = s->kern.gemv[type];
        printf("  %zu tokens: gemm %5.1f", s->m, gemm_mem);
        if (s->m <= s->kern.gemv_tokens)
            printf("  gemv %5.1f", best_stream(&j, ingle_packed_bytes(&big)));
    }
    putchar('\n');

    for (int i = 0; i < s->n_threads; i++) ingle_pages_free(j.scratch[i], scratch);
    ingle_pages_free((void *)big.data, ingle_packed_bytes(&big));
    ingle_pages_free((void *)w.data, ingle_packed_bytes(&w));
    ingle_pages_free(out, n_out * sizeof *out);
    free((void *)many.x), free((void *)one.x);
    ingle_pages_free(many.q, ingle_acts_bytes(t->act, s->m, s->n_cols) + 64);
    ingle_pages_free(one.q, ingle_acts_bytes(t->act, 1, s->n_cols) + 64);
}

/* ---- attention ---- */

#define CONTEXT 4096
#define GROUP   4

/* Seconds of the last n tokens of the context, at best, and per multiply-accumulate at the peak. */
static double best_attend(const setup *s, const ingle_kv_shape *kv, const uint8_t *const *pages,
                          size_t n, double *at_peak)
{
    size_t width = GROUP * kv->head_dim_k,
           scratch_bytes = s->kern.attend_scratch_bytes(kv->head_dim_k, kv->head_dim_v, GROUP);
    void *scratch = must(ingle_pages_new(scratch_bytes));
    float *q = must(ingle_new(2 * n * width, sizeof *q));
    for (size_t i = 0; i < n * width; i++) q[i] = random_normal();
    ingle_attend work = {.kv = kv,
                         .pages = pages,
                         .n_tokens = n,
                         .n_group = GROUP,
                         .pos0 = CONTEXT - n,
                         .scale = 0.1f,
                         .q = q,
                         .ld_q = width,
                         .out = q + n * width,
                         .ld_out = width};
    double best = 1e9;
    *at_peak = 1e9;
    for (int r = 0; r < (s->kern.isa == INGLE_ISA_REF ? 3 : 40); r++) {
        double t0 = ingle_now();
        s->kern.attend(&work, scratch);
        double t1 = ingle_now(), done = s->kern.peak_f32(2000), t2 = ingle_now();
        if (t1 - t0 < best) best = t1 - t0;
        if ((t2 - t1) / done < *at_peak) *at_peak = (t2 - t1) / done;
    }
    ingle_pages_free(scratch, scratch_bytes);
    free(q);
    return best;
}

static void measure_attend(const setup *s, ingle_type type, size_t head_dim)
{
    ingle_kv_shape kv;
    if (!ingle_kv_shape_init(&kv, type, head_dim, head_dim)) exit(1);
    const size_t n_pages = CONTEXT / INGLE_PAGE, n = s->kern.attend_rows / GROUP;
    uint8_t *mem = must(ingle_pages_new(n_pages * kv.bytes));
    const uint8_t *pages[CONTEXT / INGLE_PAGE];
    float k[256], v[256];
    for (size_t i = 0; i < CONTEXT; i++) {
        uint8_t *page = mem + i / INGLE_PAGE * kv.bytes;
        pages[i / INGLE_PAGE] = page;
        for (size_t d = 0; d < head_dim; d++) k[d] = random_normal(), v[d] = random_normal();
        s->kern.kv_store(&kv, page, i % INGLE_PAGE, k, v);
    }
    double at_peak, many = best_attend(s, &kv, pages, n, &at_peak), positions = 0;
    for (size_t t = 0; t < n; t++) positions += (double)(CONTEXT - n + t + 1);
    double macs = 2 * (double)head_dim * GROUP * positions;
    printf("attend  %-4s head_dim %3zu  %zu tokens %5.1f %%", ingle_type_get(type)->name, head_dim,
           n, 100 * macs * at_peak / many);
    double one = best_attend(s, &kv, pages, 1, &at_peak);
    printf("  one token %5.1f GB/s\n", (double)(n_pages * kv.bytes) / one * 1e-9);
    ingle_pages_free(mem, n_pages * kv.bytes);
}

static void measure_attention(const setup *s)
{
    static const ingle_type types[] = {INGLE_TYPE_F32, INGLE_TYPE_F16, INGLE_TYPE_BF16,
                                       INGLE_TYPE_Q8_0};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (size_t dim = 64; dim <= 128; dim *= 2) measure_attend(s, types[i], dim);
}

/* ---- how far ahead memory is asked ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, compare);
    return x[n / 2];
}

/* GB/s of a plain read of a piece, or of its product with one token. */
static double piece_speed(const job *j, size_t panel, size_t n, bool multiply)
{
    const size_t bytes = n * j->mm.w->panel_bytes;
    double t0 = ingle_now();
    if (multiply) {
        j->fn(&j->mm, panel, n, j->scratch[0]);
    } else {
        const uint8_t *from = j->mm.w->data + panel * j->mm.w->panel_bytes;
        volatile uint64_t keep = j->s->kern.read_all(from, bytes & ~(size_t)255);
        (void)keep;
    }
    return (double)bytes / (ingle_now() - t0) * 1e-9;
}

static const ingle_fetch patterns[] = {
    {2048, 0},    {512, 0},      {1024, 0},     {4096, 0},     {8192, 0},     {16384, 0},
    {512, 4096},  {1024, 4096},  {2048, 4096},  {512, 8192},   {1024, 8192},  {2048, 8192},
    {512, 16384}, {1024, 16384}, {2048, 16384}, {1024, 32768}, {2048, 32768},
};

enum { N_PATTERNS = sizeof patterns / sizeof patterns[0], ROUNDS = 96 };

/* By turns: a piece is read, the next one multiplied, and so on through the patterns; no piece comes
 * again before BEYOND other bytes. A product counts beside the mean of the reads around it. */
static void measure_fetch(const setup *s, ingle_type type)
{
    static double gbs[N_PATTERNS][ROUNDS], share[N_PATTERNS][ROUNDS];
    const ingle_type_info *t = ingle_type_get(type);
    ingle_packed w;
    if (!ingle_packed_init(&w, type, 16, s->n_cols)) exit(1);
    const size_t n_rows = BEYOND / w.panel_bytes * 16, n = PIECE / w.panel_bytes,
                 n_pieces = n_rows / 16 / n, scratch = s->kern.scratch_bytes(1, s->n_cols);
    w = random_weights(type, n_rows, s->n_cols);
    ingle_acts x = random_acts(s, t->act, 1);
    float *out = must(ingle_new(n_rows, sizeof *out));
    job j = {.s = s, .fn = s->kern.gemv[type]};
    j.mm = (ingle_matmul){.w = &w, .x = &x, .out = out, .ld_out = n_rows};
    j.scratch[0] = must(ingle_pages_new(scratch));

    double before = piece_speed(&j, 0, n, false);
    size_t at = 1;
    for (size_t r = 0; r < ROUNDS; r++, at += 2 * N_PATTERNS % n_pieces == 0)
        for (size_t i = 0; i < N_PATTERNS; i++, at += 2) {
            j.mm.fetch = patterns[i];
            gbs[i][r] = piece_speed(&j, at % n_pieces * n, n, true);
            double after = piece_speed(&j, (at + 1) % n_pieces * n, n, false);
            share[i][r] = 2 * gbs[i][r] / (before + after);
            before = after;
        }
    for (size_t i = 0; i < N_PATTERNS; i++) {
        const ingle_fetch f = patterns[i];
        bool own = f.near == s->kern.fetch.near && f.far == s->kern.fetch.far;
        double middle = median(share[i], ROUNDS);
        printf("%-7s near %5zu far %5zu  %5.2f GB/s  %.3f of a plain read (%.3f .. %.3f)%s\n",
               t->name, f.near, f.far, median(gbs[i], ROUNDS), middle, share[i][ROUNDS / 4],
               share[i][ROUNDS * 3 / 4], own ? "  chosen" : "");
    }
    ingle_pages_free(j.scratch[0], scratch);
    ingle_pages_free((void *)w.data, ingle_packed_bytes(&w));
    free(out);
    free((void *)x.x);
    ingle_pages_free(x.q, ingle_acts_bytes(t->act, 1, s->n_cols) + 64);
}

static ingle_isa isa_named(const char *name)
{
    static const ingle_isa all[] = {INGLE_ISA_REF, INGLE_ISA_AVX2, INGLE_ISA_AVXVNNI,
                                    INGLE_ISA_AVX512, INGLE_ISA_AVX512BF16};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(name, ingle_isa_name(all[i])) && ingle_cpu_detect().has[all[i]]) return all[i];
    fprintf(stderr, "micro: no level '%s' here\n", name);
    exit(2);
}

static const char help[] =
    "usage: micro [options] [TYPE ... | attend | fetch [TYPE ...]]\n"
    "  TYPE ...  the kernels of these weight types (Q4_0, Q8_0, ...); without any, of all, and "
    "attend\n"
    "  attend    attention\n"
    "  fetch     how far ahead one token should ask memory for weights (Q4_0 Q8_0 Q4_K): one core\n"
    "            multiplies and reads plainly by turns, 768 MiB of weights; medians of GB/s and "
    "of\n"
    "            their share of the read, quarters in brackets. `near`: bytes after the weights "
    "in\n"
    "            hand that are asked to the first-level cache; `far`: to the second, 0: none. "
    "`chosen`\n"
    "            is what the library takes on this processor (src/base/cpu.c).\n"
    "  -i LEVEL    ref, avx2, avxvnni, avx512, avx512bf16\n"
    "  -t THREADS  1\n"
    "  -m TOKENS   510\n"
    "  -k COLUMNS  2048\n";

int main(int argc, char **argv)
{
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(help, stdout);
        return 0;
    }
    setup s = {.n_threads = 1, .m = 510, .n_cols = 2048};
    ingle_isa isa = INGLE_ISA_AUTO;
    int at = 1;
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        if (argv[at][1] == 'i') isa = isa_named(argv[at + 1]);
        else if (argv[at][1] == 't') s.n_threads = atoi(argv[at + 1]);
        else if (argv[at][1] == 'k') s.n_cols = strtoul(argv[at + 1], NULL, 10) / 256 * 256;
        else if (argv[at][1] == 'm') s.m = strtoul(argv[at + 1], NULL, 10);
        else exit(2);
    }
    if (s.n_threads < 1 || s.n_threads > 64 || s.m < 1 || s.n_cols < 256) exit(2);
    ingle_kern_init(&s.kern, isa);
    if (ingle_pool_open(&s.pool, s.n_threads, NULL) != INGLE_OK) exit(1);
    s.hz = core_hz();
    printf("%s, %.2f GHz, %zu tokens, %d threads\n", s.kern.name, s.hz * 1e-9, s.m, s.n_threads);
    const bool fetch = at < argc && !strcmp(argv[at], "fetch");
    if (fetch && ++at == argc)
        for (int i = 0; i < 3; i++)
            measure_fetch(
                &s, (const ingle_type[]){INGLE_TYPE_Q4_0, INGLE_TYPE_Q8_0, INGLE_TYPE_Q4_K}[i]);
    for (unsigned t = 0; t < INGLE_TYPE_COUNT; t++) {
        bool wanted = at == argc && !fetch;
        for (int i = at; i < argc && ingle_type_get(t); i++)
            wanted |= !strcmp(argv[i], ingle_type_get(t)->name);
        if (wanted && ingle_type_get(t)) (fetch ? measure_fetch : measure)(&s, (ingle_type)t);
    }
    bool attend = at == argc && !fetch;
    for (int i = at; i < argc; i++) attend |= !strcmp(argv[i], "attend");
    if (attend) measure_attention(&s);
    ingle_pool_close(&s.pool);
    return 0;
}
