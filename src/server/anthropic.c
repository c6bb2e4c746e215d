/* anthropic.c - see anthropic.h: what a body means as a whole, counting, models. */
#define _POSIX_C_SOURCE 200809L /* gmtime_r */
#include "anthropic.h"
#include "anthropic_read.h"

#include "base/mem.h"

#include <stdio.h>
#include <time.h>

/* ---- thinking -------------------------------------------------------------------------------- */

/* Thinking itself is switched by another field. */
static void choose_effort(generation *g, const ingle_chat_info *info, field_reader *r)
{
    const char *effort = g->wants_effort ? generation_nearest_effort(info, g->effort) : NULL;
    if (g->wants_effort && !effort) field_ignore_text(r, "output_config.effort");
    snprintf(g->effort, sizeof g->effort, "%s", effort ? effort : "");
}

static bool check_budget(const generation *g, const ingle_json *thinking, bool enabled, bool counts,
                         field_reader *r)
{
    const field_place place = anthropic_member(NULL, "thinking"),
                      at = anthropic_member(&place, "budget_tokens");
    bool given = ingle_json_is(ingle_json_get(thinking, "budget_tokens"), INGLE_JSON_NUMBER);
    if (enabled && !given) return field_refuse(r, &at, "is missing: type enabled needs it");
    if (!enabled && given) return field_refuse(r, &at, "goes with type enabled only");
    if (enabled && !counts && g->thinking_tokens >= g->max_tokens)
        return field_refuse(r, &at, "is %d, should be less than max_tokens, which is %d",
                            (int)g->thinking_tokens, (int)g->max_tokens);
    return true;
}

/* By the template's switch, or by closing what the model begins with at once. */
static void forbid_thinking(generation *g, const ingle_chat_info *info)
{
    g->thinking = info->thinking_switch ? INGLE_THINKING_OFF : INGLE_THINKING_AUTO;
    if (!info->thinking_switch && info->thinks && g->thinking_tokens < 0) g->thinking_tokens = 0;
}

/* results: the last message brings results of tools. */
static bool read_thinking(job *j, bool counts, bool results)
{
    generation *g = &j->gen;
    const ingle_chat_info *info = &j->model->chat_info;
    const ingle_json *thinking = ingle_json_get(j->doc.root, "thinking"),
                     *type = ingle_json_get(thinking, "type");
    const field_place place = anthropic_member(NULL, "thinking"),
                      at = anthropic_member(&place, "type");
    bool given = ingle_json_is(thinking, INGLE_JSON_OBJECT);
    /* Without the member the server's default holds; without that the model does not think. */
    bool off = given ? ingle_json_is_text(type, "disabled") ||
                           (ingle_json_is_text(type, "between_tools") && !results)
                     : g->thinking != INGLE_THINKING_ON;
    choose_effort(g, info, &j->reader);
    if (given && !ingle_json_is(type, INGLE_JSON_STRING))
        return field_refuse(&j->reader, &at, "is missing: enabled, disabled, adaptive");
    if (given &&
        !check_budget(g, thinking, ingle_json_is_text(type, "enabled"), counts, &j->reader))
        return false;
    if (off) {
        forbid_thinking(g, info);
        return true;
    }
    g->thinking = INGLE_THINKING_ON;
    if (!info->thinks) g->thinking_tokens = -1; /* with all of `thinking`, which is named */
    return generation_thinking(g, info, "thinking", &j->reader);
}

/* ---- the body -------------------------------------------------------------------------------- */

static bool make_own(job *j)
{
    const ingle_json *root = j->doc.root,
                     *display = ingle_json_get(ingle_json_get(root, "thinking"), "display");
    anthropic_own *own = ingle_new(1, sizeof *own);
    if (!own) return anthropic_no_memory(&j->reader);
    own->hides_thinking = ingle_json_is_text(display, "omitted");
    own->edits = ingle_json_is(ingle_json_get(root, "context_management"), INGLE_JSON_OBJECT);
    free(j->own);
    j->own = own;
    return true;
}

/* counts: the body has no max_tokens. */
static bool read_body(job *j, bool counts)
{
    const field_place limit = anthropic_member(NULL, "max_tokens");
    bool results = false;
    if (!counts && j->gen.max_tokens < 0)
        return field_refuse(&j->reader, &limit, "is missing: how many tokens the answer may have");
    return anthropic_read_messages(&j->reader, j->doc.root, &j->gen, &results) &&
           anthropic_read_tools(&j->reader, j->doc.root, &j->gen) &&
           read_thinking(j, counts, results) && make_own(j);
}

bool anthropic_read(job *j)
{
    return read_body(j, j->endpoint->fields == &anthropic_count_fields);
}

void anthropic_count(job *j)
{
    ingle_json_writer w = {0};
    size_t n;
    job_count(j, &n);
    if (j->error.status) return;
    ingle_json_begin_object(&w);
    ingle_json_put_u64(ingle_json_name(&w, "input_tokens"), n);
    ingle_json_end_object(&w);
    job_answer(j, 200, &w);
}

/* ---- models ---------------------------------------------------------------------------------- */

static void put_supported(ingle_json_writer *w, const char *name, bool supported)
{
    ingle_json_begin_object(ingle_json_name(w, name));
    ingle_json_put_bool(ingle_json_name(w, "supported"), supported);
    ingle_json_end_object(w);
}

static bool knows(const ingle_chat_info *info, const char *effort)
{
    const char *nearest = generation_nearest_effort(info, effort);
    return nearest && !strcmp(nearest, effort);
}

static const char *const EFFORTS[] = {"low", "medium", "high", "xhigh",
                                      "max"}; /* of this interface */
enum { N_EFFORTS = sizeof EFFORTS / sizeof *EFFORTS };

static void put_effort(const ingle_chat_info *info, ingle_json_writer *w)
{
    ingle_json_begin_object(ingle_json_name(w, "effort"));
    ingle_json_put_bool(ingle_json_name(w, "supported"), info->n_efforts);
    for (size_t i = 0; i < N_EFFORTS; i++) put_supported(w, EFFORTS[i], knows(info, EFFORTS[i]));
    ingle_json_end_object(w);
}

static void put_thinking(const ingle_chat_info *info, ingle_json_writer *w)
{
    ingle_json_begin_object(ingle_json_name(w, "thinking"));
    ingle_json_put_bool(ingle_json_name(w, "supported"), info->thinks);
    ingle_json_begin_object(ingle_json_name(w, "types"));
    put_supported(w, "adaptive", info->thinks);
    put_supported(w, "enabled", info->thinks);
    ingle_json_end_object(w);
    ingle_json_end_object(w);
}

static void put_context_management(ingle_json_writer *w)
{
    ingle_json_begin_object(ingle_json_name(w, "context_management"));
    ingle_json_put_bool(ingle_json_name(w, "supported"), false);
    put_supported(w, "clear_thinking_20251015", false);
    put_supported(w, "clear_tool_uses_20250919", false);
    put_supported(w, "compact_20260112", false);
    ingle_json_end_object(w);
}

static void put_capabilities(const served_model *m, ingle_json_writer *w)
{
    ingle_json_begin_object(ingle_json_name(w, "capabilities"));
    put_supported(w, "batch", false);
    put_supported(w, "citations", false);
    put_supported(w, "code_execution", false);
    put_context_management(w);
    put_effort(&m->chat_info, w);
    put_supported(w, "image_input", false);
    put_supported(w, "pdf_input", false);
    put_supported(w, "structured_outputs", true);
    put_thinking(&m->chat_info, w);
    ingle_json_end_object(w);
}

void anthropic_model(const served_model *m, ingle_json_writer *w)
{
    char text[40] = "1970-01-01T00:00:00Z";
    time_t created = (time_t)m->created;
    struct tm parts;
    if (gmtime_r(&created, &parts)) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "type"), "model");
    ingle_json_put_text(ingle_json_name(w, "id"), m->name);
    ingle_json_put_text(ingle_json_name(w, "display_name"), m->name);
    ingle_json_put_text(ingle_json_name(w, "created_at"), text);
    ingle_json_put_null(ingle_json_name(w, "line"));
    ingle_json_put_i64(ingle_json_name(w, "max_input_tokens"), m->engine_info.n_ctx);
    ingle_json_put_i64(ingle_json_name(w, "max_tokens"), m->engine_info.n_ctx);
    put_capabilities(m, w);
    ingle_json_end_object(w);
}
