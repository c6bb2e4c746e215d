/* admin.h - endpoints that generate nothing: health, models, documentation. Depends on job.h. */
#ifndef INGLE_SERVER_ADMIN_H
#define INGLE_SERVER_ADMIN_H

#include "job.h"

void admin_root(job *j);
void admin_health(job *j);
void admin_openapi(job *j);
void models_list(job *j);
void model_show(job *j);

#endif
