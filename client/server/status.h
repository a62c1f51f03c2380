/* SPDX-License-Identifier: MIT */
/* status.h - asks a server what it is, by its status. protocol.md#other-calls */
#ifndef CLIENT_SERVER_STATUS_H
#define CLIENT_SERVER_STATUS_H

#include "client/server/call.h"

enum { STATUS_VERSION_MAX = 32 };

struct status {
    char version[STATUS_VERSION_MAX]; /* of oneportd: visible ASCII */
    uint64_t live;                    /* names that are served */
};

struct status_ops {
    void (*on_status)(void *user, const struct status *s);
    /* The server is no oneportd; @reason says why, as a clause. */
    void (*on_refused)(void *user, const char *reason);
    void (*on_failed)(void *user, const char *step, int err, const char *reason);
};

struct status_call {
    const struct status_ops *ops;
    void *user;
};

/* Reads the body of a 200. Returns 0, or ERR_PROTOCOL with @reason, a static clause, for what is no
 * status of oneportd. Pure. */
int status_parse(struct slice body, struct status *out, const char **reason) MUSTCHECK;

/* Asks @url. One callback comes, once. @c is the caller's, and lives until then. */
void status_start(struct status_call *c, const struct call_env *env, const struct url *url,
                  const struct status_ops *ops, void *user);

#endif
