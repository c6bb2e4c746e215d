/* rows.inc.h - row kernels: norm, add, mul, scale, silu, rope, exp.
 * Included once per level; defines statics only. Tails load and store only what is in the row.
 * Parameters: the words of a lanes_*.h, which is included first. */
#ifndef TILE_ROWS
#error "include a lanes_*.h first"
#endif

/* q of e^r = 1 + r + r^2 q(r), |r| <= ln 2 / 2. */
static inline v16 v_exp_tail(v16 r)
{
    v16 q = v_fma(v_set(0x1.6a23ccp-10f), r, v_set(0x1.123a2p-7f));
    q = v_fma(q, r, v_set(0x1.5558f2p-5f));
    q = v_fma(q, r, v_set(0x1.555492p-3f));
    return v_fma(q, r, v_set(0x1.fffffcp-2f));
}

/* e^x: n = rint(x / ln 2), r = x - n ln 2 in two parts, 1 + r + r^2 q(r) with a minimax q of degree
 * 4 (relative error 3.1e-9 over |r| <= ln 2 / 2), then 2^n exactly. At most 1.01 ulp from the true
 * value; 0 below -104, infinity above 88.73. */
static inline v16 v_exp(v16 x)
{
    const v16 magic = v_set(0x1.8p23f); /* adding it leaves the rounded integer in the low bits */
    x = v_min(v_set(89.0f), v_max(v_set(-104.0f), x)); /* in this order a NaN stays */
    v16 n = v_sub(v_fma(x, v_set(0x1.715476p0f), magic), magic);
    v16 r = v_fma(n, v_set(-0x1.62e43p-1f), x);
    r = v_fma(n, v_set(0x1.05c61p-29f), r);
    v16 p = v_fma(v_fma(v_exp_tail(r), r, v_set(1.0f)), r, v_set(1.0f));
    return v_pow2(p, n);
}

/* Odd polynomial below 0.625 (relative error 4.4e-9), 1 - 2 / (e^2x + 1) above. */
static inline v16 v_tanh(v16 x)
{
    v16 a = v_abs(x), z = v_mul(x, x), one = v_set(1.0f);
    v16 p = v_fma(v_set(-0x1.75b9ccp-8f), z, v_set(0x1.521e02p-6f));
    p = v_fma(p, z, v_set(-0x1.b83b18p-5f));
    p = v_fma(p, z, v_set(0x1.11071ep-3f));
    p = v_fma(p, z, v_set(-0x1.555532p-2f));
    p = v_fma(v_mul(p, z), x, x);
    v16 e = v_exp(v_add(a, a));
    v16 big = v_copysign(v_sub(one, v_div(v_set(2.0f), v_add(e, one))), x);
    return v_pick_lt(a, v_set(0.625f), p, big);
}

static inline v16 v_silu(v16 x)
{
    return v_div(x, v_add(v_set(1.0f), v_exp(v_sub(v_set(0.0f), x))));
}

/* The tanh form: x / 2 (1 + tanh(sqrt(2 / pi) x (1 + 0.044715 x^2))). */
static inline v16 v_gelu(v16 x)
{
    v16 one = v_set(1.0f), inner = v_fma(v_mul(v_set(0.044715f), x), x, one);
    v16 t = v_tanh(v_mul(v_mul(v_set(0.79788456f), x), inner));
    return v_mul(v_mul(v_set(0.5f), x), v_add(one, t));
}

/* x / 2 (1 + erf(t)), t = x / sqrt(2). Below |t| = 1 erf is odd: t times a polynomial in t^2; above
 * ln(erfc(|t|)) is nearly a parabola, here of degree 9 around 1, and from 5 on nothing is left. */
static inline v16 v_gelu_erf(v16 x)
{
    static const float near[] = {0x1.4a569p-14f, -0x1.a45088p-11f, 0x1.541272p-8f, -0x1.b7fabap-6f,
                                 0x1.ce2d1p-4f,  -0x1.81273ep-2f,  0x1.20dd74p+0f},
                       far[] = {-0x1.eb0b16p-24f, 0x1.ab6ba2p-19f, -0x1.5dcdfcp-15f,
                                0x1.6bc4eep-12f,  -0x1.13814p-9f,  0x1.4be02ep-7f,
                                -0x1.54d592p-5f,  -0x1.afaa3cp-1f, -0x1.51c9bap+1f,
                                -0x1.d97fbep+0f};
    const v16 one = v_set(1.0f), zero = v_set(0.0f);
    v16 t = v_mul(v_abs(x), v_set(0x1.6a09e6p-1f)), z = v_mul(t, t), u = v_sub(t, one);
    v16 p = v_set(near[0]), q = v_set(far[0]);
    for (int i = 1; i < 7; i++) p = v_fma(p, z, v_set(near[i]));
    for (int i = 1; i < 10; i++) q = v_fma(q, u, v_set(far[i]));
    p = v_fma(p, v_copysign(t, x), one);
    q = v_pick_lt(t, v_set(5.0f), v_exp(q), zero);
    q = v_pick_lt(x, zero, q, v_sub(v_set(2.0f), q));
    return v_mul(v_mul(v_set(0.5f), x), v_pick_lt(t, one, p, q));
}

/* Huang & Schlag 2024 (arXiv 2411.13010): a quadratic above zero, an exponential below; p: alpha_p,
 * alpha_n, beta, eps as used there (after softplus). In this order of min a NaN stays. */
static inline v16 v_xielu(v16 x, const float p[4])
{
    const v16 one = v_set(1.0f), straight = v_mul(v_set(p[2]), x);
    v16 m = v_min(v_set(p[3]), x);
    v16 bend = v_pick_lt(v_set(-0.34f), m, v_mul(v_mul(m, m), v_exp_tail(m)),
                         v_sub(v_sub(v_exp(m), one), m)); /* e^m - 1 - m */
    bend = v_add(bend, v_sub(m, x));
    v16 up = v_fma(v_mul(v_set(p[0]), x), x, straight);
    return v_pick_lt(v_set(0.0f), x, up, v_fma(bend, v_set(p[1]), straight));
}

static inline size_t min_left(size_t n)
{
    return n < 16 ? n : 16;
}

static void norm_rms(float *dst, const float *src, const float *weight, size_t n, float eps)
{
    v16 sum = v_set(0.0f);
    for (size_t i = 0; i < n; i += 16) {
        v16 x = v_load_n(src + i, n - i);
        sum = v_fma(x, x, sum);
    }
    v16 s = v_set(1.0f / sqrtf(v_sum(sum) / (float)n + eps));
    for (size_t i = 0; i < n; i += 16) {
        v16 x = v_mul(v_load_n(src + i, n - i), s);
        if (weight) x = v_mul(x, v_load_n(weight + i, n - i));
        v_store_n(dst + i, x, n - i);
    }
}

static void norm_layer(float *dst, const float *src, const float *weight, const float *bias,
                       size_t n, float eps)
{
    v16 sum = v_set(0.0f), squares = v_set(0.0f);
    for (size_t i = 0; i < n; i += 16) sum = v_add(sum, v_load_n(src + i, n - i));
    v16 mean = v_set(v_sum(sum) / (float)n);
    for (size_t i = 0; i < n; i += 16) {
        v16 x = v_keep(v_sub(v_load_n(src + i, n - i), mean), 0, (int)min_left(n - i), 0.0f);
        squares = v_fma(x, x, squares);
    }
    v16 s = v_set(1.0f / sqrtf(v_sum(squares) / (float)n + eps));
    for (size_t i = 0; i < n; i += 16) {
        v16 x = v_mul(v_sub(v_load_n(src + i, n - i), mean), s);
        if (weight) x = v_mul(x, v_load_n(weight + i, n - i));
        if (bias) x = v_add(x, v_load_n(bias + i, n - i));
        v_store_n(dst + i, x, n - i);
    }
}

static void row_add(float *dst, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_add(v_load_n(a + i, n - i), v_load_n(b + i, n - i)), n - i);
}

static void row_mul(float *dst, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_mul(v_load_n(a + i, n - i), v_load_n(b + i, n - i)), n - i);
}

static void row_scale(float *dst, const float *a, float s, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_mul(v_load_n(a + i, n - i), v_set(s)), n - i);
}

static void row_add_scaled(float *dst, const float *a, float s, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_fma(v_load_n(a + i, n - i), v_set(s), v_load_n(dst + i, n - i)),
                  n - i);
}

static void row_swiglu_gate(float *dst, const float *a, size_t n)
{
    const v16 one = v_set(1.0f), limit = v_set(7.0f), slope = v_set(-1.702f);
    for (size_t i = 0; i < n; i += 16) {
        v16 x = v_min(limit, v_load_n(a + i, n - i)); /* in this order a NaN stays */
        v_store_n(dst + i, v_div(x, v_add(one, v_exp(v_mul(slope, x)))), n - i);
    }
}

static void row_swiglu_up(float *dst, const float *a, size_t n)
{
    const v16 one = v_set(1.0f), limit = v_set(7.0f), least = v_set(-7.0f);
    for (size_t i = 0; i < n; i += 16) {
        v16 x = v_min(limit, v_max(least, v_load_n(a + i, n - i)));
        v_store_n(dst + i, v_add(x, one), n - i);
    }
}

static void row_silu(float *dst, const float *a, size_t n)
{
    for (size_t i = 0; i < n; i += 16) v_store_n(dst + i, v_silu(v_load_n(a + i, n - i)), n - i);
}

static void row_silu_mul(float *dst, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_mul(v_silu(v_load_n(gate + i, n - i)), v_load_n(up + i, n - i)),
                  n - i);
}

static void row_gelu(float *dst, const float *a, size_t n)
{
    for (size_t i = 0; i < n; i += 16) v_store_n(dst + i, v_gelu(v_load_n(a + i, n - i)), n - i);
}

static void row_gelu_mul(float *dst, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_mul(v_gelu(v_load_n(gate + i, n - i)), v_load_n(up + i, n - i)),
                  n - i);
}

static void row_gelu_erf(float *dst, const float *a, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_gelu_erf(v_load_n(a + i, n - i)), n - i);
}

static void row_gelu_erf_mul(float *dst, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_mul(v_gelu_erf(v_load_n(gate + i, n - i)), v_load_n(up + i, n - i)),
                  n - i);
}

static void row_relu2(float *dst, const float *a, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        v16 x = v_max(v_set(0.0f), v_load_n(a + i, n - i)); /* in this order a NaN stays */
        v_store_n(dst + i, v_mul(x, x), n - i);
    }
}

static void row_xielu(float *dst, const float *a, const float p[4], size_t n)
{
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_xielu(v_load_n(a + i, n - i), p), n - i);
}

static void row_clamp(float *dst, const float *a, float most, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        v16 x = v_max(v_set(-most), v_load_n(a + i, n - i));
        v_store_n(dst + i, v_min(v_set(most), x), n - i);
    }
}

static void row_softcap(float *dst, const float *a, float cap, size_t n)
{
    v16 c = v_set(cap);
    for (size_t i = 0; i < n; i += 16)
        v_store_n(dst + i, v_mul(c, v_tanh(v_div(v_load_n(a + i, n - i), c))), n - i);
}

static void row_exp(float *dst, const float *a, size_t n)
{
    for (size_t i = 0; i < n; i += 16) v_store_n(dst + i, v_exp(v_load_n(a + i, n - i)), n - i);
}

/* (a, b) turned by (c, s): a' = fma(a, c, -(b s)), b' = fma(a, s, b c). */
static inline void turn(v16 *a, v16 *b, v16 c, v16 s)
{
    v16 x = *a, y = *b;
    *a = v_fma(x, c, v_sub(v_set(-0.0f), v_mul(y, s)));
    *b = v_fma(x, s, v_mul(y, c));
}

/* Pairs i .. i + n - 1 (n <= 16), n_half pairs in the head. */
static void rope_some(float *x, const float *cs, size_t i, size_t n, size_t n_half, bool neox)
{
    float buf[32] = {0}, cs_buf[32] = {0};
    const float *cs_i = cs + 2 * i;
    float *pairs = x + 2 * i;
    v16 a, b, c, s;
    if (n < 16) {
        memcpy(cs_buf, cs_i, 2 * n * sizeof *cs);
        cs_i = cs_buf;
        if (!neox) pairs = memcpy(buf, pairs, 2 * n * sizeof *x);
    }
    v_load2(cs_i, &c, &s);
    if (neox) {
        a = v_load_n(x + i, n), b = v_load_n(x + n_half + i, n);
        turn(&a, &b, c, s);
        v_store_n(x + i, a, n), v_store_n(x + n_half + i, b, n);
        return;
    }
    v_load2(pairs, &a, &b);
    turn(&a, &b, c, s);
    v_store2(pairs, a, b);
    if (n < 16) memcpy(x + 2 * i, buf, 2 * n * sizeof *x);
}

static void rope(float *x, const float *cs, size_t n_rot, bool neox)
{
    size_t n_half = n_rot / 2;
    for (size_t i = 0; i < n_half; i += 16)
        rope_some(x, cs, i, n_half - i < 16 ? n_half - i : 16, n_half, neox);
}

static void rows_init(ingle_kern *k)
{
    k->norm_rms = norm_rms;
    k->norm_layer = norm_layer;
    k->gelu = row_gelu;
    k->gelu_mul = row_gelu_mul;
    k->gelu_erf = row_gelu_erf;
    k->relu2 = row_relu2;
    k->xielu = row_xielu;
    k->clamp = row_clamp;
    k->gelu_erf_mul = row_gelu_erf_mul;
    k->softcap = row_softcap;
    k->add = row_add;
    k->mul = row_mul;
    k->scale = row_scale;
    k->add_scaled = row_add_scaled;
    k->swiglu_gate = row_swiglu_gate;
    k->swiglu_up = row_swiglu_up;
    k->silu = row_silu;
    k->silu_mul = row_silu_mul;
    k->rope = rope;
    k->exp = row_exp;
}
