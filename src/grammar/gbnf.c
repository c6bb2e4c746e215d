/* gbnf.c - rules, groups and sequences (gbnf.h). Groups that are open are kept in an array, so
 * nesting costs memory of the heap and nothing else. */
#include "grammar/gbnf.h"

#include "base/map.h"
#include "base/mem.h"
#include "grammar/gbnf_item.h"
#include "grammar/source.h"

#include <stdio.h>

typedef struct gbnf_rule {
    const char *name; /* in the text, where it comes first */
    size_t len;
    const char *made; /* where its definition is; NULL: there is none so far */
    uint32_t id;
} gbnf_rule;

/* A rule's body or a group whose ')' has not come yet. */
typedef struct gbnf_group {
    const char *open;       /* its '('; of a rule NULL */
    size_t n_items, n_alts; /* what was there before it */
} gbnf_group;

typedef struct list {
    ingle_term *p;
    size_t n, cap;
} list;

typedef struct reader {
    ingle_source s;
    ingle_terms *t;
    const ingle_token_names *names;
    gbnf_rule *rules;
    size_t n_rules, cap_rules;
    ingle_map map; /* finds rules by their names */
    gbnf_group *groups;
    size_t n_groups, cap_groups;
    list items; /* of the sequences that are open: each group's own is the last of its list */
    list alts;  /* alternatives that have ended, of groups that are open */
    /* Strings that follow one another become one literal; the last may still get a count. */
    char *text;
    size_t n_text, cap_text, i_last;
    bool pending;
} reader;

static ingle_status fail_memory(const reader *r)
{
    return ingle_fail(r->s.err, INGLE_ENOMEM, "no memory for a grammar of %zu bytes",
                      (size_t)(r->s.end - r->s.begin));
}

static ingle_status push(reader *r, list *l, ingle_term e)
{
    if (l->n == l->cap && !ingle_grow(&l->p, &l->cap, l->n + 1, sizeof *l->p))
        return fail_memory(r);
    l->p[l->n++] = e;
    return INGLE_OK;
}

static bool nested(const reader *r)
{
    return r->n_groups > 1;
}

/* ---- strings --------------------------------------------------------------------------------- */

static ingle_status end_text(reader *r)
{
    if (!r->pending) return INGLE_OK;
    r->pending = false;
    return push(r, &r->items, ingle_term_literal(r->t, r->text, r->n_text));
}

static ingle_status add_item(reader *r, ingle_term e)
{
    ingle_status st = end_text(r);
    return st ? st : push(r, &r->items, e);
}

/* The last string gets a count: what came before it is an item of its own. */
static ingle_status split_text(reader *r)
{
    if (!r->pending) return INGLE_OK;
    ingle_status st = INGLE_OK;
    if (r->i_last) st = push(r, &r->items, ingle_term_literal(r->t, r->text, r->i_last));
    r->n_text -= r->i_last;
    memmove(r->text, r->text + r->i_last, r->n_text);
    return st ? st : end_text(r);
}

static ingle_status read_string(reader *r)
{
    const char *begin = r->s.at++;
    if (!r->pending) r->n_text = 0;
    r->pending = true;
    r->i_last = r->n_text;
    for (;;) {
        uint32_t code;
        if (r->s.at == r->s.end)
            return ingle_source_fail(&r->s, INGLE_EFORMAT, begin,
                                     "the string that begins here has no end: found the end of "
                                     "the grammar, expected '\"'");
        if (!ingle_grow(&r->text, &r->cap_text, r->n_text + 4, 1)) return fail_memory(r);
        if (ingle_source_skip(&r->s, '"')) return INGLE_OK;
        ingle_status st = ingle_gbnf_char(&r->s, &code);
        if (st) return st;
        r->n_text += ingle_source_encode(code, r->text + r->n_text);
    }
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* The rule whose name is here; it is made if it is new. */
static ingle_status read_rule_name(reader *r, gbnf_rule **rule)
{
    const char *name = r->s.at;
    while (ingle_gbnf_is_name(ingle_source_look(&r->s, 0))) r->s.at++;
    size_t len = (size_t)(r->s.at - name);
    uint64_t hash = ingle_map_hash(&r->map, name, len);
    uint32_t i = 0, id;
    while ((id = ingle_map_next(&r->map, hash, &i)) != INGLE_NO_ID) {
        *rule = &r->rules[id];
        if ((*rule)->len == len && !memcmp((*rule)->name, name, len)) return INGLE_OK;
    }
    if (r->n_rules == INGLE_GBNF_MAX_RULES)
        return ingle_source_fail(&r->s, INGLE_EUNSUPPORTED, name, "more than %zu rules",
                                 INGLE_GBNF_MAX_RULES);
    if (!ingle_grow(&r->rules, &r->cap_rules, r->n_rules + 1, sizeof *r->rules) ||
        !ingle_map_add(&r->map, hash, (uint32_t)r->n_rules))
        return fail_memory(r);
    *rule = &r->rules[r->n_rules++];
    **rule = (gbnf_rule){name, len, NULL, ingle_rule_new(r->t, name, len)};
    return INGLE_OK;
}

static ingle_status read_reference(reader *r)
{
    gbnf_rule *rule;
    ingle_status st = read_rule_name(r, &rule);
    return st ? st : add_item(r, ingle_term_rule(r->t, rule->id));
}

/* ---- sequences and groups -------------------------------------------------------------------- */

static ingle_status begin_group(reader *r, const char *open)
{
    ingle_status st = end_text(r);
    if (st) return st;
    if (!ingle_grow(&r->groups, &r->cap_groups, r->n_groups + 1, sizeof *r->groups))
        return fail_memory(r);
    r->groups[r->n_groups++] = (gbnf_group){open, r->items.n, r->alts.n};
    return INGLE_OK;
}

/* The sequence that is open becomes an alternative. */
static ingle_status end_sequence(reader *r)
{
    size_t from = r->groups[r->n_groups - 1].n_items;
    ingle_status st = end_text(r);
    if (st) return st;
    ingle_term e = INGLE_TERM_EMPTY;
    if (r->items.n > from) e = ingle_term_seq_of(r->t, r->items.p + from, r->items.n - from);
    r->items.n = from;
    return push(r, &r->alts, e);
}

static ingle_status end_group(reader *r, ingle_term *e)
{
    ingle_status st = end_sequence(r);
    if (st) return st;
    size_t from = r->groups[--r->n_groups].n_alts;
    *e = ingle_term_alt_of(r->t, r->alts.p + from, r->alts.n - from);
    r->alts.n = from;
    return INGLE_OK;
}

static ingle_status close_group(reader *r)
{
    ingle_term e;
    ingle_status st = end_group(r, &e);
    return st ? st : add_item(r, e);
}

static ingle_status read_repeat(reader *r)
{
    const char *begin = r->s.at;
    uint32_t min, max;
    ingle_status st = split_text(r);
    if (st) return st;
    if (r->items.n == r->groups[r->n_groups - 1].n_items)
        return ingle_source_expected(&r->s, begin,
                                     "a string, a class, '(' or a rule's name before it: there is "
                                     "nothing to repeat");
    st = ingle_gbnf_counts(&r->s, nested(r), &min, &max);
    if (st) return st;
    ingle_term *last = &r->items.p[r->items.n - 1];
    *last = ingle_term_repeat(r->t, *last, min, max);
    return INGLE_OK;
}

/* What is here belongs to no sequence. */
static ingle_status fail_item(const reader *r)
{
    char expected[200];
    static const char common[] =
        "a string, a class, '(', '.', '<', a rule's name, a repetition, '|'";
    const char *open = r->groups[r->n_groups - 1].open;
    size_t line, column;
    if (open) {
        ingle_source_place(&r->s, open, &line, &column);
        snprintf(expected, sizeof expected, "%s or the ')' for line %zu, column %zu", common, line,
                 column);
    } else {
        snprintf(expected, sizeof expected, "%s or the end of the line", common);
    }
    return ingle_source_expected(&r->s, r->s.at, expected);
}

/* The rule ends here, unless the next line that is not empty begins with '|'. */
static bool ends_rule(reader *r)
{
    const char *begin = r->s.at;
    char c = ingle_source_look(&r->s, 0);
    if (nested(r)) return false;
    if (r->s.at == r->s.end) return true;
    if (c != '\n' && c != '\r') return false;
    ingle_gbnf_skip_space(&r->s, true);
    if (ingle_source_look(&r->s, 0) == '|') return false;
    r->s.at = begin;
    return true;
}

static ingle_status read_item(reader *r)
{
    ingle_term e = INGLE_TERM_NONE;
    ingle_status st;
    const char *begin = r->s.at;
    char c = ingle_source_look(&r->s, 0);
    bool lines = nested(r) || c == '|' || c == '(';
    switch (c) {
    case '"': st = read_string(r); break;
    case '*':
    case '+':
    case '?':
    case '{': st = read_repeat(r); break;
    case '(': st = begin_group(r, r->s.at++); break;
    case '|':
        r->s.at++;
        st = end_sequence(r);
        break;
    case ')':
        if (!nested(r)) return fail_item(r);
        r->s.at++;
        st = close_group(r);
        lines = nested(r);
        break;
    case '[':
        st = ingle_gbnf_class(&r->s, r->t, &e);
        if (!st) st = add_item(r, e);
        break;
    case '<':
    case '!':
        st = ingle_gbnf_token(&r->s, r->t, r->names, &e);
        if (!st) st = add_item(r, e);
        break;
    case '.':
        r->s.at++;
        st = add_item(r, ingle_term_chars(r->t, NULL, 0, true));
        break;
    default: st = ingle_gbnf_is_name(c) ? read_reference(r) : fail_item(r);
    }
    if (!st && ingle_terms_status(r->t)) st = ingle_source_table(&r->s, r->t, begin);
    if (!st) ingle_gbnf_skip_space(&r->s, lines);
    return st;
}

/* ---- the grammar ----------------------------------------------------------------------------- */

static ingle_status read_rule(reader *r)
{
    const char *begin = r->s.at;
    gbnf_rule *rule;
    if (!ingle_gbnf_is_name(ingle_source_look(&r->s, 0)))
        return ingle_source_expected(&r->s, begin, "a rule's name");
    ingle_status st = read_rule_name(r, &rule);
    if (st) return st;
    size_t i = (size_t)(rule - r->rules), line, column;
    if (rule->made) {
        ingle_source_place(&r->s, rule->made, &line, &column);
        return ingle_source_fail(&r->s, INGLE_EFORMAT, begin,
                                 "the rule '%.*s' is defined already, in line %zu",
                                 (int)(rule->len < 80 ? rule->len : 80), rule->name, line);
    }
    rule->made = begin;
    ingle_gbnf_skip_space(&r->s, false);
    if (!ingle_source_is_at(&r->s, "::=")) return ingle_source_expected(&r->s, r->s.at, "'::='");
    r->s.at += 3;
    ingle_gbnf_skip_space(&r->s, true);
    st = begin_group(r, NULL);
    while (!st && !ends_rule(r)) st = read_item(r);
    ingle_term body;
    if (!st) st = end_group(r, &body);
    if (!st) ingle_rule_set(r->t, r->rules[i].id, body);
    return st;
}

static ingle_status read_rules(reader *r)
{
    ingle_status st = INGLE_OK;
    if (ingle_source_is_at(&r->s, "\xef\xbb\xbf")) r->s.at += 3; /* some editors write this mark */
    for (;;) {
        ingle_gbnf_skip_space(&r->s, true);
        if (r->s.at == r->s.end) return st;
        st = read_rule(r);
        if (st) return st;
    }
}

/* Every rule has a body, and one is named root. */
static ingle_status check_rules(const reader *r, ingle_term *root)
{
    for (size_t i = 0; i < r->n_rules; i++)
        if (!r->rules[i].made)
            return ingle_source_fail(&r->s, INGLE_EFORMAT, r->rules[i].name,
                                     "found the rule '%.*s', which is not defined anywhere",
                                     (int)(r->rules[i].len < 80 ? r->rules[i].len : 80),
                                     r->rules[i].name);
    for (size_t i = 0; i < r->n_rules; i++) {
        if (r->rules[i].len != 4 || memcmp(r->rules[i].name, "root", 4) != 0) continue;
        *root = ingle_term_rule(r->t, r->rules[i].id);
        return INGLE_OK;
    }
    return ingle_source_expected(&r->s, r->s.end,
                                 "a rule 'root ::= ...', which is what the whole text must be");
}

ingle_status ingle_gbnf_compile(ingle_terms *t, const char *text, size_t len,
                                const ingle_token_names *names, ingle_term *root, ingle_error *err)
{
    reader r = {.s = {.lines = true, .err = err}, .t = t, .names = names};
    *root = INGLE_TERM_NONE;
    ingle_status st = ingle_source_open(&r.s, text, len, INGLE_GBNF_MAX_BYTES, "a grammar");
    if (!st && !ingle_map_open(&r.map, 0)) st = fail_memory(&r);
    if (!st) st = read_rules(&r);
    if (!st && ingle_terms_status(t)) st = ingle_source_table(&r.s, t, r.s.end);
    if (!st) st = check_rules(&r, root);
    ingle_map_close(&r.map);
    free(r.rules);
    free(r.groups);
    free(r.items.p);
    free(r.alts.p);
    free(r.text);
    return st;
}
