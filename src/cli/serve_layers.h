/* serve_layers.h - options of `ingle serve` from the environment and from a file, below those of the
 * command line: INGLE_* over names of other servers over [model] over [*].
 * Owns       the text of the file, and the names of places (serve_layers_free()).
 * Depends on serve_settings.h, serve_config.h. */
#ifndef INGLE_CLI_SERVE_LAYERS_H
#define INGLE_CLI_SERVE_LAYERS_H

#include "serve_settings.h"

typedef struct serve_layers {
    char *file;    /* text; values point into it */
    char **places; /* [n_places] */
    size_t n_places;
} serve_layers;

/* Fills what the command line left open. The exit code; failures were reported, also of values that
 * a higher place hides. */
int serve_layers_apply(serve_layers *l, const cli_verb *verb, serve_settings *s,
                       char *const *environment);
/* Variable i of other servers and the options it sets; false past the end. */
bool serve_variable_at(size_t i, const char **variable, const char **options);
void serve_layers_free(serve_layers *l);

#endif
