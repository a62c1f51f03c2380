/* SPDX-License-Identifier: MIT */
/* loop.h - runs one event loop over libevent and orders what a turn runs.
 *
 * Callbacks feed, mark and close. What must not run on top of them (or of nghttp2) is a task that
 * they queue. A loop knows neither socks nor sessions.
 *
 * Invariants: while a loop runs, only its thread touches the loop and what lives on it. At the end
 * of a turn no flush, no frame task and no condemned object is left, and nothing waits in the
 * scratch or in `out`. */

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

/* A call that a loop makes later. Embedded in the object that it serves; must be cancelled before
 * that is freed. */
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

/* Embedded in an object that nobody owns any more but the loop. loop_free closes the orphans that
 * are left. */
struct orphan {
    struct list_node node; /* linked iff adopted */
    void (*close)(void *object);
    void *object;
    bool listening; /* it has said all and waits for its peer to have heard */
};

/* A one-shot timer, embedded in the object that it serves. Moving a timer to a later time and
 * putting it to rest are nearly free: its event stays where it is in libevent's queue, and the
 * timer is looked at when the event comes.
 *
 * Invariant: an armed timer has an event, which comes at due_us or before. */
struct timer {
    struct event event;
    struct loop *loop;   /* borrowed: outlives every timer */
    uint64_t due_us;     /* 0: not armed */
    uint64_t pending_us; /* when the event comes; 0: it is not added */
    void (*run)(void *user);
    void *user; /* borrowed */
};

enum { LOOP_SCRATCH = 68 * 1024, LOOP_OUT = 256 * 1024 };

/* Makes a loop. Returns NULL if libevent gives no event base. */
struct loop *loop_new(void) MUSTCHECK;

/* Closes the adopted objects, frees what is condemned, and frees @l. NULL is fine. */
void loop_free(struct loop *l);

/* Runs turns until loop_stop, which lets the current turn finish. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Returns how many turns have begun so far, which tells whether sockets were asked since. */
uint64_t loop_turns(const struct loop *l);

struct event_base *loop_base(const struct loop *l);

/* Returns the monotonic time. Inside a turn the clock is read once for each part (callbacks,
 * deferred tasks, each round of flushes), so the result may be late by as long as that part has
 * run. */
uint64_t loop_now_us(struct loop *l);

/* Returns LOOP_SCRATCH bytes for one read, borrowed until the next call. Sends or copies first what
 * still waits to be sent from there. No other reader may run meanwhile. */
char *loop_scratch(struct loop *l);
bool loop_scratch_holds(const struct loop *l, struct slice data);

/* Returns the list of what waits to be sent from the scratch. */
struct gather *loop_gather(struct loop *l);

/* Returns an empty buf of up to LOOP_OUT bytes for what is composed and written within one call. It
 * is borrowed; whoever fills it empties it. Its memory stays, so that nothing is allocated for a
 * message. */
struct buf *loop_out(struct loop *l);

static inline void task_init(struct task *t, void (*run)(void *user), void *user)
{
    *t = (struct task){.run = run, .user = user};
}

/* Queue @t for one of the times of a turn (drawn above). They do nothing if @t is queued already.
 */
void loop_defer(struct loop *l, struct task *t);
void loop_flush(struct loop *l, struct task *t);
void loop_frame(struct loop *l, struct task *t);

/* Defers @t, which takes as long as many requests do (a handshake). A turn runs as many of these as
 * fit in a millisecond, so that a crowd of them keeps nobody else waiting. */
void loop_defer_dear(struct loop *l, struct task *t);

/* Runs @t a quarter to half a second from now: for checks that most often turn out not to be
 * needed. Does nothing if @t is queued already. */
void loop_later(struct loop *l, struct task *t);

/* Takes @t out of its queue; fine on a task that is in none. */
void task_cancel(struct task *t);

/* Condemns @object: calls @free_object(@object) at the end of the turn. Once for each object. */
void loop_reap(struct loop *l, struct reap *r, void (*free_object)(void *object), void *object);

/* Makes the loop the owner of @object until orphan_leave, which is fine on an orphan that was never
 * adopted. */
void loop_adopt(struct loop *l, struct orphan *o, void (*close_object)(void *object), void *object);
void orphan_leave(struct orphan *o);

/* Return whether the loop owns any object; whether one of those still has something to say. */
bool loop_has_adopted(const struct loop *l);
bool loop_is_speaking(const struct loop *l);

/* Notes that a connection gave its memory back. Some seconds behind many of these the loop calls
 * alloc_settle. */
void loop_note_release(struct loop *l);

void timer_init(struct timer *t, struct loop *l, void (*run)(void *user), void *user);

/* Arms @t to run @after_ms from now; replaces what was armed. */
void timer_arm(struct timer *t, uint64_t after_ms);

/* Disarms @t, cheaply: its event may stay. For a timer that is soon armed again. */
void timer_rest(struct timer *t);

/* Disarms @t and removes its event. Needed before @t is freed; fine on a zeroed timer. */
void timer_stop(struct timer *t);

bool timer_armed(const struct timer *t);

/* Arms @t on the loop's timing wheel (wheel.h): it runs @after_ms from now, never earlier and up to
 * a tick later. For timers by the thousand. */
void loop_arm_on_wheel(struct loop *l, struct wheel_timer *t, uint64_t after_ms);

/* Check the invariants of a loop between two turns, and those of a timer: check.h. */
void loop_check(const struct loop *l);
void timer_check(const struct timer *t);

/* Checks that the caller may touch what lives on @l: while the loop runs, only its thread may. */
void loop_check_thread(const struct loop *l);

#endif
