/* SPDX-License-Identifier: MIT */
/* loop.h - runs one event loop over libevent in turns, and orders the work of a turn.
 *
 * A turn begins with libevent's callbacks. Work that must not run while a callback (or nghttp2) is
 * on the stack is queued as a task. A loop knows neither socks nor sessions.
 *
 * Invariants: while a loop runs, only its thread touches the loop and the objects that use the
 * loop. At the end of a turn no flush task, no frame task and no closed object is left, and no
 * bytes wait in the scratch or in `out`. */

/* draw: the order of a turn
 *
 *   loop_defer   first, after the callbacks of this turn; tasks that are deferred meanwhile run
 *                in the next turn
 *   loop_flush   second, after all deferred tasks: socks write their queues
 *   loop_frame   third, after the flushes: sessions make frames, among them the credit for
 *                bytes that were flushed; then the socks of the sessions flush
 *   loop_reap    last: closed objects are freed, which nothing in this turn uses any more */
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

/* A task is a call that a loop makes later. The task is embedded in an object, and is cancelled
 * before the object is freed. */
struct task {
    struct list_node node;   /* linked iff queued */
    void (*run)(void *user); /* set once at init */
    void *user;              /* borrowed; the object around the task */
};

/* A reap is embedded in an object that was closed. The loop calls `free` with the object. */
struct reap {
    struct list_node node; /* linked iff the object waits to be freed */
    void (*free)(void *object);
    void *object;
};

/* An orphan is embedded in an object that only the loop owns, for instance a sock that sends its
 * last bytes. loop_free closes the orphans that are left. */
struct orphan {
    struct list_node node; /* linked iff adopted */
    void (*close)(void *object);
    void *object;
    bool listening; /* all was sent; waits until the peer has read it */
};

/* A one-shot timer, embedded in an object. Arming a timer for a later time and resting a timer cost
 * almost nothing: the event stays where it is in libevent's queue, and when the event comes, the
 * timer looks at due_us. A timer without an event is small: an idle link has several.
 *
 * Invariant: an armed timer has an event, which comes at due_us or before. */
struct timer {
    struct event *event; /* owned: in libevent's queue; NULL: none */
    struct loop *loop;   /* borrowed: outlives every timer */
    uint64_t due_us;     /* 0: not armed */
    uint64_t pending_us; /* when the event comes; 0: there is none */
    void (*run)(void *user);
    void *user; /* borrowed */
};

enum { LOOP_SCRATCH = 68 * 1024, LOOP_OUT = 256 * 1024 };

/* Makes a loop. Returns NULL if libevent gives no event base. */
struct loop *loop_new(void) MUSTCHECK;

/* Closes the orphans that are left, frees all closed objects, and frees @l. Does nothing if @l is
 * NULL. */
void loop_free(struct loop *l);

/* loop_run runs turns until loop_stop is called. loop_stop lets the current turn finish. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Returns how many turns have begun. If two results differ, the loop has asked for socket events in
 * between. */
uint64_t loop_turns(const struct loop *l);

struct event_base *loop_base(const struct loop *l);

/* Returns the monotonic time in microseconds. Inside a turn the clock is read once for each part
 * (callbacks, deferred tasks, each round of flushes), so the result may be late by the time that
 * the part has run so far. */
uint64_t loop_now_us(struct loop *l);

/* Returns the loop's scratch: LOOP_SCRATCH bytes for one read, borrowed until the next call.
 * Settles the gather first (gather.h): slices of the scratch that still wait are sent or copied. No
 * other sock may read meanwhile. */
char *loop_scratch(struct loop *l);
bool loop_scratch_holds(const struct loop *l, struct slice data);

/* Returns the loop's gather: the list of slices of the scratch that wait to be sent. */
struct gather *loop_gather(struct loop *l);

/* Returns an empty buf of up to LOOP_OUT bytes, borrowed, for a message that is composed and
 * written within one call. The caller empties the buf afterwards. The buf keeps its memory, so that
 * a message needs no allocation. */
struct buf *loop_out(struct loop *l);

static inline void task_init(struct task *t, void (*run)(void *user), void *user)
{
    *t = (struct task){.run = run, .user = user};
}

/* Queue @t as a deferred task, a flush task or a frame task (drawn above). They do nothing if @t is
 * queued already. */
void loop_defer(struct loop *l, struct task *t);
void loop_flush(struct loop *l, struct task *t);
void loop_frame(struct loop *l, struct task *t);

/* Defers an expensive task @t, for instance a TLS handshake, which takes the time of many requests.
 * A turn runs expensive tasks for a millisecond, and at least one of them, so that many handshakes
 * do not hold up other connections. Does nothing if @t is queued already. */
void loop_defer_dear(struct loop *l, struct task *t);

/* Runs @t in 250 to 500 ms, unless task_cancel comes first: this suits checks that are mostly not
 * needed in the end. Does nothing if @t is queued already. */
void loop_later(struct loop *l, struct task *t);

/* Takes @t out of its queue. Does nothing if @t is not queued. */
void task_cancel(struct task *t);

/* Calls @free_object(@object) at the end of the turn. May be called once for each object. */
void loop_reap(struct loop *l, struct reap *r, void (*free_object)(void *object), void *object);

/* loop_adopt makes the loop the owner of @object; loop_free calls @close_object(@object).
 * orphan_leave ends the ownership, and does nothing on an orphan that was never adopted. */
void loop_adopt(struct loop *l, struct orphan *o, void (*close_object)(void *object), void *object);
void orphan_leave(struct orphan *o);

/* loop_has_adopted returns whether the loop owns any object. loop_is_speaking returns whether one
 * of these objects still has something to send (is not `listening`). */
bool loop_has_adopted(const struct loop *l);
bool loop_is_speaking(const struct loop *l);

/* Notes that a connection has freed its memory. Five seconds after 256 of these notes the loop
 * calls alloc_settle. */
void loop_note_release(struct loop *l);

void timer_init(struct timer *t, struct loop *l, void (*run)(void *user), void *user);

/* Arms @t to run in @after_ms milliseconds. Replaces the time for which @t was armed before. */
void timer_arm(struct timer *t, uint64_t after_ms);

/* Disarms @t at almost no cost, because the event may stay in libevent's queue. This suits a timer
 * that is soon armed again. */
void timer_rest(struct timer *t);

/* Disarms @t and removes its event. Must be called before @t is freed. Does nothing on a zeroed
 * timer. */
void timer_stop(struct timer *t);

bool timer_armed(const struct timer *t);
/* Returns the milliseconds until @t runs, rounded up; 0 if it is due, or not armed. */
uint64_t timer_left_ms(const struct timer *t);

/* Arms @t on the loop's timing wheel (wheel.h) to run in @after_ms milliseconds, never earlier and
 * up to a tick (20 ms) later. The wheel suits timers of which there are thousands. */
void loop_arm_on_wheel(struct loop *l, struct wheel_timer *t, uint64_t after_ms);

/* Checks that a loop that owns no object has no armed timer and no watched descriptor but its own:
 * what is left then would outlive the loop. */
void loop_bare_check(const struct loop *l);

/* Check the invariants of a loop between two turns, and of a timer (check.h). */
void loop_check(const struct loop *l);
void timer_check(const struct timer *t);

/* Checks that the caller may touch the objects of @l: while the loop runs, only its own thread
 * may. */
void loop_check_thread(const struct loop *l);

#endif
