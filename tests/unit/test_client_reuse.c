/* SPDX-License-Identifier: MIT */
/* test_client_reuse.c - behind which exchanges a connection serves another request. Rules D14, D16,
 * D17, D20. */
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

/* D20: a 401 is a step of the sign-in. */
static void test_answers_to_the_owner(void **state)
{
    static const struct {
        int status;
        bool again;
    } owned[] = {{200, true},  {204, true}, {302, true},  {400, false}, {401, true},
                 {403, false}, {407, true}, {413, false}, {500, false}};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        assert_true(reuse_own_behind_answer(owned[i].status, false, false));
        assert_int_equal(reuse_own_behind_answer(owned[i].status, true, false), owned[i].again);
        assert_false(reuse_own_behind_answer(owned[i].status, true, true));
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

static const struct {
    const char *name, *method;
    bool bodyless, repeatable;
} repeats[] = {
    {"D16 GET", "GET", true, true},
    {"D16 HEAD", "HEAD", true, true},
    {"D16 OPTIONS", "OPTIONS", true, true},
    {"D16 PUT of nothing", "PUT", true, true},
    {"D16 DELETE", "DELETE", true, true},
    {"D16 empty POST", "POST", true, false},
    {"D16 PATCH", "PATCH", true, false},
    {"D16 unknown method", "QUERY", true, false},
    {"D16 GET with a body", "GET", false, false},
    {"D16 PUT", "PUT", false, false},
    {"D16 methods have a case", "get", true, false},
};

static void test_repeatable(void **state)
{
    for (size_t i = 0; i < sizeof repeats / sizeof *repeats; i++) {
        struct message m;
        message_init(&m);
        m.method = slice_str(repeats[i].method);
        print_message("%s\n", repeats[i].name);
        assert_int_equal(reuse_repeatable(&m, repeats[i].bodyless), repeats[i].repeatable);
        message_deinit(&m);
    }
}

enum { OURS = 4000 };

static const struct {
    const char *name, *first, *second; /* NULL: no such line */
    uint64_t ms;
} keeps[] = {
    {"D17 no field", NULL, NULL, OURS},
    {"D17 less than ours", "timeout=3", NULL, 2000},
    {"D17 more than ours", "timeout=60", NULL, OURS},
    {"D17 as much, less a second", "timeout=5, max=100", NULL, OURS},
    {"D17 one second is none", "timeout=1", NULL, 0},
    {"D17 zero", "timeout=0", NULL, 0},
    {"D17 any case and blanks", "max=5 ,\tTimeOut = 2", NULL, 1000},
    {"D17 quoted", "timeout=\"2\"", NULL, 1000},
    {"D17 with a unit", "timeout=2s", NULL, 1000},
    {"D17 the least of two", "timeout=5", "timeout=2", 1000},
    {"D17 the last request", "max=0", NULL, 0},
    {"D17 huge", "timeout=99999999999999999999", NULL, OURS},
    {"D17 no number", "timeout=soon", NULL, OURS},
    {"D17 negative", "timeout=-1", NULL, OURS},
    {"D17 nothing", "timeout=", NULL, OURS},
    {"D17 another word", "xtimeout=1", NULL, OURS},
};

static void test_keep(void **state)
{
    for (size_t i = 0; i < sizeof keeps / sizeof *keeps; i++) {
        struct fields f;
        fields_init(&f);
        print_message("%s\n", keeps[i].name);
        if (keeps[i].first)
            fields_add(&f, SLICE("Keep-Alive"), slice_str(keeps[i].first));
        if (keeps[i].second)
            fields_add(&f, SLICE("keep-alive"), slice_str(keeps[i].second));
        fields_add(&f, SLICE("Keep_Alive"), SLICE("timeout=1"));
        assert_int_equal(reuse_keep_ms(&f, OURS), keeps[i].ms);
        assert_int_equal(reuse_keep_ms(&f, 0), 0);
        fields_deinit(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_answers_to_the_owner),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_keep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
