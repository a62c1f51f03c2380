/* SPDX-License-Identifier: MIT */
/* exchange_int.h - is shared by exchange.c, exchange_again.c, exchange_conn.c and
 * exchange_stream.c. Nobody else includes it. */
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
/* Ends the exchange by RST_STREAM(@code) to the viewer's side. */
void client_exchange_cut(struct exchange *x, uint32_t code, const char *reason);

/* exchange_again.c: a request that may have been refused for the name that it asked for. Rules R43,
 * R44. */

/* Begins to keep the answer @m, which nothing was passed on of, where it may be such a refusal.
 * @end: it has no body. Returns false when it is to be passed on. */
bool client_exchange_keep(struct exchange *x, struct message *m, bool end);
/* Keeps a piece of its body; what is too much is passed on, with all before it. */
void client_exchange_keep_body(struct exchange *x, struct slice data, bool end);
/* The answer that is kept is complete: asks again, or passes it on. */
void client_exchange_kept(struct exchange *x);
/* Passes on what is kept, complete or not, in place of a second answer. */
void client_exchange_pass_kept(struct exchange *x);
/* The service has closed the connection without an answer, or has said no HTTP to a handshake. Asks
 * again, or returns false. @f and @reason are what the viewer is told if that does not help. */
bool client_exchange_ask_unanswered(struct exchange *x, const struct failure *f,
                                    const char *reason);
/* Judges the head of the second answer. Returns false when it does not count: it is interim, or no
 * better than the first one, which the viewer has got then. */
bool client_exchange_is_served(struct exchange *x, const struct message *m,
                               const struct response_verdict *v);
/* Notes that the viewer is served with @status. */
void client_exchange_note(struct exchange *x, int status);

/* exchange_conn.c */

/* Makes the exchange ready for client_exchange_connect. */
void client_exchange_prepare(struct exchange *x);
/* Leases a connection that will do for @need, once this turn's callbacks have run. */
void client_exchange_connect(struct exchange *x, enum reuse_need need);
/* Tells the server of a sign-in of the connection that cannot be kept, as the viewer's connection
 * has no name (rule D44). @m is the answer's head. */
void client_exchange_tell_sign_in(struct exchange *x, struct message *m);
/* The connection has ended before its time because of @why. */
void client_exchange_conn_reset(struct exchange *x, const struct leg_fault *why);
/* The response was read to its end: the origin's part is over. The exchange goes on until the rest
 * of the response has left. */
void client_exchange_response_ended(struct exchange *x);

/* exchange_stream.c */

/* Copies a piece of the request's body, which may have to be sent again (rule D39). Gives the copy
 * up when it would be too large. */
void client_exchange_copy(struct exchange *x, struct slice data, bool end);
void client_exchange_copy_trailers(struct exchange *x, const struct fields *t);
void client_exchange_forget_copy(struct exchange *x);

/* Waits for a stream of a channel, and sends the request on it. */
void client_exchange_ask_stream(struct exchange *x);
/* Ends the wait, and gives up the stream. */
void client_exchange_leave_stream(struct exchange *x);
/* One side has said its last. */
void client_exchange_stream_ended(struct exchange *x);
/* The stream has ended before its time because of @why. */
void client_exchange_stream_reset(struct exchange *x, const struct leg_fault *why);

#endif
