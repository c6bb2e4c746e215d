/* latency.c - how long a client waits for the first byte, the first token, and with much text. */
#define _GNU_SOURCE
#include "bench.h"

#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAT  "/v1/chat/completions"
#define COUNT "/v1/chat/completions/input_tokens"

enum { WARM = 20, KB = 1024 };

/* ---- the first token ------------------------------------------------------------------------- */

typedef struct first_run {
    library l;
    client c;
    series byte, server, library, difference; /* milliseconds */
} first_run;

static double ask_server(first_run *r, const char *messages, int n_tokens)
{
    const ask a = {.messages = messages, .max_tokens = n_tokens, .stream = true};
    buffer body = bodies_chat(&a);
    client_send(&r->c, CHAT, body.p, body.n);
    client_finish(&r->c);
    buffer_free(&body);
    if (!r->c.t_token) fail("a stream without text");
    return 1e3 * (r->c.t_token - r->c.t_sent);
}

static double ask_library(const first_run *r, const char *messages, int n_tokens)
{
    answer a;
    tokens prompt = library_render(&r->l, messages, NULL);
    answer_start(&a, &r->l, prompt, n_tokens);
    while (answer_read(&a, -1)) continue;
    free(prompt.p);
    return 1e3 * (a.t_token - a.t_start);
}

static void first_round(first_run *r, int i, const bench *b)
{
    const int n_tokens = bench_or(b->n_tokens, 8);
    buffer messages = bodies_messages_of(&r->l, (size_t)bench_or(b->n_prompt, 100), bench_seed());
    double server = 0, own;
    if (i % 2) server = ask_server(r, messages.p, n_tokens);
    own = ask_library(r, messages.p, n_tokens);
    if (!(i % 2)) server = ask_server(r, messages.p, n_tokens);
    buffer_free(&messages);
    if (i < WARM) return;
    series_add(&r->byte, 1e3 * (r->c.t_byte - r->c.t_sent));
    series_add(&r->server, server);
    series_add(&r->library, own);
    series_add(&r->difference, server - own);
}

void measure_first(const bench *b)
{
    process server;
    clients set;
    first_run r = {.byte = {0}};
    const int n = bench_or(b->n_rounds, 300), n_ctx = bench_or(b->n_prompt, 100) + 1024;
    bench_serve(b, &server, n_ctx, 8, NULL);
    library_open(&r.l, b->model, n_ctx, 8, true);
    clients_open(&set);
    client_open(&r.c, &set, server.port, 0);
    for (int i = 0; i < WARM + n; i++) first_round(&r, i, b);
    printf("first: prompt of %zu tokens, %d rounds: first byte after %.3f ms (p99 %.3f); first "
           "token after %.3f ms, by the library %.3f ms; difference p50 %.3f ms, p99 %.3f ms "
           "(goals 0.5, 2)\n",
           r.c.n_prompt, n, series_at(&r.byte, 0.5), series_at(&r.byte, 0.99),
           series_at(&r.server, 0.5), series_at(&r.library, 0.5), series_at(&r.difference, 0.5),
           series_at(&r.difference, 0.99));
    client_close(&r.c);
    clients_close(&set);
    library_close(&r.l);
    process_stop(&server);
    series_free(&r.byte), series_free(&r.server);
    series_free(&r.library), series_free(&r.difference);
}

/* ---- a large body ---------------------------------------------------------------------------- */

/* 64 KB of tools, and a conversation that makes it 100 KB. */
static buffer agent_body(bool stream, uint64_t seed)
{
    buffer tools = bodies_tools(64 * KB, 1), messages = bodies_agent(6 * KB, 8, 3700, seed);
    const ask a = {.messages = messages.p, .tools = tools.p, .max_tokens = 1, .stream = stream};
    buffer body = bodies_chat(&a);
    buffer_free(&tools);
    buffer_free(&messages);
    return body;
}

/* Milliseconds from the body's last byte to the first of the answer; the rest was there before. */
static double send_large(client *c, const char *path, bool stream, size_t *n_bytes)
{
    buffer body = agent_body(stream, bench_seed());
    client_send_part(c, path, body.p, body.n, 1);
    sleep_s(0.02);
    client_send_rest(c);
    while (!c->t_byte) clients_poll(c->set, -1);
    *n_bytes = body.n;
    buffer_free(&body);
    return 1e3 * (c->t_byte - c->t_sent);
}

/* The stream's first event goes out when the request has started; the client leaves then. */
static double start_large(process *server, clients *set, size_t *n_bytes)
{
    client c;
    size_t from = process_n_lines(server);
    client_open(&c, set, server->port, 0);
    double ms = send_large(&c, CHAT, true, n_bytes);
    client_close(&c);
    process_wait_line(server, from, "\"finish\":");
    return ms;
}

void measure_body(const bench *b)
{
    process server;
    clients set;
    client c;
    series counts = {0}, starts = {0};
    size_t n_bytes = 0, n_tokens = 0;
    const int n = bench_or(b->n_rounds, 50);
    bench_serve(b, &server, 131072, 1, NULL);
    clients_open(&set);
    client_open(&c, &set, server.port, 0);
    for (int i = 0; i <= n; i++) {
        double ms = send_large(&c, COUNT, false, &n_bytes);
        client_finish(&c);
        if (i) series_add(&counts, ms);
    }
    const char *at = c.body.p ? strstr(c.body.p, "tokens\":") : NULL;
    if (at) n_tokens = (size_t)atoll(at + strlen("tokens\":"));
    double cold = start_large(&server, &set, &n_bytes);
    for (int i = 0; i < n; i++) series_add(&starts, start_large(&server, &set, &n_bytes));
    printf("body: %zu bytes, %zu tokens, %d rounds: counted after %.2f ms (p99 %.2f) (goal 15); a "
           "stream's first byte after %.2f ms (p99 %.2f; the first with these tools %.2f)\n",
           n_bytes, n_tokens, n, series_at(&counts, 0.5), series_at(&counts, 0.99),
           series_at(&starts, 0.5), series_at(&starts, 0.99), cold);
    client_close(&c);
    clients_close(&set);
    process_stop(&server);
    series_free(&counts), series_free(&starts);
}

/* ---- an agent's turns ------------------------------------------------------------------------ */

/* The call that a stream brings. */
typedef struct call {
    char id[128], name[128];
    buffer arguments;
} call;

static void copy_text(char *to, size_t cap, const ingle_json *v)
{
    if (ingle_json_is(v, INGLE_JSON_STRING)) snprintf(to, cap, "%s", v->text);
}

static void take_call(client *c, const char *data, double t)
{
    ingle_json_doc doc;
    call *to = c->user;
    (void)t;
    if (!strstr(data, "\"tool_calls\"") || ingle_json_open(&doc, data, strlen(data), NULL, NULL))
        return;
    const ingle_json *choice = ingle_json_at(ingle_json_get(doc.root, "choices"), 0);
    const ingle_json *delta = ingle_json_get(choice, "delta");
    const ingle_json *one = ingle_json_at(ingle_json_get(delta, "tool_calls"), 0);
    const ingle_json *function = ingle_json_get(one, "function");
    const ingle_json *arguments = ingle_json_get(function, "arguments");
    copy_text(to->id, sizeof to->id, ingle_json_get(one, "id"));
    copy_text(to->name, sizeof to->name, ingle_json_get(function, "name"));
    if (ingle_json_is(arguments, INGLE_JSON_STRING))
        buffer_put(&to->arguments, arguments->text, arguments->len);
    ingle_json_close(&doc);
}

typedef struct turn {
    double ms; /* until the first token */
    size_t n_prompt, n_cached;
} turn;

static turn ask_turn(client *c, const char *messages, const char *tools, call *to)
{
    const ask a = {.messages = messages,
                   .tools = tools,
                   .tool = "read_file",
                   .max_tokens = 128,
                   .stream = true};
    buffer body = bodies_chat(&a);
    c->on_event = take_call;
    c->user = to;
    client_send(c, CHAT, body.p, body.n);
    client_finish(c);
    buffer_free(&body);
    if (!*to->id || !to->arguments.n) fail("the answer calls no tool");
    return (turn){1e3 * (c->t_token - c->t_sent), c->n_prompt, c->n_cached};
}

static void two_turns(client *c, turn *first, turn *second, size_t n_result)
{
    call one = {.arguments = {0}}, two = one;
    buffer tools = bodies_tools(64 * KB, bench_seed());
    buffer messages = bodies_agent(6 * KB, 0, 0, bench_seed());
    *first = ask_turn(c, messages.p, tools.p, &one);
    buffer longer =
        bodies_go_on(messages.p, NULL, one.id, one.name, one.arguments.p, n_result, bench_seed());
    *second = ask_turn(c, longer.p, tools.p, &two);
    buffer_free(&tools);
    buffer_free(&messages);
    buffer_free(&longer);
    buffer_free(&one.arguments);
    buffer_free(&two.arguments);
}

void measure_turn(const bench *b)
{
    process server;
    clients set;
    client c;
    turn first = {0}, second = {0};
    series firsts = {0}, seconds = {0}, shares = {0};
    const int n = bench_or(b->n_rounds, 3);
    bench_serve(b, &server, 65536, 2, NULL);
    clients_open(&set);
    client_open(&c, &set, server.port, 0);
    for (int i = 0; i < n; i++) {
        two_turns(&c, &first, &second, KB);
        series_add(&firsts, first.ms);
        series_add(&seconds, second.ms);
        series_add(&shares, 100 * second.ms / first.ms);
    }
    printf("turn: 64 KB of tools, 1 KB of a tool's result, %d rounds: first token after %.0f ms "
           "(%zu tokens, %zu known), of the second turn after %.1f ms (%zu tokens, %zu known): "
           "%.1f %% (goal 5)\n",
           n, series_at(&firsts, 0.5), first.n_prompt, first.n_cached, series_at(&seconds, 0.5),
           second.n_prompt, second.n_cached, series_at(&shares, 0.5));
    client_close(&c);
    clients_close(&set);
    process_stop(&server);
    series_free(&firsts), series_free(&seconds), series_free(&shares);
}
