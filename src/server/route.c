#include "route.h"
#include "admin.h"
#include "anthropic.h"
#include "chat.h"
#include "chat_answer.h"
#include "control.h"

#include <string.h>

static const endpoint ENDPOINTS[] = {
    {.method = "GET",
     .path = "/",
     .needs = GATE_PUBLIC,
     .quick = admin_root,
     .summary = "says that the server runs"},
    {.method = "GET",
     .path = "/health",
     .needs = GATE_PUBLIC,
     .quick = admin_health,
     .summary =
         "200 when requests are served; 503 while the model loads and while the server stops"},
    {.method = "GET",
     .path = "/v1/health",
     .needs = GATE_PUBLIC,
     .quick = admin_health,
     .summary = "as /health"},
    {.method = "GET",
     .path = "/ping",
     .needs = GATE_PUBLIC,
     .quick = admin_health,
     .summary = "as /health"},
    {.method = "GET",
     .path = "/openapi.json",
     .needs = GATE_PUBLIC,
     .quick = admin_openapi,
     .summary = "this interface as an OpenAPI document"},
    {.method = "GET",
     .path = "/v1/models",
     .needs = GATE_USER,
     .quick = models_list,
     .summary =
         "the models that are served; in Anthropic's form with the header anthropic-version"},
    {.method = "GET",
     .path = "/models",
     .needs = GATE_USER,
     .quick = models_list,
     .summary = "as /v1/models"},
    {.method = "GET",
     .path = "/v1/models/{id}",
     .needs = GATE_USER,
     .quick = model_show,
     .summary = "one of them"},
    {.method = "POST",
     .path = "/v1/chat/completions",
     .needs = GATE_USER,
     .prepare = job_generate,
     .fields = &chat_fields,
     .dialect = &chat_dialect,
     .read = chat_read,
     .summary = "an answer to messages (OpenAI)"},
    {.method = "POST",
     .path = "/chat/completions",
     .needs = GATE_USER,
     .prepare = job_generate,
     .fields = &chat_fields,
     .dialect = &chat_dialect,
     .read = chat_read,
     .summary = "as /v1/chat/completions"},
    {.method = "POST",
     .path = "/v1/chat/completions/input_tokens",
     .needs = GATE_USER,
     .prepare = chat_count,
     .fields = &chat_fields,
     .dialect = &chat_dialect,
     .read = chat_read,
     .summary = "how many tokens the prompt of such a request has"},
    {.method = "POST",
     .path = "/v1/chat/completions/control",
     .needs = GATE_USER,
     .prepare = control_read,
     .after = control_apply,
     .fields = &control_fields,
     .summary = "ends the thinking of an answer that is under way"},
    {.method = "POST",
     .path = "/v1/messages",
     .needs = GATE_USER,
     .shape = WIRE_ANTHROPIC,
     .prepare = job_generate,
     .fields = &anthropic_fields,
     .dialect = &anthropic_dialect,
     .read = anthropic_read,
     .summary = "an answer to messages (Anthropic)"},
    {.method = "POST",
     .path = "/v1/messages/count_tokens",
     .needs = GATE_USER,
     .shape = WIRE_ANTHROPIC,
     .prepare = anthropic_count,
     .fields = &anthropic_count_fields,
     .dialect = &anthropic_dialect,
     .read = anthropic_read,
     .summary = "how many tokens the prompt of such a request has"},
};
enum { N_ENDPOINTS = sizeof ENDPOINTS / sizeof *ENDPOINTS };

const endpoint *route_at(size_t i)
{
    return i < N_ENDPOINTS ? &ENDPOINTS[i] : NULL;
}

/* Whether the path is one of the pattern; *argument is what stands for the braces. */
static bool matches(const char *pattern, const char *path, const char **argument)
{
    const char *brace = strchr(pattern, '{');
    size_t n = brace ? (size_t)(brace - pattern) : strlen(pattern);
    *argument = "";
    if (!brace) return !strcmp(pattern, path);
    *argument = path + (strlen(path) < n ? strlen(path) : n);
    return !strncmp(pattern, path, n) && **argument;
}

/* Clients of Anthropic's are found by the path they ask for, or by the header that all of theirs
 * send. */
static wire shape_of(const char *path, bool anthropic)
{
    if (!strncmp(path, "/v1/messages", 12)) return WIRE_ANTHROPIC;
    return anthropic && !strncmp(path, "/v1/models", 10) ? WIRE_ANTHROPIC : WIRE_OPENAI;
}

const endpoint *route_find(const char *method, const char *path, bool anthropic,
                           const char **argument, wire *shape, api_error *e)
{
    const char *other = NULL;
    const bool head = !strcmp(method, "HEAD");
    *shape = shape_of(path, anthropic);
    for (size_t i = 0; i < N_ENDPOINTS; i++) {
        const endpoint *p = &ENDPOINTS[i];
        if (!matches(p->path, path, argument)) continue;
        if (!strcmp(p->method, head ? "GET" : method)) return p;
        other = p->method;
    }
    if (other)
        api_fail(e, 405, "method_not_allowed", NULL, "%.100s is asked for by %s", path, other);
    else
        api_fail(e, 404, "not_found", NULL,
                 "there is no endpoint %.16s %.200s; /openapi.json lists them", method, path);
    return NULL;
}
