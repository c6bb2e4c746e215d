/* platform_run.c - another program, its input and its output. See platform.h. */
#define _GNU_SOURCE
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* From a file without a name, so that nobody has to feed a pipe. */
static FILE *input_file(const char *input, size_t len)
{
    FILE *f = tmpfile();
    if (!f) return NULL;
    if (fwrite(input, 1, len, f) == len && fflush(f) == 0 && fseek(f, 0, SEEK_SET) == 0) return f;
    int saved = errno;
    fclose(f);
    errno = saved;
    return NULL;
}

static int spawn(pid_t *pid, const char *program, const char *argument, int in, int out)
{
    posix_spawn_file_actions_t actions;
    char *argv[] = {(char *)program, (char *)argument, NULL};
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed) return failed;
    failed = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (!failed) failed = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (!failed) failed = posix_spawnp(pid, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static void read_all(int fd, bool (*each)(void *user, const char *data, size_t n), void *user)
{
    char data[16 * 1024];
    for (;;) {
        ssize_t got = read(fd, data, sizeof data);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0 || !each(user, data, (size_t)got)) return;
    }
}

bool platform_run(const char *program, const char *argument, const char *input, size_t len,
                  bool (*each)(void *user, const char *data, size_t n), void *user, int *code)
{
    int out[2], failed, status = 0;
    pid_t pid = -1;
    FILE *in = input_file(input, len);
    if (!in) return false;
    if (pipe2(out, O_CLOEXEC) != 0) {
        failed = errno;
        fclose(in);
        errno = failed;
        return false;
    }
    failed = spawn(&pid, program, argument, fileno(in), out[1]);
    fclose(in);
    close(out[1]);
    if (!failed) read_all(out[0], each, user);
    close(out[0]); /* one that goes on printing ends by SIGPIPE */
    while (!failed && waitpid(pid, &status, 0) == -1)
        if (errno != EINTR) failed = errno;
    *code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    errno = failed;
    return !failed;
}
