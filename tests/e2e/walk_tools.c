/* walk_tools.c - random calls of tools as the families write them, for e2e_tools_grammar.sh.
 *   walk_tools MODEL SHARE < SCHEMAS
 * SCHEMAS has a line {"name", "schema"} for each tool. Each family that calls tools is asked for a
 * call of one SHARE-th of them, other ones for each family; with 1, of all. A line {"name", "schema",
 * "text"} comes out for each, the text being the arguments that the parser made of the call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ingle.h>

#include "base/json.h"
#include "grammar_walk.h"

#define CHATML                                                                                     \
    "{%- for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"    \
    "{%- if tools %}{{ tools | length }}{% endif %}"

enum { LINE = 1 << 20, TRIES = 20 };

static void must(ingle_status st, const ingle_error *err, const char *what)
{
    if (!st) return;
    fprintf(stderr, "walk_tools: %s: %s\n", what, err->text);
    exit(2);
}

/* ---- a call as it comes back ----------------------------------------------------------------- */

typedef struct call {
    char args[WALK_BYTES];
    size_t n, n_calls, n_content;
    bool named, bad;
} call;

static void note(void *user, const ingle_chat_event *e)
{
    call *c = user;
    if (e->kind == INGLE_CHAT_CONTENT) c->n_content += e->text_len;
    if (e->kind == INGLE_CHAT_CALL_END) c->bad |= e->bad;
    if (e->kind == INGLE_CHAT_CALL_BEGIN) {
        c->n_calls++;
        c->named = e->text_len == 4 && !memcmp(e->text, "tool", 4);
    }
    if (e->kind != INGLE_CHAT_CALL_ARGS || c->n + e->text_len > sizeof c->args) return;
    memcpy(c->args + c->n, e->text, e->text_len);
    c->n += e->text_len;
}

static void parse(call *c, ingle_chat *chat, const char *tools, const char *text, size_t n)
{
    ingle_chat_parser_options po;
    ingle_chat_parser *p;
    ingle_error err;
    *c = (call){.n = 0};
    ingle_chat_parser_options_init(&po);
    po.tools = tools;
    po.n_tools = strlen(tools);
    po.on_event = note;
    po.user = c;
    must(ingle_chat_parser_open(&p, chat, &po, &err), &err, "the parser");
    must(ingle_chat_parser_feed(p, text, n, &err), &err, "the parser");
    must(ingle_chat_parser_finish(p, &err), &err, "the parser");
    ingle_chat_parser_close(&p);
}

/* ---- one tool -------------------------------------------------------------------------------- */

static char *tools_of(const ingle_json *schema)
{
    ingle_json_writer w = {0};
    ingle_json_begin_array(&w);
    ingle_json_begin_object(&w);
    ingle_json_put_text(ingle_json_name(&w, "name"), "tool");
    ingle_json_put(ingle_json_name(&w, "parameters"), schema);
    ingle_json_end_object(&w);
    ingle_json_end_array(&w);
    if (ingle_json_finish(&w)) exit(2);
    return w.text;
}

static void show(const char *family, const ingle_json *item, const call *c)
{
    char name[256];
    ingle_json_writer w = {0};
    snprintf(name, sizeof name, "%s %s", family, ingle_json_get(item, "name")->text);
    ingle_json_begin_object(&w);
    ingle_json_put_text(ingle_json_name(&w, "name"), name);
    ingle_json_put(ingle_json_name(&w, "schema"), ingle_json_get(item, "schema"));
    ingle_json_put_bytes(ingle_json_name(&w, "text"), c->args, c->n);
    ingle_json_end_object(&w);
    if (ingle_json_finish(&w)) exit(2);
    puts(w.text);
    ingle_json_writer_free(&w);
}

static bool walk(ingle_grammar *g, const char *family, char *text, size_t *n)
{
    walk_hints h;
    walk_hints_of(&h, family, NULL);
    for (uint64_t seed = 1; seed <= TRIES; seed++) {
        ingle_grammar_state *s;
        ingle_error err;
        uint64_t state = seed;
        must(ingle_grammar_state_open(&s, g, &err), &err, "a state");
        *n = 0;
        bool whole = walk_on(&s, text, n, &h, &state);
        ingle_grammar_state_close(&s);
        if (whole) return true;
    }
    return false;
}

/* 0: a call came back; 1: none was found that ends; 2: what came back is no call of the tool. */
static int try_tool(ingle_chat *chat, const char *family, const ingle_json *item)
{
    static char text[WALK_BYTES + 1];
    static call c;
    ingle_tools_options to;
    ingle_grammar *g;
    ingle_error err;
    size_t n;
    char *tools = tools_of(ingle_json_get(item, "schema"));
    ingle_tools_options_init(&to);
    to.required = to.one = true;
    ingle_status st = ingle_grammar_open_tools(&g, chat, tools, strlen(tools), &to, &err);
    if (st) fprintf(stderr, "%s, %s: %s\n", family, ingle_json_get(item, "name")->text, err.text);
    int result = st ? 1 : !walk(g, family, text, &n);
    if (!result) {
        parse(&c, chat, tools, text, n);
        if (c.n_calls != 1 || !c.named || c.bad || c.n_content) result = 2;
        if (result) fprintf(stderr, "%s: no call: %.*s\n", family, (int)n, text);
        else show(family, item, &c);
    }
    ingle_grammar_close(&g);
    free(tools);
    return result;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static ingle_chat *chat_of(ingle_model *m, const ingle_chat_family *f)
{
    char text[2048];
    ingle_chat_options co;
    ingle_chat *chat;
    ingle_error err;
    const ingle_call_syntax *row = ingle_call_syntax_named(f->calls[0]);
    int n = snprintf(text, sizeof text, "%s", CHATML);
    for (size_t i = 0; i < INGLE_SYNTAX_SIGNS && row->signs.all[i]; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "{# %s #}", row->signs.all[i]);
    ingle_chat_options_init(&co);
    co.template_text = text;
    co.n_template = (size_t)n;
    co.family = f->name;
    must(ingle_chat_open(&chat, m, &co, &err), &err, f->name);
    return chat;
}

int main(int argc, char **argv)
{
    static char line[LINE];
    ingle_model_options mo;
    ingle_model *m;
    ingle_error err;
    const ingle_chat_family *f;
    ingle_chat *chats[256] = {NULL};
    size_t n_results[3] = {0}, i_line = 0, share = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    if (argc != 3 || !share) return 2;
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_META;
    must(ingle_model_open(&m, argv[1], &mo, &err), &err, argv[1]);
    for (; fgets(line, sizeof line, stdin); i_line++) {
        ingle_json_doc doc;
        must(ingle_json_open(&doc, line, strlen(line), NULL, &err), &err, "a line");
        for (size_t i = 0; i < 256 && (f = ingle_profile_family(i)); i++) {
            if (!f->calls[0] || (i_line + i) % share) continue;
            if (!chats[i]) chats[i] = chat_of(m, f);
            n_results[try_tool(chats[i], f->name, doc.root)]++;
        }
        ingle_json_close(&doc);
    }
    for (size_t i = 0; i < 256; i++) ingle_chat_close(&chats[i]);
    ingle_model_close(&m);
    fprintf(stderr, "%zu calls, %zu not found, %zu lost\n", n_results[0], n_results[1],
            n_results[2]);
    return n_results[2] || 10 * n_results[1] > n_results[0];
}
