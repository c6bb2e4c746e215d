/* chat_show.c - an answer while it comes: text, thinking, calls, what it took. See chat.h. */
#include "chat.h"
#include "platform.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

static const char DIM[] = "\033[2m", PLAIN[] = "\033[0m";

void chat_show_init(chat_show *s, bool thinking)
{
    *s = (chat_show){.terminal = platform_is_terminal(1), .colour = platform_has_colour(1)};
    s->thinking = thinking || s->terminal;
}

/* What could do more to a terminal than appear: C0 but line ends and tabs, DEL, C1. */
static bool is_control(const char *p, size_t n)
{
    unsigned char c = (unsigned char)p[0];
    if (c == '\n' || c == '\t') return false;
    return c < 0x20 || c == 0x7f || (c == 0xc2 && n > 1 && (unsigned char)p[1] < 0xa0);
}

static void put(chat_show *s, const char *p, size_t n)
{
    out_progress_clear(&s->progress);
    for (size_t from = 0, i = 0; n; i++) {
        char escaped[INGLE_ESCAPE_MAX];
        bool bad = i < n && s->terminal && is_control(p + i, n - i);
        if (i < n && !bad) continue;
        fwrite(p + from, 1, i - from, stdout);
        if (i == n) break;
        size_t len = ingle_utf8_to_plain(p + i, n - i, escaped);
        fputs(escaped, stdout);
        from = i + len;
        i += len - 1;
    }
    if (n) s->last = p[n - 1];
}

static void put_text(chat_show *s, const char *text)
{
    put(s, text, strlen(text));
}

static void end_line(chat_show *s)
{
    if (s->last && s->last != '\n') put_text(s, "\n");
}

static void end_thinking(chat_show *s)
{
    if (!s->in_thinking) return;
    s->in_thinking = false;
    if (s->colour) fputs(PLAIN, stdout);
    else put_text(s, "]");
    put_text(s, s->last == '\n' ? "\n" : "\n\n");
}

static void show_thinking(chat_show *s, const ingle_chat_event *e)
{
    if (!s->thinking) return;
    if (!s->in_thinking) {
        s->in_thinking = true;
        if (s->colour) fputs(DIM, stdout);
        else put_text(s, "[thinking: ");
    }
    put(s, e->text, e->text_len);
}

static void show_call(chat_show *s, const ingle_chat_event *e)
{
    if (e->kind == INGLE_CHAT_CALL_BEGIN) {
        end_line(s);
        put_text(s, "-> ");
        put(s, e->text, e->text_len);
        put_text(s, " ");
    } else if (e->kind == INGLE_CHAT_CALL_ARGS) {
        put(s, e->text, e->text_len);
    } else {
        end_line(s);
    }
}

static void on_part(void *user, const ingle_chat_event *e)
{
    chat_show *s = user;
    if (s->mute) return;
    if (e->kind == INGLE_CHAT_REASONING) {
        show_thinking(s, e);
    } else {
        end_thinking(s);
        if (e->kind == INGLE_CHAT_CONTENT) put(s, e->text, e->text_len);
        else show_call(s, e);
    }
    out_flush(); /* a failure is reported at the end */
}

static void on_progress(void *user, double share)
{
    chat_show *s = user;
    if (share < 1) out_progress_show(&s->progress, "reading", share);
    else out_progress_clear(&s->progress);
}

chat_sink chat_show_sink(chat_show *s)
{
    s->last = 0;
    s->in_thinking = false;
    out_progress_start(&s->progress);
    return (chat_sink){on_part, on_progress, s};
}

void chat_show_end(chat_show *s)
{
    out_progress_clear(&s->progress);
    end_thinking(s);
    end_line(s);
    out_flush();
}

void chat_show_usage(const chat_answer *a)
{
    const ingle_usage *u = &a->usage;
    bool dim = platform_has_colour(2);
    size_t reused = u->n_reused < a->n_prompt ? u->n_reused : a->n_prompt;
    double rate = u->decode_s > 0 ? (double)u->n_generated / u->decode_s : 0;
    fprintf(stderr, "%s[reused %zu, computed %zu, generated %zu, %.1f t/s]%s\n", dim ? DIM : "",
            reused, a->n_prompt - reused, u->n_generated, rate, dim ? PLAIN : "");
}
