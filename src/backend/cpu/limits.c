/* limits.c - what this machine can do at most, with the backend's own threads and kernels. */
#include "backend/cpu/cpu.h"
#include "base/clock.h"

#include <string.h>

#define PROBE_BYTES   ((size_t)256 << 20) /* well past any last-level cache */
#define PROBE_ROUNDS  5
#define PROBE_SECONDS 0.02

typedef struct probe {
    const ingle_backend *b;
    const uint8_t *mem;
    size_t bytes;
    double (*peak)(size_t n);
    size_t n;
    double macs[1024]; /* by thread */
    _Atomic uint64_t sink;
} probe;

static void read_share(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    probe *p = arg;
    (void)pool;
    size_t share = p->bytes / (size_t)n_threads & ~(size_t)4095;
    p->sink += p->b->kern.read_all(p->mem + share * (size_t)i_thread, share);
}

static void multiply(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    probe *p = arg;
    (void)pool, (void)n_threads;
    p->macs[i_thread] = p->peak(p->n);
}

static double best_read(ingle_backend *b, probe *p)
{
    double best = 0;
    for (int r = 0; r < PROBE_ROUNDS; r++) {
        double t0 = ingle_now();
        ingle_pool_run(b->pool, read_share, p);
        double gbs = (double)p->bytes / (ingle_now() - t0) * 1e-9;
        if (gbs > best) best = gbs;
    }
    return best;
}

static double best_peak(ingle_backend *b, probe *p, double (*peak)(size_t n))
{
    double best = 0;
    if (!peak) return 0;
    p->peak = peak;
    p->n = 1000;
    for (int r = 0; r < PROBE_ROUNDS + 6; r++) {
        double macs = 0, t0 = ingle_now();
        int n_running = ingle_pool_run(b->pool, multiply, p);
        double s = ingle_now() - t0;
        for (int i = 0; i < n_running; i++) macs += p->macs[i];
        if (s < PROBE_SECONDS / 2) {
            p->n *= 4;
            continue;
        }
        if (macs / s > best) best = macs / s;
    }
    return best * 1e-9;
}

ingle_status cpu_limits(ingle_backend *b, ingle_limits *limits, ingle_error *err)
{
    probe p = {.b = b, .mem = b->store->mem, .bytes = b->store->bytes};
    uint8_t *own = NULL;
    if (p.bytes < PROBE_BYTES) {
        if (!(own = ingle_pages_new(PROBE_BYTES)))
            return ingle_fail(err, INGLE_ENOMEM, "no memory for the bandwidth probe");
        memset(own, 1, PROBE_BYTES);
        p.mem = own;
        p.bytes = PROBE_BYTES;
    }
    if (p.bytes > 4 * PROBE_BYTES) p.bytes = 4 * PROBE_BYTES;
    limits->read_gbs = best_read(b, &p);
    ingle_pages_free(own, PROBE_BYTES);
    limits->int8_gmacs = best_peak(b, &p, b->kern.peak_int8);
    limits->bf16_gmacs = best_peak(b, &p, b->kern.peak_bf16);
    limits->f32_gmacs = best_peak(b, &p, b->kern.peak_f32);
    return INGLE_OK;
}
