/* SPDX-License-Identifier: MIT */
/* tls_resume.h - holds the keys under which clients keep a server's sessions to resume them (RFC
 * 8446 2.2, RFC 5077), and makes a new one every hour.
 *
 * Whoever gets a key can open the sessions that it has sealed, and read what TLS 1.2 sent in them.
 * So a key seals sessions for an hour, opens them for one hour more, and is wiped. All threads, and
 * all contexts of a server, share the keys; a lock guards them. */
#ifndef H2MUX_IO_TLS_RESUME_H
#define H2MUX_IO_TLS_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "h2mux/base/alloc.h"

struct ssl_ctx_st;
struct tls_resume;

enum {
    TLS_RESUME_LIFE_S = 3600, /* a key seals for so long, and opens for as long again */
    TLS_RESUME_NAME = 16,
    TLS_RESUME_SECRET = 32
};

struct tls_resume_key {
    unsigned char name[TLS_RESUME_NAME]; /* goes to the client with what it seals */
    unsigned char cipher[TLS_RESUME_SECRET], mac[TLS_RESUME_SECRET];
};

/* Makes the first key. */
struct tls_resume *tls_resume_new(uint64_t now_us) MUSTCHECK;
void tls_resume_free(struct tls_resume *t); /* wipes the keys; NULL is fine */

/* Copies the key that seals sessions at @now_us. The caller wipes @out. */
void tls_resume_current(struct tls_resume *t, uint64_t now_us, struct tls_resume_key *out);

/* Copies the key @name, if it still opens sessions at @now_us; @current tells whether it seals
 * them, too. Returns false otherwise. The caller wipes @out. */
bool tls_resume_find(struct tls_resume *t, uint64_t now_us,
                     const unsigned char name[static TLS_RESUME_NAME], struct tls_resume_key *out,
                     bool *current) MUSTCHECK;

/* Makes the server's context @ctx use @t, which outlives the context and its connections. Its
 * sessions say that they are good for TLS_RESUME_LIFE_S, which their key outlives. */
void tls_resume_serve(struct tls_resume *t, struct ssl_ctx_st *ctx);

#endif
