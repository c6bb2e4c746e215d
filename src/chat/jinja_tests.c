/* jinja_tests.c - tests, `x is NAME`; see jinja_builtin.h. */
#include "chat/jinja_args.h"
#include "chat/jinja_builtin.h"
#include "chat/jinja_ops.h"
#include "chat/jinja_string.h"

static bool answer(const jinja_call *c, bool yes, jinja_value *out)
{
    *out = ingle_jinja_bool(yes, ingle_jinja_is_trusted(&c->arg[0]));
    return true;
}

#define TEST(name, expression)                                                                     \
    static bool name(jinja_render *r, const jinja_call *c, jinja_value *out)                       \
    {                                                                                              \
        const jinja_value *v = &c->arg[0];                                                         \
        (void)r;                                                                                   \
        return answer(c, expression, out);                                                         \
    }

TEST(is_defined, v->kind != JINJA_UNDEFINED)
TEST(is_undefined, v->kind == JINJA_UNDEFINED)
TEST(is_none, v->kind == JINJA_NONE)
TEST(is_boolean, v->kind == JINJA_BOOL)
TEST(is_true, v->kind == JINJA_BOOL && v->u.b)
TEST(is_false, v->kind == JINJA_BOOL && !v->u.b)
TEST(is_integer, v->kind == JINJA_INT || v->kind == JINJA_BIG)
TEST(is_float, v->kind == JINJA_FLOAT)
TEST(is_number, ingle_jinja_is_number(v))
TEST(is_string, v->kind == JINJA_STR)
TEST(is_mapping, v->kind == JINJA_DICT)
TEST(is_iterable, ingle_jinja_can_iterate(v))
TEST(is_sequence, v->kind == JINJA_STR || v->kind == JINJA_LIST || v->kind == JINJA_TUPLE ||
                      v->kind == JINJA_DICT || v->kind == JINJA_RANGE || v->kind == JINJA_UNDEFINED)
TEST(is_callable, v->kind == JINJA_MACRO || v->kind == JINJA_FUNC || v->kind == JINJA_METHOD ||
                      v->kind == JINJA_LOOP || v->kind == JINJA_JOINER ||
                      v->kind == JINJA_UNDEFINED)
TEST(is_escaped, v->kind == JINJA_STR && v->safe)
TEST(is_filter, v->kind == JINJA_STR && r->builtins->filter(v->u.str->p, v->u.str->n))
TEST(is_test, v->kind == JINJA_STR && r->builtins->test(v->u.str->p, v->u.str->n))

TEST(is_lower, v->kind == JINJA_STR && ingle_jinja_has_case(v->u.str, false))
TEST(is_upper, v->kind == JINJA_STR && ingle_jinja_has_case(v->u.str, true))

static bool modulo(jinja_render *r, const jinja_call *c, int64_t by, int64_t want, jinja_value *out)
{
    jinja_value divisor = ingle_jinja_int(by, true), m;
    if (!ingle_jinja_math(r, JINJA_MOD, &c->arg[0], &divisor, &m)) return false;
    return answer(c, m.kind == JINJA_INT ? m.u.i == want : m.u.f == (double)want, out);
}

static bool is_odd(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return modulo(r, c, 2, 1, out);
}

static bool is_even(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    return modulo(r, c, 2, 0, out);
}

static bool is_divisible(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    jinja_value m, zero = ingle_jinja_int(0, true);
    bool same;
    return ingle_jinja_math(r, JINJA_MOD, &c->arg[0], &c->arg[1], &m) &&
           ingle_jinja_equal(r, &m, &zero, &same) && answer(c, same, out);
}

static bool is_same(jinja_render *r, const jinja_call *c, jinja_value *out)
{
    (void)r;
    return answer(c,
                  c->arg[0].kind == c->arg[1].kind && c->arg[0].kind != JINJA_UNDEFINED &&
                      ingle_jinja_same_scalars(&c->arg[0], &c->arg[1]),
                  out);
}

#define COMPARE(name, op)                                                                          \
    static bool name(jinja_render *r, const jinja_call *c, jinja_value *out)                       \
    {                                                                                              \
        return ingle_jinja_compare(r, op, &c->arg[0], &c->arg[1], out);                            \
    }
COMPARE(is_eq, JINJA_EQ)
COMPARE(is_ne, JINJA_NE)
COMPARE(is_lt, JINJA_LT)
COMPARE(is_le, JINJA_LE)
COMPARE(is_gt, JINJA_GT)
COMPARE(is_ge, JINJA_GE)
COMPARE(is_in, JINJA_IN)

const jinja_builtin ingle_jinja_tests[] = {
    {"defined", "", 0, is_defined},     {"undefined", "", 0, is_undefined},
    {"none", "", 0, is_none},           {"string", "", 0, is_string},
    {"mapping", "", 0, is_mapping},     {"iterable", "", 0, is_iterable},
    {"sequence", "", 0, is_sequence},   {"boolean", "", 0, is_boolean},
    {"true", "", 0, is_true},           {"false", "", 0, is_false},
    {"integer", "", 0, is_integer},     {"float", "", 0, is_float},
    {"number", "", 0, is_number},       {"callable", "", 0, is_callable},
    {"escaped", "", 0, is_escaped},     {"filter", "", 0, is_filter},
    {"test", "", 0, is_test},           {"lower", "", 0, is_lower},
    {"upper", "", 0, is_upper},         {"odd", "", 0, is_odd},
    {"even", "", 0, is_even},           {"divisibleby", "num", 1, is_divisible},
    {"sameas", "other", 1, is_same},    {"in", "seq", 1, is_in},
    {"eq", "other", 1, is_eq},          {"==", "other", 1, is_eq},
    {"equalto", "other", 1, is_eq},     {"ne", "other", 1, is_ne},
    {"!=", "other", 1, is_ne},          {"lt", "other", 1, is_lt},
    {"<", "other", 1, is_lt},           {"lessthan", "other", 1, is_lt},
    {"le", "other", 1, is_le},          {"<=", "other", 1, is_le},
    {"gt", "other", 1, is_gt},          {">", "other", 1, is_gt},
    {"greaterthan", "other", 1, is_gt}, {"ge", "other", 1, is_ge},
    {">=", "other", 1, is_ge},          {0},
};
