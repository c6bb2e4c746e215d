/* What the table of families makes of files: the nearest family of an unknown architecture, tensors
 * that mean nothing, files that lack everything; and that nothing stays behind when memory ends. */
#define _GNU_SOURCE
#include <ingle_tools.h>

#include "model_build.h"
#include "wrap_alloc.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static ingle_status look(const mb_spec *s, ingle_family_info *info, ingle_error *err)
{
    mb_model b;
    char path[32];
    ingle_model *m = NULL;
    ingle_model_options mo;
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_META;
    mb_build(&b, s);
    int fd = gb_file(b.p, b.n, path);
    free(b.p);
    ingle_status st = ingle_model_open(&m, path, &mo, err);
    if (!st) st = ingle_model_family(m, info, err);
    ingle_model_close(&m);
    close(fd);
    return st;
}

static mb_spec bent(mb_bend bend)
{
    return (mb_spec){.type = INGLE_TYPE_Q8_0, .n_embd = 32, .bend = bend, .fill = -1};
}

static void known_families_are_named(void **state)
{
    (void)state;
    ingle_family_info info = {.size = sizeof info};
    mb_spec s = bent((mb_bend){0});
    assert_int_equal(look(&s, &info, NULL), INGLE_OK);
    assert_true(info.known && info.n_unknown == 0);
    assert_string_equal(info.name, "llama");
    assert_non_null(strstr(info.features, "RMS norm, RoPE in pairs"));
    s = bent((mb_bend){.act = MB_ADD, .name = "blk.0.attn_foo.weight", .value = 4, .value2 = 4});
    assert_int_equal(look(&s, &info, NULL), INGLE_OK);
    assert_true(info.known && info.n_unknown == 1);
    assert_string_equal(info.unknown, "blk.*.attn_foo.weight");
}

static void unknown_ones_have_a_nearest(void **state)
{
    static const char *const names[] = {"lama", "llama-next", "x", ""};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        ingle_family_info info = {.size = sizeof info};
        mb_spec s =
            bent((mb_bend){.act = MB_STR, .name = "general.architecture", .text = names[i]});
        assert_int_equal(look(&s, &info, NULL), INGLE_OK);
        assert_false(info.known);
        assert_non_null(info.name);
        assert_int_equal(info.n_unknown, 0); /* its tensors are those of many a family */
        if (i < 2) assert_string_equal(info.name, "llama");
    }
}

static void the_table_can_be_walked(void **state)
{
    const char *name = NULL;
    char features[512], little[8];
    ingle_error err;
    size_t n = 0;
    (void)state;
    for (; ingle_family_get(n, &name, features, sizeof features, &err) == INGLE_OK; n++) {
        assert_true(strlen(name) > 1);
        assert_true(strstr(features, "orm") && strlen(features) + 1 < sizeof features);
        assert_int_equal(ingle_family_get(n, &name, little, sizeof little, NULL), INGLE_OK);
        assert_int_equal(strlen(little), 7);
    }
    assert_true(n > 40);
    assert_int_equal(ingle_family_get(n, &name, features, sizeof features, &err), INGLE_ENOTFOUND);
    assert_int_equal(ingle_family_get(0, NULL, features, 1, &err), INGLE_EINVAL);
    assert_int_equal(ingle_model_family(NULL, NULL, &err), INGLE_ECLOSED);
}

static void no_memory_at_any_point(void **state)
{
    (void)state;
    mb_spec s = bent((mb_bend){.act = MB_STR, .name = "general.architecture", .text = "lama"});
    mb_model b;
    char path[32];
    ingle_model_options mo;
    ingle_model *m = NULL;
    mb_build(&b, &s);
    int fd = gb_file(b.p, b.n, path);
    free(b.p);
    ingle_model_options_init(&mo);
    mo.parts = INGLE_PARTS_META;
    assert_int_equal(ingle_model_open(&m, path, &mo, NULL), INGLE_OK);
    ingle_status st = INGLE_ENOMEM;
    for (size_t n = 1; st; n += 1 + n / 8) { /* thousands, all alike */
        ingle_family_info info = {.size = sizeof info};
        wrap_alloc_begin(n);
        st = ingle_model_family(m, &info, NULL);
        wrap_alloc_end();
        assert_true(st == INGLE_OK || st == INGLE_ENOMEM);
        assert_int_equal(wrap_alloc_live(), 0);
    }
    ingle_model_close(&m);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_families_are_named),
        cmocka_unit_test(unknown_ones_have_a_nearest),
        cmocka_unit_test(the_table_can_be_walked),
        cmocka_unit_test(no_memory_at_any_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
