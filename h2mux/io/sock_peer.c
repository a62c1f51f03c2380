/* SPDX-License-Identifier: MIT */
/* sock_peer.c - notices that the peer of a sock is gone: by the kernel's keepalive while nothing is
 * under way, and by a look at what the kernel knows while bytes of ours are not acknowledged.
 *
 * A write arms the timer, unless it runs. A look that finds all bytes acknowledged leaves it off;
 * so an idle connection costs nothing, and a busy one a system call in ten seconds. */
#include "h2mux/io/sock_int.h"

#include "h2mux/base/kernel.h"
#include "h2mux/io/peer_sign.h"

enum { KEEPALIVE_IDLE_S = 60, KEEPALIVE_INTERVAL_S = 10, KEEPALIVE_PROBES = 5 };

void sock_keep_alive(int fd)
{
    kernel_keep_alive(fd, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES);
}

static void arm(struct sock *s, uint64_t ms)
{
    loop_arm_on_wheel(s->loop, &s->watch.timer, ms);
}

/* Reads what the kernel knows. Returns whether bytes of ours are not acknowledged. */
static bool read_sign(const struct sock *s, struct peer_sign *sign)
{
    struct kernel_tcp known;
    if (kernel_tcp_look(s->fd, &known) < 0)
        return false;
    *sign = (struct peer_sign){
        .retransmits = known.retransmits,
        .probes = known.probes,
        .quiet_ms = known.quiet_ms,
    };
    return known.waiting || sock_queued(s) > 0;
}

static void give_up(struct sock *s)
{
    if (s->finish)
        sock_abort(s);
    else
        sock_fail(s, ERR_GONE, "the peer is gone: it acknowledges nothing");
}

void sock_peer_look(void *user)
{
    struct sock *s = user;
    struct peer_sign sign;
    uint64_t now = loop_now_us(s->loop);
    if (s->fd < 0 || s->rx.state == SOCK_RX_FAILED || !read_sign(s, &sign))
        return;
    if (!peer_sign_is_bad(&sign))
        s->watch.since_us = now;
    uint64_t silence = peer_sign_silence_ms(&sign, (now - s->watch.since_us) / 1000);
    if (silence >= s->watch.timeout_ms)
        give_up(s);
    else
        arm(s, peer_sign_next_ms(silence, s->watch.timeout_ms));
}

void sock_peer_begin(struct sock *s)
{
    s->watch.since_us = loop_now_us(s->loop);
    arm(s, peer_sign_next_ms(0, s->watch.timeout_ms));
}

void sock_watch_peer(struct sock *s, uint64_t timeout_ms)
{
    if (s->peer.any.sa_family != AF_INET && s->peer.any.sa_family != AF_INET6)
        return;
    s->watch.timeout_ms = timeout_ms;
    if (timeout_ms == 0)
        wheel_timer_stop(&s->watch.timer);
}
