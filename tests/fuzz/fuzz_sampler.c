/* fuzz_sampler.c - any bytes as the sampling options of a command line, and as logits.
 * Input: number of logits less one (1 byte), the logits (4 bytes each), options, one a line. */
#include "fuzz.h"
#include "cli/sampling.h"
#include "sample/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 64, N_DRAWS = 6 };

static const arg_group GROUP = {"Sampling", sampling_rows,  SAMPLING_N_ROWS,
                                0,          sampling_check, offsetof(sampling_options, given)};
static const cli_verb VERB = {
    .name = "sample", .synopsis = "", .summary = "", .about = "", .groups = &GROUP, .n_groups = 1};

/* A clone draws what a mask admits; the logits' own bits are the mask. */
static void draw_masked(const ingle_sampler *s, const float *logits, size_t n_vocab)
{
    uint32_t mask[8];
    ingle_sampler *clone;
    ingle_candidate c;
    ingle_error err = {""};
    ingle_sample_scratch *x = ingle_sample_scratch_new((int32_t)n_vocab);
    memset(mask, 0, sizeof mask);
    memcpy(mask, logits,
           n_vocab * sizeof *logits < sizeof mask ? n_vocab * sizeof *logits : sizeof mask);
    if (!x || ingle_sampler_clone(&clone, s, mask[0], &err)) abort();
    if (ingle_sampler_draw(clone, x, logits, mask, &c, &err)) {
        if (!err.text[0]) abort();
    } else if (c.token < 0 || (size_t)c.token >= n_vocab ||
               !(mask[c.token / 32] >> c.token % 32 & 1) || !(c.prob >= 0 && c.prob <= 1)) {
        abort();
    }
    ingle_sampler_close(&clone);
    ingle_sample_scratch_free(x);
}

/* Draws, each told to the sampler; the tokens, -1 from where one was refused. */
static void draw(ingle_sampler *s, const float *logits, size_t n_vocab, int32_t tokens[N_DRAWS])
{
    const ingle_candidate *cand;
    size_t n;
    for (size_t i = 0; i < N_DRAWS; i++) {
        ingle_candidate c;
        ingle_error err = {""};
        tokens[i] = -1;
        if (ingle_sampler_apply(s, logits, &cand, &n, &err) == INGLE_OK) {
            if (n < 1 || n > n_vocab) abort();
            for (size_t k = 0; k < n; k++)
                if (cand[k].token < 0 || (size_t)cand[k].token >= n_vocab) abort();
        }
        draw_masked(s, logits, n_vocab);
        if (ingle_sampler_sample(s, logits, &c, &err)) {
            if (!err.text[0]) abort(); /* refused without a word */
            continue;
        }
        if (c.token < 0 || (size_t)c.token >= n_vocab || !(c.prob >= 0 && c.prob <= 1)) abort();
        if (!(logits[c.token] > -INFINITY && logits[c.token] < INFINITY)) abort();
        tokens[i] = c.token;
        if (ingle_sampler_accept(s, c.token, &err)) abort();
    }
}

/* After a reset the same tokens are drawn. */
static void sample(const ingle_sampler_options *opt, const float *logits, size_t n_vocab)
{
    ingle_sampler *s;
    ingle_error err = {""};
    const ingle_breaker breaker = {(int32_t[]){0}, 1};
    int32_t first[N_DRAWS], again[N_DRAWS];
    if (ingle_sampler_new(&s, opt, (int32_t)n_vocab, &breaker, 1, &err)) {
        if (!err.text[0] || s) abort();
        return;
    }
    draw(s, logits, n_vocab, first);
    if (ingle_sampler_reset(s, &err)) abort();
    draw(s, logits, n_vocab, again);
    if (memcmp(first, again, sizeof first) != 0) abort();
    ingle_sampler_close(&s);
}

static void parse_and_sample(char *text, const float *logits, size_t n_vocab)
{
    sampling_options opt;
    char *argv[MAX_ARGS];
    const char *positional[1];
    int argc = 0;
    for (char *p = text; p && *p && argc < MAX_ARGS;) {
        argv[argc++] = p;
        p = strchr(p, '\n');
        if (p) *p++ = 0;
    }
    sampling_init(&opt);
    bool parsed = args_parse(&VERB, &opt, argc, argv, positional) == ARGS_OK;
    opt.seed.given = true; /* without one, draws could not be repeated */
    if (parsed && sampling_settle(&opt)) sample(&opt.lib, logits, n_vocab);
    sampling_free(&opt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *null;
    FILE *out = stdout, *err = stderr; /* glibc lets a program put others in their place */
    float logits[256];
    size_t n_vocab = size ? (size_t)data[0] + 1 : 0, n = 1 + n_vocab * sizeof *logits;
    if (!size || size < n) return 0;
    char *text = malloc(size - n + 1);
    if (!null) null = fopen("/dev/null", "w");
    if (!text || !null) abort();
    memcpy(logits, data + 1, n - 1);
    memcpy(text, data + n, size - n);
    text[size - n] = 0;
    stdout = stderr = null;
    parse_and_sample(text, logits, n_vocab);
    stdout = out, stderr = err;
    free(text);
    return 0;
}

size_t fuzz_seed(size_t i, uint8_t *data, size_t cap)
{
    static const char *const seeds[] = {
        "-s\n7\n--temp\n0.7\n--top-k=3\n--top-p\n0.9\n--min-p\n0.1",
        "--samplers\ntop_k;penalties;temperature\n--repeat-penalty\n1.3\n-l\n2+1.5\n-l\n3-inf",
        "--mirostat\n1\n--mirostat-ent\n2\n--mirostat-lr\n0.3",
        "--mirostat\n2\n--dynatemp-range\n0.5\n--dynatemp-exp\n2",
        "--dry-multiplier\n0.8\n--dry-base\n2\n--dry-allowed-length\n1\n--presence-penalty\n0.5",
        "--typical\n0.6\n--xtc-probability\n1\n--xtc-threshold\n0.1\n--min-keep\n2",
        "--top-nsigma\n1\n--dynatemp-range\n1\n--frequency-penalty\n-1\n--repeat-last-n\n-1",
        "--temp\n0\n--dry-sequence-breaker\nnone\n--dry-penalty-last-n\n0",
    };
    static const float logits[] = {1, -2.5f, 3, 0, 2.75f, -INFINITY, 1};
    if (i >= sizeof seeds / sizeof *seeds) return 0;
    size_t len = strlen(seeds[i]), n = 1 + sizeof logits;
    if (n + len > cap) return 0;
    data[0] = sizeof logits / sizeof *logits - 1;
    memcpy(data + 1, logits, sizeof logits);
    memcpy(data + n, seeds[i], len);
    return n + len;
}
