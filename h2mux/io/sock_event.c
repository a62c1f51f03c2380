/* SPDX-License-Identifier: MIT */
/* sock_event.c - what happens to a sock, from the loop to its owner: connected, through the
 * handshake, readable, paused and left, failed.
 *
 * Invariant: the owner is told outside of its own calls, and not while it pauses; a resume tells
 * again what may be there. */
#include "h2mux/io/sock_int.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

static bool alive(const struct sock *s)
{
    return s->state != SOCK_CLOSED;
}

void sock_fail(struct sock *s, int err, const char *reason)
{
    s->failed = err;
    if (s->ops->on_error)
        s->ops->on_error(s->user, err, reason);
}

void sock_opened(struct sock *s)
{
    s->state = SOCK_OPEN;
    if (buf_len(&s->early) > 0) {
        sock_tls_write(s, buf_slice(&s->early));
        buf_release(&s->early);
    }
    if (s->shut_tx && s->ssl)
        sock_tls_shutdown(s);
    loop_flush(s->loop, &s->flush);
    loop_defer(s->loop, &s->ready);
    if (s->ops->on_open)
        s->ops->on_open(s->user);
}

static void connected(struct sock *s)
{
    int why = 0;
    socklen_t len = sizeof why;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &why, &len);
    if (why != 0) {
        sock_fail(s, sock_errno(why), strerror(why));
        return;
    }
    if (s->ssl) {
        s->state = SOCK_HANDSHAKING;
        sock_handshake(s);
    } else {
        sock_opened(s);
    }
}

static bool may_read(const struct sock *s)
{
    if (buf_len(&s->unread) > 0)
        return true;
    if (s->eof_told || s->failed)
        return false;
    if (s->ssl)
        return !s->starved;
    return s->rx_ready || s->raw_eof || buf_len(&s->rx) > 0;
}

/* To libevent an RST is readable and writable, like data; asking the kernel this way leaves the
 * error for the reader. */
static bool peer_left(struct sock *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLRDHUP};
    if (!s->hangup && s->fd >= 0 && poll(&p, 1, 0) > 0)
        s->hangup = true;
    return s->hangup;
}

static void tell_hangup(struct sock *s)
{
    if (s->hangup && s->ops->on_hangup)
        s->ops->on_hangup(s->user);
}

/* A pause that lasts: did an RST come in the event that brought the last bytes? Asking at every
 * pause would cost a system call a request. */
void sock_run_check(void *user)
{
    struct sock *s = user;
    if (s->paused && s->state == SOCK_OPEN && peer_left(s))
        tell_hangup(s);
}

static void tell_readable(struct sock *s)
{
    if (s->paused) {
        tell_hangup(s);
        return;
    }
    if (!may_read(s) || !s->ops->on_readable)
        return;
    s->ops->on_readable(s->user);
    if (alive(s) && !s->paused && may_read(s))
        loop_defer(s->loop, &s->ready);
}

void sock_run_ready(void *user)
{
    struct sock *s = user;
    if (s->state == SOCK_OPEN)
        tell_readable(s);
    else if (s->state == SOCK_HANDSHAKING && !s->failed)
        loop_defer_dear(s->loop, &s->shake);
}

void sock_run_shake(void *user)
{
    struct sock *s = user;
    if (s->state == SOCK_HANDSHAKING && !s->failed)
        sock_handshake(s);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct sock *s = arg;
    if (what & (EV_READ | EV_CLOSED)) {
        s->rx_ready = true;
        s->starved = false;
    }
    if (what & EV_CLOSED)
        s->hangup = true;
    if (what & EV_WRITE) {
        s->tx_ready = true;
        if (buf_len(&s->tx) > 0)
            loop_flush(s->loop, &s->flush);
    }
    s->drained = false;
    if (s->paused && !s->hangup && s->ops->on_hangup)
        loop_later(s->loop, &s->check); /* bytes of the next message, or an RST */
    if (s->state == SOCK_CONNECTING && !s->failed)
        connected(s);
    else if (what & (EV_READ | EV_CLOSED))
        sock_run_ready(s);
}

/* One registration for the descriptor's life: with edge triggering no epoll_ctl follows. */
void sock_watch(struct sock *s)
{
    int one = 1;
    fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK);
    if (s->peer.ss_family == AF_INET || s->peer.ss_family == AF_INET6)
        setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    event_assign(&s->event, loop_base(s->loop), s->fd,
                 EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, on_event, s);
    event_add(&s->event, NULL);
}

void sock_set_ops(struct sock *s, const struct sock_ops *ops, void *user)
{
    s->ops = ops;
    s->user = user;
    loop_defer(s->loop, &s->ready);
}

/* A peer that has left already is told as one that leaves while it lasts. */
void sock_pause(struct sock *s)
{
    if (s->paused)
        return;
    s->paused = true;
    if (s->hangup)
        loop_defer(s->loop, &s->ready);
    else if (s->ops->on_hangup)
        loop_later(s->loop, &s->check);
}

void sock_resume(struct sock *s)
{
    s->paused = false;
    task_cancel(&s->check);
    if (may_read(s))
        loop_defer(s->loop, &s->ready);
}
