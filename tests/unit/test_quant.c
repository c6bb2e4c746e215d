/* test_quant.c - the type table, 16-bit floats, decode of every type, packing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "blocks.h"

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* ---- the table ---- */

/* The names of a list, each between spaces; "Q2_K-Q6_K" stands for five. */
static void spell_out(const char *from, char *to)
{
    for (size_t n; *from; from += n + (from[n] == ' ')) {
        n = strcspn(from, " ");
        const char *dash = memchr(from, '-', n);
        size_t digit = strcspn(from, "0123456789"), len = dash ? (size_t)(dash - from) : n;
        const char last = dash ? dash[1 + digit] : from[digit];
        for (char d = from[digit]; d <= last; d++) {
            *to++ = ' ';
            memcpy(to, from, len);
            to[digit] = d;
            to += len;
        }
    }
    *to++ = ' ';
    *to = 0;
}

static void test_table(void **state)
{
    (void)state;
    size_t n_types = 0, n_names = 0;
    char list[512], word[32];
    spell_out(ingle_type_supported_list(), list);
    for (const char *p = list; *p; p++) n_names += *p == ' ' && p[1];
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type)) {
        const ingle_type_info *t = ingle_type_get(type);
        n_types++;
        assert_string_equal(t->name, ingle_type_known_name(type));
        assert_string_equal(t->name, ingle_type_name((ingle_type)type));
        snprintf(word, sizeof word, " %s ", t->name);
        assert_non_null(strstr(list, word));
        assert_int_equal(t->plain == NULL, t->act == INGLE_ACT_F32);

        size_t at = 0; /* fields follow one another and fill the block */
        for (int i = 0; i < INGLE_MAX_FIELDS && t->fields[i].n; i++) {
            assert_int_equal(t->fields[i].offset, at);
            at += (size_t)t->fields[i].n * t->fields[i].unit;
        }
        assert_int_equal(at, t->block_bytes);
        if (t->act == INGLE_ACT_F32) assert_true(t->block_elems == 1 && !t->sub);
        else assert_true(t->sub == 16 || t->sub == 32);
        if (t->act == INGLE_ACT_Q256) assert_int_equal(t->block_elems, 256);
        if (t->act == INGLE_ACT_Q32) assert_true(!(t->block_elems % 32) && t->block_elems <= 128);
        assert_int_equal(t->zero & (t->zero - 1), 0);
    }
    assert_int_equal(n_types, 35);
    assert_int_equal(n_names, n_types);
    assert_string_equal(ingle_type_known_name(9), "Q8_1");
    assert_string_equal(ingle_type_known_name(15), "Q8_K");
    assert_string_equal(ingle_type_known_name(31), "Q4_0_4_4");
    assert_string_equal(ingle_type_known_name(42), "Q2_0");
    assert_null(ingle_type_known_name(43));
    assert_null(ingle_type_known_name(133));
    assert_string_equal(ingle_type_known_name(134), "IQ1_BN");
    assert_string_equal(ingle_type_known_name(144), "IQ4_KS");
    assert_string_equal(ingle_type_known_name(152), "IQ5_KS");
    assert_string_equal(ingle_type_known_name(158), "IQ1_KT");
    assert_null(ingle_type_known_name(159));
    assert_null(ingle_type_known_name(UINT32_MAX));
    assert_null(ingle_type_get(9));
    assert_null(ingle_type_get(INGLE_TYPE_COUNT));
    assert_null(ingle_type_get(UINT32_MAX));
    assert_null(ingle_type_name((ingle_type)9));
}

/* The kernels' unsigned weights: w + zero lies in 0 .. 255 and within the type's bits. */
static void test_zero_points(void **state)
{
    (void)state;
    uint64_t seed = 7;
    uint8_t block[256];
    ingle_plain p;
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type)) {
        const ingle_type_info *t = ingle_type_get(type);
        if (!t->plain) continue;
        int least = 1000, most = -1000;
        for (int n = 0; n < 200; n++) {
            random_blocks(type, block, 1, &seed);
            t->plain(block, &p);
            for (int k = 0; k < t->block_elems; k++) {
                least = p.w[k] < least ? p.w[k] : least;
                most = p.w[k] > most ? p.w[k] : most;
            }
        }
        assert_true(least + t->zero >= 0 && most + t->zero <= 255);
        if (t->has_min) assert_int_equal(least, 0);
        if (type == INGLE_TYPE_MXFP4 || type == INGLE_TYPE_NVFP4) continue;
        if (t->zero && t->zero < 128) assert_int_equal(least, -t->zero);
    }
}

/* ---- 16-bit floats ---- */

static void test_f16_to_f32(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint8_t bytes[2];
        put_u16(bytes, h);
        float f = ingle_f16_to_f32((uint16_t)h);
        double want = half_at(bytes);
        if (isnan(want)) {
            assert_true(isnan(f));
            assert_int_equal(bits_of(f), (h & 0x8000) << 16 | 0x7fc00000 | (h & 0x3ff) << 13);
            assert_int_equal(ingle_f32_to_f16(f), h | 0x200);
        } else {
            assert_true((double)f == want && !signbit(f) == !(h >> 15));
            assert_int_equal(ingle_f32_to_f16(f), h);
        }
    }
}

/* Between each pair of neighbours: the middle goes to the even one, a hair off it to the nearer. */
static void check_rounding(uint16_t (*narrow)(float), float (*widen)(uint16_t), uint16_t last)
{
    for (uint16_t h = 0; h < last; h++) {
        float a = widen(h), b = widen((uint16_t)(h + 1));
        float middle = (float)(((double)a + (double)b) / 2);
        assert_true((double)middle == ((double)a + (double)b) / 2);
        assert_int_equal(narrow(middle), h & 1 ? h + 1 : h);
        assert_int_equal(narrow(nextafterf(middle, 0)), h);
        assert_int_equal(narrow(nextafterf(middle, INFINITY)), h + 1);
        assert_int_equal(narrow(-middle), (h & 1 ? h + 1 : h) | 0x8000);
        assert_int_equal(narrow(nextafterf(a, b)), h);
        assert_int_equal(narrow(nextafterf(b, a)), h + 1);
    }
}

static float widen_bf16(uint16_t h)
{
    return ingle_bf16_to_f32(h);
}

static void test_f16_rounding(void **state)
{
    (void)state;
    check_rounding(ingle_f32_to_f16, ingle_f16_to_f32, 0x7bff);
    assert_int_equal(ingle_f32_to_f16(nextafterf(65520, 0)), 0x7bff);
    assert_int_equal(ingle_f32_to_f16(65520), 0x7c00);
    assert_int_equal(ingle_f32_to_f16(INFINITY), 0x7c00);
    assert_int_equal(ingle_f32_to_f16(-3e38f), 0xfc00);
    assert_int_equal(ingle_f32_to_f16(0x1p-25f), 0);
    assert_int_equal(ingle_f32_to_f16(-1e-45f), 0x8000);
    assert_int_equal(ingle_f32_to_f16(float_of(0x7f800001)), 0x7e00); /* payload below the cut */
    assert_int_equal(ingle_f32_to_f16(float_of(0xffc02000)), 0xfe01);
}

static void test_bf16(void **state)
{
    (void)state;
    check_rounding(ingle_f32_to_bf16, widen_bf16, 0x7f7f);
    for (uint32_t h = 0; h < 65536; h++) {
        uint16_t nan = (h & 0x7fff) > 0x7f80 ? 64 : 0;
        assert_int_equal(bits_of(ingle_bf16_to_f32((uint16_t)h)), h << 16);
        assert_int_equal(ingle_f32_to_bf16(float_of(h << 16)), h | nan);
    }
    assert_int_equal(ingle_f32_to_bf16(float_of(0x7f800001)), 0x7fc0);
    assert_int_equal(ingle_f32_to_bf16(3.4028235e38f), 0x7f80);
}

static void test_e8m0(void **state)
{
    (void)state;
    for (int e = 0; e < 256; e++)
        assert_true((double)ingle_e8m0_half((uint8_t)e) == ldexp(1, e - 128));
}

/* As the format defines it; the two with all bits of exponent and mantissa are not alike there. */
static void test_e4m3(void **state)
{
    (void)state;
    for (int e = 0; e < 256; e++) {
        double want = e >> 3 & 15 ? ldexp(1 + (e & 7) / 8.0, (e >> 3 & 15) - 7) : ldexp(e & 7, -9);
        assert_true((double)ingle_e4m3_half((uint8_t)e) == (e == 0x7f ? 0 : want / 2));
    }
}

/* ---- codebooks ---- */

static void check_book(const char *name, const uint32_t *book, size_t n, bool bytes, uint32_t sum)
{
    uint32_t last = 0, hash = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t code = 0; /* the first weight is the lowest digit */
        for (unsigned k = bytes ? 4 : 8; k--;)
            code = bytes ? code << 8 | (book[i] >> 8 * k & 255) : code << 2 | digit_of(book[i], k);
        if (i && code <= last) fail_msg("%s: entry %zu does not ascend", name, i);
        for (unsigned k = 0; !bytes && k < 8; k++) assert_true(digit_of(book[i], k) < 3);
        last = code;
        hash = hash * 31 + code;
    }
    if (hash != sum) fail_msg("%s: hash %#x, want %#x", name, hash, sum);
}

/* The sums are of the values as published, computed apart from this code. */
static void test_books(void **state)
{
    (void)state;
    check_book("iq2xxs", ingle_grid_iq2xxs, 256, false, 0xd4b6b4ff);
    check_book("iq2xs", ingle_grid_iq2xs, 512, false, 0x176bd4af);
    check_book("iq2s", ingle_grid_iq2s, 1024, false, 0x67967065);
    check_book("iq1s", ingle_grid_iq1s, 2048, false, 0x37185592);
    check_book("iq3xxs", ingle_grid_iq3xxs, 256, true, 0xeeeadeb6);
    check_book("iq3s", ingle_grid_iq3s, 512, true, 0x87034186);
}

/* Entry i's index k of a book by bytes, `bits` a weight. */
static unsigned index_in(const uint8_t *first, const uint8_t *second, size_t i, unsigned k,
                         unsigned bits)
{
    unsigned half = bits == 2 ? 4 : 2;
    return (k < half ? first[i] : second[i]) >> bits * (k % half) & (bits == 2 ? 3 : 7);
}

static void check_bytes(const char *name, const uint32_t *book, const uint8_t *first,
                        const uint8_t *second, size_t n, bool bytes)
{
    for (size_t i = 0; i < n; i++)
        for (unsigned k = 0; k < (bytes ? 4 : 8); k++) {
            unsigned index = index_in(first, second, i, k, bytes ? 4 : 2),
                     want = bytes ? book[i] >> 8 * k & 255 : digit_of(book[i], k);
            if (bytes && n == 256) index = 8 * index + (index == 7 ? 6 : 4);
            else if (bytes) index = 2 * index + 1;
            if (index != want) fail_msg("%s: entry %zu, weight %u", name, i, k);
        }
}

static void test_books_by_bytes(void **state)
{
    (void)state;
    uint8_t high[2048];
    for (size_t i = 0; i < 2048; i++)
        high[i] = ingle_book_iq1s_high[i % 16 > ingle_book_iq1s_high[0][i / 16] ? 2 : 1][i / 16];
    check_bytes("iq1s", ingle_grid_iq1s, ingle_book_iq1s, high, 2048, false);
    check_bytes("iq2xxs", ingle_grid_iq2xxs, ingle_book_iq2xxs[0], ingle_book_iq2xxs[1], 256,
                false);
    check_bytes("iq2xs", ingle_grid_iq2xs, ingle_book_iq2xs[0], ingle_book_iq2xs[1], 512, false);
    check_bytes("iq2s", ingle_grid_iq2s, ingle_book_iq2s[0], ingle_book_iq2s[1], 1024, false);
    check_bytes("iq3xxs", ingle_grid_iq3xxs, ingle_book_iq3xxs[0], ingle_book_iq3xxs[1], 256, true);
    check_bytes("iq3s", ingle_grid_iq3s, ingle_book_iq3s[0], ingle_book_iq3s[1], 512, true);
}

/* ---- decode ---- */

/* Against the second reading: each weight is off by the roundings of its three operations at most.
 */
static void test_decode(void **state)
{
    (void)state;
    uint64_t seed = 11;
    uint8_t raw[4 + 40 * 212];
    static float got[40 * 256];
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type)) {
        const ingle_type_info *t = ingle_type_get(type);
        uint8_t *blocks = raw + t->row_head;
        double head = (random_rows(type, raw, 1, 40, &seed), head_at(t, raw));
        set_scales(type, blocks, 0);                       /* zero */
        set_scales(type, blocks + t->block_bytes, 0x8001); /* least subnormal */
        set_scales(type, blocks + 2 * (size_t)t->block_bytes, 0x7bff);
        t->decode(raw, got, 40);
        for (size_t i = 0; i < (size_t)40 * t->block_elems; i++) {
            value v = value_at(type, blocks + i / t->block_elems * t->block_bytes,
                               (unsigned)(i % t->block_elems));
            v.scaled *= head;
            double want = v.scaled + v.offset;
            double bound = 0x1.01p-24 * (2 * fabs(v.scaled) + fabs(v.offset) + fabs(want));
            if (!v.offset && (double)(float)v.scaled == v.scaled) bound = 0;
            if (fabs((double)got[i] - want) > bound)
                fail_msg("%s weight %zu: %.9g, want %.9g", t->name, i, (double)got[i], want);
        }
    }
}

/* Misaligned blocks, and NaN and infinite scales: floats of some value, no undefined behaviour. */
static void test_decode_hostile(void **state)
{
    (void)state;
    static const uint16_t scales[] = {0x7c00, 0xfc00, 0x7e00, 0x7c01, 0xffff};
    uint8_t raw[257];
    float got[256];
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type))
        for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
            for (int fill = 0; fill < 256; fill += 51) {
                const ingle_type_info *t = ingle_type_get(type);
                memset(raw, fill, sizeof raw);
                set_head(t, raw + 1, scales[i]);
                set_scales(type, raw + 1 + t->row_head, scales[i]);
                t->decode(raw + 1, got, 1);
                if (type != INGLE_TYPE_MXFP4 && type != INGLE_TYPE_NVFP4 && i >= 2)
                    for (int k = 0; k < t->block_elems; k++) assert_true(isnan(got[k]));
            }
}

static void *read_file(const char *folder, const char *name, const char *suffix, size_t *size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/golden/quants/%s.raw.%s", folder, name, suffix);
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    size_t cap = 1 << 20;
    void *bytes = malloc(cap);
    assert_non_null(bytes);
    *size = fread(bytes, 1, cap, f);
    fclose(f);
    assert_true(*size < cap);
    return bytes;
}

static void test_decode_golden(void **state)
{
    (void)state;
    const char *folder = getenv("INGLE_DATA");
    if (!folder) {
        print_message("skipped: no corpus\n");
        skip();
    }
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type)) {
        if (type == INGLE_TYPE_F32) continue;   /* bytes are the values */
        if (type == INGLE_TYPE_Q2_0) continue;  /* younger than the corpus */
        if (type >= INGLE_TYPE_IQ2_K) continue; /* another project's */
        const ingle_type_info *t = ingle_type_get(type);
        size_t n_raw, n_want;
        uint8_t *raw = read_file(folder, t->name, "bin", &n_raw);
        float *want = read_file(folder, t->name, "f32", &n_want);
        if (!raw || !want) fail_msg("no golden values for %s", t->name);
        assert_int_equal(n_raw % t->block_bytes, 0);
        assert_int_equal(n_raw / t->block_bytes * t->block_elems * 4, n_want);
        float *got = malloc(n_want);
        assert_non_null(got);
        t->decode(raw, got, n_raw / t->block_bytes);
        if (memcmp(got, want, n_want)) fail_msg("%s: decoded floats differ", t->name);
        free(raw);
        free(want);
        free(got);
    }
}

/* ---- packing ---- */

static void pack_all(ingle_packed *p, const uint8_t *rows, size_t row_bytes, uint8_t *dst)
{
    for (size_t i = 0; i < p->n_panels; i++) {
        size_t left = p->n_rows - 16 * i;
        ingle_pack_panel(p, rows + 16 * i * row_bytes, left < 16 ? left : 16,
                         dst + i * p->panel_bytes);
    }
    p->data = dst;
}

/* Every byte of a row lies where quant.h says; everything else in the panels is zero. */
static void check_layout(const ingle_packed *p, const uint8_t *rows, size_t row_bytes)
{
    const ingle_type_info *t = ingle_type_get((unsigned)p->type);
    size_t total = ingle_packed_bytes(p);
    uint8_t *want = calloc(1, total);
    assert_non_null(want);
    for (size_t row = 0; row < p->n_rows; row++)
        memcpy(want + row / 16 * p->panel_bytes + row % 16 * t->row_head, rows + row * row_bytes,
               t->row_head);
    for (size_t row = 0; row < p->n_rows; row++)
        for (size_t b = 0; b < p->n_blocks; b++)
            for (int i = 0; i < INGLE_MAX_FIELDS && t->fields[i].n; i++)
                for (size_t byte = 0; byte < (size_t)t->fields[i].n * t->fields[i].unit; byte++) {
                    size_t unit = t->fields[i].unit, n = t->fields[i].n;
                    size_t at = ((b * n + byte / unit) * 16 + row % 16) * unit + byte % unit;
                    want[row / 16 * p->panel_bytes + p->section[i] + at] =
                        rows[row * row_bytes + t->row_head + b * t->block_bytes +
                             t->fields[i].offset + byte];
                }
    assert_memory_equal(p->data, want, total);
    free(want);
}

static void check_rows(const ingle_packed *p, const uint8_t *rows, size_t row_bytes)
{
    const ingle_type_info *t = ingle_type_get((unsigned)p->type);
    uint8_t *row = malloc(row_bytes);
    float *want = malloc(p->n_cols * 4), *got = malloc(p->n_cols * 4);
    assert_true(row && want && got);
    for (size_t i = 0; i < p->n_rows; i++) {
        const uint8_t *src = rows + i * row_bytes;
        ingle_unpack_row(p, i, row);
        assert_memory_equal(row, src, row_bytes);
        ingle_unpack_blocks(p, i, p->n_blocks - 1, 1, row);
        assert_memory_equal(row, src + row_bytes - t->block_bytes, t->block_bytes);
        t->decode(src, want, p->n_blocks);
        ingle_decode_row(p, i, got);
        assert_memory_equal(got, want, p->n_cols * 4);
    }
    free(row);
    free(want);
    free(got);
}

static void check_packing(unsigned type, size_t n_rows, size_t n_blocks, uint64_t *seed)
{
    const ingle_type_info *t = ingle_type_get(type);
    size_t row_bytes = t->row_head + n_blocks * t->block_bytes;
    ingle_packed p;
    assert_true(ingle_packed_init(&p, (ingle_type)type, n_rows, n_blocks * t->block_elems));
    assert_null(p.data);
    assert_int_equal(p.n_blocks, n_blocks);
    assert_int_equal(p.n_panels, (n_rows + 15) / 16);
    assert_int_equal(p.panel_bytes % 64, 0);
    assert_in_range(p.panel_bytes, 16 * row_bytes, 16 * row_bytes + 63 * INGLE_MAX_FIELDS);
    for (int i = 0; i < INGLE_MAX_FIELDS; i++) assert_int_equal(p.section[i] % 64, 0);

    size_t total = ingle_packed_bytes(&p);
    assert_int_equal(total, p.n_panels * p.panel_bytes);
    uint8_t *rows = malloc(n_rows * row_bytes + 1), *dst = aligned_alloc(64, total + 64);
    assert_true(rows && dst);
    random_rows(type, rows + 1, n_rows, n_blocks, seed); /* a file's are aligned to nothing */
    memset(dst, 0xa5, total + 64);
    pack_all(&p, rows + 1, row_bytes, dst);
    check_layout(&p, rows + 1, row_bytes);
    check_rows(&p, rows + 1, row_bytes);
    for (size_t i = 0; i < 64; i++) assert_int_equal(dst[total + i], 0xa5);
    free(rows);
    free(dst);
}

static void test_packing(void **state)
{
    (void)state;
    static const size_t rows[] = {1, 15, 16, 17, 33}, blocks[] = {1, 2, 3, 5, 67};
    uint64_t seed = 3;
    for (unsigned type = next_type(-1); type < INGLE_TYPE_COUNT; type = next_type((int)type))
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
                check_packing(type, rows[r], blocks[b], &seed);
}

static void test_packed_init(void **state)
{
    (void)state;
    ingle_packed p;
    assert_false(ingle_packed_init(&p, INGLE_TYPE_Q4_K, 16, 255));
    assert_false(ingle_packed_init(&p, INGLE_TYPE_Q4_K, 16, 128));
    assert_false(ingle_packed_init(&p, INGLE_TYPE_Q8_0, 16, 33));
    assert_false(ingle_packed_init(&p, (ingle_type)9, 16, 256));
    assert_false(ingle_packed_init(&p, INGLE_TYPE_COUNT, 16, 256));
    assert_false(ingle_packed_init(&p, INGLE_TYPE_F32, SIZE_MAX, 256));
    assert_false(ingle_packed_init(&p, INGLE_TYPE_F32, 1, SIZE_MAX));
    assert_false(ingle_packed_init(&p, INGLE_TYPE_F16, 1, SIZE_MAX / 32));
    assert_false(ingle_packed_init(&p, INGLE_TYPE_F16, 17, SIZE_MAX / 32 - 31));
    assert_false(ingle_packed_init(&p, INGLE_TYPE_Q6_K, SIZE_MAX, 256));
    assert_true(ingle_packed_init(&p, INGLE_TYPE_Q6_K, 0, 256));
    assert_int_equal(ingle_packed_bytes(&p), 0);
    assert_true(ingle_packed_init(&p, INGLE_TYPE_Q6_K, 5, 0));
    assert_int_equal(ingle_packed_bytes(&p), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),          cmocka_unit_test(test_zero_points),
        cmocka_unit_test(test_e4m3),           cmocka_unit_test(test_books),
        cmocka_unit_test(test_books_by_bytes), cmocka_unit_test(test_f16_to_f32),
        cmocka_unit_test(test_f16_rounding),   cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_e8m0),           cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_hostile), cmocka_unit_test(test_decode_golden),
        cmocka_unit_test(test_packing),        cmocka_unit_test(test_packed_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
