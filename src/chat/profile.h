/* profile.h - what is known of a model family beyond its template: how it thinks, how it calls
 * tools, which sampling its makers recommend.
 * Owns       nothing: rows (profiles.c) are constant, a profile points at them.
 * Depends on chat/syntax.h, base/status.h.
 * Invariant  rendering knows no profile: the template alone says what a prompt looks like. What a
 *            template shows (marks of thinking and calls, names of switches) is taken from it, and
 *            from the family's row only what it does not show. */
#ifndef INGLE_CHAT_PROFILE_H
#define INGLE_CHAT_PROFILE_H

#include "base/status.h"
#include "chat/syntax.h"

enum {
    INGLE_PROFILE_CALLS = 6,
    INGLE_PROFILE_TEXTS = 6,
    INGLE_PROFILE_SIGNS = 2,
    INGLE_PROFILE_EFFORTS = 8
};

/* Sampling as recommended; only what `has_` says. It ranks below the keys general.sampling.* of a
 * model's file, and those below options. */
typedef struct ingle_preset {
    float temperature, top_p, min_p, repeat_penalty, presence_penalty;
    int top_k;
    bool has_temperature, has_top_p, has_min_p, has_repeat_penalty, has_presence_penalty, has_top_k;
} ingle_preset;

/* The variable of a template that switches thinking; values as JSON. */
typedef struct ingle_think_switch {
    const char *variable;
    const char *on, *off;
    const char *sign; /* in the template */
} ingle_think_switch;

/* Who takes the thinking out of earlier turns. */
typedef enum ingle_history {
    INGLE_HISTORY_KEEP,     /* nobody: there is none */
    INGLE_HISTORY_TEMPLATE, /* the template */
    INGLE_HISTORY_STRIP     /* whoever renders */
} ingle_history;

/* Texts around the parts of a gap to fill; NULL: the family has none. */
typedef struct ingle_fim {
    const char *prefix, *suffix, *middle;
} ingle_fim;

/* A row. Lists end with NULL unless they are full. */
typedef struct ingle_chat_family {
    const char *name, *title;
    /* Values of general.architecture that belong to this family only. */
    const char *arch[INGLE_PROFILE_TEXTS];
    /* Parts of a model's name: lower case, with '-' for '_' and ' '. */
    const char *names[INGLE_PROFILE_TEXTS];
    ingle_signs signs[INGLE_PROFILE_SIGNS]; /* in the template: of one entry */
    bool needs_name;                        /* others have the same signs or architecture */
    bool weak;                              /* many families have these signs */
    const char *thinking;                   /* names in syntax.h */
    const char *calls[INGLE_PROFILE_CALLS];
    bool calls_in_thinking;                     /* a call may come before thinking is closed */
    bool no_system;                             /* no role system */
    const char *efforts[INGLE_PROFILE_EFFORTS]; /* values of reasoning_effort */
    /* Texts that end an answer, if the vocabulary does not know them as ends. */
    const char *stops[INGLE_PROFILE_TEXTS];
    ingle_fim fim;
    ingle_preset preset, preset_thinking; /* the second: while it thinks, if it has anything */
} ingle_chat_family;

/* A model's profile. Points at constants; copied freely. */
typedef struct ingle_chat_profile {
    const ingle_chat_family *family; /* never NULL */
    const ingle_thinking *thinking;  /* NULL: no thinking */
    bool thinks; /* that is the template's, or the family's own; else one that may occur */
    const ingle_call_syntax *calls[INGLE_PROFILE_CALLS]; /* the first is the family's own */
    const ingle_think_switch *think_switch;              /* NULL: none */
    const char *efforts[INGLE_PROFILE_EFFORTS]; /* of reasoning_effort; none: not understood */
    ingle_history history;
    bool has_tools; /* the template renders tools */
    bool tool_role; /* results of tools go into the role tool; else into user */
    bool system_role;
    bool spaced; /* an answer begins with white space, which belongs to the prompt's last mark */
    bool by_name, by_template, by_metadata; /* how the family was found */
} ingle_chat_profile;

/* What is known of a model; any may be NULL. */
typedef struct ingle_profile_query {
    const char *family;          /* the name of a row: no other is looked for */
    const char *arch;            /* general.architecture */
    const char *name, *basename; /* general.name, general.basename */
    const char *file;            /* of the file or repository */
    const char *template_text;
    size_t n_template;
} ingle_profile_query;

/* Signs in the template come first, agreeing with metadata if possible; then architecture, name,
 * file; then the generic row. INGLE_EINVAL for a family that is not there: the error lists near
 * ones. */
ingle_status ingle_profile_find(ingle_chat_profile *out, const ingle_profile_query *query,
                                ingle_error *err);
/* That of no family. */
void ingle_profile_generic(ingle_chat_profile *out);

/* Row i; NULL after the last, which is the generic one. */
const ingle_chat_family *ingle_profile_family(size_t i);

/* Sampling with or without thinking. */
const ingle_preset *ingle_profile_preset(const ingle_chat_profile *profile, bool thinking);

/* Whether an answer to this prompt begins inside a thought: the prompt ends with a mark that opens
 * one, white space aside. */
bool ingle_profile_prompt_thinks(const ingle_chat_profile *profile, const char *prompt, size_t n);

#endif
