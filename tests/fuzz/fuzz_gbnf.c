/* fuzz_gbnf.c - any bytes as a grammar: it compiles, or a message names a place in it; twice the
 * same; and texts are matched without harm.
 * Input: the grammar; after a NUL, if there is one, the text. */
#include "fuzz.h"
#include "grammar/gbnf.h"
#include "grammar/term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TOKENS = 3, MAX_TEXT = 8, MAX_GRAMMAR = 20000 };

static int32_t find(const void *self, const char *text, size_t len)
{
    (void)self;
    return len == 3 && !memcmp(text, "<a>", 3) ? 1 : -1;
}

static const ingle_token_names names = {find, NULL, N_TOKENS};

typedef struct outcome {
    ingle_status status;
    bool matches;
    ingle_error err;
} outcome;

/* Whether the message names a place that the text has. */
static bool names_place(const char *message, const char *text, size_t n)
{
    size_t line, column, n_lines = 1;
    if (sscanf(message, "line %zu, column %zu: ", &line, &column) != 2) return false;
    for (size_t i = 0; i < n; i++) n_lines += text[i] == '\n' || text[i] == '\r';
    return line && column && line <= n_lines && column <= n + 1;
}

static void run(outcome *o, const char *grammar, size_t n, const char *text, size_t n_text,
                const ingle_token_names *with)
{
    *o = (outcome){INGLE_OK, false, {""}};
    ingle_term_limits limits = {.max_bytes = 4 << 20, .max_terms = 20000};
    ingle_terms *t = ingle_terms_open(&limits);
    ingle_term root;
    if (!t) abort();
    o->status = ingle_gbnf_compile(t, grammar, n, with, &root, &o->err);
    if (o->status && root != INGLE_TERM_NONE) abort();
    if (o->status && o->status != INGLE_ENOMEM && !names_place(o->err.text, grammar, n)) abort();
    if (!o->status) o->status = ingle_terms_finish(t, &root, &o->err);
    if (o->status && !o->err.text[0]) abort();
    if (!o->status && n <= MAX_GRAMMAR) ingle_term_matches(t, root, text, n_text, &o->matches);
    ingle_terms_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *grammar = (const char *)data;
    const char *nul = size ? memchr(grammar, 0, size) : NULL;
    size_t n = nul ? (size_t)(nul - grammar) : size, n_text = nul ? size - n - 1 : 0;
    const char *text = nul ? nul + 1 : "";
    if (n_text > MAX_TEXT) n_text = MAX_TEXT;
    outcome a, b, c;
    run(&a, grammar, n, text, n_text, NULL);
    run(&b, grammar, n, text, n_text, NULL);
    if (a.status != b.status || a.matches != b.matches || strcmp(a.err.text, b.err.text) != 0)
        abort();
    run(&c, grammar, n, text, n_text, &names);
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const struct {
        const char *grammar, *text;
    } seeds[] = {
        {"root ::= (\"1. \" move \" \" move \"\\n\"\n  ([1-9] [0-9]? \". \" move)+ )\nmove ::= "
         "[a-h] "
         "[1-8] [+#]?\n",
         "1. a1 b2\n2. c3"},
        {"root ::= object # comment\nvalue ::= object | array | string | \"null\"\nobject ::= "
         "\"{\" "
         "(string \":\" value (\",\" string \":\" value)*)? \"}\"\narray ::= \"[\" (value (\",\" "
         "value)*)? \"]\"\nstring ::= \"\\\"\" ([^\"\\\\\\x00-\\x1F] | \"\\\\\" [\"\\\\/bfnrt])* "
         "\"\\\"\"\n",
         "{\"a\":[null,\"b\"]}"},
        {"root ::= e\ne ::= e [-+*/] e | \"(\" e \")\" | [0-9]+", "1+(2*3)"},
        {"root ::= \"a\"{2} \"b\"{1,} [^c]{0,3} .? | | ((\"x\"){2,3}){0,4}", "aabbz"},
        {"root ::= <a> !<a>* <[2]> | !<[0]>", "<a>"},
        {"root ::= \"\\u00e4\\U0001F600\\xe9\\n\\r\\t\\[\\]\\-\\\"\\\\\" | [\\]a-z\\-]\n | \"b\"",
         "b"},
        {"a ::= b \"x\" | \"y\"\nb ::= a? \"z\"*\nroot ::= a | root", "zx"},
        {"root ::= [z-a]", ""},
        {"root ::= \"\\uD800\"", ""},
        {"root ::= ((\"a\"{1,70000}){1,70000})", "a"},
    };
    if (i >= sizeof seeds / sizeof *seeds) return 0;
    size_t n = strlen(seeds[i].grammar), n_text = strlen(seeds[i].text);
    if (n + 1 + n_text > cap) return 0;
    memcpy(data, seeds[i].grammar, n + 1);
    memcpy(data + n + 1, seeds[i].text, n_text);
    return n + 1 + n_text;
}
