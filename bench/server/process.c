/* process.c - see process.h. */
#define _GNU_SOURCE
#include "process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGS = 64 };

/* ---- starting -------------------------------------------------------------------------------- */

static void become(const char *const *argv, int err)
{
    int null = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(null, 0);
    dup2(null, 1);
    dup2(err, 2);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void begin(process *p, const char *const *argv)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) fail("a pipe: %s", strerror(errno));
    p->pid = fork();
    if (p->pid < 0) fail("fork: %s", strerror(errno));
    if (!p->pid) become(argv, ends[1]);
    close(ends[1]);
    p->err = ends[0];
    p->lines = need(calloc(PROCESS_LINES, sizeof *p->lines));
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
}

/* ---- what it prints -------------------------------------------------------------------------- */

static int port_in(const char *text)
{
    const char *at = strstr(text, "http://127.0.0.1:");
    return at ? atoi(at + strlen("http://127.0.0.1:")) : 0;
}

/* As much of it as has room: what is looked for stands at the beginning of a line. */
static void keep(char *to, size_t cap, const char *text)
{
    size_t n = strlen(text);
    if (n >= cap) n = cap - 1;
    memcpy(to, text, n);
    to[n] = 0;
}

static void take_line(process *p, const char *text, double t)
{
    pthread_mutex_lock(&p->lock);
    if (*text == '{') {
        process_line *line = &p->lines[p->n_lines++ % PROCESS_LINES];
        line->t = t;
        keep(line->text, sizeof line->text, text);
    } else {
        keep(p->said, sizeof p->said, text);
        if (!p->port) p->port = port_in(text);
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

/* Whole lines of what was read; what follows the last one stays. */
static size_t take_lines(process *p, char *text, size_t n, double t)
{
    char *from = text, *end;
    while ((end = memchr(from, '\n', n - (size_t)(from - text)))) {
        *end = 0;
        take_line(p, from, t);
        from = end + 1;
    }
    n -= (size_t)(from - text);
    memmove(text, from, n);
    return n;
}

static void *read_lines(void *user)
{
    process *p = user;
    static _Thread_local char text[65536];
    size_t n = 0;
    for (ssize_t got; (got = read(p->err, text + n, sizeof text - n)) > 0;) {
        n = take_lines(p, text, n + (size_t)got, now());
        if (n == sizeof text) n = 0;
    }
    pthread_mutex_lock(&p->lock);
    p->over = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void process_serve(process *p, const char *program, const char *const *args)
{
    const char *argv[MAX_ARGS] = {program, "serve", "--listen", "127.0.0.1:0"};
    size_t n = 4;
    while (*args && n + 1 < MAX_ARGS) argv[n++] = *args++;
    *p = (process){0};
    begin(p, argv);
    if (pthread_create(&p->reader, NULL, read_lines, p)) fail("no thread");
    pthread_mutex_lock(&p->lock);
    while (!p->port && !p->over) pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    if (!p->port) fail("the server did not start: %s", p->said);
}

/* ---- a program that does not print its address ----------------------------------------------- */

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int free_port(void)
{
    struct sockaddr_in a = loopback(0);
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) || getsockname(fd, (struct sockaddr *)&a, &n))
        fail("no free port: %s", strerror(errno));
    close(fd);
    return ntohs(a.sin_port);
}

static bool takes_connections(int port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && !connect(fd, (struct sockaddr *)&a, sizeof a);
    if (fd >= 0) close(fd);
    return yes;
}

void process_bare(process *p, const char *program)
{
    char port[16];
    *p = (process){.port = free_port()};
    snprintf(port, sizeof port, "%d", p->port);
    const char *argv[] = {program, port, NULL};
    begin(p, argv);
    if (pthread_create(&p->reader, NULL, read_lines, p)) fail("no thread");
    while (!takes_connections(p->port)) {
        if (waitpid(p->pid, NULL, WNOHANG)) fail("%s does not run: %s", program, p->said);
        sleep_s(0.01);
    }
}

void process_stop(process *p)
{
    if (!p->pid) return;
    do kill(p->pid, SIGTERM), sleep_s(0.02); /* the second one cuts off what runs */
    while (!waitpid(p->pid, NULL, WNOHANG));
    pthread_join(p->reader, NULL);
    close(p->err);
    free(p->lines);
    *p = (process){0};
}

/* ---- the log --------------------------------------------------------------------------------- */

size_t process_n_lines(process *p)
{
    pthread_mutex_lock(&p->lock);
    size_t n = p->n_lines;
    pthread_mutex_unlock(&p->lock);
    return n;
}

process_line process_wait_line(process *p, size_t from, const char *text)
{
    process_line found = {0};
    pthread_mutex_lock(&p->lock);
    while (!found.t) {
        if (from + PROCESS_LINES < p->n_lines) from = p->n_lines - PROCESS_LINES;
        for (; from < p->n_lines && !found.t; from++)
            if (strstr(p->lines[from % PROCESS_LINES].text, text))
                found = p->lines[from % PROCESS_LINES];
        if (p->over && !found.t) fail("the server has ended: %s", p->said);
        if (!found.t) pthread_cond_wait(&p->changed, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

double process_number(const process_line *line, const char *name)
{
    char wanted[80];
    snprintf(wanted, sizeof wanted, "\"%s\":", name);
    const char *at = strstr(line->text, wanted);
    return at ? strtod(at + strlen(wanted), NULL) : NAN;
}

/* ---- what the system knows of it ------------------------------------------------------------- */

size_t process_resident(pid_t pid)
{
    char path[64];
    unsigned long total, resident;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f || fscanf(f, "%lu %lu", &total, &resident) != 2) fail("%s cannot be read", path);
    fclose(f);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t process_main_ns(const process *p)
{
    char path[64];
    unsigned long long ns;
    snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)p->pid, (int)p->pid);
    FILE *f = fopen(path, "r");
    if (!f || fscanf(f, "%llu", &ns) != 1) fail("%s cannot be read", path);
    fclose(f);
    return ns;
}

size_t process_raise_descriptors(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l)) return 1024;
    l.rlim_cur = l.rlim_max;
    if (l.rlim_cur > 1u << 20) l.rlim_cur = 1u << 20;
    setrlimit(RLIMIT_NOFILE, &l);
    getrlimit(RLIMIT_NOFILE, &l);
    return (size_t)l.rlim_cur;
}
