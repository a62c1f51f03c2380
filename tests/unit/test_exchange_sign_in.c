/* SPDX-License-Identifier: MIT */
/* test_exchange_sign_in.c - an answer that asks for a sign-in of the connection makes a viewer of
 * HTTP/2 come again over HTTP/1.1. Rule D44. */
#include "exchange_world.h"

/* D44 */
static void test_who_comes_again(void **state)
{
    static const struct {
        const char *name;
        bool nameless, asks; /* a viewer of HTTP/2 without a proxy; the client keeps sign-ins */
        const char *field;   /* of the answer */
        int status;
        const char *told;
    } rows[] = {
        {"it is asked for", true, true, "oneport-sign-in", 401, "failure:401:http_1_1_required "},
        {"by a proxy", true, true, "oneport-sign-in", 407, "failure:401:http_1_1_required "},
        {"over HTTP/1.1", false, true, "oneport-sign-in", 401, "response:401. end "},
        {"nobody keeps it", true, false, "oneport-sign-in", 401, "response:401. end "},
        {"another one is", true, true, "www-authenticate", 401, "response:401. end "},
    };
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        l->backend.asks_who = rows[i].asks;
        x->near[0].viewer.nameless = rows[i].nameless;
        x->near[0].told[0] = '\0';
        struct near *n = run(x, GET);
        answer(await_far(x, i + 1), rows[i].status, rows[i].field, "?1", true);
        check_told(x, rows[i].told);
        message_deinit(&n->head);
        n->exchange = NULL;
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_who_comes_again)};
    return cmocka_run_group_tests_name("exchange_sign_in", tests, NULL, NULL);
}
