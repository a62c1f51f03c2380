/* SPDX-License-Identifier: MIT */
/* resolver.h - looks names up as the system does (getaddrinfo: DNS, VPN, mDNS) in one helper
 * thread.
 *
 * Only the loop's thread calls these functions. Answers come from the loop, never inside a call. */
#ifndef H2MUX_IO_RESOLVER_H
#define H2MUX_IO_RESOLVER_H

#include <netdb.h>

#include "h2mux/io/loop.h"

struct resolver;
struct resolver_query;
struct sandbox;

/* Brings the answer of a query. @list has the addresses and is borrowed for the call. If the lookup
 * failed, @list is NULL, @reason says why, and @err is ERR_DNS, or ERR_SHORT if this machine lacked
 * descriptors or memory for the lookup. */
typedef void (*resolver_on_answer)(void *user, const struct addrinfo *list, int err,
                                   const char *reason);

/* Makes a resolver and its thread. Returns NULL if the system has no thread or descriptor for the
 * resolver; errno has the reason. */
struct resolver *resolver_new(struct loop *l) MUSTCHECK;
/* Frees @r without waiting for a lookup that hangs. Does nothing if @r is NULL. */
void resolver_free(struct resolver *r);

/* Has the thread enter @s, which the loop's thread has entered, before its next lookup. @s outlives
 * the resolver. */
void resolver_enter(struct resolver *r, const struct sandbox *s);

/* Begins a lookup of @host and returns the query. The query ends with its answer (@on_answer gets
 * @user) or with resolver_cancel. The addresses in the answer have the port @port. */
struct resolver_query *resolver_ask(struct resolver *r, const char *host, uint16_t port,
                                    resolver_on_answer on_answer, void *user) MUSTCHECK;
/* Ends a query without an answer: its @on_answer is never called. Does nothing if @q is NULL. */
void resolver_cancel(struct resolver_query *q);

/* Parses the numeric address @host at once, without the thread. Returns NULL if @host is a name.
 * The caller frees the result with freeaddrinfo. */
struct addrinfo *resolver_literal(const char *host, uint16_t port) MUSTCHECK;

#endif
