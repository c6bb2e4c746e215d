/* generation_thinking.c - what was asked of thinking, and what the model can do of it. */
#include "generation.h"

#include <stdio.h>

static bool has_effort(const ingle_chat_info *info, const char *effort)
{
    for (size_t i = 0; i < info->n_efforts; i++)
        if (!strcmp(info->efforts[i], effort)) return true;
    return false;
}

/* From the least to the most, in the words of all dialects. */
static const char *const EFFORTS[] = {"minimal", "low", "medium", "high", "xhigh", "max"};
enum { N_EFFORTS = sizeof EFFORTS / sizeof *EFFORTS };

const char *generation_nearest_effort(const ingle_chat_info *info, const char *effort)
{
    size_t asked = 0;
    for (size_t i = 0; i < info->n_efforts; i++)
        if (!strcmp(info->efforts[i], effort)) return info->efforts[i];
    while (asked < N_EFFORTS && strcmp(EFFORTS[asked], effort) != 0) asked++;
    if (asked == N_EFFORTS) asked = 0;
    for (size_t i = asked + 1; i--;)
        if (has_effort(info, EFFORTS[i])) return EFFORTS[i];
    for (size_t i = asked + 1; i < N_EFFORTS; i++)
        if (has_effort(info, EFFORTS[i])) return EFFORTS[i];
    return NULL;
}

/* An effort becomes one that the template knows, or thinking on or off. */
static void choose_effort(generation *g, const ingle_chat_info *info, const char *param,
                          field_reader *r)
{
    bool none = !strcmp(g->effort, "none");
    const char *known =
        none && !has_effort(info, "none") ? NULL : generation_nearest_effort(info, g->effort);
    snprintf(g->effort, sizeof g->effort, "%s", known ? known : "");
    if (known && none) g->thinking = INGLE_THINKING_AUTO;
    if (known) return;
    if (none) g->thinking = INGLE_THINKING_OFF;
    else if (info->thinking_switch && g->thinking != INGLE_THINKING_OFF)
        g->thinking = INGLE_THINKING_ON;
    else field_ignore_text(r, param);
}

bool generation_thinking(generation *g, const ingle_chat_info *info, const char *param,
                         field_reader *r)
{
    if (g->wants_effort && g->effort[0]) choose_effort(g, info, param, r);
    if (g->thinking == INGLE_THINKING_ON && !info->thinking_switch) {
        if (!info->thinks) field_ignore_text(r, param);
        g->thinking = INGLE_THINKING_AUTO;
    }
    if (g->thinking == INGLE_THINKING_OFF && !info->thinking_switch) {
        if (info->thinks)
            return api_fail(r->error, 400, "unsupported_value", param,
                            "forbids thinking, but this model always thinks; a limit of tokens for "
                            "it (reasoning_budget) is possible");
        g->thinking = INGLE_THINKING_AUTO;
    }
    if (g->thinking_tokens >= 0 && !info->thinks) {
        field_ignore_text(r, "reasoning_budget");
        g->thinking_tokens = -1;
    }
    return !r->error->status;
}
