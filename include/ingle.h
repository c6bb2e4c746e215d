/* ingle.h - run large language models on the machine in front of you.
 *
 * This header is the manual. Five objects:
 *
 *   ingle_model     weights, vocabulary, template; immutable after opening; shared by any threads
 *   ingle_engine    one model + compute + KV pages + scheduler; every call from any thread
 *   ingle_session   one timeline of tokens in an engine; one caller at a time, else INGLE_EBUSY
 *   ingle_request   one generation on a session: options in, events out; cancelled from any thread
 *   ingle_sampler   turns logits into a token; one caller at a time
 *
 * Rules that hold everywhere
 *   - A fallible function returns an ingle_status and takes a nullable ingle_error, whose text
 *     names the culprit (key, tensor, option, byte offset). A failed call changes nothing.
 *   - Handles: `const` borrows, `X **out` hands over. On failure *out is NULL.
 *   - ingle_x_close(ingle_x **) sets the handle to NULL; closing NULL is a no-op; any other call on
 *     a NULL handle answers INGLE_ECLOSED. Close order does not matter.
 *   - Option structs are filled by ingle_x_options_init(), a macro over
 *     ingle_x_options_init_sized(), which serves callers without macros; 0 stays a legal value of
 *     every field. `size` is that of the struct the caller was compiled with: fields that an older
 *     and shorter struct lacks have their defaults, a longer struct is refused.
 *     ingle_x_options_check() says without a model what opening would refuse.
 *   - Result structs carry a size too, set by the caller: `ingle_memory m = {.size = sizeof m};`.
 *     No more bytes than that are written. Structs that are passed in arrays are frozen and carry
 *     none: ingle_eval, ingle_text, ingle_hit, ingle_logit_bias, ingle_stop, ingle_candidate,
 *     ingle_top, ingle_score, ingle_span, ingle_answer; so are ingle_error, and ingle_usage and
 *     ingle_histogram, which lie in other structs.
 *   - Any call may come from any thread; those that compute share their steps. A blocking call
 *     steps while nobody else does, so one thread needs no other, and many threads are batched.
 *   - Text is bytes plus a length; it may hold NUL and invalid UTF-8.
 *   - Sizes are bytes. Tokens are int32_t. Logits are float, one row of n_vocab per token.
 *   - The library never prints, exits or reads the environment, and holds no global state.
 */
#ifndef INGLE_H
#define INGLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define INGLE_API
#else
#define INGLE_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define INGLE_VERSION_MAJOR 0
#define INGLE_VERSION_MINOR 1
#define INGLE_VERSION_PATCH 0
#define INGLE_VERSION       "0.1.0"

/* ---- status ---------------------------------------------------------------------------------- */

typedef enum ingle_status {
    INGLE_OK = 0,
    INGLE_EINVAL,       /* an argument or option is out of range */
    INGLE_ENOMEM,       /* no memory */
    INGLE_EIO,          /* the operating system refused a read or write */
    INGLE_ENOTFOUND,    /* no such file, key, tensor or token */
    INGLE_EFORMAT,      /* the bytes are not what they claim to be */
    INGLE_EUNSUPPORTED, /* understood, but not something this build can do */
    INGLE_ERANGE,       /* a caller's buffer is too small; the needed size was written */
    INGLE_EFULL,        /* the context or the KV pool has no room */
    INGLE_EBUSY,        /* another caller is using this object */
    INGLE_ECLOSED,      /* the handle is NULL or its engine was closed */
    INGLE_ECANCELLED,   /* the caller's callback asked to stop */
    INGLE_EDEVICE,      /* a device failed; engines on it answer this from then on */
    INGLE_ETIMEOUT,     /* the time that the caller allowed has passed */
    INGLE_EQUEUE /* as many requests wait as 'n_queue' allows, or one longer than 'queue_s' */
} ingle_status;

/* Owned by the caller and of fixed size, so reporting a failure cannot fail. */
typedef struct ingle_error {
    char text[256]; /* NUL-terminated, one line, UTF-8 */
} ingle_error;

INGLE_API const char *ingle_version(void);                    /* "0.1.0" */
INGLE_API const char *ingle_status_name(ingle_status status); /* "INGLE_EINVAL" */

/* ---- enumerations shared by several calls ---------------------------------------------------- */

/* Element types; the numbers are those of GGUF files. */
typedef enum ingle_type {
    INGLE_TYPE_F32 = 0,
    INGLE_TYPE_F16 = 1,
    INGLE_TYPE_Q4_0 = 2,
    INGLE_TYPE_Q4_1 = 3,
    INGLE_TYPE_Q5_0 = 6,
    INGLE_TYPE_Q5_1 = 7,
    INGLE_TYPE_Q8_0 = 8,
    INGLE_TYPE_Q2_K = 10,
    INGLE_TYPE_Q3_K = 11,
    INGLE_TYPE_Q4_K = 12,
    INGLE_TYPE_Q5_K = 13,
    INGLE_TYPE_Q6_K = 14,
    INGLE_TYPE_IQ2_XXS = 16,
    INGLE_TYPE_IQ2_XS = 17,
    INGLE_TYPE_IQ3_XXS = 18,
    INGLE_TYPE_IQ1_S = 19,
    INGLE_TYPE_IQ4_NL = 20,
    INGLE_TYPE_IQ3_S = 21,
    INGLE_TYPE_IQ2_S = 22,
    INGLE_TYPE_IQ4_XS = 23,
    INGLE_TYPE_IQ1_M = 29,
    INGLE_TYPE_BF16 = 30,
    INGLE_TYPE_TQ1_0 = 34,
    INGLE_TYPE_TQ2_0 = 35,
    INGLE_TYPE_MXFP4 = 39,
    INGLE_TYPE_NVFP4 = 40,
    INGLE_TYPE_Q1_0 = 41,
    INGLE_TYPE_Q2_0 = 42,
    INGLE_TYPE_IQ2_K = 137, /* this and the next: of ik_llama.cpp */
    INGLE_TYPE_IQ3_K = 138,
    INGLE_TYPE_IQ4_K = 139,
    INGLE_TYPE_IQ5_K = 140,
    INGLE_TYPE_IQ6_K = 141,
    INGLE_TYPE_IQ4_KS = 144,
    INGLE_TYPE_IQ5_KS = 152,
    INGLE_TYPE_COUNT = 160 /* exclusive bound of type numbers, for tables */
} ingle_type;

INGLE_API const char *ingle_type_name(ingle_type type); /* "Q4_K"; NULL for an unknown type */

/* Instruction-set levels of the CPU kernels. A level includes the ones before it in its column. All
 * compute the same bits, but for AVX512BF16: there products with BF16 weights round their
 * activations to bf16, which some processors multiply faster (docs/performance.md). It is never the
 * best one, only what is asked for. */
typedef enum ingle_isa {
    INGLE_ISA_AUTO = 0,   /* the best one this processor runs */
    INGLE_ISA_REF,        /* portable C */
    INGLE_ISA_AVX2,       /* x86-64: AVX2, FMA, F16C */
    INGLE_ISA_AVXVNNI,    /* + AVX-VNNI */
    INGLE_ISA_AVX512,     /* + AVX-512 F, BW, DQ, VL, VNNI, VBMI is used where present */
    INGLE_ISA_AVX512BF16, /* + AVX512_BF16 for BF16 weights */
    INGLE_ISA_NEON,       /* AArch64: any */
    INGLE_ISA_DOTPROD,    /* + dot products (sdot), ARMv8.2 */
    INGLE_ISA_I8MM        /* + int8 matrix products (smmla), ARMv8.6 */
} ingle_isa;

INGLE_API const char *ingle_isa_name(ingle_isa isa);       /* "avx512" */
INGLE_API ingle_isa ingle_isa_from_name(const char *name); /* INGLE_ISA_AUTO if unknown */
INGLE_API bool ingle_isa_runs_here(ingle_isa isa);

/* ---- model ----------------------------------------------------------------------------------- */

typedef struct ingle_model ingle_model;

/* How much of a file ingle_model_open() reads. */
typedef enum ingle_parts {
    INGLE_PARTS_ALL = 0, /* everything: ready for an engine */
    INGLE_PARTS_PLAN,  /* metadata, vocabulary and plan, no weights: for memory and plan queries */
    INGLE_PARTS_VOCAB, /* metadata and vocabulary only: for tokenizing; tensors are not looked at */
    INGLE_PARTS_META   /* metadata and tensor list only: for inspection of any GGUF file */
} ingle_parts;

typedef struct ingle_model_options {
    size_t size;       /* sizeof this struct, set by the init function */
    ingle_parts parts; /* INGLE_PARTS_ALL */
    ingle_isa isa;     /* INGLE_ISA_AUTO: weights are packed for this level */
    int n_threads;     /* threads that read and pack; 0 = as many as ingle_default_threads() */
    bool fuse;         /* true: run joined instructions; false: the plain list (same bits) */
    /* false: weights are packed into memory of the model's own. true: they stay in the file, which
     * is mapped as long as the model lives; opening reads none, and the memory is the system's file
     * cache, shared by all who map the file. Same bits; somewhat slower, as panels are packed anew
     * in every step. Nobody may shorten the file meanwhile: the system ends a process (SIGBUS) that
     * looks at what is gone. Nobody should write to it either: the model becomes what is written.
     * Replacing the file by another one of its name is harmless. */
    bool in_place;
    /* true: only the experts of a mixture stay in the mapped file, as with in_place, so that a
     * model larger than memory runs: the system reads those that tokens choose. */
    bool map_experts;
    /* Called on the opening thread with the share of weights packed, 0..1; return false to stop
     * (INGLE_ECANCELLED). Not called in place. May be NULL. */
    bool (*progress)(void *user, double share);
    void *user;
    /* Metadata in place of the file's, or beside it: n_overrides strings "key=type:value" with the
     * types int, float, bool and str, as in "llama.context_length=int:8192"; later ones count.
     * Lists, and keys that say where tensors are, cannot be overridden. */
    const char *const *overrides;
    size_t n_overrides;
} ingle_model_options;

#define ingle_model_options_init(opt) ingle_model_options_init_sized((opt), sizeof *(opt))
INGLE_API void ingle_model_options_init_sized(ingle_model_options *opt, size_t size);
INGLE_API ingle_status ingle_model_options_check(const ingle_model_options *opt, ingle_error *err);

/* Opens a GGUF file (v2, v3; for a split file any one of its parts; the others are found beside
 * it). On success the caller owns *out. On failure *out is NULL and err, if given, names the
 * offending key or tensor. opt may be NULL for defaults and is not retained. Safe from any
 * thread. */
INGLE_API ingle_status ingle_model_open(ingle_model **out, const char *path,
                                        const ingle_model_options *opt, ingle_error *err);
INGLE_API ingle_model *ingle_model_retain(ingle_model *model); /* one more owner; returns model */
INGLE_API void ingle_model_close(ingle_model **model);

/* What becomes of the hidden states of a text's tokens. */
typedef enum ingle_pooling {
    INGLE_POOLING_AUTO = 0, /* as the file says (key pooling_type); the mean if it says nothing */
    INGLE_POOLING_NONE,     /* a vector for every token */
    INGLE_POOLING_MEAN,
    INGLE_POOLING_CLS,  /* the first token's */
    INGLE_POOLING_LAST, /* the last token's */
    /* What the file's classifier makes of it: mostly one number; of several labels (key
     * classifier.output_labels) one each, with Qwen 3 their probabilities. */
    INGLE_POOLING_RANK
} ingle_pooling;

INGLE_API const char *ingle_pooling_name(ingle_pooling pooling); /* "mean"; NULL if unknown */

typedef struct ingle_model_info {
    size_t size;               /* sizeof this struct, as in all structs below that begin so */
    const char *name;          /* general.name or "" */
    const char *architecture;  /* general.architecture */
    const char *isa;           /* level the weights are packed for; "" without weights */
    const char *chat_template; /* tokenizer.chat_template or NULL */
    const char *rank_template; /* tokenizer.chat_template.rerank or NULL */
    size_t n_params;           /* weights in all tensors */
    size_t n_bytes;            /* bytes of all tensors in the file */
    size_t n_tensors;
    int32_t n_vocab;                                         /* 0 without a vocabulary */
    int32_t n_embd, n_layer, n_head, n_head_kv, n_ctx_train; /* 0 when not known */
    int32_t token_bos, token_eos, token_eot, token_pad, token_unk, token_sep; /* -1 when absent */
    bool add_bos, add_eos; /* what tokenizing with INGLE_ADD_SPECIAL adds */
    /* Of a loaded plan: */
    bool encoder;   /* it reads in both directions and makes no logits; else it is a decoder */
    bool recurrent; /* no layer attends: a state of fixed size is all it keeps of earlier tokens */
    bool hybrid;    /* some layers attend, the others are recurrent */
    bool logits;    /* it can be asked for logits; otherwise it only embeds or ranks */
    bool causal;    /* tokens see none after them; otherwise a text has to fit one batch */
    int32_t n_vector, n_rank; /* floats of an embedding, of a rank (0: it has no classifier) */
    ingle_pooling pooling;    /* what INGLE_POOLING_AUTO is */
} ingle_model_info;

/* Strings stay valid as long as the model. */
INGLE_API ingle_status ingle_model_info_get(const ingle_model *model, ingle_model_info *info,
                                            ingle_error *err);

/* Metadata. i runs from 0; INGLE_ENOTFOUND past the end. The value is written as JSON text (arrays
 * are cut after max_items elements, then "..." and the count in brackets follow). *len is the size
 * needed without NUL; INGLE_ERANGE if cap is not larger than that. key may be NULL. */
INGLE_API ingle_status ingle_model_meta(const ingle_model *model, size_t i, const char **key,
                                        char *value, size_t cap, size_t *len, size_t max_items,
                                        ingle_error *err);

/* What was guessed or passed over when the file was opened, and is no failure: one line each, i
 * from 0; INGLE_ENOTFOUND past the end. *text stays valid as long as the model. */
INGLE_API ingle_status ingle_model_note(const ingle_model *model, size_t i, const char **text,
                                        ingle_error *err);

typedef struct ingle_tensor_info {
    size_t size;
    const char *name;
    const char *type; /* "Q4_K" */
    int n_dims;
    uint64_t dims[4]; /* dims[0] runs fastest, as in the file */
    uint64_t n_bytes;
} ingle_tensor_info;

/* i runs from 0; INGLE_ENOTFOUND past the end. */
INGLE_API ingle_status ingle_model_tensor(const ingle_model *model, size_t i,
                                          ingle_tensor_info *info, ingle_error *err);

/* ---- text ------------------------------------------------------------------------------------ */

enum {
    INGLE_ADD_SPECIAL = 1,     /* add BOS/EOS as the vocabulary asks for */
    INGLE_PARSE_SPECIAL = 2,   /* text of control tokens becomes those tokens */
    INGLE_REMOVE_SPECIAL = 4,  /* detokenize: drop a leading BOS and a trailing EOS */
    INGLE_UNPARSE_SPECIAL = 8, /* detokenize: write control tokens as their text */
    INGLE_CLEAN_SPACES = 16,   /* detokenize: the space clean-up some vocabularies ask for */
    INGLE_CONTINUE = 32        /* the text goes on after another one: no space put at its start */
};

/* Writes up to cap tokens; *n is the number needed. INGLE_ERANGE if cap is too small. */
INGLE_API ingle_status ingle_tokenize(const ingle_model *model, const char *text, size_t len,
                                      unsigned flags, int32_t *tokens, size_t cap, size_t *n,
                                      ingle_error *err);

/* A query and a document as the model's classifier was taught to see them: in the file's template
 * if it has one (ingle_model_info.rank_template), else one after the other with the vocabulary's
 * marks: [CLS] query [SEP] document [SEP] of BERT, <s> query </s></s> document </s> of RoBERTa and
 * XLM-R. Nothing in the two texts becomes a control token. *n_first is for ingle_text.n_first. Else
 * as ingle_tokenize(). INGLE_EUNSUPPORTED: there is no template, nor a mark to put between. */
INGLE_API ingle_status ingle_tokenize_pair(const ingle_model *model, const char *query,
                                           size_t query_len, const char *document,
                                           size_t document_len, int32_t *tokens, size_t cap,
                                           size_t *n, size_t *n_first, ingle_error *err);

/* Writes up to cap bytes, without NUL; *len is the number needed. INGLE_ERANGE if cap is too small.
 * Lossless: with the flags used for tokenizing the bytes of the text come back. */
INGLE_API ingle_status ingle_detokenize(const ingle_model *model, const int32_t *tokens, size_t n,
                                        unsigned flags, char *text, size_t cap, size_t *len,
                                        ingle_error *err);

typedef struct ingle_token_info {
    size_t size;
    const char *text; /* as in the file, not NUL-terminated */
    size_t len;
    float score;
    bool control; /* never part of plain text */
    bool byte;    /* a single raw byte */
    bool eog;     /* ends a generation */
} ingle_token_info;

INGLE_API ingle_status ingle_token_info_get(const ingle_model *model, int32_t token,
                                            ingle_token_info *info, ingle_error *err);

/* ---- engine ---------------------------------------------------------------------------------- */

typedef struct ingle_engine ingle_engine;

/* A turnstile: engines that share one step one at a time, in the order they came, so that several
 * models in a process do not compete for processors. Engines keep it as long as they need it. */
typedef struct ingle_turns ingle_turns;
INGLE_API ingle_status ingle_turns_open(ingle_turns **out, ingle_error *err);
INGLE_API void ingle_turns_close(ingle_turns **turns);

typedef enum ingle_log_level {
    INGLE_LOG_ERROR, /* the engine cannot go on */
    INGLE_LOG_INFO,  /* what it was opened with; how requests ended */
    INGLE_LOG_DEBUG  /* what it does for room */
} ingle_log_level;

typedef struct ingle_engine_options {
    size_t size;   /* sizeof this struct */
    int32_t n_ctx; /* positions a session may hold; 0 = the smaller of the model's and 8192 */
    /* Sessions the KV pool is sized for, 1. There may be more, of fewer tokens, where no layer is
     * recurrent; with windowed layers a longer session than their windows and a batch take up
     * counts as one. */
    int32_t n_sessions;
    int32_t n_batch;    /* most tokens of one step; 512 */
    int32_t n_threads;  /* 0 = ingle_default_threads(); those beyond the processors sleep */
    ingle_type kv_type; /* INGLE_TYPE_F16; also F32, BF16, Q8_0 */
    /* Sequences that have a part in one step, and tasks that run at once: others wait in a queue.
     * 0 = the larger of n_sessions and 16; at most 1024. */
    int32_t n_parallel;
    int32_t n_queue; /* requests that wait at most, then INGLE_EQUEUE; 0 = no limit */
    /* Seconds of a step with prompts in it while others generate: the longest gap between two
     * tokens that a prompt causes, or twice a step without one if that takes longer. 0.2 */
    float step_s;
    ingle_turns *turns; /* NULL = none */
    /* What the engine has to say, a line each, without its end: on any thread that uses the engine,
     * while no lock is held; several at a time if threads are. It must not call in. NULL =
     * nothing. */
    void (*log)(void *user, ingle_log_level level, const char *text);
    void *log_user;
    /* Room beside that for n_sessions, 0: for so many tokens of prompts that no session holds, and,
     * where layers have windows or are recurrent, for so many checkpoints to go on from. What
     * sessions do not use of theirs serves the same end. */
    int32_t n_cache_tokens, n_cache_states;
} ingle_engine_options;

#define ingle_engine_options_init(opt) ingle_engine_options_init_sized((opt), sizeof *(opt))
INGLE_API void ingle_engine_options_init_sized(ingle_engine_options *opt, size_t size);
INGLE_API ingle_status ingle_engine_options_check(const ingle_engine_options *opt,
                                                  ingle_error *err);

/* Physical cores that the affinity mask and the cgroup quota allow; of hybrid processors the fast
 * ones; a part of a core in the quota counts where it adds at least a tenth. At least 1. */
INGLE_API int ingle_default_threads(void);

/* The model is retained; it must have been opened with INGLE_PARTS_ALL. Takes all memory the engine
 * will need at once (ingle_model_memory()); INGLE_ENOMEM if the machine has not so much left. */
INGLE_API ingle_status ingle_engine_open(ingle_engine **out, ingle_model *model,
                                         const ingle_engine_options *opt, ingle_error *err);
/* Sessions of a closed engine answer INGLE_ECLOSED until they are closed themselves, also when
 * asked for what they hold; so do calls and requests that are under way. Handles that
 * ingle_engine_retain() gave count: the engine is closed when the last one is. */
INGLE_API void ingle_engine_close(ingle_engine **engine);
INGLE_API ingle_engine *ingle_engine_retain(ingle_engine *engine); /* one more owner */

/* Gives the calling thread to the engine: it steps, and other calls only wait, until the engine is
 * closed (INGLE_OK). INGLE_EBUSY: another thread does. */
INGLE_API ingle_status ingle_engine_serve(ingle_engine *engine, ingle_error *err);

/* No more requests are started (INGLE_ECLOSED); returns when all have ended. Those that have not
 * after timeout_s seconds are cancelled, which takes a step at most; below 0: no limit. */
INGLE_API ingle_status ingle_engine_drain(ingle_engine *engine, double timeout_s, ingle_error *err);

typedef struct ingle_engine_info {
    size_t size;
    int32_t n_ctx, n_sessions, n_batch, n_threads; /* as chosen */
    ingle_type kv_type;
    bool n_ctx_defaulted; /* true when 0 was asked for and n_ctx is below the model's own */
    int32_t n_parallel;
} ingle_engine_info;
INGLE_API ingle_status ingle_engine_info_get(const ingle_engine *engine, ingle_engine_info *info,
                                             ingle_error *err);

/* Advances what can be computed by one step, after the one that runs, if one does. *n_run, if
 * given, is the number of tokens computed (0: nothing to do). The blocking calls below do this for
 * you. */
INGLE_API ingle_status ingle_engine_step(ingle_engine *engine, size_t *n_run, ingle_error *err);

/* Times by powers of two: count[i] of them took less than 2^i microseconds and were not counted
 * before; the last takes all that is longer. */
enum { INGLE_HISTOGRAM = 32 };
typedef struct ingle_histogram {
    uint64_t count[INGLE_HISTOGRAM];
    double sum; /* seconds */
} ingle_histogram;

/* What an engine has done since it was opened, or since the counters were reset. */
typedef struct ingle_stats {
    size_t size;
    uint64_t n_steps, n_tokens; /* steps; tokens they computed: n_tokens / n_steps in a step */
    uint64_t n_generated;       /* tokens drawn */
    uint64_t n_requests, n_cancelled, n_failed; /* requests started; of these cancelled, failed */
    uint64_t n_relaxed; /* times that an idle session's pages went to others */
    uint64_t n_paused;  /* times that a task waited for a page */
    ingle_histogram queue, first_token, gap, step; /* seconds of requests, and of steps */
    /* Now: */
    size_t n_running, n_queued; /* tasks */
    /* KV pages of 32 positions, of layers that see everything: all, those that nobody has, and
     * those that are kept for prompts to come */
    size_t n_pages, n_pages_free, n_pages_idle;
} ingle_stats;
INGLE_API ingle_status ingle_engine_stats_get(ingle_engine *engine, ingle_stats *stats,
                                              ingle_error *err);
INGLE_API ingle_status ingle_engine_stats_reset(ingle_engine *engine, ingle_error *err);

/* Runs one token and one full batch and forgets them, so that the first request is not the slow
 * one. */
INGLE_API ingle_status ingle_engine_warm_up(ingle_engine *engine, ingle_error *err);

/* Exact bytes, known before any weight is read (INGLE_PARTS_PLAN is enough): what a model and its
 * engine take until they are closed. Sessions beyond n_sessions, and requests, take theirs when
 * they are opened: some 100 KB a request. */
typedef struct ingle_memory {
    size_t size;
    size_t weights; /* packed weights; in place: norms and biases only */
    size_t vocab;   /* vocabulary and metadata */
    size_t kv;      /* KV pages of the whole pool */
    size_t state;   /* of recurrent layers, with checkpoints, of n_sessions sessions */
    size_t scratch; /* activations, logits rows, per-thread kernel scratch */
    size_t total;   /* of the above */
    size_t mapped;  /* in place: whole pages of the file cache that weights are read from */
} ingle_memory;
INGLE_API ingle_status ingle_model_memory(const ingle_model *model, const ingle_engine_options *opt,
                                          ingle_memory *mem, ingle_error *err);

/* ---- session --------------------------------------------------------------------------------- */

typedef struct ingle_session ingle_session;

/* The session keeps its engine alive. What it holds (logits, tokens, the vectors of a text) is
 * reported by pointers into it. They are good until the session's next eval, generation, embedding
 * or truncation begins, whether that succeeds or not, or until it is closed; closing the engine
 * takes nothing away from them. While such a call is under way nothing is reported (INGLE_EBUSY),
 * not even to the call's own callback. */
INGLE_API ingle_status ingle_session_open(ingle_session **out, ingle_engine *engine,
                                          ingle_error *err);
INGLE_API void ingle_session_close(ingle_session **session);

/* Which rows of logits an eval computes. */
typedef enum ingle_rows { INGLE_ROWS_LAST = 0, INGLE_ROWS_ALL, INGLE_ROWS_NONE } ingle_rows;

/* Appends tokens to the timeline and computes logits. n may be 0, with INGLE_ROWS_LAST, if the
 * session holds tokens: then the row is that of its last one. All or nothing: on any failure the
 * session is as it was before the call, but for logits that were written over: if the failure came
 * while it computed, there are none. INGLE_EFULL when the context cannot hold them. Sessions at
 * rest keep their tokens, but what was computed of them gives way when others need the KV pool, and
 * is computed again when they go on.
 * INGLE_EUNSUPPORTED when the model makes no logits (ingle_model_info.logits).
 * Weights that are no numbers (a scale of NaN or infinity in a damaged file) are no error here:
 * they make logits NaN, and the sampler refuses those. */
INGLE_API ingle_status ingle_session_eval(ingle_session *session, const int32_t *tokens, size_t n,
                                          ingle_rows rows, ingle_error *err);

typedef struct ingle_eval {
    ingle_session *session;
    const int32_t *tokens;
    size_t n;
    ingle_rows rows;
} ingle_eval;

/* ingle_session_eval() for several sessions of one engine at once: their tokens are computed in the
 * same steps, which cost little more than those of one session. All or nothing for all of them. */
INGLE_API ingle_status ingle_sessions_eval(const ingle_eval *evals, size_t n_evals,
                                           ingle_error *err);

/* Row i_row of the last eval: [n_vocab] floats, -infinity where a padded vocabulary has no token,
 * good as long as is said at ingle_session_open(). With INGLE_ROWS_LAST the only row is 0; with
 * INGLE_ROWS_ALL row i belongs to token i of that eval. */
INGLE_API ingle_status ingle_session_logits(const ingle_session *session, size_t i_row,
                                            const float **logits, ingle_error *err);

/* The timeline: *n tokens, position of tokens[i] is i; good as long as logits are. */
INGLE_API ingle_status ingle_session_tokens(const ingle_session *session, const int32_t **tokens,
                                            size_t *n, ingle_error *err);

/* A session of the same engine that holds the first n tokens of another, and shares what is
 * computed of them. INGLE_EINVAL if there are fewer. */
INGLE_API ingle_status ingle_session_fork(ingle_session **out, ingle_session *session, size_t n,
                                          ingle_error *err);

/* Keeps the first n tokens; INGLE_EINVAL if there are fewer. Of recurrent layers and of those with
 * a sliding window a session holds only what its last tokens need, that of the two ends of its last
 * prompt, and checkpoints: where n is none of these, the next call computes tokens before n again,
 * which gives the same bits. */
INGLE_API ingle_status ingle_session_truncate(ingle_session *session, size_t n, ingle_error *err);

/* ---- embeddings ------------------------------------------------------------------------------ */

/* Which tokens of its text a token sees, itself among them. A window of n positions reaches as many
 * back, or half of that to each side. */
typedef enum ingle_attention {
    INGLE_ATTENTION_AUTO = 0, /* as the file says (key attention.causal); ingle_model_info.causal */
    INGLE_ATTENTION_CAUSAL,   /* those before it */
    INGLE_ATTENTION_BOTH      /* all */
} ingle_attention;

typedef struct ingle_embed_options {
    size_t size;           /* sizeof this struct */
    ingle_pooling pooling; /* INGLE_POOLING_AUTO */
    bool normalize; /* true: vectors have length 1, unless they are 0; ranks are left alone */
    ingle_attention attention; /* INGLE_ATTENTION_AUTO */
} ingle_embed_options;

#define ingle_embed_options_init(opt) ingle_embed_options_init_sized((opt), sizeof *(opt))
INGLE_API void ingle_embed_options_init_sized(ingle_embed_options *opt, size_t size);

/* The tokens of a text, and a session of its own. Where a model tells two segments apart (BERT's
 * token types), the first n_first tokens are of the first one; 0: all are. */
typedef struct ingle_text {
    ingle_session *session;
    const int32_t *tokens;
    size_t n, n_first;
} ingle_text;

/* Embeds texts, with as many in a step as fit. Any model can: the hidden states after its last
 * norm are pooled, and pass through the heads that the file has for vectors or ranks. The bits of a
 * vector depend on its own text and nothing else. Sessions are of one engine, and empty
 * (INGLE_EINVAL); they are empty again afterwards. All or nothing for all of them. opt may be NULL
 * for defaults. INGLE_EUNSUPPORTED: n_first, and the model knows no segments; a rank, and it has no
 * classifier; or attention in both directions, and some layers of a causal model are recurrent or
 * see chunks. INGLE_EFULL: a text is longer than the context, or, if it is read in both directions,
 * longer than a batch. INGLE_EFORMAT: a value is no number (damaged weights). */
INGLE_API ingle_status ingle_sessions_embed(const ingle_text *texts, size_t n_texts,
                                            const ingle_embed_options *opt, ingle_error *err);

/* The same of one text. */
INGLE_API ingle_status ingle_session_embed(ingle_session *session, const int32_t *tokens, size_t n,
                                           const ingle_embed_options *opt, ingle_error *err);

/* Row i_row of the last embedding: *n floats, good as long as logits are. Without pooling row i
 * belongs to token i; otherwise 0 is the only row. */
INGLE_API ingle_status ingle_session_embedding(const ingle_session *session, size_t i_row,
                                               const float **vector, size_t *n, ingle_error *err);

/* ---- vectors --------------------------------------------------------------------------------- */

typedef enum ingle_metric {
    INGLE_METRIC_COSINE = 0, /* -1 to 1; 0 if a vector is 0 */
    INGLE_METRIC_DOT,        /* of vectors of length 1 the same as the cosine, and faster */
    INGLE_METRIC_EUCLIDEAN   /* the distance: the smaller the nearer */
} ingle_metric;

INGLE_API const char *ingle_metric_name(ingle_metric metric); /* "cosine"; NULL if unknown */

/* Compares two vectors of the same length, 1 or more (INGLE_EINVAL). INGLE_EFORMAT names the first
 * value that is NaN or infinite. */
INGLE_API ingle_status ingle_vector_compare(ingle_metric metric, const float *a, size_t n_a,
                                            const float *b, size_t n_b, double *value,
                                            ingle_error *err);

typedef struct ingle_hit {
    size_t i_row;
    float score; /* as ingle_vector_compare() has it, rounded; of sizes that float holds */
} ingle_hit;

/* The k nearest of the rows [n_rows][n] to query [n], best first, of equal scores the lower row
 * first. *n_hits is how many were written: k, or n_rows if there are fewer. Reads every row once,
 * on the calling thread. INGLE_EFORMAT as above, with the row. */
INGLE_API ingle_status ingle_vector_search(ingle_metric metric, const float *query,
                                           const float *rows, size_t n_rows, size_t n, size_t k,
                                           ingle_hit *hits, size_t *n_hits, ingle_error *err);

/* ---- sampler --------------------------------------------------------------------------------- */

typedef struct ingle_sampler ingle_sampler;

typedef struct ingle_logit_bias {
    int32_t token;
    float bias; /* added to the logit; -INFINITY bans the token */
} ingle_logit_bias;

/* Stages run in the order of `order`; a stage whose parameter is neutral does nothing. Default
 * order: "penalties;dry;top_n_sigma;top_k;typical_p;top_p;min_p;xtc;temperature". Logit bias always
 * comes first and the draw last. Temperature 0 is greedy, whatever else is set. */
typedef struct ingle_sampler_options {
    size_t size;
    uint64_t seed;                   /* 0 is a seed like any other; default 1234 */
    float temperature;               /* 0.8; 0 = greedy */
    float dynatemp_range;            /* 0 = off: temperature +- range by entropy */
    float dynatemp_exponent;         /* 1 */
    int32_t top_k;                   /* 40; 0 = off */
    float top_p;                     /* 0.95; 1 = off */
    float min_p;                     /* 0.05; 0 = off */
    float typical_p;                 /* 1 = off */
    float top_n_sigma;               /* -1 = off */
    float xtc_probability;           /* 0 = off */
    float xtc_threshold;             /* 0.1; above 0.5 = off */
    int32_t min_keep;                /* 1: filters leave at least so many candidates */
    int32_t penalty_last_n;          /* 64; 0 = off; -1 = the whole context */
    float repeat_penalty;            /* 1 = off */
    float frequency_penalty;         /* 0 = off */
    float presence_penalty;          /* 0 = off */
    float dry_multiplier;            /* 0 = off */
    float dry_base;                  /* 1.75 */
    int32_t dry_allowed_length;      /* 2 */
    int32_t dry_last_n;              /* -1 = the whole context; 0 = off */
    const char *const *dry_breakers; /* n_dry_breakers strings of 1..64 bytes, found also inside and
                                        across tokens; default "\n" ":" "\"" "*" */
    size_t n_dry_breakers;
    int mirostat;       /* 0 = off, 1, 2: replaces every filter after the penalties */
    float mirostat_tau; /* 5 */
    float mirostat_eta; /* 0.1 */
    const ingle_logit_bias *logit_bias; /* n_logit_bias entries; may be NULL when 0 */
    size_t n_logit_bias;
    const char *order; /* stage names joined by ';'; NULL = default */
    /* -1 = off; 0 to 1: after the chain, tokens near this probability are favoured, nearer or
     * further as the mean of what was drawn strays from it (adaptive-p). Not with mirostat. */
    float adaptive_target;
    float adaptive_decay; /* 0.9; 0 to 0.99: how much of that mean every draw leaves */
} ingle_sampler_options;

#define ingle_sampler_options_init(opt) ingle_sampler_options_init_sized((opt), sizeof *(opt))
INGLE_API void ingle_sampler_options_init_sized(ingle_sampler_options *opt, size_t size);
INGLE_API ingle_status ingle_sampler_options_check(const ingle_sampler_options *opt,
                                                   ingle_error *err);

/* Puts the settings that the file recommends (keys general.sampling.*) into options that were
 * filled before; the caller's own come after it. opt->order may then point into the model.
 * INGLE_EFORMAT names a key with a value out of range. */
INGLE_API ingle_status ingle_sampler_options_from_model(ingle_sampler_options *opt,
                                                        const ingle_model *model, ingle_error *err);

/* n_vocab bounds token ids. model may be NULL unless dry_multiplier is set (breakers are text).
 * Every parameter is range-checked: INGLE_EINVAL names the option. opt is not retained. */
INGLE_API ingle_status ingle_sampler_open(ingle_sampler **out, const ingle_sampler_options *opt,
                                          int32_t n_vocab, const ingle_model *model,
                                          ingle_error *err);
INGLE_API void ingle_sampler_close(ingle_sampler **sampler);

/* Tells the sampler a token of the history (prompt tokens included, for the penalties). */
INGLE_API ingle_status ingle_sampler_accept(ingle_sampler *sampler, int32_t token,
                                            ingle_error *err);
/* Forgets the history and starts the generator again from the seed. */
INGLE_API ingle_status ingle_sampler_reset(ingle_sampler *sampler, ingle_error *err);

typedef struct ingle_candidate {
    int32_t token;
    float logit; /* after the chain */
    float prob;  /* softmax over the survivors */
} ingle_candidate;

/* Both calls below refuse logits without a meaning: INGLE_EFORMAT names the first token whose logit
 * is NaN or +infinity. -infinity is a token that is never drawn; INGLE_EINVAL: no other is left. */

/* Runs the chain on bare logits [n_vocab] without drawing. *cand points at the sampler's own array
 * of *n survivors, best first when a stage sorted them; valid until the next call. */
INGLE_API ingle_status ingle_sampler_apply(ingle_sampler *sampler, const float *logits,
                                           const ingle_candidate **cand, size_t *n,
                                           ingle_error *err);

/* Runs the chain and draws one token (not yet accepted). */
INGLE_API ingle_status ingle_sampler_sample(ingle_sampler *sampler, const float *logits,
                                            ingle_candidate *out, ingle_error *err);

/* ---- grammars -------------------------------------------------------------------------------- */

/* What an output may be: the token that comes next is drawn from those that can still lead to a
 * text of the grammar. Immutable after opening, shared by any threads and requests; each of them
 * has a state of its own. Keeps its model, which keeps the grammars opened last: opening one again
 * costs nothing. */
typedef struct ingle_grammar ingle_grammar;

/* A piece of text, not NUL-terminated. */
typedef struct ingle_string {
    const char *text;
    size_t len;
} ingle_string;

/* A JSON Schema that others may refer to. */
typedef struct ingle_document {
    const char *uri; /* NUL-terminated */
    const char *text;
    size_t len;
} ingle_document;

typedef struct ingle_grammar_options {
    size_t size;
    /* Of schemas: */
    bool lenient;   /* keywords that cannot be enforced are left out and listed; else they are
                       INGLE_EUNSUPPORTED */
    bool any_order; /* members of objects in any order; else in the schema's order */
    bool
        compact; /* no white space; else also a space, or a new line with up to 20 spaces or tabs */
    const ingle_document *documents; /* [n_documents] what $ref may reach; nothing is fetched */
    size_t n_documents;
    /* true: the output is free, and may end, until one of the triggers occurs in it; with the first
     * that does the grammar begins, and the trigger belongs to its text. At least one, none empty,
     * at most 4096 bytes in all. */
    bool lazy;
    const ingle_string *triggers;
    size_t n_triggers;
} ingle_grammar_options;

#define ingle_grammar_options_init(opt) ingle_grammar_options_init_sized((opt), sizeof *(opt))
INGLE_API void ingle_grammar_options_init_sized(ingle_grammar_options *opt, size_t size);
INGLE_API ingle_status ingle_grammar_options_check(const ingle_grammar_options *opt,
                                                   ingle_error *err);

/* The model may be NULL: then the grammar has texts but no tokens, and no request can have it. opt
 * may be NULL for defaults. INGLE_EFORMAT: what is given is no grammar, or no finite text belongs to
 * it; the error names the place, and what was expected there. INGLE_EUNSUPPORTED: it has something
 * that cannot be enforced, or more parts than are allowed; the text names it. */

/* GBNF, as llama.cpp has it: rules, of which `root` is the text; left recursion too. */
INGLE_API ingle_status ingle_grammar_open_gbnf(ingle_grammar **out, ingle_model *model,
                                               const char *text, size_t len,
                                               const ingle_grammar_options *opt, ingle_error *err);
/* JSON that is valid for a JSON Schema (draft 2020-12). Errors name the keyword by its JSON
 * pointer. */
INGLE_API ingle_status ingle_grammar_open_schema(ingle_grammar **out, ingle_model *model,
                                                 const char *text, size_t len,
                                                 const ingle_grammar_options *opt,
                                                 ingle_error *err);
/* Any JSON object. */
INGLE_API ingle_status ingle_grammar_open_json(ingle_grammar **out, ingle_model *model,
                                               const ingle_grammar_options *opt, ingle_error *err);
/* A pattern as ECMA-262 has them, which matches the whole text. */
INGLE_API ingle_status ingle_grammar_open_regex(ingle_grammar **out, ingle_model *model,
                                                const char *text, size_t len,
                                                const ingle_grammar_options *opt, ingle_error *err);
/* One of n texts. */
INGLE_API ingle_status ingle_grammar_open_choice(ingle_grammar **out, ingle_model *model,
                                                 const ingle_string *choices, size_t n,
                                                 const ingle_grammar_options *opt,
                                                 ingle_error *err);

/* A part of a free text that has a form: after `begin` comes JSON for a schema, then `end`. */
typedef struct ingle_tag {
    ingle_string begin, schema, end;
} ingle_tag;
/* Free text in which these parts may occur any number of times; what begins one is one. */
INGLE_API ingle_status ingle_grammar_open_tags(ingle_grammar **out, ingle_model *model,
                                               const ingle_tag *tags, size_t n,
                                               const ingle_grammar_options *opt, ingle_error *err);
INGLE_API void ingle_grammar_close(ingle_grammar **grammar);

typedef struct ingle_grammar_info {
    size_t size;
    const char *const *dropped; /* [n_dropped] "POINTER: KEYWORD: why", of a lenient opening */
    size_t n_dropped;
    size_t n_bytes;           /* of memory now, shared by all that opened the same */
    uint64_t n_masks, n_hits; /* masks made so far; asked for and there already */
} ingle_grammar_info;
/* What it points to is good as long as the grammar. */
INGLE_API ingle_status ingle_grammar_info_get(const ingle_grammar *grammar,
                                              ingle_grammar_info *info, ingle_error *err);

/* How far a text has come. One caller at a time; keeps its grammar. Requests have one by themselves
 * (ingle_generate_options.grammar); this is for callers' own loops, and for questions. */
typedef struct ingle_grammar_state ingle_grammar_state;

INGLE_API ingle_status ingle_grammar_state_open(ingle_grammar_state **out,
                                                const ingle_grammar *grammar, ingle_error *err);
INGLE_API ingle_status ingle_grammar_state_clone(ingle_grammar_state **out,
                                                 const ingle_grammar_state *state,
                                                 ingle_error *err);
INGLE_API void ingle_grammar_state_close(ingle_grammar_state **state);
INGLE_API ingle_status ingle_grammar_state_reset(ingle_grammar_state *state, ingle_error *err);

/* Which tokens may come next: bit t % 32 of mask[t / 32] for token t, [n_vocab] of them; those that
 * end a text where it may end. Good until the state's next call. INGLE_EUNSUPPORTED: more work than
 * is allowed for a token. */
INGLE_API ingle_status ingle_grammar_state_mask(ingle_grammar_state *state, const uint32_t **mask,
                                                ingle_error *err);
/* Goes on by a token that ends no text. INGLE_EFORMAT: the grammar does not admit it; the error
 * names what it does admit. Nothing has changed then. */
INGLE_API ingle_status ingle_grammar_state_accept(ingle_grammar_state *state, int32_t token,
                                                  ingle_error *err);
/* Goes on by bytes, as far as they are admitted: *n_good of them. If that is not all, the state is
 * where it stopped, the result INGLE_EFORMAT, and the error names what would have been admitted. */
INGLE_API ingle_status ingle_grammar_state_text(ingle_grammar_state *state, const char *text,
                                                size_t len, size_t *n_good, ingle_error *err);
/* may_end: the text so far belongs to the grammar. must_end: nothing can follow. Either may be
 * NULL. */
INGLE_API ingle_status ingle_grammar_state_ends(ingle_grammar_state *state, bool *may_end,
                                                bool *must_end, ingle_error *err);

/* ---- generation ------------------------------------------------------------------------------ */

typedef struct ingle_chat ingle_chat; /* see below */

typedef enum ingle_event_kind {
    INGLE_EVENT_PROMPT, /* n_done of n_prompt prompt tokens are computed */
    INGLE_EVENT_TOKEN,  /* one token; text may be empty while bytes are held back */
    INGLE_EVENT_END, /* the last of a choice: why it ended; in text the bytes held back till now */
    /* Log-probabilities of prompt token number n_done, if option 'prompt_logprobs' asks for them;
     * before the first INGLE_EVENT_TOKEN. NAN where no token came before it. */
    INGLE_EVENT_SCORE
} ingle_event_kind;

typedef enum ingle_finish {
    INGLE_FINISH_NONE = 0,
    INGLE_FINISH_STOP,      /* end token, stop token or stop string */
    INGLE_FINISH_LENGTH,    /* max_tokens reached or the context is full */
    INGLE_FINISH_CANCELLED, /* the callback returned false, or ingle_request_cancel() was called */
    INGLE_FINISH_TIMEOUT    /* option 'deadline_s' has passed */
} ingle_finish;

/* Requests of a higher class come first; 10 s of waiting lift one by a class, so none starves. */
typedef enum ingle_class { INGLE_CLASS_LOW, INGLE_CLASS_NORMAL, INGLE_CLASS_HIGH } ingle_class;

/* What becomes of a prompt that does not fit the context with an answer after it. */
typedef enum ingle_overflow {
    INGLE_OVERFLOW_ERROR, /* INGLE_EFULL if it does not fit; the answer has the room that is left */
    /* Whole messages are dropped, the oldest first, until half of the context is free or only the
     * last is left. What follows them is computed again. An answer is to have room for max_tokens,
     * or for a quarter of the context if that is less. INGLE_EFULL if even so it does not fit. */
    INGLE_OVERFLOW_DROP
} ingle_overflow;

typedef struct ingle_top {
    int32_t token;
    float logprob; /* natural log of the model's own probability (temperature 1, no filters) */
} ingle_top;

/* What a request took, with its last event. */
typedef struct ingle_usage {
    size_t n_prompt; /* prompt tokens given */
    /* Of the timeline, prompt included, when it ran: tokens that session or prefix tree knew (so
     * the first one that differed), those that did not have to be computed; and tokens computed. */
    size_t n_known, n_reused, n_computed;
    size_t n_generated;           /* tokens returned */
    size_t n_drafted, n_accepted; /* tokens proposed for its steps, and those that were drawn so */
    size_t n_dropped,
        i_dropped; /* by option 'overflow': how many tokens, the first one's position */
    double queue_s, prompt_s, decode_s; /* seconds until it ran, its first token, its end */
} ingle_usage;

typedef struct ingle_event {
    size_t size; /* sizeof this struct in the library: what a newer one adds comes after */
    ingle_event_kind kind;
    int32_t token;
    const char *text; /* whole UTF-8 characters (or the raw bytes a model made of nothing else) */
    size_t text_len;
    float logprob; /* of this token, as in ingle_top; only when logprobs >= 0 was asked for */
    float logit;
    const ingle_top *top; /* n_top most likely tokens, best first */
    size_t n_top;
    size_t n_done, n_prompt; /* INGLE_EVENT_PROMPT */
    ingle_finish finish;     /* INGLE_EVENT_END */
    float prob;              /* of the token among those that the sampler's chain left */
    size_t i_stop;           /* INGLE_EVENT_END: which stop string ended it; n_stops if none */
    ingle_usage usage;       /* INGLE_EVENT_END */
    size_t i_choice;         /* whose event it is, from 0; see option 'n' */
} ingle_event;

typedef struct ingle_stop {
    const char *text;
    size_t len;
} ingle_stop;

typedef struct ingle_generate_options {
    size_t size;
    int32_t max_tokens;      /* -1 = until the context is full; 0 = prompt only */
    int32_t logprobs;        /* -1 = none; n >= 0: logprob of the token and of the n most likely */
    bool ignore_eog;         /* end tokens do not end the generation and are never sampled */
    const ingle_stop *stops; /* byte strings; a stop and its prefixes are never emitted */
    size_t n_stops;
    const int32_t *stop_tokens;
    size_t n_stop_tokens;
    /* Of ingle_generate(): called on the calling thread, never under a lock, and may call anything
     * but what uses its own session (INGLE_EBUSY). Return false to stop. May be NULL. */
    bool (*on_event)(void *user, const ingle_event *event);
    void *user;
    ingle_class priority; /* INGLE_CLASS_NORMAL */
    double queue_s;       /* seconds it waits to be run at most, then INGLE_EQUEUE; 0 = no limit */
    double deadline_s;    /* seconds from its start until INGLE_FINISH_TIMEOUT; 0 = no limit */
    bool no_reuse;        /* true: what others computed is not used, nor is this for others */
    /* Requests share what they have in common with those of the same salt only. A session that
     * holds tokens keeps its own: INGLE_EINVAL. */
    uint64_t cache_salt;
    /* n_marks offsets into the prompt, ascending, at which messages end: others may leave it there,
     * so models with sliding windows or recurrent layers keep there what going on needs. */
    const size_t *marks;
    size_t n_marks;
    int32_t prompt_logprobs; /* -1 = none; n >= 0: an INGLE_EVENT_SCORE for every prompt token */
    const ingle_sampler_options *sampling; /* of a request, copied; NULL = defaults */
    /* Of a request: new events wait to be read. Called on any thread, while no lock is held; it
     * must neither block nor call in. May be NULL. */
    void (*on_ready)(void *user);
    /* 1 to 128 answers to the prompt, which is computed once. Each has its events, its
     * INGLE_EVENT_END and its usage; choice i draws as a request of its own would with a seed that
     * is i further. The session goes on from choice 0. If one fails, all do. */
    int32_t n;
    /* INGLE_OVERFLOW_ERROR. Messages end at `marks`, of this request and of the session's earlier
     * ones; the first n_keep tokens stay, with the rest of the message in which they end (0: a BOS
     * stays). Not with prompt_logprobs. */
    ingle_overflow overflow;
    size_t n_keep;
    /* What the output may be; NULL = anything. Opened for the session's model; it may be closed
     * once the request has started. The sampler's settings hold among the tokens that it admits; a
     * token that alone is admitted is taken without a draw. The generation ends, with
     * INGLE_FINISH_STOP, where nothing can follow, or at an end token where the text may end. */
    const ingle_grammar *grammar;
    /* 0; end tokens, and those of stop_tokens, are not drawn before so many tokens, unless the
     * grammar admits nothing else. A text of `stops` ends the answer, and so does a grammar that has
     * come to its end. */
    int32_t min_tokens;
    /* Of an answer of this chat's family, which thinks: after n_thinking tokens of thinking, or
     * when ingle_request_end_thinking() is called, the family's own mark that closes it comes next,
     * whatever the model would write; of GPT-OSS also the header of the last message. If the
     * grammar does not admit it yet, it comes as soon as it does. -1: no limit; 0: it is closed at
     * once. Tokens of the marks are not counted; all thinking of the answer is, so what is opened
     * after that is closed at once. thinks as in ingle_prompt_info. NULL: nothing is limited.
     * INGLE_EUNSUPPORTED: a limit, and the family does not think, or the vocabulary cannot write
     * the mark. */
    ingle_chat *chat;
    bool thinks;
    int32_t n_thinking; /* -1 */
} ingle_generate_options;

#define ingle_generate_options_init(opt) ingle_generate_options_init_sized((opt), sizeof *(opt))
INGLE_API void ingle_generate_options_init_sized(ingle_generate_options *opt, size_t size);
INGLE_API ingle_status ingle_generate_options_check(const ingle_generate_options *opt,
                                                    ingle_error *err);

typedef struct ingle_generate_result {
    size_t size;
    ingle_finish finish;
    size_t n_prompt;     /* prompt tokens given */
    size_t n_generated;  /* tokens returned */
    double prompt_s;     /* seconds of prompt processing */
    double decode_s;     /* seconds of generation */
    size_t i_stop;       /* which stop string ended it; n_stops if none */
} ingle_generate_result; /* of choice 0 */

/* Appends the prompt (n >= 1 tokens, or 0 to go on from the tokens that the session holds) and
 * generates. Afterwards the session holds the prompt and exactly the tokens whose text was
 * returned: a token of which a stop string cut off a part is rewound (its emitted part stays
 * emitted). It leaves no logits; ingle_session_eval() of no tokens gives those of the last one.
 * Tokens that the file suppresses are never drawn. Logits that the sampler refuses end the
 * generation with the sampler's status. The sampler must have been opened for the model's n_vocab.
 * On failure the session is as it was, its logits too; the sampler should be reset. The same as
 * ingle_request_start(), and ingle_request_next() until the end. */
INGLE_API ingle_status ingle_generate(ingle_session *session, ingle_sampler *sampler,
                                      const int32_t *prompt, size_t n,
                                      const ingle_generate_options *opt,
                                      ingle_generate_result *result, ingle_error *err);

/* ---- requests -------------------------------------------------------------------------------- */

/* A generation whose events are pulled. Up to 64 of them wait for their reader; a slow reader holds
 * up its own request and no other. */
typedef struct ingle_request ingle_request;

/* Takes the session, which is busy until the last event was read or the request is closed, and
 * copies the prompt and all that the options point to; computes nothing. INGLE_EFULL: the prompt
 * does not fit the context. INGLE_EQUEUE: too many wait. Option on_event is not for requests. */
INGLE_API ingle_status ingle_request_start(ingle_request **out, ingle_session *session,
                                           const int32_t *prompt, size_t n,
                                           const ingle_generate_options *opt, ingle_error *err);

/* The next event; set event->size before. Steps if nobody else does. What the event points to is
 * good until the next call. timeout_s: seconds to wait at most, then INGLE_ETIMEOUT, after which it
 * may be called again; below 0: no limit; 0: what is there. INGLE_ENOTFOUND after the last event.
 * Any other status is the request's own failure, which ends it and leaves the session as it was.
 * One caller at a time. */
INGLE_API ingle_status ingle_request_next(ingle_request *request, double timeout_s,
                                          ingle_event *event, ingle_error *err);

/* Ends the request within one step, from any thread; INGLE_EVENT_END follows. The session holds
 * what was computed of the prompt, or all of it and what was returned. Nothing if it has ended. */
INGLE_API ingle_status ingle_request_cancel(ingle_request *request, ingle_error *err);

/* Thinking of all choices is closed as soon as the next token is drawn (ingle_generate_options.chat,
 * else INGLE_EINVAL); from any thread. Nothing where the answer does not think, or does no longer. */
INGLE_API ingle_status ingle_request_end_thinking(ingle_request *request, ingle_error *err);

/* Cancels what has not ended, waits for one step at most, and for a running on_ready. The session
 * holds what was returned and is free. */
INGLE_API void ingle_request_close(ingle_request **request);

/* ---- scoring --------------------------------------------------------------------------------- */

/* A token as what came before it foretold it. */
typedef struct ingle_score {
    float logprob; /* natural log of the model's own probability; NAN where nothing came before */
    int32_t rank;  /* tokens that were likelier; -1 where nothing came before */
    int32_t n_top;
} ingle_score;

/* Appends n tokens as ingle_session_eval() does and scores each: scores [n], and of the n_top (0 to
 * 100) likeliest tokens in place of token i, best first, tops [n][n_top], scores[i].n_top of them;
 * tops may be NULL if n_top is 0. Rows of logits are reduced where they are made: no memory is
 * needed for them. The first token has a score if the session held tokens before. All or
 * nothing. */
INGLE_API ingle_status ingle_session_score(ingle_session *session, const int32_t *tokens, size_t n,
                                           int32_t n_top, ingle_score *scores, ingle_top *tops,
                                           ingle_error *err);

/* ---- chat ------------------------------------------------------------------------------------ */

/* ingle_chat: how a model is talked to: its chat template, and what is known of its family.
 * Immutable after opening, shared by any threads; keeps its model. */

typedef enum ingle_template_choice {
    INGLE_TEMPLATE_MODEL = 0, /* the model's own, or the one in the options */
    /* "ROLE: TEXT" and a line feed for each message; "assistant:" begins the answer, and a line
     * that begins as a message does ends it (ingle_chat_info.stops). Texts may hold such lines,
     * too. */
    INGLE_TEMPLATE_PLAIN,
    /* The model's own; plain where there is none, or it is faulty, or refuses a user's message. */
    INGLE_TEMPLATE_MODEL_OR_PLAIN
} ingle_template_choice;

typedef struct ingle_chat_options {
    size_t size;
    const char *template_text; /* [n_template] in place of the model's own; NULL */
    size_t n_template;
    const char *template_name; /* of the model's templates (tokenizer.chat_template.NAME); NULL: the
                                  one without a name */
    const char *family; /* in place of the one that is found; docs/profiles.md has them; NULL */
    ingle_template_choice template_choice; /* but for MODEL no template_text or _name */
} ingle_chat_options;

#define ingle_chat_options_init(opt) ingle_chat_options_init_sized((opt), sizeof *(opt))
INGLE_API void ingle_chat_options_init_sized(ingle_chat_options *opt, size_t size);

/* INGLE_ENOTFOUND: the model has no template (of this name). INGLE_EFORMAT, INGLE_EUNSUPPORTED:
 * what it has is none; the text names the line. INGLE_EINVAL: no such family. */
INGLE_API ingle_status ingle_chat_open(ingle_chat **out, ingle_model *model,
                                       const ingle_chat_options *opt, ingle_error *err);
INGLE_API void ingle_chat_close(ingle_chat **chat);

typedef struct ingle_chat_info {
    size_t size;
    const char *family, *title; /* "qwen3", "Qwen 3" */
    bool tools;                 /* the template shows tools; else they are described by ingle */
    bool system; /* it knows the role; else that is put before the first message of a user */
    bool system_anywhere;       /* also after other messages */
    bool thinks;                /* answers may begin with thinking */
    bool thinking_switch;       /* which ingle_chat_input.thinking switches */
    const char *const *efforts; /* [n_efforts] that it understands */
    size_t n_efforts;
    const char *const *stops; /* [n_stops] texts that end an answer beside the vocabulary's ends */
    size_t n_stops;
    const char *call_trigger; /* text that begins a call; NULL: any text may be one */
    const char *fim_prefix, *fim_suffix, *fim_middle; /* marks of a gap to fill; NULL: none */
    bool plain;                                       /* the template is INGLE_TEMPLATE_PLAIN */
} ingle_chat_info;

/* What it points to is good as long as the chat. */
INGLE_API ingle_status ingle_chat_info_get(const ingle_chat *chat, ingle_chat_info *info,
                                           ingle_error *err);

/* Puts the settings that the family's makers recommend, with or without thinking, into options that
 * were filled before. Those of the file (ingle_sampler_options_from_model()) and the caller's own
 * come after them. */
INGLE_API ingle_status ingle_chat_sampling(const ingle_chat *chat, bool thinking,
                                           ingle_sampler_options *opt, ingle_error *err);

typedef enum ingle_thinking_mode {
    INGLE_THINKING_AUTO = 0, /* as the template has it */
    INGLE_THINKING_ON,
    INGLE_THINKING_OFF
} ingle_thinking_mode;

/* An answer that is in the history, as the model wrote it. */
typedef struct ingle_answer {
    size_t i_message; /* which of the messages it is, from 0; ascending */
    /* [n_tokens] that were generated, without the one that ended the answer. */
    const int32_t *tokens;
    size_t n_tokens;
    bool thinks; /* as in ingle_prompt_info, of the prompt that it answered */
} ingle_answer;

typedef struct ingle_chat_input {
    size_t size;
    /* JSON, an array of messages as OpenAI's chat completions have them: role (system, developer,
     * user, assistant, tool), content (text, null, or parts of type text), and of an assistant
     * tool_calls and reasoning_content. Other members pass to the template as they are. */
    const char *messages;
    size_t n_messages; /* bytes */
    const char *tools; /* JSON, an array of tools as there; NULL: none */
    size_t n_tools;
    const char *kwargs; /* JSON, an object of further variables of the template; NULL: none */
    size_t n_kwargs;
    bool no_answer; /* true: the prompt ends with the last message; false: with the beginning of an
                       answer */
    ingle_thinking_mode thinking; /* INGLE_EUNSUPPORTED if the template has no switch */
    const char *effort; /* NULL: the template's own; else one of ingle_chat_info.efforts */
    const char *now;    /* "2026-01-15T09:30:00": what the template takes for the time; NULL:
                                     the clock's, UTC */
    /* Where what the template prints of a message and these tokens say the same (thinking, text,
     * names and arguments of calls; not white space around them, nor the order of keys), the tokens
     * take its place in the prompt, so that what was computed of them serves again. The text of the
     * prompt stays what the template prints. */
    const ingle_answer *answers;
    size_t n_answers;
} ingle_chat_input;

#define ingle_chat_input_init(in) ingle_chat_input_init_sized((in), sizeof *(in))
INGLE_API void ingle_chat_input_init_sized(ingle_chat_input *in, size_t size);

/* A piece of a text. */
typedef struct ingle_span {
    size_t offset, length;
    bool trusted; /* the template's own words; else the caller's */
} ingle_span;

/* A rendered prompt. */
typedef struct ingle_prompt ingle_prompt;

typedef struct ingle_prompt_info {
    size_t size;
    const char *text; /* [n_text], NUL-terminated */
    size_t n_text;
    const ingle_span *spans; /* [n_spans] cover the text in order, neighbours differ */
    size_t n_spans;
    /* [n_tokens]; NULL if the model was opened without a vocabulary. Only the template's own words
     * become control tokens, whatever is in the messages. */
    const int32_t *tokens;
    size_t n_tokens;
    const size_t *marks; /* [n_marks] of tokens at which messages end: for ingle_generate_options */
    size_t n_marks;
    bool thinks; /* the answer begins in the middle of thinking: for ingle_chat_parser_options */
    const int32_t
        *mark_messages;        /* [n_marks] the number of the message that ends at a mark; -1: not
                                     known */
    const bool *answers_taken; /* [n_answers] of ingle_chat_input: took the template's place */
    size_t n_answers;
} ingle_prompt_info;

/* INGLE_EFORMAT: no JSON. INGLE_EINVAL: a message that is none, named by its number, or one that
 * the template refuses, with its own words. INGLE_EUNSUPPORTED: content that is no text, a switch
 * that the template has not, or a limit. */
INGLE_API ingle_status ingle_chat_render(ingle_prompt **out, const ingle_chat *chat,
                                         const ingle_chat_input *in, ingle_error *err);
/* What it points to is good as long as the prompt. */
INGLE_API ingle_status ingle_prompt_info_get(const ingle_prompt *prompt, ingle_prompt_info *info,
                                             ingle_error *err);
INGLE_API void ingle_prompt_close(ingle_prompt **prompt);

typedef enum ingle_answer_form {
    INGLE_ANSWER_ANY = 0,
    INGLE_ANSWER_SCHEMA, /* JSON for a JSON Schema */
    INGLE_ANSWER_JSON,   /* any JSON object */
    INGLE_ANSWER_REGEX,
    INGLE_ANSWER_GBNF,
    INGLE_ANSWER_CHOICE
} ingle_answer_form;

typedef struct ingle_tools_options {
    size_t size;
    /* false: free text, in which calls may occur; true: the answer is calls and nothing else, after
     * thinking if the answer thinks. */
    bool required;
    const char *name; /* the only tool that may be called, which then is required; NULL: any */
    bool one;         /* true: at most one call; else as many as the family writes in an answer */
    bool lenient;     /* as in ingle_grammar_options, for the schemas of the arguments */
    bool thinks;      /* as in ingle_prompt_info: the answer begins in the middle of thinking */
    /* What the text of an answer that calls nothing has to be, after thinking; by default anything.
     * Of form SCHEMA, REGEX, GBNF: `schema` is its text; CHOICE: `choices`. Not with required. The
     * text is plain: it has no mark of thinking or of calls in it, and is none of the calls that
     * begin without a mark; a choice that is not plain is INGLE_EUNSUPPORTED. */
    const char *schema; /* alone: of form SCHEMA */
    size_t n_schema;
    ingle_answer_form form;
    const ingle_string *choices; /* [n_choices] */
    size_t n_choices;
    const ingle_grammar_options *grammar; /* of the form; NULL: defaults; not lazy */
    /* true: nothing may be called, though the prompt shows tools: what begins a call is not
     * written. Calls that begin without a mark are known by the names in tools, which may be NULL;
     * they should be the parser's. */
    bool no_calls;
} ingle_tools_options;

#define ingle_tools_options_init(opt) ingle_tools_options_init_sized((opt), sizeof *(opt))
INGLE_API void ingle_tools_options_init_sized(ingle_tools_options *opt, size_t size);

/* A grammar for answers that call tools as the chat's family writes calls: names of these tools,
 * arguments that are valid for their schemas. Free text is not narrowed; what begins a call is one.
 * tools as in ingle_chat_input; NULL: nothing is called, as with no_calls. For the chat's model.
 * What a lenient form left out is in ingle_grammar_info, as "answer: POINTER: KEYWORD: why".
 * INGLE_EINVAL: none of that name; options that exclude each other.
 * INGLE_EUNSUPPORTED: a schema has what cannot be enforced; the text names tool and keyword. */
INGLE_API ingle_status ingle_grammar_open_tools(ingle_grammar **out, ingle_chat *chat,
                                                const char *tools, size_t n_tools,
                                                const ingle_tools_options *opt, ingle_error *err);

/* Takes an answer apart as it comes. */
typedef struct ingle_chat_parser ingle_chat_parser;

typedef enum ingle_chat_event_kind {
    INGLE_CHAT_REASONING,
    INGLE_CHAT_CONTENT,
    INGLE_CHAT_CALL_BEGIN, /* text is the name of the tool */
    INGLE_CHAT_CALL_ARGS,  /* the next bytes of a JSON object */
    INGLE_CHAT_CALL_END
} ingle_chat_event_kind;

typedef struct ingle_chat_event {
    size_t size; /* sizeof this struct in the library: what a newer one adds comes after */
    ingle_chat_event_kind kind;
    size_t i_call;    /* which call, from 0 */
    const char *text; /* whole UTF-8 characters */
    size_t text_len;
    const char
        *id; /* [id_len] of INGLE_CHAT_CALL_BEGIN and _END: the call's, if the model gave one */
    size_t id_len;
    bool bad; /* INGLE_CHAT_CALL_END: the object is not whole, and the rest comes as text */
} ingle_chat_event;

typedef struct ingle_chat_parser_options {
    size_t size;
    const char *tools; /* as in ingle_chat_input: types of arguments, names that are known */
    size_t n_tools;
    bool thinks;       /* as in ingle_prompt_info */
    bool no_tools;     /* true: calls are text */
    bool no_reasoning; /* true: thinking is text, its marks too */
    bool keep_raw;     /* true: ingle_chat_parser_raw() has all bytes */
    /* Called for what is certain, during feed and finish. Pointers are good during the call. */
    void (*on_event)(void *user, const ingle_chat_event *event);
    void *user;
} ingle_chat_parser_options;

#define ingle_chat_parser_options_init(opt)                                                        \
    ingle_chat_parser_options_init_sized((opt), sizeof *(opt))
INGLE_API void ingle_chat_parser_options_init_sized(ingle_chat_parser_options *opt, size_t size);

/* One caller at a time. Keeps the chat. */
INGLE_API ingle_status ingle_chat_parser_open(ingle_chat_parser **out, ingle_chat *chat,
                                              const ingle_chat_parser_options *opt,
                                              ingle_error *err);
INGLE_API void ingle_chat_parser_close(ingle_chat_parser **parser);
/* The next bytes of the answer, cut anywhere. No text is refused: what is no call after all is
 * content. */
INGLE_API ingle_status ingle_chat_parser_feed(ingle_chat_parser *parser, const char *text,
                                              size_t len, ingle_error *err);
/* Nothing follows. */
INGLE_API ingle_status ingle_chat_parser_finish(ingle_chat_parser *parser, ingle_error *err);
/* All that was fed, if it was kept; good until the next feed. */
INGLE_API const char *ingle_chat_parser_raw(const ingle_chat_parser *parser, size_t *len);

#ifdef __cplusplus
}
#endif
#endif
