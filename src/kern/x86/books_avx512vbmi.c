/* books_avx512vbmi.c - the codebook types where AVX-512 has VBMI and BITALG too (Ice Lake, Zen 4,
 * later).
 * Depends on books.inc.h (what differs), matmul.inc.h, gemv.inc.h (the tasks), matmul_avx512.c (the
 * tiles). */
#include "kern/x86/vec_avx512.h"
#define NR    3
#define GROUP 4
#define BOOKS 1
#include "kern/x86/matmul.inc.h"
#include "kern/x86/gemv.inc.h"
#include "kern/x86/tile_avx512.inc.h"

#define KERNELS(NAME, fn, ...) KERNELS_OF(NAME, fn, avx512_tiles(INGLE_TYPE_##NAME))
INGLE_TYPES_BOOK(KERNELS)

void ingle_kern_avx512vbmi_books(ingle_kern *k)
{
    INGLE_TYPES_BOOK(SET)
}
