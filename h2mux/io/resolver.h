/* SPDX-License-Identifier: MIT */
/* resolver.h - looks names up as the system does (getaddrinfo: DNS, VPN, mDNS) in one helper
 * thread.
 *
 * All functions are called from the loop's thread. Answers come from the loop, never inside a call.
 */
#ifndef H2MUX_IO_RESOLVER_H
#define H2MUX_IO_RESOLVER_H

#include <netdb.h>

#include "h2mux/io/loop.h"

struct resolver;
struct resolver_query;

/* Brings the answer. @list is borrowed for the call; it is NULL if the lookup failed, and @reason
 * says why. */
typedef void (*resolver_on_answer)(void *user, const struct addrinfo *list, const char *reason);

/* Makes a resolver and its thread. Returns NULL if the system gives none; errno says why. */
struct resolver *resolver_new(struct loop *l) MUSTCHECK;
/* Frees @r, and never waits for a lookup that hangs. NULL is fine. */
void resolver_free(struct resolver *r);

/* Begins a lookup. The query lives until its answer or resolver_cancel. @port goes into the
 * addresses. */
struct resolver_query *resolver_ask(struct resolver *r, const char *host, uint16_t port,
                                    resolver_on_answer on_answer, void *user) MUSTCHECK;
/* Forgets a lookup: no answer comes any more. NULL is fine. */
void resolver_cancel(struct resolver_query *q);

/* Reads an address in figures, at once and without the thread. Returns NULL if @host is a name. The
 * caller frees the result with freeaddrinfo. */
struct addrinfo *resolver_literal(const char *host, uint16_t port) MUSTCHECK;

#endif
