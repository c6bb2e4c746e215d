#include "model/support.h"

#include "base/distance.h"
#include "base/mem.h"
#include "base/options.h"
#include "model/build.h"
#include "model/model.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- features in words ---- */

typedef struct words {
    char *out;
    size_t cap, n;
} words;

/* Appends ", text"; n counts what would have been written. */
__attribute__((format(printf, 2, 3))) static void say(words *w, const char *format, ...)
{
    va_list args;
    for (int part = 0; part < 2; part++) {
        size_t left = w->n < w->cap ? w->cap - w->n : 0;
        char *at = left ? w->out + w->n : NULL;
        if (part == 0) {
            if (w->n) w->n += (size_t)snprintf(at, left, ", ");
            continue;
        }
        va_start(args, format);
        w->n += (size_t)vsnprintf(at, left, format, args);
        va_end(args);
    }
}

static void say_norms(words *w, const ingle_family *f)
{
    static const char *const kinds[] = {"RMS norm", "LayerNorm"};
    const char *where = f->post_norm     ? " after each residual add"
                        : f->no_pre_norm ? " only after attention and feed-forward"
                                         : "";
    say(w, "%s%s%s", kinds[f->norm], f->bare_norms ? " without weights" : "", where);
    switch (f->qk_norm) {
    case INGLE_QK_NONE: break;
    case INGLE_QK_ALL: say(w, "q and k normed over all heads"); break;
    case INGLE_QK_LAYER: say(w, "q and k may be normed over all heads"); break;
    case INGLE_QK_OWN: say(w, "q and k may be normed, each head with its own weights"); break;
    case INGLE_QK_HEAD:
    case INGLE_QK_HEAD_IF:
    case INGLE_QK_BARE:
        say(w, "q and k normed%s%s", f->qk_norm == INGLE_QK_BARE ? " without weights" : "",
            f->late_qk_norm ? " after RoPE" : "");
        break;
    }
    if (f->sub_norms) say(w, "norms before both output projections");
    if (f->embed_norm) say(w, "normed embeddings");
    static const char *const recurrences[] = {[INGLE_RECUR_CONV] = "layers of short convolutions",
                                              [INGLE_RECUR_MAMBA] = "layers of selective scans",
                                              [INGLE_RECUR_MAMBA2] = "layers of scans by head",
                                              [INGLE_RECUR_DELTA] = "layers of gated delta rules"};
    if (f->recurrence != INGLE_RECUR_NONE)
        say(w, "%s%s", recurrences[f->recurrence], f->scan_beside ? " beside attention" : "");
    if (f->latent) say(w, "latent attention");
    if (f->norm_v) say(w, "normed values");
    if (f->shared_kv) say(w, "layers that share keys and values");
    if (f->unit_scores) say(w, "unscaled scores");
    if (f->altup) say(w, "streams corrected by every layer (AltUp)");
    if (f->layer_inputs) say(w, "per-layer inputs");
}

static void say_positions(words *w, const ingle_family *f, const ingle_hparams *hp)
{
    if (hp ? !hp->causal : f->encoder) say(w, "both directions");
    static const char *const where[] = {[INGLE_ROPE_WINDOWED] = " in windowed layers only",
                                        [INGLE_ROPE_WINDOWED_IF] =
                                            " in windowed layers only, if there are any",
                                        [INGLE_ROPE_NOT_FOURTH] = " in three of four layers",
                                        [INGLE_ROPE_IF_FINETUNED] = " if the file says so"};
    static const char *const scalings[] = {"", "linear", "yarn", "longrope"};
    if (f->positions) say(w, "learned positions");
    if (hp ? hp->alibi_bias > 0
           : (f->alibi_bias > 0 && !f->alibi_layers) || f->keys & INGLE_KEY_ALIBI)
        say(w, "ALiBi");
    if (!hp && f->alibi_layers) say(w, "ALiBi in place of RoPE with %u layers", f->alibi_layers);
    if (hp ? hp->turns : f->rope_where != INGLE_ROPE_NOWHERE) {
        const char *place =
            (size_t)f->rope_where < sizeof where / sizeof *where ? where[f->rope_where] : NULL;
        say(w, "RoPE in %s%s", f->rope == INGLE_ROPE_HALVES ? "halves" : "pairs",
            place ? place : "");
        if (hp && hp->rope.n_rot < hp->head_dim_k)
            say(w, "%u of %u dimensions turn", hp->rope.n_rot, hp->head_dim_k);
        if (hp && hp->rope.scaling != INGLE_SCALING_NONE)
            say(w, "%s scaling by %g", scalings[hp->rope.scaling], hp->rope.factor);
        if (f->rope_swa) say(w, "another RoPE base in windowed layers");
    }
    if (f->keys & (INGLE_KEY_TEMPERATURE | INGLE_KEY_CHUNKS)) say(w, "temperature by position");
    if (hp && hp->window && hp->window_period)
        say(w, "%s of %u in %u of %u layers", hp->chunked ? "chunks" : "windows", hp->window,
            hp->window_period - 1, hp->window_period);
    else if (hp && hp->window) say(w, "windows of %u", hp->window);
    else if (!hp && f->window_period)
        say(w, "%s in %u of %u layers", f->keys & INGLE_KEY_CHUNKS ? "chunks" : "windows",
            f->window_period - 1, f->window_period);
}

static void say_rest(words *w, const ingle_family *f, const ingle_hparams *hp)
{
    static const char *const acts[] = {[INGLE_ACT_SILU] = "SiLU",
                                       [INGLE_ACT_GELU] = "GELU (tanh)",
                                       [INGLE_ACT_GELU_ERF] = "GELU (exact)",
                                       [INGLE_ACT_RELU2] = "squared ReLU",
                                       [INGLE_ACT_XIELU] = "xIELU",
                                       [INGLE_ACT_SWIGLU] = "clamped SwiGLU"};
    if ((size_t)f->act < sizeof acts / sizeof *acts && acts[f->act])
        say(w, "%s%s", acts[f->act], f->ungated ? " without gate" : " gate");
    if (hp ? hp->parallel : f->residual == INGLE_RESIDUAL_PARALLEL) say(w, "parallel residual");
    else if (!hp && f->residual == INGLE_RESIDUAL_KEY) say(w, "serial or parallel residual");
    if (f->embed_root) say(w, "scaled embeddings");
    if (f->keys & INGLE_KEY_SCALES) say(w, "embedding, residual and logit scales");
    if (f->keys & INGLE_KEY_LOGIT_SCALE) say(w, "logit scale");
    if (hp ? hp->softcap_scores > 0 || hp->softcap_logits > 0 : f->keys & INGLE_KEY_SOFTCAPS)
        say(w, "soft caps");
    if (hp ? hp->clamp_qkv > 0 : f->keys & INGLE_KEY_CLAMP) say(w, "clamped q, k and v");
    if (hp && hp->moe.n_expert)
        say(w, "%u of %u experts per token%s", hp->moe.n_used, hp->moe.n_expert,
            hp->moe.n_ff_shared ? " and shared ones" : "");
    else if (!hp && f->keys & INGLE_KEY_EXPERTS) {
        static const char *const gatings[] = {"softmax", "sigmoid", "softmax over the chosen"};
        say(w, "experts by %s%s%s", gatings[f->gating],
            f->weigh_inputs ? ", weights on their inputs" : "",
            f->shared_expert ? ", and a shared one" : "");
    }
    if (hp && hp->n_head_kv < hp->n_head)
        say(w, "%u query heads per key head", hp->n_head / hp->n_head_kv);
}

int ingle_family_describe(const ingle_family *family, const ingle_hparams *hp, char *out,
                          size_t cap)
{
    words w = {out, cap, 0};
    if (cap) out[0] = 0;
    say_norms(&w, family);
    say_positions(&w, family, hp);
    say_rest(&w, family, hp);
    return (int)w.n;
}

/* ---- trying families on a file ---- */

enum { MAX_NAMES = 512, TRIED_LAYERS = 16 };

/* The distinct names of a file's tensors, layers taken together. */
typedef struct names {
    const ingle_gguf *g;
    uint16_t *of; /* [n_tensors] which name, MAX_NAMES: one too many */
    size_t first[MAX_NAMES], n;
} names;

/* Past "blk.7": the part that layers share; NULL for tensors of no layer. */
static const char *shared_part(const char *name)
{
    if (strncmp(name, "blk.", 4) != 0 || !isdigit((unsigned char)name[4])) return NULL;
    for (name += 4; isdigit((unsigned char)*name);) name++;
    return *name == '.' ? name : NULL;
}

static bool same_name(const char *a, const char *b)
{
    const char *pa = shared_part(a), *pb = shared_part(b);
    if (!pa != !pb) return false;
    return strcmp(pa ? pa : a, pb ? pb : b) == 0;
}

static ingle_status names_open(names *l, const ingle_gguf *g, ingle_error *err)
{
    *l = (names){.g = g};
    if (!(l->of = ingle_new(g->n_tensors, sizeof *l->of)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the tensor names");
    for (size_t i = 0; i < g->n_tensors; i++) {
        size_t k = 0;
        while (k < l->n && !same_name(g->tensors[l->first[k]].name, g->tensors[i].name)) k++;
        if (k == l->n && l->n < MAX_NAMES) l->first[l->n++] = i;
        l->of[i] = (uint16_t)k;
    }
    return INGLE_OK;
}

/* Plans a few layers with `family`, whatever the file says it is; all that counts is what the plan
 * asks for. */
static ingle_status try_family(ingle_fit *fit, const ingle_family *family, const names *l,
                               bool known[MAX_NAMES + 1], ingle_error *err)
{
    const ingle_gguf *g = l->g;
    char arch[128];
    ingle_str s = {"", 0};
    ingle_family row = *family;
    ingle_hparams hp, few;
    ingle_program program = {0};
    ingle_weights *w = &program.weights;
    memset(fit, 0, sizeof *fit);
    memset(known, 0, (MAX_NAMES + 1) * sizeof *known);
    if (ingle_gguf_get_str(g, "general.architecture", true, &s, NULL)) return INGLE_OK;
    snprintf(arch, sizeof arch, "%.*s", (int)(s.len < 100 ? s.len : 100), s.ptr);
    row.name = arch; /* keys are looked up under the file's own name */
    ingle_status st = ingle_hparams_read(&hp, &row, g, NULL);
    if (st) { /* not for it: its keys are others */
        ingle_hparams_free(&hp);
        return st == INGLE_ENOMEM ? ingle_fail(err, st, "no memory to try families") : INGLE_OK;
    }
    few = hp;
    if (few.n_layer > TRIED_LAYERS) few.n_layer = TRIED_LAYERS;
    if (!(st = ingle_weights_init(w, g, false, false, err))) {
        w->probe = true;
        if (ingle_plan_build(&program, &row, &few, g, NULL) == INGLE_ENOMEM)
            st = ingle_fail(err, INGLE_ENOMEM, "no memory to try families");
        fit->family = family;
        fit->n_missing = w->n_missing;
    }
    for (size_t i = 0; !st && i < g->n_tensors; i++)
        if (w->used[i] || ingle_plan_knows_extra(&hp, g->tensors[i].name)) known[l->of[i]] = true;
    for (size_t k = 0; k < l->n; k++) *(known[k] ? &fit->n_known : &fit->n_unknown) += 1;
    ingle_plan_free(&program.plan);
    ingle_weights_free(w);
    ingle_hparams_free(&hp);
    return st;
}

static void list_unknown(ingle_fit *fit, const names *l, const bool *known)
{
    words w = {fit->unknown, sizeof fit->unknown, 0};
    for (size_t k = 0; k < l->n; k++) {
        const char *name = l->g->tensors[l->first[k]].name, *part = shared_part(name);
        if (known[k]) continue;
        if (w.n + strlen(name) + 8 > sizeof fit->unknown) {
            say(&w, "...");
            return;
        }
        if (part) say(&w, "blk.*%s", part);
        else say(&w, "%s", name);
    }
}

/* Shared names among all there are on either side; 0 for what could not be tried. */
static double share(const ingle_fit *fit)
{
    size_t all = fit->n_known + fit->n_missing + fit->n_unknown;
    return fit->family && all ? (double)fit->n_known / (double)all : 0;
}

ingle_status ingle_fit_family(ingle_fit *fit, const ingle_family *family, const ingle_gguf *g,
                              ingle_error *err)
{
    names l;
    bool known[MAX_NAMES + 1];
    ingle_status st = names_open(&l, g, err);
    if (!st) st = try_family(fit, family, &l, known, err);
    if (!st && fit->family) list_unknown(fit, &l, known);
    free(l.of);
    return st;
}

ingle_status ingle_fit_nearest(ingle_fit *fit, const ingle_gguf *g, ingle_error *err)
{
    names l;
    bool known[MAX_NAMES + 1];
    char arch[128] = "";
    ingle_str s = {"", 0};
    size_t distance = SIZE_MAX;
    memset(fit, 0, sizeof *fit);
    if (!ingle_gguf_get_str(g, "general.architecture", false, &s, NULL))
        snprintf(arch, sizeof arch, "%.*s", (int)(s.len < 100 ? s.len : 100), s.ptr);
    ingle_status st = names_open(&l, g, err);
    const ingle_family *f;
    for (size_t i = 0; !st && (f = ingle_family_at(i)); i++) {
        ingle_fit now;
        size_t d = ingle_distance(arch, strlen(arch), f->name, strlen(f->name));
        if ((st = try_family(&now, f, &l, known, err))) break;
        if (share(&now) < share(fit) || (share(&now) == share(fit) && d >= distance)) continue;
        *fit = now;
        fit->family = f; /* also where only the name is near */
        distance = d;
    }
    if (!st && share(fit) > 0) {
        st = try_family(fit, fit->family, &l, known, err);
        if (!st) list_unknown(fit, &l, known);
    }
    free(l.of);
    return st;
}

/* ---- for callers ---- */

ingle_status ingle_model_family(const ingle_model *m, ingle_family_info *info, ingle_error *err)
{
    ingle_fit fit;
    ingle_str arch = {"", 0};
    if (!m) return ingle_fail(err, INGLE_ECLOSED, "the model is closed");
    ingle_family_info own = {0};
    ingle_status st = ingle_result_check(info, sizeof own, "ingle_family_info", err);
    if (!st) st = ingle_gguf_get_str(m->gguf, "general.architecture", true, &arch, err);
    if (st) return st;
    const ingle_family *family = ingle_family_find(arch);
    st = family ? ingle_fit_family(&fit, family, m->gguf, err)
                : ingle_fit_nearest(&fit, m->gguf, err);
    if (st) return st;
    own.known = family != NULL;
    if (!family) family = fit.family;
    if (family) {
        own.name = family->name;
        ingle_family_describe(family, m->family ? &m->hp : NULL, own.features, sizeof own.features);
    }
    if (fit.family) { /* else its keys are too few to try it */
        own.n_unknown = fit.n_unknown;
        memcpy(own.unknown, fit.unknown, sizeof own.unknown);
    }
    ingle_result_give(info, &own, sizeof own);
    return INGLE_OK;
}

ingle_status ingle_family_get(size_t i, const char **name, char *features, size_t cap,
                              ingle_error *err)
{
    const ingle_family *f = ingle_family_at(i);
    if (!f) return ingle_fail(err, INGLE_ENOTFOUND, "there is no family %zu", i);
    if (!name || (!features && cap))
        return ingle_fail(err, INGLE_EINVAL, "ingle_family_get: name or features is NULL");
    *name = f->name;
    ingle_family_describe(f, NULL, features, cap);
    return INGLE_OK;
}
