/* SPDX-License-Identifier: MIT */
/* loop.h - one event loop and the order of a turn: callbacks, deferred tasks, flushes, reaping.
 *
 * Callbacks feed, mark and close. What must not run on top of them (or of nghttp2) is a task.
 *
 * A loop belongs to one thread. */

/* draw: the order of a turn
 *
 *   loop_defer   once after the callbacks of this turn; what a task defers runs in the next
 *   loop_flush   once after all deferred tasks: socks write what was queued
 *   loop_frame   once after those: sessions frame, for what has left gives credit to be sent;
 *                what they queue is flushed behind them
 *   loop_reap    last: frees what was closed, when nothing of this turn can hold it any more */
#ifndef H2MUX_IO_LOOP_H
#define H2MUX_IO_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdlib.h>

#include "h2mux/base/buf.h"
#include "h2mux/base/list.h"
#include "h2mux/base/slice.h"
#include "h2mux/io/gather.h"

struct loop;
struct wheel_timer;

/* Embedded in the object it serves; must be cancelled before that is freed. */
struct task {
    struct list_node node;   /* linked iff queued */
    void (*run)(void *user); /* set once at init */
    void *user;              /* borrowed: the object the task is embedded in */
};

/* Embedded in an object that dies: `free` gets the object. */
struct reap {
    struct list_node node; /* linked iff condemned */
    void (*free)(void *object);
    void *object;
};

/* Embedded in an object that nobody owns any more but the loop: loop_free closes what is left of
 * them. */
struct orphan {
    struct list_node node;
    void (*close)(void *object);
    void *object;
    bool listening; /* it has said all, and only waits for its peer to have heard */
};

/* One-shot timer, embedded. Moving it later, and putting it to rest, is nearly free: its event
 * stays where it is in the kernel's queue and is looked at when it comes. */
struct timer {
    struct event event;
    struct loop *loop; /* borrowed: outlives every timer */
    uint64_t due_us;   /* 0: not armed */
    uint64_t
        pending_us; /* when the event comes, at or before due_us if armed; 0: it is not added */
    void (*run)(void *user);
    void *user;
};

enum { LOOP_SCRATCH = 68 * 1024, LOOP_OUT = 256 * 1024 };

struct loop *loop_new(void) MUSTCHECK; /* NULL: no event base could be made */
void loop_free(struct loop *l);        /* closes the adopted, runs what is queued to be reaped */
uint64_t
loop_turns(const struct loop *l); /* begun so far: tells whether sockets were asked since */
void loop_run(struct loop *l);    /* turns until loop_stop */
void loop_stop(struct loop *l);   /* the current turn is finished first */
struct event_base *loop_base(const struct loop *l);
/* Monotonic. Inside a turn it is read once for each of its parts (callbacks, deferred tasks, each
 * round of flushes), so it may be late by as long as that part has run. */
uint64_t loop_now_us(struct loop *l);

/* LOOP_SCRATCH bytes for one read, borrowed until the next call: what still waits to be sent from
 * it is sent or copied then. No other reader may run meanwhile. */
char *loop_scratch(struct loop *l);
bool loop_scratch_holds(const struct loop *l, struct slice data);
struct gather *loop_gather(struct loop *l); /* what waits to be sent from the scratch */
/* An empty buf of up to LOOP_OUT bytes for what is composed and written within one call; borrowed
 * and emptied by whoever fills it. Its memory stays, so that nothing is allocated for a message.
 */
struct buf *loop_out(struct loop *l);

static inline void task_init(struct task *t, void (*run)(void *user), void *user)
{
    *t = (struct task){.run = run, .user = user};
}
void loop_defer(struct loop *l, struct task *t); /* nothing when it is queued already */
/* Likewise, for what takes as long as many requests do (a handshake): a turn runs as many as fit in
 * a millisecond, so that a crowd of them keeps nobody else waiting. */
void loop_defer_dear(struct loop *l, struct task *t);
void loop_flush(struct loop *l, struct task *t); /* likewise */
void loop_frame(struct loop *l, struct task *t); /* likewise */
/* Runs once, a quarter to half a second from now: for checks that most often turn out not to be
 * needed. Nothing when it is queued. */
void loop_later(struct loop *l, struct task *t);
void task_cancel(struct task *t);

/* Condemns @object: @free_object(@object) runs at turn's end. Once per object. */
void loop_reap(struct loop *l, struct reap *r, void (*free_object)(void *object), void *object);

void loop_adopt(struct loop *l, struct orphan *o, void (*close_object)(void *object), void *object);
bool loop_has_adopted(const struct loop *l);
bool loop_is_speaking(const struct loop *l); /* last words are still being said */
void orphan_leave(struct orphan *o); /* it closed by itself; fine on one that was never adopted */

/* A connection's memory was given back: some seconds behind many of them, alloc_settle. */
void loop_note_release(struct loop *l);

/* Checks the invariants of a loop between two turns, and those of a timer: check.h. */
void loop_check(const struct loop *l);
void timer_check(const struct timer *t);
/* Checks that the caller may touch what is on @l: while the loop runs, the thread that runs it
 * alone. */
void loop_check_thread(const struct loop *l);

void timer_init(struct timer *t, struct loop *l, void (*run)(void *user), void *user);
void timer_arm(struct timer *t, uint64_t after_ms); /* replaces what was armed */
void timer_rest(struct timer *t);                   /* not armed any more, but maybe soon again */
void timer_stop(struct timer *t); /* likewise, and nothing of it is left: before it is freed */
bool timer_armed(const struct timer *t);

/* Arms @t on the loop's timing wheel (wheel.h): it comes @after_ms from now, never earlier and up
 * to a tick later. For timers by the thousand. */
void loop_arm_on_wheel(struct loop *l, struct wheel_timer *t, uint64_t after_ms);

#endif
