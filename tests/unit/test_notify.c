/* SPDX-License-Identifier: MIT */
/* test_notify.c - tests the messages to a supervisor: which sockets, which watchdog, and the rounds
 * of the watchdog through all workers. */
#include "turns.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "h2mux/base/notify.h"
#include "src/crew.h"
#include "src/watchdog.h"
#include "src/worker/mailbox.h"
#include "src/worker/worker.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

/* Listens on an abstract socket, and writes its name to @name as NOTIFY_SOCKET has it. */
static int listen_as_supervisor(char name[static 64])
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    snprintf(name, 64, "@oneport-test-notify-%d", (int)getpid());
    size_t len = strlen(name);
    memcpy(at.sun_path, name, len);
    at.sun_path[0] = '\0';
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, size), 0);
    return fd;
}

/* Takes the next message from the socket; an empty text if there is none. */
static const char *heard(int fd)
{
    static char text[64];
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* O140: a message is one datagram to the socket of the environment, which children do not get. */
static void test_messages(void **state)
{
    char name[64];
    struct notify n;
    int fd = listen_as_supervisor(name);
    setenv("NOTIFY_SOCKET", name, 1);
    notify_open(&n);
    assert_null(getenv("NOTIFY_SOCKET"));
    notify_tell(&n, "READY=1");
    assert_string_equal(heard(fd), "READY=1");
    notify_tell(&n, "STOPPING=1");
    assert_string_equal(heard(fd), "STOPPING=1");
    notify_close(&n);
    notify_tell(&n, "READY=1");
    assert_string_equal(heard(fd), "");
    close(fd);
}

static void test_no_supervisor(void **state)
{
    static const char *const rows[] = {
        "O140 none",
        "relative/path",
        "",
        "@",
        "/nonexistent/socket",
        "vsock:2:1234",
        ("/a-name-that-is-longer-than-the-kernel-has-room-for-in-the-address-of-a-unix-socket/"
         "and-then-some-more-of-it"),
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct notify n;
        unsetenv("NOTIFY_SOCKET");
        if (i > 0)
            setenv("NOTIFY_SOCKET", rows[i], 1);
        setenv("WATCHDOG_USEC", "1000000", 1);
        notify_open(&n);
        if (n.fd != -1 || n.watchdog_ms != 0)
            fail_msg("%s", rows[i]);
        notify_tell(&n, "READY=1");
        notify_close(&n);
    }
}

static void test_watchdog_time(void **state)
{
    static const struct {
        const char *name, *usec, *pid;
        uint64_t want_ms;
    } rows[] = {
        {"O141 none is asked for", NULL, NULL, 0},
        {"in milliseconds", "30000000", NULL, 30000},
        {"of another process", "30000000", "1", 0},
        {"of this process", "30000000", "self", 30000},
        {"no number", "30s", NULL, 0},
        {"less than nothing", "-1", NULL, 0},
    };
    char name[64], self[16];
    int fd = listen_as_supervisor(name);
    snprintf(self, sizeof self, "%d", (int)getpid());
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct notify n;
        const char *pid = rows[i].pid && strcmp(rows[i].pid, "self") == 0 ? self : rows[i].pid;
        setenv("NOTIFY_SOCKET", name, 1);
        if (rows[i].usec)
            setenv("WATCHDOG_USEC", rows[i].usec, 1);
        if (pid)
            setenv("WATCHDOG_PID", pid, 1);
        notify_open(&n);
        if (n.watchdog_ms != rows[i].want_ms)
            fail_msg("%s", rows[i].name);
        notify_close(&n);
    }
    close(fd);
}

struct round {
    int fd;
    struct timer timer;
    int looks;
};

static bool has_heard(void *user)
{
    struct round *r = user;
    return strcmp(heard(r->fd), "WATCHDOG=1") == 0;
}

static bool has_looked(void *user)
{
    struct round *r = user;
    assert_string_equal(heard(r->fd), "");
    return r->looks > 2;
}

static void look(void *user)
{
    struct round *r = user;
    r->looks++;
    timer_arm(&r->timer, 20);
}

/* O141: the message waits for a worker that does not read its mail, and goes on when it does. */
static void test_a_round_needs_each_worker(void **state)
{
    static struct config config = {.workers = 2, .limits = {.memory = 1 << 20}};
    struct server s = {.config = &config, .running = 2};
    char name[64];
    struct round r = {.fd = listen_as_supervisor(name)};
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "40000", 1);
    budget_init(&s.budget, config.limits.memory);
    assert_int_equal(crew_open(&s), 0);
    struct watchdog *d = watchdog_new(&s);
    struct loop *loop = s.workers[0]->loop;
    timer_init(&r.timer, loop, look, &r);
    timer_arm(&r.timer, 20);
    turns_until(loop, has_looked, &r); /* worker 1 has the letter and does not run */
    assert_true(mailbox_deliver(s.workers[1]->mailbox));
    turns_until(loop, has_heard, &r);
    timer_stop(&r.timer);
    crew_settle(&s);
    watchdog_free(d);
    crew_close(&s);
    close(r.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_no_supervisor),
        cmocka_unit_test(test_watchdog_time),
        cmocka_unit_test(test_a_round_needs_each_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
