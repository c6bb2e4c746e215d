/* ingle_tools.h - what programs that measure and inspect need beyond ingle.h: the plan, the
 * families, the limits of the machine, where the time of steps goes, what chat templates print.
 * Everything ingle.h says of all its calls holds here.
 */
#ifndef INGLE_TOOLS_H
#define INGLE_TOOLS_H

#include <ingle.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- families and the plan ------------------------------------------------------------------- */

/* What the engine makes of the architecture of a file; also of one it cannot run, opened with
 * INGLE_PARTS_META. Nothing is read but names and keys. */
typedef struct ingle_family_info {
    size_t size;
    const char
        *name;  /* the family; of an unknown architecture the nearest one; NULL: none is near */
    bool known; /* the architecture is this family's */
    char features
        [512]; /* of the family, of an opened plan with the file's numbers: "RMS norm, ..." */
    size_t
        n_unknown; /* tensor names that mean nothing to the family, those of layers counted once */
    char unknown[512]; /* as many of them as fit: "blk.*.attn_gate.weight, ..." */
} ingle_family_info;
INGLE_API ingle_status ingle_model_family(const ingle_model *model, ingle_family_info *info,
                                          ingle_error *err);

/* The families this build runs: name (general.architecture) and features of family i, from 0;
 * INGLE_ENOTFOUND past the end. features is cut to cap bytes, NUL included. */
INGLE_API ingle_status ingle_family_get(size_t i, const char **name, char *features, size_t cap,
                                        ingle_error *err);

/* The plan as text, one instruction a line, NUL-terminated. *len is the size needed without NUL;
 * INGLE_ERANGE if cap is not larger than that. */
INGLE_API ingle_status ingle_model_plan(const ingle_model *model, char *text, size_t cap,
                                        size_t *len, ingle_error *err);

/* Bytes that one home of the plan takes, which is a device or this host. The name is good as long
 * as the model is open. */
typedef struct ingle_home_memory {
    size_t size;
    const char *name;                          /* "cpu" */
    size_t weights, kv, state, scratch, total; /* as in ingle_memory, of this home */
    size_t mapped;
} ingle_home_memory;
/* Of home i, from 0, of an engine with these options (NULL: the defaults); INGLE_ENOTFOUND after
 * the last. What belongs to no home, the vocabulary and what sessions keep, is in
 * ingle_model_memory() alone. INGLE_EINVAL as there: options out of range, a model that was opened
 * without its plan. */
INGLE_API ingle_status ingle_model_home_memory(const ingle_model *model,
                                               const ingle_engine_options *opt, size_t i,
                                               ingle_home_memory *mem, ingle_error *err);

/* ---- limits, cost, profile ------------------------------------------------------------------- */

/* What this machine can do at most with the engine's threads, measured now (about 0.3 s). */
typedef struct ingle_limits {
    size_t size;
    double read_gbs;   /* read bandwidth, 1e9 bytes/s */
    double int8_gmacs; /* int8 multiply-accumulates, 1e9/s, of the best instruction of the level */
    double bf16_gmacs; /* bf16 multiply-accumulates; 0 if the level has none */
    double f32_gmacs;  /* f32 fused multiply-adds */
} ingle_limits;
INGLE_API ingle_status ingle_engine_limits(ingle_engine *engine, ingle_limits *limits,
                                           ingle_error *err);

/* What one step has to do at least, for comparing with the limits. */
typedef struct ingle_cost {
    size_t size;
    double matmul_macs; /* multiply-accumulates per prompt token */
    double head_macs;   /* once per wanted row: the output head, and all after the last layer that
                         * keeps anything of a token */
    double matmul_float_macs, head_float_macs; /* the part of them with F32, F16 and BF16 weights */
    double attend_macs;  /* of attention per prompt token, per position attended to */
    double weight_bytes; /* weight bytes read for one decoded token */
    double kv_bytes;     /* KV bytes read per decoded token, per position attended to */
    double matmul_bf16_macs, head_bf16_macs; /* the part of the float ones with BF16 weights */
} ingle_cost;
INGLE_API ingle_status ingle_engine_cost(const ingle_engine *engine, ingle_cost *cost,
                                         ingle_error *err);

/* Where the time of steps goes, instruction by instruction (ingle_model_plan()). Begins afresh, or
 * stops and keeps the sums for the two calls below. While on, every thread reads the clock three
 * times per instruction; while off nothing is spent. */
INGLE_API ingle_status ingle_engine_profile(ingle_engine *engine, bool on, ingle_error *err);

/* Sums over the steps since profiling began. Seconds are of the wall: those of the rows and
 * dispatch_s add up to step_s. */
typedef struct ingle_profile {
    size_t size;
    size_t n_steps, n_tokens;
    double step_s;     /* within steps */
    double dispatch_s; /* of it: until the last thread had begun, and from the threads' end on */
} ingle_profile;
INGLE_API ingle_status ingle_engine_profile_total(ingle_engine *engine, ingle_profile *total,
                                                  ingle_error *err);

typedef struct ingle_profile_row {
    size_t size;
    const char *op; /* "MATMUL" */
    char what[100]; /* "attn_q, attn_k, attn_v Q4_K"; NUL-terminated */
    int32_t layer;
    double work_s;    /* computing, mean over the threads */
    double uneven_s;  /* waiting for threads that had more to do or came late */
    double barrier_s; /* waiting that nobody was spared: what the barriers themselves cost */
    double bytes;     /* weights, keys and values, or rows that pass through, each counted once */
    double int8_macs; /* multiply-accumulates with quantised weights */
    double bf16_macs; /* of BF16 weights, keys and values */
    double f32_macs;  /* of all others */
} ingle_profile_row;

/* Instruction i of the plan, from 0; INGLE_ENOTFOUND past the end. */
INGLE_API ingle_status ingle_engine_profile_row(ingle_engine *engine, size_t i,
                                                ingle_profile_row *row, ingle_error *err);

/* ---- chat templates -------------------------------------------------------------------------- */

/* What a template printed. */
typedef struct ingle_rendering ingle_rendering;

/* These two are frozen, as the structs without a size in ingle.h. */
typedef struct ingle_rendering_time {
    int year, month, day, hour, minute, second; /* month and day from 1 */
} ingle_rendering_time;

typedef struct ingle_rendering_mark {
    size_t offset,
        i_message; /* here ends the text of that message, from 0, and of those before it */
} ingle_rendering_mark;

/* Renders a Jinja template as transformers does. context is JSON, an object of the variables:
 * messages, tools, add_generation_prompt, ... Strings among them whose names are in `trusted`
 * (NULL-terminated; NULL: none) count as the template's. now is what strftime_now() formats.
 * INGLE_EFORMAT: no template, no JSON; INGLE_EINVAL: the template refuses the context; the text
 * names the template's line. INGLE_EUNSUPPORTED: a limit, or what the interpreter lacks. */
INGLE_API ingle_status ingle_template_render(ingle_rendering **out, const char *text, size_t n,
                                             const char *context, size_t n_context,
                                             const char *const *trusted,
                                             const ingle_rendering_time *now, ingle_error *err);
INGLE_API void ingle_rendering_close(ingle_rendering **rendering);

/* All of these are good until it is closed; of NULL there is none. A NUL follows the text. Spans
 * cover it in order, and neighbours differ. Marks ascend; a template that does not print its
 * messages one by one has none. */
INGLE_API const char *ingle_rendering_text(const ingle_rendering *rendering, size_t *n);
INGLE_API const ingle_span *ingle_rendering_spans(const ingle_rendering *rendering, size_t *n);
INGLE_API const ingle_rendering_mark *ingle_rendering_marks(const ingle_rendering *rendering,
                                                            size_t *n);

#ifdef __cplusplus
}
#endif
#endif
