/* SPDX-License-Identifier: MIT */
/* test_client_login.c - which heads are about a sign-in of the connection. Rule D13. */
#include "client/origin/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *name, *field, *value;
    const char *want; /* NULL: no such sign-in */
    bool response;
} rows[] = {
    {"D13 NTLM with data", "authorization", "NTLM TlRMTVNTUAABAAAA", "NTLM", false},
    {"D13 Negotiate with data", "Authorization", "Negotiate YII=", "Negotiate", false},
    {"D13 any case", "authorization", "nEGOTIATE YII=", "Negotiate", false},
    {"D13 tab behind the scheme", "authorization", "NTLM\tTlRM", "NTLM", false},
    {"D13 towards a proxy", "proxy-authorization", "NTLM TlRM", "NTLM", false},
    {"D13 alias", "Proxy_Authorization", "NTLM TlRM", "NTLM", false},
    {"D13 Basic is of the request", "authorization", "Basic YTpi", NULL, false},
    {"D13 Bearer is of the request", "authorization", "Bearer NTLM.x", NULL, false},
    {"D13 Digest with quotes", "authorization", "Digest username=\"NTLM\", nc=1", NULL, false},
    {"D13 a longer word", "authorization", "NTLMv3 x", NULL, false},
    {"D13 no value", "authorization", "", NULL, false},
    {"D13 a response's field in a request", "www-authenticate", "NTLM", NULL, false},
    {"D13 challenge", "WWW-Authenticate", "NTLM", "NTLM", true},
    {"D13 challenge with data", "www-authenticate", "Negotiate oYG2=", "Negotiate", true},
    {"D13 second challenge of a line", "www-authenticate", "Basic realm=\"a, b\", ntlm", "NTLM",
     true},
    {"D13 third challenge without blanks", "www-authenticate", "Digest a=b,Basic c=d,NEGOTIATE",
     "Negotiate", true},
    {"D13 quoted quote", "www-authenticate", "Basic realm=\"a\\\"b NTLM\", Bearer", NULL, true},
    {"D13 scheme inside quotes", "www-authenticate", "Basic realm=\"NTLM\"", NULL, true},
    {"D13 open quote", "www-authenticate", "Basic realm=\"a, NTLM", "NTLM", true},
    {"D13 Kerberos", "www-authenticate", "Kerberos", "Kerberos", true},
    {"D13 of a proxy", "proxy-authenticate", "NTLM", "NTLM", true},
    {"D13 alias of a challenge", "WWW_Authenticate", "NTLM", "NTLM", true},
    {"D13 IIS", "Persistent-Auth", "true", "Negotiate", true},
    {"D13 IIS not signed in", "Persistent-Auth", "false", NULL, true},
    {"D13 Basic challenge", "www-authenticate", "Basic realm=x", NULL, true},
    {"D13 another field", "x-authenticate", "NTLM", NULL, true},
};

static const char *of(bool response, const struct fields *f)
{
    return response ? login_of_response(f) : login_of_request(f);
}

static void check(const char *name, const char *got, const char *want)
{
    if (got && want)
        assert_string_equal(got, want);
    else if (got || want)
        fail_msg("%s: got %s, want %s", name, got ? got : "-", want ? want : "-");
}

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fields f;
        fields_init(&f);
        fields_add(&f, slice_str(rows[i].field), slice_str(rows[i].value));
        check(rows[i].name, of(rows[i].response, &f), rows[i].want);
        fields_deinit(&f);
    }
}

/* D13: any line counts. */
static void test_a_later_line_counts(void **state)
{
    struct fields f;
    fields_init(&f);
    fields_add(&f, SLICE("www-authenticate"), SLICE("Basic realm=\"x\""));
    fields_add(&f, SLICE("server"), SLICE("NTLM"));
    assert_null(login_of_response(&f));
    fields_add(&f, SLICE("www-authenticate"), SLICE("ntlm"));
    assert_string_equal(login_of_response(&f), "NTLM");
    assert_null(login_of_request(&f));
    fields_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_a_later_line_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
