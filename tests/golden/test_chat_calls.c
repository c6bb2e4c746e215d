/* test_chat_calls.c - round trips against $INGLE_DATA/chat-templates: the text that a template
 * renders for an answer with calls is parsed (chat/parse.h) with the profile found for that
 * template, and has to give back the names and arguments that were rendered; and a grammar for calls
 * of the tools (ingle_grammar_open_tools()) has to admit it.
 *
 * The answer's text is what the rendering of a conversation that ends with it has more than the
 * rendering of the conversation before it; where no pair of cases allows that, the part between the
 * user's last words and the tool's first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <ingle.h>
#include "json_test.h"
#include "must.h"
#include "parse_test.h"

#define N_OF(array) (sizeof(array) / sizeof *(array))

/* No case shows calls: the templates leave them out of history, refuse them, or know none. */
static const char *const without[] = {
    "HuggingFaceTB-SmolLM3-3B", "MiroThinker", "google-gemma-2-2b-it",
    "llama-cpp-deepseek-r1@qualcomm-2025-11", "llama-cpp-rwkv-world"};
/* These write only the first call of an answer. */
static const char *const one_call[] = {"GigaChat3-10B-A1.8B", "GigaChat3.1-10B-A1.8B",
                                       "openai-gpt-oss-120b"};
/* Writes arguments that are text as a JSON string, which its model never does. */
static const char *const no_text[] = {"openai-gpt-oss-120b"};

#define is_in(list, file) is_in_list(list, N_OF(list), file)
static bool is_in_list(const char *const *list, size_t n, const char *file)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(list[i], file)) return true;
    return false;
}

static size_t n_files, n_answers, n_calls, n_left_out, n_exact, n_judged;

/* ---- the answer's text ----------------------------------------------------------------------- */

static size_t n_messages(const json *c)
{
    const json *m = json_get(json_get(c, "context"), "messages");
    return ingle_json_is(m, INGLE_JSON_ARRAY) ? m->len : 0;
}

static const json *message(const json *c, size_t i)
{
    return json_at(json_get(json_get(c, "context"), "messages"), i);
}

/* The first answer with calls; SIZE_MAX: none. */
static size_t i_calling(const json *c)
{
    for (size_t i = 0; i < n_messages(c); i++) {
        const json *calls = json_get(message(c, i), "tool_calls");
        if (ingle_json_is(calls, INGLE_JSON_ARRAY) && calls->len) return i;
    }
    return SIZE_MAX;
}

static bool same_text(const json *a, const json *b)
{
    ingle_json_writer v = {0}, w = {0};
    ingle_json_put(&v, a);
    ingle_json_put(&w, b);
    bool same = v.n == w.n && !memcmp(v.text, w.text, v.n);
    ingle_json_writer_free(&v);
    ingle_json_writer_free(&w);
    return same;
}

/* The rendering of the first n messages of a case by another case, with or without the beginning
 * of an answer; all other variables are the same. */
static const json *shorter(const json *cases, const json *c, size_t n, bool prompt)
{
    const json *context = json_get(c, "context");
    for (ingle_json_walk w = ingle_json_items(cases); ingle_json_step(&w);) {
        const json *other = json_get(w.value, "context"), *text = json_get(w.value, "expected");
        if (!text || n_messages(w.value) != n) continue;
        if (json_num(json_get(other, "add_generation_prompt")) != prompt) continue;
        bool same = true;
        for (ingle_json_walk v = ingle_json_items(context); same && ingle_json_step(&v);)
            if (!ingle_json_is_text(v.name, "messages") &&
                !ingle_json_is_text(v.name, "add_generation_prompt"))
                same = same_text(v.value, json_get(other, v.name->text));
        for (size_t i = 0; same && i < n; i++) same = same_text(message(c, i), message(w.value, i));
        if (same) return text;
    }
    return NULL;
}

static const char *last_of(const json *text, const char *part)
{
    const char *hit = NULL, *p = text->text;
    while (*part && (p = strstr(p, part)) != NULL) hit = p++;
    return hit;
}

/* Where the answer begins in the rendering, as far as that can be told; *exact: it has been told by
 * another case. */
static size_t begins_at(const json *cases, const json *c, size_t i, bool *exact)
{
    const json *text = json_get(c, "expected"), *before = shorter(cases, c, i, true);
    const char *user = json_str(json_get(message(c, i - 1), "content"));
    size_t n = 0;
    while (before && n < before->len && n < text->len && before->text[n] == text->text[n]) n++;
    *exact = before && n == before->len;
    if (*exact) return n;
    const char *hit = last_of(text, user);
    return hit ? (size_t)(hit - text->text) + strlen(user) : SIZE_MAX;
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* Arguments as the caller gave them: an object, or its text. */
static const json *arguments_of(const json *call, ingle_json_doc *doc)
{
    const json *args = json_get(json_get(call, "function"), "arguments");
    if (!args) args = json_get(call, "arguments");
    if (!ingle_json_is(args, INGLE_JSON_STRING)) return args;
    if (ingle_json_open(doc, args->text, args->len, NULL, NULL)) return NULL;
    return doc->root;
}

/* Equal values; members in any order. Numbers compare as doubles. Where marks are around values and
 * no schema tells, text that reads as a number is one. */
static bool equal(const json *a, const json *b)
{
    if (!a || !b) return false;
    if (a->kind == INGLE_JSON_STRING && b->kind == INGLE_JSON_NUMBER)
        return a->len == b->len && !memcmp(a->text, b->text, a->len);
    if (a->kind != b->kind) return false;
    if (a->kind == INGLE_JSON_NUMBER) return json_num(a) == json_num(b);
    if (a->kind < INGLE_JSON_ARRAY) return a->len == b->len && !memcmp(a->text, b->text, a->len);
    if (a->len != b->len) return false;
    size_t i = 0;
    for (ingle_json_walk w = ingle_json_items(a); ingle_json_step(&w); i++)
        if (!equal(w.value, w.name ? ingle_json_find(b, w.name->text, w.name->len) : json_at(b, i)))
            return false;
    return true;
}

/* Whether the record holds exactly these calls. */
static bool has_calls(const parse_record *r, const json *calls, char *why, size_t cap)
{
    const char *p = r->line.p;
    snprintf(why, cap, "%zu calls of %u", r->n_calls, calls->len);
    if (r->n_calls != calls->len) return false;
    for (ingle_json_walk w = ingle_json_items(calls); ingle_json_step(&w);) {
        const json *f = json_get(w.value, "function");
        const char *name = json_str(json_get(f ? f : w.value, "name"));
        ingle_json_doc want_doc = {0}, got_doc = {0};
        const json *want = arguments_of(w.value, &want_doc);
        char head[256];
        size_t len = (size_t)snprintf(head, sizeof head, "<%s", name);
        const char *hit = strstr(p, head);
        const char *args = hit && (hit[len] == '>' || hit[len] == '#') ? strchr(hit, '>') : NULL;
        const char *end = args ? strstr(args, "<.") : NULL;
        bool ok = end && !ingle_json_open(&got_doc, args + 1, (size_t)(end - args - 1), NULL, NULL);
        ok = ok && equal(want, got_doc.root);
        snprintf(why, cap, "call of %s", name);
        ingle_json_close(&want_doc);
        ingle_json_close(&got_doc);
        if (!ok) return false;
        p = end;
    }
    return true;
}

/* Whether text of the message, if the template wrote it, came out as it was: between others, white
 * space aside. */
static bool has_text(const parse_record *r, const json *text, const char *kind, const char *from,
                     size_t n)
{
    char want[600];
    if (!ingle_json_is(text, INGLE_JSON_STRING) || !text->len || strchr(text->text, '<'))
        return true;
    const char *hit = strstr(from, text->text);
    if (!hit || hit >= from + n) return true;
    snprintf(want, sizeof want, "<%s>%s", kind, text->text);
    hit = strstr(r->line.p, want);
    return hit && (hit[strlen(want)] == '<' || !hit[strlen(want)]);
}

/* ---- cases ----------------------------------------------------------------------------------- */

/* What a template's history cannot tell: arguments that are no object, ids of other makes. */
static bool is_fit(const json *c, size_t i)
{
    static const char *const unfit[] = {"invalid", "empty_string", "number", "flat"};
    const char *name = json_str(json_get(c, "name"));
    for (size_t k = 0; k < N_OF(unfit); k++)
        if (strstr(name, unfit[k])) return false;
    if (!i || !ingle_json_is(json_get(c, "expected"), INGLE_JSON_STRING)) return false;
    for (ingle_json_walk w = ingle_json_items(json_get(message(c, i), "tool_calls"));
         ingle_json_step(&w);) {
        ingle_json_doc doc = {0};
        bool object = ingle_json_is(arguments_of(w.value, &doc), INGLE_JSON_OBJECT);
        ingle_json_close(&doc);
        if (!object) return false;
    }
    return true;
}

/* The calls of an answer, or the first of them. */
static ingle_json_doc calls_from(const json *c, size_t i, bool one)
{
    ingle_json_writer w = {0};
    ingle_json_doc doc;
    ingle_json_begin_array(&w);
    for (ingle_json_walk v = ingle_json_items(json_get(message(c, i), "tool_calls"));
         ingle_json_step(&v);) {
        ingle_json_put(&w, v.value);
        if (one) break;
    }
    ingle_json_end_array(&w);
    assert_int_equal(ingle_json_finish(&w), INGLE_OK);
    assert_int_equal(ingle_json_open(&doc, w.text, w.n, NULL, NULL), INGLE_OK);
    ingle_json_writer_free(&w);
    return doc;
}

/* Behind the last name of a call in the rendering; 0: the template left calls out. */
static size_t behind_names(const json *text, size_t from, const json *calls)
{
    const char *p = text->text + from;
    for (ingle_json_walk w = ingle_json_items(calls); ingle_json_step(&w);) {
        const json *f = json_get(w.value, "function");
        const char *name = json_str(json_get(f ? f : w.value, "name"));
        p = strstr(p, name);
        if (!p) return 0;
        p += strlen(name);
    }
    return (size_t)(p - text->text);
}

/* Where the answer ends: at the first mark that ends one, behind its calls' names. */
static size_t ends_at(const json *text, size_t from)
{
    static const char suffix[] = "<|tools_suffix|>"; /* the tool's result follows it directly */
    static const char *const marks[] = {"<|eot_id|>",
                                        "<|eom_id|>",
                                        "<|im_end|>",
                                        "<|end_of_text|>",
                                        "[e~[",
                                        "<seed:eos>",
                                        "</s>",
                                        "<SPECIAL_12>",
                                        "<|END_OF_TURN_TOKEN|>",
                                        "<|observation|>",
                                        "<｜end▁of▁sentence｜>",
                                        "<｜hy_eos",
                                        "<|call|>",
                                        "</assistant>",
                                        "<|tool_response>",
                                        "<|user_start|>",
                                        "<|assistant_end|>",
                                        "<|calls|>",
                                        "function result<|role_sep|>",
                                        "\n<|start_of_role|>",
                                        "<|end|>\n",
                                        "<|START_OF_TURN_TOKEN|>",
                                        "<|begin_tool_result|>",
                                        "[TOOL_RESULTS]",
                                        suffix};
    size_t end = text->len;
    for (size_t k = 0; k < N_OF(marks); k++) {
        const char *hit = strstr(text->text + from, marks[k]);
        if (!hit) continue;
        size_t at = (size_t)(hit - text->text) + (marks[k] == suffix ? sizeof suffix - 1 : 0);
        if (at < end) end = at;
    }
    return end;
}

/* A template that cannot write arguments given as text leaves them out. */
static bool has_arguments(const char *text, size_t n, const json *calls)
{
    bool all = true;
    for (ingle_json_walk w = ingle_json_items(calls); ingle_json_step(&w);) {
        ingle_json_doc doc = {0};
        const json *args = arguments_of(w.value, &doc);
        for (ingle_json_walk v = ingle_json_items(args); ingle_json_step(&v);) {
            const char *hit = text;
            while (hit && hit < text + n && memcmp(hit, v.name->text, v.name->len) != 0) hit++;
            all &= hit < text + n;
        }
        ingle_json_close(&doc);
    }
    return all;
}

/* Cases whose arguments are not valid for the tool's schema, or are JSON in a string; and templates
 * that write what no model does: Python's quotes, a message that ends twice. */
static bool is_invalid(const char *file, const char *name)
{
    static const char *const cases[] = {"args_string", "args_empty_dict", "args_rich", "strargs"};
    static const char *const odd[] = {"unsloth-Apriel-1.5@qualcomm-2025-11"};
    for (size_t k = 0; k < N_OF(cases); k++)
        if (strstr(name, cases[k])) return true;
    return is_in(odd, file);
}

/* Whether the grammar for calls of these tools admits the answer. */
static bool is_admitted(ingle_chat *chat, const char *tools, size_t n_tools, bool thinks,
                        const char *text, size_t n, char *why, size_t cap)
{
    ingle_tools_options to;
    ingle_grammar *g = NULL;
    ingle_grammar_state *s = NULL;
    ingle_error err = {""};
    size_t n_good = 0;
    bool ends = false;
    ingle_tools_options_init(&to);
    to.thinks = thinks;
    to.lenient = true;
    ingle_status st = ingle_grammar_open_tools(&g, chat, tools, n_tools, &to, &err);
    if (!st) st = ingle_grammar_state_open(&s, g, &err);
    if (!st) st = ingle_grammar_state_text(s, text, n, &n_good, &err);
    if (!st) st = ingle_grammar_state_ends(s, &ends, NULL, &err);
    snprintf(why, cap, "not admitted after %zu bytes: %s", n_good, err.text);
    ingle_grammar_state_close(&s);
    ingle_grammar_close(&g);
    return !st && ends;
}

static void check_case(const char *file, const json *cases, const json *c,
                       const ingle_chat_profile *profile, ingle_chat *chat)
{
    size_t i = i_calling(c);
    char why[300];
    if (i == SIZE_MAX || !is_fit(c, i)) return;
    bool exact;
    size_t from = begins_at(cases, c, i, &exact);
    if (from == SIZE_MAX) return;
    const json *text = json_get(c, "expected"), *tools = json_get(json_get(c, "context"), "tools");
    ingle_json_doc calls = calls_from(c, i, is_in(one_call, file));
    size_t names = behind_names(text, from, calls.root), end = ends_at(text, names ? names : from);
    bool encoded = is_in(no_text, file) && strstr(json_str(json_get(c, "name")), "string");
    if (!names || encoded || !has_arguments(text->text + from, end - from, calls.root)) {
        n_left_out++;
        ingle_json_close(&calls);
        return;
    }
    ingle_json_writer w = {0};
    ingle_json_put(&w, tools);
    assert_int_equal(ingle_json_finish(&w), INGLE_OK);
    ingle_parse_options opt;
    ingle_parse_options_init(&opt);
    opt.profile = profile;
    if (ingle_json_is(tools, INGLE_JSON_ARRAY)) opt.tools = w.text, opt.n_tools = w.n;
    opt.starts_in_reasoning = ingle_profile_prompt_thinks(profile, text->text, from);
    for (unsigned pieces = 0; pieces < 4; pieces++) {
        parse_record r;
        assert_int_equal(parse_run(&r, opt, text->text + from, end - from, pieces, NULL), INGLE_OK);
        bool ok = has_calls(&r, calls.root, why, sizeof why);
        const json *m = message(c, i);
        const char *begin = text->text + from;
        if (ok && exact && !is_in(no_text, file)) {
            ok = has_text(&r, json_get(m, "content"), "C", begin, end - from) &&
                 has_text(&r, json_get(m, "reasoning_content"), "R", begin, end - from);
            snprintf(why, sizeof why, "text of the answer or of thinking");
        }
        if (!ok)
            print_error("%s, %s, pieces %u: %s\n  text: %.*s\n  got: %s\n", file,
                        json_str(json_get(c, "name")), pieces, why, (int)(end - from),
                        text->text + from, r.line.p);
        ingle_bytes_free(&r.line);
        assert_true(ok || getenv("INGLE_GO_ON"));
        if (!ok) break;
    }
    const char *name = json_str(json_get(c, "name"));
    bool twice = end - from > 7 && !memcmp(text->text + from, "<|end|>", 7) && profile->thinking &&
                 profile->thinking->harmony;
    bool judged = opt.tools && !twice && !is_invalid(file, name);
    n_judged += judged;
    if (judged && !is_admitted(chat, w.text, w.n, opt.starts_in_reasoning, text->text + from,
                               end - from, why, sizeof why))
        fail_msg("%s, %s: %s\n  text: %.*s\n", file, name, why, (int)(end - from),
                 text->text + from);
    n_answers++;
    n_exact += exact;
    n_calls += calls.root->len;
    ingle_json_close(&calls);
    ingle_json_writer_free(&w);
}

static ingle_model *model; /* without a vocabulary */

static ingle_chat *chat_of(const ingle_chat_profile *p, const char *text, size_t n)
{
    ingle_chat_options co;
    ingle_chat *chat;
    ingle_error err;
    ingle_chat_options_init(&co);
    co.template_text = text;
    co.n_template = n;
    co.family = p->family->name;
    must(ingle_chat_open(&chat, model, &co, &err), &err);
    return chat;
}

static const char *const files[] = {
#include "chat_cases.inc"
};

static void answers_come_back(void **state)
{
    (void)state;
    const char *data = getenv("INGLE_DATA");
    for (size_t i = 0; data && i < N_OF(files); i++) {
        char path[1024];
        size_t n = 0, before = n_answers;
        snprintf(path, sizeof path, "%s/chat-templates/%s.json", data, files[i]);
        ingle_json_doc doc = json_file(path);
        if (!doc.root) continue;
        snprintf(path, sizeof path, "%s/chat-templates/templates/%s.jinja", data, files[i]);
        char *text = json_slurp(path, &n);
        assert_non_null(text);
        ingle_chat_profile p;
        ingle_profile_query q = {.template_text = text, .n_template = n};
        assert_int_equal(ingle_profile_find(&p, &q, NULL), INGLE_OK);
        ingle_chat *chat = chat_of(&p, text, n);
        const json *cases = json_get(doc.root, "cases");
        for (ingle_json_walk w = ingle_json_items(cases); ingle_json_step(&w);)
            check_case(files[i], cases, w.value, &p, chat);
        if ((n_answers > before) == is_in(without, files[i]))
            fail_msg("%s: %zu answers with calls", files[i], n_answers - before);
        n_files += n_answers > before;
        ingle_chat_close(&chat);
        free(text);
        ingle_json_close(&doc);
    }
    if (!n_files) skip();
    print_message(
        "%zu templates, %zu answers (%zu with all their text), %zu calls; %zu answers are not "
        "written as calls; %zu were put to a grammar\n",
        n_files, n_answers, n_exact, n_calls, n_left_out, n_judged);
}

int main(void)
{
    ingle_model_options mo;
    ingle_error err;
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_META;
    if (ingle_model_open(&model, INGLE_SOURCE_DIR "/models/tiny-chat.gguf", &mo, &err)) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_come_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
