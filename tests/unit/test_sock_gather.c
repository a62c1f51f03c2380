/* SPDX-License-Identifier: MIT */
/* test_sock_gather.c - writing out of the loop's scratch: in order, in one go at turn's end, and
 * nothing lost whoever comes between. A peer of packets shows each call of the kernel by itself.
 * sock_gather.c, gather.h. */
#include "wire.h"

#include <poll.h>

#include "h2mux/io/sock_int.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

enum { LENT = 512, SHORT = 3, LONG = 128, OVER = 300, KEPT_MAX = 1 << 22 };

enum kind { PACKETS, STREAM, TCP };

struct end {
    struct sock *sock; /* owned until the test clears it */
    int peer;          /* likewise; -1 */
    int sent;
    struct buf got;
};

struct world {
    struct loop *loop;
    struct end a, b;
    char *scratch; /* of the loop, as it was borrowed last */
    size_t at;     /* bytes written so far, to either */
};

static void on_sent(void *user)
{
    ((struct end *)user)->sent++;
}

static const struct sock_ops ops = {.on_sent = on_sent};

static void end_open(struct end *e, struct loop *l, enum kind kind)
{
    int fds[2], small = 1;
    if (kind == TCP)
        wire_tcp_pair(fds);
    else
        assert_int_equal(
            socketpair(AF_UNIX, kind == PACKETS ? SOCK_SEQPACKET : SOCK_STREAM, 0, fds), 0);
    if (kind != PACKETS)
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    e->sock = wire_sock(l, fds[0]);
    e->peer = fds[1];
    buf_init(&e->got, KEPT_MAX);
    sock_set_ops(e->sock, &ops, e);
}

static void end_close(struct end *e)
{
    sock_close(e->sock);
    if (e->peer >= 0)
        close(e->peer);
    buf_release(&e->got);
}

static void turn(struct world *w)
{
    turns_until(w->loop, wire_always, w);
}

/* Everything lent before is settled; what the scratch has now goes on where the last byte written
 * was. */
static void borrow(struct world *w)
{
    w->scratch = loop_scratch(w->loop);
    for (size_t i = 0; i < LOOP_SCRATCH; i++)
        w->scratch[i] = wire_byte(w->at + i);
}

static struct world *open_world(enum kind kind)
{
    struct world *w = xcalloc(1, sizeof *w);
    w->loop = loop_new();
    end_open(&w->a, w->loop, kind);
    end_open(&w->b, w->loop, kind);
    turn(w);
    borrow(w);
    return w;
}

static void close_world(struct world *w)
{
    end_close(&w->a);
    end_close(&w->b);
    loop_free(w->loop);
    free(w);
}

/* The next bytes, out of the scratch as they are there. */
static void lend(struct world *w, struct end *e, size_t from, size_t len)
{
    sock_write(e->sock, slice_make(w->scratch + from, len));
    w->at += len;
}

/* Likewise, from memory that is nobody's afterwards. */
static void write_own(struct world *w, struct end *e, size_t from, size_t len)
{
    char text[OVER];
    memcpy(text, w->scratch + from, len);
    sock_write(e->sock, slice_make(text, len));
    memset(text, '?', sizeof text);
    w->at += len;
}

/* What one read of the peer gives: -1 for nothing, 0 for the end. */
static ssize_t receive(struct end *e)
{
    char chunk[LOOP_SCRATCH];
    ssize_t n = recv(e->peer, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n > 0)
        assert_int_equal(buf_append(&e->got, slice_make(chunk, (size_t)n)), 0);
    return n;
}

/* Likewise, where a kernel may need a moment. */
static ssize_t hear(struct end *e)
{
    struct pollfd p = {.fd = e->peer, .events = POLLIN};
    poll(&p, 1, TURNS_DEADLINE_MS);
    return receive(e);
}

/* ---- in one go */

enum { PACKETS_MAX = 3 };

static const struct {
    const char *name;
    const char *parts; /* l: lent, s: short text, L: long text, O: one that is too long */
    int times;
    ssize_t packets[PACKETS_MAX];
} goes[] = {
    {"one", "l", 1, {LENT}},
    {"several", "lll", 1, {3 * LENT}},
    {"texts between", "lslsl", 1, {3 * LENT + 2 * SHORT}},
    {"a chunk", "sls", 1, {LENT + 2 * SHORT}},
    {"chunks", "sls", 5, {5 * (LENT + 2 * SHORT)}},
    {"texts alone", "ss", 1, {2 * SHORT}},
    {"as many as there are places", "l", GATHER_SLICES, {GATHER_SLICES * LENT}},
    {"one more", "l", GATHER_SLICES + 1, {GATHER_SLICES * LENT, LENT}},
    {"two more", "l", GATHER_SLICES + 2, {GATHER_SLICES * LENT, 2 * LENT}},
    {"twice as many and one",
     "l",
     2 * GATHER_SLICES + 1,
     {GATHER_SLICES * LENT, (GATHER_SLICES + 1) * LENT}},
    {"places for texts too",
     "ls",
     GATHER_SLICES / 2 + 1,
     {GATHER_SLICES / 2 * (LENT + SHORT), LENT + SHORT}},
    {"all the room for texts", "lL", 2, {2 * (LENT + LONG)}},
    {"more than it", "lL", 3, {3 * LENT + 2 * LONG, LONG}},
    {"a text beyond it", "lOl", 1, {LENT, OVER + LENT}},
    {"only a text beyond it", "O", 1, {OVER}},
};

static void write_parts(struct world *w, const char *parts, int times)
{
    for (int i = 0; i < times; i++)
        for (const char *p = parts; *p != '\0'; p++)
            if (*p == 'l')
                lend(w, &w->a, w->at, LENT);
            else
                write_own(w, &w->a, w->at, *p == 's' ? SHORT : *p == 'L' ? LONG : OVER);
}

static void test_in_one_go(void **state)
{
    for (size_t i = 0; i < COUNT(goes); i++) {
        struct world *w = open_world(PACKETS);
        write_parts(w, goes[i].parts, goes[i].times);
        size_t early = 0;
        for (int k = 0; k + 1 < PACKETS_MAX && goes[i].packets[k + 1] > 0; k++)
            early += (size_t)goes[i].packets[k];
        if (sock_queued(w->a.sock) != w->at - early)
            fail_msg("%s: %zu are queued", goes[i].name, sock_queued(w->a.sock));
        turn(w);
        for (int k = 0; k < PACKETS_MAX && goes[i].packets[k] > 0; k++) {
            ssize_t n = receive(&w->a);
            if (n != goes[i].packets[k])
                fail_msg("%s: packet %d has %zd", goes[i].name, k, n);
        }
        assert_int_equal(receive(&w->a), -1);
        wire_check_pattern(&w->a.got, w->at);
        assert_int_equal(sock_queued(w->a.sock), 0);
        assert_int_equal(sock_sent(w->a.sock), w->at);
        assert_int_equal(w->a.sent, 1);
        close_world(w);
    }
}

/* ---- who comes between */

/* A loop has one gather: whoever is next sends what the one before had. */
static void test_another_sock(void **state)
{
    struct world *w = open_world(PACKETS);
    for (int i = 0; i < 3; i++) {
        lend(w, &w->a, (size_t)i * LENT, LENT);
        if (i > 0)
            assert_int_equal(receive(&w->b), LENT);
        assert_int_equal(receive(&w->a), -1);
        lend(w, &w->b, (size_t)i * LENT, LENT);
        assert_int_equal(receive(&w->a), LENT);
        assert_int_equal(receive(&w->b), -1);
    }
    write_own(w, &w->a, 3 * LENT, SHORT); /* settles nothing */
    assert_int_equal(receive(&w->b), -1);
    turn(w);
    assert_int_equal(receive(&w->b), LENT);
    assert_int_equal(receive(&w->a), SHORT);
    wire_check_pattern(&w->a.got, 3 * LENT + SHORT);
    wire_check_pattern(&w->b.got, 3 * LENT);
    assert_int_equal(w->a.sent, 1);
    assert_int_equal(w->b.sent, 1);
    close_world(w);
}

/* Whoever reads into the scratch next finds it free. */
static void test_next_reader(void **state)
{
    struct world *w = open_world(PACKETS);
    lend(w, &w->a, 0, LENT);
    write_own(w, &w->a, LENT, SHORT);
    borrow(w);
    assert_int_equal(receive(&w->a), LENT + SHORT);
    lend(w, &w->a, 0, LENT);
    turn(w);
    assert_int_equal(receive(&w->a), LENT);
    wire_check_pattern(&w->a.got, w->at);
    assert_int_equal(w->a.sent, 1);
    close_world(w);
}

/* In memory there is no kernel to lend to: copied at once. */
static void test_pair(void **state)
{
    struct wire *w = wire_open(WIRE_MEMORY);
    char *scratch = loop_scratch(w->loop);
    memset(scratch, 'x', 4);
    sock_write(w->a.sock, slice_make(scratch, 4));
    memset(scratch, 'y', 4);
    assert_null(loop_gather(w->loop)->owner);
    assert_int_equal(sock_queued(w->a.sock), 4);
    w->want = 4;
    wire_until(w, wire_b_got);
    wire_check_text(&w->b.got, "xxxx");
    wire_close(w);
}

/* ---- a kernel that is full */

static const enum kind streams[] = {STREAM, TCP};

static bool b_has_all(void *user)
{
    struct world *w = user;
    while (receive(&w->a) > 0)
        continue;
    return buf_len(&w->a.got) == w->at;
}

/* Slices of odd sizes, each lot out of a scratch that is overwritten afterwards: the kernel takes a
 * part of one, then nothing. */
static void fill(struct world *w, int lots)
{
    for (int i = 0; i < lots; i++) {
        borrow(w);
        for (size_t from = 0, len = 1; from + len + SHORT <= LOOP_SCRATCH; len = len * 3 + 1) {
            lend(w, &w->a, from, len);
            write_own(w, &w->a, from + len, SHORT);
            from += len + SHORT;
        }
        if (i % 3 == 2)
            turn(w);
    }
}

static void test_full_kernel(void **state)
{
    for (size_t i = 0; i < COUNT(streams); i++) {
        struct world *w = open_world(streams[i]);
        while (sock_queued(w->a.sock) == 0 || w->at < 1 << 20)
            fill(w, 1);
        turn(w);
        assert_in_range(sock_queued(w->a.sock), 1, w->at - 1);
        assert_int_equal(sock_queued(w->a.sock) + sock_sent(w->a.sock), w->at);
        assert_false(sock_tx_is_ready(w->a.sock));
        turns_until(w->loop, b_has_all, w);
        wire_check_pattern(&w->a.got, w->at);
        assert_int_equal(sock_queued(w->a.sock), 0);
        fill(w, 10); /* and on, as if nothing had been */
        turns_until(w->loop, b_has_all, w);
        wire_check_pattern(&w->a.got, w->at);
        close_world(w);
    }
}

/* ---- ends with something gathered */

enum ending { CLOSE, ABORT, SHUTDOWN, FINISH };

/* At once, with what was gathered dropped; or behind it. Others may gather afterwards. */
static void test_endings(void **state)
{
    static const struct {
        const char *name;
        enum ending ending;
        bool heard;
    } rows[] = {
        {"close", CLOSE, false},
        {"abort", ABORT, false},
        {"shutdown", SHUTDOWN, true},
        {"finish", FINISH, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t k = 0; k < COUNT(streams); k++) {
            struct world *w = open_world(streams[k]);
            struct sock *s = w->a.sock;
            lend(w, &w->a, 0, LENT);
            w->a.sock = rows[i].ending == SHUTDOWN ? s : NULL;
            if (rows[i].ending == CLOSE)
                sock_close(s);
            else if (rows[i].ending == ABORT)
                sock_abort(s);
            else if (rows[i].ending == FINISH)
                sock_finish(s, 1000, SIZE_MAX);
            else
                sock_shutdown(s);
            if (rows[i].ending == CLOSE || rows[i].ending == ABORT)
                assert_null(loop_gather(w->loop)->owner);
            lend(w, &w->b, 0, LENT);
            turn(w);
            assert_int_equal(hear(&w->b), LENT);
            assert_int_equal(w->a.sent, rows[i].ending == SHUTDOWN);
            if (rows[i].heard)
                assert_int_equal(hear(&w->a), LENT);
            if (hear(&w->a) > 0 || buf_len(&w->a.got) != (rows[i].heard ? LENT : 0))
                fail_msg("%s: %zu octets", rows[i].name, buf_len(&w->a.got));
            close_world(w);
        }
}

/* What left cannot be taken back; what the kernel has no room for can. */
static void test_unsend(void **state)
{
    struct world *w = open_world(STREAM);
    lend(w, &w->a, 0, LENT);
    assert_false(sock_unsend(w->a.sock, 1));
    assert_true(sock_unsend(w->a.sock, 0));
    assert_int_equal(receive(&w->a), LENT);
    while (sock_queued(w->a.sock) < LENT)
        fill(w, 1);
    borrow(w);
    lend(w, &w->a, 0, LENT);
    assert_true(sock_unsend(w->a.sock, LENT));
    w->at -= LENT;
    turns_until(w->loop, b_has_all, w);
    wire_check_pattern(&w->a.got, w->at);
    close_world(w);
}

static struct loop *move_to_another(struct world *w)
{
    struct loop *old = w->loop;
    w->loop = loop_new();
    sock_leave(w->a.sock);
    assert_null(loop_gather(old)->owner);
    sock_enter(w->a.sock, w->loop);
    sock_set_ops(w->a.sock, &ops, &w->a);
    return old;
}

/* To another loop: its scratch is not this one's. What the kernel does not take goes along. */
static void test_leave(void **state)
{
    for (int full = 0; full < 2; full++) {
        struct world *w = open_world(STREAM);
        while (full && sock_queued(w->a.sock) == 0)
            fill(w, 1);
        borrow(w);
        lend(w, &w->a, 0, LENT);
        struct loop *old = move_to_another(w);
        memset(loop_scratch(old), '?', LOOP_SCRATCH);
        borrow(w);
        lend(w, &w->a, 0, LENT);
        turns_until(w->loop, b_has_all, w);
        wire_check_pattern(&w->a.got, w->at);
        sock_close(w->b.sock);
        w->b.sock = NULL;
        loop_free(old);
        close_world(w);
    }
}

/* A peer that is gone: what was gathered vanishes like what was queued, and its source is not held
 * up. */
static void test_gone_peer(void **state)
{
    for (int kind = PACKETS; kind <= STREAM; kind++)
        for (int by_reader = 0; by_reader < 2; by_reader++) {
            struct world *w = open_world((enum kind)kind);
            close(w->a.peer);
            w->a.peer = -1;
            lend(w, &w->a, 0, LENT);
            write_own(w, &w->a, LENT, SHORT);
            if (by_reader)
                borrow(w);
            else
                turn(w);
            assert_int_equal(sock_queued(w->a.sock), 0);
            assert_null(loop_gather(w->loop)->owner);
            turn(w);
            assert_int_equal(w->a.sent, 1);
            lend(w, &w->a, 0, LENT);
            assert_int_equal(sock_queued(w->a.sock), 0);
            turn(w);
            assert_int_equal(w->a.sent, 2);
            assert_int_equal(sock_read(w->a.sock, (char[1]){0}, 1), 0);
            close_world(w);
        }
}

/* Likewise where the last slice found no place, and so found the peer gone. */
static void test_gone_peer_when_full(void **state)
{
    struct world *w = open_world(STREAM);
    close(w->a.peer);
    w->a.peer = -1;
    for (size_t i = 0; i <= GATHER_SLICES; i++)
        lend(w, &w->a, i * LENT, LENT);
    assert_null(loop_gather(w->loop)->owner);
    assert_int_equal(sock_queued(w->a.sock), 0);
    turn(w);
    assert_int_equal(sock_queued(w->a.sock), 0);
    assert_int_equal(w->a.sent, 1);
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_one_go),   cmocka_unit_test(test_another_sock),
        cmocka_unit_test(test_next_reader), cmocka_unit_test(test_pair),
        cmocka_unit_test(test_full_kernel), cmocka_unit_test(test_endings),
        cmocka_unit_test(test_unsend),      cmocka_unit_test(test_leave),
        cmocka_unit_test(test_gone_peer),   cmocka_unit_test(test_gone_peer_when_full),
    };
    return cmocka_run_group_tests_name("sock_gather", tests, NULL, NULL);
}
