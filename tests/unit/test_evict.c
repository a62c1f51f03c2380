/* SPDX-License-Identifier: MIT */
/* test_evict.c - the budget that all sessions of a process share: what happens at half, at three
 * quarters and at all of it, to whom, and that nothing of it is lost. http-rules.md#memory */
#include "mux.h"

#include "h2mux/h2/evict.h"

enum { STALL_MS = 400, HELD = 64 * 1024 };

/* Two threads' worth: each mux has its loop, and its reader a share of the one budget. */
struct process {
    struct budget budget;
    struct evictor evictor[2];
    struct mux *mux[2];
    int evicted;
    uint64_t stalled_ms, bytes;
};

static struct process *process; /* for on_evicted: a session's user is its mux */

static void on_evicted(void *user, uint64_t stalled_ms, uint64_t bytes)
{
    (void)user;
    process->evicted++;
    process->stalled_ms = stalled_ms;
    process->bytes = bytes;
}

static struct h2_session_ops reader_ops;

static void join(struct process *p, int i)
{
    struct h2_session *rx = p->mux[i]->rx;
    evictor_init(&p->evictor[i], &p->budget, p->mux[i]->loop);
    rx->host.flow.evictor = &p->evictor[i];
    rx->host.flow.share = &p->evictor[i].share;
    rx->ops = &reader_ops;
    evictor_join(&p->evictor[i], &rx->host.flow.readers);
}

static struct process *process_new(uint64_t limit)
{
    struct process *p = xcalloc(1, sizeof *p);
    struct h2_options o = mux_options;
    o.stall_ms = STALL_MS;
    reader_ops = mux_opener_ops;
    reader_ops.on_evicted = on_evicted;
    budget_init(&p->budget, limit);
    for (int i = 0; i < 2; i++) {
        p->mux[i] = mux_new(H2_SERVER, &o);
        join(p, i);
    }
    process = p;
    return p;
}

/* Whatever came to pass, the sum is what it was. */
static void process_free(struct process *p, uint64_t others)
{
    for (int i = 0; i < 2; i++) {
        struct loop *l = p->mux[i]->loop;
        h2_session_close(p->mux[i]->opener, 0);
        h2_session_close(p->mux[i]->server, 0);
        mux_settle(p->mux[i]);
        assert_int_equal(p->evictor[i].share.held, 0);
        assert_int_equal(p->evictor[i].share.withheld, 0);
        evictor_deinit(&p->evictor[i]);
        loop_free(l);
        for (size_t k = 0; k < p->mux[i]->n_streams; k++)
            buf_release(&p->mux[i]->streams[k].got);
        free(p->mux[i]);
    }
    assert_int_equal(budget_used(&p->budget), others);
    free(p);
}

static void others_hold(struct process *p, uint64_t bytes)
{
    atomic_store(&p->budget.used, bytes);
}

/* @bytes come and stay. */
static struct mux_stream *hold(struct mux *m, size_t bytes)
{
    struct mux_stream *s = mux_open(m, LEG_BULK);
    s->hold = true;
    mux_write(s, bytes, false);
    turns_until(m->loop, mux_all_came, m);
    return s;
}

static bool first_is_reset(void *user)
{
    return ((struct mux *)user)->streams[0].rx_reset;
}

/* Long enough for several looks: nothing of it is waited for. */
static void look_on(struct mux *m)
{
    struct h2_session *rx = m->rx;
    uint64_t until = loop_now_us(m->loop) + 4 * STALL_MS * 1000;
    while (loop_now_us(m->loop) < until) {
        mux_settle(m);
        rx->host.flow.evictor->look.run(rx->host.flow.evictor->look.user);
    }
}

static uint32_t window_of(struct mux_stream *s)
{
    return h2_stream_of(s->rx)->flow.window.size;
}

static void test_half(void **state)
{
    struct process *p = process_new(100 << 20);
    others_hold(p, 49 << 20);
    mux_credit(hold(p->mux[0], 1));
    assert_true(window_of(&p->mux[0]->streams[0]) > WINDOW_INITIAL);
    mux_settle(p->mux[0]);
    others_hold(p, 50 << 20);
    mux_credit(hold(p->mux[0], 1));
    assert_int_equal(window_of(&p->mux[0]->streams[1]), WINDOW_INITIAL);
    process_free(p, 50 << 20);
}

/* What another thread holds counts; each looks after its own. The longest first, and no more than
 * is needed. */
static void test_three_quarters(void **state)
{
    struct process *p = process_new(4 * HELD);
    hold(p->mux[0], HELD);
    hold(p->mux[0], HELD - 1);
    look_on(p->mux[0]);
    assert_int_equal(p->evicted, 0); /* half of it */
    hold(p->mux[1], HELD);
    hold(p->mux[1], 1);
    assert_int_equal(budget_used(&p->budget), 3 * HELD);
    turns_until(p->mux[0]->loop, first_is_reset, p->mux[0]);
    assert_int_equal(p->evicted, 1);
    assert_int_equal(p->bytes, HELD);
    assert_true(p->stalled_ms >= STALL_MS);
    assert_false(p->mux[0]->streams[1].rx_reset);
    look_on(p->mux[0]);
    look_on(p->mux[1]);
    assert_int_equal(p->evicted, 1);
    process_free(p, 0);
}

/* A little credit now and then is enough. */
static void test_slow_but_moving(void **state)
{
    struct process *p = process_new(HELD);
    struct mux *m = p->mux[0];
    struct mux_stream *s = hold(m, HELD);
    for (int i = 0; i < 6; i++) {
        uint64_t until = loop_now_us(m->loop) + STALL_MS * 1000 / 4;
        while (loop_now_us(m->loop) < until) {
            mux_settle(m);
            p->evictor[0].look.run(p->evictor[0].look.user);
        }
        assert_int_equal(p->evicted, 0);
        s->rx->ops->credit(s->rx, 1);
    }
    turns_until(m->loop, first_is_reset, m);
    process_free(p, 0);
}

static uint64_t kernel_sent, kernel_step;

static bool taken(void *exchange, struct leg *leg, uint64_t *bytes)
{
    *bytes = kernel_sent += kernel_step;
    return true;
}

/* No credit comes, for the kernel had taken all, but the peer still reads that. */
static void test_kernel_still_feeds(void **state)
{
    struct process *p = process_new(HELD);
    struct mux *m = p->mux[0];
    struct leg_events asked = mux_events;
    struct mux_stream *s = hold(m, HELD);
    asked.on_taken = taken;
    leg_tie(s->rx, &asked, s);
    kernel_step = 1;
    look_on(m);
    look_on(m);
    assert_int_equal(p->evicted, 0);
    kernel_step = 0;
    turns_until(m->loop, first_is_reset, m);
    process_free(p, 0);
}

static bool nothing_is_withheld(void *user)
{
    return ((struct mux *)user)->rx->host.flow.withheld == 0;
}

/* Connection credit is kept from all of it on where a session holds its part, and given when others
 * have left three quarters. */
static void test_all_of_it(void **state)
{
    struct process *p = process_new(16 * HELD); /* 4 for each of two */
    struct mux *m = p->mux[0];
    m->rx->host.flow.readers.stall_us = UINT64_C(600000000);
    others_hold(p, 16 * HELD);
    for (int i = 0; i < 5; i++)
        hold(m, HELD);
    mux_settle(m);
    assert_int_equal(m->rx->host.flow.withheld, HELD);
    atomic_fetch_sub(&p->budget.used, 8 * HELD);
    look_on(m);
    assert_int_equal(m->rx->host.flow.withheld, HELD);
    atomic_fetch_sub(&p->budget.used, 2 * HELD);
    turns_until(m->loop, nothing_is_withheld, m);
    process_free(p, 6 * HELD);
}

/* Others hold all there is, for ever; who holds little gets on. */
static void test_others_hold_all_of_it(void **state)
{
    struct process *p = process_new(16 * HELD);
    struct mux *m = p->mux[0];
    m->rx->host.flow.readers.stall_us = UINT64_C(600000000);
    others_hold(p, 16 * HELD);
    struct mux_stream *s = hold(m, HELD);
    for (int i = 0; i < 20; i++) {
        mux_credit(s);
        mux_write(s, HELD, false);
        turns_until(m->loop, mux_all_came, m);
        assert_int_equal(m->rx->host.flow.withheld, 0);
    }
    for (int i = 0; i < 5; i++)
        hold(m, HELD);
    assert_int_equal(m->rx->host.flow.withheld, HELD);
    mux_credit(&m->streams[1]);
    mux_credit(&m->streams[2]);
    assert_int_equal(m->rx->host.flow.withheld, HELD);
    mux_credit(&m->streams[3]);
    assert_int_equal(m->rx->host.flow.withheld, 0); /* half of its part is left */
    process_free(p, 16 * HELD);
}

/* What a session that ends keeps back and holds is nobody's any more. */
static void test_end_of_a_session(void **state)
{
    struct process *p = process_new(HELD);
    hold(p->mux[0], HELD);
    hold(p->mux[0], 100);
    assert_true(p->evictor[0].share.withheld > 0);
    process_free(p, 0);
}

/* F64: during an alarm the budget is spent, however little is held: nothing grows, and who stands
 * still is given up. */
static void test_alarm(void **state)
{
    struct process *p = process_new(100 << 20);
    atomic_store(&p->budget.alarm, BUDGET_SHORT);
    struct fill f = budget_fill(&p->evictor[0].share);
    assert_true(fill_is_spent(&f));
    hold(p->mux[0], HELD);
    turns_until(p->mux[0]->loop, first_is_reset, p->mux[0]);
    assert_int_equal(p->evicted, 1);
    atomic_store(&p->budget.alarm, BUDGET_CALM);
    f = budget_fill(&p->evictor[0].share);
    assert_true(fill_may_grow(&f));
    process_free(p, 0);
}

struct plain {
    struct evict_group group;
    struct evict_reader reader;
    struct budget_share *share;
    uint64_t taken;
    int given_up, restored;
};

static bool plain_taken(struct evict_reader *r, uint64_t *bytes)
{
    *bytes = CONTAINER_OF(r, struct plain, reader)->taken++;
    return true;
}

static bool still_taken(struct evict_reader *r, uint64_t *bytes)
{
    *bytes = CONTAINER_OF(r, struct plain, reader)->taken;
    return true;
}

static void plain_give_up(struct evict_reader *r, uint64_t stalled_ms)
{
    struct plain *p = CONTAINER_OF(r, struct plain, reader);
    assert_true(stalled_ms >= STALL_MS);
    budget_add(p->share, -(int64_t)r->held);
    evict_reader_release(r, r->held);
    p->given_up++;
}

static void plain_restore(struct evict_group *g)
{
    CONTAINER_OF(g, struct plain, group)->restored++;
}

static bool plain_given_up(void *user)
{
    return ((struct plain *)user)->given_up > 0;
}

static bool told_all(void *user)
{
    struct evictor *e = user;
    return e->share.told == e->share.held;
}

/* F61: a reader that reads from no link counts, and is given up when it stands still and memory is
 * short, but not while its number changes. Fixed memory counts, and is never taken back. */
static void test_readers_without_a_link(void **state)
{
    static const struct evict_ops ops = {
        .taken = plain_taken, .give_up = plain_give_up, .restore = plain_restore};
    static const struct evict_ops still = {
        .taken = still_taken, .give_up = plain_give_up, .restore = plain_restore};
    struct process *p = process_new(4 * HELD);
    struct loop *l = p->mux[0]->loop;
    struct plain plain = {.share = &p->evictor[0].share};
    evict_group_init(&plain.group, &ops, STALL_MS);
    evictor_watch(&p->evictor[0], &plain.group);
    budget_add_fixed(plain.share, 2 * HELD);
    evictor_changed(&p->evictor[0]);
    turns_until(l, told_all, &p->evictor[0]);
    assert_int_equal(budget_used(&p->budget), 2 * HELD);
    assert_int_equal(budget_buffered(&p->budget), 0);
    assert_false(timer_armed(&p->evictor[0].look));
    budget_add(plain.share, HELD);
    evict_reader_hold(&plain.group, &plain.reader, HELD, loop_now_us(l));
    evictor_changed(&p->evictor[0]);
    turns_until(l, told_all, &p->evictor[0]);
    assert_int_equal(budget_buffered(&p->budget), HELD);
    assert_true(timer_armed(&p->evictor[0].look));
    look_on(p->mux[0]);
    assert_int_equal(plain.given_up, 0);
    plain.taken = UINT64_MAX / 2;
    plain.group.ops = &still;
    turns_until(l, plain_given_up, &plain);
    assert_int_equal(plain.given_up, 1);
    budget_add_fixed(plain.share, -2 * (int64_t)HELD);
    evictor_unwatch(&plain.group);
    budget_tell(plain.share);
    process_free(p, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half),
        cmocka_unit_test(test_three_quarters),
        cmocka_unit_test(test_slow_but_moving),
        cmocka_unit_test(test_kernel_still_feeds),
        cmocka_unit_test(test_all_of_it),
        cmocka_unit_test(test_others_hold_all_of_it),
        cmocka_unit_test(test_end_of_a_session),
        cmocka_unit_test(test_alarm),
        cmocka_unit_test(test_readers_without_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
