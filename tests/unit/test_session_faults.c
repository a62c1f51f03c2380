/* SPDX-License-Identifier: MIT */
/* test_session_faults.c - what can go wrong between two sessions of ours: owners that let go inside
 * any callback, resets at the worst moment. */
#include "session_world.h"

/* ---- letting go */

/* Anything may be let go of in any callback: nothing is used afterwards (ASan judges) and the other
 * side comes to an end too. */
static void let_go_at(enum moment moment, enum deed deed, bool server_acts)
{
    struct world *w = world_new(&defaults);
    w->moment = moment;
    w->deed = deed;
    w->actor = server_acts ? &w->server : &w->opener;
    settle(w);
    for (int i = 0; i < 3; i++) {
        struct end *e = ask(w, "/answer", false);
        if (e)
            tell(e, SLICE("question"), i > 0);
    }
    settle(w);
    side_reset(&w->opener);
    settle(w);
    if (w->opener.session)
        h2_session_goaway(w->opener.session, SLICE("draining"));
    if (w->server.session)
        h2_session_goaway(w->server.session, SLICE("draining"));
    settle(w);
    world_free(w);
}

static void test_let_go_inside_any_callback(void **state)
{
    for (int moment = ON_NOTHING; moment < MOMENTS; moment++)
        for (int deed = 0; deed < DEEDS; deed++) {
            let_go_at((enum moment)moment, (enum deed)deed, false);
            let_go_at((enum moment)moment, (enum deed)deed, true);
        }
}

/* ---- resets behind a full socket */

enum { UPLOADS = ENDS, UPLOAD = 64 * 1024 };

/* Uploads that fill the pair, the sock's queue and the chunk, so that a DATA frame is made and
 * cannot leave. */
static void get_stuck(struct world *w, bool complete)
{
    static char data[UPLOAD];
    sock_pause(w->ends[1]);
    for (int i = 0; i < UPLOADS; i++)
        tell(ask(w, "/upload", false), slice_make(data, UPLOAD), complete);
    settle(w);
    assert_true(sock_queued(w->ends[0]) > 0);
}

static bool all_over(void *user)
{
    const struct world *w = user;
    return h2_session_open_streams(w->opener.session) == 0 && w->server.resets == UPLOADS;
}

static void reset_while_stuck(const struct h2_options *o, bool complete)
{
    struct world *w = world_up(o);
    get_stuck(w, complete);
    side_reset(&w->opener);
    settle(w);
    sock_resume(w->ends[1]);
    turns_until(w->loop, all_over, w);
    assert_int_equal(w->server.streams, UPLOADS);
    assert_int_equal(w->server.fault.h2_code, 8 /* CANCEL */);
    for (int i = 0; i < UPLOADS; i++)
        assert_false(w->server.ends[i].heard);
    world_free(w);
}

/* The frame's length was promised before the stream was given up: its bytes are still there to be
 * sent. */
static void test_reset_of_a_frame_that_cannot_leave(void **state)
{
    reset_while_stuck(&defaults, false);
}

/* H12: a reset that waits for its token must not end the stream in order meanwhile. */
static void test_frozen_stream_never_looks_complete(void **state)
{
    struct h2_options o = defaults;
    o.reset_burst = 1;
    o.reset_rate = 100;
    reset_while_stuck(&o, false);
}

static bool no_streams(void *user)
{
    return h2_session_open_streams(((struct world *)user)->opener.session) == 0;
}

/* H12: nor when the viewer had sent all of it, of which only a part has left. */
static void test_given_up_tail_never_looks_complete(void **state)
{
    struct h2_options o = defaults;
    o.reset_burst = 1;
    o.reset_rate = 100;
    struct world *w = world_up(&o);
    static char data[3 * UPLOAD];
    struct end *e[2] = {ask(w, "/upload", false), ask(w, "/upload", false)};
    sock_pause(w->ends[1]);
    for (int i = 0; i < 2; i++)
        tell(e[i], slice_make(data, sizeof data), true);
    settle(w);
    for (int i = 0; i < 2; i++)
        end_reset(e[i]);
    sock_resume(w->ends[1]);
    turns_until(w->loop, no_streams, w);
    assert_int_equal(w->server.resets, 2);
    assert_false(w->server.ends[0].heard || w->server.ends[1].heard);
    world_free(w);
}

/* ---- GOAWAY */

static bool opener_reset(void *user)
{
    return ((struct world *)user)->opener.resets > 0;
}

static bool server_has_one(void *user)
{
    return ((struct world *)user)->server.streams == 1;
}

/* E18: a request that crosses the shutdown notice is served; the GOAWAY that names the last stream
 * comes a round trip later. */
static void test_request_that_crosses_the_notice_is_served(void **state)
{
    struct world *w = world_up(&defaults);
    h2_session_goaway(w->server.session, SLICE(""));
    ask(w, "/answer", true);
    turns_until(w->loop, server_has_one, w);
    settle(w);
    assert_int_equal(w->opener.resets, 0);
    assert_true(!w->opener.session || !h2_session_can_open(w->opener.session));
    world_free(w);
}

/* F4: the client said goodbye and ended while the request was about to leave: it did nothing with
 * it, so it may be sent again. */
static void test_request_behind_goaway_is_unprocessed(void **state)
{
    struct world *w = world_up(&defaults);
    h2_session_goaway(w->server.session, SLICE(""));
    side_close(&w->server);
    ask(w, "/answer", true);
    turns_until(w->loop, opener_reset, w);
    assert_true(w->opener.fault.unprocessed);
    assert_int_equal(w->server.streams, 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_let_go_inside_any_callback),
        cmocka_unit_test(test_reset_of_a_frame_that_cannot_leave),
        cmocka_unit_test(test_frozen_stream_never_looks_complete),
        cmocka_unit_test(test_given_up_tail_never_looks_complete),
        cmocka_unit_test(test_request_that_crosses_the_notice_is_served),
        cmocka_unit_test(test_request_behind_goaway_is_unprocessed),
    };
    return cmocka_run_group_tests_name("session, faults", tests, NULL, NULL);
}
