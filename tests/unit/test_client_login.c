/* SPDX-License-Identifier: MIT */
/* test_client_login.c - which heads are about a sign-in of the connection, and whose it is. Rules
 * D13, D21. */
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

/* D21 */
static void test_owner(void **state)
{
    static const struct {
        const char *name, *value;
        size_t times, want;
    } owners[] = {
        {"oneport-viewer-connection", "0123456789abcdef0123456789abcdef", 1, 32},
        {"Oneport-Viewer-Connection", "any.text;at=all", 1, 15},
        {"oneport-viewer-connection", "0123456789abcdef0123456789abcdef", 2, 0},
        {"oneport-viewer-connection", "", 1, 0},
        {"oneport_viewer_connection", "0123456789abcdef0123456789abcdef", 1, 0},
        {"oneport-viewer", "0123456789abcdef0123456789abcdef", 1, 0},
    };
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
        struct fields f;
        fields_init(&f);
        for (size_t n = 0; n < owners[i].times; n++)
            fields_add(&f, slice_str(owners[i].name), slice_str(owners[i].value));
        assert_int_equal(login_owner(&f).len, owners[i].want);
        fields_deinit(&f);
    }
}

/* D21 */
static void test_a_long_owner_is_none(void **state)
{
    static const char text[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0";
    for (size_t len = LOGIN_OWNER_MAX; len <= LOGIN_OWNER_MAX + 1; len++) {
        struct fields f;
        fields_init(&f);
        fields_add(&f, SLICE("oneport-viewer-connection"), slice_make(text, len));
        assert_int_equal(login_owner(&f).len, len == LOGIN_OWNER_MAX ? len : 0);
        fields_deinit(&f);
    }
}

static void test_policies(void **state)
{
    enum login_policy p;
    assert_int_equal(login_parse("viewer", &p), 0);
    assert_int_equal(p, LOGIN_VIEWER);
    assert_int_equal(login_parse("off", &p), 0);
    assert_int_equal(p, LOGIN_OFF);
    assert_int_equal(login_parse("Viewer", &p), ERR_SYNTAX);
    assert_int_equal(login_parse("", &p), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_a_later_line_counts),
        cmocka_unit_test(test_owner),    cmocka_unit_test(test_a_long_owner_is_none),
        cmocka_unit_test(test_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
