/* SPDX-License-Identifier: MIT */
/* test_client_call.c - two calls to one server, of which the first leaves its connection to the
 * second (kept.h). A plain server of the test answers, by a script for each row.
 * http-rules.md#few-round-trips */
#include "client/server/call.h"

#include "turns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 3, TEXT_MAX = 1024, TIMEOUT_MS = 4000 };

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define SWITCHING "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n\r\n"

enum manner {
    GOES_ON,            /* answers each request */
    CLOSES,             /* right behind the first answer */
    CLOSES_LATER,       /* when the second request is there */
    RESETS_LATER,       /* likewise */
    ANSWERS_INTERIM,    /* a 103 to the second request, then closes */
    BREAKS_OFF,         /* the second answer in its head */
    ALWAYS_CLOSES_LATER /* on a fresh connection, too */
};

static const struct row {
    const char *name, *first; /* the answer to the first request */
    enum manner manner;
    size_t connections;
    bool fails;
} rows[] = {
    {"O80 goes on", OK, GOES_ON, 1, false},
    {"O80 chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
     GOES_ON, 1, false},
    {"O80 no body", "HTTP/1.1 204 No Content\r\n\r\n", GOES_ON, 1, false},
    {"O80 says close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
     GOES_ON, 2, false},
    {"O80 HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", GOES_ON, 2, false},
    {"O80 closes", OK, CLOSES, 2, false},
    {"O80 closes when it is asked", OK, CLOSES_LATER, 2, false},
    {"O80 resets when it is asked", OK, RESETS_LATER, 2, false},
    {"O80 a 103 is no answer", OK, ANSWERS_INTERIM, 2, false},
    {"O80 half an answer is one", OK, BREAKS_OFF, 1, true},
    {"O80 dials once", OK, ALWAYS_CLOSES_LATER, 2, true},
    {"O81 says the next answer", OK SWITCHING, GOES_ON, 2, false},
    {"O81 says something", OK "x", GOES_ON, 2, false},
    {"O81 says an empty line", OK "\r\n", GOES_ON, 2, false},
    {"O81 behind chunks",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" SWITCHING, GOES_ON,
     2, false},
    {"O81 behind no body", "HTTP/1.1 204 No Content\r\n\r\n" SWITCHING, GOES_ON, 2, false},
};

struct world {
    const struct row *row;
    struct loop *loop;
    struct resolver *resolver;
    struct kept kept;
    struct call_env env;
    struct url url;
    int listener;
    struct { /* what the server has */
        int fd;
        char got[TEXT_MAX];
        size_t len, answered;
    } conn[CONNECTIONS_MAX];
    size_t n_conns;
    size_t answers, upgrades, failures; /* what the calls told */
};

/* ---- the server */

static void end_conn(struct world *w, size_t i, bool by_reset)
{
    struct linger hard = {.l_onoff = 1};
    if (by_reset)
        setsockopt(w->conn[i].fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(w->conn[i].fd);
    w->conn[i].fd = -1;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Answers the request @n of the connection @i; on a second connection, n is 1 at once. */
static void answer(struct world *w, size_t i, size_t n)
{
    enum manner m = w->row->manner;
    int fd = w->conn[i].fd;
    if (n == 0)
        say(fd, w->row->first);
    else if (i > 0 && m != ALWAYS_CLOSES_LATER)
        say(fd, SWITCHING);
    else if (m == GOES_ON)
        say(fd, SWITCHING);
    else if (m == ANSWERS_INTERIM)
        say(fd, "HTTP/1.1 103 Early Hints\r\n\r\n");
    else if (m == BREAKS_OFF)
        say(fd, "HTTP/1.1 101 S\r\nConn");
    if ((n == 0 && m == CLOSES) ||
        (n > 0 && m >= CLOSES_LATER && (i == 0 || m == ALWAYS_CLOSES_LATER)))
        end_conn(w, i, m == RESETS_LATER);
}

static size_t count_heads(const char *text)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, "\r\n\r\n")); at += 4)
        n++;
    return n;
}

static void serve(struct world *w)
{
    int fd = accept4(w->listener, NULL, NULL, SOCK_NONBLOCK);
    if (fd >= 0) {
        assert_in_range(w->n_conns, 0, CONNECTIONS_MAX - 1);
        w->conn[w->n_conns++].fd = fd;
    }
    for (size_t i = 0; i < w->n_conns; i++) {
        char *got = w->conn[i].got;
        ssize_t n = w->conn[i].fd < 0 ? -1
                                      : recv(w->conn[i].fd, got + w->conn[i].len,
                                             TEXT_MAX - 1 - w->conn[i].len, MSG_DONTWAIT);
        w->conn[i].len += n > 0 ? (size_t)n : 0;
        while (w->conn[i].answered < count_heads(got) && w->conn[i].fd >= 0)
            answer(w, i, i + w->conn[i].answered++);
    }
}

/* ---- the calls */

static void on_answer_two(void *user, const struct call_answer *a)
{
    fail();
}

static void on_upgraded(void *user, struct sock *sock, uint64_t took_us)
{
    struct world *w = user;
    w->upgrades++;
    sock_close(sock);
}

static void on_failed(void *user, const char *step, int err, const char *reason)
{
    struct world *w = user;
    w->failures++;
}

static const struct call_ops second_ops = {
    .on_answer = on_answer_two, .on_upgraded = on_upgraded, .on_failed = on_failed};

static struct call *begin(struct world *w, const char *path, bool keeps, const struct call_ops *ops)
{
    struct message m;
    struct call_target to = {.url = &w->url, .keeps = keeps};
    message_init(&m);
    m.path = slice_str(path);
    if (!keeps) {
        fields_add(&m.fields, SLICE("Upgrade"), SLICE("ptth"));
        fields_add(&m.fields, SLICE("ALPN"), SLICE("h2"));
    }
    return call_start(&w->env, &to, &m, ops, w);
}

static void on_answer_one(void *user, const struct call_answer *a)
{
    struct world *w = user;
    w->answers++;
    assert_in_range(a->status, 200, 204);
    assert_true(a->status == 204 || slice_eq(a->body, SLICE("hi")));
    assert_non_null(begin(w, "/tunnel/app", false, &second_ops));
}

static const struct call_ops first_ops = {.on_answer = on_answer_one, .on_failed = on_failed};

static bool is_over(void *user)
{
    struct world *w = user;
    serve(w);
    return w->upgrades + w->failures > 0;
}

/* ---- the tests */

static void open_world(struct world *w, const struct row *row)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    char text[64];
    *w = (struct world){.row = row, .loop = loop_new()};
    w->resolver = resolver_new(w->loop);
    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(w->listener, 8), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&a, &len), 0);
    snprintf(text, sizeof text, "http://127.0.0.1:%u", ntohs(a.sin_port));
    assert_int_equal(url_parse(slice_str(text), &w->url), 0);
    w->env = (struct call_env){
        .loop = w->loop, .resolver = w->resolver, .timeout_ms = TIMEOUT_MS, .kept = &w->kept};
}

static void close_world(struct world *w)
{
    assert_null(w->kept.sock); /* nothing is kept for longer than the callback */
    for (size_t i = 0; i < w->n_conns; i++)
        if (w->conn[i].fd >= 0)
            close(w->conn[i].fd);
    close(w->listener);
    resolver_free(w->resolver);
    loop_free(w->loop);
}

static void test_two_calls(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        print_message("%s\n", rows[i].name);
        open_world(&w, &rows[i]);
        assert_non_null(begin(&w, "/register", true, &first_ops));
        turns_until(w.loop, is_over, &w);
        assert_int_equal(w.answers, 1);
        assert_int_equal(w.upgrades, rows[i].fails ? 0 : 1);
        assert_int_equal(w.failures, rows[i].fails ? 1 : 0);
        assert_int_equal(w.n_conns, rows[i].connections);
        assert_null(strstr(w.conn[0].got, "Connection: close"));
        bool went_on = strstr(w.conn[0].got, "GET /tunnel/app");
        assert_int_equal(went_on, rows[i].connections == 1 || rows[i].manner >= CLOSES_LATER);
        close_world(&w);
    }
}

/* O80: a connection is kept for the same scheme, host and port, and as long as nothing has come on
 * it. */
static void test_places(void **state)
{
    static const struct {
        const char *at, *to;
        bool same;
    } places[] = {
        {"https://example.com", "https://example.com/tunnel/app", true},
        {"https://example.com", "https://example.com:443/tunnel/app", true},
        {"https://EXAMPLE.com:8443", "https://example.com:8443/tunnel/app", true},
        {"https://[::1]:8443", "https://[::1]:8443/tunnel/app", true},
        {"https://example.com", "https://example.com:8443/tunnel/app", false},
        {"https://example.com", "https://a.example.com/tunnel/app", false},
        {"https://example.com", "https://example.com./tunnel/app", false},
        {"http://example.com:443", "https://example.com/tunnel/app", false},
        {"https://127.0.0.1", "https://localhost/tunnel/app", false},
    };
    struct loop *loop = loop_new();
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct kept kept = {.sock = NULL};
        struct url at, to;
        struct sock *ours, *theirs;
        assert_int_equal(url_parse(slice_str(places[i].at), &at), 0);
        assert_int_equal(url_parse(slice_str(places[i].to), &to), 0);
        sock_pair(loop, &ours, &theirs);
        assert_null(kept_take(&kept, &at));
        kept_put(&kept, &at, ours);
        struct sock *taken = kept_take(&kept, &to);
        assert_ptr_equal(taken, places[i].same ? ours : NULL);
        assert_true(!kept.sock == places[i].same);
        kept_drop(&kept);
        assert_null(kept.sock);
        sock_close(taken);
        sock_close(theirs);
    }
    loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_calls),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests_name("client_call", tests, NULL, NULL);
}
