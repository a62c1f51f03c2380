/* SPDX-License-Identifier: MIT */
/* test_label.c - tests which names are valid, and the random names: protocol.md#names */
#include "src/names/label.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"

static const struct {
    const char *name;
    bool want;
} rows[] = {
    {"abc", true},          {"my-app", true},    {"a-1", true},         {"123", true},
    {"a--b", true},         {LABEL_63, true},    {LABEL_63 "4", false}, {"", false},
    {"ab", false},          {"-abc", false},     {"abc-", false},       {"a_b", false},
    {"a.b", false},         {"Abc", false},      {"a b", false},        {"ab\xc3\xa9", false},
    {"www", false},         {"api", false},      {"register", false},   {"tunnel", false},
    {"status", false},      {"metrics", false},  {"admin", false},      {"oneport", false},
    {"favicon.ico", false}, {"register2", true}, {"wwww", true},
};

static void test_valid(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (label_valid(slice_str(rows[i].name)) != rows[i].want)
            fail_msg("%s", rows[i].name);
    assert_false(label_valid(slice_make("a\0c", 3)));
}

/* O93: each fault has a text of its own. */
static void test_faults(void **state)
{
    static const struct {
        const char *name, *part;
    } faults[] = {
        {"ab", "too short"},     {"", "too short"},       {"a_b", "character"},
        {"my app", "character"}, {"-abc", "hyphen"},      {"abc-", "hyphen"},
        {"www", "reserved"},     {"oneport", "reserved"}, {"a-b", NULL},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *fault = label_fault(slice_str(faults[i].name));
        assert_int_equal(!!fault, !!faults[i].part);
        if (fault)
            assert_non_null(strstr(fault, faults[i].part));
    }
    char longest[NAME_MAX_LEN + 2];
    memset(longest, 'a', sizeof longest);
    assert_non_null(strstr(label_fault(slice_make(longest, sizeof longest)), "too long"));
}

static bool never(struct slice name, void *user)
{
    return false;
}

static bool always(struct slice name, void *user)
{
    ++*(size_t *)user;
    return true;
}

static bool first_three(struct slice name, void *user)
{
    return ++*(size_t *)user <= 3;
}

/* A random name is an adjective, an animal and two digits. */
static void test_random(void **state)
{
    for (int i = 0; i < 2000; i++) {
        char name[NAME_MAX_LEN + 1];
        assert_int_equal(label_random(never, NULL, name), 0);
        struct slice s = slice_str(name);
        assert_true(label_valid(s));
        ptrdiff_t first = slice_find(s, '-'), last = slice_rfind(s, '-');
        assert_true(first > 1 && last > first + 2);
        assert_int_equal(s.len - (size_t)last, 3);
    }
}

static void test_random_taken(void **state)
{
    char name[NAME_MAX_LEN + 1];
    size_t asked = 0;
    assert_int_equal(label_random(first_three, &asked, name), 0);
    assert_int_equal(asked, 4);
    asked = 0;
    assert_int_equal(label_random(always, &asked, name), ERR_LIMIT);
    assert_in_range(asked, 10, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_random_taken),
    };
    return cmocka_run_group_tests_name("label", tests, NULL, NULL);
}
