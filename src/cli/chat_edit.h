/* chat_edit.h - what a user types: lines, with editing and history on a terminal that can, else as
 * they come.
 * Owns       the editor, the history, the lines read.
 * Depends on chat.h, lines.h, platform.h, libedit. */
#ifndef INGLE_CLI_CHAT_EDIT_H
#define INGLE_CLI_CHAT_EDIT_H

#include "chat.h"

typedef struct chat_edit chat_edit;

typedef enum chat_typed {
    CHAT_TYPED,
    CHAT_TYPED_NONE, /* Ctrl+C: what was typed is thrown away */
    CHAT_TYPED_END,  /* of the input; Ctrl+D */
    CHAT_TYPED_FAILED
} chat_typed;

/* history: a file that lines are read from and written to at the end; NULL: none. NULL: no memory,
 * or the terminal cannot be used, which was reported. */
chat_edit *chat_edit_open(const char *history);
void chat_edit_close(chat_edit *e);
bool chat_edit_terminal(const chat_edit *e); /* somebody sits there */

/* One line without its end. */
chat_typed chat_edit_line(chat_edit *e, const char *prompt, chat_text *line);
/* A line, or several: one that ends in a backslash goes on, and from one that begins with three
 * double quotes everything belongs together until a line ends in three. */
chat_typed chat_edit_message(chat_edit *e, chat_text *message);

#endif
