/* SPDX-License-Identifier: MIT */
/* kept.h - the open connection that a call has left, for a call that begins at once. So attach goes
 * on where register has asked, if both are at one place: one scheme, host and port.
 *
 * A connection is kept while the callback runs that tells the answer, and is closed afterwards. So
 * it has no timer, and nobody waits on it. */
#ifndef CLIENT_SERVER_KEPT_H
#define CLIENT_SERVER_KEPT_H

#include "h2mux/http/url.h"
#include "h2mux/io/sock.h"

/* Zeroed: nothing is kept. */
struct kept {
    struct url at;
    struct sock *sock; /* owned; NULL: nothing is kept */
};

/* Keeps @sock, a connection to the place of @at, and owns it. Closes what was kept before. */
void kept_put(struct kept *k, const struct url *at, struct sock *sock);

/* Returns the connection if it is one to the place of @to, is open, and has nothing to be read:
 * what a server says unasked is no answer to the next request. The caller owns it then. Returns
 * NULL otherwise. */
struct sock *kept_take(struct kept *k, const struct url *to) MUSTCHECK;

/* Closes what is kept, if anything. */
void kept_drop(struct kept *k);

#endif
