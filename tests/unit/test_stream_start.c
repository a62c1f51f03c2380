/* SPDX-License-Identifier: MIT */
/* test_stream_start.c - the windows that bodies start with on a long line, before they have earned
 * them, and what these cost. */
#include "stream_world.h"

/* ---- F80, F82: the start of a body's window */

/* Opens a link whose line has a round trip of 100 ms, of which no PING has told. */
static struct stream_flow *begin_long(struct world *w)
{
    world_open_late(w, H2_OPENER, 100000);
    struct stream_flow *f = &w->session->host.flow;
    assert_true(f->rtt_begin_us >= 100000 && f->rtt_begin_us < 10000000);
    f->rtt_us = f->rtt_least_us = 0;
    return f;
}

/* F80: the window comes right behind the request, before there is an answer, and is dealt among
 * the requests. A crowd gets what it is announced. */
static void test_the_start_follows_the_request(void **state)
{
    static const struct {
        int more;
        int32_t want; /* the window of the last one */
    } rows[] = {{1, 4 * MI}, {1, 2 * MI}, {1, MI},       {1, MI},        {1, MI / 2},
                {4, MI / 4}, {7, MI / 4}, {1, 128 * KI}, {15, 128 * KI}, {1, 16 * KI}};
    static struct world w;
    struct stream_flow *f = begin_long(&w);
    uint64_t granted = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        granted = f->granted;
        assert_int_equal(window_at_peer(&w, open_streams(&w, rows[i].more)), rows[i].want);
        assert_int_equal(f->promised, f->granted);
        assert_true(f->granted <= 16 * MI);
    }
    assert_int_equal(f->granted, granted); /* the 33rd was granted nothing */
    read_all(&w);
    world_close(&w);
}

/* Opens a stream of the viewer who has the first one. Returns its id. */
static int32_t open_beside(struct world *w)
{
    request_beside(w, SLICE("GET"), SLICE(""), w->readers);
    return (int32_t)nghttp2_session_get_next_stream_id(w->session->host.ng) - 2;
}

/* F91: a viewer's only stream starts as beside one other, whatever crowd another viewer has; one
 * more of the crowd gets what is announced. On a near line that is what few streams begin with. */
static void test_the_start_beside_a_crowd(void **state)
{
    static const struct {
        uint64_t line_rate;
        int32_t alone;
    } rows[] = {{LINE_RATE, 2 * MI}, {0, 64 * KI}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        static struct world w;
        struct stream_flow *f = begin_long(&w);
        f->line_rate = 0; /* nothing is granted to the crowd */
        open_stream(&w);
        for (int n = 0; n < 99; n++)
            open_beside(&w);
        assert_int_equal(f->initial, 16 * KI);
        f->line_rate = rows[i].line_rate;
        assert_int_equal(window_at_peer(&w, open_streams(&w, 1)), rows[i].alone);
        assert_int_equal(window_at_peer(&w, open_beside(&w)), 16 * KI);
        assert_int_equal(f->askers, 2);
        read_all(&w);
        world_close(&w);
    }
}

/* F80: a line that is near, or of which nothing is known, leaves the windows as they are, and so
 * do requests without a body to come. */
static void test_no_start(void **state)
{
    static struct world w;
    struct stream_flow *f = begin_long(&w);
    request(&w, SLICE("HEAD"), SLICE(""));
    request(&w, SLICE("CONNECT"), SLICE("websocket"));
    f->rtt_begin_us = 2000;
    open_stream(&w);
    f->rtt_begin_us = 100000;
    f->rtt_least_us = 1500; /* a PING knows better */
    open_stream(&w);
    f->rtt_least_us = 0;
    f->line_rate = 0;
    open_stream(&w);
    LIST_FOREACH (it, &w.session->host.streams)
        assert_int_equal(CONTAINER_OF(it, struct h2_stream, node)->flow.window.size, 64 * KI);
    assert_int_equal(f->granted, 0);
    world_close(&w);
}

/* F81: our first SETTINGS open the windows of uploads, as far as the attach call has shown that the
 * line is long. When a PING knows better, new SETTINGS take that back. */
static void test_the_start_of_an_upload(void **state)
{
    static struct world w;
    world_open_late(&w, H2_SERVER, 20000);
    struct stream_flow *f = &w.session->host.flow;
    int32_t first = 2500000;
    f->rtt_us = f->rtt_least_us = 0;
    f->announced_us = 0;
    stream_host_fit_line(&w.session->host);
    stream_host_retier(&w.session->host);
    settle(&w);
    deliver_all(&w);
    struct stock_stream *st = stock_request(&w.peer);
    stock_frame(&w.peer);
    assert_int_equal(nghttp2_session_get_stream_remote_window_size(w.peer.ng, st->id), first);
    deliver_all(&w);
    assert_int_equal(f->promised, first - 64 * KI);
    for (int i = 0; i < 3; i++)
        open_stream(&w);
    deliver_all(&w);
    assert_int_equal(window_at_peer(&w, 7), first);
    open_stream(&w); /* the fifth */
    deliver_all(&w);
    assert_int_equal(f->initial, first / 4);
    f->rtt_least_us = 100;
    stream_host_fit_line(&w.session->host);
    stream_host_retier(&w.session->host);
    settle(&w);
    deliver_all(&w);
    assert_int_equal(f->initial, 64 * KI);
    send_to_all(&w, 6 * MI);
    read_all(&w);
    check_windows(&w);
    for (size_t i = 0; i < w.n_readers; i++)
        assert_int_equal(w.readers[i].got, 6 * MI);
    world_close(&w);
}

/* F81, F22: an upload whose origin was slow has 64 KiB, also after SETTINGS that lower the windows
 * of all by more than that, and goes on. */
static void test_a_slow_upload_and_settings(void **state)
{
    static struct world w;
    world_open_late(&w, H2_SERVER, 100000);
    struct stream_flow *f = &w.session->host.flow;
    f->rtt_us = f->rtt_least_us = 100000;
    f->announced_us = 0;
    stream_host_fit_line(&w.session->host);
    stream_host_retier(&w.session->host);
    settle(&w);
    deliver_all(&w);
    assert_int_equal(f->initial, 4 * MI);
    open_stream(&w);
    deliver_all(&w);
    struct reader *r = &w.readers[0];
    r->known = true;
    send_to_all(&w, 16 * MI);
    deliver_long(&w, r);
    assert_int_equal(r->held, 4 * MI);
    look(&w);
    look(&w);
    LIST_FOREACH (it, &w.session->host.streams)
        assert_int_equal(CONTAINER_OF(it, struct h2_stream, node)->flow.window.size, 64 * KI);
    for (int i = 0; i < 40; i++)
        open_stream(&w);
    deliver_all(&w);
    assert_int_equal(f->initial, 16 * KI);
    r->known = false;
    read_all(&w);
    check_windows(&w);
    assert_int_equal(r->got, 16 * MI);
    world_close(&w);
}

/* F80: 1 MiB comes in one flight, without any credit. */
static void test_the_first_flight(void **state)
{
    static struct world w;
    begin_long(&w);
    open_stream(&w);
    deliver_to_peer(&w, SIZE_MAX);
    send_to_all(&w, MI);
    for (size_t got = SIZE_MAX; got != w.readers[0].got;) {
        got = w.readers[0].got;
        deliver_to_us(&w, SIZE_MAX);
    }
    assert_int_equal(w.readers[0].got, MI);
    world_close(&w);
}

/* F87, G23: credit of a start goes back in eighths. */
static void test_credit_of_a_start(void **state)
{
    static struct world w;
    begin_long(&w);
    int32_t id = open_streams(&w, 1);
    deliver_all(&w);
    send_to_all(&w, MI);
    deliver_long(&w, &w.readers[0]);
    credit(&w.readers[0], LARGE - 1);
    settle(&w);
    assert_int_equal(window_at_peer(&w, id), 3 * MI);
    credit(&w.readers[0], 1);
    settle(&w);
    assert_int_equal(window_at_peer(&w, id), 3 * MI + LARGE);
    read_all(&w);
    check_windows(&w);
    world_close(&w);
}

/* F87, G23: padding goes back with it. */
static void test_padding_of_a_start(void **state)
{
    static struct world w;
    begin_long(&w);
    open_stream(&w);
    deliver_all(&w);
    w.peer.padding = 200;
    for (int i = 0; i < 40; i++) {
        send_to_all(&w, 200 * KI);
        read_all(&w);
    }
    assert_int_equal(w.readers[0].got, 40 * 200 * KI);
    w.peer.padding = 0;
    check_windows(&w);
    world_close(&w);
}

/* F82: what was granted counts until it has come; then it counts as held; then not at all. */
static void test_promises_are_counted(void **state)
{
    static struct world w;
    struct stream_flow *f = begin_long(&w);
    open_stream(&w);
    assert_int_equal(f->promised, 4 * MI - 64 * KI);
    deliver_all(&w);
    send_to_all(&w, MI);
    deliver_long(&w, &w.readers[0]);
    assert_int_equal(f->promised, 3 * MI - 64 * KI);
    assert_int_equal(f->fill.used, MI);
    credit(&w.readers[0], MI / 2);
    assert_int_equal(f->promised, 3 * MI - 64 * KI + MI / 2);
    close_stream(&w, &w.readers[0]);
    assert_int_equal(f->promised + f->granted, 0);
    settle(&w);
    memcpy(w.peer.length, "1000", 5); /* no more can come */
    open_stream(&w);
    deliver_all(&w);
    assert_int_equal(f->promised, 1000);
    memcpy(w.peer.length, "0", 2); /* not even one byte, though the head has no END_STREAM */
    open_stream(&w);
    deliver_all(&w);
    assert_int_equal(f->promised, 1000);
    world_close(&w);
}

/* F82: nothing is granted that would leave less than a quarter of the budget free. */
static void test_starts_keep_a_quarter_free(void **state)
{
    static struct world w;
    struct reader *r = begin_full(&w, 0);
    struct stream_flow *f = &w.session->host.flow;
    f->learned = LARGE;
    r->known = false;
    read_all(&w);
    send_to_all(&w, LARGE);
    deliver_long(&w, r);
    assert_int_equal(r->held, LARGE); /* earned, not granted */
    assert_int_equal(f->granted, 0);
    f->fill.limit = 700 * KI;
    f->rtt_least_us = 100000;
    open_stream(&w);
    assert_int_equal(f->promised, 525 * KI - LARGE);
    open_stream(&w);
    assert_int_equal(f->promised, 525 * KI - LARGE);
    world_close(&w);
}

/* F82: one link grants half of its budget at most. */
static void test_starts_are_half_of_the_budget(void **state)
{
    static struct world w;
    struct stream_flow *f = begin_long(&w);
    open_stream(&w);
    f->fill.limit = 8 * MI;
    open_stream(&w);
    open_stream(&w);
    assert_int_equal(f->granted, 4 * MI);
    close_stream(&w, &w.readers[0]);
    settle(&w);
    assert_int_equal(f->granted, 64 * KI);
    world_close(&w);
}

/* F82: a slow viewer holds its start, and no credit comes until it holds 64 KiB. Then its grant
 * counts no more than that. */
static void test_a_slow_viewer_gives_its_start_back(void **state)
{
    static struct world w;
    struct stream_flow *f = begin_long(&w);
    struct reader *r = &w.readers[0];
    open_stream(&w);
    r->known = true;
    deliver_all(&w);
    f->rtt_us = f->rtt_least_us = 100000;
    send_to_all(&w, 16 * MI);
    deliver_long(&w, r);
    assert_int_equal(r->held, 4 * MI);
    assert_int_equal(f->promised, 0);
    look(&w);
    look(&w);
    size_t got = r->got;
    read_pieces(&w, r, 4 * MI - 64 * KI);
    assert_int_equal(r->got, got);
    assert_true(read_pieces(&w, r, MI) <= 64 * KI);
    assert_true(f->granted <= 64 * KI);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_start_follows_the_request),
        cmocka_unit_test(test_the_start_beside_a_crowd),
        cmocka_unit_test(test_no_start),
        cmocka_unit_test(test_the_first_flight),
        cmocka_unit_test(test_the_start_of_an_upload),
        cmocka_unit_test(test_a_slow_upload_and_settings),
        cmocka_unit_test(test_credit_of_a_start),
        cmocka_unit_test(test_padding_of_a_start),
        cmocka_unit_test(test_promises_are_counted),
        cmocka_unit_test(test_starts_keep_a_quarter_free),
        cmocka_unit_test(test_starts_are_half_of_the_budget),
        cmocka_unit_test(test_a_slow_viewer_gives_its_start_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
