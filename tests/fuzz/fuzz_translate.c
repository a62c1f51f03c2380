/* SPDX-License-Identifier: MIT */
/* fuzz_translate.c - a viewer's request on its way into a link or a response on its way out; the
 * first byte of an input selects which.
 *
 * Checks that the translated message has no field of a single connection, tells the truth about the
 * viewer in one spelling, and can be written and read again, and that no cookie is valid beyond its
 * tunnel. */
#include "h2mux/http/h1.h"
#include "h2mux/http/ws.h"
#include "src/http/translate.h"
#include "tests/fuzz/fuzz.h"

enum { RESPONSE = 1, TRUSTED = 2, TLS = 4 };

static const char node[] = "oneport-00000001";
static const struct h1_limits wide = {
    .head = 1 << 20, .fields = 200, .field = 1 << 20, .target = 1 << 20};

static void check_stripped(const struct fields *f)
{
    static const char *const gone[] = {"connection",        "keep-alive", "proxy-connection",
                                       "transfer-encoding", "upgrade",    "http2-settings"};
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        assert(!fields_find(f, slice_str(gone[i])));
    for (size_t i = 0; i < f->count; i++)
        assert(!slice_istarts(f->v[i].name, SLICE("oneport-")));
}

/* Returns whether @name is @plain with any bytes in place of its dashes. Written anew, so that it
 * does not share faults with what it checks. */
static bool reads_as(struct slice name, const char *plain)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool plain_byte = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
        if (plain[i] == '\0' || (plain_byte ? (c | 32) != (plain[i] | 32) : plain[i] != '-'))
            return false;
    }
    return plain[name.len] == '\0';
}

/* Checks H16: of the names that rules know, no other spelling is left. */
static void check_spellings(const struct fields *f)
{
    static const char *const known[] = {
        "content-length",    "transfer-encoding", "x-forwarded-for",  "x-forwarded-proto",
        "x-forwarded-host",  "x-forwarded-port",  "x-real-ip",        "proxy-connection",
        "sec-websocket-key", "max-forwards",      "x-request-id",     "client-ip",
        "x-original-url",    "x-sendfile",        "x-accel-redirect", "x-accel-buffering",
        "set-cookie",        "alt-svc",           "oneport-error",    "keep-alive"};
    for (size_t i = 0; i < f->count; i++)
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            assert(!reads_as(f->v[i].name, known[k]) ||
                   slice_ieq(f->v[i].name, slice_str(known[k])));
}

/* Checks H17 to H19: nothing but what oneportd vouches for says who the viewer is. */
static void check_claims(const struct fields *f)
{
    static const char *const gone[] = {"x-real-ip",       "forwarded",        "proxy",
                                       "client-ip",       "true-client-ip",   "x-client-ip",
                                       "x-original-url",  "x-rewrite-url",    "x-accel-mapping",
                                       "x-sendfile-type", "cf-connecting-ip", "x-forwarded-prefix"};
    for (size_t i = 0; i < f->count; i++)
        for (size_t k = 0; k < sizeof gone / sizeof *gone; k++)
            assert(!reads_as(f->v[i].name, gone[k]));
}

static void check_request(const struct message *m, const struct translated *t, uint8_t how)
{
    const struct fields *f = &m->fields;
    check_stripped(f);
    check_spellings(f);
    check_claims(f);
    assert(fields_count(f, SLICE("x-forwarded-for")) == 1);
    assert(fields_count(f, SLICE("te")) == t->takes_trailers);
    assert(fields_count(f, SLICE("expect")) == t->expects);
    assert(fields_has_token(f, SLICE("via"), SLICE("1.1 oneport-00000001")) ||
           fields_has_token(f, SLICE("via"), SLICE("1.0 oneport-00000001")));
    assert(f->bytes + m->path.len + m->authority.len <= FIELDS_SUBMIT_MAX);
    assert((how & TRUSTED) || slice_eq(m->scheme, how & TLS ? SLICE("https") : SLICE("http")));
    assert((how & TRUSTED) || !fields_find(f, SLICE("x-request-id")));
    if (t->websocket)
        assert(slice_eq(m->method, SLICE("CONNECT")) && ws_key_valid(t->ws_key) && !m->has_body &&
               !fields_find(f, SLICE("sec-websocket-key")));
}

/* Checks the message in the form in which the origin's side would write it. */
static void check_written(const struct message *m, const struct translated *t)
{
    const struct h1_write w = {.framing = m->length >= 0 ? H1_LENGTH
                                          : m->has_body  ? H1_CHUNKED
                                                         : H1_NO_BODY};
    struct message again;
    struct h1_result r;
    struct buf out;
    if (t->websocket || m->authority.len == 0)
        return;
    message_init(&again);
    buf_init(&out, 1 << 20);
    assert(h1_write_request(&out, m, &w) == ERR_OK);
    assert(h1_parse_request(buf_slice(&out), &wide, &again, &r) == ERR_OK);
    assert(slice_eq(again.path, m->path) && slice_eq(again.method, m->method));
    assert(slice_eq(again.authority, m->authority) && again.length == m->length);
    check_stripped(&again.fields);
    buf_release(&out);
    message_deinit(&again);
}

static void try_request(struct slice in, uint8_t how)
{
    struct peer peer = {.address = "192.0.2.1", .trusted = how & TRUSTED, .tls = how & TLS};
    struct trust *trust = trust_new();
    struct viewer v;
    struct message m;
    struct h1_result r;
    struct translated t;
    enum failure failure = FAIL_BAD_REQUEST;
    const char *reason = NULL;
    message_init(&m);
    if (h1_parse_request(in, &h1_default_limits, &m, &r) == ERR_OK) {
        trust_viewer(trust, &peer, &m.fields, &v);
        switch (translate_request(&m, &v, &peer, node, &t, &failure, &reason)) {
        case TRANSLATE_OK:
            check_request(&m, &t, how);
            check_written(&m, &t);
            translate_request_trailers(&m.fields, &v);
            check_spellings(&m.fields);
            check_claims(&m.fields);
            break;
        case TRANSLATE_FAIL:
            assert(reason && failure_status(failure) >= 400);
            break;
        case TRANSLATE_OPTIONS:
            assert(slice_eq(m.method, SLICE("OPTIONS")));
            break;
        }
    }
    message_deinit(&m);
    trust_free(trust);
}

/* Checks that no attribute of the cookie names example.com or a parent as its Domain, by the rules
 * of RFC 6265 5.2. */
static void check_cookie(struct slice cookie)
{
    while (cookie.len > 0) {
        ptrdiff_t semicolon = slice_find(cookie, ';');
        cookie = slice_skip(cookie, semicolon < 0 ? cookie.len : (size_t)semicolon + 1);
        ptrdiff_t end = slice_find(cookie, ';');
        struct slice part = slice_make(cookie.ptr, end < 0 ? cookie.len : (size_t)end);
        ptrdiff_t equals = slice_find(part, '=');
        struct slice name = slice_trim(slice_make(part.ptr, equals < 0 ? 0 : (size_t)equals));
        struct slice value = slice_trim(slice_skip(part, (size_t)(equals + 1)));
        if (!slice_ieq(name, SLICE("domain")))
            continue;
        assert(!slice_ieq(value, SLICE("example.com")) && !slice_ieq(value, SLICE(".example.com")));
        assert(!slice_ieq(value, SLICE("com")) && !slice_ieq(value, SLICE(".com")));
    }
}

static void check_response(struct message *m)
{
    if (m->status == 426) /* R21 */
        assert(fields_count(&m->fields, SLICE("upgrade")) == 1);
    else
        check_stripped(&m->fields);
    check_spellings(&m->fields);
    for (size_t i = 0; i < m->fields.count; i++) {
        struct slice name = m->fields.v[i].name;
        assert(!slice_istarts(name, SLICE("x-accel-")) ||
               slice_ieq(m->fields.v[i].value, SLICE("no")));
        assert(!slice_istarts(name, SLICE("x-sendfile")));
    }
    assert(m->status != 204 || m->length == MESSAGE_LENGTH_UNKNOWN);
    assert(!fields_find(&m->fields, SLICE("alt-svc")));
    for (size_t i = 0; i < m->fields.count; i++)
        if (slice_ieq(m->fields.v[i].name, SLICE("set-cookie")))
            check_cookie(m->fields.v[i].value);
    translate_websocket_opened(m, SLICE("dGhlIHNhbXBsZSBub25jZQ=="));
    assert(m->status == 101 && fields_count(&m->fields, SLICE("sec-websocket-accept")) == 1);
    translate_response_trailers(&m->fields);
    assert(!fields_find(&m->fields, SLICE("set-cookie")));
}

static void try_response(struct slice in)
{
    struct message m;
    struct h1_result r;
    bool cut = false;
    message_init(&m);
    if (h1_parse_response(in, &h1_default_limits, false, &m, &r) == ERR_OK &&
        translate_response(&m, SLICE("example.com"), &cut))
        check_response(&m);
    message_deinit(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice in = slice_skip(fuzz_input(data, size), 1);
    if (data[0] & RESPONSE)
        try_response(in);
    else
        try_request(in, data[0]);
    return 0;
}
