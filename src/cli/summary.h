/* summary.h - what a model is, in a few lines: the head of `ingle inspect`.
 * Depends on open.h, out.h. */
#ifndef INGLE_CLI_SUMMARY_H
#define INGLE_CLI_SUMMARY_H

#include "open.h"
#include "out.h"

/* `why` stands in the way of running the model; "" if nothing does. */
void summary_print(const open_handles *h, const open_options *opt, const char *why);
/* The same as members of the object that was begun. */
void summary_json(ingle_json_writer *w, const open_handles *h, const char *why);

/* "chatml", "llama3", ...: by the marks a chat template writes; "own" for others. */
const char *summary_template(const char *chat_template);

/* `ingle inspect --families`: name and features of every family, a line each or one JSON object. */
void summary_families(bool json);

#endif
