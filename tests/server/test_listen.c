#define _GNU_SOURCE
/* Addresses to listen on and their sockets; and the loop that waits for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/loop.h"
#include "server/listen.h"
#include "wrap_alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/ingle-listen-XXXXXX";
static char path[64], text[80];

static size_t opened(listener *out, const char *address)
{
    ingle_error err = {0};
    size_t n;
    if (listen_open(out, LISTEN_MAX, &n, address, 0640, &err)) fail_msg("%s", err.text);
    for (size_t i = 0; i < n; i++) {
        assert_true(fcntl(out[i].fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(out[i].fd, F_GETFD) & FD_CLOEXEC);
    }
    return n;
}

static void refuses(const char *address, ingle_status status, const char *why)
{
    listener out[LISTEN_MAX];
    ingle_error err = {0};
    size_t n = 9;
    ingle_status got = listen_open(out, LISTEN_MAX, &n, address, 0600, &err);
    if (got != status) fail_msg("'%s': %s", address, ingle_status_name(got));
    assert_int_equal(n, 0);
    if (!strstr(err.text, why)) fail_msg("'%s': '%s' lacks '%s'", address, err.text, why);
}

static void test_tcp(void **state)
{
    (void)state;
    listener l[LISTEN_MAX], again[LISTEN_MAX];
    assert_int_equal(opened(l, "127.0.0.1:0"), 1);
    assert_true(l[0].loopback && !l[0].unix_socket);
    assert_memory_equal(l[0].text, "127.0.0.1:", 10);
    assert_true(atoi(l[0].text + 10) > 0);
    refuses(l[0].text, INGLE_EIO, l[0].text); /* it is taken */
    char was[128];
    strcpy(was, l[0].text);
    listen_close(&l[0]);
    assert_int_equal(l[0].fd, -1);
    assert_int_equal(opened(again, was), 1);
    assert_string_equal(again[0].text, was);
    listen_close(&again[0]);
    assert_int_equal(opened(l, "0.0.0.0:0"), 1);
    assert_false(l[0].loopback);
    listen_close(&l[0]);
    listen_close(&l[0]); /* a no-op */
}

static bool has_v6(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool ok = fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof a);
    if (fd >= 0) close(fd);
    return ok;
}

static void test_localhost(void **state)
{
    (void)state;
    listener l[LISTEN_MAX], v6[LISTEN_MAX];
    size_t n = opened(l, "LocalHost:0");
    assert_int_equal(n, has_v6() ? 2 : 1);
    if (n == 2) {
        assert_true(l[1].loopback);
        assert_string_equal(strrchr(l[0].text, ':'), strrchr(l[1].text, ':'));
        assert_int_equal(opened(v6, "[::1]:0"), 1);
        assert_memory_equal(v6[0].text, "[::1]:", 6);
        listen_close(&v6[0]);
        char any[80]; /* IPv6 alone: the port of IPv4 is free */
        listen_close(&l[1]);
        snprintf(any, sizeof any, "[::]%s", strrchr(l[0].text, ':'));
        assert_int_equal(opened(v6, any), 1);
        assert_false(v6[0].loopback);
        listen_close(&v6[0]);
    }
    listen_close(&l[0]);
}

static void test_bad_texts(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "8080",
                                      ":8080",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:x",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "127.0.0.1:080808",
                                      "::1:8080",
                                      "[::1]",
                                      "[::1:8080",
                                      "[127.0.0.1]:1",
                                      "box.example:1",
                                      "1.2.3:99x",
                                      "127.0.0.256:1",
                                      "127.1:80",
                                      "[::g]:1",
                                      "unix",
                                      "systemd:3",
                                      "*:8080",
                                      "127.0.0.1:80 ",
                                      " 127.0.0.1:80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) refuses(bad[i], INGLE_EINVAL, bad[i]);
    char longer[400];
    memset(longer, '1', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    memcpy(longer + 300, ":80", 4);
    refuses(longer, INGLE_EINVAL, "address");
    refuses("unix:", INGLE_EINVAL, "1 to 107");
    memset(longer, 'x', sizeof longer - 1);
    memcpy(longer, "unix:", 5);
    refuses(longer, INGLE_EINVAL, "1 to 107");
    refuses("192.0.2.1:80", INGLE_EIO, "192.0.2.1:80"); /* an address of nobody */
    refuses("unix:/nowhere/at/all", INGLE_EIO, "/nowhere/at/all");
    listener l;
    size_t n;
    ingle_error err;
    assert_int_equal(listen_open(&l, 0, &n, "127.0.0.1:0", 0600, &err), INGLE_EINVAL);
}

/* ---- Unix sockets ---------------------------------------------------------------------------- */

static int connected(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    strcpy(a.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof a)) return fd;
    close(fd);
    return -1;
}

static void test_unix(void **state)
{
    (void)state;
    listener l, again;
    struct stat st;
    assert_int_equal(opened(&l, text), 1);
    assert_true(l.unix_socket && !l.loopback);
    assert_string_equal(l.text, text);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    int fd = connected();
    assert_true(fd >= 0);
    close(fd);
    refuses(text, INGLE_EIO, "another program");
    assert_int_equal(lstat(path, &st), 0);
    close(l.fd); /* as if it were killed */
    l.fd = -1;
    assert_int_equal(opened(&again, text), 1);
    listen_close(&l); /* the path is not its own any more */
    fd = connected();
    assert_true(fd >= 0);
    close(fd);
    listen_close(&again);
    assert_int_equal(lstat(path, &st), -1);
}

static void test_unix_other_files(void **state)
{
    (void)state;
    listener l;
    struct stat st;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    refuses(text, INGLE_EIO, "no socket");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    refuses(text, INGLE_EIO, "no socket");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(opened(&l, text), 1);
    assert_int_equal(unlink(path), 0); /* somebody put another file there */
    f = fopen(path, "w");
    fclose(f);
    listen_close(&l);
    assert_int_equal(lstat(path, &st), 0);
    assert_int_equal(unlink(path), 0);
}

/* ---- the service manager --------------------------------------------------------------------- */

static void pass(const char *pid, const char *n)
{
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", n, 1);
}

/* Descriptors from 3 on are what was passed: so in a process of its own. */
static int passed_to_child(void)
{
    listener l[LISTEN_MAX], made[2];
    ingle_error err;
    size_t n;
    char pid[32];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (opened(&made[0], "127.0.0.1:0") != 1 || opened(&made[1], text) != 1) return 1;
    int tcp = fcntl(made[0].fd, F_DUPFD, 100), un = fcntl(made[1].fd, F_DUPFD, 100);
    if (dup2(tcp, 3) != 3 || dup2(un, 4) != 4) return 2;
    pass(pid, "3");
    dup2(STDERR_FILENO, 5);
    if (listen_open(l, LISTEN_MAX, &n, "systemd", 0600, &err) != INGLE_EINVAL) return 3;
    if (!strstr(err.text, "descriptor 5")) return 4;
    pass(pid, "2");
    if (listen_open(l, 1, &n, "systemd", 0600, &err) != INGLE_EINVAL) return 5;
    if (listen_open(l, LISTEN_MAX, &n, "systemd", 0600, &err) || n != 2) return 6;
    if (strcmp(l[0].text, made[0].text) || strcmp(l[1].text, text)) return 7;
    if (!l[0].loopback || !l[1].unix_socket || l[1].path[0]) return 8;
    if (!(fcntl(3, F_GETFD) & FD_CLOEXEC) || !(fcntl(4, F_GETFL) & O_NONBLOCK)) return 9;
    if (getenv("LISTEN_FDS")) return 10;
    if (listen_open(l, LISTEN_MAX, &n, "systemd", 0600, &err) != INGLE_EINVAL) return 11;
    listen_close(&l[1]);
    struct stat st;
    if (lstat(path, &st)) return 12; /* the manager's to remove */
    unlink(path);
    return 0;
}

static void test_systemd(void **state)
{
    (void)state;
    char pid[32];
    unsetenv("LISTEN_PID"), unsetenv("LISTEN_FDS");
    refuses("systemd", INGLE_EINVAL, "LISTEN_FDS");
    pass("1", "1"); /* meant for another process */
    refuses("systemd", INGLE_EINVAL, "LISTEN_PID");
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    static const char *const numbers[] = {"", "0", "-1", "x", "1x", "99999999999999999999", "17"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        pass(pid, numbers[i]);
        refuses("systemd", INGLE_EINVAL, "sockets");
    }
    unsetenv("LISTEN_PID"), unsetenv("LISTEN_FDS");
    int status = fork();
    assert_true(status >= 0);
    if (!status) _exit(passed_to_child());
    pid_t child = status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- the loop -------------------------------------------------------------------------------- */

typedef struct seen {
    ingle_loop *loop;
    ingle_watch *other; /* is removed by the first call */
    unsigned n, what, last;
} seen;

static void on_event(ingle_watch *watch, unsigned what)
{
    seen *s = watch->user;
    s->n++;
    s->what |= what;
    s->last = what;
    if (s->other) ingle_loop_remove(s->loop, s->other);
}

static void test_watches(void **state)
{
    (void)state;
    ingle_loop *loop;
    ingle_error err;
    int pair[2];
    char byte;
    assert_int_equal(ingle_loop_open(&loop, &err), INGLE_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    seen s = {.loop = loop};
    ingle_watch w = {.fd = pair[0], .what = INGLE_LOOP_READ, .call = on_event, .user = &s};
    ingle_watch never = {0};
    ingle_loop_remove(loop, &never);
    assert_int_equal(ingle_loop_add(loop, &w, &err), INGLE_OK);
    assert_int_equal(ingle_loop_wait(loop, 0, &err), INGLE_OK);
    assert_int_equal(s.n, 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    for (int i = 0; i < 2; i++) assert_int_equal(ingle_loop_wait(loop, -1, &err), INGLE_OK);
    assert_int_equal(s.n, 2); /* as long as it can be read */
    assert_int_equal(s.what, INGLE_LOOP_READ);
    ingle_loop_remove(loop, &w);
    ingle_loop_remove(loop, &w);
    assert_int_equal(ingle_loop_wait(loop, 0, &err), INGLE_OK);
    assert_int_equal(s.n, 2);
    w.what = INGLE_LOOP_GONE; /* what can be read does not matter; the end comes once */
    s = (seen){.loop = loop};
    assert_int_equal(ingle_loop_add(loop, &w, &err), INGLE_OK);
    assert_int_equal(ingle_loop_wait(loop, 0, &err), INGLE_OK);
    assert_int_equal(s.n, 0);
    close(pair[1]);
    for (int i = 0; i < 3; i++) assert_int_equal(ingle_loop_wait(loop, 0, &err), INGLE_OK);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.what, INGLE_LOOP_GONE);
    assert_int_equal(read(pair[0], &byte, 1), 1);
    ingle_loop_remove(loop, &w);
    w.what = INGLE_LOOP_READ | INGLE_LOOP_GONE;
    s = (seen){.loop = loop};
    assert_int_equal(ingle_loop_add(loop, &w, &err), INGLE_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(ingle_loop_wait(loop, 0, &err), INGLE_OK);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.what, INGLE_LOOP_READ | INGLE_LOOP_GONE);
    close(pair[0]);
    ingle_loop_close(&loop);
    ingle_loop_close(&loop);
}

/* Of two that are ready at once, the one that is called first removes the other, and a third takes
 * its place: the event that was fetched for the other reaches neither. */
static void test_removed_while_called(void **state)
{
    (void)state;
    ingle_loop *loop;
    ingle_error err;
    int a[2], b[2];
    assert_int_equal(ingle_loop_open(&loop, &err), INGLE_OK);
    assert_int_equal(pipe(a) | pipe(b), 0);
    seen s = {.loop = loop}, t = {.loop = loop};
    ingle_watch w = {.fd = a[0], .what = INGLE_LOOP_READ, .call = on_event, .user = &s};
    ingle_watch v = {.fd = b[0], .what = INGLE_LOOP_READ, .call = on_event, .user = &t};
    s.other = &v, t.other = &w;
    assert_int_equal(ingle_loop_add(loop, &w, &err) | ingle_loop_add(loop, &v, &err), INGLE_OK);
    assert_int_equal(write(a[1], "x", 1) + write(b[1], "x", 1), 2);
    assert_int_equal(ingle_loop_wait(loop, -1, &err), INGLE_OK);
    assert_int_equal(s.n + t.n, 1);
    ingle_watch *gone = s.n ? &v : &w;
    assert_int_equal(ingle_loop_add(loop, gone, &err), INGLE_OK);
    s.other = t.other = NULL;
    assert_int_equal(ingle_loop_wait(loop, -1, &err), INGLE_OK);
    assert_int_equal(s.n + t.n, 3);
    ingle_watch bad = {.fd = -1, .what = INGLE_LOOP_READ, .call = on_event, .user = &s};
    assert_int_equal(ingle_loop_add(loop, &bad, &err), INGLE_EIO);
    for (int i = 0; i < 2; i++) close(a[i]), close(b[i]);
    ingle_loop_close(&loop);
}

static void *wake(void *user)
{
    for (int i = 0; i < 1000; i++) ingle_loop_wake(user);
    return NULL;
}

static void test_wake(void **state)
{
    (void)state;
    ingle_loop *loop;
    ingle_error err;
    pthread_t thread;
    assert_int_equal(ingle_loop_open(&loop, &err), INGLE_OK);
    ingle_loop_wake(loop);
    assert_int_equal(ingle_loop_wait(loop, -1, &err), INGLE_OK); /* a wake before is not lost */
    assert_int_equal(pthread_create(&thread, NULL, wake, loop), 0);
    assert_int_equal(ingle_loop_wait(loop, -1, &err), INGLE_OK);
    pthread_join(thread, NULL);
    assert_int_equal(ingle_loop_wait(loop, 0, &err), INGLE_OK);
    ingle_loop_close(&loop);
}

static int numbers[8];
static size_t n_numbers;

static void on_signal(void *user, int number)
{
    assert_ptr_equal(user, numbers);
    numbers[n_numbers++] = number;
}

static void test_signals(void **state)
{
    (void)state;
    ingle_loop *loop;
    ingle_error err;
    const int wanted[] = {SIGTERM, SIGHUP}, none[] = {-1};
    sigset_t before, after;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    assert_int_equal(ingle_loop_open(&loop, &err), INGLE_OK);
    assert_int_equal(ingle_loop_signals(loop, none, 1, on_signal, numbers, &err), INGLE_EINVAL);
    assert_int_equal(ingle_loop_signals(loop, wanted, 2, on_signal, numbers, &err), INGLE_OK);
    assert_int_equal(ingle_loop_signals(loop, wanted, 2, on_signal, numbers, &err), INGLE_EINVAL);
    raise(SIGHUP);
    assert_int_equal(ingle_loop_wait(loop, -1, &err), INGLE_OK);
    assert_int_equal(n_numbers, 1);
    assert_int_equal(numbers[0], SIGHUP);
    raise(SIGTERM);
    assert_int_equal(ingle_loop_wait(loop, -1, &err), INGLE_OK);
    assert_int_equal(numbers[1], SIGTERM);
    ingle_loop_close(&loop);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
}

static void test_no_memory(void **state)
{
    (void)state;
    ingle_error err;
    int pair[2];
    assert_int_equal(pipe(pair), 0);
    for (long n = 1;; n++) {
        ingle_loop *loop;
        seen s = {0};
        ingle_watch w = {.fd = pair[0], .what = INGLE_LOOP_READ, .call = on_event, .user = &s};
        wrap_alloc_begin(n);
        ingle_status status = ingle_loop_open(&loop, &err);
        if (!status) status = ingle_loop_add(loop, &w, &err);
        if (loop) ingle_loop_remove(loop, &w);
        ingle_loop_close(&loop);
        bool reached = wrap_alloc_end();
        assert_int_equal(wrap_alloc_live(), 0);
        assert_int_equal(status, reached ? INGLE_ENOMEM : INGLE_OK);
        if (!reached) break;
    }
    close(pair[0]), close(pair[1]);
}

int main(void)
{
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/s", folder);
    snprintf(text, sizeof text, "unix:%s", path);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_unix_other_files),
        cmocka_unit_test(test_systemd),
        cmocka_unit_test(test_watches),
        cmocka_unit_test(test_removed_while_called),
        cmocka_unit_test(test_wake),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_no_memory),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
