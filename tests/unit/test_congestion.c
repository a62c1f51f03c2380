/* SPDX-License-Identifier: MIT */
/* test_congestion.c - which names of a congestion control are taken, what happens to one that this
 * kernel does not have, and what the connection of a session has of its owner's choice. */
#include "h2mux/io/congestion.h"

#include "wire.h"

#include <netinet/tcp.h>
#include <stdio.h>

#include "h2mux/base/log.h"
#include "h2mux/h2/h2.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72 /* Linux 5.14 */
#endif

static const struct {
    const char *name;
    bool good;
} names[] = {
    {"cubic", true},
    {"tcp_bbr-2", true},
    {"fifteen-letters", true},
    {"", false},
    {"sixteen-letters-", false},
    {"cubic\n", false},
    {"../bbr", false},
    {"b b r", false},
};

static void test_names(void **state)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((congestion_check(names[i].name) == 0) != names[i].good)
            fail_msg("%s", names[i].name);
}

/* G26: a name that the kernel does not have is refused with one line, and none is asked for. */
static void test_refused(void **state)
{
    char path[] = "/tmp/test_congestion.XXXXXX", line[512] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(log_open(path, LOG_WARN, false), 0);
    assert_null(congestion_choose("never-heard-of"));
    assert_null(congestion_choose(NULL));
    assert_string_equal(congestion_choose("reno"), "reno");
    log_close();
    line[read(fd, line, sizeof line - 1)] = '\0';
    close(fd);
    unlink(path);
    const char *said = strstr(line, "congestion_refused congestion=never-heard-of "
                                    "reason=\"this kernel does not have it\" "
                                    "instead=\"the system's own\"\n");
    assert_non_null(said);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void text_of(int fd, char name[16])
{
    socklen_t len = 15;
    memset(name, 0, 16);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
}

static void on_closed(void *user, int err, const char *reason)
{
}

static void on_up(void *user)
{
}

static const struct h2_session_ops ops = {.on_up = on_up, .on_closed = on_closed};

/* G26, G27: the connection of a session has the congestion control of the owner's choice, or the
 * system's own, and the kernel sizes its buffers. */
static void test_session(void **state)
{
    struct loop *l = loop_new();
    int fds[2];
    char name[16], usual[16];
    wire_tcp_pair(fds);
    text_of(fds[0], usual);
    const struct h2_options options[] = {{.congestion = "reno"}, {.congestion = NULL}};
    struct h2_session *s[2];
    for (int i = 0; i < 2; i++) {
        s[i] = h2_session_new(l, wire_sock(l, fds[i]), H2_OPENER, &options[i], &ops, NULL);
        text_of(sock_fd(h2_session_sock(s[i])), name);
        assert_string_equal(name, i == 0 ? "reno" : usual);
        int locked = 0;
        socklen_t len = sizeof locked;
        if (getsockopt(fds[i], SOL_SOCKET, SO_BUF_LOCK, &locked, &len) == 0)
            assert_int_equal(locked, 0);
    }
    for (int i = 0; i < 2; i++)
        h2_session_close(s[i], H2_NO_ERROR);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
