/* override.h - the syntax of "key=type:value"; ingle_gguf_override() in gguf.h applies it. */
#ifndef INGLE_GGUF_OVERRIDE_H
#define INGLE_GGUF_OVERRIDE_H

#include "base/status.h"

/* EINVAL names an override that is wrong, or whose key cannot be overridden. */
ingle_status ingle_gguf_override_check(const char *given, ingle_error *err);

#endif
