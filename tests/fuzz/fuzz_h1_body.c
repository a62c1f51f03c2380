/* SPDX-License-Identifier: MIT */
/* fuzz_h1_body.c - a body. The first byte of an input selects the framing and, by its upper bits, a
 * length, or whether chunks are read leniently; the second byte selects where the body is cut.
 *
 * Checks that payload, end and verdict are the same if the body comes whole, in two pieces and byte
 * by byte. */
#include "h2mux/http/h1.h"
#include "tests/fuzz/fuzz.h"

struct outcome {
    int err, eof;
    size_t used;
    struct buf payload;
    size_t trailers; /* size of the trailer fields in bytes */
};

static void feed(struct h1_body *b, struct slice rest, struct outcome *o)
{
    struct slice run;
    assert(h1_body_decode(b, SLICE(""), &run) == 0 && run.len == 0);
    while (rest.len > 0 && !b->done && o->err == ERR_OK) {
        ssize_t n = h1_body_decode(b, rest, &run);
        assert(n != 0 && n <= (ssize_t)rest.len);
        if (n < 0) {
            assert(b->reason && (n == ERR_SYNTAX || n == ERR_LIMIT));
            o->err = (int)n;
            return;
        }
        assert(run.len == 0 || (run.ptr >= rest.ptr && run.ptr + run.len <= rest.ptr + n));
        o->err = buf_append(&o->payload, run);
        o->used += (size_t)n;
        rest = slice_skip(rest, (size_t)n);
    }
}

/* Checks that trailers which we write are read as the same. */
static void check_last_chunk(const struct fields *trailers)
{
    struct slice in, run;
    struct fields again;
    struct h1_body b;
    struct buf out;
    buf_init(&out, 2 * H1_TRAILERS_MAX);
    assert(h1_write_last_chunk(&out, trailers) == ERR_OK);
    fields_init(&again);
    h1_body_init(&b, H1_CHUNKED, MESSAGE_LENGTH_UNKNOWN);
    in = buf_len(&out) <= H1_TRAILERS_MAX ? buf_slice(&out)
                                          : SLICE(""); /* ": " may make them too long */
    while (in.len > 0) {
        ssize_t n = h1_body_decode(&b, in, &run);
        assert(n > 0 && run.len == 0);
        in = slice_skip(in, (size_t)n);
    }
    if (buf_len(&out) <= H1_TRAILERS_MAX)
        assert(b.done && h1_body_trailers(&b, &again) == ERR_OK && again.bytes == trailers->bytes);
    fields_deinit(&again);
    h1_body_deinit(&b);
    buf_release(&out);
}

/* Decodes the first @cut bytes in one piece and the rest in pieces of @step bytes. */
static struct outcome decode(struct slice in, uint8_t kind, size_t cut, size_t step)
{
    static const enum h1_framing framings[] = {H1_CHUNKED, H1_LENGTH, H1_UNTIL_CLOSE, H1_NO_BODY};
    enum h1_framing framing = framings[kind & 3];
    struct outcome o = {.err = ERR_OK};
    struct fields f;
    struct h1_body b;
    h1_body_init(&b, framing, framing == H1_LENGTH ? kind >> 2 : MESSAGE_LENGTH_UNKNOWN);
    b.lenient = (kind & 4) != 0;
    buf_init(&o.payload, in.len + 1);
    feed(&b, slice_make(in.ptr, cut), &o);
    for (size_t at = cut; at < in.len; at += step)
        feed(&b, slice_make(in.ptr + at, step < in.len - at ? step : in.len - at), &o);
    o.eof = h1_body_eof(&b);
    fields_init(&f);
    int err = h1_body_trailers(&b, &f);
    assert((err == ERR_OK) == b.done);
    for (size_t i = 0; i < f.count; i++)
        assert(!field_forbidden_in_trailers(f.v[i].name));
    fuzz_check_fields(&f, buf_slice(&b.trailers));
    if (err == ERR_OK && framing == H1_CHUNKED)
        check_last_chunk(&f);
    o.trailers = f.bytes;
    fields_deinit(&f);
    h1_body_deinit(&b);
    return o;
}

/* Checks that a lenient reader takes all that a strict one takes, as the same. */
static void check_lenient(struct slice in, const struct outcome *strict)
{
    struct outcome o = decode(in, 4, in.len, 1); /* chunks */
    assert(strict->err < 0 || (o.err == ERR_OK && o.used == strict->used && o.eof == strict->eof &&
                               slice_eq(buf_slice(&o.payload), buf_slice(&strict->payload))));
    buf_release(&o.payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct slice in = slice_skip(fuzz_input(data, size), 2);
    size_t cut = in.len ? data[1] % (in.len + 1) : 0;
    struct outcome ways[] = {decode(in, data[0], in.len, 1), decode(in, data[0], cut, in.len + 1),
                             decode(in, data[0], 0, 1)};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        assert(ways[i].err == ways[0].err && ways[i].eof == ways[0].eof);
        assert(ways[i].err < 0 || ways[i].used == ways[0].used);
        assert(ways[i].trailers == ways[0].trailers);
        assert(slice_eq(buf_slice(&ways[i].payload), buf_slice(&ways[0].payload)));
    }
    if ((data[0] & 7) == 0)
        check_lenient(in, &ways[0]);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        buf_release(&ways[i].payload);
    return 0;
}
