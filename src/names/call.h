/* SPDX-License-Identifier: MIT */
/* call.h - keeps together what is known about a request before it is served: its route, its viewer,
 * and the verdict on its ticket if it is a register or an attach call. The route is computed once,
 * and the ticket is verified at most once; both are handed along with the request. A call lives as
 * long as the request's head. protocol.md#register, protocol.md#attach */
#ifndef SRC_NAMES_CALL_H
#define SRC_NAMES_CALL_H

#include "src/http/route.h"
#include "src/http/trust.h"
#include "src/names/directory.h"
#include "src/names/ticket.h"

enum ticket_verdict {
    TICKET_NONE,    /* the call has no ticket */
    TICKET_GOOD,    /* `ticket` is filled */
    TICKET_EXPIRED, /* valid but for its time; `ticket` is filled */
    TICKET_BAD      /* not valid for this server, or the call has two tickets */
};

struct call {
    const struct message *m;     /* borrowed: the request, fields as they came */
    struct route route;          /* its slices are borrowed from @m */
    const struct viewer *viewer; /* borrowed; NULL until call_set_viewer */
    bool tls;                    /* the call came over our own TLS */
    bool secure;                 /* protocol.md#secure-calls */
    struct {
        bool done;
        enum ticket_verdict verdict;
        struct ticket ticket;
    } judged; /* by call_ticket */
};

/* The keys and the domain that a ticket must have been signed with. */
struct call_judge {
    const struct keyring *keyring; /* borrowed */
    struct slice domain;           /* the base domain; borrowed */
};

/* Fills @c with the request @m and its route. */
void call_init(struct call *c, struct slice domain, const struct message *m);

/* Sets the viewer, and whether the call is secure. @peer_local: the peer is loopback or a unix
 * socket. A proxied call is secure when the trusted proxy says that it came by https. Any other
 * call is secure when it came over our TLS, from a local peer, or from a trusted proxy that says
 * https. */
void call_set_viewer(struct call *c, const struct viewer *v, bool tls, bool peer_local);

/* Returns the verdict on the ticket of a register call (Oneport-Ticket) or of an attach call
 * (Authorization: Bearer). Verifies the ticket when it is called for the first time. */
enum ticket_verdict call_ticket(struct call *c, const struct call_judge *j);

/* Returns the worker that has the name of the call: the name of the tunnel, or on the base domain
 * the name in the path or in the ticket. Returns DIRECTORY_NOBODY when any worker can serve the
 * call. */
int call_home(struct call *c, const struct call_judge *j, struct directory *d);

#endif
