/* SPDX-License-Identifier: MIT */
/* edge_h2_int.h - declares what the files of an HTTP/2 connection share; no other file includes
 * this header. */
#ifndef SRC_EDGE_EDGE_H2_INT_H
#define SRC_EDGE_EDGE_H2_INT_H

#include "h2mux/h2/h2.h"
#include "src/edge/edge_h2.h"
#include "src/edge/entry.h"
#include "src/edge/request.h"

struct edge_h2 {
    struct list_node node;      /* in worker->h2_edges until it is over */
    struct worker *worker;      /* borrowed: outlives its connections */
    struct h2_session *session; /* owned; NULL once over */
    struct list_node requests;  /* of struct edge_h2_request */
    struct list_node exchanges; /* those that have a stream (exchange_request.connection) */
    struct peer peer;
    struct entry entry;          /* counts its descriptor */
    char name[NAME_MAX_LEN + 1]; /* the tunnel that was asked for by SNI; empty: none */
    bool used;                   /* a head was complete */
    struct timer timer;          /* armed while no request is under way */
    struct reap reap;
};

/* One request, and the head that it borrows from. */
struct edge_h2_request {
    struct list_node node; /* in edge->requests until it is over */
    struct edge_h2 *edge;  /* borrowed: outlives its requests */
    struct leg *leg;       /* borrowed from the session */
    struct message head;   /* owned */
    int64_t held;          /* bytes that the memory budget counts for it */
    struct request request;
    struct reap reap;
};

/* ---- edge_h2.c */

/* Tells that a request is over, and none may be under way any more. */
void edge_h2_rest(struct edge_h2 *e);

/* Counts and logs a malformed request. */
void edge_h2_note_malformed(struct edge_h2 *e, const char *reason);

/* Takes no more requests: those of this connection that come later are refused unprocessed, and the
 * viewer opens another one for them. */
void edge_h2_leave(struct edge_h2 *e, struct slice why);

/* ---- edge_h2_request.c */

/* Serves the request @m, which came on @leg (h2_session_ops.on_stream), and takes over what @m
 * owns. */
void edge_h2_serve(struct edge_h2 *e, struct leg *leg, struct message *m);

/* Ends @node of edge->requests because the server stops. */
void edge_h2_stop_request(struct list_node *node);

#endif
