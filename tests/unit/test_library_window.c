/* SPDX-License-Identifier: MIT */
/* test_library_window.c - what nghttp2 does to a stream's window between a SETTINGS that lowers
 * INITIAL_WINDOW_SIZE and its acknowledgement (G20), and when its owner makes it smaller (G21): two
 * plain sessions, none of ours.
 * http-rules.md#nghttp2-152 */
#include "stock.h"

enum { KI = 1024 };

struct pair {
    struct stock client, server;
    struct stock_stream *st; /* the client's upload */
};

static void settle(struct pair *p)
{
    for (int i = 0; i < 4; i++) {
        stock_deliver(&p->client, &p->server);
        stock_deliver(&p->server, &p->client);
    }
}

/* A stream with a window of 64 KiB. */
static void open_pair(struct pair *p)
{
    stock_open(&p->client, false);
    stock_open(&p->server, true);
    stock_settings(&p->client, 0);
    stock_settings(&p->server, 64 * KI);
    nghttp2_session_set_local_window_size(p->server.ng, 0, 0, 1 << 20);
    settle(p);
    p->st = stock_request(&p->client);
    settle(p);
}

static void close_pair(struct pair *p)
{
    stock_close(&p->client);
    stock_close(&p->server);
}

static int32_t window_at_sender(const struct pair *p)
{
    return nghttp2_session_get_stream_remote_window_size(p->client.ng, p->st->id);
}

/* Lets the reader take whatever comes, until nothing moves any more. */
static void read_all(struct pair *p)
{
    const struct stock_stream *st = &p->server.streams[0];
    size_t consumed = st->received;
    for (int i = 0; i < 64; i++) {
        settle(p);
        if (st->received > consumed)
            nghttp2_session_consume_stream(p->server.ng, st->id, st->received - consumed);
        consumed = st->received;
    }
}

/* G22: the window of a request whose HEADERS have not left cannot be set. nghttp2 says that it was
 * done, and does nothing. Once they have left, WINDOW_UPDATE follows them. */
static void test_window_of_a_request_that_waits(void **state)
{
    struct pair p;
    open_pair(&p);
    struct stock_stream *st = stock_request(&p.client);
    assert_int_equal(nghttp2_session_set_local_window_size(p.client.ng, 0, st->id, 1 << 20), 0);
    settle(&p);
    assert_int_equal(nghttp2_session_get_stream_remote_window_size(p.server.ng, st->id), 65535);
    assert_int_equal(nghttp2_session_set_local_window_size(p.client.ng, 0, st->id, 1 << 20), 0);
    settle(&p);
    assert_int_equal(nghttp2_session_get_stream_remote_window_size(p.server.ng, st->id), 1 << 20);
    close_pair(&p);
}

/* A window that is set before the acknowledgement is taken for one of the old settings: it ends at
 * 32 - 48 = -16 KiB. The sender sends what it has and gets no more, though all was read. */
static void test_window_set_before_ack(void **state)
{
    struct pair p;
    open_pair(&p);
    stock_settings(&p.server, 16 * KI);
    nghttp2_session_set_local_window_size(p.server.ng, 0, p.st->id, 32 * KI);
    stock_send(&p.client, p.st, 1 << 20);
    stock_frame(&p.server);
    stock_take(&p.client, buf_slice(&p.server.out));
    buf_truncate(&p.server.out, 0);
    read_all(&p);
    assert_int_equal(nghttp2_session_get_stream_effective_local_window_size(p.server.ng, p.st->id),
                     -16 * KI);
    assert_int_equal(p.st->sent, 16 * KI);
    assert_int_equal(window_at_sender(&p), 0);
    close_pair(&p);
}

/* A window that is set as if the settings were still the old ones is right behind the
 * acknowledgement. */
static void test_window_set_with_the_step(void **state)
{
    struct pair p;
    open_pair(&p);
    stock_settings(&p.server, 16 * KI);
    nghttp2_session_set_local_window_size(p.server.ng, 0, p.st->id, (32 + 48) * KI);
    settle(&p);
    assert_int_equal(nghttp2_session_get_stream_effective_local_window_size(p.server.ng, p.st->id),
                     32 * KI);
    assert_int_equal(window_at_sender(&p), 32 * KI);
    stock_send(&p.client, p.st, 1 << 20);
    read_all(&p);
    assert_int_equal(p.st->sent, 1 << 20);
    close_pair(&p);
}

/* Credit for less than half of the old window, and more than half of the new one, is given with the
 * acknowledgement. No other credit would come: the sender has no window left. */
static void test_credit_before_ack(void **state)
{
    struct pair p;
    open_pair(&p);
    stock_send(&p.client, p.st, 20 * KI);
    settle(&p);
    nghttp2_session_consume_stream(p.server.ng, p.st->id, 20 * KI);
    stock_settings(&p.server, 16 * KI);
    settle(&p);
    assert_int_equal(window_at_sender(&p), 16 * KI);
    close_pair(&p);
}

/* G21: a smaller window alone withholds nothing from a reader that holds much. Each byte that it
 * reads comes back as credit, until as much has been consumed as the window was made smaller. */
static void test_smaller_window_is_no_smaller(void **state)
{
    struct pair p;
    open_pair(&p);
    stock_send(&p.client, p.st, 1 << 20);
    settle(&p);
    assert_int_equal(p.st->sent, 64 * KI);
    nghttp2_session_set_local_window_size(p.server.ng, 0, p.st->id, 16 * KI);
    nghttp2_session_consume_stream(p.server.ng, p.st->id, 8 * KI);
    settle(&p);
    assert_int_equal(p.st->sent, 72 * KI); /* 64 KiB are held as before */
    close_pair(&p);
}

/* G21: when what is read first is not reported as consumed, the window is small. When it grows
 * again, nghttp2 sends no WINDOW_UPDATE for the part that was withheld, and the credit for it comes
 * with the bytes that are reported as consumed then. */
static void test_smaller_window_by_withholding(void **state)
{
    struct pair p;
    open_pair(&p);
    stock_send(&p.client, p.st, 1 << 20);
    settle(&p);
    nghttp2_session_set_local_window_size(p.server.ng, 0, p.st->id, 16 * KI); /* 48 are read */
    settle(&p);
    nghttp2_session_consume_stream(p.server.ng, p.st->id, 8 * KI);
    settle(&p);
    assert_int_equal(p.st->sent, 72 * KI); /* 16 KiB are held */
    nghttp2_session_set_local_window_size(p.server.ng, 0, p.st->id, 32 * KI);
    settle(&p);
    assert_int_equal(p.st->sent, 72 * KI);
    nghttp2_session_consume_stream(p.server.ng, p.st->id, 16 * KI);
    settle(&p);
    assert_int_equal(p.st->sent, 88 * KI); /* 32 KiB are held */
    nghttp2_session_set_local_window_size(p.server.ng, 0, p.st->id, 128 * KI);
    settle(&p);
    assert_int_equal(p.st->sent, (88 + 64) * KI); /* what is beyond the old window comes at once */
    close_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window_of_a_request_that_waits),
        cmocka_unit_test(test_window_set_before_ack),
        cmocka_unit_test(test_window_set_with_the_step),
        cmocka_unit_test(test_credit_before_ack),
        cmocka_unit_test(test_smaller_window_is_no_smaller),
        cmocka_unit_test(test_smaller_window_by_withholding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
