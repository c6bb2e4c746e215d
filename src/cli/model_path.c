/* model_path.c - see model_path.h. */
#include "model_path.h"
#include "out.h"
#include "platform.h"

#include "base/distance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_CAP = 4096, FOUND_CAP = 64, SHOWN = 10 };

static const char BUNDLED[] = "tiny-chat.gguf";
static const char *const PLACES[] = {"../models", "../share/ingle/models"};

bool model_path_bundled(char *path, size_t cap)
{
    char folder[PATH_CAP];
    if (!platform_program_folder(folder, sizeof folder)) {
        out_error("the program's own folder is not known; give a model with -m");
        return false;
    }
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        int len = snprintf(path, cap, "%s/%s/%s", folder, PLACES[i], BUNDLED);
        if (len > 0 && (size_t)len < cap && platform_is_file(path)) return true;
    }
    out_error("the bundled model %s is neither in %s/%s nor in %s/%s; give a model with -m",
              BUNDLED, folder, PLACES[0], folder, PLACES[1]);
    return false;
}

bool model_path_has(const char *model, const char *file)
{
    unsigned no, count;
    int end = 0;
    char part[PATH_CAP];
    if (platform_same_file(model, file)) return true;
    const char *tail = strstr(model, "-of-");
    for (const char *next = tail; next; next = strstr(next + 1, "-of-")) tail = next;
    if (!tail || tail - model < 6) return false;
    tail -= 6; /* five digits and the dash before them */
    if (sscanf(tail, "-%5u-of-%5u.gguf%n", &no, &count, &end) != 2 || !end || tail[end])
        return false;
    for (no = 1; no <= count; no++) {
        snprintf(part, sizeof part, "%.*s-%05u-of-%05u.gguf", (int)(tail - model), model, no,
                 count);
        if (platform_same_file(part, file)) return true;
    }
    return false;
}

/* ---- files nearby ---------------------------------------------------------------------------- */

typedef struct near_file {
    char *path;
    size_t distance; /* of its name from the name asked for */
} near_file;

typedef struct near_search {
    const char *wanted; /* name without its folder */
    const char *folder;
    near_file found[FOUND_CAP];
    size_t n;
} near_search;

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool collect(void *user, const char *name)
{
    near_search *s = user;
    size_t len = strlen(name);
    if (len < 6 || strcmp(name + len - 5, ".gguf") != 0) return true;
    bool here = strcmp(s->folder, ".") == 0;
    size_t cap = strlen(s->folder) + len + 2;
    char *path = malloc(cap);
    if (!path) return false;
    snprintf(path, cap, "%s%s%s", here ? "" : s->folder, here ? "" : "/", name);
    if (!platform_is_file(path)) { /* a folder, or a link that leads nowhere */
        free(path);
        return true;
    }
    s->found[s->n].path = path;
    s->found[s->n++].distance = ingle_distance(s->wanted, strlen(s->wanted), name, len);
    return s->n < FOUND_CAP;
}

static void search_folder(near_search *s, const char *folder)
{
    s->folder = folder;
    if (s->n < FOUND_CAP) platform_each_entry(folder, collect, s);
}

static int by_distance(const void *a, const void *b)
{
    const near_file *x = a, *y = b;
    if (x->distance != y->distance) return x->distance < y->distance ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* The folder asked for (or the folder of the file asked for), the current one and its models/, the
 * bundled model's. */
static void search_all(near_search *s, const char *path)
{
    char folder[PATH_CAP], bundled[PATH_CAP];
    snprintf(folder, sizeof folder, "%s", path);
    if (!platform_is_folder(path)) {
        char *slash = strrchr(folder, '/');
        if (slash) slash[slash == folder] = 0;
        if (!slash) folder[0] = 0;
    }
    if (folder[0] && strcmp(folder, ".") != 0) search_folder(s, folder);
    search_folder(s, ".");
    if (strcmp(folder, "models") != 0) search_folder(s, "models");
    if (s->n == 0 && platform_program_folder(folder, sizeof folder - 32)) {
        for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
            snprintf(bundled, sizeof bundled, "%.*s/%s", PATH_CAP - 32, folder, PLACES[i]);
            search_folder(s, bundled);
        }
    }
}

void model_path_explain(const char *path)
{
    near_search s = {.wanted = base_name(path)};
    char tried[PATH_CAP], to[PATH_CAP];
    platform_absolute(path, tried, sizeof tried);
    if (platform_is_folder(path)) out_error("'%s' is a folder, not a model file", path);
    else if (platform_link(path, to, sizeof to))
        out_error("'%s' is a link to '%s', which is not there", tried, to);
    else out_error("there is no model file '%s'", tried);
    search_all(&s, path);
    qsort(s.found, s.n, sizeof *s.found, by_distance);
    if (s.n == 0) {
        fprintf(stderr, "No GGUF files are nearby.\n");
    } else {
        fprintf(stderr, "GGUF files nearby:\n");
    }
    for (size_t i = 0; i < s.n; i++) {
        if (i < SHOWN) {
            fputs("  ", stderr);
            out_plain_error(s.found[i].path);
            fputc('\n', stderr);
        }
        free(s.found[i].path);
    }
    if (s.n > SHOWN) fprintf(stderr, "  and %zu more\n", s.n - SHOWN);
}
