/* SPDX-License-Identifier: MIT */
/* sock_finish.c - closes a sock in order without an owner: sends the queued bytes and FIN, then
 * reads and drops bytes until the peer's FIN. */

/* draw: the end of a sock
 *
 *   SAYING ──queue empty, FIN──▶ LISTENING ──peer's FIN, an error, time, bytes──▶ closed
 *      └── nothing leaves for STALL_MS ──────────────────────────────────────────────▲ */
#include "h2mux/io/sock_int.h"

#include <stdlib.h>

/* A slow reader gets all queued bytes. A peer that takes nothing for STALL_MS counts as gone. */
enum { STALL_MS = 60000 };

/* The state of a sock that is finishing. Only sock_finish allocates one. */
struct finish {
    struct timer timer; /* STALL_MS while SAYING, max_ms while LISTENING */
    struct orphan orphan;
    uint64_t max_ms; /* longest time in LISTENING */
    size_t left;     /* bytes that may still be read and dropped */
    size_t *count;   /* borrowed; set by sock_count_finishing; NULL: none */

    /* Set by sock_watch_finishing; NULL: nobody watches. */
    void (*on_closed)(void *user);
    void *user; /* borrowed */
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

/* Begins to wait for the peer's FIN (LISTENING). If the peer's FIN has come already, the first read
 * closes the sock. */
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
    sock_mark_sent(s); /* makes finish_sent run even if nothing is queued */
}

void sock_count_finishing(struct sock *s, size_t *count)
{
    if (!s->finish || s->finish->count)
        return;
    s->finish->count = count;
    ++*count;
}

bool sock_watch_finishing(struct sock *s, void (*on_closed)(void *user), void *user)
{
    if (!s->finish)
        return false;
    s->finish->on_closed = on_closed;
    s->finish->user = user;
    return true;
}

void sock_finish_cancel(struct sock *s)
{
    if (!s->finish)
        return;
    if (s->finish->count)
        --*s->finish->count;
    if (s->finish->on_closed)
        s->finish->on_closed(s->finish->user);
    timer_stop(&s->finish->timer);
    orphan_leave(&s->finish->orphan);
    free(s->finish);
    s->finish = NULL;
}
