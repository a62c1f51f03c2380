/* SPDX-License-Identifier: MIT */
/* call.h - one small request of our own to the server, and its small answer: register and attach
 * are calls.
 *
 * Each callback comes once, from the loop, and is the call's end: it frees itself. No redirect is
 * followed. */

/* draw: a call
 *
 *   DIALLING ──▶ ASKING ──▶ ANSWERING ──▶ on_answer
 *       │           ├──101──────────────▶ on_upgraded
 *       └───────────┴── failure, deadline ▶ on_failed */
#ifndef CLIENT_SERVER_CALL_H
#define CLIENT_SERVER_CALL_H

#include "h2mux/http/message.h"
#include "h2mux/http/url.h"
#include "h2mux/io/dial.h"

struct call;

/* What every call of this program shares. All borrowed: it outlives the calls. */
struct call_env {
    struct loop *loop;
    struct resolver *resolver;
    struct tls *tls;     /* for https */
    uint64_t timeout_ms; /* of a whole call */
};

struct call_answer { /* borrowed for the callback */
    int status;
    const struct fields *fields;
    struct slice body;
};

struct call_ops {
    void (*on_answer)(void *user, const struct call_answer *a);
    void (*on_upgraded)(void *user, struct sock *sock); /* takes @sock, whose next byte is the one
                                                           behind the head; NULL: none is wanted */
    void (*on_failed)(
        void *user, const char *step, int err,
        const char *reason); /* @step: "DNS", "TCP", "TLS", or NULL: the call itself */
};

enum { CALL_BODY_MAX = 65536 };

/* What a call asked the server to make of the connection (RFC 9110 7.8, RFC 7639 2). */
struct call_wish {
    struct slice upgrade; /* empty: it stays what it is */
    struct slice alpn;    /* what is spoken behind the 101; empty: the 101 need not say */
};
/* What a head of the server is to a call. @reason: static text, set for WRONG. Pure. */
enum call_head { CALL_INTERIM, CALL_UPGRADED, CALL_WRONG, CALL_FINAL };
enum call_head call_judge(const struct call_wish *wish, const struct message *m,
                          const char **reason) MUSTCHECK;

/* Moves @request (its strings must be in its own arena) into the call; method, authority and the
 * fields of every call are set here. */
struct call *call_start(const struct call_env *env, const struct url *url, struct message *request,
                        const struct call_ops *ops, void *user) MUSTCHECK;
void call_cancel(struct call *c); /* no callback follows. NULL is fine */

#endif
