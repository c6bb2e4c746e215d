/* ledger_compare.c - late prompts, and where a new one leaves the nearest of them. */
#include "ledger_parts.h"

/* A prompt that was computed; what it points to follows it in its memory. */
struct ledger_prompt {
    size_t n_bytes;
    uint64_t salt, model, tools[2];
    size_t n_tokens, n_marks;
    size_t *marks;     /* [n_marks] */
    int32_t *messages; /* [n_marks] */
    int32_t *tokens;   /* [n_tokens] */
    char *id;
};

void ledger_forget_prompts(ledger *l)
{
    while (l->n_prompts) free(l->prompts[--l->n_prompts]);
    l->n_prompt_bytes = 0;
}

/* NULL: no memory, or larger than all there may be. */
static ledger_prompt *new_prompt(const ledger *l, const ledger_scope *scope,
                                 const ingle_prompt_info *info, const char *id)
{
    size_t n_id = strlen(id) + 1, n_mark = sizeof(size_t) + sizeof(int32_t);
    ingle_digest d;
    if (info->n_tokens > LEDGER_PROMPT_BYTES / sizeof(int32_t) ||
        info->n_marks > LEDGER_PROMPT_BYTES / n_mark || n_id > LEDGER_PROMPT_BYTES)
        return NULL;
    size_t n =
        sizeof(ledger_prompt) + info->n_marks * n_mark + info->n_tokens * sizeof(int32_t) + n_id;
    ledger_prompt *p = n > LEDGER_PROMPT_BYTES ? NULL : malloc(n);
    if (!p) return NULL;
    *p = (ledger_prompt){.n_bytes = n,
                         .salt = scope->salt,
                         .model = scope->model,
                         .n_tokens = info->n_tokens,
                         .n_marks = info->mark_messages ? info->n_marks : 0};
    p->marks = (size_t *)(p + 1);
    p->messages = (int32_t *)(p->marks + p->n_marks);
    p->tokens = p->messages + p->n_marks;
    p->id = (char *)(p->tokens + p->n_tokens);
    if (p->n_marks) memcpy(p->marks, info->marks, p->n_marks * sizeof *p->marks);
    if (p->n_marks) memcpy(p->messages, info->mark_messages, p->n_marks * sizeof *p->messages);
    if (p->n_tokens) memcpy(p->tokens, info->tokens, p->n_tokens * sizeof *p->tokens);
    memcpy(p->id, id, n_id);
    ingle_digest_begin(&d, l->secret);
    ingle_digest_text(&d, scope->tools, scope->tools ? scope->n_tools : 0);
    ingle_digest_end(&d, p->tools);
    return p;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many tokens two prompts have in common; 0 unless there are more than `least`. */
static size_t common(const ledger_prompt *a, const ledger_prompt *b, size_t least)
{
    size_t n = smaller(a->n_tokens, b->n_tokens), i = 0, step = 256;
    if (n <= least || a->tokens[least] != b->tokens[least]) return 0;
    while (i < n) {
        size_t k = smaller(step, n - i);
        if (memcmp(a->tokens + i, b->tokens + i, k * sizeof *a->tokens) != 0) break;
        i += k;
    }
    while (i < n && a->tokens[i] == b->tokens[i]) i++;
    return i > least ? i : 0;
}

/* Of the same salt and model: the one that has most in common with p, of several the latest. NULL:
 * there is none. */
static const ledger_prompt *nearest(const ledger *l, const ledger_prompt *p, size_t *n)
{
    const ledger_prompt *best = NULL;
    *n = 0;
    for (size_t i = l->n_prompts; i--;) {
        const ledger_prompt *q = l->prompts[i];
        if (q->salt != p->salt || q->model != p->model) continue;
        size_t same = common(p, q, *n);
        if (!best || same > *n) best = q;
        if (same > *n) *n = same;
    }
    return best;
}

static const ledger_prompt *named(const ledger *l, uint64_t salt, const char *id)
{
    for (size_t i = l->n_prompts; i--;)
        if (l->prompts[i]->salt == salt && !strcmp(l->prompts[i]->id, id)) return l->prompts[i];
    return NULL;
}

static size_t copy_tokens(int32_t out[16], const ledger_prompt *p, size_t from)
{
    size_t n = smaller(16, p->n_tokens - from);
    memcpy(out, p->tokens + from, n * sizeof *out);
    return n;
}

static void report(ledger_miss *out, const ledger_scope *scope, const ledger_prompt *had,
                   const ledger_prompt *got, size_t at)
{
    size_t i = 0;
    if (at == had->n_tokens || at == got->n_tokens) return;
    while (i < got->n_marks && got->marks[i] <= at) i++;
    out->missed = true;
    out->offset = at;
    if (i < got->n_marks) out->message = got->messages[i];
    bool tools = had->tools[0] == got->tools[0] && had->tools[1] == got->tools[1];
    bool systems = i < got->n_marks && out->message < (int64_t)scope->n_system;
    out->reason = !tools ? "tools_changed" : systems ? "system_changed" : "messages_changed";
    out->n_had = copy_tokens(out->had, had, at);
    out->n_got = copy_tokens(out->got, got, at);
}

static void compare(const ledger *l, const ledger_scope *scope, const ledger_prompt *p,
                    const char *previous, ledger_miss *out)
{
    size_t n = 0;
    const ledger_prompt *had = previous ? named(l, scope->salt, previous) : nearest(l, p, &n);
    if (previous && (!had || had->model != p->model)) {
        out->missed = true;
        out->reason = had ? "model_changed" : "not_found";
        return;
    }
    if (previous) n = common(p, had, 0);
    if (had) report(out, scope, had, p, n);
}

/* The last prompt is added; those that it goes on from are forgotten, and the oldest where there are
 * too many. */
static void remember(ledger *l, ledger_prompt *p)
{
    size_t n = 0, i = 0;
    for (; i < l->n_prompts; i++) {
        ledger_prompt *q = l->prompts[i];
        bool over = q->salt == p->salt && q->model == p->model && q->n_tokens <= p->n_tokens &&
                    !memcmp(q->tokens, p->tokens, q->n_tokens * sizeof *q->tokens);
        if (over) {
            l->n_prompt_bytes -= q->n_bytes;
            free(q);
        } else {
            l->prompts[n++] = q;
        }
    }
    l->n_prompts = n;
    for (i = 0; l->n_prompts - i == LEDGER_PROMPTS ||
                (i < n && l->n_prompt_bytes > LEDGER_PROMPT_BYTES - p->n_bytes);
         i++) {
        l->n_prompt_bytes -= l->prompts[i]->n_bytes;
        free(l->prompts[i]);
    }
    memmove(l->prompts, l->prompts + i, (n - i) * sizeof *l->prompts);
    l->n_prompts = n - i;
    l->prompts[l->n_prompts++] = p;
    l->n_prompt_bytes += p->n_bytes;
}

void ledger_compare(ledger *l, const ledger_scope *scope, const ingle_prompt_info *prompt,
                    const char *id, const char *previous, ledger_miss *out)
{
    ledger_prompt *p = new_prompt(l, scope, prompt, id);
    size_t n_taken = 0;
    *out = (ledger_miss){.message = -1, .reason = ""};
    for (size_t i = 0; i < prompt->n_answers; i++) n_taken += prompt->answers_taken[i];
    pthread_mutex_lock(&l->lock);
    l->counts.n_taken += n_taken;
    if (p) compare(l, scope, p, previous, out);
    if (p) remember(l, p);
    pthread_mutex_unlock(&l->lock);
}
