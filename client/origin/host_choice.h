/* SPDX-License-Identifier: MIT */
/* host_choice.h - chooses by which name the local service is asked, with --host-header auto: by our
 * public one, until it was seen to refuse that and to serve its own. Rule R43. Pure.
 *
 * A try is a request that is sent a second time, by the service's own name. There are three at most
 * while nothing is learned, so a service that refuses for other reasons is not asked twice for
 * ever.
 */
#ifndef CLIENT_ORIGIN_HOST_CHOICE_H
#define CLIENT_ORIGIN_HOST_CHOICE_H

#include "client/origin/doubt.h"
#include "client/origin/rewrite.h"

struct host_choice {
    struct rewrite given; /* as the option says; AUTO: our public name */
    struct rewrite local; /* the service's own name */
    unsigned tries;       /* that are left */
    bool learned;         /* the service wants its own name */
    bool served[2];       /* by our public name: ordinary requests, WebSockets */
};

void host_choice_init(struct host_choice *c, const struct rewrite *given);

/* Returns how the next request is changed. */
const struct rewrite *host_choice_now(const struct host_choice *c) MUSTCHECK;

/* Returns whether a request that was changed by @as, and was refused, may be asked again by the
 * service's own name, and counts a try. */
bool host_choice_take(struct host_choice *c, const struct rewrite *as) MUSTCHECK;
/* Gives a try back that was not made. */
void host_choice_give_back(struct host_choice *c);

/* Returns whether an answer of this kind to a request is worth a try. What gives no reason, as a
 * connection that is closed, is not if the service has served requests of this kind by our name. */
bool host_choice_is_worth(const struct host_choice *c, enum doubt kind, bool websocket) MUSTCHECK;

/* Notes that the service has served a request that was changed by @as. Returns true if it has just
 * shown that it wants its own name. */
bool host_choice_note(struct host_choice *c, const struct rewrite *as, int status, bool websocket);

#endif
