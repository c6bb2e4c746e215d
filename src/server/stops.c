#include "stops.h"

#include <string.h>

size_t stops_scan(const ingle_stop *stops, size_t n_stops, const char *p, size_t n, size_t *i_stop)
{
    for (size_t at = 0; at < n; at++) {
        bool begins = false;
        for (size_t i = 0; i < n_stops; i++) {
            size_t len = stops[i].len < n - at ? stops[i].len : n - at;
            if (memcmp(p + at, stops[i].text, len) != 0) continue;
            *i_stop = i;
            if (len == stops[i].len) return at;
            begins = true;
        }
        if (!begins) continue;
        *i_stop = n_stops;
        return at;
    }
    *i_stop = n_stops;
    return n;
}
