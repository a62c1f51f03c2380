/* SPDX-License-Identifier: MIT */
/* conn.h - one non-blocking TCP connection on loopback, dialled or accepted; what both the loads
 * and the origin are built on.
 *
 * At most one read an event, so a callback may close and free the connection as its last act. There
 * is no way to name another machine: every address is 127.0.0.0/8. */
#ifndef TESTS_BENCH_CONN_H
#define TESTS_BENCH_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "h2mux/base/buf.h"

struct conn;

struct conn_ops {
    void (*on_open)(struct conn *c);                      /* dialled connections only */
    void (*on_bytes)(struct conn *c, struct slice bytes); /* borrowed for the call */
    void (*on_room)(struct conn *c); /* the socket takes bytes; after conn_fill(c, true) only */
    void (*on_end)(struct conn *c,
                   const char *why); /* the peer closed or the socket broke; closed already */
};

struct conn {
    const struct conn_ops *ops; /* borrowed */
    struct event reader, writer;
    struct buf tx; /* what the socket did not take yet */
    int fd;        /* -1: closed */
    bool dialling, filling;
};

/* Raises the limit of descriptors to what is allowed and ignores SIGPIPE: first thing in main. */
void conn_prepare_process(void);

/* A listening socket on 127.0.0.1; *@port is the one asked for (0: any) and the one got. -1: errno
 * says why. */
int conn_listen(uint16_t *port);

/* A socket that is being connected to 127.0.0.1, or -1. @prepare(fd) runs before, as buffers have
 * to be set then; or NULL. */
int conn_connect(uint16_t port, size_t number, void (*prepare)(int fd));

/* @number is the how-manieth connection this is: its source address is chosen by it, as one address
 * has 28,000 ports only. ERR_IO: no socket. A refusal is told by on_end. */
int conn_dial(struct conn *c, struct event_base *base, const struct conn_ops *ops, uint16_t port,
              size_t number) MUSTCHECK;
void conn_adopt(struct conn *c, struct event_base *base, const struct conn_ops *ops, int fd);
void conn_close(struct conn *c); /* idempotent; no callback runs after it */

void conn_send(struct conn *c, struct slice bytes); /* copies what does not go out at once */
size_t conn_push(struct conn *c,
                 struct slice bytes); /* as much as goes out at once, nothing is kept; for bodies */
void conn_fill(struct conn *c, bool on); /* whether on_room is wanted */
void conn_stop_reading(struct conn *c);

#endif
