/* SPDX-License-Identifier: MIT */
/* test_registry.c - tests who gets a name and for how long, and who may attach to it. registry.h,
 * protocol.md#held-names, protocol.md#who-may-attach */
#include "registry_world.h"

/* ---- names */

/* O1, O2 */
static void test_claim(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true), *again = NULL;
    unsigned retry = 0;
    assert_ptr_equal(find(x, "app"), t);
    assert_int_equal(t->state, TUNNEL_PENDING);
    assert_true(t->asked);
    assert_int_equal(registry_claim(registry_of(x), SLICE("app"), bob,
                                    &(struct claim){.asked = true}, &again, &retry),
                     ERR_TAKEN);
    assert_in_range(retry, 59, 61);
    assert_null(again);
    assert_int_equal(registry_claim(registry_of(x), SLICE("app"), alice,
                                    &(struct claim){.asked = false}, &again, &retry),
                     0);
    assert_ptr_equal(again, t);
    assert_true(t->asked);
    assert_null(find(x, "apps"));
    registry_drop(registry_of(x), t);
    assert_null(find(x, "app"));
}

/* O3 */
static void test_pending_expires(void **state)
{
    struct fixture *x = *state;
    x->config.names.pending_ms = 30;
    close_names(x);
    open_registry(x);
    uint64_t begun_us = clock_now_us();
    claim(x, "app", true);
    assert_non_null(find(x, "app"));
    for (int i = 0; i < WAIT_MS && find(x, "app"); i++)
        turn(x, 1);
    assert_null(find(x, "app"));
    /* The loop's clock may be a moment behind this one. */
    assert_true(clock_now_us() - begun_us >= 25 * 1000);
}

/* O4 */
static void test_live_and_graced(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true), *other;
    unsigned retry = 99;
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    assert_int_equal(t->state, TUNNEL_LIVE);
    assert_int_equal(t->hold.away_since_us, 0);
    assert_false(timer_armed(&t->hold.timer));
    assert_int_equal(registry_claim(registry_of(x), SLICE("app"), bob,
                                    &(struct claim){.asked = true}, &other, &retry),
                     ERR_TAKEN);
    assert_int_equal(retry, 0);
    struct directory_counts c = directory_counts(x->server.directory);
    assert_int_equal(c.names, 1);
    assert_int_equal(c.live, 1);
    assert_int_equal(stat_get(&x->worker->stats.links_open), 1);
    link_close(l, 0);
    assert_int_equal(t->state, TUNNEL_GRACED);
    assert_int_not_equal(t->hold.away_since_us, 0);
    assert_int_equal(registry_claim(registry_of(x), SLICE("app"), bob,
                                    &(struct claim){.asked = true}, &other, &retry),
                     ERR_TAKEN);
    assert_in_range(retry, 599, 601);
    attach(x, "app", INSTANCE_A, 0, 10);
    assert_int_equal(t->state, TUNNEL_LIVE);
}

/* O4: a renewal shortly before the end of the grace leaves time to attach. */
static void test_claim_prolongs(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    tunnel_hold(t, TUNNEL_GRACED, 1000);
    claim(x, "app", true);
    assert_int_equal(t->state, TUNNEL_GRACED);
    assert_true(t->hold.until_us > clock_now_us() + 50 * 1000000);
    tunnel_hold(t, TUNNEL_GRACED, 600000);
    claim(x, "app", true);
    assert_true(t->hold.until_us > clock_now_us() + 500 * 1000000);
}

/* Whether the name was asked for, whether its client said goodbye, and whether the name is held
 * then. */
static const struct {
    bool asked, goodbye, held;
} leavings[] = {
    {true, true, true},
    {true, false, true},
    {false, false, true},
    {false, true, false},
};

/* O17 */
static void test_leaving(void **state)
{
    struct fixture *x = *state;
    for (size_t i = 0; i < sizeof leavings / sizeof leavings[0]; i++) {
        struct tunnel *t = claim(x, "app", leavings[i].asked);
        struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
        l->goodbye = leavings[i].goodbye;
        link_close(l, 0);
        assert_int_equal(t->state, TUNNEL_GRACED);
        turn(x, 20);
        if (!find(x, "app") == leavings[i].held)
            fail_msg("row %zu", i);
        if (leavings[i].held)
            registry_drop(registry_of(x), t);
    }
}

/* A name is dropped while a link serves it: the link stays up without a tunnel. */
static void test_drop_live(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    registry_drop(registry_of(x), t);
    assert_null(l->backend.tunnel);
    assert_int_equal(l->state, LINK_UP);
    link_close(l, 0);
}

/* ---- who may attach */

/* O7 */
static void test_slots(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    unsigned retry;
    for (unsigned slot = 0; slot < 4; slot++) {
        assert_int_equal(tunnel_may_join(t, &(struct place){.instance = INSTANCE_A, .slot = slot},
                                         4, clock_now_us(), &retry),
                         JOIN_OK);
        attach(x, "app", INSTANCE_A, slot, 10);
        assert_int_equal(t->n_links, slot + 1);
    }
    assert_int_equal(tunnel_may_join(t, &(struct place){.instance = INSTANCE_A, .slot = 4}, 4,
                                     clock_now_us(), &retry),
                     JOIN_TOO_MANY);
    assert_int_equal(tunnel_may_join(t, &(struct place){.instance = INSTANCE_A, .slot = 2}, 4,
                                     clock_now_us(), &retry),
                     JOIN_OK);
    struct link *first = CONTAINER_OF(t->backends.next, struct link, backend.in_tunnel);
    link_drain(first); /* a draining link does not count */
    assert_int_equal(t->n_links, 3);
    assert_int_equal(tunnel_may_join(t, &(struct place){.instance = INSTANCE_A, .slot = 4}, 4,
                                     clock_now_us(), &retry),
                     JOIN_OK);
}

/* O8 */
static void test_replace(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    attach(x, "app", INSTANCE_A, 0, 10);
    struct link *beside = attach(x, "app", INSTANCE_A, 1, 10);
    struct link *newcomer = attach(x, "app", INSTANCE_A, 0, 10);
    assert_int_equal(t->n_links, 2);
    assert_int_equal(t->state, TUNNEL_LIVE);
    assert_true((beside->backend.ops->fitness(&beside->backend, STREAM_REQUEST) > FITNESS_NONE));
    assert_true(
        (newcomer->backend.ops->fitness(&newcomer->backend, STREAM_REQUEST) > FITNESS_NONE));
    assert_int_equal(t->takeover.count, 0);
}

static const struct {
    const char *what;
    struct slice first, second;
} rivals[] = {
    {"other instance",
     {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 32},
     {"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 32}},
    {"no instances", {"", 0}, {"", 0}},
    {"one of them names none", {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 32}, {"", 0}},
};

/* O9, O11 */
static void test_take_over(void **state)
{
    struct fixture *x = *state;
    for (size_t i = 0; i < sizeof rivals / sizeof rivals[0]; i++) {
        struct tunnel *t = claim(x, "app", true);
        attach(x, "app", rivals[i].first, 0, 10);
        if (rivals[i].first.len > 0)
            attach(x, "app", rivals[i].first, 1, 10);
        struct link *newcomer = attach(x, "app", rivals[i].second, 0, 10);
        if (t->n_links != 1 || t->takeover.count != 1 ||
            tunnel_pick(t, STREAM_REQUEST) != &newcomer->backend)
            fail_msg("%s: %zu links", rivals[i].what, t->n_links);
        assert_int_equal(t->state, TUNNEL_LIVE);
        registry_drop(registry_of(x), t);
        link_close(newcomer, 0);
    }
}

static void await_links(struct fixture *x, size_t count)
{
    for (int i = 0; i < WAIT_MS && (size_t)stat_get(&x->worker->stats.links_open) != count; i++)
        turn(x, 1);
    assert_int_equal(stat_get(&x->worker->stats.links_open), count);
}

/* O9: an instance loses its name while its second link is attaching. That link is turned away and
 * takes nothing over. After the rival has left it may join, and a link that began later may take
 * over as always. */
static void test_too_late_to_take_over(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct sock *first, *second;
    attach(x, "app", INSTANCE_A, 0, 10);
    begin(x, "app", INSTANCE_A, 1, &first);
    struct link *patient = begin(x, "app", INSTANCE_A, 2, &second);
    struct link *b = attach(x, "app", INSTANCE_B, 0, 10);
    await_links(x, 3); /* the first link of instance A is gone, and two are attaching */
    greet(x, first, 10);
    await_links(x, 2);
    assert_int_equal(t->takeover.count, 1);
    assert_ptr_equal(tunnel_pick(t, STREAM_REQUEST), &b->backend);
    link_close(b, 0);
    greet(x, second, 10);
    for (int i = 0; i < WAIT_MS && patient->state == LINK_ATTACHING; i++)
        turn(x, 1);
    assert_ptr_equal(tunnel_pick(t, STREAM_REQUEST), &patient->backend);
    attach(x, "app", INSTANCE_B, 0, 10);
    turn(x, 2);
    attach(x, "app", INSTANCE_A, 0, 10);
    assert_int_equal(t->takeover.count, 3);
}

/* O12 */
static void test_flapping(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    uint64_t now = clock_now_us();
    unsigned retry = 0;
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    for (size_t i = 0; i < 5; i++)
        t->takeover.at_us[t->takeover.count++] = now + i;
    now += 1000000;
    assert_int_equal(
        tunnel_may_join(t, &(struct place){.instance = INSTANCE_B, .slot = 0}, 4, now, &retry),
        JOIN_FLAPPING);
    assert_int_equal(retry, 60);
    assert_int_equal(tunnel_may_join(t, &(struct place){.instance = NONE, .slot = 0}, 4,
                                     now + 20 * 1000000, &retry),
                     JOIN_FLAPPING);
    assert_int_equal(retry, 40);
    /* The instance that is there stays, and may come back. */
    assert_int_equal(
        tunnel_may_join(t, &(struct place){.instance = INSTANCE_A, .slot = 0}, 4, now, &retry),
        JOIN_OK);
    assert_int_equal(
        tunnel_may_join(t, &(struct place){.instance = INSTANCE_A, .slot = 1}, 4, now, &retry),
        JOIN_OK);
    /* After the minute the other instance may take over. */
    assert_int_equal(tunnel_may_join(t, &(struct place){.instance = INSTANCE_B, .slot = 0}, 4,
                                     now + MINUTE_US, &retry),
                     JOIN_OK);
    /* An instance may always take a name that no link serves. */
    t->takeover.flapping_until_us = now + MINUTE_US;
    assert_int_equal(
        tunnel_may_join(t, &(struct place){.instance = INSTANCE_B, .slot = 0}, 4, now, &retry),
        JOIN_FLAPPING);
    link_close(l, 0);
    assert_int_equal(
        tunnel_may_join(t, &(struct place){.instance = INSTANCE_B, .slot = 0}, 4, now, &retry),
        JOIN_OK);
}

/* O10: two instances share a name when both have asked for the pool. */
static void test_pool(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    uint64_t now = clock_now_us();
    unsigned retry;
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    const struct place alone = {.instance = INSTANCE_B},
                       pool = {.instance = INSTANCE_B, .pool = true};
    t->takeover.flapping_until_us = now + MINUTE_US; /* nobody may take over */
    assert_int_equal(tunnel_may_join(t, &pool, 4, now, &retry), JOIN_FLAPPING);
    l->backend.pool = true;
    assert_int_equal(tunnel_may_join(t, &alone, 4, now, &retry), JOIN_FLAPPING);
    assert_int_equal(tunnel_may_join(t, &pool, 4, now, &retry), JOIN_OK);
    assert_int_equal(tunnel_may_join(t, &pool, 1, now, &retry), JOIN_TOO_MANY);
}

/* O12 */
static void test_few_takeovers(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    uint64_t now = clock_now_us();
    unsigned retry;
    attach(x, "app", INSTANCE_A, 0, 10);
    for (size_t i = 0; i < 9; i++) /* the ring has wrapped; four takeovers are recent */
        t->takeover.at_us[t->takeover.count++ % 6] = i < 5 ? now - 2ULL * MINUTE_US : now;
    assert_int_equal(
        tunnel_may_join(t, &(struct place){.instance = INSTANCE_B, .slot = 0}, 4, now, &retry),
        JOIN_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* F51 F57: a PENDING name is dropped for the name of an address that has none; a name whose client
 * is there is not; an owner who comes back finds room in any case. */
static void test_names_have_shares(void **state)
{
    static const struct address greedy = {.host = UINT64_C(0xffffc0000201)},
                                other = {.host = UINT64_C(0xffffc0000202)};
    struct fixture *x = *state;
    struct claim by_greedy = {.asked = true, .from = &greedy}, by_other = {.from = &other};
    struct claim back = {.asked = true, .returning = true, .from = &other};
    struct tunnel *t;
    unsigned retry;
    x->server.names = registry_names_new(4);
    assert_int_equal(registry_claim(registry_of(x), SLICE("name-a"), alice, &by_greedy, &t, &retry),
                     0);
    attach(x, "name-a", INSTANCE_A, 0, 10);
    assert_int_equal(registry_claim(registry_of(x), SLICE("name-b"), alice, &by_greedy, &t, &retry),
                     0);
    assert_int_equal(registry_claim(registry_of(x), SLICE("name-c"), alice, &by_greedy, &t, &retry),
                     0);
    assert_int_equal(registry_claim(registry_of(x), SLICE("name-d"), bob, &by_other, &t, &retry),
                     0);
    assert_int_equal(registry_claim(registry_of(x), SLICE("name-e"), bob, &by_other, &t, &retry),
                     0);
    turn(x, 1);
    assert_non_null(find(x, "name-a"));
    assert_null(find(x, "name-b"));
    assert_non_null(find(x, "name-c"));
    attach(x, "name-c", INSTANCE_A, 0, 10);
    tunnel_hold(find(x, "name-d"), TUNNEL_GRACED, 60000);
    tunnel_hold(find(x, "name-e"), TUNNEL_GRACED, 60000);
    for (int i = 0; i < 2; i++) /* which is noted with the next claim */
        assert_int_equal(registry_claim(registry_of(x), i == 0 ? SLICE("name-d") : SLICE("name-e"),
                                        bob, &by_other, &t, &retry),
                         0);
    assert_int_equal(registry_claim(registry_of(x), SLICE("name-f"), bob, &by_other, &t, &retry),
                     ERR_LIMIT);
    assert_null(find(x, "name-f"));
    assert_int_equal(registry_claim(registry_of(x), SLICE("name-f"), bob, &back, &t, &retry), 0);
    assert_int_equal(commons_count(x->server.names), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_have_shares),
        TEST(test_claim),
        TEST(test_pending_expires),
        TEST(test_live_and_graced),
        TEST(test_claim_prolongs),
        TEST(test_leaving),
        TEST(test_drop_live),
        TEST(test_slots),
        TEST(test_replace),
        TEST(test_take_over),
        TEST(test_too_late_to_take_over),
        TEST(test_flapping),
        TEST(test_pool),
        TEST(test_few_takeovers),
    };
    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
