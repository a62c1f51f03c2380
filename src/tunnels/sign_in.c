/* SPDX-License-Identifier: MIT */
/* sign_in.c - see sign_in.h. */
#include "src/tunnels/sign_in.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "h2mux/base/log.h"
#include "src/policies/guard.h"
#include "src/tunnels/registry.h"
#include "src/worker/helper.h"

struct sign_in {
    struct errand errand;
    struct exchange *x;   /* weak: the exchange sets it to NULL at its end */
    struct guard *guard;  /* held: its policy has the hash */
    struct viewer viewer; /* whose slices are not used */
    struct login_look look;
    bool good; /* set on the helper's thread */
};

/* The same work is done for a user who does not exist. */
static void check(struct errand *e)
{
    struct sign_in *s = CONTAINER_OF(e, struct sign_in, errand);
    bool same = password_check(s->look.shown.password, s->look.hash);
    s->good = same && s->look.known;
}

static void finish(struct sign_in *s)
{
    guard_drop(s->guard);
    OPENSSL_cleanse(s, sizeof *s);
    free(s);
}

static void log_failure(struct worker *w, const struct sign_in *s)
{
    uint64_t suppressed;
    if (worker_may_log(w, WORKER_SIGN_IN_FAILED, &suppressed))
        LOG(INFO, "sign_in_failed", LOG_STR("name", s->x ? s->x->name : "-"),
            LOG_STR("viewer", s->viewer.address), LOG_U("suppressed", suppressed));
}

/* Starts the exchange, whose viewer has signed in. */
static void go_in(struct exchange *x)
{
    struct tunnel *t = registry_find(x->worker->registry, slice_str(x->name));
    enum failure why = FAIL_AWAY;
    bool same = t && t->guard == x->request.guard;
    x->request.seated =
        same && guard_seat(t->guard, x->request.viewer, loop_now_us(x->worker->loop), &why);
    if (x->request.seated)
        exchange_start(x, t);
    else
        exchange_refuse(x, t && !same ? FAIL_LOGIN : why);
}

static void deliver(struct mail *m, void *reader)
{
    struct sign_in *s = CONTAINER_OF(m, struct sign_in, errand.mail);
    struct worker *w = reader;
    struct exchange *x = s->x;
    if (s->errand.done)
        login_note(guard_login(s->guard), &s->look, &s->viewer, s->good, loop_now_us(w->loop));
    if (s->errand.done && !s->good)
        log_failure(w, s);
    if (x)
        x->watcher = NULL;
    if (x && s->good)
        go_in(x);
    else if (x)
        exchange_refuse(x, s->errand.done ? FAIL_LOGIN : FAIL_DRAINING);
    finish(s);
}

void sign_in_start(struct exchange *x, const struct tunnel *t, const struct login_look *look)
{
    struct sign_in *s = xcalloc(1, sizeof *s);
    s->errand.mail.deliver = deliver;
    s->errand.run = check;
    s->errand.back = x->worker->mailbox;
    s->x = x;
    s->guard = guard_hold(x->request.guard);
    s->viewer = *x->request.viewer;
    s->look = *look;
    x->watcher = &s->x;
    memcpy(x->name, t->name, sizeof x->name);
    if (helper_send(x->worker->server->helper, &s->errand))
        return;
    x->watcher = NULL;
    finish(s);
    exchange_refuse(x, FAIL_BUSY);
}
