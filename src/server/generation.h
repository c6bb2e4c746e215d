/* generation.h - what a client asks to be generated, whatever the dialect: filled from the fields of a
 * body, and turned into the library's options, prompt and grammar.
 * Owns       copies of all that outlives the body; generation_free().
 * Depends on fields.h, <ingle.h>. */
#ifndef INGLE_SERVER_GENERATION_H
#define INGLE_SERVER_GENERATION_H

#include "fields.h"

#include <ingle.h>

typedef enum tool_choice {
    TOOLS_AUTO,
    TOOLS_NONE,     /* the prompt shows them, but none may be called */
    TOOLS_REQUIRED, /* at least one call */
    TOOLS_NAMED     /* a call of `tool_name` */
} tool_choice;

typedef enum reasoning_format {
    REASONING_APART, /* in a member of its own */
    REASONING_NONE   /* as text, with its marks */
} reasoning_format;

/* What body fields of all dialects set. Values of type const ingle_json * point into the body. */
typedef struct generation {
    /* Sampling: the rows that were given lie over preset and file's settings, see
     * generation_sampling(). */
    ingle_sampler_options sampling;
    bool has_seed;
    char *sampler_order;   /* stages joined by ';'; NULL: not given */
    const char **breakers; /* [n_breakers] of DRY, one block for free(); NULL: not given */
    size_t n_breakers;
    const ingle_json *logit_bias; /* as it was given; generation_sampling() makes `biases` of it */
    const ingle_json *defaults;   /* the server's, an object; NULL: none. See defaults.h */

    int32_t max_tokens; /* -1: as many as fit */
    bool has_max_tokens;
    int32_t min_tokens;
    int32_t n;
    int32_t best_of; /* 0: not given */
    bool stream, include_usage, ignore_eos;
    bool logprobs;
    int32_t top_logprobs;
    ingle_stop *stops; /* [n_stops], and the bytes they point to */
    size_t n_stops;
    char *stop_text;
    int32_t *stop_tokens;
    size_t n_stop_tokens;
    ingle_logit_bias *biases; /* [n_biases] */
    size_t n_biases;

    /* The conversation, as JSON for ingle_chat_input. */
    bytes messages, tools, kwargs; /* n 0: none */
    size_t n_messages;
    bool continues;   /* the last message is an assistant's, and goes on */
    bool no_continue; /* continue_final_message false: it does not */
    tool_choice choice;
    char tool_name[128]; /* of TOOLS_NAMED */
    bytes allowed;       /* the tools that may be called, if not all: JSON as `tools`; n 0: all */
    bool one_call;       /* at most one */
    bool strict_tools;   /* a tool has strict: true; arguments are enforced in full */
    bool *strict_tool;   /* [n_tools] which ones have; NULL: all, if strict_tools */
    const char *schema_member; /* of a tool in the body: its schema's; NULL: function.parameters */
    bool *custom_tool; /* [n_tools] a tool of type custom: its one argument `input` is raw text */
    char **tool_names; /* [n_tools] */
    size_t n_tools;
    bool no_tool_parsing; /* parse_tool_calls false: calls are text */

    ingle_answer_form form;
    char *form_text; /* [n_form_text] of a schema, pattern, grammar */
    size_t n_form_text;
    ingle_string *choices; /* of INGLE_ANSWER_CHOICE; one block for free() */
    size_t n_choices;
    char form_param[96]; /* the field that asked for it */
    bool compact_json;   /* without white space */
    bool lenient_schema; /* strict false: what cannot be enforced is dropped, and named */

    ingle_thinking_mode thinking;
    bool wants_effort; /* an effort was asked for: inert, and named, where the model has none */
    char effort[24];   /* "" */
    int32_t thinking_tokens; /* -1: no limit */
    reasoning_format reasoning;
    bool keep_thinking; /* of earlier turns */

    bool no_cache;    /* cache_prompt false */
    int priority;     /* ingle_class */
    double timeout_s; /* 0: none */
    ingle_overflow overflow;
    int32_t n_keep;
    bool timings, progress, return_tokens;
    char *metadata;           /* JSON that is echoed; NULL */
    char model[256];          /* as asked for; "" */
    char *anthropic_previous; /* diagnostics.previous_message_id; NULL */
    bool asks_diagnostics;
} generation;

enum { GENERATION_MAX_N = 16, GENERATION_MAX_STOPS = 20, GENERATION_MAX_STOP = 500 };

void generation_init(generation *g);
void generation_free(generation *g);

/* The rows that every dialect takes beside its own: sampling, stops, structure, cache. Target:
 * generation. */
extern const field_table generation_fields;
/* Those of sampling alone; target: ingle_sampler_options. */
extern const field_table sampling_fields;

/* For rows of other dialects' tables: `stop` by another name, the value of `model`, a limit of tokens
 * that two fields may give (different ones are refused). Targets: generation. */
bool generation_set_stop(field_reader *r, void *target, const ingle_json *v,
                         const field_place *place);
bool generation_set_model(field_reader *r, void *target, const ingle_json *v,
                          const field_place *place);
bool generation_set_max_tokens(field_reader *r, void *target, const ingle_json *v,
                               const field_place *place);
/* A JSON object as the variables of the template, over those that are there. */
bool generation_set_kwargs(field_reader *r, void *target, const ingle_json *v,
                           const field_place *place);
/* The answer has that form. text: a schema as a value or as JSON text; a pattern, a grammar; an array
 * of choices; NULL of INGLE_ANSWER_JSON. Refused if it has a form already. */
bool generation_set_form(field_reader *r, generation *g, ingle_answer_form form,
                         const ingle_json *text, const field_place *place);
/* A JSON value as text at the end of out. */
bool generation_put_json(field_reader *r, bytes *out, const ingle_json *v);

/* What was asked of thinking becomes what the model can do: g->thinking and g->effort for
 * ingle_chat_input, g->thinking_tokens. param: the field to blame. False: it always thinks, and was
 * forbidden to. What has no effect is named. */
/* The effort that was asked for, else the next one below that the template knows, else the next one
 * above; NULL: it knows none. */
const char *generation_nearest_effort(const ingle_chat_info *info, const char *effort);
bool generation_thinking(generation *g, const ingle_chat_info *info, const char *param,
                         field_reader *r);

/* Settings of the profile, then of the file, then of g->defaults, then of the body (NULL: none), which
 * is read for it again. A seed that was not given is drawn. thinks: as the answer will. Also checks what no field
 * can alone: tokens against the vocabulary, min_tokens against max_tokens, best_of against n. */
bool generation_sampling(generation *g, const ingle_json *body, const ingle_chat *chat,
                         const ingle_model *model, bool thinks, api_error *e);

/* The grammar that the answer has to follow; NULL and true if there is none. thinks: the prompt ends
 * in the middle of thinking. What a lenient one dropped is added to r->ignored. */
bool generation_grammar(const generation *g, ingle_grammar **out, ingle_chat *chat,
                        ingle_model *model, const ingle_chat_info *info, bool thinks,
                        field_reader *r);

/* The library's options, but for callbacks, the prompt's marks, and chat with n_thinking. They point
 * into g. */
void generation_options(const generation *g, ingle_generate_options *out);

#endif
