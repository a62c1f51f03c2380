/* SPDX-License-Identifier: MIT */
/* sock_tail.h - counts the bytes that wait in socks for slow peers after the exchange is over, and
 * cuts socks whose peers take nothing when the budget is short.
 *
 * A tail is the rest of an answer that has not left when the exchange is over (sock_count_tail).
 * Most answers have left by the end of their turn, and nothing is allocated for them.
 *
 * Invariant: a tail is in the list of its sock_tails, and its bytes are in the share's sum. */
#ifndef H2MUX_IO_SOCK_TAIL_H
#define H2MUX_IO_SOCK_TAIL_H

#include "h2mux/io/budget.h"
#include "h2mux/io/sock.h"

/* The tails of one thread. */
struct sock_tails {
    struct budget_share *share; /* borrowed: counts their bytes */
    struct list_node list;      /* of struct tail: sock_tail.c */
    uint64_t stall_ms;          /* the owner sets this and the next two */
    void (*on_cut)(void *user, uint64_t stalled_ms, uint64_t bytes); /* may be NULL */
    void *user;                                                      /* borrowed */
};

void sock_tails_init(struct sock_tails *t, struct budget_share *share);

/* Cuts the socks whose peers have taken nothing for stall_ms milliseconds, the oldest tail first,
 * until less than three quarters of the budget are used. */
void sock_tails_evict(struct sock_tails *t, uint64_t now_us);

/* Checks the invariants: check.h. Returns the bytes of all tails. */
uint64_t sock_tails_check(const struct sock_tails *t);

/* Ends the counting of all tails without closing their socks. */
void sock_tails_forget(struct sock_tails *t);

#endif
