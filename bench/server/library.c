/* library.c - see library.h. */
#include "library.h"

#include <stdlib.h>
#include <string.h>

void library_must(ingle_status st, ingle_error *err)
{
    if (st) fail("%s: %s", ingle_status_name(st), err->text);
}

static void open_chat(library *l)
{
    ingle_error err = {{0}};
    ingle_chat_options o;
    ingle_chat_options_init(&o);
    o.template_choice = INGLE_TEMPLATE_MODEL_OR_PLAIN;
    library_must(ingle_chat_open(&l->chat, l->model, &o, &err), &err);
}

void library_open_words(library *l, const char *model)
{
    ingle_error err = {{0}};
    ingle_model_options o;
    *l = (library){0};
    ingle_model_options_init(&o);
    o.parts = INGLE_PARTS_VOCAB;
    library_must(ingle_model_open(&l->model, model, &o, &err), &err);
    open_chat(l);
}

static void *serve(void *user)
{
    library *l = user;
    ingle_error err = {{0}};
    library_must(ingle_engine_serve(l->engine, &err), &err);
    return NULL;
}

void library_open(library *l, const char *model, int n_ctx, int n_parallel, bool serves)
{
    ingle_error err = {{0}};
    ingle_engine_options o;
    *l = (library){0};
    library_must(ingle_model_open(&l->model, model, NULL, &err), &err);
    open_chat(l);
    ingle_engine_options_init(&o);
    o.n_ctx = n_ctx;
    o.n_sessions = o.n_parallel = n_parallel;
    library_must(ingle_engine_open(&l->engine, l->model, &o, &err), &err);
    library_must(ingle_engine_warm_up(l->engine, &err), &err);
    l->serves = serves;
    if (serves && pthread_create(&l->thread, NULL, serve, l)) fail("no thread");
}

void library_close(library *l)
{
    ingle_engine_close(&l->engine);
    if (l->serves) pthread_join(l->thread, NULL);
    ingle_chat_close(&l->chat);
    ingle_model_close(&l->model);
    l->serves = false;
}

tokens library_render(const library *l, const char *messages, const char *tools)
{
    ingle_error err = {{0}};
    ingle_chat_input in;
    ingle_prompt *prompt;
    ingle_prompt_info info = {.size = sizeof info};
    ingle_chat_input_init(&in);
    in.messages = messages;
    in.n_messages = strlen(messages);
    in.tools = tools;
    in.n_tools = tools ? strlen(tools) : 0;
    library_must(ingle_chat_render(&prompt, l->chat, &in, &err), &err);
    library_must(ingle_prompt_info_get(prompt, &info, &err), &err);
    tokens t = {need(malloc((info.n_tokens + 1) * sizeof *t.p)), info.n_tokens};
    memcpy(t.p, info.tokens, info.n_tokens * sizeof *t.p);
    ingle_prompt_close(&prompt);
    return t;
}

void answer_start(answer *a, const library *l, tokens prompt, int n_tokens)
{
    ingle_error err = {{0}};
    ingle_generate_options o;
    ingle_sampler_options sampling;
    *a = (answer){.t_start = now()};
    ingle_sampler_options_init(&sampling);
    ingle_generate_options_init(&o);
    sampling.temperature = 0;
    o.sampling = &sampling;
    o.max_tokens = n_tokens;
    o.ignore_eog = true;
    library_must(ingle_session_open(&a->session, l->engine, &err), &err);
    library_must(ingle_request_start(&a->request, a->session, prompt.p, prompt.n, &o, &err), &err);
}

bool answer_read(answer *a, double wait_s)
{
    ingle_error err = {{0}};
    while (a->request) {
        ingle_event e = {.size = sizeof e};
        ingle_status st = ingle_request_next(a->request, wait_s, &e, &err);
        if (st == INGLE_ETIMEOUT) return true;
        library_must(st, &err);
        if (e.kind == INGLE_EVENT_END) break;
        if (e.kind != INGLE_EVENT_TOKEN) continue;
        a->t_last = now();
        if (!a->n_tokens++) a->t_token = a->t_last;
        if (wait_s) return true;
    }
    answer_close(a);
    return false;
}

void answer_close(answer *a)
{
    ingle_request_close(&a->request);
    ingle_session_close(&a->session);
}
