/* SPDX-License-Identifier: MIT */
/* congestion.h - the congestion control of a TCP connection, by the name that Linux gives it
 * (cubic, bbr; tcp(7), TCP_CONGESTION). It governs what this machine sends. Without a choice a
 * connection has the one of net.ipv4.tcp_congestion_control.
 *
 * Without CAP_NET_ADMIN a process may choose one of net.ipv4.tcp_allowed_congestion_control alone.
 */
#ifndef H2MUX_IO_CONGESTION_H
#define H2MUX_IO_CONGESTION_H

#include "h2mux/base/alloc.h"
#include "h2mux/base/err.h"

/* Returns 0 if @name can be such a name: up to 15 letters, digits, hyphens and underscores.
 * Otherwise returns ERR_SYNTAX. */
int congestion_check(const char *name) MUSTCHECK;

/* Returns @name, if this process may use it, or NULL after one line in the log. Call it once, with
 * the rights that the process keeps. @name may be NULL, for the system's own. */
const char *congestion_choose(const char *name);

/* Gives the TCP connection @fd the congestion control @name, which congestion_choose has returned.
 * Does nothing if that is NULL. */
void congestion_set(int fd, const char *name);

#endif
