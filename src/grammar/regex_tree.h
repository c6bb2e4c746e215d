/* regex_tree.h - a pattern as a tree, between its text and its terms (regex.h).
 * Owns       nodes and lists of kids.
 * Depends on grammar/term.h.
 * Invariant  a node's kids have smaller numbers than the node. */
#ifndef INGLE_GRAMMAR_REGEX_TREE_H
#define INGLE_GRAMMAR_REGEX_TREE_H

#include "grammar/regex_class.h"

typedef enum regex_kind {
    REGEX_CHAR,   /* term */
    REGEX_SEQ,    /* no kids: the empty text */
    REGEX_ALT,    /* one kid or more */
    REGEX_REPEAT, /* one kid */
    REGEX_BEGIN,  /* ^ */
    REGEX_END,    /* $ */
    REGEX_AHEAD,  /* one kid: what must follow, or must not */
    REGEX_BEHIND  /* two kids: the first, which ends with the second, or must not */
} regex_kind;

#define REGEX_ENDLESS UINT32_MAX

typedef struct regex_node {
    regex_kind kind;
    bool negative;              /* AHEAD, BEHIND */
    bool begins, ends;          /* there is a ^, a $ in it */
    bool waits;                 /* a look-ahead in it may look beyond it */
    uint32_t first, n;          /* kids */
    uint32_t min, max;          /* REPEAT; INGLE_TERM_MANY */
    uint32_t shortest, longest; /* in characters; REGEX_ENDLESS and beyond count as that */
    ingle_term term;
    size_t at; /* the place in the text */
} regex_node;

typedef struct regex_tree {
    regex_node *node;
    size_t n, cap;
    uint32_t *kids;
    size_t n_kids, cap_kids;
} regex_tree;

/* Reads the whole pattern, which may match anywhere or matches the whole text; its root is the last
 * node. The caller closes the tree, also on failure. */
ingle_status ingle_regex_parse(regex_tree *tree, regex_chars *x, bool anywhere);
void ingle_regex_tree_close(regex_tree *tree);

static inline const regex_node *ingle_regex_kid(const regex_tree *tree, const regex_node *node,
                                                size_t i)
{
    return &tree->node[tree->kids[node->first + i]];
}

#endif
