/* SPDX-License-Identifier: MIT */
/* test_session.c - how a session ends: its link is lost, GOAWAY lets streams finish, a peer says
 * nothing. RFC 9113. */
#include "session_pair.h"

static bool opener_gone(void *user)
{
    return ((struct world *)user)->closed_opener;
}

/* A request that never left is safe to send again, one that left is not. */
static void test_lost_link(void **state)
{
    struct world *w = open_world(&defaults);
    request(w, "GET", "/", true);
    turns_until(w->loop, far_here, w);
    h2_session_close(w->server, 0);
    w->server = NULL;
    turns_until(w->loop, opener_gone, w);
    assert_true(w->near.was_reset);
    assert_false(w->near.fault.unprocessed);
    close_world(w);
}

static bool goaway_seen(void *user)
{
    return ((struct world *)user)->goaway_server;
}

static bool both_gone(void *user)
{
    struct world *w = user;
    return w->closed_opener && w->closed_server;
}

static void test_goaway_lets_streams_finish(void **state)
{
    struct world *w = open_world(&defaults);
    request(w, "GET", "/", true);
    turns_until(w->loop, far_here, w);
    h2_session_goaway(w->opener, SLICE("draining"));
    assert_false(h2_session_can_open(w->opener));
    turns_until(w->loop, goaway_seen, w);
    assert_string_equal(w->debug, "draining");
    respond(w->far.leg, 200, true);
    turns_until(w->loop, near_ended, w);
    assert_false(w->near.was_reset);
    turns_until(w->loop, both_gone, w);
    close_world(w);
}

/* A peer that takes bytes and answers none is dead within the probe's time. */
static void test_probe_finds_dead_peer(void **state)
{
    struct world *w = open_world(&defaults);
    turns_until(w->loop, never_wait, w);
    sock_pause(h2_session_sock(w->server));
    h2_session_probe(w->opener, 50);
    turns_until(w->loop, opener_gone, w);
    assert_int_equal(w->close_err, ERR_TIMEOUT);
    close_world(w);
}

static void ignore_readable(void *user)
{
    sock_pause(user);
}

static void test_silent_peer_has_no_settings(void **state)
{
    static const struct sock_ops silent = {.on_readable = ignore_readable};
    struct world *w = calloc(1, sizeof *w);
    struct h2_options o = defaults;
    o.settings_timeout_ms = 40;
    w->loop = loop_new();
    sock_pair(w->loop, &w->a, &w->b);
    sock_set_ops(w->b, &silent, w->b);
    w->opener = h2_session_new(w->loop, w->a, H2_OPENER, &o, &opener_ops, w);
    turns_until(w->loop, opener_gone, w);
    assert_false(w->up_opener);
    sock_close(w->b);
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_link),
        cmocka_unit_test(test_goaway_lets_streams_finish),
        cmocka_unit_test(test_probe_finds_dead_peer),
        cmocka_unit_test(test_silent_peer_has_no_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
