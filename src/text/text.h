/* text.h - vocabulary and tokenizer: bytes to token ids and back.
 * Owns       its own copy of the vocabulary (the GGUF may be closed afterwards).
 * Depends on base/, gguf/gguf.h, PCRE2, utf8proc. Knows no model layers.
 * Invariant  immutable after opening; every call is safe from any thread. */
#ifndef INGLE_TEXT_TEXT_H
#define INGLE_TEXT_TEXT_H

#include "gguf/gguf.h"

typedef struct ingle_vocab ingle_vocab;

/* Reads tokenizer.ggml.*. EUNSUPPORTED names an unknown tokenizer.ggml.model or .pre; EFORMAT names
 * the bad key and index. */
ingle_status ingle_vocab_open(ingle_vocab **out, const ingle_gguf *g, ingle_error *err);
void ingle_vocab_close(ingle_vocab **v);

typedef struct ingle_vocab_info {
    int32_t n_tokens;
    int32_t bos, eos, eot, eom, unk, pad, sep, nl; /* -1 when absent */
    bool add_bos, add_eos, add_sep;
    bool guessed_rule;         /* byte-level BPE whose file does not name its pre-tokenizer */
    const char *unread;        /* keys that were passed over and may matter, "a, b"; or NULL */
    const int32_t *suppressed; /* [n_suppressed] never to be drawn */
    size_t n_suppressed;
    size_t heap_bytes;
} ingle_vocab_info;
void ingle_vocab_info_get(const ingle_vocab *v, ingle_vocab_info *info);

/* Contracts of ingle_tokenize(), ingle_detokenize(), ingle_token_info_get() in ingle.h.
 *
 * Tokenizing takes INGLE_ADD_SPECIAL, INGLE_PARSE_SPECIAL and INGLE_CONTINUE. Plain text never becomes a control
 * token unless INGLE_PARSE_SPECIAL is given. Invalid UTF-8 keeps its bytes. A byte for which a
 * byte-level vocabulary has no token is left out (Falcon has none for some control characters).
 *
 * Detokenizing with the flags of tokenizing (none, INGLE_ADD_SPECIAL, INGLE_PARSE_SPECIAL or both)
 * gives the text back: an added BOS or EOS goes, control tokens are written with
 * INGLE_PARSE_SPECIAL, and the space that SentencePiece vocabularies put at the start and after
 * each special token is taken away. (Not where special tokens swallow white space, as Phi-3's do.)
 * INGLE_REMOVE_SPECIAL and INGLE_UNPARSE_SPECIAL without those two show what the tokens hold: only
 * the very first space goes, and not if a BOS was removed before it. INGLE_CLEAN_SPACES does
 * something only where the vocabulary has that habit. */
ingle_status ingle_vocab_tokenize(const ingle_vocab *v, const char *text, size_t len,
                                  unsigned flags, int32_t *tokens, size_t cap, size_t *n,
                                  ingle_error *err);
/* The same, but control tokens are not looked for in [from, to) of the literals, which are in order,
 * nor across their ends. */
typedef struct ingle_literal {
    size_t from, to;
} ingle_literal;
ingle_status ingle_vocab_tokenize_around(const ingle_vocab *v, const char *text, size_t len,
                                         unsigned flags, const ingle_literal *literals,
                                         size_t n_literals, int32_t *tokens, size_t cap, size_t *n,
                                         ingle_error *err);
/* Contract of ingle_tokenize_pair() in ingle.h; *n_first as for a model that knows two segments. */
ingle_status ingle_vocab_tokenize_pair(const ingle_vocab *v, const char *query, size_t query_len,
                                       const char *document, size_t document_len, int32_t *tokens,
                                       size_t cap, size_t *n, size_t *n_first, ingle_error *err);
/* Gives a vocabulary without a template for pairs one, which is copied; {query} and {document} in it stand
 * for the texts. Before the vocabulary is shared. */
ingle_status ingle_vocab_set_rank_template(ingle_vocab *v, const char *text, ingle_error *err);
ingle_status ingle_vocab_detokenize(const ingle_vocab *v, const int32_t *tokens, size_t n,
                                    unsigned flags, char *text, size_t cap, size_t *len,
                                    ingle_error *err);
ingle_status ingle_vocab_token(const ingle_vocab *v, int32_t id, ingle_token_info *info,
                               ingle_error *err);

/* The length of the token that is found in text as it is (a control token, or one that users
 * defined) with which these bytes begin, the longest if there are several; 0: none. *id is the
 * token. */
size_t ingle_vocab_special(const ingle_vocab *v, const char *text, size_t len, int32_t *id);

/* No piece of a token has more bytes. */
size_t ingle_vocab_longest(const ingle_vocab *v);

/* The bytes one token adds in the middle of a text (a SentencePiece space mark is a space, also at
 * the start); control tokens only with INGLE_UNPARSE_SPECIAL. For streaming; same buffer contract
 * as detokenizing. */
ingle_status ingle_vocab_piece(const ingle_vocab *v, int32_t id, unsigned flags, char *text,
                               size_t cap, size_t *len, ingle_error *err);

/* Streaming assembly of whole UTF-8 characters out of token pieces. n_held bytes wait at most 3
 * long. */
typedef struct ingle_utf8_stream {
    char held[4];
    size_t n_held;
} ingle_utf8_stream;
/* Appends piece to what is held, writes the bytes that are complete (invalid bytes pass through
 * unchanged once they can no longer become valid) to out (cap >= len + 4) and returns their number.
 * flush: everything comes out. */
size_t ingle_utf8_stream_feed(ingle_utf8_stream *s, const char *piece, size_t len, bool flush,
                              char *out);

#endif
