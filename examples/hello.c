/* hello.c - the shortest whole program: opens a model, continues a text, streams it.
 * Build: cc hello.c -o hello $(pkg-config --cflags --libs ingle) */
#include <ingle.h>
#include <stdio.h>
#include <string.h>

static bool print(void *user, const ingle_event *event)
{
    (void)user;
    if (event->text_len) fwrite(event->text, 1, event->text_len, stdout);
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    const char *text = argc > 2 ? argv[2] : "Once upon a time";
    ingle_model *model = NULL;
    ingle_engine *engine = NULL;
    ingle_session *session = NULL;
    ingle_sampler *sampler = NULL;
    ingle_model_info info = {.size = sizeof info};
    ingle_generate_options opt;
    ingle_error err = {{0}};
    int32_t tokens[512];
    size_t n;

    ingle_generate_options_init(&opt);
    opt.max_tokens = 100;
    opt.on_event = print;
    bool ok =
        argc > 1 && !ingle_model_open(&model, argv[1], NULL, &err) &&
        !ingle_model_info_get(model, &info, &err) &&
        !ingle_engine_open(&engine, model, NULL, &err) &&
        !ingle_session_open(&session, engine, &err) &&
        !ingle_sampler_open(&sampler, NULL, info.n_vocab, model, &err) &&
        !ingle_tokenize(model, text, strlen(text), INGLE_ADD_SPECIAL, tokens, 512, &n, &err) &&
        !ingle_generate(session, sampler, tokens, n, &opt, NULL, &err);
    if (!ok) fprintf(stderr, "%s\n", argc > 1 ? err.text : "usage: hello MODEL [TEXT]");

    ingle_sampler_close(&sampler);
    ingle_session_close(&session);
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    return ok ? 0 : 1;
}
