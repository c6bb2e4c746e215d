/* open.c - see open.h. */
#include "open.h"
#include "model_path.h"
#include "out.h"
#include "platform.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { LEAST_USEFUL = 32 }; /* tokens of a context */

static const arg_choice KV_TYPES[] = {{"f32", INGLE_TYPE_F32},
                                      {"f16", INGLE_TYPE_F16},
                                      {"bf16", INGLE_TYPE_BF16},
                                      {"q8_0", INGLE_TYPE_Q8_0},
                                      {NULL, 0}};

static const arg_choice ISA_LEVELS[] = {
    {"auto", INGLE_ISA_AUTO},     {"ref", INGLE_ISA_REF},
    {"avx2", INGLE_ISA_AVX2},     {"avxvnni", INGLE_ISA_AVXVNNI},
    {"avx512", INGLE_ISA_AVX512}, {"avx512bf16", INGLE_ISA_AVX512BF16},
    {"neon", INGLE_ISA_NEON},     {"dotprod", INGLE_ISA_DOTPROD},
    {"i8mm", INGLE_ISA_I8MM},     {NULL, 0}};

enum { EXPERTS_PACKED, EXPERTS_MMAP };
static const arg_choice EXPERTS[] = {{"packed", EXPERTS_PACKED}, {"mmap", EXPERTS_MMAP}, {NULL, 0}};

#define AT(field) offsetof(open_options, field)

const arg_option open_rows_model[OPEN_N_MODEL] = {
    {"-m --model", "FILE", ARG_STRING, AT(model), 0, 0, NULL,
     "GGUF file; of a split model any one part (default: the bundled tiny model)"},
    {"--override-kv", "KEY=TYPE:VALUE", ARG_LIST, AT(overrides), 0, 0, NULL,
     "metadata in place of the file's, with the types int, float, bool and str, as in "
     "llama.context_length=int:8192; repeatable"},
};

const arg_option open_rows_compute[OPEN_N_COMPUTE] = {
    {"-c --ctx-size", "N", ARG_INT, AT(n_ctx), 0, ARG_MAX, NULL,
     "context size in tokens; 0 is the model's own (default: the smaller of the model's and 8192)"},
    {"-b --batch --batch-size", "N", ARG_INT, AT(n_batch), 1, ARG_MAX, NULL,
     "most prompt tokens computed at once (default 512)"},
    {"-t --threads", "N", ARG_INT, AT(n_threads), 1, ARG_MAX, NULL,
     "threads (default: the physical cores that affinity and cgroup quota allow)"},
    {"--kv --kv-type", "TYPE", ARG_CHOICE, AT(kv), 0, 0, KV_TYPES,
     "type of the KV cache: f32, f16, bf16 or q8_0 (default f16)"},
    {"-ctk --cache-type-k", "TYPE", ARG_CHOICE, AT(kv_k), 0, 0, KV_TYPES,
     "type of the keys in the KV cache; must agree with -ctv"},
    {"-ctv --cache-type-v", "TYPE", ARG_CHOICE, AT(kv_v), 0, 0, KV_TYPES,
     "type of the values in the KV cache; must agree with -ctk"},
    {"--isa", "LEVEL", ARG_CHOICE, AT(isa), 0, 0, ISA_LEVELS,
     "instruction-set level of the kernels: auto, ref, avx2, avxvnni, avx512, avx512bf16, neon, "
     "dotprod or i8mm (default auto, which never is avx512bf16: there BF16 weights are multiplied "
     "with activations rounded to bf16)"},
    {"--in-place", NULL, ARG_FLAG, AT(in_place), 0, 0, NULL,
     "leave the weights in the mapped file: opens at once, takes no memory but the file cache, "
     "computes the same bits more slowly; nobody may shorten the file meanwhile"},
    {"--experts", "HOW", ARG_CHOICE, AT(experts), 0, 0, EXPERTS,
     "packed: in memory (default); mmap: the experts of a mixture stay in the mapped file, so that "
     "a model larger than memory runs"},
};

/* What of the options a model need not be known for. */
static void engine_options(const open_options *opt, ingle_engine_options *engine)
{
    ingle_engine_options_init(engine);
    if (opt->n_ctx > 0) engine->n_ctx = opt->n_ctx;
    if (opt->n_batch > 0) engine->n_batch = opt->n_batch;
    if (opt->n_sessions > 0) engine->n_sessions = opt->n_sessions;
    engine->n_threads = opt->n_threads;
    if (opt->kv >= 0) engine->kv_type = (ingle_type)opt->kv;
}

ingle_status open_check_model(const void *options, const arg_option *row, ingle_error *err)
{
    const open_options *opt = options;
    ingle_model_options model;
    (void)row;
    ingle_model_options_init(&model);
    model.overrides = opt->overrides.items;
    model.n_overrides = opt->overrides.n;
    return ingle_model_options_check(&model, err);
}

ingle_status open_check_compute(const void *options, const arg_option *row, ingle_error *err)
{
    ingle_engine_options engine;
    (void)row;
    engine_options(options, &engine);
    return ingle_engine_options_check(&engine, err);
}

int open_failed(const char *what, ingle_status status, const ingle_error *err)
{
    if (status == INGLE_ECANCELLED) return EXIT_INTERRUPTED;
    out_error("%s: %s", what, err->text[0] ? err->text : ingle_status_name(status));
    return EXIT_WORK;
}

/* One type for keys and values; one given alone has to be what the other one is by default. */
static bool settle_kv(const cli_verb *verb, open_options *opt)
{
    int k = opt->kv_k >= 0 ? opt->kv_k : opt->kv >= 0 ? opt->kv : INGLE_TYPE_F16;
    int v = opt->kv_v >= 0 ? opt->kv_v : opt->kv >= 0 ? opt->kv : INGLE_TYPE_F16;
    if (k != v || (opt->kv >= 0 && k != opt->kv)) {
        out_error("%s: keys and values of the KV cache have one type: give -ctk and -ctv the same, "
                  "or use --kv",
                  verb->name);
        return false;
    }
    opt->kv = k;
    return true;
}

int open_check(const cli_verb *verb, open_options *opt, const char *positional)
{
    if (positional && opt->model) {
        out_error("%s: the model is given twice: '%s' and '%s'", verb->name, positional,
                  opt->model);
        return EXIT_USAGE;
    }
    if (positional) opt->model = positional;
    if (!settle_kv(verb, opt)) return EXIT_USAGE;
    if (opt->isa != INGLE_ISA_AUTO && !ingle_isa_runs_here((ingle_isa)opt->isa)) {
        out_error("%s: option '--isa': this processor cannot run %s", verb->name,
                  ingle_isa_name((ingle_isa)opt->isa));
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static bool show_loading(void *user, double share)
{
    out_progress_show(user, "loading", share);
    return !platform_interrupted();
}

/* What is written must not be what is read: the model, its parts, standard input. */
static int check_output(const open_handles *h, const open_options *opt)
{
    const char *out = opt->output, *what = NULL;
    if (platform_is_open_on(1, h->path)) {
        out_error("standard output leads into the model file %s", h->path);
        return EXIT_USAGE;
    }
    if (!out || strcmp(out, "-") == 0) return EXIT_DONE;
    if (model_path_has(h->path, out)) what = "the model itself";
    else if (platform_is_open_on(0, out)) what = "what standard input reads";
    if (!what) return EXIT_DONE;
    out_error("option '%s': %s is %s; nothing was written", opt->output_option, out, what);
    return EXIT_USAGE;
}

int open_path(open_handles *h, const open_options *opt)
{
    if (opt->model) {
        if ((size_t)snprintf(h->path, sizeof h->path, "%s", opt->model) >= sizeof h->path) {
            out_error("the model's path is longer than %zu bytes", sizeof h->path - 1);
            return EXIT_MODEL;
        }
    } else if (!model_path_bundled(h->path, sizeof h->path)) {
        return EXIT_MODEL;
    }
    if (!platform_is_file(h->path)) {
        model_path_explain(h->path);
        h->status = INGLE_ENOTFOUND;
        return EXIT_MODEL;
    }
    return check_output(h, opt);
}

void open_model_options(const open_options *opt, ingle_model_options *model)
{
    ingle_model_options_init(model);
    model->isa = (ingle_isa)opt->isa;
    model->n_threads = opt->n_threads;
    model->in_place = opt->in_place;
    model->map_experts = opt->experts == EXPERTS_MMAP;
    model->overrides = opt->overrides.items;
    model->n_overrides = opt->overrides.n;
}

ingle_status open_try(open_handles *h, const open_options *opt, ingle_parts parts, ingle_error *err)
{
    ingle_model_options model;
    out_progress progress;
    out_progress_start(&progress);
    open_model_options(opt, &model);
    model.parts = parts;
    model.progress = show_loading;
    model.user = &progress;
    ingle_status status = ingle_model_open(&h->model, h->path, &model, err);
    out_progress_clear(&progress);
    h->load_s = ingle_now() - progress.start;
    h->info.size = sizeof h->info;
    if (status == INGLE_OK) status = ingle_model_info_get(h->model, &h->info, err);
    h->status = status;
    return status;
}

int open_model(open_handles *h, const open_options *opt, ingle_parts parts)
{
    ingle_error err = {{0}};
    int code = h->path[0] ? EXIT_DONE : open_path(h, opt);
    if (code != EXIT_DONE) return code;
    ingle_status status = open_try(h, opt, parts, &err);
    const char *note;
    for (size_t i = 0; status == INGLE_OK && !ingle_model_note(h->model, i, &note, NULL); i++)
        out_note("%s: %s", h->path, note);
    if (status == INGLE_OK) return EXIT_DONE;
    size_t len = strlen(h->path);
    if (!strncmp(err.text, h->path, len) && !strncmp(err.text + len, ": ", 2)) /* once is enough */
        memmove(err.text, err.text + len + 2, strlen(err.text + len + 2) + 1);
    code = open_failed(h->path, status, &err);
    return code == EXIT_WORK ? EXIT_MODEL : code;
}

int open_check_generates(const open_handles *h)
{
    if (h->info.logits) return EXIT_DONE;
    const char *ranks = h->info.pooling == INGLE_POOLING_RANK ? "" : " --pooling rank";
    out_error("%s: this model (%s) %s texts and generates none: use 'ingle embed%s'", h->path,
              h->info.architecture, h->info.n_rank ? "ranks" : "embeds",
              h->info.n_rank ? ranks : "");
    return EXIT_WORK;
}

int open_generator(open_handles *h, const open_options *opt)
{
    int code = open_model(h, opt, INGLE_PARTS_ALL);
    return code == EXIT_DONE ? open_check_generates(h) : code;
}

void open_engine_options(const open_handles *h, const open_options *opt,
                         ingle_engine_options *engine)
{
    engine_options(opt, engine);
    if (opt->n_ctx == 0) engine->n_ctx = h->info.n_ctx_train;
}

int open_engine(open_handles *h, const open_options *opt, int32_t n_ctx_least)
{
    ingle_engine_options engine;
    ingle_error err = {{0}};
    open_engine_options(h, opt, &engine);
    if (opt->n_ctx < 0 && n_ctx_least > 0) engine.n_ctx = n_ctx_least;
    ingle_status status = ingle_engine_open(&h->engine, h->model, &engine, &err);
    h->engine_info.size = sizeof h->engine_info;
    if (status == INGLE_OK) status = ingle_engine_info_get(h->engine, &h->engine_info, &err);
    if (status == INGLE_OK) status = ingle_session_open(&h->session, h->engine, &err);
    h->status = status;
    if (status != INGLE_OK) return open_failed(h->path, status, &err);
    if (opt->n_ctx > 0 && h->info.n_ctx_train && opt->n_ctx > h->info.n_ctx_train)
        out_note("a context of %d tokens is beyond the %d that the model was trained for",
                 opt->n_ctx, h->info.n_ctx_train);
    if (opt->n_ctx > 0 && h->engine_info.n_ctx < LEAST_USEFUL)
        out_note("a context of %d tokens holds hardly a sentence; -c sets it",
                 h->engine_info.n_ctx);
    if (h->engine_info.n_ctx_defaulted) {
        out_note("the context holds %d of the model's %d tokens; -c sets it", h->engine_info.n_ctx,
                 h->info.n_ctx_train);
    }
    return EXIT_DONE;
}

void open_options_free(open_options *opt)
{
    args_list_free(&opt->overrides);
}

void open_close(open_handles *h)
{
    ingle_session_close(&h->session);
    ingle_engine_close(&h->engine);
    ingle_model_close(&h->model);
}
