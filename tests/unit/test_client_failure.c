/* SPDX-License-Identifier: MIT */
/* test_client_failure.c - which failure of an origin has which status and type. */
#include "client/origin/failure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *name;
    enum dial_step step;
    int err, status;
    const char *type;
} rows[] = {
    {"D10 no address", DIAL_DNS, ERR_DNS, 502, "dns_error"},
    {"D10 a list without an address", DIAL_TCP, ERR_DNS, 502, "dns_error"},
    {"D10 refused", DIAL_TCP, ERR_REFUSED, 502, "connection_refused"},
    {"D10 no answer", DIAL_TCP, ERR_TIMEOUT, 504, "connection_timeout"},
    {"D10 silent in TLS", DIAL_TLS, ERR_TIMEOUT, 504, "connection_timeout"},
    {"D10 TLS", DIAL_TLS, ERR_TLS, 502, "tls_alert_received"},
    {"D10 certificate", DIAL_TLS, ERR_CERT, 502, "tls_alert_received"},
    {"D30 no descriptor for a lookup", DIAL_DNS, ERR_SHORT, 503, "connection_limit_reached"},
    {"D30 no descriptor", DIAL_TCP, ERR_SHORT, 503, "connection_limit_reached"},
    {"D30 no way", DIAL_TCP, ERR_UNREACHABLE, 502, "destination_ip_unroutable"},
    {"D30 barred", DIAL_TCP, ERR_DENIED, 502, "destination_ip_prohibited"},
    {"D30 closed in TLS", DIAL_TLS, ERR_EOF, 502, "connection_terminated"},
    {"D30 reset in TLS", DIAL_TLS, ERR_RESET, 502, "connection_terminated"},
};

static void test_dials(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct failure *f = failure_of_dial(rows[i].step, rows[i].err);
        if (f->status != rows[i].status || strcmp(f->type, rows[i].type) != 0)
            fail_msg("%s: %d %s", rows[i].name, f->status, f->type);
    }
}

static const struct {
    const char *name;
    struct leg_fault why;
    bool began;
    int status;
    const char *type;
} streams[] = {
    {"D42 lost", {.err = ERR_LINK_LOST}, false, 502, "connection_terminated"},
    {"D42 lost behind the head", {.err = ERR_LINK_LOST}, true, 502, "http_response_incomplete"},
    {"D42 refused", {.err = ERR_RESET, .h2_code = 7}, false, 503, "connection_limit_reached"},
    {"D42 reset", {.err = ERR_RESET, .h2_code = 2}, false, 502, "http_protocol_error"},
    {"D42 malformed", {.err = ERR_PROTOCOL, .h2_code = 1}, false, 502, "http_protocol_error"},
};

static void test_streams(void **state)
{
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        const struct failure *f = failure_of_stream(&streams[i].why, streams[i].began);
        if (f->status != streams[i].status || strcmp(f->type, streams[i].type) != 0)
            fail_msg("%s: %d %s", streams[i].name, f->status, f->type);
    }
}

/* D42: what a call of gRPC is told. */
static void test_heads(void **state)
{
    struct message m;
    failure_head(&failure_silent, true, &m);
    assert_int_equal(m.status, 200);
    assert_true(slice_eq(fields_value(&m.fields, SLICE("grpc-status")), SLICE("14")));
    assert_true(
        slice_eq(fields_value(&m.fields, SLICE("oneport-error")), SLICE("http_response_timeout")));
    message_deinit(&m);
    failure_head(&failure_silent, false, &m);
    assert_int_equal(m.status, 504);
    assert_null(fields_find(&m.fields, SLICE("grpc-status")));
    message_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dials), cmocka_unit_test(test_streams),
                                       cmocka_unit_test(test_heads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
