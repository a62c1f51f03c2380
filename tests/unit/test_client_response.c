/* SPDX-License-Identifier: MIT */
/* test_client_response.c - what oneport makes of each head that an origin answers with. response.h,
 * rules R4, R8, W5. */
#include "client/origin/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "h2mux/http/ws.h"

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
static const char accept_of_key[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

static const struct url local = {.port = 3000, .host = "localhost", .authority = "localhost:3000"};

enum asking { GET, EXPECTS, WEBSOCKET };

static const struct row {
    const char *what;
    enum asking asking;
    int status;
    int64_t length;
    bool end;
    const char *name, *value; /* a field, or NULL */
    enum response_kind kind;
    int status_after;
    bool end_after, cut, interactive;
    const char *type; /* of the failure; NULL: none */
} rows[] = {
    {"small", GET, 200, 100, false, NULL, NULL, RESPONSE_FINAL, 200, false, false, true, NULL},
    {"large", GET, 200, 16385, false, NULL, NULL, RESPONSE_FINAL, 200, false, false, false, NULL},
    {"just small", GET, 200, 16384, false, NULL, NULL, RESPONSE_FINAL, 200, false, false, true,
     NULL},
    {"of unknown length", GET, 200, -1, false, NULL, NULL, RESPONSE_FINAL, 200, false, false, false,
     NULL},
    {"events", GET, 200, -1, false, "Content-Type", "text/event-stream; charset=utf-8",
     RESPONSE_FINAL, 200, false, false, true, NULL},
    {"without a body", GET, 204, -1, true, NULL, NULL, RESPONSE_FINAL, 204, true, false, true,
     NULL},
    {"R8 reset content with a body", GET, 205, 7, false, NULL, NULL, RESPONSE_FINAL, 205, true,
     true, true, NULL},
    {"R8 reset content", GET, 205, 0, true, NULL, NULL, RESPONSE_FINAL, 205, true, false, true,
     NULL},
    {"not found", GET, 404, 9, false, NULL, NULL, RESPONSE_FINAL, 404, false, false, true, NULL},
    {"R4 hints", GET, 103, -1, false, "Link", "</a>", RESPONSE_INTERIM, 103, false, false, true,
     NULL},
    {"R4 a 100 that nobody waits for", GET, 100, -1, false, NULL, NULL, RESPONSE_DROPPED, 100,
     false, false, true, NULL},
    {"R4 a 100 that is waited for", EXPECTS, 100, -1, false, NULL, NULL, RESPONSE_INTERIM, 100,
     false, false, true, NULL},
    {"R4 hints of a handshake", WEBSOCKET, 103, -1, false, NULL, NULL, RESPONSE_DROPPED, 103, false,
     false, true, NULL},
    {"R4 malformed hints", GET, 103, -1, false, "Connection", "x-forwarded-for", RESPONSE_DROPPED,
     103, false, false, true, NULL},
    {"101 that nobody asked for", GET, 101, -1, false, "Upgrade", "websocket", RESPONSE_WRONG, 101,
     false, false, true, "http_protocol_error"},
    {"malformed Connection", GET, 200, 1, false, "Connection", "x-forwarded-for", RESPONSE_WRONG,
     200, false, false, true, "http_protocol_error"},
    {"W5 handshake", WEBSOCKET, 101, -1, false, NULL, NULL, RESPONSE_OPEN, 200, false, false, true,
     NULL},
    {"W5 refusal", WEBSOCKET, 403, 3, false, NULL, NULL, RESPONSE_FINAL, 403, false, false, true,
     NULL},
    {"W5 refusal without a body", WEBSOCKET, 401, 0, true, NULL, NULL, RESPONSE_FINAL, 401, true,
     false, true, NULL},
    {"W5 refusal of any length", WEBSOCKET, 500, 1000000, false, NULL, NULL, RESPONSE_FINAL, 500,
     false, false, true, NULL},
    {"W5 neither", WEBSOCKET, 200, 3, false, NULL, NULL, RESPONSE_WRONG, 200, false, false, true,
     "http_upgrade_failed"},
    {"W5 an extension that was not offered", WEBSOCKET, 101, -1, false, "Sec-WebSocket-Extensions",
     "permessage-deflate", RESPONSE_WRONG, 101, false, false, true, "http_upgrade_failed"},
};

static void make_request(struct message *request, struct response_asked *asked, enum asking asking)
{
    message_init(request);
    request->method = SLICE("GET");
    fields_add(&request->fields, SLICE("sec-websocket-key"), slice_str(key));
    *asked = (struct response_asked){
        .request = request,
        .scheme = SLICE("https"),
        .authority = SLICE("app.example.com"),
        .websocket = asking == WEBSOCKET,
        .wants_continue = asking == EXPECTS,
    };
}

static void make_head(struct message *m, const struct row *r)
{
    message_init(m);
    m->status = r->status;
    m->length = r->length;
    if (r->name)
        fields_add(&m->fields, slice_str(r->name), slice_str(r->value));
    if (r->status == 101 && r->asking == WEBSOCKET) {
        fields_add(&m->fields, SLICE("Upgrade"), SLICE("websocket"));
        fields_add(&m->fields, SLICE("Connection"), SLICE("upgrade"));
        fields_add(&m->fields, SLICE("Sec-WebSocket-Accept"), slice_str(accept_of_key));
    }
}

static bool as_expected(const struct row *r, const struct response_verdict *v,
                        const struct message *m)
{
    if (v->kind != r->kind || m->status != r->status_after)
        return false;
    if (v->kind == RESPONSE_WRONG)
        return strcmp(v->why->type, r->type) == 0 && v->step && v->reason;
    if (v->kind == RESPONSE_DROPPED || v->kind == RESPONSE_INTERIM)
        return true;
    return v->end == r->end_after && v->cut == r->cut &&
           (v->hint == LEG_INTERACTIVE) == r->interactive;
}

static void test_rows(void **state)
{
    const struct rewrite keep = {.mode = REWRITE_KEEP, .origin = &local};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct response_interim seen = {0};
        struct response_asked asked;
        struct message request, m;
        make_request(&request, &asked, rows[i].asking);
        make_head(&m, &rows[i]);
        struct response_verdict v = response_judge(&asked, &keep, &seen, &m, rows[i].end);
        if (!as_expected(&rows[i], &v, &m))
            fail_msg("%s: kind %d, status %d", rows[i].what, (int)v.kind, m.status);
        message_deinit(&m);
        message_deinit(&request);
    }
}

/* One interim head with a field of so many bytes. */
static enum response_kind hint_of(struct response_interim *seen, size_t bytes)
{
    const struct rewrite keep = {.mode = REWRITE_KEEP, .origin = &local};
    struct response_asked asked;
    struct message request, m;
    char *value = xcalloc(1, bytes + 1);
    memset(value, 'x', bytes);
    make_request(&request, &asked, GET);
    message_init(&m);
    m.status = 103;
    fields_add(&m.fields, SLICE("link"), slice_str(value));
    struct response_verdict v = response_judge(&asked, &keep, seen, &m, false);
    message_deinit(&m);
    message_deinit(&request);
    free(value);
    return v.kind;
}

/* R4: eight of them go on, and 16 KiB of fields. */
static void test_interim_is_bounded(void **state)
{
    struct response_interim seen = {0};
    for (int i = 0; i < 8; i++)
        assert_int_equal(hint_of(&seen, 10), RESPONSE_INTERIM);
    assert_int_equal(hint_of(&seen, 10), RESPONSE_DROPPED);

    seen = (struct response_interim){0};
    assert_int_equal(hint_of(&seen, 16000), RESPONSE_INTERIM);
    assert_int_equal(hint_of(&seen, 1000), RESPONSE_DROPPED);
    assert_int_equal(hint_of(&seen, 100), RESPONSE_INTERIM);
    assert_int_equal(seen.count, 3);
}

/* A head that nghttp2 would take and never send is a failure that is told. */
static void test_too_large_for_the_link(void **state)
{
    const struct rewrite keep = {.mode = REWRITE_KEEP, .origin = &local};
    struct response_interim seen = {0};
    struct response_asked asked;
    struct message request, m;
    char *value = xcalloc(1, FIELDS_SUBMIT_MAX + 1);
    memset(value, 'x', FIELDS_SUBMIT_MAX);
    make_request(&request, &asked, GET);
    message_init(&m);
    m.status = 200;
    fields_add(&m.fields, SLICE("x-large"), slice_str(value));
    struct response_verdict v = response_judge(&asked, &keep, &seen, &m, false);
    assert_int_equal(v.kind, RESPONSE_WRONG);
    assert_ptr_equal(v.why, &failure_head_size);
    message_deinit(&m);
    message_deinit(&request);
    free(value);
}

/* --host-header rewrite: Location names the viewer's side again. */
static void test_rewritten(void **state)
{
    struct url origin;
    assert_int_equal(url_parse(SLICE("http://localhost:3000"), &origin), 0);
    const struct rewrite all = {.mode = REWRITE_ALL, .origin = &origin};
    struct response_interim seen = {0};
    struct response_asked asked;
    struct message request, m;
    make_request(&request, &asked, GET);
    message_init(&m);
    m.status = 302;
    fields_add(&m.fields, SLICE("location"), SLICE("http://localhost:3000/next"));
    struct response_verdict v = response_judge(&asked, &all, &seen, &m, false);
    assert_int_equal(v.kind, RESPONSE_FINAL);
    assert_true(slice_eq(fields_value(&m.fields, SLICE("location")),
                         SLICE("https://app.example.com/next")));
    message_deinit(&m);
    message_deinit(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_interim_is_bounded),
        cmocka_unit_test(test_too_large_for_the_link),
        cmocka_unit_test(test_rewritten),
    };
    return cmocka_run_group_tests_name("client_response", tests, NULL, NULL);
}
