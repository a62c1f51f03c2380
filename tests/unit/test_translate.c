/* SPDX-License-Identifier: MIT */
/* test_translate.c - tests how a request's head is rewritten: rules H2-H10, W1, W2, Q6, Q7. */
#include "translate_fields.h"

static struct sockaddr_storage stranger(void)
{
    struct sockaddr_storage peer = {.ss_family = AF_INET};
    ((struct sockaddr_in *)&peer)->sin_addr.s_addr = htonl(0xc0000207);
    return peer;
}

enum who { STRANGER, PROXY };

struct request {
    const char *what, *method, *fields;
    const char *want;    /* the fields, without ADDED at their end */
    struct translated t; /* all but ws_key */
    int minor;           /* of the version: HTTP/1.0 or HTTP/1.1 */
    bool body;
    enum who peer;
};

static struct translated run_request(const struct request *r, struct message *m,
                                     enum translate_verdict *verdict, enum failure *failure,
                                     const char **reason)
{
    struct sockaddr_storage address = stranger();
    struct peer peer;
    struct trust *trust = trust_new();
    struct translated t;
    struct viewer v;
    if (r->peer == PROXY)
        assert_int_equal(trust_add(trust, "192.0.2.0/24"), 0);
    message_init(m);
    m->method = slice_str(r->method);
    m->path = SLICE("/a");
    m->authority = SLICE("app.example.com");
    m->minor_version = r->minor;
    m->has_body = r->body;
    m->length = r->body ? 5 : MESSAGE_LENGTH_UNKNOWN;
    read_fields(&m->fields, r->fields);
    trust_peer(trust, (const struct sockaddr *)&address, false, &peer);
    trust_viewer(trust, &peer, &m->fields, &v);
    *failure = FAIL_BAD_REQUEST;
    *reason = NULL;
    *verdict = translate_request(m, &v, &peer, NODE, &t, failure, reason);
    trust_free(trust);
    return t;
}

static const struct request requests[] = {
    {"Q1 plain",
     "GET",
     "accept: */*|cookie: a=b|",
     "accept: */*|cookie: a=b|",
     {0},
     1,
     false,
     STRANGER},
    {"H1 order and duplicates",
     "GET",
     "x-a: 1|x-b: 2|x-a: 3|",
     "x-a: 1|x-b: 2|x-a: 3|",
     {0},
     1,
     false,
     STRANGER},
    {"H2 hop by hop",
     "GET",
     "connection: keep-alive, X-Hop|x-hop: 1|keep-alive: timeout=5|proxy-connection: "
     "close|transfer-encoding: chunked|upgrade: h2c|"
     "http2-settings: AAMAAABk|te: gzip|x-stays: 1|",
     "x-stays: 1|",
     {0},
     1,
     false,
     STRANGER},
    {"H3 trailers",
     "GET",
     "te: gzip, Trailers|connection: TE|",
     "te: trailers|",
     {.takes_trailers = true},
     1,
     false,
     STRANGER},
    {"H3 not listed", "GET", "te: trailers|", "", {0}, 1, false, STRANGER},
    {"H3 not trailers", "GET", "te: deflate|connection: te|", "", {0}, 1, false, STRANGER},
    {"H6 expect",
     "POST",
     "expect: 100-Continue|",
     "expect: 100-continue|",
     {.expects = true},
     1,
     true,
     STRANGER},
    {"H6 without a body", "GET", "expect: 100-continue|", "", {0}, 1, false, STRANGER},
    {"H7 forged by a stranger",
     "GET",
     "x-forwarded-for: 10.0.0.1|x-forwarded-proto: https|X-Real-IP: 10.0.0.1|forwarded: "
     "for=10.0.0.1|x-forwarded-port: 1|"
     "X-Forwarded-Host: evil|x-forwarded-prefix: /evil|X_Forwarded_Ssl: "
     "on|x-forwarded-a-name-that-is-longer: "
     "x|x-forwarde: stays|",
     "x-forwarde: stays|",
     {0},
     1,
     false,
     STRANGER},
    {"H8 aliases",
     "GET",
     "x_forwarded_for: 10.0.0.1|X_Real_IP: 10.0.0.1|x_other: stays|",
     "x_other: stays|",
     {0},
     1,
     false,
     STRANGER},
    {"H10 ours",
     "GET",
     "oneport-error: x|Oneport-Link: 1|x-oneport-: stays|x-request-id: forged|",
     "x-oneport-: stays|",
     {0},
     1,
     false,
     STRANGER},
    {"Q7 OPTIONS counted down",
     "OPTIONS",
     "max-forwards: 3|x-a: 1|",
     "x-a: 1|max-forwards: 2|",
     {0},
     1,
     false,
     STRANGER},
    {"Q7 only for OPTIONS", "GET", "max-forwards: 0|", "max-forwards: 0|", {0}, 1, false, STRANGER},
    {"Q7 no number", "OPTIONS", "max-forwards: -0|", "max-forwards: -0|", {0}, 1, false, STRANGER},
    {"H9 others' via",
     "GET",
     "via: 1.1 nginx, 1.0 oneport-ffffffff (oneport)|",
     "via: 1.1 nginx, 1.0 oneport-ffffffff (oneport)|",
     {0},
     1,
     false,
     STRANGER},
    {"W1 W3",
     "GET",
     UPGRADE KEY "sec-websocket-version: 13|sec-websocket-protocol: a, b|sec-websocket-extensions: "
                 "x|origin: http://o|",
     "sec-websocket-version: 13|sec-websocket-protocol: a, b|sec-websocket-extensions: x|origin: "
     "http://o|",
     {.websocket = true},
     1,
     false,
     STRANGER},
    {"W1 in lists",
     "GET",
     "upgrade: h2c, WebSocket|connection: keep-alive|Connection: x, UPGRADE|" KEY
     "sec-websocket-version: 13|",
     "sec-websocket-version: 13|",
     {.websocket = true},
     1,
     false,
     STRANGER},
    {"W2 h2c",
     "GET",
     "upgrade: h2c|connection: upgrade, http2-settings|http2-settings: AAMAAABk|",
     "",
     {0},
     1,
     false,
     STRANGER},
    {"W2 TLS", "OPTIONS", "upgrade: TLS/1.0|connection: upgrade|", "", {0}, 1, false, STRANGER},
    {"W2 ptth", "POST", "upgrade: PTTH/2.0|connection: upgrade|", "", {0}, 1, true, STRANGER},
    {"W2 websocket by POST", "POST", UPGRADE KEY, KEY, {0}, 1, true, STRANGER},
    {"W2 websocket not in Connection",
     "GET",
     "upgrade: websocket|" KEY,
     KEY,
     {0},
     1,
     false,
     STRANGER},
    {"W2 Connection alone", "GET", "connection: upgrade|", "", {0}, 1, false, STRANGER},
};

static void test_requests(void **state)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        const struct request *r = &requests[i];
        enum translate_verdict verdict;
        enum failure failure;
        const char *reason;
        struct message m;
        char want[TEXT_MAX];
        struct translated t = run_request(r, &m, &verdict, &failure, &reason);
        if (verdict != TRANSLATE_OK)
            fail_msg("%s: %s", r->what, reason ? reason : "answered");
        snprintf(want, sizeof want, "%s" ADDED, r->want);
        check_fields(r->what, &m.fields, want);
        if (t.websocket != r->t.websocket || t.expects != r->t.expects ||
            t.takes_trailers != r->t.takes_trailers)
            fail_msg("%s: websocket %d, expects %d, takes_trailers %d", r->what, t.websocket,
                     t.expects, t.takes_trailers);
        assert_true(slice_eq(m.scheme, SLICE("http")));
        assert_true(slice_eq(m.method, t.websocket ? SLICE("CONNECT") : slice_str(r->method)));
        assert_true(slice_eq(m.protocol, t.websocket ? SLICE("websocket") : SLICE("")));
        if (t.websocket)
            assert_true(slice_eq(t.ws_key, SLICE("dGhlIHNhbXBsZSBub25jZQ==")));
        message_deinit(&m);
    }
}

/* Requests by HTTP/1.0 and requests from a trusted proxy. */
static void test_versions_and_proxies(void **state)
{
    static const struct {
        struct request r;
        const char *want;
        bool https;
    } rows[] = {
        {{"H6 1.0 expects nothing", "POST", "expect: 100-continue|", NULL, {0}, 0, true, STRANGER},
         "x-forwarded-for: 192.0.2.7|x-forwarded-proto: http|x-forwarded-host: "
         "app.example.com|via: 1.0 " NODE "|",
         false},
        {{"H6 1.0 expects anything", "POST", "expect: miracles|", NULL, {0}, 0, true, STRANGER},
         "x-forwarded-for: 192.0.2.7|x-forwarded-proto: http|x-forwarded-host: "
         "app.example.com|via: 1.0 " NODE "|",
         false},
        {{"W1 1.0 has no websockets",
          "GET",
          UPGRADE KEY "sec-websocket-version: 13|",
          NULL,
          {0},
          0,
          false,
          STRANGER},
         KEY "sec-websocket-version: 13|x-forwarded-for: 192.0.2.7|x-forwarded-proto: "
             "http|x-forwarded-host: app.example.com|via: 1.0 " NODE "|",
         false},
        {{"H5, H7 proxy",
          "GET",
          "x-forwarded-for: 198.51.100.1|x-forwarded-proto: https|x-request-id: abc-1|",
          NULL,
          {0},
          1,
          false,
          PROXY},
         "x-request-id: abc-1|x-forwarded-for: 198.51.100.1, 192.0.2.7|x-forwarded-proto: "
         "https|x-forwarded-host: app.example.com|"
         "via: 1.1 " NODE "|",
         true},
        {{"H10 odd ids",
          "GET",
          "x-request-id: a b|X-Request-Id: \"<x>\"|x-request-id: \xc3\xa4|x-request-id: "
          "ok_1.2:3/4+5=6@7-8|",
          NULL,
          {0},
          1,
          false,
          PROXY},
         "x-request-id: ok_1.2:3/4+5=6@7-8|x-forwarded-for: 192.0.2.7|x-forwarded-proto: "
         "http|x-forwarded-host: app.example.com|"
         "via: 1.1 " NODE "|",
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum translate_verdict verdict;
        enum failure failure;
        const char *reason;
        struct message m;
        struct translated t = run_request(&rows[i].r, &m, &verdict, &failure, &reason);
        assert_int_equal(verdict, TRANSLATE_OK);
        check_fields(rows[i].r.what, &m.fields, rows[i].want);
        assert_true(slice_eq(m.scheme, rows[i].https ? SLICE("https") : SLICE("http")));
        assert_false(t.websocket || t.expects || t.takes_trailers);
        message_deinit(&m);
    }
}

/* H10 */
static void test_request_id_length(void **state)
{
    for (size_t len = 128; len <= 129; len++) {
        char id[160], fields[200];
        enum translate_verdict verdict;
        enum failure failure;
        const char *reason;
        struct message m;
        memset(id, 'x', len);
        id[len] = '\0';
        snprintf(fields, sizeof fields, "x-request-id: %s|", id);
        struct request r = {"id", "GET", fields, NULL, {0}, 1, false, PROXY};
        run_request(&r, &m, &verdict, &failure, &reason);
        assert_int_equal(fields_count(&m.fields, SLICE("x-request-id")), len == 128);
        message_deinit(&m);
    }
}

static const struct {
    struct request r;
    enum failure want;
} refusals[] = {
    {{"Q7 TRACE", "TRACE", "", NULL, {0}, 1, false, STRANGER}, FAIL_METHOD},
    {{"Q7 TRACE counted", "TRACE", "max-forwards: 0|", NULL, {0}, 1, false, STRANGER}, FAIL_METHOD},
    {{"H2 names host", "GET", "connection: Host|", NULL, {0}, 1, false, STRANGER},
     FAIL_BAD_REQUEST},
    {{"H2 names content-length",
      "POST",
      "connection: x, content-length|",
      NULL,
      {0},
      1,
      true,
      STRANGER},
     FAIL_BAD_REQUEST},
    {{"H2 names transfer-encoding",
      "POST",
      "connection: transfer-encoding|",
      NULL,
      {0},
      1,
      true,
      STRANGER},
     FAIL_BAD_REQUEST},
    {{"H2 names authorization", "GET", "connection: Authorization|", NULL, {0}, 1, false, STRANGER},
     FAIL_BAD_REQUEST},
    {{"H2 names cookie",
      "GET",
      "connection: close|connection: cookie|",
      NULL,
      {0},
      1,
      false,
      STRANGER},
     FAIL_BAD_REQUEST},
    {{"H2 names x-forwarded-for",
      "GET",
      "connection: X-Forwarded-For|",
      NULL,
      {0},
      1,
      false,
      STRANGER},
     FAIL_BAD_REQUEST},
    {{"H6 other expectation", "POST", "expect: 200-ok|", NULL, {0}, 1, true, STRANGER},
     FAIL_EXPECTATION},
    {{"H6 two expectations",
      "POST",
      "expect: 100-continue|expect: 100-continue|",
      NULL,
      {0},
      1,
      true,
      STRANGER},
     FAIL_EXPECTATION},
    {{"H9 loop", "GET", "via: 1.1 " NODE "|", NULL, {0}, 1, false, STRANGER}, FAIL_LOOP},
    {{"H9 loop in a list",
      "GET",
      "x-a: 1|via: 1.0 nginx|Via: 1.1 a, HTTP/1.1 " NODE " (x), 1.1 b|",
      NULL,
      {0},
      1,
      false,
      STRANGER},
     FAIL_LOOP},
    {{"H9 loop by tab", "GET", "via: 1.1\t" NODE "|", NULL, {0}, 1, false, STRANGER}, FAIL_LOOP},
    {{"W1 no key", "GET", UPGRADE "sec-websocket-version: 13|", NULL, {0}, 1, false, STRANGER},
     FAIL_BAD_REQUEST},
    {{"W1 short key",
      "GET",
      UPGRADE "sec-websocket-key: dGhlIHNhbXBs|sec-websocket-version: 13|",
      NULL,
      {0},
      1,
      false,
      STRANGER},
     FAIL_BAD_REQUEST},
    {{"W1 two keys",
      "GET",
      UPGRADE KEY KEY "sec-websocket-version: 13|",
      NULL,
      {0},
      1,
      false,
      STRANGER},
     FAIL_BAD_REQUEST},
    {{"W1 version 8",
      "GET",
      UPGRADE KEY "sec-websocket-version: 8|",
      NULL,
      {0},
      1,
      false,
      STRANGER},
     FAIL_UPGRADE_VERSION},
    {{"W1 no version", "GET", UPGRADE KEY, NULL, {0}, 1, false, STRANGER}, FAIL_UPGRADE_VERSION},
    {{"W1 two versions",
      "GET",
      UPGRADE KEY "sec-websocket-version: 13|sec-websocket-version: 13|",
      NULL,
      {0},
      1,
      false,
      STRANGER},
     FAIL_UPGRADE_VERSION},
    {{"W1 body", "GET", UPGRADE KEY "sec-websocket-version: 13|", NULL, {0}, 1, true, STRANGER},
     FAIL_BAD_REQUEST},
};

static void test_refusals(void **state)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        enum translate_verdict verdict;
        enum failure failure;
        const char *reason;
        struct message m;
        run_request(&refusals[i].r, &m, &verdict, &failure, &reason);
        if (verdict != TRANSLATE_FAIL || failure != refusals[i].want || !reason)
            fail_msg("%s: verdict %d, status %d", refusals[i].r.what, verdict,
                     failure_status(failure));
        message_deinit(&m);
    }
}

/* Q7 */
static void test_local_options(void **state)
{
    struct request r = {"Q7", "OPTIONS", "max-forwards: 0|", NULL, {0}, 1, false, STRANGER};
    enum translate_verdict verdict;
    enum failure failure;
    const char *reason;
    struct message m;
    run_request(&r, &m, &verdict, &failure, &reason);
    assert_int_equal(verdict, TRANSLATE_OPTIONS);
    message_deinit(&m);
}

/* Q6, H15: the parser refuses CONNECT, and translate_request a head that is too large for a link.
 */
static void test_elsewhere_and_size(void **state)
{
    struct h1_result result;
    struct message m;
    message_init(&m);
    assert_int_equal(h1_parse_request(SLICE("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
                                      &h1_default_limits, &m, &result),
                     ERR_UNSUPPORTED);
    message_deinit(&m);
    for (int over = 0; over < 2; over++) {
        size_t len = FIELDS_SUBMIT_MAX - (over ? 100 : 1000);
        char *value = xcalloc(1, len + 8);
        memset(value, 'x', len + 5);
        memcpy(value, "x-a: ", 5);
        value[len + 5] = '|';
        struct request r = {"H15", "GET", value, NULL, {0}, 1, false, STRANGER};
        enum translate_verdict verdict;
        enum failure failure;
        const char *reason;
        run_request(&r, &m, &verdict, &failure, &reason);
        assert_int_equal(verdict, over ? TRANSLATE_FAIL : TRANSLATE_OK);
        if (over)
            assert_int_equal(failure, FAIL_HEAD_TOO_LARGE);
        message_deinit(&m);
        free(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),          cmocka_unit_test(test_versions_and_proxies),
        cmocka_unit_test(test_request_id_length), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_local_options),     cmocka_unit_test(test_elsewhere_and_size),
    };
    return cmocka_run_group_tests_name("translate", tests, NULL, NULL);
}
