/* ledger.c - kept answers: see ledger.h. A table by key, and a list by last use. */
#include "ledger_parts.h"

#include "base/entropy.h"

enum { MOST_BUCKETS = 1 << 16 };

static ingle_status no_memory(ingle_error *err)
{
    return ingle_fail(err, INGLE_ENOMEM, "no memory for the turns of a conversation");
}

ingle_status ledger_open(ledger **out, size_t max_turns, size_t max_bytes, ingle_error *err)
{
    ledger *l = ingle_new(1, sizeof *l);
    *out = NULL;
    if (!l) return no_memory(err);
    l->max_turns = max_turns ? max_turns : 4096;
    l->max_bytes = max_bytes ? max_bytes : (size_t)64 << 20;
    l->n_buckets = 1;
    while (l->n_buckets < l->max_turns && l->n_buckets < MOST_BUCKETS) l->n_buckets *= 2;
    for (int i = 0; i < 2; i++) l->secret[i] = ingle_entropy();
    l->buckets = ingle_new(l->n_buckets, sizeof *l->buckets);
    if (!l->buckets || pthread_mutex_init(&l->lock, NULL)) {
        free(l->buckets);
        free(l);
        return no_memory(err);
    }
    *out = l;
    return INGLE_OK;
}

/* ---- entries --------------------------------------------------------------------------------- */

static size_t bytes_of(const ledger_entry *e)
{
    return sizeof *e + e->n_tokens * sizeof *e->tokens + e->n_thinking;
}

static const char *thinking_of(const ledger_entry *e)
{
    return (const char *)(e->tokens + e->n_tokens);
}

static ledger_entry **bucket_of(ledger *l, const uint64_t key[2])
{
    return &l->buckets[key[0] & (l->n_buckets - 1)];
}

static ledger_entry *find(ledger *l, const uint64_t key[2])
{
    ledger_entry *e = *bucket_of(l, key);
    while (e && (e->key[0] != key[0] || e->key[1] != key[1])) e = e->next;
    return e;
}

static void unlink_use(ledger *l, ledger_entry *e)
{
    *(e->newer ? &e->newer->older : &l->newest) = e->older;
    *(e->older ? &e->older->newer : &l->oldest) = e->newer;
}

static void link_newest(ledger *l, ledger_entry *e)
{
    e->newer = NULL;
    e->older = l->newest;
    *(l->newest ? &l->newest->newer : &l->oldest) = e;
    l->newest = e;
}

static void forget(ledger *l, ledger_entry *e)
{
    ledger_entry **at = bucket_of(l, e->key);
    while (*at != e) at = &(*at)->next;
    *at = e->next;
    unlink_use(l, e);
    l->counts.n_turns--;
    l->counts.n_bytes -= bytes_of(e);
    free(e);
}

void ledger_close(ledger **ledger_)
{
    ledger *l = ledger_ ? *ledger_ : NULL;
    if (!l) return;
    while (l->oldest) forget(l, l->oldest);
    ledger_forget_prompts(l);
    pthread_mutex_destroy(&l->lock);
    free(l->buckets);
    free(l);
    *ledger_ = NULL;
}

/* ---- keeping --------------------------------------------------------------------------------- */

/* NULL: no memory, or larger than all there may be. */
static ledger_entry *new_entry(const ledger *l, const ledger_turn *turn)
{
    size_t n_tokens, n;
    if (!ingle_mul_ok(turn->n_tokens, sizeof *turn->tokens, &n_tokens) ||
        !ingle_add_ok(n_tokens, sizeof(ledger_entry), &n) ||
        !ingle_add_ok(n, turn->n_thinking, &n) || n > l->max_bytes)
        return NULL;
    ledger_entry *e = malloc(n);
    if (!e) return NULL;
    *e = (ledger_entry){
        .n_tokens = turn->n_tokens, .n_thinking = turn->n_thinking, .thinks = turn->thinks};
    memcpy(e->tokens, turn->tokens, n_tokens);
    if (turn->n_thinking) memcpy(e->tokens + e->n_tokens, turn->thinking, turn->n_thinking);
    return e;
}

void ledger_keep(ledger *l, const uint64_t key[2], const ledger_turn *turn)
{
    uint64_t own[2];
    if (!turn->n_tokens || !ledger_key(own, l->secret, key, turn)) return;
    ledger_entry *e = new_entry(l, turn), *old;
    if (!e) return;
    memcpy(e->key, own, sizeof own);
    pthread_mutex_lock(&l->lock);
    if ((old = find(l, own))) forget(l, old);
    e->next = *bucket_of(l, own);
    *bucket_of(l, own) = e;
    link_newest(l, e);
    l->counts.n_turns++;
    l->counts.n_bytes += bytes_of(e);
    l->counts.n_kept++;
    while (l->counts.n_turns > l->max_turns || l->counts.n_bytes > l->max_bytes)
        forget(l, l->oldest);
    pthread_mutex_unlock(&l->lock);
}

/* ---- finding --------------------------------------------------------------------------------- */

/* Copies of what was found: answers, then their tokens, in one piece; thinking that is put back in
 * another, one after the other. False: no memory. The lock is held. */
static bool copy_found(ledger *l, ledger_reading *r, ledger_found *out, char **thinking)
{
    size_t n = 0, n_tokens = 0, n_thinking = 0;
    for (size_t i = 0; i < r->n_spots; i++) {
        ledger_entry *e = find(l, r->spots[i].key);
        r->spots[i].entry = e;
        if (!e) continue;
        unlink_use(l, e);
        link_newest(l, e);
        n++, n_tokens += e->n_tokens;
        if (r->spots[i].without_thinking) n_thinking += e->n_thinking;
    }
    if (!n) return true;
    out->answers = ingle_new(1, n * sizeof *out->answers + n_tokens * sizeof(int32_t));
    if (n_thinking) *thinking = ingle_new(n_thinking, 1);
    if (!out->answers || (n_thinking && !*thinking)) return false;
    int32_t *tokens = (int32_t *)(out->answers + n);
    char *p = *thinking;
    for (size_t i = 0; i < r->n_spots; i++) {
        const ledger_entry *e = r->spots[i].entry;
        if (!e) continue;
        memcpy(tokens, e->tokens, e->n_tokens * sizeof *tokens);
        out->answers[out->n_answers++] = (ingle_answer){.i_message = r->spots[i].i_message,
                                                        .tokens = tokens,
                                                        .n_tokens = e->n_tokens,
                                                        .thinks = e->thinks};
        tokens += e->n_tokens;
        size_t n_own = r->spots[i].without_thinking ? e->n_thinking : 0;
        if (n_own) memcpy(p, thinking_of(e), n_own);
        if (n_own) p += n_own;
        r->spots[i].n_thinking = n_own;
        r->spots[i].entry = NULL; /* another thread may forget it */
    }
    l->counts.n_found += n;
    return true;
}

static void put_with_thinking(ingle_json_writer *w, const ingle_json *message, const char *thinking,
                              size_t n)
{
    static const char *const ours[] = {"reasoning_content", "reasoning", "thinking"};
    ingle_json_begin_object(w);
    for (ingle_json_walk m = ingle_json_items(message); ingle_json_step(&m);) {
        bool is_ours = false;
        for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
            is_ours = is_ours || ingle_json_is_text(m.name, ours[i]);
        if (is_ours) continue;
        ingle_json_name_bytes(w, m.name->text, m.name->len);
        ingle_json_put(w, m.value);
    }
    ingle_json_put_bytes(ingle_json_name(w, ours[0]), thinking, n);
    ingle_json_end_object(w);
}

/* The messages, with thinking put back. */
static ingle_status write_messages(const ledger_reading *r, const ingle_json *messages,
                                   const char *thinking, ledger_found *out)
{
    ingle_json_writer w = {.text = NULL};
    size_t i = 0, k = 0;
    ingle_json_begin_array(&w);
    for (ingle_json_walk m = ingle_json_items(messages); ingle_json_step(&m); i++) {
        const ledger_spot *s = k < r->n_spots && r->spots[k].i_message == i ? &r->spots[k++] : NULL;
        if (!s || !s->n_thinking) {
            ingle_json_put(&w, m.value);
            continue;
        }
        put_with_thinking(&w, m.value, thinking, s->n_thinking);
        thinking += s->n_thinking;
    }
    ingle_json_end_array(&w);
    ingle_status st = ingle_json_finish(&w);
    if (st) {
        ingle_json_writer_free(&w);
        return st;
    }
    out->messages = w.text; /* the writer's memory is ours from here on */
    out->n_messages = w.n;
    return INGLE_OK;
}

static ingle_status find_all(ledger *l, const ledger_scope *scope, const ingle_json *messages,
                             bool restore, ledger_found *out, ingle_error *err)
{
    ledger_reading r;
    char *thinking = NULL;
    bool ok = ledger_read(&r, l->secret, scope, messages);
    for (size_t i = 0; i < r.n_spots && !restore; i++) r.spots[i].without_thinking = false;
    if (ok) {
        memcpy(out->key, r.key, sizeof r.key);
        out->n_system = r.n_system;
        pthread_mutex_lock(&l->lock);
        ok = copy_found(l, &r, out, &thinking);
        pthread_mutex_unlock(&l->lock);
    }
    ingle_status st = ok ? INGLE_OK : INGLE_ENOMEM;
    if (!st && thinking) st = write_messages(&r, messages, thinking, out);
    free(thinking);
    free(r.spots);
    if (st == INGLE_ENOMEM) return no_memory(err);
    return st ? ingle_fail(err, st, "messages: too deep") : INGLE_OK;
}

ingle_status ledger_find(ledger *l, const ledger_scope *scope, const char *messages,
                         size_t n_messages, bool restore, ledger_found *out, ingle_error *err)
{
    ingle_json_doc doc;
    ingle_error why;
    *out = (ledger_found){.n_answers = 0};
    ingle_status st = ingle_json_open(&doc, messages, n_messages, NULL, &why);
    if (st) return ingle_fail(err, st, "messages: %.200s", why.text);
    if (ingle_json_is(doc.root, INGLE_JSON_ARRAY))
        st = find_all(l, scope, doc.root, restore, out, err);
    else st = ingle_fail(err, INGLE_EFORMAT, "messages should be an array");
    ingle_json_close(&doc);
    if (st) ledger_found_free(out);
    return st;
}

void ledger_found_free(ledger_found *f)
{
    free(f->answers);
    free(f->messages);
    *f = (ledger_found){.n_answers = 0};
}

ledger_counts ledger_counts_get(ledger *l)
{
    pthread_mutex_lock(&l->lock);
    ledger_counts c = l->counts;
    pthread_mutex_unlock(&l->lock);
    return c;
}
