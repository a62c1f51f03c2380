/* SPDX-License-Identifier: MIT */
/* complaint.h - says in the log what is wrong on the way to the server, and what a person can do
 * about it (`advice`). Judges which failures trying again cannot help. */
#ifndef CLIENT_SERVER_COMPLAINT_H
#define CLIENT_SERVER_COMPLAINT_H

#include "client/server/refusal.h"

/* What may be hoped of a failure, as long as the server was never reached. */
enum outlook {
    OUTLOOK_OPEN, /* it may pass by itself: a server that starts, a network that is away */
    OUTLOOK_POOR, /* somebody has to change something: a few tries at once are enough */
    OUTLOOK_NONE  /* the next try would be refused as well, or do harm */
};

/* Judges a failure: @step, @err and @reason are those of call_ops.on_failed. Pure. */
enum outlook complaint_outlook(const char *step, int err, const char *reason) MUSTCHECK;

/* Returns what a person can do about the failure, or NULL. The text is static. Pure. */
const char *complaint_advice(const char *step, int err, const char *reason);

/* Returns what a person can do about a refusal, beyond what its message says; may be empty. The
 * text is static. Pure. */
const char *complaint_advice_on_refusal(const struct refusal *r) MUSTCHECK;

/* Logs @event: the try of @slot has failed, and the next one comes in @ms. @advice may be empty. */
void complaint_before_retry(const char *event, const char *server, unsigned slot, const char *step,
                            const char *reason, uint64_t ms, const char *advice);

/* Logs the end because of a failure of OUTLOOK_NONE: `server_certificate_refused`, or
 * `proxy_refuses`. */
void complaint_of_failure(const char *server, const char *step, int err, const char *reason);

/* Logs the end because of a refusal: `server_redirects` or `server_refuses`. @name is the name that
 * was asked for; NULL: any. */
void complaint_of_refusal(const char *server, const char *name, const char *step,
                          const struct refusal *r);

#endif
