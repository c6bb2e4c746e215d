#define _GNU_SOURCE
#include "models.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const double POOL = 0.25;
enum {
    CTX_STEP = 1024,
    FITS = 2, /* contexts that the pool holds at least: an agent's, and that of its titles */
    KEPT = 4, /* contexts for each parallel request that it holds at most */
    CACHED_STATES = 16, /* checkpoints of recurrent and windowed layers, for later requests */
    META_BYTES = 4096
};

struct models {
    models_options opt;
    served_model first;
    pthread_t loader, server;
    bool has_loader, has_server;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    model_state state;
    ingle_error why;
    _Atomic float share;
    atomic_bool stop;
};

/* ---- names ----------------------------------------------------------------------------------- */

static void name_of_file(char *out, size_t cap, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n = strlen(base);
    if (n > 5 && !strcmp(base + n - 5, ".gguf")) n -= 5;
    snprintf(out, cap, "%.*s", (int)n, base);
}

static bool same_name(const char *a, const char *b)
{
    size_t n = strlen(a);
    if (!strcmp(a, b)) return true;
    return !strncmp(a, b, n) && !strcmp(b + n, ":latest"); /* as some clients write any name */
}

static bool is_own_name(const models *m, const char *name)
{
    if (same_name(m->first.name, name)) return true;
    for (size_t i = 0; i < m->opt.n_aliases; i++)
        if (same_name(m->opt.aliases[i], name)) return true;
    return false;
}

/* ---- a digest -------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * 0x100000001b3u; /* FNV-1a */
    return h;
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    return text ? mix(h, text, strlen(text) + 1) : mix(h, "", 1);
}

/* Of metadata, names and shapes of tensors, template and version: not of the weights' bytes. */
static uint64_t digest_of(const ingle_model *model, const ingle_model_info *info)
{
    char value[META_BYTES];
    const char *key;
    size_t n;
    uint64_t h = mix_text(0xcbf29ce484222325u, ingle_version());
    ingle_tensor_info t = {.size = sizeof t};
    for (size_t i = 0;; i++) {
        ingle_status st = ingle_model_meta(model, i, &key, value, sizeof value, &n, 8, NULL);
        if (st && st != INGLE_ERANGE) break;
        h = mix_text(h, key);
        h = mix(h, value, st ? 0 : n);
    }
    for (size_t i = 0; !ingle_model_tensor(model, i, &t, NULL); i++) {
        h = mix_text(mix_text(h, t.name), t.type);
        h = mix(h, t.dims, sizeof t.dims);
    }
    return mix_text(h, info->chat_template);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static size_t pool_bytes(const ingle_model *model, const ingle_engine_options *o)
{
    ingle_memory mem = {.size = sizeof mem};
    if (ingle_model_memory(model, o, &mem, NULL)) return SIZE_MAX;
    return mem.kv + mem.state;
}

/* The largest context of which FITS are within the budget. */
static int32_t largest_context(const ingle_model *model, ingle_engine_options o, int32_t n_train,
                               uint64_t budget)
{
    int32_t low = 1, high = n_train / CTX_STEP;
    o.n_ctx = n_train;
    if (high < 2 || pool_bytes(model, &o) <= budget) return n_train;
    while (low < high) {
        int32_t middle = low + (high - low + 1) / 2;
        o.n_ctx = middle * CTX_STEP;
        if (pool_bytes(model, &o) <= budget) low = middle;
        else high = middle - 1;
    }
    return low * CTX_STEP;
}

/* Tokens beside those of n_sessions contexts: as many as are within the budget and of use. */
static int32_t cache_tokens(const ingle_model *model, ingle_engine_options o, uint64_t budget)
{
    int64_t most = (int64_t)o.n_ctx * (KEPT * o.n_parallel - o.n_sessions) / CTX_STEP;
    int32_t low = 0, high = (int32_t)(most > 1 << 20 ? 1 << 20 : most < 0 ? 0 : most);
    while (low < high) {
        int32_t middle = low + (high - low + 1) / 2;
        o.n_cache_tokens = middle * CTX_STEP;
        if (pool_bytes(model, &o) <= budget) low = middle;
        else high = middle - 1;
    }
    return low * CTX_STEP;
}

static void choose_memory(const models_options *opt, const ingle_model *model,
                          const ingle_model_info *info, uint64_t available, ingle_engine_options *o)
{
    uint64_t budget = (uint64_t)((double)available * (opt->pool > 0 ? opt->pool : POOL));
    *o = opt->engine;
    if (!o->n_parallel) o->n_parallel = 8;
    o->n_cache_tokens = 0;
    o->n_cache_states = CACHED_STATES;
    o->n_sessions = info->recurrent || info->hybrid ? o->n_parallel : FITS;
    if (o->n_sessions > o->n_parallel) o->n_sessions = o->n_parallel;
    if (!o->n_ctx) o->n_ctx = largest_context(model, *o, info->n_ctx_train, budget);
    if (!info->recurrent) o->n_cache_tokens = cache_tokens(model, *o, budget);
}

ingle_status models_plan_get(const models_options *opt, models_plan *plan, ingle_error *err)
{
    ingle_model *model = NULL;
    ingle_model_options mo = opt->model;
    ingle_model_info info = {.size = sizeof info};
    ingle_engine_options eo;
    *plan = (models_plan){.memory = {.size = sizeof plan->memory}};
    mo.parts = INGLE_PARTS_PLAN;
    ingle_status st = ingle_model_open(&model, opt->path, &mo, err);
    if (!st) st = ingle_model_info_get(model, &info, err);
    if (!st) {
        plan->available = ingle_memory_available("", false);
        uint64_t weights = mo.in_place ? 0 : info.n_bytes;
        uint64_t left = plan->available > weights ? plan->available - weights : 0;
        choose_memory(opt, model, &info, left, &eo);
        plan->n_ctx = eo.n_ctx;
        plan->n_ctx_train = info.n_ctx_train;
        plan->n_parallel = eo.n_parallel;
        plan->n_sessions = eo.n_sessions;
        plan->n_cache_tokens = eo.n_cache_tokens;
        st = ingle_model_memory(model, &eo, &plan->memory, err);
    }
    ingle_model_close(&model);
    return st;
}

/* ---- loading --------------------------------------------------------------------------------- */

static bool on_progress(void *user, double share)
{
    models *m = user;
    const ingle_model_options *o = &m->opt.model;
    atomic_store(&m->share, (float)share);
    return (!o->progress || o->progress(o->user, share)) && !atomic_load(&m->stop);
}

static ingle_status refuse_encoder(const served_model *s, ingle_error *err)
{
    return ingle_fail(err, INGLE_EUNSUPPORTED,
                      "this model (%s) %s texts and generates none: use 'ingle embed'",
                      s->info.architecture, s->info.n_rank ? "ranks" : "embeds");
}

static ingle_status open_model(models *m, served_model *s, ingle_error *err)
{
    ingle_model_options o = m->opt.model;
    o.parts = INGLE_PARTS_ALL;
    o.progress = on_progress;
    o.user = m;
    s->info.size = sizeof s->info;
    ingle_status st = ingle_model_open(&s->model, m->opt.path, &o, err);
    if (!st) st = ingle_model_info_get(s->model, &s->info, err);
    return st || s->info.logits ? st : refuse_encoder(s, err);
}

/* A model without a template is served to those who complete texts. */
static ingle_status open_chat(models *m, served_model *s, ingle_error *err)
{
    s->chat_info.size = sizeof s->chat_info;
    ingle_status st = ingle_chat_open(&s->chat, s->model, &m->opt.chat, &s->chat_error);
    if (st == INGLE_ENOTFOUND && !m->opt.chat.template_name) return INGLE_OK;
    if (!st) return ingle_chat_info_get(s->chat, &s->chat_info, err);
    if (err) *err = s->chat_error;
    return st;
}

static ingle_status open_engine(models *m, served_model *s, ingle_error *err)
{
    ingle_engine_options o;
    choose_memory(&m->opt, s->model, &s->info, ingle_memory_available("", false), &o);
    s->engine_info.size = sizeof s->engine_info;
    ingle_status st = ingle_engine_open(&s->engine, s->model, &o, err);
    if (!st) st = ingle_engine_info_get(s->engine, &s->engine_info, err);
    return st ? st : ingle_engine_warm_up(s->engine, err);
}

static void *serve(void *user)
{
    models *m = user;
    ingle_engine_serve(m->first.engine, NULL);
    return NULL;
}

static ingle_status load_model(models *m, ingle_error *err)
{
    served_model *s = &m->first;
    struct stat file;
    double start = ingle_now();
    s->path = m->opt.path;
    s->created = stat(s->path, &file) ? (int64_t)time(NULL) : (int64_t)file.st_mtime;
    ingle_status st = open_model(m, s, err);
    if (!st) st = open_chat(m, s, err);
    if (!st) st = open_engine(m, s, err);
    if (st) return st;
    s->digest = digest_of(s->model, &s->info);
    snprintf(s->fingerprint, sizeof s->fingerprint, "fp_%012llx",
             (unsigned long long)(s->digest & 0xffffffffffffu));
    m->has_server = !pthread_create(&m->server, NULL, serve, m);
    s->load_s = ingle_now() - start;
    return m->has_server ? INGLE_OK
                         : ingle_fail(err, INGLE_EIO, "the system starts no more threads");
}

static void *load_first(void *user)
{
    models *m = user;
    ingle_error why = {{0}};
    ingle_status st = load_model(m, &why);
    pthread_mutex_lock(&m->lock);
    m->state = st ? MODEL_FAILED : MODEL_READY;
    m->why = why;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

ingle_status models_open(models **out, const models_options *opt, ingle_error *err)
{
    models *m = *out = ingle_new(1, sizeof *m);
    pthread_condattr_t clock;
    if (!m) return ingle_fail(err, INGLE_ENOMEM, "no memory for the server");
    m->opt = *opt;
    pthread_mutex_init(&m->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&m->changed, &clock);
    pthread_condattr_destroy(&clock);
    if (opt->n_aliases) snprintf(m->first.name, sizeof m->first.name, "%s", opt->aliases[0]);
    else name_of_file(m->first.name, sizeof m->first.name, opt->path);
    m->has_loader = !pthread_create(&m->loader, NULL, load_first, m);
    if (m->has_loader) return INGLE_OK;
    models_close(out, 0);
    return ingle_fail(err, INGLE_EIO, "the system starts no more threads");
}

void models_close(models **out, double grace_s)
{
    models *m = *out;
    if (!m) return;
    atomic_store(&m->stop, true);
    if (m->has_loader) pthread_join(m->loader, NULL);
    if (m->has_server) ingle_engine_drain(m->first.engine, grace_s, NULL);
    ingle_engine_close(&m->first.engine);
    if (m->has_server) pthread_join(m->server, NULL);
    ingle_chat_close(&m->first.chat);
    ingle_model_close(&m->first.model);
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
    free(m);
    *out = NULL;
}

/* ---- questions ------------------------------------------------------------------------------- */

model_state models_state(models *m, double *share, ingle_error *why)
{
    pthread_mutex_lock(&m->lock);
    model_state state = m->state;
    if (why) *why = m->why;
    pthread_mutex_unlock(&m->lock);
    if (share) *share = state == MODEL_READY ? 1 : (double)atomic_load(&m->share);
    return state;
}

bool models_wait(models *m, double seconds)
{
    struct timespec until;
    int late = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (int64_t)(seconds * 1e9);
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&m->lock);
    while (m->state == MODEL_LOADING && !late)
        late = pthread_cond_timedwait(&m->changed, &m->lock, &until);
    bool done = m->state != MODEL_LOADING;
    pthread_mutex_unlock(&m->lock);
    return done;
}

const served_model *models_first(models *m)
{
    return models_state(m, NULL, NULL) == MODEL_READY ? &m->first : NULL;
}

const served_model *models_find(models *m, const char *name, api_error *e)
{
    double share;
    ingle_error why = {{0}};
    if (*name && m->opt.strict && !is_own_name(m, name)) {
        api_fail(e, 404, "model_not_found", "model",
                 "there is no model '%.200s' here; there is '%s'", name, m->first.name);
        return NULL;
    }
    switch (models_state(m, &share, &why)) {
    case MODEL_READY: return &m->first;
    case MODEL_LOADING:
        api_fail(e, 503, "loading", NULL, "the model is loading (%.0f %%)", share * 100);
        e->retry_after = 2;
        break;
    case MODEL_FAILED:
        api_fail(e, 503, "model_failed", NULL, "the model cannot be loaded: %s", why.text);
        break;
    }
    return NULL;
}

size_t models_n_aliases(const models *m)
{
    return m->opt.n_aliases;
}

const char *models_alias(const models *m, size_t i)
{
    return m->opt.aliases[i];
}
