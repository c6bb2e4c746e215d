/* jinja_builtin.h - what a template finds without making it: filters, tests, functions, methods.
 * Owns       tables of constants. Depends on jinja_value.h.
 * Invariant  nothing built in calls back into the template, so calls never nest in C. */
#ifndef INGLE_CHAT_JINJA_BUILTIN_H
#define INGLE_CHAT_JINJA_BUILTIN_H

#include "chat/jinja_value.h"

/* NULL: there is none. */
const jinja_builtin *ingle_jinja_filter(const char *name, size_t n);
const jinja_builtin *ingle_jinja_test(const char *name, size_t n);
const jinja_builtin *ingle_jinja_method(const jinja_value *self, const char *name, size_t n);
extern const jinja_registry ingle_jinja_registry; /* these three */
/* UINT32_MAX: there is none. */
uint32_t ingle_jinja_function(const char *name, size_t n);
const jinja_builtin *ingle_jinja_function_at(uint32_t i);

/* Finds the argument for each parameter and calls: c->arg[0 .. n_self) are no parameters. */
bool ingle_jinja_call_builtin(jinja_render *r, const jinja_builtin *f, const jinja_call *c,
                              uint32_t n_self, jinja_value *out);

/* Tables, each ended by a row without a name. */
extern const jinja_builtin ingle_jinja_text_filters[], ingle_jinja_list_filters[],
    ingle_jinja_value_filters[], ingle_jinja_tests[], ingle_jinja_functions[],
    ingle_jinja_str_methods[], ingle_jinja_list_methods[], ingle_jinja_dict_methods[],
    ingle_jinja_tuple_methods[], ingle_jinja_int_methods[], ingle_jinja_loop_methods[],
    ingle_jinja_cycler_methods[];

/* "...".format() (jinja_format.c) */
bool ingle_jinja_format_method(jinja_render *r, const jinja_call *c, jinja_value *out);

const jinja_builtin *ingle_jinja_find_builtin(const jinja_builtin *table, const char *name,
                                              size_t n);

#endif
