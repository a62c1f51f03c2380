/* SPDX-License-Identifier: MIT */
/* listener.c - accepts connections, and pauses when descriptors run out; see
 * listener.h. */
#include "src/edge/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "h2mux/base/check.h"
#include "h2mux/base/kernel.h"
#include "h2mux/base/log.h"
#include "h2mux/io/sock.h"
#include "src/edge/entry.h"
#include "src/edge/gate.h"

enum { ACCEPTS_PER_TURN = 64, PAUSE_MS = 100 };

struct listener {
    struct list_node node; /* in worker->listeners */
    struct worker *worker; /* borrowed: outlives its listeners */
    int fd;                /* owned */
    bool redirects;        /* its connections get redirects to https alone */
    int reserve;           /* owned: a spare descriptor for turn_away; -1: none */
    struct event event;
    struct log_limit pause_log;
    struct timer pause; /* armed while accepting is paused */
};

/* ---- accepting */

/* Checks that the socket is polled unless accepting is paused. */
static void listener_check(const struct listener *l)
{
    worker_check(l->worker);
    CHECK_THAT(timer_armed(&l->pause) != !!event_pending(&l->event, EV_READ, NULL));
}

/* Stops polling for PAUSE_MS, because accept failed with the error @why. The socket stays readable
 * meanwhile, so the loop would call back without end. */
static void pause_accepting(struct listener *l, int why)
{
    uint64_t suppressed;
    if (log_limit_pass(&l->pause_log, loop_now_us(l->worker->loop), &suppressed))
        LOG(ERROR, "accept_paused", LOG_STR("error", strerror(why)),
            LOG_U("suppressed", suppressed));
    event_del(&l->event);
    timer_arm(&l->pause, PAUSE_MS);
    if (CHECKING)
        listener_check(l);
}

static void open_reserve(struct listener *l)
{
    if (l->reserve < 0)
        l->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_pause_over(void *user)
{
    struct listener *l = user;
    open_reserve(l);
    event_add(&l->event, NULL);
    if (CHECKING)
        listener_check(l);
}

/* Answers the connection @fd with 503 and closes it. The request is read first, since a close with
 * unread bytes would reset the connection and the answer would be lost. */
static void answer_busy(struct worker *w, int fd)
{
    static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\n"
                               "Content-Length: 0\r\n"
                               "Cache-Control: no-store\r\n"
                               "Retry-After: 1\r\n"
                               "Proxy-Status: oneport; error=connection_limit_reached\r\n"
                               "Date: %.*s\r\n"
                               "Connection: close\r\n\r\n";
    char asked[16 * 1024], text[sizeof busy + CLOCK_HTTP_MAX];
    int len = snprintf(text, sizeof text, busy, SLICE_FMT(worker_date(w)));
    (void)!recv(fd, asked, sizeof asked, MSG_DONTWAIT);
    (void)!send(fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    (void)!recv(fd, asked, sizeof asked, MSG_DONTWAIT);
    close(fd);
}

/* Answers 503 to the connections for which the process has no descriptor left. Each of them gets
 * the reserve descriptor for a moment. Otherwise they would wait in the kernel until another
 * connection ends. */
static void turn_away(struct listener *l)
{
    for (int i = 0; i < ACCEPTS_PER_TURN && l->reserve >= 0; i++) {
        close(l->reserve);
        l->reserve = -1;
        int fd = kernel_accept(l->fd, NULL, NULL);
        if (fd >= 0)
            answer_busy(l->worker, fd);
        open_reserve(l);
        if (fd < 0)
            return;
    }
}

/* Returns whether the error @why of accept needs no pause: no connection waits, or the waiting
 * connection is gone. */
static bool is_passing(int why)
{
    return why == EAGAIN || why == EWOULDBLOCK || why == EINTR || why == ECONNABORTED;
}

/* Acts on the error @why of accept: gives idle connections of viewers up, which the next turn finds
 * closed; or else answers 503 and pauses. */
static void refuse_descriptor(struct listener *l, int why)
{
    bool few = why == EMFILE || why == ENFILE;
    if (few && entry_make_room(l->worker->server))
        return;
    if (few)
        turn_away(l);
    pause_accepting(l, why);
}

static void on_acceptable(evutil_socket_t listening, short what, void *arg)
{
    struct listener *l = arg;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof peer;
        int fd = kernel_accept(l->fd, (struct sockaddr *)&peer, &len);
        if (fd < 0) {
            int why = errno;
            if (is_passing(why))
                return;
            refuse_descriptor(l, why);
            return;
        }
        if (!gate_new(l->worker, fd, (const struct sockaddr *)&peer, l->redirects))
            answer_busy(l->worker, fd);
    }
}

static void address_of(int fd, struct sockaddr_storage *addr)
{
    socklen_t len = sizeof *addr;
    *addr = (struct sockaddr_storage){0};
    getsockname(fd, (struct sockaddr *)addr, &len);
}

void listener_announce(int fd, bool redirects)
{
    struct sockaddr_storage addr;
    char text[256];
    address_of(fd, &addr);
    if (addr.ss_family == AF_UNIX)
        snprintf(text, sizeof text, "unix:%s",
                 ((const struct sockaddr_un *)(const void *)&addr)->sun_path);
    else
        sock_address_text((const struct sockaddr *)&addr, true, text, sizeof text);
    LOG(INFO, redirects ? "redirecting" : "listening", LOG_STR("addr", text));
}

void listener_start(struct worker *w, int fd, bool redirects)
{
    struct listener *l = xcalloc(1, sizeof *l);
    l->worker = w;
    l->fd = fd;
    l->redirects = redirects;
    l->reserve = -1;
    open_reserve(l);
    timer_init(&l->pause, w->loop, on_pause_over, l);
    event_assign(&l->event, loop_base(w->loop), fd, EV_READ | EV_PERSIST, on_acceptable, l);
    event_add(&l->event, NULL);
    if (CHECKING)
        listener_check(l);
    list_push(&w->listeners, &l->node);
}

void listener_remove_file(int fd)
{
    struct sockaddr_storage addr;
    address_of(fd, &addr);
    if (addr.ss_family == AF_UNIX)
        unlink(((const struct sockaddr_un *)(const void *)&addr)->sun_path);
}

void listener_stop(struct list_node *node)
{
    struct listener *l = CONTAINER_OF(node, struct listener, node);
    listener_remove_file(l->fd);
    timer_stop(&l->pause);
    event_del(&l->event);
    close(l->fd);
    if (l->reserve >= 0)
        close(l->reserve);
    list_remove(&l->node);
    free(l);
}
