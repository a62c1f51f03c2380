/* SPDX-License-Identifier: MIT */
/* test_tunnel.c - tests which link of a tunnel is picked, which requests wait, in which order and
 * for how long. tunnel.h, http-rules.md#failures */
#include "registry_world.h"

static struct leg *open_stream(struct link *l)
{
    struct message m;
    message_init(&m);
    m.method = SLICE("GET");
    m.scheme = SLICE("http");
    m.authority = SLICE("app.example.com");
    m.path = SLICE("/");
    struct leg *leg = l->backend.ops->open(&l->backend, &m, true, NULL, &silent, NULL);
    message_deinit(&m);
    return leg;
}

static enum fitness fitness(const struct backend *b, enum stream_kind kind)
{
    return b->ops->fitness(b, kind);
}

static void close_stream(struct link *l, struct leg *leg)
{
    struct leg_fault why = {.err = ERR_CLOSED};
    leg->ops->reset(leg, &why);
    l->backend.ops->done(&l->backend, STREAM_REQUEST);
}

static void test_pick(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    assert_null(tunnel_pick(t, STREAM_REQUEST));
    struct link *a = attach(x, "app", INSTANCE_A, 0, 10);
    struct link *b = attach(x, "app", INSTANCE_A, 1, 1);
    assert_ptr_equal(tunnel_pick(t, STREAM_REQUEST), &a->backend);
    assert_non_null(open_stream(a));
    assert_ptr_equal(tunnel_pick(t, STREAM_REQUEST), &b->backend);
    assert_non_null(open_stream(b)); /* b is full now */
    assert_non_null(open_stream(a));
    assert_ptr_equal(tunnel_pick(t, STREAM_REQUEST), &a->backend);
    link_close(a, 0);
    assert_ptr_equal(tunnel_pick(t, STREAM_REQUEST), &b->backend); /* full, but there */
    assert_int_equal(fitness(tunnel_pick(t, STREAM_REQUEST), STREAM_REQUEST), FITNESS_FULL);
}

/* Each link keeps some streams for plain requests. So a link may be full for WebSockets and have
 * room for requests, and each kind goes to a link that has room for it. */
static void test_pick_by_kind(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct link *a = attach(x, "app", INSTANCE_A, 0, 20);
    struct link *b = attach(x, "app", INSTANCE_A, 1, 20);
    assert_non_null(open_stream(b));
    a->websockets = 19;
    assert_ptr_equal(tunnel_pick(t, STREAM_REQUEST), &a->backend);
    assert_ptr_equal(tunnel_pick(t, STREAM_WEBSOCKET), &b->backend);
    b->websockets = 19;
    /* Both are full: the least busy one. */
    assert_ptr_equal(tunnel_pick(t, STREAM_WEBSOCKET), &a->backend);
    assert_int_equal(fitness(tunnel_pick(t, STREAM_WEBSOCKET), STREAM_WEBSOCKET), FITNESS_FULL);
    a->websockets = b->websockets = 0;
    assert_ptr_equal(tunnel_pick(t, STREAM_WEBSOCKET), &a->backend);
    link_drain(a);
    assert_ptr_equal(tunnel_pick(t, STREAM_WEBSOCKET), &b->backend);
}

struct request {
    struct waiter waiter;
    struct tunnel *tunnel;
    struct backend *got;
    size_t links, gone, evicted, rewaits;
};

static void held_on_backend(struct waiter *w, struct backend *b)
{
    struct request *h = CONTAINER_OF(w, struct request, waiter);
    h->links++;
    h->got = b;
    assert_false(list_linked(&w->node));
    if (h->rewaits > 0) {
        h->rewaits--;
        assert_true(tunnel_wait(h->tunnel, w, clock_now_us()));
    }
}

static void held_on_gone(struct waiter *w)
{
    CONTAINER_OF(w, struct request, waiter)->gone++;
    assert_false(list_linked(&w->node));
}

static void held_on_evicted(struct waiter *w)
{
    CONTAINER_OF(w, struct request, waiter)->evicted++;
    assert_false(list_linked(&w->node));
}

static struct request held_make(struct tunnel *t)
{
    static const struct waiter_ops ops = {
        .on_backend = held_on_backend, .on_gone = held_on_gone, .on_evicted = held_on_evicted};
    return (struct request){.waiter = {.ops = &ops}, .tunnel = t};
}

/* F2 */
static void test_wait(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim_away(x, "app");
    struct request a = held_make(t), b = held_make(t), c = held_make(t);
    assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
    assert_true(tunnel_wait(t, &b.waiter, clock_now_us()));
    assert_true(tunnel_wait(t, &c.waiter, clock_now_us()));
    tunnel_unwait(t, &b.waiter);
    tunnel_unwait(t, &b.waiter);
    assert_int_equal(t->queue.n, 2);
    tunnel_wake(t);
    assert_int_equal(a.links, 0);
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    assert_ptr_equal(a.got, &l->backend);
    assert_int_equal(a.links, 1);
    assert_int_equal(b.links, 0);
    assert_int_equal(c.links, 1);
    assert_int_equal(t->queue.n, 0);
}

/* A request that has no room for its kind waits again: it is asked once a wake, not for ever. */
static void test_wait_again(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim_away(x, "app");
    struct request a = held_make(t), b = held_make(t);
    struct link *l = attach(x, "app", INSTANCE_A, 0, 20);
    struct leg *leg = NULL;
    for (int i = 0; i < 20; i++)
        leg = open_stream(l);
    l->websockets = 19; /* the last stream is kept for plain requests */
    a.waiter.kind = STREAM_WEBSOCKET;
    a.rewaits = 1000;
    turn(x, 5);
    assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
    assert_true(tunnel_wait(t, &b.waiter, clock_now_us()));
    close_stream(l, leg);
    for (int i = 0; i < WAIT_MS && b.links == 0; i++)
        turn(x, 1);
    assert_int_equal(b.links, 1);
    assert_int_equal(t->queue.n, 1);
    assert_in_range(a.links, 1, 5);
    tunnel_unwait(t, &a.waiter);
}

/* F3: a request that waits for a full link gets it when a stream closes. */
static void test_wait_for_stream(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim_away(x, "app");
    struct request a = held_make(t);
    struct link *l = attach(x, "app", INSTANCE_A, 0, 1);
    struct leg *leg = open_stream(l);
    turn(x, 5);
    assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
    tunnel_wake(t);
    assert_int_equal(a.links, 0);
    close_stream(l, leg);
    for (int i = 0; i < WAIT_MS && a.links == 0; i++) {
        turn(x, 1);
        tunnel_wake(t);
    }
    assert_int_equal(a.links, 1);
}

static void test_gone(void **state)
{
    struct fixture *x = *state;
    x->config.names.pending_ms = 20;
    close_names(x);
    open_registry(x);
    struct tunnel *t = claim_away(x, "app");
    struct request a = held_make(t), b = held_make(t);
    assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
    assert_true(tunnel_wait(t, &b.waiter, clock_now_us()));
    turn(x, 60);
    assert_null(find(x, "app"));
    assert_int_equal(a.gone, 1);
    assert_int_equal(b.gone, 1);
}

/* F54: a name that was never live holds nobody; one that was lost a moment ago does. */
static void test_never_live(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct request a = held_make(t);
    assert_false(tunnel_wait(t, &a.waiter, clock_now_us()));
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    link_close(l, 0);
    assert_int_equal(t->state, TUNNEL_GRACED);
    assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
    tunnel_unwait(t, &a.waiter);
}

/* O83: while a client attaches, requests for its name wait, as long as that client may take, and
 * are served when it is up: those of a name that was never live, or has been away for long. */
static void test_attaching(void **state)
{
    struct fixture *x = *state;
    for (int i = 0; i < 2; i++) {
        const char *name = i == 0 ? "never" : "long-ago";
        struct tunnel *t = claim(x, name, true);
        struct request a = held_make(t), late = held_make(t);
        struct sock *theirs;
        if (i == 1)
            tunnel_was_live(t, 40 * 1000000);
        assert_false(tunnel_wait(t, &a.waiter, clock_now_us()));
        begin(x, name, INSTANCE_A, 0, &theirs);
        uint64_t late_us = clock_now_us() + x->config.timeouts.attach_ms * 1000;
        assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
        assert_false(tunnel_wait(t, &late.waiter, late_us));
        greet(x, theirs, 10);
        for (int ms = 0; ms < WAIT_MS && a.links == 0; ms++)
            turn(x, 1);
        assert_int_equal(a.links, 1);
    }
}

/* F50 F51 F55: a viewer does not get the last quarter of a name's queue, and gives up its oldest
 * request for those of others. */
static void test_viewers_share_a_queue(void **state)
{
    static const struct viewer greedy = {.address = "192.0.2.1"}, other = {.address = "192.0.2.2"};
    struct fixture *x = *state;
    struct tunnel *t = claim_away(x, "app");
    struct request *all = xcalloc(QUEUE_MAX + 1, sizeof *all);
    for (int i = 0; i <= QUEUE_MAX; i++) {
        all[i] = held_make(t);
        all[i].waiter.viewer = i < QUEUE_MAX ? &greedy : &other;
        assert_true(tunnel_wait(t, &all[i].waiter, clock_now_us()));
    }
    assert_int_equal(t->queue.n, QUEUE_MAX * 3 / 4 + 1);
    assert_int_equal(all[QUEUE_MAX / 4 - 1].evicted, 1);
    assert_int_equal(all[QUEUE_MAX / 4].evicted, 0);
    assert_int_equal(all[QUEUE_MAX].evicted, 0);
    for (int i = 0; i <= QUEUE_MAX; i++)
        tunnel_unwait(t, &all[i].waiter);
    free(all);
}

/* F51 F55: when the places of the process are taken, a name without any gets one of the name that
 * has most, also for viewers who are nobody. */
static void test_names_share_the_process(void **state)
{
    struct fixture *x = *state;
    struct request *all = xcalloc(HOLDS_MAX + 1, sizeof *all);
    struct tunnel *t = NULL;
    static const struct viewer somebody = {.address = "192.0.2.1"};
    for (int i = 0; i < HOLDS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "app-%d", i / QUEUE_MAX);
        t = i % QUEUE_MAX == 0 ? claim_away(x, name) : t;
        all[i] = held_make(t);
        assert_true(tunnel_wait(t, &all[i].waiter, clock_now_us()));
    }
    t = claim_away(x, "last");
    all[HOLDS_MAX] = held_make(t);
    all[HOLDS_MAX].waiter.viewer = &somebody;
    assert_false(tunnel_wait(t, &all[HOLDS_MAX].waiter, clock_now_us())); /* all are nobody's */
    for (int i = HOLDS_MAX - 2; i < HOLDS_MAX; i++) {
        tunnel_unwait(all[i].tunnel, &all[i].waiter);
        all[i].waiter.viewer = &somebody;
        assert_true(tunnel_wait(all[i].tunnel, &all[i].waiter, clock_now_us()));
    }
    assert_true(tunnel_wait(t, &all[HOLDS_MAX].waiter, clock_now_us()));
    turn(x, 1);
    assert_int_equal(all[HOLDS_MAX - 2].evicted, 1);
    assert_int_equal(all[HOLDS_MAX - 1].evicted, 0);
    for (int i = 0; i <= HOLDS_MAX; i++)
        tunnel_unwait(all[i].tunnel, &all[i].waiter);
    free(all);
}

/* F2 */
static void test_away_too_long(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim_away(x, "app");
    struct request a = held_make(t);
    assert_false(tunnel_wait(t, &a.waiter, t->hold.away_since_us + 30000001));
    assert_true(tunnel_wait(t, &a.waiter, t->hold.away_since_us + 29999999));
    tunnel_unwait(t, &a.waiter);
}

/* F2, F3 */
static void test_wait_limits(void **state)
{
    struct fixture *x = *state;
    struct request *all = xcalloc(HOLDS_MAX, sizeof *all), one = held_make(NULL);
    size_t n = 0;
    for (int i = 0; i < HOLDS_MAX / QUEUE_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "app-%d", i);
        struct tunnel *t = claim_away(x, name);
        for (int j = 0; j < QUEUE_MAX; j++, n++) {
            all[n] = held_make(t);
            assert_true(tunnel_wait(t, &all[n].waiter, clock_now_us()));
        }
        assert_false(tunnel_wait(t, &one.waiter, clock_now_us()));
    }
    struct tunnel *last = claim_away(x, "last");
    assert_false(tunnel_wait(last, &one.waiter, clock_now_us()));
    tunnel_unwait(all[0].tunnel, &all[0].waiter);
    assert_true(tunnel_wait(last, &one.waiter, clock_now_us()));
    tunnel_unwait(last, &one.waiter);
    for (size_t i = 1; i < n; i++)
        tunnel_unwait(all[i].tunnel, &all[i].waiter);
    free(all);
}

/* F2 */
static void test_process_limit(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t;
    unsigned retry;
    for (int i = 0; i < DIRECTORY_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "app-%d", i);
        claim(x, name, true);
    }
    assert_int_equal(registry_claim(registry_of(x), SLICE("one-more"), alice,
                                    &(struct claim){.asked = true}, &t, &retry),
                     ERR_LIMIT);
    claim(x, "app-7", true);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pick),
        TEST(test_pick_by_kind),
        TEST(test_wait),
        TEST(test_wait_again),
        TEST(test_wait_for_stream),
        TEST(test_gone),
        TEST(test_away_too_long),
        TEST(test_wait_limits),
        TEST(test_process_limit),
        TEST(test_never_live),
        TEST(test_attaching),
        TEST(test_viewers_share_a_queue),
        TEST(test_names_share_the_process),
    };
    return cmocka_run_group_tests_name("tunnel", tests, NULL, NULL);
}
