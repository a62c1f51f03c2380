/* SPDX-License-Identifier: MIT */
/* wheel.c - keeps the timers of a wheel in slots, with a bit for each slot that may hold a timer,
 * and the tick of the next wake-up. See wheel.h. */
#include "h2mux/io/wheel.h"

#include "h2mux/base/check.h"

enum { TICK_US = WHEEL_TICK_MS * 1000 };

static unsigned slot_of(uint64_t tick)
{
    return (unsigned)(tick % WHEEL_SLOTS);
}

static void mark(struct wheel *w, unsigned slot)
{
    w->filled[slot / 64] |= UINT64_C(1) << slot % 64;
}

/* Returns the first slot whose bit is set, from @slot on in the wheel's order, or WHEEL_SLOTS if no
 * bit is set. */
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

/* Returns the first slot that holds a timer, from @slot on in the wheel's order, or WHEEL_SLOTS. A
 * timer that was stopped leaves the bit of its slot set; this function clears the bits of the empty
 * slots that it passes. */
static unsigned first_filled(struct wheel *w, unsigned slot)
{
    for (;;) {
        unsigned first = first_marked(w, slot);
        if (first == WHEEL_SLOTS || !list_empty(&w->slots[first]))
            return first;
        w->filled[first / 64] &= ~(UINT64_C(1) << first % 64);
    }
}

static void wait_for_first(struct wheel *w)
{
    unsigned from = slot_of(w->ran + 1), slot = first_filled(w, from);
    bool any = slot < WHEEL_SLOTS;
    w->next = any ? w->ran + 1 + (slot + WHEEL_SLOTS - from) % WHEEL_SLOTS : 0;
}

static void take_slot(struct wheel *w, unsigned slot, struct list_node *taken)
{
    for (struct list_node *n; (n = list_pop(&w->slots[slot]));)
        list_push(taken, n);
}

/* Runs the timers in @taken that are due, and puts the timers of a later round back into their
 * slots. A timer that runs may arm and stop any timer, also one in @taken. */
static void run_taken(struct wheel *w, struct list_node *taken)
{
    for (struct list_node *n; (n = list_pop(taken));) {
        struct wheel_timer *t = CONTAINER_OF(n, struct wheel_timer, node);
        if (t->due <= w->ran) {
            t->run(t->user);
        } else {
            list_push(&w->slots[slot_of(t->due)], n);
            mark(w, slot_of(t->due));
        }
    }
}

void wheel_run(struct wheel *w, uint64_t now_us)
{
    uint64_t tick = now_us / TICK_US, first = w->ran + 1;
    struct list_node taken;
    list_init(&taken);
    if (tick >= first + WHEEL_SLOTS) /* over a round late: each slot is visited once */
        first = tick - WHEEL_SLOTS + 1;
    for (; first <= tick; first++)
        take_slot(w, slot_of(first), &taken);
    if (tick > w->ran)
        w->ran = tick;
    w->running = true;
    run_taken(w, &taken);
    w->running = false;
    wait_for_first(w);
}

uint64_t wheel_wake_us(const struct wheel *w)
{
    return w->next * TICK_US;
}

void wheel_init(struct wheel *w)
{
    *w = (struct wheel){0};
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        list_init(&w->slots[i]);
}

static void check_timer(const struct wheel *w, const struct wheel_timer *t, unsigned slot)
{
    CHECK_THAT(slot_of(t->due) == slot);
    CHECK_THAT(w->filled[slot / 64] >> slot % 64 & 1);
    CHECK_THAT(t->due > w->ran);
    CHECK_THAT(w->next != 0 && w->next <= t->due);
    CHECK_THAT(t->run);
}

void wheel_check(const struct wheel *w)
{
    CHECK_THAT(!w->running);
    CHECK_THAT(w->next == 0 || w->next > w->ran);
    for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
        LIST_FOREACH (it, &w->slots[slot])
            check_timer(w, CONTAINER_OF(it, struct wheel_timer, node), slot);
}

void wheel_timer_init(struct wheel_timer *t, void (*run)(void *user), void *user)
{
    *t = (struct wheel_timer){.run = run, .user = user};
}

/* Arms @t. A wheel that rests (`next` is 0) holds no timer, so the ticks up to now count as run. */
bool wheel_timer_arm(struct wheel *w, struct wheel_timer *t, uint64_t after_ms, uint64_t now_us)
{
    uint64_t tick = (now_us + after_ms * 1000 + TICK_US - 1) / TICK_US;
    bool rests = !w->running && w->next == 0;
    list_remove(&t->node);
    if (rests && w->ran < now_us / TICK_US)
        w->ran = now_us / TICK_US;
    t->due = tick > w->ran ? tick : w->ran + 1;
    list_push(&w->slots[slot_of(t->due)], &t->node);
    mark(w, slot_of(t->due));
    if (w->running || (!rests && t->due >= w->next))
        return false;
    w->next = t->due;
    return true;
}

void wheel_timer_stop(struct wheel_timer *t)
{
    list_remove(&t->node);
}

bool wheel_timer_armed(const struct wheel_timer *t)
{
    return list_linked(&t->node);
}
