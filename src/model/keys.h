/* keys.h - the list of GGUF keys of a family ("llama." + name) that are known to change results,
 * and what happens to one that a file has and its family does not read: refused, noted, or
 * nothing.
 * Depends on gguf/gguf.h. */
#ifndef INGLE_MODEL_KEYS_H
#define INGLE_MODEL_KEYS_H

#include "gguf/gguf.h"

/* asked[i] says whether key i of the file was read. EUNSUPPORTED names a key that changes the
 * arithmetic of a family that does not read it. *unread is a list of names, "llama.a, llama.b",
 * of keys that were passed over and may matter; NULL if there is none; the caller's to free. */
ingle_status ingle_keys_check(const ingle_gguf *g, const char *prefix, const uint8_t *asked,
                              char **unread, ingle_error *err);

#endif
