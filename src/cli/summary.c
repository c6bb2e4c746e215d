#include <ingle_tools.h>
#include "summary.h"

#include "out.h"

#include <stdio.h>
#include <string.h>

/* The first row whose mark the template holds. */
const char *summary_template(const char *chat_template)
{
    static const struct {
        const char *mark, *family;
    } rows[] = {
        {"<|channel|>", "harmony"},
        {"<|header_start|>", "llama4"},
        {"<|start_header_id|>", "llama3"},
        {"<|im_user|>", "kimi"},
        {"<|im_start|>", "chatml"},
        {"<|turn>", "gemma4"},
        {"<start_of_turn>", "gemma"},
        {"<|START_OF_TURN_TOKEN|>", "command-r"},
        {"<|start_of_role|>", "granite"},
        {"<\xef\xbd\x9cUser\xef\xbd\x9c>", "deepseek"},
        {"<\xef\xbd\x9chy_User\xef\xbd\x9c>", "hunyuan"},
        {"<|startoftext|>", "hunyuan"},
        {"[gMASK]", "glm"},
        {"[|assistant|]", "exaone"},
        {"<seed:bos>", "seed"},
        {"<|assistant_start|>", "apertus"},
        {"[SYSTEM_PROMPT]", "mistral-v7"},
        {"[AVAILABLE_TOOLS]", "mistral-v3"},
        {"<<SYS>>", "llama2"},
        {"[INST]", "mistral-v1"},
        {"<|assistant|>", "phi"},
        {"### Instruction:", "alpaca"},
        {"USER:", "vicuna"},
    };
    if (!chat_template) return "none";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strstr(chat_template, rows[i].mark)) return rows[i].family;
    return "own";
}

static double bits_per_weight(const ingle_model_info *info)
{
    return info->n_params ? 8.0 * (double)info->n_bytes / (double)info->n_params : 0;
}

static void print_field(const char *label, const char *value)
{
    printf("%-14s", label);
    out_plain(value, 0);
    putchar('\n');
}

static void print_family(const open_handles *h)
{
    ingle_family_info f = {.size = sizeof f};
    if (ingle_model_family(h->model, &f, NULL) != INGLE_OK || !f.name) return;
    print_field(f.known ? "family" : "nearest", f.name);
    print_field("features", f.features);
    if (f.n_unknown) {
        printf("unknown       %zu tensor name%s: ", f.n_unknown, f.n_unknown > 1 ? "s" : "");
        out_plain(f.unknown, 0);
        putchar('\n');
    }
}

/* For the context given or the default one. */
static void print_memory_line(const open_handles *h, const open_options *opt)
{
    ingle_engine_options engine;
    ingle_memory mem = {.size = sizeof mem};
    char total[32], kv[32];
    open_engine_options(h, opt, &engine);
    if (ingle_model_memory(h->model, &engine, &mem, NULL) != INGLE_OK) return;
    int n_ctx = engine.n_ctx                 ? engine.n_ctx
                : h->info.n_ctx_train < 8192 ? h->info.n_ctx_train
                                             : 8192;
    out_format_bytes((double)mem.total, total, sizeof total);
    out_format_bytes((double)mem.kv, kv, sizeof kv);
    printf("memory        %s with a context of %d tokens, %s of it for keys and values\n", total,
           n_ctx, kv);
}

static void print_limits(const ingle_model_info *info, bool has_vocab, const char *why)
{
    if (why[0]) print_field("does not run", why);
    else puts("runs          yes");
    if (!has_vocab) puts("no text       the file has no vocabulary: token ids only");
    else if (!info->chat_template)
        puts("no chat       the file has no chat template: plain continuation only");
}

void summary_print(const open_handles *h, const open_options *opt, const char *why)
{
    const ingle_model_info *info = &h->info;
    char size[32];
    const char *note;
    ingle_token_info token = {.size = sizeof token};
    out_format_bytes((double)info->n_bytes, size, sizeof size);
    print_field("file", h->path);
    if (info->name[0]) print_field("name", info->name);
    print_field("architecture", info->architecture);
    print_family(h);
    printf("weights       %zu in %zu tensors, %s, %.2f bits per weight\n", info->n_params,
           info->n_tensors, size, bits_per_weight(info));
    if (info->n_layer > 0) {
        printf("shape         %d layers, width %d, %d heads, %d KV heads\n", info->n_layer,
               info->n_embd, info->n_head, info->n_head_kv);
    }
    if (info->n_ctx_train > 0) printf("context       %d tokens\n", info->n_ctx_train);
    if (info->n_vocab > 0) printf("vocabulary    %d tokens\n", info->n_vocab);
    print_field("template", summary_template(info->chat_template));
    if (!why[0]) print_memory_line(h, opt);
    for (size_t i = 0; ingle_model_note(h->model, i, &note, NULL) == INGLE_OK; i++)
        print_field("note", note);
    bool has_vocab = why[0] || ingle_token_info_get(h->model, 0, &token, NULL) == INGLE_OK;
    print_limits(info, has_vocab, why);
}

/* "a, b" as ["a","b"]. */
static void put_list(ingle_json_writer *w, const char *text)
{
    ingle_json_begin_array(w);
    for (const char *end; *text; text = *end ? end + 2 : end) {
        end = strstr(text, ", ");
        if (!end) end = text + strlen(text);
        ingle_json_put_bytes(w, text, (size_t)(end - text));
    }
    ingle_json_end_array(w);
}

static void put_family(ingle_json_writer *w, const ingle_family_info *f)
{
    ingle_json_put_text(ingle_json_name(w, f->known ? "family" : "nearest"), f->name);
    put_list(ingle_json_name(w, "features"), f->features);
    ingle_json_put_u64(ingle_json_name(w, "n_unknown"), f->n_unknown);
    put_list(ingle_json_name(w, "unknown"), f->unknown);
}

static void put_shape(ingle_json_writer *w, const ingle_model_info *info)
{
    ingle_json_put_u64(ingle_json_name(w, "n_params"), info->n_params);
    ingle_json_put_u64(ingle_json_name(w, "n_bytes"), info->n_bytes);
    out_json_fixed(ingle_json_name(w, "bits_per_weight"), bits_per_weight(info), 4);
    ingle_json_put_u64(ingle_json_name(w, "n_tensors"), info->n_tensors);
    ingle_json_put_i64(ingle_json_name(w, "n_vocab"), info->n_vocab);
    ingle_json_put_i64(ingle_json_name(w, "n_embd"), info->n_embd);
    ingle_json_put_i64(ingle_json_name(w, "n_layer"), info->n_layer);
    ingle_json_put_i64(ingle_json_name(w, "n_head"), info->n_head);
    ingle_json_put_i64(ingle_json_name(w, "n_head_kv"), info->n_head_kv);
    ingle_json_put_i64(ingle_json_name(w, "n_ctx_train"), info->n_ctx_train);
    ingle_json_put_bool(ingle_json_name(w, "encoder"), info->encoder);
    ingle_json_put_bool(ingle_json_name(w, "recurrent"), info->recurrent);
    ingle_json_put_bool(ingle_json_name(w, "hybrid"), info->hybrid);
}

void summary_json(ingle_json_writer *w, const open_handles *h, const char *why)
{
    const ingle_model_info *info = &h->info;
    ingle_family_info f = {.size = sizeof f};
    const char *note;
    ingle_json_put_text(ingle_json_name(w, "file"), h->path);
    ingle_json_put_text(ingle_json_name(w, "name"), info->name);
    ingle_json_put_text(ingle_json_name(w, "architecture"), info->architecture);
    if (ingle_model_family(h->model, &f, NULL) == INGLE_OK && f.name) put_family(w, &f);
    ingle_json_put_text(ingle_json_name(w, "template"), summary_template(info->chat_template));
    ingle_json_put_bool(ingle_json_name(w, "runs"), !why[0]);
    ingle_json_put_text(ingle_json_name(w, "why"), why);
    ingle_json_begin_array(ingle_json_name(w, "notes"));
    for (size_t i = 0; ingle_model_note(h->model, i, &note, NULL) == INGLE_OK; i++)
        ingle_json_put_text(w, note);
    ingle_json_end_array(w);
    put_shape(w, info);
}

void summary_families(bool json)
{
    ingle_json_writer w = out_json();
    const char *name;
    char features[512];
    if (json) ingle_json_begin_object(&w);
    for (size_t i = 0; ingle_family_get(i, &name, features, sizeof features, NULL) == INGLE_OK;
         i++) {
        if (json) put_list(ingle_json_name(&w, name), features);
        else printf("%-16s %s\n", name, features);
    }
    if (json) {
        ingle_json_end_object(&w);
        out_json_line(&w);
    }
    ingle_json_writer_free(&w);
}
