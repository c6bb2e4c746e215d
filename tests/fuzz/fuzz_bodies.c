/* fuzz_bodies.c - any bytes as the body of a request: by the fields of its dialect to a generation, as
 * the server reads it. It is refused with a reason and a status, or what it became is JSON that the
 * library takes for messages, tools and variables, and its settings are the library's.
 * Input: options (bit 0 strict, bits 1 and 2 what the model can do of thinking, bit 3 Anthropic's
 * Messages in place of OpenAI's chat, bit 4 of those only counted); then the body. */
#include "fuzz.h"
#include "server/anthropic.h"
#include "server/chat.h"

#include <stdlib.h>
#include <string.h>

static const char *const efforts[] = {"low", "medium", "high"};

/* A body that is refused says why, in text that headers and JSON can hold. */
static void check_error(const api_error *e, wire shape)
{
    bytes out = {0};
    if (e->status < 400 || e->status > 599 || !e->message[0]) abort();
    api_error_write(e, shape, "req", &out);
    ingle_json_doc doc = {.root = NULL};
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

/* What was read is within the limits, whatever was asked for. */
static void check_generation(const generation *g)
{
    ingle_generate_options o;
    ingle_error err;
    generation_options(g, &o);
    if (ingle_generate_options_check(&o, &err)) abort();
    check_json(&g->messages, INGLE_JSON_ARRAY, g->n_messages);
    check_json(&g->tools, INGLE_JSON_ARRAY, g->n_tools);
    check_json(&g->allowed, INGLE_JSON_ARRAY, 0);
    check_json(&g->kwargs, INGLE_JSON_OBJECT, 0);
    if (g->choice == TOOLS_NAMED && !g->tool_name[0]) abort();
    if (g->form && !g->form_param[0]) abort();
}

static ingle_chat_info info_of(unsigned options)
{
    return (ingle_chat_info){.thinks = options & 2,
                             .thinking_switch = options & 4,
                             .efforts = efforts,
                             .n_efforts = options & 2 ? 3 : 0};
}

static void read_chat(field_reader *r, const ingle_json *body, unsigned options)
{
    const ingle_chat_info info = info_of(options);
    generation g;
    generation_init(&g);
    bool ok = fields_read(r, &chat_fields, body, &g, NULL) &&
              chat_read_body(r, &g, body, &info, "{{ verbosity }}");
    if (ok != !r->error->status) abort();
    if (ok) check_generation(&g);
    else check_error(r->error, WIRE_OPENAI);
    generation_free(&g);
}

static void read_messages(job *j, unsigned options)
{
    static served_model model;
    const endpoint e = {.fields = options & 16 ? &anthropic_count_fields : &anthropic_fields};
    model.chat_info = info_of(options);
    j->model = &model;
    j->endpoint = &e;
    generation_init(&j->gen);
    bool ok = fields_read(&j->reader, e.fields, j->doc.root, &j->gen, NULL) && anthropic_read(j);
    if (ok != !j->error.status) abort();
    if (ok) check_generation(&j->gen);
    else check_error(&j->error, WIRE_ANTHROPIC);
    generation_free(&j->gen);
    free(j->own);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ingle_json_limits limits = {.unique_names = true};
    job j = {0};
    if (size < 2) return 0;
    if (ingle_json_open(&j.doc, (const char *)data + 1, size - 1, &limits, NULL)) return 0;
    j.reader = (field_reader){.error = &j.error, .strict = data[0] & 1};
    if (data[0] & 8) read_messages(&j, data[0]);
    else read_chat(&j.reader, j.doc.root, data[0]);
    check_ignored(&j.reader.ignored);
    fields_end(&j.reader);
    ingle_json_close(&j.doc);
    return 0;
}
