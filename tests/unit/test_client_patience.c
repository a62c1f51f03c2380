/* SPDX-License-Identifier: MIT */
/* test_client_patience.c - tests after which failed try oneport gives up. patience.h */
#include "client/server/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NEVER = 1000, BEGAN_US = 5000000 };

static const struct {
    const char *what;
    uint64_t max_retries, first_ms;
    bool first, counts, vain;
    uint64_t gap_ms; /* from one failure to the next; the first comes after it, too */
    unsigned last;   /* the number of the try that is the last */
} rows[] = {
    {"O172 somebody has to change something", 0, 15000, true, true, true, 1, 4},
    {"O172 it may pass", 0, 15000, true, true, false, 1000, 15},
    {"O172 it may pass, slow tries", 0, 15000, true, true, false, 10000, 4},
    {"O172 after a link was up", 0, 15000, false, true, false, 10000, NEVER},
    {"O172 after a link was up, in vain", 0, 15000, false, true, true, 10000, NEVER},
    {"O172 --max-retries 0", 0, 0, true, true, true, 10000, NEVER},
    {"O172 --max-retries 6", 6, 0, true, true, true, 10000, 7},
    {"O172 --max-retries 6, after a link was up", 6, 0, false, true, false, 1, 7},
    {"O172 --max-retries 6, beside a link", 6, 0, false, false, false, 1, NEVER},
};

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct patience p = {
            .max_retries = rows[i].max_retries, .first_ms = rows[i].first_ms, .began_us = BEGAN_US};
        unsigned tries = 0;
        bool over = false;
        while (!over && ++tries < NEVER) {
            patience_note(&p, rows[i].vain);
            over = patience_is_over(&p, rows[i].first, rows[i].counts,
                                    BEGAN_US + tries * rows[i].gap_ms * 1000);
            p.retries += rows[i].counts;
        }
        print_message("%s\n", rows[i].what);
        assert_int_equal(tries, rows[i].last);
    }
}

/* O172: only failures in a row count as vain. */
static void test_vain_in_a_row(void **state)
{
    struct patience p = {.first_ms = 15000};
    for (int i = 0; i < 20; i++) {
        patience_note(&p, i % PATIENCE_TRIES != 0);
        assert_false(patience_is_over(&p, true, true, 0));
    }
    patience_note(&p, true);
    patience_note(&p, true);
    patience_note(&p, true);
    patience_note(&p, true);
    assert_true(patience_is_over(&p, true, true, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_vain_in_a_row)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
