/* SPDX-License-Identifier: MIT */
/* test_h1_write.c - h1_write.c: heads and chunk framing as bytes. RFC 9112 3-7;
 * http-rules.md#requests-towards-the-origin */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/http/h1.h"

#define COUNT(rows) (sizeof rows / sizeof(*(rows)))

static const struct row {
    const char *id;
    int status; /* 0: a request */
    const char *method, *path, *authority;
    const char *fields; /* "name=value|…" */
    int64_t length;
    struct h1_write w;
    const char *want; /* NULL: ERR_SYNTAX */
} rows[] = {
    {"D1 Host first",
     0,
     "GET",
     "/a?b",
     "h:1",
     "x=1|y=2|",
     -1,
     {.framing = H1_NO_BODY},
     "GET /a?b HTTP/1.1\r\nHost: h:1\r\nX: 1\r\nY: 2\r\n\r\n"},
    {"no authority", 0, "GET", "/", NULL, "", -1, {.framing = H1_NO_BODY}, NULL},
    {"Q8 OPTIONS *",
     0,
     "OPTIONS",
     "*",
     "h",
     "",
     -1,
     {.framing = H1_NO_BODY},
     "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"D35 names as usual",
     0,
     "GET",
     "/",
     "h",
     "X-a=1|x-A=2|",
     -1,
     {.framing = H1_NO_BODY},
     "GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-A: 2\r\n\r\n"},
    {"D3 cookies joined",
     0,
     "GET",
     "/",
     "h",
     "cookie=a=1|x=y|Cookie=b=2|cookie=c|",
     -1,
     {.framing = H1_NO_BODY},
     "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1; b=2; c\r\nX: y\r\n\r\n"},
    {"D3 one cookie",
     0,
     "GET",
     "/",
     "h",
     "cookie=a=1; b=2|",
     -1,
     {.framing = H1_NO_BODY},
     "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=1; b=2\r\n\r\n"},
    {"D4 length",
     0,
     "PUT",
     "/",
     "h",
     "",
     5,
     {.framing = H1_LENGTH},
     "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"},
    {"D4 length 0",
     0,
     "PUT",
     "/",
     "h",
     "",
     0,
     {.framing = H1_LENGTH},
     "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
    {"D5 chunked",
     0,
     "PUT",
     "/",
     "h",
     "",
     -1,
     {.framing = H1_CHUNKED},
     "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"D5 never both",
     0,
     "PUT",
     "/",
     "h",
     "Content-Length=7|transfer-encoding=x|",
     5,
     {.framing = H1_CHUNKED},
     "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"D1 one Host",
     0,
     "GET",
     "/",
     "h",
     "hOST=evil|connection=x|",
     -1,
     {.framing = H1_NO_BODY},
     "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"D7 keep-alive",
     0,
     "GET",
     "/",
     "h",
     "",
     -1,
     {.keep_alive = true},
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"},
    {"W5 upgrade",
     0,
     "GET",
     "/",
     "h",
     "upgrade=websocket|",
     -1,
     {.upgrade = true},
     "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
    {"H3 te",
     0,
     "GET",
     "/",
     "h",
     "",
     -1,
     {.te_trailers = true},
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: TE\r\nTE: trailers\r\n\r\n"},
    {"9110 7.6.1 several options",
     0,
     "GET",
     "/",
     "h",
     "",
     -1,
     {.close = true, .te_trailers = true},
     "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, TE\r\nTE: trailers\r\n\r\n"},
    {"D2 CR in value", 0, "GET", "/", "h", "x=a\r|", -1, {.framing = H1_NO_BODY}, NULL},
    {"D2 LF in value", 0, "GET", "/", "h", "x=a\nb|", -1, {.framing = H1_NO_BODY}, NULL},
    {"D2 space at the edge", 0, "GET", "/", "h", "x= a|", -1, {.framing = H1_NO_BODY}, NULL},
    {"D2 space in name", 0, "GET", "/", "h", "x y=a|", -1, {.framing = H1_NO_BODY}, NULL},
    {"D2 pseudo name", 0, "GET", "/", "h", ":path=a|", -1, {.framing = H1_NO_BODY}, NULL},
    {"D2 empty name", 0, "GET", "/", "h", "=a|", -1, {.framing = H1_NO_BODY}, NULL},
    {"D2 LF in cookie",
     0,
     "GET",
     "/",
     "h",
     "cookie=a|cookie=b\n|",
     -1,
     {.framing = H1_NO_BODY},
     NULL},
    {"D2 LF in authority", 0, "GET", "/", "h\nx", "", -1, {.framing = H1_NO_BODY}, NULL},
    {"D2 space in path", 0, "GET", "/ HTTP/1.1", "h", "", -1, {.framing = H1_NO_BODY}, NULL},
    {"D2 CRLF in path", 0, "GET", "/\r\n", "h", "", -1, {.framing = H1_NO_BODY}, NULL},
    {"D2 space in method", 0, "GET /", "/", "h", "", -1, {.framing = H1_NO_BODY}, NULL},
    {"R1 standard phrase",
     404,
     NULL,
     NULL,
     NULL,
     "a=b|",
     0,
     {.framing = H1_LENGTH},
     "HTTP/1.1 404 Not Found\r\nA: b\r\nContent-Length: 0\r\n\r\n"},
    {"R1 no phrase",
     299,
     NULL,
     NULL,
     NULL,
     "",
     -1,
     {.framing = H1_CHUNKED},
     "HTTP/1.1 299 Unknown\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"R1 status 99", 99, NULL, NULL, NULL, "", -1, {.framing = H1_NO_BODY}, NULL},
    {"R1 status 600", 600, NULL, NULL, NULL, "", -1, {.framing = H1_NO_BODY}, NULL},
    {"R4 1xx unframed",
     103,
     NULL,
     NULL,
     NULL,
     "link=x|",
     5,
     {.framing = H1_LENGTH},
     "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"},
    {"R4 W12 101",
     101,
     NULL,
     NULL,
     NULL,
     "Upgrade=websocket|",
     -1,
     {.framing = H1_NO_BODY, .upgrade = true},
     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
    {"R5 R7 length without body",
     304,
     NULL,
     NULL,
     NULL,
     "",
     5,
     {.framing = H1_LENGTH},
     "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
    {"R6 204 unframed",
     204,
     NULL,
     NULL,
     NULL,
     "",
     -1,
     {.framing = H1_CHUNKED},
     "HTTP/1.1 204 No Content\r\n\r\n"},
    {"R12 close-delimited",
     200,
     NULL,
     NULL,
     NULL,
     "",
     -1,
     {.framing = H1_UNTIL_CLOSE, .close = true},
     "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"},
    {"R11 length unknown",
     200,
     NULL,
     NULL,
     NULL,
     "",
     -1,
     {.framing = H1_LENGTH},
     "HTTP/1.1 200 OK\r\n\r\n"},
    {"Q40 keep-alive",
     200,
     NULL,
     NULL,
     NULL,
     "",
     0,
     {.framing = H1_LENGTH, .keep_alive = true},
     "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
    {"R28 cookies of responses stay apart",
     200,
     NULL,
     NULL,
     NULL,
     "set-cookie=a|set-cookie=b|",
     0,
     {.framing = H1_LENGTH},
     "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"},
    {"R3 LF in value", 200, NULL, NULL, NULL, "x=a\nb|", -1, {.framing = H1_NO_BODY}, NULL},
};

static void add_fields(struct fields *f, const char *text)
{
    struct slice rest = slice_str(text);
    for (ptrdiff_t end; (end = slice_find(rest, '|')) >= 0;
         rest = slice_skip(rest, (size_t)end + 1)) {
        struct slice pair = slice_make(rest.ptr, (size_t)end);
        size_t name = (size_t)slice_find(pair, '=');
        fields_add(f, slice_make(pair.ptr, name), slice_skip(pair, name + 1));
    }
}

static void fill(struct message *m, const struct row *row)
{
    message_init(m);
    m->status = row->status;
    m->method = slice_str(row->method);
    m->path = slice_str(row->path);
    m->authority = slice_str(row->authority);
    m->length = row->length;
    add_fields(&m->fields, row->fields);
}

static int write_head(struct buf *to, const struct message *m, const struct h1_write *w)
{
    return m->status ? h1_write_response(to, m, w) : h1_write_request(to, m, w);
}

static void heads_are_written(void **state)
{
    for (const struct row *row = rows; row < rows + COUNT(rows); row++) {
        struct message m;
        struct buf out;
        fill(&m, row);
        buf_init(&out, 4096);
        int err = write_head(&out, &m, &row->w);
        assert_int_equal(err, row->want ? ERR_OK : ERR_SYNTAX);
        if (!slice_eq(buf_slice(&out), slice_str(row->want ? row->want : "")))
            fail_msg("%s: \"%.*s\"", row->id, SLICE_FMT(buf_slice(&out)));
        buf_release(&out);
        message_deinit(&m);
    }
}

/* With any smaller limit nothing is written, and what stood there before stays. */
static void heads_are_written_whole_or_not(void **state)
{
    for (const struct row *row = rows; row < rows + COUNT(rows); row++) {
        struct message m;
        fill(&m, row);
        for (size_t room = 0; row->want && room < strlen(row->want); room++) {
            struct buf out;
            buf_init(&out, 3 + room);
            assert_int_equal(buf_append(&out, SLICE("old")), ERR_OK);
            assert_int_equal(write_head(&out, &m, &row->w), ERR_LIMIT);
            assert_true(slice_eq(buf_slice(&out), SLICE("old")));
            buf_release(&out);
        }
        message_deinit(&m);
    }
}

/* What we write, our own parser takes, with the same framing. */
static void written_heads_can_be_parsed(void **state)
{
    for (const struct row *row = rows; row < rows + COUNT(rows); row++) {
        struct message m;
        struct h1_result r;
        if (!row->want || strcmp(row->id, "R5 R7 length without body") == 0)
            continue;
        message_init(&m);
        int err = row->status
                      ? h1_parse_response(slice_str(row->want), &h1_default_limits, false, &m, &r)
                      : h1_parse_request(slice_str(row->want), &h1_default_limits, &m, &r);
        assert_int_equal(err, ERR_OK);
        bool framed = row->status == 0 || (row->status >= 200 && row->status != 204);
        if (framed && !(row->w.framing == H1_LENGTH && row->length < 0))
            assert_int_equal(r.framing, row->w.framing);
        message_deinit(&m);
    }
}

static const struct {
    size_t len;
    const char *want;
} chunk_heads[] = {
    {1, "1\r\n"},
    {16, "10\r\n"},
    {16384, "4000\r\n"},
    {SIZE_MAX, "ffffffffffffffff\r\n"},
};

static void chunk_heads_are_written(void **state)
{
    for (size_t i = 0; i < COUNT(chunk_heads); i++) {
        char out[H1_CHUNK_HEAD_MAX];
        size_t n = h1_chunk_head(out, chunk_heads[i].len);
        assert_true(slice_eq(slice_make(out, n), slice_str(chunk_heads[i].want)));
    }
}

static const struct {
    const char *id, *trailers, *want; /* want NULL: ERR_SYNTAX */
} last_chunks[] = {
    {"7.1 none", NULL, "0\r\n\r\n"},
    {"7.1 empty", "", "0\r\n\r\n"},
    {"D6 trailers", "a=b|c=d|", "0\r\nA: b\r\nC: d\r\n\r\n"},
    {"R13 forbidden", "host=x|a=b|set-cookie=c|content-length=1|", "0\r\nA: b\r\n\r\n"},
    {"D2 LF in value", "a=b\nc|", NULL},
};

static void last_chunks_are_written(void **state)
{
    for (size_t i = 0; i < COUNT(last_chunks); i++) {
        struct fields f;
        struct buf out;
        const char *want = last_chunks[i].want;
        fields_init(&f);
        buf_init(&out, 256);
        add_fields(&f, last_chunks[i].trailers ? last_chunks[i].trailers : "");
        int err = h1_write_last_chunk(&out, last_chunks[i].trailers ? &f : NULL);
        assert_int_equal(err, want ? ERR_OK : ERR_SYNTAX);
        if (!slice_eq(buf_slice(&out), slice_str(want ? want : "")))
            fail_msg("%s: \"%.*s\"", last_chunks[i].id, SLICE_FMT(buf_slice(&out)));
        buf_release(&out);
        fields_deinit(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_written),
        cmocka_unit_test(heads_are_written_whole_or_not),
        cmocka_unit_test(written_heads_can_be_parsed),
        cmocka_unit_test(chunk_heads_are_written),
        cmocka_unit_test(last_chunks_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
