/* SPDX-License-Identifier: MIT */
/* sock_finish.c - lets a sock say its last words without an owner: sends what is queued and FIN,
 * then listens until the peer has read them too. */

/* draw: the end of a sock
 *
 *   SAYING ──queue empty, FIN──▶ LISTENING ──peer's FIN, an error, time, bytes──▶ closed
 *      └── nothing leaves for STALL_MS ──────────────────────────────────────────────▲ */
#include "h2mux/io/sock_int.h"

#include <stdlib.h>

/* A slow reader gets all of it; a peer that takes nothing for so long reads no more. */
enum { STALL_MS = 60000 };

/* What a sock needs for its last words; allocated for them alone. */
struct finish {
    struct timer timer; /* of the stall while SAYING, of max_ms while LISTENING */
    struct orphan orphan;
    uint64_t max_ms; /* how long to listen */
    size_t left;     /* bytes that may still be read and forgotten */
    size_t *count;   /* borrowed: sock_count_finishing; NULL */
};

static void finish_readable(void *user)
{
    struct sock *s = user;
    ssize_t n = sock_read(s, loop_scratch(s->loop), LOOP_SCRATCH);
    if (n == ERR_AGAIN)
        return;
    if (n <= 0 || (size_t)n >= s->finish->left)
        sock_close(s);
    else
        s->finish->left -= (size_t)n;
}

/* Begins to listen. If the peer's FIN was read before, the first look ends the sock. */
static void finish_listen(struct sock *s)
{
    s->finish->orphan.listening = true;
    timer_arm(&s->finish->timer, s->finish->max_ms);
    sock_resume(s);
    finish_readable(s);
}

static void finish_sent(void *user)
{
    struct sock *s = user;
    if (s->finish->orphan.listening)
        return;
    if (sock_queued(s) > 0)
        timer_arm(&s->finish->timer, STALL_MS);
    else
        finish_listen(s);
}

static void finish_now(void *user)
{
    sock_close(user);
}

static void finish_error(void *user, int err, const char *reason)
{
    finish_now(user);
}

void sock_finish(struct sock *s, uint64_t max_ms, size_t max_bytes)
{
    static const struct sock_ops finish_ops = {
        .on_readable = finish_readable, .on_sent = finish_sent, .on_error = finish_error};
    if (s->state != SOCK_OPEN || s->rx.state == SOCK_RX_FAILED) {
        sock_close(s);
        return;
    }
    s->finish = xcalloc(1, sizeof *s->finish);
    s->finish->max_ms = max_ms;
    s->finish->left = max_bytes;
    timer_init(&s->finish->timer, s->loop, finish_now, s);
    loop_adopt(s->loop, &s->finish->orphan, finish_now, s);
    timer_arm(&s->finish->timer, STALL_MS);
    sock_set_ops(s, &finish_ops, s);
    sock_pause(s);
    sock_shutdown(s);
    sock_mark_sent(s); /* so that finish_sent looks even if nothing is queued */
}

void sock_count_finishing(struct sock *s, size_t *count)
{
    if (!s->finish || s->finish->count)
        return;
    s->finish->count = count;
    ++*count;
}

void sock_finish_cancel(struct sock *s)
{
    if (!s->finish)
        return;
    if (s->finish->count)
        --*s->finish->count;
    timer_stop(&s->finish->timer);
    orphan_leave(&s->finish->orphan);
    free(s->finish);
    s->finish = NULL;
}
