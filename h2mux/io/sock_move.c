/* SPDX-License-Identifier: MIT */
/* sock_move.c - moves a sock from one loop to another. */
#include "h2mux/io/sock_int.h"

void sock_leave(struct sock *s)
{
    sock_gather_settle(s);
    task_cancel(&s->tasks.ready);
    task_cancel(&s->tasks.shake);
    task_cancel(&s->tasks.flush);
    task_cancel(&s->tasks.check);
    wheel_timer_stop(&s->watch.timer);
    sock_tail_drop(s);
    event_del(&s->event);
    s->ops = &sock_no_ops;
    s->user = NULL;
}

/* Registers @s with the loop @l. The kernel reports at once whether the descriptor is ready, so no
 * event that came during the move is lost. */
void sock_enter(struct sock *s, struct loop *l)
{
    s->loop = l;
    sock_watch(s);
    sock_peer_sent(s); /* what was written before may not be acknowledged */
    if (buf_len(&s->tx.raw) > 0)
        loop_flush(l, &s->tasks.flush);
    sock_resume(s);
}
