/* SPDX-License-Identifier: MIT */
/* test_opt_values.c - times, sizes and rates as options have them. opt.h. */
#include "h2mux/base/opt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

static void test_msec(void **state)
{
    static const struct {
        const char *in;
        int want;
        uint64_t ms;
    } table[] = {
        {"0", 0, 0},
        {"500ms", 0, 500},
        {"4s", 0, 4000},
        {"10m", 0, 600000},
        {"24h", 0, 86400000},
        {"30d", 0, 2592000000},
        {"0s", 0, 0},
        {"4", ERR_SYNTAX, 0},
        {"s", ERR_SYNTAX, 0},
        {"", ERR_SYNTAX, 0},
        {"-4s", ERR_SYNTAX, 0},
        {"1.5s", ERR_SYNTAX, 0},
        {"4 s", ERR_SYNTAX, 0},
        {"4s ", ERR_SYNTAX, 0},
        {"1h30m", ERR_SYNTAX, 0},
        {"00", ERR_SYNTAX, 0},
        {"213503982334602d", ERR_LIMIT, 0},
        {"18446744073709551615ms", 0, UINT64_MAX},
        {"18446744073709551616ms", ERR_LIMIT, 0},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        uint64_t ms = 0;
        if (opt_parse_msec(table[i].in, &ms) != table[i].want || ms != table[i].ms)
            fail_msg("'%s': %llu", table[i].in, (unsigned long long)ms);
    }
}

static void test_size(void **state)
{
    static const struct {
        const char *in;
        int want;
        uint64_t bytes;
    } table[] = {
        {"0", 0, 0},
        {"512", 0, 512},
        {"64k", 0, 65536},
        {"64K", 0, 65536},
        {"16m", 0, 16777216},
        {"2g", 0, 2147483648},
        {"", ERR_SYNTAX, 0},
        {"k", ERR_SYNTAX, 0},
        {"64kb", ERR_SYNTAX, 0},
        {"-1", ERR_SYNTAX, 0},
        {"1.5m", ERR_SYNTAX, 0},
        {"17179869184g", ERR_LIMIT, 0},
        {"17179869183g", 0, UINT64_C(17179869183) << 30},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        uint64_t bytes = 0;
        if (opt_parse_size(table[i].in, &bytes) != table[i].want || bytes != table[i].bytes)
            fail_msg("'%s': %llu", table[i].in, (unsigned long long)bytes);
    }
}

/* A rate is in bits a second, and its units are powers of ten. */
static void test_rate(void **state)
{
    static const struct opt rates[] = {
        {"rate", 0, OPT_RATE, 0, "1g", 1000, 2000000000, NULL, "of a line", NULL, NULL, NULL, 0, 0},
        {.name = NULL},
    };
    static const struct opt_program of_rates = {.name = "p", .env_prefix = "P_", .rows = rates};
    static const struct {
        const char *in;
        enum opt_result want;
        uint64_t rate;
        const char *out;
    } table[] = {
        {"--rate=20m", OPT_RUN, 20000000, "20m"},
        {"--rate=64k", OPT_RUN, 64000, "64k"},
        {"--rate=2000m", OPT_RUN, 2000000000, "2g"},
        {"--rate=1234", OPT_RUN, 1234, "1234"},
        {"--rate=999", OPT_WRONG, 0, ""},
        {"--rate=3g", OPT_WRONG, 0, ""},
        {"--rate=1mbit", OPT_WRONG, 0, ""},
    };
    for (size_t i = 0; i < COUNT(table); i++) {
        char name[] = "p", in[32], text[32], *argv[] = {name, in, NULL};
        snprintf(in, sizeof in, "%s", table[i].in);
        uint64_t rate = 0;
        assert_int_equal(opt_parse(&of_rates, 2, argv, &rate, NULL, 0, NULL), table[i].want);
        if (table[i].want != OPT_RUN)
            continue;
        assert_int_equal(rate, table[i].rate);
        opt_value_text(&rates[0], &rate, text, sizeof text);
        assert_string_equal(text, table[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_msec),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_rate),
    };
    return cmocka_run_group_tests_name("opt values", tests, NULL, NULL);
}
