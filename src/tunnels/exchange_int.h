/* SPDX-License-Identifier: MIT */
/* exchange_int.h - declares the functions that the files of an exchange share; no other file
 * includes this header. */
#ifndef SRC_TUNNELS_EXCHANGE_INT_H
#define SRC_TUNNELS_EXCHANGE_INT_H

#include <assert.h>

#include "src/tunnels/exchange.h"

extern const struct relay_ops exchange_relay_ops; /* exchange_legs.c */

/* Lists the events that are logged for the operator (http-rules.md#failures). A worker logs each
 * event at most once a second. */
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
/* Logs @event with the tunnel's name and the viewer's address, unless the event was logged within
 * the last second. */
void exchange_log(struct exchange *x, enum exchange_event event);

/* Returns whether @event may be logged now, since it was not logged within the last second. Sets
 * @suppressed to the number of times that it was left out since its last line. */
bool exchange_log_pass(struct exchange *x, enum exchange_event event, uint64_t *suppressed);

/* Enters the state @s, and checks the invariants of exchange.h (CHECK=1). */
void exchange_enter(struct exchange *x, enum exchange_state s);

/* ---- exchange.c */

bool exchange_is_websocket(const struct exchange *x);
enum stream_kind exchange_kind(const struct exchange *x);

/* Returns whether the request has a body. A request for a WebSocket has none. */
static inline bool exchange_has_body(const struct exchange *x)
{
    return !x->request.end && !exchange_is_websocket(x);
}

/* Ends the exchange because of @why. Before the final head the viewer gets an error page. After the
 * final head the answer is cut in a way that the viewer can see. */
void exchange_fail(struct exchange *x, enum failure why);

/* Ends an open WebSocket whose link is gone or that was silent too long. The viewer gets close code
 * 1012. */
void exchange_restart(struct exchange *x);

/* Ends the exchange: writes its line to the access log and gives up both legs. Does nothing when
 * the exchange is dead. @aborted: the answer was cut off after its head. */
void exchange_die(struct exchange *x, bool aborted);

/* Resets the far leg with the error @err, if there is a far leg, and tells the backend that its
 * stream is given up. */
void exchange_leave_far(struct exchange *x, int err);

/* ---- exchange_hold.c */

void exchange_init_waiter(struct exchange *x);

/* Fails an exchange that has waited too long or may not wait at all. The viewer gets 503. */
void exchange_give_up_waiting(struct exchange *x);

/* Sends the request a second time if @why says that the client did not process it and no part of
 * its body was passed on. A request with a body is sent at once or not at all; a request without a
 * body may wait for a backend. Returns false when the request may not be sent again. */
bool exchange_retry(struct exchange *x, const struct leg_fault *why);

/* ---- exchange_time.c */

/* Arms the timer for the state that the exchange is in. */
void exchange_arm(struct exchange *x);
void exchange_run_timer(void *exchange);

#endif
