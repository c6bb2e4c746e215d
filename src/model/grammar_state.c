/* grammar_state.c - how far a text has come in a grammar, and what could come next in words. */
#include "model/grammar.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdio.h>

static ingle_status open_state(ingle_grammar_state **out, ingle_model *model,
                               ingle_matcher *matcher, ingle_error *err)
{
    ingle_grammar_state *s = matcher ? ingle_new(1, sizeof *s) : NULL;
    *out = s;
    if (!s) {
        ingle_matcher_close(matcher);
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the state of a grammar");
    }
    s->model = model ? ingle_model_retain(model) : NULL;
    s->matcher = matcher;
    return INGLE_OK;
}

ingle_status ingle_grammar_state_open(ingle_grammar_state **out, const ingle_grammar *grammar,
                                      ingle_error *err)
{
    return open_state(out, grammar->model, ingle_matcher_open(grammar->compiled->automaton), err);
}

ingle_status ingle_grammar_state_clone(ingle_grammar_state **out, const ingle_grammar_state *state,
                                       ingle_error *err)
{
    return open_state(out, state->model, ingle_matcher_clone(state->matcher), err);
}

void ingle_grammar_state_close(ingle_grammar_state **state)
{
    if (!state || !*state) return;
    ingle_matcher_close((*state)->matcher);
    ingle_model_close(&(*state)->model);
    free(*state);
    *state = NULL;
}

ingle_status ingle_grammar_state_reset(ingle_grammar_state *state, ingle_error *err)
{
    (void)err;
    ingle_matcher_reset(state->matcher);
    return INGLE_OK;
}

/* ---- what could come next, in words ---------------------------------------------------------- */

enum { SHOWN = 120 };

typedef struct ingle_words_out {
    char text[SHOWN + 32];
    size_t n;
} ingle_words_out;

static bool say(ingle_words_out *w, const char *text)
{
    size_t n = strlen(text);
    if (w->n + n + 2 > SHOWN) return false;
    if (w->n) w->n += (size_t)sprintf(w->text + w->n, ", ");
    memcpy(w->text + w->n, text, n + 1);
    w->n += n;
    return true;
}

static void name_byte(unsigned b, char out[24])
{
    char c = (char)b, plain[INGLE_ESCAPE_MAX];
    if (b == ' ') strcpy(out, "a space");
    else if (b == '\n') strcpy(out, "a line feed");
    else if (b == '\'') strcpy(out, "\"'\"");
    else {
        ingle_utf8_to_plain(&c, 1, plain);
        sprintf(out, "'%s'", plain);
    }
}

/* The bytes of a set as ranges, and what is beyond ASCII in one word. */
static void describe(const bool expected[256], bool may_end, ingle_words_out *w)
{
    bool fits = true, high = false;
    for (unsigned b = 0, to; b < 128 && fits; b = to + 1) {
        char first[24], last[24], range[64];
        for (to = b; expected[b] && to + 1 < 128 && expected[to + 1];) to++;
        if (!expected[b]) continue;
        name_byte(b, first);
        name_byte(to, last);
        sprintf(range, to > b + 1 ? "%s to %s" : "%s", first, last);
        if (to == b + 1) to = b;
        fits = say(w, range);
    }
    for (unsigned b = 128; b < 256; b++) high |= expected[b];
    if (fits && high) fits = say(w, "what is not ASCII");
    if (fits && may_end) fits = say(w, "the end");
    if (!fits) strcpy(w->text + w->n, ", ...");
    if (!w->n) say(w, "the end");
}

static ingle_status refuse(ingle_grammar_state *s, const char *what, ingle_error *err)
{
    bool expected[256];
    ingle_words_out w = {{0}, 0};
    ingle_matcher_expected(s->matcher, expected);
    describe(expected, ingle_matcher_may_end(s->matcher), &w);
    return ingle_fail(err, INGLE_EFORMAT, "the grammar does not admit %s here, but %s", what,
                      w.text);
}

/* ---- going on -------------------------------------------------------------------------------- */

static ingle_status needs_tokens(const ingle_grammar_state *s, ingle_error *err)
{
    if (s->model) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL, "the grammar was opened without a model");
}

ingle_status ingle_grammar_state_mask(ingle_grammar_state *state, const uint32_t **mask,
                                      ingle_error *err)
{
    *mask = NULL;
    ingle_status st = needs_tokens(state, err);
    return st ? st : ingle_matcher_mask(state->matcher, mask, err);
}

ingle_status ingle_grammar_state_accept(ingle_grammar_state *state, int32_t token, ingle_error *err)
{
    char what[64];
    ingle_status st = needs_tokens(state, err);
    if (!st) st = ingle_matcher_accept(state->matcher, token, err);
    if (st != INGLE_EFORMAT) return st;
    snprintf(what, sizeof what, "token %d", token);
    return refuse(state, what, err);
}

ingle_status ingle_grammar_state_text(ingle_grammar_state *state, const char *text, size_t len,
                                      size_t *n_good, ingle_error *err)
{
    char what[32] = "'", plain[INGLE_ESCAPE_MAX];
    ingle_status st = ingle_matcher_text(state->matcher, text, len, n_good, err);
    if (st || *n_good == len) return st;
    ingle_utf8_to_plain(text + *n_good, len - *n_good, plain);
    strcat(strcat(what, plain), "'");
    return refuse(state, what, err);
}

ingle_status ingle_grammar_state_ends(ingle_grammar_state *state, bool *may_end, bool *must_end,
                                      ingle_error *err)
{
    (void)err;
    if (may_end) *may_end = ingle_matcher_may_end(state->matcher);
    if (must_end) *must_end = ingle_matcher_must_end(state->matcher);
    return INGLE_OK;
}
