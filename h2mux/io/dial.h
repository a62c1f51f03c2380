/* SPDX-License-Identifier: MIT */
/* dial.h - makes one outgoing connection: name → addresses → TCP → TLS, or a unix socket.
 *
 * A dial frees itself after either callback and after dial_cancel. Callbacks come from the loop,
 * never inside a call. */

/* draw: a dial
 *
 *   RESOLVING ──▶ CONNECTING ──first connected──▶ [HANDSHAKING] ──▶ on_done
 *       │      (addresses race)                          │
 *       └──────────────┴───── failure, deadline ─────────┴──────▶ on_failed */
#ifndef H2MUX_IO_DIAL_H
#define H2MUX_IO_DIAL_H

#include "h2mux/io/resolver.h"
#include "h2mux/io/sock.h"

struct dial;

enum dial_step { DIAL_DNS, DIAL_TCP, DIAL_TLS };

/* Returns "DNS", "TCP" or "TLS". */
const char *dial_step_name(enum dial_step step);

struct dial_target {
    const char *host;      /* borrowed until the end of the dial: also the name that TLS checks */
    const char *unix_path; /* borrowed likewise; NULL: TCP */
    struct tls *tls;       /* borrowed likewise; NULL: plain */
    uint16_t port;
};

struct dial_ops {
    /* The connection is made: the owner takes @sock, which is open and of which nothing was read.
     */
    void (*on_done)(void *user, struct sock *sock);
    /* @step has failed. @reason is borrowed for the call. */
    void (*on_failed)(void *user, enum dial_step step, int err, const char *reason);
};

enum {
    DIAL_STAGGER_MS = 250, /* until the next address is tried, if none failed before (RFC 8305 5) */
    DIAL_ADDRESSES_MAX = 16
};

/* Begins a dial that fails after @timeout_ms. @user is borrowed: it outlives the dial or cancels
 * it.
 */
struct dial *dial_start(struct loop *l, struct resolver *r, const struct dial_target *target,
                        uint64_t timeout_ms, const struct dial_ops *ops, void *user) MUSTCHECK;
void dial_cancel(struct dial *d); /* NULL is fine */

/* Writes up to @max addresses of @list to @out, in their order, the two families taking turns (RFC
 * 8305 4). Returns how many. */
size_t dial_order(const struct addrinfo *list, const struct addrinfo **out, size_t max);

#endif
