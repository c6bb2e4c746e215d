/* args.c - reads a command line into the structs its option rows point at. See args.h. */
#include "args.h"
#include "out.h"

#include "base/distance.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_CAP = 64 };

bool args_parse_i64(const char *text, int64_t *out)
{
    char *end = NULL;
    const char *digits = text + (*text == '-' || *text == '+');
    if (*digits < '0' || *digits > '9') return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != 0) return false;
    *out = value;
    return true;
}

static bool parse_u64(const char *text, uint64_t *out)
{
    char *end = NULL;
    if (*text < '0' || *text > '9') return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != 0) return false;
    *out = value;
    return true;
}

/* Decimal numbers only: strtof() alone would take "nan", "0x1p3" and leading blanks. */
bool args_parse_float(const char *text, float *out)
{
    char *end = NULL;
    if (strspn(text, "0123456789+-.eE") != strlen(text)) return false;
    float value = strtof(text, &end);
    if (end == text || *end != 0 || !isfinite(value)) return false;
    *out = value;
    return true;
}

/* ---- finding a row --------------------------------------------------------------------------- */

static bool has_name(const arg_option *row, const char *name, size_t len)
{
    char word[NAME_CAP];
    for (const char *names = row->names; help_next_name(&names, word, sizeof word);) {
        if (strlen(word) == len && memcmp(word, name, len) == 0) return true;
    }
    return false;
}

const arg_option *args_find(const cli_verb *verb, const char *name, size_t len,
                            const arg_group **group)
{
    for (size_t g = 0; g < verb->n_groups; g++) {
        *group = &verb->groups[g];
        for (size_t r = 0; r < (*group)->n_rows; r++) {
            if (has_name(&(*group)->rows[r], name, len)) return &(*group)->rows[r];
        }
    }
    return NULL;
}

void args_nearest(const cli_verb *verb, const char *name, char *best, size_t cap)
{
    size_t best_distance = strlen(name) / 3 + 1;
    char word[NAME_CAP];
    best[0] = 0;
    for (size_t g = 0; g < verb->n_groups; g++) {
        for (size_t r = 0; r < verb->groups[g].n_rows; r++) {
            const char *names = verb->groups[g].rows[r].names;
            while (help_next_name(&names, word, sizeof word)) {
                size_t distance = ingle_distance(name, strlen(name), word, strlen(word));
                if (distance > best_distance || (distance == best_distance && best[0])) continue;
                best_distance = distance;
                snprintf(best, cap, "%s", word);
            }
        }
    }
}

static args_status refuse_unknown(const cli_verb *verb, const char *name, size_t len)
{
    char asked[NAME_CAP], near[NAME_CAP];
    snprintf(asked, sizeof asked, "%.*s", (int)(len < NAME_CAP ? len : NAME_CAP - 1), name);
    args_nearest(verb, asked, near, sizeof near);
    if (near[0]) {
        out_error("%s: unknown option '%s' (did you mean '%s'?); see 'ingle %s --help'", verb->name,
                  asked, near, verb->name);
    } else {
        out_error("%s: unknown option '%s'; see 'ingle %s --help'", verb->name, asked, verb->name);
    }
    return ARGS_BAD;
}

/* ---- storing a value ------------------------------------------------------------------------- */

typedef struct store_call {
    const cli_verb *verb;
    const arg_option *row;
    const char *name; /* as typed */
    size_t name_len;
    const char *value;
    char *target;
    const char *where; /* NULL: on the command line */
} store_call;

static args_status refuse_value(const store_call *c, const char *why)
{
    if (c->where) out_error("%s: '%s' %s", c->where, c->value, why);
    else
        out_error("%s: option '%.*s': '%s' %s", c->verb->name, (int)c->name_len, c->name, c->value,
                  why);
    return ARGS_BAD;
}

static args_status refuse_range(const store_call *c)
{
    const arg_option *row = c->row;
    char why[96];
    if (row->max >= ARG_MAX) {
        snprintf(why, sizeof why, "is out of range: at least %g", row->min);
    } else {
        snprintf(why, sizeof why, "is out of range: %.10g to %.10g", row->min, row->max);
    }
    return refuse_value(c, why);
}

static args_status store_int(const store_call *c)
{
    int64_t value;
    if (!args_parse_i64(c->value, &value)) return refuse_value(c, "is not a whole number");
    double min = c->row->min < INT32_MIN ? INT32_MIN : c->row->min;
    double max = c->row->max > INT32_MAX ? INT32_MAX : c->row->max;
    if ((double)value < min || (double)value > max) return refuse_range(c);
    *(int32_t *)(void *)c->target = (int32_t)value;
    return ARGS_OK;
}

static args_status store_float(const store_call *c)
{
    float value;
    if (!args_parse_float(c->value, &value)) return refuse_value(c, "is not a number");
    if (value < (float)c->row->min || value > (float)c->row->max) return refuse_range(c);
    *(float *)(void *)c->target = value;
    return ARGS_OK;
}

static args_status store_seed(const store_call *c)
{
    arg_seed *seed = (arg_seed *)(void *)c->target;
    seed->given = strcmp(c->value, "-1") != 0;
    if (seed->given && !parse_u64(c->value, &seed->value)) {
        return refuse_value(c, "is not a seed: -1 or 0 to 18446744073709551615");
    }
    return ARGS_OK;
}

static args_status store_choice(const store_call *c)
{
    char why[160] = "is not one of", *end = why + strlen(why);
    for (const arg_choice *choice = c->row->choices; choice->name; choice++) {
        if (strcmp(choice->name, c->value) == 0) {
            *(int *)(void *)c->target = choice->value;
            return ARGS_OK;
        }
        end += snprintf(end, sizeof why - (size_t)(end - why), "%s %s",
                        choice == c->row->choices ? "" : ",", choice->name);
    }
    return refuse_value(c, why);
}

static args_status store_list(const store_call *c)
{
    arg_list *list = (arg_list *)(void *)c->target;
    const char **items = realloc(list->items, (list->n + 1) * sizeof *items);
    if (!items) return refuse_value(c, "does not fit into memory");
    list->items = items;
    items[list->n++] = c->value;
    return ARGS_OK;
}

/* The name alone, or a word from elsewhere. */
static args_status store_flag(const store_call *c)
{
    static const char *const words[] = {"1", "true",  "yes", "on",  "enabled",
                                        "0", "false", "no",  "off", "disabled"};
    enum { N_WORDS = sizeof words / sizeof *words };
    size_t i = 0;
    while (c->where && i < N_WORDS && strcmp(words[i], c->value) != 0) i++;
    if (i == N_WORDS) return refuse_value(c, "is neither on nor off");
    *(bool *)c->target = i < N_WORDS / 2;
    return ARGS_OK;
}

static args_status store(const store_call *c)
{
    switch (c->row->kind) {
    case ARG_FLAG: return store_flag(c);
    case ARG_INT: return store_int(c);
    case ARG_SEED: return store_seed(c);
    case ARG_FLOAT: return store_float(c);
    case ARG_STRING: *(const char **)(void *)c->target = c->value; return ARGS_OK;
    case ARG_LIST: return store_list(c);
    case ARG_CHOICE: return store_choice(c);
    }
    return ARGS_BAD;
}

/* ---- the command line ------------------------------------------------------------------------ */

/* An option of another program: accepted with a note, or refused with the reason. */
static args_status meet_peer(const cli_verb *verb, const peer_option *peer, int argc, char **argv,
                             int *i)
{
    static const char *const maybe[] = {"on", "off", "auto", "0", "1"};
    const char *arg = argv[*i];
    const char *equals = strchr(arg, '='), *value = equals ? equals + 1 : NULL;
    int len = equals ? (int)(equals - arg) : (int)strlen(arg);
    if (!peer->accepted) {
        out_error("%s: option '%.*s' is not taken: %s", verb->name, len, arg, peer->why);
        return ARGS_BAD;
    }
    if (!equals && *i + 1 < argc && peer->value != PEER_FLAG) {
        bool takes = peer->value == PEER_VALUE;
        for (size_t k = 0; k < sizeof maybe / sizeof *maybe; k++)
            takes = takes || strcmp(argv[*i + 1], maybe[k]) == 0;
        if (takes) value = argv[++*i];
    }
    if (peer->value == PEER_VALUE && !value) {
        out_error("%s: option '%s' needs a value", verb->name, arg);
        return ARGS_BAD;
    }
    if (peer->why && !(value && strcmp(value, "0") == 0))
        out_note("option '%.*s' has no effect: %s", len, arg, peer->why);
    return ARGS_OK;
}

/* The row whose one-letter name the argument begins with, as in -n5 or -n=5; NULL if there is none or
 * a dash is missing (-temp). */
static const arg_option *find_attached(const cli_verb *verb, const char *arg,
                                       const arg_group **group)
{
    char doubled[NAME_CAP];
    const arg_group *any;
    if (arg[1] == '-' || !arg[1] || !arg[2]) return NULL;
    snprintf(doubled, sizeof doubled, "-%s", arg);
    if (args_find(verb, doubled, strlen(doubled), &any)) return NULL;
    const arg_option *row = args_find(verb, arg, 2, group);
    return row && row->kind != ARG_FLAG ? row : NULL;
}

static args_status store_checked(const store_call *c, const arg_group *group, void *target)
{
    ingle_error err = {{0}};
    char *own = (char *)target + group->offset;
    args_status status = store(c);
    if (status != ARGS_OK) return status;
    if (group->given)
        *(uint64_t *)(void *)(own + group->given) |= (uint64_t)1 << (c->row - group->rows);
    if (!group->check || group->check(own, c->row, &err) == INGLE_OK) return ARGS_OK;
    if (c->where) out_error("%s: %s", c->where, err.text);
    else out_error("%s: option '%.*s': %s", c->verb->name, (int)c->name_len, c->name, err.text);
    return ARGS_BAD;
}

/* Stores the option at argv[*i]; moves *i onto its value if that is an argument of its own. */
static args_status parse_option(const cli_verb *verb, void *target, int argc, char **argv, int *i)
{
    const char *arg = argv[*i], *value = NULL;
    const char *equals = arg[1] == '-' ? strchr(arg, '=') : NULL;
    size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
    const arg_group *group = NULL;
    const arg_option *row = args_find(verb, arg, len, &group);
    if (!row) {
        const char *sign = strchr(arg, '=');
        const peer_option *peer = peer_find(verb, arg, sign ? (size_t)(sign - arg) : len);
        if (peer) return meet_peer(verb, peer, argc, argv, i);
        row = find_attached(verb, arg, &group);
        if (!row) return refuse_unknown(verb, arg, len);
        len = 2;
        value = arg + (arg[2] == '=' ? 3 : 2);
    } else if (equals) {
        value = equals + 1;
    }
    store_call call = {.verb = verb, .row = row, .name = arg, .name_len = len, .value = ""};
    call.target = (char *)target + group->offset + row->offset;
    if (row->kind == ARG_FLAG && value) {
        call.value = value;
        return refuse_value(&call, "is given to an option that takes no value");
    }
    if (row->kind != ARG_FLAG && !value) {
        if (*i + 1 >= argc) {
            out_error("%s: option '%s' needs a value: %s", verb->name, arg, row->value);
            return ARGS_BAD;
        }
        value = argv[++*i];
    }
    if (value) call.value = value;
    return store_checked(&call, group, target);
}

args_status args_parse(const cli_verb *verb, void *target, int argc, char **argv,
                       const char **positional)
{
    bool options_end = false;
    size_t n = 0;
    for (size_t k = 0; k < verb->max_positional; k++) positional[k] = NULL;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        if (!options_end && strcmp(arg, "--") == 0) {
            options_end = true;
        } else if (!options_end && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            help_print(stdout, verb);
            return ARGS_HELP;
        } else if (!options_end && arg[0] == '-' && arg[1]) {
            args_status status = parse_option(verb, target, argc, argv, &i);
            if (status != ARGS_OK) return status;
        } else if (n == verb->max_positional) {
            out_error("%s: unexpected argument '%s'%s; usage: ingle %s %s", verb->name, arg,
                      n ? " (a text with blanks wants quotes)" : "", verb->name, verb->synopsis);
            return ARGS_BAD;
        } else {
            positional[n++] = arg;
        }
    }
    return ARGS_OK;
}

args_status args_store(const cli_verb *verb, void *target, const arg_group *group,
                       const arg_option *row, const char *where, const char *value)
{
    store_call call = {.verb = verb, .row = row, .value = value, .where = where};
    call.target = (char *)target + group->offset + row->offset;
    return store_checked(&call, group, target);
}

size_t args_size(arg_kind kind)
{
    switch (kind) {
    case ARG_FLAG: return sizeof(bool);
    case ARG_INT: return sizeof(int32_t);
    case ARG_SEED: return sizeof(arg_seed);
    case ARG_FLOAT: return sizeof(float);
    case ARG_STRING: return sizeof(const char *);
    case ARG_LIST: return sizeof(arg_list);
    case ARG_CHOICE: return sizeof(int);
    }
    return 0;
}

void args_list_free(arg_list *list)
{
    free(list->items);
    *list = (arg_list){0};
}
