/* SPDX-License-Identifier: MIT */
/* test_client_slot.c - a place at the tunnel: what it wants when, who is told what, and that
 * nothing is told any more once it was closed or is leaving. Its tries go to a port where nobody
 * listens. */
#include "client/server/slot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <unistd.h>

enum { WAIT_MS = 5000, SOON_MS = 2 * BACKOFF_FIRST_MS };

struct fixture {
    struct loop *loop;
    struct origin *origin;
    struct exchange_list *exchanges;
    struct resolver *resolver;
    struct tls *tls;
    struct call_env env;
    struct url nowhere;
    struct slot slot;
    size_t wants, losses;
    char step[16];
};

/* ---- what it tells */

static void on_want(void *user, struct slot *s)
{
    struct fixture *x = user;
    assert_int_equal(s->state, SLOT_WANTING);
    x->wants++;
    loop_stop(x->loop);
}

static void on_let_in(void *user, struct slot *s)
{
    fail();
}

static void on_up(void *user, struct slot *s)
{
    fail();
}

static void on_refused(void *user, struct slot *s, const struct refusal *r)
{
    fail();
}

static void on_lost(void *user, struct slot *s, const char *step, int err, const char *reason)
{
    struct fixture *x = user;
    assert_int_equal(s->state, SLOT_RESTING);
    assert_null(s->link);
    snprintf(x->step, sizeof x->step, "%s", step);
    x->losses++;
    loop_stop(x->loop);
}

static void on_goaway(void *user, struct slot *s, enum link_farewell why, bool brief)
{
    fail();
}

static void on_quiet(void *user)
{
    fail();
}

static const struct slot_ops ops = {
    .on_want = on_want,
    .on_let_in = on_let_in,
    .on_up = on_up,
    .on_refused = on_refused,
    .on_lost = on_lost,
    .on_goaway = on_goaway,
    .on_quiet = on_quiet,
};

/* ---- the world around it */

/* A port that was free a moment ago. */
static void find_nowhere(struct url *url)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    char text[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    snprintf(text, sizeof text, "https://127.0.0.1:%u/tunnel/app", ntohs(a.sin_port));
    assert_int_equal(url_parse(slice_str(text), url), 0);
}

static int setup(void **state)
{
    struct fixture *x = xcalloc(1, sizeof *x);
    struct tls_client_options tls = {.insecure = true};
    char reason[TLS_REASON_MAX];
    *state = x;
    x->loop = loop_new();
    x->resolver = resolver_new(x->loop);
    x->tls = tls_client_new(&tls, reason);
    find_nowhere(&x->nowhere);
    x->env = (struct call_env){
        .loop = x->loop, .resolver = x->resolver, .tls = x->tls, .timeout_ms = WAIT_MS};
    struct origin_options origin = {.loop = x->loop, .resolver = x->resolver};
    x->origin = origin_new(&origin);
    static const struct rewrite as_it_came;
    struct exchange_list_options list = {
        .loop = x->loop, .origin = x->origin, .rewrite = &as_it_came};
    x->exchanges = exchange_list_new(&list);
    struct link_options o = {
        .env = &x->env, .exchanges = x->exchanges, .instance = "00", .slot = 3};
    slot_init(&x->slot, &o, &ops, x);
    return x->tls ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    slot_close(&x->slot);
    exchange_list_free(x->exchanges);
    origin_free(x->origin);
    resolver_free(x->resolver);
    loop_free(x->loop);
    tls_free(x->tls);
    free(x);
    return 0;
}

static void on_turned(void *user)
{
    loop_stop(user);
}

/* Until something is told, or for as long. */
static void turn(struct fixture *x, uint64_t ms)
{
    struct timer t;
    timer_init(&t, x->loop, on_turned, x->loop);
    timer_arm(&t, ms);
    loop_run(x->loop);
    timer_stop(&t);
}

/* ---- its life */

static void test_wants_once(void **state)
{
    struct fixture *x = *state;
    slot_want(&x->slot);
    slot_want(&x->slot);
    assert_int_equal(x->wants, 1);
    slot_rest(&x->slot);
    assert_int_equal(x->slot.state, SLOT_RESTING);
    slot_want(&x->slot);
    assert_int_equal(x->wants, 2);
    assert_false(slot_is_up(&x->slot));
    assert_true(slot_is_idle(&x->slot));
}

static void test_a_try_fails_and_another_comes(void **state)
{
    struct fixture *x = *state;
    for (size_t i = 1; i <= 3; i++) {
        slot_want(&x->slot);
        assert_int_equal(x->wants, i);
        slot_attach(&x->slot, &x->nowhere, false, "a.b");
        assert_int_equal(x->slot.state, SLOT_ATTACHING);
        turn(x, WAIT_MS);
        assert_int_equal(x->losses, i);
        assert_string_equal(x->step, "TCP");
        assert_in_range(slot_pause(&x->slot, 0), 1, 1000);
        assert_int_equal(x->slot.state, SLOT_PAUSING);
        slot_want(&x->slot); /* changes nothing: its time comes */
        assert_int_equal(x->wants, i);
        turn(x, WAIT_MS);
        assert_int_equal(x->slot.state, SLOT_WANTING);
        assert_int_equal(x->wants, i + 1);
        slot_rest(&x->slot);
        x->wants = i;
    }
}

static void test_the_server_says_how_long(void **state)
{
    struct fixture *x = *state;
    assert_int_equal(slot_pause(&x->slot, 60000), 60000);
}

/* Closed or leaving, in any state: nothing is told any more. */
static void test_ends_in_silence(void **state)
{
    static void (*const ends[])(struct slot *) = {slot_leave, slot_close};
    struct fixture *x = *state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        slot_pause(&x->slot, 0);
        ends[i](&x->slot);
        turn(x, SOON_MS);
        slot_close(&x->slot);
        slot_want(&x->slot);
        slot_attach(&x->slot, &x->nowhere, false, "a.b");
        ends[i](&x->slot);
        assert_null(x->slot.link);
        assert_true(slot_is_idle(&x->slot));
        turn(x, SOON_MS);
        slot_close(&x->slot);
    }
    assert_int_equal(x->wants, 2);
    assert_int_equal(x->losses, 0);
}

static void test_leaving_is_for_good(void **state)
{
    struct fixture *x = *state;
    slot_leave(&x->slot);
    slot_leave(&x->slot);
    slot_want(&x->slot);
    assert_int_equal(x->slot.state, SLOT_LEAVING);
    assert_int_equal(x->wants, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wants_once),
        TEST(test_a_try_fails_and_another_comes),
        TEST(test_the_server_says_how_long),
        TEST(test_ends_in_silence),
        TEST(test_leaving_is_for_good),
    };
    return cmocka_run_group_tests_name("client_slot", tests, NULL, NULL);
}
