/* SPDX-License-Identifier: MIT */
/* test_client_complaint.c - what is hoped of a failure on the way to the server, and what a person
 * is told to do. Rule O93. */
#include "client/server/complaint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

static const struct {
    const char *what, *step;
    int err;
    const char *reason;
    enum outlook outlook;
    const char *advice; /* a part of it; NULL: there is none */
} rows[] = {
    {"O93 no such host", "DNS", ERR_DNS, "Name or service not known", OUTLOOK_POOR, "spelling"},
    {"O93 offline", "DNS", ERR_DNS, "Temporary failure in name resolution", OUTLOOK_OPEN, "online"},
    {"O93 nobody listens", "TCP", ERR_REFUSED, "Connection refused", OUTLOOK_OPEN,
     "port of --host"},
    {"O93 no way", "TCP", ERR_UNREACHABLE, "Network is unreachable", OUTLOOK_OPEN, "online"},
    {"O93 a firewall", "TCP", ERR_TIMEOUT, "timed out", OUTLOOK_OPEN, "--proxy"},
    {"O93 a private address", "TCP", ERR_DENIED, "is no public address", OUTLOOK_OPEN, NULL},
    {"O93 plain HTTP", "TLS", ERR_TLS, "wrong version number", OUTLOOK_POOR, "https, usually 443"},
    {"O93 a cut", "TLS", ERR_RESET, "reset by the peer", OUTLOOK_OPEN, "port of --host"},
    {"O93 unknown authority", "TLS", ERR_CERT, "unable to get local issuer certificate",
     OUTLOOK_NONE, "--ca FILE"},
    {"O93 signed by itself", "TLS", ERR_CERT, "self-signed certificate", OUTLOOK_NONE, "--ca FILE"},
    {"O93 another host's", "TLS", ERR_CERT, "hostname mismatch", OUTLOOK_NONE, "another host"},
    {"O93 another host's, in capitals", "TLS", ERR_CERT, "Hostname mismatch", OUTLOOK_NONE,
     "another host"},
    {"O93 an address", "TLS", ERR_CERT, "IP address mismatch", OUTLOOK_NONE, "server's name"},
    {"O93 expired", "TLS", ERR_CERT, "certificate has expired", OUTLOOK_NONE, "clock"},
    {"O93 not yet", "TLS", ERR_CERT, "certificate is not yet valid", OUTLOOK_NONE, "clock"},
    {"O93 no HTTP", "register", ERR_PROTOCOL, "malformed", OUTLOOK_POOR, "no oneportd"},
    {"O93 no answer", "register", ERR_TIMEOUT, "no answer in time", OUTLOOK_OPEN,
     "whether the server works"},
    {"O93 a link was lost", "link", ERR_RESET, "reset by the peer", OUTLOOK_OPEN, NULL},
    {"O88 a login", "proxy", ERR_DENIED, "p:1 wants a login (407)", OUTLOOK_NONE, NULL},
    {"O88 no proxy", "proxy", ERR_PROTOCOL, "p:1 does not answer", OUTLOOK_NONE, "HTTPS_PROXY"},
    {"O88 its name", "proxy", ERR_DNS, "p:1: Name or service not known", OUTLOOK_POOR,
     "host of the proxy"},
    {"O88 it is away", "proxy", ERR_REFUSED, "p:1: Connection refused", OUTLOOK_OPEN, "none"},
    {"O88 it does not get there", "proxy", ERR_UNREACHABLE, "p:1 cannot reach x", OUTLOOK_OPEN,
     "looks up"},
};

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *advice = complaint_advice(rows[i].step, rows[i].err, rows[i].reason);
        print_message("%s\n", rows[i].what);
        assert_int_equal(complaint_outlook(rows[i].step, rows[i].err, rows[i].reason),
                         rows[i].outlook);
        assert_int_equal(!!advice, !!rows[i].advice);
        if (advice)
            assert_non_null(strstr(advice, rows[i].advice));
    }
}

static const struct {
    const char *what;
    struct refusal refusal;
    const char *advice; /* a part of it; "": there is none */
} refusals[] = {
    {"O93 name taken", {.status = 409, .error = "name_taken"}, "--subdomain"},
    {"O93 not understood", {.status = 200, .error = "bad_answer"}, "no oneportd"},
    {"O93 a web server", {.status = 404}, "no oneportd"},
    {"O93 a front end alone", {.status = 502}, "whether oneportd runs"},
    {"O93 something else", {.status = 418}, "maybe in front of one"},
    {"O93 its message says all", {.status = 503, .error = "full"}, ""},
};

static void test_refusals(void **state)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const char *advice = complaint_advice_on_refusal(&refusals[i].refusal);
        print_message("%s\n", refusals[i].what);
        assert_int_equal(*advice == '\0', *refusals[i].advice == '\0');
        assert_non_null(strstr(advice, refusals[i].advice));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
