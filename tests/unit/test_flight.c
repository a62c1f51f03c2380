/* SPDX-License-Identifier: MIT */
/* test_flight.c - flight.c: how many bytes may be under way, on lines that the test plays: a rate,
 * a shortest round trip, a queue, and what others have put into it. Rules F89 and F90 of
 * http-rules.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2mux/h2/flight.h"

#define COUNT(rows) (sizeof rows / sizeof(*(rows)))

enum { MS = 1000, S = 1000 * MS, MTU = 1448 };

/* A line and a TCP that sends over it: slow start that never ends. What is under way doubles in a
 * round trip, if the program lets it. */
struct world {
    struct flight flight;
    uint64_t now_us, least_us, rate; /* of the line: bytes a second */
    uint64_t foreign_us;             /* the wait behind what others have queued */
    uint64_t bytes, acked, window, longest_us;
    bool held; /* the program held bulk back in the last millisecond */
};

static void begin(struct world *w, uint64_t least_us, uint64_t rate)
{
    *w = (struct world){
        .now_us = 5 * S, .least_us = least_us, .rate = rate, .window = (uint64_t)10 * MTU};
}

static uint64_t rtt(const struct world *w)
{
    uint64_t carried = w->rate * w->least_us / S;
    uint64_t queued = w->bytes > carried ? w->bytes - carried : 0;
    return w->least_us + w->foreign_us + queued * S / w->rate;
}

static void send(struct world *w, uint64_t most)
{
    uint64_t more = w->window > w->bytes ? w->window - w->bytes : 0;
    w->bytes += more < most ? more : most;
}

/* Lets a millisecond pass: bytes are acknowledged, and the program sends what it may. */
static void step(struct world *w)
{
    uint64_t acked = w->bytes * MS / rtt(w), line = w->rate / 1000;
    acked = acked < line ? acked : line;
    w->bytes -= acked;
    w->acked += acked;
    w->window += acked;
    if (w->bytes > 2 * w->rate * w->least_us / S) /* the queue before the line drops packets */
        w->window = w->rate * w->least_us / S;
    w->now_us += MS;
    w->held = false;
    if (flight_asks(&w->flight, w->now_us)) {
        struct flight_facts k = {
            .bytes = w->bytes, .acked = w->acked, .rtt_us = rtt(w), .least_us = w->least_us};
        uint64_t room = flight_room(&w->flight, &k, w->now_us);
        if (room < UINT64_MAX && w->bytes + room < w->window) {
            w->held = true;
            flight_wait(&w->flight, w->now_us);
        }
        send(w, room);
    } else {
        send(w, UINT64_MAX);
    }
    w->longest_us = rtt(w) > w->longest_us ? rtt(w) : w->longest_us;
}

static void play(struct world *w, uint64_t for_us)
{
    for (uint64_t end = w->now_us + for_us; w->now_us < end;)
        step(w);
}

/* Returns the bytes a second that are acknowledged in the time to come, and the longest round trip
 * of it. */
static uint64_t measure(struct world *w, uint64_t for_us)
{
    uint64_t before = w->acked;
    w->longest_us = 0;
    play(w, for_us);
    return (w->acked - before) * S / for_us;
}

static const struct {
    const char *name;
    uint64_t least_us, rate, longest_us; /* a frame lasts 16,384 bytes at the rate */
} lines[] = {
    {"20 ms, 100 Mbit/s", 20 * MS, 12500000, 34 * MS},
    {"100 ms, 100 Mbit/s", 100 * MS, 12500000, 130 * MS},
    {"200 ms, 100 Mbit/s", 200 * MS, 12500000, 260 * MS},
    {"10 ms, 200 Mbit/s", 10 * MS, 25000000, 24 * MS},
    {"50 ms, 20 Mbit/s", 50 * MS, 2500000, 80 * MS},
    {"300 ms, 3 Mbit/s", 300 * MS, 375000, 440 * MS},
};

/* F89: what is acknowledged fills the line, and the round trip is not much longer than the
 * shortest. */
static void the_queue_is_short_and_the_line_full(void **state)
{
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct world w;
        begin(&w, lines[i].least_us, lines[i].rate);
        play(&w, 40 * lines[i].least_us);
        uint64_t rate = measure(&w, 100 * lines[i].least_us);
        if (w.flight.most == 0 || w.longest_us > lines[i].longest_us)
            fail_msg("%s: a round trip of %lu us", lines[i].name, (unsigned long)w.longest_us);
        if (100 * rate < 95 * lines[i].rate)
            fail_msg("%s: %lu bytes a second", lines[i].name, (unsigned long)rate);
    }
}

static void tcp_begins_without_a_bound(void **state)
{
    struct world w;
    begin(&w, 100 * MS, 12500000);
    while (w.bytes < 1000000) { /* less than the line carries in a round trip */
        step(&w);
        assert_false(w.held);
    }
    assert_int_equal(w.flight.most, 0);
}

static void a_short_line_has_no_bound(void **state)
{
    struct world w;
    begin(&w, FLIGHT_NEAR_US, 12500000);
    play(&w, S / 2);
    assert_int_equal(w.flight.most, 0);
}

/* The line becomes faster, or slower. */
static void the_bound_follows_the_line(void **state)
{
    static const uint64_t rates[] = {50000000, 2500000, 12500000, 1000000, 25000000};
    struct world w;
    begin(&w, 50 * MS, 12500000);
    play(&w, 3 * S);
    for (size_t i = 0; i < COUNT(rates); i++) {
        w.rate = rates[i];
        play(&w, 12 * S + 2 * FLIGHT_REST_US);
        uint64_t rate = measure(&w, 3 * S);
        if (100 * rate < 94 * rates[i] || w.longest_us > 90 * MS)
            fail_msg("at %lu: %lu bytes a second, %lu us", (unsigned long)rates[i],
                     (unsigned long)rate, (unsigned long)w.longest_us);
    }
}

/* F90: holding back would not make the round trip shorter. The bound is lifted, and tried again
 * after 10 s. */
static void a_queue_of_others_lifts_the_bound(void **state)
{
    struct world w;
    unsigned held = 0, all = 0;
    begin(&w, 50 * MS, 12500000);
    play(&w, 2 * S);
    w.foreign_us = 60 * MS;
    for (play(&w, 2 * S); all < 40000; all++) {
        w.window = 3000000; /* others keep their part: TCP gets no more */
        step(&w);
        held += w.held;
    }
    assert_in_range(held, 1, all / 8);
}

/* Two looks may come in one turn of the loop, behind a round trip of a few microseconds. */
static void a_look_in_the_same_microsecond(void **state)
{
    struct flight f = {.most = 0};
    struct flight_facts k = {.bytes = 65536, .acked = 65536, .rtt_us = 3, .least_us = 3};
    assert_int_equal(flight_room(&f, &k, 5 * S), UINT64_MAX);
    assert_int_equal(flight_room(&f, &k, 5 * S), UINT64_MAX);
}

static void a_body_that_begins_keeps_the_bound(void **state)
{
    struct world w;
    begin(&w, 50 * MS, 12500000);
    play(&w, 3 * S);
    uint64_t most = w.flight.most;
    for (int i = 0; i < 5; i++) {
        w.bytes = 30000; /* after a pause the kernel still knows the last round trip */
        struct flight_facts k = {
            .bytes = w.bytes, .acked = w.acked, .rtt_us = 70 * MS, .least_us = 50 * MS};
        w.now_us += 200 * MS;
        flight_room(&w.flight, &k, w.now_us);
        flight_wait(&w.flight, w.now_us);
    }
    assert_int_equal(w.flight.most, most);
}

static void a_bound_without_need_ends(void **state)
{
    struct world w;
    begin(&w, 50 * MS, 12500000);
    play(&w, 3 * S);
    assert_true(w.flight.most > 0);
    w.window = 100000; /* losses keep TCP small */
    for (int i = 0; i < 11000; i++) {
        w.window = 100000;
        w.bytes = w.bytes < w.window ? w.bytes : w.window;
        step(&w);
    }
    assert_int_equal(w.flight.most, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_is_short_and_the_line_full),
        cmocka_unit_test(tcp_begins_without_a_bound),
        cmocka_unit_test(a_short_line_has_no_bound),
        cmocka_unit_test(the_bound_follows_the_line),
        cmocka_unit_test(a_queue_of_others_lifts_the_bound),
        cmocka_unit_test(a_look_in_the_same_microsecond),
        cmocka_unit_test(a_body_that_begins_keeps_the_bound),
        cmocka_unit_test(a_bound_without_need_ends),
    };
    return cmocka_run_group_tests_name("flight", tests, NULL, NULL);
}
