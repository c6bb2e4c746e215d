/* schema_uri.c - see schema_uri.h. */
#include "grammar/schema_uri.h"

/* The parts of RFC 3986, appendix B, each with the signs that set it apart: "http:", "//host",
 * "/path", "?query". */
typedef struct parts {
    schema_uri scheme, authority, path, query;
} parts;

static schema_uri take(schema_uri *rest, size_t n)
{
    schema_uri part = {rest->p, n};
    rest->p += n;
    rest->n -= n;
    return part;
}

static size_t until(schema_uri u, size_t from, const char *stops)
{
    while (from < u.n && (!u.p[from] || !strchr(stops, u.p[from]))) from++;
    return from;
}

static parts parts_of(schema_uri u)
{
    parts x = {0};
    size_t colon = until(u, 0, ":/?");
    if (colon && colon < u.n && u.p[colon] == ':') x.scheme = take(&u, colon + 1);
    if (u.n >= 2 && u.p[0] == '/' && u.p[1] == '/') x.authority = take(&u, until(u, 2, "/?"));
    x.path = take(&u, until(u, 0, "?"));
    x.query = u;
    return x;
}

static bool dots(const char *p, size_t n, size_t count)
{
    return n == count && !memcmp(p, "..", count);
}

/* Takes "." and ".." out of a path, in place (section 5.2.4); returns what is left. */
static size_t without_dots(char *path, size_t n)
{
    bool rooted = n && path[0] == '/';
    size_t out = 0, i = 0;
    while (i < n) {
        size_t from = i + (path[i] == '/'), end = from;
        while (end < n && path[end] != '/') end++;
        bool up = dots(path + from, end - from, 2), here = dots(path + from, end - from, 1);
        if (up) {
            while (out && path[--out] != '/') {}
        }
        if (!up && !here) {
            memmove(path + out, path + i, end - i);
            out += end - i;
        } else if (end == n && (rooted || out)) {
            path[out++] = '/'; /* a directory remains */
        }
        i = end;
    }
    return out;
}

/* A base's path up to its last '/', then the reference's (section 5.2.3). */
static size_t merged(char *out, const parts *base, schema_uri path)
{
    size_t n = 0;
    if (base->authority.n && !base->path.n) {
        out[n++] = '/';
    } else {
        for (n = base->path.n; n && base->path.p[n - 1] != '/';) n--;
        if (n) memcpy(out, base->path.p, n);
    }
    if (path.n) memcpy(out + n, path.p, path.n);
    return n + path.n;
}

static void put(char *out, size_t *n, schema_uri part)
{
    if (part.n) memcpy(out + *n, part.p, part.n);
    *n += part.n;
}

schema_uri ingle_schema_uri_resolve(schema_memory *m, schema_uri base, schema_uri ref)
{
    parts r = parts_of(ref), b = parts_of(base), from = r;
    char *out = ingle_schema_take(m, base.n + ref.n + 2, 1);
    if (!out) return (schema_uri){0};
    if (!r.scheme.n) from.scheme = b.scheme;
    if (!r.scheme.n && !r.authority.n) from.authority = b.authority;
    if (!r.scheme.n && !r.authority.n && !r.path.n && !r.query.n) from.query = b.query;
    size_t n = 0;
    put(out, &n, from.scheme);
    put(out, &n, from.authority);
    bool own = r.scheme.n || r.authority.n || (r.path.n && r.path.p[0] == '/');
    size_t len;
    if (own) {
        if (r.path.n) memcpy(out + n, r.path.p, r.path.n);
        len = r.path.n;
    } else if (!r.path.n) {
        if (b.path.n) memcpy(out + n, b.path.p, b.path.n);
        len = b.path.n;
    } else {
        len = merged(out + n, &b, r.path);
    }
    n += without_dots(out + n, len);
    put(out, &n, from.query);
    return (schema_uri){out, n};
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool ingle_schema_uri_split(schema_memory *m, schema_uri ref, schema_uri *uri, schema_uri *fragment)
{
    size_t n = until(ref, 0, "#"), len = 0;
    *uri = (schema_uri){ref.p, n};
    *fragment = (schema_uri){0};
    if (n == ref.n) return true;
    char *out = ingle_schema_take(m, ref.n - n, 1);
    if (!out) return false;
    for (size_t i = n + 1; i < ref.n; i++) {
        bool coded =
            ref.p[i] == '%' && i + 2 < ref.n && hex(ref.p[i + 1]) >= 0 && hex(ref.p[i + 2]) >= 0;
        out[len++] = coded ? (char)(hex(ref.p[i + 1]) << 4 | hex(ref.p[i + 2])) : ref.p[i];
        if (coded) i += 2;
    }
    *fragment = (schema_uri){out, len};
    return true;
}
