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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dials)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
