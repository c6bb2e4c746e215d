/* layout.c - where everything of a step lies in the arena. Values that do not live together share
 * memory: one pass over the plan gives each the lowest place that is free for its whole life. */
#include "backend/cpu/cpu.h"

#include <stdlib.h>
#include <string.h>

/* Takes n bytes of the arena; sizes were bounded by the checks on hyper-parameters and options, so
 * 64 bits hold them. */
static size_t take(size_t *total, size_t n)
{
    size_t at = *total;
    *total = ingle_round_up(at + n, INGLE_ALIGN);
    return at;
}

/* ---- parts ---- */

ingle_status cpu_parts(cpu_part **out, size_t *n, const ingle_placement *p, size_t home,
                       ingle_error *err)
{
    const ingle_program *program = p->program;
    size_t base = 0;
    *n = 0;
    if (!(*out = ingle_new(p->n_stretches, sizeof **out)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the CPU backend");
    for (size_t i = 0; i < p->n_stretches; i++) {
        const ingle_stretch *s = &p->stretch[i];
        if (s->home != home) continue;
        cpu_part *part = &(*out)[*n];
        *part = (cpu_part){.i_stretch = i, .base = base};
        ingle_status st =
            ingle_plan_fuse(&part->plan, &program->plan, s->first, s->n, program->fuse, err);
        if (st) return st;
        base += part->plan.n_instr;
        ++*n;
    }
    return INGLE_OK;
}

void cpu_parts_free(cpu_part *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) ingle_plan_fused_free(&parts[i].plan);
    free(parts);
}

/* ---- values ---- */

bool cpu_is_chain(const ingle_instr *in, size_t n_left)
{
    if (n_left < 3 || in->op != INGLE_OP_MATMUL || in->product.n_out != 3) return false;
    const ingle_instr *qkv = in + 1, *attend = in + 2;
    return qkv->op == INGLE_OP_QKV && in->dst[0] == qkv->src[2] && in->dst[1] == qkv->src[0] &&
           in->dst[2] == qkv->src[1] && attend->op == INGLE_OP_ATTEND &&
           attend->attend.cache == qkv->store.cache && attend->src[0] == qkv->src[2];
}

/* What threads may be at while another is at instruction i: the instructions of its chain. */
static void together(const ingle_plan *plan, size_t i, size_t *from, size_t *to)
{
    *from = *to = i;
    for (size_t back = 0; back < 3 && back <= i; back++)
        if (cpu_is_chain(&plan->instr[i - back], plan->n_instr - (i - back))) {
            *from = i - back, *to = i - back + 2;
            return;
        }
}

static bool wants_floats(const ingle_product *p, const ingle_weights *w)
{
    for (uint32_t i = 0; i < p->n_out; i++)
        if (ingle_type_get(w->matrix[p->out[i].weight].packed.type)->act == INGLE_ACT_F32)
            return true;
    return false;
}

/* A row that only waits before its product needs a place where a weight wants floats. */
static bool needs_room(const ingle_plan *plan, const ingle_weights *w, ingle_val v)
{
    const ingle_value *value = &plan->value[v];
    if (value->first == UINT32_MAX) return false;
    const ingle_instr *in = &plan->instr[value->first];
    return value->first != value->last || in->dst[INGLE_WAITS] != v ||
           wants_floats(&in->product, w);
}

typedef struct room {
    size_t at, end; /* bytes */
    size_t last;    /* instruction of the last use */
} room;

typedef struct rooms {
    room *list; /* [n] by place */
    size_t n, cap, most;
} rooms;

/* The lowest place of so many bytes that nothing else has from instruction `first` on. */
static bool take_room(rooms *r, size_t first, size_t last, size_t bytes, size_t *at)
{
    size_t n = 0, i = 0;
    for (size_t k = 0; k < r->n; k++)
        if (r->list[k].last >= first) r->list[n++] = r->list[k];
    r->n = n;
    if (!ingle_grow(&r->list, &r->cap, r->n + 1, sizeof *r->list)) return false;
    for (*at = 0; i < r->n && r->list[i].at < *at + bytes; i++)
        if (r->list[i].end > *at) *at = r->list[i].end;
    memmove(r->list + i + 1, r->list + i, (r->n - i) * sizeof *r->list);
    r->list[i] = (room){.at = *at, .end = *at + bytes, .last = last};
    r->n++;
    if (*at + bytes > r->most) r->most = *at + bytes;
    return true;
}

static size_t value_bytes(const ingle_value *v, const ingle_backend_options *opt)
{
    size_t rows = opt->n_batch;
    if (v->domain == INGLE_TEXTS && opt->n_seqs < rows) rows = opt->n_seqs;
    return ingle_round_up(rows * v->times * v->width * sizeof(float), INGLE_ALIGN);
}

/* From when to when a value needs its room, in instructions of all parts. */
typedef struct life {
    size_t first, last; /* first SIZE_MAX: never */
} life;

/* It needs it from `first` to `last` too. */
static void extend(life *l, size_t first, size_t last)
{
    if (l->first == SIZE_MAX) *l = (life){first, last};
    if (first < l->first) l->first = first;
    if (last > l->last) l->last = last;
}

static void live_in_part(life *life_of, const cpu_part *part, const ingle_stretch *s,
                         const ingle_weights *w)
{
    const ingle_plan *plan = &part->plan;
    size_t from, to, any;
    for (size_t v = 0; v < plan->n_value; v++) {
        if (!needs_room(plan, w, (ingle_val)v)) continue;
        together(plan, plan->value[v].first, &from, &any);
        together(plan, plan->value[v].last, &any, &to);
        extend(&life_of[v], part->base + from, part->base + to);
    }
    for (size_t i = 0; i < s->n_in; i++) extend(&life_of[s->in[i]], part->base, part->base);
    size_t end = part->base + plan->n_instr - 1;
    for (size_t i = 0; i < s->n_out; i++) extend(&life_of[s->out[i]], end, end);
}

/* Room for all values, and for the rows of logits that HEAD works on. */
static bool place_values(cpu_layout *at, const cpu_part *parts, size_t n_parts,
                         const ingle_placement *p, const ingle_backend_options *opt)
{
    const ingle_plan *plain = &p->program->plan;
    const size_t none = SIZE_MAX;
    size_t n_instr = 0, n_rows = opt->n_batch < INGLE_HEAD_ROWS ? opt->n_batch : INGLE_HEAD_ROWS;
    size_t logits = ingle_round_up(n_rows * plain->n_vocab * sizeof(float), INGLE_ALIGN);
    for (size_t i = 0; i < n_parts; i++) n_instr += parts[i].plan.n_instr;
    life *life_of = ingle_new(plain->n_value, sizeof *life_of);
    size_t *next = ingle_new(plain->n_value, sizeof *next); /* values by their first instruction */
    size_t *head = ingle_new(n_instr, sizeof *head);
    bool ok = next && head && life_of;
    rooms r = {0};
    for (size_t i = 0; ok && i < n_instr; i++) head[i] = none;
    for (size_t v = 0; ok && v < plain->n_value; v++) life_of[v] = (life){.first = none};
    for (size_t i = 0; ok && i < n_parts; i++)
        live_in_part(life_of, &parts[i], &p->stretch[parts[i].i_stretch], &p->program->weights);
    for (size_t v = plain->n_value; ok && v-- > 0;) {
        at->value[v] = none;
        if (life_of[v].first == none) continue;
        next[v] = head[life_of[v].first];
        head[life_of[v].first] = v;
    }
    for (size_t k = 0; ok && k < n_parts; k++)
        for (size_t i = parts[k].base; ok && i < parts[k].base + parts[k].plan.n_instr; i++) {
            for (size_t v = head[i]; ok && v != none; v = next[v])
                ok = take_room(&r, i, life_of[v].last, value_bytes(&plain->value[v], opt),
                               &at->value[v]);
            if (parts[k].plan.instr[i - parts[k].base].op == INGLE_OP_HEAD)
                ok = ok && take_room(&r, i, i, logits, &at->logits);
        }
    take(&at->total, r.most); /* the first part: offsets are those of the arena */
    free(r.list);
    free(life_of);
    free(next);
    free(head);
    return ok;
}

/* ---- the rest ---- */

static bool uses_class(const ingle_weights *w, ingle_act act)
{
    for (size_t i = 0; i < w->n_matrix; i++)
        if (ingle_type_get(w->matrix[i].packed.type)->act == act) return true;
    return false;
}

/* Widest input of any product, in columns. */
static size_t max_cols(const ingle_plan *plan, const ingle_weights *w)
{
    size_t most = plan->n_embd;
    for (size_t i = 0; i < w->n_matrix; i++)
        if (w->matrix[i].packed.n_cols > most) most = w->matrix[i].packed.n_cols;
    return most;
}

/* Bytes of the panels that one task packs of what is mapped. */
static size_t task_panels(const ingle_weights *w, const ingle_kern *k, size_t n_batch)
{
    size_t most = 0;
    for (size_t i = 0; i < w->n_matrix; i++) {
        const ingle_packed *p = &w->matrix[i].packed;
        if (!w->matrix[i].mapped) continue;
        bool floats = ingle_type_get(p->type)->act == INGLE_ACT_F32;
        size_t n = floats ? k->gemm_panels_f : k->gemm_panels;
        if (n_batch <= k->gemv_tokens) n = 1;
        if (n > p->n_panels) n = p->n_panels;
        if (n * p->panel_bytes > most) most = n * p->panel_bytes;
    }
    return most;
}

/* What instructions of the plan need of a thread's scratch and of shared arrays, at most. */
typedef struct needs {
    size_t attend;     /* scratch of attention */
    size_t head_bytes; /* rows of one head, as any matrix of a head wants them */
    size_t n_expert, n_used;
    bool rope[INGLE_ROPE_TABLES];
} needs;

static void most(size_t *a, size_t b)
{
    if (b > *a) *a = b;
}

static void add_needs(needs *n, const ingle_plan *plan, const ingle_weights *w, const ingle_kern *k,
                      size_t n_batch)
{
    for (size_t i = 0; i < plan->n_instr; i++) {
        const ingle_instr *in = &plan->instr[i];
        if (in->op == INGLE_OP_ATTEND) {
            const ingle_cache *c = &plan->cache[in->attend.cache];
            most(&n->attend, k->attend_scratch_bytes(c->head_dim_k, c->head_dim_v,
                                                     in->attend.n_heads / c->n_head_kv));
        }
        if (in->op == INGLE_OP_HEADS) {
            const ingle_packed *p = &w->matrix[in->product.out[0].weight].packed;
            ingle_act class = ingle_type_get(p->type)->act;
            if (class != INGLE_ACT_F32)
                most(&n->head_bytes, ingle_acts_bytes(class, n_batch, p->n_cols));
        }
        const ingle_choosing *by = in->op == INGLE_OP_EXPERTS ? &in->experts.by : &in->route;
        if (in->op == INGLE_OP_ROUTE || in->op == INGLE_OP_EXPERTS || in->op == INGLE_OP_COMBINE) {
            most(&n->n_expert, by->n_expert);
            most(&n->n_used, by->n_used);
        }
        if (in->op == INGLE_OP_ROPE) n->rope[in->rope.table] = true;
        if (in->op == INGLE_OP_QKV) n->rope[in->store.table] = true;
    }
}

uint32_t cpu_due_of(cpu_layout *at, size_t n_heads)
{
    for (uint32_t i = 0; i < CPU_DUES; i++) {
        if (!at->n_heads[i]) at->n_heads[i] = n_heads;
        if (at->n_heads[i] == n_heads) return i;
    }
    return CPU_DUES;
}

ingle_status cpu_lay_out(cpu_layout *at, const cpu_part *parts, size_t n_parts,
                         const ingle_placement *p, size_t home, const ingle_backend_options *opt,
                         const ingle_kern *k, ingle_error *err)
{
    const ingle_plan *plan = &p->program->plan;
    const ingle_weights *w = &p->program->weights;
    memset(at, 0, sizeof *at);
    size_t *total = &at->total, n_batch = opt->n_batch, n_instr = 0;
    needs need = {0};
    for (size_t i = 0; i < n_parts; i++) {
        add_needs(&need, &parts[i].plan, w, k, n_batch);
        n_instr += parts[i].plan.n_instr;
    }
    at->value = ingle_new(plan->n_value, sizeof *at->value);
    if (!at->value || !place_values(at, parts, n_parts, p, opt))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the CPU backend");
    at->max_cols = max_cols(plan, w);
    for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++) {
        if (!uses_class(w, (ingle_act)c)) continue;
        at->acts_bytes[c] = ingle_acts_bytes((ingle_act)c, n_batch, at->max_cols);
        at->acts[c] = take(total, at->acts_bytes[c]);
        at->pair_acts[c] =
            take(total, ingle_acts_bytes((ingle_act)c, n_batch * need.n_used, at->max_cols));
    }
    for (size_t i = 0; i < INGLE_ROPE_TABLES; i++)
        at->rope[i] =
            need.rope[i] ? take(total, n_batch * plan->rope[i].n_rot * sizeof(float)) : SIZE_MAX;
    at->tok_seq = take(total, n_batch * sizeof(uint32_t));
    at->tok_pos = take(total, n_batch * sizeof(uint32_t));
    at->spans = take(total, (opt->n_seqs + n_batch) * sizeof(cpu_span));
    at->pages =
        take(total, opt->n_seqs * INGLE_GROUPS * (opt->n_ctx / INGLE_PAGE) * sizeof(void *));
    at->n_counters = n_instr + n_batch / INGLE_HEAD_ROWS + 1;
    at->counters = take(total, at->n_counters * sizeof(cpu_counter));
    for (uint32_t i = 0; i < plan->n_cache; i++)
        if (ingle_place_has_cache(p, home, i)) cpu_due_of(at, plan->cache[i].n_head_kv);
    for (int i = 0; i < CPU_DUES; i++)
        at->heads[i] = take(total, at->n_heads[i] * sizeof(cpu_counter));
    at->chosen = take(total, plan->n_counters * sizeof(atomic_uint));

    size_t own = 0;
    at->t_row = take(&own, at->max_cols * sizeof(float));
    for (int c = INGLE_ACT_Q32; c <= INGLE_ACT_Q256; c++)
        if (at->acts_bytes[c])
            at->t_acts[c] = take(&own, ingle_acts_bytes((ingle_act)c, 1, at->max_cols));
    size_t scratch = k->scratch_bytes(n_batch, at->max_cols);
    at->t_scratch = take(&own, scratch > need.attend ? scratch : need.attend);
    at->t_heads = take(&own, need.head_bytes);
    at->t_panels = take(&own, task_panels(w, k, n_batch));
    if (need.n_expert) /* three floats and a byte each; or a number each and one more */
        at->t_route = take(&own, (3 * sizeof(float) + 1) * need.n_expert + sizeof(uint32_t));
    at->thread_bytes = ingle_round_up(own, 4096);
    *total = ingle_round_up(*total, 4096);
    at->thread = take(total, at->thread_bytes * (size_t)opt->n_threads);
    return INGLE_OK;
}
