/* SPDX-License-Identifier: MIT */
/* link.h - one attached link as light as can be: TLS, the attach request, and just enough HTTP/2 to
 * stay and to answer.
 *
 * Every request is answered with 200 bytes, whatever its fields say; they begin with the name and
 * a dot, so that a viewer can see whose answer it got. The TLS session is kept over link_drop and
 * resumed. */

/* draw: a link
 *
 *   DOWN ──link_dial──▶ HANDSHAKE ──▶ ATTACHING ──101──▶ GREETING ──SETTINGS acknowledged──▶ UP
 *
 *   any ──failed, link_drop──▶ DOWN */
#ifndef TESTS_BENCH_LINK_H
#define TESTS_BENCH_LINK_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include <openssl/ssl.h>

#include "h2mux/base/buf.h"

enum link_state { LINK_DOWN, LINK_HANDSHAKE, LINK_ATTACHING, LINK_GREETING, LINK_UP };

struct link;

struct link_env {
    struct event_base *base;
    SSL_CTX *tls;
    uint16_t port;
    void (*on_up)(struct link *l);
    void (*on_lost)(struct link *l, const char *why); /* DOWN already */
    void *user;
    uint64_t requests, resumed; /* of all links */
};

struct link {
    struct link_env *env; /* borrowed: outlives it */
    struct event reader, writer;
    SSL *ssl;             /* owned; NULL: DOWN */
    SSL_SESSION *session; /* owned: the latest */
    char *name, *ticket;  /* owned */
    struct buf rx, tx;
    int fd;
    size_t number;
    enum link_state state;
    bool greeted; /* the server's preface is behind us */
};

SSL_CTX *link_tls_new(const char *ca) MUSTCHECK; /* NULL: the file is no good */
void link_dial(struct link *l);                  /* name and ticket are set */
void link_drop(struct link *l);                  /* without a word, as when a network is gone */
void link_deinit(struct link *l);

#endif
