/* fuzz_json.c - any bytes as JSON text: what is read and written again is read as the same values.
 * Input: limits and ways of writing (1 byte), then the text. */
#include "fuzz.h"
#include "base/json.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { UNIQUE = 1, SHALLOW = 2, FEW = 4, SPACES = 8, SHOWN = 16 };

static ingle_json_limits limits_of(unsigned flags)
{
    return (ingle_json_limits){.unique_names = flags & UNIQUE,
                               .max_depth = flags & SHALLOW ? 4 : 0,
                               .max_values = flags & FEW ? 40 : 0};
}

static void check_number(const ingle_json *v)
{
    int64_t i;
    uint64_t u;
    double f;
    bool has_i = ingle_json_i64(v, &i), has_u = ingle_json_u64(v, &u),
         has_f = ingle_json_f64(v, &f);
    if ((has_i || has_u) && !has_f) abort();
    if (has_i && f != (double)i) abort();
    if (has_u && f != (double)u) abort();
    if (has_i && i >= 0 && (!has_u || u != (uint64_t)i)) abort();
}

/* All that can be asked of a value agrees; returns the nodes of its subtree. */
static size_t check_value(const ingle_json_doc *doc, const ingle_json *v)
{
    size_t n = 1, n_items = 0;
    if (v->kind == INGLE_JSON_STRING && ingle_utf8_valid(v->text, v->len) != v->len) abort();
    if (v->kind == INGLE_JSON_STRING && v->text[v->len]) abort();
    if (v->kind == INGLE_JSON_NUMBER) check_number(v);
    for (ingle_json_walk w = ingle_json_items(v); ingle_json_step(&w); n_items++) {
        if (ingle_json_offset(doc, w.value) <= ingle_json_offset(doc, v)) abort();
        if (w.name && !ingle_json_find(v, w.name->text, w.name->len)) abort();
        if (!w.name && n_items < 64 && ingle_json_at(v, n_items) != w.value) abort();
        n += w.value->skip + (w.name != NULL);
        if (n_items > 1000) return v->skip; /* searches go through all */
    }
    if (v->kind >= INGLE_JSON_ARRAY && n_items != v->len) abort();
    return n;
}

static void check_same(const ingle_json_doc *a, const ingle_json_doc *b)
{
    if (a->n_nodes != b->n_nodes) abort();
    for (size_t i = 0; i < a->n_nodes; i++) {
        const ingle_json *v = a->root + i, *w = b->root + i;
        if (v->kind != w->kind || v->len != w->len || v->skip != w->skip) abort();
        if (v->kind < INGLE_JSON_ARRAY && memcmp(v->text, w->text, v->len) != 0) abort();
    }
}

static void write_again(const ingle_json_doc *doc, unsigned flags)
{
    ingle_json_writer w = {.spaces = flags & SPACES, .shown = flags & SHOWN};
    ingle_json_limits limits = limits_of(flags);
    ingle_json_doc again;
    ingle_json_put(&w, doc->root);
    if (ingle_json_finish(&w) || strlen(w.text) != w.n) abort();
    if (ingle_json_open(&again, w.text, w.n, &limits, NULL)) abort();
    check_same(doc, &again);
    ingle_json_close(&again);
    ingle_json_writer_free(&w);
}

/* Any bytes can be written as a string. */
static void write_string(const char *text, size_t n, unsigned flags)
{
    ingle_json_writer w = {.shown = flags & SHOWN};
    ingle_json_doc doc;
    ingle_json_put_bytes(&w, text, n);
    if (ingle_json_finish(&w) || ingle_json_open(&doc, w.text, w.n, NULL, NULL)) abort();
    bool same = ingle_json_is_bytes(doc.root, text, n);
    if (same != (ingle_utf8_valid(text, n) == n)) abort();
    ingle_json_close(&doc);
    ingle_json_writer_free(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ingle_json_doc doc;
    ingle_error err = {""};
    unsigned flags = size ? *data++ : 0;
    size_t n = size ? size - 1 : 0;
    ingle_json_limits limits = limits_of(flags);
    write_string((const char *)data, n, flags);
    if (ingle_json_open(&doc, (const char *)data, n, &limits, &err)) {
        if (!err.text[0] || doc.root) abort(); /* refused without a word */
        return 0;
    }
    for (size_t i = 0; i < doc.n_nodes && i < 1000; i++)
        if (check_value(&doc, doc.root + i) != doc.root[i].skip) abort();
    write_again(&doc, flags);
    ingle_json_close(&doc);
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const char *const seeds[] = {
        " [null, true, false, \"a\\n\\u00e4\\ud83d\\ude00\", -0.5e+10, 18446744073709551616]",
        "\x01{\"a\":{\"b\":[1,2,3],\"c\":{}},\"b\":[],\"\":\"\xe2\x82\xac\"}",
        "\x01{\"a\":1,\"b\":2,\"\\u0061\":3}",
        "\x01{\"a\":0,\"b\":1,\"c\":2,\"d\":3,\"e\":4,\"f\":5,\"g\":6,\"h\":7,\"i\":8,\"j\":9,"
        "\"k\":0,\"l\":1,\"m\":2,\"n\":3,\"o\":4,\"p\":5,\"q\":6,\"r\":7,\"a\":8}",
        "\x02[[[[[]]]]]",
        "\x04[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1]",
        "\x18{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"Hi\\u2028\"}],\n"
        "\t\"temperature\": 0.70, \"stop\": [\"\\\\\", \"\\\"\"], \"seed\": 9223372036854775807}",
        "\x10\"\\u0000\\u001f\\u007f \x7f \xef\xbb\xbf\"",
        "@[0.1, 1e400, 1e-400, 100000000000000000000e-20, 4.9406564584124654e-324]",
    };
    if (i >= sizeof seeds / sizeof *seeds) return 0;
    size_t len = strlen(seeds[i]);
    if (len > cap) len = cap;
    memcpy(data, seeds[i], len);
    return len;
}
