/* ledger_digest.c - what of a conversation counts, as digests: each message is added to that of those
 * before it, so that an answer's key stands for all that led to it. */
#include "ledger_parts.h"

/* What digests are of, so that none can stand for another. */
enum { OF_SCOPE = 1, OF_MESSAGE, OF_ANSWER, OF_TURN, OF_BAD_ARGS };

typedef struct reading {
    const uint64_t *secret;
    bool lost; /* no memory */
} reading;

static void begin(ingle_digest *d, const reading *r, uint64_t what)
{
    ingle_digest_begin(d, r->secret);
    ingle_digest_u64(d, what);
}

static void add_digest(ingle_digest *d, const uint64_t x[2])
{
    ingle_digest_u64(d, x[0]);
    ingle_digest_u64(d, x[1]);
}

/* ---- texts ----------------------------------------------------------------------------------- */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The bytes that are no white space. */
static size_t add_dense(ingle_digest *d, const char *p, size_t n)
{
    size_t all = 0;
    for (size_t i = 0; i < n;) {
        size_t from = i;
        while (i < n && !is_space(p[i])) i++;
        ingle_digest_add(d, p + from, i - from);
        all += i - from;
        while (i < n && is_space(p[i])) i++;
    }
    return all;
}

/* A line that says whom to bill, and changes with every request. */
static bool is_billing(const char *p, size_t n)
{
    static const char head[] = "x-anthropic-billing-header:";
    size_t len = sizeof head - 1;
    while (n && is_space(p[n - 1])) n--;
    return n >= len && !memcmp(p, head, len) && !memchr(p, '\n', n);
}

static const ingle_json *text_of(const ingle_json *part)
{
    const ingle_json *text = ingle_json_get(part, "text");
    if (!text) text = ingle_json_get(part, "refusal");
    return ingle_json_is(text, INGLE_JSON_STRING) ? text : NULL;
}

/* Content as text, or as parts, joined as templates see them. False: there was nothing but what does
 * not count. */
static bool add_content(ingle_digest *d, const reading *r, const ingle_json *content, bool systems)
{
    size_t n = 0, n_parts = 0, n_dropped = 0;
    if (ingle_json_is(content, INGLE_JSON_STRING)) {
        if (systems && is_billing(content->text, content->len)) return false;
        ingle_digest_add(d, content->text, content->len);
        n = content->len;
    }
    for (ingle_json_walk w = ingle_json_items(content); ingle_json_step(&w);) {
        const ingle_json *text = text_of(w.value);
        if (systems && text && is_billing(text->text, text->len)) {
            n_dropped++;
            continue;
        }
        if (n_parts++) ingle_digest_add(d, "\n", 1), n++;
        if (text) {
            ingle_digest_add(d, text->text, text->len);
            n += text->len;
        } else { /* an image or the like */
            uint64_t x[2];
            ingle_digest_json(r->secret, w.value, x);
            add_digest(d, x);
            n += sizeof x;
        }
    }
    ingle_digest_u64(d, n);
    return n_parts || !n_dropped;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Arguments that are text: no text is no argument; what is no JSON counts as its bytes. */
static void digest_args(reading *r, const char *p, size_t n, uint64_t out[2])
{
    ingle_json_doc doc;
    ingle_digest d;
    while (n && is_space(*p)) p++, n--;
    ingle_status st = ingle_json_open(&doc, n ? p : "{}", n ? n : 2, NULL, NULL);
    r->lost = r->lost || st == INGLE_ENOMEM;
    if (!st) {
        ingle_digest_json(r->secret, doc.root, out);
        ingle_json_close(&doc);
        return;
    }
    begin(&d, r, OF_BAD_ARGS);
    ingle_digest_text(&d, p, n);
    ingle_digest_end(&d, out);
}

static void add_call(ingle_digest *d, const char *name, size_t n, const uint64_t args[2])
{
    ingle_digest_text(d, name, n);
    add_digest(d, args);
}

static void add_calls(ingle_digest *d, reading *r, const ingle_json *calls)
{
    bool listed = ingle_json_is(calls, INGLE_JSON_ARRAY);
    ingle_digest_u64(d, listed ? calls->len : 0);
    if (!listed) return;
    for (ingle_json_walk w = ingle_json_items(calls); ingle_json_step(&w);) {
        const ingle_json *f = ingle_json_get(w.value, "function"), *call = f ? f : w.value;
        const ingle_json *name = ingle_json_get(call, "name");
        const ingle_json *given = ingle_json_get(call, "arguments");
        bool named = ingle_json_is(name, INGLE_JSON_STRING);
        uint64_t args[2];
        if (!given || given->kind == INGLE_JSON_NULL) digest_args(r, "", 0, args);
        else if (given->kind == INGLE_JSON_STRING) digest_args(r, given->text, given->len, args);
        else ingle_digest_json(r->secret, given, args);
        add_call(d, named ? name->text : "", named ? name->len : 0, args);
    }
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool is_role(const ingle_json *message, const char *role)
{
    return ingle_json_is_text(ingle_json_get(message, "role"), role);
}

static bool is_systems(const ingle_json *message)
{
    return is_role(message, "system") || is_role(message, "developer");
}

/* What clients see of an answer. */
static void digest_answer(reading *r, const ingle_json *message, uint64_t out[2])
{
    const ingle_json *content = ingle_json_get(message, "content");
    ingle_digest d;
    size_t n = 0;
    begin(&d, r, OF_ANSWER);
    if (ingle_json_is(content, INGLE_JSON_STRING)) n = add_dense(&d, content->text, content->len);
    for (ingle_json_walk w = ingle_json_items(content); ingle_json_step(&w);) {
        const ingle_json *text = text_of(w.value);
        if (text) n += add_dense(&d, text->text, text->len);
    }
    ingle_digest_u64(&d, n);
    add_calls(&d, r, ingle_json_get(message, "tool_calls"));
    ingle_digest_end(&d, out);
}

/* False: nothing in the message counts. */
static bool digest_other(reading *r, const ingle_json *message, uint64_t out[2])
{
    const ingle_json *role = ingle_json_get(message, "role");
    ingle_digest d;
    begin(&d, r, OF_MESSAGE);
    if (ingle_json_is(role, INGLE_JSON_STRING)) ingle_digest_text(&d, role->text, role->len);
    if (!add_content(&d, r, ingle_json_get(message, "content"), is_systems(message))) return false;
    add_calls(&d, r, ingle_json_get(message, "tool_calls"));
    ingle_digest_end(&d, out);
    return true;
}

static void digest_scope(const reading *r, const ledger_scope *s, uint64_t out[2])
{
    ingle_digest d;
    begin(&d, r, OF_SCOPE);
    ingle_digest_u64(&d, s->salt);
    ingle_digest_u64(&d, s->model);
    ingle_digest_text(&d, s->tools, s->tools ? s->n_tools : 0);
    ingle_digest_text(&d, s->kwargs, s->kwargs ? s->n_kwargs : 0);
    ingle_digest_u64(&d, (uint64_t)s->thinking);
    ingle_digest_text(&d, s->effort, s->effort ? strlen(s->effort) : 0);
    ingle_digest_end(&d, out);
}

/* One more thing after those that `chain` stands for. */
static void chain(const reading *r, uint64_t what, const uint64_t before[2], const uint64_t next[2],
                  uint64_t out[2])
{
    ingle_digest d;
    begin(&d, r, what);
    add_digest(&d, before);
    add_digest(&d, next);
    ingle_digest_end(&d, out);
}

static bool has_text(const ingle_json *message, const char *name)
{
    const ingle_json *text = ingle_json_get(message, name);
    return ingle_json_is(text, INGLE_JSON_STRING) && text->len;
}

static bool add_spot(ledger_reading *out, const reading *r, const ingle_json *message, size_t i,
                     const uint64_t answer[2])
{
    if (!ingle_grow(&out->spots, &out->cap_spots, out->n_spots + 1, sizeof *out->spots))
        return false;
    ledger_spot *s = &out->spots[out->n_spots++];
    *s = (ledger_spot){.i_message = i,
                       .without_thinking = !has_text(message, "reasoning_content") &&
                                           !has_text(message, "reasoning") &&
                                           !has_text(message, "thinking")};
    chain(r, OF_TURN, out->key, answer, s->key);
    return true;
}

bool ledger_read(ledger_reading *out, const uint64_t secret[2], const ledger_scope *scope,
                 const ingle_json *messages)
{
    reading r = {.secret = secret};
    size_t i = 0, n_user = 0; /* spots before the last user's message */
    *out = (ledger_reading){.n_spots = 0};
    digest_scope(&r, scope, out->key);
    for (ingle_json_walk w = ingle_json_items(messages); ingle_json_step(&w); i++) {
        uint64_t x[2];
        if (out->n_system == i && is_systems(w.value)) out->n_system++;
        if (is_role(w.value, "user")) n_user = out->n_spots;
        if (is_role(w.value, "assistant")) {
            digest_answer(&r, w.value, x);
            if (!add_spot(out, &r, w.value, i, x)) return false;
        } else if (!digest_other(&r, w.value, x)) {
            continue;
        }
        chain(&r, OF_MESSAGE, out->key, x, out->key);
    }
    for (size_t k = 0; k < n_user; k++) out->spots[k].without_thinking = false;
    return !r.lost;
}

bool ledger_key(uint64_t out[2], const uint64_t secret[2], const uint64_t conversation[2],
                const ledger_turn *turn)
{
    reading r = {.secret = secret};
    ingle_digest d;
    uint64_t answer[2];
    begin(&d, &r, OF_ANSWER);
    ingle_digest_u64(&d, add_dense(&d, turn->text, turn->n_text));
    ingle_digest_u64(&d, turn->n_calls);
    for (size_t i = 0; i < turn->n_calls; i++) {
        uint64_t args[2];
        digest_args(&r, turn->args[i].text, turn->args[i].len, args);
        add_call(&d, turn->names[i].text, turn->names[i].len, args);
    }
    ingle_digest_end(&d, answer);
    chain(&r, OF_TURN, conversation, answer, out);
    return !r.lost;
}
