/* score.c - the perplexity of a text.
 * Build: cc score.c -o score $(pkg-config --cflags --libs ingle) -lm */
#include <ingle.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static int32_t tokens[4096];
    static ingle_score scores[4096];
    ingle_model *model = NULL;
    ingle_engine *engine = NULL;
    ingle_session *session = NULL;
    ingle_error err = {{0}};
    size_t n = 0, n_scored = 0;
    double sum = 0;

    bool ok = argc > 2 && !ingle_model_open(&model, argv[1], NULL, &err) &&
              !ingle_engine_open(&engine, model, NULL, &err) &&
              !ingle_session_open(&session, engine, &err) &&
              !ingle_tokenize(model, argv[2], strlen(argv[2]), INGLE_ADD_SPECIAL, tokens, 4096, &n,
                              &err) &&
              !ingle_session_score(session, tokens, n, 0, scores, NULL, &err);
    for (size_t i = 0; ok && i < n; i++)
        if (scores[i].rank >= 0) sum += (double)scores[i].logprob, n_scored++; /* not the first */
    if (ok) printf("%zu tokens, perplexity %.4f\n", n_scored, exp(-sum / (double)n_scored));
    else fprintf(stderr, "%s\n", argc > 2 ? err.text : "usage: score MODEL TEXT");

    ingle_session_close(&session);
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    return ok ? 0 : 1;
}
