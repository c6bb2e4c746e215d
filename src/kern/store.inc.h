/* store.inc.h - what becomes of the sums of a product with float weights.
 * Included once per level.
 * Parameters: the words of a lanes_*.h, which is included first. */
#ifndef TILE_ROWS
#error "include a lanes_*.h first"
#endif

/* out (* scale) (+ bias) (+ old out) of the sums c [m][16 n_panels] */
static void matmul_store(const ingle_matmul *job, size_t panel, size_t n_panels, const float *c)
{
    for (size_t t = 0; t < job->x->m; t++) {
        for (size_t p = 0; p < n_panels; p++, c += 16) {
            size_t row = 16 * (panel + p), n = job->w->n_rows - row;
            float *out = job->out + t * job->ld_out + row;
            v16 v = v_load(c);
            if (job->scale) v = v_mul(v, v_set(*job->scale));
            if (job->bias) v = v_add(v, v_load_n(job->bias + row, n));
            if (job->add) v = v_add(v, v_load_n(out, n));
            v_store_n(out, v, n);
        }
    }
}
