/* jinja_show.h - values as text: str(), repr(), JSON.
 * Depends on jinja_value.h.
 * Invariant  text made of a list or dict is trusted only if all that is in it is. */
#ifndef INGLE_CHAT_JINJA_SHOW_H
#define INGLE_CHAT_JINJA_SHOW_H

#include "chat/jinja_value.h"

/* str() onto the text under construction; as a string. */
bool ingle_jinja_put_value(jinja_render *r, const jinja_value *v);
bool ingle_jinja_to_str(jinja_render *r, const jinja_value *v, jinja_value *out);
bool ingle_jinja_repr(jinja_render *r, const jinja_value *v, jinja_value *out);

/* As Python's json.dumps(). */
typedef struct jinja_json_style {
    bool ascii, sorted, pretty;
    const jinja_str *indent; /* of one level, if pretty */
    const jinja_str *comma, *colon;
} jinja_json_style;
bool ingle_jinja_to_json(jinja_render *r, const jinja_value *v, const jinja_json_style *style,
                         jinja_value *out);

/* Sorted by order, ties as they were; by[i] decides instead of the element if by is given. */
bool ingle_jinja_sort(jinja_render *r, jinja_value *item, jinja_value *by, size_t n, bool reverse);

#endif
