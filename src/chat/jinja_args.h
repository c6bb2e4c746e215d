/* jinja_args.h - arguments of what is built in. Depends on jinja_value.h, jinja_data.h. */
#ifndef INGLE_CHAT_JINJA_ARGS_H
#define INGLE_CHAT_JINJA_ARGS_H

#include "chat/jinja_data.h"
#include "chat/jinja_number.h"
#include "chat/jinja_show.h"
#include "chat/jinja_text.h"

static inline bool ingle_jinja_given(const jinja_value *v)
{
    return v->kind != JINJA_MISSING;
}

/* A whole number, or `usual` if it was not given. */
static inline bool ingle_jinja_arg_int(jinja_render *r, const jinja_value *v, int64_t usual,
                                       int64_t *out)
{
    *out = usual;
    if (!ingle_jinja_given(v) || ingle_jinja_clamped(v, out)) return true;
    if (v->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, v);
    return JINJA_REFUSE(r, "'%s' object cannot be interpreted as an integer",
                        ingle_jinja_type_name(v));
}

static inline bool ingle_jinja_arg_str(jinja_render *r, const jinja_value *v, jinja_str **out)
{
    *out = NULL;
    if (v->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(r, v);
    if (v->kind != JINJA_STR)
        return JINJA_REFUSE(r, "a str should be here, not %s", ingle_jinja_type_name(v));
    *out = v->u.str;
    return true;
}

/* False of what was not given. */
static inline bool ingle_jinja_arg_bool(jinja_render *r, const jinja_value *v, bool *out)
{
    return ingle_jinja_truth(r, v, out);
}

#endif
