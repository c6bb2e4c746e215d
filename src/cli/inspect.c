/* inspect.c - `ingle inspect`: what is in a GGUF file, what the engine would make of it.
 * Depends on open.h, out.h. */
#include <ingle_tools.h>
#include "open.h"
#include "out.h"
#include "platform.h"
#include "summary.h"
#include "verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_ITEMS = 8, SHOWN_BYTES = 200 }; /* of an array, of a value, shown to people */

typedef struct inspect_options {
    open_options open;
    bool plan, memory, tensors, families, json;
} inspect_options;

#define AT(field) offsetof(inspect_options, field)

static const arg_option ROWS[] = {
    {"--tensors", NULL, ARG_FLAG, AT(tensors), 0, 0, NULL,
     "every tensor by name (default: a line per type)"},
    {"--plan", NULL, ARG_FLAG, AT(plan), 0, 0, NULL, "the plan: the instructions of one step"},
    {"--memory", NULL, ARG_FLAG, AT(memory), 0, 0, NULL,
     "exact bytes an engine would take with the context, batch, threads and KV type given; in all, "
     "and on each home, which is a device or this host"},
    {"--families", NULL, ARG_FLAG, AT(families), 0, 0, NULL,
     "every family this build runs, with its features; no model is read"},
    {"--json", NULL, ARG_FLAG, AT(json), 0, 0, NULL, "one JSON object, arrays in full"},
};

static const arg_group GROUPS[] = {
    {"Model", open_rows_model, OPEN_N_MODEL, AT(open), open_check_model, 0},
    {"What to show", ROWS, sizeof ROWS / sizeof *ROWS, 0, NULL, 0},
    {"Computing", open_rows_compute, sizeof open_rows_compute / sizeof *open_rows_compute, AT(open),
     open_check_compute, 0},
};

/* ---- metadata -------------------------------------------------------------------------------- */

/* The i-th value as JSON text in *text, which grows. */
static ingle_status read_meta(const ingle_model *model, size_t i, size_t max_items,
                              const char **key, char **text, size_t *cap, ingle_error *err)
{
    for (;;) {
        size_t len = 0;
        ingle_status status = ingle_model_meta(model, i, key, *text, *cap, &len, max_items, err);
        if (status != INGLE_ERANGE) return status;
        char *larger = realloc(*text, len + 1);
        if (!larger) {
            snprintf(err->text, sizeof err->text, "no memory for the metadata");
            return INGLE_ENOMEM;
        }
        *text = larger;
        *cap = len + 1;
    }
}

/* Cuts a long value between two characters; there is room for the dots. */
static void shorten(char *text)
{
    size_t end = SHOWN_BYTES;
    if (strlen(text) < SHOWN_BYTES + sizeof " ...") return;
    while ((text[end] & 0xc0) == 0x80) end--;
    strcpy(text + end, " ...");
}

static void print_value(const char *key, char *text)
{
    fputs("  ", stdout);
    out_plain(key, 0);
    shorten(text);
    fputs(" = ", stdout);
    out_plain(text, 0);
    putchar('\n');
}

static ingle_status print_metadata(const open_handles *h, ingle_json_writer *w, ingle_error *err)
{
    const char *key = NULL;
    char *text = NULL;
    size_t cap = 0, max_items = w ? SIZE_MAX : SHOWN_ITEMS;
    ingle_status status = INGLE_OK;
    if (w) ingle_json_begin_object(ingle_json_name(w, "metadata"));
    else puts("\nMetadata");
    for (size_t i = 0; status == INGLE_OK; i++) {
        status = read_meta(h->model, i, max_items, &key, &text, &cap, err);
        if (status != INGLE_OK) break;
        if (w) ingle_json_put_raw(ingle_json_name(w, key), text, strlen(text));
        else print_value(key, text);
    }
    if (w) ingle_json_end_object(w);
    free(text);
    return status == INGLE_ENOTFOUND ? INGLE_OK : status;
}

/* ---- tensors --------------------------------------------------------------------------------- */

static void print_tensor(const ingle_tensor_info *t)
{
    fputs("  ", stdout);
    out_plain(t->name, 36);
    printf(" %-7s", t->type);
    for (int d = 0; d < t->n_dims; d++) {
        printf("%s%llu", d ? " x " : " ", (unsigned long long)t->dims[d]);
    }
    putchar('\n');
}

static void put_tensor(ingle_json_writer *w, const ingle_tensor_info *t)
{
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "name"), t->name);
    ingle_json_put_text(ingle_json_name(w, "type"), t->type);
    ingle_json_begin_array(ingle_json_name(w, "dims"));
    for (int d = 0; d < t->n_dims; d++) ingle_json_put_u64(w, t->dims[d]);
    ingle_json_end_array(w);
    ingle_json_put_u64(ingle_json_name(w, "bytes"), t->n_bytes);
    ingle_json_end_object(w);
}

static ingle_status print_all_tensors(const open_handles *h, ingle_json_writer *w, ingle_error *err)
{
    ingle_tensor_info t = {.size = sizeof t};
    if (w) ingle_json_begin_array(ingle_json_name(w, "tensors"));
    else puts("\nTensors");
    for (size_t i = 0; i < h->info.n_tensors; i++) {
        ingle_status status = ingle_model_tensor(h->model, i, &t, err);
        if (status != INGLE_OK) return status;
        if (w) put_tensor(w, &t);
        else print_tensor(&t);
    }
    if (w) ingle_json_end_array(w);
    return INGLE_OK;
}

typedef struct type_sum {
    const char *type;
    size_t n;
    double bytes;
} type_sum;

static ingle_status print_types(const open_handles *h, ingle_error *err)
{
    type_sum sums[INGLE_TYPE_COUNT] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < h->info.n_tensors; i++) {
        ingle_tensor_info t = {.size = sizeof t};
        ingle_status status = ingle_model_tensor(h->model, i, &t, err);
        if (status != INGLE_OK) return status;
        size_t k = 0;
        while (k < n && strcmp(sums[k].type, t.type) != 0) k++;
        if (k == INGLE_TYPE_COUNT) continue;
        if (k == n) sums[n++].type = t.type;
        sums[k].n++;
        sums[k].bytes += (double)t.n_bytes;
    }
    printf("\nTensors (--tensors lists them)\n");
    for (size_t k = 0; k < n; k++) {
        char size[32];
        out_format_bytes(sums[k].bytes, size, sizeof size);
        printf("  %-7s %5zu tensors  %s\n", sums[k].type, sums[k].n, size);
    }
    return INGLE_OK;
}

/* ---- plan and memory ------------------------------------------------------------------------- */

static ingle_status print_plan(const open_handles *h, ingle_json_writer *w, ingle_error *err)
{
    size_t len = 0;
    ingle_status status = ingle_model_plan(h->model, NULL, 0, &len, err);
    if (status != INGLE_OK && status != INGLE_ERANGE) return status;
    char *text = malloc(len + 1);
    if (!text) {
        snprintf(err->text, sizeof err->text, "no memory for the plan");
        return INGLE_ENOMEM;
    }
    status = ingle_model_plan(h->model, text, len + 1, &len, err);
    if (status == INGLE_OK && w) {
        ingle_json_put_bytes(ingle_json_name(w, "plan"), text, len);
    } else if (status == INGLE_OK) {
        printf("\nPlan\n%s%s", text, len && text[len - 1] == '\n' ? "" : "\n");
    }
    free(text);
    return status;
}

static void print_component(const char *name, size_t bytes)
{
    char size[32];
    out_format_bytes((double)bytes, size, sizeof size);
    printf("  %-8s %15zu bytes  %12s\n", name, bytes, size);
}

static ingle_status put_homes(ingle_json_writer *w, const open_handles *h,
                              const ingle_engine_options *engine, ingle_error *err)
{
    ingle_home_memory home = {.size = sizeof home};
    ingle_status status;
    ingle_json_begin_array(ingle_json_name(w, "homes"));
    for (size_t i = 0; !(status = ingle_model_home_memory(h->model, engine, i, &home, err)); i++) {
        ingle_json_begin_object(w);
        ingle_json_put_text(ingle_json_name(w, "name"), home.name);
        ingle_json_put_u64(ingle_json_name(w, "weights"), home.weights);
        ingle_json_put_u64(ingle_json_name(w, "kv"), home.kv);
        ingle_json_put_u64(ingle_json_name(w, "state"), home.state);
        ingle_json_put_u64(ingle_json_name(w, "scratch"), home.scratch);
        ingle_json_put_u64(ingle_json_name(w, "total"), home.total);
        ingle_json_put_u64(ingle_json_name(w, "mapped"), home.mapped);
        ingle_json_end_object(w);
    }
    ingle_json_end_array(w);
    return status == INGLE_ENOTFOUND ? INGLE_OK : status;
}

static void print_cell(size_t bytes)
{
    char size[32];
    out_format_bytes((double)bytes, size, sizeof size);
    printf(" %11s", size);
}

/* A line per home. */
static ingle_status print_homes(const open_handles *h, const ingle_engine_options *engine,
                                bool state, bool mapped, ingle_error *err)
{
    ingle_home_memory home = {.size = sizeof home};
    ingle_status status;
    printf("\n%-8s %11s %11s", "Homes", "weights", "kv");
    if (state) printf(" %11s", "state");
    printf(" %11s %11s", "scratch", "total");
    puts(mapped ? "      mapped" : "");
    for (size_t i = 0; !(status = ingle_model_home_memory(h->model, engine, i, &home, err)); i++) {
        fputs("  ", stdout);
        out_plain(home.name, 6);
        print_cell(home.weights);
        print_cell(home.kv);
        if (state) print_cell(home.state);
        print_cell(home.scratch);
        print_cell(home.total);
        if (mapped) print_cell(home.mapped);
        putchar('\n');
    }
    return status == INGLE_ENOTFOUND ? INGLE_OK : status;
}

static ingle_status put_memory(ingle_json_writer *w, const open_handles *h,
                               const ingle_engine_options *engine, const ingle_memory *mem,
                               ingle_error *err)
{
    ingle_json_begin_object(ingle_json_name(w, "memory"));
    ingle_json_put_u64(ingle_json_name(w, "weights"), mem->weights);
    ingle_json_put_u64(ingle_json_name(w, "vocab"), mem->vocab);
    ingle_json_put_u64(ingle_json_name(w, "kv"), mem->kv);
    ingle_json_put_u64(ingle_json_name(w, "state"), mem->state);
    ingle_json_put_u64(ingle_json_name(w, "scratch"), mem->scratch);
    ingle_json_put_u64(ingle_json_name(w, "total"), mem->total);
    ingle_json_put_u64(ingle_json_name(w, "mapped"), mem->mapped);
    ingle_status status = put_homes(w, h, engine, err);
    ingle_json_end_object(w);
    return status;
}

static ingle_status print_memory(const open_handles *h, const inspect_options *opt,
                                 ingle_json_writer *w, ingle_error *err)
{
    ingle_engine_options engine;
    ingle_memory mem = {.size = sizeof mem};
    open_engine_options(h, &opt->open, &engine);
    ingle_status status = ingle_model_memory(h->model, &engine, &mem, err);
    if (status != INGLE_OK) return status;
    if (w) return put_memory(w, h, &engine, &mem, err);
    printf("\nMemory\n");
    print_component("weights", mem.weights);
    print_component("vocab", mem.vocab);
    print_component("kv", mem.kv);
    if (mem.state) print_component("state", mem.state);
    print_component("scratch", mem.scratch);
    print_component("total", mem.total);
    bool mapped = opt->open.in_place || mem.mapped;
    if (mapped) print_component("mapped", mem.mapped);
    return print_homes(h, &engine, mem.state > 0, mapped, err);
}

/* ---- the verb -------------------------------------------------------------------------------- */

/* --plan and --memory show just that; else everything about the file. As JSON if w is given. */
static ingle_status print_all(const open_handles *h, const inspect_options *opt, const char *why,
                              ingle_json_writer *w, ingle_error *err)
{
    bool only = opt->plan || opt->memory;
    ingle_status status = INGLE_OK;
    if (w) summary_json(w, h, why);
    else summary_print(h, &opt->open, why);
    if (!only) status = print_metadata(h, w, err);
    if (status == INGLE_OK && (opt->tensors || (w && !only))) {
        status = print_all_tensors(h, w, err);
    } else if (status == INGLE_OK && !only) {
        status = print_types(h, err);
    }
    if (status == INGLE_OK && opt->plan) status = print_plan(h, w, err);
    if (status == INGLE_OK && opt->memory) status = print_memory(h, opt, w, err);
    return status;
}

/* One object, or nothing if it fails. */
static ingle_status print_object(const open_handles *h, const inspect_options *opt, const char *why,
                                 ingle_error *err)
{
    ingle_json_writer w = out_json();
    ingle_json_begin_object(&w);
    ingle_status status = print_all(h, opt, why, &w, err);
    if (status == INGLE_OK) {
        ingle_json_end_object(&w);
        out_json_line(&w);
    }
    ingle_json_writer_free(&w);
    return status;
}

static int inspect_main(const cli_verb *verb, int argc, char **argv)
{
    inspect_options opt = {.open = OPEN_OPTIONS_DEFAULT};
    open_handles h = {0};
    ingle_error err = {{0}}, why = {{0}};
    const char *positional = NULL;
    args_status parsed = args_parse(verb, &opt, argc, argv, &positional);
    int code = parsed == ARGS_HELP ? EXIT_DONE : EXIT_USAGE;
    if (parsed != ARGS_OK) goto end;
    if ((code = open_check(verb, &opt.open, positional)) != EXIT_DONE) goto end;
    if (opt.families) {
        summary_families(opt.json);
        code = EXIT_DONE;
        goto end;
    }
    if ((code = open_path(&h, &opt.open)) != EXIT_DONE) goto end;
    /* What cannot run is shown nevertheless, with the reason. */
    ingle_status status = open_try(&h, &opt.open, INGLE_PARTS_PLAN, &why);
    if (status != INGLE_OK && !opt.plan && !opt.memory) {
        status = open_try(&h, &opt.open, INGLE_PARTS_META, &err);
    } else {
        err = why;
        why.text[0] = 0;
    }
    if (status == INGLE_OK)
        status = opt.json ? print_object(&h, &opt, why.text, &err)
                          : print_all(&h, &opt, why.text, NULL, &err);
    if (status != INGLE_OK) {
        code = open_failed(h.path, status, &err);
        if (code == EXIT_WORK && !h.model) code = EXIT_MODEL;
    }
end:
    code = out_finish(code);
    open_close(&h);
    open_options_free(&opt.open);
    return code;
}

const cli_verb cli_verb_inspect = {
    .name = "inspect",
    .synopsis = "[OPTIONS] [MODEL]",
    .summary = "show what is in a GGUF file",
    .about =
        "Shows the metadata and tensors of a GGUF file, the plan the engine would run and the "
        "memory it would take; of a model that cannot run, why not, and of an architecture that "
        "is not known, the nearest one. No weights are read. Without MODEL the bundled model is "
        "shown.",
    .groups = GROUPS,
    .n_groups = sizeof GROUPS / sizeof *GROUPS,
    .max_positional = 1,
    .main = inspect_main,
};
