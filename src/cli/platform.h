/* platform.h - what the program asks of the operating system: terminal, signals, files, clock.
 * Owns       the interrupt flag, the program's only mutable state outside main()'s stack.
 * Depends on POSIX and Linux's /proc/self/exe; no other file of src/cli calls the system. */
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

bool platform_is_terminal(int fd);
bool platform_has_cursor(int fd); /* a terminal on which a line can be rewritten: not TERM=dumb */
bool platform_has_colour(int fd); /* the same, and NO_COLOR is not set */

double platform_now(void); /* seconds of a monotonic clock */
uint64_t platform_random(void);

/* From here on the first Ctrl+C only raises the flag; a second one kills. */
void platform_catch_interrupt(void);
bool platform_interrupted(void);

/* Folder of the running program, without a slash at the end. */
bool platform_program_folder(char *path, size_t cap);
/* path behind the current folder, unless it is absolute already. */
void platform_absolute(const char *path, char *out, size_t cap);
bool platform_is_file(const char *path);
bool platform_is_folder(const char *path);
/* Calls each(user, name) for every entry of folder until it returns false. */
bool platform_each_entry(const char *folder, bool (*each)(void *user, const char *name),
                         void *user);

/* Reads a whole file ("-" or NULL: standard input) into *data (the caller frees; a NUL follows).
 * False with errno set. More than 1 GiB is refused with EFBIG. */
bool platform_read_all(const char *path, char **data, size_t *len);

/* Waits for standard input and reads what is there, 0 bytes at its end. False with errno set, EINTR
 * after Ctrl+C. */
bool platform_read_input(char *data, size_t cap, size_t *len);
/* Whether that would not wait. */
bool platform_input_ready(void);

void platform_remove_file(const char *path); /* unless it is more than a plain file */

#endif
