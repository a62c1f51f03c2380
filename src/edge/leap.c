/* SPDX-License-Identifier: MIT */
/* leap.c - see leap.h. */
#include "src/edge/leap.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/log.h"
#include "src/worker/commons.h"

struct leap {
    struct list_node node; /* in worker->leaps */
    struct worker *worker; /* borrowed: outlives its leaps */
    struct sock *sock;     /* owned */
    struct seat seat;      /* in server->leaps */
    struct timer timer;
    struct reap reap;
};

static void leap_check(const struct leap *l)
{
    worker_check(l->worker);
    CHECK_THAT(l->sock && list_linked(&l->node));
}

static void leap_free(void *object)
{
    free(object);
}

static void leap_close(struct leap *l)
{
    if (CHECKING)
        leap_check(l);
    sock_close(l->sock);
    l->sock = NULL;
    commons_give(l->worker->server->leaps, &l->seat);
    timer_stop(&l->timer);
    list_remove(&l->node);
    loop_reap(l->worker->loop, &l->reap, leap_free, l);
}

static void on_timer(void *user)
{
    leap_close(user);
}

static void on_error(void *user, int err, const char *reason)
{
    leap_close(user);
}

static const struct sock_ops leap_ops = {.on_error = on_error};

bool leap_is(struct slice line)
{
    struct slice word = SLICE("__h2o_leap__");
    if (!slice_starts(line, word))
        return false;
    return line.len == word.len || strchr(" \r\n", line.ptr[word.len]);
}

/* Tells the operator that somebody uses an older client here. */
static void tell(struct worker *w, const struct sock *sock)
{
    uint64_t suppressed;
    char peer[INET6_ADDRSTRLEN];
    if (!log_limit_pass(&w->leap_log, loop_now_us(w->loop), &suppressed))
        return;
    sock_address_text(sock_peer(sock), false, peer, sizeof peer);
    LOG(INFO, "old_client_refused", LOG_STR("viewer", peer),
        LOG_U("waiting", commons_count(w->server->leaps)), LOG_U("suppressed", suppressed));
}

void leap_new(struct worker *w, struct sock *sock)
{
    struct who who = who_of_peer(w->server->trust, sock_peer(sock));
    struct leap *l = xcalloc(1, sizeof *l);
    tell(w, sock);
    if (!commons_take(w->server->leaps, w, &who, &l->seat, true)) {
        sock_close(sock);
        free(l);
        return;
    }
    l->worker = w;
    l->sock = sock;
    timer_init(&l->timer, w->loop, on_timer, l);
    timer_arm(&l->timer, LEAP_WAIT_MS);
    list_push(&w->leaps, &l->node);
    sock_set_ops(sock, &leap_ops, l);
    if (CHECKING)
        leap_check(l);
}

void leap_evict(struct seat *seat)
{
    leap_close(CONTAINER_OF(seat, struct leap, seat));
}

void leap_stop(struct list_node *node)
{
    leap_close(CONTAINER_OF(node, struct leap, node));
}
