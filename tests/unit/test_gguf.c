#define _GNU_SOURCE
#include "gguf_build.h"

#include <ftw.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

/* ---- the small model: every type of value, read back ---- */

static ingle_gguf *open_small(uint32_t version, uint32_t alignment)
{
    static gguf_bytes b;
    gb_small_model(&b, version, alignment);
    char path[32];
    int fd = gb_file(b.p, b.n, path);
    ingle_gguf *g;
    ingle_error err = {""};
    if (ingle_gguf_open(&g, path, true, &err)) fail_msg("%s", err.text);
    close(fd); /* the reader has its own descriptor */
    return g;
}

static void test_directory(void **state)
{
    (void)state;
    const uint32_t alignments[] = {1, 8, 32, 4096};
    for (uint32_t k = 0; k < 8; k++) {
        uint32_t version = 2 + k / 4, a = alignments[k % 4];
        ingle_gguf *g = open_small(version, a);
        assert_int_equal(g->version, version);
        assert_int_equal(g->alignment, a);
        assert_int_equal(g->n_kv, 16);
        assert_int_equal(g->n_files, 1);
        assert_int_equal(g->n_tensors, 3);
        assert_string_equal(g->kv[0].key, "general.architecture");
        assert_null(ingle_gguf_find(g, "general.architectur"));
        assert_null(ingle_gguf_find(g, ""));
        assert_null(ingle_gguf_find_tensor(g, "t.u8"));

        const ingle_gguf_tensor *t = ingle_gguf_find_tensor(g, "c.f16");
        assert_ptr_equal(t, &g->tensors[2]);
        assert_int_equal(t->type, INGLE_TYPE_F16);
        assert_int_equal(t->n_dims, 3);
        assert_memory_equal(t->dims, ((uint64_t[]){4, 2, 3, 1}), sizeof t->dims);
        assert_int_equal(t->n_elems, 24);
        assert_int_equal(t->n_bytes, 48);
        assert_int_equal(t->offset % a, 0);
        assert_int_equal(g->tensors[1].n_bytes, 36);

        uint8_t data[48];
        for (size_t i = 0; i < 3; i++) {
            size_t n = (size_t)g->tensors[i].n_bytes;
            assert_int_equal(ingle_gguf_read(g, &g->tensors[i], 0, data, n, NULL), INGLE_OK);
            for (size_t j = 0; j < n; j++) assert_int_equal(data[j], (uint8_t)(j * 7 + 1));
        }
        assert_int_equal(ingle_gguf_read(g, t, 40, data, 8, NULL), INGLE_OK);
        assert_int_equal(data[0], (uint8_t)(40 * 7 + 1));
        assert_true(g->heap_bytes > 500 && g->heap_bytes < 10000);
        ingle_gguf_close(&g);
        assert_null(g);
    }
    ingle_gguf *none = NULL;
    ingle_gguf_close(&none);
}

static void test_read_stays_inside(void **state)
{
    (void)state;
    ingle_gguf *g = open_small(3, 32);
    const ingle_gguf_tensor *t = ingle_gguf_find_tensor(g, "a.f32");
    ingle_error err;
    uint8_t data[64];
    const struct {
        uint64_t from;
        size_t n;
    } bad[] = {{0, 33}, {32, 1}, {33, 0}, {UINT64_MAX, 2}, {1, SIZE_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(ingle_gguf_read(g, t, bad[i].from, data, bad[i].n, &err), INGLE_EINVAL);
        assert_non_null(strstr(err.text, "tensor 'a.f32'"));
    }
    assert_int_equal(ingle_gguf_read(g, t, 32, data, 0, &err), INGLE_OK);
    ingle_gguf_close(&g);
}

static void test_integers(void **state)
{
    (void)state;
    ingle_gguf *g = open_small(3, 32);
    const struct {
        const char *key;
        bool i64, u32;
        int64_t v;
        const char *text; /* in the message of get_u32 */
    } cases[] = {
        {"t.u8", true, true, 200, ""},
        {"t.i8", true, false, -100, "key 't.i8': -100 is not in 0..4294967295"},
        {"t.u16", true, true, 60000, ""},
        {"t.i16", true, false, -30000, "-30000"},
        {"t.i32", true, false, -2000000000, "-2000000000"},
        {"t.i64", true, false, INT64_MIN, "-9223372036854775808"},
        {"t.u64", false, false, 0, "18446744073709551615 is not in 0..4294967295"},
        {"t.bool", true, false, 1, "key 't.bool': is bool, should be an integer"},
        {"t.f32", false, false, 0, "is f32, should be an integer"},
        {"t.f64", false, false, 0, "is f64, should be an integer"},
        {"general.architecture", false, false, 0, "is string, should be an integer"},
        {"t.strings", false, false, 0, "is an array of string, should be an integer"},
        {"t.ints", true, false, -2, "is an array of i32, should be an integer"},
        {"t.empty", false, false, 0, "is an array of f32, should be an integer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ingle_gguf_kv *kv = ingle_gguf_find(g, cases[i].key);
        assert_non_null(kv);
        int64_t v = 77;
        assert_int_equal(ingle_gguf_item_i64(kv, 0, &v), cases[i].i64);
        assert_int_equal(v, cases[i].i64 ? cases[i].v : 77);
        uint32_t u = 77;
        ingle_error err = {""};
        assert_int_equal(ingle_gguf_get_u32(g, kv->key, true, &u, &err),
                         cases[i].u32 ? INGLE_OK : INGLE_EFORMAT);
        assert_int_equal(u, cases[i].u32 ? cases[i].v : 77);
        if (!strstr(err.text, cases[i].text)) fail_msg("%s: %s", kv->key, err.text);
    }
    int64_t v;
    const ingle_gguf_kv *ints = ingle_gguf_find(g, "t.ints");
    for (size_t i = 0; i < 5; i++)
        assert_true(ingle_gguf_item_i64(ints, i, &v) && v == (int64_t)i - 2);
    assert_false(ingle_gguf_item_i64(ints, 5, &v));
    assert_true(ingle_gguf_item_i64(ingle_gguf_find(g, "t.u8"), 12345, &v) &&
                v == 200); /* for every layer */
    ingle_gguf_close(&g);
}

static void test_floats(void **state)
{
    (void)state;
    ingle_gguf *g = open_small(3, 32);
    double d;
    float f = 0;
    ingle_error err;
    assert_int_equal(ingle_gguf_get_f32(g, "t.f32", true, &f, &err), INGLE_OK);
    assert_true(f == 1e-5f);
    assert_int_equal(ingle_gguf_get_f32(g, "t.f64", true, &f, &err), INGLE_OK);
    assert_true(f == 0.1f);
    assert_int_equal(ingle_gguf_get_f32(g, "t.i8", true, &f, &err), INGLE_OK);
    assert_true(f == -100);
    assert_int_equal(ingle_gguf_get_f32(g, "t.u64", true, &f, &err), INGLE_OK);
    assert_true(f == 18446744073709551616.0f);
    const char *wrong[] = {"t.bool", "t.ints", "t.strings", "general.architecture"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ingle_gguf_get_f32(g, wrong[i], false, &f, &err), INGLE_EFORMAT);
        assert_non_null(strstr(err.text, wrong[i]));
        assert_non_null(strstr(err.text, "should be a number"));
    }
    assert_true(ingle_gguf_item_f64(ingle_gguf_find(g, "t.f64"), 3, &d) && d == 0.1);
    assert_true(ingle_gguf_item_f64(ingle_gguf_find(g, "t.ints"), 4, &d) && d == 2);
    assert_false(ingle_gguf_item_f64(ingle_gguf_find(g, "t.ints"), 5, &d));
    assert_false(ingle_gguf_item_f64(ingle_gguf_find(g, "t.empty"), 0, &d));
    ingle_gguf_close(&g);
}

static void test_float_range(void **state)
{
    (void)state;
    const double values[] = {1e300, -1e39, INFINITY, 3e38};
    for (size_t i = 0; i < 4; i++) {
        static gguf_bytes b;
        char path[32];
        b.n = 0;
        gb_header(&b, 3, 0, 1);
        gb_key(&b, "k", INGLE_GGUF_F64);
        gb_raw(&b, &values[i], 8);
        int fd = gb_file(b.p, b.n, path);
        ingle_gguf *g;
        ingle_error err;
        float f = 0;
        assert_int_equal(ingle_gguf_open(&g, path, true, &err), INGLE_OK);
        ingle_status status = ingle_gguf_get_f32(g, "k", true, &f, &err);
        assert_int_equal(status, i < 2 ? INGLE_EFORMAT : INGLE_OK);
        if (i >= 2) assert_true(f == (float)values[i]);
        ingle_gguf_close(&g);
        close(fd);
    }
}

static void test_bools_and_strings(void **state)
{
    (void)state;
    ingle_gguf *g = open_small(3, 32);
    bool flag = false;
    ingle_str s = {"old", 3};
    ingle_error err;
    assert_int_equal(ingle_gguf_get_bool(g, "t.bool", true, &flag, &err), INGLE_OK);
    assert_true(flag);
    assert_int_equal(ingle_gguf_get_bool(g, "t.u8", true, &flag, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "key 't.u8': is u8, should be a bool"));
    assert_int_equal(ingle_gguf_get_bool(g, "t.bools", true, &flag, &err), INGLE_EFORMAT);
    assert_int_equal(ingle_gguf_get_str(g, "t.strings", true, &s, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "should be a string"));
    assert_int_equal(s.len, 3);
    assert_int_equal(ingle_gguf_get_str(g, "general.architecture", true, &s, &err), INGLE_OK);
    assert_int_equal(s.len, 5);
    assert_memory_equal(s.ptr, "llama", 5);

    /* Absent: left alone unless it is required. */
    uint32_t u = 5;
    float f = 5;
    assert_int_equal(ingle_gguf_get_u32(g, "no.key", false, &u, &err), INGLE_OK);
    assert_int_equal(ingle_gguf_get_f32(g, "no.key", false, &f, &err), INGLE_OK);
    assert_int_equal(ingle_gguf_get_bool(g, "no.key", false, &flag, &err), INGLE_OK);
    assert_int_equal(ingle_gguf_get_str(g, "no.key", false, &s, &err), INGLE_OK);
    assert_true(u == 5 && f == 5 && flag && s.len == 5);
    assert_int_equal(ingle_gguf_get_u32(g, "no.key", true, &u, &err), INGLE_ENOTFOUND);
    assert_string_equal(err.text, "key 'no.key' is missing");
    assert_int_equal(ingle_gguf_get_f32(g, "no.key", true, &f, NULL), INGLE_ENOTFOUND);
    assert_int_equal(ingle_gguf_get_bool(g, "no.key", true, &flag, NULL), INGLE_ENOTFOUND);
    assert_int_equal(ingle_gguf_get_str(g, "no.key", true, &s, NULL), INGLE_ENOTFOUND);
    ingle_gguf_close(&g);
}

/* ---- values as text ---- */

static void check_text(const ingle_gguf *g, const char *key, size_t max_items, const char *want)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(g, key);
    char text[256];
    size_t len = 0, n = strlen(want);
    assert_int_equal(ingle_gguf_value_text(kv, text, sizeof text, &len, max_items, NULL), INGLE_OK);
    assert_string_equal(text, want);
    assert_int_equal(len, n);
    /* Every smaller room: ERANGE, the same length told, what fits written and terminated. */
    for (size_t cap = 0; cap <= n; cap++) {
        memset(text, 'x', sizeof text);
        ingle_error err;
        assert_int_equal(ingle_gguf_value_text(kv, cap ? text : NULL, cap, &len, max_items, &err),
                         INGLE_ERANGE);
        assert_int_equal(len, n);
        assert_non_null(strstr(err.text, key));
        if (cap) assert_int_equal(strlen(text), cap - 1);
        if (cap) assert_memory_equal(text, want, cap - 1);
        assert_int_equal(text[cap], 'x');
    }
}

static void check_texts(void)
{
    ingle_gguf *g = open_small(3, 32);
    check_text(g, "general.architecture", 5, "\"llama\"");
    check_text(g, "t.u8", 5, "200");
    check_text(g, "t.i8", 0, "-100");
    check_text(g, "t.i64", 5, "-9223372036854775808");
    check_text(g, "t.u64", 5, "18446744073709551615");
    check_text(g, "t.f32", 5, "1e-05");
    check_text(g, "t.f64", 5, "0.1");
    check_text(g, "t.bool", 5, "true");
    check_text(g, "t.bools", 5, "[true, false, true]");
    check_text(g, "t.ints", 5, "[-2, -1, 0, 1, 2]");
    check_text(g, "t.ints", 4, "[-2, -1, 0, 1, ... (5)]");
    check_text(g, "t.ints", 0, "[... (5)]");
    check_text(g, "t.empty", 0, "[]");
    check_text(g, "t.strings", SIZE_MAX,
               "[\"<s>\", \"\", \"\\\"\\\\\\n\\t\\u0001 caf\xc3\xa9\", "
               "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"]");
    ingle_gguf_close(&g);
}

static void test_value_text(void **state)
{
    (void)state;
    check_texts();
    /* The application may have chosen a locale with a decimal comma. */
    const char *locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"};
    for (size_t i = 0; i < 3; i++)
        if (setlocale(LC_NUMERIC, locales[i])) check_texts();
    setlocale(LC_NUMERIC, "C");
}

static void test_float_text(void **state)
{
    (void)state;
    const struct {
        float f;
        const char *text;
    } cases[] = {{10000, "10000"},
                 {0.1f, "0.1"},
                 {16777216, "16777216"},
                 {1.0f / 3, "0.33333334"},
                 {-0.0f, "-0"},
                 {3e38f, "3e+38"},
                 {1.17549435e-38f, "1.1754944e-38"},
                 {INFINITY, "\"Infinity\""},
                 {-INFINITY, "\"-Infinity\""},
                 {NAN, "\"NaN\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ingle_gguf_kv kv = {.key = "k", .type = INGLE_GGUF_F32, .item = INGLE_GGUF_F32, .n = 1};
        kv.data = (const uint8_t *)&cases[i].f;
        char text[40];
        size_t len;
        assert_int_equal(ingle_gguf_value_text(&kv, text, sizeof text, &len, 1, NULL), INGLE_OK);
        assert_string_equal(text, cases[i].text);
    }
}

/* ---- split files ---- */

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/ingle-test-gguf-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *part_path(uint32_t no, uint32_t count)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/m.Q8-00001-of-00009-%05u-of-%05u.gguf", folder, no + 1, count);
    return path;
}

/* Part `no` says that it is part `says_no` of `count`, with `total` tensors in all; it holds one,
 * filled with its number. */
static void write_part(uint32_t no, uint32_t says_no, uint32_t count, uint32_t total,
                       const char *tensor)
{
    static gguf_bytes b;
    b.n = 0;
    gb_header(&b, 3, 1, 4);
    gb_kv_int(&b, "split.no", INGLE_GGUF_U16, says_no, 2);
    gb_kv_int(&b, "split.count", INGLE_GGUF_U16, count, 2);
    gb_kv_int(&b, "split.tensors.count", INGLE_GGUF_I32, total, 4);
    gb_kv_u32(&b, no ? "in.other" : "in.first", no);
    gb_tensor(&b, tensor, 1, (uint64_t[]){8}, INGLE_TYPE_F32, 32 * no);
    gb_pad(&b, 32);
    for (uint32_t i = 0; i < 32 * no; i++) gb_raw(&b, "", 1);
    for (int i = 0; i < 32; i++) gb_raw(&b, &(uint8_t){(uint8_t)no}, 1);
    FILE *f = fopen(part_path(no, count), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    assert_int_equal(fclose(f), 0);
}

static void test_split_from_any_part(void **state)
{
    (void)state;
    const char *names[] = {"t.a", "t.b", "t.c"};
    for (uint32_t no = 0; no < 3; no++) write_part(no, no, 3, 3, names[no]);
    for (uint32_t from = 0; from < 3; from++) {
        ingle_gguf *g;
        ingle_error err;
        assert_int_equal(ingle_gguf_open(&g, part_path(from, 3), true, &err), INGLE_OK);
        assert_int_equal(g->n_files, 3);
        assert_int_equal(g->n_tensors, 3);
        assert_non_null(ingle_gguf_find(g, "in.first"));
        assert_null(ingle_gguf_find(g, "in.other"));
        for (uint32_t no = 0; no < 3; no++) {
            const ingle_gguf_tensor *t = ingle_gguf_find_tensor(g, names[no]);
            assert_non_null(t);
            assert_int_equal(t->i_file, no);
            uint8_t data[32];
            assert_int_equal(ingle_gguf_read(g, t, 0, data, 32, &err), INGLE_OK);
            for (int i = 0; i < 32; i++) assert_int_equal(data[i], no);
        }
        ingle_gguf_close(&g);
    }
}

static void check_split_fails(uint32_t from, ingle_status status, const char *text)
{
    ingle_gguf *g;
    ingle_error err = {""};
    assert_int_equal(ingle_gguf_open(&g, part_path(from, 3), true, &err), status);
    assert_null(g);
    if (!strstr(err.text, text)) fail_msg("\"%s\" lacks \"%s\"", err.text, text);
}

static void test_split_that_does_not_fit(void **state)
{
    (void)state;
    write_part(0, 0, 3, 3, "t.a");
    write_part(2, 2, 3, 3, "t.c");
    check_split_fails(2, INGLE_ENOTFOUND, "part 2 of 3: ");
    check_split_fails(0, INGLE_ENOTFOUND, "-00002-of-00003.gguf: No such file");

    write_part(1, 2, 3, 3, "t.b"); /* the second part is named the third */
    check_split_fails(0, INGLE_EFORMAT, "part 2 of 3: key 'split.no' says part 3");
    check_split_fails(1, INGLE_EFORMAT, "the file's name should end in -00003-of-00003.gguf");
    write_part(1, 1, 3, 3, "t.a");
    check_split_fails(0, INGLE_EFORMAT, "tensor 't.a' is there twice");
    write_part(1, 1, 3, 3, "t.b");
    write_part(0, 0, 3, 4, "t.a");
    check_split_fails(1, INGLE_EFORMAT,
                      "part 1 of 3: key 'split.tensors.count' is 4 here, 3 in another part");
    for (uint32_t no = 0; no < 3; no++)
        write_part(no, no, 3, 2, (const char *[]){"t.a", "t.b", "t.c"}[no]);
    check_split_fails(1, INGLE_EFORMAT, "key 'split.tensors.count' is 2, but there are 3 tensors");
}

static void test_split_part_of_another_model(void **state)
{
    (void)state;
    write_part(0, 0, 3, 3, "t.a");
    write_part(2, 2, 3, 3, "t.c");
    char plain[256];
    strcpy(plain, part_path(1, 3));
    static gguf_bytes b;
    gb_small_model(&b, 3, 32); /* says nothing of parts */
    FILE *f = fopen(plain, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    fclose(f);
    check_split_fails(0, INGLE_EFORMAT, "part 2 of 3: key 'split.count' is 0 here, 3 in");
    assert_int_equal(truncate(plain, b.n - 1), 0); /* and a damaged one */
    check_split_fails(0, INGLE_EFORMAT, "part 2 of 3: tensor 'c.f16'");
}

/* ---- the corpus ---- */

static const char *data_folder(void)
{
    const char *data = getenv("INGLE_DATA");
    if (!data) {
        print_message("skipped: no corpus\n");
        skip();
        return ""; /* not reached */
    }
    return data;
}

static ingle_gguf *open_data(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", data_folder(), name);
    ingle_gguf *g;
    ingle_error err = {""};
    if (ingle_gguf_open(&g, path, !strstr(name, "tokenizers/"), &err))
        fail_msg("%s: %s", name, err.text);
    return g;
}

static int n_opened;

static int open_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)ftw;
    size_t len = strlen(path);
    if (kind != FTW_F || len < 5 || strcmp(path + len - 5, ".gguf")) return 0;
    ingle_gguf *g;
    ingle_error err = {""};
    if (ingle_gguf_open(&g, path, !strstr(path, "/tokenizers/"), &err))
        fail_msg("%s: %s", path, err.text);
    assert_true(g->n_kv > 0);
    for (size_t i = 0; i < g->n_kv; i++)
        assert_ptr_equal(ingle_gguf_find(g, g->kv[i].key), &g->kv[i]);
    for (size_t i = 0; i < g->n_tensors; i++)
        assert_ptr_equal(ingle_gguf_find_tensor(g, g->tensors[i].name), &g->tensors[i]);
    ingle_gguf_close(&g);
    n_opened++;
    return 0;
}

static void test_corpus_opens(void **state)
{
    (void)state;
    const char *below[] = {"golden", "tiny-model"};
    for (size_t i = 0; i < 2; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", data_folder(), below[i]);
        assert_int_equal(nftw(path, open_one, 16, FTW_PHYS), 0);
    }
    print_message("%d files\n", n_opened);
    assert_true(n_opened >= 100);
}

static uint32_t crc32(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *p = data;
    crc = ~crc;
    while (n--) {
        crc ^= *p++;
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

static size_t size_of(ingle_gguf_type type)
{
    static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return sizes[type];
}

static uint32_t crc_of_keys(const ingle_gguf *g)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < g->n_kv; i++) {
        const ingle_gguf_kv *kv = &g->kv[i];
        uint8_t types[2] = {(uint8_t)kv->type, (uint8_t)kv->item};
        uint64_t n = kv->n;
        crc = crc32(crc, kv->key, strlen(kv->key));
        crc = crc32(crc32(crc, types, 2), &n, 8);
        if (kv->item != INGLE_GGUF_STRING) crc = crc32(crc, kv->data, kv->n * size_of(kv->item));
        for (size_t k = 0; kv->item == INGLE_GGUF_STRING && k < kv->n; k++) {
            uint64_t len = kv->strings[k].len;
            crc = crc32(crc32(crc, &len, 8), kv->strings[k].ptr, kv->strings[k].len);
        }
    }
    return crc;
}

static uint32_t crc_of_tensors(const ingle_gguf *g)
{
    uint32_t crc = 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        const ingle_gguf_tensor *t = &g->tensors[i];
        uint8_t n_dims = (uint8_t)t->n_dims, type = (uint8_t)t->type, data[32];
        crc = crc32(crc, t->name, strlen(t->name));
        crc = crc32(crc32(crc, &n_dims, 1), t->dims, 32);
        crc = crc32(crc32(crc32(crc, &type, 1), &t->offset, 8), &t->n_bytes, 8);
        size_t n = t->n_bytes < 32 ? (size_t)t->n_bytes : 32;
        assert_int_equal(ingle_gguf_read(g, t, 0, data, n, NULL), INGLE_OK);
        crc = crc32(crc, data, n);
    }
    return crc;
}

/* What another reader, written from the specification alone (gguf_facts.py), found in the same
 * files. */
static void test_corpus_against_another_reader(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t n_kv, n_tensors;
        uint32_t crc_kv, crc_tensors;
    } facts[] = {
#include "gguf_facts.inc"
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        ingle_gguf *g = open_data(facts[i].name);
        if (g->n_kv != facts[i].n_kv || g->n_tensors != facts[i].n_tensors ||
            crc_of_keys(g) != facts[i].crc_kv || crc_of_tensors(g) != facts[i].crc_tensors)
            fail_msg("%s: %zu keys, %zu tensors, %08x, %08x", facts[i].name, g->n_kv, g->n_tensors,
                     crc_of_keys(g), crc_of_tensors(g));
        ingle_gguf_close(&g);
    }
}

/* Figures that the model's own description gives. */
static void test_tiny_chat(void **state)
{
    (void)state;
    ingle_gguf *g = open_data("tiny-model/tiny-chat.q4_k_m.gguf");
    uint32_t v = 0;
    float f = 0;
    bool flag = true;
    ingle_str s;
    ingle_error err;
    assert_int_equal(ingle_gguf_get_str(g, "general.architecture", true, &s, &err), INGLE_OK);
    assert_true(s.len == 5 && !memcmp(s.ptr, "llama", 5));
    assert_int_equal(ingle_gguf_get_u32(g, "llama.block_count", true, &v, &err), INGLE_OK);
    assert_int_equal(v, 5);
    assert_int_equal(ingle_gguf_get_u32(g, "tokenizer.ggml.eos_token_id", true, &v, &err),
                     INGLE_OK);
    assert_int_equal(v, 2047);
    assert_int_equal(ingle_gguf_get_f32(g, "llama.rope.freq_base", true, &f, &err), INGLE_OK);
    assert_true(f == 10000);
    assert_int_equal(
        ingle_gguf_get_f32(g, "llama.attention.layer_norm_rms_epsilon", true, &f, &err), INGLE_OK);
    assert_true(f == 1e-5f);
    assert_int_equal(ingle_gguf_get_bool(g, "tokenizer.ggml.add_bos_token", true, &flag, &err),
                     INGLE_OK);
    assert_false(flag);
    const ingle_gguf_kv *tokens = ingle_gguf_find(g, "tokenizer.ggml.tokens");
    assert_int_equal(tokens->n, 2048);
    assert_true(tokens->strings[2046].len == 12 &&
                !memcmp(tokens->strings[2046].ptr, "<|im_start|>", 12));
    assert_int_equal(ingle_gguf_find(g, "tokenizer.ggml.merges")->n, 1787);

    size_t n_params = 0, n_q4_k = 0, n_q6_k = 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        n_params += g->tensors[i].n_elems;
        n_q4_k += g->tensors[i].type == INGLE_TYPE_Q4_K;
        n_q6_k += g->tensors[i].type == INGLE_TYPE_Q6_K;
    }
    assert_int_equal(n_params, 4459264);
    assert_int_equal(n_q4_k, 31);
    assert_int_equal(n_q6_k, 5);
    const ingle_gguf_tensor *t = ingle_gguf_find_tensor(g, "blk.0.attn_k.weight");
    assert_non_null(t);
    assert_true(t->n_dims == 2 && t->dims[0] == 256 && t->dims[1] == 128);
    ingle_gguf_close(&g);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_read_stays_inside),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_float_range),
        cmocka_unit_test(test_bools_and_strings),
        cmocka_unit_test(test_value_text),
        cmocka_unit_test(test_float_text),
        IN_FOLDER(test_split_from_any_part),
        IN_FOLDER(test_split_that_does_not_fit),
        IN_FOLDER(test_split_part_of_another_model),
        cmocka_unit_test(test_corpus_opens),
        cmocka_unit_test(test_corpus_against_another_reader),
        cmocka_unit_test(test_tiny_chat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
