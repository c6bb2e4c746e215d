/* profile.c - which row a model belongs to, and what its template shows (profile.h). */
#include "chat/profile.h"

#include <stdio.h>
#include <string.h>

#define N_OF(array) (sizeof(array) / sizeof *(array))

/* ---- names ----------------------------------------------------------------------------------- */

static char plain(char c)
{
    if (c >= 'A' && c <= 'Z') return (char)(c | 0x20);
    return c == '_' || c == ' ' ? '-' : c;
}

/* Whether the part occurs in the name, written one way or the other. */
static bool name_has(const char *name, const char *part)
{
    for (; name && *name; name++) {
        size_t i = 0;
        while (part[i] && plain(name[i]) == part[i]) i++;
        if (!part[i]) return true;
    }
    return false;
}

static bool is_named(const ingle_chat_family *f, const ingle_profile_query *q)
{
    for (size_t i = 0; i < INGLE_PROFILE_TEXTS && f->names[i]; i++)
        if (name_has(q->basename, f->names[i]) || name_has(q->name, f->names[i]) ||
            name_has(q->file, f->names[i]))
            return true;
    return false;
}

static bool is_arch(const ingle_chat_family *f, const ingle_profile_query *q)
{
    for (size_t i = 0; q->arch && i < INGLE_PROFILE_TEXTS && f->arch[i]; i++)
        if (!strcmp(f->arch[i], q->arch)) return true;
    return false;
}

static bool is_signed(const ingle_chat_family *f, const ingle_profile_query *q)
{
    for (size_t i = 0; q->template_text && i < INGLE_PROFILE_SIGNS; i++)
        if (ingle_signs_in(&f->signs[i], q->template_text, q->n_template)) return true;
    return false;
}

/* ---- the row --------------------------------------------------------------------------------- */

/* A name agrees if the row's architectures do not speak against it. */
enum { BY_SIGNS = 1, BY_ARCH = 2, BY_NAME = 4, AGREES = 8, WEAK = 16 };

/* How a row agrees with what is asked for. */
static unsigned agreement(const ingle_chat_family *f, const ingle_profile_query *q)
{
    unsigned how = 0;
    if (is_named(f, q)) how |= BY_NAME;
    else if (f->needs_name) return 0;
    if (is_arch(f, q)) how |= BY_ARCH;
    if (how && (!q->arch || !f->arch[0] || how & BY_ARCH)) how |= AGREES;
    if (is_signed(f, q)) how |= f->weak ? WEAK : BY_SIGNS;
    return how;
}

/* The first row that agrees in the best way; of equal ways the earlier row. */
static const ingle_chat_family *best_row(const ingle_profile_query *q, unsigned *how)
{
    static const unsigned ways[] = {
        BY_SIGNS | BY_NAME, BY_SIGNS | BY_ARCH, BY_SIGNS, AGREES | BY_NAME, BY_ARCH, BY_NAME, WEAK};
    const ingle_chat_family *f, *best = NULL, *last = NULL;
    size_t rank = N_OF(ways);
    *how = 0;
    for (size_t i = 0; (f = ingle_profile_family(i)) != NULL; i++) {
        unsigned h = agreement(f, q);
        size_t r = 0;
        while (r < rank && (h & ways[r]) != ways[r]) r++;
        last = f;
        if (r == rank) continue;
        rank = r;
        best = f;
        *how = h;
    }
    return best ? best : last;
}

static ingle_status row_named(const char *name, const ingle_chat_family **out, ingle_error *err)
{
    const ingle_chat_family *f;
    char list[160] = "";
    size_t n = 0;
    for (size_t i = 0; (f = ingle_profile_family(i)) != NULL; i++) {
        if (!strcmp(f->name, name)) {
            *out = f;
            return INGLE_OK;
        }
        size_t len = strlen(f->name);
        bool near = plain(name[0]) == f->name[0];
        if (!near || n + len + 3 > sizeof list) continue;
        if (n) list[n++] = ',';
        if (n) list[n++] = ' ';
        memcpy(list + n, f->name, len + 1);
        n += len;
    }
    return ingle_fail(err, INGLE_EINVAL, "no model family '%s'%s%s", name, n ? "; there are " : "",
                      list);
}

/* ---- what the template shows ----------------------------------------------------------------- */

static const ingle_think_switch switches[] = {
    {"enable_thinking", "true", "false", "enable_thinking"},
    {"thinking_mode", "\"enabled\"", "\"disabled\"", "thinking_mode is defined"},
    {"thinking_budget", "-1", "0", "thinking_budget is defined"},
    {"thinking", "true", "false", " thinking is defined"},
    {"thinking", "true", "false", "elif thinking %}"},
    {"reasoning", "true", "false", "reasoning is not undefined"},
    {"reasoning_effort", "\"high\"", "\"no_think\"", "'no_think'"},
    {"reasoning_effort", "\"high\"", "\"minimal\"", "[\"low\", \"minimal\"]"},
};

static const char *const efforts[] = {"none",   "no_think", "minimal", "low",
                                      "medium", "high",     "max"};

static bool shows(const ingle_profile_query *q, const char *text)
{
    return q->template_text && ingle_text_in(text, q->template_text, q->n_template);
}

/* The text between quotes of one kind or the other. */
static bool quotes(const ingle_profile_query *q, const char *before, const char *text)
{
    char quoted[2 * INGLE_MARK_MAX + 8];
    for (const char *quote = "'\""; *quote; quote++) {
        snprintf(quoted, sizeof quoted, "%s%c%s%c", before, *quote, text, *quote);
        if (shows(q, quoted)) return true;
    }
    return false;
}

/* The template names the role, or writes roles as they are. */
static bool passes_tool_role(const ingle_profile_query *q)
{
    static const char *const signs[] = {"+ message[\"role\"]", "+ message['role']",
                                        "+ message.role", "bos_token + message.role",
                                        "{{ message.role"};
    for (size_t i = 0; i < N_OF(signs); i++)
        if (shows(q, signs[i])) return true;
    return quotes(q, "", "tool");
}

static void add_call(ingle_chat_profile *p, const ingle_call_syntax *s)
{
    size_t n = 0;
    for (; n < INGLE_PROFILE_CALLS && p->calls[n]; n++)
        if (p->calls[n] == s) return;
    if (s && n < INGLE_PROFILE_CALLS) p->calls[n] = s;
}

static void take_efforts(ingle_chat_profile *p, const ingle_profile_query *q)
{
    size_t n = 0;
    if (p->family->efforts[0] || !q->template_text) {
        memcpy(p->efforts, p->family->efforts, sizeof p->efforts);
        return;
    }
    if (!shows(q, "reasoning_effort")) return;
    for (size_t i = 0; i < N_OF(efforts); i++)
        if (quotes(q, "", efforts[i])) p->efforts[n++] = efforts[i];
}

static ingle_history history_of(const ingle_chat_profile *p, const ingle_profile_query *q)
{
    static const char *const signs[] = {"last_user",        "last_query",    "strip_thinking",
                                        "truncate_history", "drop_thinking", "after_last_user",
                                        "future_final",     "last_non_tool", "think_render"};
    if (!p->thinking) return INGLE_HISTORY_KEEP;
    for (size_t i = 0; i < N_OF(signs); i++)
        if (shows(q, signs[i])) return INGLE_HISTORY_TEMPLATE;
    for (size_t i = 0; i < N_OF(p->thinking->close) && p->thinking->close[i]; i++)
        if (quotes(q, "split(", p->thinking->close[i])) return INGLE_HISTORY_TEMPLATE;
    return INGLE_HISTORY_STRIP;
}

static void fill(ingle_chat_profile *p, const ingle_chat_family *f, const ingle_profile_query *q)
{
    const char *text = q->template_text;
    const ingle_call_syntax *shown = text ? ingle_call_syntax_in(text, q->n_template) : NULL;
    *p = (ingle_chat_profile){.family = f};
    p->thinking = text ? ingle_thinking_in(text, q->n_template) : NULL;
    p->thinks = p->thinking || (f->thinking && !f->weak && f->signs[0].all[0]);
    if (!p->thinking) p->thinking = ingle_thinking_named(f->thinking);
    add_call(p, shown);
    for (size_t i = 0; i < INGLE_PROFILE_CALLS && f->calls[i]; i++)
        add_call(p, ingle_call_syntax_named(f->calls[i]));
    for (size_t i = 0; p->thinking && i < N_OF(switches) && !p->think_switch; i++)
        if (shows(q, switches[i].sign)) p->think_switch = &switches[i];
    take_efforts(p, q);
    p->history = history_of(p, q);
    p->has_tools = text ? shown || shows(q, "tools") : f->calls[0] != NULL;
    p->tool_role = !text || passes_tool_role(q);
    p->system_role = !f->no_system && !shows(q, "System role not supported");
}

/* ---- profile.h ------------------------------------------------------------------------------- */

ingle_status ingle_profile_find(ingle_chat_profile *out, const ingle_profile_query *query,
                                ingle_error *err)
{
    const ingle_chat_family *f = NULL;
    unsigned how = BY_NAME;
    if (query->family) {
        ingle_status st = row_named(query->family, &f, err);
        if (st) return st;
    } else {
        f = best_row(query, &how);
    }
    fill(out, f, query);
    out->by_template = how & (BY_SIGNS | WEAK);
    out->by_metadata = how & BY_ARCH;
    out->by_name = how & BY_NAME;
    return INGLE_OK;
}

void ingle_profile_generic(ingle_chat_profile *out)
{
    ingle_profile_query none = {0};
    unsigned how;
    fill(out, best_row(&none, &how), &none);
}

const ingle_preset *ingle_profile_preset(const ingle_chat_profile *profile, bool thinking)
{
    const ingle_chat_family *f = profile->family;
    return thinking && f->preset_thinking.has_temperature ? &f->preset_thinking : &f->preset;
}

bool ingle_profile_prompt_thinks(const ingle_chat_profile *profile, const char *prompt, size_t n)
{
    static const char analysis[] = "<|channel|>analysis<|message|>";
    const ingle_thinking *t = profile->thinking;
    while (n && (prompt[n - 1] == '\n' || prompt[n - 1] == ' ')) n--;
    for (size_t i = 0; t && i < N_OF(t->open); i++) {
        const char *open = t->harmony && !i ? analysis : t->open[i];
        size_t len = open ? strlen(open) : 0;
        if (len && n >= len && !memcmp(prompt + n - len, open, len)) return true;
    }
    return false;
}
