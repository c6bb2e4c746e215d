/* jinja_data.h - lists, dicts and the caller's context as values; equality, order, truth.
 * Depends on jinja_value.h.
 * Invariant  what the caller gave is read as it is asked for, one level at a time. */
#ifndef INGLE_CHAT_JINJA_DATA_H
#define INGLE_CHAT_JINJA_DATA_H

#include "chat/jinja_value.h"

/* A value of the caller's. */
bool ingle_jinja_from_json(jinja_render *r, const ingle_json *json, bool messages,
                           jinja_value *out);

/* Made by the template, with room for n; NULL: failed. */
jinja_list *ingle_jinja_list_new(jinja_render *r, size_t n);
bool ingle_jinja_list_add(jinja_render *r, jinja_list *l, jinja_value v);
bool ingle_jinja_read_list(jinja_render *r, jinja_list *l); /* the elements are there */
jinja_dict *ingle_jinja_dict_new(jinja_render *r, size_t n);
/* Sets or adds. */
bool ingle_jinja_dict_set(jinja_render *r, jinja_dict *d, const jinja_value *key,
                          const jinja_value *value);
bool ingle_jinja_read_dict(jinja_render *r, jinja_dict *d); /* the pairs are there */
/* *out is NULL if it is not there. */
bool ingle_jinja_dict_get(jinja_render *r, jinja_dict *d, const jinja_value *key,
                          jinja_value **out);
bool ingle_jinja_dict_find(jinja_render *r, jinja_dict *d, const char *p, size_t n,
                           jinja_value **out);

/* The elements of anything that can be gone through; a generator is used up. *l may be the list
 * itself: it is not to be changed. */
bool ingle_jinja_elements(jinja_render *r, const jinja_value *v, jinja_list **l);
bool ingle_jinja_can_iterate(const jinja_value *v);

/* Whether anything of the value's parts came from the caller is not looked at by these. */
bool ingle_jinja_truth(jinja_render *r, const jinja_value *v, bool *out);
bool ingle_jinja_equal(jinja_render *r, const jinja_value *a, const jinja_value *b, bool *out);
/* Of what has no parts: numbers, strings, none; else whether it is the same object. */
bool ingle_jinja_same_scalars(const jinja_value *a, const jinja_value *b);
/* -1, 0, 1; with a NaN 2. */
int ingle_jinja_order_numbers(const jinja_value *a, const jinja_value *b);
/* The same of any two values. Refused if they have no order. sign: of the comparison, for
 * messages. */
bool ingle_jinja_order(jinja_render *r, const jinja_value *a, const jinja_value *b,
                       const char *sign, int *out);
bool ingle_jinja_length(jinja_render *r, const jinja_value *v, size_t *out);
bool ingle_jinja_contains(jinja_render *r, const jinja_value *v, const jinja_value *item,
                          bool *out);

/* All of it the template's? Of a list or dict, the container itself. */
bool ingle_jinja_is_trusted(const jinja_value *v);

#endif
