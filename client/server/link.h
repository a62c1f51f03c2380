/* SPDX-License-Identifier: MIT */
/* link.h - one attached connection to the server: attach call, HTTP/2 session, its end.
 * protocol.md#attach */
#ifndef CLIENT_SERVER_LINK_H
#define CLIENT_SERVER_LINK_H

#include "client/origin/exchange_list.h"
#include "client/server/refusal.h"
#include "h2mux/h2/h2.h"

struct link;

struct link_options {
    const struct call_env *env;      /* borrowed: outlives the link */
    struct exchange_list *exchanges; /* borrowed: likewise */
    const char *instance; /* borrowed: likewise; 128 random bits in hex, one for the process */
    unsigned slot;        /* Oneport-Link: its place among the links of this process */
    struct h2_options h2;
};

/* All from the loop, with nothing of nghttp2 on the stack. After on_refused and on_down the link is
 * gone. */
struct link_ops {
    void (*on_up)(void *user, struct link *l); /* the server has acknowledged our SETTINGS */
    void (*on_refused)(void *user, struct link *l, const struct refusal *r);
    void (*on_goaway)(void *user, struct link *l); /* see client_link_goaway_reason */
    void (*on_idle)(void *user, struct link *l);   /* its last stream has ended */
    void (*on_down)(void *user, struct link *l, const char *step, int err, const char *reason);
};

/* Dials and attaches. @ticket is borrowed for the call. */
struct link *client_link_open(const struct link_options *o, const struct url *attach,
                              const char *ticket, const struct link_ops *ops, void *user) MUSTCHECK;
/* At once, with a GOAWAY; no callback follows. NULL is fine. Never inside an event of a stream. */
void client_link_close(struct link *l);

void client_link_goaway(struct link *l);        /* we leave: nothing new, what runs goes on */
bool client_link_is_idle(const struct link *l); /* no stream is open */

enum link_farewell {
    LINK_DRAINING,   /* the server wants a fresh link, or stops */
    LINK_TAKEN_OVER, /* another process with our ticket has the name */
    LINK_NAME_LOST
};
enum link_farewell client_link_goaway_reason(const struct link *l);

#endif
