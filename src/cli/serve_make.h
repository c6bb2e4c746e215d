/* serve_make.h - from the options of `ingle serve` to those of the server.
 * Owns       the memory that these need (serve_made_free()).
 * Depends on serve_defaults.h, serve_settings.h. */
#ifndef INGLE_CLI_SERVE_MAKE_H
#define INGLE_CLI_SERVE_MAKE_H

#include "serve_defaults.h"

/* The server's options, with the memory that they need; they also point into the settings. */
typedef struct serve_made {
    serve_options opt;
    serve_defaults defaults;
    char *texts[5], *template, *listen;
    const char **items[5];
} serve_made;
/* The exit code; failures were reported. path is the model's file. Freed by serve_made_free(), also
 * after a failure. */
int serve_make(serve_made *m, const cli_verb *verb, const serve_settings *s, const char *path);
void serve_made_free(serve_made *m);

#endif
