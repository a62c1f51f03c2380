/* SPDX-License-Identifier: MIT */
/* h1_head.c - parses one complete head: start line, fields, and the framing of the body. RFC 9112
 * 3, 4, 6; http-rules.md#requests-line-and-framing and http-rules.md#responses
 *
 * A head that can be read in two ways is refused. The framing is judged here once, taken out of the
 * fields, and written anew by h1_write.c. */
#include "h2mux/http/h1_int.h"

#include <stdlib.h>

#include "h2mux/base/inet.h"
#include "h2mux/http/bytes.h"

enum { PORT_MAX = 65535, PORT_TEXT_MAX = 6, STATUS_MIN = 100, STATUS_MAX = 599 };

/* The head while its fields are read. */
struct head {
    struct message *m;   /* borrowed: the caller's */
    struct h1_result *r; /* borrowed: likewise */
    bool request;
    bool both; /* H1_BOTH */
    struct slice host, coding;
    size_t hosts, codings;  /* how many lines of each there are */
    bool close, keep_alive; /* options of Connection */
};

static int fault(struct head *h, int err, const char *reason)
{
    h->r->reason = reason;
    return h->request || err == ERR_LIMIT ? err : ERR_PROTOCOL;
}

/* Takes the next line off @lines. Returns it without its CRLF or LF. */
static struct slice next_line(struct slice *lines)
{
    ptrdiff_t lf = slice_find(*lines, '\n');
    size_t len = lf < 0 ? lines->len : (size_t)lf;
    bool cr = len > 0 && lines->ptr[len - 1] == '\r';
    struct slice line = slice_make(lines->ptr, len - cr);
    *lines = slice_skip(*lines, len + 1);
    return line;
}

bool h1_next_field(struct slice *lines, struct field *out)
{
    struct slice line = next_line(lines);
    ptrdiff_t colon = slice_find(line, ':');
    if (colon <= 0)
        return false;
    out->name = slice_make(line.ptr, (size_t)colon);
    out->value = slice_trim(slice_skip(line, (size_t)colon + 1));
    return true;
}

/* Takes the text before the next @c off @text, and @c with it, or all of it when there is no @c.
 * Returns what comes before @c. */
static struct slice take_until(struct slice *text, char c)
{
    ptrdiff_t at = slice_find(*text, c);
    struct slice taken = at < 0 ? *text : slice_make(text->ptr, (size_t)at);
    *text = slice_skip(*text, taken.len + 1);
    return taken;
}

bool h1_method_valid(struct slice method)
{
    return method.len <= H1_METHOD_MAX && field_name_valid(method);
}

bool h1_target_valid(struct slice path)
{
    for (size_t i = 0; i < path.len; i++)
        if (!byte_is_target((unsigned char)path.ptr[i]))
            return false;
    return slice_eq(path, SLICE("*")) || slice_starts(path, SLICE("/"));
}

/* Returns whether @c is unreserved or a sub-delim. RFC 3986 2. */
static bool is_reg_name_byte(unsigned char c)
{
    return byte_is_alpha(c) || byte_is_digit(c) || byte_is_one_of(c, "-._~!$&'()*+,;=");
}

/* RFC 3986 3.2.2. An IPv4 address looks the same. */
static bool reg_name_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        const unsigned char *c = (const unsigned char *)name.ptr + i;
        if (*c == '%' && name.len - i > 2 && byte_hex(c[1]) >= 0 && byte_hex(c[2]) >= 0)
            i += 2;
        else if (!is_reg_name_byte(*c))
            return false;
    }
    return name.len > 0;
}

static bool ipv6_valid(struct slice address)
{
    union inet parsed;
    return inet_parse(AF_INET6, address, &parsed);
}

/* Returns whether @port is ":" and a number, ":" alone (RFC 3986 3.2.3), or empty. */
static bool port_valid(struct slice port)
{
    uint64_t number;
    if (port.len == 0 || slice_eq(port, SLICE(":")))
        return true;
    return port.ptr[0] == ':' && port.len <= PORT_TEXT_MAX &&
           slice_to_u64(slice_skip(port, 1), PORT_MAX, &number) == 0;
}

bool h1_authority_valid(struct slice authority)
{
    bool bracket = slice_starts(authority, SLICE("["));
    ptrdiff_t end = slice_find(authority, bracket ? ']' : ':');
    if (bracket)
        return end > 0 && ipv6_valid(slice_make(authority.ptr + 1, (size_t)end - 1)) &&
               port_valid(slice_skip(authority, (size_t)end + 1));
    size_t host = end < 0 ? authority.len : (size_t)end;
    return reg_name_valid(slice_make(authority.ptr, host)) &&
           port_valid(slice_skip(authority, host));
}

/* Relies on h1_scan_head, which has judged the shape of start lines. */
static int read_version(struct head *h, struct slice version)
{
    const char *digits = version.ptr + sizeof("HTTP/") - 1;
    if (digits[0] != '1' || digits[2] > '1')
        return fault(h, ERR_VERSION, "HTTP version is not 1.0 or 1.1");
    h->m->minor_version = digits[2] - '0';
    return ERR_OK;
}

static int read_request_line(struct head *h, struct slice line)
{
    struct slice whole = line;
    h->m->method = take_until(&line, ' ');
    h->m->path = take_until(&line, ' ');
    if (slice_eq(whole, SLICE("PRI * HTTP/2.0")))
        return fault(h, ERR_SYNTAX, "HTTP/2 preface");
    int err = read_version(h, line);
    if (err == ERR_OK && slice_eq(h->m->method, SLICE("CONNECT")))
        return fault(h, ERR_UNSUPPORTED, "CONNECT");
    return err;
}

static int read_status_line(struct head *h, struct slice line)
{
    uint64_t status;
    int err = read_version(h, take_until(&line, ' '));
    if (err < 0)
        return err;
    if (slice_to_u64(take_until(&line, ' '), STATUS_MAX, &status) < 0 || status < STATUS_MIN)
        return fault(h, ERR_PROTOCOL, "status code out of range");
    h->m->status = (int)status;
    return ERR_OK;
}

static int take_length(struct head *h, struct slice text)
{
    uint64_t length;
    if (slice_to_u64(text, INT64_MAX, &length) < 0)
        return fault(h, ERR_SYNTAX, "malformed content-length");
    if (h->m->length != MESSAGE_LENGTH_UNKNOWN && (h->request || h->m->length != (int64_t)length))
        return fault(h, ERR_SYNTAX, "repeated content-length");
    h->m->length = (int64_t)length;
    return ERR_OK;
}

/* RFC 9110 8.6 lets equal lengths be folded into one. That is done in responses (R3) and never in
 * requests (Q22). */
static int read_length(struct head *h, struct slice value)
{
    struct slice element;
    if (h->request || !slice_next_token(&value, &element))
        return take_length(h, value);
    int err;
    do
        err = take_length(h, element);
    while (err == ERR_OK && slice_next_token(&value, &element));
    return err;
}

static int read_field(struct head *h, const struct field *field)
{
    if (slice_ieq(field->name, SLICE("content-length")))
        return read_length(h, field->value);
    if (slice_ieq(field->name, SLICE("host"))) {
        h->host = field->value;
        h->hosts++;
        return ERR_OK;
    }
    if (slice_ieq(field->name, SLICE("transfer-encoding"))) {
        if (h->codings++ == 0)
            h->coding = field->value;
        return ERR_OK;
    }
    if (slice_ieq(field->name, SLICE("connection"))) {
        h->close |= slice_has_token(field->value, SLICE("close"));
        h->keep_alive |= slice_has_token(field->value, SLICE("keep-alive"));
    }
    fields_add(&h->m->fields, field->name, field->value);
    return ERR_OK;
}

static int read_fields(struct head *h, struct slice lines)
{
    struct field field;
    int err = ERR_OK;
    while (err == ERR_OK && h1_next_field(&lines, &field))
        err = read_field(h, &field);
    return err;
}

/* Returns @authority without its port if that is the default @port, or empty (RFC 3986 6.2.3). */
static struct slice without_port(struct slice authority, struct slice port)
{
    if (slice_ends(authority, SLICE(":")))
        port = SLICE(":");
    return slice_ends(authority, port) ? slice_make(authority.ptr, authority.len - port.len)
                                       : authority;
}

/* Makes the path of what follows the authority in an absolute-form target. RFC 9112 3.2.1, 3.2.4.
 */
static int take_origin_form(struct message *m, struct slice rest)
{
    struct buf built; /* for "?query": the path needs a "/" that the head does not have */
    if (slice_starts(rest, SLICE("/"))) {
        m->path = rest;
        return ERR_OK;
    }
    if (rest.len == 0) {
        m->path = slice_eq(m->method, SLICE("OPTIONS")) ? SLICE("*") : SLICE("/");
        return ERR_OK;
    }
    buf_init(&built, rest.len + 1);
    int err = buf_append(&built, SLICE("/"));
    if (err == ERR_OK)
        err = buf_append(&built, rest);
    m->path = fields_keep(&m->fields, buf_slice(&built));
    buf_release(&built);
    return err;
}

/* Rule Q9. RFC 9112 3.2.2 would let the URI win over a different Host; two names for one request
 * are refused here. */
static int split_absolute_form(struct head *h, size_t scheme_len, struct slice default_port)
{
    struct message *m = h->m;
    struct slice rest = slice_skip(m->path, scheme_len);
    size_t len = 0;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    struct slice authority = slice_make(rest.ptr, len);
    if (!h1_authority_valid(authority))
        return fault(h, ERR_SYNTAX, "malformed authority in target");
    if (h->hosts > 0 &&
        !slice_ieq(without_port(authority, default_port), without_port(m->authority, default_port)))
        return fault(h, ERR_SYNTAX, "target and host differ");
    m->authority = authority;
    return take_origin_form(m, slice_skip(rest, len));
}

static int judge_host(struct head *h)
{
    if (h->hosts > 1)
        return fault(h, ERR_SYNTAX, "repeated host");
    if (h->hosts == 0)
        return h->m->minor_version == 0 ? ERR_OK : fault(h, ERR_SYNTAX, "no host");
    if (!h1_authority_valid(h->host))
        return fault(h, ERR_SYNTAX, "malformed host");
    h->m->authority = h->host;
    return ERR_OK;
}

/* Writes each byte of the path from 0x80 on as "%XX" (RFC 3986 2.1). h1_scan_head has bounded what
 * comes of it. */
static void encode_path(struct message *m)
{
    static const char digits[] = "0123456789ABCDEF";
    char *encoded = xmalloc(3 * m->path.len + 1), *to = encoded;
    for (size_t i = 0; i < m->path.len; i++) {
        unsigned char c = (unsigned char)m->path.ptr[i];
        if (c < 0x80) {
            *to++ = (char)c;
            continue;
        }
        *to++ = '%';
        *to++ = digits[c >> 4];
        *to++ = digits[c & 0xf];
    }
    m->path = fields_keep(&m->fields, slice_make(encoded, (size_t)(to - encoded)));
    free(encoded);
}

/* Judges what is left of a target: path and query. Rule Q45: curl and others send a name in UTF-8
 * as it is. */
static bool judge_path(struct message *m)
{
    if (h1_target_valid(m->path))
        return true;
    encode_path(m);
    return h1_target_valid(m->path);
}

static int judge_target(struct head *h)
{
    struct message *m = h->m;
    int err = ERR_OK;
    if (slice_istarts(m->path, SLICE("http://")))
        err = split_absolute_form(h, sizeof("http://") - 1, SLICE(":80"));
    else if (slice_istarts(m->path, SLICE("https://")))
        err = split_absolute_form(h, sizeof("https://") - 1, SLICE(":443"));
    if (err < 0)
        return err;
    if (!judge_path(m))
        return fault(h, ERR_SYNTAX, "target is no path");
    if (m->path.ptr[0] == '*' && !slice_eq(m->method, SLICE("OPTIONS")))
        return fault(h, ERR_SYNTAX, "target * without OPTIONS");
    return ERR_OK;
}

/* Judges a Transfer-Encoding that is not exactly "chunked": the first coding decides whether it is
 * unknown or malformed (Q24). */
static int judge_coding(struct head *h)
{
    struct slice list = h->coding, element = SLICE("");
    bool any = slice_next_token(&list, &element);
    struct slice name = slice_trim(take_until(&element, ';'));
    if (any && field_name_valid(name) && !slice_ieq(name, SLICE("chunked")))
        return fault(h, ERR_CODING, "unknown transfer coding");
    return fault(h, ERR_SYNTAX, "malformed transfer-encoding");
}

static int judge_framing(struct head *h)
{
    if (h->codings == 0) {
        enum h1_framing unsaid = h->request ? H1_NO_BODY : H1_UNTIL_CLOSE;
        h->r->framing = h->m->length == MESSAGE_LENGTH_UNKNOWN ? unsaid : H1_LENGTH;
        return ERR_OK;
    }
    if (h->m->length != MESSAGE_LENGTH_UNKNOWN && !h->both)
        return fault(h, ERR_SYNTAX, "content-length with transfer-encoding");
    if (h->m->minor_version == 0)
        return fault(h, ERR_SYNTAX, "transfer-encoding in HTTP/1.0");
    if (h->codings > 1 || !slice_ieq(h->coding, SLICE("chunked")))
        return judge_coding(h);
    h->close |= h->m->length != MESSAGE_LENGTH_UNKNOWN;
    h->m->length = MESSAGE_LENGTH_UNKNOWN;
    h->r->framing = H1_CHUNKED;
    return ERR_OK;
}

static void finish(struct head *h)
{
    const struct h1_result *r = h->r;
    h->m->has_body = r->framing == H1_CHUNKED || r->framing == H1_UNTIL_CLOSE ||
                     (r->framing == H1_LENGTH && h->m->length > 0);
    h->r->keep_alive =
        !h->close && r->framing != H1_UNTIL_CLOSE && (h->m->minor_version == 1 || h->keep_alive);
}

/* Settles a response that has no body, whatever its fields say (RFC 9112 6.3). Behind a 204 that
 * announces a body, and a 205 that does not exclude it, bytes may come that belong to no message:
 * the connection is not used again (R6, R8). */
static void drop_body(struct head *h, bool to_head)
{
    struct message *m = h->m;
    enum h1_framing said = h->r->framing;
    if (!to_head && m->status == 204)
        h->close |= said == H1_CHUNKED || m->length > 0;
    if (!to_head && m->status == 205)
        h->close |= said != H1_LENGTH || m->length > 0;
    if (m->status == 205)
        m->length = 0;
    else if (m->status < 200 || m->status == 204)
        m->length = MESSAGE_LENGTH_UNKNOWN;
    h->r->framing = H1_NO_BODY;
}

/* Judges the shape of a head that h1_scan_head has not seen. */
static int judge_shape(struct head *h, struct slice head, const struct h1_limits *limits)
{
    struct h1_scan scan = {0};
    ssize_t len = h1_scan_head(&scan, head, limits, h->request);
    if (len < 0)
        return fault(h, (int)len, scan.reason);
    if (len == 0 || (size_t)len != head.len)
        return fault(h, ERR_SYNTAX, "not one complete head");
    return ERR_OK;
}

static int read_head(struct head *h, struct slice head, const struct h1_limits *limits)
{
    int shape = limits ? judge_shape(h, head, limits) : ERR_OK;
    if (shape < 0)
        return shape;
    struct slice line = next_line(&head);
    int err = h->request ? read_request_line(h, line) : read_status_line(h, line);
    return err < 0 ? err : read_fields(h, head);
}

int h1_parse_request(struct slice head, const struct h1_limits *limits, struct message *m,
                     struct h1_result *r)
{
    struct head h = {.m = m, .r = r, .request = true};
    *r = (struct h1_result){.framing = H1_NO_BODY};
    int err = read_head(&h, head, limits);
    if (err == ERR_OK)
        err = judge_host(&h);
    if (err == ERR_OK)
        err = judge_target(&h);
    if (err == ERR_OK)
        err = judge_framing(&h);
    if (err == ERR_OK)
        finish(&h);
    return err;
}

int h1_parse_response(struct slice head, const struct h1_limits *limits, unsigned asked,
                      struct message *m, struct h1_result *r)
{
    bool to_head = (asked & H1_TO_HEAD) != 0;
    struct head h = {.m = m, .r = r, .request = false, .both = (asked & H1_BOTH) != 0};
    *r = (struct h1_result){.framing = H1_NO_BODY};
    int err = read_head(&h, head, limits);
    if (err == ERR_OK)
        err = judge_framing(&h);
    if (err < 0)
        return err;
    if (!status_has_body(m->status, to_head) || m->status == 205)
        drop_body(&h, to_head);
    finish(&h);
    return ERR_OK;
}
