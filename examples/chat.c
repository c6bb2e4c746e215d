/* chat.c - a conversation with a model that knows ChatML, as the bundled one does: a line in, an
 * answer out; the session remembers what was said.
 * Build: cc chat.c -o chat $(pkg-config --cflags --libs ingle) */
#include <ingle.h>
#include <stdio.h>
#include <string.h>

static const char turn[] = "<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n";
static const char next_turn[] =
    "<|im_end|>\n<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n";

static bool print(void *user, const ingle_event *event)
{
    (void)user;
    if (event->text_len) fwrite(event->text, 1, event->text_len, stdout);
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    char line[2048], prompt[4096];
    int32_t tokens[4096];
    ingle_model *model = NULL;
    ingle_engine *engine = NULL;
    ingle_session *session = NULL;
    ingle_sampler *sampler = NULL;
    ingle_model_info info = {.size = sizeof info};
    ingle_generate_options opt;
    ingle_error err = {{0}};
    unsigned flags = INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL;

    ingle_generate_options_init(&opt);
    opt.on_event = print;
    bool ok = argc > 1 && !ingle_model_open(&model, argv[1], NULL, &err) &&
              !ingle_model_info_get(model, &info, &err) &&
              !ingle_engine_open(&engine, model, NULL, &err) &&
              !ingle_session_open(&session, engine, &err) &&
              !ingle_sampler_open(&sampler, NULL, info.n_vocab, model, &err);
    while (ok && fputs("> ", stderr) >= 0 && fgets(line, sizeof line, stdin)) {
        size_t n = 0;
        bool first = flags & INGLE_ADD_SPECIAL;
        line[strcspn(line, "\n")] = 0;
        snprintf(prompt, sizeof prompt, first ? turn : next_turn, line);
        ok = !ingle_tokenize(model, prompt, strlen(prompt), flags, tokens, 4096, &n, &err) &&
             !ingle_generate(session, sampler, tokens, n, &opt, NULL, &err);
        flags = INGLE_CONTINUE | INGLE_PARSE_SPECIAL; /* the end of an answer is not part of it */
        putchar('\n');
    }
    if (!ok) fprintf(stderr, "%s\n", argc > 1 ? err.text : "usage: chat MODEL");

    ingle_sampler_close(&sampler);
    ingle_session_close(&session);
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    return ok ? 0 : 1;
}
