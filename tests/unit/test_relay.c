/* SPDX-License-Identifier: MIT */
/* test_relay.c - what comes from one leg goes to the other, in order and counted; what the owner
 * and the observer are told of it; how each side may end. relay.h. */
#include "relay_world.h"

/* ---- in order */

static void test_order(void **state)
{
    struct world *w = *state;
    begin(w, false);
    say(&w->near, "he", false);
    say(&w->near, "llo", false);
    say_trailers(&w->near);
    say_head(&w->far, 103, false);
    say_head(&w->far, 200, false);
    say(&w->far, "wor", false);
    say(&w->far, "ld", true);
    check(w->told, "far:0 far:'he' far:'llo' far:trailers1 end-of-near head103 near:103 head200 "
                   "near:200 near:'wor' near:'ld'. end-of-far");
    close_relay(w);
    check(w->seen, "near:0 near:'he' near:'llo' near:trailers1 near. far:103 far:200 far:'wor' "
                   "far:'ld' far. closed:5/5");
}

static void test_without_bodies(void **state)
{
    struct world *w = *state;
    begin(w, true);
    say_head(&w->far, 204, true);
    check(w->told, "far:0. head204 near:204.");
    assert_null(w->near.leg.events); /* all is said: both legs go on alone */
    assert_null(w->far.leg.events);
    close_relay(w);
    check(w->seen, "near:0 near. far:204 far. closed:0/0");
}

static void test_empty_last_piece(void **state)
{
    struct world *w = *state;
    begin(w, false);
    say(&w->near, "x", false);
    say(&w->near, "", true);
    check(w->told, "far:0 far:'x' far:''. end-of-near");
    check(w->seen, "near:0 near:'x' near.");
}

/* An owner without opinions, and an observer without interests. */
static void test_plain(void **state)
{
    struct world *w = *state;
    relay_init(&w->relay, w->loop, &w->near.leg, false, &plain_ops);
    relay_observe(&w->relay, &blind, w);
    relay_join(&w->relay, &w->far.leg);
    say(&w->near, "x", false);
    say_trailers(&w->near);
    say_head(&w->far, 200, false);
    say(&w->far, "y", false);
    say_sent(&w->near, 1);
    say_trailers(&w->far);
    check(w->told, "far:'x' far:trailers1 end-of-near head200 near:200 near:'y' far:credit1 "
                   "near:trailers1 end-of-far");
    say_sent(&w->far, 1);
    check(w->told, ""); /* near has said and heard all: it was let go of */
    relay_close(&w->relay);
    assert_string_equal(w->seen, "");
}

/* ---- counts, credit, places */

static void test_counts(void **state)
{
    struct world *w = *state;
    begin(w, false);
    say(&w->near, "hello", false);
    assert_int_equal(w->relay.near.came, 5);
    assert_int_equal(relay_waiting(&w->relay.near), 5);
    say_sent(&w->far, 2);
    assert_int_equal(w->relay.near.left, 2);
    assert_int_equal(relay_waiting(&w->relay.near), 3);
    say_head(&w->far, 200, false);
    say(&w->far, "abc", false);
    say_sent(&w->near, 3);
    assert_int_equal(w->relay.far.came, 3);
    assert_int_equal(relay_waiting(&w->relay.far), 0);
    check(w->told, "far:0 far:'hello' near:credit2 left-of-near head200 near:200 near:'abc' "
                   "far:credit3 left-of-far");
}

static void test_time(void **state)
{
    struct world *w = *state;
    begin(w, false);
    uint64_t began = w->relay.moved_us;
    while (loop_now_us(w->loop) == began)
        ;
    say_head(&w->far, 103, false); /* heads are the owner's to count */
    assert_int_equal(w->relay.moved_us, began);
    say(&w->near, "x", false);
    assert_true(w->relay.moved_us > began);
    began = w->relay.moved_us;
    while (loop_now_us(w->loop) == began)
        ;
    say_sent(&w->far, 1);
    assert_true(w->relay.moved_us > began);
}

static char *place_at(struct scripted *s, size_t bytes)
{
    return s->leg.events->on_place(s->leg.exchange, &s->leg, bytes);
}

static void test_places(void **state)
{
    struct world *w = *state;
    begin(w, false);
    assert_ptr_equal(place_at(&w->near, 8), w->far.place);
    assert_null(place_at(&w->near, 17)); /* it has no room for so many */
    assert_ptr_equal(place_at(&w->far, 8), w->near.place);
    relay_hold(&w->relay);
    assert_null(place_at(&w->near, 8));
    assert_ptr_equal(place_at(&w->far, 8), w->near.place);
    relay_let_pass(&w->relay);
    relay_let_go(&w->relay, RELAY_FAR);
    assert_null(place_at(&w->near, 8));
}

/* Returns what the leg is told of the other one, or -1 if that is not known. */
static int64_t taken_of(struct leg *leg)
{
    uint64_t bytes = 0;
    return leg->events->on_taken(leg->exchange, leg, &bytes) ? (int64_t)bytes : -1;
}

static void test_taken(void **state)
{
    struct world *w = *state;
    begin(w, false);
    assert_int_equal(taken_of(&w->near.leg), 22);
    assert_int_equal(taken_of(&w->far.leg), 11);
    relay_let_go(&w->relay, RELAY_FAR);
    assert_int_equal(taken_of(&w->near.leg), -1);
}

/* ---- the owner decides */

/* What came before the far leg could take it is passed on behind the head. */
static void test_kept(void **state)
{
    struct world *w = *state;
    struct message m;
    relay_init(&w->relay, w->loop, &w->near.leg, false, &ops);
    relay_observe(&w->relay, &observer, w);
    relay_hold(&w->relay);
    w->refuse = true;
    say(&w->near, "early", false);
    say_trailers(&w->near);
    check(w->told, "");
    check(w->seen, "");
    assert_true(w->relay.near.ended);
    assert_int_equal(w->relay.near.came, 5);
    relay_join(&w->relay, &w->far.leg);
    message_init(&m);
    relay_head(&w->relay, RELAY_NEAR, &m, false);
    relay_let_pass(&w->relay);
    relay_body(&w->relay, RELAY_NEAR, SLICE("early"), false);
    relay_trailers(&w->relay, RELAY_NEAR, &m.fields);
    message_deinit(&m);
    assert_int_equal(w->relay.near.came, 5);
    check(w->told, "far:0 far:'early' far:trailers0");
    check(w->seen, "near:0 near:'early' near:trailers0 near.");
}

static void test_refused(void **state)
{
    struct world *w = *state;
    begin(w, false);
    w->refuse = true;
    say(&w->near, "too much", true);
    say(&w->far, "too", false);
    say_trailers(&w->far);
    check(w->told, "far:0");
    check(w->seen, "near:0");
    assert_true(w->relay.near.ended && w->relay.far.ended);
}

static void test_closed_inside(void **state)
{
    struct world *w = *state;
    begin(w, false);
    w->close = true;
    say(&w->near, "too much", true);
    check(w->told, "far:0");
    assert_null(w->near.leg.events);
    assert_null(w->far.leg.events);
    close_relay(w); /* again: nothing */
    check(w->seen, "near:0 closed:8/0");
}

/* A head that another leg was made with is only shown. */
static void test_shown_head(void **state)
{
    struct world *w = *state;
    struct message m;
    relay_init(&w->relay, w->loop, &w->near.leg, true, &ops);
    relay_observe(&w->relay, &observer, w);
    message_init(&m);
    relay_show_head(&w->relay, RELAY_NEAR, &m, true);
    message_deinit(&m);
    relay_join(&w->relay, &w->far.leg);
    check(w->told, "");
    check(w->seen, "near:0 near.");
}

/* ---- ends */

/* A WebSocket: one direction ends, the other goes on, and both legs are let go of behind the last
 * byte. */
static void test_half_close(void **state)
{
    struct world *w = *state;
    begin(w, false);
    say_head(&w->far, 101, false);
    say(&w->near, "bye", true);
    say_sent(&w->far, 3);
    assert_non_null(w->near.leg.events);
    assert_non_null(w->far.leg.events);
    say(&w->far, "still here", false);
    say(&w->far, "", true);
    assert_null(w->far.leg.events); /* it has all that near had to say */
    assert_non_null(w->near.leg.events);
    say_sent(&w->near, 9);
    assert_non_null(w->near.leg.events);
    say_sent(&w->near, 1);
    assert_null(w->near.leg.events);
    check(w->told, "far:0 head101 near:101 far:'bye'. end-of-near near:credit3 left-of-near "
                   "near:'still here' near:''. end-of-far left-of-far left-of-far");
}

static void test_near_is_reset(void **state)
{
    struct world *w = *state;
    begin(w, false);
    say_reset(&w->near, ERR_RESET);
    check(w->told, "far:0 reset-of-near-12");
    say_head(&w->far, 200, false); /* goes nowhere */
    say(&w->far, "x", false);
    check(w->told, "head200");
    check(w->seen, "near:0 near:reset-12 far:200 far:'x'");
}

static void test_far_is_reset(void **state)
{
    struct world *w = *state;
    begin(w, false);
    say_head(&w->far, 200, false);
    say_reset(&w->far, ERR_TRUNCATED);
    say(&w->near, "x", false);
    check(w->told, "far:0 head200 near:200 reset-of-far-7");
    check(w->seen, "near:0 far:200 far:reset-7 near:'x'");
}

/* The far leg is gone before it said anything: another takes its place. */
static void test_another_far(void **state)
{
    struct world *w = *state;
    struct message m;
    begin(w, true);
    say_reset(&w->far, ERR_EOF);
    relay_join(&w->relay, &w->other.leg);
    message_init(&m);
    relay_head(&w->relay, RELAY_NEAR, &m, true);
    message_deinit(&m);
    say_head(&w->other, 200, true);
    check(w->told, "far:0. reset-of-far-6 other:0. head200 near:200.");
    check(w->seen, "near:0 near. far:reset-6 near:0 near. far:200 far.");
}

/* D39: another far leg gets the body as well, and the near leg credit only for what it had none
 * for. */
static void test_another_far_gets_the_body(void **state)
{
    struct world *w = *state;
    begin(w, false);
    say(&w->near, "hello", true);
    say_sent(&w->far, 3);
    say_reset(&w->far, ERR_RESET);
    relay_pass_again(&w->relay);
    assert_int_equal(relay_waiting(&w->relay.near), 5);
    relay_join(&w->relay, &w->other.leg);
    relay_body(&w->relay, RELAY_NEAR, SLICE("hello"), true);
    w->told[0] = '\0';
    say_sent(&w->other, 2);
    check(w->told, "left-of-near");
    say_sent(&w->other, 3);
    check(w->told, "near:credit2 left-of-near");
    assert_int_equal(relay_waiting(&w->relay.near), 0);
}

/* What the owner has kept got its credit then, and gets none when it leaves. */
static void test_kept_with_credit(void **state)
{
    struct world *w = *state;
    begin(w, true);
    say_head(&w->far, 200, false);
    w->refuse = true;
    say(&w->far, "early", false);
    w->told[0] = '\0';
    relay_credit_far(&w->relay, 5);
    check(w->told, "far:credit5");
    relay_body(&w->relay, RELAY_FAR, SLICE("early"), false);
    w->refuse = false;
    say(&w->far, "more", false);
    w->told[0] = '\0';
    say_sent(&w->near, 3);
    check(w->told, "left-of-far");
    say_sent(&w->near, 4);
    check(w->told, "far:credit2 left-of-far");
    say_sent(&w->near, 2);
    check(w->told, "far:credit2 left-of-far");
}

/* The owner gives a leg up: that leg alone hears it, and the observer. */
static void test_reset_by_the_owner(void **state)
{
    struct world *w = *state;
    struct leg_fault why = {.err = ERR_PROTOCOL};
    begin(w, false);
    relay_reset(&w->relay, RELAY_NEAR, &why);
    relay_reset(&w->relay, RELAY_NEAR, &why);
    relay_reset(&w->relay, RELAY_FAR, &why);
    check(w->told, "far:0 near:reset-13 far:reset-13");
    check(w->seen, "near:0 near:reset-13 far:reset-13");
    assert_null(w->relay.near.leg);
}

/* A leg that has ended by itself and belongs to somebody else is left alone. */
static void test_legs_of_others(void **state)
{
    struct world *w = *state;
    int somebody;
    begin(w, true);
    leg_tie(&w->near.leg, &relay_far_events, &somebody);
    leg_untie(&w->far.leg);
    relay_let_go(&w->relay, RELAY_NEAR);
    relay_let_go(&w->relay, RELAY_FAR);
    assert_ptr_equal(w->near.leg.exchange, &somebody);
    leg_untie(&w->near.leg);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_without_bodies),
        TEST(test_empty_last_piece),
        TEST(test_plain),
        TEST(test_counts),
        TEST(test_time),
        TEST(test_places),
        TEST(test_taken),
        TEST(test_kept),
        TEST(test_refused),
        TEST(test_closed_inside),
        TEST(test_shown_head),
        TEST(test_half_close),
        TEST(test_near_is_reset),
        TEST(test_far_is_reset),
        TEST(test_another_far),
        TEST(test_another_far_gets_the_body),
        TEST(test_kept_with_credit),
        TEST(test_reset_by_the_owner),
        TEST(test_legs_of_others),
    };
    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
