/* SPDX-License-Identifier: MIT */
/* test_h1_conn_tx.c - what a connection writes of what it is given. h1_conn_tx.c; RFC 9112. */
#include "h1_world.h"

static const struct writing {
    const char *what;
    enum h1_role role;
    struct leg_reply reply;
    int status;
    int64_t length;
    bool end;
    const char *body;    /* NULL: none; given byte by byte */
    const char *trailer; /* NULL: the body ends it */
    const char *want;
    bool tx_close;
} writings[] = {
    {"length",
     H1_SERVER,
     {0},
     200,
     5,
     false,
     "hello",
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
     false},
    {"no body",
     H1_SERVER,
     {0},
     200,
     -1,
     true,
     NULL,
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     false},
    {"chunked",
     H1_SERVER,
     {0},
     200,
     -1,
     false,
     "hi",
     NULL,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
     false},
    {"chunked and empty",
     H1_SERVER,
     {0},
     200,
     -1,
     false,
     "",
     NULL,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     false},
    {"close",
     H1_SERVER,
     {.close = true},
     200,
     1,
     false,
     "x",
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
     true},
    {"R12 to 1.0",
     H1_SERVER,
     {.peer_1_0 = true},
     200,
     -1,
     false,
     "hi",
     NULL,
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi",
     true},
    {"Q40 1.0 keeps alive",
     H1_SERVER,
     {.peer_1_0 = true},
     200,
     2,
     false,
     "hi",
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",
     false},
    {"R5 HEAD with length",
     H1_SERVER,
     {.to_head = true},
     200,
     5,
     true,
     NULL,
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
     false},
    {"R5 HEAD without",
     H1_SERVER,
     {.to_head = true},
     200,
     -1,
     true,
     NULL,
     NULL,
     "HTTP/1.1 200 OK\r\n\r\n",
     false},
    {"R5 HEAD, body dropped",
     H1_SERVER,
     {.to_head = true},
     200,
     5,
     false,
     "hello",
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
     false},
    {"R6 204", H1_SERVER, {0}, 204, -1, true, NULL, NULL, "HTTP/1.1 204 No Content\r\n\r\n", false},
    {"R7 304 with length",
     H1_SERVER,
     {0},
     304,
     5,
     true,
     NULL,
     NULL,
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
     false},
    {"304 to 1.0",
     H1_SERVER,
     {.peer_1_0 = true},
     304,
     -1,
     true,
     NULL,
     NULL,
     "HTTP/1.1 304 Not Modified\r\nConnection: keep-alive\r\n\r\n",
     false},
    {"R13 trailers asked for",
     H1_SERVER,
     {.trailers = true},
     200,
     -1,
     false,
     "x",
     "x-sum",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n",
     false},
    {"R13 not asked for",
     H1_SERVER,
     {0},
     200,
     -1,
     false,
     "x",
     "x-sum",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
     false},
    {"trailers behind a length",
     H1_SERVER,
     {.trailers = true},
     200,
     1,
     false,
     "x",
     "x-sum",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
     false},
    {"request",
     H1_CLIENT,
     {0},
     0,
     -1,
     true,
     NULL,
     NULL,
     "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
     false},
    {"request with length",
     H1_CLIENT,
     {0},
     0,
     2,
     false,
     "hi",
     NULL,
     "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
     false},
    {"request chunked",
     H1_CLIENT,
     {0},
     0,
     -1,
     false,
     "x",
     NULL,
     "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
     false},
    {"request with trailers",
     H1_CLIENT,
     {.trailers = true},
     0,
     -1,
     false,
     "",
     "x-sum",
     "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: TE\r\nTE: "
     "trailers\r\n\r\n0\r\nX-Sum: 1\r\n\r\n",
     false},
};

static void write_body(struct world *w, const struct writing *r)
{
    struct fields t;
    size_t len = strlen(r->body);
    bool trailers = r->trailer;
    for (size_t i = 0; i < len; i++)
        w->leg->ops->body(w->leg, slice_make(r->body + i, 1), !trailers && i + 1 == len);
    if (len == 0 && !trailers)
        w->leg->ops->body(w->leg, SLICE(""), true);
    if (!trailers)
        return;
    fields_init(&t);
    fields_add(&t, slice_str(r->trailer), SLICE("1"));
    w->leg->ops->trailers(w->leg, &t);
    fields_deinit(&t);
}

static void run_writing(const struct writing *r)
{
    struct world *w = open_world(r->role);
    w->keep = w->no_next = true;
    if (r->role == H1_SERVER)
        say(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    leg_reply(w->leg, &r->reply);
    leg_tie(w->leg, &exchange_events, w);
    send_head(w, r->status, r->length, r->end);
    if (r->body)
        write_body(w, r);
    settle(w);
    struct slice got = buf_slice(&w->wire.b.got);
    if (!slice_eq(got, slice_str(r->want)))
        fail_msg("%s: wrote '%.*s'", r->what, SLICE_FMT(got));
    assert_true(h1_conn_tx_done(w->conn));
    assert_int_equal(h1_conn_tx_close(w->conn), r->tx_close);
    check_told(w, r->what, r->role == H1_SERVER ? "GET/ . done" : "");
    close_world(w);
}

static void test_writing(void **state)
{
    for (size_t i = 0; i < sizeof writings / sizeof *writings; i++)
        run_writing(&writings[i]);
}

/* HEAD again: the bytes that are not written are reported as gone, so that their source goes on.
 */
static void test_unwritten_body_is_credited(void **state)
{
    struct world *w = open_world(H1_SERVER);
    struct leg_reply reply = {.to_head = true};
    w->keep = true;
    say(w, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    leg_reply(w->leg, &reply);
    send_head(w, 200, 1000, false);
    settle(w);
    w->leg->ops->body(w->leg, SLICE("hello"), false);
    settle(w);
    assert_int_equal(w->sent, 5);
    close_world(w);
}

static void test_interim(void **state)
{
    for (int old = 0; old < 2; old++) {
        struct world *w = open_world(H1_SERVER);
        struct leg_reply reply = {.peer_1_0 = old == 1};
        w->keep = true;
        say(w, "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n");
        leg_reply(w->leg, &reply);
        send_head(w, 100, MESSAGE_LENGTH_UNKNOWN, false);
        send_head(w, 103, MESSAGE_LENGTH_UNKNOWN, false);
        assert_false(h1_conn_tx_done(w->conn));
        send_head(w, 204, MESSAGE_LENGTH_UNKNOWN, true);
        settle(w);
        wire_check_text(&w->wire.b.got,
                        old ? "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n"
                            : "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
                              "HTTP/1.1 204 No Content\r\n\r\n");
        close_world(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_unwritten_body_is_credited),
        cmocka_unit_test(test_interim),
    };
    return cmocka_run_group_tests_name("h1_conn, writing", tests, NULL, NULL);
}
