/* plan_layer.c - the transformer: embedding, layers, head. */
#include "model/build.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The layer's norm before attention; where it has two, the other one is the feed-forward's. */
static val attention_norm(builder *b)
{
    bool two = has(b, "attn_norm_2.weight");
    val n = norm(b, b->x, two ? "attn_norm_2" : "attn_norm");
    if (b->st) return n;
    const ingle_norm *by = &b->plan->instr[b->plan->n_instr - 1].norm.by;
    b->attn_norm = by->weight;
    b->attn_norm_bias = by->bias;
    if (!two) return n;
    b->attn_norm = vector(b, "attn_norm.weight", width_of(b, b->x));
    b->attn_norm_bias = vector_if(b, "attn_norm.bias", width_of(b, b->x));
    return n;
}

/* What attention reads. */
static val attention_input(builder *b)
{
    /* An encoder's first layer may lean on the norm of the embeddings. */
    bool bare = b->family->no_pre_norm || (b->family->encoder && b->family->embed_norm &&
                                           !b->layer && !has(b, "attn_norm.weight"));
    return bare ? b->x : attention_norm(b);
}

static val attention(builder *b, val n)
{
    return b->family->latent ? ingle_build_latent(b, n) : ingle_build_attention(b, n);
}

/* x += y, after what the family does to the end of a branch. `post` is the stem of its norm, or
 * NULL. */
static void join(builder *b, val y, const char *post)
{
    char weight[64];
    if (b->family->post_norm) {
        ingle_build_post_norm(b, y, post && !strcmp(post, "post_attention_norm"));
        return;
    }
    snprintf(weight, sizeof weight, "%s.weight", post ? post : "");
    if (post && has(b, weight)) norm_to(b, y, y, post);
    scale(b, y, b->hp->residual_scale);
    add_to(b, b->x, y);
}

static bool has_experts(const builder *b)
{
    const ingle_moe *moe = &b->hp->moe;
    return moe->n_expert && b->layer >= moe->n_dense && moe->step &&
           (b->layer + 1) % moe->step == 0;
}

static void feed_forward(builder *b)
{
    const ingle_hparams *hp = b->hp;
    const char *before = b->family->late_ffn_norm ? "post_attention_norm" : "ffn_norm";
    val n = b->x, y;
    if (has_experts(b) && hp->moe.beside) {
        y = ingle_build_dense_and_experts(b, b->x);
    } else {
        if (hp->parallel && !has(b, "ffn_norm.weight")) {
            n = fresh(b, "n", b->x, hp->n_embd);
            norm_of(b, n, b->x, b->attn_norm, b->attn_norm_bias);
        } else if (!b->family->no_pre_norm) n = norm(b, b->x, before);
        y = has_experts(b) ? ingle_build_experts(b, n) : ingle_build_dense(b, n);
    }
    join(b, y, "post_ffw_norm");
}

/* After the last layer that stores anything no later token needs the others: only the wanted
 * rows go on. */
static void select_wanted(builder *b, val *out, val *scan, val *around)
{
    val *all[] = {&b->x, out, scan, &b->streams, around};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (*all[i] != INGLE_NO_VALUE) *all[i] = select_rows(b, *all[i], 0, width_of(b, *all[i]));
}

/* Where attention and feed-forward are parallel the feed-forward is added first: attention has read
 * the hidden state by then. */
static void layer(builder *b)
{
    const char *project = "attn_output", *project_scan = "";
    bool recurs = b->hp->recur.kind != INGLE_RECUR_NONE;
    val out, around = INGLE_NO_VALUE, scan = INGLE_NO_VALUE;
    ingle_build_before_layer(b);
    if (recurs && !b->l->n_head) {
        out = ingle_build_recurrent(b, norm(b, b->x, "attn_norm"), &project);
    } else {
        val n = attention_input(b);
        around = ingle_build_laurel(b, n);
        out = attention(b, n);
        if (b->family->scan_beside) scan = ingle_build_recurrent(b, n, &project_scan);
    }
    if (b->layer + 1 == b->hp->n_own_kv) select_wanted(b, &out, &scan, &around);
    if (b->hp->parallel) feed_forward(b);
    if (b->family->sub_norms) norm_to(b, out, out, "attn_sub_norm");
    join(b, linear(b, out, project, b->hp->n_embd),
         b->family->late_ffn_norm ? NULL : "post_attention_norm");
    if (scan != INGLE_NO_VALUE) join(b, linear(b, scan, project_scan, b->hp->n_embd), NULL);
    if (around != INGLE_NO_VALUE) {
        add_to(b, b->x, around);
        scale(b, b->x, (float)(1 / sqrt(2.0)));
    }
    if (!b->hp->parallel && (b->l->n_ff || has_experts(b))) feed_forward(b);
    ingle_build_after_layer(b);
}

/* A learned embedding of the position. */
static void place(builder *b)
{
    static const char name[] = "position_embd.weight";
    uint32_t n = b->hp->n_ctx, weight = 0;
    if (!b->family->positions && !ingle_gguf_find_tensor(b->g, name)) return;
    if (!b->st)
        b->st = ingle_weights_matrix(b->w, b->g, name, 0, n, n, b->hp->n_embd, &weight, b->err);
    emit(b, INGLE_OP_PLACE, b->x, b->x)->embed.weight = weight;
    b->plan->n_positions = n;
}

/* The token's embedding, and what becomes of it before the first layer. */
static void embed(builder *b)
{
    size_t d = b->hp->n_embd;
    uint32_t weight = 0;
    b->st = ingle_weights_matrix(b->w, b->g, "token_embd.weight", 0, b->plan->n_vocab,
                                 b->plan->n_vocab, d, &weight, b->err);
    b->x = fresh(b, "x", INGLE_NO_VALUE, d);
    emit(b, INGLE_OP_EMBED, b->x, INGLE_NO_VALUE)->embed.weight = weight;
    scale(b, b->x, b->hp->embed_scale);
    ingle_build_segments(b);
    place(b);
    if (!b->family->embed_norm) return;
    uint32_t v = top_vector(b, "token_embd_norm.weight", d, true);
    norm_of(b, b->x, b->x, v, top_vector(b, "token_embd_norm.bias", d, false));
}

static void head(builder *b, uint32_t norm_weight, uint32_t norm_bias)
{
    size_t d = b->hp->n_embd, n_vocab = b->plan->n_vocab;
    uint32_t weight = 0; /* matrix 0 is the embedding */
    val n = fresh(b, "n", b->x, d);
    norm_of(b, n, b->x, norm_weight, norm_bias)->when = INGLE_WHEN_LOGITS;
    b->plan->tied_head = !ingle_gguf_find_tensor(b->g, "output.weight");
    if (!b->st && !b->plan->tied_head)
        b->st = ingle_weights_matrix(b->w, b->g, "output.weight", 0, n_vocab, n_vocab, d, &weight,
                                     b->err);
    uint32_t bias = top_vector(b, "output.bias", n_vocab, false);
    uint32_t by = top_vector(b, "output.scale", 1, false);
    ingle_instr *in = emit(b, INGLE_OP_HEAD, INGLE_NO_VALUE, n);
    in->when = INGLE_WHEN_LOGITS;
    in->head.product.n_out = 1;
    in->head.product.out[0] = (ingle_matmul_out){.weight = weight, .bias = bias, .scale = by};
    in->head.scale = b->hp->logit_scale, in->head.cap = b->hp->softcap_logits;
}

/* The norm of the last hidden state, then what logits and embeddings are made by. */
static void heads(builder *b)
{
    const ingle_family *f = b->family;
    size_t d = b->hp->n_embd;
    char name[64];
    const char *stem = f->output_norm && !f->encoder ? f->output_norm : "output_norm";
    uint32_t weight = INGLE_NO_VECTOR;
    snprintf(name, sizeof name, "%s.weight", stem);
    bool here = ingle_gguf_find_tensor(b->g, name) != NULL;
    if (!f->bare_norms && (!f->encoder || here)) weight = top_vector(b, name, d, true);
    uint32_t bias =
        !f->encoder || here ? top_vector(b, "output_norm.bias", d, false) : INGLE_NO_VECTOR;
    if (!f->encoder) head(b, weight, bias);
    if (!b->st) ingle_build_pooling(b, weight, bias);
}

/* ---- tensors that no plan names ---- */

/* Tensors of encoders for pictures and sound, which some files of text models hold as well. */
static bool is_media(const char *name)
{
    static const char *const stems[] = {"v.", "a.", "mm.", "vision.", "audio.", "mtmd."};
    for (size_t i = 0; i < sizeof stems / sizeof *stems; i++)
        if (strncmp(name, stems[i], strlen(stems[i])) == 0) return true;
    return false;
}

size_t ingle_plan_media(const ingle_gguf *g, char *names, size_t cap)
{
    size_t n = 0, used = 0;
    bool full = false;
    names[0] = 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        const char *name = g->tensors[i].name;
        if (!is_media(name)) continue;
        n++;
        if (full) continue;
        full = used + strlen(name) + 8 > cap;
        used += (size_t)snprintf(names + used, cap - used, "%s%s", used ? ", " : "",
                                 full ? "..." : name);
    }
    return n;
}

bool ingle_plan_knows_extra(const ingle_hparams *hp, const char *name)
{
    char *end;
    unsigned long layer = strncmp(name, "blk.", 4) ? 0 : strtoul(name + 4, &end, 10);
    if (layer >= hp->n_layer && layer < (unsigned long)hp->n_layer + hp->n_next) return true;
    return !strcmp(name, "rope_freqs.weight") || !strcmp(name, "rope_factors_long.weight") ||
           !strcmp(name, "rope_factors_short.weight") || !strcmp(name, "output.input_scale") ||
           strstr(name, "attn_rot_embd") != NULL || is_media(name);
}

static ingle_status refuse_unused(const builder *b)
{
    for (size_t i = 0; i < b->g->n_tensors; i++)
        if (!b->w->used[i] && !ingle_plan_knows_extra(b->hp, b->g->tensors[i].name))
            return ingle_fail(b->err, INGLE_EUNSUPPORTED,
                              "tensor '%s' has no place in family '%s' as it is known here",
                              b->g->tensors[i].name, b->family->name);
    return INGLE_OK;
}

/* ---- all of it ---- */

ingle_status ingle_plan_build(ingle_program *program, const ingle_family *family,
                              const ingle_hparams *hp, const ingle_gguf *g, ingle_error *err)
{
    ingle_plan *plan = &program->plan;
    builder b = {.plan = plan,
                 .w = &program->weights,
                 .family = family,
                 .hp = hp,
                 .g = g,
                 .err = err,
                 .streams = INGLE_NO_VALUE};
    b.last_cache[0] = b.last_cache[1] = UINT32_MAX;
    memset(plan, 0, sizeof *plan);
    const ingle_gguf_tensor *embd = ingle_gguf_find_tensor(g, "token_embd.weight");
    if (!embd) return ingle_fail(err, INGLE_EFORMAT, "tensor 'token_embd.weight' is missing");
    if (!ingle_grow(&plan->instr, &plan->cap, 32, sizeof *plan->instr)) /* most of a layer or two */
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the plan");
    size_t n_vocab = embd->dims[1];
    if (n_vocab == 0 || n_vocab > INT32_MAX / 2)
        return ingle_fail(err, INGLE_EFORMAT, "tensor 'token_embd.weight' has %zu rows", n_vocab);
    plan->n_vocab = (uint32_t)n_vocab;
    plan->n_tokens = plan->n_vocab;
    plan->n_embd = hp->n_embd;
    plan->n_constant = hp->alibi_bias != 0.0f ? hp->n_head : 0;
    embed(&b);
    ingle_build_before_layers(&b);
    for (b.layer = 0; b.layer < hp->n_layer && !b.st; b.layer++) {
        b.l = &hp->layer[b.layer];
        layer(&b);
    }
    if (!b.st) ingle_build_after_layers(&b);
    if (!b.st) heads(&b);
    if (!b.st) b.st = refuse_unused(&b);
    if (!b.st) ingle_plan_live(plan);
    return b.st;
}
