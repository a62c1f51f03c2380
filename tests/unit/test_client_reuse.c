/* SPDX-License-Identifier: MIT */
/* test_client_reuse.c - behind which exchanges a connection serves another request. Rules D14. */
#include "client/origin/reuse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *name, *method;
    int64_t length;
    bool bodyless;
    bool safe, always; /* whether a connection is used again; `never` has no row */
} requests[] = {
    {"D14 GET", "GET", MESSAGE_LENGTH_UNKNOWN, true, true, true},
    {"D14 POST without a body", "POST", MESSAGE_LENGTH_UNKNOWN, true, true, true},
    {"D14 POST of length 0", "POST", 0, false, true, true},
    {"D14 POST", "POST", 5, false, false, true},
    {"D14 POST in chunks", "POST", MESSAGE_LENGTH_UNKNOWN, false, false, true},
    {"D14 PUT", "PUT", 5, false, false, true},
    {"D14 PATCH", "PATCH", 5, false, false, true},
    {"D14 any method", "QUERY", 5, false, false, true},
    {"D14 methods have a case", "get", 5, false, false, true},
    {"D14 GET with a body", "GET", 5, false, false, false},
    {"D14 GET in chunks", "GET", MESSAGE_LENGTH_UNKNOWN, false, false, false},
    {"D14 GET of length 0", "GET", 0, false, true, true},
    {"D14 HEAD with a body", "HEAD", 1, false, false, false},
    {"D14 OPTIONS with a body", "OPTIONS", 1, false, false, false},
    {"D14 DELETE with a body", "DELETE", 1, false, false, false},
    {"D14 TRACE with a body", "TRACE", 1, false, false, false},
};

static void test_requests(void **state)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct message m;
        message_init(&m);
        m.method = slice_str(requests[i].method);
        m.length = requests[i].length;
        bool body = reuse_has_body(&m, requests[i].bodyless);
        print_message("%s\n", requests[i].name);
        assert_int_equal(reuse_behind_request(REUSE_SAFE, &m, body), requests[i].safe);
        assert_int_equal(reuse_behind_request(REUSE_ALWAYS, &m, body), requests[i].always);
        assert_false(reuse_behind_request(REUSE_NEVER, &m, body));
        message_deinit(&m);
    }
}

/* D14: what an answer says of a body. */
static void test_answers(void **state)
{
    static const int statuses[] = {200, 204, 304, 400, 404, 413, 500, 599};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        assert_true(reuse_behind_answer(statuses[i], false, false));
        assert_int_equal(reuse_behind_answer(statuses[i], true, false), statuses[i] < 400);
        assert_false(reuse_behind_answer(statuses[i], true, true));
    }
}

/* D14 */
static void test_policies(void **state)
{
    enum reuse_policy p = REUSE_ALWAYS;
    assert_int_equal(reuse_parse("safe", &p), 0);
    assert_int_equal(p, REUSE_SAFE);
    assert_int_equal(reuse_parse("always", &p), 0);
    assert_int_equal(p, REUSE_ALWAYS);
    assert_int_equal(reuse_parse("never", &p), 0);
    assert_int_equal(p, REUSE_NEVER);
    assert_int_equal(reuse_parse("Safe", &p), ERR_SYNTAX);
    assert_int_equal(reuse_parse("", &p), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
