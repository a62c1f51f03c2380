/* SPDX-License-Identifier: MIT */
/* link.h - an attached link of a client that needs little memory: TLS, the attach request, and as
 * much HTTP/2 as keeps the link up and answers requests.
 *
 * Each request is answered with 200 bytes, which begin with the name and a dot: so a viewer sees
 * which tunnel has answered. The TLS session outlives link_drop and is resumed. */

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
    void (*on_lost)(struct link *l, const char *why); /* the link is DOWN already */
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
    bool greeted; /* the server's preface has come */
};

SSL_CTX *link_tls_new(const char *ca) MUSTCHECK; /* NULL if @ca cannot be used */
void link_dial(struct link *l);                  /* name and ticket are set */
void link_drop(struct link *l);                  /* closes without a word, as a lost network does */
void link_deinit(struct link *l);

#endif
