/* test_chat_profile.c - which family a model belongs to and what its template shows
 * (chat/profile.h), over the templates of $INGLE_DATA/chat-templates if they are there. */
#include "chat/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "json_test.h"
#include "must.h"

#define N_OF(array) (sizeof(array) / sizeof *(array))

static ingle_error err;

static ingle_chat_profile find(ingle_profile_query q)
{
    ingle_chat_profile p;
    if (q.template_text && !q.n_template) q.n_template = strlen(q.template_text);
    must(ingle_profile_find(&p, &q, &err), &err);
    return p;
}

static const char *name_of(ingle_profile_query q)
{
    return find(q).family->name;
}

/* ---- metadata -------------------------------------------------------------------------------- */

static void finds_by_metadata(void **state)
{
    (void)state;
    static const struct {
        const char *arch, *name, *basename, *file, *family;
    } cases[] = {
        {"qwen2", "Qwen2.5 7B Instruct", NULL, NULL, "qwen2.5"},
        {"qwen2", "Qwen2.5 Coder 7B", NULL, NULL, "qwen2.5-coder"},
        {"qwen2", "QwQ 32B", "QwQ", NULL, "qwq"},
        {"qwen2", "DeepSeek R1 Distill Qwen 7B", NULL, NULL, "deepseek-r1"},
        {"qwen3", NULL, NULL, NULL, "qwen3"},
        {"qwen3moe", "Qwen3 Coder 30B A3B Instruct", NULL, NULL, "qwen3-coder"},
        {"qwen35", NULL, NULL, NULL, "qwen3.5"},
        {"gemma2", "gemma-2-9b-it", NULL, NULL, "gemma2"},
        {"gemma3", "Gemma 3 4b It", NULL, NULL, "gemma3"},
        {"gemma3", "Functiongemma 270m It", NULL, NULL, "functiongemma"},
        {"gemma4", NULL, NULL, NULL, "gemma4"},
        {"gemma", "codegemma-7b", NULL, NULL, "codegemma"},
        {"gpt-oss", NULL, NULL, NULL, "gpt-oss"},
        {"llama", "Mistral Nemo Instruct 2407", NULL, NULL, "mistral-nemo"},
        {"llama", "Devstral Small 2507", NULL, NULL, "devstral"},
        {"llama", NULL, "Meta-Llama-3.1", NULL, "llama3.1"},
        {"llama", NULL, "Llama-3", NULL, "llama3"},
        {"llama", "Hermes 3 Llama 3.1 8B", NULL, NULL, "hermes"},
        {"llama", "Functionary Medium v3.1", NULL, NULL, "functionary-3.1"},
        {"llama", NULL, NULL, "codestral-22b-v0.1.Q4_K_M.gguf", "codestral"},
        {"llama4", NULL, NULL, NULL, "llama4"},
        {"phi3", "Phi 3 mini", NULL, NULL, "phi-3"},
        {"phi3", "Phi 4 Mini Instruct", NULL, NULL, "phi-4-mini"},
        {"deepseek2", NULL, NULL, NULL, "deepseek-v3"},
        {"deepseek2", "DeepSeek-R1", NULL, NULL, "deepseek-r1"},
        {"deepseek2", "Kimi-K2-Instruct", NULL, NULL, "kimi-k2"},
        {"glm4moe", "GLM 4.6", NULL, NULL, "glm-4.6"},
        {"glm4moe", "GLM 4.5 Air", NULL, NULL, "glm-4.5"},
        {"granitehybrid", NULL, NULL, NULL, "granite-4"},
        {"lfm2moe", "LFM2 8B A1B", NULL, NULL, "lfm2"},
        {"lfm2", "LFM2.5 1.2B Instruct", NULL, NULL, "lfm2.5"},
        {"starcoder2", NULL, NULL, NULL, "starcoder2"},
        {NULL, NULL, NULL, "minimax_m2-q4.gguf", "minimax-m2"},
        {"llama", "something else", NULL, "model.gguf", "generic"},
        {NULL, NULL, NULL, NULL, "generic"},
    };
    for (size_t i = 0; i < N_OF(cases); i++)
        assert_string_equal(name_of((ingle_profile_query){.arch = cases[i].arch,
                                                          .name = cases[i].name,
                                                          .basename = cases[i].basename,
                                                          .file = cases[i].file}),
                            cases[i].family);
}

static void template_comes_before_name(void **state)
{
    (void)state;
    const char *seed = "{{ '<seed:tool_call>' }} <function= <parameter= <seed:think>";
    const char *chatml = "<|im_start|>{{ tools }}<|im_end|>";
    ingle_chat_profile p =
        find((ingle_profile_query){.arch = "llama", .name = "Mistral 7B", .template_text = seed});
    assert_string_equal(p.family->name, "seed-oss");
    assert_true(p.by_template && !p.by_name && !p.by_metadata);
    assert_string_equal(p.thinking->name, "seed");
    assert_string_equal(p.calls[0]->name, "seed");
    /* a sign that many have gives way to the architecture */
    assert_string_equal(name_of((ingle_profile_query){.template_text = chatml}), "chatml");
    assert_string_equal(name_of((ingle_profile_query){.arch = "qwen3", .template_text = chatml}),
                        "qwen3");
}

/* A template nobody knows: its marks say how it thinks and calls. */
static void unknown_template_is_read(void **state)
{
    (void)state;
    ingle_chat_profile p = find((ingle_profile_query){
        .template_text = "{% if enable_thinking %}[THINK]{% endif %}"
                         "<tool_call>n<arg_key>k</arg_key><arg_value>v</arg_value></tool_call>"});
    assert_string_equal(p.family->name, "generic");
    assert_string_equal(p.thinking->name, "bracket");
    assert_string_equal(p.calls[0]->name, "arg-key");
    assert_string_equal(p.think_switch->variable, "enable_thinking");
    assert_true(p.has_tools);
    assert_false(p.tool_role);
}

static void family_can_be_set(void **state)
{
    (void)state;
    ingle_chat_profile p;
    ingle_profile_query q = {.family = "gemma3", .arch = "qwen3", .name = "Qwen3"};
    assert_string_equal(name_of(q), "gemma3");
    q.family = "gemma9";
    assert_int_equal(ingle_profile_find(&p, &q, &err), INGLE_EINVAL);
    assert_text(&err, "gemma9");
    assert_text(&err, "gemma3");
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void check_mark(const char *mark)
{
    if (!mark) return;
    assert_true(*mark && strlen(mark) < INGLE_MARK_MAX);
}

static void rows_are_sound(void **state)
{
    (void)state;
    const ingle_chat_family *f, *g;
    for (size_t i = 0; (f = ingle_profile_family(i)) != NULL; i++) {
        assert_non_null(f->title);
        for (size_t j = 0; j < i; j++) {
            g = ingle_profile_family(j);
            assert_string_not_equal(f->name, g->name);
        }
        if (f->thinking) assert_non_null(ingle_thinking_named(f->thinking));
        for (size_t j = 0; j < INGLE_PROFILE_CALLS && f->calls[j]; j++)
            assert_non_null(ingle_call_syntax_named(f->calls[j]));
        assert_string_equal(name_of((ingle_profile_query){.family = f->name}), f->name);
    }
}

static void syntaxes_are_sound(void **state)
{
    (void)state;
    const ingle_call_syntax *s;
    const ingle_thinking *t;
    for (size_t i = 0; (s = ingle_call_syntax_at(i)) != NULL; i++) {
        const char *marks[] = {s->section,   s->section_close, s->open,    s->close, s->args,
                               s->tail,      s->key,           s->key_end, s->quote, s->value_open,
                               s->value_end, s->kind_end,      s->no_call};
        for (size_t j = 0; j < N_OF(marks); j++) check_mark(marks[j]);
        for (size_t j = 0; j < INGLE_SYNTAX_HEADS && s->head[j].field; j++)
            assert_non_null(s->head[j].end);
        if (s->kind == INGLE_CALL_NAMED || s->kind == INGLE_CALL_TAGGED) {
            assert_non_null(s->open);
            assert_true(s->head[0].field != INGLE_HEAD_END);
        }
        if (s->kind == INGLE_CALL_TAGGED)
            assert_true(s->key && s->key_end && s->value_end && s->close);
        if (s->kind == INGLE_CALL_OBJECT) assert_true(s->keyed || (s->key_name && s->key_args));
        if (s->quote) assert_null(strchr(s->quote + 1, s->quote[0]));
        if (!s->section && !s->open) assert_true(s->strict);
        assert_ptr_equal(ingle_call_syntax_named(s->name), s);
        if (!s->strict) assert_non_null(ingle_call_trigger(s));
    }
    for (size_t i = 0; (t = ingle_thinking_at(i)) != NULL; i++) {
        assert_true(t->harmony || (t->open[0] && t->close[0]));
        for (size_t j = 0; j < 2; j++) check_mark(t->open[j]), check_mark(t->close[j]);
        for (size_t j = 0; j < N_OF(t->passed_over); j++) check_mark(t->passed_over[j]);
    }
    assert_null(ingle_call_syntax_named("none"));
    assert_null(ingle_thinking_named(NULL));
}

static void presets_are_told_apart(void **state)
{
    (void)state;
    ingle_chat_profile p = find((ingle_profile_query){.arch = "qwen3"});
    assert_true(ingle_profile_preset(&p, true)->temperature < 0.65f);
    assert_true(ingle_profile_preset(&p, false)->temperature > 0.65f);
    p = find((ingle_profile_query){.arch = "gpt-oss"});
    assert_ptr_equal(ingle_profile_preset(&p, true), ingle_profile_preset(&p, false));
    assert_false(ingle_profile_preset(&p, true)->has_top_k);
}

static void prompt_opens_thinking(void **state)
{
    (void)state;
    static const struct {
        const char *family, *prompt;
        bool thinks;
    } cases[] = {
        {"qwen3", "<|im_start|>assistant\n<think>\n", true},
        {"qwen3", "<|im_start|>assistant\n<think>\n\n</think>\n\n", false},
        {"qwen3", "<|im_start|>assistant\n", false},
        {"gpt-oss", "<|start|>assistant", false},
        {"gpt-oss", "<|start|>assistant<|channel|>analysis<|message|>", true},
        {"apriel", "<|begin_assistant|>\nHere are my reasoning steps:\n", true},
        {"gemma2", "<think>", false},
        {"qwen3", "", false},
    };
    for (size_t i = 0; i < N_OF(cases); i++) {
        ingle_chat_profile p = find((ingle_profile_query){.family = cases[i].family});
        const char *prompt = cases[i].prompt;
        assert_int_equal(ingle_profile_prompt_thinks(&p, prompt, strlen(prompt)), cases[i].thinks);
    }
}

/* The page of profiles has a line for each row. */
static void page_lists_all(void **state)
{
    (void)state;
    char *page = json_slurp(INGLE_SOURCE_DIR "/docs/profiles.md", NULL), line[128];
    const ingle_chat_family *f;
    const ingle_call_syntax *s;
    const ingle_thinking *t;
    assert_non_null(page);
    for (size_t i = 0; (f = ingle_profile_family(i)) != NULL; i++) {
        snprintf(line, sizeof line, "\n| `%s` | %s |", f->name, f->title);
        if (!strstr(page, line)) fail_msg("docs/profiles.md lacks %s", f->name);
    }
    for (size_t i = 0; (s = ingle_call_syntax_at(i)) != NULL; i++) {
        snprintf(line, sizeof line, "\n| %s | ", s->name);
        if (!strstr(page, line)) fail_msg("docs/profiles.md lacks %s", s->name);
    }
    for (size_t i = 0; (t = ingle_thinking_at(i)) != NULL; i++) {
        snprintf(line, sizeof line, "\n| %s | ", t->name);
        if (!strstr(page, line)) fail_msg("docs/profiles.md lacks %s", t->name);
    }
    free(page);
}

/* ---- templates ------------------------------------------------------------------------------- */

/* File, family, first syntax of calls, thinking, switch, history; "-": none. */
static const char *const templates[][6] = {
#include "chat_templates.inc"
};

static const char *or_none(const char *name)
{
    return name ? name : "-";
}

static void templates_are_found(void **state)
{
    (void)state;
    static const char *const histories[] = {"keep", "template", "strip"};
    const char *data = getenv("INGLE_DATA");
    size_t n_found = 0;
    for (size_t i = 0; data && i < N_OF(templates); i++) {
        char path[1024], got[512], want[512];
        size_t n = 0;
        const char *const *t = templates[i];
        snprintf(path, sizeof path, "%s/chat-templates/templates/%s.jinja", data, t[0]);
        char *text = json_slurp(path, &n);
        if (!text) continue;
        ingle_chat_profile p = find((ingle_profile_query){.template_text = text, .n_template = n});
        snprintf(got, sizeof got, "%s: %s %s %s %s %s", t[0], p.family->name,
                 or_none(p.calls[0] ? p.calls[0]->name : NULL),
                 or_none(p.thinking ? p.thinking->name : NULL),
                 or_none(p.think_switch ? p.think_switch->variable : NULL), histories[p.history]);
        snprintf(want, sizeof want, "%s: %s %s %s %s %s", t[0], t[1], t[2], t[3], t[4], t[5]);
        assert_string_equal(got, want);
        free(text);
        n_found++;
    }
    if (!n_found) skip();
    assert_int_equal(n_found, N_OF(templates));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_metadata),        cmocka_unit_test(template_comes_before_name),
        cmocka_unit_test(unknown_template_is_read), cmocka_unit_test(family_can_be_set),
        cmocka_unit_test(rows_are_sound),           cmocka_unit_test(syntaxes_are_sound),
        cmocka_unit_test(presets_are_told_apart),   cmocka_unit_test(prompt_opens_thinking),
        cmocka_unit_test(templates_are_found),      cmocka_unit_test(page_lists_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
