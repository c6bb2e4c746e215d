/* fuzz_ini.c - any bytes as a file of options of `ingle serve`.
 * What is read lies within the text, and read again from a file that quotes every value it is the
 * same. Options that were taken lie within their rows' ranges, and their places are known. */
#define _GNU_SOURCE
#include "fuzz.h"
#include "cli/serve_config.h"
#include "cli/serve_layers.h"
#include "cli/serve_make.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST_ITEMS = 4096 };

typedef struct items {
    serve_config_item item[MOST_ITEMS];
    size_t n;
    const char *text, *end;
} items;

static void check_text(const items *all, const char *text)
{
    if (text < all->text || text > all->end) abort();
    if (!memchr(text, 0, (size_t)(all->end - text) + 1)) abort();
}

static bool keep(void *user, const serve_config_item *item)
{
    items *all = user;
    if (all->n == MOST_ITEMS) return false;
    if (all->n && item->line <= all->item[all->n - 1].line) abort();
    if (item->section[0]) check_text(all, item->section);
    if (!item->key != !item->value || (!item->key && !item->section[0])) abort();
    if (item->key) {
        check_text(all, item->key);
        check_text(all, item->value);
        if (!item->key[0]) abort();
    }
    all->item[all->n++] = *item;
    return true;
}

/* Reads a copy of the text, which the items then point into. */
static char *read_items(items *all, const char *text, size_t n, ingle_status *status)
{
    ingle_error err = {{0}};
    size_t line = 0;
    char *copy = malloc(n + 1);
    if (!copy) abort();
    memcpy(copy, text, n);
    copy[n] = 0;
    *all = (items){.text = copy, .end = copy + n};
    *status = serve_config_read(copy, n, keep, all, &line, &err);
    if (*status == INGLE_EFORMAT && (!err.text[0] || !line)) abort(); /* refused without a word */
    return copy;
}

static void put_quoted(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') fputc('\\', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_again(const items *all)
{
    char *text = NULL;
    size_t n = 0;
    static items again;
    ingle_status status;
    FILE *f = open_memstream(&text, &n);
    if (!f) abort();
    fputs("# a mark of byte order counts at the beginning alone\n", f);
    for (size_t i = 0; i < all->n; i++) {
        const serve_config_item *item = &all->item[i];
        if (!item->key) fprintf(f, "[%s]", item->section);
        else {
            fprintf(f, "%s=", item->key);
            put_quoted(f, item->value);
        }
        fputs("  # comment\n", f);
    }
    if (fclose(f)) abort();
    char *copy = read_items(&again, text, n, &status);
    if (status != INGLE_OK || again.n != all->n) abort();
    for (size_t i = 0; i < all->n; i++)
        if (!same(again.item[i].section, all->item[i].section) ||
            !same(again.item[i].key, all->item[i].key) ||
            !same(again.item[i].value, all->item[i].value))
            abort();
    free(copy);
    free(text);
}

static void check_settings(const serve_settings *s)
{
    for (size_t g = 0; g < SERVE_N_GROUPS; g++)
        for (size_t r = 0; r < serve_groups[g].n_rows; r++) {
            const arg_option *row = &serve_groups[g].rows[r];
            const void *p = (const char *)s + serve_groups[g].offset + row->offset;
            if (!(s->given[g] >> r & 1)) continue;
            if (!s->from[g][r] || g == SERVE_INSTEAD) abort();
            if (row->kind == ARG_LIST && !((const arg_list *)p)->n) abort();
            if (row->kind == ARG_STRING && !*(const char *const *)p) abort();
            if (row->kind != ARG_INT) continue;
            int32_t value = *(const int32_t *)p;
            if ((double)value < row->min || (double)value > row->max) abort();
        }
}

/* As the program reads it: a file that the environment names. */
static void take(const char *text, size_t n)
{
    static int fd = -1;
    char variable[64];
    if (fd < 0 && (fd = memfd_create("ini", 0)) < 0) abort();
    if (ftruncate(fd, 0) || pwrite(fd, text, n, 0) != (ssize_t)n) abort();
    snprintf(variable, sizeof variable, "INGLE_CONFIG=/proc/self/fd/%d", fd);
    char *const environment[] = {variable, NULL};
    serve_settings s = SERVE_SETTINGS_DEFAULT;
    serve_layers layers = {0};
    serve_made made;
    if (serve_layers_apply(&layers, &cli_verb_serve, &s, environment) == 0) {
        check_settings(&s);
        s.template_file = s.gbnf_file = s.schema_file = NULL; /* would be opened */
        s.answer_grammars.n = 0;
        serve_make(&made, &cli_verb_serve, &s, "model.gguf");
        serve_made_free(&made);
    }
    serve_settings_free(&s);
    serve_layers_free(&layers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *null;
    static items all;
    FILE *err = stderr; /* glibc lets a program put others in their place */
    ingle_status status;
    if (!null) null = fopen("/dev/null", "w");
    if (!null) abort();
    char *copy = read_items(&all, (const char *)data, size, &status);
    if (status == INGLE_OK) check_again(&all);
    free(copy);
    stderr = null;
    take((const char *)data, size);
    stderr = err;
    return 0;
}
