/* SPDX-License-Identifier: MIT */
/* test_session_streams.c - heads, trailers and ends of streams between two sessions. RFC 9113, RFC
 * 8441. */
#include "session_pair.h"

/* H4, H13 */
static void test_get(void **state)
{
    struct world *w = open_world(&defaults);
    assert_non_null(request(w, "GET", "/a?b=c", true));
    turns_until(w->loop, far_here, w);
    assert_string_equal(w->far.path, "/a?b=c");
    assert_string_equal(w->far.authority, "demo.example.com");
    assert_true(w->far.ended);
    respond(w->far.leg, 204, true);
    turns_until(w->loop, near_ended, w);
    assert_int_equal(w->near.status, 204);
    assert_string_equal(w->near.first_field, "yes");
    assert_int_equal(h2_session_open_streams(w->opener), 0);
    close_world(w);
}

/* Interim heads come one by one before the final one (RFC 9113 8.1). */
static void test_interim(void **state)
{
    struct world *w = open_world(&defaults);
    request(w, "GET", "/", true);
    turns_until(w->loop, far_here, w);
    respond(w->far.leg, 103, false);
    respond(w->far.leg, 200, true);
    turns_until(w->loop, near_ended, w);
    assert_int_equal(w->near.heads, 2);
    assert_int_equal(w->near.status, 200);
    close_world(w);
}

/* Q29, R13 */
static void test_trailers(void **state)
{
    struct world *w = open_world(&defaults);
    struct fields t;
    w->answer_at_once = true;
    request(w, "GET", "/", true);
    turns_until(w->loop, far_here, w);
    fields_init(&t);
    fields_add(&t, SLICE("x-sum"), SLICE("1"));
    w->far.leg->ops->body(w->far.leg, SLICE("hello"), false);
    w->far.leg->ops->trailers(w->far.leg, &t);
    fields_deinit(&t);
    turns_until(w->loop, near_ended, w);
    assert_true(w->near.trailers);
    assert_int_equal(w->near.body, 5);
    close_world(w);
}

/* W7: RFC 8441: each direction ends by itself. */
static void test_websocket_half_close(void **state)
{
    struct world *w = open_world(&defaults);
    assert_true(h2_session_takes_websockets(w->opener));
    struct leg *leg = request(w, "CONNECT", "/ws", false);
    turns_until(w->loop, far_here, w);
    assert_string_equal(w->far.protocol, "websocket");
    respond(w->far.leg, 200, false);
    w->far.leg->ops->body(w->far.leg, SLICE("bye"), true);
    turns_until(w->loop, near_ended, w);
    assert_false(w->near.was_reset);
    leg->ops->body(leg, SLICE("later"), true);
    turns_until(w->loop, far_ended, w);
    assert_int_equal(w->far.body, 5);
    close_world(w);
}

static const struct {
    const char *id, *authority, *host, *other_host;
    const char *want; /* the authority that the far end sees; NULL: reset */
} hosts[] = {
    {"D1 the same", "demo.example.com", "DEMO.example.com", NULL, "DEMO.example.com"},
    {"D1 host alone", "", "demo.example.com", NULL, "demo.example.com"},
    {"D1 different", "demo.example.com", "other.example.com", NULL, NULL},
    {"D1 another port", "demo.example.com", "demo.example.com:81", NULL, NULL},
    {"D1 host twice", "demo.example.com", "demo.example.com", "demo.example.com", NULL},
};

static bool far_here_or_near_reset(void *user)
{
    return far_here(user) || near_reset(user);
}

static void test_hosts(void **state)
{
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct world *w = open_world(&defaults);
        struct message m;
        print_message("%s\n", hosts[i].id);
        message_init(&m);
        m.method = SLICE("GET");
        m.scheme = SLICE("https");
        m.authority = slice_str(hosts[i].authority);
        m.path = SLICE("/");
        fields_add(&m.fields, SLICE("host"), slice_str(hosts[i].host));
        if (hosts[i].other_host)
            fields_add(&m.fields, SLICE("host"), slice_str(hosts[i].other_host));
        w->near.leg = h2_stream_open(w->opener, &m, true, &near_events, &w->near);
        message_deinit(&m);
        turns_until(w->loop, far_here_or_near_reset, w);
        if (!hosts[i].want)
            assert_int_equal(w->near.fault.h2_code, 1 /* PROTOCOL_ERROR */);
        else
            assert_string_equal(w->far.authority, hosts[i].want);
        close_world(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),      cmocka_unit_test(test_interim),
        cmocka_unit_test(test_trailers), cmocka_unit_test(test_websocket_half_close),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
