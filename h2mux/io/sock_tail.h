/* SPDX-License-Identifier: MIT */
/* sock_tail.h - counts the bytes that wait in socks for slow peers while nothing else remembers
 * them any more, and cuts socks whose peer stands still when the budget is short.
 *
 * A tail begins when an answer is over and some of it has not left yet (sock_count_tail). Most
 * answers have left by the end of their turn: nothing is allocated for those.
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
    uint64_t stall_ms;          /* the owner sets these three */
    void (*on_cut)(void *user, uint64_t stalled_ms, uint64_t bytes); /* may be NULL */
    void *user;                                                      /* borrowed */
};

void sock_tails_init(struct sock_tails *t, struct budget_share *share);

/* Cuts the tails whose peers have taken nothing for stall_ms, in the order in which they began,
 * until the budget is not tight any more. */
void sock_tails_evict(struct sock_tails *t, uint64_t now_us);

/* Checks the invariants: check.h. Returns the bytes of all tails. */
uint64_t sock_tails_check(const struct sock_tails *t);

/* Counts no tail any more; their socks live on. */
void sock_tails_forget(struct sock_tails *t);

#endif
