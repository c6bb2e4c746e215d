/* http_peers.c - counts connections by the address that they come from. */
#include "http_own.h"

#include "base/entropy.h"
#include "base/map.h"

void peers_open(peers *p)
{
    *p = (peers){.seed = {ingle_entropy(), ingle_entropy() | 1}};
}

void peers_close(peers *p)
{
    for (size_t i = 0; i < N_PEER_BUCKETS; i++)
        while (p->buckets[i]) {
            peer_count *next = p->buckets[i]->next;
            free(p->buckets[i]);
            p->buckets[i] = next;
        }
}

static peer_count **bucket_of(peers *p, const unsigned char address[16])
{
    const char *p16 = (const char *)address;
    uint64_t h = ingle_fold(ingle_load(p16, 8) ^ p->seed[0], p->seed[1]);
    h = ingle_fold(h ^ ingle_load(p16 + 8, 8), p->seed[1]);
    return &p->buckets[h % N_PEER_BUCKETS];
}

peer_count *peers_add(peers *p, const unsigned char address[16])
{
    peer_count **bucket = bucket_of(p, address), *c = *bucket;
    while (c && memcmp(c->address, address, 16)) c = c->next;
    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c) return NULL;
        memcpy(c->address, address, 16);
        c->next = *bucket;
        *bucket = c;
    }
    c->n++;
    return c;
}

void peers_remove(peers *p, peer_count *count)
{
    if (!count || --count->n) return;
    peer_count **at = bucket_of(p, count->address);
    while (*at != count) at = &(*at)->next;
    *at = count->next;
    free(count);
}
