/* parallel.c - several prompts at once on one thread, which steps the engine and reads events.
 * Build: cc parallel.c -o parallel $(pkg-config --cflags --libs ingle) */
#include <ingle.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 16 };

typedef struct job {
    ingle_session *session;
    ingle_request *request;
    char text[4096];
    size_t n;
} job;

static bool begin(job *j, ingle_engine *engine, const ingle_model *model, const char *prompt,
                  ingle_error *err)
{
    int32_t tokens[512];
    size_t n;
    ingle_generate_options opt;
    ingle_generate_options_init(&opt);
    opt.max_tokens = 50;
    return !ingle_session_open(&j->session, engine, err) &&
           !ingle_tokenize(model, prompt, strlen(prompt), INGLE_ADD_SPECIAL, tokens, 512, &n,
                           err) &&
           !ingle_request_start(&j->request, j->session, tokens, n, &opt, err);
}

/* Takes the events that are there; the last one ends the job. False if the request failed. */
static bool read_events(job *j, size_t *n_running, ingle_error *err)
{
    ingle_event e = {.size = sizeof e};
    ingle_status status;
    while ((status = ingle_request_next(j->request, 0, &e, err)) == INGLE_OK) {
        if (e.text_len && j->n + e.text_len < sizeof j->text) {
            memcpy(j->text + j->n, e.text, e.text_len);
            j->n += e.text_len;
        }
        if (e.kind != INGLE_EVENT_END) continue;
        ingle_request_close(&j->request);
        --*n_running;
        return true;
    }
    return status == INGLE_ETIMEOUT; /* no more of them until the next step */
}

int main(int argc, char **argv)
{
    static job jobs[MOST];
    ingle_model *model = NULL;
    ingle_engine *engine = NULL;
    ingle_engine_options opt;
    ingle_error err = {{0}};
    size_t n = argc > 2 ? (size_t)argc - 2 : 0, n_running = n;

    ingle_engine_options_init(&opt);
    opt.n_sessions = (int32_t)n;
    bool ok = n && n <= MOST && !ingle_model_open(&model, argv[1], NULL, &err) &&
              !ingle_engine_open(&engine, model, &opt, &err);
    for (size_t i = 0; ok && i < n; i++) ok = begin(&jobs[i], engine, model, argv[i + 2], &err);
    while (ok && n_running) {
        ok = !ingle_engine_step(engine, NULL, &err);
        for (size_t i = 0; ok && i < n; i++)
            if (jobs[i].request) ok = read_events(&jobs[i], &n_running, &err);
    }
    for (size_t i = 0; ok && i < n; i++)
        printf("%s%.*s\n", argv[i + 2], (int)jobs[i].n, jobs[i].text);
    if (!ok) fprintf(stderr, "%s\n", err.text[0] ? err.text : "usage: parallel MODEL TEXT...");

    for (size_t i = 0; i < MOST; i++) {
        ingle_request_close(&jobs[i].request);
        ingle_session_close(&jobs[i].session);
    }
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    return ok ? 0 : 1;
}
