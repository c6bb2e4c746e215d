/* batch.c - `ingle run --parallel`: prompts of JSON Lines go in, their answers come out, a line
 * each. One thread: it starts requests, steps the engine and reads their events in turn.
 * Owns       the sessions, and the answers that are not written yet.
 * Depends on run.h, batch.h (a prompt), lines.h.
 * Invariant  answers are in a list in the order of their prompts; those with a request have a slot,
 *            the others are complete. */
#include "batch.h"
#include "lines.h"
#include "platform.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct answer {
    struct answer *next;
    size_t index;           /* of the prompt, from 0 */
    batch_prompt prompt;    /* freed when the answer is complete */
    ingle_request *request; /* NULL: complete */
    size_t n_prompt;        /* tokens */
    char *text;             /* [n] so far */
    size_t n, cap;
    ingle_grammar_state *watch; /* NULL: no grammar */
    ingle_json_writer tokens;   /* array of their log-probabilities */
    ingle_json_writer line;     /* what is written */
} answer;

typedef struct slot {
    ingle_session *session; /* NULL: not needed yet */
    answer *answer;         /* NULL: free */
} slot;

typedef struct batch {
    const run_options *opt;
    open_handles *h;
    lines in;
    slot *slots; /* [n_slots] */
    size_t n_slots, n_running;
    answer *first, **last; /* not written yet; *last is NULL */
    size_t n_started, n_failed, n_prompt, n_generated, n_done;
    double start;
    char first_failure[320];
    out_progress progress;
    bool ended;     /* no more prompts are read */
    bool cancelled; /* those that run were */
    bool unread;    /* prompts are left that cannot be read */
    bool broken;    /* output cannot be written, or the engine failed */
} batch;

/* ---- answers --------------------------------------------------------------------------------- */

static void free_answer(answer *a)
{
    ingle_request_close(&a->request);
    ingle_grammar_state_close(&a->watch);
    batch_prompt_free(&a->prompt);
    ingle_json_writer_free(&a->tokens);
    ingle_json_writer_free(&a->line);
    free(a->text);
    free(a);
}

static answer *new_answer(batch *b)
{
    answer *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->index = b->n_started++;
    a->tokens = a->line = out_json();
    *b->last = a;
    b->last = &a->next;
    return a;
}

static bool add_text(answer *a, const char *text, size_t len)
{
    if (!len) return true;
    if (a->cap - a->n < len) {
        size_t cap = 2 * a->cap + len;
        char *larger = realloc(a->text, cap);
        if (!larger) return false;
        a->text = larger;
        a->cap = cap;
    }
    memcpy(a->text + a->n, text, len);
    a->n += len;
    return true;
}

static void begin_line(answer *a)
{
    ingle_json_begin_object(&a->line);
    ingle_json_put_u64(ingle_json_name(&a->line, "index"), a->index);
    if (a->prompt.id) ingle_json_put(ingle_json_name(&a->line, "id"), a->prompt.id);
}

/* Nothing but its line is needed from now on. */
static void complete(batch *b, answer *a)
{
    ingle_json_end_object(&a->line);
    ingle_request_close(&a->request);
    ingle_grammar_state_close(&a->watch);
    batch_prompt_free(&a->prompt);
    ingle_json_writer_free(&a->tokens);
    free(a->text);
    a->text = NULL;
    b->n_done++;
}

static void fail_answer(batch *b, answer *a, ingle_status status, const char *text)
{
    ingle_json_writer *w = &a->line;
    begin_line(a);
    ingle_json_begin_object(ingle_json_name(w, "error"));
    ingle_json_put_text(ingle_json_name(w, "status"), ingle_status_name(status));
    ingle_json_put_text(ingle_json_name(w, "message"), text[0] ? text : ingle_status_name(status));
    ingle_json_end_object(w);
    complete(b, a);
    if (!b->n_failed++) snprintf(b->first_failure, sizeof b->first_failure, "%s", text);
}

static void put_end(answer *a, const ingle_event *e)
{
    ingle_json_writer *w = &a->line;
    const ingle_generate_options *gen = &a->prompt.gen;
    begin_line(a);
    out_json_text(w, "text", a->text ? a->text : "", a->n);
    ingle_json_put_text(ingle_json_name(w, "finish"), run_finish_name(e->finish));
    run_put_complete(w, a->watch);
    if (e->finish == INGLE_FINISH_STOP && e->i_stop < gen->n_stops)
        ingle_json_put_bytes(ingle_json_name(w, "stop"), gen->stops[e->i_stop].text,
                             gen->stops[e->i_stop].len);
    ingle_json_put_u64(ingle_json_name(w, "prompt_tokens"), a->n_prompt);
    ingle_json_put_u64(ingle_json_name(w, "generated_tokens"), e->usage.n_generated);
    run_put_seed(ingle_json_name(w, "seed"), a->prompt.sampling.seed);
    out_json_fixed(ingle_json_name(w, "queue_s"), e->usage.queue_s, 6);
    out_json_fixed(ingle_json_name(w, "prompt_s"), e->usage.prompt_s, 6);
    out_json_fixed(ingle_json_name(w, "decode_s"), e->usage.decode_s, 6);
    if (gen->logprobs < 0) return;
    ingle_json_end_array(&a->tokens);
    if (ingle_json_finish(&a->tokens) == INGLE_OK)
        ingle_json_put_raw(ingle_json_name(w, "logprobs"), a->tokens.text, a->tokens.n);
    else w->status = a->tokens.status; /* reported where the line is written */
}

/* ---- requests -------------------------------------------------------------------------------- */

static slot *free_slot(batch *b)
{
    for (size_t i = 0; i < b->n_slots; i++)
        if (!b->slots[i].answer) return &b->slots[i];
    return NULL;
}

static ingle_status start(batch *b, answer *a, ingle_error *err)
{
    slot *s = free_slot(b);
    const ids_list *tokens = &a->prompt.tokens;
    ingle_status status = INGLE_OK;
    if (!s->session) status = ingle_session_open(&s->session, b->h->engine, err);
    if (status == INGLE_OK)
        status = ingle_request_start(&a->request, s->session, tokens->ids, tokens->n,
                                     &a->prompt.gen, err);
    if (status != INGLE_OK) return status;
    a->watch = grammar_watch(a->prompt.gen.grammar);
    a->n_prompt = tokens->n;
    b->n_prompt += tokens->n;
    ids_free(&a->prompt.tokens); /* the library has its own */
    if (a->prompt.gen.logprobs >= 0) ingle_json_begin_array(&a->tokens);
    s->answer = a;
    b->n_running++;
    return INGLE_OK;
}

/* The prompt of a line is started, or its answer is complete at once. False: no memory. */
static bool start_line(batch *b, const char *line, size_t len)
{
    ingle_error err = {{0}};
    char text[sizeof err.text + 32];
    answer *a = new_answer(b);
    if (!a) return false;
    ingle_status status =
        batch_prompt_read(&a->prompt, line, len, a->index, b->opt, b->h->model, &err);
    if (status == INGLE_OK) status = start(b, a, &err);
    if (status == INGLE_OK) return true;
    snprintf(text, sizeof text, "line %zu: %s", b->in.number,
             err.text[0] ? err.text : ingle_status_name(status));
    fail_answer(b, a, status, text);
    return true;
}

static void end_slot(batch *b, slot *s)
{
    s->answer = NULL;
    b->n_running--;
    if (ingle_session_truncate(s->session, 0, NULL) != INGLE_OK)
        ingle_session_close(&s->session); /* the next prompt opens another one */
}

/* Adds an event to the answer. */
static ingle_status take_event(batch *b, answer *a, const ingle_event *e, ingle_error *err)
{
    if (!add_text(a, e->text, e->text_len)) {
        snprintf(err->text, sizeof err->text, "no memory for the text");
        return INGLE_ENOMEM;
    }
    if (e->kind == INGLE_EVENT_TOKEN) {
        b->n_generated++;
        if (a->watch) ingle_grammar_state_accept(a->watch, e->token, NULL);
        if (a->prompt.gen.logprobs < 0) return INGLE_OK;
        ingle_json_begin_object(&a->tokens);
        run_put_token(&a->tokens, b->h->model, e, true);
        ingle_json_end_object(&a->tokens);
    } else if (e->kind == INGLE_EVENT_END) {
        put_end(a, e);
        complete(b, a);
    }
    return INGLE_OK;
}

/* Reads what a request has to say, waiting for the first event up to wait_s. Returns the number of
 * events. */
static size_t read_events(batch *b, slot *s, double wait_s)
{
    answer *a = s->answer;
    size_t n = 0;
    for (; a->request; n++) {
        ingle_event e = {.size = sizeof e};
        ingle_error err = {{0}};
        ingle_status status = ingle_request_next(a->request, n ? 0 : wait_s, &e, &err);
        if (status == INGLE_ETIMEOUT) break;
        if (status == INGLE_OK) status = take_event(b, a, &e, &err);
        if (status != INGLE_OK) fail_answer(b, a, status, err.text);
    }
    if (!a->request) end_slot(b, s);
    return n;
}

/* One step of the engine, and the events it made. */
static void step(batch *b)
{
    size_t n_run = 0, n_events = 0;
    ingle_error err = {{0}};
    ingle_status status = ingle_engine_step(b->h->engine, &n_run, &err);
    for (size_t i = 0; i < b->n_slots; i++)
        if (b->slots[i].answer) n_events += read_events(b, &b->slots[i], 0);
    if (status == INGLE_OK && (n_run || n_events)) return;
    /* What is left to wait for comes with time, as a deadline does; or nothing will come at all. */
    for (size_t i = 0; i < b->n_slots; i++) {
        slot *s = &b->slots[i];
        if (!s->answer) continue;
        if (status == INGLE_OK) {
            read_events(b, s, 0.01);
            return;
        }
        fail_answer(b, s->answer, status, err.text);
        end_slot(b, s);
        b->broken = b->ended = true;
    }
}

static void cancel_all(batch *b)
{
    b->ended = true;
    if (b->cancelled) return;
    b->cancelled = true;
    for (size_t i = 0; i < b->n_slots; i++)
        if (b->slots[i].answer) ingle_request_cancel(b->slots[i].answer->request, NULL);
}

/* ---- in and out ------------------------------------------------------------------------------ */

static void input_failed(batch *b, const char *why)
{
    b->ended = true;
    if (platform_interrupted()) return;
    b->unread = true;
    out_progress_clear(&b->progress);
    out_error("cannot read the prompts: %s", why);
}

/* Starts prompts until all slots are taken, or one failed, so that its answer comes out. Waits for
 * a line only if nothing else is to do. */
static void refill(batch *b)
{
    size_t n_done = b->n_done;
    while (!b->ended && b->n_running < b->n_slots && b->n_done == n_done) {
        const char *line;
        size_t len;
        lines_status got = lines_next(&b->in, !b->n_running, &line, &len);
        if (got == LINES_LATER) return;
        if (got == LINES_END) b->ended = true;
        else if (got == LINES_FAILED) input_failed(b, strerror(errno));
        else if (!lines_is_blank(line, len) && !start_line(b, line, len))
            input_failed(b, "no memory");
    }
}

/* Writes one of the answers and takes it out of the list; returns what comes after it. */
static answer **write_answer(batch *b, answer **at)
{
    answer *a = *at;
    out_progress_clear(&b->progress);
    out_json_line(&a->line);
    *at = a->next;
    if (b->last == &a->next) b->last = at;
    free_answer(a);
    return at;
}

/* Writes the complete answers, up to the first that is not, unless any order will do. */
static void write_answers(batch *b)
{
    bool any = false;
    for (answer **at = &b->first; *at;) {
        if (!(*at)->request) {
            at = write_answer(b, at);
            any = true;
        } else if (b->opt->unordered) {
            at = &(*at)->next;
        } else {
            break;
        }
    }
    if (any && !out_flush()) b->broken = true;
}

static double per_second(size_t n, double seconds)
{
    return seconds > 0 ? (double)n / seconds : 0;
}

/* ---- the batch ------------------------------------------------------------------------------- */

static void work(batch *b)
{
    for (;;) {
        if (platform_interrupted() || b->broken) cancel_all(b);
        refill(b);
        if (b->n_running) step(b);
        write_answers(b);
        if (b->ended && !b->n_running) return;
        out_progress_rate(&b->progress, "prompts", b->n_done,
                          per_second(b->n_generated, ingle_now() - b->start), "tokens/s");
    }
}

static int report(const batch *b)
{
    double seconds = ingle_now() - b->start;
    if (b->opt->verbose)
        out_note("%zu prompts in %.3f s; prompts: %zu tokens (%.1f/s); generated: %zu tokens "
                 "(%.1f/s)",
                 b->n_done, seconds, b->n_prompt, per_second(b->n_prompt, seconds), b->n_generated,
                 per_second(b->n_generated, seconds));
    if (b->n_failed)
        out_error("%zu of %zu prompts failed; the first: %s", b->n_failed, b->n_done,
                  b->first_failure);
    if (platform_interrupted()) return EXIT_INTERRUPTED;
    return b->n_failed || b->unread || b->broken ? EXIT_WORK : EXIT_DONE;
}

/* What is the same for all prompts is refused once: a bias of a token that is none. */
static int check_sampling(const run_options *opt, const open_handles *h)
{
    ingle_error err = {{0}};
    ingle_sampler *sampler = NULL;
    ingle_status status =
        ingle_sampler_open(&sampler, &opt->sampling.lib, h->info.n_vocab, h->model, &err);
    ingle_sampler_close(&sampler);
    if (status == INGLE_OK) return EXIT_DONE;
    int code = open_failed(opt->sampling.lib.n_logit_bias ? "option '--logit-bias'" : "sampling",
                           status, &err);
    return status == INGLE_EINVAL ? EXIT_USAGE : code;
}

int run_batch(const run_options *opt, open_handles *h)
{
    batch b = {.opt = opt, .h = h, .n_slots = (size_t)opt->n_parallel, .start = ingle_now()};
    int code = check_sampling(opt, h);
    if (code != EXIT_DONE) return code;
    b.last = &b.first;
    b.slots = calloc(b.n_slots, sizeof *b.slots);
    if (!b.slots) {
        out_error("no memory for %zu prompts at a time", b.n_slots);
        return EXIT_WORK;
    }
    out_progress_start(&b.progress);
    /* Lines that show on a terminal are progress enough. */
    if (platform_is_terminal(1)) b.progress.enabled = false;
    work(&b);
    out_progress_clear(&b.progress);
    code = report(&b);
    for (size_t i = 0; i < b.n_slots; i++) ingle_session_close(&b.slots[i].session);
    free(b.slots);
    lines_free(&b.in);
    return code;
}
