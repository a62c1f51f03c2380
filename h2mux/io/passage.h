/* SPDX-License-Identifier: MIT */
/* passage.h - takes a sock that is connected to a proxy through it to a host: has the talk of
 * proxy.h on the sock, within a time limit.
 *
 * The owner of the sock lends it for that time, and gets it back with not one byte of the host read
 * or lost. Exactly one of the callbacks comes, from the loop, and ends the passage. */
#ifndef H2MUX_IO_PASSAGE_H
#define H2MUX_IO_PASSAGE_H

#include "h2mux/io/proxy.h"
#include "h2mux/io/sock.h"

struct passage;

struct passage_ops {
    /* The sock leads to the host. */
    void (*on_through)(void *user);
    /* @reason goes on from the name of the proxy, "forbids …", and is borrowed for the call. */
    void (*on_failed)(void *user, int err, const char *reason);
};

/* Begins the passage of @s, which is open. It fails with ERR_TIMEOUT after @timeout_ms. All is
 * borrowed, and outlives the passage or its cancellation. */
struct passage *passage_start(struct loop *l, struct sock *s, const struct proxy *p,
                              const char *host, uint16_t port, uint64_t timeout_ms,
                              const struct passage_ops *ops, void *user) MUSTCHECK;
/* Ends the passage without a callback. The sock still has its ops: the owner closes it, or sets
 * others. Does nothing if @p is NULL. */
void passage_cancel(struct passage *p);

#endif
