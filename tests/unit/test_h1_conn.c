/* test_h1_conn.c - HTTP/1.1 connection ends against a peer that speaks octets: what is told, in
 * which order, whatever way the octets are cut; what is written; windows, upgrades, ends.
 * h1_conn.h; RFC 9112. */
#include "pieces.h"
#include "wire.h"

#include "h2mux/base/clock.h"
#include "h2mux/h1_conn.h"
#include "h2mux/sock_int.h"

enum { WINDOW = 1000, TEXT_MAX = 4096, WAIT_MS = 2000 };

/* The owner and the exchange of one connection; what they are told is written down in words. */
struct world {
    struct wire wire; /* b is the peer; a is not used: conn has it */
    struct h1_conn *conn;
    struct leg *leg;
    enum h1_role role;
    struct buf told;
    bool in_body;      /* the last words are body octets: what follows of it is joined */
    bool hold_credit;  /* no credit is given by itself */
    bool keep;         /* SERVER: no answer by itself */
    bool no_next;      /* on_done is noted and that is all */
    bool answer_early; /* SERVER: answered in on_head */
    bool linger;       /* the owner does not close in on_error */
    bool to_head;      /* CLIENT: the requests are HEAD */
    size_t body, sent;
    int begun;
    const char *want;
    uint64_t want_until_us;
};

static void tell(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void tell(struct world *w, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (w->in_body)
        assert_int_equal(buf_append(&w->told, SLICE("' ")), 0);
    w->in_body = false;
    assert_int_equal(buf_printf(&w->told, "%s ", text), 0);
}

static void tell_body(struct world *w, struct slice data)
{
    w->body += data.len;
    if (data.len == 0 || w->hold_credit)
        return;
    if (!w->in_body)
        assert_int_equal(buf_append(&w->told, SLICE("'")), 0);
    w->in_body = true;
    assert_int_equal(buf_append(&w->told, data), 0);
}

/* ---- the exchange */

static void on_leg_head(void *exchange, struct leg *leg, struct message *m, bool end)
{
    fail_msg("heads come by the owner");
}

static void on_leg_body(void *exchange, struct leg *leg, struct slice data, bool end)
{
    struct world *w = exchange;
    tell_body(w, data);
    if (!w->hold_credit)
        leg->ops->credit(leg, data.len);
    if (end)
        tell(w, "end");
}

static void on_leg_trailers(void *exchange, struct leg *leg, struct fields *t)
{
    tell(exchange, "trailers");
    for (size_t i = 0; i < t->count; i++)
        tell(exchange, "%.*s=%.*s", SLICE_FMT(t->v[i].name), SLICE_FMT(t->v[i].value));
}

static void on_leg_sent(void *exchange, struct leg *leg, size_t octets)
{
    ((struct world *)exchange)->sent += octets;
}

static void on_leg_reset(void *exchange, struct leg *leg, const struct leg_fault *why)
{
    struct world *w = exchange;
    assert_null(leg->events);
    tell(w, "reset:%d", why->err);
}

static const struct leg_events exchange_events = {.on_head = on_leg_head,
                                                  .on_body = on_leg_body,
                                                  .on_trailers = on_leg_trailers,
                                                  .on_sent = on_leg_sent,
                                                  .on_reset = on_leg_reset};

static void send_head(struct world *w, int status, int64_t length, bool end)
{
    struct message m;
    message_init(&m);
    m.status = status;
    m.length = length;
    if (status == 0) {
        m.method = w->to_head ? SLICE("HEAD") : SLICE("GET");
        m.path = SLICE("/");
        m.authority = SLICE("h");
    }
    w->leg->ops->head(w->leg, &m, end);
    message_deinit(&m);
}

/* ---- the owner */

static void on_head_begin(void *user)
{
    ((struct world *)user)->begun++;
}

static void on_head(void *user, struct message *m, const struct h1_result *r)
{
    struct world *w = user;
    if (w->role == H1_CLIENT) {
        tell(w, "%d", m->status);
    } else {
        tell(w, "%.*s%.*s", SLICE_FMT(m->method), SLICE_FMT(m->path));
        leg_tie(w->leg, &exchange_events, w);
        if (!w->keep)
            h1_conn_start_body(w->conn);
        if (w->answer_early)
            send_head(w, 204, MESSAGE_LENGTH_UNKNOWN, true);
    }
}

static void on_message_end(void *user)
{
    struct world *w = user;
    tell(w, ".");
    assert_true(h1_conn_rx_done(w->conn));
    if (w->role == H1_SERVER && !w->keep)
        send_head(w, 204, MESSAGE_LENGTH_UNKNOWN, true);
}

static void ask(struct world *w)
{
    leg_tie(w->leg, &exchange_events, w);
    h1_conn_expect_head(w->conn, w->to_head);
    send_head(w, 0, MESSAGE_LENGTH_UNKNOWN, true);
}

static void on_done(void *user)
{
    struct world *w = user;
    tell(w, "done");
    assert_null(w->leg->events);
    if (w->no_next)
        return;
    h1_conn_next(w->conn);
    if (w->role == H1_CLIENT)
        ask(w);
}

static void on_sent(void *user)
{
}

static void on_error(void *user, int err, const char *reason)
{
    struct world *w = user;
    tell(w, "error:%d", err);
    assert_true(reason != NULL && reason[0] != '\0');
    if (w->linger)
        return;
    h1_conn_close(w->conn);
    w->conn = NULL;
}

static const struct h1_conn_ops owner_ops = {
    .on_head_begin = on_head_begin,
    .on_head = on_head,
    .on_message_end = on_message_end,
    .on_done = on_done,
    .on_sent = on_sent,
    .on_error = on_error,
};

static struct world *open_over(enum h1_role role, enum wire_kind kind)
{
    struct world *w = xcalloc(1, sizeof *w);
    struct sock *a, *b;
    w->wire.loop = loop_new();
    w->role = role;
    buf_init(&w->wire.b.got, 1 << 24);
    buf_init(&w->told, 1 << 20);
    wire_ends(w->wire.loop, kind, &a, &b);
    wire_take(&w->wire.b, b);
    w->conn = h1_conn_new(w->wire.loop, a, role, &h1_default_limits, WINDOW, &owner_ops, w);
    w->leg = h1_conn_leg(w->conn);
    assert_true(h1_conn_is(w->leg));
    return w;
}

static struct world *open_world(enum h1_role role)
{
    return open_over(role, WIRE_MEMORY);
}

static void close_world(struct world *w)
{
    h1_conn_close(w->conn);
    sock_close(w->wire.b.sock);
    loop_free(w->wire.loop);
    buf_release(&w->wire.b.got);
    buf_release(&w->told);
    free(w);
}

static void settle(struct world *w)
{
    for (int i = 0; i < 6; i++)
        turns_until(w->wire.loop, wire_always, w);
}

static void say(struct world *w, const char *octets)
{
    sock_write(w->wire.b.sock, slice_str(octets));
    settle(w);
}

/* What has been told, as it reads now: a body that may go on ends with a bar. */
static bool told_is(struct world *w, const char *want)
{
    char text[TEXT_MAX];
    snprintf(text, sizeof text, "%.*s%s", SLICE_FMT(buf_slice(&w->told)), w->in_body ? "' | " : "");
    size_t len = strlen(text);
    text[len > 0 ? len - 1 : 0] = '\0';
    return strcmp(text, want) == 0;
}

static bool told_or_late(void *user)
{
    struct world *w = user;
    return told_is(w, w->want) || clock_now_us() > w->want_until_us;
}

static void check_told_now(struct world *w, const char *what, const char *want)
{
    if (w->in_body)
        tell(w, "|");
    struct slice told = buf_slice(&w->told);
    if (told.len > 0)
        told.len--;
    if (!slice_eq(told, slice_str(want)))
        fail_msg("%s:\n told '%.*s'\n want '%s'", what, SLICE_FMT(told), want);
    buf_truncate(&w->told, 0);
}

/* A kernel may need a moment; then a look whether nothing more is told. */
static void check_told(struct world *w, const char *what, const char *want)
{
    w->want = want;
    w->want_until_us = clock_now_us() + WAIT_MS * 1000;
    turns_until(w->wire.loop, told_or_late, w);
    settle(w);
    check_told_now(w, what, want);
}

/* ---- reading, however it is cut */

enum ending { STAYS, FIN, RST };

static const struct reading {
    const char *what;
    enum h1_role role;
    const char *in;
    enum ending ending;
    const char *want; /* errors by number: -2 malformed, -3 too large, -6 ended in order, -7 cut
                         off, -12 reset */
    bool to_head;
} readings[] = {
    /* requests: each is answered when it is complete */
    {"no body", H1_SERVER, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", STAYS, "GET/a . done", false},
    {"length", H1_SERVER, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", STAYS,
     "POST/a 'hello' end . done", false},
    {"length 0", H1_SERVER, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", STAYS,
     "POST/a . done", false},
    {"chunked", H1_SERVER,
     "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
     "chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
     STAYS, "PUT/a 'hello' end . done", false},
    {"chunked and empty", H1_SERVER,
     "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", STAYS,
     "PUT/a end . done", false},
    {"trailers", H1_SERVER,
     "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-a: "
     "1\r\nHost: evil\r\nx-b: 2\r\n\r\n",
     STAYS, "PUT/a 'hi' trailers x-a=1 x-b=2 . done", false},
    {"Q38 pipelined", H1_SERVER,
     "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: "
     "3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: h\r\n\r\n"
     "PUT /4 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /5 "
     "HTTP/1.0\r\n\r\n",
     STAYS, "GET/1 . done POST/2 'abc' end . done GET/3 . done PUT/4 'x' end . done GET/5 . done",
     false},
    {"Q16 one empty line", H1_SERVER,
     "\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n", STAYS,
     "GET/a . done GET/b . done", false},
    {"Q16 two empty lines", H1_SERVER, "\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", STAYS,
     "error:-2", false},
    {"Q31 bare LF", H1_SERVER, "GET /a HTTP/1.1\nHost: h\r\n\r\n", STAYS, "error:-2", false},
    {"Q21 length and chunked", H1_SERVER,
     "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", STAYS,
     "error:-2", false},
    {"Q28 chunk without CRLF", H1_SERVER,
     "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhixx", STAYS,
     "PUT/a 'hi' reset:-2 error:-2", false},
    {"malformed trailers", H1_SERVER,
     "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx y: 1\r\n\r\n", STAYS,
     "PUT/a reset:-2 error:-2", false},
    {"end between requests", H1_SERVER, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", FIN,
     "GET/a . done error:-6", false},
    {"end before any request", H1_SERVER, "", FIN, "error:-6", false},
    {"end in a head", H1_SERVER, "GET /a HTTP/1.1\r\nHost", FIN, "error:-7", false},
    {"end in a body", H1_SERVER, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell",
     FIN, "POST/a 'hell' reset:-7 error:-7", false},
    {"end in a chunk", H1_SERVER,
     "PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", FIN,
     "PUT/a 'hello' reset:-7 error:-7", false},
    {"RST between requests", H1_SERVER, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", RST,
     "GET/a . done error:-12", false},
    {"RST in a body", H1_SERVER, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell",
     RST, "POST/a 'hell' reset:-12 error:-12", false},
    /* responses: each is the answer to a GET or HEAD */
    {"length", H1_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", STAYS,
     "200 'hello' end . done", false},
    {"length 0", H1_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", STAYS, "200 . done",
     false},
    {"chunked", H1_CLIENT,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", STAYS,
     "200 'hello' end . done", false},
    {"trailers", H1_CLIENT,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx-sum: 1\r\n\r\n", STAYS,
     "200 trailers x-sum=1 . done", false},
    {"R6 204 whatever it says", H1_CLIENT,
     "HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
     STAYS, "204 . done 200 'x' end . done", false},
    {"R7 304", H1_CLIENT,
     "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
     STAYS, "304 . done 200 'x' end . done", false},
    {"R5 HEAD", H1_CLIENT,
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
     "chunked\r\n\r\n",
     STAYS, "200 . done 200 . done", true},
    {"interim", H1_CLIENT,
     "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 103 "
     "Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
     STAYS, "100 103 103 200 'hi' end . done", false},
    {"R11 until close; the next has no answer", H1_CLIENT, "HTTP/1.0 200 OK\r\n\r\nhello", FIN,
     "200 'hello' end . done reset:-6 error:-6", false},
    {"until close and empty", H1_CLIENT, "HTTP/1.0 200 OK\r\n\r\n", FIN,
     "200 end . done reset:-6 error:-6", false},
    {"R11 until RST", H1_CLIENT, "HTTP/1.0 200 OK\r\n\r\nhello", RST,
     "200 'hello' reset:-12 error:-12", false},
    {"R9 short length", H1_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", FIN,
     "200 'hell' reset:-7 error:-7", false},
    {"R10 short chunks", H1_CLIENT,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", FIN,
     "200 'hello' reset:-7 error:-7", false},
    {"no answer", H1_CLIENT, "", FIN, "reset:-6 error:-6", false},
    {"end in a head", H1_CLIENT, "HTTP/1.1 200 OK\r\nCont", FIN, "reset:-7 error:-7", false},
    {"end behind an interim head", H1_CLIENT, "HTTP/1.1 100 Go\r\n\r\n", FIN,
     "100 reset:-6 error:-6", false},
    {"no HTTP", H1_CLIENT, "SSH-2.0-OpenSSH\r\n\r\n", STAYS, "reset:-2 error:-2", false},
    {"an empty line is no head", H1_CLIENT, "\r\nHTTP/1.1 200 OK\r\n\r\n", STAYS,
     "reset:-2 error:-2", false},
};

static void run_reading(const struct reading *r, size_t cut)
{
    char what[128];
    struct slice in = slice_str(r->in);
    struct world *w = open_world(r->role);
    snprintf(what, sizeof what, "%s %s, cut at %zu", r->role == H1_SERVER ? "request" : "response",
             r->what, cut);
    w->to_head = r->to_head;
    if (r->role == H1_CLIENT)
        ask(w);
    sock_write(w->wire.b.sock, slice_make(in.ptr, cut));
    if (cut > 0)
        settle(w);
    sock_write(w->wire.b.sock, slice_skip(in, cut));
    if (r->ending == FIN)
        sock_shutdown(w->wire.b.sock);
    settle(w);
    settle(w);
    if (r->ending == RST) {
        sock_abort(w->wire.b.sock);
        w->wire.b.sock = NULL;
    }
    check_told(w, what, r->want);
    close_world(w);
}

static void test_reading(void **state)
{
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++)
        for (size_t cut = 0; cut < strlen(readings[i].in) + 1; cut++)
            run_reading(&readings[i], cut);
}

static void run_reading_in_packets(const struct reading *r, uint32_t seed)
{
    char what[128];
    struct slice in = slice_str(r->in);
    struct world *w = open_over(r->role, WIRE_TCP);
    snprintf(what, sizeof what, "%s, in packets of seed %u", r->what, seed);
    w->to_head = r->to_head;
    if (r->role == H1_CLIENT)
        ask(w);
    for (size_t at = 0, n; at < in.len; at += n) {
        n = seed == 0 ? 1 : next_piece(&seed, in.len - at);
        sock_write(w->wire.b.sock, slice_make(in.ptr + at, n));
        turns_until(w->wire.loop, wire_always, w);
    }
    settle(w);
    settle(w);
    if (r->ending == FIN)
        sock_shutdown(w->wire.b.sock);
    settle(w);
    if (r->ending == RST) {
        sock_abort(w->wire.b.sock);
        w->wire.b.sock = NULL;
    }
    settle(w);
    check_told(w, what, r->want);
    close_world(w);
}

/* Every octet in a packet of its own, and packets of random length. */
static void test_reading_packets(void **state)
{
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++)
        for (uint32_t seed = 0; seed < 3; seed++)
            run_reading_in_packets(&readings[i], seed);
}

/* The head's time begins with its first octet, once a request: empty lines do not prolong it. */
static void test_head_begin(void **state)
{
    struct world *w = open_world(H1_SERVER);
    settle(w);
    assert_int_equal(w->begun, 0);
    say(w, "\r");
    say(w, "\n");
    say(w, "GET / HT");
    say(w, "TP/1.1\r\n");
    assert_int_equal(w->begun, 1);
    say(w, "Host: h\r\n\r\nGET");
    assert_int_equal(w->begun, 2);
    assert_int_equal(h1_conn_head_octets(w->conn), 3);
    close_world(w);
}

static void test_head_limit(void **state)
{
    struct world *w = open_world(H1_SERVER);
    char *line = xcalloc(1, 10001);
    memset(line, 'x', 10000);
    sock_write(w->wire.b.sock, SLICE("GET / HTTP/1.1\r\nHost: h\r\n"));
    for (int i = 0; i < 4; i++) {
        sock_write(w->wire.b.sock, SLICE("x: "));
        sock_write(w->wire.b.sock, slice_str(line));
        say(w, "\r\n");
    }
    check_told(w, "head", "error:-3");
    free(line);
    close_world(w);
}

/* ---- order */

/* Q38: nothing of the next request is judged before its turn, however malformed it is. */
static void test_next_is_asked_for(void **state)
{
    struct world *w = open_world(H1_SERVER);
    w->no_next = true;
    say(w, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n nonsense\r\n\r\n");
    check_told(w, "first", "GET/1 . done");
    assert_true(h1_conn_surplus(w->conn));
    h1_conn_next(w->conn);
    settle(w);
    check_told(w, "second", "GET/2 . done");
    h1_conn_next(w->conn);
    settle(w);
    check_told(w, "third", "error:-2");
    close_world(w);
}

/* The body is read when it is wanted; the answer may come before, during and after it. */
static void test_answer_and_body(void **state)
{
    struct world *w = open_world(H1_SERVER);
    w->keep = true;
    say(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
    check_told(w, "held", "POST/");
    assert_false(h1_conn_reading(w->conn));
    w->leg->ops->want_body(w->leg);
    settle(w);
    assert_true(h1_conn_reading(w->conn));
    send_head(w, 200, 2, false);
    w->leg->ops->body(w->leg, SLICE("ok"), true);
    settle(w);
    assert_true(h1_conn_tx_done(w->conn));
    assert_false(h1_conn_rx_done(w->conn));
    say(w, "llo");
    check_told(w, "upload", "'hello' end . done");
    assert_int_equal(w->sent, 2);
    close_world(w);
}

static void test_answer_inside_on_head(void **state)
{
    struct world *w = open_world(H1_SERVER);
    w->keep = w->answer_early = true;
    say(w, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    check_told(w, "both", "GET/1 . done GET/2 . done");
    wire_check_text(&w->wire.b.got,
                    "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
    close_world(w);
}

/* ---- windows */

static bool body_is_there(void *user)
{
    struct world *w = user;
    return w->body >= w->wire.want;
}

static void take(struct world *w, size_t total)
{
    w->wire.want = total;
    turns_until(w->wire.loop, body_is_there, w);
    settle(w);
    assert_int_equal(w->body, total);
}

/* Both framings, raw octets too: `window` octets without credit and not one more. */
static void test_window(void **state)
{
    static const char *const heads[] = {
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    };
    char *data = wire_pattern(5000);
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
            struct world *w = open_over(H1_SERVER, kind);
            w->keep = w->hold_credit = true;
            say(w, heads[i]);
            check_told(w, heads[i], i == 2 ? "GET/ ." : "POST/");
            if (i == 2)
                h1_conn_upgrade(w->conn);
            else
                h1_conn_start_body(w->conn);
            for (size_t at = 0; at < 5000; at += 700)
                sock_write(w->wire.b.sock,
                           slice_make(data + at, at + 700 < 5000 ? 700 : 5000 - at));
            take(w, WINDOW);
            assert_false(h1_conn_reading(w->conn));
            w->leg->ops->credit(w->leg, 300);
            assert_true(h1_conn_reading(w->conn));
            take(w, WINDOW + 300);
            w->leg->ops->credit(w->leg, 100000); /* more than is out */
            take(w, 2 * WINDOW + 300);
            for (size_t n = 3; n * WINDOW + 300 < 5000; n++) {
                w->leg->ops->credit(w->leg, WINDOW);
                take(w, n * WINDOW + 300);
            }
            w->leg->ops->credit(w->leg, WINDOW);
            take(w, 5000);
            close_world(w);
        }
    free(data);
}

/* What nobody wants is read and forgotten without a window. */
static void test_unwanted_body(void **state)
{
    struct world *w = open_world(H1_SERVER);
    char *data = wire_pattern(5000);
    w->keep = true;
    say(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n");
    leg_untie(w->leg);
    h1_conn_start_body(w->conn);
    sock_write(w->wire.b.sock, slice_make(data, 5000));
    settle(w);
    settle(w);
    check_told(w, "body", "POST/ .");
    assert_int_equal(w->body, 0);
    free(data);
    close_world(w);
}

static bool all_sent(void *user)
{
    struct world *w = user;
    return w->sent >= w->wire.want;
}

/* on_sent counts body octets as they leave, never more than were given. */
static void test_sent(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct world *w = open_over(H1_SERVER, kind);
        const size_t total = 12 << 20;
        char *data = wire_pattern(total);
        w->keep = true;
        sock_pause(w->wire.b.sock);
        say(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        check_told(w, "request", "GET/ .");
        send_head(w, 200, MESSAGE_LENGTH_UNKNOWN, false);
        w->leg->ops->body(w->leg, slice_make(data, total), false);
        settle(w);
        assert_true(w->sent < total);
        sock_resume(w->wire.b.sock);
        w->wire.want = total;
        turns_until(w->wire.loop, wire_b_got, &w->wire);
        w->wire.want = total;
        turns_until(w->wire.loop, all_sent, w);
        assert_int_equal(w->sent, total);
        w->leg->ops->body(w->leg, SLICE("x"), false);
        settle(w);
        assert_int_equal(w->sent, total + 1);
        free(data);
        close_world(w);
    }
}

/* ---- writing */

static const struct writing {
    const char *what;
    enum h1_role role;
    struct h1_conn_reply reply;
    int status;
    int64_t length;
    bool end;
    const char *body;    /* NULL: none; given octet by octet */
    const char *trailer; /* NULL: the body ends it */
    const char *want;
    bool tx_close;
} writings[] = {
    {"length",
     H1_SERVER,
     {0},
     200,
     5,
     false,
     "hello",
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
     false},
    {"no body",
     H1_SERVER,
     {0},
     200,
     -1,
     true,
     NULL,
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
     false},
    {"chunked",
     H1_SERVER,
     {0},
     200,
     -1,
     false,
     "hi",
     NULL,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n",
     false},
    {"chunked and empty",
     H1_SERVER,
     {0},
     200,
     -1,
     false,
     "",
     NULL,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     false},
    {"close",
     H1_SERVER,
     {.close = true},
     200,
     1,
     false,
     "x",
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
     true},
    {"R12 to 1.0",
     H1_SERVER,
     {.peer_1_0 = true},
     200,
     -1,
     false,
     "hi",
     NULL,
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi",
     true},
    {"Q40 1.0 keeps alive",
     H1_SERVER,
     {.peer_1_0 = true},
     200,
     2,
     false,
     "hi",
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",
     false},
    {"R5 HEAD with length",
     H1_SERVER,
     {.to_head = true},
     200,
     5,
     true,
     NULL,
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
     false},
    {"R5 HEAD without",
     H1_SERVER,
     {.to_head = true},
     200,
     -1,
     true,
     NULL,
     NULL,
     "HTTP/1.1 200 OK\r\n\r\n",
     false},
    {"R5 HEAD, body dropped",
     H1_SERVER,
     {.to_head = true},
     200,
     5,
     false,
     "hello",
     NULL,
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
     false},
    {"R6 204", H1_SERVER, {0}, 204, -1, true, NULL, NULL, "HTTP/1.1 204 No Content\r\n\r\n", false},
    {"R7 304 with length",
     H1_SERVER,
     {0},
     304,
     5,
     true,
     NULL,
     NULL,
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
     false},
    {"304 to 1.0",
     H1_SERVER,
     {.peer_1_0 = true},
     304,
     -1,
     true,
     NULL,
     NULL,
     "HTTP/1.1 304 Not Modified\r\nConnection: keep-alive\r\n\r\n",
     false},
    {"R13 trailers asked for",
     H1_SERVER,
     {.trailers = true},
     200,
     -1,
     false,
     "x",
     "x-sum",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nx-sum: 1\r\n\r\n",
     false},
    {"R13 not asked for",
     H1_SERVER,
     {0},
     200,
     -1,
     false,
     "x",
     "x-sum",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
     false},
    {"trailers behind a length",
     H1_SERVER,
     {.trailers = true},
     200,
     1,
     false,
     "x",
     "x-sum",
     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
     false},
    {"request",
     H1_CLIENT,
     {0},
     0,
     -1,
     true,
     NULL,
     NULL,
     "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
     false},
    {"request with length",
     H1_CLIENT,
     {0},
     0,
     2,
     false,
     "hi",
     NULL,
     "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi",
     false},
    {"request chunked",
     H1_CLIENT,
     {0},
     0,
     -1,
     false,
     "x",
     NULL,
     "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
     false},
    {"request with trailers",
     H1_CLIENT,
     {.trailers = true},
     0,
     -1,
     false,
     "",
     "x-sum",
     "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: TE\r\nTE: "
     "trailers\r\n\r\n0\r\nx-sum: 1\r\n\r\n",
     false},
};

static void write_body(struct world *w, const struct writing *r)
{
    struct fields t;
    size_t len = strlen(r->body);
    bool trailers = r->trailer != NULL;
    for (size_t i = 0; i < len; i++)
        w->leg->ops->body(w->leg, slice_make(r->body + i, 1), !trailers && i + 1 == len);
    if (len == 0 && !trailers)
        w->leg->ops->body(w->leg, SLICE(""), true);
    if (!trailers)
        return;
    fields_init(&t);
    fields_add(&t, slice_str(r->trailer), SLICE("1"));
    w->leg->ops->trailers(w->leg, &t);
    fields_deinit(&t);
}

static void run_writing(const struct writing *r)
{
    struct world *w = open_world(r->role);
    w->keep = w->no_next = true;
    if (r->role == H1_SERVER)
        say(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    h1_conn_set_reply(w->conn, &r->reply);
    leg_tie(w->leg, &exchange_events, w);
    send_head(w, r->status, r->length, r->end);
    if (r->body != NULL)
        write_body(w, r);
    settle(w);
    struct slice got = buf_slice(&w->wire.b.got);
    if (!slice_eq(got, slice_str(r->want)))
        fail_msg("%s: wrote '%.*s'", r->what, SLICE_FMT(got));
    assert_true(h1_conn_tx_done(w->conn));
    assert_int_equal(h1_conn_tx_close(w->conn), r->tx_close);
    check_told(w, r->what, r->role == H1_SERVER ? "GET/ . done" : "");
    close_world(w);
}

static void test_writing(void **state)
{
    for (size_t i = 0; i < sizeof writings / sizeof *writings; i++)
        run_writing(&writings[i]);
}

/* HEAD again: the octets that are not written are reported as gone, so that their source goes on.
 */
static void test_unwritten_body_is_credited(void **state)
{
    struct world *w = open_world(H1_SERVER);
    struct h1_conn_reply reply = {.to_head = true};
    w->keep = true;
    say(w, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    h1_conn_set_reply(w->conn, &reply);
    send_head(w, 200, 1000, false);
    settle(w);
    w->leg->ops->body(w->leg, SLICE("hello"), false);
    settle(w);
    assert_int_equal(w->sent, 5);
    close_world(w);
}

static void test_interim(void **state)
{
    for (int old = 0; old < 2; old++) {
        struct world *w = open_world(H1_SERVER);
        struct h1_conn_reply reply = {.peer_1_0 = old == 1};
        w->keep = true;
        say(w, "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n");
        h1_conn_set_reply(w->conn, &reply);
        send_head(w, 100, MESSAGE_LENGTH_UNKNOWN, false);
        send_head(w, 103, MESSAGE_LENGTH_UNKNOWN, false);
        assert_false(h1_conn_tx_done(w->conn));
        send_head(w, 204, MESSAGE_LENGTH_UNKNOWN, true);
        settle(w);
        wire_check_text(&w->wire.b.got,
                        old ? "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n"
                            : "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
                              "HTTP/1.1 204 No Content\r\n\r\n");
        close_world(w);
    }
}

/* ---- promises that are not kept */

static const struct {
    const char *what;
    enum h1_role role;
    int64_t length;
    bool end; /* with the head */
    const char *body;
    bool last;
    const char *want; /* octets */
} broken_promises[] = {
    {"longer", H1_SERVER, 3, false, "hello", false, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"},
    {"longer at the end", H1_SERVER, 3, false, "hello", true,
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"},
    {"shorter", H1_SERVER, 7, false, "hello", true, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"},
    {"none at all", H1_SERVER, 7, true, NULL, true, ""},
    {"request longer", H1_CLIENT, 3, false, "hello", true,
     "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"},
    {"request without", H1_CLIENT, 3, true, NULL, true, ""},
};

/* R9, D4, H12: the message must not look complete: it is given up, and the exchange hears it before
 * the owner. Nothing is told inside the op. */
static void test_broken_promises(void **state)
{
    for (size_t i = 0; i < sizeof broken_promises / sizeof *broken_promises; i++) {
        struct world *w = open_world(broken_promises[i].role);
        w->linger = w->keep = w->no_next = true;
        if (w->role == H1_SERVER)
            say(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        buf_truncate(&w->told, 0);
        leg_tie(w->leg, &exchange_events, w);
        send_head(w, w->role == H1_SERVER ? 200 : 0, broken_promises[i].length,
                  broken_promises[i].end);
        if (broken_promises[i].body != NULL)
            w->leg->ops->body(w->leg, slice_str(broken_promises[i].body), broken_promises[i].last);
        check_told_now(w, broken_promises[i].what, "");
        w->leg->ops->body(w->leg, SLICE("more"), true);
        settle(w);
        check_told(w, broken_promises[i].what, "reset:-4 error:-4");
        wire_check_text(&w->wire.b.got, broken_promises[i].want);
        close_world(w);
    }
}

static void test_unwritable(void **state)
{
    for (int trailers = 0; trailers < 2; trailers++) {
        struct world *w = open_world(H1_SERVER);
        struct h1_conn_reply reply = {.trailers = true};
        struct message m;
        w->linger = w->keep = w->no_next = true;
        say(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        buf_truncate(&w->told, 0);
        h1_conn_set_reply(w->conn, &reply);
        message_init(&m);
        m.status = 200;
        fields_add(&m.fields, SLICE("x-a"), SLICE("split\r\nx-b: 1"));
        if (trailers) {
            send_head(w, 200, MESSAGE_LENGTH_UNKNOWN, false);
            w->leg->ops->trailers(w->leg, &m.fields);
        } else {
            w->leg->ops->head(w->leg, &m, true);
        }
        message_deinit(&m);
        settle(w);
        check_told(w, "unwritable", "reset:-4 error:-4");
        wire_check_text(&w->wire.b.got,
                        trailers ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" : "");
        close_world(w);
    }
}

/* The exchange gives up: it hears nothing more, the owner hears why, once. */
static void test_leg_reset(void **state)
{
    struct world *w = open_world(H1_SERVER);
    struct leg_fault why = {.err = ERR_LINK_LOST, .reason = "link lost"};
    w->keep = true;
    say(w, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    send_head(w, 200, 5, false);
    h1_conn_start_body(w->conn);
    w->leg->ops->reset(w->leg, &why);
    w->leg->ops->reset(w->leg, &why);
    check_told_now(w, "inside", "POST/");
    say(w, "hello");
    check_told(w, "after", "error:-4");
    close_world(w);
}

/* ---- hang-ups */

static const struct {
    const char *what, *in;
    bool reset, answer_begun;
    const char *want;
} waits[] = {
    {"no body, FIN", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", false, false, "GET/ . reset:-6 error:-6"},
    {"no body, RST", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", true, false, "GET/ . reset:-6 error:-6"},
    {"body not wanted yet, RST", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", true,
     false, "POST/ reset:-6 error:-6"},
    {"answer has begun, FIN", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", false, true,
     "GET/ . reset:-6 error:-6"},
    {"another request waits, RST",
     "GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n", true, false,
     "GET/ . reset:-6 error:-6"},
};

static bool has_begun(void *user)
{
    return buf_len(&((struct world *)user)->told) > 0;
}

/* R17: whoever waits for an answer and leaves is noticed, at the latest with the head (`together`).
 */
static void test_hangup(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++)
        for (size_t i = 0; i < sizeof waits / sizeof *waits; i++)
            for (int together = 0; together < 2; together++) {
                struct world *w = open_over(H1_SERVER, kind);
                w->keep = true;
                sock_write(w->wire.b.sock, slice_str(waits[i].in));
                if (together)
                    sock_push(w->wire.b.sock);
                else
                    turns_until(w->wire.loop, has_begun, w);
                if (waits[i].answer_begun && !together)
                    send_head(w, 200, MESSAGE_LENGTH_UNKNOWN, false);
                if (waits[i].reset)
                    sock_abort(w->wire.b.sock);
                else
                    sock_close(w->wire.b.sock);
                w->wire.b.sock = NULL;
                check_told(w, waits[i].what, waits[i].want);
                close_world(w);
            }
}

/* The answer is complete already: who has heard it may leave in peace. */
static void test_hangup_behind_answer(void **state)
{
    struct world *w = open_world(H1_SERVER);
    w->keep = w->answer_early = true;
    sock_write(w->wire.b.sock, SLICE("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    sock_shutdown(w->wire.b.sock);
    settle(w);
    check_told(w, "told", "GET/ . done error:-6");
    wire_check_text(&w->wire.b.got, "HTTP/1.1 204 No Content\r\n\r\n");
    close_world(w);
}

/* ---- upgrades */

static const char upgrade_request[] =
    "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";

/* W6, W7: what the viewer sent early waits until it is wanted; then both directions are octets,
 * each with its own end. */
static void test_upgrade(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct world *w = open_over(H1_SERVER, kind);
        struct h1_conn_reply reply = {.upgrade = true};
        w->keep = w->no_next = true;
        sock_write(w->wire.b.sock, slice_str(upgrade_request));
        say(w, "early");
        check_told(w, "request", "GET/ .");
        h1_conn_set_reply(w->conn, &reply);
        send_head(w, 101, MESSAGE_LENGTH_UNKNOWN, false);
        assert_int_not_equal(h1_conn_head_octets(w->conn), 0);
        h1_conn_upgrade(w->conn);
        assert_int_equal(h1_conn_head_octets(w->conn), 0); /* nothing of it is kept */
        settle(w);
        say(w, " late");
        w->leg->ops->body(w->leg, SLICE("raw"), false);
        w->leg->ops->body(w->leg, SLICE(" octets"), true);
        settle(w);
        check_told(w, "before its end", "'early late' |");
        sock_shutdown(w->wire.b.sock);
        settle(w);
        check_told(w, "after its end", "end . done");
        turns_until(w->wire.loop, wire_b_ended, &w->wire);
        assert_int_equal(w->wire.b.end, 0);
        assert_int_equal(w->sent, 10);
        wire_check_text(
            &w->wire.b.got,
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\nraw octets");
        close_world(w);
    }
}

/* W7: the viewer's FIN does not end the other direction. */
static void test_upgrade_half_close(void **state)
{
    struct world *w = open_world(H1_SERVER);
    w->keep = w->no_next = true;
    say(w, upgrade_request);
    send_head(w, 101, MESSAGE_LENGTH_UNKNOWN, false);
    h1_conn_upgrade(w->conn);
    say(w, "bye");
    sock_shutdown(w->wire.b.sock);
    settle(w);
    check_told(w, "half", "GET/ . 'bye' end .");
    assert_false(w->wire.b.ended);
    w->leg->ops->body(w->leg, SLICE("still here"), false);
    settle(w);
    w->leg->ops->body(w->leg, SLICE(""), true);
    settle(w);
    check_told(w, "whole", "done");
    assert_true(w->wire.b.ended);
    close_world(w);
}

/* W7 */
static void test_upgrade_reset(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct world *w = open_over(H1_SERVER, kind);
        w->keep = true;
        say(w, upgrade_request);
        check_told(w, "request", "GET/ .");
        h1_conn_upgrade(w->conn);
        say(w, "x");
        sock_abort(w->wire.b.sock);
        w->wire.b.sock = NULL;
        check_told(w, "told", "'x' reset:-12 error:-12");
        close_world(w);
    }
}

/* The other role: 101 waits for its owner, with what came behind it. */
static void test_client_upgrade(void **state)
{
    struct world *w = open_world(H1_CLIENT);
    w->no_next = true;
    ask(w);
    say(w, "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\nearly");
    check_told(w, "101", "101");
    assert_true(h1_conn_surplus(w->conn));
    h1_conn_upgrade(w->conn);
    leg_tie(w->leg, &exchange_events, w);
    settle(w);
    w->leg->ops->body(w->leg, SLICE("raw"), true);
    sock_shutdown(w->wire.b.sock);
    settle(w);
    check_told(w, "raw", "'early' end . done");
    assert_true(w->wire.b.ended);
    close_world(w);
}

/* ---- handing the sock on */

static bool has_all(void *user)
{
    return buf_len(user) >= strlen("PRI * HTTP/2.0 and more");
}

static bool has_raw(void *user)
{
    return buf_len(user) >= strlen("raw");
}

static void test_release(void **state)
{
    for (enum wire_kind kind = 0; kind < WIRE_KINDS; kind++) {
        struct world *w = open_over(H1_SERVER, kind);
        struct wire_end next = {0};
        buf_init(&next.got, TEXT_MAX);
        w->keep = true;
        sock_write(w->wire.b.sock, slice_str(upgrade_request));
        say(w, "PRI * HTTP/2.0");
        check_told(w, "request", "GET/ .");
        h1_conn_write_raw(w->conn, SLICE("raw"));
        struct sock *sock = h1_conn_release(w->conn);
        w->conn = NULL;
        wire_take(&next, sock);
        sock_write(w->wire.b.sock, SLICE(" and more"));
        turns_until(w->wire.loop, has_all, &next.got);
        wire_check_text(&next.got, "PRI * HTTP/2.0 and more");
        turns_until(w->wire.loop, has_raw, &w->wire.b.got);
        wire_check_text(&w->wire.b.got, "raw");
        sock_close(sock);
        buf_release(&next.got);
        close_world(w);
    }
}

static void test_ends(void **state)
{
    for (int how = 0; how < 3; how++) {
        struct world *w = open_over(H1_SERVER, WIRE_TCP);
        w->keep = true;
        say(w, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        check_told(w, "request", "GET/ .");
        send_head(w, 200, MESSAGE_LENGTH_UNKNOWN, true);
        if (how == 0)
            h1_conn_finish(w->conn, 1000, 1000);
        else if (how == 1)
            h1_conn_close(w->conn);
        else
            h1_conn_abort(w->conn);
        assert_null(h1_conn_sock(w->conn));
        w->leg->ops->body(w->leg, SLICE("late"),
                          true); /* whoever still holds the leg in this turn does no harm */
        w->leg->ops->credit(w->leg, 1);
        w->conn = NULL;
        turns_until(w->wire.loop, wire_b_ended, &w->wire);
        assert_int_equal(w->wire.b.end, how == 2 ? ERR_RESET : 0);
        wire_check_text(&w->wire.b.got,
                        how == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : "");
        close_world(w);
    }
    h1_conn_close(NULL);
    h1_conn_abort(NULL);
    h1_conn_finish(NULL, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_reading_packets),
        cmocka_unit_test(test_head_begin),
        cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_next_is_asked_for),
        cmocka_unit_test(test_answer_and_body),
        cmocka_unit_test(test_answer_inside_on_head),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_unwanted_body),
        cmocka_unit_test(test_sent),
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_unwritten_body_is_credited),
        cmocka_unit_test(test_interim),
        cmocka_unit_test(test_broken_promises),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_leg_reset),
        cmocka_unit_test(test_hangup),
        cmocka_unit_test(test_hangup_behind_answer),
        cmocka_unit_test(test_upgrade),
        cmocka_unit_test(test_upgrade_half_close),
        cmocka_unit_test(test_upgrade_reset),
        cmocka_unit_test(test_client_upgrade),
        cmocka_unit_test(test_release),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests_name("h1_conn", tests, NULL, NULL);
}
