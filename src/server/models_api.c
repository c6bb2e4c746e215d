/* models_api.c - the list of models, in OpenAI's form and in Anthropic's. */
#include "admin.h"
#include "anthropic.h"
#include "server.h"

#include <string.h>

static void put_meta(const served_model *m, ingle_json_writer *w)
{
    ingle_json_begin_object(ingle_json_name(w, "meta"));
    ingle_json_put_text(ingle_json_name(w, "architecture"), m->info.architecture);
    ingle_json_put_i64(ingle_json_name(w, "n_ctx_train"), m->info.n_ctx_train);
    ingle_json_put_i64(ingle_json_name(w, "n_embd"), m->info.n_embd);
    ingle_json_put_i64(ingle_json_name(w, "n_vocab"), m->info.n_vocab);
    ingle_json_put_u64(ingle_json_name(w, "n_params"), m->info.n_params);
    ingle_json_put_u64(ingle_json_name(w, "size"), m->info.n_bytes);
    ingle_json_end_object(w);
}

static void put_capabilities(const served_model *m, ingle_json_writer *w)
{
    ingle_json_begin_array(ingle_json_name(w, "capabilities"));
    ingle_json_put_text(w, "completion");
    if (m->chat) ingle_json_put_text(w, "tools");
    if (m->chat_info.thinks) ingle_json_put_text(w, "thinking");
    if (m->chat_info.fim_prefix) ingle_json_put_text(w, "insert");
    ingle_json_end_array(w);
}

static void put_aliases(const job *j, ingle_json_writer *w)
{
    const models *all = j->server->models;
    ingle_json_begin_array(ingle_json_name(w, "aliases"));
    for (size_t i = 0; i < models_n_aliases(all); i++) ingle_json_put_text(w, models_alias(all, i));
    ingle_json_end_array(w);
}

static void put_openai(const job *j, const served_model *m, ingle_json_writer *w)
{
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "id"), m->name);
    ingle_json_put_text(ingle_json_name(w, "object"), "model");
    ingle_json_put_i64(ingle_json_name(w, "created"), m->created);
    ingle_json_put_text(ingle_json_name(w, "owned_by"), "ingle");
    ingle_json_put_i64(ingle_json_name(w, "context_length"), m->engine_info.n_ctx);
    ingle_json_put_i64(ingle_json_name(w, "max_model_len"), m->engine_info.n_ctx);
    put_meta(m, w);
    ingle_json_begin_object(ingle_json_name(w, "architecture"));
    ingle_json_begin_array(ingle_json_name(w, "input_modalities"));
    ingle_json_put_text(w, "text");
    ingle_json_end_array(w);
    ingle_json_begin_array(ingle_json_name(w, "output_modalities"));
    ingle_json_put_text(w, "text");
    ingle_json_end_array(w);
    ingle_json_end_object(w);
    put_capabilities(m, w);
    ingle_json_begin_object(ingle_json_name(w, "status"));
    ingle_json_put_text(ingle_json_name(w, "value"), "loaded");
    ingle_json_end_object(w);
    put_aliases(j, w);
    ingle_json_end_object(w);
}

static void put_model(const job *j, const served_model *m, ingle_json_writer *w)
{
    if (j->shape == WIRE_ANTHROPIC) anthropic_model(m, w);
    else put_openai(j, m, w);
}

void models_list(job *j)
{
    ingle_json_writer w = {0};
    const served_model *m = models_find(j->server->models, "", &j->error);
    if (!m) return;
    ingle_json_begin_object(&w);
    if (j->shape != WIRE_ANTHROPIC) ingle_json_put_text(ingle_json_name(&w, "object"), "list");
    ingle_json_begin_array(ingle_json_name(&w, "data"));
    put_model(j, m, &w);
    ingle_json_end_array(&w);
    if (j->shape == WIRE_ANTHROPIC) {
        ingle_json_put_bool(ingle_json_name(&w, "has_more"), false);
        ingle_json_put_text(ingle_json_name(&w, "first_id"), m->name);
        ingle_json_put_text(ingle_json_name(&w, "last_id"), m->name);
    }
    ingle_json_end_object(&w);
    job_answer(j, 200, &w);
}

void model_show(job *j)
{
    ingle_json_writer w = {0};
    const served_model *m =
        models_find(j->server->models, j->argument ? j->argument : "", &j->error);
    if (!m) return;
    put_model(j, m, &w);
    job_answer(j, 200, &w);
}
