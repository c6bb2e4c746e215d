/* grammar.c - opening grammars: options, what a source is kept by, the vocabulary's tree. */
#include "model/grammar.h"

#include "base/mem.h"
#include "base/options.h"
#include "grammar/regex.h"

enum {
    SHELF_KEY_BYTES = 1 << 20, /* of a source that is kept */
    TRIGGER_BYTES = 4096,
    MAX_PARTS = 1000000
};

static const ingle_grammar_options default_options = {.size = sizeof default_options};

void ingle_grammar_options_init_sized(ingle_grammar_options *opt, size_t size)
{
    ingle_options_fill(opt, size, &default_options, sizeof default_options);
}

/* ---- options --------------------------------------------------------------------------------- */

static ingle_status check_list(const char *name, const void *list, size_t n, ingle_error *err)
{
    if (!n || list) return INGLE_OK;
    return ingle_fail(err, INGLE_EINVAL, "option '%s' is NULL, n_%s is %zu", name, name, n);
}

static ingle_status check_triggers(const ingle_grammar_options *opt, ingle_error *err)
{
    size_t n = 0;
    if (opt->lazy != (opt->n_triggers > 0))
        return ingle_fail(err, INGLE_EINVAL,
                          opt->lazy ? "option 'lazy' needs at least one of 'triggers'"
                                    : "option 'triggers' needs option 'lazy'");
    for (size_t i = 0; i < opt->n_triggers; i++) {
        if (!opt->triggers[i].text || !opt->triggers[i].len)
            return ingle_fail(err, INGLE_EINVAL, "option 'triggers': number %zu is empty", i);
        if ((n += opt->triggers[i].len) > TRIGGER_BYTES)
            return ingle_fail(err, INGLE_EINVAL, "option 'triggers' has more than %d bytes",
                              TRIGGER_BYTES);
    }
    return INGLE_OK;
}

static ingle_status check_options(const ingle_grammar_options *opt, ingle_error *err)
{
    ingle_status st = check_list("documents", opt->documents, opt->n_documents, err);
    if (!st) st = check_list("triggers", opt->triggers, opt->n_triggers, err);
    for (size_t i = 0; !st && i < opt->n_documents; i++)
        if (!opt->documents[i].uri || (opt->documents[i].len && !opt->documents[i].text))
            st = ingle_fail(err, INGLE_EINVAL, "option 'documents': number %zu has no URI or text",
                            i);
    return st ? st : check_triggers(opt, err);
}

ingle_status ingle_grammar_options_check(const ingle_grammar_options *opt, ingle_error *err)
{
    ingle_grammar_options o = default_options;
    ingle_status st = ingle_options_take(&o, sizeof o, opt, "a grammar", err);
    return st ? st : check_options(&o, err);
}

/* ---- what was compiled ----------------------------------------------------------------------- */

/* With a trigger the text goes on after it. */
static ingle_status wait_for_triggers(ingle_terms *t, const ingle_grammar_options *opt,
                                      ingle_term *root, ingle_error *err)
{
    ingle_term_text *text = ingle_new(opt->n_triggers, sizeof *text);
    ingle_term *until = ingle_new(opt->n_triggers, sizeof *until), free_text = INGLE_TERM_NONE;
    ingle_status st =
        text && until ? INGLE_OK : ingle_fail(err, INGLE_ENOMEM, "no memory for a grammar");
    for (size_t i = 0; !st && i < opt->n_triggers; i++)
        text[i] = (ingle_term_text){opt->triggers[i].text, opt->triggers[i].len};
    if (!st) ingle_term_search(t, text, opt->n_triggers, &free_text, until);
    for (size_t i = 0; !st && i < opt->n_triggers; i++) {
        ingle_term rest = ingle_term_after(t, *root, text[i].p, text[i].n);
        if (rest == INGLE_TERM_NONE && !ingle_terms_status(t))
            st = ingle_fail(err, INGLE_EINVAL, "no text of the grammar begins with trigger %zu", i);
        free_text = ingle_term_alt(t, free_text, ingle_term_seq(t, until[i], rest));
    }
    *root = free_text;
    free(text);
    free(until);
    return st ? st : ingle_terms_report(t, err);
}

static ingle_status compile(ingle_compiled **out, const ingle_grammar_source *source,
                            const ingle_grammar_options *opt, const ingle_trie *trie,
                            const ingle_token_names *names, ingle_error *err)
{
    ingle_compiled *c = *out = ingle_new(1, sizeof *c);
    ingle_terms *t = ingle_terms_open(NULL);
    ingle_term root = INGLE_TERM_NONE;
    if (!c || !t) {
        ingle_terms_close(t);
        free(c);
        *out = NULL;
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a grammar");
    }
    atomic_init(&c->refs, 1);
    ingle_status st = source->compile(source, t, opt, names, &c->dropped, &root, err);
    if (!st) st = ingle_terms_finish(t, &root, err);
    if (!st && opt->lazy) st = wait_for_triggers(t, opt, &root, err);
    if (!st) st = ingle_automaton_open(&c->automaton, t, root, trie, NULL, err);
    else ingle_terms_close(t);
    if (!st) return st;
    ingle_compiled_close(c);
    *out = NULL;
    return st;
}

/* ---- the vocabulary -------------------------------------------------------------------------- */

/* The text of every token, one after the other; those of control tokens have none. */
static ingle_status token_texts(const ingle_model *m, size_t n_vocab, char **bytes, uint32_t *start,
                                ingle_error *err)
{
    ingle_vocab_info info;
    size_t cap = 0, longest = ingle_vocab_longest(m->vocab), n = 0;
    ingle_vocab_info_get(m->vocab, &info);
    for (int32_t i = 0; i < (int32_t)n_vocab; i++) {
        size_t len = 0;
        if (!ingle_grow(bytes, &cap, n + longest + 1, 1) || n > UINT32_MAX / 2)
            return ingle_fail(err, INGLE_ENOMEM, "no memory for the texts of the vocabulary");
        ingle_status st = i < info.n_tokens ? ingle_vocab_piece(m->vocab, i, 0, *bytes + n,
                                                                longest + 1, &len, err)
                                            : INGLE_OK;
        if (st) return st;
        start[i + 1] = (uint32_t)(n += len);
    }
    return INGLE_OK;
}

static size_t find_ends(const ingle_model *m, int32_t *ends)
{
    ingle_vocab_info v;
    ingle_token_info info;
    size_t n = 0;
    ingle_vocab_info_get(m->vocab, &v);
    for (int32_t i = 0; i < v.n_tokens; i++)
        if (!ingle_vocab_token(m->vocab, i, &info, NULL) && info.eog) ends[n++] = i;
    return n;
}

/* The rows of the model's head, of which the last may have no text; or, where no plan was read, the
 * tokens of the vocabulary. */
static int32_t count_tokens(const ingle_model *m)
{
    ingle_vocab_info info;
    ingle_vocab_info_get(m->vocab, &info);
    return m->n_vocab > info.n_tokens ? m->n_vocab : info.n_tokens;
}

static ingle_status open_trie(ingle_trie **out, const ingle_model *m, ingle_error *err)
{
    size_t n = (size_t)count_tokens(m);
    uint32_t *start = ingle_new(n + 1, sizeof *start);
    int32_t *ends = ingle_new(n, sizeof *ends);
    char *bytes = NULL;
    ingle_status st = start && ends ? token_texts(m, n, &bytes, start, err)
                                    : ingle_fail(err, INGLE_ENOMEM, "no memory for a grammar");
    if (!st) st = ingle_trie_open(out, bytes, start, n, ends, find_ends(m, ends), err);
    free(start);
    free(ends);
    free(bytes);
    return st;
}

static int32_t find_token(const void *self, const char *text, size_t len)
{
    int32_t token[2];
    size_t n = 0;
    const ingle_model *m = self;
    ingle_status st = ingle_vocab_tokenize(
        m->vocab, text, len, INGLE_PARSE_SPECIAL | INGLE_CONTINUE, token, 2, &n, NULL);
    return !st && n == 1 ? token[0] : -1;
}

/* ---- the shelf ------------------------------------------------------------------------------- */

typedef struct ingle_key_text {
    char *text;
    size_t n, cap;
    bool failed;
} ingle_key_text;

static void add_part(ingle_key_text *k, const char *p, size_t n)
{
    if (k->failed || !ingle_grow(&k->text, &k->cap, k->n + sizeof n + n, 1)) {
        k->failed = true;
        return;
    }
    memcpy(k->text + k->n, &n, sizeof n);
    if (n) memcpy(k->text + k->n + sizeof n, p, n);
    k->n += sizeof n + n;
}

/* All that the result depends on. NULL: no memory, or it is too long to be kept. */
static char *key_of(const ingle_grammar_source *s, const ingle_grammar_options *opt, size_t *n)
{
    ingle_key_text k = {0};
    const char head[] = {s->kind, opt->lenient, opt->any_order, opt->compact, opt->lazy};
    const size_t counts[] = {s->n_parts, opt->n_documents, opt->n_triggers};
    size_t bytes = 0;
    for (size_t i = 0; i < s->n_parts; i++) bytes += s->parts[i].len;
    for (size_t i = 0; i < opt->n_documents; i++) bytes += opt->documents[i].len;
    if (bytes > SHELF_KEY_BYTES) return NULL;
    add_part(&k, head, sizeof head);
    add_part(&k, (const char *)counts, sizeof counts);
    for (size_t i = 0; i < s->n_parts; i++) add_part(&k, s->parts[i].text, s->parts[i].len);
    for (size_t i = 0; i < opt->n_documents; i++) {
        add_part(&k, opt->documents[i].uri, strlen(opt->documents[i].uri));
        add_part(&k, opt->documents[i].text, opt->documents[i].len);
    }
    for (size_t i = 0; i < opt->n_triggers; i++)
        add_part(&k, opt->triggers[i].text, opt->triggers[i].len);
    *n = k.n;
    if (!k.failed) return k.text;
    free(k.text);
    return NULL;
}

/* Compiling is done under the lock: of several that ask for the same, one does it. */
static ingle_status open_on_shelf(ingle_compiled **out, ingle_model *m,
                                  const ingle_grammar_source *source,
                                  const ingle_grammar_options *opt, ingle_error *err)
{
    ingle_grammar_shelf *shelf = m->shelf;
    const ingle_token_names names = {find_token, m, count_tokens(m)};
    size_t n_key = 0;
    char *key = key_of(source, opt, &n_key);
    ingle_status st = INGLE_OK;
    pthread_mutex_lock(&shelf->lock);
    *out = ingle_grammar_shelf_find(shelf, key, n_key);
    if (!*out) {
        if (!shelf->trie) st = open_trie(&shelf->trie, m, err);
        if (!st) st = compile(out, source, opt, shelf->trie, &names, err);
        if (!st && key) {
            ingle_grammar_shelf_put(shelf, key, n_key, *out);
            key = NULL;
        }
    }
    pthread_mutex_unlock(&shelf->lock);
    free(key);
    return st;
}

/* ---- opening --------------------------------------------------------------------------------- */

ingle_status ingle_grammar_open(ingle_grammar **out, ingle_model *model,
                                const ingle_grammar_source *source,
                                const ingle_grammar_options *opt, ingle_error *err)
{
    ingle_grammar_options o = default_options;
    ingle_status st = ingle_options_take(&o, sizeof o, opt, "a grammar", err);
    *out = NULL;
    if (st || (st = check_options(&o, err))) return st;
    if (model && !model->vocab)
        return ingle_fail(err, INGLE_EINVAL, "the model was opened without its vocabulary");
    ingle_grammar *g = ingle_new(1, sizeof *g);
    if (!g) return ingle_fail(err, INGLE_ENOMEM, "no memory for a grammar");
    st = model ? open_on_shelf(&g->compiled, model, source, &o, err)
               : compile(&g->compiled, source, &o, NULL, NULL, err);
    if (st) {
        free(g);
        return st;
    }
    g->model = model ? ingle_model_retain(model) : NULL;
    *out = g;
    return INGLE_OK;
}

void ingle_grammar_close(ingle_grammar **grammar)
{
    if (!grammar || !*grammar) return;
    ingle_compiled_close((*grammar)->compiled);
    ingle_model_close(&(*grammar)->model);
    free(*grammar);
    *grammar = NULL;
}

ingle_status ingle_grammar_info_get(const ingle_grammar *g, ingle_grammar_info *info,
                                    ingle_error *err)
{
    ingle_status st = ingle_result_check(info, sizeof *info, "ingle_grammar_info", err);
    if (st) return st;
    ingle_automaton_stats stats;
    ingle_automaton_stats_get(g->compiled->automaton, &stats);
    const ingle_grammar_info own = {.size = sizeof own,
                                    .dropped = (const char *const *)g->compiled->dropped.text,
                                    .n_dropped = g->compiled->dropped.n,
                                    .n_bytes = stats.bytes,
                                    .n_masks = stats.n_masks,
                                    .n_hits = stats.n_hits};
    ingle_result_give(info, &own, sizeof own);
    return INGLE_OK;
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static ingle_status compile_gbnf(const ingle_grammar_source *s, ingle_terms *t,
                                 const ingle_grammar_options *opt, const ingle_token_names *names,
                                 ingle_notes *dropped, ingle_term *root, ingle_error *err)
{
    (void)opt, (void)dropped;
    return ingle_gbnf_compile(t, s->parts->text, s->parts->len, names, root, err);
}

static ingle_status compile_regex(const ingle_grammar_source *s, ingle_terms *t,
                                  const ingle_grammar_options *opt, const ingle_token_names *names,
                                  ingle_notes *dropped, ingle_term *root, ingle_error *err)
{
    (void)opt, (void)names, (void)dropped;
    return ingle_regex_compile(t, s->parts->text, s->parts->len, NULL, root, err);
}

static ingle_status compile_choice(const ingle_grammar_source *s, ingle_terms *t,
                                   const ingle_grammar_options *opt, const ingle_token_names *names,
                                   ingle_notes *dropped, ingle_term *root, ingle_error *err)
{
    (void)opt, (void)names, (void)dropped;
    ingle_term_text *texts = ingle_new(s->n_parts, sizeof *texts);
    if (!texts) return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu choices", s->n_parts);
    for (size_t i = 0; i < s->n_parts; i++)
        texts[i] = (ingle_term_text){s->parts[i].text, s->parts[i].len};
    *root = ingle_term_literals(t, texts, s->n_parts);
    free(texts);
    return INGLE_OK;
}

ingle_status ingle_grammar_open_gbnf(ingle_grammar **out, ingle_model *model, const char *text,
                                     size_t len, const ingle_grammar_options *opt, ingle_error *err)
{
    const ingle_string part = {text, len};
    const ingle_grammar_source source = {'g', &part, 1, compile_gbnf, NULL};
    return ingle_grammar_open(out, model, &source, opt, err);
}

ingle_status ingle_grammar_open_regex(ingle_grammar **out, ingle_model *model, const char *text,
                                      size_t len, const ingle_grammar_options *opt,
                                      ingle_error *err)
{
    const ingle_string part = {text, len};
    const ingle_grammar_source source = {'r', &part, 1, compile_regex, NULL};
    return ingle_grammar_open(out, model, &source, opt, err);
}

ingle_status ingle_grammar_open_choice(ingle_grammar **out, ingle_model *model,
                                       const ingle_string *choices, size_t n,
                                       const ingle_grammar_options *opt, ingle_error *err)
{
    *out = NULL;
    if (!n || n > MAX_PARTS)
        return ingle_fail(err, INGLE_EINVAL, "%zu choices, should be 1 to %d", n, MAX_PARTS);
    for (size_t i = 0; i < n; i++)
        if (choices[i].len && !choices[i].text)
            return ingle_fail(err, INGLE_EINVAL, "choice %zu has no text", i);
    const ingle_grammar_source source = {'c', choices, n, compile_choice, NULL};
    return ingle_grammar_open(out, model, &source, opt, err);
}
