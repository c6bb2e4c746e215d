/* grammar_shelf.c - see grammar_shelf.h. */
#include "model/grammar_shelf.h"

#include "base/mem.h"

void ingle_compiled_close(ingle_compiled *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1) return;
    ingle_automaton_close(c->automaton);
    ingle_notes_free(&c->dropped);
    free(c);
}

ingle_status ingle_grammar_shelf_open(ingle_grammar_shelf **out, ingle_error *err)
{
    if (!(*out = ingle_new(1, sizeof **out)))
        return ingle_fail(err, INGLE_ENOMEM, "no memory for a model");
    pthread_mutex_init(&(*out)->lock, NULL);
    return INGLE_OK;
}

static void take_off(ingle_shelved *e)
{
    ingle_compiled_close(e->compiled);
    free(e->key);
    *e = (ingle_shelved){0};
}

void ingle_grammar_shelf_close(ingle_grammar_shelf *shelf)
{
    if (!shelf) return;
    for (size_t i = 0; i < INGLE_SHELF; i++) take_off(&shelf->entry[i]);
    ingle_trie_close(shelf->trie);
    pthread_mutex_destroy(&shelf->lock);
    free(shelf);
}

ingle_compiled *ingle_grammar_shelf_find(ingle_grammar_shelf *shelf, const char *key, size_t n_key)
{
    for (size_t i = 0; key && i < INGLE_SHELF; i++) {
        ingle_shelved *e = &shelf->entry[i];
        if (!e->key || e->n_key != n_key || memcmp(e->key, key, n_key) != 0) continue;
        e->used = ++shelf->now;
        atomic_fetch_add(&e->compiled->refs, 1);
        return e->compiled;
    }
    return NULL;
}

static size_t bytes_of(const ingle_grammar_shelf *shelf)
{
    ingle_automaton_stats stats;
    size_t bytes = 0;
    for (size_t i = 0; i < INGLE_SHELF; i++) {
        if (!shelf->entry[i].compiled) continue;
        ingle_automaton_stats_get(shelf->entry[i].compiled->automaton, &stats);
        bytes += stats.bytes;
    }
    return bytes;
}

/* The one that was not asked for the longest; one that is empty before all others. */
static ingle_shelved *oldest_of(ingle_grammar_shelf *shelf, bool empty_too)
{
    ingle_shelved *oldest = NULL;
    for (size_t i = 0; i < INGLE_SHELF; i++) {
        ingle_shelved *e = &shelf->entry[i];
        if ((e->key || empty_too) && (!oldest || e->used < oldest->used)) oldest = e;
    }
    return oldest;
}

void ingle_grammar_shelf_put(ingle_grammar_shelf *shelf, char *key, size_t n_key, ingle_compiled *c)
{
    for (ingle_shelved *e; bytes_of(shelf) > INGLE_SHELF_BYTES && (e = oldest_of(shelf, false));)
        take_off(e);
    ingle_shelved *place = oldest_of(shelf, true);
    take_off(place);
    atomic_fetch_add(&c->refs, 1);
    *place = (ingle_shelved){key, n_key, c, ++shelf->now};
}
