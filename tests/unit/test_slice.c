/* SPDX-License-Identifier: MIT */
/* test_slice.c - slices: comparing, splitting, numbers. */
#include "h2mux/base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

static void test_compare(void **state)
{
    static const struct {
        const char *a, *b;
        bool ieq, starts, istarts, ends;
    } rows[] = {
        {"Host", "host", true, false, true, false},
        {"Host", "Host", true, true, true, true},
        {"@host", "`host", false, false, false, false}, /* differ by 0x20, but are no letters */
        {"[", "{", false, false, false, false},
        {"content-type", "content", false, true, true, false},
        {"Content-Type", "content", false, false, true, false},
        {"a.example.org", ".example.org", false, false, false, true},
        {"org", "example.org", false, false, false, false},
        {"anything", "", false, true, true, true},
        {"", "", true, true, true, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice a = slice_str(rows[i].a), b = slice_str(rows[i].b);
        assert_int_equal(slice_ieq(a, b), rows[i].ieq);
        assert_int_equal(slice_starts(a, b), rows[i].starts);
        assert_int_equal(slice_istarts(a, b), rows[i].istarts);
        assert_int_equal(slice_ends(a, b), rows[i].ends);
    }
}

static void test_trim(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"x", "x"},   {" \tx\t ", "x"}, {"a b", "a b"},
        {" \t ", ""}, {"", ""},         {"\r\nx", "\r\nx"}, /* OWS is space and tab alone */
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_true(slice_eq(slice_trim(slice_str(rows[i].in)), slice_str(rows[i].want)));
}

static void test_find(void **state)
{
    static const struct {
        const char *in;
        char c;
        ptrdiff_t first, last;
    } rows[] = {{"a:b:c", ':', 1, 3}, {":", ':', 0, 0}, {"abc", ':', -1, -1}, {"", ':', -1, -1}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(slice_find(slice_str(rows[i].in), rows[i].c), rows[i].first);
        assert_int_equal(slice_rfind(slice_str(rows[i].in), rows[i].c), rows[i].last);
    }
    assert_int_equal(slice_find(slice_make(NULL, 0), 'x'), -1);
}

static void test_next_token(void **state)
{
    static const struct {
        const char *list;
        const char *want[4];
    } rows[] = {
        {"close", {"close"}},
        {"keep-alive, Upgrade", {"keep-alive", "Upgrade"}},
        {" a ,\tb", {"a", "b"}},
        {",, a,, ,b,", {"a", "b"}}, /* RFC 9110 5.6.1.2: empty elements are ignored */
        {" , ", {NULL}},
        {"", {NULL}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice list = slice_str(rows[i].list), token;
        for (size_t n = 0; rows[i].want[n]; n++) {
            assert_true(slice_next_token(&list, &token));
            assert_true(slice_eq(token, slice_str(rows[i].want[n])));
        }
        assert_false(slice_next_token(&list, &token));
    }
}

static void test_has_token(void **state)
{
    static const struct {
        const char *list, *token;
        bool want;
    } rows[] = {
        {"keep-alive, Upgrade", "upgrade", true},
        {"upgrade2, x", "upgrade", false},
        {"x-upgrade", "upgrade", false},
        {"", "upgrade", false},
        {"a,,CLOSE ,", "close", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(slice_has_token(slice_str(rows[i].list), slice_str(rows[i].token)),
                         rows[i].want);
}

static void test_to_u64(void **state)
{
    static const struct {
        const char *name, *in;
        uint64_t max;
        int want;
        uint64_t value;
    } rows[] = {
        {"zero", "0", 10, 0, 0},
        {"plain", "42", 100, 0, 42},
        {"leading zeros", "0042", 100, 0, 42},
        {"at max", "100", 100, 0, 100},
        {"over max", "101", 100, ERR_LIMIT, 0},
        {"digit over max", "9", 5, ERR_LIMIT, 0},
        {"max zero", "0", 0, 0, 0},
        {"largest", "18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"largest and one", "18446744073709551616", UINT64_MAX, ERR_LIMIT, 0},
        {"wraps to small", "18446744073709551658", UINT64_MAX, ERR_LIMIT, 0},
        {"very long", "100000000000000000000000000", UINT64_MAX, ERR_LIMIT, 0},
        {"long and malformed", "100000000000000000000000000x", UINT64_MAX, ERR_SYNTAX, 0},
        {"empty", "", 10, ERR_SYNTAX, 0},
        {"plus", "+1", 10, ERR_SYNTAX, 0}, /* RFC 9110 8.6: 1*DIGIT */
        {"minus", "-1", 10, ERR_SYNTAX, 0},
        {"space before", " 1", 10, ERR_SYNTAX, 0},
        {"space behind", "1 ", 10, ERR_SYNTAX, 0},
        {"hex", "0x1", 10, ERR_SYNTAX, 0},
        {"list", "1,1", 10, ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t out = 777;
        int err = slice_to_u64(slice_str(rows[i].in), rows[i].max, &out);
        if (err != rows[i].want || out != (err ? 777 : rows[i].value))
            fail_msg("%s: err %d, out %llu", rows[i].name, err, (unsigned long long)out);
    }
}

static void test_dup_and_lower(void **state)
{
    char *copy = slice_dup(slice_make("HeLLo-9Z[world", 9));
    assert_string_equal(copy, "HeLLo-9Z[");
    ascii_lower(copy, 8);
    assert_string_equal(copy, "hello-9z[");
    free(copy);
    copy = slice_dup(slice_make(NULL, 0));
    assert_string_equal(copy, "");
    free(copy);
}

static void test_skip(void **state)
{
    assert_true(slice_eq(slice_skip(SLICE("abc"), 1), SLICE("bc")));
    assert_int_equal(slice_skip(SLICE("abc"), 3).len, 0);
    assert_int_equal(slice_skip(SLICE("abc"), 4).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),       cmocka_unit_test(test_trim),
        cmocka_unit_test(test_find),          cmocka_unit_test(test_next_token),
        cmocka_unit_test(test_has_token),     cmocka_unit_test(test_to_u64),
        cmocka_unit_test(test_dup_and_lower), cmocka_unit_test(test_skip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
