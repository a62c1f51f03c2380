/* SPDX-License-Identifier: MIT */
/* holding.h - keeps the name that the client holds at the server: the newest grant and its ticket,
 * in the ticket file too, and renewed in time. The ticket stands in the file under the name that
 * was asked for; that of a random name under the origin, so that the same origin gets the same name
 * the next time. Once the ticket lies there, the server is told so, and reserves the name. */
#ifndef CLIENT_SERVER_HOLDING_H
#define CLIENT_SERVER_HOLDING_H

#include "client/server/register.h"
#include "h2mux/io/loop.h"

/* All pointers are borrowed and outlive the holding. */
struct holding_options {
    const struct call_env *env;
    const struct url *server;
    const char *name;        /* asked for by the user; NULL: any */
    const char *origin;      /* what is shared, as "http://localhost:3000" */
    const char *ticket_file; /* NULL: tickets live in memory */
};

struct holding {
    struct holding_options o;
    char *server;                  /* owned: "https://example.com", the key of the ticket file */
    char *ticket;                  /* owned; NULL: none */
    char *key;                     /* owned: of the ticket in the file; NULL: it is not kept */
    int held;                      /* holds `key` against other processes; -1: not needed */
    bool saved;                    /* the ticket lies in the file */
    bool asked_keep;               /* the last register call said so */
    bool keeps;                    /* the server has heard it */
    unsigned keep_tries;           /* calls that were to tell it, and failed */
    unsigned ticket_no;            /* counts tickets: tells which one a late answer is about */
    struct grant grant;            /* the newest */
    bool granted;                  /* the server still stands by the grant, as far as is known */
    struct register_call *renewal; /* weak: it ends with its answer */
    struct timer renew;
    int64_t renew_at_s; /* wall clock */
};

/* Begins with the ticket of an earlier process, if there is one. */
void holding_init(struct holding *h, const struct holding_options *o);
void holding_deinit(struct holding *h);

/* Returns what to ask the server for now, in a call that is made at once. */
struct register_ask holding_ask(struct holding *h);
/* Returns whether there are a grant and a ticket to attach with. */
bool holding_can_attach(const struct holding *h);

/* Takes a new grant, and keeps its ticket. */
void holding_take(struct holding *h, const struct grant *g);
/* Notes that the server does not know the name any more: it is to be registered again, with the
 * ticket. */
void holding_forget_grant(struct holding *h);
/* Drops a ticket that the server does not accept. */
void holding_drop_ticket(struct holding *h);

/* Renews the ticket at half of its life, and tries again at half of the rest while that fails. A
 * ticket that has come into the file is renewed at once, so that the server hears of that. */
void holding_renew_in_time(struct holding *h);
void holding_stop_renewing(struct holding *h);

#endif
