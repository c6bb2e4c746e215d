#include "model/model.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "base/options.h"
#include "gguf/override.h"
#include "model/build.h"
#include "model/grammar_shelf.h"
#include "model/support.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const ingle_model_options default_options = {.size = sizeof default_options, .fuse = true};

void ingle_model_options_init_sized(ingle_model_options *opt, size_t size)
{
    ingle_options_fill(opt, size, &default_options, sizeof default_options);
}

static ingle_status check_options(const ingle_model_options *opt, ingle_error *err)
{
    if ((unsigned)opt->parts > INGLE_PARTS_META)
        return ingle_fail(err, INGLE_EINVAL, "option 'parts' is %d, should be 0 to 3", opt->parts);
    if (opt->n_threads < 0 || opt->n_threads > 1024)
        return ingle_fail(err, INGLE_EINVAL, "option 'n_threads' is %d, should be 0 to 1024",
                          opt->n_threads);
    if ((unsigned)opt->isa > INGLE_ISA_I8MM || !ingle_isa_runs_here(opt->isa))
        return ingle_fail(err, INGLE_EUNSUPPORTED, "option 'isa': level '%s' does not run here",
                          (unsigned)opt->isa > INGLE_ISA_I8MM ? "?" : ingle_isa_name(opt->isa));
    if (opt->n_overrides && !opt->overrides)
        return ingle_fail(err, INGLE_EINVAL, "option 'overrides' is NULL, n_overrides is %zu",
                          opt->n_overrides);
    for (size_t i = 0; i < opt->n_overrides; i++) {
        ingle_status st = ingle_gguf_override_check(opt->overrides[i], err);
        if (st) return st;
    }
    return INGLE_OK;
}

ingle_status ingle_model_options_check(const ingle_model_options *opt, ingle_error *err)
{
    ingle_model_options o = default_options;
    ingle_status st = ingle_options_take(&o, sizeof o, opt, "the model", err);
    return st ? st : check_options(&o, err);
}

static void model_free(ingle_model *m)
{
    if (!m) return;
    ingle_grammar_shelf_close(m->shelf); /* its grammars are nobody else's any more */
    ingle_placement_free(&m->placement);
    ingle_plan_free(&m->program.plan);
    ingle_hparams_free(&m->hp);
    ingle_weights_free(&m->program.weights);
    ingle_vocab_close(&m->vocab);
    ingle_gguf_close(&m->gguf);
    free(m->name);
    free(m->architecture);
    free(m->chat_template);
    free(m->rank_template);
    free(m->sampler_order);
    ingle_notes_free(&m->notes);
    free(m);
}

/* A metadata string as a C string; "" when absent. */
static ingle_status copy_string(const ingle_model *m, const char *key, char **out, ingle_error *err)
{
    ingle_str s = {"", 0};
    ingle_status st = ingle_gguf_get_str(m->gguf, key, false, &s, err);
    if (st) return st;
    if (!(*out = malloc(s.len + 1)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for '%s'", key);
    memcpy(*out, s.ptr, s.len);
    (*out)[s.len] = 0;
    return INGLE_OK;
}

static ingle_status read_names(ingle_model *m, ingle_error *err)
{
    ingle_status st;
    if ((st = copy_string(m, "general.name", &m->name, err))) return st;
    if ((st = copy_string(m, "general.architecture", &m->architecture, err))) return st;
    if (ingle_gguf_find(m->gguf, "tokenizer.chat_template") &&
        (st = copy_string(m, "tokenizer.chat_template", &m->chat_template, err)))
        return st;
    if (ingle_gguf_find(m->gguf, "tokenizer.chat_template.rerank"))
        return copy_string(m, "tokenizer.chat_template.rerank", &m->rank_template, err);
    return INGLE_OK;
}

static ingle_status refuse_architecture(const ingle_model *m, ingle_error *err)
{
    ingle_fit fit = {0};
    if (ingle_fit_nearest(&fit, m->gguf, NULL) || !fit.family)
        return ingle_fail(err, INGLE_EUNSUPPORTED, "architecture '%.100s' is not supported",
                          m->architecture);
    if (strlen(fit.unknown) > 100) { /* whole names, as many as an error holds */
        size_t end = 100;
        while (end && fit.unknown[end] != ',') end--;
        strcpy(fit.unknown + end, end ? ", ..." : "");
    }
    return ingle_fail(err, INGLE_EUNSUPPORTED,
                      "architecture '%.60s' is not supported; the nearest that is: '%s'%s%s",
                      m->architecture, fit.family->name,
                      fit.unknown[0] ? ", which does not know " : "", fit.unknown);
}

/* The template that Qwen3-Reranker was trained with (the model card of
 * Qwen/Qwen3-Reranker-0.6B). */
static const char qwen3_rank_template[] =
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and "
    "the "
    "Instruct provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n"
    "<|im_start|>user\n<Instruct>: Given a web search query, retrieve relevant passages that "
    "answer "
    "the query\n<Query>: {query}\n<Document>: {document}<|im_end|>\n<|im_start|>assistant\n"
    "<think>\n\n</think>\n\n";

/* Whether the file says that it ranks. */
static bool is_reranker(const ingle_model *m)
{
    static const char word[] = "rerank";
    if (m->hp.pooling == INGLE_POOLING_RANK || m->rank_template) return true;
    for (const char *p = m->name; *p; p++)
        if (strncasecmp(p, word, sizeof word - 1) == 0) return true;
    return false;
}

/* A reranker without a classifier, as Qwen's own files are, answers "yes" or "no": their two
 * logits are the classifier. */
static ingle_status find_rank_words(ingle_model *m, ingle_error *err)
{
    static const char *const words[2] = {"yes", "no"};
    ingle_hparams *hp = &m->hp;
    if (m->family->rank != INGLE_RANK_LAST || !m->vocab || !is_reranker(m) ||
        ingle_gguf_find_tensor(m->gguf, "cls.output.weight") ||
        ingle_gguf_find_tensor(m->gguf, "cls.weight"))
        return INGLE_OK;
    for (int i = 0; i < 2; i++) {
        int32_t id;
        size_t n;
        ingle_status st =
            ingle_vocab_tokenize(m->vocab, words[i], strlen(words[i]), 0, &id, 1, &n, err);
        if (st && st != INGLE_ERANGE) return st;
        if (st || n != 1) return INGLE_OK; /* no rank, which is refused when it is asked for */
        hp->rank_words[i] = (uint32_t)id;
    }
    hp->ranks_by_words = true;
    hp->pooling = INGLE_POOLING_RANK;
    ingle_status st = ingle_notes_add(&m->notes, err,
                                      "the file has no classifier: a rank is the probability of "
                                      "\"yes\", and of \"no\", as the answer");
    if (st || m->rank_template) return st;
    if (!(m->rank_template = ingle_new(sizeof qwen3_rank_template, 1)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for the template of pairs");
    memcpy(m->rank_template, qwen3_rank_template, sizeof qwen3_rank_template);
    return ingle_vocab_set_rank_template(m->vocab, qwen3_rank_template, err);
}

static ingle_status read_plan(ingle_model *m, const ingle_model_options *opt, ingle_error *err)
{
    static const ingle_home cpu = {.name = "cpu", .free = UINT64_MAX};
    const ingle_border all = {0, 0};
    ingle_status st;
    ingle_str arch = {"", 0};
    if ((st = ingle_gguf_get_str(m->gguf, "general.architecture", true, &arch, err))) return st;
    if (!(m->family = ingle_family_find(arch))) return refuse_architecture(m, err);
    if ((st = ingle_hparams_read(&m->hp, m->family, m->gguf, err))) return st;
    if ((st = find_rank_words(m, err))) return st;
    ingle_program *p = &m->program;
    if ((st = ingle_weights_init(&p->weights, m->gguf, opt->in_place, opt->map_experts, err)))
        return st;
    if ((st = ingle_plan_build(p, m->family, &m->hp, m->gguf, err))) return st;
    assert(ingle_plan_is_sound(&p->plan));
    m->n_vocab = (int32_t)p->plan.n_vocab;
    p->fuse = opt->fuse;
    if ((st = ingle_plan_positions(&p->plan, m->family, &m->hp, m->gguf, err))) return st;
    return ingle_place(&m->placement, p, &cpu, 1, &all, 1, m->gguf->n_files, err);
}

static ingle_status check_vocab(ingle_model *m, ingle_error *err)
{
    ingle_vocab_info v;
    if (!m->vocab) return INGLE_OK;
    ingle_vocab_info_get(m->vocab, &v);
    m->program.plan.n_tokens = (uint32_t)v.n_tokens;
    if (v.n_tokens > m->n_vocab)
        return ingle_fail(err, INGLE_EFORMAT,
                          "tokenizer.ggml.tokens has %d entries, but the model only %d", v.n_tokens,
                          m->n_vocab);
    return INGLE_OK;
}

/* Files of other kinds have their model's architecture, or none that is known. */
static ingle_status check_kind(const ingle_model *m, ingle_error *err)
{
    static const struct {
        const char *type, *what;
    } kinds[] = {
        {"adapter", "a LoRA adapter: it goes with the model it was made for"},
        {"mmproj", "an encoder of pictures or sound (mmproj): it goes with a model of text"},
        {"imatrix", "an importance matrix (imatrix): it serves to quantise a model"}};
    ingle_str type = {"", 0};
    if (strcmp(m->architecture, "clip") == 0) type = (ingle_str){"mmproj", 6}; /* older files */
    if (ingle_gguf_find(m->gguf, "adapter.type")) type = (ingle_str){"adapter", 7};
    ingle_status st = ingle_gguf_get_str(m->gguf, "general.type", false, &type, err);
    if (st || !type.len || ingle_str_is(type, "model")) return st;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (ingle_str_is(type, kinds[i].type))
            return ingle_fail(err, INGLE_EUNSUPPORTED, "this is no model but %s", kinds[i].what);
    return ingle_fail(err, INGLE_EUNSUPPORTED, "key 'general.type' is '%.*s': this is no model",
                      type.len < 60 ? (int)type.len : 60, type.ptr);
}

static ingle_status note_vocab(ingle_model *m, ingle_error *err)
{
    ingle_vocab_info v;
    ingle_status st = INGLE_OK;
    ingle_vocab_info_get(m->vocab, &v);
    if (v.guessed_rule)
        st = ingle_notes_add(
            &m->notes, err,
            "key 'tokenizer.ggml.pre' is missing: text is cut into words by the rule "
            "'default', which is a guess");
    if (!st && v.unread)
        st = ingle_notes_add(&m->notes, err, "keys that may matter and are not read: %s", v.unread);
    return st;
}

static ingle_status note_plan(ingle_model *m, ingle_error *err)
{
    char names[256];
    size_t n = ingle_plan_media(m->gguf, names, sizeof names);
    ingle_status st = INGLE_OK;
    if (m->hp.unread)
        st = ingle_notes_add(&m->notes, err, "keys that may matter and are not read: %s",
                             m->hp.unread);
    if (!st && n)
        st = ingle_notes_add(&m->notes, err, "%zu tensors for pictures or sound are not used: %s",
                             n, names);
    return st;
}

static ingle_status open_parts(ingle_model *m, const char *path, const ingle_model_options *opt,
                               ingle_error *err)
{
    ingle_status st;
    bool plan = opt->parts == INGLE_PARTS_ALL || opt->parts == INGLE_PARTS_PLAN;
    if ((st = ingle_gguf_open(&m->gguf, path, plan, err))) return st;
    for (size_t i = 0; i < opt->n_overrides; i++)
        if ((st = ingle_gguf_override(m->gguf, opt->overrides[i], err))) return st;
    if ((st = read_names(m, err))) return st;
    if (opt->parts != INGLE_PARTS_META && (st = check_kind(m, err))) return st;
    bool has_vocab = ingle_gguf_find(m->gguf, "tokenizer.ggml.model") != NULL;
    if (opt->parts == INGLE_PARTS_VOCAB || (plan && has_vocab))
        if ((st = ingle_vocab_open(&m->vocab, m->gguf, err)) || (st = note_vocab(m, err)))
            return st;
    if (!plan) return INGLE_OK;
    if ((st = read_plan(m, opt, err))) return st;
    if ((st = check_vocab(m, err))) return st;
    if ((st = note_plan(m, err))) return st;
    if ((st = ingle_model_read_sampling(m, err))) return st;
    if (opt->parts == INGLE_PARTS_PLAN) return INGLE_OK;
    int n_threads = opt->n_threads ? opt->n_threads : ingle_default_threads();
    return ingle_placement_load(&m->placement, m->gguf, n_threads, opt->progress, opt->user, err);
}

ingle_status ingle_model_open(ingle_model **out, const char *path, const ingle_model_options *opt,
                              ingle_error *err)
{
    ingle_model_options o = default_options;
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_model_open: out is NULL");
    *out = NULL;
    if (!path) return ingle_fail(err, INGLE_EINVAL, "ingle_model_open: path is NULL");
    ingle_status st = ingle_options_take(&o, sizeof o, opt, "the model", err);
    if (!st) st = check_options(&o, err);
    if (st) return st;
    ingle_model *m = ingle_new(1, sizeof *m);
    if (!m) return ingle_fail(err, INGLE_ENOMEM, "no memory for the model");
    atomic_init(&m->refs, 1);
    m->parts = o.parts;
    if ((st = ingle_grammar_shelf_open(&m->shelf, err))) {
        model_free(m);
        return st;
    }
    m->program.isa = o.isa == INGLE_ISA_AUTO ? ingle_cpu_detect().isa : o.isa;
    if ((st = open_parts(m, path, &o, err))) {
        model_free(m);
        return st;
    }
    *out = m;
    return INGLE_OK;
}

ingle_model *ingle_model_retain(ingle_model *model)
{
    if (model) atomic_fetch_add(&model->refs, 1);
    return model;
}

void ingle_model_close(ingle_model **model)
{
    if (!model || !*model) return;
    if (atomic_fetch_sub(&(*model)->refs, 1) == 1) model_free(*model);
    *model = NULL;
}

/* ---- questions ---- */

static ingle_status closed(ingle_error *err)
{
    return ingle_fail(err, INGLE_ECLOSED, "the model is closed");
}

/* What a vocabulary says of itself. */
static void tell_vocab(const ingle_vocab *vocab, ingle_model_info *info)
{
    ingle_vocab_info v;
    ingle_vocab_info_get(vocab, &v);
    info->n_vocab = v.n_tokens;
    info->token_bos = v.bos, info->token_eos = v.eos, info->token_eot = v.eot;
    info->token_pad = v.pad, info->token_unk = v.unk, info->token_sep = v.sep;
    info->add_bos = v.add_bos, info->add_eos = v.add_eos;
}

/* What is known of a plan. */
static void tell_plan(const ingle_model *m, ingle_model_info *info)
{
    size_t n_recurrent = 0;
    for (uint32_t l = 0; l < m->hp.n_layer; l++)
        n_recurrent += m->family->recurrence != INGLE_RECUR_NONE &&
                       (m->family->scan_beside || !m->hp.layer[l].n_head);
    info->n_vocab = m->n_vocab;
    info->n_embd = (int32_t)m->hp.n_embd;
    info->n_layer = (int32_t)m->hp.n_layer;
    info->n_head = (int32_t)m->hp.n_head;
    info->n_head_kv = (int32_t)m->hp.n_head_kv;
    info->n_ctx_train = (int32_t)m->hp.n_ctx;
    info->n_vector = (int32_t)m->program.plan.n_vector;
    info->n_rank = (int32_t)m->program.plan.n_rank;
    info->pooling = ingle_model_pooling(m);
    info->causal = m->hp.causal;
    info->logits = ingle_model_has_logits(m);
    info->encoder = m->family->encoder;
    info->recurrent = n_recurrent == m->hp.n_layer && !m->family->scan_beside;
    info->hybrid = n_recurrent > 0 && !info->recurrent;
}

ingle_status ingle_model_info_get(const ingle_model *m, ingle_model_info *info, ingle_error *err)
{
    if (!m) return closed(err);
    ingle_status st = ingle_result_check(info, sizeof *info, "ingle_model_info", err);
    if (st) return st;
    ingle_model_info own = {.name = m->name,
                            .architecture = m->architecture,
                            .isa =
                                m->parts == INGLE_PARTS_ALL ? ingle_isa_name(m->program.isa) : "",
                            .chat_template = m->chat_template,
                            .rank_template = m->rank_template,
                            .n_tensors = m->gguf->n_tensors,
                            .token_bos = -1,
                            .token_eos = -1,
                            .token_eot = -1,
                            .token_pad = -1,
                            .token_unk = -1,
                            .token_sep = -1};
    for (size_t i = 0; i < m->gguf->n_tensors; i++) {
        own.n_params += m->gguf->tensors[i].n_elems;
        own.n_bytes += m->gguf->tensors[i].n_bytes;
    }
    if (m->vocab) tell_vocab(m->vocab, &own);
    if (m->family) tell_plan(m, &own);
    ingle_result_give(info, &own, sizeof own);
    return INGLE_OK;
}

ingle_status ingle_model_meta(const ingle_model *m, size_t i, const char **key, char *value,
                              size_t cap, size_t *len, size_t max_items, ingle_error *err)
{
    if (!m) return closed(err);
    if (!len || (!value && cap))
        return ingle_fail(err, INGLE_EINVAL, "ingle_model_meta: len or value is NULL");
    if (i >= m->gguf->n_kv)
        return ingle_fail(err, INGLE_ENOTFOUND, "the model has %zu keys", m->gguf->n_kv);
    if (key) *key = m->gguf->kv[i].key;
    return ingle_gguf_value_text(&m->gguf->kv[i], value, cap, len, max_items, err);
}

ingle_status ingle_model_note(const ingle_model *m, size_t i, const char **text, ingle_error *err)
{
    if (!m) return closed(err);
    if (!text) return ingle_fail(err, INGLE_EINVAL, "ingle_model_note: text is NULL");
    if (i >= m->notes.n)
        return ingle_fail(err, INGLE_ENOTFOUND, "there are %zu notes on the model", m->notes.n);
    *text = m->notes.text[i];
    return INGLE_OK;
}

ingle_status ingle_model_tensor(const ingle_model *m, size_t i, ingle_tensor_info *info,
                                ingle_error *err)
{
    if (!m) return closed(err);
    ingle_status st = ingle_result_check(info, sizeof *info, "ingle_tensor_info", err);
    if (st) return st;
    if (i >= m->gguf->n_tensors)
        return ingle_fail(err, INGLE_ENOTFOUND, "the model has %zu tensors", m->gguf->n_tensors);
    const ingle_gguf_tensor *t = &m->gguf->tensors[i];
    const char *type = ingle_type_known_name((unsigned)t->type);
    ingle_tensor_info own = {
        .name = t->name, .type = type ? type : "?", .n_dims = t->n_dims, .n_bytes = t->n_bytes};
    memcpy(own.dims, t->dims, sizeof own.dims);
    ingle_result_give(info, &own, sizeof own);
    return INGLE_OK;
}

/* Appends a line; *len counts what would have been written. */
static void append(char *text, size_t cap, size_t *len, const char *line)
{
    size_t n = strlen(line);
    if (text && *len + n < cap) memcpy(text + *len, line, n + 1);
    *len += n;
}

ingle_status ingle_model_plan(const ingle_model *m, char *text, size_t cap, size_t *len,
                              ingle_error *err)
{
    char line[640];
    size_t n = 0;
    if (!m) return closed(err);
    if (!m->family) return ingle_fail(err, INGLE_EINVAL, "the model was opened without its plan");
    if (!text && cap) return ingle_fail(err, INGLE_EINVAL, "ingle_model_plan: text is NULL");
    ingle_plan plan;
    const ingle_program *p = &m->program;
    ingle_status st = ingle_plan_fuse(&plan, &p->plan, 0, p->plan.n_instr, p->fuse, err);
    if (st) return st;
    for (size_t i = 0; i < plan.n_instr; i++) {
        static const char *const domains[] = {
            [INGLE_TOKENS] = "tokens", [INGLE_ROWS] = "rows", [INGLE_TEXTS] = "texts"};
        const ingle_instr *in = &plan.instr[i];
        int head =
            snprintf(line, sizeof line, "%4zu %-6s %-3u ", i, domains[in->domain], in->layer);
        ingle_instr_text(in, p, line + head, sizeof line - (size_t)head - 1);
        line[sizeof line - 2] = 0;
        strcat(line, "\n");
        append(text, cap, &n, line);
    }
    ingle_plan_fused_free(&plan);
    if (len) *len = n;
    if (n >= cap) return ingle_fail(err, INGLE_ERANGE, "the plan needs %zu bytes", n + 1);
    return INGLE_OK;
}

/* ---- text ---- */

static ingle_status no_vocab(ingle_error *err)
{
    return ingle_fail(err, INGLE_EUNSUPPORTED,
                      "the model has no vocabulary (tokenizer.ggml.model)");
}

ingle_status ingle_tokenize(const ingle_model *m, const char *text, size_t len, unsigned flags,
                            int32_t *tokens, size_t cap, size_t *n, ingle_error *err)
{
    if (!m) return closed(err);
    if (!m->vocab) return no_vocab(err);
    if (!n) return ingle_fail(err, INGLE_EINVAL, "ingle_tokenize: n is NULL");
    return ingle_vocab_tokenize(m->vocab, text, len, flags, tokens, cap, n, err);
}

ingle_status ingle_tokenize_pair(const ingle_model *m, const char *query, size_t query_len,
                                 const char *document, size_t document_len, int32_t *tokens,
                                 size_t cap, size_t *n, size_t *n_first, ingle_error *err)
{
    if (!m) return closed(err);
    if (!m->vocab) return no_vocab(err);
    if (!n || !n_first)
        return ingle_fail(err, INGLE_EINVAL, "ingle_tokenize_pair: n or n_first is NULL");
    ingle_status st = ingle_vocab_tokenize_pair(m->vocab, query, query_len, document, document_len,
                                                tokens, cap, n, n_first, err);
    if (m->family && m->program.plan.n_segments < 2) *n_first = 0;
    return st;
}

ingle_status ingle_detokenize(const ingle_model *m, const int32_t *tokens, size_t n, unsigned flags,
                              char *text, size_t cap, size_t *len, ingle_error *err)
{
    if (!m) return closed(err);
    if (!m->vocab) return no_vocab(err);
    if (!len) return ingle_fail(err, INGLE_EINVAL, "ingle_detokenize: len is NULL");
    return ingle_vocab_detokenize(m->vocab, tokens, n, flags, text, cap, len, err);
}

ingle_status ingle_token_info_get(const ingle_model *m, int32_t token, ingle_token_info *info,
                                  ingle_error *err)
{
    if (!m) return closed(err);
    if (!m->vocab) return no_vocab(err);
    ingle_token_info own;
    ingle_status st = ingle_result_check(info, sizeof own, "ingle_token_info", err);
    if (!st) st = ingle_vocab_token(m->vocab, token, &own, err);
    if (!st) ingle_result_give(info, &own, sizeof own);
    return st;
}
