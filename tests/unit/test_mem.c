#define _GNU_SOURCE
#include "base/map.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

/* Absurd sizes are asked for on purpose: the address sanitizer shall answer them like malloc does.
 */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

/* ---- sizes and arrays ---- */

static void test_new(void **state)
{
    (void)state;
    int *p = ingle_new(1000, sizeof *p);
    assert_non_null(p);
    for (int i = 0; i < 1000; i++) assert_int_equal(p[i], 0);
    free(p);
    p = ingle_new(0, sizeof *p);
    assert_non_null(p);
    free(p);
    assert_null(ingle_new(SIZE_MAX / 2, 4));
    assert_null(ingle_new(SIZE_MAX, 1));
}

static void test_grow(void **state)
{
    (void)state;
    int *p = NULL;
    size_t cap = 0;
    for (size_t n = 1; n <= 1000; n++) {
        assert_true(ingle_grow(&p, &cap, n, sizeof *p));
        assert_true(cap >= n);
        p[n - 1] = (int)n;
    }
    for (int i = 0; i < 1000; i++) assert_int_equal(p[i], i + 1);
    int *before = p;
    size_t cap_before = cap;
    assert_false(ingle_grow(&p, &cap, SIZE_MAX / 2, sizeof *p));
    assert_false(ingle_grow(&p, &cap, SIZE_MAX, 1));
    assert_ptr_equal(p, before);
    assert_int_equal(cap, cap_before);
    free(p);
}

static void test_pages(void **state)
{
    (void)state;
    const size_t sizes[] = {
        0, 1, 4096, 5000, ((size_t)2 << 20) - 1, (size_t)2 << 20, ((size_t)5 << 20) + 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *p = ingle_pages_new(sizes[i]);
        assert_non_null(p);
        size_t align = sizes[i] >= (size_t)2 << 20 ? (size_t)2 << 20 : 4096;
        assert_int_equal((uintptr_t)p % align, 0);
        for (size_t k = 0; k < sizes[i]; k += 512) assert_int_equal(p[k], 0);
        if (sizes[i]) p[0] = p[sizes[i] - 1] = 1;
        ingle_pages_free(p, sizes[i]);
    }
    assert_null(ingle_pages_new(SIZE_MAX));
    assert_null(ingle_pages_new(SIZE_MAX / 2));
    ingle_pages_free(NULL, 5);
}

/* ---- map ---- */

typedef struct key {
    const char *p;
    size_t len;
} key;

static uint32_t find(const ingle_map *map, const key *keys, const char *p, size_t len)
{
    uint64_t hash = ingle_map_hash(map, p, len);
    uint32_t id, at = 0;
    while ((id = ingle_map_next(map, hash, &at)) != INGLE_NO_ID)
        if (keys[id].len == len && !memcmp(keys[id].p, p, len)) break;
    return id;
}

static void add(ingle_map *map, key *keys, uint32_t id, const char *p, size_t len)
{
    keys[id] = (key){p, len};
    assert_int_equal(find(map, keys, p, len), INGLE_NO_ID);
    assert_true(ingle_map_add(map, ingle_map_hash(map, p, len), id));
}

static void test_map(void **state)
{
    (void)state;
    enum { N = 20000 };
    static char text[N][24];
    static key keys[N];
    for (int grows = 0; grows < 2; grows++) {
        ingle_map map;
        assert_true(ingle_map_open(&map, grows ? 4 : N));
        size_t bytes = ingle_map_bytes(&map);
        for (uint32_t i = 0; i < N; i++) {
            snprintf(text[i], sizeof text[i], "%.*skey.%u", (int)(i % 13), "abcdefghijklm", i);
            add(&map, keys, i, text[i], strlen(text[i]));
        }
        for (uint32_t i = 0; i < N; i++) {
            char copy[24]; /* found by text, not by address */
            strcpy(copy, text[i]);
            assert_int_equal(find(&map, keys, copy, strlen(copy)), i);
            assert_int_not_equal(find(&map, keys, copy, strlen(copy) - 1), i);
        }
        assert_int_equal(find(&map, keys, "nobody", 6), INGLE_NO_ID);
        assert_true(ingle_map_bytes(&map) >= 2 * N * sizeof(ingle_map_slot));
        assert_true(grows == (ingle_map_bytes(&map) > bytes));
        ingle_map_close(&map);
        assert_int_equal(ingle_map_bytes(&map), 0);
        ingle_map_close(&map);
    }
    assert_false(ingle_map_open(&(ingle_map){0}, SIZE_MAX));
    assert_false(ingle_map_open(&(ingle_map){0}, SIZE_MAX / 32));
}

/* Keys that differ in length only, in NULs, in the bytes around a word boundary; every length up
 * to 40. */
static void test_map_similar_keys(void **state)
{
    (void)state;
    static const char zeros[40];
    static char ends[40][40];
    key keys[80];
    ingle_map map;
    assert_true(ingle_map_open(&map, 80));
    for (uint32_t len = 0; len < 40; len++) {
        ends[len][len] = 1;
        add(&map, keys, len, zeros, len);
        add(&map, keys, 40 + len, ends[len], (size_t)len + 1);
    }
    for (uint32_t len = 0; len < 40; len++) {
        assert_int_equal(find(&map, keys, zeros, len), len);
        assert_int_equal(find(&map, keys, ends[len], (size_t)len + 1), 40 + len);
    }
    for (size_t n = 0; n < 40; n++) /* every byte counts */
        for (size_t i = 0; i < n; i++) {
            char one[40] = {0};
            one[i] = 1;
            assert_true(ingle_map_hash(&map, zeros, n) != ingle_map_hash(&map, one, n));
        }
    ingle_map_close(&map);
}

/* Nobody who knows one map's hashes knows another's. */
static void test_map_seeds(void **state)
{
    (void)state;
    ingle_map a, b;
    assert_true(ingle_map_open(&a, 1) && ingle_map_open(&b, 1));
    assert_true(ingle_map_hash(&a, "key", 3) != ingle_map_hash(&b, "key", 3));
    assert_true(ingle_map_hash_number(&a, 7) != ingle_map_hash_number(&b, 7));
    ingle_map_close(&a);
    ingle_map_close(&b);
}

/* ---- error text, UTF-8 ---- */

static void test_error_text(void **state)
{
    (void)state;
    ingle_error err;
    assert_int_equal(
        ingle_fail(&err, INGLE_EIO, "%s %d", "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80", 7),
        INGLE_EIO);
    assert_string_equal(err.text, "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80 7");
    ingle_fail(&err, INGLE_EIO, "%s", "a\x1b[31m\n\x7f\xc2\x9b\xff\xc3(\xed\xa0\x80\xc0\x80z");
    assert_string_equal(err.text, "a?[31m????\?\?(\?\?\?\?\?z");
    assert_int_equal(ingle_fail(NULL, INGLE_EFULL, "%d", 1), INGLE_EFULL);

    char text[512];
    memset(text, 'x', sizeof text);
    memcpy(text + 254, "\xc3\xa9", 3); /* the second byte does not fit */
    ingle_fail(&err, INGLE_EIO, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(err.text[253], 'x');
    assert_int_equal(err.text[254], '?');
}

static void test_status_names(void **state)
{
    (void)state;
    assert_string_equal(ingle_status_name(INGLE_OK), "INGLE_OK");
    assert_string_equal(ingle_status_name(INGLE_EUNSUPPORTED), "INGLE_EUNSUPPORTED");
    assert_string_equal(ingle_status_name(INGLE_ECANCELLED), "INGLE_ECANCELLED");
    assert_string_equal(ingle_status_name((ingle_status)-1), "unknown status");
    assert_string_equal(ingle_status_name(INGLE_EDEVICE), "INGLE_EDEVICE");
    assert_string_equal(ingle_status_name(INGLE_EQUEUE), "INGLE_EQUEUE");
    assert_string_equal(ingle_status_name((ingle_status)15), "unknown status");
    assert_string_equal(ingle_version(), INGLE_VERSION);
}

/* Every code point written out by hand must be accepted, with no byte less, and nothing else at two
 * bytes. */
static void test_utf8(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        unsigned char s[4];
        size_t n;
        if (c < 0x80) {
            n = 1, s[0] = (unsigned char)c;
        } else if (c < 0x800) {
            n = 2, s[0] = (unsigned char)(0xc0 | c >> 6), s[1] = 0x80 | (c & 63);
        } else if (c < 0x10000) {
            n = 3, s[0] = (unsigned char)(0xe0 | c >> 12), s[1] = 0x80 | (c >> 6 & 63),
            s[2] = 0x80 | (c & 63);
        } else {
            n = 4, s[0] = (unsigned char)(0xf0 | c >> 18), s[1] = 0x80 | (c >> 12 & 63);
            s[2] = 0x80 | (c >> 6 & 63), s[3] = 0x80 | (c & 63);
        }
        size_t want = c >= 0xd800 && c < 0xe000 ? 0 : n;
        if (ingle_utf8_len((char *)s, n) != want) fail_msg("U+%04X", c);
        if (ingle_utf8_len((char *)s, n - 1) != 0) fail_msg("U+%04X cut", c);
        if (want && ingle_utf8_code((char *)s, n) != c) fail_msg("U+%04X is another", c);
    }
    size_t n_pairs = 0;
    for (int a = 0x80; a < 0x100; a++)
        for (int b = 0; b < 0x100; b++)
            n_pairs += ingle_utf8_len((char[]){(char)a, (char)b}, 2) == 2;
    assert_int_equal(n_pairs, 0x800 - 0x80);
    assert_int_equal(ingle_utf8_len("\xe0\x80\x80", 3), 0); /* overlong */
    assert_int_equal(ingle_utf8_len("\xf0\x80\x80\x80", 4), 0);
    assert_int_equal(ingle_utf8_len("\xf4\x90\x80\x80", 4), 0); /* above U+10FFFF */
    assert_int_equal(ingle_utf8_len("\xf5\x80\x80\x80", 4), 0);
    assert_int_equal(ingle_utf8_len("\xe4\xb8(", 3), 0);
}

/* ---- what the system tells ---- */

static uint64_t available(const char *meminfo, bool with_swap)
{
    char root[] = "/tmp/ingle-test-mem-XXXXXX", folder[64], path[80];
    assert_non_null(mkdtemp(root));
    snprintf(folder, sizeof folder, "%s/proc", root);
    snprintf(path, sizeof path, "%s/meminfo", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(meminfo, f);
    fclose(f);
    uint64_t bytes = ingle_memory_available(root, with_swap);
    unlink(path);
    rmdir(folder);
    rmdir(root);
    return bytes;
}

static void test_available(void **state)
{
    (void)state;
    const char *text = "MemTotal:       9000 kB\nMemFree:         100 kB\nMemAvailable:   5000 kB\n"
                       "SwapTotal:      900 kB\nSwapFree:        70 kB\n";
    assert_true(available(text, false) == 5000 * 1024);
    assert_true(available(text, true) == 5070 * 1024);
    assert_true(available("MemAvailable: 8 kB\n", true) == 8 * 1024);
    const char *silent[] = {"", "MemFree: 7 kB\n", "MemAvailable:\n", "MemAvailable: much\n"};
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        assert_true(available(silent[i], true) == UINT64_MAX);
    const char *absurd = "MemAvailable: 999999999999999999 kB\nSwapFree: 999999999999999999 kB\n";
    assert_true(available(absurd, true) > (uint64_t)1 << 62);
    assert_true(ingle_memory_available("/nonexistent/ingle", true) == UINT64_MAX);
    assert_true(ingle_memory_available("", false) > 1 << 20);
}

static void test_touch(void **state)
{
    (void)state;
    const size_t bytes = 3 * INGLE_PAGE_BYTES + 1;
    assert_int_equal(ingle_pages_bytes(bytes), 4 * INGLE_PAGE_BYTES);
    assert_int_equal(ingle_pages_bytes(1), INGLE_PAGE_BYTES);
    assert_int_equal(ingle_pages_bytes(INGLE_PAGE_BYTES), INGLE_PAGE_BYTES);
    char *p = ingle_pages_new(bytes);
    unsigned char in[4];
    assert_non_null(p);
    ingle_pages_touch(p, bytes);
    assert_int_equal(mincore(p, 4 * INGLE_PAGE_BYTES, in), 0);
    for (size_t i = 0; i < 4; i++) assert_true(in[i] & 1);
    for (size_t i = 0; i < bytes; i++) assert_int_equal(p[i], 0);
    ingle_pages_free(p, bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_touch),
        cmocka_unit_test(test_available),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_map_similar_keys),
        cmocka_unit_test(test_map_seeds),
        cmocka_unit_test(test_error_text),
        cmocka_unit_test(test_status_names),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
