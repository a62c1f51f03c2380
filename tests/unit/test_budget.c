/* SPDX-License-Identifier: MIT */
/* test_budget.c - what a process and its threads hold: sums, marks, the part of one link. budget.h;
 * http-rules.md#memory */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2mux/io/budget.h"

#define COUNT(rows) (sizeof rows / sizeof(*(rows)))

static const struct {
    uint64_t used;
    uint64_t promisable;
    bool may_grow, tight, spent;
} fills[] = {
    {0, 75, true, false, false},   {12, 63, true, false, false}, {49, 26, true, false, false},
    {50, 25, false, false, false}, {74, 1, false, false, false}, {75, 0, false, true, false},
    {99, 0, false, true, false},   {100, 0, false, true, true},  {101, 0, false, true, true},
};

static void test_marks(void **state)
{
    for (size_t i = 0; i < COUNT(fills); i++) {
        struct fill f = {.used = fills[i].used, .limit = 100};
        assert_int_equal(fill_promisable(&f), fills[i].promisable);
        assert_int_equal(fill_may_grow(&f), fills[i].may_grow);
        assert_int_equal(fill_is_tight(&f), fills[i].tight);
        assert_int_equal(fill_is_spent(&f), fills[i].spent);
    }
}

struct told {
    unsigned held, short_of_room;
};

static void on_held(void *user, bool short_of_room)
{
    struct told *t = user;
    t->held += !short_of_room;
    t->short_of_room += short_of_room;
}

/* The process hears of what is told, and of nothing twice. */
static void test_shares_add_up(void **state)
{
    struct budget b;
    struct budget_share s[2];
    struct told told = {0};
    budget_init(&b, 1000);
    for (size_t i = 0; i < 2; i++) {
        budget_share_init(&s[i], &b);
        s[i].on_held = on_held;
        s[i].user = &told;
    }
    budget_add(&s[0], 300);
    assert_int_equal(budget_used(&b), 0);
    budget_tell(&s[0]);
    budget_tell(&s[0]);
    assert_int_equal(told.held, 1);
    budget_add(&s[1], 500);
    budget_add(&s[1], -100);
    budget_tell(&s[1]);
    assert_int_equal(told.held, 2);
    assert_int_equal(budget_used(&b), 700);
    assert_int_equal(budget_fill(&s[0]).used, 700);
    assert_int_equal(budget_fill(&s[0]).limit, 1000);
    budget_add(&s[1], 7);
    budget_add(&s[1], -7);
    budget_tell(&s[1]); /* what came and left is no news */
    assert_int_equal(told.held, 2);
    budget_add(&s[0], -300);
    budget_add(&s[1], -400);
    budget_share_deinit(&s[0]);
    budget_share_deinit(&s[1]);
    assert_int_equal(budget_used(&b), 0);
}

static void test_withheld(void **state)
{
    struct budget b;
    struct budget_share s;
    struct told told = {0};
    budget_init(&b, 1000);
    budget_share_init(&s, &b);
    budget_withhold(&s, 1); /* nobody listens */
    budget_restore(&s, 1);
    s.on_held = on_held;
    s.user = &told;
    budget_withhold(&s, 10);
    budget_withhold(&s, 20); /* the first alone is news */
    assert_int_equal(told.short_of_room, 1);
    assert_int_equal(s.withheld, 30);
    budget_restore(&s, 30);
    budget_withhold(&s, 5);
    assert_int_equal(told.short_of_room, 2);
    budget_restore(&s, 5);
    assert_int_equal(s.withheld, 0);
    budget_share_deinit(&s);
}

/* Links of all threads share one half; none has less than was said. */
static void test_part_of_a_link(void **state)
{
    static const uint64_t parts[] = {500, 500, 250, 166, 125, 100, 100};
    struct budget b;
    struct budget_share s[2];
    budget_init(&b, 1000);
    budget_share_init(&s[0], &b);
    budget_share_init(&s[1], &b);
    for (size_t links = 0; links < COUNT(parts); links++) {
        assert_int_equal(budget_fair(&s[0], 100), parts[links]);
        budget_add_link(&s[links % 2]);
    }
    for (size_t links = COUNT(parts); links > 0; links--) {
        budget_drop_link(&s[(links - 1) % 2]);
        assert_int_equal(budget_fair(&s[1], 100), parts[links - 1]);
    }
    assert_int_equal(s[0].links + s[1].links, 0);
}

/* F82: promises count at once for the thread that makes them, for others when they are told, and
 * never as bytes that are held. */
static void test_promises(void **state)
{
    struct budget b;
    struct budget_share s[2];
    struct told told = {0};
    budget_init(&b, 1000);
    for (size_t i = 0; i < 2; i++)
        budget_share_init(&s[i], &b);
    s[0].on_held = on_held;
    s[0].user = &told;
    budget_promise(&s[0], 300);
    assert_int_equal(budget_promised_fill(&s[0]).used, 300);
    assert_int_equal(budget_promised_fill(&s[1]).used, 0);
    budget_tell(&s[0]);
    assert_int_equal(budget_promised_fill(&s[1]).used, 300);
    budget_add(&s[0], 100); /* a third has come */
    budget_promise(&s[0], -100);
    assert_int_equal(budget_promised_fill(&s[0]).used, 300);
    budget_tell(&s[0]);
    assert_int_equal(budget_fill(&s[1]).used, 100);
    assert_int_equal(budget_promised_fill(&s[1]).used, 300);
    budget_promise(&s[0], -200);
    budget_add(&s[0], -100);
    budget_tell(&s[0]);
    assert_int_equal(budget_promised_fill(&s[1]).used, 0);
    assert_int_equal(told.held, 1);
}

static void test_without_a_share(void **state)
{
    struct fill f = budget_fill(NULL);
    budget_add(NULL, 5);
    budget_tell(NULL);
    assert_true(fill_promisable(&f) > 1 << 30);
    budget_promise(NULL, 5);
    assert_int_equal(budget_promised_fill(NULL).used, 0);
    assert_false(fill_is_tight(&f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks),           cmocka_unit_test(test_shares_add_up),
        cmocka_unit_test(test_withheld),        cmocka_unit_test(test_part_of_a_link),
        cmocka_unit_test(test_without_a_share), cmocka_unit_test(test_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
