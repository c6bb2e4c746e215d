/* anthropic.h - Anthropic's Messages: bodies become generations, answers become messages and their
 * streams.
 * Owns       tables, which are constant, and job.own of its jobs.
 * Depends on job.h.
 * Invariant  of the blocks of a stream one is open at most, and they are counted from 0. */
#ifndef INGLE_SERVER_ANTHROPIC_H
#define INGLE_SERVER_ANTHROPIC_H

#include "job.h"

/* POST /v1/messages. Target: generation. */
extern const field_table anthropic_fields;
/* POST /v1/messages/count_tokens: the same without what concerns the answer alone. */
extern const field_table anthropic_count_fields;
extern const dialect anthropic_dialect;

/* What the rows do not do by themselves: the conversation, tools, thinking. See endpoint.read. */
bool anthropic_read(job *j);
/* Answers {"input_tokens": N}: what the body, sent as a message, would have for its prompt. */
void anthropic_count(job *j);
/* A model's entry in a list. */
void anthropic_model(const served_model *m, ingle_json_writer *w);

/* The kind of the block of a stream that is open. */
typedef enum anthropic_block { BLOCK_NONE, BLOCK_THINKING, BLOCK_TEXT, BLOCK_CALL } anthropic_block;

/* job.own */
typedef struct anthropic_own {
    bool hides_thinking; /* thinking.display "omitted" */
    bool edits;          /* context_management was asked for */
    anthropic_block open;
    size_t n_blocks;   /* that were begun */
    uint64_t thinking; /* digest of the open block's */
} anthropic_own;

#endif
