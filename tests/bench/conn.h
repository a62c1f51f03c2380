/* SPDX-License-Identifier: MIT */
/* conn.h - a non-blocking TCP connection on loopback, dialled or accepted. The load generator and
 * the origin are built on it.
 *
 * There is at most one read for each event, so a callback may close and free the connection as its
 * last act. Every address is in 127.0.0.0/8, but that of conn_listen_any: no other machine can be
 * reached. */
#ifndef TESTS_BENCH_CONN_H
#define TESTS_BENCH_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "h2mux/base/buf.h"

struct conn;

struct conn_ops {
    void (*on_open)(struct conn *c);                      /* for dialled connections */
    void (*on_bytes)(struct conn *c, struct slice bytes); /* borrowed for the call */
    void (*on_room)(struct conn *c); /* the socket has room; only after conn_fill(c, true) */
    /* The peer or an error ended the connection, which is closed already. */
    void (*on_end)(struct conn *c, const char *why);
};

struct conn {
    const struct conn_ops *ops; /* borrowed */
    struct event reader, writer;
    struct buf tx; /* bytes that the socket has not taken yet */
    int fd;        /* -1: closed */
    bool dialling, filling;
};

/* Raises the soft limit of descriptors to the hard one and ignores SIGPIPE. main calls it first. */
void conn_prepare_process(void);

/* Returns a listening socket on 127.0.0.1, or -1, and errno says why. Listens on *@port; if that is
 * 0 the system chooses a port, which is stored there. */
int conn_listen(uint16_t *port);
/* The same on all addresses, for a network namespace that only our own line leads to. */
int conn_listen_any(uint16_t *port);

/* Returns a socket whose connection to 127.0.0.1 has begun, or -1. @prepare may be NULL; otherwise
 * it is called before, to set the size of the socket's buffers. */
int conn_connect(uint16_t port, size_t number, void (*prepare)(int fd));

/* Dials @port. @number is the count of connections so far and selects the source address, since one
 * address has only 28,000 ports. Fails with ERR_IO if there is no socket; on_end reports a refusal.
 */
int conn_dial(struct conn *c, struct event_base *base, const struct conn_ops *ops, uint16_t port,
              size_t number) MUSTCHECK;
void conn_adopt(struct conn *c, struct event_base *base, const struct conn_ops *ops, int fd);
void conn_close(struct conn *c); /* idempotent; no callback runs after it */

/* Sends @bytes and keeps a copy of what the socket does not take at once. */
void conn_send(struct conn *c, struct slice bytes);
/* Sends what the socket takes at once and returns its length. Meant for bodies. */
size_t conn_push(struct conn *c, struct slice bytes);
/* Turns on_room on or off. */
void conn_fill(struct conn *c, bool on);
void conn_stop_reading(struct conn *c);

#endif
