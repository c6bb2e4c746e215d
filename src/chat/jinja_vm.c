/* jinja_vm.c - see jinja_vm.h. */
#include "chat/jinja_vm.h"

#include "chat/jinja_builtin.h"
#include "chat/jinja_data.h"
#include "chat/jinja_number.h"
#include "chat/jinja_ops.h"
#include "chat/jinja_show.h"
#include "chat/jinja_text.h"

enum { MAX_STACK = 1 << 16, MAX_LOOPS = 1 << 14 };

/* Where a macro or a turn of a recursive loop returns to. */
typedef struct activation {
    uint32_t back;
    jinja_frame *frame;
    size_t n_stack, n_loops, n_cuts;
    bool loop;
} activation;

typedef struct machine {
    jinja_render *r;
    const ingle_jinja *j;
    uint32_t pc; /* of the instruction under way */
    uint32_t next;
    jinja_frame *frame;
    jinja_value *stack;
    size_t n_stack, cap_stack;
    activation *calls;
    size_t n_calls, cap_calls, max_calls;
    jinja_loop **loops;
    size_t n_loops, cap_loops;
    jinja_cut *cuts;
    size_t n_cuts, cap_cuts;
    uint32_t loop_depth; /* of the recursive loop that is being called */
} machine;

static bool push(machine *m, jinja_value v)
{
    if (m->n_stack == m->cap_stack) {
        if (m->n_stack >= MAX_STACK)
            return ingle_jinja_fail(m->r, INGLE_EUNSUPPORTED, "too many values at once");
        if (!ingle_grow(&m->stack, &m->cap_stack, m->n_stack + 64, sizeof v))
            return ingle_jinja_fail_memory(m->r);
    }
    m->stack[m->n_stack++] = v;
    return true;
}

static jinja_value *top(machine *m)
{
    return &m->stack[m->n_stack - 1];
}

static void jump(machine *m, const jinja_ins *ins)
{
    m->next = m->pc + ins->a;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static jinja_frame *new_frame(machine *m, uint32_t scope, jinja_frame *up)
{
    uint32_t n = m->j->scopes[scope].n_slots;
    jinja_frame *f = ingle_jinja_new(&m->r->heap, sizeof *f + n * sizeof f->slot[0]);
    if (!f) {
        ingle_jinja_fail_memory(m->r);
        return NULL;
    }
    f->up = up;
    for (uint32_t i = 0; i < n; i++) f->slot[i] = (jinja_value){.kind = JINJA_MISSING};
    return ingle_jinja_burn(m->r, n / 4) ? f : NULL;
}

static bool enter(machine *m, uint32_t scope)
{
    jinja_frame *f = new_frame(m, scope, m->frame);
    if (f) m->frame = f;
    return f;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool find_global(machine *m, uint32_t i)
{
    const ingle_jinja_input *in = m->r->in;
    jinja_str *name = m->j->names[m->j->globals[i]];
    jinja_value *v = &m->r->globals[i];
    for (size_t k = 0; k < in->n_trusted; k++)
        if (strlen(in->trusted[k].name) == name->n &&
            !memcmp(in->trusted[k].name, name->p, name->n))
            return ingle_jinja_str_view(m->r, in->trusted[k].text, in->trusted[k].n, true, v);
    const ingle_json *json = ingle_json_find(in->context, name->p, name->n);
    if (json) {
        bool messages = name->n == 8 && !memcmp(name->p, "messages", 8);
        return ingle_jinja_burn(m->r, in->context->len / 4) &&
               ingle_jinja_from_json(m->r, json, messages, v);
    }
    uint32_t function = ingle_jinja_function(name->p, name->n);
    if (function != UINT32_MAX)
        *v = (jinja_value){.kind = JINJA_FUNC, .trusted = true, .number = function};
    else *v = (jinja_value){.kind = JINJA_UNDEFINED, .detail = JINJA_LACK_NAME, .u.str = name};
    return true;
}

static bool load_global(machine *m, uint32_t i)
{
    if (m->r->globals[i].kind == JINJA_MISSING && !find_global(m, i)) return false;
    return push(m, m->r->globals[i]);
}

static jinja_str not_given = {"a parameter was not provided", 28, 28, 1, true, NULL};
static const jinja_value NOT_GIVEN = {
    .kind = JINJA_UNDEFINED, .detail = JINJA_LACK_TEXT, .u.str = &not_given};

static bool load_local(machine *m, const jinja_ins *ins)
{
    const jinja_frame *f = m->frame;
    for (unsigned hops = ins->b; hops; hops--) f = f->up;
    if (f->slot[ins->c].kind == JINJA_MISSING) return push(m, NOT_GIVEN);
    return push(m, f->slot[ins->c]);
}

static bool load_lookup(machine *m, const jinja_ins *ins)
{
    const jinja_reference *ref = m->j->refs[ins->a];
    const jinja_frame *f = m->frame;
    unsigned hops = 0;
    if (!ingle_jinja_burn(m->r, ref->n / 4)) return false;
    for (uint32_t i = 0; i < ref->n; i++) {
        for (; hops < ref->at[i].hops; hops++) f = f->up;
        if (f->slot[ref->at[i].slot].kind != JINJA_MISSING)
            return push(m, f->slot[ref->at[i].slot]);
    }
    return load_global(m, ref->global);
}

static bool store_attr(machine *m, const jinja_ins *ins)
{
    jinja_value *space = top(m), *value = space - 1;
    jinja_value key = ingle_jinja_of_str(m->j->names[ins->a]);
    if (space->kind != JINJA_SPACE) {
        if (space->kind == JINJA_UNDEFINED) return ingle_jinja_fail_undefined(m->r, space);
        return JINJA_REFUSE(m->r, "cannot assign attribute on non-namespace object");
    }
    if (!ingle_jinja_dict_set(m->r, space->u.dict, &key, value)) return false;
    m->n_stack -= 2;
    return true;
}

static bool unpack(machine *m, uint32_t n)
{
    jinja_list *l;
    jinja_value v = *top(m);
    if (!ingle_jinja_elements(m->r, &v, &l)) return false;
    if (l->n != n)
        return JINJA_REFUSE(m->r, "%s values to unpack (expected %u, got %u)",
                            l->n < n ? "not enough" : "too many", (unsigned)n, (unsigned)l->n);
    m->n_stack--;
    for (uint32_t i = n; i-- > 0;)
        if (!push(m, l->item[i])) return false;
    return true;
}

/* ---- loops ----------------------------------------------------------------------------------- */

static bool begin_loop(machine *m, const jinja_ins *ins)
{
    jinja_render *r = m->r;
    jinja_loop *l = ingle_jinja_new(&r->heap, sizeof *l);
    if (!l) return ingle_jinja_fail_memory(r);
    if (m->n_loops == MAX_LOOPS)
        return ingle_jinja_fail(r, INGLE_EUNSUPPORTED, "too many loops in one another");
    if (!ingle_grow(&m->loops, &m->cap_loops, m->n_loops + 1, sizeof l))
        return ingle_jinja_fail_memory(r);
    bool recursive = ins->b & JINJA_FOR_RECURSIVE;
    const activation *call = m->n_calls ? &m->calls[m->n_calls - 1] : NULL;
    bool called = recursive && call && call->loop && call->n_loops == m->n_loops;
    *l = (jinja_loop){.depth = 1,
                      .env = m->frame,
                      .scope = ins->a,
                      .entry = recursive ? m->pc : UINT32_MAX,
                      .prefilter = ins->b & JINJA_FOR_PREFILTER,
                      .filtering = ins->b & JINJA_FOR_FILTERED,
                      .marking = !m->n_loops && !r->n_captures,
                      .n_marks = r->n_marks,
                      .n_out = r->out.n};
    if (called) l->depth = m->loop_depth;
    if (!ingle_jinja_elements(r, top(m), &l->list)) return false;
    l->n = l->list->n;
    m->n_stack--;
    if (l->prefilter && !(l->kept = ingle_jinja_list_new(r, 0))) return false;
    if (!(l->frame = new_frame(m, ins->a, m->frame))) return false;
    m->loops[m->n_loops++] = l;
    return true;
}

/* What the loop wrote for the element it took last, if that is one of the caller's messages. */
static bool mark(machine *m, jinja_loop *l)
{
    jinja_render *r = m->r;
    if (!l->marking || !l->in_turn || l->kept || l->i > l->list->n) return true;
    l->in_turn = false;
    const jinja_value *v = &l->list->item[l->i - 1];
    if (v->kind != JINJA_DICT || !v->u.dict->message) return true;
    if (!ingle_grow(&r->marks, &r->cap_marks, r->n_marks + 1, sizeof *r->marks))
        return ingle_jinja_fail_memory(r);
    r->marks[r->n_marks++] =
        (ingle_jinja_mark){.offset = r->out.n, .i_message = v->u.dict->message - 1};
    return true;
}

/* Marks of a loop that ended: kept if they are what they should be, in place of earlier ones unless
 * they go on from those. */
static void settle_marks(jinja_render *r, const jinja_loop *l)
{
    bool good = r->out.n > l->n_out && r->n_marks > l->n_marks;
    for (size_t i = l->n_marks + 1; i < r->n_marks; i++)
        good &= r->marks[i].i_message > r->marks[i - 1].i_message;
    bool goes_on =
        good && l->n_marks && r->marks[l->n_marks].i_message > r->marks[l->n_marks - 1].i_message;
    if (good && l->n_marks && !goes_on) {
        memmove(r->marks, r->marks + l->n_marks, (r->n_marks - l->n_marks) * sizeof *r->marks);
        r->n_marks -= l->n_marks;
    } else if (!good) {
        r->n_marks = l->n_marks;
    }
}

/* A fresh frame for the next turn: another one if a macro may keep it. */
static bool refresh(machine *m, jinja_loop *l)
{
    const jinja_scope *s = &m->j->scopes[l->scope];
    if (s->captured && l->i && !(l->frame = new_frame(m, l->scope, l->env))) return false;
    if (!s->captured)
        for (uint32_t i = 0; i < s->n_slots; i++) l->frame->slot[i].kind = JINJA_MISSING;
    l->frame->slot[JINJA_LOOP_SLOT] =
        (jinja_value){.kind = JINJA_LOOP, .trusted = true, .u.loop = l};
    m->frame = l->frame;
    return ingle_jinja_burn(m->r, s->n_slots / 4);
}

static bool next_element(machine *m, const jinja_ins *ins)
{
    jinja_loop *l = m->loops[m->n_loops - 1];
    if (!mark(m, l)) return false;
    if (l->i >= l->list->n && l->kept) { /* all were asked: now those that passed */
        l->list = l->kept;
        l->n = l->kept->n;
        l->kept = NULL;
        l->i = 0;
        l->in_turn = false;
    }
    if (l->i >= l->list->n) {
        jump(m, ins);
        return true;
    }
    if (!refresh(m, l)) return false;
    if (!l->filtering) l->iterated = true;
    l->in_turn = !l->filtering;
    return push(m, l->list->item[l->i++]);
}

static bool pass(machine *m, const jinja_ins *ins)
{
    jinja_loop *l = m->loops[m->n_loops - 1];
    bool passes;
    if (!ingle_jinja_truth(m->r, top(m), &passes)) return false;
    m->n_stack--;
    if (l->kept) {
        if (passes && !ingle_jinja_list_add(m->r, l->kept, l->list->item[l->i - 1])) return false;
        jump(m, ins);
    } else if (l->prefilter || passes) {
        l->iterated = l->in_turn = true;
    } else {
        jump(m, ins);
    }
    return true;
}

static bool leave_loop(machine *m, const jinja_ins *ins)
{
    jinja_loop *l = m->loops[m->n_loops - 1];
    if (!mark(m, l)) return false; /* after `break` the last turn has none yet */
    if (l->marking) settle_marks(m->r, l);
    m->frame = l->env;
    m->n_loops--;
    if (l->iterated && ins->b) jump(m, ins);
    return true;
}

/* ---- captures -------------------------------------------------------------------------------- */

static bool capture(machine *m)
{
    if (!ingle_grow(&m->cuts, &m->cap_cuts, m->n_cuts + 1, sizeof *m->cuts))
        return ingle_jinja_fail_memory(m->r);
    m->cuts[m->n_cuts++] = ingle_jinja_text_begin(m->r);
    m->r->n_captures++;
    return true;
}

static bool captured(machine *m)
{
    jinja_value v;
    m->r->n_captures--;
    return ingle_jinja_text_end(m->r, m->cuts[--m->n_cuts], &v) && push(m, v);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Goes to `entry`; what is printed there becomes the result. */
static bool activate(machine *m, uint32_t entry, jinja_frame *frame, size_t n_stack, bool loop)
{
    if (m->n_calls == m->max_calls)
        return ingle_jinja_fail(m->r, INGLE_EUNSUPPORTED, "more than %zu macros in one another",
                                m->max_calls);
    if (!ingle_grow(&m->calls, &m->cap_calls, m->n_calls + 1, sizeof *m->calls))
        return ingle_jinja_fail_memory(m->r);
    m->calls[m->n_calls++] = (activation){m->next, m->frame, n_stack, m->n_loops, m->n_cuts, loop};
    m->n_stack = n_stack;
    m->frame = frame;
    m->next = entry;
    return capture(m);
}

static bool finish_call(machine *m)
{
    activation a = m->calls[--m->n_calls];
    m->next = a.back;
    m->frame = a.frame;
    m->n_stack = a.n_stack;
    return captured(m);
}

static bool set_param(jinja_render *r, const jinja_macro *macro, jinja_frame *f,
                      const jinja_str *name, const jinja_value *v, jinja_dict *kwargs)
{
    for (uint32_t i = 0; i < macro->n_params; i++) {
        if (!ingle_jinja_str_same(macro->param[i], name)) continue;
        if (f->slot[i].kind != JINJA_MISSING)
            return JINJA_REFUSE(r, "macro '%.*s' got argument '%.*s' twice", (int)macro->name->n,
                                macro->name->p, (int)name->n, name->p);
        f->slot[i] = *v;
        return true;
    }
    jinja_value key = ingle_jinja_of_str((jinja_str *)name);
    if (kwargs) return ingle_jinja_dict_set(r, kwargs, &key, v);
    return JINJA_REFUSE(r, "macro '%.*s' takes no keyword argument '%.*s'", (int)macro->name->n,
                        macro->name->p, (int)name->n, name->p);
}

/* Positional arguments beyond the parameters. */
static bool set_varargs(machine *m, const jinja_macro *macro, jinja_frame *f, const jinja_call *c)
{
    if (c->n_args > macro->n_params && macro->varargs == JINJA_NO_SLOT)
        return JINJA_REFUSE(m->r, "macro '%.*s' takes not more than %u argument(s)",
                            (int)macro->name->n, macro->name->p, (unsigned)macro->n_params);
    if (macro->varargs == JINJA_NO_SLOT) return true;
    jinja_list *l = ingle_jinja_list_new(m->r, 0);
    if (!l) return false;
    for (uint32_t i = macro->n_params; i < c->n_args; i++)
        if (!ingle_jinja_list_add(m->r, l, c->arg[i])) return false;
    f->slot[macro->varargs] = ingle_jinja_of_list(JINJA_TUPLE, l, true);
    return true;
}

static bool set_caller(machine *m, const jinja_macro *macro, jinja_frame *f,
                       const jinja_value *caller)
{
    static const char why[] = "No caller defined";
    if (macro->caller == JINJA_NO_SLOT)
        return !caller || JINJA_REFUSE(m->r,
                                       "macro '%.*s' was invoked with two values for the "
                                       "special caller argument",
                                       (int)macro->name->n, macro->name->p);
    jinja_value *slot = &f->slot[macro->caller], text;
    if (slot->kind != JINJA_MISSING) return true;
    if (caller) {
        *slot = *caller;
        return true;
    }
    if (!ingle_jinja_str_view(m->r, why, sizeof why - 1, true, &text)) return false;
    *slot = (jinja_value){.kind = JINJA_UNDEFINED, .detail = JINJA_LACK_TEXT, .u.str = text.u.str};
    return true;
}

static bool call_macro(machine *m, const jinja_closure *closure, const jinja_call *c,
                       const jinja_value *caller, size_t n_stack)
{
    const jinja_macro *macro = closure->macro;
    jinja_frame *f = new_frame(m, macro->scope, closure->env);
    jinja_dict *kwargs = NULL;
    if (!f || !set_varargs(m, macro, f, c)) return false;
    for (uint32_t i = 0; i < c->n_args && i < macro->n_params; i++) f->slot[i] = c->arg[i];
    if (macro->kwargs != JINJA_NO_SLOT) {
        if (!(kwargs = ingle_jinja_dict_new(m->r, 0))) return false;
        f->slot[macro->kwargs] =
            (jinja_value){.kind = JINJA_DICT, .trusted = true, .u.dict = kwargs};
    }
    for (uint32_t i = 0; i < c->n_kw; i++) {
        jinja_value name = ingle_jinja_of_str(c->kw_name[i]);
        if (macro->caller != JINJA_NO_SLOT && ingle_jinja_is_str(&name, "caller"))
            f->slot[macro->caller] = c->kw[i];
        else if (!set_param(m->r, macro, f, c->kw_name[i], &c->kw[i], kwargs)) return false;
    }
    return set_caller(m, macro, f, caller) && activate(m, macro->entry, f, n_stack, false);
}

/* loop(...) of a recursive loop. */
static bool call_loop(machine *m, const jinja_loop *l, const jinja_call *c, size_t n_stack)
{
    jinja_value iterable;
    if (l->entry == UINT32_MAX)
        return JINJA_REFUSE(m->r, "Tried to call non recursive loop. Maybe you forgot the "
                                  "'recursive' modifier.");
    if (c->n_args != 1 || c->n_kw) return JINJA_REFUSE(m->r, "loop() takes one argument");
    iterable = c->arg[0];
    if (!activate(m, l->entry, l->env, n_stack, true)) return false;
    m->loop_depth = l->depth + 1;
    return push(m, iterable);
}

/* The result, or the beginning of a macro, in place of all from n_stack on. */
static bool call_value(machine *m, const jinja_value *f, const jinja_call *c,
                       const jinja_value *caller, size_t n_stack)
{
    jinja_value out;
    jinja_value with_self[256];
    switch (f->kind) {
    case JINJA_MACRO: return call_macro(m, f->u.closure, c, caller, n_stack);
    case JINJA_LOOP: return call_loop(m, f->u.loop, c, n_stack);
    case JINJA_FUNC:
        if (!ingle_jinja_call_builtin(m->r, ingle_jinja_function_at(f->number), c, 0, &out))
            return false;
        break;
    case JINJA_METHOD: {
        jinja_call bound = *c;
        with_self[0] = f->u.bound->self;
        memcpy(with_self + 1, c->arg, c->n_args * sizeof *c->arg);
        bound.arg = with_self;
        bound.n_args++;
        if (!ingle_jinja_call_builtin(m->r, f->u.bound->method, &bound, 1, &out)) return false;
        break;
    }
    case JINJA_JOINER: {
        jinja_list *l = f->u.list; /* the separator; whether it was called */
        if (l->next) out = l->item[0];
        else if (!ingle_jinja_str_view(m->r, "", 0, true, &out)) return false;
        l->next = 1;
        break;
    }
    case JINJA_UNDEFINED: return ingle_jinja_fail_undefined(m->r, f);
    default: return JINJA_REFUSE(m->r, "'%s' object is not callable", ingle_jinja_type_name(f));
    }
    m->n_stack = n_stack;
    return push(m, out);
}

static jinja_call call_of(machine *m, const jinja_shape *s)
{
    size_t n = (size_t)s->n_args + s->n_kw;
    const jinja_value *arg = &m->stack[m->n_stack - n];
    return (jinja_call){
        .arg = arg, .n_args = s->n_args, .kw = arg + s->n_args, .kw_name = s->kw, .n_kw = s->n_kw};
}

static bool op_call(machine *m, const jinja_ins *ins, bool method)
{
    const jinja_shape *s = &m->j->shapes[ins->a];
    jinja_call c = call_of(m, s);
    size_t at = m->n_stack - s->n_args - s->n_kw - 1, n_stack = at - s->caller;
    jinja_value f = m->stack[at], caller, out;
    if (s->caller) caller = m->stack[at - 1];
    if (method) {
        const jinja_builtin *b = ingle_jinja_method(&f, s->name->p, s->name->n);
        if (b) { /* the subject is the first argument already */
            c.arg--;
            c.n_args++;
            if (!ingle_jinja_call_builtin(m->r, b, &c, 1, &out)) return false;
            m->n_stack = n_stack;
            return push(m, out);
        }
        jinja_value self = f;
        if (!ingle_jinja_attr(m->r, &self, s->name, &f)) return false;
    }
    return call_value(m, &f, &c, s->caller ? &caller : NULL, n_stack);
}

static bool op_filter(machine *m, const jinja_ins *ins, bool test)
{
    const jinja_shape *s = &m->j->shapes[ins->a];
    jinja_call c = call_of(m, s);
    jinja_value out;
    c.arg--;
    c.n_args++;
    if (!ingle_jinja_call_builtin(m->r, s->builtin, &c, 1, &out)) return false;
    if (test && ins->b) out.u.b = !out.u.b;
    m->n_stack -= (size_t)s->n_args + s->n_kw;
    *top(m) = out;
    return true;
}

/* ---- instructions ---------------------------------------------------------------------------- */

static bool op_math(machine *m, const jinja_ins *ins)
{
    jinja_value out;
    if (!ingle_jinja_math(m->r, (jinja_math)ins->b, top(m) - 1, top(m), &out)) return false;
    m->n_stack--;
    *top(m) = out;
    return true;
}

static bool op_concat(machine *m)
{
    jinja_value a, b, out;
    if (!ingle_jinja_to_str(m->r, top(m) - 1, &a) || !ingle_jinja_to_str(m->r, top(m), &b) ||
        !ingle_jinja_str_join(m->r, a.u.str, b.u.str, &out))
        return false;
    m->n_stack--;
    *top(m) = out;
    return true;
}

static bool op_compare(machine *m, const jinja_ins *ins, bool keep)
{
    jinja_value out;
    if (!ingle_jinja_compare(m->r, (jinja_comparison)ins->b, top(m) - 1, top(m), &out))
        return false;
    if (keep) {
        top(m)[-1] = *top(m);
        *top(m) = out;
        return true;
    }
    m->n_stack--;
    *top(m) = out;
    return true;
}

static bool op_not(machine *m)
{
    bool truth;
    if (!ingle_jinja_truth(m->r, top(m), &truth)) return false;
    *top(m) = ingle_jinja_bool(!truth, ingle_jinja_is_trusted(top(m)));
    return true;
}

/* Jumps if the top is `when`; it stays there then. */
static bool op_keep(machine *m, const jinja_ins *ins, bool when)
{
    bool truth;
    if (!ingle_jinja_truth(m->r, top(m), &truth)) return false;
    if (truth == when) jump(m, ins);
    else m->n_stack--;
    return true;
}

static bool op_jump_false(machine *m, const jinja_ins *ins)
{
    bool truth;
    if (!ingle_jinja_truth(m->r, top(m), &truth)) return false;
    m->n_stack--;
    if (!truth) jump(m, ins);
    return true;
}

static bool op_new_list(machine *m, jinja_kind kind, bool of_top)
{
    jinja_list *l = ingle_jinja_list_new(m->r, 0);
    if (!l || (of_top && !ingle_jinja_list_add(m->r, l, *top(m)))) return false;
    jinja_value v = ingle_jinja_of_list(kind, l, true);
    if (!of_top) return push(m, v);
    *top(m) = v;
    return true;
}

static bool op_new_dict(machine *m)
{
    jinja_dict *d = ingle_jinja_dict_new(m->r, 0);
    return d && push(m, (jinja_value){.kind = JINJA_DICT, .trusted = true, .u.dict = d});
}

static bool op_item(machine *m)
{
    jinja_value out;
    if (!ingle_jinja_item(m->r, top(m) - 1, top(m), &out)) return false;
    m->n_stack--;
    *top(m) = out;
    return true;
}

static bool op_attr(machine *m, const jinja_ins *ins)
{
    jinja_value out;
    if (!ingle_jinja_attr(m->r, top(m), m->j->names[ins->a], &out)) return false;
    *top(m) = out;
    return true;
}

static bool op_slice(machine *m)
{
    jinja_value out;
    if (!ingle_jinja_slice(m->r, top(m) - 3, top(m) - 2, &out)) return false;
    m->n_stack -= 3;
    *top(m) = out;
    return true;
}

static bool op_macro(machine *m, const jinja_ins *ins)
{
    jinja_closure *c = ingle_jinja_new(&m->r->heap, sizeof *c);
    if (!c) return ingle_jinja_fail_memory(m->r);
    *c = (jinja_closure){&m->j->macros[ins->a], m->frame};
    return push(m, (jinja_value){.kind = JINJA_MACRO, .trusted = true, .u.closure = c});
}

static bool op_print(machine *m)
{
    if (!ingle_jinja_put_value(m->r, top(m))) return false;
    m->n_stack--;
    return true;
}

static bool op_unknown(machine *m, const jinja_ins *ins)
{
    const jinja_str *s = m->j->names[ins->a];
    return JINJA_REFUSE(m->r, "there is no %s named '%.*s'", ins->b ? "test" : "filter", (int)s->n,
                        s->p);
}

/* A recursive loop ended at this level: if loop() called it, back there. */
static bool op_looped(machine *m)
{
    if (!m->n_calls) return true;
    const activation *a = &m->calls[m->n_calls - 1];
    return !a->loop || a->n_loops != m->n_loops || a->n_cuts + 1 != m->n_cuts || finish_call(m);
}

static bool step(machine *m, const jinja_ins *ins)
{
    const jinja_value *c;
    switch ((jinja_op)ins->op) {
    case JINJA_OP_END: return true;
    case JINJA_OP_TEXT:
        c = &m->j->consts[ins->a];
        return ingle_jinja_put(m->r, c->u.str->p, c->u.str->n, true);
    case JINJA_OP_PRINT: return op_print(m);
    case JINJA_OP_CONST: return push(m, m->j->consts[ins->a]);
    case JINJA_OP_POP: m->n_stack--; return true;
    case JINJA_OP_NIP:
        top(m)[-1] = *top(m);
        m->n_stack--;
        return true;
    case JINJA_OP_LOCAL: return load_local(m, ins);
    case JINJA_OP_LOOKUP: return load_lookup(m, ins);
    case JINJA_OP_GLOBAL: return load_global(m, ins->a);
    case JINJA_OP_STORE:
        m->frame->slot[ins->c] = *top(m);
        m->n_stack--;
        return true;
    case JINJA_OP_STORE_ATTR: return store_attr(m, ins);
    case JINJA_OP_UNPACK: return unpack(m, ins->a);
    case JINJA_OP_NOT: return op_not(m);
    case JINJA_OP_NEG:
    case JINJA_OP_POS: return ingle_jinja_negate(m->r, top(m), ins->op == JINJA_OP_NEG, top(m));
    case JINJA_OP_MATH: return op_math(m, ins);
    case JINJA_OP_CONCAT: return op_concat(m);
    case JINJA_OP_COMPARE: return op_compare(m, ins, false);
    case JINJA_OP_COMPARE_KEEP: return op_compare(m, ins, true);
    case JINJA_OP_JUMP: jump(m, ins); return true;
    case JINJA_OP_JUMP_FALSE: return op_jump_false(m, ins);
    case JINJA_OP_FALSE_KEEP: return op_keep(m, ins, false);
    case JINJA_OP_TRUE_KEEP: return op_keep(m, ins, true);
    case JINJA_OP_ATTR: return op_attr(m, ins);
    case JINJA_OP_ITEM: return op_item(m);
    case JINJA_OP_SLICE: return op_slice(m);
    case JINJA_OP_LIST: return op_new_list(m, JINJA_LIST, false);
    case JINJA_OP_TUPLE: return op_new_list(m, JINJA_TUPLE, false);
    case JINJA_OP_TUPLE_OF: return op_new_list(m, JINJA_TUPLE, true);
    case JINJA_OP_ADD:
        return ingle_jinja_list_add(m->r, top(m)[-1].u.list, *top(m)) && m->n_stack--;
    case JINJA_OP_DICT: return op_new_dict(m);
    case JINJA_OP_ADD_PAIR:
        if (!ingle_jinja_dict_set(m->r, top(m)[-2].u.dict, top(m) - 1, top(m))) return false;
        m->n_stack -= 2;
        return true;
    case JINJA_OP_CALL: return op_call(m, ins, false);
    case JINJA_OP_METHOD: return op_call(m, ins, true);
    case JINJA_OP_FILTER: return op_filter(m, ins, false);
    case JINJA_OP_TEST: return op_filter(m, ins, true);
    case JINJA_OP_UNKNOWN: return op_unknown(m, ins);
    case JINJA_OP_FOR: return begin_loop(m, ins);
    case JINJA_OP_NEXT: return next_element(m, ins);
    case JINJA_OP_PASS: return pass(m, ins);
    case JINJA_OP_LEAVE: return leave_loop(m, ins);
    case JINJA_OP_LOOPED: return op_looped(m);
    case JINJA_OP_SCOPE: return enter(m, ins->a);
    case JINJA_OP_UNSCOPE: m->frame = m->frame->up; return true;
    case JINJA_OP_CAPTURE: return capture(m);
    case JINJA_OP_CAPTURED: return captured(m);
    case JINJA_OP_MACRO: return op_macro(m, ins);
    case JINJA_OP_DEFAULT:
        if (m->frame->slot[ins->c].kind != JINJA_MISSING) jump(m, ins);
        return true;
    case JINJA_OP_RETURN: return finish_call(m);
    }
    return false;
}

bool ingle_jinja_run(jinja_render *r, size_t max_calls, size_t *line)
{
    machine m = {.r = r, .j = r->program, .max_calls = max_calls};
    bool ok = enter(&m, 0);
    while (ok && m.j->code[m.pc].op != JINJA_OP_END) {
        const jinja_ins *ins = &m.j->code[m.pc];
        m.next = m.pc + 1;
        ok = ingle_jinja_burn(r, 1) && step(&m, ins);
        if (ok) m.pc = m.next;
    }
    *line = m.j->line[m.pc];
    free(m.stack);
    free(m.calls);
    free(m.loops);
    free(m.cuts);
    return ok;
}
