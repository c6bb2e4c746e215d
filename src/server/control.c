#include "control.h"
#include "server.h"

#include "base/mem.h"

#include <stddef.h>
#include <string.h>

typedef struct control {
    const ingle_json *id;
    int action;
} control;

static const char *const ACTIONS[] = {"reasoning_end", NULL};

static const field_row ROWS[] = {
    {.name = "id",
     .class = FIELD_HONOURED,
     .types = FIELD_STRING,
     .min = 1,
     .max = 64,
     .store = FIELD_TO_VALUE,
     .offset = offsetof(control, id),
     .help = "id of the answer, as its chunks have it"},
    {.name = "action",
     .class = FIELD_HONOURED,
     .types = FIELD_STRING,
     .store = FIELD_TO_CHOICE,
     .choices = ACTIONS,
     .offset = offsetof(control, action),
     .help = "reasoning_end: thinking is closed, and the answer begins"},
};

const field_table control_fields = {
    .title = "control", .rows = ROWS, .n_rows = sizeof ROWS / sizeof *ROWS};

void control_read(job *j)
{
    control c = {.action = -1};
    if (!fields_read(&j->reader, &control_fields, j->doc.root, &c, NULL)) return;
    if (!c.id || c.action < 0) {
        api_fail(&j->error, 400, "missing_value", c.id ? "action" : "id",
                 "an answer's id and the action reasoning_end are needed");
        return;
    }
    free(j->argument);
    j->argument = ingle_new(c.id->len + 1, 1);
    if (!j->argument) {
        api_fail(&j->error, 503, "out_of_memory", NULL, "no memory for a request");
        return;
    }
    memcpy(j->argument, c.id->text, c.id->len);
}

/* Answers of other keys are not there. */
static job *find(const job *j)
{
    for (job *other = j->server->jobs; other; other = other->next)
        if (other->request && other->state == JOB_GENERATES && other->key.salt == j->key.salt &&
            !strcmp(other->answer_id, j->argument))
            return other;
    return NULL;
}

void control_apply(job *j)
{
    ingle_error err = {{0}};
    ingle_json_writer w = {0};
    job *other = find(j);
    if (!other) {
        api_fail(&j->error, 404, "not_found", "id", "no answer of this id is under way");
        return;
    }
    ingle_status st = ingle_request_end_thinking(other->request, &err);
    if (!api_fail_library(&j->error, st, &err, "action")) return;
    ingle_json_begin_object(&w);
    ingle_json_put_bool(ingle_json_name(&w, "success"), true);
    ingle_json_end_object(&w);
    job_answer(j, 200, &w);
}
