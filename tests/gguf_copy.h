/* gguf_copy.h - a model's file taken apart and written again with changes: for tests of two files that
 * must come to the same. Needs _GNU_SOURCE, cmocka and ingle.h before it. */
#ifndef INGLE_TESTS_GGUF_COPY_H
#define INGLE_TESTS_GGUF_COPY_H

#include "gguf/write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GC_TENSORS = 256, GC_KEYS = 8 };

typedef struct gc_tensor {
    char name[64]; /* "": gone */
    ingle_type type;
    int n_dims;
    uint64_t dims[4];
    uint8_t *data;
    size_t n_bytes;
} gc_tensor;

typedef struct gc_file {
    ingle_gguf *source;
    char arch[32]; /* as it is written */
    gc_tensor tensor[GC_TENSORS];
    size_t n_tensors;
    struct {
        char name[96]; /* with the architecture in front */
        uint32_t value;
    } key[GC_KEYS]; /* in place of the source's, or besides */
    size_t n_keys;
    size_t n_list; /* key attention.recurrent_layers: so many layers, all but the last recur */
} gc_file;

static inline void gc_open(gc_file *f, const char *path)
{
    ingle_error err;
    ingle_str arch;
    memset(f, 0, sizeof *f);
    if (ingle_gguf_open(&f->source, path, true, &err)) fail_msg("%s", err.text);
    ingle_gguf_get_str(f->source, "general.architecture", true, &arch, NULL);
    snprintf(f->arch, sizeof f->arch, "%.*s", (int)arch.len, arch.ptr);
    assert_true(f->source->n_tensors <= GC_TENSORS);
    for (size_t i = 0; i < f->source->n_tensors; i++) {
        const ingle_gguf_tensor *t = &f->source->tensors[i];
        gc_tensor *to = &f->tensor[f->n_tensors++];
        snprintf(to->name, sizeof to->name, "%s", t->name);
        to->type = t->type, to->n_dims = t->n_dims, to->n_bytes = t->n_bytes;
        memcpy(to->dims, t->dims, sizeof to->dims);
        to->data = malloc(t->n_bytes);
        assert_int_equal(ingle_gguf_read(f->source, t, 0, to->data, t->n_bytes, NULL), INGLE_OK);
    }
}

static inline void gc_close(gc_file *f)
{
    for (size_t i = 0; i < f->n_tensors; i++) free(f->tensor[i].data);
    ingle_gguf_close(&f->source);
}

static inline gc_tensor *gc_find(gc_file *f, const char *name)
{
    for (size_t i = 0; i < f->n_tensors; i++)
        if (!strcmp(f->tensor[i].name, name)) return &f->tensor[i];
    return NULL;
}

/* F32, zeros. */
static inline gc_tensor *gc_add(gc_file *f, const char *name, uint64_t n0, uint64_t n1, uint64_t n2)
{
    gc_tensor *t = &f->tensor[f->n_tensors++];
    assert_true(f->n_tensors <= GC_TENSORS);
    snprintf(t->name, sizeof t->name, "%s", name);
    t->type = INGLE_TYPE_F32, t->n_dims = n2 > 1 ? 3 : n1 > 1 ? 2 : 1;
    t->dims[0] = n0, t->dims[1] = n1, t->dims[2] = n2, t->dims[3] = 1;
    t->n_bytes = n0 * n1 * n2 * sizeof(float);
    assert_non_null(t->data = calloc(1, t->n_bytes));
    return t;
}

static inline float *gc_floats(gc_tensor *t)
{
    assert_non_null(t);
    assert_int_equal(t->type, INGLE_TYPE_F32);
    return (float *)(void *)t->data;
}

static inline void gc_drop(gc_file *f, const char *name)
{
    gc_tensor *t = gc_find(f, name);
    assert_non_null(t);
    t->name[0] = 0;
}

static inline void gc_key(gc_file *f, const char *key, uint32_t value)
{
    assert_true(f->n_keys < GC_KEYS);
    snprintf(f->key[f->n_keys].name, sizeof f->key->name, "%s.%s", f->arch, key);
    f->key[f->n_keys++].value = value;
}

static inline bool gc_has_key(const gc_file *f, const char *name)
{
    for (size_t i = 0; i < f->n_keys; i++)
        if (!strcmp(f->key[i].name, name)) return true;
    return false;
}

/* The source's keys under the new architecture's name. */
static inline void gc_write_keys(const gc_file *f, ingle_gguf_writer *w)
{
    const ingle_gguf *g = f->source;
    ingle_str was;
    ingle_gguf_get_str(g, "general.architecture", true, &was, NULL);
    for (size_t i = 0; i < g->n_kv; i++) {
        ingle_gguf_kv kv = g->kv[i];
        char name[128];
        if (!strncmp(kv.key, was.ptr, was.len) && kv.key[was.len] == '.') {
            snprintf(name, sizeof name, "%s%s", f->arch, kv.key + was.len);
            kv.key = name;
        }
        if (gc_has_key(f, kv.key) || !strcmp(kv.key, "general.architecture")) continue;
        assert_int_equal(ingle_gguf_put(w, &kv, NULL), INGLE_OK);
    }
    assert_int_equal(ingle_gguf_put_str(w, "general.architecture", f->arch, NULL), INGLE_OK);
    if (f->n_list) {
        char name[64];
        uint8_t recurs[64] = {0};
        memset(recurs, 1, f->n_list - 1);
        snprintf(name, sizeof name, "%s.attention.recurrent_layers", f->arch);
        assert_int_equal(ingle_gguf_put_array(w, name, INGLE_GGUF_BOOL, f->n_list, recurs, NULL),
                         INGLE_OK);
    }
    for (size_t i = 0; i < f->n_keys; i++)
        assert_int_equal(ingle_gguf_put_u32(w, f->key[i].name, f->key[i].value, NULL), INGLE_OK);
}

/* Opens the model that f describes; its file is gone when this returns. */
static inline ingle_status gc_model(const gc_file *f, const ingle_model_options *opt,
                                    ingle_model **out, ingle_error *err)
{
    char folder[64] = "/tmp/ingle-copy-XXXXXX", path[80];
    const char *tmp = getenv("TMPDIR");
    ingle_gguf_writer *w;
    if (tmp) snprintf(folder, sizeof folder, "%.40s/ingle-copy-XXXXXX", tmp);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.gguf", folder);
    assert_int_equal(ingle_gguf_writer_open(&w, path, NULL), INGLE_OK);
    gc_write_keys(f, w);
    for (size_t i = 0; i < f->n_tensors; i++) {
        const gc_tensor *t = &f->tensor[i];
        if (*t->name)
            assert_int_equal(ingle_gguf_add_tensor(w, t->name, t->type, t->n_dims, t->dims, NULL),
                             INGLE_OK);
    }
    for (size_t i = 0; i < f->n_tensors; i++)
        if (*f->tensor[i].name)
            assert_int_equal(ingle_gguf_write(w, f->tensor[i].data, f->tensor[i].n_bytes, NULL),
                             INGLE_OK);
    assert_int_equal(ingle_gguf_writer_finish(&w, NULL), INGLE_OK);
    ingle_status st = ingle_model_open(out, path, opt, err);
    unlink(path);
    rmdir(folder);
    return st;
}

#endif
