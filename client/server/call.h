/* SPDX-License-Identifier: MIT */
/* call.h - makes one small request of oneport's own to the server, and reads its small answer.
 * Register and attach are calls. A call takes the connection that an earlier one has kept (kept.h),
 * or dials; if the server closes a kept one without an answer, the call dials, too.
 *
 * One of the callbacks comes, once, from the loop. It ends the call, which frees itself. No
 * redirect is followed. */

/* draw: a call
 *
 *   DIALLING ──▶ ASKING ──▶ ANSWERING ──▶ on_answer
 *    │    ▲         ├──101──────────────▶ on_upgraded
 *    │    └─ a kept ┤
 *    │      one ends│
 *    └──────────────┴── failure, deadline ▶ on_failed */
#ifndef CLIENT_SERVER_CALL_H
#define CLIENT_SERVER_CALL_H

#include "client/server/kept.h"
#include "client/server/proxy_choice.h"
#include "client/server/reach.h"
#include "h2mux/http/message.h"
#include "h2mux/http/url.h"
#include "h2mux/io/dial.h"

struct call;

/* What all calls of the program share. All is borrowed: it outlives the calls. */
struct call_env {
    struct loop *loop;
    struct resolver *resolver;
    struct tls *tls;     /* for https */
    uint64_t timeout_ms; /* of a whole call */
    struct reach reach;  /* where the server may send the client */
    struct kept *kept;   /* a connection between two calls; NULL: none is kept */
    struct proxy_choice proxy;
    const char *token;  /* shown to the server of --host at register; NULL: none */
    const char *domain; /* of the user's own, asked for at register and attach; NULL: none */
    const char *policy; /* who may look, as JSON; NULL: everybody */
};

/* All is borrowed for the callback. */
struct call_answer {
    int status;
    const struct fields *fields;
    struct slice body;
    bool by_proxy;    /* a proxy has passed it on, so who has answered is not known */
    bool from_public; /* else: it came from a public address (inet.h) */
};

struct call_ops {
    void (*on_answer)(void *user, const struct call_answer *a);

    /* The server has upgraded the connection, @took_us microseconds after the request was sent.
     * The owner takes @sock, whose next byte is the one behind the head. NULL: the call asks for no
     * upgrade. */
    void (*on_upgraded)(void *user, struct sock *sock, uint64_t took_us);

    /* @step: "DNS", "TCP", "proxy" or "TLS", or NULL for the call itself. */
    void (*on_failed)(void *user, const char *step, int err, const char *reason);
};

enum { CALL_BODY_MAX = 65536 };

/* What a call asks the server to make of the connection (RFC 9110 7.8, RFC 7639 2). */
struct call_wish {
    struct slice upgrade; /* empty: it stays what it is */
    struct slice alpn;    /* what is spoken behind the 101; empty: the 101 need not say */
};

/* Judges a head of the server. Sets @reason to static text for WRONG. Pure. */
enum call_head { CALL_INTERIM, CALL_UPGRADED, CALL_WRONG, CALL_FINAL };
enum call_head call_judge(const struct call_wish *wish, const struct message *m,
                          const char **reason) MUSTCHECK;

/* Where a call goes. */
struct call_target {
    const struct url *url; /* borrowed for call_start */
    bool public_only;      /* to public addresses alone (dial.h) */
    bool keeps;            /* the connection is kept for a call that begins inside on_answer */
};

/* Starts a call to @to. Takes what @request holds; its strings are in its own arena. The method,
 * the authority and the fields of every call are set here. */
struct call *call_start(const struct call_env *env, const struct call_target *to,
                        struct message *request, const struct call_ops *ops, void *user) MUSTCHECK;
/* Ends the call; no callback follows. NULL is fine. */
void call_cancel(struct call *c);

#endif
