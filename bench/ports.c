/* ports.c - what a core can do at once: how much the instructions around a dot product cost beside
 * it. build/bench/ports; one thread, no options.
 *
 * Every loop is one block of assembly, so that no compiler moves or spills anything: a base (16
 * dots into sums of their own) and eight more instructions of one kind between them. What these add
 * to the base's cycles tells whether they wait for the same port. A cycle is the time of one
 * addition in a chain of dependent ones, of the same width and taken right beside each loop. All
 * times are the best of many short runs in several passes over all loops: a busy neighbour only adds,
 * and a loop can stay in an unlucky pattern of ports that wastes a fifth. Of tiles the middle run is
 * told as well: what they get beside the neighbours there are. Last the barrier of the
 * pool. What the kernels made of it is in docs/performance.md.
 *
 * Depends on base/clock.h, base/cpu.h, base/pool.h. */
#include "base/clock.h"
#include "base/cpu.h"
#include "base/pool.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)

/* ---- instructions as text; d is the register written, sources are registers 30 and 31 or 14 and
 * ---- 15, which hold zero as all do; memory is at %1 ---- */

#define OP2(op, r, a, d)    op " %%" r #a ", %%" r #d "\n\t"
#define OP3(op, r, a, b, d) op " %%" r #a ", %%" r #b ", %%" r #d "\n\t"
#define Z3(op, d)           OP3(op, "zmm", 31, 30, d)
#define Y3(op, d)           OP3(op, "ymm", 15, 14, d)

#define Z_DOT(d)      Z3("vpdpbusd", d)
#define Z_DOT_MEM(d)  "vpdpbusd (%1)%{1to16%}, %%zmm30, %%zmm" #d "\n\t"
#define Z_DOT16(d)    Z3("vpdpwssd", d)
#define Z_MULL(d)     Z3("vpmulld", d)
#define Z_ADD(d)      Z3("vpaddd", d)
#define Z_AND(d)      Z3("vpandd", d)
#define Z_SHIFT(d)    "vpsrlw $4, %%zmm30, %%zmm" #d "\n\t"
#define Z_CVT(d)      OP2("vcvtdq2ps", "zmm", 30, d)
#define Z_MULF(d)     Z3("vmulps", d)
#define Z_FMA(d)      Z3("vfmadd231ps", d)
#define Z_SHUFB(d)    Z3("vpshufb", d)
#define Z_PERMB(d)    Z3("vpermb", d)
#define Z_LOAD(d)     "vmovdqa64 64(%1), %%zmm" #d "\n\t"
#define Z_SPREAD(d)   "vpbroadcastd 4(%1), %%zmm" #d "\n\t"
#define Z_PREFETCH(d) "prefetcht0 " #d "*64(%1)\n\t"
#define V_DOT(d)      OP3("vpdpbusd", "ymm", 31, 30, d)
#define V_FMA(d)      OP3("vfmadd231ps", "ymm", 31, 30, d)

#define Y_MADD8(d)  Y3("vpmaddubsw", d)
#define Y_MADD16(d) Y3("vpmaddwd", d)
#define Y_ADD(d)    Y3("vpaddd", d)
#define Y_MULL(d)   Y3("vpmulld", d)
#define Y_AND(d)    Y3("vpand", d)
#define Y_SHIFT(d)  "vpsrlw $4, %%ymm14, %%ymm" #d "\n\t"
#define Y_CVT(d)    OP2("vcvtdq2ps", "ymm", 14, d)
#define Y_FMA(d)    Y3("vfmadd231ps", d)
#define Y_SHUFB(d)  Y3("vpshufb", d)
#define Y_LOAD(d)   "vmovdqa 64(%1), %%ymm" #d "\n\t"
#define Y_SPREAD(d) "vpbroadcastd 4(%1), %%ymm" #d "\n\t"

/* ---- loops ---- */

#define EACH_8(X)  X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23)
#define EACH_14(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13)
#define EACH_16(X) EACH_14(X) X(14) X(15)
#define NOTHING(d)
#define NO_SOURCES
#define Z_SOURCES Z_LOAD(30) Z_LOAD(31)
#define Y_SOURCES Y_LOAD(14) Y_LOAD(15)

/* clang-format off */
/* 16 of D and 8 of X, evenly. */
#define BESIDE_16(D, X)                                                                            \
    Z_SOURCES                                                                                      \
    D(0) D(1) X(16) D(2) D(3) X(17) D(4) D(5) X(18) D(6) D(7) X(19)                                \
    D(8) D(9) X(20) D(10) D(11) X(21) D(12) D(13) X(22) D(14) D(15) X(23)

/* The AVX2 dot: three instructions, 8 sums in registers 0 to 7; 4 of X. */
#define TRIPLE(t, d) Y_MADD8(t) OP3("vpmaddwd", "ymm", 15, t, t) OP3("vpaddd", "ymm", t, d, d)
#define BESIDE_TRIPLES(X)                                                                          \
    Y_SOURCES                                                                                      \
    TRIPLE(12, 0) TRIPLE(13, 1) X(8) TRIPLE(12, 2) TRIPLE(13, 3) X(9)                              \
    TRIPLE(12, 4) TRIPLE(13, 5) X(10) TRIPLE(12, 6) TRIPLE(13, 7) X(11)
/* clang-format on */

/* A step of a tile of 64 rows: four lines of weights meet `tokens` broadcasts. */
#define TILE_DOT(w, y, d) OP3("vpdpbusd", "zmm", y, w, d)
#define TILE_TOKEN(y, a, b, c, d)                                                                  \
    Z_SPREAD(y) TILE_DOT(24, y, a) TILE_DOT(25, y, b) TILE_DOT(26, y, c) TILE_DOT(27, y, d)
#define TILE_MEM(a, b, c, d) Z_DOT_MEM(a) Z_DOT_MEM(b) Z_DOT_MEM(c) Z_DOT_MEM(d)
#define TILE_WEIGHTS         Z_LOAD(24) Z_LOAD(25) Z_LOAD(26) Z_LOAD(27)
#define TILE_4X3                                                                                   \
    TILE_WEIGHTS TILE_TOKEN(28, 0, 1, 2, 3) TILE_TOKEN(29, 4, 5, 6, 7) TILE_TOKEN(28, 8, 9, 10, 11)
#define TILE_4X4 TILE_4X3 TILE_TOKEN(29, 12, 13, 14, 15)
#define TILE_4X3_EMBEDDED                                                                          \
    TILE_WEIGHTS TILE_MEM(0, 1, 2, 3) TILE_MEM(4, 5, 6, 7) TILE_MEM(8, 9, 10, 11)

/* A chain: every one waits for the one before. */
#define CHAIN(X)   X(0) X(0) X(0) X(0) X(0) X(0) X(0) X(0)
#define Z_CLOCK(d) OP3("vpaddd", "zmm", 31, d, d)
#define Y_CLOCK(d) OP3("vpaddd", "ymm", 15, d, d)

/* Loaded, and the sources again in every round, as kernels do: on Ice Lake a register that was
 * cleared by "x ^ x" or written long ago can give who reads it up to three cycles more. */
#define CLEAR_Y(d) "vmovdqa (%1), %%ymm" #d "\n\t"
#define CLEAR_Z(d) "vmovdqa64 (%1), %%zmm" #d "\n\t"
#define CLEAR_HIGH                                                                                 \
    EACH_8(CLEAR_Z)                                                                                \
    CLEAR_Z(24) CLEAR_Z(25) CLEAR_Z(26) CLEAR_Z(27) CLEAR_Z(28) CLEAR_Z(29) CLEAR_Z(30) CLEAR_Z(31)
#define LOW                                                                                        \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"
#define HIGH                                                                                       \
    "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",      \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"

#define ROUNDS(clear, body, ...)                                                                   \
    __asm__ volatile(clear ".p2align 6\n1:\n\t" body "sub $1, %0\n\tjnz 1b\n\tvzeroupper"          \
                     : "+r"(n)                                                                     \
                     : "r"(memory)                                                                 \
                     : "cc", "memory", __VA_ARGS__)
#define LOOP_Z(name, body)                                                                         \
    __attribute__((target("avx512f,avx512vl"))) static void name(uint64_t n, const char *memory)   \
    {                                                                                              \
        ROUNDS(EACH_16(CLEAR_Z) CLEAR_HIGH, body, LOW, HIGH);                                      \
    }
#define LOOP_Y(name, body)                                                                         \
    __attribute__((target("avx2"))) static void name(uint64_t n, const char *memory)               \
    {                                                                                              \
        ROUNDS(EACH_16(CLEAR_Y), body, LOW);                                                       \
    }

/* Name, text, and the sources it reads; the same lists make the loops and the tables. */
#define ALONE_Z(X)                                                                                 \
    X(vpdpbusd, Z_DOT, Z_SOURCES)                                                                  \
    X(vpdpbusd_broadcast_inside, Z_DOT_MEM, NO_SOURCES)                                            \
    X(vpdpbusd_256, V_DOT, Z_SOURCES)                                                              \
    X(vpdpwssd, Z_DOT16, Z_SOURCES)                                                                \
    X(vpmulld, Z_MULL, Z_SOURCES)                                                                  \
    X(vpaddd, Z_ADD, Z_SOURCES)                                                                    \
    X(vpandd, Z_AND, Z_SOURCES)                                                                    \
    X(vpsrlw, Z_SHIFT, Z_SOURCES)                                                                  \
    X(vcvtdq2ps, Z_CVT, Z_SOURCES)                                                                 \
    X(vmulps, Z_MULF, Z_SOURCES)                                                                   \
    X(vfmadd231ps, Z_FMA, Z_SOURCES)                                                               \
    X(vfmadd231ps_256, V_FMA, Z_SOURCES)                                                           \
    X(vpshufb, Z_SHUFB, Z_SOURCES)                                                                 \
    X(load_64_bytes, Z_LOAD, NO_SOURCES)                                                           \
    X(vpbroadcastd_from_memory, Z_SPREAD, NO_SOURCES)                                              \
    X(prefetcht0, Z_PREFETCH, NO_SOURCES)
#define ALONE_VBMI(X) X(vpermb, Z_PERMB, Z_SOURCES)
#define ALONE_Y(X)                                                                                 \
    X(vpmaddubsw, Y_MADD8, Y_SOURCES)                                                              \
    X(vpmaddwd, Y_MADD16, Y_SOURCES)                                                               \
    X(vpmulld, Y_MULL, Y_SOURCES)                                                                  \
    X(vpaddd, Y_ADD, Y_SOURCES)                                                                    \
    X(vpand, Y_AND, Y_SOURCES)                                                                     \
    X(vpsrlw, Y_SHIFT, Y_SOURCES)                                                                  \
    X(vcvtdq2ps, Y_CVT, Y_SOURCES)                                                                 \
    X(vfmadd231ps, Y_FMA, Y_SOURCES)                                                               \
    X(vpshufb, Y_SHUFB, Y_SOURCES)                                                                 \
    X(load_32_bytes, Y_LOAD, NO_SOURCES)                                                           \
    X(vpbroadcastd_from_memory, Y_SPREAD, NO_SOURCES)

#define MAKE_Z(name, op, sources)                                                                  \
    LOOP_Z(alone_z_##name, sources EACH_14(op)) LOOP_Z(beside_z_##name, BESIDE_16(Z_DOT, op))
#define MAKE_Y(name, op, sources)                                                                  \
    LOOP_Y(alone_y_##name, sources EACH_14(op)) LOOP_Y(beside_y_##name, BESIDE_TRIPLES(op))
ALONE_Z(MAKE_Z)
ALONE_VBMI(MAKE_Z)
ALONE_Y(MAKE_Y)
LOOP_Z(base_z, BESIDE_16(Z_DOT, NOTHING))
LOOP_Y(base_y, BESIDE_TRIPLES(NOTHING))
LOOP_Z(clock_z, Z_SOURCES CHAIN(Z_CLOCK))
LOOP_Y(clock_y, Y_SOURCES CHAIN(Y_CLOCK))
LOOP_Z(chain_dot, Z_SOURCES CHAIN(Z_DOT))
LOOP_Z(chain_fma, Z_SOURCES CHAIN(Z_FMA))
#define DOTS_32 EACH_16(Z_DOT) EACH_16(Z_DOT)
LOOP_Z(only_dots, DOTS_32 DOTS_32 DOTS_32 DOTS_32)
LOOP_Z(tile_4x3, TILE_4X3)
LOOP_Z(tile_4x4, TILE_4X4)
LOOP_Z(tile_4x3_embedded, TILE_4X3_EMBEDDED)

typedef void run_fn(uint64_t n, const char *memory);

typedef struct row {
    const char *name;
    run_fn *alone, *beside;
    bool vbmi;
} row;

#define ROW_Z(name, op, sources)    {#name, alone_z_##name, beside_z_##name, false},
#define ROW_VBMI(name, op, sources) {#name, alone_z_##name, beside_z_##name, true},
#define ROW_Y(name, op, sources)    {#name, alone_y_##name, beside_y_##name, false},
static const row ROWS_Z[] = {ALONE_Z(ROW_Z) ALONE_VBMI(ROW_VBMI)};
static const row ROWS_Y[] = {ALONE_Y(ROW_Y)};

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- measuring ---- */

enum { ROUNDS_PER_RUN = 1000, RUNS = 100, PASSES = 12, ALONE = 14, CHAINED = 8 };

static const _Alignas(4096) char zeroes[4096];

/* Cycles of a round, at best; 0: not yet measured. */
typedef struct found {
    double alone, beside;
} found;

static double run_once(run_fn *run)
{
    double t0 = ingle_now();
    run(ROUNDS_PER_RUN, zeroes);
    return (ingle_now() - t0) / ROUNDS_PER_RUN;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle_of(double *x, size_t n)
{
    qsort(x, n, sizeof *x, by_size);
    return x[n / 2];
}

/* The best run of all passes; returns the middle one of this. */
static double measure(double *cycles, run_fn *run, run_fn *clock)
{
    double took[RUNS], best = 1, tick = 1;
    for (int i = 0; i < RUNS; i++) {
        took[i] = run_once(run);
        double chain = run_once(clock) / CHAINED;
        if (took[i] < best) best = took[i];
        if (chain < tick) tick = chain;
    }
    if (*cycles == 0 || best / tick < *cycles) *cycles = best / tick;
    return middle_of(took, RUNS) / tick;
}

static void measure_rows(const row *rows, found *at, size_t n, bool vbmi, run_fn *clock)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].vbmi && !vbmi) continue;
        measure(&at[i].alone, rows[i].alone, clock);
        measure(&at[i].beside, rows[i].beside, clock);
    }
}

static void print_rows(const row *rows, const found *at, size_t n, double base, int added)
{
    for (size_t i = 0; i < n; i++) {
        if (at[i].alone == 0) continue;
        printf("| ");
        for (const char *c = rows[i].name; *c; c++) putchar(*c == '_' ? ' ' : *c);
        printf(" | %.2f | %.1f | %.2f |\n", ALONE / at[i].alone, at[i].beside,
               (at[i].beside - base) / added);
    }
}

static void print_head(const char *base, int added)
{
    printf("| instruction | a cycle, alone | %d of them beside %s, cycles | added by one |\n",
           added, base);
    printf("|---|---:|---:|---:|\n");
}

static void avx512(bool vbmi)
{
    static const char *const names[] = {"128 dots and nothing else",
                                        "64 rows, 3 tokens: 4 loads, 3 broadcasts, 12 dots",
                                        "64 rows, 4 tokens: 4 loads, 4 broadcasts, 16 dots",
                                        "64 rows, 3 tokens, broadcasts inside the dots"};
    static run_fn *const tiles[] = {only_dots, tile_4x3, tile_4x4, tile_4x3_embedded};
    static const int dots[] = {128, 12, 16, 12};
    double base = 0, dot = 0, fma = 0, tile[COUNT(tiles)] = {0}, middle[COUNT(tiles)][PASSES];
    found at[COUNT(ROWS_Z)] = {{0}};
    for (int pass = 0; pass < PASSES; pass++) {
        measure(&base, base_z, clock_z);
        measure(&dot, chain_dot, clock_z);
        measure(&fma, chain_fma, clock_z);
        for (size_t i = 0; i < COUNT(tiles); i++)
            middle[i][pass] = measure(&tile[i], tiles[i], clock_z);
        measure_rows(ROWS_Z, at, COUNT(ROWS_Z), vbmi, clock_z);
    }
    printf(
        "512 bits: 16 sums of vpdpbusd take %.1f cycles; one in a chain takes %.1f, a vfmadd231ps "
        "%.1f\n\n",
        base, dot / CHAINED, fma / CHAINED);
    print_head("16 vpdpbusd", 8);
    print_rows(ROWS_Z, at, COUNT(ROWS_Z), base, 8);
    printf(
        "\n| step of a tile | cycles | dots a cycle | in the middle run |\n|---|---:|---:|---:|\n");
    for (size_t i = 0; i < COUNT(tiles); i++)
        printf("| %s | %.1f | %.2f | %.2f |\n", names[i], tile[i], dots[i] / tile[i],
               dots[i] / middle_of(middle[i], PASSES));
}

static void avx2(void)
{
    double base = 0;
    found at[COUNT(ROWS_Y)] = {{0}};
    for (int pass = 0; pass < PASSES; pass++) {
        measure(&base, base_y, clock_y);
        measure_rows(ROWS_Y, at, COUNT(ROWS_Y), false, clock_y);
    }
    printf("\n256 bits: 8 sums of vpmaddubsw, vpmaddwd and vpaddd take %.1f cycles\n\n", base);
    print_head("8 such sums", 4);
    print_rows(ROWS_Y, at, COUNT(ROWS_Y), base, 4);
}

static void instructions(const ingle_cpu *cpu)
{
    if (cpu->has[INGLE_ISA_AVX2]) run_once(clock_y); /* wakes the core's upper lanes */
    if (cpu->has[INGLE_ISA_AVX512]) avx512((cpu->features & INGLE_CPU_VBMI_BITALG) != 0);
    else printf("512 bits: not measured on this processor\n");
    if (cpu->has[INGLE_ISA_AVX2]) avx2();
    else printf("256 bits: not measured on this processor\n");
}

#else

static void instructions(const ingle_cpu *cpu)
{
    (void)cpu;
    printf("instructions: not measured on this processor\n");
}

#endif

/* ---- the pool's barrier ---- */

enum { BARRIERS = 200, MEETINGS = 50, POOLS = 20 };

static void meet(void *arg, ingle_pool *pool, int i_thread, int n_threads)
{
    double *seconds = arg, t0 = ingle_now();
    (void)n_threads;
    for (int i = 0; i < BARRIERS; i++) ingle_pool_barrier(pool, i_thread);
    if (i_thread == 0) *seconds = ingle_now() - t0;
}

/* Several pools, because one that has spun in vain sleeps earlier from then on. */
static void barrier(int n_threads)
{
    double best = 1, worst = 0, seconds = 1;
    for (int i = 0; i < POOLS; i++) {
        ingle_pool *pool = NULL;
        ingle_error err;
        double least = 1;
        if (ingle_pool_open(&pool, n_threads, &err) != INGLE_OK) {
            fprintf(stderr, "ports: %s\n", err.text);
            return;
        }
        for (int r = 0; r < MEETINGS; r++) {
            ingle_pool_run(pool, meet, &seconds);
            if (seconds < least) least = seconds;
        }
        ingle_pool_close(&pool);
        if (least < best) best = least;
        if (least > worst) worst = least;
    }
    printf("\nbarrier of %d threads: %.0f ns, in the worst of %d pools %.0f ns\n", n_threads,
           best / BARRIERS * 1e9, POOLS, worst / BARRIERS * 1e9);
}

int main(void)
{
    ingle_cpu cpu = ingle_cpu_detect();
    instructions(&cpu);
    barrier(ingle_cpu_cores("", NULL));
    return 0;
}
