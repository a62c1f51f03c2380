/* SPDX-License-Identifier: MIT */
/* exchange_list.h - all exchanges of the process: takes requests, bounds their number, and tells
 * when the last one is over. */
#ifndef CLIENT_ORIGIN_EXCHANGE_LIST_H
#define CLIENT_ORIGIN_EXCHANGE_LIST_H

#include "client/origin/exchange.h"

struct exchange_list;

/* All pointers are borrowed and outlive the list. */
struct exchange_list_options {
    struct loop *loop;
    struct origin *origin;
    struct channels *channels; /* NULL: the origin speaks HTTP/1.1 */
    const struct rewrite *rewrite;
    struct exchange_times times;
    const size_t *finishing; /* what origin_options.finishing counts */
    uint64_t max;            /* of exchanges and of those; more are refused unprocessed */

    bool knows_viewers; /* tell whose an exchange is: exchange_report.viewer */

    /* An exchange has ended; may be NULL. */
    void (*on_finished)(void *user, const struct exchange_report *r);

    /* The last exchange that is not a WebSocket has ended; comes from a task of its own. May be
     * NULL. */
    void (*on_quiet)(void *user);
    void *user;
};

struct exchange_list *exchange_list_new(const struct exchange_list_options *o) MUSTCHECK;
void exchange_list_free(struct exchange_list *all); /* NULL is fine */

/* Serves the request @m that came by @near, or refuses it; arguments as h2_session_ops.on_stream
 * has them. */
void exchange_list_take(struct exchange_list *all, struct leg *near, struct message *m, bool end);

/* Returns whether the service wants its own name, as far as --host-header auto has learned. */
bool exchange_list_learned_host(const struct exchange_list *all);

/* Returns whether requests shall say by which connection of a viewer they came (login.h). */
bool exchange_list_asks_who(const struct exchange_list *all);

/* Calls @each with the viewer of each exchange that runs (exchange_report.viewer). */
void exchange_list_viewers(const struct exchange_list *all,
                           void (*each)(void *user, uint64_t viewer), void *user);

/* Return how many exchanges run: those that are no WebSockets, and WebSockets. */
size_t exchange_list_ordinary(const struct exchange_list *all);
size_t exchange_list_websockets(const struct exchange_list *all);

#endif
