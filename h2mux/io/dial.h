/* SPDX-License-Identifier: MIT */
/* dial.h - one outgoing connection: name → addresses → TCP → TLS, or a unix socket.
 *
 * After either callback, or dial_cancel, the dial frees itself. Callbacks come from the loop, never
 * inside a call. */

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
const char *dial_step_name(enum dial_step step); /* "DNS", "TCP", "TLS" */

struct dial_target {
    const char *host;      /* borrowed until the end of the dial; the name that TLS checks */
    const char *unix_path; /* borrowed likewise; NULL: TCP */
    struct tls *tls;       /* borrowed likewise; NULL: plain */
    uint16_t port;
};

struct dial_ops {
    void (*on_done)(void *user, struct sock *sock); /* takes @sock: open, nothing read yet */
    void (*on_failed)(void *user, enum dial_step step, int err,
                      const char *reason); /* @reason is borrowed for the call */
};

enum {
    DIAL_STAGGER_MS =
        250, /* the next address is tried after that, or as soon as one failed (RFC 8305 5) */
    DIAL_ADDRESSES_MAX = 16
};

/* @user is borrowed and outlives the dial or cancels it. */
struct dial *dial_start(struct loop *l, struct resolver *r, const struct dial_target *target,
                        uint64_t timeout_ms, const struct dial_ops *ops, void *user) MUSTCHECK;
void dial_cancel(struct dial *d); /* NULL is fine */

/* RFC 8305 4: addresses in the given order, the two families taking turns. At most @max; the number
 * written. */
size_t dial_order(const struct addrinfo *list, const struct addrinfo **out, size_t max);

#endif
