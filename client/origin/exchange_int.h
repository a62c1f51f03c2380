/* SPDX-License-Identifier: MIT */
/* exchange_int.h - is shared by exchange.c and exchange_conn.c. Nobody else includes it. */
#ifndef CLIENT_ORIGIN_EXCHANGE_INT_H
#define CLIENT_ORIGIN_EXCHANGE_INT_H

#include "client/origin/exchange.h"

/* exchange.c */

/* Checks the invariants of exchange.h. */
void client_exchange_check(const struct exchange *x);
/* Changes the state, and arms the timer for what it may last. */
void client_exchange_enter(struct exchange *x, enum exchange_state state);
/* Ends the exchange. The viewer gets a response that names @f while there is none yet; later
 * the response is cut so that the viewer can tell. @step and @reason are for the log. */
void client_exchange_fail(struct exchange *x, const struct failure *f, const char *step,
                          const char *reason);
/* Gives the connection back to the pool if the response on it is complete, else gives it up. */
void client_exchange_let_go(struct exchange *x, enum origin_end how);

/* exchange_conn.c */

/* Makes the exchange ready for client_exchange_connect. */
void client_exchange_prepare(struct exchange *x);
/* Leases a connection that will do for @need, once this turn's callbacks have run. */
void client_exchange_connect(struct exchange *x, enum reuse_need need);

#endif
