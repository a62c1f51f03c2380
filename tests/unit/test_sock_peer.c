/* SPDX-License-Identifier: MIT */
/* test_sock_peer.c - when a sock looks after its peer, and that a peer that lives is left alone. */
#include "h2mux/io/sock_int.h"

#include "wire.h"

#include <errno.h>
#include <netinet/tcp.h>

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

/* F26: nothing kills a reader that lives. */
static void test_keepalive(void **state)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    sock_keep_alive(fd);
    assert_int_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), 5);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    close(fd);
}

/* F26: a kernel that gave up tells it. */
static void test_errno(void **state)
{
    assert_int_equal(sock_errno(ETIMEDOUT), ERR_GONE);
    assert_int_equal(sock_errno(EHOSTUNREACH), ERR_GONE);
    assert_int_equal(sock_errno(ECONNRESET), ERR_RESET);
}

static bool rests(void *user)
{
    struct wire *w = user;
    return !wheel_timer_armed(&w->a.sock->watch.timer);
}

/* F26: an idle connection costs no timer. One look follows a write. */
static void test_rests_when_idle(void **state)
{
    struct wire *w = wire_open(WIRE_TCP);
    sock_watch_peer(w->a.sock, 60);
    assert_true(rests(w));
    sock_write(w->a.sock, SLICE("hello"));
    w->want = 5;
    wire_until(w, wire_b_got);
    assert_false(rests(w));
    wire_until(w, rests);
    sock_write(w->a.sock, SLICE("again"));
    w->want = 10;
    wire_until(w, wire_b_got);
    assert_false(rests(w));
    sock_watch_peer(w->a.sock, 0);
    assert_true(rests(w));
    assert_int_equal(w->a.errors, 0);
    wire_close(w);
}

struct stall {
    struct wire *w;
    uint64_t until_us;
};

static bool stalled_long(void *user)
{
    struct stall *s = user;
    return loop_now_us(s->w->loop) >= s->until_us;
}

/* F27: twenty timeouts without a byte read, and nothing is lost. */
static void test_reads_nothing(void **state)
{
    enum { BYTES = 16 << 20 };
    struct wire *w = wire_open(WIRE_TCP);
    struct slice all = {xcalloc(1, BYTES), BYTES};
    w->b.lazy = true;
    sock_watch_peer(w->a.sock, 100);
    sock_write(w->a.sock, all);
    struct stall s = {w, loop_now_us(w->loop) + 2000 * 1000};
    turns_until(w->loop, stalled_long, &s);
    assert_int_equal(w->a.errors, 0);
    assert_false(rests(w));
    w->b.lazy = false;
    sock_resume(w->b.sock);
    w->want = BYTES;
    wire_until(w, wire_b_got);
    assert_int_equal(w->a.errors, 0);
    free((void *)(uintptr_t)all.ptr);
    wire_close(w);
}

/* F26: sockets in memory have no kernel that could tell. */
static void test_memory(void **state)
{
    struct wire *w = wire_open(WIRE_MEMORY);
    sock_watch_peer(w->a.sock, 60);
    sock_write(w->a.sock, SLICE("hello"));
    w->want = 5;
    wire_until(w, wire_b_got);
    assert_true(rests(w));
    wire_close(w);
}

/* F26: the timer moves to another loop, and is armed there: bytes may be under way. */
static void test_moves(void **state)
{
    struct wire *w = wire_open(WIRE_TCP);
    sock_watch_peer(w->a.sock, 60);
    sock_write(w->a.sock, SLICE("hello"));
    w->want = 5;
    wire_until(w, wire_b_got);
    sock_leave(w->a.sock);
    assert_true(rests(w));
    sock_enter(w->a.sock, w->loop);
    wire_take(&w->a, w->a.sock);
    assert_false(rests(w));
    wire_until(w, rests);
    wire_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keepalive),       cmocka_unit_test(test_errno),
        cmocka_unit_test(test_rests_when_idle), cmocka_unit_test(test_reads_nothing),
        cmocka_unit_test(test_memory),          cmocka_unit_test(test_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
