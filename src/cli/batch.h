/* batch.h - a prompt of `ingle run --parallel` as its line has it.
 * Depends on run.h, ids.h, base/json.h.
 * Invariant  what the options of a prompt point to lies in the prompt, in the command line's
 *            options or in the model: a prompt does not move. */
#ifndef INGLE_CLI_BATCH_H
#define INGLE_CLI_BATCH_H

#include "ids.h"
#include "run.h"

typedef struct batch_prompt {
    ingle_json_doc doc;
    const ingle_json *id; /* NULL: it has none */
    ids_list tokens;
    ingle_sampler_options sampling;
    ingle_generate_options gen;
    ingle_stop stops[RUN_MOST_STOPS];
} batch_prompt;

/* Reads a line: a text, or an object whose members replace the options of the command line. index
 * is that of the prompt, from 0; it is added to the seed. On failure the error names the member, or
 * the byte of what is no JSON, and the prompt keeps its id where that could be read. Freed by
 * batch_prompt_free() in any case. */
ingle_status batch_prompt_read(batch_prompt *p, const char *line, size_t len, size_t index,
                               const run_options *opt, const ingle_model *model, ingle_error *err);
void batch_prompt_free(batch_prompt *p);

#endif
