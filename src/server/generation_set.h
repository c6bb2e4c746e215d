/* generation_set.h - setters of the rows in generation_fields.c, each in the file of its subject.
 * Depends on generation.h. All targets are generation. */
#ifndef INGLE_SERVER_GENERATION_SET_H
#define INGLE_SERVER_GENERATION_SET_H

#include "generation.h"

#define GENERATION_SETTER(name)                                                                    \
    bool name(field_reader *r, void *target, const ingle_json *v, const field_place *place)

/* generation_sampling.c */
GENERATION_SETTER(generation_set_samplers);
GENERATION_SETTER(generation_set_breakers);
GENERATION_SETTER(generation_set_bias);
GENERATION_SETTER(generation_set_seed);

/* generation_form.c */
GENERATION_SETTER(generation_set_gbnf);
GENERATION_SETTER(generation_set_schema);
GENERATION_SETTER(generation_set_regex);
GENERATION_SETTER(generation_set_choice);
GENERATION_SETTER(generation_set_any_json);
extern const field_table structured_outputs_fields;

/* False: no memory, or a NUL in it; *out is a copy of a string, freed before. */
bool generation_copy_text(field_reader *r, char **out, const ingle_json *v,
                          const field_place *place);
bool generation_no_memory(field_reader *r);

#endif
