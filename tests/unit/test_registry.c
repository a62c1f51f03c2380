/* test_registry.c - held names and their tunnels: states, owners, the names file, who may attach,
 * who waits. contract.md 1 "Held names", 3 "Who may attach"; http-rules "Failure → viewer". Links
 * are real, over pairs in memory. */
#include "src/registry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "src/link.h"
#include "src/names_file.h"
#include "src/state.h"
#include "src/tunnel.h"
#include "src/worker.h"

enum { PEERS_MAX = 16, MINUTE_US = 60 * 1000000, WAIT_MS = 3000 };

static const uint8_t alice[OWNER_LEN] = "alice-is-an-owne", bob[OWNER_LEN] = "bob-is-another-o";
#define INSTANCE_A SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
#define INSTANCE_B SLICE("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb")
#define NONE SLICE("")

struct fixture {
    char dir[64];
    struct config config;
    struct server server;
    struct worker *worker;
    struct h2_session *peers[PEERS_MAX]; /* the clients' ends; NULL once closed */
    size_t n_peers;
};

static struct registry *registry_of(const struct fixture *x)
{
    return x->worker->registry;
}

static void adopt(const struct held_name *h, void *user)
{
    registry_adopt(user, h);
}

static void on_change(void *user)
{
    struct fixture *x = user;
    if (x->server.names_file)
        names_file_due(x->server.names_file);
}

/* As main does it at start. */
static void open_names(struct fixture *x)
{
    x->server.names_file = names_file_new(x->worker->loop, x->dir, x->server.directory);
    assert_int_equal(names_file_load(x->server.names_file, adopt, x->worker->registry), 0);
    assert_int_equal(names_file_write(x->server.names_file), 0);
}

/* As main does it at the end: the file is written, then the table goes. */
static void close_names(struct fixture *x)
{
    names_file_free(x->server.names_file);
    x->server.names_file = NULL;
    registry_free(x->worker->registry);
    x->worker->registry = NULL;
    directory_free(x->server.directory);
    x->server.directory = NULL;
}

static void open_registry(struct fixture *x)
{
    x->server.directory = directory_new(on_change, x);
    x->worker->registry = registry_new(x->worker->loop, &x->config, x->server.directory, 0);
    open_names(x);
}

static int setup(void **state)
{
    struct fixture *x = xcalloc(1, sizeof(*x));
    *state = x;
    snprintf(x->dir, sizeof(x->dir), "/tmp/test_registry.XXXXXX");
    if (!mkdtemp(x->dir))
        return -1;
    log_threshold = LOG_ERROR;
    x->config = (struct config){.domain = "example.com",
                                .state_dir = x->dir,
                                .pending_ms = 60000,
                                .name_grace_ms = 600000,
                                .keepalive_ms = 15000,
                                .attach_timeout_ms = 10000,
                                .max_streams = 100,
                                .max_links = 4};
    x->server.config = &x->config;
    x->server.directory = directory_new(on_change, x);
    memory_init(&x->server.memory, 1 << 30);
    x->worker = worker_new(&x->server, 0);
    open_names(x);
    return 0;
}

static void turn(struct fixture *x, uint64_t ms);

static int teardown(void **state)
{
    struct fixture *x = *state;
    char command[128];
    for (size_t i = 0; i < x->n_peers; i++)
        if (x->peers[i])
            h2_session_close(x->peers[i], 0);
    while (!list_empty(&x->worker->links))
        link_close(CONTAINER_OF(x->worker->links.next, struct link, in_worker), 0);
    turn(x, 1);
    names_file_free(x->server.names_file);
    x->server.names_file = NULL;
    worker_free(x->worker);
    directory_free(x->server.directory);
    snprintf(command, sizeof(command), "rm -rf %s", x->dir);
    free(x);
    return system(command);
}

static void on_turned(void *user)
{
    loop_stop(user);
}

static void turn(struct fixture *x, uint64_t ms)
{
    struct timer t;
    timer_init(&t, x->worker->loop, on_turned, x->worker->loop);
    timer_arm(&t, ms);
    loop_run(x->worker->loop);
    timer_stop(&t);
}

/* ---- a client's end: it answers nothing */

static void on_leg_head(void *exchange, struct leg *leg, struct message *m, bool end)
{
}

static void on_leg_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
}

static void on_leg_trailers(void *exchange, struct leg *leg, struct fields *t)
{
}

static void on_leg_sent(void *exchange, struct leg *leg, size_t octets)
{
}

static void on_leg_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
}

static const struct leg_events silent = {
    .on_head = on_leg_head,
    .on_body = on_leg_body,
    .on_trailers = on_leg_trailers,
    .on_sent = on_leg_sent,
    .on_reset = on_leg_reset,
};

static void on_peer_up(void *user)
{
}

static void on_peer_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    leg_tie(leg, &silent, NULL);
}

static void on_peer_goaway(void *user, struct slice debug)
{
}

static void on_peer_closed(void *user, int err, const char *reason)
{
    *(struct h2_session **)user = NULL;
}

static const struct h2_session_ops peer_ops = {
    .on_up = on_peer_up,
    .on_stream = on_peer_stream,
    .on_goaway = on_peer_goaway,
    .on_closed = on_peer_closed,
};

/* A link whose client has not said hello yet: its end is in @theirs. */
static struct link *begin(struct fixture *x, const char *name, struct slice instance, unsigned slot,
                          struct sock **theirs)
{
    struct ticket t = {0};
    struct sock *ours;
    snprintf(t.name, sizeof(t.name), "%s", name);
    memcpy(t.owner, alice, OWNER_LEN);
    sock_pair(x->worker->loop, &ours, theirs);
    return link_new(x->worker, ours, &t, &(struct place){instance, slot, false});
}

/* Its client says hello. */
static void greet(struct fixture *x, struct sock *theirs, uint32_t max_streams)
{
    struct h2_options o = {.max_streams = max_streams,
                           .ping_timeout_ms = 10000,
                           .settings_timeout_ms = 10000,
                           .buffer_limit = 1 << 20,
                           .stall_ms = 10000};
    assert_in_range(x->n_peers, 0, PEERS_MAX - 1);
    struct h2_session **peer = &x->peers[x->n_peers++];
    *peer = h2_session_new(x->worker->loop, theirs, H2_SERVER, &o, &peer_ops, peer);
}

/* A link that is up and has joined; it is the newest of the tunnel. */
static struct link *attach(struct fixture *x, const char *name, struct slice instance,
                           unsigned slot, uint32_t max_streams)
{
    struct sock *theirs;
    struct link *l = begin(x, name, instance, slot, &theirs);
    greet(x, theirs, max_streams);
    for (int i = 0; i < WAIT_MS && l->state == LINK_ATTACHING; i++)
        turn(x, 1);
    assert_int_equal(l->state, LINK_UP);
    assert_non_null(l->tunnel);
    return l;
}

static struct tunnel *claim(struct fixture *x, const char *name, bool asked)
{
    struct tunnel *t = NULL;
    unsigned retry;
    assert_int_equal(registry_claim(registry_of(x), slice_str(name), alice, asked, &t, &retry), 0);
    return t;
}

static struct tunnel *find(const struct fixture *x, const char *name)
{
    return registry_find(registry_of(x), slice_str(name));
}

/* ---- names */

/* O1, O2 */
static void test_claim(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true), *again = NULL;
    unsigned retry = 0;
    assert_ptr_equal(find(x, "app"), t);
    assert_int_equal(t->state, TUNNEL_PENDING);
    assert_true(t->asked);
    assert_int_equal(registry_claim(registry_of(x), SLICE("app"), bob, true, &again, &retry),
                     ERR_TAKEN);
    assert_in_range(retry, 59, 61);
    assert_null(again);
    assert_int_equal(registry_claim(registry_of(x), SLICE("app"), alice, false, &again, &retry), 0);
    assert_ptr_equal(again, t);
    assert_true(t->asked);
    assert_null(find(x, "apps"));
    registry_drop(registry_of(x), t);
    assert_null(find(x, "app"));
}

/* O3 */
static void test_pending_expires(void **state)
{
    struct fixture *x = *state;
    x->config.pending_ms = 30;
    claim(x, "app", true);
    turn(x, 10);
    assert_non_null(find(x, "app"));
    turn(x, 100);
    assert_null(find(x, "app"));
}

/* O4 */
static void test_live_and_graced(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true), *other;
    unsigned retry = 99;
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    assert_int_equal(t->state, TUNNEL_LIVE);
    assert_int_equal(t->away_since_us, 0);
    assert_false(timer_armed(&t->expiry));
    assert_int_equal(registry_claim(registry_of(x), SLICE("app"), bob, true, &other, &retry),
                     ERR_TAKEN);
    assert_int_equal(retry, 0);
    struct directory_counts c = directory_counts(x->server.directory);
    assert_int_equal(c.names, 1);
    assert_int_equal(c.live, 1);
    assert_int_equal(stat_get(&x->worker->stats.links_open), 1);
    link_close(l, 0);
    assert_int_equal(t->state, TUNNEL_GRACED);
    assert_int_not_equal(t->away_since_us, 0);
    assert_int_equal(registry_claim(registry_of(x), SLICE("app"), bob, true, &other, &retry),
                     ERR_TAKEN);
    assert_in_range(retry, 599, 601);
    attach(x, "app", INSTANCE_A, 0, 10);
    assert_int_equal(t->state, TUNNEL_LIVE);
}

/* O4: a renewal shortly before the end of the grace leaves time to attach. */
static void test_claim_prolongs(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    tunnel_hold(t, TUNNEL_GRACED, 1000);
    claim(x, "app", true);
    assert_int_equal(t->state, TUNNEL_GRACED);
    assert_true(t->held_until_us > clock_now_us() + 50 * 1000000);
    tunnel_hold(t, TUNNEL_GRACED, 600000);
    claim(x, "app", true);
    assert_true(t->held_until_us > clock_now_us() + 500 * 1000000);
}

/* Who left, how; what becomes of the name. */
static const struct {
    bool asked, goodbye, held;
} leavings[] = {
    {true, true, true},
    {true, false, true},
    {false, false, true},
    {false, true, false},
};

/* O17 */
static void test_leaving(void **state)
{
    struct fixture *x = *state;
    for (size_t i = 0; i < sizeof(leavings) / sizeof(leavings[0]); i++) {
        struct tunnel *t = claim(x, "app", leavings[i].asked);
        struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
        l->goodbye = leavings[i].goodbye;
        link_close(l, 0);
        assert_int_equal(t->state, TUNNEL_GRACED);
        turn(x, 20);
        if ((find(x, "app") != NULL) != leavings[i].held)
            fail_msg("row %zu", i);
        if (leavings[i].held)
            registry_drop(registry_of(x), t);
    }
}

/* Dropped under its link: the link lives on without it. */
static void test_drop_live(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    registry_drop(registry_of(x), t);
    assert_null(l->tunnel);
    assert_int_equal(l->state, LINK_UP);
    link_close(l, 0);
}

/* ---- the names file */

static void write_names(const struct fixture *x, const char *text)
{
    assert_int_equal(state_write(x->dir, STATE_NAMES, slice_str(text)), 0);
}

static void read_names(const struct fixture *x, char *to, size_t cap)
{
    struct buf b;
    buf_init(&b, cap - 1);
    assert_int_equal(state_read(x->dir, STATE_NAMES, &b), 0);
    memcpy(to, buf_slice(&b).ptr, buf_len(&b));
    to[buf_len(&b)] = '\0';
    buf_release(&b);
}

static void reopen(struct fixture *x)
{
    close_names(x);
    open_registry(x);
}

/* O5 */
static void test_names_survive(void **state)
{
    struct fixture *x = *state;
    claim(x, "asked", true);
    claim(x, "random", false);
    struct link *l = attach(x, "asked", INSTANCE_A, 0, 10);
    link_close(l, 0);
    reopen(x);
    struct tunnel *t = find(x, "asked");
    assert_non_null(t);
    assert_int_equal(t->state, TUNNEL_GRACED);
    assert_true(t->asked);
    assert_memory_equal(t->owner, alice, OWNER_LEN);
    assert_true(clock_now_us() - t->away_since_us < 10 * 1000000);
    t = find(x, "random");
    assert_non_null(t);
    assert_false(t->asked);
    assert_true(t->held_until_us < clock_now_us() + 61 * 1000000ULL);
}

/* O5: a live name's line has no end: it is graced from the next start on, however long that takes.
 */
static void test_names_of_live(void **state)
{
    struct fixture *x = *state;
    char text[4096];
    claim(x, "app", true);
    attach(x, "app", INSTANCE_A, 0, 10);
    close_names(x);
    read_names(x, text, sizeof(text));
    open_registry(x);
    assert_string_equal(text, "app 616c6963652d69732d616e2d6f776e65 0 1\n");
}

/* O5: the start was a write: what changes within the second after it waits, and is written in one
 * go. */
static void test_names_written_once(void **state)
{
    struct fixture *x = *state;
    char text[8192];
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof(name), "app-%d", i);
        claim(x, name, true);
    }
    turn(x, 5);
    read_names(x, text, sizeof(text));
    assert_string_equal(text, "");
    turn(x, 1050);
    read_names(x, text, sizeof(text));
    assert_non_null(strstr(text, "app-0 "));
    assert_non_null(strstr(text, "app-49 "));
}

#define OWNER_HEX "616c6963652d69732d616e2d6f776e65"

/* O6 */
static void test_names_broken(void **state)
{
    struct fixture *x = *state;
    close_names(x); /* writes the file too */
    write_names(x, "good " OWNER_HEX " 0 1\n"
                   "\n"
                   "bad-owner 616c 0 1\n"
                   "Bad_Name " OWNER_HEX " 0 1\n"
                   "no-end " OWNER_HEX "\n"
                   "extra " OWNER_HEX " 0 1 2\n"
                   "minus " OWNER_HEX " -5 1\n"
                   "\xff\xfe\n"
                   "over " OWNER_HEX " 1 1\n"
                   "good " OWNER_HEX " 0 0\n"
                   "also-good " OWNER_HEX " 0 0\n"
                   "cut-off " OWNER_HEX " 0 1");
    open_registry(x);
    assert_int_equal(directory_counts(x->server.directory).names, 2);
    assert_true(find(x, "good")->asked);
    assert_non_null(find(x, "also-good"));
}

static void test_names_folder(void **state)
{
    struct fixture *x = *state;
    struct names_file *f = names_file_new(x->worker->loop, "/dev/null/state", x->server.directory);
    assert_int_equal(names_file_write(f), ERR_IO);
    assert_int_equal(errno, ENOTDIR);
    log_threshold = (enum log_level) - 1; /* its end tries once more, and says so */
    names_file_free(f);
    log_threshold = LOG_ERROR;
}

/* ---- who may attach */

/* O7 */
static void test_slots(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    unsigned retry;
    for (unsigned slot = 0; slot < 4; slot++) {
        assert_int_equal(
            tunnel_may_join(t, &(struct place){INSTANCE_A, slot, false}, 4, clock_now_us(), &retry),
            JOIN_OK);
        attach(x, "app", INSTANCE_A, slot, 10);
        assert_int_equal(t->n_links, slot + 1);
    }
    assert_int_equal(
        tunnel_may_join(t, &(struct place){INSTANCE_A, 4, false}, 4, clock_now_us(), &retry),
        JOIN_TOO_MANY);
    assert_int_equal(
        tunnel_may_join(t, &(struct place){INSTANCE_A, 2, false}, 4, clock_now_us(), &retry),
        JOIN_OK);
    struct link *first = CONTAINER_OF(t->links.next, struct link, in_tunnel);
    link_drain(first); /* one that drains does not count */
    assert_int_equal(t->n_links, 3);
    assert_int_equal(
        tunnel_may_join(t, &(struct place){INSTANCE_A, 4, false}, 4, clock_now_us(), &retry),
        JOIN_OK);
}

/* O8 */
static void test_replace(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    attach(x, "app", INSTANCE_A, 0, 10);
    struct link *beside = attach(x, "app", INSTANCE_A, 1, 10);
    struct link *newcomer = attach(x, "app", INSTANCE_A, 0, 10);
    assert_int_equal(t->n_links, 2);
    assert_int_equal(t->state, TUNNEL_LIVE);
    assert_true(link_usable(beside));
    assert_true(link_usable(newcomer));
    assert_int_equal(t->n_takeovers, 0);
}

static const struct {
    const char *what;
    struct slice first, second;
} rivals[] = {
    {"other instance",
     {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 32},
     {"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 32}},
    {"no instances", {"", 0}, {"", 0}},
    {"one of them names none", {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 32}, {"", 0}},
};

/* O9, O11 */
static void test_take_over(void **state)
{
    struct fixture *x = *state;
    for (size_t i = 0; i < sizeof(rivals) / sizeof(rivals[0]); i++) {
        struct tunnel *t = claim(x, "app", true);
        attach(x, "app", rivals[i].first, 0, 10);
        if (rivals[i].first.len > 0)
            attach(x, "app", rivals[i].first, 1, 10);
        struct link *newcomer = attach(x, "app", rivals[i].second, 0, 10);
        if (t->n_links != 1 || t->n_takeovers != 1 || tunnel_pick(t, false) != newcomer)
            fail_msg("%s: %zu links", rivals[i].what, t->n_links);
        assert_int_equal(t->state, TUNNEL_LIVE);
        registry_drop(registry_of(x), t);
        link_close(newcomer, 0);
    }
}

static void await_links(struct fixture *x, size_t count)
{
    for (int i = 0; i < WAIT_MS && (size_t)stat_get(&x->worker->stats.links_open) != count; i++)
        turn(x, 1);
    assert_int_equal(stat_get(&x->worker->stats.links_open), count);
}

/* O9: a second link that was on its way when its instance was thrown out throws out nobody; once
 * the rival has left, or for a link that began later, all is as for any other. */
static void test_too_late_to_take_over(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct sock *first, *second;
    attach(x, "app", INSTANCE_A, 0, 10);
    begin(x, "app", INSTANCE_A, 1, &first);
    struct link *patient = begin(x, "app", INSTANCE_A, 2, &second);
    struct link *b = attach(x, "app", INSTANCE_B, 0, 10);
    await_links(x, 3); /* a's first is gone, two are on their way */
    greet(x, first, 10);
    await_links(x, 2);
    assert_int_equal(t->n_takeovers, 1);
    assert_ptr_equal(tunnel_pick(t, false), b);
    link_close(b, 0);
    greet(x, second, 10);
    for (int i = 0; i < WAIT_MS && patient->state == LINK_ATTACHING; i++)
        turn(x, 1);
    assert_ptr_equal(tunnel_pick(t, false), patient);
    attach(x, "app", INSTANCE_B, 0, 10);
    turn(x, 2);
    attach(x, "app", INSTANCE_A, 0, 10);
    assert_int_equal(t->n_takeovers, 3);
}

/* O12 */
static void test_flapping(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    uint64_t now = clock_now_us();
    unsigned retry = 0;
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    for (size_t i = 0; i < 5; i++)
        t->takeovers_us[t->n_takeovers++] = now + i;
    now += 1000000;
    assert_int_equal(tunnel_may_join(t, &(struct place){INSTANCE_B, 0, false}, 4, now, &retry),
                     JOIN_FLAPPING);
    assert_int_equal(retry, 60);
    assert_int_equal(
        tunnel_may_join(t, &(struct place){NONE, 0, false}, 4, now + 20 * 1000000, &retry),
        JOIN_FLAPPING);
    assert_int_equal(retry, 40);
    /* Whoever is there stays and may come back, */
    assert_int_equal(tunnel_may_join(t, &(struct place){INSTANCE_A, 0, false}, 4, now, &retry),
                     JOIN_OK);
    assert_int_equal(tunnel_may_join(t, &(struct place){INSTANCE_A, 1, false}, 4, now, &retry),
                     JOIN_OK);
    /* after the minute all is well, */
    assert_int_equal(
        tunnel_may_join(t, &(struct place){INSTANCE_B, 0, false}, 4, now + MINUTE_US, &retry),
        JOIN_OK);
    /* and where nobody is, nobody is thrown out. */
    t->flapping_until_us = now + MINUTE_US;
    assert_int_equal(tunnel_may_join(t, &(struct place){INSTANCE_B, 0, false}, 4, now, &retry),
                     JOIN_FLAPPING);
    link_close(l, 0);
    assert_int_equal(tunnel_may_join(t, &(struct place){INSTANCE_B, 0, false}, 4, now, &retry),
                     JOIN_OK);
}

/* O10: both must say so; then neither is in the other's way. */
static void test_pool(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    uint64_t now = clock_now_us();
    unsigned retry;
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    const struct place alone = {INSTANCE_B, 0, false}, pool = {INSTANCE_B, 0, true};
    t->flapping_until_us = now + MINUTE_US; /* nobody may take over */
    assert_int_equal(tunnel_may_join(t, &pool, 4, now, &retry), JOIN_FLAPPING);
    l->pool = true;
    assert_int_equal(tunnel_may_join(t, &alone, 4, now, &retry), JOIN_FLAPPING);
    assert_int_equal(tunnel_may_join(t, &pool, 4, now, &retry), JOIN_OK);
    assert_int_equal(tunnel_may_join(t, &pool, 1, now, &retry), JOIN_TOO_MANY);
}

/* O12 */
static void test_few_takeovers(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    uint64_t now = clock_now_us();
    unsigned retry;
    attach(x, "app", INSTANCE_A, 0, 10);
    for (size_t i = 0; i < 9; i++) /* the ring went round; four of them are recent */
        t->takeovers_us[t->n_takeovers++ % 6] = i < 5 ? now - 2ULL * MINUTE_US : now;
    assert_int_equal(tunnel_may_join(t, &(struct place){INSTANCE_B, 0, false}, 4, now, &retry),
                     JOIN_OK);
}

/* ---- streams and waiters */

static struct leg *open_stream(struct link *l)
{
    struct message m;
    message_init(&m);
    m.method = SLICE("GET");
    m.scheme = SLICE("http");
    m.authority = SLICE("app.example.com");
    m.path = SLICE("/");
    struct leg *leg = link_open(l, &m, true, &silent, NULL);
    message_deinit(&m);
    return leg;
}

static void close_stream(struct link *l, struct leg *leg)
{
    struct leg_fault why = {.err = ERR_CLOSED};
    leg->ops->reset(leg, &why);
    link_stream_done(l, false);
}

static void test_pick(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    assert_null(tunnel_pick(t, false));
    struct link *a = attach(x, "app", INSTANCE_A, 0, 10);
    struct link *b = attach(x, "app", INSTANCE_A, 1, 1);
    assert_ptr_equal(tunnel_pick(t, false), a);
    assert_non_null(open_stream(a));
    assert_ptr_equal(tunnel_pick(t, false), b);
    assert_non_null(open_stream(b)); /* b is full now */
    assert_non_null(open_stream(a));
    assert_ptr_equal(tunnel_pick(t, false), a);
    link_close(a, 0);
    assert_ptr_equal(tunnel_pick(t, false), b); /* full, but there */
    assert_false(link_can_open(tunnel_pick(t, false), false));
}

/* Each link keeps streams for what is no WebSocket: one that is full for the one kind has room for
 * the other, and a request goes where there is room for its kind. */
static void test_pick_by_kind(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct link *a = attach(x, "app", INSTANCE_A, 0, 20);
    struct link *b = attach(x, "app", INSTANCE_A, 1, 20);
    assert_non_null(open_stream(b));
    a->websockets = 19;
    assert_ptr_equal(tunnel_pick(t, false), a);
    assert_ptr_equal(tunnel_pick(t, true), b);
    b->websockets = 19;
    assert_ptr_equal(tunnel_pick(t, true), a); /* there is none: the least busy that is up */
    assert_false(link_can_open(tunnel_pick(t, true), true));
    a->websockets = b->websockets = 0;
    assert_ptr_equal(tunnel_pick(t, true), a);
    link_drain(a);
    assert_ptr_equal(tunnel_pick(t, true), b);
}

struct held {
    struct waiter waiter;
    struct tunnel *tunnel;
    struct link *got;
    size_t links, gone, rewaits;
};

static void held_on_link(struct waiter *w, struct link *l)
{
    struct held *h = CONTAINER_OF(w, struct held, waiter);
    h->links++;
    h->got = l;
    assert_false(list_linked(&w->node));
    if (h->rewaits > 0) {
        h->rewaits--;
        assert_true(tunnel_wait(h->tunnel, w, clock_now_us()));
    }
}

static void held_on_gone(struct waiter *w)
{
    CONTAINER_OF(w, struct held, waiter)->gone++;
    assert_false(list_linked(&w->node));
}

static struct held held_make(struct tunnel *t)
{
    return (struct held){.waiter = {.on_link = held_on_link, .on_gone = held_on_gone}, .tunnel = t};
}

/* F2 */
static void test_wait(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct held a = held_make(t), b = held_make(t), c = held_make(t);
    assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
    assert_true(tunnel_wait(t, &b.waiter, clock_now_us()));
    assert_true(tunnel_wait(t, &c.waiter, clock_now_us()));
    tunnel_unwait(t, &b.waiter);
    tunnel_unwait(t, &b.waiter);
    assert_int_equal(t->n_waiters, 2);
    tunnel_wake(t);
    assert_int_equal(a.links, 0);
    struct link *l = attach(x, "app", INSTANCE_A, 0, 10);
    assert_ptr_equal(a.got, l);
    assert_int_equal(a.links, 1);
    assert_int_equal(b.links, 0);
    assert_int_equal(c.links, 1);
    assert_int_equal(t->n_waiters, 0);
}

/* One that cannot use the link waits again: it is asked once a wake, not for ever. */
static void test_wait_again(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct held a = held_make(t), b = held_make(t);
    a.rewaits = 1000;
    assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
    assert_true(tunnel_wait(t, &b.waiter, clock_now_us()));
    attach(x, "app", INSTANCE_A, 0, 10);
    assert_int_equal(b.links, 1);
    assert_int_equal(t->n_waiters, 1);
    assert_in_range(a.links, 1, 5);
    tunnel_unwait(t, &a.waiter);
}

/* F3: a full link: who waits goes on when a stream is over. */
static void test_wait_for_stream(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct held a = held_make(t);
    struct link *l = attach(x, "app", INSTANCE_A, 0, 1);
    struct leg *leg = open_stream(l);
    turn(x, 5);
    assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
    tunnel_wake(t);
    assert_int_equal(a.links, 0);
    close_stream(l, leg);
    for (int i = 0; i < WAIT_MS && a.links == 0; i++) {
        turn(x, 1);
        tunnel_wake(t);
    }
    assert_int_equal(a.links, 1);
}

static void test_gone(void **state)
{
    struct fixture *x = *state;
    x->config.pending_ms = 20;
    struct tunnel *t = claim(x, "app", true);
    struct held a = held_make(t), b = held_make(t);
    assert_true(tunnel_wait(t, &a.waiter, clock_now_us()));
    assert_true(tunnel_wait(t, &b.waiter, clock_now_us()));
    turn(x, 60);
    assert_null(find(x, "app"));
    assert_int_equal(a.gone, 1);
    assert_int_equal(b.gone, 1);
}

/* F2 */
static void test_away_too_long(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t = claim(x, "app", true);
    struct held a = held_make(t);
    assert_false(tunnel_wait(t, &a.waiter, t->away_since_us + 30000001));
    assert_true(tunnel_wait(t, &a.waiter, t->away_since_us + 29999999));
    tunnel_unwait(t, &a.waiter);
}

/* F2, F3 */
static void test_wait_limits(void **state)
{
    struct fixture *x = *state;
    struct held *all = xcalloc(WAITERS_MAX, sizeof(*all)), one = held_make(NULL);
    size_t n = 0;
    for (int i = 0; i < WAITERS_MAX / TUNNEL_WAITERS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "app-%d", i);
        struct tunnel *t = claim(x, name, true);
        for (int j = 0; j < TUNNEL_WAITERS_MAX; j++, n++) {
            all[n] = held_make(t);
            assert_true(tunnel_wait(t, &all[n].waiter, clock_now_us()));
        }
        assert_false(tunnel_wait(t, &one.waiter, clock_now_us()));
    }
    struct tunnel *last = claim(x, "last", true);
    assert_false(tunnel_wait(last, &one.waiter, clock_now_us()));
    tunnel_unwait(all[0].tunnel, &all[0].waiter);
    assert_true(directory_wait_begin(x->server.directory, WAITERS_MAX)); /* as another worker's */
    assert_false(tunnel_wait(last, &one.waiter, clock_now_us()));
    directory_wait_end(x->server.directory);
    assert_true(tunnel_wait(last, &one.waiter, clock_now_us()));
    tunnel_unwait(last, &one.waiter);
    for (size_t i = 1; i < n; i++)
        tunnel_unwait(all[i].tunnel, &all[i].waiter);
    free(all);
}

/* F2 */
static void test_process_limit(void **state)
{
    struct fixture *x = *state;
    struct tunnel *t;
    unsigned retry;
    for (int i = 0; i < DIRECTORY_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "app-%d", i);
        claim(x, name, true);
    }
    assert_int_equal(registry_claim(registry_of(x), SLICE("one-more"), alice, true, &t, &retry),
                     ERR_LIMIT);
    claim(x, "app-7", true);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_claim),
        TEST(test_pending_expires),
        TEST(test_live_and_graced),
        TEST(test_claim_prolongs),
        TEST(test_leaving),
        TEST(test_drop_live),
        TEST(test_names_survive),
        TEST(test_names_of_live),
        TEST(test_names_written_once),
        TEST(test_names_broken),
        TEST(test_names_folder),
        TEST(test_slots),
        TEST(test_replace),
        TEST(test_take_over),
        TEST(test_too_late_to_take_over),
        TEST(test_flapping),
        TEST(test_pool),
        TEST(test_few_takeovers),
        TEST(test_pick),
        TEST(test_pick_by_kind),
        TEST(test_wait),
        TEST(test_wait_again),
        TEST(test_wait_for_stream),
        TEST(test_gone),
        TEST(test_away_too_long),
        TEST(test_wait_limits),
        TEST(test_process_limit),
    };
    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
