/* term.h - languages over bytes as terms: what every grammar is compiled to, and what is left of it
 * after some text. Equal terms are one term: they are numbers in a table that each grammar owns.
 * Owns       the table of terms, the byte sets, the rules, the producers.
 * Depends on base/mem.h, base/status.h. Nothing here is recursive on input.
 * Invariant  a term whose language is empty is INGLE_TERM_NONE, except an intersection or a
 *            difference, where only ingle_term_is_empty() finds out.
 *
 * What goes wrong while terms are made (memory, a limit) is kept: constructors then return
 * INGLE_TERM_NONE, and ingle_terms_finish() reports it. So a compiler needs no check per call. */
#ifndef INGLE_GRAMMAR_TERM_H
#define INGLE_GRAMMAR_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef uint32_t ingle_term;

#define INGLE_TERM_NONE  ((ingle_term)0) /* no text at all */
#define INGLE_TERM_EMPTY ((ingle_term)1) /* the empty text, and no other */
#define INGLE_TERM_ANY   ((ingle_term)2) /* every sequence of bytes */

typedef struct ingle_terms ingle_terms;

/* 0 stands for the default. */
typedef struct ingle_term_limits {
    size_t max_bytes; /* of the table, without what derivatives add: 32 MiB */
    size_t max_terms; /* 1,000,000 */
} ingle_term_limits;

/* NULL: no memory. Limits may be NULL. */
ingle_terms *ingle_terms_open(const ingle_term_limits *limits);
void ingle_terms_close(ingle_terms *t); /* NULL is a no-op */

/* The first thing that went wrong while terms were made; INGLE_OK if nothing did. A compiler that
 * makes many terms may look now and then and stop. */
ingle_status ingle_terms_status(const ingle_terms *t);
/* Keeps a failure of the compiler's own, unless there is one already. */
void ingle_terms_fail(ingle_terms *t, ingle_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- constructors ---------------------------------------------------------------------------- */

/* Exactly these bytes; they are copied. */
ingle_term ingle_term_literal(ingle_terms *t, const char *bytes, size_t n);

/* One of these texts; equal ones count once. Made as a tree of common prefixes, so 100,000 texts
 * are no burden. The array is sorted in place. */
typedef struct ingle_term_text {
    const char *p;
    size_t n;
} ingle_term_text;
ingle_term ingle_term_literals(ingle_terms *t, ingle_term_text *texts, size_t n);

/* One character, encoded as UTF-8, out of these ranges of code points (both ends belong to them,
 * surrogates never do; any order, they may overlap), or outside of them. */
typedef struct ingle_range {
    uint32_t low, high;
} ingle_range;
ingle_term ingle_term_chars(ingle_terms *t, const ingle_range *ranges, size_t n, bool outside);

/* One byte out of a set: bit b % 64 of word b / 64. */
ingle_term ingle_term_bytes(ingle_terms *t, const uint64_t set[4]);

ingle_term ingle_term_seq(ingle_terms *t, ingle_term a, ingle_term b);
ingle_term ingle_term_seq_of(ingle_terms *t, const ingle_term *list, size_t n);
ingle_term ingle_term_alt(ingle_terms *t, ingle_term a, ingle_term b);
ingle_term ingle_term_alt_of(ingle_terms *t, const ingle_term *list, size_t n);

/* min to max times; INGLE_TERM_MANY for no upper end. Counts are kept, not unrolled. */
#define INGLE_TERM_MANY UINT32_MAX
ingle_term ingle_term_repeat(ingle_terms *t, ingle_term e, uint32_t min, uint32_t max);
static inline ingle_term ingle_term_option(ingle_terms *t, ingle_term e)
{
    return ingle_term_repeat(t, e, 0, 1);
}

/* Texts of both; texts of a that are not of b. Neither may contain rules or producers (they need
 * languages that are regular): that is a failure which is kept. */
ingle_term ingle_term_and(ingle_terms *t, ingle_term a, ingle_term b);
ingle_term ingle_term_minus(ingle_terms *t, ingle_term a, ingle_term b);

/* Texts of e, which may contain rules and producers, that also belong to `guard`, which is regular.
 * The result must not become part of a rule. Whether a text that has begun can be ended is found out
 * by a bounded search: where it does not decide, the text goes on. */
ingle_term ingle_term_within(ingle_terms *t, ingle_term e, ingle_term guard);

/* A number of one or more decimal digits, leading zeros too, that leaves `rest` when it is divided
 * by `by` (1 to 2^31 - 1). */
ingle_term ingle_term_multiple(ingle_terms *t, uint32_t by, uint32_t rest);

/* A single token of the vocabulary by its number, whatever its bytes; or any token but that one. */
ingle_term ingle_term_token(ingle_terms *t, int32_t token, bool other);

/* How free text goes on until something begins: *without is every text in which none of these texts
 * occurs, until[i] every text that ends with the first occurrence of any of them, if that is
 * texts[i]; of two that end in one place the longer one. n >= 1, none empty. */
void ingle_term_search(ingle_terms *t, const ingle_term_text *texts, size_t n, ingle_term *without,
                       ingle_term *until);

/* ---- rules: recursion ------------------------------------------------------------------------ */

/* A rule has a body only later, so that rules can speak of one another; any recursion is allowed,
 * left recursion too. The name, which is copied, is for messages. */
uint32_t ingle_rule_new(ingle_terms *t, const char *name, size_t len);
ingle_term ingle_term_rule(ingle_terms *t, uint32_t rule);
void ingle_rule_set(ingle_terms *t, uint32_t rule, ingle_term body);

/* ---- producers: terms made on demand --------------------------------------------------------- */

/* A term whose body is made the first time it is needed, from a state of a few words: what has too
 * many states to be written out, such as members of an object in any order. */
typedef struct ingle_producer ingle_producer;
struct ingle_producer {
    /* The body for a state of n words. It may contain the producer's own terms in other states,
     * though not as the first thing that could come: some byte comes before. Must not be
     * INGLE_TERM_NONE: the compiler makes no terms for states that lead nowhere. */
    ingle_term (*body)(const ingle_producer *p, ingle_terms *t, const uint32_t *state, size_t n);
    void (*free)(ingle_producer *p); /* called when the table is closed; may be NULL */
};
/* Gives the producer to the table, also on failure; returns its number. */
uint32_t ingle_producer_add(ingle_terms *t, ingle_producer *p);
/* nullable: the empty text belongs to it. n <= 64 words. */
ingle_term ingle_term_produced(ingle_terms *t, uint32_t producer, const uint32_t *state, size_t n,
                               bool nullable);

/* ---- questions ------------------------------------------------------------------------------- */

/* Whether no text belongs to it. A search with bounded work: INGLE_EUNSUPPORTED if that does not
 * decide. Only for terms without rules and producers while the grammar is not finished. */
ingle_status ingle_term_is_empty(ingle_terms *t, ingle_term e, bool *empty);
/* Whether the empty text belongs to it. For a rule: after ingle_terms_finish(). */
bool ingle_term_nullable(const ingle_terms *t, ingle_term e);
/* Whether these bytes, as a whole, belong to it. As ingle_term_is_empty(). */
ingle_status ingle_term_matches(ingle_terms *t, ingle_term e, const char *bytes, size_t n,
                                bool *matches);

/* What is left of the texts of e that begin with these bytes; after ingle_terms_finish(). */
ingle_term ingle_term_after(ingle_terms *t, ingle_term e, const char *bytes, size_t n);
/* The failure that was kept, if there is one. */
ingle_status ingle_terms_report(const ingle_terms *t, ingle_error *err);

/* Ends the making of rules: reports what was kept, and a rule without a body; takes left recursion
 * out; a rule that no finite text belongs to becomes INGLE_TERM_NONE, and if the root is one,
 * INGLE_EFORMAT names its rule. *root is rewritten in place. */
ingle_status ingle_terms_finish(ingle_terms *t, ingle_term *root, ingle_error *err);

#endif
