/* test_tiny_chat.c - $INGLE_DATA/tiny-model/eval.jsonl: 200 conversations by the public interface of chats,
 * greedily. As many answers are right as with an independent engine on the same file, within one; and
 * where tools are given as tools, the prompt is the one that has them in words. */
#include "requests.h"

#include "json_test.h"

/* From $INGLE_DATA/tiny-model/README.md. */
static const struct {
    const char *file;
    size_t n_right;
} files[] = {
    {"tiny-chat.f16.gguf", 185}, {"tiny-chat.q8_0.gguf", 184}, {"tiny-chat.q4_k_m.gguf", 182}};

static ingle_prompt *prompt_for(const ingle_chat *chat, const json *messages, const json *tools)
{
    ingle_json_writer m = {.text = NULL}, t = {.text = NULL};
    ingle_chat_input in;
    ingle_prompt *p;
    ingle_error err;
    ingle_chat_input_init(&in);
    ingle_json_put(&m, messages);
    ingle_json_put(&t, tools);
    assert_false(ingle_json_finish(&m) || ingle_json_finish(&t));
    in.messages = m.text, in.n_messages = m.n;
    if (tools) in.tools = t.text, in.n_tools = t.n;
    must(ingle_chat_render(&p, chat, &in, &err), &err);
    ingle_json_writer_free(&m);
    ingle_json_writer_free(&t);
    return p;
}

static void answer(ingle_session *s, const ingle_prompt *p, trail *t)
{
    ingle_sampler_options so;
    ingle_generate_options go = options_of(220);
    ingle_prompt_info info = {.size = sizeof info};
    ingle_error err;
    ingle_sampler_options_init(&so);
    so.temperature = 0;
    go.sampling = &so;
    must(ingle_prompt_info_get(p, &info, &err), &err);
    must(ingle_session_truncate(s, 0, &err), &err);
    ingle_request *r;
    must(ingle_request_start(&r, s, info.tokens, info.n_tokens, &go, &err), &err);
    read_all(r, t);
    ingle_request_close(&r);
}

/* ---- what is right ---- */

static bool equal(const json *a, const json *b)
{
    double x, y;
    if (!a || !b || a->kind != b->kind) return false;
    if (ingle_json_f64(a, &x) && ingle_json_f64(b, &y)) return x == y;
    if (a->kind < INGLE_JSON_ARRAY) return a->len == b->len && !memcmp(a->text, b->text, a->len);
    if (a->len != b->len) return false;
    size_t i = 0;
    for (ingle_json_walk w = ingle_json_items(a); ingle_json_step(&w); i++)
        if (!equal(w.value,
                   w.name ? ingle_json_find(b, w.name->text, w.name->len) : ingle_json_at(b, i)))
            return false;
    return true;
}

static bool same_json(const char *text, const json *expected)
{
    ingle_json_doc got, want;
    if (ingle_json_open(&got, text, strlen(text), NULL, NULL)) return false;
    want = json_parse(expected->text, expected->len, "expected");
    bool same = equal(got.root, want.root);
    ingle_json_close(&got);
    ingle_json_close(&want);
    return same;
}

/* "rabbit|Theo": the hero at least twice, the animal, 45 to 180 words, an end. */
static bool good_story(const char *text, const char *expected)
{
    char kind[64], hero[64];
    size_t n_hero = 0, n_words = 0, len = strlen(text);
    if (sscanf(expected, "%63[^|]|%63s", kind, hero) != 2 || !len) return false;
    for (const char *p = text; (p = strstr(p, hero)); p += strlen(hero)) n_hero++;
    for (const char *p = text; *p; p++)
        n_words += !strchr(" \n", *p) && (p == text || strchr(" \n", p[-1]));
    return n_hero >= 2 && strstr(text, kind) && n_words >= 45 && n_words <= 180 &&
           strchr(".!", text[len - 1]);
}

static bool is_right(const json *c, char *text)
{
    const json *expected = json_get(c, "expected"), *check = json_get(c, "check");
    while (*text && strchr(" \n", *text)) text++;
    for (size_t n = strlen(text); n && strchr(" \n", text[n - 1]);) text[--n] = 0;
    if (ingle_json_is_text(check, "exact")) return ingle_json_is_text(expected, text);
    if (ingle_json_is_text(check, "json")) return same_json(text, expected);
    return good_story(text, expected->text);
}

/* ---- the file ---- */

/* Tools as tools give the prompt that has them in words. */
static void same_prompt(const ingle_chat *chat, const json *c, const ingle_prompt *p)
{
    const json *openai = json_get(c, "openai");
    ingle_prompt_info a = {.size = sizeof a}, b = {.size = sizeof b};
    ingle_error err;
    if (!openai) return;
    ingle_prompt *other = prompt_for(chat, json_get(openai, "messages"), json_get(openai, "tools"));
    must(ingle_prompt_info_get(p, &a, &err), &err);
    must(ingle_prompt_info_get(other, &b, &err), &err);
    assert_string_equal(a.text, b.text);
    assert_int_equal(a.n_tokens, b.n_tokens);
    assert_memory_equal(a.tokens, b.tokens, a.n_tokens * sizeof *a.tokens);
    ingle_prompt_close(&other);
}

static size_t evaluate(const char *model_path, char *lines, size_t *n)
{
    ingle_engine_options eo = small_engine(1024, 1);
    house h = {.model = NULL};
    ingle_chat *chat;
    ingle_error err;
    size_t n_right = 0;
    must(ingle_model_open(&h.model, model_path, NULL, &err), &err);
    must(ingle_engine_open(&h.engine, h.model, &eo, &err), &err);
    must(ingle_session_open(&h.session, h.engine, &err), &err);
    must(ingle_chat_open(&chat, h.model, NULL, &err), &err);
    *n = 0;
    for (char *line = lines, *end; *line; line = end + 1, (*n)++) {
        static trail t;
        end = strchr(line, '\n');
        assert_non_null(end);
        ingle_json_doc doc = json_parse(line, (size_t)(end - line), "eval.jsonl");
        ingle_prompt *p = prompt_for(chat, json_get(doc.root, "messages"), NULL);
        t = (trail){.len = 0};
        answer(h.session, p, &t);
        n_right += is_right(doc.root, t.text);
        same_prompt(chat, doc.root, p);
        ingle_prompt_close(&p);
        ingle_json_close(&doc);
    }
    ingle_chat_close(&chat);
    house_close(&h);
    return n_right;
}

static void evaluations(void **state)
{
    const char *data = getenv("INGLE_DATA");
    char path[4096];
    (void)state;
    if (!data) {
        print_message("skipped: INGLE_DATA is not set\n");
        return;
    }
    snprintf(path, sizeof path, "%s/tiny-model/eval.jsonl", data);
    char *lines = json_slurp(path, NULL);
    assert_non_null(lines);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        size_t n;
        snprintf(path, sizeof path, "%s/tiny-model/%s", data, files[i].file);
        size_t n_right = evaluate(path, lines, &n);
        print_message("%-22s %zu of %zu right, %zu with another engine\n", files[i].file, n_right,
                      n, files[i].n_right);
        assert_int_equal(n, 200);
        assert_true(n_right + 1 >= files[i].n_right && n_right <= files[i].n_right + 1);
    }
    free(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(evaluations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
