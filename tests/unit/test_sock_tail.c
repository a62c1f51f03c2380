/* SPDX-License-Identifier: MIT */
/* test_sock_tail.c - what waits of answers that are over is counted, leaves, or is cut when memory
 * is short. sock_tail.c. */
#include "wire.h"

#include "h2mux/base/clock.h"
#include "h2mux/io/sock_int.h"
#include "h2mux/io/sock_tail.h"

enum { LONG_MS = 600000, TAIL = 12 << 20, TAIL_STALL_MS = 30 };

struct tails {
    struct budget budget;
    struct budget_share share;
    struct sock_tails of;
    int cut;
    uint64_t stalled_ms, bytes;
};

static void on_cut(void *user, uint64_t stalled_ms, uint64_t bytes)
{
    struct tails *t = user;
    t->cut++;
    t->stalled_ms = stalled_ms;
    t->bytes = bytes;
}

/* b reads nothing; of what was written to a, something waits. */
static struct wire *tails_open(struct tails *t, enum wire_kind kind, uint64_t limit)
{
    struct wire *w = wire_open(kind);
    *t = (struct tails){.cut = 0};
    budget_init(&t->budget, limit);
    budget_share_init(&t->share, &t->budget);
    sock_tails_init(&t->of, &t->share);
    t->of.stall_ms = TAIL_STALL_MS;
    t->of.on_cut = on_cut;
    t->of.user = t;
    wire_fill(w, TAIL);
    sock_count_tail(w->a.sock, &t->of);
    wire_settle(w);
    assert_true(sock_queued(w->a.sock) > 0);
    assert_int_equal(budget_used(&t->budget), sock_queued(w->a.sock));
    return w;
}

static void tails_close(struct tails *t, struct wire *w)
{
    sock_tails_forget(&t->of);
    budget_share_deinit(&t->share);
    assert_int_equal(budget_used(&t->budget), 0);
    wire_close(w);
}

/* What comes behind it is not of it unless that is said again. */
static void test_tail_leaves(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct tails t;
        struct wire *w = tails_open(&t, kind, 1 << 30);
        uint64_t before = budget_used(&t.budget);
        sock_write(w->a.sock, SLICE("more"));
        wire_settle(w);
        assert_int_equal(budget_used(&t.budget), before);
        sock_count_tail(w->a.sock, &t.of);
        wire_settle(w);
        assert_int_equal(budget_used(&t.budget), sock_queued(w->a.sock));
        sock_resume(w->b.sock);
        w->want = TAIL + 4;
        wire_until(w, wire_b_got);
        wire_settle(w);
        assert_int_equal(budget_used(&t.budget), 0);
        assert_null(w->a.sock->tail.of);
        tails_close(&t, w);
    }
}

static void look_at_tails(struct wire *w, struct tails *t, int turns)
{
    for (int i = 0; i < turns && t->cut == 0; i++) {
        uint64_t until = clock_now_us() + 2 * TAIL_STALL_MS * 1000;
        while (clock_now_us() < until)
            wire_until(w, wire_always);
        sock_tails_evict(&t->of, loop_now_us(w->loop));
    }
}

/* With room for it, it may wait; without, its owner is told, or it ends where it has none. */
static void test_tail_is_cut(void **state)
{
    for (int finishing = 0; finishing < 2; finishing++) {
        struct tails t;
        struct wire *w = tails_open(&t, WIRE_TCP, 1 << 30);
        if (finishing) {
            sock_finish(w->a.sock, LONG_MS, SIZE_MAX);
            w->a.sock = NULL;
        }
        look_at_tails(w, &t, 3);
        assert_int_equal(t.cut, 0);
        t.budget.limit = budget_used(&t.budget);
        uint64_t held = budget_used(&t.budget);
        look_at_tails(w, &t, 10);
        assert_int_equal(t.cut, 1);
        assert_int_equal(t.bytes, held);
        assert_true(t.stalled_ms >= TAIL_STALL_MS);
        if (!finishing)
            assert_int_equal(w->a.error, ERR_STALLED);
        else
            assert_int_equal(budget_used(&t.budget), 0);
        tails_close(&t, w);
    }
}

/* The peer takes some each time before it is looked at. */
static void test_tail_that_moves_stays(void **state)
{
    struct tails t;
    struct wire *w = tails_open(&t, WIRE_MEMORY, 1 << 20);
    for (int i = 0; i < 4; i++) {
        size_t got = buf_len(&w->b.got);
        sock_resume(w->b.sock);
        while (buf_len(&w->b.got) == got)
            wire_until(w, wire_always);
        sock_pause(w->b.sock);
        look_at_tails(w, &t, 1);
        assert_int_equal(t.cut, 0);
    }
    look_at_tails(w, &t, 10);
    assert_int_equal(t.cut, 1);
    tails_close(&t, w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tail_leaves),
        cmocka_unit_test(test_tail_is_cut),
        cmocka_unit_test(test_tail_that_moves_stays),
    };
    return cmocka_run_group_tests_name("sock_tail", tests, NULL, NULL);
}
