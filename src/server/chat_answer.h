/* chat_answer.h - answers as OpenAI's chat completions have them. Depends on job.h. */
#ifndef INGLE_SERVER_CHAT_ANSWER_H
#define INGLE_SERVER_CHAT_ANSWER_H

#include "job.h"

extern const dialect chat_dialect;

/* On a prep thread: how many tokens the prompt of such a request has. */
void chat_count(job *j);

#endif
