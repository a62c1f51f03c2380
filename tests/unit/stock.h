/* SPDX-License-Identifier: MIT */
/* stock.h - a plain nghttp2 session, whose frames a test delivers piece by piece: for tests of
 * windows, where the order of frames that cross matters. */
#ifndef TESTS_UNIT_STOCK_H
#define TESTS_UNIT_STOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "h2mux/base/buf.h"

enum { STOCK_STREAMS = 512 };

/* A stream as its sender sees it: it sends what it may of `left`. */
struct stock_stream {
    int32_t id;
    size_t left, sent, received;
    bool closed;
};

struct stock {
    nghttp2_session *ng;
    struct buf out; /* frames that have left and have not been delivered */
    struct stock_stream streams[STOCK_STREAMS];
    size_t n_streams;
    size_t padding; /* of each frame */
    bool server;
    uint8_t length[20]; /* the Content-Length of answers; empty: none */
};

static inline struct stock_stream *stock_find(struct stock *s, int32_t id)
{
    for (size_t i = s->n_streams; i > 0; i--)
        if (s->streams[i - 1].id == id)
            return &s->streams[i - 1];
    return NULL;
}

static inline struct stock_stream *stock_add(struct stock *s, int32_t id)
{
    assert_true(s->n_streams < STOCK_STREAMS);
    s->streams[s->n_streams] = (struct stock_stream){.id = id};
    return &s->streams[s->n_streams++];
}

static inline ssize_t stock_read(nghttp2_session *ng, int32_t id, uint8_t *to, size_t cap,
                                 uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct stock_stream *st = stock_find(user, id);
    size_t n = st->left < cap ? st->left : cap;
    if (n == 0)
        return NGHTTP2_ERR_DEFERRED;
    memset(to, 'x', n);
    st->left -= n;
    st->sent += n;
    return (ssize_t)n;
}

static inline int stock_on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data,
                                size_t len, void *user)
{
    nghttp2_session_consume_connection(ng, len);
    stock_find(user, id)->received += len;
    return 0;
}

static inline nghttp2_nv stock_nv(uint8_t *name, uint8_t *value)
{
    return (nghttp2_nv){name, value, strlen((char *)name), strlen((char *)value), 0};
}

/* A server answers every request with a body that stays open. */
static inline int stock_on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    struct stock *s = user;
    nghttp2_data_provider body = {.read_callback = stock_read};
    static uint8_t name[] = ":status", value[] = "200", length[] = "content-length";
    nghttp2_nv head[] = {stock_nv(name, value), stock_nv(length, s->length)};
    if (!s->server || frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    stock_add(s, frame->hd.stream_id);
    return nghttp2_submit_response(ng, frame->hd.stream_id, head, s->length[0] ? 2 : 1, &body);
}

static inline int stock_on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user)
{
    struct stock_stream *st = stock_find(user, id);
    if (st)
        st->closed = true;
    return 0;
}

static inline ssize_t stock_pad(nghttp2_session *ng, const nghttp2_frame *frame, size_t most,
                                void *user)
{
    size_t want = frame->hd.length + ((struct stock *)user)->padding;
    return (ssize_t)(want < most ? want : most);
}

static inline void stock_callbacks(nghttp2_session_callbacks *c)
{
    nghttp2_session_callbacks_set_select_padding_callback(c, stock_pad);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, stock_on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, stock_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, stock_on_close);
}

static inline void stock_open(struct stock *s, bool server)
{
    nghttp2_session_callbacks *c;
    nghttp2_option *o;
    *s = (struct stock){.server = server};
    buf_init(&s->out, SIZE_MAX / 2);
    assert_int_equal(nghttp2_session_callbacks_new(&c), 0);
    assert_int_equal(nghttp2_option_new(&o), 0);
    nghttp2_option_set_no_auto_window_update(o, 1);
    stock_callbacks(c);
    assert_int_equal(server ? nghttp2_session_server_new2(&s->ng, c, s, o)
                            : nghttp2_session_client_new2(&s->ng, c, s, o),
                     0);
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(c);
}

static inline void stock_close(struct stock *s)
{
    nghttp2_session_del(s->ng);
    buf_release(&s->out);
}

/* SETTINGS with @initial as the window of streams, or without it if that is 0. */
static inline void stock_settings(struct stock *s, uint32_t initial)
{
    nghttp2_settings_entry e = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, initial};
    assert_int_equal(nghttp2_submit_settings(s->ng, 0, &e, initial > 0), 0);
}

/* Opens a stream that uploads. */
static inline struct stock_stream *stock_request(struct stock *s)
{
    nghttp2_data_provider body = {.read_callback = stock_read};
    static uint8_t h[][20] = {":method",          "POST",  ":scheme", "https", ":authority",
                              "demo.example.com", ":path", "/"};
    nghttp2_nv head[] = {stock_nv(h[0], h[1]), stock_nv(h[2], h[3]), stock_nv(h[4], h[5]),
                         stock_nv(h[6], h[7])};
    int32_t id = nghttp2_submit_request(s->ng, NULL, head, 4, &body, NULL);
    assert_true(id > 0);
    return stock_add(s, id);
}

static inline void stock_send(struct stock *s, struct stock_stream *st, size_t bytes)
{
    st->left += bytes;
    nghttp2_session_resume_data(s->ng, st->id);
}

/* Frames all that the windows allow. */
static inline void stock_frame(struct stock *s)
{
    const uint8_t *frames;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(s->ng, &frames)) > 0)
        assert_int_equal(buf_append(&s->out, slice_make((const char *)frames, (size_t)n)), 0);
    assert_int_equal(n, 0);
}

static inline void stock_take(struct stock *s, struct slice data)
{
    ssize_t n = nghttp2_session_mem_recv(s->ng, (const uint8_t *)data.ptr, data.len);
    assert_int_equal(n, data.len);
}

/* Delivers what one has framed to the other. */
static inline void stock_deliver(struct stock *from, struct stock *to)
{
    stock_frame(from);
    stock_take(to, buf_slice(&from->out));
    buf_truncate(&from->out, 0);
}

#endif
