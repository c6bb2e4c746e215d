/* run_parts.c - what `ingle run` does alike for one prompt and for many.
 * Depends on run.h. */
#include "run.h"

#include <string.h>

void run_generate_options(const run_options *opt, ingle_generate_options *gen, ingle_stop *stops)
{
    ingle_generate_options_init(gen);
    if (opt->n_predict != INT32_MIN) gen->max_tokens = opt->n_predict;
    gen->logprobs = opt->logprobs;
    gen->ignore_eog = opt->ignore_eos;
    gen->n_stops = opt->stops.n < RUN_MOST_STOPS ? opt->stops.n : RUN_MOST_STOPS;
    gen->stops = stops;
    for (size_t i = 0; i < gen->n_stops; i++)
        stops[i] = (ingle_stop){opt->stops.items[i], strlen(opt->stops.items[i])};
    gen->grammar = opt->constraint;
}

const char *run_finish_name(ingle_finish finish)
{
    switch (finish) {
    case INGLE_FINISH_STOP: return "stop";
    case INGLE_FINISH_LENGTH: return "length";
    case INGLE_FINISH_CANCELLED: return "cancelled";
    case INGLE_FINISH_TIMEOUT: return "timeout";
    case INGLE_FINISH_NONE: break;
    }
    return "none";
}

static void put_candidate(ingle_json_writer *w, const ingle_model *model, const ingle_top *c)
{
    char text[256];
    size_t len = 0;
    if (ingle_detokenize(model, &c->token, 1, INGLE_UNPARSE_SPECIAL, text, sizeof text, &len,
                         NULL) != INGLE_OK) {
        len = 0; /* a piece longer than any word: the id says it */
    }
    ingle_json_begin_object(w);
    ingle_json_put_i64(ingle_json_name(w, "id"), c->token);
    out_json_text(w, "text", text, len);
    out_json_number(ingle_json_name(w, "logprob"), (double)c->logprob);
    ingle_json_end_object(w);
}

void run_put_token(ingle_json_writer *w, const ingle_model *model, const ingle_event *e,
                   bool with_logprob)
{
    ingle_json_put_i64(ingle_json_name(w, "id"), e->token);
    out_json_text(w, "text", e->text, e->text_len);
    if (!with_logprob) return;
    out_json_number(ingle_json_name(w, "logprob"), (double)e->logprob);
    out_json_number(ingle_json_name(w, "logit"), (double)e->logit);
    ingle_json_begin_array(ingle_json_name(w, "top"));
    for (size_t i = 0; i < e->n_top; i++) put_candidate(w, model, &e->top[i]);
    ingle_json_end_array(w);
}

void run_put_complete(ingle_json_writer *w, ingle_grammar_state *watch)
{
    if (watch) ingle_json_put_bool(ingle_json_name(w, "complete"), !grammar_unfinished(watch));
}

void run_put_seed(ingle_json_writer *w, uint64_t seed)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    if (seed < (uint64_t)1 << 53) ingle_json_put_u64(w, seed);
    else ingle_json_put_text(w, text);
}
