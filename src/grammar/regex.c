/* regex.c - the tree of a pattern becomes terms (regex.h).
 *
 * Parts that look at nothing outside of them become languages one by one, kids first. A look-ahead
 * sees all the text to its end, so what contains one is compiled backwards: from the texts that may
 * come after it, which begin as those after the whole pattern, to the texts that begin with it. */
#include "grammar/regex.h"

#include "base/mem.h"
#include "grammar/regex_lang.h"
#include "grammar/regex_tree.h"

enum { MAX_UNROLLED = 16 };

/* A node that waits, while its kids are compiled. */
typedef struct frame {
    uint32_t node;
    uint32_t i;             /* kids that are done */
    ingle_term rest[2];     /* after the node */
    ingle_term together[2]; /* what the kids that are done forbid */
    size_t n_done;          /* what was there before it */
} frame;

typedef struct compiler {
    regex_langs x;
    const regex_tree *tree;
    const ingle_source *s;
    regex_lang *lang; /* [n] of nodes that do not wait */
    frame *frames;
    size_t n, cap;
    ingle_term *done[2]; /* alternatives that are compiled, of nodes that wait */
    size_t n_done, cap_done[2];
    ingle_term *list;   /* [tree->n_kids], for alternatives */
    ingle_term rest[2]; /* what may come to the end of the text; [some text comes before it] */
} compiler;

static ingle_status fail_memory(const compiler *c)
{
    return ingle_fail(c->s->err, INGLE_ENOMEM, "no memory for a pattern of %zu bytes",
                      (size_t)(c->s->end - c->s->begin));
}

/* ---- nodes that do not wait ------------------------------------------------------------------ */

static const regex_lang *kid_lang(const compiler *c, const regex_node *node, size_t i)
{
    return &c->lang[c->tree->kids[node->first + i]];
}

static regex_lang seq_lang(const compiler *c, const regex_node *node)
{
    regex_lang l = ingle_regex_same(INGLE_TERM_EMPTY);
    for (size_t i = node->n; i-- > 0;) {
        const regex_node *kid = ingle_regex_kid(c->tree, node, i);
        if (kid->kind == REGEX_AHEAD)
            l = ingle_regex_ahead(&c->x, &l, kid_lang(c, kid, 0), kid->negative);
        else l = ingle_regex_join(&c->x, kid_lang(c, node, i), &l);
    }
    return l;
}

static regex_lang alt_lang(const compiler *c, const regex_node *node)
{
    regex_lang l = ingle_regex_same(INGLE_TERM_NONE);
    bool same = true;
    for (size_t i = 0; i < node->n; i++) same = same && ingle_regex_is_same(kid_lang(c, node, i));
    for (int k = 0; k < (same ? 1 : 4); k++) {
        for (size_t i = 0; i < node->n; i++) c->list[i] = kid_lang(c, node, i)->t[k / 2][k % 2];
        l.t[k / 2][k % 2] = ingle_term_alt_of(c->x.t, c->list, node->n);
    }
    return same ? ingle_regex_same(l.t[0][0]) : l;
}

static regex_lang lang_of(const compiler *c, const regex_node *node)
{
    switch (node->kind) {
    case REGEX_CHAR: return ingle_regex_same(node->term);
    case REGEX_SEQ: return seq_lang(c, node);
    case REGEX_REPEAT: return ingle_regex_times(&c->x, kid_lang(c, node, 0), node->min, node->max);
    case REGEX_BEGIN:
    case REGEX_END: return ingle_regex_anchor(node->kind == REGEX_BEGIN);
    case REGEX_BEHIND:
        return ingle_regex_behind(&c->x, kid_lang(c, node, 0), kid_lang(c, node, 1),
                                  node->negative);
    case REGEX_ALT: return alt_lang(c, node);
    case REGEX_AHEAD: break; /* waits, and its sequence has compiled it otherwise */
    }
    return ingle_regex_same(INGLE_TERM_NONE);
}

/* ---- nodes that wait ------------------------------------------------------------------------- */

static void set_rest(compiler *c, const ingle_term rest[2])
{
    c->rest[0] = rest[0];
    c->rest[1] = rest[1];
}

static void set_rest_any(compiler *c)
{
    c->rest[0] = c->rest[1] = c->x.any;
}

/* Each of both is added to what is there. */
static void add_to(const compiler *c, ingle_term to[2], const ingle_term more[2])
{
    for (int b = 0; b < 2; b++) to[b] = ingle_term_alt(c->x.t, to[b], more[b]);
}

/* The node comes before the rest. */
static ingle_status enter(compiler *c, uint32_t i)
{
    const regex_node *node = &c->tree->node[i];
    if (node->waits) {
        if (!ingle_grow(&c->frames, &c->cap, c->n + 1, sizeof *c->frames)) return fail_memory(c);
        c->frames[c->n++] =
            (frame){.node = i, .rest = {c->rest[0], c->rest[1]}, .n_done = c->n_done};
        return INGLE_OK;
    }
    regex_lang rest = {{{c->rest[0], c->rest[0]}, {c->rest[1], c->rest[1]}}};
    regex_lang l = ingle_regex_join(&c->x, &c->lang[i], &rest);
    c->rest[0] = l.t[0][0];
    c->rest[1] = l.t[1][0];
    return INGLE_OK;
}

static ingle_status enter_kid(compiler *c, const regex_node *node, size_t i)
{
    return enter(c, c->tree->kids[node->first + i]);
}

static ingle_status seq_step(compiler *c, frame *f, const regex_node *node)
{
    if (f->i < node->n) {
        f->i++;
        return enter_kid(c, node, node->n - f->i);
    }
    c->n--;
    return INGLE_OK;
}

static ingle_status keep_done(compiler *c)
{
    for (int b = 0; b < 2; b++) {
        if (!ingle_grow(&c->done[b], &c->cap_done[b], c->n_done + 1, sizeof *c->done[b]))
            return fail_memory(c);
        c->done[b][c->n_done] = c->rest[b];
    }
    c->n_done++;
    return INGLE_OK;
}

static ingle_status alt_step(compiler *c, frame *f, const regex_node *node)
{
    ingle_status st = f->i ? keep_done(c) : INGLE_OK;
    if (st) return st;
    if (f->i < node->n) {
        set_rest(c, f->rest);
        return enter_kid(c, node, f->i++);
    }
    for (int b = 0; b < 2; b++)
        c->rest[b] = ingle_term_alt_of(c->x.t, c->done[b] + f->n_done, node->n);
    c->n_done = f->n_done;
    c->n--;
    return INGLE_OK;
}

static ingle_status ahead_step(compiler *c, frame *f, const regex_node *node)
{
    if (!f->i++) {
        set_rest_any(c);
        return enter_kid(c, node, 0);
    }
    for (int b = 0; b < 2; b++)
        c->rest[b] = node->negative ? ingle_term_minus(c->x.t, f->rest[b], c->rest[b])
                                    : ingle_term_and(c->x.t, f->rest[b], c->rest[b]);
    c->n--;
    return INGLE_OK;
}

/* ---- repetitions that wait ------------------------------------------------------------------- */

/* Once more, up to n times; after the first max - min of them, the rest may also come at once. */
static ingle_status few_step(compiler *c, frame *f, const regex_node *node, uint32_t min,
                             uint32_t max)
{
    if (f->i && f->i <= max - min) add_to(c, c->rest, f->rest);
    if (f->i < max) {
        f->i++;
        return enter_kid(c, node, 0);
    }
    c->n--;
    return INGLE_OK;
}

/* Whether a node is look-aheads and then one character. */
static bool is_guarded_char(const compiler *c, const regex_node *node)
{
    if (node->kind != REGEX_SEQ || node->n < 2) return false;
    for (size_t i = 0; i + 1 < node->n; i++)
        if (ingle_regex_kid(c->tree, node, i)->kind != REGEX_AHEAD) return false;
    return ingle_regex_kid(c->tree, node, node->n - 1)->kind == REGEX_CHAR;
}

/* Guarded characters to the end of the text: such characters, but no text of which any part to its
 * end, from some character on, is one that a guard forbids. Those are gathered first. */
static ingle_status guarded_step(compiler *c, frame *f, const regex_node *node)
{
    const regex_node *seq = ingle_regex_kid(c->tree, node, 0);
    ingle_terms *t = c->x.t;
    if (f->i) {
        bool negative = ingle_regex_kid(c->tree, seq, f->i - 1)->negative;
        for (int b = 0; b < 2 && !negative; b++)
            c->rest[b] = ingle_term_minus(t, c->x.any, c->rest[b]);
        add_to(c, f->together, c->rest);
    }
    if (f->i + 1 < seq->n) {
        const regex_node *look = ingle_regex_kid(c->tree, seq, f->i++);
        set_rest_any(c);
        return enter_kid(c, look, 0);
    }
    ingle_term first[2] = {ingle_regex_some(&c->x, f->together[0]),
                           ingle_regex_some(&c->x, f->together[1])};
    ingle_term later = ingle_term_seq(t, c->x.some, first[1]);
    ingle_term one = ingle_regex_kid(c->tree, seq, seq->n - 1)->term;
    ingle_term all = ingle_term_repeat(t, one, node->min, node->max);
    for (int b = 0; b < 2; b++)
        c->rest[b] = ingle_term_minus(t, all, ingle_term_alt(t, first[b], later));
    c->n--;
    return INGLE_OK;
}

static bool rest_is(const frame *f, ingle_term e)
{
    return f->rest[0] == e && f->rest[1] == e;
}

static ingle_status repeat_step(compiler *c, frame *f, const regex_node *node)
{
    if (node->max <= MAX_UNROLLED) return few_step(c, f, node, node->min, node->max);
    if (node->min <= MAX_UNROLLED && rest_is(f, c->x.any)) /* times beyond the least add nothing */
        return few_step(c, f, node, node->min, node->min);
    if (rest_is(f, INGLE_TERM_EMPTY) && is_guarded_char(c, ingle_regex_kid(c->tree, node, 0)))
        return guarded_step(c, f, node);
    return ingle_source_fail(c->s, INGLE_EUNSUPPORTED, c->s->begin + node->at,
                             "a group that repeats with a look-ahead in it that may look beyond "
                             "the group");
}

/* ---- the pattern ----------------------------------------------------------------------------- */

static ingle_status step(compiler *c)
{
    frame *f = &c->frames[c->n - 1];
    const regex_node *node = &c->tree->node[f->node];
    switch (node->kind) {
    case REGEX_SEQ: return seq_step(c, f, node);
    case REGEX_ALT: return alt_step(c, f, node);
    case REGEX_AHEAD: return ahead_step(c, f, node);
    case REGEX_REPEAT: return repeat_step(c, f, node);
    default: c->n--; return INGLE_OK; /* never waits */
    }
}

/* The first match may begin anywhere. */
static ingle_term search(const compiler *c)
{
    ingle_terms *t = c->x.t;
    if (c->rest[0] == c->rest[1]) return ingle_term_seq(t, c->x.any, c->rest[0]);
    return ingle_term_alt(t, c->rest[0], ingle_term_seq(t, c->x.some, c->rest[1]));
}

static ingle_status compile(compiler *c, bool anywhere, ingle_term *out)
{
    size_t n = c->tree->n;
    c->lang = ingle_new(n, sizeof *c->lang);
    c->list = ingle_new(c->tree->n_kids, sizeof *c->list);
    if (!c->lang || !c->list) return fail_memory(c);
    for (size_t i = 0; i < n; i++)
        if (!c->tree->node[i].waits) c->lang[i] = lang_of(c, &c->tree->node[i]);
    c->rest[0] = c->rest[1] = anywhere ? c->x.any : INGLE_TERM_EMPTY;
    ingle_status st = enter(c, (uint32_t)n - 1);
    while (!st && c->n && !ingle_terms_status(c->x.t)) st = step(c);
    if (!st) *out = anywhere ? search(c) : c->rest[0];
    return st;
}

static ingle_status compile_tree(const regex_tree *tree, const regex_chars *chars, bool anywhere,
                                 ingle_term *out)
{
    ingle_terms *t = chars->t;
    ingle_term one = chars->make(t, NULL, 0, true);
    ingle_term any = ingle_term_repeat(t, one, 0, INGLE_TERM_MANY);
    compiler c = {.x = {t, any, ingle_term_seq(t, one, any)}, .tree = tree, .s = chars->s};
    ingle_status st = compile(&c, anywhere, out);
    free(c.lang);
    free(c.list);
    free(c.frames);
    free(c.done[0]);
    free(c.done[1]);
    return st;
}

ingle_status ingle_regex_compile(ingle_terms *t, const char *text, size_t len,
                                 const ingle_regex_options *opt, ingle_term *out, ingle_error *err)
{
    static const ingle_regex_options usual;
    if (!opt) opt = &usual;
    ingle_source s = {.err = err};
    regex_chars chars = {.s = &s, .t = t, .make = opt->chars ? opt->chars : ingle_term_chars};
    regex_tree tree = {0};
    *out = INGLE_TERM_NONE;
    ingle_status st = ingle_source_open(&s, text, len, INGLE_REGEX_MAX_BYTES, "a pattern");
    if (!st) st = ingle_regex_parse(&tree, &chars, opt->search);
    if (!st) st = compile_tree(&tree, &chars, opt->search, out);
    if (!st && ingle_terms_status(t)) st = ingle_source_table(&s, t, s.begin);
    if (st) *out = INGLE_TERM_NONE;
    ingle_regex_tree_close(&tree);
    ingle_regex_chars_close(&chars);
    return st;
}
