/* fuzz_parse.c - any bytes as a model's answer: pieces change nothing, every byte is accounted for,
 * text comes out in the order in which it came in, arguments of calls that ended well are JSON, and
 * what is held back is bounded.
 * Input: the family (1 byte), switches (1 byte), then the answer. */
#include "fuzz.h"

#include "base/json.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#include "parse_test.h"

enum { THINKS = 1, NO_TOOLS = 2, NO_THINKING = 4, OFFERED = 8, FEW_HELD = 16 };
enum { HELD = 256 };

static const char offered[] =
    "[{\"name\":\"f\",\"parameters\":{\"properties\":{\"s\":{\"type\":\"string\"},"
    "\"n\":{\"type\":\"number\"},\"o\":{\"type\":[\"object\",\"array\",\"null\"]}}}}]";

/* What a parser makes of the answer, and whether it keeps its promises. */
typedef struct watch {
    parse_record record;
    const char *text; /* the answer from here on has not come out */
    size_t n;
    ingle_bytes args;
    bool in_call;
} watch;

/* Text that is UTF-8 lies in what was fed, behind the text before. */
static void check_order(watch *w, const char *p, size_t n)
{
    size_t i = 0;
    for (; i < n && w->n; w->text++, w->n--)
        if (*w->text == p[i]) i++;
    if (i < n) abort();
}

static void on_event(void *user, const ingle_parse_event *e)
{
    watch *w = user;
    parse_record_event(&w->record, e);
    bool text = e->kind == INGLE_PARSE_CONTENT || e->kind == INGLE_PARSE_REASONING;
    if (text && w->text) check_order(w, e->text, e->n);
    if (e->kind == INGLE_PARSE_CALL_BEGIN) w->args.n = 0;
    if (e->kind == INGLE_PARSE_CALL_ARGS) ingle_bytes_put(&w->args, e->text, e->n);
    if (e->kind == INGLE_PARSE_CALL_END && !e->bad) {
        ingle_json_doc doc;
        if (ingle_json_open(&doc, w->args.p, w->args.n, NULL, NULL)) abort();
        if (!ingle_json_is(doc.root, INGLE_JSON_OBJECT)) abort();
        ingle_json_close(&doc);
    }
}

static watch run(ingle_parse_options opt, const char *text, size_t n, uint64_t pieces)
{
    watch w = {.record = {.kind = -1}};
    ingle_parse *p;
    ingle_parse_counts counts;
    bool plain = ingle_utf8_valid(text, n) == n;
    if (plain) w.text = text, w.n = n;
    opt.on_event = on_event;
    opt.user = &w;
    if (ingle_parse_open(&p, &opt, NULL)) abort();
    for (size_t i = 0, len; i < n; i += len) {
        len = pieces ? 1 + parse_random(&pieces) % 5 : n;
        if (len > n - i) len = n - i;
        if (ingle_parse_feed(p, text + i, len, NULL)) abort();
    }
    if (ingle_parse_finish(p, NULL)) abort();
    ingle_parse_count(p, &counts);
    if (counts.n_bytes != n || counts.n_text + counts.n_call != n) abort();
    if (w.record.open || w.record.n_calls != counts.n_calls) abort();
    if (!opt.parse_tools && counts.n_calls) abort();
    /* besides the limit: a mark and the field it ends */
    if (opt.max_held == HELD && counts.peak_held > HELD + 1024) abort();
    ingle_parse_close(&p);
    ingle_bytes_free(&w.args);
    return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ingle_chat_profile profile;
    ingle_parse_options opt;
    size_t n_families = 0;
    if (size < 2) return 0;
    while (ingle_profile_family(n_families)) n_families++;
    ingle_profile_query q = {.family = ingle_profile_family(data[0] % n_families)->name};
    if (ingle_profile_find(&profile, &q, NULL)) abort();
    ingle_parse_options_init(&opt);
    opt.profile = &profile;
    opt.starts_in_reasoning = data[1] & THINKS;
    opt.parse_tools = !(data[1] & NO_TOOLS);
    opt.parse_reasoning = !(data[1] & NO_THINKING);
    opt.max_held = data[1] & FEW_HELD ? HELD : 0;
    if (data[1] & OFFERED) opt.tools = offered, opt.n_tools = sizeof offered - 1;
    const char *text = (const char *)data + 2;
    watch a = run(opt, text, size - 2, 0), b = run(opt, text, size - 2, 1 + size);
    if (a.record.line.n != b.record.line.n) abort();
    if (a.record.line.n && memcmp(a.record.line.p, b.record.line.p, a.record.line.n) != 0) abort();
    ingle_bytes_free(&a.record.line);
    ingle_bytes_free(&b.record.line);
    return 0;
}

/* An answer of each family with two calls, made from its own marks. */
static void write_call(const ingle_call_syntax *s, ingle_bytes *b)
{
    static const char object[] = "{\"name\": \"f\", \"arguments\": {\"s\": \"x\", \"n\": 1}}";
    bool objects = s->kind == INGLE_CALL_OBJECT;
    if (s->section) ingle_bytes_text(b, s->section);
    if (s->kind == INGLE_CALL_PYTHON) ingle_bytes_text(b, "[f(s='x', n=[1, {\"a\": None}]), f()]");
    if (objects && s->open) ingle_bytes_text(b, s->open);
    if (objects) {
        ingle_bytes_add(b, '[');
        ingle_bytes_text(b, object);
        ingle_bytes_add(b, ',');
        ingle_bytes_text(b, object);
        ingle_bytes_add(b, ']');
    }
    for (int twice = 0; twice < 2 && s->open && !objects; twice++) {
        ingle_bytes_text(b, s->open);
        for (size_t i = 0; i < INGLE_SYNTAX_HEADS && s->head[i].field; i++) {
            ingle_bytes_add(b, 'f');
            if (!s->brace) ingle_bytes_text(b, s->head[i].end);
        }
        if (s->kind == INGLE_CALL_TAGGED) {
            ingle_bytes_text(b, s->key);
            ingle_bytes_add(b, 's');
            ingle_bytes_text(b, s->key_end);
            if (s->kind_end) ingle_bytes_text(b, "false");
            if (s->kind_end) ingle_bytes_text(b, s->kind_end);
            if (s->value_open) ingle_bytes_text(b, s->value_open);
            ingle_bytes_text(b, "[1]");
            ingle_bytes_text(b, s->value_end);
            if (s->values == INGLE_VALUES_NESTED) ingle_bytes_text(b, "s>");
        } else {
            ingle_bytes_text(b, s->quote ? "{s:" : "{\"s\":");
            ingle_bytes_text(b, s->quote ? s->quote : "\"");
            ingle_bytes_add(b, 'x');
            ingle_bytes_text(b, s->quote ? s->quote : "\"");
            ingle_bytes_add(b, '}');
        }
        if (s->tail) ingle_bytes_text(b, s->tail);
        if (s->close) ingle_bytes_text(b, s->close);
    }
    if (s->section_close) ingle_bytes_text(b, s->section_close);
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const char harmony[] =
        "<|channel|>analysis<|message|>x<|end|><|start|>assistant<|channel|>commentary "
        "to=functions.f"
        " <|constrain|>json<|message|>{\"s\":\"\\u00e4\"}<|call|><|start|>assistant<|channel|>final"
        "<|message|>y<|return|>";
    ingle_bytes b = {0};
    ingle_chat_profile p;
    const ingle_chat_family *f = ingle_profile_family(i);
    if (!f || cap < 2) return 0;
    ingle_profile_query q = {.family = f->name};
    if (ingle_profile_find(&p, &q, NULL)) abort();
    ingle_bytes_add(&b, (char)i);
    ingle_bytes_add(&b, (char)(i % 2 ? OFFERED : OFFERED | FEW_HELD));
    if (p.thinking && p.thinking->harmony) ingle_bytes_text(&b, harmony);
    if (p.thinking && p.thinking->open[0]) {
        ingle_bytes_text(&b, p.thinking->open[0]);
        ingle_bytes_text(&b, "\nx\n");
        ingle_bytes_text(&b, p.thinking->close[0]);
        ingle_bytes_text(&b, "\n\ny ");
    }
    for (size_t k = 0; k < INGLE_PROFILE_CALLS && p.calls[k]; k++) write_call(p.calls[k], &b);
    size_t n = b.n < cap ? b.n : cap;
    memcpy(data, b.p, n);
    ingle_bytes_free(&b);
    return n;
}
