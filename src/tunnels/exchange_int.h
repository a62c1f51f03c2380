/* SPDX-License-Identifier: MIT */
/* exchange_int.h - what the files of an exchange share; no other file includes this header. */
#ifndef SRC_TUNNELS_EXCHANGE_INT_H
#define SRC_TUNNELS_EXCHANGE_INT_H

#include <assert.h>

#include "src/tunnels/exchange.h"

extern const struct relay_ops exchange_relay_ops; /* exchange_legs.c */

/* Events that an operator watches: http-rules.md#failures. Each is logged at most once a second. */
enum exchange_event {
    EVENT_AWAY,
    EVENT_FULL,
    EVENT_SILENT,
    EVENT_IDLE,
    EVENT_RESET,
    EVENT_ORIGIN,
    EXCHANGE_EVENTS
};
static_assert((int)EXCHANGE_EVENTS == (int)WORKER_EXCHANGE_EVENTS, "a limit for each");
/* Logs @event with the name and the viewer, unless it was logged within the last second. */
void exchange_log(struct exchange *x, enum exchange_event event);

/* Returns whether @event may be logged now. @suppressed: how often it was not since the last line.
 */
bool exchange_log_pass(struct exchange *x, enum exchange_event event, uint64_t *suppressed);

/* Enters a state, after which the invariants of exchange.h are checked. */
void exchange_enter(struct exchange *x, enum exchange_state s);

/* ---- exchange.c */

bool exchange_is_websocket(const struct exchange *x);
enum stream_kind exchange_kind(const struct exchange *x);

/* Whether the near leg hands up a body of its own accord: a request has one, and is no WebSocket.
 */
static inline bool exchange_has_body(const struct exchange *x)
{
    return !x->request.end && !exchange_is_websocket(x);
}

/* Ends the exchange with a definite answer: an error page before the head, a visible cut after. */
void exchange_fail(struct exchange *x, enum failure why);

/* Ends a WebSocket whose link is gone: the viewer gets close code 1012. */
void exchange_restart(struct exchange *x);

/* Ends the exchange: writes the access line and cuts every tie. Nothing happens when it is dead. */
void exchange_die(struct exchange *x, bool aborted);

/* Gives up the far leg and its place on the backend, if there is one. */
void exchange_leave_far(struct exchange *x, int err);

/* ---- exchange_hold.c */

void exchange_init_waiter(struct exchange *x);

/* Fails an exchange that has waited enough, or may not wait at all: 503. */
void exchange_give_up_waiting(struct exchange *x);

/* Sends the request again if the client provably did nothing with it and nothing of its body is
 * gone: at once, or without a body after a wait. Returns false when it may not be sent again. */
bool exchange_retry(struct exchange *x, const struct leg_fault *why);

/* ---- exchange_time.c */

/* Arms the timer for the state that the exchange is in. */
void exchange_arm(struct exchange *x);
void exchange_run_timer(void *exchange);

#endif
