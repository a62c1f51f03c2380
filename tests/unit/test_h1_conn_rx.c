/* SPDX-License-Identifier: MIT */
/* test_h1_conn_rx.c - what a connection makes of the bytes that come, however they are cut.
 * h1_conn_rx.c; RFC 9112. */
#include "h1_world.h"

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
    {"length 0", H1_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", STAYS, "200. . done",
     false},
    {"chunked", H1_CLIENT,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", STAYS,
     "200 'hello' end . done", false},
    {"trailers", H1_CLIENT,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx-sum: 1\r\n\r\n", STAYS,
     "200 trailers x-sum=1 . done", false},
    {"R6 204 whatever it says", H1_CLIENT,
     "HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
     STAYS, "204. . done 200 'x' end . done", false},
    {"R7 304", H1_CLIENT,
     "HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
     STAYS, "304. . done 200 'x' end . done", false},
    {"R5 HEAD", H1_CLIENT,
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: "
     "chunked\r\n\r\n",
     STAYS, "200. . done 200. . done", true},
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

/* Every byte in a packet of its own, and packets of random length. */
static void test_reading_packets(void **state)
{
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++)
        for (uint32_t seed = 0; seed < 3; seed++)
            run_reading_in_packets(&readings[i], seed);
}

/* The head's time begins with its first byte, once a request: empty lines do not prolong it. */
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
    assert_int_equal(h1_conn_head_bytes(w->conn), 3);
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

/* A connection that nobody has tied asked for nothing: what its peer says is no answer. */
static void test_unasked_answer(void **state)
{
    static const char *const heads[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 408 Slow\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Go\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct world *w = open_world(H1_CLIENT);
        say(w, heads[i]);
        check_told(w, heads[i], "error:-13");
        close_world(w);
    }
}

static const struct {
    const char *what;
    enum h1_role role;
    const char *in;
    bool keeps_alive;
} lives[] = {
    {"request", H1_SERVER, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", true},
    {"request, close", H1_SERVER, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false},
    {"request of 1.0", H1_SERVER, "GET / HTTP/1.0\r\nHost: h\r\n\r\n", false},
    {"response", H1_CLIENT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
    {"response, close", H1_CLIENT,
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false},
    {"response until the close", H1_CLIENT, "HTTP/1.1 200 OK\r\n\r\n", false},
};

static void test_keeps_alive(void **state)
{
    for (size_t i = 0; i < sizeof lives / sizeof *lives; i++) {
        struct world *w = open_world(lives[i].role);
        w->keep = w->no_next = true;
        if (lives[i].role == H1_CLIENT)
            ask(w);
        say(w, lives[i].in);
        if (h1_conn_keeps_alive(w->conn) != lives[i].keeps_alive)
            fail_msg("%s", lives[i].what);
        close_world(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),        cmocka_unit_test(test_reading_packets),
        cmocka_unit_test(test_head_begin),     cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_unasked_answer), cmocka_unit_test(test_keeps_alive),
    };
    return cmocka_run_group_tests_name("h1_conn, reading", tests, NULL, NULL);
}
