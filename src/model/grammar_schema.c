/* grammar_schema.c - grammars that come from JSON Schemas. */
#include "base/mem.h"
#include "grammar/schema.h"
#include "model/grammar.h"

enum { MAX_TAGS = 1000 };

/* ---- one schema ------------------------------------------------------------------------------ */

typedef struct ingle_dropping {
    ingle_notes *notes;
    ingle_status status;
} ingle_dropping;

static void note_dropped(void *context, const char *path, const char *keyword, const char *why)
{
    ingle_dropping *d = context;
    if (!d->status)
        d->status = ingle_notes_add(d->notes, NULL, "%s: %s: %s", *path ? path : "/", keyword, why);
}

static ingle_status compile_one(ingle_terms *t, ingle_string text, const ingle_grammar_options *opt,
                                ingle_notes *dropped, ingle_term *root, ingle_error *err)
{
    ingle_dropping d = {dropped, INGLE_OK};
    ingle_schema_document *documents = ingle_new(opt->n_documents, sizeof *documents);
    if (!documents) return ingle_fail(err, INGLE_ENOMEM, "no memory for a schema");
    for (size_t i = 0; i < opt->n_documents; i++)
        documents[i] = (ingle_schema_document){opt->documents[i].uri, opt->documents[i].text,
                                               opt->documents[i].len};
    const ingle_schema_options o = {.lenient = opt->lenient,
                                    .any_order = opt->any_order,
                                    .compact = opt->compact,
                                    .documents = documents,
                                    .n_documents = opt->n_documents,
                                    .dropped = note_dropped,
                                    .context = &d};
    ingle_status st = ingle_schema_compile(t, text.text, text.len, &o, root, err);
    free(documents);
    if (!st && d.status) st = ingle_fail(err, d.status, "no memory for a schema");
    return st;
}

static ingle_status compile_schema(const ingle_grammar_source *s, ingle_terms *t,
                                   const ingle_grammar_options *opt, const ingle_token_names *names,
                                   ingle_notes *dropped, ingle_term *root, ingle_error *err)
{
    (void)names;
    return compile_one(t, s->parts[0], opt, dropped, root, err);
}

ingle_status ingle_grammar_open_schema(ingle_grammar **out, ingle_model *model, const char *text,
                                       size_t len, const ingle_grammar_options *opt,
                                       ingle_error *err)
{
    const ingle_string part = {text, len};
    const ingle_grammar_source source = {'s', &part, 1, compile_schema, NULL};
    return ingle_grammar_open(out, model, &source, opt, err);
}

static ingle_status compile_json(const ingle_grammar_source *s, ingle_terms *t,
                                 const ingle_grammar_options *opt, const ingle_token_names *names,
                                 ingle_notes *dropped, ingle_term *root, ingle_error *err)
{
    (void)s, (void)names, (void)dropped, (void)err;
    const ingle_schema_options o = {.compact = opt->compact};
    *root = ingle_schema_any(t, &o, true);
    return INGLE_OK;
}

ingle_status ingle_grammar_open_json(ingle_grammar **out, ingle_model *model,
                                     const ingle_grammar_options *opt, ingle_error *err)
{
    const ingle_grammar_source source = {'j', NULL, 0, compile_json, NULL};
    return ingle_grammar_open(out, model, &source, opt, err);
}

/* ---- parts of free text ---------------------------------------------------------------------- */

static bool begins_with(ingle_string text, ingle_string head)
{
    return text.len >= head.len && memcmp(text.text, head.text, head.len) == 0;
}

/* The shortest beginning of a tag that this one begins with, the first of equal ones: that is what
 * is looked for, and the rest follows. */
static size_t trigger_of(const ingle_string *parts, size_t n_tags, size_t i)
{
    size_t best = i;
    for (size_t j = 0; j < n_tags; j++)
        if (begins_with(parts[3 * i], parts[3 * j]) &&
            (parts[3 * j].len < parts[3 * best].len ||
             (parts[3 * j].len == parts[3 * best].len && j < best)))
            best = j;
    return best;
}

/* What follows the trigger of tag i: the rest of its beginning, JSON, its end. */
static ingle_status compile_tag(const ingle_string *tag, size_t n_trigger, ingle_terms *t,
                                const ingle_grammar_options *opt, ingle_notes *dropped,
                                ingle_term *out, ingle_error *err)
{
    ingle_term json = INGLE_TERM_NONE;
    ingle_status st = compile_one(t, tag[1], opt, dropped, &json, err);
    const ingle_term parts[] = {
        ingle_term_literal(t, tag[0].text + n_trigger, tag[0].len - n_trigger), json,
        ingle_term_literal(t, tag[2].text, tag[2].len)};
    *out = ingle_term_seq_of(t, parts, 3);
    return st;
}

static ingle_status compile_tags(const ingle_grammar_source *s, ingle_terms *t,
                                 const ingle_grammar_options *opt, const ingle_token_names *names,
                                 ingle_notes *dropped, ingle_term *root, ingle_error *err)
{
    (void)names;
    size_t n_tags = s->n_parts / 3, n = 0;
    ingle_term_text *text = ingle_new(n_tags, sizeof *text);
    ingle_term *until = ingle_new(n_tags, sizeof *until), *rest = ingle_new(n_tags, sizeof *rest);
    size_t *place = ingle_new(n_tags, sizeof *place);
    ingle_status st = INGLE_OK;
    if (!text || !until || !rest || !place)
        st = ingle_fail(err, INGLE_ENOMEM, "no memory for %zu tags", n_tags);
    for (size_t i = 0; !st && i < n_tags; i++)
        if (trigger_of(s->parts, n_tags, i) == i) {
            place[i] = n;
            text[n++] = (ingle_term_text){s->parts[3 * i].text, s->parts[3 * i].len};
        }
    for (size_t i = 0; !st && i < n_tags; i++) {
        ingle_term tag;
        size_t trigger = trigger_of(s->parts, n_tags, i);
        st = compile_tag(s->parts + 3 * i, s->parts[3 * trigger].len, t, opt, dropped, &tag, err);
        rest[place[trigger]] = ingle_term_alt(t, rest[place[trigger]], tag);
    }
    ingle_term free_text = INGLE_TERM_NONE, all = INGLE_TERM_NONE;
    if (!st) ingle_term_search(t, text, n, &free_text, until);
    for (size_t i = 0; !st && i < n; i++)
        all = ingle_term_alt(t, all, ingle_term_seq(t, until[i], rest[i]));
    if (!st) *root = ingle_term_seq(t, ingle_term_repeat(t, all, 0, INGLE_TERM_MANY), free_text);
    free(text);
    free(until);
    free(rest);
    free(place);
    return st;
}

ingle_status ingle_grammar_open_tags(ingle_grammar **out, ingle_model *model, const ingle_tag *tags,
                                     size_t n, const ingle_grammar_options *opt, ingle_error *err)
{
    *out = NULL;
    if (!n || n > MAX_TAGS)
        return ingle_fail(err, INGLE_EINVAL, "%zu tags, should be 1 to %d", n, MAX_TAGS);
    ingle_string *parts = ingle_new(3 * n, sizeof *parts);
    if (!parts) return ingle_fail(err, INGLE_ENOMEM, "no memory for %zu tags", n);
    ingle_status st = INGLE_OK;
    for (size_t i = 0; !st && i < n; i++) {
        const ingle_string part[3] = {tags[i].begin, tags[i].schema, tags[i].end};
        memcpy(parts + 3 * i, part, sizeof part);
        if (!part[0].len || !part[0].text || !part[1].text || (part[2].len && !part[2].text))
            st = ingle_fail(err, INGLE_EINVAL, "tag %zu lacks its beginning, schema or end", i);
    }
    const ingle_grammar_source source = {'t', parts, 3 * n, compile_tags, NULL};
    if (!st) st = ingle_grammar_open(out, model, &source, opt, err);
    free(parts);
    return st;
}
