/* gate_keys.c - keys: of the command line and of a file, and finding one without telling by time how
 * much of it was right.
 * Depends on gate_own.h, base/file.h, base/map.h. */
#include "gate_own.h"

#include "base/map.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

enum { KEY_FILE_MAX = 1 << 20 };

static bool is_plain(const char *p, size_t n, char lowest)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < lowest || p[i] > '~') return false;
    return true;
}

/* Two users with one cache could see by its speed what the other asked: each key has its own. */
static uint64_t salt_of(const gate *g, const char *text, size_t n)
{
    const ingle_map hash = {.seed = {g->secret[0], g->secret[1]}};
    uint64_t salt = ingle_map_hash(&hash, text, n);
    return salt ? salt : 1;
}

ingle_status gate_add_key(gate *g, const char *text, size_t len, gate_role role, const char *name,
                          size_t n_name, ingle_error *err)
{
    if (!len || len > KEY_MAX || !is_plain(text, len, '!'))
        return ingle_fail(err, INGLE_EINVAL, "a key has 1 to %d visible ASCII characters", KEY_MAX);
    if (gate_find_key(g, text, len)) return ingle_fail(err, INGLE_EINVAL, "a key is given twice");
    known_key k = {.len = len, .key.role = role};
    if (n_name >= sizeof k.key.name || !is_plain(name, n_name, ' '))
        return ingle_fail(err, INGLE_EINVAL, "the name of a key has at most %zu ASCII characters",
                          sizeof k.key.name - 1);
    if (n_name) memcpy(k.key.name, name, n_name);
    else snprintf(k.key.name, sizeof k.key.name, "key-%zu", g->n_keys + 1);
    k.text = malloc(len + 1);
    if (!k.text || !ingle_grow(&g->keys, &g->cap_keys, g->n_keys + 1, sizeof *g->keys)) {
        free(k.text);
        return ingle_fail(err, INGLE_ENOMEM, "no memory for keys");
    }
    memcpy(k.text, text, len);
    k.text[len] = 0;
    k.key.salt = g->share_cache ? 0 : salt_of(g, text, len);
    g->keys[g->n_keys++] = k;
    return INGLE_OK;
}

const known_key *gate_find_key(const gate *g, const char *text, size_t n)
{
    const known_key *found = NULL;
    if (!n || n > KEY_MAX) return NULL;
    for (size_t i = 0; i < g->n_keys; i++) {
        const known_key *k = &g->keys[i];
        volatile unsigned char different = k->len != n;
        for (size_t at = 0; at < n; at++)
            different |= (unsigned char)(text[at] ^ k->text[at < k->len ? at : k->len]);
        if (!different) found = k;
    }
    return found;
}

void gate_free_keys(gate *g)
{
    for (size_t i = 0; i < g->n_keys; i++) {
        memset(g->keys[i].text, 0, g->keys[i].len);
        free(g->keys[i].text);
    }
    free(g->keys);
    g->keys = NULL;
    g->n_keys = g->cap_keys = 0;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* The next word of a line, and *line after it. */
static size_t word(const char **line, const char **at)
{
    *at = *line + strspn(*line, " \t");
    size_t n = strcspn(*at, " \t");
    *line = *at + n;
    return n;
}

static bool role_of(const char *p, size_t n, gate_role *role)
{
    static const struct {
        const char *name;
        gate_role role;
    } roles[] = {{"user", GATE_USER}, {"admin", GATE_ADMIN}, {"metrics", GATE_METRICS}};
    for (size_t i = 0; i < 3; i++)
        if (strlen(roles[i].name) == n && !memcmp(roles[i].name, p, n)) {
            *role = roles[i].role;
            return true;
        }
    return false;
}

static ingle_status take_line(gate *g, const char *line, ingle_error *err)
{
    const char *key, *role_at, *name;
    gate_role role = GATE_USER;
    size_t n_key = word(&line, &key);
    if (!n_key || key[0] == '#') return INGLE_OK;
    size_t n_role = word(&line, &role_at);
    if (n_role && !role_of(role_at, n_role, &role))
        return ingle_fail(err, INGLE_EFORMAT, "the role is user, admin or metrics: KEY ROLE NAME");
    name = line + strspn(line, " \t");
    size_t n_name = strlen(name);
    while (n_name && (name[n_name - 1] == ' ' || name[n_name - 1] == '\t')) n_name--;
    return gate_add_key(g, key, n_key, role, name, n_name, err);
}

static ingle_status read_all(const char *path, char **text, size_t *n, ingle_error *err)
{
    FILE *f = fopen(path, "rbe");
    if (!f)
        return ingle_fail(err, errno == ENOENT ? INGLE_ENOTFOUND : INGLE_EIO,
                          "--api-key-file %s cannot be read: %s", path, strerror(errno));
    *text = malloc(KEY_FILE_MAX + 1);
    *n = *text ? fread(*text, 1, KEY_FILE_MAX + 1, f) : 0;
    bool bad = ferror(f);
    fclose(f);
    if (!*text) return ingle_fail(err, INGLE_ENOMEM, "no memory for keys");
    if (bad) return ingle_fail(err, INGLE_EIO, "--api-key-file %s cannot be read", path);
    if (*n > KEY_FILE_MAX)
        return ingle_fail(err, INGLE_EFORMAT, "--api-key-file %s is larger than 1 MiB", path);
    (*text)[*n] = 0;
    if (memchr(*text, 0, *n))
        return ingle_fail(err, INGLE_EFORMAT, "--api-key-file %s has a NUL in it", path);
    return INGLE_OK;
}

static ingle_status take_lines(gate *g, const char *path, char *text, ingle_error *err)
{
    ingle_error why;
    size_t had = g->n_keys, n = 0;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        size_t len = strlen(line);
        if (len && line[len - 1] == '\r') line[len - 1] = 0;
        n++;
        ingle_status status = take_line(g, line, &why);
        if (status == INGLE_ENOMEM) return ingle_fail(err, status, "%s", why.text);
        if (status)
            return ingle_fail(err, INGLE_EFORMAT, "--api-key-file %s, line %zu: %s", path, n,
                              why.text);
    }
    if (g->n_keys == had)
        return ingle_fail(err, INGLE_EFORMAT, "--api-key-file %s has no key in it", path);
    return INGLE_OK;
}

ingle_status gate_read_keys(gate *g, const char *path, ingle_error *err)
{
    char *text = NULL;
    size_t n = 0;
    ingle_status status = read_all(path, &text, &n, err);
    if (!status) status = take_lines(g, path, text, err);
    if (text) memset(text, 0, n);
    free(text);
    return status;
}
