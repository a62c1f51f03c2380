/* SPDX-License-Identifier: MIT */
/* mailbox.c - keeps messages in a list under a lock, and wakes the reader; see
 * mailbox.h.
 *
 * Invariants: each message in the list can be delivered, and is in no other list; the list is empty
 * when the mailbox is freed. */
#include "src/worker/mailbox.h"

#include <pthread.h>
#include <unistd.h>

#include "h2mux/base/check.h"
#include "h2mux/base/kernel.h"

struct mailbox {
    pthread_mutex_t lock; /* guards `mails` */
    struct list_node mails;
    void *reader; /* borrowed: the worker */
    int fd;       /* owned: kernel_wake, readable when mails came */
    struct event event;
};

/* Checks the list of messages. The caller holds the lock. */
static void mailbox_check(const struct mailbox *m)
{
    const struct list_node *before = &m->mails;
    LIST_FOREACH (it, &m->mails) {
        CHECK_THAT(it->prev == before);
        CHECK_THAT(CONTAINER_OF(it, struct mail, node)->deliver);
        before = it;
    }
    CHECK_THAT(m->mails.prev == before);
}

bool mailbox_deliver(struct mailbox *m)
{
    struct list_node taken;
    bool any = false;
    list_init(&taken);
    pthread_mutex_lock(&m->lock);
    if (CHECKING)
        mailbox_check(m);
    for (struct list_node *n; (n = list_pop(&m->mails));)
        list_push(&taken, n);
    pthread_mutex_unlock(&m->lock);
    for (struct list_node *n; (n = list_pop(&taken));) {
        struct mail *mail = CONTAINER_OF(n, struct mail, node);
        mail->deliver(mail, m->reader);
        any = true;
    }
    return any;
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
    if (!kernel_wake_heed(fd))
        return; /* the mails of this wake-up are delivered already */
    mailbox_deliver(arg);
}

struct mailbox *mailbox_new(struct loop *l, void *reader)
{
    int fd = kernel_wake_new();
    if (fd < 0)
        return NULL;
    struct mailbox *m = xcalloc(1, sizeof *m);
    m->reader = reader;
    m->fd = fd;
    list_init(&m->mails);
    pthread_mutex_init(&m->lock, NULL);
    event_assign(&m->event, loop_base(l), fd, EV_READ | EV_PERSIST, on_mail, m);
    event_add(&m->event, NULL);
    return m;
}

void mailbox_free(struct mailbox *m)
{
    if (!m)
        return;
    mailbox_deliver(m);
    CHECK_THAT(list_empty(&m->mails));
    event_del(&m->event);
    close(m->fd);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void mailbox_post(struct mailbox *m, struct mail *mail)
{
    CHECK_THAT(mail->deliver && !list_linked(&mail->node));
    pthread_mutex_lock(&m->lock);
    bool was_empty = list_empty(&m->mails);
    list_push(&m->mails, &mail->node);
    pthread_mutex_unlock(&m->lock);
    if (was_empty && kernel_wake_ring(m->fd) < 0)
        abort(); /* cannot be: it is our descriptor */
}
