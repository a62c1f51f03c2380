/* SPDX-License-Identifier: MIT */
/* mailbox.h - delivers messages from any thread to one reader on its own thread. Messages of one
 * thread arrive in order. A message that was posted is always delivered: what it owns is not lost.
 *
 * A mailbox is a list under a lock, and an eventfd that wakes the reader's loop when the list was
 * empty. */
#ifndef SRC_WORKER_MAILBOX_H
#define SRC_WORKER_MAILBOX_H

#include "h2mux/io/loop.h"

/* A member of each message. */
struct mail {
    struct list_node node;

    /* Runs on the reader's thread, and frees the message. */
    void (*deliver)(struct mail *m, void *reader);
};

struct mailbox;

/* Makes a mailbox whose messages are delivered on @l. Returns NULL, with errno, when there is no
 * eventfd. */
struct mailbox *mailbox_new(struct loop *l, void *reader) MUSTCHECK;

/* Delivers the messages that are left, and frees @m. NULL is fine. */
void mailbox_free(struct mailbox *m);

/* Delivers the messages that wait. The loop does so by itself while it runs. */
void mailbox_deliver(struct mailbox *m);

/* Posts @mail, which belongs to the mailbox then. Any thread may call it. */
void mailbox_post(struct mailbox *m, struct mail *mail);

#endif
