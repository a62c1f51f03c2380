/* SPDX-License-Identifier: MIT */
/* test_own_answers.c - tests that each answer that oneportd makes itself is a complete answer of
 * HTTP: rules R20 to R22. One table has the built-ins; every failure is made in turn. What the
 * listener answers without descriptors is in tests/integration/http/test_own_answers.py. */
#include "link_world.h"

#include <time.h>

#include "h2mux/http/h1.h"
#include "src/limits/quota.h"
#include "src/names/keyring.h"
#include "src/tunnels/exchange_int.h"

/* Returns whether @text is a date as RFC 9110 5.6.7 wants it, of this minute. */
static bool is_now(struct slice text)
{
    char date[64] = "", again[64];
    struct tm tm = {0};
    memcpy(date, text.ptr, text.len < sizeof date ? text.len : 0);
    const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    strftime(again, sizeof again, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    return end && *end == '\0' && strcmp(date, again) == 0 &&
           llabs((long long)timegm(&tm) - (long long)time(NULL)) < 60;
}

/* Checks what every answer of ours has, and what its status asks for. @what names it. */
static void check_answer(const char *what, const struct message *m, size_t body)
{
    const struct fields *f = &m->fields;
    int s = m->status;
    if (fields_count(f, SLICE("date")) != 1 || !is_now(fields_value(f, SLICE("date"))))
        fail_msg("R20 %s: date '%.*s'", what, SLICE_FMT(fields_value(f, SLICE("date"))));
    if (fields_count(f, SLICE("cache-control")) != 1)
        fail_msg("%s: cache-control", what);
    if (s == 204 ? m->length != MESSAGE_LENGTH_UNKNOWN : m->length != (int64_t)body)
        fail_msg("%s: length %lld of %zu", what, (long long)m->length, body);
    if (body > 0 && fields_count(f, SLICE("content-type")) != 1)
        fail_msg("%s: content-type", what);
    if (s == 426 && (fields_count(f, SLICE("upgrade")) != 1 ||
                     !fields_has_token(f, SLICE("connection"), SLICE("upgrade"))))
        fail_msg("R21 %s: upgrade", what);
    if (s == 405 && fields_value(f, SLICE("allow")).len == 0)
        fail_msg("R22 %s: allow", what);
    if (s == 401 && fields_count(f, SLICE("www-authenticate")) != 1)
        fail_msg("%s: www-authenticate", what);
    if ((s == 503 || s == 429) && fields_count(f, SLICE("retry-after")) != 1)
        fail_msg("%s: retry-after", what);
}

/* Reads the one answer that the viewer got, checks it, and returns its status. Writes Allow. */
static int judge(struct world *w, const char *what, bool to_head, char allow[static 80])
{
    struct slice got = buf_slice(&w->viewer.got);
    const char *end = memmem(got.ptr, got.len, "\r\n\r\n", 4);
    struct message m;
    struct h1_result r;
    if (!end)
        fail_msg("%s: no answer", what);
    size_t head = (size_t)(end + 4 - got.ptr), body = got.len - head;
    message_init(&m);
    assert_int_equal(
        h1_parse_response(slice_make(got.ptr, head), &h1_default_limits, to_head, &m, &r), 0);
    if (to_head && body > 0)
        fail_msg("%s: a body behind the answer to HEAD", what);
    check_answer(what, &m, to_head ? (size_t)m.length : body);
    snprintf(allow, 80, "%.*s", SLICE_FMT(fields_value(&m.fields, SLICE("allow"))));
    int status = m.status;
    message_deinit(&m);
    return status;
}

#define H "example.com"
#define TUNNEL "app.example.com"
#define ANY "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
#define READ "GET, HEAD, OPTIONS"

static const struct {
    const char *line, *host, *more;
    int status;
    const char *allow; /* "": none */
} calls[] = {
    {"GET /", H, "", 200, ""},
    {"HEAD /", H, "", 200, ""},
    {"GET /healthz", H, "", 200, ""},
    {"HEAD /healthz", H, "", 200, ""},
    {"GET /robots.txt", H, "", 200, ""},
    {"GET /favicon.ico", H, "", 200, ""},
    {"PUT /favicon.ico", H, "", 405, READ},
    {"GET /api/status", H, "", 200, ""},
    {"GET /api/tunnels/app/status", H, "", 200, ""},
    {"GET /api/tunnels/none/status", H, "", 404, ""},
    {"GET /a/b/c", H, "", 404, ""},
    {"GET /register/NO!", H, "", 403, ""},
    {"GET /register/app", H, "Oneport-Exact: ?1\r\n", 409, ""},
    {"GET /tunnel/app", H, "", 426, ""},
    {"GET /tunnel/app", H, "Connection: upgrade\r\nUpgrade: ptth\r\n", 403, ""},
    {"GET /register", H, "", 200, ""},
    {"OPTIONS *", H, "", 204, ANY},
    {"OPTIONS /", H, "", 204, READ},
    {"OPTIONS /?new", H, "", 204, READ},
    {"OPTIONS /some-name", H, "", 204, READ},
    {"GET /?new", H, "", 202, ""},
    {"GET /?new", H, "Accept: text/html,*/*;q=0.8\r\n", 200, ""},
    {"GET /some-name", H, "", 202, ""},
    {"GET /some-name", H, "Accept: application/json, text/plain, */*\r\n", 202, ""},
    {"HEAD /some-name", H, "", 202, ""},
    {"GET /some-name", H, "Accept: text/html,*/*;q=0.8\r\n", 404, ""},
    {"HEAD /some-name", H, "Accept: text/html\r\n", 404, ""},
    {"OPTIONS /register", H, "", 204, "GET, POST, OPTIONS"},
    {"OPTIONS /register/app", H, "", 204, "GET, POST, OPTIONS"},
    {"OPTIONS /tunnel/app", H, "", 204, "GET, OPTIONS"},
    {"OPTIONS /healthz", H, "", 204, READ},
    {"OPTIONS /api/status", H, "", 204, READ},
    {"OPTIONS /api/tunnels/app/status", H, "", 204, READ},
    {"OPTIONS /a/b/c", H, "", 404, ""},
    {"POST /", H, "", 405, READ},
    {"TRACE /", H, "", 405, READ},
    {"DELETE /healthz", H, "", 405, READ},
    {"PUT /register", H, "", 405, "GET, POST, OPTIONS"},
    {"HEAD /register/app", H, "", 405, "GET, POST, OPTIONS"},
    {"POST /tunnel/app", H, "", 405, "GET, OPTIONS"},
    {"POST /some-name", H, "", 405, READ},
    {"POST /api/status", H, "", 405, READ},
    {"TRACE /", TUNNEL, "", 405, ANY},
    {"CONNECT /", TUNNEL, "", 405, ANY},
    {"OPTIONS /", TUNNEL, "Max-Forwards: 0\r\n", 204, ANY},
    {"OPTIONS *", TUNNEL, "Max-Forwards: 0\r\n", 204, ANY},
    {"GET /", "none.example.com", "", 404, ""},
    {"OPTIONS *", "elsewhere.org", "", 404, ""},
    {"GET /", TUNNEL, "Expect: x\r\n", 417, ""},
    {"GET /", TUNNEL, "Transfer-Encoding: gzip\r\n", 501, ""},
    {"GET /", TUNNEL, "Via: 1.1 oneport-00000000\r\n", 508, ""},
    {"GET /", TUNNEL, "Connection: host\r\n", 400, ""},
    {"GET /", TUNNEL,
     "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
     426, ""},
};

/* R20, R21, R22, Q61 */
static void test_calls(void **state)
{
    char reason[256];
    struct world *w = world_new("0");
    w->server.keyring = keyring_open(w->dir, reason, sizeof reason);
    w->server.quota = quota_new(1, 0);
    assert_non_null(w->server.keyring);
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char ask[512], allow[80];
        viewer_connect(w);
        snprintf(ask, sizeof ask, "%s HTTP/1.1\r\nHost: %s\r\n%s\r\n", calls[i].line, calls[i].host,
                 calls[i].more);
        say(w, ask);
        settle(w);
        int status = judge(w, calls[i].line, strncmp(ask, "HEAD", 4) == 0, allow);
        if (status != calls[i].status || strcmp(allow, calls[i].allow) != 0)
            fail_msg("%s %s: %d, allow '%s'", calls[i].line, calls[i].host, status, allow);
        if (i + 1 < sizeof calls / sizeof *calls)
            viewer_leave(w);
        settle(w);
    }
    struct keyring *keyring = w->server.keyring;
    struct quota *quota = w->server.quota;
    world_free(w);
    keyring_free(keyring);
    quota_free(quota);
}

/* Every failure that has an answer, as page and as JSON, as an exchange that failed would give it
 * to its viewer. FAIL_SIGN_IN resets a stream of HTTP/2 (D44). */
static void test_failures(void **state)
{
    static const char *const accepts[] = {"text/html", "application/json"};
    struct world *w = world_new("60s");
    for (int why = 0; why <= FAIL_RESPONSE_TIMEOUT; why++)
        for (int i = 0; i < 2 && why != FAIL_SIGN_IN; i++) {
            char ask[256], allow[80], what[32];
            viewer_connect(w);
            snprintf(ask, sizeof ask, "GET / HTTP/1.1\r\nHost: " TUNNEL "\r\nAccept: %s\r\n\r\n",
                     accepts[i]);
            say(w, ask);
            settle(w);
            assert_false(list_empty(&w->worker->exchanges));
            exchange_fail(CONTAINER_OF(w->worker->exchanges.next, struct exchange, node),
                          (enum failure)why);
            settle(w);
            snprintf(what, sizeof what, "failure %d", why);
            assert_int_equal(judge(w, what, false, allow), failure_status((enum failure)why));
            if (why < FAIL_RESPONSE_TIMEOUT || i == 0)
                viewer_leave(w);
            settle(w);
        }
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests_name("own answers", tests, NULL, NULL);
}
