/* build.c - the steps that all builders share: values, instructions, tensors by name. */
#include "model/build.h"

#include "base/mem.h"

val fresh(builder *b, const char *name, val like, size_t width)
{
    ingle_plan *p = b->plan;
    if (!b->st && !ingle_grow(&p->value, &p->cap_value, p->n_value + 1, sizeof *p->value))
        b->st = ingle_fail(b->err, INGLE_ENOMEM, "no memory for the plan");
    if (b->st) return INGLE_NO_VALUE;
    ingle_domain domain = like == INGLE_NO_VALUE ? INGLE_TOKENS : p->value[like].domain;
    p->value[p->n_value] =
        (ingle_value){.name = name, .width = (uint32_t)width, .times = 1, .domain = domain};
    return (val)p->n_value++;
}

uint32_t width_of(const builder *b, val v)
{
    return b->st ? 0 : b->plan->value[v].width;
}

ingle_instr *emit(builder *b, ingle_op op, val dst, val src)
{
    ingle_plan *p = b->plan;
    if (!b->st && !ingle_grow(&p->instr, &p->cap, p->n_instr + 1, sizeof *p->instr))
        b->st = ingle_fail(b->err, INGLE_ENOMEM, "no memory for the plan");
    ingle_instr *in = b->st ? &b->nowhere : &p->instr[p->n_instr++];
    *in = (ingle_instr){.op = op,
                        .layer = b->layer,
                        .src = {src, INGLE_NO_VALUE, INGLE_NO_VALUE},
                        .dst = {dst, INGLE_NO_VALUE, INGLE_NO_VALUE, INGLE_NO_VALUE}};
    if (!b->st) in->domain = p->value[dst == INGLE_NO_VALUE ? src : dst].domain;
    return in;
}

/* ---- tensors ---- */

const char *tensor_name(const builder *b, const char *part, char *name, size_t cap)
{
    snprintf(name, cap, "blk.%u.%s", b->layer, part);
    return name;
}

static const ingle_gguf_tensor *find(const builder *b, const char *part)
{
    char name[96];
    return ingle_gguf_find_tensor(b->g, tensor_name(b, part, name, sizeof name));
}

bool has(const builder *b, const char *part)
{
    return find(b, part) != NULL;
}

void skip(builder *b, const char *part)
{
    const ingle_gguf_tensor *t = find(b, part);
    if (t) b->w->used[t - b->g->tensors] = true;
}

uint32_t vector(builder *b, const char *part, size_t n)
{
    char name[96];
    uint32_t i = INGLE_NO_VECTOR;
    if (!b->st)
        b->st = ingle_weights_vector(b->w, b->g, tensor_name(b, part, name, sizeof name), 0, n, n,
                                     &i, b->err);
    return i;
}

uint32_t vector_if(builder *b, const char *part, size_t n)
{
    return has(b, part) ? vector(b, part, n) : INGLE_NO_VECTOR;
}

uint32_t vectors(builder *b, const char *part, size_t n, size_t n_vectors, bool turned)
{
    char name[96];
    uint32_t i = INGLE_NO_VECTOR;
    if (b->st) return i;
    b->st = (turned ? ingle_weights_turned : ingle_weights_vectors)(
        b->w, b->g, tensor_name(b, part, name, sizeof name), n, n_vectors, &i, b->err);
    return i;
}

uint32_t top_vector(builder *b, const char *name, size_t n, bool required)
{
    uint32_t v = INGLE_NO_VECTOR;
    if (!b->st && (required || ingle_gguf_find_tensor(b->g, name)))
        b->st = ingle_weights_vector(b->w, b->g, name, 0, n, n, &v, b->err);
    return v;
}

/* Its like for activations, stem.input_scale, is for engines that round them to 4 bits. A scale of
 * another length is something else (of a router's input: plan_experts.c). */
uint32_t scale_of(builder *b, const char *stem, size_t n)
{
    char part[64];
    snprintf(part, sizeof part, "%s.input_scale", stem);
    skip(b, part);
    snprintf(part, sizeof part, "%s.scale", stem);
    const ingle_gguf_tensor *t = find(b, part);
    return t && t->n_elems == n ? vector(b, part, n) : INGLE_NO_VECTOR;
}

/* ---- instructions ---- */

ingle_instr *norm_of(builder *b, val dst, val x, uint32_t weight, uint32_t bias)
{
    ingle_instr *in = emit(b, INGLE_OP_NORM, dst, x);
    in->norm.by =
        (ingle_norm){.kind = b->family->norm, .eps = b->hp->eps, .weight = weight, .bias = bias};
    in->norm.n_heads = 1, in->norm.head_dim = width_of(b, x);
    return in;
}

void norm_to(builder *b, val dst, val x, const char *stem)
{
    char part[64];
    uint32_t weight = INGLE_NO_VECTOR, bias = INGLE_NO_VECTOR;
    if (!b->family->bare_norms) {
        snprintf(part, sizeof part, "%s.weight", stem);
        bool named =
            has(b, part) || !has(b, stem); /* converters of Falcon-H1 leave out the ending */
        weight = vector(b, named ? part : stem, width_of(b, x));
        snprintf(part, sizeof part, "%s.bias", stem);
        bias = vector_if(b, part, width_of(b, x));
    }
    norm_of(b, dst, x, weight, bias);
}

val norm(builder *b, val x, const char *stem)
{
    val n = fresh(b, "n", x, width_of(b, x));
    norm_to(b, n, x, stem);
    return n;
}

ingle_instr *product_of(builder *b, val dst, val src, uint32_t weight)
{
    ingle_instr *in = emit(b, INGLE_OP_MATMUL, dst, src);
    in->product.n_out = 1;
    in->product.out[0] =
        (ingle_matmul_out){.weight = weight, .bias = INGLE_NO_VECTOR, .scale = INGLE_NO_VECTOR};
    return in;
}

/* Rows first .. first + n_rows - 1 of the n_all of stem.weight, times the first n_cols floats of
 * x. */
static val linear_of(builder *b, val x, const char *name, const char *stem, const size_t rows[3],
                     size_t n_cols)
{
    char part[64], tensor[96];
    uint32_t weight = 0, bias = INGLE_NO_VECTOR;
    size_t first = rows[0], n_rows = rows[1], n_all = rows[2];
    snprintf(part, sizeof part, "%s.weight", stem);
    if (!b->st)
        b->st = ingle_weights_matrix(b->w, b->g, tensor_name(b, part, tensor, sizeof tensor), first,
                                     n_rows, n_all, n_cols, &weight, b->err);
    val y = fresh(b, name, x, n_rows);
    product_of(b, y, x, weight);
    uint32_t by = scale_of(b, stem, 1);
    if (by != INGLE_NO_VECTOR) emit(b, INGLE_OP_SCALE, y, y)->scale.vector = by;
    snprintf(part, sizeof part, "%s.bias", stem);
    if (b->st || !has(b, part)) return y;
    b->st = ingle_weights_vector(b->w, b->g, tensor_name(b, part, tensor, sizeof tensor), first,
                                 n_rows, n_all, &bias, b->err);
    emit(b, INGLE_OP_BIAS, y, y)->bias.vector = bias;
    return y;
}

val linear_part(builder *b, val x, const char *name, const char *stem, size_t first, size_t n_rows,
                size_t n_all)
{
    return linear_of(b, x, name, stem, (size_t[3]){first, n_rows, n_all}, width_of(b, x));
}

val linear_cols(builder *b, val x, size_t n_cols, const char *stem, size_t n_rows)
{
    return linear_of(b, x, stem, stem, (size_t[3]){0, n_rows, n_rows}, n_cols);
}

val linear(builder *b, val x, const char *stem, size_t n_rows)
{
    return linear_cols(b, x, width_of(b, x), stem, n_rows);
}

void add_to(builder *b, val x, val y)
{
    ingle_instr *in = emit(b, INGLE_OP_ADD, x, x);
    in->src[1] = y;
    in->pieces = (ingle_pieces){.n = 1, .width = width_of(b, x)};
}

void activate(builder *b, val x, ingle_act_fn fn)
{
    emit(b, INGLE_OP_ACT, x, x)->act.fn = fn;
}

void gain(builder *b, val x, const char *part, size_t n)
{
    uint32_t v = vector(b, part, n);
    emit(b, INGLE_OP_GAIN, x, x)->bias.vector = v;
}

void scale(builder *b, val x, float by)
{
    if (by == 1.0f) return;
    ingle_instr *in = emit(b, INGLE_OP_SCALE, x, x);
    in->scale.by = by, in->scale.vector = INGLE_NO_VECTOR;
}

void multiply(builder *b, val dst, val x, val y)
{
    ingle_instr *in = emit(b, INGLE_OP_MUL, dst, x);
    in->src[1] = y;
}

void copy_pieces(builder *b, val dst, ingle_piece to, val src, ingle_piece from, uint32_t n,
                 uint32_t width)
{
    emit(b, INGLE_OP_COPY, dst, src)->pieces =
        (ingle_pieces){.n = n, .width = width, .to = to, .from = from};
}

val select_rows(builder *b, val x, uint32_t at, uint32_t width)
{
    val rows = fresh(b, b->st ? "" : b->plan->value[x].name, x, width);
    if (!b->st) b->plan->value[rows].domain = INGLE_ROWS;
    emit(b, INGLE_OP_SELECT_ROWS, rows, x)->mul.at = at;
    return rows;
}
