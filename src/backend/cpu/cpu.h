/* cpu.h - the CPU backend from inside: its arena, what a run carries, and what its files share.
 * Each file calls only those before it: layout.c, pages.c, elem.c (functions of one row),
 * product.c, attend.c, experts.c, recur.c, embed.c, streams.c, rows.c (small instructions),
 * profile.c, limits.c, run.c (the walk through the plan), cpu.c. */
#ifndef INGLE_BACKEND_CPU_CPU_H
#define INGLE_BACKEND_CPU_CPU_H

#include <stdatomic.h>

#include "backend/backend.h"
#include "base/pool.h"
#include "kern/kern.h"

#define INGLE_HEAD_ROWS 32 /* logits rows computed at once */

/* Head counts that have counters; layers of a further one wait at the barrier. */
#define CPU_DUES 4

/* Byte offsets in the arena; a pure function of plan, weights, options and level (layout.c). */
typedef struct cpu_layout {
    size_t *value;                  /* [n_value of the plan], SIZE_MAX: it takes no memory */
    size_t logits;                  /* of INGLE_HEAD_ROWS rows */
    size_t acts[3], acts_bytes[3];  /* shared activations by class, n_batch rows */
    size_t pair_acts[3];            /* a row for each expert of a token */
    size_t rope[INGLE_ROPE_TABLES]; /* [n_batch][n_rot/2] cosine and sine; SIZE_MAX: not used */
    size_t tok_seq, tok_pos, spans, pages, counters, heads[CPU_DUES], chosen;
    size_t n_heads[CPU_DUES];           /* 0: unused */
    size_t thread, thread_bytes;        /* private part of thread 0; stride */
    size_t t_row, t_acts[3], t_scratch; /* offsets in the private part */
    size_t t_heads;                     /* a head's rows, quantised */
    size_t t_panels;                    /* of a model in place: a task's panels */
    size_t t_route;                     /* of ROUTE and what follows it: scores, or first rows */
    size_t n_counters, max_cols;
    size_t total;
} cpu_layout;

/* A cache in the pages of its group: its heads' slots follow one another from `at` on. */
typedef struct cpu_cache {
    ingle_kv_shape kv;
    ingle_group group;
    size_t at;
    uint32_t n_heads;
    uint32_t due; /* which of the counters below its heads have: those of its head count */
} cpu_cache;

/* The pools of pages, one behind the other. */
typedef struct cpu_pools {
    size_t page_bytes[INGLE_GROUPS];
    size_t at[INGLE_GROUPS]; /* of page 0, from the first pool on */
    size_t bytes;
} cpu_pools;

/* Tokens, or wanted rows, that follow one another in their sequence and in the buffers. */
typedef struct cpu_span {
    size_t i_seq, first, n, pos0;
} cpu_span;

/* One task counter of an instruction, alone on its cache line. */
typedef struct cpu_counter {
    _Alignas(64) atomic_size_t next;
} cpu_counter;

/* One instruction of one run, as one thread saw it. */
typedef struct cpu_lap {
    double work, wait;
} cpu_lap;

/* A thread's clock in a run that is profiled. */
typedef struct cpu_clock {
    _Alignas(64) double last, begun, ended; /* ended: behind the last barrier */
    double wait;                            /* of the instruction in progress */
    cpu_lap *laps;                          /* [n_instr] */
} cpu_clock;

typedef struct cpu_profile {
    bool on;
    void *block;       /* what malloc gave; NULL: never switched on */
    cpu_clock *clocks; /* [n_threads] */
    ingle_profile total;
    ingle_profile_row *rows; /* [n_instr] */
} cpu_profile;

/* A stretch of the plan that this home runs. */
typedef struct cpu_part {
    size_t i_stretch; /* of the placement */
    ingle_plan plan;  /* fused */
    size_t base;      /* its first instruction, of those of all parts */
} cpu_part;

struct ingle_backend {
    const ingle_placement *placement; /* outlives the backend */
    const ingle_program *program;
    const ingle_store *store;
    size_t home;
    cpu_part *part;          /* [n_parts] */
    size_t n_parts, n_instr; /* n_instr: of all parts */
    ingle_backend_options opt;
    ingle_kern kern;
    ingle_pool *pool;
    cpu_cache *cache; /* [n_cache of the plan] */
    cpu_pools pools;
    uint8_t *pages;
    uint8_t *states;    /* slots of recurrent state */
    size_t state_bytes; /* of a slot */
    size_t *state_at;   /* [n_state of the plan] floats from a slot's begin; SIZE_MAX: not here */
    cpu_layout at;
    uint8_t *arena;

    cpu_profile profile;

    const uint8_t **page; /* [n_seqs slots][INGLE_GROUPS][n_ctx / 32] addresses of pages */

    /* the step in progress */
    const ingle_batch *batch;
    const cpu_part *now; /* the part that runs */
    bool has_angles;     /* RoPE of its tokens is there */
    int n_running;       /* threads that the part ran on */
    ingle_step_times times;
    double *timed, since; /* the part of them that runs now, and when it began */
    float **value;        /* [n_value] */
    float *logits;
    float *rope[INGLE_ROPE_TABLES];
    uint32_t *tok_seq; /* [n_tokens] */
    uint32_t *tok_pos;
    cpu_span *span[2]; /* by domain: of tokens [n_seqs], of wanted rows [n_batch at most] */
    size_t n_spans[2];
    cpu_counter *counter;         /* of all parts' instructions */
    cpu_counter *heads[CPU_DUES]; /* [n_heads] rows of q, k and v computed so far of each kv head,
                                   * where nobody waits for all */
    bool single;                  /* one token of each sequence */
    atomic_uint *chosen;          /* [n_counters of the plan] tokens that go to an expert, so far */
};

/* layout.c. The stretches of a home, fused; the caller frees them. */
ingle_status cpu_parts(cpu_part **out, size_t *n, const ingle_placement *p, size_t home,
                       ingle_error *err);
void cpu_parts_free(cpu_part *parts, size_t n);
/* The caller frees at->value. */
ingle_status cpu_lay_out(cpu_layout *at, const cpu_part *parts, size_t n_parts,
                         const ingle_placement *p, size_t home, const ingle_backend_options *opt,
                         const ingle_kern *k, ingle_error *err);
/* Which of the counters heads of such a number have; CPU_DUES: none. */
uint32_t cpu_due_of(cpu_layout *at, size_t n_heads);
/* Whether `in` and the two after it are a product of q, k and v, what stores, and attention: a
 * batch of single tokens goes through them without a barrier. */
bool cpu_is_chain(const ingle_instr *in, size_t n_left);

/* run.c */
ingle_status cpu_begin(ingle_backend *b, const ingle_batch *batch, ingle_error *err);
ingle_status cpu_run_part(ingle_backend *b, size_t i_stretch, ingle_error *err);
ingle_status cpu_end(ingle_backend *b, ingle_error *err);
void cpu_times(const ingle_backend *b, ingle_step_times *times);
ingle_status cpu_take(ingle_backend *b, ingle_val v, float *to, ingle_error *err);
ingle_status cpu_put(ingle_backend *b, ingle_val v, const float *from, ingle_error *err);

/* pages.c: where caches lie in the pages of a home; cache may be NULL. */
ingle_status cpu_lay_pages(const ingle_placement *p, size_t home, const ingle_backend_options *opt,
                           cpu_cache *cache, cpu_pools *pools, ingle_error *err);
void cpu_clear_pages(ingle_backend *b, ingle_group group, const uint32_t *pages, size_t n);
ingle_status cpu_copy_pages(ingle_backend *b, ingle_group group, const uint32_t *to,
                            const uint32_t *from, size_t n, ingle_error *err);
ingle_status cpu_read_pages(ingle_backend *b, ingle_group group, const uint32_t *pages, size_t n,
                            void *to, ingle_error *err);
ingle_status cpu_write_pages(ingle_backend *b, ingle_group group, const uint32_t *pages, size_t n,
                             const void *from, ingle_error *err);
ingle_status cpu_shift_pages(ingle_backend *b, ingle_group group, const uint32_t *pages, size_t n,
                             int32_t by, ingle_error *err);
size_t cpu_page_bytes(const ingle_backend *b, ingle_group group);

/* limits.c */
ingle_status cpu_limits(ingle_backend *b, ingle_limits *limits, ingle_error *err);

/* profile.c */
ingle_status cpu_profile_switch(ingle_backend *b, bool on, ingle_error *err);
void cpu_profile_total(const ingle_backend *b, ingle_profile *total);
bool cpu_profile_row(const ingle_backend *b, size_t i, ingle_profile_row *row);
/* Adds the part that began at `begun` and has just ended; its batch is still there. */
void cpu_profile_add(ingle_backend *b, double begun);

#endif
