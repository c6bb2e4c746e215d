/* server.h - what the parts of a running server share.
 * Depends on defaults.h, job.h, serve.h. */
#ifndef INGLE_SERVER_SERVER_H
#define INGLE_SERVER_SERVER_H

#include "defaults.h"
#include "job.h"
#include "serve.h"

#include <stdio.h>

typedef struct server_counts {
    uint64_t n_requests, n_errors, n_cancelled, n_ignored;
    uint64_t n_prompt, n_reused, n_computed, n_generated; /* tokens */
} server_counts;

struct server {
    const serve_options *opt;
    /* route_find(): the parts do not know the table that names them. */
    const endpoint *(*route)(const char *method, const char *path, bool anthropic,
                             const char **argument, wire *shape, api_error *e);
    bytes openapi; /* the document */
    http *http;
    gate *gate;
    models *models;
    prep *prep;
    ledger *ledger;
    defaults *defaults;  /* NULL: none */
    _Atomic(job *) news; /* those that have something to say; any thread adds */
    job *jobs;           /* all; what follows is the http thread's alone */
    size_t n_jobs;
    bool draining, cutting;
    double cut_at;         /* when those that run are cancelled */
    _Atomic double mean_s; /* of late requests, from their arrival to their end; 0: none yet */
    server_counts counts;
    FILE *log;
    bool told_ready;
    void (*ready)(void *user, const char *addresses);
    void *ready_user;
    char addresses[1024];
    bool model_failed;
    ingle_error why;
};

/* job.c: what http.c calls. */
void job_handler_init(http_handler *h, server *s);
/* ingle_generate_options.on_ready; user is the job. */
void job_ready(void *job);
/* Cancels all that generate. */
void jobs_cancel(server *s);
/* Those that are left when neither prep nor http runs any more. */
void jobs_free(server *s);

/* job_log.c */
void job_log(const job *j);

#endif
