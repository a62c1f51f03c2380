/* SPDX-License-Identifier: MIT */
/* sign_in.c - see sign_in.h. */
#include "src/tunnels/sign_in.h"

#include <stdlib.h>

#include <openssl/crypto.h>

#include "h2mux/base/log.h"
#include "src/policies/guard.h"
#include "src/tunnels/registry.h"
#include "src/worker/helper.h"

/* The axes of the pool, and how many may wait for one check. */
enum { BY_VIEWER, BY_NAME, AXES, FOLLOWERS_MAX = 256 };

struct sign_in {
    struct errand errand;
    struct worker *worker;    /* borrowed: outlives its exchanges */
    struct exchange *x;       /* weak: the exchange sets it to NULL at its end */
    struct guard *guard;      /* held: its policy has the hash */
    struct login_check check; /* in the guard's login, unless it follows another one */
    struct list_node others;  /* of sign_in.follows: they wait for this check, too */
    struct list_node follows; /* linked iff it follows another one */
    struct seat seat;         /* in server->sign_ins, likewise not then */
    struct viewer viewer;     /* whose slices are not used */
    struct login_look look;
    bool good; /* set on the helper's thread */
    struct reap reap;
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
    OPENSSL_cleanse(&s->look, sizeof s->look);
    loop_reap(s->worker->loop, &s->reap, free, s);
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

/* Lets the exchange of @s go in, or ends it because of @why, and frees @s. */
static void tell(struct sign_in *s, bool good, enum failure why)
{
    struct exchange *x = s->x;
    if (x)
        x->watcher = NULL;
    if (x && good)
        go_in(x);
    else if (x)
        exchange_refuse(x, why);
    finish(s);
}

/* Ends the check of @s, and tells all who wait for it. */
static void conclude(struct sign_in *s, enum login_result result, enum failure why)
{
    struct worker *w = s->worker;
    uint64_t now_us = loop_now_us(w->loop);
    commons_give(w->server->sign_ins, &s->seat);
    login_end(guard_login(s->guard), &s->check, &s->viewer, result, now_us);
    for (struct list_node *node; (node = list_pop(&s->others));)
        tell(CONTAINER_OF(node, struct sign_in, follows), result == LOGIN_GOOD, why);
    tell(s, result == LOGIN_GOOD, why);
}

static void deliver(struct mail *m, void *reader)
{
    struct sign_in *s = CONTAINER_OF(m, struct sign_in, errand.mail);
    struct worker *w = reader;
    if (s->errand.done && !s->good)
        log_failure(w, s);
    if (s->errand.done)
        conclude(s, s->good ? LOGIN_GOOD : LOGIN_WRONG, FAIL_LOGIN);
    else
        conclude(s, LOGIN_UNCHECKED, FAIL_DRAINING);
}

/* ---- places */

static struct who who_by_name(const struct sign_in *s)
{
    return who_of_object(s->guard);
}

/* Ends the check, whose place another viewer has got, unless the helper is at it by now. */
static void evict(struct seat *seat)
{
    struct sign_in *s = CONTAINER_OF(seat, struct sign_in, seat);
    struct worker *w = s->worker;
    struct who axes[AXES] = {who_of_viewer(&s->viewer), who_by_name(s)};
    if (helper_take_back(w->server->helper, &s->errand))
        conclude(s, LOGIN_UNCHECKED, FAIL_BUSY);
    else
        commons_hold(w->server->sign_ins, w, axes, seat);
}

struct commons *sign_in_pool_new(void)
{
    return commons_new(SIGN_INS_MAX, AXES, evict);
}

/* Sends the check of @s to the helper. Returns false when there is no place for it. */
static bool ask_helper(struct sign_in *s)
{
    struct worker *w = s->worker;
    struct who axes[AXES] = {who_of_viewer(&s->viewer), who_by_name(s)};
    if (!commons_take(w->server->sign_ins, w, axes, &s->seat, true))
        return false;
    for (size_t i = 0; i < AXES; i++)
        s->errand.of[i] = axes[i];
    return helper_send(w->server->helper, &s->errand);
}

/* ---- the start */

static bool follow(struct sign_in *s, struct login_check *same)
{
    struct sign_in *other = CONTAINER_OF(same, struct sign_in, check);
    if (list_count(&other->others) >= FOLLOWERS_MAX)
        return false;
    list_push(&other->others, &s->follows);
    return true;
}

void sign_in_start(struct exchange *x, const struct tunnel *t, const struct login_look *look)
{
    struct sign_in *s = xcalloc(1, sizeof *s);
    s->errand.mail.deliver = deliver;
    s->errand.run = check;
    s->errand.back = x->worker->mailbox;
    s->worker = x->worker;
    s->x = x;
    s->guard = guard_hold(x->request.guard);
    s->viewer = *x->request.viewer;
    s->look = *look;
    list_init(&s->others);
    x->watcher = &s->x;
    memcpy(x->name, t->name, sizeof x->name);
    if (look->same) {
        if (!follow(s, look->same))
            tell(s, false, FAIL_BUSY);
        return;
    }
    login_begin(guard_login(s->guard), look, &s->check);
    if (!ask_helper(s))
        conclude(s, LOGIN_UNCHECKED, FAIL_BUSY);
}
