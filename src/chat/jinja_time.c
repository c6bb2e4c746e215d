/* jinja_time.c - see jinja_time.h. */
#include "chat/jinja_time.h"

#include "chat/jinja_text.h"

#include <stdio.h>

static const char *const DAYS[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const MONTHS[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int day_of_year(const ingle_jinja_time *t) /* from 0 */
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    return before[t->month - 1] + t->day - 1 + (t->month > 2 && is_leap(t->year));
}

static int weekday(const ingle_jinja_time *t) /* 0: Sunday */
{
    int y = t->year - 1;
    return (y + y / 4 - y / 100 + y / 400 + 1 + day_of_year(t)) % 7;
}

/* Weeks of ISO 8601: they begin on Monday and belong to the year of their Thursday. */
static int iso_week(const ingle_jinja_time *t, int *year)
{
    int thursday = day_of_year(t) - (weekday(t) + 6) % 7 + 3;
    *year = t->year;
    if (thursday < 0) thursday += 365 + is_leap(--*year);
    else if (thursday >= 365 + is_leap(*year)) thursday -= 365 + is_leap((*year)++);
    return thursday / 7 + 1;
}

/* One conversion as text; false: none we know. */
static bool convert(char c, bool plain, const ingle_jinja_time *t, char out[64])
{
    const char *two = plain ? "%d" : "%02d";
    int day = weekday(t), yday = day_of_year(t), hour12 = t->hour % 12 ? t->hour % 12 : 12, year;
    switch (c) {
    case 'a': snprintf(out, 64, "%.3s", DAYS[day]); return true;
    case 'A': strcpy(out, DAYS[day]); return true;
    case 'b':
    case 'h': snprintf(out, 64, "%.3s", MONTHS[t->month - 1]); return true;
    case 'B': strcpy(out, MONTHS[t->month - 1]); return true;
    case 'c':
        snprintf(out, 64, "%.3s %.3s %2d %02d:%02d:%02d %d", DAYS[day], MONTHS[t->month - 1],
                 t->day, t->hour, t->minute, t->second, t->year);
        return true;
    case 'C': snprintf(out, 64, two, t->year / 100); return true;
    case 'd': snprintf(out, 64, two, t->day); return true;
    case 'D':
    case 'x': snprintf(out, 64, "%02d/%02d/%02d", t->month, t->day, t->year % 100); return true;
    case 'e': snprintf(out, 64, plain ? "%d" : "%2d", t->day); return true;
    case 'F': snprintf(out, 64, "%d-%02d-%02d", t->year, t->month, t->day); return true;
    case 'f': strcpy(out, "000000"); return true;
    case 'G': iso_week(t, &year), snprintf(out, 64, "%d", year); return true;
    case 'H': snprintf(out, 64, two, t->hour); return true;
    case 'I': snprintf(out, 64, two, hour12); return true;
    case 'j': snprintf(out, 64, plain ? "%d" : "%03d", yday + 1); return true;
    case 'k': snprintf(out, 64, "%2d", t->hour); return true;
    case 'l': snprintf(out, 64, "%2d", hour12); return true;
    case 'm': snprintf(out, 64, two, t->month); return true;
    case 'M': snprintf(out, 64, two, t->minute); return true;
    case 'n': strcpy(out, "\n"); return true;
    case 'p': strcpy(out, t->hour < 12 ? "AM" : "PM"); return true;
    case 'r':
        snprintf(out, 64, "%02d:%02d:%02d %s", hour12, t->minute, t->second,
                 t->hour < 12 ? "AM" : "PM");
        return true;
    case 'R': snprintf(out, 64, "%02d:%02d", t->hour, t->minute); return true;
    case 'S': snprintf(out, 64, two, t->second); return true;
    case 't': strcpy(out, "\t"); return true;
    case 'T':
    case 'X': snprintf(out, 64, "%02d:%02d:%02d", t->hour, t->minute, t->second); return true;
    case 'u': snprintf(out, 64, "%d", day ? day : 7); return true;
    case 'U': snprintf(out, 64, two, (yday + 7 - day) / 7); return true;
    case 'V': snprintf(out, 64, two, iso_week(t, &year)); return true;
    case 'w': snprintf(out, 64, "%d", day); return true;
    case 'W': snprintf(out, 64, two, (yday + 7 - (day + 6) % 7) / 7); return true;
    case 'y': snprintf(out, 64, two, t->year % 100); return true;
    case 'Y': snprintf(out, 64, "%d", t->year); return true;
    case 'z':
    case 'Z': out[0] = 0; return true; /* a time without a zone, as datetime.now() has it */
    case '%': strcpy(out, "%"); return true;
    default: return false;
    }
}

bool ingle_jinja_put_time(jinja_render *r, const jinja_str *f, const ingle_jinja_time *t)
{
    bool valid = t->year >= 1 && t->year <= 9999 && t->month >= 1 && t->month <= 12 &&
                 t->day >= 1 && t->day <= 31 && t->hour >= 0 && t->hour < 24 && t->minute >= 0 &&
                 t->minute < 60 && t->second >= 0 && t->second <= 60;
    if (!valid) return JINJA_REFUSE(r, "strftime_now() without a valid time");
    size_t from = 0;
    for (size_t i = 0; i + 1 < f->n; i++) {
        char text[64];
        if (f->p[i] != '%') continue;
        bool plain = f->p[i + 1] == '-' && i + 2 < f->n;
        if (!convert(f->p[i + 1 + plain], plain, t, text)) continue;
        bool trusted;
        ingle_jinja_str_run(f, i, &trusted);
        if (!ingle_jinja_burn(r, 1) || !ingle_jinja_put_part(r, f, from, i) ||
            !ingle_jinja_put_text(r, text, trusted))
            return false;
        i += 1 + plain;
        from = i + 1;
    }
    return ingle_jinja_put_part(r, f, from, f->n);
}
