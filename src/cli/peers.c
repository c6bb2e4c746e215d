/* peers.c - options that people have in scripts for other programs: those that cannot change what is
 * computed here are accepted, the others are refused with what to use instead. */
#include "args.h"

#include <string.h>

static const char NO_GPU[] = "this build computes on the CPU alone";

static const peer_option PEERS[] = {
    {"-ngl --gpu-layers --n-gpu-layers", PEER_VALUE, true, NO_GPU},
    {"-sm --split-mode", PEER_VALUE, true, NO_GPU},
    {"-mg --main-gpu", PEER_VALUE, true, NO_GPU},
    {"-ts --tensor-split", PEER_VALUE, true, NO_GPU},
    {"-nkvo --no-kv-offload", PEER_FLAG, true, NULL},
    {"-fa --flash-attn", PEER_MAYBE, true, NULL},
    {"-ub --ubatch-size", PEER_VALUE, true, NULL},
    {"-tb --threads-batch", PEER_VALUE, true, "-t counts the threads of prompts and of generation"},
    {"--numa", PEER_VALUE, true, "threads and memory are left where the system puts them"},
    {"--mlock", PEER_FLAG, true, "weights are copied into memory, but not locked there"},
    {"--no-mmap", PEER_FLAG, true, NULL},
    {"--mmap", PEER_FLAG, false, "weights are copied into memory; --in-place maps them"},
    {"--no-warmup --warmup", PEER_FLAG, true, NULL},
    {"--no-perf --perf", PEER_FLAG, true, NULL},
    {"--log-disable", PEER_FLAG, true, NULL},
    {"--no-display-prompt", PEER_FLAG, true, NULL},
    {"--simple-io", PEER_FLAG, true, NULL},
    {"-no-cnv --no-conversation", PEER_FLAG, true, NULL},
    {"--no-escape", PEER_FLAG, true, NULL},
    {"--no-context-shift", PEER_FLAG, true, NULL},
    {"--keep", PEER_VALUE, true,
     "a full context ends the generation; nothing is shifted out of it"},
    {"--context-shift", PEER_FLAG, false,
     "a full context ends the generation; -c makes the context larger"},
    {"-e --escape", PEER_FLAG, false,
     "the prompt is taken as it is; in a shell write $'first line\\nsecond line', or use -f FILE"},
    {"-sp --special", PEER_FLAG, false,
     "control tokens have no text in the output; --json reports the ids of all tokens"},
    {"-cnv --conversation -i --interactive", PEER_FLAG, false,
     "this verb takes no turns; 'ingle chat' does"},
};

static bool has_name(const peer_option *peer, const char *name, size_t len)
{
    char word[64];
    for (const char *names = peer->names; help_next_name(&names, word, sizeof word);)
        if (strlen(word) == len && memcmp(word, name, len) == 0) return true;
    return false;
}

const peer_option *peer_find(const cli_verb *verb, const char *name, size_t len)
{
    for (size_t i = 0; i < verb->n_peers; i++)
        if (has_name(&verb->peers[i], name, len)) return &verb->peers[i];
    for (size_t i = 0; i < sizeof PEERS / sizeof *PEERS; i++)
        if (has_name(&PEERS[i], name, len)) return &PEERS[i];
    return NULL;
}

const peer_option *peer_at(size_t i)
{
    return i < sizeof PEERS / sizeof *PEERS ? &PEERS[i] : NULL;
}
