/* record.c - a C struct out of a text: a table describes the struct, its JSON Schema holds the
 * model's answer to it, and the answer is read into the struct.
 * Build: cc record.c -o record $(pkg-config --cflags --libs ingle) */
#include <ingle.h>
#include <ingle_record.h>
#include <stdio.h>
#include <string.h>

typedef struct person {
    char name[64];
    int64_t age;
} person;

static const ingle_field person_fields[] = {
    {INGLE_FIELD(person, name, TEXT), .n_min = 1},
    {INGLE_FIELD(person, age, INT), .min = 0, .max = 150},
};
static const ingle_record person_record = INGLE_RECORD(person, person_fields);

typedef struct answer {
    char text[1024];
    size_t n;
} answer;

static bool take(void *user, const ingle_event *event)
{
    answer *a = user;
    if (event->text_len > sizeof a->text - a->n) return false;
    if (event->text_len) memcpy(a->text + a->n, event->text, event->text_len);
    a->n += event->text_len;
    return true;
}

/* The model's answer to a message, as JSON of the grammar. */
static bool ask(ingle_model *model, const ingle_grammar *grammar, const char *messages, answer *a,
                ingle_error *err)
{
    ingle_engine *engine = NULL;
    ingle_session *session = NULL;
    ingle_sampler *sampler = NULL;
    ingle_chat *chat = NULL;
    ingle_prompt *prompt = NULL;
    ingle_model_info info = {.size = sizeof info};
    ingle_prompt_info p = {.size = sizeof p};
    ingle_sampler_options sampling;
    ingle_chat_input in;
    ingle_generate_options opt;

    ingle_sampler_options_init(&sampling);
    ingle_chat_input_init(&in);
    ingle_generate_options_init(&opt);
    sampling.temperature = 0;
    in.messages = messages;
    in.n_messages = strlen(messages);
    opt.grammar = grammar;
    opt.on_event = take;
    opt.user = a;
    bool ok =
        !ingle_model_info_get(model, &info, err) && !ingle_engine_open(&engine, model, NULL, err) &&
        !ingle_session_open(&session, engine, err) &&
        !ingle_sampler_open(&sampler, &sampling, info.n_vocab, model, err) &&
        !ingle_chat_open(&chat, model, NULL, err) && !ingle_chat_render(&prompt, chat, &in, err) &&
        !ingle_prompt_info_get(prompt, &p, err) &&
        !ingle_generate(session, sampler, p.tokens, p.n_tokens, &opt, NULL, err);
    ingle_prompt_close(&prompt);
    ingle_chat_close(&chat);
    ingle_sampler_close(&sampler);
    ingle_session_close(&session);
    ingle_engine_close(&engine);
    return ok;
}

/* A message is a record too. */
typedef struct message {
    char role[16], content[2048];
} message;

static const ingle_field message_fields[] = {
    {INGLE_FIELD(message, role, TEXT)},
    {INGLE_FIELD(message, content, TEXT)},
};
static const ingle_record message_record = INGLE_RECORD(message, message_fields);

int main(int argc, char **argv)
{
    const char *text = argc > 2 ? argv[2] : "Anna is 7 years old.";
    message m = {.role = "user"};
    char schema[2048], messages[8192] = "[";
    size_t n_schema, n;
    ingle_model *model = NULL;
    ingle_grammar *grammar = NULL;
    answer a = {.n = 0};
    person who;
    ingle_error err = {{0}};

    snprintf(m.content, sizeof m.content, "Extract the name and age as JSON: %s", text);
    bool ok =
        argc > 1 && !ingle_model_open(&model, argv[1], NULL, &err) &&
        !ingle_record_encode(&message_record, &m, messages + 1, sizeof messages - 3, &n, &err);
    if (ok) strcpy(messages + 1 + n, "]");
    ok = ok && !ingle_record_schema(&person_record, schema, sizeof schema, &n_schema, &err) &&
         !ingle_grammar_open_schema(&grammar, model, schema, n_schema, NULL, &err) &&
         ask(model, grammar, messages, &a, &err) &&
         !ingle_record_decode(&person_record, a.text, a.n, &who, &err);
    if (ok) printf("name: %s\nage: %lld\n", who.name, (long long)who.age);
    else fprintf(stderr, "%s\n", argc > 1 ? err.text : "usage: record MODEL [TEXT]");

    ingle_grammar_close(&grammar);
    ingle_model_close(&model);
    return ok ? 0 : 1;
}
