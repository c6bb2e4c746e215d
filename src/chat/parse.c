/* parse.c - the parser's text, and the calls of parse.h. */
#include "chat/parse_state.h"

/* ---- which marks count ----------------------------------------------------------------------- */

static void add_mark(ingle_parse *p, bool thinking, const char *text, parse_act act,
                     unsigned i_call)
{
    size_t *n = &p->n_marks[thinking];
    for (size_t i = 0; i < *n; i++)
        if (!text || !strcmp(p->marks[thinking][i].text, text)) return; /* the first counts */
    if (!text || *n == PARSE_MARKS) return;
    p->marks[thinking][(*n)++] = (parse_mark){text, act, i_call};
    p->first[thinking][(unsigned char)text[0]] = true;
}

static void add_call_marks(ingle_parse *p, bool thinking)
{
    for (unsigned i = 0; i < p->n_syntaxes; i++)
        add_mark(p, thinking, p->calls[i]->section, ACT_SECTION, i);
    for (unsigned i = 0; i < p->n_syntaxes; i++)
        if (p->calls[i]->kind != INGLE_CALL_OBJECT)
            add_mark(p, thinking, p->calls[i]->open, ACT_CALL, i);
    for (unsigned i = 0; i < p->n_syntaxes && !thinking; i++) {
        const ingle_call_syntax *s = p->calls[i];
        bool fence = s->section_close && s->section_close[0] == '`'; /* ordinary text */
        if (!fence) add_mark(p, false, s->section_close, ACT_STRAY, i);
        add_mark(p, false, s->close, ACT_STRAY, i);
    }
}

static void add_marks(ingle_parse *p)
{
    const ingle_thinking *t = p->thinking;
    for (size_t i = 0; t && i < 2; i++) {
        add_mark(p, false, t->open[i], ACT_THINK, 0);
        add_mark(p, false, t->close[i], ACT_THINK_END, 0);
        add_mark(p, true, t->close[i], ACT_THINK_END, 0);
        add_mark(p, true, t->open[i], ACT_THINK, 0);
    }
    add_call_marks(p, false);
    if (p->calls_in_thinking) add_call_marks(p, true);
    for (size_t i = 0; t && i < sizeof t->passed_over / sizeof *t->passed_over; i++)
        add_mark(p, false, t->passed_over[i], ACT_PASS_OVER, 0);
    for (unsigned i = 0; i < p->n_syntaxes; i++)
        if (!p->calls[i]->section && !p->calls[i]->open)
            p->first[0]['{'] = p->first[0]['['] = p->first[0][';'] = true;
    for (const char *s = " \t\r\n"; *s; s++)
        p->first[0][(unsigned char)*s] = p->first[1][(unsigned char)*s] = true;
}

/* ---- text ------------------------------------------------------------------------------------ */

static void match_is_text(ingle_parse *p)
{
    ingle_parse_text(p, p->match, p->n_match);
    p->n_match = 0;
}

static void drop_match(ingle_parse *p)
{
    p->counts.n_call += p->n_match;
    p->n_match = 0;
}

/* A model may open thinking that its prompt has opened already. */
static void think(ingle_parse *p)
{
    bool again = p->reasoning && p->skip == SKIP_LINES;
    if (p->reasoning ? !again : !p->fresh && !p->thinking->anywhere) {
        match_is_text(p);
        return;
    }
    if (p->fresh || again) ingle_parse_space_drop(p);
    else ingle_parse_space_text(p);
    drop_match(p);
    p->reasoning = true;
    p->skip = SKIP_LINES;
}

static void think_end(ingle_parse *p)
{
    if (!p->reasoning && !p->fresh) {
        match_is_text(p);
        return;
    }
    ingle_parse_space_drop(p);
    drop_match(p);
    p->reasoning = false;
    p->fresh = true;
    p->skip = SKIP_LINES;
}

static void begin_call(ingle_parse *p, const parse_mark *mark)
{
    const ingle_call_syntax *s = p->calls[mark->i_call];
    ingle_parse_eat(p, p->space, p->n_space); /* text again if this is no call */
    p->n_space = 0;
    ingle_parse_match_eat(p);
    if (mark->act == ACT_SECTION) ingle_parse_call_section(p, mark->text, s);
    else ingle_parse_call_head(p, mark->text, s);
}

static void act(ingle_parse *p, const parse_mark *mark)
{
    switch (mark->act) {
    case ACT_THINK: think(p); break;
    case ACT_THINK_END: think_end(p); break;
    case ACT_SECTION:
    case ACT_CALL: begin_call(p, mark); break;
    case ACT_PASS_OVER:
        if (p->fresh) ingle_parse_space_drop(p);
        drop_match(p);
        break;
    case ACT_STRAY:
        if (!p->stray) {
            match_is_text(p);
            break;
        }
        ingle_parse_space_drop(p);
        drop_match(p);
        p->skip = SKIP_SPACE;
    }
}

/* White space is held back: a mark may follow to which it belongs. */
static void text_space(ingle_parse *p, char c)
{
    bool line = c == '\n' || c == '\r';
    if (p->skip == SKIP_SPACE || (p->skip == SKIP_LINES && line)) {
        p->counts.n_call++;
        return;
    }
    if (p->n_space == PARSE_SPACE_MAX) ingle_parse_space_text(p);
    p->space[p->n_space++] = c;
}

static void text_step(ingle_parse *p, char c)
{
    const char *marks[PARSE_MARKS];
    const parse_mark *m = p->marks[p->reasoning];
    size_t n = p->n_marks[p->reasoning];
    if (!p->n_match) {
        if (ingle_parse_is_space(c)) {
            text_space(p, c);
            return;
        }
        if (p->fresh && !p->reasoning) {
            if (ingle_parse_call_bare(p, c)) return;
            if (c == ';' && p->skip == SKIP_SPACE && p->first[0][';']) { /* between two calls */
                p->counts.n_call++;
                return;
            }
        }
    }
    for (size_t i = 0; i < n; i++) marks[i] = m[i].text;
    switch (ingle_parse_compare(p, marks, n, c)) {
    case MATCH_MORE: break;
    case MATCH_HIT: act(p, &m[p->i_hit]); break;
    case MATCH_NONE:
        ingle_parse_unread(p, p->match + 1, p->n_match - 1);
        p->n_match = 0;
        ingle_parse_text(p, p->match, 1);
    }
}

static void step(ingle_parse *p, char c)
{
    if (p->state == PARSE_TEXT) text_step(p, c);
    else if (p->state >= PARSE_MESSAGE) ingle_parse_harmony_step(p, c);
    else ingle_parse_call_step(p, c);
}

/* ---- parse.h --------------------------------------------------------------------------------- */

void ingle_parse_options_init(ingle_parse_options *opt)
{
    *opt = (ingle_parse_options){.parse_tools = true, .parse_reasoning = true};
}

static void set_up(ingle_parse *p)
{
    const ingle_chat_profile *profile = p->opt.profile;
    bool harmony = profile->thinking && profile->thinking->harmony;
    p->opt.max_held = p->opt.max_held ? p->opt.max_held : (size_t)1 << 20;
    p->thinking = p->opt.parse_reasoning ? profile->thinking : NULL;
    p->calls_in_thinking = profile->family->calls_in_thinking && p->opt.parse_tools;
    p->opened = profile->calls[0] && profile->calls[0]->opened;
    for (size_t i = 0; i < INGLE_PROFILE_CALLS && profile->calls[i]; i++)
        if (p->opt.parse_tools || p->opened) p->calls[p->n_syntaxes++] = profile->calls[i];
    p->fresh = true;
    p->out_kind = INGLE_PARSE_CONTENT;
    p->reasoning = p->opt.starts_in_reasoning && p->thinking;
    if (p->thinking) p->skip = SKIP_LINES; /* after the prompt's last mark */
    if (profile->spaced) p->skip = SKIP_SPACE;
    if (harmony) {
        p->syntax = ingle_call_syntax_named("harmony");
        p->state = p->opt.starts_in_reasoning ? PARSE_BODY : PARSE_MESSAGE;
        return;
    }
    add_marks(p);
    if (p->opened) ingle_parse_call_head(p, NULL, p->calls[0]);
}

ingle_status ingle_parse_open(ingle_parse **out, const ingle_parse_options *opt, ingle_error *err)
{
    ingle_parse_options defaults;
    ingle_chat_profile generic;
    ingle_parse *p = ingle_new(1, sizeof *p);
    ingle_status st = INGLE_OK;
    *out = NULL;
    if (!p) return ingle_fail(err, INGLE_ENOMEM, "no memory for a parser");
    ingle_parse_options_init(&defaults);
    p->opt = opt ? *opt : defaults;
    if (!p->opt.profile) {
        ingle_profile_generic(&generic);
        p->opt.profile = &generic;
    }
    p->tools.root = p->opt.offered;
    if (!p->opt.offered && p->opt.tools)
        st = ingle_json_open(&p->tools, p->opt.tools, p->opt.n_tools, NULL, err);
    if (!st && p->tools.root && !ingle_json_is(p->tools.root, INGLE_JSON_ARRAY))
        st = ingle_fail(err, INGLE_EFORMAT, "tools: an array is expected");
    if (st) {
        ingle_parse_close(&p);
        return st;
    }
    set_up(p);
    p->opt.profile = NULL; /* not kept */
    p->opt.tools = NULL;
    *out = p;
    return INGLE_OK;
}

void ingle_parse_close(ingle_parse **p)
{
    if (!p || !*p) return;
    ingle_bytes *all[] = {&(*p)->back, &(*p)->held, &(*p)->field, &(*p)->late,
                          &(*p)->name, &(*p)->id,   &(*p)->out,   &(*p)->raw};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ingle_bytes_free(all[i]);
    if (!(*p)->opt.offered) ingle_json_close(&(*p)->tools);
    free(*p);
    *p = NULL;
}

static ingle_status status(ingle_parse *p, ingle_error *err)
{
    return ingle_parse_failed(p)
               ? ingle_fail(err, INGLE_ENOMEM, "no memory for the text of an answer")
               : INGLE_OK;
}

/* How many of the bytes are text whatever follows. */
static size_t plain(const ingle_parse *p, const char *bytes, size_t n)
{
    const bool *first = p->first[p->reasoning];
    size_t i = 0;
    if (p->state != PARSE_TEXT || p->n_match) return 0;
    while (i < n && !first[(unsigned char)bytes[i]]) i++;
    return i;
}

ingle_status ingle_parse_feed(ingle_parse *p, const char *bytes, size_t n, ingle_error *err)
{
    if (p->finished) return ingle_fail(err, INGLE_EINVAL, "the answer has been finished");
    if (p->opt.keep_raw) ingle_bytes_put(&p->raw, bytes, n);
    p->counts.n_bytes += n;
    for (size_t i = 0; i < n && !status(p, NULL);) {
        size_t n_plain = plain(p, bytes + i, n - i);
        ingle_parse_text(p, bytes + i, n_plain);
        i += n_plain;
        if (i < n) step(p, bytes[i++]);
        while (p->back.n && !p->back.failed) step(p, p->back.p[--p->back.n]);
    }
    if (!status(p, NULL)) ingle_parse_flush(p, false);
    return status(p, err);
}

ingle_status ingle_parse_finish(ingle_parse *p, ingle_error *err)
{
    if (p->finished || status(p, NULL)) return status(p, err);
    p->finished = true;
    if (p->state >= PARSE_MESSAGE) {
        ingle_parse_harmony_finish(p);
    } else {
        if (p->state != PARSE_TEXT) ingle_parse_call_finish(p);
        match_is_text(p);
        ingle_parse_space_text(p);
    }
    ingle_parse_flush(p, true);
    return status(p, err);
}

const char *ingle_parse_raw(const ingle_parse *p, size_t *n)
{
    *n = p->raw.n;
    return p->raw.n ? p->raw.p : "";
}

void ingle_parse_count(const ingle_parse *p, ingle_parse_counts *out)
{
    *out = p->counts;
    out->reasoning = p->reasoning;
}
