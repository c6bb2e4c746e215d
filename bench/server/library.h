/* library.h - the library in this process: what the server is measured against.
 * Owns       model, chat, engine, and the thread that steps. Depends on <ingle.h>, stats.h. */
#ifndef INGLE_BENCH_LIBRARY_H
#define INGLE_BENCH_LIBRARY_H

#include "stats.h"

#include <ingle.h>
#include <pthread.h>

typedef struct library {
    ingle_model *model;
    ingle_chat *chat;
    ingle_engine *engine; /* NULL: for prompts alone */
    pthread_t thread;
    bool serves;
} library;

/* Without an engine: the vocabulary and the template. */
void library_open_words(library *l, const char *model);
/* An engine as the server has it with -c and -np; serves: a thread steps it. */
void library_open(library *l, const char *model, int n_ctx, int n_parallel, bool serves);
void library_close(library *l);

void library_must(ingle_status st, ingle_error *err);

/* A prompt as tokens, in memory for free(). */
typedef struct tokens {
    int32_t *p; /* [n] */
    size_t n;
} tokens;
/* Of messages in JSON, with or without tools, as the server would render them. */
tokens library_render(const library *l, const char *messages, const char *tools);

/* A request that writes n_tokens, whatever they are, greedily. */
typedef struct answer {
    ingle_session *session;
    ingle_request *request;
    double t_start, t_token, t_last; /* as of a client */
    size_t n_tokens;
} answer;
void answer_start(answer *a, const library *l, tokens prompt, int n_tokens);
/* What there is now; false after its end. */
bool answer_read(answer *a, double wait_s);
void answer_close(answer *a);

#endif
