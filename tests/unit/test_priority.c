/* SPDX-License-Identifier: MIT */
/* test_priority.c - how urgent an answer is: priority.h, RFC 9218 4. */
#include "h2mux/h2/priority.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* E13: what cannot be read says nothing. */
static void test_urgency(void **state)
{
    static const struct {
        const char *value;
        int urgency;
    } rows[] = {
        {"", 3},       {"u=0", 0},     {"u=7", 7},       {"u=1, i", 1},    {"i,u=5", 5},
        {" u=2 ", 2},  {"u=2;x=1", 2}, {"u=1, u=6", 6},  {"u=8", 3},       {"u=-1", 3},
        {"u=", 3},     {"u=12", 3},    {"u", 3},         {"U=1", 3},       {"x=u=1", 3},
        {"u=1,,,", 1}, {",", 3},       {"i=?0, u=4", 4}, {"a=\"u=1\"", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(priority_urgency(slice_str(rows[i].value)), rows[i].urgency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_urgency)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
