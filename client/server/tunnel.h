/* SPDX-License-Identifier: MIT */
/* tunnel.h - the name that is shared: registers it, keeps its links attached, renews its ticket,
 * and leaves. protocol.md#register, protocol.md#attach */
#ifndef CLIENT_SERVER_TUNNEL_H
#define CLIENT_SERVER_TUNNEL_H

#include "client/server/patience.h"
#include "client/server/slots.h"

struct tunnel;

/* protocol.md#exit-codes */
enum exit_code {
    EXIT_STOPPED = 0,
    EXIT_USAGE = 1,
    EXIT_REFUSED = 2,
    EXIT_CERTIFICATE = 3,
    EXIT_RETRIES = 4,
    EXIT_INTERNAL = 70
};

/* All pointers are borrowed and outlive the tunnel. */
struct tunnel_options {
    const struct call_env *env;
    struct exchange_list *exchanges;
    const struct url *server;
    const char *name;         /* asked for by the user; NULL: any */
    const char *origin;       /* what is shared, as "http://localhost:3000" */
    const char *ticket_file;  /* NULL: tickets live in memory */
    unsigned links;           /* how many to keep up, at least 1; the server may allow fewer */
    struct h2_options h2;     /* of each link */
    struct patience patience; /* only its limits are set */
    uint64_t leave_ms;        /* how long running exchanges have when the tunnel leaves */

    /* Viewers are served under @url from now on. Comes each time that a link is let in or is up. */
    void (*on_url)(void *user, const char *url);

    /* The tunnel does nothing more. Comes once. */
    void (*on_exit)(void *user, enum exit_code code);
    void *user;
};

/* How a tunnel is at a moment, for a person to look at. */
struct tunnel_look {
    bool told;    /* on_url has come */
    bool leaving; /* what runs may finish, and nothing new comes */
    struct slots_look slots;
    uint64_t retry_ms; /* until the name is asked for again; 0: that is not waited for */
};
struct tunnel_look client_tunnel_look(const struct tunnel *t);

/* Returns NULL when there are no random bytes; errno says why. */
struct tunnel *client_tunnel_new(const struct tunnel_options *o) MUSTCHECK;
/* Closes all links. NULL is fine. */
void client_tunnel_free(struct tunnel *t);

void client_tunnel_start(struct tunnel *t);

/* Returns the port that links are attached at, as the server said last; 0: it has not yet. */
uint16_t client_tunnel_attach_port(const struct tunnel *t) MUSTCHECK;

/* Says goodbye to the server, gives running exchanges their time, then calls on_exit(EXIT_STOPPED).
 */
void client_tunnel_leave(struct tunnel *t);
/* Tells that the machine has slept: asks every link for a sign of life. */
void client_tunnel_wake(struct tunnel *t);
/* Tells that no exchange but WebSockets runs any more. */
void client_tunnel_quiet(struct tunnel *t);

#endif
