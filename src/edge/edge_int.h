/* SPDX-License-Identifier: MIT */
/* edge_int.h - what the files of an edge share; nobody else includes it. */
#ifndef SRC_EDGE_EDGE_INT_H
#define SRC_EDGE_EDGE_INT_H

#include "h2mux/http/h1_conn.h"
#include "src/edge/edge.h"
#include "src/tunnels/exchange.h"

enum edge_state { EDGE_IDLE, EDGE_HEAD, EDGE_BUSY, EDGE_RAW, EDGE_DEAD };

struct edge {
    struct list_node node;     /* in worker->edges until DEAD */
    struct worker *worker;     /* borrowed: outlives its edges */
    struct h1_conn *conn;      /* owned until DEAD */
    struct exchange *exchange; /* weak: NULL between requests and once it ended */
    enum edge_state state;
    bool keep_alive, to_head, responding, close_after;
    bool head_looked_at; /* HEAD: what there is of it is no attach request */
    struct peer peer;
    struct viewer viewer;
    struct slice accept;         /* borrowed from the head; empty when that is gone */
    struct access_request asked; /* borrowed from the head, or from `kept` */
    char *kept;                  /* owned: RAW; NULL before */
    uint64_t head_us;            /* when the request was complete */
    struct timer timer;
    struct reap reap;
};

static inline const struct server *edge_server(const struct edge *e)
{
    return e->worker->server;
}

enum {
    EDGE_LINGER_MS = 1000,               /* rule R18: so that the viewer reads our answer */
    EDGE_LINGER_BYTES = 64 * 1024 * 1024 /* a viewer that uploads at full speed is to see it too */
};

/* edge.c */
void edge_forget(
    struct edge *e); /* the caller has closed, finished, aborted or released the connection */
void edge_finish(struct edge *e, uint64_t ms, size_t bytes); /* sock_finish, and forgets it */

/* edge_answer.c */
bool edge_must_close(const struct edge *e); /* behind an answer, whatever it is */
/* How the next head goes out: an interim one, or by edge_set_reply the final one. */
void edge_prepare_reply(struct edge *e, bool close, bool trailers, bool upgrade);
void edge_set_reply(struct edge *e, bool close, bool trailers, bool upgrade);
void edge_send_answer(struct edge *e, struct answer *a, bool close); /* writes @a and releases it */
void edge_refuse(struct edge *e, enum failure why, struct slice name, bool close);
/* A malformed one: counted, logged, refused, and the connection closes. */
void edge_bad_request(struct edge *e, enum failure why, const char *reason);
void edge_log_answer(struct edge *e, int status, const char *error, size_t bytes);

/* edge_builtin.c: a request of the base domain. */
void edge_builtin(struct edge *e, const struct message *m);

#endif
