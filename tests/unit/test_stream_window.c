/* SPDX-License-Identifier: MIT */
/* test_stream_window.c - the windows of streams as they begin on a long line, while SETTINGS,
 * acknowledgements, DATA and credit cross, and while slow readers lose their windows: a session of
 * ours, and a plain nghttp2 session that sends bodies to it. Whatever the order, in the end the
 * sender has the window that was granted. */
#include "stock.h"
#include "turns.h"

#include <stdlib.h>

#include "h2mux/h2/session_int.h"

enum { KI = 1024, MI = 1024 * KI, LINE_RATE = 125000000 };
enum { SEEDS = 60, STEPS = 1500, OPEN_MOST = 170 };

/* What our side knows of a stream: it reads what comes when the test says so. */
struct reader {
    struct leg *leg; /* NULL: over */
    size_t held, got;
    uint64_t taken, takes; /* each time that its system is asked, it has taken so much more */
    bool known;            /* it has a system that can be asked */
};

struct world {
    struct loop *loop;
    struct h2_session *session;
    struct sock *wire;  /* the peer's end */
    struct buf to_peer; /* frames that have left and have not been delivered */
    struct stock peer;  /* sends the bodies; peer.out has not been delivered either */
    struct reader readers[STOCK_STREAMS];
    size_t n_readers, open;
    uint64_t seed, look_us;
};

/* ---- our side */

static void on_head(void *x, struct leg *leg, struct message *m, bool end)
{
}

static void on_body(void *x, struct leg *leg, struct slice data, bool end)
{
    struct reader *r = x;
    r->held += data.len;
    r->got += data.len;
}

static void on_trailers(void *x, struct leg *leg, struct fields *t)
{
}

static void on_sent(void *x, struct leg *leg, size_t bytes)
{
}

static void on_reset(void *x, struct leg *leg, const struct leg_fault *why)
{
    struct reader *r = x;
    r->leg = NULL;
}

static bool on_taken(void *x, struct leg *leg, uint64_t *bytes)
{
    struct reader *r = x;
    *bytes = r->taken += r->takes;
    return r->known;
}

static const struct leg_events events = {.on_head = on_head,
                                         .on_body = on_body,
                                         .on_taken = on_taken,
                                         .on_trailers = on_trailers,
                                         .on_sent = on_sent,
                                         .on_reset = on_reset};

static struct reader *add_reader(struct world *w)
{
    assert_true(w->n_readers < STOCK_STREAMS);
    w->open++;
    return &w->readers[w->n_readers++];
}

static void on_up(void *user)
{
}

static void on_stream(void *user, struct leg *leg, struct message *m, bool end)
{
    struct reader *r = add_reader(user);
    r->leg = leg;
    leg_tie(leg, &events, r);
}

static void on_goaway(void *user, struct slice debug)
{
}

static void on_closed(void *user, int err, const char *reason)
{
    fail_msg("the session has ended: %s", reason);
}

static const struct h2_session_ops session_ops = {
    .on_up = on_up, .on_stream = on_stream, .on_goaway = on_goaway, .on_closed = on_closed};

/* ---- the wire */

static void on_wire(void *user)
{
    struct world *w = user;
    char chunk[16 * 1024];
    for (ssize_t n; (n = sock_read(w->wire, chunk, sizeof chunk)) > 0;)
        assert_int_equal(buf_append(&w->to_peer, slice_make(chunk, (size_t)n)), 0);
}

static const struct sock_ops wire_ops = {.on_readable = on_wire};

static bool always(void *user)
{
    return true;
}

static void settle(struct world *w)
{
    for (int i = 0; i < 4; i++)
        turns_until(w->loop, always, w);
}

static void deliver_to_peer(struct world *w, size_t most)
{
    struct slice data = buf_slice(&w->to_peer);
    data.len = data.len < most ? data.len : most;
    stock_take(&w->peer, data);
    buf_consume(&w->to_peer, data.len);
    stock_frame(&w->peer);
}

static void deliver_to_us(struct world *w, size_t most)
{
    stock_frame(&w->peer);
    struct slice data = buf_slice(&w->peer.out);
    data.len = data.len < most ? data.len : most;
    sock_write(w->wire, data);
    settle(w);
    buf_consume(&w->peer.out, data.len);
}

static void deliver_all(struct world *w)
{
    do {
        deliver_to_peer(w, SIZE_MAX);
        deliver_to_us(w, SIZE_MAX);
    } while (buf_len(&w->to_peer) > 0);
}

/* The peer's SETTINGS come @late_us after our session has begun. */
static void world_open_late(struct world *w, enum h2_role ours, uint64_t late_us)
{
    const struct h2_options options = {
        .line_rate = LINE_RATE,
        .rtt_us = late_us,
        .max_streams = 10000,
        .ping_timeout_ms = 60000,
        .settings_timeout_ms = 60000,
        .buffer_limit = 32 << 20,
        .stall_ms = 60000,
    };
    struct sock *end;
    memset(w, 0, sizeof *w);
    w->loop = loop_new();
    buf_init(&w->to_peer, SIZE_MAX / 2);
    sock_pair(w->loop, &end, &w->wire);
    sock_set_ops(w->wire, &wire_ops, w);
    w->session = h2_session_new(w->loop, end, ours, &options, &session_ops, w);
    w->session->keepalive.created_us -= late_us;
    stock_open(&w->peer, ours == H2_OPENER);
    stock_settings(&w->peer, 0);
    stock_frame(&w->peer);
    settle(w);
    deliver_all(w);
}

static void world_open(struct world *w, enum h2_role ours)
{
    world_open_late(w, ours, 0);
}

static void world_close(struct world *w)
{
    h2_session_close(w->session, 0);
    sock_close(w->wire);
    settle(w);
    loop_free(w->loop);
    buf_release(&w->to_peer);
    stock_close(&w->peer);
}

/* ---- what is done at random */

static uint32_t chance(struct world *w, uint32_t n)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % n;
}

static struct reader *request(struct world *w, struct slice method, struct slice protocol)
{
    struct message m;
    message_init(&m);
    m.method = method;
    m.protocol = protocol;
    m.scheme = SLICE("https");
    m.authority = SLICE("demo.example.com");
    m.path = SLICE("/");
    struct reader *r = add_reader(w);
    r->leg = h2_stream_open(w->session, &m, true, &events, r);
    assert_non_null(r->leg);
    message_deinit(&m);
    settle(w);
    return r;
}

/* Opens a stream, whichever side does that. */
static void open_stream(struct world *w)
{
    if (w->session->host.role == H2_SERVER)
        stock_request(&w->peer);
    else
        request(w, SLICE("GET"), SLICE(""));
}

static void credit(struct reader *r, size_t bytes)
{
    r->held -= bytes;
    if (r->leg)
        r->leg->ops->credit(r->leg, bytes);
}

static void close_stream(struct world *w, struct reader *r)
{
    struct leg_fault why = {.err = ERR_CLOSED};
    struct leg *leg = r->leg;
    if (!leg)
        return;
    w->open--;
    r->leg = NULL;
    leg->ops->reset(leg, &why);
}

/* Closes all but some streams, so that the initial window rises again. */
static void close_crowd(struct world *w)
{
    uint32_t left = chance(w, 20);
    for (size_t i = 0; i < w->n_readers && w->open > left; i++)
        if (chance(w, 4) > 0)
            close_stream(w, &w->readers[i]);
}

static struct reader *any_reader(struct world *w)
{
    return w->n_readers > 0 ? &w->readers[chance(w, (uint32_t)w->n_readers)] : NULL;
}

/* The timer looks for readers that are slow, 11 s later. */
static void look(struct world *w)
{
    w->look_us += 11000000;
    stream_host_look_for_slow(&w->session->host, w->look_us, false);
    settle(w);
}

/* A reader becomes slow or fast. */
static void change_reader(struct world *w)
{
    struct reader *r = any_reader(w);
    if (r) {
        r->known = chance(w, 4) > 0;
        r->takes = chance(w, 2) > 0 ? 0 : (uint64_t)1 << chance(w, 24);
    }
}

/* Makes windows grow: other streams have learned much, or a round of credit never ends. */
static void make_grow(struct world *w)
{
    struct stream_flow *f = &w->session->host.flow;
    f->learned = chance(w, 3) > 0 ? 0 : 4096u << chance(w, 9);
    f->rtt_us = f->rtt_least_us = chance(w, 2) > 0 ? 1 : 60000000;
    f->line_rate = chance(w, 2) > 0 ? 0 : 1u << chance(w, 18);
    stream_host_fit_line(&w->session->host);
    stream_host_retier(&w->session->host);
}

static void read_some(struct world *w)
{
    struct reader *r = any_reader(w);
    if (r && r->held > 0)
        credit(r, chance(w, 2) > 0 ? r->held : 1 + chance(w, (uint32_t)r->held));
}

static void send_some(struct world *w)
{
    for (size_t n = w->peer.n_streams; n > 0 && chance(w, 6) > 0; n--) {
        struct stock_stream *st = &w->peer.streams[chance(w, (uint32_t)w->peer.n_streams)];
        if (!st->closed)
            stock_send(&w->peer, st, 1 + chance(w, 80 * KI));
    }
}

static void open_some(struct world *w)
{
    uint32_t n = chance(w, 4) > 0 ? 1 : chance(w, 40);
    while (n-- > 0 && w->open < OPEN_MOST && w->peer.n_streams < STOCK_STREAMS - 50 &&
           w->n_readers < STOCK_STREAMS - 50)
        open_stream(w);
}

static void step(struct world *w)
{
    w->session->host.flow.announced_us = 0; /* a raise need not wait */
    switch (chance(w, 10)) {
    case 0:
        open_some(w);
        break;
    case 1:
        send_some(w);
        break;
    case 2:
    case 3:
        read_some(w);
        break;
    case 4:
        deliver_to_peer(w, chance(w, 3) > 0 ? chance(w, 200) : SIZE_MAX);
        break;
    case 5:
        deliver_to_us(w, chance(w, 3) > 0 ? chance(w, 100 * KI) : SIZE_MAX);
        break;
    case 6:
        change_reader(w);
        break;
    case 7:
        look(w);
        break;
    case 8:
        if (chance(w, 60) == 0)
            close_crowd(w);
        else if (w->n_readers > 0 && chance(w, 4) == 0)
            close_stream(w, any_reader(w));
        break;
    default:
        make_grow(w);
    }
    settle(w);
}

/* ---- what must hold */

/* Everything comes and is read. */
static void read_all(struct world *w)
{
    bool more = true;
    while (more) {
        deliver_all(w);
        more = false;
        for (size_t i = 0; i < w->n_readers; i++) {
            more |= w->readers[i].held > 0;
            if (w->readers[i].held > 0)
                credit(&w->readers[i], w->readers[i].held);
        }
        settle(w);
    }
    deliver_all(w);
}

/* The sender has what was granted, but for the credit that is kept until it is half a window, and
 * besides what it had been granted before its window was made smaller. */
static void check_windows(struct world *w)
{
    LIST_FOREACH (it, &w->session->host.streams) {
        const struct h2_stream *st = CONTAINER_OF(it, struct h2_stream, node);
        nghttp2_session *ng = w->session->host.ng;
        int32_t kept = nghttp2_session_get_stream_effective_recv_data_length(ng, st->id);
        int32_t has = nghttp2_session_get_stream_remote_window_size(w->peer.ng, st->id);
        int32_t size = (int32_t)st->flow.window.size;
        const struct stock_stream *sender = stock_find(&w->peer, st->id);
        int32_t owed = (int32_t)st->flow.owed;
        bool padded = w->peer.padding > 0; /* nghttp2 keeps credit of its own for that */
        bool granted = has + kept == size + owed && 2 * kept <= size;
        if (!(padded ? has > 0 : granted) || sender->left > 0)
            fail_msg("stream %d: window %d, at the sender %d, kept %d, owed %d, %zu bytes wait",
                     st->id, size, has, kept, owed, sender->left);
        assert_true(st->flow.window.size >= stream_host_least(&w->session->host));
    }
}

/* F20, F22: whatever crosses, no stream hangs, and every sender has the window that it was
 * granted. */
static void test_every_order(void **state)
{
    static struct world w;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        world_open(&w, seed % 2 > 0 ? H2_OPENER : H2_SERVER);
        w.seed = seed + 1;
        w.peer.padding = seed % 3 > 0 ? 0 : chance(&w, 255);
        for (int i = 0; i < STEPS; i++)
            step(&w);
        read_all(&w);
        check_windows(&w);
        world_close(&w);
    }
}

/* ---- one order: the 33rd request */

static void send_to_all(struct world *w, size_t bytes)
{
    for (size_t i = 0; i < w->peer.n_streams; i++)
        stock_send(&w->peer, &w->peer.streams[i], bytes);
}

/* F20: the 33rd request lowers the windows of the 32 bodies that run, and credit makes them grow
 * before the peer has acknowledged that. */
static void test_the_33rd_request(void **state)
{
    static struct world w;
    world_open(&w, H2_OPENER);
    for (int i = 0; i < 32; i++)
        open_stream(&w);
    deliver_all(&w);
    send_to_all(&w, 64 * KI);
    deliver_to_us(&w, SIZE_MAX);
    w.session->host.flow.rtt_us = 60000000;
    open_stream(&w);
    for (size_t i = 0; i < w.n_readers; i++)
        credit(&w.readers[i], w.readers[i].held);
    settle(&w);
    assert_int_equal(w.session->host.flow.initial, 16 * KI);
    send_to_all(&w, 1 << 20);
    read_all(&w);
    check_windows(&w);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(w.readers[i].got, 64 * KI + (1 << 20));
    world_close(&w);
}

/* ---- F21, F22: one reader */

enum { LARGE = 512 * KI };

/* Delivers what takes many turns of the loop. */
static void deliver_long(struct world *w, const struct reader *r)
{
    size_t got;
    do {
        got = r->got;
        for (int i = 0; i < 8; i++)
            deliver_all(w);
    } while (r->got > got);
}

/* A body of one stream, whose window is @learned by another and which is full. */
static struct reader *begin_full(struct world *w, uint32_t learned)
{
    world_open(w, H2_OPENER);
    struct stream_flow *f = &w->session->host.flow;
    f->rtt_us = f->rtt_least_us = 1;
    f->learned = learned;
    open_stream(w);
    deliver_all(w);
    struct reader *r = &w->readers[0];
    r->known = true;
    send_to_all(w, 16 << 20);
    deliver_long(w, r);
    return r;
}

/* Reads @total bytes in pieces. Returns the most that was held after a piece and what it let come.
 */
static size_t read_pieces(struct world *w, struct reader *r, size_t total)
{
    size_t most = 0;
    for (size_t piece; total > 0 && r->held > 0; total -= piece) {
        piece = r->held < 8 * KI ? r->held : 8 * KI;
        piece = piece < total ? piece : total;
        credit(r, piece);
        settle(w);
        deliver_all(w);
        most = r->held > most ? r->held : most;
    }
    assert_int_equal(total, 0);
    return most;
}

static uint32_t window_of(const struct world *w)
{
    return CONTAINER_OF(w->session->host.streams.next, struct h2_stream, node)->flow.window.size;
}

/* F21: a kernel takes all at once for a reader that acknowledges nothing. The window stays, though
 * every round of credit is over in no time, and though others have larger ones. */
static void test_credit_alone_earns_nothing(void **state)
{
    static struct world w;
    struct reader *r = begin_full(&w, 0);
    w.session->host.flow.rtt_us = 60000000;
    assert_int_equal(r->held, 64 * KI);
    assert_true(read_pieces(&w, r, 4 << 20) <= 64 * KI);
    w.session->host.flow.learned = LARGE;
    assert_true(read_pieces(&w, r, LARGE) <= 64 * KI);
    assert_int_equal(window_of(&w), 64 * KI);
    r->takes = 64 * KI; /* now it reads */
    read_pieces(&w, r, 256 * KI);
    assert_true(window_of(&w) >= 128 * KI);
    world_close(&w);
}

/* F22: a slow reader with a full window of 512 KiB loses it. As it reads on, no credit goes back
 * until 64 KiB are held, and no more is held from then on. When it has become fast, it earns a
 * larger window again, and all of its body comes. */
static void test_a_slow_reader_loses_its_window(void **state)
{
    static struct world w;
    struct reader *r = begin_full(&w, LARGE);
    assert_int_equal(r->held, LARGE);
    look(&w);
    assert_int_equal(window_of(&w), LARGE);
    look(&w);
    assert_int_equal(window_of(&w), 64 * KI);
    size_t got = r->got;
    read_pieces(&w, r, (LARGE)-64 * KI);
    assert_int_equal(r->got, got);
    assert_int_equal(r->held, 64 * KI);
    assert_true(read_pieces(&w, r, 2 << 20) <= 64 * KI);
    r->takes = LARGE;
    read_pieces(&w, r, 256 * KI);
    assert_true(window_of(&w) > 64 * KI);
    read_all(&w);
    assert_int_equal(r->got, 16 << 20);
    check_windows(&w);
    world_close(&w);
}

/* F22: credit that the sender has not used yet is withheld too, as its bytes come. */
static void test_a_slow_reader_of_a_slow_sender(void **state)
{
    static struct world w;
    struct reader *r = begin_full(&w, 0);
    w.session->host.flow.learned = LARGE;
    r->known = false;
    read_all(&w);
    r->known = true;
    uint32_t large = window_of(&w);
    assert_true(large >= LARGE); /* more if the round trip that was measured is a long one */
    send_to_all(&w, 100 * KI);
    deliver_all(&w);
    look(&w);
    look(&w);
    assert_int_equal(window_of(&w), 64 * KI);
    send_to_all(&w, 4 << 20);
    deliver_long(&w, r);
    assert_true(r->held <= large);
    read_pieces(&w, r, r->held - 64 * KI);
    assert_true(read_pieces(&w, r, LARGE) <= 64 * KI);
    world_close(&w);
}

/* Sends @frames frames of a byte and 254 bytes of padding, whose credit nghttp2 keeps by itself. */
static void send_padded(struct world *w, struct reader *r, int frames)
{
    w->peer.padding = 255;
    for (int i = 0; i < frames; i++) {
        send_to_all(w, 1);
        deliver_all(w);
        if (i + 1 < frames)
            credit(r, r->held);
    }
    w->peer.padding = 0;
}

/* F22: padding whose credit has not gone back, before a window is made smaller or after that, does
 * not stop the stream. */
static void test_padding_of_a_slow_reader(void **state)
{
    static const struct {
        int before, after;
    } rows[] = {{900, 0}, {1, 160}, {1, 250}, {900, 160}};
    static struct world w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reader *r = begin_full(&w, 0);
        r->known = false;
        w.session->host.flow.learned = LARGE;
        read_all(&w);
        r->known = true;
        send_padded(&w, r, rows[i].before);
        look(&w);
        look(&w);
        assert_int_equal(window_of(&w), 64 * KI);
        send_padded(&w, r, rows[i].after);
        send_to_all(&w, 4 << 20);
        read_all(&w);
        assert_int_equal(r->got, (20 << 20) + rows[i].before + rows[i].after);
        world_close(&w);
    }
}

/* ---- F80, F82: the start of a body's window */

/* What the sender of the stream with @id may send, once all that has left has come. */
static int32_t window_at_peer(struct world *w, int32_t id)
{
    deliver_to_peer(w, SIZE_MAX);
    return nghttp2_session_get_stream_remote_window_size(w->peer.ng, id);
}

/* Opens @n streams. Returns the id of the last one. */
static int32_t open_streams(struct world *w, int n)
{
    while (n-- > 0)
        open_stream(w);
    return (int32_t)nghttp2_session_get_next_stream_id(w->session->host.ng) - 2;
}

/* Opens a link whose line has a round trip of 100 ms, of which no PING has told. */
static struct stream_flow *begin_long(struct world *w)
{
    world_open_late(w, H2_OPENER, 100000);
    struct stream_flow *f = &w->session->host.flow;
    assert_true(f->rtt_begin_us >= 100000 && f->rtt_begin_us < 10000000);
    f->rtt_us = f->rtt_least_us = 0;
    return f;
}

/* F80: the window comes right behind the request, before there is an answer, and is dealt among
 * the requests. A crowd gets what it is announced. */
static void test_the_start_follows_the_request(void **state)
{
    static const struct {
        int more;
        int32_t want; /* the window of the last one */
    } rows[] = {{1, 4 * MI}, {1, 2 * MI}, {1, MI},       {1, MI},        {1, MI / 2},
                {4, MI / 4}, {7, MI / 4}, {1, 128 * KI}, {15, 128 * KI}, {1, 16 * KI}};
    static struct world w;
    struct stream_flow *f = begin_long(&w);
    uint64_t granted = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        granted = f->granted;
        assert_int_equal(window_at_peer(&w, open_streams(&w, rows[i].more)), rows[i].want);
        assert_int_equal(f->promised, f->granted);
        assert_true(f->granted <= 16 * MI);
    }
    assert_int_equal(f->granted, granted); /* the 33rd was granted nothing */
    read_all(&w);
    world_close(&w);
}

/* F80: a line that is near, or of which nothing is known, leaves the windows as they are, and so
 * do requests without a body to come. */
static void test_no_start(void **state)
{
    static struct world w;
    struct stream_flow *f = begin_long(&w);
    request(&w, SLICE("HEAD"), SLICE(""));
    request(&w, SLICE("CONNECT"), SLICE("websocket"));
    f->rtt_begin_us = 2000;
    open_stream(&w);
    f->rtt_begin_us = 100000;
    f->rtt_least_us = 1500; /* a PING knows better */
    open_stream(&w);
    f->rtt_least_us = 0;
    f->line_rate = 0;
    open_stream(&w);
    LIST_FOREACH (it, &w.session->host.streams)
        assert_int_equal(CONTAINER_OF(it, struct h2_stream, node)->flow.window.size, 64 * KI);
    assert_int_equal(f->granted, 0);
    world_close(&w);
}

/* F81: our first SETTINGS open the windows of uploads, as far as the attach call has shown that the
 * line is long. When a PING knows better, new SETTINGS take that back. */
static void test_the_start_of_an_upload(void **state)
{
    static struct world w;
    world_open_late(&w, H2_SERVER, 20000);
    struct stream_flow *f = &w.session->host.flow;
    int32_t first = 2500000;
    f->rtt_us = f->rtt_least_us = 0;
    f->announced_us = 0;
    stream_host_fit_line(&w.session->host);
    stream_host_retier(&w.session->host);
    settle(&w);
    deliver_all(&w);
    struct stock_stream *st = stock_request(&w.peer);
    stock_frame(&w.peer);
    assert_int_equal(nghttp2_session_get_stream_remote_window_size(w.peer.ng, st->id), first);
    deliver_all(&w);
    assert_int_equal(f->promised, first - 64 * KI);
    for (int i = 0; i < 3; i++)
        open_stream(&w);
    deliver_all(&w);
    assert_int_equal(window_at_peer(&w, 7), first);
    open_stream(&w); /* the fifth */
    deliver_all(&w);
    assert_int_equal(f->initial, first / 4);
    f->rtt_least_us = 100;
    stream_host_fit_line(&w.session->host);
    stream_host_retier(&w.session->host);
    settle(&w);
    deliver_all(&w);
    assert_int_equal(f->initial, 64 * KI);
    send_to_all(&w, 6 * MI);
    read_all(&w);
    check_windows(&w);
    for (size_t i = 0; i < w.n_readers; i++)
        assert_int_equal(w.readers[i].got, 6 * MI);
    world_close(&w);
}

/* F81, F22: an upload whose origin was slow has 64 KiB, also after SETTINGS that lower the windows
 * of all by more than that, and goes on. */
static void test_a_slow_upload_and_settings(void **state)
{
    static struct world w;
    world_open_late(&w, H2_SERVER, 100000);
    struct stream_flow *f = &w.session->host.flow;
    f->rtt_us = f->rtt_least_us = 100000;
    f->announced_us = 0;
    stream_host_fit_line(&w.session->host);
    stream_host_retier(&w.session->host);
    settle(&w);
    deliver_all(&w);
    assert_int_equal(f->initial, 4 * MI);
    open_stream(&w);
    deliver_all(&w);
    struct reader *r = &w.readers[0];
    r->known = true;
    send_to_all(&w, 16 * MI);
    deliver_long(&w, r);
    assert_int_equal(r->held, 4 * MI);
    look(&w);
    look(&w);
    LIST_FOREACH (it, &w.session->host.streams)
        assert_int_equal(CONTAINER_OF(it, struct h2_stream, node)->flow.window.size, 64 * KI);
    for (int i = 0; i < 40; i++)
        open_stream(&w);
    deliver_all(&w);
    assert_int_equal(f->initial, 16 * KI);
    r->known = false;
    read_all(&w);
    check_windows(&w);
    assert_int_equal(r->got, 16 * MI);
    world_close(&w);
}

/* F80: 1 MiB comes in one flight, without any credit. */
static void test_the_first_flight(void **state)
{
    static struct world w;
    begin_long(&w);
    open_stream(&w);
    deliver_to_peer(&w, SIZE_MAX);
    send_to_all(&w, MI);
    for (size_t got = SIZE_MAX; got != w.readers[0].got;) {
        got = w.readers[0].got;
        deliver_to_us(&w, SIZE_MAX);
    }
    assert_int_equal(w.readers[0].got, MI);
    world_close(&w);
}

/* F82: what was granted counts until it has come; then it counts as held; then not at all. */
static void test_promises_are_counted(void **state)
{
    static struct world w;
    struct stream_flow *f = begin_long(&w);
    open_stream(&w);
    assert_int_equal(f->promised, 4 * MI - 64 * KI);
    deliver_all(&w);
    send_to_all(&w, MI);
    deliver_long(&w, &w.readers[0]);
    assert_int_equal(f->promised, 3 * MI - 64 * KI);
    assert_int_equal(f->fill.used, MI);
    credit(&w.readers[0], MI / 2);
    assert_int_equal(f->promised, 3 * MI - 64 * KI + MI / 2);
    close_stream(&w, &w.readers[0]);
    assert_int_equal(f->promised + f->granted, 0);
    settle(&w);
    memcpy(w.peer.length, "1000", 5); /* no more can come */
    open_stream(&w);
    deliver_all(&w);
    assert_int_equal(f->promised, 1000);
    memcpy(w.peer.length, "0", 2); /* not even one byte, though the head has no END_STREAM */
    open_stream(&w);
    deliver_all(&w);
    assert_int_equal(f->promised, 1000);
    world_close(&w);
}

/* F82: nothing is granted that would leave less than a quarter of the budget free. */
static void test_starts_keep_a_quarter_free(void **state)
{
    static struct world w;
    struct reader *r = begin_full(&w, 0);
    struct stream_flow *f = &w.session->host.flow;
    f->learned = LARGE;
    r->known = false;
    read_all(&w);
    send_to_all(&w, LARGE);
    deliver_long(&w, r);
    assert_int_equal(r->held, LARGE); /* earned, not granted */
    assert_int_equal(f->granted, 0);
    f->fill.limit = 700 * KI;
    f->rtt_least_us = 100000;
    open_stream(&w);
    assert_int_equal(f->promised, 525 * KI - LARGE);
    open_stream(&w);
    assert_int_equal(f->promised, 525 * KI - LARGE);
    world_close(&w);
}

/* F82: one link grants half of its budget at most. */
static void test_starts_are_half_of_the_budget(void **state)
{
    static struct world w;
    struct stream_flow *f = begin_long(&w);
    open_stream(&w);
    f->fill.limit = 8 * MI;
    open_stream(&w);
    open_stream(&w);
    assert_int_equal(f->granted, 4 * MI);
    close_stream(&w, &w.readers[0]);
    settle(&w);
    assert_int_equal(f->granted, 64 * KI);
    world_close(&w);
}

/* F82: a slow viewer holds its start, and no credit comes until it holds 64 KiB. Then its grant
 * counts no more than that. */
static void test_a_slow_viewer_gives_its_start_back(void **state)
{
    static struct world w;
    struct stream_flow *f = begin_long(&w);
    struct reader *r = &w.readers[0];
    open_stream(&w);
    r->known = true;
    deliver_all(&w);
    f->rtt_us = f->rtt_least_us = 100000;
    send_to_all(&w, 16 * MI);
    deliver_long(&w, r);
    assert_int_equal(r->held, 4 * MI);
    assert_int_equal(f->promised, 0);
    look(&w);
    look(&w);
    size_t got = r->got;
    read_pieces(&w, r, 4 * MI - 64 * KI);
    assert_int_equal(r->got, got);
    assert_true(read_pieces(&w, r, MI) <= 64 * KI);
    assert_true(f->granted <= 64 * KI);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_start_follows_the_request),
        cmocka_unit_test(test_no_start),
        cmocka_unit_test(test_the_first_flight),
        cmocka_unit_test(test_the_start_of_an_upload),
        cmocka_unit_test(test_a_slow_upload_and_settings),
        cmocka_unit_test(test_promises_are_counted),
        cmocka_unit_test(test_starts_keep_a_quarter_free),
        cmocka_unit_test(test_starts_are_half_of_the_budget),
        cmocka_unit_test(test_a_slow_viewer_gives_its_start_back),
        cmocka_unit_test(test_the_33rd_request),
        cmocka_unit_test(test_every_order),
        cmocka_unit_test(test_credit_alone_earns_nothing),
        cmocka_unit_test(test_a_slow_reader_loses_its_window),
        cmocka_unit_test(test_a_slow_reader_of_a_slow_sender),
        cmocka_unit_test(test_padding_of_a_slow_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
