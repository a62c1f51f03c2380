/* SPDX-License-Identifier: MIT */
/* test_loop.c - the order of a loop's turn, and what may be cancelled, repeated or left behind in
 * it. loop.h. */
#include "turns.h"

#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/clock.h"

enum { TASKS = 4 };

struct world {
    struct loop *loop;
    struct task tasks[TASKS];
    struct reap reap[TASKS];
    struct orphan orphans[TASKS];
    char log[64]; /* one letter for each thing that ran, in order */
    int more;     /* how often a task defers itself again */
};

static void note(struct world *w, char what)
{
    size_t len = strlen(w->log);
    assert_true(len + 1 < sizeof w->log);
    w->log[len] = what;
}

static struct world *open_world(void)
{
    struct world *w = xcalloc(1, sizeof *w);
    w->loop = loop_new();
    return w;
}

static void close_world(struct world *w)
{
    loop_free(w->loop);
    free(w);
}

static void run_stop(void *user)
{
    struct world *w = user;
    note(w, '.');
    loop_stop(w->loop);
}

/* Callbacks of one turn and what follows them. */
static void one_turn(struct world *w, void (*run)(void *user))
{
    struct timer t;
    timer_init(&t, w->loop, run, w);
    timer_arm(&t, 0);
    loop_run(w->loop);
    timer_stop(&t);
}

/* ---- the order of a turn */

static void run_flush(void *user)
{
    note(user, 'f');
}

static void run_deferred(void *user)
{
    struct world *w = user;
    note(w, 'd');
    loop_flush(w->loop, &w->tasks[1]);
    loop_flush(w->loop, &w->tasks[1]);
}

static void run_free(void *object)
{
    note(object, 'r');
}

static void run_second(void *user)
{
    note(user, 'e');
}

static void run_callback(void *user)
{
    struct world *w = user;
    note(w, 'c');
    loop_reap(w->loop, &w->reap[0], run_free, w);
    loop_flush(w->loop, &w->tasks[1]);
    loop_defer(w->loop, &w->tasks[0]);
    loop_defer(w->loop, &w->tasks[2]);
    loop_defer(w->loop, &w->tasks[0]);
    loop_stop(w->loop);
}

static void test_order(void **state)
{
    struct world *w = open_world();
    task_init(&w->tasks[0], run_deferred, w);
    task_init(&w->tasks[1], run_flush, w);
    task_init(&w->tasks[2], run_second, w);
    one_turn(w, run_callback);
    assert_string_equal(w->log, "cdefr"); /* the turn in which it is stopped is finished */
    close_world(w);
}

enum { DEAR_US = 3000 }; /* more than a turn gives to all of them */

static void run_dear(void *user)
{
    uint64_t end = clock_now_us() + DEAR_US;
    note(user, 'h');
    while (clock_now_us() < end)
        continue;
}

static void run_cheap(void *user)
{
    note(user, 'l');
}

/* A letter a turn. */
static void run_turn(void *user)
{
    struct world *w = user;
    note(w, 'd');
    if (w->more-- > 0)
        loop_defer(w->loop, &w->tasks[3]);
    else
        loop_stop(w->loop);
}

/* Of what is dear one a turn, if that is all there is time for; the others run in between, and what
 * is left needs no event to be gone on with. */
static void test_dear(void **state)
{
    struct world *w = open_world();
    task_init(&w->tasks[0], run_dear, w);
    task_init(&w->tasks[1], run_dear, w);
    task_init(&w->tasks[2], run_cheap, w);
    task_init(&w->tasks[3], run_turn, w);
    w->more = 3;
    for (size_t i = 0; i < TASKS - 1; i++) {
        loop_defer_dear(w->loop, &w->tasks[i]);
        loop_defer_dear(w->loop, &w->tasks[i]);
    }
    loop_defer(w->loop, &w->tasks[3]);
    loop_run(w->loop);
    assert_string_equal(w->log, "dhdhdld");
    loop_defer_dear(w->loop, &w->tasks[0]);
    task_cancel(&w->tasks[0]);
    one_turn(w, run_stop);
    assert_string_equal(w->log, "dhdhdld.");
    close_world(w);
}

static void run_again(void *user)
{
    struct world *w = user;
    note(w, 'a');
    if (w->more-- > 0)
        loop_defer(w->loop, &w->tasks[0]);
}

static void run_defer_again(void *user)
{
    struct world *w = user;
    loop_defer(w->loop, &w->tasks[0]);
    loop_flush(w->loop, &w->tasks[1]);
    loop_stop(w->loop);
}

/* What a task defers waits for the next turn, behind what the world has to say; no turn sleeps
 * while a task waits. */
static void test_deferring_again(void **state)
{
    struct world *w = open_world();
    task_init(&w->tasks[0], run_again, w);
    task_init(&w->tasks[1], run_flush, w);
    w->more = 2;
    one_turn(w, run_defer_again);
    assert_string_equal(w->log, "af");
    one_turn(w, run_stop);
    one_turn(w, run_stop);
    assert_string_equal(w->log, "af.a.a");
    assert_false(list_linked(&w->tasks[0].node));
    close_world(w);
}

static void run_flush_again(void *user)
{
    struct world *w = user;
    note(w, 'g');
    if (w->more-- > 0)
        loop_flush(w->loop, &w->tasks[0]);
}

/* What a flush marks is flushed in the same turn: nothing framed waits for the next event. */
static void test_flushing_again(void **state)
{
    struct world *w = open_world();
    task_init(&w->tasks[0], run_flush_again, w);
    w->more = 2;
    loop_flush(w->loop, &w->tasks[0]);
    one_turn(w, run_stop);
    assert_string_equal(w->log, ".ggg");
    close_world(w);
}

static void run_cancel_next(void *user)
{
    struct world *w = user;
    note(w, 'x');
    task_cancel(&w->tasks[1]);
}

static void test_cancel(void **state)
{
    struct world *w = open_world();
    task_init(&w->tasks[0], run_cancel_next, w);
    task_init(&w->tasks[1], run_flush, w);
    task_init(&w->tasks[2], run_second, w);
    for (int i = 0; i < 3; i++)
        loop_defer(w->loop, &w->tasks[i]);
    one_turn(w, run_stop);
    assert_string_equal(w->log, ".xe"); /* one of the same round */
    task_cancel(&w->tasks[1]);
    loop_flush(w->loop, &w->tasks[0]);
    loop_flush(w->loop, &w->tasks[1]);
    one_turn(w, run_stop);
    assert_string_equal(w->log, ".xe.x");
    close_world(w);
}

static void run_reap_other(void *object)
{
    struct world *w = object;
    note(w, 'R');
    loop_reap(w->loop, &w->reap[1], run_free, w);
}

/* What dies with a dying object is freed in the same turn. */
static void test_reap_chain(void **state)
{
    struct world *w = open_world();
    loop_reap(w->loop, &w->reap[0], run_reap_other, w);
    one_turn(w, run_stop);
    assert_string_equal(w->log, ".Rr");
    close_world(w);
}

/* ---- sockets, then sessions */

static void run_session(void *user)
{
    struct world *w = user;
    note(w, 's');
    if (w->more-- > 0)
        loop_flush(w->loop, &w->tasks[1]);
}

static void run_socket(void *user)
{
    struct world *w = user;
    note(w, 'f');
    loop_frame(w->loop, &w->tasks[0]);
    loop_frame(w->loop, &w->tasks[0]);
}

static void run_mark_all(void *user)
{
    struct world *w = user;
    note(w, '.');
    loop_reap(w->loop, &w->reap[0], run_free, w);
    loop_frame(w->loop, &w->tasks[0]);
    loop_flush(w->loop, &w->tasks[1]);
    loop_flush(w->loop, &w->tasks[3]);
    loop_defer(w->loop, &w->tasks[2]);
    loop_stop(w->loop);
}

/* All sockets write before a session frames, whichever was marked first; then in turn until neither
 * has anything left. */
static void test_frames_follow_flushes(void **state)
{
    static const char *const want[] = {".effsr", ".effsfsr", ".effsfsfsr"};
    for (int more = 0; more < 3; more++) {
        struct world *w = open_world();
        task_init(&w->tasks[0], run_session, w);
        task_init(&w->tasks[1], run_socket, w);
        task_init(&w->tasks[2], run_second, w);
        task_init(&w->tasks[3], run_flush, w);
        w->more = more;
        one_turn(w, run_mark_all);
        assert_string_equal(w->log, want[more]);
        close_world(w);
    }
}

/* Whatever waits, waits for no event. */
static void test_no_turn_sleeps_while_a_task_waits(void **state)
{
    static void (*const queues[])(struct loop * l, struct task * t) = {loop_defer, loop_flush,
                                                                       loop_frame};
    for (size_t i = 0; i < sizeof queues / sizeof *queues; i++) {
        struct world *w = open_world();
        task_init(&w->tasks[0], run_stop, w);
        task_init(&w->tasks[1], run_flush, w);
        queues[i](w->loop, &w->tasks[1]);
        task_cancel(&w->tasks[1]);
        queues[i](w->loop, &w->tasks[0]);
        loop_run(w->loop);
        assert_string_equal(w->log, ".");
        close_world(w);
    }
}

/* ---- the time */

struct looks {
    struct loop *loop;
    struct task task, flush, frame;
    int rounds;
    uint64_t last_us; /* what the last part of a turn saw at its end */
};

static void waste_time(void)
{
    uint64_t until = clock_now_us() + 1000;
    while (clock_now_us() < until)
        continue;
}

/* One part of a turn: later than the one before it, and one time throughout. */
static void look(struct looks *k)
{
    uint64_t now = loop_now_us(k->loop);
    assert_true(now > k->last_us);
    waste_time();
    assert_int_equal(loop_now_us(k->loop), now);
    k->last_us = now;
}

static void run_look_at_flush(void *user)
{
    struct looks *k = user;
    look(k);
    loop_frame(k->loop, &k->frame);
}

/* Of the same round as the flush; another round follows, then another turn. */
static void run_look_at_frame(void *user)
{
    struct looks *k = user;
    waste_time();
    assert_true(loop_now_us(k->loop) == k->last_us);
    if (++k->rounds % 2 == 1)
        loop_flush(k->loop, &k->flush);
    else if (k->rounds < 6)
        loop_defer(k->loop, &k->task);
    else
        loop_stop(k->loop);
}

static void run_look_deferred(void *user)
{
    struct looks *k = user;
    look(k);
    loop_flush(k->loop, &k->flush);
}

static void run_look_in_callback(void *user)
{
    struct looks *k = user;
    look(k);
    loop_defer(k->loop, &k->task);
}

static void test_time_stands_still_in_each_part_of_a_turn(void **state)
{
    struct looks k = {.loop = loop_new()};
    struct timer t;
    task_init(&k.task, run_look_deferred, &k);
    task_init(&k.flush, run_look_at_flush, &k);
    task_init(&k.frame, run_look_at_frame, &k);
    timer_init(&t, k.loop, run_look_in_callback, &k);
    for (int i = 0; i < 3; i++) { /* outside it does not */
        uint64_t now = loop_now_us(k.loop);
        waste_time();
        assert_true(loop_now_us(k.loop) >= now + 1000);
    }
    timer_arm(&t, 0);
    loop_run(k.loop);
    assert_int_equal(k.rounds, 6);
    assert_true(loop_now_us(k.loop) > k.last_us);
    timer_stop(&t);
    loop_free(k.loop);
}

/* ---- what is left when the loop goes */

static void close_orphan(void *object)
{
    struct world *w = object;
    note(w, 'o');
    loop_reap(w->loop, &w->reap[0], run_free, w);
}

static void close_second(void *object)
{
    note(object, 'p');
}

static void test_adopt(void **state)
{
    struct world *w = open_world();
    orphan_leave(&w->orphans[2]); /* never adopted */
    loop_adopt(w->loop, &w->orphans[0], close_orphan, w);
    loop_adopt(w->loop, &w->orphans[1], run_flush, w);
    loop_adopt(w->loop, &w->orphans[2], close_second, w);
    orphan_leave(&w->orphans[1]);
    one_turn(w, run_stop);
    loop_free(w->loop);
    assert_string_equal(w->log, ".opr");
    loop_free(NULL);
    free(w);
}

static void test_scratch(void **state)
{
    struct world *w = open_world();
    memset(loop_scratch(w->loop), 'x', LOOP_SCRATCH);
    assert_ptr_equal(loop_scratch(w->loop), loop_scratch(w->loop));
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_dear),
        cmocka_unit_test(test_deferring_again),
        cmocka_unit_test(test_flushing_again),
        cmocka_unit_test(test_frames_follow_flushes),
        cmocka_unit_test(test_no_turn_sleeps_while_a_task_waits),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_reap_chain),
        cmocka_unit_test(test_time_stands_still_in_each_part_of_a_turn),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_scratch),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
