/* SPDX-License-Identifier: MIT */
/* wheel.c - slots of timers, a bit for each that may hold any, and one event for the first of them.
 */
#include "h2mux/io/wheel.h"

enum { TICK_US = WHEEL_TICK_MS * 1000 };

static unsigned slot_of(uint64_t tick)
{
    return (unsigned)(tick % WHEEL_SLOTS);
}

static void mark(struct wheel *w, unsigned slot)
{
    w->filled[slot / 64] |= UINT64_C(1) << slot % 64;
}

/* The first slot from @slot on, in the wheel's order, whose bit is set; WHEEL_SLOTS: none. */
static unsigned first_marked(const struct wheel *w, unsigned slot)
{
    uint64_t here = w->filled[slot / 64] & ~UINT64_C(0) << slot % 64;
    for (unsigned i = slot / 64, words = 0; words <= WHEEL_SLOTS / 64; words++) {
        if (here != 0)
            return i * 64 + (unsigned)__builtin_ctzll(here);
        i = (i + 1) % (WHEEL_SLOTS / 64);
        here = w->filled[i];
    }
    return WHEEL_SLOTS;
}

/* A timer that was stopped leaves its slot's bit behind: it goes when it is come upon. */
static unsigned first_filled(struct wheel *w, unsigned slot)
{
    for (;;) {
        unsigned first = first_marked(w, slot);
        if (first == WHEEL_SLOTS || !list_empty(&w->slots[first]))
            return first;
        w->filled[first / 64] &= ~(UINT64_C(1) << first % 64);
    }
}

static void wait_for(struct wheel *w, uint64_t tick)
{
    uint64_t now = loop_now_us(w->timer.loop), at = tick * TICK_US;
    w->next = tick;
    timer_arm(&w->timer, at > now ? (at - now + 999) / 1000 : 0);
}

static void wait_for_next(struct wheel *w)
{
    unsigned from = slot_of(w->ran + 1), slot = first_filled(w, from);
    if (slot < WHEEL_SLOTS)
        wait_for(w, w->ran + 1 + (slot + WHEEL_SLOTS - from) % WHEEL_SLOTS);
}

static void take_slot(struct wheel *w, unsigned slot, struct list_node *taken)
{
    for (struct list_node *n; (n = list_pop(&w->slots[slot]));)
        list_push(taken, n);
}

/* What runs may arm and stop others, those that were taken with it too. */
static void run_taken(struct wheel *w, struct list_node *taken)
{
    for (struct list_node *n; (n = list_pop(taken));) {
        struct wheel_timer *t = CONTAINER_OF(n, struct wheel_timer, node);
        if (t->due <= w->ran) {
            t->run(t->user);
        } else { /* of a later round */
            list_push(&w->slots[slot_of(t->due)], n);
            mark(w, slot_of(t->due));
        }
    }
}

static void run_due(void *user)
{
    struct wheel *w = user;
    uint64_t tick = loop_now_us(w->timer.loop) / TICK_US, first = w->ran + 1;
    struct list_node taken;
    list_init(&taken);
    if (tick >= first + WHEEL_SLOTS) /* a loop that stood still: each slot once */
        first = tick - WHEEL_SLOTS + 1;
    for (; first <= tick; first++)
        take_slot(w, slot_of(first), &taken);
    if (tick > w->ran)
        w->ran = tick;
    w->running = true;
    run_taken(w, &taken);
    w->running = false;
    wait_for_next(w);
}

void wheel_init(struct wheel *w, struct loop *l)
{
    *w = (struct wheel){0};
    timer_init(&w->timer, l, run_due, w);
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        list_init(&w->slots[i]);
}

void wheel_release(struct wheel *w)
{
    timer_stop(&w->timer);
}

void wheel_timer_init(struct wheel_timer *t, struct loop *l, void (*run)(void *user), void *user)
{
    *t = (struct wheel_timer){.loop = l, .run = run, .user = user};
}

/* While the wheel stands still nothing is on it, so it may be taken to have run up to now. */
void wheel_timer_arm(struct wheel_timer *t, uint64_t after_ms)
{
    struct wheel *w = loop_wheel(t->loop);
    uint64_t now = loop_now_us(t->loop), tick = (now + after_ms * 1000 + TICK_US - 1) / TICK_US;
    bool still = !w->running && !timer_armed(&w->timer);
    list_remove(&t->node);
    if (still && w->ran < now / TICK_US)
        w->ran = now / TICK_US;
    t->due = tick > w->ran ? tick : w->ran + 1;
    list_push(&w->slots[slot_of(t->due)], &t->node);
    mark(w, slot_of(t->due));
    if (still || (!w->running && t->due < w->next))
        wait_for(w, t->due);
}

void wheel_timer_stop(struct wheel_timer *t)
{
    list_remove(&t->node);
}

bool wheel_timer_armed(const struct wheel_timer *t)
{
    return list_linked(&t->node);
}
