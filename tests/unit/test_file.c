#define _GNU_SOURCE
#include "base/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char path[64];

static int make_file(void **state)
{
    (void)state;
    strcpy(path, "/tmp/ingle-test-file-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) return -1;
    bool ok = write(fd, "0123456789", 10) == 10;
    close(fd);
    return ok ? 0 : -1;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void test_reads_ranges(void **state)
{
    (void)state;
    ingle_file f;
    ingle_error err;
    char buf[16] = "";
    assert_int_equal(ingle_file_open(&f, path, &err), INGLE_OK);
    assert_int_equal(f.size, 10);
    assert_int_equal(ingle_file_read(&f, 0, buf, 10, &err), INGLE_OK);
    assert_memory_equal(buf, "0123456789", 10);
    assert_int_equal(ingle_file_read(&f, 7, buf, 3, &err), INGLE_OK);
    assert_memory_equal(buf, "789", 3);
    assert_int_equal(ingle_file_read(&f, 10, buf, 0, &err), INGLE_OK);

    memset(buf, '?', sizeof buf);
    assert_int_equal(ingle_file_read(&f, 7, buf, 4, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "offset 7"));
    assert_int_equal(ingle_file_read(&f, 11, buf, 0, &err), INGLE_EFORMAT);
    assert_int_equal(ingle_file_read(&f, UINT64_MAX, buf, 2, &err), INGLE_EFORMAT);
    assert_int_equal(ingle_file_read(&f, 2, buf, SIZE_MAX, &err), INGLE_EFORMAT);
    assert_int_equal(buf[0], '?');
    ingle_file_close(&f);
    assert_int_equal(f.fd, -1);
    ingle_file_close(&f); /* again, and of nothing */
    ingle_file_close(NULL);
}

static void test_shortened_while_open(void **state)
{
    (void)state;
    ingle_file f;
    ingle_error err;
    char buf[10];
    assert_int_equal(ingle_file_open(&f, path, &err), INGLE_OK);
    assert_int_equal(truncate(path, 4), 0);
    assert_int_equal(ingle_file_read(&f, 0, buf, 10, &err), INGLE_EFORMAT);
    assert_non_null(strstr(err.text, "ends at offset 4"));
    assert_int_equal(ingle_file_read(&f, 0, buf, 4, &err), INGLE_OK);
    ingle_file_close(&f);
}

static void test_refuses_what_is_no_file(void **state)
{
    (void)state;
    ingle_file f;
    ingle_error err;
    assert_int_equal(ingle_file_open(&f, "/tmp/ingle-no-such-file", &err), INGLE_ENOTFOUND);
    assert_non_null(strstr(err.text, "/tmp/ingle-no-such-file: No such file"));
    assert_int_equal(f.fd, -1);
    char below[128];
    snprintf(below, sizeof below, "%s/below", path);
    assert_int_equal(ingle_file_open(&f, below, &err), INGLE_ENOTFOUND);
    assert_int_equal(ingle_file_open(&f, "/tmp", &err), INGLE_EIO);
    assert_non_null(strstr(err.text, "is a directory"));
    assert_int_equal(ingle_file_open(&f, "/dev/null", &err), INGLE_EIO);
    assert_non_null(strstr(err.text, "not a regular file"));
    assert_int_equal(ingle_file_open(&f, "", NULL), INGLE_ENOTFOUND);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not hang waiting for a writer */
    assert_int_equal(ingle_file_open(&f, path, &err), INGLE_EIO);
}

static void test_reads_text(void **state)
{
    (void)state;
    char text[16], proc[4096];
    assert_true(ingle_file_read_text(path, text, sizeof text));
    assert_string_equal(text, "0123456789");
    assert_true(ingle_file_read_text(path, text, 4));
    assert_string_equal(text, "012");
    assert_true(ingle_file_read_text(path, text, 1));
    assert_string_equal(text, "");
    assert_false(ingle_file_read_text("/tmp/ingle-no-such-file", text, sizeof text));
    assert_false(ingle_file_read_text("/tmp", text, sizeof text));
    assert_string_equal(text, "");
    assert_true(
        ingle_file_read_text("/proc/self/stat", proc, sizeof proc)); /* says its size is 0 */
    assert_true(strlen(proc) > 0);
}

/* Advice only: what is read afterwards is the same, whatever the range. */
static void test_forgets(void **state)
{
    (void)state;
    ingle_file file;
    ingle_error err;
    char text[11] = "";
    assert_int_equal(ingle_file_open(&file, path, &err), INGLE_OK);
    ingle_file_forget(&file, 0, 10);
    ingle_file_forget(&file, 3, 4);
    ingle_file_forget(&file, 5, 6);
    ingle_file_forget(&file, UINT64_MAX, 1);
    ingle_file_forget(&file, 1, UINT64_MAX);
    assert_int_equal(ingle_file_read(&file, 0, text, 10, &err), INGLE_OK);
    assert_string_equal(text, "0123456789");
    ingle_file_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_ranges, make_file, remove_file),
        cmocka_unit_test_setup_teardown(test_shortened_while_open, make_file, remove_file),
        cmocka_unit_test_setup_teardown(test_refuses_what_is_no_file, make_file, remove_file),
        cmocka_unit_test_setup_teardown(test_forgets, make_file, remove_file),
        cmocka_unit_test_setup_teardown(test_reads_text, make_file, remove_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
