/* positions.c - how a layer knows where tokens are: its window, RoPE and ALiBi (families.h). */
#include "model/families.h"

#include <math.h>

ingle_rope_set ingle_layer_rope(const ingle_family *family, const ingle_hparams *hp, uint32_t layer)
{
    bool windowed = hp->layer[layer].local;
    if (!hp->turns || (family->rope_where == INGLE_ROPE_NOT_FOURTH && layer % 4 == 3) ||
        (family->rope_where == INGLE_ROPE_WINDOWED && !windowed) ||
        (family->rope_where == INGLE_ROPE_WINDOWED_IF && hp->window && !windowed))
        return INGLE_ROPE_NONE;
    return family->rope_swa && windowed && hp->window ? INGLE_ROPE_SWA : INGLE_ROPE_GLOBAL;
}

double ingle_alibi_slope(double bias, uint32_t n_head, uint32_t head)
{
    uint32_t n = 1; /* the power of two up to n_head; heads behind it lie between the others */
    while (n * 2 <= n_head) n *= 2;
    double exponent = head < n ? bias / n * (head + 1) : bias / (2 * n) * (2 * (head - n) + 1);
    return exp2(-exponent);
}

static double yarn_dimension(const ingle_rope *rope, double n_turns)
{
    const double two_pi = 6.283185307179586;
    return rope->n_rot * log(rope->n_ctx_orig / (n_turns * two_pi)) / (2 * log(rope->base));
}

double ingle_rope_frequency(const ingle_rope *rope, uint32_t i, double freq_factor)
{
    double own = pow(rope->base, -2.0 * i / rope->n_rot) / freq_factor;
    if (rope->scaling == INGLE_SCALING_NONE || rope->scaling == INGLE_SCALING_LONG) return own;
    double stretched = own / rope->factor;
    if (rope->scaling == INGLE_SCALING_LINEAR) return stretched;
    double low = floor(yarn_dimension(rope, rope->beta_fast));
    double high = ceil(yarn_dimension(rope, rope->beta_slow));
    if (low < 0) low = 0;
    if (high > rope->n_rot - 1) high = rope->n_rot - 1;
    double ramp = (i - low) / fmax(0.001, high - low);
    ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
    return own * (1 - ramp) + stretched * ramp;
}

double ingle_rope_magnitude(const ingle_rope *rope)
{
    if (rope->scaling != INGLE_SCALING_YARN) return rope->attn_factor;
    double grown = 0.1 * log(rope->factor);
    return rope->attn_factor * (1 + grown) / (1 + rope->log_multiplier * grown);
}
