/* SPDX-License-Identifier: MIT */
/* test_client_register.c - what a server answers to register, and to what it refuses.
 * protocol.md#register */
#include "client/server/register.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define GOOD                                                                                       \
    "\"id\":\"my-app\",\"url\":\"https://"                                                         \
    "my-app.example.com\",\"port\":443,\"max_conn_count\":10,\"ticket\":\"eyJ.x\","                \
    "\"attach\":\"https://example.com/tunnel/my-app\""

static const struct {
    const char *name, *body;
    bool ok;
} rows[] = {
    {"complete", "{" GOOD ",\"expires\":\"2026-12-22T10:00:00Z\",\"limits\":{\"links\":4}}", true},
    {"no expiry", "{" GOOD "}", true},
    {"expiry is nonsense", "{" GOOD ",\"expires\":\"soon\"}", true},
    {"empty", "", false},
    {"html", "<html>", false},
    {"an array", "[]", false},
    {"localtunnel's four fields",
     "{\"id\":\"a\",\"url\":\"https://a.b\",\"port\":1,\"max_conn_count\":10}", false},
    {"attach over http",
     "{\"id\":\"a\",\"url\":\"https://a.b\",\"ticket\":\"t\",\"attach\":\"http://b/tunnel/a\"}",
     false},
    {"attach without a scheme",
     "{\"id\":\"a\",\"url\":\"https://a.b\",\"ticket\":\"t\",\"attach\":\"b/tunnel/a\"}", false},
    {"url for a terminal, not for a browser",
     "{\"id\":\"a\",\"url\":\"file:///etc/passwd\",\"ticket\":\"t\",\"attach\":\"https://b/tunnel/"
     "a\"}",
     false},
    {"escape sequence in the url",
     "{\"id\":\"a\",\"url\":\"https://a.b/\\u001b[31m\",\"ticket\":\"t\",\"attach\":\"https://b/"
     "tunnel/a\"}",
     false},
    {"line break in the ticket",
     "{\"id\":\"a\",\"url\":\"https://a.b\",\"ticket\":\"t\\r\\nX: "
     "y\",\"attach\":\"https://b/tunnel/a\"}",
     false},
    {"empty ticket",
     "{\"id\":\"a\",\"url\":\"https://a.b\",\"ticket\":\"\",\"attach\":\"https://b/tunnel/a\"}",
     false},
    {"numbers for texts", "{\"id\":1,\"url\":2,\"ticket\":3,\"attach\":4}", false},
};

static void test_answers(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct grant g;
        const char *reason = NULL;
        print_message("%s\n", rows[i].name);
        int err = register_parse(slice_str(rows[i].body), &g, &reason);
        assert_int_equal(err == 0, rows[i].ok);
        assert_int_equal(!reason, rows[i].ok);
    }
}

static void test_members(void **state)
{
    struct grant g;
    const char *reason;
    assert_int_equal(register_parse(slice_str(rows[0].body), &g, &reason), 0);
    assert_string_equal(g.id, "my-app");
    assert_string_equal(g.url, "https://my-app.example.com");
    assert_string_equal(g.ticket, "eyJ.x");
    assert_string_equal(g.attach.host, "example.com");
    assert_string_equal(g.attach.path, "/tunnel/my-app");
    assert_int_equal(g.attach.port, 443);
    assert_int_equal(g.expires_s, 1797933600);
    assert_int_equal(register_parse(slice_str(rows[2].body), &g, &reason), 0);
    assert_int_equal(g.expires_s, 0);
}

/* O82: the server says in hold_ms whether requests wait for a link. */
static void test_limits(void **state)
{
    static const struct {
        const char *limits;
        unsigned links;
        bool holds;
    } limits[] = {
        {"", 1, false},
        {",\"limits\":{\"streams\":20000,\"links\":4,\"hold_ms\":4000}", 4, true},
        {",\"limits\":{\"links\":2,\"hold_ms\":0}", 2, false},
        {",\"limits\":{\"hold_ms\":-1}", 1, false},
        {",\"limits\":{\"hold_ms\":\"4000\"}", 1, false},
        {",\"limits\":{\"links\":1}", 1, false},
        {",\"limits\":{\"links\":0}", 1, false},
        {",\"limits\":{\"links\":-4}", 1, false},
        {",\"limits\":{\"links\":\"4\"}", 1, false},
        {",\"limits\":{\"links\":1e300}", UINT16_MAX, false},
        {",\"limits\":{}", 1, false},
        {",\"limits\":[4]", 1, false},
        {",\"limits\":4", 1, false},
        {",\"limits\":null", 1, false},
    };

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        char body[512];
        struct grant g;
        const char *reason;
        snprintf(body, sizeof body, "{" GOOD "%s}", limits[i].limits);
        assert_int_equal(register_parse(slice_str(body), &g, &reason), 0);
        if (g.links != limits[i].links || g.holds != limits[i].holds)
            fail_msg("%s: %u %d", limits[i].limits, g.links, g.holds);
    }
}

static void test_refusals(void **state)
{
    struct fields f;
    struct refusal r;
    fields_init(&f);
    fields_add(&f, SLICE("Retry-After"), SLICE("3"));
    fields_add(&f, SLICE("Location"), SLICE("https://else.test/"));
    struct call_answer a = {
        .status = 409, .fields = &f, .body = SLICE("{\"error\":\"name_taken\",\"message\":\"m\"}")};
    refusal_from_answer(&r, &a);
    assert_int_equal(r.status, 409);
    assert_string_equal(r.error, "name_taken");
    assert_string_equal(r.message, "m");
    assert_string_equal(r.location, "https://else.test/");
    assert_int_equal(r.retry_after_ms, 3000);
    fields_deinit(&f);
}

static void test_refusals_of_others(void **state)
{
    static const char *const bodies[] = {"", "<html>", "[]", "{\"error\":7}", "null"};
    struct fields f;
    fields_init(&f);
    fields_add(&f, SLICE("retry-after"), SLICE("Wed, 21 Oct 2026 07:28:00 GMT"));
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct call_answer a = {.status = 502, .fields = &f, .body = slice_str(bodies[i])};
        struct refusal r;
        refusal_from_answer(&r, &a);
        assert_int_equal(r.status, 502);
        assert_string_equal(r.error, "");
        assert_int_equal(r.retry_after_ms, 0);
    }
    fields_deinit(&f);
}

static void test_patience_has_an_end(void **state)
{
    struct fields f;
    struct refusal r;
    fields_init(&f);
    fields_add(&f, SLICE("retry-after"), SLICE("86400"));
    struct call_answer a = {.status = 503, .fields = &f, .body = SLICE("")};
    refusal_from_answer(&r, &a);
    assert_int_equal(r.retry_after_ms, REFUSAL_RETRY_MAX_MS);
    fields_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refusals_of_others),
        cmocka_unit_test(test_patience_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
