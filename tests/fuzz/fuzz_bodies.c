/* fuzz_bodies.c - any bytes as the body of a request, for every endpoint that generates: by its fields
 * and its reading to a generation, and from there to settings, a prompt and a grammar. It is refused
 * with a reason and a status, or what it became is JSON that the library takes.
 * Input: options (bit 0 strict, bits 1 to 3 what the model can do of thinking, bit 4 a grammar is
 * made); the number of the endpoint among those that generate; then the body. */
#include "fuzz.h"
#include "server/job.h"

#include <stdlib.h>
#include <string.h>

static const char *const efforts[] = {"low", "medium", "high"};
static served_model served = {.name = "m"};

static void open_model(void)
{
    ingle_model_options opt;
    if (served.chat) return;
    ingle_model_options_init(&opt);
    opt.parts = INGLE_PARTS_VOCAB;
    served.chat_info.size = sizeof served.chat_info;
    if (ingle_model_open(&served.model, INGLE_SOURCE_DIR "/models/tiny-chat.gguf", &opt, NULL) ||
        ingle_chat_open(&served.chat, served.model, NULL, NULL) ||
        ingle_chat_info_get(served.chat, &served.chat_info, NULL))
        abort();
}

/* Endpoint i of those that generate, counted round. */
static const endpoint *endpoint_of(uint8_t i)
{
    size_t n = 0;
    for (size_t k = 0; route_at(k); k++) n += route_at(k)->read != NULL;
    i = (uint8_t)(i % n);
    for (size_t k = 0;; k++)
        if (route_at(k)->read && !i--) return route_at(k);
}

/* ---- what has to hold ------------------------------------------------------------------------ */

/* A body that is refused says why, in text that JSON can hold. */
static void check_error(const api_error *e, wire shape)
{
    bytes out = {0};
    ingle_json_doc doc = {.root = NULL};
    if (e->status < 400 || e->status > 599 || !e->message[0]) abort();
    api_error_write(e, shape, "req", &out);
    if (out.failed || ingle_json_open(&doc, out.p, out.n, NULL, NULL)) abort();
    ingle_json_close(&doc);
    bytes_free(&out);
}

static void check_ignored(const bytes *b)
{
    if (b->n > 4096) abort();
    for (size_t i = 0; i < b->n; i++)
        if (b->p[i] < 0x20 || b->p[i] > 0x7e) abort();
}

static void check_json(const bytes *b, ingle_json_kind kind, size_t n)
{
    ingle_json_doc doc = {.root = NULL};
    if (!b->n) return;
    if (ingle_json_open(&doc, b->p, b->n, NULL, NULL)) abort();
    if (!ingle_json_is(doc.root, kind) || (n && doc.root->len != n)) abort();
    ingle_json_close(&doc);
}

static void check_generation(const generation *g)
{
    ingle_generate_options o;
    generation_options(g, &o);
    if (ingle_generate_options_check(&o, NULL)) abort();
    check_json(&g->messages, INGLE_JSON_ARRAY, g->n_messages);
    check_json(&g->tools, INGLE_JSON_ARRAY, g->n_tools);
    check_json(&g->allowed, INGLE_JSON_ARRAY, 0);
    check_json(&g->kwargs, INGLE_JSON_OBJECT, 0);
    if (g->choice == TOOLS_NAMED && !g->tool_name[0]) abort();
    if (g->form && !g->form_param[0]) abort();
}

/* A template may refuse messages: then it says so. */
static bool render(const generation *g)
{
    ingle_chat_input in;
    ingle_prompt *prompt;
    ingle_error err = {""};
    ingle_chat_input_init(&in);
    in.messages = g->messages.p, in.n_messages = g->messages.n;
    in.tools = g->tools.n ? g->tools.p : NULL, in.n_tools = g->tools.n;
    in.kwargs = g->kwargs.n ? g->kwargs.p : NULL, in.n_kwargs = g->kwargs.n;
    ingle_status st = ingle_chat_render(&prompt, served.chat, &in, &err);
    if (st && (!err.text[0] || st == INGLE_EFORMAT)) abort();
    ingle_prompt_close(&prompt);
    return !st;
}

/* ---- a request as far as it goes without an engine ------------------------------------------- */

static bool prepare(job *j, bool wants_grammar)
{
    ingle_grammar *grammar = NULL;
    generation *g = &j->gen;
    if (!fields_read(&j->reader, j->endpoint->fields, j->doc.root, g, NULL)) return false;
    if (!j->endpoint->read(j)) return false;
    if (!generation_sampling(g, j->doc.root, served.chat, served.model, false, &j->error))
        return false;
    check_generation(g);
    if (g->messages.n && !render(g)) return true;
    bool ok = !wants_grammar || generation_grammar(g, &grammar, served.chat, served.model,
                                                   &j->model->chat_info, false, &j->reader);
    ingle_grammar_close(&grammar);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ingle_json_limits limits = {.unique_names = true};
    ingle_json_doc doc;
    if (size < 3) return 0;
    if (ingle_json_open(&doc, (const char *)data + 2, size - 2, &limits, NULL)) return 0;
    open_model();
    served_model model = served;
    job *j = calloc(1, sizeof *j);
    if (!j) abort();
    model.chat_info.thinks = data[0] & 2;
    model.chat_info.thinking_switch = data[0] & 4;
    if (data[0] & 8) model.chat_info.efforts = efforts, model.chat_info.n_efforts = 3;
    j->doc = doc;
    j->model = &model;
    j->endpoint = endpoint_of(data[1]);
    j->reader = (field_reader){.error = &j->error, .strict = data[0] & 1};
    generation_init(&j->gen);
    bool ok = prepare(j, data[0] & 16);
    if (ok != !j->error.status) abort();
    if (!ok) check_error(&j->error, j->endpoint->shape);
    check_ignored(&j->reader.ignored);
    generation_free(&j->gen);
    fields_end(&j->reader);
    free(j->own);
    free(j);
    ingle_json_close(&doc);
    return 0;
}
