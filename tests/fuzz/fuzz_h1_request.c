/* SPDX-License-Identifier: MIT */
/* fuzz_h1_request.c - the head of a request.
 *
 * Checks that it is judged alike wherever it is cut, that an accepted head can be written and is
 * accepted again with the same meaning, and that it is written whole or not at all. */
#include "h2mux/http/h1.h"
#include "tests/fuzz/fuzz.h"

/* Limits that inputs of a few hundred bytes reach. */
static const struct h1_limits tight = {.head = 512, .fields = 8, .field = 128, .target = 64};

static ssize_t scan_by_bytes(struct slice in, const struct h1_limits *limits)
{
    struct h1_scan s = {0};
    ssize_t n = 0;
    for (size_t len = 0; len <= in.len && n == 0; len++)
        n = h1_scan_head(&s, slice_make(in.ptr, len), limits, true);
    return n;
}

static void check_taken(const struct message *m, const struct h1_result *r, struct slice head)
{
    assert(!r->reason && r->framing != H1_UNTIL_CLOSE);
    assert(h1_method_valid(m->method) && h1_target_valid(m->path));
    assert(m->path.len <= h1_default_limits.target); /* once encoded, too */
    assert(m->authority.len == 0 || h1_authority_valid(m->authority));
    assert((r->framing == H1_LENGTH) == (m->length >= 0));
    assert(fuzz_within(m->method, head) && fuzz_within(m->authority, head));
    fuzz_check_fields(&m->fields, head);
}

static const struct h1_limits wide = {
    .head = 1 << 20, .fields = 110, .field = 1 << 20, .target = 1 << 20};

/* Checks that the fields about the connection are understood when we write them. */
static void check_connection(const struct message *m, const struct h1_result *r)
{
    const struct h1_write w = {.framing = r->framing, .close = true, .te_trailers = true};
    struct message again;
    struct h1_result result;
    struct buf out;
    message_init(&again);
    buf_init(&out, 1 << 20);
    assert(h1_write_request(&out, m, &w) == ERR_OK);
    assert(h1_parse_request(buf_slice(&out), &wide, &again, &result) == ERR_OK);
    assert(!result.keep_alive);
    assert(fields_has_token(&again.fields, SLICE("te"), SLICE("trailers")));
    assert(fields_has_token(&again.fields, SLICE("connection"), SLICE("te")));
    buf_release(&out);
    message_deinit(&again);
}

/* Checks that nothing is written if there is no room for all of it. */
static void check_no_room(const struct message *m, const struct h1_result *r, size_t needed)
{
    const struct h1_write w = {.framing = r->framing};
    struct buf out;
    buf_init(&out, 3 + needed - 1 - m->path.len % needed);
    assert(buf_append(&out, SLICE("abc")) == ERR_OK);
    assert(h1_write_request(&out, m, &w) == ERR_LIMIT);
    assert(slice_eq(buf_slice(&out), SLICE("abc")));
    buf_release(&out);
}

/* Checks that the written head reads the same. Heads of HTTP/1.0 may have no host; we write
 * HTTP/1.1, which needs one. */
static void check_round_trip(struct message *m, const struct h1_result *r)
{
    const struct h1_write w = {.framing = r->framing};
    struct message again;
    struct h1_result result;
    struct buf out;
    if (m->authority.len == 0)
        return;
    message_init(&again);
    buf_init(&out, 1 << 20);
    assert(h1_write_request(&out, m, &w) == ERR_OK);
    assert(h1_parse_request(buf_slice(&out), &wide, &again, &result) == ERR_OK);
    assert(slice_eq(m->method, again.method) && slice_eq(m->path, again.path));
    assert(slice_eq(m->authority, again.authority) && m->length == again.length);
    assert(result.framing == r->framing && m->has_body == again.has_body);
    check_connection(m, r);
    check_no_room(m, r, buf_len(&out));
    buf_release(&out);
    message_deinit(&again);
}

static void check_tight(struct slice in)
{
    struct h1_scan s = {0};
    struct message m;
    struct h1_result r;
    ssize_t n = h1_scan_head(&s, in, &tight, true);
    assert(n == scan_by_bytes(in, &tight) && n <= (ssize_t)tight.head);
    message_init(&m);
    int err = h1_parse_request(in, &tight, &m, &r);
    assert(err < 0 || (n == (ssize_t)in.len && m.fields.count <= tight.fields));
    message_deinit(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = fuzz_input(data, size);
    struct h1_scan s = {0};
    struct message m;
    struct h1_result r;
    check_tight(in);
    ssize_t n = h1_scan_head(&s, in, &h1_default_limits, true);
    assert(n == scan_by_bytes(in, &h1_default_limits) && n <= (ssize_t)size);
    message_init(&m);
    int err =
        h1_parse_request(n > 0 ? slice_make(in.ptr, (size_t)n) : in, &h1_default_limits, &m, &r);
    assert(n >= 0 || err == n);
    assert(n != 0 || err == ERR_SYNTAX);
    if (err == ERR_OK) {
        check_taken(&m, &r, in);
        check_round_trip(&m, &r);
        int stripped = fields_strip(&m.fields, NULL, NULL);
        assert(stripped == ERR_DENIED || fields_count(&m.fields, SLICE("connection")) == 0);
    }
    message_deinit(&m);
    return 0;
}
