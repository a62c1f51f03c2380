/* SPDX-License-Identifier: MIT */
/* test_session_peer.c - a session and a peer that speaks frames by hand: nuisance, frames of
 * streams that are over, limits that change. */
#include "session_world.h"

/* ---- a peer that speaks frames by hand */

struct peer {
    struct world w; /* the opener's side is used, or the server's */
    struct sock *sock;
    size_t heard, known; /* bytes from the session; when a test looked last */
};

static void swallow(void *user)
{
    struct peer *p = user;
    char chunk[4096];
    for (ssize_t n; (n = sock_read(p->sock, chunk, sizeof chunk)) > 0;)
        p->heard += (size_t)n;
}

static const struct sock_ops peer_ops = {.on_readable = swallow};

static void send_frame(struct peer *p, uint8_t type, uint8_t flags, uint32_t id,
                       struct slice payload)
{
    const uint8_t head[9] = {(uint8_t)(payload.len >> 16),
                             (uint8_t)(payload.len >> 8),
                             (uint8_t)payload.len,
                             type,
                             flags,
                             (uint8_t)(id >> 24),
                             (uint8_t)(id >> 16),
                             (uint8_t)(id >> 8),
                             (uint8_t)id};
    sock_write(p->sock, slice_make((const char *)head, sizeof head));
    sock_write(p->sock, payload);
}

enum {
    FRAME_HEADERS = 1,
    FRAME_RST = 3,
    FRAME_SETTINGS = 4,
    FRAME_PING = 6,
    FRAME_GOAWAY = 7,
    FRAME_WINDOW_UPDATE = 8
};

static struct peer *peer_new(enum h2_role ours, const struct h2_options *o)
{
    struct peer *p = xcalloc(1, sizeof *p);
    struct side *s = ours == H2_OPENER ? &p->w.opener : &p->w.server;
    struct sock *end;
    p->w.loop = loop_new();
    s->world = &p->w;
    sock_pair(p->w.loop, &end, &p->sock);
    sock_set_ops(p->sock, &peer_ops, p);
    s->session = h2_session_new(p->w.loop, end, ours, o, &ops, s);
    if (ours == H2_SERVER)
        sock_write(p->sock, SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    send_frame(p, FRAME_SETTINGS, 0, 0, SLICE(""));
    return p;
}

static void peer_free(struct peer *p)
{
    side_close(&p->w.opener);
    side_close(&p->w.server);
    sock_close(p->sock);
    settle(&p->w);
    loop_free(p->w.loop);
    free(p);
}

static bool is_over(void *user)
{
    const struct peer *p = user;
    return p->w.opener.closed || p->w.server.closed;
}

/* POST / to "a", by the static table: a request of six bytes whose body is to come. */
static void send_request(struct peer *p, uint32_t id)
{
    send_frame(p, FRAME_HEADERS, 4, id, SLICE("\x83\x87\x84\x41\x01\x61"));
}

/* F9: more of what costs us and says nothing than any honest peer sends (G6). */
static void test_nuisance_costs_the_link(void **state)
{
    static const struct {
        const char *name;
        uint8_t type, flags;
        struct slice payload;
    } rows[] = {
        {"answers to no PING", FRAME_PING, 1, {"12345678", 8}},
        {"GOAWAY", FRAME_GOAWAY, 0, {"\0\0\0\0\0\0\0\0", 8}},
        {"tiny WINDOW_UPDATE", FRAME_WINDOW_UPDATE, 0, {"\0\0\0\1", 4}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer *p = peer_new(H2_SERVER, &defaults);
        send_request(p, 1);
        for (int n = 0; n < 12000; n++)
            send_frame(p, rows[i].type, rows[i].flags, 0, rows[i].payload);
        turns_until(p->w.loop, is_over, p);
        if (p->w.server.err != ERR_ABUSE)
            fail_msg("%s: %s", rows[i].name, err_text(p->w.server.err));
        peer_free(p);
    }
}

/* F9: CVE-2025-8671: the peer makes us reset streams by frames that are wrong, stream after stream.
 */
static void test_resets_that_we_were_made_to_send_cost_the_link(void **state)
{
    struct peer *p = peer_new(H2_SERVER, &defaults);
    for (uint32_t n = 0; n < 12000; n++) {
        send_request(p, 2 * n + 1);
        send_frame(p, FRAME_WINDOW_UPDATE, 0, 2 * n + 1, SLICE("\x7f\xff\xff\xff"));
    }
    turns_until(p->w.loop, is_over, p);
    assert_int_equal(p->w.server.err, ERR_ABUSE);
    peer_free(p);
}

/* nghttp2 ignores them and tells nobody. What was under way when the stream ended is no nuisance.
 */
static void test_frames_of_a_stream_that_is_over(void **state)
{
    static const struct {
        const char *name;
        int count;
        int err;
    } rows[] = {
        {"crossing", 10000, 0},
        {"nuisance", 12000, ERR_ABUSE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer *p = peer_new(H2_SERVER, &defaults);
        send_request(p, 1);
        for (int n = 0; n <= rows[i].count; n++)
            send_frame(p, FRAME_RST, 0, 1, SLICE("\0\0\0\10"));
        settle(&p->w);
        if (p->w.server.err != rows[i].err)
            fail_msg("%s: %s", rows[i].name, err_text(p->w.server.err));
        peer_free(p);
    }
}

/* Some stacks return credit for each DATA frame, so who sends a byte at a time, a viewer, makes
 * them small: that is not theirs. What answers no DATA is. */
static void test_credit_for_small_data_is_no_nuisance(void **state)
{
    struct peer *p = peer_new(H2_OPENER, &defaults);
    settle(&p->w);
    struct end *e = ask(&p->w, "/", false);
    settle(&p->w);
    for (int n = 0; n < 8000; n++) {
        tell(e, SLICE("x"), false);
        settle(&p->w);
        send_frame(p, FRAME_WINDOW_UPDATE, 0, 0, SLICE("\0\0\0\1"));
        send_frame(p, FRAME_WINDOW_UPDATE, 0, 1, SLICE("\0\0\0\1"));
    }
    settle(&p->w);
    assert_false(p->w.opener.closed);
    for (int n = 0; n < 12000; n++)
        send_frame(p, FRAME_WINDOW_UPDATE, 0, 0, SLICE("\0\0\0\1"));
    turns_until(p->w.loop, is_over, p);
    assert_int_equal(p->w.opener.err, ERR_ABUSE);
    peer_free(p);
}

/* Padding is no body. */
static void test_padding_alone_costs_the_link(void **state)
{
    enum { DATA = 0, PADDED = 8 };
    struct peer *p = peer_new(H2_SERVER, &defaults);
    send_request(p, 1);
    for (int n = 0; n < 12000; n++)
        send_frame(p, DATA, PADDED, 1, SLICE("\3\0\0\0"));
    turns_until(p->w.loop, is_over, p);
    assert_int_equal(p->w.server.err, ERR_ABUSE);
    peer_free(p);
}

static bool is_up(void *user)
{
    const struct peer *p = user;
    return p->w.opener.up || p->w.server.up;
}

static bool has_room(void *user)
{
    return ((struct peer *)user)->w.opener.rooms > 0;
}

/* A limit that is raised when all streams are in use lets those that wait go on. */
static void test_raised_limit_is_told(void **state)
{
    struct peer *p = peer_new(H2_OPENER, &defaults);
    turns_until(p->w.loop, is_up, p);
    assert_int_equal(p->w.opener.rooms, 0);
    send_frame(p, FRAME_SETTINGS, 0, 0, SLICE("\0\3\0\0\0\5"));
    turns_until(p->w.loop, has_room, p);
    assert_int_equal(h2_session_peer_limit(p->w.opener.session), 5);
    peer_free(p);
}

/* A probe that any byte answered is over: the next one asks anew and has its own time. */
static void test_probe_after_an_answered_probe(void **state)
{
    struct h2_options o = defaults;
    o.ping_timeout_ms = 300;
    struct peer *p = peer_new(H2_OPENER, &o);
    turns_until(p->w.loop, is_up, p); /* the first PING is out, its answer never comes */
    send_frame(p, FRAME_WINDOW_UPDATE, 0, 0, SLICE("\0\0\x10\0"));
    settle(&p->w);
    uint64_t before = loop_now_us(p->w.loop);
    h2_session_probe(p->w.opener.session, 600);
    turns_until(p->w.loop, is_over, p);
    assert_int_equal(p->w.opener.err, ERR_TIMEOUT);
    assert_in_range(loop_now_us(p->w.loop) - before, 500000, 1500000);
    peer_free(p);
}

enum { PING_BYTES = 9 + 8, FIRSTS = 8 };

static bool has_measured(void *user)
{
    const struct peer *p = user;
    return p->heard >= p->known + (FIRSTS - 1) * PING_BYTES;
}

/* F88: on a long line 8 PINGs leave soon, although none is answered; on a short one a single one.
 */
static void test_a_long_line_is_measured_at_once(void **state)
{
    struct h2_options o = defaults;
    struct peer *near = peer_new(H2_SERVER, &o);
    turns_until(near->w.loop, is_up, near);
    settle(&near->w);
    o.rtt_us = 64000;
    struct peer *far = peer_new(H2_SERVER, &o);
    far->known = near->heard;
    turns_until(far->w.loop, has_measured, far);
    settle(&far->w);
    assert_int_equal(far->heard - far->known, (FIRSTS - 1) * PING_BYTES);
    peer_free(near);
    peer_free(far);
}

static bool speaks(void *user)
{
    const struct peer *p = user;
    return p->heard > p->known;
}

/* Never before the time is over; the opener first, so that the other end does not ask as well. */
static void test_silence_is_asked_about_in_turn(void **state)
{
    static const struct {
        enum h2_role role;
        uint64_t least_us;
    } rows[] = {{H2_OPENER, 320000}, {H2_SERVER, 340000}};
    struct h2_options o = defaults;
    o.keepalive_ms = 320;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer *p = peer_new(rows[i].role, &o);
        turns_until(p->w.loop, is_up, p); /* the first PING is out */
        settle(&p->w);
        uint64_t before = loop_now_us(p->w.loop);
        send_frame(p, FRAME_WINDOW_UPDATE, 0, 0, SLICE("\0\0\x10\0"));
        settle(&p->w);
        p->known = p->heard;
        turns_until(p->w.loop, speaks, p);
        assert_true(loop_now_us(p->w.loop) - before >= rows[i].least_us);
        assert_int_equal(p->heard - p->known, 9 + 8); /* a PING */
        peer_free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nuisance_costs_the_link),
        cmocka_unit_test(test_resets_that_we_were_made_to_send_cost_the_link),
        cmocka_unit_test(test_frames_of_a_stream_that_is_over),
        cmocka_unit_test(test_credit_for_small_data_is_no_nuisance),
        cmocka_unit_test(test_padding_alone_costs_the_link),
        cmocka_unit_test(test_raised_limit_is_told),
        cmocka_unit_test(test_probe_after_an_answered_probe),
        cmocka_unit_test(test_a_long_line_is_measured_at_once),
        cmocka_unit_test(test_silence_is_asked_about_in_turn),
    };
    return cmocka_run_group_tests_name("session, peer", tests, NULL, NULL);
}
