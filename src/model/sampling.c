/* sampling.c - the sampler settings that a file recommends (keys general.sampling.*). */
#include "base/mem.h"
#include "base/options.h"
#include "model/model.h"

#include <stddef.h>
#include <string.h>

static const char prefix[] = "general.sampling.";

#define AT(field) offsetof(ingle_sampler_options, field)

static const struct {
    const char *name;
    size_t offset;
    bool real;
} fields[] = {
    {"temp", AT(temperature), true},
    {"top_k", AT(top_k), false},
    {"top_p", AT(top_p), true},
    {"min_p", AT(min_p), true},
    {"xtc_probability", AT(xtc_probability), true},
    {"xtc_threshold", AT(xtc_threshold), true},
    {"penalty_last_n", AT(penalty_last_n), false},
    {"penalty_repeat", AT(repeat_penalty), true},
    {"mirostat", AT(mirostat), false},
    {"mirostat_tau", AT(mirostat_tau), true},
    {"mirostat_eta", AT(mirostat_eta), true},
};
static const char order_key[] = "general.sampling.sequence";

/* The field of a key; the number of fields if it is none. */
static size_t find_field(const char *key)
{
    size_t f = 0, n = sizeof fields / sizeof *fields;
    while (f < n && strcmp(fields[f].name, key + sizeof prefix - 1) != 0) f++;
    return f;
}

static bool is_ours(const char *key)
{
    return strncmp(key, prefix, sizeof prefix - 1) == 0;
}

static ingle_status wrong_type(const ingle_gguf_kv *kv, const char *want, ingle_error *err)
{
    return ingle_fail(err, INGLE_EFORMAT, "key '%s': should be %s", kv->key, want);
}

static ingle_status set_field(ingle_sampler_options *o, size_t i, const ingle_gguf_kv *kv,
                              ingle_error *err)
{
    double value;
    int64_t whole;
    char *at = (char *)o + fields[i].offset;
    if (kv->type == INGLE_GGUF_ARRAY) return wrong_type(kv, "one number", err);
    if (fields[i].real) {
        if (!ingle_gguf_item_f64(kv, 0, &value)) return wrong_type(kv, "a number", err);
        float real = (float)value;
        if (fields[i].offset == AT(temperature) && real < 0) real = 0; /* greedy elsewhere, too */
        memcpy(at, &real, sizeof real);
    } else {
        if (!ingle_gguf_item_i64(kv, 0, &whole) || whole < INT32_MIN || whole > INT32_MAX)
            return wrong_type(kv, "a whole number", err);
        int32_t n = (int32_t)whole;
        _Static_assert(sizeof o->mirostat == sizeof n, "all are 32 bits");
        memcpy(at, &n, sizeof n);
    }
    return INGLE_OK;
}

ingle_status ingle_sampler_options_from_model(ingle_sampler_options *opt, const ingle_model *m,
                                              ingle_error *err)
{
    ingle_sampler_options o, alone;
    ingle_error why = {{0}};
    ingle_status st = INGLE_OK;
    if (!m) return ingle_fail(err, INGLE_ECLOSED, "the model is closed");
    if (!opt) return ingle_fail(err, INGLE_EINVAL, "ingle_sampler_options_from_model: opt is NULL");
    ingle_sampler_options_init(&o);
    if ((st = ingle_options_take(&o, sizeof o, opt, "the sampler", err))) return st;
    for (size_t i = 0; i < m->gguf->n_kv; i++) {
        const ingle_gguf_kv *kv = &m->gguf->kv[i];
        if (!is_ours(kv->key)) continue;
        size_t f = find_field(kv->key);
        ingle_sampler_options_init(&alone); /* one by one, so that the key can be named */
        if (f < sizeof fields / sizeof *fields) {
            if ((st = set_field(&o, f, kv, err)) || (st = set_field(&alone, f, kv, err))) return st;
        } else if (strcmp(kv->key, order_key) == 0) {
            if (!m->sampler_order) return wrong_type(kv, "a string", err);
            o.order = alone.order = m->sampler_order;
        }
        if ((st = ingle_sampler_options_check(&alone, &why)))
            return ingle_fail(err, INGLE_EFORMAT, "key '%s': %s", kv->key, why.text);
    }
    ingle_result_give(opt, &o, sizeof o);
    return INGLE_OK;
}

ingle_status ingle_model_read_sampling(ingle_model *m, ingle_error *err)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(m->gguf, order_key);
    if (kv && kv->type == INGLE_GGUF_STRING) {
        if (!(m->sampler_order = ingle_new(kv->strings->len + 1, 1)))
            return ingle_fail(err, INGLE_ENOMEM, "no memory for '%s'", order_key);
        memcpy(m->sampler_order, kv->strings->ptr, kv->strings->len);
    }
    for (size_t i = 0; i < m->gguf->n_kv; i++) {
        const char *key = m->gguf->kv[i].key;
        if (!is_ours(key) || strcmp(key, order_key) == 0) continue;
        if (find_field(key) < sizeof fields / sizeof *fields) continue;
        ingle_status st =
            ingle_notes_add(&m->notes, err, "key '%s' is not known and not read", key);
        if (st) return st;
    }
    return INGLE_OK;
}
