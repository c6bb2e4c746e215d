/* model_path.h - from the name a user gave to a file: the bundled model, and help after a miss. */
#ifndef INGLE_CLI_MODEL_PATH_H
#define INGLE_CLI_MODEL_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Path of the bundled model: ../models or ../share/ingle/models beside the program's folder. False
 * (and the places told on standard error) when it is not there. */
bool model_path_bundled(char *path, size_t cap);

/* Whether file is the model or, of a split one ("...-00001-of-00003.gguf"), one of its parts. */
bool model_path_has(const char *model, const char *file);

/* After a name that is no file: the path tried and the GGUF files found nearby, on standard
 * error. */
void model_path_explain(const char *path);

#endif
