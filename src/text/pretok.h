/* pretok.h - pre-tokenizers: how BPE vocabularies cut text into words before merging.
 * Owns       the table of names (data) and the compiled patterns of one vocabulary.
 * Depends on PCRE2, base/status.h.
 * Invariant  the words of a text are its bytes in order, none left out, none empty. */
#ifndef INGLE_TEXT_PRETOK_H
#define INGLE_TEXT_PRETOK_H

#include "base/status.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { INGLE_PRETOK_STAGES = 6 };

enum {                          /* what else a name stands for */
       INGLE_PRETOK_WHOLE = 1,  /* a word that is a token is taken as it is, without merging */
       INGLE_PRETOK_BOS = 2,    /* BOS is added unless the file says otherwise */
       INGLE_PRETOK_CLEAN = 4,  /* detokenizing has a space clean-up */
       INGLE_PRETOK_NO_BOS = 8, /* there is no BOS token unless the file names one */
       INGLE_PRETOK_RAW = 16,   /* tokens are text with U+2581 for spaces, not the byte alphabet */
       INGLE_PRETOK_LINES = 32, /* line feeds in a row that are a token are taken as it is */
       INGLE_PRETOK_MUST_BOS = 64, /* BOS is added whatever the file says: many say it wrongly */
       INGLE_PRETOK_SEP = 128      /* SEP stands between two texts, behind the first one's EOS */
};

/* How to cut: every stage cuts the pieces of the stage before it into matches and what lies between
 * them. A stage is a PCRE2 pattern or one of the INGLE_CUT_* names. */
typedef struct ingle_pretok_rule {
    const char *stages[INGLE_PRETOK_STAGES];
} ingle_pretok_rule;

typedef struct ingle_pretok {
    const char *name;
    const ingle_pretok_rule *rule;
    unsigned flags;
} ingle_pretok;

/* Cuts that no pattern does in linear time (split.c). */
extern const char INGLE_CUT_NUMBERS[];  /* runs of \p{N} in threes from the right */
extern const char INGLE_CUT_DIGITS[];   /* runs of ASCII digits, likewise */
extern const char INGLE_CUT_DIGITS_B[]; /* runs of \p{Nd} that end at a word boundary, likewise */
extern const char
    INGLE_CUT_SPACES[]; /* pieces of white space without line ends into 512, 256, .. 4, 2, 1 */

/* The row of a name, or NULL. */
const ingle_pretok *ingle_pretok_find(const char *name, size_t len);
/* The names most like this one, as many as fit: "qwen2, qwen35, ... and 80 more". */
void ingle_pretok_similar(const char *name, size_t len, char *out, size_t cap);
/* The i-th row, NULL past the end. */
const ingle_pretok *ingle_pretok_at(size_t i);

typedef struct ingle_splitter {
    int n_stages;
    const char *builtin[INGLE_PRETOK_STAGES]; /* INGLE_CUT_* or NULL: a pattern */
    pcre2_code *code[INGLE_PRETOK_STAGES];
    bool jit[INGLE_PRETOK_STAGES];
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    size_t heap_bytes;
} ingle_splitter;

ingle_status ingle_splitter_open(ingle_splitter *s, const ingle_pretok_rule *rule,
                                 ingle_error *err);
void ingle_splitter_close(ingle_splitter *s);

/* Called for each word in order; false stops. */
typedef bool ingle_word_fn(void *arg, const char *word, size_t len);

/* Cuts valid UTF-8. match is made by ingle_splitter_match() and used by one thread at a time.
 * Linear in len for all rules of the table. ECANCELLED when fn returned false; ENOMEM; EUNSUPPORTED
 * if PCRE2 gives up on the text. */
ingle_status ingle_splitter_run(const ingle_splitter *s, pcre2_match_data *match, const char *text,
                                size_t len, ingle_word_fn *fn, void *arg, ingle_error *err);
pcre2_match_data *ingle_splitter_match(
    const ingle_splitter *s); /* NULL without memory; freed by pcre2_match_data_free() */

#endif
