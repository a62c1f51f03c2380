/* SPDX-License-Identifier: MIT */
/* test_h1_conn.c - one HTTP/1.1 connection as a leg: order, windows, promises that are not kept,
 * hang-ups, ends. test_h1_conn_upgrade.c has the rest. h1_conn.h; RFC 9112. */
#include "h1_world.h"

#include "h2mux/http/h1_conn_int.h"

/* ---- order */

/* Q38: nothing of the next request is judged before its turn, however malformed it is. */
static void test_next_is_asked_for(void **state)
{
    struct world *w = open_world(H1_SERVER);
    w->no_next = true;
    say(w, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n nonsense\r\n\r\n");
    check_told(w, "first", "GET/1 . done");
    assert_true(h1_conn_surplus(w->conn));
    h1_conn_next(w->conn);
    settle(w);
    check_told(w, "second", "GET/2 . done");
    h1_conn_next(w->conn);
    settle(w);
    check_told(w, "third", "error:-2");
    close_world(w);
}

/* The body is read when it is wanted; the answer may come before, during and after it. */
static void test_answer_and_body(void **state)
{
    struct world *w = open_world(H1_SERVER);
    w->keep = true;
    say(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
    check_told(w, "held", "POST/");
    w->leg->ops->want_body(w->leg);
    settle(w);
    send_head(w, 200, 2, false);
    w->leg->ops->body(w->leg, SLICE("ok"), true);
    settle(w);
    assert_true(h1_conn_tx_done(w->conn));
    assert_false(h1_conn_rx_done(w->conn));
    say(w, "llo");
    check_told(w, "upload", "'hello' end . done");
    assert_int_equal(w->sent, 2);
    close_world(w);
}

static void test_answer_inside_on_head(void **state)
{
    struct world *w = open_world(H1_SERVER);
    w->keep = w->answer_early = true;
    say(w, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    check_told(w, "both", "GET/1 . done GET/2 . done");
    wire_check_text(&w->wire.b.got,
                    "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
    close_world(w);
}

/* ---- windows */

static bool body_is_there(void *user)
{
    struct world *w = user;
    return w->body >= w->wire.want;
}

static void take(struct world *w, size_t total)
{
    w->wire.want = total;
    turns_until(w->wire.loop, body_is_there, w);
    settle(w);
    assert_int_equal(w->body, total);
}

/* Both framings, raw bytes too: `window` bytes without credit and not one more. */
static void test_window(void **state)
{
    static const char *const heads[] = {
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    };
    char *data = wire_pattern(5000);
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
            struct world *w = open_over(H1_SERVER, kind);
            w->keep = w->hold_credit = true;
            say(w, heads[i]);
            check_told(w, heads[i], i == 2 ? "GET/ ." : "POST/");
            if (i == 2)
                leg_upgrade(w->leg);
            else
                h1_conn_start_body(w->conn);
            for (size_t at = 0; at < 5000; at += 700)
                sock_write(w->wire.b.sock,
                           slice_make(data + at, at + 700 < 5000 ? 700 : 5000 - at));
            take(w, WINDOW);
            w->leg->ops->credit(w->leg, 300);
            take(w, WINDOW + 300);
            w->leg->ops->credit(w->leg, 100000); /* more than is out */
            take(w, 2 * WINDOW + 300);
            for (size_t n = 3; n * WINDOW + 300 < 5000; n++) {
                w->leg->ops->credit(w->leg, WINDOW);
                take(w, n * WINDOW + 300);
            }
            w->leg->ops->credit(w->leg, WINDOW);
            take(w, 5000);
            close_world(w);
        }
    free(data);
}

/* A body of which all credit comes back at once, until @window is reached or @bytes have gone. */
static size_t window_after(struct world *w, size_t bytes, char *data)
{
    size_t gone = 0;
    while (gone < bytes) {
        size_t step = bytes - gone < 100 ? bytes - gone : 100;
        sock_write(w->wire.b.sock, slice_make(data, step));
        take(w, w->body + step);
        w->leg->ops->credit(w->leg, step);
        gone += step;
    }
    sock_write(w->wire.b.sock, slice_make(data, 5000));
    settle(w);
    settle(w);
    return w->body - gone;
}

/* What it may have under way grows with what has gone on, as far as others leave anything. */
static void test_lent_window(void **state)
{
    enum { LEAST = 200, MOST = 1000 };
    static const struct {
        const char *name;
        uint64_t limit, others;
        size_t gone, window;
        bool of_many;
    } rows[] = {
        {"much is left", 10000, 0, 0, MOST, false},
        {"half is lent", 10000, 5000, 0, LEAST, false},
        {"not enough has gone", 10000, 5000, 4 * LEAST - 1, LEAST, false},
        {"it doubles", 10000, 5000, 4 * LEAST, 2 * LEAST, false},
        {"and again", 10000, 5000, 12 * LEAST, 4 * LEAST, false},
        {"to the most", 10000, 5000, 28 * LEAST, MOST, false},
        {"and no further", 10000, 5000, 100 * LEAST, MOST, false},
        {"as much is left", 10000, 9800, 100 * LEAST, 2 * LEAST, false},
        {"less is left", 10000, 9801, 100 * LEAST, LEAST, false},
        {"nothing is", 10000, 10000, 100 * LEAST, LEAST, false},
        {"F91: of many, some is left", 10000, 7300, 100 * LEAST, 2 * LEAST, true},
        {"F91: of many, the last quarter is", 10000, 7301, 100 * LEAST, LEAST, true},
    };
    char *data = wire_pattern(5000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct h1_windows lent = {
            .least = LEAST, .most = MOST, .lent = rows[i].others, .limit = rows[i].limit};
        struct world *w = open_world(H1_SERVER);
        h1_conn_lend_window(w->conn, &lent);
        w->keep = w->hold_credit = true;
        say(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n");
        check_told(w, rows[i].name, "POST/");
        if (rows[i].of_many)
            leg_of_many(w->leg);
        h1_conn_start_body(w->conn);
        size_t window = window_after(w, rows[i].gone, data);
        if (window != rows[i].window || lent.lent - rows[i].others != window - LEAST)
            fail_msg("%s: window %zu, lent %llu", rows[i].name, window,
                     (unsigned long long)lent.lent);
        close_world(w);
        assert_int_equal(lent.lent, rows[i].others);
    }
    free(data);
}

static size_t told_memory;

static void on_memory(void *user, size_t bytes)
{
    (void)user;
    told_memory = bytes;
}

/* F61 F62: the owner hears what the connection holds: the head, and body without credit. While the
 * windows are closed, little is read of a body, and all goes on when they are open again. */
static void test_closed_window(void **state)
{
    enum { LEAST = 8192, BODY = 7000 };
    struct h1_conn_ops ops = owner_ops;
    struct h1_windows lent = {.least = LEAST, .most = LEAST, .closed = true};
    struct world *w = open_world(H1_SERVER);
    char *data = wire_pattern(BODY);
    ops.on_memory = on_memory;
    told_memory = 0;
    w->conn->ops = &ops;
    w->keep = w->hold_credit = true;
    h1_conn_lend_least(w->conn, &lent);
    say(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 7000\r\n\r\n");
    size_t head = h1_conn_memory(w->conn);
    assert_true(head > 40);
    assert_int_equal(told_memory, head);
    h1_conn_start_body(w->conn);
    sock_write(w->wire.b.sock, slice_make(data, BODY));
    take(w, H1_WINDOW_CLOSED);
    settle(w);
    assert_int_equal(w->body, H1_WINDOW_CLOSED);
    assert_int_equal(told_memory, head + H1_WINDOW_CLOSED);
    w->leg->ops->credit(w->leg, 96);
    assert_int_equal(h1_conn_progress(w->conn), 96);
    take(w, H1_WINDOW_CLOSED + 96);
    lent.closed = false;
    h1_conn_reopen(w->conn);
    take(w, BODY);
    w->leg->ops->credit(w->leg, BODY - 96);
    assert_int_equal(told_memory, head);
    w->leg->ops->head(w->leg, &(struct message){.status = 204, .length = -1}, true);
    settle(w);
    assert_true(told_memory < head);
    free(data);
    close_world(w);
}

/* What nobody wants is read and forgotten without a window. */
static void test_unwanted_body(void **state)
{
    struct world *w = open_world(H1_SERVER);
    char *data = wire_pattern(5000);
    w->keep = true;
    say(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n");
    leg_untie(w->leg);
    h1_conn_start_body(w->conn);
    sock_write(w->wire.b.sock, slice_make(data, 5000));
    settle(w);
    settle(w);
    check_told(w, "body", "POST/ .");
    assert_int_equal(w->body, 0);
    free(data);
    close_world(w);
}

static bool all_sent(void *user)
{
    struct world *w = user;
    return w->sent >= w->wire.want;
}

/* on_sent counts body bytes as they leave, never more than were given. */
static void test_sent(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct world *w = open_over(H1_SERVER, kind);
        const size_t total = 12 << 20;
        char *data = wire_pattern(total);
        w->keep = true;
        sock_pause(w->wire.b.sock);
        say(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        check_told(w, "request", "GET/ .");
        send_head(w, 200, MESSAGE_LENGTH_UNKNOWN, false);
        w->leg->ops->body(w->leg, slice_make(data, total), false);
        settle(w);
        assert_true(w->sent < total);
        sock_resume(w->wire.b.sock);
        w->wire.want = total;
        turns_until(w->wire.loop, wire_b_got, &w->wire);
        w->wire.want = total;
        turns_until(w->wire.loop, all_sent, w);
        assert_int_equal(w->sent, total);
        w->leg->ops->body(w->leg, SLICE("x"), false);
        settle(w);
        assert_int_equal(w->sent, total + 1);
        free(data);
        close_world(w);
    }
}

/* ---- promises that are not kept */

static const struct {
    const char *what;
    enum h1_role role;
    int64_t length;
    bool end; /* with the head */
    const char *body;
    bool last;
    const char *want; /* bytes */
} broken_promises[] = {
    {"longer", H1_SERVER, 3, false, "hello", false, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"},
    {"longer at the end", H1_SERVER, 3, false, "hello", true,
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"},
    {"shorter", H1_SERVER, 7, false, "hello", true, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"},
    {"none at all", H1_SERVER, 7, true, NULL, true, ""},
    {"request longer", H1_CLIENT, 3, false, "hello", true,
     "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"},
    {"request without", H1_CLIENT, 3, true, NULL, true, ""},
};

/* R9, D4, H12: the message must not look complete: it is given up, and the exchange hears it before
 * the owner. Nothing is told inside the op. */
static void test_broken_promises(void **state)
{
    for (size_t i = 0; i < sizeof broken_promises / sizeof *broken_promises; i++) {
        struct world *w = open_world(broken_promises[i].role);
        w->linger = w->keep = w->no_next = true;
        if (w->role == H1_SERVER)
            say(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        buf_truncate(&w->told, 0);
        leg_tie(w->leg, &exchange_events, w);
        send_head(w, w->role == H1_SERVER ? 200 : 0, broken_promises[i].length,
                  broken_promises[i].end);
        if (broken_promises[i].body)
            w->leg->ops->body(w->leg, slice_str(broken_promises[i].body), broken_promises[i].last);
        check_told_now(w, broken_promises[i].what, "");
        w->leg->ops->body(w->leg, SLICE("more"), true);
        settle(w);
        check_told(w, broken_promises[i].what, "reset:-4 error:-4");
        wire_check_text(&w->wire.b.got, broken_promises[i].want);
        close_world(w);
    }
}

static void test_unwritable(void **state)
{
    for (int trailers = 0; trailers < 2; trailers++) {
        struct world *w = open_world(H1_SERVER);
        struct leg_reply reply = {.trailers = true};
        struct message m;
        w->linger = w->keep = w->no_next = true;
        say(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        buf_truncate(&w->told, 0);
        leg_reply(w->leg, &reply);
        message_init(&m);
        m.status = 200;
        fields_add(&m.fields, SLICE("x-a"), SLICE("split\r\nx-b: 1"));
        if (trailers) {
            send_head(w, 200, MESSAGE_LENGTH_UNKNOWN, false);
            w->leg->ops->trailers(w->leg, &m.fields);
        } else {
            w->leg->ops->head(w->leg, &m, true);
        }
        message_deinit(&m);
        settle(w);
        check_told(w, "unwritable", "reset:-4 error:-4");
        wire_check_text(&w->wire.b.got,
                        trailers ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" : "");
        close_world(w);
    }
}

/* The exchange gives up: it hears nothing more, the owner hears why, once. */
static void test_leg_reset(void **state)
{
    struct world *w = open_world(H1_SERVER);
    struct leg_fault why = {.err = ERR_LINK_LOST, .reason = "link lost"};
    w->keep = true;
    say(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    send_head(w, 200, 5, false);
    h1_conn_start_body(w->conn);
    w->leg->ops->reset(w->leg, &why);
    w->leg->ops->reset(w->leg, &why);
    check_told_now(w, "inside", "POST/");
    say(w, "hello");
    check_told(w, "after", "error:-4");
    close_world(w);
}

/* ---- hang-ups */

static const struct {
    const char *what, *in;
    bool reset, answer_begun;
    const char *want;
} waits[] = {
    {"no body, FIN", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", false, false, "GET/ . reset:-6 error:-6"},
    {"no body, RST", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", true, false, "GET/ . reset:-6 error:-6"},
    {"body not wanted yet, RST", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", true,
     false, "POST/ reset:-6 error:-6"},
    {"answer has begun, FIN", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", false, true,
     "GET/ . reset:-6 error:-6"},
    {"another request waits, RST",
     "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n", true, false,
     "GET/ . reset:-6 error:-6"},
};

static bool has_begun(void *user)
{
    return buf_len(&((struct world *)user)->told) > 0;
}

/* R17: whoever waits for an answer and leaves is noticed, at the latest with the head (`together`).
 */
static void test_hangup(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
            for (int together = 0; together < 2; together++) {
                struct world *w = open_over(H1_SERVER, kind);
                w->keep = true;
                sock_write(w->wire.b.sock, slice_str(waits[i].in));
                if (together)
                    sock_push(w->wire.b.sock);
                else
                    turns_until(w->wire.loop, has_begun, w);
                if (waits[i].answer_begun && !together)
                    send_head(w, 200, MESSAGE_LENGTH_UNKNOWN, false);
                if (waits[i].reset)
                    sock_abort(w->wire.b.sock);
                else
                    sock_close(w->wire.b.sock);
                w->wire.b.sock = NULL;
                check_told(w, waits[i].what, waits[i].want);
                close_world(w);
            }
}

static bool note_half_closed(void *user)
{
    tell(user, "half-closed");
    return true;
}

/* Q46: the owner of a connection with FIN behind its request decides when its peer has left; RST is
 * not asked about. */
static void test_half_closed(void **state)
{
    static const char *const ends[] = {"GET/ . half-closed reset:-6 error:-6",
                                       "GET/ . half-closed done error:-6",
                                       "GET/ . reset:-6 error:-6"};
    struct h1_conn_ops ops = owner_ops;
    ops.on_half_closed = note_half_closed;
    for (int i = 0; i < 3; i++) {
        struct world *w = open_over(H1_SERVER, WIRE_TCP);
        w->conn->ops = &ops;
        w->keep = true;
        sock_write(w->wire.b.sock, SLICE("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
        turns_until(w->wire.loop, has_begun, w);
        if (i == 2) {
            sock_abort(w->wire.b.sock);
            w->wire.b.sock = NULL;
        } else {
            sock_shutdown(w->wire.b.sock);
            w->want = "GET/ . half-closed";
            w->want_until_us = clock_now_us() + WAIT_MS * 1000;
            turns_until(w->wire.loop, told_or_late, w);
        }
        if (i == 0)
            h1_conn_peer_left(w->conn);
        else if (i == 1)
            send_head(w, 204, MESSAGE_LENGTH_UNKNOWN, true);
        check_told(w, "half-closed", ends[i]);
        close_world(w);
    }
}

/* The answer is complete already: who has heard it may leave in peace. */
static void test_hangup_behind_answer(void **state)
{
    struct world *w = open_world(H1_SERVER);
    w->keep = w->answer_early = true;
    sock_write(w->wire.b.sock, SLICE("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    sock_shutdown(w->wire.b.sock);
    settle(w);
    check_told(w, "told", "GET/ . done error:-6");
    wire_check_text(&w->wire.b.got, "HTTP/1.1 204 No Content\r\n\r\n");
    close_world(w);
}

/* ---- ends */

static void test_ends(void **state)
{
    for (int how = 0; how < 3; how++) {
        struct world *w = open_over(H1_SERVER, WIRE_TCP);
        w->keep = true;
        say(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        check_told(w, "request", "GET/ .");
        send_head(w, 200, MESSAGE_LENGTH_UNKNOWN, true);
        if (how == 0)
            h1_conn_finish(w->conn, 1000, 1000);
        else if (how == 1)
            h1_conn_close(w->conn);
        else
            h1_conn_abort(w->conn);
        assert_null(h1_conn_sock(w->conn));
        /* Whoever still holds the leg in this turn does no harm. */
        w->leg->ops->body(w->leg, SLICE("late"), true);
        w->leg->ops->credit(w->leg, 1);
        w->conn = NULL;
        turns_until(w->wire.loop, wire_b_ended, &w->wire);
        assert_int_equal(w->wire.b.end, how == 2 ? ERR_RESET : 0);
        wire_check_text(&w->wire.b.got,
                        how == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : "");
        close_world(w);
    }
    h1_conn_close(NULL);
    h1_conn_abort(NULL);
    h1_conn_finish(NULL, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_is_asked_for),
        cmocka_unit_test(test_answer_and_body),
        cmocka_unit_test(test_answer_inside_on_head),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_lent_window),
        cmocka_unit_test(test_closed_window),
        cmocka_unit_test(test_unwanted_body),
        cmocka_unit_test(test_sent),
        cmocka_unit_test(test_broken_promises),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_leg_reset),
        cmocka_unit_test(test_hangup),
        cmocka_unit_test(test_half_closed),
        cmocka_unit_test(test_hangup_behind_answer),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests_name("h1_conn", tests, NULL, NULL);
}
