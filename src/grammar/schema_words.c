/* schema_words.c - the table of keywords (schema_words.h), sorted by name. */
#include "grammar/schema_words.h"

static const schema_word words[] = {
    {"$anchor", WORD_NOTE, NULL, NULL},
    {"$comment", WORD_NOTE, NULL, NULL},
    {"$defs", WORD_NOTE, NULL, NULL},
    {"$dynamicAnchor", WORD_NOTE, NULL, NULL},
    {"$dynamicRef", WORD_LATER, ingle_schema_word_ref, NULL},
    {"$id", WORD_NOTE, NULL, NULL},
    {"$ref", WORD_LATER, ingle_schema_word_ref, NULL},
    {"$schema", WORD_NOTE, NULL, NULL},
    {"$vocabulary", WORD_NOTE, NULL, NULL},
    {"additionalItems", WORD_LOCAL, ingle_schema_word_items, "items"},
    {"additionalProperties", WORD_LOCAL, ingle_schema_word_properties, "properties"},
    {"allOf", WORD_LATER, ingle_schema_word_all, NULL},
    {"anyOf", WORD_LATER, ingle_schema_word_any, NULL},
    {"const", WORD_LATER, ingle_schema_word_enum, NULL},
    {"contains", WORD_LOCAL, ingle_schema_word_contains, "contains"},
    {"contentEncoding", WORD_NOTE, NULL, NULL},
    {"contentMediaType", WORD_NOTE, NULL, NULL},
    {"contentSchema", WORD_NOTE, NULL, NULL},
    {"default", WORD_NOTE, NULL, NULL},
    {"definitions", WORD_NOTE, NULL, NULL},
    {"dependencies", WORD_LATER, ingle_schema_word_dependent, NULL},
    {"dependentRequired", WORD_LATER, ingle_schema_word_dependent, NULL},
    {"dependentSchemas", WORD_LATER, ingle_schema_word_dependent, NULL},
    {"deprecated", WORD_NOTE, NULL, NULL},
    {"description", WORD_NOTE, NULL, NULL},
    {"discriminator", WORD_NOTE, NULL, NULL},
    {"else", WORD_LATER, ingle_schema_word_if, "if"},
    {"enum", WORD_LATER, ingle_schema_word_enum, NULL},
    {"example", WORD_NOTE, NULL, NULL},
    {"examples", WORD_NOTE, NULL, NULL},
    {"exclusiveMaximum", WORD_LOCAL, ingle_schema_word_maximum, NULL},
    {"exclusiveMinimum", WORD_LOCAL, ingle_schema_word_minimum, NULL},
    {"externalDocs", WORD_NOTE, NULL, NULL},
    {"format", WORD_LOCAL, ingle_schema_word_format, NULL},
    {"id", WORD_NOTE, NULL, NULL},
    {"if", WORD_LATER, ingle_schema_word_if, "if"},
    {"items", WORD_LOCAL, ingle_schema_word_items, "items"},
    {"maxContains", WORD_LOCAL, ingle_schema_word_contains, "contains"},
    {"maxItems", WORD_LOCAL, ingle_schema_word_n_items, NULL},
    {"maxLength", WORD_LOCAL, ingle_schema_word_length, NULL},
    {"maxProperties", WORD_LOCAL, ingle_schema_word_n_members, NULL},
    {"maximum", WORD_LOCAL, ingle_schema_word_maximum, NULL},
    {"minContains", WORD_LOCAL, ingle_schema_word_contains, "contains"},
    {"minItems", WORD_LOCAL, ingle_schema_word_n_items, NULL},
    {"minLength", WORD_LOCAL, ingle_schema_word_length, NULL},
    {"minProperties", WORD_LOCAL, ingle_schema_word_n_members, NULL},
    {"minimum", WORD_LOCAL, ingle_schema_word_minimum, NULL},
    {"multipleOf", WORD_LOCAL, ingle_schema_word_multiple, NULL},
    {"not", WORD_LATER, ingle_schema_word_not, NULL},
    {"nullable", WORD_NOTE, NULL, NULL},
    {"oneOf", WORD_LATER, ingle_schema_word_one, NULL},
    {"pattern", WORD_LOCAL, ingle_schema_word_pattern, NULL},
    {"patternProperties", WORD_LOCAL, ingle_schema_word_properties, "properties"},
    {"prefixItems", WORD_LOCAL, ingle_schema_word_items, "items"},
    {"properties", WORD_LOCAL, ingle_schema_word_properties, "properties"},
    {"propertyNames", WORD_LOCAL, ingle_schema_word_names, NULL},
    {"readOnly", WORD_NOTE, NULL, NULL},
    {"required", WORD_LOCAL, ingle_schema_word_required, NULL},
    {"then", WORD_LATER, ingle_schema_word_if, "if"},
    {"title", WORD_NOTE, NULL, NULL},
    {"type", WORD_LOCAL, ingle_schema_word_type, NULL},
    {"unevaluatedItems", WORD_LOCAL, ingle_schema_word_unevaluated, NULL},
    {"unevaluatedProperties", WORD_LOCAL, ingle_schema_word_unevaluated, NULL},
    {"uniqueItems", WORD_LOCAL, ingle_schema_word_unique, NULL},
    {"writeOnly", WORD_NOTE, NULL, NULL},
    {"xml", WORD_NOTE, NULL, NULL},
};

const schema_word *ingle_schema_word(const ingle_json *name)
{
    size_t low = 0, high = sizeof words / sizeof *words;
    if (strlen(name->text) != name->len) return NULL;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(name->text, words[mid].name);
        if (!order) return &words[mid];
        if (order < 0) high = mid;
        else low = mid + 1;
    }
    return NULL;
}
