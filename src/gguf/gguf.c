#include "gguf/gguf.h"
#include "gguf/head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One file of a model; most models have one. */
typedef struct part {
    ingle_file file;
    ingle_gguf_head head;
} part;

struct ingle_gguf_priv {
    size_t n_parts, cap;
    part *parts;
    ingle_map names; /* of tensors, to the index in tensors */
    char **overrides;
    size_t n_overrides, cap_overrides;
};

/* ---- parts ---- */

static void close_part(part *p)
{
    ingle_gguf_head_free(&p->head);
    ingle_file_close(&p->file);
}

static ingle_status open_part(part *p, const char *path, bool with_tensors, ingle_error *err)
{
    memset(p, 0, sizeof *p);
    ingle_status status = ingle_file_open(&p->file, path, err);
    if (!status) status = ingle_gguf_head_read(&p->head, &p->file, with_tensors, err);
    if (status) close_part(p);
    return status;
}

/* What a file says about being one of several. */
typedef struct split {
    uint32_t no, count; /* count 0 or 1: a file of its own */
    bool has_total;
    uint32_t total; /* tensors in all parts */
} split;

static const ingle_gguf_kv *find_key(const ingle_gguf_head *head, const char *key)
{
    return ingle_gguf_head_find(head, key, strlen(key));
}

static ingle_status read_split(const ingle_gguf_head *head, split *s, ingle_error *err)
{
    *s = (split){0};
    const ingle_gguf_kv *no = find_key(head, "split.no");
    const ingle_gguf_kv *count = find_key(head, "split.count");
    const ingle_gguf_kv *total = find_key(head, "split.tensors.count");
    ingle_status status = count ? ingle_gguf_kv_u32(count, &s->count, err) : INGLE_OK;
    if (status || s->count <= 1) return status;
    if (!no)
        return ingle_fail(err, INGLE_EFORMAT,
                          "key 'split.no' is missing although 'split.count' is %u", s->count);
    if (s->count > UINT16_MAX)
        return ingle_fail(err, INGLE_EFORMAT, "key 'split.count': %u parts, not 1..%u", s->count,
                          UINT16_MAX);
    if ((status = ingle_gguf_kv_u32(no, &s->no, err))) return status;
    if (s->no >= s->count)
        return ingle_fail(err, INGLE_EFORMAT, "key 'split.no': %u is not below 'split.count' %u",
                          s->no, s->count);
    s->has_total = total != NULL;
    return total ? ingle_gguf_kv_u32(total, &s->total, err) : INGLE_OK;
}

#define TAIL_BYTES 40 /* room for "-00001-of-00003.gguf" with any numbers */

static void split_tail(char *tail, uint32_t no, uint32_t count)
{
    snprintf(tail, TAIL_BYTES, "-%05u-of-%05u.gguf", no + 1, count);
}

/* The path of part 0 .. count-1: the given path with another tail. On the heap; NULL without
 * memory. */
static char *part_path(const char *path, const split *s, uint32_t no)
{
    char old[TAIL_BYTES], tail[TAIL_BYTES];
    split_tail(old, s->no, s->count);
    split_tail(tail, no, s->count);
    size_t stem = strlen(path) - strlen(old), room = stem + strlen(tail) + 1;
    char *out = malloc(room);
    if (out) snprintf(out, room, "%.*s%s", (int)stem, path, tail);
    return out;
}

static bool has_tail(const char *path, const split *s)
{
    char tail[TAIL_BYTES];
    split_tail(tail, s->no, s->count);
    size_t len = strlen(path), n = strlen(tail);
    return len >= n && len < INT32_MAX && !strcmp(path + len - n, tail);
}

/* Whether part `no` says so itself. The number of tensors may stand in any of the parts, but only
 * one. */
static ingle_status check_part(const part *p, split *s, uint32_t no, ingle_error *err)
{
    split own;
    ingle_status status = read_split(&p->head, &own, err);
    if (status) return status;
    if (own.count != s->count)
        return ingle_fail(err, INGLE_EFORMAT,
                          "key 'split.count' is %u here, %u in the part that was opened", own.count,
                          s->count);
    if (own.no != no)
        return ingle_fail(err, INGLE_EFORMAT, "key 'split.no' says part %u", own.no + 1);
    if (own.has_total && s->has_total && own.total != s->total)
        return ingle_fail(err, INGLE_EFORMAT,
                          "key 'split.tensors.count' is %u here, %u in another part", own.total,
                          s->total);
    if (own.has_total) {
        s->has_total = true;
        s->total = own.total;
    }
    return INGLE_OK;
}

/* Opens part `no` of the file that was opened as path. */
static ingle_status open_other(part *p, const char *path, split *s, uint32_t no, bool with_tensors,
                               ingle_error *err)
{
    char *name = part_path(path, s, no);
    if (!name) return ingle_fail(err, INGLE_ENOMEM, "no memory for the name of part %u", no + 1);
    ingle_error inner = {0};
    ingle_status status = open_part(p, name, with_tensors, &inner);
    if (!status && (status = check_part(p, s, no, &inner))) close_part(p);
    if (status) ingle_fail(err, status, "part %u of %u: %s", no + 1, s->count, inner.text);
    free(name);
    return status;
}

/* All parts in order; `first` is the one that was asked for and is handed over (or closed). */
static ingle_status open_parts(struct ingle_gguf_priv *priv, part *first, split *s,
                               const char *path, bool with_tensors, ingle_error *err)
{
    uint32_t count = s->count > 1 ? s->count : 1;
    bool given = true; /* first is still ours */
    ingle_status status = INGLE_OK;
    for (uint32_t no = 0; no < count; no++) {
        if (!ingle_grow(&priv->parts, &priv->cap, (size_t)no + 1, sizeof *priv->parts)) {
            status = ingle_fail(err, INGLE_ENOMEM, "no memory for part %u of %u", no + 1, count);
            break;
        }
        if (no == s->no) {
            priv->parts[no] = *first;
            given = false;
        } else if ((status = open_other(&priv->parts[no], path, s, no, with_tensors, err))) {
            break;
        }
        priv->n_parts++;
    }
    if (given) close_part(first);
    return status;
}

/* ---- the whole ---- */

/* Joins the directories of all parts; names must be unique over all of them. */
static ingle_status join_tensors(ingle_gguf *g, const split *s, ingle_error *err)
{
    struct ingle_gguf_priv *priv = g->priv;
    size_t n = 0;
    for (size_t i = 0; i < priv->n_parts; i++) n += priv->parts[i].head.n_tensors;
    if (n > UINT32_MAX || (s->has_total && s->total != n))
        return ingle_fail(err, INGLE_EFORMAT,
                          "key 'split.tensors.count' is %u, but there are %zu tensors", s->total,
                          n);
    g->tensors = ingle_new(n, sizeof *g->tensors);
    if (!g->tensors || !ingle_map_open(&priv->names, n)) goto no_memory;
    for (size_t i = 0; i < priv->n_parts; i++) {
        ingle_gguf_head *head = &priv->parts[i].head;
        for (size_t k = 0; k < head->n_tensors; k++) {
            ingle_gguf_tensor *t = &g->tensors[g->n_tensors];
            *t = head->tensors[k];
            t->i_file = (uint32_t)i;
            if (ingle_gguf_find_tensor(g, t->name))
                return ingle_fail(err, INGLE_EFORMAT, "tensor '%.100s' is there twice", t->name);
            uint64_t hash = ingle_map_hash(&priv->names, t->name, strlen(t->name));
            if (!ingle_map_add(&priv->names, hash, (uint32_t)g->n_tensors++)) goto no_memory;
        }
        free(head->tensors);
        head->tensors = NULL;
    }
    return INGLE_OK;
no_memory:
    return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu tensors", n);
}

static ingle_status join_files(ingle_gguf *g, ingle_error *err)
{
    struct ingle_gguf_priv *priv = g->priv;
    g->files = ingle_new(priv->n_parts, sizeof *g->files);
    if (!g->files) return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu files", priv->n_parts);
    g->n_files = priv->n_parts;
    for (size_t i = 0; i < g->n_files; i++) g->files[i] = priv->parts[i].file;
    return INGLE_OK;
}

static size_t count_heap(const ingle_gguf *g)
{
    const struct ingle_gguf_priv *priv = g->priv;
    size_t n = sizeof *g + sizeof *priv + priv->cap * sizeof *priv->parts +
               g->n_files * sizeof *g->files + g->n_tensors * sizeof *g->tensors +
               ingle_map_bytes(&priv->names);
    for (size_t i = 0; i < priv->n_parts; i++) n += ingle_gguf_head_heap(&priv->parts[i].head);
    return n;
}

ingle_status ingle_gguf_open(ingle_gguf **out, const char *path, bool with_tensors,
                             ingle_error *err)
{
    *out = NULL;
    part first;
    split s;
    ingle_status status = open_part(&first, path, with_tensors, err);
    if (status) return status;
    status = read_split(&first.head, &s, err);
    if (!status && s.count > 1 && !has_tail(path, &s)) {
        char tail[TAIL_BYTES];
        split_tail(tail, s.no, s.count);
        status =
            ingle_fail(err, INGLE_EFORMAT,
                       "key 'split.count' is %u: the file's name should end in %s", s.count, tail);
    }
    ingle_gguf *g = status ? NULL : ingle_new(1, sizeof *g);
    if (g) g->priv = ingle_new(1, sizeof *g->priv);
    if (!g || !g->priv) {
        close_part(&first);
        free(g);
        return status ? status : ingle_fail(err, INGLE_ENOMEM, "no memory for the directory");
    }
    status = open_parts(g->priv, &first, &s, path, with_tensors, err);
    if (!status) status = join_tensors(g, &s, err);
    if (!status) status = join_files(g, err);
    if (status) {
        ingle_gguf_close(&g);
        return status;
    }
    const ingle_gguf_head *head = &g->priv->parts[0].head;
    g->version = head->version;
    g->alignment = head->alignment;
    g->n_kv = head->n_kv;
    g->kv = head->kv;
    g->heap_bytes = count_heap(g);
    *out = g;
    return INGLE_OK;
}

void ingle_gguf_close(ingle_gguf **g)
{
    ingle_gguf *p = *g;
    *g = NULL;
    if (!p) return;
    for (size_t i = 0; i < p->priv->n_parts; i++) close_part(&p->priv->parts[i]);
    free(p->priv->parts);
    ingle_map_close(&p->priv->names);
    for (size_t i = 0; i < p->priv->n_overrides; i++) free(p->priv->overrides[i]);
    free(p->priv->overrides);
    free(p->priv);
    free(p->tensors);
    free(p->files); /* copies; the parts' own descriptors are closed */
    free(p);
}

ingle_status ingle_gguf_override(ingle_gguf *g, const char *given, ingle_error *err)
{
    struct ingle_gguf_priv *priv = g->priv;
    ingle_gguf_head *head = &priv->parts[0].head;
    if (!ingle_grow(&priv->overrides, &priv->cap_overrides, priv->n_overrides + 1,
                    sizeof *priv->overrides))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for an override");
    ingle_status st =
        ingle_gguf_head_override(head, given, &priv->overrides[priv->n_overrides], err);
    if (st) return st;
    priv->n_overrides++;
    g->kv = head->kv;
    g->n_kv = head->n_kv;
    return INGLE_OK;
}

const ingle_gguf_kv *ingle_gguf_find(const ingle_gguf *g, const char *key)
{
    return find_key(&g->priv->parts[0].head, key);
}

const ingle_gguf_tensor *ingle_gguf_find_tensor(const ingle_gguf *g, const char *name)
{
    const ingle_map *names = &g->priv->names;
    uint64_t hash = ingle_map_hash(names, name, strlen(name));
    for (uint32_t i, at = 0; (i = ingle_map_next(names, hash, &at)) != INGLE_NO_ID;)
        if (!strcmp(g->tensors[i].name, name)) return &g->tensors[i];
    return NULL;
}

ingle_status ingle_gguf_read(const ingle_gguf *g, const ingle_gguf_tensor *t, uint64_t from,
                             void *dst, size_t n, ingle_error *err)
{
    if (from > t->n_bytes || n > t->n_bytes - from)
        return ingle_fail(err, INGLE_EINVAL,
                          "tensor '%.100s': bytes %llu .. +%zu are not in its %llu", t->name,
                          (unsigned long long)from, n, (unsigned long long)t->n_bytes);
    ingle_error inner = {0};
    ingle_status status = ingle_file_read(&g->files[t->i_file], t->offset + from, dst, n, &inner);
    return status ? ingle_fail(err, status, "tensor '%.100s': %s", t->name, inner.text) : INGLE_OK;
}
