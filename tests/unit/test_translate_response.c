/* SPDX-License-Identifier: MIT */
/* test_translate_response.c - tests how a response's head and trailers are rewritten: rules R8,
 * R13, R14, R15a, R16, R19, H16. */
#include "translate_fields.h"

static const struct {
    const char *what;
    int status;
    const char *fields, *want;
    bool cut;
} responses[] = {
    {"plain", 200, "server: x|date: y|", "server: x|date: y|", false},
    {"R14", 200,
     "connection: x-hop|x-hop: 1|keep-alive: 1|upgrade: h2c|proxy-connection: x|transfer-encoding: "
     "chunked|alt-svc: h3=\":443\"|"
     "strict-transport-security: max-age=1|oneport-error: x|Oneport-Anything: y|",
     "strict-transport-security: max-age=1|", false},
    {"R15 untouched", 302,
     "location: http://localhost:3000/|access-control-allow-origin: http://localhost:3000|",
     "location: http://localhost:3000/|access-control-allow-origin: http://localhost:3000|", false},
    {"R15a none", 200, "set-cookie: a=b; Path=/|", "set-cookie: a=b; Path=/|", false},
    {"R15a base", 200, "set-cookie: a=b; Domain=example.com; Path=/|", "set-cookie: a=b; Path=/|",
     true},
    {"R15a base, last", 200, "set-cookie: a=b; Path=/; Domain=example.com|",
     "set-cookie: a=b; Path=/|", true},
    {"R15a dot and case", 200, "Set-Cookie: a=b;DOMAIN = .Example.COM ;Secure|",
     "Set-Cookie: a=b;Secure|", true},
    {"R15a dot behind it", 200, "set-cookie: a=b; Domain=example.com.; Path=/|",
     "set-cookie: a=b; Path=/|", true},
    {"R15a parent, dot behind it", 200, "set-cookie: a=b; domain=.com.|", "set-cookie: a=b|", true},
    {"R15a own, dot behind it", 200, "set-cookie: a=b; Domain=app.example.com.|",
     "set-cookie: a=b; Domain=app.example.com.|", false},
    {"R15a dots", 200, "set-cookie: a=b; Domain=.; domain=..|",
     "set-cookie: a=b; Domain=.; domain=..|", false},
    {"R15a another dot", 200,
     "set-cookie: a=b; Domain=example\xe3\x80\x82"
     "com|",
     "set-cookie: a=b|", true},
    {"R15a wide letter", 200, "set-cookie: a=b; Domain=exampl\xef\xbd\x85.com; Path=/|",
     "set-cookie: a=b; Path=/|", true},
    {"R15a soft hyphen", 200,
     "set-cookie: a=b; Domain=exam\xc2\xad"
     "ple.com|",
     "set-cookie: a=b|", true},
    {"R15a percent", 200, "set-cookie: a=b; Domain=example%2ecom|", "set-cookie: a=b|", true},
    {"R15a underscore", 200, "set-cookie: a=b; Domain=a_b.test|",
     "set-cookie: a=b; Domain=a_b.test|", false},
    {"R15a parent", 200, "set-cookie: a=b; domain=com|", "set-cookie: a=b|", true},
    {"R15a own", 200, "set-cookie: a=b; Domain=app.example.com|",
     "set-cookie: a=b; Domain=app.example.com|", false},
    {"R15a unrelated", 200, "set-cookie: a=b; Domain=le.com|", "set-cookie: a=b; Domain=le.com|",
     false},
    {"R15a empty", 200, "set-cookie: a=b; Domain=; domain|", "set-cookie: a=b; Domain=; domain|",
     false},
    {"R15a all of them", 200, "set-cookie: a=b; Domain=com; Path=/x; Domain=.example.com|",
     "set-cookie: a=b; Path=/x|", true},
    {"R15a each line", 200,
     "set-cookie: a=b; Domain=example.com|x: y|set-cookie: c=d|set-cookie: e=f; Domain=com|",
     "set-cookie: a=b|x: y|set-cookie: c=d|set-cookie: e=f|", true},
    {"R15a the cookie's own name", 200, "set-cookie: domain=example.com; Path=/|",
     "set-cookie: domain=example.com; Path=/|", false},
    {"R15a space before it", 200, "set-cookie: a=b ; Domain=example.com|", "set-cookie: a=b|",
     true},
    {"R15a space behind it", 200, "set-cookie: a=b\t; Domain=example.com; |", "set-cookie: a=b\t;|",
     true},
    {"R16", 200, "content-type: text/event-stream|",
     "content-type: text/event-stream|x-accel-buffering: no|", false},
    {"R16 with a charset", 200, "content-type: Text/Event-Stream; charset=utf-8|",
     "content-type: Text/Event-Stream; charset=utf-8|x-accel-buffering: no|", false},
    {"R16 said already", 200, "content-type: text/event-stream|X-Accel-Buffering: no|",
     "content-type: text/event-stream|X-Accel-Buffering: no|", false},
    {"R19 buffering", 200, "content-type: text/event-stream|X-Accel-Buffering: yes|",
     "content-type: text/event-stream|x-accel-buffering: no|", false},
    {"R19 buffering of another type", 200, "x-accel-buffering: no|x-accel-buffering: yes|",
     "x-accel-buffering: no|", false},
    {"R19", 200,
     "X-Accel-Redirect: /x|x-accel-expires: 1|x-accel-limit-rate: 1|x-accel-charset: "
     "x|X-Sendfile: /etc/passwd|X-Sendfile2: /x|x-sendfile-temporary: /x|X-LIGHTTPD-send-file: "
     "/x|X-LIGHTTPD-send-tempfile: /x|X-Reproxy-URL: http://x|X-REPROXY-FILE: "
     "/x|X-LiteSpeed-Location: /x|x-litespeed-cache-control: x|a: b|",
     "a: b|", false},
    {"R21", 426, "upgrade: h2c|connection: upgrade|a: b|", "a: b|upgrade: websocket|", false},
    {"R19 not these", 200, "x-accelerated: 1|x-send: 1|x-lighttpd: 1|",
     "x-accelerated: 1|x-send: 1|x-lighttpd: 1|", false},
    {"R19 interim", 103, "link: x|x-accel-redirect: /x|", "link: x|", false},
    {"H16", 200,
     "X_Accel_Redirect: /x|X.Accel.Buffering: no|X!Sendfile!Type: x|oneport_error: x|Alt_Svc: "
     "x|Content_Length: 5|Transfer.Encoding: chunked|a_b: c|",
     "a_b: c|", false},
    {"R16 other types", 200, "content-type: text/html|", "content-type: text/html|", false},
};

static void test_responses(void **state)
{
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        struct message m;
        bool cut = false;
        message_init(&m);
        m.status = responses[i].status;
        read_fields(&m.fields, responses[i].fields);
        assert_true(translate_response(&m, SLICE("example.com"), &cut));
        check_fields(responses[i].what, &m.fields, responses[i].want);
        if (cut != responses[i].cut)
            fail_msg("%s: cut %d", responses[i].what, cut);
        for (size_t f = 0; f < m.fields.count; f++)
            if (!field_value_valid(m.fields.v[f].value))
                fail_msg("%s: what is left cannot be written", responses[i].what);
        message_deinit(&m);
    }
}

/* R1, R6, R7 */
static void test_statuses(void **state)
{
    static const struct {
        int status;
        bool good;
        int64_t in, out;
    } rows[] = {{99, false, 0, 0}, {100, true, -1, -1}, {200, true, 5, 5},  {204, true, 5, -1},
                {304, true, 5, 5}, {599, true, 0, 0},   {600, false, 0, 0}, {0, false, 0, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message m;
        bool cut = false;
        message_init(&m);
        m.status = rows[i].status;
        m.length = rows[i].in;
        if (translate_response(&m, SLICE("example.com"), &cut) != rows[i].good)
            fail_msg("status %d", rows[i].status);
        if (rows[i].good)
            assert_int_equal(m.length, rows[i].out);
        message_deinit(&m);
    }
}

/* R3: a response is not passed on when its Connection names a field that it must not name. */
static void test_abusive_response(void **state)
{
    struct message m;
    bool cut = false;
    message_init(&m);
    m.status = 200;
    read_fields(&m.fields, "connection: content-length|");
    assert_false(translate_response(&m, SLICE("example.com"), &cut));
    message_deinit(&m);
}

static void test_trailers(void **state)
{
    struct fields t;
    fields_init(&t);
    read_fields(&t, "x-sum: 1|Host: x|content-length: 5|transfer-encoding: chunked|set-cookie: "
                    "a=b|Authorization: x|cookie: x|te: x|"
                    "x-forwarded-for: x|trailer: x|oneport-error: x|content-type: x|grpc-status: 0|"
                    "X-Accel-Redirect: /x|x_sendfile: /x|x-accel-buffering: no|Content.Length: 5|"
                    "x-request-id: 1|");
    translate_response_trailers(&t);
    check_fields("R13 R19 H16", &t, "x-sum: 1|grpc-status: 0|x-request-id: 1|");
    fields_deinit(&t);
}

static void test_request_trailers(void **state)
{
    static const struct viewer stranger;
    struct fields t;
    fields_init(&t);
    read_fields(&t, "x-sum: 1|content_length: 5|X.Real.IP: 1|proxy: x|client-ip: 1|x-request-id: 1|"
                    "x_request_id: 1|oneport-link: 1|x-accel-redirect: /x|");
    translate_request_trailers(&t, &stranger);
    check_fields("Q29 H16 H18 H19", &t, "x-sum: 1|x-accel-redirect: /x|");
    fields_deinit(&t);
}

static const struct {
    const char *what;
    bool https;
    uint64_t life_ms;
    const char *fields, *want;
} hsts[] = {
    {"O203 off", true, 0, "a: b|", "a: b|"},
    {"O203 over http", false, 86400000, "a: b|", "a: b|"},
    {"O203 over https", true, 86400000, "a: b|", "a: b|strict-transport-security: max-age=86400|"},
    {"O203 in place of the origin's", true, 1500,
     "Strict-Transport-Security: max-age=0|a: b|strict-transport-security: max-age=9|",
     "a: b|strict-transport-security: max-age=1|"},
    {"O203 off: the origin's stays", true, 0, "strict-transport-security: max-age=9|",
     "strict-transport-security: max-age=9|"},
};

static void test_hsts(void **state)
{
    for (size_t i = 0; i < sizeof hsts / sizeof *hsts; i++) {
        struct viewer viewer = {.https = hsts[i].https};
        struct fields f;
        fields_init(&f);
        read_fields(&f, hsts[i].fields);
        translate_hsts(&f, &viewer, hsts[i].life_ms);
        check_fields(hsts[i].what, &f, hsts[i].want);
        fields_deinit(&f);
    }
}

/* The example of RFC 6455 1.3. */
static void test_websocket_opened(void **state)
{
    struct message m;
    message_init(&m);
    m.status = 200;
    m.length = 0;
    read_fields(&m.fields, "sec-websocket-protocol: chat|sec-websocket-accept: forged|");
    translate_websocket_opened(&m, SLICE("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_int_equal(m.status, 101);
    assert_int_equal(m.length, MESSAGE_LENGTH_UNKNOWN);
    check_fields("W6", &m.fields,
                 "sec-websocket-protocol: chat|upgrade: websocket|sec-websocket-accept: "
                 "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=|");
    message_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_abusive_response),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_request_trailers),
        cmocka_unit_test(test_websocket_opened),
        cmocka_unit_test(test_hsts),
    };
    return cmocka_run_group_tests_name("translate, response", tests, NULL, NULL);
}
