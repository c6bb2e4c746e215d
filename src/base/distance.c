/* distance.c - optimal string alignment: three rows of the usual table. */
#include "base/distance.h"

enum { MOST = 128 };

size_t ingle_distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t rows[3][MOST + 1], *prev2 = rows[0], *prev = rows[1], *cur = rows[2];
    size_t over_a = na > MOST ? na - MOST : 0, over_b = nb > MOST ? nb - MOST : 0;
    na -= over_a;
    nb -= over_b;
    for (size_t j = 0; j <= nb; j++) prev[j] = j;
    for (size_t i = 1; i <= na; i++) {
        cur[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = prev[j - 1] + (a[i - 1] != b[j - 1]);
            if (prev[j] + 1 < best) best = prev[j] + 1;
            if (cur[j - 1] + 1 < best) best = cur[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                prev2[j - 2] + 1 < best)
                best = prev2[j - 2] + 1;
            cur[j] = best;
        }
        size_t *oldest = prev2;
        prev2 = prev, prev = cur, cur = oldest;
    }
    return prev[nb] + (over_a > over_b ? over_a - over_b : over_b - over_a);
}
