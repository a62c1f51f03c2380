/* SPDX-License-Identifier: MIT */
/* exchange.h - one request of a viewer and its answer: ties a stream of the link to a connection of
 * the origin.
 *
 * `struct exchanges` is all of them and what they share; it outlives them. */
#ifndef CLIENT_ORIGIN_EXCHANGE_H
#define CLIENT_ORIGIN_EXCHANGE_H

#include "client/origin/origin.h"
#include "client/origin/rewrite.h"
#include "client/terminal.h"
#include "h2mux/h2/h2.h"

struct exchanges;

struct exchanges_options { /* all pointers are borrowed and outlive the exchanges */
    struct loop *loop;
    struct origin *origin;
    struct terminal *terminal;
    const struct rewrite *rewrite;
    const size_t *finishing; /* what origin_options.finishing counts */
    uint64_t max;            /* of exchanges and of those; more are refused unprocessed */
    uint64_t origin_ms; /* for the whole response head, from the end of the upload; 0: for ever */
    uint64_t idle_ms;   /* a body without a byte in either direction; 0: for ever */
    uint64_t websocket_ms;        /* a WebSocket likewise */
    void (*on_quiet)(void *user); /* the last exchange that is not a WebSocket has ended; from a
                                     task of its own */
    void *user;
};

struct exchanges *exchanges_new(const struct exchanges_options *o) MUSTCHECK;
void exchanges_free(struct exchanges *all);             /* NULL is fine */
size_t exchanges_ordinary(const struct exchanges *all); /* running, WebSockets not counted */
size_t exchanges_websockets(const struct exchanges *all);

/* A request has arrived by @near; as h2_session_ops.on_stream has it. */
void exchange_start(struct exchanges *all, struct leg *near, struct message *m, bool end);

#endif
