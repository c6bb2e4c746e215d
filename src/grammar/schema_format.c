/* schema_format.c - see schema_format.h. Where a format's own rules are no regular language, or
 * readers differ, the part is written that all of them take. */
#include "grammar/schema_format.h"
#include "grammar/schema_chars.h"
#include "grammar/regex.h"

#define DD    "[0-9][0-9]"
#define YEAR  "(?:000[1-9]|00[1-9][0-9]|0[1-9]" DD "|[1-9][0-9]{3})"
#define LEAP4 "(?:0[48]|[2468][048]|[13579][26])"
#define LEAP  "(?:" DD LEAP4 "|(?:0[48]|[2468][048]|[13579][26])00)"
#define DAYS                                                                                       \
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|"      \
    "02-(?:0[1-9]|1[0-9]|2[0-8]))"
#define DATE "(?:" YEAR "-" DAYS "|" LEAP "-02-29)"
#define HOUR "(?:[01][0-9]|2[0-3])"
#define TIME HOUR ":[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+-]" HOUR ":[0-5][0-9])"

#define CLOCK_PART "T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
#define DURATION                                                                                   \
    "P(?:[0-9]+W|(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)(?:" CLOCK_PART    \
    ")?|" CLOCK_PART ")"

#define OCTET "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define IPV4  "(?:" OCTET "\\.){3}" OCTET
#define H16   "[0-9A-Fa-f]{1,4}"
#define LS32  "(?:" H16 ":" H16 "|" IPV4 ")"
#define IPV6                                                                                       \
    "(?:(?:" H16 ":){6}" LS32 "|::(?:" H16 ":){5}" LS32 "|(?:" H16 ")?::(?:" H16 ":){4}" LS32      \
    "|(?:(?:" H16 ":){0,1}" H16 ")?::(?:" H16 ":){3}" LS32 "|(?:(?:" H16 ":){0,2}" H16             \
    ")?::(?:" H16 ":){2}" LS32 "|(?:(?:" H16 ":){0,3}" H16 ")?::" H16 ":" LS32 "|(?:(?:" H16       \
    ":){0,4}" H16 ")?::" LS32 "|(?:(?:" H16 ":){0,5}" H16 ")?::" H16 "|(?:(?:" H16 ":){0,6}" H16   \
    ")?::)"

#define UUID "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

#define PCT      "%[0-9A-Fa-f]{2}"
#define PLAIN    "A-Za-z0-9._~!$&'()*+,;=" /* unreserved and sub-delims, but for '-' */
#define PCHAR    "(?:[" PLAIN ":@-]|" PCT ")"
#define NOCOLON  "(?:[" PLAIN "@-]|" PCT ")"
#define HOST     "(?:(?:[" PLAIN "-]|" PCT ")*|\\[" IPV6 "\\])"
#define AUTH     "(?:(?:[" PLAIN ":-]|" PCT ")*@)?" HOST "(?::[0-9]{0,5})?"
#define SLASHED  "(?:/" PCHAR "*)*"
#define TAIL     "(?:\\?(?:" PCHAR "|[/?])*)?(?:#(?:" PCHAR "|[/?])*)?"
#define ROOTED   "/(?:" PCHAR "+" SLASHED ")?"
#define URI      "[A-Za-z][A-Za-z0-9+.-]*:(?://" AUTH SLASHED "|" ROOTED "|" PCHAR "+" SLASHED "|)" TAIL
#define RELATIVE "(?://" AUTH SLASHED "|" ROOTED "|" NOCOLON "+" SLASHED "|)" TAIL
#define VARNAME                                                                                    \
    "(?:[A-Za-z0-9_]|" PCT ")+(?:\\.(?:[A-Za-z0-9_]|" PCT ")+)*(?:\\*|:[1-9][0-9]{0,3})?"
#define TEMPLATE                                                                                   \
    "(?:[A-Za-z0-9._~:/?#@!$&()*+,;=\\[\\]-]|" PCT "|\\{[+#./;?&]?" VARNAME "(?:," VARNAME ")*\\}" \
    ")*"

#define POINTER "(?:/(?:[^~/]|~[01])*)*"

/* Of regular expressions: characters, escapes, classes and groups that hold no further groups. */
#define RCHAR   "(?:[A-Za-z0-9 _,:;=@%&~\"'<>!/#-]|\\\\[dDwWsS.*+?()\\[\\]{}|^$\\\\/]|\\.|" RCLASS ")"
#define RCLASS  "\\[\\^?(?:[A-Za-z0-9 _.,:;]|a-z|A-Z|0-9|\\\\[dws])+\\]"
#define RCOUNT  "(?:[*+?]|\\{[0-9]\\}|\\{[0-9],\\})?"
#define RBRANCH "(?:" RCHAR RCOUNT ")+"
#define RGROUP  "\\((?:\\?:)?" RBRANCH "(?:\\|" RBRANCH ")*\\)" RCOUNT
#define REGEX   "\\^?(?:" RCHAR RCOUNT "|" RGROUP ")*\\$?"

#define ATEXT "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}"
#define LOCAL ATEXT "(?:\\." ATEXT "){0,2}" /* 64 characters at most */

typedef enum shape_of { WHOLE, HOSTNAME, EMAIL } shape_of;

static const struct {
    const char *name, *regex;
    bool exact;
    shape_of is;
} formats[] = {
    {"date", DATE, false, WHOLE},
    {"date-time", DATE "T" TIME, false, WHOLE},
    {"duration", DURATION, true, WHOLE},
    {"email", LOCAL "@", false, EMAIL},
    {"hostname", "", false, HOSTNAME},
    {"idn-email", LOCAL "@", false, EMAIL},
    {"idn-hostname", "", false, HOSTNAME},
    {"ipv4", IPV4, true, WHOLE},
    {"ipv6", IPV6, true, WHOLE},
    {"iri", URI, false, WHOLE},
    {"iri-reference", "(?:" URI "|" RELATIVE ")", false, WHOLE},
    {"json-pointer", POINTER, true, WHOLE},
    {"regex", REGEX, false, WHOLE},
    {"relative-json-pointer", "(?:0|[1-9][0-9]*)(?:#|" POINTER ")", true, WHOLE},
    {"time", TIME, false, WHOLE},
    {"uri", URI, false, WHOLE},
    {"uri-reference", "(?:" URI "|" RELATIVE ")", false, WHOLE},
    {"uri-template", TEMPLATE, false, WHOLE},
    {"uuid", UUID, true, WHOLE},
};

enum { N_FORMATS = sizeof formats / sizeof *formats };

static size_t find(const ingle_json *name)
{
    size_t i = 0;
    while (i < N_FORMATS && !ingle_json_is_text(name, formats[i].name)) i++;
    return i;
}

bool ingle_schema_format_known(const ingle_json *name, bool *exact)
{
    size_t i = find(name);
    *exact = i < N_FORMATS && formats[i].exact;
    return i < N_FORMATS;
}

static ingle_term regex(ingle_terms *t, const char *text)
{
    ingle_regex_options opt = {.chars = ingle_schema_chars};
    ingle_term out = INGLE_TERM_NONE;
    ingle_error err = {""};
    ingle_status st = ingle_regex_compile(t, text, strlen(text), &opt, &out, &err);
    if (st) ingle_terms_fail(t, st, "%s", err.text);
    return st ? INGLE_TERM_NONE : out;
}

/* Labels of at most 63 letters, digits and single hyphens, at most 253 characters in all; the last
 * label has no digits, so that no reader takes it for an address. */
static ingle_term hostname(ingle_terms *t)
{
    ingle_term any = ingle_schema_chars(t, NULL, 0, true);
    ingle_term label = ingle_term_and(t, regex(t, "[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*"),
                                      ingle_term_repeat(t, any, 1, 63));
    ingle_term last =
        ingle_term_and(t, regex(t, "[A-Za-z]+(?:-[A-Za-z]+)*"), ingle_term_repeat(t, any, 1, 63));
    ingle_term dot = ingle_term_literal(t, ".", 1);
    ingle_term before = ingle_term_repeat(t, ingle_term_seq(t, label, dot), 0, INGLE_TERM_MANY);
    return ingle_term_and(t, ingle_term_seq(t, before, last), ingle_term_repeat(t, any, 1, 253));
}

ingle_term ingle_schema_format_term(ingle_terms *t, const ingle_json *name)
{
    size_t i = find(name);
    if (i == N_FORMATS) return INGLE_TERM_NONE;
    if (formats[i].is == HOSTNAME) return hostname(t);
    ingle_term e = regex(t, formats[i].regex);
    return formats[i].is == EMAIL ? ingle_term_seq(t, e, hostname(t)) : e;
}
