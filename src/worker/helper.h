/* SPDX-License-Identifier: MIT */
/* helper.h - does what takes long on a thread of its own, so that no loop waits: errands, one after
 * the other. What is done goes back to the worker that has sent it, by mail. */
#ifndef SRC_WORKER_HELPER_H
#define SRC_WORKER_HELPER_H

#include "src/worker/mailbox.h"

enum { HELPER_ERRANDS_MAX = 64 }; /* that wait */

/* A member of each errand. */
struct errand {
    struct list_node node;
    struct mail mail;     /* its `deliver` is called on the sender's thread, when `run` is over */
    struct mailbox *back; /* the sender's */
    void (*run)(struct errand *e); /* on the thread of the helper */
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

#endif
