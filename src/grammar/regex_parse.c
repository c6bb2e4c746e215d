/* regex_parse.c - the text of a pattern becomes a tree (regex_tree.h). Groups that are open are
 * kept in an array. */
#include "grammar/regex_tree.h"

#include "base/mem.h"

enum { MAX_LOOKS = 64, MAX_NESTED_LOOKS = 8 };

typedef struct regex_group {
    const char *open; /* its '('; of the whole pattern NULL */
    regex_kind kind;  /* SEQ: a group; AHEAD, BEHIND */
    bool negative;
    size_t n_items, n_alts; /* what was there before it */
} regex_group;

typedef struct list {
    uint32_t *p; /* nodes */
    size_t n, cap;
} list;

typedef struct parser {
    ingle_source *s;
    regex_chars *x;
    regex_tree *tree;
    regex_group *groups;
    size_t n_groups, cap_groups;
    list items; /* of the sequences that are open: each group's own is the last of its list */
    list alts;  /* alternatives that have ended, of groups that are open */
    bool can_repeat;
    size_t n_looks, n_open_looks;
    bool anywhere;
} parser;

static ingle_status fail_memory(const parser *p)
{
    return ingle_fail(p->s->err, INGLE_ENOMEM, "no memory for a pattern of %zu bytes",
                      (size_t)(p->s->end - p->s->begin));
}

static ingle_status push(const parser *p, list *l, uint32_t node)
{
    if (l->n == l->cap && !ingle_grow(&l->p, &l->cap, l->n + 1, sizeof *l->p))
        return fail_memory(p);
    l->p[l->n++] = node;
    return INGLE_OK;
}

static regex_node *node_at(const parser *p, size_t i)
{
    return &p->tree->node[i];
}

/* Adds a node with these kids; *node has the rest. */
static ingle_status add_node(parser *p, regex_node node, const uint32_t *kids, size_t n,
                             uint32_t *index)
{
    regex_tree *t = p->tree;
    if (!ingle_grow(&t->node, &t->cap, t->n + 1, sizeof *t->node) ||
        !ingle_grow(&t->kids, &t->cap_kids, t->n_kids + n, sizeof *t->kids))
        return fail_memory(p);
    node.first = (uint32_t)t->n_kids;
    node.n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        const regex_node *kid = node_at(p, kids[i]);
        node.begins |= kid->begins;
        node.ends |= kid->ends;
        t->kids[t->n_kids++] = kids[i];
    }
    *index = (uint32_t)t->n;
    t->node[t->n++] = node;
    return INGLE_OK;
}

/* ---- lengths --------------------------------------------------------------------------------- */

static uint32_t sum(uint32_t a, uint32_t b)
{
    return a > REGEX_ENDLESS - b ? REGEX_ENDLESS : a + b;
}

static uint32_t product(uint32_t a, uint32_t b)
{
    uint64_t c = (uint64_t)a * b;
    return c > REGEX_ENDLESS ? REGEX_ENDLESS : (uint32_t)c;
}

/* Whether a look-ahead sees no farther than a rest of at least so many characters. */
static bool sees_only(const parser *p, const regex_node *look, uint32_t shortest)
{
    const regex_node *kid = ingle_regex_kid(p->tree, look, 0);
    return !kid->waits && !kid->ends && kid->longest <= shortest && kid->longest < REGEX_ENDLESS;
}

static void measure_seq(const parser *p, regex_node *seq, const uint32_t *kids, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        const regex_node *kid = node_at(p, kids[i]);
        if (kid->kind == REGEX_AHEAD) seq->waits |= seq->waits || !sees_only(p, kid, seq->shortest);
        else seq->waits |= kid->waits;
        seq->shortest = sum(seq->shortest, kid->shortest);
        seq->longest = sum(seq->longest, kid->longest);
    }
}

static void measure_alt(const parser *p, regex_node *alt, const uint32_t *kids, size_t n)
{
    alt->shortest = REGEX_ENDLESS;
    for (size_t i = 0; i < n; i++) {
        const regex_node *kid = node_at(p, kids[i]);
        alt->waits |= kid->waits;
        if (kid->shortest < alt->shortest) alt->shortest = kid->shortest;
        if (kid->longest > alt->longest) alt->longest = kid->longest;
    }
}

/* ---- sequences and groups -------------------------------------------------------------------- */

static size_t offset(const parser *p, const char *at)
{
    return (size_t)(at - p->s->begin);
}

/* The items from `from` on become one node. */
static ingle_status make_seq(parser *p, size_t from, uint32_t *index)
{
    size_t n = p->items.n - from;
    const uint32_t *kids = n ? p->items.p + from : NULL;
    regex_node seq = {.kind = REGEX_SEQ, .at = offset(p, p->s->at)};
    p->items.n = from;
    if (n == 1) {
        *index = kids[0];
        return INGLE_OK;
    }
    measure_seq(p, &seq, kids, n);
    return add_node(p, seq, kids, n, index);
}

static ingle_status end_sequence(parser *p)
{
    uint32_t index;
    ingle_status st = make_seq(p, p->groups[p->n_groups - 1].n_items, &index);
    p->can_repeat = false;
    return st ? st : push(p, &p->alts, index);
}

/* The whole group as one node. */
static ingle_status end_group(parser *p, uint32_t *index)
{
    ingle_status st = end_sequence(p);
    if (st) return st;
    size_t from = p->groups[--p->n_groups].n_alts, n = p->alts.n - from;
    const uint32_t *kids = p->alts.p + from;
    regex_node alt = {.kind = REGEX_ALT, .at = offset(p, p->s->at)};
    p->alts.n = from;
    if (n == 1) {
        *index = kids[0];
        return INGLE_OK;
    }
    measure_alt(p, &alt, kids, n);
    return add_node(p, alt, kids, n, index);
}

/* (?<name>, after the '<'. */
static ingle_status read_name(parser *p)
{
    ingle_source *s = p->s;
    const char *begin = s->at;
    while (s->at < s->end && *s->at != '>' && *s->at != ')') s->at++;
    if (s->at == begin || !ingle_source_skip(s, '>'))
        return ingle_source_expected(s, s->at, "a group's name and '>'");
    return INGLE_OK;
}

/* What follows "(?". */
static ingle_status read_group_kind(parser *p, regex_group *group)
{
    ingle_source *s = p->s;
    if (ingle_source_skip(s, ':')) return INGLE_OK;
    bool behind = ingle_source_skip(s, '<');
    char c = ingle_source_look(s, 0);
    if (c == '=' || c == '!') {
        s->at++;
        group->kind = behind ? REGEX_BEHIND : REGEX_AHEAD;
        group->negative = c == '!';
        return INGLE_OK;
    }
    return behind ? read_name(p) : ingle_source_expected(s, s->at, "':', '=', '!' or '<'");
}

static ingle_status count_look(parser *p, const char *at)
{
    if (p->n_looks++ < MAX_LOOKS) return INGLE_OK;
    return ingle_source_fail(p->s, INGLE_EUNSUPPORTED, at,
                             "more than %d look-aheads, look-behinds and '\\b'", (int)MAX_LOOKS);
}

static ingle_status open_group(parser *p)
{
    regex_group group = {p->s->at++, REGEX_SEQ, false, p->items.n, p->alts.n};
    ingle_status st = INGLE_OK;
    if (ingle_source_skip(p->s, '?')) st = read_group_kind(p, &group);
    if (st) return st;
    if (group.kind != REGEX_SEQ) {
        st = count_look(p, group.open);
        if (!st && p->n_open_looks++ == MAX_NESTED_LOOKS)
            st = ingle_source_fail(p->s, INGLE_EUNSUPPORTED, group.open,
                                   "more than %d look-aheads and look-behinds in one another",
                                   (int)MAX_NESTED_LOOKS);
        if (st) return st;
    }
    if (!ingle_grow(&p->groups, &p->cap_groups, p->n_groups + 1, sizeof *p->groups))
        return fail_memory(p);
    p->groups[p->n_groups++] = group;
    p->can_repeat = false;
    return INGLE_OK;
}

/* How many of the sequence's last items a look-behind must see: as many as it can see, or all from
 * the beginning of the text on. False: there may be more that it sees. */
static bool find_before(const parser *p, uint32_t look, size_t *from)
{
    size_t first = p->groups[p->n_groups - 1].n_items;
    uint32_t shortest = 0;
    const regex_node *what = node_at(p, look);
    bool fits = !what->begins && what->longest < REGEX_ENDLESS, done = fits && !what->longest;
    bool ok = !what->waits;
    *from = p->items.n;
    while (ok && !done && *from > first) {
        const regex_node *item = node_at(p, p->items.p[--*from]);
        ok = !item->waits && item->kind != REGEX_AHEAD;
        shortest = sum(shortest, item->shortest);
        done = item->kind == REGEX_BEGIN || (fits && shortest >= what->longest);
    }
    return ok && done;
}

/* In a sequence of the pattern itself, a look-behind may see all the text before: ^ and, where the
 * pattern may match anywhere, any characters are put before the sequence. */
static ingle_status begin_with_all(parser *p)
{
    uint32_t index[3];
    size_t n = p->anywhere ? 2 : 1;
    if (p->n_groups > 1 || (p->items.n && node_at(p, p->items.p[0])->kind == REGEX_BEGIN))
        return INGLE_OK;
    regex_node begin = {.kind = REGEX_BEGIN, .begins = true};
    regex_node any = {.kind = REGEX_CHAR, .shortest = 1, .longest = 1};
    regex_node all = {.kind = REGEX_REPEAT, .max = INGLE_TERM_MANY, .longest = REGEX_ENDLESS};
    any.term = p->x->make(p->x->t, NULL, 0, true);
    ingle_status st = add_node(p, begin, NULL, 0, &index[0]);
    if (!st) st = add_node(p, any, NULL, 0, &index[2]);
    if (!st) st = add_node(p, all, &index[2], 1, &index[1]);
    for (size_t i = 0; !st && i < n; i++) st = push(p, &p->items, index[i]);
    if (st) return st;
    memmove(p->items.p + n, p->items.p, (p->items.n - n) * sizeof *p->items.p);
    memcpy(p->items.p, index, n * sizeof *index);
    return INGLE_OK;
}

/* What comes before a look at it becomes one node. */
static ingle_status take_before(parser *p, uint32_t look, const char *at, uint32_t *before)
{
    size_t from;
    bool found = find_before(p, look, &from);
    ingle_status st = found ? INGLE_OK : begin_with_all(p);
    if (st) return st;
    if (found || find_before(p, look, &from)) return make_seq(p, from, before);
    return ingle_source_fail(p->s, INGLE_EUNSUPPORTED, at,
                             "%s that may look farther back than what comes before it in its group",
                             *at == '(' ? "a look-behind" : "'\\b' or '\\B'");
}

/* The texts of `before` that end so, or do not. */
static ingle_status add_behind(parser *p, uint32_t before, uint32_t look, bool negative,
                               uint32_t *index)
{
    regex_node node = {.kind = REGEX_BEHIND,
                       .negative = negative,
                       .shortest = node_at(p, before)->shortest,
                       .longest = node_at(p, before)->longest};
    uint32_t kids[2] = {before, look};
    return add_node(p, node, kids, 2, index);
}

static ingle_status add_ahead(parser *p, uint32_t look, bool negative, uint32_t *index)
{
    regex_node node = {.kind = REGEX_AHEAD, .negative = negative, .waits = true};
    return add_node(p, node, &look, 1, index);
}

static ingle_status close_look(parser *p, const regex_group *group, uint32_t look)
{
    uint32_t index, before;
    ingle_status st;
    p->n_open_looks--;
    if (group->kind == REGEX_BEHIND) {
        st = take_before(p, look, group->open, &before);
        if (!st) st = add_behind(p, before, look, group->negative, &index);
    } else {
        st = add_ahead(p, look, group->negative, &index);
    }
    return st ? st : push(p, &p->items, index);
}

static ingle_status close_group(parser *p)
{
    const char *close = p->s->at;
    uint32_t index;
    if (p->n_groups == 1)
        return ingle_source_fail(p->s, INGLE_EFORMAT, close, "found ')', which closes no group");
    p->s->at++;
    regex_group group = p->groups[p->n_groups - 1];
    ingle_status st = end_group(p, &index);
    if (st) return st;
    p->can_repeat = group.kind == REGEX_SEQ;
    if (p->can_repeat) return push(p, &p->items, index);
    return close_look(p, &group, index);
}

/* ---- repetitions ----------------------------------------------------------------------------- */

static size_t count_digits(const ingle_source *s, size_t i)
{
    size_t n = 0;
    for (char c; (c = ingle_source_look(s, i + n)) >= '0' && c <= '9';) n++;
    return n;
}

/* Whether {2}, {2,} or {2,5} is here; other braces are plain characters. */
static bool is_count(const ingle_source *s)
{
    size_t n = count_digits(s, 1), i = 1 + n;
    if (!n) return false;
    if (ingle_source_look(s, i) == ',') {
        i++;
        i += count_digits(s, i);
    }
    return ingle_source_look(s, i) == '}';
}

static ingle_status read_counts(ingle_source *s, uint32_t *min, uint32_t *max)
{
    const char *begin = s->at++;
    ingle_status st = ingle_source_number(s, min);
    if (st) return st;
    *max = *min;
    bool more = false;
    if (ingle_source_skip(s, ',')) {
        char c = ingle_source_look(s, 0);
        more = c == '}';
        if (!more) st = ingle_source_number(s, max);
    }
    if (st) return st;
    s->at++; /* is_count() has seen the '}' */
    if (*min == INGLE_TERM_MANY || (!more && *max == INGLE_TERM_MANY))
        return ingle_source_fail(s, INGLE_EUNSUPPORTED, begin, "a count beyond %u",
                                 (unsigned)INGLE_TERM_MANY - 1);
    if (more) *max = INGLE_TERM_MANY;
    if (*max < *min)
        return ingle_source_fail(s, INGLE_EFORMAT, begin,
                                 "at least %u times and at most %u: expected a larger number last",
                                 (unsigned)*min, (unsigned)*max);
    return INGLE_OK;
}

static ingle_status read_repeat(parser *p)
{
    ingle_source *s = p->s;
    const char *begin = s->at;
    char c = *begin;
    uint32_t min = c == '+', max = c == '?' ? 1 : INGLE_TERM_MANY, *last;
    if (!p->can_repeat)
        return ingle_source_expected(s, begin,
                                     "a character, a class or a group before it: there is nothing "
                                     "to repeat");
    ingle_status st = INGLE_OK;
    if (c == '{') st = read_counts(s, &min, &max);
    else s->at++;
    if (st) return st;
    ingle_source_skip(s, '?'); /* as few as possible: the same texts */
    last = &p->items.p[p->items.n - 1];
    const regex_node *kid = node_at(p, *last);
    regex_node repeat = {.kind = REGEX_REPEAT,
                         .at = offset(p, begin),
                         .min = min,
                         .max = max,
                         .waits = kid->waits,
                         .shortest = product(kid->shortest, min),
                         .longest = product(kid->longest, max)};
    p->can_repeat = false;
    uint32_t only = *last;
    return add_node(p, repeat, &only, 1, last);
}

/* ---- the pattern ----------------------------------------------------------------------------- */

static ingle_status add_anchor(parser *p, regex_kind kind)
{
    uint32_t index;
    regex_node anchor = {.kind = kind,
                         .at = offset(p, p->s->at++),
                         .begins = kind == REGEX_BEGIN,
                         .ends = kind == REGEX_END};
    ingle_status st = add_node(p, anchor, NULL, 0, &index);
    p->can_repeat = false;
    return st ? st : push(p, &p->items, index);
}

/* What came before, ended by a word's character or not, and that none follows, or one does. */
static ingle_status add_side(parser *p, uint32_t before, uint32_t word, bool no_word, bool follows,
                             uint32_t *index)
{
    uint32_t kids[2];
    regex_node seq = {.kind = REGEX_SEQ};
    ingle_status st = add_behind(p, before, word, no_word, &kids[0]);
    if (!st) st = add_ahead(p, word, !follows, &kids[1]);
    if (st) return st;
    measure_seq(p, &seq, kids, 2);
    return add_node(p, seq, kids, 2, index);
}

/* \b, \B */
static ingle_status add_boundary(parser *p)
{
    const char *at = p->s->at;
    bool within = at[1] == 'B';
    uint32_t word = 0, before = 0, sides[2], index;
    regex_node node = {.kind = REGEX_CHAR, .shortest = 1, .longest = 1}, alt = {.kind = REGEX_ALT};
    p->s->at += 2;
    p->can_repeat = false;
    ingle_status st = count_look(p, at);
    if (!st) st = ingle_regex_word(p->x, &node.term);
    if (!st) st = add_node(p, node, NULL, 0, &word);
    if (!st) st = take_before(p, word, at, &before);
    for (int i = 0; !st && i < 2; i++)
        st = add_side(p, before, word, i == 1, (i == 1) != within, &sides[i]);
    if (st) return st;
    measure_alt(p, &alt, sides, 2);
    st = add_node(p, alt, sides, 2, &index);
    return st ? st : push(p, &p->items, index);
}

static ingle_status add_char(parser *p)
{
    uint32_t index;
    char c = *p->s->at;
    regex_node node = {.kind = REGEX_CHAR, .at = offset(p, p->s->at), .shortest = 1, .longest = 1};
    ingle_status st = c == '['    ? ingle_regex_class(p->x, &node.term)
                      : c == '\\' ? ingle_regex_escape(p->x, &node.term)
                      : c == '.'  ? ingle_regex_dot(p->x, &node.term)
                                  : ingle_regex_plain(p->x, &node.term);
    if (!st) st = add_node(p, node, NULL, 0, &index);
    p->can_repeat = true;
    return st ? st : push(p, &p->items, index);
}

static ingle_status read_item(parser *p)
{
    char next = ingle_source_look(p->s, 1);
    switch (*p->s->at) {
    case '(': return open_group(p);
    case ')': return close_group(p);
    case '|': p->s->at++; return end_sequence(p);
    case '^': return add_anchor(p, REGEX_BEGIN);
    case '$': return add_anchor(p, REGEX_END);
    case '*':
    case '+':
    case '?': return read_repeat(p);
    case '{': return is_count(p->s) ? read_repeat(p) : add_char(p);
    case '\\': return next == 'b' || next == 'B' ? add_boundary(p) : add_char(p);
    default: return add_char(p);
    }
}

static ingle_status parse(parser *p)
{
    uint32_t root;
    if (!ingle_grow(&p->groups, &p->cap_groups, 1, sizeof *p->groups)) return fail_memory(p);
    p->groups[p->n_groups++] = (regex_group){.kind = REGEX_SEQ};
    while (p->s->at < p->s->end) {
        ingle_status st = read_item(p);
        if (st) return st;
    }
    if (p->n_groups > 1)
        return ingle_source_fail(p->s, INGLE_EFORMAT, p->groups[p->n_groups - 1].open,
                                 "the group that begins here has no end: found the end of the "
                                 "pattern, expected ')'");
    ingle_status st = end_group(p, &root);
    if (st || root == p->tree->n - 1) return st;
    regex_node seq = {.kind = REGEX_SEQ}; /* so that the root is the last */
    measure_seq(p, &seq, &root, 1);
    return add_node(p, seq, &root, 1, &root);
}

ingle_status ingle_regex_parse(regex_tree *tree, regex_chars *x, bool anywhere)
{
    parser p = {.s = x->s, .x = x, .tree = tree, .anywhere = anywhere};
    ingle_status st = parse(&p);
    free(p.groups);
    free(p.items.p);
    free(p.alts.p);
    return st;
}

void ingle_regex_tree_close(regex_tree *tree)
{
    free(tree->node);
    free(tree->kids);
}
