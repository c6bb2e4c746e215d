/* serve_defaults.h - options of `ingle serve` that say what requests mean which do not say it: those of
 * other servers by their names, and --default for all members of bodies.
 * Owns       the texts that it makes, until serve_defaults_free().
 * Depends on serve_settings.h. */
#ifndef INGLE_CLI_SERVE_DEFAULTS_H
#define INGLE_CLI_SERVE_DEFAULTS_H

#include "serve_settings.h"

enum { SERVE_N_DEFAULTS = 13 };
extern const arg_option serve_default_rows[SERVE_N_DEFAULTS];

typedef struct serve_defaults {
    char *json; /* for serve_options.defaults; NULL: none */
    char **files;
    ingle_string *grammars; /* [n_grammars] for serve_options.answer_grammars */
    size_t n_grammars;
} serve_defaults;

/* The exit code; failures were reported, by the option that is wrong. */
int serve_defaults_make(serve_defaults *d, const cli_verb *verb, const serve_settings *s);
void serve_defaults_free(serve_defaults *d);

#endif
