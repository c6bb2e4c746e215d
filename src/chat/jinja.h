/* jinja.h - chat templates: Jinja2 as transformers sets it up, compiled once, rendered by any
 * thread.
 * Owns       a template: its text and its program, which do not change; of each output the memory.
 * Depends on base/json.h, base/mem.h, base/number.h, base/utf8.h, base/map.h. Knows no model, no
 *            token and no format of chat.
 * Invariant  nothing here recurses on what a template or a context says; work, memory, depth and
 *            output are bounded, and the bounds end in an error. A byte of the output is trusted
 *            only if the template or a trusted variable wrote it.
 *
 * The language is that of Jinja2 3.1 in an immutable sandbox with trim_blocks, lstrip_blocks, loop
 * controls, {% generation %}, strftime_now(), raise_exception(), a tojson that escapes nothing for
 * HTML, and from_json. Lists that the template made may be changed by append, pop and the like;
 * what the caller gave is never changed. Refused: include, import, from, extends, autoescape, and
 * calls with *args or **kwargs.
 *
 * Where a byte comes from. A string knows for each of its bytes whether the template or the caller
 * wrote it. What copies bytes (+, ~, slices, split, strip, replace, join, format, case, macros,
 * namespaces, loops) copies that too. A number or a bool is the template's if all it was computed
 * from is. Text made of a whole value (tojson, the repr of a list) is the template's if every part
 * of it is, else the caller's entirely. A comparison looks at bytes only. */
#ifndef INGLE_CHAT_JINJA_H
#define INGLE_CHAT_JINJA_H

#include "base/json.h"

typedef struct ingle_jinja ingle_jinja;

/* 0 stands for the default. */
typedef struct ingle_jinja_limits {
    size_t max_bytes;   /* of a template: 1 MiB; at most 256 MiB */
    size_t max_depth;   /* blocks, brackets, operators in one another: 256; at most 4096 */
    size_t max_program; /* bytes of the program: 64 MiB */
} ingle_jinja_limits;

/* Compiles. The text is copied, limits may be NULL. INGLE_EFORMAT for what is no template,
 * INGLE_EUNSUPPORTED for what is refused or beyond the limits, INGLE_ENOMEM; the error begins with
 * "line N: ". */
ingle_status ingle_jinja_open(ingle_jinja **out, const char *text, size_t n,
                              const ingle_jinja_limits *limits, ingle_error *err);
void ingle_jinja_close(ingle_jinja *j); /* NULL is a no-op */

/* Whether the template reads a variable of the caller's by this name. */
bool ingle_jinja_mentions(const ingle_jinja *j, const char *name);
/* Whether these bytes are in a piece of text or a string of the template. */
bool ingle_jinja_says(const ingle_jinja *j, const char *p, size_t n);
size_t ingle_jinja_bytes(const ingle_jinja *j); /* memory held */

typedef struct ingle_jinja_time {
    int year, month, day, hour, minute, second; /* month and day from 1 */
} ingle_jinja_time;

/* A variable whose text counts as the template's: bos_token, eos_token. It hides one of the context
 * by the same name. */
typedef struct ingle_jinja_trusted {
    const char *name;
    const char *text;
    size_t n;
} ingle_jinja_trusted;

/* 0 stands for the default of every limit. */
typedef struct ingle_jinja_input {
    const ingle_json *context; /* an object: messages, tools, add_generation_prompt, ... */
    const ingle_jinja_trusted *trusted;
    size_t n_trusted;
    ingle_jinja_time now; /* what strftime_now() formats */
    uint64_t max_steps;   /* instructions, elements, 16 bytes of text each: 50,000,000 */
    size_t max_memory;    /* of values: 256 MiB */
    size_t max_output;    /* bytes, those of macros under way counted: 64 MiB; at most 1 GiB */
    size_t max_calls;     /* macros in one another: 200; at most 4096 */
} ingle_jinja_input;

/* After the loop's turn for message i_message the output had this many bytes. */
typedef struct ingle_jinja_mark {
    size_t offset, i_message;
} ingle_jinja_mark;

/* Spans cover the text in order, neighbours differ.
 *
 * Marks come from a loop that is in no other one, prints straight to the output, and whose elements
 * are the elements of the context's list `messages` themselves, however they got there (a slice, a
 * copy, another variable). They are kept if the loop wrote anything and took the messages in
 * ascending order; of several such loops those of the last count, and those of loops before it whose
 * messages it goes on from. All that such a loop writes for a message and those before it lies before
 * the message's mark. A template that prints its messages
 * in another way has no marks. */
typedef struct ingle_jinja_output {
    char *text; /* [n], a NUL follows; NULL after a failure */
    size_t n;
    ingle_span *spans;
    size_t n_spans;
    ingle_jinja_mark *marks;
    size_t n_marks;
    uint64_t n_steps; /* what was done, as max_steps counts */
    size_t line;      /* after a failure: where in the template, from 1; 0: nowhere */
    char *raised;     /* what raise_exception() was given, whole; NULL: it was not called */
    size_t n_raised;
} ingle_jinja_output;

/* Fills *out, which is freed in any case. INGLE_EINVAL where the template refuses the context (by
 * raise_exception(): out->raised), or an operation does not suit a value; INGLE_EUNSUPPORTED where
 * a limit is reached or this interpreter lacks something; INGLE_ENOMEM. The error begins with
 * "line N: ". */
ingle_status ingle_jinja_render(const ingle_jinja *j, const ingle_jinja_input *in,
                                ingle_jinja_output *out, ingle_error *err);
void ingle_jinja_output_free(ingle_jinja_output *out); /* to {0}; NULL is a no-op */

#endif
