/* SPDX-License-Identifier: MIT */
/* test_guard.c - tests seats, and what two policies say together: rules P12, P14, P20
 * P40 to P43 and P48. */
#include "src/policies/guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "src/limits/address.h"
#include "src/policies/seats.h"

#define SECOND UINT64_C(1000000)

static const struct viewer ann = {.address = "192.0.2.1"}, bob = {.address = "192.0.2.2"},
                           local = {.address = "127.0.0.1", .trusted = true};

static struct address address(unsigned n)
{
    return (struct address){0, UINT64_C(0xffff) << 32 | n};
}

static bool enter(struct seats *s, unsigned who, uint64_t at_s)
{
    struct address of = address(who);
    return seats_enter(s, &of, at_s * SECOND);
}

static void leave(struct seats *s, unsigned who, uint64_t at_s)
{
    struct address of = address(who);
    seats_leave(s, &of, at_s * SECOND);
}

/* P14 */
static void test_seats(void **state)
{
    struct seats *s = seats_new(2);
    assert_true(enter(s, 1, 0) && enter(s, 2, 0));
    assert_true(enter(s, 1, 0)); /* its second request */
    assert_false(enter(s, 3, 1));
    assert_false(enter(s, 4, 2));
    leave(s, 1, 3);
    assert_false(enter(s, 3, 62)); /* one request is open still, and 3 has lost its place */
    leave(s, 1, 70);
    assert_false(enter(s, 4, 80));
    assert_false(enter(s, 3, 85));
    assert_false(enter(s, 5, 90));
    assert_true(enter(s, 1, 129)); /* within its minute */
    leave(s, 1, 129);
    assert_false(enter(s, 3, 110));
    assert_false(enter(s, 5, 115));
    assert_false(enter(s, 3, 138));
    assert_false(enter(s, 5, 140));
    assert_false(enter(s, 3, 165));
    assert_false(enter(s, 5, 166));
    assert_false(enter(s, 5, 190)); /* 3 came before 5 */
    assert_true(enter(s, 3, 190));
    assert_false(enter(s, 5, 190));
    assert_true(enter(s, 2, 200)); /* whose first request is open all the time */
    seats_free(s);
}

/* P14: who does not ask again loses the place. */
static void test_queue(void **state)
{
    struct seats *s = seats_new(1);
    assert_true(enter(s, 1, 0));
    assert_false(enter(s, 2, 0));
    assert_false(enter(s, 3, 20));
    leave(s, 1, 20);
    assert_false(enter(s, 3, 45));
    assert_false(enter(s, 3, 70));
    assert_true(enter(s, 3, 80)); /* 2 is gone */
    leave(s, 3, 80);
    for (unsigned i = 0; i < SEATS_QUEUE_MAX + 5; i++)
        assert_false(enter(s, 100 + i, 81));
    assert_true(enter(s, 3, 82));
    seats_free(s);
}

static struct policy *read_policy(const char *text)
{
    struct policy *p;
    const char *why;
    assert_int_equal(policy_parse(slice_str(text), &p, &why), 0);
    return p;
}

static struct guard *guard_of(const char *own, const char *forced)
{
    struct policy *a = read_policy(own), *b = read_policy(forced);
    struct guard *g = guard_new(NULL, a, b);
    policy_drop(a);
    policy_drop(b);
    return g;
}

/* Does what the door does. */
static bool admit(struct guard *g, const struct viewer *v, uint64_t now_us, int64_t now_s,
                  enum failure *why)
{
    return guard_judge(g, v, now_us, now_s, why) && guard_seat(g, v, now_us, why);
}

/* P20: both policies hold. */
static void test_both(void **state)
{
    enum failure why;
    struct guard *g = guard_of("{\"allow\":[\"192.0.2.0/24\"]}", "{\"deny\":[\"192.0.2.2\"]}");
    assert_true(admit(g, &ann, 0, 1000, &why));
    guard_leave(g, &ann, 0);
    assert_false(admit(g, &bob, 0, 1000, &why));
    assert_int_equal(why, FAIL_NOT_ALLOWED);
    assert_false(guard_permits(g, &local, 1000, &why));
    assert_true(guard_is_for_some(g));
    guard_drop(g);
    g = guard_of("{}", "{\"until\":1000}");
    assert_false(guard_is_for_some(g));
    assert_true(guard_permits(g, &ann, 999, &why));
    assert_false(admit(g, &ann, 0, 1000, &why));
    assert_int_equal(why, FAIL_OVER);
    guard_drop(g);
    assert_null(guard_of("{}", "{}"));
    assert_true(guard_permits(NULL, &ann, 0, &why));
}

/* P12: ten times the rate at once, for each viewer. */
static void test_rate(void **state)
{
    enum failure why;
    struct guard *g = guard_of("{\"rate\":2}", "{}");
    for (int i = 0; i < 20; i++)
        assert_true(admit(g, &ann, SECOND, 1, &why));
    assert_false(admit(g, &ann, SECOND, 1, &why));
    assert_int_equal(why, FAIL_TOO_MANY_REQUESTS);
    assert_true(admit(g, &bob, SECOND, 1, &why));
    assert_true(admit(g, &ann, 2 * SECOND, 1, &why));
    guard_drop(g);
}

/* P14: a seat of one policy is given back if the other has none. */
static void test_two_limits(void **state)
{
    enum failure why;
    struct guard *g = guard_of("{\"viewers\":2}", "{\"viewers\":1}");
    assert_true(admit(g, &ann, 0, 1, &why));
    assert_false(admit(g, &bob, 0, 1, &why));
    assert_int_equal(why, FAIL_NO_SEAT);
    for (int i = 0; i < 5; i++) /* nobody knows who that is */
        assert_true(admit(g, &local, 0, 1, &why));
    guard_leave(g, &local, 0);
    guard_leave(g, &ann, 0);
    assert_true(admit(g, &bob, 61 * SECOND, 1, &why));
    guard_drop(g);
}

/* The SHA-256 of this key, in base64url. */
#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define HASH "DwBzhbb51LfusnSGBa_hqYSgo7-j8BTQnip4TOnlzRo"

/* P26: a key is used as often as it may be, also after a restart, and until its time is over. */
static void test_keys(void **state)
{
    char used[GUARD_USED_MAX];
    const char *name;
    int64_t until;
    struct guard *g =
        guard_of("{\"keys\":[[\"bob\",\"lCE9LFRx5eMNf0I5WrW7UsU4cZsOcl-O4EZvoFmITEw\",0,0],"
                 "[\"ann\",\"" HASH "\",2000,2]]}",
                 "{}");
    assert_non_null(guard_login(g));
    guard_used(g, used);
    assert_string_equal(used, "");
    assert_false(guard_use_key(g, SLICE(KEY "A"), 1000, &name, &until));
    assert_false(guard_use_key(g, SLICE(""), 1000, &name, &until));
    assert_false(guard_use_key(g, SLICE(KEY), 2000, &name, &until));
    assert_true(guard_use_key(g, SLICE(KEY), 1999, &name, &until));
    assert_string_equal(name, "ann");
    assert_int_equal(until, 2000);
    guard_used(g, used);
    assert_string_equal(used, "0,1");
    assert_true(guard_use_key(g, SLICE(KEY), 1000, &name, &until));
    assert_false(guard_use_key(g, SLICE(KEY), 1000, &name, &until));
    guard_set_used(g, SLICE("0,1"));
    assert_true(guard_use_key(g, SLICE(KEY), 1000, &name, &until));
    guard_set_used(g, SLICE("0,x"));
    assert_false(guard_use_key(g, SLICE(KEY), 1000, &name, &until));
    guard_drop(g);
}

/* P40: when one policy changes, what is counted by the other goes on. */
static void test_another_guard(void **state)
{
#define OWN "\"keys\":[[\"ann\",\"" HASH "\",0,1]],\"rate\":1,\"viewers\":1"
    char used[GUARD_USED_MAX];
    const char *name;
    int64_t until;
    enum failure why;
    struct guard *g = guard_of("{" OWN "}", "{}"), *next, *other;
    struct policy *forced = read_policy("{\"deny\":[\"203.0.113.0/24\"]}"),
                  *own = read_policy("{" OWN ",\"deny\":[\"203.0.113.1\"]}");
    assert_true(guard_use_key(g, SLICE(KEY), 1000, &name, &until));
    assert_true(admit(g, &ann, SECOND, 1, &why));
    for (int i = 1; i < 10; i++)
        assert_true(guard_judge(g, &ann, SECOND, 1, &why));
    next = guard_new(g, guard_own(g), forced);
    assert_ptr_equal(guard_login(next), guard_login(g));
    guard_drop(g); /* but for its exchange */
    guard_used(next, used);
    assert_string_equal(used, "1");
    assert_false(guard_use_key(next, SLICE(KEY), 1000, &name, &until));
    assert_false(guard_judge(next, &ann, SECOND, 1, &why));
    assert_int_equal(why, FAIL_TOO_MANY_REQUESTS);
    assert_false(guard_seat(next, &bob, SECOND, &why));
    guard_leave(next, &ann, SECOND);
    assert_true(guard_seat(next, &bob, 62 * SECOND, &why));
    guard_leave(next, &bob, 62 * SECOND);
    other = guard_new(next, own, forced); /* the sharer's own one changes */
    assert_true(guard_use_key(other, SLICE(KEY), 1000, &name, &until));
    guard_drop(other);
    guard_drop(next);
    policy_drop(own);
    policy_drop(forced);
}

/* P42, P43: whether a head was edited by what holds no more, and the next time that is over. */
static void test_changes(void **state)
{
    struct guard *g = guard_of("{\"request_add\":[[\"x-a\",\"1\"]],\"until\":2000}",
                               "{\"response_remove\":[\"server\"],\"until\":1000}"),
                 *same = guard_new(g, guard_own(g), NULL),
                 *less = guard_new(g, NULL, guard_forced(g));
    assert_int_equal(guard_until(NULL, 0), 0);
    assert_int_equal(guard_until(g, 0), 1000);
    assert_int_equal(guard_until(g, 1000), 2000);
    assert_int_equal(guard_until(g, 2000), 0);
    assert_false(guard_has_edited(NULL, g));
    assert_false(guard_has_edited(g, g) || guard_has_edited(g, same));
    assert_true(guard_has_edited(g, less) && guard_has_edited(g, NULL));
    assert_false(guard_has_edited(less, NULL));
    guard_drop(same);
    guard_drop(less);
    guard_drop(g);
}

/* P48: what is counted takes memory as it is needed, and none when it is old. */
static void test_memory(void **state)
{
    enum failure why;
    struct guard *g = guard_of("{\"rate\":1,\"viewers\":1000}", "{}");
    struct viewer v = {.address = ""};
    size_t most = 0;
    assert_true(guard_counts(g));
    assert_int_equal(guard_bytes(g), 0);
    assert_int_equal(guard_bytes(NULL), 0);
    for (int i = 0; i < 10; i++)
        assert_true(guard_judge(g, &ann, SECOND, 1, &why));
    assert_true(guard_seat(g, &ann, SECOND, &why));
    assert_in_range(guard_bytes(g), 1, 4096);
    for (int i = 0; i < 2000; i++) {
        snprintf(v.address, sizeof v.address, "10.0.%d.%d", i / 200, i % 200);
        assert_true(guard_judge(g, &v, SECOND, 1, &why));
        assert_false(guard_judge(g, &ann, SECOND, 1, &why)); /* it is known still */
        if (i < 999)
            assert_true(guard_seat(g, &v, SECOND, &why));
        else
            assert_false(guard_seat(g, &v, SECOND, &why));
        assert_true(guard_bytes(g) >= most);
        most = guard_bytes(g);
    }
    assert_in_range(most, 100 * 1024, 300 * 1024);
    guard_tidy(g, 5 * SECOND, 5);
    assert_int_equal(guard_bytes(g), most);
    guard_leave(g, &ann, 6 * SECOND);
    for (int i = 0; i < 999; i++) {
        snprintf(v.address, sizeof v.address, "10.0.%d.%d", i / 200, i % 200);
        guard_leave(g, &v, 6 * SECOND);
    }
    guard_tidy(g, 67 * SECOND, 67);
    assert_int_equal(guard_bytes(g), 0);
    assert_true(guard_judge(g, &ann, 70 * SECOND, 70, &why) &&
                guard_seat(g, &ann, 70 * SECOND, &why));
    guard_drop(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seats),         cmocka_unit_test(test_queue),
        cmocka_unit_test(test_both),          cmocka_unit_test(test_rate),
        cmocka_unit_test(test_two_limits),    cmocka_unit_test(test_keys),
        cmocka_unit_test(test_another_guard), cmocka_unit_test(test_changes),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
