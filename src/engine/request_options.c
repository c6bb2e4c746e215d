/* request_options.c - options of generations: defaults, and what can be said of them without a
 * model. */
#include "base/options.h"
#include "engine/request.h"

#include <math.h>

static const ingle_generate_options default_options = {.size = sizeof default_options,
                                                       .max_tokens = -1,
                                                       .logprobs = -1,
                                                       .priority = INGLE_CLASS_NORMAL,
                                                       .prompt_logprobs = -1,
                                                       .n = 1,
                                                       .n_thinking = -1};

void ingle_generate_options_init_sized(ingle_generate_options *opt, size_t size)
{
    ingle_options_fill(opt, size, &default_options, sizeof default_options);
}

/* ---- options ---- */

static ingle_status check_seconds(const char *name, double value, ingle_error *err)
{
    if (value >= 0 && value < 1e9) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL, "option '%s' is %g, should be 0 or more seconds", name,
                      value);
}

/* What can be said of the options without a model. */
static ingle_status check_options(const ingle_generate_options *opt, ingle_error *err)
{
    ingle_status st;
    if (opt->max_tokens < -1)
        return ingle_fail(err, INGLE_EINVAL, "option 'max_tokens' is %d, should be -1 or more",
                          opt->max_tokens);
    if (opt->min_tokens < 0)
        return ingle_fail(err, INGLE_EINVAL, "option 'min_tokens' is %d, should be 0 or more",
                          opt->min_tokens);
    if (opt->max_tokens >= 0 && opt->min_tokens > opt->max_tokens)
        return ingle_fail(err, INGLE_EINVAL,
                          "option 'min_tokens' is %d, should be at most 'max_tokens', which is %d",
                          opt->min_tokens, opt->max_tokens);
    if (opt->n_thinking < -1)
        return ingle_fail(err, INGLE_EINVAL, "option 'n_thinking' is %d, should be -1 or more",
                          opt->n_thinking);
    if (opt->n_thinking >= 0 && !opt->chat)
        return ingle_fail(err, INGLE_EINVAL, "option 'n_thinking' needs option 'chat'");
    if ((st = ingle_option_range("logprobs", opt->logprobs, -1, INGLE_MAX_TOP, err))) return st;
    if ((st = ingle_option_range("prompt_logprobs", opt->prompt_logprobs, -1, INGLE_MAX_TOP, err)))
        return st;
    if ((st = ingle_option_range("priority", (int32_t)opt->priority, 0, INGLE_CLASS_HIGH, err)))
        return st;
    if ((st = ingle_option_range("n", opt->n, 1, INGLE_MAX_CHOICES, err))) return st;
    if ((st = ingle_option_range("overflow", (int32_t)opt->overflow, 0, INGLE_OVERFLOW_DROP, err)))
        return st;
    if (opt->overflow && opt->prompt_logprobs >= 0)
        return ingle_fail(err, INGLE_EINVAL,
                          "options 'overflow' and 'prompt_logprobs' exclude each other");
    if ((st = check_seconds("queue_s", opt->queue_s, err))) return st;
    if ((st = check_seconds("deadline_s", opt->deadline_s, err))) return st;
    if (opt->n_stop_tokens && !opt->stop_tokens)
        return ingle_fail(err, INGLE_EINVAL, "option 'stop_tokens' is NULL, n_stop_tokens is %zu",
                          opt->n_stop_tokens);
    if (opt->n_marks && !opt->marks)
        return ingle_fail(err, INGLE_EINVAL, "option 'marks' is NULL, n_marks is %zu",
                          opt->n_marks);
    if (opt->sampling && (st = ingle_sampler_options_check(opt->sampling, err))) return st;
    return ingle_stopper_check(opt->stops, opt->n_stops, err);
}

ingle_status ingle_request_take_options(ingle_generate_options *o,
                                        const ingle_generate_options *opt, ingle_error *err)
{
    *o = default_options;
    ingle_status st = ingle_options_take(o, sizeof *o, opt, "generate", err);
    return st ? st : check_options(o, err);
}

ingle_status ingle_generate_options_check(const ingle_generate_options *opt, ingle_error *err)
{
    ingle_generate_options o;
    return ingle_request_take_options(&o, opt, err);
}
