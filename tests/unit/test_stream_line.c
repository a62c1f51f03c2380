/* SPDX-License-Identifier: MIT */
/* test_stream_line.c - what the DATA of streams teaches of their line, and how the windows of later
 * bodies follow it. The time of each frame is the test's. */
#include "stream_world.h"

enum { MS = 1000, ROUND_TRIP_US = 100 * MS, RATE = 2500000, PRODUCT = 250000, FRAMES = 100 };

static struct h2_stream *newest(struct world *w)
{
    return CONTAINER_OF(w->session->host.streams.prev, struct h2_stream, node);
}

static void begin(struct world *w, enum h2_role ours, const struct line_rate *learned)
{
    world_open_again(w, ours, ROUND_TRIP_US, learned);
    struct stream_flow *f = &w->session->host.flow;
    f->rtt_us = f->rtt_least_us = ROUND_TRIP_US;
    f->announced_us = 0;
}

/* A frame of each stream comes, as a line of @rate brings them. */
static void come(struct world *w, uint64_t rate, size_t bytes, struct h2_stream **streams, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        w->session->host.last_rx_us += bytes * 1000000 / rate;
        h2_stream_arrived(streams[i], bytes, false);
    }
}

/* The last body that was opened comes over a line of @rate for a second, in full frames. */
static void teach(struct world *w, uint64_t rate)
{
    struct h2_stream *st = newest(w);
    for (uint64_t n = rate / SCHEDULE_FRAME; n > 0; n--)
        come(w, rate, SCHEDULE_FRAME, &st, 1);
}

/* The window that the next body starts with. */
static int32_t next_start(struct world *w)
{
    for (size_t i = 0; i < w->n_readers; i++)
        close_stream(w, &w->readers[i]);
    settle(w);
    return window_at_peer(w, open_streams(w, 1));
}

/* F85: the first body starts with what is expected, the next one with what the first has shown. The
 * owner is told. When a line has become faster, the start follows. */
static void test_the_next_start_is_learned(void **state)
{
    static struct world w;
    begin(&w, H2_OPENER, &(struct line_rate){0});
    assert_int_equal(next_start(&w), 4 * MI);
    teach(&w, RATE);
    assert_in_range(w.learned.rate, RATE * 95 / 100, RATE * 105 / 100);
    assert_in_range(next_start(&w), PRODUCT * 95 / 100, PRODUCT * 105 / 100);
    teach(&w, 4 * RATE);
    assert_in_range(next_start(&w), 4 * PRODUCT * 95 / 100, 4 * PRODUCT * 105 / 100);
    teach(&w, 100 * RATE);
    assert_int_equal(next_start(&w), 4 * MI);
    world_close(&w);
}

/* F85: what a window has grown to is no start for a body that is alone on a line that is known.
 * Other bodies have to keep up with each other. */
static void test_a_start_and_what_others_have(void **state)
{
    static struct world w;
    struct line_rate learned = {RATE, clock_now_us()};
    begin(&w, H2_OPENER, &learned);
    struct stream_flow *f = &w.session->host.flow;
    f->learned = LARGE;
    assert_int_equal(next_start(&w), PRODUCT);
    send_to_all(&w, 1);
    deliver_all(&w);
    f->rtt_us = f->rtt_least_us = ROUND_TRIP_US; /* a PING was answered at once */
    assert_int_equal(window_at_peer(&w, open_streams(&w, 1)), LARGE);
    world_close(&w);
}

/* F82, F85: what is granted on a line that is known counts as promised, and is dealt among the
 * requests. Beside 32 others nothing is granted. */
static void test_what_a_learned_start_costs(void **state)
{
    static struct world w;
    struct line_rate learned = {4 * RATE, clock_now_us()};
    begin(&w, H2_OPENER, &learned);
    struct stream_flow *f = &w.session->host.flow;
    assert_int_equal(next_start(&w), 4 * PRODUCT);
    assert_int_equal(f->promised, 4 * PRODUCT - 64 * KI);
    assert_int_equal(window_at_peer(&w, open_streams(&w, 1)), 2 * PRODUCT);
    assert_int_equal(f->promised, 6 * PRODUCT - 2 * 64 * KI);
    open_streams(&w, 30);
    uint64_t granted = f->granted;
    assert_true(granted <= 16 * MI);
    assert_int_equal(window_at_peer(&w, open_streams(&w, 1)), 16 * KI);
    assert_int_equal(f->granted, granted);
    world_close(&w);
}

/* F82, F85: a viewer that stalls holds its start, and 64 KiB of it when it is found to be slow. */
static void test_a_stalled_viewer_of_a_known_line(void **state)
{
    static struct world w;
    struct line_rate learned = {4 * RATE, clock_now_us()};
    begin(&w, H2_OPENER, &learned);
    struct stream_flow *f = &w.session->host.flow;
    open_stream(&w);
    struct reader *r = &w.readers[0];
    r->known = true;
    deliver_all(&w);
    send_to_all(&w, 4 * MI);
    deliver_long(&w, r);
    assert_int_equal(r->held, 4 * PRODUCT);
    look(&w);
    look(&w);
    read_pieces(&w, r, r->held - 64 * KI);
    assert_true(read_pieces(&w, r, MI) <= 64 * KI);
    assert_true(f->granted <= 64 * KI);
    world_close(&w);
}

/* F86: a new link of the same place knows what the one before it has learned, until ten minutes
 * after it was shown. */
static void test_a_new_link(void **state)
{
    const uint64_t minute = 60000000, now = clock_now_us() + 11 * minute;
    static const struct {
        const char *id;
        uint64_t minutes;
        int32_t want;
    } rows[] = {
        {"F86 just now", 0, PRODUCT}, {"F86 9 min", 9, PRODUCT}, {"F86 10 min", 10, 4 * MI}};
    static struct world w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct line_rate learned = {RATE, now - 11 * minute - rows[i].minutes * minute};
        begin(&w, H2_OPENER, &learned);
        if (next_start(&w) != rows[i].want)
            fail_msg("%s: %d", rows[i].id, window_at_peer(&w, newest(&w)->id));
        world_close(&w);
    }
}

/* F86: the first SETTINGS of a new link say it for uploads. */
static void test_a_new_link_for_uploads(void **state)
{
    static struct world w;
    struct line_rate learned = {RATE, clock_now_us()};
    begin(&w, H2_SERVER, &learned);
    struct stream_flow *f = &w.session->host.flow;
    assert_int_equal(f->first_rate, RATE);
    stream_host_fit_line(&w.session->host);
    assert_int_equal(f->first, PRODUCT);
    world_close(&w);
}

/* F85: uploads teach oneport. SETTINGS follow when no upload is open, since they change the windows
 * of open streams, too; and not for a rate that has hardly changed. */
static void test_uploads_are_learned(void **state)
{
    static struct world w;
    begin(&w, H2_SERVER, &(struct line_rate){0});
    struct stream_flow *f = &w.session->host.flow;
    stream_host_fit_line(&w.session->host);
    stream_host_retier(&w.session->host);
    assert_int_equal(f->initial, 4 * MI);
    open_stream(&w);
    deliver_all(&w);
    send_to_all(&w, 1);
    deliver_all(&w);
    f->rtt_us = f->rtt_least_us = ROUND_TRIP_US; /* a PING was answered at once */
    teach(&w, RATE);
    stream_host_fit_line(&w.session->host);
    assert_int_equal(f->first, 4 * MI);
    close_stream(&w, &w.readers[0]);
    settle(&w);
    assert_in_range(f->initial, PRODUCT * 95 / 100, PRODUCT * 105 / 100);
    deliver_all(&w);
    uint32_t initial = f->initial;
    open_stream(&w);
    deliver_all(&w);
    stock_send(&w.peer, &w.peer.streams[1], 1);
    deliver_all(&w);
    assert_int_equal(window_at_peer(&w, newest(&w)->id), initial - 1);
    f->rtt_us = f->rtt_least_us = ROUND_TRIP_US;
    teach(&w, RATE * 11 / 10);
    assert_true(w.learned.rate > RATE * 105 / 100);
    close_stream(&w, &w.readers[1]);
    settle(&w);
    assert_int_equal(f->initial, initial);
    world_close(&w);
}

/* F85: each direction has its own rate. */
static void test_each_direction_by_itself(void **state)
{
    static struct world w[2];
    begin(&w[0], H2_OPENER, &(struct line_rate){0});
    begin(&w[1], H2_SERVER, &(struct line_rate){0});
    for (int i = 0; i < 2; i++) {
        open_stream(&w[i]);
        deliver_to_us(&w[i], SIZE_MAX);
        w[i].session->host.flow.rtt_least_us = ROUND_TRIP_US;
        teach(&w[i], i > 0 ? RATE : 4 * RATE);
    }
    assert_in_range(w[0].learned.rate, 4 * RATE * 95 / 100, 4 * RATE * 105 / 100);
    assert_in_range(w[1].learned.rate, RATE * 95 / 100, RATE * 105 / 100);
    world_close(&w[0]);
    world_close(&w[1]);
}

/* ---- F84: what teaches nothing */

static void by_frame(struct world *w, struct h2_stream *st, size_t bytes)
{
    for (int i = 0; i < FRAMES; i++)
        come(w, RATE, bytes, &st, 1);
}

static void slow_origin(struct world *w, struct h2_stream *st)
{
    by_frame(w, st, 5000);
}

/* All of its window is held. */
static void slow_viewer(struct world *w, struct h2_stream *st)
{
    st->flow.kept = st->flow.window.size;
    by_frame(w, st, SCHEDULE_FRAME);
    st->flow.kept = 0;
}

/* The sender has used up all but what was granted a moment ago. */
static void small_window(struct world *w, struct h2_stream *st)
{
    for (int i = 0; i < FRAMES; i++) {
        st->flow.late.us = w->session->host.last_rx_us;
        st->flow.late.bytes = st->flow.window.size;
        come(w, RATE, SCHEDULE_FRAME, &st, 1);
    }
}

static void spent_budget(struct world *w, struct h2_stream *st)
{
    w->session->host.flow.withheld = 1;
    by_frame(w, st, SCHEDULE_FRAME);
    w->session->host.flow.withheld = 0;
}

static void short_line(struct world *w, struct h2_stream *st)
{
    w->session->host.flow.rtt_least_us = WINDOW_NEAR_US;
    by_frame(w, st, SCHEDULE_FRAME);
    w->session->host.flow.rtt_least_us = ROUND_TRIP_US;
}

/* One body stands still after a full frame, and another trickles. */
static void another_trickles(struct world *w, struct h2_stream *st)
{
    come(w, RATE, SCHEDULE_FRAME, &st, 1);
    open_stream(w);
    by_frame(w, newest(w), 5000);
}

/* Each frame is the last of its body. */
static void many_small(struct world *w, struct h2_stream *st)
{
    for (int i = 0; i < FRAMES; i++) {
        w->session->host.last_rx_us += SCHEDULE_FRAME * UINT64_C(1000000) / RATE;
        h2_stream_arrived(st, SCHEDULE_FRAME, true);
    }
}

static void test_what_teaches_nothing(void **state)
{
    static const struct {
        const char *id;
        void (*happens)(struct world *w, struct h2_stream *st);
    } rows[] = {
        {"F84 an origin is slow", slow_origin},  {"F84 a viewer is slow", slow_viewer},
        {"F84 a window is small", small_window}, {"F84 a budget is spent", spent_budget},
        {"F84 the line is short", short_line},   {"F84 another trickles", another_trickles},
        {"F84 many small bodies", many_small},
    };
    static struct world w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(&w, H2_OPENER, &(struct line_rate){0});
        open_stream(&w);
        rows[i].happens(&w, newest(&w));
        if (w.learned.rate > 0)
            fail_msg("%s: %lu", rows[i].id, (unsigned long)w.learned.rate);
        if (next_start(&w) != 4 * MI)
            fail_msg("%s: the next body starts with %u", rows[i].id, newest(&w)->flow.window.size);
        world_close(&w);
    }
}

/* F83: it is enough that one of many bodies has more to come. */
static void test_many_bodies(void **state)
{
    static struct world w;
    struct h2_stream *streams[5];
    begin(&w, H2_OPENER, &(struct line_rate){0});
    for (int i = 0; i < 5; i++) {
        open_stream(&w);
        streams[i] = newest(&w);
    }
    for (int i = 0; i < FRAMES; i++) {
        come(&w, RATE, SCHEDULE_FRAME, streams, 5);
        come(&w, RATE, 100, streams, 1); /* the first has nothing more for a while */
    }
    assert_in_range(w.learned.rate, RATE * 90 / 100, RATE * 105 / 100);
    for (int i = 0; i < 5; i++)
        close_stream(&w, &w.readers[i]);
    settle(&w);
    assert_int_equal(w.session->host.flow.backlogs, 0);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_next_start_is_learned),
        cmocka_unit_test(test_a_start_and_what_others_have),
        cmocka_unit_test(test_what_a_learned_start_costs),
        cmocka_unit_test(test_a_stalled_viewer_of_a_known_line),
        cmocka_unit_test(test_a_new_link),
        cmocka_unit_test(test_a_new_link_for_uploads),
        cmocka_unit_test(test_uploads_are_learned),
        cmocka_unit_test(test_each_direction_by_itself),
        cmocka_unit_test(test_what_teaches_nothing),
        cmocka_unit_test(test_many_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
