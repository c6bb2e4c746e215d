/* jinja_vm.h - the machine that runs a program. Depends on jinja_program.h. */
#ifndef INGLE_CHAT_JINJA_VM_H
#define INGLE_CHAT_JINJA_VM_H

#include "chat/jinja_program.h"

/* Runs from the first instruction to the end; what is printed is in r->out. *line is where it
 * failed. False: r->status says why. */
bool ingle_jinja_run(jinja_render *r, size_t max_calls, size_t *line);

#endif
