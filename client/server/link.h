/* SPDX-License-Identifier: MIT */
/* link.h - one attached connection to the server: makes the attach call, then runs an HTTP/2
 * session until its end. protocol.md#attach */
#ifndef CLIENT_SERVER_LINK_H
#define CLIENT_SERVER_LINK_H

#include "client/origin/exchange_list.h"
#include "client/server/refusal.h"
#include "h2mux/h2/h2.h"

struct link;

struct link_options {
    const struct call_env *env;      /* borrowed: outlives the link */
    struct exchange_list *exchanges; /* borrowed: likewise */
    const char *instance;            /* borrowed: likewise; 128 random bits in hex, one a process */
    unsigned slot;                   /* Oneport-Link: its place among the links of the process */
    struct h2_options h2;
};

/* All but on_learned come from the loop, with nothing of nghttp2 on the stack. After on_refused and
 * on_down the link is gone. */
struct link_ops {
    /* The server has let the link in, and the link's SETTINGS are on their way. Comes before on_up,
     * or before the link's end. */
    void (*on_let_in)(void *user, struct link *l);
    /* The server has acknowledged the link's SETTINGS. */
    void (*on_up)(void *user, struct link *l);
    void (*on_refused)(void *user, struct link *l, const struct refusal *r);
    /* The server says goodbye: client_link_goaway_reason tells why. */
    void (*on_goaway)(void *user, struct link *l);
    /* The line has taught something. Comes from inside nghttp2: the owner takes a copy. */
    void (*on_learned)(void *user, const struct line_rate *learned);
    /* The last stream has ended. */
    void (*on_idle)(void *user, struct link *l);
    void (*on_down)(void *user, struct link *l, const char *step, int err, const char *reason);
};

/* Dials and attaches, with @public_only to a public address alone. @ticket is borrowed for the
 * call. */
struct link *client_link_open(const struct link_options *o, const struct url *attach,
                              bool public_only, const char *ticket, const struct link_ops *ops,
                              void *user) MUSTCHECK;

/* Closes the link at once, with a GOAWAY; no callback follows. NULL is fine. Never called inside an
 * event of a stream. */
void client_link_close(struct link *l);

/* Says goodbye to the server: no new streams come, those that run go on. */
void client_link_goaway(struct link *l);

/* Sends a PING at once, since the machine has slept. Does nothing before the session. */
void client_link_wake(struct link *l);

/* Returns whether no stream is open. */
bool client_link_is_idle(const struct link *l);

/* Returns the shortest round trip to the server in microseconds; 0 before one is known. */
uint64_t client_link_round_trip_us(const struct link *l);

enum link_farewell {
    LINK_DRAINING,   /* the server wants a fresh link, or stops */
    LINK_TAKEN_OVER, /* another process with the same ticket has the name */
    LINK_NAME_LOST   /* another owner has the name */
};
enum link_farewell client_link_goaway_reason(const struct link *l);

#endif
