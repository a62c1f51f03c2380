/* SPDX-License-Identifier: MIT */
/* test_client_status.c - which answers to /api/status are those of an oneportd. */
#include "client/server/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

static const struct {
    const char *label, *body;
    const char *version; /* NULL: no oneportd */
    uint64_t live;
    const char *reason; /* a part of it */
} rows[] = {
    {"O104 oneportd", "{\"version\":\"0.2.0\",\"links\":3,\"live\":2}", "0.2.0", 2, NULL},
    {"O104 no names", "{\"version\":\"dev\",\"links\":0}", "dev", 0, NULL},
    {"O104 numbers without sense", "{\"version\":\"1\",\"links\":0,\"live\":-1}", "1", 0, NULL},
    {"O104 a number that is too large", "{\"version\":\"1\",\"links\":0,\"live\":1e300}", "1", 0,
     NULL},
    {"O104 localtunnel", "{\"tunnels\":1,\"mem\":{\"rss\":1}}", NULL, 0, "localtunnel"},
    {"O104 another service", "{\"version\":\"7\"}", NULL, 0, "not that of an oneportd"},
    {"O104 no version", "{\"links\":3}", NULL, 0, "not that of an oneportd"},
    {"O104 a version for a terminal", "{\"version\":\"\\u001b[31m\",\"links\":3}", NULL, 0, "not"},
    {"O104 a version with a blank", "{\"version\":\"a b\",\"links\":3}", NULL, 0, "not"},
    {"O104 a long version", "{\"version\":\"0123456789012345678901234567890123\",\"links\":3}",
     NULL, 0, "not"},
    {"O104 a page", "<html>", NULL, 0, "not that of an oneportd"},
    {"O104 a list", "[]", NULL, 0, "not that of an oneportd"},
    {"O104 nothing", "", NULL, 0, "not that of an oneportd"},
};

static void test_parse(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct status s;
        const char *reason = NULL;
        print_message("%s\n", rows[i].label);
        int err = status_parse(slice_str(rows[i].body), &s, &reason);
        assert_int_equal(err, rows[i].version ? 0 : ERR_PROTOCOL);
        if (!rows[i].version) {
            assert_non_null(strstr(reason, rows[i].reason));
            continue;
        }
        assert_string_equal(s.version, rows[i].version);
        assert_int_equal(s.live, rows[i].live);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
