/* jinja_code.c - see jinja_code.h. */
#include "chat/jinja_code.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- failing --------------------------------------------------------------------------------- */

void ingle_jinja_syntax(jinja_compiler *c, const char *format, ...)
{
    char text[200];
    va_list args;
    if (c->status) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->status = ingle_fail(c->err, INGLE_EFORMAT, "line %u: %s",
                           (unsigned)ingle_jinja_token(c)->line, text);
}

void ingle_jinja_unsupported(jinja_compiler *c, const char *what)
{
    if (c->status) return;
    c->status = ingle_fail(c->err, INGLE_EUNSUPPORTED, "line %u: %s",
                           (unsigned)ingle_jinja_token(c)->line, what);
}

void ingle_jinja_no_memory(jinja_compiler *c)
{
    if (c->status) return;
    if (c->j->arena.full) ingle_jinja_unsupported(c, "the template's program is too large");
    else
        c->status =
            ingle_fail(c->err, INGLE_ENOMEM, "no memory for a template of %zu bytes", c->t.n_text);
}

/* ---- tokens ---------------------------------------------------------------------------------- */

bool ingle_jinja_is_name(const jinja_compiler *c, const char *name)
{
    const jinja_token *t = ingle_jinja_token(c);
    size_t n = strlen(name);
    return t->kind == JINJA_T_NAME && t->n == n && !memcmp(c->t.text + t->at, name, n);
}

bool ingle_jinja_take(jinja_compiler *c, jinja_token_kind kind)
{
    if (!ingle_jinja_is(c, kind)) return false;
    if (kind != JINJA_T_END) c->pos++;
    return true;
}

bool ingle_jinja_take_name(jinja_compiler *c, const char *name)
{
    if (!ingle_jinja_is_name(c, name)) return false;
    c->pos++;
    return true;
}

void ingle_jinja_expect(jinja_compiler *c, jinja_token_kind kind)
{
    char due[64], found[64];
    jinja_token token = {.kind = (uint32_t)kind};
    if (ingle_jinja_take(c, kind)) return;
    if (kind == JINJA_T_NAME) strcpy(due, "a name");
    else ingle_jinja_token_text(&c->t, &token, due);
    ingle_jinja_syntax(c, "%s should be here, not %s", due,
                       ingle_jinja_token_text(&c->t, ingle_jinja_token(c), found));
}

void ingle_jinja_push(jinja_compiler *c, jinja_goal goal)
{
    if (c->status) return;
    if (c->n_goals == c->max_goals) {
        ingle_jinja_unsupported(c, "too many blocks, brackets and operators in one another");
    } else if (c->n_goals == c->cap_goals &&
               !ingle_grow(&c->goals, &c->cap_goals, c->n_goals + 1, sizeof goal)) {
        ingle_jinja_no_memory(c);
    } else {
        c->goals[c->n_goals++] = goal;
    }
}

/* ---- instructions ---------------------------------------------------------------------------- */

uint32_t ingle_jinja_emit(jinja_compiler *c, jinja_op op, unsigned b, unsigned slot, uint32_t a)
{
    ingle_jinja *j = c->j;
    if (c->status) return 0;
    if (j->n_code > j->arena.max / (sizeof *j->code + sizeof *j->line)) {
        ingle_jinja_unsupported(c, "the template's program is too large");
        return 0;
    }
    if (!ingle_grow(&j->code, &c->cap_code, j->n_code + 1, sizeof *j->code) ||
        !ingle_grow(&j->line, &c->cap_lines, j->n_code + 1, sizeof *j->line)) {
        ingle_jinja_no_memory(c);
        return 0;
    }
    size_t token = c->pos ? c->pos - 1 : 0; /* what was read last */
    j->line[j->n_code] = c->t.token[token].line;
    j->code[j->n_code] = (jinja_ins){(uint8_t)op, (uint8_t)b, (uint16_t)slot, a};
    return (uint32_t)j->n_code++;
}

void ingle_jinja_aim(jinja_compiler *c, uint32_t from, uint32_t to)
{
    if (!c->status) c->j->code[from].a = to - from;
}

void ingle_jinja_land(jinja_compiler *c, uint32_t from)
{
    ingle_jinja_aim(c, from, ingle_jinja_here(c));
    c->landed = ingle_jinja_here(c);
}

static void reverse(ingle_jinja *j, uint32_t from, uint32_t to)
{
    for (; from + 1 < to; from++, to--) {
        jinja_ins ins = j->code[from];
        uint32_t line = j->line[from];
        j->code[from] = j->code[to - 1];
        j->line[from] = j->line[to - 1];
        j->code[to - 1] = ins;
        j->line[to - 1] = line;
    }
}

void ingle_jinja_rotate(jinja_compiler *c, uint32_t x, uint32_t y, uint32_t z)
{
    if (c->status) return;
    reverse(c->j, x, y);
    reverse(c->j, y, z);
    reverse(c->j, x, z);
}

/* ---- constants and names --------------------------------------------------------------------- */

bool ingle_jinja_make_str(jinja_compiler *c, const char *p, size_t n, jinja_value *out)
{
    jinja_str *s = c->status ? NULL : ingle_jinja_new(&c->j->arena, sizeof *s);
    if (!s) {
        ingle_jinja_no_memory(c);
        return false;
    }
    uint32_t n_chars = 0;
    for (size_t i = 0; i < n; i++) n_chars += ((unsigned char)p[i] & 0xc0) != 0x80;
    *s = (jinja_str){p, (uint32_t)n, n_chars, 1, true, NULL};
    *out = (jinja_value){.kind = JINJA_STR, .trusted = true, .u.str = s};
    return true;
}

void ingle_jinja_emit_const(jinja_compiler *c, jinja_value v)
{
    ingle_jinja *j = c->j;
    if (c->status) return;
    if (!ingle_grow(&j->consts, &c->cap_consts, j->n_consts + 1, sizeof v)) {
        ingle_jinja_no_memory(c);
        return;
    }
    j->consts[j->n_consts++] = v;
    ingle_jinja_emit(c, JINJA_OP_CONST, 0, 0, (uint32_t)(j->n_consts - 1));
}

uint32_t ingle_jinja_name(jinja_compiler *c, const char *p, size_t n)
{
    ingle_jinja *j = c->j;
    uint64_t hash = ingle_map_hash(&c->name_map, p, n);
    uint32_t i = 0, id;
    jinja_value v;
    while ((id = ingle_map_next(&c->name_map, hash, &i)) != INGLE_NO_ID)
        if (j->names[id]->n == n && !memcmp(j->names[id]->p, p, n)) return id;
    if (!ingle_jinja_make_str(c, p, n, &v)) return 0;
    size_t cap = c->cap_names;
    if (!ingle_grow(&j->names, &c->cap_names, j->n_names + 1, sizeof *j->names) ||
        !ingle_grow(&c->global_of, &cap, j->n_names + 1, sizeof *c->global_of) ||
        !ingle_map_add(&c->name_map, hash, (uint32_t)j->n_names)) {
        ingle_jinja_no_memory(c);
        return 0;
    }
    c->global_of[j->n_names] = 0;
    j->names[j->n_names] = v.u.str;
    return (uint32_t)j->n_names++;
}

uint32_t ingle_jinja_name_here(jinja_compiler *c)
{
    const jinja_token *t = ingle_jinja_token(c);
    ingle_jinja_expect(c, JINJA_T_NAME);
    return c->status ? 0 : ingle_jinja_name(c, c->t.text + t->at, t->n);
}

uint32_t ingle_jinja_shape(jinja_compiler *c, const jinja_builtin *f, uint32_t name, size_t n_args,
                           size_t kw_base)
{
    ingle_jinja *j = c->j;
    size_t n_kw = c->n_kw - kw_base;
    if (n_args > 200 || n_kw > 50) ingle_jinja_unsupported(c, "too many arguments");
    if (c->status) return 0;
    jinja_str **kw = n_kw ? ingle_jinja_new(&j->arena, n_kw * sizeof *kw) : NULL;
    if ((n_kw && !kw) ||
        !ingle_grow(&j->shapes, &c->cap_shapes, j->n_shapes + 1, sizeof *j->shapes)) {
        ingle_jinja_no_memory(c);
        return 0;
    }
    for (size_t i = 0; i < n_kw; i++) {
        kw[i] = j->names[c->kw[kw_base + i]];
        for (size_t k = 0; k < i; k++)
            if (kw[k] == kw[i]) ingle_jinja_syntax(c, "a keyword is there twice");
    }
    c->n_kw = kw_base;
    j->shapes[j->n_shapes] = (jinja_shape){.name = j->n_names ? j->names[name] : NULL,
                                           .builtin = f,
                                           .n_args = (uint8_t)n_args,
                                           .n_kw = (uint8_t)n_kw,
                                           .kw = kw};
    return (uint32_t)j->n_shapes++;
}

/* ---- scopes ---------------------------------------------------------------------------------- */

uint32_t ingle_jinja_scope_open(jinja_compiler *c)
{
    ingle_jinja *j = c->j;
    if (c->status) return 0;
    if (j->n_scopes == (1u << 24) - 1 ||
        !ingle_grow(&j->scopes, &c->cap_scopes, j->n_scopes + 1, sizeof *j->scopes)) {
        ingle_jinja_no_memory(c);
        return 0;
    }
    j->scopes[j->n_scopes] = (jinja_scope){.up = c->scope};
    c->scope = (uint32_t)j->n_scopes++;
    return c->scope;
}

void ingle_jinja_scope_close(jinja_compiler *c)
{
    if (!c->status) c->scope = c->j->scopes[c->scope].up;
}

static jinja_slot *find_slot(const jinja_compiler *c, uint32_t scope, uint32_t name)
{
    uint64_t hash = ingle_map_hash_number(&c->slot_map, (uint64_t)scope << 32 | name);
    uint32_t i = 0, id;
    while ((id = ingle_map_next(&c->slot_map, hash, &i)) != INGLE_NO_ID)
        if (c->slots[id].scope == scope && c->slots[id].name == name) return &c->slots[id];
    return NULL;
}

uint16_t ingle_jinja_slot(jinja_compiler *c, uint32_t scope, uint32_t name, bool always)
{
    if (c->status) return 0;
    jinja_slot *s = find_slot(c, scope, name);
    if (s) {
        s->always |= always;
        return s->slot;
    }
    jinja_scope *sc = &c->j->scopes[scope];
    uint64_t hash = ingle_map_hash_number(&c->slot_map, (uint64_t)scope << 32 | name);
    if (sc->n_slots >= JINJA_NO_SLOT - 1) {
        ingle_jinja_unsupported(c, "too many variables");
        return 0;
    }
    if (!ingle_grow(&c->slots, &c->cap_slots, c->n_slots + 1, sizeof *c->slots) ||
        !ingle_map_add(&c->slot_map, hash, (uint32_t)c->n_slots)) {
        ingle_jinja_no_memory(c);
        return 0;
    }
    c->slots[c->n_slots++] = (jinja_slot){scope, name, (uint16_t)sc->n_slots, always};
    return (uint16_t)sc->n_slots++;
}

void ingle_jinja_emit_load(jinja_compiler *c, uint32_t name)
{
    static const char *const watched[] = {"caller", "varargs", "kwargs", "loop"};
    if (c->status) return;
    const jinja_str *s = c->j->names[name];
    for (int i = 0; i < JINJA_N_READS; i++)
        if (s->n == strlen(watched[i]) && !memcmp(s->p, watched[i], s->n)) c->reads[i]++;
    ingle_jinja_emit(c, JINJA_OP_LOOKUP, c->scope >> 16, c->scope & 0xffff, name);
}

void ingle_jinja_emit_store(jinja_compiler *c, uint32_t name)
{
    ingle_jinja_emit(c, JINJA_OP_STORE, 0, ingle_jinja_slot(c, c->scope, name, false), 0);
}

uint32_t ingle_jinja_macro(jinja_compiler *c, uint32_t name)
{
    ingle_jinja *j = c->j;
    if (c->status) return 0;
    if (!ingle_grow(&j->macros, &c->cap_macros, j->n_macros + 1, sizeof *j->macros)) {
        ingle_jinja_no_memory(c);
        return 0;
    }
    for (uint32_t s = c->scope; !j->scopes[s].captured; s = j->scopes[s].up)
        j->scopes[s].captured = true;
    j->macros[j->n_macros] = (jinja_macro){.name = j->names[name],
                                           .caller = JINJA_NO_SLOT,
                                           .varargs = JINJA_NO_SLOT,
                                           .kwargs = JINJA_NO_SLOT};
    return (uint32_t)j->n_macros++;
}

/* ---- where names are ------------------------------------------------------------------------- */

static uint32_t global_of(jinja_compiler *c, uint32_t name)
{
    ingle_jinja *j = c->j;
    if (!c->global_of[name]) {
        if (!ingle_grow(&j->globals, &c->cap_globals, j->n_globals + 1, sizeof *j->globals)) {
            ingle_jinja_no_memory(c);
            return 0;
        }
        j->globals[j->n_globals++] = name;
        c->global_of[name] = (uint32_t)j->n_globals;
    }
    return c->global_of[name] - 1;
}

/* Scopes from `scope` outwards that set the name; the last one may always do so: nothing beyond it
 * counts. */
static size_t find_places(const jinja_compiler *c, uint32_t scope, uint32_t name,
                          jinja_reference *ref, bool *found)
{
    size_t n = 0, hops = 0;
    *found = false;
    for (;; hops++) {
        const jinja_slot *s = find_slot(c, scope, name);
        if (s) {
            if (ref) {
                ref->at[n].hops = (uint16_t)hops;
                ref->at[n].slot = s->slot;
            }
            n++;
            *found = s->always;
            if (s->always) break;
        }
        if (!scope) break;
        scope = c->j->scopes[scope].up;
    }
    return n;
}

static void resolve_one(jinja_compiler *c, jinja_ins *ins, uint32_t *last_scope, uint32_t *last_ref)
{
    ingle_jinja *j = c->j;
    uint32_t scope = (uint32_t)ins->b << 16 | ins->c, name = ins->a;
    bool found;
    size_t n = find_places(c, scope, name, NULL, &found);
    if (!n) {
        *ins = (jinja_ins){.op = JINJA_OP_GLOBAL, .a = global_of(c, name)};
        return;
    }
    if (last_scope[name] == scope + 1) {
        *ins = (jinja_ins){.op = JINJA_OP_LOOKUP, .a = last_ref[name]};
        return;
    }
    jinja_reference *ref = ingle_jinja_new(&j->arena, sizeof *ref + n * sizeof ref->at[0]);
    if (!ref || !ingle_grow(&j->refs, &c->cap_refs, j->n_refs + 1, sizeof *j->refs)) {
        ingle_jinja_no_memory(c);
        return;
    }
    find_places(c, scope, name, ref, &found);
    if (found && n == 1 && ref->at[0].hops < 256) {
        *ins =
            (jinja_ins){.op = JINJA_OP_LOCAL, .b = (uint8_t)ref->at[0].hops, .c = ref->at[0].slot};
        return;
    }
    ref->n = (uint32_t)n;
    ref->global = found ? UINT32_MAX : global_of(c, name);
    last_scope[name] = scope + 1;
    last_ref[name] = (uint32_t)j->n_refs;
    j->refs[j->n_refs++] = ref;
    *ins = (jinja_ins){.op = JINJA_OP_LOOKUP, .a = last_ref[name]};
}

void ingle_jinja_resolve(jinja_compiler *c)
{
    if (c->status) return;
    uint32_t *last_scope = ingle_new(c->j->n_names, sizeof *last_scope);
    uint32_t *last_ref = ingle_new(c->j->n_names, sizeof *last_ref);
    if (!last_scope || !last_ref) ingle_jinja_no_memory(c);
    for (size_t i = 0; !c->status && i < c->j->n_code; i++)
        if (c->j->code[i].op == JINJA_OP_LOOKUP)
            resolve_one(c, &c->j->code[i], last_scope, last_ref);
    free(last_scope);
    free(last_ref);
}
