/* SPDX-License-Identifier: MIT */
/* test_h1_head.c - h1_head.c: one row per rule of heads. RFC 9112 2-6;
 * http-rules.md#requests-line-and-framing and http-rules.md#responses */
#include "h1_scan_cut.h"

/* "METHOD authority path framing length" or "status framing length", then what Connection says,
 * then the fields. */
static void describe(const struct message *m, const struct h1_result *r, char *out, size_t size)
{
    static const char *const framings[] = {"none", "length", "chunked", "until-close"};
    int n;
    if (m->status == 0)
        n = snprintf(out, size, "%.*s %.*s %.*s ", SLICE_FMT(m->method), SLICE_FMT(m->authority),
                     SLICE_FMT(m->path));
    else
        n = snprintf(out, size, "%d ", m->status);
    n += snprintf(out + n, size - (size_t)n, "%s %lld %s%s", framings[r->framing],
                  (long long)m->length, r->keep_alive ? "keep" : "close",
                  m->has_body ? " body" : "");
    for (size_t i = 0; i < m->fields.count; i++)
        n += snprintf(out + n, size - (size_t)n, "|%.*s=%.*s", SLICE_FMT(m->fields.v[i].name),
                      SLICE_FMT(m->fields.v[i].value));
}

struct parse_row {
    const char *id;
    struct slice in;
    int want;
    const char *as; /* describe() */
};

static void check_parse(const struct parse_row *row, enum side side)
{
    struct message m;
    struct h1_result r;
    char got[1024];
    message_init(&m);
    check_scan(row->id, row->in, side == REQUEST, (ssize_t)row->in.len);
    char *exact = xcalloc(1, row->in.len);
    memcpy(exact, row->in.ptr, row->in.len);
    struct slice head = slice_make(exact, row->in.len);
    int err = side == REQUEST
                  ? h1_parse_request(head, &h1_default_limits, &m, &r)
                  : h1_parse_response(head, &h1_default_limits, side == TO_HEAD, &m, &r);
    if (err != row->want)
        fail_msg("%s: %d (%s), want %d", row->id, err, r.reason ? r.reason : "-", row->want);
    assert_int_equal(err == ERR_OK, !r.reason);
    describe(&m, &r, got, sizeof got);
    if (err == ERR_OK && strcmp(got, row->as) != 0)
        fail_msg("%s: \"%s\", want \"%s\"", row->id, got, row->as);
    free(exact);
    message_deinit(&m);
}

#define GET(target, fields) IN("GET " target " HTTP/1.1\r\n" HOST fields "\r\n")
#define POST(fields) IN("POST /p HTTP/1.1\r\n" HOST fields "\r\n")
#define POST_1_0(fields) IN("POST /p HTTP/1.0\r\n" HOST fields "\r\n")
#define HOSTED(host) IN("GET / HTTP/1.1\r\nHost: " host "\r\n\r\n")
#define PLAIN "GET a.example / none -1 keep"

static const struct parse_row requests[] = {
    {"Q1 plain", GET("/", ""), ERR_OK, PLAIN},
    {"Q2 HTTP/2.0", IN("GET / HTTP/2.0\r\n" HOST "\r\n"), ERR_VERSION, NULL},
    {"Q2 HTTP/1.2", IN("GET / HTTP/1.2\r\n" HOST "\r\n"), ERR_VERSION, NULL},
    {"Q2 HTTP/0.9", IN("GET / HTTP/0.9\r\n" HOST "\r\n"), ERR_VERSION, NULL},
    {"Q2 preface", IN("PRI * HTTP/2.0\r\n\r\n"), ERR_SYNTAX, NULL},
    {"Q5 PROPFIND", IN("PROPFIND /d HTTP/1.1\r\n" HOST "\r\n"), ERR_OK,
     "PROPFIND a.example /d none -1 keep"},
    {"Q5 M-SEARCH", IN("M-SEARCH /d HTTP/1.1\r\n" HOST "\r\n"), ERR_OK,
     "M-SEARCH a.example /d none -1 keep"},
    {"Q5 case kept", IN("get / HTTP/1.1\r\n" HOST "\r\n"), ERR_OK, "get a.example / none -1 keep"},
    {"Q6 CONNECT", IN("CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n"), ERR_UNSUPPORTED, NULL},
    {"Q6 CONNECT with path", IN("CONNECT / HTTP/1.1\r\n" HOST "\r\n"), ERR_UNSUPPORTED, NULL},
    {"Q7 TRACE", IN("TRACE / HTTP/1.1\r\n" HOST "\r\n"), ERR_OK, "TRACE a.example / none -1 keep"},
    {"Q8 OPTIONS *", IN("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), ERR_OK,
     "OPTIONS a.example * none -1 keep"},
    {"Q8 GET *", GET("*", ""), ERR_SYNTAX, NULL},
    {"Q8 *x", IN("OPTIONS *x HTTP/1.1\r\n" HOST "\r\n"), ERR_SYNTAX, NULL},
    {"Q9 equal", GET("http://a.example/x?y", ""), ERR_OK, "GET a.example /x?y none -1 keep"},
    {"Q9 case", GET("HTTP://A.Example/x", ""), ERR_OK, "GET A.Example /x none -1 keep"},
    {"Q9 default port in target", GET("http://a.example:80/x", ""), ERR_OK,
     "GET a.example:80 /x none -1 keep"},
    {"Q9 default port in host", IN("GET https://b/x HTTP/1.1\r\nHost: b:443\r\n\r\n"), ERR_OK,
     "GET b /x none -1 keep"},
    {"Q9 empty port in target", GET("http://a.example:/x", ""), ERR_OK,
     "GET a.example: /x none -1 keep"},
    {"Q9 empty port in host", IN("GET http://b:80/x HTTP/1.1\r\nHost: b:\r\n\r\n"), ERR_OK,
     "GET b:80 /x none -1 keep"},
    {"Q9 port of the other scheme", GET("http://a.example:443/x", ""), ERR_SYNTAX, NULL},
    {"Q9 different", GET("http://b.example/x", ""), ERR_SYNTAX, NULL},
    {"Q9 longer", GET("http://a.example.evil/x", ""), ERR_SYNTAX, NULL},
    {"Q9 no host in 1.1", IN("GET http://b/ HTTP/1.1\r\n\r\n"), ERR_SYNTAX, NULL},
    {"Q9 no host in 1.0", IN("GET http://b/ HTTP/1.0\r\n\r\n"), ERR_OK, "GET b / none -1 close"},
    {"Q9 no path", GET("http://a.example", ""), ERR_OK, PLAIN},
    {"Q9 query alone", GET("http://a.example?q", ""), ERR_OK, "GET a.example /?q none -1 keep"},
    {"Q9 OPTIONS without path", IN("OPTIONS http://a.example HTTP/1.1\r\n" HOST "\r\n"), ERR_OK,
     "OPTIONS a.example * none -1 keep"}, /* RFC 9112 3.2.4 */
    {"Q9 no authority", GET("http:///x", ""), ERR_SYNTAX, NULL},
    {"Q10 userinfo", GET("http://u@a.example/", ""), ERR_SYNTAX, NULL},
    {"Q10 userinfo with password", GET("http://u:p@a.example/", ""), ERR_SYNTAX, NULL},
    {"Q10 userinfo in host", HOSTED("u@a.example"), ERR_SYNTAX, NULL},
    {"Q11 no slash", GET("x", ""), ERR_SYNTAX, NULL},
    {"Q11 query alone", GET("?x", ""), ERR_SYNTAX, NULL},
    {"Q11 other scheme", GET("ftp://a.example/", ""), ERR_SYNTAX, NULL},
    {"Q11 scheme without slashes", GET("http:a.example/", ""), ERR_SYNTAX, NULL},
    {"Q11 authority-form", GET("a.example:80", ""), ERR_SYNTAX, NULL},
    {"Q14 kept as it is", GET("//a/../%2e%2e/%2F;x\\%00?<>\"{}|^`", ""), ERR_OK,
     "GET a.example //a/../%2e%2e/%2F;x\\%00?<>\"{}|^` none -1 keep"},
    {"Q17 missing in 1.1", IN("GET / HTTP/1.1\r\n\r\n"), ERR_SYNTAX, NULL},
    {"Q17 missing in 1.0", IN("GET / HTTP/1.0\r\n\r\n"), ERR_OK, "GET  / none -1 close"},
    {"Q17 empty", HOSTED(""), ERR_SYNTAX, NULL},
    {"Q17 empty in 1.0", IN("GET / HTTP/1.0\r\nHost:\r\n\r\n"), ERR_SYNTAX, NULL},
    {"Q17 twice", GET("/", "Host: b.example\r\n"), ERR_SYNTAX, NULL},
    {"Q17 twice identical", GET("/", HOST), ERR_SYNTAX, NULL},
    {"Q17 twice, other case", GET("/", "hOsT: a.example\r\n"), ERR_SYNTAX, NULL},
    {"Q18 slash", HOSTED("a/b"), ERR_SYNTAX, NULL},
    {"Q18 two hosts", HOSTED("a b"), ERR_SYNTAX, NULL},
    {"Q18 port", HOSTED("a:65535"), ERR_OK, "GET a:65535 / none -1 keep"},
    {"Q18 port over 65535", HOSTED("a:65536"), ERR_SYNTAX, NULL},
    {"Q18 empty port", HOSTED("a:"), ERR_OK, "GET a: / none -1 keep"},
    {"Q18 IPv6", HOSTED("[::1]:80"), ERR_OK, "GET [::1]:80 / none -1 keep"},
    {"Q18 0x80", HOSTED("\x80"), ERR_SYNTAX, NULL},
    {"Q19 host kept as it is", HOSTED("  A.Example.:3000\t"), ERR_OK,
     "GET A.Example.:3000 / none -1 keep"},
    {"Q21 length and coding", POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
     ERR_SYNTAX, NULL},
    {"Q21 coding and length", POST("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"),
     ERR_SYNTAX, NULL},
    {"Q22 list", POST("Content-Length: 5,5\r\n"), ERR_SYNTAX, NULL},
    {"Q22 list with space", POST("Content-Length: 5, 5\r\n"), ERR_SYNTAX, NULL},
    {"Q22 trailing comma", POST("Content-Length: 5,\r\n"), ERR_SYNTAX, NULL},
    {"Q22 twice equal", POST("Content-Length: 5\r\nContent-Length: 5\r\n"), ERR_SYNTAX, NULL},
    {"Q22 twice different", POST("Content-Length: 5\r\nContent-Length: 6\r\n"), ERR_SYNTAX, NULL},
    {"Q23 plain", POST("Content-Length: 5\r\n"), ERR_OK, "POST a.example /p length 5 keep body"},
    {"Q23 zero", POST("Content-Length: 0\r\n"), ERR_OK, "POST a.example /p length 0 keep"},
    {"Q23 leading zeros", POST("Content-Length: 0005\r\n"), ERR_OK,
     "POST a.example /p length 5 keep body"},
    {"Q23 greatest", POST("Content-Length: 9223372036854775807\r\n"), ERR_OK,
     "POST a.example /p length 9223372036854775807 keep body"},
    {"Q23 one more", POST("Content-Length: 9223372036854775808\r\n"), ERR_SYNTAX, NULL},
    {"Q23 over 64 bits", POST("Content-Length: 18446744073709551621\r\n"), ERR_SYNTAX, NULL},
    {"Q23 plus", POST("Content-Length: +5\r\n"), ERR_SYNTAX, NULL},
    {"Q23 minus", POST("Content-Length: -1\r\n"), ERR_SYNTAX, NULL},
    {"Q23 hex", POST("Content-Length: 0x5\r\n"), ERR_SYNTAX, NULL},
    {"Q23 space inside", POST("Content-Length:  5 5\r\n"), ERR_SYNTAX, NULL},
    {"Q23 empty", POST("Content-Length:\r\n"), ERR_SYNTAX, NULL},
    {"Q23 quoted", POST("Content-Length: \"5\"\r\n"), ERR_SYNTAX, NULL},
    {"Q23 other digits", POST("Content-Length: \xd9\xa5\r\n"), ERR_SYNTAX, NULL},
    {"Q24 chunked", POST("Transfer-Encoding: chunked\r\n"), ERR_OK,
     "POST a.example /p chunked -1 keep body"},
    {"Q24 case", POST("tRANSFER-eNCODING:CHUNKED\r\n"), ERR_OK,
     "POST a.example /p chunked -1 keep body"},
    {"Q24 gzip, chunked", POST("Transfer-Encoding: gzip, chunked\r\n"), ERR_CODING, NULL},
    {"Q24 xchunked", POST("Transfer-Encoding: xchunked\r\n"), ERR_CODING, NULL},
    {"Q24 identity", POST("Transfer-Encoding: identity\r\n"), ERR_CODING, NULL},
    {"Q24 gzip;q=1", POST("Transfer-Encoding: gzip;q=1\r\n"), ERR_CODING, NULL},
    {"Q24 chunked, chunked", POST("Transfer-Encoding: chunked, chunked\r\n"), ERR_SYNTAX, NULL},
    {"Q24 chunked, gzip", POST("Transfer-Encoding: chunked, gzip\r\n"), ERR_SYNTAX, NULL},
    {"Q24 chunked;a", POST("Transfer-Encoding: chunked;a\r\n"), ERR_SYNTAX, NULL},
    {"Q24 quoted", POST("Transfer-Encoding: \"chunked\"\r\n"), ERR_SYNTAX, NULL},
    {"Q24 comma after", POST("Transfer-Encoding: chunked,\r\n"), ERR_SYNTAX, NULL},
    {"Q24 comma before", POST("Transfer-Encoding: , chunked\r\n"), ERR_SYNTAX, NULL},
    {"Q24 empty", POST("Transfer-Encoding:\r\n"), ERR_SYNTAX, NULL},
    {"Q24 only commas", POST("Transfer-Encoding: ,,\r\n"), ERR_SYNTAX, NULL},
    {"Q24 0x80", POST("Transfer-Encoding: chunked\x80\r\n"), ERR_SYNTAX, NULL},
    {"Q24 twice", POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), ERR_SYNTAX,
     NULL},
    {"Q24 twice, first unknown", POST("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
     ERR_CODING, NULL},
    {"Q24 empty, then chunked", POST("Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"),
     ERR_SYNTAX, NULL},
    {"Q25 coding in 1.0", POST_1_0("Transfer-Encoding: chunked\r\n"), ERR_SYNTAX, NULL},
    {"Q25 unknown coding in 1.0", POST_1_0("Transfer-Encoding: gzip\r\n"), ERR_SYNTAX, NULL},
    {"Q41 aliases frame nothing", POST("Content_Length: 5\r\nTransfer.Encoding: chunked\r\n"),
     ERR_OK, "POST a.example /p none -1 keep|Content_Length=5|Transfer.Encoding=chunked"},
    {"Q41 an alias beside it", POST("Content_Length: 9\r\nContent-Length: 5\r\n"), ERR_OK,
     "POST a.example /p length 5 keep body|Content_Length=9"},
    {"Q26 neither", POST(""), ERR_OK, "POST a.example /p none -1 keep"},
    {"Q45 UTF-8 in path and query", GET("/\xc3\xa4/x?q=\xe2\x82\xac&r=%c3", ""), ERR_OK,
     "GET a.example /%C3%A4/x?q=%E2%82%AC&r=%c3 none -1 keep"},
    {"Q45 no UTF-8", GET("/\x80\xff", ""), ERR_OK, "GET a.example /%80%FF none -1 keep"},
    {"Q45 absolute form", GET("http://a.example/\xc3\xa4", ""), ERR_OK,
     "GET a.example /%C3%A4 none -1 keep"},
    {"Q45 absolute form, query alone", GET("http://a.example?\xc3\xa4", ""), ERR_OK,
     "GET a.example /?%C3%A4 none -1 keep"},
    {"Q45 authority", GET("http://a.exampl\xc3\xa9/", ""), ERR_SYNTAX, NULL},
    {"Q45 first byte", GET("\xc3\xa4", ""), ERR_SYNTAX, NULL},
    {"Q37 >= 0x80 in value", GET("/", "A: \xc3\xa4\xff\r\n"), ERR_OK, PLAIN "|A=\xc3\xa4\xff"},
    {"Q40 1.0", POST_1_0("Content-Length: 1\r\n"), ERR_OK, "POST a.example /p length 1 close body"},
    {"Q40 1.0 keep-alive", POST_1_0("Connection: Keep-Alive\r\n"), ERR_OK,
     "POST a.example /p none -1 keep|Connection=Keep-Alive"},
    {"Q40 1.0 both", POST_1_0("Connection: keep-alive, close\r\n"), ERR_OK,
     "POST a.example /p none -1 close|Connection=keep-alive, close"},
    {"RFC 9112 9.3 close", GET("/", "Connection: x, CLOSE\r\n"), ERR_OK,
     "GET a.example / none -1 close|Connection=x, CLOSE"},
    {"RFC 9112 9.3 close on the second line", GET("/", "Connection: x\r\nConnection: close\r\n"),
     ERR_OK, "GET a.example / none -1 close|Connection=x|Connection=close"},
    {"H1 order and repeats kept", GET("/", "b: 1\r\nA: 2\r\nb: 3\r\n"), ERR_OK,
     PLAIN "|b=1|A=2|b=3"},
    {"RFC 9112 5 spaces around a value", GET("/", "A: \t b c \t\r\n"), ERR_OK, PLAIN "|A=b c"},
    {"RFC 9112 5 empty value", GET("/", "A:\r\nB: \r\n"), ERR_OK, PLAIN "|A=|B="},
    {"RFC 9112 5 colon in a value", GET("/", "A::b:\r\n"), ERR_OK, PLAIN "|A=:b:"},
    {"W1 upgrade stays", GET("/", "Upgrade: websocket\r\nConnection: upgrade\r\n"), ERR_OK,
     PLAIN "|Upgrade=websocket|Connection=upgrade"},
};

static void requests_are_parsed(void **state)
{
    for (size_t i = 0; i < COUNT(requests); i++)
        check_parse(&requests[i], REQUEST);
}

#define OK(fields) IN("HTTP/1.1 200 OK\r\n" fields "\r\n")
#define STATUS(status, fields) IN("HTTP/1.1 " status "\r\n" fields "\r\n")

static const struct parse_row responses[] = {
    {"R1 plain", OK("Content-Length: 5\r\n"), ERR_OK, "200 length 5 keep body"},
    {"R1 reason empty", STATUS("200 ", "Content-Length: 0\r\n"), ERR_OK, "200 length 0 keep"},
    {"R1 reason missing", STATUS("200", "Content-Length: 0\r\n"), ERR_OK, "200 length 0 keep"},
    {"R1 reason opaque", STATUS("200 \xc3\xa4\tb", "Content-Length: 0\r\n"), ERR_OK,
     "200 length 0 keep"},
    {"R1 1.0", IN("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), ERR_OK,
     "200 length 5 close body"},
    {"R1 1.0 keep-alive",
     IN("HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"), ERR_OK,
     "200 length 5 keep body|Connection=keep-alive"},
    {"R1 599", STATUS("599", "Content-Length: 0\r\n"), ERR_OK, "599 length 0 keep"},
    {"R1 099", STATUS("099", ""), ERR_PROTOCOL, NULL},
    {"R1 000", STATUS("000", ""), ERR_PROTOCOL, NULL},
    {"R1 600", STATUS("600", ""), ERR_PROTOCOL, NULL},
    {"R1 999", STATUS("999", ""), ERR_PROTOCOL, NULL},
    {"R1 HTTP/2.0", IN("HTTP/2.0 200 OK\r\n\r\n"), ERR_PROTOCOL, NULL},
    {"R1 HTTP/1.2", IN("HTTP/1.2 200 OK\r\n\r\n"), ERR_PROTOCOL, NULL},
    {"R3 length and coding", OK("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
     ERR_PROTOCOL, NULL},
    {"R3 list unequal", OK("Content-Length: 5, 6\r\n"), ERR_PROTOCOL, NULL},
    {"R3 lines unequal", OK("Content-Length: 5\r\nContent-Length: 6\r\n"), ERR_PROTOCOL, NULL},
    {"RFC 9110 8.6 list equal", OK("Content-Length: 5, 5\r\n"), ERR_OK, "200 length 5 keep body"},
    {"RFC 9110 8.6 lines equal", OK("Content-Length: 5\r\nContent-Length: 5\r\n"), ERR_OK,
     "200 length 5 keep body"},
    {"R3 length malformed", OK("Content-Length: 5x\r\n"), ERR_PROTOCOL, NULL},
    {"R3 length empty", OK("Content-Length:\r\n"), ERR_PROTOCOL, NULL},
    {"R3 length list empty", OK("Content-Length: ,\r\n"), ERR_PROTOCOL, NULL},
    {"R3 length over 2^63-1", OK("Content-Length: 9223372036854775808\r\n"), ERR_PROTOCOL, NULL},
    {"R3 gzip", OK("Transfer-Encoding: gzip\r\n"), ERR_PROTOCOL, NULL},
    {"R3 gzip, chunked", OK("Transfer-Encoding: gzip, chunked\r\n"), ERR_PROTOCOL, NULL},
    {"R3 chunked twice", OK("Transfer-Encoding: chunked, chunked\r\n"), ERR_PROTOCOL, NULL},
    {"R3 chunked, gzip", OK("Transfer-Encoding: chunked, gzip\r\n"), ERR_PROTOCOL, NULL},
    {"RFC 9112 6.1 coding in 1.0", IN("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
     ERR_PROTOCOL, NULL},
    {"R10 chunked", OK("Transfer-Encoding: Chunked\r\n"), ERR_OK, "200 chunked -1 keep body"},
    {"R11 neither", OK("A: b\r\n"), ERR_OK, "200 until-close -1 close body|A=b"},
    {"R4 100", STATUS("100 Continue", ""), ERR_OK, "100 none -1 keep"},
    {"R4 103", STATUS("103 Early Hints", "Link: </a>\r\n"), ERR_OK, "103 none -1 keep|Link=</a>"},
    {"R4 101", STATUS("101 Switching Protocols", "Upgrade: websocket\r\nConnection: Upgrade\r\n"),
     ERR_OK, "101 none -1 keep|Upgrade=websocket|Connection=Upgrade"},
    {"R4 length of 1xx dropped", STATUS("103", "Content-Length: 5\r\n"), ERR_OK,
     "103 none -1 keep"},
    {"R6 plain", STATUS("204 No Content", ""), ERR_OK, "204 none -1 keep"},
    {"R6 length 0 removed", STATUS("204", "Content-Length: 0\r\n"), ERR_OK, "204 none -1 keep"},
    {"R6 length removed, close", STATUS("204", "Content-Length: 5\r\n"), ERR_OK,
     "204 none -1 close"},
    {"R6 coding removed, close", STATUS("204", "Transfer-Encoding: chunked\r\n"), ERR_OK,
     "204 none -1 close"},
    {"R7 length kept", STATUS("304", "Content-Length: 5\r\n"), ERR_OK, "304 none 5 keep"},
    {"R7 no length", STATUS("304", ""), ERR_OK, "304 none -1 keep"},
    {"R8 length 0", STATUS("205", "Content-Length: 0\r\n"), ERR_OK, "205 none 0 keep"},
    {"R8 length, close", STATUS("205", "Content-Length: 5\r\n"), ERR_OK, "205 none 0 close"},
    {"R8 chunked, close", STATUS("205", "Transfer-Encoding: chunked\r\n"), ERR_OK,
     "205 none 0 close"},
    {"R8 neither, close", STATUS("205", ""), ERR_OK, "205 none 0 close"},
};

static const struct parse_row responses_to_head[] = {
    {"R5 length kept", OK("Content-Length: 5\r\n"), ERR_OK, "200 none 5 keep"},
    {"R5 chunked", OK("Transfer-Encoding: chunked\r\n"), ERR_OK, "200 none -1 keep"},
    {"R5 neither", OK(""), ERR_OK, "200 none -1 keep"},
    {"R5 close said", OK("Connection: close\r\n"), ERR_OK, "200 none -1 close|Connection=close"},
    {"R5 with 204", STATUS("204", "Content-Length: 5\r\n"), ERR_OK, "204 none -1 keep"},
    {"R3 length and coding", OK("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
     ERR_PROTOCOL, NULL},
};

static void responses_are_parsed(void **state)
{
    for (size_t i = 0; i < COUNT(responses); i++)
        check_parse(&responses[i], RESPONSE);
    for (size_t i = 0; i < COUNT(responses_to_head); i++)
        check_parse(&responses_to_head[i], TO_HEAD);
}

static void parser_keeps_limits(void **state)
{
    struct message m;
    struct h1_result r;
    const struct h1_limits small = {.head = 64, .fields = 1, .field = 32, .target = 8};
    const struct slice two = SLICE("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n");
    message_init(&m);
    assert_int_equal(h1_parse_request(SLICE("GET /23456789 HTTP/1.1\r\n\r\n"), &small, &m, &r),
                     ERR_URI_TOO_LONG);
    assert_int_equal(
        h1_parse_request(SLICE("GET / HTTP/1.1\r\nA: b\r\nC: d\r\n\r\n"), &small, &m, &r),
        ERR_LIMIT);
    assert_int_equal(h1_parse_response(two, &small, false, &m, &r), ERR_LIMIT); /* R2 */
    /* No head is no complete head. */
    assert_int_equal(h1_parse_request(SLICE(""), &small, &m, &r), ERR_SYNTAX);
    assert_int_equal(h1_parse_response(SLICE(""), &small, false, &m, &r), ERR_PROTOCOL);
    assert_int_equal(h1_parse_request(SLICE("GET / HTTP/1.1\r\n"), &small, &m, &r), ERR_SYNTAX);
    assert_int_equal(h1_parse_request(SLICE("GET / HTTP/1.1\r\n\r\nX"), &small, &m, &r),
                     ERR_SYNTAX);
    message_deinit(&m);
}

static const struct {
    const char *id;
    struct slice in;
    bool want;
} authorities[] = {
    {"Q18 name", IN("a.example"), true},
    {"Q18 underscore", IN("a_b.example"), true},
    {"Q18 IPv4", IN("127.0.0.1:3000"), true},
    {"Q18 IPv6", IN("[2001:db8::1]"), true},
    {"Q18 IPv6 with port", IN("[::1]:65535"), true},
    {"Q18 empty port", IN("a:"), true}, /* RFC 3986 3.2.3: port = *DIGIT */
    {"Q18 IPv6 with empty port", IN("[::1]:"), true},
    {"Q18 empty port alone", IN(":"), false},
    {"Q18 mapped IPv4", IN("[::ffff:1.2.3.4]"), true},
    {"RFC 3986 3.2.2 escape", IN("%c3%A4"), true},
    {"RFC 3986 3.2.2 sub-delims", IN("a!$&'()*+,;=b"), true},
    {"Q17 empty", IN(""), false},
    {"Q18 port alone", IN(":80"), false},
    {"Q18 two colons", IN("a::"), false},
    {"Q18 port over 65535", IN("a:65536"), false},
    {"Q18 long port", IN("a:000080"), false},
    {"Q18 port with sign", IN("a:+80"), false},
    {"Q18 port with letter", IN("a:8o"), false},
    {"Q18 two ports", IN("a:80:80"), false},
    {"Q18 IPv6 bare", IN("::1"), false},
    {"Q18 IPv6 open", IN("[::1"), false},
    {"Q18 IPv6 empty", IN("[]"), false},
    {"Q18 IPv6 zone", IN("[fe80::1%25eth0]"), false},
    {"Q18 IPv6 malformed", IN("[1:2]"), false},
    {"Q18 IPv6 with NUL", IN("[::1\0]"), false},
    {"Q18 IPv6 then text", IN("[::1]a"), false},
    {"Q18 IPv6 too long", IN("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"), false},
    {"Q18 bracket inside", IN("a[::1]"), false},
    {"Q18 escape cut", IN("a%c"), false},
    {"Q18 escape malformed", IN("a%zz"), false},
    {"Q18 space", IN("a b"), false},
    {"Q18 slash", IN("a/b"), false},
    {"Q18 backslash", IN("a\\b"), false},
    {"Q18 query", IN("a?b"), false},
    {"Q18 fragment", IN("a#b"), false},
    {"Q18 angle", IN("a<b"), false},
    {"Q18 quote", IN("a\"b"), false},
    {"Q18 NUL", IN("a\0"), false},
    {"Q18 0x80", IN("a\x80"), false},
    {"Q10 userinfo", IN("u@a"), false},
};

static const struct {
    const char *id;
    struct slice in;
    bool want;
} targets[] = {
    {"D2 path", IN("/"), true},
    {"D2 star", IN("*"), true},
    {"Q14 anything", IN("//../%00"), true},
    {"Q11 empty", IN(""), false},
    {"Q11 no slash", IN("a"), false},
    {"Q8 star and more", IN("*a"), false},
    {"Q12 fragment", IN("/#"), false},
    {"Q13 space", IN("/ "), false},
    {"Q13 NUL", IN("/\0"), false},
    {"Q13 LF", IN("/\n"), false},
    {"Q13 DEL", IN("/\x7f"), false},
    {"Q13 0x80", IN("/\x80"), false},
};

static const struct {
    const char *id;
    struct slice in;
    bool want;
} methods[] = {
    {"Q5 token", IN("M-SEARCH"), true},
    {"Q4 32", IN("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF"), true},
    {"Q4 33", IN("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG"), false},
    {"Q4 empty", IN(""), false},
    {"Q4 space", IN("A B"), false},
    {"Q4 CR", IN("A\r"), false},
};

static void parts_are_judged(void **state)
{
    for (size_t i = 0; i < COUNT(authorities); i++)
        if (h1_authority_valid(authorities[i].in) != authorities[i].want)
            fail_msg("%s", authorities[i].id);
    for (size_t i = 0; i < COUNT(targets); i++)
        if (h1_target_valid(targets[i].in) != targets[i].want)
            fail_msg("%s", targets[i].id);
    for (size_t i = 0; i < COUNT(methods); i++)
        if (h1_method_valid(methods[i].in) != methods[i].want)
            fail_msg("%s", methods[i].id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_parsed),
        cmocka_unit_test(responses_are_parsed),
        cmocka_unit_test(parser_keeps_limits),
        cmocka_unit_test(parts_are_judged),
    };
    return cmocka_run_group_tests_name("h1_head", tests, NULL, NULL);
}
