/* SPDX-License-Identifier: MIT */
/* holding.h - the name we hold at the server: the newest grant and its ticket, kept in the ticket
 * file and renewed in time. */
#ifndef CLIENT_SERVER_HOLDING_H
#define CLIENT_SERVER_HOLDING_H

#include "client/server/register.h"
#include "h2mux/io/loop.h"

struct holding_options { /* all pointers are borrowed and outlive the holding */
    const struct call_env *env;
    const struct url *server;
    const char *name;        /* asked for by the user; NULL: any */
    const char *ticket_file; /* NULL: tickets live in memory */
};

struct holding {
    struct holding_options o;
    char *server;                  /* owned: "https://example.com", the key of the ticket file */
    char *ticket;                  /* owned; NULL: none */
    unsigned ticket_no;            /* goes up with each: tells a late answer about an older one */
    struct grant grant;            /* the newest */
    bool granted;                  /* grant holds something that the server still stands by */
    struct register_call *renewal; /* weak: it ends with its answer */
    struct timer renew;
    int64_t renew_at_s; /* wall clock */
};

void holding_init(
    struct holding *h,
    const struct holding_options *o); /* with the ticket of an earlier process, if there is one */
void holding_deinit(struct holding *h);

/* What to ask the server for now. */
struct register_ask holding_ask(const struct holding *h);
bool holding_can_attach(const struct holding *h);

void holding_take(struct holding *h, const struct grant *g);
void holding_forget_grant(
    struct holding *h); /* the server does not know us: register again, with the ticket */
void holding_drop_ticket(struct holding *h); /* it is no good */

/* At half of the ticket's life, and again at half of the rest while that fails. */
void holding_renew_in_time(struct holding *h);
void holding_stop_renewing(struct holding *h);

#endif
