/* table.h - the table of terms from inside: records, pools, derivatives.
 * Owns       what ingle_terms owns (term.h).
 * Depends on grammar/term.h, base/mem.h.
 * Invariant  the terms a record speaks of have smaller numbers than the record; recursion goes
 *            through rules and producers only. What derivatives add lies after n_static. */
#ifndef INGLE_GRAMMAR_TABLE_H
#define INGLE_GRAMMAR_TABLE_H

#include "base/mem.h"
#include "grammar/term.h"

typedef struct ingle_byte_set {
    uint64_t word[4];
} ingle_byte_set;

static inline bool ingle_set_has(const ingle_byte_set *s, unsigned char b)
{
    return s->word[b >> 6] >> (b & 63) & 1;
}
static inline void ingle_set_add(ingle_byte_set *s, unsigned char b)
{
    s->word[b >> 6] |= (uint64_t)1 << (b & 63);
}
static inline void ingle_set_or(ingle_byte_set *s, const ingle_byte_set *o)
{
    for (size_t i = 0; i < 4; i++) s->word[i] |= o->word[i];
}
static inline void ingle_set_and(ingle_byte_set *s, const ingle_byte_set *o)
{
    for (size_t i = 0; i < 4; i++) s->word[i] &= o->word[i];
}
static inline void ingle_set_minus(ingle_byte_set *s, const ingle_byte_set *o)
{
    for (size_t i = 0; i < 4; i++) s->word[i] &= ~o->word[i];
}
static inline bool ingle_set_is_empty(const ingle_byte_set *s)
{
    return !(s->word[0] | s->word[1] | s->word[2] | s->word[3]);
}
static inline size_t ingle_set_count(const ingle_byte_set *s)
{
    size_t n = 0;
    for (size_t i = 0; i < 4; i++) n += (size_t)__builtin_popcountll(s->word[i]);
    return n;
}
static inline ingle_byte_set ingle_set_all(void)
{
    return (ingle_byte_set){{~0ull, ~0ull, ~0ull, ~0ull}};
}

typedef enum ingle_term_kind {
    TERM_NONE,
    TERM_EMPTY,
    TERM_ANY,
    TERM_LITERAL,  /* a: offset in bytes, b: length */
    TERM_SET,      /* a: byte set */
    TERM_CHARS,    /* a: class */
    TERM_PART,     /* a: class, b: bits of the code point so far, c: bytes to come */
    TERM_MULTIPLE, /* a: divisor, b: rest wanted, c: rest so far, top bit: a digit was seen */
    TERM_TOKEN,    /* a: token, b: any other */
    TERM_UNTIL,    /* a: searcher, b: its state, c: 0, or ends with text c - 1 */
    TERM_SEQ,      /* a: no sequence itself, b: what follows, not empty */
    TERM_ALT,      /* a: offset in words, b: how many, sorted, none an alternative itself */
    TERM_REPEAT,   /* a: of what, b: min, c: max */
    TERM_AND,      /* a, b */
    TERM_MINUS,    /* a, b */
    TERM_SOME,     /* a: its texts but for the empty one */
    TERM_RULE,     /* a: rule */
    TERM_PRODUCED  /* a: producer, b: offset in words of body, state ...; c: words of the state */
} ingle_term_kind;

enum {
    TERM_NULLABLE = 1,
    TERM_IRREGULAR = 2, /* a rule or a producer is in it */
    TERM_NARROW = 4,    /* an intersection or difference is in it */
    TERM_LIVE = 8,      /* of those, one known to have a text */
    TERM_DEAD = 16,     /* or none */
    TERM_TAKES = 32     /* tokens by their number may come first; known with `first` */
};

#define INGLE_UNKNOWN UINT32_MAX

typedef struct ingle_node {
    unsigned char kind, flags;
    uint32_t a, b, c;
    uint32_t next;   /* in its chain of the hash table */
    uint32_t first;  /* byte set of first bytes, plus 1; 0: not asked yet */
    uint32_t groups; /* derivatives known, plus 1 */
    uint32_t row;    /* as a state, plus 1 */
} ingle_node;

/* The derivative by each byte of the set is `to`. */
typedef struct ingle_group {
    ingle_byte_set set;
    ingle_term to;
    uint32_t next; /* plus 1 */
} ingle_group;

/* A class of characters: its ASCII part, and all of it as sorted ranges. */
typedef struct ingle_char_class {
    uint64_t ascii[2];
    uint32_t range, n; /* in words: low, high */
    bool all_high;     /* every character beyond ASCII */
} ingle_char_class;

typedef struct ingle_rule {
    ingle_term body; /* INGLE_UNKNOWN: none yet */
    uint32_t name, name_len;
} ingle_rule;

/* An Aho-Corasick automaton: row[state][byte]; INGLE_FOUND + i is an occurrence of text i. */
#define INGLE_FOUND 0x8000
typedef struct ingle_searcher {
    uint16_t (*row)[256];
    size_t n;
} ingle_searcher;

/* A term under way: its child i is asked next. */
typedef struct ingle_frame {
    ingle_term e;
    uint32_t i, mark;
    ingle_byte_set set;
    bool takes;
} ingle_frame;

typedef struct ingle_words {
    uint32_t *at;
    size_t n, cap;
} ingle_words;

struct ingle_terms {
    ingle_node *node;
    size_t n, cap;
    uint32_t *bucket;
    size_t n_buckets; /* a power of two */
    ingle_byte_set *set;
    size_t n_sets, cap_sets;
    uint32_t *set_bucket;
    size_t n_set_buckets;
    ingle_char_class *class;
    size_t n_classes, cap_classes;
    ingle_rule *rule;
    size_t n_rules, cap_rules;
    ingle_producer **producer;
    size_t n_producers, cap_producers;
    ingle_searcher *searcher;
    size_t n_searchers, cap_searchers;
    char *bytes; /* of literals and names */
    size_t n_bytes, cap_bytes;
    ingle_words words; /* of alternatives, producers and classes */
    ingle_group *group;
    size_t n_groups, cap_groups;
    uint32_t (*row)[256];
    uint64_t *leads; /* by row: of mask.c; 0: not known */
    size_t n_rows, cap_rows, cap_leads;
    struct ingle_search *search; /* scratch of emptiness */

    ingle_words list;   /* scratch of constructors: a stack */
    ingle_frame *frame; /* scratch of derivatives: a stack */
    size_t n_frames, cap_frames;
    unsigned alt_depth;
    struct ingle_memo *memo; /* [INGLE_MEMOS] of alternatives; NULL: none yet */

    size_t n_static; /* terms, bytes and words of the grammar itself; 0: not finished */
    size_t static_bytes, static_words;
    size_t max_bytes, max_terms;
    uint64_t work; /* derivatives computed, terms made: what a limit may bound */
    uint64_t work_limit;
    ingle_status status;
    ingle_error error;
};

static inline const ingle_node *ingle_node_at(const ingle_terms *t, ingle_term e)
{
    return &t->node[e];
}
static inline bool ingle_term_has(const ingle_terms *t, ingle_term e, unsigned flag)
{
    return t->node[e].flags & flag;
}

/* The term with this record; made if there is none. `words` are those of an alternative or of a
 * producer's state. */
ingle_term ingle_term_intern(ingle_terms *t, ingle_term_kind kind, uint32_t a, uint32_t b,
                             uint32_t c);
enum { INGLE_MEMOS = 256 };
/* Terms get new numbers, or other flags. */
void ingle_terms_forget_memo(ingle_terms *t);
ingle_term ingle_term_some(ingle_terms *t, ingle_term e);
/* A followed by b, where a may be an alternative: each of its parts gets b. */
ingle_term ingle_term_spread(ingle_terms *t, ingle_term a, ingle_term b);

uint32_t ingle_byte_set_intern(ingle_terms *t, const ingle_byte_set *set);
bool ingle_words_push(ingle_terms *t, ingle_words *w, uint32_t x);

/* The derivative of a character or a part of one, and the bytes that have the same. */
ingle_term ingle_chars_derive(ingle_terms *t, ingle_term e, unsigned char b, ingle_byte_set *same);
ingle_byte_set ingle_chars_first(const ingle_terms *t, ingle_term e);
/* The alternatives of a produced term, of a rule. */
ingle_term ingle_term_body(ingle_terms *t, ingle_term e);

/* The i-th part of e that a text of e may begin in, or for `both` that its derivative depends on;
 * INGLE_UNKNOWN: there are no more. */
ingle_term ingle_term_child(ingle_terms *t, ingle_term e, uint32_t i, bool both);

/* The bytes that may come first. More than those where intersections are in it. */
const ingle_byte_set *ingle_term_first(ingle_terms *t, ingle_term e);
/* What is left of e after byte b, and the bytes after which the same is left (same may be NULL).
 * May be a narrow term that is empty. */
ingle_term ingle_term_derive(ingle_terms *t, ingle_term e, unsigned char b, ingle_byte_set *same);
/* Rows are 1 KiB each, and one mask may meet very many states: those beyond so many have none. */
enum { INGLE_MANY_ROWS = 16 << 10 };
/* The same for a state: without parts that lead nowhere, and remembered in a row. */
ingle_term ingle_term_step_slowly(ingle_terms *t, ingle_term e, unsigned char b);
static inline ingle_term ingle_term_step(ingle_terms *t, ingle_term e, unsigned char b)
{
    uint32_t row = t->node[e].row;
    if (row) {
        ingle_term to = t->row[row - 1][b];
        if (to != INGLE_UNKNOWN) return to;
    }
    return ingle_term_step_slowly(t, e, b);
}
/* The ASCII bytes that lead from a state to another; *high: whether all other characters do. */
ingle_byte_set ingle_term_leading(ingle_terms *t, ingle_term e, ingle_term to, bool *high);
/* What is left after a token as a token, not as bytes. */
ingle_term ingle_term_after_token(ingle_terms *t, ingle_term e, int32_t token);
/* Whether tokens by their number may come first. */
bool ingle_term_takes_tokens(ingle_terms *t, ingle_term e);

/* Forgets all terms that were made after ingle_terms_finish() but those that keep[n] depend on;
 * these get new numbers, in place. False: no memory, nothing changed. */
bool ingle_terms_compact(ingle_terms *t, ingle_term *keep, size_t n);
/* Bytes of memory in use; as much again may be kept for more. */
size_t ingle_terms_bytes(const ingle_terms *t);

static inline ingle_term ingle_term_head(const ingle_terms *t, ingle_term e)
{
    return t->node[e].kind == TERM_SEQ ? t->node[e].a : e;
}
static inline ingle_term ingle_term_tail(const ingle_terms *t, ingle_term e)
{
    return t->node[e].kind == TERM_SEQ ? t->node[e].b : INGLE_TERM_EMPTY;
}

/* Takes left recursion out of the rules, which are productive and know whether they are nullable.
 * Reports through the kept failure. */
void ingle_rules_straighten(ingle_terms *t);

#endif
