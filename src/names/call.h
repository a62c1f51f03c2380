/* SPDX-License-Identifier: MIT */
/* call.h - one request of the base domain or of a tunnel: where it goes, who asks, and the ticket
 * that a register or attach call carries. The route is computed once and the ticket is judged once;
 * both are handed along. protocol.md#register, protocol.md#attach. */
#ifndef SRC_NAMES_CALL_H
#define SRC_NAMES_CALL_H

#include "src/http/route.h"
#include "src/http/trust.h"
#include "src/names/directory.h"
#include "src/names/ticket.h"

enum ticket_verdict {
    TICKET_NONE,    /* the call carries none */
    TICKET_GOOD,    /* `ticket` is filled */
    TICKET_EXPIRED, /* all is well but for the time; `ticket` is filled */
    TICKET_BAD      /* the signature or the domain is wrong, there are two, or a claim is unknown */
};

struct call {
    const struct message *m;     /* borrowed: the request, fields as they came */
    struct route route;          /* its slices are borrowed from @m */
    const struct viewer *viewer; /* borrowed; NULL until it is known */
    bool tls;                    /* the call came over our own TLS */
    bool secure;                 /* protocol.md#secure-calls */
    struct {
        bool done;
        enum ticket_verdict verdict;
        struct ticket ticket;
    } judged; /* call_ticket fills it */
};

/* What tickets are judged by. */
struct call_judge {
    const struct keyring *keyring; /* borrowed */
    struct slice domain;           /* the base domain */
};

/* Fills @c with the request @m and its route. */
void call_init(struct call *c, struct slice domain, const struct message *m);

/* Sets who asks. @peer_local: the peer is loopback or a unix socket. A call is secure when it came
 * over our TLS or from a local peer and is no proxied request, or when a trusted proxy says that it
 * came by https. */
void call_set_viewer(struct call *c, const struct viewer *v, bool tls, bool peer_local);

/* Returns the verdict on the ticket of a register call (Oneport-Ticket) or of an attach call
 * (Authorization: Bearer), which is verified at the first time only. */
enum ticket_verdict call_ticket(struct call *c, const struct call_judge *j);

/* Returns the worker that has the name which the call is about: the tunnel's for a viewer, the one
 * in the path or in the ticket for calls of the base domain. Returns DIRECTORY_NOBODY when any
 * worker will do. */
int call_home(struct call *c, const struct call_judge *j, struct directory *d);

#endif
