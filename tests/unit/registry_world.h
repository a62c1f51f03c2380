/* SPDX-License-Identifier: MIT */
/* registry_world.h - makes a registry with its names file, and real links in memory to clients that
 * answer no request. For tests of registry.h, names_file.h and tunnel.h. */
#ifndef TESTS_UNIT_REGISTRY_WORLD_H
#define TESTS_UNIT_REGISTRY_WORLD_H

#include "src/tunnels/registry.h"

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
#include "src/crew.h"
#include "src/names/names_file.h"
#include "src/names/store.h"
#include "src/tunnels/link.h"
#include "src/tunnels/queue.h"
#include "src/tunnels/tunnel.h"
#include "src/worker/worker.h"

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
    const char *token; /* the ID in the tickets of new links; NULL: none */
};

static inline struct registry *registry_of(const struct fixture *x)
{
    return x->worker->registry;
}

static inline void adopt(const struct held_name *h, void *user)
{
    registry_adopt(user, h);
}

static inline void on_change(void *user)
{
    struct fixture *x = user;
    if (x->server.names_file)
        names_file_write_soon(x->server.names_file);
}

/* Opens the names file as main does. */
static inline void open_names(struct fixture *x)
{
    char reason[200] = "";
    const char *why;
    struct names_file *f;
    x->server.store = store_open(x->dir, reason, sizeof reason);
    assert_non_null(x->server.store);
    f = names_file_new(x->server.store, x->server.directory, NULL, NULL);
    assert_int_equal(names_file_load(f, adopt, x->worker->registry, &why), 0);
    assert_int_equal(names_file_start(f), 0);
    x->server.names_file = f;
}

static inline void free_names(struct fixture *x)
{
    names_file_free(x->server.names_file);
    store_free(x->server.store);
    x->server.names_file = NULL;
    x->server.store = NULL;
}

/* Closes as main does: the file is written, then the table is freed. */
static inline void close_names(struct fixture *x)
{
    free_names(x);
    registry_free(x->worker->registry);
    x->worker->registry = NULL;
    directory_free(x->server.directory);
    x->server.directory = NULL;
}

static inline void open_registry(struct fixture *x)
{
    x->server.directory = directory_new(0, on_change, x);
    x->worker->registry = registry_new(x->worker);
    open_names(x);
}

static inline int setup(void **state)
{
    struct fixture *x = xcalloc(1, sizeof *x);
    *state = x;
    snprintf(x->dir, sizeof x->dir, "/tmp/test_registry.XXXXXX");
    if (!mkdtemp(x->dir))
        return -1;
    log_threshold = LOG_ERROR;
    x->config = (struct config){.domain = "example.com",
                                .names.state_dir = x->dir,
                                .names.pending_ms = 60000,
                                .names.grace_ms = 600000,
                                .timeouts.keepalive_ms = 15000,
                                .timeouts.attach_ms = 10000,
                                .limits.streams = 100,
                                .limits.links = 4};
    x->server.config = &x->config;
    x->server.directory = directory_new(0, on_change, x);
    budget_init(&x->server.budget, 1 << 30);
    x->server.holds = queue_holds_new();
    x->worker = crew_worker_new(&x->server, 0);
    open_names(x);
    return 0;
}

static inline void turn(struct fixture *x, uint64_t ms);

static inline int teardown(void **state)
{
    struct fixture *x = *state;
    char command[128];
    for (size_t i = 0; i < x->n_peers; i++)
        if (x->peers[i])
            h2_session_close(x->peers[i], 0);
    while (!list_empty(&x->worker->links))
        link_close(CONTAINER_OF(x->worker->links.next, struct link, in_worker), 0);
    turn(x, 1);
    free_names(x);
    crew_worker_free(x->worker);
    commons_free(x->server.names);
    commons_free(x->server.holds);
    directory_free(x->server.directory);
    snprintf(command, sizeof command, "rm -rf %s", x->dir);
    free(x);
    return system(command);
}

static inline void on_turned(void *user)
{
    loop_stop(user);
}

static inline void turn(struct fixture *x, uint64_t ms)
{
    struct timer t;
    timer_init(&t, x->worker->loop, on_turned, x->worker->loop);
    timer_arm(&t, ms);
    loop_run(x->worker->loop);
    timer_stop(&t);
}

/* ---- a client's end: it answers nothing */

static inline void on_leg_head(void *exchange, struct leg *leg, struct message *m, bool end)
{
}

static inline void on_leg_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
}

static inline void on_leg_trailers(void *exchange, struct leg *leg, struct fields *t)
{
}

static inline void on_leg_sent(void *exchange, struct leg *leg, size_t bytes)
{
}

static inline void on_leg_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
}

static const struct leg_events silent = {
    .on_head = on_leg_head,
    .on_body = on_leg_body,
    .on_trailers = on_leg_trailers,
    .on_sent = on_leg_sent,
    .on_reset = on_leg_reset,
};

static inline void on_peer_up(void *user)
{
}

static inline void on_peer_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    leg_tie(leg, &silent, NULL);
}

static inline void on_peer_goaway(void *user, struct slice debug)
{
}

static inline void on_peer_closed(void *user, int err, const char *reason)
{
    *(struct h2_session **)user = NULL;
}

static const struct h2_session_ops peer_ops = {
    .on_up = on_peer_up,
    .on_stream = on_peer_stream,
    .on_goaway = on_peer_goaway,
    .on_closed = on_peer_closed,
};

/* Makes a link whose client has not sent its preface yet. @theirs gets the client's end. */
static inline struct link *begin(struct fixture *x, const char *name, struct slice instance,
                                 unsigned slot, struct sock **theirs)
{
    struct ticket t = {0};
    struct sock *ours;
    snprintf(t.name, sizeof t.name, "%s", name);
    memcpy(t.owner, alice, OWNER_LEN);
    snprintf(t.tok, sizeof t.tok, "%s", x->token ? x->token : "");
    sock_pair(x->worker->loop, &ours, theirs);
    return link_new(x->worker, ours, &t, &(struct place){.instance = instance, .slot = slot});
}

/* Makes the client of a link at its end @theirs. */
static inline void greet(struct fixture *x, struct sock *theirs, uint32_t max_streams)
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

/* Makes a link and waits until it has joined its tunnel. */
static inline struct link *attach(struct fixture *x, const char *name, struct slice instance,
                                  unsigned slot, uint32_t max_streams)
{
    struct sock *theirs;
    struct link *l = begin(x, name, instance, slot, &theirs);
    greet(x, theirs, max_streams);
    for (int i = 0; i < WAIT_MS && l->state == LINK_ATTACHING; i++)
        turn(x, 1);
    assert_int_equal(l->state, LINK_UP);
    assert_non_null(l->backend.tunnel);
    return l;
}

static inline struct tunnel *claim(struct fixture *x, const char *name, bool asked)
{
    struct tunnel *t = NULL;
    unsigned retry;
    assert_int_equal(registry_claim(registry_of(x), slice_str(name), alice,
                                    &(struct claim){.asked = asked}, &t, &retry),
                     0);
    return t;
}

/* Claims a name whose client was there until a moment ago, so that its requests may wait. */
static inline struct tunnel *claim_away(struct fixture *x, const char *name)
{
    struct tunnel *t = claim(x, name, true);
    tunnel_was_live(t, 0);
    return t;
}

static inline struct tunnel *find(const struct fixture *x, const char *name)
{
    return registry_find(registry_of(x), slice_str(name));
}

#endif
