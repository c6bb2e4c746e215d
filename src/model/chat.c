/* chat.c - opening a chat: finds the templates, and by rendering with them what they can do. */
#define _POSIX_C_SOURCE 200809L /* gmtime_r() */
#include "model/chat.h"

#include "base/options.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const ingle_chat_options default_options = {.size = sizeof default_options};

void ingle_chat_options_init_sized(ingle_chat_options *opt, size_t size)
{
    ingle_options_fill(opt, size, &default_options, sizeof default_options);
}

/* INGLE_TEMPLATE_PLAIN. Tools, calls and results come in words (chat_context.c). */
static const char line_template[] =
    "{%- for m in messages %}{{ m.role }}: {{ m.content | trim }}\n{% endfor %}"
    "{%- if add_generation_prompt %}assistant:{% endif %}";
static const char *const line_stops[INGLE_CHAT_LINE_STOPS] = {
    "\nuser:", "\nassistant:", "\nsystem:"};

static const ingle_chat_input default_input = {.size = sizeof default_input};

void ingle_chat_input_init_sized(ingle_chat_input *in, size_t size)
{
    ingle_options_fill(in, size, &default_input, sizeof default_input);
}

static const char no_memory[] = "no memory for a chat";

/* ---- rendering ---- */

static ingle_status read_time(ingle_jinja_time *t, const char *now, ingle_error *err)
{
    static const int most[] = {9999, 12, 31, 23, 59, 60}, least[] = {1, 1, 1, 0, 0, 0};
    int *part[] = {&t->year, &t->month, &t->day, &t->hour, &t->minute, &t->second}, end = 0;
    if (!now) {
        struct tm tm;
        time_t clock = time(NULL);
        gmtime_r(&clock, &tm);
        *t = (ingle_jinja_time){tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                                tm.tm_hour,        tm.tm_min,     tm.tm_sec};
        return INGLE_OK;
    }
    bool ok = sscanf(now, "%4d-%2d-%2dT%2d:%2d:%2d%n", &t->year, &t->month, &t->day, &t->hour,
                     &t->minute, &t->second, &end) == 6 &&
              end == 19 && !now[19];
    for (size_t i = 0; ok && i < 6; i++) ok = *part[i] >= least[i] && *part[i] <= most[i];
    return ok ? INGLE_OK
              : ingle_fail(err, INGLE_EINVAL,
                           "option 'now' is '%.40s', should be as 2026-01-15T09:30:00", now);
}

ingle_status ingle_chat_print(ingle_jinja_output *out, const ingle_chat *chat,
                              const ingle_chat_form *form, const ingle_json *context,
                              const char *now, ingle_error *err)
{
    const ingle_jinja_trusted trusted[] = {{"bos_token", chat->bos, strlen(chat->bos)},
                                           {"eos_token", chat->eos, strlen(chat->eos)}};
    ingle_jinja_input in = {.context = context, .trusted = trusted, .n_trusted = 2};
    *out = (ingle_jinja_output){.text = NULL};
    ingle_status st = read_time(&in.now, now, err);
    return st ? st : ingle_jinja_render(form->jinja, &in, out, err);
}

/* ---- what a template can do ---- */

/* Renderings with a form that is being opened. */
typedef struct trial {
    const ingle_chat *chat;
    ingle_chat_form *form;
    bool no_memory; /* one has failed for that */
} trial;

/* Whether these messages render, and `judge` is content with what they give. */
static bool renders(trial *t, const char *messages, bool (*judge)(const char *text, size_t n))
{
    ingle_chat_input in;
    ingle_json_doc doc = {.root = NULL};
    ingle_jinja_output out = {.text = NULL};
    ingle_chat_input_init(&in);
    in.messages = messages;
    in.n_messages = strlen(messages);
    ingle_status st = ingle_chat_context(&doc, NULL, t->form, &in, NULL);
    if (!st) st = ingle_chat_print(&out, t->chat, t->form, doc.root, "2026-01-15T09:30:00", NULL);
    bool ok = !st && judge(out.text, out.n);
    t->no_memory = t->no_memory || st == INGLE_ENOMEM;
    ingle_jinja_output_free(&out);
    ingle_json_close(&doc);
    return ok;
}

/* The arguments came out as what they are, not as Python shows a dict, nor as a string in
 * quotes. */
static bool shows_arguments(const char *text, size_t n)
{
    return ingle_text_in("probe_key", text, n) && ingle_text_in("probe_value", text, n) &&
           !ingle_text_in("{'probe_key'", text, n) && !ingle_text_in("\\\"probe_key", text, n);
}

static bool shows_system(const char *text, size_t n)
{
    return ingle_text_in("probe_system", text, n);
}

static bool shows_user(const char *text, size_t n)
{
    return ingle_text_in("probe_user", text, n);
}

#define CALL_OF(id, role_after)                                                                    \
    "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"\","             \
    "\"tool_calls\":[{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":"             \
    "\"probe\",\"arguments\":{\"probe_key\":\"probe_value\"}}}]}" role_after "]"
#define RESULT_OF(id)                                                                              \
    ",{\"role\":\"tool\",\"name\":\"probe\",\"tool_call_id\":\"" id "\",\"content\":\"1\"}"
#define CALL(role_after) CALL_OF("call12345", role_after)
#define RESULT           RESULT_OF("call12345")

static bool shows_call(trial *t)
{
    return renders(t, CALL(""), shows_arguments) || renders(t, CALL(RESULT), shows_arguments);
}

/* Ids are shortened where a call is shown with a short one, and with no other. */
static void probe_ids(trial *t)
{
    static const char other[] = CALL_OF("call_123456", "");
    static const char other_answered[] = CALL_OF("call_123456", RESULT_OF("call_123456"));
    t->form->short_ids = false;
    t->form->short_ids = !renders(t, other, shows_arguments) &&
                         !renders(t, other_answered, shows_arguments) && shows_call(t);
}

/* False: no memory. */
static bool probe(const ingle_chat *chat, ingle_chat_form *form, const char *text, size_t n)
{
    trial t = {.chat = chat, .form = form};
    form->system = form->system_anywhere = true; /* so that they are asked for as they are */
    form->system = renders(&t,
                           "[{\"role\":\"system\",\"content\":\"probe_system\"},"
                           "{\"role\":\"user\",\"content\":\"a\"}]",
                           shows_system);
    form->system_anywhere =
        form->system && renders(&t,
                                "[{\"role\":\"user\",\"content\":\"a\"},"
                                "{\"role\":\"assistant\",\"content\":\"b\"},"
                                "{\"role\":\"system\",\"content\":\"probe_system\"},"
                                "{\"role\":\"user\",\"content\":\"c\"}]",
                                shows_system);
    form->developer = ingle_jinja_says(form->jinja, "developer", 9);
    form->says_thinking = ingle_text_in(".thinking", text, n) ||
                          ingle_text_in("'thinking'", text, n) ||
                          ingle_text_in("\"thinking\"", text, n);
    form->object_args = true;
    if (!form->profile.has_tools) return !t.no_memory;
    if (!shows_call(&t)) {
        form->object_args = false;
        form->object_args = !shows_call(&t);
    }
    probe_ids(&t);
    return !t.no_memory;
}

/* ---- opening ---- */

static ingle_status find_profile(ingle_chat_form *form, const ingle_model *m, const char *family,
                                 const char *text, size_t n, ingle_error *err)
{
    ingle_str basename = {NULL, 0};
    char base[128];
    if (m->gguf) ingle_gguf_get_str(m->gguf, "general.basename", false, &basename, NULL);
    snprintf(base, sizeof base, "%.*s", (int)(basename.len < 127 ? basename.len : 127),
             basename.ptr ? basename.ptr : "");
    const ingle_profile_query q = {.family = family,
                                   .arch = m->architecture,
                                   .name = m->name,
                                   .basename = base,
                                   .template_text = text,
                                   .n_template = n};
    return ingle_profile_find(&form->profile, &q, err);
}

/* Calls that a template does not show are described by us in the commonest way. */
static void add_plain_calls(ingle_chat_profile *p)
{
    if (p->has_tools) return;
    memmove(p->calls + 1, p->calls, (INGLE_PROFILE_CALLS - 1) * sizeof *p->calls);
    p->calls[0] = ingle_call_syntax_named("tool-call");
}

static ingle_status open_form(ingle_chat *chat, ingle_chat_form *form, const char *text, size_t n,
                              const char *family, ingle_error *err)
{
    ingle_status st = ingle_jinja_open(&form->jinja, text, n, NULL, err);
    if (!st) st = find_profile(form, chat->model, family, text, n, err);
    if (st) return st;
    add_plain_calls(&form->profile);
    return probe(chat, form, text, n) ? INGLE_OK : ingle_fail(err, INGLE_ENOMEM, no_memory);
}

/* The model's template of this name, NULL: the one without. False: there is none. */
static bool find_template(const ingle_model *m, const char *name, ingle_str *text)
{
    char key[160];
    if (!m->gguf) return false;
    int n =
        snprintf(key, sizeof key, "tokenizer.chat_template%s%s", name ? "." : "", name ? name : "");
    return n > 0 && (size_t)n < sizeof key && ingle_gguf_find(m->gguf, key) &&
           !ingle_gguf_get_str(m->gguf, key, true, text, NULL);
}

static ingle_status open_forms(ingle_chat *chat, const ingle_chat_options *opt, ingle_error *err)
{
    ingle_str text = {opt->template_text, opt->n_template}, tooled;
    if (!text.ptr && !find_template(chat->model, opt->template_name, &text))
        return opt->template_name
                   ? ingle_fail(err, INGLE_ENOTFOUND, "the model has no chat template named %.60s",
                                opt->template_name)
                   : ingle_fail(err, INGLE_ENOTFOUND,
                                "the model has no chat template; option 'template_text' gives it "
                                "one, 'template_choice' plain lines");
    ingle_status st = open_form(chat, &chat->plain, text.ptr, text.len, opt->family, err);
    if (st || opt->template_text || opt->template_name ||
        !find_template(chat->model, "tool_use", &tooled))
        return st;
    return open_form(chat, &chat->tooled, tooled.ptr, tooled.len, opt->family, err);
}

static ingle_status open_lines(ingle_chat *chat, const char *family, ingle_error *err)
{
    ingle_chat_form *form = &chat->plain;
    ingle_jinja_close(form->jinja);
    ingle_jinja_close(chat->tooled.jinja);
    *form = chat->tooled = (ingle_chat_form){.jinja = NULL};
    chat->role_lines = true;
    ingle_status st = open_form(chat, form, line_template, sizeof line_template - 1, family, err);
    form->profile.spaced = true;
    return st;
}

static ingle_status open_chosen(ingle_chat *chat, const ingle_chat_options *opt, ingle_error *err)
{
    trial t = {.chat = chat, .form = &chat->plain};
    if (opt->template_choice == INGLE_TEMPLATE_PLAIN) return open_lines(chat, opt->family, err);
    ingle_status st = open_forms(chat, opt, err);
    if (opt->template_choice == INGLE_TEMPLATE_MODEL || st == INGLE_ENOMEM) return st;
    if (!st && renders(&t, "[{\"role\":\"user\",\"content\":\"probe_user\"}]", shows_user))
        return INGLE_OK;
    return t.no_memory ? ingle_fail(err, INGLE_ENOMEM, no_memory)
                       : open_lines(chat, opt->family, err);
}

/* The text of a token; "" if there is none. */
static char *text_of(const ingle_model *m, bool bos)
{
    ingle_vocab_info v = {.bos = -1, .eos = -1};
    ingle_token_info info = {.text = "", .len = 0};
    if (m->vocab) ingle_vocab_info_get(m->vocab, &v);
    int32_t id = bos ? v.bos : v.eos;
    if (id >= 0 && ingle_vocab_token(m->vocab, id, &info, NULL)) info.len = 0;
    char *text = ingle_new(info.len + 1, 1);
    if (text) memcpy(text, info.text, info.len);
    return text;
}

static void list_facts(ingle_chat *chat)
{
    const ingle_chat_profile *p = &chat->plain.profile;
    for (size_t i = 0; i < INGLE_PROFILE_EFFORTS && p->efforts[i]; i++)
        chat->efforts[chat->n_efforts++] = p->efforts[i];
    for (size_t i = 0; i < INGLE_PROFILE_TEXTS && p->family->stops[i]; i++)
        chat->stops[chat->n_stops++] = p->family->stops[i];
    for (size_t i = 0; chat->role_lines && i < INGLE_CHAT_LINE_STOPS; i++)
        chat->stops[chat->n_stops++] = line_stops[i];
}

ingle_status ingle_chat_open(ingle_chat **out, ingle_model *model, const ingle_chat_options *opt,
                             ingle_error *err)
{
    ingle_chat_options o = default_options;
    if (!out) return ingle_fail(err, INGLE_EINVAL, "ingle_chat_open: out is NULL");
    *out = NULL;
    if (!model) return ingle_fail(err, INGLE_ECLOSED, "the model is closed");
    ingle_status st = ingle_options_take(&o, sizeof o, opt, "the chat", err);
    if (st) return st;
    if (o.template_text && o.template_name)
        return ingle_fail(err, INGLE_EINVAL,
                          "options 'template_text' and 'template_name' exclude each other");
    if ((unsigned)o.template_choice > INGLE_TEMPLATE_MODEL_OR_PLAIN)
        return ingle_fail(err, INGLE_EINVAL, "option 'template_choice' is %d, should be 0 to %d",
                          (int)o.template_choice, (int)INGLE_TEMPLATE_MODEL_OR_PLAIN);
    if (o.template_choice && (o.template_text || o.template_name))
        return ingle_fail(err, INGLE_EINVAL,
                          "options 'template_choice' and '%s' exclude each other",
                          o.template_text ? "template_text" : "template_name");
    ingle_chat *chat = ingle_new(1, sizeof *chat);
    if (!chat) return ingle_fail(err, INGLE_ENOMEM, no_memory);
    atomic_init(&chat->refs, 1);
    chat->model = ingle_model_retain(model);
    chat->bos = text_of(model, true);
    chat->eos = text_of(model, false);
    if (!chat->bos || !chat->eos) st = ingle_fail(err, INGLE_ENOMEM, no_memory);
    if (!st) st = open_chosen(chat, &o, err);
    if (!st) list_facts(chat);
    if (st) ingle_chat_close(&chat);
    *out = chat;
    return st;
}

void ingle_chat_close(ingle_chat **chat)
{
    if (!chat || !*chat) return;
    ingle_chat *c = *chat;
    *chat = NULL;
    if (atomic_fetch_sub(&c->refs, 1) != 1) return;
    ingle_jinja_close(c->plain.jinja);
    ingle_jinja_close(c->tooled.jinja);
    ingle_model_close(&c->model);
    free(c->bos);
    free(c->eos);
    free(c);
}

/* ---- questions ---- */

static ingle_status closed(ingle_error *err)
{
    return ingle_fail(err, INGLE_ECLOSED, "the chat is closed");
}

ingle_status ingle_chat_info_get(const ingle_chat *chat, ingle_chat_info *info, ingle_error *err)
{
    if (!chat) return closed(err);
    ingle_status st = ingle_result_check(info, sizeof *info, "ingle_chat_info", err);
    if (st) return st;
    const ingle_chat_form *form = &chat->plain, *tooled = ingle_chat_form_for(chat, true);
    const ingle_chat_profile *p = &form->profile;
    const ingle_chat_info own = {.family = p->family->name,
                                 .title = p->family->title,
                                 .tools = tooled->profile.has_tools,
                                 .system = form->system,
                                 .system_anywhere = form->system_anywhere,
                                 .thinks = p->thinks,
                                 .thinking_switch = p->think_switch != NULL,
                                 .efforts = chat->efforts,
                                 .n_efforts = chat->n_efforts,
                                 .stops = chat->stops,
                                 .n_stops = chat->n_stops,
                                 .call_trigger = tooled->profile.calls[0]
                                                     ? ingle_call_trigger(tooled->profile.calls[0])
                                                     : NULL,
                                 .fim_prefix = p->family->fim.prefix,
                                 .fim_suffix = p->family->fim.suffix,
                                 .fim_middle = p->family->fim.middle,
                                 .plain = chat->role_lines};
    ingle_result_give(info, &own, sizeof own);
    return INGLE_OK;
}

ingle_status ingle_chat_sampling(const ingle_chat *chat, bool thinking, ingle_sampler_options *opt,
                                 ingle_error *err)
{
    ingle_sampler_options o;
    if (!chat) return closed(err);
    if (!opt) return ingle_fail(err, INGLE_EINVAL, "ingle_chat_sampling: opt is NULL");
    ingle_sampler_options_init(&o);
    ingle_status st = ingle_options_take(&o, sizeof o, opt, "the sampler", err);
    if (st) return st;
    const ingle_preset *p = ingle_profile_preset(&chat->plain.profile, thinking);
    if (p->has_temperature) o.temperature = p->temperature;
    if (p->has_top_p) o.top_p = p->top_p;
    if (p->has_min_p) o.min_p = p->min_p;
    if (p->has_repeat_penalty) o.repeat_penalty = p->repeat_penalty;
    if (p->has_presence_penalty) o.presence_penalty = p->presence_penalty;
    if (p->has_top_k) o.top_k = p->top_k;
    ingle_result_give(opt, &o, sizeof o);
    return INGLE_OK;
}
