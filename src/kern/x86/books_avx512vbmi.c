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

TYPE(iq1_s, IQ1_S, avx512_tiles(INGLE_TYPE_IQ1_S))
TYPE(iq1_m, IQ1_M, avx512_tiles(INGLE_TYPE_IQ1_M))
TYPE(iq2_xxs, IQ2_XXS, avx512_tiles(INGLE_TYPE_IQ2_XXS))
TYPE(iq2_xs, IQ2_XS, avx512_tiles(INGLE_TYPE_IQ2_XS))
TYPE(iq2_s, IQ2_S, avx512_tiles(INGLE_TYPE_IQ2_S))
TYPE(iq3_xxs, IQ3_XXS, avx512_tiles(INGLE_TYPE_IQ3_XXS))
TYPE(iq3_s, IQ3_S, avx512_tiles(INGLE_TYPE_IQ3_S))

void ingle_kern_avx512vbmi_books(ingle_kern *k)
{
    SET(k, iq1_s, IQ1_S);
    SET(k, iq1_m, IQ1_M);
    SET(k, iq2_xxs, IQ2_XXS);
    SET(k, iq2_xs, IQ2_XS);
    SET(k, iq2_s, IQ2_S);
    SET(k, iq3_xxs, IQ3_XXS);
    SET(k, iq3_s, IQ3_S);
}
