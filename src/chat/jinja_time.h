/* jinja_time.h - a time as strftime() writes it in the C locale. Depends on jinja_value.h. */
#ifndef INGLE_CHAT_JINJA_TIME_H
#define INGLE_CHAT_JINJA_TIME_H

#include "chat/jinja_value.h"

/* What comes of a conversion has its origin. */
bool ingle_jinja_put_time(jinja_render *r, const jinja_str *format, const ingle_jinja_time *t);

#endif
