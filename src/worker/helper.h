/* SPDX-License-Identifier: MIT */
/* helper.h - does what takes long on a thread of its own, so that no loop waits: errands, one after
 * the other. Who has some waiting lets those in front who have fewer. What is done goes back to the
 * worker that has sent it, by mail. */
#ifndef SRC_WORKER_HELPER_H
#define SRC_WORKER_HELPER_H

#include "src/limits/who.h"
#include "src/worker/mailbox.h"

/* HELPER_ERRANDS_MAX is a bound that the pools of senders keep away from. */
enum { HELPER_ERRANDS_MAX = 1024, HELPER_AXES = 2 };

/* A member of each errand. */
struct errand {
    struct list_node node;
    struct mail mail;     /* its `deliver` is called on the sender's thread, when `run` is over */
    struct mailbox *back; /* the sender's */
    void (*run)(struct errand *e); /* on the thread of the helper */
    struct who of[HELPER_AXES];    /* for whom: the viewer and the name, say */
    uint64_t turn;                 /* the helper's: the least goes first */
    bool done;                     /* `run` was called; false: the server has ended before */
};

struct helper;

struct helper *helper_new(void) MUSTCHECK;

/* Starts the thread. Returns 0, or ERR_IO when there is none to be had. */
int helper_start(struct helper *h) MUSTCHECK;

/* Ends the thread after the errand that it is at, mails back those that wait, and frees @h. NULL is
 * fine. */
void helper_free(struct helper *h);

/* Sends @e, which then belongs to the helper, and to the mailbox after that. Returns false if
 * HELPER_ERRANDS_MAX wait already; @e stays the caller's then. Any thread may call this. */
bool helper_send(struct helper *h, struct errand *e) MUSTCHECK;

/* Takes back @e, which was sent. Returns whether it has not begun; it is the caller's again then.
 * Otherwise its mail comes. To be called on the sender's thread, before the mail has come. */
bool helper_take_back(struct helper *h, struct errand *e) MUSTCHECK;

#endif
