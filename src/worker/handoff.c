/* SPDX-License-Identifier: MIT */
/* handoff.c - sends a connection to the mailbox of another worker; see handoff.h. */
#include "src/worker/handoff.h"

#include <assert.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "src/worker/mailbox.h"

/* draw: a handoff
 *
 *   leaving: a task of the old loop waits ──▶ mailed ──▶ delivered, or closed
 *      └──────── the old loop is freed ────────────────▶ closed */
struct handoff {
    struct mail mail;
    struct task leave;
    struct orphan orphan;  /* while leaving: closes the sock if the loop is freed */
    struct sock *sock;     /* owned; while mailed it has no loop */
    struct mailbox *to;    /* borrowed: outlives every mail */
    struct budget *budget; /* borrowed: counts `bytes` until the new owner does */
    int64_t bytes;         /* of the sock, unread */
    struct peer peer;
    void (*deliver)(struct worker *w, struct sock *sock, const struct peer *peer);
};

static void over(struct handoff *h)
{
    budget_add_moving(h->budget, -h->bytes);
    free(h);
}

static void arrive(struct mail *m, void *reader)
{
    struct handoff *h = CONTAINER_OF(m, struct handoff, mail);
    struct worker *w = reader;
    if (CHECKING)
        worker_check(w);
    sock_enter(h->sock, w->loop);
    if (w->stopped)
        sock_close(h->sock);
    else
        h->deliver(w, h->sock, &h->peer);
    budget_tell(&w->evictor.share);
    over(h);
}

static void leave(void *user)
{
    struct handoff *h = user;
    orphan_leave(&h->orphan);
    sock_leave(h->sock);
    mailbox_post(h->to, &h->mail);
}

static void give_up(void *user)
{
    struct handoff *h = user;
    orphan_leave(&h->orphan);
    task_cancel(&h->leave);
    sock_close(h->sock);
    over(h);
}

void handoff_send(struct worker *from, unsigned to, struct sock *sock, const struct peer *peer,
                  void (*deliver)(struct worker *w, struct sock *sock, const struct peer *peer))
{
    static const struct sock_ops nobody;
    struct handoff *h = xcalloc(1, sizeof *h);
    if (CHECKING)
        worker_check(from);
    assert(to < from->server->n_workers);
    h->mail.deliver = arrive;
    h->deliver = deliver;
    h->sock = sock;
    h->peer = *peer;
    h->budget = &from->server->budget;
    h->bytes = (int64_t)sock_unread_bytes(sock);
    budget_add_moving(h->budget, h->bytes);
    h->to = from->server->workers[to]->mailbox;
    task_init(&h->leave, leave, h);
    loop_adopt(from->loop, &h->orphan, give_up, h);
    sock_set_ops(sock, &nobody, NULL);
    stat_add(&from->stats.handoffs, 1);
    loop_defer(from->loop, &h->leave);
}
