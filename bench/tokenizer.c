/* tokenizer.c - how fast text becomes tokens and tokens become text, on one core.
 *
 *   build/bench/tokenizer MODEL.gguf [MB | FILE]
 *
 * Without a FILE the text is made here: sentences of English words, drawn so that common words are
 * common (their rank r has weight 1 / r), with names, numbers, punctuation, paragraphs, and a share
 * of made-up words so that a cache of words cannot do all the work. */
#define _GNU_SOURCE
#include "gguf/gguf.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char word_list[] =
    "the of and to a in that is was he for it with as his on be at by I this had not are but "
    "from or have an they which one you were her all she there would their we him been has "
    "when who will more no if out so said what up its about into than them can only other "
    "new some could time these two may then do first any my now such like our over man me "
    "even most made after also did many before must through back years where much your way "
    "well down should because each just those people how too little state good very make "
    "world still own see men work long get here between both life being under never day same "
    "another know while last might us great old year off come since against go came right "
    "used take three states himself few house use during without again place around however "
    "home small found thought went say part once general high upon school every does got "
    "united left number course war until always away something fact water though public less "
    "put think almost hand enough far took head yet government system better set told "
    "nothing night end why called eyes find going look asked later knew point next program "
    "city business give group toward young days let room president side social given present "
    "several order national possible rather second face per among form important often "
    "things looked early white case large four need big become children along best felt ever "
    "seemed development history language mountain understanding temperature description "
    "mathematics philosophical responsibility environment relationship professor "
    "investigation unfortunately particularly neighbourhood representative characteristics "
    "extraordinary circumstances administration communication independence architecture "
    "photosynthesis electromagnetic";
enum { N_WORDS = 287 };
static const char *words[N_WORDS]; /* in word_list; a space or the end follows each */

static uint64_t state = 42;

static uint32_t draw(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 32) * n >> 32);
}

/* Rank by Zipf's law, by bisecting the cumulative weights. */
static size_t draw_rank(const double *sum)
{
    double x = (double)draw(1u << 31) / (double)(1u << 31) * sum[N_WORDS - 1];
    size_t lo = 0, hi = N_WORDS - 1;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (sum[mid] < x) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static size_t put_word(char *p, const double *sum, bool capital)
{
    static const char *const parts[] = {"ba",  "lor", "ten", "mi",  "ross", "ka",
                                        "vel", "din", "ar",  "sto", "ney",  "ham"};
    uint32_t kind = draw(100);
    size_t n = 0;
    if (kind < 2) return (size_t)sprintf(p, "%u", draw(2100));
    if (kind < 6) { /* a name nobody has heard */
        for (uint32_t k = 2 + draw(3); k; k--) n += (size_t)sprintf(p + n, "%s", parts[draw(12)]);
        capital = true;
    } else {
        const char *w = words[draw_rank(sum)];
        n = strcspn(w, " ");
        memcpy(p, w, n);
    }
    if (capital && *p >= 'a') *p = (char)(*p - 'a' + 'A');
    return n;
}

static size_t make_text(char *p, size_t size)
{
    double sum[N_WORDS], s = 0;
    const char *w = word_list;
    for (size_t i = 0; i < N_WORDS; i++, w += strcspn(w, " ") + 1) words[i] = w;
    for (size_t i = 0; i < N_WORDS; i++) sum[i] = s += 1.0 / (double)(i + 2);
    size_t n = 0;
    while (n + 400 < size) {
        uint32_t len = 6 + draw(18);
        for (uint32_t i = 0; i < len; i++) {
            n += put_word(p + n, sum, i == 0);
            if (draw(60) == 0) n += (size_t)sprintf(p + n, "'s");
            if (i + 1 < len) n += (size_t)sprintf(p + n, "%s", draw(11) ? " " : ", ");
        }
        n += (size_t)sprintf(p + n, "%s", draw(12) ? draw(9) ? ". " : "? " : ".\n\n");
    }
    return n;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void show(const char *what, double best, size_t n_bytes, size_t n_tokens)
{
    printf("%-22s %8.1f MB/s  %6.2f M tokens/s\n", what, (double)n_bytes / best / 1e6,
           (double)n_tokens / best / 1e6);
}

static void measure(const ingle_vocab *v, const char *what, const char *text, size_t len)
{
    int32_t *ids = malloc((len + 16) * sizeof *ids);
    char *back = malloc(len + 16);
    size_t n = 0, n_back = 0;
    double enc = 1e9, dec = 1e9;
    const unsigned flags = INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL;
    for (int rep = 0; rep < 5; rep++) {
        double t0 = now();
        if (ingle_vocab_tokenize(v, text, len, flags, ids, len + 16, &n, NULL)) exit(1);
        double t1 = now();
        if (ingle_vocab_detokenize(v, ids, n, flags, back, len + 16, &n_back, NULL)) exit(1);
        double t2 = now();
        if (t1 - t0 < enc) enc = t1 - t0;
        if (t2 - t1 < dec) dec = t2 - t1;
    }
    if (n_back != len || memcmp(back, text, len) != 0)
        printf("%s: the text did not come back\n", what);
    char name[64];
    snprintf(name, sizeof name, "tokenize %s", what);
    show(name, enc, len, n);
    snprintf(name, sizeof name, "detokenize %s", what);
    show(name, dec, len, n);
    free(ids);
    free(back);
}

int main(int argc, char **argv)
{
    ingle_gguf *g;
    ingle_vocab *v;
    ingle_error err;
    if (argc < 2) return fprintf(stderr, "usage: tokenizer MODEL.gguf [MB | FILE]\n"), 2;
    double mb = argc > 2 ? atof(argv[2]) : 4;
    FILE *file = mb > 0 ? NULL : fopen(argv[2], "rb");
    if (mb <= 0 && !file) return fprintf(stderr, "cannot read '%s'\n", argv[2]), 1;
    size_t size = mb > 0 ? (size_t)(mb * 1e6) : 16000000;
    double t0 = now();
    if (ingle_gguf_open(&g, argv[1], false, &err)) return fprintf(stderr, "%s\n", err.text), 1;
    double t1 = now();
    if (ingle_vocab_open(&v, g, &err)) return fprintf(stderr, "%s\n", err.text), 1;
    double t2 = now();
    ingle_gguf_close(&g);
    ingle_vocab_info info;
    ingle_vocab_info_get(v, &info);
    printf("%d tokens, file read in %.0f ms, vocabulary built in %.0f ms, %.1f MB held\n",
           info.n_tokens, (t1 - t0) * 1e3, (t2 - t1) * 1e3, (double)info.heap_bytes / 1e6);
    char *text = malloc(size + 1024);
    size_t len = file ? fread(text, 1, size, file) : make_text(text, size);
    if (file) fclose(file);
    measure(v, "text", text, len);
    measure(v, "text, 1 kB", text, len < 1000 ? len : 1000);
    free(text);
    ingle_vocab_close(&v);
    return 0;
}
