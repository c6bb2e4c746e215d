/* anthropic_fields.c - the members of a body of Messages.
 * Depends on anthropic.h. */
#include "anthropic.h"
#include "anthropic_read.h"

#include <stddef.h>

#define AT(member) offsetof(generation, member)
#define N(rows)    (sizeof(rows) / sizeof *(rows))

/* ---- setters --------------------------------------------------------------------------------- */

static bool set_stops(field_reader *r, void *target, const ingle_json *v, const field_place *place)
{
    const generation *g = target;
    if (g->n_stops) return field_refuse(r, place, "means the same as `stop`: give one of them");
    return generation_set_stop(r, target, v, place);
}

static bool set_schema(field_reader *r, void *target, const ingle_json *v, const field_place *place)
{
    return generation_set_form(r, target, INGLE_ANSWER_SCHEMA, v, place);
}

static bool set_format(field_reader *r, void *target, const ingle_json *v, const field_place *place)
{
    const field_place type = {.up = place, .name = "type", .len = 4},
                      schema = {.up = place, .name = "schema", .len = 6};
    (void)target;
    if (!ingle_json_is(ingle_json_get(v, "type"), INGLE_JSON_STRING))
        return field_refuse(r, &type, "is missing: json_schema");
    if (!ingle_json_is(ingle_json_get(v, "schema"), INGLE_JSON_OBJECT))
        return field_refuse(r, &schema, "is missing: a JSON Schema");
    return true;
}

static bool set_effort(field_reader *r, void *target, const ingle_json *v, const field_place *place)
{
    generation *g = target;
    (void)r;
    (void)place;
    memcpy(g->effort, v->text, (size_t)v->len + 1); /* one of EFFORTS */
    g->wants_effort = true;
    return true;
}

static bool set_diagnostics(field_reader *r, void *target, const ingle_json *v,
                            const field_place *place)
{
    generation *g = target;
    (void)r;
    (void)v;
    (void)place;
    g->asks_diagnostics = true;
    return true;
}

static bool set_previous(field_reader *r, void *target, const ingle_json *v,
                         const field_place *place)
{
    generation *g = target;
    (void)place;
    g->anthropic_previous = malloc((size_t)v->len + 1);
    if (!g->anthropic_previous)
        return api_fail(r->error, 503, "out_of_memory", NULL, "no memory for the request");
    memcpy(g->anthropic_previous, v->text, (size_t)v->len + 1);
    return true;
}

/* ---- objects in the body --------------------------------------------------------------------- */

static const char *const FORMATS[] = {"json_schema", NULL};
static const field_row FORMAT_ROWS[] = {
    {.name = "type", .types = FIELD_STRING, .choices = FORMATS, .help = "json_schema"},
    {.name = "schema",
     .types = FIELD_OBJECT,
     .set = set_schema,
     .help = "what the text of the answer has to be; what cannot be enforced is refused"},
};
static const field_table FORMAT = {
    .title = "format", .rows = FORMAT_ROWS, .n_rows = N(FORMAT_ROWS)};

static const char *const EFFORTS[] = {"low", "medium", "high", "xhigh", "max", NULL};
static const field_row OUTPUT_ROWS[] = {
    {.name = "effort",
     .types = FIELD_STRING,
     .choices = EFFORTS,
     .set = set_effort,
     .help = "how much the model thinks, if it knows efforts"},
    {.name = "format",
     .types = FIELD_OBJECT,
     .members = &FORMAT,
     .set = set_format,
     .help = "the form of the answer"},
    {.name = "task_budget",
     .class = FIELD_REFUSED,
     .types = FIELD_OBJECT,
     .help = "use max_tokens and thinking.budget_tokens"},
};
static const field_table OUTPUT = {
    .title = "output_config", .rows = OUTPUT_ROWS, .n_rows = N(OUTPUT_ROWS)};

static const char *const THINKING_TYPES[] = {"enabled", "disabled", "adaptive", "between_tools",
                                             NULL};
static const char *const DISPLAYS[] = {"summarized", "omitted", NULL};
static const field_row THINKING_ROWS[] = {
    {.name = "type",
     .types = FIELD_STRING,
     .choices = THINKING_TYPES,
     .help = "enabled or adaptive: the model thinks; disabled: it does not; between_tools: it "
             "thinks where the last message brings results of tools"},
    {.name = "budget_tokens",
     .types = FIELD_INT,
     .min = 1,
     .max = INT32_MAX,
     .store = FIELD_TO_INT,
     .offset = AT(thinking_tokens),
     .help = "of enabled: thinking is closed after so many tokens; less than max_tokens"},
    {.name = "display",
     .types = FIELD_STRING,
     .choices = DISPLAYS,
     .help = "summarized: all of it is shown; omitted: the text of thinking is left empty"},
};
static const field_table THINKING = {
    .title = "thinking", .rows = THINKING_ROWS, .n_rows = N(THINKING_ROWS)};

static const field_row DIAGNOSTICS_ROWS[] = {
    {.name = "previous_message_id",
     .types = FIELD_STRING,
     .max = 128,
     .set = set_previous,
     .help = "the id of the answer whose prompt this one is compared with"},
};
static const field_table DIAGNOSTICS = {
    .title = "diagnostics", .rows = DIAGNOSTICS_ROWS, .n_rows = N(DIAGNOSTICS_ROWS)};

/* ---- the body -------------------------------------------------------------------------------- */

/* What makes the prompt. */
static const field_row PROMPT_ROWS[] = {
    {.name = "messages",
     .types = FIELD_ARRAY,
     .min = 1,
     .max = 100000,
     .members = &anthropic_message_fields,
     .members_apart = true,
     .help = "the conversation; an assistant's message at its end is continued"},
    {.name = "system",
     .types = FIELD_STRING | FIELD_ARRAY,
     .members = &anthropic_text_fields,
     .members_apart = true,
     .help = "text, or blocks of text, before the conversation"},
    {.name = "tools",
     .types = FIELD_ARRAY,
     .max = 10000,
     .members = &anthropic_tool_fields,
     .members_apart = true,
     .help = "what the model may call"},
    {.name = "tool_choice",
     .types = FIELD_OBJECT,
     .members = &anthropic_choice_fields,
     .members_apart = true,
     .help = "whether it has to call, and what"},
    {.name = "thinking",
     .types = FIELD_OBJECT,
     .members = &THINKING,
     .help = "without it the model does not think"},
    {.name = "output_config",
     .types = FIELD_OBJECT,
     .members = &OUTPUT,
     .help = "effort, and the form of the answer"},
    {.name = "output_format",
     .types = FIELD_OBJECT,
     .members = &FORMAT,
     .set = set_format,
     .help = "an older name of output_config.format"},
    {.name = "context_management",
     .class = FIELD_INERT,
     .types = FIELD_OBJECT,
     .help = "nothing is edited; the answer says so with applied_edits []"},
    ANTHROPIC_CACHE_CONTROL,
    {.name = "speed", .class = FIELD_INERT, .types = FIELD_STRING, .help = "there is one speed"},
    {.name = "mcp_servers",
     .class = FIELD_REFUSED,
     .types = FIELD_ANY,
     .help = "no server is asked from here: call it yourself, and give its tools as `tools`"},
    {.name = "container",
     .class = FIELD_REFUSED,
     .types = FIELD_ANY,
     .help = "nothing is run here: give `tools`, and run them yourself"},
    {.name = "thread",
     .class = FIELD_REFUSED,
     .types = FIELD_ANY,
     .help = "nothing is kept here: send the whole conversation as `messages`"},
    {.name = "fallbacks", .class = FIELD_REFUSED, .types = FIELD_ANY, .help = "name one `model`"},
    {.name = "compaction",
     .class = FIELD_REFUSED,
     .types = FIELD_ANY,
     .help = "make the conversation shorter yourself; a prompt that does not fit is refused"},
};
static const field_table PROMPT = {.title = "Prompt of Messages",
                                   .rows = PROMPT_ROWS,
                                   .n_rows = N(PROMPT_ROWS),
                                   .more = &generation_fields};

#define BUSINESS(name_, types_)                                                                    \
    {                                                                                              \
        .name = name_, .class = FIELD_INERT, .types = types_,                                      \
        .help = "it concerns a provider's business"                                                \
    }

static const field_row ROWS[] = {
    {.name = "max_tokens",
     .types = FIELD_INT,
     .min = 1,
     .max = INT32_MAX,
     .store = FIELD_TO_INT,
     .offset = AT(max_tokens),
     .help = "required: at most so many tokens, thinking included; more than the context has room "
             "for is no error"},
    {.name = "stop_sequences",
     .types = FIELD_ARRAY,
     .max = GENERATION_MAX_STOPS,
     .set = set_stops,
     .help = "up to 20 strings that end the visible text; the answer says which one did"},
    {.name = "stream",
     .types = FIELD_BOOL,
     .store = FIELD_TO_BOOL,
     .offset = AT(stream),
     .help = "the answer comes as events"},
    {.name = "diagnostics",
     .types = FIELD_OBJECT,
     .members = &DIAGNOSTICS,
     .set = set_diagnostics,
     .help = "the answer says why less of the prompt was known than could be"},
    BUSINESS("metadata", FIELD_OBJECT),
    BUSINESS("service_tier", FIELD_STRING),
    BUSINESS("inference_geo", FIELD_STRING),
    BUSINESS("billing_policy", FIELD_ANY),
    BUSINESS("fallback_credit_token", FIELD_STRING),
    BUSINESS("user_profile_id", FIELD_STRING),
    BUSINESS("workspace_id", FIELD_STRING),
};
const field_table anthropic_fields = {
    .title = "Messages", .rows = ROWS, .n_rows = N(ROWS), .more = &PROMPT};

#define OF_THE_ANSWER(name_, types_)                                                               \
    {                                                                                              \
        .name = name_, .class = FIELD_INERT, .types = types_,                                      \
        .help = "it concerns the answer alone"                                                     \
    }

static const field_row COUNT_ROWS[] = {
    OF_THE_ANSWER("max_tokens", FIELD_INT),
    OF_THE_ANSWER("stop_sequences", FIELD_ARRAY),
    OF_THE_ANSWER("stream", FIELD_BOOL),
    OF_THE_ANSWER("diagnostics", FIELD_OBJECT),
    BUSINESS("metadata", FIELD_OBJECT),
    BUSINESS("service_tier", FIELD_STRING),
    BUSINESS("inference_geo", FIELD_STRING),
    BUSINESS("billing_policy", FIELD_ANY),
    BUSINESS("fallback_credit_token", FIELD_STRING),
    BUSINESS("user_profile_id", FIELD_STRING),
    BUSINESS("workspace_id", FIELD_STRING),
};
const field_table anthropic_count_fields = {
    .title = "Count tokens", .rows = COUNT_ROWS, .n_rows = N(COUNT_ROWS), .more = &PROMPT};
