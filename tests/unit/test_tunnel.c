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
    struct leg *leg = l->backend.ops->open(&l->backend, &m, true, &silent, NULL);
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

struct held {
    struct waiter waiter;
    struct tunnel *tunnel;
    struct backend *got;
    size_t links, gone, rewaits;
};

static void held_on_backend(struct waiter *w, struct backend *b)
{
    struct held *h = CONTAINER_OF(w, struct held, waiter);
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
    CONTAINER_OF(w, struct held, waiter)->gone++;
    assert_false(list_linked(&w->node));
}

static struct held held_make(struct tunnel *t)
{
    return (struct held){.waiter = {.on_backend = held_on_backend, .on_gone = held_on_gone},
                         .tunnel = t};
}

/* F2 */
static void test_wait(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct held a = held_make(t), b = held_make(t), c = held_make(t);
    assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
    assert_true(tunnel_wait(t, &b.waiter, clock_now_us()));
    assert_true(tunnel_wait(t, &c.waiter, clock_now_us()));
    tunnel_unwait(t, &b.waiter);
    tunnel_unwait(t, &b.waiter);
    assert_int_equal(t->n_waiters, 2);
    tunnel_wake(t);
    assert_int_equal(a.links, 0);
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    assert_ptr_equal(a.got, &l->backend);
    assert_int_equal(a.links, 1);
    assert_int_equal(b.links, 0);
    assert_int_equal(c.links, 1);
    assert_int_equal(t->n_waiters, 0);
}

/* A request that has no room for its kind waits again: it is asked once a wake, not for ever. */
static void test_wait_again(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct held a = held_make(t), b = held_make(t);
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
    assert_int_equal(t->n_waiters, 1);
    assert_in_range(a.links, 1, 5);
    tunnel_unwait(t, &a.waiter);
}

/* F3: a request that waits for a full link gets it when a stream closes. */
static void test_wait_for_stream(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct held a = held_make(t);
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
    struct tunnel *t = claim(x, "app", true);
    struct held a = held_make(t), b = held_make(t);
    assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
    assert_true(tunnel_wait(t, &b.waiter, clock_now_us()));
    turn(x, 60);
    assert_null(find(x, "app"));
    assert_int_equal(a.gone, 1);
    assert_int_equal(b.gone, 1);
}

/* F2 */
static void test_away_too_long(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct held a = held_make(t);
    assert_false(tunnel_wait(t, &a.waiter, t->hold.away_since_us + 30000001));
    assert_true(tunnel_wait(t, &a.waiter, t->hold.away_since_us + 29999999));
    tunnel_unwait(t, &a.waiter);
}

/* F2, F3 */
static void test_wait_limits(void **state)
{
    struct fixture *x = *state;
    struct held *all = xcalloc(WAITERS_MAX, sizeof *all), one = held_make(NULL);
    size_t n = 0;
    for (int i = 0; i < WAITERS_MAX / TUNNEL_WAITERS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "app-%d", i);
        struct tunnel *t = claim(x, name, true);
        for (int j = 0; j < TUNNEL_WAITERS_MAX; j++, n++) {
            all[n] = held_make(t);
            assert_true(tunnel_wait(t, &all[n].waiter, clock_now_us()));
        }
        assert_false(tunnel_wait(t, &one.waiter, clock_now_us()));
    }
    struct tunnel *last = claim(x, "last", true);
    assert_false(tunnel_wait(last, &one.waiter, clock_now_us()));
    tunnel_unwait(all[0].tunnel, &all[0].waiter);
    assert_true(directory_wait_begin(x->server.directory, WAITERS_MAX)); /* as another worker's */
    assert_false(tunnel_wait(last, &one.waiter, clock_now_us()));
    directory_wait_end(x->server.directory);
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
    assert_int_equal(
        registry_claim(registry_of(x), SLICE("one-more"), alice, true, NULL, &t, &retry),
        ERR_LIMIT);
    claim(x, "app-7", true);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pick),          TEST(test_pick_by_kind),    TEST(test_wait),
        TEST(test_wait_again),    TEST(test_wait_for_stream), TEST(test_gone),
        TEST(test_away_too_long), TEST(test_wait_limits),     TEST(test_process_limit),
    };
    return cmocka_run_group_tests_name("tunnel", tests, NULL, NULL);
}
