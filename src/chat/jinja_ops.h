/* jinja_ops.h - operators, attributes, subscripts and slices, as Python has them.
 * Depends on jinja_value.h, jinja_program.h. */
#ifndef INGLE_CHAT_JINJA_OPS_H
#define INGLE_CHAT_JINJA_OPS_H

#include "chat/jinja_program.h"

bool ingle_jinja_math(jinja_render *r, jinja_math op, const jinja_value *a, const jinja_value *b,
                      jinja_value *out);
bool ingle_jinja_negate(jinja_render *r, const jinja_value *v, bool negative, jinja_value *out);
bool ingle_jinja_compare(jinja_render *r, jinja_comparison op, const jinja_value *a,
                         const jinja_value *b, jinja_value *out);
/* What is not there is undefined. */
bool ingle_jinja_attr(jinja_render *r, const jinja_value *v, jinja_str *name, jinja_value *out);
bool ingle_jinja_item(jinja_render *r, const jinja_value *v, const jinja_value *key,
                      jinja_value *out);
bool ingle_jinja_slice(jinja_render *r, const jinja_value *v, const jinja_value *bounds,
                       jinja_value *out);
/* "a.0.b" of filters' `attribute`. */
bool ingle_jinja_path(jinja_render *r, const jinja_value *v, const jinja_value *path,
                      jinja_value *out);
/* & < > " ' as HTML writes them. */
bool ingle_jinja_escape(jinja_render *r, const jinja_value *v, jinja_value *out);
/* "..." % args (jinja_format.c) */
bool ingle_jinja_percent(jinja_render *r, const jinja_str *format, const jinja_value *args,
                         jinja_value *out);

#endif
