/* SPDX-License-Identifier: MIT */
/* link_world.h - runs one worker with a viewer and a client, all in memory. The client is an
 * H2_SERVER session behind a relay that stops after a given number of bytes. For tests of link.h
 * and edge_h1.h. */
#ifndef TESTS_UNIT_LINK_WORLD_H
#define TESTS_UNIT_LINK_WORLD_H

#include "turns.h"

#include <stdlib.h>
#include <unistd.h>

#include "src/crew.h"
#include "src/edge/edge_h1.h"
#include "src/edge/leap.h"
#include "src/tunnels/link.h"
#include "src/tunnels/registry.h"
#include "src/worker/commons.h"

static const uint8_t alice[OWNER_LEN] = "alice-is-an-owne";

enum { ENOUGH = 1 << 20, UPLOAD = 700, ANSWER = 900 };

/* Passes bytes between two socks, one of them the client's, until a number of bytes was passed.
 * Then it closes both. */
struct cutter {
    struct sock *ends[2]; /* NULL once cut */
    size_t left;          /* bytes until the cut, both directions counted */
    bool by_reset;
};

struct viewer_end {
    struct sock *sock; /* NULL once closed */
    struct buf got;
    bool ended;
};

/* How the client answers. */
enum manner { ANSWERS, ANSWERS_WEBSOCKET, ANSWERS_NOTHING };

struct world {
    char dir[64];
    struct config config;
    struct server server;
    struct worker *worker;
    struct tunnel *tunnel;
    struct h2_session *client; /* NULL once closed */
    struct cutter relay;
    struct viewer_end viewer;
    enum manner manner;
    size_t heard; /* bytes of requests' bodies */
    int streams, goaways, streams_at_goaway;
};

/* ---- the relay */

static inline void relay_cut(struct cutter *r)
{
    for (int i = 0; i < 2; i++) {
        struct sock *s = r->ends[i];
        r->ends[i] = NULL;
        if (r->by_reset)
            sock_abort(s);
        else
            sock_close(s);
    }
}

static inline void relay_pass(struct cutter *r, int from)
{
    char chunk[256];
    while (r->ends[from]) {
        ssize_t n =
            sock_read(r->ends[from], chunk, r->left < sizeof chunk ? r->left : sizeof chunk);
        if (n == ERR_AGAIN)
            return;
        if (n == 0 && !r->by_reset) { /* the bytes that are queued still arrive */
            sock_shutdown(r->ends[!from]);
            return;
        }
        if (n <= 0) {
            relay_cut(r);
            return;
        }
        sock_write(r->ends[!from], slice_make(chunk, (size_t)n));
        r->left -= (size_t)n;
        if (r->left == 0)
            sock_shutdown(r->ends[!from]); /* the bytes that were passed still arrive */
        if (r->left == 0)
            return;
    }
}

static inline void relay_first(void *user)
{
    struct cutter *r = user;
    if (r->left > 0)
        relay_pass(r, 0);
    else
        relay_cut(r);
}

static inline void relay_second(void *user)
{
    struct cutter *r = user;
    if (r->left > 0)
        relay_pass(r, 1);
    else
        relay_cut(r);
}

static const struct sock_ops relay_ops[2] = {
    {.on_readable = relay_first, .on_sent = relay_first},
    {.on_readable = relay_second, .on_sent = relay_second}};

/* Makes the relay. @outer gets its outer ends: the server's and the client's. */
static inline void relay_open(struct cutter *r, struct loop *l, size_t bytes, bool by_reset,
                              struct sock *outer[static 2])
{
    *r = (struct cutter){.left = bytes, .by_reset = by_reset};
    for (int i = 0; i < 2; i++) {
        sock_pair(l, &outer[i], &r->ends[i]);
        sock_set_ops(r->ends[i], &relay_ops[i], r);
    }
}

/* ---- the client */

static inline void stream_ends(struct world *w, struct leg *leg)
{
    char body[ANSWER] = {0};
    struct message m;
    message_init(&m);
    m.status = 200;
    fields_add(&m.fields, SLICE("x-from"), SLICE("client"));
    leg->ops->head(leg, &m, false);
    leg->ops->body(leg, slice_make(body, sizeof body), true);
    message_deinit(&m);
}

static inline void far_head(void *user, struct leg *leg, struct message *m, bool end)
{
}

static inline void far_body(void *user, struct leg *leg, struct slice data, bool end)
{
    struct world *w = user;
    w->heard += data.len;
    leg->ops->credit(leg, data.len);
    if (end && w->manner == ANSWERS)
        stream_ends(w, leg);
}

static inline void far_trailers(void *user, struct leg *leg, struct fields *t)
{
}

static inline void far_sent(void *user, struct leg *leg, size_t bytes)
{
}

static inline void far_reset(void *user, struct leg *leg, const struct leg_fault *why)
{
}

static const struct leg_events far_events = {.on_head = far_head,
                                             .on_body = far_body,
                                             .on_trailers = far_trailers,
                                             .on_sent = far_sent,
                                             .on_reset = far_reset};

static inline void on_up(void *user)
{
}

static inline void on_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct world *w = user;
    struct message opened;
    w->streams++;
    leg_tie(leg, &far_events, w);
    if (end && w->manner == ANSWERS)
        stream_ends(w, leg);
    if (w->manner != ANSWERS_WEBSOCKET)
        return;
    message_init(&opened);
    opened.status = 200;
    leg->ops->head(leg, &opened, false);
    leg->ops->body(leg, SLICE("\x81\x02hi"), false);
    message_deinit(&opened);
}

static inline void on_goaway(void *user, struct slice debug)
{
    struct world *w = user;
    w->goaways += slice_eq(debug, SLICE("draining"));
    w->streams_at_goaway = w->streams;
}

static inline void on_closed(void *user, int err, const char *reason)
{
    ((struct world *)user)->client = NULL;
}

static const struct h2_session_ops client_ops = {
    .on_up = on_up, .on_stream = on_stream, .on_goaway = on_goaway, .on_closed = on_closed};

/* Attaches a link of a new client. The relay cuts it after @bytes. */
static inline struct link *attach(struct world *w, size_t bytes, bool by_reset)
{
    static const struct h2_options o = {.max_streams = 100,
                                        .ping_timeout_ms = 5000,
                                        .settings_timeout_ms = 5000,
                                        .buffer_limit = 1 << 20,
                                        .stall_ms = 5000};
    struct ticket ticket = {.name = "app"};
    struct place place = {.slot = 0};
    struct sock *outer[2];
    memcpy(ticket.owner, alice, OWNER_LEN);
    relay_open(&w->relay, w->worker->loop, bytes, by_reset, outer);
    w->client = h2_session_new(w->worker->loop, outer[1], H2_SERVER, &o, &client_ops, w);
    return link_new(w->worker, outer[0], &ticket, &place);
}

static inline bool is_live(void *user)
{
    return ((struct world *)user)->tunnel->state == TUNNEL_LIVE;
}

/* ---- the viewer */

static inline void viewer_readable(void *user)
{
    struct viewer_end *v = user;
    char chunk[4096];
    ssize_t n;
    while ((n = sock_read(v->sock, chunk, sizeof chunk)) > 0)
        assert_int_equal(buf_append(&v->got, slice_make(chunk, (size_t)n)), 0);
    v->ended |= n != ERR_AGAIN;
}

static const struct sock_ops viewer_ops = {.on_readable = viewer_readable};

static inline void viewer_connect(struct world *w)
{
    struct sock *edge;
    buf_init(&w->viewer.got, 16 << 20);
    w->viewer.ended = false;
    sock_pair(w->worker->loop, &w->viewer.sock, &edge);
    sock_set_ops(w->viewer.sock, &viewer_ops, &w->viewer);
    struct peer peer;
    trust_peer(w->worker->server->trust, sock_peer(edge), false, &peer);
    edge_h1_new(w->worker, edge, &peer);
}

static inline void viewer_leave(struct world *w)
{
    sock_close(w->viewer.sock);
    w->viewer.sock = NULL;
    buf_release(&w->viewer.got);
}

static inline void say(struct world *w, const char *text)
{
    sock_write(w->viewer.sock, slice_str(text));
}

static inline void upload(struct world *w)
{
    char body[UPLOAD] = {0};
    char text[200];
    snprintf(text, sizeof text,
             "POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: %d\r\nConnection: "
             "close\r\n\r\n",
             UPLOAD);
    say(w, text);
    sock_write(w->viewer.sock, slice_make(body, sizeof body));
}

static inline bool has(const struct viewer_end *v, const char *text)
{
    struct slice got = buf_slice(&v->got);
    return memmem(got.ptr, got.len, text, strlen(text));
}

static inline bool viewer_done(void *user)
{
    return ((struct world *)user)->viewer.ended;
}

/* ---- the world */

static inline struct world *world_new(const char *hold)
{
    char option[64];
    struct world *w = xcalloc(1, sizeof *w);
    unsigned retry_after;
    snprintf(w->dir, sizeof w->dir, "/tmp/test_link.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    log_threshold = LOG_ERROR;
    snprintf(option, sizeof option, "--hold=%s", hold);
    char *argv[] = {(char[]){"oneportd"},
                    (char[]){"--domain=example.com"},
                    (char[]){"--state-dir"},
                    w->dir,
                    option,
                    NULL};
    assert_int_equal(config_parse(5, argv, &w->config), OPT_RUN);
    w->server = (struct server){.config = &w->config, .node = "oneport-00000000"};
    w->server.trust = trust_new();
    w->server.leaps = commons_new(LEAPS_MAX, 1, leap_evict);
    w->server.directory = directory_new(0, NULL, NULL);
    budget_init(&w->server.budget, 1 << 30);
    w->worker = crew_worker_new(&w->server, 0);
    w->server.workers = &w->worker;
    w->server.n_workers = 1;
    assert_int_equal(registry_claim(w->worker->registry, SLICE("app"), alice,
                                    &(struct claim){.asked = true}, &w->tunnel, &retry_after),
                     0);
    tunnel_was_live(w->tunnel, 0); /* so that its requests may wait */
    return w;
}

static inline bool after_turns(void *user)
{
    return --*(int *)user == 0;
}

/* Runs so many turns that bytes pass each pair there and back. */
static inline void settle(struct world *w)
{
    int turns = 40;
    turns_until(w->worker->loop, after_turns, &turns);
}

static inline void world_free(struct world *w)
{
    char command[128];
    crew_stop(w->worker);
    viewer_leave(w);
    relay_cut(&w->relay);
    if (w->client)
        h2_session_close(w->client, 0);
    settle(w);
    assert_int_equal(stat_get(&w->worker->stats.exchanges_open), 0);
    assert_int_equal(stat_get(&w->worker->stats.websockets_open), 0);
    assert_int_equal(stat_get(&w->worker->stats.edges_open), 0);
    assert_int_equal(stat_get(&w->worker->stats.links_open), 0);
    crew_worker_free(w->worker);
    directory_free(w->server.directory);
    commons_free(w->server.leaps);
    trust_free(w->server.trust);
    config_deinit(&w->config);
    snprintf(command, sizeof command, "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
    free(w);
}

/* ---- stages of a link's life */

enum stage { ATTACHING, HELD, OPEN, BODY_RUNS, UPGRADED, STAGES };

static const char get[] = "GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
static const char websocket[] =
    "GET / HTTP/1.1\r\nHost: app.example.com\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static inline struct link *reach(struct world *w, enum stage stage)
{
    struct link *l = NULL;
    w->manner = stage == UPGRADED ? ANSWERS_WEBSOCKET : ANSWERS_NOTHING;
    viewer_connect(w);
    if (stage == HELD)
        say(w, get);
    settle(w);
    l = attach(w, stage == HELD ? 40 : ENOUGH, false);
    if (stage == ATTACHING)
        return l;
    settle(w);
    if (stage == OPEN)
        say(w, get);
    else if (stage == UPGRADED)
        say(w, websocket);
    else if (stage == BODY_RUNS)
        say(w, "POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 100\r\n\r\nhalf");
    settle(w);
    if (stage == UPGRADED)
        assert_true(has(&w->viewer, "\x81\x02hi"));
    return list_empty(&w->worker->links) ? NULL : l;
}

#endif
