/* test_link.c - viewers and a client, all in memory, around one worker: a link that is cut at any
 * octet, and ends at any stage. The client is an H2_SERVER session behind a relay that stops after
 * a given number of octets. http-rules "Failure -> viewer", property test. */
#include "turns.h"

#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "h2mux/session_int.h"
#include "src/edge.h"
#include "src/link.h"
#include "src/names.h"

static const uint8_t alice[OWNER_LEN] = "alice-is-an-owne";

enum { ENOUGH = 1 << 20, UPLOAD = 700, ANSWER = 900 };

/* Passes octets between two socks, one of them the client's, until it has had enough; then both are
 * gone. */
struct relay {
    struct sock *ends[2]; /* NULL once cut */
    size_t left;          /* octets until the cut, both directions counted */
    bool by_reset;
};

struct viewer_end {
    struct sock *sock; /* NULL once closed */
    struct buf got;
    bool ended;
};

/* What the client answers with. */
enum manner { ANSWERS, ANSWERS_WEBSOCKET, ANSWERS_NOTHING };

struct world {
    char dir[64];
    struct config config;
    struct server server;
    struct worker *worker;
    struct tunnel *tunnel;
    struct h2_session *client; /* NULL once closed */
    struct relay relay;
    struct viewer_end viewer;
    enum manner manner;
    size_t heard; /* octets of requests' bodies */
    int streams, goaways, streams_at_goaway;
};

/* ---- the relay */

static void relay_cut(struct relay *r)
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

static void relay_pass(struct relay *r, int from)
{
    char chunk[256];
    while (r->ends[from] != NULL) {
        ssize_t n =
            sock_read(r->ends[from], chunk, r->left < sizeof chunk ? r->left : sizeof chunk);
        if (n == ERR_AGAIN)
            return;
        if (n == 0 && !r->by_reset) { /* what is queued still arrives */
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
            sock_shutdown(r->ends[!from]); /* what was passed arrives; then it is over */
        if (r->left == 0)
            return;
    }
}

static void relay_first(void *user)
{
    struct relay *r = user;
    if (r->left > 0)
        relay_pass(r, 0);
    else
        relay_cut(r);
}

static void relay_second(void *user)
{
    struct relay *r = user;
    if (r->left > 0)
        relay_pass(r, 1);
    else
        relay_cut(r);
}

static const struct sock_ops relay_ops[2] = {
    {.on_readable = relay_first, .on_sent = relay_first},
    {.on_readable = relay_second, .on_sent = relay_second}};

/* The two outer ends: the server's and the client's. */
static void relay_open(struct relay *r, struct loop *l, size_t octets, bool by_reset,
                       struct sock *outer[static 2])
{
    *r = (struct relay){.left = octets, .by_reset = by_reset};
    for (int i = 0; i < 2; i++) {
        sock_pair(l, &outer[i], &r->ends[i]);
        sock_set_ops(r->ends[i], &relay_ops[i], r);
    }
}

/* ---- the client */

static void stream_ends(struct world *w, struct leg *leg)
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

static void far_head(void *user, struct leg *leg, struct message *m, bool end)
{
}

static void far_body(void *user, struct leg *leg, struct slice data, bool end)
{
    struct world *w = user;
    w->heard += data.len;
    leg->ops->credit(leg, data.len);
    if (end && w->manner == ANSWERS)
        stream_ends(w, leg);
}

static void far_trailers(void *user, struct leg *leg, struct fields *t)
{
}

static void far_sent(void *user, struct leg *leg, size_t octets)
{
}

static void far_reset(void *user, struct leg *leg, const struct leg_fault *why)
{
}

static const struct leg_events far_events = {.on_head = far_head,
                                             .on_body = far_body,
                                             .on_trailers = far_trailers,
                                             .on_sent = far_sent,
                                             .on_reset = far_reset};

static void on_up(void *user)
{
}

static void on_stream(void *user, struct leg *leg, struct message *m, bool end)
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

static void on_goaway(void *user, struct slice debug)
{
    struct world *w = user;
    w->goaways += slice_eq(debug, SLICE("draining"));
    w->streams_at_goaway = w->streams;
}

static void on_closed(void *user, int err, const char *reason)
{
    ((struct world *)user)->client = NULL;
}

static const struct h2_session_ops client_ops = {
    .on_up = on_up, .on_stream = on_stream, .on_goaway = on_goaway, .on_closed = on_closed};

/* A link to a new client, cut after @octets. */
static struct link *attach(struct world *w, size_t octets, bool by_reset)
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
    relay_open(&w->relay, w->worker->loop, octets, by_reset, outer);
    w->client = h2_session_new(w->worker->loop, outer[1], H2_SERVER, &o, &client_ops, w);
    return link_new(w->worker, outer[0], &ticket, &place);
}

static bool is_live(void *user)
{
    return ((struct world *)user)->tunnel->state == TUNNEL_LIVE;
}

/* ---- the viewer */

static void viewer_readable(void *user)
{
    struct viewer_end *v = user;
    char chunk[4096];
    ssize_t n;
    while ((n = sock_read(v->sock, chunk, sizeof chunk)) > 0)
        assert_int_equal(buf_append(&v->got, slice_make(chunk, (size_t)n)), 0);
    v->ended |= n != ERR_AGAIN;
}

static const struct sock_ops viewer_ops = {.on_readable = viewer_readable};

static void viewer_connect(struct world *w)
{
    struct sock *edge;
    buf_init(&w->viewer.got, 16 << 20);
    w->viewer.ended = false;
    sock_pair(w->worker->loop, &w->viewer.sock, &edge);
    sock_set_ops(w->viewer.sock, &viewer_ops, &w->viewer);
    edge_new(w->worker, edge);
}

static void viewer_leave(struct world *w)
{
    sock_close(w->viewer.sock);
    w->viewer.sock = NULL;
    buf_release(&w->viewer.got);
}

static void say(struct world *w, const char *text)
{
    sock_write(w->viewer.sock, slice_str(text));
}

static void upload(struct world *w)
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

static bool has(const struct viewer_end *v, const char *text)
{
    struct slice got = buf_slice(&v->got);
    return memmem(got.ptr, got.len, text, strlen(text)) != NULL;
}

static bool viewer_done(void *user)
{
    return ((struct world *)user)->viewer.ended;
}

/* ---- the world */

static struct world *world_new(const char *hold)
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
    w->server.directory = directory_new(NULL, NULL);
    memory_init(&w->server.memory, 1 << 30);
    w->worker = worker_new(&w->server, 0);
    w->server.workers = &w->worker;
    w->server.n_workers = 1;
    assert_int_equal(
        registry_claim(w->worker->registry, SLICE("app"), alice, true, &w->tunnel, &retry_after),
        0);
    return w;
}

static bool after_turns(void *user)
{
    return --*(int *)user == 0;
}

/* Long enough for octets to pass every pair there and back. */
static void settle(struct world *w)
{
    int turns = 40;
    turns_until(w->worker->loop, after_turns, &turns);
}

static void world_free(struct world *w)
{
    char command[128];
    worker_stop(w->worker);
    viewer_leave(w);
    relay_cut(&w->relay);
    if (w->client != NULL)
        h2_session_close(w->client, 0);
    settle(w);
    assert_int_equal(stat_get(&w->worker->stats.exchanges_open), 0);
    assert_int_equal(stat_get(&w->worker->stats.websockets_open), 0);
    assert_int_equal(stat_get(&w->worker->stats.edges_open), 0);
    assert_int_equal(stat_get(&w->worker->stats.links_open), 0);
    worker_free(w->worker);
    directory_free(w->server.directory);
    trust_free(w->server.trust);
    config_deinit(&w->config);
    snprintf(command, sizeof command, "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
    free(w);
}

/* ---- tests */

/* How many octets a whole upload and its answer take on the link. */
static size_t octets_of_an_exchange(void)
{
    struct world *w = world_new("0");
    viewer_connect(w);
    attach(w, ENOUGH, false);
    turns_until(w->worker->loop, is_live, w);
    upload(w);
    turns_until(w->worker->loop, viewer_done, w);
    assert_true(has(&w->viewer, "HTTP/1.1 200 OK\r\n"));
    assert_int_equal(w->heard, UPLOAD);
    settle(w);
    size_t octets = ENOUGH - w->relay.left;
    world_free(w);
    return octets;
}

/* Whole or visibly not: a 200 has its last chunk only behind all of the body. */
static void check_verdict(struct world *w, size_t cut)
{
    const struct viewer_end *v = &w->viewer;
    struct slice got = buf_slice(&v->got);
    bool whole = slice_ends(got, SLICE("0\r\n\r\n"));
    if (has(v, "HTTP/1.1 200 OK\r\n") && whole && got.len < ANSWER)
        fail_msg("cut after %zu: looks whole", cut);
    if (!has(v, "HTTP/1.1 200 ") && !has(v, "HTTP/1.1 502 ") && !has(v, "HTTP/1.1 503 "))
        fail_msg("cut after %zu: no answer but %.*s", cut, SLICE_FMT(got));
}

static void cut_after(size_t octets, bool by_reset)
{
    struct world *w = world_new("0");
    viewer_connect(w);
    attach(w, octets, by_reset);
    settle(w);
    upload(w);
    turns_until(w->worker->loop, viewer_done, w);
    check_verdict(w, octets);
    viewer_leave(w);
    relay_cut(&w->relay);
    settle(w);
    assert_null(w->client);
    attach(w, ENOUGH, false);
    turns_until(w->worker->loop, is_live, w);
    viewer_connect(w);
    upload(w);
    turns_until(w->worker->loop, viewer_done, w);
    assert_true(has(&w->viewer, "HTTP/1.1 200 OK\r\n"));
    world_free(w);
}

/* F4, F5, H12 */
static void test_link_cut_after_any_octet(void **state)
{
    size_t all = octets_of_an_exchange();
    for (size_t octets = 1; octets < all; octets += octets < 600 || octets + 200 > all ? 1 : 17)
        cut_after(octets, octets % 2 == 0);
}

/* At each stage the worker stops, or the link goes in one of its ways: nothing is used afterwards,
 * nothing is left over. */
enum stage { ATTACHING, HELD, OPEN, BODY_RUNS, UPGRADED, STAGES };
enum end {
    WORKER_STOPS,
    LINK_CLOSES,
    LINK_DRAINS,
    LINK_TAKEN_OVER,
    LINK_REPLACED,
    CLIENT_LEAVES,
    VIEWER_LEAVES,
    RELAY_CUTS,
    ENDS
};

static const char get[] = "GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
static const char websocket[] =
    "GET / HTTP/1.1\r\nHost: app.example.com\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

static struct link *reach(struct world *w, enum stage stage)
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

static void end_by(struct world *w, struct link *l, enum end how)
{
    switch (how) {
    case WORKER_STOPS:
        worker_stop(w->worker);
        break;
    case LINK_CLOSES:
        link_close(l, 0);
        break;
    case LINK_DRAINS:
        link_drain(l);
        break;
    case LINK_TAKEN_OVER:
        link_take_over(l);
        break;
    case LINK_REPLACED:
        link_replace(l);
        break;
    case CLIENT_LEAVES:
        if (w->client != NULL)
            h2_session_goaway(w->client, SLICE(""));
        break;
    case VIEWER_LEAVES:
        sock_abort(w->viewer.sock);
        w->viewer.sock = NULL;
        break;
    case RELAY_CUTS:
        relay_cut(&w->relay);
        break;
    case ENDS:
        break;
    }
}

static void test_every_end_at_every_stage(void **state)
{
    for (int stage = 0; stage < STAGES; stage++)
        for (int how = 0; how < ENDS; how++) {
            struct world *w = world_new("4s");
            struct link *l = reach(w, (enum stage)stage);
            if (l != NULL || how == WORKER_STOPS || how == VIEWER_LEAVES)
                end_by(w, l, (enum end)how);
            settle(w);
            world_free(w);
        }
}

static bool no_links(void *user)
{
    return list_empty(&((struct world *)user)->worker->links);
}

/* A request may ask too soon: then it is told when to ask again, not that it has. */
static void test_probe(void **state)
{
    struct world *w = world_new("4s");
    struct link *l = reach(w, OPEN);
    uint64_t wait = link_probe(l, 60000, 50);
    assert_in_range(wait, 1, 60000);
    settle(w);
    assert_false(no_links(w));
    assert_int_equal(link_probe(l, 0, 1000), 0); /* the client answers that */
    settle(w);
    assert_false(no_links(w));
    for (int i = 0; i < 2; i++)
        sock_pause(w->relay.ends[i]);
    uint64_t start = clock_now_us();
    assert_int_equal(link_probe(l, 0, 50), 0);
    turns_until(w->worker->loop, no_links, w);
    assert_true(clock_now_us() - start >= 50 * 1000);
    world_free(w);
}

static bool viewer_heard_close(void *user)
{
    return has(&((struct world *)user)->viewer, "\x88") && viewer_done(user);
}

static bool client_gone(void *user)
{
    return ((struct world *)user)->client == NULL;
}

static void ask_once(struct world *w)
{
    viewer_connect(w);
    upload(w);
    turns_until(w->worker->loop, viewer_done, w);
    assert_true(has(&w->viewer, "HTTP/1.1 200 "));
    assert_true(buf_len(&w->viewer.got) > ANSWER);
    viewer_leave(w);
}

/* contract 3, row 27: the stream that takes the last id below 2^30 is answered where it is, the
 * link is asked to make room, and what comes then waits for the next link. Each POST arrives once.
 */
static void test_ids_run_out(void **state)
{
    struct world *w = world_new("4s");
    struct link *l = attach(w, ENOUGH, false);
    turns_until(w->worker->loop, is_live, w);
    assert_int_equal(nghttp2_session_set_next_stream_id(l->session->ng, (1 << 30) - 3), 0);
    ask_once(w);
    assert_int_equal(w->goaways, 0);
    ask_once(w);
    assert_int_equal(w->goaways, 1);
    assert_int_equal(w->streams_at_goaway, 2); /* its head came first */
    turns_until(w->worker->loop, client_gone, w);
    relay_cut(&w->relay);
    viewer_connect(w);
    upload(w);
    settle(w);
    assert_false(w->viewer.ended);
    assert_int_equal(w->streams, 2);
    attach(w, ENOUGH, false);
    turns_until(w->worker->loop, viewer_done, w);
    assert_true(has(&w->viewer, "HTTP/1.1 200 "));
    assert_int_equal(w->streams, 3);
    assert_int_equal(w->heard, 3 * UPLOAD);
    world_free(w);
}

/* W8 */
static void test_websocket_of_a_cut_link_gets_1012(void **state)
{
    struct world *w = world_new("4s");
    reach(w, UPGRADED);
    relay_cut(&w->relay);
    turns_until(w->worker->loop, viewer_heard_close, w);
    assert_true(has(&w->viewer, "\x03\xf4"));
    world_free(w);
}

static bool no_edges(void *user)
{
    return stat_get(&((struct world *)user)->worker->stats.edges_open) == 0;
}

/* Its FIN is no reason to drop the answers that it has not taken yet (RFC 9112 9.6). */
static void test_queued_answers_outlive_the_viewers_fin(void **state)
{
    static const char ask[] = "GET /api/health HTTP/1.1\r\nHost: example.com\r\n\r\n";
    struct world *w = world_new("0");
    viewer_connect(w);
    say(w, ask);
    settle(w);
    size_t one = buf_len(&w->viewer.got),
           count = 280 * 1024 / one; /* more than the pair holds, less than what stops the edge */
    sock_pause(w->viewer.sock);
    for (size_t i = 0; i < count; i++)
        say(w, ask);
    sock_shutdown(w->viewer.sock);
    turns_until(w->worker->loop, no_edges, w);
    sock_resume(w->viewer.sock);
    turns_until(w->worker->loop, viewer_done, w);
    assert_int_equal(buf_len(&w->viewer.got), (count + 1) * one);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_cut_after_any_octet),
        cmocka_unit_test(test_every_end_at_every_stage),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_ids_run_out),
        cmocka_unit_test(test_websocket_of_a_cut_link_gets_1012),
        cmocka_unit_test(test_queued_answers_outlive_the_viewers_fin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
