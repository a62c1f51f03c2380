/* SPDX-License-Identifier: MIT */
/* test_h1_body.c - h1_body.c: bodies of every framing, whole, cut at each byte and in random
 * pieces. RFC 9112 6.3, 7.1; Q27-Q29. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/http/h1.h"
#include "pieces.h"

#define IN(text)                                                                                   \
    {                                                                                              \
        (text), sizeof text - 1                                                                    \
    }
#define COUNT(rows) (sizeof rows / sizeof(*(rows)))

/* Everything one body came to. */
struct outcome {
    int err;
    size_t used;
    struct buf payload;
    bool done;
    int eof;
};

/* Feeds one piece, from memory that ends with it. */
static void feed(struct h1_body *b, struct slice piece, struct outcome *o)
{
    char *exact = xcalloc(1, piece.len ? piece.len : 1);
    memcpy(exact, piece.ptr, piece.len);
    struct slice rest = slice_make(exact, piece.len), run;
    while (rest.len > 0 && !b->done && o->err == ERR_OK) {
        ssize_t n = h1_body_decode(b, rest, &run);
        if (n > 0) {
            assert_int_equal(buf_append(&o->payload, run), ERR_OK);
            o->used += (size_t)n;
            rest = slice_skip(rest, (size_t)n);
        } else {
            o->err = n == 0 ? ERR_STALLED : (int)n;
        }
    }
    free(exact);
}

/* How a body is cut: in two at `at`, or in pieces of random length. */
struct cut {
    size_t at;
    uint32_t seed; /* 0: in two; 1: byte by byte */
};

static size_t piece_len(struct cut *cut, size_t done, size_t left)
{
    if (cut->seed == 0)
        return done == 0 && cut->at < left ? cut->at : left;
    return cut->seed == 1 ? 1 : next_piece(&cut->seed, left);
}

static void run_pieces(struct h1_body *b, struct slice in, struct cut cut, struct outcome *o)
{
    *o = (struct outcome){.err = ERR_OK};
    buf_init(&o->payload, 1 << 20);
    if (cut.seed == 0 && cut.at == 0)
        feed(b, SLICE(""), o);
    for (size_t at = 0, n; at < in.len; at += n) {
        n = piece_len(&cut, at, in.len - at);
        n = n > 0 ? n : in.len;
        feed(b, slice_make(in.ptr + at, n), o);
    }
    o->done = b->done;
    o->eof = h1_body_eof(b);
}

/* The trailers as "name=value|…". */
static void trailers_of(struct h1_body *b, char *out, size_t size)
{
    struct fields f;
    int n = 0;
    fields_init(&f);
    assert_int_equal(h1_body_trailers(b, &f), ERR_OK);
    for (size_t i = 0; i < f.count; i++)
        n += snprintf(out + n, size - (size_t)n, "%.*s=%.*s|", SLICE_FMT(f.v[i].name),
                      SLICE_FMT(f.v[i].value));
    fields_deinit(&f);
}

static const struct row {
    const char *id;
    enum h1_framing framing;
    int64_t length;
    struct slice in;
    int err;             /* of decoding */
    size_t left;         /* bytes of `in` that belong to what follows */
    const char *payload; /* before the error, too */
    const char *trailers;
    int eof; /* when the peer ends after `in`; of rows without error */
} rows[] = {
    {"6.3 no body", H1_NO_BODY, -1, IN("GET"), ERR_OK, 3, "", "", ERR_OK},
    {"6.3 length 0", H1_LENGTH, 0, IN("GET"), ERR_OK, 3, "", "", ERR_OK},
    {"6.3 length", H1_LENGTH, 5, IN("helloGET"), ERR_OK, 3, "hello", "", ERR_OK},
    {"R9 length, cut off", H1_LENGTH, 5, IN("hell"), ERR_OK, 0, "hell", "", ERR_TRUNCATED},
    {"R9 length, nothing came", H1_LENGTH, 5, IN(""), ERR_OK, 0, "", "", ERR_TRUNCATED},
    {"R11 until close", H1_UNTIL_CLOSE, -1, IN("hello\r\n\r\n"), ERR_OK, 0, "hello\r\n\r\n", "",
     ERR_OK},
    {"R11 until close, empty", H1_UNTIL_CLOSE, -1, IN(""), ERR_OK, 0, "", "", ERR_OK},
    {"7.1 chunks", H1_CHUNKED, -1, IN("5\r\nhello\r\n1\r\n \r\n0\r\n\r\nGET"), ERR_OK, 3, "hello ",
     "", ERR_OK},
    {"7.1 no chunk", H1_CHUNKED, -1, IN("0\r\n\r\nGET"), ERR_OK, 3, "", "", ERR_OK},
    {"7.1 hex in both cases", H1_CHUNKED, -1,
     IN("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"), ERR_OK, 0, "01234567890123456789a", "",
     ERR_OK},
    {"7.1 CRLF in data", H1_CHUNKED, -1, IN("4\r\n\r\n0\r\r\n0\r\n\r\n"), ERR_OK, 0, "\r\n0\r", "",
     ERR_OK},
    {"Q27 15 digits", H1_CHUNKED, -1, IN("000000000000001\r\nx\r\n000000000000000\r\n\r\n"), ERR_OK,
     0, "x", "", ERR_OK},
    {"Q27 greatest", H1_CHUNKED, -1, IN("fffffffffffffff\r\nx"), ERR_OK, 0, "x", "", ERR_TRUNCATED},
    {"Q27 16 digits", H1_CHUNKED, -1, IN("0000000000000001\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 overflow", H1_CHUNKED, -1, IN("fffffffffffffffff\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 empty", H1_CHUNKED, -1, IN("\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 empty before extension", H1_CHUNKED, -1, IN(";a\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 0x", H1_CHUNKED, -1, IN("0x5\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 plus", H1_CHUNKED, -1, IN("+5\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 minus", H1_CHUNKED, -1, IN("-1\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 space before", H1_CHUNKED, -1, IN(" 5\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 space after", H1_CHUNKED, -1, IN("5 \r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 tab after", H1_CHUNKED, -1, IN("5\t\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 space before extension", H1_CHUNKED, -1, IN("5 ;a\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 NUL", H1_CHUNKED, -1, IN("5\0\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 not hex", H1_CHUNKED, -1, IN("g\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 extension", H1_CHUNKED, -1, IN("1;a=b; c=\"d;e\"\r\nx\r\n0;f\r\n\r\nG"), ERR_OK, 1, "x",
     "", ERR_OK},
    {"Q27 empty extension", H1_CHUNKED, -1, IN("1;\r\nx\r\n0\r\n\r\n"), ERR_OK, 0, "x", "", ERR_OK},
    {"Q27 bare LF in extension", H1_CHUNKED, -1, IN("1;a\nx"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 bare CR in extension", H1_CHUNKED, -1, IN("1;a\rx"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q27 NUL in extension", H1_CHUNKED, -1, IN("1;\0\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q31 bare LF after size", H1_CHUNKED, -1, IN("1\nx"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q32 bare CR after size", H1_CHUNKED, -1, IN("1\rx"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q28 data too long", H1_CHUNKED, -1, IN("5\r\nhello!\r\n"), ERR_SYNTAX, 0, "hello", NULL, 0},
    {"Q28 LF after data", H1_CHUNKED, -1, IN("5\r\nhello\n0\r\n\r\n"), ERR_SYNTAX, 0, "hello", NULL,
     0},
    {"Q28 CR after data", H1_CHUNKED, -1, IN("5\r\nhello\r0\r\n\r\n"), ERR_SYNTAX, 0, "hello", NULL,
     0},
    {"Q28 no CRLF", H1_CHUNKED, -1, IN("5\r\nhello0\r\n\r\n"), ERR_SYNTAX, 0, "hello", NULL, 0},
    {"R10 cut in size", H1_CHUNKED, -1, IN("5"), ERR_OK, 0, "", "", ERR_TRUNCATED},
    {"R10 cut in data", H1_CHUNKED, -1, IN("5\r\nhel"), ERR_OK, 0, "hel", "", ERR_TRUNCATED},
    {"R10 cut before last chunk", H1_CHUNKED, -1, IN("5\r\nhello\r\n"), ERR_OK, 0, "hello", "",
     ERR_TRUNCATED},
    {"R10 cut before the end", H1_CHUNKED, -1, IN("0\r\n"), ERR_OK, 0, "", "", ERR_TRUNCATED},
    {"R10 cut in trailers", H1_CHUNKED, -1, IN("0\r\nA: b\r\n\r"), ERR_OK, 0, "", "",
     ERR_TRUNCATED},
    {"Q29 trailers", H1_CHUNKED, -1, IN("1\r\nx\r\n0\r\nA: b\r\nc:  d \r\n\r\nGET"), ERR_OK, 3, "x",
     "A=b|c=d|", ERR_OK},
    {"Q29 forbidden ones dropped", H1_CHUNKED, -1,
     IN("0\r\nHost: a\r\nContent-Length: 1\r\nA: b\r\nTransfer-Encoding: chunked\r\nSet-Cookie: "
        "c\r\nAuthorization: d\r\n"
        "X-Forwarded-For: e\r\n\r\n"),
     ERR_OK, 0, "", "A=b|", ERR_OK},
    {"Q31 bare LF in trailers", H1_CHUNKED, -1, IN("0\r\nA: b\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q31 bare LF as the end", H1_CHUNKED, -1, IN("0\r\n\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q32 bare CR in trailers", H1_CHUNKED, -1, IN("0\r\nA: b\rc"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q32 bare CR as the end", H1_CHUNKED, -1, IN("0\r\n\rx"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q33 NUL in trailers", H1_CHUNKED, -1, IN("0\r\nA: \0"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q34 space before colon", H1_CHUNKED, -1, IN("0\r\nA : b\r\n\r\n"), ERR_SYNTAX, 0, "", NULL,
     0},
    {"Q34 empty name", H1_CHUNKED, -1, IN("0\r\n: b\r\n\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
    {"Q35 obs-fold", H1_CHUNKED, -1, IN("0\r\nA: b\r\n c\r\n\r\n"), ERR_SYNTAX, 0, "", NULL, 0},
};

static void check_outcome(const struct row *row, struct cut cut, struct h1_body *b,
                          struct outcome *o)
{
    char trailers[256] = "";
    if (o->err != row->err)
        fail_msg("%s: cut at %zu, seed %u: %d (%s), want %d", row->id, cut.at, cut.seed, o->err,
                 b->reason ? b->reason : "-", row->err);
    if (!slice_eq(buf_slice(&o->payload), slice_str(row->payload)))
        fail_msg("%s: cut at %zu, seed %u: payload \"%.*s\"", row->id, cut.at, cut.seed,
                 SLICE_FMT(buf_slice(&o->payload)));
    assert_int_equal(row->err < 0, !!b->reason);
    if (row->err < 0)
        return;
    if (o->used != row->in.len - row->left || o->eof != row->eof)
        fail_msg("%s: cut at %zu, seed %u: used %zu, end %d", row->id, cut.at, cut.seed, o->used,
                 o->eof);
    assert_int_equal(b->done, row->eof == ERR_OK);
    if (b->done)
        trailers_of(b, trailers, sizeof trailers);
    if (strcmp(trailers, row->trailers) != 0)
        fail_msg("%s: cut at %zu, seed %u: trailers %s", row->id, cut.at, cut.seed, trailers);
}

static void check_body(const struct row *row, struct cut cut)
{
    struct h1_body b;
    struct outcome o;
    h1_body_init(&b, row->framing, row->length);
    run_pieces(&b, row->in, cut, &o);
    check_outcome(row, cut, &b, &o);
    buf_release(&o.payload);
    h1_body_deinit(&b);
}

static void bodies_are_decoded(void **state)
{
    for (const struct row *row = rows; row < rows + COUNT(rows); row++) {
        for (size_t at = 0; at <= row->in.len; at++)
            check_body(row, (struct cut){.at = at});
        for (uint32_t seed = 1; seed <= PIECES_ROUNDS; seed++)
            check_body(row, (struct cut){.seed = seed});
    }
}

/* @before, then @fill @times, then @after. */
static const struct {
    const char *id, *before, *fill;
    size_t times;
    const char *after;
    int err;
} limits[] = {
    {"Q27 extension of 256", "1;", "a", 255, "\r\nx\r\n0\r\n\r\n", ERR_OK},
    {"Q27 extension over 256", "1;", "a", 256, "", ERR_LIMIT},
    {"Q27 4 KiB of extensions", "", "1;aaaaaaa\r\nx\r\n", 512, "0\r\n\r\n", ERR_OK},
    {"Q27 over 4 KiB of extensions", "", "1;aaaaaaa\r\nx\r\n", 512, "0;", ERR_LIMIT},
    {"Q29 8 KiB of trailers", "0\r\n", "A: 4567890123\r\n", 546, "\r\n", ERR_LIMIT},
    {"Q29 100 trailers", "0\r\n", "A: b\r\n", 100, "\r\n", ERR_OK},
    {"Q29 101 trailers", "0\r\n", "A: b\r\n", 101, "\r\n", ERR_LIMIT},
    {"Q29 a trailer of 8 KiB", "0\r\nA: ", "b", 8185, "\r\n\r\n", ERR_OK},
    {"Q29 a trailer over 8 KiB", "0\r\nA: ", "b", 8186, "\r\n\r\n", ERR_LIMIT},
};

static void check_limit(size_t i, uint32_t seed)
{
    struct h1_body b;
    struct outcome o;
    struct buf in;
    buf_init(&in, 1 << 20);
    int err = buf_append(&in, slice_str(limits[i].before));
    for (size_t n = 0; n < limits[i].times; n++)
        err |= buf_append(&in, slice_str(limits[i].fill));
    err |= buf_append(&in, slice_str(limits[i].after));
    assert_int_equal(err, ERR_OK);
    h1_body_init(&b, H1_CHUNKED, -1);
    run_pieces(&b, buf_slice(&in), (struct cut){.at = buf_len(&in), .seed = seed}, &o);
    if (o.err != limits[i].err || b.done != (o.err == ERR_OK))
        fail_msg("%s: %d (%s)", limits[i].id, o.err, b.reason ? b.reason : "-");
    buf_release(&o.payload);
    buf_release(&in);
    h1_body_deinit(&b);
}

static void limits_are_kept(void **state)
{
    for (size_t i = 0; i < COUNT(limits); i++)
        for (uint32_t seed = 0; seed <= PIECES_ROUNDS; seed++)
            check_limit(i, seed);
}

static void payload_is_never_copied(void **state)
{
    struct h1_body b;
    struct slice in = SLICE("5\r\nhello\r\n"), run;
    h1_body_init(&b, H1_CHUNKED, -1);
    assert_int_equal(h1_body_decode(&b, in, &run), 8); /* framing and one run in one call */
    assert_ptr_equal(run.ptr, in.ptr + 3);
    assert_int_equal(run.len, 5);
    h1_body_deinit(&b);
}

static void trailers_come_after_the_end(void **state)
{
    struct h1_body b;
    struct fields f;
    fields_init(&f);
    h1_body_init(&b, H1_CHUNKED, -1);
    assert_int_equal(h1_body_trailers(&b, &f), ERR_SYNTAX);
    h1_body_deinit(&b);
    fields_deinit(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_decoded),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(payload_is_never_copied),
        cmocka_unit_test(trailers_come_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
