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
    must(ingle_tokenize(r->model, prompt->text, prompt->len,
                        INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL, tokens, 512, &n, &err),
         &err);
    assert_int_equal(n, n_ids);
    assert_memory_equal(tokens, ids, n * sizeof *ids);

    ingle_sampler_options so;
    ingle_sampler *sampler;
    ingle_generate_options go;
    ingle_generate_result result = {.size = sizeof result};
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
    assert_memory_equal(s.text, text->text, s.len);
    ++*n_checked;
    ingle_sampler_close(&sampler);
    free(ids);
    free(expected);
}

static void greedy(void **state)
{
    static const char *const types[] = {"q8_0", "f16"};
    (void)state;
    ingle_json_doc doc = json_file(INGLE_SOURCE_DIR "/tests/golden/data/tiny-goldens.json");
    for (size_t i = 0; i < 2; i++) {
        char path[600];
        runner r;
        int n = 0;
        if (!tiny_path(path, sizeof path, types[i])) continue;
        open_tiny(&r, path, INGLE_TYPE_F16);
        const json *prompts = json_get(doc.root, "prompts");
        for (size_t p = 0; p < prompts->len; p++)
            check_prompt(&r, json_at(prompts, p), types[i], &n);
        print_message("tiny-chat %s: %d greedy continuations are the same\n", types[i], n);
        assert_int_equal(n, i ? 39 : 37);
        runner_close(&r);
    }
    ingle_json_close(&doc);
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

/* ---- types of keys and values ---- */

#define KV_WINDOWS 12

/* Log-probabilities of rows 256 .. 511 of every window, [rows][n_vocab]. */
static void log_probs(ingle_type kv, const char *path, const int32_t *tokens, double *out)
{
    runner r;
    ingle_error err;
    open_tiny(&r, path, kv);
    for (size_t w = 0; w < KV_WINDOWS; w++) {
        must(ingle_session_truncate(r.session, 0, &err), &err);
        must(ingle_session_eval(r.session, tokens + 512 * w, 512, INGLE_ROWS_ALL, &err), &err);
        for (size_t j = 256; j < 512; j++, out += 2048) {
            const float *row;
            must(ingle_session_logits(r.session, j, &row, &err), &err);
            double max = -INFINITY, sum = 0;
            for (int i = 0; i < 2048; i++) max = fmax(max, (double)row[i]);
            for (int i = 0; i < 2048; i++) sum += exp((double)row[i] - max);
            for (int i = 0; i < 2048; i++) out[i] = (double)row[i] - max - log(sum);
        }
    }
    runner_close(&r);
}

/* What a rounded cache costs on text the model has not seen: mean divergence from f32 keys and
 * values. It grows with the square of the rounding error. bf16 has 3 bits less than f16: 64 times the
 * divergence. q8_0 rounds to 1/254 of a block's largest value, bf16 to 1/512 to 1/256 of each value:
 * values of a third of the largest (a normal block) lose 2 to 4 times as much, 4 to 16 times the
 * divergence. A factor of 4 either way is allowed for. */
static void kv_types(void **state)
{
    static const ingle_type types[] = {INGLE_TYPE_F16, INGLE_TYPE_BF16, INGLE_TYPE_Q8_0};
    char path[600];
    ingle_error err;
    ingle_model *model;
    double kl[3] = {0};
    size_t len = 0, n, n_values = (size_t)KV_WINDOWS * 256 * 2048;
    (void)state;
    if (!tiny_path(path, sizeof path, "f16")) skip();
    char *text = json_slurp(INGLE_SOURCE_DIR "/tests/golden/data/tiny-heldout.txt", &len);
    assert_non_null(text);
    int32_t *tokens = malloc(len * sizeof *tokens);
    double *exact = malloc(n_values * sizeof *exact), *got = malloc(n_values * sizeof *got);
    must(ingle_model_open(&model, path, NULL, &err), &err);
    must(ingle_tokenize(model, text, len, 0, tokens, len, &n, &err), &err);
    ingle_model_close(&model);
    assert_true(n >= 512 * KV_WINDOWS);
    log_probs(INGLE_TYPE_F32, path, tokens, exact);
    for (size_t k = 0; k < 3; k++) {
        size_t n_top = 0, n_rows = n_values / 2048;
        log_probs(types[k], path, tokens, got);
        for (size_t row = 0; row < n_rows; row++) {
            size_t a = 0, b = 0;
            for (size_t i = 0; i < 2048; i++) {
                const double *e = exact + row * 2048, *g = got + row * 2048;
                kl[k] += exp(e[i]) * (e[i] - g[i]) / (double)n_rows;
                if (e[i] > e[a]) a = i;
                if (g[i] > g[b]) b = i;
            }
            n_top += a == b;
        }
        print_message("keys and values in %-5s KL to f32 %.3e nats, same best token %.3f %%\n",
                      ingle_type_name(types[k]), kl[k], 100 * (double)n_top / (double)n_rows);
    }
    assert_true(kl[1] > 16 * kl[0] && kl[1] < 256 * kl[0]);
    assert_true(kl[2] > kl[1] && kl[2] < 64 * kl[1]);
    free(exact), free(got), free(tokens), free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy),
        cmocka_unit_test(perplexity),
        cmocka_unit_test(kv_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
