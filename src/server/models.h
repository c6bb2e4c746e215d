/* models.h - the models that are served, their names and states.
 * Owns       models, engines and the threads that step them.
 * Depends on errors.h, <ingle.h>. */
#ifndef INGLE_SERVER_MODELS_H
#define INGLE_SERVER_MODELS_H

#include "errors.h"

#include <ingle.h>

typedef enum model_state { MODEL_LOADING, MODEL_READY, MODEL_FAILED } model_state;

/* Immutable once it is ready. */
typedef struct served_model {
    char name[256];
    const char *path;
    ingle_model *model;
    ingle_engine *engine;
    ingle_chat *chat; /* NULL: it has no template, see chat_error */
    ingle_error chat_error;
    ingle_model_info info;
    ingle_engine_info engine_info;
    ingle_chat_info chat_info;
    char fingerprint[24]; /* of model, template and version: "fp_..." */
    uint64_t digest;      /* the same as a number */
    int64_t created;      /* seconds since 1970, of the file */
    double load_s;
} served_model;

typedef struct models models;

typedef struct models_options {
    const char *path;           /* the one model */
    const char *const *aliases; /* [n_aliases]; the first is its name, else the file's */
    size_t n_aliases;
    bool strict; /* only its own names are served */
    ingle_model_options model;
    /* n_ctx 0: the largest multiple of 1024 up to the trained context of which two fit into the
     * pool. n_sessions and n_cache_tokens are chosen here. */
    ingle_engine_options engine;
    double pool; /* share of the memory left after loading that keys and values may take; 0: 0.25 */
    ingle_chat_options chat;
} models_options;

/* Starts to load on a thread of its own; what opt points to has to live as long. */
ingle_status models_open(models **out, const models_options *opt, ingle_error *err);
/* Its state; *share is how much is loaded; *why, of FAILED. May be NULL. Any thread. */
model_state models_state(models *m, double *share, ingle_error *why);
/* Waits until it is loaded or has failed; false after the seconds. */
bool models_wait(models *m, double seconds);
/* The model of that name, "" the default one; NULL: *e is 404, or 503 while it loads. Good as long
 * as m. Any thread. */
const served_model *models_find(models *m, const char *name, api_error *e);
const served_model *models_first(models *m); /* NULL while it loads */
size_t models_n_aliases(const models *m);
const char *models_alias(const models *m, size_t i);
/* Stops loading, drains for so many seconds, closes. */
void models_close(models **m, double grace_s);

/* The plan for these options, as --check prints it: exact bytes, without loading weights. */
typedef struct models_plan {
    ingle_memory memory;
    int32_t n_ctx, n_ctx_train, n_parallel, n_sessions, n_cache_tokens;
    uint64_t available; /* bytes */
} models_plan;
ingle_status models_plan_get(const models_options *opt, models_plan *plan, ingle_error *err);

#endif
