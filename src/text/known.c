/* known.c - tokens known by their text. GGUF files name some end tokens by key only sometimes, and
 * type some as normal text; these rules are those that people's files were made and tested with
 * (see docs/formats.md of the source projects: llama.cpp's vocabulary loader). A token found here
 * as an end, turn or fill-in-the-middle mark becomes a control token. */
#include "text/vocab.h"

enum {          /* what a text means */
       EOT = 1, /* end of turn, if the file names none: the first in this order */
       EOM = 2,
       FIM_PRE = 4,
       FIM_SUF = 8,
       FIM_MID = 16,
       FIM_PAD = 32,
       FIM_REP = 64,
       FIM_SEP = 128,
       END = 256,  /* ends a generation */
       SHOWN = 512 /* marks of a message: always found, always written */
};

static const struct known {
    const char *text;
    unsigned roles;
} known[] = {
    {"<|eot_id|>", EOT | END},
    {"<|im_end|>", EOT | END},
    {"<|end|>", EOT | END},
    {"<end_of_turn>", EOT | END},
    {"<|endoftext|>", EOT | END},
    {"<|end_of_text|>", EOT | END},
    {"<EOT>", EOT | END},
    {"_<EOT>", EOT | END},
    {"[EOT]", EOT | END},
    {"<\xef\xbd\x9c"
     "end\xe2\x96\x81of\xe2\x96\x81sentence\xef\xbd\x9c>",
     EOT | END},
    {"<end_of_utterance>", EOT | END},
    {"<|eom_id|>", EOM | END},
    {"<|fim_prefix|>", FIM_PRE},
    {"<fim-prefix>", FIM_PRE},
    {"<fim_prefix>", FIM_PRE},
    {"<\xef\xbd\x9c"
     "fim\xe2\x96\x81"
     "begin\xef\xbd\x9c>",
     FIM_PRE},
    {"<PRE>", FIM_PRE},
    {"\xe2\x96\x81<PRE>", FIM_PRE},
    {"<|code_prefix|>", FIM_PRE},
    {"<|prefix|>", FIM_PRE},
    {"<|fim_suffix|>", FIM_SUF},
    {"<fim-suffix>", FIM_SUF},
    {"<fim_suffix>", FIM_SUF},
    {"<\xef\xbd\x9c"
     "fim\xe2\x96\x81hole\xef\xbd\x9c>",
     FIM_SUF},
    {"<SUF>", FIM_SUF},
    {"\xe2\x96\x81<SUF>", FIM_SUF},
    {"<|code_suffix|>", FIM_SUF},
    {"<|suffix|>", FIM_SUF},
    {"<|fim_middle|>", FIM_MID},
    {"<fim-middle>", FIM_MID},
    {"<fim_middle>", FIM_MID},
    {"<\xef\xbd\x9c"
     "fim\xe2\x96\x81"
     "end\xef\xbd\x9c>",
     FIM_MID},
    {"<MID>", FIM_MID},
    {"\xe2\x96\x81<MID>", FIM_MID},
    {"<|code_middle|>", FIM_MID},
    {"<|middle|>", FIM_MID},
    {"<|fim_pad|>", FIM_PAD},
    {"<fim-pad>", FIM_PAD},
    {"<fim_pad>", FIM_PAD},
    {"<PAD>", FIM_PAD},
    {"[PAD]", FIM_PAD},
    {"<|fim_repo|>", FIM_REP},
    {"<|repo_name|>", FIM_REP},
    {"<fim-repo>", FIM_REP},
    {"<REPO>", FIM_REP},
    {"<reponame>", FIM_REP},
    {"<|file_sep|>", FIM_SEP},
    {"<|return|>", END},
    {"<|call|>", END},
    {"<|flush|>", END},
    {"<|calls|>", END},
    {"</s>", END},
    {"[EOS]", END},
    {"<eos>", END},
    {"<turn|>", END},
    {"<|tool_response>", END},
    {"[e~[", END},
    {"<|channel|>", SHOWN},
    {"<|message|>", SHOWN},
    {"<|start|>", SHOWN},
    {"<|constrain|>", SHOWN},
};
enum { N_KNOWN = sizeof known / sizeof known[0] };

static int32_t find(const int32_t *ids, const char *text)
{
    for (int i = 0; i < N_KNOWN; i++)
        if (strcmp(known[i].text, text) == 0) return ids[i];
    return -1;
}

static void collect(const ingle_vocab *v, int32_t *ids)
{
    for (int i = 0; i < N_KNOWN; i++) ids[i] = -1;
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        const char *p = v->text.data + v->text.at[id];
        size_t len = v->text.at[id + 1] - v->text.at[id];
        if (len < 4 || len > 32 || !memchr("<[_\xe2", *p, 4)) continue;
        for (int i = 0; i < N_KNOWN; i++)
            if (ids[i] < 0 && strlen(known[i].text) == len && memcmp(known[i].text, p, len) == 0)
                ids[i] = (int32_t)id;
    }
}

/* The token with a role: as the key says, else the first by text, which becomes a control token. */
static int32_t role(ingle_vocab *v, const ingle_gguf *g, const int32_t *ids, unsigned which,
                    const char *key, const char *old_key)
{
    const ingle_gguf_kv *kv = key ? ingle_gguf_find(g, key) : NULL;
    if (!kv && old_key) kv = ingle_gguf_find(g, old_key);
    int64_t given;
    if (kv && ingle_gguf_item_i64(kv, 0, &given) && given >= 0 && given < (int64_t)v->n_tokens)
        return (int32_t)given;
    for (int i = 0; i < N_KNOWN; i++) {
        if (!(known[i].roles & which) || ids[i] < 0) continue;
        v->attrs[ids[i]] |= INGLE_TOK_CONTROL;
        return ids[i];
    }
    return -1;
}

static void end_token(ingle_vocab *v, int32_t id)
{
    if (id >= 0) v->attrs[id] |= INGLE_TOK_EOG;
}

/* Kinds of text that make a token what it is, without its other marks. */
static void retype(ingle_vocab *v, int32_t id, unsigned type)
{
    if (id >= 0) v->attrs[id] = (uint16_t)type;
}

static bool name_has(const ingle_gguf *g, const char *key, const char *part)
{
    ingle_str s = {0};
    if (ingle_gguf_get_str(g, key, false, &s, NULL) || !s.ptr) return false;
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= s.len; i++) {
        size_t k = 0;
        for (; k < n; k++) {
            char c = s.ptr[i + k];
            if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
            if (c != part[k]) break;
        }
        if (k == n) return true;
    }
    return false;
}

static void set_by_text(ingle_vocab *v, const char *text, unsigned set, unsigned clear)
{
    size_t n = strlen(text);
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        uint32_t at = v->text.at[id];
        if (v->text.at[id + 1] - at != n || memcmp(v->text.data + at, text, n) != 0) continue;
        v->attrs[id] = (uint16_t)((v->attrs[id] | set) & ~clear);
        return;
    }
}

/* Some models' special tokens swallow white space; files say so only by the model's name. */
static void find_strips(ingle_vocab *v, const ingle_gguf *g)
{
    static const char pre[] = "tokenizer.ggml.pre", name[] = "general.name";
    if (name_has(g, pre, "jina-v2-de") || name_has(g, pre, "jina-v2-es") ||
        name_has(g, pre, "jina-v2-code")) {
        set_by_text(v, "<mask>", INGLE_TOK_LSTRIP, 0);
    } else if (name_has(g, name, "phi-3") || name_has(g, name, "phi3")) {
        for (uint32_t id = 0; id < v->n_tokens; id++)
            if (v->attrs[id] & INGLE_TOK_SPECIAL) v->attrs[id] |= INGLE_TOK_RSTRIP;
        set_by_text(v, "</s>", INGLE_TOK_RSTRIP, 0);
        set_by_text(v, "<unk>", 0, INGLE_TOK_RSTRIP);
        set_by_text(v, "<s>", 0, INGLE_TOK_RSTRIP);
        set_by_text(v, "<|endoftext|>", 0, INGLE_TOK_RSTRIP);
    } else if (name_has(g, name, "modern-bert")) {
        set_by_text(v, "[MASK]", INGLE_TOK_LSTRIP, 0);
    }
}

void ingle_vocab_find_known(ingle_vocab *v, const ingle_gguf *g)
{
    int32_t ids[N_KNOWN];
    collect(v, ids);
    int32_t end = find(ids, "<|end|>"), calls = find(ids, "<|call|>");
    if (calls < 0) calls = find(ids, "<|calls|>");
    /* In these formats <|end|> ends a message, not the answer. */
    bool many_messages =
        end >= 0 && calls >= 0 && (find(ids, "<|return|>") >= 0 || find(ids, "<|flush|>") >= 0);
    if (many_messages)
        for (int i = 0; i < N_KNOWN; i++)
            if (ids[i] == end) ids[i] = -1;

    if (v->info.eot < 0) v->info.eot = role(v, g, ids, EOT, NULL, NULL);
    if (v->info.eom < 0) v->info.eom = role(v, g, ids, EOM, NULL, NULL);
    role(v, g, ids, FIM_PRE, "tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id");
    role(v, g, ids, FIM_SUF, "tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id");
    role(v, g, ids, FIM_MID, "tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id");
    end_token(v, role(v, g, ids, FIM_PAD, "tokenizer.ggml.fim_pad_token_id", NULL));
    end_token(v, role(v, g, ids, FIM_REP, "tokenizer.ggml.fim_rep_token_id", NULL));
    end_token(v, role(v, g, ids, FIM_SEP, "tokenizer.ggml.fim_sep_token_id", NULL));
    for (int i = 0; i < N_KNOWN; i++) {
        if (!(known[i].roles & END) || ids[i] < 0) continue;
        v->attrs[ids[i]] |= INGLE_TOK_CONTROL | INGLE_TOK_EOG;
    }
    for (int i = 0; i < N_KNOWN; i++)
        if (known[i].roles & SHOWN) retype(v, ids[i], INGLE_TOK_USER);
    end_token(v, v->info.eos);
    end_token(v, v->info.eot);
    end_token(v, v->info.eom);
    if (many_messages) retype(v, end, INGLE_TOK_USER);
    if (find(ids, "<|tool_response>") >= 0) retype(v, find(ids, "</s>"), INGLE_TOK_NORMAL);
    find_strips(v, g);
}
