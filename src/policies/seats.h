/* SPDX-License-Identifier: MIT */
/* seats.h - lets a number of viewers in at a time, and the others in the order in which they came.
 * A viewer is an address. It has its seat as long as it has a request open, and for SEATS_FREE_US
 * after that. Who has to wait keeps its place by asking again within SEATS_WAIT_US. Has no clock
 * and no lock: the caller passes the time. http-rules.md#policies */
#ifndef SRC_POLICIES_SEATS_H
#define SRC_POLICIES_SEATS_H

#include "src/limits/address.h"

enum {
    SEATS_FREE_US = 60 * 1000 * 1000,
    SEATS_WAIT_US = 30 * 1000 * 1000,
    SEATS_QUEUE_MAX = 1024 /* who comes later has no place in the order */
};

struct seats;

/* Makes @n free seats. */
struct seats *seats_new(size_t n) MUSTCHECK;
void seats_free(struct seats *s);

/* Frees the memory of seats and places that nobody has any more. NULL is fine. */
void seats_tidy(struct seats *s, uint64_t now_us);
/* Returns how much that is now, in bytes. NULL is fine. */
size_t seats_bytes(const struct seats *s);

/* Lets a request of @of in, and counts it as open. Returns false when there is no seat for it. */
bool seats_enter(struct seats *s, const struct address *of, uint64_t now_us) MUSTCHECK;

/* Notes that a request of @of that was let in is over. */
void seats_leave(struct seats *s, const struct address *of, uint64_t now_us);

#endif
