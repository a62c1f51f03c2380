/* SPDX-License-Identifier: MIT */
/* fuzz_addresses.c - the code of oneportd that reads addresses. The first line of an input is a
 * network, the second the peer (its first byte selects the kind), the third a Host, and the others
 * are X-Forwarded-* fields.
 *
 * Checks that a peer which is not trusted decides nothing, and that the fields which go upstream
 * name the same viewer to the next hop. */
#include <arpa/inet.h>
#include <sys/un.h>

#include "h2mux/http/field_name.h"
#include "h2mux/http/h1.h"
#include "src/http/route.h"
#include "src/http/trust.h"
#include "src/names/label.h"
#include "src/worker/config.h"
#include "src/worker/listen_address.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/viewer_fields.h"

static struct sockaddr_storage peer_of(struct slice text, bool *tls)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;
    char *address = slice_dup(slice_skip(text, 1));
    *tls = text.len > 0 && (*text.ptr & 1);
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1)
        v4->sin_family = AF_INET;
    else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1)
        v6->sin6_family = AF_INET6;
    else if (text.len > 0 && (*text.ptr & 2))
        peer.ss_family = AF_UNSPEC;
    free(address);
    return peer;
}

static bool is_address(const char *text)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static void check_viewer(const struct peer *peer, const struct viewer *v, const struct fields *f)
{
    const char *own = peer->local ? "unix" : peer->address;
    assert(is_address(v->address) || strcmp(v->address, "unix") == 0);
    assert(v->trusted == peer->trusted);
    if (v->proxied)
        assert(peer->trusted && fields_find(f, SLICE("x-forwarded-for")));
    else
        assert(strcmp(v->address, own) == 0 && v->accepted_for.len == 0);
    if (!peer->trusted)
        assert(v->https == peer->tls && v->forwarded_port == 0);
}

static void check_rewritten(const struct trust *t, const struct peer *peer, const struct viewer *v,
                            const struct fields *f)
{
    struct peer next;
    struct viewer again;
    static const struct sockaddr_storage local = {.ss_family = AF_UNIX};
    assert(fields_count(f, SLICE("x-forwarded-for")) == 1);
    assert(fields_count(f, SLICE("x-forwarded-proto")) == 1);
    assert(fields_count(f, SLICE("x-forwarded-host")) == 1);
    assert(fields_count(f, SLICE("x-forwarded-port")) == (v->forwarded_port > 0));
    assert(!fields_find(f, SLICE("x-real-ip")) && !fields_find(f, SLICE("forwarded")));
    assert(!fields_find(f, SLICE("x_forwarded_for")) && !fields_find(f, SLICE("X_Real-IP")));
    assert(!fields_find(f, SLICE("x-forwarded_proto")) &&
           !fields_find(f, SLICE("x_forwarded_host")));
    trust_peer(t, (const struct sockaddr *)&local, false, &next);
    trust_viewer(t, &next, f, &again);
    assert(strcmp(again.address, v->address) == 0 && again.https == v->https);
    assert(again.forwarded_port == v->forwarded_port);
}

static void check_forwarded(const struct trust *t, struct slice peer_line, struct slice host,
                            struct slice rest)
{
    const struct slice all = rest;
    struct fields f;
    struct peer peer;
    struct viewer v;
    bool tls;
    struct sockaddr_storage address = peer_of(peer_line, &tls);
    fields_init(&f);
    while (rest.len > 0 && f.count < 100) {
        struct slice line = fuzz_line(&rest);
        ptrdiff_t colon = slice_find(line, ':');
        struct slice name = slice_make(line.ptr, colon > 0 ? (size_t)colon : 0);
        struct slice value = slice_trim(slice_skip(line, (size_t)(colon + 1)));
        if (field_name_valid(name) && field_value_valid(value))
            fields_add(&f, name, value);
    }
    trust_peer(t, (const struct sockaddr *)&address, tls, &peer);
    trust_viewer(t, &peer, &f, &v);
    check_viewer(&peer, &v, &f);
    assert(fuzz_within(v.accepted_for, all));
    viewer_fields_rewrite(&f, &v, &peer, host);
    check_rewritten(t, &peer, &v, &f);
    fields_deinit(&f);
}

static void check_network(struct trust *t, const char *text)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&peer;
    size_t len = strcspn(text, "/");
    char *address = slice_dup(slice_make(text, len));
    if (trust_add(t, text) == 0) { /* an address lies in the network of itself */
        if (inet_pton(AF_INET, address, &v4->sin_addr) == 1)
            v4->sin_family = AF_INET;
        else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1)
            v6->sin6_family = AF_INET6;
        assert(trust_has(t, (const struct sockaddr *)&peer));
    }
    free(address);
}

static void check_listen(const char *text)
{
    struct listen_addresses parsed;
    if (listen_address_parse(text, &parsed) < 0)
        return;
    assert(parsed.n == 1 || parsed.n == 2);
    for (size_t i = 0; i < parsed.n; i++) {
        const struct listen_address *a = &parsed.v[i];
        sa_family_t family = a->addr.ss_family;
        assert(family == AF_INET || family == AF_INET6 || (family == AF_UNIX && parsed.n == 1));
        assert(a->len > sizeof(sa_family_t) && a->len <= sizeof a->addr);
        assert(listen_address_port(a) == listen_address_port(&parsed.v[0]));
        if (family == AF_UNIX)
            assert(strcmp(((const struct sockaddr_un *)&a->addr)->sun_path,
                          text + sizeof "unix:" - 1) == 0);
    }
}

static void check_base_url(const char *text)
{
    struct base_url url, again;
    if (base_url_parse(text, &url) < 0)
        return;
    assert(url.host.len > 0 && fuzz_within(url.host, slice_str(text)));
    char *plain = xasprintf("http%s://%.*s%s%.*u", url.https ? "s" : "", SLICE_FMT(url.host),
                            url.port ? ":" : "", url.port ? 1 : 0, (unsigned)url.port);
    assert(base_url_parse(plain, &again) == 0 && slice_eq(url.host, again.host));
    assert(url.port == again.port && url.https == again.https);
    free(plain);
}

/* Checks that a well-formed authority leads to the same name in any case and with any port. */
static void check_authority(struct slice authority)
{
    char name[NAME_MAX_LEN + 1], again[NAME_MAX_LEN + 1];
    enum route_kind kind = route_host(SLICE("example.com"), authority, name);
    if (!h1_authority_valid(authority))
        return;
    char *upper = xasprintf("%.*s%s", SLICE_FMT(authority),
                            slice_rfind(authority, ':') > slice_rfind(authority, ']') ? "" : ":80");
    for (char *c = upper; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    assert(h1_authority_valid(slice_str(upper)));
    assert(route_host(SLICE("example.com"), slice_str(upper), again) == kind);
    assert(strcmp(name, again) == 0);
    free(upper);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = fuzz_input(data, size);
    struct trust *t = trust_new();
    char *network = slice_dup(fuzz_line(&in));
    assert(t);
    check_network(t, network);
    check_listen(network);
    check_base_url(network);
    struct slice peer = fuzz_line(&in), host = fuzz_line(&in);
    check_authority(host);
    check_forwarded(t, peer, field_value_valid(host) ? host : SLICE(""), in);
    free(network);
    trust_free(t);
    return 0;
}
