/* SPDX-License-Identifier: MIT */
/* viewer.c - see viewer.h. */
#include "tests/bench/viewer.h"

#include <assert.h>

#include "h2mux/base/err.h"

enum { HEAD_LIMIT = 512 * 1024 }; /* two reads */

static struct viewer *of(struct conn *c)
{
    return CONTAINER_OF(c, struct viewer, conn);
}

static void fail(struct viewer *v, const char *why)
{
    viewer_close(v);
    v->ops->on_broken(v, why);
}

static void complete(struct viewer *v)
{
    if (v->matched < v->expected_len) {
        fail(v, "an answer that is too short to be the expected one");
        return;
    }
    v->state = VIEWER_IDLE;
    v->ops->on_answer(v);
}

static bool is_expected(struct viewer *v, struct slice bytes)
{
    size_t left = v->expected_len - v->matched, len = bytes.len < left ? bytes.len : left;
    bool same = memcmp(v->expected + v->matched, bytes.ptr, len) == 0;
    v->matched += len;
    return same;
}

static void take_body(struct viewer *v, struct slice bytes)
{
    if (bytes.len > v->left || !is_expected(v, bytes)) {
        fail(v, bytes.len > v->left ? "octets behind the answer" : "the answer of another");
        return;
    }
    v->left -= bytes.len;
    if (v->ops->on_body && bytes.len > 0)
        v->ops->on_body(v, bytes);
    if (v->left == 0 && v->conn.fd >= 0)
        complete(v);
}

/* Reads Content-Length from a head whose lines end with CRLF. Fails with ERR_NOT_FOUND, ERR_SYNTAX
 * or ERR_LIMIT. */
static int content_length(struct slice head, uint64_t *out)
{
    static const struct slice name = {"content-length:", sizeof("content-length:") - 1};
    ptrdiff_t end;
    for (; (end = slice_find(head, '\n')) >= 0; head = slice_skip(head, (size_t)end + 1)) {
        struct slice line = slice_make(head.ptr, (size_t)end);
        if (slice_istarts(line, name) && line.ptr[line.len - 1] == '\r')
            return slice_to_u64(
                slice_trim(slice_make(line.ptr + name.len, line.len - name.len - 1)), INT64_MAX,
                out);
    }
    return ERR_NOT_FOUND;
}

/* Reads the status and the length of an answer from its whole head. */
static int read_head(struct viewer *v, struct slice head)
{
    uint64_t status;
    if (!slice_starts(head, SLICE("HTTP/1.1 ")) ||
        slice_to_u64(slice_make(head.ptr + 9, 3), 999, &status) < 0)
        return ERR_SYNTAX;
    v->status = (int)status;
    v->left = 0;
    if (status == 101 || status == 204)
        return 0;
    return content_length(head, &v->left);
}

/* Starts the body. @rest came in the same read as the head. */
static void begin_body(struct viewer *v, struct slice rest)
{
    v->state = v->status == 101 ? VIEWER_SWITCHED : VIEWER_BODY;
    if (v->ops->on_head)
        v->ops->on_head(v);
    if (v->conn.fd < 0)
        return;
    if (v->state == VIEWER_SWITCHED && rest.len > 0)
        v->ops->on_bytes(v, rest);
    else if (v->state == VIEWER_BODY)
        take_body(v, rest);
}

/* Takes bytes of a head. A head that came in one read, as nearly all do, is not copied. Kept bytes
 * are taken off the viewer first, since a callback may start the next request. */
static void take_head(struct viewer *v, struct slice bytes)
{
    struct buf kept = v->head;
    struct slice all = bytes;
    buf_init(&v->head, HEAD_LIMIT);
    if (buf_len(&kept) > 0 || !memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4)) {
        int err = buf_append(&kept, bytes);
        all = err < 0 ? SLICE("") : buf_slice(&kept);
    }
    const char *end = memmem(all.ptr, all.len, "\r\n\r\n", 4);
    if (all.len > 0 && !end) {
        v->head = kept;
        return;
    }
    size_t len = end ? (size_t)(end - all.ptr) + 4 : 0;
    if (read_head(v, slice_make(all.ptr, len)) < 0)
        fail(v, "the answer's head has no length, or no end");
    else
        begin_body(v, slice_skip(all, len));
    buf_release(&kept);
}

static void on_bytes(struct conn *c, struct slice bytes)
{
    struct viewer *v = of(c);
    switch (v->state) {
    case VIEWER_HEAD:
        take_head(v, bytes);
        break;
    case VIEWER_BODY:
        take_body(v, bytes);
        break;
    case VIEWER_SWITCHED:
        v->ops->on_bytes(v, bytes);
        break;
    case VIEWER_DIALLING:
    case VIEWER_IDLE:
        fail(v, "an answer nobody asked for");
        break;
    }
}

static void on_open(struct conn *c)
{
    of(c)->state = VIEWER_IDLE;
    of(c)->ops->on_ready(of(c));
}

static void on_room(struct conn *c)
{
    of(c)->ops->on_room(of(c));
}

static void on_end(struct conn *c, const char *why)
{
    fail(of(c), why);
}

static const struct conn_ops ops = {
    .on_open = on_open, .on_bytes = on_bytes, .on_room = on_room, .on_end = on_end};

int viewer_dial(struct viewer *v, struct event_base *base, const struct viewer_ops *viewer_ops,
                uint16_t port, size_t number)
{
    v->ops = viewer_ops;
    v->state = VIEWER_DIALLING;
    v->expected_len = v->matched = 0;
    buf_init(&v->head, HEAD_LIMIT);
    return conn_dial(&v->conn, base, &ops, port, number);
}

void viewer_ask(struct viewer *v, struct slice request)
{
    assert(v->state == VIEWER_IDLE);
    v->state = VIEWER_HEAD;
    v->matched = 0;
    conn_send(&v->conn, request);
}

void viewer_expect(struct viewer *v, struct slice start)
{
    assert(start.len <= sizeof v->expected);
    memcpy(v->expected, start.ptr, start.len);
    v->expected_len = start.len;
}

void viewer_close(struct viewer *v)
{
    conn_close(&v->conn);
    buf_release(&v->head);
}
