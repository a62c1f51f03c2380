/* SPDX-License-Identifier: MIT */
/* session_turn.c - bounds what a session frames in one turn of the loop while viewers share it.
 *
 * What a stream has queued is bounded by a window, and is read anew in the next turn. So a kernel
 * that takes megabytes at once would give most of them to the viewer with most streams, whatever
 * the order of sending is. */
#include "h2mux/h2/session_int.h"

enum { TURN_MOST = 4 * SCHEDULE_RUN };

static void go_on(void *user)
{
    struct h2_session *s = user;
    schedule_pause(&s->host.schedule, false);
    stream_host_mark(&s->host);
}

void h2_session_init_turn(struct h2_session *s)
{
    task_init(&s->tx.goes_on, go_on, s);
}

void h2_session_count_turn(struct h2_session *s, size_t bytes)
{
    uint64_t turn = loop_turns(s->host.loop);
    if (s->tx.turn != turn)
        s->tx.in_turn = 0;
    s->tx.turn = turn;
    s->tx.in_turn += bytes;
    if (s->tx.in_turn < TURN_MOST || s->host.over)
        return;
    schedule_pause(&s->host.schedule, true);
    loop_defer(s->host.loop, &s->tx.goes_on);
}
