/* SPDX-License-Identifier: MIT */
/* conn.c - see conn.h. */
#include "tests/bench/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "h2mux/base/err.h"

enum { BACKLOG = 4096, TX_LIMIT = 1 << 20, SCRATCH = 256 * 1024, PORTS_AN_ADDRESS = 10000 };

static char scratch[SCRATCH]; /* bytes of one read; the programs have one thread */

static struct sockaddr_in loopback(uint32_t host, uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK + host)};
}

void conn_prepare_process(void)
{
    struct rlimit files;
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int listen_at(struct sockaddr_in address, uint16_t *port)
{
    static const int on = 1;
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

int conn_listen(uint16_t *port)
{
    return listen_at(loopback(0, *port), port);
}

int conn_listen_any(uint16_t *port)
{
    return listen_at((struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(*port)}, port);
}

static void on_readable(evutil_socket_t fd, short what, void *user)
{
    struct conn *c = user;
    ssize_t got = recv(fd, scratch, sizeof scratch, 0);
    if (got > 0) {
        c->ops->on_bytes(c, slice_make(scratch, (size_t)got));
        return;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    const char *why = got == 0 ? "closed by the peer" : strerror(errno);
    conn_close(c);
    c->ops->on_end(c, why);
}

static void opened(struct conn *c)
{
    int error = 0;
    socklen_t len = sizeof error;
    c->dialling = false;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        conn_close(c);
        c->ops->on_end(c, strerror(error));
        return;
    }
    event_add(&c->reader, NULL);
    if (!c->filling && buf_len(&c->tx) == 0)
        event_del(&c->writer);
    c->ops->on_open(c);
}

static void flush(struct conn *c)
{
    size_t taken = conn_push(c, buf_slice(&c->tx));
    buf_consume(&c->tx, taken);
    if (buf_len(&c->tx) > 0)
        return;
    buf_release(&c->tx);
    if (!c->filling)
        event_del(&c->writer);
}

static void on_writable(evutil_socket_t fd, short what, void *user)
{
    struct conn *c = user;
    if (c->dialling)
        opened(c);
    else if (buf_len(&c->tx) > 0)
        flush(c);
    else
        c->ops->on_room(c);
}

void conn_adopt(struct conn *c, struct event_base *base, const struct conn_ops *ops, int fd)
{
    static const int on = 1;
    *c = (struct conn){.ops = ops, .fd = fd};
    buf_init(&c->tx, TX_LIMIT);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    event_assign(&c->reader, base, fd, EV_READ | EV_PERSIST, on_readable, c);
    event_assign(&c->writer, base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
    event_add(&c->reader, NULL);
}

/* Binds @fd to a source address and leaves the port to connect(). A port that bind() chose could be
 * used for one target only. */
static void choose_source(int fd, size_t number)
{
    static const int on = 1;
    struct sockaddr_in from = loopback((uint32_t)(1 + number / PORTS_AN_ADDRESS), 0);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    bind(fd, (struct sockaddr *)&from, sizeof from);
}

int conn_connect(uint16_t port, size_t number, void (*prepare)(int fd))
{
    struct sockaddr_in to = loopback(0, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    choose_source(fd, number);
    if (prepare)
        prepare(fd);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

int conn_dial(struct conn *c, struct event_base *base, const struct conn_ops *ops, uint16_t port,
              size_t number)
{
    int fd = conn_connect(port, number, NULL);
    if (fd < 0)
        return ERR_IO;
    conn_adopt(c, base, ops, fd);
    event_del(&c->reader);
    c->dialling = true;
    event_add(&c->writer, NULL);
    return 0;
}

void conn_close(struct conn *c)
{
    if (c->fd < 0)
        return;
    event_del(&c->reader);
    event_del(&c->writer);
    buf_release(&c->tx);
    close(c->fd);
    c->fd = -1;
}

/* An error counts as nothing taken; the next read reports it. */
size_t conn_push(struct conn *c, struct slice bytes)
{
    ssize_t taken = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    return taken > 0 ? (size_t)taken : 0;
}

void conn_send(struct conn *c, struct slice bytes)
{
    if (buf_len(&c->tx) == 0)
        bytes = slice_skip(bytes, conn_push(c, bytes));
    if (bytes.len == 0)
        return;
    if (buf_append(&c->tx, bytes) < 0) {
        shutdown(c->fd, SHUT_RDWR); /* the peer takes nothing; the next read reports the end */
        return;
    }
    event_add(&c->writer, NULL);
}

void conn_fill(struct conn *c, bool on)
{
    c->filling = on;
    if (on)
        event_add(&c->writer, NULL);
    else if (buf_len(&c->tx) == 0)
        event_del(&c->writer);
}

void conn_stop_reading(struct conn *c)
{
    event_del(&c->reader);
}
