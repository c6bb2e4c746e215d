/* regex_set.c - see regex_set.h. */
#include "grammar/regex_set.h"

#include "base/mem.h"

#include <utf8proc.h>

#define LAST     0x10ffffu
#define N_OF(a)  (sizeof(a) / sizeof *(a))
#define MANY_NEW 4096 /* ranges that may come before a set is put in order */

void ingle_regex_set_add(regex_set *set, uint32_t low, uint32_t high)
{
    if (set->n >= 2 * set->n_merged + MANY_NEW) ingle_regex_set_merge(set);
    if (set->n == set->cap && !ingle_grow(&set->p, &set->cap, set->n + 1, sizeof *set->p)) {
        set->failed = true;
        return;
    }
    set->p[set->n++] = (ingle_range){low, high};
}

void ingle_regex_set_add_all(regex_set *set, const ingle_range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++) ingle_regex_set_add(set, ranges[i].low, ranges[i].high);
}

void ingle_regex_set_add_others(regex_set *set, const ingle_range *ranges, size_t n)
{
    uint32_t low = 0;
    for (size_t i = 0; i < n; i++) {
        if (ranges[i].low > low) ingle_regex_set_add(set, low, ranges[i].low - 1);
        low = ranges[i].high + 1;
    }
    if (low <= LAST) ingle_regex_set_add(set, low, LAST);
}

static int by_low(const void *a, const void *b)
{
    const ingle_range *x = a, *y = b;
    return (x->low > y->low) - (x->low < y->low);
}

void ingle_regex_set_merge(regex_set *set)
{
    size_t n = 0;
    if (set->n) qsort(set->p, set->n, sizeof *set->p, by_low);
    for (size_t i = 0; i < set->n; i++) {
        ingle_range r = set->p[i];
        if (n && r.low <= set->p[n - 1].high + 1) {
            if (r.high > set->p[n - 1].high) set->p[n - 1].high = r.high;
        } else {
            set->p[n++] = r;
        }
    }
    set->n = set->n_merged = n;
}

/* ---- letters --------------------------------------------------------------------------------- */

const ingle_range *ingle_regex_letter(char letter, size_t *n)
{
    static const ingle_range digits[] = {{'0', '9'}};
    static const ingle_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    static const ingle_range spaces[] = {
        {9, 13},          {32, 32},         {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
        {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff}};
    *n = letter == 'd' ? N_OF(digits) : letter == 'w' ? N_OF(words) : N_OF(spaces);
    return letter == 'd' ? digits : letter == 'w' ? words : letter == 's' ? spaces : NULL;
}

/* ---- properties ------------------------------------------------------------------------------ */

#define BIT(name)   (1u << UTF8PROC_CATEGORY_##name)
#define CASED       (BIT(LU) | BIT(LL) | BIT(LT))
#define LETTERS     (CASED | BIT(LM) | BIT(LO))
#define MARKS       (BIT(MN) | BIT(MC) | BIT(ME))
#define NUMBERS     (BIT(ND) | BIT(NL) | BIT(NO))
#define PUNCTUATION (BIT(PC) | BIT(PD) | BIT(PS) | BIT(PE) | BIT(PI) | BIT(PF) | BIT(PO))
#define SYMBOLS     (BIT(SM) | BIT(SC) | BIT(SK) | BIT(SO))
#define SEPARATORS  (BIT(ZS) | BIT(ZL) | BIT(ZP))
#define OTHERS      (BIT(CC) | BIT(CF) | BIT(CS) | BIT(CO) | BIT(CN))
#define ASCII_ONLY  (1u << 31)

/* PropertyValueAliases.txt of Unicode; names of General_Category and their members. */
static const struct {
    const char *names[3];
    uint32_t members;
} properties[] = {
    {{"L", "Letter"}, LETTERS},
    {{"LC", "Cased_Letter"}, CASED},
    {{"Lu", "Uppercase_Letter"}, BIT(LU)},
    {{"Ll", "Lowercase_Letter"}, BIT(LL)},
    {{"Lt", "Titlecase_Letter"}, BIT(LT)},
    {{"Lm", "Modifier_Letter"}, BIT(LM)},
    {{"Lo", "Other_Letter"}, BIT(LO)},
    {{"M", "Mark", "Combining_Mark"}, MARKS},
    {{"Mn", "Nonspacing_Mark"}, BIT(MN)},
    {{"Mc", "Spacing_Mark"}, BIT(MC)},
    {{"Me", "Enclosing_Mark"}, BIT(ME)},
    {{"N", "Number"}, NUMBERS},
    {{"Nd", "Decimal_Number", "digit"}, BIT(ND)},
    {{"Digit"}, BIT(ND)}, /* as it is often misspelled */
    {{"Nl", "Letter_Number"}, BIT(NL)},
    {{"No", "Other_Number"}, BIT(NO)},
    {{"P", "Punctuation", "punct"}, PUNCTUATION},
    {{"Pc", "Connector_Punctuation"}, BIT(PC)},
    {{"Pd", "Dash_Punctuation"}, BIT(PD)},
    {{"Ps", "Open_Punctuation"}, BIT(PS)},
    {{"Pe", "Close_Punctuation"}, BIT(PE)},
    {{"Pi", "Initial_Punctuation"}, BIT(PI)},
    {{"Pf", "Final_Punctuation"}, BIT(PF)},
    {{"Po", "Other_Punctuation"}, BIT(PO)},
    {{"S", "Symbol"}, SYMBOLS},
    {{"Sm", "Math_Symbol"}, BIT(SM)},
    {{"Sc", "Currency_Symbol"}, BIT(SC)},
    {{"Sk", "Modifier_Symbol"}, BIT(SK)},
    {{"So", "Other_Symbol"}, BIT(SO)},
    {{"Z", "Separator"}, SEPARATORS},
    {{"Zs", "Space_Separator"}, BIT(ZS)},
    {{"Zl", "Line_Separator"}, BIT(ZL)},
    {{"Zp", "Paragraph_Separator"}, BIT(ZP)},
    {{"C", "Other"}, OTHERS},
    {{"Cc", "Control", "cntrl"}, BIT(CC)},
    {{"Cf", "Format"}, BIT(CF)},
    {{"Cs", "Surrogate"}, BIT(CS)},
    {{"Co", "Private_Use"}, BIT(CO)},
    {{"Cn", "Unassigned"}, BIT(CN)},
    {{"Assigned"}, ~(BIT(CN) | ASCII_ONLY)},
    {{"Any"}, ~ASCII_ONLY},
    {{"ASCII"}, ASCII_ONLY},
};

static bool is_member(uint32_t members, uint32_t c)
{
    if (members & ASCII_ONLY) return c < 0x80;
    return members >> (unsigned)utf8proc_category((utf8proc_int32_t)c) & 1;
}

/* Where all characters have one category: Hangul, surrogates, private use, and the planes that no
 * version of Unicode has used. */
static const ingle_range uniform[] = {{0xac00, 0xd7a3},   {0xd800, 0xdfff},   {0xe000, 0xf8ff},
                                      {0x40000, 0xdffff}, {0xf0000, 0xffffd}, {0x100000, 0x10fffd}};

static void find_members(regex_set *set, uint32_t members)
{
    uint32_t begin = LAST + 1, next; /* begin: of the range that is open; none is */
    size_t i = 0;
    for (uint32_t c = 0; c <= LAST + 1; c = next) {
        bool in = c <= LAST && is_member(members, c);
        next = i < N_OF(uniform) && c == uniform[i].low ? uniform[i++].high + 1 : c + 1;
        if (in && begin > LAST) begin = c;
        if (in || begin > LAST) continue;
        ingle_regex_set_add(set, begin, c - 1);
        begin = LAST + 1;
    }
}

static bool is_named(size_t i, const char *name, size_t len)
{
    for (size_t k = 0; k < N_OF(properties[i].names) && properties[i].names[k]; k++)
        if (strlen(properties[i].names[k]) == len && !memcmp(properties[i].names[k], name, len))
            return true;
    return false;
}

const regex_set *ingle_regex_property(regex_properties *p, const char *name, size_t len,
                                      bool *failed)
{
    _Static_assert(N_OF(properties) <= REGEX_MAX_PROPERTIES, "a row for each");
    for (size_t i = 0; i < N_OF(properties); i++) {
        if (!is_named(i, name, len)) continue;
        if (!p->row[i].n) find_members(&p->row[i], properties[i].members);
        *failed = p->row[i].failed;
        return *failed ? NULL : &p->row[i];
    }
    *failed = false;
    return NULL;
}

void ingle_regex_properties_close(regex_properties *p)
{
    for (size_t i = 0; i < REGEX_MAX_PROPERTIES; i++) free(p->row[i].p);
}
