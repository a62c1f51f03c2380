/* SPDX-License-Identifier: MIT */
/* test_session_resets.c - streams that end before their time: who is told what, and how fast. RFC
 * 9113 8.1. */
#include "session_pair.h"

/* D12: RFC 9113 8.1: answered before the upload ended; the rest is not wanted, and that is no
 * failure. */
static void test_early_answer_stops_upload(void **state)
{
    struct world *w = open_world(&defaults);
    request(w, "POST", "/", false);
    turns_until(w->loop, far_here, w);
    respond(w->far.leg, 413, true);
    turns_until(w->loop, near_reset, w);
    assert_int_equal(w->near.status, 413);
    assert_true(w->near.ended);
    assert_int_equal(w->near.fault.err, ERR_CLOSED);
    close_world(w);
}

/* W7: a peer that has said all of it and takes no more of a WebSocket ends it in order; one that
 * fails behind its end does not. */
static void test_a_reset_behind_the_end(void **state)
{
    static const struct {
        uint32_t code;
        int want;
    } rows[] = {{8 /* CANCEL */, ERR_CLOSED}, {2 /* INTERNAL_ERROR */, ERR_RESET}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = open_world(&defaults);
        struct leg_fault why = {.err = ERR_RESET, .h2_code = rows[i].code};
        request(w, "CONNECT", "/ws", false);
        turns_until(w->loop, far_here, w);
        respond(w->far.leg, 200, false);
        w->far.leg->ops->body(w->far.leg, SLICE("bye"), true);
        turns_until(w->loop, near_ended, w);
        w->far.leg->ops->reset(w->far.leg, &why);
        turns_until(w->loop, near_reset, w);
        assert_int_equal(w->near.fault.err, rows[i].want);
        close_world(w);
    }
}

/* A viewer that takes its request back: complete or not, it is a reset. */
static void test_a_request_taken_back(void **state)
{
    struct world *w = open_world(&defaults);
    struct leg_fault why = {.err = ERR_RESET};
    struct leg *leg = request(w, "GET", "/", true);
    turns_until(w->loop, far_here, w);
    leg->ops->reset(leg, &why);
    turns_until(w->loop, far_reset, w);
    assert_int_equal(w->far.fault.err, ERR_RESET);
    close_world(w);
}

static void test_reset_codes(void **state)
{
    static const struct {
        bool from_opener;
        uint32_t given, want;
        bool unprocessed;
    } rows[] = {
        {true, 0, 8 /* CANCEL */, false},
        {false, 0, 2 /* INTERNAL_ERROR */, false},
        {false, 1, 1 /* PROTOCOL_ERROR */, false},
        {false, 7, 7 /* REFUSED_STREAM */, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = open_world(&defaults);
        struct leg *leg = request(w, "POST", "/", false);
        turns_until(w->loop, far_here, w);
        struct leg_fault why = {.err = ERR_CLOSED, .h2_code = rows[i].given};
        struct leg *from = rows[i].from_opener ? leg : w->far.leg;
        from->ops->reset(from, &why);
        from->ops->reset(from, &why);
        turns_until(w->loop, rows[i].from_opener ? far_reset : near_reset, w);
        struct end *told = rows[i].from_opener ? &w->far : &w->near;
        assert_int_equal(told->fault.h2_code, rows[i].want);
        assert_int_equal(told->fault.unprocessed, rows[i].unprocessed);
        close_world(w);
    }
}

static bool no_streams(void *user)
{
    struct world *w = user;
    return h2_session_open_streams(w->opener) == 0;
}

/* Over the burst a reset waits for its token; the stream counts until it went
 * (http-rules.md#links). */
static void test_resets_are_paced(void **state)
{
    struct world *w = open_world(&defaults);
    struct leg *legs[8];
    struct leg_fault why = {.err = ERR_CLOSED};
    for (int i = 0; i < 8; i++)
        legs[i] = request(w, "POST", "/", false);
    turns_until(w->loop, far_here, w);
    for (int i = 0; i < 8; i++)
        legs[i]->ops->reset(legs[i], &why);
    turns_until(w->loop, never_wait, w);
    assert_true(h2_session_open_streams(w->opener) >= 5);
    turns_until(w->loop, no_streams, w);
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_early_answer_stops_upload),
        cmocka_unit_test(test_a_reset_behind_the_end),
        cmocka_unit_test(test_a_request_taken_back),
        cmocka_unit_test(test_reset_codes),
        cmocka_unit_test(test_resets_are_paced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
