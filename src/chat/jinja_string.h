/* jinja_string.h - what filters and methods of strings share; all keep the origin of bytes.
 * Depends on jinja_value.h. */
#ifndef INGLE_CHAT_JINJA_STRING_H
#define INGLE_CHAT_JINJA_STRING_H

#include "chat/jinja_value.h"

typedef enum jinja_case {
    JINJA_UPPER,
    JINJA_LOWER,
    JINJA_CAPITALIZE,
    JINJA_TITLE,
    JINJA_SWAP
} jinja_case;
bool ingle_jinja_change_case(jinja_render *r, const jinja_str *s, jinja_case what,
                             jinja_value *out);

/* All letters are of this case, and there is one. */
bool ingle_jinja_has_case(const jinja_str *s, bool upper);

/* Sides of strip: 1 the left one, 2 the right one. chars NULL: white space. */
bool ingle_jinja_strip(jinja_render *r, const jinja_str *s, const jinja_str *chars, unsigned sides,
                       jinja_value *out);
/* n < 0: all of them. */
bool ingle_jinja_replace(jinja_render *r, const jinja_str *s, const jinja_str *old,
                         const jinja_str *with, int64_t n, jinja_value *out);
/* With n blanks or `with` before every line but the first, and that too; empty lines not. */
bool ingle_jinja_indent(jinja_render *r, const jinja_str *s, const jinja_str *with, bool first,
                        bool blank, jinja_value *out);
/* Elements are strings as str() has them. */
bool ingle_jinja_join(jinja_render *r, const jinja_list *l, const jinja_str *with, bool strict,
                      jinja_value *out);

#endif
