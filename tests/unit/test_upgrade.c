/* SPDX-License-Identifier: MIT */
/* test_upgrade.c - the WebSocket handshake with an origin. RFC 6455 4.1, RFC 8441 5; rule
 * W5. */
#include "h2mux/http/upgrade.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void make_request(struct message *m, const char *protocol, const char *extensions)
{
    message_init(m);
    m->method = SLICE("CONNECT");
    m->protocol = SLICE("websocket");
    m->scheme = SLICE("https");
    m->authority = SLICE("a.b");
    m->path = SLICE("/ws");
    fields_add(&m->fields, SLICE("sec-websocket-version"), SLICE("13"));
    /* Must not get through. */
    fields_add(&m->fields, SLICE("sec-websocket-key"), SLICE("the viewer's"));
    if (protocol)
        fields_add(&m->fields, SLICE("sec-websocket-protocol"), slice_str(protocol));
    if (extensions)
        fields_add(&m->fields, SLICE("sec-websocket-extensions"), slice_str(extensions));
    assert_int_equal(upgrade_request(m), 0);
}

/* W3, W5 */
static void test_request(void **state)
{
    struct message a, b;
    make_request(&a, NULL, NULL);
    make_request(&b, NULL, NULL);
    assert_true(slice_eq(a.method, SLICE("GET")));
    assert_int_equal(a.protocol.len, 0);
    assert_int_equal(fields_count(&a.fields, SLICE("sec-websocket-key")), 1);
    assert_true(ws_key_valid(fields_value(&a.fields, SLICE("sec-websocket-key"))));
    assert_false(slice_eq(fields_value(&a.fields, SLICE("sec-websocket-key")),
                          fields_value(&b.fields, SLICE("sec-websocket-key"))));
    assert_true(fields_has_token(&a.fields, SLICE("upgrade"), SLICE("websocket")));
    assert_int_equal(fields_count(&a.fields, SLICE("sec-websocket-version")), 1);
    message_deinit(&a);
    message_deinit(&b);
}

static const struct {
    const char *name;
    int status;
    const char *upgrade, *connection;
    const char *accept; /* NULL: the right one; "": none */
    const char *offered, *protocol, *offered_extensions, *extensions;
    enum upgrade_verdict want;
} rows[] = {
    {"W5 plain", 101, "websocket", "Upgrade", NULL, NULL, NULL, NULL, NULL, UPGRADE_OPEN},
    {"W5 any case", 101, "WebSocket", "keep-alive, upgrade", NULL, NULL, NULL, NULL, NULL,
     UPGRADE_OPEN},
    {"W5 protocol", 101, "websocket", "upgrade", NULL, "a, b", "b", NULL, NULL, UPGRADE_OPEN},
    {"W5 protocol declined", 101, "websocket", "upgrade", NULL, "a, b", NULL, NULL, NULL,
     UPGRADE_OPEN},
    {"W5 protocol not offered", 101, "websocket", "upgrade", NULL, "a, b", "c", NULL, NULL,
     UPGRADE_BROKEN},
    {"W5 protocol out of nowhere", 101, "websocket", "upgrade", NULL, NULL, "c", NULL, NULL,
     UPGRADE_BROKEN},
    {"W5 two protocols", 101, "websocket", "upgrade", NULL, "a", "a, b", NULL, NULL,
     UPGRADE_BROKEN},
    {"W5 W10 extension", 101, "websocket", "upgrade", NULL, NULL, NULL,
     "permessage-deflate; client_max_window_bits", "permessage-deflate; server_no_context_takeover",
     UPGRADE_OPEN},
    {"W5 W10 extension not offered", 101, "websocket", "upgrade", NULL, NULL, NULL, NULL,
     "permessage-deflate", UPGRADE_BROKEN},
    {"W5 wrong accept", 101, "websocket", "upgrade", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", NULL, NULL,
     NULL, NULL, UPGRADE_BROKEN},
    {"W5 no accept", 101, "websocket", "upgrade", "", NULL, NULL, NULL, NULL, UPGRADE_BROKEN},
    {"W5 other protocol", 101, "h2c", "upgrade", NULL, NULL, NULL, NULL, NULL, UPGRADE_BROKEN},
    {"W5 no connection", 101, "websocket", "keep-alive", NULL, NULL, NULL, NULL, NULL,
     UPGRADE_BROKEN},
    {"W5 200 is no refusal: on the link it would mean open", 200, "websocket", "upgrade", NULL,
     NULL, NULL, NULL, NULL, UPGRADE_BROKEN},
    {"W5 204", 204, "websocket", "upgrade", NULL, NULL, NULL, NULL, NULL, UPGRADE_BROKEN},
    {"W5 302", 302, "x", "close", "", NULL, NULL, NULL, NULL, UPGRADE_REFUSED},
    {"W5 401", 401, "x", "close", "", NULL, NULL, NULL, NULL, UPGRADE_REFUSED},
    {"W5 426 with a smuggled handshake", 426, "websocket", "upgrade", NULL, NULL, NULL, NULL, NULL,
     UPGRADE_REFUSED},
    {"W5 503", 503, "x", "close", "", NULL, NULL, NULL, NULL, UPGRADE_REFUSED},
};

static void test_answers(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message request, m;
        const char *reason = NULL;
        char accept[WS_ACCEPT_LEN + 1];
        print_message("%s\n", rows[i].name);
        make_request(&request, rows[i].offered, rows[i].offered_extensions);
        ws_accept(fields_value(&request.fields, SLICE("sec-websocket-key")), accept);
        message_init(&m);
        m.status = rows[i].status;
        fields_add(&m.fields, SLICE("upgrade"), slice_str(rows[i].upgrade));
        fields_add(&m.fields, SLICE("connection"), slice_str(rows[i].connection));
        if (!rows[i].accept || rows[i].accept[0] != '\0')
            fields_add(&m.fields, SLICE("Sec-WebSocket-Accept"),
                       slice_str(rows[i].accept ? rows[i].accept : accept));
        if (rows[i].protocol)
            fields_add(&m.fields, SLICE("sec-websocket-protocol"), slice_str(rows[i].protocol));
        if (rows[i].extensions)
            fields_add(&m.fields, SLICE("sec-websocket-extensions"), slice_str(rows[i].extensions));
        assert_int_equal(upgrade_judge(&request, &m, &reason), rows[i].want);
        assert_int_equal(!reason, rows[i].want != UPGRADE_BROKEN);
        if (rows[i].want == UPGRADE_OPEN) {
            assert_int_equal(m.status, 200);
            assert_null(fields_find(&m.fields, SLICE("sec-websocket-accept")));
        }
        message_deinit(&m);
        message_deinit(&request);
    }
}

static const struct {
    const char *name;
    int status;
    bool end;
    const char *offered, *protocol;
    enum upgrade_verdict want;
} streams[] = {
    {"D41 opened", 200, false, NULL, NULL, UPGRADE_OPEN},
    {"D41 opened with 201", 201, false, "a, b", "b", UPGRADE_OPEN},
    {"D41 refused", 403, true, NULL, NULL, UPGRADE_REFUSED},
    {"D41 redirected", 307, false, NULL, NULL, UPGRADE_REFUSED},
    {"D41 no content", 204, true, NULL, NULL, UPGRADE_BROKEN},
    {"D41 205", 205, false, NULL, NULL, UPGRADE_BROKEN},
    {"D41 ended at once", 200, true, NULL, NULL, UPGRADE_BROKEN},
    {"D41 not offered", 200, false, NULL, "b", UPGRADE_BROKEN},
};

static void test_streams(void **state)
{
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        struct message request, m;
        const char *reason = NULL;
        const struct slice name = SLICE("sec-websocket-protocol");
        print_message("%s\n", streams[i].name);
        message_init(&request);
        message_init(&m);
        m.status = streams[i].status;
        if (streams[i].offered)
            fields_add(&request.fields, name, slice_str(streams[i].offered));
        if (streams[i].protocol)
            fields_add(&m.fields, name, slice_str(streams[i].protocol));
        enum upgrade_verdict verdict = upgrade_judge_stream(&request, &m, streams[i].end, &reason);
        assert_int_equal(verdict, streams[i].want);
        assert_int_equal(!reason, verdict != UPGRADE_BROKEN);
        message_deinit(&request);
        message_deinit(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_request),
                                       cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_streams)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
