#define _GNU_SOURCE
#include "gguf/gguf.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *data_folder(void)
{
    const char *folder = getenv("INGLE_DATA");
    if (!folder) {
        print_message("skipped: no corpus\n");
        skip();
    }
    return folder;
}

static int n_opened;

static int open_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)ftw;
    size_t len = strlen(path);
    if (kind != FTW_F || len < 5 || strcmp(path + len - 5, ".gguf")) return 0;
    ingle_gguf *g;
    ingle_error err = {""};
    bool with_tensors = !strstr(path, "/tokenizers/");
    ingle_status status = ingle_gguf_open(&g, path, with_tensors, &err);
    if (status) print_error("%s: %s\n", path, err.text);
    assert_int_equal(status, INGLE_OK);
    assert_true(g->n_kv > 0);
    for (size_t i = 0; i < g->n_kv; i++)
        assert_ptr_equal(ingle_gguf_find(g, g->kv[i].key), &g->kv[i]);
    for (size_t i = 0; i < g->n_tensors; i++)
        assert_ptr_equal(ingle_gguf_find_tensor(g, g->tensors[i].name), &g->tensors[i]);
    ingle_gguf_close(&g);
    assert_null(g);
    n_opened++;
    return 0;
}

static void test_corpus_opens(void **state)
{
    (void)state;
    char path[4096];
    snprintf(path, sizeof path, "%s/golden", data_folder());
    assert_int_equal(nftw(path, open_one, 16, FTW_PHYS), 0);
    snprintf(path, sizeof path, "%s/tiny-model", data_folder());
    assert_int_equal(nftw(path, open_one, 16, FTW_PHYS), 0);
    print_message("%d files\n", n_opened);
    assert_true(n_opened > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpus_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
