/* test_jinja.c - chat templates: where bytes come from, where messages end, what bounds the work,
 * what errors say. What Jinja itself makes of templates is in tests/golden. */
#define _GNU_SOURCE
#include "chat/jinja.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "must.h"

/* ---- helpers --------------------------------------------------------------------------------- */

static const char CHAT[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":"
    "\"Hi <|im_end|> you\"},{\"role\":\"assistant\",\"content\":\"Yo\"},{\"role\":\"user\","
    "\"content\":\" <think>a</think> b \"}],\"tools\":[{\"name\":\"f\"}],\"n\":3,\"big\":"
    "123456789012345678901234567890,\"f\":1e-07,\"s\":\"Hello\",\"l\":[3,1,2],"
    "\"d\":{\"b\":1,\"a\":\"x\"}}";

static const ingle_jinja_trusted TRUSTED[] = {{"bos_token", "<s>", 3}, {"eos_token", "</s>", 4}};

static ingle_status render_with(const char *template, size_t n, ingle_jinja_input in,
                                const char *context, ingle_jinja_output *out, ingle_error *err)
{
    ingle_json_doc doc;
    ingle_jinja *j;
    *out = (ingle_jinja_output){0};
    must(ingle_json_open(&doc, context, strlen(context), NULL, err), err);
    ingle_status st = ingle_jinja_open(&j, template, n, NULL, err);
    in.context = doc.root;
    in.trusted = TRUSTED;
    in.n_trusted = 2;
    in.now = (ingle_jinja_time){2026, 1, 5, 15, 7, 9};
    if (!st) st = ingle_jinja_render(j, &in, out, err);
    ingle_jinja_close(j);
    ingle_json_close(&doc);
    return st;
}

static ingle_status render(const char *template, ingle_jinja_output *out, ingle_error *err)
{
    return render_with(template, strlen(template), (ingle_jinja_input){0}, CHAT, out, err);
}

/* The output with the caller's bytes in [brackets]. */
static void check(const char *template, const char *want)
{
    ingle_jinja_output out;
    ingle_error err = {""};
    char text[4000];
    size_t n = 0;
    ingle_status st = render(template, &out, &err);
    if (st) fail_msg("%s: %s", template, err.text);
    for (size_t i = 0; i < out.n_spans; i++) {
        const ingle_span *s = &out.spans[i];
        if (!s->trusted) text[n++] = '[';
        memcpy(text + n, out.text + s->offset, s->length);
        n += s->length;
        if (!s->trusted) text[n++] = ']';
    }
    text[n] = 0;
    if (strcmp(text, want) != 0) fail_msg("%s\n   gives %s\n  not %s", template, text, want);
    ingle_jinja_output_free(&out);
}

static void check_fails(const char *template, ingle_status want, const char *part)
{
    ingle_jinja_output out;
    ingle_error err = {""};
    ingle_status st = render(template, &out, &err);
    if (st != want)
        fail_msg("%.200s: %s (%s) where %s is due", template, ingle_status_name(st), err.text,
                 ingle_status_name(want));
    assert_null(out.text);
    assert_text(&err, part);
    ingle_jinja_output_free(&out);
}

/* "offset:message " for each mark. */
static void check_marks(const char *template, const char *want)
{
    ingle_jinja_output out;
    ingle_error err = {""};
    char text[400] = "";
    must(render(template, &out, &err), &err);
    for (size_t i = 0; i < out.n_marks; i++)
        snprintf(text + strlen(text), 40, "%zu:%zu ", out.marks[i].offset, out.marks[i].i_message);
    if (strcmp(text, want) != 0) fail_msg("%s\n  marks %s\n  not %s", template, text, want);
    ingle_jinja_output_free(&out);
}

/* ---- where bytes come from ------------------------------------------------------------------- */

static void test_origin_copied(void **state)
{
    (void)state;
    check("a{{ s }}b{{ 'c' }}", "a[Hello]bc");
    check("{{ '<' + s + '>' ~ s }}", "<[Hello]>[Hello]");
    check("{{ bos_token ~ s ~ eos_token }}", "<s>[Hello]</s>");
    check("{% set x = '<' ~ s ~ '>' %}{{ x[1:3] }}|{{ x[:2] }}|{{ x[-2:] }}|{{ x[::-1] }}",
          "[He]|<[H]|[o]>|>[olleH]<");
    check("{{ messages[3].content.split('</think>')[0].split('<think>')[-1] }}", "[a]");
    check("{{ (' <b> ' ~ messages[3].content) | trim }}", "<b> [ <think>a</think> b]");
    check("{{ (' <' ~ s ~ '> ').strip() }}{{ s.rstrip('o') }}", "<[Hello]>[Hell]");
    check("{{ s | replace('l', '<>') }}", "[He]<><>[o]");
    check("{{ '<x>' | replace('x', s) }}", "<[Hello]>");
    check("{{ ['<a>', s, '<b>'] | join('|') }}", "<a>|[Hello]|<b>");
    check("{{ ('<' ~ s ~ '>') | upper }}{{ s | capitalize }}{{ 'a' ~ s | title }}",
          "<[HELLO]>[Hello]a[Hello]");
    check("{{ '<%s|%5d>' % (s, 7) }}{{ '<{}|{:>7}>'.format('y', s) }}",
          "<[Hello]|    7><y|  [Hello]>");
    check("{{ (s ~ '\n' ~ '<x>') | indent(2) }}", "[Hello]\n  <x>");
    check("{{ s * 2 }}{{ '-' * 3 }}", "[HelloHello]---");
    check("{{ ('%' ~ s[:0] ~ 's') % 5 }}{{ strftime_now('%Y' ~ s) }}{{ s % () }}{{ s.rfind('l') }}",
          "52026[Hello"
          "Hello3]");
    check("{{ s.rsplit('l', 1) | join('|') }}{{ s.rpartition('l')[2] }}{{ s.count('l') }}",
          "[Hel]|[o"
          "o2]");
    check("{% for c in '<' ~ s[:1] %}{{ c }}{% endfor %}", "<[H]");
}

static void test_origin_of_values(void **state)
{
    (void)state;
    check("{{ n }}{{ 1 + 2 }}{{ n + 1 }}{{ -n }}{{ n > 2 }}{{ 1 < 2 }}", "[3]3[4-3True]True");
    check("{{ big }} {{ big + 1 }} {{ f }}",
          "[123456789012345678901234567890] [123456789012345678901234567891] [1e-07]");
    check("{{ {'a': 1} | tojson }}{{ d | tojson }}{{ {'a': s} | tojson }}",
          "{\"a\": 1}[{\"b\": 1, \"a\": \"x\"}{\"a\": \"Hello\"}]");
    check("{{ [1, '<'] }}{{ l }}{{ [s] }}", "[1, '<'][[3, 1, 2]['Hello']]");
    check("{{ l | length }}{{ [1] | length }}{{ s | length }}", "[3]1[5]");
    check("{% for m in messages %}{{ loop.index }}{{ loop.last }}{% endfor %}",
          "1False2False3False4True");
    check("{{ strftime_now('%Y-%m-%d %H:%M:%S %a %B %j %-d %I%p') }}",
          "2026-01-05 15:07:09 Mon January 005 5 03PM");
    check("{{ d.keys() | list | join }}{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}",
          "[bab]=[1];[a]=[x];");
}

static void test_origin_through_variables(void **state)
{
    (void)state;
    check("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(s) }}{{ m('t') }}", "<[Hello]><t>");
    check("{% set ns = namespace(t='') %}{% for m in messages[:2] %}{% set ns.t = ns.t ~ '<' ~ "
          "m.role ~ '>' %}{% endfor %}{{ ns.t }}",
          "<[system]><[user]>");
    check("{% set b %}<{{ s }}>{% endset %}{{ b }}{{ b | length }}", "<[Hello]>[7]");
    check("{% filter upper %}<x>{{ s }}{% endfilter %}", "<X>[HELLO]");
    check("{% set l2 = ['<x>', s] %}{{ l2[0] }}{{ l2 | last }}{{ l2.pop(0) }}", "<x>[Hello]<x>");
    check("{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}{{ s }}!{% endcall %}",
          "<[Hello]!>");
    check("{% if s == 'Hello' %}<y>{% endif %}{{ s if s == 'x' else '<z>' }}", "<y><z>");
    check("{{ '{\"a\": \"<q>\"}' | from_json }}{{ ('{\"a\": \"<q>\"}' | from_json).a }}",
          "[{'a': '<q>'}<q>]"); /* what was read as data is data */
    check("{{ x | default('<d>') }}{{ s | default('<d>') }}", "<d>[Hello]");
}

/* ---- marks ----------------------------------------------------------------------------------- */

static void test_marks(void **state)
{
    (void)state;
    check_marks("{% for m in messages %}x{% endfor %}y", "1:0 2:1 3:2 4:3 ");
    check_marks("<{% for m in messages[1:] %}{{ m.role }}{% endfor %}>", "5:1 14:2 18:3 ");
    check_marks("{% set ms = messages[1:] %}{% for m in ms %}{% if m.role == 'user' %}{% continue "
                "%}{% endif %}ab{% endfor %}",
                "0:1 2:2 2:3 ");
    check_marks(
        "{% for m in messages %}x{% if loop.index == 2 %}{% break %}{% endif %}{% endfor %}",
        "1:0 2:1 ");
    check_marks("{% for m in messages if m.role == 'user' %}x{% endfor %}", "1:1 2:3 ");
    check_marks("{% for m in messages if m.role == 'user' %}{{ loop.index }}{% endfor %}",
                "1:1 2:3 ");
    check_marks("{% for m in messages | selectattr('role', 'equalto', 'user') %}x{% endfor %}",
                "1:1 2:3 ");
    /* A loop that only looks has none; nor one that goes backwards, or into a variable. */
    check_marks("{% for m in messages %}{% set x = m %}{% endfor %}abc", "");
    check_marks("{% for m in messages[::-1] %}x{% endfor %}", "");
    check_marks("{% set t %}{% for m in messages %}x{% endfor %}{% endset %}{{ t }}", "");
    check_marks("{% macro f() %}{% for m in messages %}x{% endfor %}{% endmacro %}{{ f() }}", "");
    check_marks(
        "{% for m in messages %}{% set x = 1 %}{% endfor %}{% for m in messages %}x{% endfor "
        "%}{% for t in tools %}y{% endfor %}",
        "1:0 2:1 3:2 4:3 ");
    check_marks("{% for m in messages %}x{% endfor %}{% for m in messages %}y{% endfor %}",
                "5:0 6:1 7:2 8:3 ");
    check_marks("{% for i in range(4) %}{{ messages[i].role }}{% endfor %}", "");
    check_marks("{% for m in messages %}{% for k in messages %}x{% endfor %}{% endfor %}",
                "4:0 8:1 12:2 16:3 ");
}

/* ---- white space, and words of Jinja beyond the reference ------------------------------------- */

static void test_language(void **state)
{
    (void)state;
    check("a\r\nb\rc\n", "a\nb\nc");
    check("  {%- if true %} x {%- endif +%}\n y", " x\n y");
    check("{% raw -%}  {{ x }}{% endraw %}\n!", "{{ x }}!");
    check("{{ 1 if false }}|{{ [1, 2][5] }}|{{ (1,) }}|{{ () }}", "||(1,)|()");
    check("{{ 9223372036854775807 + 1 }} {{ -9223372036854775808 - 1 }} {{ 2 ** 70 }} "
          "{{ 10 ** 20 * -3 }} {{ 10 ** 20 == 1e20 }} {{ 10 ** 20 > 1 }}",
          "9223372036854775808 -9223372036854775809 1180591620717411303424 -300000000000000000000 "
          "True True");
    check(
        "{{ 5e-324 }} {{ 1e15 }} {{ 1e16 }} {{ 123456.789e3 }} {{ -0.0 }} {{ 0.1 + 0.2 }} {{ 1e22 "
        "}} {{ 0.00001 }} {{ 0.0001 }}",
        "5e-324 1000000000000000.0 1e+16 123456789.0 -0.0 0.30000000000000004 1e+22 1e-05 0.0001");
    check(
        "{% for x in [1, [2, [3]]] recursive %}{{ loop(x) if x is iterable else x }}{{ loop.depth "
        "}};{% endfor %}",
        "11;22;33;2;1;");
    check("{% for a in [1, 2, 3] %}{% for b in [1, 2] %}{% if b == 2 %}{% break %}{% endif %}{{ a "
          "}}{% else %}no{% endfor %}{% endfor %}",
          "123");
    check(
        "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{% for i in [1] %}{% set x = 3 %}{% "
        "endfor %}{{ x }}",
        "2");
    check("{% macro f(a, b=a ~ '!') %}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, 3, "
          "k=4) }}{{ f(5) }}",
          "2(3,){'k': 4}5!(){}");
    check("{% with a = 1, b = 2 %}{% set a = 3 %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}",
          "32[False]");
    check("{% set (a, b), c = (1, 2), 3 %}{{ a }}{{ b }}{{ c }}", "123");
    check("{{ 1 < 3 > 2 != 5 }}{{ 1 < 1 < x.y }}{{ not 1 in [1] }}", "TrueFalseFalse");
    check("{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7.5 // 2 }} {{ 1 / 4 }}", "-4 2 -2 3.0 0.25");
    check("{{ 'a' 'b' }}{{ \"\\x41\\u00e9\\101\\q\" }}", "ab"
                                                         "A\xc3\xa9"
                                                         "A\\q");
    check("{{ namespace is callable }}{% set f = range %}{{ f(3) | list }}", "True[0, 1, 2]");
    check("{% block b %}x{% endblock b %}{% generation %}y{% endgeneration %}", "xy");
    check("{{ d.get(nosuch) }}{{ nosuch in d }}{{ d.get('b') }}", "None[False1]");
    check("{{ l | sort(reverse=true) }}{{ (l | min) + (l | max) }}", "[[3, 2, 1]4]");
}

static void test_questions(void **state)
{
    (void)state;
    static const char text[] = "{{ tools }}{% for m in messages %}{% set y = m %}<|im_start|>{{ y "
                               "}}{{ '<tool' + '_call>' }}{% endfor %}";
    ingle_jinja *j;
    ingle_error err = {""};
    must(ingle_jinja_open(&j, text, sizeof text - 1, NULL, &err), &err);
    assert_true(ingle_jinja_mentions(j, "tools"));
    assert_true(ingle_jinja_mentions(j, "messages"));
    assert_false(ingle_jinja_mentions(j, "m"));
    assert_false(ingle_jinja_mentions(j, "documents"));
    assert_true(ingle_jinja_says(j, "<|im_start|>", 12));
    assert_true(ingle_jinja_says(j, "im_", 3));
    assert_false(ingle_jinja_says(j, "im_end", 6));
    assert_true(ingle_jinja_bytes(j) > sizeof text);
    ingle_jinja_close(j);
}

/* ---- errors ---------------------------------------------------------------------------------- */

static void test_errors(void **state)
{
    (void)state;
    check_fails("a\n{% if x %}\nb", INGLE_EFORMAT,
                "line 3: the template ends where 'endif' is due");
    check_fails("{{ 1 +\n }}", INGLE_EFORMAT, "line 2: ");
    check_fails("\n\n{% nosuch %}", INGLE_EFORMAT, "line 3: unknown tag 'nosuch'");
    check_fails("{% include 'x' %}", INGLE_EUNSUPPORTED, "line 1: the tag 'include'");
    check_fails("{{ f(*l) }}", INGLE_EUNSUPPORTED, "line 1: ");
    check_fails("{{ l | nosuch }}", INGLE_EFORMAT, "no filter named 'nosuch'");
    check_fails("{{ l is nosuch }}", INGLE_EFORMAT, "no test named 'nosuch'");
    check("{% if false %}{{ l | nosuch }}{% endif %}{{ 1 if true else l | nosuch }}", "1");
    check_fails("x\n{{ y.z }}", INGLE_EINVAL, "line 2: 'y' is undefined");
    check_fails("{% macro f() %}\n{{ d.q.z }}{% endmacro %}\n{{ f() }}", INGLE_EINVAL,
                "line 2: 'dict object' has no attribute 'q'");
    check_fails("{{ 'a' + 1 }}", INGLE_EINVAL, "can only concatenate str (not \"int\") to str");
    check_fails("{{ l.append(1) }}", INGLE_EINVAL, "unsafe");
    check_fails("{{ 1 // 0 }}{{ ", INGLE_EFORMAT, "line 1");
    check_fails("{{ 1 // 0 }}", INGLE_EINVAL, "division by zero");
    check_fails("{% break %}", INGLE_EFORMAT, "belong in a loop");
    check_fails("{% for x in l %}{% set y %}{% break %}{% endset %}{% endfor %}", INGLE_EFORMAT,
                "belong in a loop");
    check_fails("\xff", INGLE_EFORMAT, "UTF-8");
    check_fails("{{ 'a' }", INGLE_EFORMAT, "line 1");
    check_fails("{% call x or f() %}{% endcall %}", INGLE_EFORMAT, "a call should follow");
    check_fails("{{ 10 ** 20 // 3 }}", INGLE_EUNSUPPORTED, "beyond 2^63");
    check_fails("{{ 1 / 10 ** 20 }}", INGLE_EUNSUPPORTED, "beyond 2^53");
}

static void test_raised(void **state)
{
    (void)state;
    ingle_jinja_output out;
    ingle_error err = {""};
    assert_int_equal(render("\n{{ raise_exception('no ' ~ 'x' * 500 ~ s) }}", &out, &err),
                     INGLE_EINVAL);
    assert_int_equal(out.n_raised, 508);
    assert_int_equal(strlen(out.raised), 508);
    assert_int_equal(out.line, 2);
    assert_text(&err, "line 2: the template refuses: no xxx");
    ingle_jinja_output_free(&out);
    assert_int_equal(render("{{ s.nosuch() }}", &out, &err), INGLE_EINVAL);
    assert_null(out.raised);
    ingle_jinja_output_free(&out);
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static char *repeated(const char *before, const char *what, size_t n, const char *after)
{
    size_t len = strlen(what);
    char *text = malloc(strlen(before) + n * len + strlen(after) + 1), *to = stpcpy(text, before);
    for (size_t i = 0; i < n; i++) to = stpcpy(to, what);
    strcpy(to, after);
    return text;
}

static void check_deep(const char *before, const char *what, size_t n, const char *after)
{
    char *text = repeated(before, what, n, after);
    ingle_jinja_output out;
    ingle_error err = {""};
    ingle_status st = render(text, &out, &err);
    if (st != INGLE_EUNSUPPORTED && st != INGLE_EFORMAT)
        fail_msg("%zu times %s: %s", n, what, ingle_status_name(st));
    assert_true(err.text[0]);
    free(text);
}

static void test_deep(void **state)
{
    (void)state;
    check_deep("{{ ", "(", 100000, " }}");
    check_deep("{{ ", "[", 100000, " }}");
    check_deep("{{ ", "{1:", 100000, " }}");
    check_deep("{{ ", "-", 100000, "1 }}");
    check_deep("{{ ", "not ", 100000, "1 }}");
    check_deep("{{ 1 ", "if 1 else 1 ", 80000, "}}");
    check_deep("{{ x", "[x", 100000, "}}");
    check_deep("{{ ", "f(", 100000, "}}");
    check_deep("", "{% if 1 %}", 100000, "");
    check_deep("", "{% for x in l %}", 60000, "");
    check_deep("", "{% macro m() %}", 60000, "");
    check_deep("", "{% set x %}", 90000, "");
    check_deep("{% for ", "(", 100000, "x in l %}");
}

/* Long, but not deep: fine. */
static void test_long(void **state)
{
    (void)state;
    char *sum = repeated("{{ 0", " + 1", 100000, " }}");
    check(sum, "100000");
    free(sum);
    char *list = repeated("{{ [", "1,", 100000, "] | length }}");
    check(list, "100000");
    free(list);
    char *ifs = repeated("{% if 0 %}", "{% elif 0 %}", 50000, "{% else %}x{% endif %}");
    check(ifs, "x");
    free(ifs);
    char *macros = repeated("", "{% macro m(a, b) %}{% endmacro %}", 30000, "");
    check(macros, "");
    free(macros);
    char *chain = repeated("{{ 1", " <= 1", 100000, " }}");
    check(chain, "True");
    free(chain);
}

static void test_much_work(void **state)
{
    (void)state;
    check_fails("{{ 'x' * 10 ** 9 }}", INGLE_EUNSUPPORTED, "bytes of output");
    check_fails("{{ [0] * 10 ** 12 }}", INGLE_EUNSUPPORTED, "line 1");
    check_fails("{{ range(10 ** 9) }}", INGLE_EUNSUPPORTED, "range");
    check_fails("{{ 10 ** 100000 }}", INGLE_EUNSUPPORTED, "digits");
    check_fails("{{ '%200000d' % 1 }}", INGLE_EUNSUPPORTED, "width");
    check_fails("{{ '{:>9999999999}'.format(1) }}", INGLE_EUNSUPPORTED, "width");
    check_fails("{{ 'a'.rjust(10 ** 12) }}", INGLE_EUNSUPPORTED, "line 1");
    check_fails("{{ 'a' | indent(10 ** 15) }}", INGLE_EUNSUPPORTED, "line 1");
    check_fails("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", INGLE_EUNSUPPORTED,
                "macros in one another");
    check_fails("{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}", INGLE_EUNSUPPORTED,
                "in one another");
    check_fails("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
                INGLE_EUNSUPPORTED, "line 1: more than");
    check_fails(
        "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% "
        "endfor %}",
        INGLE_EUNSUPPORTED, "line 1");
    check_fails("{% set a = [] %}{% for i in range(2) %}{{ a.append(a) }}{% endfor %}{{ a }}",
                INGLE_EUNSUPPORTED, "nested too deeply");
    check_fails(
        "{% set a = [] %}{% set b = [] %}{% set x = a.append(b) %}{% set x = b.append(a) %}{{ "
        "a == b }}",
        INGLE_EUNSUPPORTED, "nested too deeply");
    check("{{ s[10 ** 30:] }}{{ s[0 - 10 ** 30:10 ** 30:10 ** 25] }}{{ s[::0 - 10 ** 30] }}",
          "[Ho]");
}

static void test_limits(void **state)
{
    (void)state;
    ingle_jinja *j;
    ingle_error err = {""};
    ingle_jinja_output out;
    static const char loop[] = "{% for m in range(1000) %}0123456789{% endfor %}";
    const struct {
        ingle_jinja_input in;
        const char *part;
    } rows[] = {{{.max_steps = 1500}, "1500 steps"},
                {{.max_output = 5000}, "5000 bytes of output"},
                {{.max_memory = 10000}, "10000 bytes of values"}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(render_with(loop, sizeof loop - 1, rows[i].in, "{}", &out, &err),
                         INGLE_EUNSUPPORTED);
        assert_text(&err, rows[i].part);
        ingle_jinja_output_free(&out);
    }
    must(render_with(loop, sizeof loop - 1, (ingle_jinja_input){0}, "{}", &out, &err), &err);
    assert_int_equal(out.n, 10000);
    assert_in_range(out.n_steps, 3000, 20000);
    ingle_jinja_output_free(&out);
    ingle_jinja_limits small = {.max_bytes = 10};
    assert_int_equal(ingle_jinja_open(&j, loop, sizeof loop - 1, &small, &err), INGLE_EUNSUPPORTED);
    assert_null(j);
    small = (ingle_jinja_limits){.max_depth = 2};
    assert_int_equal(ingle_jinja_open(&j, "{{ ((((1)))) }}", 15, &small, &err), INGLE_EUNSUPPORTED);
    assert_int_equal(render_with("x", 1, (ingle_jinja_input){0}, "[]", &out, &err), INGLE_EINVAL);
}

/* Text that grows piece by piece takes work in proportion. */
static void test_growth(void **state)
{
    (void)state;
    static const char text[] =
        "{% set ns = namespace(t='') %}{% for i in range(50000) %}{% set ns.t = "
        "ns.t + 'abcdefghijklmnop' %}{% endfor %}{{ ns.t | length }}";
    ingle_jinja_output out;
    ingle_error err = {""};
    must(render(text, &out, &err), &err);
    assert_string_equal(out.text, "800000");
    assert_in_range(out.n_steps, 100000, 3000000);
    ingle_jinja_output_free(&out);
}

/* ---- threads --------------------------------------------------------------------------------- */

static struct {
    const ingle_jinja *j;
    const ingle_json *context;
} shared;

static void *render_often(void *arg)
{
    size_t *n_right = arg;
    for (int i = 0; i < 50; i++) {
        ingle_jinja_input in = {.context = shared.context};
        ingle_jinja_output out;
        if (!ingle_jinja_render(shared.j, &in, &out, NULL))
            *n_right += !strcmp(out.text, "4 <system>2 <user>2 <assistant>2 <user>2 ");
        ingle_jinja_output_free(&out);
    }
    return NULL;
}

/* One program, one context, many threads. */
static void test_threads(void **state)
{
    (void)state;
    static const char text[] =
        "{% macro f(r) %}<{{ r }}>{{ '\u00e4\u00f6' | length }}{% endmacro %}{{ "
        "messages | length }} {% for m in messages %}{{ f(m.role) }} {% "
        "endfor %}";
    pthread_t thread[4];
    size_t n_right[4] = {0};
    ingle_jinja *j;
    ingle_json_doc doc;
    ingle_error err = {""};
    must(ingle_jinja_open(&j, text, sizeof text - 1, NULL, &err), &err);
    must(ingle_json_open(&doc, CHAT, sizeof CHAT - 1, NULL, &err), &err);
    shared.j = j;
    shared.context = doc.root;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, render_often, &n_right[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(n_right[i], 50);
    }
    ingle_json_close(&doc);
    ingle_jinja_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origin_copied),
        cmocka_unit_test(test_origin_of_values),
        cmocka_unit_test(test_origin_through_variables),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_language),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_raised),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_much_work),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
