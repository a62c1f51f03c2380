/* SPDX-License-Identifier: MIT */
/* share.h - one service that is shared: its origin, its exchanges and its tunnel. A process has
 * one, or several on one loop (`oneport start`); none of them knows the others. */
#ifndef CLIENT_SHARE_H
#define CLIENT_SHARE_H

#include "client/config.h"
#include "client/origin/health.h"
#include "client/server/tunnel.h"

struct share;

/* All pointers are borrowed and outlive the share. */
struct share_options {
    const struct config *config;
    struct loop *loop;
    struct resolver *resolver;
    struct evictor *evictor; /* of the memory for uploads of the whole process */
    unsigned spare;          /* descriptors that are left to other things than origins */
    bool knows_viewers;      /* as exchange_list_options has it */

    /* Viewers are served under @url from now on. @own: it is the server's, or below it. Comes each
     * time that a link is up. */
    void (*on_url)(void *user, const char *url, bool own);
    /* An exchange has ended. */
    void (*on_finished)(void *user, const struct exchange_report *r);
    /* The share does nothing more. Comes once. */
    void (*on_exit)(void *user, enum exit_code code);
    void *user;
};

/* Makes a share, which does nothing yet. Returns 0; or the exit code for the process, after one
 * line on standard error. @out must be closed and freed in any case. */
enum exit_code share_new(const struct share_options *o, struct share **out) MUSTCHECK;

void share_start(struct share *s);
void share_leave(struct share *s);                                  /* in order; on_exit follows */
void share_wake(struct share *s);                                   /* the machine has slept */
const struct exchange_list *share_exchanges(const struct share *s); /* those that run */

/* Returns the port that the share's links are attached at; 0: it is not known yet. */
uint16_t share_attach_port(const struct share *s) MUSTCHECK;
/* Return how the tunnel is, and what is shared, as "http://localhost:3000". */
struct tunnel_look share_look(const struct share *s);
const char *share_origin(const struct share *s);
/* Returns whether the service answers, as far as --health asks. */
struct health_look share_health(const struct share *s);

/* Ends everything on the loop. NULL is fine. */
void share_close(struct share *s);
/* Frees a share that is closed, when the loop is freed. NULL is fine. */
void share_free(struct share *s);

#endif
