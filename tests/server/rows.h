/* rows.h - for tests: every row of a table, given values of wrong types, out of range, and what its
 * class has to do. Include after body.h. */
#ifndef INGLE_TESTS_ROWS_H
#define INGLE_TESTS_ROWS_H

#include "server/generation.h"

static inline body body_read(const field_table *table, const char *text, generation *g)
{
    body b;
    generation_init(g);
    body_open(&b, text);
    b.read = fields_read(&b.r, table, b.doc.root, g, NULL);
    return b;
}

static inline void rows_refuse(const field_table *table, const char *name, const char *value,
                               const char *part)
{
    char text[400];
    generation g;
    snprintf(text, sizeof text, "{\"%s\":%s}", name, value);
    body b = body_read(table, text, &g);
    if (b.read) fail_msg("%s is not refused", text);
    assert_refused(&b, name, part);
    body_close(&b);
    generation_free(&g);
}

static inline void rows_check_types(const field_table *table, const field_row *row)
{
    static const struct {
        unsigned type;
        const char *value;
    } samples[] = {{FIELD_BOOL, "true"},
                   {FIELD_NUMBER, "0.5"},
                   {FIELD_STRING, "\"text\""},
                   {FIELD_ARRAY, "[\"x\"]"},
                   {FIELD_OBJECT, "{\"x\":1}"}};
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        if (!(row->types & samples[i].type))
            rows_refuse(table, row->name, samples[i].value, "should be");
}

static inline void rows_check_range(const field_table *table, const field_row *row)
{
    char value[40];
    bool counts = row->types & (FIELD_INT | FIELD_NUMBER);
    if (!counts || (row->min == 0 && row->max == 0)) return;
    snprintf(value, sizeof value, "%.12g", row->min - 1);
    rows_refuse(table, row->name, value, "should be");
    snprintf(value, sizeof value, "%.12g", row->max + 1);
    rows_refuse(table, row->name, value, "should be");
}

static inline void rows_check_class(const field_table *table, const field_row *row)
{
    char text[300];
    generation g;
    if (row->class == FIELD_REFUSED) rows_refuse(table, row->name, "0", row->help);
    if (row->class == FIELD_ONLY) rows_refuse(table, row->name, "\"other\"", row->help);
    if (row->class != FIELD_ONLY && row->class != FIELD_INERT) return;
    snprintf(text, sizeof text, "{\"%s\":%s}", row->name, row->only ? row->only : "[7]");
    body b = body_read(table, text, &g);
    assert_read(&b);
    assert_string_equal(body_ignored(&b), row->only ? "" : row->name);
    body_close(&b);
    generation_free(&g);
}

/* Names are written once, in words that people can read. */
static inline void rows_check(const field_table *table)
{
    size_t offset;
    for (const field_table *t = table; t; t = t->more)
        for (size_t i = 0; i < t->n_rows; i++) {
            const field_row *row = &t->rows[i];
            assert_non_null(row->help);
            if (row->class == FIELD_HONOURED) assert_int_not_equal(row->types, 0);
            /* one that an earlier row of the same name hides is never read */
            if (field_find(table, row->name, strlen(row->name), &offset) != row) continue;
            rows_check_class(table, row);
            if (row->class != FIELD_HONOURED) continue;
            rows_check_types(table, row);
            rows_check_range(table, row);
        }
}

#endif
