/* SPDX-License-Identifier: MIT */
/* raw_knock.c - finds out whether the client still has the service behind a socket that a front end
 * passes on; see raw.h. Empty lines are sent to it. The client writes them to its connection to the
 * service; when the service has closed that, the second write fails, and the client ends the socket
 * and opens it anew. A service that is there skips empty lines before a request (RFC 9112 2.2), or
 * complains: then the socket serves no more. */
#include "h2mux/base/log.h"
#include "src/tunnels/raw_int.h"

enum {
    LATER_MS = 30 * 1000, /* between two at a socket that is lost */
    READS = 4             /* in one turn */
};

static void ended(struct raw_socket *s)
{
    raw_socket_close(s, true);
}

/* What comes now answers nothing that was asked. */
static void on_readable(void *user)
{
    struct raw_socket *s = user;
    for (int i = 0; i < READS; i++) {
        ssize_t n = sock_read(s->bare, loop_scratch(s->raw->worker->loop), LOOP_SCRATCH);
        if (n == ERR_AGAIN)
            return;
        if (n <= 0) {
            ended(s);
            return;
        }
        s->spent = true;
    }
}

static void on_hangup(void *user)
{
    ended(user);
}

static void on_error(void *user, int err, const char *reason)
{
    ended(user);
}

static const struct sock_ops ops = {
    .on_readable = on_readable,
    .on_hangup = on_hangup,
    .on_error = on_error,
};

static void knock(struct raw_socket *s, uint64_t ms)
{
    s->knocks++;
    sock_write(s->bare, SLICE("\r\n"));
    timer_arm(&s->timer, ms);
}

void raw_knock_begin(struct raw_socket *s)
{
    s->bare = h1_conn_release(s->h1);
    s->h1 = NULL;
    s->knocks = 0;
    sock_set_ops(s->bare, &ops, s);
    knock(s, RAW_KNOCK_MS);
}

/* Counts a socket that nothing brings back. */
static void lose(struct raw_socket *s)
{
    struct worker *w = s->raw->worker;
    uint64_t suppressed;
    s->lost = true;
    stat_add(&w->stats.old_sockets_lost, 1);
    if (worker_may_log(w, WORKER_OLD_SOCKET_LOST, &suppressed))
        LOG(WARN, "old_client_socket_lost", LOG_STR("name", s->raw->name),
            LOG_STR("reason", "its service keeps the connection, and a front end is between, so it "
                              "cannot be reset"),
            LOG_U("suppressed", suppressed));
    timer_arm(&s->timer, LATER_MS);
}

void raw_knock_go_on(struct raw_socket *s)
{
    struct raw *r = s->raw;
    if (s->lost || s->knocks < RAW_KNOCKS) {
        knock(s, s->lost ? LATER_MS : RAW_KNOCK_MS);
        return;
    }
    if (s->spent)
        lose(s);
    else
        raw_socket_revive(s);
    raw_heal_spared(r);
}
