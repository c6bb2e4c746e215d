/* thinking.c - see thinking.h.
 *
 * The bytes of the answer are followed, those of control tokens too: marks that open thinking where
 * the parser takes them for that (chat/parse.h), and marks that close it. A token is one of thinking
 * if a byte of it belongs to no mark. Tokens that may be the beginning of the closing mark wait
 * until that is known.
 *
 * Where the limit is reached the mark comes, or what is missing of it: its tokens one after the
 * other, each admitted alone, so that no random number goes for it. */
#include "engine/thinking.h"

#include "base/mem.h"

#include <string.h>

enum {
    OPENS = 2,
    CLOSES = 5,
    PASSED = 4,
    TAIL = INGLE_MARK_MAX, /* bytes that are remembered */
    TEXT_MAX = 128         /* of what is written to end thinking */
};

/* What is written from each byte of the closing mark on. */
typedef struct closing {
    const char *text;
    size_t n_mark; /* bytes until thinking is closed */
    size_t from[INGLE_MARK_MAX + 1];
    size_t to[INGLE_MARK_MAX + 1]; /* of `tokens` */
    int32_t *tokens;
    size_t n, cap;
} closing;

typedef struct follower {
    ingle_constraint base;
    ingle_constraint *inner;
    ingle_thinking_limit limit;
    const char *open[OPENS], *close[CLOSES], *passed[PASSED];
    closing closing;
    uint32_t *bits; /* [n_words] the token that must come */
    size_t n_words;
    char *piece; /* [piece_cap] */
    size_t piece_cap;

    bool thinks, fresh; /* fresh: nothing has come that is the answer's text */
    char tail[TAIL]; /* the last bytes since a mark; while fresh, those of a mark in the making */
    size_t n_tail;
    size_t n_tokens;            /* of thinking so far */
    size_t waiting[TAIL + 1];   /* bytes of the last tokens, which may be the mark's */
    size_t n_waiting, n_closed; /* n_closed: bytes of the mark that has just closed thinking */
    size_t next, last; /* tokens of the mark that are to come; equal: it is not being written */
} follower;

static follower *of(const ingle_constraint *c)
{
    return (follower *)c;
}

/* ---- marks ----------------------------------------------------------------------------------- */

static bool ends_with(const follower *f, const char *mark)
{
    size_t n = mark ? strlen(mark) : 0;
    return n && f->n_tail >= n && !memcmp(f->tail + f->n_tail - n, mark, n);
}

static bool tail_is_one(const follower *f, const char *const *marks, size_t n, bool *begins)
{
    for (size_t i = 0; i < n; i++) {
        if (!marks[i] || strncmp(marks[i], f->tail, f->n_tail) != 0) continue;
        if (!marks[i][f->n_tail]) return true;
        *begins = true;
    }
    return false;
}

/* Bytes at the end that are the beginning of the mark that is written. */
static size_t n_begun(const follower *f)
{
    const char *mark = f->closing.text;
    size_t n = f->closing.n_mark - 1;
    for (n = n < f->n_tail ? n : f->n_tail; n; n--)
        if (!memcmp(f->tail + f->n_tail - n, mark, n)) return n;
    return 0;
}

static void keep(follower *f, char c)
{
    if (f->n_tail == TAIL) memmove(f->tail, f->tail + 1, --f->n_tail);
    f->tail[f->n_tail++] = c;
}

static void open_thinking(follower *f)
{
    f->thinks = true;
    f->n_tail = f->n_waiting = 0;
}

static void thinking_byte(follower *f, char c)
{
    keep(f, c);
    for (size_t i = 0; i < CLOSES; i++) {
        if (!ends_with(f, f->close[i])) continue;
        f->thinks = false;
        f->n_closed = strlen(f->close[i]);
        if (f->limit.syntax->harmony) return; /* the mark may belong to the next header */
        f->fresh = true;
        f->n_tail = 0;
        return;
    }
}

static void answer_byte(follower *f, char c)
{
    bool begins = false, blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (f->fresh && blank && !f->n_tail) return;
    keep(f, c);
    if (!f->fresh) {
        for (size_t i = 0; i < OPENS && f->limit.syntax->anywhere; i++)
            if (ends_with(f, f->open[i])) open_thinking(f);
        return;
    }
    if (tail_is_one(f, f->open, OPENS, &begins)) {
        open_thinking(f);
    } else if (tail_is_one(f, f->close, CLOSES, &begins) ||
               tail_is_one(f, f->passed, PASSED, &begins)) {
        f->n_tail = 0;
    } else if (!begins) {
        f->fresh = false;
    }
}

/* ---- tokens ---------------------------------------------------------------------------------- */

/* The oldest of those that wait count until the rest has at most so many bytes. */
static void count_all_but(follower *f, size_t n_bytes)
{
    size_t sum = 0, n = 0;
    while (n < f->n_waiting && sum + f->waiting[f->n_waiting - 1 - n] <= n_bytes)
        sum += f->waiting[f->n_waiting - 1 - n++];
    f->n_tokens += f->n_waiting - n;
    memmove(f->waiting, f->waiting + f->n_waiting - n, n * sizeof *f->waiting);
    f->n_waiting = n;
}

static void wait(follower *f, size_t n_bytes)
{
    if (f->n_waiting == TAIL) count_all_but(f, 0); /* such long marks there are not */
    f->waiting[f->n_waiting++] = n_bytes;
}

/* Follows a token's bytes. */
static void follow(follower *f, const char *bytes, size_t n)
{
    size_t from = 0; /* where thinking began, in this token or before */
    bool thought = f->thinks;
    if (!n && thought) f->n_tokens++;
    for (size_t i = 0; i < n; i++) {
        bool before = f->thinks;
        if (before) thinking_byte(f, bytes[i]);
        else answer_byte(f, bytes[i]);
        if (!before && f->thinks) from = i + 1;
        if (before && !f->thinks) {
            wait(f, i + 1 - from);
            count_all_but(f, f->n_closed);
            f->n_waiting = 0;
        }
    }
    if (!f->thinks || from == n) return;
    wait(f, n - from);
    count_all_but(f, n_begun(f));
}

/* ---- what must come -------------------------------------------------------------------------- */

static bool is_over(const follower *f)
{
    if (!f->thinks) return false;
    if (atomic_load_explicit(f->limit.ended, memory_order_relaxed)) return true;
    return f->limit.n_tokens >= 0 && f->n_tokens + f->n_waiting >= (size_t)f->limit.n_tokens;
}

/* The tokens that must come, in *from to *to. */
static bool must_come(const follower *f, size_t *from, size_t *to)
{
    *from = f->next;
    *to = f->last;
    if (*from == *to && is_over(f)) {
        size_t n = n_begun(f);
        *from = f->closing.from[n];
        *to = f->closing.to[n];
    }
    return *from < *to;
}

static ingle_status mask(ingle_constraint *c, const uint32_t **bits, ingle_error *err)
{
    follower *f = of(c);
    size_t from, to;
    *bits = NULL;
    ingle_status st = f->inner ? f->inner->ops->mask(f->inner, bits, err) : INGLE_OK;
    if (st || !must_come(f, &from, &to)) return st;
    int32_t token = f->closing.tokens[from];
    if (*bits && !((*bits)[token / 32] >> (token % 32) & 1)) {
        f->next = f->last = 0; /* it waits */
        return INGLE_OK;
    }
    f->next = from;
    f->last = to;
    memset(f->bits, 0, f->n_words * sizeof *f->bits);
    f->bits[token / 32] = 1u << token % 32;
    *bits = f->bits;
    return INGLE_OK;
}

static ingle_status accept(ingle_constraint *c, int32_t token, ingle_error *err)
{
    follower *f = of(c);
    ingle_vocab_info v;
    size_t n = 0;
    ingle_vocab_info_get(f->limit.vocab, &v);
    ingle_status st = token < v.n_tokens
                          ? ingle_vocab_piece(f->limit.vocab, token, INGLE_UNPARSE_SPECIAL,
                                              f->piece, f->piece_cap, &n, err)
                          : INGLE_OK;
    if (!st && f->inner) st = f->inner->ops->accept(f->inner, token, err);
    if (st) return st;
    bool forced = f->next < f->last && f->closing.tokens[f->next] == token;
    if (forced) f->next++;
    if (!forced || f->next == f->last) f->next = f->last = 0;
    follow(f, f->piece, n);
    return INGLE_OK;
}

static size_t propose(const ingle_constraint *c, int32_t *tokens, size_t cap)
{
    const follower *f = of(c);
    const ingle_constraint *inner = f->inner;
    size_t from, to;
    if (!must_come(f, &from, &to))
        return inner && inner->ops->propose ? inner->ops->propose(inner, tokens, cap) : 0;
    size_t n = to - from < cap ? to - from : cap;
    memcpy(tokens, f->closing.tokens + from, n * sizeof *tokens);
    return n;
}

static void prepare(ingle_constraint *c)
{
    ingle_constraint *inner = of(c)->inner;
    if (inner && inner->ops->prepare) inner->ops->prepare(inner);
}

static bool may_end(const ingle_constraint *c)
{
    const ingle_constraint *inner = of(c)->inner;
    return !inner || inner->ops->may_end(inner);
}

static bool must_end(const ingle_constraint *c)
{
    const ingle_constraint *inner = of(c)->inner;
    return inner && inner->ops->must_end(inner);
}

static void free_follower(ingle_constraint *c)
{
    follower *f = of(c);
    if (f->inner) f->inner->ops->free(f->inner);
    free(f->closing.tokens);
    free(f->bits);
    free(f->piece);
    free(f);
}

/* ---- making one ------------------------------------------------------------------------------ */

static bool make_room(follower *f)
{
    f->bits = ingle_new(f->n_words, sizeof *f->bits);
    f->piece = ingle_new(f->piece_cap, 1);
    return f->bits && f->piece;
}

static ingle_constraint *clone(const ingle_constraint *c)
{
    const follower *from = of(c);
    follower *f = ingle_new(1, sizeof *f);
    if (!f) return NULL;
    *f = *from;
    f->inner = NULL;
    f->closing.tokens = ingle_new(from->closing.n, sizeof *f->closing.tokens);
    bool ok = make_room(f) && f->closing.tokens;
    if (ok)
        memcpy(f->closing.tokens, from->closing.tokens,
               from->closing.n * sizeof *f->closing.tokens);
    if (ok && from->inner) ok = (f->inner = from->inner->ops->clone(from->inner)) != NULL;
    if (ok) return &f->base;
    free_follower(&f->base);
    return NULL;
}

static const ingle_constraint_ops ops = {.prepare = prepare,
                                         .mask = mask,
                                         .accept = accept,
                                         .propose = propose,
                                         .may_end = may_end,
                                         .must_end = must_end,
                                         .clone = clone,
                                         .free = free_follower};

static void take_marks(follower *f, const ingle_thinking *k)
{
    static const char *const ends[CLOSES] = {"<|end|>", "<|return|>", "<|call|>", "<|start|>",
                                             "<|channel|>"};
    if (k->harmony) {
        f->open[0] = "<|channel|>analysis<|message|>";
        memcpy(f->close, ends, sizeof ends);
        f->closing.text = "<|end|><|start|>assistant<|channel|>final<|message|>";
    } else {
        memcpy(f->open, k->open, sizeof k->open);
        memcpy(f->close, k->close, sizeof k->close);
        memcpy(f->passed, k->passed_over, sizeof k->passed_over);
        f->closing.text = k->close[0];
    }
    f->closing.n_mark = strlen(f->close[0]);
}

/* Whether the tokens are the text, and none of them ends an answer. */
static ingle_status check_tokens(const follower *f, const int32_t *tokens, size_t n,
                                 const char *text, ingle_error *err)
{
    size_t n_text = strlen(text), at = 0;
    for (size_t i = 0; i < n; i++) {
        ingle_token_info info = {.size = sizeof info};
        size_t len = 0;
        ingle_status st = ingle_vocab_piece(f->limit.vocab, tokens[i], INGLE_UNPARSE_SPECIAL,
                                            f->piece, f->piece_cap, &len, err);
        if (!st) st = ingle_vocab_token(f->limit.vocab, tokens[i], &info, err);
        if (st) return st;
        if (info.eog)
            return ingle_fail(err, INGLE_EUNSUPPORTED,
                              "thinking cannot be ended: its mark '%s' ends answers", text);
        if (len > n_text - at || memcmp(text + at, f->piece, len) != 0) break;
        at += len;
    }
    if (n && at == n_text) return INGLE_OK;
    return ingle_fail(err, INGLE_EUNSUPPORTED,
                      "thinking cannot be ended: the vocabulary cannot spell its mark '%s'", text);
}

static ingle_status add_closing(follower *f, size_t i, ingle_error *err)
{
    closing *x = &f->closing;
    int32_t tokens[TEXT_MAX];
    size_t n = 0;
    const char *text = x->text + i;
    ingle_status st =
        ingle_vocab_tokenize(f->limit.vocab, text, strlen(text),
                             INGLE_PARSE_SPECIAL | INGLE_CONTINUE, tokens, TEXT_MAX, &n, err);
    if (!st) st = check_tokens(f, tokens, n, text, err);
    if (st) return st;
    if (!ingle_grow(&x->tokens, &x->cap, x->n + n, sizeof *x->tokens))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a limit of thinking");
    memcpy(x->tokens + x->n, tokens, n * sizeof *tokens);
    x->from[i] = x->n;
    x->to[i] = x->n += n;
    return INGLE_OK;
}

ingle_status ingle_thinking_constrain(ingle_constraint **out, ingle_constraint *inner,
                                      const ingle_thinking_limit *limit, ingle_error *err)
{
    ingle_vocab_info v;
    follower *f = ingle_new(1, sizeof *f);
    *out = NULL;
    if (!f) {
        if (inner) inner->ops->free(inner);
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a limit of thinking");
    }
    ingle_vocab_info_get(limit->vocab, &v);
    size_t n = (size_t)v.n_tokens > limit->n_vocab ? (size_t)v.n_tokens : limit->n_vocab;
    *f = (follower){.base = {&ops},
                    .inner = inner,
                    .limit = *limit,
                    .n_words = n / 32 + 1,
                    .piece_cap = ingle_vocab_longest(limit->vocab),
                    .thinks = limit->thinks,
                    .fresh = !limit->syntax->harmony};
    take_marks(f, limit->syntax);
    ingle_status st = make_room(f)
                          ? INGLE_OK
                          : ingle_fail(err, INGLE_ENOMEM, "no memory for a limit of thinking");
    for (size_t i = 0; !st && i < f->closing.n_mark; i++) st = add_closing(f, i, err);
    if (st) free_follower(&f->base);
    else *out = &f->base;
    return st;
}
