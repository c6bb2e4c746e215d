/* vocab.h - the inside of a vocabulary, shared by the files of this room and by nobody else.
 * Owns       nothing by itself; vocab.c builds and frees the struct, the others read it.
 * Depends on base/map.h, text/text.h, text/pretok.h.
 * Invariant  token ids are below n_tokens; symbols n_tokens .. n_symbols-1 are byte strings that
 * merges pass through but that are no tokens (they are written as the tokens of their bytes). */
#ifndef INGLE_TEXT_VOCAB_H
#define INGLE_TEXT_VOCAB_H

#include "base/map.h"
#include "text/pretok.h"
#include "text/text.h"

enum { /* attributes of a token */
       INGLE_TOK_NORMAL = 1,
       INGLE_TOK_UNKNOWN = 2,
       INGLE_TOK_CONTROL = 4,
       INGLE_TOK_USER = 8, /* user-defined: always split off, always written */
       INGLE_TOK_BYTE = 16,
       INGLE_TOK_UNUSED = 32,
       INGLE_TOK_LSTRIP = 64,  /* swallows white space before it */
       INGLE_TOK_RSTRIP = 128, /* swallows white space after it */
       INGLE_TOK_EOG = 256
};
#define INGLE_TOK_HIDDEN (INGLE_TOK_CONTROL | INGLE_TOK_UNKNOWN) /* written on demand only */
#define INGLE_TOK_SPECIAL                                                                          \
    (INGLE_TOK_HIDDEN | INGLE_TOK_USER) /* found in text before anything else */

typedef enum ingle_vocab_kind {
    INGLE_VOCAB_BPE,
    INGLE_VOCAB_SPM,
    INGLE_VOCAB_WORDPIECE, /* the longest token first, word by word */
    INGLE_VOCAB_UNIGRAM,   /* the tokens of the highest score together */
    INGLE_VOCAB_RWKV       /* the longest token first */
} ingle_vocab_kind;

/* Whether tokens are merged from pairs; the other kinds look whole tokens up (words.h). */
static inline bool ingle_vocab_merges(ingle_vocab_kind kind)
{
    return kind == INGLE_VOCAB_BPE || kind == INGLE_VOCAB_SPM;
}

/* Whether U+2581 in a token's text is a space. */
static inline bool ingle_vocab_marks_spaces(ingle_vocab_kind kind)
{
    return kind != INGLE_VOCAB_BPE && kind != INGLE_VOCAB_RWKV;
}

#define INGLE_SPACE_MARK "\xe2\x96\x81" /* U+2581, SentencePiece's space */
enum { INGLE_MARK_BYTES = sizeof INGLE_SPACE_MARK - 1 };

static inline bool ingle_is_space_mark(const char *p, size_t n)
{
    return n >= INGLE_MARK_BYTES && memcmp(p, INGLE_SPACE_MARK, INGLE_MARK_BYTES) == 0;
}

/* Length of the character that SentencePiece sees at p: by its first byte alone, valid or not. */
static inline size_t ingle_spm_len(const char *p, size_t n)
{
    static const uint8_t lengths[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    size_t len = lengths[(unsigned char)*p >> 4];
    return len < n ? len : n;
}

/* Strings one after the other: number i is data[at[i] .. at[i + 1]). */
typedef struct ingle_strings {
    char *data;
    uint32_t *at;
} ingle_strings;

/* One merge: left symbol, right symbol -> merged symbol; the lowest rank goes first. */
typedef struct ingle_pair {
    uint64_t key; /* left << 32 | right; UINT64_MAX: empty slot */
    uint32_t rank, merged;
} ingle_pair;

/* Tokens that are looked for in raw text, sorted by their bytes; those starting with byte b are
 * entries[first[b] .. first[b + 1]). */
typedef struct ingle_special {
    const char *text; /* in ingle_vocab.text */
    uint32_t len, id;
    uint32_t shorter; /* the longest other entry this one begins with; INGLE_NO_ID: none */
} ingle_special;
typedef struct ingle_special_set {
    ingle_special *entries;
    uint32_t n;
    uint32_t first[257];
    size_t heap_bytes;
} ingle_special_set;
enum { INGLE_SPECIAL_MAX = 1024 }; /* bytes of such a token: bounds the time of the search */

struct ingle_vocab {
    ingle_vocab_kind kind;
    ingle_vocab_info info;
    char *unread;
    int32_t *suppressed;
    uint32_t n_tokens, n_symbols;
    ingle_strings text;               /* [n_tokens] as in the file */
    ingle_strings pieces;             /* [n_symbols] the bytes a token stands for */
    size_t cap_pieces, cap_pieces_at; /* while building */
    float *scores;                    /* [n_tokens] */
    uint16_t *attrs;                  /* [n_tokens] INGLE_TOK_* */
    int32_t byte_tokens[256];         /* -1: none */
    const ingle_strings *keys;        /* BPE: pieces, SPM: text; what the map finds */
    ingle_map map;                    /* to symbols (BPE) or tokens, never to control tokens */
    ingle_special_set
        specials[2]; /* [0] those found in any text, [1] also control and unknown tokens */

    /* BPE */
    bool raw; /* tokens are text with U+2581 for spaces, their pieces have spaces */
    const ingle_pretok *pretok;
    ingle_splitter splitter;
    uint32_t byte_symbols[256];
    ingle_pair *pairs; /* [pair_mask + 1] */
    size_t pair_mask;

    /* SPM */
    bool add_space; /* a space goes before text that follows a special token or starts the input */
    bool clean;     /* the space clean-up is this vocabulary's habit */
    uint32_t max_text; /* longest token in bytes */
    uint8_t *joints;   /* [65536 / 8] bit (last byte of a character, first byte of the next): some
                          token has them */

    /* WordPiece, Unigram, RWKV */
    ingle_special_set words; /* what plain text may become */
    bool add_sep;            /* SEP ends what starts with BOS (WordPiece) */
    bool lower, strip_marks; /* WordPiece */
    bool pair_sep;           /* SEP stands between two texts as well as what ends the first */
    char *rank_template;     /* with {query} and {document}, rank_template_len bytes; or NULL */
    size_t rank_template_len;
    bool merge_spaces;    /* Unigram: runs of spaces are one, none at the end */
    double unknown_score; /* Unigram: of a character without a token */
    uint32_t *charsmap;   /* [n_charsmap] Unigram: what is replaced (unigram.c), or NULL */
    size_t n_charsmap;
    char *replacements; /* [n_replacements] NUL-terminated, one after the other */
    size_t n_replacements;
};

/* Where tokens go: up to cap are stored, all are counted. */
typedef struct ingle_token_sink {
    int32_t *tokens;
    size_t cap, n;
} ingle_token_sink;

static inline void ingle_sink_push(ingle_token_sink *sink, int32_t id)
{
    if (sink->n < sink->cap) sink->tokens[sink->n] = id;
    sink->n++;
}

/* The value of a hexadecimal digit, or -1. */
static inline int ingle_hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* known.c: finds end tokens and the like by their text, and corrects attributes (some files type
 * them as normal). */
void ingle_vocab_find_known(ingle_vocab *v, const ingle_gguf *g);

/* keys.c: sets info.unread. */
ingle_status ingle_vocab_find_unread(ingle_vocab *v, const ingle_gguf *g, ingle_error *err);

/* The symbol (BPE) or token (SPM) of a string, or INGLE_NO_ID; with its ingle_map_hash(). */
static inline uint32_t ingle_vocab_find_hashed(const ingle_vocab *v, uint64_t hash, const char *p,
                                               size_t n)
{
    const ingle_strings *keys = v->keys;
    uint32_t id, i = 0;
    while ((id = ingle_map_next(&v->map, hash, &i)) != INGLE_NO_ID) {
        uint32_t at = keys->at[id];
        if (keys->at[id + 1] - at == n && memcmp(keys->data + at, p, n) == 0) break;
    }
    return id;
}

static inline uint32_t ingle_vocab_find(const ingle_vocab *v, const char *p, size_t n)
{
    return ingle_vocab_find_hashed(v, ingle_map_hash(&v->map, p, n), p, n);
}

/* special.c */
typedef bool ingle_special_wanted(const ingle_vocab *v, uint32_t id);
/* The tokens that are wanted, by their strings in s; false without memory. */
bool ingle_special_set_build(ingle_special_set *set, const ingle_vocab *v, const ingle_strings *s,
                             ingle_special_wanted *wanted);
ingle_status ingle_specials_build(ingle_vocab *v, ingle_error *err);
void ingle_specials_free(ingle_vocab *v);
/* The longest token of the set that text[0..len) starts with, or NULL. */
const ingle_special *ingle_special_longest(const ingle_special_set *set, const char *text,
                                           size_t len);

/* pair.c: reads the template. */
ingle_status ingle_pair_read(ingle_vocab *v, const ingle_gguf *g, ingle_error *err);

/* pairs.c: the symbol of a byte string, which becomes one if it is none yet; INGLE_NO_ID without
 * memory or beyond 4 GiB. The merge table of BPE. */
uint32_t ingle_vocab_symbol(ingle_vocab *v, const char *bytes, size_t len);
ingle_status ingle_pairs_build(ingle_vocab *v, const ingle_gguf *g, ingle_error *err);

static inline const ingle_pair *ingle_pair_find(const ingle_vocab *v, uint32_t left, uint32_t right)
{
    uint64_t key = (uint64_t)left << 32 | right;
    for (size_t i = (size_t)ingle_map_hash_number(&v->map, key);; i++) {
        const ingle_pair *p = &v->pairs[i & v->pair_mask];
        if (p->key == key) return p;
        if (p->key == UINT64_MAX) return NULL;
    }
}

/* GPT-2's alphabet: every byte has a printable character. The code point of a byte, and the byte of
 * a code point or -1. */
uint32_t ingle_byte_char(uint8_t byte);
int ingle_char_byte(uint32_t c);
/* Decodes text in that alphabet into at most len bytes; false if a character is outside of it. */
bool ingle_bytes_decode(const char *text, size_t len, char *out, size_t *n);
/* Copies text with a space for each U+2581; returns the bytes written, at most len. */
size_t ingle_marks_to_spaces(const char *text, size_t len, char *out);

#endif
