/* SPDX-License-Identifier: MIT */
/* trust.c - keeps the trusted networks, and reads and writes the X-Forwarded-* fields; see trust.h.
 *
 * Every address is kept as an IPv6 address, and an IPv4 address as ::ffff:a.b.c.d. So one
 * comparison serves both families, and a mapped address equals its IPv4 address.
 *
 * The X-Forwarded-For list is read from its right end. Each hop has appended the address of the hop
 * before it, so an element is believed only while all elements to its right are trusted
 * (protocol.md#trust). */
#include "src/http/trust.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "h2mux/base/check.h"
#include "h2mux/base/inet.h"
#include "h2mux/http/bytes.h"
#include "h2mux/http/field_name.h"

enum { V6_BITS = 128, V4_PREFIX_BITS = 96, LIST_MAX = 65536, NAMES_MAX = 64 };

/* Names of fields, in any spelling. */
struct names {
    struct slice v[NAMES_MAX]; /* borrowed */
    size_t n;
};

struct network {
    struct in6_addr address;
    unsigned bits;
};

struct trust {
    struct network *v; /* owned */
    size_t n;
    struct names dropped, forwarded; /* --drop-field, --forward-field */
};

/* ---- networks */

static bool network_has(const struct network *net, const struct in6_addr *a)
{
    CHECK_THAT(net->bits <= V6_BITS);
    size_t whole = net->bits / 8;
    if (memcmp(net->address.s6_addr, a->s6_addr, whole) != 0)
        return false;
    unsigned rest = net->bits % 8;
    if (rest == 0)
        return true;
    unsigned differ = net->address.s6_addr[whole] ^ a->s6_addr[whole];
    return (differ >> (8 - rest)) == 0;
}

static void map_v4(const struct in_addr *v4, struct in6_addr *out)
{
    *out = (struct in6_addr){0};
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(out->s6_addr + 12, v4, sizeof *v4);
}

/* Reads an address like "192.0.2.1" or "2001:db8::1". Writes the address into @out, and the number
 * of bits that an address of its family has (32 or 128) into @bits. Returns false when @text is not
 * an address. */
static bool parse_address(struct slice text, struct in6_addr *out, unsigned *bits)
{
    union inet a;
    if (inet_parse(AF_INET6, text, &a)) {
        *bits = V6_BITS;
        *out = a.v6;
        return true;
    }
    if (!inet_parse(AF_INET, text, &a))
        return false;
    *bits = 32;
    map_v4(&a.v4, out);
    return true;
}

struct trust *trust_new(void)
{
    struct trust *t = xcalloc(1, sizeof *t);
    if (trust_add(t, "127.0.0.0/8") == 0 && trust_add(t, "::1") == 0)
        return t;
    trust_free(t);
    return NULL;
}

struct trust *trust_new_empty(void)
{
    return xcalloc(1, sizeof(struct trust));
}

void trust_free(struct trust *t)
{
    if (!t)
        return;
    free(t->v);
    free(t);
}

int trust_add(struct trust *t, const char *cidr)
{
    struct slice text = slice_str(cidr), prefix = SLICE("");
    struct network net;
    unsigned most;
    ptrdiff_t slash = slice_find(text, '/');
    if (slash >= 0) {
        prefix = slice_skip(text, (size_t)slash + 1);
        text.len = (size_t)slash;
    }
    if (!parse_address(text, &net.address, &most))
        return ERR_SYNTAX;
    uint64_t bits = most;
    if (slash >= 0 && slice_to_u64(prefix, most, &bits) < 0)
        return ERR_SYNTAX;
    net.bits = (unsigned)bits + (most == V6_BITS ? 0 : V4_PREFIX_BITS);
    t->v = xrealloc(t->v, (t->n + 1) * sizeof *t->v);
    t->v[t->n++] = net;
    return 0;
}

static bool trust_has_address(const struct trust *t, const struct in6_addr *a)
{
    for (size_t i = 0; i < t->n; i++)
        if (network_has(&t->v[i], a))
            return true;
    return false;
}

/* Fills @out with the address of @peer. Returns false when @peer has no internet address. */
static bool peer_address(const struct sockaddr *peer, struct in6_addr *out)
{
    if (peer->sa_family == AF_INET6) {
        *out = ((const struct sockaddr_in6 *)peer)->sin6_addr;
        return true;
    }
    if (peer->sa_family != AF_INET)
        return false;
    map_v4(&((const struct sockaddr_in *)peer)->sin_addr, out);
    return true;
}

bool trust_has(const struct trust *t, const struct sockaddr *peer)
{
    struct in6_addr a;
    if (peer->sa_family == AF_UNIX)
        return true;
    return peer_address(peer, &a) && trust_has_address(t, &a);
}

bool trust_has_text(const struct trust *t, const char *address)
{
    struct in6_addr a;
    unsigned ignored;
    return parse_address(slice_str(address), &a, &ignored) && trust_has_address(t, &a);
}

static void address_text(const struct in6_addr *a, char out[static TRUST_ADDRESS_MAX])
{
    if (IN6_IS_ADDR_V4MAPPED(a))
        inet_ntop(AF_INET, a->s6_addr + 12, out, TRUST_ADDRESS_MAX);
    else
        inet_ntop(AF_INET6, a, out, TRUST_ADDRESS_MAX);
}

/* ---- X-Forwarded-For */

static const struct slice name_for = {"x-forwarded-for", sizeof "x-forwarded-for" - 1};

/* Returns the address in an element like "192.0.2.1:4711" or "[2001:db8::1]:4711", which some
 * proxies write. Returns any other element as it is. */
static struct slice without_port(struct slice element)
{
    ptrdiff_t colon = slice_rfind(element, ':');
    if (element.len > 0 && element.ptr[0] == '[') {
        ptrdiff_t end = slice_find(element, ']');
        return end < 0 ? element : slice_make(element.ptr + 1, (size_t)end - 1);
    }
    if (colon >= 0 && slice_find(element, ':') == colon)
        element.len = (size_t)colon;
    return element;
}

/* Reads the elements of one line from right to left, up to the first element that is malformed or
 * not trusted. Sets the viewer's address in @out to the last address that was read, and @accepted
 * to the part of the line that is believed. Returns true when such an element was found: no element
 * to its left counts. */
static bool walk_line(const struct trust *t, struct slice line, struct viewer *out,
                      struct slice *accepted)
{
    const char *end = line.ptr + line.len;
    *accepted = SLICE("");
    while (line.len > 0) {
        ptrdiff_t comma = slice_rfind(line, ',');
        struct slice element = slice_trim(slice_skip(line, (size_t)(comma + 1)));
        line.len = comma < 0 ? 0 : (size_t)comma;
        struct in6_addr a;
        unsigned bits;
        if (element.len == 0)
            continue;
        if (!parse_address(without_port(element), &a, &bits))
            return true;
        address_text(&a, out->address);
        *accepted = slice_make(element.ptr, (size_t)(end - element.ptr));
        if (!trust_has_address(t, &a))
            return true;
    }
    return false;
}

/* Reads all X-Forwarded-For lines from the last to the first, as one list (RFC 9110 5.3). Sets the
 * viewer's address and the accepted part of the list in @out. */
static void walk_lines(const struct trust *t, const struct fields *f, struct viewer *out)
{
    size_t behind = 0;
    bool ended = false;
    for (size_t i = f->count; i-- > 0 && !ended;) {
        struct slice accepted;
        if (!slice_ieq(f->v[i].name, name_for))
            continue;
        ended = walk_line(t, f->v[i].value, out, &accepted);
        if (accepted.len > 0) {
            out->accepted_for = accepted;
            out->accepted_lines = behind;
        }
        behind++;
    }
}

/* ---- the connection */

static void name_connection(struct peer *peer)
{
    uint8_t bytes[TRUST_CONNECTION_LEN / 2];
    arc4random_buf(bytes, sizeof bytes);
    bytes_to_hex(bytes, sizeof bytes, peer->connection);
}

/* Returns whether only a proxy, or a viewer who speaks to one, sends the field. */
static bool shows_proxy(struct slice name)
{
    static const struct slice others[] = {{"via", 3}, {"cdn-loop", 8}, {"proxy-connection", 16}};
    if (field_rules(name) & (FIELD_FORWARDED | FIELD_PROXY_ONLY))
        return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (field_name_is(name, others[i]))
            return true;
    return false;
}

struct slice trust_connection(struct peer *peer, const struct fields *f)
{
    for (size_t i = 0; peer->connection[0] != '\0' && i < f->count; i++)
        if (shows_proxy(f->v[i].name))
            peer->connection[0] = '\0';
    return slice_str(peer->connection);
}

/* ---- the viewer */

/* Returns the value of the field @name, or an empty slice when the field is missing or comes more
 * than once. */
static struct slice only_value(const struct fields *f, struct slice name)
{
    const struct field *field = fields_find(f, name);
    if (!field || fields_count(f, name) != 1)
        return SLICE("");
    return slice_trim(field->value);
}

static void forwarded_read(const struct fields *f, struct viewer *out)
{
    struct slice proto = only_value(f, SLICE("x-forwarded-proto"));
    uint64_t port = 0;
    if (slice_ieq(proto, SLICE("https")) || slice_ieq(proto, SLICE("http")))
        out->https = proto.len == sizeof "https" - 1;
    if (slice_to_u64(only_value(f, SLICE("x-forwarded-port")), UINT16_MAX, &port) == 0)
        out->forwarded_port = (uint16_t)port;
}

void trust_peer(const struct trust *t, const struct sockaddr *addr, bool tls, struct peer *out)
{
    struct in6_addr a;
    *out = (struct peer){.trusted = trust_has(t, addr), .tls = tls};
    out->local = !peer_address(addr, &a);
    if (!out->local)
        address_text(&a, out->address);
    if (!out->trusted)
        name_connection(out);
}

void trust_viewer(const struct trust *t, const struct peer *peer, const struct fields *f,
                  struct viewer *out)
{
    static const char local[TRUST_ADDRESS_MAX] = "unix";
    *out = (struct viewer){.trust = t,
                           .trusted = peer->trusted,
                           .https = peer->tls,
                           .accepted_for = SLICE(""),
                           .connection = SLICE("")};
    memcpy(out->address, peer->local ? local : peer->address, sizeof out->address);
    if (!out->trusted)
        return;
    forwarded_read(f, out);
    out->proxied = fields_find(f, name_for);
    if (out->proxied)
        walk_lines(t, f, out);
}

/* ---- fields for the origin */

static int names_add(struct names *names, const char *name)
{
    if (names->n == NAMES_MAX)
        return ERR_LIMIT;
    names->v[names->n++] = slice_str(name);
    return 0;
}

int trust_drop_field(struct trust *t, const char *name)
{
    return names_add(&t->dropped, name);
}

int trust_forward_field(struct trust *t, const char *name)
{
    return names_add(&t->forwarded, name);
}

static bool is_dropped(const struct field *field, void *user)
{
    const struct names *dropped = user;
    for (size_t i = 0; i < dropped->n; i++)
        if (field_name_is(field->name, dropped->v[i]))
            return true;
    return false;
}

void trust_drop_fields(const struct viewer *v, struct fields *f)
{
    if (v->trust && v->trust->dropped.n > 0)
        fields_remove_if(f, is_dropped, (void *)(uintptr_t)&v->trust->dropped);
}

/* Returns whether --forward-field names the field. An alias of its name does not pass. */
static bool is_forwarded(const struct trust *t, struct slice name)
{
    for (size_t i = 0; t && i < t->forwarded.n; i++)
        if (slice_ieq(name, t->forwarded.v[i]))
            return true;
    return false;
}

bool trust_drops(const struct viewer *v, struct slice name, unsigned rules)
{
    if (rules & (FIELD_NEVER | FIELD_REWRITTEN))
        return true;
    return (rules & (FIELD_FORWARDED | FIELD_PROXY_ONLY)) &&
           !(v->trusted && is_forwarded(v->trust, name));
}

/* Appends @elements, which may be empty, to the comma-separated @list. */
static void list_add(struct buf *list, struct slice elements)
{
    size_t before = buf_len(list);
    if (elements.len == 0)
        return;
    if ((before > 0 && buf_append(list, SLICE(", ")) < 0) || buf_append(list, elements) < 0)
        buf_truncate(list, before); /* never happens: a head has at most half of LIST_MAX */
}

/* Appends the elements of X-Forwarded-For that are believed, in their order: the end of one line
 * and all lines after that line. */
static void list_accepted(struct buf *list, const struct fields *f, const struct viewer *v)
{
    if (v->accepted_for.len == 0)
        return;
    size_t lines = fields_count(f, name_for), line = 0;
    assert(lines > v->accepted_lines); /* the fields are those that trust_viewer saw */
    size_t first = lines - 1 - v->accepted_lines;
    for (size_t i = 0; i < f->count; i++) {
        if (!slice_ieq(f->v[i].name, name_for))
            continue;
        if (line == first)
            list_add(list, v->accepted_for);
        else if (line > first)
            list_add(list, slice_trim(f->v[i].value));
        line++;
    }
}

/* Appends the address of @peer to @list. A unix socket has no address; for such a peer, appends
 * "unknown" to an empty list, as in RFC 7239 6. */
static void list_peer(struct buf *list, const struct peer *peer)
{
    if (!peer->local)
        list_add(list, slice_str(peer->address));
    else if (buf_len(list) == 0)
        list_add(list, SLICE("unknown"));
}

void trust_list(const struct fields *f, const struct viewer *v, const struct peer *peer,
                struct buf *list)
{
    buf_init(list, LIST_MAX);
    list_accepted(list, f, v);
    list_peer(list, peer);
}

void trust_add_fields(struct fields *f, const struct viewer *v, struct slice list,
                      struct slice host)
{
    fields_add_copy(f, name_for, list);
    fields_add(f, SLICE("x-forwarded-proto"), v->https ? SLICE("https") : SLICE("http"));
    fields_add_copy(f, SLICE("x-forwarded-host"), host);
    if (v->forwarded_port > 0)
        fields_add_printf(f, SLICE("x-forwarded-port"), "%u", (unsigned)v->forwarded_port);
}
