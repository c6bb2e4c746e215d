/* Token ids and text of an independent engine (llama.cpp; o200k: tiktoken), read from
 * $INGLE_DATA/golden/tokenizers. Everything must match exactly. The one exception is stated where
 * it is made: invalid UTF-8 in BPE vocabularies, whose bytes the other engine replaces by U+FFFD
 * and we keep. */
#define _GNU_SOURCE
#include "gguf/gguf.h"
#include "json_test.h"
#include "text/vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <utf8proc.h>
#include <cmocka.h>

static char folder[1000];

typedef struct rows {
    ingle_json_doc *row;
    size_t n;
} rows;

/* NULL rows if the file is not there. */
static rows read_rows(const char *name)
{
    rows r = {0};
    char path[1500], *line = NULL;
    size_t cap = 0, room = 0;
    ssize_t len;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (access(path, R_OK)) return r;
    snprintf(path, sizeof path, "gzip -dc '%s/%s'", folder, name);
    FILE *f = popen(path, "r");
    assert_non_null(f);
    while ((len = getline(&line, &room, f)) > 0) {
        if (r.n == cap) r.row = realloc(r.row, (cap = cap ? 2 * cap : 64) * sizeof *r.row);
        r.row[r.n++] = json_parse(line, (size_t)len, name);
    }
    free(line);
    assert_int_equal(pclose(f), 0);
    return r;
}

static void free_rows(rows *r)
{
    for (size_t i = 0; i < r->n; i++) ingle_json_close(&r->row[i]);
    free(r->row);
}

static ingle_vocab *open_vocab(const char *file, ingle_gguf **g)
{
    char path[1500];
    ingle_vocab *v = NULL;
    ingle_error err = {""};
    snprintf(path, sizeof path, "%s/%s", folder, file);
    if (access(path, R_OK)) return NULL;
    ingle_status st = ingle_gguf_open(g, path, false, &err);
    if (!st) st = ingle_vocab_open(&v, *g, &err);
    if (st) print_error("%s: %s\n", path, err.text);
    assert_int_equal(st, INGLE_OK);
    return v;
}

static int32_t *encode(const ingle_vocab *v, const char *text, size_t len, unsigned flags,
                       size_t *n)
{
    ingle_error err = {""};
    size_t cap = 4 * len + 8;
    int32_t *ids = malloc(cap * sizeof *ids);
    ingle_status st = ingle_vocab_tokenize(v, text, len, flags, ids, cap, n, &err);
    if (st) print_error("tokenize: %s\n", err.text);
    assert_int_equal(st, INGLE_OK);
    return ids;
}

static char *decode(const ingle_vocab *v, const int32_t *ids, size_t n, unsigned flags, size_t *len)
{
    ingle_error err = {""};
    ingle_status st = ingle_vocab_detokenize(v, ids, n, flags, NULL, 0, len, &err);
    assert_true(st == INGLE_OK || st == INGLE_ERANGE);
    char *text = malloc(*len + 1);
    assert_int_equal(ingle_vocab_detokenize(v, ids, n, flags, text, *len, len, &err), INGLE_OK);
    return text;
}

static bool same_ids(const json *want, const int32_t *ids, size_t n)
{
    if (want->len != n) return false;
    for (size_t i = 0; i < n; i++)
        if ((int32_t)json_num(json_at(want, i)) != ids[i]) return false;
    return true;
}

/* true: the bytes of the input; else a string or {"hex": ...}. */
static bool same_text(const json *want, const char *input, size_t input_len, const char *got,
                      size_t len)
{
    if (want->kind == INGLE_JSON_BOOL) return len == input_len && memcmp(input, got, len) == 0;
    if (want->kind == INGLE_JSON_STRING)
        return len == want->len && memcmp(want->text, got, len) == 0;
    const json *hex = json_get(want, "hex");
    if (!hex || hex->len != 2 * len) return false;
    for (size_t i = 0; i < len; i++) {
        unsigned x;
        if (sscanf(hex->text + 2 * i, "%2x", &x) != 1 || x != (unsigned char)got[i]) return false;
    }
    return true;
}

typedef struct counts {
    size_t ids, texts, lossless, failed;
} counts;

static void report(counts *c, const char *what, const json *row, const int32_t *ids, size_t n)
{
    if (c->failed++ > 5) return;
    print_error("%s: row %g differs, we have", what, json_num(json_get(row, "id")));
    for (size_t i = 0; i < n && i < 40; i++) print_error(" %d", ids[i]);
    print_error("\n");
}

/* One of s0p0 s1p0 s0p1 s1p1 (the latter two are left out where they equal the former). */
static void check_ids(counts *c, const ingle_vocab *v, const json *row, const char *key,
                      const char *same_as, unsigned flags, const char *text, size_t len)
{
    const json *want = json_get(row, key);
    if (!want) want = json_get(row, same_as);
    size_t n;
    int32_t *ids = encode(v, text, len, flags, &n);
    if (!same_ids(want, ids, n)) report(c, key, row, ids, n);
    c->ids++;
    free(ids);
}

static void check_text(counts *c, const ingle_vocab *v, const json *row, const char *ids_key,
                       const char *same_as, const char *key, unsigned flags, const char *text,
                       size_t text_len)
{
    const json *want = json_get(row, key), *from = json_get(row, ids_key);
    if (!from) from = json_get(row, same_as);
    int32_t *ids = malloc((from->len + 1) * sizeof *ids);
    for (size_t i = 0; i < from->len; i++) ids[i] = (int32_t)json_num(json_at(from, i));
    size_t len;
    char *got = decode(v, ids, from->len, flags | INGLE_CLEAN_SPACES, &len);
    if (!same_text(want, text, text_len, got, len)) {
        report(c, key, row, ids, from->len);
        if (c->failed < 6) print_error("   text: '%.*s'\n", (int)len, got);
    }
    c->texts++;
    free(got);
    free(ids);
}

/* With the flags used for tokenizing, the bytes come back: where the vocabulary has all bytes and
 * no token swallows spaces. */
static void check_lossless(counts *c, const ingle_vocab *v, const json *row, const char *text,
                           size_t len)
{
    for (unsigned flags = 0; flags < 4; flags++) {
        bool can = true;
        for (size_t i = 0; i < len; i++) can &= v->byte_tokens[(unsigned char)text[i]] >= 0;
        size_t n, got_len;
        int32_t *ids = encode(v, text, len, flags, &n);
        for (size_t i = 0; i < n; i++)
            can &= !(v->attrs[ids[i]] & (INGLE_TOK_LSTRIP | INGLE_TOK_RSTRIP));
        char *got = decode(v, ids, n, flags, &got_len);
        if (can && (got_len != len || memcmp(got, text, len) != 0)) {
            report(c, "lossless", row, ids, n);
            if (c->failed < 6) print_error("   text: '%.*s'\n", (int)got_len, got);
        }
        c->lossless += can;
        free(ids);
        free(got);
    }
}

static void check_row(counts *c, const ingle_vocab *v, const json *row, const char *text,
                      size_t len)
{
    enum { ADD = INGLE_ADD_SPECIAL, PARSE = INGLE_PARSE_SPECIAL, UNPARSE = INGLE_UNPARSE_SPECIAL };
    check_ids(c, v, row, "s0p0", "s0p0", 0, text, len);
    check_ids(c, v, row, "s1p0", "s1p0", ADD, text, len);
    check_ids(c, v, row, "s0p1", "s0p0", PARSE, text, len);
    check_ids(c, v, row, "s1p1", "s1p0", ADD | PARSE, text, len);
    check_text(c, v, row, "s0p0", "s0p0", "detok_s0p0", UNPARSE, text, len);
    check_text(c, v, row, "s1p1", "s1p0", "detok_s1p1", UNPARSE, text, len);
    check_text(c, v, row, "s1p1", "s1p0", "detok_s1p1_plain", INGLE_REMOVE_SPECIAL, text, len);
}

static char *from_hex(const json *hex, size_t *len)
{
    char *p = malloc(hex->len / 2 + 1);
    *len = hex->len / 2;
    for (size_t i = 0; i < *len; i++) {
        unsigned x;
        assert_int_equal(sscanf(hex->text + 2 * i, "%2x", &x), 1);
        p[i] = (char)x;
    }
    return p;
}

static const json *row_with(const rows *r, const char *key, double id)
{
    for (size_t i = 0; i < r->n; i++)
        if (json_get(r->row[i].root, key) && json_num(json_get(r->row[i].root, "id")) == id)
            return r->row[i].root;
    return NULL;
}

/* Combining marks: where the other engine cuts o200k's words wrongly. */
static bool has_marks(const char *text, size_t len)
{
    utf8proc_int32_t c;
    for (size_t i = 0; i < len;
         i += (size_t)utf8proc_iterate((const utf8proc_uint8_t *)text + i, -1, &c)) {
        utf8proc_iterate((const utf8proc_uint8_t *)text + i, -1, &c);
        utf8proc_category_t cat = utf8proc_category(c);
        if (cat >= UTF8PROC_CATEGORY_MN && cat <= UTF8PROC_CATEGORY_ME) return true;
    }
    return false;
}

/* tiktoken's ids instead of the other engine's, for the texts it has. */
static void check_tiktoken(counts *c, const ingle_vocab *v, const rows *texts)
{
    rows r = read_rows("o200k-harmony.tiktoken.jsonl.gz");
    for (size_t i = 0; i < r.n; i++) {
        const json *text =
            json_get(row_with(texts, "text", json_num(json_get(r.row[i].root, "id"))), "text");
        check_ids(c, v, r.row[i].root, "tokens", "tokens", 0, text->text, text->len);
    }
    free_rows(&r);
}

static void check_texts(counts *c, const ingle_vocab *v, const char *name, const rows *texts)
{
    char file[256];
    snprintf(file, sizeof file, "%s.texts.jsonl.gz", name);
    bool o200k = !strcmp(name, "o200k-harmony");
    rows tik = {0}, r = read_rows(file);
    if (o200k) tik = read_rows("o200k-harmony.tiktoken.jsonl.gz");
    assert_true(r.n > 0);
    for (size_t i = 0; i < r.n; i++) {
        double id = json_num(json_get(r.row[i].root, "id"));
        const json *text = json_get(row_with(texts, "text", id), "text"),
                   *t = row_with(&tik, "tokens", id);
        /* o200k: where tiktoken differs from the other engine, or may (no reference), tiktoken is
         * right. */
        bool other_is_right = !o200k || (t ? json_num(json_get(t, "same_as_llama_cpp"))
                                           : !has_marks(text->text, text->len));
        if (other_is_right) check_row(c, v, r.row[i].root, text->text, text->len);
        check_lossless(c, v, r.row[i].root, text->text, text->len);
    }
    if (o200k) check_tiktoken(c, v, texts);
    free_rows(&tik);
    free_rows(&r);
}

static void check_special(counts *c, const ingle_vocab *v, const char *name)
{
    char file[256];
    snprintf(file, sizeof file, "%s.special.jsonl.gz", name);
    rows r = read_rows(file);
    assert_true(r.n > 0);
    for (size_t i = 0; i < r.n; i++) {
        const json *text = json_get(r.row[i].root, "text");
        check_row(c, v, r.row[i].root, text->text, text->len);
        check_lossless(c, v, r.row[i].root, text->text, text->len);
    }
    free_rows(&r);
}

/* WordPiece leaves broken characters out. SentencePiece sees bytes: the same ids, except where the other engine itself does not bring the
 * bytes back (a space swallowed by a broken character). BPE: our ids stand for the bytes
 * themselves, so only that is checked. */
static void check_invalid(counts *c, const ingle_vocab *v, const char *name, const rows *invalid)
{
    char file[256];
    snprintf(file, sizeof file, "%s.invalid-utf8.jsonl.gz", name);
    rows r = read_rows(file);
    assert_true(r.n > 0);
    for (size_t i = 0; i < r.n; i++) {
        const json *in = row_with(invalid, "hex", json_num(json_get(r.row[i].root, "id")));
        size_t len;
        char *text = from_hex(json_get(in, "hex"), &len);
        const json *back = json_get(r.row[i].root, "detok_s0p0");
        bool bytes_too = v->kind == INGLE_VOCAB_SPM && back && back->kind == INGLE_JSON_BOOL;
        if (bytes_too || (v->kind == INGLE_VOCAB_WORDPIECE && back))
            check_row(c, v, r.row[i].root, text, len);
        check_lossless(c, v, r.row[i].root, text, len);
        free(text);
    }
    free_rows(&r);
}

static void check_info(counts *c, const ingle_vocab *v, const json *want, const char *name)
{
    const struct {
        const char *key;
        int32_t is;
    } fields[] = {
        {"n_tokens", v->info.n_tokens}, {"bos", v->info.bos},         {"eos", v->info.eos},
        {"eot", v->info.eot},           {"sep", v->info.sep},         {"nl", v->info.nl},
        {"pad", v->info.pad},           {"add_bos", v->info.add_bos}, {"add_eos", v->info.add_eos},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if ((int32_t)json_num(json_get(want, fields[i].key)) == fields[i].is) continue;
        print_error("%s: %s is %d\n", name, fields[i].key, fields[i].is);
        c->failed++;
    }
    const json *eog = json_get(want, "eog");
    size_t n = 0;
    for (int32_t id = 0; id < v->info.n_tokens; id++) {
        ingle_token_info t = {.size = sizeof t};
        assert_int_equal(ingle_vocab_token(v, id, &t, NULL), INGLE_OK);
        if (!t.eog) continue;
        if (n >= eog->len || (int32_t)json_num(json_at(eog, n)) != id) {
            print_error("%s: token %d ends a generation\n", name, id);
            c->failed++;
        }
        n++;
    }
    if (n != eog->len) {
        print_error("%s: %zu end tokens\n", name, n);
        c->failed++;
    }
}

/* The other project's own test files: texts and, line by line, their ids. */
static void check_inp_out(counts *c, const ingle_vocab *v, const char *name)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    char path[1500];
    snprintf(path, sizeof path, "%s/ggml-vocab-%s.gguf.inp", folder, name);
    char *inp = json_slurp(path, NULL);
    snprintf(path, sizeof path, "%s/ggml-vocab-%s.gguf.out", folder, name);
    char *out = json_slurp(path, NULL);
    if (inp && out) {
        char *line = out;
        for (char *text = inp, *end; (end = strstr(text, mark)); text = end + sizeof mark - 1) {
            size_t n, i = 0;
            int32_t *ids = encode(v, text, (size_t)(end - text), 0, &n);
            char *eol = strchr(line, '\n');
            bool same = true;
            for (char *p = line, *next; p < eol; p = next, i++) {
                long id = strtol(p, &next, 10);
                if (next == p || next > eol) break;
                same &= i < n && ids[i] == id;
            }
            if (!same || i != n) {
                print_error("%s .inp: '%.*s'\n", name, (int)(end - text), text);
                c->failed++;
            }
            c->ids++;
            free(ids);
            line = eol + 1;
        }
    }
    free(inp);
    free(out);
}

static void test_golden(void **state)
{
    (void)state;
    if (!folder[0]) {
        print_message("skipped: no corpus\n");
        skip();
    }
    char path[1500];
    snprintf(path, sizeof path, "%s/index.json", folder);
    ingle_json_doc index = json_file(path);
    assert_non_null(index.root);
    rows texts = read_rows("texts.jsonl.gz"), invalid = read_rows("texts-invalid-utf8.jsonl.gz");
    size_t n_vocabs = 0, failed = 0;
    for (ingle_json_walk w = ingle_json_items(index.root); ingle_json_step(&w);) {
        const char *name = w.name->text;
        char file[256];
        snprintf(file, sizeof file, "ggml-vocab-%s.gguf", name);
        ingle_gguf *g = NULL;
        ingle_vocab *v = open_vocab(file, &g);
        if (!v) {
            print_message("%-16s skipped: not in the corpus\n", name);
            continue;
        }
        ingle_gguf_close(&g);
        counts c = {0};
        check_info(&c, v, w.value, name);
        check_texts(&c, v, name, &texts);
        check_special(&c, v, name);
        check_invalid(&c, v, name, &invalid);
        check_inp_out(&c, v, name);
        print_message("%-16s ids %zu, texts %zu, lossless %zu, failed %zu, heap %.1f MB\n", name,
                      c.ids, c.texts, c.lossless, c.failed, (double)v->info.heap_bytes / 1e6);
        failed += c.failed;
        n_vocabs++;
        ingle_vocab_close(&v);
    }
    assert_true(n_vocabs > 0);
    assert_int_equal(failed, 0);
    free_rows(&texts);
    free_rows(&invalid);
    ingle_json_close(&index);
}

int main(void)
{
    const char *data = getenv("INGLE_DATA");
    if (data) snprintf(folder, sizeof folder, "%s/golden/tokenizers", data);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
