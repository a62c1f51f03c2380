/* sock.c - one non-blocking byte stream, plain or TLS; TLS runs over a BIO on the raw buffers, so
 * it never sees the descriptor.
 *
 *   peer ─▶ rx (raw) ─▶ [SSL] ─▶ sock_read          sock_write ─▶ [SSL] ─▶ tx (raw) ─▶ peer
 *
 * Invariants: rx_ready is false only after the kernel said EAGAIN, so with edge-triggered events no
 * wake-up is lost; starved is true only after SSL wanted more than rx had. Does not know: HTTP. */
#include "sock_int.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PEEK_CHUNK = 16384 };

static void on_event(evutil_socket_t fd, short what, void *arg);
static void run_ready(void *user);
static void run_shake(void *user);
static void run_check(void *user);
const struct sock_ops sock_no_ops;

struct sock *sock_alloc(struct loop *l, int fd)
{
    struct sock *s = xcalloc(1, sizeof(*s));
    s->loop = l;
    s->fd = fd;
    s->ops = &sock_no_ops;
    s->tx_ready = true;
    buf_init(&s->rx, SOCK_RX_CHUNK + SOCK_PAIR_ROOM);
    buf_init(&s->tx, SIZE_MAX / 2);
    buf_init(&s->unread, SOCK_RX_CHUNK + SOCK_PAIR_ROOM);
    buf_init(&s->early, SIZE_MAX / 2);
    task_init(&s->ready, run_ready, s);
    task_init(&s->shake, run_shake, s);
    task_init(&s->flush, sock_run_flush, s);
    task_init(&s->check, run_check, s);
    return s;
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

struct sock *sock_new(struct loop *l, int fd)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
        peer.ss_family = AF_UNSPEC;
    return sock_accepted(l, fd, &peer);
}

struct sock *sock_accepted(struct loop *l, int fd, const struct sockaddr_storage *peer)
{
    struct sock *s = sock_alloc(l, fd);
    s->peer = *peer;
    s->state = SOCK_OPEN;
    s->rx_ready = true;
    sock_watch(s);
    return s;
}

struct sock *sock_connect(struct loop *l, const struct sockaddr *addr, socklen_t len)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    if (connect(fd, addr, len) < 0 && errno != EINPROGRESS) {
        int why = errno;
        close(fd);
        errno = why;
        return NULL;
    }
    struct sock *s = sock_alloc(l, fd);
    memcpy(&s->peer, addr, len);
    s->state = SOCK_CONNECTING;
    s->tx_ready = false;
    sock_watch(s);
    return s;
}

void sock_set_ops(struct sock *s, const struct sock_ops *ops, void *user)
{
    s->ops = ops;
    s->user = user;
    loop_defer(s->loop, &s->ready);
}

/* ---- raw octets
 * ----------------------------------------------------------------------------------------------------
 */

static int errno_err(int e)
{
    if (e == EAGAIN || e == EWOULDBLOCK)
        return ERR_AGAIN;
    if (e == ECONNRESET || e == EPIPE)
        return ERR_RESET;
    if (e == ECONNREFUSED)
        return ERR_REFUSED;
    if (e == ETIMEDOUT)
        return ERR_TIMEOUT;
    return ERR_IO;
}

static ssize_t raw_recv_end(struct sock *s)
{
    s->raw_eof = true;
    s->rx_ready = false;
    return s->raw_end;
}

ssize_t sock_raw_recv(struct sock *s, void *to, size_t cap)
{
    if (s->raw_eof)
        return s->raw_end;
    if (s->fd < 0 || !s->rx_ready)
        return ERR_AGAIN;
    ssize_t n;
    do
        n = recv(s->fd, to, cap, 0);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return raw_recv_end(s);
    if (n < 0) {
        s->rx_ready = false;
        return errno_err(errno);
    }
    s->drained = (size_t)n < cap;
    return n; /* a short read is no sign that nothing follows: an RST may have come in the same
                 event */
}

/* Raw octets into rx; likewise. */
ssize_t sock_raw_fill(struct sock *s, size_t chunk)
{
    if (s->fd < 0)
        return s->raw_eof ? s->raw_end : ERR_AGAIN;
    char *to = buf_reserve(&s->rx, chunk);
    if (to == NULL)
        return ERR_AGAIN;
    ssize_t n = sock_raw_recv(s, to, chunk);
    if (n > 0)
        buf_commit(&s->rx, (size_t)n);
    return n;
}

static size_t buf_take(struct buf *b, void *to, size_t cap)
{
    struct slice have = buf_slice(b);
    size_t n = have.len < cap ? have.len : cap;
    memcpy(to, have.ptr, n);
    buf_consume(b, n);
    if (buf_len(b) == 0)
        buf_release(b);
    return n;
}

/* A pair's reader made room: the other end may flush again. */
size_t sock_rx_take(struct sock *s, void *to, size_t cap)
{
    size_t n = buf_take(&s->rx, to, cap);
    if (s->pair != NULL && buf_len(&s->pair->tx) > 0)
        loop_flush(s->loop, &s->pair->flush);
    return n;
}

void sock_mark_sent(struct sock *s)
{
    s->sent = true;
    loop_flush(s->loop, &s->flush);
}

/* What is queued vanishes, so that its source is not held up; the reading side tells the owner. */
void sock_tx_break(struct sock *s)
{
    s->tx_broken = true;
    s->hangup = s->rx_ready = true;
    s->starved = false;
    sock_gather_drop(s);
    buf_release(&s->tx);
    sock_mark_sent(s);
    loop_defer(s->loop, &s->ready);
}

/* The kernel tells an error once, and then reads end as after a FIN. EPIPE is no news: the error
 * was told or a FIN came before it. */
void sock_send_failed(struct sock *s, int why)
{
    s->tx_ready = false;
    if (errno_err(why) == ERR_AGAIN)
        return;
    if (why != EPIPE)
        s->raw_end = errno_err(why);
    sock_tx_break(s);
}

static void fd_flush(struct sock *s)
{
    while (s->tx_ready && buf_len(&s->tx) > 0) {
        struct slice data = buf_slice(&s->tx);
        ssize_t n = send(s->fd, data.ptr, data.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            sock_send_failed(s, errno);
            return;
        }
        buf_consume(&s->tx, (size_t)n);
        s->tx_total += (size_t)n;
        s->sent = true;
    }
}

static void send_fin(struct sock *s)
{
    s->fin_sent = true;
    if (s->fd >= 0)
        shutdown(s->fd, SHUT_WR);
    else
        sock_pair_end(s, 0);
}

void sock_push(struct sock *s)
{
    if (s->state == SOCK_CONNECTING)
        return;
    sock_gather_settle(s);
    if (s->fd >= 0)
        fd_flush(s);
    else
        sock_pair_flush(s);
    if (buf_len(&s->tx) == 0)
        buf_release(&s->tx);
    if (s->shut_tx && !s->fin_sent && buf_len(&s->tx) == 0 && s->state == SOCK_OPEN)
        send_fin(s);
}

void sock_run_flush(void *user)
{
    struct sock *s = user;
    sock_push(s);
    if (s->sent) {
        s->sent = false;
        if (s->ops->on_sent != NULL)
            s->ops->on_sent(s->user);
    }
}

static void raw_write(struct sock *s, struct slice data)
{
    if (!sock_gather(s, data) && buf_append(&s->tx, data) < 0)
        abort(); /* the limit is half the address space */
    loop_flush(s->loop, &s->flush);
}

/* ---- what the loop tells
 * -----------------------------------------------------------------------------------------------
 */

static bool alive(const struct sock *s)
{
    return s->state != SOCK_CLOSED;
}

void sock_fail(struct sock *s, int err, const char *reason)
{
    s->failed = err;
    if (s->ops->on_error != NULL)
        s->ops->on_error(s->user, err, reason);
}

void sock_opened(struct sock *s)
{
    s->state = SOCK_OPEN;
    if (buf_len(&s->early) > 0) {
        sock_tls_write(s, buf_slice(&s->early));
        buf_release(&s->early);
    }
    if (s->shut_tx && s->ssl != NULL)
        sock_tls_shutdown(s);
    loop_flush(s->loop, &s->flush);
    loop_defer(s->loop, &s->ready);
    if (s->ops->on_open != NULL)
        s->ops->on_open(s->user);
}

static void connected(struct sock *s)
{
    int why = 0;
    socklen_t len = sizeof why;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &why, &len);
    if (why != 0) {
        sock_fail(s, errno_err(why), strerror(why));
        return;
    }
    if (s->ssl != NULL) {
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
    if (s->ssl != NULL)
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
    if (s->hangup && s->ops->on_hangup != NULL)
        s->ops->on_hangup(s->user);
}

/* A pause that lasts: did an RST come in the event that brought the last octets? Asking at every
 * pause would cost a system call a request. */
static void run_check(void *user)
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
    if (!may_read(s) || s->ops->on_readable == NULL)
        return;
    s->ops->on_readable(s->user);
    if (alive(s) && !s->paused && may_read(s))
        loop_defer(s->loop, &s->ready);
}

static void run_ready(void *user)
{
    struct sock *s = user;
    if (s->state == SOCK_OPEN)
        tell_readable(s);
    else if (s->state == SOCK_HANDSHAKING && !s->failed)
        loop_defer_dear(s->loop, &s->shake);
}

static void run_shake(void *user)
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
    if (s->paused && !s->hangup && s->ops->on_hangup != NULL)
        loop_later(s->loop, &s->check); /* octets of the next message, or an RST */
    if (s->state == SOCK_CONNECTING && !s->failed)
        connected(s);
    else if (what & (EV_READ | EV_CLOSED))
        run_ready(s);
}

/* ---- for the owner
 * ---------------------------------------------------------------------------------------------------------
 */

int sock_peek(struct sock *s, struct slice *out)
{
    if (buf_len(&s->rx) == 0) {
        ssize_t n = sock_raw_fill(s, PEEK_CHUNK);
        if (n <= 0) {
            buf_release(&s->rx);
            return n == 0 ? ERR_EOF : (int)n;
        }
    }
    *out = buf_slice(&s->rx);
    return ERR_OK;
}

static ssize_t plain_read(struct sock *s, void *to, size_t cap)
{
    if (buf_len(&s->rx) > 0)
        return (ssize_t)sock_rx_take(s, to, cap);
    return sock_raw_recv(s, to, cap);
}

ssize_t sock_read(struct sock *s, void *to, size_t cap)
{
    if (buf_len(&s->unread) > 0)
        return (ssize_t)buf_take(&s->unread, to, cap);
    if (s->failed)
        return s->failed;
    if (s->state != SOCK_OPEN)
        return ERR_AGAIN;
    ssize_t n = s->ssl ? sock_tls_read(s, to, cap) : plain_read(s, to, cap);
    if (n == 0)
        s->eof_told = true;
    else if (n < 0 && n != ERR_AGAIN)
        s->failed = (int)n;
    return n;
}

void sock_unread(struct sock *s, struct slice data)
{
    struct slice behind = buf_slice(&s->unread);
    struct buf joined;
    buf_init(&joined, s->unread.limit);
    if (buf_append(&joined, data) < 0 || buf_append(&joined, behind) < 0)
        abort(); /* a reader holds less than one chunk */
    buf_release(&s->unread);
    s->unread = joined;
    loop_defer(s->loop, &s->ready);
}

void sock_write(struct sock *s, struct slice data)
{
    if (s->shut_tx || s->state == SOCK_CLOSED || data.len == 0)
        return;
    if (s->tx_broken)
        sock_mark_sent(s);
    else if (s->ssl == NULL)
        raw_write(s, data);
    else if (s->state == SOCK_OPEN)
        sock_tls_write(s, data);
    else if (buf_append(&s->early, data) < 0)
        abort(); /* the limit is half the address space */
}

size_t sock_queued(const struct sock *s)
{
    return buf_len(&s->tx) + buf_len(&s->early) + sock_gathered(s);
}

uint64_t sock_sent(const struct sock *s)
{
    return s->tx_total;
}

uint64_t sock_taken(const struct sock *s)
{
    int waiting = 0;
    if (s->fd < 0 || ioctl(s->fd, SIOCOUTQ, &waiting) < 0 || (uint64_t)waiting > s->tx_total)
        return s->tx_total;
    return s->tx_total - (uint64_t)waiting;
}

bool sock_unsend(struct sock *s, size_t octets)
{
    sock_gather_settle(s);
    if (s->ssl != NULL || octets > buf_len(&s->tx))
        return octets == 0;
    buf_truncate(&s->tx, buf_len(&s->tx) - octets);
    return true;
}

/* A peer that has left already is told as one that leaves while it lasts. */
void sock_pause(struct sock *s)
{
    if (s->paused)
        return;
    s->paused = true;
    if (s->hangup)
        loop_defer(s->loop, &s->ready);
    else if (s->ops->on_hangup != NULL)
        loop_later(s->loop, &s->check);
}

void sock_resume(struct sock *s)
{
    s->paused = false;
    task_cancel(&s->check);
    if (may_read(s))
        loop_defer(s->loop, &s->ready);
}

void sock_shutdown(struct sock *s)
{
    if (s->shut_tx || s->state == SOCK_CLOSED)
        return;
    if (s->ssl != NULL && s->state == SOCK_OPEN)
        sock_tls_shutdown(s);
    s->shut_tx = true;
    loop_flush(s->loop, &s->flush);
}

static void sock_free(void *object)
{
    struct sock *s = object;
    SSL_free(s->ssl);
    buf_release(&s->rx);
    buf_release(&s->tx);
    buf_release(&s->unread);
    buf_release(&s->early);
    loop_note_release(s->loop);
    free(s);
}

void sock_close(struct sock *s)
{
    if (s == NULL || s->state == SOCK_CLOSED)
        return;
    s->state = SOCK_CLOSED;
    task_cancel(&s->ready);
    task_cancel(&s->shake);
    task_cancel(&s->flush);
    task_cancel(&s->check);
    sock_finish_cancel(s);
    sock_gather_drop(s);
    sock_pair_leave(s);
    if (s->fd >= 0) {
        event_del(&s->event);
        close(s->fd);
        s->fd = -1;
    }
    loop_reap(s->loop, &s->reap, sock_free, s);
}

void sock_abort(struct sock *s)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (s != NULL && s->fd >= 0)
        setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    else if (s != NULL)
        sock_pair_end(s, ERR_RESET);
    sock_close(s);
}

void sock_rest(struct sock *s)
{
    if (s->drained && !s->hangup && s->fd >= 0)
        s->rx_ready = false;
}

bool sock_is_drained(const struct sock *s)
{
    return !s->rx_ready && !s->raw_eof && buf_len(&s->rx) == 0 && buf_len(&s->unread) == 0 &&
           (s->ssl == NULL || s->starved);
}

/* ---- addresses
 * -------------------------------------------------------------------------------------------------------------------
 */

int sock_fd(const struct sock *s)
{
    return s->fd;
}

const struct sockaddr_storage *sock_peer(const struct sock *s)
{
    return &s->peer;
}

void sock_set_receive_buffer(struct sock *s, int octets)
{
    if (s->fd >= 0)
        setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
}

void sock_set_notsent_lowat(struct sock *s, int octets)
{
    if (s->fd >= 0)
        setsockopt(s->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &octets, sizeof octets);
}
