/* chat_edit.c - see chat_edit.h. libedit measures and draws characters by the locale, so one that
 * knows UTF-8 is chosen if the user's does not; no other part of the program depends on it. */
#define _GNU_SOURCE
#include "chat_edit.h"
#include "lines.h"
#include "platform.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

enum { HISTORY_LINES = 1000 };
static const double WAKE_S = 0.25; /* Ctrl+C may reach another thread */
static const char QUOTES[] = "\"\"\"";

struct chat_edit {
    EditLine *el; /* NULL: lines as they come */
    History *history;
    const char *history_path, *prompt;
    lines plain;
    bool terminal;
};

static bool ends_with(const chat_text *t, const char *end)
{
    size_t n = strlen(end);
    return t->n >= n && memcmp(t->p + t->n - n, end, n) == 0;
}

static void cut(chat_text *t, size_t n)
{
    t->n -= n;
    t->p[t->n] = 0;
}

/* ---- the editor ------------------------------------------------------------------------------ */

static char *give_prompt(EditLine *el)
{
    chat_edit *e = NULL;
    el_get(el, EL_CLIENTDATA, (void *)&e);
    return (char *)e->prompt;
}

/* The terminal may have broken its lines anew: what was shown is drawn again, on the line it ends
 * in. */
static void draw_again(EditLine *el)
{
    fputs("\r\033[J", stdout);
    fflush(stdout);
    el_resize(el);
    el_set(el, EL_REFRESH);
}

/* Waits for a byte; false after Ctrl+C, or with errno set. *got is 0 at the end. */
static bool next_byte(EditLine *el, char *byte, size_t *got)
{
    do {
        if (platform_interrupted()) return false;
        if (platform_take_resize()) draw_again(el);
    } while (!platform_input_within(WAKE_S));
    return platform_read_input(byte, 1, got);
}

static int next_character(EditLine *el, wchar_t *out)
{
    mbstate_t state = {0};
    for (;;) {
        char byte;
        size_t got;
        if (!next_byte(el, &byte, &got)) return -1;
        if (got == 0) return 0;
        size_t n = mbrtowc(out, &byte, 1, &state);
        if (n == (size_t)-2) continue;
        if (n == (size_t)-1) *out = 0xfffd;
        return 1;
    }
}

/* Text between the marks that a terminal puts around what is pasted: its lines stay together, and
 * nothing in it is a key. Terminals that do not know PASTE_ON send no marks. */
static const char PASTE_ON[] = "\033[?2004h", PASTE_OFF[] = "\033[?2004l",
                  PASTE_END[] = "\033[201~";

static unsigned char paste(EditLine *el, int key)
{
    chat_text text = {0};
    char byte;
    size_t got, n = 0;
    (void)key;
    while (!ends_with(&text, PASTE_END) && !text.failed) {
        if (!next_byte(el, &byte, &got) || !got) break;
        chat_text_add(&text, &byte, 1);
    }
    if (ends_with(&text, PASTE_END)) cut(&text, sizeof PASTE_END - 1);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i] == '\r' ? '\n' : text.p[i] == '\t' ? ' ' : text.p[i];
        if (c == '\n' || ((unsigned char)c >= ' ' && c != 0x7f)) text.p[n++] = c;
    }
    if (text.p) text.p[n] = 0;
    if (n) el_insertstr(el, text.p);
    chat_text_free(&text);
    return CC_REFRESH;
}

static bool open_history(chat_edit *e)
{
    HistEvent event;
    e->history = history_init();
    if (!e->history) return false;
    history(e->history, &event, H_SETSIZE, HISTORY_LINES);
    history(e->history, &event, H_SETUNIQUE, 1);
    if (e->history_path && platform_is_file(e->history_path) &&
        history(e->history, &event, H_LOAD, e->history_path) == -1)
        out_note("%s: no history of lines; it is written anew at the end", e->history_path);
    return true;
}

static bool open_editor(chat_edit *e)
{
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
    e->el = el_init("ingle", stdin, stdout, stderr);
    if (!e->el || !open_history(e)) return false;
    el_set(e->el, EL_CLIENTDATA, e);
    el_set(e->el, EL_PROMPT, give_prompt);
    el_set(e->el, EL_EDITOR, "emacs");
    el_set(e->el, EL_SIGNAL, 0); /* signals are the program's */
    el_set(e->el, EL_HIST, history, e->history);
    el_set(e->el, EL_GETCFN, next_character);
    el_wset(e->el, EL_ADDFN, L"chat-paste", L"Insert what is pasted", paste); /* el_set() leaks */
    el_set(e->el, EL_BIND, "\\e[200~", "chat-paste", NULL);
    el_set(e->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(e->el, EL_BIND, "^W", "ed-delete-prev-word", NULL);
    el_set(e->el, EL_BIND, "\\e[3~", "ed-delete-next-char", NULL);
    el_set(e->el, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
    el_set(e->el, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
    platform_catch_resize();
    return true;
}

chat_edit *chat_edit_open(const char *history_path)
{
    chat_edit *e = calloc(1, sizeof *e);
    if (e) {
        e->terminal = platform_is_terminal(0);
        e->history_path = history_path;
        bool edits = e->terminal && platform_has_cursor(1);
        if (!edits || open_editor(e)) return e;
        chat_edit_close(e);
    }
    out_error("the terminal cannot be used for editing");
    return NULL;
}

void chat_edit_close(chat_edit *e)
{
    HistEvent event;
    if (!e) return;
    if (e->history && e->history_path && history(e->history, &event, H_SAVE, e->history_path) == -1)
        out_note("cannot write the history to %s", e->history_path);
    if (e->el) el_end(e->el);
    if (e->history) history_end(e->history);
    lines_free(&e->plain);
    free(e);
}

bool chat_edit_terminal(const chat_edit *e)
{
    return e->terminal;
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Ctrl+C at a prompt; elsewhere it ends the program, so the flag stays. */
static chat_typed thrown_away(const chat_edit *e)
{
    if (!e->terminal) return CHAT_TYPED_NONE;
    platform_take_interrupt();
    fputc('\n', stdout);
    fflush(stdout);
    return CHAT_TYPED_NONE;
}

static chat_typed edited_line(chat_edit *e, chat_text *line)
{
    int n = 0;
    if (platform_take_resize()) el_resize(e->el);
    fputs(PASTE_ON, stdout);
    const char *text = el_gets(e->el, &n);
    fputs(PASTE_OFF, stdout);
    fflush(stdout);
    if (platform_interrupted()) return thrown_away(e);
    if (!text || n <= 0) {
        fputc('\n', stdout);
        return CHAT_TYPED_END;
    }
    size_t len = (size_t)n;
    while (len && (text[len - 1] == '\n' || text[len - 1] == '\r')) len--;
    chat_text_add(line, text, len);
    return line->failed ? CHAT_TYPED_FAILED : CHAT_TYPED;
}

static chat_typed plain_line(chat_edit *e, chat_text *line)
{
    const char *text;
    size_t len;
    if (e->terminal) {
        fputs(e->prompt, stderr);
        fflush(stderr);
    }
    switch (lines_next(&e->plain, true, &text, &len)) {
    case LINES_GOT:
        chat_text_add(line, text, len);
        return line->failed ? CHAT_TYPED_FAILED : CHAT_TYPED;
    case LINES_FAILED:
        if (platform_interrupted()) return thrown_away(e);
        out_error("cannot read standard input: %s", strerror(errno));
        return CHAT_TYPED_FAILED;
    case LINES_END:
    case LINES_LATER: break;
    }
    if (e->terminal) fputc('\n', stderr);
    return CHAT_TYPED_END;
}

chat_typed chat_edit_line(chat_edit *e, const char *prompt, chat_text *line)
{
    chat_text_clear(line);
    chat_text_add(line, "", 0);
    e->prompt = prompt;
    return e->el ? edited_line(e, line) : plain_line(e, line);
}

/* ---- messages -------------------------------------------------------------------------------- */

/* The same of a message: kept in the history. */
static chat_typed next_line(chat_edit *e, const char *prompt, chat_text *line)
{
    HistEvent event;
    chat_typed typed = chat_edit_line(e, prompt, line);
    if (typed == CHAT_TYPED && e->history && !lines_is_blank(line->p, line->n))
        history(e->history, &event, H_ENTER, line->p);
    return typed;
}

static chat_typed go_on(chat_edit *e, chat_text *line, chat_text *message)
{
    chat_typed typed = next_line(e, "... ", line);
    if (typed != CHAT_TYPED) return typed;
    if (message->n) chat_text_add(message, "\n", 1);
    chat_text_add(message, line->p, line->n);
    return message->failed ? CHAT_TYPED_FAILED : CHAT_TYPED;
}

/* What is left of a message at the end of the input is one. */
static chat_typed quoted(chat_edit *e, chat_text *line, chat_text *message)
{
    enum { MARK = sizeof QUOTES - 1 };
    chat_typed typed = CHAT_TYPED;
    memmove(message->p, message->p + MARK, message->n - MARK + 1);
    message->n -= MARK;
    while (typed == CHAT_TYPED && !ends_with(message, QUOTES)) typed = go_on(e, line, message);
    if (typed == CHAT_TYPED) cut(message, MARK);
    if (typed == CHAT_TYPED && ends_with(message, "\n")) cut(message, 1);
    return typed;
}

chat_typed chat_edit_message(chat_edit *e, chat_text *message)
{
    chat_text line = {0};
    chat_typed typed = next_line(e, "> ", message);
    if (typed == CHAT_TYPED && message->n >= 3 && memcmp(message->p, QUOTES, 3) == 0) {
        typed = quoted(e, &line, message);
    } else {
        while (typed == CHAT_TYPED && ends_with(message, "\\")) {
            cut(message, 1);
            chat_text_add(message, "\n", 1);
            typed = next_line(e, "... ", &line);
            if (typed == CHAT_TYPED) chat_text_add(message, line.p, line.n);
        }
    }
    chat_text_free(&line);
    if (typed == CHAT_TYPED_END && message->n) typed = CHAT_TYPED;
    if (message->failed) typed = CHAT_TYPED_FAILED;
    return typed;
}
