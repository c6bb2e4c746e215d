/* platform.c - see platform.h. */
#define _GNU_SOURCE
#include "platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted, interrupts_kept, resized;
static void (*volatile clean_up_at_death)(void);

void platform_init(void)
{
    /* A closed standard output becomes a read-only descriptor: writing to it still fails. */
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF && open("/dev/null", O_RDONLY) == -1) return;
    }
    signal(SIGPIPE, SIG_DFL);
}

extern char **environ;

char *const *platform_environment(void)
{
    return environ;
}

bool platform_is_terminal(int fd)
{
    return isatty(fd) == 1;
}

bool platform_has_cursor(int fd)
{
    const char *term = getenv("TERM");
    return platform_is_terminal(fd) && term && strcmp(term, "dumb") != 0;
}

bool platform_has_colour(int fd)
{
    const char *no_color = getenv("NO_COLOR");
    return platform_has_cursor(fd) && !(no_color && no_color[0]);
}

/* Ends the program as the signal would have done. */
static void die(int signo)
{
    if (clean_up_at_death) clean_up_at_death();
    signal(signo, SIG_DFL);
    raise(signo);
}

static void on_interrupt(int signo)
{
    if (interrupted && !interrupts_kept) die(signo);
    interrupted = 1;
}

/* A background job of a shell without job control ignores SIGINT; leave what is ignored alone. */
static void handle(int signo, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, before;
    sigemptyset(&action.sa_mask);
    if (sigaction(signo, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
        sigaction(signo, &action, NULL);
}

void platform_catch_interrupt(void)
{
    struct sigaction now;
    if (sigaction(SIGINT, NULL, &now) == 0 && now.sa_handler == die) signal(SIGINT, SIG_DFL);
    handle(SIGINT, on_interrupt);
}

void platform_before_death(void (*clean_up)(void))
{
    static const int deadly[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                 SIGPIPE, SIGALRM, SIGXCPU, SIGXFSZ};
    clean_up_at_death = clean_up;
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) handle(deadly[i], die);
}

bool platform_interrupted(void)
{
    return interrupted != 0;
}

void platform_keep_interrupts(void)
{
    interrupts_kept = 1;
    platform_catch_interrupt();
}

bool platform_take_interrupt(void)
{
    bool was = interrupted != 0;
    interrupted = 0;
    return was;
}

static void on_resize(int signo)
{
    (void)signo;
    resized = 1;
}

void platform_catch_resize(void)
{
    handle(SIGWINCH, on_resize);
}

bool platform_take_resize(void)
{
    bool was = resized != 0;
    resized = 0;
    return was;
}

bool platform_program_folder(char *path, size_t cap)
{
    ssize_t len = readlink("/proc/self/exe", path, cap - 1);
    if (len <= 0 || (size_t)len >= cap - 1) return false;
    path[len] = 0;
    char *slash = strrchr(path, '/');
    if (!slash) return false;
    *slash = 0;
    return true;
}

void platform_absolute(const char *path, char *out, size_t cap)
{
    char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);
    snprintf(out, cap, "%s%s%s", folder ? folder : "", folder ? "/" : "", path);
    free(folder);
}

bool platform_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

bool platform_link(const char *path, char *to, size_t cap)
{
    ssize_t len = readlink(path, to, cap - 1);
    if (len < 0) return false;
    to[len] = 0;
    return true;
}

bool platform_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool platform_each_entry(const char *folder, bool (*each)(void *user, const char *name), void *user)
{
    DIR *dir = opendir(folder);
    if (!dir) return false;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (!each(user, entry->d_name)) break;
    }
    closedir(dir);
    return true;
}

enum { READ_FIRST = 64 * 1024 };
static const size_t READ_MOST = (size_t)1 << 30;

static bool read_fd(int fd, char **data, size_t *len)
{
    size_t cap = READ_FIRST, n = 0;
    char *text = malloc(cap + 1);
    while (text) {
        ssize_t got = read(fd, text + n, cap - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) break;
        if (got == 0) {
            text[n] = 0;
            *data = text, *len = n;
            return true;
        }
        n += (size_t)got;
        if (n < cap) continue;
        if (cap >= READ_MOST) {
            errno = EFBIG;
            break;
        }
        cap *= 2;
        char *larger = realloc(text, cap + 1);
        if (!larger) break;
        text = larger;
    }
    free(text);
    return false;
}

bool platform_read_all(const char *path, char **data, size_t *len)
{
    if (!path || strcmp(path, "-") == 0) return read_fd(STDIN_FILENO, data, len);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) return false;
    bool ok = read_fd(fd, data, len);
    int saved = errno;
    close(fd);
    errno = saved;
    return ok;
}

bool platform_input_from(const char *path)
{
    if (!path || strcmp(path, "-") == 0) return true;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) return false;
    bool ok = dup2(fd, STDIN_FILENO) != -1;
    int saved = errno;
    close(fd);
    errno = saved;
    return ok;
}

bool platform_read_input(char *data, size_t cap, size_t *len)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    enum { WAKE_MS = 250 }; /* Ctrl+C may reach another thread, and read() goes on after it */
    ssize_t got = -1;
    *len = 0;
    for (int n = 0; n <= 0;) {
        errno = EINTR;
        if (interrupted) return false;
        n = poll(&in, 1, WAKE_MS);
        if (n < 0 && errno != EINTR) return false;
    }
    do got = read(STDIN_FILENO, data, cap);
    while (got < 0 && errno == EINTR && !interrupted);
    if (got > 0) *len = (size_t)got;
    return got >= 0;
}

bool platform_input_ready(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&in, 1, 0) != 0; /* what cannot be asked does not wait either */
}

bool platform_input_within(double seconds)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    int n = poll(&in, 1, (int)(1e3 * seconds));
    return n > 0 || (n < 0 && errno != EINTR);
}

void platform_sleep(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds};
    t.tv_nsec = (long)(1e9 * (seconds - (double)t.tv_sec));
    if (seconds > 0) nanosleep(&t, NULL);
}

bool platform_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool platform_is_open_on(int fd, const char *path)
{
    struct stat x, y;
    return fstat(fd, &x) == 0 && S_ISREG(x.st_mode) && stat(path, &y) == 0 &&
           x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}
