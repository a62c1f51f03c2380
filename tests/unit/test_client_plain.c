/* SPDX-License-Identifier: MIT */
/* test_client_plain.c - tests what a person reads on the screen in place of a line of the log.
 * plain.h */
#include "client/plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

static const struct {
    const char *what, *line, *said, *advice;
} rows[] = {
    {"O173 nobody there",
     "giving_up server=https://example.com:1 step=TCP reason=\"Connection refused\" retries=9 "
     "advice=\"check the port\"",
     "there is no connection to https://example.com:1: Connection refused (TCP)", "check the port"},
    {"O173 refused",
     "server_refuses name=ab server=https://example.com step=register status=403 "
     "error=name_reserved message=\"ab is too short\"",
     "refused by https://example.com: ab is too short", ""},
    {"O173 refused by what is no oneportd",
     "server_refuses name=- server=https://example.com step=register status=404 error=\"\" "
     "message=\"\" advice=\"check --host\"",
     "refused by https://example.com: 404 (register)", "check --host"},
    {"O173 sent elsewhere",
     "server_redirects server=https://a step=register status=301 location=https://b/ advice=c",
     "sent elsewhere by https://a: https://b/ (register)", "c"},
    {"O173 certificate",
     "server_certificate_refused step=TLS server=https://a reason=\"self-signed certificate\"",
     "not connected, because of the certificate of https://a: self-signed certificate (TLS)", ""},
    {"O173 nothing there", "nothing_listens origin=localhost:3000 advice=\"start it\"",
     "nobody listens at localhost:3000", "start it"},
    {"O173 escapes and names inside of values",
     "name_lost name=a reason=\"it said \\\"message=no\\\" \\\\ \\x1b[m\"",
     "this name is lost: a: it said \"message=no\" \\ \\x1b[m", ""},
    {"O173 an event without words", "few_descriptors limit=4 max_streams=20 advice=\"raise it\"",
     "few descriptors limit=4 max_streams=20", "raise it"},
    {"O173 an event alone", "address_lost", "address lost", ""},
    {"O173 nothing", "", "", ""},
    {"O173 an open quote", "name_lost name=n reason=\"a b\\", "this name is lost: n: a b\\", ""},
    {"O173 a pair without a value", "name_lost name", "this name is lost: ", ""},
};

static void expect(int (*say)(struct slice, struct buf *), const char *line, const char *want)
{
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(say(slice_str(line), &out), 0);
    assert_int_equal(buf_append(&out, slice_make("", 1)), 0);
    assert_string_equal(buf_slice(&out).ptr, want);
    buf_release(&out);
}

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        print_message("%s\n", rows[i].what);
        expect(plain_event, rows[i].line, rows[i].said);
        expect(plain_advice, rows[i].line, rows[i].advice);
    }
}

static void test_no_room(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t limit = 0; limit < strlen(rows[i].said); limit++) {
            struct buf out;
            buf_init(&out, limit);
            assert_int_equal(plain_event(slice_str(rows[i].line), &out), ERR_LIMIT);
            buf_release(&out);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_no_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
