/* The bundled model: greedy continuations and perplexity against an independent engine. The Q8_0
 * file ships with the repository; the other types run when $INGLE_DATA is there. */
#include "golden/run.h"

#include <math.h>

static bool tiny_path(char *out, size_t cap, const char *type)
{
    const char *corpus = getenv("INGLE_DATA");
    if (!strcmp(type, "q8_0")) snprintf(out, cap, "%s/models/tiny-chat.gguf", INGLE_SOURCE_DIR);
    else if (corpus) snprintf(out, cap, "%s/tiny-model/tiny-chat.%s.gguf", corpus, type);
    else print_message("tiny-chat %s: skipped: no corpus\n", type);
    return !strcmp(type, "q8_0") || corpus;
}

static void open_tiny(runner *r, const char *path, ingle_type kv)
{
    ingle_error err;
    ingle_engine_options eo;
    ingle_engine_options_init(&eo);
    eo.kv_type = kv;
    must(ingle_model_open(&r->model, path, NULL, &err), &err);
    must(ingle_engine_open(&r->engine, r->model, &eo, &err), &err);
    must(ingle_session_open(&r->session, r->engine, &err), &err);
}

/* ---- greedy ---- */

typedef struct seen {
    int32_t ids[128];
    size_t n;
    char text[2048];
    size_t len;
} seen;

static bool take(void *user, const ingle_event *e)
{
    seen *s = user;
    if (e->kind == INGLE_EVENT_TOKEN) s->ids[s->n++] = e->token;
    if (e->kind != INGLE_EVENT_PROMPT && e->text_len) {
        memcpy(s->text + s->len, e->text, e->text_len);
        s->len += e->text_len;
    }
    return true;
}

static void check_prompt(runner *r, const json *p, const char *type, int *n_checked)
{
    const json *want = json_get(p, type);
    ingle_error err;
    if (!json_num(json_get(want, "same_with_f32_kv"))) return;
    const json *prompt = json_get(p, "prompt");
    size_t n_ids, n_want, n;
    int32_t *ids = json_tokens(json_get(p, "prompt_ids"), &n_ids);
    int32_t *expected = json_tokens(json_get(want, "ids"), &n_want), tokens[512];
    must(ingle_tokenize(r->model, prompt->str, prompt->len, INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL,
                        tokens, 512, &n, &err),
         &err);
    assert_int_equal(n, n_ids);
    assert_memory_equal(tokens, ids, n * sizeof *ids);

    ingle_sampler_options so;
    ingle_sampler *sampler;
    ingle_generate_options go;
    ingle_generate_result result;
    seen s = {.n = 0};
    ingle_sampler_options_init(&so);
    so.temperature = 0;
    must(ingle_sampler_open(&sampler, &so, 2048, NULL, &err), &err);
    ingle_generate_options_init(&go);
    go.max_tokens = 64;
    go.on_event = take;
    go.user = &s;
    must(ingle_session_truncate(r->session, 0, &err), &err);
    must(ingle_generate(r->session, sampler, tokens, n, &go, &result, &err), &err);
    bool eos = !strcmp(json_str(json_get(want, "stop")), "eos");
    assert_int_equal(s.n, n_want - (eos ? 1 : 0));
    assert_memory_equal(s.ids, expected, s.n * sizeof *expected);
    assert_int_equal(result.finish, eos ? INGLE_FINISH_STOP : INGLE_FINISH_LENGTH);
    const json *text = json_get(want, "text");
    assert_int_equal(s.len, text->len);
    assert_memory_equal(s.text, text->str, s.len);
    ++*n_checked;
    ingle_sampler_close(&sampler);
    free(ids);
    free(expected);
}

static void greedy(void **state)
{
    static const char *const types[] = {"q8_0", "f16"};
    (void)state;
    json *goldens = json_file(INGLE_SOURCE_DIR "/tests/golden/data/tiny-goldens.json");
    for (size_t i = 0; i < 2; i++) {
        char path[600];
        runner r;
        int n = 0;
        if (!tiny_path(path, sizeof path, types[i])) continue;
        open_tiny(&r, path, INGLE_TYPE_F16);
        const json *prompts = json_get(goldens, "prompts");
        for (size_t p = 0; p < prompts->len; p++)
            check_prompt(&r, json_at(prompts, p), types[i], &n);
        print_message("tiny-chat %s: %d greedy continuations are the same\n", types[i], n);
        assert_int_equal(n, i ? 39 : 37);
        runner_close(&r);
    }
    json_free(goldens);
}

/* ---- perplexity: windows of 512, the second half of each counts ---- */

static double nll(const float *row, size_t n, int32_t token)
{
    double max = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++) max = fmax(max, (double)row[i]);
    for (size_t i = 0; i < n; i++) sum += exp((double)row[i] - max);
    return max + log(sum) - (double)row[token];
}

static void perplexity(void **state)
{
    static const struct {
        const char *type;
        double want;
    } list[] = {
        {"q8_0", 1.4738}, {"f16", 1.4736}, {"q6_k", 1.4744}, {"q4_k_m", 1.4773}, {"q4_0", 1.4751}};
    size_t len = 0, n;
    (void)state;
    char *text = json_slurp(INGLE_SOURCE_DIR "/tests/golden/data/tiny-heldout.txt", &len);
    int32_t *tokens = malloc(len * sizeof *tokens);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        char path[600];
        runner r;
        ingle_error err;
        if (!tiny_path(path, sizeof path, list[i].type)) continue;
        open_tiny(&r, path, INGLE_TYPE_F16);
        must(ingle_tokenize(r.model, text, len, 0, tokens, len, &n, &err), &err);
        assert_int_equal(n, 21363);
        double sum = 0;
        size_t count = 0;
        for (size_t at = 0; at + 512 <= n; at += 512) {
            must(ingle_session_truncate(r.session, 0, &err), &err);
            must(ingle_session_eval(r.session, tokens + at, 512, INGLE_ROWS_ALL, &err), &err);
            for (size_t j = 256; j < 511; j++, count++) {
                const float *row;
                must(ingle_session_logits(r.session, j, &row, &err), &err);
                sum += nll(row, 2048, tokens[at + j + 1]);
            }
        }
        double got = exp(sum / (double)count);
        print_message("tiny-chat %-6s perplexity %.4f, reference %.4f\n", list[i].type, got,
                      list[i].want);
        /* printed to four places, and 8-bit activations of another rounding: a twentieth of its
         * standard error */
        assert_true(fabs(got - list[i].want) < 0.0136 / 20);
        runner_close(&r);
    }
    free(tokens);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy),
        cmocka_unit_test(perplexity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
