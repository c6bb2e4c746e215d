/* window.h - which pages of its windowed layers a session names: those that its next token sees,
 * those around the beginning and the end of its last prompt, and older ones while nobody has a
 * better use for them.
 * Owns       the table, and a count of every page in it.
 * Depends on engine/pages.h, on backend/backend.h for what a missing page is called.
 * Invariant  a page in the table holds every position of its own that is below the session's
 *            n_live. It is written while the session is its only owner. */
#ifndef INGLE_ENGINE_WINDOW_H
#define INGLE_ENGINE_WINDOW_H

#include "backend/backend.h"
#include "engine/pages.h"

typedef struct ingle_window {
    size_t width;  /* positions that a token sees, its own among them; 0: no layer is windowed */
    uint32_t *ids; /* [n_table] by position; INGLE_NO_PAGE: gone, or not there yet */
    size_t n_table, n, most; /* n: pages in the table */
    size_t begin,
        end; /* positions before and after the last prompt; while it is computed 0 for its end */
} ingle_window;

/* Pages that a session needs at most: a batch and what its first token sees, and what is seen from
 * the two ends of a prompt. */
size_t ingle_window_most(size_t width, size_t n_batch, size_t n_ctx);
bool ingle_window_open(ingle_window *w, size_t width, size_t n_batch, size_t n_ctx);
void ingle_window_close(ingle_window *w); /* names none any more */
/* Pages that a session of n positions needs at most. */
size_t ingle_window_want(const ingle_window *w, size_t n);
/* The first page that positions from pos on see. */
size_t ingle_window_first(const ingle_window *w, size_t pos);
/* Pages that are to be taken for positions pos .. end - 1, the copy of one that others have among
 * them; and how many of the table can go for that and are free then. */
size_t ingle_window_need(const ingle_window *w, const ingle_pages *pool, size_t pos, size_t end);
size_t ingle_window_spare(const ingle_window *w, const ingle_pages *pool, size_t pos);
/* Gives up the lowest page that positions from pos on do not see; false: there is none. */
bool ingle_window_give(ingle_window *w, ingle_pages *pool, size_t pos);
/* Page p of the table is this one from now on. */
void ingle_window_place(ingle_window *w, size_t p, uint32_t id);
/* A prompt's next tokens stand at positions from n on: a prompt that follows one at once goes on
 * with it. After the last of them n positions are there. */
void ingle_window_begin(ingle_window *w, size_t n);
void ingle_window_end(ingle_window *w, size_t n);
/* Positions from n on are gone, and only `live` of those before are there. Returns how many can be
 * gone on from: live if all that the next one sees is there. Pages after these are dropped. */
size_t ingle_window_rewind(ingle_window *w, ingle_pages *pool, size_t n, size_t live);
/* Another session has the same, `to` naming none. */
void ingle_window_share(ingle_window *to, const ingle_window *from, ingle_pages *pool);
/* The invariant, but for what pages hold; whether every page is there that positions from `pos` on
 * see and that has any below `end`. For builds with assertions. */
bool ingle_window_is_sound(const ingle_window *w, const ingle_pages *pool);
bool ingle_window_holds(const ingle_window *w, size_t pos, size_t end);

#endif
