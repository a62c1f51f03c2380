/* SPDX-License-Identifier: MIT */
/* test_session_credit.c - bodies larger than any window: credit comes back, is held, and is not
 * lost. RFC 9113 5.2. */
#include "session_pair.h"

static const size_t big = 3 << 20;

static bool echoed(void *user)
{
    struct world *w = user;
    return w->near.body == big && w->near.ended;
}

/* More than any window, both ways at once, with every byte's credit returned. */
static void test_echo(void **state)
{
    struct world *w = open_world(&defaults);
    char *data = calloc(1, big);
    w->answer_at_once = w->far.echo = true;
    struct leg *leg = request(w, "POST", "/", false);
    leg->ops->body(leg, slice_make(data, big), true);
    turns_until(w->loop, echoed, w);
    assert_int_equal(w->near.sent, big);
    assert_int_equal(w->far.body, big);
    free(data);
    close_world(w);
}

static bool window_is_full(void *user)
{
    struct world *w = user;
    return w->far.body == 65536;
}

static bool second_done(void *user)
{
    struct world *w = user;
    return w->near.ended && w->near.heads == 1;
}

/* A stream whose bytes do not leave stops at its own window; another one is not slowed (the link's
 * credit came back). */
static void test_stalled_stream_stops_alone(void **state)
{
    struct world *w = open_world(&defaults);
    char *data = calloc(1, big);
    w->far.hold_credit = true;
    struct leg *leg = request(w, "POST", "/stalled", false);
    leg->ops->body(leg, slice_make(data, big), true);
    turns_until(w->loop, window_is_full, w);
    struct leg *stalled = w->far.leg;
    w->far = (struct end){.echo = true};
    w->near = (struct end){0};
    w->answer_at_once = true;
    leg_tie(stalled, NULL, NULL);
    leg = request(w, "POST", "/moving", false);
    leg->ops->body(leg, slice_make(data, big), true);
    turns_until(w->loop, second_done, w);
    assert_int_equal(w->near.body, big);
    free(data);
    close_world(w);
}

/* http-rules.md#memory: over three quarters of the budget the stream that has taken nothing for
 * longest goes. */
static void test_budget_resets_the_stalled(void **state)
{
    struct h2_options o = defaults;
    o.buffer_limit = 64 * 1024;
    struct world *w = open_world(&o);
    char *data = calloc(1, big);
    w->far.hold_credit = true;
    struct leg *leg = request(w, "POST", "/", false);
    leg->ops->body(leg, slice_make(data, big), true);
    turns_until(w->loop, far_reset, w);
    assert_int_equal(w->far.fault.err, ERR_STALLED);
    turns_until(w->loop, near_reset, w);
    free(data);
    close_world(w);
}

/* More resets with half-read bodies than the connection window holds; then a transfer must still
 * get through. */
static void test_credit_does_not_leak(void **state)
{
    struct h2_options o = defaults;
    o.reset_rate = 0;
    struct world *w = open_world(&o);
    char *data = calloc(1, big);
    struct leg_fault why = {.err = ERR_CLOSED};
    w->far.hold_credit = true;
    for (int i = 0; i < 600; i++) {
        w->far.leg = NULL;
        w->far.body = 0;
        struct leg *leg = request(w, "POST", "/", false);
        leg->ops->body(leg, slice_make(data, big), true);
        turns_until(w->loop, window_is_full, w);
        leg->ops->reset(leg, &why);
    }
    w->far = (struct end){.echo = true};
    w->near = (struct end){0};
    w->answer_at_once = true;
    struct leg *leg = request(w, "POST", "/", false);
    leg->ops->body(leg, slice_make(data, big), true);
    turns_until(w->loop, echoed, w);
    free(data);
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_stalled_stream_stops_alone),
        cmocka_unit_test(test_budget_resets_the_stalled),
        cmocka_unit_test(test_credit_does_not_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
