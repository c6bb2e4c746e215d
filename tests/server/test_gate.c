#define _GNU_SOURCE
/* Who may ask: the form of a request, hosts, origins, keys and their roles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wrap_alloc.h"

#include "server/gate.h"

#include <stdio.h>
#include <unistd.h>

static gate *opened(gate_options opt)
{
    gate *g;
    ingle_error err = {0};
    if (gate_open(&g, &opt, &err)) fail_msg("%s", err.text);
    return g;
}

static void refuses(gate_options opt, ingle_status status, const char *text)
{
    gate *g = (gate *)1;
    ingle_error err = {0};
    assert_int_equal(gate_open(&g, &opt, &err), status);
    assert_null(g);
    if (!strstr(err.text, text)) fail_msg("'%s' lacks '%s'", err.text, text);
}

static gate_request plain(void)
{
    return (gate_request){.method = "POST",
                          .path = "/v1/chat/completions",
                          .host = "localhost:8080",
                          .n_host = 1,
                          .local = "127.0.0.1",
                          .loopback = true,
                          .needs = GATE_USER};
}

/* The status of the answer, 0: it passes. */
static int ask(const gate *g, gate_request q, gate_verdict *out)
{
    gate_verdict verdict;
    api_error e = {0};
    bool ok = gate_check(g, &q, out ? out : &verdict, &e);
    assert_int_equal(ok, !e.status);
    if (!ok) assert_true(e.message[0] && e.code);
    return e.status;
}

/* ---- form ------------------------------------------------------------------------------------ */

static void test_form(void **state)
{
    (void)state;
    gate *g = opened((gate_options){0});
    gate_verdict v;
    gate_request q = plain();
    assert_int_equal(ask(g, q, &v), 0);
    assert_false(v.close);
    q.n_host = 2;
    assert_int_equal(ask(g, q, &v), 400);
    assert_true(v.close);
    q = plain(), q.n_content_length = 2;
    assert_int_equal(ask(g, q, NULL), 400);
    q = plain(), q.n_transfer_encoding = 2;
    assert_int_equal(ask(g, q, NULL), 400);
    q = plain(), q.n_authorization = 2;
    assert_int_equal(ask(g, q, NULL), 400);
    q = plain(), q.n_x_api_key = 2;
    assert_int_equal(ask(g, q, NULL), 400);
    q = plain(), q.transfer_encoding = "chunked", q.content_length = "5";
    assert_int_equal(ask(g, q, NULL), 400);
    q = plain(), q.transfer_encoding = "Chunked";
    assert_int_equal(ask(g, q, NULL), 0);
    q.http10 = true;
    assert_int_equal(ask(g, q, NULL), 400);
    q = plain(), q.transfer_encoding = "gzip, chunked";
    assert_int_equal(ask(g, q, NULL), 400);
    q = plain(), q.content_encoding = "gzip";
    assert_int_equal(ask(g, q, NULL), 415);
    q.content_encoding = "identity";
    assert_int_equal(ask(g, q, NULL), 0);
    q = plain(), q.path = "http://localhost/";
    assert_int_equal(ask(g, q, NULL), 400);
    q.path = "*";
    assert_int_equal(ask(g, q, NULL), 400);
    q.method = "OPTIONS";
    assert_int_equal(ask(g, q, NULL), 0);
    gate_close(&g);
}

/* ---- hosts ----------------------------------------------------------------------------------- */

typedef struct host_case {
    const char *host;
    int status;
} host_case;

static const host_case host_cases[] = {
    {"localhost", 0},
    {"localhost:8080", 0},
    {"LOCALHOST.", 0},
    {"LocalHost.:1", 0},
    {"a.localhost", 0},
    {"127.0.0.1", 0},
    {"127.0.0.1:65535", 0},
    {"[::1]", 0},
    {"[::1]:8080", 0},
    {"[::ffff:127.0.0.1]:8080", 0},
    {"[0:0:0:0:0:0:0:1]", 0},
    {"box", 0},
    {"ollama-1:11434", 0},
    {"printer.local", 0},
    {"host.docker.internal", 0},
    {"evil.example", 403},
    {"evil.example:8080", 403},
    {"127.0.0.1.evil.example", 403},
    {"localhost.evil.example", 403},
    {"localhostx.example", 403},
    {".localhost", 403},
    {".local", 403},
    {"local.", 403}, /* one label with a dot is a domain of the top level */
    {"192.168.1.7", 403},
    {"[fe80::1]", 403},
    {"[::ffff:192.168.1.7]", 403},
    {"2130706433", 403}, /* 127.0.0.1 in other spellings */
    {"0x7f000001", 403},
    {"127.1", 403},
    {"", 403},
    {":8080", 400},
    {"[::1", 400},
    {"[::1]x", 400},
    {"[localhost]", 400},
    {"::1", 400},
    {"localhost:80x", 400},
    {"localhost:808080", 400},
    {"localhost/", 400},
    {"user@localhost", 400},
    {"local host", 400},
    {"localhost\t", 400},
    {"localhost, evil.example", 400},
};

static void test_hosts(void **state)
{
    (void)state;
    gate *g = opened((gate_options){0});
    for (size_t i = 0; i < sizeof host_cases / sizeof *host_cases; i++) {
        gate_request q = plain();
        q.host = host_cases[i].host;
        int status = ask(g, q, NULL);
        if (status != host_cases[i].status)
            fail_msg("'%s': %d, should be %d", q.host, status, host_cases[i].status);
    }
    gate_request q = plain();
    q.host = "192.168.1.7:8080", q.local = "192.168.1.7"; /* the address it arrived at */
    assert_int_equal(ask(g, q, NULL), 0);
    q.host = "[2001:DB8::0:1]", q.local = "2001:db8::1";
    assert_int_equal(ask(g, q, NULL), 0);
    q.host = NULL, q.n_host = 0;
    assert_int_equal(ask(g, q, NULL), 400);
    q.http10 = true;
    assert_int_equal(ask(g, q, NULL), 0);
    q = plain(), q.unix_socket = true, q.local = "", q.host = "evil.example";
    assert_int_equal(ask(g, q, NULL), 403);
    gate_close(&g);
}

static void test_machine(void **state)
{
    (void)state;
    char name[256] = "";
    gate *g = opened((gate_options){0});
    gethostname(name, sizeof name - 1);
    gate_request q = plain();
    q.host = name;
    assert_int_equal(ask(g, q, NULL), 0);
    gate_close(&g);
}

static void test_allowed_hosts(void **state)
{
    (void)state;
    const char *const hosts[] = {"Box.Example", "*.lan.example", "10.0.0.9", "2001:db8::5"};
    gate *g = opened((gate_options){.hosts = hosts, .n_hosts = 4});
    gate_request q = plain();
    const host_case cases[] = {{"box.example:99", 0},   {"box.example.", 0},
                               {"a.box.example", 403},  {"a.lan.example", 0},
                               {"lan.example", 403},    {"a.lan.example.evil", 403},
                               {"alan.example", 403},   {"10.0.0.9", 0},
                               {"[2001:db8::5]:80", 0}, {"10.0.0.8", 403}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        q.host = cases[i].host;
        if (ask(g, q, NULL) != cases[i].status) fail_msg("'%s'", q.host);
    }
    gate_close(&g);
    const char *const bad[] = {"box.example:80", "a/b", "*", "*x", "", "a*b", "[::1]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses((gate_options){.hosts = &bad[i], .n_hosts = 1}, INGLE_EINVAL, "--allowed-host");
}

static void test_error_names_the_flag(void **state)
{
    (void)state;
    gate *g = opened((gate_options){0});
    gate_verdict v;
    api_error e = {0};
    gate_request q = plain();
    q.host = "evil.example";
    assert_false(gate_check(g, &q, &v, &e));
    assert_non_null(strstr(e.message, "--allowed-host"));
    e = (api_error){0};
    q = plain(), q.origin = "https://evil.example";
    assert_false(gate_check(g, &q, &v, &e));
    assert_non_null(strstr(e.message, "--cors-origin"));
    assert_string_equal(e.param, "Origin");
    gate_close(&g);
}

/* ---- origins --------------------------------------------------------------------------------- */

static void test_origins(void **state)
{
    (void)state;
    static const host_case cases[] = {
        {"http://localhost", 0},
        {"http://localhost:3000", 0},
        {"https://localhost:3000", 0},
        {"http://127.0.0.1:5173", 0},
        {"http://[::1]:5173", 0},
        {"app://obsidian.md", 0},
        {"tauri://localhost", 0},
        {"vscode-webview://0a1b2c", 0},
        {"vscode-file://vscode-app", 0},
        {"http://box.example:8080", 0}, /* as Host below */
        {"https://friend.example:444", 0},
        {"HTTPS://Friend.Example:444", 0},
        {"https://friend.example", 403},
        {"http://friend.example:444", 403},
        {"http://box.example", 403},
        {"https://box.example:8080", 0},
        {"http://localhost.evil.example", 403},
        {"http://127.0.0.1.evil.example", 403},
        {"http://127.0.0.2", 403},
        {"http://localhost@evil.example", 403},
        {"https://evil.example", 403},
        {"null", 403},
        {"", 403},
        {"file://", 403},
        {"ftp://localhost", 403},
        {"http://", 403},
        {"http://localhost:3000/path", 403},
        {"appx://localhost", 403},
    };
    const char *const origins[] = {"https://friend.example:444"}, *const hosts[] = {"box.example"};
    gate *g =
        opened((gate_options){.origins = origins, .n_origins = 1, .hosts = hosts, .n_hosts = 1});
    gate_verdict v;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gate_request q = plain();
        q.host = "box.example:8080";
        q.origin = cases[i].host;
        q.fetch_site = "cross-site";
        int status = ask(g, q, &v);
        if (status != cases[i].status)
            fail_msg("'%s': %d, should be %d", q.origin, status, cases[i].status);
        assert_int_equal(v.reflect, !status);
    }
    gate_request q = plain();
    q.fetch_site = "cross-site"; /* an image, a form, a link */
    assert_int_equal(ask(g, q, NULL), 403);
    const char *const fine[] = {"same-origin", "same-site", "none"};
    for (size_t i = 0; i < 3; i++) {
        q.fetch_site = fine[i];
        assert_int_equal(ask(g, q, &v), 0);
        assert_false(v.reflect);
    }
    gate_close(&g);
}

static void test_any_origin(void **state)
{
    (void)state;
    const char *const all[] = {"*"}, *const keys[] = {"secret"};
    const char *const bad[] = {"evil.example", "https://a.example/", "://x", "https://"};
    refuses((gate_options){.origins = all, .n_origins = 1}, INGLE_EINVAL, "--api-key");
    for (size_t i = 0; i < 4; i++)
        refuses((gate_options){.origins = &bad[i], .n_origins = 1}, INGLE_EINVAL, "--cors-origin");
    gate *g = opened((gate_options){.origins = all, .n_origins = 1, .keys = keys, .n_keys = 1});
    gate_request q = plain();
    q.origin = "null";
    assert_int_equal(ask(g, q, NULL), 401);
    q.authorization = "Bearer secret";
    assert_int_equal(ask(g, q, NULL), 0);
    gate_close(&g);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static int with_key(const gate *g, const char *authorization, const char *x_api_key,
                    gate_role needs, gate_verdict *v)
{
    gate_request q = plain();
    q.host = "anything.example"; /* with keys, any host will do */
    q.authorization = authorization;
    q.x_api_key = x_api_key;
    q.needs = needs;
    return ask(g, q, v);
}

static void test_keys(void **state)
{
    (void)state;
    const char *const keys[] = {"secret-1", "secret-22"};
    gate *g = opened((gate_options){.keys = keys, .n_keys = 2});
    gate_verdict v, w;
    assert_true(gate_has_keys(g));
    assert_int_equal(with_key(g, "Bearer secret-1", NULL, GATE_USER, &v), 0);
    assert_int_equal(with_key(g, "bearer   secret-22", NULL, GATE_USER, &w), 0);
    assert_string_equal(v.key.name, "key-1");
    assert_string_equal(w.key.name, "key-2");
    assert_true(v.key.salt && w.key.salt && v.key.salt != w.key.salt);
    assert_int_equal(with_key(g, NULL, "secret-1", GATE_USER, &w), 0);
    assert_true(w.key.salt == v.key.salt);
    assert_int_equal(with_key(g, "Bearer of-another", "secret-1", GATE_USER, &w), 0);
    assert_int_equal(with_key(g, NULL, NULL, GATE_USER, NULL), 401);
    const char *const wrong[] = {
        "Bearer secret-", "Bearer secret-11",  "Bearer secret-2", "Bearer ", "Bearer", "",
        "Basic secret-1", "Bearer secret-1 x", "secret-1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(with_key(g, wrong[i], NULL, GATE_USER, NULL), 401);
    assert_int_equal(with_key(g, NULL, "", GATE_USER, NULL), 401);
    assert_int_equal(with_key(g, NULL, NULL, GATE_PUBLIC, &v), 0);
    assert_int_equal(v.key.role, GATE_PUBLIC);
    assert_int_equal(with_key(g, "Bearer wrong", NULL, GATE_PUBLIC, &v), 0);
    assert_int_equal(with_key(g, "Bearer secret-1", NULL, GATE_PUBLIC, &v), 0);
    assert_int_equal(v.key.role, GATE_USER);
    assert_int_equal(with_key(g, "Bearer secret-1", NULL, GATE_METRICS, NULL), 0);
    assert_int_equal(with_key(g, "Bearer secret-1", NULL, GATE_ADMIN, NULL), 403);
    gate_request q = plain(); /* browsers ask first without a key */
    q.method = "OPTIONS", q.origin = "http://localhost:3000";
    assert_int_equal(ask(g, q, &v), 0);
    assert_true(v.reflect);
    gate_close(&g);
}

static void test_huge_key(void **state)
{
    (void)state;
    const char *const keys[] = {"k"};
    gate *g = opened((gate_options){.keys = keys, .n_keys = 1});
    char *huge = malloc((1 << 20) + 8);
    assert_non_null(huge);
    memset(huge, 'k', (1 << 20) + 7);
    huge[(1 << 20) + 7] = 0;
    assert_int_equal(with_key(g, NULL, huge, GATE_USER, NULL), 401);
    memcpy(huge, "Bearer ", 7);
    assert_int_equal(with_key(g, huge, NULL, GATE_USER, NULL), 401);
    free(huge);
    gate_close(&g);
    const char *const bad[] = {"", "a b", "a\n", "\x80"};
    for (size_t i = 0; i < 4; i++)
        refuses((gate_options){.keys = &bad[i], .n_keys = 1}, INGLE_EINVAL, "--api-key");
    const char *const twice[] = {"a", "b", "a"};
    refuses((gate_options){.keys = twice, .n_keys = 3}, INGLE_EINVAL, "twice");
}

static void test_shared_cache(void **state)
{
    (void)state;
    const char *const keys[] = {"a"};
    gate_verdict v;
    gate *g = opened((gate_options){.keys = keys, .n_keys = 1, .share_cache = true});
    assert_int_equal(with_key(g, "Bearer a", NULL, GATE_USER, &v), 0);
    assert_true(v.key.salt == 0);
    gate_close(&g);
    uint64_t salts[2]; /* another process, other salts: nobody can compute them */
    for (size_t i = 0; i < 2; i++) {
        g = opened((gate_options){.keys = keys, .n_keys = 1});
        assert_int_equal(with_key(g, "Bearer a", NULL, GATE_USER, &v), 0);
        salts[i] = v.key.salt;
        gate_close(&g);
    }
    assert_true(salts[0] != salts[1]);
}

static void test_without_keys(void **state)
{
    (void)state;
    gate *g = opened((gate_options){0});
    gate_verdict v;
    gate_request q = plain();
    q.needs = GATE_ADMIN;
    assert_false(gate_has_keys(g));
    assert_int_equal(ask(g, q, &v), 0);
    assert_int_equal(v.key.role, GATE_ADMIN);
    assert_true(v.key.salt == 0);
    assert_string_equal(v.key.name, "");
    q.loopback = false, q.local = "192.168.1.7", q.host = "192.168.1.7";
    assert_int_equal(ask(g, q, NULL), 403);
    q.unix_socket = true;
    assert_int_equal(ask(g, q, NULL), 0);
    q.unix_socket = false, q.needs = GATE_USER;
    assert_int_equal(ask(g, q, &v), 0);
    assert_int_equal(v.key.role, GATE_USER);
    gate_close(&g);
}

/* ---- the file -------------------------------------------------------------------------------- */

static char path[] = "/tmp/ingle-keys-XXXXXX";

static void write_file(const char *text, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void bad_file(const char *text, const char *why)
{
    write_file(text, strlen(text));
    refuses((gate_options){.key_file = path}, INGLE_EFORMAT, why);
}

static void test_key_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    const char text[] = "# keys\n\nalpha\n  beta  admin  Ann of the  lab \r\ngamma\tmetrics\n"
                        "delta user #4";
    write_file(text, sizeof text - 1);
    const char *const more[] = {"omega"};
    gate *g = opened((gate_options){.key_file = path, .keys = more, .n_keys = 1});
    gate_verdict v;
    assert_int_equal(with_key(g, "Bearer alpha", NULL, GATE_USER, &v), 0);
    assert_int_equal(v.key.role, GATE_USER);
    assert_string_equal(v.key.name, "key-2");
    assert_int_equal(with_key(g, "Bearer beta", NULL, GATE_ADMIN, &v), 0);
    assert_string_equal(v.key.name, "Ann of the  lab");
    assert_int_equal(with_key(g, "Bearer gamma", NULL, GATE_METRICS, &v), 0);
    assert_int_equal(with_key(g, "Bearer gamma", NULL, GATE_USER, &v), 403);
    assert_int_equal(with_key(g, "Bearer delta", NULL, GATE_USER, &v), 0);
    assert_string_equal(v.key.name, "#4");
    assert_int_equal(with_key(g, "Bearer omega", NULL, GATE_USER, &v), 0);
    assert_int_equal(with_key(g, "Bearer #", NULL, GATE_USER, &v), 401);
    gate_close(&g);
    bad_file("a\nb root\n", "line 2: the role");
    bad_file("a\n\na admin\n", "line 3: a key is given twice");
    bad_file("# nothing\n", "no key");
    bad_file("", "no key");
    bad_file("\x01 user\n", "line 1");
    write_file("a\0b\n", 4);
    refuses((gate_options){.key_file = path}, INGLE_EFORMAT, "NUL");
    char name[128];
    snprintf(name, sizeof name, "a user %070d\n", 0);
    bad_file(name, "line 1: the name");
    unlink(path);
    refuses((gate_options){.key_file = path}, INGLE_ENOTFOUND, path);
}

static void test_no_memory(void **state)
{
    (void)state;
    const char *const keys[] = {"a", "b"}, *const names[] = {"x.example", "*.y.example"};
    const char *const origins[] = {"https://x.example"};
    const gate_options opt = {.keys = keys,
                              .n_keys = 2,
                              .hosts = names,
                              .n_hosts = 2,
                              .origins = origins,
                              .n_origins = 1};
    for (long n = 1;; n++) {
        gate *g;
        ingle_error err;
        wrap_alloc_begin(n);
        ingle_status status = gate_open(&g, &opt, &err);
        gate_close(&g);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        assert_int_equal(status, reached ? INGLE_ENOMEM : INGLE_OK);
        if (!reached) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_allowed_hosts),
        cmocka_unit_test(test_error_names_the_flag),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_any_origin),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_huge_key),
        cmocka_unit_test(test_shared_cache),
        cmocka_unit_test(test_without_keys),
        cmocka_unit_test(test_key_file),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
