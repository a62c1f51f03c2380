/* SPDX-License-Identifier: MIT */
/* mailbox.h - delivers messages from any thread to one reader on its own thread. Messages of one
 * thread arrive in order. Every posted message is delivered, so no object that a message owns is
 * lost. Whoever is named in a message outlives the mailbox, or the mailboxes are settled before
 * (crew_settle).
 *
 * A mailbox is a list under a lock, and an eventfd that wakes the reader's loop when the list was
 * empty. */
#ifndef SRC_WORKER_MAILBOX_H
#define SRC_WORKER_MAILBOX_H

#include "h2mux/io/loop.h"

/* A member of each message. */
struct mail {
    struct list_node node;

    /* Acts on the message, on the reader's thread, and frees the message. */
    void (*deliver)(struct mail *m, void *reader);
};

struct mailbox;

/* Makes a mailbox whose messages are delivered to @reader on the loop @l. Returns NULL, with errno
 * set, when the system gives no eventfd. */
struct mailbox *mailbox_new(struct loop *l, void *reader) MUSTCHECK;

/* Delivers the messages that are left, and frees @m. NULL is fine. */
void mailbox_free(struct mailbox *m);

/* Delivers the waiting messages on the calling thread. Returns whether there were any. A running
 * loop calls this by itself. */
bool mailbox_deliver(struct mailbox *m);

/* Posts @mail, which then belongs to the mailbox. Any thread may call this. */
void mailbox_post(struct mailbox *m, struct mail *mail);

#endif
