/* vocab.c - builds a vocabulary from tokenizer.ggml.* and answers questions about it. */
#include "text/vocab.h"
#include "base/mem.h"
#include "text/words.h"

#include <math.h>
#include <stdlib.h>

static const char key_model[] = "tokenizer.ggml.model", key_pre[] = "tokenizer.ggml.pre",
                  key_tokens[] = "tokenizer.ggml.tokens", key_scores[] = "tokenizer.ggml.scores",
                  key_types[] = "tokenizer.ggml.token_type";

static ingle_status no_memory(ingle_error *err)
{
    return ingle_fail(err, INGLE_ENOMEM, "vocabulary: no memory");
}

/* ---- strings -----------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    ingle_vocab_kind kind;
} kinds[] = {{"gpt2", INGLE_VOCAB_BPE},
             {"llama", INGLE_VOCAB_SPM},
             {"bert", INGLE_VOCAB_WORDPIECE},
             {"t5", INGLE_VOCAB_UNIGRAM},
             {"rwkv", INGLE_VOCAB_RWKV},
             {"gemma4", INGLE_VOCAB_BPE}}; /* the pre-tokenizer's name, too */

static ingle_status read_model(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    ingle_str model, pre = {"default", 7};
    ingle_status st = ingle_gguf_get_str(g, key_model, true, &model, err);
    if (st) return st;
    size_t i = 0, n_kinds = sizeof kinds / sizeof kinds[0];
    while (i < n_kinds && !ingle_str_is(model, kinds[i].name)) i++;
    if (i == n_kinds)
        return ingle_fail(err, INGLE_EUNSUPPORTED,
                          "key '%s': tokenizers of kind '%.*s' are not supported (gpt2, llama, "
                          "bert, t5, rwkv and gemma4 are)",
                          key_model, model.len > 64 ? 64 : (int)model.len, model.ptr);
    v->kind = kinds[i].kind;
    if (v->kind != INGLE_VOCAB_BPE) return INGLE_OK;
    if ((st = ingle_gguf_get_str(g, key_pre, false, &pre, err))) return st;
    if (ingle_str_is(model, "gemma4")) pre = model;
    v->pretok = ingle_pretok_find(pre.ptr, pre.len);
    if (!v->pretok) {
        char similar[120];
        ingle_pretok_similar(pre.ptr, pre.len, similar, sizeof similar);
        return ingle_fail(err, INGLE_EUNSUPPORTED,
                          "key '%s': unknown pre-tokenizer '%.*s' (known: %s)", key_pre,
                          pre.len > 40 ? 40 : (int)pre.len, pre.ptr, similar);
    }
    v->raw = v->pretok->flags & INGLE_PRETOK_RAW;
    v->info.guessed_rule = !v->raw && !ingle_gguf_find(g, key_pre);
    return ingle_splitter_open(&v->splitter, v->pretok->rule, err);
}

static ingle_status read_tokens(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(g, key_tokens);
    if (!kv) return ingle_fail(err, INGLE_ENOTFOUND, "key '%s' is missing", key_tokens);
    if (kv->type != INGLE_GGUF_ARRAY || kv->item != INGLE_GGUF_STRING)
        return ingle_fail(err, INGLE_EFORMAT, "key '%s': not an array of strings", key_tokens);
    if (kv->n == 0 || kv->n > INT32_MAX / 2)
        return ingle_fail(err, INGLE_EFORMAT, "key '%s': %zu tokens", key_tokens, kv->n);
    size_t total = 0;
    for (size_t i = 0; i < kv->n; i++)
        if (!ingle_add_ok(total, kv->strings[i].len, &total) || total > UINT32_MAX / 2)
            return ingle_fail(err, INGLE_EFORMAT, "%s[%zu]: the texts of all tokens pass 2 GiB",
                              key_tokens, i);
    v->n_tokens = v->n_symbols = (uint32_t)kv->n;
    v->info.n_tokens = (int32_t)kv->n;
    v->text.data = malloc(total + 1);
    v->text.at = malloc((kv->n + 1) * sizeof *v->text.at);
    v->attrs = malloc(kv->n * sizeof *v->attrs);
    v->scores = malloc(kv->n * sizeof *v->scores);
    if (!v->text.data || !v->text.at || !v->attrs || !v->scores) return no_memory(err);
    v->info.heap_bytes +=
        total + 1 + kv->n * (sizeof *v->text.at + sizeof *v->attrs + sizeof *v->scores);
    uint32_t at = 0;
    for (size_t i = 0; i < kv->n; i++) {
        ingle_str s = kv->strings[i];
        v->text.at[i] = at;
        if (s.len) memcpy(v->text.data + at, s.ptr, s.len);
        at += (uint32_t)s.len;
        if (s.len > v->max_text) v->max_text = (uint32_t)s.len;
    }
    v->text.at[kv->n] = at;
    return INGLE_OK;
}

static ingle_status read_scores(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(g, key_scores);
    if (kv && (kv->type != INGLE_GGUF_ARRAY || kv->n != v->n_tokens))
        return ingle_fail(err, INGLE_EFORMAT,
                          "key '%s': not an array of %u numbers, one for each token", key_scores,
                          v->n_tokens);
    for (uint32_t i = 0; i < v->n_tokens; i++) {
        double x = 0;
        if (kv && (!ingle_gguf_item_f64(kv, i, &x) || isnan(x)))
            return ingle_fail(err, INGLE_EFORMAT, "%s[%u]: not a number", key_scores, i);
        v->scores[i] = (float)x;
    }
    return INGLE_OK;
}

/* "<0xHH>", nothing else. */
static int byte_value(const char *p, size_t len)
{
    if (len != 6 || memcmp(p, "<0x", 3) != 0 || p[5] != '>') return -1;
    int high = ingle_hex_digit(p[3]), low = ingle_hex_digit(p[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static int byte_of(const ingle_vocab *v, uint32_t id)
{
    return byte_value(v->text.data + v->text.at[id], v->text.at[id + 1] - v->text.at[id]);
}

static ingle_status read_types(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    static const uint16_t attr_of[] = {INGLE_TOK_UNUSED,  INGLE_TOK_NORMAL, INGLE_TOK_UNKNOWN,
                                       INGLE_TOK_CONTROL, INGLE_TOK_USER,   INGLE_TOK_UNUSED,
                                       INGLE_TOK_BYTE};
    const ingle_gguf_kv *kv = ingle_gguf_find(g, key_types);
    if (kv && (kv->type != INGLE_GGUF_ARRAY || kv->n != v->n_tokens))
        return ingle_fail(err, INGLE_EFORMAT,
                          "key '%s': not an array of %u types, one for each token", key_types,
                          v->n_tokens);
    for (uint32_t i = 0; i < v->n_tokens; i++) {
        int64_t type = 1;
        if (kv && (!ingle_gguf_item_i64(kv, i, &type) || type < 0 || type > 6))
            return ingle_fail(err, INGLE_EFORMAT, "%s[%u]: not a token type (0 to 6)", key_types,
                              i);
        v->attrs[i] = attr_of[type];
        if (v->attrs[i] & INGLE_TOK_BYTE && byte_of(v, i) < 0)
            return ingle_fail(err, INGLE_EFORMAT, "%s[%u]: a byte token must be <0x00> to <0xFF>",
                              key_tokens, i);
    }
    return INGLE_OK;
}

/* ---- special ids -------------------------------------------------------------------------------
 */

/* Files write "none" as -1, in whatever width. */
static ingle_status read_id(const ingle_vocab *v, const ingle_gguf *g, const char *key, int32_t *id,
                            ingle_error *err)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(g, key);
    int64_t x;
    if (*id >= (int32_t)v->n_tokens) *id = -1; /* a default */
    if (!kv) return INGLE_OK;
    if (kv->type == INGLE_GGUF_ARRAY || !ingle_gguf_item_i64(kv, 0, &x))
        return ingle_fail(err, INGLE_EFORMAT, "key '%s': not a token id", key);
    if (x == -1 || x == UINT32_MAX) {
        *id = -1;
        return INGLE_OK;
    }
    if (x < 0 || x >= (int64_t)v->n_tokens)
        return ingle_fail(err, INGLE_EFORMAT, "key '%s': token %lld of a vocabulary of %u", key,
                          (long long)x, v->n_tokens);
    *id = (int32_t)x;
    return INGLE_OK;
}

/* What files without these keys rely on. */
static void default_ids(ingle_vocab *v)
{
    static const struct {
        int32_t bos, eos, unk, pad, sep;
    } ids[] = {[INGLE_VOCAB_BPE] = {11, 11, -1, -1, -1},
               [INGLE_VOCAB_SPM] = {1, 2, 0, -1, -1},
               [INGLE_VOCAB_WORDPIECE] = {101, -1, 100, 0, 102},
               [INGLE_VOCAB_UNIGRAM] = {-1, 1, 2, 0, -1},
               [INGLE_VOCAB_RWKV] = {-1, -1, -1, -1, -1}};
    ingle_vocab_info *f = &v->info;
    unsigned flags = v->kind == INGLE_VOCAB_BPE ? v->pretok->flags : 0;
    f->bos = flags & INGLE_PRETOK_NO_BOS ? -1 : ids[v->kind].bos;
    f->eos = ids[v->kind].eos, f->unk = ids[v->kind].unk, f->pad = ids[v->kind].pad;
    f->sep = ids[v->kind].sep;
    f->eot = f->eom = f->nl = -1;
    f->add_bos =
        v->kind == INGLE_VOCAB_SPM || v->kind == INGLE_VOCAB_WORDPIECE || flags & INGLE_PRETOK_BOS;
    f->add_eos = v->kind == INGLE_VOCAB_UNIGRAM;
    v->add_sep = v->kind == INGLE_VOCAB_WORDPIECE || flags & INGLE_PRETOK_SEP;
    v->clean = flags & INGLE_PRETOK_CLEAN || v->kind == INGLE_VOCAB_WORDPIECE;
    v->add_space = v->kind == INGLE_VOCAB_SPM;
}

static ingle_status read_adds(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    const struct {
        const char *key;
        bool *value;
        const int32_t *id; /* the token that is added */
        const char *name;
    } adds[] = {{"tokenizer.ggml.add_bos_token", &v->info.add_bos, &v->info.bos, "BOS"},
                {"tokenizer.ggml.add_eos_token", &v->info.add_eos, &v->info.eos, "EOS"},
                {"tokenizer.ggml.add_sep_token", &v->add_sep, &v->info.sep, "SEP"}};
    for (size_t i = 0; i < sizeof adds / sizeof adds[0]; i++) {
        ingle_status st = ingle_gguf_get_bool(g, adds[i].key, false, adds[i].value, err);
        if (st) return st;
        if (i == 0 && v->pretok && v->pretok->flags & INGLE_PRETOK_MUST_BOS) *adds[i].value = true;
        if (i == 0 && v->kind == INGLE_VOCAB_UNIGRAM) v->add_sep = v->info.add_bos; /* as XLM-R */
        bool of_text = i < 2 || v->kind == INGLE_VOCAB_WORDPIECE;
        if (*adds[i].value && *adds[i].id < 0 && of_text)
            return ingle_fail(err, INGLE_EFORMAT, "key '%s' is true, but there is no %s token",
                              adds[i].key, adds[i].name);
    }
    /* Elsewhere the key speaks of pairs of texts, not of a text: a second mark between them, as
     * RoBERTa and XLM-R have it, whose older files do not say so. */
    v->pair_sep = v->add_sep && v->kind != INGLE_VOCAB_WORDPIECE;
    v->info.add_sep = v->add_sep = v->add_sep && v->kind == INGLE_VOCAB_WORDPIECE;
    /* Byte-level BPE and RWKV have no prefix: there the key says nothing. */
    bool space = v->add_space;
    ingle_status st = ingle_gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", false, &space, err);
    v->add_space = space && (v->kind == INGLE_VOCAB_SPM || v->kind == INGLE_VOCAB_UNIGRAM);
    return st;
}

/* A list of tokens; NULL and 0 if the key is absent. */
static ingle_status read_list(const ingle_vocab *v, const ingle_gguf *g, const char *key,
                              int32_t **ids, size_t *n, ingle_error *err)
{
    const ingle_gguf_kv *kv = ingle_gguf_find(g, key);
    *ids = NULL, *n = 0;
    if (!kv || !kv->n) return INGLE_OK;
    if (!(*ids = ingle_new(kv->n, sizeof **ids))) return no_memory(err);
    for (size_t i = 0; i < kv->n; i++) {
        int64_t x;
        if (!ingle_gguf_item_i64(kv, i, &x) || x < 0 || x >= (int64_t)v->n_tokens)
            return ingle_fail(err, INGLE_EFORMAT, "%s[%zu]: no token of a vocabulary of %u", key, i,
                              v->n_tokens);
        (*ids)[i] = (int32_t)x;
    }
    *n = kv->n;
    return INGLE_OK;
}

/* More than one end token, whatever else is known of them. */
static ingle_status read_ends(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    int32_t *ends;
    size_t n;
    ingle_status st = read_list(v, g, "tokenizer.ggml.eos_token_ids", &ends, &n, err);
    for (size_t i = 0; i < n; i++) v->attrs[ends[i]] |= INGLE_TOK_EOG;
    if (n && !ingle_gguf_find(g, "tokenizer.ggml.eos_token_id")) v->info.eos = ends[0];
    free(ends);
    return st;
}

/* Tokens that are never drawn. */
static ingle_status read_suppressed(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    ingle_vocab_info *f = &v->info;
    ingle_status st =
        read_list(v, g, "tokenizer.ggml.suppress_tokens", &v->suppressed, &f->n_suppressed, err);
    f->suppressed = v->suppressed;
    f->heap_bytes += f->n_suppressed * sizeof *v->suppressed;
    return st;
}

static ingle_status read_ids(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    ingle_vocab_info *f = &v->info;
    default_ids(v);
    const struct {
        const char *key;
        int32_t *id;
    } ids[] = {
        {"tokenizer.ggml.cls_token_id", v->kind == INGLE_VOCAB_WORDPIECE ? &f->bos : NULL},
        {"tokenizer.ggml.bos_token_id", &f->bos},
        {"tokenizer.ggml.eos_token_id", &f->eos},
        {"tokenizer.ggml.eot_token_id", &f->eot},
        {"tokenizer.ggml.eom_token_id", &f->eom},
        {"tokenizer.ggml.unknown_token_id", &f->unk},
        {"tokenizer.ggml.padding_token_id", &f->pad},
        {"tokenizer.ggml.seperator_token_id", &f->sep}, /* the key's own spelling */
    };
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        ingle_status st = ids[i].id ? read_id(v, g, ids[i].key, ids[i].id, err) : INGLE_OK;
        if (st) return st;
    }
    ingle_status st = read_ends(v, g, err);
    if (!st) st = read_suppressed(v, g, err);
    return st ? st : read_adds(v, g, err);
}

/* ---- pieces and the map ------------------------------------------------------------------------
 */

/* Writes the bytes a token stands for, at most as many as its text has, and returns their number.
 */
static size_t make_piece(const ingle_vocab *v, uint32_t id, char *out)
{
    const char *p = v->text.data + v->text.at[id];
    size_t len = v->text.at[id + 1] - v->text.at[id], n = 0;
    int byte = v->attrs[id] & INGLE_TOK_BYTE ? byte_of(v, id) : -1;
    if (byte >= 0) {
        *out = (char)byte;
        return 1;
    }
    if (!(v->attrs[id] & INGLE_TOK_SPECIAL)) {
        if (v->kind == INGLE_VOCAB_BPE && !v->raw && ingle_bytes_decode(p, len, out, &n)) return n;
        if (v->kind == INGLE_VOCAB_RWKV && ingle_rwkv_unescape(p, len, out, &n)) return n;
        if (ingle_vocab_marks_spaces(v->kind) || v->raw) return ingle_marks_to_spaces(p, len, out);
    }
    memcpy(out, p, len);
    return len;
}

/* Whether plain text may become this token: BPE by its bytes, SPM by its text. */
static bool matches_text(const ingle_vocab *v, uint32_t id)
{
    uint32_t at = v->text.at[id], len = v->text.at[id + 1] - at;
    if (!len || v->attrs[id] & (INGLE_TOK_HIDDEN | INGLE_TOK_BYTE)) return false;
    if (v->kind == INGLE_VOCAB_SPM || v->raw) return true;
    if (!(v->attrs[id] & INGLE_TOK_USER)) { /* undecodable text is its own piece */
        uint32_t n = v->pieces.at[id + 1] - v->pieces.at[id];
        if (n != len) return true;
    }
    for (uint32_t i = 0; i < len;
         i++) /* a piece equal to the text: printable ASCII, or not in the alphabet */
        if (v->text.data[at + i] < 0x21 || v->text.data[at + i] > 0x7e) return false;
    return true;
}

static ingle_status build_map(ingle_vocab *v, ingle_error *err)
{
    size_t room = v->text.at[v->n_tokens] + 256u;
    v->cap_pieces_at = v->n_tokens + 258u;
    v->cap_pieces = room;
    v->pieces.data = malloc(room);
    v->pieces.at = malloc(v->cap_pieces_at * sizeof *v->pieces.at);
    if (!v->pieces.data || !v->pieces.at) return no_memory(err);
    uint32_t at = 0;
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        v->pieces.at[id] = at;
        at += (uint32_t)make_piece(v, id, v->pieces.data + at);
    }
    v->pieces.at[v->n_tokens] = at;
    if (!ingle_vocab_merges(v->kind)) return INGLE_OK; /* looked up by ingle_vocab.words */

    const ingle_strings *s = v->kind == INGLE_VOCAB_BPE ? &v->pieces : &v->text;
    v->keys = s;
    if (!ingle_map_open(&v->map, v->n_tokens)) return no_memory(err);
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        if (!matches_text(v, id)) continue;
        const char *p = s->data + s->at[id];
        size_t len = s->at[id + 1] - s->at[id];
        uint64_t hash = ingle_map_hash(&v->map, p, len);
        if (ingle_vocab_find_hashed(v, hash, p, len) != INGLE_NO_ID)
            continue; /* the first of equal tokens counts */
        if (!ingle_map_add(&v->map, hash, id)) return no_memory(err);
    }
    return INGLE_OK;
}

/* The token of each byte: a byte token, else (SPM) text that looks like one, else the text of the
 * byte itself. */
static ingle_status build_bytes(ingle_vocab *v, ingle_error *err)
{
    for (int b = 0; b < 256; b++) v->byte_tokens[b] = -1;
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        int b = v->attrs[id] & INGLE_TOK_BYTE ? byte_of(v, id) : -1;
        if (b >= 0 && v->byte_tokens[b] < 0) v->byte_tokens[b] = (int32_t)id;
    }
    if (!ingle_vocab_merges(v->kind)) {
        ingle_words_bytes(v);
        return INGLE_OK;
    }
    for (int b = 0; b < 256; b++) {
        static const char digits[] = "0123456789ABCDEF";
        const char name[6] = {'<', '0', 'x', digits[b >> 4], digits[b & 15], '>'}, c[1] = {(char)b};
        uint32_t id = ingle_vocab_find(v, c, 1);
        if (v->kind == INGLE_VOCAB_BPE && !v->raw) {
            if (id != INGLE_NO_ID) v->byte_tokens[b] = (int32_t)id;
            v->byte_symbols[b] = ingle_vocab_symbol(v, c, 1);
            if (v->byte_symbols[b] == INGLE_NO_ID) return no_memory(err);
        } else if (v->byte_tokens[b] < 0) {
            uint32_t by_name = ingle_vocab_find(v, name, 6);
            if (by_name != INGLE_NO_ID) id = by_name;
            if (id != INGLE_NO_ID) v->byte_tokens[b] = (int32_t)id;
        }
    }
    return INGLE_OK;
}

/* Which characters may stand side by side inside a token. Where two others meet, no merge reaches
 * across. */
static ingle_status build_joints(ingle_vocab *v, ingle_error *err)
{
    v->joints = ingle_new(65536 / 8, 1);
    if (!v->joints) return no_memory(err);
    v->info.heap_bytes += 65536 / 8;
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        if (!matches_text(v, id)) continue;
        const unsigned char *p = (const unsigned char *)v->text.data + v->text.at[id];
        size_t len = v->text.at[id + 1] - v->text.at[id];
        for (size_t i = 1; i < len; i++) /* more than at whole characters: that only joins more */
            v->joints[p[i - 1] << 5 | p[i] >> 3] |= (uint8_t)(1 << (p[i] & 7));
    }
    return INGLE_OK;
}

static ingle_status find_newline(ingle_vocab *v, ingle_error *err)
{
    int32_t id = v->byte_tokens['\n'];
    size_t n = 0;
    if (v->kind != INGLE_VOCAB_SPM) {
        ingle_status st = ingle_vocab_tokenize(v, "\n", 1, 0, &id, 1, &n, err);
        if (st && st != INGLE_ERANGE) return st;
        if (!n) id = -1;
    }
    v->info.nl = id < 0 ? v->info.pad : id;
    return INGLE_OK;
}

static ingle_status build(ingle_vocab *v, const ingle_gguf *g, ingle_error *err)
{
    ingle_status st = read_model(v, g, err);
    if (!st) st = read_tokens(v, g, err);
    if (!st) st = read_scores(v, g, err);
    if (!st) st = read_types(v, g, err);
    if (!st) st = read_ids(v, g, err);
    if (!st) st = ingle_pair_read(v, g, err);
    if (!st) st = ingle_vocab_find_unread(v, g, err);
    if (st) return st;
    ingle_vocab_find_known(v, g);
    st = read_ends(v, g, err); /* again: the file knows better than rules */
    if (!st) st = build_map(v, err);
    if (!st && !ingle_vocab_merges(v->kind)) st = ingle_words_build(v, g, err);
    if (!st) st = build_bytes(v, err);
    if (!st && v->kind == INGLE_VOCAB_BPE) st = ingle_pairs_build(v, g, err);
    if (!st && v->kind == INGLE_VOCAB_SPM) st = build_joints(v, err);
    if (!st) st = ingle_specials_build(v, err);
    if (!st) st = find_newline(v, err);
    if (st) return st;
    v->info.heap_bytes += sizeof *v + v->splitter.heap_bytes + ingle_map_bytes(&v->map) +
                          v->cap_pieces + v->cap_pieces_at * sizeof *v->pieces.at +
                          (v->pairs ? (v->pair_mask + 1) * sizeof *v->pairs : 0);
    return INGLE_OK;
}

ingle_status ingle_vocab_open(ingle_vocab **out, const ingle_gguf *g, ingle_error *err)
{
    *out = NULL;
    ingle_vocab *v = ingle_new(1, sizeof *v);
    if (!v) return no_memory(err);
    ingle_status st = build(v, g, err);
    if (st) ingle_vocab_close(&v);
    *out = v;
    return st;
}

void ingle_vocab_close(ingle_vocab **vocab)
{
    ingle_vocab *v = *vocab;
    *vocab = NULL;
    if (!v) return;
    free(v->text.data);
    free(v->text.at);
    free(v->pieces.data);
    free(v->pieces.at);
    free(v->scores);
    free(v->attrs);
    free(v->pairs);
    free(v->joints);
    free(v->rank_template);
    free(v->unread);
    free(v->suppressed);
    ingle_map_close(&v->map);
    ingle_specials_free(v);
    ingle_words_free(v);
    ingle_splitter_close(&v->splitter);
    free(v);
}

void ingle_vocab_info_get(const ingle_vocab *v, ingle_vocab_info *info)
{
    *info = v->info;
}

ingle_status ingle_vocab_token(const ingle_vocab *v, int32_t id, ingle_token_info *info,
                               ingle_error *err)
{
    if (!v) return ingle_fail(err, INGLE_ECLOSED, "vocabulary is NULL");
    if (id < 0 || (uint32_t)id >= v->n_tokens)
        return ingle_fail(err, INGLE_ENOTFOUND, "token %d of a vocabulary of %u", id, v->n_tokens);
    unsigned attr = v->attrs[id];
    uint32_t at = v->pieces.at[id], n = v->pieces.at[id + 1] - at;
    *info = (ingle_token_info){
        .text = v->text.data + v->text.at[id],
        .len = v->text.at[id + 1] - v->text.at[id],
        .score = v->scores[id],
        .control = attr & INGLE_TOK_CONTROL,
        .byte = attr & INGLE_TOK_BYTE ||
                (!ingle_vocab_marks_spaces(v->kind) && n == 1 && v->pieces.data[at] & 0x80),
        .eog = attr & INGLE_TOK_EOG,
    };
    return INGLE_OK;
}
