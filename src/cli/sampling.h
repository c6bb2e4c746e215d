/* sampling.h - the sampling options of `ingle run` as rows over the library's own struct. */
#ifndef INGLE_CLI_SAMPLING_H
#define INGLE_CLI_SAMPLING_H

#include "args.h"

#include <ingle.h>

typedef struct sampling_options {
    ingle_sampler_options lib;
    arg_seed seed;
    int mirostat;
    arg_list dry_breakers;
    arg_list logit_bias; /* "TOKEN+BIAS" or "TOKEN-BIAS" */
    ingle_logit_bias *biases;
    uint64_t given; /* rows that were */
} sampling_options;

enum { SAMPLING_N_ROWS = 28 };
extern const arg_option sampling_rows[SAMPLING_N_ROWS];

void sampling_init(sampling_options *opt);
/* arg_group.check of these rows. */
ingle_status sampling_check(const void *options, const arg_option *row, ingle_error *err);
/* "13+1.5", "13-2", "13-inf" */
bool sampling_parse_bias(const char *text, ingle_logit_bias *bias);
/* After parsing: draws a seed if none was given, reads the biases. False: the reason is on stderr. */
bool sampling_settle(sampling_options *opt);
/* Takes what the file recommends for options that were not given. The exit code; the reason is on
 * stderr. */
int sampling_from_model(sampling_options *opt, const ingle_model *model, const char *path);
/* The same, and before it what the family's makers recommend. */
int sampling_from_chat(sampling_options *opt, const ingle_model *model, const ingle_chat *chat,
                       bool thinking, const char *path);
void sampling_free(sampling_options *opt);

#endif
