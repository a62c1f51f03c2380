/* SPDX-License-Identifier: MIT */
/* handoff.c - whose request it is, and a sock in a mail. */
#include "src/edge/handoff.h"

#include <stdlib.h>

#include "src/edge/edge.h"
#include "src/tunnels/register.h"
#include "src/worker/mailbox.h"

/* draw: a sock between two workers
 *
 *   LEAVING (a task of the old loop, whose callbacks may be running) ──▶ MAILED ──▶ delivered
 */
struct handoff {
    struct mail mail;
    struct task leave;
    struct orphan orphan; /* LEAVING: closed with the loop if it stops now */
    struct sock *sock;    /* owned; between loops while MAILED */
    struct mailbox *to;   /* borrowed: outlives every mail */
};

static void deliver(struct mail *m, void *reader)
{
    struct handoff *h = CONTAINER_OF(m, struct handoff, mail);
    struct worker *w = reader;
    sock_enter(h->sock, w->loop);
    if (w->stopped)
        sock_close(h->sock);
    else
        edge_new(w, h->sock);
    free(h);
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
    free(h);
}

void handoff_send(struct worker *from, unsigned to, struct sock *sock)
{
    static const struct sock_ops nobody;
    struct handoff *h = xcalloc(1, sizeof *h);
    h->mail.deliver = deliver;
    h->sock = sock;
    h->to = from->server->workers[to]->mailbox;
    task_init(&h->leave, leave, h);
    loop_adopt(from->loop, &h->orphan, give_up, h);
    sock_set_ops(sock, &nobody, NULL);
    stat_add(&from->stats.handoffs, 1);
    loop_defer(from->loop, &h->leave);
}

static int home_of_folded(const struct server *s, struct slice name)
{
    char folded[NAME_MAX_LEN + 1];
    if (name.len == 0 || name.len > NAME_MAX_LEN)
        return DIRECTORY_NOBODY;
    memcpy(folded, name.ptr, name.len);
    ascii_lower(folded, name.len);
    return directory_find(s->directory, slice_make(folded, name.len));
}

static int home_of_builtin(const struct server *s, const struct message *m)
{
    struct builtin b = router_builtin(m->method, m->path);
    char resumed[NAME_MAX_LEN + 1];
    switch (b.kind) {
    case BUILTIN_REGISTER:
    case BUILTIN_REGISTER_OLD:
        if (b.name.len == 0 && register_resumes(s, m, resumed))
            return directory_find(s->directory, slice_str(resumed));
        return home_of_folded(s, b.name);
    case BUILTIN_ATTACH:
    case BUILTIN_TUNNEL_STATUS:
        return home_of_folded(s, b.name);
    case BUILTIN_NONE:
    case BUILTIN_LANDING:
    case BUILTIN_STATUS:
    case BUILTIN_HEALTH:
    case BUILTIN_METHOD:
        break;
    }
    return DIRECTORY_NOBODY;
}

int handoff_home(const struct worker *w, const struct message *m, enum route_kind kind,
                 struct slice name)
{
    const struct server *s = w->server;
    if (s->n_workers == 1)
        return DIRECTORY_NOBODY;
    switch (kind) {
    case ROUTE_TUNNEL:
        return directory_find(s->directory, name);
    case ROUTE_BASE:
        return home_of_builtin(s, m);
    case ROUTE_UNKNOWN:
        break;
    }
    return DIRECTORY_NOBODY;
}
