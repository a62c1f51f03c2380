/* SPDX-License-Identifier: MIT */
/* test_h1_lenient.c - what a lenient reader of responses takes that a strict one refuses, and what
 * it refuses still: h1_scan.c, h1_head.c, h1_body.c and h1_conn_rx.c with h1_limits.lenient. */
#include "h1_world.h"

#define COUNT(rows) (sizeof rows / sizeof(*(rows)))
#define IN(text)                                                                                   \
    {                                                                                              \
        (text), sizeof text - 1                                                                    \
    }

static const struct h1_limits lenient = {
    .head = 1000, .fields = 3, .field = 500, .target = 0, .lenient = true};

/* ---- heads */

static const struct head_row {
    const char *id;
    struct slice in;
    int want; /* 0: the head ends with @in */
} heads[] = {
    {"R25 LF everywhere", IN("HTTP/1.1 200 OK\nA: b\nC: d\n\n"), 0},
    {"R25 LF and CRLF", IN("HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\n"), 0},
    {"R25 LF behind the status", IN("HTTP/1.1 200\n\n"), 0},
    {"R25 LF behind an empty reason", IN("HTTP/1.0 200 \nA:\n\r\n"), 0},
    {"R25 as many fields as may be", IN("HTTP/1.1 200 OK\nA: b\nA: b\nA: b\n\n"), 0},
    {"R25 one field more", IN("HTTP/1.1 200 OK\nA: b\nA: b\nA: b\nA"), ERR_LIMIT},
    {"R25 bare CR", IN("HTTP/1.1 200 OK\nA: b\rC"), ERR_SYNTAX},
    {"R25 CR CR LF", IN("HTTP/1.1 200 OK\nA: b\r\r"), ERR_SYNTAX},
    {"R25 NUL", IN("HTTP/1.1 200 OK\nA: b\0"), ERR_SYNTAX},
    {"R25 fold", IN("HTTP/1.1 200 OK\nA: b\n "), ERR_SYNTAX},
    {"R25 space before colon", IN("HTTP/1.1 200 OK\nA "), ERR_SYNTAX},
    {"R25 no colon", IN("HTTP/1.1 200 OK\nA\n"), ERR_SYNTAX},
    {"R25 half a status", IN("HTTP/1.1 20\n"), ERR_SYNTAX},
    {"R25 half a version", IN("HTTP/1.\n"), ERR_SYNTAX},
    {"R25 no line at all", IN("\n"), ERR_SYNTAX}, /* h1_conn skips those before a head */
};

static void heads_are_read(void **state)
{
    for (const struct head_row *row = heads; row < heads + COUNT(heads); row++)
        for (size_t cut = 0; cut <= row->in.len; cut++) {
            struct h1_scan s = {0}, strict = {0};
            ssize_t n = h1_scan_head(&s, slice_make(row->in.ptr, cut), &lenient, false);
            if (n == 0)
                n = h1_scan_head(&s, row->in, &lenient, false);
            if (n != (row->want < 0 ? row->want : (ssize_t)row->in.len))
                fail_msg("%s, cut at %zu: %zd (%s)", row->id, cut, n, s.reason ? s.reason : "-");
            assert_int_equal(h1_scan_head(&strict, row->in, &h1_default_limits, false), ERR_SYNTAX);
        }
}

/* R25: names and values are the same behind either end of a line. */
static void fields_are_the_same(void **state)
{
    struct message m;
    struct h1_result r;
    message_init(&m);
    assert_int_equal(
        h1_parse_response(SLICE("HTTP/1.1 200 OK\nA: b \nC:\r\nD: e\n\n"), &lenient, 0, &m, &r),
        ERR_OK);
    assert_int_equal(m.fields.count, 3);
    assert_true(slice_eq(m.fields.v[0].value, SLICE("b")));
    assert_true(slice_eq(m.fields.v[1].value, SLICE("")));
    assert_true(slice_eq(m.fields.v[2].value, SLICE("e")));
    message_deinit(&m);
}

static const struct {
    const char *id, *fields;
    unsigned asked;
    int want;
    enum h1_framing framing;
} both[] = {
    {"R26 length, then chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", H1_BOTH,
     ERR_OK, H1_CHUNKED},
    {"R26 chunks, then length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", H1_BOTH,
     ERR_OK, H1_CHUNKED},
    {"R26 length 0", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", H1_BOTH, ERR_OK,
     H1_CHUNKED},
    {"R26 HEAD", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", H1_BOTH | H1_TO_HEAD,
     ERR_OK, H1_NO_BODY},
    {"R26 a strict reader", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 0, ERR_PROTOCOL,
     H1_NO_BODY},
    {"R26 lengths that differ",
     "Content-Length: 5\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n", H1_BOTH,
     ERR_PROTOCOL, H1_NO_BODY},
    {"R26 a malformed length", "Content-Length: 5x\r\nTransfer-Encoding: chunked\r\n", H1_BOTH,
     ERR_PROTOCOL, H1_NO_BODY},
    {"R26 another coding", "Content-Length: 5\r\nTransfer-Encoding: gzip, chunked\r\n", H1_BOTH,
     ERR_PROTOCOL, H1_NO_BODY},
};

static void chunks_count_beside_a_length(void **state)
{
    for (size_t i = 0; i < COUNT(both); i++) {
        char text[256];
        struct message m;
        struct h1_result r;
        message_init(&m);
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n", both[i].fields);
        int err = h1_parse_response(slice_str(text), &lenient, both[i].asked, &m, &r);
        if (err != both[i].want || (err == ERR_OK && r.framing != both[i].framing))
            fail_msg("%s: %d (%s)", both[i].id, err, r.reason ? r.reason : "-");
        assert_true(err < 0 || (!r.keep_alive && m.length == MESSAGE_LENGTH_UNKNOWN));
        message_deinit(&m);
    }
}

/* ---- connections */

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define TEN_BLANKS "          "
#define MANY_BLANKS TEN_BLANKS TEN_BLANKS TEN_BLANKS TEN_BLANKS TEN_BLANKS

static const struct reading {
    const char *what, *in;
    bool fin;
    const char
        *want; /* an error of a body by its number: -17 coding; in cuts the head goes first */
    const char *whole;
} readings[] = {
    {"R25 empty line", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", false,
     "200 'x' end . done", NULL},
    {"R25 empty lines", "\n\r\n\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", false,
     "200 'x' end . done", NULL},
    {"R25 empty line behind an interim head",
     "HTTP/1.1 100 Go\r\n\r\n\r\nHTTP/1.1 200 OK\nContent-Length: 1\n\nx", false,
     "100 200 'x' end . done", NULL},
    {"R25 eight empty lines", "\n\n\n\n\n\n\n\nHTTP/1.1 204 None\n\n", false, "204. . done", NULL},
    {"R25 nine empty lines", "\n\n\n\n\n\n\n\n\nHTTP/1.1 204 None\n\n", false, "reset:-2 error:-2",
     NULL},
    {"R25 bare CR before a head", "\rHTTP/1.1 204 None\n\n", false, "reset:-2 error:-2", NULL},
    {"R25 blank behind a size", CHUNKED "2 \r\nhi\r\n0\t \r\n\r\n", false, "200 'hi' end . done",
     NULL},
    {"R25 blank before an extension", CHUNKED "2 \t;a=b\r\nhi\r\n0 ;c\r\n\r\n", false,
     "200 'hi' end . done", NULL},
    {"R25 250 blanks behind each size",
     CHUNKED "1" MANY_BLANKS MANY_BLANKS MANY_BLANKS MANY_BLANKS MANY_BLANKS "\r\nh\r\n"
             "1" MANY_BLANKS MANY_BLANKS MANY_BLANKS MANY_BLANKS MANY_BLANKS "\r\ni\r\n0\r\n\r\n",
     false, "200 'hi' end . done", NULL},
    {"R25 LF in all of the framing", CHUNKED "2\nhi\n1;x\n!\n0\n\n", false, "200 'hi!' end . done",
     NULL},
    {"R25 LF in trailers", CHUNKED "0\nx-a: 1\nx-b: 2\r\n\n", false,
     "200 trailers x-a=1 x-b=2 . done", NULL},
    {"R25 LF behind data alone", CHUNKED "2\r\nhi\n1\r\n!\r\n0\r\n\r\n", false,
     "200 'hi!' end . done", NULL},
    {"R25 data that begins with LF", CHUNKED "1\n\n\n0\n\n", false, "200 '\n' end . done", NULL},
    {"R25 until the end of the connection", "HTTP/1.0 200 OK\n\nhello", true,
     "200 'hello' end . done reset:-6 error:-6", NULL},
    {"R27 no size", CHUNKED "xyz\r\n", false, "200 reset:-17 error:-17", "reset:-17 error:-17"},
    {"R27 no size, LF", CHUNKED "\n2\nhi\n", false, "200 reset:-17 error:-17",
     "reset:-17 error:-17"},
    {"R27 blank before a size", CHUNKED " 2\r\nhi\r\n", false, "200 reset:-17 error:-17",
     "reset:-17 error:-17"},
    {"R27 digits behind a blank", CHUNKED "2 2\r\nhi\r\n", false, "200 reset:-17 error:-17",
     "reset:-17 error:-17"},
    {"R27 bare CR behind a size", CHUNKED "2\rhi\r\n", false, "200 reset:-17 error:-17",
     "reset:-17 error:-17"},
    {"R27 data longer than its size", CHUNKED "2\r\nhi!\r\n", false, "200 'hi' reset:-17 error:-17",
     "reset:-17 error:-17"},
    {"R27 a second size", CHUNKED "2\r\nhi\r\n-1\r\n", false, "200 'hi' reset:-17 error:-17",
     "reset:-17 error:-17"},
    {"R27 a trailer", CHUNKED "2\r\nhi\r\n0\r\nx y: z\r\n\r\n", false,
     "200 'hi' reset:-17 error:-17", "reset:-17 error:-17"},
    {"R25 a last line that misses", CHUNKED "2\r\nhi\r\n0\r\n", true, "200 'hi' reset:-7 error:-7",
     NULL},
};

/* Sends a row in two pieces. What is behind the head is judged with the head where it came along,
 * so a fault may show before the head was told, or after it. */
static void run_reading(const struct reading *r, size_t cut)
{
    char what[128];
    struct slice in = slice_str(r->in);
    struct world *w = open_with(H1_CLIENT, WIRE_MEMORY, &lenient);
    bool whole = cut == 0 || cut == in.len;
    ask(w);
    if (!whole) {
        sock_write(w->wire.b.sock, slice_make(in.ptr, cut));
        settle(w);
    }
    sock_write(w->wire.b.sock, whole ? in : slice_skip(in, cut));
    if (r->fin)
        sock_shutdown(w->wire.b.sock);
    settle(w);
    snprintf(what, sizeof what, "%s, cut at %zu", r->what, cut);
    bool early = r->whole && !slice_starts(buf_slice(&w->told), SLICE("200"));
    assert_true(!whole || !r->whole || early);
    check_told(w, what, early ? r->whole : r->want);
    close_world(w);
}

static void responses_are_read(void **state)
{
    for (const struct reading *r = readings; r < readings + COUNT(readings); r++)
        for (size_t cut = 0; cut <= strlen(r->in); cut++)
            run_reading(r, cut);
}

/* R25, D7: a connection that waits for no response keeps what comes, so that its owner sees it. */
static void an_idle_connection_keeps_empty_lines(void **state)
{
    struct world *w = open_with(H1_CLIENT, WIRE_MEMORY, &lenient);
    say(w, "\r\n");
    assert_null(w->conn); /* told as an error, and closed */
    check_told_now(w, "an empty line", "error:-2");
    close_world(w);
}

/* R25: a peer that ended behind an empty line had begun to answer. */
static void an_empty_line_is_a_begun_answer(void **state)
{
    struct world *w = open_with(H1_CLIENT, WIRE_MEMORY, &lenient);
    w->show_begun = true;
    ask(w);
    say(w, "\n");
    assert_int_equal(h1_conn_head_bytes(w->conn), 0);
    sock_shutdown(w->wire.b.sock);
    check_told(w, "the end behind an empty line", "begun reset:-6 error:-6");
    close_world(w);
}

/* Viewers are read as strictly as ever, whoever sets what. */
static void requests_stay_strict(void **state)
{
    struct world *w = open_world(H1_SERVER);
    say(w, "GET / HTTP/1.1\nHost: h\n\n");
    check_told(w, "Q31 LF", "error:-2");
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_read),
        cmocka_unit_test(fields_are_the_same),
        cmocka_unit_test(chunks_count_beside_a_length),
        cmocka_unit_test(responses_are_read),
        cmocka_unit_test(an_idle_connection_keeps_empty_lines),
        cmocka_unit_test(an_empty_line_is_a_begun_answer),
        cmocka_unit_test(requests_stay_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
