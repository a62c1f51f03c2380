/* SPDX-License-Identifier: MIT */
/* passage.c - see passage.h. The answer is looked at before it is read, and exactly its own bytes
 * are read. Invariant: `ops` is set, and the deadline armed, until the passage is over. */
#include "h2mux/io/passage.h"

#include <stdio.h>
#include <stdlib.h>

struct passage {
    struct loop *loop; /* borrowed, as are the sock and all of the talk's strings */
    struct sock *sock;
    const struct passage_ops *ops; /* NULL once over */
    void *user;
    struct proxy_talk talk;
    struct task begin;
    struct timer deadline;
    struct reap reap;
};

static void free_passage(void *object)
{
    struct passage *p = object;
    /* What was said may have a password. */
    explicit_bzero(p->talk.say, sizeof p->talk.say);
    free(p);
}

void passage_cancel(struct passage *p)
{
    if (!p || !p->ops)
        return;
    p->ops = NULL;
    task_cancel(&p->begin);
    timer_stop(&p->deadline);
    loop_reap(p->loop, &p->reap, free_passage, p);
}

static void fail(struct passage *p, int err, const char *reason)
{
    const struct passage_ops *ops = p->ops;
    passage_cancel(p);
    ops->on_failed(p->user, err, reason);
}

static void succeed(struct passage *p)
{
    const struct passage_ops *ops = p->ops;
    passage_cancel(p);
    ops->on_through(p->user);
}

static void say(struct passage *p)
{
    sock_write(p->sock, slice_make(p->talk.say, p->talk.say_len));
}

/* Reads the next bytes that belong to the answer. Returns whether there may be more of them. */
static bool read_some(struct passage *p)
{
    char taken[512];
    struct slice in;
    size_t used = 0;
    int err = sock_peek(p->sock, &in);
    if (err == ERR_AGAIN)
        return false;
    if (err < 0) {
        fail(p, err,
             err == ERR_EOF ? "closes the connection without a whole answer"
                            : "breaks the connection off");
        return false;
    }
    if (in.len > sizeof taken)
        in.len = sizeof taken;
    enum proxy_verdict verdict = proxy_read(&p->talk, in, &used);
    if (sock_read(p->sock, taken, used) != (ssize_t)used)
        verdict = PROXY_FAILED; /* cannot be: they were seen */
    if (verdict == PROXY_SAYS)
        say(p);
    else if (verdict == PROXY_DONE)
        succeed(p);
    else if (verdict == PROXY_FAILED)
        fail(p, p->talk.err, p->talk.reason);
    return p->ops;
}

static void on_readable(void *user)
{
    while (read_some(user)) {
    }
}

static void on_error(void *user, int err, const char *reason)
{
    fail(user, err, reason);
}

static const struct sock_ops sock_ops = {.on_readable = on_readable, .on_error = on_error};

static void on_deadline(void *user)
{
    struct passage *p = user;
    fail(p, ERR_TIMEOUT, "does not answer in time");
}

static void on_begin(void *user)
{
    struct passage *p = user;
    if (p->talk.say_len == 0)
        fail(p, ERR_LIMIT, "cannot be asked for so long a name");
    else
        say(p);
}

struct passage *passage_start(struct loop *l, struct sock *s, const struct proxy *p,
                              const char *host, uint16_t port, uint64_t timeout_ms,
                              const struct passage_ops *ops, void *user)
{
    struct passage *passage = xcalloc(1, sizeof *passage);
    passage->loop = l;
    passage->sock = s;
    passage->ops = ops;
    passage->user = user;
    if (proxy_begin(&passage->talk, p, host, port) < 0)
        passage->talk.say_len = 0;
    task_init(&passage->begin, on_begin, passage);
    timer_init(&passage->deadline, l, on_deadline, passage);
    timer_arm(&passage->deadline, timeout_ms);
    sock_set_ops(s, &sock_ops, passage);
    loop_defer(l, &passage->begin);
    return passage;
}
