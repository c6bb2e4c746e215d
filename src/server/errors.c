#include "errors.h"

#include <stdarg.h>
#include <stdio.h>

bool api_fail(api_error *e, int status, const char *code, const char *param, const char *format,
              ...)
{
    va_list args;
    if (e->status) return false;
    *e = (api_error){.status = status, .code = code};
    snprintf(e->param, sizeof e->param, "%s", param ? param : "");
    va_start(args, format);
    vsnprintf(e->message, sizeof e->message, format, args);
    va_end(args);
    return false;
}

/* What a failure of the library is for a client. */
typedef struct meaning {
    int status;
    const char *code;
} meaning;

static meaning meaning_of(ingle_status status)
{
    switch (status) {
    case INGLE_EINVAL:
    case INGLE_ENOTFOUND:
    case INGLE_EFORMAT: return (meaning){400, "invalid_value"};
    case INGLE_EUNSUPPORTED: return (meaning){400, "unsupported_value"};
    case INGLE_EFULL: return (meaning){400, "context_length_exceeded"};
    case INGLE_EQUEUE: return (meaning){429, "rate_limit_exceeded"};
    case INGLE_ECLOSED: return (meaning){503, "draining"};
    case INGLE_ETIMEOUT: return (meaning){408, "timeout"};
    case INGLE_ENOMEM: return (meaning){503, "out_of_memory"};
    case INGLE_ECANCELLED: return (meaning){499, "cancelled"};
    case INGLE_OK:
    case INGLE_EIO:
    case INGLE_ERANGE:
    case INGLE_EBUSY:
    case INGLE_EDEVICE: break;
    }
    return (meaning){500, "server_error"};
}

bool api_fail_library(api_error *e, ingle_status status, const ingle_error *err, const char *param)
{
    meaning m = meaning_of(status);
    if (!status) return true;
    api_fail(e, m.status, m.code, param, "%s",
             err && err->text[0] ? err->text : ingle_status_name(status));
    if (m.status == 503 && !e->retry_after) e->retry_after = 1;
    return false;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static const char *openai_type(int status)
{
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 408: return "timeout_error";
    case 429: return "rate_limit_error";
    case 501: return "not_supported_error";
    case 503: return "unavailable_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
    }
}

static const char *anthropic_type(int status)
{
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 408: return "timeout_error";
    case 413: return "request_too_large";
    case 429: return "rate_limit_error";
    case 503:
    case 529: return "overloaded_error";
    default: return status < 500 ? "invalid_request_error" : "api_error";
    }
}

static void put_optional(ingle_json_writer *w, const char *name, const char *text)
{
    ingle_json_name(w, name);
    if (text && *text) ingle_json_put_text(w, text);
    else ingle_json_put_null(w);
}

/* With the path, if it is not there: clients show the message alone. */
static void put_words(const api_error *e, ingle_json_writer *w)
{
    char text[sizeof e->param + sizeof e->message + 8];
    size_t n = strlen(e->param);
    bool add = n && (strncmp(e->message, e->param, n) != 0 || e->message[n] != ':');
    snprintf(text, sizeof text, "%s%s%s", add ? e->param : "", add ? ": " : "", e->message);
    ingle_json_put_text(w, text);
}

static void put_message(const api_error *e, ingle_json_writer *w)
{
    put_words(e, ingle_json_name(w, "message"));
}

/* Clients look for these words, and then make their history shorter. */
static void put_too_long(const api_error *e, ingle_json_writer *w)
{
    char text[96];
    snprintf(text, sizeof text, "prompt is too long: %zu tokens > %zu maximum", e->n_prompt,
             e->n_ctx);
    ingle_json_put_text(ingle_json_name(w, "message"), text);
}

static void openai_object(const api_error *e, ingle_json_writer *w)
{
    ingle_json_begin_object(w);
    put_message(e, w);
    ingle_json_put_text(ingle_json_name(w, "type"), openai_type(e->status));
    put_optional(w, "param", e->param);
    put_optional(w, "code", e->code);
    if (e->n_prompt) {
        ingle_json_put_u64(ingle_json_name(w, "n_prompt_tokens"), e->n_prompt);
        ingle_json_put_u64(ingle_json_name(w, "n_ctx"), e->n_ctx);
    }
    ingle_json_end_object(w);
}

/* Clients that keep a conversation as a thread of the server's go on without one if they are told
 * so. */
static void put_details(const api_error *e, ingle_json_writer *w)
{
    if (strcmp(e->param, "thread") != 0) return;
    ingle_json_begin_object(ingle_json_name(w, "details"));
    ingle_json_put_text(ingle_json_name(w, "error_code"), "thread_unsupported_request");
    ingle_json_begin_array(ingle_json_name(w, "unsupported"));
    ingle_json_put_text(w, e->param);
    ingle_json_end_array(w);
    ingle_json_end_object(w);
}

static void anthropic_object(const api_error *e, ingle_json_writer *w)
{
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "type"), anthropic_type(e->status));
    if (e->n_prompt) put_too_long(e, w);
    else put_message(e, w);
    put_details(e, w);
    ingle_json_end_object(w);
}

void api_error_object(const api_error *e, wire shape, ingle_json_writer *w)
{
    switch (shape) {
    case WIRE_ANTHROPIC: anthropic_object(e, w); return;
    case WIRE_OLLAMA: put_words(e, w); return;
    case WIRE_OPENAI:
    case WIRE_NATIVE: openai_object(e, w); return;
    }
}

void api_error_write(const api_error *e, wire shape, const char *id, bytes *out)
{
    ingle_json_writer w = {0};
    ingle_json_begin_object(&w);
    if (shape == WIRE_ANTHROPIC) ingle_json_put_text(ingle_json_name(&w, "type"), "error");
    api_error_object(e, shape, ingle_json_name(&w, "error"));
    if (shape == WIRE_ANTHROPIC) ingle_json_put_text(ingle_json_name(&w, "request_id"), id);
    ingle_json_end_object(&w);
    bytes_take_json(out, &w);
    ingle_json_writer_free(&w);
}
