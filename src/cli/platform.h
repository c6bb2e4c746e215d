/* platform.h - what the program asks of the operating system: terminal, signals, files, clock.
 * Owns       the interrupt flag, and what is called before a signal ends the program.
 * Depends on POSIX and Linux's /proc/self/exe; of src/cli only outfile.c and chat_edit.c (libedit) call
 * the system as well. */
#ifndef INGLE_CLI_PLATFORM_H
#define INGLE_CLI_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes; documented in help.c. */
enum { EXIT_DONE = 0, EXIT_WORK = 1, EXIT_USAGE = 2, EXIT_MODEL = 3, EXIT_INTERRUPTED = 130 };

/* First call of main(): descriptors 0 to 2 are open (a file opened later must not become one of
 * them), SIGPIPE ends the program as it does any filter. */
void platform_init(void);

char *const *platform_environment(void); /* "NAME=VALUE", ending with NULL */

bool platform_is_terminal(int fd);
bool platform_has_cursor(int fd); /* a terminal on which a line can be rewritten: not TERM=dumb */
bool platform_has_colour(int fd); /* the same, and NO_COLOR is not set */

/* From here on the first Ctrl+C only raises the flag; a second one kills. System calls that it
 * interrupts go on, but for platform_read_input(). */
void platform_catch_interrupt(void);
bool platform_interrupted(void);
/* From here on no Ctrl+C kills: all raise the flag, which the second of these takes down. */
void platform_keep_interrupts(void);
bool platform_take_interrupt(void);
/* From here on a flag is raised when the terminal has another size. */
void platform_catch_resize(void);
bool platform_take_resize(void);
/* clean_up() is called before a signal ends the program; it may do only what a signal handler may.
 * Not before SIGKILL, nor before signals that report a fault of the program. */
void platform_before_death(void (*clean_up)(void));

/* Folder of the running program, without a slash at the end. */
bool platform_program_folder(char *path, size_t cap);
/* path after the current folder, unless it is absolute already. */
void platform_absolute(const char *path, char *out, size_t cap);
bool platform_is_file(const char *path);
/* Where a link leads; false if path is no link. */
bool platform_link(const char *path, char *to, size_t cap);
bool platform_is_folder(const char *path);
/* Calls each(user, name) for every entry of folder until it returns false. */
bool platform_each_entry(const char *folder, bool (*each)(void *user, const char *name),
                         void *user);

/* Reads a whole file ("-" or NULL: standard input) into *data (the caller frees; a NUL follows).
 * False with errno set. More than 1 GiB is refused with EFBIG. */
bool platform_read_all(const char *path, char **data, size_t *len);

/* The file becomes standard input; NULL and "-" leave that as it is. False with errno set. */
bool platform_input_from(const char *path);
/* Waits for standard input and reads what is there, 0 bytes at its end. False with errno set, EINTR
 * after Ctrl+C. */
bool platform_read_input(char *data, size_t cap, size_t *len);
/* Whether that would not wait; waits so long at most, or until a signal comes. */
bool platform_input_ready(void);
bool platform_input_within(double seconds);

/* Runs a program (looked for in PATH, by no shell) with one argument and input as its standard input,
 * and gives each(user) what it prints, until that returns false. *code is its exit code, 128 and the
 * signal's number if one ended it. False with errno set. */
bool platform_run(const char *program, const char *argument, const char *input, size_t len,
                  bool (*each)(void *user, const char *data, size_t n), void *user, int *code);

/* Ctrl+C may end it early; no time below 0. */
void platform_sleep(double seconds);

/* Whether both paths lead to one file that is there. */
bool platform_same_file(const char *a, const char *b);
/* Whether path leads to the plain file that descriptor fd is open on. */
bool platform_is_open_on(int fd, const char *path);

#endif
