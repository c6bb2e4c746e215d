/* schema_words.h - the keywords, in the files schema_words_*.c; the table is in schema_words.c.
 * Depends on schema_run.h. */
#ifndef INGLE_GRAMMAR_SCHEMA_WORDS_H
#define INGLE_GRAMMAR_SCHEMA_WORDS_H

#include "grammar/schema_run.h"

/* NULL: not known. */
const schema_word *ingle_schema_word(const ingle_json *name);

schema_word_does ingle_schema_word_type, ingle_schema_word_enum, ingle_schema_word_minimum,
    ingle_schema_word_maximum, ingle_schema_word_multiple, ingle_schema_word_length,
    ingle_schema_word_pattern, ingle_schema_word_format;
schema_word_does ingle_schema_word_items, ingle_schema_word_contains, ingle_schema_word_n_items,
    ingle_schema_word_unique;
schema_word_does ingle_schema_word_properties, ingle_schema_word_required,
    ingle_schema_word_n_members, ingle_schema_word_names, ingle_schema_word_dependent;
schema_word_does ingle_schema_word_ref, ingle_schema_word_all, ingle_schema_word_any,
    ingle_schema_word_one, ingle_schema_word_not, ingle_schema_word_if,
    ingle_schema_word_unevaluated;

/* Equal to a value, or not: at->value. */
void ingle_schema_value(schema_at *at);

#endif
