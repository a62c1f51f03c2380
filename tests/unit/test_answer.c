/* SPDX-License-Identifier: MIT */
/* test_answer.c - tests the answers that oneportd makes itself: status, fields, HTML or JSON; and
 * the table of failures. protocol.md#errors-that-viewers-see */
#include "src/http/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

static bool body_has(const struct answer *a, const char *text)
{
    struct slice body = buf_slice(&a->body);
    return memmem(body.ptr, body.len, text, strlen(text));
}

static bool field_is(const struct answer *a, const char *name, const char *value)
{
    return fields_count(&a->head.fields, slice_str(name)) == 1 &&
           slice_eq(fields_value(&a->head.fields, slice_str(name)), slice_str(value));
}

static const struct {
    enum failure why;
    int status;
    const char *type, *retry_after;
} rows[] = {
    {FAIL_BAD_REQUEST, 400, "http_request_error", NULL},
    {FAIL_METHOD, 405, "http_request_error", NULL},
    {FAIL_REQUEST_TIMEOUT, 408, "http_request_error", NULL},
    {FAIL_BODY_TOO_LARGE, 413, "http_request_error", NULL},
    {FAIL_URI_TOO_LONG, 414, "http_request_error", NULL},
    {FAIL_EXPECTATION, 417, "http_request_error", NULL},
    {FAIL_MISDIRECTED, 421, "http_request_error", NULL},
    {FAIL_UPGRADE_VERSION, 426, "http_request_error", NULL},
    {FAIL_TOO_MANY_ABORTS, 429, "http_request_error", "1"},
    {FAIL_TOO_MANY_REQUESTS, 429, "http_request_error", "1"},
    {FAIL_SIGN_IN, 401, "http_1_1_required", NULL},
    {FAIL_BARRED, 403, "http_request_denied", NULL},
    {FAIL_LOGIN, 401, "http_request_denied", NULL},
    {FAIL_KEY, 403, "http_request_denied", NULL},
    {FAIL_FOREIGN, 403, "http_request_denied", NULL},
    {FAIL_NOT_ALLOWED, 403, "http_request_denied", NULL},
    {FAIL_OVER, 410, "destination_not_found", NULL},
    {FAIL_NO_SEAT, 503, "connection_limit_reached", "3"},
    {FAIL_HEAD_TOO_LARGE, 431, "http_request_error", NULL},
    {FAIL_CODING, 501, "http_request_error", NULL},
    {FAIL_NO_WEBSOCKETS, 501, "http_upgrade_failed", NULL},
    {FAIL_VERSION, 505, "http_request_error", NULL},
    {FAIL_LOOP, 508, "proxy_loop_detected", NULL},
    {FAIL_NO_TUNNEL, 404, "destination_not_found", NULL},
    {FAIL_NOT_FOUND, 404, "", NULL},
    {FAIL_AWAY, 503, "destination_unavailable", "2"},
    {FAIL_BUSY, 503, "connection_limit_reached", "1"},
    {FAIL_SOCKETS, 503, "connection_limit_reached", "1"},
    {FAIL_DRAINING, 503, "destination_unavailable", "2"},
    {FAIL_REFUSED, 502, "connection_refused", NULL},
    {FAIL_TERMINATED, 502, "connection_terminated", NULL},
    {FAIL_PROTOCOL, 502, "http_protocol_error", NULL},
    {FAIL_INCOMPLETE, 502, "http_response_incomplete", NULL},
    {FAIL_RESPONSE_CODING, 502, "http_response_transfer_coding", NULL},
    {FAIL_RESPONSE_HEAD, 502, "http_response_header_section_size", NULL},
    {FAIL_UPGRADE, 502, "http_upgrade_failed", NULL},
    {FAIL_DNS, 502, "dns_error", NULL},
    {FAIL_UNROUTABLE, 502, "destination_ip_unroutable", NULL},
    {FAIL_PROHIBITED, 502, "destination_ip_prohibited", NULL},
    {FAIL_ORIGIN_LIMIT, 503, "connection_limit_reached", "1"},
    {FAIL_TLS, 502, "tls_alert_received", NULL},
    {FAIL_CONNECT_TIMEOUT, 504, "connection_timeout", NULL},
    {FAIL_RESPONSE_TIMEOUT, 504, "http_response_timeout", NULL},
};

static void check_json(const struct answer *a, const char *type)
{
    struct slice body = buf_slice(&a->body);
    cJSON *json = cJSON_ParseWithLength(body.ptr, body.len);
    assert_non_null(json);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(json, "error")),
                        type[0] ? type : "not_found");
    assert_true(strlen(cJSON_GetStringValue(cJSON_GetObjectItem(json, "message"))) > 10);
    cJSON_Delete(json);
}

static void test_failures(void **state)
{
    assert_int_equal(sizeof rows / sizeof rows[0], FAIL_RESPONSE_TIMEOUT + 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int html = 0; html < 2; html++) {
            struct answer a;
            char status[80];
            answer_failure(&a, rows[i].why, html ? SLICE("text/html") : SLICE(""), SLICE("my-app"),
                           7);
            assert_int_equal(a.head.status, rows[i].status);
            assert_int_equal(failure_status(rows[i].why), rows[i].status);
            assert_string_equal(failure_type(rows[i].why), rows[i].type);
            assert_int_equal(a.head.length, buf_len(&a.body));
            assert_true(field_is(&a, "cache-control", "no-store"));
            snprintf(status, sizeof status, "oneport; error=%s", rows[i].type);
            assert_true(rows[i].type[0] ? field_is(&a, "proxy-status", status)
                                        : !fields_find(&a.head.fields, SLICE("proxy-status")));
            assert_true(rows[i].retry_after ? field_is(&a, "retry-after", rows[i].retry_after)
                                            : !fields_find(&a.head.fields, SLICE("retry-after")));
            if (html) {
                bool reloads = rows[i].status >= 502 && rows[i].status <= 504;
                assert_true(field_is(&a, "content-type", "text/html; charset=utf-8"));
                assert_true(body_has(&a, "my-app"));
                assert_int_equal(body_has(&a, "http-equiv=\"refresh\" content=\"7\""), reloads);
            } else {
                assert_true(field_is(&a, "content-type", "application/json"));
                check_json(&a, rows[i].type);
            }
            answer_deinit(&a);
        }
    }
}

/* R40: what a browser may do with our pages. The policy has the hash of the style. */
static void test_policy(void **state)
{
    static const char style[] = ANSWER_STYLE;
    unsigned char hash[SHA256_DIGEST_LENGTH], text[64];
    char source[96];
    size_t begin = strlen("<style>"), end = strlen("</style>");
    SHA256((const unsigned char *)style + begin, sizeof style - 1 - begin - end, hash);
    EVP_EncodeBlock(text, hash, sizeof hash);
    snprintf(source, sizeof source, "style-src 'sha256-%s';", text);
    for (int kind = 0; kind < 3; kind++) {
        struct answer a;
        if (kind == 2)
            answer_failure(&a, FAIL_AWAY, SLICE(""), SLICE("my-app"), 3); /* JSON */
        else
            answer_init(&a, 200);
        if (kind < 2)
            answer_html(&a, SLICE("<p>"), kind == 0);
        struct slice policy = fields_value(&a.head.fields, SLICE("content-security-policy"));
        assert_true(field_is(&a, "x-content-type-options", "nosniff"));
        assert_true(field_is(&a, "referrer-policy", "no-referrer"));
        assert_true(slice_starts(policy, SLICE("default-src 'none';")));
        assert_int_equal(!!memmem(policy.ptr, policy.len, source, strlen(source)), kind < 2);
        assert_int_equal(!!memmem(policy.ptr, policy.len, "frame-ancestors 'none'", 22), kind > 0);
        assert_null(memmem(policy.ptr, policy.len, "unsafe", 6));
        answer_deinit(&a);
    }
}

/* R41: the time until a reload is spread, and grows with the absence. */
static void test_reload(void **state)
{
    static const struct {
        uint64_t away_ms;
        unsigned d;
    } reloads[] = {{0, 3},      {2999, 3},   {3000, 3},    {4000, 4},
                   {20500, 20}, {30000, 30}, {600000, 30}, {UINT64_MAX / 1000, 30}};
    for (size_t i = 0; i < sizeof reloads / sizeof *reloads; i++) {
        unsigned d = reloads[i].d, seen[2 * ANSWER_RELOAD_MAX_S + 1] = {0};
        for (uint32_t random = 0; random < 1000; random++) {
            unsigned s = answer_reload_s(reloads[i].away_ms * 1000, random);
            assert_in_range(s, d, 2 * d);
            seen[s]++;
        }
        for (unsigned s = d; s <= 2 * d; s++)
            assert_true(seen[s] >= 1000 / (d + 1) - 1);
    }
}

static const struct {
    const char *accept;
    bool html;
} accepts[] = {
    {"", false},
    {"*/*", false},
    {"text/html", true},
    {"TEXT/HTML", true},
    {"text/*", false},
    {"application/json", false},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", true},
    {"text/html, application/json", true},
    {"application/json, text/html", true},
    {"application/json, text/html;q=0.9", false},
    {"text/html;q=0.9, application/json;q=0.8", true},
    {"text/html;q=0.5, */*", false},
    {"text/html;q=0.5, application/*", false},
    {"text/html;q=0.5, application/json;q=0.1, */*", true}, /* the more specific range counts */
    {"text/html;q=0", false},
    {"text/html;q=0.000, */*", false},
    {"text/html;q=x", false},
    {"text/html;q=2", false},
    {"text/html; level=1; Q=0.7, */*;q=0.1", true},
    {"application/json, text/javascript, */*; q=0.01", false},
    {",,text/html,,", true},
    {"text/htmlx", false},
};

static void test_accept(void **state)
{
    for (size_t i = 0; i < sizeof accepts / sizeof accepts[0]; i++) {
        struct answer a;
        answer_failure(&a, FAIL_AWAY, slice_str(accepts[i].accept), SLICE(""), 7);
        if (field_is(&a, "content-type", "text/html; charset=utf-8") != accepts[i].html)
            fail_msg("%s", accepts[i].accept);
        answer_deinit(&a);
    }
}

/* R45: the page says what happens in words, and comes back by itself. */
static void test_restarting(void **state)
{
    struct answer a;
    answer_failure(&a, FAIL_REFUSED, SLICE("text/html"), SLICE("a.test"), 5);
    assert_int_equal(a.head.status, 502);
    assert_true(body_has(&a, "<h1>The app is restarting</h1>"));
    assert_true(body_has(&a, "http-equiv=\"refresh\" content=\"5\""));
    answer_deinit(&a);
}

static void test_special_fields(void **state)
{
    struct answer a;
    answer_failure(&a, FAIL_UPGRADE_VERSION, SLICE(""), SLICE(""), 7);
    assert_true(field_is(&a, "sec-websocket-version", "13"));
    assert_true(field_is(&a, "upgrade", "websocket")); /* R21 */
    answer_deinit(&a);
    answer_failure(&a, FAIL_METHOD, SLICE(""), SLICE(""), 7);
    assert_non_null(fields_find(&a.head.fields, SLICE("allow")));
    answer_allow(&a, "GET"); /* R22 */
    assert_true(field_is(&a, "allow", "GET"));
    answer_deinit(&a);
    answer_options(&a, NULL);
    assert_int_equal(a.head.status, 204);
    assert_non_null(fields_find(&a.head.fields, SLICE("allow")));
    answer_deinit(&a);
}

static void test_name_is_escaped(void **state)
{
    char many[3000];
    struct answer a;
    answer_failure(&a, FAIL_NO_TUNNEL, SLICE("text/html"), SLICE("<script>\"'&"), 7);
    assert_false(body_has(&a, "<script>"));
    assert_true(body_has(&a, "&#60;script&#62;&#34;&#39;&#38;"));
    answer_deinit(&a);
    memset(many, '<', sizeof many);
    answer_failure(&a, FAIL_NO_TUNNEL, SLICE("text/html"), slice_make(many, sizeof many), 7);
    assert_true(buf_len(&a.body) < 4096);
    answer_deinit(&a);
}

static void test_refusal(void **state)
{
    struct answer a;
    answer_refusal(&a, 409, "name_taken", "Taken \"x\".", 7);
    assert_int_equal(a.head.status, 409);
    assert_true(field_is(&a, "retry-after", "7"));
    assert_true(field_is(&a, "cache-control", "no-store"));
    assert_true(body_has(&a, "{\"error\":\"name_taken\",\"message\":\"Taken \\\"x\\\".\","
                             "\"retry_after\":7}"));
    answer_deinit(&a);
    answer_refusal(&a, 401, "unauthorized", "No.", 0);
    assert_true(field_is(&a, "www-authenticate", "Bearer"));
    assert_null(fields_find(&a.head.fields, SLICE("retry-after")));
    answer_deinit(&a);
}

static void test_redirect(void **state)
{
    struct answer a;
    answer_redirect(&a, 302, SLICE("https://example.com/"));
    assert_int_equal(a.head.status, 302);
    assert_true(field_is(&a, "location", "https://example.com/"));
    assert_int_equal(a.head.length, 0);
    assert_false(a.head.has_body);
    answer_deinit(&a);
}

static const struct {
    int status;
    const char *type;
    enum failure want;
} reports[] = {
    {502, "connection_refused", FAIL_REFUSED},
    {502, "connection_terminated", FAIL_TERMINATED},
    {502, "http_protocol_error", FAIL_PROTOCOL},
    {502, "http_response_incomplete", FAIL_INCOMPLETE},
    {502, "http_response_transfer_coding", FAIL_RESPONSE_CODING},
    {502, "http_response_header_section_size", FAIL_RESPONSE_HEAD},
    {502, "http_upgrade_failed", FAIL_UPGRADE},
    {502, "dns_error", FAIL_DNS},
    {502, "destination_ip_unroutable", FAIL_UNROUTABLE},
    {502, "destination_ip_prohibited", FAIL_PROHIBITED},
    {503, "connection_limit_reached", FAIL_ORIGIN_LIMIT},
    {502, "tls_alert_received", FAIL_TLS},
    {502, "tls_certificate_error", FAIL_TLS},
    {504, "connection_timeout", FAIL_CONNECT_TIMEOUT},
    {504, "http_response_timeout", FAIL_RESPONSE_TIMEOUT},
    {502, "something_new", FAIL_PROTOCOL},
    {502, "", FAIL_PROTOCOL},
    {502, "http_request_error", FAIL_PROTOCOL}, /* a client does not report this one */
    {404, "connection_refused", FAIL_PROTOCOL},
    {503, "something_new", FAIL_PROTOCOL},
    {501, "connection_limit_reached", FAIL_PROTOCOL},
    {505, "connection_limit_reached", FAIL_PROTOCOL},
    {501, "http_upgrade_failed", FAIL_NO_WEBSOCKETS}, /* D41 */
    {200, "connection_refused", FAIL_REFUSED},        /* D42 */
    {200, "http_request_error", FAIL_PROTOCOL},
};

static void test_from_client(void **state)
{
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++)
        if (failure_from_client(reports[i].status, slice_str(reports[i].type)) != reports[i].want)
            fail_msg("%d %s", reports[i].status, reports[i].type);
}

/* D42: what a call of gRPC is told. */
static void test_grpc(void **state)
{
    struct answer a;
    answer_grpc(&a, FAIL_AWAY);
    assert_int_equal(a.head.status, 200);
    assert_true(field_is(&a, "content-type", "application/grpc"));
    assert_true(field_is(&a, "grpc-status", "14"));
    assert_true(field_is(&a, "proxy-status", "oneport; error=destination_unavailable"));
    assert_int_equal(buf_len(&a.body), 0);
    answer_deinit(&a);
    answer_grpc(&a, FAIL_NO_TUNNEL);
    assert_true(field_is(&a, "grpc-status", "12"));
    answer_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_restarting),
        cmocka_unit_test(test_special_fields),
        cmocka_unit_test(test_name_is_escaped),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_redirect),
        cmocka_unit_test(test_from_client),
        cmocka_unit_test(test_grpc),
    };
    return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
