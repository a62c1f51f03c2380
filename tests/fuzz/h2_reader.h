/* SPDX-License-Identifier: MIT */
/* h2_reader.h - a viewer's end of an HTTP/2 connection. It reads every frame that the server sends,
 * and asserts that the frame may come now: the grammar of a stream (RFC 9113 8.1), well-formed
 * fields, windows, and lengths. It shares nothing with h2mux but the decompressor of nghttp2. */
#ifndef TESTS_FUZZ_H2_READER_H
#define TESTS_FUZZ_H2_READER_H

#include <nghttp2/nghttp2.h>

#include "h2mux/base/buf.h"
#include "tests/fuzz/fuzz.h"

enum {
    READER_STREAMS = 256,
    READER_WINDOW = 65535,
    READER_FRAME_MAX = 16384,
    READER_HEAD = 9,
    READER_NO_TOKEN = -1
};

struct reader_stream {
    bool asked;           /* its head was sent */
    bool begun, over;     /* a final head has come; END_STREAM has come */
    bool was_reset;       /* RST_STREAM has come */
    bool to_head;         /* the request is a HEAD */
    int64_t token;        /* of the answer: the field x-token */
    int64_t length;       /* Content-Length of the answer, or -1 */
    uint64_t came, grown; /* bytes of body; what WINDOW_UPDATE has added to its window */
};

struct reader {
    struct reader_stream streams[READER_STREAMS]; /* of the stream ids 1, 3, 5 ... */
    nghttp2_hd_inflater *inflater;
    struct buf in, block;
    uint32_t continued; /* the stream whose field section is not whole; 0: none */
    uint8_t continued_flags;
    bool wild; /* bytes were sent of which nobody knows what they mean */
    bool gone; /* GOAWAY has come */
    uint64_t came, grown, largest_window;

    /* Asserts that the @data at @offset of the answer to stream @id are right. @end: it is all. */
    void (*on_body)(void *user, uint32_t id, uint64_t offset, struct slice data, bool end);
    /* Tells that the answer to stream @id has the token @token. */
    void (*on_token)(void *user, uint32_t id, int64_t token);
    void *user;
};

static inline struct reader_stream *reader_stream(struct reader *r, uint32_t id)
{
    assert(id % 2 == 1);
    return id / 2 < READER_STREAMS ? &r->streams[id / 2] : NULL;
}

static inline void reader_init(struct reader *r)
{
    int err = nghttp2_hd_inflate_new(&r->inflater);
    assert(err == 0);
    (void)err;
    buf_init(&r->in, 1 << 20);
    buf_init(&r->block, 1 << 20);
    r->largest_window = READER_WINDOW;
    for (size_t i = 0; i < READER_STREAMS; i++)
        r->streams[i].token = r->streams[i].length = -1;
}

static inline void reader_deinit(struct reader *r)
{
    nghttp2_hd_inflate_del(r->inflater);
    buf_release(&r->in);
    buf_release(&r->block);
}

/* ---- fields */

static inline void reader_check_field(struct slice name, struct slice value)
{
    static const char *const gone[] = {"connection", "keep-alive", "proxy-connection",
                                       "transfer-encoding", "upgrade"};
    assert(field_name_valid(name) && field_value_valid(value));
    for (size_t i = 0; i < name.len; i++)
        assert(name.ptr[i] < 'A' || name.ptr[i] > 'Z');
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert(!slice_eq(name, slice_str(gone[i])));
}

static inline int64_t reader_number(struct slice value)
{
    uint64_t n = 0;
    int err = slice_to_u64(value, INT64_MAX, &n);
    assert(err >= 0);
    (void)err;
    return (int64_t)n;
}

/* Takes one field of a section. @status is that of the section, 0 before it is known. */
static inline void reader_field(struct reader_stream *s, const nghttp2_nv *nv, int *status)
{
    struct slice name = slice_make((const char *)nv->name, nv->namelen);
    struct slice value = slice_make((const char *)nv->value, nv->valuelen);
    if (slice_eq(name, SLICE(":status"))) {
        assert(*status == 0 && !s->begun && value.len == 3);
        *status = (int)reader_number(value);
        assert(*status >= 100 && *status != 101);
        return;
    }
    assert(s->begun || *status != 0); /* :status comes first; trailers have none */
    reader_check_field(name, value);
    if (slice_eq(name, SLICE("x-token")))
        s->token = reader_number(value);
    if (slice_eq(name, SLICE("content-length"))) {
        assert(s->length < 0 && !s->begun);
        s->length = reader_number(value);
    }
}

/* Reads a field section. Returns its status, or 0 for trailers. */
static inline int reader_section(struct reader *r, struct reader_stream *s, struct slice block)
{
    int status = 0, flags = 0;
    const uint8_t *at = (const uint8_t *)block.ptr;
    size_t left = block.len;
    do {
        nghttp2_nv nv;
        ssize_t n = nghttp2_hd_inflate_hd2(r->inflater, &nv, &flags, at, left, 1);
        assert(n >= 0);
        at += n;
        left -= (size_t)n;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            reader_field(s, &nv, &status);
    } while (!(flags & NGHTTP2_HD_INFLATE_FINAL));
    assert(left == 0);
    nghttp2_hd_inflate_end_headers(r->inflater);
    return status;
}

/* ---- frames */

static inline void reader_end(struct reader *r, uint32_t id, struct reader_stream *s)
{
    assert(s->begun);
    s->over = true;
    assert(s->length < 0 || s->to_head || s->came == 0 || s->came == (uint64_t)s->length);
    r->on_body(r->user, id, s->came, SLICE(""), true);
}

static inline void reader_headers(struct reader *r, uint32_t id, uint8_t flags)
{
    static struct reader_stream other;
    struct reader_stream *known = reader_stream(r, id), *s = known ? known : &other;
    other = (struct reader_stream){.token = -1, .length = -1};
    assert(r->wild || !known || known->asked);
    assert(!s->over && !s->was_reset);
    bool trailers = s->begun;
    int status = reader_section(r, s, buf_slice(&r->block));
    buf_consume(&r->block, buf_len(&r->block));
    assert(trailers == (status == 0));
    assert(!trailers || (flags & NGHTTP2_FLAG_END_STREAM));
    assert(status >= 200 || trailers || !(flags & NGHTTP2_FLAG_END_STREAM));
    s->begun |= status >= 200;
    if (status >= 200 && known)
        r->on_token(r->user, id, s->token);
    if (known && (flags & NGHTTP2_FLAG_END_STREAM))
        reader_end(r, id, s);
}

static inline void reader_data(struct reader *r, uint32_t id, uint8_t flags, struct slice data)
{
    struct reader_stream *s = reader_stream(r, id);
    assert(!(flags & NGHTTP2_FLAG_PADDED));
    if (!s)
        return;
    assert(s->begun && !s->over && !s->was_reset && !s->to_head);
    r->on_body(r->user, id, s->came, data, false);
    s->came += data.len;
    r->came += data.len;
    assert(r->wild || r->came <= READER_WINDOW + r->grown);
    assert(r->wild || s->came <= r->largest_window + s->grown);
    if (flags & NGHTTP2_FLAG_END_STREAM)
        reader_end(r, id, s);
}

static inline void reader_fields_frame(struct reader *r, uint32_t id, uint8_t type, uint8_t flags,
                                       struct slice payload)
{
    assert(type == NGHTTP2_HEADERS ? r->continued == 0 : r->continued == id);
    assert(!(flags & (NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_PRIORITY)));
    if (type == NGHTTP2_HEADERS)
        r->continued_flags = flags;
    r->continued = id;
    int err = buf_append(&r->block, payload);
    assert(err == 0);
    (void)err;
    if (!(flags & NGHTTP2_FLAG_END_HEADERS))
        return;
    r->continued = 0;
    reader_headers(r, id, r->continued_flags);
}

static inline void reader_frame(struct reader *r, uint32_t id, uint8_t type, uint8_t flags,
                                struct slice payload)
{
    assert(r->continued == 0 || type == NGHTTP2_CONTINUATION);
    switch (type) {
    case NGHTTP2_DATA:
        reader_data(r, id, flags, payload);
        break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
        reader_fields_frame(r, id, type, flags, payload);
        break;
    case NGHTTP2_RST_STREAM:
        assert(payload.len == 4 && id > 0);
        if (id % 2 == 1 && reader_stream(r, id))
            reader_stream(r, id)->was_reset = true;
        break;
    case NGHTTP2_GOAWAY:
        assert(payload.len >= 8 && id == 0);
        r->gone = true;
        break;
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PING:
        assert(id == 0);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        assert(payload.len == 4);
        break;
    default:
        abort(); /* a viewer gets no such frame */
    }
}

static inline uint32_t reader_word(const char *at, size_t bytes)
{
    uint32_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | (uint8_t)at[i];
    return n;
}

/* Takes what the server has sent. */
static inline void reader_feed(struct reader *r, struct slice bytes)
{
    int err = buf_append(&r->in, bytes);
    assert(err == 0);
    (void)err;
    for (;;) {
        struct slice in = buf_slice(&r->in);
        size_t len = in.len < READER_HEAD ? 0 : reader_word(in.ptr, 3);
        if (in.len < READER_HEAD + len || in.len < READER_HEAD)
            return;
        assert(len <= READER_FRAME_MAX);
        reader_frame(r, reader_word(in.ptr + 5, 4), (uint8_t)in.ptr[3], (uint8_t)in.ptr[4],
                     slice_make(in.ptr + READER_HEAD, len));
        buf_consume(&r->in, READER_HEAD + len);
    }
}

#endif
