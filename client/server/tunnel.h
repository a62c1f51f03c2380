/* SPDX-License-Identifier: MIT */
/* tunnel.h - the name that we share: registers it, keeps its links attached, renews the ticket,
 * leaves. protocol.md#register, protocol.md#attach */
#ifndef CLIENT_SERVER_TUNNEL_H
#define CLIENT_SERVER_TUNNEL_H

#include "client/server/link.h"

struct tunnel;

enum exit_code { /* protocol.md#exit-codes */
                 EXIT_STOPPED = 0,
                 EXIT_USAGE = 1,
                 EXIT_REFUSED = 2,
                 EXIT_CERTIFICATE = 3,
                 EXIT_RETRIES = 4,
                 EXIT_INTERNAL = 70
};

struct tunnel_options { /* all pointers are borrowed and outlive the tunnel */
    const struct call_env *env;
    struct exchange_list *exchanges;
    const struct url *server;
    const char *name;        /* asked for by the user; NULL: any */
    const char *ticket_file; /* NULL: tickets live in memory */
    unsigned links;          /* to keep up, at least 1; the server may allow fewer */
    struct h2_options h2;    /* of each */
    uint64_t max_retries;    /* in a row while no link is up; 0: for ever */
    uint64_t leave_ms;       /* for running exchanges when we leave */
    void (*on_url)(void *user, const char *url); /* viewers are served under @url, from now on */
    void (*on_exit)(void *user, enum exit_code code); /* once; the tunnel does nothing more */
    void *user;
};

struct tunnel *
client_tunnel_new(const struct tunnel_options *o) MUSTCHECK; /* NULL: no random bytes */
void client_tunnel_free(struct tunnel *t);                   /* links are closed. NULL is fine */

void client_tunnel_start(struct tunnel *t);
void client_tunnel_leave(
    struct tunnel *t); /* GOAWAY, running exchanges get their time, then on_exit(EXIT_STOPPED) */
void client_tunnel_quiet(struct tunnel *t); /* no ordinary exchange runs any more */

#endif
