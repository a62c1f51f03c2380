/* SPDX-License-Identifier: MIT */
/* call.h - holds the facts about a request that are known before it is served: its route, its
 * viewer, and the verdicts on its ticket and its token if it is a register or an attach call. The
 * route is computed once, and ticket and token are judged at most once; the results are handed on
 * with the request. A call lives as long as the request's head. protocol.md#register,
 * protocol.md#attach */
#ifndef SRC_NAMES_CALL_H
#define SRC_NAMES_CALL_H

#include "src/http/route.h"
#include "src/http/trust.h"
#include "src/names/directory.h"
#include "src/names/ticket.h"
#include "src/names/tokens.h"

enum ticket_verdict {
    TICKET_NONE,    /* the call has no ticket */
    TICKET_GOOD,    /* `ticket` is filled */
    TICKET_EXPIRED, /* valid but for its time; `ticket` is filled */
    TICKET_BAD      /* the ticket is not valid for this server, or the call has two */
};

struct call {
    const struct message *m;     /* borrowed: the request, fields as they came */
    struct route route;          /* its slices are borrowed from @m */
    const struct viewer *viewer; /* borrowed; NULL until call_set_viewer */
    bool tls;                    /* the call came over our own TLS */
    bool secure;                 /* protocol.md#secure-calls */

    /* The ID that a certificate proves, which the caller sets before call_token; empty: none. */
    char certificate[TOKEN_ID_MAX + 1];
    struct {
        bool done;
        enum ticket_verdict verdict;
        struct ticket ticket;
    } judged; /* by call_ticket */
    struct {
        bool done;
        enum token_verdict verdict;
        struct token_grant grant;
        bool by_text; /* a text was shown, which no web page can know */
    } token;          /* by call_token */
};

/* Holds the keys, one of which must have signed a ticket, and the domain that the ticket must
 * name. */
struct call_judge {
    struct keyring *keyring; /* borrowed */
    struct slice domain;     /* the base domain; borrowed */
    struct tokens *tokens;   /* borrowed; NULL: everybody may share */
};

/* Fills @c with the request @m and its route. @d knows the domains of names; NULL: there are none.
 */
void call_init(struct call *c, struct slice domain, struct directory *d, const struct message *m);

/* Does what route_host does, and finds the tunnel whose own domain is the host of @authority. */
enum route_kind call_route_host(struct slice domain, struct directory *d, struct slice authority,
                                char name[static NAME_MAX_LEN + 1]);

/* Sets the viewer of @c, and sets whether the call is secure. @tls says that the call came over
 * this server's TLS, and @peer_local that the peer is loopback or a unix socket. A proxied call is
 * secure when the trusted proxy says that the viewer uses https. Any other call is secure when it
 * came over this server's TLS, from a local peer, or from a trusted peer that says https. */
void call_set_viewer(struct call *c, const struct viewer *v, bool tls, bool peer_local);

/* Returns the verdict on the ticket of a register call (Oneport-Ticket) or of an attach call
 * (Authorization: Bearer). The first call of this function verifies the ticket; later calls return
 * the same verdict. */
enum ticket_verdict call_ticket(struct call *c, const struct call_judge *j);

/* Returns the verdict on the token of a register call (Authorization: Bearer, or a certificate; if
 * it has both, they have to be of one ID), or on the token that the good ticket of an attach call
 * was issued for, which needs its certificate if nothing else proves it. `token.grant` is filled
 * for TOKEN_GOOD. The first call of this function judges; later calls return the same verdict. */
enum token_verdict call_token(struct call *c, const struct call_judge *j);

/* Returns the index of the worker that has the name of the call: the name of the tunnel, or on the
 * base domain the name in the path or in the ticket. Returns DIRECTORY_NOBODY when any worker can
 * serve the call. */
int call_home(struct call *c, const struct call_judge *j, struct directory *d);

#endif
