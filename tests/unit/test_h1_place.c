/* SPDX-License-Identifier: MIT */
/* test_h1_place.c - long bodies that are read straight into the place their exchange offers: what
 * goes there, what never does, and that a place is given back when nothing came. h1_conn_rx.c,
 * leg.h. */
#include "wire.h"

#include "h2mux/http/h1_conn.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

enum { KIB = 1024, LEAST = 32 * KIB /* of a body that is left */, WINDOW = 256 * KIB };

enum offer { ALWAYS, NOWHERE, NOT_ASKED };

struct world {
    struct wire wire; /* b is the peer; a is not used: conn has it */
    struct h1_conn *conn;
    struct leg *leg;
    struct buf got;
    char *place; /* owned: as large as was asked for, so that ASan sees one byte more */
    size_t room, length, window;
    int asked, given_back, used, heads, ended, resets;
    int close_at; /* in the so manieth on_body; 0: never */
    size_t placed;
    enum offer offer;
    bool hold, next_head, chunked;
    bool silent; /* nothing is answered */
    int error;
};

/* ---- the exchange */

static void forget_place(struct world *w)
{
    free(w->place);
    w->place = NULL;
}

static char *on_place(void *exchange, struct leg *leg, size_t bytes)
{
    struct world *w = exchange;
    if (bytes == 0) {
        assert_non_null(w->place);
        forget_place(w);
        w->given_back++;
        return NULL;
    }
    size_t left = w->length - buf_len(&w->got);
    assert_null(w->place); /* used or given back */
    assert_false(w->chunked);
    assert_true(left >= LEAST);
    assert_in_range(bytes, 1, left < w->window ? left : w->window);
    w->asked++;
    w->room = bytes;
    w->place = w->offer == ALWAYS ? xmalloc(bytes) : NULL;
    return w->place;
}

static void on_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
    struct world *w = exchange;
    bool in_place = w->place && data.ptr == w->place;
    assert_int_equal(in_place, !!w->place);
    assert_int_equal(buf_append(&w->got, data), 0);
    if (in_place) {
        assert_in_range(data.len, 1, w->room);
        w->used++;
        w->placed += data.len;
        forget_place(w);
    }
    w->ended += end;
    if (w->close_at > 0 && --w->close_at == 0) {
        h1_conn_close(w->conn);
        w->conn = NULL;
    } else if (!w->hold) {
        leg->ops->credit(leg, data.len);
    }
}

static void on_leg_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
    struct world *w = exchange;
    assert_null(w->place);
    w->resets++;
}

static void on_leg_head(void *exchange, struct leg *leg, struct message *m, bool end)
{
    struct world *w = exchange;
    assert_int_equal(m->status, 200);
    assert_false(end);
    w->heads++;
}

static void on_trailers(void *exchange, struct leg *leg, struct fields *t)
{
}

static void on_leg_sent(void *exchange, struct leg *leg, size_t bytes)
{
}

static const struct leg_events offering = {.on_head = on_leg_head,
                                           .on_body = on_body,
                                           .on_trailers = on_trailers,
                                           .on_sent = on_leg_sent,
                                           .on_reset = on_leg_reset,
                                           .on_place = on_place};
static const struct leg_events plain = {.on_head = on_leg_head,
                                        .on_body = on_body,
                                        .on_trailers = on_trailers,
                                        .on_sent = on_leg_sent,
                                        .on_reset = on_leg_reset};

/* ---- the owner */

static void send_head(struct world *w, int status)
{
    struct message m;
    message_init(&m);
    m.status = status;
    m.method = SLICE("GET");
    m.path = SLICE("/");
    m.authority = SLICE("h");
    w->leg->ops->head(w->leg, &m, true);
    message_deinit(&m);
}

static void on_head(void *user, struct message *m, bool end)
{
    struct world *w = user;
    w->next_head = slice_eq(m->path, SLICE("/next"));
    if (w->heads++ > 0)
        return;
    leg_tie(w->leg, w->offer == NOT_ASKED ? &plain : &offering, w);
    h1_conn_start_body(w->conn);
}

static void on_message_end(void *user)
{
    struct world *w = user;
    if (w->heads == 1 && !w->silent)
        send_head(w, 204);
}

static void on_done(void *user)
{
    struct world *w = user;
    h1_conn_next(w->conn);
}

static void on_error(void *user, int err, const char *reason)
{
    struct world *w = user;
    w->error = err;
    h1_conn_close(w->conn);
    w->conn = NULL;
}

static const struct h1_conn_ops owner_ops = {
    .on_head = on_head, .on_message_end = on_message_end, .on_done = on_done, .on_error = on_error};

static struct world *open_world(enum wire_kind kind, enum h1_role role, size_t window)
{
    struct world *w = xcalloc(1, sizeof *w);
    struct sock *a, *b;
    w->wire.loop = loop_new();
    w->window = window;
    buf_init(&w->got, 1 << 24);
    buf_init(&w->wire.b.got, 1 << 24);
    wire_ends(w->wire.loop, kind, &a, &b);
    wire_take(&w->wire.b, b);
    w->conn = h1_conn_new(w->wire.loop, a, role, &h1_default_limits, window, &owner_ops, w);
    w->leg = h1_conn_leg(w->conn);
    return w;
}

static void close_world(struct world *w)
{
    h1_conn_close(w->conn);
    sock_close(w->wire.b.sock);
    loop_free(w->wire.loop);
    buf_release(&w->got);
    buf_release(&w->wire.b.got);
    assert_null(w->place);
    free(w);
}

static void settle(struct world *w)
{
    for (int i = 0; i < 6; i++)
        turns_until(w->wire.loop, wire_always, w);
}

static bool all_came(void *user)
{
    const struct world *w = user;
    return !w->conn || (w->ended && buf_len(&w->got) == w->length);
}

static bool next_came(void *user)
{
    return ((struct world *)user)->next_head;
}

static bool has_failed(void *user)
{
    return ((struct world *)user)->error != 0;
}

static void say_head(struct world *w, size_t length)
{
    char head[128];
    w->length = length;
    snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %zu\r\n\r\n",
             length);
    sock_write(w->wire.b.sock, slice_str(head));
}

/* The body, in pieces with a moment between them. */
static void say_body(struct world *w, size_t bytes, size_t piece)
{
    char *data = wire_pattern(bytes);
    for (size_t at = 0; at < bytes; at += piece) {
        sock_write(w->wire.b.sock, slice_make(data + at, at + piece < bytes ? piece : bytes - at));
        if (piece < bytes)
            turns_until(w->wire.loop, wire_always, w);
    }
    free(data);
}

/* ---- what goes there */

static const struct {
    const char *name;
    size_t length, window;
    enum offer offer;
    bool chunked, placed;
} rows[] = {
    {"long", 300 * KIB, WINDOW, ALWAYS, false, true},
    {"long, small window", 300 * KIB, 1000, ALWAYS, false, true},
    {"just long enough", LEAST, WINDOW, ALWAYS, false, true},
    {"too short", LEAST - 1, WINDOW, ALWAYS, false, false},
    {"one read and one byte", 64 * KIB + 1, WINDOW, ALWAYS, false, true},
    {"no place there", 300 * KIB, WINDOW, NOWHERE, false, false},
    {"an exchange without places", 300 * KIB, WINDOW, NOT_ASKED, false, false},
    {"chunked", 300 * KIB, WINDOW, ALWAYS, true, false},
};

static void say_message(struct world *w, size_t row, size_t piece)
{
    char size[64];
    if (!rows[row].chunked) {
        say_head(w, rows[row].length);
        settle(w); /* else the first of it comes with the head */
        say_body(w, rows[row].length, piece);
        return;
    }
    w->chunked = true;
    w->length = rows[row].length;
    snprintf(size, sizeof size, "%zx\r\n", rows[row].length);
    sock_write(w->wire.b.sock,
               SLICE("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
    sock_write(w->wire.b.sock, slice_str(size));
    say_body(w, rows[row].length, piece);
    sock_write(w->wire.b.sock, SLICE("\r\n0\r\n\r\n"));
}

/* All of the body and nothing else, however it is cut; the next head comes in the same bytes and
 * is where it belongs. */
static void test_bodies(void **state)
{
    static const size_t pieces[] = {1000, 30000, 64 * KIB, 1 << 20};
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t row = 0; row < COUNT(rows); row++)
            for (size_t i = 0; i < COUNT(pieces); i++) {
                struct world *w = open_world(kind, H1_SERVER, rows[row].window);
                w->offer = rows[row].offer;
                say_message(w, row, pieces[i]);
                sock_write(w->wire.b.sock, SLICE("GET /next HTTP/1.1\r\nHost: h\r\n\r\n"));
                turns_until(w->wire.loop, next_came, w);
                wire_check_pattern(&w->got, w->length);
                assert_int_equal(w->ended, 1);
                if ((w->placed > 0) != rows[row].placed)
                    fail_msg("%s, in pieces of %zu: %zu bytes", rows[row].name, pieces[i],
                             w->placed);
                if (w->offer == ALWAYS)
                    assert_int_equal(w->used + w->given_back, w->asked);
                assert_int_equal(w->heads, 2);
                assert_int_equal(w->resets + w->error, 0);
                close_world(w);
            }
}

/* A response's body likewise; what follows it was not asked for and is still told apart. */
static void test_response(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct world *w = open_world(kind, H1_CLIENT, WINDOW);
        leg_tie(w->leg, &offering, w);
        send_head(w, 0);
        w->length = 100 * KIB;
        w->silent = true;
        sock_write(w->wire.b.sock, SLICE("HTTP/1.1 200 OK\r\nContent-Length: 102400\r\n\r\n"));
        settle(w);
        say_body(w, w->length, w->length);
        sock_write(w->wire.b.sock, SLICE("surplus"));
        turns_until(w->wire.loop, all_came, w);
        wire_check_pattern(&w->got, w->length);
        assert_true(w->placed > 0);
        close_world(w);
    }
}

/* ---- when nothing comes */

/* A place that was offered for a read that brought nothing is given back, each time. */
static void test_given_back(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct world *w = open_world(kind, H1_SERVER, WINDOW);
        say_head(w, 300 * KIB);
        settle(w);
        int before = w->given_back;
        assert_int_equal(w->used, 0);
        assert_int_equal(w->given_back, w->asked);
        say_body(w, 1000, 1000);
        while (buf_len(&w->got) < 1000)
            settle(w);
        assert_true(w->given_back > before);
        assert_int_equal(w->used + w->given_back, w->asked);
        assert_null(w->place);
        close_world(w);
    }
}

static const struct {
    const char *name;
    bool reset;
    size_t said;
    int error;
} ends[] = {
    {"FIN before the body", false, 0, ERR_TRUNCATED},
    {"FIN in the body", false, 50 * KIB, ERR_TRUNCATED},
    {"RST in the body", true, 50 * KIB, ERR_RESET},
};

static void test_ends_inside(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < COUNT(ends); i++) {
            struct world *w = open_world(kind, H1_SERVER, WINDOW);
            say_head(w, 300 * KIB);
            settle(w);
            say_body(w, ends[i].said, 1 << 20);
            while (buf_len(&w->got) < ends[i].said)
                settle(w);
            if (ends[i].reset)
                sock_abort(w->wire.b.sock);
            else
                sock_close(w->wire.b.sock);
            w->wire.b.sock = NULL;
            turns_until(w->wire.loop, has_failed, w);
            if (w->error != ends[i].error || w->resets != 1)
                fail_msg("%s: %d", ends[i].name, w->error);
            assert_int_equal(w->used + w->given_back, w->asked);
            close_world(w);
        }
}

/* ---- windows and owners */

/* No more is asked for than may be out without credit; at the window nothing is asked for. */
static void test_window(void **state)
{
    struct world *w = open_world(WIRE_MEMORY, H1_SERVER, 50 * KIB);
    w->hold = true;
    say_head(w, 300 * KIB);
    settle(w);
    say_body(w, 200 * KIB, 1 << 20);
    settle(w);
    assert_int_equal(buf_len(&w->got), 50 * KIB);
    int asked = w->asked;
    settle(w);
    assert_int_equal(w->asked, asked);
    w->window = 1; /* now */
    w->leg->ops->credit(w->leg, 1);
    settle(w);
    assert_int_equal(buf_len(&w->got), 50 * KIB + 1);
    assert_int_equal(w->room, 1);
    close_world(w);
}

/* The owner lets go while it is handed what is in its place. */
static void test_closed_inside(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (int at = 1; at < 4; at++) {
            struct world *w = open_world(kind, H1_SERVER, WINDOW);
            w->close_at = at;
            say_head(w, 300 * KIB);
            settle(w);
            say_body(w, 300 * KIB, 50000);
            turns_until(w->wire.loop, all_came, w);
            assert_null(w->conn);
            assert_int_equal(w->used + w->given_back, w->asked);
            close_world(w);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),     cmocka_unit_test(test_response),
        cmocka_unit_test(test_given_back), cmocka_unit_test(test_ends_inside),
        cmocka_unit_test(test_window),     cmocka_unit_test(test_closed_inside),
    };
    return cmocka_run_group_tests_name("h1_place", tests, NULL, NULL);
}
