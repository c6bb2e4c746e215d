/* grammar.c - an answer as JSON that is valid for a schema, whatever the model.
 * Build: cc grammar.c -o grammar $(pkg-config --cflags --libs ingle) */
#include <ingle.h>
#include <stdio.h>
#include <string.h>

static const char schema[] =
    "{\"type\": \"object\", \"required\": [\"animal\", \"legs\"], \"additionalProperties\": false,"
    " \"properties\": {\"animal\": {\"enum\": [\"cat\", \"bird\", \"fish\"]},"
    " \"legs\": {\"type\": \"integer\", \"minimum\": 0, \"maximum\": 8}}}";

static bool print(void *user, const ingle_event *event)
{
    (void)user;
    fwrite(event->text, 1, event->text_len, stdout);
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    static int32_t prompt[4096];
    size_t n = 0;
    const char *text = argc > 2 ? argv[2] : "An animal that can fly: ";
    ingle_model *model = NULL;
    ingle_engine *engine = NULL;
    ingle_session *session = NULL;
    ingle_sampler *sampler = NULL;
    ingle_grammar *grammar = NULL;
    ingle_model_info info = {.size = sizeof info};
    ingle_generate_result result = {.size = sizeof result};
    ingle_grammar_options how;
    ingle_generate_options opt;
    ingle_error err = {{0}};
    ingle_grammar_options_init(&how);
    ingle_generate_options_init(&opt);
    how.compact = true;
    opt.on_event = print;
    bool ok = argc > 1 && !ingle_model_open(&model, argv[1], NULL, &err) &&
              !ingle_model_info_get(model, &info, &err) &&
              !ingle_grammar_open_schema(&grammar, model, schema, strlen(schema), &how, &err) &&
              !ingle_engine_open(&engine, model, NULL, &err) &&
              !ingle_session_open(&session, engine, &err) &&
              !ingle_sampler_open(&sampler, NULL, info.n_vocab, model, &err) &&
              !ingle_tokenize(model, text, strlen(text), INGLE_ADD_SPECIAL | INGLE_PARSE_SPECIAL,
                              prompt, sizeof prompt / sizeof *prompt, &n, &err);
    opt.grammar = grammar;
    ok = ok && !ingle_generate(session, sampler, prompt, n, &opt, &result, &err);
    if (ok) putchar('\n');
    if (!ok) fprintf(stderr, "%s\n", argc > 1 ? err.text : "usage: grammar MODEL [PROMPT]");
    else if (result.finish != INGLE_FINISH_STOP) fprintf(stderr, "the text is unfinished\n");

    ingle_grammar_close(&grammar);
    ingle_sampler_close(&sampler);
    ingle_session_close(&session);
    ingle_engine_close(&engine);
    ingle_model_close(&model);
    return ok && result.finish == INGLE_FINISH_STOP ? 0 : 1;
}
