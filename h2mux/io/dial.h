/* SPDX-License-Identifier: MIT */
/* dial.h - makes one outgoing connection: looks up a name (localhost needs none), connects to one
 * of its addresses (or to a unix socket), and runs the TLS handshake. By a proxy, the first two
 * steps lead to the proxy, which is then asked for a connection to the host.
 *
 * A dial frees itself after on_done, after on_failed and after dial_cancel. Both callbacks come
 * from the loop, never inside a call of this header. */

/* draw: a dial
 *
 *   RESOLVING ──▶ CONNECTING ──first connected──▶ [PASSING] ──▶ [HANDSHAKING] ──▶ on_done
 *       │      (addresses race)                (by a proxy)          │
 *       └──────────────┴──────────── failure, deadline ──────────────┴──────▶ on_failed */
#ifndef H2MUX_IO_DIAL_H
#define H2MUX_IO_DIAL_H

#include "h2mux/io/proxy.h"
#include "h2mux/io/resolver.h"
#include "h2mux/io/sock.h"

struct dial;

enum dial_step { DIAL_DNS, DIAL_TCP, DIAL_PROXY, DIAL_TLS };

/* Returns "DNS", "TCP", "proxy" or "TLS". */
const char *dial_step_name(enum dial_step step);

/* A dial borrows all pointers of its target until its end. */
struct dial_target {
    const char *host;
    const char *tls_name;  /* TLS compares the certificate with this name; NULL: with host */
    const char *unix_path; /* NULL: TCP */
    struct tls *tls;       /* NULL: no TLS */
    uint16_t port;
    int below; /* 0, or as for sock_connect: leaves descriptors for others */

    /* NULL: none. The proxy looks up the host: no address of it is seen here, so `allows` is not
     * asked. Whatever fails before TLS is a failure of DIAL_PROXY, and its reason begins with the
     * proxy's name. */
    const struct proxy *proxy;

    /* Not NULL: tells whether the address @a of the host may be dialled. If no address may, the
     * dial fails with ERR_DENIED, and the reason ends with the text @denied. */
    bool (*allows)(const void *rule, const struct sockaddr *a);
    const void *rule;
    const char *denied;
};

struct dial_ops {
    /* Hands the open connection over: the owner owns @sock from now on. Nothing was read from
     * @sock. */
    void (*on_done)(void *user, struct sock *sock);
    /* Tells that @step has failed with @err, and ends the dial. @reason says why in words and is
     * borrowed for the call. Where several addresses failed, both are of the address whose failure
     * says most: one that this machine had no descriptor for, then one that refused. */
    void (*on_failed)(void *user, enum dial_step step, int err, const char *reason);
};

enum {
    /* The next address is tried after this time, or at once when an address fails (RFC 8305 5). */
    DIAL_STAGGER_MS = 250,
    DIAL_ADDRESSES_MAX = 16
};

/* Begins a dial to @target. The dial fails with ERR_TIMEOUT if all steps together take longer than
 * @timeout_ms. @user is borrowed: the owner outlives the dial or calls dial_cancel. */
struct dial *dial_start(struct loop *l, struct resolver *r, const struct dial_target *target,
                        uint64_t timeout_ms, const struct dial_ops *ops, void *user) MUSTCHECK;
void dial_cancel(struct dial *d); /* does nothing if @d is NULL */

/* Writes up to @max addresses of @list to @out and returns their number. The families IPv4 and IPv6
 * take turns; within a family the order of @list stays (RFC 8305 4). */
size_t dial_order(const struct addrinfo *list, const struct addrinfo **out, size_t max);

#endif
