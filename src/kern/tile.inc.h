/* tile.inc.h - the one multiply kernel behind float matmuls and attention.
 * Included once per level after a lanes_*.h.
 *
 *     c[r][16 v + lane] (+)= sum over k of a[k][v][lane] * b[r][k]
 *
 * One fma chain per element, k ascending. a is F32, F16 or BF16 in 16-lane lines: the lines of one
 * vector v lie a_step elements apart, the vectors a_vec elements apart. In a matmul lanes are 16
 * weight rows; in q k^T they are 16 positions; in p v they are 16 dimensions. */

enum { TILE_F32, TILE_F16, TILE_BF16 };

typedef struct tile {
    size_t n; /* length of the chains */
    const void *a;
    size_t a_step, a_vec;
    const float *b;
    size_t ld_b;
    float *c;
    size_t ld_c;
    bool start; /* chains start at 0, not at c */
    /* What will be read next, fetched into the cache while this is computed: at most up to
     * next_end. Hardware streams end with a page of KV or of memory. NULL: nothing. */
    const char *next, *next_end;
    size_t next_step; /* bytes per k; set by tile_all */
} tile;

typedef void tile_fn(const tile *t);

#if defined(__clang__)
#define TILE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TILE_UNROLL _Pragma("GCC unroll 16")
#endif

static inline __attribute__((always_inline)) v16 tile_load(int type, const char *a, size_t i)
{
    if (type == TILE_F32) return v_load((const float *)a + i);
    if (type == TILE_F16) return v_load_f16((const uint16_t *)a + i);
    return v_load_bf16((const uint16_t *)a + i);
}

/* rows and vecs are constants in every instance, so acc lives in registers. b is walked with one
 * pointer per three rows: [p], [p + ld], [p + 2 ld] are addressing modes, twelve pointers would not
 * fit the integer registers. */
static inline __attribute__((always_inline)) void tile_run(const tile *t, int type, int rows,
                                                           int vecs)
{
    v16 acc[12][4];
    const size_t ld_b = t->ld_b, ld_c = t->ld_c, a_vec = t->a_vec, unit = type == TILE_F32 ? 4 : 2;
    TILE_UNROLL
    for (int r = 0; r < rows; r++) {
        TILE_UNROLL
        for (int v = 0; v < vecs; v++)
            acc[r][v] = t->start ? v_set(0.0f) : v_load(t->c + (size_t)r * ld_c + 16 * v);
    }
    const char *a = t->a;
    const char *next = t->next;
    const float *b[4];
    TILE_UNROLL
    for (int i = 0; 3 * i < rows; i++) b[i] = t->b + 3 * (size_t)i * ld_b;
    for (size_t k = 0; k < t->n; k++) {
        v16 x[4];
        __builtin_prefetch(next);
        if (vecs == 4) __builtin_prefetch(next + 64);
        next += t->next_step;
        TILE_UNROLL
        for (int v = 0; v < vecs; v++) x[v] = tile_load(type, a, (size_t)v * a_vec);
        TILE_UNROLL
        for (int r = 0; r < rows; r++) {
            v16 y = v_set(b[r / 3][k + (size_t)(r % 3) * ld_b]);
            TILE_UNROLL
            for (int v = 0; v < vecs; v++) acc[r][v] = v_fma(x[v], y, acc[r][v]);
        }
        a += t->a_step * unit;
    }
    TILE_UNROLL
    for (int r = 0; r < rows; r++) {
        TILE_UNROLL
        for (int v = 0; v < vecs; v++) v_store(t->c + (size_t)r * ld_c + 16 * v, acc[r][v]);
    }
}

#define TILE_DEFINE(rows, vecs)                                                                    \
    static void tile_f32_##rows##x##vecs(const tile *t)                                            \
    {                                                                                              \
        tile_run(t, TILE_F32, rows, vecs);                                                         \
    }                                                                                              \
    static void tile_f16_##rows##x##vecs(const tile *t)                                            \
    {                                                                                              \
        tile_run(t, TILE_F16, rows, vecs);                                                         \
    }                                                                                              \
    static void tile_bf16_##rows##x##vecs(const tile *t)                                           \
    {                                                                                              \
        tile_run(t, TILE_BF16, rows, vecs);                                                        \
    }
TILE_LIST(TILE_DEFINE)

#define TILE_SLOT(rows, vecs)                                                                      \
    [rows][vecs] = {tile_f32_##rows##x##vecs, tile_f16_##rows##x##vecs, tile_bf16_##rows##x##vecs},
static tile_fn *const tile_table[TILE_ROWS + 1][5][3] = {TILE_LIST(TILE_SLOT)};

static inline size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}
static inline size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Up to TILE_ROWS of the rows that are left, without a small rest after it. */
static inline size_t tile_rows(size_t left)
{
    return left <= TILE_ROWS ? left : left < 2 * TILE_ROWS ? (left + 1) / 2 : TILE_ROWS;
}

/* Any number of rows and vectors, cut into register tiles. */
static void tile_all(int type, size_t rows, size_t vecs, const tile *whole)
{
    const size_t unit = type == TILE_F32 ? 4 : 2;
    const char *next = whole->next;
    for (size_t r = 0, nr; r < rows; r += nr) {
        nr = tile_rows(rows - r);
        tile t = *whole;
        t.b += r * t.ld_b;
        t.c += r * t.ld_c;
        for (size_t v = 0, nv; v < vecs; v += nv) {
            nv = min_size((size_t)TILE_VECS(nr), vecs - v);
            if (nv == 3) nv = 2;
            t.next_step = next < whole->next_end ? nv == 4 ? 128 : 64 : 0;
            t.next = t.next_step ? next : t.a;
            next += t.next_step * t.n;
            tile_table[nr][nv][type](&t);
            t.a = (const char *)t.a + nv * t.a_vec * unit;
            t.c += 16 * nv;
        }
    }
}

/* lines of 16 elements to f32 */
static void lines_to_f32(int type, const void *src, float *dst, size_t n_lines)
{
    for (size_t i = 0; i < n_lines; i++) v_store(dst + 16 * i, tile_load(type, src, 16 * i));
}
