/* SPDX-License-Identifier: MIT */
/* test_message.c - message.c: methods and status codes. RFC 9110 9, 15; RFC 9112 6.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/http/message.h"

#define COUNT(rows) (sizeof rows / sizeof(*(rows)))

static const struct {
    const char *method;
    bool idempotent;
} methods[] = {
    {"GET", true},      {"HEAD", true},   {"OPTIONS", true}, {"TRACE", true},
    {"PUT", true},      {"DELETE", true}, {"POST", false},   {"PATCH", false},
    {"CONNECT", false}, {"get", false},   {"GETX", false},   {"", false},
};

static void methods_are_known(void **state)
{
    for (size_t i = 0; i < COUNT(methods); i++)
        if (method_is_idempotent(slice_str(methods[i].method)) != methods[i].idempotent)
            fail_msg("D8, RFC 9110 9.2.2: %s", methods[i].method);
}

static const struct {
    int status;
    const char *phrase;
    bool body, body_to_head;
} statuses[] = {
    {100, "Continue", false, false},
    {101, "Switching Protocols", false, false},
    {199, "Unknown", false, false},
    {200, "OK", true, false},
    {204, "No Content", false, false},
    {205, "Reset Content", true, false}, /* not in the list of RFC 9112 6.3 */
    {304, "Not Modified", false, false},
    {404, "Not Found", true, false},
    {421, "Misdirected Request", true, false},
    {508, "Loop Detected", true, false},
    {511, "Network Authentication Required", true, false},
    {512, "Unknown", true, false},
    {599, "Unknown", true, false},
};

/* R1 */
static void statuses_are_known(void **state)
{
    for (size_t i = 0; i < COUNT(statuses); i++) {
        assert_string_equal(status_phrase(statuses[i].status), statuses[i].phrase);
        assert_int_equal(status_has_body(statuses[i].status, false), statuses[i].body);
        assert_int_equal(status_has_body(statuses[i].status, true), statuses[i].body_to_head);
    }
    assert_string_equal(status_phrase(-1), "Unknown");
    assert_string_equal(status_phrase(0), "Unknown");
}

static void messages_begin_empty(void **state)
{
    struct message m;
    message_init(&m);
    assert_int_equal(m.length, MESSAGE_LENGTH_UNKNOWN);
    assert_int_equal(m.minor_version, 1);
    assert_int_equal(m.status, 0);
    assert_false(message_is_websocket(&m));
    m.protocol = SLICE("websocket"); /* RFC 8441 4 */
    assert_true(message_is_websocket(&m));
    fields_add_copy(&m.fields, SLICE("a"), SLICE("b"));
    message_deinit(&m);
    assert_int_equal(m.fields.count, 0);
    message_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_are_known),
        cmocka_unit_test(statuses_are_known),
        cmocka_unit_test(messages_begin_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
