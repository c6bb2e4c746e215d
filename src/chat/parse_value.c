/* parse_value.c - values inside calls, as JSON (parse_state.h). */
#include "chat/parse_state.h"

void ingle_parse_reject(ingle_parse *p, char c)
{
    ingle_parse_unread(p, &c, 1);
    ingle_parse_give_up(p);
}

bool ingle_parse_is_no_call(const ingle_parse *p)
{
    return p->syntax->no_call && ingle_bytes_are(&p->name, p->syntax->no_call);
}

void ingle_parse_begin_value(ingle_parse *p, parse_to to, parse_state state)
{
    p->to = to;
    p->state = state;
    ingle_value_begin(&p->value, p->syntax->quote, p->syntax->values == INGLE_VALUES_BARE);
}

bool ingle_parse_value_step(ingle_parse *p, char c, bool *done)
{
    if (p->to == TO_FIELD && p->field.n > PARSE_FIELD_MAX) return false;
    ingle_bytes *out = p->to == TO_ARGS   ? ingle_parse_args(p)
                       : p->to == TO_LATE ? &p->late
                                          : &p->field;
    ingle_value_result r = ingle_value_step(&p->value, c, out);
    *done = r == INGLE_VALUE_DONE || r == INGLE_VALUE_ENDED;
    if (r == INGLE_VALUE_BAD) return false;
    if (r == INGLE_VALUE_ENDED) ingle_parse_unread(p, &c, 1);
    else ingle_parse_eat(p, &c, 1);
    if (p->to == TO_NOWHERE) p->field.n = 0;
    return true;
}

bool ingle_parse_decode(ingle_parse *p, ingle_bytes *from)
{
    ingle_json_doc doc;
    if (!from->n || from->p[0] != '"') return from->n;
    ingle_status st = ingle_json_open(&doc, from->p, from->n, NULL, NULL);
    p->failed |= st == INGLE_ENOMEM;
    if (st) return false;
    from->n = 0;
    ingle_bytes_put(from, doc.root->text, doc.root->len);
    ingle_json_close(&doc);
    return true;
}

bool ingle_parse_put_late(ingle_parse *p)
{
    bool ok = !p->late_is_text || ingle_parse_decode(p, &p->late);
    ingle_json_doc doc = {0};
    if (ok && p->late_is_text) { /* JSON in a JSON string */
        ingle_status st = ingle_json_open(&doc, p->late.p, p->late.n, NULL, NULL);
        p->failed |= st == INGLE_ENOMEM;
        ok = !st && ingle_json_is(doc.root, INGLE_JSON_OBJECT);
        ingle_json_close(&doc);
        if (!ok && !p->late.n) { /* an empty one */
            ingle_bytes_text(&p->late, "{}");
            ok = true;
        }
    }
    if (ok) ingle_bytes_put(ingle_parse_args(p), p->late.p, p->late.n);
    p->late.n = 0;
    p->args_done = true;
    return ok;
}
