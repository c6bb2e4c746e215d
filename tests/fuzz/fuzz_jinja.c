/* fuzz_jinja.c - any bytes as a chat template: what comes out is UTF-8, its spans and marks are in
 * order, and rendering it again gives the same.
 * Input: the template; after a NUL, if there is one, the context as JSON. */
#include "fuzz.h"
#include "chat/jinja.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

static const char CONTEXT[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"S\"},{\"role\":\"user\",\"content\":\"<b> "
    "\\u00e9 %s {} {{ x }}\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":"
    "\"c1\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1,\"y\":[1.5,-3,true]}}}]}],"
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}],\"n\":98765432109876543210,"
    "\"d\":{\"b\":2,\"a\":1},\"l\":[3,1,2],\"s\":\" Hello  World "
    "\",\"add_generation_prompt\":true}";

static const ingle_jinja_trusted TRUSTED[] = {{"bos_token", "<s>", 3}, {"eos_token", "</s>", 4}};

static ingle_status render(const ingle_jinja *j, const ingle_json *context, ingle_jinja_output *out)
{
    ingle_jinja_input in = {.context = context,
                            .trusted = TRUSTED,
                            .n_trusted = 2,
                            .now = {2026, 1, 15, 9, 30, 0},
                            .max_steps = 200000,
                            .max_memory = 32 << 20,
                            .max_output = 1 << 20,
                            .max_calls = 50};
    ingle_error err = {""};
    ingle_status st = ingle_jinja_render(j, &in, out, &err);
    if (st && (!err.text[0] || out->text)) abort();
    return st;
}

static void check(const ingle_jinja_output *o)
{
    size_t at = 0;
    if (ingle_utf8_valid(o->text, o->n) != o->n || o->text[o->n]) abort();
    for (size_t i = 0; i < o->n_spans; at += o->spans[i++].length) {
        if (o->spans[i].offset != at || !o->spans[i].length) abort();
        if (i && o->spans[i].trusted == o->spans[i - 1].trusted) abort();
    }
    if (at != o->n) abort();
    for (size_t i = 0; i < o->n_marks; i++) {
        if (o->marks[i].offset > o->n) abort();
        if (i && o->marks[i].offset < o->marks[i - 1].offset) abort();
        if (i && o->marks[i].i_message <= o->marks[i - 1].i_message) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t n = nul ? (size_t)(nul - data) : size;
    const char *context = nul ? (const char *)nul + 1 : CONTEXT;
    size_t n_context = nul ? size - n - 1 : strlen(CONTEXT);
    ingle_jinja *j;
    ingle_json_doc doc;
    ingle_error err = {""};
    ingle_jinja_limits limits = {.max_program = 16 << 20};
    if (ingle_jinja_open(&j, (const char *)data, n, &limits, &err)) {
        if (!err.text[0] || j) abort();
        return 0;
    }
    if (!ingle_json_open(&doc, context, n_context, NULL, NULL)) {
        ingle_jinja_output a, b;
        ingle_status st = render(j, doc.root, &a), again = render(j, doc.root, &b);
        if (st != again || a.n != b.n || a.n_steps != b.n_steps || a.n_spans != b.n_spans) abort();
        if (!st) check(&a);
        if (!st && memcmp(a.text, b.text, a.n) != 0) abort();
        ingle_jinja_output_free(&a);
        ingle_jinja_output_free(&b);
    }
    ingle_json_close(&doc);
    ingle_jinja_close(j);
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const char *const seeds[] = {
        "{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m.content ~ "
        "'<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}a{% endif %}",
        "{%- set ns = namespace(a=1, l=[]) -%}{% for m in messages[::-1] if m.role != 'x' %}{% set "
        "ns.a = ns.a + loop.index %}{{ loop.last }}{% else %}none{% endfor %}{{ ns.a }}",
        "{% macro f(a, b=2, *) %}{% endmacro %}",
        "{% macro f(a, b='x') -%}{{ a }}{{ b|upper }}{{ caller() }}{%- endmacro %}{% call f(1, "
        "b=s) "
        "%}in{% endcall %}",
        "{{ tools | tojson(indent=2) }}{{ d | dictsort }}{{ l|sort|join(', ') }}{{ n * n - n }}",
        "{% for x in [1,[2,[3]]] recursive %}{% if x is iterable %}{{ loop(x) }}{% else %}{{ x "
        "}}{% "
        "endif %}{% endfor %}",
        "{{ '%5.2f|%-4s|%(a)s' % (1.5, s) }}{{ '{:>8}|{0!r}'.format(s) }}{{ strftime_now('%d %B "
        "%Y') }}",
        "{% set x | trim %} a {% break %}{% endset %}{% filter upper %}{{ s.split()[0][::-1] }}{% "
        "endfilter %}{% raw %}{{ }}{% endraw %}{# c #}",
        "{{ messages | selectattr('role', 'in', ['user']) | map(attribute='content') | first }}{{ "
        "1 "
        "< 2 <= n != 3 not in l }}{{ 'a' if x is defined else s[1:-1:2] }}",
        "{% generation %}{% with a = 1, b = l %}{% continue %}{% endwith %}{% endgeneration %}{{ "
        "raise_exception('no ' ~ s) }}",
        "{% set l2 = [] %}{% for k, v in d.items() %}{{ l2.append(k) }}{{ l2.pop() }}{% break %}{% "
        "endfor %}{{ 2 ** 100 // 3 }}{{ -7 % 3 }}{{ s | replace('l', eos_token) | indent }}",
    };
    if (i >= sizeof seeds / sizeof *seeds) return 0;
    size_t len = strlen(seeds[i]);
    if (len > cap) len = cap;
    memcpy(data, seeds[i], len);
    return len;
}
