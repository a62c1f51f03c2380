/* SPDX-License-Identifier: MIT */
/* mailbox.h - messages to a worker from any thread: a list under a lock, and an eventfd that wakes
 * the loop when the list was empty. */
#ifndef SRC_WORKER_MAILBOX_H
#define SRC_WORKER_MAILBOX_H

#include "h2mux/io/loop.h"

/* Embedded in the message. */
struct mail {
    struct list_node node;
    void (*deliver)(struct mail *m,
                    void *reader); /* on the reader's thread; the message is its own to free */
};

struct mailbox;
struct mailbox *mailbox_new(struct loop *l, void *reader) MUSTCHECK; /* NULL: errno says why */
void mailbox_free(struct mailbox *m);                                /* delivers what is left */
void mailbox_deliver(struct mailbox *m); /* delivers what is left; the reader's loop does not run */
void mailbox_post(struct mailbox *m, struct mail *mail); /* from any thread; takes @mail */

#endif
