/* generation_thinking.c - what was asked of thinking, and what the model can do of it. */
#include "generation.h"

static bool has_effort(const ingle_chat_info *info, const char *effort)
{
    for (size_t i = 0; i < info->n_efforts; i++)
        if (!strcmp(info->efforts[i], effort)) return true;
    return false;
}

/* An effort becomes one that the template knows, or thinking on or off. */
static void choose_effort(generation *g, const ingle_chat_info *info, const char *param,
                          field_reader *r)
{
    bool none = !strcmp(g->effort, "none");
    if (has_effort(info, g->effort)) {
        if (none) g->thinking = INGLE_THINKING_AUTO;
        return;
    }
    g->effort[0] = 0;
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
