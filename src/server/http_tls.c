/* http_tls.c - the certificate and key of TLS listeners, read again while they are in use.
 * Owns       the current pair, and those that it replaced while handshakes may still use them.
 * Depends on GnuTLS, http_own.h.
 * Invariant  a pair is whole and its key fits its certificate, or it is not used. */
#define _GNU_SOURCE
#include "http_own.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

enum { MAX_CHAIN = 16 };

typedef struct pair {
    struct pair *next;
    gnutls_pcert_st chain[MAX_CHAIN];
    unsigned n_chain;
    gnutls_privkey_t key;
    double replaced_at;
} pair;

struct http_tls {
    char *cert, *key;
    pair *current, *retired;
};

/* libmicrohttpd's callback has no argument of ours. */
static _Thread_local http_tls *in_use;

static int choose(gnutls_session_t session, const gnutls_datum_t *requested, int n_requested,
                  const gnutls_pk_algorithm_t *algorithms, int n_algorithms,
                  gnutls_pcert_st **chain, unsigned *n_chain, gnutls_privkey_t *key)
{
    (void)session, (void)requested, (void)n_requested, (void)algorithms, (void)n_algorithms;
    if (!in_use) return -1;
    pair *p = in_use->current;
    *chain = p->chain;
    *n_chain = p->n_chain;
    *key = p->key;
    return 0;
}

void http_tls_option(struct MHD_OptionItem *item)
{
    *item = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(intptr_t)&choose};
}

void http_tls_use(http_tls *t)
{
    in_use = t;
}

static void free_pair(pair *p)
{
    if (!p) return;
    for (unsigned i = 0; i < p->n_chain; i++) gnutls_pcert_deinit(&p->chain[i]);
    if (p->key) gnutls_privkey_deinit(p->key);
    free(p);
}

/* ---- reading --------------------------------------------------------------------------------- */

static ingle_status read_chain(pair *p, const char *path, ingle_error *err)
{
    gnutls_datum_t text;
    int code = gnutls_load_file(path, &text);
    if (code)
        return ingle_fail(err, INGLE_EIO, "--tls-cert %s cannot be read: %s", path,
                          gnutls_strerror(code));
    unsigned n = MAX_CHAIN;
    code = gnutls_pcert_list_import_x509_raw(p->chain, &n, &text, GNUTLS_X509_FMT_PEM,
                                             GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);
    gnutls_free(text.data);
    if (code < 0)
        return ingle_fail(err, INGLE_EFORMAT, "--tls-cert %s is no certificate in PEM form: %s",
                          path, gnutls_strerror(code));
    p->n_chain = n;
    return INGLE_OK;
}

static ingle_status read_key(pair *p, const char *path, ingle_error *err)
{
    gnutls_datum_t text;
    int code = gnutls_load_file(path, &text);
    if (code)
        return ingle_fail(err, INGLE_EIO, "--tls-key %s cannot be read: %s", path,
                          gnutls_strerror(code));
    code = gnutls_privkey_init(&p->key);
    if (!code) code = gnutls_privkey_import_x509_raw(p->key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_memset(text.data, 0, text.size);
    gnutls_free(text.data);
    if (code)
        return ingle_fail(err, INGLE_EFORMAT, "--tls-key %s is no private key in PEM form: %s",
                          path, gnutls_strerror(code));
    return INGLE_OK;
}

static bool fits(pair *p)
{
    unsigned char a[64], b[64];
    size_t n_a = sizeof a, n_b = sizeof b;
    gnutls_pubkey_t public_key;
    if (gnutls_pubkey_init(&public_key)) return false;
    bool ok = !gnutls_pubkey_import_privkey(public_key, p->key, 0, 0) &&
              !gnutls_pubkey_get_key_id(public_key, GNUTLS_KEYID_USE_SHA256, a, &n_a) &&
              !gnutls_pubkey_get_key_id(p->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, b, &n_b) &&
              n_a == n_b && !memcmp(a, b, n_a);
    gnutls_pubkey_deinit(public_key);
    return ok;
}

static ingle_status read_pair(pair **out, const http_tls *t, ingle_error *err)
{
    pair *p = calloc(1, sizeof *p);
    if (!p) return ingle_fail(err, INGLE_ENOMEM, "no memory for a certificate");
    ingle_status status = read_chain(p, t->cert, err);
    if (!status) status = read_key(p, t->key, err);
    if (!status && !fits(p))
        status = ingle_fail(err, INGLE_EFORMAT, "--tls-key %s is not the key of --tls-cert %s",
                            t->key, t->cert);
    if (status) free_pair(p);
    else *out = p;
    return status;
}

ingle_status http_tls_open(http_tls **out, const char *cert, const char *key, ingle_error *err)
{
    *out = NULL;
    if (!cert || !key)
        return ingle_fail(err, INGLE_EINVAL, "--tls-cert and --tls-key go together: %s is missing",
                          cert ? "--tls-key" : "--tls-cert");
    http_tls *t = calloc(1, sizeof *t);
    if (!t) return ingle_fail(err, INGLE_ENOMEM, "no memory for a certificate");
    t->cert = strdup(cert);
    t->key = strdup(key);
    ingle_status status = t->cert && t->key
                              ? read_pair(&t->current, t, err)
                              : ingle_fail(err, INGLE_ENOMEM, "no memory for a certificate");
    if (status) http_tls_close(&t);
    *out = t;
    return status;
}

ingle_status http_tls_reload(http_tls *t, double now, ingle_error *err)
{
    pair *fresh = NULL;
    ingle_status status = read_pair(&fresh, t, err);
    if (status) return status;
    t->current->replaced_at = now;
    t->current->next = t->retired;
    t->retired = t->current;
    t->current = fresh;
    return INGLE_OK;
}

void http_tls_forget(http_tls *t, double until)
{
    pair **at = &t->retired;
    while (*at) {
        pair *p = *at;
        if (p->replaced_at < until) {
            *at = p->next;
            free_pair(p);
        } else at = &p->next;
    }
}

void http_tls_close(http_tls **t)
{
    http_tls *old = *t;
    *t = NULL;
    if (!old) return;
    if (in_use == old) in_use = NULL;
    while (old->retired) {
        pair *next = old->retired->next;
        free_pair(old->retired);
        old->retired = next;
    }
    free_pair(old->current);
    free(old->cert);
    free(old->key);
    free(old);
}
