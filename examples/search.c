/* search.c - finds the text that is nearest to a query: embeds all, then compares the vectors.
 * Build: cc search.c -o search $(pkg-config --cflags --libs ingle) */
#include <ingle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The vector of a text, copied: the session's own is good until its next call. */
static bool embed(ingle_session *session, const ingle_model *model, const char *text, float *out,
                  ingle_error *err)
{
    int32_t tokens[512];
    const float *vector;
    size_t n, n_vector;
    if (ingle_tokenize(model, text, strlen(text), INGLE_ADD_SPECIAL, tokens, 512, &n, err) ||
        ingle_session_embed(session, tokens, n, NULL, err) ||
        ingle_session_embedding(session, 0, &vector, &n_vector, err))
        return false;
    memcpy(out, vector, n_vector * sizeof *out);
    return true;
}

int main(int argc, char **argv)
{
    ingle_model *model = NULL;
    ingle_engine *engine = NULL;
    ingle_session *session = NULL;
    ingle_model_info info = {.size = sizeof info};
    ingle_error err = {{0}};
    ingle_hit hits[3];
    float *vectors = NULL; /* [argc - 2][n]: the query, then the texts */
    size_t n = 0, n_hits = 0;

    bool ok = argc > 3 && !ingle_model_open(&model, argv[1], NULL, &err) &&
              !ingle_model_info_get(model, &info, &err) &&
              !ingle_engine_open(&engine, model, NULL, &err) &&
              !ingle_session_open(&session, engine, &err);
    n = (size_t)info.n_vector;
    if (ok) ok = (vectors = calloc((size_t)argc, n * sizeof *vectors)) != NULL;
    for (int i = 2; ok && i < argc; i++)
        ok = embed(session, model, argv[i], vectors + (size_t)(i - 2) * n, &err);
    if (ok)
        ok = !ingle_vector_search(INGLE_METRIC_COSINE, vectors, vectors + n, (size_t)argc - 3, n, 3,
                                  hits, &n_hits, &err);
    for (size_t i = 0; ok && i < n_hits; i++)
        printf("%.3f  %s\n", (double)hits[i].score, argv[3 + hits[i].i_row]);
    if (!ok) fprintf(stderr, "%s\n", argc > 3 ? err.text : "usage: search MODEL QUERY TEXT...");

    free(vectors);
    ingle_session_close(&session);
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    return ok ? 0 : 1;
}
