/* SPDX-License-Identifier: MIT */
/* test_client_dial.c - the order of addresses, and real dials on loopback: first wins, failures,
 * deadline. RFC 8305. */
#include "h2mux/io/dial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include "h2mux/base/kernel.h"

static void test_order(void **state)
{
    static const struct {
        const char *in, *want; /* a digit is IPv6, a letter IPv4 */
    } rows[] = {
        {"", ""},       {"1", "1"},       {"a", "a"},     {"12ab", "1a2b"},
        {"ab1", "a1b"}, {"123a", "1a23"}, {"abc", "abc"}, {"1a2b3c4d", "1a2b3c"},
    };
    struct addrinfo list[8];
    const struct addrinfo *out[6];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = strlen(rows[i].in), max = 6;
        for (size_t k = 0; k < n; k++)
            list[k] = (struct addrinfo){
                .ai_family = rows[i].in[k] < 'a' ? AF_INET6 : AF_INET,
                .ai_next = k + 1 < n ? &list[k + 1] : NULL,
            };
        size_t got = dial_order(n ? list : NULL, out, max);
        assert_int_equal(got, strlen(rows[i].want));
        for (size_t k = 0; k < got; k++)
            assert_int_equal(rows[i].in[out[k] - list], rows[i].want[k]);
    }
}

/* What a dial came to. */
struct outcome {
    struct loop *loop;
    bool done;
    struct sock *sock;
    enum dial_step step;
    int err;
};

static void on_done(void *user, struct sock *sock)
{
    struct outcome *o = user;
    o->done = true;
    o->sock = sock;
    loop_stop(o->loop);
}

static void on_failed(void *user, enum dial_step step, int err, const char *reason)
{
    struct outcome *o = user;
    o->done = true;
    o->step = step;
    o->err = err;
    assert_non_null(reason);
    loop_stop(o->loop);
}

static const struct dial_ops ops = {.on_done = on_done, .on_failed = on_failed};

static struct outcome dial(const struct dial_target *target, uint64_t timeout_ms)
{
    struct outcome o = {.loop = loop_new()};
    struct resolver *r = resolver_new(o.loop);
    assert_non_null(r);
    struct dial *d = dial_start(o.loop, r, target, timeout_ms, &ops, &o);
    assert_non_null(d);
    assert_false(o.done); /* never inside the call */
    loop_run(o.loop);
    sock_close(o.sock);
    resolver_free(r);
    loop_free(o.loop);
    return o;
}

static int listen_on(uint16_t *port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

static void test_first_that_connects_wins(void **state)
{
    struct dial_target target = {
        .host = "localhost"}; /* ::1 first on many systems, where nobody listens */
    int fd = listen_on(&target.port);
    struct outcome o = dial(&target, 5000);
    assert_non_null(o.sock);
    close(fd);
}

/* D31: in vain does the resolver look for it: none is there. */
static void test_localhost_needs_no_resolver(void **state)
{
    static const char *const names[] = {"localhost", "localhost.", "LocalHost", "a.b.localhost",
                                        "app.LOCALHOST."};
    struct dial_target target = {.port = 0};
    int fd = listen_on(&target.port);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct outcome o = {.loop = loop_new()};
        target.host = names[i];
        struct dial *d = dial_start(o.loop, NULL, &target, 5000, &ops, &o);
        assert_non_null(d);
        loop_run(o.loop);
        assert_non_null(o.sock);
        sock_close(o.sock);
        loop_free(o.loop);
    }
    close(fd);
}

static void test_literal_needs_no_thread(void **state)
{
    struct dial_target target = {.host = "127.0.0.1"};
    int fd = listen_on(&target.port);
    struct outcome o = dial(&target, 5000);
    assert_non_null(o.sock);
    close(fd);
}

/* D10 */
static void test_refused(void **state)
{
    struct dial_target target = {.host = "127.0.0.1"};
    close(listen_on(&target.port));
    struct outcome o = dial(&target, 5000);

    assert_null(o.sock);
    assert_int_equal(o.step, DIAL_TCP);
    assert_int_equal(o.err, ERR_REFUSED);
}

/* D10 */
static void test_unknown_name(void **state)
{
    struct dial_target target = {.host = "nobody.invalid", .port = 80};
    struct outcome o = dial(&target, 5000);
    assert_int_equal(o.step, DIAL_DNS);
    assert_true(o.err == ERR_DNS || o.err == ERR_TIMEOUT);
}

/* D10: a TLS peer that never speaks. */
static void test_deadline_names_the_step(void **state)
{
    char reason[TLS_REASON_MAX];
    struct tls_client_options options = {.insecure = true};
    struct tls *tls = tls_client_new(&options, reason);
    struct dial_target target = {.host = "127.0.0.1", .tls = tls};
    int fd = listen_on(&target.port);
    struct outcome o = dial(&target, 50);
    assert_int_equal(o.step, DIAL_TLS);
    assert_int_equal(o.err, ERR_TIMEOUT);
    close(fd);
    tls_free(tls);
}

static void test_unix(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "/tmp/test_client_dial.%d", (int)getpid());
    struct dial_target target = {.host = "localhost", .unix_path = a.sun_path};
    struct outcome o = dial(&target, 5000);
    assert_int_equal(o.err, ERR_REFUSED); /* no such file */
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 1), 0);
    o = dial(&target, 5000);
    assert_non_null(o.sock);
    unlink(a.sun_path);
    close(fd);
}

/* D30: what errno says of a connection that was not made. */
static void test_what_errno_says(void **state)
{
    static const struct {
        int why, tcp, local;
    } rows[] = {
        {ECONNREFUSED, ERR_REFUSED, ERR_REFUSED},
        {ECONNRESET, ERR_REFUSED, ERR_REFUSED},
        {ENOENT, ERR_REFUSED, ERR_REFUSED},
        {ETIMEDOUT, ERR_TIMEOUT, ERR_REFUSED},
        {EMFILE, ERR_SHORT, ERR_SHORT},
        {ENFILE, ERR_SHORT, ERR_SHORT},
        {ENOBUFS, ERR_SHORT, ERR_SHORT},
        {ENOMEM, ERR_SHORT, ERR_SHORT},
        {EAGAIN, ERR_SHORT, ERR_SHORT},
        {EADDRNOTAVAIL, ERR_SHORT, ERR_SHORT},
        {EHOSTUNREACH, ERR_UNREACHABLE, ERR_REFUSED},
        {ENETUNREACH, ERR_UNREACHABLE, ERR_REFUSED},
        {ENETDOWN, ERR_UNREACHABLE, ERR_REFUSED},
        {EHOSTDOWN, ERR_UNREACHABLE, ERR_REFUSED},
        {EAFNOSUPPORT, ERR_UNREACHABLE, ERR_REFUSED},
        {EACCES, ERR_DENIED, ERR_REFUSED},
        {EPERM, ERR_DENIED, ERR_REFUSED},
    };
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    a.sin_port = htons(9);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int tcp = sock_connect_err((struct sockaddr *)&a, sizeof a, rows[i].why);
        int local = sock_connect_err((struct sockaddr *)&u, sizeof u, rows[i].why);
        if (tcp != rows[i].tcp || local != rows[i].local)
            fail_msg("%s: %s, %s", strerror(rows[i].why), err_text(tcp), err_text(local));
    }
}

/* D30: a failure that says little is told where there is no other. */
static void test_no_way(void **state)
{
    struct dial_target target = {.host = "fe80::1", .port = 9}; /* of no interface */
    struct outcome o = dial(&target, 5000);
    assert_null(o.sock);
    assert_int_equal(o.step, DIAL_TCP);
    assert_int_equal(o.err, ERR_UNREACHABLE);
}

/* F25: a dial that would take one of the last descriptors is not made. */
static void test_leaves_descriptors(void **state)
{
    struct dial_target target = {.host = "127.0.0.1", .below = 4};
    int fd = listen_on(&target.port);
    struct outcome o = dial(&target, 5000);
    assert_null(o.sock);
    assert_int_equal(o.step, DIAL_TCP);
    assert_int_equal(o.err, ERR_SHORT);
    target.below = 1000;
    o = dial(&target, 5000);
    assert_non_null(o.sock);
    close(fd);
}

/* F25: a lookup without descriptors does not say that there is no such name. */
static void test_lookup_without_descriptors(void **state)
{
    struct dial_target target = {.host = "nobody.invalid", .port = 80};
    struct outcome o = {.loop = loop_new()};
    struct resolver *r = resolver_new(o.loop);
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct dial *d = dial_start(o.loop, r, &target, 5000, &ops, &o);
    assert_non_null(d);
    loop_run(o.loop);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(o.err, ERR_SHORT);
    resolver_free(r);
    loop_free(o.loop);
}

static void test_cancel_at_once(void **state)
{
    struct loop *l = loop_new();
    struct resolver *r = resolver_new(l);
    struct dial_target target = {.host = "localhost", .port = 1};
    struct dial *d = dial_start(l, r, &target, 5000, &ops, NULL);
    dial_cancel(d);
    dial_cancel(NULL);
    resolver_free(r);
    loop_free(l);
}

/* The thread may be inside getaddrinfo when its resolver goes. */
static void never(void *user, const struct addrinfo *list, int err, const char *reason)
{
    fail();
}

static void test_resolver_goes_first(void **state)
{
    for (int i = 0; i < 50; i++) {
        struct loop *l = loop_new();
        struct resolver *r = resolver_new(l);
        struct resolver_query *a = resolver_ask(r, "localhost", 1, never, NULL);
        struct resolver_query *b = resolver_ask(r, "localhost", 2, never, NULL);
        resolver_cancel(b);
        resolver_cancel(a);
        resolver_free(r);
        loop_free(l);
    }
}

static bool allows_none(const void *rule, const struct sockaddr *a)
{
    assert_string_equal(rule, "rule");
    return false;
}

/* O41: each address of a host is judged when it is dialled, a literal one and one of a name. */
static void test_denied(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "::1"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct dial_target target = {
            .host = hosts[i], .port = 1, .allows = allows_none, .rule = "rule", .denied = "is not"};
        struct outcome o = dial(&target, 5000);
        assert_int_equal(o.err, ERR_DENIED);
        assert_null(o.sock);
    }
}

static void run_stop(void *user)
{
    loop_stop(user);
}

/* Many dials at once begin over many turns, so that the loop hears of other things meanwhile. */
static void test_a_crowd_takes_turns(void **state)
{
    enum { CROWD = 400 };
    struct loop *l = loop_new();
    struct outcome o = {.loop = l};
    struct dial_target target = {.host = "127.0.0.1"};
    struct dial *crowd[CROWD];
    struct task stop;
    int fd = listen_on(&target.port);
    size_t before = kernel_open_descriptors();
    for (size_t i = 0; i < CROWD; i++)
        crowd[i] = dial_start(l, NULL, &target, 5000, &ops, &o);
    task_init(&stop, run_stop, l);
    loop_defer(l, &stop);
    loop_run(l);
    assert_in_range(kernel_open_descriptors() - before, 1, CROWD - 1);
    for (size_t i = 0; i < CROWD; i++)
        dial_cancel(crowd[i]);
    loop_free(l);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_first_that_connects_wins),
        cmocka_unit_test(test_localhost_needs_no_resolver),
        cmocka_unit_test(test_literal_needs_no_thread),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unknown_name),
        cmocka_unit_test(test_denied),
        cmocka_unit_test(test_deadline_names_the_step),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_what_errno_says),
        cmocka_unit_test(test_no_way),
        cmocka_unit_test(test_leaves_descriptors),
        cmocka_unit_test(test_lookup_without_descriptors),
        cmocka_unit_test(test_cancel_at_once),
        cmocka_unit_test(test_resolver_goes_first),
        cmocka_unit_test(test_a_crowd_takes_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
