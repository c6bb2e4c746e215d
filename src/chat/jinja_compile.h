/* jinja_compile.h - from text to a program. Depends on jinja_program.h. */
#ifndef INGLE_CHAT_JINJA_COMPILE_H
#define INGLE_CHAT_JINJA_COMPILE_H

#include "chat/jinja_program.h"

/* Fills *j, which the caller frees in any case. */
ingle_status ingle_jinja_compile(ingle_jinja *j, const char *text, size_t n, size_t max_depth,
                                 ingle_error *err);

#endif
