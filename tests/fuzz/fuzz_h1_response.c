/* SPDX-License-Identifier: MIT */
/* fuzz_h1_response.c - the head of a response. The lowest bit of the first byte says whether it
 * answers HEAD, the next one whether it is read leniently. */
#include "h2mux/http/h1.h"
#include "tests/fuzz/fuzz.h"

/* Limits that inputs of a few hundred bytes reach. */
static const struct h1_limits tight = {.head = 512, .fields = 8, .field = 128, .target = 64};
static const struct h1_limits lenient = {
    .head = 32 * 1024, .fields = 100, .field = 16 * 1024, .target = 0, .lenient = true};

static ssize_t scan_by_bytes(struct slice in, const struct h1_limits *limits)
{
    struct h1_scan s = {0};
    ssize_t n = 0;
    for (size_t len = 0; len <= in.len && n == 0; len++)
        n = h1_scan_head(&s, slice_make(in.ptr, len), limits, false);
    return n;
}

static void check_taken(const struct message *m, const struct h1_result *r, bool to_head,
                        struct slice head)
{
    assert(!r->reason && m->status >= 100 && m->status <= 599);
    assert(status_has_body(m->status, to_head) || (r->framing == H1_NO_BODY && !m->has_body));
    assert(r->framing != H1_LENGTH || m->length >= 0);
    assert(r->framing != H1_CHUNKED || m->length < 0);
    assert(r->framing != H1_UNTIL_CLOSE || !r->keep_alive);
    fuzz_check_fields(&m->fields, head);
}

static void check_round_trip(const struct message *m, const struct h1_result *r, bool to_head)
{
    const struct h1_write w = {.framing = r->framing, .keep_alive = true, .upgrade = true};
    const struct h1_limits wide = {
        .head = 1 << 20, .fields = 110, .field = 1 << 20, .target = 1 << 20};
    struct message again;
    struct h1_result result;
    struct buf out;
    message_init(&again);
    buf_init(&out, 1 << 20);
    assert(h1_write_response(&out, m, &w) == ERR_OK);
    assert(h1_parse_response(buf_slice(&out), &wide, to_head, &again, &result) == ERR_OK);
    assert(fields_has_token(&again.fields, SLICE("connection"), SLICE("upgrade")));
    assert(!result.keep_alive || result.framing != H1_UNTIL_CLOSE);
    assert(m->status == again.status && result.framing == r->framing &&
           m->has_body == again.has_body);
    buf_release(&out);
    message_deinit(&again);
}

static void check_tight(struct slice in)
{
    struct h1_scan s = {0};
    struct message m;
    struct h1_result r;
    ssize_t n = h1_scan_head(&s, in, &tight, false);
    assert(n == scan_by_bytes(in, &tight) && n <= (ssize_t)tight.head);
    message_init(&m);
    int err = h1_parse_response(in, &tight, false, &m, &r);
    assert(err < 0 || (n == (ssize_t)in.len && m.fields.count <= tight.fields));
    message_deinit(&m);
}

/* Checks that a lenient reader takes the head @m that a strict one has taken as the same. */
static void check_lenient(struct slice in, bool to_head, const struct message *m,
                          const struct h1_result *r)
{
    struct message again;
    struct h1_result result;
    unsigned asked = (to_head ? H1_TO_HEAD : 0) | H1_BOTH;
    message_init(&again);
    assert(h1_parse_response(in, &lenient, asked, &again, &result) == ERR_OK);
    assert(again.status == m->status && again.length == m->length);
    assert(result.framing == r->framing && result.keep_alive == r->keep_alive);
    assert(again.fields.count == m->fields.count && again.fields.bytes == m->fields.bytes);
    message_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool to_head = data[0] & 1, loose = data[0] & 2;
    const struct h1_limits *limits = loose ? &lenient : &h1_default_limits;
    struct slice in = slice_skip(fuzz_input(data, size), 1);
    struct h1_scan s = {0};
    struct message m;
    struct h1_result r;
    check_tight(in);
    ssize_t n = h1_scan_head(&s, in, limits, false);
    assert(n == scan_by_bytes(in, limits) && n <= (ssize_t)in.len);
    struct slice head = n > 0 ? slice_make(in.ptr, (size_t)n) : in;
    message_init(&m);
    int err =
        h1_parse_response(head, limits, (to_head ? H1_TO_HEAD : 0) | (loose ? H1_BOTH : 0), &m, &r);
    assert(err == ERR_OK || ((err == ERR_PROTOCOL || err == ERR_LIMIT) && r.reason));
    assert(n > 0 || err < 0);
    if (err == ERR_OK) {
        check_taken(&m, &r, to_head, in);
        check_round_trip(&m, &r, to_head);
    }
    if (err == ERR_OK && !loose)
        check_lenient(head, to_head, &m, &r);
    message_deinit(&m);
    return 0;
}
