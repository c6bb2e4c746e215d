/* Files that are wrong on purpose: each must be refused with a status whose text names the key or
 * tensor, in memory bounded by the file's size; and allocations that fail one after the other must
 * leave nothing behind. */
#define _GNU_SOURCE
#include "gguf_build.h"
#include "wrap_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <cmocka.h>

/* ---- the bad files ---- */

static const uint64_t vec8[] = {8}, vec32[] = {32};

/* A sound file but for what the case adds: n_kv keys and n_tensors tensors are written by the
 * caller. */
static void begin(gguf_bytes *b, uint64_t n_tensors, uint64_t n_kv)
{
    gb_header(b, 3, n_tensors, n_kv);
}

static void end(gguf_bytes *b, size_t n)
{
    gb_pad(b, 32);
    gb_data(b, n);
}

/* -- header -- */
static void empty_file(gguf_bytes *b)
{
    b->n = 0;
}
static void other_magic(gguf_bytes *b)
{
    gb_raw(b, "ggjt\3\0\0\0................", 24);
}
static void three_bytes(gguf_bytes *b)
{
    gb_raw(b, "GGU", 3);
}
static void version_0(gguf_bytes *b)
{
    gb_header(b, 0, 0, 0);
}
static void version_1(gguf_bytes *b)
{
    gb_header(b, 1, 0, 0);
}
static void version_4(gguf_bytes *b)
{
    gb_header(b, 4, 0, 0);
}
static void big_endian(gguf_bytes *b)
{
    gb_header(b, 3u << 24, 0, 0);
}
static void many_keys(gguf_bytes *b)
{
    begin(b, 0, UINT64_MAX);
}
static void some_more_keys(gguf_bytes *b)
{
    begin(b, 0, 3);
    gb_kv_int(b, "k", INGLE_GGUF_U8, 1, 1); /* 14 bytes */
    gb_kv_int(b, "l", INGLE_GGUF_U8, 1, 1);
}
static void many_tensors(gguf_bytes *b)
{
    begin(b, (uint64_t)1 << 61, 0);
}
static void
wrapping_tensors(gguf_bytes *b) /* times the size of an entry wraps to something small */
{
    begin(b, UINT64_MAX / sizeof(ingle_gguf_tensor) + 2, 0);
    end(b, 4096);
}

/* -- keys -- */
static void key_of_2_63(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_u64(b, (uint64_t)1 << 63);
    gb_data(b, 64);
}
static void key_empty(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_kv_u32(b, "", 1);
    gb_data(b, 64);
}
static void key_too_long(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_u64(b, 65536);
    gb_data(b, 20000);
}
static void key_with_nul(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_u64(b, 5);
    gb_raw(b, "ab\0cd", 5);
    gb_u32(b, INGLE_GGUF_U32);
    gb_u32(b, 1);
}
static void key_with_newline(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_kv_u32(b, "evil\nkey", 1);
}
static void key_type_13(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_kv_int(b, "my.key", 13, 1, 4);
}
static void key_type_huge(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_kv_int(b, "my.key", UINT32_MAX, 1, 4);
}
static void key_twice(gguf_bytes *b)
{
    begin(b, 0, 3);
    gb_kv_u32(b, "my.key", 1);
    gb_kv_u32(b, "other", 1);
    gb_kv_str(b, "my.key", "x");
}
static void bool_of_2(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_kv_int(b, "my.key", INGLE_GGUF_BOOL, 2, 1);
}
static void bools_of_255(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_array(b, "my.key", INGLE_GGUF_BOOL, 3);
    gb_raw(b, "\0\1\377", 3);
}
static void string_of_2_63(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_key(b, "my.key", INGLE_GGUF_STRING);
    gb_u64(b, (uint64_t)1 << 63);
    gb_data(b, 100);
}
static void string_wraps(gguf_bytes *b) /* position + length is 0 in 64 bits */
{
    begin(b, 0, 1);
    gb_key(b, "my.key", INGLE_GGUF_STRING);
    gb_u64(b, (uint64_t)0 - (b->n + 8));
    gb_data(b, 100);
}
static void string_of_1_gib(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_key(b, "my.key", INGLE_GGUF_STRING);
    gb_u64(b, (uint64_t)1 << 30);
    gb_data(b, 100);
}
static void array_of_2_61(gguf_bytes *b) /* times 8 wraps to 0 */
{
    begin(b, 0, 1);
    gb_array(b, "my.key", INGLE_GGUF_U64, (uint64_t)1 << 61);
    gb_data(b, 100);
}
static void array_of_max(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_array(b, "my.key", INGLE_GGUF_U8, UINT64_MAX);
    gb_data(b, 100);
}
static void strings_of_2_61(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_array(b, "my.key", INGLE_GGUF_STRING, (uint64_t)1 << 61);
    gb_data(b, 100);
}
static void strings_too_many(gguf_bytes *b) /* fits by count, not by content */
{
    begin(b, 0, 1);
    gb_array(b, "my.key", INGLE_GGUF_STRING, 12);
    gb_str(b, "one");
    gb_u64(b, 1000);
    gb_data(b, 100);
}
static void array_in_array(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_array(b, "my.key", INGLE_GGUF_ARRAY, 1);
    gb_u32(b, INGLE_GGUF_U32);
    gb_u64(b, 1);
    gb_u32(b, 1);
}
static void array_type_99(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_array(b, "my.key", 99, 1);
    gb_data(b, 100);
}

/* -- alignment -- */
static void with_alignment(gguf_bytes *b, uint32_t type, uint64_t v, size_t size)
{
    begin(b, 1, 1);
    gb_kv_int(b, "general.alignment", type, v, size);
    gb_tensor(b, "t", 1, vec8, INGLE_TYPE_F32, 0);
    end(b, 64);
}
static void alignment_0(gguf_bytes *b)
{
    with_alignment(b, INGLE_GGUF_U32, 0, 4);
}
static void alignment_3(gguf_bytes *b)
{
    with_alignment(b, INGLE_GGUF_U32, 3, 4);
}
static void alignment_2_31(gguf_bytes *b)
{
    with_alignment(b, INGLE_GGUF_U32, (uint64_t)1 << 31, 4);
}
static void alignment_2_21(gguf_bytes *b)
{
    with_alignment(b, INGLE_GGUF_U32, (uint64_t)1 << 21, 4);
}
static void alignment_2_63(gguf_bytes *b)
{
    with_alignment(b, INGLE_GGUF_U64, (uint64_t)1 << 63, 8);
}
static void alignment_negative(gguf_bytes *b)
{
    with_alignment(b, INGLE_GGUF_I32, (uint64_t)-32, 4);
}
static void alignment_float(gguf_bytes *b)
{
    with_alignment(b, INGLE_GGUF_F32, 0x42000000, 4);
}
static void alignment_bool(gguf_bytes *b)
{
    with_alignment(b, INGLE_GGUF_BOOL, 1, 1);
}
static void alignment_string(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_kv_str(b, "general.alignment", "32");
}
static void alignment_array(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_array(b, "general.alignment", INGLE_GGUF_U32, 1);
    gb_u32(b, 32);
}
static void alignment_array_empty(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_array(b, "general.alignment", INGLE_GGUF_U32, 0);
}

/* -- tensors -- */
static void one_tensor(gguf_bytes *b, const char *name, uint32_t n_dims, const uint64_t *dims,
                       uint32_t type, uint64_t offset)
{
    begin(b, 1, 0);
    gb_tensor(b, name, n_dims, dims, type, offset);
    end(b, 1024);
}
static void tensor_unnamed(gguf_bytes *b)
{
    one_tensor(b, "", 1, vec8, INGLE_TYPE_F32, 0);
}
static void tensor_control_name(gguf_bytes *b)
{
    one_tensor(b, "w\x1b[2J", 1, vec8, INGLE_TYPE_F32, 0);
}
static void tensor_0_dims(gguf_bytes *b)
{
    one_tensor(b, "my.w", 0, vec8, INGLE_TYPE_F32, 0);
}
static void tensor_5_dims(gguf_bytes *b)
{
    one_tensor(b, "my.w", 5, (uint64_t[]){1, 1, 1, 1, 1}, INGLE_TYPE_F32, 0);
}
static void tensor_2_31_dims(gguf_bytes *b)
{
    begin(b, 1, 0);
    gb_str(b, "my.w");
    gb_u32(b, 1u << 31);
    end(b, 1024);
}
static void tensor_dim_0(gguf_bytes *b)
{
    one_tensor(b, "my.w", 2, (uint64_t[]){8, 0}, INGLE_TYPE_F32, 0);
}
static void tensor_dim_2_63(gguf_bytes *b)
{
    one_tensor(b, "my.w", 1, (uint64_t[]){(uint64_t)1 << 63}, INGLE_TYPE_F32, 0);
}
static void tensor_dims_wrap(gguf_bytes *b) /* the product is 0 in 64 bits */
{
    one_tensor(b, "my.w", 2, (uint64_t[]){(uint64_t)1 << 32, (uint64_t)1 << 32}, INGLE_TYPE_F32, 0);
}
static void tensor_dims_wrap_small(gguf_bytes *b) /* ... and 256 */
{
    one_tensor(b, "my.w", 3, (uint64_t[]){256, ((uint64_t)1 << 56) + 1, 1}, INGLE_TYPE_F32, 0);
}
static void tensor_bytes_wrap(gguf_bytes *b) /* 2^62 elements of 4 bytes: 0 in 64 bits */
{
    one_tensor(b, "my.w", 2, (uint64_t[]){(uint64_t)1 << 31, (uint64_t)1 << 31}, INGLE_TYPE_F32, 0);
}
static void tensor_block_split(gguf_bytes *b)
{
    one_tensor(b, "my.w", 2, (uint64_t[]){48, 2}, INGLE_TYPE_Q4_0, 0);
}
static void tensor_type_q8_1(gguf_bytes *b)
{
    one_tensor(b, "my.w", 1, (uint64_t[]){256}, 9, 0);
}
static void tensor_type_4(gguf_bytes *b)
{
    one_tensor(b, "my.w", 1, vec32, 4, 0);
}
static void tensor_type_999(gguf_bytes *b)
{
    one_tensor(b, "my.w", 1, vec32, 999, 0);
}
static void tensor_type_max(gguf_bytes *b)
{
    one_tensor(b, "my.w", 1, vec32, UINT32_MAX, 0);
}
static void tensor_off_grid(gguf_bytes *b)
{
    one_tensor(b, "my.w", 1, vec8, INGLE_TYPE_F32, 16);
}
static void tensor_past_end(gguf_bytes *b)
{
    one_tensor(b, "my.w", 1, vec8, INGLE_TYPE_F32, 1024);
}
static void tensor_partly_past(gguf_bytes *b)
{
    one_tensor(b, "my.w", 1, (uint64_t[]){257}, INGLE_TYPE_F32, 0);
}
static void tensor_offset_wraps(gguf_bytes *b)
{
    one_tensor(b, "my.w", 1, vec8, INGLE_TYPE_F32, (uint64_t)0 - 32);
}
static void tensor_end_wraps(gguf_bytes *b)
{
    one_tensor(b, "my.w", 1, (uint64_t[]){(uint64_t)1 << 61}, INGLE_TYPE_F32, (uint64_t)1 << 63);
}
static void two_tensors(gguf_bytes *b, const char *name, uint64_t offset)
{
    begin(b, 2, 0);
    gb_tensor(b, "first", 1, (uint64_t[]){32}, INGLE_TYPE_F32, 0);
    gb_tensor(b, name, 1, vec8, INGLE_TYPE_F32, offset);
    end(b, 1024);
}
static void tensors_same_place(gguf_bytes *b)
{
    two_tensors(b, "my.w", 0);
}
static void tensors_overlap(gguf_bytes *b)
{
    two_tensors(b, "my.w", 96);
}
static void tensors_overlap_backwards(gguf_bytes *b)
{
    begin(b, 2, 0);
    gb_tensor(b, "first", 1, vec8, INGLE_TYPE_F32, 64);
    gb_tensor(b, "my.w", 1, (uint64_t[]){24}, INGLE_TYPE_F32, 0);
    end(b, 1024);
}
static void tensor_twice(gguf_bytes *b)
{
    two_tensors(b, "first", 128);
}

/* -- split -- */
static void split_keys(gguf_bytes *b, uint64_t no, uint64_t count)
{
    begin(b, 0, 2);
    gb_kv_int(b, "split.no", INGLE_GGUF_U16, no, 2);
    gb_kv_int(b, "split.count", INGLE_GGUF_U16, count, 2);
}
static void split_misnamed(gguf_bytes *b)
{
    split_keys(b, 0, 2);
}
static void split_no_high(gguf_bytes *b)
{
    split_keys(b, 7, 7);
}
static void split_without_no(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_kv_u32(b, "split.count", 3);
}
static void split_count_string(gguf_bytes *b)
{
    begin(b, 0, 1);
    gb_kv_str(b, "split.count", "3");
}
static void split_count_huge(gguf_bytes *b)
{
    begin(b, 0, 2);
    gb_kv_u32(b, "split.no", 0);
    gb_kv_u32(b, "split.count", UINT32_MAX);
}

typedef struct bad_file {
    const char *name;
    void (*write)(gguf_bytes *b);
    ingle_status status;
    const char *text; /* must be in the message */
} bad_file;

#define BAD(name, status, text)                                                                    \
    {                                                                                              \
#name, name, status, text                                                                  \
    }

static const bad_file bad_files[] = {
    BAD(empty_file, INGLE_EFORMAT, "the file is empty"),
    BAD(other_magic, INGLE_EFORMAT, "not a GGUF file"),
    BAD(three_bytes, INGLE_EFORMAT, "header"),
    BAD(version_0, INGLE_EUNSUPPORTED, "version 0"),
    BAD(version_1, INGLE_EUNSUPPORTED, "version 1"),
    BAD(version_4, INGLE_EUNSUPPORTED, "version 4"),
    BAD(big_endian, INGLE_EUNSUPPORTED, "big-endian"),
    BAD(many_keys, INGLE_EFORMAT, "key count 18446744073709551615"),
    BAD(some_more_keys, INGLE_EFORMAT, "key count 3"),
    BAD(many_tensors, INGLE_EFORMAT, "tensor count 2305843009213693952"),
    BAD(wrapping_tensors, INGLE_EFORMAT, "tensor count"),
    BAD(key_of_2_63, INGLE_EFORMAT, "key #0: its name of 9223372036854775808 bytes"),
    BAD(key_empty, INGLE_EFORMAT, "key #0: its name of 0 bytes"),
    BAD(key_too_long, INGLE_EFORMAT, "key #0: its name of 65536 bytes"),
    BAD(key_with_nul, INGLE_EFORMAT, "key #0: byte 2 of its name 'ab'"),
    BAD(key_with_newline, INGLE_EFORMAT, "key #0: byte 4 of its name 'evil'"),
    BAD(key_type_13, INGLE_EFORMAT, "key 'my.key': value type 13"),
    BAD(key_type_huge, INGLE_EFORMAT, "key 'my.key': value type 4294967295"),
    BAD(key_twice, INGLE_EFORMAT, "key 'my.key' is there twice"),
    BAD(bool_of_2, INGLE_EFORMAT, "key 'my.key': a bool is 2"),
    BAD(bools_of_255, INGLE_EFORMAT, "key 'my.key': a bool is 255"),
    BAD(string_of_2_63, INGLE_EFORMAT, "key 'my.key': a string needs 9223372036854775808 bytes"),
    BAD(string_wraps, INGLE_EFORMAT, "key 'my.key': a string needs"),
    BAD(string_of_1_gib, INGLE_EFORMAT, "key 'my.key': a string needs 1073741824 bytes"),
    BAD(array_of_2_61, INGLE_EFORMAT, "key 'my.key': 2305843009213693952 values"),
    BAD(array_of_max, INGLE_EFORMAT, "key 'my.key': 18446744073709551615 values"),
    BAD(strings_of_2_61, INGLE_EFORMAT, "key 'my.key': 2305843009213693952 strings"),
    BAD(strings_too_many, INGLE_EFORMAT, "key 'my.key': a string needs 1000 bytes"),
    BAD(array_in_array, INGLE_EUNSUPPORTED, "key 'my.key': arrays of arrays"),
    BAD(array_type_99, INGLE_EFORMAT, "key 'my.key': element type 99"),
    BAD(alignment_0, INGLE_EFORMAT, "key 'general.alignment': 0 is not a power of two"),
    BAD(alignment_3, INGLE_EFORMAT, "key 'general.alignment': 3 is not"),
    BAD(alignment_2_31, INGLE_EFORMAT, "key 'general.alignment': 2147483648 is not"),
    BAD(alignment_2_21, INGLE_EFORMAT, "key 'general.alignment': 2097152 is not"),
    BAD(alignment_2_63, INGLE_EFORMAT,
        "key 'general.alignment': 9223372036854775808 is not in 0..4294967295"),
    BAD(alignment_negative, INGLE_EFORMAT, "key 'general.alignment': -32 is not in"),
    BAD(alignment_float, INGLE_EFORMAT, "key 'general.alignment': is f32, should be an integer"),
    BAD(alignment_bool, INGLE_EFORMAT, "key 'general.alignment': is bool, should be an integer"),
    BAD(alignment_string, INGLE_EFORMAT,
        "key 'general.alignment': is string, should be an integer"),
    BAD(alignment_array, INGLE_EFORMAT,
        "key 'general.alignment': is an array of u32, should be an integer"),
    BAD(alignment_array_empty, INGLE_EFORMAT, "key 'general.alignment': is an array of u32"),
    BAD(tensor_unnamed, INGLE_EFORMAT, "tensor #0: its name of 0 bytes"),
    BAD(tensor_control_name, INGLE_EFORMAT, "tensor #0: byte 1 of its name 'w'"),
    BAD(tensor_0_dims, INGLE_EFORMAT, "tensor 'my.w': 0 dimensions"),
    BAD(tensor_5_dims, INGLE_EFORMAT, "tensor 'my.w': 5 dimensions"),
    BAD(tensor_2_31_dims, INGLE_EFORMAT, "tensor 'my.w': 2147483648 dimensions"),
    BAD(tensor_dim_0, INGLE_EFORMAT, "tensor 'my.w': dimension 1 of 0 is not allowed"),
    BAD(tensor_dim_2_63, INGLE_EFORMAT, "tensor 'my.w': dimension 0"),
    BAD(tensor_dims_wrap, INGLE_EFORMAT, "tensor 'my.w': dimension 1"),
    BAD(tensor_dims_wrap_small, INGLE_EFORMAT, "tensor 'my.w': dimension 1"),
    BAD(tensor_bytes_wrap, INGLE_EFORMAT, "tensor 'my.w': larger than 2^64 bytes"),
    BAD(tensor_block_split, INGLE_EFORMAT,
        "tensor 'my.w': rows of 48 are no multiple of the 32 weights in a block of Q4_0"),
    BAD(tensor_type_q8_1, INGLE_EUNSUPPORTED,
        "tensor 'my.w': type 9 = Q8_1 is not supported (these are: F32 F16"),
    BAD(tensor_type_4, INGLE_EUNSUPPORTED, "tensor 'my.w': type 4"),
    BAD(tensor_type_999, INGLE_EUNSUPPORTED, "tensor 'my.w': type 999 is not supported"),
    BAD(tensor_type_max, INGLE_EUNSUPPORTED, "tensor 'my.w': type 4294967295 is not supported"),
    BAD(tensor_off_grid, INGLE_EFORMAT,
        "tensor 'my.w': offset 16 is no multiple of the alignment 32"),
    BAD(tensor_past_end, INGLE_EFORMAT, "tensor 'my.w': its 32 bytes"),
    BAD(tensor_partly_past, INGLE_EFORMAT, "tensor 'my.w': its 1028 bytes"),
    BAD(tensor_offset_wraps, INGLE_EFORMAT, "tensor 'my.w': its 32 bytes"),
    BAD(tensor_end_wraps, INGLE_EFORMAT, "tensor 'my.w'"),
    BAD(tensors_same_place, INGLE_EFORMAT, "overlaps tensor '"),
    BAD(tensors_overlap, INGLE_EFORMAT, "tensor 'my.w' at offset 224 overlaps tensor 'first'"),
    BAD(tensors_overlap_backwards, INGLE_EFORMAT,
        "tensor 'first' at offset 192 overlaps tensor 'my.w'"),
    BAD(tensor_twice, INGLE_EFORMAT, "tensor 'first' is there twice"),
    BAD(split_misnamed, INGLE_EFORMAT,
        "key 'split.count' is 2: the file's name should end in -00001-of-00002.gguf"),
    BAD(split_no_high, INGLE_EFORMAT, "key 'split.no': 7 is not below"),
    BAD(split_without_no, INGLE_EFORMAT, "key 'split.no' is missing"),
    BAD(split_count_string, INGLE_EFORMAT, "key 'split.count': is string"),
    BAD(split_count_huge, INGLE_EFORMAT, "key 'split.count': 4294967295 parts"),
};

/* Read-ahead starts at 64 KiB of whatever the file has; the rest is a few times the head. */
static size_t memory_bound(size_t file_bytes)
{
    return 4096 + 16 * file_bytes;
}

static ingle_status open_bytes(ingle_gguf **g, const uint8_t *p, size_t n, bool with_tensors,
                               ingle_error *err)
{
    char path[32];
    int fd = gb_file(p, n, path);
    ingle_status status = ingle_gguf_open(g, path, with_tensors, err);
    close(fd);
    return status;
}

static void test_bad_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        const bad_file *bad = &bad_files[i];
        static gguf_bytes b;
        b.n = 0;
        bad->write(&b);
        ingle_gguf *g = (ingle_gguf *)&b;
        ingle_error err = {""};
        wrap_alloc_begin(0);
        ingle_status status = open_bytes(&g, b.p, b.n, true, &err);
        wrap_alloc_end();
        if (status != bad->status || !strstr(err.text, bad->text))
            fail_msg("%s: %s: \"%s\", not %s: \"%s\"", bad->name, ingle_status_name(status),
                     err.text, ingle_status_name(bad->status), bad->text);
        assert_null(g);
        assert_int_equal(wrap_alloc_live(), 0);
        if (wrap_alloc_bytes() > memory_bound(b.n))
            fail_msg("%s: %zu bytes of memory for a file of %zu", bad->name, wrap_alloc_bytes(),
                     b.n);
        assert_int_equal(open_bytes(&g, b.p, b.n, true, NULL), status); /* an error is optional */
    }
}

/* Without tensors the directory may hold any type and lead anywhere, but its text must still be
 * sound. */
static void test_without_tensors(void **state)
{
    (void)state;
    static gguf_bytes b;
    ingle_gguf *g;
    ingle_error err;
    void (*const fine[])(gguf_bytes *) = {tensor_type_q8_1, tensor_type_999, tensor_past_end,
                                          tensor_off_grid,  tensors_overlap, tensor_partly_past};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        b.n = 0;
        fine[i](&b);
        assert_int_equal(open_bytes(&g, b.p, b.n, false, &err), INGLE_OK);
        assert_non_null(ingle_gguf_find_tensor(g, "my.w"));
        assert_int_equal(g->tensors[g->n_tensors - 1].n_bytes == 0, i < 2);
        ingle_gguf_close(&g);
    }
    void (*const wrong[])(gguf_bytes *) = {tensor_5_dims,     tensor_dim_0, tensor_dims_wrap,
                                           tensor_bytes_wrap, tensor_twice, tensor_offset_wraps};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        b.n = 0;
        wrong[i](&b);
        assert_int_equal(open_bytes(&g, b.p, b.n, false, &err), INGLE_EFORMAT);
        assert_non_null(strstr(err.text, i == 3 || i == 4 ? "tensor '" : "tensor 'my.w'"));
    }
}

/* ---- cut and bent ---- */

/* The small model cut after every byte: refused, with the name of the first record that is not
 * whole. */
static void test_truncation_at_every_byte(void **state)
{
    (void)state;
    static gguf_bytes b;
    gb_small_model(&b, 3, 32);
    ingle_gguf *g;
    ingle_error err;
    assert_int_equal(open_bytes(&g, b.p, b.n, true, &err), INGLE_OK);
    ingle_gguf_close(&g);
    for (size_t n = 0; n < b.n; n++) {
        assert_int_equal(open_bytes(&g, b.p, n, true, &err), INGLE_EFORMAT);
        assert_null(g);
        bool named = !strncmp(err.text, "key ", 4) || !strncmp(err.text, "tensor ", 7);
        if (!named && strncmp(err.text, "header: ", 8)) fail_msg("cut at %zu: %s", n, err.text);
    }
    /* Spot checks: inside the last value, the directory, the data of the last tensor. */
    const struct {
        const char *after, *text;
    } cuts[] = {
        {"t.bools", "key 't.bools'"}, {"t.empty", "key 't.empty'"}, {"b.q4_0", "tensor 'b.q4_0'"}};
    for (size_t i = 0; i < 3; i++) {
        uint8_t *at = memmem(b.p, b.n, cuts[i].after, strlen(cuts[i].after));
        assert_non_null(at);
        size_t n = (size_t)(at - b.p) + strlen(cuts[i].after) + 13;
        assert_int_equal(open_bytes(&g, b.p, n, true, &err), INGLE_EFORMAT);
        if (!strstr(err.text, cuts[i].text)) fail_msg("%s: %s", cuts[i].after, err.text);
    }
    assert_int_equal(open_bytes(&g, b.p, b.n - 1, true, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "tensor 'c.f16'"));
}

/* Every byte of the head replaced by a few others: any answer, but no crash and nothing held. */
static void test_every_byte_changed(void **state)
{
    (void)state;
    static gguf_bytes b;
    gb_small_model(&b, 2, 1);
    const uint8_t others[] = {0, 1, 0x7f, 0x80, 0xff};
    size_t n_refused = 0, n_tried = 0;
    for (size_t i = 0; i < b.n - 116; i++) { /* without the data */
        for (size_t k = 0; k < sizeof others; k++) {
            uint8_t old = b.p[i];
            b.p[i] = others[k];
            ingle_gguf *g;
            ingle_error err = {""};
            wrap_alloc_begin(0);
            ingle_status status = open_bytes(&g, b.p, b.n, true, &err);
            ingle_gguf_close(&g);
            wrap_alloc_end();
            assert_int_equal(wrap_alloc_live(), 0);
            assert_true(wrap_alloc_bytes() <= memory_bound(b.n));
            if (status) assert_true(err.text[0] != 0);
            n_refused += status != INGLE_OK;
            n_tried++;
            b.p[i] = old;
        }
    }
    assert_in_range(n_refused, n_tried / 10,
                    n_tried - 1); /* text may change freely, lengths may not */
}

/* As many keys and tensors as fit some kilobytes: duplicates are found by hash, not by comparing
 * all. */
static void test_duplicate_at_the_end(void **state)
{
    (void)state;
    enum { N = 200000 };
    size_t cap = 24 + (size_t)N * 24;
    uint8_t *p = malloc(cap);
    assert_non_null(p);
    size_t n = 0;
    static gguf_bytes b;
    b.n = 0;
    begin(&b, 0, N);
    memcpy(p, b.p, b.n);
    n = b.n;
    for (int i = 0; i < N; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%06d", i == N - 1 ? 5 : i);
        b.n = 0;
        gb_kv_int(&b, key, INGLE_GGUF_U8, 1, 1);
        memcpy(p + n, b.p, b.n);
        n += b.n;
    }
    ingle_gguf *g;
    ingle_error err;
    assert_int_equal(open_bytes(&g, p, n, true, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "key 'k000005' is there twice"));
    free(p);
}

/* A file that claims a head of more than 1 GiB and is large enough (sparse): refused before it is
 * read. */
static void test_huge_head(void **state)
{
    (void)state;
    static gguf_bytes b;
    b.n = 0;
    begin(&b, 0, 1);
    gb_key(&b, "my.key", INGLE_GGUF_STRING);
    gb_u64(&b, (uint64_t)3 << 30);
    char path[32];
    int fd = gb_file(b.p, b.n, path);
    assert_int_equal(ftruncate(fd, (off_t)4 << 30), 0);
    ingle_gguf *g;
    ingle_error err;
    wrap_alloc_begin(0);
    ingle_status status = ingle_gguf_open(&g, path, true, &err);
    wrap_alloc_end();
    close(fd);
    assert_int_equal(status, INGLE_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "key 'my.key': metadata of more than"));
    assert_true(wrap_alloc_bytes() <= 1 << 17);
}

/* ---- allocations that fail ---- */

/* Opens and closes with the n-th allocation failing, for every n. */
static void check_allocations(const char *path, long n_least)
{
    for (long n = 1;; n++) {
        ingle_gguf *g = NULL;
        ingle_error err = {""};
        wrap_alloc_begin(n);
        ingle_status status = ingle_gguf_open(&g, path, true, &err);
        ingle_gguf_close(&g);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        if (!reached) {
            assert_int_equal(status, INGLE_OK);
            assert_true(n > n_least);
            return;
        }
        /* Giving back the read-ahead may fail without harm; everything else is told. */
        assert_true(status == INGLE_OK || status == INGLE_ENOMEM);
        if (status) assert_non_null(strstr(err.text, "memory"));
    }
}

static void test_allocation_failure(void **state)
{
    (void)state;
    static gguf_bytes b;
    char path[32];
    gb_small_model(&b, 3, 32);
    int fd = gb_file(b.p, b.n, path);
    check_allocations(path, 8);
    close(fd);
}

static void write_part(const char *folder, uint32_t no, uint32_t count)
{
    static gguf_bytes b;
    char path[128], name[16];
    b.n = 0;
    begin(&b, 1, 3);
    gb_kv_int(&b, "split.no", INGLE_GGUF_U16, no, 2);
    gb_kv_int(&b, "split.count", INGLE_GGUF_U16, count, 2);
    gb_kv_int(&b, "split.tensors.count", INGLE_GGUF_I32, count, 4);
    snprintf(name, sizeof name, "t%u", no);
    gb_tensor(&b, name, 1, vec8, INGLE_TYPE_F32, 0);
    end(&b, 32);
    snprintf(path, sizeof path, "%s/m-%05u-of-%05u.gguf", folder, no + 1, count);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    fclose(f);
}

static void test_allocation_failure_of_parts(void **state)
{
    (void)state;
    char folder[] = "/tmp/ingle-test-hostile-XXXXXX", path[128];
    assert_non_null(mkdtemp(folder));
    for (uint32_t no = 0; no < 3; no++) write_part(folder, no, 3);
    for (uint32_t no = 0; no < 3; no++) {
        snprintf(path, sizeof path, "%s/m-%05u-of-00003.gguf", folder, no + 1);
        check_allocations(path, 20);
    }
    for (uint32_t no = 0; no < 3; no++) {
        snprintf(path, sizeof path, "%s/m-%05u-of-00003.gguf", folder, no + 1);
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_without_tensors),
        cmocka_unit_test(test_truncation_at_every_byte),
        cmocka_unit_test(test_every_byte_changed),
        cmocka_unit_test(test_duplicate_at_the_end),
        cmocka_unit_test(test_huge_head),
        cmocka_unit_test(test_allocation_failure),
        cmocka_unit_test(test_allocation_failure_of_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
