/* SPDX-License-Identifier: MIT */
/* loop.c - queues tasks, runs turns and keeps timers over libevent. See loop.h. */
#include "h2mux/io/loop.h"

#include <pthread.h>

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/pool.h"
#include "h2mux/io/wheel.h"

struct loop {
    struct event_base *base; /* owned */
    struct list_node deferred, dear, flushes, frames, reaped, adopted;
    /* Tasks of loop_later: `soon` has the tasks queued since the last tick, `later` the older
     * tasks. */
    struct list_node soon, later;
    struct timer tick;   /* armed while `soon` or `later` holds a task */
    unsigned releases;   /* calls of loop_note_release since the last alloc_settle */
    struct timer settle; /* armed once `releases` has reached RELEASES_MANY */
    bool stopping, turning;
    bool running;     /* loop_run is on the stack */
    pthread_t runner; /* the thread of loop_run */
    uint64_t turns;
    uint64_t now_us; /* 0: the clock is to be read; kept only while turning */
    struct wheel wheel;
    struct timer wake; /* armed while the wheel holds any timer */
    struct buf out;
    struct gather gather;
    char scratch[LOOP_SCRATCH];
};

enum {
    TICK_MS = 250,
    RELEASES_MANY = 256,
    SETTLE_MS = 5000,
    DEAR_US = 1000,      /* for expensive tasks in a turn */
    TIMER_SLACK_US = 500 /* an event that comes early by at most this counts as due */
};

static void run_tick(void *user);
static void run_settle(void *user);
static void run_wheel(void *user);

struct loop *loop_new(void)
{
    struct event_config *config = event_config_new();
    if (!config)
        return NULL;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    if (!base)
        return NULL;
    struct loop *l = xcalloc(1, sizeof *l);
    l->base = base;
    list_init(&l->deferred);
    list_init(&l->dear);
    list_init(&l->flushes);
    list_init(&l->frames);
    buf_init(&l->out, LOOP_OUT);
    list_init(&l->reaped);
    list_init(&l->adopted);
    list_init(&l->soon);
    list_init(&l->later);
    timer_init(&l->tick, l, run_tick, l);
    timer_init(&l->settle, l, run_settle, l);
    timer_init(&l->wake, l, run_wheel, l);
    wheel_init(&l->wheel);
    return l;
}

static void run_tasks(struct list_node *queue)
{
    for (struct list_node *n; (n = list_pop(queue));) {
        struct task *t = CONTAINER_OF(n, struct task, node);
        t->run(t->user);
    }
}

/* Runs the tasks that are deferred so far. Tasks that are deferred meanwhile wait for the next
 * turn, so that socket events are handled in between. */
static void run_deferred(struct loop *l)
{
    struct list_node round;
    list_init(&round);
    for (struct list_node *n; (n = list_pop(&l->deferred));)
        list_push(&round, n);
    run_tasks(&round);
}

/* Runs expensive tasks (loop_defer_dear) for a millisecond. Runs at least one in a turn, or the
 * tasks could wait for ever. */
static void run_dear(struct loop *l)
{
    struct list_node *n = list_pop(&l->dear);
    uint64_t until = n ? clock_now_us() + DEAR_US : 0;
    while (n) {
        struct task *t = CONTAINER_OF(n, struct task, node);
        l->now_us = 0;
        t->run(t->user);
        n = clock_now_us() < until ? list_pop(&l->dear) : NULL;
    }
}

/* Runs flush tasks, then frame tasks, until none is left. Socks flush first, because bytes that
 * have left give credit back, and the credit leaves with the frames. */
static void run_flushes(struct loop *l)
{
    while (!list_empty(&l->flushes) || !list_empty(&l->frames)) {
        l->now_us = 0;
        run_tasks(&l->flushes);
        run_tasks(&l->frames);
    }
}

static void run_reaped(struct loop *l)
{
    for (struct list_node *n; (n = list_pop(&l->reaped));) {
        struct reap *r = CONTAINER_OF(n, struct reap, node);
        r->free(r->object);
    }
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    if (CHECKING)
        loop_check_thread(l);
    while (!list_empty(&l->adopted)) {
        struct orphan *o = CONTAINER_OF(list_pop(&l->adopted), struct orphan, node);
        o->close(o->object);
    }
    run_reaped(l);
    timer_stop(&l->tick);
    timer_stop(&l->settle);
    timer_stop(&l->wake);
    event_base_free(l->base);
    buf_release(&l->out);
    free(l);
}

static void loop_turn(struct loop *l)
{
    int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
    if (!list_empty(&l->deferred) || !list_empty(&l->dear) || !list_empty(&l->flushes) ||
        !list_empty(&l->frames))
        flags = EVLOOP_NONBLOCK;
    l->turning = true;
    l->turns++;
    l->now_us = 0; /* stale after libevent has waited for events */
    event_base_loop(l->base, flags);
    l->now_us = 0;
    run_deferred(l);
    run_dear(l);
    run_flushes(l);
    run_reaped(l);
    l->turning = false;
    if (CHECKING)
        loop_check(l);
}

uint64_t loop_turns(const struct loop *l)
{
    return l->turns;
}

void loop_run(struct loop *l)
{
    bool nested = l->running;
    if (CHECKING)
        loop_check_thread(l);
    l->stopping = false;
    l->running = true;
    l->runner = pthread_self();
    while (!l->stopping)
        loop_turn(l);
    l->running = nested;
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
}

struct event_base *loop_base(const struct loop *l)
{
    return l->base;
}

/* Returns the time. Reads the clock once for each part of a turn: ten reads for each request took 3
 * % of the CPU. */
uint64_t loop_now_us(struct loop *l)
{
    if (!l->turning)
        return clock_now_us();
    if (l->now_us == 0)
        l->now_us = clock_now_us();
    return l->now_us;
}

char *loop_scratch(struct loop *l)
{
    gather_settle(&l->gather);
    return l->scratch;
}

struct gather *loop_gather(struct loop *l)
{
    return &l->gather;
}

bool loop_scratch_holds(const struct loop *l, struct slice data)
{
    return data.ptr >= l->scratch && data.ptr + data.len <= l->scratch + LOOP_SCRATCH;
}

struct buf *loop_out(struct loop *l)
{
    return &l->out;
}

void loop_defer(struct loop *l, struct task *t)
{
    if (CHECKING)
        loop_check_thread(l);
    if (!list_linked(&t->node))
        list_push(&l->deferred, &t->node);
}

void loop_defer_dear(struct loop *l, struct task *t)
{
    if (CHECKING)
        loop_check_thread(l);
    if (!list_linked(&t->node))
        list_push(&l->dear, &t->node);
}

void loop_flush(struct loop *l, struct task *t)
{
    if (CHECKING)
        loop_check_thread(l);
    if (!list_linked(&t->node))
        list_push(&l->flushes, &t->node);
}

void loop_frame(struct loop *l, struct task *t)
{
    if (CHECKING)
        loop_check_thread(l);
    if (!list_linked(&t->node))
        list_push(&l->frames, &t->node);
}

static void run_tick(void *user)
{
    struct loop *l = user;
    run_tasks(&l->later);
    for (struct list_node *n; (n = list_pop(&l->soon));)
        list_push(&l->later, n);
    if (!list_empty(&l->later))
        timer_arm(&l->tick, TICK_MS);
}

void loop_later(struct loop *l, struct task *t)
{
    if (CHECKING)
        loop_check_thread(l);
    if (list_linked(&t->node))
        return;
    list_push(&l->soon, &t->node);
    if (!timer_armed(&l->tick))
        timer_arm(&l->tick, TICK_MS);
}

void task_cancel(struct task *t)
{
    list_remove(&t->node);
}

void loop_reap(struct loop *l, struct reap *r, void (*free_object)(void *object), void *object)
{
    if (CHECKING)
        loop_check_thread(l);
    *r = (struct reap){.free = free_object, .object = object};
    list_push(&l->reaped, &r->node);
}

void loop_adopt(struct loop *l, struct orphan *o, void (*close_object)(void *object), void *object)
{
    if (CHECKING)
        loop_check_thread(l);
    *o = (struct orphan){.close = close_object, .object = object};
    list_push(&l->adopted, &o->node);
}

bool loop_has_adopted(const struct loop *l)
{
    return !list_empty(&l->adopted);
}

bool loop_is_speaking(const struct loop *l)
{
    LIST_FOREACH (it, &l->adopted)
        if (!CONTAINER_OF(it, struct orphan, node)->listening)
            return true;
    return false;
}

void orphan_leave(struct orphan *o)
{
    list_remove(&o->node);
}

static void run_settle(void *user)
{
    struct loop *l = user;
    l->releases = 0;
    alloc_settle();
}

void loop_note_release(struct loop *l)
{
    if (++l->releases >= RELEASES_MANY && !timer_armed(&l->settle))
        timer_arm(&l->settle, SETTLE_MS);
}

static void on_timer(evutil_socket_t fd, short what, void *arg);

static void timer_add(struct timer *t, uint64_t now_us)
{
    uint64_t us = t->due_us > now_us ? t->due_us - now_us : 0;
    struct timeval tv = {.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
    if (!t->event) {
        t->event = pool_take(sizeof *t->event);
        evtimer_assign(t->event, t->loop->base, on_timer, t);
    }
    t->pending_us = t->due_us;
    evtimer_add(t->event, &tv);
}

static void timer_drop_event(struct timer *t)
{
    if (!t->event)
        return;
    evtimer_del(t->event);
    pool_give(t->event, sizeof *t->event);
    t->event = NULL;
    t->pending_us = 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct timer *t = arg;
    uint64_t now = loop_now_us(t->loop);
    if (t->due_us > now + TIMER_SLACK_US) {
        timer_add(t, now);
        return;
    }
    bool armed = t->due_us != 0;
    t->due_us = 0;
    timer_drop_event(t);
    if (armed)
        t->run(t->user);
}

void timer_init(struct timer *t, struct loop *l, void (*run)(void *user), void *user)
{
    *t = (struct timer){.loop = l, .run = run, .user = user};
}

void timer_arm(struct timer *t, uint64_t after_ms)
{
    if (CHECKING)
        loop_check_thread(t->loop);
    uint64_t now = loop_now_us(t->loop);
    t->due_us = now + after_ms * 1000;
    if (t->pending_us == 0 || t->pending_us > t->due_us)
        timer_add(t, now);
    if (CHECKING)
        timer_check(t);
}

void timer_rest(struct timer *t)
{
    t->due_us = 0;
    if (CHECKING && t->loop)
        timer_check(t);
}

void timer_stop(struct timer *t)
{
    t->due_us = 0;
    timer_drop_event(t);
}

bool timer_armed(const struct timer *t)
{
    return t->due_us != 0;
}

uint64_t timer_left_ms(const struct timer *t)
{
    uint64_t now_us = timer_armed(t) ? loop_now_us(t->loop) : 0;
    return t->due_us > now_us ? (t->due_us - now_us + 999) / 1000 : 0;
}

/* ---- the wheel */

static void wake_for_wheel(struct loop *l)
{
    uint64_t now = loop_now_us(l), at = wheel_wake_us(&l->wheel);
    if (at != 0)
        timer_arm(&l->wake, at > now ? (at - now + 999) / 1000 : 0);
}

static void run_wheel(void *user)
{
    struct loop *l = user;
    wheel_run(&l->wheel, loop_now_us(l));
    wake_for_wheel(l);
}

void loop_arm_on_wheel(struct loop *l, struct wheel_timer *t, uint64_t after_ms)
{
    if (CHECKING)
        loop_check_thread(l);
    if (wheel_timer_arm(&l->wheel, t, after_ms, loop_now_us(l)))
        wake_for_wheel(l);
}

/* ---- invariants */

/* The consistency check (CHECK=1) of the wheel walks all slots, so it runs in one of 64 turns. */
enum { WHEEL_CHECK_TURNS = 64 };

void loop_bare_check(const struct loop *l)
{
    int own = !!l->tick.event + !!l->settle.event + !!l->wake.event;
    CHECK_THAT(loop_has_adopted(l) ||
               event_base_get_num_events(l->base, EVENT_BASE_COUNT_ADDED) == own);
}

void loop_check_thread(const struct loop *l)
{
    CHECK_THAT(!l->running || pthread_equal(l->runner, pthread_self()));
}

/* Checks that the work of a turn is done (CHECK=1): no flush task, frame task or closed object is
 * left, and no bytes are gathered or in `out`. A deferred task may wait for the next turn, a task
 * of loop_later for its timer. */
void loop_check(const struct loop *l)
{
    loop_check_thread(l);
    CHECK_THAT(list_empty(&l->flushes));
    CHECK_THAT(list_empty(&l->frames));
    CHECK_THAT(list_empty(&l->reaped));
    CHECK_THAT(!l->gather.owner);
    CHECK_THAT(buf_len(&l->out) == 0);
    CHECK_THAT(timer_armed(&l->tick) || (list_empty(&l->soon) && list_empty(&l->later)));
    CHECK_THAT(timer_armed(&l->wake) || wheel_wake_us(&l->wheel) == 0);
    if (l->turns % WHEEL_CHECK_TURNS == 0)
        wheel_check(&l->wheel);
}

void timer_check(const struct timer *t)
{
    loop_check_thread(t->loop);
    CHECK_THAT(t->run);
    CHECK_THAT(t->due_us == 0 || (t->pending_us != 0 && t->pending_us <= t->due_us));
    CHECK_THAT((t->pending_us != 0) == (t->event && evtimer_pending(t->event, NULL) != 0));
}
