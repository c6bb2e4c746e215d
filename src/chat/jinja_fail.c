/* jinja_fail.c - how a rendering fails; see jinja_value.h. */
#include "chat/jinja_value.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

bool ingle_jinja_fail(jinja_render *r, ingle_status status, const char *format, ...)
{
    char text[sizeof r->error.text];
    va_list args;
    if (r->status) return false;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->status = ingle_fail(&r->error, status, "%s", text);
    return false;
}

bool ingle_jinja_fail_memory(jinja_render *r)
{
    if (r->heap.full || r->bytes.full)
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "more than %zu bytes of values",
                                r->heap.max + r->bytes.max);
    return ingle_jinja_fail(r, INGLE_ENOMEM, "no memory for the values of the template");
}

bool ingle_jinja_fail_fuel(jinja_render *r)
{
    r->fuel = 0;
    return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "more than %" PRIu64 " steps", r->max_steps);
}

const char *ingle_jinja_type_name(const jinja_value *v)
{
    static const char *const names[] = {
        "Undefined", "Undefined",   "NoneType", "bool",     "int",       "int",    "float",
        "str",       "list",        "tuple",    "dict",     "Namespace", "range",  "generator",
        "dict_view", "LoopContext", "Macro",    "function", "method",    "Cycler", "Joiner",
    };
    if (v->kind == JINJA_VIEW)
        return v->detail == 'k' ? "dict_keys" : v->detail == 'v' ? "dict_values" : "dict_items";
    return names[v->kind];
}

bool ingle_jinja_fail_undefined(jinja_render *r, const jinja_value *v)
{
    jinja_value owner = {.kind = (uint8_t)v->number};
    const char *type = owner.kind == JINJA_NONE ? "None" : ingle_jinja_type_name(&owner);
    const char *object = owner.kind == JINJA_NONE ? "" : " object";
    switch ((jinja_lack)v->detail) {
    case JINJA_LACK_NAME:
        return JINJA_REFUSE(r, "'%.*s' is undefined", (int)v->u.str->n, v->u.str->p);
    case JINJA_LACK_ATTR:
        return JINJA_REFUSE(r, "'%s%s' has no attribute '%.*s'", type, object, (int)v->u.str->n,
                            v->u.str->p);
    case JINJA_LACK_ITEM:
        return JINJA_REFUSE(r, "%s%s has no element %" PRId64, type, object, v->u.i);
    case JINJA_LACK_TEXT: return JINJA_REFUSE(r, "%.*s", (int)v->u.str->n, v->u.str->p);
    }
    return false;
}
