/* sock_finish.c - a sock's last words: what is queued, FIN, then reading until the peer has read them too. */
#include "sock_int.h"

#include <stdlib.h>

/* What sock_finish needs, allocated for it alone. */
struct finish {
    struct timer timer;
    struct orphan orphan;
    size_t left;
};

static void finish_readable(void *user)
{
    struct sock *s = user;
    for (;;) {
        ssize_t n = sock_read(s, loop_scratch(s->loop), LOOP_SCRATCH);
        if (n == ERR_AGAIN)
            return;
        if (n <= 0 || (size_t)n >= s->finish->left) {
            sock_close(s);
            return;
        }
        s->finish->left -= (size_t)n;
    }
}

static void finish_now(void *user)
{
    sock_close(user);
}

static void finish_error(void *user, int err, const char *reason)
{
    finish_now(user);
}

void sock_finish(struct sock *s, uint64_t max_ms, size_t max_octets)
{
    static const struct sock_ops finish_ops = {.on_readable = finish_readable, .on_error = finish_error};
    if (s->state != SOCK_OPEN || s->failed) {
        sock_close(s);
        return;
    }
    s->finish = xcalloc(1, sizeof(*s->finish));
    s->finish->left = max_octets;
    timer_init(&s->finish->timer, s->loop, finish_now, s);
    loop_adopt(s->loop, &s->finish->orphan, finish_now, s);
    timer_arm(&s->finish->timer, max_ms);
    sock_set_ops(s, &finish_ops, s);
    sock_shutdown(s);
    sock_resume(s);
}

void sock_finish_cancel(struct sock *s)
{
    if (s->finish == NULL)
        return;
    timer_stop(&s->finish->timer);
    orphan_leave(&s->finish->orphan);
    free(s->finish);
    s->finish = NULL;
}
