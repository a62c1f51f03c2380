/* SPDX-License-Identifier: MIT */
/* sock_event.c - takes the loop's events, and tells the owner of a sock that the sock is open, can
 * be read or has failed, or that the peer has left during a pause.
 *
 * Invariant: callbacks never run inside the owner's own calls, and on_readable never runs during a
 * pause. After a resume on_readable runs again if something may be there to be read. */
#include "h2mux/io/sock_int.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "h2mux/base/check.h"
#include "h2mux/base/kernel.h"

static bool alive(const struct sock *s)
{
    return s->state != SOCK_CLOSED;
}

void sock_fail(struct sock *s, int err, const char *reason)
{
    sock_rx_fail(s, err);
    if (s->ops->on_error)
        s->ops->on_error(s->user, err, reason);
}

void sock_opened(struct sock *s)
{
    s->state = SOCK_OPEN;
    if (buf_len(&s->tx.early) > 0) {
        sock_tls_write(s, buf_slice(&s->tx.early));
        buf_release(&s->tx.early);
    }
    if (sock_tx_is_shut(s) && s->tls.ssl)
        sock_tls_shutdown(s);
    loop_flush(s->loop, &s->tasks.flush);
    loop_defer(s->loop, &s->tasks.ready);
    if (s->ops->on_open)
        s->ops->on_open(s->user);
}

static void connected(struct sock *s)
{
    int why = 0;
    socklen_t len = sizeof why;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &why, &len);
    if (why != 0) {
        sock_fail(s, sock_connect_err(&s->peer.any, sizeof s->peer, why), strerror(why));
        return;
    }
    if (s->tls.ssl) {
        s->state = SOCK_HANDSHAKING;
        sock_handshake(s);
    } else {
        sock_opened(s);
    }
}

static bool may_read(const struct sock *s)
{
    if (buf_len(&s->rx.unread) > 0)
        return true;
    switch (s->rx.state) {
    case SOCK_RX_EMPTY:
        return !s->tls.ssl && buf_len(&s->rx.raw) > s->rx.seen;
    case SOCK_RX_HELD:
    case SOCK_RX_READY:
    case SOCK_RX_SHORT:
    case SOCK_RX_LEFT:
    case SOCK_RX_ENDED:
        return true;
    case SOCK_RX_NOTIFIED:
    case SOCK_RX_TOLD:
    case SOCK_RX_FAILED:
        break;
    }
    return false;
}

/* Returns whether the peer has sent FIN or RST. libevent reports an RST as readable and writable,
 * like data, so the kernel is asked in a way that leaves the error for the reader. */
static bool peer_left(struct sock *s)
{
    if (!sock_has_left(s) && s->fd >= 0 && kernel_peer_left(s->fd))
        sock_rx_left(s);
    return sock_has_left(s);
}

bool sock_is_dead(const struct sock *s)
{
    struct pollfd p = {.fd = s->fd};
    return s->rx.state == SOCK_RX_FAILED ||
           (s->fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP)) != 0);
}

static void tell_hangup(struct sock *s)
{
    if (sock_has_left(s) && s->ops->on_hangup)
        s->ops->on_hangup(s->user);
}

/* Calls on_hangup if the peer has left, during a pause that has lasted for 250 ms or more: an RST
 * may have come in the same event as the last bytes. A look at the beginning of every pause would
 * cost a system call for each request. */
void sock_run_check(void *user)
{
    struct sock *s = user;
    if (s->rx.paused && s->state == SOCK_OPEN && peer_left(s))
        tell_hangup(s);
}

static void tell_readable(struct sock *s)
{
    if (s->rx.paused) {
        tell_hangup(s);
        return;
    }
    if (!may_read(s) || !s->ops->on_readable)
        return;
    s->ops->on_readable(s->user);
    if (alive(s) && !s->rx.paused && may_read(s))
        loop_defer(s->loop, &s->tasks.ready);
}

void sock_run_ready(void *user)
{
    struct sock *s = user;
    if (s->state == SOCK_OPEN)
        tell_readable(s);
    else if (s->state == SOCK_HANDSHAKING && s->rx.state != SOCK_RX_FAILED)
        loop_defer_dear(s->loop, &s->tasks.shake);
}

void sock_run_shake(void *user)
{
    struct sock *s = user;
    if (s->state == SOCK_HANDSHAKING && s->rx.state != SOCK_RX_FAILED)
        sock_handshake(s);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct sock *s = arg;
    if ((what & (EV_READ | EV_CLOSED)) || s->rx.state == SOCK_RX_SHORT)
        sock_rx_arrived(s);
    if (what & EV_CLOSED)
        sock_rx_left(s);
    if (what & EV_WRITE) {
        sock_tx_ready(s);
        if (buf_len(&s->tx.raw) > 0)
            loop_flush(s->loop, &s->tasks.flush);
    }
    if (s->rx.paused && !sock_has_left(s) && s->ops->on_hangup)
        loop_later(s->loop, &s->tasks.check); /* bytes of the next message, or an RST */
    if (s->state == SOCK_CONNECTING && s->rx.state != SOCK_RX_FAILED)
        connected(s);
    else if (what & (EV_READ | EV_CLOSED))
        sock_run_ready(s);
    if (CHECKING)
        sock_check(s);
}

/* Registers the descriptor with the loop for its whole life: with edge triggering no later
 * epoll_ctl is needed. Also makes the descriptor non-blocking, and sets TCP_NODELAY on TCP. */
void sock_watch(struct sock *s)
{
    int one = 1;
    fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK);
    if (s->peer.any.sa_family == AF_INET || s->peer.any.sa_family == AF_INET6)
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    event_assign(&s->event, loop_base(s->loop), s->fd,
                 EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, on_event, s);
    event_add(&s->event, NULL);
}

void sock_set_ops(struct sock *s, const struct sock_ops *ops, void *user)
{
    s->ops = ops;
    s->user = user;
    s->rx.seen = 0;
    loop_defer(s->loop, &s->tasks.ready);
}

/* Stops the calls of on_readable. If the peer has left already, on_hangup follows, as for a peer
 * that leaves during the pause. */
void sock_pause(struct sock *s)
{
    if (CHECKING)
        sock_check(s);
    if (s->rx.paused)
        return;
    s->rx.paused = true;
    if (sock_has_left(s))
        loop_defer(s->loop, &s->tasks.ready);
    else if (s->ops->on_hangup)
        loop_later(s->loop, &s->tasks.check);
}

void sock_resume(struct sock *s)
{
    if (CHECKING)
        sock_check(s);
    s->rx.paused = false;
    task_cancel(&s->tasks.check);
    if (may_read(s))
        loop_defer(s->loop, &s->tasks.ready);
}
