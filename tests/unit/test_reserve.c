/* SPDX-License-Identifier: MIT */
/* test_reserve.c - tests how long names are reserved, for whom, which of them goes first, and what
 * the file says of them. reserve.h, keep.h */
#include "src/names/reserve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "src/tunnels/keep.h"

enum { SECOND_US = 1000000, DAY_S = 24 * 3600 };

static const uint8_t alice[OWNER_LEN] = "alice-is-an-owne", bob[OWNER_LEN] = "bob-is-another-o";
static const struct address home = {.network = 0x20010db800000001, .host = 0},
                            office = {.network = 0, .host = 0xffffc0000201};

/* Makes a name that was live for @s seconds and is away. */
static void lived(struct reserve *r, const char *name, const uint8_t *owner,
                  const struct address *from, uint64_t s)
{
    reserve_begin(r, slice_str(name), owner, from, clock_now_us() - s * SECOND_US);
    reserve_end(r, slice_str(name));
}

/* Returns for how many seconds from now @name is reserved. */
static int64_t left(struct reserve *r, const char *name)
{
    uint8_t owner[OWNER_LEN];
    int64_t until = reserve_until(r, slice_str(name), owner);
    return until == 0 ? 0 : until - clock_wall_s();
}

static const struct {
    const char *label;
    uint64_t limit_s;
    int64_t before_s;           /* what the file says of former lives */
    uint64_t first_s, second_s; /* the lengths of two lives */
    int64_t want_s;
} times[] = {
    {"O70 100 times", RESERVE_DEFAULT_S, 0, 6, 0, 600},
    {"O70 two lives are added up", RESERVE_DEFAULT_S, 0, 6, 6, 1200},
    {"O70 and those before a restart", RESERVE_DEFAULT_S, 60, 6, 0, 6600},
    {"O70 a moment", RESERVE_DEFAULT_S, 0, 0, 0, 0},
    {"O70 the longest time", RESERVE_DEFAULT_S, 10L * DAY_S, 1, 0, 30L * DAY_S},
    {"O70 a life of years", RESERVE_DEFAULT_S, INT64_MAX / RESERVE_FACTOR, 1, 0, 30L * DAY_S},
    {"O70 a shorter limit", 100, 0, 6, 6, 100},
    {"O70 none", 0, 0, 6, 0, 0},
};

static void test_times(void **state)
{
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct reserve *r = reserve_new();
        print_message("%s\n", times[i].label);
        reserve_set_limit(r, times[i].limit_s);
        if (times[i].before_s > 0) {
            struct reservation v = {
                .name = "app", .until = clock_wall_s() + 9, .lived_s = times[i].before_s};
            memcpy(v.owner, alice, OWNER_LEN);
            reserve_restore(r, &v);
        }
        lived(r, "app", alice, &home, times[i].first_s);
        if (times[i].second_s > 0)
            lived(r, "app", alice, &home, times[i].second_s);
        assert_in_range(left(r, "app") + 1, times[i].want_s, times[i].want_s + 101);
        assert_int_equal(reserve_count(r), times[i].want_s > 0);
        reserve_free(r);
    }
}

/* O71 */
static void test_whose(void **state)
{
    struct reserve *r = reserve_new();
    int64_t until;
    assert_false(reserve_is_for_another(r, SLICE("app"), alice, &until));
    lived(r, "app", alice, &home, 60);
    assert_true(reserve_is_for(r, SLICE("app"), alice));
    assert_false(reserve_is_for(r, SLICE("app"), bob));
    assert_false(reserve_is_for_another(r, SLICE("app"), alice, &until));
    assert_true(reserve_is_for_another(r, SLICE("app"), bob, &until));
    assert_in_range(until, clock_wall_s() + 5990, clock_wall_s() + 6100);
    assert_false(reserve_is_for(r, SLICE("ap"), alice));
    reserve_end(r, SLICE("app"));
    reserve_end(r, SLICE("none"));
    assert_in_range(left(r, "app"), 5990, 6100);
    lived(r, "app", bob, &home, 10); /* it was released, or its time was over */
    assert_true(reserve_is_for(r, SLICE("app"), bob));
    assert_in_range(left(r, "app"), 990, 1100);
    assert_true(reserve_release(r, SLICE("app")));
    assert_false(reserve_release(r, SLICE("app")));
    assert_int_equal(reserve_count(r), 0);
    reserve_free(r);
}

/* O75: an address has 50 names that are away. The one that ends first goes, be it the newest. */
static void test_of_an_address(void **state)
{
    struct reserve *r = reserve_new();
    char name[32];
    lived(r, "long", alice, &home, 3600);
    lived(r, "office", bob, &office, 10);
    for (int i = 0; i < RESERVE_PER_ADDRESS + 20; i++) {
        snprintf(name, sizeof name, "short-%d", i);
        lived(r, name, bob, &home, 20 + (uint64_t)i);
    }
    assert_int_equal(reserve_count(r), RESERVE_PER_ADDRESS + 1);
    assert_true(reserve_is_for(r, SLICE("long"), alice));
    assert_true(reserve_is_for(r, SLICE("office"), bob));
    assert_int_equal(left(r, "short-0"), 0);
    lived(r, "newest", bob, &home, 11);
    assert_int_equal(left(r, "newest"), 0);
    for (int i = 0; i < RESERVE_PER_ADDRESS + 20; i++) { /* no limit for what has no address */
        snprintf(name, sizeof name, "nobody-%d", i);
        lived(r, name, bob, NULL, 20);
    }
    assert_int_equal(reserve_count(r), 2 * RESERVE_PER_ADDRESS + 21);
    reserve_free(r);
}

/* O75: when the table is full, the longest unused name of the greediest network goes. */
static void test_full(void **state)
{
    struct reserve *r = reserve_new();
    char name[32];
    lived(r, "mine", alice, &office, 60);
    reserve_begin(r, SLICE("live"), alice, &office, clock_now_us());
    for (int i = 0; i < RESERVE_MAX + 1000; i++) {
        struct address from = {.network = 0x20010db800000000 + (uint64_t)i / 40};
        snprintf(name, sizeof name, "greedy-%d", i);
        lived(r, name, bob, &from, 60);
    }
    assert_true(reserve_count(r) < RESERVE_MAX);
    assert_true(reserve_is_for(r, SLICE("mine"), alice));
    assert_true(reserve_is_for(r, SLICE("live"), alice));
    assert_int_equal(left(r, "greedy-0"), 0);
    assert_true(left(r, name) > 0);
    reserve_free(r);
}

/* O72 */
static void test_file(void **state)
{
    struct reserve *r = reserve_new(), *again = reserve_new();
    struct buf text;
    lived(r, "away", alice, &home, 60);
    lived(r, "nobody", bob, NULL, 60);
    reserve_begin(r, SLICE("live"), alice, &office, clock_now_us() - (uint64_t)5 * SECOND_US);
    buf_init(&text, 4096);
    assert_true(reserve_due_us(r, 1) < clock_now_us());
    assert_int_equal(reserve_print(r, &text), 0);
    uint64_t now_us = clock_now_us(), due_us = reserve_due_us(r, now_us);
    assert_in_range(due_us - now_us, 4 * SECOND_US, 7 * SECOND_US); /* as long as it was live */
    for (struct slice rest = buf_slice(&text); rest.len > 0;) {
        struct reservation v;
        ptrdiff_t end = slice_find(rest, '\n');
        assert_true(end > 0);
        assert_int_equal(reservation_parse(slice_make(rest.ptr, (size_t)end), &v), 0);
        reserve_restore(again, &v);
        reserve_restore(again, &v);
        rest = slice_skip(rest, (size_t)end + 1);
    }
    assert_int_equal(reserve_count(again), 3);
    assert_true(reserve_is_for(again, SLICE("away"), alice));
    assert_true(reserve_is_for(again, SLICE("nobody"), bob));
    assert_in_range(left(again, "live"), 400, 700);
    lived(again, "away", alice, &home, 60);
    assert_in_range(left(again, "away"), 11900, 12200);
    buf_release(&text);
    reserve_free(r);
    reserve_free(again);
}

#define OWNER "000102030405060708090a0b0c0d0e0f"
#define HOME "20010db8000000010000000000000000"

static const struct {
    const char *line;
    bool good;
} lines[] = {
    {"my-app " OWNER " 1800000000 60 " HOME, true},
    {"my-app " OWNER " 1800000000 60 -", true},
    {"my-app " OWNER " 1800000000 60", false},
    {"my-app " OWNER " 1800000000 -1 -", false},
    {"my-app " OWNER " x 60 -", false},
    {"my-app " OWNER " 1 60 2001", false},
    {"my-app " OWNER " 1 9223372036854775807 -", false},
    {"my-app 0001 1 60 -", false},
    {"My-App " OWNER " 1 60 -", false},
    {"www " OWNER " 1 60 -", false},
    {"my-app " OWNER " 1 60 - x", false},
    {"", false},
};

/* O72 */
static void test_lines(void **state)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct reservation v;
        if (reservation_parse(slice_str(lines[i].line), &v) != (lines[i].good ? 0 : ERR_SYNTAX))
            fail_msg("'%s'", lines[i].line);
        if (lines[i].good && v.counts)
            assert_true(address_eq(&v.from, &home));
    }
}

/* O72: what the file says is not believed beyond the limit. */
static void test_limit_of_a_file(void **state)
{
    struct reserve *r = reserve_new();
    struct reservation v = {.name = "app", .until = INT64_MAX, .lived_s = 5};
    memcpy(v.owner, alice, OWNER_LEN);
    reserve_restore(r, &v);
    assert_in_range(left(r, "app"), RESERVE_DEFAULT_S - 1, RESERVE_DEFAULT_S);
    v.until = clock_wall_s();
    memcpy(v.name, "old", sizeof "old");
    reserve_restore(r, &v);
    assert_int_equal(left(r, "old"), 0);
    reserve_free(r);
}

/* O70, O71: keep tells the table only of what was said, and knows a name that comes back. */
static void test_keep(void **state)
{
    struct reserve *r = reserve_new();
    struct keep unsaid = {0}, said = {.said = true}, back = {0}, stranger = {0};
    keep_note(&unsaid, r, SLICE("unsaid"), alice, true);
    keep_note(&unsaid, r, SLICE("unsaid"), alice, false);
    assert_int_equal(reserve_count(r), 0);
    keep_called(&said, &home);
    keep_note(&said, r, SLICE("app"), alice, false);
    assert_int_equal(left(r, "app"), 0);
    keep_note(&said, r, SLICE("app"), alice, true);
    assert_true(said.begun);
    said.live_since_us -= 60 * SECOND_US;
    keep_note(&said, r, SLICE("app"), alice, true);
    keep_note(&said, r, SLICE("app"), alice, false);
    lived(r, "app", alice, &home, 60);
    keep_note(&back, r, SLICE("app"), alice, true);
    assert_true(back.said && back.begun);
    keep_note(&back, r, SLICE("app"), alice, false);
    keep_note(&stranger, r, SLICE("app"), bob, true);
    assert_false(stranger.said);
    assert_true(reserve_is_for(r, SLICE("app"), alice));
    reserve_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_whose),
        cmocka_unit_test(test_of_an_address),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_limit_of_a_file),
        cmocka_unit_test(test_keep),
    };
    return cmocka_run_group_tests_name("reserve", tests, NULL, NULL);
}
