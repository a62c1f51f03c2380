/* SPDX-License-Identifier: MIT */
/* watchdog.c - see watchdog.h. */
#include "src/watchdog.h"

#include <stdlib.h>

#include "src/worker/mailbox.h"
#include "src/worker/worker.h"

enum { ROUNDS = 4 /* in the time that the supervisor allows */ };

struct watchdog {
    struct server *server; /* borrowed: outlives this */
    struct timer timer;    /* of worker 0 */
    bool away;             /* the letter is on its way; worker 0 alone touches this */

    /* The letter, and the worker that it goes to; whoever has the letter touches them. */
    struct mail letter;
    unsigned at;
};

static void post(struct watchdog *d)
{
    mailbox_post(d->server->workers[d->at]->mailbox, &d->letter);
}

/* Passes the letter on to the next worker. The last one is worker 0, which sends the message. */
static void deliver(struct mail *m, void *reader)
{
    struct watchdog *d = CONTAINER_OF(m, struct watchdog, letter);
    if (d->at == 0) {
        d->away = false;
        notify_tell(&d->server->notify, "WATCHDOG=1");
        return;
    }
    d->at = (d->at + 1) % d->server->n_workers;
    post(d);
}

/* During a stop a worker may have ended already, and then it reads no letter. */
static void on_timer(void *user)
{
    struct watchdog *d = user;
    timer_arm(&d->timer, d->server->notify.watchdog_ms / ROUNDS);
    if (d->server->draining) {
        notify_tell(&d->server->notify, "WATCHDOG=1");
    } else if (!d->away) {
        d->away = true;
        d->at = 1 % d->server->n_workers;
        post(d);
    }
}

struct watchdog *watchdog_new(struct server *s)
{
    struct watchdog *d = xcalloc(1, sizeof *d);
    notify_open(&s->notify);
    d->server = s;
    d->letter.deliver = deliver;
    timer_init(&d->timer, s->workers[0]->loop, on_timer, d);
    if (s->notify.watchdog_ms > 0)
        timer_arm(&d->timer, 0);
    return d;
}

void watchdog_free(struct watchdog *d)
{
    if (!d)
        return;
    timer_stop(&d->timer);
    notify_close(&d->server->notify);
    free(d);
}
