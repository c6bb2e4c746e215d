/* test_hostile_recurrent.c - models with a recurrent state whose numbers lie: the files of the golden
 * tests, one key changed. What cannot be is refused with a name; whatever else happens, nothing
 * crashes and nothing is taken that was not announced. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ingle.h>

#include "gguf_build.h"

typedef struct file {
    uint8_t *p;
    size_t n;
} file;

static file slurp(const char *name)
{
    char path[512];
    file f = {NULL, 0};
    snprintf(path, sizeof path, "%s/tests/golden/data/%s.gguf", INGLE_SOURCE_DIR, name);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    f.n = (size_t)ftell(in);
    rewind(in);
    f.p = malloc(f.n);
    assert_int_equal(fread(f.p, 1, f.n, in), f.n);
    fclose(in);
    return f;
}

/* Where the 4 bytes of a key's u32 or f32 value lie. */
static uint8_t *value_of(const file *f, const char *key)
{
    uint8_t *at = memmem(f->p, f->n, key, strlen(key));
    assert_non_null(at);
    return at + strlen(key) + 4;
}

/* Opens what the bytes say, down to an evaluation if it goes so far. Returns the status of opening. */
static ingle_status try_all(const file *f, ingle_error *err)
{
    const int32_t tokens[5] = {1, 2, 3, 4, 5};
    char path[32];
    ingle_model *m = NULL;
    ingle_engine *e = NULL;
    ingle_session *s = NULL;
    ingle_engine_options eo;
    int fd = gb_file(f->p, f->n, path);
    ingle_engine_options_init(&eo);
    eo.n_ctx = 64, eo.n_batch = 8, eo.n_threads = 1;
    ingle_status st = ingle_model_open(&m, path, NULL, err);
    if (!st && !ingle_engine_open(&e, m, &eo, NULL) && !ingle_session_open(&s, e, NULL))
        ingle_session_eval(s, tokens, 5, INGLE_ROWS_ALL, NULL);
    ingle_session_close(&s);
    ingle_engine_close(&e);
    ingle_model_close(&m);
    close(fd);
    return st;
}

static const struct {
    const char *model, *key;
    uint32_t value;
    const char *says; /* in the error */
} cases[] = {
    {"mamba2", "mamba2.ssm.conv_kernel", 0, "ssm.conv_kernel"},
    {"mamba2", "mamba2.ssm.conv_kernel", 1, "ssm.conv_kernel"},
    {"mamba2", "mamba2.ssm.conv_kernel", 17, "ssm.conv_kernel"},
    {"mamba2", "mamba2.ssm.conv_kernel", 5, "ssm_conv1d.weight"},
    {"mamba2", "mamba2.ssm.inner_size", 0, "ssm.inner_size"},
    {"mamba2", "mamba2.ssm.inner_size", 130, "ssm.inner_size"},
    {"mamba2", "mamba2.ssm.inner_size", 136, "ssm_in.weight"},
    {"mamba2", "mamba2.ssm.inner_size", UINT32_MAX, "ssm.inner_size"},
    {"mamba2", "mamba2.ssm.state_size", 0, "ssm.state_size"},
    {"mamba2", "mamba2.ssm.state_size", 17, "ssm_in.weight"},
    {"mamba2", "mamba2.ssm.state_size", UINT32_MAX, "ssm.state_size"},
    {"mamba2", "mamba2.ssm.time_step_rank", 0, "ssm.time_step_rank"},
    {"mamba2", "mamba2.ssm.time_step_rank", 3, "ssm.inner_size"},
    {"mamba2", "mamba2.ssm.time_step_rank", 16, "ssm_in.weight"},
    {"mamba2", "mamba2.ssm.group_count", 0, "ssm.group_count"},
    {"mamba2", "mamba2.ssm.group_count", 3, "ssm.group_count"},
    {"mamba2", "mamba2.ssm.group_count", 8, "ssm_in.weight"},
    {"mamba2", "mamba2.ssm.group_count", UINT32_MAX, "ssm.group_count"},
    {"mamba2", "mamba2.attention.head_count", 4, "tensor"},
    {"qwen35", "qwen35.ssm.conv_kernel", 3, "ssm_conv1d.weight"},
    {"qwen35", "qwen35.ssm.state_size", 15, "attn_qkv.weight"},
    {"qwen35", "qwen35.ssm.group_count", 4, "attn_qkv.weight"},
    {"qwen35", "qwen35.ssm.group_count", 3, "ssm.group_count"},
    {"qwen35", "qwen35.ssm.time_step_rank", 8, "ssm_beta.weight"},
    {"qwen35", "qwen35.ssm.time_step_rank", 7, "ssm.inner_size"},
    {"qwen35", "qwen35.full_attention_interval", 0, "full_attention_interval"},
    {"qwen35", "qwen35.full_attention_interval", 2, "attn_q"},
    {"qwen35", "qwen35.full_attention_interval", 5, "attn_qkv.weight"},
    {"qwen35", "qwen35.attention.value_length", 8, "value_length"},
    {"qwen35", "qwen35.attention.key_length", 8, "value_length"},
};

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ingle_error err = {""};
        file f = slurp(cases[i].model);
        memcpy(value_of(&f, cases[i].key), &cases[i].value, 4);
        ingle_status st = try_all(&f, &err);
        if (!st || !strstr(err.text, cases[i].says))
            fail_msg("%s = %u: %s: '%s' does not name %s", cases[i].key, cases[i].value,
                     ingle_status_name(st), err.text, cases[i].says);
        free(f.p);
    }
}

/* Values that are never right, on every key; no answer is wrong, but there must be one. */
static void survived(void **state)
{
    static const uint32_t values[] = {0, 1, 2, 7, 255, 4096, 65536, 1u << 20, 1u << 31, UINT32_MAX};
    static const char *const models[] = {"mamba2", "qwen35"};
    (void)state;
    for (size_t m = 0; m < 2; m++) {
        file f = slurp(models[m]);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            if (strcmp(cases[i].model, models[m])) continue;
            uint8_t *at = value_of(&f, cases[i].key), kept[4];
            memcpy(kept, at, 4);
            for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
                memcpy(at, &values[v], 4);
                try_all(&f, NULL);
            }
            memcpy(at, kept, 4);
        }
        assert_int_equal(try_all(&f, NULL), INGLE_OK);
        free(f.p);
    }
}

/* A rotation of other positions than the token's is not known here. */
static void sections(void **state)
{
    ingle_error err = {""};
    file f = slurp("qwen35");
    const char *key = "qwen35.rope.dimension_sections";
    uint8_t *at = memmem(f.p, f.n, key, strlen(key));
    (void)state;
    assert_non_null(at);
    at += strlen(key) + 4 + 4 + 8; /* the array's four numbers: 2, 1, 1, 0 */
    const int32_t fewer[4] = {1, 1, 1, 1};
    memcpy(at, fewer, sizeof fewer);
    assert_int_equal(try_all(&f, &err), INGLE_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "dimension_sections"));
    free(f.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(survived),
        cmocka_unit_test(sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
