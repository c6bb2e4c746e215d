/* sampling.c - see sampling.h. */
#include "sampling.h"
#include "out.h"
#include "platform.h"

#include "base/entropy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define AT(field)  offsetof(sampling_options, field)
#define LIB(field) offsetof(sampling_options, lib.field)

static const arg_choice MIROSTAT[] = {{"0", 0}, {"1", 1}, {"2", 2}, {NULL, 0}};

const arg_option sampling_rows[SAMPLING_N_ROWS] = {
    {"-s --seed", "N", ARG_SEED, AT(seed), 0, 0, NULL,
     "seed of the draws; the same seed gives the same text (default -1: a fresh one)"},
    {"--temp --temperature", "T", ARG_FLOAT, LIB(temperature), ARG_MIN, ARG_MAX, NULL,
     "temperature; 0 always takes the most likely token (default 0.8)"},
    {"--top-k", "N", ARG_INT, LIB(top_k), ARG_MIN, ARG_MAX, NULL,
     "keep the N most likely tokens; 0 is off (default 40)"},
    {"--top-p", "P", ARG_FLOAT, LIB(top_p), ARG_MIN, ARG_MAX, NULL,
     "keep the most likely tokens up to probability P together; 1 is off (default 0.95)"},
    {"--min-p", "P", ARG_FLOAT, LIB(min_p), ARG_MIN, ARG_MAX, NULL,
     "keep tokens at least P times as likely as the best one; 0 is off (default 0.05)"},
    {"--typical --typical-p", "P", ARG_FLOAT, LIB(typical_p), ARG_MIN, ARG_MAX, NULL,
     "keep locally typical tokens up to probability P; 1 is off (default 1)"},
    {"--top-nsigma --top-n-sigma", "N", ARG_FLOAT, LIB(top_n_sigma), ARG_MIN, ARG_MAX, NULL,
     "keep tokens within N standard deviations of the best logit; -1 is off (default -1)"},
    {"--xtc-probability", "P", ARG_FLOAT, LIB(xtc_probability), ARG_MIN, ARG_MAX, NULL,
     "chance of dropping all but the least likely of the likely tokens; 0 is off (default 0)"},
    {"--xtc-threshold", "P", ARG_FLOAT, LIB(xtc_threshold), ARG_MIN, ARG_MAX, NULL,
     "probability from which XTC calls a token likely; above 0.5 is off (default 0.1)"},
    {"--min-keep", "N", ARG_INT, LIB(min_keep), ARG_MIN, ARG_MAX, NULL,
     "candidates that every filter leaves at least (default 1)"},
    {"--repeat-penalty", "X", ARG_FLOAT, LIB(repeat_penalty), ARG_MIN, ARG_MAX, NULL,
     "divide the logits of recent tokens by X; 1 is off (default 1)"},
    {"--repeat-last-n", "N", ARG_INT, LIB(penalty_last_n), ARG_MIN, ARG_MAX, NULL,
     "recent tokens that the penalties look at; 0 is off, -1 the whole context (default 64)"},
    {"--presence-penalty", "X", ARG_FLOAT, LIB(presence_penalty), ARG_MIN, ARG_MAX, NULL,
     "subtract X from the logits of recent tokens (default 0)"},
    {"--frequency-penalty", "X", ARG_FLOAT, LIB(frequency_penalty), ARG_MIN, ARG_MAX, NULL,
     "subtract X from the logits of recent tokens for every occurrence (default 0)"},
    {"--dry-multiplier", "X", ARG_FLOAT, LIB(dry_multiplier), ARG_MIN, ARG_MAX, NULL,
     "strength of the DRY penalty on repeated sequences; 0 is off (default 0)"},
    {"--dry-base", "X", ARG_FLOAT, LIB(dry_base), ARG_MIN, ARG_MAX, NULL,
     "growth of the DRY penalty with the length repeated (default 1.75)"},
    {"--dry-allowed-length", "N", ARG_INT, LIB(dry_allowed_length), ARG_MIN, ARG_MAX, NULL,
     "repeats up to this length cost nothing (default 2)"},
    {"--dry-penalty-last-n", "N", ARG_INT, LIB(dry_last_n), ARG_MIN, ARG_MAX, NULL,
     "recent tokens that DRY looks at; 0 is off, -1 the whole context (default -1)"},
    {"--dry-sequence-breaker", "STR", ARG_LIST, AT(dry_breakers), 0, 0, NULL,
     "text that ends a repeated sequence; repeatable, the first use replaces the defaults "
     "(newline, colon, double quote, asterisk), 'none' clears them"},
    {"--dynatemp-range", "X", ARG_FLOAT, LIB(dynatemp_range), ARG_MIN, ARG_MAX, NULL,
     "temperature moves by up to X with the entropy; 0 is off (default 0)"},
    {"--dynatemp-exp", "X", ARG_FLOAT, LIB(dynatemp_exponent), ARG_MIN, ARG_MAX, NULL,
     "exponent of the dynamic temperature (default 1)"},
    {"--mirostat", "N", ARG_CHOICE, AT(mirostat), 0, 0, MIROSTAT,
     "Mirostat version 1 or 2 in place of the filters; 0 is off (default 0)"},
    {"--mirostat-ent", "X", ARG_FLOAT, LIB(mirostat_tau), ARG_MIN, ARG_MAX, NULL,
     "Mirostat's target entropy, tau (default 5)"},
    {"--mirostat-lr", "X", ARG_FLOAT, LIB(mirostat_eta), ARG_MIN, ARG_MAX, NULL,
     "Mirostat's learning rate, eta (default 0.1)"},
    {"--adaptive-target", "P", ARG_FLOAT, LIB(adaptive_target), ARG_MIN, ARG_MAX, NULL,
     "adaptive-p: favour tokens near probability P, so that P is what is drawn on average; -1 is "
     "off "
     "(default -1)"},
    {"--adaptive-decay", "X", ARG_FLOAT, LIB(adaptive_decay), ARG_MIN, ARG_MAX, NULL,
     "how much of that average every draw leaves, 0 to 0.99 (default 0.9)"},
    {"--samplers", "LIST", ARG_STRING, LIB(order), 0, 0, NULL,
     "stages in the order they run (default "
     "penalties;dry;top_n_sigma;top_k;typical_p;top_p;min_p;xtc;temperature)"},
    {"-l --logit-bias", "ID(+|-)X", ARG_LIST, AT(logit_bias), 0, 0, NULL,
     "add X to the logit of token ID, as in 13+1.5 or 13-inf (never this token); repeatable"},
};

void sampling_init(sampling_options *opt)
{
    *opt = (sampling_options){0};
    ingle_sampler_options_init(&opt->lib);
}

bool sampling_parse_bias(const char *text, ingle_logit_bias *bias)
{
    char digits[16];
    size_t n = strspn(text, "0123456789");
    int64_t token;
    if (n == 0 || n >= sizeof digits || (text[n] != '+' && text[n] != '-')) return false;
    memcpy(digits, text, n);
    digits[n] = 0;
    if (!args_parse_i64(digits, &token) || token > INT32_MAX) return false;
    bias->token = (int32_t)token;
    if (strcmp(text + n, "-inf") == 0) {
        bias->bias = -INFINITY;
        return true;
    }
    return text[n + 1] != '+' && text[n + 1] != '-' && args_parse_float(text + n, &bias->bias);
}

/* Asks the library about one field alone, among defaults. */
ingle_status sampling_check(const void *options, const arg_option *row, ingle_error *err)
{
    const sampling_options *opt = options;
    ingle_sampler_options lib;
    ingle_sampler_options_init(&lib);
    if (row->kind == ARG_INT || row->kind == ARG_FLOAT) {
        _Static_assert(sizeof(int32_t) == sizeof(float), "both are copied alike");
        memcpy((char *)&lib + (row->offset - AT(lib)), (const char *)opt + row->offset,
               sizeof(float));
    } else if (row->offset == LIB(order)) {
        lib.order = opt->lib.order;
    } else if (row->offset == AT(dry_breakers)) {
        lib.dry_breakers = opt->dry_breakers.items;
        lib.n_dry_breakers = opt->dry_breakers.n;
    } else if (row->offset == AT(logit_bias)) {
        ingle_logit_bias bias;
        const char *text = opt->logit_bias.items[opt->logit_bias.n - 1];
        if (!sampling_parse_bias(text, &bias)) {
            snprintf(err->text, sizeof err->text, "'%.100s' is not TOKEN+BIAS or TOKEN-BIAS", text);
            return INGLE_EINVAL;
        }
        lib.logit_bias = &bias;
        lib.n_logit_bias = 1;
        return ingle_sampler_options_check(&lib, err);
    }
    return ingle_sampler_options_check(&lib, err);
}

bool sampling_settle(sampling_options *opt)
{
    bool none = opt->dry_breakers.n == 1 && strcmp(opt->dry_breakers.items[0], "none") == 0;
    /* Readers of JSON hold numbers in 53 bits. */
    opt->lib.seed = opt->seed.given ? opt->seed.value : ingle_entropy() >> 11;
    opt->lib.mirostat = opt->mirostat;
    if (opt->dry_breakers.n > 0) {
        opt->lib.dry_breakers = opt->dry_breakers.items;
        opt->lib.n_dry_breakers = none ? 0 : opt->dry_breakers.n;
    }
    if (opt->logit_bias.n == 0) return true;
    free(opt->biases);
    opt->biases = calloc(opt->logit_bias.n, sizeof *opt->biases);
    if (!opt->biases) {
        out_error("no memory for the logit biases");
        return false;
    }
    for (size_t i = 0; i < opt->logit_bias.n; i++)
        if (!sampling_parse_bias(opt->logit_bias.items[i], &opt->biases[i]))
            return false; /* checked before */
    opt->lib.logit_bias = opt->biases;
    opt->lib.n_logit_bias = opt->logit_bias.n;
    return true;
}

int sampling_from_chat(sampling_options *opt, const ingle_model *model, const ingle_chat *chat,
                       bool thinking, const char *path)
{
    sampling_options file;
    ingle_error err = {{0}};
    sampling_init(&file);
    ingle_status status = chat ? ingle_chat_sampling(chat, thinking, &file.lib, &err) : INGLE_OK;
    if (status == INGLE_OK) status = ingle_sampler_options_from_model(&file.lib, model, &err);
    if (status != INGLE_OK) {
        out_error("%s: %s", path, err.text);
        return EXIT_MODEL;
    }
    for (size_t i = 0; i < SAMPLING_N_ROWS; i++) {
        const arg_option *row = &sampling_rows[i];
        if (opt->given >> i & 1) continue;
        if (row->kind == ARG_INT || row->kind == ARG_FLOAT)
            memcpy((char *)opt + row->offset, (const char *)&file + row->offset, sizeof(float));
        else if (row->offset == LIB(order)) opt->lib.order = file.lib.order;
        else if (row->offset == AT(mirostat)) opt->lib.mirostat = file.lib.mirostat;
    }
    return EXIT_DONE;
}

int sampling_from_model(sampling_options *opt, const ingle_model *model, const char *path)
{
    return sampling_from_chat(opt, model, NULL, false, path);
}

void sampling_free(sampling_options *opt)
{
    args_list_free(&opt->dry_breakers);
    args_list_free(&opt->logit_bias);
    free(opt->biases);
    opt->biases = NULL;
}
