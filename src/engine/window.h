/* window.h - which pages of its windowed layers a session holds: those that its next token sees,
 * those around the beginning and the end of its last prompt, and older ones while it has no better
 * use for them.
 * Owns       the table; the pages are the engine's, taken and given back by session.c.
 * Depends on backend/backend.h for what a missing page is called.
 * Invariant  n_own pages are in the table or spare; a page in the table holds every position of its
 *            own that is below the session's n_live. */
#ifndef INGLE_ENGINE_WINDOW_H
#define INGLE_ENGINE_WINDOW_H

#include "backend/backend.h"

typedef struct ingle_window {
    size_t width;    /* positions that a token sees, its own among them; 0: no layer is windowed */
    uint32_t *ids;   /* [n_ctx / 32] by position; INGLE_NO_PAGE: gone, or not there yet */
    uint32_t *spare; /* [most] */
    size_t n_table, n_spare, n_own, most;
    size_t begin,
        end; /* positions before and after the last prompt; while it is computed 0 for its end */
} ingle_window;

/* Pages that a session needs at most: a batch and what its first token sees, and what is seen from
 * the two ends of a prompt. */
size_t ingle_window_most(size_t width, size_t n_batch, size_t n_ctx);
bool ingle_window_open(ingle_window *w, size_t width, size_t n_batch, size_t n_ctx);
void ingle_window_close(ingle_window *w);
/* Pages that a session of n positions owns. */
size_t ingle_window_want(const ingle_window *w, size_t n);
/* The first page that positions from pos on see. */
size_t ingle_window_first(const ingle_window *w, size_t pos);
/* Makes room for positions of page p: false if it is there, else *id is a page that has to be
 * cleared. Pages of a batch are placed in order. Cannot fail: session.c has seen to it that there
 * are enough. */
bool ingle_window_place(ingle_window *w, size_t p, uint32_t *id);
/* A prompt's next tokens stand at positions from n on: a prompt that follows one at once goes on
 * with it. After the last of them n positions are there. */
void ingle_window_begin(ingle_window *w, size_t n);
void ingle_window_end(ingle_window *w, size_t n);
/* Positions from n on are gone, and only `live` of those before are there. Returns how many can be
 * gone on from: live if all that the next one sees is there. */
size_t ingle_window_rewind(ingle_window *w, size_t n, size_t live);
/* The invariant, but for what pages hold; whether every page is there that positions from `pos` on
 * see and that has any below `end`. For builds with assertions. */
bool ingle_window_is_sound(const ingle_window *w);
bool ingle_window_holds(const ingle_window *w, size_t pos, size_t end);

#endif
