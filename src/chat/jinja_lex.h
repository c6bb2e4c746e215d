/* jinja_lex.h - a template's text as tokens, white space around tags already taken away.
 * Depends on jinja_arena.h.
 * Invariant  the last token is JINJA_T_END; every range lies within the text. */
#ifndef INGLE_CHAT_JINJA_LEX_H
#define INGLE_CHAT_JINJA_LEX_H

#include "chat/jinja.h"
#include "chat/jinja_arena.h"

typedef enum jinja_token_kind {
    JINJA_T_END,
    JINJA_T_DATA,
    JINJA_T_PRINT,     /* {{ */
    JINJA_T_PRINT_END, /* }} */
    JINJA_T_TAG,       /* {% */
    JINJA_T_TAG_END,   /* %} */
    JINJA_T_NAME,
    JINJA_T_STRING, /* with its quotes */
    JINJA_T_INT,
    JINJA_T_FLOAT,
    JINJA_T_EQ,
    JINJA_T_NE,
    JINJA_T_LT,
    JINJA_T_LE,
    JINJA_T_GT,
    JINJA_T_GE,
    JINJA_T_ASSIGN,
    JINJA_T_ADD,
    JINJA_T_SUB,
    JINJA_T_MUL,
    JINJA_T_DIV,
    JINJA_T_FLOORDIV,
    JINJA_T_MOD,
    JINJA_T_POW,
    JINJA_T_TILDE,
    JINJA_T_PIPE,
    JINJA_T_DOT,
    JINJA_T_COMMA,
    JINJA_T_COLON,
    JINJA_T_SEMICOLON,
    JINJA_T_LPAREN,
    JINJA_T_RPAREN,
    JINJA_T_LBRACKET,
    JINJA_T_RBRACKET,
    JINJA_T_LBRACE,
    JINJA_T_RBRACE
} jinja_token_kind;

typedef struct jinja_token {
    uint32_t kind;
    uint32_t at, n; /* bytes of the text */
    uint32_t line;
} jinja_token;

typedef struct jinja_tokens {
    char *text; /* in the arena; ends of lines are \n */
    size_t n_text;
    jinja_token *token; /* freed by free() */
    size_t n, cap;
} jinja_tokens;

ingle_status ingle_jinja_lex(jinja_tokens *t, jinja_arena *arena, const char *text, size_t n,
                             ingle_error *err);
/* "'+'", "end of print statement", "name 'x'": for messages. */
const char *ingle_jinja_token_text(const jinja_tokens *t, const jinja_token *token, char out[64]);

#endif
