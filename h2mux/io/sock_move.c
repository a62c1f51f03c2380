/* SPDX-License-Identifier: MIT */
/* sock_move.c - a sock on its way from one loop to another. */
#include "h2mux/io/sock_int.h"

void sock_leave(struct sock *s)
{
    sock_gather_settle(s);
    task_cancel(&s->ready);
    task_cancel(&s->shake);
    task_cancel(&s->flush);
    task_cancel(&s->check);
    sock_tail_drop(s);
    event_del(&s->event);
    s->ops = &sock_no_ops;
    s->user = NULL;
}

/* A fresh registration tells at once what is ready, so nothing can have been missed. */
void sock_enter(struct sock *s, struct loop *l)
{
    s->loop = l;
    sock_watch(s);
    if (buf_len(&s->tx) > 0)
        loop_flush(l, &s->flush);
    sock_resume(s);
}
