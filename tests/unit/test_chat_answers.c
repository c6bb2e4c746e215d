/* test_chat_answers.c - kept answers in a prompt: conversations of several turns, in which the model
 * wrote otherwise than the template prints (other tokens, other spaces, another order of arguments).
 * The prompt of the next turn begins with the last prompt and the answer's tokens wherever its text
 * begins with the last prompt's; without answers, or with others, it is as it was. With templates of
 * families as they commonly are, and with all of $INGLE_DATA/chat-templates. */
#define _GNU_SOURCE
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ingle.h>

#include "must.h"
#include "vocab_build.h"

enum { MOST_TURNS = 8, MOST_ROOM = 1 << 17, MOST_IDS = 1 << 15 };

/* ---- a vocabulary for a template ------------------------------------------------------------- */

static bool is_there(const vocab_spec *s, const char *text)
{
    for (size_t i = 0; i < s->n_tokens; i++)
        if (!strcmp(s->tokens[i].text, text)) return true;
    return false;
}

static void add_control(vocab_spec *s, const char *text, size_t n)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%.*s", (int)n, text);
    if (n < 64 && !is_there(s, copy)) vb_token(s, copy, VB_CONTROL, 0);
}

/* Words between these marks are control tokens. */
static void add_marked(vocab_spec *s, const char *text, const char *open, const char *close,
                       const char *not_in)
{
    for (const char *p = text; (p = strstr(p, open)); p++) {
        const char *inside = p + strlen(open), *end = strstr(inside, close);
        size_t n = end ? (size_t)(end - inside) : 0;
        if (n && n < 40 && strcspn(inside, not_in) >= n)
            add_control(s, p, n + strlen(open) + strlen(close));
    }
}

static void add_known(vocab_spec *s, const char *text)
{
    static const char *const known[] = {
        "<start_of_turn>", "<end_of_turn>", "<think>",      "</think>",
        "<tool_call>",     "</tool_call>",  "<turn|>",      "<|turn>",
        "<tool_call|>",    "<|tool_call>",  "[gMASK]",      "<sop>",
        "<seed:bos>",      "<seed:eos>",    "]~b]",         "[e~[",
        "]~!b[",           "<SPECIAL_12>",  "<seed:think>", "</seed:think>",
        "<channel|>",      "<|channel>",    "<eos>",        "<bos>"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strstr(text, known[i])) add_control(s, known[i], strlen(known[i]));
}

static void add_merges(vocab_spec *s)
{
    static const char *const merges[] = {"t h",
                                         "th e",
                                         "i n",
                                         "a n",
                                         "an d",
                                         "e r",
                                         "o u",
                                         "e n",
                                         "\xc4\xa0 t",
                                         "\xc4\xa0t he",
                                         "r e",
                                         "\" :",
                                         "l a",
                                         "s t",
                                         "c e",
                                         "\\ n",
                                         "\xc4\x8a \xc4\x8a"};
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        char both[64];
        size_t n = strcspn(merges[i], " ");
        snprintf(both, sizeof both, "%.*s%s", (int)n, merges[i], merges[i] + n + 1);
        vb_token(s, both, VB_NORMAL, 0);
        vb_merge(s, merges[i]);
    }
}

/* The tokens that end a turn in this template, as its makers' files name them. */
static const char *end_of(const char *text, const char *rendered)
{
    static const char *const ends[] = {
        "<|im_end|>",
        "<|eot_id|>",
        "<|END_OF_TURN_TOKEN|>",
        "<\xef\xbd\x9c\x65nd\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>",
        "<end_of_turn>",
        "<turn|>",
        "<|assistant_end|>",
        "<|end_of_text|>",
        "[e~[",
        "<seed:eos>",
        "<|role_end|>",
        "<|message_sep|>",
        "<|observation|>",
        "</assistant>",
        "<SPECIAL_12>",
        "<sep>",
        "<\xef\xbd\x9chy_eos:opensource\xef\xbd\x9c>"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strstr(text, ends[i]) || strstr(rendered, ends[i])) return ends[i];
    return "</s>";
}

static uint32_t id_of(const vocab_spec *s, const char *text)
{
    for (size_t i = 0; i < s->n_tokens; i++)
        if (!strcmp(s->tokens[i].text, text)) return (uint32_t)i;
    fail_msg("no token %s", text);
    return 0;
}

/* rendered: a prompt of it, for marks that the template puts together; "" */
static ingle_model *model_for(const char *template_text, const char *rendered)
{
    static vocab_spec s;
    static gguf_bytes b;
    char path[32];
    ingle_model *m;
    ingle_model_options mo;
    ingle_error err;
    const char *end = end_of(template_text, rendered);
    vb_bpe(&s, "qwen2");
    add_merges(&s);
    add_control(&s, "<s>", 3);
    add_control(&s, end, strlen(end));
    add_marked(&s, template_text, "<|", "|>", "<> \n'\"{");
    add_marked(&s, template_text, "<\xef\xbd\x9c", "\xef\xbd\x9c>", "<> \n'\"{");
    add_marked(&s, template_text, "[", "]",
               "abcdefghijklmnopqrstuvwxyz0123456789-:<> \n'\"{}[,.()|");
    add_marked(&s, rendered, "<\xef\xbd\x9c", "\xef\xbd\x9c>", "<> \n'\"{");
    add_known(&s, template_text);
    vb_key(&s, "tokenizer.ggml.bos_token_id", INGLE_GGUF_U32, id_of(&s, "<s>"));
    vb_key(&s, "tokenizer.ggml.eos_token_id", INGLE_GGUF_U32, id_of(&s, end));
    if (is_there(&s, "<|user|>") && !strcmp(end, "<|observation|>"))
        vb_key(&s, "tokenizer.ggml.eot_token_id", INGLE_GGUF_U32, id_of(&s, "<|user|>"));
    vb_write(&b, &s);
    int fd = gb_file(b.p, b.n, path);
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_VOCAB;
    must(ingle_model_open(&m, path, &mo, &err), &err);
    close(fd);
    return m;
}

/* ---- a conversation -------------------------------------------------------------------------- */

/* What is said until an answer begins, and the answer; one message each, with a comma after it. */
typedef struct turn {
    const char *asked, *answer;
    const char *change[4]; /* what the template prints of arguments, and what the model wrote */
} turn;

#define CALL(id, args)                                                                             \
    "{\"id\":\"" id                                                                                \
    "\",\"type\":\"function\",\"function\":{\"name\":\"find_it\",\"arguments\":" args "}}"
#define RESULT(id, text)                                                                           \
    "{\"role\":\"tool\",\"tool_call_id\":\"" id "\",\"name\":\"find_it\",\"content\":\"" text "\"" \
    "},"

static const turn talk[] = {
    {"{\"role\":\"system\",\"content\":\"Be the one that finds.\"},{\"role\":\"user\",\"content\":"
     "\"Where is the lamp?\"},",
     "{\"role\":\"assistant\",\"content\":\"The lamp is in the cellar.\"},",
     {NULL}},
    {"{\"role\":\"user\",\"content\":\"Look there!\"},",
     "{\"role\":\"assistant\",\"content\":\"\",\"reasoning_content\":\"I look in the cellar.\","
     "\"tool_calls\":[" CALL("call12345",
                             "\"{\\\"where\\\": \\\"the cellar\\\", \\\"n\\\": 2}\"") "]},",
     {"{\"where\": \"the cellar\", \"n\": 2}", "{\"n\":2,  \"where\":\"the cellar\"}",
      "{\"where\":\"the cellar\",\"n\":2}", "{\"n\": 2, \"where\": \"the cellar\"}"}},
    {RESULT("call12345", "a lamp"),
     "{\"role\":\"assistant\",\"content\":\"There it is, then.\",\"reasoning_content\":\"Now I "
     "know "
     "it.\"},",
     {NULL}},
    {"{\"role\":\"user\",\"content\":\"And the other two?\"},",
     "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[" CALL(
         "call12346",
         "\"{\\\"where\\\": \\\"here\\\"}\"") "," CALL("call12347",
                                                       "\"{\\\"where\\\": \\\"there\\\"}\"") "]},",
     {"{\"where\": \"there\"}", "{ \"where\" : \"there\" }", "{\"where\":\"there\"}",
      "{ \"where\" : \"there\" }"}},
    {RESULT("call12346", "one") RESULT("call12347", "two"),
     "{\"role\":\"assistant\",\"content\":\"Both are there.\"},",
     {NULL}},
    {"{\"role\":\"user\",\"content\":\"Thanks.\"},", NULL, {NULL}}};
enum { N_TURNS = sizeof talk / sizeof *talk };

static const char tools[] =
    "[{\"type\":\"function\",\"function\":{\"name\":\"find_it\",\"description\":\"Finds things\","
    "\"parameters\":{\"type\":\"object\",\"properties\":{\"where\":{\"type\":\"string\","
    "\"description\":\"a place\"},\"n\":{\"type\":\"integer\",\"description\":\"how many\"}},"
    "\"required\":[\"where\"]}}}]";

/* One of the answers, as the model wrote it. */
typedef struct written {
    char text[4096];
    int32_t tokens[4096];
    size_t n_tokens, i_message;
    bool thinks;
} written;

typedef struct said {
    char text[MOST_ROOM];
    int32_t tokens[MOST_IDS];
    size_t n_text, n_tokens;
    bool thinks, taken[MOST_TURNS];
    size_t n_marks;
} said;

static bool always_thinks; /* every answer has thinking; else those that are so in the list */
static const char who[] = "{\"role\":\"assistant\",",
                  thought[] = "\"reasoning_content\":\"Hm, hm.\",";

/* The messages up to the answer of turn i, not included. */
static size_t messages_to(size_t i, char *out, size_t *n_messages)
{
    size_t n = (size_t)sprintf(out, "[");
    *n_messages = 0;
    for (size_t k = 0; k <= i; k++) {
        n += (size_t)sprintf(out + n, "%s", talk[k].asked);
        bool more = k < i && always_thinks && !strstr(talk[k].answer, "reasoning_content");
        if (k < i)
            n += (size_t)sprintf(out + n, "%s%s%s", who, more ? thought : "",
                                 talk[k].answer + strlen(who));
        for (const char *p = talk[k].asked; (p = strstr(p, "\"role\"")); p++) ++*n_messages;
        *n_messages += k < i;
    }
    out[n - 1] = ']';
    return n;
}

/* False: the template refuses it. */
static bool render(const ingle_chat *chat, size_t i, const written *answers, size_t n_answers,
                   bool with_tools, said *out)
{
    static char messages[16384];
    ingle_answer list[MOST_TURNS];
    ingle_chat_input in;
    ingle_prompt *p;
    ingle_prompt_info info = {.size = sizeof info};
    ingle_error err;
    size_t n_messages;
    ingle_chat_input_init(&in);
    in.n_messages = messages_to(i, messages, &n_messages);
    in.messages = messages;
    if (with_tools) in.tools = tools, in.n_tools = sizeof tools - 1;
    in.now = "2026-01-15T09:30:00";
    for (size_t k = 0; k < n_answers; k++)
        list[k] = (ingle_answer){.i_message = answers[k].i_message,
                                 .tokens = answers[k].tokens,
                                 .n_tokens = answers[k].n_tokens,
                                 .thinks = answers[k].thinks};
    in.answers = list, in.n_answers = n_answers;
    ingle_status st = ingle_chat_render(&p, chat, &in, &err);
    if (st == INGLE_EINVAL) return false;
    must(st, &err);
    must(ingle_prompt_info_get(p, &info, &err), &err);
    assert_true(info.n_text < MOST_ROOM && info.n_tokens < MOST_IDS);
    assert_int_equal(info.n_answers, n_answers);
    memcpy(out->text, info.text, info.n_text + 1);
    memcpy(out->tokens, info.tokens, info.n_tokens * sizeof *info.tokens);
    memcpy(out->taken, info.answers_taken, n_answers * sizeof *out->taken);
    out->n_text = info.n_text, out->n_tokens = info.n_tokens, out->thinks = info.thinks;
    out->n_marks = info.n_marks;
    for (size_t k = 0; k < info.n_marks; k++) {
        assert_true(info.marks[k] <= info.n_tokens);
        assert_true(info.mark_messages[k] >= -1 && info.mark_messages[k] < (int32_t)n_messages);
        if (!k) continue;
        assert_true(info.marks[k] > info.marks[k - 1]);
        assert_true(info.mark_messages[k] > info.mark_messages[k - 1]);
    }
    ingle_prompt_close(&p);
    return true;
}

/* ---- what the model wrote -------------------------------------------------------------------- */

static size_t text_of(const ingle_model *m, const int32_t *tokens, size_t n, char *out, size_t cap)
{
    ingle_error err;
    size_t len;
    must(ingle_detokenize(m, tokens, n, INGLE_UNPARSE_SPECIAL, out, cap - 1, &len, &err), &err);
    out[len] = 0;
    return len;
}

/* Control tokens as such, all other text byte by byte. */
static void spell(const ingle_model *m, written *w)
{
    int32_t ids[4096];
    ingle_error err;
    size_t n;
    must(ingle_tokenize(m, w->text, strlen(w->text), INGLE_PARSE_SPECIAL | INGLE_CONTINUE, ids,
                        4096, &n, &err),
         &err);
    w->n_tokens = 0;
    for (size_t i = 0; i < n; i++) {
        ingle_token_info t = {.size = sizeof t};
        char piece[64];
        must(ingle_token_info_get(m, ids[i], &t, &err), &err);
        size_t len = text_of(m, &ids[i], 1, piece, sizeof piece);
        if (t.control) w->tokens[w->n_tokens++] = ids[i];
        for (size_t k = 0; !t.control && k < len; k++) {
            assert_true(w->n_tokens < 4096);
            w->tokens[w->n_tokens++] = (unsigned char)piece[k];
        }
    }
}

static void replace(char *text, const char *what, const char *by)
{
    char *p = what ? strstr(text, what) : NULL;
    if (!p) return;
    size_t n = strlen(what), n_by = strlen(by);
    memmove(p + n_by, p + n, strlen(p + n) + 1);
    memcpy(p, by, n_by);
}

/* What follows in a text where the prompt ended, up to the token that ends an answer: written in
 * another way. False: nothing ends it. */
static bool write_answer(const ingle_model *m, const char *rest, const turn *t, written *w)
{
    static int32_t ids[MOST_IDS];
    ingle_error err;
    size_t n, i = 0;
    must(ingle_tokenize(m, rest, strlen(rest), INGLE_PARSE_SPECIAL | INGLE_CONTINUE, ids, MOST_IDS,
                        &n, &err),
         &err);
    for (; i < n; i++) {
        ingle_token_info info = {.size = sizeof info};
        must(ingle_token_info_get(m, ids[i], &info, &err), &err);
        if (info.eog) break;
    }
    if (i == n) { /* of messages that may go on in others the last */
        const char *end = strstr(rest, "<|end|><|start|>user");
        if (!end) return false;
        must(ingle_tokenize(m, rest, (size_t)(end - rest), INGLE_PARSE_SPECIAL | INGLE_CONTINUE,
                            ids, MOST_IDS, &i, &err),
             &err);
    }
    size_t len = text_of(m, ids, i, w->text, sizeof w->text);
    while (len && strchr(" \n", w->text[len - 1])) w->text[--len] = 0;
    replace(w->text, t->change[0], t->change[1]);
    replace(w->text, t->change[2], t->change[3]);
    spell(m, w);
    return true;
}

/* ---- turns ----------------------------------------------------------------------------------- */

typedef struct count {
    size_t n_begin, n_taken; /* turns whose text begins with the last prompt; of them taken */
    bool refused;            /* from the first turn on */
    char why[200];
} count;

/* Other text in an answer: nothing is taken, and the prompt is what it is without answers. */
static void others_change_nothing(const ingle_model *m, const ingle_chat *chat, size_t i,
                                  const written *answers, size_t n, bool with_tools,
                                  const said *plain)
{
    static written other[MOST_TURNS];
    static said got;
    static const char *const words[] = {"cellar", "here", "there", "There", "Both"};
    memcpy(other, answers, n * sizeof *answers);
    for (size_t k = 0; k < n; k++) {
        bool changed = false;
        for (size_t j = 0; j < 5 && !changed; j++) {
            char *p = strstr(other[k].text, words[j]);
            if ((changed = p)) *p = 'X';
        }
        if (!changed) strcat(other[k].text, " X");
        spell(m, &other[k]);
    }
    assert_true(render(chat, i, other, n, with_tools, &got));
    for (size_t k = 0; k < n; k++) assert_false(got.taken[k]);
    assert_int_equal(got.n_tokens, plain->n_tokens);
    assert_memory_equal(got.tokens, plain->tokens, plain->n_tokens * sizeof *plain->tokens);
}

/* The tokens begin with the last prompt's and the answer's; what comes after them is what the
 * template prints. */
static void goes_on_from(const ingle_model *m, const said *with, const said *last, const written *w)
{
    static char rest[MOST_ROOM];
    size_t n = last->n_tokens + w->n_tokens;
    assert_true(with->n_tokens >= n);
    if (memcmp(with->tokens, last->tokens, last->n_tokens * sizeof *last->tokens))
        fail_msg("the last prompt's tokens have changed:\n%s", with->text);
    if (memcmp(with->tokens + last->n_tokens, w->tokens, w->n_tokens * sizeof *w->tokens))
        fail_msg("the answer's tokens do not follow: %s\n%s", w->text, with->text);
    size_t n_rest = text_of(m, with->tokens + n, with->n_tokens - n, rest, sizeof rest);
    assert_true(n_rest <= with->n_text);
    assert_string_equal(with->text + with->n_text - n_rest, rest);
}

/* Turn i, whose text begins with that of the last prompt. */
static void next_turn(const ingle_model *m, const ingle_chat *chat, size_t i, bool with_tools,
                      const said *plain, written *answers, size_t *n, said *last, count *c)
{
    static said with;
    char skip[16384];
    written *w = &answers[*n];
    messages_to(i - 1, skip, &w->i_message);
    w->thinks = last->thinks;
    if (!write_answer(m, plain->text + last->n_text, &talk[i - 1], w)) {
        snprintf(c->why, sizeof c->why, "turn %zu: nothing ends the answer", i);
        *last = *plain;
        return;
    }
    c->n_begin++;
    ++*n;
    assert_true(render(chat, i, answers, *n, with_tools, &with));
    assert_string_equal(with.text, plain->text);
    if (with.taken[*n - 1]) {
        c->n_taken++;
        goes_on_from(m, &with, last, w);
    } else {
        snprintf(c->why, sizeof c->why, "turn %zu not taken: %.100s", i, w->text);
    }
    others_change_nothing(m, chat, i, answers, *n, with_tools, plain);
    *last = with;
}

static void play(const ingle_model *m, const ingle_chat *chat, bool with_tools, count *c)
{
    static said last, plain, with;
    static written answers[MOST_TURNS];
    size_t n = 0;
    c->refused = false;
    for (size_t i = 0; i < N_TURNS; i++) {
        if (!render(chat, i, NULL, 0, with_tools, &plain)) {
            snprintf(c->why, sizeof c->why, "refuses turn %zu", i);
            c->refused = !i;
            return;
        }
        if (i && plain.n_text > last.n_text && !memcmp(plain.text, last.text, last.n_text)) {
            next_turn(m, chat, i, with_tools, &plain, answers, &n, &last, c);
            continue;
        }
        if (i) snprintf(c->why, sizeof c->why, "turn %zu prints the past otherwise", i);
        last = n && render(chat, i, answers, n, with_tools, &with) ? with : plain;
    }
}

static char *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    *n = fread(text, 1, (1 << 20) - 1, f);
    fclose(f);
    return text;
}

/* ---- templates as they commonly are ---------------------------------------------------------- */

#define BODY                                                                                       \
    "{{ m.content }}{%- for c in m.tool_calls or [] %}\n<tool_call>\n{\"name\": \"{{ "             \
    "c.function.name }}\", \"arguments\": {{ c.function.arguments | tojson }}}\n</tool_call>"      \
    "{%- endfor %}"
#define TOOLS "{%- if tools %}{{ tools | tojson }}{% endif %}"

static const struct {
    const char *name, *text;
    size_t n_taken;
} common[] = {
    {"an end token, and a head after the last message",
     TOOLS "{%- for m in messages %}<|im_start|>{{ m.role }}\n" BODY "<|im_end|>\n{% endfor %}"
           "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
     5},
    {"no end token: the next message begins with one",
     TOOLS "{%- for m in messages %}{{ {'system': '<|system|>', 'user': '<|user|>', 'tool': "
           "'<|observation|>', 'assistant': '<|assistant|>'}[m.role] }}\n" BODY "{% endfor %}"
           "{%- if add_generation_prompt %}<|assistant|>\n{% endif %}",
     5},
    {"the head is printed with the last message",
     TOOLS "{%- for m in messages %}<|im_start|>{{ m.role }}\n" BODY "<|im_end|>\n"
           "{%- if loop.last and add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
           "{% endfor %}",
     5},
    {"no head",
     TOOLS "{%- for m in messages %}{%- if m.role == 'assistant' %}" BODY
           "</s>{%- else %}[INST]{{ m.content }}[/INST]{% endif %}{% endfor %}",
     5},
    {"another head after results",
     TOOLS
     "{%- for m in messages %}{%- if m.role == 'assistant' %}"
     "{%- if messages[loop.index0 - 1].role != 'tool' %}<|assistant|>{% endif %}" BODY
     "</s>{%- else %}<|user|>{{ m.content }}{% endif %}{% endfor %}"
     "{%- if add_generation_prompt and messages[-1].role != 'tool' %}<|assistant|>{% endif %}",
     5},
    {"two loops",
     TOOLS "{%- for m in messages[:2] %}<|im_start|>{{ m.role }}\n" BODY "<|im_end|>\n{% endfor %}"
           "{%- for m in messages[2:] %}<|im_start|>{{ m.role }}\n" BODY "<|im_end|>\n{% endfor %}"
           "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
     5},
    {"the loop begins with the first answer",
     TOOLS "{{ messages[0].content + messages[1].content }}{%- for m in messages[2:] %}"
           "<|im_start|>{{ m.role }}\n" BODY "<|im_end|>\n{% endfor %}"
           "{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
     5},
    {"tools in words",
     "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
     "{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
     5},
    {"no control tokens",
     "{%- for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
     "{%- if add_generation_prompt %}assistant: {% endif %}",
     0},
};

static ingle_chat *open_chat(ingle_model *m, const char *text)
{
    ingle_chat_options co;
    ingle_chat *chat;
    ingle_error err;
    ingle_chat_options_init(&co);
    co.template_text = text;
    co.n_template = strlen(text);
    must(ingle_chat_open(&chat, m, &co, &err), &err);
    return chat;
}

static void common_templates(void **state)
{
    (void)state;
    always_thinks = false;
    for (size_t i = 0; i < sizeof common / sizeof *common; i++) {
        ingle_model *m = model_for(common[i].text, "");
        ingle_chat *chat = open_chat(m, common[i].text);
        count c = {.why = ""};
        play(m, chat, true, &c);
        if (c.n_taken != common[i].n_taken)
            fail_msg("%s: %zu of %zu, %s", common[i].name, c.n_taken, c.n_begin, c.why);
        ingle_chat_close(&chat);
        ingle_model_close(&m);
    }
}

/* ---- one answer ------------------------------------------------------------------------------ */

static const char thinks_text[] =
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{%- if m.role == 'assistant' and "
    "m.reasoning_content and loop.index0 > last_user|default(0) %}<think>\n{{ m.reasoning_content "
    "}}\n"
    "</think>\n\n{%- elif m.role == 'assistant' and keep_empty %}<think>\n\n</think>\n\n{% endif %}"
    "{{ m.content }}{%- for c in m.tool_calls or [] %}\n<tool_call>\n{\"name\": \"{{ "
    "c.function.name "
    "}}\", \"arguments\": {{ c.function.arguments | tojson }}{%- if c.id %}, \"id\": \"{{ c.id }}\""
    "{% endif %}}\n</tool_call>{% endfor %}<|im_end|>\n{% endfor %}{{ tools or '' }}"
    "{%- if add_generation_prompt %}<|im_start|>assistant\n{%- if enable_thinking is defined and "
    "not "
    "enable_thinking %}<think>\n\n</think>\n\n{%- elif open_thinking %}<think>\n{% endif %}{% "
    "endif %}";

typedef struct one {
    const char *message; /* members after the role */
    const char *kwargs;
    const char *answer;
    bool thinks;
    ingle_thinking_mode thinking;
    bool taken;
} one;

static const one ones[] = {
    {"\"content\":\"a b\"", "{}", "a b", false, 0, true},
    {"\"content\":\"a b\"", "{}", "\n a b \n", false, 0, true},
    {"\"content\":\"a b\"", "{}", "a  b", false, 0, false},
    {"\"content\":\"a b\"", "{}", "a b c", false, 0, false},
    {"\"content\":\"\"", "{}", "", false, 0, true},
    {"\"content\":\"<|im_end|>\"", "{}", "<|im_end|>", false, 0, false}, /* what they say is text */
    /* thinking */
    {"\"content\":\"b\",\"reasoning_content\":\"a\"", "{}", "<think>a</think>b", false, 0, true},
    {"\"content\":\"b\",\"reasoning_content\":\"a\"", "{\"open_thinking\":true}", "a</think>b",
     true, 0, true},
    {"\"content\":\"b\",\"reasoning_content\":\"a\"", "{}", "a</think>b", true, 0, true},
    {"\"content\":\"b\",\"reasoning_content\":\"a\"", "{\"open_thinking\":true}",
     "<think>\na</think>b", false, 0, true},
    {"\"content\":\"b\",\"reasoning_content\":\"a\"", "{}", "<think>c</think>b", false, 0, false},
    {"\"content\":\"b\",\"reasoning_content\":\"a\"", "{}", "b", false, 0, false},
    {"\"content\":\"b\"", "{}", "<think>a</think>b", false, 0, false},
    {"\"content\":\"b\",\"reasoning_content\":\"a\"", "{\"last_user\":9}", "<think>a</think>b",
     false, 0, false},
    {"\"content\":\"b\"", "{\"keep_empty\":true}", "b", false, INGLE_THINKING_OFF, true},
    {"\"content\":\"b\"", "{}", "b", false, INGLE_THINKING_OFF, false}, /* its head is not there */
    {"\"content\":\"b\",\"reasoning_content\":\"a\"", "{}", "<think>a</think>b", false,
     INGLE_THINKING_OFF, true}, /* the switch was another then */
    {"\"content\":\"b\"", "{\"keep_empty\":true}", "b", false, INGLE_THINKING_ON, true},
    /* calls */
    {"\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1.0,"
     "\"y\":[1,{\"a\":null,\"b\":\"\u00e4\"}]}}}]",
     "{}",
     "<tool_call>{\"name\":\"f\",\"arguments\":{\"y\":[1,{\"b\":\"\\u00e4\",\"a\":null}],\"x\":1}}"
     "</tool_call>",
     false, 0, true},
    {"\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":2}}}]",
     "{}", "<tool_call>{\"name\":\"f\",\"arguments\":{\"x\":1,\"x\":2}}</tool_call>", false, 0,
     true},
    {"\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]",
     "{}", "<tool_call>{\"name\":\"f\",\"arguments\":{\"x\":1,\"x\":2}}</tool_call>", false, 0,
     false},
    {"\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":[1,2]}}}"
     "]",
     "{}", "<tool_call>{\"name\":\"f\",\"arguments\":{\"x\":[2,1]}}</tool_call>", false, 0, false},
    {"\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]",
     "{}", "<tool_call>{\"name\":\"g\",\"arguments\":{\"x\":1}}</tool_call>", false, 0, false},
    {"\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]",
     "{}", "<tool_call>{\"name\":\"f\",\"arguments\":{\"x\":1", false, 0, false},
    {"\"content\":\"\",\"tool_calls\":[{\"id\":\"i1\",\"function\":{\"name\":\"f\",\"arguments\":{}"
     "}}]",
     "{}", "<tool_call>{\"name\":\"f\",\"arguments\":{},\"id\":\"i1\"}</tool_call>", false, 0,
     true},
    {"\"content\":\"\",\"tool_calls\":[{\"id\":\"i1\",\"function\":{\"name\":\"f\",\"arguments\":{}"
     "}}]",
     "{}", "<tool_call>{\"name\":\"f\",\"arguments\":{},\"id\":\"i2\"}</tool_call>", false, 0,
     false},
};

static void one_answer(void **state)
{
    ingle_model *m = model_for("<|im_start|><|im_end|><think></think>", "");
    ingle_chat *chat = open_chat(m, thinks_text);
    (void)state;
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++) {
        static written w;
        char messages[1024];
        ingle_chat_input in;
        ingle_prompt *p;
        ingle_prompt_info info = {.size = sizeof info};
        ingle_error err;
        snprintf(w.text, sizeof w.text, "%s", ones[i].answer);
        spell(m, &w);
        const ingle_answer answer = {1, w.tokens, w.n_tokens, ones[i].thinks};
        ingle_chat_input_init(&in);
        in.messages = messages;
        in.n_messages = (size_t)snprintf(messages, sizeof messages,
                                         "[{\"role\":\"user\",\"content\":\"q\"},{\"role\":"
                                         "\"assistant\",%s},{\"role\":\"user\",\"content\":\"r\"}]",
                                         ones[i].message);
        in.kwargs = ones[i].kwargs, in.n_kwargs = strlen(ones[i].kwargs);
        in.thinking = ones[i].thinking;
        in.answers = &answer, in.n_answers = 1;
        must(ingle_chat_render(&p, chat, &in, &err), &err);
        must(ingle_prompt_info_get(p, &info, &err), &err);
        if (info.answers_taken[0] != ones[i].taken)
            fail_msg("case %zu: '%s' in\n%s", i, ones[i].answer, info.text);
        assert_int_equal(info.n_marks, 3);
        for (int k = 0; k < 3; k++) assert_int_equal(info.mark_messages[k], k);
        ingle_prompt_close(&p);
    }
    ingle_chat_close(&chat);
    ingle_model_close(&m);
}

/* ---- numbers, and what is refused ------------------------------------------------------------ */

/* Marks count the caller's messages, also where ingle puts one of its own before them, or one into
 * another. */
static void numbers_of_messages(void **state)
{
    static const char words[] = "{%- for m in messages %}<|im_start|>{{ m.content }}{% endfor %}";
    static const char no_system[] =
        "{%- for m in messages %}{%- if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}"
        "<|im_start|>{{ m.content }}{% endfor %}";
    static const char *const messages[] = {
        "[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"a\"}]",
        "[{\"role\":\"system\",\"content\":\"q\"},{\"role\":\"user\",\"content\":\"a\"}]"};
    static const int32_t want[2][3] = {{-1, 0, 1}, {1}};
    (void)state;
    for (int i = 0; i < 2; i++) {
        ingle_model *m = model_for("<|im_start|>", "");
        ingle_chat *chat = open_chat(m, i ? no_system : words);
        ingle_chat_input in;
        ingle_prompt *p;
        ingle_prompt_info info = {.size = sizeof info};
        ingle_error err;
        ingle_chat_input_init(&in);
        in.messages = messages[i], in.n_messages = strlen(messages[i]);
        if (!i) in.tools = tools, in.n_tools = sizeof tools - 1;
        must(ingle_chat_render(&p, chat, &in, &err), &err);
        must(ingle_prompt_info_get(p, &info, &err), &err);
        assert_int_equal(info.n_marks, i ? 1 : 3);
        assert_memory_equal(info.mark_messages, want[i], info.n_marks * sizeof **want);
        ingle_prompt_close(&p);
        ingle_chat_close(&chat);
        ingle_model_close(&m);
    }
}

static void refused(void **state)
{
    static const char messages[] =
        "[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":\"a\"},"
        "{\"role\":\"assistant\",\"content\":\"b\"}]";
    static const int32_t good[] = {'a'}, bad[] = {'a', 100000}, negative[] = {-1};
    static const struct {
        ingle_answer answers[2];
        size_t n;
        const char *says;
    } cases[] = {
        {{{0, good, 1, false}}, 1, "answers[0].i_message is 0, which is no assistant's"},
        {{{1, good, 1, false}, {1, good, 1, false}}, 2, "answers[1].i_message is 1"},
        {{{2, good, 1, false}, {1, good, 1, false}}, 2, "answers[1].i_message is 1"},
        {{{3, good, 1, false}}, 1, "one of 3 messages"},
        {{{1, NULL, 1, false}}, 1, "answers[0].tokens is NULL"},
        {{{1, bad, 2, false}}, 1, "answers[0].tokens[1] is 100000"},
        {{{1, negative, 1, false}}, 1, "answers[0].tokens[0] is -1"},
    };
    ingle_model *m = model_for("<|im_start|>", "");
    ingle_chat *chat = open_chat(m, common[0].text);
    ingle_chat_input in;
    ingle_prompt *p;
    ingle_error err;
    (void)state;
    ingle_chat_input_init(&in);
    in.messages = messages, in.n_messages = sizeof messages - 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        in.answers = cases[i].answers, in.n_answers = cases[i].n;
        assert_int_equal(ingle_chat_render(&p, chat, &in, &err), INGLE_EINVAL);
        assert_text(&err, cases[i].says);
        assert_null(p);
    }
    in.answers = NULL;
    assert_int_equal(ingle_chat_render(&p, chat, &in, &err), INGLE_EINVAL);
    assert_text(&err, "answers is NULL");
    ingle_chat_close(&chat);
    ingle_model_close(&m);
}

/* ---- all templates --------------------------------------------------------------------------- */

static void all_templates(void **state)
{
    const char *data = getenv("INGLE_DATA");
    char path[4096];
    size_t n = 0, n_all = 0, n_some = 0, n_none = 0;
    (void)state;
    if (!data) {
        print_message("skipped: INGLE_DATA is not set\n");
        return;
    }
    snprintf(path, sizeof path, "%s/chat-templates/templates", data);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        ingle_chat_options co;
        ingle_chat *chat;
        ingle_error err;
        if (len < 7 || strcmp(e->d_name + len - 6, ".jinja") != 0) continue;
        snprintf(path, sizeof path, "%s/chat-templates/templates/%s", data, e->d_name);
        ingle_chat_options_init(&co);
        char *text = read_file(path, &co.n_template);
        co.template_text = text;
        static said first;
        first.text[0] = 0;
        ingle_model *m = model_for(text, "");
        must(ingle_chat_open(&chat, m, &co, &err), &err);
        render(chat, 1, NULL, 0, true, &first);
        ingle_chat_close(&chat);
        ingle_model_close(&m);
        m = model_for(text, first.text);
        must(ingle_chat_open(&chat, m, &co, &err), &err);
        count c = {.why = ""};
        for (int k = 0; k < 2; k++) {
            always_thinks = k;
            play(m, chat, true, &c);
            if (c.refused) play(m, chat, false, &c);
        }
        print_message("%-60s %2zu of %2zu  %s\n", e->d_name, c.n_taken, c.n_begin, c.why);
        n_all += c.n_begin && c.n_taken == c.n_begin;
        n_some += c.n_taken && c.n_taken < c.n_begin;
        n_none += !c.n_taken;
        ingle_chat_close(&chat);
        ingle_model_close(&m);
        free(text);
        n++;
    }
    closedir(dir);
    print_message("%zu templates: %zu take all answers that can be, %zu some, %zu none\n", n, n_all,
                  n_some, n_none);
    assert_true(n >= 80);
    assert_true(n_all >= 69); /* others print the past otherwise at every turn, or have no marks */
    assert_true(n_some <= 1); /* one in which an answer with calls is two messages */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(common_templates),
                                       cmocka_unit_test(one_answer),
                                       cmocka_unit_test(numbers_of_messages),
                                       cmocka_unit_test(refused), cmocka_unit_test(all_templates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
