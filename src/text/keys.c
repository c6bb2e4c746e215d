/* keys.c - the list of GGUF keys of a tokenizer, and which kinds of tokenizer read them. What a file has
 * beyond that may matter, and is noted by name. */
#include "base/mem.h"
#include "text/vocab.h"

#include <stdlib.h>
#include <string.h>

enum {
    BPE = 1 << INGLE_VOCAB_BPE,
    SPM = 1 << INGLE_VOCAB_SPM,
    WORDPIECE = 1 << INGLE_VOCAB_WORDPIECE,
    UNIGRAM = 1 << INGLE_VOCAB_UNIGRAM,
    RWKV = 1 << INGLE_VOCAB_RWKV,
    ALL = BPE | SPM | WORDPIECE | UNIGRAM | RWKV
};

static const struct {
    const char
        *name;   /* after "tokenizer."; with a dot at its end: everything that begins with it */
    int read_by; /* or where the key says nothing */
} keys[] = {
    {"ggml.model", ALL},
    {"ggml.pre", ALL},
    {"ggml.tokens", ALL},
    {"ggml.token_type", ALL},
    {"ggml.token_type_count", ALL},
    {"ggml.scores", ALL},
    {"ggml.merges", ALL},
    {"ggml.bos_token_id", ALL},
    {"ggml.eos_token_id", ALL},
    {"ggml.eos_token_ids", ALL},
    {"ggml.eot_token_id", ALL},
    {"ggml.eom_token_id", ALL},
    {"ggml.unknown_token_id", ALL},
    {"ggml.seperator_token_id", ALL}, /* the key's own spelling */
    {"ggml.padding_token_id", ALL},
    {"ggml.cls_token_id", ALL},
    {"ggml.mask_token_id", ALL},
    {"ggml.suppress_tokens", ALL},
    {"ggml.add_bos_token", ALL},
    {"ggml.add_eos_token", ALL},
    {"ggml.add_sep_token", ALL},
    {"ggml.add_space_prefix", ALL},
    {"ggml.remove_extra_whitespaces", UNIGRAM},
    {"ggml.precompiled_charsmap", UNIGRAM},
    {"ggml.normalizer.lowercase", WORDPIECE},
    {"ggml.normalizer.strip_accents", WORDPIECE},
    {"ggml.fim_pre_token_id", ALL},
    {"ggml.fim_suf_token_id", ALL},
    {"ggml.fim_mid_token_id", ALL},
    {"ggml.fim_pad_token_id", ALL},
    {"ggml.fim_rep_token_id", ALL},
    {"ggml.fim_sep_token_id", ALL},
    {"ggml.prefix_token_id", ALL}, /* three older names */
    {"ggml.suffix_token_id", ALL},
    {"ggml.middle_token_id", ALL},
    {"chat_template", ALL},
    {"chat_template.", ALL},
    {"chat_templates", ALL},
    {"huggingface.json", ALL},
    {"rwkv.world", ALL},
};

static bool is_read(const char *name, ingle_vocab_kind kind)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        size_t n = strlen(keys[i].name);
        bool prefix = keys[i].name[n - 1] == '.';
        if (prefix ? strncmp(name, keys[i].name, n) == 0 : strcmp(name, keys[i].name) == 0)
            return keys[i].read_by & 1 << kind;
    }
    return false;
}

/* false, 0 and empty lists ask for nothing. */
static bool asks(const ingle_gguf_kv *kv)
{
    int64_t value;
    if (kv->type == INGLE_GGUF_ARRAY) return kv->n > 0;
    return !ingle_gguf_item_i64(kv, 0, &value) || value != 0;
}

ingle_status ingle_vocab_find_unread(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    static const char prefix[] = "tokenizer.";
    size_t cap = 0, used = 0;
    for (size_t i = 0; i < g->n_kv; i++) {
        const char *key = g->kv[i].key;
        if (strncmp(key, prefix, sizeof prefix - 1) || is_read(key + sizeof prefix - 1, v->kind) ||
            !asks(&g->kv[i]))
            continue;
        size_t n = strlen(key);
        if (!ingle_grow(&v->unread, &cap, used + n + 3, 1))
            return ingle_fail(err, INGLE_ENOMEM, "vocabulary: no memory");
        if (used) memcpy(v->unread + used, ", ", 2), used += 2;
        memcpy(v->unread + used, key, n + 1);
        used += n;
    }
    v->info.unread = v->unread;
    v->info.heap_bytes += cap;
    return INGLE_OK;
}
