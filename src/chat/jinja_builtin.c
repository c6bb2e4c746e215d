/* jinja_builtin.c - see jinja_builtin.h: finding what is built in. */
#include "chat/jinja_builtin.h"

const jinja_builtin *ingle_jinja_filter(const char *name, size_t n)
{
    const jinja_builtin *f = ingle_jinja_find_builtin(ingle_jinja_text_filters, name, n);
    if (!f) f = ingle_jinja_find_builtin(ingle_jinja_list_filters, name, n);
    return f ? f : ingle_jinja_find_builtin(ingle_jinja_value_filters, name, n);
}

const jinja_builtin *ingle_jinja_test(const char *name, size_t n)
{
    return ingle_jinja_find_builtin(ingle_jinja_tests, name, n);
}

const jinja_builtin *ingle_jinja_method(const jinja_value *self, const char *name, size_t n)
{
    switch (self->kind) {
    case JINJA_STR: return ingle_jinja_find_builtin(ingle_jinja_str_methods, name, n);
    case JINJA_LIST: return ingle_jinja_find_builtin(ingle_jinja_list_methods, name, n);
    case JINJA_TUPLE: return ingle_jinja_find_builtin(ingle_jinja_tuple_methods, name, n);
    case JINJA_INT: return ingle_jinja_find_builtin(ingle_jinja_int_methods, name, n);
    case JINJA_LOOP: return ingle_jinja_find_builtin(ingle_jinja_loop_methods, name, n);
    case JINJA_CYCLER: return ingle_jinja_find_builtin(ingle_jinja_cycler_methods, name, n);
    case JINJA_DICT: return ingle_jinja_find_builtin(ingle_jinja_dict_methods, name, n);
    default: return NULL;
    }
}

uint32_t ingle_jinja_function(const char *name, size_t n)
{
    const jinja_builtin *f = ingle_jinja_find_builtin(ingle_jinja_functions, name, n);
    return f ? (uint32_t)(f - ingle_jinja_functions) : UINT32_MAX;
}

const jinja_builtin *ingle_jinja_function_at(uint32_t i)
{
    return &ingle_jinja_functions[i];
}

const jinja_registry ingle_jinja_registry = {ingle_jinja_filter, ingle_jinja_test,
                                             ingle_jinja_method};
