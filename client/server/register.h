/* SPDX-License-Identifier: MIT */
/* register.h - asks the server for a name, or to keep one, and reads what it grants.
 * protocol.md#register */
#ifndef CLIENT_SERVER_REGISTER_H
#define CLIENT_SERVER_REGISTER_H

#include "client/server/refusal.h"

struct register_call;

struct register_ask {
    const char *name;   /* NULL: any */
    const char *ticket; /* NULL: none */
    bool exact;         /* refuse rather than give another name */
    bool keep;          /* the ticket lies in a file: reserve the name for its owner */
    bool attaches;      /* on_granted begins to attach, by the same connection if it can */
};

enum { REGISTER_ID_MAX = 64, REGISTER_URL_MAX = 512, REGISTER_TICKET_MAX = 4096 };

struct grant {
    char id[REGISTER_ID_MAX];
    char url[REGISTER_URL_MAX]; /* http or https, printable: fit for a terminal and a browser */
    char ticket[REGISTER_TICKET_MAX];
    struct url attach;  /* https */
    bool attach_public; /* only public addresses of it may be dialled */
    int64_t expires_s;  /* wall clock; 0: the server does not say */
    unsigned links;     /* how many links one client may have; 1 where the server does not say */
    bool holds;         /* requests wait for a link that comes up */
    bool guarded;       /* the server has a policy in force */
};

struct register_ops {
    void (*on_granted)(void *user, const struct grant *g); /* @g is borrowed for the call */
    void (*on_refused)(void *user, const struct refusal *r);
    void (*on_failed)(void *user, const char *step, int err, const char *reason);
};

/* Starts a register call. One of the callbacks comes, once, and ends the call. */
struct register_call *register_start(const struct call_env *env, const struct url *server,
                                     const struct register_ask *ask, const struct register_ops *ops,
                                     void *user) MUSTCHECK;
/* Ends the call; no callback follows. NULL is fine. */
void register_cancel(struct register_call *c);

/* Parses the body of an answer. Fails with ERR_PROTOCOL; @reason is static text then. */
int register_parse(struct slice body, struct grant *g, const char **reason) MUSTCHECK;

#endif
