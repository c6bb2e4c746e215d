/* fuzz_model.c - any bytes as a whole model: opened, and if that works, run: tokens in, tokens out.
 * A file that ends before its weights is tried with zeros for them too, so that an input may be a
 * head alone. */
#define _GNU_SOURCE
#include "fuzz.h"
#include "model_build.h"

enum { MOST_WEIGHTS = 1 << 20 };

static void must_say(ingle_status st, const ingle_error *err)
{
    if (st && !err->text[0]) abort(); /* refused without a word */
}

static ingle_status run(ingle_model *model, ingle_engine *engine, ingle_error *err)
{
    ingle_session *s = NULL;
    ingle_sampler *sampler = NULL;
    ingle_model_info info = {.size = sizeof info};
    ingle_generate_options go;
    int32_t tokens[16] = {0};
    size_t n = 0;
    char text[256];
    ingle_generate_options_init(&go);
    go.max_tokens = 4;
    go.logprobs = 2;
    ingle_status st = ingle_model_info_get(model, &info, err);
    if (!st) st = ingle_session_open(&s, engine, err);
    if (!st) st = ingle_sampler_open(&sampler, NULL, info.n_vocab, model, err);
    if (!st && ingle_tokenize(model, "ab a.", 5, INGLE_ADD_SPECIAL, tokens, 16, &n, err)) n = 0;
    ingle_error other = {""}; /* any model embeds; encoders do nothing else */
    if (!st) must_say(ingle_session_embed(s, tokens, n ? n : 1, NULL, &other), &other);
    if (!st) st = ingle_generate(s, sampler, tokens, n ? n : 1, &go, NULL, err);
    if (!st) ingle_detokenize(model, tokens, n, INGLE_CLEAN_SPACES, text, sizeof text, &n, err);
    ingle_sampler_close(&sampler);
    ingle_session_close(&s);
    return st;
}

/* False if the model was refused when it was opened. */
static bool open_and_run(const char *path, bool in_place)
{
    ingle_model *model;
    ingle_engine *engine = NULL;
    ingle_model_options mo;
    ingle_engine_options eo;
    ingle_error err = {""};
    ingle_model_options_init(&mo);
    ingle_engine_options_init(&eo);
    mo.n_threads = eo.n_threads = 1;
    eo.n_ctx = 40;
    eo.n_batch = 8;
    mo.in_place = in_place;
    ingle_status st = ingle_model_open(&model, path, &mo, &err);
    bool opened = !st;
    if (!st) st = ingle_engine_open(&engine, model, &eo, &err);
    if (!st) st = run(model, engine, &err);
    must_say(st, &err);
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    return opened;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[32];
    int fd = gb_file(data, size, path);
    bool whole = open_and_run(path, false);
    open_and_run(path, true);
    if (!whole && !ftruncate(fd, (off_t)size + MOST_WEIGHTS)) open_and_run(path, false);
    close(fd);
    return 0;
}

/* Sound models of a type of each class of arithmetic, one with noise for weights, one that is tied.
 */
size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const mb_spec specs[] = {
        {.type = INGLE_TYPE_Q8_0, .n_embd = 32, .fill = -1},
        {.type = INGLE_TYPE_F32, .n_embd = 32, .fill = -1},
        {.type = INGLE_TYPE_Q4_K, .n_embd = 256, .fill = -2},
        {.type = INGLE_TYPE_Q5_1,
         .n_embd = 32,
         .bend = {MB_DROP, "output.weight", 0, 0, 0, 0, 0},
         .fill = -1},
    };
    mb_model m;
    if (i >= sizeof specs / sizeof specs[0]) return 0;
    mb_build(&m, &specs[i]);
    size_t n = m.n <= cap ? m.n : 0;
    memcpy(data, m.p, n);
    free(m.p);
    return n;
}
