/* tile.inc.h - the one multiply kernel behind float matmuls and attention.
 * Included once per level.
 * Parameters: the words of a lanes_*.h, which is included first, and from there
 *
 *     TILE_ROWS        rows of a register tile, at most
 *     TILE_VECS(rows)  vectors of it, at most
 *     TILE_LIST(X)     X(rows, vectors) of all tiles
 *     TILE_NEAR_ROWS   fewer rows for what is near, where loads of b limit tiles; may be left out
 *
 *     c[r][16 v + lane] (+)= sum over k of a[k][v][lane] * b[r][k]
 *
 * One fma chain per element, k ascending. In a matmul lanes are 16 weight rows; in q k^T they are
 * 16 positions; in p v they are 16 dimensions. a may be cut along k into pages that lie anywhere;
 * it is converted to f32 on the way into the registers, and fetched ahead: best for few rows. What
 * many rows pass over is better spread out once, as f32 and in pieces of the first-level cache
 * (TILE_NEAR): their tiles do nothing but multiply. */
#if !defined(TILE_ROWS) || !defined(TILE_VECS) || !defined(TILE_LIST)
#error "include a lanes_*.h first"
#endif

enum {
    TILE_F32,
    TILE_F16,
    TILE_BF16,
    TILE_Q8_V, /* int8, a scale for every k and 32 lanes */
    TILE_Q8_K, /* int8, a scale for every lane and 32 k */
    TILE_NEAR, /* f32 that lies in the first-level cache, in one page */
    TILE_TYPES
};

typedef struct tile {
    /* page_rows rows of a per page. One entry more than needed: what will be read afterwards, to be
     * fetched into the cache ahead of time as each page is during the one before it (hardware
     * streams end with the page); NULL if nothing is known. */
    const char *const *pages;
    size_t page_rows;
    size_t first;         /* row of the first page that is k = 0 */
    size_t offset;        /* bytes from a page to vector 0 */
    size_t a_step, a_vec; /* elements between rows and between vectors */
    size_t scale;         /* int8: bytes from a page to the scale of its first row and vector 0 */
    size_t scale_step;    /* floats from row to row, or from 32 rows to the next */
    size_t n;             /* length of the chains */
    const float *b;
    size_t ld_b;
    float *c;
    size_t ld_c;
    bool start; /* chains start at 0, not at c */
} tile;

typedef void tile_fn(const tile *t);

#ifndef TILE_NEAR_ROWS
#define TILE_NEAR_ROWS TILE_ROWS
#endif

#if defined(__clang__)
#define TILE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TILE_UNROLL _Pragma("GCC unroll 32")
#endif
#define TILE_INLINE static inline __attribute__((always_inline))

static inline size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}
static inline size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

TILE_INLINE size_t tile_unit(int type)
{
    return type == TILE_F32 || type == TILE_NEAR   ? 4
           : type == TILE_F16 || type == TILE_BF16 ? 2
                                                   : 1;
}

TILE_INLINE v16 tile_load(int type, const char *a)
{
    if (type == TILE_F32 || type == TILE_NEAR) return v_load((const float *)a);
    if (type == TILE_F16) return v_load_f16((const uint16_t *)a);
    if (type == TILE_BF16) return v_load_bf16((const uint16_t *)a);
    return v_load_s8((const int8_t *)a);
}

/* Rows at .. at + n - 1 of one page. rows and vecs are constants in every instance, so acc lives in
 * registers. b is walked with one pointer per three rows: [p], [p + ld], [p + 2 ld] are addressing
 * modes, twelve pointers would not fit the integer registers. */
TILE_INLINE void tile_page(const tile *t, int type, int rows, int vecs, const char *const *page,
                           size_t at, size_t n, const float *b_rows, v16 acc[12][4])
{
    const size_t ld_b = t->ld_b, step = t->a_step * tile_unit(type),
                 vec = t->a_vec * tile_unit(type);
    const uintptr_t ahead =
        type != TILE_NEAR && page[1] ? (uintptr_t)page[1] - (uintptr_t)page[0] : 0;
    const char *a = page[0] + t->offset + at * step;
    const float *scale = (const float *)(page[0] + t->scale), *b[4];
    v16 x[4], s[4];
    if (type == TILE_Q8_V) scale += at * t->scale_step;
    TILE_UNROLL
    for (int v = 0; v < vecs; v++) s[v] = v_set(0.0f); /* or compilers worry */
    TILE_UNROLL
    for (int i = 0; 3 * i < rows; i++) b[i] = b_rows + 3 * (size_t)i * ld_b;
    for (size_t k = 0; k < n; k++, a += step) {
        if (type == TILE_Q8_K && k % 32 == 0) {
            TILE_UNROLL
            for (int v = 0; v < vecs; v++) s[v] = v_load(scale + 16 * v);
            scale += t->scale_step;
        }
        if (type != TILE_NEAR) __builtin_prefetch((const void *)((uintptr_t)a + ahead));
        if (type != TILE_NEAR && vecs == 4)
            __builtin_prefetch((const void *)((uintptr_t)a + 64 + ahead));
        TILE_UNROLL
        for (int v = 0; v < vecs; v++) {
            x[v] = tile_load(type, a + (size_t)v * vec);
            if (type == TILE_Q8_K) x[v] = v_mul(x[v], s[v]);
            if (type == TILE_Q8_V) x[v] = v_mul(x[v], v_set(scale[v / 2]));
        }
        if (type == TILE_Q8_V) scale += t->scale_step;
        TILE_UNROLL
        for (int r = 0; r < rows; r++) {
            v16 y = v_set(b[r / 3][k + (size_t)(r % 3) * ld_b]);
            TILE_UNROLL
            for (int v = 0; v < vecs; v++) acc[r][v] = v_fma(x[v], y, acc[r][v]);
        }
    }
}

/* The next row of c. Hidden from the optimiser, which would keep a multiple of ld for every row and
 * run out of registers. */
TILE_INLINE float *tile_down(float *c, size_t ld_c)
{
    c += ld_c;
    __asm__("" : "+r"(c));
    return c;
}

TILE_INLINE void tile_run(const tile *t, int type, int rows, int vecs)
{
    v16 acc[12][4];
    float *c = t->c;
    const size_t ld_c = t->ld_c;
    const bool start = t->start;
    TILE_UNROLL
    for (int r = 0; r < rows; r++, c = tile_down(c, ld_c)) {
        TILE_UNROLL
        for (int v = 0; v < vecs; v++) acc[r][v] = start ? v_set(0.0f) : v_load(c + 16 * v);
    }
    const char *const *page = t->pages;
    if (type == TILE_NEAR) {
        tile_page(t, type, rows, vecs, page, 0, t->n, t->b, acc);
    } else {
        for (size_t k = 0, at = t->first, n; k < t->n; k += n, at = 0, page++) {
            n = min_size(t->n - k, t->page_rows - at);
            tile_page(t, type, rows, vecs, page, at, n, t->b + k, acc);
        }
    }
    c = t->c;
    TILE_UNROLL
    for (int r = 0; r < rows; r++, c = tile_down(c, ld_c)) {
        TILE_UNROLL
        for (int v = 0; v < vecs; v++) v_store(c + 16 * v, acc[r][v]);
    }
}

#define TILE_DEFINE_TYPE(name, type, rows, vecs)                                                   \
    static void tile_##name##_##rows##x##vecs(const tile *t)                                       \
    {                                                                                              \
        tile_run(t, type, rows, vecs);                                                             \
    }
#define TILE_DEFINE(rows, vecs)                                                                    \
    TILE_DEFINE_TYPE(f32, TILE_F32, rows, vecs)                                                    \
    TILE_DEFINE_TYPE(f16, TILE_F16, rows, vecs)                                                    \
    TILE_DEFINE_TYPE(bf16, TILE_BF16, rows, vecs)                                                  \
    TILE_DEFINE_TYPE(q8_v, TILE_Q8_V, rows, vecs)                                                  \
    TILE_DEFINE_TYPE(q8_k, TILE_Q8_K, rows, vecs)                                                  \
    TILE_DEFINE_TYPE(near, TILE_NEAR, rows, vecs)
TILE_LIST(TILE_DEFINE)

#define TILE_SLOT(rows, vecs)                                                                      \
    [rows][vecs] = {tile_f32_##rows##x##vecs,  tile_f16_##rows##x##vecs,                           \
                    tile_bf16_##rows##x##vecs, tile_q8_v_##rows##x##vecs,                          \
                    tile_q8_k_##rows##x##vecs, tile_near_##rows##x##vecs},
static tile_fn *const tile_table[TILE_ROWS + 1][5][TILE_TYPES] = {TILE_LIST(TILE_SLOT)};

/* Rows of one tile: as many as there are, at most what is best, without a small rest after it. */
static inline size_t tile_rows(int type, size_t left)
{
    const size_t most = type == TILE_NEAR ? TILE_NEAR_ROWS : TILE_ROWS;
    return left <= most ? left : left < 2 * most ? (left + 1) / 2 : most;
}

/* Any number of rows and vectors, cut into register tiles. Moves *t instead of a copy of it: a copy
 * would wait for the caller's stores. */
static void tile_all(int type, size_t rows, size_t vecs, tile *t)
{
    const size_t offset = t->offset, scale = t->scale;
    for (size_t r = 0, nr; r < rows; r += nr) {
        float *c = t->c;
        nr = tile_rows(type, rows - r);
        for (size_t v = 0, nv; v < vecs; v += nv) {
            nv = min_size((size_t)TILE_VECS(nr), vecs - v);
            if (nv == 3) nv = 2;
            t->offset = offset + v * t->a_vec * tile_unit(type);
            t->scale = scale + (type == TILE_Q8_K ? 16 * v : v / 2) * sizeof(float);
            t->c = c + 16 * v;
            tile_table[nr][nv][type](t);
        }
        t->b += nr * t->ld_b;
        t->c = c + nr * t->ld_c;
    }
}

/* One row of a line of `n` values to f32, as the tiles would convert it. scale: its first. */
TILE_INLINE void tile_spread(int type, const char *a, const float *scale, float *dst, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        v16 x = tile_load(type, a + i * tile_unit(type));
        if (type == TILE_Q8_K) x = v_mul(x, v_load(scale + i));
        if (type == TILE_Q8_V) x = v_mul(x, v_set(scale[i / 32]));
        v_store(dst + i, x);
    }
}
