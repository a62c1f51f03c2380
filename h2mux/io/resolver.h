/* SPDX-License-Identifier: MIT */
/* resolver.h - names to addresses by getaddrinfo (the system's idea of DNS, VPN and mDNS) in one
 * helper thread.
 *
 * Everything here is called from the loop's thread; answers come from the loop, never inside a
 * call. */
#ifndef H2MUX_IO_RESOLVER_H
#define H2MUX_IO_RESOLVER_H

#include <netdb.h>

#include "h2mux/io/loop.h"

struct resolver;
struct resolver_query;

/* @list is borrowed for the call; NULL: it failed and @reason says why. */
typedef void (*resolver_on_answer)(void *user, const struct addrinfo *list, const char *reason);

struct resolver *resolver_new(struct loop *l) MUSTCHECK; /* NULL: errno says why */
void resolver_free(struct resolver *r);                  /* never waits for a lookup that hangs */

/* The query lives until its answer or resolver_cancel. @port goes into the addresses. */
struct resolver_query *resolver_ask(struct resolver *r, const char *host, uint16_t port,
                                    resolver_on_answer on_answer, void *user) MUSTCHECK;
void resolver_cancel(struct resolver_query *q); /* no answer comes any more. NULL is fine */

/* The same for an address in figures, at once and without the thread. NULL: it is a name. Freed by
 * freeaddrinfo. */
struct addrinfo *resolver_literal(const char *host, uint16_t port) MUSTCHECK;

#endif
