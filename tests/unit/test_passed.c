/* SPDX-License-Identifier: MIT */
/* test_passed.c - tests the listening sockets that a supervisor passes: which are taken, and what
 * the workers get of them. */
#include "turns.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/edge/binding.h"
#include "src/edge/passed.h"

enum { FIRST = 3, WORKERS = 3 };

/* Makes a socket at a loopback address, which is descriptor @fd. Writes "127.0.0.1:PORT" to @text.
 */
static void bind_at(int fd, bool listens, char text[static 32])
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int made = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(made, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_true(!listens || listen(made, 1) == 0);
    assert_int_equal(getsockname(made, (struct sockaddr *)&addr, &len), 0);
    snprintf(text, 32, "127.0.0.1:%u", (unsigned)ntohs(addr.sin_port));
    if (made != fd) {
        assert_int_equal(dup2(made, fd), fd);
        close(made);
    }
}

/* Says that this process, or another one, was started with @count descriptors. */
static void announce(bool ours, const char *count)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", ours ? (int)getpid() : 1);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", count, 1);
    setenv("LISTEN_FDNAMES", "a", 1);
}

static struct listen_address address(const char *text)
{
    struct listen_addresses parsed;
    assert_int_equal(listen_address_parse(text, &parsed), 0);
    return parsed.v[0];
}

/* O232: a socket is taken by its address alone, once, and children get neither it nor its name. */
static void test_by_address(void **state)
{
    char one[32], other[32], rest[PASSED_TEXT_MAX];
    struct passed p;
    bind_at(FIRST, true, one);
    bind_at(FIRST + 1, true, other);
    announce(true, "2");
    passed_open(&p);
    assert_null(getenv("LISTEN_PID"));
    assert_null(getenv("LISTEN_FDS"));
    assert_null(getenv("LISTEN_FDNAMES"));
    struct listen_address at = address(other), any = address("0.0.0.0:1"), six = address("[::1]:1");
    assert_int_equal(passed_take(&p, &at), FIRST + 1);
    assert_int_equal(passed_take(&p, &at), -1);
    assert_int_equal(passed_take(&p, &any), -1);
    assert_int_equal(passed_take(&p, &six), -1);
    assert_true(fcntl(FIRST + 1, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(FIRST + 1, F_GETFL) & O_NONBLOCK);
    assert_true(passed_rest(&p, rest));
    assert_string_equal(rest, one);
    passed_close(&p);
    assert_int_equal(fcntl(FIRST, F_GETFD), -1);
    close(FIRST + 1);
}

/* O232: what is for another process, or no number, counts as nothing. */
static void test_not_for_us(void **state)
{
    static const struct {
        bool ours;
        const char *count;
    } rows[] = {{false, "1"}, {true, "x"}, {true, "-1"}, {true, ""}, {true, "99999999999"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[PASSED_TEXT_MAX];
        struct passed p;
        announce(rows[i].ours, rows[i].count);
        passed_open(&p);
        assert_false(passed_rest(&p, text));
        passed_close(&p);
    }
}

/* O232: a socket that does not listen is nobody's, and is named by its descriptor. */
static void test_a_socket_that_does_not_listen(void **state)
{
    char at[32], text[PASSED_TEXT_MAX];
    struct passed p;
    bind_at(FIRST, false, at);
    announce(true, "1");
    passed_open(&p);
    struct listen_address a = address(at);
    assert_int_equal(passed_take(&p, &a), -1);
    assert_true(passed_rest(&p, text));
    assert_string_equal(text, "descriptor 3");
    passed_close(&p);
}

/* O232: all workers share the socket, which is bound no second time. */
static void test_workers_share_it(void **state)
{
    char at[32], reason[BINDING_REASON_MAX], text[PASSED_TEXT_MAX];
    struct opt_list none = {0};
    struct binding b;
    struct passed p;
    bind_at(FIRST, true, at);
    announce(true, "1");
    passed_open(&p);
    assert_int_equal(binding_open(&b, at, &none, WORKERS, &p, reason), 0);
    assert_true(b.passed && b.n == 1 && b.count == WORKERS);
    assert_int_equal(b.fds[0], FIRST);
    assert_false(passed_rest(&p, text));
    binding_close(&b);
    passed_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_address),
        cmocka_unit_test(test_not_for_us),
        cmocka_unit_test(test_a_socket_that_does_not_listen),
        cmocka_unit_test(test_workers_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
