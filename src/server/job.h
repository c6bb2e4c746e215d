/* job.h - the life of one request: headers, body, preparation, generation, answer.
 * Owns       everything of a request until its client has the answer or has gone, and the library's
 *            request has ended.
 * Depends on answer.h, gate.h, http.h, ledger.h, models.h, prep.h, route.h.
 * Invariant  `x` is the http thread's alone. A job is freed on the http thread, when neither the
 *            exchange nor a preparation nor a generation needs it any more. */
#ifndef INGLE_SERVER_JOB_H
#define INGLE_SERVER_JOB_H

#include "answer.h"
#include "gate.h"
#include "http.h"
#include "ledger.h"
#include "models.h"
#include "prep.h"
#include "route.h"

#include <stdatomic.h>

typedef struct server server;

/* Puts an answer into a dialect's words: on the http thread, in the order of the answer. */
typedef struct dialect {
    wire shape;
    const char *stream_type; /* "text/event-stream" */
    const char *call_prefix; /* "call_" */
    const char *id_prefix;   /* of the answer: "chatcmpl-" */
    /* The stream begins: the request was accepted. */
    void (*begin)(job *j, bytes *out);
    void (*part)(job *j, const part *p, bytes *out);
    void (*beat)(job *j, bytes *out); /* ten seconds of silence */
    /* All choices have ended. */
    void (*end)(job *j, bytes *out);
    /* It failed after the first byte. */
    void (*fail)(job *j, const api_error *e, bytes *out);
    /* The same in one piece, for clients that do not stream. */
    void (*whole)(job *j, bytes *out);
} dialect;

typedef enum job_state {
    JOB_NEW,       /* its body is being read */
    JOB_PREPARES,  /* a thread of prep has it */
    JOB_GENERATES, /* the library's request is under way */
    JOB_OVER       /* nothing is made for it any more; its client may still be reading */
} job_state;

struct job {
    prep_task task;
    server *server;
    http_exchange *x;   /* NULL: the client has gone, or has its answer */
    bool exchange_over; /* http.c has no more use for it */
    const endpoint *endpoint;
    wire shape;
    char *argument; /* of the path, see endpoint.path; NULL: none */
    gate_key key;
    char id[40];        /* of the request: "req_..." */
    char answer_id[48]; /* with the dialect's prefix */
    char peer[72];
    int64_t created;                   /* seconds since 1970 */
    double arrived, first_byte, spoke; /* seconds of ingle_now(); the last: when a byte went last */
    bool report;
    job_state state;
    atomic_bool armed; /* its request's events are news */
    atomic_bool gone;  /* the client has */

    char *body; /* [n_body] until it is prepared */
    size_t n_body;
    ingle_json_doc doc;
    field_reader reader;
    api_error error;
    int status;       /* of an answer that was made in one piece: its text is `out`; 0: none */
    int sent;         /* the status that went to the client */
    const char *type; /* of its content */

    generation gen;
    const served_model *model;
    ingle_session *session;
    ingle_request *request;
    answer answer;
    bool has_answer;
    ledger_found found;
    ledger_miss miss;
    bool has_miss;
    size_t n_prompt, n_answers_taken;
    bool thinks;
    bool streaming; /* the client is being sent what comes */
    bool late;      /* so that it sees something, of an answer that is sent whole */
    bool whole;     /* all is in `out` */
    bytes out;      /* what the client has not got yet, from out_at on */
    size_t out_at;
    ingle_json_writer w; /* for events of a stream */
    void *own;           /* of the dialect: from its read() on, for free() */
    uint64_t n_sent;

    atomic_bool has_news;
    struct job *next_news, *next, *previous;
};

/* Of an endpoint that generates, on a prep thread: reads the body by the endpoint's fields, calls its
 * read(), renders, opens grammar and session, starts the request. */
void job_generate(job *j);

/* The same up to the prompt: how many tokens it has. An error is in j->error. */
void job_count(job *j, size_t *n_tokens);
/* answer_options.on_part of a job: into its dialect's words. */
void job_part(void *job, const part *p);

/* An answer made in one piece, from a prep thread or the http thread: the writer's text is the body. */
void job_answer(job *j, int status, ingle_json_writer *w);

/* What of the usage all dialects need. */
typedef struct job_usage {
    size_t n_prompt, n_cached, n_computed; /* tokens of the prompt: all, reused, the others */
    size_t n_generated, n_thinking, n_known;
    double queue_s, prompt_s, decode_s;
} job_usage;
job_usage job_usage_get(const job *j);
/* llama-server's `timings`, and ingle's report: members of the object that is open. */
void job_write_timings(const job *j, ingle_json_writer *w);
void job_write_report(const job *j, ingle_json_writer *w);
/* The request of a stream or answer that may still be cancelled, ended. */
void job_cancel(job *j);

#endif
