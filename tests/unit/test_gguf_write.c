/* test_gguf_write.c - the bytes the writer makes, what it refuses, and that the reader takes back
 * what was written. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gguf/write.h"

static char folder[] = "/tmp/ingle-write-XXXXXX";
static char path[sizeof folder + 16], part[sizeof folder + 16];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/a.gguf", folder);
    snprintf(part, sizeof part, "%s/a.gguf.part", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    remove(path);
    return rmdir(folder); /* fails if a test left something else behind */
}

static ingle_gguf_writer *open_writer(void)
{
    ingle_gguf_writer *w = NULL;
    assert_int_equal(ingle_gguf_writer_open(&w, path, NULL), INGLE_OK);
    assert_non_null(w);
    return w;
}

static size_t read_all(const char *name, uint8_t *buffer, size_t cap)
{
    FILE *f = fopen(name, "rb");
    if (!f) return 0;
    size_t n = fread(buffer, 1, cap, f);
    fclose(f);
    return n;
}

/* The format written out by hand: header, one key of a scalar, of a string, of an array, two
 * tensors, padding to 32. */
static void test_bytes(void **state)
{
    (void)state;
    static const uint8_t expected[] =
        {
            'G', 'G', 'U', 'F', 3, 0, 0,    0,    2,   0, 0, 0, 0,  0,  0, 0, 3, 0, 0, 0, 0,
            0,   0,   0,                                                         /* 24 */
            1,   0,   0,   0,   0, 0, 0,    0,    'a', 4, 0, 0, 0,  7,  0, 0, 0, /* 41: U32 */
            1,   0,   0,   0,   0, 0, 0,    0,    'b', 8, 0, 0, 0,  2,  0, 0, 0, 0, 0, 0, 0,
            'h', 'i', /* 64: STRING */
            1,   0,   0,   0,   0, 0, 0,    0,    'c', 9, 0, 0, 0,  3,  0, 0, 0, 2, 0, 0, 0,
            0,   0,   0,   0,   1, 0, 0xff, 0xff, /* 93 */
            1,   0,   0,   0,   0, 0, 0,    0,    'x', 1, 0, 0, 0,  3,  0, 0, 0, 0, 0, 0, 0,
            0,   0,   0,   0,   0, 0, 0,    0,    0,   0, 0, 0, /* 126 */
            1,   0,   0,   0,   0, 0, 0,    0,    'y', 2, 0, 0, 0,  32, 0, 0, 0, 0, 0, 0, 0,
            1,   0,   0,   0,   0, 0, 0,    0,    8,   0, 0, 0, 32, 0,  0, 0, 0, 0, 0, 0, /* 167;
                                                                                             data at
                                                                                             192 */
        };
    ingle_gguf_writer *w = open_writer();
    assert_int_equal(ingle_gguf_put_u32(w, "a", 7, NULL), INGLE_OK);
    assert_int_equal(ingle_gguf_put_str(w, "b", "hi", NULL), INGLE_OK);
    assert_int_equal(ingle_gguf_put_array(w, "c", INGLE_GGUF_I16, 2, (int16_t[]){1, -1}, NULL),
                     INGLE_OK);
    assert_int_equal(ingle_gguf_add_tensor(w, "x", INGLE_TYPE_F32, 1, (uint64_t[]){3}, NULL),
                     INGLE_OK);
    assert_int_equal(ingle_gguf_add_tensor(w, "y", INGLE_TYPE_Q8_0, 2, (uint64_t[]){32, 1}, NULL),
                     INGLE_OK);
    uint8_t data[12 + 34];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i + 1);
    assert_int_equal(ingle_gguf_write(w, data, 5, NULL),
                     INGLE_OK); /* pieces need not end with tensors */
    assert_int_equal(ingle_gguf_write(w, data + 5, sizeof data - 5, NULL), INGLE_OK);
    assert_int_not_equal(access(path, F_OK), 0); /* nothing there before it is whole */
    assert_int_equal(ingle_gguf_writer_finish(&w, NULL), INGLE_OK);
    assert_null(w);
    assert_int_not_equal(access(part, F_OK), 0);

    uint8_t got[512], zeros[64] = {0};
    assert_int_equal(read_all(path, got, sizeof got), 192 + 32 + 64);
    assert_int_equal(sizeof expected, 167);
    assert_memory_equal(got, expected, sizeof expected);
    assert_memory_equal(got + 167, zeros, 25);
    assert_memory_equal(got + 192, data, 12);
    assert_memory_equal(got + 204, zeros, 20);
    assert_memory_equal(got + 224, data + 12, 34);
    assert_memory_equal(got + 258, zeros, 30);
}

static void test_refusals(void **state)
{
    (void)state;
    ingle_error err;
    ingle_gguf_writer *w = open_writer();
    assert_int_equal(ingle_gguf_put_bool(w, "once", true, &err), INGLE_OK);
    assert_int_equal(ingle_gguf_put_f32(w, "once", 1, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "'once'"));
    assert_int_equal(ingle_gguf_put_f32(w, "onc", 1, &err), INGLE_OK); /* a prefix is another key */
    assert_int_equal(ingle_gguf_put_f32(w, "", 1, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_put_f32(w, "a\nb", 1, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_put_u32(w, "general.alignment", 48, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_put_u32(w, "general.alignment", 0, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_put_u32(w, "general.alignment", 1u << 21, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_put_f32(w, "general.alignment", 32, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_put_array(w, "n", INGLE_GGUF_ARRAY, 0, NULL, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_put_array(w, "n", INGLE_GGUF_STRING, 0, NULL, &err), INGLE_EINVAL);

    const uint64_t good[] = {256, 2}, ragged[] = {250, 2}, none[] = {256, 0},
                   vast[] = {1u << 30, 1u << 30, 1u << 30};
    char long_name[80];
    memset(long_name, 'n', sizeof long_name);
    long_name[64] = 0;
    assert_int_equal(ingle_gguf_add_tensor(w, long_name, INGLE_TYPE_F32, 2, good, &err),
                     INGLE_EINVAL);
    long_name[63] = 0;
    assert_int_equal(ingle_gguf_add_tensor(w, long_name, INGLE_TYPE_Q4_K, 2, good, &err), INGLE_OK);
    assert_int_equal(ingle_gguf_add_tensor(w, long_name, INGLE_TYPE_Q4_K, 2, good, &err),
                     INGLE_EINVAL);
    assert_int_equal(ingle_gguf_add_tensor(w, "t", INGLE_TYPE_Q4_K, 2, ragged, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "250"));
    assert_int_equal(ingle_gguf_add_tensor(w, "t", INGLE_TYPE_F32, 2, none, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_add_tensor(w, "t", INGLE_TYPE_F32, 3, vast, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_add_tensor(w, "t", INGLE_TYPE_F32, 0, good, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_add_tensor(w, "t", INGLE_TYPE_F32, 5, good, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_add_tensor(w, "t", (ingle_type)4, 1, good, &err), INGLE_EINVAL);

    uint8_t data[2 * 144] = {0};
    assert_int_equal(ingle_gguf_write(w, data, sizeof data, &err), INGLE_OK);
    assert_int_equal(ingle_gguf_write(w, data, 1, &err), INGLE_EINVAL); /* past the last tensor */
    assert_int_equal(ingle_gguf_put_u32(w, "late", 1, &err), INGLE_EINVAL);
    assert_int_equal(ingle_gguf_add_tensor(w, "late", INGLE_TYPE_F32, 1, good, &err), INGLE_EINVAL);
    ingle_gguf_writer_close(&w);
    assert_int_not_equal(access(part, F_OK), 0); /* closed unfinished: removed */
    assert_int_equal(ingle_gguf_put_u32(w, "a", 1, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_gguf_write(w, data, 1, &err), INGLE_ECLOSED);
    assert_int_equal(ingle_gguf_writer_finish(&w, &err), INGLE_ECLOSED);
    ingle_gguf_writer_close(&w);
    ingle_gguf_writer_close(NULL);
}

static void test_unfinished(void **state)
{
    (void)state;
    ingle_error err;
    remove(path);
    ingle_gguf_writer *w = open_writer();
    assert_int_equal(ingle_gguf_add_tensor(w, "half", INGLE_TYPE_F32, 1, (uint64_t[]){4}, NULL),
                     INGLE_OK);
    assert_int_equal(ingle_gguf_write(w, "12345678", 8, NULL), INGLE_OK);
    assert_int_equal(ingle_gguf_writer_finish(&w, &err), INGLE_EINVAL);
    assert_non_null(strstr(err.text, "'half': 8 of 16"));
    assert_null(w);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(part, F_OK), 0);
    assert_int_equal(ingle_gguf_writer_open(&w, "/nowhere/at/all.gguf", &err), INGLE_EIO);
    assert_null(w);
    assert_non_null(strstr(err.text, "/nowhere/at/all.gguf"));
}

static const uint64_t shape_a[] = {64, 3}, shape_b[] = {2, 3, 2, 2};

static void write_everything(uint8_t *data, size_t n)
{
    static const ingle_str words[] = {{"plain", 5}, {"", 0}, {"\0\xff\n", 3}};
    static const uint64_t bits[] = {0x8877665544332211u, 0xfedcba9876543210u, 1};
    ingle_gguf_writer *w = open_writer();
    for (int type = INGLE_GGUF_U8; type <= INGLE_GGUF_F64; type++) {
        if (type == INGLE_GGUF_STRING || type == INGLE_GGUF_ARRAY) continue;
        uint64_t value = type == INGLE_GGUF_BOOL ? 1 : bits[0];
        char key[32];
        snprintf(key, sizeof key, "scalar.%d", type);
        ingle_gguf_kv kv = {
            .key = key, .type = (ingle_gguf_type)type, .n = 1, .data = (const uint8_t *)&value};
        assert_int_equal(ingle_gguf_put(w, &kv, NULL), INGLE_OK);
        snprintf(key, sizeof key, "array.%d", type);
        uint8_t bools[] = {1, 0, 1};
        const void *items = type == INGLE_GGUF_BOOL ? (const void *)bools : bits;
        assert_int_equal(ingle_gguf_put_array(w, key, (ingle_gguf_type)type, 3, items, NULL),
                         INGLE_OK);
    }
    assert_int_equal(ingle_gguf_put_strings(w, "words", 3, words, NULL), INGLE_OK);
    assert_int_equal(ingle_gguf_put_str(w, "empty", "", NULL), INGLE_OK);
    assert_int_equal(ingle_gguf_put_array(w, "none", INGLE_GGUF_F32, 0, NULL, NULL), INGLE_OK);
    assert_int_equal(ingle_gguf_add_tensor(w, "a", INGLE_TYPE_Q4_0, 2, shape_a, NULL), INGLE_OK);
    assert_int_equal(ingle_gguf_put_u32(w, "general.alignment", 128, NULL),
                     INGLE_OK); /* after a tensor: still obeyed */
    assert_int_equal(ingle_gguf_add_tensor(w, "b", INGLE_TYPE_F16, 4, shape_b, NULL), INGLE_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ingle_gguf_write(w, &data[i], 1, NULL), INGLE_OK);
    assert_int_equal(ingle_gguf_writer_finish(&w, NULL), INGLE_OK);
}

static void check_values(const ingle_gguf *g)
{
    const ingle_gguf_kv *words = ingle_gguf_find(g, "words"), *item = ingle_gguf_find(g, "array.5");
    assert_int_equal(g->n_kv, 2 * 11 + 4);
    assert_int_equal(words->n, 3);
    assert_int_equal(words->strings[2].len, 3);
    assert_memory_equal(words->strings[2].ptr, "\0\xff\n", 3);
    assert_int_equal(item->item, INGLE_GGUF_I32);
    int64_t value = 0;
    assert_true(ingle_gguf_item_i64(item, 2, &value));
    assert_int_equal(value, (int32_t)0x76543210);
    double real = 0;
    uint64_t bits = 0x8877665544332211u;
    double expected;
    memcpy(&expected, &bits, sizeof expected);
    assert_true(ingle_gguf_item_f64(ingle_gguf_find(g, "scalar.12"), 0, &real));
    assert_true(real == expected);
    assert_int_equal(ingle_gguf_find(g, "none")->n, 0);
    assert_int_equal(ingle_gguf_find(g, "empty")->strings[0].len, 0);
}

/* What the reader delivers is handed back key by key, and the second file has the same bytes as the
 * first. */
static void copy_file(const ingle_gguf *g, const char *to)
{
    ingle_gguf_writer *w = NULL;
    assert_int_equal(ingle_gguf_writer_open(&w, to, NULL), INGLE_OK);
    for (size_t i = 0; i < g->n_kv; i++)
        assert_int_equal(ingle_gguf_put(w, &g->kv[i], NULL), INGLE_OK);
    for (size_t i = 0; i < g->n_tensors; i++) {
        const ingle_gguf_tensor *t = &g->tensors[i];
        assert_int_equal(ingle_gguf_add_tensor(w, t->name, t->type, t->n_dims, t->dims, NULL),
                         INGLE_OK);
    }
    for (size_t i = 0; i < g->n_tensors; i++) {
        uint8_t data[512];
        assert_true(g->tensors[i].n_bytes <= sizeof data);
        assert_int_equal(
            ingle_gguf_read(g, &g->tensors[i], 0, data, (size_t)g->tensors[i].n_bytes, NULL),
            INGLE_OK);
        assert_int_equal(ingle_gguf_write(w, data, (size_t)g->tensors[i].n_bytes, NULL), INGLE_OK);
    }
    assert_int_equal(ingle_gguf_writer_finish(&w, NULL), INGLE_OK);
}

static void test_round_trip(void **state)
{
    (void)state;
    uint8_t data[6 * 18 + 24 * 2];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(7 * i + 1);
    write_everything(data, sizeof data);

    ingle_error err = {""};
    ingle_gguf *g = NULL;
    assert_int_equal(ingle_gguf_open(&g, path, true, &err), INGLE_OK);
    assert_int_equal(g->version, 3);
    assert_int_equal(g->alignment, 128);
    check_values(g);
    const ingle_gguf_tensor *a = ingle_gguf_find_tensor(g, "a"),
                            *b = ingle_gguf_find_tensor(g, "b");
    assert_int_equal(a->n_bytes, 6 * 18);
    assert_int_equal(b->n_dims, 4);
    assert_memory_equal(b->dims, shape_b, sizeof shape_b);
    assert_int_equal(b->offset - a->offset, 128);
    uint8_t got[sizeof data];
    assert_int_equal(ingle_gguf_read(g, a, 0, got, 6 * 18, NULL), INGLE_OK);
    assert_int_equal(ingle_gguf_read(g, b, 0, got + 6 * 18, 24 * 2, NULL), INGLE_OK);
    assert_memory_equal(got, data, sizeof data);

    char copy[sizeof path + 8];
    snprintf(copy, sizeof copy, "%s.copy", path);
    copy_file(g, copy);
    ingle_gguf_close(&g);
    static uint8_t first[8192], second[8192];
    size_t n = read_all(path, first, sizeof first);
    assert_true(n > 1000 && n < sizeof first);
    assert_int_equal(read_all(copy, second, sizeof second), n);
    assert_memory_equal(first, second, n);
    remove(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
