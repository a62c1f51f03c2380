/* SPDX-License-Identifier: MIT */
/* test_lines.c - lines.c: what a tunnel remembers of the lines of its links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "src/tunnels/lines.h"

static const char a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                  b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static struct place at(const char *instance, unsigned slot)
{
    return (struct place){.instance = slice_str(instance), .slot = slot};
}

static void keep(struct lines *l, const char *instance, unsigned slot, uint64_t rate, uint64_t us)
{
    struct place p = at(instance, slot);
    lines_keep(l, &p, &(struct line_rate){rate, us});
}

static uint64_t found(const struct lines *l, const char *instance, unsigned slot)
{
    struct place p = at(instance, slot);
    return lines_find(l, &p).rate;
}

/* F86: each instance and each of its links has a line of its own; a client without an instance is
 * not remembered. */
static void each_place_by_itself(void **state)
{
    struct lines l = {0};
    assert_int_equal(found(&l, a, 0), 0);
    keep(&l, "", 0, 5, 1);
    assert_null(l.known);
    keep(&l, a, 0, 10, 1);
    keep(&l, a, 1, 11, 2);
    keep(&l, b, 0, 12, 3);
    assert_int_equal(found(&l, a, 0), 10);
    assert_int_equal(found(&l, a, 1), 11);
    assert_int_equal(found(&l, b, 0), 12);
    assert_int_equal(found(&l, b, 1), 0);
    assert_int_equal(found(&l, "", 0), 0);
    keep(&l, a, 0, 20, 4);
    assert_int_equal(found(&l, a, 0), 20);
    lines_forget(&l);
    assert_int_equal(found(&l, a, 0), 0);
}

/* The place that has learned nothing for longest makes room. */
static void the_oldest_goes(void **state)
{
    struct lines l = {0};
    for (unsigned i = 0; i < LINES_MAX; i++)
        keep(&l, a, i, 100 + i, 10 + i);
    keep(&l, a, 0, 100, 1000);
    keep(&l, b, 7, 7, 1001);
    assert_int_equal(found(&l, b, 7), 7);
    assert_int_equal(found(&l, a, 0), 100);
    assert_int_equal(found(&l, a, 1), 0);
    assert_int_equal(found(&l, a, 2), 102);
    lines_forget(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_by_itself),
        cmocka_unit_test(the_oldest_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
