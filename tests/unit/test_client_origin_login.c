/* SPDX-License-Identifier: MIT */
/* test_client_origin_login.c - whom the pool gives a connection that somebody has signed in. Rules
 * D19, D20. The origin is played here, and knows its connections by their numbers. */
#include "client/origin/origin.h"

#include "turns.h"
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

enum { CONNECTIONS_MAX = 2000, OWNERS = 5, SPARE = 8 };

static const struct slice alice = {"alice", 5}, bob = {"bob", 3}, nobody = {"", 0};

/* How the origin answers. */
static const char plain[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                  challenge[] = "HTTP/1.1 401 U\r\nWWW-Authenticate: NTLM\r\n"
                                "Content-Length: 0\r\n\r\n",
                  last[] = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

struct world {
    struct loop *loop;
    struct resolver *resolver;
    struct origin_address address;
    struct origin *origin;
    int listener;
    int fds[CONNECTIONS_MAX]; /* the origin's ends */
    size_t n;
};

/* One request and its answer. */
struct lease {
    struct world *w;
    struct origin_conn *conn; /* NULL once it is over */
    bool ready;
    const char *answer;
    size_t on; /* the number of the connection that the request came on */
};

static struct world *world_new(enum login_policy login, unsigned spare)
{
    struct world *w = xcalloc(1, sizeof *w);
    struct sockaddr_in at;
    char text[32];
    const char *reason;
    w->loop = loop_new();
    w->resolver = resolver_new(w->loop);
    w->listener = wire_listen(&at);
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(origin_address_parse(text, "localhost", false, &w->address, &reason), 0);
    struct origin_options o = {
        .loop = w->loop,
        .resolver = w->resolver,
        .address = &w->address,
        .connect_ms = 5000,
        .idle_ms = 60000,
        .login = login,
        .spare = spare,
    };
    w->origin = origin_new(&o);
    return w;
}

static void world_free(struct world *w)
{
    origin_free(w->origin);
    resolver_free(w->resolver);
    loop_free(w->loop);
    for (size_t i = 0; i < w->n; i++)
        close(w->fds[i]);
    close(w->listener);
    free(w);
}

/* ---- a request */

static void on_ready(void *user)
{
    ((struct lease *)user)->ready = true;
}

static void on_failed(void *user, enum dial_step step, int err, const char *reason)
{
    fail_msg("%s: %s", dial_step_name(step), reason);
}

static void on_response_end(void *user)
{
    struct lease *l = user;
    origin_release(l->conn);
    l->conn = NULL;
}

static const struct origin_ops origin_ops = {
    .on_ready = on_ready, .on_failed = on_failed, .on_response_end = on_response_end};

static void on_head(void *exchange, struct leg *leg, struct message *m, bool end)
{
    origin_answers(((struct lease *)exchange)->conn, m, false);
}

static void on_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
}

static void on_sent(void *exchange, struct leg *leg, size_t bytes)
{
}

static void on_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
    fail_msg("%s", why->reason);
}

static const struct leg_events events = {
    .on_head = on_head, .on_body = on_body, .on_sent = on_sent, .on_reset = on_reset};

static bool is_ready(void *user)
{
    return ((struct lease *)user)->ready;
}

/* Plays the origin: takes connections, and answers each head. Returns whether the lease is over. */
static bool is_answered(void *user)
{
    struct lease *l = user;
    struct world *w = l->w;
    char head[1024];
    struct pollfd comes = {.fd = w->listener, .events = POLLIN};
    while (w->n < CONNECTIONS_MAX && poll(&comes, 1, 0) > 0)
        w->fds[w->n++] = accept(w->listener, NULL, NULL);
    for (size_t i = 0; l->conn && i < w->n; i++) {
        if (recv(w->fds[i], head, sizeof head, MSG_DONTWAIT) <= 0)
            continue;
        l->on = i;
        assert_true(write(w->fds[i], l->answer, strlen(l->answer)) > 0);
    }
    return !l->conn;
}

static void begin(struct world *w, struct lease *l, struct slice owner, enum reuse_need need)
{
    *l = (struct lease){.w = w, .answer = plain};
    l->conn = origin_acquire(w->origin, need, owner, &origin_ops, l);
    l->ready = origin_h1(l->conn);
}

/* Sends a request, which signs in or not, and returns the number of its connection. */
static size_t finish(struct lease *l, bool signs_in, const char *answer)
{
    struct world *w = l->w;
    struct message m;
    turns_until(w->loop, is_ready, l);
    message_init(&m);
    m.method = SLICE("GET");
    m.path = SLICE("/");
    m.authority = SLICE("a");
    if (signs_in)
        fields_add(&m.fields, SLICE("authorization"), SLICE("NTLM x"));
    l->answer = answer;
    struct leg *leg = h1_conn_leg(origin_h1(l->conn));
    struct leg_reply how = {.close = origin_asks(l->conn, &m, true)};
    leg_reply(leg, &how);
    leg_tie(leg, &events, l);
    leg->ops->head(leg, &m, true);
    message_deinit(&m);
    turns_until(w->loop, is_answered, l);
    for (int i = 0; i < 3; i++) /* until it is in the pool */
        turns_until(w->loop, wire_always, NULL);
    return l->on;
}

static size_t ask(struct world *w, struct slice owner, bool signs_in, const char *answer)
{
    struct lease l;
    begin(w, &l, owner, REUSE_ANY);
    return finish(&l, signs_in, answer);
}

/* ---- tests */

/* D19 */
static void test_the_owner_alone_gets_it(void **state)
{
    const struct slice others[] = {nobody, bob, SLICE("alic"), SLICE("alice2"), SLICE("Alice")};
    struct world *w = world_new(LOGIN_VIEWER, 0);
    assert_int_equal(ask(w, alice, true, plain), 0);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(ask(w, others[i], false, plain), 1);
        assert_int_equal(ask(w, alice, false, plain), 0);
    }
    world_free(w);
}

/* D19: the answer makes a connection private that served others before. */
static void test_a_shared_one_becomes_private(void **state)
{
    struct world *w = world_new(LOGIN_VIEWER, 0);
    assert_int_equal(ask(w, bob, false, plain), 0);
    assert_int_equal(ask(w, nobody, false, plain), 0);
    assert_int_equal(ask(w, alice, false, challenge), 0);
    assert_int_equal(ask(w, bob, false, plain), 1);
    assert_int_equal(ask(w, nobody, false, plain), 1);
    assert_int_equal(ask(w, alice, false, plain), 0);
    world_free(w);
}

/* D19, D13: without a name, and without the option, nobody gets it. */
static void test_nobody_gets_it(void **state)
{
    const struct slice names[] = {alice, nobody};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct world *w = world_new(i == 0 ? LOGIN_OFF : LOGIN_VIEWER, 0);
        assert_int_equal(ask(w, names[i], true, plain), 0);
        assert_int_equal(ask(w, names[i], false, plain), 1);
        assert_int_equal(ask(w, names[i], false, challenge), 1);
        assert_int_equal(ask(w, names[i], false, plain), 2);
        world_free(w);
    }
}

/* D20: the owner's own is taken before younger ones, also for what must not be sent twice; a
 * request that is sent again gets a fresh one. */
static void test_the_owner_gets_no_other(void **state)
{
    struct world *w = world_new(LOGIN_VIEWER, 0);
    struct lease l;
    assert_int_equal(ask(w, alice, true, plain), 0);
    assert_int_equal(ask(w, bob, false, plain), 1);
    begin(w, &l, alice, REUSE_SURE);
    assert_int_equal(finish(&l, false, plain), 0);
    begin(w, &l, bob, REUSE_SURE);
    assert_int_equal(finish(&l, false, plain), 2);
    begin(w, &l, alice, REUSE_NONE);
    assert_int_equal(finish(&l, false, plain), 3);
    assert_int_equal(ask(w, alice, false, last), 0);
    assert_true(ask(w, alice, false, plain) > 0);
    world_free(w);
}

/* D19: at most 50 are kept, the newest. */
static void test_there_is_a_bound(void **state)
{
    struct world *w = world_new(LOGIN_VIEWER, 0);
    char owner[16];
    for (size_t i = 0; i < 60; i++) {
        snprintf(owner, sizeof owner, "o%zu", i);
        assert_int_equal(ask(w, slice_str(owner), true, plain), i);
    }
    for (size_t i = 10; i < 60; i++) {
        snprintf(owner, sizeof owner, "o%zu", i);
        assert_int_equal(ask(w, slice_str(owner), false, plain), i);
    }
    assert_int_equal(ask(w, SLICE("o9"), false, plain), 60);
    world_free(w);
}

/* D19: those who wait for a descriptor are served by the same rule. */
static void test_who_waits_gets_only_their_own(void **state)
{
    struct rlimit before, few;
    struct lease first, own, other;
    int next = dup(0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)next + 32;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct world *w = world_new(LOGIN_VIEWER, SPARE);
    int taken[32], n = 0;
    begin(w, &first, alice, REUSE_ANY);
    turns_until(w->loop, is_ready, &first);
    do { /* the next dial gets one of the last, and waits */
        taken[n] = dup(0);
    } while (taken[n++] < (int)few.rlim_cur - SPARE - 1);
    begin(w, &own, alice, REUSE_ANY);
    begin(w, &other, bob, REUSE_ANY);
    assert_int_equal(finish(&first, true, plain), 0);
    assert_int_equal(finish(&own, false, plain), 0);
    assert_int_equal(finish(&other, false, plain), 1); /* and it made room */
    while (n > 0)
        close(taken[--n]);
    world_free(w);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* D19: whatever happens, nobody is taken for somebody else. */
static void test_at_random(void **state)
{
    static const char names[] = "abcde"; /* and nobody */
    const char *const answers[] = {plain, plain, plain, challenge, last};
    static char signed_in[CONNECTIONS_MAX];
    struct world *w = world_new(LOGIN_VIEWER, 0);
    size_t again = 0;
    memset(signed_in, 0, sizeof signed_in);
    srandom(1);
    for (int i = 0; i < 1000; i++) {
        size_t who = (size_t)random() % (OWNERS + 1);
        struct slice owner = who < OWNERS ? slice_make(names + who, 1) : nobody;
        bool signs_in = random() % 4 == 0;
        struct lease l;
        begin(w, &l, owner, (enum reuse_need)(random() % 3));
        const char *answer = answers[random() % 5];
        size_t on = finish(&l, signs_in, answer);
        assert_true(signed_in[on] == 0 || (who < OWNERS && signed_in[on] == names[who]));
        again += signed_in[on] != 0;
        if (signs_in || answer == challenge)
            signed_in[on] = who < OWNERS ? names[who] : '-';
    }
    assert_true(again > 50);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_owner_alone_gets_it),
        cmocka_unit_test(test_a_shared_one_becomes_private),
        cmocka_unit_test(test_nobody_gets_it),
        cmocka_unit_test(test_the_owner_gets_no_other),
        cmocka_unit_test(test_there_is_a_bound),
        cmocka_unit_test(test_who_waits_gets_only_their_own),
        cmocka_unit_test(test_at_random),
    };
    return cmocka_run_group_tests_name("origin, sign-ins", tests, NULL, NULL);
}
