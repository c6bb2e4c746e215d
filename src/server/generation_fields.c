/* generation_fields.c - the rows that every dialect takes beside its own. */
#include "generation_set.h"

#include "base/mem.h"

enum { MAX_STOP_TOKENS = 1000, WEEK_S = 604800 };

#define AT(field) offsetof(generation, field)

/* ---- setters --------------------------------------------------------------------------------- */

/* Fields that say the contrary of what is kept. */
static GENERATION_SETTER(set_cache)
{
    bool on = true;
    (void)r, (void)place;
    ingle_json_bool(v, &on);
    ((generation *)target)->no_cache = !on;
    return true;
}

static GENERATION_SETTER(set_tool_parsing)
{
    bool on = true;
    (void)r, (void)place;
    ingle_json_bool(v, &on);
    ((generation *)target)->no_tool_parsing = !on;
    return true;
}

static GENERATION_SETTER(set_reasoning_format)
{
    (void)r, (void)place;
    ((generation *)target)->reasoning =
        ingle_json_is_text(v, "none") ? REASONING_NONE : REASONING_APART;
    return true;
}

/* A name of a class; or a number, the smaller the sooner. */
static GENERATION_SETTER(set_priority)
{
    generation *g = target;
    double x = 0;
    (void)r, (void)place;
    if (v->kind == INGLE_JSON_NUMBER) ingle_json_f64(v, &x);
    else x = ingle_json_is_text(v, "high") ? -1 : ingle_json_is_text(v, "low") ? 1 : 0;
    g->priority = x < 0 ? INGLE_CLASS_HIGH : x > 0 ? INGLE_CLASS_LOW : INGLE_CLASS_NORMAL;
    return true;
}

static GENERATION_SETTER(set_truncation)
{
    generation *g = target;
    if (ingle_json_is_text(v, "shift"))
        return field_refuse(r, place,
                            "'shift' is not supported: use 'drop', which drops whole "
                            "messages, the oldest first");
    g->overflow = ingle_json_is_text(v, "drop") ? INGLE_OVERFLOW_DROP : INGLE_OVERFLOW_ERROR;
    return true;
}

static GENERATION_SETTER(set_stop_tokens)
{
    generation *g = target;
    size_t i = 0;
    free(g->stop_tokens);
    g->n_stop_tokens = 0;
    g->stop_tokens = ingle_new(v->len, sizeof *g->stop_tokens);
    if (!g->stop_tokens) return generation_no_memory(r);
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w); i++) {
        const field_place element = {.up = place, .i = i};
        int64_t token;
        if (!ingle_json_i64(w.value, &token) || token < 0 || token > INT32_MAX)
            return field_refuse(r, &element, "should be a token's number");
        g->stop_tokens[g->n_stop_tokens++] = (int32_t)token;
    }
    return true;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static const char *const reasoning_formats[] = {"auto", "none", "deepseek", NULL};
static const char *const priorities[] = {"low", "normal", "high", NULL};
static const char *const truncations[] = {"error", "drop", "shift", NULL};

#define REFUSED(title, text)                                                                       \
    {                                                                                              \
        .name = title, .class = FIELD_REFUSED, .help = text                                        \
    }
#define INERT(title, text)                                                                         \
    {                                                                                              \
        .name = title, .class = FIELD_INERT, .help = text                                          \
    }
#define ONLY(title, value, text)                                                                   \
    {                                                                                              \
        .name = title, .class = FIELD_ONLY, .only = value, .help = text                            \
    }
#define FLAG(title, field, text)                                                                   \
    {                                                                                              \
        .name = title, .types = FIELD_BOOL, .store = FIELD_TO_BOOL, .offset = AT(field),           \
        .help = text                                                                               \
    }
#define FORM(title, allowed, setter, text)                                                         \
    {                                                                                              \
        .name = title, .types = allowed, .set = setter, .help = text                               \
    }

static const char no_images[] = "this model reads text";
static const char one_engine[] = "a setting of the server, given when it is started";

static const field_row generation_rows[] = {
    {.name = "model",
     .types = FIELD_STRING,
     .max = 255,
     .set = generation_set_model,
     .help = "name of the model, as the list of models has it"},
    {.name = "seed",
     .types = FIELD_INT,
     .store = FIELD_TO_SEED,
     .offset = AT(sampling.seed),
     .set = generation_set_seed,
     .help = "the same request with the same seed gives the same text, whatever else runs; -1: a "
             "fresh one"},
    {.name = "samplers",
     .types = FIELD_ARRAY | FIELD_STRING,
     .max = 200,
     .set = generation_set_samplers,
     .help = "stages in the order they run: a list, or a text joined by ';'"},
    {.name = "dry_sequence_breakers",
     .types = FIELD_ARRAY,
     .max = 64,
     .set = generation_set_breakers,
     .help = "texts that end a repeated sequence, of 1 to 64 bytes each"},
    {.name = "logit_bias",
     .types = FIELD_OBJECT | FIELD_ARRAY,
     .store = FIELD_TO_VALUE,
     .offset = AT(logit_bias),
     .set = generation_set_bias,
     .help = "what is added to logits: a map of tokens' numbers, or a list of [token, bias] and "
             "[text, bias]; false: never"},
    {.name = "stop",
     .types = FIELD_STRING | FIELD_ARRAY,
     .set = generation_set_stop,
     .help = "a text, or up to 20, of 1 to 500 bytes each, at which the answer ends"},
    {.name = "stop_token_ids",
     .types = FIELD_ARRAY,
     .max = MAX_STOP_TOKENS,
     .set = set_stop_tokens,
     .help = "tokens at which the answer ends"},
    {.name = "min_tokens",
     .types = FIELD_INT,
     .max = INT32_MAX,
     .store = FIELD_TO_INT,
     .offset = AT(min_tokens),
     .help = "the model does not end its answer before so many tokens"},
    FLAG("ignore_eos", ignore_eos, "true: the model's end tokens do not end the answer"),
    FORM("grammar", FIELD_STRING, generation_set_gbnf, "a grammar in GBNF for the answer"),
    FORM("json_schema", FIELD_OBJECT, generation_set_schema,
         "a JSON Schema for the answer; what cannot be enforced is refused"),
    FORM("guided_json", FIELD_OBJECT | FIELD_STRING, generation_set_schema,
         "the same, as an object or as text"),
    FORM("guided_regex", FIELD_STRING, generation_set_regex, "a pattern that the answer matches"),
    FORM("guided_choice", FIELD_ARRAY, generation_set_choice, "the answer is one of these strings"),
    FORM("guided_grammar", FIELD_STRING, generation_set_gbnf, "a grammar in GBNF for the answer"),
    {.name = "structured_outputs",
     .types = FIELD_OBJECT,
     .members = &structured_outputs_fields,
     .help = "one of these forms for the answer"},
    {.name = "chat_template_kwargs",
     .types = FIELD_OBJECT,
     .set = generation_set_kwargs,
     .help = "variables of the chat template, such as enable_thinking; preserve_thinking true also "
             "keeps the thinking of earlier answers"},
    {.name = "reasoning_format",
     .types = FIELD_STRING,
     .choices = reasoning_formats,
     .set = set_reasoning_format,
     .help = "'none': thinking comes as text, with its marks; else in a member of its own"},
    {.name = "reasoning_budget",
     .types = FIELD_INT,
     .min = -1,
     .max = INT32_MAX,
     .store = FIELD_TO_INT,
     .offset = AT(thinking_tokens),
     .help = "tokens of thinking after which it is closed; -1: no limit"},
    FORM("reasoning_control", FIELD_BOOL, NULL,
         "thinking may be ended while it runs; so it is in any case"),
    FORM("parse_tool_calls", FIELD_BOOL, set_tool_parsing, "false: calls of tools come as text"),
    FORM("cache_prompt", FIELD_BOOL, set_cache,
         "false: what is kept of other prompts is not used, nor is this one kept"),
    {.name = "priority",
     .types = FIELD_STRING | FIELD_INT,
     .min = INT32_MIN,
     .max = INT32_MAX,
     .choices = priorities,
     .set = set_priority,
     .help = "which requests run first; as a number: below 0 is high, above 0 low"},
    {.name = "timeout",
     .types = FIELD_NUMBER,
     .max = WEEK_S,
     .store = FIELD_TO_DOUBLE,
     .offset = AT(timeout_s),
     .help = "seconds after which the answer ends; 0: no limit"},
    {.name = "truncation",
     .types = FIELD_STRING,
     .choices = truncations,
     .set = set_truncation,
     .help = "what becomes of a prompt that does not fit: 'error', or 'drop': whole messages are "
             "dropped, the oldest first"},
    {.name = "n_keep",
     .types = FIELD_INT,
     .min = -1,
     .max = INT32_MAX,
     .store = FIELD_TO_INT,
     .offset = AT(n_keep),
     .help = "tokens of the prompt that stay where messages are dropped; -1: all"},
    FLAG("timings_per_token", timings, "true: `timings` with every piece of a stream"),
    FLAG("return_progress", progress, "true: a stream says how far the prompt is"),
    FLAG("return_tokens", return_tokens, "true: tokens' numbers with the text"),

    {.name = "best_of",
     .types = FIELD_INT,
     .min = 1,
     .max = GENERATION_MAX_N,
     .store = FIELD_TO_INT,
     .offset = AT(best_of),
     .help = "the same as n, or absent: only all answers can be had"},
    ONLY("tfs_z", "1", "tail-free sampling is not known here; use min_p"),
    ONLY("n_indent", "0", "ask for the layout in the prompt, or by a grammar"),
    ONLY("use_beam_search", "false", "answers are drawn; use n"),
    ONLY("length_penalty", "1", "it belongs to beam search"),
    ONLY("early_stopping", "false", "it belongs to beam search"),
    ONLY("include_stop_str_in_output", "false", "stop strings are never part of the text"),
    ONLY("skip_special_tokens", "true", "control tokens are never part of the text"),
    ONLY("spaces_between_special_tokens", "true", "control tokens are never part of the text"),
    ONLY("return_tokens_as_token_ids", "false", "use return_tokens"),
    REFUSED("n_discard", "use truncation 'drop'"),
    REFUSED("response_fields", "answers are whole; leave out what is not needed"),
    REFUSED("truncate_prompt_tokens", "use truncation 'drop'"),
    REFUSED("lora",
            "adapters are not loaded here; use a model file that the adapter was merged into"),
    REFUSED("images", no_images),
    REFUSED("audio", no_images),
    REFUSED("mm_processor_kwargs", no_images),
    REFUSED("bad_words", "use logit_bias with false"),
    REFUSED("allowed_token_ids", "use guided_choice, or a grammar"),
    REFUSED("logits_processors", "use logit_bias, or a grammar"),
    REFUSED("chat_template", "the server is started with a template"),
    REFUSED("cache_salt", "use a key of the server: every key has a cache of its own"),
    REFUSED("prompt_logprobs", "use completions with echo and logprobs"),

    INERT("id_slot", "the prefix of a prompt is found whoever computed it"),
    INERT("slot_id", "the prefix of a prompt is found whoever computed it"),
    INERT("n_cache_reuse", "the prefix of a prompt is found whoever computed it"),
    INERT("keep_alive", "the model stays loaded"),
    INERT("n_batch", one_engine),
    INERT("n_ubatch", one_engine),
    INERT("n_threads", one_engine),
    INERT("n_threads_batch", one_engine),
    INERT("threads", one_engine),
    INERT("use_mmap", one_engine),
    INERT("use_mlock", one_engine),
    INERT("mmap", one_engine),
    INERT("n_gpu_layers", one_engine),
    INERT("main_gpu", one_engine),
    INERT("tensor_split", one_engine),
    INERT("speculative.n_max", one_engine),
    INERT("speculative.n_min", one_engine),
    INERT("speculative.p_min", one_engine),
    INERT("guided_decoding_backend", "there is one"),
    INERT("request_id", "the server gives requests their ids"),
};

const field_table generation_fields = {.title = "All generation",
                                       .rows = generation_rows,
                                       .n_rows = sizeof generation_rows / sizeof *generation_rows,
                                       .more = &sampling_fields,
                                       .more_offset = AT(sampling)};
