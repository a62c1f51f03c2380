/* SPDX-License-Identifier: MIT */
/* leap.c - see leap.h. */
#include "src/edge/leap.h"

#include <stdlib.h>

#include "h2mux/base/check.h"
#include "h2mux/base/log.h"
#include "src/names/directory.h"
#include "src/names/label.h"
#include "src/tunnels/raw.h"
#include "src/worker/commons.h"
#include "src/worker/handoff.h"

enum { LINE_MAX_LEN = 128 };

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

static const char word[] = "__h2o_leap__";

/* Cuts the leap line off @head, which has a label in lower case. Returns that name in @name, and
 * what stands behind the line. Returns an empty name when the line is another one. */
static struct slice parse(struct slice head, char name[static NAME_MAX_LEN + 1])
{
    struct slice rest = slice_skip(head, sizeof word); /* with the space */
    ptrdiff_t end = head.len < sizeof word ? -1 : slice_find(rest, '\n');
    name[0] = '\0';
    if (end < 0 || !slice_starts(head, SLICE("__h2o_leap__ ")))
        return SLICE("");
    struct slice id = slice_trim(slice_make(rest.ptr, (size_t)end));
    if (label_valid(id)) {
        memcpy(name, id.ptr, id.len);
        name[id.len] = '\0';
    }
    return slice_skip(rest, (size_t)end + 1);
}

bool leap_is(struct slice line)
{
    size_t len = sizeof word - 1;
    if (!slice_starts(line, slice_make(word, len)))
        return false;
    return line.len == len || strchr(" \r\n", line.ptr[len]);
}

/* Tells the operator why an old client is not served. */
static void tell(struct worker *w, const struct sock *sock, const char *name, const char *why)
{
    uint64_t suppressed;
    char peer[INET6_ADDRSTRLEN];
    if (!log_limit_pass(&w->leap_log, loop_now_us(w->loop), &suppressed))
        return;
    sock_address_text(sock_peer(sock), false, peer, sizeof peer);
    LOG(INFO, "old_client_refused", LOG_STR("viewer", peer), LOG_STR("name", name),
        LOG_STR("reason", why), LOG_U("waiting", commons_count(w->server->leaps)),
        LOG_U("suppressed", suppressed));
}

/* Keeps the connection quiet for a while. */
static void refuse(struct worker *w, struct sock *sock)
{
    struct who who = who_of_peer(w->server->trust, sock_peer(sock));
    struct leap *l = xcalloc(1, sizeof *l);
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

void leap_take(struct worker *w, struct sock *sock, const struct peer *peer,
               void (*deliver)(struct worker *w, struct sock *sock, const struct peer *peer))
{
    char text[LINE_MAX_LEN], name[NAME_MAX_LEN + 1];
    const char *why = "malformed line";
    ssize_t n = sock_read(sock, text, sizeof text); /* it was put back, so it is there */
    struct slice head = slice_make(text, n > 0 ? (size_t)n : 0), rest = parse(head, name);
    int home = name[0] ? directory_find(w->server->directory, slice_str(name)) : DIRECTORY_NOBODY;
    if (home != DIRECTORY_NOBODY && home != (int)w->index) {
        sock_unread(sock, head);
        handoff_send(w, (unsigned)home, sock, peer, deliver);
        return;
    }
    if (rest.len > 0)
        sock_unread(sock, rest);
    if (name[0])
        why = raw_join(w, sock, slice_str(name), peer);
    if (!why)
        return;
    tell(w, sock, name[0] ? name : "-", why);
    refuse(w, sock);
}

void leap_evict(struct seat *seat)
{
    leap_close(CONTAINER_OF(seat, struct leap, seat));
}

void leap_stop(struct list_node *node)
{
    leap_close(CONTAINER_OF(node, struct leap, node));
}
