/* stats.c - see stats.h. */
#define _GNU_SOURCE /* clock_gettime() */
#include "stats.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void series_add(series *s, double x)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->x = need(realloc(s->x, s->cap * sizeof *s->x));
    }
    s->x[s->n++] = x;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double series_at(series *s, double share)
{
    if (!s->n) return NAN;
    qsort(s->x, s->n, sizeof *s->x, by_value);
    size_t i = (size_t)ceil(share * (double)s->n);
    return s->x[i ? i - 1 : 0];
}

double series_sum(const series *s)
{
    double sum = 0;
    for (size_t i = 0; i < s->n; i++) sum += s->x[i];
    return sum;
}

void series_free(series *s)
{
    free(s->x);
    *s = (series){0};
}

double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void sleep_s(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds};
    t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
    while (nanosleep(&t, &t)) continue;
}

uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("server: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    exit(1);
}

void *need(void *memory)
{
    if (!memory) fail("no memory");
    return memory;
}
