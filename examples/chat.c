/* chat.c - a conversation with any model, by its own template: a line in, an answer out. All messages
 * are rendered at every turn; the session goes on from what it has in common with that, so only what is
 * new is computed.
 * Build: cc chat.c -o chat $(pkg-config --cflags --libs ingle) */
#include <ingle.h>
#include <stdio.h>
#include <string.h>

static char messages[1 << 16] = "[";
static char answer[1 << 14];

/* One message more, as JSON. False: there is no room. */
static bool add(const char *role, const char *text)
{
    size_t n = strlen(messages), cap = sizeof messages - 16;
    if (messages[n - 1] == ']') messages[n - 1] = ',';
    n += (size_t)snprintf(messages + n, cap - n, "{\"role\":\"%s\",\"content\":\"", role);
    for (; *text && n < cap; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') messages[n++] = '\\', messages[n++] = *text;
        else if (c < 32) n += (size_t)sprintf(messages + n, "\\u%04x", c);
        else messages[n++] = *text;
    }
    strcpy(messages + n, "\"}]");
    return n < cap;
}

static bool print(void *user, const ingle_event *event)
{
    (void)user;
    if (strlen(answer) + event->text_len + 1 > sizeof answer) return false;
    strncat(answer, event->text, event->text_len);
    fwrite(event->text, 1, event->text_len, stdout);
    return fflush(stdout) == 0;
}

/* Renders, drops what the session holds and the prompt has not, and generates. */
static bool take_turn(ingle_chat *chat, ingle_session *session, ingle_sampler *sampler,
                      ingle_error *err)
{
    ingle_chat_input in;
    ingle_prompt *prompt;
    ingle_prompt_info p = {.size = sizeof p};
    ingle_generate_options opt;
    const int32_t *held;
    size_t n_held, n = 0;
    ingle_chat_input_init(&in);
    ingle_generate_options_init(&opt);
    opt.on_event = print;
    in.messages = messages;
    in.n_messages = strlen(messages);
    if (ingle_chat_render(&prompt, chat, &in, err)) return false;
    bool ok = !ingle_prompt_info_get(prompt, &p, err) &&
              !ingle_session_tokens(session, &held, &n_held, err);
    while (ok && n < n_held && n + 1 < p.n_tokens && held[n] == p.tokens[n]) n++;
    ok = ok && !ingle_session_truncate(session, n, err) &&
         !ingle_generate(session, sampler, p.tokens + n, p.n_tokens - n, &opt, NULL, err);
    ingle_prompt_close(&prompt);
    return ok;
}

int main(int argc, char **argv)
{
    char line[2048];
    ingle_model *model = NULL;
    ingle_engine *engine = NULL;
    ingle_session *session = NULL;
    ingle_sampler *sampler = NULL;
    ingle_chat *chat = NULL;
    ingle_model_info info = {.size = sizeof info};
    ingle_error err = {{0}};
    bool ok = argc > 1 && !ingle_model_open(&model, argv[1], NULL, &err) &&
              !ingle_model_info_get(model, &info, &err) &&
              !ingle_chat_open(&chat, model, NULL, &err) &&
              !ingle_engine_open(&engine, model, NULL, &err) &&
              !ingle_session_open(&session, engine, &err) &&
              !ingle_sampler_open(&sampler, NULL, info.n_vocab, model, &err);
    while (ok && fputs("> ", stderr) >= 0 && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = answer[0] = 0;
        ok = add("user", line) && take_turn(chat, session, sampler, &err) &&
             add("assistant", answer);
        putchar('\n');
    }
    if (!ok) fprintf(stderr, "%s\n", argc > 1 ? err.text : "usage: chat MODEL");

    ingle_sampler_close(&sampler);
    ingle_session_close(&session);
    ingle_engine_close(&engine);
    ingle_chat_close(&chat);
    ingle_model_close(&model);
    return ok ? 0 : 1;
}
