/* SPDX-License-Identifier: MIT */
/* translate.c - applies the rules for heads; see translate.h. Each function applies one rule of
 * http-rules.md, or a few rules that belong together. */
#include "src/http/translate.h"

#include <assert.h>
#include <stdio.h>

#include "h2mux/http/bytes.h"
#include "h2mux/http/field_name.h"
#include "h2mux/http/ws.h"

/* Refuses the request: sets @failure to @why and @reason to @text, and returns TRANSLATE_FAIL. */
#define VERDICT(why, text)                                                                         \
    do {                                                                                           \
        *failure = (why);                                                                          \
        *reason = (text);                                                                          \
        return TRANSLATE_FAIL;                                                                     \
    } while (0)

static bool name_is(const struct field *f, struct slice name)
{
    return slice_ieq(f->name, name);
}

/* ---- requests */

static bool asks_for_websocket(const struct message *m)
{
    return fields_has_token(&m->fields, SLICE("upgrade"), SLICE("websocket")) &&
           fields_has_token(&m->fields, SLICE("connection"), SLICE("upgrade")) &&
           slice_eq(m->method, SLICE("GET")) && m->minor_version == 1 && !m->http2;
}

/* Turns a request for a WebSocket into an extended CONNECT (rule W1: a GET with `Upgrade:
 * websocket`), and sets t->websocket. Returns TRANSLATE_OK, also for other requests, or
 * TRANSLATE_FAIL when the request breaks RFC 6455 4.2.1. */
static enum translate_verdict check_websocket(struct message *m, struct translated *t,
                                              enum failure *failure, const char **reason)
{
    static const struct slice key_name = {"sec-websocket-key", 17},
                              version_name = {"sec-websocket-version", 21};
    t->websocket = asks_for_websocket(m);
    if (!t->websocket)
        return TRANSLATE_OK;
    if (m->has_body)
        VERDICT(FAIL_BAD_REQUEST, "a WebSocket upgrade has a body");
    t->ws_key = fields_value(&m->fields, key_name);
    if (fields_count(&m->fields, key_name) != 1 || !ws_key_valid(t->ws_key))
        VERDICT(FAIL_BAD_REQUEST, "Sec-WebSocket-Key is missing, doubled or malformed");
    if (fields_count(&m->fields, version_name) != 1 ||
        !slice_eq(fields_value(&m->fields, version_name), SLICE("13")))
        VERDICT(FAIL_UPGRADE_VERSION, "Sec-WebSocket-Version is not 13");
    fields_remove(&m->fields, key_name);
    m->method = SLICE("CONNECT");
    m->protocol = SLICE("websocket");
    m->length = MESSAGE_LENGTH_UNKNOWN;
    return TRANSLATE_OK;
}

/* Refuses TRACE, and lowers the Max-Forwards of OPTIONS by one. Returns TRANSLATE_OK,
 * TRANSLATE_FAIL for TRACE, or TRANSLATE_OPTIONS when Max-Forwards is 0 already. */
static enum translate_verdict check_method(struct message *m, enum failure *failure,
                                           const char **reason)
{
    uint64_t forwards;
    if (slice_eq(m->method, SLICE("TRACE")))
        VERDICT(FAIL_METHOD, "TRACE is not allowed");
    struct slice value = fields_value(&m->fields, SLICE("max-forwards"));
    if (value.len == 0 || !slice_eq(m->method, SLICE("OPTIONS")) ||
        slice_to_u64(value, UINT32_MAX, &forwards) < 0)
        return TRANSLATE_OK;
    if (forwards == 0)
        return TRANSLATE_OPTIONS;
    fields_remove(&m->fields, SLICE("max-forwards"));
    fields_add_printf(&m->fields, SLICE("max-forwards"), "%llu", (unsigned long long)forwards - 1);
    return TRANSLATE_OK;
}

static bool is_expect(const struct field *f, void *user)
{
    return name_is(f, SLICE("expect"));
}

/* Checks the field Expect (rule H6: `Expect: 100-continue` is passed on, RFC 9110 10.1.1). Removes
 * the field when the request is HTTP/1.0 or when no body follows. Returns TRANSLATE_OK, or
 * TRANSLATE_FAIL when a request of HTTP/1.1 expects something else. */
static enum translate_verdict check_expect(struct message *m, struct translated *t,
                                           enum failure *failure, const char **reason)
{
    size_t lines = fields_count(&m->fields, SLICE("expect"));
    if (lines == 0)
        return TRANSLATE_OK;
    bool known = lines == 1 && slice_ieq(slice_trim(fields_value(&m->fields, SLICE("expect"))),
                                         SLICE("100-continue"));
    if (!known && m->minor_version == 1)
        VERDICT(FAIL_EXPECTATION, "Expect is not 100-continue");
    fields_remove_if(&m->fields, is_expect, NULL);
    t->expects = known && m->minor_version == 1 && m->has_body;
    if (t->expects)
        fields_add(&m->fields, SLICE("expect"), SLICE("100-continue"));
    return TRANSLATE_OK;
}

/* Returns whether the server @node wrote an element of the Via field @via. An element has the form
 * `protocol RWS received-by [RWS comment]` (RFC 9110 7.6.3). */
static bool via_names(struct slice via, struct slice node)
{
    struct slice element;
    while (slice_next_token(&via, &element)) {
        while (element.len > 0 && byte_is_target((unsigned char)*element.ptr))
            element = slice_skip(element, 1);
        if (slice_starts(slice_trim(element), node))
            return true;
    }
    return false;
}

/* Returns whether the request has passed this server before: whether its Via names @node (rule H9:
 * such a request is a loop). */
static bool seen_before(const struct fields *f, struct slice node)
{
    for (size_t i = 0; i < f->count; i++)
        if (name_is(&f->v[i], SLICE("via")) && via_names(f->v[i].value, node))
            return true;
    return false;
}

static bool request_id_valid(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (!byte_is_alpha((unsigned char)id.ptr[i]) && !byte_is_digit((unsigned char)id.ptr[i]) &&
            !byte_is_one_of((unsigned char)id.ptr[i], "-._~:/+=@"))
            return false;
    return id.len <= 128;
}

/* Returns whether a viewer's field is removed: a field `oneport-*`, which only the two programs may
 * use, an X-Request-Id that is malformed or does not come from a trusted proxy (rule H10), or a
 * field for which trust_drops is true. */
static bool is_not_the_viewers(const struct field *f, unsigned rules, void *user)
{
    const struct viewer *v = user;
    if ((rules & FIELD_OURS) || trust_drops(v, f->name, rules))
        return true;
    return (rules & FIELD_ID) && (!v->trusted || !request_id_valid(f->value));
}

/* Removes the fields that the viewer must not pass to an origin, and adds those that oneportd
 * vouches for. Returns ERR_DENIED when Connection names a field that it must not name. */
static int rewrite_fields(struct message *m, const struct viewer *v, const struct peer *peer,
                          bool takes_trailers)
{
    struct buf list;
    trust_list(&m->fields, v, peer, &list);
    int err = fields_strip(&m->fields, is_not_the_viewers, (void *)(uintptr_t)v);
    if (err == 0) {
        trust_drop_fields(v, &m->fields);
        if (takes_trailers)
            fields_add(&m->fields, SLICE("te"), SLICE("trailers"));
        trust_add_fields(&m->fields, v, buf_slice(&list), m->authority);
    }
    buf_release(&list);
    return err;
}

/* Returns whether the viewer accepts trailers: whether TE has "trailers" and Connection lists TE
 * (rule H3: only then `te: trailers` is passed on). HTTP/2 has no Connection (RFC 9113 8.2.2). */
static bool te_trailers(const struct message *m)
{
    return fields_has_token(&m->fields, SLICE("te"), SLICE("trailers")) &&
           (m->http2 || fields_has_token(&m->fields, SLICE("connection"), SLICE("te")));
}

static void add_via(struct message *m, struct slice node)
{
    assert(node.ptr);
    char text[64] = "1.1 ";
    size_t len = 4 + (node.len < sizeof text - 4 ? node.len : sizeof text - 4);
    text[0] = m->http2 ? '2' : '1';
    text[2] = (char)('0' + (m->http2 ? 0 : m->minor_version));
    memcpy(text + 4, node.ptr, len - 4);
    fields_add_copy(&m->fields, SLICE("via"), slice_make(text, len));
}

enum translate_verdict translate_request(struct message *m, const struct viewer *v,
                                         const struct peer *peer, const char *node,
                                         struct translated *t, enum failure *failure,
                                         const char **reason)
{
    *t = (struct translated){.takes_trailers = te_trailers(m)};
    enum translate_verdict verdict = check_method(m, failure, reason);
    if (verdict == TRANSLATE_OK)
        verdict = check_expect(m, t, failure, reason);
    if (verdict == TRANSLATE_OK)
        verdict = check_websocket(m, t, failure, reason);
    if (verdict != TRANSLATE_OK)
        return verdict;
    if (seen_before(&m->fields, slice_str(node)))
        VERDICT(FAIL_LOOP, "Via names this server");
    if (rewrite_fields(m, v, peer, t->takes_trailers) < 0)
        VERDICT(FAIL_BAD_REQUEST, "Connection names a field that is not hop-by-hop");
    add_via(m, slice_str(node));
    m->scheme = v->https ? SLICE("https") : SLICE("http");
    if (m->fields.bytes + m->path.len + m->authority.len > FIELDS_SUBMIT_MAX)
        VERDICT(FAIL_HEAD_TOO_LARGE, "the head is too large for a link");
    return TRANSLATE_OK;
}

/* ---- responses */

/* Returns whether a field of a response is removed: one that only the link or the hop in front of
 * the server would obey (rules R14, R19). X-Accel-Buffering may ask for less, which harms nobody.
 */
static bool is_for_a_hop(const struct field *f, unsigned rules, void *user)
{
    if ((rules & (FIELD_OURS | FIELD_STEERS)) == 0)
        return false;
    return !name_is(f, SLICE("x-accel-buffering")) || !slice_ieq(f->value, SLICE("no"));
}

/* Returns whether @value is a host name in plain ASCII. Browsers map other letters and dots to
 * ASCII ("example\u3002com", soft hyphens), so any other value may stand for any name. */
static bool is_plain_name(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (!byte_is_alpha(c) && !byte_is_digit(c) && !byte_is_one_of(c, "-._"))
            return false;
    }
    return true;
}

/* Returns whether a cookie with the Domain @value would reach other tunnels: @value is the base
 * domain or a parent of the base domain, or is not plain ASCII (rule R15a: such a Domain is
 * removed). A dot at the end of @value makes no difference, since browsers may send a host with
 * such a dot. */
static bool domain_is_shared(struct slice value, struct slice domain)
{
    if (!is_plain_name(value))
        return true;
    if (value.len > 0 && value.ptr[0] == '.')
        value = slice_skip(value, 1);
    if (value.len > 0 && value.ptr[value.len - 1] == '.')
        value.len--;
    if (value.len == 0 || value.len > domain.len)
        return false;
    struct slice tail = slice_skip(domain, domain.len - value.len);
    bool label = value.len == domain.len || domain.ptr[domain.len - value.len - 1] == '.';
    return label && slice_ieq(tail, value);
}

/* Removes the first attribute, up to the next ';', from @rest. Returns that attribute. */
static struct slice next_attribute(struct slice *rest)
{
    ptrdiff_t end = slice_find(*rest, ';');
    struct slice part = end < 0 ? *rest : slice_make(rest->ptr, (size_t)end);
    *rest = slice_skip(*rest, end < 0 ? rest->len : (size_t)end + 1);
    return part;
}

static bool attribute_is_shared(struct slice part, struct slice domain)
{
    part = slice_trim(part);
    ptrdiff_t eq = slice_find(part, '=');
    return eq > 0 && slice_ieq(slice_trim(slice_make(part.ptr, (size_t)eq)), SLICE("domain")) &&
           domain_is_shared(slice_trim(slice_skip(part, (size_t)eq + 1)), domain);
}

/* Removes each Domain attribute that reaches other tunnels from @cookie. Returns whether an
 * attribute was removed. */
static bool cut_cookie(struct fields *f, struct field *cookie, struct slice domain)
{
    struct slice rest = cookie->value, part;
    struct buf kept;
    bool cut = false, first = true;
    buf_init(&kept, FIELDS_BYTES_MAX);
    while (rest.len > 0) {
        part = next_attribute(&rest);
        if (!first && attribute_is_shared(part, domain)) {
            cut = true;
        } else if ((!first && buf_append(&kept, SLICE(";")) < 0) || buf_append(&kept, part) < 0) {
            cut = false; /* cannot be: the value only gets shorter */
            break;
        }
        first = false;
    }
    if (cut)
        cookie->value = fields_keep(f, slice_trim(buf_slice(&kept)));
    buf_release(&kept);
    return cut;
}

static void cut_cookies(struct fields *f, struct slice domain, bool *cookie_cut)
{
    for (size_t i = 0; i < f->count; i++)
        if (name_is(&f->v[i], SLICE("set-cookie")) && cut_cookie(f, &f->v[i], domain))
            *cookie_cut = true;
}

/* Adds `X-Accel-Buffering: no` to a stream of events (rule R16), so that a proxy between the viewer
 * and this server does not hold the events back. */
static void unbuffer_events(struct fields *f)
{
    struct slice type = fields_value(f, SLICE("content-type"));
    if (slice_istarts(type, SLICE("text/event-stream")) &&
        !fields_find(f, SLICE("x-accel-buffering")))
        fields_add(f, SLICE("x-accel-buffering"), SLICE("no"));
}

bool translate_response(struct message *m, struct slice domain, bool *cookie_cut)
{
    if (m->status < 100 || m->status > 599 || fields_strip(&m->fields, is_for_a_hop, NULL) < 0)
        return false;
    cut_cookies(&m->fields, domain, cookie_cut);
    if (m->status == 426) /* rule R21: the origin's own field was for its connection */
        fields_add(&m->fields, SLICE("upgrade"), SLICE("websocket"));
    if (m->status == 204)
        m->length = MESSAGE_LENGTH_UNKNOWN;
    unbuffer_events(&m->fields);
    return true;
}

static bool is_no_response_trailer(const struct field *f, void *user)
{
    return field_forbidden_in_trailers(f->name) || (field_rules(f->name) & FIELD_STEERS);
}

static bool is_no_request_trailer(const struct field *f, void *user)
{
    return field_forbidden_in_trailers(f->name) ||
           is_not_the_viewers(f, field_rules(f->name), user);
}

void translate_hsts(struct fields *f, const struct viewer *v, uint64_t life_ms)
{
    if (life_ms == 0 || !v->https)
        return;
    fields_remove(f, SLICE("strict-transport-security"));
    fields_add_printf(f, SLICE("strict-transport-security"), "max-age=%llu",
                      (unsigned long long)(life_ms / 1000));
}

void translate_response_trailers(struct fields *t)
{
    fields_remove_if(t, is_no_response_trailer, NULL);
}

void translate_request_trailers(struct fields *t, const struct viewer *v)
{
    fields_remove_if(t, is_no_request_trailer, (void *)(uintptr_t)v);
    trust_drop_fields(v, t);
}

void translate_websocket_opened(struct message *m, struct slice key)
{
    char accept[WS_ACCEPT_LEN + 1];
    ws_accept(key, accept);
    m->status = 101;
    m->length = MESSAGE_LENGTH_UNKNOWN;
    fields_remove(&m->fields, SLICE("sec-websocket-accept"));
    fields_add(&m->fields, SLICE("upgrade"), SLICE("websocket"));
    fields_add_copy(&m->fields, SLICE("sec-websocket-accept"), slice_make(accept, WS_ACCEPT_LEN));
}
