/* bodies.h - what clients send: prompts of so many tokens, and what agents send, in shape and size.
 * Depends on base/json.h, library.h, client.h (buffer).
 * Invariant  texts are made up, and differ by their seed from the first words on, so that no prompt
 *            was seen before. */
#ifndef INGLE_BENCH_BODIES_H
#define INGLE_BENCH_BODIES_H

#include "client.h"
#include "library.h"

/* A user's message of so many words, as an array of messages in JSON. */
buffer bodies_messages(size_t n_words, uint64_t seed);
/* With as many words that its prompt has n_tokens tokens, or as few fewer as words allow. */
buffer bodies_messages_of(const library *words, size_t n_tokens, uint64_t seed);

typedef struct ask {
    const char *messages; /* JSON */
    const char *tools;    /* JSON; NULL: none */
    const char *tool;     /* the tool that has to be called; NULL */
    int max_tokens;       /* written in full, whatever they are; with a tool at most so many */
    bool stream, progress;
} ask;
/* The body of a chat completion. */
buffer bodies_chat(const ask *a);

/* 24 tools, about so many bytes of JSON in all; the first is read_file, whose argument is one of a
 * few texts. */
buffer bodies_tools(size_t n_bytes, uint64_t seed);
/* The beginning of an agent's conversation: a system text of so many bytes and a question; then
 * turns in which a tool was called and gave so many bytes. */
buffer bodies_agent(size_t n_system, size_t n_turns, size_t n_result, uint64_t seed);
/* The same messages, the answer (a tool call, if id is given) and what came of it. */
buffer bodies_go_on(const char *messages, const char *content, const char *id, const char *name,
                    const char *arguments, size_t n_result, uint64_t seed);

#endif
