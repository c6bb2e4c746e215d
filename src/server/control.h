/* control.h - ends the thinking of an answer that is under way. Depends on job.h. */
#ifndef INGLE_SERVER_CONTROL_H
#define INGLE_SERVER_CONTROL_H

#include "job.h"

extern const field_table control_fields;
void control_read(job *j);  /* endpoint.prepare */
void control_apply(job *j); /* endpoint.after */

#endif
