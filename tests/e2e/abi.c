/* abi.c - a caller built against another version of ingle.h: e2e_abi.sh compiles it with structs
 * that lack their last members, or have some more, and links it to the library as it is.
 * Usage: abi MODEL older|newer. Prints what went wrong; exits with 1 then. */
#include <ingle.h>
#include <ingle_record.h>
#include <ingle_tools.h>
#include <stdio.h>
#include <string.h>

#define GUARD 0xa5

static int failures;
static size_t event_size;

static void check(const char *what, bool right)
{
    if (right) return;
    failures++;
    printf("FAIL: %s\n", what);
}

/* A struct with guard bytes after it. */
#define GUARDED(type, name)                                                                        \
    struct {                                                                                       \
        type it;                                                                                   \
        unsigned char after[64];                                                                   \
    } name;                                                                                        \
    memset(&name, GUARD, sizeof name);                                                             \
    name.it.size = sizeof name.it

#define UNHARMED(name) unharmed(#name, name.after, sizeof name.after)

static void unharmed(const char *name, const unsigned char *after, size_t n)
{
    bool ok = true;
    for (size_t i = 0; i < n; i++) ok = ok && after[i] == GUARD;
    if (ok) return;
    failures++;
    printf("FAIL: something was written after %s\n", name);
}

static bool on_event(void *user, const ingle_event *event)
{
    (void)user;
    event_size = event->size;
    return true;
}

static size_t chat_event_size;

static void on_chat_event(void *user, const ingle_chat_event *event)
{
    chat_event_size = user ? 0 : event->size; /* an older caller's options have no user */
}

static void chat_older(ingle_model *model)
{
    ingle_error err = {{0}};
    ingle_chat *chat = NULL;
    ingle_prompt *prompt = NULL;
    ingle_chat_parser *parser = NULL;
    GUARDED(ingle_chat_options, co);
    GUARDED(ingle_chat_info, info);
    GUARDED(ingle_chat_input, in);
    GUARDED(ingle_prompt_info, made);
    GUARDED(ingle_chat_parser_options, po);
    ingle_chat_options_init(&co.it);
    ingle_chat_input_init(&in.it);
    ingle_chat_parser_options_init(&po.it);
    in.it.messages = "[{\"role\":\"user\",\"content\":\"Hi\"}]";
    in.it.n_messages = strlen(in.it.messages);
    po.it.on_event = on_chat_event;
    check("chat", !ingle_chat_open(&chat, model, &co.it, &err));
    check("chat info", !ingle_chat_info_get(chat, &info.it, &err) && info.it.tools);
    check("render", !ingle_chat_render(&prompt, chat, &in.it, &err));
    check("prompt", !ingle_prompt_info_get(prompt, &made.it, &err) && made.it.n_tokens > 0);
    check("parser", !ingle_chat_parser_open(&parser, chat, &po.it, &err) &&
                        !ingle_chat_parser_feed(parser, "Hello", 5, &err) &&
                        !ingle_chat_parser_finish(parser, &err));
    check("a chat's event carries the library's size", chat_event_size > sizeof(ingle_chat_event));
    UNHARMED(co), UNHARMED(info), UNHARMED(in), UNHARMED(made), UNHARMED(po);
    ingle_chat_parser_close(&parser);
    ingle_prompt_close(&prompt);
    ingle_chat_close(&chat);
}

static void grammar_older(ingle_model *model)
{
    ingle_error err = {{0}};
    ingle_grammar *grammar = NULL;
    ingle_grammar_state *state = NULL;
    size_t n_good = 0;
    bool may_end = false;
    GUARDED(ingle_grammar_options, gro);
    GUARDED(ingle_grammar_info, info);
    ingle_grammar_options_init(&gro.it);
    gro.it.compact = true;
    check("grammar", !ingle_grammar_open_json(&grammar, model, &gro.it, &err));
    check("grammar info", !ingle_grammar_info_get(grammar, &info.it, &err) && info.it.n_bytes > 0);
    check("state", !ingle_grammar_state_open(&state, grammar, &err) &&
                       !ingle_grammar_state_text(state, "{\"a\":1}", 7, &n_good, &err) &&
                       !ingle_grammar_state_ends(state, &may_end, NULL, &err) && may_end);
    UNHARMED(gro), UNHARMED(info);
    ingle_grammar_state_close(&state);
    ingle_grammar_close(&grammar);
}

static void run_older(const char *path)
{
    ingle_error err = {{0}};
    ingle_model *model = NULL;
    ingle_engine *engine = NULL;
    ingle_session *session = NULL;
    ingle_sampler *sampler = NULL;
    GUARDED(ingle_model_options, mo);
    GUARDED(ingle_engine_options, eo);
    GUARDED(ingle_sampler_options, so);
    GUARDED(ingle_generate_options, go);
    GUARDED(ingle_embed_options, bo);
    GUARDED(ingle_model_info, info);
    GUARDED(ingle_tensor_info, tensor);
    GUARDED(ingle_token_info, token);
    GUARDED(ingle_engine_info, chosen);
    GUARDED(ingle_memory, memory);
    GUARDED(ingle_home_memory, home);
    GUARDED(ingle_generate_result, result);
    GUARDED(ingle_family_info, family);
    GUARDED(ingle_limits, limits);
    GUARDED(ingle_cost, cost);
    GUARDED(ingle_profile, profile);
    GUARDED(ingle_profile_row, row);
    GUARDED(ingle_stats, stats);
    GUARDED(ingle_event, event);
    ingle_request *request;
    ingle_model_options_init(&mo.it);
    ingle_engine_options_init(&eo.it);
    ingle_sampler_options_init(&so.it);
    ingle_generate_options_init(&go.it);
    ingle_embed_options_init(&bo.it);
    check("init writes the caller's size",
          mo.it.size == sizeof mo.it && go.it.size == sizeof go.it);
    eo.it.n_ctx = 64;
    so.it.temperature = 0;
    go.it.max_tokens = 4;
    go.it.on_event = on_event;
    const int32_t prompt[] = {300, 301, 302};
    check("model", !ingle_model_open(&model, path, &mo.it, &err));
    check("info", !ingle_model_info_get(model, &info.it, &err) && info.it.n_embd == 256);
    check("tensor", !ingle_model_tensor(model, 0, &tensor.it, &err) && tensor.it.name[0]);
    check("token", !ingle_token_info_get(model, 300, &token.it, &err) && token.it.len > 0);
    check("family", !ingle_model_family(model, &family.it, &err) && family.it.known);
    check("memory", !ingle_model_memory(model, &eo.it, &memory.it, &err) && memory.it.weights > 0);
    check("home", !ingle_model_home_memory(model, &eo.it, 0, &home.it, &err) &&
                      home.it.weights == memory.it.weights);
    check("engine", !ingle_engine_open(&engine, model, &eo.it, &err));
    check("chosen", !ingle_engine_info_get(engine, &chosen.it, &err) && chosen.it.n_ctx == 64);
    check("limits", !ingle_engine_limits(engine, &limits.it, &err) && limits.it.read_gbs > 0);
    check("cost", !ingle_engine_cost(engine, &cost.it, &err) && cost.it.matmul_macs > 0);
    check("session", !ingle_session_open(&session, engine, &err));
    check("sampler", !ingle_sampler_open(&sampler, &so.it, info.it.n_vocab, model, &err));
    check("profiling", !ingle_engine_profile(engine, true, &err));
    check("generate", !ingle_generate(session, sampler, prompt, 3, &go.it, &result.it, &err) &&
                          result.it.n_prompt == 3 && result.it.n_generated == 4);
    check("profile",
          !ingle_engine_profile_total(engine, &profile.it, &err) && profile.it.n_steps > 0);
    check("row", !ingle_engine_profile_row(engine, 1, &row.it, &err) && row.it.op);
    check("an event carries the library's size", event_size > sizeof(ingle_event));
    check("stats", !ingle_engine_stats_get(engine, &stats.it, &err) && stats.it.n_generated == 4);
    go.it.on_event = NULL;
    check("request", !ingle_request_start(&request, session, prompt, 3, &go.it, &err));
    check("event", !ingle_request_next(request, -1, &event.it, &err) &&
                       event.it.kind == INGLE_EVENT_PROMPT && event.it.n_done == 3);
    ingle_request_close(&request);
    check("truncate", !ingle_session_truncate(session, 0, &err));
    check("embed", !ingle_session_embed(session, prompt, 3, &bo.it, &err));
    chat_older(model);
    grammar_older(model);
    if (failures) printf("the last error: %s\n", err.text);
    UNHARMED(mo), UNHARMED(eo), UNHARMED(so), UNHARMED(go), UNHARMED(bo), UNHARMED(info);
    UNHARMED(tensor), UNHARMED(token), UNHARMED(chosen), UNHARMED(memory), UNHARMED(home);
    UNHARMED(result), UNHARMED(family), UNHARMED(limits), UNHARMED(cost), UNHARMED(profile),
        UNHARMED(row), UNHARMED(stats), UNHARMED(event);
    ingle_sampler_close(&sampler);
    ingle_session_close(&session);
    ingle_engine_close(&engine);
    ingle_model_close(&model);
}

static void refused(const char *what, ingle_status status, const ingle_error *err)
{
    check(what,
          status == INGLE_EINVAL && strstr(err->text, "'size'") && strstr(err->text, "newer"));
}

static void run_newer(const char *path)
{
    ingle_error err = {{0}};
    ingle_model *model = NULL;
    ingle_model_options mo;
    ingle_engine_options eo;
    ingle_sampler_options so;
    ingle_generate_options go;
    ingle_grammar_options gro;
    ingle_memory memory = {.size = sizeof memory};
    ingle_home_memory home = {.size = sizeof home};
    ingle_model_options_init(&mo);
    ingle_engine_options_init(&eo);
    ingle_sampler_options_init(&so);
    ingle_generate_options_init(&go);
    ingle_grammar_options_init(&gro);
    refused("newer model options", ingle_model_open(&model, path, &mo, &err), &err);
    refused("newer engine options", ingle_engine_options_check(&eo, &err), &err);
    refused("newer sampler options", ingle_sampler_options_check(&so, &err), &err);
    refused("newer generate options", ingle_generate_options_check(&go, &err), &err);
    refused("newer grammar options", ingle_grammar_options_check(&gro, &err), &err);
    check("model", !ingle_model_open(&model, path, NULL, &err));
    refused("a newer result", ingle_model_memory(model, NULL, &memory, &err), &err);
    refused("a newer home", ingle_model_home_memory(model, NULL, 0, &home, &err), &err);
    ingle_model_close(&model);
}

/* Tables are frozen: what they say is the same for both. */
static void run_record(void)
{
    typedef struct point {
        int64_t x;
    } point;
    static const ingle_field fields[] = {{INGLE_FIELD(point, x, INT), .min = 0, .max = 9}};
    static const ingle_record record = INGLE_RECORD(point, fields);
    point p = {7};
    char json[100];
    size_t n = 0;
    check("encode", !ingle_record_encode(&record, &p, json, sizeof json, &n, NULL) && n == 7 &&
                        !memcmp(json, "{\"x\":7}", 7));
    check("decode", !ingle_record_decode(&record, "{\"x\":8}", 7, &p, NULL) && p.x == 8);
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    run_record();
    if (strcmp(argv[2], "older") == 0) run_older(argv[1]);
    else run_newer(argv[1]);
    return failures > 0;
}
