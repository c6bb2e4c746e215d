/* pretok.c - the pre-tokenizers by name, as data.
 *
 * The patterns are those of the models' own tokenizer files, with three changes that alter no
 * match: \s is spelt out as Unicode's White_Space (PCRE2's \s has U+180E too), \p{L} comes with
 * A-Za-z where that is quicker, and what would backtrack or need a stack on long input is
 * possessive or an INGLE_CUT_*. */
#include "text/pretok.h"
#include "base/distance.h"

#include <stdio.h>
#include <string.h>

/* White_Space, for use inside a class. */
#define WS                                                                                         \
    "\\t-\\r "                                                                                     \
    "\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define LETTER "A-Za-z\\p{L}"
#define NUMBER "0-9\\p{N}"
#define SHORT  "(?i:'s|'t|'re|'ve|'m|'ll|'d)" /* English contractions, any case */
#define WORD   "[^\\r\\n" LETTER NUMBER "]?[" LETTER "]+"
#define OTHER  " ?[^" WS LETTER NUMBER "]+"
#define BREAKS "[" WS "]*[\\r\\n]+"
#define SPACES "[" WS "]+(?![^" WS "])|[" WS "]+" /* all but the last before a word, or all */

#define GPT2     "'s|'t|'re|'ve|'m|'ll|'d| ?[" LETTER "]+| ?[" NUMBER "]+|" OTHER "|" SPACES
#define LLAMA3   SHORT "|" WORD "|[" NUMBER "]{1,3}|" OTHER "[\\r\\n]*|" BREAKS "|" SPACES
#define QWEN2    SHORT "|" WORD "|[" NUMBER "]|" OTHER "[\\r\\n]*|" BREAKS "|" SPACES
#define NO_SHORT WORD "|[" NUMBER "]|" OTHER "[\\r\\n]*|" BREAKS "|" SPACES

/* Words by case: capitals then small letters; letters without case and marks count as both. */
#define UPPER      "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER      "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define LEAD       "[^\\r\\n" LETTER NUMBER "]?"
#define CASED(end) LEAD UPPER "*" LOWER "+" end "|" LEAD UPPER "+" LOWER "*" end
#define O200K      CASED(SHORT "?") "|[" NUMBER "]{1,3}|" OTHER "[\\r\\n/]*|" BREAKS "|" SPACES
#define TEKKEN     CASED("") "|[" NUMBER "]|" OTHER "[\\r\\n/]*|" BREAKS "|" SPACES
#define YOUTU      CASED(SHORT "?") "|[" NUMBER "]|" OTHER "[\\r\\n/]*|" BREAKS "|" SPACES

/* The same classes without Han characters, as complements: PCRE2 has no class subtraction. */
#define NOT_CAPS  "[^\\p{Ll}\\p{N}\\p{P}\\p{S}\\p{Z}\\p{C}\\p{sc:Han}]"
#define NOT_SMALL "[^\\p{Lu}\\p{Lt}\\p{N}\\p{P}\\p{S}\\p{Z}\\p{C}\\p{sc:Han}]"
#define KIMI                                                                                       \
    "\\p{sc:Han}+|" LEAD NOT_CAPS "*" NOT_SMALL "+" SHORT "?|" LEAD NOT_CAPS "+" NOT_SMALL         \
    "*" SHORT "?|[" NUMBER "]{1,3}|" OTHER "[\\r\\n]*|" BREAKS "|" SPACES

#define CJK "[\\x{4e00}-\\x{9fa5}\\x{3040}-\\x{309f}\\x{30a0}-\\x{30ff}]+"
#define DEEPSEEK(tail)                                                                             \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"                                       \
    "[^\\r\\n" LETTER "\\p{P}\\p{S}]?[" LETTER "\\p{M}]+| ?[\\p{P}\\p{S}]+" tail "|" SPACES

/* Letters with case, as DeepSeek's first tokenizer lists them. */
#define DEEPSEEK_LETTERS                                                                           \
    "A-Za-z\\x{b5}\\x{c0}-\\x{d6}\\x{d8}-\\x{f6}\\x{f8}-\\x{1ba}\\x{1bc}-\\x{1bf}\\x{1c4}-\\x{"    \
    "293}"                                                                                         \
    "\\x{295}-\\x{2af}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37b}-\\x{37d}\\x{37f}\\x{386}"          \
    "\\x{388}-\\x{38a}\\x{38c}\\x{38e}-\\x{3a1}\\x{3a3}-\\x{3f5}\\x{3f7}-\\x{481}\\x{48a}-\\x{"    \
    "52f}"                                                                                         \
    "\\x{531}-\\x{556}\\x{10a0}-\\x{10c5}\\x{13a0}-\\x{13f5}\\x{13f8}-\\x{13fd}\\x{1c90}-\\x{"     \
    "1cba}"                                                                                        \
    "\\x{1cbd}-\\x{1cbf}\\x{1d00}-\\x{1d2b}\\x{1d6b}-\\x{1d77}\\x{1d79}-\\x{1d9a}"                 \
    "\\x{1e00}-\\x{1f15}\\x{1f18}-\\x{1f1d}\\x{1f20}-\\x{1f45}\\x{1f48}-\\x{1f4d}"                 \
    "\\x{1f50}-\\x{1f57}\\x{1f59}\\x{1f5b}\\x{1f5d}\\x{1f5f}-\\x{1f7d}\\x{1f80}-\\x{1fb4}"         \
    "\\x{1fb6}-\\x{1fbc}\\x{1fbe}\\x{1fc2}-\\x{1fc4}\\x{1fc6}-\\x{1fcc}\\x{1fd0}-\\x{1fd3}"        \
    "\\x{1fd6}-\\x{1fdb}\\x{1fe0}-\\x{1fec}\\x{1ff2}-\\x{1ff4}\\x{1ff6}-\\x{1ffc}\\x{2102}\\x{"    \
    "2107}"                                                                                        \
    "\\x{210a}-\\x{2113}\\x{2115}\\x{2119}-\\x{211d}\\x{2124}\\x{2126}\\x{2128}\\x{212a}-\\x{"     \
    "212d}"                                                                                        \
    "\\x{212f}-\\x{2134}\\x{2139}\\x{213c}-\\x{213f}\\x{2145}-\\x{2149}\\x{214e}\\x{2183}\\x{"     \
    "2184}"                                                                                        \
    "\\x{2c00}-\\x{2c7b}\\x{2c7e}-\\x{2ce4}\\x{2ceb}-\\x{2cee}\\x{2cf2}\\x{2cf3}\\x{a640}-\\x{"    \
    "a66d}"                                                                                        \
    "\\x{a680}-\\x{a69b}\\x{a722}-\\x{a76f}\\x{a771}-\\x{a787}\\x{a78b}-\\x{a78e}"                 \
    "\\x{ab70}-\\x{abbf}\\x{fb00}-\\x{fb06}\\x{fb13}-\\x{fb17}\\x{ff21}-\\x{ff3a}"                 \
    "\\x{ff41}-\\x{ff5a}\\x{10400}-\\x{1044f}\\x{104b0}-\\x{104d3}\\x{104d8}-\\x{104fb}"           \
    "\\x{10c80}-\\x{10cb2}\\x{10cc0}-\\x{10cf2}\\x{118a0}-\\x{118df}\\x{1e900}-\\x{1e943}"
/* U+0800 to U+D7FF without white space, which the reference ids treat as nothing else. */
#define DEEPSEEK_CJK                                                                               \
    "[\\x{800}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{"   \
    "205e}"                                                                                        \
    "\\x{2060}-\\x{2fff}\\x{3001}-\\x{9fa5}\\x{ac00}-\\x{d7ff}]+"

#define BLOOM " ?[^(|.,!?\\x{2026}\\x{3002}\\x{ff0c}\\x{3001}\\x{964}\\x{6d4}\\x{60c})" WS "]+"
#define LINES "[^\\n]+|\\n+"

static const ingle_pretok_rule
    r_default = {{"[\\p{P}$+<=>^~|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
    r_gpt2 = {{GPT2}}, r_digit_gpt2 = {{"\\p{N}", GPT2}},
    r_falcon = {{"[\\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]"}}, r_llama3 = {{LLAMA3}},
    r_qwen2 = {{QWEN2}}, r_no_short = {{NO_SHORT}}, r_o200k = {{O200K}}, r_tekken = {{TEKKEN}},
    r_kimi = {{KIMI}}, r_jais2 = {{LLAMA3, INGLE_CUT_SPACES}},
    r_minicpm5 = {{"\\p{N}{1,3}",
                   SHORT "|" WORD "|[" NUMBER "]+|" OTHER "[\\r\\n]*|" BREAKS "|" SPACES}},
    r_qwen35 = {{SHORT "|[^\\r\\n" LETTER NUMBER "]?[" LETTER "\\p{M}]+|[" NUMBER "]| ?[^" WS LETTER
                       "\\p{M}" NUMBER "]+[\\r\\n]*|" BREAKS "|" SPACES}},
    r_deepseek_llm = {{"[\\r\\n]", "[" WS "]?[" DEEPSEEK_LETTERS "]+",
                       "[" WS "]?[!-/:-~\\x{ff01}-\\x{ff0f}\\x{ff1a}-\\x{ff5e}\\x{2018}-\\x{201f}"
                       "\\x{3001}\\x{3002}]+",
                       "(?<![" WS "])[" WS "]++\\z", DEEPSEEK_CJK, "\\p{N}+"}},
    r_deepseek_coder = {{"[\\r\\n]", "[" WS "]?\\p{L}+", "[" WS "]?\\p{P}+", DEEPSEEK_CJK,
                         "\\p{N}"}},
    r_deepseek_v3 = {{"\\p{N}{1,3}", CJK, DEEPSEEK("[\\r\\n]*|" BREAKS)}},
    r_spark = {{"\\p{N}{1,3}", CJK, DEEPSEEK("|[\\r\\n]"), "\\p{N}"}},
    r_afmoe = {{INGLE_CUT_NUMBERS,
                "[\\x{4e00}-\\x{9fff}\\x{3400}-\\x{4dbf}\\x{f900}-\\x{faff}\\x{3040}-\\x{309f}"
                "\\x{30a0}-\\x{30ff}\\x{ff65}-\\x{ff9f}\\x{2f00}-\\x{2fdf}\\x{e40}-\\x{e7f}\\x{e80}"
                "-\\x{eff}"
                "\\x{1780}-\\x{17ff}\\x{1000}-\\x{109f}\\x{aa60}-\\x{aa7f}\\x{a9e0}-\\x{a9ff}"
                "\\x{ac00}-\\x{d7af}\\x{1100}-\\x{11ff}]+",
                DEEPSEEK("[\\r\\n]*|" BREAKS)}},
    r_youtu =
        {{"[\\x{ac00}-\\x{d7a3}\\x{3131}-\\x{318e}]+|[\\x{ff01}\\x{2026}\\x{201c}\\x{201d}\\x{2018}"
          "\\x{2019}\\x{2014}\\x{ff1a}\\x{ff1b}\\x{ff0c}\\x{3001}-\\x{303f}\\x{fe30}-\\x{fe4f}]+|["
          "\\x{3105}-\\x{312f}]+|" CJK,
          YOUTU}},
    r_bloom = {{BLOOM}}, r_viking = {{BLOOM, "\\p{N}"}},
    r_chameleon = {{"<sentinel:[0-9]+>", "IMGIMG[A-I]{1,4}Z", "[\\t\\n]|    |  ", "\\p{N}",
                    "[\\p{P}!-/:-@\\[-`{-~]", GPT2}},
    r_superbpe = {{"\\p{N}+", INGLE_CUT_DIGITS}}, r_tiny_aya = {{INGLE_CUT_DIGITS_B, O200K}},
    r_bailing = {{"'(?i:[sdmt]|ll|ve|re)|" WORD "|[" NUMBER "]|" OTHER "[\\r\\n]*|[" WS
                  "]*[\\r\\n]|" SPACES}},
    r_seed = {{SHORT "|" WORD "|[" NUMBER "]| ?[^" WS LETTER NUMBER "\\r\\n]+|" BREAKS "|" SPACES}},
    r_laguna = {{LINES, QWEN2}}, r_lines = {{LINES}}, r_words = {{"[^" WS "]+"}},
    r_exaone_moe = {{SHORT "|[^\\r\\n" LETTER NUMBER
                           "]?(?:\\p{L}\\p{M}*+(?: \\p{L}\\p{M}*+)*+)++|[" NUMBER "]|" OTHER
                           "[\\r\\n/]?|[" WS "]*[\\r\\n]|" SPACES}};

enum {
    WHOLE = INGLE_PRETOK_WHOLE,
    BOS = INGLE_PRETOK_BOS,
    CLEAN = INGLE_PRETOK_CLEAN,
    NO_BOS = INGLE_PRETOK_NO_BOS,
    RAW = INGLE_PRETOK_RAW,
    GEMMA4 = INGLE_PRETOK_RAW | INGLE_PRETOK_LINES | INGLE_PRETOK_BOS | INGLE_PRETOK_MUST_BOS
};

static const ingle_pretok rows[] = {
    {"default", &r_default, CLEAN}, /* files without a name */

    {"llama-bpe", &r_llama3, WHOLE | BOS | CLEAN},
    {"llama3", &r_llama3, WHOLE | BOS | CLEAN},
    {"llama-v3", &r_llama3, WHOLE | BOS | CLEAN},
    {"falcon3", &r_llama3, WHOLE | BOS | CLEAN},
    {"falcon-h1", &r_llama3, WHOLE | BOS | CLEAN},
    {"pixtral", &r_llama3, WHOLE | BOS | CLEAN},
    {"midm-2.0", &r_llama3, WHOLE | BOS | CLEAN},
    {"lfm2", &r_llama3, WHOLE | BOS | CLEAN},
    {"jina-v5-nano", &r_llama3, WHOLE | BOS | CLEAN},
    {"dbrx", &r_llama3, CLEAN},
    {"smaug-bpe", &r_llama3, CLEAN},
    {"glm4", &r_llama3, CLEAN | NO_BOS},
    {"chatglm-bpe", &r_llama3, CLEAN | NO_BOS},
    {"jais-2", &r_jais2, CLEAN},
    {"minicpm5", &r_minicpm5, WHOLE | CLEAN},

    {"qwen2", &r_qwen2, 0},
    {"deepseek-r1-qwen", &r_qwen2, 0},
    {"kormo", &r_qwen2, 0},
    {"f2llmv2", &r_qwen2, 0},
    {"hunyuan", &r_qwen2, 0},
    {"solar-open", &r_qwen2, 0},
    {"grok-2", &r_qwen2, 0},
    {"megrez", &r_qwen2, CLEAN},
    {"stablelm2", &r_qwen2, CLEAN},
    {"ufakzeka", &r_no_short, 0},
    {"qwen35", &r_qwen35, 0},
    {"laguna", &r_laguna, 0},

    {"gpt-4o", &r_o200k, 0},
    {"llama4", &r_o200k, 0},
    {"kanana2", &r_o200k, 0},
    {"talkie", &r_o200k, 0},
    {"minimax-m2", &r_o200k, 0},
    {"granite-embed-multi-97m", &r_o200k, WHOLE},
    {"tiny_aya", &r_tiny_aya, 0},
    {"cohere2moe", &r_tiny_aya, 0},
    {"tekken", &r_tekken, WHOLE | BOS},
    {"youtu", &r_youtu, WHOLE},
    {"kimi-k2", &r_kimi, 0},

    {"deepseek-llm", &r_deepseek_llm, 0},
    {"deepseek-coder", &r_deepseek_coder, 0},
    {"deepseek-v3", &r_deepseek_v3, 0},
    {"hunyuan-dense", &r_deepseek_v3, 0},
    {"joyai-llm", &r_deepseek_v3, 0},
    {"hy_v4", &r_deepseek_v3, 0},
    {"spark2_5", &r_spark, 0},
    {"afmoe", &r_afmoe, 0},

    {"gpt-2", &r_gpt2, CLEAN},
    {"phi-2", &r_gpt2, CLEAN},
    {"mpt", &r_gpt2, CLEAN},
    {"olmo", &r_gpt2, CLEAN},
    {"jais", &r_gpt2, CLEAN},
    {"gigachat", &r_gpt2, CLEAN},
    {"a.x-4.0", &r_gpt2, CLEAN},
    {"mellum", &r_gpt2, CLEAN},
    {"modern-bert", &r_gpt2, CLEAN},
    {"exaone4", &r_gpt2, CLEAN},
    {"jina-es", &r_gpt2, CLEAN},
    {"jina-de", &r_gpt2, CLEAN},
    {"jina-v1-en", &r_gpt2, CLEAN | INGLE_PRETOK_SEP},
    {"jina-v2-es", &r_gpt2, CLEAN},
    {"jina-v2-de", &r_gpt2, CLEAN},
    {"jina-v2-code", &r_gpt2, CLEAN | INGLE_PRETOK_SEP},
    {"roberta-bpe", &r_gpt2, CLEAN | INGLE_PRETOK_SEP},
    {"trillion", &r_gpt2, 0},
    {"granite-docling", &r_gpt2, 0},

    {"starcoder", &r_digit_gpt2, CLEAN},
    {"refact", &r_digit_gpt2, CLEAN},
    {"codeshell", &r_digit_gpt2, CLEAN},
    {"exaone", &r_digit_gpt2, CLEAN},
    {"minerva-7b", &r_digit_gpt2, CLEAN},
    {"mellum2", &r_digit_gpt2, CLEAN},
    {"command-r", &r_digit_gpt2, 0},
    {"smollm", &r_digit_gpt2, 0},

    {"falcon", &r_falcon, CLEAN},
    {"chameleon", &r_chameleon, BOS},
    {"superbpe", &r_superbpe, 0},
    {"poro-chat", &r_bloom, 0},
    {"bloom", &r_bloom, CLEAN},
    {"gpt3-finnish", &r_bloom, CLEAN},
    {"viking", &r_viking, 0},
    {"bailingmoe", &r_bailing, 0},
    {"bailingmoe2", &r_bailing, 0},
    {"llada-moe", &r_bailing, 0},
    {"seed-coder", &r_seed, 0},
    {"exaone-moe", &r_exaone_moe, CLEAN},
    {"gemma4", &r_lines, GEMMA4},
    {"granite-embed-multi-311m", &r_lines, GEMMA4},
    {"sarvam-moe", &r_lines, RAW},
    {"whitespace", &r_words, RAW},
};

const ingle_pretok *ingle_pretok_at(size_t i)
{
    return i < sizeof rows / sizeof rows[0] ? &rows[i] : NULL;
}

const ingle_pretok *ingle_pretok_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0) return &rows[i];
    return NULL;
}

void ingle_pretok_similar(const char *name, size_t len, char *out, size_t cap)
{
    enum { N = sizeof rows / sizeof rows[0], TAIL = 16 };
    bool taken[N] = {false};
    size_t at = 0, left = N;
    if (cap) out[0] = 0;
    while (left) {
        size_t best = 0, least = SIZE_MAX;
        for (size_t i = 0; i < N; i++) {
            if (taken[i]) continue;
            size_t d = ingle_distance(rows[i].name, strlen(rows[i].name), name, len);
            if (d < least) least = d, best = i;
        }
        size_t n = strlen(rows[best].name) + 2;
        if (at + n + TAIL > cap) break;
        at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? ", " : "", rows[best].name);
        taken[best] = true;
        left--;
    }
    if (left && at < cap) snprintf(out + at, cap - at, " and %zu more", left);
}
