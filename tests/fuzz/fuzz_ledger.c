/* fuzz_ledger.c - any messages, answers and prompts: an answer that was kept is found where a client
 * sends it back, what is written again is JSON of as many messages, a prompt with kept answers has the
 * text that it has without them, and where prompts differ is where they differ.
 * Input: switches (1 byte), then texts with a NUL after each: the messages, the answer's text, its
 * thinking, the name of its call ("": none), the arguments; the rest is its tokens, one a byte, and a prompt; with a
 * switch the tokens are those that a model would write for such an answer. */
#define _GNU_SOURCE
#include "fuzz.h"

#include "base/json.h"
#include "base/utf8.h"
#include "server/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vocab_build.h"

enum { RESTORE = 1, THINKS = 2, TOOLS = 4, WRITTEN = 8 };
enum { MOST = 4096 };

static ingle_model *model;
static ingle_chat *chat;

/* A vocabulary of bytes and the marks of this template. */
static void open_chat(void)
{
    static const char text[] =
        "{%- for m in messages %}<|im_start|>{{ m.role }}\n{% if m.reasoning_content %}<think>\n"
        "{{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}"
        "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    static vocab_spec s;
    static gguf_bytes b;
    char path[32];
    ingle_model_options mo;
    ingle_chat_options co;
    if (model) return;
    vb_bpe(&s, "qwen2");
    vb_token(&s, "<|im_start|>", VB_CONTROL, 0);
    vb_key(&s, "tokenizer.ggml.eos_token_id", INGLE_GGUF_U32,
           vb_token(&s, "<|im_end|>", VB_CONTROL, 0));
    vb_write(&b, &s);
    int fd = gb_file(b.p, b.n, path);
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_VOCAB;
    if (ingle_model_open(&model, path, &mo, NULL)) abort();
    close(fd);
    ingle_chat_options_init(&co);
    co.template_text = text, co.n_template = sizeof text - 1;
    if (ingle_chat_open(&chat, model, &co, NULL)) abort();
}

static ingle_string next_text(const uint8_t **p, size_t *n)
{
    const uint8_t *end = *n ? memchr(*p, 0, *n) : NULL;
    size_t len = end ? (size_t)(end - *p) : *n;
    ingle_string s = {(const char *)*p, len};
    *p += len + (end != NULL), *n -= len + (end != NULL);
    return s;
}

static size_t count_messages(const char *text, size_t n)
{
    ingle_json_doc doc;
    if (ingle_json_open(&doc, text, n, NULL, NULL)) abort();
    if (!ingle_json_is(doc.root, INGLE_JSON_ARRAY)) abort();
    size_t len = doc.root->len;
    ingle_json_close(&doc);
    return len;
}

/* The messages, and the answer after them, as a client writes it. */
static void write_answered(ingle_json_writer *w, const ingle_string *messages,
                           const ledger_turn *turn)
{
    ingle_json_doc doc;
    if (ingle_json_open(&doc, messages->text, messages->len, NULL, NULL)) abort();
    ingle_json_begin_array(w);
    for (ingle_json_walk m = ingle_json_items(doc.root); ingle_json_step(&m);)
        ingle_json_put(w, m.value);
    ingle_json_begin_object(w);
    ingle_json_put_text(ingle_json_name(w, "role"), "assistant");
    ingle_json_put_bytes(ingle_json_name(w, "content"), turn->text, turn->n_text);
    if (turn->n_calls) {
        ingle_json_begin_array(ingle_json_name(w, "tool_calls"));
        ingle_json_begin_object(w);
        ingle_json_begin_object(ingle_json_name(w, "function"));
        ingle_json_put_bytes(ingle_json_name(w, "name"), turn->names->text, turn->names->len);
        ingle_json_put_bytes(ingle_json_name(w, "arguments"), turn->args->text, turn->args->len);
        ingle_json_end_object(w);
        ingle_json_end_object(w);
        ingle_json_end_array(w);
    }
    ingle_json_end_object(w);
    ingle_json_end_array(w);
    ingle_json_close(&doc);
}

static void render(const char *messages, size_t n, const ledger_found *f)
{
    ingle_chat_input in;
    ingle_prompt *with, *without;
    ingle_prompt_info a = {.size = sizeof a}, b = {.size = sizeof b};
    bool taken = false;
    ingle_chat_input_init(&in);
    in.messages = messages, in.n_messages = n;
    in.now = "2026-01-15T09:30:00";
    if (ingle_chat_render(&without, chat, &in, NULL)) return;
    in.answers = f->answers, in.n_answers = f->n_answers;
    if (ingle_chat_render(&with, chat, &in, NULL)) abort();
    if (ingle_prompt_info_get(with, &a, NULL) || ingle_prompt_info_get(without, &b, NULL)) abort();
    if (a.n_text != b.n_text || memcmp(a.text, b.text, a.n_text) != 0) abort();
    for (size_t i = 0; i < a.n_answers; i++) taken |= a.answers_taken[i];
    if (!taken && (a.n_tokens != b.n_tokens ||
                   memcmp(a.tokens, b.tokens, a.n_tokens * sizeof *a.tokens) != 0))
        abort();
    for (size_t i = 0; i < a.n_marks; i++)
        if (a.marks[i] > a.n_tokens || (i && a.marks[i] <= a.marks[i - 1])) abort();
    ingle_prompt_close(&with);
    ingle_prompt_close(&without);
}

static void keep_and_find(ledger *l, const ledger_scope *scope, const ingle_string *messages,
                          const ledger_turn *turn, bool restore)
{
    ingle_json_writer w = {.text = NULL};
    ledger_found f;
    if (ledger_find(l, scope, messages->text, messages->len, restore, &f, NULL)) return;
    if (f.n_answers || f.messages) abort();
    ledger_keep(l, f.key, turn);
    write_answered(&w, messages, turn);
    if (!ingle_json_finish(&w) && !ledger_find(l, scope, w.text, w.n, restore, &f, NULL)) {
        size_t n = count_messages(w.text, w.n);
        bool whole = ingle_utf8_valid(turn->text, turn->n_text) == turn->n_text;
        if (turn->n_calls)
            whole = whole &&
                    ingle_utf8_valid(turn->args->text, turn->args->len) == turn->args->len &&
                    ingle_utf8_valid(turn->names->text, turn->names->len) == turn->names->len;
        if (whole && f.n_answers != (turn->n_tokens > 0)) abort();
        if (f.n_answers && (f.answers->i_message != n - 1 || f.answers->n_tokens != turn->n_tokens))
            abort();
        if (f.messages && (!restore || count_messages(f.messages, f.n_messages) != n)) abort();
        render(f.messages ? f.messages : w.text, f.messages ? f.n_messages : w.n, &f);
        ledger_found_free(&f);
    }
    ingle_json_writer_free(&w);
}

static void compare(ledger *l, const ledger_scope *scope, const int32_t *tokens, size_t n)
{
    size_t marks[8], n_marks = 0;
    int32_t numbers[8] = {0, 1, 2, 3, 4, 5, 6, 7}, changed[MOST];
    ledger_miss m;
    for (size_t at = 3; at < n && n_marks < 8; at *= 2) marks[n_marks++] = at;
    ingle_prompt_info p = {.size = sizeof p,
                           .tokens = tokens,
                           .n_tokens = n,
                           .marks = marks,
                           .n_marks = n_marks,
                           .mark_messages = numbers};
    ledger_compare(l, scope, &p, "1", NULL, &m);
    if (m.missed || !n) return;
    memcpy(changed, tokens, n * sizeof *tokens);
    size_t at = (size_t)tokens[0] % n;
    changed[at]++;
    p.tokens = changed;
    ledger_compare(l, scope, &p, "2", NULL, &m);
    if (!m.missed || m.offset != at || m.had[0] + 1 != m.got[0] || m.n_got > 16) abort();
    if (m.message >= 0 && (marks[m.message] <= at || (m.message && marks[m.message - 1] > at)))
        abort();
}

static void spell(int32_t *tokens, size_t *n, const char *text, size_t len)
{
    for (size_t i = 0; i < len && *n < MOST; i++) tokens[(*n)++] = (unsigned char)text[i];
}

static size_t write_answer(int32_t *tokens, const ledger_turn *t)
{
    size_t n = 0;
    if (t->n_thinking) {
        spell(tokens, &n, "<think>", 7);
        spell(tokens, &n, t->thinking, t->n_thinking);
        spell(tokens, &n, "</think>", 8);
    }
    spell(tokens, &n, t->text, t->n_text);
    if (t->n_calls) {
        spell(tokens, &n, "<tool_call>{\"arguments\":", 24);
        spell(tokens, &n, t->args->text, t->args->len);
        spell(tokens, &n, ",  \"name\":\"", 11);
        spell(tokens, &n, t->names->text, t->names->len);
        spell(tokens, &n, "\"}</tool_call>", 14);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ledger *l;
    int32_t tokens[MOST];
    size_t n = 0;
    if (!size) return 0;
    open_chat();
    unsigned flags = *data++;
    size--;
    ingle_string messages = next_text(&data, &size), text = next_text(&data, &size),
                 thinking = next_text(&data, &size), name = next_text(&data, &size),
                 args = next_text(&data, &size);
    for (; n < size && n < MOST; n++) tokens[n] = data[n];
    ledger_turn turn = {.text = text.text,
                        .n_text = text.len,
                        .thinking = thinking.text,
                        .n_thinking = thinking.len,
                        .names = &name,
                        .args = &args,
                        .n_calls = name.len > 0,
                        .tokens = tokens,
                        .n_tokens = n,
                        .thinks = flags & THINKS};
    if (flags & WRITTEN) n = turn.n_tokens = write_answer(tokens, &turn);
    const ledger_scope scope = {.salt = 1,
                                .model = 2,
                                .effort = "",
                                .tools = flags & TOOLS ? args.text : NULL,
                                .n_tools = args.len};
    if (ledger_open(&l, 4, 0, NULL)) abort();
    keep_and_find(l, &scope, &messages, &turn, flags & RESTORE);
    compare(l, &scope, tokens, n);
    ledger_close(&l);
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const char *const messages[] = {
        "[{\"role\":\"user\",\"content\":\"q\"}]",
        "[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"x-anthropic-billing-"
        "header: "
        "1\"},{\"type\":\"text\",\"text\":\"s\"}]},{\"role\":\"user\",\"content\":[{\"type\":"
        "\"text\",\"text\":\"q\"}]}]",
        "[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":null,"
        "\"tool_calls\":[{\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}"
        "\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"r\"}]"};
    static const char *const answers[][4] = {{"a b", "", "", ""},
                                             {"", "hm", "f", "{\"a\": [1, {\"b\": null}]}"},
                                             {"text", "t\n", "g", "no json"}};
    static const char *const written[] = {
        "a b",
        ("<think>\nhm\n</think>\n<tool_call>\n{\"name\": \"f\", \"arguments\": "
         "{\"a\":[1,{\"b\":null}]}}\n</tool_call>"),
        "<think>t</think>text"};
    if (i >= 6 || cap < 4096) return 0;
    size_t n = 0;
    data[n++] = (uint8_t)(i < 3 ? (i ? RESTORE | TOOLS : THINKS) : RESTORE | WRITTEN);
    i %= 3;
    n += (size_t)sprintf((char *)data + n, "%s", messages[i]) + 1;
    for (int k = 0; k < 4; k++) n += (size_t)sprintf((char *)data + n, "%s", answers[i][k]) + 1;
    n += (size_t)sprintf((char *)data + n, "%s", written[i]);
    return n;
}
