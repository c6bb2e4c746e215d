/* serve_config.c - see serve_config.h. */
#include "serve_config.h"

#include "base/utf8.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Without blanks around it; ends it with a NUL. */
static char *trim(char *from, char *to)
{
    while (from < to && is_blank(*from)) from++;
    while (to > from && is_blank(to[-1])) to--;
    *to = 0;
    return from;
}

/* Where a comment begins: # or ; after a blank, or at the beginning. */
static char *comment_at(char *p)
{
    for (char *c = p; *c; c++)
        if ((*c == '#' || *c == ';') && (c == p || is_blank(c[-1]))) return c;
    return p + strlen(p);
}

/* Takes the quotes off, in place. False: *why says what is wrong. */
static bool unquote(char *value, const char **why)
{
    char *from = value + 1, *to = value;
    while (*from && *from != '"') {
        if (*from == '\\' && from[1] != '"' && from[1] != '\\') {
            *why = "in quotes a \\ stands before \" or \\";
            return false;
        }
        from += *from == '\\';
        *to++ = *from++;
    }
    if (*from != '"') {
        *why = "a quote does not end";
        return false;
    }
    from++;
    *to = 0;
    char *rest = trim(from, comment_at(from));
    *why = "there is text after the quotes";
    return !*rest;
}

static bool read_section(char *line, const char **section, const char **why)
{
    char *end = strchr(line, ']');
    *why = "a section ends with ]";
    if (!end) return false;
    char *after = end + 1;
    if (*trim(after, comment_at(after))) {
        *why = "there is text after the section";
        return false;
    }
    *section = trim(line + 1, end);
    *why = "a section has a name, or is [*]";
    return **section != 0;
}

/* [from, equals) of the line is the key. */
static bool read_value(char *line, serve_config_item *item, const char **why)
{
    char *equals = strchr(line, '=');
    *why = "neither 'key = value' nor '[section]'";
    if (!equals) return false;
    char *value = equals + 1;
    item->key = trim(line, equals);
    while (is_blank(*value)) value++;
    item->value = value;
    if (*value == '"') return unquote(value, why);
    item->value = trim(value, comment_at(value));
    return true;
}

static bool read_line(char *line, serve_config_item *item, const char **why)
{
    item->key = item->value = NULL;
    if (*line == '[') return read_section(line, &item->section, why);
    if (!read_value(line, item, why)) return false;
    *why = "there is no key before the =";
    return item->key[0] != 0;
}

ingle_status serve_config_read(char *text, size_t n,
                               bool (*each)(void *user, const serve_config_item *item), void *user,
                               size_t *line, ingle_error *err)
{
    serve_config_item item = {.section = ""};
    const char *why = "";
    char *p = text, *end = text + n;
    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) p += 3;
    for (*line = 1; p < end; ++*line) {
        char *stop = memchr(p, '\n', (size_t)(end - p));
        if (!stop) stop = end;
        size_t len = (size_t)(stop - p);
        if (memchr(p, 0, len)) return ingle_fail(err, INGLE_EFORMAT, "a NUL byte");
        if (ingle_utf8_valid(p, len) != len)
            return ingle_fail(err, INGLE_EFORMAT, "bytes that are not UTF-8");
        char *first = trim(p, stop);
        p = stop + 1;
        if (!*first || *first == '#' || *first == ';') continue;
        item.line = *line;
        if (!read_line(first, &item, &why)) return ingle_fail(err, INGLE_EFORMAT, "%s", why);
        if (!each(user, &item)) return INGLE_ECANCELLED;
    }
    return INGLE_OK;
}
