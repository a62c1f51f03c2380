/* SPDX-License-Identifier: MIT */
/* exchange_int.h - what exchange.c and exchange_legs.c share; nobody else includes it. */
#ifndef SRC_TUNNELS_EXCHANGE_INT_H
#define SRC_TUNNELS_EXCHANGE_INT_H

#include <assert.h>

#include "src/tunnels/exchange.h"

extern const struct relay_ops exchange_relay_ops; /* exchange_legs.c */

/* What an operator counts (http-rules.md#failures): at most a line a second of each. */
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
void exchange_log(struct exchange *x, enum exchange_event event);
/* Whether a line of @event may be written now; @suppressed: how many were not since the last. */
bool exchange_log_pass(struct exchange *x, enum exchange_event event, uint64_t *suppressed);

bool exchange_is_websocket(const struct exchange *x);
void exchange_arm(struct exchange *x); /* the timer, for the state it is in */
/* A definite answer, whatever happened: an error page before the head, a visible cut after it. */
void exchange_fail(struct exchange *x, enum failure why);
void exchange_restart(struct exchange *x);            /* a WebSocket whose link is gone: 1012 */
void exchange_die(struct exchange *x, bool aborted);  /* logged, and every tie cut. Idempotent */
void exchange_leave_far(struct exchange *x, int err); /* the stream is given up, its slot too */
/* false: it may not be sent again. */
bool exchange_retry(struct exchange *x, const struct leg_fault *why);

#endif
