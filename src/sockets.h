/* SPDX-License-Identifier: MIT */
/* sockets.h - binds all listening sockets of the process, of --listen and of --redirect, and hands
 * them to listeners on the workers.
 *
 * The sockets are bound before the state directory is touched: a second start by mistake ends
 * there. Viewers who come before the listeners run wait in the kernel. A socket that a supervisor
 * passes (passed.h) is used in place of one that would be bound. */
#ifndef SRC_SOCKETS_H
#define SRC_SOCKETS_H

#include "src/edge/binding.h"
#include "src/worker/server.h"

struct sockets {
    struct passed passed;     /* what no value has taken yet */
    struct binding *bindings; /* owned: of each value of --listen, then of --redirect */
    size_t bound;             /* values whose sockets no listener has taken yet */
    size_t first_redirect;    /* the index of the first one of --redirect */
};

/* Binds all addresses of @c for @workers workers. Returns NULL; or the value that cannot be bound,
 * with @reason; or LISTEN_FDS when a socket was passed that no value names. sockets_close frees @s
 * in each case. */
const char *sockets_open(struct sockets *s, const struct config *c, unsigned workers,
                         char reason[static BINDING_REASON_MAX]) MUSTCHECK;

/* Makes the listeners, which own the sockets from then on, and logs their addresses. */
void sockets_listen(struct sockets *s, struct server *server);

/* Closes the sockets that no listener has taken, and frees the rest. */
void sockets_close(struct sockets *s);

#endif
