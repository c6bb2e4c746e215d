/* request.h - one generation from inside: what was asked, the text on its way, and the events that
 * wait for their reader.
 * Owns       copies of all that its options pointed to; the ring; the sampler, unless the caller
 *            lent one; a reference to its session; further choices, each a request too, with a
 *            session of its own, that begins where the prompt has been computed.
 * Depends on engine/engine.h, engine/constraint.h, base/utf8.h.
 * Invariant  events n_read .. n_shown - 1 wait for their reader; up to n_made - 1 they were made by
 *            the step that runs. Only who steps makes events, or who ends the request with the lock
 *            held; only next() reads. A place of the ring is always kept for the last event. Once
 *            it has started, nothing is allocated. */
#ifndef INGLE_ENGINE_REQUEST_H
#define INGLE_ENGINE_REQUEST_H

#include "base/utf8.h"
#include "engine/constraint.h"
#include "engine/engine.h"
#include "engine/overflow.h"
#include "text/text.h"

enum {
    INGLE_RING = 64,                                 /* events that wait at most, before a step */
    INGLE_MAX_DRAFT = 8,                             /* tokens proposed for a step at most */
    INGLE_PLACES = INGLE_RING + INGLE_MAX_DRAFT + 2, /* after it, with the last event */
    INGLE_MAX_TOP = 100,
    INGLE_MAX_CHOICES = 128
};

/* Bytes of the stream into the matcher that are not shown: from .. to - 1. */
typedef struct ingle_hidden {
    size_t from, to;
} ingle_hidden;

/* Tokens whose last byte is the same one of the stream, counted: those the matcher holds back. */
typedef struct ingle_held {
    size_t end, n;
} ingle_held;

/* Bytes on their way: token -> matcher of stops -> whole characters -> event. */
typedef struct ingle_text_flow {
    ingle_stopper *stopper;
    ingle_utf8_stream utf8;
    size_t fed, safe; /* bytes into and out of the matcher */
    size_t hit;       /* the stop that was found; SIZE_MAX: none yet */
    char *piece;      /* [piece_cap] */
    size_t piece_cap, text_cap;
    ingle_hidden *hidden; /* [held_cap] in order, those not let through yet */
    ingle_held *held;     /* [held_cap] in order */
    size_t n_hidden, n_held, held_cap;
    size_t n_returned; /* tokens whose bytes are all through */
} ingle_text_flow;

typedef struct ingle_ring {
    ingle_event *event;             /* [INGLE_PLACES] */
    char *text;                     /* [..][text_cap] */
    ingle_top *top;                 /* [..][logprobs] */
    size_t n_read, n_shown, n_made; /* since the beginning */
    bool lent;                      /* event n_read was given out and not taken back */
} ingle_ring;

/* Proposes tokens that may come next, to be verified by the step. */
typedef struct ingle_drafter {
    size_t (*propose)(void *user, const int32_t *tokens, size_t n, int32_t *draft, size_t cap);
    void *user;
} ingle_drafter;

struct ingle_request {
    ingle_session *session;
    ingle_request *root; /* the request that was started: itself, but for further choices */
    ingle_request *next_choice;
    size_t i_choice;
    bool forked;                /* of the root: the further choices have tasks */
    ingle_generate_options opt; /* its lists are copies of the request's own */
    ingle_sampler *sampler;
    bool own_sampler;
    ingle_constraint *constraint; /* NULL: none */
    bool has_chat;                /* of the root: its thinking can be ended */
    atomic_bool thought_enough;   /* of the root: it has to be */
    uint32_t *ends, *bits;        /* with min_tokens: those that end an answer; scratch */
    ingle_drafter drafter;
    const ingle_vocab *vocab;
    int32_t n_texts; /* tokens of the vocabulary; the model may have some more */
    ingle_text_flow flow;
    ingle_ring ring;

    ingle_drop drop;     /* of the timeline, before it began */
    int32_t *kept;       /* [n_prompt] what of the prompt was not dropped */
    int32_t *old_tokens; /* [n_old] of the session before; NULL: nothing went */
    size_t *old_marks, n_old, n_old_marks;
    char *stop_text;        /* what stops point to */
    size_t first;           /* tokens of the session before the prompt */
    size_t n_prompt, n_max; /* n_max: tokens to generate at most */
    size_t n_generated;     /* tokens shown so far */
    ingle_score *scores;    /* [n_prompt] of the prompt's tokens, if they were asked for */
    ingle_top *score_tops;
    size_t n_scored, n_scores_read;

    /* the step that runs */
    int32_t draft[INGLE_MAX_DRAFT];
    int32_t made[INGLE_MAX_DRAFT + 1]; /* tokens drawn */
    size_t n_made;
    bool left;           /* rows that come after are of no use */
    ingle_finish finish; /* NONE: it goes on */
    ingle_status status;
    ingle_error error;

    /* what next() sees, besides the ring */
    size_t n_done;                    /* of the prompt */
    bool progressed, ended, end_read; /* end_read: of the root, that of all choices */
    ingle_status end_status;
    ingle_error end_error;
    ingle_usage usage;
    double first_at, shown_at; /* when the first token was there, the last one */
    bool calls_ready;          /* on_ready is to run, or runs */
    bool untold;               /* of events that have come since it began to run */
    bool reading;              /* somebody is in next() */
    bool left_session;
    ingle_request *next_ready; /* of those whose owners are to hear */
    ingle_request *given;      /* the choice whose event was given last */
    size_t n_ends_read;
    ingle_event own; /* of events that are not in the ring */
};

/* request_options.c: the options, checked as far as can be without a model. */
ingle_status ingle_request_take_options(ingle_generate_options *o,
                                        const ingle_generate_options *opt, ingle_error *err);

/* request.c. What starts it beside the public options: */
typedef struct ingle_request_inside {
    ingle_sampler *sampler;       /* the caller's, until the request is closed; NULL: its own */
    ingle_constraint *constraint; /* handed over, also on failure; NULL: none */
    ingle_drafter drafter;
} ingle_request_inside;

ingle_status ingle_request_begin(ingle_request **out, ingle_session *s, const int32_t *prompt,
                                 size_t n, const ingle_generate_options *opt,
                                 const ingle_request_inside *inside, ingle_error *err);
/* The next event, in the library's own size. */
ingle_status ingle_request_pull(ingle_request *r, double timeout_s, const ingle_event **event,
                                ingle_error *err);

/* The event that was made last. */
static inline ingle_event *ingle_ring_last(ingle_request *r)
{
    return &r->ring.event[(r->ring.n_made - 1) % INGLE_PLACES];
}

/* turn.c. Opens what the flow of text needs. */
ingle_status ingle_turn_open(ingle_request *r, ingle_error *err);
void ingle_turn_close(ingle_request *r);
/* Row i of the tokens that the request's step computes is there: no lock is held. */
void ingle_turn_row(ingle_request *r, size_t i, const float *logits, ingle_sample_scratch *scratch);
/* The request has come to its end: what was held back is shown, and the last event is made. */
void ingle_turn_finish(ingle_request *r, ingle_finish finish);
/* Log-probability and rank of a token, and the best ones. */
void ingle_turn_score(const float *logits, size_t n_vocab, int32_t token, ingle_score *score,
                      ingle_top *top, size_t n_top);
/* Whether there is room for the events of n tokens. */
bool ingle_turn_has_room(const ingle_request *r, size_t n);

#endif
