/* SPDX-License-Identifier: MIT */
/* raw_heal.c - resets worn sockets, or knocks at them, one after the other, and finds out whether
 * the client's service is there; see raw.h. A client whose service is down loses each socket that
 * ends then, so the tries become rare. */
#include "h2mux/base/log.h"
#include "src/tunnels/raw_int.h"

enum {
    SOON_MS = 20,        /* before a reset, so that what is queued leaves */
    RETURN_MS = 2000,    /* in which a socket comes back that was reset */
    PAUSE_MS = 5 * 1000, /* until the first try after that */
    PAUSE_MAX_MS = 15 * 60 * 1000
};

/* Returns the socket that has been worn for longest and was not knocked at, or NULL. */
static struct raw_socket *next_worn(const struct raw *r)
{
    LIST_FOREACH (node, &r->worn) {
        struct raw_socket *s = CONTAINER_OF(node, struct raw_socket, node);
        if (!s->bare)
            return s;
    }
    return NULL;
}

static void look(struct raw *r)
{
    if (r->heal.health == RAW_WELL && !r->draining && !timer_armed(&r->heal.timer) && next_worn(r))
        timer_arm(&r->heal.timer, SOON_MS);
}

/* Ends one socket, and waits for it. */
static void end_one(struct raw *r)
{
    struct raw_socket *s = next_worn(r);
    if (!s) {
        raw_check_over(r);
        return;
    }
    r->heal.health = RAW_AWAITED;
    timer_arm(&r->heal.timer, RETURN_MS);
    if (s->relayed)
        raw_knock_begin(s);
    else
        raw_socket_close(s, true);
}

/* Notes that the service is down: every idle socket has lost its connection to it. */
static void enter_down(struct raw *r)
{
    uint64_t suppressed;
    if (worker_may_log(r->worker, WORKER_LINK_LOST, &suppressed))
        LOG(INFO, "old_client_without_service", LOG_STR("name", r->name),
            LOG_U("sockets", r->count), LOG_U("suppressed", suppressed));
    r->heal.health = RAW_DOWN;
    timer_arm(&r->heal.timer, r->heal.pause_ms);
    r->heal.pause_ms *= 2;
    if (r->heal.pause_ms > PAUSE_MAX_MS)
        r->heal.pause_ms = PAUSE_MAX_MS;
    raw_heal_doubt(r, 0);
    raw_wake(r);
    raw_check_over(r);
}

static void on_timer(void *user)
{
    struct raw *r = user;
    if (r->heal.health == RAW_AWAITED)
        enter_down(r);
    else
        end_one(r);
}

void raw_heal_init(struct raw *r)
{
    r->heal.health = RAW_WELL;
    r->heal.pause_ms = PAUSE_MS;
    timer_init(&r->heal.timer, r->worker->loop, on_timer, r);
}

void raw_heal_retire(struct raw_socket *s)
{
    struct raw *r = s->raw;
    if (s->gone) {
        raw_socket_close(s, true);
        return;
    }
    s->state = RAW_WORN;
    timer_stop(&s->timer);
    list_remove(&s->node);
    list_push(&r->worn, &s->node);
    look(r);
}

void raw_heal_doubt(struct raw *r, uint64_t us)
{
    uint64_t now_us = loop_now_us(r->worker->loop);
    LIST_FOREACH (node, &r->idle) {
        struct raw_socket *s = CONTAINER_OF(node, struct raw_socket, node);
        if (s->used || now_us - s->since_us >= us)
            raw_heal_retire(s);
    }
}

void raw_heal_joined(struct raw *r)
{
    if (r->heal.health != RAW_WELL)
        timer_stop(&r->heal.timer);
    r->heal.health = RAW_WELL;
    r->heal.pause_ms = PAUSE_MS;
    look(r);
}

void raw_heal_ended(struct raw *r)
{
    if (r->heal.health != RAW_WELL || r->draining)
        return;
    r->heal.health = RAW_AWAITED;
    timer_arm(&r->heal.timer, RETURN_MS);
}

void raw_heal_spared(struct raw *r)
{
    if (r->heal.health == RAW_AWAITED) {
        timer_stop(&r->heal.timer);
        r->heal.health = RAW_WELL;
    }
    raw_wake(r);
    look(r);
}
