/* What can go wrong around a session: resets at the worst moment, peers that misbehave, owners that
 * let go inside any callback. */
#include "turns.h"

#include <stdlib.h>

#include "h2mux/h2mux.h"

static const struct h2_options defaults = {
    .max_streams = 100,
    .ping_timeout_ms = 2000,
    .settings_timeout_ms = 2000,
    .buffer_limit = 32 << 20,
    .stall_ms = 10000,
};

/* ---- two sessions, and an owner that lets go of something inside one chosen callback */

enum moment {
    ON_NOTHING,
    ON_UP,
    ON_ACKED,
    ON_STREAM,
    ON_GOAWAY,
    ON_IDLE,
    ON_HEAD,
    ON_BODY,
    ON_TRAILERS,
    ON_SENT,
    ON_RESET,
    MOMENTS
};
enum deed { CLOSE_OWN, CLOSE_OTHER, CLOSE_BOTH, RESET_STREAM, GOAWAY, DEEDS };

struct world;

/* One end of a stream. */
struct end {
    struct side *side;
    struct leg *leg; /* NULL once it was reset or both directions are over */
    bool said, heard;
};

enum { ENDS = 16 };

struct side {
    struct world *world;
    struct h2_session *session; /* NULL once it is closed */
    bool up, acked, closed;
    int err, streams, resets, rooms;
    struct end ends[ENDS]; /* of the first streams */
    struct leg_fault fault;
};

struct world {
    struct loop *loop;
    struct sock *ends[2];
    struct side opener, server;
    const struct side *actor; /* whose callback it happens in; NULL: anybody's */
    enum moment moment;
    enum deed deed;
    bool done;
};

static struct side *other_side(struct side *s)
{
    return s == &s->world->opener ? &s->world->server : &s->world->opener;
}

static void side_close(struct side *s)
{
    struct h2_session *session = s->session;
    s->session = NULL;
    if (session != NULL)
        h2_session_close(session, 0);
}

static void end_reset(struct end *e)
{
    struct leg_fault why = {.err = ERR_CLOSED};
    struct leg *leg = e->leg;
    e->leg = NULL;
    if (leg != NULL)
        leg->ops->reset(leg, &why);
}

static void side_reset(struct side *s)
{
    for (size_t i = 0; i < ENDS; i++)
        end_reset(&s->ends[i]);
}

/* The deed, once, if this is its moment. */
static void act(struct side *s, enum moment m)
{
    struct world *w = s->world;
    if (w->done || w->moment != m || (w->actor != NULL && w->actor != s))
        return;
    w->done = true;
    switch (w->deed) {
    case CLOSE_BOTH:
        side_close(s);
        side_close(other_side(s));
        break;
    case CLOSE_OWN:
        side_close(s);
        break;
    case CLOSE_OTHER:
        side_close(other_side(s));
        break;
    case RESET_STREAM:
        side_reset(s);
        break;
    case GOAWAY:
        if (s->session != NULL)
            h2_session_goaway(s->session, SLICE("bye"));
        break;
    case DEEDS:
        break;
    }
}

static void forget_if_over(struct end *e)
{
    if (e->said && e->heard)
        e->leg = NULL;
}

static void on_head(void *x, struct leg *leg, struct message *m, bool end)
{
    struct end *e = x;
    e->heard = end;
    forget_if_over(e);
    act(e->side, ON_HEAD);
}

static void on_body(void *x, struct leg *leg, struct slice data, bool end)
{
    struct end *e = x;
    e->heard = end;
    leg->ops->credit(leg, data.len);
    forget_if_over(e);
    act(e->side, ON_BODY);
}

static void on_trailers(void *x, struct leg *leg, struct fields *t)
{
    struct end *e = x;
    e->heard = true;
    forget_if_over(e);
    act(e->side, ON_TRAILERS);
}

static void on_sent(void *x, struct leg *leg, size_t octets)
{
    act(((struct end *)x)->side, ON_SENT);
}

static void on_reset(void *x, struct leg *leg, const struct leg_fault *why)
{
    struct end *e = x;
    e->leg = NULL;
    e->side->resets++;
    e->side->fault = *why;
    act(e->side, ON_RESET);
}

static const struct leg_events events = {.on_head = on_head,
                                         .on_body = on_body,
                                         .on_trailers = on_trailers,
                                         .on_sent = on_sent,
                                         .on_reset = on_reset};

static void on_up(void *user)
{
    ((struct side *)user)->up = true;
    act(user, ON_UP);
}

static void on_acked(void *user)
{
    ((struct side *)user)->acked = true;
    act(user, ON_ACKED);
}

static void on_goaway(void *user, struct slice debug)
{
    act(user, ON_GOAWAY);
}

static void on_room(void *user)
{
    ((struct side *)user)->rooms++;
}

static void on_idle(void *user)
{
    act(user, ON_IDLE);
}

static void on_closed(void *user, int err, const char *reason)
{
    struct side *s = user;
    s->closed = true;
    s->err = err;
    s->session = NULL;
}

static void answer(struct end *e)
{
    struct message m;
    struct fields t;
    message_init(&m);
    m.status = 200;
    e->leg->ops->head(e->leg, &m, false);
    message_deinit(&m);
    e->leg->ops->body(e->leg, SLICE("hello"), false);
    fields_init(&t);
    fields_add(&t, SLICE("x-sum"), SLICE("1"));
    e->said = true;
    e->leg->ops->trailers(e->leg, &t);
    fields_deinit(&t);
    forget_if_over(e);
}

static struct end *end_new(struct side *s, struct leg *leg)
{
    static struct end none;
    struct end *e = s->streams < ENDS ? &s->ends[s->streams] : &none;
    s->streams++;
    *e = (struct end){.side = s, .leg = leg};
    return e;
}

static void on_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct end *e = end_new(user, leg);
    e->heard = end;
    leg_tie(leg, &events, e);
    act(user, ON_STREAM);
    if (e->leg == leg && slice_eq(m->path, SLICE("/answer")))
        answer(e);
}

static const struct h2_session_ops ops = {
    .on_up = on_up,
    .on_acked = on_acked,
    .on_stream = on_stream,
    .on_goaway = on_goaway,
    .on_room = on_room,
    .on_idle = on_idle,
    .on_closed = on_closed,
};

static struct world *world_new(const struct h2_options *o)
{
    struct world *w = xcalloc(1, sizeof *w);
    w->opener.world = w->server.world = w;
    w->loop = loop_new();
    sock_pair(w->loop, &w->ends[0], &w->ends[1]);
    w->opener.session = h2_session_new(w->loop, w->ends[0], H2_OPENER, o, &ops, &w->opener);
    w->server.session = h2_session_new(w->loop, w->ends[1], H2_SERVER, o, &ops, &w->server);
    return w;
}

static bool both_up(void *user)
{
    const struct world *w = user;
    return w->opener.up && w->server.acked;
}

static struct world *world_up(const struct h2_options *o)
{
    struct world *w = world_new(o);
    turns_until(w->loop, both_up, w);
    return w;
}

static bool at_once(void *user)
{
    return true;
}

/* Once more round: what was deferred and condemned has run. */
static void settle(struct world *w)
{
    for (int i = 0; i < 4; i++)
        turns_until(w->loop, at_once, w);
}

static void world_free(struct world *w)
{
    side_close(&w->opener);
    side_close(&w->server);
    settle(w);
    loop_free(w->loop);
    free(w);
}

/* NULL: the session takes none. */
static struct end *ask(struct world *w, const char *path, bool end)
{
    struct message m;
    if (w->opener.session == NULL || !h2_session_can_open(w->opener.session))
        return NULL;
    message_init(&m);
    m.method = SLICE("POST");
    m.scheme = SLICE("https");
    m.authority = SLICE("demo.example.com");
    m.path = slice_str(path);
    struct end *e = end_new(&w->opener, NULL);
    e->leg = h2_stream_open(w->opener.session, &m, end, &events, e);
    e->said = end;
    message_deinit(&m);
    assert_non_null(e->leg);
    return e;
}

static void tell(struct end *e, struct slice data, bool end)
{
    struct leg *leg = e->leg;
    e->said = end;
    forget_if_over(e);
    if (leg != NULL)
        leg->ops->body(leg, data, end);
}

/* ---- letting go */

/* Anything may be let go of in any callback: nothing is used afterwards (ASan judges) and the other
 * side comes to an end too. */
static void let_go_at(enum moment moment, enum deed deed, bool server_acts)
{
    struct world *w = world_new(&defaults);
    w->moment = moment;
    w->deed = deed;
    w->actor = server_acts ? &w->server : &w->opener;
    settle(w);
    for (int i = 0; i < 3; i++) {
        struct end *e = ask(w, "/answer", false);
        if (e != NULL)
            tell(e, SLICE("question"), i > 0);
    }
    settle(w);
    side_reset(&w->opener);
    settle(w);
    if (w->opener.session != NULL)
        h2_session_goaway(w->opener.session, SLICE("draining"));
    if (w->server.session != NULL)
        h2_session_goaway(w->server.session, SLICE("draining"));
    settle(w);
    world_free(w);
}

static void test_let_go_inside_any_callback(void **state)
{
    for (int moment = ON_NOTHING; moment < MOMENTS; moment++)
        for (int deed = 0; deed < DEEDS; deed++) {
            let_go_at((enum moment)moment, (enum deed)deed, false);
            let_go_at((enum moment)moment, (enum deed)deed, true);
        }
}

/* ---- resets behind a full socket */

enum { UPLOADS = ENDS, UPLOAD = 64 * 1024 };

/* Uploads that fill the pair, the sock's queue and the chunk, so that a DATA frame is made and
 * cannot leave. */
static void get_stuck(struct world *w, bool complete)
{
    static char data[UPLOAD];
    sock_pause(w->ends[1]);
    for (int i = 0; i < UPLOADS; i++)
        tell(ask(w, "/upload", false), slice_make(data, UPLOAD), complete);
    settle(w);
    assert_true(sock_queued(w->ends[0]) > 0);
}

static bool all_over(void *user)
{
    const struct world *w = user;
    return h2_session_open_streams(w->opener.session) == 0 && w->server.resets == UPLOADS;
}

static void reset_while_stuck(const struct h2_options *o, bool complete)
{
    struct world *w = world_up(o);
    get_stuck(w, complete);
    side_reset(&w->opener);
    settle(w);
    sock_resume(w->ends[1]);
    turns_until(w->loop, all_over, w);
    assert_int_equal(w->server.streams, UPLOADS);
    assert_int_equal(w->server.fault.h2_code, 8 /* CANCEL */);
    for (int i = 0; i < UPLOADS; i++)
        assert_false(w->server.ends[i].heard);
    world_free(w);
}

/* The frame's length was promised before the stream was given up: its octets are still there to be
 * sent. */
static void test_reset_of_a_frame_that_cannot_leave(void **state)
{
    reset_while_stuck(&defaults, false);
}

/* H12: a reset that waits for its token must not end the stream in order meanwhile. */
static void test_frozen_stream_never_looks_complete(void **state)
{
    struct h2_options o = defaults;
    o.reset_burst = 1;
    o.reset_rate = 100;
    reset_while_stuck(&o, false);
}

static bool no_streams(void *user)
{
    return h2_session_open_streams(((struct world *)user)->opener.session) == 0;
}

/* H12: nor when the viewer had sent all of it, of which only a part has left. */
static void test_given_up_tail_never_looks_complete(void **state)
{
    struct h2_options o = defaults;
    o.reset_burst = 1;
    o.reset_rate = 100;
    struct world *w = world_up(&o);
    static char data[3 * UPLOAD];
    struct end *e[2] = {ask(w, "/upload", false), ask(w, "/upload", false)};
    sock_pause(w->ends[1]);
    for (int i = 0; i < 2; i++)
        tell(e[i], slice_make(data, sizeof data), true);
    settle(w);
    for (int i = 0; i < 2; i++)
        end_reset(e[i]);
    sock_resume(w->ends[1]);
    turns_until(w->loop, no_streams, w);
    assert_int_equal(w->server.resets, 2);
    assert_false(w->server.ends[0].heard || w->server.ends[1].heard);
    world_free(w);
}

/* ---- GOAWAY */

static bool opener_reset(void *user)
{
    return ((struct world *)user)->opener.resets > 0;
}

/* F4: the client said goodbye while the request was about to leave: it did nothing with it, so it
 * may be sent again. */
static void test_request_behind_goaway_is_unprocessed(void **state)
{
    struct world *w = world_up(&defaults);
    h2_session_goaway(w->server.session, SLICE(""));
    ask(w, "/answer", true);
    turns_until(w->loop, opener_reset, w);
    assert_true(w->opener.fault.unprocessed);
    assert_int_equal(w->server.streams, 0);
    world_free(w);
}

/* ---- a peer that speaks frames by hand */

struct peer {
    struct world w; /* the opener's side is used, or the server's */
    struct sock *sock;
};

static void swallow(void *user)
{
    struct peer *p = user;
    char chunk[4096];
    while (sock_read(p->sock, chunk, sizeof chunk) > 0)
        continue;
}

static const struct sock_ops peer_ops = {.on_readable = swallow};

static void send_frame(struct peer *p, uint8_t type, uint8_t flags, uint32_t id,
                       struct slice payload)
{
    const uint8_t head[9] = {(uint8_t)(payload.len >> 16),
                             (uint8_t)(payload.len >> 8),
                             (uint8_t)payload.len,
                             type,
                             flags,
                             (uint8_t)(id >> 24),
                             (uint8_t)(id >> 16),
                             (uint8_t)(id >> 8),
                             (uint8_t)id};
    sock_write(p->sock, slice_make((const char *)head, sizeof head));
    sock_write(p->sock, payload);
}

enum {
    FRAME_HEADERS = 1,
    FRAME_RST = 3,
    FRAME_SETTINGS = 4,
    FRAME_PING = 6,
    FRAME_GOAWAY = 7,
    FRAME_WINDOW_UPDATE = 8
};

static struct peer *peer_new(enum h2_role ours, const struct h2_options *o)
{
    struct peer *p = xcalloc(1, sizeof *p);
    struct side *s = ours == H2_OPENER ? &p->w.opener : &p->w.server;
    struct sock *end;
    p->w.loop = loop_new();
    s->world = &p->w;
    sock_pair(p->w.loop, &end, &p->sock);
    sock_set_ops(p->sock, &peer_ops, p);
    s->session = h2_session_new(p->w.loop, end, ours, o, &ops, s);
    if (ours == H2_SERVER)
        sock_write(p->sock, SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    send_frame(p, FRAME_SETTINGS, 0, 0, SLICE(""));
    return p;
}

static void peer_free(struct peer *p)
{
    side_close(&p->w.opener);
    side_close(&p->w.server);
    sock_close(p->sock);
    settle(&p->w);
    loop_free(p->w.loop);
    free(p);
}

static bool is_over(void *user)
{
    const struct peer *p = user;
    return p->w.opener.closed || p->w.server.closed;
}

/* POST / to "a", by the static table: a request of six octets whose body is to come. */
static void send_request(struct peer *p, uint32_t id)
{
    send_frame(p, FRAME_HEADERS, 4, id, SLICE("\x83\x87\x84\x41\x01\x61"));
}

/* F9: more of what costs us and says nothing than any honest peer sends (http-rules 4, glitch
 * budget). */
static void test_nuisance_costs_the_link(void **state)
{
    static const struct {
        const char *name;
        uint8_t type, flags;
        struct slice payload;
    } rows[] = {
        {"answers to no PING", FRAME_PING, 1, {"12345678", 8}},
        {"GOAWAY", FRAME_GOAWAY, 0, {"\0\0\0\0\0\0\0\0", 8}},
        {"tiny WINDOW_UPDATE", FRAME_WINDOW_UPDATE, 0, {"\0\0\0\1", 4}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer *p = peer_new(H2_SERVER, &defaults);
        send_request(p, 1);
        for (int n = 0; n < 12000; n++)
            send_frame(p, rows[i].type, rows[i].flags, 0, rows[i].payload);
        turns_until(p->w.loop, is_over, p);
        if (p->w.server.err != ERR_ABUSE)
            fail_msg("%s: %s", rows[i].name, err_text(p->w.server.err));
        peer_free(p);
    }
}

/* F9: CVE-2025-8671: the peer makes us reset streams by frames that are wrong, stream after stream.
 */
static void test_resets_that_we_were_made_to_send_cost_the_link(void **state)
{
    struct peer *p = peer_new(H2_SERVER, &defaults);
    for (uint32_t n = 0; n < 12000; n++) {
        send_request(p, 2 * n + 1);
        send_frame(p, FRAME_WINDOW_UPDATE, 0, 2 * n + 1, SLICE("\x7f\xff\xff\xff"));
    }
    turns_until(p->w.loop, is_over, p);
    assert_int_equal(p->w.server.err, ERR_ABUSE);
    peer_free(p);
}

/* nghttp2 ignores them and tells nobody. What was under way when the stream ended is no nuisance.
 */
static void test_frames_of_a_stream_that_is_over(void **state)
{
    static const struct {
        const char *name;
        int count;
        int err;
    } rows[] = {
        {"crossing", 10000, 0},
        {"nuisance", 12000, ERR_ABUSE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer *p = peer_new(H2_SERVER, &defaults);
        send_request(p, 1);
        for (int n = 0; n <= rows[i].count; n++)
            send_frame(p, FRAME_RST, 0, 1, SLICE("\0\0\0\10"));
        settle(&p->w);
        if (p->w.server.err != rows[i].err)
            fail_msg("%s: %s", rows[i].name, err_text(p->w.server.err));
        peer_free(p);
    }
}

/* Padding is no body. */
static void test_padding_alone_costs_the_link(void **state)
{
    enum { DATA = 0, PADDED = 8 };
    struct peer *p = peer_new(H2_SERVER, &defaults);
    send_request(p, 1);
    for (int n = 0; n < 12000; n++)
        send_frame(p, DATA, PADDED, 1, SLICE("\3\0\0\0"));
    turns_until(p->w.loop, is_over, p);
    assert_int_equal(p->w.server.err, ERR_ABUSE);
    peer_free(p);
}

static bool is_up(void *user)
{
    return ((struct peer *)user)->w.opener.up;
}

static bool has_room(void *user)
{
    return ((struct peer *)user)->w.opener.rooms > 0;
}

/* A limit that is raised when all streams are in use lets those that wait go on. */
static void test_raised_limit_is_told(void **state)
{
    struct peer *p = peer_new(H2_OPENER, &defaults);
    turns_until(p->w.loop, is_up, p);
    assert_int_equal(p->w.opener.rooms, 0);
    send_frame(p, FRAME_SETTINGS, 0, 0, SLICE("\0\3\0\0\0\5"));
    turns_until(p->w.loop, has_room, p);
    assert_int_equal(h2_session_peer_limit(p->w.opener.session), 5);
    peer_free(p);
}

/* A probe that any octet answered is over: the next one asks anew and has its own time. */
static void test_probe_after_an_answered_probe(void **state)
{
    struct h2_options o = defaults;
    o.ping_timeout_ms = 300;
    struct peer *p = peer_new(H2_OPENER, &o);
    turns_until(p->w.loop, is_up, p); /* the first PING is out, its answer never comes */
    send_frame(p, FRAME_WINDOW_UPDATE, 0, 0, SLICE("\0\0\x10\0"));
    settle(&p->w);
    uint64_t before = loop_now_us(p->w.loop);
    h2_session_probe(p->w.opener.session, 600);
    turns_until(p->w.loop, is_over, p);
    assert_int_equal(p->w.opener.err, ERR_TIMEOUT);
    assert_in_range(loop_now_us(p->w.loop) - before, 500000, 1500000);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_let_go_inside_any_callback),
        cmocka_unit_test(test_reset_of_a_frame_that_cannot_leave),
        cmocka_unit_test(test_frozen_stream_never_looks_complete),
        cmocka_unit_test(test_given_up_tail_never_looks_complete),
        cmocka_unit_test(test_request_behind_goaway_is_unprocessed),
        cmocka_unit_test(test_nuisance_costs_the_link),
        cmocka_unit_test(test_resets_that_we_were_made_to_send_cost_the_link),
        cmocka_unit_test(test_frames_of_a_stream_that_is_over),
        cmocka_unit_test(test_padding_alone_costs_the_link),
        cmocka_unit_test(test_raised_limit_is_told),
        cmocka_unit_test(test_probe_after_an_answered_probe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
